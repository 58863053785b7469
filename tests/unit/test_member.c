/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pools.h"

#define SESSION                                            \
	"select current_setting('transaction_read_only') " \
	"|| ' ' || current_setting('statement_timeout')"

static void
begin(int max)
{
	server_need();
	pools_begin(server_dir);
	pools_rules.max = max;
	pools_open();
}

/* A lease that is ready to be used. */
static void
lease(int i)
{
	pools_ask(i, POOL_LEASE, NULL);
	pools_granted(i);
}

static int
lease_pid(int i)
{
	return pgconn_backend_pid(pool_member_conn(work[i].m));
}

static const char *
in_mode(int i, enum pool_mode mode)
{
	pools_make(i, POOL_SOLO, SESSION);
	work[i].job.mode = mode;
	pools_submit(i, GATE_NORMAL, 0);
	pools_wait(i);
	assert_int_equal(work[i].req.fate, PGREQ_DONE);
	return work[i].text;
}

static void
a_session_is_set_to_the_mode_of_its_work(void **state)
{
	begin(1);
	for (int i = 0; i < 3; i++) {
		assert_string_equal(in_mode(0, POOL_READ), "on 11s");
		assert_string_equal(in_mode(1, POOL_WRITE), "off 12s");
		assert_string_equal(in_mode(2, POOL_CRITICAL), "off 13s");
	}
	pools_ask(3, POOL_SHARE, SESSION);
	pools_wait(3);
	assert_string_equal(work[3].text, "on 11s");
	pools_ask(4, POOL_LEASE, NULL);
	pools_granted(4);
	assert_string_equal(pools_on_lease(4, SESSION), "off 12s");
	pool_release(pool, &work[4].m, false);
	assert_int_equal(pools_stats().opened, 1);
	pools_close();
}

static void
a_write_on_a_read_lane_is_refused(void **state)
{
	begin(1);
	pools_ask(0, POOL_SHARE, "create table sneaky (a int)");
	pools_wait(0);
	assert_int_equal(work[0].req.fate, PGREQ_FAILED);
	assert_int_equal(work[0].req.err.code, LUNATE_EREADONLY);
	pools_close();
}

static void
a_clean_lease_is_used_again(void **state)
{
	int pid;

	begin(1);
	lease(0);
	pid = atoi(pools_on_lease(0, "select pg_backend_pid()"));
	pool_release(pool, &work[0].m, false);
	assert_int_equal(pools_stats().idle, 1);
	lease(1);
	assert_int_equal(lease_pid(1), pid);
	pool_release(pool, &work[1].m, false);
	pools_close();
}

static void
a_transaction_left_in_a_lease_is_rolled_back(void **state)
{
	begin(1);
	server_sql("create table if not exists tx_left (a int)");
	lease(0);
	pools_on_lease(0, "begin");
	pools_on_lease(0, "insert into tx_left values (1)");
	pool_release(pool, &work[0].m, false);
	pool_verify(pool);
	assert_string_equal(pools_sql(1, "select count(*) from tx_left"), "0");
	assert_int_equal(pools_stats().opened, 1);
	pools_close();
}

static void
a_lease_given_back_with_something_in_flight_is_not_reused(void **state)
{
	begin(1);
	lease(0);
	pool_member_send(work[0].m, pools_request(0, "select pg_sleep(60)"));
	pool_release(pool, &work[0].m, false);
	pool_verify(pool);
	assert_int_equal(pools_stats().total, 0);
	assert_int_equal(work[0].done, 1);
	assert_int_equal(work[0].req.fate, PGREQ_LOST);
	assert_string_equal(pools_sql(1, "select 1"), "1");
	pools_close();
}

static void
a_dirty_lease_comes_back_as_new_and_the_same(void **state)
{
	int pid;

	begin(1);
	lease(0);
	pid = lease_pid(0);
	pools_on_lease(0, "create temp table mine (a int)");
	pools_on_lease(0, "set work_mem = '7MB'");
	pools_on_lease(0, "set default_transaction_read_only = off");
	pools_on_lease(0, "select pg_advisory_lock(77)");
	pool_release(pool, &work[0].m, true);
	pool_verify(pool);
	assert_string_equal(
		pools_sql(1, "select coalesce(to_regclass('mine')::text, '-') "
			     "|| current_setting('work_mem')"),
		"-4MB");
	assert_int_equal(atoi(pools_sql(2, "select pg_backend_pid()")), pid);
	assert_string_equal(pools_sql(3, "select count(*) from pg_locks "
					 "where locktype = 'advisory'"),
			    "0");
	assert_string_equal(in_mode(4, POOL_READ), "on 11s");
	pools_close();
}

static void
after_a_reset_what_was_prepared_works_as_before(void **state)
{
	begin(1);
	for (int i = 0; i < 3; i++) {
		assert_string_equal(pools_sql(0, "select 'prepared'"),
				    "prepared");
		lease(1);
		pools_on_lease(1, "select 1");
		pool_release(pool, &work[1].m, true);
	}
	assert_int_equal(pools_stats().opened, 1);
	pools_close();
}

static void
an_abandoned_solo_gives_its_connection_back(void **state)
{
	begin(1);
	for (int i = 0; i < 5; i++) {
		pools_ask(0, POOL_SOLO, "select pg_sleep(60)");
		while (work[0].req.conn == NULL)
			turn();
		if (i % 2 == 0)
			turn();
		pgconn_abandon(&work[0].req);
		pool_verify(pool);
		assert_string_equal(pools_sql(1, "select 'next'"), "next");
		assert_int_equal(work[0].done, 0);
	}
	while (!pool_quiet(pool))
		turn();
	assert_int_equal(pools_stats().total, pools_stats().idle);
	pools_close();
}

static void
a_lease_given_back_behind_a_fence_waits_for_it(void **state)
{
	int pid;

	begin(1);
	lease(0);
	pid = lease_pid(0);
	pool_member_send(work[0].m, pools_request(0, "select pg_sleep(60)"));
	turn();
	pgconn_abandon(&work[0].req);
	pool_release(pool, &work[0].m, false);
	assert_int_equal(pools_stats().fenced, 1);
	assert_false(pool_quiet(pool));
	assert_int_equal(atoi(pools_sql(1, "select pg_backend_pid()")), pid);
	pools_close();
}

static void
a_dirty_lease_behind_a_fence_is_not_used_as_it_is(void **state)
{
	begin(1);
	lease(0);
	pools_on_lease(0, "set work_mem = '7MB'");
	pool_member_send(work[0].m, pools_request(0, "select pg_sleep(60)"));
	turn();
	pgconn_abandon(&work[0].req);
	pool_release(pool, &work[0].m, true);
	assert_string_equal(pools_sql(1, "show work_mem"), "4MB");
	pools_close();
}

static void
a_transaction_behind_a_fence_is_rolled_back(void **state)
{
	begin(1);
	lease(0);
	pools_on_lease(0, "begin");
	pool_member_send(work[0].m, pools_request(0, "select pg_sleep(60)"));
	turn();
	pgconn_abandon(&work[0].req);
	pool_release(pool, &work[0].m, false);
	assert_string_equal(pools_sql(1, "select 'fresh'"), "fresh");
	assert_int_equal(pools_stats().opened, 1);
	pools_close();
}

static void
the_holder_of_a_lost_connection_finds_out(void **state)
{
	begin(1);
	lease(0);
	server_terminate(lease_pid(0));
	while (pool_member_alive(work[0].m))
		turn();
	assert_int_equal(pools_stats().lost, 1);
	assert_int_equal(notes[POOL_NOTE_LOST], 1);
	assert_int_equal(pools_stats().leased, 1);
	pool_release(pool, &work[0].m, false);
	assert_int_equal(pools_stats().total, 0);
	assert_string_equal(pools_sql(1, "select 1"), "1");
	pools_close();
}

static void
an_idle_connection_that_dies_is_replaced(void **state)
{
	int pid;

	begin(1);
	pid = atoi(pools_sql(0, "select pg_backend_pid()"));
	server_terminate(pid);
	while (pools_stats().total > 0)
		turn();
	assert_int_equal(notes[POOL_NOTE_LOST], 1);
	assert_true(atoi(pools_sql(1, "select pg_backend_pid()")) != pid);
	pools_close();
}

static void
a_connection_is_closed_after_max_uses(void **state)
{
	int first;

	begin(1);
	pools_end(&pool);
	pools_rules.max_uses = 3;
	pools_open();
	first = atoi(pools_sql(0, "select pg_backend_pid()"));
	for (int i = 0; i < 2; i++)
		assert_int_equal(atoi(pools_sql(0, "select pg_backend_pid()")),
				 first);
	assert_true(atoi(pools_sql(0, "select pg_backend_pid()")) != first);
	assert_int_equal(pools_stats().opened, 2);
	pools_close();
}

static void
what_was_last_used_is_first_reused(void **state)
{
	int pid[2];

	begin(2);
	lease(0);
	lease(1);
	for (int i = 0; i < 2; i++)
		pid[i] = atoi(pools_on_lease(i, "select pg_backend_pid()"));
	pool_release(pool, &work[0].m, false);
	pool_release(pool, &work[1].m, false);
	for (int i = 2; i < 6; i++)
		assert_int_equal(atoi(pools_sql(i, "select pg_backend_pid()")),
				 pid[1]);
	pools_close();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_is_set_to_the_mode_of_its_work),
		cmocka_unit_test(a_write_on_a_read_lane_is_refused),
		cmocka_unit_test(a_clean_lease_is_used_again),
		cmocka_unit_test(a_transaction_left_in_a_lease_is_rolled_back),
		cmocka_unit_test(
			a_lease_given_back_with_something_in_flight_is_not_reused),
		cmocka_unit_test(a_dirty_lease_comes_back_as_new_and_the_same),
		cmocka_unit_test(
			after_a_reset_what_was_prepared_works_as_before),
		cmocka_unit_test(an_abandoned_solo_gives_its_connection_back),
		cmocka_unit_test(
			a_lease_given_back_behind_a_fence_waits_for_it),
		cmocka_unit_test(
			a_dirty_lease_behind_a_fence_is_not_used_as_it_is),
		cmocka_unit_test(a_transaction_behind_a_fence_is_rolled_back),
		cmocka_unit_test(the_holder_of_a_lost_connection_finds_out),
		cmocka_unit_test(an_idle_connection_that_dies_is_replaced),
		cmocka_unit_test(a_connection_is_closed_after_max_uses),
		cmocka_unit_test(what_was_last_used_is_first_reused),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, NULL, server_end);
}
