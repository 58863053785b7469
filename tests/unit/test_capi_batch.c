/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "capi.h"

#define N 60

static struct lunate_call calls[N];
static struct lunate_outcome outcomes[N];

static int
begin(void **state)
{
	capi_begin("4");
	memset(outcomes, 0, sizeof(outcomes));
	for (int i = 0; i < N; i++)
		calls[i] = lunate_sql("select 1", NULL, 0);
	return 0;
}

static int
end(void **state)
{
	for (int i = 0; i < N; i++)
		lunate_rows_free(&outcomes[i].rows);
	capi_end();
	return 0;
}

static void
every_call_of_a_batch_has_its_own_answer(void **state)
{
	struct lunate_operations b = lunate_batch_of(calls, outcomes, N);
	struct lunate_value v[N];

	for (int i = 0; i < N; i++) {
		v[i] = lunate_int(i);
		calls[i] = lunate_sql("select $1::int", &v[i], 1);
	}
	b.failures = 99;
	ok(lunate_batch(db, &b, &er));
	assert_int_equal(b.failures, 0);
	for (int i = 0; i < N; i++) {
		int64_t n;

		assert_int_equal(outcomes[i].error.code, 0);
		ok(lunate_rows_int(outcomes[i].rows, 0, 0, &n));
		assert_int_equal(n, i);
	}
}

static void
one_that_fails_stops_no_other(void **state)
{
	struct lunate_operations b = lunate_batch_of(calls, outcomes, N);

	for (int i = 0; i < N; i += 3)
		calls[i].sql = i % 2 == 0 ? "select 1/0" : "selec";
	ok(lunate_batch(db, &b, &er));
	assert_int_equal(b.failures, N / 3);
	for (int i = 0; i < N; i++) {
		int want = i % 3 != 0	? 0
			   : i % 2 == 0 ? LUNATE_EVALUE
					: LUNATE_ESYNTAX;

		assert_int_equal(outcomes[i].error.code, want);
		assert_true((outcomes[i].rows != NULL) == (want == 0));
	}
}

/* How often a statement ran that conflicts every time. */
static int
attempts(int retries)
{
	struct lunate_operations b = lunate_batch_of(calls, outcomes, 2);
	int before = server_int("select last_value from tries");

	calls[0].sql = "select conflicts()";
	b.retries = retries;
	ok(lunate_batch(db, &b, &er));
	assert_int_equal(b.failures, 1);
	assert_int_equal(outcomes[0].error.code, LUNATE_ECONFLICT);
	assert_int_equal(outcomes[0].error.retryable, 1);
	lunate_rows_free(&outcomes[1].rows);
	return server_int("select last_value from tries") - before;
}

/* A single statement is tried again by the runtime as well. */
static void
what_is_retryable_is_tried_again_as_often_as_said(void **state)
{
	int once;

	ok(capi_run("drop sequence if exists tries"));
	ok(capi_run("create sequence tries"));
	ok(capi_run("create or replace function conflicts() returns int "
		    "language plpgsql as $$ begin perform nextval('tries'); "
		    "raise exception 'x' using errcode = '40001'; end $$"));
	(void)attempts(0); /* the first value of a sequence is no step */
	once = attempts(0);
	assert_true(once >= 1);
	assert_int_equal(attempts(2), 3 * once);
}

static void
at_most_as_many_as_said_run_at_once(void **state)
{
	struct lunate_operations b = lunate_batch_of(calls, outcomes, 8);

	for (int i = 0; i < 8; i++)
		calls[i].sql =
			"select count(*) from pg_stat_activity, "
			"pg_sleep(0.02) where state = 'active' and query "
			"like '%pg_sleep%' and application_name = 'lunate'";
	b.concurrency = 2;
	ok(lunate_batch(db, &b, &er));
	assert_int_equal(b.failures, 0);
	for (int i = 0; i < 8; i++) {
		int64_t n;

		ok(lunate_rows_int(outcomes[i].rows, 0, 0, &n));
		assert_in_range(n, 1, 2);
	}
}

/* The order in which inserts reached the table, with one at a time. */
static void
the_more_urgent_go_first(void **state)
{
	const char *sql = "insert into urgent (p) values ($1)";
	const int order[] = {LUNATE_PRIORITY_LOW, LUNATE_PRIORITY_NORMAL,
			     LUNATE_PRIORITY_HIGH, LUNATE_PRIORITY_CRITICAL};
	struct lunate_value v[12];
	struct lunate_operations b = lunate_batch_of(calls, outcomes, 12);

	ok(capi_run("drop table if exists urgent"));
	ok(capi_run("create table urgent (id serial, p int)"));
	for (int i = 0; i < 12; i++) {
		v[i] = lunate_int(order[i % 4]);
		calls[i] = lunate_sql(sql, &v[i], 1);
		calls[i].priority = order[i % 4];
	}
	b.concurrency = 1;
	ok(lunate_batch(db, &b, &er));
	assert_int_equal(b.failures, 0);
	assert_string_equal(
		server_sql("select string_agg(p::text, '' order by id) from "
			   "urgent"),
		"111222333444");
}

static void
a_call_inside_a_transaction_does_not_belong_here(void **state)
{
	struct lunate_operations b = lunate_batch_of(calls, outcomes, 2);
	struct lunate_tx *tx;

	ok(lunate_begin(db, NULL, &tx, &er));
	calls[1].tx = tx;
	refused(LUNATE_EINVAL, lunate_batch(db, &b, &er));
	lunate_rollback(&tx);
}

static void
a_batch_of_nothing_succeeds(void **state)
{
	struct lunate_operations b = lunate_batch_of(NULL, NULL, 0);

	ok(lunate_batch(db, &b, &er));
	assert_int_equal(b.failures, 0);
}

static void
a_batch_that_says_nothing_sensible_is_refused(void **state)
{
	struct lunate_operations b = lunate_batch_of(calls, outcomes, 1);

	b.concurrency = -1;
	refused(LUNATE_EINVAL, lunate_batch(db, &b, &er));
	b = lunate_batch_of(calls, outcomes, 1);
	b.retries = -1;
	refused(LUNATE_EINVAL, lunate_batch(db, &b, &er));
	b = lunate_batch_of(NULL, outcomes, 1);
	refused(LUNATE_EINVAL, lunate_batch(db, &b, &er));
	b = lunate_batch_of(calls, NULL, 1);
	refused(LUNATE_EINVAL, lunate_batch(db, &b, &er));
	refused(LUNATE_EINVAL, lunate_batch(db, NULL, &er));
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(every_call_of_a_batch_has_its_own_answer),
		T(one_that_fails_stops_no_other),
		T(what_is_retryable_is_tried_again_as_often_as_said),
		T(at_most_as_many_as_said_run_at_once),
		T(the_more_urgent_go_first),
		T(a_call_inside_a_transaction_does_not_belong_here),
		T(a_batch_of_nothing_succeeds),
		T(a_batch_that_says_nothing_sensible_is_refused),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, NULL, server_end);
}
