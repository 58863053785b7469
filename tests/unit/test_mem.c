/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "mem.h"
#include "panics.h"

static void
memory_comes_zeroed(void **state)
{
	char *p = mem_new(64), *q = mem_try(64), zero[64] = {0};

	assert_non_null(q);
	assert_memory_equal(p, zero, 64);
	assert_memory_equal(q, zero, 64);
	mem_free(p);
	mem_free(q);
	mem_free(NULL);
}

static void
the_nth_try_fails_once(void **state)
{
	void *a, *b, *c;

	mem_fail_after(2);
	a = mem_try(1);
	b = mem_try(1);
	c = mem_try(1);
	assert_non_null(a);
	assert_null(b);
	assert_non_null(c);
	mem_free(a);
	mem_free(c);
}

static void
a_failed_resize_leaves_the_old_block(void **state)
{
	char *p = mem_dups("kept"), *q;

	mem_fail_after(1);
	assert_null(mem_try_resize(p, 1000));
	assert_string_equal(p, "kept");
	q = mem_try_resize(p, 1000);
	assert_non_null(q);
	assert_string_equal(q, "kept");
	mem_free(q);
}

static void
what_cannot_fail_is_not_counted(void **state)
{
	struct arena a;
	char *p;

	arena_init(&a, NULL, 0);
	mem_fail_after(1);
	p = mem_new(1);
	p = mem_resize(p, 5000);
	assert_non_null(arena_new(&a, 10));
	mem_free(p);
	assert_null(mem_try(1));
	arena_fini(&a);
}

static void
a_copy_is_terminated_even_when_empty(void **state)
{
	char *p = mem_dup("abcdef", 3), *q = mem_dup(NULL, 0);

	assert_string_equal(p, "abc");
	assert_string_equal(q, "");
	assert_null(mem_dups(NULL));
	mem_free(p);
	mem_free(q);
}

static void
wiped_bytes_are_gone(void **state)
{
	char s[8] = "secret!";

	mem_wipe(s, sizeof(s));
	for (size_t i = 0; i < sizeof(s); i++)
		assert_int_equal(s[i], 0);
}

static void
a_short_operation_lives_in_its_owner(void **state)
{
	_Alignas(16) char first[64];
	struct arena a;
	char *p, *q;

	memset(first, 'x', sizeof(first));
	arena_init(&a, first, sizeof(first));
	p = arena_new(&a, 20);
	q = arena_new(&a, 20);
	assert_ptr_equal(p, first);
	assert_ptr_equal(q, first + 32);
	assert_int_equal(q[19], 0);
	assert_null(a.head);
	p = arena_new(&a, 1);
	assert_non_null(a.head);
	assert_int_equal((uintptr_t)p % 16, 0);
	arena_fini(&a);
}

static void
places_in_an_arena_are_zeroed_and_aligned(void **state)
{
	static const size_t sizes[] = {1, 16, 17, 100, 2048, 2049, 70000, 3};
	struct arena a;
	unsigned char *p[8];

	arena_init(&a, NULL, 0);
	for (int i = 0; i < 8; i++) {
		p[i] = arena_new(&a, sizes[i]);
		assert_int_equal((uintptr_t)p[i] % 16, 0);
		for (size_t k = 0; k < sizes[i]; k++)
			assert_int_equal(p[i][k], 0);
		memset(p[i], i + 1, sizes[i]);
	}
	for (int i = 0; i < 8; i++)
		assert_int_equal(p[i][sizes[i] - 1], i + 1);
	arena_fini(&a);
	assert_null(a.head);
}

static void
nothing_asked_of_an_arena_is_a_place_too(void **state)
{
	struct arena a;
	void *p, *q;

	arena_init(&a, NULL, 0);
	p = arena_new(&a, 0);
	q = arena_try(&a, 0);
	assert_non_null(p);
	assert_non_null(q);
	assert_ptr_not_equal(p, q);
	arena_fini(&a);
}

static void
an_impossible_size_is_refused_not_wrapped(void **state)
{
	struct arena a;

	arena_init(&a, NULL, 0);
	assert_null(arena_try(&a, SIZE_MAX));
	assert_null(arena_try(&a, SIZE_MAX - 20));
	assert_panics(arena_new(&a, SIZE_MAX));
	assert_non_null(arena_try(&a, 1));
	arena_fini(&a);
}

static void
an_arena_can_be_told_to_fail(void **state)
{
	struct arena a;

	arena_init(&a, NULL, 0);
	mem_fail_after(1);
	assert_null(arena_try(&a, 8));
	assert_non_null(arena_try(&a, 8));
	arena_fini(&a);
}

static void
texts_in_an_arena(void **state)
{
	struct arena a;

	arena_init(&a, NULL, 0);
	assert_string_equal(arena_dup(&a, "abcdef", 2), "ab");
	assert_string_equal(arena_dup(&a, NULL, 0), "");
	assert_string_equal(arena_printf(&a, "%s-%d", "x", 7), "x-7");
	assert_true(a.total >= 3 + 1 + 4);
	arena_fini(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_comes_zeroed),
		cmocka_unit_test(the_nth_try_fails_once),
		cmocka_unit_test(a_failed_resize_leaves_the_old_block),
		cmocka_unit_test(what_cannot_fail_is_not_counted),
		cmocka_unit_test(a_copy_is_terminated_even_when_empty),
		cmocka_unit_test(wiped_bytes_are_gone),
		cmocka_unit_test(a_short_operation_lives_in_its_owner),
		cmocka_unit_test(places_in_an_arena_are_zeroed_and_aligned),
		cmocka_unit_test(nothing_asked_of_an_arena_is_a_place_too),
		cmocka_unit_test(an_impossible_size_is_refused_not_wrapped),
		cmocka_unit_test(an_arena_can_be_told_to_fail),
		cmocka_unit_test(texts_in_an_arena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
