/* SPDX-License-Identifier: MIT
 *
 * Functions of policy files: how those end that do not, and many at a time.
 */
#include "hook.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "hook_rig.h"

/* ---- what does not end -------------------------------------------------- */

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static const struct hostile {
	const char *name, *body;
	const char *ends; /* what it is said to have done, if time allows */
} hostiles[] = {
	{"endless loop", "while true do end", "too long"},
	{"loop inside of pcall",
	 "while true do pcall(function() while true do end end) end",
	 "too long"},
	{"pcall that calls itself",
	 "local function f() return pcall(f) end while true do f() end",
	 "too long"},
	{"xpcall with a handler that does not end",
	 "while true do xpcall(error, function() while true do end end) end",
	 "too long"},
	{"sort with an order that does not end",
	 "table.sort({3, 2, 1}, function() while true do end end)", "too long"},
	{"string of 1 GB", "return ('x'):rep(1e9)", "raised an error"},
	{"string that doubles", "local s = 'x' while true do s = s .. s end",
	 "memory"},
	{"table without end", "local t = {} for i = 1, 1e9 do t[i] = {} end",
	 "memory"},
	{"pathological pattern",
	 "return ('a'):rep(28):find(('a?'):rep(28) .. ('a'):rep(28))",
	 "raised an error"},
	{"patterns in a loop",
	 "while true do pcall(string.find, ('a'):rep(28), ('a?'):rep(28) .. "
	 "('a'):rep(28)) end",
	 "too long"},
	{"string metatable", "getmetatable('').__index = nil return true",
	 "getmetatable"},
	{"string library",
	 "string.rep = nil string.find = nil table.concat = nil return 0",
	 "gave a number"},
	{"coroutine",
	 "return coroutine.wrap(function() while true do end "
	 "end)()",
	 "coroutine"},
	{"bytecode", "return loadstring('\\27LJ\\2')()", "loadstring"},
	{"environment", "setfenv(1, {}) return true", "setfenv"},
	{"recursion", "local function f() return 1 + f() end return f()",
	 "stack overflow"},
};

#define NHOSTILE (sizeof(hostiles) / sizeof(*hostiles))

/* How long it took to end, in us. */
static int64_t
attack(const struct hostile *h, struct context *c)
{
	struct hook_answer a;
	struct err e;
	int64_t began = now_us();

	if (ask_as(c, HOOK_BOOL, &a, &e) == 0)
		fail_msg("%s: it was obeyed", h->name);
	began = now_us() - began;
	if (strstr(e.text, h->ends) == NULL &&
	    strstr(e.text, "too long") == NULL)
		fail_msg("%s: %s (%d)", h->name, e.text, e.code);
	return began;
}

/* Another generation, loaded before, answers as it did. */
static void
is_untouched(struct hooks *other)
{
	struct hook_ask ask = {.function = 1, .wants = HOOK_BOOL};
	struct hook_answer a;
	struct err e;

	if (hooks_ask(other, &ask, &a, &e) < 0)
		fail_msg("%s", e.text);
	assert_true(a.yes);
}

static void
what_is_hostile_ends_and_changes_nothing(void **state)
{
	int runs = getenv("LUNATE_PROVE") != NULL ? 200 : 3;
	struct context *c = nurse();
	struct rules *good;
	char text[2000];

	loads(CLASS("return ('ab'):rep(2) == 'abab' and "
		    "table.concat({1, 2}) == '12' and "
		    "('x1'):find('%d') == 2"));
	good = rules;
	rules = NULL;
	for (size_t i = 0; i < NHOSTILE; i++) {
		int64_t most = 0, took;

		snprintf(text, sizeof(text),
			 "class 'read' { retries = "
			 "function(ctx) %s end }",
			 hostiles[i].body);
		for (int k = 0; k < runs; k++) {
			loads(text);
			took = attack(&hostiles[i], c);
			most = took > most ? took : most;
			is_untouched(good->hooks);
		}
		if (runs > 3)
			printf("HOSTILE %-42s %8.2f ms  most of %d\n",
			       hostiles[i].name, (double)most / 1000, runs);
	}
	rules_unpin(&good);
	context_unpin(&c);
}

static void
a_function_that_was_stopped_answers_the_next_time(void **state)
{
	struct hook_answer a;
	struct err e;

	loads("local first = true\n" CLASS(
		"if first then first = false while true do end end return 4"));
	assert_int_equal(ask_as(NULL, HOOK_NUMBER, &a, &e), LUNATE_EDEADLINE);
	assert_int_equal(ask_as(NULL, HOOK_NUMBER, &a, &e), 0);
	assert_true(a.number == 4);
}

/* How it fails, as a text. */
static const char *
failure(void)
{
	static struct err e;
	struct hook_answer a;

	assert_int_equal(ask_as(NULL, HOOK_NUMBER, &a, &e), LUNATE_EDEADLINE);
	return e.text;
}

static void
a_function_that_never_ends_rests_between(void **state)
{
	bool again = false;

	loads(CLASS("while true do end"));
	for (int i = 0; i < HOOK_STOPS; i++)
		assert_non_null(strstr(failure(), "was stopped"));
	assert_string_equal(failure(),
			    "policies/resilience.lua:1: took too long again "
			    "and again; it rests");
	for (int i = 0; i < 4000 && !again; i++) {
		again = strstr(failure(), "was stopped") != NULL;
		usleep(5000);
	}
	assert_true(again);
}

static int
pause_it(lua_State *L)
{
	usleep(60000);
	return 0;
}

/* A machine that is busy takes a thread its processor: not its fault. */
static void
who_had_no_processor_is_not_late(void **state)
{
	struct sandbox *box;
	const struct sandbox_opts opts = {.limit_us = 5000, .watchdog = dog};
	struct err e;

	assert_int_equal(sandbox_new(&box, &opts, &e), 0);
	lua_pushcfunction(sandbox_lua(box), pause_it);
	assert_int_equal(sandbox_call(box, 0, 0, &e), 0);
	sandbox_free(&box);
}

/* ---- many --------------------------------------------------------------- */

struct asker {
	int worker;
	unsigned answers;
};

static void *
ask_often(void *arg)
{
	struct asker *who = arg;
	const struct hook_ask ask = {
		.worker = who->worker, .function = 1, .wants = HOOK_NUMBER};
	struct hook_answer a;
	struct err e;

	for (int i = 0; i < 2000; i++)
		who->answers += hooks_ask(rules->hooks, &ask, &a, &e) == 0 &&
				a.number == 5;
	return NULL;
}

static void
workers_ask_at_the_same_time(void **state)
{
	pthread_t threads[4];
	struct asker who[4] = {{0}};
	struct err e;

	assert_int_equal(load(CLASS("return 5"), 3, &e), 0);
	for (int i = 0; i < 4; i++) {
		who[i].worker = i;
		pthread_create(&threads[i], NULL, ask_often, &who[i]);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(who[i].answers, 2000);
	}
}

static void
workers_that_come_later_get_vms(void **state)
{
	struct load_ask ask = {.watchdog = dog, .workers = 5};
	struct err e;

	loads(CLASS("return 5"));
	assert_int_equal(hooks_count(rules->hooks), 1);
	ask.texts = rules->texts;
	assert_int_equal(load_more(rules, &ask, &e), 0);
	assert_int_equal(hooks_count(rules->hooks), 5);
}

static void
many_decisions_leave_no_memory_behind(void **state)
{
	struct context *c = nurse();
	struct hook_answer a;
	struct err e;
	size_t before;

	loads(CLASS("local t = {} for i = 1, 100 do t[i] = ctx.user .. i end "
		    "return #t == 100"));
	for (int i = 0; i < 2000; i++)
		assert_int_equal(ask_as(c, HOOK_BOOL, &a, &e), 0);
	before = hooks_bytes(rules->hooks);
	for (int i = 0; i < 20000; i++)
		assert_int_equal(ask_as(c, HOOK_BOOL, &a, &e), 0);
	assert_true(hooks_bytes(rules->hooks) < 2 * before + 100000);
	context_unpin(&c);
}

/* What a decision costs that looks at two fields. */
static void
a_decision_is_had_soon(void **state)
{
	int n = getenv("LUNATE_PROVE") != NULL ? 1000000 : 1000;
	struct context *c = nurse();
	struct hook_answer a;
	struct err e;
	int64_t began;

	loads(CLASS("return ctx.user == 'u1' and ctx.attempt > 1"));
	began = now_us();
	for (int i = 0; i < n; i++)
		assert_int_equal(ask_as(c, HOOK_BOOL, &a, &e), 0);
	began = now_us() - began;
	assert_true(a.yes);
	if (n > 1000)
		printf("DECISION %.0f ns\n", (double)began * 1e3 / n);
	context_unpin(&c);
}

/* A name that the function made up of a value. */
static void
a_field_that_is_not_there_is_not_told_by_its_name(void **state)
{
	struct context *c = nurse();
	struct hook_answer a;
	struct err e;

	loads(CLASS("return ctx[ctx.ip]"));
	assert_true(ask_as(c, HOOK_BOOL, &a, &e) < 0);
	assert_null(strstr(e.text, "10.0.0.1"));
	assert_non_null(strstr(e.text, "no such field"));
	context_unpin(&c);
	fails_with("return ctx.usr", LUNATE_EQUERY, "did you mean 'user'?");
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_is_hostile_ends_and_changes_nothing),
		T(a_function_that_was_stopped_answers_the_next_time),
		T(a_function_that_never_ends_rests_between),
		T(who_had_no_processor_is_not_late),
		T(workers_ask_at_the_same_time),
		T(workers_that_come_later_get_vms),
		T(a_decision_is_had_soon),
		T(many_decisions_leave_no_memory_behind),
		T(a_field_that_is_not_there_is_not_told_by_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
