/* SPDX-License-Identifier: MIT
 *
 * lua_core - the C half of the Lua module, `lunate.core`.
 *
 * One file per subject registers its functions into the table on top of the
 * stack.  Scripts never see this table: lua/lunate/ builds what they see.
 */
#ifndef LUA_CORE_H
#define LUA_CORE_H

#include <lauxlib.h>
#include <lua.h>

/* Each leaves the stack as it was: the core table on top. */
void lua_task_open(lua_State *L);
void lua_context_open(lua_State *L);
void lua_db_open(lua_State *L);
void lua_stream_open(lua_State *L);
void lua_copy_open(lua_State *L);
void lua_workers_open(lua_State *L);
void lua_catalog_open(lua_State *L);
void lua_admin_open(lua_State *L);
void lua_events_open(lua_State *L);
void lua_health_open(lua_State *L);
void lua_lints_open(lua_State *L);
void lua_explain_open(lua_State *L);
void lua_ctl_open(lua_State *L);
void lua_policy_open(lua_State *L);

/* Makes a metatable whose __index is itself. */
void lua_core_class(lua_State *L, const char *name, const luaL_Reg *methods);

#endif
