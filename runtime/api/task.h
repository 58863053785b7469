/* SPDX-License-Identifier: MIT
 *
 * task - coroutines over the loop: what makes a script read as straight lines.
 *
 *              spawn                 await                 finish
 *   (new) ----------> READY -run-> RUNNING ------> WAITING ------+
 *                       ^             |                          |
 *                       |             | returns, raises          |
 *                       |             v                          |
 *                       |           DONE (its coroutine is gone) |
 *                       +----------------------------------------+
 *
 * A wait is one thing a task is suspended for: an operation, a timer, another
 * task.  Outside of any task a wait runs the loop until it is finished, so the
 * same call works in a plain script.
 *
 * Always true:
 *   - lua_resume is called from a LOOP_TASKS job only, never from inside a
 *     completion
 *   - a task waits for at most one thing; the wait outlives its answer
 *   - a cancelled task stays cancelled: every later await ends at once with
 *     the same error, except while it is shielded (its finalizers run)
 *   - await inside a coroutine of the user travels outward as TOKEN, which
 *     the wrapped coroutine.resume passes on
 * Memory: a task is anchored in the registry of its VM until DONE.
 * Thread: that of its loop; nothing Lua crosses threads.
 */
#ifndef TASK_H
#define TASK_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>

#include "err.h"
#include "list.h"
#include "loop.h"
#include "spare.h"

struct context;
struct group;
struct task;
struct worker;

struct vm {
	unsigned magic;
#define VM_MAGIC 0x5c71b7e5
	lua_State *L; /* thread of our own: results are made on it */
	struct loop *loop;
	struct task *cur;  /* running now, or NULL: the main program */
	struct list tasks; /* all that are not DONE */
	struct list dbs;   /* open databases (lua_db) */
	int live;
	bool idle;		 /* live == 0: what vm_run() waits for */
	int64_t deadline_us;	 /* of the main program; 0 = none */
	struct context *context; /* of the main program, pinned, or NULL */
	bool own_loop;
	struct group *group; /* VMs of other threads, or NULL */
	struct worker *home; /* of a C host: what open() without options is */
	int index, count;    /* which of them, of how many */
	struct spare calls;  /* of lua_db, one an operation */
};

/* Something to wait for; embedded.  push() is called once the task runs
 * again: it leaves its results on L, says how many, and may free the wait. */
struct wait {
	struct vm *vm;
	struct task *task; /* who waits; NULL: the main program */
	bool finished, begun;
	int (*push)(struct wait *w, lua_State *L);
	/* End early with this code; wait_finish() must follow, now or soon. */
	void (*cancel)(struct wait *w, enum err_code code);
};

struct task {
	unsigned magic;
#define TASK_MAGIC 0x7a5c0001
	struct list link; /* in vm->tasks */
	struct vm *vm;
	lua_State *co;
	int ref;	     /* anchors co */
	struct loop_job job; /* its turn in the ready queue */
	struct wait *wait;   /* what it waits for, or what has just ended */
	int nargs;	     /* first resume: values already on its stack */
	bool started, cancelled;
	int shield;		 /* > 0: finalizers run, cancellation is deaf */
	int64_t deadline_us;	 /* inherited; 0 = none */
	struct context *context; /* inherited, pinned, or NULL */
	int *handle;		 /* tells the handle in Lua that it is over */
	unsigned writes;	 /* that it did, and no rollback takes back */
};

/* The VM of this lua_State, made at first use. */
struct vm *vm_of(lua_State *L);
struct vm *vm_open(lua_State *L, struct loop *loop);
void vm_close(struct vm *vm);

/* The tail of every C function that waits: `return wait_await(L, w);`.
 * Raises when this place cannot yield. */
int wait_await(lua_State *L, struct wait *w);

/* May this place wait at all?  Raises if not; before anything is begun. */
void wait_check(lua_State *L);

/* The answer is there; from the loop. */
void wait_finish(struct wait *w);

/* Is the running task cancelled?  Then pushes nil, err and says so. */
bool task_cancelled(struct vm *vm);

/* The deadline in force for what runs now, 0 = none; loop time. */
int64_t task_deadline(const struct vm *vm);
const struct context *task_context(const struct vm *vm);

/* Seconds of a script in microseconds; what is beyond ends at the edge. */
int64_t task_us(double seconds);

/* Function and arguments are on top of L (1 + nargs values), taken away. */
struct task *task_spawn(struct vm *vm, lua_State *L, int nargs);
void task_cancel(struct task *t);

/* Runs the loop until no task is left. */
void vm_run(struct vm *vm);

/* Pushes an error value: a table of lunate.errors. */
void push_err(lua_State *L, const struct err *e);

/* nil, err: what a function that failed returns. */
int fail(lua_State *L, const struct err *e);
int fail_code(lua_State *L, enum err_code code, const char *text);

#endif
