/* SPDX-License-Identifier: MIT */
#include "rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#define SECOND 1000000

static const struct rate_limit ten = {"ten", 10, 10 * SECOND};

static struct rate_owner
who(const char *text)
{
	return (struct rate_owner){text, strlen(text)};
}

/* How many of n are let through at a time. */
static unsigned
takes(struct rates *r, const char *owner, unsigned n, int64_t now_us)
{
	unsigned let = 0;

	for (unsigned i = 0; i < n; i++)
		let += rates_take(r, &ten, who(owner), now_us) == 0;
	return let;
}

static void
test_a_burst_is_let_through_and_no_more(void **state)
{
	struct rates *r = rates_new(1);

	assert_int_equal(takes(r, "a", 25, 5), 10);
	assert_int_equal(takes(r, "b", 25, 5), 10);
	rates_free(&r);
	assert_null(r);
}

static void
test_tokens_come_back_evenly(void **state)
{
	struct rates *r = rates_new(1);

	assert_int_equal(takes(r, "a", 10, 0), 10);
	assert_int_equal(takes(r, "a", 5, SECOND / 2), 0);
	assert_int_equal(takes(r, "a", 5, SECOND), 1);
	assert_int_equal(takes(r, "a", 20, 4 * SECOND), 3);
	assert_int_equal(takes(r, "a", 20, 1000 * SECOND), 10);
	rates_free(&r);
}

static void
test_who_is_refused_is_told_when_to_come_back(void **state)
{
	struct rates *r = rates_new(1);
	int64_t wait;

	takes(r, "a", 10, 0);
	wait = rates_take(r, &ten, who("a"), SECOND / 4);
	assert_in_range(wait, 3 * SECOND / 4, 3 * SECOND / 4 + 2);
	/* Asking in vain costs nothing. */
	assert_int_equal(takes(r, "a", 100, SECOND / 4), 0);
	assert_int_equal(rates_take(r, &ten, who("a"), SECOND / 4 + wait), 0);
	rates_free(&r);
}

static void
test_what_is_given_back_can_be_taken(void **state)
{
	struct rates *r = rates_new(1);

	rates_give(r, &ten, who("nobody"));
	takes(r, "a", 10, 0);
	rates_give(r, &ten, who("a"));
	assert_int_equal(takes(r, "a", 5, 0), 1);
	rates_free(&r);
}

static void
test_a_limit_that_changed_counts_anew(void **state)
{
	struct rates *r = rates_new(1);
	struct rate_limit same = ten, other = ten, named = ten;

	takes(r, "a", 10, 0);
	same.name = "ten"; /* of the next generation, at another place */
	assert_true(rates_take(r, &same, who("a"), 0) > 0);
	other.operations = 20;
	assert_int_equal(rates_take(r, &other, who("a"), 0), 0);
	named.name = "another";
	assert_int_equal(rates_take(r, &named, who("a"), 0), 0);
	rates_free(&r);
}

static void
test_a_clock_that_runs_backwards_gives_nothing(void **state)
{
	struct rates *r = rates_new(1);

	assert_int_equal(takes(r, "a", 10, 100 * SECOND), 10);
	assert_int_equal(takes(r, "a", 5, 0), 0);
	assert_int_equal(takes(r, "a", 5, 100 * SECOND), 0);
	assert_int_equal(takes(r, "a", 5, 101 * SECOND), 1);
	rates_free(&r);
}

/* More owners than there are places: those that are counted stay. */
static void
test_those_that_are_full_again_give_way(void **state)
{
	struct rates *r = rates_new(1);
	char name[32];

	takes(r, "busy", 10, 1000 * SECOND);
	for (unsigned i = 0; i < 2 * RATE_MOST; i++) {
		snprintf(name, sizeof(name), "gone %u", i);
		assert_int_equal(rates_take(r, &ten, who(name), 0), 0);
	}
	assert_int_equal(takes(r, "busy", 5, 1000 * SECOND), 0);
	rates_free(&r);
}

#define THREADS 4

static unsigned let[THREADS];
static struct rates *shared;

static void *
run(void *arg)
{
	unsigned *n = arg;

	for (unsigned i = 0; i < 1000; i++)
		*n += rates_take(shared, &ten, who("a"), 7) == 0;
	return NULL;
}

static void
test_all_threads_share_one_count(void **state)
{
	pthread_t threads[THREADS];
	unsigned all = 0;

	shared = rates_new(1);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, run, &let[i]), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		all += let[i];
	}
	assert_int_equal(all, 10);
	rates_free(&shared);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_burst_is_let_through_and_no_more),
		cmocka_unit_test(test_tokens_come_back_evenly),
		cmocka_unit_test(test_who_is_refused_is_told_when_to_come_back),
		cmocka_unit_test(test_what_is_given_back_can_be_taken),
		cmocka_unit_test(test_a_limit_that_changed_counts_anew),
		cmocka_unit_test(
			test_a_clock_that_runs_backwards_gives_nothing),
		cmocka_unit_test(test_those_that_are_full_again_give_way),
		cmocka_unit_test(test_all_threads_share_one_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
