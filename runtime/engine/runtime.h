/* SPDX-License-Identifier: MIT
 *
 * runtime - what a host opens: configuration, rules, workers, counters.
 *
 *   OPEN --stop--> CLOSING --quiet, or too late--> (freed)
 *
 * A runtime with one inline worker is driven by the thread that opened it; one
 * with threads runs by itself.
 *
 * Always true: config never changes after open; workers live as long as the
 *              runtime; pid is the process that opened it (a fork()ed child
 *              may not use it).
 * Memory: owns everything below it.
 * Thread: opened and closed by one thread; counters are atomic.
 */
#ifndef RUNTIME_H
#define RUNTIME_H

#include <sys/types.h>

#include "config.h"
#include "crew.h"
#include "events.h"
#include "log.h"
#include "metrics.h"
#include "pool.h"
#include "rules.h"
#include "worker.h"

struct op;

struct runtime {
	unsigned magic;
#define RUNTIME_MAGIC 0x2047143e
	struct config config;
	struct log log;
	struct crew *crew;
	struct rules_source rules;
	struct pgurl *url;
	struct pool_rules pool_rules;
	struct pool_target target;
	struct pool_budget budget;
	struct catalog_epoch schema_epoch; /* of all workers */
	size_t max_result_bytes;
	struct worker *workers;
	int nworkers;
	bool closing; /* atomic */
	pid_t pid;
	int64_t opened_us; /* loop time */
	struct counts counts;
	struct events *events;
};

/* Takes the configuration over (also when it fails).  Connects to nothing
 * yet: min connections are opened from the loop.  `loop` is the inline
 * worker's, borrowed. */
MUST_USE
int runtime_open(struct runtime **out, struct config *config, struct loop *loop,
		 struct err *e);

/* LUNATE_EFORK in a child of the process that opened it. */
MUST_USE
int runtime_mine(const struct runtime *rt, struct err *e);

/* Told by op at its end. */
void runtime_count(struct runtime *rt, const struct op *op);

/* No new work from here on. */
void runtime_stop(struct runtime *rt);

/* Nothing is under way. */
bool runtime_quiet(const struct runtime *rt);

/* What is still under way ends with LUNATE_ECLOSED, from inside this call.
 * A host that wants to drain stops, waits until it is quiet, and frees. */
void runtime_free(struct runtime **prt);

#endif
