/* SPDX-License-Identifier: MIT */
#include "task.h"

#include <string.h>

#include "context.h"
#include "mem.h"
#include "refusal.h"

static char vm_key;	/* registry: struct vm */
static char errors_key; /* registry: function that makes an error value */
static char token;	/* what an await in a user's coroutine yields */

/* ---- the VM ------------------------------------------------------------ */

struct vm *
vm_of(lua_State *L)
{
	struct vm *vm;

	lua_pushlightuserdata(L, &vm_key);
	lua_rawget(L, LUA_REGISTRYINDEX); /* vm */
	vm = lua_touserdata(L, -1);
	lua_pop(L, 1);
	if (vm != NULL)
		OBJ_CHECK(vm, VM_MAGIC);
	return vm;
}

struct vm *
vm_open(lua_State *L, struct loop *loop)
{
	struct vm *vm = mem_new(sizeof(*vm));

	OBJ_INIT(vm, VM_MAGIC);
	/* A thread of our own: L may be a coroutine that ends before us. */
	vm->L = lua_newthread(L);
	luaL_ref(L, LUA_REGISTRYINDEX);
	vm->own_loop = loop == NULL;
	vm->loop = loop != NULL ? loop : loop_new();
	list_init(&vm->tasks);
	list_init(&vm->dbs);
	lua_pushlightuserdata(L, &vm_key);
	lua_pushlightuserdata(L, vm);
	lua_rawset(L, LUA_REGISTRYINDEX);
	return vm;
}

static void
free_task(struct task *t)
{
	if (t->handle != NULL)
		*t->handle = 1;
	list_remove(&t->link);
	loop_undefer(&t->job);
	context_unpin(&t->context);
	OBJ_FINI(t);
	mem_free(t);
}

/* A wait is freed by taking its answer, also when nobody reads it. */
static void
end_wait(struct vm *vm, struct wait *w)
{
	if (w != NULL && !w->finished)
		w->cancel(w, LUNATE_ECANCELLED);
	if (w == NULL || !w->finished)
		return;
	lua_settop(vm->L, 0);
	(void)w->push(w, vm->L);
	lua_settop(vm->L, 0);
}

void
vm_close(struct vm *vm)
{
	OBJ_CHECK(vm, VM_MAGIC);
	LIST_EACH_SAFE (link, &vm->tasks) {
		struct task *t = LIST_ENTRY(link, struct task, link);

		end_wait(vm, t->wait);
		free_task(t);
	}
	if (vm->own_loop)
		loop_free(&vm->loop);
	context_unpin(&vm->context);
	spare_fini(&vm->calls);
	OBJ_FINI(vm);
	mem_free(vm);
}

/* ---- errors as values -------------------------------------------------- */

void
push_err(lua_State *L, const struct err *e)
{
	lua_pushlightuserdata(L, &errors_key);
	lua_rawget(L, LUA_REGISTRYINDEX); /* make */
	lua_pushstring(L, err_word(e->code));
	lua_pushstring(L, e->text);
	lua_createtable(L, 0, 5); /* make code text more */
	lua_pushstring(L, e->sqlstate);
	lua_setfield(L, -2, "sqlstate");
	lua_pushboolean(L, err_retryable(e->code));
	lua_setfield(L, -2, "retryable");
	lua_pushstring(L, e->constraint);
	lua_setfield(L, -2, "constraint");
	lua_pushinteger(L, e->position);
	lua_setfield(L, -2, "position");
	if (e->code == LUNATE_EDENIED && refusal_of(e) != REFUSALS_N) {
		lua_pushstring(L, refusal_word(refusal_of(e)));
		lua_setfield(L, -2, "reason");
	}
	lua_call(L, 3, 1); /* err */
}

int
fail(lua_State *L, const struct err *e)
{
	lua_pushnil(L);
	push_err(L, e);
	return 2;
}

int
fail_code(lua_State *L, enum err_code code, const char *text)
{
	struct err e;

	err_set(&e, code, "%s", text);
	return fail(L, &e);
}

/* core.set_error_maker(fn) */
int task_set_error_maker(lua_State *L);
int
task_set_error_maker(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TFUNCTION);
	lua_pushlightuserdata(L, &errors_key);
	lua_pushvalue(L, 1);
	lua_rawset(L, LUA_REGISTRYINDEX);
	return 0;
}

/* core.token: what a wrapped coroutine.resume looks for */
int task_push_token(lua_State *L);
int
task_push_token(lua_State *L)
{
	lua_pushlightuserdata(L, &token);
	return 1;
}

/* ---- running ----------------------------------------------------------- */

/* Its coroutine has ended; what it returned was taken by its Lua wrapper. */
static void
over(struct task *t, int rc)
{
	struct vm *vm = t->vm;

	if (rc != 0) {
		/* The wrapper catches everything but its own failure. */
		luaL_traceback(vm->L, t->co, lua_tostring(t->co, -1), 0);
		obj_panic(__FILE__, __LINE__, lua_tostring(vm->L, -1));
	}
	luaL_unref(vm->L, LUA_REGISTRYINDEX, t->ref);
	vm->idle = --vm->live == 0;
	free_task(t);
}

static int
take_answer(struct task *t)
{
	lua_State *L = t->vm->L;
	struct wait *w = t->wait;
	int n;

	if (!t->started) {
		t->started = true;
		return t->nargs;
	}
	if (w == NULL)
		return 0;
	t->wait = NULL;
	lua_settop(t->co, 0);
	/* A suspended coroutine can hold values but call nothing. */
	lua_settop(L, 0);
	n = w->push(w, L);
	luaL_checkstack(t->co, n, "too many results");
	lua_xmove(L, t->co, n);
	return n;
}

static void
run_task(struct loop_job *job)
{
	struct task *t = CONTAINER_OF(job, struct task, job);
	struct vm *vm = t->vm;
	struct task *before = vm->cur;
	int rc;

	OBJ_CHECK(t, TASK_MAGIC);
	vm->cur = t;
	rc = lua_resume(t->co, take_answer(t));
	vm->cur = before;
	if (rc != LUA_YIELD) {
		over(t, rc);
		return;
	}
	if (t->wait == NULL) {
		/* A plain coroutine.yield(): others may run. */
		lua_settop(t->co, 0);
		loop_defer(vm->loop, LOOP_TASKS, &t->job);
	}
}

struct task *
task_spawn(struct vm *vm, lua_State *L, int nargs)
{
	struct task *t = mem_new(sizeof(*t));
	struct task *parent = vm->cur;

	OBJ_INIT(t, TASK_MAGIC);
	t->vm = vm;
	t->co = lua_newthread(L);
	t->ref = luaL_ref(L, LUA_REGISTRYINDEX);
	lua_xmove(L, t->co, nargs + 1);
	t->nargs = nargs;
	t->deadline_us = task_deadline(vm);
	t->context = context_pin(task_context(vm));
	if (parent != NULL && parent->cancelled && parent->shield == 0)
		t->cancelled = true;
	loop_job_init(&t->job, run_task);
	list_init(&t->link);
	list_push_back(&vm->tasks, &t->link);
	vm->live++;
	vm->idle = false;
	loop_defer(vm->loop, LOOP_TASKS, &t->job);
	return t;
}

void
task_cancel(struct task *t)
{
	OBJ_CHECK(t, TASK_MAGIC);
	if (t->cancelled)
		return;
	t->cancelled = true;
	if (t->wait != NULL && !t->wait->finished && t->shield == 0)
		t->wait->cancel(t->wait, LUNATE_ECANCELLED);
}

bool
task_cancelled(struct vm *vm)
{
	return vm->cur != NULL && vm->cur->cancelled && vm->cur->shield == 0;
}

int64_t
task_deadline(const struct vm *vm)
{
	return vm->cur != NULL ? vm->cur->deadline_us : vm->deadline_us;
}

const struct context *
task_context(const struct vm *vm)
{
	return vm->cur != NULL ? vm->cur->context : vm->context;
}

/* ---- waiting ----------------------------------------------------------- */

void
wait_finish(struct wait *w)
{
	assert(!w->finished);
	w->finished = true;
	if (w->begun && w->task != NULL)
		loop_defer(w->vm->loop, LOOP_TASKS, &w->task->job);
}

/* Beyond what a clock of microseconds can tell is never, or long ago. */
int64_t
task_us(double seconds)
{
	const double most = (double)(INT64_MAX / 4);
	double us = seconds * 1e6;

	if (us >= most)
		return INT64_MAX / 4;
	return us > -most ? (int64_t)us : -(INT64_MAX / 4);
}

void
wait_check(lua_State *L)
{
	struct vm *vm = vm_of(L);

	if (vm->cur != NULL && vm->cur->wait != NULL)
		luaL_error(L, "the coroutine was resumed while it waits, by a "
			      "coroutine.resume older than lunate: require "
			      "lunate before it is kept in a variable");

	if (vm->cur == NULL || lua_isyieldable(L))
		return;
	luaL_error(L,
		   "a call that waits was made where Lua cannot be suspended: "
		   "inside a table.sort comparator, a string.gsub callback, or "
		   "the top level of a required file; collect what you need "
		   "first, and then sort or replace");
}

static int
await_inline(lua_State *L, struct wait *w)
{
	struct vm *vm = w->vm;

	w->task = NULL;
	w->begun = true;
	loop_run_until(vm->loop, &w->finished);
	if (!w->finished) {
		w->cancel(w, LUNATE_ECANCELLED);
		loop_run_until(vm->loop, &w->finished);
	}
	return w->push(w, L);
}

int
wait_await(lua_State *L, struct wait *w)
{
	struct vm *vm = w->vm;
	struct task *t = vm->cur;

	if (t == NULL)
		return await_inline(L, w);
	assert(t->wait == NULL);
	w->task = t;
	w->begun = true;
	t->wait = w;
	if (w->finished)
		loop_defer(vm->loop, LOOP_TASKS, &t->job);
	/* What the wait was made of (the database, the text) is yielded too:
	 * so it stays on a stack, out of the collector's reach. */
	if (L == t->co)
		return lua_yield(L, lua_gettop(L));
	lua_pushlightuserdata(L, &token);
	lua_insert(L, 1);
	return lua_yield(L, lua_gettop(L));
}

void
vm_run(struct vm *vm)
{
	OBJ_CHECK(vm, VM_MAGIC);
	vm->idle = vm->live == 0;
	loop_run_until(vm->loop, &vm->idle);
}
