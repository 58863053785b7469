/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "near.h"

static const char *
nearest(const char *word)
{
	static const char *const words[] = {"pool_min", "pool_max", "schema",
					    "ssl", "url"};
	struct near n;

	near_init(&n, word);
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		near_try(&n, words[i]);
	return near_best(&n);
}

static void
a_slip_of_the_finger_finds_its_word(void **state)
{
	assert_string_equal(nearest("pool_mx"), "pool_max");
	assert_string_equal(nearest("pool_mn"), "pool_min");
	assert_string_equal(nearest("POOL_MAX"), "pool_max");
	assert_string_equal(nearest("poolmax"), "pool_max");
	assert_string_equal(nearest("ur"), "url");
}

static void
a_swap_of_neighbours_counts_once(void **state)
{
	struct near n;

	near_init(&n, "shcema");
	near_try(&n, "schema");
	assert_string_equal(near_best(&n), "schema");
	assert_int_equal(n.distance, 1);
}

static void
another_word_finds_nothing(void **state)
{
	assert_null(nearest("temperature"));
	assert_null(nearest("x"));
	assert_null(nearest(""));
	assert_null(nearest("a_word_longer_than_any_option_that_there_will_be"
			    "_in_this_program"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slip_of_the_finger_finds_its_word),
		cmocka_unit_test(a_swap_of_neighbours_counts_once),
		cmocka_unit_test(another_word_finds_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
