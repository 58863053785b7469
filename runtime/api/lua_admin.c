/* SPDX-License-Identifier: MIT
 *
 * lua_admin - core functions around the runtime: tables for help, warnings,
 * figures, and faults for tests.
 */
#include "config.h"
#include "fault.h"
#include "lua_core.h"
#include "lua_db.h"
#include "near.h"
#include "refusal.h"
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

static void
set_text(lua_State *L, const char *name, const char *text)
{
	lua_pushstring(L, text);
	lua_setfield(L, -2, name);
}

/* Two configurations on their way into a list: the one in force, and one of
 * nothing but defaults. */
struct listing {
	lua_State *L;
	const struct config *in_force; /* or NULL */
	const struct config *standard;
	int n;
};

static void
set_shown(const struct listing *l, const struct config *c, const char *key)
{
	struct str value, origin;

	str_init(&value);
	str_init(&origin);
	if (config_show(c, key, &value, &origin) == 0) {
		set_text(l->L, c == l->standard ? "default" : "value",
			 value.at);
		if (c != l->standard)
			set_text(l->L, "origin", origin.at);
	}
	str_fini(&value);
	str_fini(&origin);
}

static void
push_option(const struct config_info *info, void *arg)
{
	struct listing *l = arg;
	lua_State *L = l->L;

	lua_createtable(L, 0, 9);
	set_text(L, "name", info->key);
	set_text(L, "variables", info->env);
	set_text(L, "kind", info->kind);
	set_text(L, "unit", info->unit);
	set_text(L, "section", info->section);
	set_text(L, "meaning", info->meaning);
	if (l->in_force != NULL)
		set_shown(l, l->in_force, info->key);
	set_shown(l, l->standard, info->key);
	lua_rawseti(L, -2, ++l->n);
}

static void
push_notes(lua_State *L, const struct config_notes *notes)
{
	lua_createtable(L, (int)notes->n, 0);
	for (size_t i = 0; i < notes->n; i++) {
		lua_pushstring(L, notes->at[i]);
		lua_rawseti(L, -2, (int)i + 1);
	}
}

static void
push_listing(lua_State *L, const struct config *c)
{
	struct config standard;
	struct listing l = {L, c, &standard, 0};

	lua_db_defaults(&standard);
	lua_createtable(L, CONFIG_KEYS, 0);
	config_each(push_option, &l);
	config_fini(&standard);
}

/* core.config_list(options?) -> { { name, variables, kind, unit, section,
 * meaning, value, origin, default } ... }, { note ... }; or nil, err when
 * lunate.open(options) would refuse it. */
static int
core_config_list(lua_State *L)
{
	struct config_notes notes;
	struct config c;
	struct err e;
	int rc;

	lua_settop(L, 1);
	config_notes_init(&notes);
	lua_db_defaults(&c);
	rc = lua_db_options(L, &c, &notes, &e);
	if (rc == 0) {
		push_listing(L, &c);
		push_notes(L, &notes);
	}
	config_fini(&c);
	config_notes_fini(&notes);
	return rc == 0 ? 2 : fail(L, &e);
}

/* core.option_table() -> the same without value and origin; the defaults are
 * those of the library */
static int
core_option_table(lua_State *L)
{
	struct config standard;
	struct listing l = {L, NULL, &standard, 0};

	config_init(&standard);
	lua_createtable(L, CONFIG_KEYS, 0);
	config_each(push_option, &l);
	config_fini(&standard);
	return 1;
}

/* core.near(word, { candidate ... }) -> the nearest, or nil */
static int
core_near(lua_State *L)
{
	struct near near;

	near_init(&near, luaL_checkstring(L, 1));
	luaL_checktype(L, 2, LUA_TTABLE);
	for (int i = 1; i <= (int)lua_objlen(L, 2); i++) {
		lua_rawgeti(L, 2, i);
		near_try(&near, luaL_checkstring(L, -1));
		lua_pop(L, 1); /* the table keeps the text */
	}
	lua_pushstring(L, near_best(&near));
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

/* core.metrics(db) -> { name = number } */
static int
core_metrics(lua_State *L)
{
	struct lua_db *db = lua_db_check(L, 1);
	const struct metrics_info *row;
	struct metrics m;
	double value;

	metrics_read(lua_db_worker(db), &m);
	lua_createtable(L, 0, 64);
	for (int i = 0; (row = metrics_row(i, &m, &value)) != NULL; i++) {
		lua_pushnumber(L, value);
		lua_setfield(L, -2, row->name);
	}
	return 1;
}

/* core.metrics_table() -> { { name, unit, help } ... } */
static int
core_metrics_table(lua_State *L)
{
	static const struct metrics none;
	const struct metrics_info *row;
	double value;

	lua_newtable(L);
	for (int i = 0; (row = metrics_row(i, &none, &value)) != NULL; i++) {
		lua_createtable(L, 0, 3);
		set_text(L, "name", row->name);
		set_text(L, "unit", row->unit);
		set_text(L, "help", row->help);
		lua_rawseti(L, -2, i + 1);
	}
	return 1;
}

/* core.event_table() -> { { name, priority, meaning } ... } */
static int
core_event_table(lua_State *L)
{
	lua_createtable(L, EVENT_COUNT, 0);
	for (int i = 0; i < EVENT_COUNT; i++) {
		lua_createtable(L, 0, 3);
		set_text(L, "name", event_word((enum event_type)i));
		set_text(L, "priority", event_priority((enum event_type)i));
		set_text(L, "meaning", event_meaning((enum event_type)i));
		lua_rawseti(L, -2, i + 1);
	}
	return 1;
}

/* core.error_table() -> { { code, meaning, retryable } ... } */
static int
core_error_table(lua_State *L)
{
#define ERROR_CODE(name, number, word, retryable, meaning) LUNATE_##name,
	static const int codes[] = {ERR_CODES(ERROR_CODE)};
#undef ERROR_CODE

	lua_newtable(L);
	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		lua_createtable(L, 0, 3);
		set_text(L, "code", err_word(codes[i]));
		set_text(L, "meaning", err_meaning(codes[i]));
		lua_pushboolean(L, err_retryable(codes[i]));
		lua_setfield(L, -2, "retryable");
		lua_rawseti(L, -2, (int)i + 1);
	}
	return 1;
}

/* core.refusal_table() -> { { reason, meaning } ... } */
static int
core_refusal_table(lua_State *L)
{
	lua_newtable(L);
	for (int i = 0; i < REFUSALS_N; i++) {
		lua_createtable(L, 0, 2);
		set_text(L, "reason", refusal_word((enum refusal)i));
		set_text(L, "meaning", refusal_meaning((enum refusal)i));
		lua_rawseti(L, -2, i + 1);
	}
	return 1;
}

static void
put_number(lua_State *L, const char *name, double value)
{
	lua_pushnumber(L, value);
	lua_setfield(L, -2, name);
}

/* core.settings(db) -> what the Lua side goes by; times in seconds */
static int
core_settings(lua_State *L)
{
	struct lua_db *db = lua_db_check(L, 1);
	struct runtime *rt = db->rt;

	lua_createtable(L, 0, 5);
	put_number(L, "chunk", (double)rt->config.batch_size);
	put_number(L, "width", (double)rt->config.batch_concurrency);
	put_number(L, "fan_out", (double)rt->config.parallel_queries);
	put_number(L, "retries", (double)rt->config.transaction_retries);
	put_number(L, "drain", (double)rt->config.drain_timeout / 1000);
	return 1;
}

/* core.fault(text) -> true, or nil, err: what base/fault.h makes fail in this
 * process from now on, and nothing else.  For tests. */
static int
core_fault(lua_State *L)
{
	const char *text = luaL_checkstring(L, 1);
	struct err e;

	fault_clear();
	if (fault_arm_text(text, &e) < 0)
		return fail(L, &e);
	lua_pushboolean(L, true);
	return 1;
}

static const luaL_Reg functions[] = {{"settings", core_settings},
				     {"config_help", core_config_help},
				     {"config_markdown", core_config_markdown},
				     {"config_list", core_config_list},
				     {"option_table", core_option_table},
				     {"near", core_near},
				     {"warn", core_warn},
				     {"metrics", core_metrics},
				     {"metrics_table", core_metrics_table},
				     {"event_table", core_event_table},
				     {"error_table", core_error_table},
				     {"refusal_table", core_refusal_table},
				     {"fault", core_fault},
				     {NULL, NULL}};

void
lua_admin_open(lua_State *L)
{
	luaL_register(L, NULL, functions); /* core */
}
