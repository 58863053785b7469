/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "stat.h"

static void
counts_grow_and_gauges_move_both_ways(void **state)
{
	struct stat_count c = {0};
	struct stat_gauge g = {0};

	stat_add(&c, 1);
	stat_add(&c, 41);
	assert_int_equal(stat_read(&c), 42);
	stat_gauge_add(&g, 5);
	stat_gauge_add(&g, -7);
	assert_int_equal(stat_gauge_read(&g), -2);
	stat_gauge_set(&g, 9);
	assert_int_equal(stat_gauge_read(&g), 9);
}

static void
an_empty_histogram_says_zero(void **state)
{
	struct stat_hist h = {0};

	assert_int_equal(stat_hist_count(&h), 0);
	assert_int_equal(stat_hist_sum(&h), 0);
	assert_true(stat_hist_mean(&h) == 0);
	assert_int_equal(stat_hist_percentile(&h, 0.99), 0);
	assert_int_equal(stat_hist_up_to(&h, 1000), 0);
}

static void
count_sum_mean_and_most_are_exact(void **state)
{
	struct stat_hist h = {0};

	stat_hist_add(&h, 1000003);
	stat_hist_add(&h, 7);
	stat_hist_add(&h, 0);
	stat_hist_add(&h, -5);
	assert_int_equal(stat_hist_count(&h), 4);
	assert_int_equal(stat_hist_sum(&h), 1000010);
	assert_true(stat_hist_mean(&h) == 250002.5);
	assert_int_equal(stat_hist_most(&h), 1000003);
}

static void
small_values_are_exact(void **state)
{
	for (int v = 0; v < 32; v++) {
		struct stat_hist h = {0};

		stat_hist_add(&h, v);
		stat_hist_add(&h, 100);
		assert_int_equal(stat_hist_percentile(&h, 0.5), v);
	}
}

/* Every power of two, its neighbours, and what lies between. */
static void
one_value_is_off_by_at_most_a_thirty_second(void **state)
{
	for (int64_t v = 1; v <= STAT_MOST; v += v / 37 + 1) {
		struct stat_hist h = {0};
		int64_t got;

		stat_hist_add(&h, v);
		stat_hist_add(&h, INT64_MAX / 4);
		got = stat_hist_percentile(&h, 0.5);
		assert_true(llabs(got - v) * 32 <= v);
	}
}

static int
by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static void
percentiles_keep_the_error_bound_on_many_values(void **state)
{
	static const double shares[] = {0, 0.01, 0.25, 0.5, 0.9, 0.99, 1};
	static int64_t v[5000];
	struct stat_hist h = {0};
	uint64_t r = 7;

	for (int i = 0; i < 5000; i++) {
		r = r * 6364136223846793005u + 1442695040888963407u;
		v[i] = (int64_t)(r >> 40) >> (r >> 32) % 20;
		stat_hist_add(&h, v[i]);
	}
	qsort(v, 5000, sizeof(*v), by_size);
	for (size_t i = 0; i < sizeof(shares) / sizeof(*shares); i++) {
		int64_t rank = (int64_t)(shares[i] * 5000), want;

		want = v[rank > 0 ? rank - 1 : 0];
		assert_true(llabs(stat_hist_percentile(&h, shares[i]) - want) *
				    32 <=
			    want);
	}
	assert_true(stat_hist_percentile(&h, 1) <= v[4999]);
}

static void
what_is_over_the_range_is_counted_and_not_lost(void **state)
{
	struct stat_hist h = {0};

	stat_hist_add(&h, STAT_MOST + 1);
	stat_hist_add(&h, INT64_MAX / 2);
	assert_int_equal(stat_hist_count(&h), 2);
	assert_int_equal(stat_hist_percentile(&h, 1), INT64_MAX / 2);
}

static void
merging_is_as_if_all_had_been_added_to_one(void **state)
{
	struct stat_hist a = {0}, b = {0}, both = {0};

	for (int64_t v = 1; v < 1000000; v = v * 3 + 1) {
		stat_hist_add(v % 2 ? &a : &b, v);
		stat_hist_add(&both, v);
	}
	stat_hist_merge(&a, &b);
	assert_memory_equal(&a, &both, sizeof(a));
}

static void
values_up_to_a_bound_are_never_overcounted(void **state)
{
	struct stat_hist h = {0};

	for (int v = 1; v <= 1000; v++)
		stat_hist_add(&h, v);
	assert_int_equal(stat_hist_up_to(&h, 16), 16);
	assert_in_range(stat_hist_up_to(&h, 500), 469, 500);
	assert_int_equal(stat_hist_up_to(&h, 1000), 1000);
	assert_int_equal(stat_hist_up_to(&h, 0), 0);
}

#define METRICS(X)                                                       \
	X(COUNT, logins, "lunate_test_logins_total", "1", "logins made") \
	X(GAUGE, open, "lunate_test_open", "1", "connections open")      \
	X(HIST, wait, "lunate_test_wait", "us", "time in the queue")

struct numbers {
	METRICS(STAT_FIELD)
};

#define STAT_OWNER struct numbers
static const struct stat_metric table[] = {METRICS(STAT_ROW)};

static void
a_table_leads_to_the_numbers(void **state)
{
	struct numbers n;

	memset(&n, 0, sizeof(n));
	stat_add(&n.logins, 3);
	stat_gauge_set(&n.open, -4);
	stat_hist_add(&n.wait, 5);
	assert_int_equal(sizeof(table) / sizeof(*table), 3);
	assert_string_equal(table[2].name, "lunate_test_wait");
	assert_string_equal(table[2].unit, "us");
	assert_string_equal(table[2].help, "time in the queue");
	assert_int_equal(stat_read(stat_count_of(&table[0], &n)), 3);
	assert_int_equal(stat_gauge_read(stat_gauge_of(&table[1], &n)), -4);
	assert_int_equal(stat_hist_count(stat_hist_of(&table[2], &n)), 1);
	assert_null(stat_count_of(&table[1], &n));
	assert_null(stat_hist_of(&table[0], &n));
}

static void
sets_of_workers_become_one(void **state)
{
	struct numbers a, b;

	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	stat_add(&a.logins, 1);
	stat_add(&b.logins, 2);
	stat_gauge_set(&a.open, 10);
	stat_gauge_set(&b.open, 20);
	stat_hist_add(&b.wait, 7);
	stat_merge(table, 3, &a, &b);
	assert_int_equal(stat_read(&a.logins), 3);
	assert_int_equal(stat_gauge_read(&a.open), 30);
	assert_int_equal(stat_hist_sum(&a.wait), 7);
	assert_int_equal(stat_read(&b.logins), 2);
}

static struct numbers shared;

static void *
record(void *arg)
{
	for (int i = 1; i <= 2000; i++) {
		stat_add(&shared.logins, 1);
		stat_hist_add(&shared.wait, i);
	}
	return NULL;
}

static void
nothing_is_lost_when_threads_record_at_once(void **state)
{
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, record, NULL);
	assert_true(stat_hist_percentile(&shared.wait, 0.5) <= 2000);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(stat_read(&shared.logins), 8000);
	assert_int_equal(stat_hist_count(&shared.wait), 8000);
	assert_int_equal(stat_hist_sum(&shared.wait), 4 * 2001000);
	assert_int_equal(stat_hist_most(&shared.wait), 2000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_grow_and_gauges_move_both_ways),
		cmocka_unit_test(an_empty_histogram_says_zero),
		cmocka_unit_test(count_sum_mean_and_most_are_exact),
		cmocka_unit_test(small_values_are_exact),
		cmocka_unit_test(one_value_is_off_by_at_most_a_thirty_second),
		cmocka_unit_test(
			percentiles_keep_the_error_bound_on_many_values),
		cmocka_unit_test(
			what_is_over_the_range_is_counted_and_not_lost),
		cmocka_unit_test(merging_is_as_if_all_had_been_added_to_one),
		cmocka_unit_test(values_up_to_a_bound_are_never_overcounted),
		cmocka_unit_test(a_table_leads_to_the_numbers),
		cmocka_unit_test(sets_of_workers_become_one),
		cmocka_unit_test(nothing_is_lost_when_threads_record_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
