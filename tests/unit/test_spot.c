/* SPDX-License-Identifier: MIT
 *
 * The column of an error of a policy file.
 */
#include "spot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "texts.h"
#include "vocab.h"

static void
becomes(const char *text, const char *error, const char *want)
{
	const char *list[VOCAB_FILES] = {text};
	struct texts *t = texts_of("policies", list);
	struct err e;

	err_set(&e, LUNATE_ECONFIG, "%s", error);
	spot_add(t, &e);
	assert_string_equal(e.text, want);
	assert_int_equal(e.code, LUNATE_ECONFIG);
	texts_unpin(&t);
}

static void
what_is_quoted_is_where_it_stands(void **state)
{
	becomes("x\n  row 'a' {}",
		"p/isolation.lua:2: there is no 'row'; did "
		"you mean 'rows'?",
		"p/isolation.lua:2:3: there is no 'row'; did you mean 'rows'?");
	becomes("rows 'b' {}", "p/isolation.lua:1: no such table \"b\"",
		"p/isolation.lua:1:7: no such table \"b\"");
}

static void
a_part_of_a_word_is_not_it(void **state)
{
	becomes("browser row", "p/isolation.lua:1: there is no 'row'",
		"p/isolation.lua:1:9: there is no 'row'");
}

static void
else_it_is_a_word_or_where_the_line_begins(void **state)
{
	becomes("  rows {}", "p/isolation.lua:1: rows needs a name",
		"p/isolation.lua:1:3: rows needs a name");
	becomes("   f()", "p/isolation.lua:1: raised an error",
		"p/isolation.lua:1:4: raised an error");
	becomes("x", "p/isolation.lua:7: that is behind its end",
		"p/isolation.lua:7:1: that is behind its end");
	becomes("rows 'a' {", "p/isolation.lua:1: '}' expected near '<eof>'",
		"p/isolation.lua:1:11: '}' expected near '<eof>'");
}

static void
what_has_a_column_or_no_line_stays(void **state)
{
	static const char *const same[] = {
		"p/isolation.lua:2:5: tenant: type is missing",
		"p/isolation.lua: too large", "p/access.lua:1: no such file",
		"no file at all"};

	for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++)
		becomes("x", same[i], same[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_quoted_is_where_it_stands),
		cmocka_unit_test(a_part_of_a_word_is_not_it),
		cmocka_unit_test(else_it_is_a_word_or_where_the_line_begins),
		cmocka_unit_test(what_has_a_column_or_no_line_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
