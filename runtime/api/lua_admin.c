/* SPDX-License-Identifier: MIT
 *
 * lua_admin - core functions around the runtime: help, warnings, figures.
 */
#include "config.h"
#include "lua_core.h"
#include "lua_db.h"
#include "str.h"

/* core.config_help() -> the option table, for a terminal */
static int
core_config_help(lua_State *L)
{
	struct str s;

	str_init(&s);
	config_help(&s);
	lua_pushlstring(L, s.at, s.len);
	str_fini(&s);
	return 1;
}

/* core.config_markdown() -> the option table, for the README */
static int
core_config_markdown(lua_State *L)
{
	struct str s;

	str_init(&s);
	config_markdown(&s);
	lua_pushlstring(L, s.at, s.len);
	str_fini(&s);
	return 1;
}

/* core.warn(text): to the log of every open database */
static int
core_warn(lua_State *L)
{
	struct vm *vm = vm_of(L);
	const char *text = luaL_checkstring(L, 1);

	LIST_EACH (link, &vm->dbs) {
		struct lua_db *db = LIST_ENTRY(link, struct lua_db, link);

		log_at(&db->rt->log, LOG_AT_WARN, "script", "warning",
		       LOG_STR("what", text));
	}
	return 0;
}

static void
put(lua_State *L, const char *name, double value)
{
	lua_pushnumber(L, value);
	lua_setfield(L, -2, name);
}

/* core.pool_stats(db) -> table */
static int
core_pool_stats(lua_State *L)
{
	struct lua_db *db = lua_db_check(L, 1);
	struct pool_stats s;

	pool_stats(lua_db_worker(db)->pool, &s);
	lua_createtable(L, 0, 20);
	put(L, "total", s.total);
	put(L, "active", s.active);
	put(L, "idle", s.idle);
	put(L, "waiting", s.waiting);
	put(L, "logins", s.logins);
	put(L, "leased", s.leased);
	put(L, "fenced", s.fenced);
	put(L, "peak", s.peak);
	put(L, "opened", (double)s.opened);
	put(L, "closed", (double)s.closed);
	put(L, "lost", (double)s.lost);
	put(L, "login_failures", (double)s.login_failures);
	put(L, "groups", (double)s.groups);
	put(L, "statements", (double)s.statements);
	put(L, "cancels", (double)s.cancels);
	put(L, "cancel_hits", (double)s.cancel_hits);
	put(L, "timeouts", (double)s.timeouts);
	put(L, "max", db->rt->pool_rules.max);
	return 1;
}

/* core.counts(db) -> table */
static int
core_counts(lua_State *L)
{
	struct lua_db *db = lua_db_check(L, 1);
	const struct runtime_counts *n = &db->rt->counts;

	lua_createtable(L, 0, 6);
	put(L, "queries", (double)n->queries);
	put(L, "failed", (double)n->failed);
	put(L, "slow", (double)n->slow);
	put(L, "critical", (double)n->critical);
	put(L, "time_us", (double)n->time_us);
	return 1;
}

static const luaL_Reg functions[] = {{"config_help", core_config_help},
				     {"config_markdown", core_config_markdown},
				     {"warn", core_warn},
				     {"pool_stats", core_pool_stats},
				     {"counts", core_counts},
				     {NULL, NULL}};

void
lua_admin_open(lua_State *L)
{
	luaL_register(L, NULL, functions); /* core */
}
