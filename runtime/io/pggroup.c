/* SPDX-License-Identifier: MIT
 *
 * Sending: a list of requests becomes one Sync group.  This is the only place
 * that builds groups, and so the place that asserts what a group may be.
 */
#include "pgconn_int.h"

#include <string.h>

#include "mem.h"

/* Returns no row, so the context costs one empty result and not a DataRow. */
static const char ctx_sql[] =
	"SELECT WHERE set_config('lunate.ctx', $1, true) IS NULL";
#define CTX_HASH 0x6c756e6174652e63ull

static void
push_item(struct pgconn *c, struct pgitem item)
{
	if (c->items_len == c->items_cap) {
		unsigned cap = c->items_cap != 0 ? c->items_cap * 2 : 64;
		struct pgitem *items = mem_new(cap * sizeof(*items));

		for (unsigned i = 0; i < c->items_len; i++)
			items[i] = c->items[(c->items_head + i) &
					    (c->items_cap - 1)];
		mem_free(c->items);
		c->items = items;
		c->items_cap = cap;
		c->items_head = 0;
	}
	c->items[(c->items_head + c->items_len++) & (c->items_cap - 1)] = item;
	if (item.prep != NULL)
		pgprep_hold(c, item.prep);
}

struct pgitem *
pgitem_head(struct pgconn *c)
{
	return c->items_len != 0 ? &c->items[c->items_head] : NULL;
}

void
pgitem_pop(struct pgconn *c)
{
	struct pgitem *it = pgitem_head(c);

	if (it->prep != NULL)
		pgprep_drop(c, it->prep);
	c->items_head = (c->items_head + 1) & (c->items_cap - 1);
	c->items_len--;
	c->mid_result = false;
	c->partial = 0;
	c->reads = 0;
}

static struct pggroup *
new_group(struct pgconn *c)
{
	struct pggroup *g = mem_new(sizeof(*g));

	list_init(&g->link);
	list_init(&g->reqs);
	g->sent_us = loop_now_us(c->loop);
	list_push_back(&c->groups, &g->link);
	c->ngroups++;
	return g;
}

static bool
end_group(struct pgconn *c, struct pggroup *g)
{
	push_item(c, (struct pgitem){PGITEM_SYNC, NULL, g, NULL});
	return PQpipelineSync(c->pg) == 1;
}

static bool
send_plain(struct pgconn *c, struct pgreq *r, enum pgitem_kind kind,
	   const char *sql)
{
	push_item(c, (struct pgitem){kind, r, r->group, NULL});
	return PQsendQueryParams(c->pg, sql, 0, NULL, NULL, NULL, NULL, 0) == 1;
}

#define MAX_FAST_VALS 16

/* A named statement, or the text of one. */
struct target {
	const char *name; /* NULL: sql */
	const char *sql;
};

/* libpq wants three parallel arrays. */
struct arrays {
	const char *at_few[MAX_FAST_VALS], **at;
	int len_few[MAX_FAST_VALS], *len;
	int fmt_few[MAX_FAST_VALS], *fmt;
};

static void
split_vals(struct arrays *a, const struct pgval *vals, int n)
{
	a->at = a->at_few;
	a->len = a->len_few;
	a->fmt = a->fmt_few;
	if (n > MAX_FAST_VALS) {
		a->at = mem_new((size_t)n * sizeof(*a->at));
		a->len = mem_new((size_t)n * sizeof(*a->len));
		a->fmt = mem_new((size_t)n * sizeof(*a->fmt));
	}
	for (int i = 0; i < n; i++) {
		a->at[i] = vals[i].at;
		a->len[i] = vals[i].len;
		a->fmt[i] = vals[i].binary;
	}
}

static void
free_arrays(struct arrays *a)
{
	if (a->at == a->at_few)
		return;
	mem_free(a->at);
	mem_free(a->len);
	mem_free(a->fmt);
}

static bool
send_vals(struct pgconn *c, struct target to, const struct pgval *vals, int n)
{
	struct arrays a;
	int rc;

	split_vals(&a, vals, n);
	if (to.name != NULL)
		rc = PQsendQueryPrepared(c->pg, to.name, n, a.at, a.len, a.fmt,
					 0);
	else
		rc = PQsendQueryParams(c->pg, to.sql, n, NULL, a.at, a.len,
				       a.fmt, 0);
	free_arrays(&a);
	return rc == 1;
}

static bool
send_part(struct pgconn *c, struct pgreq *r, enum pgitem_kind kind,
	  const struct pgpart *part)
{
	push_item(c, (struct pgitem){kind, r, r->group, NULL});
	return send_vals(c, (struct target){NULL, part->sql}, part->vals,
			 part->nvals);
}

/* Prepares under a new name; the item is charged to the request that needed
 * it first. */
static bool
send_prepare(struct pgconn *c, struct pgreq *r, struct pgprep *p,
	     const char *sql)
{
	push_item(c, (struct pgitem){PGITEM_PREPARE, r, r->group, p});
	return PQsendPrepare(c->pg, pgprep_name(p), sql, 0, NULL) == 1;
}

static struct target
target_of(const struct pgprep *p, const char *sql)
{
	return (struct target){p != NULL ? pgprep_name(p) : NULL, sql};
}

static bool
send_context(struct pgconn *c, struct pgreq *r)
{
	struct pgval v = {.at = r->context != NULL ? r->context : ""};
	struct pgprep *p = c->ctx_prep;

	if (r->context != NULL && r->seal != NULL)
		v.at = pgseal_text(c, r);
	v.len = (int)strlen(v.at);
	if (p == NULL && c->prep_max > 0) {
		p = pgprep_add(c, ctx_sql, sizeof(ctx_sql) - 1, CTX_HASH);
		if (p != NULL && !send_prepare(c, r, p, ctx_sql))
			return false;
		c->ctx_prep = p;
	}
	push_item(c, (struct pgitem){PGITEM_CONTEXT, r, r->group, p});
	return send_vals(c, target_of(p, ctx_sql), &v, 1);
}

static bool
send_statement(struct pgconn *c, struct pgreq *r)
{
	struct pgprep *p = NULL;

	if (c->prep_max > 0 && !(r->flags & PGREQ_UNNAMED)) {
		p = pgprep_find(c, r);
		if (p == NULL) {
			p = pgprep_add(c, r->sql, r->len, r->hash);
			if (p != NULL && !send_prepare(c, r, p, r->sql))
				return false;
		}
	}
	push_item(c, (struct pgitem){PGITEM_STMT, r, r->group, p});
	return send_vals(c, target_of(p, r->sql), r->vals, r->nvals);
}

static bool
same_context(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* A context as it was sent. */
struct shown {
	const char *context;
	const struct pgseal *seal;
};

static bool
wants_context(const struct pgreq *r, struct shown in_force)
{
	return (r->flags & PGREQ_NEW_CTX) ||
	       !same_context(in_force.context, r->context) ||
	       (r->context != NULL && in_force.seal != r->seal);
}

static bool
send_request(struct pgconn *c, struct pgreq *r, struct shown in_force)
{
	if (r->prelude != NULL && !send_plain(c, r, PGITEM_PRELUDE, r->prelude))
		return false;
	if (wants_context(r, in_force) && !send_context(c, r))
		return false;
	if (r->guard != NULL && !send_plain(c, r, PGITEM_GUARD, r->guard))
		return false;
	if (!send_statement(c, r))
		return false;
	if ((r->flags & PGREQ_XID) &&
	    !send_plain(c, r, PGITEM_XID,
			"SELECT pg_current_xact_id_if_assigned()"))
		return false;
	return r->audit == NULL || send_part(c, r, PGITEM_AUDIT, r->audit);
}

/* The rules of a group, asserted where groups are made. */
static void
check_group(const struct list *reqs)
{
	size_t n = 0, writes = 0;

	LIST_EACH (link, reqs) {
		struct pgreq *r = LIST_ENTRY(link, struct pgreq, link);

		OBJ_CHECK(r, PGREQ_MAGIC);
		assert(r->fate == PGREQ_PENDING && r->conn == NULL);
		n++;
		if (!(r->flags & PGREQ_READ) || (r->flags & PGREQ_STREAM) ||
		    r->prelude != NULL || r->audit != NULL)
			writes++;
	}
	assert(n > 0 && (writes == 0 || n == 1));
}

/* Inside BEGIN a context that was set stays until another one is. */
static struct shown
context_at_start(const struct pgreq *r)
{
	if (r->flags & PGREQ_IN_TX)
		return (struct shown){r->context, r->seal};
	return (struct shown){NULL, NULL};
}

static bool
send_group(struct pgconn *c, struct pggroup *g)
{
	struct pgreq *r = LIST_ENTRY(g->reqs.next, struct pgreq, link);
	struct shown in_force = context_at_start(r);

	LIST_EACH (link, &g->reqs) {
		r = LIST_ENTRY(link, struct pgreq, link);
		if (!send_request(c, r, in_force))
			return false;
		in_force = (struct shown){r->context, r->seal};
	}
	return end_group(c, g);
}

static bool
send_closes(struct pgconn *c, const struct pgreq *r)
{
	if (list_empty(&c->retired) || (r->flags & PGREQ_IN_TX) ||
	    pgconn_in_tx(c)) /* a BEGIN of the sender's own */
		return true;
	if (!pgprep_send_closes(c))
		return true;
	push_item(c, (struct pgitem){PGITEM_CLOSE, NULL, NULL, NULL});
	return end_group(c, new_group(c));
}

static void
adopt(struct pgconn *c, struct pggroup *g, struct list *reqs)
{
	list_splice_back(&g->reqs, reqs);
	LIST_EACH (link, &g->reqs) {
		struct pgreq *r = LIST_ENTRY(link, struct pgreq, link);

		r->group = g;
		r->conn = c;
		r->sent_us = g->sent_us;
		c->nreqs++;
	}
}

void
pgconn_send(struct pgconn *c, struct list *reqs)
{
	struct pggroup *g;
	bool ok;

	OBJ_CHECK(c, PGCONN_MAGIC);
	assert(c->state == PGCONN_READY);
	check_group(reqs);
	if (c->items_len == 0)
		c->answered_us = loop_now_us(c->loop);
	ok = send_closes(c, LIST_ENTRY(reqs->next, struct pgreq, link));
	g = new_group(c);
	adopt(c, g, reqs);
	if (!ok || !send_group(c, g)) {
		pgconn_die_soon(c, LUNATE_ELOST, PQerrorMessage(c->pg));
		return;
	}
	pgread_stream_mode(c);
	pgconn_watch(c);
}

/* Takes a request out of its group; its items forget it. */
static void
forget_request(struct pgconn *c, struct pgreq *r)
{
	for (unsigned i = 0; i < c->items_len; i++) {
		struct pgitem *it =
			&c->items[(c->items_head + i) & (c->items_cap - 1)];

		if (it->req == r)
			it->req = NULL;
	}
	if (c->target == r)
		c->target = NULL;
	list_remove(&r->link);
	r->group = NULL;
	r->conn = NULL;
	c->nreqs--;
	if (r->rows != NULL)
		rows_unpin(&r->rows); /* answered, but not at its Sync yet */
}

void
pgconn_abandon(struct pgreq *r)
{
	struct pgconn *c;

	OBJ_CHECK(r, PGREQ_MAGIC);
	c = r->conn;
	if (c == NULL)
		return;
	OBJ_CHECK(c, PGCONN_MAGIC);
	forget_request(c, r);
	pgconn_resume(c); /* who held the stream back is gone */
	if (c->nreqs == 0 && c->ngroups > 0 && c->state == PGCONN_READY)
		pgcancel_start(c, NULL);
}

bool
pgconn_cancel(struct pgreq *r)
{
	struct pgconn *c;

	OBJ_CHECK(r, PGREQ_MAGIC);
	c = r->conn;
	if (c == NULL || c->nreqs != 1 || c->state != PGCONN_READY)
		return false;
	pgcancel_start(c, r);
	return true;
}

/* Answers one request; the group has ended or the connection has. */
static void
answer(struct pgconn *c, struct pgreq *r)
{
	list_remove(&r->link);
	r->group = NULL;
	r->conn = NULL;
	r->from = c;
	c->nreqs--;
	if (c->target == r)
		c->target = NULL;
	assert(r->fate != PGREQ_PENDING);
	if (r->fate != PGREQ_DONE && r->rows != NULL)
		rows_unpin(&r->rows);
	r->done(r);
}

void
pggroup_finish(struct pgconn *c, struct pggroup *g)
{
	struct list *link;

	list_remove(&g->link);
	c->ngroups--;
	while ((link = list_first(&g->reqs)) != NULL) {
		struct pgreq *r = LIST_ENTRY(link, struct pgreq, link);

		if (r->fate == PGREQ_PENDING)
			r->fate = PGREQ_DONE;
		answer(c, r);
	}
	mem_free(g);
}

/* A request whose statement the server itself reported unfinished cannot have
 * happened; of every other one in flight nobody knows. */
static void
lose(struct pgconn *c, struct pgreq *r)
{
	if (r->fate == PGREQ_PENDING) {
		r->fate = PGREQ_LOST;
		r->maybe_ran = true;
		r->err = c->err;
	} else if (r->fate == PGREQ_FAILED) {
		r->fate = PGREQ_LOST;
		r->maybe_ran = false;
	}
}

/* The connection is dead: everything in flight is answered. */
void
pggroup_lose_all(struct pgconn *c)
{
	struct list *link;

	while (c->items_len != 0)
		pgitem_pop(c);
	while ((link = list_first(&c->groups)) != NULL) {
		struct pggroup *g = LIST_ENTRY(link, struct pggroup, link);

		LIST_EACH (rl, &g->reqs)
			lose(c, LIST_ENTRY(rl, struct pgreq, link));
		pggroup_finish(c, g);
	}
}
