/* SPDX-License-Identifier: MIT
 *
 * What an answer of the server means.  Decided by SQLSTATE and by what was
 * sent, never by the text of a message.
 */
#include "op_int.h"

#include <string.h>

#include "runtime.h"
#include "tx.h"
#include "verdict.h"

void
op_nap_over(struct loop_timer *t)
{
	struct op *op = CONTAINER_OF(t, struct op, nap);

	OBJ_CHECK(op, OP_MAGIC);
	op->step = LEASE;
	op_run(op);
}

/* Full jitter: anything up to base * 2^attempt. */
static enum next
nap(struct op *op)
{
	const struct retry_rules *r = &op->rules->retry;
	int64_t top = r->base_ms << (op->attempts < 8 ? op->attempts : 8);

	if (top > r->cap_ms)
		top = r->cap_ms;
	loop_timer_start(&op->nap,
			 (int64_t)worker_random(op->w, (uint64_t)top * 1000));
	return WAIT;
}

/* What may commit by itself (CALL, DO) may have happened in part, however it
 * ended: it is never repeated. */
static bool
may_retry(struct op *op)
{
	return op->tx == NULL && !(op->stmt->flags & STMT_ALONE) &&
	       !op->w->closing && op->attempts <= verdict_retries(op);
}

/* The server's own limit, or somebody with pg_cancel_backend(): told apart by
 * how long the statement ran. */
static void
settle_cancelled(struct op *op)
{
	int64_t limit = op->rules->classes[op->cls].timeout_ms * 1000;
	int64_t ran = loop_now_us(op->w->loop) - op->req.sent_us;

	if (op->interrupted) {
		op->err.code = LUNATE_ECANCELLED;
		return;
	}
	if (ran < limit - limit / 10) {
		op->err.code = LUNATE_ECANCELLED;
		err_wrap(&op->err, "cancelled on the server by somebody else");
		return;
	}
	op->err.code = LUNATE_EDEADLINE;
	err_wrap(&op->err, "statement timeout of its class passed");
}

/* A write on a lane that only reads: nothing has happened, so it goes out
 * again as what it is. */
static enum next
settle_failed(struct op *op)
{
	const struct err *e = &op->req.err;

	if (e->code == LUNATE_EREADONLY && op->tx == NULL && op->read &&
	    !(op->flags & OP_READ_ONLY)) {
		op->read = false;
		op->cls = op->cls_given ? op->cls : RULES_WRITE;
		return AGAIN;
	}
	if (e->code == LUNATE_ECONFLICT && may_retry(op))
		return nap(op);
	op->err = *e;
	if (e->code == LUNATE_ETOOBIG && !op->read &&
	    !tx_undoes(op->tx, op->stmt)) /* the cancel may come too late */
		err_wrap(&op->err, "the write may or may not have happened");
	if (strcmp(e->sqlstate, "57014") == 0)
		settle_cancelled(op);
	return END;
}

static enum next
settle_lost(struct op *op)
{
	const struct pgreq *r = &op->req;
	bool nothing_done = op->read ||
			    !(r->maybe_ran || (op->stmt->flags & STMT_ALONE));

	op->solo = true;
	barrier_lost(op->w->barrier); /* the pool tells it later */
	if (nothing_done && may_retry(op))
		return AGAIN;
	op->err = r->err;
	op->err.code = nothing_done ? LUNATE_ELOST : LUNATE_EINDOUBT;
	if (tx_undoes(op->tx, op->stmt))
		op->err.code = LUNATE_ELOST; /* without COMMIT: rolled back */
	if (op->err.code == LUNATE_EINDOUBT)
		err_wrap(&op->err,
			 "the connection was lost after the write was sent: it "
			 "may or may not have happened; look before you repeat "
			 "it");
	return END;
}

/* The server never ran it, and where it stood nothing is broken: outside, or
 * in a session that is in no transaction of its own. */
static bool
may_run_again(struct op *op)
{
	struct tx *t = op->tx;

	if (op->attempts >= 20)
		return false;
	if (t == NULL)
		return true;
	if (t->begin[0] != 0 || t->state == TX_CLOSED ||
	    pgconn_in_tx(pool_member_conn(t->member)))
		return false;
	t->op = NULL; /* as if it had not been sent */
	return true;
}

/* A transaction that had failed is rolled back by COMMIT, which the server
 * calls a success.  Nobody here may. */
static enum next
settle_done(struct op *op)
{
	const struct pgreq *r = &op->req;

	op->rows = r->rows;
	op->affected = r->affected;
	pace_saw(&op->w->pace, op->stmt->fingerprint, r->ran_us);
	if (op->tx == NULL && op->job.want == POOL_SHARE)
		pool_saw(op->pool, r->ran_us);
	if (op_rows_leave(op) < 0)
		return END;
	if (op->stmt->tx != STMT_TX_COMMIT || strcmp(r->tag, "ROLLBACK") != 0)
		return NEXT;
	err_set(&op->err, LUNATE_ETX,
		"a statement of this transaction had failed, so COMMIT rolled "
		"it back; nothing of it happened");
	return END;
}

static enum next
settle(struct op *op)
{
	switch (op->req.fate) {
	case PGREQ_DONE:
		return settle_done(op);
	case PGREQ_FAILED:
		return settle_failed(op);
	case PGREQ_NOT_RUN:
		catalog_saw(op->w->catalog, &op->req.err);
		if (may_run_again(op)) {
			op->solo = op->attempts > 2;
			return AGAIN;
		}
		op->err = op->req.err;
		if (op->err.code == 0)
			err_set(&op->err, LUNATE_ELOST,
				"the statement was "
				"never run");
		return END;
	case PGREQ_LOST:
		return settle_lost(op);
	case PGREQ_PENDING:
		break;
	}
	obj_panic(__FILE__, __LINE__, "a request ended without a fate");
}

/* A stream of which a part was withheld has its error already. */
enum next
op_settle(struct op *op)
{
	enum next n;

	op->attempts++;
	if (op->breached) {
		op->rows = op->req.fate == PGREQ_DONE ? op->req.rows : NULL;
		return END;
	}
	n = settle(op);
	if (op->err.code != 0)
		op_error_leaves(op);
	return n;
}
