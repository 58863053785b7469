/* SPDX-License-Identifier: MIT
 *
 * lua_task - core.spawn and its kin: the primitives lua/lunate/task.lua is
 * built on.
 */
#include "lua_core.h"

#include <string.h>

#include "mem.h"
#include "task.h"

/* ---- a waiter: park until somebody wakes it ---------------------------- */

struct waiter {
	struct wait wait;
	struct loop_timer timer; /* deadline */
	bool signaled, waiting;
	int code; /* why it ended early, or 0 */
	int ref;  /* anchors the userdata while waiting */
};

static void
stop_waiting(struct waiter *p, int code)
{
	if (!p->waiting)
		return;
	p->waiting = false;
	p->code = code;
	loop_timer_stop(&p->timer);
	wait_finish(&p->wait);
}

static void
waiter_late(struct loop_timer *t)
{
	stop_waiting(CONTAINER_OF(t, struct waiter, timer), LUNATE_EDEADLINE);
}

static void
waiter_cancel(struct wait *w, enum err_code code)
{
	stop_waiting(CONTAINER_OF(w, struct waiter, wait), code);
}

static int
waiter_push(struct wait *w, lua_State *L)
{
	struct waiter *p = CONTAINER_OF(w, struct waiter, wait);
	int code = p->code;

	luaL_unref(L, LUA_REGISTRYINDEX, p->ref);
	if (code == 0) {
		p->signaled = false;
		lua_pushboolean(L, 1);
		return 1;
	}
	return fail_code(L, (enum err_code)code,
			 code == LUNATE_EDEADLINE
				 ? "the deadline passed while waiting"
				 : "the task was cancelled");
}

/* core.waiter() */
static int
new_waiter(lua_State *L)
{
	struct waiter *p = lua_newuserdata(L, sizeof(*p));

	memset(p, 0, sizeof(*p));
	p->wait.vm = vm_of(L);
	p->wait.push = waiter_push;
	p->wait.cancel = waiter_cancel;
	loop_timer_init(&p->timer, p->wait.vm->loop, waiter_late);
	luaL_getmetatable(L, "lunate.waiter");
	lua_setmetatable(L, -2);
	return 1;
}

static void
arm(struct waiter *p, int64_t until_us)
{
	struct loop *loop = p->wait.vm->loop;

	if (until_us == 0)
		return;
	loop_refresh(loop);
	loop_timer_start(&p->timer, until_us - loop_now_us(loop));
}

/* waiter:wait() -> true, or nil, err */
static int
waiter_wait(lua_State *L)
{
	struct waiter *p = luaL_checkudata(L, 1, "lunate.waiter");
	struct vm *vm = p->wait.vm;

	wait_check(L);
	if (p->waiting)
		return luaL_error(L, "two tasks wait on one waiter");
	if (p->signaled) {
		p->signaled = false;
		lua_pushboolean(L, 1);
		return 1;
	}
	if (task_cancelled(vm))
		return fail_code(L, LUNATE_ECANCELLED,
				 "the task was cancelled");
	p->waiting = true;
	p->code = 0;
	p->wait.finished = p->wait.begun = false;
	lua_pushvalue(L, 1);
	p->ref = luaL_ref(L, LUA_REGISTRYINDEX);
	arm(p, task_deadline(vm));
	return wait_await(L, &p->wait);
}

/* waiter:wake() */
static int
waiter_wake(lua_State *L)
{
	struct waiter *p = luaL_checkudata(L, 1, "lunate.waiter");

	p->signaled = true;
	stop_waiting(p, 0);
	return 0;
}

/* ---- sleep ------------------------------------------------------------- */

struct nap {
	struct wait wait;
	struct loop_timer timer;
	int code;
};

static void
end_nap(struct nap *n, int code)
{
	if (n->wait.finished)
		return;
	loop_timer_stop(&n->timer);
	n->code = code;
	wait_finish(&n->wait);
}

static void
nap_over(struct loop_timer *t)
{
	struct nap *n = CONTAINER_OF(t, struct nap, timer);

	end_nap(n, n->code);
}

static void
nap_cancel(struct wait *w, enum err_code code)
{
	end_nap(CONTAINER_OF(w, struct nap, wait), code);
}

static int
nap_push(struct wait *w, lua_State *L)
{
	struct nap *n = CONTAINER_OF(w, struct nap, wait);
	int code = n->code;

	mem_free(n);
	if (code == 0) {
		lua_pushboolean(L, 1);
		return 1;
	}
	return fail_code(L, (enum err_code)code,
			 code == LUNATE_EDEADLINE
				 ? "the deadline passed while sleeping"
				 : "the task was cancelled");
}

/* core.sleep(seconds) -> true, or nil, err */
static int
core_sleep(lua_State *L)
{
	struct vm *vm = vm_of(L);
	double seconds = luaL_checknumber(L, 1), left;
	struct nap *n;

	wait_check(L);
	if (task_cancelled(vm))
		return fail_code(L, LUNATE_ECANCELLED,
				 "the task was cancelled");
	n = mem_new(sizeof(*n));
	n->wait.vm = vm;
	n->wait.push = nap_push;
	n->wait.cancel = nap_cancel;
	loop_refresh(vm->loop);
	if (task_deadline(vm) != 0) {
		left = (double)(task_deadline(vm) - loop_now_us(vm->loop)) /
		       1e6;
		if (left < seconds) {
			seconds = left;
			n->code = LUNATE_EDEADLINE;
		}
	}
	loop_timer_init(&n->timer, vm->loop, nap_over);
	loop_timer_start(&n->timer, task_us(seconds));
	return wait_await(L, &n->wait);
}

/* ---- tasks ------------------------------------------------------------- */

struct handle {
	struct task *task;
	int over; /* set when the task is gone */
};

/* core.spawn(fn, ...) -> handle */
static int
core_spawn(lua_State *L)
{
	int nargs = lua_gettop(L) - 1;
	struct handle *h;

	luaL_checktype(L, 1, LUA_TFUNCTION);
	h = lua_newuserdata(L, sizeof(*h));
	h->over = 0;
	luaL_getmetatable(L, "lunate.handle");
	lua_setmetatable(L, -2);
	lua_insert(L, 1); /* handle, fn, args... */
	h->task = task_spawn(vm_of(L), L, nargs);
	h->task->handle = &h->over;
	return 1;
}

static struct task *
check_task(lua_State *L)
{
	struct handle *h = luaL_checkudata(L, 1, "lunate.handle");

	return h->over ? NULL : h->task;
}

static int
handle_cancel(lua_State *L)
{
	struct task *t = check_task(L);

	if (t != NULL)
		task_cancel(t);
	lua_pushboolean(L, t != NULL);
	return 1;
}

static int
handle_gc(lua_State *L)
{
	struct task *t = check_task(L);

	if (t != NULL)
		t->handle = NULL;
	return 0;
}

/* core.deadline(at?) -> the old one; seconds of loop time, 0 = none */
static int
core_deadline(lua_State *L)
{
	struct vm *vm = vm_of(L);
	int64_t *slot = vm->cur != NULL ? &vm->cur->deadline_us
					: &vm->deadline_us;

	lua_pushnumber(L, (double)*slot / 1e6);
	if (!lua_isnoneornil(L, 1))
		*slot = task_us(luaL_checknumber(L, 1));
	return 1;
}

/* core.shield(+1 or -1): finalizers are deaf to cancellation */
static int
core_shield(lua_State *L)
{
	struct vm *vm = vm_of(L);

	if (vm->cur != NULL)
		vm->cur->shield += (int)luaL_checkinteger(L, 1);
	return 0;
}

/* core.now() -> seconds, monotonic */
static int
core_now(lua_State *L)
{
	struct vm *vm = vm_of(L);

	loop_refresh(vm->loop);
	lua_pushnumber(L, (double)loop_now_us(vm->loop) / 1e6);
	return 1;
}

/* core.current() -> an identity of the running task, or false */
static int
core_current(lua_State *L)
{
	struct vm *vm = vm_of(L);

	if (vm->cur == NULL)
		lua_pushboolean(L, 0);
	else
		lua_pushlightuserdata(L, vm->cur);
	return 1;
}

/* core.is_cancelled() */
static int
core_is_cancelled(lua_State *L)
{
	lua_pushboolean(L, task_cancelled(vm_of(L)));
	return 1;
}

/* core.writes() -> how many writes the running task has done for good */
static int
core_writes(lua_State *L)
{
	struct vm *vm = vm_of(L);

	lua_pushnumber(L, vm->cur != NULL ? (double)vm->cur->writes : 0);
	return 1;
}

/* core.run_tasks(): until none is left */
static int
core_run_tasks(lua_State *L)
{
	vm_run(vm_of(L));
	return 0;
}

static const luaL_Reg waiter_methods[] = {
	{"wait", waiter_wait}, {"wake", waiter_wake}, {NULL, NULL}};
static const luaL_Reg handle_methods[] = {
	{"cancel", handle_cancel}, {"__gc", handle_gc}, {NULL, NULL}};
static const luaL_Reg functions[] = {{"spawn", core_spawn},
				     {"sleep", core_sleep},
				     {"waiter", new_waiter},
				     {"deadline", core_deadline},
				     {"shield", core_shield},
				     {"now", core_now},
				     {"writes", core_writes},
				     {"current", core_current},
				     {"run_tasks", core_run_tasks},
				     {"is_cancelled", core_is_cancelled},
				     {NULL, NULL}};

void
lua_task_open(lua_State *L)
{
	lua_core_class(L, "lunate.waiter", waiter_methods);
	lua_core_class(L, "lunate.handle", handle_methods);
	luaL_register(L, NULL, functions); /* core */
}
