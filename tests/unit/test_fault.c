/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "fault.h"

static bool
point(void)
{
	return FAULT_POINT("test.point");
}

static void
nothing_fails_while_nothing_is_armed(void **state)
{
	fault_clear();
	for (int i = 0; i < 100; i++)
		assert_false(point());
	assert_int_equal(fault_visits("test.point"), 0);
}

static void
always_fails_always_until_disarmed(void **state)
{
	fault_clear();
	assert_int_equal(fault_arm("test.point", (struct fault_rule){0}, NULL),
			 0);
	assert_true(point());
	assert_true(point());
	assert_int_equal(fault_visits("test.point"), 2);
	assert_int_equal(fault_failures("test.point"), 2);
	fault_disarm("test.point");
	fault_disarm("test.point");
	assert_false(point());
}

static void
the_nth_visit_fails_once(void **state)
{
	fault_clear();
	assert_int_equal(fault_arm_text("test.point=nth:3", NULL), 0);
	for (int i = 1; i <= 10; i++)
		assert_int_equal(point(), i == 3);
	assert_int_equal(fault_visits("test.point"), 10);
	assert_int_equal(fault_failures("test.point"), 1);
	assert_int_equal(fault_arm_text("test.point=nth:1", NULL), 0);
	assert_int_equal(fault_visits("test.point"), 0);
	assert_true(point());
}

static void
other_points_go_on_while_one_is_armed(void **state)
{
	fault_clear();
	assert_int_equal(fault_arm_text("test.other=always", NULL), 0);
	assert_false(point());
	assert_true(FAULT_POINT("test.other"));
}

static void
the_same_seed_gives_the_same_failures(void **state)
{
	bool first[200];
	int n = 0, differ = 0;

	fault_clear();
	assert_int_equal(fault_arm_text("test.point=chance:0.3:7", NULL), 0);
	for (int i = 0; i < 200; i++)
		n += first[i] = point();
	assert_in_range(n, 30, 90);
	assert_int_equal(fault_arm_text("test.point=chance:0.3:7", NULL), 0);
	for (int i = 0; i < 200; i++)
		assert_int_equal(point(), first[i]);
	assert_int_equal(fault_arm_text("test.point=chance:0.3:8", NULL), 0);
	for (int i = 0; i < 200; i++)
		differ += point() != first[i];
	assert_true(differ > 0);
}

static void
a_chance_of_zero_never_fails_and_of_one_always(void **state)
{
	fault_clear();
	assert_int_equal(fault_arm_text("test.point=chance:0", NULL), 0);
	for (int i = 0; i < 100; i++)
		assert_false(point());
	assert_int_equal(fault_arm_text("test.point=chance:1", NULL), 0);
	for (int i = 0; i < 100; i++)
		assert_true(point());
}

static void
a_text_with_a_mistake_arms_nothing(void **state)
{
	static const char *const bad[] = {
		"test.point",
		"test.point=",
		"test.point=sometimes",
		"test.point=nth:0",
		"test.point=nth:",
		"test.point=nth:-1",
		"test.point=nth:3x",
		"test.point=chance:2",
		"test.point=chance:",
		"test.point=chance:0.5:",
		"=always",
		"test.point=always,x=bad",
	};
	struct err e;

	fault_clear();
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(fault_arm_text(bad[i], &e), LUNATE_EINVAL);
		assert_true(strlen(e.text) > 0);
		assert_false(point());
	}
}

static void
a_mistake_leaves_what_was_armed_before(void **state)
{
	fault_clear();
	assert_int_equal(fault_arm_text("test.point=always", NULL), 0);
	assert_int_equal(fault_arm_text("test.point=nth:9,x=bad", NULL),
			 LUNATE_EINVAL);
	assert_true(point());
}

static void
several_rules_in_one_text(void **state)
{
	fault_clear();
	assert_int_equal(fault_arm_text("a=nth:2,test.point=always", NULL), 0);
	assert_true(point());
	assert_false(FAULT_POINT("a"));
	assert_true(FAULT_POINT("a"));
	assert_int_equal(fault_arm_text("", NULL), 0);
	assert_true(point());
}

static void
a_full_table_refuses_and_long_names_too(void **state)
{
	char name[80];

	fault_clear();
	for (int i = 0; i < FAULT_MOST; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		assert_int_equal(fault_arm(name, (struct fault_rule){0}, NULL),
				 0);
	}
	assert_int_equal(fault_arm("more", (struct fault_rule){0}, NULL),
			 LUNATE_ETOOBIG);
	memset(name, 'n', sizeof(name));
	name[FAULT_NAME] = 0;
	assert_int_equal(fault_arm(name, (struct fault_rule){0}, NULL),
			 LUNATE_EINVAL);
	fault_clear();
	assert_int_equal(fault_armed, 0);
}

static void *
visit(void *arg)
{
	intptr_t n = 0;

	for (int i = 0; i < 1000; i++)
		n += point();
	return (void *)n;
}

static void
of_many_threads_exactly_one_gets_the_nth(void **state)
{
	intptr_t sum = 0;
	pthread_t t[3];
	void *n;

	fault_clear();
	assert_int_equal(fault_arm_text("test.point=nth:1500", NULL), 0);
	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, visit, NULL);
	for (int i = 0; i < 3; i++) {
		pthread_join(t[i], &n);
		sum += (intptr_t)n;
	}
	assert_int_equal(sum, 1);
	assert_int_equal(fault_visits("test.point"), 3000);
	fault_clear();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_fails_while_nothing_is_armed),
		cmocka_unit_test(always_fails_always_until_disarmed),
		cmocka_unit_test(the_nth_visit_fails_once),
		cmocka_unit_test(other_points_go_on_while_one_is_armed),
		cmocka_unit_test(the_same_seed_gives_the_same_failures),
		cmocka_unit_test(
			a_chance_of_zero_never_fails_and_of_one_always),
		cmocka_unit_test(a_text_with_a_mistake_arms_nothing),
		cmocka_unit_test(a_mistake_leaves_what_was_armed_before),
		cmocka_unit_test(several_rules_in_one_text),
		cmocka_unit_test(a_full_table_refuses_and_long_names_too),
		cmocka_unit_test(of_many_threads_exactly_one_gets_the_nth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
