/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gate.h"
#include "panics.h"

static struct gate g;
static struct gate_waiter w[8];

/* Eight waiters that are nowhere, of normal priority, without a deadline. */
static void
begin(unsigned cap, int64_t age_ms)
{
	gate_init(&g, cap, age_ms);
	for (int i = 0; i < 8; i++)
		gate_waiter_init(&w[i], GATE_NORMAL, 0);
}

static void
push(int i, enum gate_priority p, int64_t now_us)
{
	w[i].priority = p;
	assert_int_equal(gate_push(&g, &w[i], now_us), 0);
	gate_verify(&g);
}

/* Which waiter is next: its number, -1 for none. */
static int
pop(int64_t now_us)
{
	struct gate_waiter *next = gate_pop(&g, now_us);

	gate_verify(&g);
	return next != NULL ? (int)(next - w) : -1;
}

static void
an_empty_gate_has_nobody(void **state)
{
	begin(8, 100);
	assert_int_equal(pop(0), -1);
	assert_null(gate_peek(&g, 0));
	assert_int_equal(gate_count(&g), 0);
	assert_int_equal(gate_oldest_us(&g, 5), 0);
	assert_true(gate_due_us(&g) == INT64_MAX);
	gate_fini(&g);
}

static void
inside_a_lane_the_first_is_served_first(void **state)
{
	begin(8, 0);
	for (int i = 0; i < 4; i++)
		push(i, GATE_NORMAL, 1);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pop(2), i);
	assert_int_equal(pop(2), -1);
}

static void
a_higher_lane_goes_before_an_earlier_arrival(void **state)
{
	begin(8, 0);
	push(0, GATE_LOW, 1);
	push(1, GATE_NORMAL, 2);
	push(2, GATE_HIGH, 3);
	push(3, GATE_CRITICAL, 4);
	assert_ptr_equal(gate_peek(&g, 5), &w[3]);
	for (int i = 3; i >= 0; i--)
		assert_int_equal(pop(5), i);
}

static void
without_aging_low_waits_for_ever(void **state)
{
	begin(8, 0);
	push(0, GATE_LOW, 0);
	push(1, GATE_NORMAL, 1000000000);
	assert_int_equal(pop(2000000000), 1);
}

static void
a_waiter_is_treated_one_lane_higher_after_age_ms(void **state)
{
	begin(8, 100);
	push(0, GATE_NORMAL, 0);
	push(1, GATE_HIGH, 50000);
	assert_ptr_equal(gate_peek(&g, 99999), &w[1]);
	assert_int_equal(pop(100000), 0);
	assert_int_equal(pop(100000), 1);
}

static void
low_never_starves_under_a_stream_of_critical_work(void **state)
{
	int64_t now = 0;
	int served = -1, turns = 0;

	begin(8, 100);
	push(0, GATE_LOW, now);
	while (served != 0) {
		now += 10000;
		push(1 + turns % 2, GATE_CRITICAL, now);
		served = pop(now);
		assert_true(++turns < 100);
	}
	assert_int_equal(turns, 30); /* 3 lanes of 100 ms, 10 ms each */
}

static void
aging_keeps_the_order_inside_a_lane(void **state)
{
	begin(8, 100);
	push(0, GATE_LOW, 0);
	push(1, GATE_LOW, 1);
	push(2, GATE_LOW, 2);
	assert_int_equal(pop(500000), 0);
	assert_int_equal(pop(500000), 1);
	assert_int_equal(pop(500000), 2);
}

static void
a_full_gate_refuses_and_changes_nothing(void **state)
{
	begin(2, 0);
	push(0, GATE_LOW, 1);
	push(1, GATE_LOW, 1);
	w[2].priority = GATE_CRITICAL;
	assert_int_equal(gate_push(&g, &w[2], 1), LUNATE_EPOOL);
	assert_false(gate_waits(&w[2]));
	gate_verify(&g);
	assert_int_equal(gate_count(&g), 2);
	assert_int_equal(pop(1), 0);
	assert_int_equal(gate_push(&g, &w[2], 1), 0);
	gate_verify(&g);
}

static void
who_gives_up_is_gone_from_the_middle(void **state)
{
	begin(8, 0);
	for (int i = 0; i < 3; i++)
		push(i, GATE_NORMAL, 1);
	gate_remove(&g, &w[1]);
	gate_verify(&g);
	gate_remove(&g, &w[1]);
	gate_verify(&g);
	assert_false(gate_waits(&w[1]));
	assert_int_equal(gate_count(&g), 2);
	assert_int_equal(pop(1), 0);
	assert_int_equal(pop(1), 2);
}

static void
a_popped_waiter_may_wait_again_at_the_end(void **state)
{
	begin(8, 0);
	push(0, GATE_NORMAL, 1);
	push(1, GATE_NORMAL, 1);
	assert_int_equal(pop(2), 0);
	push(0, GATE_NORMAL, 3);
	assert_int_equal(pop(4), 1);
	assert_int_equal(pop(4), 0);
}

static void
waiting_twice_or_going_back_in_time_is_a_mistake(void **state)
{
	begin(8, 0);
	push(0, GATE_NORMAL, 10);
	assert_panics(gate_push(&g, &w[0], 10) == 0);
	assert_panics(gate_push(&g, &w[1], 9) == 0);
	assert_panics(gate_fini(&g));
}

static void
a_deadline_is_overdue_from_its_very_microsecond(void **state)
{
	struct list late;

	begin(8, 0);
	list_init(&late);
	w[0].deadline_us = 100;
	push(0, GATE_NORMAL, 0);
	assert_int_equal(gate_due_us(&g), 100);
	assert_int_equal(gate_expire(&g, 99, &late), 0);
	assert_int_equal(gate_count(&g), 1);
	assert_int_equal(gate_expire(&g, 100, &late), 1);
	assert_ptr_equal(GATE_WAITER(list_first(&late)), &w[0]);
	assert_int_equal(gate_count(&g), 0);
	assert_true(gate_due_us(&g) == INT64_MAX);
	gate_verify(&g);
}

static void
only_the_overdue_go_and_the_rest_keep_order(void **state)
{
	struct list late;

	begin(8, 0);
	list_init(&late);
	for (int i = 0; i < 6; i++) {
		w[i].deadline_us = i % 2 ? 100 : 500;
		push(i, i < 3 ? GATE_LOW : GATE_HIGH, i);
	}
	push(6, GATE_NORMAL, 7); /* never overdue */
	assert_int_equal(gate_expire(&g, 200, &late), 3);
	gate_verify(&g);
	assert_int_equal(list_count(&late), 3);
	assert_int_equal(gate_due_us(&g), 500);
	assert_int_equal(pop(200), 4);
	assert_int_equal(pop(200), 6);
	assert_int_equal(pop(200), 0);
	assert_int_equal(pop(200), 2);
}

static void
an_overdue_waiter_is_not_counted_twice(void **state)
{
	struct list late;

	begin(8, 0);
	list_init(&late);
	w[0].deadline_us = w[1].deadline_us = 10;
	for (int i = 0; i < 3; i++)
		push(i, GATE_NORMAL, 0);
	assert_int_equal(gate_expire(&g, 10, &late), 2);
	assert_false(gate_waits(&w[1]));
	gate_remove(&g, &w[1]);
	gate_verify(&g);
	assert_int_equal(list_count(&late), 1);
	assert_int_equal(gate_count(&g), 1);
}

static void
after_a_removal_the_next_deadline_is_found_again(void **state)
{
	struct list late;

	begin(8, 0);
	list_init(&late);
	w[0].deadline_us = 10;
	w[1].deadline_us = 50;
	push(0, GATE_NORMAL, 0);
	push(1, GATE_LOW, 0);
	gate_remove(&g, &w[0]);
	gate_verify(&g);
	assert_int_equal(gate_expire(&g, 20, &late), 0);
	assert_int_equal(gate_due_us(&g), 50);
	assert_int_equal(gate_expire(&g, 50, &late), 1);
	gate_verify(&g);
}

static void
the_longest_wait_is_known(void **state)
{
	begin(8, 0);
	push(0, GATE_LOW, 10);
	push(1, GATE_HIGH, 30);
	assert_int_equal(gate_oldest_us(&g, 100), 90);
	gate_remove(&g, &w[0]);
	assert_int_equal(gate_oldest_us(&g, 100), 70);
}

static unsigned dice = 1;

static unsigned
roll(unsigned n)
{
	dice = dice * 1103515245 + 12345;
	return (dice >> 16) % n;
}

/* One random call; gives by how many the gate grew. */
static int
random_step(int64_t now, struct list *late)
{
	unsigned i = roll(8), before = gate_count(&g);

	switch (roll(4)) {
	case 0:
	case 1:
		if (gate_waits(&w[i]))
			break;
		gate_waiter_init(&w[i], (enum gate_priority)roll(4),
				 roll(2) ? now + roll(500) : 0);
		assert_int_equal(gate_push(&g, &w[i], now),
				 before < 6 ? 0 : LUNATE_EPOOL);
		break;
	case 2:
		assert_int_equal(gate_pop(&g, now) != NULL, before > 0);
		break;
	default:
		gate_remove(&g, &w[i]);
		gate_expire(&g, now, late);
		while (!list_empty(late))
			list_remove(list_first(late));
	}
	return (int)gate_count(&g) - (int)before;
}

static bool
is_even(const struct gate_waiter *waiter, const void *arg)
{
	assert_ptr_equal(arg, &g);
	return (waiter - w) % 2 == 0;
}

static int
take(struct gate_walk *k)
{
	struct gate_waiter *next = gate_walk_take(k);

	gate_verify(&g);
	return next != NULL ? (int)(next - w) : -1;
}

static void
a_walk_takes_those_that_are_liked_and_leaves_the_order(void **state)
{
	struct gate_walk k = {.gate = &g,
			      .priority = GATE_NORMAL,
			      .left = 8,
			      .like = is_even,
			      .arg = &g};

	begin(8, 0);
	for (int i = 0; i < 6; i++)
		push(i, GATE_NORMAL, i);
	push(6, GATE_LOW, 6);
	for (int i = 0; i < 6; i += 2)
		assert_int_equal(take(&k), i);
	assert_int_equal(take(&k), -1);
	for (int i = 1; i < 6; i += 2)
		assert_int_equal(pop(9), i);
	assert_int_equal(pop(9), 6);
	gate_fini(&g);
}

static void
a_walk_looks_no_further_than_it_was_told(void **state)
{
	struct gate_walk k = {.gate = &g,
			      .priority = GATE_NORMAL,
			      .left = 2,
			      .like = is_even,
			      .arg = &g};

	begin(8, 0);
	push(1, GATE_NORMAL, 0);
	push(3, GATE_NORMAL, 0);
	push(4, GATE_NORMAL, 0);
	assert_int_equal(take(&k), -1);
	assert_int_equal(gate_count(&g), 3);
}

static void
ten_thousand_random_steps_break_no_rule(void **state)
{
	struct list late;
	int count = 0;

	begin(6, 1);
	list_init(&late);
	for (int64_t now = 1; now <= 10000; now++) {
		int waiting = 0;

		count += random_step(now * 10, &late);
		gate_verify(&g);
		for (int i = 0; i < 8; i++)
			waiting += gate_waits(&w[i]);
		assert_int_equal(waiting, count);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_gate_has_nobody),
		cmocka_unit_test(inside_a_lane_the_first_is_served_first),
		cmocka_unit_test(a_higher_lane_goes_before_an_earlier_arrival),
		cmocka_unit_test(without_aging_low_waits_for_ever),
		cmocka_unit_test(
			a_waiter_is_treated_one_lane_higher_after_age_ms),
		cmocka_unit_test(
			low_never_starves_under_a_stream_of_critical_work),
		cmocka_unit_test(aging_keeps_the_order_inside_a_lane),
		cmocka_unit_test(a_full_gate_refuses_and_changes_nothing),
		cmocka_unit_test(who_gives_up_is_gone_from_the_middle),
		cmocka_unit_test(a_popped_waiter_may_wait_again_at_the_end),
		cmocka_unit_test(
			waiting_twice_or_going_back_in_time_is_a_mistake),
		cmocka_unit_test(
			a_deadline_is_overdue_from_its_very_microsecond),
		cmocka_unit_test(only_the_overdue_go_and_the_rest_keep_order),
		cmocka_unit_test(an_overdue_waiter_is_not_counted_twice),
		cmocka_unit_test(
			after_a_removal_the_next_deadline_is_found_again),
		cmocka_unit_test(the_longest_wait_is_known),
		cmocka_unit_test(
			a_walk_takes_those_that_are_liked_and_leaves_the_order),
		cmocka_unit_test(a_walk_looks_no_further_than_it_was_told),
		cmocka_unit_test(ten_thousand_random_steps_break_no_rule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
