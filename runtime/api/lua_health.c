/* SPDX-License-Identifier: MIT
 *
 * lua_health - core.health and core.doctor: questions to the server that a
 * script waits for.
 */
#include "doctor.h"
#include "health.h"
#include "lua_core.h"
#include "lua_db.h"
#include "mem.h"
#include "misfits.h"
#include "runtime.h"
#include "scope.h"

#include <stdio.h>

/* ---- health ------------------------------------------------------------ */

static void
push_errors(lua_State *L, const struct health_report *r)
{
	lua_createtable(L, r->nerrors, 0);
	for (int i = 0; i < r->nerrors; i++) {
		lua_pushstring(L, r->errors[i]);
		lua_rawseti(L, -2, i + 1);
	}
}

static void
push_report(lua_State *L, const struct health_report *r)
{
	lua_createtable(L, 0, 6);
	lua_pushboolean(L, r->is_healthy);
	lua_setfield(L, -2, "is_healthy");
	lua_pushnumber(L, r->connection_count);
	lua_setfield(L, -2, "connection_count");
	lua_pushnumber(L, r->active_queries);
	lua_setfield(L, -2, "active_queries");
	lua_pushnumber(L, r->avg_response_ms);
	lua_setfield(L, -2, "avg_response_time");
	lua_pushnumber(L, (double)r->checked_wall_us / 1e6);
	lua_setfield(L, -2, "last_health_check");
	push_errors(L, r);
	lua_setfield(L, -2, "errors");
}

struct checkup {
	struct wait wait;
	struct health_wait health;
	struct health_report report;
	enum err_code code; /* it ended early */
};

static void
on_report(struct health_wait *w, const struct health_report *r)
{
	struct checkup *k = CONTAINER_OF(w, struct checkup, health);

	k->report = *r;
	wait_finish(&k->wait);
}

static void
cancel_checkup(struct wait *w, enum err_code code)
{
	struct checkup *k = CONTAINER_OF(w, struct checkup, wait);

	health_unask(&k->health);
	k->code = code;
	wait_finish(w);
}

static int
push_checkup(struct wait *w, lua_State *L)
{
	struct checkup *k = CONTAINER_OF(w, struct checkup, wait);
	struct health_report r = k->report;
	enum err_code code = k->code;

	mem_free(k);
	if (code != LUNATE_OK)
		return fail_code(L, code, "the task was cancelled");
	push_report(L, &r);
	return 1;
}

/* core.health(db) -> report, or nil, err (of the task, not of the server) */
static int
core_health(lua_State *L)
{
	struct lua_db *db = lua_db_check(L, 1);
	struct health *health = lua_db_worker(db)->health;
	const struct health_report *latest;
	struct checkup *k;
	struct err e;

	if (lua_op_allowed(L, db, &e) < 0)
		return fail(L, &e);
	loop_refresh(db->vm->loop);
	latest = health_latest(health);
	if (latest != NULL) {
		push_report(L, latest);
		return 1;
	}
	k = mem_new(sizeof(*k));
	k->wait.vm = db->vm;
	k->wait.push = push_checkup;
	k->wait.cancel = cancel_checkup;
	health_ask(health, &k->health, on_report);
	return wait_await(L, &k->wait);
}

/* core.health_last(db) -> the latest report, or nil; asks nothing */
static int
core_health_last(lua_State *L)
{
	struct lua_db *db = lua_db_check(L, 1);
	const struct health_report *r = health_last(lua_db_worker(db)->health);

	if (r == NULL)
		return 0;
	push_report(L, r);
	return 1;
}

/* ---- the doctor -------------------------------------------------------- */

struct visit {
	struct wait wait;
	struct doctor doctor;
	struct worker *w;
	struct rules *rules;	     /* pinned */
	struct catalog_wait catalog; /* with access rules, behind doctor */
	bool looking;		     /* it waits for that */
};

static void
on_catalog(void *arg)
{
	struct visit *v = arg;

	v->looking = false;
	wait_finish(&v->wait);
}

static void
on_doctor(struct doctor *d)
{
	struct visit *v = CONTAINER_OF(d, struct visit, doctor);

	if (v->rules->access == NULL || d->op.err.code != 0) {
		wait_finish(&v->wait);
		return;
	}
	v->looking = true;
	catalog_wait(v->w->catalog, &v->catalog, on_catalog, v);
}

static void
cancel_visit(struct wait *w, enum err_code code)
{
	struct visit *v = CONTAINER_OF(w, struct visit, wait);

	if (!v->looking) {
		op_cancel(&v->doctor.op, code);
		return;
	}
	catalog_unwait(&v->catalog);
	err_set(&v->doctor.op.err, code, "the task was cancelled");
	wait_finish(w);
}

static void
push_finding(const struct doctor_finding *f, void *arg)
{
	lua_State *L = arg;

	lua_createtable(L, 0, 4);
	lua_pushstring(L, doctor_level_word(f->level));
	lua_setfield(L, -2, "level");
	lua_pushstring(L, f->name);
	lua_setfield(L, -2, "name");
	lua_pushstring(L, f->what);
	lua_setfield(L, -2, "what");
	if (f->remedy[0] != 0) {
		lua_pushstring(L, f->remedy);
		lua_setfield(L, -2, "remedy");
	}
	lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
}

static void
push_misfits(struct visit *v, lua_State *L)
{
	struct misfits_ask ask = {
		.rules = v->rules->access, .fn = push_finding, .arg = L};
	struct doctor_finding none = {.level = DOCTOR_PROBLEM,
				      .name = "access"};
	struct err e = {0};

	if (!catalog_loaded(v->w->catalog))
		e = *catalog_err(v->w->catalog);
	else if (scope_world(v->w->scope, catalog_current(v->w->catalog),
			     &ask.world, &e) == 0)
		misfits_judge(&ask);
	if (e.code == 0)
		return;
	snprintf(none.what, sizeof(none.what),
		 "whether the rules of access.lua fit the tables is not known: "
		 "%.200s",
		 e.text);
	push_finding(&none, L);
}

static int
push_visit(struct wait *w, lua_State *L)
{
	struct visit *v = CONTAINER_OF(w, struct visit, wait);
	struct err e = v->doctor.op.err;

	if (e.code == 0) {
		lua_newtable(L);
		doctor_judge(&v->doctor.facts, push_finding, L);
		if (v->rules->access != NULL)
			push_misfits(v, L);
	}
	doctor_fini(&v->doctor);
	rules_unpin(&v->rules);
	mem_free(v);
	return e.code == 0 ? 1 : fail(L, &e);
}

/* core.doctor(db, overrides) -> { { level, name, what, remedy? } ... },
 * or nil, err */
static int
core_doctor(lua_State *L)
{
	struct lua_db *db = lua_db_check(L, 1);
	struct visit *v;
	struct err e;

	luaL_optstring(L, 2, "");
	if (lua_op_allowed(L, db, &e) < 0)
		return fail(L, &e);
	v = mem_new(sizeof(*v));
	snprintf(v->doctor.facts.overrides, sizeof(v->doctor.facts.overrides),
		 "%s", luaL_optstring(L, 2, ""));
	v->w = lua_db_worker(db);
	v->rules = rules_pin(&db->rt->rules);
	catalog_wait_init(&v->catalog);
	v->wait.vm = db->vm;
	v->wait.push = push_visit;
	v->wait.cancel = cancel_visit;
	doctor_start(&v->doctor, v->w, on_doctor);
	return wait_await(L, &v->wait);
}

static const luaL_Reg functions[] = {{"health", core_health},
				     {"health_last", core_health_last},
				     {"doctor", core_doctor},
				     {NULL, NULL}};

void
lua_health_open(lua_State *L)
{
	luaL_register(L, NULL, functions); /* core */
}
