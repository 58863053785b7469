/* SPDX-License-Identifier: MIT */
#include "task.h" /* before cmocka, which has a macro fail() */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <lualib.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "context.h"
#include "mem.h"

/* Something to wait for that the test finishes by hand. */
struct gate_wait {
	struct wait w;
	int cancels, pushes;
	bool deaf; /* a cancel does not end it at once */
	enum err_code code;
};

static lua_State *L;
static struct vm *vm;
static struct gate_wait waits[8];
static struct task *tasks[8];
static char trace[400];
static int depth; /* > 0: inside a call of the scheduler */

static void
note(const char *word)
{
	if (trace[0] != 0)
		strcat(trace, " ");
	strcat(trace, word);
}

/* What the wait gives: its number, or nil and the code. */
static int
push(struct wait *w, lua_State *to)
{
	struct gate_wait *g = CONTAINER_OF(w, struct gate_wait, w);

	g->pushes++;
	assert_true(w->finished);
	if (g->code != 0) {
		lua_pushnil(to);
		lua_pushstring(to, err_word(g->code));
		return 2;
	}
	lua_pushnumber(to, (double)(g - waits));
	return 1;
}

static void
cancel(struct wait *w, enum err_code code)
{
	struct gate_wait *g = CONTAINER_OF(w, struct gate_wait, w);

	g->cancels++;
	g->code = code;
	if (!g->deaf)
		wait_finish(w);
}

/* await(n) -> n | nil, word */
static int
lua_await(lua_State *from)
{
	struct gate_wait *g = &waits[luaL_checkint(from, 1)];

	wait_check(from);
	if (task_cancelled(vm)) {
		lua_pushnil(from);
		lua_pushliteral(from, "cancelled");
		return 2;
	}
	return wait_await(from, &g->w);
}

static int
lua_note(lua_State *from)
{
	assert_int_equal(depth, 0);
	note(luaL_checkstring(from, 1));
	return 0;
}

static int
lua_shield(lua_State *from)
{
	vm->cur->shield += luaL_checkint(from, 1);
	return 0;
}

/* open(n): from inside a task */
static int
lua_finish(lua_State *from)
{
	wait_finish(&waits[luaL_checkint(from, 1)].w);
	return 0;
}

static int
begin(void **state)
{
	(void)state;
	alarm(20);
	trace[0] = 0;
	L = luaL_newstate();
	luaL_openlibs(L);
	vm = vm_open(L, NULL);
	memset(waits, 0, sizeof(waits));
	for (int i = 0; i < 8; i++) {
		waits[i].w.vm = vm;
		waits[i].w.push = push;
		waits[i].w.cancel = cancel;
	}
	lua_register(L, "await", lua_await);
	lua_register(L, "note", lua_note);
	lua_register(L, "shield", lua_shield);
	lua_register(L, "finish", lua_finish);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	vm_close(vm);
	lua_close(L);
	alarm(0);
	return 0;
}

static void
spawn(int i, const char *code)
{
	if (luaL_loadstring(L, code) != 0)
		fail_msg("%s", lua_tostring(L, -1));
	depth++;
	tasks[i] = task_spawn(vm, L, 0);
	depth--;
	assert_int_equal(lua_gettop(L), 0);
}

static void
turn(void)
{
	loop_turn(vm->loop, 0);
}

/* Finishes a wait from outside; nobody is resumed inside. */
static void
finish(int i)
{
	depth++;
	wait_finish(&waits[i].w);
	depth--;
}

static void
this_lua_state_has_its_vm(void **state)
{
	lua_State *co = lua_newthread(L);

	assert_ptr_equal(vm_of(L), vm);
	assert_ptr_equal(vm_of(co), vm);
	lua_settop(L, 0);
}

static void
a_task_runs_from_the_loop_in_the_order_of_spawning(void **state)
{
	spawn(0, "note 'a'");
	spawn(1, "note 'b'");
	spawn(2, "note 'c'");
	assert_string_equal(trace, "");
	assert_int_equal(vm->live, 3);
	turn();
	assert_string_equal(trace, "a b c");
	assert_int_equal(vm->live, 0);
	assert_true(list_empty(&vm->tasks));
}

static void
a_task_takes_the_arguments_it_was_given(void **state)
{
	assert_int_equal(luaL_dostring(L, "return function(a, b) note(a .. b) "
					  "end, 'x', 'y'"),
			 0);
	task_spawn(vm, L, 2);
	turn();
	assert_string_equal(trace, "xy");
}

static void
an_answer_resumes_from_the_loop_and_not_inside(void **state)
{
	spawn(0, "note('got ' .. await(3))");
	turn();
	assert_int_equal(vm->live, 1);
	finish(3);
	assert_string_equal(trace, "");
	turn();
	assert_string_equal(trace, "got 3");
	assert_int_equal(waits[3].pushes, 1);
}

static void
an_answer_that_was_there_before_the_await_is_taken(void **state)
{
	finish(2);
	spawn(0, "note('got ' .. await(2))");
	turn();
	turn();
	assert_string_equal(trace, "got 2");
}

static void
others_run_while_one_waits(void **state)
{
	spawn(0, "note 'a' await(0) note 'a2'");
	spawn(1, "note 'b' finish(0) note 'b2'");
	turn();
	turn();
	assert_string_equal(trace, "a b b2 a2");
}

static void
a_plain_yield_lets_the_others_run(void **state)
{
	spawn(0, "note 'a' coroutine.yield('x') note 'a2'");
	spawn(1, "note 'b'");
	vm_run(vm);
	assert_string_equal(trace, "a b a2");
}

static void
an_await_inside_pcall_and_a_metamethod_works(void **state)
{
	spawn(0, "local t = setmetatable({}, { __index = function(_, k) "
		 "return await(k) end }) "
		 "note(tostring(select(2, pcall(function() return t[1] end))))"
		 "note(tostring(t[2]))");
	turn();
	finish(1);
	turn();
	finish(2);
	turn();
	assert_string_equal(trace, "1 2");
}

static void
where_lua_cannot_be_suspended_it_says_what_to_do(void **state)
{
	spawn(0, "local ok, why = pcall(table.sort, { 1, 2 }, function() "
		 "return await(0) end) "
		 "note(ok and 'sorted' or why:match('table.sort'))"
		 "local ok, why = pcall(string.gsub, 'x', '.', function() "
		 "await(0) end) note(ok and 'done' or why:match('gsub'))");
	turn();
	assert_string_equal(trace, "table.sort gsub");
	assert_int_equal(vm->live, 0);
}

static void
outside_of_a_task_a_wait_runs_the_loop(void **state)
{
	spawn(0, "note 'task' finish(4)");
	assert_int_equal(luaL_dostring(L, "note('main ' .. await(4))"), 0);
	assert_string_equal(trace, "task main 4");
}

static void
a_cancelled_task_ends_its_wait_and_stays_cancelled(void **state)
{
	spawn(0, "local v, w = await(0) note(w) "
		 "local v, w = await(1) note(w) "
		 "local v, w = await(2) note(w)");
	turn();
	depth++;
	task_cancel(tasks[0]);
	task_cancel(tasks[0]);
	depth--;
	assert_int_equal(waits[0].cancels, 1);
	assert_string_equal(trace, "");
	turn();
	assert_string_equal(trace, "cancelled cancelled cancelled");
	assert_int_equal(waits[1].cancels, 0);
	assert_int_equal(vm->live, 0);
}

static void
a_task_cancelled_before_it_began_still_runs(void **state)
{
	spawn(0, "note 'began' local v, w = await(0) note(w)");
	task_cancel(tasks[0]);
	turn();
	assert_string_equal(trace, "began cancelled");
}

static void
a_wait_that_ends_slowly_is_waited_for_after_a_cancel(void **state)
{
	waits[0].deaf = true;
	spawn(0, "local v, w = await(0) note(w)");
	turn();
	task_cancel(tasks[0]);
	turn();
	assert_string_equal(trace, "");
	finish(0);
	turn();
	assert_string_equal(trace, "cancelled");
	assert_int_equal(waits[0].cancels, 1);
}

static void
a_shielded_task_may_wait_in_peace(void **state)
{
	spawn(0, "shield(1) note('got ' .. await(0)) shield(-1) "
		 "local v, w = await(1) note(w)");
	turn();
	task_cancel(tasks[0]);
	assert_int_equal(waits[0].cancels, 0);
	finish(0);
	turn();
	assert_string_equal(trace, "got 0 cancelled");
}

static struct context *
context_of(const char *json)
{
	struct context *c;
	struct err e;

	assert_int_equal(context_new(json, strlen(json), &c, &e), 0);
	return c;
}

static void
a_child_inherits_deadline_context_and_cancellation(void **state)
{
	struct task *child;

	vm->deadline_us = 12345;
	vm->context = context_of("{\"tenant\":\"clinic 7\"}");
	spawn(0, "await(0)");
	assert_int_equal(tasks[0]->deadline_us, 12345);
	assert_ptr_equal(tasks[0]->context, vm->context);
	assert_int_equal(vm->context->refs, 2);
	vm->cur = tasks[0];
	tasks[0]->deadline_us = 99;
	tasks[0]->cancelled = true;
	assert_int_equal(task_deadline(vm), 99);
	assert_true(task_cancelled(vm));
	assert_int_equal(luaL_loadstring(L, "local v, w = await(1) note(w)"),
			 0);
	child = task_spawn(vm, L, 0);
	vm->cur = NULL;
	assert_int_equal(child->deadline_us, 99);
	assert_true(child->cancelled);
	assert_int_equal(task_deadline(vm), 12345);
	assert_ptr_equal(task_context(vm), vm->context);
	turn();
	assert_string_equal(trace, "cancelled");
}

static void
a_handle_hears_that_its_task_is_over(void **state)
{
	int over = 0;

	spawn(0, "await(0)");
	tasks[0]->handle = &over;
	turn();
	assert_int_equal(over, 0);
	finish(0);
	turn();
	assert_int_equal(over, 1);
}

static void
a_thousand_tasks_come_and_go(void **state)
{
	for (int i = 0; i < 1000; i++)
		spawn(i % 8, "for i = 1, 3 do coroutine.yield() end");
	assert_int_equal(vm->live, 1000);
	vm_run(vm);
	assert_int_equal(vm->live, 0);
	lua_gc(L, LUA_GCCOLLECT, 0);
	assert_true(lua_gc(L, LUA_GCCOUNT, 0) < 2000);
}

static void
a_vm_with_waiting_tasks_may_be_closed(void **state)
{
	spawn(0, "await(0)");
	spawn(1, "note 'never'");
	spawn(2, "await(2)");
	tasks[2]->context = context_of("{}");
	assert_int_equal(vm->live, 3);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(this_lua_state_has_its_vm),
		T(a_task_runs_from_the_loop_in_the_order_of_spawning),
		T(a_task_takes_the_arguments_it_was_given),
		T(an_answer_resumes_from_the_loop_and_not_inside),
		T(an_answer_that_was_there_before_the_await_is_taken),
		T(others_run_while_one_waits),
		T(a_plain_yield_lets_the_others_run),
		T(an_await_inside_pcall_and_a_metamethod_works),
		T(where_lua_cannot_be_suspended_it_says_what_to_do),
		T(outside_of_a_task_a_wait_runs_the_loop),
		T(a_cancelled_task_ends_its_wait_and_stays_cancelled),
		T(a_task_cancelled_before_it_began_still_runs),
		T(a_wait_that_ends_slowly_is_waited_for_after_a_cancel),
		T(a_shielded_task_may_wait_in_peace),
		T(a_child_inherits_deadline_context_and_cancellation),
		T(a_handle_hears_that_its_task_is_over),
		T(a_thousand_tasks_come_and_go),
		T(a_vm_with_waiting_tasks_may_be_closed),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
