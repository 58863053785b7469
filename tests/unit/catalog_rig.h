/* SPDX-License-Identifier: MIT
 *
 * catalog_rig - for tests of the catalog: a server with one relation of every
 * kind, and what a worker has, without the worker.
 *
 *	struct rig *g = rig_open(server_url, "app");
 *	loaded(g);			// loads, and gives the snapshot
 *	rig_close(g);
 *
 * set_up() and tear_down() belong to the group.  `shared` is a rig for all
 * tests that only look; known() and table() look in it.
 *
 * Include after cmocka.h.
 */
#ifndef CATALOG_RIG_H
#define CATALOG_RIG_H

#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "catalog_int.h"
#include "loop.h"
#include "mem.h"
#include "pool.h"
#include "server.h"

/* What a worker has, without the worker. */
struct rig {
	struct loop *loop;
	struct crew *crew;
	struct pgurl *url;
	struct pool_budget budget;
	struct pool_target target;
	struct pool *pool;
	struct catalog *catalog;
};

UNUSED static struct catalog_epoch epoch;
static char server_url[200];

static const char schema_sql[] =
	"CREATE SCHEMA app;"
	"CREATE SCHEMA other;"
	"SET search_path = app, public;"
	"CREATE SEQUENCE seq;"
	"CREATE TABLE clinics (id int PRIMARY KEY, name text NOT NULL,"
	" code text, gone int, note text DEFAULT 'x', UNIQUE (code, name));"
	"ALTER TABLE clinics DROP COLUMN gone;"
	"CREATE UNIQUE INDEX clinics_note ON clinics (note) WHERE id > 3;"
	"CREATE UNIQUE INDEX clinics_low ON clinics (lower(name));"
	"CREATE TABLE visits (id bigint GENERATED ALWAYS AS IDENTITY,"
	" clinic int, twice int GENERATED ALWAYS AS (clinic * 2) STORED,"
	" PRIMARY KEY (id) INCLUDE (clinic),"
	" UNIQUE (clinic) DEFERRABLE,"
	" CONSTRAINT to_clinic FOREIGN KEY (clinic) REFERENCES clinics (id)"
	" ON DELETE CASCADE);"
	"CREATE TABLE pair_to (x int, y text, UNIQUE (y, x));"
	"CREATE TABLE pair (a int, b text, FOREIGN KEY (b, a) REFERENCES"
	" pair_to (y, x));";

static const char more_sql[] =
	"SET search_path = app, public;"
	"CREATE UNLOGGED TABLE scratch (a int[]);"
	"CREATE TABLE other.clinics (id text);"
	"CREATE TABLE public.clinics (id uuid);"
	"CREATE TABLE public.only_public (id uuid);"
	"CREATE TABLE log (at date, x int) PARTITION BY RANGE (at);"
	"CREATE TABLE log_2024 PARTITION OF log"
	" FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');"
	"CREATE TABLE child () INHERITS (clinics);"
	"CREATE FUNCTION touch() RETURNS int LANGUAGE sql AS"
	" 'SELECT nextval(''app.seq'')::int';"
	"CREATE FUNCTION calm() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';"
	"CREATE FUNCTION random() RETURNS int LANGUAGE sql AS"
	" 'SELECT nextval(''app.seq'')::int';"
	"CREATE FUNCTION mixed(int) RETURNS int LANGUAGE sql STABLE AS"
	" 'SELECT 1';"
	"CREATE FUNCTION mixed(int, int) RETURNS int LANGUAGE sql AS"
	" 'SELECT 1';"
	"CREATE FUNCTION deft(int, int DEFAULT 1) RETURNS int LANGUAGE sql"
	" STABLE AS 'SELECT 1';"
	"CREATE FUNCTION vary(VARIADIC int[]) RETURNS int LANGUAGE sql STABLE"
	" AS 'SELECT 1';"
	"CREATE FUNCTION step(int, int) RETURNS int LANGUAGE sql AS"
	" 'SELECT nextval(''app.seq'')::int';"
	"CREATE AGGREGATE wild(int) (SFUNC = step, STYPE = int);"
	"CREATE FUNCTION same(int, int) RETURNS bool LANGUAGE sql AS"
	" 'SELECT nextval(''app.seq'') > 0';"
	"CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int,"
	" FUNCTION = same);";

static const char views_sql[] =
	"SET search_path = app, public;"
	"CREATE VIEW v_plain AS SELECT id, name FROM clinics;"
	"CREATE VIEW v_next AS SELECT pg_catalog.nextval('seq') AS n;"
	"CREATE VIEW v_over AS SELECT n FROM v_next, clinics;"
	"CREATE VIEW v_deep AS SELECT 1 WHERE EXISTS (SELECT FROM v_over);"
	"CREATE VIEW v_random AS SELECT pg_catalog.random() AS r;"
	"CREATE VIEW v_user AS SELECT touch() AS r;"
	"CREATE VIEW v_op AS SELECT id === 1 AS r FROM clinics;"
	"CREATE VIEW v_agg AS SELECT wild(id) FROM clinics;"
	"CREATE VIEW v_notify AS SELECT pg_catalog.pg_notify('a', 'b')::text;"
	"CREATE VIEW v_from AS SELECT * FROM touch() AS t;"
	"CREATE VIEW v_cte AS WITH x AS (SELECT touch()) SELECT * FROM x;"
	"CREATE VIEW v_invoker WITH (security_invoker = true) AS"
	" SELECT 1 AS one;"
	"CREATE VIEW v_name AS SELECT 1 AS \":funcid 1574\";"
	"CREATE VIEW v_system AS SELECT * FROM pg_settings;"
	"CREATE MATERIALIZED VIEW m_next AS SELECT nextval('seq') AS n;"
	"CREATE TABLE guarded (id int);"
	"ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;"
	"ALTER TABLE guarded FORCE ROW LEVEL SECURITY;"
	"CREATE POLICY p ON guarded USING (touch() > 0);"
	"CREATE VIEW v_guarded AS SELECT * FROM guarded;"
	"CREATE TABLE guarded_in (id int);"
	"CREATE POLICY p ON guarded_in FOR INSERT WITH CHECK (touch() > 0);"
	"CREATE FOREIGN DATA WRAPPER nothing;"
	"CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;"
	"CREATE FOREIGN TABLE far (id int) SERVER nowhere;"
	"CREATE TABLE spread (id int) PARTITION BY LIST (id);"
	"CREATE FOREIGN TABLE spread_1 PARTITION OF spread FOR VALUES IN (1)"
	" SERVER nowhere;"
	"INSERT INTO clinics SELECT g, 'c' || g, g, 'n' || g"
	" FROM generate_series(1, 500) g; ANALYZE clinics;";

/* ---- rig ---------------------------------------------------------------- */

UNUSED static struct rig *
rig_open(const char *url, const char *schema)
{
	struct pool_rules rules = {.max = 2,
				   .max_logins = 2,
				   .group_size = 8,
				   .prepared_max = 8,
				   .connect_us = 20000000,
				   .acquire_us = 20000000,
				   .idle_us = INT64_MAX,
				   .validate_us = INT64_MAX,
				   .leak_us = INT64_MAX / 4,
				   .queue_max = 100,
				   .age_ms = 1000,
				   .timeout_ms = {30000, 30000, 30000}};
	struct rig *g = mem_new(sizeof(*g));
	struct pool_base base;
	struct err e;

	g->loop = loop_new();
	g->crew = crew_new(1);
	assert_int_equal(pgurl_new(&g->url, "url", url, &e), 0);
	budget_init(&g->budget, 2);
	g->target = (struct pool_target){
		.url = g->url, .name = "test", .schema = schema};
	base = (struct pool_base){.loop = g->loop,
				  .crew = g->crew,
				  .target = &g->target,
				  .budget = &g->budget};
	g->pool = pool_new(&base, &rules);
	g->catalog = catalog_new(g->loop, g->pool, &epoch);
	return g;
}

UNUSED static void
rig_close(struct rig *g)
{
	struct err why;

	err_set(&why, LUNATE_ECLOSED, "the test is over");
	pool_close(g->pool, &why);
	pool_free(&g->pool);
	catalog_free(&g->catalog);
	budget_fini(&g->budget);
	pgurl_free(&g->url);
	crew_free(&g->crew, 2000);
	loop_free(&g->loop);
	mem_free(g);
}

UNUSED static void
arrived(void *arg)
{
	*(bool *)arg = true;
}

UNUSED static void
load(struct rig *g)
{
	struct catalog_wait w;
	bool done = false;

	catalog_wait_init(&w);
	catalog_wait(g->catalog, &w, arrived, &done);
	assert_false(done);
	while (!done) {
		catalog_verify(g->catalog);
		loop_turn(g->loop, 1.0);
	}
	catalog_verify(g->catalog);
}

UNUSED static struct catalog_snapshot *
loaded(struct rig *g)
{
	load(g);
	assert_int_equal(catalog_err(g->catalog)->code, 0);
	assert_true(catalog_loaded(g->catalog));
	return catalog_current(g->catalog);
}

UNUSED static bool
pure(struct rig *g, const char *sql)
{
	struct stmt *s;
	struct err e;
	bool yes;

	if (stmt_get(sql, strlen(sql), &s, &e) < 0)
		fail_msg("%s: %s", sql, e.text);
	assert_true(s->flags & STMT_READS_ONLY);
	yes = catalog_pure(g->catalog, s);
	stmt_unpin(&s);
	return yes;
}

/* One rig for all that only looks. */
UNUSED static struct rig *shared;

UNUSED static struct catalog_snapshot *
known(void)
{
	return catalog_loaded(shared->catalog)
		       ? catalog_current(shared->catalog)
		       : loaded(shared);
}

UNUSED static const struct catalog_table *
table(const char *name)
{
	const struct catalog_table *t = catalog_table(known(), "app", name);

	if (t == NULL)
		fail_msg("no relation app.%s", name);
	return t;
}

UNUSED static int
set_up(void **state)
{
	(void)state;
	server_need();
	snprintf(server_url, sizeof(server_url),
		 "postgresql:///lunate_test?host=%s&port=5432&user=postgres",
		 server_dir);
	server_sql(schema_sql);
	server_sql(more_sql);
	server_sql(views_sql);
	shared = rig_open(server_url, "app");
	return 0;
}

UNUSED static int
tear_down(void **state)
{
	if (shared != NULL)
		rig_close(shared);
	server_end(state);
	stmt_forget();
	return 0;
}

#endif
