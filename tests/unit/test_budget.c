/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "budget.h"

static struct pool_budget b;
static struct loop *loop;
static struct budget_seat *seat[3];
static int looks[3];

static void
look(void *arg)
{
	++*(int *)arg;
}

static int
begin(void **state)
{
	(void)state;
	budget_init(&b, 4);
	loop = loop_new();
	for (int i = 0; i < 3; i++) {
		looks[i] = 0;
		seat[i] = budget_join(&b, loop, look, &looks[i]);
	}
	return 0;
}

static int
end(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		if (seat[i] != NULL)
			budget_leave(&seat[i]);
	assert_int_equal(b.nseats, 0);
	budget_fini(&b);
	loop_free(&loop);
	return 0;
}

static void
fill(struct budget_seat *s)
{
	while (budget_take(s))
		;
}

static void
the_most_that_were_open_at_once_are_remembered(void **state)
{
	assert_true(budget_take(seat[0]) && budget_take(seat[1]));
	assert_int_equal(b.peak, 2);
	budget_give(seat[0]);
	assert_true(budget_take(seat[2]));
	assert_int_equal(b.peak, 2); /* of all seats together */
	fill(seat[1]);
	assert_int_equal(b.peak, 4);
	while (b.open > 0)
		budget_give(seat[0]);
	assert_int_equal(b.peak, 4);
}

static void
empty(struct budget_seat *s)
{
	while (b.open > 0)
		budget_give(s);
}

static void
what_is_taken_never_exceeds_max(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++)
		assert_true(budget_take(seat[i % 3]));
	assert_false(budget_take(seat[0]));
	assert_int_equal(b.open, 4);
	budget_give(seat[1]);
	assert_true(budget_take(seat[2]));
	empty(seat[0]);
}

static void
the_pool_with_the_most_idle_is_asked_once(void **state)
{
	(void)state;
	fill(seat[0]);
	budget_idle(seat[0], 1);
	budget_idle(seat[1], 3);
	budget_need(seat[2], BUDGET_WANTS);
	budget_need(seat[2], BUDGET_WANTS);
	loop_turn(loop, 0);
	assert_int_equal(looks[0], 0);
	assert_int_equal(looks[1], 1);
	assert_int_equal(looks[2], 0);
	assert_true(budget_wanted(seat[1]));
	budget_need(seat[2], BUDGET_CONTENT);
	assert_false(budget_wanted(seat[1]));
	empty(seat[0]);
}

static void
who_wants_is_woken_when_there_is_room(void **state)
{
	(void)state;
	fill(seat[0]);
	budget_need(seat[2], BUDGET_WANTS);
	loop_turn(loop, 0);
	assert_int_equal(looks[2], 0);
	budget_give(seat[0]);
	loop_turn(loop, 0);
	assert_int_equal(looks[1], 0);
	assert_int_equal(looks[2], 1);
	assert_false(budget_wanted(seat[0])); /* there is room */
	empty(seat[0]);
}

static void
wanting_is_not_starving(void **state)
{
	(void)state;
	fill(seat[0]);
	budget_need(seat[1], BUDGET_WANTS);
	assert_false(budget_starved(seat[0]));
	budget_need(seat[1], BUDGET_STARVES);
	assert_true(budget_starved(seat[0]));
	assert_true(budget_wanted(seat[0]));
	budget_need(seat[1], BUDGET_WANTS);
	assert_false(budget_starved(seat[0]));
	empty(seat[0]);
}

/* 4 for three: nobody is both poor and rich. */
static void
shares_are_the_same_for_all(void **state)
{
	(void)state;
	assert_int_equal(budget_part(seat[0], 3), 1);
	assert_int_equal(budget_part(seat[0], 4), 2);
	assert_int_equal(budget_part(seat[0], 0), 0);
	assert_true(budget_poor(seat[0], 0));
	assert_false(budget_poor(seat[0], 1));
	assert_false(budget_rich(seat[0], 1));
	assert_true(budget_rich(seat[0], 2));
}

static void
with_less_than_one_for_each_it_goes_from_hand_to_hand(void **state)
{
	(void)state;
	b.max = 2;
	assert_true(budget_poor(seat[0], 0));
	assert_false(budget_poor(seat[0], 1));
	assert_true(budget_rich(seat[0], 1));
}

static void
a_letter_to_one_that_has_left_finds_nobody(void **state)
{
	(void)state;
	fill(seat[0]);
	budget_idle(seat[1], 2);
	budget_need(seat[0], BUDGET_WANTS);
	budget_leave(&seat[1]);
	loop_turn(loop, 0);
	assert_int_equal(looks[1], 0);
	budget_idle(seat[2], 2);
	budget_need(seat[0], BUDGET_WANTS);
	budget_leave(&seat[2]); /* and the loop ends with its letter unread */
	empty(seat[0]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_taken_never_exceeds_max),
		TEST(the_most_that_were_open_at_once_are_remembered),
		TEST(the_pool_with_the_most_idle_is_asked_once),
		TEST(who_wants_is_woken_when_there_is_room),
		TEST(wanting_is_not_starving),
		TEST(shares_are_the_same_for_all),
		TEST(with_less_than_one_for_each_it_goes_from_hand_to_hand),
		TEST(a_letter_to_one_that_has_left_finds_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
