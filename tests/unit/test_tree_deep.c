/* SPDX-License-Identifier: MIT */
#include "tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "deep.h"
#include "mem.h"
#include "str.h"

static int
refused(const char *sql, size_t len, struct err *e)
{
	struct tree *t = (struct tree *)1;
	int rc = tree_parse(sql, len, &t, e);

	assert_int_equal(rc, e->code);
	assert_true(rc < 0);
	assert_null(t);
	return rc;
}

/* ---- depth ---------------------------------------------------------- */

struct nest {
	const char *head, *open, *mid, *close;
};

static const struct nest nests[] = {
	{"select ", "(", "1", ")"},
	{"select ", "1+", "1", ""},
	{"select ", "not ", "true", ""},
	{"select ", "- ", "a", ""},
	{"select ", "f(", "1", ")"},
	{"select array", "[", "1", "]"},
	{"select ", "a[", "1", "]"},
	{"select ", "", "1", "::int"},
	{"select ", "", "1", " collate \"C\""},
	{"select ", "", "1", " union select 1"},
	{"select ", "", "1, 2", " except select 1, 2"},
	{"select ", "(select ", "1", ")"},
	{"select ", "case when ", "true", " then 1 end"},
	{"select ", "1 in (select ", "1", ")"},
	{"select ", "exists (values (", "1", "))"},
	{"select * from ", "", "a", " join b on true"},
	{"select * from ", "(select * from ", "a", ") x"},
	{"select * from t where ", "a and (b or (", "c", "))"},
	{"select ", "row(1, ", "1", ")"},
	{"select ", "f(1) filter (where ", "true", ")"},
	{"select ", "f(1) over (order by ", "a", ")"},
	{"select ", "x between 1 and not ", "y", ""},
	{"select ", "", "a", " is null"},
	{"select ", "", "a", " is not true"},
	{"select ", "", "a", " at time zone 'x'"},
	{"select ", "xmlelement(name a, ", "'x'", ")"},
	{"", "explain ", "select 1", ""},
	{"with a as (", "with a as (", "select 1)", " select 1) "},
	{"select * from t ", "order by ", "a", ""},
	{"select ", "1, (", "1", ")"},
};

static char *
nested(const struct nest *n, unsigned depth, size_t *len)
{
	struct str s;

	str_init(&s);
	str_add(&s, n->head);
	for (unsigned i = 0; i < depth; i++)
		str_add(&s, n->open);
	str_add(&s, n->mid);
	for (unsigned i = 0; i < depth; i++)
		str_add(&s, n->close);
	*len = s.len;
	return str_take(&s);
}

/* Whatever the answer: parse, walk, fingerprint, free. */
static int
whole_life(const char *text, size_t len, struct err *e)
{
	struct tree_walk w;
	struct tree *t;
	uint64_t print;
	int rc;

	rc = tree_parse(text, len, &t, e);
	if (rc < 0)
		return rc;
	tree_walk_init(&w, tree_root(t, 0));
	while (tree_walk_next(&w) != TREE_END)
		;
	tree_walk_fini(&w);
	rc = tree_fingerprint(t, &print, e);
	tree_free(&t);
	return rc;
}

static void *
nest_all(void *arg)
{
	static const unsigned depths[] = {10, 1500, 3900, 10000};
	struct err e;
	int rc;

	for (size_t i = 0; i < sizeof(nests) / sizeof(*nests); i++) {
		for (size_t k = 0; k < 4; k++) {
			size_t len;
			char *text = nested(&nests[i], depths[k], &len);

			err_clear(&e);
			rc = whole_life(text, len, &e);
			if (rc < 0 && rc != LUNATE_ETOOBIG &&
			    rc != LUNATE_ESYNTAX)
				fail_msg("%s%s: %s", nests[i].head,
					 nests[i].open, e.text);
			mem_free(text);
		}
	}
	return NULL;
}

static void
deep_nesting_never_overflows_a_stack(void **state)
{
	nest_all(NULL);
}

static void
deep_nesting_never_overflows_the_small_stack_of_a_thread(void **state)
{
	pthread_attr_t attr;
	pthread_t thread;

	assert_int_equal(pthread_attr_init(&attr), 0);
	assert_int_equal(pthread_attr_setstacksize(&attr, 256 << 10), 0);
	assert_int_equal(pthread_create(&thread, &attr, nest_all, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	pthread_attr_destroy(&attr);
}

static void
nesting_over_the_limit_is_refused_with_a_remedy(void **state)
{
	static const struct nest chain = {"select ", "1+", "1", ""};
	struct err e = {0};
	size_t len;
	char *text = nested(&chain, TREE_DEPTH + 1, &len);

	assert_int_equal(refused(text, len, &e), LUNATE_ETOOBIG);
	assert_non_null(strstr(e.text, "= ANY($1)"));
	mem_free(text);
	/* the grammar's own limit, met before ours */
	text = nested(&nests[0], 10000, &len);
	assert_int_equal(refused(text, len, &e), LUNATE_ETOOBIG);
	mem_free(text);
}

static void
long_flat_statements_are_no_nesting(void **state)
{
	static const struct nest flat[] = {
		{"select 1 from t where a = 1", " or a = 2", "", ""},
		{"select case", " when a = 1 then 2", " end", ""},
		{"insert into t values (1)", ", (2, f(3), -4)", "", ""},
		{"select 1 where a in (1", ", 2", ")", ""},
		{"select 1", " union all select 1", "", ""},
	};
	struct err e = {0};

	for (size_t i = 0; i < sizeof(flat) / sizeof(*flat); i++) {
		size_t len;
		char *text = nested(&flat[i], i == 4 ? 1000 : 3000, &len);

		if (whole_life(text, len, &e) < 0)
			fail_msg("%s: %s", flat[i].head, e.text);
		mem_free(text);
	}
}

static void
note_stack(void *arg)
{
	volatile char here[3 << 20];

	here[0] = 1;
	here[sizeof(here) - 1] = 1;
	*(int *)arg += here[0] + here[sizeof(here) - 1];
}

static void *
call_deep(void *arg)
{
	struct err e;

	assert_int_equal(deep_call(note_stack, arg, 4 << 20, &e), 0);
	return NULL;
}

static void
a_deep_call_gets_the_stack_it_asked_for(void **state)
{
	pthread_attr_t attr;
	pthread_t thread;
	int calls = 0;

	assert_int_equal(pthread_attr_init(&attr), 0);
	assert_int_equal(pthread_attr_setstacksize(&attr, 256 << 10), 0);
	assert_int_equal(pthread_create(&thread, &attr, call_deep, &calls), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	pthread_attr_destroy(&attr);
	assert_int_equal(calls, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deep_nesting_never_overflows_a_stack),
		cmocka_unit_test(
			deep_nesting_never_overflows_the_small_stack_of_a_thread),
		cmocka_unit_test(
			nesting_over_the_limit_is_refused_with_a_remedy),
		cmocka_unit_test(long_flat_statements_are_no_nesting),
		cmocka_unit_test(a_deep_call_gets_the_stack_it_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
