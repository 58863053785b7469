/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "crew.h"
#include "mem.h"
#include "str.h"
#include "study.h"

static struct loop *loop;
static struct crew *crew;
static struct stmt *got;
static struct err why;
static int told;
static bool over;

static void
on_done(void *arg, struct stmt *stmt, const struct err *e)
{
	assert_ptr_equal(arg, &told);
	got = stmt;
	if (stmt == NULL)
		why = *e;
	told++;
	over = true;
}

static int
begin(void **state)
{
	(void)state;
	loop = loop_new();
	crew = crew_new(2);
	got = NULL;
	told = 0;
	over = false;
	err_clear(&why);
	stmt_forget();
	return 0;
}

static int
end(void **state)
{
	(void)state;
	if (got != NULL)
		stmt_unpin(&got);
	crew_free(&crew, 60000);
	loop_free(&loop);
	return 0;
}

static struct study *
ask(const char *text, size_t len)
{
	struct study_ask a = {crew, loop, text, len, on_done, &told};

	return study_start(&a);
}

/* select 1 + 1 + ... of at least STUDY_LEN bytes */
static void
write_long(struct str *s)
{
	str_init(s);
	str_add(s, "select ARRAY[1");
	while (s->len < STUDY_LEN)
		str_add(s, ", 1000000");
	str_add(s, "]");
}

static void
the_facts_come_from_the_loop_and_not_from_the_call(void **state)
{
	struct str s;

	write_long(&s);
	(void)ask(s.at, s.len);
	assert_int_equal(told, 0);
	memset(s.at, 'x', s.len); /* the text was copied */
	loop_run_until(loop, &over);
	assert_int_equal(told, 1);
	assert_non_null(got);
	assert_int_equal(got->kind, STMT_SELECT);
	assert_int_equal(got->len, s.len);
	str_fini(&s);
}

static void
what_was_studied_is_known_from_then_on(void **state)
{
	struct stmt *again;
	struct str s;

	write_long(&s);
	assert_null(stmt_recall(s.at, s.len));
	(void)ask(s.at, s.len);
	loop_run_until(loop, &over);
	again = stmt_recall(s.at, s.len);
	assert_ptr_equal(again, got);
	stmt_unpin(&again);
	str_fini(&s);
}

static void
a_text_that_does_not_parse_is_told_with_its_reason(void **state)
{
	(void)ask("selekt 1", 8);
	loop_run_until(loop, &over);
	assert_int_equal(told, 1);
	assert_null(got);
	assert_int_equal(why.code, LUNATE_ESYNTAX);
}

static void
what_was_dropped_is_never_told(void **state)
{
	struct study *dropped, *kept;
	struct str s;

	write_long(&s);
	for (int i = 0; i < 20; i++) {
		dropped = ask(s.at, s.len);
		if (i % 2 == 0)
			loop_turn(loop, 0);
		if (told == 0)
			study_drop(&dropped);
		over = false;
		if (told > 0)
			stmt_unpin(&got);
		told = 0;
	}
	kept = ask("select 1", 8);
	(void)kept;
	loop_run_until(loop, &over);
	assert_int_equal(told, 1);
	assert_int_equal(got->len, 8);
	str_fini(&s);
}

static void
dropping_nothing_is_harmless(void **state)
{
	struct study *none = NULL;

	study_drop(&none);
	assert_null(none);
	assert_int_equal(told, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_facts_come_from_the_loop_and_not_from_the_call),
		TEST(what_was_studied_is_known_from_then_on),
		TEST(a_text_that_does_not_parse_is_told_with_its_reason),
		TEST(what_was_dropped_is_never_told),
		TEST(dropping_nothing_is_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
