/* SPDX-License-Identifier: MIT
 *
 * Which changes of guard files may allow more: case by case, both ways.
 */
#include "widen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "load.h"
#include "texts.h"
#include "vocab.h"
#include "watchdog.h"

#define TENANT "tenant { type = 'uuid' }\n"
#define A "rows 'a' { by = 'c' }\n"
#define B "rows 'b' { by = 'c' }\n"
#define NURSE "role 'nurse' {}\n"
#define DOCTOR "role 'doctor' {}\n"

static struct watchdog *dog;
static struct rules *base;

static int
begin(void **state)
{
	struct err e;

	base = rules_new();
	return watchdog_new(&dog, &e);
}

static int
end(void **state)
{
	rules_unpin(&base);
	watchdog_free(&dog);
	return 0;
}

/* The texts of the two guards, NULL: no file. */
struct pair {
	const char *isolation, *access;
};

static struct rules *
load(struct pair p)
{
	const char *list[VOCAB_FILES] = {0};
	struct load_ask ask = {.base = base, .watchdog = dog};
	struct rules *r;
	struct err e;

	list[vocab_file("isolation", 9) - vocab_files] = p.isolation;
	list[vocab_file("access", 6) - vocab_files] = p.access;
	ask.texts = texts_of("policies", list);
	if (load_rules(&ask, &r, &e) < 0)
		fail_msg("%s", e.text);
	texts_unpin(&ask.texts);
	return r;
}

/* NULL: it is not wider; else what is said of it. */
static const char *
change(struct pair from, struct pair to)
{
	static struct err why;
	struct rules *old = load(from), *new = load(to);
	bool wider = widen_found(old, new, &why);

	rules_unpin(&old);
	rules_unpin(&new);
	return wider ? why.text : NULL;
}

static void
wider(struct pair from, struct pair to, const char *part)
{
	const char *said = change(from, to);

	if (said == NULL)
		fail_msg("not wider: %s | %s", to.isolation, to.access);
	if (strstr(said, part) == NULL)
		fail_msg("%s: %s", part, said);
}

static void
narrower(struct pair from, struct pair to)
{
	const char *said = change(from, to);

	if (said != NULL)
		fail_msg("%s", said);
}

static struct pair
iso(const char *text)
{
	return (struct pair){text, NULL};
}

static struct pair
acc(const char *text)
{
	return (struct pair){TENANT A B, text};
}

static void
a_table_more_is_wider_and_one_less_is_not(void **state)
{
	wider(iso(TENANT A), iso(TENANT A B), "public.b");
	narrower(iso(TENANT A B), iso(TENANT A));
	narrower(iso(TENANT A), iso(TENANT "-- words\n" A));
	wider(iso(NULL), iso(TENANT A), "closed");
	narrower(iso(TENANT A), iso(NULL));
}

static void
another_way_to_the_tenant_is_wider(void **state)
{
	wider(iso(TENANT A), iso(TENANT "rows 'a' { by = 'd' }"), "public.a");
	wider(iso(TENANT A), iso(TENANT "rows 'a' { shared = 'read' }"),
	      "public.a");
	wider(iso(TENANT A B),
	      iso(TENANT A "rows 'b' { parent = 'a', on = { x = 'y' } }"),
	      "public.b");
	wider(iso(TENANT A), iso("tenant { type = 'text' }" A), "type");
}

static void
writing_may_be_taken_away(void **state)
{
	narrower(iso(TENANT A),
		 iso(TENANT "rows 'a' { by = 'c', write = 'never' }"));
	wider(iso(TENANT "rows 'a' { by = 'c', write = 'never' }"),
	      iso(TENANT A), "public.a");
}

static void
functions_may_be_taken_away(void **state)
{
	wider(iso(TENANT A), iso(TENANT A "functions { add = 'f' }"), "f is");
	narrower(iso(TENANT A "functions { add = 'f' }"), iso(TENANT A));
	narrower(iso(TENANT A), iso(TENANT A "functions { remove = 'abs' }"));
	wider(iso(TENANT A "functions { remove = 'abs' }"), iso(TENANT A),
	      "abs");
}

static void
less_of_a_barrier_is_wider(void **state)
{
	wider(iso(TENANT A), iso(TENANT A "database { mode = 'rewrite' }"),
	      "mode");
	narrower(iso(TENANT A "database { mode = 'rewrite' }"), iso(TENANT A));
	wider(iso(TENANT A "database { seal = true }"), iso(TENANT A), "seal");
	narrower(iso(TENANT A), iso(TENANT A "database { seal = true }"));
	wider(iso(TENANT A), iso(TENANT A "errors { detail = 'show' }"),
	      "detail");
	narrower(iso(TENANT A "errors { detail = 'show' }"), iso(TENANT A));
}

#define ACCEPT(what) "accept 'column-nullable' { " what "why = 'w' }\n"

static void
what_is_accepted_of_the_database_is_wider(void **state)
{
	const char *all = TENANT A B ACCEPT(""),
		   *one = TENANT A B ACCEPT("table = 'a', ");

	wider(iso(TENANT A B), iso(one), "column-nullable");
	wider(iso(one), iso(all), "column-nullable");
	wider(iso(one), iso(TENANT A B ACCEPT("table = 'b', ")), "accept");
	narrower(iso(all), iso(one));
	narrower(iso(one), iso(TENANT A B));
	narrower(iso(one),
		 iso("-- words\n" TENANT A B ACCEPT("table = 'a', ")));
}

/* ---- access -------------------------------------------------------------- */

#define READ(role, table)                             \
	"permit '" role " " table "' { role = '" role \
	"', action = 'read', on = '" table "' }\n"

static void
access_that_is_new_takes_away_and_one_that_goes_gives(void **state)
{
	narrower(acc(NULL), acc(NURSE READ("nurse", "a")));
	wider(acc(NURSE READ("nurse", "a")), acc(NULL), "access.lua is gone");
}

static void
permits_are_compared_by_what_they_say(void **state)
{
	const char *two = NURSE DOCTOR READ("nurse", "a") READ("doctor", "b");

	wider(acc(NURSE DOCTOR READ("nurse", "a")), acc(two), "doctor b");
	narrower(acc(two), acc(NURSE DOCTOR READ("doctor", "b")));
	narrower(acc(two),
		 acc(DOCTOR NURSE READ("doctor", "b") READ("nurse", "a")));
	narrower(acc(NURSE "permit 'x' { role = 'nurse', action = { 'read', "
			   "'update' }, on = { 'a', 'b' }, columns = { 'p', "
			   "'q' } }"),
		 acc(NURSE "permit 'y' { role = 'nurse', action = { 'update', "
			   "'read' }, on = { 'b', 'a' }, columns = { 'q', "
			   "'p' } }"));
	wider(acc(NURSE READ("nurse", "a")),
	      acc(NURSE "permit 'nurse a' { role = 'nurse', action = 'any', "
			"on = 'a' }"),
	      "nurse a");
	wider(acc(NURSE "permit 'x' { role = 'nurse', action = 'read', on = "
			"'a', when = row.n:eq(1) }"),
	      acc(NURSE "permit 'x' { role = 'nurse', action = 'read', on = "
			"'a', when = row.n:eq(2) }"),
	      "permit \"x\"");
}

#define FORBID "forbid 'f' { action = 'delete', on = 'any' }\n"

static void
forbids_may_only_come(void **state)
{
	narrower(acc(NURSE READ("nurse", "a")),
		 acc(NURSE READ("nurse", "a") FORBID));
	wider(acc(NURSE READ("nurse", "a") FORBID),
	      acc(NURSE READ("nurse", "a")), "forbid \"f\"");
}

static void
roles_stay_what_they_are(void **state)
{
	narrower(acc(NURSE READ("nurse", "a")),
		 acc(NURSE DOCTOR READ("nurse", "a")));
	wider(acc(NURSE READ("nurse", "a")),
	      acc(NURSE "role 'doctor' { is = 'nurse' }" READ("nurse", "a")),
	      "doctor");
	wider(acc(NURSE DOCTOR READ("nurse", "a")),
	      acc(NURSE "role 'doctor' { is = 'nurse' }" READ("nurse", "a")),
	      "doctor");
	wider(acc(NURSE DOCTOR READ("nurse", "a")),
	      acc(NURSE READ("nurse", "a")), "doctor");
}

static void
a_function_is_never_the_same_as_another(void **state)
{
	const char *f = NURSE "permit 'x' { role = 'nurse', action = 'read', "
			      "on = 'a', when = function() return true end }";
	char more[400];

	snprintf(more, sizeof(more), "%s -- a word", f);
	wider(acc(f), acc(more), "permit \"x\"");
	narrower(acc(f), acc(f));
}

static void
limits_and_emergencies_count_too(void **state)
{
	const char *limit = NURSE READ(
		"nurse", "a") "limit 'l' { rate = 10, window = minutes(1) }\n";

	narrower(acc(NURSE READ("nurse", "a")), acc(limit));
	wider(acc(limit), acc(NURSE READ("nurse", "a")), "limit \"l\"");
	wider(acc(NURSE READ("nurse", "a")),
	      acc(NURSE READ(
		      "nurse",
		      "a") "break_glass 'g' { role = 'nurse', opens = 'b', "
			   "patient = { b = 'id' }, lasts = minutes(5) }"),
	      "break_glass \"g\"");
}

/* ---- tests of the files -------------------------------------------------- */

#define TEST(name, ends)                                                    \
	"test '" name "' { as = { tenant = "                                \
	"'00000000-0000-4000-8000-000000000001' }, sql = 'select * from b'" \
	", " ends " }\n"

static void
tests_of_the_files_have_a_say(void **state)
{
	/* A refusal that was expected has another reason now. */
	wider(iso(TENANT A TEST("t", "because = 'unknown-table'")), iso(NULL),
	      "test \"t\" (of the old rules) no longer holds");
	narrower(iso(TENANT A TEST("t", "because = 'unknown-table'")),
		 iso(TENANT A TEST("t", "gives = 'refused'") "-- x\n"));
}

static void
files_that_are_no_guards_do_not_count(void **state)
{
	const char *one[VOCAB_FILES] = {0}, *two[VOCAB_FILES] = {0};
	struct texts *a, *b;

	one[0] = two[0] = TENANT;
	two[vocab_file("cache", 5) - vocab_files] = "default {}";
	a = texts_of("p", one);
	b = texts_of("p", two);
	assert_true(widen_same_guards(a, b));
	texts_unpin(&b);
	two[vocab_file("audit", 5) - vocab_files] = "-- x";
	b = texts_of("p", two);
	assert_false(widen_same_guards(a, b));
	texts_unpin(&a);
	texts_unpin(&b);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_table_more_is_wider_and_one_less_is_not),
		T(another_way_to_the_tenant_is_wider),
		T(writing_may_be_taken_away),
		T(functions_may_be_taken_away),
		T(less_of_a_barrier_is_wider),
		T(what_is_accepted_of_the_database_is_wider),
		T(access_that_is_new_takes_away_and_one_that_goes_gives),
		T(permits_are_compared_by_what_they_say),
		T(forbids_may_only_come),
		T(roles_stay_what_they_are),
		T(a_function_is_never_the_same_as_another),
		T(limits_and_emergencies_count_too),
		T(tests_of_the_files_have_a_say),
		T(files_that_are_no_guards_do_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
