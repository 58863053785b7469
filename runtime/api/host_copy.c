/* SPDX-License-Identifier: MIT
 *
 * COPY of a host: the caller's thread reads or writes, the worker's holds the
 * connection.
 *
 *   caller   begin -> [ready] -> put / take -> [ready] -> ... -> finish
 *   worker      lease, COPY         bytes           last result
 *
 * Each step is the same errand sent once more; between two steps the COPY
 * belongs to the caller, who blocks in the meantime.
 */
#include <string.h>

#include "ask.h"
#include "host.h"
#include "host_tx.h"
#include "mem.h"
#include "pgcopy.h"
#include "sized.h"
#include "stmt.h"
#include "who.h"

#define PIECE 262144

enum step { BEGIN, PUT, END, TAKE, GIVE_UP, COMMIT };

struct hcopy {
	struct errand q; /* the present step */
	struct held held;
	struct pgcopy io;
	struct loop_timer timer; /* deadline */
	struct lunate_tx *tx;
	struct ask *ask; /* a statement of the session that runs, or NULL */
	bool own;	 /* the session is ours */
	bool started, timing, waiting, complete;
	enum step step;
	const char *bytes; /* PUT: of the caller, who waits */
	size_t len;
	struct str taken; /* TAKE: what came */
	const char *sql;
	int64_t deadline_us;
};

/* ---- on the worker ----------------------------------------------------- */

static void
end_step(struct hcopy *k)
{
	k->waiting = false;
	errand_end(&k->q);
}

static void
end_when_ready(struct hcopy *k)
{
	if (!k->waiting || !pgcopy_ready(&k->io))
		return;
	if (k->io.out.len > 0) { /* the caller's from here on */
		k->taken = k->io.out;
		str_init(&k->io.out);
		pgcopy_taken(&k->io);
	}
	end_step(k);
}

static void
on_wake(struct pgcopy *io)
{
	end_when_ready(CONTAINER_OF(io, struct hcopy, io));
}

static void
abort_copy(struct hcopy *k, enum err_code code, const char *why)
{
	if (k->ask != NULL)
		op_cancel(&k->ask->op, code);
	else if (k->started && k->io.state != PGCOPY_DONE)
		pgcopy_abort(&k->io, code, why);
	end_when_ready(k);
}

static void
on_deadline(struct loop_timer *t)
{
	abort_copy(CONTAINER_OF(t, struct hcopy, timer), LUNATE_EDEADLINE,
		   "the deadline passed during COPY");
}

/* The session is connected, and in its transaction when it has one. */
static void
start_copy(struct hcopy *k)
{
	struct tx *t = host_tx_inner(k->tx);
	const struct context *c = who_peek(host_tx_context(k->tx));

	if (op_copy_allowed(t->w, c, &k->q.err) < 0 ||
	    tx_copy_ready(t, c, &k->q.err) < 0) {
		end_step(k);
		return;
	}
	k->started = true;
	k->io.wake = on_wake;
	pgcopy_start(&k->io, pool_member_conn(t->member), k->sql);
	end_when_ready(k);
}

/* A statement of ours in the session has ended. */
static bool
leased(struct ask *a)
{
	struct hcopy *k = a->q.arg;
	struct err why = a->q.err;
	bool begun = k->step == BEGIN && why.code == 0;

	k->ask = NULL;
	ask_free(a);
	if (begun) {
		start_copy(k);
		return false;
	}
	k->q.err = why;
	end_step(k);
	return false;
}

/* Ends in leased(); its errand is never sent. */
static void
run_control(struct hcopy *k, const char *sql)
{
	k->ask = ask_control(k->tx, sql);
	k->ask->q.arg = k;
	k->ask->ended = leased;
	op_start(&k->ask->op);
}

static void
begin(struct hcopy *k)
{
	host_tx_attach(k->tx);
	list_push_front(&k->q.hw->held, &k->held.link);
	if (k->deadline_us != 0) {
		loop_refresh(k->q.hw->loop);
		loop_timer_init(&k->timer, k->q.hw->loop, on_deadline);
		loop_timer_start(&k->timer,
				 k->deadline_us - loop_now_us(k->q.hw->loop));
		k->timing = true;
	}
	run_control(k, "SELECT 1");
}

static void
run_step(struct errand *q)
{
	struct hcopy *k = CONTAINER_OF(q, struct hcopy, q);

	k->waiting = true;
	switch (k->step) {
	case BEGIN:
		begin(k);
		return;
	case PUT:
		if (k->io.state == PGCOPY_IN)
			pgcopy_put(&k->io, k->bytes, k->len);
		break;
	case END:
		k->complete = k->io.state == PGCOPY_IN;
		if (k->complete)
			pgcopy_end(&k->io, NULL);
		break;
	case TAKE:
		break;
	case GIVE_UP:
		if (k->io.state == PGCOPY_IN)
			pgcopy_end(&k->io, "the host gave the COPY up");
		else
			abort_copy(k, LUNATE_ECANCELLED,
				   "the host gave the COPY up");
		break;
	case COMMIT:
		run_control(k, "COMMIT");
		return;
	}
	end_when_ready(k);
}

/* The last errand: the connection goes back. */
static void
run_leave(struct errand *q)
{
	struct hcopy *k = CONTAINER_OF(q, struct hcopy, q);

	if (k->timing)
		loop_timer_stop(&k->timer);
	if (k->started && k->io.state != PGCOPY_DONE)
		pgcopy_abort(&k->io, LUNATE_ECANCELLED, "COPY was given up");
	if (k->started && k->io.err.code != 0)
		tx_failed(host_tx_inner(k->tx), &k->io.err);
	if (k->started)
		pgcopy_fini(&k->io);
	k->started = false;
	list_remove(&k->held.link);
	if (k->own)
		host_tx_detach(k->tx);
	errand_end(q);
}

static void
stop_held(struct held *h)
{
	struct hcopy *k = CONTAINER_OF(h, struct hcopy, held);

	if (k->timing)
		loop_timer_stop(&k->timer);
	k->timing = false;
	abort_copy(k, LUNATE_ECLOSED, "the runtime was closed");
}

/* Nobody is left who could run the last errand. */
static void
forget_held(struct held *h)
{
	struct hcopy *k = CONTAINER_OF(h, struct hcopy, held);

	if (k->started)
		pgcopy_fini(&k->io);
	k->started = false;
}

/* ---- on the caller's thread -------------------------------------------- */

/* LUNATE_ECLOSED: the runtime has ended, and the COPY with it. */
static int
step(struct hcopy *k, enum step s, struct err *e)
{
	if (host_enter(k->q.hw->host, e) < 0)
		return e->code;
	k->step = s;
	err_clear(&k->q.err);
	if (errand_wait(&k->q) < 0)
		*e = k->q.err;
	return k->q.err.code;
}

static int
feed(struct hcopy *k, struct lunate_copy *c, struct err *e)
{
	char *piece = mem_new(PIECE);
	int64_t n = 0;
	int rc = 0;

	k->bytes = piece;
	while (rc == 0 && k->io.state == PGCOPY_IN) {
		n = c->read(c->arg, piece, PIECE);
		assert(n <= PIECE);
		k->len = n > 0 ? (size_t)n : 0;
		rc = step(k, n > 0 ? PUT : n == 0 ? END : GIVE_UP, e);
	}
	mem_wipe(piece, PIECE);
	mem_free(piece);
	if (rc == 0 && n < 0)
		return err_set(e, LUNATE_ECANCELLED, "read() gave the COPY up");
	return rc;
}

static int
drain(struct hcopy *k, struct lunate_copy *c, struct err *e)
{
	int rc = 0, no = 0;

	while (rc == 0 && no == 0 &&
	       (k->taken.len > 0 || k->io.state == PGCOPY_OUT)) {
		if (k->taken.len > 0)
			no = c->write(c->arg, k->taken.at, k->taken.len);
		str_fini(&k->taken);
		str_init(&k->taken);
		rc = step(k, no == 0 ? TAKE : GIVE_UP, e);
	}
	if (rc == 0 && no != 0)
		return err_set(e, LUNATE_ECANCELLED,
			       "write() gave the COPY up");
	return rc;
}

/* What the server said, once there is nothing left to move. */
static int
verdict(struct hcopy *k, struct lunate_copy *c, struct err *e)
{
	*e = k->io.err;
	tx_copy_doubt(host_tx_inner(k->tx), k->complete, e);
	c->rows = k->io.affected;
	if (e->code < 0 || !k->own || host_tx_inner(k->tx)->begin[0] == 0)
		return e->code;
	return step(k, COMMIT, e);
}

static int
move(struct hcopy *k, struct lunate_copy *c, struct err *e)
{
	int rc;

	if (step(k, BEGIN, e) < 0)
		return e->code;
	if (k->io.state == PGCOPY_IN && c->read == NULL)
		rc = err_set(e, LUNATE_EINVAL,
			     "COPY ... FROM STDIN needs a read()");
	else if ((k->io.state == PGCOPY_OUT || k->taken.len > 0) &&
		 c->write == NULL)
		rc = err_set(e, LUNATE_EINVAL,
			     "COPY ... TO STDOUT needs a write()");
	else
		rc = k->io.state == PGCOPY_IN ? feed(k, c, e) : drain(k, c, e);
	return rc < 0 ? rc : verdict(k, c, e);
}

static void
leave(struct hcopy *k)
{
	struct err closed;

	k->q.run = run_leave;
	if (host_enter(k->q.hw->host, &closed) == 0)
		(void)!errand_wait(&k->q);
	host_tx_unpin(&k->tx);
	str_fini(&k->taken);
	mem_free(k);
}

/* ---- asked for --------------------------------------------------------- */

static int
check(const struct lunate_copy *c, struct err *e)
{
	if (c->sql == NULL)
		return err_set(e, LUNATE_EINVAL, "COPY needs its SQL text");
	if (!(c->timeout >= 0))
		return err_set(e, LUNATE_EINVAL,
			       "a timeout is a number of seconds from 0");
	return tx_copy_text(c->sql, strlen(c->sql), e);
}

/* The transaction of the call, or a session of our own; with a context a
 * transaction of our own, since a context holds for one. */
static struct lunate_tx *
session(struct lunate *db, const struct lunate_copy *call, struct err *e)
{
	const struct tx_options o = {.session = call->context == NULL,
				     .mode = POOL_LONG,
				     .site = "C host: COPY"};

	if (call->tx != NULL)
		return host_tx_pin(call->tx);
	return host_tx_new(host_choose(db), &o, call->context, e);
}

static struct hcopy *
new_copy(struct lunate *db, const struct lunate_copy *call, struct err *e)
{
	struct lunate_tx *tx = session(db, call, e);
	struct hcopy *k;

	if (tx == NULL)
		return NULL;
	k = mem_new(sizeof(*k));
	errand_init(&k->q, host_tx_worker(tx));
	k->q.run = run_step;
	k->tx = tx;
	k->own = call->tx == NULL;
	k->sql = call->sql;
	k->deadline_us = ask_deadline(call->timeout);
	str_init(&k->taken);
	list_init(&k->held.link);
	k->held.stop = stop_held;
	k->held.forget = forget_held;
	return k;
}

int
lunate_copy_run(struct lunate *db, struct lunate_copy *given,
		struct lunate_error *e)
{
	struct lunate_copy own, *c = &own;
	const struct sized s = {
		c, sizeof(*c), given,
		"struct lunate_copy; begin with lunate_copy_of()"};
	struct hcopy *k;
	struct err why;
	int rc;

	if (host_here() != NULL)
		return error_say(e, LUNATE_EINVAL,
				 "a COPY waits, and was asked for on a "
				 "worker's thread");
	if (sized_take(&s, &why) < 0 || check(c, &why) < 0 ||
	    host_enter(db, &why) < 0)
		return error_fill(e, &why);
	k = new_copy(db, c, &why);
	host_exit(db);
	if (k == NULL)
		return error_fill(e, &why);
	rc = move(k, c, &why);
	given->rows = c->rows;
	leave(k);
	return rc < 0 ? error_fill(e, &why) : 0;
}
