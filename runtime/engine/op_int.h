/* SPDX-License-Identifier: MIT
 *
 * op_int - what op.c and settle.c share.  No other file includes this.
 *
 *   op.c      the table of steps, from admit to answer
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

/* The settle step. */
enum next op_settle(struct op *op);

/* Fires when a retry may go out. */
void op_nap_over(struct loop_timer *t);

#endif
