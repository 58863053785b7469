/* SPDX-License-Identifier: MIT
 *
 * The last look at what an operation gives out: rows, and the text of its
 * error (guard/egress.h).
 *
 * A row of somebody else means that every layer before has failed: nothing of
 * the answer is given out (of a stream, nothing more), the connection that
 * brought it ends, and it is told (event isolation.breach).
 *
 * Faults, where the rules show details of errors: "isolation.egress" (rows are
 * not looked at), "isolation.errors" (errors stay as the server made them).
 */
#include "op_int.h"

#include "egress_map.h"
#include "fault.h"
#include "notes.h"
#include "refusal.h"
#include "runtime.h"

static bool
off(const struct op *op, const char *layer)
{
	return op->rules->isolation.show_detail && FAULT_POINT(layer);
}

void
op_look_out(struct op *op)
{
	struct egress_map *m = NULL;

	if (op->rules->isolation.state == ISOLATION_ON)
		m = barrier_egress(op->w->barrier, op->rules);
	if (op->egress == m)
		return;
	if (op->egress != NULL)
		egress_map_unpin(&op->egress);
	op->egress = m != NULL ? egress_map_pin(m) : NULL;
}

/* ---- rows --------------------------------------------------------------- */

/* While the schema was never known, nothing of a table can have been asked. */
static int
unknown_leave(const struct op *op, const struct rows *rows, struct err *e)
{
	const struct shape *s = rows_shape(rows);

	for (int i = 0; i < s->ncols; i++)
		if (s->cols[i].table != 0 &&
		    op->rules->isolation.state == ISOLATION_ON)
			return refuse(e, REFUSE_TENANT,
				      "nobody knows whose the rows of the "
				      "result are; they were withheld");
	return 0;
}

static int
look(struct op *op, const struct rows *rows, struct err *e)
{
	if (off(op, "isolation.egress"))
		return 0;
	if (op->egress == NULL)
		return unknown_leave(op, rows, e);
	return egress_rows(&op->egress->rules, op->context, rows, e);
}

static int
breach(struct op *op, struct pgconn *from, const struct err *e)
{
	op->breached = true;
	op->err = *e;
	if (from != NULL)
		pgconn_breach(from);
	notes_breach(op->w, op);
	return e->code;
}

int
op_rows_leave(struct op *op)
{
	struct err e;

	if (!op->bound || op->rows == NULL || look(op, op->rows, &e) == 0)
		return 0;
	return breach(op, op->req.from, &e);
}

int
op_chunk_leaves(struct op *op, struct rows **rows)
{
	struct err e;

	if (!op->bound)
		return 0;
	if (!op->breached) {
		if (look(op, *rows, &e) == 0)
			return 0;
		(void)breach(op, op->req.conn, &e);
	}
	rows_unpin(rows);
	return LUNATE_EDENIED;
}

/* ---- errors ------------------------------------------------------------- */

void
op_error_leaves(struct op *op)
{
	const struct isolation_rules *i = &op->rules->isolation;
	const struct egress_rules strict = {.show = i->show_detail};

	if (!op->bound || op->err.sqlstate[0] == 0 ||
	    off(op, "isolation.errors"))
		return;
	egress_error(op->egress != NULL ? &op->egress->rules : &strict,
		     &op->err);
}
