/* SPDX-License-Identifier: MIT
 *
 * lua_db - core.open, core.run and transactions: one operation asked for by a
 * script.
 */
#include "lua_db.h"

#include <stdio.h>
#include <string.h>

#include "ctl.h"
#include "decode.h"
#include "group.h"
#include "lua_core.h"
#include "mem.h"
#include "params.h"
#include "process.h"
#include "tree.h"

/* ---- databases --------------------------------------------------------- */

struct lua_db *
lua_db_check(lua_State *L, int at)
{
	struct lua_db *db = luaL_checkudata(L, at, "lunate.db");

	if (db->rt == NULL)
		luaL_error(L, "the database is closed");
	return db;
}

static int
set_option(lua_State *L, struct config *c, struct err *e)
{
	const char *key = lua_tostring(L, -2);

	if (lua_type(L, -2) != LUA_TSTRING)
		return err_set(e, LUNATE_ECONFIG,
			       "options have names: lunate.open{ url = ... }");
	switch (lua_type(L, -1)) {
	case LUA_TBOOLEAN:
		return config_set_bool(c, key, lua_toboolean(L, -1), e);
	case LUA_TNUMBER:
		return config_set_number(c, key, lua_tonumber(L, -1), e);
	case LUA_TSTRING:
		return config_set(c, key, lua_tostring(L, -1), e);
	default:
		return err_set(e, LUNATE_ECONFIG,
			       "option %s: a %s is no value for an option", key,
			       luaL_typename(L, -1));
	}
}

/* A script pays only for the connections it uses. */
void
lua_db_defaults(struct config *c)
{
	config_init(c);
	config_default(c, "pool_min", "0");
}

int
lua_db_options(lua_State *L, struct config *c, struct config_notes *notes,
	       struct err *e)
{
	int top = lua_gettop(L);
	int rc;

	rc = config_from_process(c, notes, e);
	if (rc == 0 && lua_istable(L, 1)) {
		lua_pushnil(L);
		while (rc == 0 && lua_next(L, 1) != 0) {
			rc = set_option(L, c, e);
			lua_pop(L, 1); /* value */
		}
	}
	if (rc == 0)
		rc = config_check(c, notes, e);
	lua_settop(L, top);
	return rc;
}

/* What is allowed but looks wrong: said once, by the first worker. */
static void
tell_notes(struct worker *w, const struct config_notes *notes)
{
	for (size_t i = 0; w->index == 0 && i < notes->n; i++)
		log_warn(&w->rt->log, "config", "doubtful option",
			 LOG_STR("what", notes->at[i]));
}

/* In a C host's VM a database without options is the host's. */
static bool
is_home(lua_State *L, const struct vm *vm)
{
	const char *key = lua_tostring(L, 2);

	return vm->home != NULL && (key == NULL || key[0] == 0);
}

/* In a group, what was opened with the same key is one runtime. */
static int
open_worker(lua_State *L, struct vm *vm, struct config *c,
	    struct group_member *m)
{
	struct runtime *rt;

	if (vm->group != NULL && lua_isstring(L, 2))
		return group_open(vm->group, lua_tostring(L, 2), c, m);
	if (runtime_open(&rt, c, m->loop, &m->err) < 0)
		return m->err.code;
	m->worker = rt->workers;
	return 0;
}

/* A worker of the runtime that the options on the stack describe. */
static int
open_by_options(lua_State *L, struct vm *vm, struct group_member *m)
{
	struct config_notes notes;
	struct config c;
	int rc;

	lua_db_defaults(&c);
	config_notes_init(&notes);
	rc = lua_db_options(L, &c, &notes, &m->err);
	if (rc < 0)
		config_fini(&c);
	else
		rc = open_worker(L, vm, &c, m);
	if (rc == 0)
		tell_notes(m->worker, &notes);
	config_notes_fini(&notes);
	return rc;
}

/* core.open(options or nil, key or nil) -> db, or nil, err */
static int
core_open(lua_State *L)
{
	struct vm *vm = vm_of(L);
	struct group_member m = {.loop = vm->loop};
	struct lua_db *db;

	m.worker = vm->home;
	if (!is_home(L, vm) && open_by_options(L, vm, &m) < 0)
		return fail(L, &m.err);
	db = lua_newuserdata(L, sizeof(*db));
	db->w = m.worker;
	db->borrowed = m.worker == vm->home;
	db->rt = m.worker->rt;
	db->vm = vm;
	list_init(&db->listeners);
	lua_streams_init(db);
	/* One socket a runtime: that of its first worker. */
	db->ctl = db->rt->config.control_socket && db->w->index == 0 &&
				  !db->borrowed
			  ? ctl_new(db->w)
			  : NULL;
	list_init(&db->link);
	list_push_back(&vm->dbs, &db->link);
	luaL_getmetatable(L, "lunate.db");
	lua_setmetatable(L, -2);
	return 1;
}

/* db:quiet() -> nothing is under way */
static int
db_quiet(lua_State *L)
{
	struct lua_db *db = luaL_checkudata(L, 1, "lunate.db");

	lua_pushboolean(L,
			db->rt == NULL || db->borrowed || worker_quiet(db->w));
	return 1;
}

/* db:stop(): no new work */
static int
db_stop(lua_State *L)
{
	struct lua_db *db = luaL_checkudata(L, 1, "lunate.db");

	if (db->rt != NULL && !db->borrowed)
		db->w->closing = true;
	return 0;
}

bool
lua_db_ours(const struct lua_db *db)
{
	return db->rt != NULL && db->rt->pid == process_id();
}

void
lua_db_end(struct lua_db *db)
{
	list_remove(&db->link);
	if (!lua_db_ours(db)) {
		db->rt = NULL;
		return;
	}
	lua_streams_end(db);
	lua_events_end(db);
	if (db->ctl != NULL)
		ctl_free(&db->ctl);
	db->rt = NULL;
	if (!db->borrowed)
		runtime_leave(&db->w);
}

/* db:free(): what is still under way ends with an error */
static int
db_free(lua_State *L)
{
	lua_db_end(luaL_checkudata(L, 1, "lunate.db"));
	return 0;
}

/* ---- one operation ----------------------------------------------------- */

enum mode { MODE_QUERY, MODE_EXEC, MODE_ONE };
#define CONTROL 16 /* beside the mode: our own transaction control */
#define RAW 32	   /* beside the mode: of db:raw() */

struct call {
	struct wait wait;
	struct op op;
	enum mode mode;
	unsigned decode;
	struct arena arena;
	char first[512] __attribute__((aligned(16)));
};

static void
call_done(struct op *op)
{
	wait_finish(&CONTAINER_OF(op, struct call, op)->wait);
}

static void
call_cancel(struct wait *w, enum err_code code)
{
	op_cancel(&CONTAINER_OF(w, struct call, wait)->op, code);
}

static void
free_call(struct call *k)
{
	struct vm *vm = k->wait.vm;

	op_fini(&k->op);
	arena_fini(&k->arena);
	spare_give(&vm->calls, k);
}

static int
push_one(lua_State *L, struct call *k, struct err *e)
{
	struct decode d = {k->op.rows, k->decode};
	size_t n = rows_count(d.rows);

	if (n == 0) {
		lua_pushnil(L);
		lua_pushnil(L);
		return 2;
	}
	if (n > 1) {
		err_set(e, LUNATE_EINVAL,
			"db:one found %zu rows; add a condition or LIMIT 1, or "
			"use db:query",
			n);
		return fail(L, e);
	}
	if (decode_row(L, &d, 0, e) < 0)
		return fail(L, e);
	return 1;
}

static int
push_result(lua_State *L, struct call *k)
{
	struct decode d = {k->op.rows, k->decode};
	struct err e;

	if (k->op.err.code != 0)
		return fail(L, &k->op.err);
	if (k->mode == MODE_EXEC) {
		lua_pushnumber(L, k->op.affected >= 0 ? (double)k->op.affected
						      : 0);
		return 1;
	}
	if (k->op.rows == NULL) { /* no RETURNING: an empty result */
		lua_createtable(L, 0, 1);
		lua_pushnumber(L, 0);
		lua_setfield(L, -2, "n");
		if (k->mode == MODE_ONE)
			lua_pushnil(L);
		return 1;
	}
	if (k->mode == MODE_ONE)
		return push_one(L, k, &e);
	if (decode_rows(L, &d, &e) < 0)
		return fail(L, &e);
	return 1;
}

static void
count_write(const struct call *k)
{
	const struct op *op = &k->op;

	if (k->wait.vm->cur != NULL && op->err.code == 0 && !op->read &&
	    !tx_undoes(op->tx, op->stmt))
		k->wait.vm->cur->writes++;
}

static int
call_push(struct wait *w, lua_State *L)
{
	struct call *k = CONTAINER_OF(w, struct call, wait);
	int n;

	count_write(k);
	n = push_result(L, k);

	free_call(k);
	return n;
}

/* Options of a call, at stack index `at`; unknown names are mistakes. */
static void
take_timeout(lua_State *L, struct op *op, struct vm *vm)
{
	double seconds = lua_tonumber(L, -1);
	int64_t at;

	if (lua_type(L, -1) != LUA_TNUMBER)
		luaL_error(L, "option timeout wants seconds, not a %s",
			   luaL_typename(L, -1));
	loop_refresh(vm->loop);
	at = loop_now_us(vm->loop) + task_us(seconds);
	if (op->deadline_us == 0 || at < op->deadline_us)
		op->deadline_us = at > 0 ? at : 1;
}

static int
one_of(lua_State *L, const char *option, const char *const *words)
{
	const char *s = lua_tostring(L, -1), *kind = luaL_typename(L, -1);
	luaL_Buffer b;

	for (int i = 0; s != NULL && words[i] != NULL; i++)
		if (strcmp(words[i], s) == 0)
			return i;
	luaL_buffinit(L, &b);
	for (int i = 0; words[i] != NULL; i++) {
		luaL_addstring(&b, i > 0 ? ", \"" : "\"");
		luaL_addstring(&b, words[i]);
		luaL_addchar(&b, '"');
	}
	luaL_pushresult(&b);
	return luaL_error(L, "option %s: this %s is none of %s", option, kind,
			  lua_tostring(L, -1));
}

static void
take_decode(lua_State *L, const char *key, unsigned *flags)
{
	static const char *const ints[] = {"number", "int64", "string", NULL};
	static const unsigned int_flags[] = {0, DECODE_INT64,
					     DECODE_INT_STRING};
	static const char *const numerics[] = {"string", "number", NULL};
	static const char *const jsons[] = {"table", "string", NULL};

	if (strcmp(key, "nulls") == 0)
		*flags |= lua_toboolean(L, -1) ? DECODE_NULLS : 0;
	else if (strcmp(key, "positional") == 0)
		*flags |= lua_toboolean(L, -1) ? DECODE_POSITIONAL : 0;
	else if (strcmp(key, "int8") == 0)
		*flags |= int_flags[one_of(L, key, ints)];
	else if (strcmp(key, "numeric") == 0)
		*flags |= one_of(L, key, numerics) == 1 ? DECODE_NUMERIC : 0;
	else if (strcmp(key, "json") == 0)
		*flags |= one_of(L, key, jsons) == 1 ? DECODE_JSON_STRING : 0;
	else
		luaL_error(L, "unknown option %s of a call", key);
}

void
lua_op_options(lua_State *L, int at, struct op *op, unsigned *decode)
{
	static const char *const priorities[] = {"critical", "high", "normal",
						 "low", NULL};
	static const char *const classes[] = {"read", "write", "critical",
					      NULL};
	const char *key;

	if (!lua_istable(L, at))
		return;
	lua_pushnil(L);
	while (lua_next(L, at) != 0) {
		key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2)
						     : "(not a name)";
		if (strcmp(key, "timeout") == 0) {
			take_timeout(L, op, vm_of(L));
		} else if (strcmp(key, "priority") == 0) {
			op->priority_given = true;
			op->priority = (enum gate_priority)one_of(L, key,
								  priorities);
		} else if (strcmp(key, "class") == 0) {
			op->cls_given = true;
			op->cls = (enum rules_class)one_of(L, key, classes);
		} else if (strcmp(key, "read_only") == 0) {
			op->flags |= lua_toboolean(L, -1) ? OP_READ_ONLY : 0;
		} else {
			take_decode(L, key, decode);
		}
		lua_pop(L, 1); /* value */
	}
}

struct worker *
lua_db_worker(struct lua_db *db)
{
	return db->w;
}

static struct call *
new_call(struct vm *vm, struct lua_db *db)
{
	struct call *k = spare_take(&vm->calls, sizeof(*k));

	memset(&k->wait, 0, sizeof(k->wait));
	k->decode = 0;
	arena_init(&k->arena, k->first, sizeof(k->first));
	op_init(&k->op, lua_db_worker(db));
	k->op.done = call_done;
	k->op.deadline_us = task_deadline(vm);
	k->op.context = context_pin(task_context(vm));
	k->wait.vm = vm;
	k->wait.push = call_push;
	k->wait.cancel = call_cancel;
	return k;
}

/* Before an operation is begun: may it be at all? */
int
lua_op_allowed(lua_State *L, struct lua_db *db, struct err *e)
{
	wait_check(L);
	if (runtime_mine(db->rt, e) < 0)
		return e->code;
	if (task_cancelled(db->vm))
		return err_set(e, LUNATE_ECANCELLED, "the task was cancelled");
	return 0;
}

/* The options are read before anything is allocated that an error raised by
 * them would leak. */
static void
check_call(lua_State *L)
{
	struct op probe = {0};
	unsigned decode = 0;

	lua_op_options(L, 4, &probe, &decode);
	if (lua_type(L, 5) != LUA_TSTRING)
		luaL_error(L, "the statement must be a string, not a %s",
			   luaL_typename(L, 5));
}

/* core.run(db, tx or nil, mode, options or nil, sql, ...) */
static int
core_run(lua_State *L)
{
	struct lua_db *db = lua_db_check(L, 1);
	struct lua_tx *tx = lua_tx_check(L, 2);
	struct params p;
	struct call *k;
	struct err e;

	check_call(L);
	if (lua_op_allowed(L, db, &e) < 0)
		return fail(L, &e);
	k = new_call(db->vm, db);
	k->mode = (enum mode)(lua_tointeger(L, 3) & 15);
	if (lua_tointeger(L, 3) & CONTROL)
		k->op.flags |= OP_INTERNAL;
	if (lua_tointeger(L, 3) & RAW)
		k->op.flags |= OP_RAW;
	lua_op_options(L, 4, &k->op, &k->decode);
	k->op.sql = lua_tolstring(L, 5, &k->op.len);
	p.arena = &k->arena;
	if (params_take(L, 6, &p, &e) < 0) {
		free_call(k);
		if (tx != NULL)
			tx_failed(&tx->tx, &e);
		return fail(L, &e);
	}
	k->op.vals = p.vals;
	k->op.nvals = p.n;
	k->op.tx = tx != NULL ? &tx->tx : NULL;
	op_start(&k->op);
	return wait_await(L, &k->wait);
}

/* core.split(text) -> array of statements, or nil, err */
static int
core_split(lua_State *L)
{
	size_t len;
	const char *text = luaL_checklstring(L, 1, &len);
	struct tree_script parts;
	struct err e;

	if (stmt_split(text, len, &parts, &e) < 0)
		return fail(L, &e);
	lua_createtable(L, (int)parts.n, 0);
	for (size_t i = 0; i < parts.n; i++) {
		lua_pushlstring(L, text + parts.spans[i].start,
				parts.spans[i].len);
		lua_rawseti(L, -2, (int)i + 1);
	}
	tree_script_fini(&parts);
	return 1;
}

static void
push_flag(lua_State *L, const char *name, bool yes)
{
	lua_pushboolean(L, yes);
	lua_setfield(L, -2, name);
}

/* core.facts(text) -> { kind, rows, ddl, session, commits, nparams, copy = "in"
 * or "out" } of one statement, or nil, err */
static int
core_facts(lua_State *L)
{
	size_t len;
	const char *text = luaL_checklstring(L, 1, &len);
	struct stmt *s;
	struct err e;

	if (stmt_get(text, len, &s, &e) < 0)
		return fail(L, &e);
	lua_createtable(L, 0, 7); /* facts */
	lua_pushstring(L, stmt_kind_word(s->kind));
	lua_setfield(L, -2, "kind");
	push_flag(L, "rows", s->flags & STMT_RETURNS_ROWS);
	push_flag(L, "ddl", s->flags & STMT_CATALOG);
	push_flag(L, "session", s->flags & STMT_SESSION);
	push_flag(L, "commits",
		  s->tx == STMT_TX_COMMIT || s->tx == STMT_TX_PREPARE ||
			  s->tx == STMT_TX_COMMIT_PREPARED);
	lua_pushinteger(L, (int)s->nparams);
	lua_setfield(L, -2, "nparams");
	if (s->flags & (STMT_COPY_IN | STMT_COPY_OUT)) {
		lua_pushstring(L, (s->flags & STMT_COPY_IN) ? "in" : "out");
		lua_setfield(L, -2, "copy");
	}
	stmt_unpin(&s);
	return 1;
}

static const luaL_Reg db_methods[] = {{"quiet", db_quiet},
				      {"stop", db_stop},
				      {"free", db_free},
				      {"__gc", db_free},
				      {NULL, NULL}};
static const luaL_Reg functions[] = {{"open", core_open},
				     {"run", core_run},
				     {"split", core_split},
				     {"facts", core_facts},
				     {NULL, NULL}};

void
lua_db_open(lua_State *L)
{
	lua_core_class(L, "lunate.db", db_methods);
	lua_tx_open(L);
	luaL_register(L, NULL, functions); /* core */
}
