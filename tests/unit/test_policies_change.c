/* SPDX-License-Identifier: MIT
 *
 * Policies beyond what is saved: files whose functions fail give way, what may
 * allow more waits, workers get VMs, and generations leave nothing behind.
 */
#include "policies.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "hook.h"
#include "policy_rig.h"
#include "vocab.h"

/* ---- files whose functions fail ------------------------------------------ */

#define RETRIES(n) "class 'write' { retries = " #n " }\n"
#define FUNCTION(n) "class 'write' { retries = function() return " #n " end }\n"

static unsigned
place(const char *name)
{
	return (unsigned)(vocab_file(name, strlen(name)) - vocab_files);
}

/* What its generation says of writes: a number, or a function. */
static int
retries(void)
{
	struct rules *r = rules_pin(&source);
	int n = r->classes[RULES_WRITE].retries_by != 0
			? -1
			: r->classes[RULES_WRITE].retries;

	rules_unpin(&r);
	return n;
}

static void
retries_become(int n)
{
	for (int i = 0; i < 4000 && retries() != n; i++)
		usleep(5000);
	assert_int_equal(retries(), n);
}

static void
fails(const char *name, int times)
{
	uint64_t now = generation();

	for (int i = 0; i < times; i++)
		policies_failed(policies, now, place(name));
}

/* Of the generation in force: why it is. */
static void
is_because(const char *why)
{
	json_t *all = policies_json(policies),
	       *list = json_object_get(all, "history"),
	       *last = json_array_get(list, json_array_size(list) - 1);

	assert_string_equal(json_string_value(json_object_get(last, "why")),
			    why);
	json_decref(all);
}

static void
saves_and_reloads(const char *name, const char *text)
{
	uint64_t now;
	struct err e;

	save(name, text);
	if (policies_reload(policies, &now, &e) < 0)
		fail_msg("%s", e.text);
}

static void
a_file_that_fails_gives_way_to_the_last_that_did_not(void **state)
{
	save("isolation.lua", ONE);
	save("resilience.lua", RETRIES(7));
	opens();
	saves_and_reloads("resilience.lua", FUNCTION(3));
	saves_and_reloads("isolation.lua", TWO);
	fails("resilience", 4);
	usleep(50000);
	assert_int_equal(retries(), -1);
	fails("resilience", 1);
	retries_become(7);
	assert_int_equal(tables(), 2); /* guards stay as they are */
	is_because("resilience.lua failed; that of 2");
}

static void
what_failed_comes_back_only_when_it_is_saved_again(void **state)
{
	save("isolation.lua", ONE);
	save("resilience.lua", RETRIES(7));
	opens();
	saves_and_reloads("resilience.lua", FUNCTION(3));
	fails("resilience", 5);
	retries_become(7);
	saves_and_reloads("isolation.lua", TWO);
	assert_int_equal(tables(), 2);
	assert_int_equal(retries(), 7);
	saves_and_reloads("resilience.lua", RETRIES(4));
	assert_int_equal(retries(), 4);
	saves_and_reloads("resilience.lua", FUNCTION(3)); /* on purpose */
	assert_int_equal(retries(), -1);
}

static void
without_a_version_that_holds_there_is_none(void **state)
{
	save("isolation.lua", ONE);
	save("resilience.lua", FUNCTION(1));
	opens();
	saves_and_reloads("resilience.lua", FUNCTION(2));
	fails("resilience", 5);
	for (int i = 0; i < 4000 && generation() != 4; i++)
		usleep(5000);
	is_because("resilience.lua failed; that of 2");
	assert_int_equal(retries(), -1);
	fails("resilience", 5);
	retries_become(1); /* what is compiled in */
	is_because("resilience.lua failed; none");
}

static void
failures_of_earlier_generations_and_of_guards_change_nothing(void **state)
{
	uint64_t before;

	save("isolation.lua", ONE);
	save("resilience.lua", FUNCTION(1));
	opens();
	before = generation();
	saves_and_reloads("resilience.lua", FUNCTION(2));
	for (int i = 0; i < 20; i++)
		policies_failed(policies, before, place("resilience"));
	for (int i = 0; i < 20; i++)
		policies_failed(policies, before + 1, place("isolation"));
	usleep(100000);
	assert_int_equal(generation(), before + 1);
}

static void
workers_that_come_get_vms(void **state)
{
	struct rules *r;

	save("isolation.lua", ONE);
	save("resilience.lua", FUNCTION(1));
	opens();
	r = rules_pin(&source);
	assert_int_equal(hooks_count(r->hooks), 1);
	policies_workers(policies, 3);
	for (int i = 0; i < 4000 && hooks_count(r->hooks) != 3; i++)
		usleep(5000);
	assert_int_equal(hooks_count(r->hooks), 3);
	rules_unpin(&r);
	saves_and_reloads("resilience.lua", FUNCTION(2));
	r = rules_pin(&source);
	assert_int_equal(hooks_count(r->hooks), 3);
	rules_unpin(&r);
}

static long
resident_kb(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long total = 0, resident = 0;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%ld %ld", &total, &resident), 2);
	fclose(f);
	return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

/* ---- what waits to be accepted ------------------------------------------- */

static void
what_may_allow_more_waits_to_be_accepted(void **state)
{
	uint64_t now;
	struct err e;

	confirm = true;
	save("isolation.lua", ONE);
	opens();
	saves_and_reloads("isolation.lua", TWO);
	assert_int_equal(tables(), 1);
	assert_int_equal(policies_held(policies), 1);
	assert_int_equal(policies_accept(policies, 2, &now, &e), LUNATE_EINVAL);
	assert_int_equal(now, 2);
	assert_int_equal(policies_accept(policies, 1, &now, &e), 0);
	assert_int_equal(now, 3);
	assert_int_equal(tables(), 2);
	assert_int_equal(policies_held(policies), 0);
	is_because("accepted 1");
	assert_int_equal(policies_accept(policies, 1, &now, &e), LUNATE_EINVAL);
}

static void
what_takes_away_is_in_force_at_once(void **state)
{
	confirm = true;
	save("isolation.lua", TWO);
	opens();
	saves_and_reloads("isolation.lua", ONE);
	assert_int_equal(tables(), 1);
	assert_int_equal(policies_held(policies), 0);
	saves_and_reloads("resilience.lua", RETRIES(4)); /* no guard */
	assert_int_equal(retries(), 4);
}

static void
another_edit_lets_go_of_what_was_held(void **state)
{
	uint64_t now;
	struct err e;

	confirm = true;
	save("isolation.lua", ONE);
	opens();
	saves_and_reloads("isolation.lua", TWO);
	assert_int_equal(policies_held(policies), 1);
	saves_and_reloads("isolation.lua", TWO "rows 'd' { by = 'c' }");
	assert_int_equal(policies_held(policies), 2);
	saves_and_reloads("isolation.lua", ONE);
	assert_int_equal(policies_held(policies), 0);
	saves_and_reloads("isolation.lua", TWO);
	assert_int_equal(policies_held(policies), 3);
	save("isolation.lua", "broken");
	assert_int_equal(policies_reload(policies, &now, &e), LUNATE_ECONFIG);
	assert_int_equal(policies_held(policies), 0);
	assert_int_equal(tables(), 1);
}

static void
closed_tables_are_compared_with_what_was_before(void **state)
{
	confirm = true;
	max_stale_ms = 300;
	save("isolation.lua", TWO);
	opens();
	save("isolation.lua", "broken");
	becomes(-1);
	save("isolation.lua", ONE); /* less than before */
	becomes(1);
	save("isolation.lua", "broken");
	becomes(-1);
	saves_and_reloads("isolation.lua", TWO);
	assert_int_equal(policies_held(policies), 1);
	assert_int_equal(tables(), -1);
}

static void
going_back_is_its_own_confirmation(void **state)
{
	uint64_t now;
	struct err e;

	confirm = true;
	save("isolation.lua", TWO);
	opens();
	saves_and_reloads("isolation.lua", ONE);
	assert_int_equal(policies_use(policies, 2, &now, &e), 0);
	assert_int_equal(tables(), 2);
}

/* As often as may be asked for: LUNATE_PROVE. */
static void
many_generations_with_functions_leave_memory_as_it_was(void **state)
{
	int n = getenv("LUNATE_PROVE") != NULL ? 10000 : 300;
	uint64_t now = 0;
	long before = 0, grown;
	struct err e;

	save("isolation.lua", ONE);
	save("resilience.lua", FUNCTION(1));
	opens();
	policies_workers(policies, 2);
	for (int i = 0; i < n; i++) {
		if (i == n / 5)
			before = resident_kb();
		save("resilience.lua", i % 2 == 0 ? FUNCTION(2) : FUNCTION(3));
		assert_int_equal(policies_reload(policies, &now, &e), 0);
	}
	grown = resident_kb() - before;
	if (n > 300)
		printf("GENERATIONS %d with functions in 2 VMs each: %ld KiB "
		       "grown\n",
		       n, grown);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	assert_true(grown < 2048);
#endif
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_file_that_fails_gives_way_to_the_last_that_did_not),
		T(what_failed_comes_back_only_when_it_is_saved_again),
		T(without_a_version_that_holds_there_is_none),
		T(failures_of_earlier_generations_and_of_guards_change_nothing),
		T(workers_that_come_get_vms),
		T(what_may_allow_more_waits_to_be_accepted),
		T(what_takes_away_is_in_force_at_once),
		T(another_edit_lets_go_of_what_was_held),
		T(closed_tables_are_compared_with_what_was_before),
		T(going_back_is_its_own_confirmation),
		T(many_generations_with_functions_leave_memory_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
