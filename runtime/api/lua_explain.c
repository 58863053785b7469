/* SPDX-License-Identifier: MIT
 *
 * lua_explain - core.explain: what would become of a statement, and who says
 * so; core.rules_why, which rule of access.lua does.
 *
 * The statement goes through the steps of an operation up to the connection
 * (OP_EXPLAIN), so what is told is what would be done.  No value is told: not
 * the tenant's, and not those that access rules put in.
 */
#include <stdlib.h>

#include "lua_core.h"
#include "lua_db.h"
#include "mem.h"
#include "permit.h"
#include "refusal.h"
#include "scope.h"
#include "uses.h"
#include "why.h"

struct explanation {
	struct wait wait;
	struct op op;
	struct stmt *stmt; /* as it was asked, pinned */
};

static void
on_decided(struct op *op)
{
	wait_finish(&CONTAINER_OF(op, struct explanation, op)->wait);
}

static void
cancel_explanation(struct wait *w, enum err_code code)
{
	op_cancel(&CONTAINER_OF(w, struct explanation, wait)->op, code);
}

static void
set_text(lua_State *L, const char *name, const char *text)
{
	lua_pushstring(L, text);
	lua_setfield(L, -2, name);
}

static void
set_number(lua_State *L, const char *name, double n)
{
	lua_pushnumber(L, n);
	lua_setfield(L, -2, name);
}

static void
set_flag(lua_State *L, const char *name, bool yes)
{
	lua_pushboolean(L, yes);
	lua_setfield(L, -2, name);
}

/* ---- whose rows: which rule of isolation.lua ---------------------------- */

static const struct world *
world_of(const struct op *op)
{
	const struct world *world = NULL;
	struct err e;

	if (!catalog_loaded(op->w->catalog) ||
	    scope_world(op->w->scope, catalog_current(op->w->catalog), &world,
			&e) < 0)
		return NULL;
	return world;
}

static void
push_rule(lua_State *L, const struct tenant_table *t)
{
	static const char *const kinds[] = {"by", "parent", "through",
					    "shared"};

	lua_createtable(L, 0, 5);
	set_text(L, "kind", kinds[t->kind]);
	set_text(L, "file", t->file);
	set_number(L, "line", t->line);
	if (t->kind == TENANT_BY)
		set_text(L, "column", t->column);
	if (t->kind == TENANT_PARENT || t->kind == TENANT_THROUGH) {
		lua_pushfstring(L, "%s.%s", t->via_schema, t->via);
		lua_setfield(L, -2, "via");
	}
}

/* Its name as the catalog has it, where that is known. */
static void
push_table(lua_State *L, const struct op *op, const struct stmt_table *t,
	   const struct world *world)
{
	const struct tenant_rules *rules = op->rules->isolation.tables;
	const struct world_table *is = NULL;
	const struct tenant_table *rule = NULL;

	if (world != NULL)
		is = world->table(world->arg, t->schema, t->name);
	if (is != NULL && rules != NULL)
		rule = tenant_find(rules, is->schema, is->name);
	lua_createtable(L, 0, 5);
	set_text(L, "name", is != NULL ? is->name : t->name);
	if (is != NULL || t->schema != NULL)
		set_text(L, "schema", is != NULL ? is->schema : t->schema);
	set_flag(L, "read", t->read);
	set_flag(L, "written", t->written);
	if (rule != NULL) {
		push_rule(L, rule);
		lua_setfield(L, -2, "rule");
	}
}

/* ---- the statement ------------------------------------------------------ */

static void
push_facts(lua_State *L, const struct op *op, const struct stmt *s)
{
	const struct world *world = world_of(op);

	set_text(L, "kind", stmt_kind_word(s->kind));
	set_number(L, "nparams", s->nparams);
	lua_createtable(L, (int)s->ntables, 0);
	for (unsigned i = 0; i < s->ntables; i++) {
		push_table(L, op, &s->tables[i], world);
		lua_rawseti(L, -2, (int)i + 1);
	}
	lua_setfield(L, -2, "tables");
	lua_createtable(L, (int)s->nfunctions, 0);
	for (unsigned i = 0; i < s->nfunctions; i++) {
		const struct stmt_function *f = &s->functions[i];

		lua_pushfstring(L, "%s%s%s", f->schema != NULL ? f->schema : "",
				f->schema != NULL ? "." : "", f->name);
		lua_rawseti(L, -2, (int)i + 1);
	}
	lua_setfield(L, -2, "functions");
}

/* ---- what is decided ---------------------------------------------------- */

static void
push_refusal(lua_State *L, const struct err *e)
{
	enum refusal r = refusal_of(e);

	set_text(L, "verdict", "refused");
	if (r != REFUSALS_N)
		set_text(L, "reason", refusal_word(r));
	set_text(L, "message", e->text);
}

static void
push_scoped(lua_State *L, const struct op *op, const struct stmt *asked)
{
	const struct scoped *s = op->scoped;
	bool tenant = s != NULL && s->tenant_param != 0;

	set_text(L, "verdict",
		 tenant || (s != NULL && (s->needs_tenant || s->nvalues > 0))
			 ? "scoped"
			 : "open");
	if (op->stmt->hash != asked->hash)
		set_text(L, "text", op->stmt->text);
	if (tenant)
		set_number(L, "tenant_param", s->tenant_param);
	set_number(L, "limit_params", s != NULL ? s->nvalues : 0);
}

static void
push_route(lua_State *L, const struct op *op)
{
	static const char *const classes[] = {"read", "write", "critical"};
	static const char *const modes[] = {"read", "write", "critical",
					    "long"};

	lua_createtable(L, 0, 4);
	set_text(L, "class", classes[op->cls]);
	set_text(L, "session", modes[op->job.mode]);
	set_flag(L, "read", op->read);
	set_flag(L, "shared", op->job.want == POOL_SHARE);
	lua_setfield(L, -2, "route");
}

static void
push_generation(lua_State *L, const struct rules *r)
{
	static const char *const states[] = {"off", "closed", "on"};
	static const char *const modes[] = {"rewrite", "rls", "both"};

	set_number(L, "generation", (double)r->id);
	set_text(L, "isolation", states[r->isolation.state]);
	if (r->isolation.state == ISOLATION_ON)
		set_text(L, "mode", modes[r->isolation.mode]);
	set_flag(L, "access_rules", r->access != NULL);
}

/* ---- what access rules are asked ---------------------------------------- */

static void
push_use(lua_State *L, const struct use *u)
{
	static const char *const actions[] = {"read", "insert", "update",
					      "delete"};

	lua_createtable(L, 0, 3);
	set_text(L, "action", actions[u->action]);
	lua_pushfstring(L, "%s.%s", u->schema, u->name);
	lua_setfield(L, -2, "on");
	lua_createtable(L, (int)u->ncolumns, 0);
	for (unsigned i = 0; i < u->ncolumns; i++) {
		lua_pushstring(L, u->columns[i]);
		lua_rawseti(L, -2, (int)i + 1);
	}
	lua_setfield(L, -2, "columns");
}

/* None when the gate does not let it that far. */
static void
push_uses(lua_State *L, const struct op *op, struct stmt *asked)
{
	struct arena arena;
	struct scope_found found = {.arena = &arena};
	struct scope_ask ask = {.stmt = asked,
				.rules = &op->rules->isolation,
				.epoch = op->rules->decision_epoch,
				.snapshot = catalog_current(op->w->catalog)};
	struct err e;

	lua_newtable(L);
	arena_init(&arena, NULL, 0);
	if (op->rules->access != NULL && catalog_loaded(op->w->catalog) &&
	    scope_uses(op->w->scope, &ask, &found, &e) == 0)
		for (unsigned i = 0; i < found.uses.n; i++) {
			push_use(L, &found.uses.list[i]);
			lua_rawseti(L, -2, (int)i + 1);
		}
	arena_fini(&arena);
	lua_setfield(L, -2, "uses");
}

/* ---- the call ----------------------------------------------------------- */

/* An error that is no decision (a server that is not there) is one. */
static int
push_explanation(struct wait *w, lua_State *L)
{
	struct explanation *x = CONTAINER_OF(w, struct explanation, wait);
	struct err e = x->op.err;
	bool told = x->op.rules != NULL &&
		    (e.code == 0 || e.code == LUNATE_EDENIED ||
		     e.code == LUNATE_EUNSUPPORTED);

	if (told) {
		lua_createtable(L, 0, 16);
		push_facts(L, &x->op, x->stmt);
		push_generation(L, x->op.rules);
		push_uses(L, &x->op, x->stmt);
		if (e.code != 0) {
			push_refusal(L, &e);
		} else {
			push_scoped(L, &x->op, x->stmt);
			push_route(L, &x->op);
		}
	}
	op_fini(&x->op);
	stmt_unpin(&x->stmt);
	mem_free(x);
	return told ? 1 : fail(L, &e);
}

/* core.explain(db, sql) -> what lua/lunate/explain.lua says; or nil, err */
static int
core_explain(lua_State *L)
{
	struct lua_db *db = lua_db_check(L, 1);
	struct explanation *x;
	struct stmt *s;
	size_t len;
	const char *sql = luaL_checklstring(L, 2, &len);
	struct err e;

	if (lua_op_allowed(L, db, &e) < 0 || stmt_get(sql, len, &s, &e) < 0)
		return fail(L, &e);
	x = mem_new(sizeof(*x));
	x->stmt = s;
	op_init(&x->op, lua_db_worker(db));
	x->op.sql = s->text;
	x->op.len = s->len;
	x->op.flags = OP_EXPLAIN;
	x->op.done = on_decided;
	x->op.deadline_us = task_deadline(db->vm);
	x->op.context = context_pin(task_context(db->vm));
	x->wait.vm = db->vm;
	x->wait.push = push_explanation;
	x->wait.cancel = cancel_explanation;
	op_start(&x->op);
	return wait_await(L, &x->wait);
}

/* core.rules_why(db, question) -> the answer of the rules in force, both JSON
 * as policy/why.h says; or nil, err */
static int
core_rules_why(lua_State *L)
{
	struct lua_db *db = lua_db_check(L, 1);
	size_t len;
	const char *text = luaL_checklstring(L, 2, &len);
	json_t *question = json_loadb(text, len, 0, NULL), *answer = NULL;
	struct rules *r = rules_pin(&db->rt->rules);
	struct err e;
	char *out;

	err_clear(&e);
	if (why_tell(r, question, &answer, &e) == 0) {
		out = json_dumps(answer, JSON_COMPACT);
		lua_pushstring(L, out);
		free(out);
		json_decref(answer);
	}
	json_decref(question);
	rules_unpin(&r);
	return e.code != 0 ? fail(L, &e) : 1;
}

static const luaL_Reg functions[] = {
	{"explain", core_explain}, {"rules_why", core_rules_why}, {NULL, NULL}};

void
lua_explain_open(lua_State *L)
{
	luaL_register(L, NULL, functions); /* core */
}
