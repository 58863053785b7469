/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "err.h"

static const int numbers[] = {
#define NUMBER(name, number, word, retryable, meaning) number,
	ERR_CODES(NUMBER)
#undef NUMBER
};

#define N ((int)(sizeof(numbers) / sizeof(*numbers)))

static void
codes_run_from_minus_one_without_a_gap(void **state)
{
	for (int i = 0; i < N; i++)
		assert_int_equal(numbers[i], -1 - i);
}

static void
every_code_has_a_word_of_its_own(void **state)
{
	for (int i = 0; i < N; i++) {
		assert_true(strlen(err_word(numbers[i])) > 0);
		assert_true(strlen(err_meaning(numbers[i])) > 0);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(err_word(numbers[i]),
						err_word(numbers[k]));
	}
	assert_string_equal(err_word(LUNATE_EDEADLINE), "deadline");
	assert_string_equal(err_word(0), "ok");
	assert_string_equal(err_word(-N - 1), "internal");
	assert_string_equal(err_word(1), "internal");
}

static void
a_failing_function_ends_with_err_set(void **state)
{
	struct err e;

	memset(&e, 'x', sizeof(e));
	assert_int_equal(err_set(&e, LUNATE_EVALUE, "column %d", 3),
			 LUNATE_EVALUE);
	assert_int_equal(e.code, LUNATE_EVALUE);
	assert_string_equal(e.text, "column 3");
	assert_string_equal(e.sqlstate, "");
	assert_string_equal(e.routine, "");
	assert_string_equal(e.constraint, "");
	assert_int_equal(err_set(NULL, LUNATE_EIO, "x"), LUNATE_EIO);
	err_clear(&e);
	assert_int_equal(e.code, 0);
	assert_string_equal(e.text, "");
	err_clear(NULL);
}

static void
each_floor_puts_its_clause_in_front(void **state)
{
	struct err e;

	err_set(&e, LUNATE_EIO, "no such file");
	assert_int_equal(err_wrap(&e, "load %s", "a.lua"), LUNATE_EIO);
	assert_int_equal(err_wrap(&e, "start"), LUNATE_EIO);
	assert_string_equal(e.text, "start: load a.lua: no such file");
}

static void
a_long_text_is_cut_and_terminated(void **state)
{
	char big[2000];
	struct err e;

	memset(big, 'y', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	err_set(&e, LUNATE_EIO, "%s", big);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	err_wrap(&e, "front");
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	assert_memory_equal(e.text, "front: yyy", 10);
	err_wrap(&e, "%s", big);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
}

static void
an_sqlstate_decides_the_code(void **state)
{
	static const struct {
		const char *state;
		int code;
	} rows[] = {
		{"23505", LUNATE_ECONSTRAINT}, {"40001", LUNATE_ECONFLICT},
		{"40P01", LUNATE_ECONFLICT},   {"40002", LUNATE_ETX},
		{"25006", LUNATE_EREADONLY},   {"25P02", LUNATE_ETX},
		{"42601", LUNATE_ESYNTAX},     {"42P01", LUNATE_EUNDEFINED},
		{"42501", LUNATE_EDENIED},     {"22P02", LUNATE_EVALUE},
		{"57014", LUNATE_ECANCELLED},  {"57P01", LUNATE_ESERVER},
		{"28P01", LUNATE_EAUTH},       {"53300", LUNATE_ERESOURCE},
		{"08006", LUNATE_ELOST},       {"P0001", LUNATE_EQUERY},
		{"", LUNATE_EQUERY},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_int_equal(err_from_sqlstate(rows[i].state),
				 rows[i].code);
	assert_int_equal(err_from_sqlstate(NULL), LUNATE_EQUERY);
}

static void
only_what_did_nothing_is_retryable(void **state)
{
	assert_true(err_retryable(LUNATE_ECONFLICT));
	assert_true(err_retryable(LUNATE_ELOST));
	assert_false(err_retryable(LUNATE_EINDOUBT));
	assert_false(err_retryable(LUNATE_ECONSTRAINT));
	assert_false(err_retryable(0));
	assert_false(err_retryable(-1000));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codes_run_from_minus_one_without_a_gap),
		cmocka_unit_test(every_code_has_a_word_of_its_own),
		cmocka_unit_test(a_failing_function_ends_with_err_set),
		cmocka_unit_test(each_floor_puts_its_clause_in_front),
		cmocka_unit_test(a_long_text_is_cut_and_terminated),
		cmocka_unit_test(an_sqlstate_decides_the_code),
		cmocka_unit_test(only_what_did_nothing_is_retryable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
