/* SPDX-License-Identifier: MIT
 *
 * op - the life of one operation, as a table of steps.
 *
 *   admit -> know -> allow -> scope -> tune -> recall -> route -> lease
 *         -> send -> settle -> record -> answer
 *
 * Each step is one function that names the module it asks and says what
 * follows: the next step, a wait (an answer will call the step after), the
 * end, or a step to go back to (a retry goes back to lease).  Steps whose
 * module does not exist yet pass on.
 *
 * What ends an operation early:
 *   - its deadline, or op_cancel(): the request is abandoned (and cancelled
 *     on the server when nothing else can be hit), err says which
 *   - a refusal of any step
 *
 * Always true: done() is called exactly once, from the loop, never inside
 *              op_start(); after it the operation may be freed.
 *              An operation pins one generation of rules for its life.
 *              Nothing is retried that may have happened.
 * Memory: embedded in its caller's struct; sql and vals belong to the caller
 *         and live until done().  rows is the caller's to unpin.
 * Thread: that of its worker.
 */
#ifndef OP_H
#define OP_H

#include "barrier.h"
#include "catalog.h"
#include "context.h"
#include "pool.h"
#include "rules.h"
#include "stmt.h"
#include "worker.h"

struct glass_job;
struct permit;
struct scoped;
struct study;
struct tx;

/* Parameters, the tenant's among them, that take no memory of their own. */
#define OP_FEW 8

enum op_flags {
	OP_STREAM = 1,	  /* rows through chunk(); inside a tx or a lease */
	OP_INTERNAL = 2,  /* our own transaction control */
	OP_READ_ONLY = 4, /* refuse what is not proven to be a read */
	OP_UNNAMED = 8,	  /* run once: do not keep it prepared */
	OP_PROBE = 16,	  /* our own question: not counted, not told */
	OP_PLAIN = 32,	  /* INTERNAL, but the text is its caller's */
	OP_RAW = 64,	  /* past tune and recall; a capability */
	OP_EXPLAIN = 128, /* only decided: ends before lease, nothing is sent,
			   * counted, told or opened */
};

struct op {
	unsigned magic;
#define OP_MAGIC 0x0b0b51de
	struct list link; /* in worker->ops */
	struct worker *w;

	/* what is asked */
	const char *sql;
	size_t len;
	const struct pgval *vals;
	int nvals;
	unsigned flags;
	enum rules_class cls;
	bool cls_given; /* else it follows from the statement */
	enum gate_priority priority;
	bool priority_given;
	int64_t deadline_us;	    /* loop time; 0 = none of the caller's */
	struct context *context;    /* pinned, op_fini() unpins it; or NULL */
	const struct pgpart *audit; /* or NULL */
	const char *prelude;	    /* BEGIN ..., or NULL */
	size_t max_bytes;
	struct tx *tx; /* or NULL: autocommit */

	/* how it ended */
	struct rows *rows;
	int64_t affected; /* -1 = none told */
	int64_t took_us;
	int attempts;

	void (*done)(struct op *op);
	void (*chunk)(struct op *op, struct rows *rows);
	void (*notice)(struct op *op, const char *text); /* or NULL */

	/* private */
	int step;
	struct stmt *stmt;
	struct rules *rules;
	struct pool *pool; /* that serves it: the worker's, or the system's */
	struct loop_job next;	 /* runs the steps from the loop */
	struct loop_timer timer; /* deadline */
	struct loop_timer nap;	 /* before a retry */
	int64_t began_us;
	bool read;	     /* proven */
	bool solo;	     /* after a failure: not in company again */
	bool in_pool;	     /* job waits in the pool */
	bool asked;	     /* the catalog, once */
	bool starting;	     /* inside op_start() */
	bool interrupted;    /* op_interrupt() was called */
	bool bound;	     /* tenants' rows: looked at when they leave */
	bool breached;	     /* rows of somebody else were withheld */
	unsigned char looks; /* waits for what is known of the database */
	uint64_t era;	     /* of that (barrier_era), when it was scoped */
	struct catalog_wait wait; /* for the catalog */
	struct barrier_wait bwait;
	struct catalog_snapshot *snapshot; /* pinned: the schema it goes by */
	struct egress_map *egress; /* pinned: whose rows may leave, or NULL */
	struct study *study;	   /* of its long text, or NULL */
	struct glass_job *glass;   /* an emergency is being opened, or NULL */
	struct permit *permit;	   /* pinned: what access rules say, or NULL */
	struct scoped *scoped;	   /* pinned: how it was scoped, or NULL */

	/* large, and set when they are used: op_init() clears only heads */
	struct err err;	    /* how it ended; code 0 = success */
	struct pgval *many; /* vals with the tenant's, or NULL: */
	struct pgval few[OP_FEW];
	struct pgreq req;
	struct pool_job job;
};

/* Whatever its memory held. */
void op_init(struct op *op, struct worker *w);
void op_start(struct op *op);

/* Ends it as soon as possible with `code` (LUNATE_ECANCELLED or
 * LUNATE_EDEADLINE); done() follows from the loop.  Harmless when it has
 * ended. */
void op_cancel(struct op *op, enum err_code code);

/* Asks the server to stop it.  It ends by the server's own answer, so that its
 * connection is of use afterwards and what it did is known.  False: just now
 * the server cannot be asked; try again.  Harmless when it has ended. */
bool op_interrupt(struct op *op);

/* A connection was lost: what waits for one asks again what may be touched. */
void op_look_again(struct worker *w);

/* As op_cancel, with done() called inside: the worker ends. */
void op_end_now(struct op *op, const struct err *why);

/* Why no caller may run this statement as an operation of its own, or NULL. */
const char *op_never(const struct stmt *s);

/* LUNATE_EDENIED: COPY goes past the steps, and tenants have none. */
MUST_USE
int op_copy_allowed(struct worker *w, const struct context *c, struct err *e);

/* Releases what the operation holds, not its memory; after done(). */
void op_fini(struct op *op);

#endif
