/* SPDX-License-Identifier: MIT
 *
 * Policy folders over time: what is in force after each edit.
 */
#include "policies.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "hook.h"
#include "loop.h"
#include "tenant.h"
#include "vocab.h"

#define TENANT "tenant { type = 'uuid' }\n"
#define ONE TENANT "rows 'a' { by = 'c' }\n"
#define TWO ONE "rows 'b' { by = 'c' }\n"

static char folder[64];
static struct rules_source source;
static struct log lg;
static struct events *events;
static struct policies *policies;
static int64_t max_stale_ms = 3600000;
static bool confirm;

static void
save(const char *name, const char *text)
{
	char path[128], next[160];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	snprintf(next, sizeof(next), "%s~", path);
	f = fopen(next, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(rename(next, path), 0);
}

static int
begin(void **state)
{
	strcpy(folder, "/tmp/lunate-policies-XXXXXX");
	log_init(&lg, LOG_AT_ERROR, LOG_TEXT, NULL);
	log_set_level(&lg, LOG_AT_ERROR);
	rules_source_init(&source, rules_new());
	events = events_new("test", 1, 10);
	return mkdtemp(folder) != NULL ? 0 : -1;
}

static int
end(void **state)
{
	char command[128];

	if (policies != NULL)
		policies_close(&policies);
	events_free(&events);
	rules_source_fini(&source);
	log_fini(&lg);
	max_stale_ms = 3600000;
	confirm = false;
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

static int
try_open(struct err *e)
{
	const struct policies_opts opts = {.folder = folder,
					   .schema = "s",
					   .max_stale_ms = max_stale_ms,
					   .confirm = confirm,
					   .rules = &source,
					   .log = &lg,
					   .events = events};

	return policies_open(&policies, &opts, e);
}

static void
opens(void)
{
	struct err e;

	if (try_open(&e) < 0)
		fail_msg("%s", e.text);
}

/* How many tables have a rule now; -1: closed. */
static int
tables(void)
{
	struct rules *r = rules_pin(&source);
	int n = r->isolation.state == ISOLATION_ON
			? (int)r->isolation.tables->ntables
			: -1;

	rules_unpin(&r);
	return n;
}

static uint64_t
generation(void)
{
	struct rules *r = rules_pin(&source);
	uint64_t id = r->id;

	rules_unpin(&r);
	return id;
}

static void
becomes(int n)
{
	for (int i = 0; i < 4000 && tables() != n; i++)
		usleep(5000);
	assert_int_equal(tables(), n);
}

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
		T(a_file_that_fails_gives_way_to_the_last_that_did_not),
		T(what_failed_comes_back_only_when_it_is_saved_again),
		T(without_a_version_that_holds_there_is_none),
		T(failures_of_earlier_generations_and_of_guards_change_nothing),
		T(workers_that_come_get_vms),
		T(what_may_allow_more_waits_to_be_accepted),
		T(what_takes_away_is_in_force_at_once),
		T(another_edit_lets_go_of_what_was_held),
		T(going_back_is_its_own_confirmation),
		T(many_generations_with_functions_leave_memory_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
