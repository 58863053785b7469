/* SPDX-License-Identifier: MIT
 *
 * lua_context - contexts as Lua holds them: a handle with a count of its own;
 * and the capabilities.
 */
#include "lua_core.h"

#include <stdio.h>
#include <sys/random.h>

#include "context.h"
#include "lua_db.h"
#include "runtime.h"
#include "task.h"

#define CONTEXT_HANDLE "lunate.context.handle"

/* c is taken over; NULL pushes nil. */
static void
push_context(lua_State *L, struct context *c)
{
	struct context **slot;

	if (c == NULL) {
		lua_pushnil(L);
		return;
	}
	slot = lua_newuserdata(L, sizeof(*slot));
	*slot = c;
	luaL_getmetatable(L, CONTEXT_HANDLE);
	lua_setmetatable(L, -2);
}

static int
context_gc(lua_State *L)
{
	struct context **slot = luaL_checkudata(L, 1, CONTEXT_HANDLE);

	context_unpin(slot);
	return 0;
}

/* core.context_new(json) -> handle, or nil, text */
static int
core_context_new(lua_State *L)
{
	size_t len;
	const char *json = luaL_checklstring(L, 1, &len);
	struct context *c;
	struct err e;

	if (context_new(json, len, &c, &e) < 0) {
		lua_pushnil(L);
		lua_pushstring(L, e.text);
		return 2;
	}
	push_context(L, c);
	return 1;
}

/* core.context_text(handle) -> JSON */
static int
core_context_text(lua_State *L)
{
	struct context **c = luaL_checkudata(L, 1, CONTEXT_HANDLE);

	lua_pushlstring(L, (*c)->wire, (*c)->wire_len);
	return 1;
}

/* core.context([handle or false]) -> the handle in force before, or nil */
static int
core_context(lua_State *L)
{
	struct vm *vm = vm_of(L);
	struct context **slot = vm->cur != NULL ? &vm->cur->context
						: &vm->context;
	struct context **given = NULL;
	bool asked = lua_isnone(L, 1);

	if (lua_toboolean(L, 1))
		given = luaL_checkudata(L, 1, CONTEXT_HANDLE);
	push_context(L, context_pin(*slot));
	if (asked)
		return 1;
	context_unpin(slot);
	*slot = given != NULL ? context_pin(*given) : NULL;
	return 1;
}

/* core.context_is(handle or nil) -> is it the one in force? */
static int
core_context_is(lua_State *L)
{
	const struct context *now = task_context(vm_of(L)), *given = NULL;

	if (lua_toboolean(L, 1))
		given = *(struct context **)luaL_checkudata(L, 1,
							    CONTEXT_HANDLE);
	lua_pushboolean(L, now == given);
	return 1;
}

/* core.as_system(db, reason) -> true, or nil, err; told to the log */
static int
core_as_system(lua_State *L)
{
	struct lua_db *db = lua_db_check(L, 1);
	struct err e;

	if (system_allowed(db->rt, &e) < 0)
		return fail(L, &e);
	system_tell(db->rt, luaL_checkstring(L, 2));
	lua_pushboolean(L, true);
	return 1;
}

/* core.raw(db) -> true, or nil, err; told to the log */
static int
core_raw(lua_State *L)
{
	struct lua_db *db = lua_db_check(L, 1);
	struct err e;

	if (system_raw_allowed(db->rt, &e) < 0)
		return fail(L, &e);
	system_tell_raw(db->rt);
	lua_pushboolean(L, true);
	return 1;
}

/* core.random_id() -> 32 hexadecimal digits */
static int
core_random_id(lua_State *L)
{
	unsigned char random[16];
	char id[2 * sizeof(random) + 1];

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return luaL_error(L, "no random numbers");
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(id + 2 * i, 3, "%02x", random[i]);
	lua_pushstring(L, id);
	return 1;
}

void
lua_context_open(lua_State *L)
{
	static const luaL_Reg methods[] = {{"__gc", context_gc}, {NULL, NULL}};
	static const luaL_Reg functions[] = {
		{"context", core_context},
		{"as_system", core_as_system},
		{"raw", core_raw},
		{"context_is", core_context_is},
		{"context_new", core_context_new},
		{"random_id", core_random_id},
		{"context_text", core_context_text},
		{NULL, NULL}};

	lua_core_class(L, CONTEXT_HANDLE, methods);
	luaL_register(L, NULL, functions);
}
