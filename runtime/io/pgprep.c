/* SPDX-License-Identifier: MIT
 *
 * Which statements this session has prepared.
 *
 * An entry is counted by the items in flight that name it.  retire() takes it
 * out of the table at once, so that nobody uses the name again; when the last
 * item is answered and the server still knows the name, DEALLOCATE follows in
 * a group of its own.  A text that is prepared anew gets a new name, so an
 * old name can never collide with it.
 */
#include "pgconn_int.h"

#include <stdio.h>
#include <string.h>

#include <uthash.h>

#include "mem.h"

struct pgprep {
	UT_hash_handle hh;
	struct list link; /* in conn->lru, or in conn->retired */
	uint64_t hash;
	int used; /* items in flight */
	bool retired;
	bool server_knows;
	struct shape *shape; /* of its results, once seen */
	char name[40];
	size_t len;
	char sql[];
};

const char *
pgprep_name(const struct pgprep *p)
{
	return p->name;
}

static void
free_prep(struct pgprep *p)
{
	assert(p->used == 0);
	list_remove(&p->link);
	if (p->shape != NULL)
		shape_unpin(&p->shape);
	mem_free(p);
}

/* NULL also when another text of the same hash has the place. */
struct pgprep *
pgprep_find(struct pgconn *c, const struct pgreq *r)
{
	struct pgprep *p;

	HASH_FIND(hh, c->preps, &r->hash, sizeof(r->hash), p);
	if (p == NULL || p->len != r->len || memcmp(p->sql, r->sql, r->len))
		return NULL;
	list_move_back(&c->lru, &p->link);
	return p;
}

/* Makes room by retiring the coldest entry that nothing in flight names. */
static void
make_room(struct pgconn *c)
{
	struct list *link = list_first(&c->lru);

	while (c->nprep >= c->prep_max && link != NULL && link != &c->lru) {
		struct pgprep *p = LIST_ENTRY(link, struct pgprep, link);

		link = link->next;
		if (p->used == 0)
			pgprep_retire(c, p, true);
	}
}

struct pgprep *
pgprep_add(struct pgconn *c, const char *sql, size_t len, uint64_t hash)
{
	struct pgprep *p;

	HASH_FIND(hh, c->preps, &hash, sizeof(hash), p);
	if (p != NULL)
		return NULL; /* two texts of one hash: the first stays */
	make_room(c);
	if (c->nprep >= c->prep_max)
		return NULL;
	p = mem_new(sizeof(*p) + len + 1);
	p->hash = hash;
	p->len = len;
	memcpy(p->sql, sql, len);
	snprintf(p->name, sizeof(p->name), "l_%016llx_%x",
		 (unsigned long long)hash, ++c->prep_serial);
	list_init(&p->link);
	list_push_back(&c->lru, &p->link);
	HASH_ADD(hh, c->preps, hash, sizeof(p->hash), p);
	c->nprep++;
	return p;
}

void
pgprep_hold(struct pgconn *c, struct pgprep *p)
{
	(void)c;
	p->used++;
}

/* One item that named it has been answered. */
void
pgprep_drop(struct pgconn *c, struct pgprep *p)
{
	(void)c;
	assert(p->used > 0);
	if (--p->used == 0 && p->retired && !p->server_knows)
		free_prep(p);
}

void
pgprep_retire(struct pgconn *c, struct pgprep *p, bool server_knows)
{
	if (!p->retired) {
		p->retired = true;
		HASH_DELETE(hh, c->preps, p);
		c->nprep--;
		if (c->ctx_prep == p)
			c->ctx_prep = NULL;
	}
	p->server_knows = server_knows;
	list_move_back(&c->retired, &p->link);
	if (p->used == 0 && !server_knows)
		free_prep(p);
}

void
pgprep_retire_link(struct pgconn *c, struct list *link)
{
	pgprep_retire(c, LIST_ENTRY(link, struct pgprep, link), true);
}

void
pgprep_discard_link(struct pgconn *c, struct list *link)
{
	pgprep_retire(c, LIST_ENTRY(link, struct pgprep, link), false);
}

/* Sends DEALLOCATE for every retired name nothing in flight uses.  Returns
 * whether anything was sent (a Sync must follow). */
bool
pgprep_send_closes(struct pgconn *c)
{
	char sql[64];
	bool sent = false;

	LIST_EACH_SAFE (link, &c->retired) {
		struct pgprep *p = LIST_ENTRY(link, struct pgprep, link);

		if (p->used != 0)
			continue;
		snprintf(sql, sizeof(sql), "DEALLOCATE %s", p->name);
		if (PQsendQueryParams(c->pg, sql, 0, NULL, NULL, NULL, NULL,
				      0) != 1)
			return sent;
		p->server_knows = false;
		free_prep(p);
		sent = true;
		return sent; /* one a turn is enough, and keeps errors apart */
	}
	return sent;
}

static bool
same_shape(const struct shape *s, const PGresult *res)
{
	if (s->ncols != PQnfields(res))
		return false;
	for (int i = 0; i < s->ncols; i++)
		if (s->cols[i].type != PQftype(res, i))
			return false;
	return true;
}

/* Describes the columns of a result. */
static struct shape *
describe(const PGresult *res)
{
	int n = PQnfields(res);
	struct shape_col *cols = mem_new((size_t)n * sizeof(*cols) + 1);
	struct shape *s;

	for (int i = 0; i < n; i++) {
		cols[i].name = PQfname(res, i);
		cols[i].type = PQftype(res, i);
		cols[i].typmod = PQfmod(res, i);
		cols[i].table = PQftable(res, i);
		cols[i].attnum = (int16_t)PQftablecol(res, i);
		cols[i].binary = PQfformat(res, i) == 1;
	}
	s = shape_new(cols, n);
	mem_free(cols);
	return s;
}

/* A pinned shape for the result; remembered when the statement is named. */
struct shape *
pgprep_shape(struct pgprep *p, const PGresult *res)
{
	if (p == NULL)
		return describe(res);
	if (p->shape != NULL && !same_shape(p->shape, res))
		shape_unpin(&p->shape);
	if (p->shape == NULL)
		p->shape = describe(res);
	return shape_pin(p->shape);
}

void
pgprep_free_all(struct pgconn *c)
{
	struct pgprep *p, *next;

	HASH_ITER (hh, c->preps, p, next) {
		HASH_DELETE(hh, c->preps, p);
		p->used = 0;
		free_prep(p);
	}
	LIST_EACH_SAFE (link, &c->retired) {
		p = LIST_ENTRY(link, struct pgprep, link);
		p->used = 0;
		free_prep(p);
	}
	c->nprep = 0;
	c->ctx_prep = NULL;
}
