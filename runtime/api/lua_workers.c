/* SPDX-License-Identifier: MIT
 *
 * lua_workers - core.start_workers: the same script in several VMs, a thread
 * each.
 */
#include <lualib.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "group.h"
#include "lua_core.h"
#include "mem.h"
#include "module.h"
#include "task.h"

#define WORKERS_MAX 256

/* What every thread reads; nothing of it changes while they run. */
struct order {
	struct group *group;
	int count;
	char *path, *url;
	char **args;
	int nargs;
};

struct worker_thread {
	struct order *order;
	pthread_t thread;
	int index;
	int code; /* exit code of the script */
};

struct crowd {
	struct order order;
	struct worker_thread *threads; /* [1..count-1] */
	int started;
};

static int
trace(lua_State *L)
{
	const char *text = lua_tostring(L, 1);

	luaL_traceback(L, L, text != NULL ? text : "(no message)", 1);
	return 1;
}

static void
push_string_field(lua_State *L, const char *name, const char *value)
{
	if (value == NULL)
		return;
	lua_pushstring(L, value);
	lua_setfield(L, -2, name);
}

/* require "lunate.script".run_here{ path, args, url } */
static int
run_script(lua_State *L)
{
	struct worker_thread *t = lua_touserdata(L, 1);
	struct order *o = t->order;
	struct vm *vm;

	module_preload(L);
	vm = vm_of(L);
	vm->group = o->group;
	vm->index = t->index;
	vm->count = o->count;
	lua_getglobal(L, "require");
	lua_pushliteral(L, "lunate.script");
	lua_call(L, 1, 1);
	lua_getfield(L, -1, "run_here");
	lua_createtable(L, 0, 3); /* options */
	push_string_field(L, "path", o->path);
	push_string_field(L, "url", o->url);
	lua_createtable(L, o->nargs, 0);
	for (int i = 0; i < o->nargs; i++) {
		lua_pushstring(L, o->args[i]);
		lua_rawseti(L, -2, i + 1);
	}
	lua_setfield(L, -2, "args");
	lua_call(L, 1, 1);
	return 1;
}

/* Signals belong to the main thread. */
static void *
thread_main(void *arg)
{
	struct worker_thread *t = arg;
	lua_State *L = luaL_newstate();
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	t->code = 1;
	if (L == NULL)
		return NULL;
	luaL_openlibs(L);
	lua_pushcfunction(L, trace);
	lua_pushcfunction(L, run_script);
	lua_pushlightuserdata(L, t);
	if (lua_pcall(L, 1, 1, 1) != 0)
		fprintf(stderr, "lunate: worker %d: %s\n", t->index,
			lua_tostring(L, -1));
	else
		t->code = (int)lua_tointeger(L, -1);
	lua_close(L);
	return NULL;
}

static void
take_order(lua_State *L, struct order *o)
{
	lua_getfield(L, 1, "path");
	o->path = mem_dups(lua_tostring(L, -1));
	lua_getfield(L, 1, "url");
	o->url = mem_dups(lua_tostring(L, -1));
	lua_getfield(L, 1, "args");
	o->nargs = lua_istable(L, -1) ? (int)lua_objlen(L, -1) : 0;
	o->args = mem_new(sizeof(*o->args) * (size_t)(o->nargs + 1));
	for (int i = 0; i < o->nargs; i++) {
		lua_rawgeti(L, -1, i + 1);
		o->args[i] = mem_dups(lua_tostring(L, -1));
		lua_pop(L, 1);
	}
	lua_pop(L, 3);
}

static void
start(struct crowd *c)
{
	for (int i = 1; i < c->order.count; i++) {
		struct worker_thread *t = &c->threads[i];

		t->order = &c->order;
		t->index = i;
		if (pthread_create(&t->thread, NULL, thread_main, t) != 0)
			obj_panic(__FILE__, __LINE__,
				  "a worker thread cannot be started");
		c->started++;
	}
}

/* core.start_workers({ path, url, args }, n) -> crowd; the caller is worker
 * 0. */
static int
core_start_workers(lua_State *L)
{
	int n = (int)luaL_checkinteger(L, 2);
	struct vm *vm = vm_of(L);
	struct crowd *c;

	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_argcheck(L, n >= 1 && n <= WORKERS_MAX, 2, "1 to 256 workers");
	c = lua_newuserdata(L, sizeof(*c));
	memset(c, 0, sizeof(*c));
	take_order(L, &c->order);
	c->order.count = n;
	c->order.group = group_new();
	c->threads = mem_new(sizeof(*c->threads) * (size_t)n);
	vm->group = c->order.group;
	vm->index = 0;
	vm->count = n;
	luaL_getmetatable(L, "lunate.crowd");
	lua_setmetatable(L, -2);
	start(c);
	return 1;
}

/* crowd:join() -> the worst exit code of the other workers */
static int
crowd_join(lua_State *L)
{
	struct crowd *c = luaL_checkudata(L, 1, "lunate.crowd");
	int worst = 0;

	for (int i = 1; i <= c->started; i++) {
		pthread_join(c->threads[i].thread, NULL);
		if (c->threads[i].code > worst)
			worst = c->threads[i].code;
	}
	c->started = 0;
	lua_pushinteger(L, worst);
	return 1;
}

/* crowd:free(): after the databases of this VM are closed */
static int
crowd_free(lua_State *L)
{
	struct crowd *c = luaL_checkudata(L, 1, "lunate.crowd");
	struct vm *vm = vm_of(L);

	if (c->order.group == NULL)
		return 0;
	crowd_join(L);
	if (vm != NULL)
		vm->group = NULL;
	group_free(&c->order.group);
	for (int i = 0; i < c->order.nargs; i++)
		mem_free(c->order.args[i]);
	mem_free(c->order.args);
	mem_free(c->order.path);
	mem_free(c->order.url);
	mem_free(c->threads);
	return 0;
}

/* core.worker() -> index from 0, count */
static int
core_worker(lua_State *L)
{
	struct vm *vm = vm_of(L);

	lua_pushinteger(L, vm->index);
	lua_pushinteger(L, vm->count > 0 ? vm->count : 1);
	return 2;
}

static const luaL_Reg methods[] = {{"join", crowd_join},
				   {"free", crowd_free},
				   {"__gc", crowd_free},
				   {NULL, NULL}};
static const luaL_Reg functions[] = {{"start_workers", core_start_workers},
				     {"worker", core_worker},
				     {NULL, NULL}};

void
lua_workers_open(lua_State *L)
{
	lua_core_class(L, "lunate.crowd", methods);
	luaL_register(L, NULL, functions); /* core */
}
