/* SPDX-License-Identifier: MIT */
#include "tx.h"

#include <string.h>
#include <strings.h>

#include "mem.h"
#include "runtime.h"

static const char *
level(const char *name)
{
	static const char *const levels[] = {"read committed",
					     "repeatable read", "serializable",
					     "read uncommitted"};

	for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++)
		if (strcasecmp(name, levels[i]) == 0)
			return levels[i];
	return NULL;
}

static int
write_begin(struct tx *t, const struct tx_options *o, struct err *e)
{
	const char *iso = o->isolation != NULL ? level(o->isolation) : NULL;

	if (o->isolation != NULL && iso == NULL)
		return err_set(e, LUNATE_EINVAL,
			       "unknown isolation level; use \"read "
			       "committed\", \"repeatable read\" or "
			       "\"serializable\"");
	snprintf(t->begin, sizeof(t->begin), "BEGIN%s%s%s%s",
		 iso != NULL ? " ISOLATION LEVEL " : "", iso != NULL ? iso : "",
		 o->read_only ? " READ ONLY" : " READ WRITE",
		 o->deferrable ? " DEFERRABLE" : "");
	return 0;
}

int
tx_init(struct tx *t, struct worker *w, const struct tx_options *o,
	struct err *e)
{
	memset(t, 0, sizeof(*t));
	OBJ_INIT(t, TX_MAGIC);
	t->w = w;
	t->mode = o->mode;
	t->system = o->context != NULL && o->context->system != NULL;
	if (t->system && system_allowed(w->rt, e) < 0)
		return e->code;
	snprintf(t->site, sizeof(t->site), "%s",
		 o->site != NULL ? o->site : "");
	return o->session ? 0 : write_begin(t, o, e);
}

int
tx_ready(const struct tx *t, struct err *e)
{
	OBJ_CHECK(t, TX_MAGIC);
	if (t->state == TX_CLOSED)
		return err_set(e, LUNATE_ETX,
			       "the transaction is over; use the handle only "
			       "inside its function");
	if (t->op != NULL)
		return err_set(e, LUNATE_EBUSY,
			       "another statement of this transaction is still "
			       "running; a transaction belongs to one task");
	return 0;
}

bool
tx_undoes(const struct tx *t, const struct stmt *s)
{
	return t != NULL && t->begin[0] != 0 && s->tx != STMT_TX_COMMIT;
}

int
tx_fits(const struct tx *t, const struct context *context, struct err *e)
{
	bool system = context != NULL && context->system != NULL;

	OBJ_CHECK(t, TX_MAGIC);
	if (system == t->system)
		return 0;
	return err_set(e, LUNATE_EDENIED,
		       t->system ? "the transaction was begun as system, and "
				   "this statement is not the system's; use a "
				   "transaction of its own"
				 : "the transaction was not begun as system; "
				   "begin one inside db:as_system");
}

bool
tx_has_context(const struct tx *t, const struct context *context)
{
	OBJ_CHECK(t, TX_MAGIC);
	return !t->unsure && context_same(t->context, context);
}

/* Going back to a savepoint also takes back the context set since. */
static void
note_context(struct tx *t, const struct op *op)
{
	if (op->stmt->tx == STMT_TX_ROLLBACK_TO) {
		t->unsure = true;
		return;
	}
	if (tx_has_context(t, op->context))
		return;
	context_unpin(&t->context);
	t->context = context_pin(op->context);
	t->unsure = false;
}

static void
note_rules(struct tx *t, struct rules *r)
{
	if (t->rules == r)
		return;
	if (t->rules != NULL)
		rules_unpin(&t->rules);
	t->rules = rules_share(r);
}

static void
note_schema(struct tx *t, struct catalog_snapshot *s)
{
	if (s == NULL || t->snapshot == s)
		return;
	if (t->snapshot != NULL)
		catalog_snapshot_unpin(&t->snapshot);
	t->snapshot = catalog_snapshot_pin(s);
}

void
tx_op_began(struct tx *t, struct op *op)
{
	OBJ_CHECK(t, TX_MAGIC);
	assert(t->op == NULL && t->member != NULL);
	t->op = op;
	note_context(t, op);
	note_rules(t, op->rules);
	note_schema(t, op->snapshot);
	if (t->state == TX_FRESH)
		t->state = TX_OPEN;
}

static bool
conn_lost(const struct err *e)
{
	return e->code == LUNATE_ELOST || e->code == LUNATE_EINDOUBT ||
	       e->code == LUNATE_EDEADLINE || e->code == LUNATE_ECANCELLED;
}

void
tx_op_ended(struct tx *t, struct op *op)
{
	OBJ_CHECK(t, TX_MAGIC);
	if (t->op == op)
		t->op = NULL;
	if (op->err.code != 0)
		tx_failed(t, &op->err);
}

void
tx_failed(struct tx *t, const struct err *e)
{
	OBJ_CHECK(t, TX_MAGIC);
	if (t->state == TX_CLOSED)
		return;
	if (t->state != TX_FAILED)
		t->err = *e;
	t->state = TX_FAILED;
	if (conn_lost(e) && strcmp(e->sqlstate, "57014") != 0)
		t->lost = true;
}

void
tx_recovered(struct tx *t)
{
	OBJ_CHECK(t, TX_MAGIC);
	if (t->state == TX_FAILED && !t->lost) {
		t->state = TX_OPEN;
		err_clear(&t->err);
	}
}

void
tx_forget(struct tx *t)
{
	OBJ_CHECK(t, TX_MAGIC);
	t->state = TX_CLOSED;
	context_unpin(&t->context);
	if (t->rules != NULL)
		rules_unpin(&t->rules);
	if (t->snapshot != NULL)
		catalog_snapshot_unpin(&t->snapshot);
}

void
tx_end(struct tx *t)
{
	OBJ_CHECK(t, TX_MAGIC);
	if (t->op != NULL)
		op_cancel(t->op, LUNATE_ECANCELLED);
	tx_forget(t);
	if (t->member != NULL)
		pool_release(t->system ? t->w->system_pool : t->w->pool,
			     &t->member, t->dirty);
}

int
tx_copy_text(const char *sql, size_t len, struct err *e)
{
	struct stmt *s;
	enum stmt_kind kind;

	if (stmt_get(sql, len, &s, e) < 0)
		return e->code;
	kind = s->kind;
	stmt_unpin(&s);
	if (kind != STMT_COPY)
		return err_set(e, LUNATE_EINVAL,
			       "only COPY ... FROM STDIN or TO STDOUT goes "
			       "here; run other statements as queries");
	return 0;
}

int
tx_copy_ready(const struct tx *t, const struct context *context, struct err *e)
{
	if (tx_ready(t, e) < 0 || tx_fits(t, context, e) < 0)
		return e->code;
	if (t->state == TX_FAILED && t->begin[0] != 0) {
		*e = t->err;
		return e->code;
	}
	if (t->member == NULL || !pool_member_alive(t->member) ||
	    pgconn_state(pool_member_conn(t->member)) != PGCONN_READY)
		return err_set(e, LUNATE_ELOST, "the connection is gone");
	return 0;
}

void
tx_copy_doubt(const struct tx *t, bool complete, struct err *e)
{
	if (!complete || t->begin[0] != 0 || e->code != LUNATE_ELOST)
		return;
	e->code = LUNATE_EINDOUBT;
	err_wrap(e, "the connection was lost after the last row was sent: the "
		    "COPY may or may not have happened");
}
