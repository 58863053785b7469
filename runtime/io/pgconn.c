/* SPDX-License-Identifier: MIT */
#include "pgconn.h"

#include "pgconn_int.h"

#include <string.h>

#include "mem.h"
#include "redact.h"
#include "str.h"

void
pgconn_enter(struct pgconn *c, enum pgconn_state state)
{
	assert(c->state != PGCONN_DEAD);
	c->state = state;
}

static void
stop_watchers(struct pgconn *c)
{
	struct ev_loop *ev = loop_ev(c->loop);

	ev_io_stop(ev, &c->reader);
	ev_io_stop(ev, &c->writer);
	ev_timer_stop(ev, &c->timer);
	loop_undefer(&c->dying);
}

/* The reason, one line, without passwords or values. */
static void
set_reason(struct pgconn *c, enum err_code code, const char *text)
{
	struct str clean;

	if (c->err.code != 0)
		return; /* the first reason is the true one */
	str_init(&clean);
	redact_secrets(&clean, text);
	for (char *p = clean.at; *p != 0; p++) {
		if (strncmp(p, "\n\t", 2) == 0)
			memcpy(p, "; ", 2);
		else if (*p == '\n')
			*p = p[1] != 0 ? ' ' : 0;
	}
	err_set(&c->err, code, "%s", clean.at);
	str_fini(&clean);
}

/* Everything in flight is answered, then the owner is told; it may free the
 * connection there, so nothing follows. */
void
pgconn_die(struct pgconn *c, enum err_code code, const char *text)
{
	if (c->state == PGCONN_DEAD)
		return;
	set_reason(c, code, text);
	stop_watchers(c);
	pgcancel_detach(c);
	pgread_drop_held(c);
	pgconn_enter(c, PGCONN_DEAD);
	pgcopy_lost(c);
	pggroup_lose_all(c);
	c->owner.on_state(c, c->owner.arg);
}

/* Answers that came before libpq closed the socket still count. */
static bool
has_rest(const struct pgconn *c)
{
	return c->state != PGCONN_CONNECTING && c->copy == NULL &&
	       PQsocket(c->pg) < 0;
}

static void
die_now(struct loop_job *job)
{
	struct pgconn *c = CONTAINER_OF(job, struct pgconn, dying);

	if (has_rest(c) && !pgread_drain(c))
		return;
	pgconn_die(c, c->err.code, "");
}

/* libpq may have closed the socket, and the next connection may get its number
 * and close it, too, before this one has ended: libev takes a watcher of a
 * closed one for a fault of the program. */
void
pgconn_die_soon(struct pgconn *c, enum err_code code, const char *text)
{
	set_reason(c, code, text);
	ev_io_stop(loop_ev(c->loop), &c->reader);
	ev_io_stop(loop_ev(c->loop), &c->writer);
	loop_defer(c->loop, LOOP_TASKS, &c->dying);
}

/* Arms what the state wants: always read, write while libpq has a rest.  What
 * cannot be written makes libpq read, and at the end of the stream close the
 * socket, without a word of it here. */
void
pgconn_watch(struct pgconn *c)
{
	struct ev_loop *ev = loop_ev(c->loop);
	int rest;

	if (list_linked(&c->dying.link))
		return;
	rest = PQflush(c->pg);
	if (rest < 0 || PQsocket(c->pg) < 0) {
		pgconn_die_soon(c, LUNATE_ELOST, PQerrorMessage(c->pg));
		return;
	}
	if (rest == 1)
		ev_io_start(ev, &c->writer);
	else
		ev_io_stop(ev, &c->writer);
	if (c->paused)
		ev_io_stop(ev, &c->reader);
	else
		ev_io_start(ev, &c->reader);
}

/* After answers have come in. */
static void
settle(struct pgconn *c)
{
	pgconn_watch(c);
	if (c->state == PGCONN_FENCED) {
		pgcancel_check(c);
		return;
	}
	if (c->nreqs == 0 && c->ngroups > 0) {
		pgcancel_start(c, NULL);
		return;
	}
	if (c->ngroups == 0 && c->owner.on_idle != NULL)
		c->owner.on_idle(c, c->owner.arg);
}

static void
drain_and_settle(struct pgconn *c)
{
	int before = c->ngroups;

	if (!pgread_drain(c))
		return;
	if (c->ngroups != before || c->state == PGCONN_FENCED)
		settle(c);
	else
		pgconn_watch(c);
}

static void
on_readable(struct ev_loop *ev, ev_io *w, int events)
{
	struct pgconn *c;

	(void)ev, (void)events;
	OBJ_CAST(c, w->data, PGCONN_MAGIC);
	loop_refresh(c->loop);
	if (c->copy != NULL)
		pgcopy_readable(c);
	else
		drain_and_settle(c);
}

static void
on_writable(struct ev_loop *ev, ev_io *w, int events)
{
	struct pgconn *c;

	(void)ev, (void)events;
	OBJ_CAST(c, w->data, PGCONN_MAGIC);
	if (c->copy != NULL)
		pgcopy_writable(c);
	else
		pgconn_watch(c);
}

/* ---- connecting --------------------------------------------------------- */

static void poll_connect(struct pgconn *c);

static void
on_connect_io(struct ev_loop *ev, ev_io *w, int events)
{
	struct pgconn *c;

	(void)ev, (void)events;
	OBJ_CAST(c, w->data, PGCONN_MAGIC);
	poll_connect(c);
}

/* In a refused login libpq shows the SQLSTATE only inside of a verbose text:
 * "FATAL:  28P01: password ...\nLOCATION:  auth_failed, auth.c:333".  Of
 * several hosts the last one counts. */
static const char *
login_state(const char *text)
{
	const char *state = NULL;

	while ((text = strstr(text, ":  ")) != NULL) {
		text += 3;
		if (strspn(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 &&
		    strncmp(text + 5, ": ", 2) == 0)
			state = text;
	}
	return state;
}

/* The text up to that SQLSTATE and what follows on its line. */
static void
login_text(struct str *out, const char *text, const char *state)
{
	str_addn(out, text, (size_t)(state - text));
	str_addn(out, state + 7, strcspn(state + 7, "\n"));
}

static void
login_refused(struct pgconn *c)
{
	const char *text = PQerrorMessage(c->pg), *state = login_state(text);
	struct str clean;

	if (state == NULL) {
		pgconn_die(c,
			   PQconnectionNeedsPassword(c->pg) ? LUNATE_EAUTH
							    : LUNATE_ECONNECT,
			   text);
		return;
	}
	str_init(&clean);
	login_text(&clean, text, state);
	set_reason(c,
		   strncmp(state, "28", 2) == 0 ? LUNATE_EAUTH
						: LUNATE_ECONNECT,
		   clean.at);
	str_fini(&clean);
	memcpy(c->err.sqlstate, state, 5);
	pgconn_die(c, LUNATE_ECONNECT, "");
}

static void
connected(struct pgconn *c)
{
	struct ev_loop *ev = loop_ev(c->loop);

	if (PQsetnonblocking(c->pg, 1) != 0 ||
	    PQenterPipelineMode(c->pg) != 1) {
		pgconn_die(c, LUNATE_ECONNECT, PQerrorMessage(c->pg));
		return;
	}
	pgguard_begin(c);
	if (pgguard_broken(c) != NULL) {
		pgconn_die(c, LUNATE_ECONNECT, pgguard_broken(c));
		return;
	}
	ev_timer_stop(ev, &c->timer);
	ev_io_init(&c->reader, on_readable, PQsocket(c->pg), EV_READ);
	ev_io_init(&c->writer, on_writable, PQsocket(c->pg), EV_WRITE);
	ev_io_start(ev, &c->reader);
	pgconn_enter(c, PGCONN_READY);
	c->owner.on_state(c, c->owner.arg);
}

/* The socket may be another one at every step, under the same number too, so
 * the watcher is stopped before libpq is asked and made anew after. */
static void
poll_connect(struct pgconn *c)
{
	struct ev_loop *ev = loop_ev(c->loop);
	PostgresPollingStatusType s;

	ev_io_stop(ev, &c->reader);
	s = PQconnectPoll(c->pg);
	if (s == PGRES_POLLING_FAILED) {
		login_refused(c);
		return;
	}
	if (s == PGRES_POLLING_OK) {
		connected(c);
		return;
	}
	ev_io_init(&c->reader, on_connect_io, PQsocket(c->pg),
		   s == PGRES_POLLING_READING ? EV_READ : EV_WRITE);
	ev_io_start(ev, &c->reader);
}

static void
on_timer(struct ev_loop *ev, ev_timer *w, int events)
{
	struct pgconn *c;

	(void)ev, (void)events;
	OBJ_CAST(c, w->data, PGCONN_MAGIC);
	if (c->state == PGCONN_CONNECTING)
		pgconn_die(c, LUNATE_ECONNECT,
			   "the server did not complete the login in time "
			   "(connect_timeout); is it overloaded or stopped?");
	else if (!pgcancel_again(c))
		pgconn_die(c, LUNATE_ELOST,
			   "the server did not react to a cancel");
}

/* Starting is a job of its own so that a failure at once is told like any
 * other, from the loop. */
static void
start_connect(struct pgconn *c)
{
	struct ev_loop *ev = loop_ev(c->loop);

	if (c->pg == NULL || PQstatus(c->pg) == CONNECTION_BAD) {
		pgconn_die_soon(c, LUNATE_ECONNECT,
				c->pg != NULL ? PQerrorMessage(c->pg)
					      : "out of memory");
		return;
	}
	ev_io_init(&c->reader, on_connect_io, PQsocket(c->pg), EV_WRITE);
	ev_io_start(ev, &c->reader);
	ev_timer_set(&c->timer, (double)c->connect_us / 1e6, 0.);
	ev_timer_start(ev, &c->timer);
}

struct pgconn *
pgconn_new(struct loop *loop, struct crew *crew, const struct pgconn_conf *conf,
	   struct pgconn_owner owner)
{
	struct pgconn *c = mem_new(sizeof(*c));

	OBJ_INIT(c, PGCONN_MAGIC);
	c->state = PGCONN_CONNECTING;
	c->loop = loop;
	c->crew = crew;
	c->owner = owner;
	c->counts = conf->counts != NULL ? conf->counts : &c->own_counts;
	c->connect_us = conf->connect_us;
	c->guard.on = conf->guarded;
	c->prep_max = conf->text_only ? 0 : conf->prepared_max;
	list_init(&c->groups);
	list_init(&c->lru);
	list_init(&c->retired);
	loop_job_init(&c->dying, die_now);
	ev_init(&c->reader, on_connect_io);
	ev_init(&c->writer, on_writable);
	ev_init(&c->timer, on_timer);
	c->reader.data = c->writer.data = c->timer.data = c;
	c->pg = PQconnectStartParams(conf->keys, conf->values, 0);
	if (c->pg != NULL) {
		PQsetNoticeReceiver(c->pg, pgread_notice, c);
		(void)PQsetErrorVerbosity(c->pg, PQERRORS_VERBOSE);
	}
	start_connect(c);
	return c;
}

/* ---- questions ---------------------------------------------------------- */

enum pgconn_state
pgconn_state(const struct pgconn *c)
{
	OBJ_CHECK(c, PGCONN_MAGIC);
	return c->state;
}

const struct err *
pgconn_err(const struct pgconn *c)
{
	OBJ_CHECK(c, PGCONN_MAGIC);
	return &c->err;
}

int
pgconn_inflight(const struct pgconn *c)
{
	OBJ_CHECK(c, PGCONN_MAGIC);
	return c->ngroups;
}

int
pgconn_requests(const struct pgconn *c)
{
	OBJ_CHECK(c, PGCONN_MAGIC);
	return c->nreqs;
}

bool
pgconn_in_tx(const struct pgconn *c)
{
	PGTransactionStatusType s;

	OBJ_CHECK(c, PGCONN_MAGIC);
	s = PQtransactionStatus(c->pg);
	return s == PQTRANS_INTRANS || s == PQTRANS_INERROR;
}

bool
pgconn_tx_failed(const struct pgconn *c)
{
	OBJ_CHECK(c, PGCONN_MAGIC);
	return PQtransactionStatus(c->pg) == PQTRANS_INERROR;
}

int
pgconn_backend_pid(const struct pgconn *c)
{
	OBJ_CHECK(c, PGCONN_MAGIC);
	return PQbackendPID(c->pg);
}

const char *
pgconn_parameter(const struct pgconn *c, const char *name)
{
	OBJ_CHECK(c, PGCONN_MAGIC);
	return PQparameterStatus(c->pg, name);
}

/* ---- use and death ------------------------------------------------------ */

void
pgconn_pause(struct pgconn *c)
{
	OBJ_CHECK(c, PGCONN_MAGIC);
	c->paused = true;
	ev_io_stop(loop_ev(c->loop), &c->reader);
}

/* What libpq has read already will not wake the socket: look at once. */
void
pgconn_resume(struct pgconn *c)
{
	OBJ_CHECK(c, PGCONN_MAGIC);
	if (!c->paused)
		return;
	c->paused = false;
	if (c->state == PGCONN_DEAD)
		return;
	ev_io_start(loop_ev(c->loop), &c->reader);
	ev_feed_event(loop_ev(c->loop), &c->reader, EV_READ);
}

void
pgconn_forget(struct pgconn *c)
{
	OBJ_CHECK(c, PGCONN_MAGIC);
	LIST_EACH_SAFE (link, &c->lru)
		pgprep_retire_link(c, link);
}

void
pgconn_discard(struct pgconn *c)
{
	pgconn_forget(c);
	LIST_EACH_SAFE (link, &c->retired)
		pgprep_discard_link(c, link);
}

void
pgconn_free(struct pgconn **pc)
{
	struct pgconn *c;

	OBJ_TAKE(c, pc, PGCONN_MAGIC);
	stop_watchers(c);
	pgcancel_detach(c);
	pgread_drop_held(c);
	if (c->state != PGCONN_DEAD) {
		set_reason(c, LUNATE_ECLOSED, "the connection was closed");
		pgconn_enter(c, PGCONN_DEAD);
		pgcopy_lost(c);
		pggroup_lose_all(c);
	}
	pgprep_free_all(c);
	pgseal_free_all(c);
	PQfinish(c->pg);
	mem_free(c->items);
	OBJ_FINI(c);
	mem_free(c);
}

void
pgconn_verify(const struct pgconn *c)
{
	size_t syncs = 0, wanted = 0;

	OBJ_CHECK(c, PGCONN_MAGIC);
	for (unsigned i = 0; i < c->items_len; i++)
		syncs += c->items[(c->items_head + i) & (c->items_cap - 1)]
				 .kind == PGITEM_SYNC;
	LIST_EACH (link, &c->groups)
		wanted += list_count(
			&LIST_ENTRY(link, struct pggroup, link)->reqs);
	assert(syncs == (size_t)c->ngroups);
	assert(list_count(&c->groups) == (size_t)c->ngroups);
	assert(wanted == (size_t)c->nreqs);
	assert(c->state != PGCONN_DEAD || c->items_len == 0);
	assert(c->cancel == NULL || c->state == PGCONN_FENCED);
	assert(list_count(&c->lru) == (size_t)c->nprep);
}
