/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "capi.h"
#include "panics.h"

static struct lunate_rows *rows;

static int
begin(void **state)
{
	capi_begin("2");
	return 0;
}

static int
end(void **state)
{
	capi_end();
	return server_end(state);
}

static void
get(const char *sql)
{
	struct lunate_call c = lunate_sql(sql, NULL, 0);

	lunate_rows_free(&rows);
	rows = capi_rows(&c);
}

static int
forget(void **state)
{
	lunate_rows_free(&rows);
	assert_null(rows);
	lunate_rows_free(&rows);
	return 0;
}

static void
a_result_knows_its_rows_columns_names_and_types(void **state)
{
	get("select i as n, 't' || i as t, null::date as d, i as n "
	    "from generate_series(1, 3) i");
	assert_int_equal(lunate_rows_count(rows), 3);
	assert_int_equal(lunate_rows_columns(rows), 4);
	assert_string_equal(lunate_rows_name(rows, 0), "n");
	assert_string_equal(lunate_rows_name(rows, 2), "d");
	assert_int_equal(lunate_rows_type(rows, 0), 23);
	assert_int_equal(lunate_rows_type(rows, 1), 25);
	assert_int_equal(lunate_rows_type(rows, 2), 1082);
	assert_int_equal(lunate_rows_find(rows, "d"), 2);
	assert_int_equal(lunate_rows_find(rows, "n"), 0);
	assert_int_equal(lunate_rows_find(rows, "none"), -1);
	assert_int_equal(lunate_rows_affected(rows), 3);
	assert_true(lunate_rows_seconds(rows) > 0);
	assert_string_equal(lunate_rows_text(rows, 2, 1), "t3");
}

static void
a_result_may_have_no_rows_or_no_columns(void **state)
{
	get("select 1 as one where false");
	assert_int_equal(lunate_rows_count(rows), 0);
	assert_int_equal(lunate_rows_columns(rows), 1);
	assert_int_equal(lunate_rows_find(rows, "one"), 0);
	get("select from generate_series(1, 5)");
	assert_int_equal(lunate_rows_count(rows), 5);
	assert_int_equal(lunate_rows_columns(rows), 0);
}

static void
what_a_statement_changed_is_counted(void **state)
{
	get("create table counted (a int)");
	assert_int_equal(lunate_rows_affected(rows), -1);
	assert_int_equal(lunate_rows_columns(rows), 0);
	get("insert into counted select generate_series(1, 7)");
	assert_int_equal(lunate_rows_affected(rows), 7);
	get("update counted set a = 0 where a > 5 returning a");
	assert_int_equal(lunate_rows_affected(rows), 2);
	assert_int_equal(lunate_rows_count(rows), 2);
	get("delete from counted where a > 100");
	assert_int_equal(lunate_rows_affected(rows), 0);
}

static void
a_cell_has_its_length_and_a_zero_behind(void **state)
{
	size_t len = 99;

	get("select '', 'Grüße', null");
	assert_string_equal(lunate_rows_cell(rows, 0, 0, &len), "");
	assert_int_equal(len, 0);
	assert_string_equal(lunate_rows_cell(rows, 0, 1, &len), "Grüße");
	assert_int_equal(len, strlen("Grüße"));
	assert_null(lunate_rows_cell(rows, 0, 2, &len));
	assert_ptr_equal(lunate_rows_cell(rows, 0, 1, NULL),
			 lunate_rows_text(rows, 0, 1));
}

/* Not that number: `out` keeps what it was. */
static void
no_int(int col)
{
	int64_t n = 4711;

	assert_int_equal(lunate_rows_int(rows, 0, col, &n), LUNATE_EVALUE);
	assert_int_equal(n, 4711);
}

static void
a_cell_is_read_as_an_integer_or_refused(void **state)
{
	int64_t n;

	get("select 9223372036854775807, -9223372036854775808, 7::int2, "
	    "'42'::text, 5::numeric");
	ok(lunate_rows_int(rows, 0, 0, &n));
	assert_true(n == INT64_MAX);
	ok(lunate_rows_int(rows, 0, 1, &n));
	assert_true(n == INT64_MIN);
	ok(lunate_rows_int(rows, 0, 2, &n));
	assert_int_equal(n, 7);
	ok(lunate_rows_int(rows, 0, 3, &n));
	assert_int_equal(n, 42);
	ok(lunate_rows_int(rows, 0, 4, &n));
	assert_int_equal(n, 5);
	get("select null::int, 'x', '', 9223372036854775808, 1.5, '7 ', ' 7', "
	    "'0x7', -9223372036854775809, true, '1e2', '7'||chr(9)");
	for (int i = 0; i < lunate_rows_columns(rows); i++)
		no_int(i);
}

static void
no_real(int col)
{
	double d = 47.11;

	assert_int_equal(lunate_rows_real(rows, 0, col, &d), LUNATE_EVALUE);
	assert_true(d == 47.11);
}

static void
a_cell_is_read_as_a_real_or_refused(void **state)
{
	double d;

	get("select 0.1::float8, 7, 1.25::numeric, 'NaN'::float8, "
	    "'Infinity'::float8, '-Infinity'::float8, 1e-300::float8");
	ok(lunate_rows_real(rows, 0, 0, &d));
	assert_true(d == 0.1);
	ok(lunate_rows_real(rows, 0, 1, &d));
	assert_true(d == 7);
	ok(lunate_rows_real(rows, 0, 2, &d));
	assert_true(d == 1.25);
	ok(lunate_rows_real(rows, 0, 3, &d));
	assert_true(isnan(d));
	ok(lunate_rows_real(rows, 0, 4, &d));
	assert_true(isinf(d) && d > 0);
	ok(lunate_rows_real(rows, 0, 5, &d));
	assert_true(isinf(d) && d < 0);
	ok(lunate_rows_real(rows, 0, 6, &d));
	assert_true(d == 1e-300);
	get("select null::float8, 'x', '', '1.5x', '1.5 ', '0x1p3', "
	    "('1' || repeat('0', 400))::numeric, true");
	for (int i = 0; i < lunate_rows_columns(rows); i++)
		no_real(i);
}

static void
a_cell_is_read_as_a_boolean_or_refused(void **state)
{
	int yes = 9;

	get("select true, false, null::bool, 'maybe', 7, ''");
	ok(lunate_rows_bool(rows, 0, 0, &yes));
	assert_int_equal(yes, 1);
	ok(lunate_rows_bool(rows, 0, 1, &yes));
	assert_int_equal(yes, 0);
	for (int i = 2; i < 6; i++) {
		yes = 9;
		assert_int_equal(lunate_rows_bool(rows, 0, i, &yes),
				 LUNATE_EVALUE);
		assert_int_equal(yes, 9);
	}
}

static void
bytes_need_a_bytea_and_room(void **state)
{
	char room[4] = "abc";
	struct lunate_buffer b = {room, 3, 0};

	get("select '\\x00ff0102'::bytea, ''::bytea, null::bytea, 'text', "
	    "'\\x00'::text");
	assert_int_equal(lunate_rows_bytes(rows, 0, 0, &b), LUNATE_ETOOBIG);
	assert_int_equal(b.len, 4);
	assert_string_equal(room, "abc");
	b.room = 4;
	ok(lunate_rows_bytes(rows, 0, 0, &b));
	assert_memory_equal(room, "\0\377\1\2", 4);
	b = (struct lunate_buffer){NULL, 0, 9};
	ok(lunate_rows_bytes(rows, 0, 1, &b));
	assert_int_equal(b.len, 0);
	assert_int_equal(lunate_rows_bytes(rows, 0, 0, &b), LUNATE_ETOOBIG);
	assert_int_equal(b.len, 4);
	for (int i = 2; i < 5; i++)
		assert_int_equal(lunate_rows_bytes(rows, 0, i, &b),
				 LUNATE_EVALUE);
}

static void
rows_live_until_their_last_owner_is_gone(void **state)
{
	struct lunate_rows *other;
	const char *cell;

	get("select 'still here'");
	other = lunate_rows_pin(rows);
	assert_ptr_equal(other, rows);
	cell = lunate_rows_text(rows, 0, 0);
	lunate_rows_free(&rows);
	assert_string_equal(cell, "still here");
	lunate_rows_free(&other);
	assert_null(other);
}

static void
rows_outlive_their_runtime(void **state)
{
	struct lunate *first = db;

	capi_begin("1");
	get("select 'late'");
	capi_end();
	db = first;
	assert_string_equal(lunate_rows_text(rows, 0, 0), "late");
}

static void
asking_for_a_cell_that_is_not_there_is_a_mistake(void **state)
{
	int64_t n;

	get("select 1");
	assert_panics(lunate_rows_cell(rows, 1, 0, NULL));
	assert_panics(lunate_rows_cell(rows, 0, 1, NULL));
	assert_panics(lunate_rows_cell(rows, 0, -1, NULL));
	assert_panics(n = lunate_rows_int(rows, 1, 0, &n));
	assert_panics(lunate_rows_name(rows, 1));
	assert_panics(lunate_rows_type(rows, -1));
}

#define T(name) cmocka_unit_test_teardown(name, forget)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_result_knows_its_rows_columns_names_and_types),
		T(a_result_may_have_no_rows_or_no_columns),
		T(what_a_statement_changed_is_counted),
		T(a_cell_has_its_length_and_a_zero_behind),
		T(a_cell_is_read_as_an_integer_or_refused),
		T(a_cell_is_read_as_a_real_or_refused),
		T(a_cell_is_read_as_a_boolean_or_refused),
		T(bytes_need_a_bytea_and_room),
		T(rows_live_until_their_last_owner_is_gone),
		T(rows_outlive_their_runtime),
		T(asking_for_a_cell_that_is_not_there_is_a_mistake),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, begin, end);
}
