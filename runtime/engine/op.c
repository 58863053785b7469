/* SPDX-License-Identifier: MIT */
#include "op.h"

#include "op_int.h"

#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "glass.h"
#include "egress_map.h"
#include "permit.h"
#include "scope.h"
#include "runtime.h"
#include "study.h"
#include "tx.h"

enum next
op_refuse(struct op *op, const struct err *e)
{
	assert(e->code != 0); /* it would be told that it was done */
	op->err = *e;
	return END;
}

enum next
op_refuse_code(struct op *op, enum err_code code, const char *text)
{
	err_set(&op->err, code, "%s", text);
	return END;
}

/* The text of an end from outside. */
static void
say_why(struct op *op, enum err_code code)
{
	if (code == LUNATE_EDEADLINE)
		err_set(&op->err, code,
			"the deadline passed %s; raise the timeout, or look at "
			"what the statement waits for",
			op->req.conn != NULL ? "while the statement ran"
			: op->in_pool	     ? "while waiting for a connection"
					     : "before the statement was sent");
	else
		err_set(&op->err, code, "the operation was cancelled");
	if (op->read || op->req.conn == NULL)
		return;
	if (!tx_undoes(op->tx, op->stmt))
		err_wrap(&op->err, "the write may or may not have happened");
}

/* ---- before the server -------------------------------------------------- */

/* Without a deadline of the caller the class still bounds everything: the
 * longest wait for a connection and the longest run of the statement.  What
 * may last (streams, scripts) has no such bound. */
static void
arm_deadline(struct op *op)
{
	const struct class_rules *c = &op->rules->classes[RULES_CRITICAL];
	int64_t left = op->w->rt->pool_rules.acquire_us + c->timeout_ms * 1000;

	if (op->deadline_us != 0)
		left = op->deadline_us - op->began_us;
	else if (op->tx != NULL && op->tx->mode == POOL_LONG)
		return;
	loop_timer_start(&op->timer, left);
}

/* The generation in force now holds for the whole operation. */
static enum next
admit(struct op *op)
{
	struct err e;

	op->rules = op_rules(op);
	op->began_us = loop_now_us(op->w->loop);
	if (op->deadline_us != 0 && op->deadline_us <= op->began_us) {
		say_why(op, LUNATE_EDEADLINE);
		return END;
	}
	arm_deadline(op);
	if (system_admit(op, &e) < 0)
		return op_refuse(op, &e);
	if (op->w->closing && op->tx == NULL)
		return op_refuse_code(op, LUNATE_ECLOSED,
				      "the runtime is closing; no new work");
	if (op->deadline_us != 0 && op->deadline_us <= op->began_us)
		return op_refuse_code(op, LUNATE_EDEADLINE,
				      "the deadline had passed before the "
				      "statement began; nothing was sent");
	return NEXT;
}

static enum next
tune(struct op *op)
{
	(void)op;
	return NEXT;
}

static enum next
recall(struct op *op)
{
	(void)op;
	return NEXT;
}

static void
catalog_ready(void *arg)
{
	struct op *op;

	OBJ_CAST(op, arg, OP_MAGIC);
	op_run(op);
}

/* A read is what the grammar calls read-only and whose functions the catalog
 * knows not to write.  What is in doubt is a write: alone, never retried. */
static enum next
route(struct op *op)
{
	const struct stmt *s = op->stmt;

	op->read = false;
	if ((s->flags & STMT_READS_ONLY) && !(s->flags & STMT_ALONE)) {
		if (op->tx == NULL && s->nfunctions > 0 &&
		    !catalog_loaded(op->w->catalog) && !op->asked) {
			op->asked = true; /* once; unknown is a write */
			catalog_wait(op->w->catalog, &op->wait, catalog_ready,
				     op);
			return WAIT;
		}
		op->read = catalog_pure(op->w->catalog, s);
	}
	if ((op->flags & OP_READ_ONLY) && !(s->flags & STMT_READS_ONLY))
		return op_refuse_code(op, LUNATE_EREADONLY,
				      "db:read only reads; use db:write or "
				      "db:transaction for changes");
	if (!op->cls_given)
		op->cls = (s->flags & STMT_READS_ONLY) ? RULES_READ
						       : RULES_WRITE;
	return NEXT;
}

/* ---- the connection ----------------------------------------------------- */

static void
on_refused(struct pool_job *job, const struct err *e)
{
	struct op *op = CONTAINER_OF(job, struct op, job);

	OBJ_CHECK(op, OP_MAGIC);
	op->in_pool = false;
	op->err = *e;
	op->step = RECORD;
	op_run(op);
}

static void
on_granted(struct pool_job *job, struct pool_member *m)
{
	struct op *op = CONTAINER_OF(job, struct op, job);

	OBJ_CHECK(op, OP_MAGIC);
	op->in_pool = false;
	op->tx->member = m;
	op->step = SEND;
	op_run(op);
}

static enum gate_priority
priority_of(const struct op *op)
{
	static const enum gate_priority by_class[RULES_CLASSES] = {
		GATE_NORMAL, GATE_HIGH, GATE_CRITICAL};

	return op->priority_given ? op->priority : by_class[op->cls];
}

static enum pool_mode
mode_of(const struct op *op)
{
	if (op->tx != NULL)
		return op->tx->mode;
	if ((op->flags & OP_READ_ONLY) && !op->read)
		return POOL_READ; /* what it calls might write: not here */
	if (op->cls == RULES_CRITICAL)
		return POOL_CRITICAL;
	return op->read && op->cls == RULES_READ ? POOL_READ : POOL_WRITE;
}

static enum pool_want
want_of(const struct op *op)
{
	if (op->tx != NULL)
		return POOL_LEASE;
	if (op->read && !op->solo && op->cls == RULES_READ &&
	    pace_of(&op->w->pace, op->stmt->fingerprint) == PACE_FAST)
		return POOL_SHARE;
	return POOL_SOLO;
}

static void on_answer(struct pgreq *r);
static void on_chunk(struct pgreq *r, struct rows *rows);
static void on_notice(struct pgreq *r, const char *text);

static void
fill_request(struct op *op)
{
	struct pgreq *r = &op->req;

	pgreq_init(r);
	r->sql = op->stmt->text;
	r->len = op->stmt->len;
	r->hash = op->stmt->hash;
	r->vals = op->vals;
	r->nvals = op->nvals;
	if (!(op->stmt->flags & STMT_NO_BLOCK)) /* VACUUM bears no company */
		r->context = op->context != NULL ? op->context->wire : NULL;
	if (op->rules->isolation.seal)
		r->seal = &op->w->rt->sealer.seal;
	r->audit = op->audit;
	r->prelude = op->prelude;
	r->max_bytes = op->max_bytes;
	r->done = on_answer;
	r->chunk = on_chunk;
	r->notice = op->notice != NULL ? on_notice : NULL;
	if (op->read && op->tx == NULL && !(op->flags & OP_STREAM))
		r->flags |= PGREQ_READ;
	if (op->flags & OP_STREAM)
		r->flags |= PGREQ_STREAM;
	if ((op->flags & OP_UNNAMED) || (op->stmt->flags & STMT_ALONE))
		r->flags |= PGREQ_UNNAMED;
}

/* After a failure the server takes nothing but a way back. */
static bool
too_late(const struct op *op, struct err *e)
{
	if (op->tx->state != TX_FAILED || op->tx->begin[0] == 0 ||
	    op->stmt->tx == STMT_TX_ROLLBACK ||
	    op->stmt->tx == STMT_TX_ROLLBACK_TO)
		return false;
	err_set(e, LUNATE_ETX,
		"a statement of this transaction failed before (%.300s); put "
		"what may fail into tx:transaction, a savepoint",
		op->tx->err.text);
	return true;
}

/* Inside a transaction the connection is there already, or is leased now. */
static enum next
lease(struct op *op)
{
	enum next n = op_still_open(op);
	struct err e;

	if (n != NEXT)
		return n;
	op->job.want = want_of(op);
	op->job.mode = mode_of(op);
	if (op->flags & OP_EXPLAIN)
		return END;
	fill_request(op);
	if (op->tx != NULL) {
		if (tx_ready(op->tx, &e) < 0 || too_late(op, &e))
			return op_refuse(op, &e);
		if (op->tx->member != NULL)
			return NEXT;
	}
	op->job.req = op->tx == NULL ? &op->req : NULL;
	op->job.site = op->tx != NULL ? op->tx->site : NULL;
	op->job.granted = on_granted;
	op->job.refused = on_refused;
	op->in_pool = true;
	op->step = op->tx == NULL ? SEND : LEASE;
	/* The caller's deadline is the operation's own timer: only one of the
	 * two clocks may say why it ended. */
	pool_submit(op->pool, &op->job, priority_of(op), 0);
	return WAIT;
}

/* A way back needs no context, and a failed transaction would not take it. */
static unsigned
flags_in_tx(const struct op *op)
{
	if (op->stmt->tx == STMT_TX_ROLLBACK ||
	    op->stmt->tx == STMT_TX_ROLLBACK_TO ||
	    tx_has_context(op->tx, op->context))
		return PGREQ_IN_TX;
	return PGREQ_IN_TX | PGREQ_NEW_CTX;
}

enum next
op_tx_lives(struct op *op)
{
	struct tx *t = op->tx;

	if (t == NULL || t->member == NULL ||
	    (pool_member_alive(t->member) &&
	     pgconn_state(pool_member_conn(t->member)) == PGCONN_READY))
		return NEXT;
	return op_refuse_code(op, LUNATE_ELOST,
			      "the connection of the transaction is gone; "
			      "nothing of it was committed");
}

/* Only inside a transaction or session; the pool sends all else itself. */
static enum next
send(struct op *op)
{
	struct tx *t = op->tx;
	struct pgreq *r = &op->req;

	if (t == NULL)
		return NEXT;
	if (op_tx_lives(op) != NEXT)
		return END;
	if (t->begin[0] != 0 && t->state == TX_FRESH)
		r->prelude = t->begin;
	else if (t->begin[0] != 0)
		r->flags |= flags_in_tx(op);
	tx_op_began(t, op);
	pool_member_send(t->member, r);
	op->step = SEND;
	return WAIT;
}

/* ---- after the server --------------------------------------------------- */

static void
on_answer(struct pgreq *r)
{
	struct op *op = CONTAINER_OF(r, struct op, req);

	OBJ_CHECK(op, OP_MAGIC);
	op->in_pool = false;
	op->step = SETTLE;
	op_run(op);
}

static void
on_chunk(struct pgreq *r, struct rows *rows)
{
	struct op *op = CONTAINER_OF(r, struct op, req);

	OBJ_CHECK(op, OP_MAGIC);
	if (op_chunk_leaves(op, &rows) < 0)
		return;
	op->chunk(op, rows);
}

static void
on_notice(struct pgreq *r, const char *text)
{
	struct op *op = CONTAINER_OF(r, struct op, req);

	OBJ_CHECK(op, OP_MAGIC);
	op->notice(op, text);
}

/* Inside a transaction DDL counts twice: for what follows in it, and at its
 * COMMIT for everybody else, who until then loaded the old schema. */
static void
note_schema(struct op *op)
{
	struct catalog *c = op->w->catalog;
	bool changed;

	if (op->err.code != 0)
		catalog_saw(c, &op->err);
	if (op->stmt == NULL)
		return;
	changed = (op->stmt->flags & STMT_CATALOG) ||
		  (op->tx != NULL && op->tx->ddl &&
		   op->stmt->tx == STMT_TX_COMMIT);
	if (changed && op->tx != NULL)
		op->tx->ddl = true;
	if (changed && (op->err.code == 0 || op->err.code == LUNATE_EINDOUBT))
		catalog_changed(c);
	if (op->stmt->kind == STMT_DO || op->stmt->kind == STMT_CALL)
		catalog_doubt(c);
}

static enum next
record(struct op *op)
{
	op->took_us = loop_now_us(op->w->loop) - op->began_us;
	if (op->flags & OP_EXPLAIN)
		return NEXT;
	runtime_count(op->w->rt, op);
	note_schema(op);
	if (op->tx != NULL)
		tx_op_ended(op->tx, op);
	return NEXT;
}

/* Last: the caller may free the operation. */
static enum next
answer(struct op *op)
{
	struct worker *w = op->w;

	loop_timer_stop(&op->timer);
	loop_timer_stop(&op->nap);
	list_remove(&op->link);
	w->nops--;
	__atomic_sub_fetch(&w->queued, 1, __ATOMIC_RELAXED);
	if (op->err.code != 0 && op->rows != NULL)
		rows_unpin(&op->rows);
	op->done(op);
	return WAIT;
}

static const struct {
	const char *name;
	enum next (*run)(struct op *op);
} steps[STEPS] = {
	[ADMIT] = {"admit", admit},    [KNOW] = {"know", op_know},
	[ALLOW] = {"allow", op_allow}, [SCOPE] = {"scope", op_scope},
	[TUNE] = {"tune", tune},       [RECALL] = {"recall", recall},
	[ROUTE] = {"route", route},    [LEASE] = {"lease", lease},
	[SEND] = {"send", send},       [SETTLE] = {"settle", op_settle},
	[RECORD] = {"record", record}, [ANSWER] = {"answer", answer},
};

/* A refusal goes on to record; from record on there is no other way. */
void
op_run(struct op *op)
{
	for (;;) {
		enum next n = steps[op->step].run(op);

		if (n == WAIT)
			return;
		if (n == NEXT)
			op->step++;
		else if (n == AGAIN)
			op->step = LEASE;
		else
			op->step = RECORD;
		if (op->step == RECORD && op->starting) {
			loop_defer(op->w->loop, LOOP_TASKS, &op->next);
			return;
		}
	}
}

/* Ends it from outside the table. */
static void
finish(struct op *op)
{
	op->step = RECORD;
	loop_defer(op->w->loop, LOOP_TASKS, &op->next);
}

static void
run_next(struct loop_job *job)
{
	struct op *op = CONTAINER_OF(job, struct op, next);

	OBJ_CHECK(op, OP_MAGIC);
	op->starting = false;
	op_run(op);
}

static void
on_deadline(struct loop_timer *t)
{
	op_cancel(CONTAINER_OF(t, struct op, timer), LUNATE_EDEADLINE);
}

void
op_init(struct op *op, struct worker *w)
{
	memset(op, 0, offsetof(struct op, err));
	err_clear(&op->err);
	op->req.conn = NULL;
	op->many = NULL;
	OBJ_INIT(op, OP_MAGIC);
	list_init(&op->link);
	op->w = w;
	op->affected = -1;
	op->max_bytes = w->rt->max_result_bytes;
	loop_job_init(&op->next, run_next);
	catalog_wait_init(&op->wait);
	barrier_wait_init(&op->bwait);
	loop_timer_init(&op->timer, w->loop, on_deadline);
	loop_timer_init(&op->nap, w->loop, op_nap_over);
}

void
op_start(struct op *op)
{
	OBJ_CHECK(op, OP_MAGIC);
	/* Outside of a turn, or after a long computation, the loop's time is
	 * that of long ago, and every deadline would be too early. */
	loop_freshen(op->w->loop);
	list_push_back(&op->w->ops, &op->link);
	op->w->nops++;
	__atomic_add_fetch(&op->w->queued, 1, __ATOMIC_RELAXED);
	op->starting = true;
	op->step = ADMIT;
	op_run(op);
	op->starting = list_linked(&op->next.link);
}

static void
let_go(struct op *op)
{
	catalog_unwait(&op->wait);
	barrier_unwait(&op->bwait);
	study_drop(&op->study);
	glass_drop(&op->glass);
	loop_timer_stop(&op->nap);
	if (op->in_pool && pool_withdraw(op->pool, &op->job))
		op->in_pool = false;
	else if (op->req.conn != NULL)
		pgconn_abandon(&op->req);
}

void
op_cancel(struct op *op, enum err_code code)
{
	OBJ_CHECK(op, OP_MAGIC);
	if (!list_linked(&op->link) || op->step >= RECORD)
		return;
	say_why(op, code);
	let_go(op);
	finish(op);
}

bool
op_interrupt(struct op *op)
{
	OBJ_CHECK(op, OP_MAGIC);
	if (!list_linked(&op->link) || op->step >= RECORD)
		return true;
	op->interrupted = true;
	if (op->req.conn != NULL)
		return pgconn_cancel(&op->req);
	op_cancel(op, LUNATE_ECANCELLED);
	return true;
}

void
op_end_now(struct op *op, const struct err *why)
{
	OBJ_CHECK(op, OP_MAGIC);
	if (op->step < RECORD) {
		op->err = *why;
		let_go(op);
		op->step = RECORD;
	}
	loop_undefer(&op->next);
	op->starting = false;
	op_run(op);
}

void
op_fini(struct op *op)
{
	OBJ_CHECK(op, OP_MAGIC);
	assert(!list_linked(&op->link));
	loop_undefer(&op->next);
	if (op->stmt != NULL)
		stmt_unpin(&op->stmt);
	if (op->rules != NULL)
		rules_unpin(&op->rules);
	if (op->rows != NULL)
		rows_unpin(&op->rows);
	if (op->scoped != NULL)
		scoped_unpin(&op->scoped);
	if (op->permit != NULL)
		permit_unpin(&op->permit);
	if (op->snapshot != NULL)
		catalog_snapshot_unpin(&op->snapshot);
	if (op->egress != NULL)
		egress_map_unpin(&op->egress);
	mem_free(op->many);
	context_unpin(&op->context);
	OBJ_FINI(op);
}
