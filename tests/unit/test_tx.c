/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ops.h"

static struct tx t;

static void
begin_with(struct tx_options o)
{
	struct err e;

	o.site = "test.lua:1";
	if (!o.read_only)
		o.mode = POOL_WRITE;
	assert_int_equal(tx_init(&t, w, &o, &e), 0);
	assert_int_equal(t.state, TX_FRESH);
}

static void
open_all(int max)
{
	ops_begin(max);
	server_sql("create table if not exists acc (a int)");
	server_sql("truncate acc");
	begin_with((struct tx_options){0});
}

static int
count(void)
{
	return server_int("select count(*) from acc");
}

static void
a_level_that_does_not_exist_is_refused(void **state)
{
	struct tx_options o = {.isolation = "snapshot"};
	struct err e;

	ops_open("/nonexistent", 1);
	assert_int_equal(tx_init(&t, w, &o, &e), LUNATE_EINVAL);
	assert_non_null(strstr(e.text, "serializable"));
	ops_end();
}

static void
nothing_is_asked_of_the_server_before_the_first_statement(void **state)
{
	open_all(1);
	for (int i = 0; i < 3; i++)
		turn();
	assert_null(t.member);
	tx_end(&t);
	tx_end(&t); /* harmless */
	assert_int_equal(t.state, TX_CLOSED);
	assert_int_equal(rt->workers[0].nops, 0);
	ops_end();
}

static void
what_is_committed_stays(void **state)
{
	open_all(1);
	assert_int_equal(ops_in_tx(0, &t, "insert into acc values (1)"), 0);
	assert_int_equal(t.state, TX_OPEN);
	assert_int_equal(ops_in_tx(1, &t, "insert into acc values (2)"), 0);
	assert_int_equal(count(), 0);
	assert_int_equal(ops_control(&t, "commit"), 0);
	assert_int_equal(count(), 2);
	tx_end(&t);
	assert_string_equal(ops_ok("select 'free again'"), "free again");
	ops_end();
}

static void
what_was_not_committed_is_rolled_back_at_the_end(void **state)
{
	open_all(1);
	assert_int_equal(ops_in_tx(0, &t, "insert into acc values (1)"), 0);
	tx_end(&t);
	assert_null(t.member);
	assert_string_equal(ops_ok("select count(*) from acc"), "0");
	ops_end();
}

static void
a_transaction_runs_at_the_level_it_asked_for(void **state)
{
	static const char *const levels[] = {"serializable", "Repeatable Read",
					     "read committed"};
	static const char *const shown[] = {"serializable", "repeatable read",
					    "read committed"};

	open_all(1);
	tx_end(&t);
	for (int i = 0; i < 3; i++) {
		begin_with((struct tx_options){.isolation = levels[i]});
		ops_in_tx(0, &t,
			  "select current_setting("
			  "'transaction_isolation')");
		assert_string_equal(runs[0].text, shown[i]);
		tx_end(&t);
	}
	begin_with((struct tx_options){.read_only = true});
	assert_int_equal(ops_in_tx(0, &t, "insert into acc values (1)"),
			 LUNATE_EREADONLY);
	tx_end(&t);
	ops_end();
}

static void
after_a_failure_the_first_reason_is_kept(void **state)
{
	open_all(1);
	assert_int_equal(ops_in_tx(0, &t, "select 1/0"), LUNATE_EVALUE);
	assert_int_equal(t.state, TX_FAILED);
	assert_int_not_equal(ops_in_tx(1, &t, "select 1"), 0);
	assert_int_equal(t.err.code, LUNATE_EVALUE);
	assert_string_equal(t.err.sqlstate, "22012");
	tx_end(&t);
	assert_string_equal(ops_ok("select 1"), "1");
	ops_end();
}

static void
a_rollback_to_a_savepoint_lets_it_go_on(void **state)
{
	open_all(1);
	assert_int_equal(ops_in_tx(0, &t, "insert into acc values (1)"), 0);
	assert_int_equal(ops_control(&t, "savepoint s"), 0);
	assert_int_not_equal(ops_in_tx(1, &t, "select 1/0"), 0);
	assert_int_equal(t.state, TX_FAILED);
	assert_int_equal(ops_control(&t, "rollback to s"), 0);
	tx_recovered(&t);
	assert_int_equal(t.state, TX_OPEN);
	assert_int_equal(t.err.code, 0);
	assert_int_equal(ops_control(&t, "commit"), 0);
	assert_int_equal(count(), 1);
	tx_end(&t);
	ops_end();
}

static void
a_handle_that_is_over_sends_nothing(void **state)
{
	open_all(1);
	assert_int_equal(ops_in_tx(0, &t, "select 1"), 0);
	tx_end(&t);
	assert_int_equal(ops_in_tx(1, &t, "insert into acc values (1)"),
			 LUNATE_ETX);
	assert_int_equal(count(), 0);
	ops_end();
}

static void
only_one_statement_runs_at_a_time(void **state)
{
	open_all(1);
	ops_make(0, "select pg_sleep(0.1)")->tx = &t;
	ops_start(0);
	ops_in_flight(0);
	assert_int_equal(ops_in_tx(1, &t, "select 1"), LUNATE_EBUSY);
	assert_int_equal(ops_wait(0), 0);
	tx_end(&t);
	ops_end();
}

static void
a_transaction_whose_connection_died_is_lost(void **state)
{
	open_all(1);
	assert_int_equal(ops_in_tx(0, &t, "insert into acc values (1)"), 0);
	ops_make(1, "select pg_sleep(30)")->tx = &t;
	ops_start(1);
	ops_in_flight(1);
	server_terminate(pgconn_backend_pid(runs[1].op.req.conn));
	assert_int_equal(ops_wait(1), LUNATE_ELOST);
	assert_true(t.lost);
	tx_recovered(&t);
	assert_int_equal(t.state, TX_FAILED); /* nothing recovers that */
	assert_int_equal(ops_in_tx(2, &t, "select 1"), LUNATE_ETX);
	tx_end(&t);
	assert_int_equal(count(), 0);
	assert_string_equal(ops_ok("select 1"), "1");
	ops_end();
}

static void
a_commit_whose_answer_never_came_is_in_doubt(void **state)
{
	open_all(1);
	server_sql("create or replace function dawdle() returns trigger "
		   "language plpgsql as 'begin perform pg_sleep(30); return "
		   "null; end'");
	server_sql("drop trigger if exists late on acc");
	server_sql("create constraint trigger late after insert on acc "
		   "deferrable initially deferred for each row execute "
		   "function dawdle()");
	assert_int_equal(ops_in_tx(0, &t, "insert into acc values (1)"), 0);
	ops_make(1, "commit")->tx = &t;
	runs[1].op.flags = OP_INTERNAL;
	ops_start(1);
	ops_in_flight(1);
	server_kill(pgconn_backend_pid(runs[1].op.req.conn));
	assert_int_equal(ops_wait(1), LUNATE_EINDOUBT);
	tx_end(&t);
	server_ready();
	server_sql("drop trigger late on acc");
	ops_end();
}

static void
ending_it_with_a_statement_in_flight_cancels_that(void **state)
{
	open_all(1);
	assert_int_equal(ops_in_tx(0, &t, "insert into acc values (1)"), 0);
	ops_make(1, "select pg_sleep(60)")->tx = &t;
	ops_start(1);
	ops_in_flight(1);
	tx_end(&t);
	assert_null(t.member);
	assert_int_equal(ops_wait(1), LUNATE_ECANCELLED);
	assert_string_equal(ops_ok("select count(*) from acc"), "0");
	ops_end();
}

static void
a_cancel_before_its_connection_came_takes_none(void **state)
{
	struct tx hog;

	open_all(1);
	assert_int_equal(ops_in_tx(0, &t, "select 1"), 0);
	hog = t;
	begin_with((struct tx_options){0});
	ops_make(1, "select 1")->tx = &t;
	ops_start(1);
	turn();
	op_cancel(&runs[1].op, LUNATE_ECANCELLED);
	assert_int_equal(ops_wait(1), LUNATE_ECANCELLED);
	tx_end(&t);
	tx_end(&hog);
	assert_string_equal(ops_ok("select 'free'"), "free");
	ops_end();
}

static void
what_a_session_kept_is_not_seen_by_the_next(void **state)
{
	open_all(1);
	tx_end(&t);
	begin_with((struct tx_options){.session = true});
	assert_int_equal(ops_in_tx(0, &t, "set work_mem = '7MB'"), 0);
	assert_true(t.dirty);
	assert_int_equal(ops_in_tx(0, &t, "create temp table mine (a int)"), 0);
	tx_end(&t);
	assert_string_equal(ops_ok("select current_setting('work_mem') || "
				   "coalesce(to_regclass('mine')::text, '')"),
			    "4MB");
	ops_end();
}

static void
a_stream_in_a_transaction_gives_all_its_rows(void **state)
{
	open_all(1);
	ops_make(0, "select generate_series(1, 5000)")->tx = &t;
	runs[0].op.flags = OP_STREAM;
	ops_start(0);
	assert_int_equal(ops_wait(0), 0);
	assert_int_equal(runs[0].rows, 5000);
	tx_end(&t);
	ops_end();
}

#define T(name) cmocka_unit_test(name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_level_that_does_not_exist_is_refused),
		T(nothing_is_asked_of_the_server_before_the_first_statement),
		T(what_is_committed_stays),
		T(what_was_not_committed_is_rolled_back_at_the_end),
		T(a_transaction_runs_at_the_level_it_asked_for),
		T(after_a_failure_the_first_reason_is_kept),
		T(a_rollback_to_a_savepoint_lets_it_go_on),
		T(a_handle_that_is_over_sends_nothing),
		T(only_one_statement_runs_at_a_time),
		T(a_transaction_whose_connection_died_is_lost),
		T(a_commit_whose_answer_never_came_is_in_doubt),
		T(ending_it_with_a_statement_in_flight_cancels_that),
		T(a_cancel_before_its_connection_came_takes_none),
		T(what_a_session_kept_is_not_seen_by_the_next),
		T(a_stream_in_a_transaction_gives_all_its_rows),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, NULL, server_end);
}
