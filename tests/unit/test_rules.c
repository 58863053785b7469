/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "panics.h"
#include "rules.h"

static struct rules_source source;

static void
the_compiled_in_defaults_are_generation_1(void **state)
{
	struct rules *r;

	rules_source_init(&source, rules_new());
	r = rules_pin(&source);
	assert_int_equal(r->id, 1);
	assert_int_equal(r->classes[RULES_READ].timeout_ms, 15000);
	assert_int_equal(r->classes[RULES_WRITE].timeout_ms, 30000);
	assert_int_equal(r->classes[RULES_CRITICAL].timeout_ms, 60000);
	assert_true(r->retry.base_ms > 0 && r->retry.cap_ms > 0);
	rules_unpin(&r);
	assert_null(r);
	rules_source_fini(&source);
}

static void
a_pinned_generation_lives_on_unchanged_after_the_next(void **state)
{
	struct rules *old, *same, *next = rules_new();

	rules_source_init(&source, rules_new());
	old = rules_pin(&source);
	same = rules_pin(&source);
	assert_ptr_equal(old, same);
	next->classes[RULES_READ].retries = 77;
	rules_publish(&source, next);
	assert_int_equal(old->id, 1);
	assert_int_not_equal(old->classes[RULES_READ].retries, 77);
	rules_unpin(&same);
	same = rules_pin(&source);
	assert_ptr_equal(same, next);
	assert_int_equal(same->id, 2);
	assert_int_equal(same->classes[RULES_READ].retries, 77);
	rules_unpin(&old);
	rules_unpin(&same);
	rules_source_fini(&source);
}

static void
a_pinned_generation_outlives_its_source(void **state)
{
	struct rules *r;

	rules_source_init(&source, rules_new());
	r = rules_pin(&source);
	rules_source_fini(&source);
	assert_int_equal(r->id, 1);
	rules_unpin(&r);
}

static void
a_generation_that_is_let_go_twice_is_a_mistake_of_ours(void **state)
{
	struct rules *none = NULL;

	assert_panics(rules_unpin(&none));
}

/* Both numbers of a generation are the same; a reader that saw two of them
 * would see them differ. */
static struct rules *
twins(int n)
{
	struct rules *r = rules_new();

	r->classes[RULES_READ].retries = n;
	r->retry.cap_ms = n;
	return r;
}

static void *
read_rules(void *arg)
{
	uint64_t last = 0;

	(void)arg;
	for (int i = 0; i < 20000; i++) {
		struct rules *r = rules_pin(&source);

		if (r->id < last ||
		    r->classes[RULES_READ].retries != (int)r->retry.cap_ms)
			return (void *)"torn, or an older one after a newer";
		last = r->id;
		rules_unpin(&r);
	}
	return NULL;
}

static void *
publish_rules(void *arg)
{
	(void)arg;
	for (int i = 1; i <= 2000; i++)
		rules_publish(&source, twins(i));
	return NULL;
}

static void
four_threads_see_whole_generations_in_order(void **state)
{
	pthread_t threads[4];
	struct rules *r;
	void *what;

	rules_source_init(&source, twins(0));
	for (int i = 0; i < 4; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL,
				       i < 3 ? read_rules : publish_rules,
				       NULL),
			0);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &what);
		if (what != NULL)
			fail_msg("%s", (const char *)what);
	}
	r = rules_pin(&source);
	assert_int_equal(r->id, 2001);
	assert_int_equal(r->retry.cap_ms, 2000);
	rules_unpin(&r);
	rules_source_fini(&source);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_compiled_in_defaults_are_generation_1),
		cmocka_unit_test(
			a_pinned_generation_lives_on_unchanged_after_the_next),
		cmocka_unit_test(a_pinned_generation_outlives_its_source),
		cmocka_unit_test(
			a_generation_that_is_let_go_twice_is_a_mistake_of_ours),
		cmocka_unit_test(four_threads_see_whole_generations_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
