/* SPDX-License-Identifier: MIT
 *
 * worker - one thread's share of a runtime: its loop, its connections, what
 * it has learned.
 *
 * A worker either has a thread of its own or is driven inline by the thread
 * that opened the runtime.  Nothing in it is touched by another thread, with
 * four exceptions: its loop's letterbox; `queued`, by which other threads
 * choose the worker with the shortest queue; `sibling`, under the lock of the
 * runtime; and, under that lock too, what pool_seen() tells of its pool.
 *
 * Memory: owned by its runtime.
 */
#ifndef WORKER_H
#define WORKER_H

#include "catalog.h"
#include "list.h"
#include "loop.h"
#include "pace.h"
#include "pool.h"
#include "shadow.h"

struct barrier;
struct health;
struct limits;
struct permits;
struct runtime;
struct scope;

struct worker {
	unsigned magic;
#define WORKER_MAGIC 0x3042be25
	struct runtime *rt;
	int index;
	struct loop *loop;
	struct pool *pool;
	struct pool *system_pool; /* of work as system; made at first use */
	struct catalog *catalog;
	struct scope *scope;	   /* what statements become for tenants */
	struct permits *permits;   /* and what access rules say of them */
	struct barrier *barrier;   /* which tables the database lets be open */
	struct decided_seen *seen; /* decisions that were handed in */
	struct shade shade;
	struct health *health;
	struct limits *limits;
	struct pace pace;
	struct list sibling; /* in rt->all */
	struct list ops;     /* operations under way */
	int nops;
	bool closing;  /* no new work */
	int queued;    /* atomic: operations here or on their way here */
	uint64_t seed; /* of jitter */
	int64_t exhausted_told_us, fault_told_us;
	uint64_t fault_told; /* hash of its text */
};

/* `loop` is borrowed from whoever drives it inline. */
void worker_init(struct worker *w, struct runtime *rt, int index,
		 struct loop *loop);

/* Nothing is under way. */
bool worker_quiet(const struct worker *w);

/* 0 .. bound-1; spreading, not secrecy. */
uint64_t worker_random(struct worker *w, uint64_t bound);

/* Ends what is under way; done() of every operation has been called when it
 * returns. */
void worker_fini(struct worker *w);

#endif
