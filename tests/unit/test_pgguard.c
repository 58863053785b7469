/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "conn.h"

/* Runs it; how the request ended. */
static enum pgreq_fate
run(int i, const char *sql)
{
	conn_ask(i, 0, sql);
	conn_send(i, 1);
	conn_wait(i, 1);
	return asks[i].r.fate;
}

static void
guarded_begin(void)
{
	conn_guarded = true;
	conn_begin(4);
	conn_guarded = false;
	(void)server_sql("do $$ begin create role guard_other; exception when "
			 "duplicate_object then null; end $$");
}

static const char *const changes[] = {
	"set client_encoding = 'LATIN1'",
	"select set_config('client_encoding', 'LATIN1', false)",
	"set standard_conforming_strings = off",
	"set session authorization guard_other",
	"set role guard_other", /* from a superuser: not one any more */
};
#define CHANGES (sizeof(changes) / sizeof(*changes))

static void
a_session_that_changed_is_closed_and_says_why(void **state)
{
	static const char *const why[] = {"client_encoding", "client_encoding",
					  "standard_conforming_strings",
					  "superuser", "superuser"};

	for (size_t i = 0; i < CHANGES; i++) {
		guarded_begin();
		assert_int_equal(run(0, changes[i]), PGREQ_DONE);
		assert_int_equal(states, 1);
		assert_int_equal(pgconn_state(conn), PGCONN_DEAD);
		assert_int_equal(pgconn_err(conn)->code, LUNATE_ELOST);
		assert_non_null(strstr(pgconn_err(conn)->text, why[i]));
		conn_close();
	}
}

static void
what_was_sent_behind_the_change_does_not_answer(void **state)
{
	guarded_begin();
	conn_ask(0, 0, changes[0]);
	conn_ask(1, PGREQ_READ, "select 1");
	conn_send(0, 1);
	conn_send(1, 1);
	conn_wait(0, 2);
	assert_int_equal(asks[0].r.fate, PGREQ_DONE);
	assert_int_equal(asks[1].r.fate, PGREQ_LOST);
	assert_null(asks[1].r.rows);
	conn_close();
}

static void
a_change_that_its_transaction_took_back_is_none(void **state)
{
	guarded_begin();
	assert_int_equal(run(0, "set local client_encoding = 'LATIN1'"),
			 PGREQ_DONE);
	assert_int_equal(pgconn_state(conn), PGCONN_READY);
	assert_string_equal(conn_ok("show client_encoding"), "UTF8");
	conn_close();
}

static void
other_settings_and_unguarded_connections_live_on(void **state)
{
	guarded_begin();
	assert_int_equal(run(0, "set work_mem = '5MB'"), PGREQ_DONE);
	assert_int_equal(run(1, "set application_name = 'x'"), PGREQ_DONE);
	assert_int_equal(run(2, "set datestyle = 'German'"), PGREQ_DONE);
	assert_string_equal(conn_ok("select 1"), "1");
	conn_close();
	conn_begin(4);
	for (size_t i = 0; i < CHANGES; i++)
		assert_int_equal(run((int)i, changes[i]), PGREQ_DONE);
	assert_int_equal(pgconn_state(conn), PGCONN_READY);
	conn_close();
}

static void
a_connection_that_brought_what_nobody_may_see_ends(void **state)
{
	conn_begin(4);
	conn_ask(0, PGREQ_READ, "select 1");
	conn_send(0, 1);
	pgconn_breach(conn);
	conn_wait(0, 1);
	assert_int_equal(asks[0].r.fate, PGREQ_LOST);
	assert_int_equal(states, 1);
	assert_int_equal(pgconn_state(conn), PGCONN_DEAD);
	assert_non_null(strstr(pgconn_err(conn)->text, "another tenant"));
	conn_close();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_that_changed_is_closed_and_says_why),
		cmocka_unit_test(
			what_was_sent_behind_the_change_does_not_answer),
		cmocka_unit_test(
			a_change_that_its_transaction_took_back_is_none),
		cmocka_unit_test(
			other_settings_and_unguarded_connections_live_on),
		cmocka_unit_test(
			a_connection_that_brought_what_nobody_may_see_ends),
	};

	return cmocka_run_group_tests(tests, NULL, server_end);
}
