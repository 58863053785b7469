/* SPDX-License-Identifier: MIT
 *
 * op_int - what op.c, know.c and settle.c share.  No other file includes this.
 *
 *   op.c      the table of steps, from admit to answer
 *   know.c    from SQL text to facts, or a refusal
 *   allow.c   may whoever asks do this?
 *   isolate.c  whose rows it may touch
 *   leave.c   the last look at rows and errors
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

/* The allow step. */
enum next op_allow(struct op *op);

/* The scope step. */
enum next op_scope(struct op *op);

/* END: it runs in a transaction whose connection died.  Asked before it waits
 * for what needs a connection: that may be the one it still holds. */
enum next op_tx_lives(struct op *op);

/* ---- isolate.c, for op.c and allow.c too */

/* The generation it obeys, pinned: that in force; or, while the database has
 * not answered what that one asks, the one its transaction went by so far.  A
 * transaction waits for no question that may need its connection. */
struct rules *op_rules(struct op *op);

/* Nobody's rows: isolation is off, or it is ours, or as system. */
bool op_is_free(const struct op *op);

/* Before a statement is sent: behind a connection that was made since it was
 * scoped there may be another server, which keeps something else. */
enum next op_still_open(struct op *op);

/* op->snapshot, pinned: the schema.  Waits until it is known and refuses
 * without one; a transaction that has its connection goes by what it knew. */
enum next op_need_catalog(struct op *op);

/* Where a cursor's query begins in the text that lunate built; 0: no cursor. */
size_t op_cursor_head(const struct op *op);

/* The statement to scope: the whole, or a cursor's query; pinned. */
MUST_USE
int op_inner(struct op *op, size_t head, struct stmt **out, struct err *e);

/* A name that a rule knows and the snapshot does not may be new. */
void op_doubt(struct op *op, const struct err *e);
/* What leaves: the map of tenant columns, pinned for op->egress. */
void op_look_out(struct op *op);

/* May op->rows, or a part of its stream, be given out?  LUNATE_EDENIED in
 * op->err: no, and it was told; a part is gone. */
MUST_USE
int op_rows_leave(struct op *op);
MUST_USE
int op_chunk_leaves(struct op *op, struct rows **rows);

/* Makes of op->err what a tenant may read. */
void op_error_leaves(struct op *op);

/* Where the clock can be trusted; else EXPR_NO_CLOCK. */
int64_t op_now_s(const struct op *op);

/* Beside the operation: what was decided of the statement (op->err, permit,
 * scoped) is remembered, and a shadow decides it too; closed or NULL. */
void op_decided(struct op *op, struct stmt *stmt, struct closed *closed);

/* The settle step. */
enum next op_settle(struct op *op);

/* Fires when a retry may go out. */
void op_nap_over(struct loop_timer *t);

#endif
