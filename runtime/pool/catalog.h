/* SPDX-License-Identifier: MIT
 *
 * catalog - what the live server says about the names in a statement.
 *
 *   EMPTY --first question--> LOADING --answer--> LOADED
 *                               |   ^               |
 *                        failed |   | schema changed|
 *                               v   +---------------+
 *                             EMPTY (asked again at the next question)
 *
 * Loaded once, as a whole, through the pool it serves; kept until the schema
 * changes.  What it does not know counts as the worst: an unknown function,
 * or an overload that cannot be resolved, is volatile.
 *
 * Always true: LOADED knows every function of the server as of its epoch.
 * Memory: owned; waits are embedded in their owners.
 * Thread: that of its worker's loop.
 */
#ifndef CATALOG_H
#define CATALOG_H

#include <stdbool.h>
#include <stdint.h>

#include "list.h"
#include "stmt.h"

struct catalog;
struct loop;
struct pool;

/* Somebody who waits for LOADED; embedded. */
struct catalog_wait {
	struct list link;
	void (*done)(void *arg); /* also when loading failed */
	void *arg;
};

struct catalog *catalog_new(struct loop *loop, struct pool *pool);
bool catalog_loaded(const struct catalog *c);

void catalog_wait_init(struct catalog_wait *w);

/* Starts loading when nobody has; done() comes from the loop. */
void catalog_wait(struct catalog *c, struct catalog_wait *w,
		  void (*done)(void *), void *arg);
void catalog_unwait(struct catalog_wait *w);

/* Grammar says READS_ONLY; do its functions agree?  Functions that are
 * volatile only because their answer varies (random(), clock_timestamp(),
 * pg_sleep()) do.  EMPTY: only statements without functions do. */
bool catalog_pure(const struct catalog *c, const struct stmt *s);

/* DDL was seen: what is known is loaded again at the next question. */
void catalog_changed(struct catalog *c);

/* Grows with every change seen. */
uint64_t catalog_epoch(const struct catalog *c);

void catalog_free(struct catalog **pc);

#endif
