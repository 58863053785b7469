/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pools.h"

static void
begin(void)
{
	server_need();
	pools_begin(server_dir);
}

static void
never_more_than_max_logins_at_once(void **state)
{
	pools_begin(server_fake_start("half"));
	pools_rules.max = 10;
	pools_rules.max_logins = 3;
	pools_open();
	for (int i = 0; i < 10; i++)
		pools_ask(i, POOL_LEASE, NULL);
	for (int i = 0; i < 20; i++) {
		turn();
		assert_true(pools_stats().logins <= 3);
		assert_true(pools_stats().total <= 3);
	}
	assert_int_equal(pools_stats().logins, 3);
	pools_close();
	server_fake_end();
}

static void
idle_connections_above_min_are_closed(void **state)
{
	begin();
	pools_rules.min = 1;
	pools_rules.idle_us = 20000;
	pools_open();
	for (int i = 0; i < 3; i++)
		pools_ask(i, POOL_LEASE, NULL);
	for (int i = 0; i < 3; i++) {
		pools_granted(i);
		(void)pools_on_lease(i, "select 1");
	}
	for (int i = 0; i < 3; i++)
		pool_release(pool, &work[i].m, false);
	assert_int_equal(pools_stats().total, 3);
	while (pools_stats().total > 1)
		turn();
	for (int i = 0; i < 60; i++)
		turn();
	assert_int_equal(pools_stats().total, 1);
	assert_int_equal(pools_stats().lost, 0);
	pools_close();
}

static void
an_old_connection_is_closed_and_min_is_kept(void **state)
{
	begin();
	pools_rules.min = 1;
	pools_rules.lifetime_us = 30000;
	pools_open();
	while (pools_stats().closed < 2)
		turn();
	assert_int_equal(pools_stats().lost, 0);
	assert_int_equal(pools_stats().login_failures, 0);
	pools_close();
}

static void
a_lease_is_never_closed_for_its_age(void **state)
{
	begin();
	pools_rules.max = 1;
	pools_rules.lifetime_us = 1000;
	pools_rules.idle_us = 1000;
	pools_open();
	pools_ask(0, POOL_LEASE, NULL);
	pools_granted(0);
	for (int i = 0; i < 60; i++)
		turn();
	assert_string_equal(pools_on_lease(0, "select 'mine'"), "mine");
	pool_release(pool, &work[0].m, false);
	assert_int_equal(pools_stats().total, 0);
	pools_close();
}

static void
an_idle_connection_is_pinged_and_a_dead_one_is_found(void **state)
{
	int pid;

	begin();
	pools_rules.max = 1;
	pools_rules.validate_us = 10000;
	pools_open();
	pid = atoi(pools_sql(0, "select pg_backend_pid()"));
	while (pools_stats().active == 0)
		turn(); /* a ping is under way */
	while (pools_stats().idle == 0)
		turn();
	assert_int_equal(pools_stats().opened, 1);
	assert_int_equal(atoi(pools_sql(1, "select pg_backend_pid()")), pid);
	kill(pid, SIGSTOP); /* it will never answer the next one */
	while (pools_stats().closed == 0)
		turn();
	kill(pid, SIGCONT);
	assert_true(atoi(pools_sql(2, "select pg_backend_pid()")) != pid);
	pools_close();
}

static void
a_leak_is_told_with_its_borrower_once_and_its_return_too(void **state)
{
	begin();
	pools_rules.leak_us = 20000;
	pools_open();
	pools_make(0, POOL_LEASE, NULL);
	work[0].job.site = "leaky.lua:7";
	pools_submit(0, GATE_NORMAL, 0);
	pools_granted(0);
	while (notes[POOL_NOTE_LEAK] == 0)
		turn();
	assert_non_null(strstr(note_text[POOL_NOTE_LEAK], "leaky.lua:7"));
	for (int i = 0; i < 80; i++)
		turn();
	assert_int_equal(notes[POOL_NOTE_LEAK], 1);
	assert_int_equal(notes[POOL_NOTE_RETURNED], 0);
	pool_release(pool, &work[0].m, false);
	while (notes[POOL_NOTE_RETURNED] == 0)
		turn();
	assert_non_null(strstr(note_text[POOL_NOTE_RETURNED], "leaky.lua:7"));
	pools_close();
}

static void
near_exhaustion_is_told_while_somebody_waits(void **state)
{
	begin();
	pools_rules.max = 1;
	pools_open();
	pools_ask(0, POOL_LEASE, NULL);
	pools_granted(0);
	for (int i = 0; i < 5; i++)
		turn();
	assert_int_equal(notes[POOL_NOTE_NEAR_EXHAUSTION], 0);
	pools_ask(1, POOL_SOLO, "select 1");
	while (notes[POOL_NOTE_NEAR_EXHAUSTION] == 0)
		turn();
	assert_non_null(strstr(note_text[POOL_NOTE_NEAR_EXHAUSTION],
			       "Connection pool near exhaustion"));
	pool_release(pool, &work[0].m, false);
	pools_wait(1);
	pools_close();
}

/* The one thing that is told must be why the login failed. */
static void
login_refused(const char *mode, enum err_code code)
{
	pools_begin(server_fake_start(mode));
	pools_open();
	pools_ask(0, POOL_SOLO, "select 1");
	pools_wait(0);
	assert_int_equal(work[0].refused, 1);
	assert_int_equal(work[0].why.code, code);
	assert_non_null(strstr(work[0].why.text, "connect to primary"));
	assert_true(pools_stats().login_failures >= 1);
	assert_true(notes[POOL_NOTE_LOGIN_FAILED] >= 1);
	pools_close();
	server_fake_end();
}

static void
a_refused_password_is_told_at_once(void **state)
{
	login_refused("bad-password", LUNATE_EAUTH);
}

static void
a_server_that_was_never_there_is_told_at_once(void **state)
{
	login_refused("early-eof", LUNATE_ECONNECT);
	pools_begin("/nonexistent");
	pools_open();
	pools_ask(0, POOL_LEASE, NULL);
	pools_wait(0);
	assert_int_equal(work[0].refused, 1);
	assert_int_equal(work[0].why.code, LUNATE_ECONNECT);
	pools_close();
}

static void
a_server_that_was_there_is_waited_for(void **state)
{
	begin();
	pools_rules.max = 1;
	pools_open();
	server_kill(atoi(pools_sql(0, "select pg_backend_pid()")));
	while (pools_stats().total > 0)
		turn();
	server_down(); /* it recovers now and refuses logins */
	for (int i = 1; i < 5; i++)
		pools_ask(i, POOL_SOLO, "select 'back'");
	for (int i = 1; i < 5; i++) {
		pools_wait(i);
		assert_int_equal(work[i].done, 1);
		assert_string_equal(work[i].text, "back");
	}
	pools_close();
	server_ready();
}

/* It said itself that it will take logins later. */
static void
a_server_that_is_starting_up_or_full_is_tried_again(void **state)
{
	static const char *const modes[] = {"starting-up", "too-many"};

	for (int i = 0; i < 2; i++) {
		pools_begin(server_fake_start(modes[i]));
		pools_rules.acquire_us = 300000;
		pools_open();
		pools_ask(0, POOL_SOLO, "select 1");
		pools_wait(0);
		assert_int_equal(work[0].refused, 1);
		assert_int_equal(work[0].why.code, LUNATE_ECONNECT);
		assert_string_equal(work[0].why.sqlstate,
				    i == 0 ? "57P03" : "53300");
		assert_int_equal(pools_stats().timeouts, 1);
		assert_true(pools_stats().login_failures > 1);
		pools_close();
	}
	server_fake_end();
}

static void
who_waits_for_a_server_in_vain_hears_of_the_server(void **state)
{
	pools_begin(server_fake_start("half"));
	pools_rules.connect_us = 30000;
	pools_rules.acquire_us = 200000;
	pools_open();
	pools_ask(0, POOL_SOLO, "select 1");
	pools_wait(0);
	assert_int_equal(work[0].refused, 1);
	assert_int_equal(work[0].why.code, LUNATE_ECONNECT);
	pools_close();
	server_fake_end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(never_more_than_max_logins_at_once),
		cmocka_unit_test(idle_connections_above_min_are_closed),
		cmocka_unit_test(an_old_connection_is_closed_and_min_is_kept),
		cmocka_unit_test(a_lease_is_never_closed_for_its_age),
		cmocka_unit_test(
			an_idle_connection_is_pinged_and_a_dead_one_is_found),
		cmocka_unit_test(
			a_leak_is_told_with_its_borrower_once_and_its_return_too),
		cmocka_unit_test(near_exhaustion_is_told_while_somebody_waits),
		cmocka_unit_test(a_refused_password_is_told_at_once),
		cmocka_unit_test(a_server_that_was_never_there_is_told_at_once),
		cmocka_unit_test(a_server_that_was_there_is_waited_for),
		cmocka_unit_test(
			a_server_that_is_starting_up_or_full_is_tried_again),
		cmocka_unit_test(
			who_waits_for_a_server_in_vain_hears_of_the_server),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, NULL, server_end);
}
