/* SPDX-License-Identifier: MIT */
#include "policies.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include "hook.h"
#include "lints.h"
#include "load.h"
#include "mem.h"
#include "near.h"
#include "policies_int.h"
#include "watch.h"
#include "watchdog.h"

int64_t
policies_wall_us(void)
{
	struct timeval t;

	gettimeofday(&t, NULL);
	return (int64_t)t.tv_sec * 1000000 + t.tv_usec;
}

/* ---- loading ----------------------------------------------------------- */

static int
check_accepted(const struct isolation_accept *a, struct err *e)
{
	struct near near;

	near_init(&near, a->lint);
	for (unsigned i = 0; i < lints_count; i++) {
		if (strcmp(lints_list[i].name, a->lint) == 0)
			return 0;
		near_try(&near, lints_list[i].name);
	}
	return err_set(e, LUNATE_ECONFIG,
		       "%s:%d: accept \"%s\": no check of the database has "
		       "that name%s%s%s",
		       a->file, a->line, a->lint,
		       near_best(&near) != NULL ? "; did you mean \"" : "",
		       near_best(&near) != NULL ? near_best(&near) : "",
		       near_best(&near) != NULL ? "\"?" : "");
}

int
policies_holds(const struct rules *r, struct err *e)
{
	const struct isolation_rules *i = &r->isolation;

	for (unsigned k = 0; k < i->naccepted; k++)
		if (check_accepted(&i->accepted[k], e) < 0)
			return e->code;
	return 0;
}

static int
check_key(const struct policies *p, const struct rules *r, struct err *e)
{
	if (!r->isolation.seal || p->sealed)
		return 0;
	return err_set(e, LUNATE_ECONFIG,
		       "%s/isolation.lua: seal needs a key: set "
		       "LUNATE_SEAL_KEY_FILE, then `lunate policy seal-key "
		       "--new | psql` as the owner of the tables",
		       p->folder);
}

static struct load_ask
asking(struct policies *p, struct texts *t)
{
	return (struct load_ask){.texts = t,
				 .schema = p->schema,
				 .base = p->base,
				 .watchdog = p->dog,
				 .workers = (unsigned)__atomic_load_n(
					 &p->wanted, __ATOMIC_RELAXED)};
}

int
policies_load(struct policies *p, struct texts *t, struct rules **out,
	      struct err *e)
{
	const struct load_ask ask = asking(p, t);

	if (load_rules(&ask, out, e) < 0)
		return e->code;
	if (policies_holds(*out, e) < 0 || check_key(p, *out, e) < 0) {
		rules_unpin(out);
		return e->code;
	}
	return 0;
}

static void
remember(struct policies *p, const struct past *one)
{
	if (p->npast == POLICIES_HISTORY) {
		texts_unpin(&p->history[0].texts);
		memmove(&p->history[0], &p->history[1],
			(POLICIES_HISTORY - 1) * sizeof(p->history[0]));
		p->npast--;
	}
	p->history[p->npast++] = *one;
}

uint64_t
policies_publish(struct policies *p, struct rules *r, const char *why)
{
	struct past one = {.texts = texts_pin(r->texts),
			   .wall_us = policies_wall_us()};
	struct texts *before = p->npast > 0 ? p->history[p->npast - 1].texts
					    : NULL;

	snprintf(one.why, sizeof(one.why), "%s", why);
	policies_tell_not_yet(p, r);
	policies_let_go(p);
	one.generation = rules_publish(p->rules, r);
	policies_counted(p, before, one.generation, one.texts);
	remember(p, &one);
	policies_tell_loaded(p, &one);
	return one.generation;
}

static uint64_t
in_force(struct policies *p)
{
	struct rules *r = rules_pin(p->rules);
	uint64_t id = r->id;

	rules_unpin(&r);
	return id;
}

static void
set_broken(struct policies *p, const struct err *e)
{
	if (p->broken.code == 0)
		p->broken_us = loop_clock_us();
	p->broken = *e;
	policies_let_go(p);
	policies_tell_refused(p, in_force(p), e);
}

uint64_t
policies_hash(const struct policies *p)
{
	return p->npast > 0 && !p->closed ? p->history[p->npast - 1].texts->hash
					  : 0;
}

void
policies_set_whole(struct policies *p)
{
	err_clear(&p->broken);
	p->closed = false;
}

/* Other texts than those in force are loaded. */
static int
take(struct policies *p, struct texts *t, const char *why, struct err *e)
{
	struct rules *r;

	if (t->hash == policies_hash(p)) {
		policies_set_whole(p);
		policies_let_go(p);
		return 0;
	}
	if (policies_load(p, t, &r, e) < 0) {
		set_broken(p, e);
		return e->code;
	}
	if (policies_hold(p, r, t)) {
		rules_unpin(&r);
		err_clear(&p->broken);
		return 0;
	}
	policies_set_whole(p);
	policies_publish(p, r, why);
	return 0;
}

/* Under the lock.  `always`: also when the folder is as it was when it was
 * read last, and other rules are in force. */
static int
refresh(struct policies *p, bool always, const char *why, struct err *e)
{
	struct texts *t;
	int rc = 0;

	if (texts_read(&t, p->folder, e) < 0) {
		p->looked_at = 0;
		set_broken(p, e);
		return e->code;
	}
	if (always || t->hash != p->looked_at || p->broken.code != 0) {
		p->looked_at = t->hash;
		t = policies_mend(p, t);
		rc = take(p, t, why, e);
	}
	texts_unpin(&t);
	return rc;
}

int
policies_reload(struct policies *p, uint64_t *generation, struct err *e)
{
	int rc;

	OBJ_CHECK(p, POLICIES_MAGIC);
	pthread_mutex_lock(&p->lock);
	rc = refresh(p, true, "reload", e);
	*generation = in_force(p);
	pthread_mutex_unlock(&p->lock);
	return rc;
}

const struct past *
policies_past(const struct policies *p, uint64_t generation, struct err *e)
{
	for (unsigned i = 0; i < p->npast; i++)
		if (p->history[i].generation == generation)
			return &p->history[i];
	err_set(e, LUNATE_EINVAL,
		"generation %" PRIu64 " is not kept; those that are: the last "
		"%d, see `lunate policy list`",
		generation, POLICIES_HISTORY);
	return NULL;
}

static int
use(struct policies *p, uint64_t earlier, struct err *e)
{
	const struct past *past = policies_past(p, earlier, e);
	struct rules *r;
	char why[48];

	if (past == NULL)
		return e->code;
	if (policies_load(p, past->texts, &r, e) < 0)
		return e->code;
	snprintf(why, sizeof(why), "use %" PRIu64, earlier);
	policies_set_whole(p);
	policies_forget_asides(p);
	policies_publish(p, r, why);
	return 0;
}

int
policies_use(struct policies *p, uint64_t earlier, uint64_t *generation,
	     struct err *e)
{
	int rc;

	OBJ_CHECK(p, POLICIES_MAGIC);
	pthread_mutex_lock(&p->lock);
	rc = use(p, earlier, e);
	*generation = in_force(p);
	pthread_mutex_unlock(&p->lock);
	return rc;
}

/* ---- what has been broken for too long --------------------------------- */

static void
close_all(struct policies *p)
{
	struct rules *r = rules_new();
	uint64_t generation;

	memcpy(r->classes, p->base->classes, sizeof(r->classes));
	r->retry = p->base->retry;
	r->decision_epoch = 1;
	r->isolation = (struct isolation_rules){
		.state = ISOLATION_CLOSED,
		.closed = arena_printf(&r->arena,
				       "the policy folder has been broken for "
				       "too long: %s",
				       p->broken.text)};
	p->closed = true;
	generation = rules_publish(p->rules, r);
	log_error(p->log, "policy",
		  "the policy folder has been broken for too long; tables are "
		  "closed",
		  LOG_INT("generation", (int64_t)generation),
		  LOG_STR("why", p->broken.text));
	if (events_wanted(p->events, EVENT_POLICY_STALE))
		policies_tell(p, EVENT_POLICY_STALE,
			      json_pack("{sI so so}", "generation",
					(json_int_t)generation, "folder",
					event_text(p->folder), "message",
					event_text(p->broken.text)));
}

#define STALE_TICK_US 1000000

static void
on_stale(struct loop_timer *timer)
{
	struct policies *p = CONTAINER_OF(timer, struct policies, stale);

	OBJ_CHECK(p, POLICIES_MAGIC);
	pthread_mutex_lock(&p->lock);
	if (p->broken.code != 0 && !p->closed &&
	    loop_clock_us() - p->broken_us >= p->max_stale_us)
		close_all(p);
	pthread_mutex_unlock(&p->lock);
	loop_timer_start(&p->stale, p->max_stale_us < STALE_TICK_US
					    ? p->max_stale_us
					    : STALE_TICK_US);
}

/* ---- the thread -------------------------------------------------------- */

static void
on_settled(struct watch *w, void *arg, uint64_t changes)
{
	struct policies *p;
	struct err e;

	OBJ_CAST(p, arg, POLICIES_MAGIC);
	pthread_mutex_lock(&p->lock);
	refresh(p, false, "saved", &e); /* an error was told there */
	pthread_mutex_unlock(&p->lock);
}

/* Workers have come since the rules in force were loaded. */
static void
on_grow(struct loop_letter *letter)
{
	struct policies *p = CONTAINER_OF(letter, struct policies, grow);
	struct rules *r;
	struct err e;

	OBJ_CHECK(p, POLICIES_MAGIC);
	__atomic_store_n(&p->growing, false, __ATOMIC_RELEASE);
	pthread_mutex_lock(&p->lock);
	r = rules_pin(p->rules);
	if (r->hooks != NULL) {
		const struct load_ask ask = asking(p, r->texts);

		if (load_more(r, &ask, &e) < 0)
			log_warn(p->log, "policy",
				 "workers share the policy VMs",
				 LOG_STR("why", e.text));
	}
	rules_unpin(&r);
	pthread_mutex_unlock(&p->lock);
}

void
policies_workers(struct policies *p, int n)
{
	OBJ_CHECK(p, POLICIES_MAGIC);
	if (n <= __atomic_load_n(&p->wanted, __ATOMIC_RELAXED))
		return;
	__atomic_store_n(&p->wanted, n, __ATOMIC_RELAXED);
	if (!__atomic_exchange_n(&p->growing, true, __ATOMIC_ACQ_REL))
		loop_post(p->loop, &p->grow);
}

static void
on_stop(struct loop_letter *letter)
{
	struct policies *p = CONTAINER_OF(letter, struct policies, stop);

	loop_stop(p->loop);
}

static void *
thread_main(void *arg)
{
	struct policies *p;
	struct watch_opts opts = {.debounce_ms = WATCH_DEBOUNCE_MS,
				  .settled = on_settled};

	OBJ_CAST(p, arg, POLICIES_MAGIC);
	pthread_setname_np(pthread_self(), "lunate-policy");
	opts.path = p->folder;
	opts.arg = p;
	p->watch = watch_new(p->loop, &opts);
	loop_timer_init(&p->stale, p->loop, on_stale);
	loop_timer_start(&p->stale, 0);
	/* What was saved between the first reading and now. */
	on_settled(p->watch, p, 0);
	loop_run(p->loop);
	loop_timer_stop(&p->stale);
	watch_free(&p->watch);
	return NULL;
}

static int
start(struct policies *p, struct err *e)
{
	sigset_t all, old;
	int rc;

	p->loop = loop_new();
	p->stop.run = on_stop;
	p->back.run = policies_on_back;
	p->grow.run = on_grow;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&p->thread, NULL, thread_main, p);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc == 0)
		return 0;
	loop_free(&p->loop);
	return err_set(e, LUNATE_ERESOURCE,
		       "no thread to watch the policy folder: %s",
		       strerror(rc));
}

/* ---- life -------------------------------------------------------------- */

static void
free_policies(struct policies *p)
{
	for (unsigned i = 0; i < p->npast; i++)
		texts_unpin(&p->history[i].texts);
	policies_let_go(p);
	policies_forget_asides(p);
	if (p->dog != NULL)
		watchdog_free(&p->dog);
	rules_unpin(&p->base);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->unused);
	pthread_mutex_destroy(&p->strikes_lock);
	mem_free(p->folder);
	mem_free(p->schema);
	OBJ_FINI(p);
	mem_free(p);
}

int
policies_open(struct policies **out, const struct policies_opts *opts,
	      struct err *e)
{
	struct policies *p = mem_new(sizeof(*p));

	OBJ_INIT(p, POLICIES_MAGIC);
	p->folder = mem_dups(opts->folder);
	p->schema = opts->schema != NULL ? mem_dups(opts->schema) : NULL;
	p->sealed = opts->sealed;
	p->max_stale_us = opts->max_stale_ms * 1000;
	p->rules = opts->rules;
	p->base = rules_pin(opts->rules);
	p->log = opts->log;
	p->events = opts->events;
	p->decided = opts->decided;
	p->confirm = opts->confirm;
	p->shadow = opts->shadow;
	p->wanted = opts->workers > 0 ? opts->workers : 1;
	pthread_mutex_init(&p->lock, NULL);
	pthread_mutex_init(&p->strikes_lock, NULL);
	pthread_cond_init(&p->unused, NULL);
	err_clear(e);
	if (watchdog_new(&p->dog, e) < 0 || refresh(p, true, "start", e) < 0 ||
	    start(p, e) < 0) {
		free_policies(p);
		return e->code;
	}
	*out = p;
	return 0;
}

struct policies *
policies_pin(struct policies *p)
{
	OBJ_CHECK(p, POLICIES_MAGIC);
	pthread_mutex_lock(&p->strikes_lock);
	p->users++;
	pthread_mutex_unlock(&p->strikes_lock);
	return p;
}

void
policies_unpin(struct policies **pp)
{
	struct policies *p = *pp;

	OBJ_CHECK(p, POLICIES_MAGIC);
	*pp = NULL;
	pthread_mutex_lock(&p->strikes_lock);
	if (--p->users == 0)
		pthread_cond_signal(&p->unused);
	pthread_mutex_unlock(&p->strikes_lock);
}

static void
wait_for_users(struct policies *p)
{
	pthread_mutex_lock(&p->strikes_lock);
	while (p->users > 0)
		pthread_cond_wait(&p->unused, &p->strikes_lock);
	pthread_mutex_unlock(&p->strikes_lock);
}

void
policies_close(struct policies **pp)
{
	struct policies *p;

	wait_for_users(*pp);
	OBJ_TAKE(p, pp, POLICIES_MAGIC);
	loop_post(p->loop, &p->stop);
	pthread_join(p->thread, NULL);
	loop_free(&p->loop);
	free_policies(p);
}
