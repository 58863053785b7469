/* SPDX-License-Identifier: MIT
 *
 * main - the lunate command: a LuaJIT that runs lua/lunate/cli/.
 */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "module.h"
#include "terminal.h"

static int
trace(lua_State *L)
{
	const char *text = lua_tostring(L, 1);

	luaL_traceback(L, L, text != NULL ? text : "(no message)", 1);
	return 1;
}

static void
push_args(lua_State *L, int argc, char **argv)
{
	lua_createtable(L, argc - 1, 1);
	for (int i = 0; i < argc; i++) {
		lua_pushstring(L, argv[i]);
		lua_rawseti(L, -2, i);
	}
}

static void
preload_terminal(lua_State *L)
{
	lua_getglobal(L, "package");
	lua_getfield(L, -1, "preload");
	lua_pushcfunction(L, luaopen_lunate_terminal);
	lua_setfield(L, -2, "lunate.terminal");
	lua_pop(L, 2);
}

/* require "lunate", then require "lunate.cli".main(argv) */
static int
run(lua_State *L)
{
	module_preload(L); /* argc argv */
	preload_terminal(L);
	lua_getglobal(L, "require");
	lua_pushliteral(L, "lunate.cli");
	lua_call(L, 1, 1); /* cli */
	lua_getfield(L, -1, "main");
	push_args(L, (int)lua_tointeger(L, 1), lua_touserdata(L, 2));
	lua_call(L, 1, 1);
	return 1;
}

int
main(int argc, char **argv)
{
	lua_State *L = luaL_newstate();
	int code = 1;

	if (L == NULL) {
		fputs("lunate: out of memory\n", stderr);
		return 1;
	}
	signal(SIGPIPE, SIG_IGN); /* the command is its own host */
	luaL_openlibs(L);
	lua_pushcfunction(L, trace);
	lua_pushcfunction(L, run);
	lua_pushinteger(L, argc);
	lua_pushlightuserdata(L, argv);
	if (lua_pcall(L, 2, 1, 1) != 0)
		fprintf(stderr, "lunate: %s\n", lua_tostring(L, -1));
	else
		code = (int)lua_tointeger(L, -1);
	lua_close(L);
	return code;
}
