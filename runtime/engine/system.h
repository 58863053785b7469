/* SPDX-License-Identifier: MIT
 *
 * system - work that belongs to no tenant: imports, migrations, retention,
 * reports over all clinics.
 *
 * Such work is not scoped, so nobody does it by asking: it takes a capability
 * that is given when the runtime is opened (options system_url, system_role).
 * Its operations carry a context with a reason and run on connections of their
 * own, whose rights are those of that URL or role: what a tenant's statement
 * may do is decided by another login than what the system may do.
 *
 * Always true: no operation as system is on a connection of the tenants' pool,
 *              and none of a tenant on one of the system's; without the
 *              capability there is no such pool.
 * Memory: struct system lives in the runtime, a worker's pool in the worker,
 *         from its first use.
 * Thread: struct system never changes after init; a pool is its worker's.
 */
#ifndef SYSTEM_H
#define SYSTEM_H

#include <stdbool.h>

#include "err.h"
#include "pool.h"

struct op;
struct runtime;
struct worker;

struct system {
	bool given;	   /* the capability */
	struct pgurl *url; /* of its own, or NULL: the runtime's */
	struct pool_target target;
	struct pool_rules rules;
	struct pool_budget budget; /* of all workers, beside the tenants' */
};

/* Reads the options; url and pool_rules of the runtime are there. */
MUST_USE
int system_init(struct system *s, struct runtime *rt, struct err *e);
void system_fini(struct system *s);

/* LUNATE_EDENIED: nobody may. */
MUST_USE
int system_allowed(const struct runtime *rt, struct err *e);

/* The same for what goes past cache and optimizer (option raw). */
MUST_USE
int system_raw_allowed(const struct runtime *rt, struct err *e);

/* A line of the log that no limit leaves out, with the generation in force:
 * somebody begins to work as system, or past the cache.  Any thread. */
void system_tell(struct runtime *rt, const char *reason);
void system_tell_raw(struct runtime *rt);

/* Which pool serves the operation, in op->pool.  LUNATE_EDENIED: it may not
 * be what it says, or its transaction is not. */
MUST_USE
int system_admit(struct op *op, struct err *e);

/* The worker ends: its pool is closed and freed, if there is one. */
void system_end(struct worker *w, const struct err *why);

#endif
