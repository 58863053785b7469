/* SPDX-License-Identifier: MIT */
#include "limits.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "runtime.h"

#define AGAIN_US 60000000
#define A_FEW 4

struct limits {
	unsigned magic;
#define LIMITS_MAGIC 0x11317501
	struct worker *w;
	struct pgreq req;
	struct pool_job job;
	bool asking;	  /* one of both is under way */
	int64_t asked_us; /* 0 = never */
};

/* reserved_connections came with PostgreSQL 16. */
static const char limits_sql[] =
	"SELECT pg_catalog.current_setting('max_connections'), "
	"CASE WHEN r.rolsuper THEN 0 ELSE "
	"pg_catalog.current_setting('superuser_reserved_connections')::int + "
	"coalesce(pg_catalog.current_setting('reserved_connections', "
	"true)::int, 0) END, "
	"(SELECT pg_catalog.sum(numbackends) FROM "
	"pg_catalog.pg_stat_database), r.rolconnlimit, d.datconnlimit "
	"FROM pg_catalog.pg_roles r, pg_catalog.pg_database d "
	"WHERE r.rolname = current_user "
	"AND d.datname = pg_catalog.current_database()";

static int64_t
least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int
limits_left(const struct limits_facts *f, int ours)
{
	int64_t others = f->clients > ours ? f->clients - ours : 0;
	int64_t left = f->max_connections - f->reserved - others;

	if (f->role_limit >= 0)
		left = least(left, f->role_limit);
	if (f->database_limit >= 0)
		left = least(left, f->database_limit);
	if (left < 1)
		return 1;
	return left < INT32_MAX ? (int)left : INT32_MAX;
}

static int64_t
number_at(const struct rows *r, int col)
{
	size_t len;
	const char *s = rows_cell(r, 0, col, &len);

	return s != NULL ? atoll(s) : -1;
}

/* A pool_max that nobody chose is an upper bound, not a wish. */
static bool
chosen(const struct runtime *rt)
{
	return rt->config.origin[CONFIG_KEY_pool_max].source != CONFIG_DEFAULT;
}

static void
clamp(struct limits *l, int left)
{
	struct runtime *rt = l->w->rt;
	int wanted = rt->pool_rules.max, before = pool_max(l->w->pool);
	int max = left < wanted ? left : wanted;

	if (max == before)
		return;
	pool_set_max(l->w->pool, max);
	__atomic_store_n(&rt->budget.max, max, __ATOMIC_RELAXED);
	if (max < wanted)
		log_at(&rt->log, chosen(rt) ? LOG_AT_WARN : LOG_AT_DEBUG,
		       "pool", "pool_max lowered to what the server has left",
		       LOG_INT("pool_max", wanted), LOG_INT("now", max),
		       LOG_STR("remedy", "lower DB_POOL_MAX or raise the "
					 "server's max_connections"));
}

static void
take(struct limits *l, const struct rows *r)
{
	struct pool_budget *b = &l->w->rt->budget;
	struct limits_facts f = {.max_connections = number_at(r, 0),
				 .reserved = number_at(r, 1),
				 .clients = number_at(r, 2),
				 .role_limit = number_at(r, 3),
				 .database_limit = number_at(r, 4)};

	clamp(l, limits_left(&f, __atomic_load_n(&b->open, __ATOMIC_RELAXED)));
}

static void
on_rows(struct pgreq *r)
{
	struct limits *l = CONTAINER_OF(r, struct limits, req);

	OBJ_CHECK(l, LIMITS_MAGIC);
	l->asking = false;
	if (r->rows == NULL)
		return;
	if (r->fate == PGREQ_DONE && rows_count(r->rows) == 1)
		take(l, r->rows);
	rows_unpin(&r->rows);
}

static void
on_refused(struct pool_job *job, const struct err *e)
{
	struct limits *l = CONTAINER_OF(job, struct limits, job);

	OBJ_CHECK(l, LIMITS_MAGIC);
	log_debug(&l->w->rt->log, "pool", "the server's limits are unknown",
		  LOG_STR("why", e->text));
	l->asking = false;
}

struct limits *
limits_new(struct worker *w)
{
	struct limits *l = mem_new(sizeof(*l));

	OBJ_INIT(l, LIMITS_MAGIC);
	l->w = w;
	return l;
}

static void
ask(struct limits *l)
{
	memset(&l->req, 0, sizeof(l->req));
	memset(&l->job, 0, sizeof(l->job));
	pgreq_init(&l->req);
	l->req.flags = PGREQ_READ | PGREQ_UNNAMED;
	l->req.sql = limits_sql;
	l->req.len = sizeof(limits_sql) - 1;
	l->req.done = on_rows;
	l->job.want = POOL_SOLO;
	l->job.mode = POOL_READ;
	l->job.req = &l->req;
	l->job.refused = on_refused;
	pool_submit(l->w->pool, &l->job, GATE_CRITICAL, 0);
}

/* A script that never grows past a few connections under a pool_max that
 * nobody chose pays nothing. */
static bool
matters(const struct limits *l)
{
	struct runtime *rt = l->w->rt;

	return chosen(rt) ||
	       __atomic_load_n(&rt->budget.open, __ATOMIC_RELAXED) >= A_FEW;
}

void
limits_look(struct limits *l)
{
	int64_t now;

	OBJ_CHECK(l, LIMITS_MAGIC);
	now = loop_now_us(l->w->loop);
	if (l->asking || l->w->closing || !matters(l) ||
	    (l->asked_us != 0 && now - l->asked_us < AGAIN_US))
		return;
	l->asking = true;
	l->asked_us = now;
	ask(l);
}

void
limits_free(struct limits **pl)
{
	struct limits *l;

	OBJ_TAKE(l, pl, LIMITS_MAGIC);
	assert(!l->asking);
	OBJ_FINI(l);
	mem_free(l);
}
