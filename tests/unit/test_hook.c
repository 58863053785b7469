/* SPDX-License-Identifier: MIT
 *
 * Functions of policy files: what they are told, what they answer, and how
 * those end that do not.
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

#include "decl.h"
#include "load.h"
#include "sandbox.h"
#include "texts.h"
#include "vocab.h"
#include "watchdog.h"

#define CLASS(body) "class 'read' { retries = function(ctx) " body " end }\n"

static struct watchdog *dog;
static struct rules *base, *rules;

static int
begin(void **state)
{
	struct err e;

	base = rules_new();
	return watchdog_new(&dog, &e);
}

static int
end(void **state)
{
	if (rules != NULL)
		rules_unpin(&rules);
	rules_unpin(&base);
	watchdog_free(&dog);
	return 0;
}

static int
load(const char *text, unsigned workers, struct err *e)
{
	const char *list[VOCAB_FILES] = {0};
	struct load_ask ask = {
		.base = base, .watchdog = dog, .workers = workers};
	int rc;

	if (rules != NULL)
		rules_unpin(&rules);
	list[vocab_file("resilience", 10) - vocab_files] = text;
	ask.texts = texts_of("policies", list);
	rc = load_rules(&ask, &rules, e);
	texts_unpin(&ask.texts);
	return rc;
}

static void
loads(const char *text)
{
	struct err e;

	if (load(text, 1, &e) < 0)
		fail_msg("%s", e.text);
}

static struct context *
nurse(void)
{
	static const char json[] =
		"{\"tenant\":\"t1\",\"user\":\"u1\",\"roles\":[\"nurse\","
		"\"night\"],\"ip\":\"10.0.0.1\"}";
	struct context *c;
	struct err e;

	assert_int_equal(context_new(json, strlen(json), &c, &e), 0);
	return c;
}

static int
ask_as(struct context *c, enum hook_type wants, struct hook_answer *out,
       struct err *e)
{
	static const char *const tables[] = {"public.visits", "public.items"};
	const struct hook_fact facts[] = {
		{.name = "attempt", .kind = HOOK_COUNT, .number = 2},
		{.name = "kind", .kind = HOOK_TEXT, .text = "select"},
		{.name = "nothing", .kind = HOOK_TEXT},
		{.name = "alone", .kind = HOOK_TRUTH, .number = 1},
		{.name = "tables", .kind = HOOK_TEXTS, .n = 2, .texts = tables},
	};
	const struct hook_ask ask = {
		.worker = 0,
		.function = 1,
		.wants = wants,
		.context = c,
		.nfacts = sizeof(facts) / sizeof(*facts),
		.facts = facts,
	};

	err_clear(e);
	return hooks_ask(rules->hooks, &ask, out, e);
}

static void
says_yes(const char *body)
{
	struct context *c = nurse();
	struct hook_answer a;
	struct err e;
	char text[2000];

	snprintf(text, sizeof(text),
		 "class 'read' { retries = "
		 "function(ctx) %s end }",
		 body);
	loads(text);
	if (ask_as(c, HOOK_BOOL, &a, &e) < 0)
		fail_msg("%s: %s", body, e.text);
	if (!a.yes)
		fail_msg("%s: no", body);
	context_unpin(&c);
}

static void
fails_with(const char *body, int code, const char *part)
{
	struct context *c = nurse();
	struct hook_answer a;
	struct err e;
	char text[2000];

	snprintf(text, sizeof(text),
		 "class 'read' { retries = "
		 "function(ctx) %s end }",
		 body);
	loads(text);
	assert_int_equal(ask_as(c, HOOK_BOOL, &a, &e), code);
	if (strstr(e.text, part) == NULL)
		fail_msg("%s: %s", body, e.text);
	if (strstr(e.text, "policies/resilience.lua:1: ") != e.text)
		fail_msg("%s: %s", body, e.text);
	context_unpin(&c);
}

/* ---- what it is told ---------------------------------------------------- */

static void
a_function_sees_who_asks_and_the_facts(void **state)
{
	says_yes("return ctx.user == 'u1' and ctx.tenant == 't1'");
	says_yes("return #ctx.tenants == 1 and ctx.tenants[1] == 't1'");
	says_yes("return ctx.roles[2] == 'night' and ctx.ip == '10.0.0.1'");
	says_yes("return ctx.device == nil and ctx.system == nil");
	says_yes("return ctx.attempt == 2 and ctx.kind == 'select'");
	says_yes("return ctx.nothing == nil and ctx.alone == true");
	says_yes("return ctx.tables[1] .. ctx.tables[2] == "
		 "'public.visitspublic.items'");
}

static void
without_a_context_nobody_asks(void **state)
{
	struct hook_answer a;
	struct err e;

	loads(CLASS("return ctx.user == nil and ctx.tenant == nil and "
		    "#ctx.roles == 0 and #ctx.tenants == 0"));
	assert_int_equal(ask_as(NULL, HOOK_BOOL, &a, &e), 0);
	assert_true(a.yes);
}

static void
what_it_is_told_cannot_be_changed(void **state)
{
	fails_with("ctx.user = 'x' return true", LUNATE_EQUERY, "read only");
	says_yes("ctx.roles[1] = 'admin' return ctx.roles[1] == 'nurse'");
	says_yes("return not pcall(function() ctx.user = 'x' end)");
	says_yes("return not pcall(pairs, ctx)");
}

static void
a_field_that_there_is_not_is_told(void **state)
{
	fails_with("return ctx.usr == nil", LUNATE_EQUERY,
		   "did you mean 'user'?");
	fails_with("return ctx.xyzzyx", LUNATE_EQUERY, "no 'xyzzyx'");
}

static void
an_answer_of_another_kind_is_a_failure(void **state)
{
	struct hook_answer a;
	struct err e;

	fails_with("return 1", LUNATE_EQUERY, "gave a number instead of true");
	fails_with("", LUNATE_EQUERY, "gave a nil instead");
	loads(CLASS("return ctx.attempt + 5"));
	assert_int_equal(ask_as(NULL, HOOK_NUMBER, &a, &e), 0);
	assert_true(a.number == 7);
	assert_int_equal(ask_as(NULL, HOOK_BOOL, &a, &e), LUNATE_EQUERY);
}

/* What it says of itself may be about who asks. */
static void
its_own_words_are_left_out(void **state)
{
	fails_with("error('user ' .. ctx.user)", LUNATE_EQUERY,
		   "raised an error");
	fails_with("return ctx.user.x.y", LUNATE_EQUERY, "attempt to index");
	fails_with("return unknown_name", LUNATE_EQUERY, "no 'unknown_name'");
	fails_with("error({})", LUNATE_EQUERY, "raised an error");
}

static void
a_decision_declares_and_keeps_nothing(void **state)
{
	fails_with("class 'write' {} return true", LUNATE_EQUERY, "declares");
	fails_with("counter = 1 return true", LUNATE_EQUERY, "local counter");
	says_yes("return minutes(5) ~= nil and ('x'):rep(2) == 'xx'");
}

static void
names_of_its_file_stay_of_use(void **state)
{
	struct hook_answer a;
	struct err e;

	loads("most = 3 local function twice(n) return 2 * n end\n" CLASS(
		"return twice(most)"));
	assert_int_equal(ask_as(NULL, HOOK_NUMBER, &a, &e), 0);
	assert_true(a.number == 6);
}

static void
a_condition_may_be_a_function(void **state)
{
	struct context *c = nurse();
	struct hook_who who = {.context = c, .now_s = 1000};
	enum expr_truth says;
	struct err e;

	loads(CLASS("return ctx.user == 'u1' and (ctx.now or 0) > 999"));
	who.hooks = rules->hooks;
	assert_int_equal(hook_expr(&who, 1, &says, &e), 0);
	assert_int_equal(says, EXPR_YES);
	who.now_s = EXPR_NO_CLOCK;
	assert_int_equal(hook_expr(&who, 1, &says, &e), 0);
	assert_int_equal(says, EXPR_NO);
	loads(CLASS("return nil"));
	who.hooks = rules->hooks;
	assert_int_equal(hook_expr(&who, 1, &says, &e), LUNATE_EQUERY);
	context_unpin(&c);
}

/* ---- numbers ------------------------------------------------------------ */

static void
functions_have_the_same_number_in_every_vm(void **state)
{
	struct hook_ask ask = {.wants = HOOK_NUMBER};
	struct hook_answer a;
	struct err e;
	char text[2000] = "";

	for (int i = 0; i < 3; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 "class '%s' { retries = function() return %d end }\n",
			 i == 0	  ? "read"
			 : i == 1 ? "write"
				  : "critical",
			 i);
	assert_int_equal(load(text, 4, &e), 0);
	assert_int_equal(hooks_count(rules->hooks), 4);
	for (ask.worker = 0; ask.worker < 9; ask.worker++)
		for (ask.function = 1; ask.function <= 3; ask.function++) {
			assert_int_equal(hooks_ask(rules->hooks, &ask, &a, &e),
					 0);
			assert_int_equal((int)a.number, (int)ask.function - 1);
		}
	assert_int_equal(rules->classes[RULES_WRITE].retries_by, 2);
	assert_string_equal(vocab_files[hooks_file(rules->hooks, 2)].name,
			    "resilience");
}

static void
files_without_functions_in_force_keep_no_vm(void **state)
{
	loads("class 'read' { retries = 3 }");
	assert_null(rules->hooks);
}

static void
a_file_that_reads_differently_again_is_refused(void **state)
{
	struct err e;

	/* The address of a table is another one in each VM. */
	assert_int_equal(
		load("retry { base = seconds(0.001 + "
		     "#tostring({}) * 0 + "
		     "tonumber(tostring({}):match('0x(%x+)'), 16) % 97 / 1000)"
		     "}\n" CLASS("return 1"),
		     64, &e),
		LUNATE_ECONFIG);
	assert_non_null(strstr(e.text, "something else"));
}

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
		loads(text);
		for (int k = 0; k < runs; k++) {
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

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_function_sees_who_asks_and_the_facts),
		T(without_a_context_nobody_asks),
		T(what_it_is_told_cannot_be_changed),
		T(a_field_that_there_is_not_is_told),
		T(an_answer_of_another_kind_is_a_failure),
		T(its_own_words_are_left_out),
		T(a_decision_declares_and_keeps_nothing),
		T(names_of_its_file_stay_of_use),
		T(a_condition_may_be_a_function),
		T(functions_have_the_same_number_in_every_vm),
		T(files_without_functions_in_force_keep_no_vm),
		T(a_file_that_reads_differently_again_is_refused),
		T(what_is_hostile_ends_and_changes_nothing),
		T(a_function_that_was_stopped_answers_the_next_time),
		T(who_had_no_processor_is_not_late),
		T(workers_ask_at_the_same_time),
		T(workers_that_come_later_get_vms),
		T(a_decision_is_had_soon),
		T(many_decisions_leave_no_memory_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
