/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "conn.h"

/* Statements the session knows under a name, as the server counts them. */
static int
known(void)
{
	conn_ask(ASKS - 2, PGREQ_READ | PGREQ_UNNAMED,
		 "select count(*) from pg_prepared_statements");
	conn_send(ASKS - 2, 1);
	conn_wait(ASKS - 2, 1);
	assert_int_equal(asks[ASKS - 2].r.fate, PGREQ_DONE);
	return atoi(asks[ASKS - 2].text);
}

static void
unnamed(const char *sql)
{
	conn_ask(ASKS - 3, PGREQ_UNNAMED, sql);
	conn_send(ASKS - 3, 1);
	conn_wait(ASKS - 3, 1);
	assert_int_equal(asks[ASKS - 3].r.fate, PGREQ_DONE);
}

/* Runs until it is not NOT_RUN, as its sender would; gives the tries. */
static int
tries(int i, const char *sql)
{
	for (int n = 1; n < 5; n++) {
		conn_ask(i, PGREQ_READ, sql);
		conn_send(i, 1);
		conn_wait(i, 1);
		if (asks[i].r.fate != PGREQ_NOT_RUN)
			return n;
	}
	return 5;
}

static void
a_text_is_prepared_once(void **state)
{
	conn_begin(4);
	assert_int_equal(known(), 0);
	for (int i = 0; i < 5; i++)
		conn_ok("select 1");
	assert_int_equal(known(), 1);
	for (int i = 0; i < 5; i++)
		unnamed("select 2");
	assert_int_equal(known(), 1);
	conn_close();
}

static void
without_room_for_names_everything_runs_unnamed(void **state)
{
	conn_begin(0);
	for (int i = 0; i < 3; i++)
		assert_string_equal(conn_ok("select 1"), "1");
	assert_int_equal(known(), 0);
	conn_close();
}

static void
the_least_recently_used_statement_makes_room(void **state)
{
	char sql[40];

	conn_begin(4);
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < 12; i++) {
			snprintf(sql, sizeof(sql), "select %d", i);
			assert_int_equal(atoi(conn_ok(sql)), i);
			conn_ok("select 'hot'");
		}
	for (int i = 0; i < 8; i++)
		unnamed("select 0"); /* closes go out with other work */
	assert_int_equal(known(), 4);
	conn_ask(0, PGREQ_READ | PGREQ_UNNAMED,
		 "select count(*) from pg_prepared_statements "
		 "where statement like '%hot%'");
	conn_send(0, 1);
	conn_wait(0, 1);
	assert_string_equal(asks[0].text, "1");
	conn_close();
}

static void
more_texts_in_one_group_than_names_still_all_run(void **state)
{
	static char sql[12][40];

	conn_begin(4);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 12; i++) {
			snprintf(sql[i], sizeof(sql[i]), "select %d + %d", i,
				 round);
			conn_ask(i, PGREQ_READ, sql[i]);
			asks[i].r.context = i % 2 ? "a" : "b";
		}
		conn_send(0, 12);
		conn_wait(0, 12);
		for (int i = 0; i < 12; i++)
			assert_int_equal(atoi(asks[i].text), i + round);
	}
	assert_true(known() <= 12);
	conn_close();
}

static void
two_texts_of_one_hash_are_never_mixed_up(void **state)
{
	conn_begin(4);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 2; i++) {
			conn_ask(i, PGREQ_READ,
				 i ? "select 'b'" : "select 'a'");
			asks[i].r.hash = 42;
		}
		conn_send(0, 2);
		conn_wait(0, 2);
		assert_string_equal(asks[0].text, "a");
		assert_string_equal(asks[1].text, "b");
	}
	conn_close();
}

static void
a_statement_that_cannot_be_prepared_is_refused_each_time(void **state)
{
	conn_begin(4);
	for (int i = 0; i < 6; i++) {
		conn_run(0, "select * from no_such_table");
		assert_int_equal(asks[0].r.fate, PGREQ_FAILED);
		assert_string_equal(asks[0].r.err.sqlstate, "42P01");
	}
	assert_int_equal(known(), 0);
	conn_ok("create temp table no_such_table (a int)");
	assert_int_equal(conn_run(0, "select * from no_such_table")->r.fate,
			 PGREQ_DONE);
	conn_close();
}

static void
a_plan_whose_columns_changed_never_ran_and_then_works(void **state)
{
	conn_begin(8);
	conn_ok("create temp table s (a int)");
	conn_ok("insert into s values (1)");
	assert_int_equal(tries(0, "select * from s"), 1);
	conn_ok("alter table s add b text default 'new'");
	conn_ask(0, PGREQ_READ, "select * from s");
	conn_ask(1, PGREQ_READ, "select 1");
	conn_send(0, 2);
	conn_wait(0, 2);
	assert_int_equal(asks[0].r.fate, PGREQ_NOT_RUN);
	assert_int_equal(asks[1].r.fate, PGREQ_NOT_RUN);
	assert_int_equal(tries(0, "select * from s"), 1);
	assert_int_equal(asks[0].r.fate, PGREQ_DONE);
	conn_ok("alter table s alter a type text");
	assert_int_equal(tries(0, "select * from s"), 2);
	assert_int_equal(asks[0].r.fate, PGREQ_DONE);
	conn_close();
}

static void
statements_that_somebody_deallocated_are_prepared_again(void **state)
{
	conn_begin(8);
	assert_int_equal(tries(0, "select 'a'"), 1);
	conn_ask(1, PGREQ_READ, "select 'b'");
	asks[1].r.context = "ctx";
	conn_send(1, 1);
	conn_wait(1, 1);
	unnamed("deallocate all");
	assert_int_equal(tries(0, "select 'a'"), 2);
	assert_string_equal(asks[0].text, "a");
	for (int i = 0; i < 4; i++) {
		conn_ask(1, PGREQ_READ, "select 'b'");
		asks[1].r.context = "ctx";
		conn_send(1, 1);
		conn_wait(1, 1);
		if (asks[1].r.fate == PGREQ_DONE)
			break;
		assert_int_equal(asks[1].r.fate, PGREQ_NOT_RUN);
	}
	assert_string_equal(asks[1].text, "b");
	conn_close();
}

/* Nothing was rolled back that could be run again on its own. */
static void
inside_a_block_a_stale_plan_is_a_failure(void **state)
{
	conn_begin(8);
	conn_ok("create temp table t (a int)");
	assert_int_equal(tries(0, "select * from t"), 1);
	conn_ok("alter table t add b int");
	conn_ok("begin");
	conn_ask(0, PGREQ_IN_TX, "select * from t");
	conn_send(0, 1);
	conn_wait(0, 1);
	assert_int_equal(asks[0].r.fate, PGREQ_FAILED);
	assert_string_equal(asks[0].r.err.sqlstate, "0A000");
	conn_ok("rollback");
	assert_int_equal(tries(0, "select * from t"), 1);
	conn_close();
}

static void
what_is_forgotten_is_prepared_anew_and_the_old_name_closed(void **state)
{
	conn_begin(8);
	for (int i = 0; i < 3; i++)
		assert_int_equal(tries(i, i == 0   ? "select 1"
					  : i == 1 ? "select 2"
						   : "select 3"),
				 1);
	assert_int_equal(known(), 3);
	pgconn_forget(conn);
	pgconn_verify(conn);
	assert_int_equal(tries(0, "select 1"), 1);
	for (int i = 0; i < 5; i++)
		unnamed("select 0");
	assert_int_equal(known(), 1);
	conn_close();
}

static void
forgetting_with_requests_in_flight_harms_none(void **state)
{
	conn_begin(8);
	for (int i = 0; i < 6; i++) {
		conn_ask(i, PGREQ_READ, i % 2 ? "select 1" : "select 2");
		asks[i].r.context = "c";
		conn_send(i, 1);
		if (i % 2)
			pgconn_forget(conn);
	}
	conn_wait(0, 6);
	for (int i = 0; i < 6; i++)
		assert_int_equal(atoi(asks[i].text), i % 2 ? 1 : 2);
	for (int i = 0; i < 10; i++)
		unnamed("select 0");
	assert_true(known() <= 3);
	conn_close();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_is_prepared_once),
		cmocka_unit_test(
			without_room_for_names_everything_runs_unnamed),
		cmocka_unit_test(the_least_recently_used_statement_makes_room),
		cmocka_unit_test(
			more_texts_in_one_group_than_names_still_all_run),
		cmocka_unit_test(two_texts_of_one_hash_are_never_mixed_up),
		cmocka_unit_test(
			a_statement_that_cannot_be_prepared_is_refused_each_time),
		cmocka_unit_test(
			a_plan_whose_columns_changed_never_ran_and_then_works),
		cmocka_unit_test(
			statements_that_somebody_deallocated_are_prepared_again),
		cmocka_unit_test(inside_a_block_a_stale_plan_is_a_failure),
		cmocka_unit_test(
			what_is_forgotten_is_prepared_anew_and_the_old_name_closed),
		cmocka_unit_test(forgetting_with_requests_in_flight_harms_none),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, NULL, server_end);
}
