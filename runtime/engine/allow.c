/* SPDX-License-Identifier: MIT
 *
 * The allow step: may whoever asks do this, and with which rows and columns?
 *
 * Always true: with access rules in force nothing but our own transaction
 *              control and what runs as system passes without a permit.  Work
 *              as system is a capability that was given when the runtime was
 *              opened; it is nobody's role, so no rule is about it.
 */
#include "op_int.h"

#include "notes.h"
#include "permit.h"
#include "runtime.h"

/* A clock that was never set would open every window of hours at random. */
#define CLOCK_LEAST 1700000000 /* November 2023 */

static int64_t
now_s(const struct op *op)
{
	int64_t s = loop_wall_us(op->w->loop) / 1000000;

	return s < CLOCK_LEAST ? EXPR_NO_CLOCK : s;
}

static enum next
decide(struct op *op)
{
	struct permit_ask ask = {.rules = op->rules,
				 .snapshot = catalog_current(op->w->catalog),
				 .scope = op->w->scope,
				 .context = op->context,
				 .now_s = now_s(op)};
	struct err e;

	if (op_inner(op, op_cursor_head(op), &ask.stmt, &e) < 0)
		return op_refuse(op, &e);
	op->permit = permits_get(op->w->permits, &ask);
	stmt_unpin(&ask.stmt);
	if (op->permit->fault != NULL && !op->permit->told) {
		op->permit->told = true;
		notes_access_fault(op->w, op->permit->fault);
	}
	if (op->permit->err.code == 0)
		return NEXT;
	op_doubt(op, &op->permit->err);
	return op_refuse(op, &op->permit->err);
}

enum next
op_allow(struct op *op)
{
	enum next n;

	if (op_is_free(op) || op->rules->access == NULL)
		return NEXT;
	n = op_need_catalog(op);
	return n == NEXT ? decide(op) : n;
}
