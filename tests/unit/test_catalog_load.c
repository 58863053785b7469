/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "catalog_rig.h"

/* ---- building ----------------------------------------------------------- */

/* The answer of the server; with `noise`, cells that no server sends. */
static struct rows *
answer(unsigned noise)
{
	static const char *const odd[] = {"",	   "-1",    "99999999999", "{",
					  "{1,x}", "1 2 3", "\xff"};
	PGresult *res = PQexec(server_side, catalog_load_sql);
	struct shape_col cols[8];
	struct shape *shape;
	struct rows *r;
	int n = PQntuples(res);

	for (int j = 0; j < 8; j++)
		cols[j] = (struct shape_col){.name = "x", .type = 25};
	shape = shape_new(cols, 8);
	r = rows_try_new(shape, (size_t)n, 4u << 20);
	assert_non_null(r);
	for (int i = 0; i < n; i++)
		for (int j = 0; j < 8; j++) {
			const char *cell = PQgetisnull(res, i, j)
						   ? NULL
						   : PQgetvalue(res, i, j);

			if (noise != 0 && rand_r(&noise) % 20 == 0 && j > 0)
				cell = odd[rand_r(&noise) % 7];
			rows_put(r, cell, cell != NULL ? strlen(cell) : 0);
		}
	rows_seal(r);
	shape_unpin(&shape);
	PQclear(res);
	return r;
}

static void
without_memory_there_is_an_error_and_no_snapshot(void **state)
{
	struct catalog_snapshot *s = NULL;
	struct rows *r = answer(0);
	unsigned failures = 0;
	struct err e;

	for (unsigned nth = 1; s == NULL; nth++) {
		mem_fail_after(nth);
		s = catalog_build(r, 0, &e);
		mem_fail_after(0);
		if (s == NULL) {
			assert_int_equal(e.code, LUNATE_ENOMEM);
			failures++;
		}
	}
	assert_true(failures > 10);
	assert_non_null(catalog_table(s, "app", "clinics"));
	catalog_snapshot_unpin(&s);
	rows_unpin(&r);
}

static void
an_answer_that_makes_no_sense_breaks_nothing(void **state)
{
	struct catalog_snapshot *s;
	struct rows *r;
	struct err e;

	for (unsigned seed = 1; seed <= 5; seed++) {
		r = answer(seed);
		s = catalog_build(r, 0, &e);
		if (s != NULL)
			catalog_snapshot_unpin(&s);
		rows_unpin(&r);
	}
}

static void
the_digest_does_not_depend_on_the_order_of_the_rows(void **state)
{
	struct rows *r = answer(0), *turned;
	struct shape *shape = shape_pin((struct shape *)rows_shape(r));
	struct catalog_snapshot *a, *b;
	size_t n = rows_count(r), len;
	struct err e;

	turned = rows_try_new(shape, n, rows_bytes(r));
	for (size_t i = 0; i < n; i++)
		for (int j = 0; j < 8; j++) {
			const char *cell = rows_cell(r, n - 1 - i, j, &len);

			rows_put(turned, cell, len);
		}
	rows_seal(turned);
	a = catalog_build(r, 0, &e);
	b = catalog_build(turned, 0, &e);
	assert_true(a->digest == b->digest);
	assert_string_equal(a->path[1], b->path[1]);
	assert_string_equal(
		catalog_column_by_num(catalog_table(b, "app", "clinics"), 2)
			->name,
		"name");
	catalog_snapshot_unpin(&a);
	catalog_snapshot_unpin(&b);
	rows_unpin(&r);
	rows_unpin(&turned);
	shape_unpin(&shape);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			without_memory_there_is_an_error_and_no_snapshot),
		cmocka_unit_test(an_answer_that_makes_no_sense_breaks_nothing),
		cmocka_unit_test(
			the_digest_does_not_depend_on_the_order_of_the_rows),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
