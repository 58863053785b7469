/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "err.h"
#include "quantity.h"

struct row {
	const char *text;
	int64_t unit, want;
};

static void
durations_are_read_in_every_unit(void **state)
{
	static const struct row rows[] = {
		{"500ms", 1, 500},
		{"30s", 1, 30000},
		{"5min", 1, 300000},
		{"5m", 1, 300000},
		{"1h", 1, 3600000},
		{"7d", 1, 604800000},
		{"2555", QUANTITY_DAY, INT64_C(220752000000)},
		{"300", QUANTITY_SECOND, 300000},
		{"300ms", QUANTITY_SECOND, 300},
		{"60000", 1, 60000},
		{"1.5s", 1, 1500},
		{"0.25", QUANTITY_SECOND, 250},
		{" 30 s ", 1, 30000},
		{"0", 1, 0},
		{"-1", 1, -1},
	};
	int64_t v;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(quantity_ms(rows[i].text, rows[i].unit, &v),
				 0);
		assert_true(v == rows[i].want);
	}
}

static void
what_is_no_duration_is_refused_and_changes_nothing(void **state)
{
	static const char *const rows[] = {
		"",
		" ",
		"s",
		"5M",
		"5 parsecs",
		"1e3",
		"0x10",
		"1,5s",
		"5s5",
		"5 s s",
		"1.s",
		".5s",
		"0.5ms",
		"1.0000000001s",
		"--5",
		"nan",
		"inf",
		"99999999999999999999",
		"9223372036854775807s",
	};
	int64_t v = 42;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_int_equal(quantity_ms(rows[i], 1, &v), LUNATE_EINVAL);
	assert_true(v == 42);
}

static void
sizes_are_read_in_every_unit(void **state)
{
	static const struct row rows[] = {
		{"512", 0, 512},
		{"512B", 0, 512},
		{"512kB", 0, 524288},
		{"512KB", 0, 524288},
		{"512k", 0, 524288},
		{"512KiB", 0, 524288},
		{"64MB", 0, 67108864},
		{"64MiB", 0, 67108864},
		{"64mb", 0, 67108864},
		{"1GB", 0, 1073741824},
		{"2TB", 0, INT64_C(2199023255552)},
		{"1.5kB", 0, 1536},
	};
	int64_t v;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(quantity_bytes(rows[i].text, &v), 0);
		assert_true(v == rows[i].want);
	}
	assert_int_equal(quantity_bytes("64MBs", &v), LUNATE_EINVAL);
	assert_int_equal(quantity_bytes("0.3kB", &v), LUNATE_EINVAL);
	assert_int_equal(quantity_bytes("9000000TB", &v), LUNATE_EINVAL);
}

static void
false_is_false_and_anything_else_is_an_error(void **state)
{
	static const char *const no[] = {"false", "0",	   "no",
					 "off",	  "FALSE", " Off "};
	static const char *const yes[] = {"true", "1", "yes", "on", "True"};
	static const char *const bad[] = {"",  "2",  "nope", "truee",
					  "t", "01", "null", "yes no"};
	bool v;

	for (size_t i = 0; i < sizeof(no) / sizeof(*no); i++) {
		v = true;
		assert_int_equal(quantity_bool(no[i], &v), 0);
		assert_false(v);
	}
	for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); i++) {
		v = false;
		assert_int_equal(quantity_bool(yes[i], &v), 0);
		assert_true(v);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(quantity_bool(bad[i], &v), LUNATE_EINVAL);
}

static void
whole_numbers_have_no_unit_and_no_fraction(void **state)
{
	int64_t v = 7;

	assert_int_equal(quantity_int("500", &v), 0);
	assert_int_equal(v, 500);
	assert_int_equal(quantity_int("-3", &v), 0);
	assert_int_equal(v, -3);
	assert_int_equal(quantity_int("5.0", &v), LUNATE_EINVAL);
	assert_int_equal(quantity_int("5k", &v), LUNATE_EINVAL);
	assert_int_equal(quantity_int("9223372036854775808", &v),
			 LUNATE_EINVAL);
	assert_int_equal(v, -3);
}

static void
what_is_written_reads_back_the_same(void **state)
{
	static const int64_t numbers[] = {0,	   1,	     999,	1000,
					  1500,	   60000,    300000,	3600000,
					  5400000, 86400000, 604800000, 1048576,
					  1536,	   1024,     67108864};
	char text[QUANTITY_TEXT];
	int64_t v;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		quantity_ms_text(numbers[i], text);
		assert_int_equal(quantity_ms(text, 77, &v), 0);
		assert_true(v == numbers[i]);
		quantity_bytes_text(numbers[i], text);
		assert_int_equal(quantity_bytes(text, &v), 0);
		assert_true(v == numbers[i]);
	}
	quantity_ms_text(300000, text);
	assert_string_equal(text, "5min");
	quantity_bytes_text(67108864, text);
	assert_string_equal(text, "64MB");
}

/* Texts of the characters that quantities are made of: whatever is accepted
 * must survive being written and read again. */
static void
random_texts_are_read_exactly_or_refused(void **state)
{
	static const char letters[] = "0123456789..msmindhkKMGTiBb -+e ";
	uint32_t seed = 20240611;
	char text[12], again[QUANTITY_TEXT];
	int64_t v, w;
	int accepted = 0;

	for (int round = 0; round < 200000; round++) {
		size_t n;

		seed = seed * 1664525 + 1013904223;
		n = seed >> 8 & 7;
		for (size_t i = 0; i < n; i++) {
			seed = seed * 1664525 + 1013904223;
			text[i] = letters[(seed >> 10) % (sizeof(letters) - 1)];
		}
		text[n] = 0;
		if (quantity_ms(text, 1, &v) == 0) {
			accepted++;
			quantity_ms_text(v, again);
			assert_int_equal(quantity_ms(again, 1, &w), 0);
			assert_true(v == w);
		}
		if (quantity_bytes(text, &v) == 0) {
			quantity_bytes_text(v, again);
			assert_int_equal(quantity_bytes(again, &w), 0);
			assert_true(v == w);
		}
	}
	assert_true(accepted > 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_are_read_in_every_unit),
		cmocka_unit_test(
			what_is_no_duration_is_refused_and_changes_nothing),
		cmocka_unit_test(sizes_are_read_in_every_unit),
		cmocka_unit_test(false_is_false_and_anything_else_is_an_error),
		cmocka_unit_test(whole_numbers_have_no_unit_and_no_fraction),
		cmocka_unit_test(what_is_written_reads_back_the_same),
		cmocka_unit_test(random_texts_are_read_exactly_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
