/* SPDX-License-Identifier: MIT
 *
 * runtime - what a host opens: configuration, rules, workers, counters.
 *
 *   open (one worker) --join--> more workers --each leaves--> (freed)
 *
 * A worker is driven by the thread whose loop it was given.  The runtime ends
 * with the last of its workers and pins.
 *
 * Always true: config never changes after open; what the workers share is
 *              immutable, atomic, or has a lock of its own; pid is the
 *              process that opened it (a fork()ed child may not use it);
 *              a worker stands in `all` while its pool lives.
 * Memory: counted; owns everything but the loops.
 * Thread: join and leave from the thread of the worker's loop; the last to
 *         leave frees it.
 */
#ifndef RUNTIME_H
#define RUNTIME_H

#include <pthread.h>
#include <sys/types.h>

#include "config.h"
#include "crew.h"
#include "events.h"
#include "log.h"
#include "metrics.h"
#include "pool.h"
#include "rules.h"
#include "sealer.h"
#include "shadow.h"
#include "system.h"
#include "worker.h"

struct closed;
struct glass;
struct op;
struct policies;
struct rates;

struct runtime {
	unsigned magic;
#define RUNTIME_MAGIC 0x2047143e
	struct config config;
	struct log log;
	struct crew *crew;
	struct rules_source rules;
	struct policies *policies; /* NULL: no folder */
	struct decided *decided;   /* to decide again under other rules */
	struct shadow shadow;
	struct rates *rates; /* operations that access.lua limits */
	struct glass *glass; /* emergencies */
	struct pgurl *url;
	struct pool_rules pool_rules;
	struct pool_target target;
	struct pool_budget budget;
	struct system system;
	struct sealer sealer; /* of contexts; has no key unless given one */
	struct catalog_epoch schema_epoch; /* of all workers */
	size_t max_result_bytes;
	struct worker *workers; /* the first one, of who opened it */
	int refs;		/* atomic: workers, and pins of hosts */
	int nworkers;		/* atomic: attached now */
	int last_index;		/* atomic: numbers given to workers */
	pthread_mutex_t lock;	/* of the next three; held for a walk alone */
	struct list all;	/* struct worker, by `sibling` */
	struct pool_stats gone; /* counts of workers that have left */
	struct closed *closed;	/* tables that were told, or NULL */
	pid_t pid;
	int64_t opened_us; /* loop time */
	struct counts counts;
	struct events *events;
};

/* Takes the configuration over (also when it fails).  It has one worker,
 * workers[0], on `loop`, which is borrowed.  Connects to nothing yet: min
 * connections are opened from the loop. */
MUST_USE
int runtime_open(struct runtime **out, struct config *config, struct loop *loop,
		 struct err *e);

/* One more worker, on the caller's thread and loop. */
struct worker *runtime_join(struct runtime *rt, struct loop *loop);

/* Keeps the runtime when it has no worker. */
struct runtime *runtime_pin(struct runtime *rt);
void runtime_unpin(struct runtime **prt);

/* LUNATE_EFORK in a child of the process that opened it. */
MUST_USE
int runtime_mine(const struct runtime *rt, struct err *e);

/* The pools of all workers together: that of `w`, on its thread, as it is now,
 * the others' as of their last tick (pool_seen()). */
void runtime_pools(struct worker *w, struct pool_stats *out);

/* Operations under way on all workers, or on their way to one.  Any thread. */
int runtime_operations(struct runtime *rt);

/* Told by op at its end. */
void runtime_count(struct runtime *rt, const struct op *op);

/* What is still under way on this worker ends with LUNATE_ECLOSED, from
 * inside this call.  A host that wants to drain sets w->closing, waits until
 * worker_quiet(), and leaves. */
void runtime_leave(struct worker **pw);

/* The same three for the first worker, by its runtime. */
void runtime_stop(struct runtime *rt);
bool runtime_quiet(const struct runtime *rt);
void runtime_free(struct runtime **prt);

#endif
