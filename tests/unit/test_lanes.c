/* SPDX-License-Identifier: MIT
 *
 * lanes against servers that are made up: a read costs `cost` of one of its
 * processors, and `apart` of network.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "lanes.h"

struct server {
	double cost_us, apart_us;
	int processors;
};

/* How long a read occupies its lane when all of them are in use. */
static double
occupied(const struct server *s, int lanes)
{
	double share = lanes > s->processors ? (double)lanes / s->processors
					     : 1;

	return s->cost_us * share + s->apart_us;
}

/* A stretch of full load; gives the mean width of its second half. */
static double
run(struct lanes *l, const struct server *s, double seconds)
{
	int64_t begin = 1000000, now = begin;
	int64_t end = begin + (int64_t)(seconds * 1e6);
	double sum = 0;
	int n = 0;

	while (now < end) {
		double us = occupied(s, lanes_width(l));

		for (int i = 0; i < 100; i++)
			lanes_saw(l, now, (int64_t)us);
		now += (int64_t)(us * 100 / lanes_width(l)) + 1;
		assert_true(lanes_width(l) >= 1);
		assert_true(lanes_width(l) <= l->most);
		if (now > (begin + end) / 2) {
			sum += lanes_width(l);
			n++;
		}
	}
	return sum / n;
}

static void
few_processors_are_served_by_few_lanes(void **state)
{
	const struct server two = {100, 0, 2};
	struct lanes l;
	double width;

	lanes_init(&l, 50);
	width = run(&l, &two, 20);
	assert_true(width >= 1.5 && width <= 3);
}

static void
many_processors_get_as_many_lanes(void **state)
{
	const struct server many = {100, 0, 16};
	struct lanes l;
	double width;

	lanes_init(&l, 50);
	width = run(&l, &many, 20);
	assert_true(width >= 13 && width <= 22);
}

static void
a_distant_server_gets_more_than_it_has_processors(void **state)
{
	const struct server distant = {50, 450, 2};
	struct lanes l;

	lanes_init(&l, 50);
	assert_true(run(&l, &distant, 20) > 4);
}

static void
one_connection_is_one_lane(void **state)
{
	const struct server many = {100, 0, 16};
	struct lanes l;

	lanes_init(&l, 1);
	assert_int_equal(lanes_width(&l), 1);
	assert_true(run(&l, &many, 2) == 1);
}

static void
a_limit_holds_at_once(void **state)
{
	const struct server many = {100, 0, 16};
	struct lanes l;

	lanes_init(&l, 50);
	run(&l, &many, 20);
	lanes_limit(&l, 3);
	assert_true(lanes_width(&l) <= 3);
	run(&l, &many, 2);
	assert_true(lanes_width(&l) <= 3);
}

static void
a_server_that_grows_is_followed(void **state)
{
	struct server s = {100, 0, 2};
	struct lanes l;

	lanes_init(&l, 50);
	run(&l, &s, 10);
	s.processors = 16;
	assert_true(run(&l, &s, 60) > 8);
}

/* Reads come at a pace of their own and leave the lanes idle half the time. */
static void
lanes_that_are_not_busy_stay_as_they_are(void **state)
{
	struct lanes l;
	int64_t now = 1000000;

	lanes_init(&l, 50);
	for (int i = 0; i < 200000; i++) {
		lanes_saw(&l, now, 50);
		now += 50;
	}
	assert_int_equal(lanes_width(&l), LANES_START);
}

/* What is measured is off by up to a tenth, as on a machine that others use. */
static void
noise_does_not_drive_the_width_away(void **state)
{
	const struct server two = {100, 0, 2};
	struct lanes l;
	uint64_t seed = 42;
	int64_t now = 1000000;
	double sum = 0;

	lanes_init(&l, 50);
	for (int i = 0; i < 20000; i++) {
		double us = occupied(&two, lanes_width(&l));

		if (i % 10 == 0)
			seed = seed * 6364136223846793005ull + 1;
		us *= 0.9 + 0.2 * (double)(seed >> 40) / (1 << 24);
		for (int k = 0; k < 100; k++)
			lanes_saw(&l, now, (int64_t)us);
		now += (int64_t)(us * 100 / lanes_width(&l)) + 1;
		sum += lanes_width(&l);
	}
	assert_true(sum / 20000 < 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(few_processors_are_served_by_few_lanes),
		cmocka_unit_test(many_processors_get_as_many_lanes),
		cmocka_unit_test(
			a_distant_server_gets_more_than_it_has_processors),
		cmocka_unit_test(one_connection_is_one_lane),
		cmocka_unit_test(a_limit_holds_at_once),
		cmocka_unit_test(a_server_that_grows_is_followed),
		cmocka_unit_test(lanes_that_are_not_busy_stay_as_they_are),
		cmocka_unit_test(noise_does_not_drive_the_width_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
