/* SPDX-License-Identifier: MIT
 *
 * lua_catalog - what the live server has, as Lua tables: core.catalog,
 * core.is_read.
 */
#include <string.h>

#include "catalog.h"
#include "lua_core.h"
#include "lua_db.h"
#include "mem.h"

struct question {
	struct wait wait;
	struct catalog_wait loading;
	struct loop_timer timer; /* deadline of the task */
	struct catalog *catalog; /* while it waits */
	struct catalog_snapshot *snapshot;
	struct err err;
};

/* ---- waiting --------------------------------------------------------- */

static void
over(struct question *q)
{
	catalog_unwait(&q->loading);
	loop_timer_stop(&q->timer);
	wait_finish(&q->wait);
}

static void
on_loaded(void *arg)
{
	struct question *q = arg;
	struct catalog_snapshot *s = catalog_current(q->catalog);

	if (s != NULL)
		q->snapshot = catalog_snapshot_pin(s);
	else if (catalog_err(q->catalog)->code != 0)
		q->err = *catalog_err(q->catalog);
	else
		err_set(&q->err, LUNATE_EBUSY,
			"the schema changes while it is read; ask again");
	over(q);
}

static void
on_cancel(struct wait *w, enum err_code code)
{
	struct question *q = CONTAINER_OF(w, struct question, wait);

	err_set(&q->err, code,
		code == LUNATE_EDEADLINE
			? "the deadline passed while the schema was read"
			: "the task was cancelled");
	over(q);
}

static void
on_deadline(struct loop_timer *t)
{
	on_cancel(&CONTAINER_OF(t, struct question, timer)->wait,
		  LUNATE_EDEADLINE);
}

/* ---- a snapshot as tables ---------------------------------------------- */

static void
put_text(lua_State *L, const char *key, const char *value)
{
	lua_pushstring(L, value);
	lua_setfield(L, -2, key);
}

/* Absent unless true. */
static void
put_flag(lua_State *L, const char *key, bool value)
{
	if (!value)
		return;
	lua_pushboolean(L, 1);
	lua_setfield(L, -2, key);
}

static void
push_column(lua_State *L, const struct catalog_column *c)
{
	lua_createtable(L, 0, 6);
	put_text(L, "name", c->name);
	put_text(L, "type", c->type_name);
	put_flag(L, "not_null", c->not_null);
	put_flag(L, "has_default", c->has_default);
	put_flag(L, "generated", c->generated);
	put_flag(L, "identity", c->identity != 0);
}

static void
put_columns(lua_State *L, const struct catalog_table *t)
{
	lua_createtable(L, (int)t->ncolumns, 0);
	for (unsigned i = 0; i < t->ncolumns; i++) {
		push_column(L, &t->columns[i]);
		lua_rawseti(L, -2, (int)i + 1);
	}
	lua_setfield(L, -2, "columns");
}

static void
put_primary_key(lua_State *L, const struct catalog_table *t)
{
	const struct catalog_key *k = catalog_primary_key(t);
	const struct catalog_column *c;

	if (k == NULL)
		return;
	lua_createtable(L, k->ncols, 0);
	for (int i = 0; i < k->ncols; i++) {
		c = catalog_column_by_num(t, k->cols[i]);
		lua_pushstring(L, c != NULL ? c->name : "");
		lua_rawseti(L, -2, i + 1);
	}
	lua_setfield(L, -2, "primary_key");
}

static void
push_table(lua_State *L, const struct catalog_table *t)
{
	static const char *const kinds[] = {
		[CATALOG_TABLE] = "table",
		[CATALOG_PARTITIONED] = "partitioned table",
		[CATALOG_VIEW] = "view",
		[CATALOG_MATVIEW] = "materialized view",
		[CATALOG_FOREIGN] = "foreign table",
		[CATALOG_SEQUENCE] = "sequence"};

	lua_createtable(L, 0, 6);
	put_text(L, "kind", kinds[t->kind]);
	put_flag(L, "is_partition", t->is_partition);
	put_flag(L, "rls", t->rls);
	if (t->parent != NULL) {
		lua_pushfstring(L, "%s.%s", t->parent->schema, t->parent->name);
		lua_setfield(L, -2, "parent");
	}
	if (t->estimate >= 0) {
		lua_pushnumber(L, (double)t->estimate);
		lua_setfield(L, -2, "estimate");
	}
	put_columns(L, t);
	put_primary_key(L, t);
}

/* Tables come sorted by schema: each change of it begins a new one. */
static void
put_schemas(lua_State *L, const struct catalog_snapshot *s)
{
	const struct catalog_table *t;
	unsigned n = catalog_tables(s, &t);

	lua_newtable(L); /* schemas */
	for (unsigned i = 0; i < n; i++) {
		if (i == 0 || strcmp(t[i].schema, t[i - 1].schema) != 0) {
			lua_newtable(L);
			lua_pushvalue(L, -1);
			lua_setfield(L, -3, t[i].schema); /* schemas schema */
		}
		push_table(L, &t[i]);
		lua_setfield(L, -2, t[i].name);
		if (i + 1 == n || strcmp(t[i].schema, t[i + 1].schema) != 0)
			lua_pop(L, 1);
	}
	lua_setfield(L, -2, "schemas");
}

static void
push_snapshot(lua_State *L, const struct catalog_snapshot *s)
{
	const char *const *path;
	unsigned n = catalog_path(s, &path);

	lua_createtable(L, 0, 3);
	lua_pushnumber(L, (double)catalog_snapshot_epoch(s));
	lua_setfield(L, -2, "epoch");
	lua_createtable(L, (int)n, 0);
	for (unsigned i = 0; i < n; i++) {
		lua_pushstring(L, path[i]);
		lua_rawseti(L, -2, (int)i + 1);
	}
	lua_setfield(L, -2, "path");
	put_schemas(L, s);
}

/* ---- core -------------------------------------------------------------- */

static int
push_answer(struct wait *w, lua_State *L)
{
	struct question *q = CONTAINER_OF(w, struct question, wait);
	struct catalog_snapshot *s = q->snapshot;
	struct err e = q->err;

	mem_free(q);
	if (s == NULL)
		return fail(L, &e);
	push_snapshot(L, s);
	catalog_snapshot_unpin(&s);
	return 1;
}

/* core.catalog(db) -> { epoch, path = { schema... }, schemas = { [schema] =
 * { [table] = { kind, columns = { { name, type, ... } ... }, primary_key,
 * parent, estimate, ... } } } }, or nil, err.  Loads it anew. */
static int
core_catalog(lua_State *L)
{
	struct lua_db *db = lua_db_check(L, 1);
	int64_t deadline = task_deadline(db->vm);
	struct question *q;
	struct err e;

	if (lua_op_allowed(L, db, &e) < 0)
		return fail(L, &e);
	q = mem_new(sizeof(*q));
	q->wait.vm = db->vm;
	q->wait.push = push_answer;
	q->wait.cancel = on_cancel;
	q->catalog = lua_db_worker(db)->catalog;
	loop_timer_init(&q->timer, db->vm->loop, on_deadline);
	if (deadline != 0)
		loop_timer_start(&q->timer,
				 deadline - loop_now_us(db->vm->loop));
	catalog_wait_init(&q->loading);
	catalog_wait(q->catalog, &q->loading, on_loaded, q);
	return wait_await(L, &q->wait);
}

/* core.is_read(db, sql) -> would it go out as a read, as far as is known now?
 * nil, err when it cannot be parsed */
static int
core_is_read(lua_State *L)
{
	struct lua_db *db = lua_db_check(L, 1);
	struct stmt *s;
	struct err e;
	size_t len;
	const char *sql = luaL_checklstring(L, 2, &len);

	if (stmt_get(sql, len, &s, &e) < 0)
		return fail(L, &e);
	lua_pushboolean(L, (s->flags & STMT_READS_ONLY) &&
				   !(s->flags & STMT_ALONE) &&
				   catalog_pure(lua_db_worker(db)->catalog, s));
	stmt_unpin(&s);
	return 1;
}

static const luaL_Reg functions[] = {
	{"catalog", core_catalog}, {"is_read", core_is_read}, {NULL, NULL}};

void
lua_catalog_open(lua_State *L)
{
	luaL_register(L, NULL, functions); /* core */
}
