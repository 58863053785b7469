/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pools.h"
#include "panics.h"

static void
begin(void)
{
	server_need();
	pools_begin(server_dir);
}

static void
a_pool_with_min_0_opens_nothing_until_it_is_asked(void **state)
{
	begin();
	pools_open();
	for (int i = 0; i < 5; i++)
		turn();
	assert_int_equal(pools_stats().opened, 0);
	assert_true(pool_quiet(pool));
	assert_string_equal(pools_sql(0, "select 1"), "1");
	assert_int_equal(pools_stats().opened, 1);
	pools_close();
}

static void
min_connections_are_opened_without_being_asked_for(void **state)
{
	begin();
	pools_rules.min = 3;
	pools_open();
	while (pools_stats().idle < 3)
		turn();
	assert_int_equal(notes[POOL_NOTE_CONNECTED], 3);
	assert_int_equal(pools_stats().total, 3);
	pools_close();
}

static void
a_lease_is_its_holders_alone_until_it_is_given_back(void **state)
{
	char pid[20];

	begin();
	pools_rules.max = 1;
	pools_open();
	pools_ask(0, POOL_LEASE, NULL);
	pools_granted(0);
	assert_true(pool_member_alive(work[0].m));
	snprintf(pid, sizeof(pid), "%s",
		 pools_on_lease(0, "select pg_backend_pid()"));
	assert_int_equal(atoi(pid),
			 pgconn_backend_pid(pool_member_conn(work[0].m)));
	pools_ask(1, POOL_SOLO, "select pg_backend_pid()");
	for (int i = 0; i < 5; i++)
		turn();
	assert_int_equal(work[1].done, 0);
	assert_int_equal(pools_stats().waiting, 1);
	assert_int_equal(pools_stats().leased, 1);
	assert_false(pool_quiet(pool));
	pool_release(pool, &work[0].m, false);
	assert_null(work[0].m);
	pools_wait(1);
	assert_string_equal(work[1].text, pid);
	pools_close();
}

static void
never_more_than_max_are_open(void **state)
{
	begin();
	pools_rules.max = 3;
	pools_open();
	for (int i = 0; i < 20; i++)
		pools_ask(i, POOL_SOLO, "select pg_sleep(0.01)");
	for (int i = 0; i < 20; i++) {
		pools_wait(i);
		assert_int_equal(work[i].req.fate, PGREQ_DONE);
		assert_true(pools_stats().total <= 3);
	}
	assert_true(pools_stats().opened <= 3);
	pools_close();
}

static void
two_pools_never_exceed_the_budget_they_share(void **state)
{
	struct pool *other;

	begin();
	budget.max = 3;
	pools_rules.max = 3;
	other = pools_new();
	pools_open();
	for (int i = 0; i < 12; i++) {
		pools_make(i, POOL_SOLO, "select pg_sleep(0.01)");
		pool_submit(i % 2 ? pool : other, &work[i].job, GATE_NORMAL, 0);
	}
	for (int i = 0; i < 12; i++) {
		while (work[i].done == 0) {
			turn();
			pool_verify(other);
			assert_true(budget.open <= 3);
		}
		assert_int_equal(work[i].req.fate, PGREQ_DONE);
	}
	pools_end(&other);
	pools_close();
}

static void
reads_that_share_travel_as_one_group(void **state)
{
	begin();
	pools_rules.max = 1;
	pools_open();
	pools_sql(60, "select 1");
	for (int i = 0; i < 20; i++)
		pools_ask(i, POOL_SHARE, "select pg_backend_pid()");
	for (int i = 0; i < 20; i++) {
		pools_wait(i);
		assert_int_equal(work[i].req.fate, PGREQ_DONE);
		assert_string_equal(work[i].text, work[0].text);
	}
	/* 20 reads in groups of 8 */
	assert_int_equal(pools_stats().groups, 1 + 3);
	assert_int_equal(pools_stats().statements, 1 + 20);
	pools_close();
}

/* The context has to be told once in each group, not at each change. */
static void
reads_of_one_context_travel_together(void **state)
{
	static const char *const who[] = {"{\"a\":1}", "{\"b\":1}"};

	begin();
	pools_rules.max = 1;
	pools_open();
	pools_sql(60, "select 1");
	for (int i = 0; i < 16; i++) {
		pools_make(i, POOL_SHARE,
			   "select current_setting('lunate.ctx', true)");
		work[i].req.context = who[i % 2];
		pools_submit(i, GATE_NORMAL, 0);
	}
	for (int i = 0; i < 16; i++)
		pools_wait(i);
	for (int i = 0; i < 16; i++) {
		assert_string_equal(work[i].text, who[i % 2]);
		assert_int_equal(work[i].place - work[0].place < 8, i % 2 == 0);
	}
	assert_int_equal(pools_stats().groups, 1 + 2);
	pools_close();
}

static void
who_asked_first_is_served_first_and_the_critical_before_all(void **state)
{
	begin();
	pools_rules.max = 1;
	pools_open();
	pools_ask(0, POOL_LEASE, NULL);
	pools_granted(0);
	for (int i = 1; i <= 6; i++) {
		pools_make(i, POOL_SOLO, "select 1");
		pools_submit(i,
			     i == 5   ? GATE_CRITICAL
			     : i == 6 ? GATE_HIGH
			     : i == 1 ? GATE_LOW
				      : GATE_NORMAL,
			     0);
	}
	turn();
	pool_release(pool, &work[0].m, false);
	for (int i = 1; i <= 6; i++)
		pools_wait(i);
	assert_true(work[5].place < work[6].place);
	assert_true(work[6].place < work[2].place);
	assert_true(work[2].place < work[3].place);
	assert_true(work[3].place < work[4].place);
	assert_true(work[4].place < work[1].place);
	pools_close();
}

static void
who_waits_too_long_is_refused_with_the_whole_picture(void **state)
{
	const char *text = work[1].why.text;

	begin();
	pools_rules.max = 1;
	pools_rules.acquire_us = 50000;
	pools_open();
	pools_make(0, POOL_LEASE, NULL);
	work[0].job.site = "report.lua:12";
	pools_submit(0, GATE_NORMAL, 0);
	pools_granted(0);
	pools_ask(1, POOL_SOLO, "select 1");
	pools_wait(1);
	assert_int_equal(work[1].refused, 1);
	assert_int_equal(work[1].why.code, LUNATE_EPOOL);
	assert_non_null(strstr(text, "Connection pool exhausted"));
	assert_non_null(strstr(text, "total 1, active 1, idle 0, waiting 0"));
	assert_non_null(strstr(text, "report.lua:12"));
	assert_int_equal(pools_stats().timeouts, 1);
	pool_release(pool, &work[0].m, false);
	pools_close();
}

static void
a_deadline_before_the_longest_wait_counts(void **state)
{
	begin();
	pools_rules.max = 1;
	pools_open();
	pools_ask(0, POOL_LEASE, NULL);
	pools_granted(0);
	pools_make(1, POOL_SHARE, "select 1");
	pools_submit(1, GATE_NORMAL, 30000);
	pools_wait(1);
	assert_int_equal(work[1].refused, 1);
	assert_int_equal(pools_stats().waiting, 0);
	pool_release(pool, &work[0].m, false);
	pools_close();
}

static void
work_that_is_withdrawn_is_never_called_back(void **state)
{
	begin();
	pools_rules.max = 1;
	pools_rules.acquire_us = 1; /* the next look at the clock refuses */
	pools_open();
	pools_ask(0, POOL_SOLO, "select 1");
	assert_true(pool_withdraw(pool, &work[0].job));
	assert_false(pool_withdraw(pool, &work[0].job));
	pools_ask(1, POOL_SHARE, "select 1");
	assert_true(pool_withdraw(pool, &work[1].job));
	pool_verify(pool);
	for (int i = 0; i < 5; i++)
		turn();
	assert_int_equal(ends, 0);
	assert_true(pool_quiet(pool));
	pools_close();
}

static void
what_is_granted_can_not_be_withdrawn(void **state)
{
	begin();
	pools_open();
	pools_ask(0, POOL_LEASE, NULL);
	pools_granted(0);
	assert_false(pool_withdraw(pool, &work[0].job));
	pool_release(pool, &work[0].m, false);
	pools_close();
}

static void
a_full_queue_refuses_from_the_loop(void **state)
{
	begin();
	pools_rules.max = 1;
	pools_rules.queue_max = 2;
	pools_open();
	pools_ask(0, POOL_LEASE, NULL);
	pools_granted(0);
	for (int i = 1; i <= 3; i++)
		pools_ask(i, POOL_SOLO, "select 1");
	pools_wait(3);
	assert_int_equal(work[3].refused, 1);
	assert_int_equal(work[3].why.code, LUNATE_EPOOL);
	pool_release(pool, &work[0].m, false);
	pools_wait(1);
	pools_wait(2);
	assert_int_equal(work[2].done, 1);
	pools_close();
}

static void
a_closed_pool_refuses_waiters_and_newcomers_and_keeps_leases(void **state)
{
	struct err e;

	begin();
	pools_rules.max = 1;
	pools_open();
	pools_ask(0, POOL_LEASE, NULL);
	pools_granted(0);
	pools_ask(1, POOL_SOLO, "select 1");
	err_set(&e, LUNATE_ECLOSED, "closed for the night");
	pool_close(pool, &e);
	pools_ask(2, POOL_SHARE, "select 1");
	assert_int_equal(ends, 1);
	pools_wait(1);
	pools_wait(2);
	for (int i = 1; i <= 2; i++) {
		assert_int_equal(work[i].refused, 1);
		assert_string_equal(work[i].why.text, "closed for the night");
	}
	assert_string_equal(pools_on_lease(0, "select 'still'"), "still");
	assert_false(pool_quiet(pool));
	pool_release(pool, &work[0].m, false);
	assert_true(pool_quiet(pool));
	assert_int_equal(pools_stats().total, 0);
	pools_close();
}

static void
a_pool_is_freed_with_logins_and_work_under_way(void **state)
{
	struct err e;

	begin();
	pools_open();
	pools_sql(0, "select 1");
	pools_ask(1, POOL_SOLO, "select pg_sleep(60)");
	pools_ask(2, POOL_SOLO, "select pg_sleep(60)");
	turn();
	err_set(&e, LUNATE_ECLOSED, "over");
	pool_close(pool, &e);
	pool_free(&pool);
	assert_null(pool);
	assert_int_equal(work[1].done, 1);
	assert_int_equal(work[1].req.fate, PGREQ_LOST);
	assert_int_equal(work[2].done + work[2].refused, 1);
	pools_close();
}

static void
a_pool_that_is_not_closed_may_not_be_freed(void **state)
{
	struct pool *same;

	begin();
	pools_open();
	same = pool;
	assert_panics(pool_free(&pool));
	pool = same;
	pools_close();
}

static void
a_smaller_max_takes_effect_and_a_larger_one_too(void **state)
{
	begin();
	pools_open();
	pool_set_max(pool, 1);
	for (int i = 0; i < 3; i++)
		pools_ask(i, POOL_LEASE, NULL);
	pools_granted(0);
	for (int i = 0; i < 5; i++)
		turn();
	assert_int_equal(pools_stats().total, 1);
	pool_set_max(pool, 3);
	for (int i = 1; i < 3; i++)
		pools_granted(i);
	for (int i = 0; i < 3; i++)
		pool_release(pool, &work[i].m, false);
	pools_close();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_pool_with_min_0_opens_nothing_until_it_is_asked),
		cmocka_unit_test(
			min_connections_are_opened_without_being_asked_for),
		cmocka_unit_test(
			a_lease_is_its_holders_alone_until_it_is_given_back),
		cmocka_unit_test(never_more_than_max_are_open),
		cmocka_unit_test(two_pools_never_exceed_the_budget_they_share),
		cmocka_unit_test(reads_that_share_travel_as_one_group),
		cmocka_unit_test(reads_of_one_context_travel_together),
		cmocka_unit_test(
			who_asked_first_is_served_first_and_the_critical_before_all),
		cmocka_unit_test(
			who_waits_too_long_is_refused_with_the_whole_picture),
		cmocka_unit_test(a_deadline_before_the_longest_wait_counts),
		cmocka_unit_test(work_that_is_withdrawn_is_never_called_back),
		cmocka_unit_test(what_is_granted_can_not_be_withdrawn),
		cmocka_unit_test(a_full_queue_refuses_from_the_loop),
		cmocka_unit_test(
			a_closed_pool_refuses_waiters_and_newcomers_and_keeps_leases),
		cmocka_unit_test(
			a_pool_is_freed_with_logins_and_work_under_way),
		cmocka_unit_test(a_pool_that_is_not_closed_may_not_be_freed),
		cmocka_unit_test(
			a_smaller_max_takes_effect_and_a_larger_one_too),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, NULL, server_end);
}
