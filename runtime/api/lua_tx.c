/* SPDX-License-Identifier: MIT
 *
 * lua_tx - core.begin and the handle of a transaction or session.
 */
#include <string.h>

#include "lua_core.h"
#include "lua_db.h"

struct lua_tx *
lua_tx_check(lua_State *L, int at)
{
	struct lua_tx *t;

	if (lua_isnoneornil(L, at))
		return NULL;
	t = luaL_checkudata(L, at, "lunate.tx");
	if (!t->open)
		luaL_error(L, "the transaction is over; its handle works only "
			      "inside the function it was given to");
	if (t->owner != t->db->vm->cur)
		luaL_error(L, "a transaction belongs to the task that began "
			      "it; begin another one in this task");
	return t;
}

static const char *
text_field(lua_State *L, const char *name)
{
	const char *s;

	lua_getfield(L, 2, name);
	s = lua_tostring(L, -1);
	lua_pop(L, 1); /* the table keeps it alive */
	return s;
}

static bool
true_field(lua_State *L, const char *name)
{
	bool yes;

	lua_getfield(L, 2, name);
	yes = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return yes;
}

/* core.begin(db, { isolation, read_only, deferrable, session, mode, site })
 * -> tx, or nil, err.  Nothing is sent yet. */
static int
core_begin(lua_State *L)
{
	struct lua_db *db = lua_db_check(L, 1);
	struct tx_options o = {.mode = POOL_WRITE};
	struct lua_tx *t;
	struct err e;

	luaL_checktype(L, 2, LUA_TTABLE);
	o.isolation = text_field(L, "isolation");
	o.read_only = true_field(L, "read_only");
	o.deferrable = true_field(L, "deferrable");
	o.session = true_field(L, "session");
	o.site = text_field(L, "site");
	o.context = task_context(db->vm);
	if (true_field(L, "reads"))
		o.mode = POOL_READ;
	if (true_field(L, "long"))
		o.mode = POOL_LONG;
	if (true_field(L, "critical"))
		o.mode = POOL_CRITICAL;
	t = lua_newuserdata(L, sizeof(*t));
	memset(t, 0, sizeof(*t));
	if (tx_init(&t->tx, lua_db_worker(db), &o, &e) < 0)
		return fail(L, &e);
	t->db = db;
	t->owner = db->vm->cur;
	lua_pushvalue(L, 1);
	t->db_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	t->open = true;
	luaL_getmetatable(L, "lunate.tx");
	lua_setmetatable(L, -2);
	return 1;
}

void
lua_tx_finish(lua_State *L, struct lua_tx *t)
{
	if (!t->open)
		return;
	t->open = false;
	if (lua_db_ours(t->db))
		tx_end(&t->tx);
	else
		tx_forget(&t->tx);
	luaL_unref(L, LUA_REGISTRYINDEX, t->db_ref);
}

/* tx:finish(): the connection goes back; not committed is rolled back */
static int
tx_finish(lua_State *L)
{
	lua_tx_finish(L, luaL_checkudata(L, 1, "lunate.tx"));
	return 0;
}

/* tx:state() -> "fresh" | "open" | "failed" | "closed" */
static int
tx_state(lua_State *L)
{
	static const char *const words[] = {"fresh", "open", "failed",
					    "closed"};
	struct lua_tx *t = luaL_checkudata(L, 1, "lunate.tx");

	lua_pushstring(L, t->open ? words[t->tx.state] : "closed");
	return 1;
}

/* tx:session() -> what its connection says, server process or nil:
 * "none" (not leased yet), "idle", "open" or "failed" (inside BEGIN), "fenced"
 * (a cancel is on its way), "lost" */
static int
tx_session(lua_State *L)
{
	struct lua_tx *t = luaL_checkudata(L, 1, "lunate.tx");
	struct pool_member *m = t->open ? t->tx.member : NULL;
	struct pgconn *c;

	if (m == NULL || !pool_member_alive(m)) {
		lua_pushstring(L, t->open && m == NULL ? "none" : "lost");
		return 1;
	}
	c = pool_member_conn(m);
	if (pgconn_state(c) == PGCONN_FENCED)
		lua_pushliteral(L, "fenced");
	else if (pgconn_state(c) != PGCONN_READY)
		lua_pushliteral(L, "lost");
	else if (!pgconn_in_tx(c))
		lua_pushliteral(L, "idle");
	else
		lua_pushstring(L, pgconn_tx_failed(c) ? "failed" : "open");
	lua_pushinteger(L, pgconn_backend_pid(c));
	return 2;
}

/* tx:is_transaction(): else it is a bare session */
static int
tx_is_transaction(lua_State *L)
{
	struct lua_tx *t = luaL_checkudata(L, 1, "lunate.tx");

	lua_pushboolean(L, t->tx.begin[0] != 0);
	return 1;
}

/* tx:failure() -> the error of the first statement that failed, or nil */
static int
tx_failure(lua_State *L)
{
	struct lua_tx *t = luaL_checkudata(L, 1, "lunate.tx");

	if (t->tx.state != TX_FAILED)
		return 0;
	push_err(L, &t->tx.err);
	return 1;
}

/* tx:recovered(): ROLLBACK TO a savepoint has succeeded */
static int
tx_recover(lua_State *L)
{
	struct lua_tx *t = lua_tx_check(L, 1);

	tx_recovered(&t->tx);
	return 0;
}

/* tx:soil(): the session is reset before it is used again */
static int
tx_soil(lua_State *L)
{
	struct lua_tx *t = lua_tx_check(L, 1);

	t->tx.dirty = true;
	return 0;
}

static const luaL_Reg methods[] = {{"finish", tx_finish},
				   {"__gc", tx_finish},
				   {"state", tx_state},
				   {"is_transaction", tx_is_transaction},
				   {"failure", tx_failure},
				   {"recovered", tx_recover},
				   {"soil", tx_soil},
				   {"session", tx_session},
				   {NULL, NULL}};

void
lua_tx_open(lua_State *L)
{
	lua_core_class(L, "lunate.tx", methods);
	lua_pushcfunction(L, core_begin);
	lua_setfield(L, -2, "begin"); /* core */
}
