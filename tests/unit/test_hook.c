/* SPDX-License-Identifier: MIT
 *
 * Functions of policy files: what they are told, and what they answer.
 */
#include "hook.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hook_rig.h"

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
	fails_with("return ctx.xyzzyx", LUNATE_EQUERY, "ctx has no such field");
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
