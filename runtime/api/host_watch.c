/* SPDX-License-Identifier: MIT
 *
 * Watching a runtime from a host: events, health, figures.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "figures.h"
#include "errand.h"
#include "host.h"
#include "mem.h"
#include "sized.h"

void
lunate_free(void *text)
{
	free(text);
}

/* ---- events ------------------------------------------------------------ */

/* Counted: the host's handle, and each event on its way through a port. */
struct lunate_listener {
	unsigned magic;
#define LISTENER_MAGIC 0x1157e4e1
	int refs; /* atomic */
	struct lunate *host;
	struct host_worker *hw;
	struct lunate_ear ear;
	uint32_t mask;
	bool closed; /* atomic: fn() is not called any more */

	/* the worker's */
	struct held held;
	struct events_listener *inner;
};

/* An event on its way through a port. */
struct parcel {
	struct port_item item;
	struct lunate_listener *l;
	size_t len;
	char json[];
};

static void
unpin(struct lunate_listener *l)
{
	if (__atomic_sub_fetch(&l->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	host_unpin(&l->host);
	OBJ_FINI(l);
	mem_free(l);
}

static void
open_parcel(struct port_item *item)
{
	struct parcel *p = CONTAINER_OF(item, struct parcel, item);

	if (!__atomic_load_n(&p->l->closed, __ATOMIC_ACQUIRE))
		p->l->ear.fn(p->l->ear.arg, p->json, p->len);
	unpin(p->l);
	mem_free(p);
}

static void
on_event(void *arg, const struct event *e)
{
	struct lunate_listener *l = arg;
	struct parcel *p;

	if (l->ear.port == NULL) {
		l->ear.fn(l->ear.arg, e->json, e->len);
		return;
	}
	p = mem_new(sizeof(*p) + e->len + 1);
	p->item.run = open_parcel;
	p->l = l;
	p->len = e->len;
	memcpy(p->json, e->json, e->len);
	__atomic_add_fetch(&l->refs, 1, __ATOMIC_RELAXED);
	port_expect(l->ear.port);
	port_throw(l->ear.port, &p->item);
}

static void
stop_held(struct held *h)
{
	struct lunate_listener *l = CONTAINER_OF(h, struct lunate_listener,
						 held);

	if (l->inner != NULL)
		events_unlisten(&l->inner);
}

static void
forget_held(struct held *h)
{
	(void)h; /* stopped before; the host's handle frees it */
}

/* ---- listening --------------------------------------------------------- */

/* An errand without an answer of its own. */
struct listening {
	struct errand q;
	struct lunate_listener *l;
};

static void
run_listen(struct errand *q)
{
	struct lunate_listener *l = CONTAINER_OF(q, struct listening, q)->l;

	l->inner = events_listen(
		q->hw->host->rt->events,
		&(struct events_ear){q->hw->loop, l->mask, on_event, l});
	list_push_back(&q->hw->held, &l->held.link);
	errand_end(q);
}

static void
run_unlisten(struct errand *q)
{
	struct lunate_listener *l = CONTAINER_OF(q, struct listening, q)->l;

	stop_held(&l->held);
	list_remove(&l->held.link);
	errand_end(q);
}

/* Entered before. */
static int
run_and_wait(struct lunate_listener *l, void (*run)(struct errand *q),
	     struct err *e)
{
	struct listening k = {.l = l};

	errand_init(&k.q, l->hw);
	k.q.run = run;
	if (errand_wait(&k.q) < 0)
		*e = k.q.err;
	return k.q.err.code;
}

static int
read_ear(const struct lunate_ear *ear, uint32_t *mask, struct err *e)
{
	const char *near_word = NULL;
	int type;

	if (ear->fn == NULL || ear->name == NULL)
		return err_set(e, LUNATE_EINVAL,
			       "who listens needs the name of an event and a "
			       "fn()");
	*mask = EVENT_ALL;
	if (strcmp(ear->name, "*") == 0)
		return 0;
	type = event_type_of(ear->name, &near_word);
	if (type < 0)
		return err_set(e, LUNATE_EINVAL,
			       "there is no event \"%.60s\"%s%s; see lunate "
			       "help events",
			       ear->name,
			       near_word != NULL ? "; did you mean " : "",
			       near_word != NULL ? near_word : "");
	*mask = EVENT_BIT(type);
	return 0;
}

static struct lunate_listener *
new_listener(struct lunate *db, const struct lunate_ear *ear, uint32_t mask)
{
	struct lunate_listener *l = mem_new(sizeof(*l));

	OBJ_INIT(l, LISTENER_MAGIC);
	l->refs = 1;
	l->host = host_pin(db);
	l->hw = &db->workers[0];
	l->ear = *ear;
	l->mask = mask;
	list_init(&l->held.link);
	l->held.stop = stop_held;
	l->held.forget = forget_held;
	l->held.passive = true;
	return l;
}

int
lunate_listen(struct lunate *db, const struct lunate_ear *given,
	      struct lunate_listener **out, struct lunate_error *e)
{
	struct lunate_ear own, *ear = &own;
	const struct sized s = {ear, sizeof(*ear), given, "struct lunate_ear"};
	struct lunate_listener *l;
	struct err why;
	uint32_t mask;

	if (sized_take(&s, &why) < 0 || read_ear(ear, &mask, &why) < 0 ||
	    host_enter(db, &why) < 0)
		return error_fill(e, &why);
	l = new_listener(db, ear, mask);
	if (run_and_wait(l, run_listen, &why) < 0) {
		unpin(l);
		return error_fill(e, &why);
	}
	*out = l;
	return 0;
}

void
lunate_unlisten(struct lunate_listener **pl)
{
	struct lunate_listener *l;
	struct err why;

	if (*pl == NULL)
		return;
	OBJ_TAKE(l, pl, LISTENER_MAGIC);
	__atomic_store_n(&l->closed, true, __ATOMIC_RELEASE);
	if (host_enter(l->host, &why) < 0) {
		if (why.code == LUNATE_ECLOSED)
			unpin(l);
		return; /* in a child of fork() it is the parent's */
	}
	assert(host_here() == NULL);
	(void)run_and_wait(l, run_unlisten, &why);
	unpin(l);
}

/* ---- questions that have a JSON text for an answer --------------------- */

struct question {
	struct errand q;
	struct health_wait wait;
	char *json;
};

/* Takes `what`. */
static void
reply(struct question *k, json_t *what)
{
	k->json = json_dumps(what, JSON_COMPACT);
	json_decref(what);
	if (k->json == NULL)
		err_set(&k->q.err, LUNATE_ENOMEM, "no memory for the answer");
	errand_end(&k->q);
}

static void
run_metrics(struct errand *q)
{
	reply(CONTAINER_OF(q, struct question, q), figures_metrics(q->hw->w));
}

static void
on_report(struct health_wait *w, const struct health_report *r)
{
	reply(CONTAINER_OF(w, struct question, wait), figures_health(r));
}

static void
run_health(struct errand *q)
{
	struct question *k = CONTAINER_OF(q, struct question, q);
	const struct health_report *latest;

	loop_refresh(q->hw->loop);
	latest = health_latest(q->hw->w->health);
	if (latest != NULL)
		reply(k, figures_health(latest));
	else
		health_ask(q->hw->w->health, &k->wait, on_report);
}

static int
ask(struct lunate *db, void (*run)(struct errand *q), char **json,
    struct lunate_error *e)
{
	struct question k = {0};
	struct err why;

	if (host_enter(db, &why) < 0)
		return error_fill(e, &why);
	errand_init(&k.q, &db->workers[0]);
	k.q.run = run;
	if (errand_wait(&k.q) < 0)
		return error_fill(e, &k.q.err);
	*json = k.json;
	return 0;
}

int
lunate_health(struct lunate *db, char **json, struct lunate_error *e)
{
	return ask(db, run_health, json, e);
}

int
lunate_metrics(struct lunate *db, char **json, struct lunate_error *e)
{
	return ask(db, run_metrics, json, e);
}

int
lunate_invalidate(struct lunate *db, const char *const *tags,
		  struct lunate_error *e)
{
	struct err why;

	if (tags == NULL)
		return error_say(e, LUNATE_EINVAL,
				 "there are no tags; a list of them ends with "
				 "NULL");
	if (host_enter(db, &why) < 0)
		return error_fill(e, &why);
	host_exit(db);
	return 0;
}
