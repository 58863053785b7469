/* SPDX-License-Identifier: MIT
 *
 * Policy files: what they declare, and what their errors say.
 */
#include "read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sandbox.h"
#include "vocab.h"
#include "watchdog.h"

static struct watchdog *dog;
static struct sandbox *box;
static struct arena arena;

static int
begin(void **state)
{
	struct sandbox_opts opts = {.limit_us = 200000};
	struct err e;

	arena_init(&arena, NULL, 0);
	if (watchdog_new(&dog, &e) < 0)
		return -1;
	opts.watchdog = dog;
	return sandbox_new(&box, &opts, &e);
}

static int
end(void **state)
{
	sandbox_free(&box);
	watchdog_free(&dog);
	arena_fini(&arena);
	return 0;
}

static int
load(const char *file, const char *text, struct decl_list *out, struct err *e)
{
	char path[64];
	struct read_ask ask = {.sandbox = box,
			       .vocab = vocab_file(file, strlen(file)),
			       .path = path,
			       .text = text,
			       .len = strlen(text),
			       .arena = &arena};

	snprintf(path, sizeof(path), "policies/%s.lua", file);
	err_clear(e);
	return read_policy(&ask, out, e);
}

static const struct decl *
declares(const char *file, const char *text, unsigned n)
{
	struct decl_list list;
	struct err e;

	if (load(file, text, &list, &e) < 0)
		fail_msg("%s: %s", text, e.text);
	assert_int_equal(list.n, n);
	return list.decls;
}

static void
says(const char *file, const char *text, const char *part)
{
	struct decl_list list;
	struct err e;

	if (load(file, text, &list, &e) == 0)
		fail_msg("accepted: %s", text);
	if (strstr(e.text, part) == NULL)
		fail_msg("%s: \"%s\" has no \"%s\"", text, e.text, part);
	declares("isolation", "tenant { type = 'uuid' }", 1);
}

static void
declarations_come_in_their_order_with_line_and_name(void **state)
{
	const struct decl *d = declares(
		"isolation",
		"-- who owns what\n"
		"tenant { type = \"uuid\" }\n"
		"for _, t in ipairs { 'a', 'b' } do\n"
		"  rows(t) { by = \"clinic_id\" }\n"
		"end\n"
		"rows \"items\"\n"
		"{ parent = \"a\",\n"
		"  on = { a_id = \"id\", z = \"y\" } }\n",
		4);
	const struct decl_value *on;

	assert_string_equal(d[0].word->name, "tenant");
	assert_null(d[0].name);
	assert_int_equal(d[0].line, 2);
	assert_string_equal(decl_text(&d[0].fields, "type"), "uuid");
	assert_string_equal(d[1].name, "a");
	assert_string_equal(d[2].name, "b");
	assert_int_equal(d[2].line, 4);
	assert_string_equal(d[3].name, "items");
	assert_string_equal(d[3].file, "policies/isolation.lua");
	on = decl_field(&d[3].fields, "on");
	assert_int_equal(on->type, DECL_MAP);
	assert_int_equal(on->n, 2);
	assert_string_equal(on->keys[0], "a_id");
	assert_string_equal(on->items[1].text, "y");
	assert_null(decl_field(&d[3].fields, "by"));
}

static void
quantities_are_seconds_and_bytes(void **state)
{
	const struct decl *d = declares(
		"resilience",
		"class 'read' { timeout = milliseconds(1500), retries = 2 }"
		"class 'write' { timeout = minutes(2) }"
		"retry { base = seconds(0.02), cap = hours(1) }",
		3);

	assert_true(decl_field(&d[0].fields, "timeout")->number == 1.5);
	assert_int_equal(decl_field(&d[0].fields, "timeout")->unit, 's');
	assert_true(decl_field(&d[0].fields, "retries")->number == 2);
	assert_true(decl_field(&d[1].fields, "timeout")->number == 120);
	assert_true(decl_field(&d[2].fields, "cap")->number == 3600);
}

static void
conditions_are_terms(void **state)
{
	const struct decl *d = declares(
		"access",
		"permit 'p' { action = 'read', on = { 'a', 'b' },\n"
		" when = all { has_role 'nurse', hours('Mon 07:00-19:00'),\n"
		"  row.location_id:one_of(ctx.locations) } }\n"
		"limit 'l' { rate = 5, window = hours(1) }",
		2);
	const struct decl_value *when = decl_field(&d[0].fields, "when"), *one;

	assert_int_equal(when->type, DECL_TERM);
	assert_string_equal(when->text, "all");
	assert_int_equal(when->n, 3);
	assert_string_equal(when->items[0].text, "role");
	assert_string_equal(when->items[0].items[0].text, "nurse");
	assert_string_equal(when->items[1].text, "hours");
	one = &when->items[2];
	assert_string_equal(one->text, "one_of");
	assert_int_equal(one->line, 3);
	assert_string_equal(one->items[0].text, "row");
	assert_string_equal(one->items[0].items[0].text, "location_id");
	assert_string_equal(one->items[1].text, "ctx");
	assert_true(decl_field(&d[1].fields, "window")->number == 3600);
}

static void
what_is_wrong_is_said_with_its_place(void **state)
{
	says("isolation", "\nrow 'a' { by = 'b' }",
	     "policies/isolation.lua:2: there is no 'row' in isolation.lua; "
	     "did you mean 'rows'?");
	says("isolation", "database { mode = both }",
	     "there is no 'both' in isolation.lua; mode = \"both\" wants "
	     "quotes");
	says("isolation", "rows 'a' { by 'b' }",
	     "there is no 'by' in isolation.lua; as a field it is followed by "
	     "=: by = ...");
	says("isolation", "rows 'a' {\n  byy = 'b' }",
	     "policies/isolation.lua:2:3: rows \"a\": byy is no field of rows; "
	     "did you mean 'by'?");
	says("isolation", "rows 'a' { by = 5 }",
	     "policies/isolation.lua:1:12: rows \"a\": by is a text");
	says("isolation", "rows 'a' { shared = 'reed' }",
	     "shared is one of read; did you mean \"read\"?");
	says("isolation", "tenant { }", "type is missing");
	says("isolation", "tenant 'x' { type = 'uuid' }", "has no name");
	says("isolation", "rows { by = 'a' }", "rows needs a name");
	says("isolation", "rows 'a'", "a name and no fields");
	says("isolation", "rows 'a' 'b'", "in braces");
	says("isolation", "rows '' { by = 'b' }", "empty");
	says("isolation", "rows 'a' { 'b' }", "its fields have names");
	says("isolation", "rows 'a' { by = 'b', 'c' }",
	     "both names and a list");
	says("isolation", "rows 'a' {by = 'b'}\nrows 'a' {by = 'b'}",
	     "policies/isolation.lua:2: rows \"a\": it stands already in line "
	     "1");
	says("isolation", "rows 'a' { by = 'b' ", "policies/isolation.lua:1:");
	says("isolation", "local t = {} t.t = t rows 'a' { on = t }", "nested");
	says("resilience", "class 'raed' { retries = 1 }",
	     "the name is one of read|write|critical");
	says("resilience", "class 'read' { timeout = 15 }",
	     "timeout is a time, for instance minutes(5)");
	says("resilience", "class 'read' { retries = seconds(1) }",
	     "retries is a number");
	says("resilience", "class 'read' { timeout = seconds(-1) }",
	     "a number from 0");
	says("resilience", "class 'read' { timeout = seconds(1/0) }",
	     "a number from 0");
	says("resilience", "row.x = 1", "there is no 'row'");
	says("access", "permit 'p' { action = 'read', on = 'a', when = 'x' }",
	     "when is a condition");
}

static void
an_error_stays_one(void **state)
{
	says("isolation", "pcall(rows, {})  rows 'a' { by = 'b' }",
	     "rows needs a name");
	says("isolation", "pcall(function() return nonsense end)",
	     "there is no 'nonsense'");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			declarations_come_in_their_order_with_line_and_name),
		cmocka_unit_test(quantities_are_seconds_and_bytes),
		cmocka_unit_test(conditions_are_terms),
		cmocka_unit_test(what_is_wrong_is_said_with_its_place),
		cmocka_unit_test(an_error_stays_one)};

	return cmocka_run_group_tests(tests, begin, end);
}
