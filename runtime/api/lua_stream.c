/* SPDX-License-Identifier: MIT
 *
 * lua_stream - rows that come while they are read: core.stream.
 *
 * The server is held back (the connection is not read) while STREAM_CHUNKS
 * wait here, so a result of any size takes bounded memory.
 *
 * A plain stream is for a person at a terminal: any statement, its cells as the
 * server's text, its columns also when there is no row, and what the server
 * says beside (notices).  It can be interrupted from any task, and its session
 * goes on.
 */
#include <string.h>

#include "decode.h"
#include "lua_core.h"
#include "lua_db.h"
#include "mem.h"
#include "params.h"
#include "pgconn.h"
#include "str.h"

#define STREAM_CHUNKS 8

#define PLAIN 16	/* the mode: see above */
#define NOTICES_MAX 100 /* kept until somebody looks; more are dropped */

#define SWEEP_US 20000
#define SWEEP_MAX_US 1000000

struct stream {
	struct wait wait;
	struct op op;
	struct arena arena;
	struct rows *chunks[STREAM_CHUNKS + 2]; /* oldest first */
	int nchunks;
	size_t at; /* next row of the oldest chunk */
	unsigned decode;
	bool plain;
	struct shape *shape; /* of its rows; NULL: none yet, or no result */
	struct str notices;  /* each ends with a 0 */
	int nnotices;
	bool dropping; /* what still comes is for nobody */
	bool running;  /* the operation has not ended */
	bool waiting;  /* somebody is in next() */
	bool held;     /* the connection is paused */
	bool closed;
	int ref;	   /* anchors the userdata while waiting */
	struct lua_tx *tx; /* the session it runs in */
	int tx_ref;	   /* registry: its userdata */
};

/* A loop left by break holds its connection until the collector finds its
 * iterator.  When somebody waits for a connection meanwhile, the collector is
 * sent to look; less and less often when it finds nothing. */
static void
sweep(struct loop_timer *t)
{
	struct lua_db *db = CONTAINER_OF(t, struct lua_db, sweep);
	struct pool_stats stats;
	int before = db->streams;

	pool_stats(db->w->pool, &stats);
	if (stats.waiting > 0)
		lua_gc(db->vm->L, LUA_GCCOLLECT, 0);
	if (db->streams < before || stats.waiting == 0)
		db->sweep_us = SWEEP_US;
	else if (db->sweep_us < SWEEP_MAX_US)
		db->sweep_us *= 2;
	if (db->streams > 0)
		loop_timer_start(&db->sweep, db->sweep_us);
}

void
lua_streams_init(struct lua_db *db)
{
	loop_timer_init(&db->sweep, db->vm->loop, sweep);
	db->sweep_us = SWEEP_US;
	db->streams = 0;
}

void
lua_streams_end(struct lua_db *db)
{
	loop_timer_stop(&db->sweep);
}

static void
wake(struct stream *s)
{
	if (!s->waiting)
		return;
	s->waiting = false;
	wait_finish(&s->wait);
}

static void
note_shape(struct stream *s, const struct rows *rows)
{
	if (rows != NULL && s->shape == NULL)
		s->shape = shape_pin((struct shape *)rows_shape(rows));
}

static void
on_notice(struct op *op, const char *text)
{
	struct stream *s = CONTAINER_OF(op, struct stream, op);

	if (s->closed || s->nnotices == NOTICES_MAX)
		return;
	str_addn(&s->notices, text, strlen(text) + 1);
	s->nnotices++;
	wake(s);
}

static void
on_chunk(struct op *op, struct rows *rows)
{
	struct stream *s = CONTAINER_OF(op, struct stream, op);

	note_shape(s, rows);
	if (s->closed || s->dropping) {
		rows_unpin(&rows);
		return;
	}
	assert(s->nchunks < STREAM_CHUNKS + 2);
	s->chunks[s->nchunks++] = rows;
	if (s->nchunks >= STREAM_CHUNKS && op->req.conn != NULL) {
		s->held = true;
		pgconn_pause(op->req.conn);
	}
	wake(s);
}

static void
on_done(struct op *op)
{
	struct stream *s = CONTAINER_OF(op, struct stream, op);

	note_shape(s, op->rows);
	s->running = false;
	wake(s);
}

static void
drop_oldest(struct stream *s)
{
	rows_unpin(&s->chunks[0]);
	s->nchunks--;
	memmove(s->chunks, s->chunks + 1,
		(size_t)s->nchunks * sizeof(*s->chunks));
	s->at = 0;
	if (s->held && s->nchunks <= STREAM_CHUNKS / 2) {
		s->held = false;
		if (s->op.req.conn != NULL)
			pgconn_resume(s->op.req.conn);
	}
}

/* nil at the end; nil, err when it failed */
static int
push_end(lua_State *L, struct stream *s)
{
	if (s->op.err.code != 0)
		return fail(L, &s->op.err);
	lua_pushnil(L);
	return 1;
}

static int
push_row(lua_State *L, struct stream *s)
{
	struct decode d = {s->chunks[0], s->decode};
	struct err e;

	if (s->plain)
		decode_text(L, d.rows, s->at);
	else if (decode_row(L, &d, s->at, &e) < 0)
		return fail(L, &e);
	if (++s->at == rows_count(s->chunks[0]))
		drop_oldest(s);
	return 1;
}

/* false: nothing but notices came */
static int
push_next(lua_State *L, struct stream *s)
{
	if (s->nchunks > 0)
		return push_row(L, s);
	if (!s->running)
		return push_end(L, s);
	lua_pushboolean(L, 0);
	return 1;
}

static int
stream_push(struct wait *w, lua_State *L)
{
	struct stream *s = CONTAINER_OF(w, struct stream, wait);

	luaL_unref(L, LUA_REGISTRYINDEX, s->ref);
	return push_next(L, s);
}

static void
stream_cancel(struct wait *w, enum err_code code)
{
	op_cancel(&CONTAINER_OF(w, struct stream, wait)->op, code);
}

static struct stream *
check(lua_State *L)
{
	return luaL_checkudata(L, 1, "lunate.stream");
}

/* stream:next() -> row, or nil at the end, or nil, err; of a plain one also
 * false: look at the notices, and go on */
static int
stream_next(lua_State *L)
{
	struct stream *s = check(L);

	if (s->closed)
		return 0;
	if (s->nchunks > 0 || !s->running || s->nnotices > 0)
		return push_next(L, s);
	wait_check(L);
	if (s->waiting)
		return luaL_error(L, "two tasks read one stream");
	if (task_cancelled(s->wait.vm))
		return fail_code(L, LUNATE_ECANCELLED,
				 "the task was cancelled");
	s->waiting = true;
	s->wait.finished = s->wait.begun = false;
	lua_pushvalue(L, 1);
	s->ref = luaL_ref(L, LUA_REGISTRYINDEX);
	return wait_await(L, &s->wait);
}

static void
release(lua_State *L, struct stream *s)
{
	luaL_unref(L, LUA_REGISTRYINDEX, s->tx_ref);
	if (s->shape != NULL)
		shape_unpin(&s->shape);
	str_fini(&s->notices);
	op_fini(&s->op);
	arena_fini(&s->arena);
}

/* stream:close(): harmless when it is closed */
static int
stream_close(lua_State *L)
{
	struct stream *s = check(L);
	struct err e;

	if (s->closed)
		return 0;
	s->closed = true;
	if (s->running && !lua_db_ours(s->tx->db))
		return 0; /* a child of fork() leaves all as it is */
	s->tx->db->streams--;
	if (s->running) {
		err_set(&e, LUNATE_ECANCELLED, "the stream was closed");
		op_end_now(&s->op, &e);
	}
	while (s->nchunks > 0)
		rows_unpin(&s->chunks[--s->nchunks]);
	release(L, s);
	return 0;
}

/* stream:columns() -> { { name, type } ... }, or nil: no result, or none yet */
static int
stream_columns(lua_State *L)
{
	const struct shape *h = check(L)->shape;

	if (h == NULL)
		return 0;
	lua_createtable(L, h->ncols, 0);
	for (int i = 0; i < h->ncols; i++) {
		lua_createtable(L, 0, 2);
		lua_pushstring(L, h->cols[i].name);
		lua_setfield(L, -2, "name");
		lua_pushnumber(L, h->cols[i].type);
		lua_setfield(L, -2, "type");
		lua_rawseti(L, -2, i + 1);
	}
	return 1;
}

/* stream:notices() -> array of texts, once */
static int
stream_notices(lua_State *L)
{
	struct stream *s = check(L);
	const char *at = s->notices.at;

	lua_createtable(L, s->nnotices, 0);
	for (int i = 1; i <= s->nnotices; i++) {
		lua_pushstring(L, at);
		at += strlen(at) + 1;
		lua_rawseti(L, -2, i);
	}
	s->nnotices = 0;
	str_clear(&s->notices);
	return 1;
}

/* stream:outcome() -> command tag, rows touched or nil; after its end */
static int
stream_outcome(lua_State *L)
{
	struct stream *s = check(L);

	lua_pushstring(L, s->op.req.tag);
	if (s->op.affected < 0)
		return 1;
	lua_pushnumber(L, (double)s->op.affected);
	return 2;
}

/* stream:interrupt() -> was the server asked to stop it?  (Or: it has ended.)
 * From any task; next() tells how it ended. */
static int
stream_interrupt(lua_State *L)
{
	struct stream *s = check(L);

	lua_pushboolean(L, s->closed || op_interrupt(&s->op));
	return 1;
}

/* stream:drop(): rows that are here and still come are for nobody */
static int
stream_drop(lua_State *L)
{
	struct stream *s = check(L);

	s->dropping = true;
	while (!s->closed && s->nchunks > 0)
		drop_oldest(s);
	return 0;
}

/* Nobody reads it any more (a loop left by break): its session goes with it,
 * in the same collection. */
static int
stream_gc(lua_State *L)
{
	struct stream *s = check(L);
	struct lua_tx *tx = s->tx;
	bool open = !s->closed;

	stream_close(L);
	if (open)
		lua_tx_finish(L, tx);
	return 0;
}

static struct stream *
new_stream(lua_State *L, struct lua_db *db, struct lua_tx *tx)
{
	struct stream *s = lua_newuserdata(L, sizeof(*s));

	memset(s, 0, sizeof(*s));
	arena_init(&s->arena, NULL, 0);
	str_init(&s->notices);
	op_init(&s->op, lua_db_worker(db));
	s->op.done = on_done;
	s->op.chunk = on_chunk;
	s->op.flags = OP_STREAM;
	s->op.tx = &tx->tx;
	s->op.deadline_us = task_deadline(db->vm);
	s->op.context = context_pin(task_context(db->vm));
	s->wait.vm = db->vm;
	s->wait.push = stream_push;
	s->wait.cancel = stream_cancel;
	lua_pushvalue(L, 2);
	s->tx = tx;
	s->tx_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	s->closed = true; /* until it has begun: __gc must do nothing */
	luaL_getmetatable(L, "lunate.stream");
	lua_setmetatable(L, -2);
	return s;
}

/* Any statement goes: the session is the caller's own.  It is not kept
 * prepared: what people type rarely comes again, and a table that changes in a
 * transaction would make its plan unusable there. */
static void
make_plain(struct stream *s)
{
	s->plain = true;
	s->op.flags |= OP_INTERNAL | OP_UNNAMED | OP_PLAIN;
	s->op.notice = on_notice;
}

/* core.stream(db, tx, mode, options or nil, sql, ...) -> stream, or nil, err */
static int
core_stream(lua_State *L)
{
	struct lua_db *db = lua_db_check(L, 1);
	struct lua_tx *tx = lua_tx_check(L, 2);
	struct op probe = {0};
	unsigned decode = 0;
	struct params p;
	struct stream *s;
	struct err e;

	lua_op_options(L, 4, &probe, &decode);
	luaL_checktype(L, 5, LUA_TSTRING);
	if (lua_op_allowed(L, db, &e) < 0)
		return fail(L, &e);
	s = new_stream(L, db, tx);
	lua_insert(L, 1); /* stream db tx mode options sql ... */
	p.arena = &s->arena;
	if (params_take(L, 7, &p, &e) < 0) {
		release(L, s);
		return fail(L, &e);
	}
	if (lua_tointeger(L, 4) & PLAIN)
		make_plain(s);
	lua_op_options(L, 5, &s->op, &s->decode);
	s->op.vals = p.vals;
	s->op.nvals = p.n;
	s->op.sql = lua_tolstring(L, 6, &s->op.len);
	s->op.sql = arena_dup(&s->arena, s->op.sql, s->op.len);
	s->closed = false;
	if (db->streams++ == 0)
		loop_timer_start(&db->sweep, db->sweep_us);
	s->running = true;
	op_start(&s->op);
	lua_settop(L, 1);
	return 1;
}

static const luaL_Reg methods[] = {{"next", stream_next},
				   {"close", stream_close},
				   {"columns", stream_columns},
				   {"notices", stream_notices},
				   {"outcome", stream_outcome},
				   {"interrupt", stream_interrupt},
				   {"drop", stream_drop},
				   {"__gc", stream_gc},
				   {NULL, NULL}};

void
lua_stream_open(lua_State *L)
{
	lua_core_class(L, "lunate.stream", methods);
	lua_pushcfunction(L, core_stream);
	lua_setfield(L, -2, "stream"); /* core */
}
