/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "capi.h"

static struct lunate_tx *tx;
static struct answer a; /* outlives a test that fails */

static int
begin(void **state)
{
	capi_begin("4");
	ok(capi_run("drop table if exists acts"));
	ok(capi_run("create table acts (id int primary key, n int not null "
		    "default 0, owner int references acts "
		    "deferrable initially deferred)"));
	return 0;
}

static int
end(void **state)
{
	lunate_rollback(&tx);
	assert_null(tx);
	capi_end();
	return 0;
}

static void
begin_tx(void)
{
	ok(lunate_begin(db, NULL, &tx, &er));
	assert_non_null(tx);
}

static int
acts(void)
{
	return server_int("select count(*) from acts");
}

/* ---- its end ----------------------------------------------------------- */

static void
what_is_committed_stays(void **state)
{
	begin_tx();
	ok(capi_run_in(tx, "insert into acts values (1)"));
	ok(capi_run_in(tx, "insert into acts values (2)"));
	assert_int_equal(acts(), 0);
	ok(lunate_commit(&tx, &er));
	assert_null(tx);
	assert_int_equal(acts(), 2);
}

static void
what_is_rolled_back_is_gone(void **state)
{
	begin_tx();
	ok(capi_run_in(tx, "insert into acts values (1)"));
	lunate_rollback(&tx);
	assert_null(tx);
	lunate_rollback(&tx);
	ok(capi_run("select 1"));
	capi_until("select count(*) = 0 from pg_stat_activity "
		   "where state like 'idle in transaction%'");
	assert_int_equal(acts(), 0);
}

static void
a_transaction_in_which_nothing_ran_asks_nothing(void **state)
{
	capi_end();
	capi_until("select count(*) = 0 from pg_stat_activity where "
		   "application_name = 'lunate'");
	capi_begin("4");
	begin_tx();
	ok(lunate_commit(&tx, &er));
	begin_tx();
	lunate_rollback(&tx);
	assert_int_equal(
		server_int("select count(*) from pg_stat_activity where "
			   "application_name = 'lunate'"),
		0);
}

static void
a_commit_after_a_failure_returns_the_first_failure(void **state)
{
	begin_tx();
	ok(capi_run_in(tx, "insert into acts values (1)"));
	refused(LUNATE_EVALUE, capi_run_in(tx, "select 1/0"));
	refused(LUNATE_ETX, capi_run_in(tx, "select 1"));
	refused(LUNATE_EVALUE, lunate_commit(&tx, &er));
	assert_string_equal(er.sqlstate, "22012");
	assert_null(tx);
	assert_int_equal(acts(), 0);
}

static void
a_constraint_that_is_checked_at_the_end_fails_the_commit(void **state)
{
	begin_tx();
	ok(capi_run_in(tx, "insert into acts values (1, 0, 99)"));
	refused(LUNATE_ECONSTRAINT, lunate_commit(&tx, &er));
	assert_string_equal(er.constraint, "acts_owner_fkey");
	assert_int_equal(acts(), 0);
}

static void
a_rollback_cancels_what_still_runs_in_it(void **state)
{
	struct lunate_call c = lunate_sql("select pg_sleep(100)", NULL, 0);
	struct lunate_then t = lunate_then_of(answer_done, &a);

	answer_init(&a);
	begin_tx();
	c.tx = tx;
	ok(lunate_query_async(db, &c, &t, &er));
	capi_until("select count(*) = 1 from pg_stat_activity where state = "
		   "'active' and query like 'select pg_sleep%'");
	lunate_rollback(&tx);
	answer_wait(&a);
	assert_int_equal(a.e.code, LUNATE_ECANCELLED);
	capi_until("select count(*) = 0 from pg_stat_activity where state = "
		   "'active' and query like 'select pg_sleep%'");
}

static void
a_commit_without_waiting_answers_later(void **state)
{
	struct lunate_then t = lunate_then_of(answer_done, &a);

	answer_init(&a);
	begin_tx();
	ok(capi_run_in(tx, "insert into acts values (1)"));
	ok(lunate_commit_async(&tx, &t, &er));
	assert_null(tx);
	answer_wait(&a);
	assert_int_equal(a.e.code, 0);
	lunate_rows_free(&a.rows);
	assert_int_equal(acts(), 1);
	answer_init(&a);
	begin_tx();
	refused(LUNATE_EVALUE, capi_run_in(tx, "select 1/0"));
	ok(lunate_commit_async(&tx, &t, &er));
	answer_wait(&a);
	assert_int_equal(a.e.code, LUNATE_EVALUE);
	assert_null(a.rows);
}

static void
a_connection_that_dies_before_the_commit_loses_all_of_it(void **state)
{
	begin_tx();
	ok(capi_run_in(tx, "insert into acts values (1)"));
	server_sql("select pg_terminate_backend(pid) from pg_stat_activity "
		   "where state = 'idle in transaction'");
	capi_until("select count(*) = 0 from pg_stat_activity "
		   "where state = 'idle in transaction'");
	assert_true(capi_run_in(tx, "insert into acts values (2)") < 0);
	assert_int_equal(er.code, LUNATE_ELOST);
	assert_int_equal(lunate_commit(&tx, &er), LUNATE_ELOST);
	assert_int_equal(acts(), 0);
}

/* ---- what it asks for -------------------------------------------------- */

static const char *
in_tx(const char *sql)
{
	struct lunate_call c = lunate_sql(sql, NULL, 0);

	c.tx = tx;
	return capi_first(&c);
}

static void
it_runs_at_the_level_it_asked_for(void **state)
{
	const char *const levels[] = {"read committed", "repeatable read",
				      "serializable"};
	struct lunate_tx_options o = lunate_tx_defaults();

	for (int i = 0; i < 3; i++) {
		o.isolation = levels[i];
		ok(lunate_begin(db, &o, &tx, &er));
		assert_string_equal(in_tx("show transaction_isolation"),
				    levels[i]);
		ok(lunate_commit(&tx, &er));
	}
	o.isolation = "serialisable";
	refused(LUNATE_EINVAL, lunate_begin(db, &o, &tx, &er));
	assert_null(tx);
}

static void
a_read_only_one_refuses_writes(void **state)
{
	struct lunate_tx_options o = lunate_tx_defaults();

	o.read_only = 1;
	o.deferrable = 1;
	o.isolation = "serializable";
	ok(lunate_begin(db, &o, &tx, &er));
	assert_string_equal(in_tx("show transaction_read_only"), "on");
	assert_string_equal(in_tx("show transaction_deferrable"), "on");
	refused(LUNATE_EREADONLY,
		capi_run_in(tx, "insert into acts values (1)"));
}

static void
its_context_is_that_of_calls_without_their_own(void **state)
{
	const char *sql = "select current_setting('lunate.ctx', true)"
			  "::jsonb->>'user'";
	struct lunate_tx_options o = lunate_tx_defaults();
	struct lunate_who w = lunate_nobody();
	struct lunate_context *one, *two;
	struct lunate_call c = lunate_sql(sql, NULL, 0);

	w.user = "one";
	ok(lunate_context_new(&w, &one, &er));
	w.user = "two";
	ok(lunate_context_new(&w, &two, &er));
	o.context = one;
	ok(lunate_begin(db, &o, &tx, &er));
	lunate_context_free(&one);
	assert_string_equal(in_tx(sql), "one");
	c.tx = tx;
	c.context = two;
	assert_string_equal(capi_first(&c), "two");
	assert_string_equal(in_tx(sql), "one");
	ok(lunate_commit(&tx, &er));
	assert_string_equal(
		capi_text("select coalesce(current_setting('lunate.ctx', "
			  "true), '')"),
		"");
	lunate_context_free(&two);
}

/* ---- savepoints -------------------------------------------------------- */

static void
a_savepoint_undoes_only_itself(void **state)
{
	begin_tx();
	ok(capi_run_in(tx, "insert into acts values (1)"));
	ok(lunate_savepoint(tx, &er));
	ok(capi_run_in(tx, "insert into acts values (2)"));
	refused(LUNATE_ECONSTRAINT,
		capi_run_in(tx, "insert into acts values (1)"));
	ok(lunate_rollback_to(tx, &er));
	ok(capi_run_in(tx, "insert into acts values (3)"));
	ok(lunate_commit(&tx, &er));
	assert_string_equal(
		server_sql("select string_agg(id::text, ',' order by id) "
			   "from acts"),
		"1,3");
}

static void
savepoints_stand_one_inside_the_other(void **state)
{
	begin_tx();
	ok(lunate_savepoint(tx, &er));
	ok(capi_run_in(tx, "insert into acts values (1)"));
	ok(lunate_savepoint(tx, &er));
	ok(capi_run_in(tx, "insert into acts values (2)"));
	ok(lunate_savepoint(tx, &er));
	ok(capi_run_in(tx, "insert into acts values (3)"));
	ok(lunate_rollback_to(tx, &er)); /* 3 */
	ok(lunate_release(tx, &er));	 /* 2 is part of the first now */
	ok(lunate_savepoint(tx, &er));
	ok(capi_run_in(tx, "insert into acts values (4)"));
	ok(lunate_release(tx, &er));
	ok(lunate_commit(&tx, &er));
	assert_string_equal(
		server_sql("select string_agg(id::text, ',' order by id) "
			   "from acts"),
		"1,2,4");
}

static void
a_savepoint_that_was_not_made_cannot_be_undone(void **state)
{
	begin_tx();
	refused(LUNATE_EINVAL, lunate_rollback_to(tx, &er));
	refused(LUNATE_EINVAL, lunate_release(tx, &er));
	ok(lunate_savepoint(tx, &er));
	ok(lunate_release(tx, &er));
	refused(LUNATE_EINVAL, lunate_release(tx, &er));
}

/* ---- lunate_transaction ------------------------------------------------ */

struct job {
	int runs;
	int give; /* what fn returns */
	const char *sql;
};

static int
work_fn(struct lunate_tx *t, void *arg, struct lunate_error *e)
{
	struct job *j = arg;
	struct lunate_call c = lunate_sql(j->sql, NULL, 0);
	int rc;

	j->runs++;
	c.tx = t;
	rc = lunate_query(db, &c, NULL, e);
	if (rc == 0 && j->give != 0) {
		memset(e, 0, sizeof(*e));
		e->code = j->give;
		snprintf(e->text, sizeof(e->text), "told by the host");
		rc = j->give;
	}
	return rc;
}

static int
work_on(struct job *j, int retries)
{
	struct lunate_tx_options o = lunate_tx_defaults();
	struct lunate_work w = {work_fn, j};

	o.retries = retries;
	return lunate_transaction(db, &o, &w, &er);
}

static void
a_function_that_returns_0_is_committed(void **state)
{
	struct job j = {0, 0, "insert into acts values (1)"};
	struct lunate_work w = {work_fn, &j};

	ok(lunate_transaction(db, NULL, &w, &er));
	assert_int_equal(j.runs, 1);
	assert_int_equal(acts(), 1);
}

static void
a_function_that_gives_a_code_is_rolled_back(void **state)
{
	struct job j = {0, LUNATE_EDENIED, "insert into acts values (1)"};

	assert_int_equal(work_on(&j, 3), LUNATE_EDENIED);
	assert_string_equal(er.text, "told by the host");
	assert_int_equal(j.runs, 1);
	assert_int_equal(acts(), 0);
}

static void
a_conflict_is_tried_again_as_often_as_said(void **state)
{
	struct job j = {0, 0,
			"do $$ begin raise exception 'x' using errcode = "
			"'40001'; end $$"};

	refused(LUNATE_ECONFLICT, work_on(&j, 2));
	assert_int_equal(j.runs, 3);
	assert_int_equal(er.retryable, 1);
	j.runs = 0;
	refused(LUNATE_ECONFLICT, work_on(&j, 0));
	assert_int_equal(j.runs, 1);
	j.runs = 0;
	j.sql = "select 1/0";
	refused(LUNATE_EVALUE, work_on(&j, 5));
	assert_int_equal(j.runs, 1);
}

/* Reads, lets the other one in, writes: one of two has to run again. */
static int
racing_fn(struct lunate_tx *t, void *arg, struct lunate_error *e)
{
	struct job *j = arg;
	int rc;

	struct lunate_call c = lunate_sql("select n from acts where id = 1",
					  NULL, 0);
	c.tx = t;
	rc = lunate_query(db, &c, NULL, e);
	if (rc == 0 && j->runs++ == 0)
		rc = capi_run("update acts set n = n + 100 where id = 1");
	c.sql = "update acts set n = n + 1 where id = 1";
	return rc == 0 ? lunate_query(db, &c, NULL, e) : rc;
}

static void
a_serialization_failure_runs_the_function_again(void **state)
{
	struct lunate_tx_options o = lunate_tx_defaults();
	struct job j = {0};
	struct lunate_work w = {racing_fn, &j};

	ok(capi_run("insert into acts values (1)"));
	o.isolation = "serializable";
	ok(lunate_transaction(db, &o, &w, &er));
	assert_int_equal(j.runs, 2);
	assert_int_equal(server_int("select n from acts"), 101);
}

static int
careless_fn(struct lunate_tx *t, void *arg, struct lunate_error *e)
{
	(void)capi_run_in(t, "insert into acts values (1)");
	(void)capi_run_in(t, "select 1/0");
	return 0;
}

static void
a_failure_that_the_function_ignores_is_no_success(void **state)
{
	struct lunate_work w = {careless_fn, NULL};

	refused(LUNATE_EVALUE, lunate_transaction(db, NULL, &w, &er));
	assert_int_equal(acts(), 0);
}

static void
work_without_a_function_is_refused(void **state)
{
	struct lunate_work w = {NULL, NULL};

	refused(LUNATE_EINVAL, lunate_transaction(db, NULL, &w, &er));
	refused(LUNATE_EINVAL, lunate_transaction(db, NULL, NULL, &er));
}

static void
a_call_in_a_transaction_runs_in_the_same_session(void **state)
{
	begin_tx();
	ok(capi_run_in(tx, "create temporary table mine on commit drop as "
			   "select 7 as n"));
	for (int i = 0; i < 10; i++)
		assert_string_equal(in_tx("select n from mine"), "7");
	ok(lunate_commit(&tx, &er));
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_is_committed_stays),
		T(what_is_rolled_back_is_gone),
		T(a_transaction_in_which_nothing_ran_asks_nothing),
		T(a_commit_after_a_failure_returns_the_first_failure),
		T(a_constraint_that_is_checked_at_the_end_fails_the_commit),
		T(a_rollback_cancels_what_still_runs_in_it),
		T(a_commit_without_waiting_answers_later),
		T(a_connection_that_dies_before_the_commit_loses_all_of_it),
		T(it_runs_at_the_level_it_asked_for),
		T(a_read_only_one_refuses_writes),
		T(its_context_is_that_of_calls_without_their_own),
		T(a_savepoint_undoes_only_itself),
		T(savepoints_stand_one_inside_the_other),
		T(a_savepoint_that_was_not_made_cannot_be_undone),
		T(a_function_that_returns_0_is_committed),
		T(a_function_that_gives_a_code_is_rolled_back),
		T(a_conflict_is_tried_again_as_often_as_said),
		T(a_serialization_failure_runs_the_function_again),
		T(a_failure_that_the_function_ignores_is_no_success),
		T(work_without_a_function_is_refused),
		T(a_call_in_a_transaction_runs_in_the_same_session),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, NULL, server_end);
}
