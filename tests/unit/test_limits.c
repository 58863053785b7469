/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "limits.h"

static const struct limits_facts plain = {.max_connections = 100,
					  .reserved = 3,
					  .clients = 0,
					  .role_limit = -1,
					  .database_limit = -1};

static void
reserved_slots_are_not_ours(void **state)
{
	assert_int_equal(limits_left(&plain, 0), 97);
}

static void
connections_of_others_are_not_left_and_our_own_are(void **state)
{
	struct limits_facts f = plain;

	f.clients = 30;
	assert_int_equal(limits_left(&f, 0), 67);
	assert_int_equal(limits_left(&f, 10), 77);
}

static void
logins_that_the_server_does_not_count_yet_make_nothing_negative(void **state)
{
	struct limits_facts f = plain;

	f.clients = 2;
	assert_int_equal(limits_left(&f, 5), 97);
}

static void
the_limits_of_role_and_database_hold_too(void **state)
{
	struct limits_facts f = plain;

	f.role_limit = 20;
	assert_int_equal(limits_left(&f, 0), 20);
	f.database_limit = 10;
	assert_int_equal(limits_left(&f, 0), 10);
	f.role_limit = 0;
	assert_int_equal(limits_left(&f, 0), 1);
}

static void
one_connection_is_always_left_to_try_with(void **state)
{
	struct limits_facts f = plain;

	f.clients = 200;
	assert_int_equal(limits_left(&f, 1), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reserved_slots_are_not_ours),
		cmocka_unit_test(
			connections_of_others_are_not_left_and_our_own_are),
		cmocka_unit_test(
			logins_that_the_server_does_not_count_yet_make_nothing_negative),
		cmocka_unit_test(the_limits_of_role_and_database_hold_too),
		cmocka_unit_test(one_connection_is_always_left_to_try_with),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
