/* SPDX-License-Identifier: MIT
 *
 * When a policy file whose functions fail has failed too often.
 */
#include "strikes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void
five_failures_within_a_minute_are_out(void **state)
{
	struct strikes s = {0};

	for (int i = 0; i < 4; i++)
		assert_false(strikes_add(&s, 3, 1000 + i * 15000));
	assert_true(strikes_add(&s, 3, 1000 + STRIKES_MS));
}

static void
five_failures_in_more_than_a_minute_are_not(void **state)
{
	struct strikes s = {0};

	for (int i = 0; i < 50; i++)
		assert_false(strikes_add(&s, 3, 1000 + i * 15001));
}

static void
the_last_five_count_whatever_came_before(void **state)
{
	struct strikes s = {0};

	for (int i = 0; i < 9; i++)
		assert_false(strikes_add(&s, 0, i * 16000));
	assert_true(strikes_add(&s, 0, 8 * 16000 + 1));
}

static void
each_file_has_its_own_count(void **state)
{
	struct strikes s = {0};

	for (int i = 0; i < 4; i++) {
		assert_false(strikes_add(&s, 1, i));
		assert_false(strikes_add(&s, 2, i));
	}
	assert_true(strikes_add(&s, 1, 5));
	assert_true(strikes_add(&s, 2, 5));
}

static void
who_was_out_or_is_another_text_begins_anew(void **state)
{
	struct strikes s = {0};

	for (int i = 0; i < 5; i++)
		strikes_add(&s, 1, i);
	for (int i = 0; i < 4; i++)
		assert_false(strikes_add(&s, 1, 10 + i));
	strikes_forget(&s, 1);
	for (int i = 0; i < 4; i++)
		assert_false(strikes_add(&s, 1, 20 + i));
	assert_true(strikes_add(&s, 1, 30));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(five_failures_within_a_minute_are_out),
		cmocka_unit_test(five_failures_in_more_than_a_minute_are_not),
		cmocka_unit_test(the_last_five_count_whatever_came_before),
		cmocka_unit_test(each_file_has_its_own_count),
		cmocka_unit_test(who_was_out_or_is_another_text_begins_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
