/* SPDX-License-Identifier: MIT */
#include "stmt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "mem.h"
#include "str.h"
#include "tree.h"

static struct stmt *
known(const char *sql)
{
	struct err e = {0};
	struct stmt *s;

	if (stmt_get(sql, strlen(sql), &s, &e) < 0)
		fail_msg("%s: %s", sql, e.text);
	return s;
}

static int
refused(const char *sql, size_t len, struct err *e)
{
	struct stmt *s = (struct stmt *)1;
	int rc;

	err_clear(e);
	rc = stmt_get(sql, len, &s, e);
	assert_true(rc < 0);
	assert_int_equal(rc, e->code);
	assert_null(s);
	return rc;
}

/* ---- the memo ------------------------------------------------------- */

static void
the_same_text_gives_the_same_facts_once(void **state)
{
	struct stmt_usage before, after;
	struct stmt *a, *b, *c;

	stmt_forget();
	stmt_usage(&before);
	assert_int_equal(before.texts, 0);
	assert_int_equal(before.bytes, 0);
	a = known("select 'once'");
	b = known("select 'once'");
	c = known("select 'once' ");
	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, c);
	stmt_usage(&after);
	assert_int_equal(after.hits - before.hits, 1);
	assert_int_equal(after.misses - before.misses, 2);
	assert_int_equal(after.texts, 2);
	assert_int_equal(after.bytes, a->bytes + c->bytes);
	stmt_forget();
	assert_string_equal(a->text, "select 'once'");
	stmt_unpin(&a);
	stmt_unpin(&b);
	stmt_unpin(&c);
}

static void
texts_that_never_repeat_do_not_grow_memory(void **state)
{
	struct stmt_limits small = STMT_LIMITS, usual = STMT_LIMITS;
	struct stmt_usage u;
	struct stmt *hot;

	small.max_texts = 320;
	stmt_limit(&small);
	stmt_forget();
	hot = known("select 'hot'");
	for (int i = 0; i < 3000; i++) {
		struct stmt *again = known("select 'hot'");
		char sql[64];
		struct stmt *s;

		assert_ptr_equal(again, hot); /* what is used stays */
		stmt_unpin(&again);
		snprintf(sql, sizeof(sql), "select 'cold %d'", i);
		s = known(sql);
		stmt_unpin(&s);
		stmt_usage(&u);
		assert_true(u.texts <= 320);
	}
	assert_true(u.evicted >= 3000 - 320);
	small.max_bytes = 16 * 3 * hot->bytes;
	small.max_texts = 10000;
	stmt_limit(&small);
	for (int i = 0; i < 500; i++) {
		char sql[64];
		struct stmt *s;

		snprintf(sql, sizeof(sql), "select 'bytes %d'", i);
		s = known(sql);
		stmt_unpin(&s);
	}
	stmt_usage(&u);
	assert_true(u.bytes <= small.max_bytes);
	assert_true(u.texts > 0);
	stmt_limit(&usual);
	stmt_unpin(&hot);
}

static void
a_text_too_large_for_a_shard_is_not_memoised(void **state)
{
	struct stmt_limits small = STMT_LIMITS, usual = STMT_LIMITS;
	struct stmt_usage u;
	struct stmt *s;

	stmt_forget();
	small.max_bytes = 16;
	stmt_limit(&small);
	s = known("select 'large'");
	stmt_usage(&u);
	assert_int_equal(u.texts, 0);
	assert_string_equal(s->text, "select 'large'");
	stmt_unpin(&s);
	stmt_limit(&usual);
}

static void
a_refused_text_is_not_remembered(void **state)
{
	struct stmt_usage u;
	struct err e;

	stmt_forget();
	refused("selec 1", 7, &e);
	refused("select 1; select 2", 18, &e);
	stmt_usage(&u);
	assert_int_equal(u.texts, 0);
}

#define THREADS 4

static void *
ask_around(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;

	for (int i = 0; i < 1500; i++) {
		char sql[96];
		struct stmt *s;
		unsigned k = (unsigned)rand_r(&seed) % 300;
		struct err e;

		snprintf(sql, sizeof(sql),
			 "select f%u($1) from t%u where a = %u", k, k, k);
		assert_int_equal(stmt_get(sql, strlen(sql), &s, &e), 0);
		assert_string_equal(s->text, sql);
		assert_int_equal(s->nfunctions, 1);
		assert_int_equal(atoi(s->functions[0].name + 1), k);
		assert_int_equal(s->nparams, 1);
		stmt_unpin(&s);
		if (i % 500 == 0)
			stmt_forget();
		snprintf(sql, sizeof(sql), "select ( %u", k);
		assert_int_equal(stmt_get(sql, strlen(sql), &s, &e),
				 LUNATE_ESYNTAX);
	}
	return NULL;
}

static void
threads_share_the_memo(void **state)
{
	struct stmt_limits small = STMT_LIMITS, usual = STMT_LIMITS;
	pthread_t threads[THREADS];

	small.max_texts = 160;
	stmt_limit(&small);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_around,
						(void *)(i + 1)),
				 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	stmt_limit(&usual);
	stmt_forget();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_text_gives_the_same_facts_once),
		cmocka_unit_test(texts_that_never_repeat_do_not_grow_memory),
		cmocka_unit_test(a_text_too_large_for_a_shard_is_not_memoised),
		cmocka_unit_test(a_refused_text_is_not_remembered),
		cmocka_unit_test(threads_share_the_memo),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
