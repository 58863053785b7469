/* SPDX-License-Identifier: MIT
 *
 * op_int - what op.c, know.c and settle.c share.  No other file includes this.
 *
 *   op.c      the table of steps, from admit to answer
 *   know.c    from SQL text to facts, or a refusal
 *   isolate.c  whose rows it may touch
 *   settle.c  what an answer of the server means: done, again, or the end
 */
#ifndef OP_INT_H
#define OP_INT_H

#include "op.h"

/* What follows a step. */
enum next { NEXT, WAIT, AGAIN, END };

enum step_name {
	ADMIT,
	KNOW,
	ALLOW,
	SCOPE,
	TUNE,
	RECALL,
	ROUTE,
	LEASE,
	SEND,
	SETTLE,
	RECORD,
	ANSWER,
	STEPS
};

/* Runs the table from op->step on. */
void op_run(struct op *op);

/* Fill op->err and end it. */
enum next op_refuse(struct op *op, const struct err *e);
enum next op_refuse_code(struct op *op, enum err_code code, const char *text);

/* The know step. */
enum next op_know(struct op *op);

/* The scope step. */
enum next op_scope(struct op *op);

/* The settle step. */
enum next op_settle(struct op *op);

/* Fires when a retry may go out. */
void op_nap_over(struct loop_timer *t);

#endif
