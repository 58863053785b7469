/* SPDX-License-Identifier: MIT
 *
 * lua_db - what the binding's files share about databases and transactions.
 *
 * lua_db  a runtime with one inline worker on the VM's own loop.  Closed or
 *         collected, rt is NULL.
 * lua_tx  a transaction or session handle; it pins its database's userdata,
 *         so it cannot outlive the runtime.
 */
#ifndef LUA_DB_H
#define LUA_DB_H

#include "runtime.h"
#include "task.h"
#include "tx.h"

struct ctl;

struct lua_db {
	struct list link;   /* in vm->dbs */
	struct runtime *rt; /* NULL: closed */
	struct worker *w;   /* ours, or a C host's */
	bool borrowed;	    /* it is a C host's, and outlives us */
	struct vm *vm;
	struct list listeners;	 /* of lua_events */
	struct ctl *ctl;	 /* or NULL */
	int streams;		 /* not closed yet */
	struct loop_timer sweep; /* while there are any */
	int64_t sweep_us;	 /* grows while it is in vain */
};

struct lua_tx {
	struct tx tx;
	struct lua_db *db;
	struct task *owner; /* the task it belongs to; NULL: main program */
	int db_ref;	    /* registry: the database's userdata */
	bool open;
};

/* config_init() with what is the default of scripts. */
void lua_db_defaults(struct config *c);

/* The process' environment, and over it the option table at 1, if there is
 * one; checked.  What lunate.open{} goes by. */
MUST_USE
int lua_db_options(lua_State *L, struct config *c, struct config_notes *notes,
		   struct err *e);

/* Raises when it is no database, or closed. */
struct lua_db *lua_db_check(lua_State *L, int at);
struct worker *lua_db_worker(struct lua_db *db);

/* Is its runtime open, and of this process?  In a child of fork() sockets
 * and threads are the parent's: nothing may be ended there. */
bool lua_db_ours(const struct lua_db *db);

/* The end of the runtime, and of all that hangs on it; harmless when it has
 * ended. */
void lua_db_end(struct lua_db *db);

/* The collector's rounds for loops that were left. */
void lua_streams_init(struct lua_db *db);
void lua_streams_end(struct lua_db *db);

/* Nobody listens any more. */
void lua_events_end(struct lua_db *db);

/* nil gives NULL; raises when it is no handle, closed, or of another task. */
struct lua_tx *lua_tx_check(lua_State *L, int at);

/* Gives its connection back; harmless when it has. */
void lua_tx_finish(lua_State *L, struct lua_tx *t);
void lua_tx_open(lua_State *L);

/* Reads the option table of a call; raises on what is unknown. */
void lua_op_options(lua_State *L, int at, struct op *op, unsigned *decode);

/* Fork and cancellation; raises where Lua cannot wait. */
MUST_USE
int lua_op_allowed(lua_State *L, struct lua_db *db, struct err *e);

#endif
