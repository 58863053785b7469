/* SPDX-License-Identifier: MIT */
#include "catalog.h"

#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "loop.h"
#include "mem.h"
#include "pool.h"
#include "rows.h"

enum state { EMPTY, LOADING, LOADED };

/* One overload. */
struct overload {
	struct overload *next;
	char *schema;
	int min_args, max_args; /* max < 0: variadic */
	bool is_volatile;
};

struct function {
	UT_hash_handle hh;
	struct overload *overloads;
	char name[];
};

struct catalog {
	unsigned magic;
#define CATALOG_MAGIC 0xca7a1096
	enum state state;
	struct loop *loop;
	struct pool *pool;
	struct function *functions;
	struct list waits;
	struct pgreq req;
	struct pool_job job;
	bool asked; /* req or job is under way */
	bool stale; /* changed while loading */
	uint64_t epoch;
};

static const char functions_sql[] =
	"SELECT n.nspname, p.proname, p.pronargs, p.pronargdefaults, "
	"p.provariadic <> 0, p.provolatile "
	"FROM pg_catalog.pg_proc p "
	"JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace";

/* Volatile because the answer varies, not because anything is changed. */
static bool
harmless(const char *name)
{
	static const char *const names[] = {
		"clock_timestamp", "gen_random_uuid", "pg_sleep",
		"pg_sleep_for",	   "pg_sleep_until",  "random",
		"timeofday"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static void
forget_functions(struct catalog *c)
{
	struct function *f, *next;
	struct overload *o;

	HASH_ITER (hh, c->functions, f, next) {
		HASH_DELETE(hh, c->functions, f);
		while ((o = f->overloads) != NULL) {
			f->overloads = o->next;
			mem_free(o->schema);
			mem_free(o);
		}
		mem_free(f);
	}
}

static const char *
text_at(const struct rows *r, size_t row, int col)
{
	size_t len;
	const char *s = rows_cell(r, row, col, &len);

	return s != NULL ? s : "";
}

static void
add_function(struct catalog *c, const struct rows *r, size_t row)
{
	const char *name = text_at(r, row, 1);
	int nargs = atoi(text_at(r, row, 2));
	struct overload *o = mem_new(sizeof(*o));
	struct function *f;

	o->schema = mem_dups(text_at(r, row, 0));
	o->min_args = nargs - atoi(text_at(r, row, 3));
	o->max_args = nargs;
	if (text_at(r, row, 4)[0] == 't') {
		o->min_args--;
		o->max_args = -1;
	}
	o->is_volatile = text_at(r, row, 5)[0] == 'v' && !harmless(name);
	HASH_FIND(hh, c->functions, name, strlen(name), f);
	if (f == NULL) {
		f = mem_new(sizeof(*f) + strlen(name) + 1);
		memcpy(f->name, name, strlen(name));
		HASH_ADD_KEYPTR(hh, c->functions, f->name, strlen(name), f);
	}
	o->next = f->overloads;
	f->overloads = o;
}

static void
tell(struct catalog *c)
{
	struct list ready, *link;

	list_init(&ready);
	list_splice_back(&ready, &c->waits);
	while ((link = list_first(&ready)) != NULL) {
		struct catalog_wait *w = LIST_ENTRY(link, struct catalog_wait,
						    link);

		list_remove(link);
		w->done(w->arg);
	}
}

static void
on_rows(struct pgreq *r)
{
	struct catalog *c = CONTAINER_OF(r, struct catalog, req);

	OBJ_CHECK(c, CATALOG_MAGIC);
	c->asked = false;
	c->state = EMPTY;
	if (r->fate == PGREQ_DONE && r->rows != NULL) {
		forget_functions(c);
		for (size_t i = 0; i < rows_count(r->rows); i++)
			add_function(c, r->rows, i);
		c->state = c->stale ? EMPTY : LOADED;
		rows_unpin(&r->rows);
	}
	tell(c);
}

static void
on_refused(struct pool_job *job, const struct err *e)
{
	struct catalog *c = CONTAINER_OF(job, struct catalog, job);

	(void)e; /* whoever asked meets the same refusal with its own text */
	c->asked = false;
	c->state = EMPTY;
	tell(c);
}

static void
load(struct catalog *c)
{
	c->state = LOADING;
	c->asked = true;
	c->stale = false;
	memset(&c->req, 0, sizeof(c->req));
	memset(&c->job, 0, sizeof(c->job));
	pgreq_init(&c->req);
	c->req.flags = PGREQ_READ | PGREQ_UNNAMED;
	c->req.sql = functions_sql;
	c->req.len = sizeof(functions_sql) - 1;
	c->req.done = on_rows;
	c->job.want = POOL_SOLO;
	c->job.mode = POOL_READ;
	c->job.req = &c->req;
	c->job.refused = on_refused;
	pool_submit(c->pool, &c->job, GATE_CRITICAL, 0);
}

struct catalog *
catalog_new(struct loop *loop, struct pool *pool)
{
	struct catalog *c = mem_new(sizeof(*c));

	OBJ_INIT(c, CATALOG_MAGIC);
	c->loop = loop;
	c->pool = pool;
	list_init(&c->waits);
	return c;
}

bool
catalog_loaded(const struct catalog *c)
{
	OBJ_CHECK(c, CATALOG_MAGIC);
	return c->state == LOADED;
}

void
catalog_wait_init(struct catalog_wait *w)
{
	list_init(&w->link);
}

void
catalog_wait(struct catalog *c, struct catalog_wait *w, void (*done)(void *),
	     void *arg)
{
	OBJ_CHECK(c, CATALOG_MAGIC);
	w->done = done;
	w->arg = arg;
	list_push_back(&c->waits, &w->link);
	if (c->state == EMPTY)
		load(c);
}

void
catalog_unwait(struct catalog_wait *w)
{
	list_remove(&w->link);
}

static bool
may_be(const struct overload *o, const struct stmt_function *f)
{
	if (f->schema != NULL && strcmp(f->schema, o->schema) != 0)
		return false;
	if (f->variadic)
		return true;
	return (int)f->nargs >= o->min_args &&
	       (o->max_args < 0 || (int)f->nargs <= o->max_args);
}

static bool
pure(const struct catalog *c, const struct stmt_function *call)
{
	struct function *f;
	bool known = false;

	HASH_FIND(hh, c->functions, call->name, strlen(call->name), f);
	if (f == NULL)
		return false;
	for (const struct overload *o = f->overloads; o != NULL; o = o->next) {
		if (!may_be(o, call))
			continue;
		if (o->is_volatile)
			return false;
		known = true;
	}
	return known;
}

bool
catalog_pure(const struct catalog *c, const struct stmt *s)
{
	OBJ_CHECK(c, CATALOG_MAGIC);
	if (s->nfunctions == 0)
		return true;
	if (c->state != LOADED)
		return false;
	for (unsigned i = 0; i < s->nfunctions; i++)
		if (!pure(c, &s->functions[i]))
			return false;
	return true;
}

void
catalog_changed(struct catalog *c)
{
	OBJ_CHECK(c, CATALOG_MAGIC);
	c->epoch++;
	c->stale = true;
	if (c->state == LOADED)
		c->state = EMPTY;
}

uint64_t
catalog_epoch(const struct catalog *c)
{
	OBJ_CHECK(c, CATALOG_MAGIC);
	return c->epoch;
}

void
catalog_free(struct catalog **pc)
{
	struct catalog *c;

	OBJ_TAKE(c, pc, CATALOG_MAGIC);
	assert(!c->asked && list_empty(&c->waits));
	forget_functions(c);
	OBJ_FINI(c);
	mem_free(c);
}
