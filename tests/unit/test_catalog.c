/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "catalog_rig.h"

/* ---- changes ------------------------------------------------------------ */

static void
a_change_is_loaded_at_the_next_question_and_a_pin_outlives_it(void **state)
{
	struct rig *g = rig_open(server_url, "app");
	struct catalog_snapshot *old = catalog_snapshot_pin(loaded(g));
	uint64_t before = catalog_epoch(g->catalog);

	server_sql("CREATE TABLE app.fresh (id int)");
	assert_null(catalog_table(catalog_current(g->catalog), "app", "fresh"));
	catalog_changed(g->catalog);
	assert_true(catalog_epoch(g->catalog) > before);
	assert_false(catalog_loaded(g->catalog));
	assert_non_null(catalog_table(loaded(g), "app", "fresh"));
	assert_int_equal(catalog_snapshot_epoch(catalog_current(g->catalog)),
			 catalog_epoch(g->catalog));
	assert_null(catalog_table(old, "app", "fresh"));
	assert_string_equal(catalog_table(old, "app", "clinics")->name,
			    "clinics");
	catalog_snapshot_unpin(&old);
	rig_close(g);
	server_sql("DROP TABLE app.fresh");
}

static void
a_change_seen_by_one_worker_reaches_the_others(void **state)
{
	struct rig *a = rig_open(server_url, "app");
	struct rig *b = rig_open(server_url, "app");

	loaded(a);
	loaded(b);
	catalog_changed(a->catalog);
	assert_false(catalog_loaded(b->catalog));
	assert_int_equal(catalog_epoch(a->catalog), catalog_epoch(b->catalog));
	loaded(b);
	assert_false(catalog_loaded(a->catalog));
	loaded(a);
	assert_true(catalog_loaded(b->catalog));
	rig_close(a);
	rig_close(b);
}

static void
a_change_while_loading_is_not_missed(void **state)
{
	struct rig *g = rig_open(server_url, "app");
	struct catalog_wait w;
	bool done = false;

	catalog_wait_init(&w);
	catalog_wait(g->catalog, &w, arrived, &done);
	catalog_changed(g->catalog);
	while (!done)
		loop_turn(g->loop, 1.0);
	assert_true(catalog_loaded(g->catalog));
	assert_int_equal(catalog_snapshot_epoch(catalog_current(g->catalog)),
			 catalog_epoch(g->catalog));
	rig_close(g);
}

/* Until the epoch grows, or `seconds` have passed. */
static bool
epoch_grows(struct rig *g, uint64_t from, double seconds)
{
	int64_t end = loop_now_us(g->loop) + (int64_t)(seconds * 1e6);

	while (catalog_epoch(g->catalog) == from) {
		if (loop_now_us(g->loop) > end)
			return false;
		(void)catalog_loaded(g->catalog);
		loop_turn(g->loop, 0.05);
	}
	return true;
}

static void
ddl_made_elsewhere_is_found_by_a_name_that_is_not_known(void **state)
{
	struct rig *g = rig_open(server_url, "app");
	uint64_t before;

	loaded(g);
	before = catalog_epoch(g->catalog);
	server_sql("CREATE TABLE app.news (id int)");
	assert_false(pure(g, "SELECT * FROM news"));
	assert_true(catalog_loaded(g->catalog)); /* the old one serves on */
	assert_true(epoch_grows(g, before, 20));
	assert_true(pure(g, "SELECT * FROM news"));
	rig_close(g);
	server_sql("DROP TABLE app.news");
}

static void
ddl_made_elsewhere_is_found_by_an_error_of_the_server(void **state)
{
	struct rig *g = rig_open(server_url, "app");
	struct err e;
	uint64_t before;

	loaded(g);
	before = catalog_epoch(g->catalog);
	server_sql("CREATE TABLE app.news (id int)");
	err_set(&e, LUNATE_EVALUE, "no number");
	strcpy(e.sqlstate, "22P02");
	catalog_saw(g->catalog, &e);
	assert_false(epoch_grows(g, before, 1.5));
	strcpy(e.sqlstate, "0A000");
	strcpy(e.routine, "RevalidateCachedQuery");
	catalog_saw(g->catalog, &e);
	assert_true(epoch_grows(g, before, 20));
	rig_close(g);
	server_sql("DROP TABLE app.news");
}

static void
a_doubt_that_was_wrong_changes_no_epoch(void **state)
{
	struct rig *g = rig_open(server_url, "app");
	struct catalog_snapshot *old;
	uint64_t before;

	old = catalog_snapshot_pin(loaded(g));
	before = catalog_epoch(g->catalog);
	server_sql("ANALYZE app.visits");
	server_sql("CREATE TEMP TABLE x (id int PRIMARY KEY)");
	server_sql("CREATE TEMP VIEW y AS SELECT * FROM x");
	catalog_doubt(g->catalog);
	while (catalog_current(g->catalog) == old)
		loop_turn(g->loop, 0.05);
	assert_null(catalog_table(catalog_current(g->catalog), NULL, "x"));
	assert_int_equal(catalog_epoch(g->catalog), before);
	server_sql("DISCARD TEMP");
	catalog_snapshot_unpin(&old);
	rig_close(g);
}

/* A worker on its own thread: loads and changes in turn.  Gives how many of
 * its snapshots were behind the epoch they were given for. */
static void *
work(void *arg)
{
	struct rig *g = rig_open(server_url, "app");
	struct catalog_snapshot *s;
	intptr_t wrong = 0;

	(void)arg;
	for (int i = 0; i < 10; i++) {
		uint64_t before = catalog_epoch(g->catalog);

		load(g);
		s = catalog_current(g->catalog);
		if (s != NULL && catalog_snapshot_epoch(s) < before)
			wrong++;
		catalog_changed(g->catalog);
	}
	rig_close(g);
	return (void *)wrong;
}

static void
workers_on_threads_of_their_own_share_the_epoch(void **state)
{
	uint64_t before = __atomic_load_n(&epoch.n, __ATOMIC_ACQUIRE);
	pthread_t threads[2];
	void *wrong;

	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, NULL),
				 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(threads[i], &wrong), 0);
		assert_null(wrong);
	}
	assert_int_equal(epoch.n, before + 20);
}

/* ---- failures ----------------------------------------------------------- */

static void
a_failed_load_leaves_nothing_known_and_says_why(void **state)
{
	struct rig *g = rig_open(server_url, "app");
	struct err why;

	err_set(&why, LUNATE_ECLOSED, "no more");
	pool_close(g->pool, &why);
	load(g);
	assert_false(catalog_loaded(g->catalog));
	assert_int_equal(catalog_err(g->catalog)->code, LUNATE_ECLOSED);
	assert_string_equal(catalog_err(g->catalog)->text,
			    "load the catalog: no more");
	assert_false(pure(g, "SELECT lower('A')"));
	rig_close(g);
}

static void
the_end_of_the_catalog_tells_those_who_wait(void **state)
{
	struct rig *g = rig_open(server_url, "app");
	struct catalog_wait a, b;
	bool done_a = false, done_b = false;

	catalog_wait_init(&a);
	catalog_wait_init(&b);
	catalog_wait(g->catalog, &a, arrived, &done_a);
	catalog_wait(g->catalog, &b, arrived, &done_b);
	catalog_unwait(&b);
	rig_close(g);
	assert_true(done_a);
	assert_false(done_b);
}

/* A path that puts traps before pg_catalog. */
static void
the_search_path_of_the_session_does_not_matter(void **state)
{
	static const char trap[] =
		"CREATE SCHEMA evil;"
		"CREATE TABLE evil.pg_class (oid oid);"
		"CREATE TABLE evil.pg_proc (oid oid);"
		"CREATE FUNCTION evil.no(oid, oid) RETURNS bool LANGUAGE sql"
		" AS 'SELECT false';"
		"CREATE OPERATOR evil.= (LEFTARG = oid, RIGHTARG = oid,"
		" FUNCTION = evil.no);"
		"CREATE FUNCTION evil.regexp_matches(text, text, text) RETURNS"
		" SETOF text[] LANGUAGE sql AS 'SELECT NULL::text[]';"
		"CREATE DOMAIN evil.text AS int;"
		"CREATE DOMAIN evil.oid AS int;"
		"CREATE SCHEMA app; CREATE SEQUENCE app.seq;"
		"CREATE VIEW app.v AS SELECT nextval('app.seq') AS n;"
		"CREATE TABLE app.t (id int PRIMARY KEY);"
		"ALTER DATABASE trap SET search_path = evil, pg_catalog;";
	char url[200];
	PGconn *pg;
	const struct catalog_snapshot *s;
	const char *const *path;
	struct rig *g;

	server_sql("CREATE DATABASE trap");
	snprintf(url, sizeof(url),
		 "postgresql:///trap?host=%s&port=5432&user=postgres",
		 server_dir);
	pg = PQconnectdb(url);
	PQclear(PQexec(pg, trap));
	assert_string_equal(PQerrorMessage(pg), "");
	PQfinish(pg);
	g = rig_open(url, NULL);
	s = loaded(g);
	assert_true(catalog_table(s, "app", "v")->impure);
	assert_string_equal(
		catalog_column_by_num(catalog_table(s, "app", "t"), 1)
			->type_name,
		"int4");
	assert_non_null(catalog_primary_key(catalog_table(s, "app", "t")));
	assert_int_equal(catalog_path(s, &path), 2);
	assert_string_equal(path[0], "evil");
	assert_string_equal(catalog_table(s, NULL, "pg_class")->schema, "evil");
	assert_true(pure(g, "SELECT lower('A')"));
	rig_close(g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_change_is_loaded_at_the_next_question_and_a_pin_outlives_it),
		cmocka_unit_test(
			a_change_seen_by_one_worker_reaches_the_others),
		cmocka_unit_test(a_change_while_loading_is_not_missed),
		cmocka_unit_test(
			ddl_made_elsewhere_is_found_by_a_name_that_is_not_known),
		cmocka_unit_test(
			ddl_made_elsewhere_is_found_by_an_error_of_the_server),
		cmocka_unit_test(a_doubt_that_was_wrong_changes_no_epoch),
		cmocka_unit_test(
			workers_on_threads_of_their_own_share_the_epoch),
		cmocka_unit_test(
			a_failed_load_leaves_nothing_known_and_says_why),
		cmocka_unit_test(the_end_of_the_catalog_tells_those_who_wait),
		cmocka_unit_test(
			the_search_path_of_the_session_does_not_matter),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
