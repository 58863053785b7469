/* SPDX-License-Identifier: MIT
 *
 * lua_ctl - core.ctl_list and core.ctl_ask: how a command finds the running
 * runtimes and talks to them.
 */
#include "config.h"
#include "ctl.h"
#include "lines.h"
#include "lua_core.h"
#include "lua_db.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PING_MS 2000

/* Does somebody listen?  One that is too busy to answer does. */
static bool
is_alive(const char *path)
{
	const struct lines_question q = {path, "{\"command\":\"ping\"}",
					 PING_MS};
	struct str answer;
	struct err e;
	int rc;

	str_init(&answer);
	rc = lines_ask(&q, &answer, &e);
	str_fini(&answer);
	return rc != LUNATE_ECONNECT;
}

static void
push_runtime(lua_State *L, int pid, const char *path)
{
	lua_createtable(L, 0, 2);
	lua_pushinteger(L, pid);
	lua_setfield(L, -2, "pid");
	lua_pushstring(L, path);
	lua_setfield(L, -2, "path");
	lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
}

static void
look_at(lua_State *L, const char *folder, const char *name)
{
	int pid, n, end = 0;
	char path[4200];

	if (sscanf(name, "%d-%d.sock%n", &pid, &n, &end) != 2 || end == 0 ||
	    name[end] != 0)
		return;
	snprintf(path, sizeof(path), "%.3900s/%.255s", folder, name);
	if (is_alive(path))
		push_runtime(L, pid, path);
	else
		unlink(path); /* its process is gone */
}

static void
list_folder(lua_State *L, const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL)
		look_at(L, folder, entry->d_name);
	closedir(dir);
}

/* core.ctl_list() -> { { pid, path } ... }, the folder; or nil, err.  Removes
 * the sockets of processes that are gone. */
static int
core_ctl_list(lua_State *L)
{
	struct config c;
	struct str folder;
	struct err e;

	config_init(&c);
	if (config_from_process(&c, NULL, &e) < 0) {
		config_fini(&c);
		return fail(L, &e);
	}
	str_init(&folder);
	ctl_folder(&folder, c.state_dir);
	config_fini(&c);
	lua_newtable(L);
	list_folder(L, folder.at);
	lua_pushlstring(L, folder.at, folder.len);
	str_fini(&folder);
	return 2;
}

/* core.ctl_ask(path, line, seconds) -> line, or nil, err; blocks the thread */
static int
core_ctl_ask(lua_State *L)
{
	const struct lines_question q = {luaL_checkstring(L, 1),
					 luaL_checkstring(L, 2),
					 (int)(luaL_checknumber(L, 3) * 1000)};
	struct str answer;
	struct err e;

	str_init(&answer);
	if (lines_ask(&q, &answer, &e) < 0) {
		str_fini(&answer);
		return fail(L, &e);
	}
	lua_pushlstring(L, answer.at, answer.len);
	str_fini(&answer);
	return 1;
}

/* core.ctl_path(db) -> where its control socket is, or nil */
static int
core_ctl_path(lua_State *L)
{
	struct lua_db *db = lua_db_check(L, 1);

	lua_pushstring(L, db->ctl != NULL ? ctl_path(db->ctl) : NULL);
	return 1;
}

static const luaL_Reg functions[] = {{"ctl_list", core_ctl_list},
				     {"ctl_ask", core_ctl_ask},
				     {"ctl_path", core_ctl_path},
				     {NULL, NULL}};

void
lua_ctl_open(lua_State *L)
{
	luaL_register(L, NULL, functions); /* core */
}
