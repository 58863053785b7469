/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "mem.h"
#include "panics.h"
#include "str.h"

static void
an_empty_str_is_an_empty_string(void **state)
{
	struct str s;

	str_init(&s);
	assert_string_equal(s.at, "");
	assert_int_equal(s.len, 0);
	str_addn(&s, NULL, 0);
	str_add(&s, "");
	str_clear(&s);
	assert_string_equal(s.at, "");
	str_fini(&s);
}

static void
it_grows_by_any_step_and_stays_terminated(void **state)
{
	struct str s;

	str_init(&s);
	for (int i = 0; i < 10000; i++) {
		str_addc(&s, (char)('a' + i % 26));
		assert_int_equal(s.at[s.len], 0);
		assert_true(s.len < s.room);
	}
	assert_int_equal(s.len, 10000);
	for (int i = 0; i < 10000; i++)
		assert_int_equal(s.at[i], 'a' + i % 26);
	str_fini(&s);
	assert_string_equal(s.at, "");
}

static void
parts_of_all_kinds_follow_each_other(void **state)
{
	struct str s;

	str_init(&s);
	str_add(&s, "ab");
	str_addn(&s, "cdXX", 2);
	str_addc(&s, 'e');
	str_addf(&s, "%05d%s", 42, "!");
	str_addf(&s, "%s", "");
	assert_string_equal(s.at, "abcde00042!");
	assert_int_equal(s.len, 11);
	str_fini(&s);
}

static void
bytes_with_zeros_are_kept(void **state)
{
	struct str s;

	str_init(&s);
	str_addn(&s, "a\0b", 3);
	assert_int_equal(s.len, 3);
	assert_memory_equal(s.at, "a\0b", 4);
	str_fini(&s);
}

static void
what_was_reserved_can_be_written_in_part(void **state)
{
	struct str s;
	char *p;

	str_init(&s);
	str_add(&s, "x");
	p = str_reserve(&s, 1000);
	memset(p, 'y', 1000);
	str_grew(&s, 2);
	assert_string_equal(s.at, "xyy");
	assert_panics(str_grew(&s, 100000));
	str_fini(&s);
}

static void
clear_keeps_the_room(void **state)
{
	struct str s;
	size_t room;

	str_init(&s);
	str_addf(&s, "%0500d", 1);
	room = s.room;
	str_clear(&s);
	assert_int_equal(s.len, 0);
	assert_string_equal(s.at, "");
	assert_int_equal(s.room, room);
	str_fini(&s);
}

static void
taken_bytes_belong_to_the_caller(void **state)
{
	struct str s;
	char *p, *q;

	str_init(&s);
	str_add(&s, "mine");
	p = str_take(&s);
	q = str_take(&s);
	assert_string_equal(p, "mine");
	assert_string_equal(q, "");
	assert_string_equal(s.at, "");
	mem_free(p);
	mem_free(q);
	str_fini(&s);
}

static void
a_failing_allocator_does_not_reach_a_str(void **state)
{
	struct str s;

	str_init(&s);
	mem_fail_after(1);
	str_add(&s, "grown");
	assert_string_equal(s.at, "grown");
	mem_fail_after(0);
	str_fini(&s);
}

static void
an_absurd_size_ends_in_a_panic_and_not_in_a_loop(void **state)
{
	struct str s;

	str_init(&s);
	str_add(&s, "x");
	assert_panics(str_reserve(&s, SIZE_MAX - 1));
	str_fini(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_str_is_an_empty_string),
		cmocka_unit_test(it_grows_by_any_step_and_stays_terminated),
		cmocka_unit_test(parts_of_all_kinds_follow_each_other),
		cmocka_unit_test(bytes_with_zeros_are_kept),
		cmocka_unit_test(what_was_reserved_can_be_written_in_part),
		cmocka_unit_test(clear_keeps_the_room),
		cmocka_unit_test(taken_bytes_belong_to_the_caller),
		cmocka_unit_test(a_failing_allocator_does_not_reach_a_str),
		cmocka_unit_test(
			an_absurd_size_ends_in_a_panic_and_not_in_a_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
