/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "conn.h"
#include "panics.h"

static void
assert_never_answered(int i)
{
	assert_int_equal(asks[i].calls, 0);
	assert_null(asks[i].r.conn);
	assert_false(list_linked(&asks[i].r.link));
}

static void
a_cancelled_statement_fails_and_the_connection_lives(void **state)
{
	conn_begin(4);
	conn_ask(0, 0, "select pg_sleep(60)");
	conn_send(0, 1);
	turn();
	assert_true(pgconn_cancel(&asks[0].r));
	assert_int_equal(pgconn_state(conn), PGCONN_FENCED);
	pgconn_verify(conn);
	assert_false(pgconn_cancel(&asks[0].r)); /* once is enough */
	conn_wait(0, 1);
	assert_int_equal(asks[0].r.fate, PGREQ_FAILED);
	assert_string_equal(asks[0].r.err.sqlstate, "57014");
	conn_until(PGCONN_READY);
	assert_int_equal(states, 1); /* READY after the fence */
	assert_string_equal(conn_ok("select 1"), "1");
	conn_close();
}

static void
a_statement_in_company_is_not_cancelled(void **state)
{
	conn_begin(4);
	conn_ask(0, PGREQ_READ, "select pg_sleep(0.05)");
	conn_ask(1, PGREQ_READ, "select 1");
	conn_send(0, 2);
	assert_false(pgconn_cancel(&asks[0].r));
	assert_int_equal(pgconn_state(conn), PGCONN_READY);
	conn_wait(0, 2);
	assert_int_equal(asks[0].r.fate, PGREQ_DONE);
	assert_false(pgconn_cancel(&asks[0].r)); /* it is not in flight */
	conn_close();
}

static void
what_is_abandoned_is_never_answered_and_stops_running(void **state)
{
	conn_begin(4);
	conn_ask(0, 0, "select pg_sleep(60)");
	conn_send(0, 1);
	turn();
	pgconn_abandon(&asks[0].r);
	memset(&asks[0], 0xa5, sizeof(asks[0])); /* it may be freed */
	assert_int_equal(pgconn_state(conn), PGCONN_FENCED);
	assert_int_equal(pgconn_requests(conn), 0);
	conn_until(PGCONN_READY);
	assert_int_equal(pgconn_inflight(conn), 0);
	assert_string_equal(conn_ok("select 1"), "1");
	conn_close();
}

static void
abandoning_one_of_several_stops_nobody(void **state)
{
	conn_begin(4);
	conn_ask(0, PGREQ_READ, "select pg_sleep(0.05)");
	conn_ask(1, PGREQ_READ, "select 'kept'");
	conn_send(0, 2);
	pgconn_abandon(&asks[0].r);
	pgconn_abandon(&asks[0].r); /* it is not in flight any more */
	assert_int_equal(pgconn_state(conn), PGCONN_READY);
	assert_int_equal(pgconn_requests(conn), 1);
	conn_wait(1, 1);
	assert_string_equal(asks[1].text, "kept");
	assert_never_answered(0);
	conn_close();
}

static void
nothing_is_sent_behind_a_fence(void **state)
{
	struct list group;

	conn_begin(4);
	conn_ask(0, 0, "select pg_sleep(60)");
	conn_send(0, 1);
	pgconn_abandon(&asks[0].r);
	conn_ask(1, PGREQ_READ, "select 1");
	list_init(&group);
	list_push_back(&group, &asks[1].r.link);
	assert_panics(pgconn_send(conn, &group));
	conn_until(PGCONN_READY);
	conn_close();
}

/* The statement after the fence must never be hit by an earlier cancel. */
static void
no_innocent_statement_is_killed_by_a_cancel(void **state)
{
	conn_begin(4);
	for (int i = 0; i < 200; i++) {
		conn_ask(0, 0,
			 i % 3 == 0   ? "select 1"
			 : i % 3 == 1 ? "select pg_sleep(0.001)"
				      : "select pg_sleep(60)");
		conn_send(0, 1);
		if (i % 2 == 0)
			turn();
		if (i % 5 == 4 && asks[0].calls == 0)
			(void)pgconn_cancel(&asks[0].r);
		else
			pgconn_abandon(&asks[0].r);
		pgconn_verify(conn);
		conn_until(PGCONN_READY);
		while (pgconn_inflight(conn) > 0)
			turn();
		assert_string_equal(conn_ok("select 42"), "42");
	}
	conn_close();
}

static void
a_block_survives_nothing_but_the_fence_opens(void **state)
{
	conn_begin(4);
	conn_ok("begin");
	conn_ask(0, PGREQ_IN_TX, "select pg_sleep(60)");
	conn_send(0, 1);
	turn();
	pgconn_abandon(&asks[0].r);
	conn_until(PGCONN_READY);
	assert_true(pgconn_in_tx(conn));
	conn_ok("rollback");
	assert_false(pgconn_in_tx(conn));
	conn_close();
}

static void
a_connection_is_freed_behind_its_fence(void **state)
{
	for (int i = 0; i < 10; i++) {
		conn_begin(4);
		conn_ask(0, 0, "select pg_sleep(60)");
		conn_ask(1, 0, "select pg_sleep(60)");
		conn_send(0, 1);
		conn_send(1, 1);
		if (i % 2)
			turn();
		pgconn_abandon(&asks[0].r);
		pgconn_abandon(&asks[1].r);
		assert_int_equal(pgconn_state(conn), PGCONN_FENCED);
		if (i % 3)
			turn();
		if (conn != NULL)
			pgconn_free(&conn);
		assert_never_answered(0);
		assert_never_answered(1);
		conn_close();
	}
}

static void
a_backend_lost_behind_the_fence_is_a_dead_connection(void **state)
{
	conn_begin(4);
	conn_ask(0, 0, "select pg_sleep(60)");
	conn_send(0, 1);
	turn();
	kill(pgconn_backend_pid(conn), SIGSTOP);
	pgconn_abandon(&asks[0].r);
	turn();
	kill(pgconn_backend_pid(conn), SIGKILL);
	conn_until(PGCONN_DEAD);
	assert_int_equal(states, 1);
	assert_never_answered(0);
	conn_close();
	server_ready();
}

static void
a_server_that_does_not_react_to_a_cancel_is_given_up(void **state)
{
	conn_start(server_fake_start("silent"), 5000000, 4);
	conn_until(PGCONN_READY);
	conn_ask(0, 0, "select 1");
	conn_send(0, 1);
	turn();
	pgconn_abandon(&asks[0].r);
	assert_int_equal(pgconn_state(conn), PGCONN_FENCED);
	conn_until(PGCONN_DEAD);
	assert_int_equal(pgconn_err(conn)->code, LUNATE_ELOST);
	conn_close();
	server_fake_end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_cancelled_statement_fails_and_the_connection_lives),
		cmocka_unit_test(a_statement_in_company_is_not_cancelled),
		cmocka_unit_test(
			what_is_abandoned_is_never_answered_and_stops_running),
		cmocka_unit_test(abandoning_one_of_several_stops_nobody),
		cmocka_unit_test(nothing_is_sent_behind_a_fence),
		cmocka_unit_test(no_innocent_statement_is_killed_by_a_cancel),
		cmocka_unit_test(a_block_survives_nothing_but_the_fence_opens),
		cmocka_unit_test(a_connection_is_freed_behind_its_fence),
		cmocka_unit_test(
			a_backend_lost_behind_the_fence_is_a_dead_connection),
		cmocka_unit_test(
			a_server_that_does_not_react_to_a_cancel_is_given_up),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, NULL, server_end);
}
