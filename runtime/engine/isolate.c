/* SPDX-License-Identifier: MIT
 *
 * The scope step: from what was asked to what this tenant may ask.
 *
 * Always true: while isolation is on, nothing but our own transaction control
 *              and what runs as system passes this step without the gate.
 */
#include "op_int.h"

#include <string.h>

#include "barrier.h"
#include "decided.h"
#include "permit.h"
#include "refusal.h"
#include "runtime.h"
#include "scope.h"
#include "tx.h"

/* An operation waits so often for what is known of the database. */
#define LOOKS 4

/* In a transaction or session that goes on where it is. */
static bool
has_connection(const struct op *op)
{
	return op->tx != NULL && op->tx->member != NULL;
}

static uint64_t
epoch_of(const struct op *op)
{
	return catalog_snapshot_epoch(op->snapshot);
}

/* ---- which rules ------------------------------------------------------- */

/* The schema that a transaction may go by: as it is, or, while that or what the
 * database keeps under it is not known, as its last statement knew it. */
static struct catalog_snapshot *
schema_of(const struct op *op, struct rules *r)
{
	struct catalog_snapshot *now = catalog_current(op->w->catalog), *was;

	was = has_connection(op) ? op->tx->snapshot : NULL;
	if (was == NULL || was == now)
		return now;
	if (now != NULL && (r->isolation.state != ISOLATION_ON ||
			    barrier_known(op->w->barrier, r,
					  catalog_snapshot_epoch(now)) != NULL))
		return now;
	return was;
}

struct rules *
op_rules(struct op *op)
{
	struct rules *r = rules_pin(&op->w->rt->rules);
	struct catalog_snapshot *s;

	if (!has_connection(op) || op->tx->rules == NULL ||
	    op->tx->rules == r || r->isolation.state != ISOLATION_ON ||
	    op->tx->rules->isolation.state != ISOLATION_ON)
		return r;
	s = schema_of(op, r);
	if (s == NULL ||
	    barrier_known(op->w->barrier, r, catalog_snapshot_epoch(s)) != NULL)
		return r;
	rules_unpin(&r);
	return rules_share(op->tx->rules);
}

/* ---- who is not scoped ------------------------------------------------- */

/* BEGIN, SAVEPOINT, FETCH, CLOSE: texts made by lunate.  DECLARE is not: the
 * cursor's query is its caller's, also one that names no table. */
static bool
is_control(const struct op *op)
{
	const struct stmt *s = op->stmt;

	return (op->flags & OP_INTERNAL) && !(op->flags & OP_PLAIN) &&
	       (s->tx != STMT_TX_NONE ||
		(s->kind == STMT_CURSOR && op_cursor_head(op) == 0));
}

static bool
is_nobodys(const struct op *op)
{
	return op->rules->isolation.state == ISOLATION_OFF ||
	       (op->flags & OP_PROBE) ||
	       (op->context != NULL && op->context->system != NULL);
}

bool
op_is_free(const struct op *op)
{
	return is_nobodys(op) || is_control(op);
}

/* ---- the query of a cursor --------------------------------------------- */

#define CURSOR_FOR "CURSOR FOR "

size_t
op_cursor_head(const struct op *op)
{
	const char *at;

	if (op->stmt->kind != STMT_CURSOR || !(op->flags & OP_INTERNAL) ||
	    (op->flags & OP_PLAIN))
		return 0;
	at = strstr(op->stmt->text, CURSOR_FOR);
	return at != NULL ? (size_t)(at - op->stmt->text) + strlen(CURSOR_FOR)
			  : 0;
}

int
op_inner(struct op *op, size_t head, struct stmt **out, struct err *e)
{
	if (head == 0) {
		*out = stmt_pin(op->stmt);
		return 0;
	}
	return stmt_get(op->stmt->text + head, op->stmt->len - head, out, e);
}

/* Takes the scoped statement over, behind a cursor's head. */
static int
take_text(struct op *op, size_t head, struct stmt *scoped, struct err *e)
{
	struct stmt *whole;
	struct str s;
	int rc;

	if (head == 0) {
		stmt_unpin(&op->stmt);
		op->stmt = stmt_pin(scoped);
		return 0;
	}
	str_init(&s);
	str_addn(&s, op->stmt->text, head);
	str_addn(&s, scoped->text, scoped->len);
	rc = stmt_get(s.at, s.len, &whole, e);
	str_fini(&s);
	if (rc < 0)
		return rc;
	stmt_unpin(&op->stmt);
	op->stmt = whole;
	return 0;
}

/* ---- parameters -------------------------------------------------------- */

static struct pgval
text_value(const char *text, size_t len)
{
	return (struct pgval){.at = text, .len = (int)len};
}

/* In binary where that spares the server from reading a text. */
static struct pgval
tenant_value(const struct context *c, enum tenant_type type)
{
	const char *id = c->tenants[0].id;

	switch (type) {
	case TENANT_UUID:
		return (struct pgval){(const char *)c->uuid, 16, true, id};
	case TENANT_INT4:
		return (struct pgval){(const char *)c->int8 + 4, 4, true, id};
	case TENANT_INT8:
		return (struct pgval){(const char *)c->int8, 8, true, id};
	case TENANT_TEXT:
		break;
	}
	return text_value(id, c->tenants[0].len);
}

/* The tenant's, when there is one, and the values of limits behind it. */
static void
add_values(struct op *op, const struct scoped *s, enum tenant_shape shape)
{
	const struct context *c = op->context;
	struct pgval *all = op->few;
	int n = op->nvals, more = (s->tenant_param != 0) + (int)s->nvalues;

	if (more == 0)
		return;
	if (n + more > OP_FEW)
		all = op->many = mem_new(((size_t)n + (size_t)more) *
					 sizeof(*all));
	if (n > 0)
		memcpy(all, op->vals, (size_t)n * sizeof(*all));
	if (s->tenant_param != 0)
		all[n++] = shape == TENANT_ONE
				   ? tenant_value(
					     c,
					     op->rules->isolation.tables->type)
				   : text_value(c->array, c->array_len);
	for (unsigned i = 0; i < s->nvalues; i++) {
		const char *text = op->permit->values[s->values[i]];

		all[n++] = text_value(text, strlen(text));
	}
	op->vals = all;
	op->nvals = n;
}

/* ---- beside the step --------------------------------------------------- */

void
op_decided(struct op *op, struct stmt *stmt, struct closed *closed)
{
	struct worker *w = op->w;
	struct judge_ask ask = {.stmt = stmt,
				.context = op->context,
				.snapshot = op->snapshot,
				.closed = closed,
				.worker = w->index};
	const struct decided_what what = {
		.stmt = stmt,
		.context = op->context,
		.ruling = ruling_of(op->scoped, op->permit, &op->err),
		.snapshot = ask.snapshot,
	};

	/* What an emergency opened is decided by its opening alone. */
	if ((op->flags & OP_EXPLAIN) ||
	    (op->context != NULL && op->context->glass != NULL))
		return;
	decided_note(w->rt->decided, w->seen, &what);
	if (!shadow_wants(&w->rt->shadow, &w->shade))
		return;
	ask.now_s = op_now_s(op);
	shadow_decide(&w->rt->shadow, &w->shade, &ask, &what.ruling);
}

/* ---- the step ---------------------------------------------------------- */

static void
on_known(void *arg)
{
	struct op *op;

	OBJ_CAST(op, arg, OP_MAGIC);
	op_run(op);
}

void
op_doubt(struct op *op, const struct err *e)
{
	enum refusal r = refusal_of(e);

	if (r == REFUSE_UNKNOWN_TABLE || r == REFUSE_FUNCTION ||
	    r == REFUSE_TYPE)
		catalog_doubt(op->w->catalog);
}

static enum next
put(struct op *op, size_t head, struct scoped *s, enum tenant_shape shape)
{
	const struct tenant_rules *rules = op->rules->isolation.tables;
	struct err e;

	if (s->err.code != 0) {
		op_doubt(op, &s->err);
		return op_refuse(op, &s->err);
	}
	if (scope_allows(s, rules, op->context, &e) < 0)
		return op_refuse(op, &e);
	if (s->stmt->hash != op->stmt->hash &&
	    take_text(op, head, s->stmt, &e) < 0)
		return op_refuse(op, &e);
	if (!(op->flags & OP_EXPLAIN))
		add_values(op, s, shape);
	op->scoped = scoped_pin(s);
	return NEXT;
}

/* Borrowed.  A permit holds for one statement, context and schema, so it keeps
 * what that became, while the same tables are closed. */
static struct scoped *
scoped_for(struct op *op, const struct scope_ask *ask)
{
	struct permit *p = op->permit;
	struct scoped *s;

	if (p != NULL && p->scoped != NULL && scoped_fits(p->scoped, ask))
		return p->scoped;
	s = scope_get(op->w->scope, ask);
	if (p == NULL || s->err.code != 0)
		return s;
	if (p->scoped != NULL)
		scoped_unpin(&p->scoped);
	p->scoped = scoped_pin(s);
	return s;
}

/* Somebody may have mended what closed a table.  In a transaction the answer
 * is not waited for: the connection it needs may be this one. */
static bool
is_worth_waiting(struct op *op, const struct scoped *s)
{
	if (refusal_of(&s->err) != REFUSE_CLOSED || op->looks >= LOOKS ||
	    op->rules->isolation.state != ISOLATION_ON ||
	    !barrier_is_old(op->w->barrier, op->rules, epoch_of(op)))
		return false;
	if (op->tx != NULL)
		barrier_doubt(op->w->barrier);
	return op->tx == NULL;
}

static enum next
wait_barrier(struct op *op)
{
	op->looks++;
	op->bwait.done = on_known;
	op->bwait.arg = op;
	op->bwait.rules = op->rules;
	op->bwait.epoch = epoch_of(op);
	barrier_wait(op->w->barrier, &op->bwait);
	return WAIT;
}

static enum next
scope_it(struct op *op, struct closed *closed)
{
	size_t head = op_cursor_head(op);
	struct scoped *s;
	struct scope_ask ask = {
		.closed = closed,
		.rules = &op->rules->isolation,
		.epoch = op->rules->decision_epoch,
		.snapshot = op->snapshot,
		.shape = op->context != NULL && op->context->ntenants > 1
				 ? TENANT_SET
				 : TENANT_ONE,
	};
	enum next n;
	struct err e;

	if (op->permit != NULL && op->permit->limits.nlimits > 0) {
		ask.limits = &op->permit->limits;
		ask.limits_hash = op->permit->limits_hash;
	}
	if (op_inner(op, head, &ask.stmt, &e) < 0)
		return op_refuse(op, &e);
	s = scoped_for(op, &ask);
	if (is_worth_waiting(op, s)) {
		n = wait_barrier(op);
	} else {
		n = put(op, head, s, ask.shape);
		op_decided(op, ask.stmt, closed);
	}
	stmt_unpin(&ask.stmt);
	return n;
}

/* What is loaded serves the whole operation, whatever another worker changes
 * meanwhile. */
static bool
take_schema(struct op *op, struct catalog_snapshot *s)
{
	if (s == NULL)
		return false;
	catalog_need(op->w->catalog);
	if (op->snapshot == s)
		return true;
	if (op->snapshot != NULL)
		catalog_snapshot_unpin(&op->snapshot);
	op->snapshot = catalog_snapshot_pin(s);
	return true;
}

enum next
op_need_catalog(struct op *op)
{
	struct err e;

	/* What was decided of it by one schema is done by that one. */
	if (op->permit != NULL || op->scoped != NULL) {
		catalog_need(op->w->catalog);
		return NEXT;
	}
	if (take_schema(op, schema_of(op, op->rules)))
		return NEXT;
	if (op->looks < LOOKS) {
		op->looks++;
		op->asked = true;
		catalog_wait(op->w->catalog, &op->wait, on_known, op);
		return WAIT;
	}
	e = *catalog_err(op->w->catalog);
	if (e.code == 0)
		err_set(&e, LUNATE_EUNDEFINED, "it changed while it was read");
	err_wrap(&e, "the schema is not known, so no statement can be scoped");
	return op_refuse(op, &e);
}

/* Each time it was asked, the question was another one when the answer came, or
 * there was none. */
static enum next
refuse_unknown(struct op *op)
{
	const struct err *why = barrier_err(op->w->barrier);

	return why->code != 0
		       ? op_refuse(op, why)
		       : op_refuse_code(op, LUNATE_ELOST,
					"what the database keeps of the "
					"policies changed again and again "
					"while it was asked; nothing was done");
}

/* What the database keeps of the rules, *closed. */
static enum next
need_barrier(struct op *op, struct closed **closed)
{
	struct barrier *b = op->w->barrier;

	*closed = has_connection(op)
			  ? barrier_known(b, op->rules, epoch_of(op))
			  : barrier_closed(b, op->rules, epoch_of(op));
	if (*closed != NULL)
		return NEXT;
	if (op->looks < LOOKS)
		return wait_barrier(op);
	return refuse_unknown(op);
}

/* The schema is known; what the database keeps of the rules has to be, too. */
static enum next
scope_known(struct op *op)
{
	struct closed *closed;
	enum next n;

	if (op->rules->isolation.state == ISOLATION_CLOSED)
		return scope_it(op, NULL);
	op_look_out(op);
	op->era = barrier_era(op->w->barrier);
	n = need_barrier(op, &closed);
	return n == NEXT ? scope_it(op, closed) : n;
}

/* More rows of tables, by rules that are gone. */
static enum next
refuse_cursor(struct op *op)
{
	struct err e;

	refuse(&e, REFUSE_CLOSED, "%s", op->rules->isolation.closed);
	return op_refuse(op, &e);
}

/* A savepoint that comes first takes the connection for all that follows, and
 * what that goes by may not have to be asked for behind it. */
static enum next
pass_control(struct op *op)
{
	struct closed *closed;
	enum next n = NEXT;

	if (op->rules->isolation.state == ISOLATION_CLOSED &&
	    op->stmt->kind == STMT_CURSOR)
		return refuse_cursor(op);
	if (op->tx != NULL && !has_connection(op) &&
	    op->rules->isolation.state == ISOLATION_ON) {
		n = op_need_catalog(op);
		if (n == NEXT)
			n = need_barrier(op, &closed);
	}
	if (n == NEXT)
		op_look_out(op);
	return n;
}

enum next
op_scope(struct op *op)
{
	enum next n;

	if (is_nobodys(op))
		return NEXT;
	op->bound = true;
	if (is_control(op))
		return pass_control(op);
	n = op_tx_lives(op);
	if (n == NEXT)
		n = op_need_catalog(op);
	return n == NEXT ? scope_known(op) : n;
}

/* Is what was known when it was scoped still what is known? */
static bool
is_fresh(const struct op *op)
{
	return op->scoped == NULL ||
	       op->rules->isolation.state != ISOLATION_ON ||
	       op->rules->isolation.mode == ISOLATION_REWRITE ||
	       op->era == barrier_era(op->w->barrier) || has_connection(op);
}

enum next
op_still_open(struct op *op)
{
	struct closed *closed;
	enum next n;

	if (is_fresh(op))
		return NEXT;
	n = op_need_catalog(op);
	if (n != NEXT)
		return n;
	closed = barrier_closed(op->w->barrier, op->rules, epoch_of(op));
	if (closed == NULL && op->looks < LOOKS)
		return wait_barrier(op);
	if (closed == NULL || closed_id(closed) != op->scoped->closed)
		return op_refuse_code(
			op, LUNATE_ELOST,
			"the connection was lost, and what may be touched in "
			"the database changed meanwhile; nothing was done");
	op->era = barrier_era(op->w->barrier);
	return NEXT;
}

void
op_look_again(struct worker *w)
{
	LIST_EACH (link, &w->ops) {
		struct op *op = LIST_ENTRY(link, struct op, link);

		if (!op->in_pool || is_fresh(op) ||
		    !pool_withdraw(op->pool, &op->job))
			continue;
		op->in_pool = false;
		op->step = LEASE;
		loop_defer(w->loop, LOOP_TASKS, &op->next);
	}
}

int
op_copy_allowed(struct worker *w, const struct context *c, struct err *e)
{
	struct rules *r = rules_pin(&w->rt->rules);
	bool off = r->isolation.state == ISOLATION_OFF;

	rules_unpin(&r);
	if (off || (c != NULL && c->system != NULL))
		return 0;
	return refuse(e, REFUSE_STATEMENT,
		      "COPY is not scoped to a tenant; run it as system");
}
