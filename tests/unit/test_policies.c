/* SPDX-License-Identifier: MIT
 *
 * Policy folders over time: what is in force after each edit.
 */
#include "policies.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy_rig.h"

static void
a_folder_is_in_force_when_it_is_open(void **state)
{
	save("isolation.lua", ONE);
	opens();
	assert_int_equal(tables(), 1);
	assert_int_equal(generation(), 2);
}

static void
a_folder_that_is_broken_does_not_open(void **state)
{
	struct err e;

	save("isolation.lua", "nonsense {}");
	assert_int_equal(try_open(&e), LUNATE_ECONFIG);
	assert_non_null(strstr(e.text, "isolation.lua:1"));
	assert_null(policies);
	assert_int_equal(generation(), 1);
}

static void
a_save_is_obeyed_without_being_told(void **state)
{
	save("isolation.lua", ONE);
	opens();
	save("isolation.lua", TWO);
	becomes(2);
}

static void
an_operation_keeps_its_generation(void **state)
{
	struct rules *old;
	uint64_t now;
	struct err e;

	save("isolation.lua", ONE);
	opens();
	old = rules_pin(&source);
	save("isolation.lua", TWO);
	assert_int_equal(policies_reload(policies, &now, &e), 0);
	assert_int_equal(tables(), 2);
	assert_int_equal(old->isolation.tables->ntables, 1);
	assert_string_equal(old->isolation.tables->tables[0].name, "a");
	rules_unpin(&old);
}

static void
what_is_broken_changes_nothing(void **state)
{
	uint64_t now;
	struct err e;
	json_t *all;

	save("isolation.lua", ONE);
	opens();
	save("isolation.lua", TWO "rows 'c' { bye = 'c' }");
	assert_int_equal(policies_reload(policies, &now, &e), LUNATE_ECONFIG);
	assert_int_equal(now, 2);
	assert_int_equal(tables(), 1);
	all = policies_json(policies);
	assert_non_null(
		strstr(json_string_value(json_object_get(all, "broken")),
		       "did you mean"));
	json_decref(all);
}

static void
a_folder_that_is_back_as_it_was_is_whole_and_no_news(void **state)
{
	uint64_t now;
	struct err e;
	json_t *all;

	save("isolation.lua", ONE);
	opens();
	save("isolation.lua", "broken");
	assert_int_equal(policies_reload(policies, &now, &e), LUNATE_ECONFIG);
	save("isolation.lua", ONE);
	assert_int_equal(policies_reload(policies, &now, &e), 0);
	assert_int_equal(now, 2);
	all = policies_json(policies);
	assert_true(json_is_null(json_object_get(all, "broken")));
	json_decref(all);
}

static void
earlier_texts_come_back_as_a_new_generation(void **state)
{
	uint64_t now;
	struct err e;

	save("isolation.lua", ONE);
	opens();
	save("isolation.lua", TWO);
	assert_int_equal(policies_reload(policies, &now, &e), 0);
	assert_int_equal(policies_use(policies, 2, &now, &e), 0);
	assert_int_equal(now, 4);
	assert_int_equal(tables(), 1);
	usleep(300000); /* the folder did not change: nothing happens */
	assert_int_equal(tables(), 1);
	assert_int_equal(policies_reload(policies, &now, &e), 0);
	assert_int_equal(tables(), 2);
	assert_int_equal(policies_use(policies, 99, &now, &e), LUNATE_EINVAL);
}

static void
what_stays_broken_is_closed_and_opens_again(void **state)
{
	max_stale_ms = 300;
	save("isolation.lua", ONE);
	opens();
	save("isolation.lua", "broken");
	becomes(-1);
	save("isolation.lua", ONE);
	becomes(1);
}

static void
no_isolation_file_is_closed(void **state)
{
	save("resilience.lua", "retry { cap = seconds(1) }");
	opens();
	assert_int_equal(tables(), -1);
	save("isolation.lua", ONE);
	becomes(1);
}

static void
what_is_not_held_is_not_promised(void **state)
{
	struct rules *r;
	struct err e;

	save("isolation.lua", "database { seal = true }");
	assert_int_equal(try_open(&e), LUNATE_ECONFIG);
	save("isolation.lua", "\naccept 'column-nulable' { why = 'x' }");
	assert_int_equal(try_open(&e), LUNATE_ECONFIG);
	assert_non_null(strstr(e.text, "isolation.lua:2"));
	assert_non_null(strstr(e.text, "did you mean \"column-nullable\"?"));
	save("isolation.lua", ONE); /* both, unless told */
	opens();
	r = rules_pin(&source);
	assert_int_equal(r->isolation.mode, ISOLATION_BOTH);
	rules_unpin(&r);
}

static void
many_generations_leave_the_last_ones(void **state)
{
	uint64_t now = 0;
	struct err e;
	json_t *all;

	save("isolation.lua", ONE);
	opens();
	for (int i = 0; i < 100; i++) {
		save("isolation.lua", i % 2 == 0 ? TWO : ONE);
		assert_int_equal(policies_reload(policies, &now, &e), 0);
	}
	assert_int_equal(now, generation());
	all = policies_json(policies);
	assert_int_equal(json_array_size(json_object_get(all, "history")),
			 POLICIES_HISTORY);
	json_decref(all);
}

/* A comparison, say, that lasts longer than whoever asked for it. */
static void *
work_long(void *arg)
{
	struct policies *p = arg;

	usleep(50000);
	json_decref(policies_json(p));
	policies_unpin(&p);
	return NULL;
}

static void
closing_waits_for_work_that_is_under_way(void **state)
{
	pthread_t thread;

	save("isolation.lua", ONE);
	opens();
	assert_int_equal(pthread_create(&thread, NULL, work_long,
					policies_pin(policies)),
			 0);
	policies_close(&policies);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_folder_is_in_force_when_it_is_open),
		T(a_folder_that_is_broken_does_not_open),
		T(a_save_is_obeyed_without_being_told),
		T(an_operation_keeps_its_generation),
		T(what_is_broken_changes_nothing),
		T(a_folder_that_is_back_as_it_was_is_whole_and_no_news),
		T(earlier_texts_come_back_as_a_new_generation),
		T(what_stays_broken_is_closed_and_opens_again),
		T(no_isolation_file_is_closed),
		T(what_is_not_held_is_not_promised),
		T(many_generations_leave_the_last_ones),
		T(closing_waits_for_work_that_is_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
