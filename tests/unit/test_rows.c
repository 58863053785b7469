/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "mem.h"
#include "panics.h"
#include "rows.h"

static struct shape *
two_columns(void)
{
	char name[] = "id";
	struct shape_col cols[] = {{name, 23, -1, 1000, 1, false},
				   {"note", 25, -1, 0, 0, false}};
	struct shape *s = shape_new(cols, 2);

	name[0] = 'X'; /* the shape has its own copy */
	return s;
}

/* Two rows: (1, NULL), ("", "a\0b"). */
static struct rows *
sample(void)
{
	struct shape *s = two_columns();
	struct rows *r = rows_try_new(s, 2, 4);

	assert_non_null(r);
	shape_unpin(&s);
	rows_put(r, "1", 1);
	rows_put(r, NULL, 0);
	rows_put(r, "", 0);
	rows_put(r, "a\0b", 3);
	rows_seal(r);
	return r;
}

static void
cells_come_back_as_they_were_put(void **state)
{
	struct rows *r = sample();
	const char *p;
	size_t len = 99;

	assert_int_equal(rows_count(r), 2);
	assert_string_equal(rows_cell(r, 0, 0, &len), "1");
	assert_int_equal(len, 1);
	assert_null(rows_cell(r, 0, 1, &len));
	assert_int_equal(len, 0);
	p = rows_cell(r, 1, 0, &len);
	assert_non_null(p);
	assert_int_equal(len, 0);
	assert_int_equal(*p, 0);
	p = rows_cell(r, 1, 1, &len);
	assert_int_equal(len, 3);
	assert_memory_equal(p, "a\0b", 4);
	rows_unpin(&r);
	assert_null(r);
}

static void
a_shape_copies_its_names_and_has_an_id_of_its_own(void **state)
{
	struct shape *a = two_columns(), *b = two_columns();

	assert_string_equal(a->cols[0].name, "id");
	assert_string_equal(a->cols[1].name, "note");
	assert_int_equal(a->cols[0].table, 1000);
	assert_int_not_equal(a->id, b->id);
	shape_unpin(&a);
	shape_unpin(&b);
	assert_null(a);
}

static void
rows_keep_their_shape_alive(void **state)
{
	struct rows *r = sample();

	assert_string_equal(rows_shape(r)->cols[1].name, "note");
	assert_int_equal(rows_shape(r)->ncols, 2);
	rows_unpin(&r);
}

static void
rows_without_columns_or_without_rows_are_rows(void **state)
{
	struct shape *none = shape_new(NULL, 0), *two = two_columns();
	struct rows *a = rows_try_new(none, 5, 0);
	struct rows *b = rows_try_new(two, 0, 0);

	rows_seal(a);
	rows_seal(b);
	assert_int_equal(rows_count(a), 5);
	assert_int_equal(rows_count(b), 0);
	rows_unpin(&a);
	rows_unpin(&b);
	shape_unpin(&none);
	shape_unpin(&two);
}

static void
the_charge_covers_every_byte(void **state)
{
	struct shape *s = two_columns();
	struct rows *small = rows_try_new(s, 1, 0);
	struct rows *big = rows_try_new(s, 1, 1000);

	assert_int_equal(rows_bytes(big) - rows_bytes(small), 1000);
	rows_unpin(&small);
	rows_unpin(&big);
	shape_unpin(&s);
}

static void
too_much_or_no_memory_gives_null(void **state)
{
	struct shape *s = two_columns();

	assert_null(rows_try_new(s, 1, (size_t)UINT32_MAX));
	assert_null(rows_try_new(s, SIZE_MAX, 0));
	assert_null(rows_try_new(s, (size_t)UINT32_MAX, 0));
	mem_fail_after(1);
	assert_null(rows_try_new(s, 1, 1));
	shape_unpin(&s);
}

static void
more_cells_or_bytes_than_announced_end_in_a_panic(void **state)
{
	struct shape *s = two_columns();
	struct rows *r = rows_try_new(s, 1, 3);

	assert_panics(rows_put(r, "abcdef", 6));
	rows_unpin(&r);
	r = rows_try_new(s, 1, 3);
	assert_panics(rows_put(r, "", SIZE_MAX));
	rows_unpin(&r);
	r = rows_try_new(s, 1, 3);
	rows_put(r, "a", 1);
	assert_panics(rows_seal(r));
	rows_put(r, "b", 1);
	assert_panics(rows_put(r, NULL, 0));
	rows_unpin(&r);
	shape_unpin(&s);
}

static void
nothing_is_read_before_the_seal_or_outside(void **state)
{
	struct shape *s = two_columns();
	struct rows *r = rows_try_new(s, 1, 0);
	size_t len;

	rows_put(r, NULL, 0);
	rows_put(r, NULL, 0);
	assert_panics(rows_cell(r, 0, 0, &len));
	rows_seal(r);
	assert_null(rows_cell(r, 0, 0, &len));
	assert_panics(rows_cell(r, 1, 0, &len));
	assert_panics(rows_cell(r, 0, 2, &len));
	assert_panics(rows_cell(r, 0, -1, &len));
	assert_panics(rows_put(r, NULL, 0));
	rows_unpin(&r);
	shape_unpin(&s);
}

static void *
pin_and_unpin(void *arg)
{
	struct rows *r = rows_pin(arg);
	size_t len;

	for (int i = 0; i < 1000; i++) {
		struct rows *mine = rows_pin(r);

		rows_cell(mine, 0, 0, &len);
		rows_unpin(&mine);
	}
	rows_unpin(&r);
	return NULL;
}

static void
readers_in_several_threads_pin_and_unpin(void **state)
{
	struct rows *r = sample();
	pthread_t t[3];
	size_t len;

	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, pin_and_unpin, r);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	assert_string_equal(rows_cell(r, 0, 0, &len), "1");
	rows_unpin(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cells_come_back_as_they_were_put),
		cmocka_unit_test(
			a_shape_copies_its_names_and_has_an_id_of_its_own),
		cmocka_unit_test(rows_keep_their_shape_alive),
		cmocka_unit_test(rows_without_columns_or_without_rows_are_rows),
		cmocka_unit_test(the_charge_covers_every_byte),
		cmocka_unit_test(too_much_or_no_memory_gives_null),
		cmocka_unit_test(
			more_cells_or_bytes_than_announced_end_in_a_panic),
		cmocka_unit_test(nothing_is_read_before_the_seal_or_outside),
		cmocka_unit_test(readers_in_several_threads_pin_and_unpin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
