/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "pace.h"

static struct pace pace;

static int
begin(void **state)
{
	(void)state;
	memset(&pace, 0, sizeof(pace));
	return 0;
}

static void
saw(uint64_t hash, int times, int64_t us)
{
	for (int i = 0; i < times; i++)
		pace_saw(&pace, hash, us);
}

static void
what_was_never_seen_is_unknown(void **state)
{
	assert_int_equal(pace_of(&pace, 7), PACE_UNKNOWN);
	assert_int_equal(pace_of(&pace, 0), PACE_UNKNOWN);
}

static void
too_few_runs_say_nothing(void **state)
{
	saw(7, PACE_SAMPLES - 1, 10);
	assert_int_equal(pace_of(&pace, 7), PACE_UNKNOWN);
	saw(7, 1, 10);
	assert_int_equal(pace_of(&pace, 7), PACE_FAST);
}

static void
fast_ends_where_the_limit_is(void **state)
{
	saw(1, PACE_SAMPLES, PACE_FAST_US - 1);
	saw(2, PACE_SAMPLES, PACE_FAST_US);
	assert_int_equal(pace_of(&pace, 1), PACE_FAST);
	assert_int_equal(pace_of(&pace, 2), PACE_SLOW);
}

static void
one_very_slow_run_makes_it_slow_and_many_fast_ones_fast_again(void **state)
{
	saw(3, 50, 100);
	assert_int_equal(pace_of(&pace, 3), PACE_FAST);
	saw(3, 1, 1000000);
	assert_int_equal(pace_of(&pace, 3), PACE_SLOW);
	saw(3, 50, 100);
	assert_int_equal(pace_of(&pace, 3), PACE_FAST);
}

static void
two_on_one_place_push_each_other_out(void **state)
{
	saw(5, 10, 100);
	saw(5 + PACE_SLOTS, 1, 100000);
	assert_int_equal(pace_of(&pace, 5), PACE_UNKNOWN);
	assert_int_equal(pace_of(&pace, 5 + PACE_SLOTS), PACE_UNKNOWN);
	saw(5 + PACE_SLOTS, PACE_SAMPLES, 100000);
	assert_int_equal(pace_of(&pace, 5 + PACE_SLOTS), PACE_SLOW);
	saw(6, 10, 100); /* the next place is another one */
	assert_int_equal(pace_of(&pace, 5 + PACE_SLOTS), PACE_SLOW);
}

static void
a_clock_that_went_back_counts_as_no_time(void **state)
{
	saw(8, PACE_SAMPLES, -1000000);
	assert_int_equal(pace_of(&pace, 8), PACE_FAST);
	saw(8, 60, 10000);
	assert_int_equal(pace_of(&pace, 8), PACE_SLOW);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_was_never_seen_is_unknown, begin),
		cmocka_unit_test_setup(too_few_runs_say_nothing, begin),
		cmocka_unit_test_setup(fast_ends_where_the_limit_is, begin),
		cmocka_unit_test_setup(
			one_very_slow_run_makes_it_slow_and_many_fast_ones_fast_again,
			begin),
		cmocka_unit_test_setup(two_on_one_place_push_each_other_out,
				       begin),
		cmocka_unit_test_setup(a_clock_that_went_back_counts_as_no_time,
				       begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
