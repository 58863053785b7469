/* SPDX-License-Identifier: MIT */
#include "catalog.h"

#include <string.h>

#include "catalog_int.h"
#include "loop.h"
#include "pool.h"

/* A doubt loads again no sooner than so long after the last load. */
#define DOUBT_US 1000000

struct catalog {
	unsigned magic;
#define CATALOG_MAGIC 0xca7a1096
	struct loop *loop;
	struct pool *pool;
	struct catalog_epoch *epoch;
	struct catalog_snapshot *snapshot; /* NULL: nothing is known */
	struct list waits;
	struct pgreq req;
	struct pool_job job;
	bool asked;	     /* LOADING: req or job is under way */
	bool again;	     /* that load is the second in a row */
	bool doubted;	     /* since the last load began */
	uint64_t load_epoch; /* when it began */
	int64_t loaded_us;   /* when the last one ended */
	struct err err;	     /* of the last load */
};

static void load(struct catalog *c);

static uint64_t
epoch_now(const struct catalog *c)
{
	return __atomic_load_n(&c->epoch->n, __ATOMIC_ACQUIRE);
}

static bool
is_current(const struct catalog *c)
{
	return c->snapshot != NULL && c->snapshot->epoch == epoch_now(c);
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

/* ---- loading ----------------------------------------------------------- */

/* Nobody has told of a change and yet something is different: it was made
 * elsewhere.  Whoever finds it first says so; a snapshot that lost that race
 * stays behind the epoch and is loaded again. */
static void
announce(struct catalog *c, struct catalog_snapshot *fresh)
{
	uint64_t seen = fresh->epoch;

	if (!is_current(c) || c->snapshot->epoch != seen ||
	    c->snapshot->digest == fresh->digest)
		return;
	if (__atomic_compare_exchange_n(&c->epoch->n, &seen, seen + 1, false,
					__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		fresh->epoch++;
}

static void
take(struct catalog *c, struct rows *r)
{
	struct catalog_snapshot *fresh = catalog_build(r, c->load_epoch,
						       &c->err);

	if (fresh == NULL)
		return;
	announce(c, fresh);
	if (c->snapshot != NULL)
		catalog_snapshot_unpin(&c->snapshot);
	c->snapshot = fresh;
}

static void
load_over(struct catalog *c)
{
	c->asked = false;
	c->loaded_us = loop_now_us(c->loop);
	/* Changed meanwhile: those who wait get a second try. */
	if (c->err.code == 0 && !is_current(c) && !c->again &&
	    !list_empty(&c->waits)) {
		load(c);
		c->again = true;
		return;
	}
	tell(c);
}

static void
on_rows(struct pgreq *r)
{
	struct catalog *c = CONTAINER_OF(r, struct catalog, req);

	OBJ_CHECK(c, CATALOG_MAGIC);
	if (r->fate == PGREQ_DONE && r->rows != NULL) {
		take(c, r->rows);
		rows_unpin(&r->rows);
	} else {
		c->err = r->err;
		if (c->err.code == 0)
			err_set(&c->err, LUNATE_ELOST,
				"the connection was lost");
	}
	if (c->err.code != 0)
		err_wrap(&c->err, "load the catalog");
	load_over(c);
}

static void
on_refused(struct pool_job *job, const struct err *e)
{
	struct catalog *c = CONTAINER_OF(job, struct catalog, job);

	OBJ_CHECK(c, CATALOG_MAGIC);
	c->err = *e;
	err_wrap(&c->err, "load the catalog");
	load_over(c);
}

static void
load(struct catalog *c)
{
	assert(!c->asked);
	c->asked = true;
	c->again = c->doubted = false;
	c->load_epoch = epoch_now(c);
	err_clear(&c->err);
	memset(&c->req, 0, sizeof(c->req));
	memset(&c->job, 0, sizeof(c->job));
	pgreq_init(&c->req);
	c->req.flags = PGREQ_READ | PGREQ_UNNAMED;
	c->req.sql = catalog_load_sql;
	c->req.len = strlen(catalog_load_sql);
	c->req.done = on_rows;
	c->job.want = POOL_SOLO;
	c->job.mode = POOL_READ;
	c->job.req = &c->req;
	c->job.refused = on_refused;
	pool_submit(c->pool, &c->job, GATE_CRITICAL, 0);
}

/* ---- what others ask ---------------------------------------------------- */

struct catalog *
catalog_new(struct loop *loop, struct pool *pool, struct catalog_epoch *epoch)
{
	struct catalog *c = mem_new(sizeof(*c));

	OBJ_INIT(c, CATALOG_MAGIC);
	c->loop = loop;
	c->pool = pool;
	c->epoch = epoch;
	list_init(&c->waits);
	return c;
}

struct catalog_snapshot *
catalog_current(struct catalog *c)
{
	OBJ_CHECK(c, CATALOG_MAGIC);
	if (c->snapshot != NULL && !is_current(c))
		catalog_snapshot_unpin(&c->snapshot);
	if (c->snapshot != NULL && c->doubted && !c->asked &&
	    loop_now_us(c->loop) - c->loaded_us >= DOUBT_US)
		load(c);
	return c->snapshot;
}

bool
catalog_loaded(struct catalog *c)
{
	return catalog_current(c) != NULL;
}

void
catalog_need(struct catalog *c)
{
	if (catalog_current(c) == NULL && !c->asked)
		load(c);
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
	if (!c->asked)
		load(c);
}

void
catalog_unwait(struct catalog_wait *w)
{
	list_remove(&w->link);
}

const struct err *
catalog_err(const struct catalog *c)
{
	OBJ_CHECK(c, CATALOG_MAGIC);
	return &c->err;
}

bool
catalog_pure(struct catalog *c, const struct stmt *s)
{
	const struct catalog_snapshot *known = catalog_current(c);
	bool unknown, pure;

	if (known == NULL)
		return s->nfunctions == 0;
	pure = catalog_snapshot_pure(known, s, &unknown);
	if (unknown)
		catalog_doubt(c);
	return pure;
}

void
catalog_changed(struct catalog *c)
{
	OBJ_CHECK(c, CATALOG_MAGIC);
	__atomic_add_fetch(&c->epoch->n, 1, __ATOMIC_ACQ_REL);
}

void
catalog_doubt(struct catalog *c)
{
	OBJ_CHECK(c, CATALOG_MAGIC);
	c->doubted = true;
	(void)catalog_current(c); /* loads again if it may */
}

void
catalog_saw(struct catalog *c, const struct err *e)
{
	static const char *const states[] = {
		"3F000", /* schema */
		"42703", /* column */
		"42704", /* type, operator, constraint, ... */
		"42809", /* another kind of object than it was */
		"42883", /* function, operator */
		"42P01", /* relation */
	};
	bool doubtful = strcmp(e->sqlstate, "0A000") == 0 &&
			strcmp(e->routine, "RevalidateCachedQuery") == 0;

	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++)
		doubtful = doubtful || strcmp(e->sqlstate, states[i]) == 0;
	if (doubtful)
		catalog_doubt(c);
}

uint64_t
catalog_epoch(const struct catalog *c)
{
	OBJ_CHECK(c, CATALOG_MAGIC);
	return epoch_now(c);
}

void
catalog_verify(const struct catalog *c)
{
	OBJ_CHECK(c, CATALOG_MAGIC);
	assert(c->asked || list_empty(&c->waits));
	if (c->snapshot == NULL)
		return;
	OBJ_CHECK(c->snapshot, CATALOG_SNAPSHOT_MAGIC);
	assert(c->snapshot->refs > 0 && c->snapshot->epoch <= epoch_now(c));
	for (unsigned i = 0; i < c->snapshot->ntables; i++)
		assert(catalog_table_by_oid(c->snapshot,
					    c->snapshot->tables[i].oid) ==
		       &c->snapshot->tables[i]);
}

void
catalog_free(struct catalog **pc)
{
	struct catalog *c;

	OBJ_TAKE(c, pc, CATALOG_MAGIC);
	assert(!c->asked);
	c->doubted = false; /* nobody loads any more */
	tell(c);
	if (c->snapshot != NULL)
		catalog_snapshot_unpin(&c->snapshot);
	OBJ_FINI(c);
	mem_free(c);
}
