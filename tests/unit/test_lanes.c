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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
