/* SPDX-License-Identifier: MIT
 *
 * lua_copy - COPY from and to a script: core.copy.
 */
#include <string.h>

#include "lua_core.h"
#include "lua_db.h"
#include "pgcopy.h"
#include "stmt.h"

struct copy {
	struct wait wait;
	struct pgcopy io;
	struct loop_timer timer; /* deadline of the task */
	struct lua_tx *tx;
	bool waiting;
	bool over;	 /* nothing more to do with the connection */
	bool complete;	 /* IN: all data and their end were sent */
	int ref, tx_ref; /* registry: itself while waiting; its session */
};

static void
wake(struct copy *k)
{
	if (!k->waiting)
		return;
	k->waiting = false;
	loop_timer_stop(&k->timer);
	wait_finish(&k->wait);
}

static void
on_wake(struct pgcopy *io)
{
	struct copy *k = CONTAINER_OF(io, struct copy, io);

	if (pgcopy_ready(&k->io))
		wake(k);
}

static void
copy_cancel(struct wait *w, enum err_code code)
{
	struct copy *k = CONTAINER_OF(w, struct copy, wait);

	pgcopy_abort(&k->io, code,
		     code == LUNATE_EDEADLINE
			     ? "the deadline passed during COPY"
			     : "the task was cancelled during COPY");
	wake(k);
}

static void
on_deadline(struct loop_timer *t)
{
	copy_cancel(&CONTAINER_OF(t, struct copy, timer)->wait,
		    LUNATE_EDEADLINE);
}

/* An error ends the transaction the COPY ran in. */
static void
end_copy(lua_State *L, struct copy *k)
{
	if (k->over)
		return;
	k->over = true;
	if (k->io.err.code != 0)
		tx_failed(&k->tx->tx, &k->io.err);
	pgcopy_fini(&k->io);
	luaL_unref(L, LUA_REGISTRYINDEX, k->tx_ref);
}

/* "in" | "out", bytes | "done", rows; or nil, err */
static int
push_state(lua_State *L, struct copy *k)
{
	struct err e;

	if (k->io.state == PGCOPY_DONE && k->io.out.len == 0) {
		tx_copy_doubt(&k->tx->tx, k->complete, &k->io.err);
		e = k->io.err;
		end_copy(L, k);
		if (e.code != 0)
			return fail(L, &e);
		if (k->complete && k->wait.vm->cur != NULL)
			k->wait.vm->cur->writes++;
		lua_pushliteral(L, "done");
		lua_pushnumber(L, (double)k->io.affected);
		return 2;
	}
	if (k->io.out.len > 0) {
		lua_pushliteral(L, "out");
		lua_pushlstring(L, k->io.out.at, k->io.out.len);
		pgcopy_taken(&k->io);
		return 2;
	}
	lua_pushliteral(L, "in");
	return 1;
}

static int
copy_push(struct wait *w, lua_State *L)
{
	struct copy *k = CONTAINER_OF(w, struct copy, wait);

	luaL_unref(L, LUA_REGISTRYINDEX, k->ref);
	return push_state(L, k);
}

/* The userdata at stack index 1 waits until something can be done. */
static int
await(lua_State *L, struct copy *k)
{
	int64_t until = task_deadline(k->wait.vm);

	if (pgcopy_ready(&k->io))
		return push_state(L, k);
	k->waiting = true;
	k->wait.finished = k->wait.begun = false;
	lua_pushvalue(L, 1);
	k->ref = luaL_ref(L, LUA_REGISTRYINDEX);
	if (until != 0) {
		loop_refresh(k->wait.vm->loop);
		loop_timer_start(&k->timer,
				 until - loop_now_us(k->wait.vm->loop));
	}
	return wait_await(L, &k->wait);
}

static struct copy *
check(lua_State *L)
{
	struct copy *k = luaL_checkudata(L, 1, "lunate.copy");

	wait_check(L);
	if (k->over || k->waiting)
		luaL_error(L, "the COPY is over, or waits already");
	return k;
}

/* copy:put(bytes) -> as push_state */
static int
copy_put(lua_State *L)
{
	struct copy *k = check(L);
	size_t len;
	const char *bytes = luaL_checklstring(L, 2, &len);

	if (task_cancelled(k->wait.vm))
		copy_cancel(&k->wait, LUNATE_ECANCELLED);
	else if (k->io.state == PGCOPY_IN)
		pgcopy_put(&k->io, bytes, len);
	return await(L, k);
}

/* copy:finish(reason or nil) -> as push_state */
static int
copy_finish(lua_State *L)
{
	struct copy *k = check(L);
	const char *reason = lua_tostring(L, 2);

	if (k->io.state == PGCOPY_IN) {
		k->complete = reason == NULL;
		pgcopy_end(&k->io, reason);
	}
	return await(L, k);
}

/* copy:next() -> as push_state */
static int
copy_next(lua_State *L)
{
	struct copy *k = check(L);

	if (task_cancelled(k->wait.vm))
		copy_cancel(&k->wait, LUNATE_ECANCELLED);
	return await(L, k);
}

/* copy:close(): harmless when it is over */
static int
copy_close(lua_State *L)
{
	struct copy *k = luaL_checkudata(L, 1, "lunate.copy");

	if (k->over)
		return 0;
	if (k->io.state != PGCOPY_DONE && !lua_db_ours(k->tx->db))
		return 0; /* a child of fork() leaves all as it is */
	pgcopy_abort(&k->io, LUNATE_ECANCELLED, "the COPY was given up");
	end_copy(L, k);
	return 0;
}

/* core.copy(db, tx, sql) -> copy, or nil, err; the session is connected */
static int
core_copy(lua_State *L)
{
	struct lua_db *db = lua_db_check(L, 1);
	struct lua_tx *tx = lua_tx_check(L, 2);
	size_t len;
	const char *sql = luaL_checklstring(L, 3, &len);
	struct copy *k;
	struct err e;

	luaL_argcheck(L, tx != NULL && tx->tx.member != NULL, 2, "no session");
	if (lua_op_allowed(L, db, &e) < 0 || tx_copy_text(sql, len, &e) < 0 ||
	    op_copy_allowed(lua_db_worker(db), task_context(db->vm), &e) < 0 ||
	    tx_copy_ready(&tx->tx, task_context(db->vm), &e) < 0)
		return fail(L, &e);
	k = lua_newuserdata(L, sizeof(*k));
	memset(k, 0, sizeof(*k));
	k->wait.vm = db->vm;
	k->wait.push = copy_push;
	k->wait.cancel = copy_cancel;
	k->io.wake = on_wake;
	k->tx = tx;
	loop_timer_init(&k->timer, db->vm->loop, on_deadline);
	lua_pushvalue(L, 2);
	k->tx_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	luaL_getmetatable(L, "lunate.copy");
	lua_setmetatable(L, -2);
	pgcopy_start(&k->io, pool_member_conn(tx->tx.member), sql);
	return 1;
}

static const luaL_Reg methods[] = {
	{"put", copy_put},     {"finish", copy_finish}, {"next", copy_next},
	{"close", copy_close}, {"__gc", copy_close},	{NULL, NULL}};

void
lua_copy_open(lua_State *L)
{
	lua_core_class(L, "lunate.copy", methods);
	lua_pushcfunction(L, core_copy);
	lua_setfield(L, -2, "copy"); /* core */
}
