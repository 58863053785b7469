/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "obj.h"
#include "panics.h"

struct thing {
	unsigned magic;
	int n;
};

#define THING 0x12345678u

static void
cast(void *from, struct thing **to)
{
	OBJ_CAST(*to, from, THING);
}

static void
take(struct thing **from, struct thing **to)
{
	OBJ_TAKE(*to, from, THING);
}

static void
a_live_object_passes_its_check(void **state)
{
	struct thing t, *p = NULL;

	OBJ_INIT(&t, THING);
	OBJ_CHECK(&t, THING);
	cast(&t, &p);
	assert_ptr_equal(p, &t);
}

static void
a_wrong_dead_or_missing_object_ends_in_a_panic(void **state)
{
	struct thing t, *p;

	OBJ_INIT(&t, THING + 1);
	assert_panics(cast(&t, &p));
	OBJ_INIT(&t, THING);
	OBJ_FINI(&t);
	assert_panics(cast(&t, &p));
	assert_panics(cast(NULL, &p));
}

static void
a_taken_pointer_is_gone(void **state)
{
	struct thing t, *from = &t, *to = NULL;

	OBJ_INIT(&t, THING);
	take(&from, &to);
	assert_ptr_equal(to, &t);
	assert_null(from);
	assert_panics(take(&from, &to));
}

static void
the_hook_sees_file_line_and_condition(void **state)
{
	assert_panics(assert(1 + 1 == 3));
	assert_non_null(strstr(panics_text, "lunate: "));
	assert_non_null(strstr(panics_text, "test_obj.c:"));
	assert_non_null(strstr(panics_text, "assertion failed: 1 + 1 == 3"));
}

static void
a_container_is_found_from_its_field(void **state)
{
	struct thing t;

	assert_ptr_equal(CONTAINER_OF(&t.n, struct thing, n), &t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_live_object_passes_its_check),
		cmocka_unit_test(
			a_wrong_dead_or_missing_object_ends_in_a_panic),
		cmocka_unit_test(a_taken_pointer_is_gone),
		cmocka_unit_test(the_hook_sees_file_line_and_condition),
		cmocka_unit_test(a_container_is_found_from_its_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
