/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "metrics.h"
#include "op.h"
#include "runtime.h"

#define SECOND INT64_C(1000000)

static void
a_rate_is_the_mean_of_the_last_whole_seconds(void **state)
{
	struct rate r = {0};

	for (int i = 0; i < 30; i++)
		rate_add(&r, 100 * SECOND + i);
	assert_true(rate_per_second(&r, 100 * SECOND) == 0); /* not over yet */
	assert_true(rate_per_second(&r, 101 * SECOND) == 3);
	assert_true(rate_per_second(&r, 110 * SECOND) == 3);
	assert_true(rate_per_second(&r, 111 * SECOND) == 0);
}

static void
a_second_of_long_ago_is_forgotten(void **state)
{
	struct rate r = {0};

	for (int i = 0; i < 50; i++)
		rate_add(&r, 5 * SECOND);
	rate_add(&r, (5 + RATE_SLOTS) * SECOND); /* the same slot */
	assert_true(rate_per_second(&r, (6 + RATE_SLOTS) * SECOND) == 0.1);
}

static struct runtime *
a_runtime(void)
{
	static struct runtime rt;

	memset(&rt, 0, sizeof(rt));
	rt.config.slow_query_threshold = 1000;
	rt.config.critical_query_threshold = 5000;
	return &rt;
}

static void refused(struct pool_job *job, const struct err *e);
static void
refused(struct pool_job *job, const struct err *e)
{
}

/* One that was sent after `wait_us` and answered after `took_us`. */
static struct op
an_op(int64_t wait_us, int64_t took_us)
{
	struct op op = {.began_us = SECOND, .took_us = took_us, .attempts = 1};

	op.job.refused = refused;
	op.req.sent_us = SECOND + wait_us;
	return op;
}

static void
an_operation_is_counted_with_its_time_and_its_wait(void **state)
{
	struct runtime *rt = a_runtime();
	struct op op = an_op(20, 31);

	metrics_count(rt, &op);
	assert_int_equal(stat_read(&rt->counts.queries), 1);
	assert_int_equal(stat_read(&rt->counts.failed), 0);
	assert_int_equal(stat_hist_percentile(&rt->counts.query_time, 0.5), 31);
	assert_int_equal(stat_hist_percentile(&rt->counts.wait_time, 0.5), 20);
}

static void
slow_and_critical_begin_above_their_thresholds(void **state)
{
	struct runtime *rt = a_runtime();
	struct op at = an_op(0, 1000000), slow = an_op(0, 1000001),
		  critical = an_op(0, 5000001);

	metrics_count(rt, &at);
	assert_int_equal(stat_read(&rt->counts.slow), 0);
	metrics_count(rt, &slow);
	metrics_count(rt, &critical);
	assert_int_equal(stat_read(&rt->counts.slow), 2);
	assert_int_equal(stat_read(&rt->counts.critical), 1);
}

static void
a_statement_that_never_ran_is_not_slow(void **state)
{
	struct runtime *rt = a_runtime();
	struct op op = an_op(0, 60000000);

	op.req.sent_us = 0;
	op.err.code = LUNATE_EPOOL;
	metrics_count(rt, &op);
	assert_int_equal(stat_read(&rt->counts.slow), 0);
	assert_int_equal(stat_read(&rt->counts.failed), 1);
	assert_int_equal(stat_hist_most(&rt->counts.wait_time), 60000000);
}

static void
what_had_a_connection_already_did_not_wait_for_one(void **state)
{
	struct runtime *rt = a_runtime();
	struct op op = an_op(0, 5);

	op.job.refused = NULL; /* the pool was not asked */
	metrics_count(rt, &op);
	assert_int_equal(stat_hist_count(&rt->counts.query_time), 1);
	assert_int_equal(stat_hist_count(&rt->counts.wait_time), 0);
}

static void
every_row_has_a_name_of_its_own_a_unit_and_a_help(void **state)
{
	struct metrics m = {.total = 3, .uptime = 7};
	const struct metrics_info *row, *other;
	double value, ignored;
	int n = 0;

	for (; (row = metrics_row(n, &m, &value)) != NULL; n++) {
		assert_true(row->unit[0] != 0 && row->help[0] != 0);
		for (int i = 0; i < n; i++) {
			other = metrics_row(i, &m, &ignored);
			assert_string_not_equal(row->name, other->name);
		}
		if (strcmp(row->name, "total") == 0)
			assert_true(value == 3);
		if (strcmp(row->name, "uptime") == 0)
			assert_true(value == 7);
	}
	assert_int_equal(n, sizeof(struct metrics) / sizeof(double));
	assert_null(metrics_row(-1, &m, &value));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rate_is_the_mean_of_the_last_whole_seconds),
		cmocka_unit_test(a_second_of_long_ago_is_forgotten),
		cmocka_unit_test(
			an_operation_is_counted_with_its_time_and_its_wait),
		cmocka_unit_test(
			slow_and_critical_begin_above_their_thresholds),
		cmocka_unit_test(a_statement_that_never_ran_is_not_slow),
		cmocka_unit_test(
			what_had_a_connection_already_did_not_wait_for_one),
		cmocka_unit_test(
			every_row_has_a_name_of_its_own_a_unit_and_a_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
