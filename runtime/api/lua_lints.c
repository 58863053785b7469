/* SPDX-License-Identifier: MIT
 *
 * lua_lints - core.lints: does the live database keep what isolation.lua takes
 * for granted?
 */
#include "lints.h"
#include "lua_core.h"
#include "lua_db.h"
#include "mem.h"

struct inspection {
	struct wait wait;
	struct lints lints;
	struct rules *rules; /* pinned */
};

static void
on_lints(struct lints *l)
{
	wait_finish(&CONTAINER_OF(l, struct inspection, lints)->wait);
}

static void
cancel_inspection(struct wait *w, enum err_code code)
{
	op_cancel(&CONTAINER_OF(w, struct inspection, wait)->lints.op, code);
}

static void
set_text(lua_State *L, const char *name, const char *text)
{
	if (text[0] == 0)
		return;
	lua_pushstring(L, text);
	lua_setfield(L, -2, name);
}

static void
set_flag(lua_State *L, const char *name, bool yes)
{
	lua_pushboolean(L, yes);
	lua_setfield(L, -2, name);
}

static void
push_finding(lua_State *L, const struct lint_finding *f)
{
	struct doctor_finding told;

	lints_tell(f, &told);
	lua_createtable(L, 0, 9);
	set_text(L, "level", doctor_level_word(told.level));
	set_text(L, "name", told.name);
	set_text(L, "what", told.what);
	set_text(L, "schema", f->schema);
	set_text(L, "table", f->name);
	set_text(L, "object", f->object);
	set_flag(L, "accepted", f->accepted);
	set_flag(L, "closes", f->closes);
	if (!f->accepted) {
		set_text(L, "remedy", f->fix);
		set_flag(L, "sql", lints_fix_is_sql(f));
	}
}

static int
push_inspection(struct wait *w, lua_State *L)
{
	struct inspection *n = CONTAINER_OF(w, struct inspection, wait);
	struct err e = n->lints.op.err;

	lua_newtable(L);
	for (unsigned i = 0; i < lints_found(&n->lints); i++) {
		struct lint_finding f = lints_finding(&n->lints, i);

		push_finding(L, &f);
		lua_rawseti(L, -2, (int)i + 1);
	}
	lints_fini(&n->lints);
	rules_unpin(&n->rules);
	mem_free(n);
	return e.code == 0 ? 1 : fail(L, &e);
}

/* Without an isolation.lua there is nothing to ask the database for. */
static int
push_unasked(lua_State *L, struct rules *r)
{
	lua_newtable(L);
	if (r->isolation.state == ISOLATION_CLOSED) {
		lua_createtable(L, 0, 4);
		set_text(L, "level", doctor_level_word(DOCTOR_PROBLEM));
		set_text(L, "name", "isolation");
		set_text(L, "what", r->isolation.closed);
		set_flag(L, "closes", true);
		lua_rawseti(L, -2, 1);
	}
	rules_unpin(&r);
	return 1;
}

/* core.lints(db) -> { { level, name, what, remedy?, sql?, schema?, table?,
 * object?, accepted, closes } ... }, or nil, err; without policies none */
static int
core_lints(lua_State *L)
{
	struct lua_db *db = lua_db_check(L, 1);
	struct inspection *n;
	struct rules *r;
	struct err e;

	if (lua_op_allowed(L, db, &e) < 0)
		return fail(L, &e);
	r = rules_pin(&db->rt->rules);
	if (r->isolation.state != ISOLATION_ON)
		return push_unasked(L, r);
	n = mem_new(sizeof(*n));
	n->rules = r;
	n->wait.vm = db->vm;
	n->wait.push = push_inspection;
	n->wait.cancel = cancel_inspection;
	lints_start(&n->lints, lua_db_worker(db), &r->isolation, on_lints);
	return wait_await(L, &n->wait);
}

static const luaL_Reg functions[] = {{"lints", core_lints}, {NULL, NULL}};

void
lua_lints_open(lua_State *L)
{
	luaL_register(L, NULL, functions); /* core */
}
