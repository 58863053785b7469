/* SPDX-License-Identifier: MIT
 *
 * The know step: from SQL text to facts, and what does not get past them.
 */
#include "op_int.h"

#include "runtime.h"
#include "study.h"
#include "tx.h"

const char *
op_never(const struct stmt *s)
{
	if (s->kind == STMT_COPY)
		return "COPY goes through db:copy_in or db:copy_out "
		       "(lunate_copy_run)";
	if (s->tx != STMT_TX_NONE)
		return "transaction control goes through db:transaction "
		       "(lunate_begin)";
	return NULL;
}

/* Statements that a shared connection must not see. */
static const char *
unfit(const struct op *op)
{
	const struct stmt *s = op->stmt;

	if (op->flags & OP_INTERNAL)
		return NULL; /* ours, or db:script on its own session */
	if (op_never(s) != NULL)
		return op_never(s);
	if ((s->flags & STMT_SESSION) && op->tx == NULL)
		return "the statement changes or needs the state of a session, "
		       "and connections are shared; run it in db:transaction "
		       "(SET LOCAL, pg_advisory_xact_lock) or db:script";
	if ((s->flags & STMT_NO_BLOCK) && op->tx != NULL &&
	    op->tx->begin[0] != 0)
		return "the server does not run this statement inside a "
		       "transaction; call it on db";
	return NULL;
}

static void
on_studied(void *arg, struct stmt *stmt, const struct err *e)
{
	struct op *op;

	OBJ_CAST(op, arg, OP_MAGIC);
	op->study = NULL;
	op->stmt = stmt;
	if (stmt == NULL) {
		op->err = *e;
		op->step = RECORD;
	}
	op_run(op);
}

/* The facts of the text: at once when they are known or soon found. */
static enum next
read_text(struct op *op)
{
	struct study_ask ask = {op->w->rt->crew, op->w->loop, op->sql,
				op->len,	 on_studied,  op};
	struct err e;

	if (op->len >= STUDY_LEN) {
		op->stmt = stmt_recall(op->sql, op->len);
		if (op->stmt != NULL)
			return NEXT;
		op->study = study_start(&ask);
		return WAIT;
	}
	return stmt_get(op->sql, op->len, &op->stmt, &e) < 0 ? op_refuse(op, &e)
							     : NEXT;
}

enum next
op_know(struct op *op)
{
	const char *why;
	struct err e;

	if (op->stmt == NULL) {
		enum next n = read_text(op);

		if (n != NEXT)
			return n;
	}
	why = unfit(op);
	if (why != NULL)
		return op_refuse_code(op, LUNATE_EUNSUPPORTED, why);
	if ((int)op->stmt->nparams != op->nvals && !(op->flags & OP_EXPLAIN)) {
		err_set(&e, LUNATE_EPARAM,
			"the statement has %u parameter%s, %d %s given",
			op->stmt->nparams, op->stmt->nparams == 1 ? "" : "s",
			op->nvals, op->nvals == 1 ? "was" : "were");
		return op_refuse(op, &e);
	}
	if (op->tx != NULL && (op->stmt->flags & STMT_SESSION) &&
	    !(op->flags & OP_INTERNAL))
		op->tx->dirty = true;
	return NEXT;
}
