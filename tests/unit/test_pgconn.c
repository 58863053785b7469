/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>

#include "conn.h"
#include "panics.h"
#include "pgconn_int.h"

static void
a_login_is_told_from_the_loop_and_not_from_inside_new(void **state)
{
	server_need();
	conn_start(server_dir, 20000000, 4);
	assert_int_equal(states, 0);
	assert_int_equal(pgconn_state(conn), PGCONN_CONNECTING);
	conn_until(PGCONN_READY);
	assert_int_equal(states, 1);
	assert_int_equal(pgconn_err(conn)->code, 0);
	assert_int_equal(pgconn_inflight(conn), 0);
	assert_int_equal(pgconn_requests(conn), 0);
	assert_false(pgconn_in_tx(conn));
	conn_close();
}

static void
a_connection_knows_its_backend_and_the_servers_parameters(void **state)
{
	conn_begin(4);
	assert_int_equal(atoi(conn_ok("select pg_backend_pid()")),
			 pgconn_backend_pid(conn));
	assert_string_equal(pgconn_parameter(conn, "in_hot_standby"), "off");
	assert_null(pgconn_parameter(conn, "no_such_parameter"));
	conn_close();
}

/* Starts towards `dir` and gives the code it died of. */
static int
dies_of(const char *dir, int64_t connect_us)
{
	int code;

	conn_start(dir, connect_us, 4);
	assert_int_equal(states, 0);
	conn_until(PGCONN_DEAD);
	assert_int_equal(states, 1);
	assert_int_equal(last_state, PGCONN_DEAD);
	code = pgconn_err(conn)->code;
	assert_true(pgconn_err(conn)->text[0] != 0);
	assert_null(strchr(pgconn_err(conn)->text, '\n'));
	conn_close();
	return code;
}

static void
a_socket_nobody_listens_on_is_a_failed_connect(void **state)
{
	assert_int_equal(dies_of("/nonexistent", 1000000), LUNATE_ECONNECT);
}

static void
a_login_that_takes_too_long_is_given_up(void **state)
{
	assert_int_equal(dies_of(server_fake_start("deaf"), 50000),
			 LUNATE_ECONNECT);
	assert_int_equal(dies_of(server_fake_start("half"), 50000),
			 LUNATE_ECONNECT);
	server_fake_end();
}

static void
a_server_that_hangs_up_or_talks_nonsense_is_a_failed_connect(void **state)
{
	static const char *const modes[] = {"early-eof", "garbage", "too-many",
					    "starting-up"};

	for (int i = 0; i < 4; i++)
		assert_int_equal(dies_of(server_fake_start(modes[i]), 5000000),
				 LUNATE_ECONNECT);
	server_fake_end();
}

static void
a_refused_password_is_told_apart_from_a_failed_connect(void **state)
{
	assert_int_equal(dies_of(server_fake_start("bad-password"), 5000000),
			 LUNATE_EAUTH);
	server_fake_end();
}

static void
the_owner_may_free_the_connection_when_it_is_told(void **state)
{
	conn_start("/nonexistent", 1000000, 4);
	free_on_state = true;
	while (conn != NULL)
		turn();
	server_need();
	conn_start(server_dir, 20000000, 4);
	free_on_state = true;
	while (conn != NULL)
		turn();
	assert_int_equal(last_state, PGCONN_READY);
	conn_close();
}

static void
a_connection_may_be_freed_while_it_connects(void **state)
{
	conn_start(server_fake_start("deaf"), 5000000, 4);
	turn();
	pgconn_free(&conn);
	assert_null(conn);
	assert_int_equal(states, 0);
	conn_close();
	server_fake_end();
}

static void
answers_come_in_the_order_of_sending(void **state)
{
	conn_begin(4);
	for (int i = 0; i < 20; i++) {
		conn_ask(i, i % 3 == 0 ? 0 : PGREQ_READ, "select $1::int");
		asks[i].vals[0] = (struct pgval){"7", 1, false};
		asks[i].r.nvals = 1;
		conn_send(i, 1);
	}
	assert_int_equal(pgconn_inflight(conn), 20);
	assert_int_equal(pgconn_requests(conn), 20);
	conn_wait(0, 20);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(asks[i].place, i + 1);
		assert_int_equal(asks[i].r.fate, PGREQ_DONE);
		assert_string_equal(asks[i].text, "7");
	}
	assert_int_equal(pgconn_inflight(conn), 0);
	assert_true(idles >= 1);
	conn_close();
}

static void
a_command_tells_its_tag_and_how_many_rows_it_touched(void **state)
{
	conn_begin(4);
	assert_int_equal(conn_run(0, "create temp table t (a int)")->r.affected,
			 -1);
	assert_string_equal(asks[0].r.tag, "CREATE TABLE");
	conn_run(1, "insert into t select generate_series(1, 3)");
	assert_int_equal(asks[1].r.affected, 3);
	assert_string_equal(asks[1].r.tag, "INSERT 0 3");
	conn_run(2, "update t set a = 0 where a > 3");
	assert_int_equal(asks[2].r.affected, 0);
	conn_close();
}

static void
a_refused_statement_tells_sqlstate_and_constraint(void **state)
{
	conn_begin(4);
	conn_ok("create temp table u (a int constraint one_only unique)");
	conn_ok("insert into u values (1)");
	conn_run(0, "insert into u values (1)");
	assert_int_equal(asks[0].r.fate, PGREQ_FAILED);
	assert_int_equal(asks[0].r.err.code, LUNATE_ECONSTRAINT);
	assert_string_equal(asks[0].r.err.sqlstate, "23505");
	assert_string_equal(asks[0].r.err.constraint, "one_only");
	assert_string_equal(conn_ok("select count(*) from u"), "1");
	conn_close();
}

static void
parameters_may_be_null_text_binary_and_many(void **state)
{
	static struct pgval vals[40];
	char sql[600] = "select 0";

	conn_begin(4);
	conn_ask(0, 0, "select coalesce($1, 'none') || encode($2, 'hex')");
	asks[0].vals[1] = (struct pgval){"\0\377", 2, true};
	asks[0].r.nvals = 2;
	conn_send(0, 1);
	conn_wait(0, 1);
	assert_string_equal(asks[0].text, "none00ff");
	for (int i = 0; i < 40; i++) {
		vals[i] = (struct pgval){"2", 1, false};
		snprintf(sql + strlen(sql), sizeof(sql) - strlen(sql),
			 "+$%d::int", i + 1);
	}
	conn_ask(1, PGREQ_UNNAMED, sql);
	asks[1].r.vals = vals;
	asks[1].r.nvals = 40;
	conn_send(1, 1);
	conn_wait(1, 1);
	assert_string_equal(asks[1].text, "80");
	conn_close();
}

static void
a_transaction_block_is_seen(void **state)
{
	conn_begin(4);
	conn_ok("begin");
	assert_true(pgconn_in_tx(conn));
	assert_int_equal(conn_run(0, "select 1/0")->r.fate, PGREQ_FAILED);
	assert_true(pgconn_in_tx(conn));
	conn_ok("rollback");
	assert_false(pgconn_in_tx(conn));
	conn_close();
}

/* ---- lost connections --------------------------------------------------- */

static void
a_read_and_a_write_in_flight_are_lost_with_a_terminated_backend(void **state)
{
	conn_begin(4);
	conn_ask(0, PGREQ_READ, "select pg_sleep(30)");
	conn_ask(1, 0, "create table never (a int)");
	conn_send(0, 1);
	conn_send(1, 1);
	turn();
	server_terminate(pgconn_backend_pid(conn));
	conn_wait(0, 2);
	assert_int_equal(asks[0].r.fate, PGREQ_LOST);
	/* the server said itself that it did not finish */
	assert_false(asks[0].r.maybe_ran);
	assert_int_equal(asks[1].r.fate, PGREQ_LOST);
	assert_true(asks[1].r.maybe_ran);
	conn_until(PGCONN_DEAD);
	assert_int_equal(states, 1);
	assert_int_equal(pgconn_inflight(conn), 0);
	assert_int_equal(pgconn_requests(conn), 0);
	assert_string_equal(server_sql("select to_regclass('never')"), "");
	conn_close();
}

static void
an_idle_connection_whose_backend_ends_dies(void **state)
{
	conn_begin(4);
	server_terminate(pgconn_backend_pid(conn));
	conn_until(PGCONN_DEAD);
	assert_int_equal(states, 1);
	assert_int_equal(pgconn_err(conn)->code, LUNATE_ELOST);
	conn_close();
}

static void
of_what_a_killed_backend_ran_nobody_knows(void **state)
{
	conn_begin(4);
	conn_ask(0, 0, "select pg_sleep(30)");
	conn_ask(1, PGREQ_READ, "select 1");
	conn_send(0, 1);
	conn_send(1, 1);
	turn();
	server_kill(pgconn_backend_pid(conn));
	conn_wait(0, 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(asks[i].r.fate, PGREQ_LOST);
		assert_true(asks[i].r.maybe_ran);
		assert_int_equal(asks[i].r.err.code, LUNATE_ELOST);
	}
	conn_until(PGCONN_DEAD);
	conn_close();
	server_ready();
}

static void
a_server_that_hangs_up_or_talks_nonsense_in_an_answer_is_lost(void **state)
{
	static const char *const modes[] = {"eof-on-query", "garbage-on-query"};

	for (int i = 0; i < 2; i++) {
		conn_start(server_fake_start(modes[i]), 5000000, 4);
		conn_until(PGCONN_READY);
		conn_run(0, "select 1");
		assert_int_equal(asks[0].r.fate, PGREQ_LOST);
		assert_true(asks[0].r.maybe_ran);
		conn_until(PGCONN_DEAD);
		conn_close();
	}
	server_fake_end();
}

/* Of a megabyte, so that it does not fit into the socket. */
static void
send_much(int i)
{
	static char much[1 << 20];
	struct list group;

	memset(much, 'x', sizeof(much) - 1);
	conn_ask(i, 0, "select length($1)");
	asks[i].vals[0] = (struct pgval){.at = much, .len = sizeof(much) - 1};
	asks[i].r.nvals = 1;
	list_init(&group);
	list_push_back(&group, &asks[i].r.link);
	pgconn_send(conn, &group);
}

/* Its number may be another connection's before this one has ended. */
static void
a_socket_that_libpq_closes_while_it_sends_is_watched_no_more(void **state)
{
	struct pollfd p;

	conn_start(server_fake_start("shut-on-query"), 5000000, 0);
	conn_until(PGCONN_READY);
	send_much(0);
	turn();
	p = (struct pollfd){PQsocket(conn->pg), POLLRDHUP, 0};
	assert_int_equal(poll(&p, 1, 20000), 1);
	send_much(1);
	assert_true(PQsocket(conn->pg) < 0);
	assert_false(ev_is_active(&conn->reader));
	assert_false(ev_is_active(&conn->writer));
	conn_until(PGCONN_DEAD);
	for (int i = 0; i < 2; i++)
		assert_int_equal(asks[i].r.fate, PGREQ_LOST);
	conn_close();
	server_fake_end();
}

static void
what_is_in_flight_when_it_is_freed_is_lost_unless_abandoned(void **state)
{
	conn_begin(4);
	for (int i = 0; i < 3; i++) {
		conn_ask(i, 0, "select pg_sleep(30)");
		conn_send(i, 1);
	}
	turn();
	pgconn_abandon(&asks[1].r);
	pgconn_verify(conn);
	pgconn_free(&conn);
	assert_null(conn);
	assert_int_equal(asks[0].calls, 1);
	assert_int_equal(asks[1].calls, 0);
	assert_int_equal(asks[2].calls, 1);
	assert_int_equal(asks[0].r.fate, PGREQ_LOST);
	assert_true(asks[2].r.maybe_ran);
	assert_int_equal(states, 0);
	conn_close();
}

static void
nothing_is_sent_on_a_connection_that_is_not_ready(void **state)
{
	struct list group;

	conn_start("/nonexistent", 1000000, 4);
	conn_ask(0, PGREQ_READ, "select 1");
	list_init(&group);
	list_push_back(&group, &asks[0].r.link);
	assert_panics(pgconn_send(conn, &group));
	conn_close();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_login_is_told_from_the_loop_and_not_from_inside_new),
		cmocka_unit_test(
			a_connection_knows_its_backend_and_the_servers_parameters),
		cmocka_unit_test(
			a_socket_nobody_listens_on_is_a_failed_connect),
		cmocka_unit_test(a_login_that_takes_too_long_is_given_up),
		cmocka_unit_test(
			a_server_that_hangs_up_or_talks_nonsense_is_a_failed_connect),
		cmocka_unit_test(
			a_refused_password_is_told_apart_from_a_failed_connect),
		cmocka_unit_test(
			the_owner_may_free_the_connection_when_it_is_told),
		cmocka_unit_test(a_connection_may_be_freed_while_it_connects),
		cmocka_unit_test(answers_come_in_the_order_of_sending),
		cmocka_unit_test(
			a_command_tells_its_tag_and_how_many_rows_it_touched),
		cmocka_unit_test(
			a_refused_statement_tells_sqlstate_and_constraint),
		cmocka_unit_test(parameters_may_be_null_text_binary_and_many),
		cmocka_unit_test(a_transaction_block_is_seen),
		cmocka_unit_test(
			a_read_and_a_write_in_flight_are_lost_with_a_terminated_backend),
		cmocka_unit_test(an_idle_connection_whose_backend_ends_dies),
		cmocka_unit_test(of_what_a_killed_backend_ran_nobody_knows),
		cmocka_unit_test(
			a_server_that_hangs_up_or_talks_nonsense_in_an_answer_is_lost),
		cmocka_unit_test(
			a_socket_that_libpq_closes_while_it_sends_is_watched_no_more),
		cmocka_unit_test(
			what_is_in_flight_when_it_is_freed_is_lost_unless_abandoned),
		cmocka_unit_test(
			nothing_is_sent_on_a_connection_that_is_not_ready),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, NULL, server_end);
}
