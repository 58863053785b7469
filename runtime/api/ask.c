/* SPDX-License-Identifier: MIT */
#include "ask.h"

#include <string.h>

#include "host.h"
#include "host_rows.h"
#include "host_tx.h"
#include "number.h"
#include "sized.h"
#include "task.h"
#include "who.h"

#define NVALUES_MAX 65535

struct lunate_statement {
	unsigned magic;
#define STATEMENT_MAGIC 0x57a7e3e2
	struct stmt *stmt;
};

/* ---- values ------------------------------------------------------------ */

static int
take_bytes(struct arena *a, const struct lunate_value *v, bool copy,
	   struct pgval *out)
{
	char *to;

	out->at = v->as.text;
	out->len = (int)v->len;
	/* The server takes text by its length, libpq by its 0. */
	if (!copy && v->type == LUNATE_BYTES)
		return 0;
	to = arena_try(a, v->len + 1);
	if (to == NULL)
		return LUNATE_ENOMEM;
	memcpy(to, v->as.text, v->len);
	out->at = to;
	return 0;
}

static int
take_number(struct arena *a, const struct lunate_value *v, struct pgval *out)
{
	char text[NUMBER_ROOM];
	size_t len = 1;

	if (v->type == LUNATE_BOOL)
		text[0] = v->as.integer != 0 ? 't' : 'f';
	else if (v->type == LUNATE_INT)
		len = number_write_int(text, v->as.integer);
	else
		len = number_write(text, v->as.real);
	out->at = arena_dup(a, text, len);
	out->len = (int)len;
	return 0;
}

static const char *
unfit(const struct lunate_value *v)
{
	if (v->type < LUNATE_NULL || v->type > LUNATE_JSON)
		return "its type is none of enum lunate_type";
	if (v->type < LUNATE_TEXT)
		return NULL;
	if (v->as.text == NULL && v->len > 0)
		return "it has a length and no bytes";
	if (v->len > INT32_MAX)
		return "it is larger than 2 GiB";
	if (v->type != LUNATE_BYTES && v->len > 0 &&
	    memchr(v->as.text, 0, v->len) != NULL)
		return "a text cannot hold a zero byte; use lunate_bytes()";
	return NULL;
}

/* The value of call->values[i]. */
static int
take_value(struct arena *a, const struct lunate_value *v, bool copy,
	   struct pgval *out)
{
	switch ((enum lunate_type)v->type) {
	case LUNATE_NULL:
		return 0;
	case LUNATE_BOOL:
	case LUNATE_INT:
	case LUNATE_REAL:
		return take_number(a, v, out);
	case LUNATE_BYTES:
		out->binary = true;
		return take_bytes(a, v, copy, out);
	case LUNATE_TEXT:
	case LUNATE_JSON:
		return take_bytes(a, v, copy, out);
	}
	return 0;
}

static int
take_values(struct ask *a, const struct lunate_call *call, bool copy,
	    struct err *e)
{
	struct arena *arena = &a->arena;
	struct pgval *vals = arena_try(arena,
				       sizeof(*vals) * (size_t)call->nvalues);

	a->op.vals = vals;
	a->op.nvals = call->nvalues;
	for (int i = 0; i < call->nvalues; i++) {
		const struct lunate_value *v = &call->values[i];
		const char *why = unfit(v);

		if (why != NULL)
			return err_set(e, LUNATE_EPARAM, "parameter $%d: %s",
				       i + 1, why);
		if (vals == NULL || take_value(arena, v, copy, &vals[i]) < 0)
			return err_set(e, LUNATE_ENOMEM,
				       "parameter $%d: no memory for a value "
				       "of this size",
				       i + 1);
	}
	return 0;
}

const char *
ask_text(const struct lunate_statement *s, size_t *len)
{
	OBJ_CHECK(s, STATEMENT_MAGIC);
	*len = s->stmt->len;
	return s->stmt->text;
}

int64_t
ask_deadline(double seconds)
{
	return seconds > 0 ? loop_clock_us() + task_us(seconds) : 0;
}

/* ---- a call ------------------------------------------------------------ */

static int
check(const struct lunate_call *call, struct err *e)
{
	if (call->sql == NULL && call->statement == NULL)
		return err_set(e, LUNATE_EINVAL, "a call needs its SQL text");
	if (call->nvalues < 0 || call->nvalues > NVALUES_MAX ||
	    (call->nvalues > 0 && call->values == NULL))
		return err_set(e, LUNATE_EPARAM,
			       "%d values cannot be sent; a statement takes 0 "
			       "to %d, behind a pointer",
			       call->nvalues, NVALUES_MAX);
	if (call->priority < 0 || call->priority > LUNATE_PRIORITY_LOW ||
	    call->cls < 0 || call->cls > LUNATE_CLASS_CRITICAL)
		return err_set(e, LUNATE_EINVAL,
			       "a priority or class that does not exist");
	if (call->flags & ~(unsigned)(LUNATE_READ_ONLY | LUNATE_RAW))
		return err_set(e, LUNATE_EINVAL,
			       "a flag that is none of enum lunate_call_flags");
	if (!(call->timeout >= 0))
		return err_set(e, LUNATE_EINVAL,
			       "a timeout is a number of seconds from 0");
	return 0;
}

int
ask_take(const struct lunate_call *given, struct lunate_call *call,
	 struct err *e)
{
	const struct sized s = {call, sizeof(*call), given,
				"struct lunate_call; begin with lunate_sql()"};

	return sized_take(&s, e) < 0 ? e->code : check(call, e);
}

static int
take_text(struct ask *a, const struct lunate_call *call, bool copy,
	  struct err *e)
{
	struct op *op = &a->op;

	if (call->statement != NULL) {
		OBJ_CHECK(call->statement, STATEMENT_MAGIC);
		op->stmt = stmt_pin(call->statement->stmt);
		op->sql = op->stmt->text;
		op->len = op->stmt->len;
		return 0;
	}
	op->sql = call->sql;
	op->len = call->sql_len > 0 ? call->sql_len : strlen(call->sql);
	/* A text with a length need not end in a 0. */
	if (!copy && call->sql_len == 0)
		return 0;
	op->sql = arena_try(&a->arena, op->len + 1);
	if (op->sql == NULL)
		return err_set(e, LUNATE_ENOMEM,
			       "no memory for a statement of this size");
	memcpy((char *)op->sql, call->sql, op->len);
	return 0;
}

static void
take_context(struct ask *a, const struct lunate_call *call)
{
	const struct lunate_context *c = call->context;

	if (c == NULL && a->tx != NULL)
		c = host_tx_context(a->tx);
	a->op.context = who_context(c);
	who_tell(c, a->q.hw->w->rt);
}

static void
take_numbers(struct op *op, const struct lunate_call *call)
{
	op->deadline_us = ask_deadline(call->timeout);
	op->priority_given = call->priority != LUNATE_PRIORITY_DEFAULT;
	if (op->priority_given)
		op->priority = (enum gate_priority)(call->priority -
						    LUNATE_PRIORITY_CRITICAL);
	op->cls_given = call->cls != LUNATE_CLASS_DEFAULT;
	if (op->cls_given)
		op->cls = (enum rules_class)(call->cls - LUNATE_CLASS_READ);
	if (call->flags & LUNATE_READ_ONLY)
		op->flags |= OP_READ_ONLY;
	if (call->flags & LUNATE_RAW)
		op->flags |= OP_RAW;
}

/* ---- on the worker ----------------------------------------------------- */

static void
on_done(struct op *op)
{
	struct ask *a = CONTAINER_OF(op, struct ask, op);

	a->q.err.code = op->err.code;
	if (op->err.code != 0) {
		a->q.err = op->err;
	} else {
		a->q.rows = host_rows_new(op->rows, op->affected,
					  (double)op->took_us / 1e6);
		op->rows = NULL;
	}
	if (a->ended == NULL || a->ended(a))
		errand_end(&a->q);
}

static void
run(struct errand *q)
{
	struct ask *a = CONTAINER_OF(q, struct ask, q);

	if (a->tx != NULL)
		host_tx_attach(a->tx);
	op_start(&a->op);
}

static void
cancel(struct errand *q, enum err_code code)
{
	op_cancel(&CONTAINER_OF(q, struct ask, q)->op, code);
}

void
ask_free(struct ask *a)
{
	lunate_rows_free(&a->q.rows);
	op_fini(&a->op);
	if (a->tx != NULL)
		host_tx_unpin(&a->tx);
	arena_fini(&a->arena);
	if (host_here() == a->q.hw)
		spare_give(&a->q.hw->asks, a);
	else
		mem_free(a);
}

static void
drop(struct errand *q)
{
	ask_free(CONTAINER_OF(q, struct ask, q));
}

static struct ask *
new_ask(struct host_worker *hw, struct lunate_tx *tx)
{
	struct ask *a = host_here() == hw ? spare_take(&hw->asks, sizeof(*a))
					  : mem_new(sizeof(*a));

	errand_init(&a->q, hw);
	a->tx = NULL;
	a->ended = NULL;
	a->q.run = run;
	a->q.cancel = cancel;
	a->q.drop = drop;
	arena_init(&a->arena, a->first, sizeof(a->first));
	op_init(&a->op, hw->w);
	a->op.done = on_done;
	if (tx != NULL) {
		a->tx = host_tx_pin(tx);
		a->op.tx = host_tx_inner(tx);
	}
	return a;
}

struct ask *
ask_new(struct host_worker *hw, const struct lunate_call *call, bool copy,
	struct err *e)
{
	struct ask *a = new_ask(hw, call->tx);

	take_context(a, call);
	take_numbers(&a->op, call);
	if (take_text(a, call, copy, e) < 0 ||
	    take_values(a, call, copy, e) < 0) {
		ask_free(a);
		return NULL;
	}
	return a;
}

struct ask *
ask_control(struct lunate_tx *tx, const char *sql)
{
	struct ask *a = new_ask(host_tx_worker(tx), tx);

	a->op.sql = arena_dup(&a->arena, sql, strlen(sql));
	a->op.len = strlen(sql);
	a->op.flags = OP_INTERNAL;
	a->op.context = who_context(host_tx_context(tx));
	return a;
}

int
ask_wait(struct ask *a, struct lunate_rows **rows, struct lunate_error *e)
{
	int rc = errand_wait(&a->q);

	if (rc < 0)
		error_fill(e, &a->q.err);
	if (rc == 0 && rows != NULL) {
		*rows = a->q.rows;
		a->q.rows = NULL;
	}
	ask_free(a);
	return rc;
}

/* ---- lunate.h ---------------------------------------------------------- */

/* A call that may be made, as an errand to the right worker. */
static struct ask *
begin(struct lunate *db, const struct lunate_call *given, bool copy,
      struct err *e)
{
	struct lunate_call call;
	struct ask *a;

	if (ask_take(given, &call, e) < 0 || host_enter(db, e) < 0)
		return NULL;
	a = ask_new(call.tx != NULL ? host_tx_worker(call.tx) : host_choose(db),
		    &call, copy, e);
	if (a == NULL)
		host_exit(db);
	return a;
}

int
lunate_query(struct lunate *db, const struct lunate_call *call,
	     struct lunate_rows **rows, struct lunate_error *e)
{
	struct err why;
	struct ask *a = begin(db, call, false, &why);

	return a != NULL ? ask_wait(a, rows, e) : error_fill(e, &why);
}

int
lunate_query_async(struct lunate *db, const struct lunate_call *call,
		   const struct lunate_then *then, struct lunate_error *e)
{
	struct err why;
	struct ask *a = begin(db, call, true, &why);

	if (a == NULL)
		return error_fill(e, &why);
	if (errand_then(&a->q, then, &why) < 0) {
		host_exit(db);
		ask_free(a);
		return error_fill(e, &why);
	}
	errand_send_direct(&a->q);
	return 0;
}

int
lunate_prepare(const char *sql, struct lunate_statement **out,
	       struct lunate_error *e)
{
	const char *never;
	struct stmt *stmt;
	struct err why;

	if (sql == NULL)
		return error_say(e, LUNATE_EINVAL,
				 "a statement needs its SQL text");
	if (stmt_get(sql, strlen(sql), &stmt, &why) < 0)
		return error_fill(e, &why);
	never = op_never(stmt);
	if (never != NULL) {
		stmt_unpin(&stmt);
		return error_say(e, LUNATE_EUNSUPPORTED, never);
	}
	*out = mem_new(sizeof(**out));
	OBJ_INIT(*out, STATEMENT_MAGIC);
	(*out)->stmt = stmt;
	return 0;
}

int
lunate_statement_parameters(const struct lunate_statement *s)
{
	OBJ_CHECK(s, STATEMENT_MAGIC);
	return (int)s->stmt->nparams;
}

void
lunate_statement_free(struct lunate_statement **ps)
{
	struct lunate_statement *s;

	if (*ps == NULL)
		return;
	OBJ_TAKE(s, ps, STATEMENT_MAGIC);
	stmt_unpin(&s->stmt);
	OBJ_FINI(s);
	mem_free(s);
}
