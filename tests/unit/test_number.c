/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"

static uint64_t seed = 88172645463325252ull;

static uint64_t
chance(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* The same bits, so that -0 and 0 differ. */
static void
same(double a, double b, const char *text)
{
	if (memcmp(&a, &b, sizeof(a)) != 0 && !(isnan(a) && isnan(b)))
		fail_msg("%s: %a and %a", text, a, b);
}

static void
what_is_written_is_read_as_the_same(void **state)
{
	char text[NUMBER_ROOM];
	double d, again;

	for (int i = 0; i < 200000; i++) {
		uint64_t bits = chance();

		memcpy(&d, &bits, sizeof(d));
		if (i % 3 == 0) /* as people write them */
			d = (double)(int64_t)(bits % 2000001 - 1000000) / 64;
		assert_in_range(number_write(text, d), 1, NUMBER_ROOM - 1);
		assert_true(number_read(text, &again));
		same(d, again, text);
	}
}

static void
what_is_read_is_what_strtod_reads(void **state)
{
	char text[64];
	double d;

	for (int i = 0; i < 200000; i++) {
		int n = snprintf(text, sizeof(text), "%s%.*f",
				 chance() % 2 ? "-" : "", (int)(chance() % 9),
				 (double)(chance() >> (chance() % 60)) / 1000);

		assert_true(n > 0);
		assert_true(number_read(text, &d));
		same(strtod(text, NULL), d, text);
	}
}

static void
what_the_server_never_writes_is_no_number(void **state)
{
	static const char *const none[] = {
		"",    " 1",   "1 ",	"+1",	 "-",	"--1",	".5", "5.",
		"1.",  "1..2", "0x10",	"0x1p3", "1e",	"x",	"1x", "inf",
		"nan", "-NaN", "1e400", "1,5",	 "-.5", "1.2.3"};
	double d;

	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
		if (number_read(none[i], &d))
			fail_msg("'%s' was read as %g", none[i], d);
}

static void
ends_are_spelled_as_the_server_spells_them(void **state)
{
	char text[NUMBER_ROOM];
	double d;

	number_write(text, INFINITY);
	assert_string_equal(text, "Infinity");
	number_write(text, -INFINITY);
	assert_string_equal(text, "-Infinity");
	number_write(text, NAN);
	assert_string_equal(text, "NaN");
	assert_true(number_read("-Infinity", &d) && isinf(d) && d < 0);
	assert_true(number_read("NaN", &d) && isnan(d));
}

static void
whole_numbers_have_digits_alone(void **state)
{
	char text[NUMBER_ROOM];

	number_write(text, 9007199254740992.0);
	assert_string_equal(text, "9007199254740992");
	number_write(text, -1e15);
	assert_string_equal(text, "-1000000000000000");
	assert_int_equal(number_write_int(text, INT64_MIN), 20);
	assert_string_equal(text, "-9223372036854775808");
	number_write_int(text, 0);
	assert_string_equal(text, "0");
}

static void
the_locale_of_the_host_changes_nothing(void **state)
{
	char text[NUMBER_ROOM];
	double d;

	if (setlocale(LC_ALL, "de_DE.UTF-8") == NULL)
		(void)setlocale(LC_ALL, "C"); /* then it is as before */
	number_write(text, 1.5);
	assert_string_equal(text, "1.5");
	assert_true(number_read("1.2345678901234567", &d));
	assert_true(d == 1.2345678901234567);
	setlocale(LC_ALL, "C");
}

static void
bytea_is_read_in_hex_and_nothing_else(void **state)
{
	unsigned char out[4] = {9, 9, 9, 9};

	assert_int_equal(hex_length("\\x", 2), 0);
	assert_int_equal(hex_length("\\x00fF", 6), 2);
	hex_read("\\x00fF", 6, out);
	assert_memory_equal(out, "\0\377\11\11", 4);
	assert_int_equal(hex_length("\\x0", 3), -1);
	assert_int_equal(hex_length("\\xgg", 4), -1);
	assert_int_equal(hex_length("x00", 3), -1);
	assert_int_equal(hex_length("", 0), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read_as_the_same),
		cmocka_unit_test(what_is_read_is_what_strtod_reads),
		cmocka_unit_test(what_the_server_never_writes_is_no_number),
		cmocka_unit_test(ends_are_spelled_as_the_server_spells_them),
		cmocka_unit_test(whole_numbers_have_digits_alone),
		cmocka_unit_test(the_locale_of_the_host_changes_nothing),
		cmocka_unit_test(bytea_is_read_in_hex_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
