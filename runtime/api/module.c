/* SPDX-License-Identifier: MIT
 *
 * module - luaopen_lunate: the door for any LuaJIT, and for our own command.
 *
 * The Lua files travel inside the library (bundle.h); requiring "lunate"
 * makes them loadable and starts with lunate/init.lua.
 */
#include "module.h"

#include <string.h>

#include "bundle.h"
#include "decode.h"
#include "hosted.h"
#include "lua_core.h"
#include "lua_db.h"
#include "params.h"

int task_set_error_maker(lua_State *L);
int task_push_token(lua_State *L);

void
lua_core_class(lua_State *L, const char *name, const luaL_Reg *methods)
{
	luaL_newmetatable(L, name); /* mt */
	luaL_register(L, NULL, methods);
	lua_pushvalue(L, -1);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
}

static const struct bundle_file *
find_file(const char *name)
{
	for (const struct bundle_file *f = bundle_files; f->name != NULL; f++)
		if (strcmp(f->name, name) == 0)
			return f;
	return NULL;
}

/* package.preload[name] for every file of the bundle */
static int
load_file(lua_State *L)
{
	const struct bundle_file *f = find_file(luaL_checkstring(L, 1));

	if (f == NULL)
		return luaL_error(L, "no such file in lunate");
	if (luaL_loadbuffer(L, f->text, f->size, f->chunk) != 0)
		return lua_error(L);
	lua_pushvalue(L, 1);
	lua_call(L, 1, 1);
	return 1;
}

static void
preload(lua_State *L)
{
	lua_getglobal(L, "package");
	lua_getfield(L, -1, "preload"); /* package preload */
	for (const struct bundle_file *f = bundle_files; f->name != NULL; f++) {
		lua_pushcfunction(L, load_file);
		lua_setfield(L, -2, f->name);
	}
	lua_pop(L, 2);
}

/* The VM ends with the state: before it, every database is closed. */
static int
end_vm(lua_State *L)
{
	struct vm **slot = lua_touserdata(L, 1);
	struct vm *vm = *slot;

	if (vm == NULL)
		return 0;
	*slot = NULL;
	LIST_EACH_SAFE (link, &vm->dbs)
		lua_db_end(LIST_ENTRY(link, struct lua_db, link));
	vm_close(vm);
	return 0;
}

static void
anchor_vm(lua_State *L, struct vm *vm)
{
	struct vm **slot = lua_newuserdata(L, sizeof(*slot)); /* slot */

	*slot = vm;
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, end_vm);
	lua_setfield(L, -2, "__gc");
	lua_setmetatable(L, -2);
	luaL_ref(L, LUA_REGISTRYINDEX);
}

struct vm *
module_vm(lua_State *L, struct loop *loop)
{
	struct vm *vm;

	assert(vm_of(L) == NULL);
	vm = vm_open(L, loop);
	anchor_vm(L, vm);
	return vm;
}

static const luaL_Reg setters[] = {{"set_error_maker", task_set_error_maker},
				   {"set_json", params_set_json},
				   {"set_int64", decode_set_int64},
				   {"set_row_maker", decode_set_maker},
				   {NULL, NULL}};

static int
open_core(lua_State *L)
{
	if (vm_of(L) == NULL)
		module_vm(L, NULL);
	lua_newtable(L); /* core */
	luaL_register(L, NULL, setters);
	lua_task_open(L);
	lua_context_open(L);
	lua_db_open(L);
	lua_stream_open(L);
	lua_copy_open(L);
	lua_workers_open(L);
	lua_catalog_open(L);
	lua_admin_open(L);
	lua_events_open(L);
	lua_health_open(L);
	lua_lints_open(L);
	lua_explain_open(L);
	lua_ctl_open(L);
	lua_policy_open(L);
	lua_hosted_open(L);
	task_push_token(L);
	lua_setfield(L, -2, "token");
	lua_pushlightuserdata(L, NULL);
	lua_setfield(L, -2, "null");
	lua_pushstring(L, LUNATE_VERSION);
	lua_setfield(L, -2, "version");
	return 1;
}

int
luaopen_lunate_core(lua_State *L)
{
	return open_core(L);
}

int
luaopen_lunate(lua_State *L)
{
	preload(L);
	lua_getglobal(L, "package");
	lua_getfield(L, -1, "preload");
	lua_pushcfunction(L, luaopen_lunate_core);
	lua_setfield(L, -2, "lunate.core");
	lua_settop(L, 0);
	lua_pushcfunction(L, load_file);
	lua_pushliteral(L, "lunate");
	lua_call(L, 1, 1);
	return 1;
}

void
module_preload(lua_State *L)
{
	int top = lua_gettop(L);

	lua_getglobal(L, "package");
	lua_getfield(L, -1, "preload");
	lua_pushcfunction(L, luaopen_lunate);
	lua_setfield(L, -2, "lunate");
	lua_getglobal(L, "require");
	lua_pushliteral(L, "lunate");
	lua_call(L, 1, 0);
	lua_settop(L, top);
}
