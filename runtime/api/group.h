/* SPDX-License-Identifier: MIT
 *
 * group - several script VMs of one process, a thread each, sharing runtimes.
 *
 * `lunate run --workers N` runs its script in N VMs.  What they open with the
 * same options is one runtime with a worker on each thread: the limits of the
 * pool, the generation of rules and the counters hold for all together.
 *
 * Always true: a shared runtime is pinned by the group until its end.
 * Memory: owned by who made it, and outlives every VM in it.
 * Thread: a mutex guards the list; group_open() may be called by any VM.
 */
#ifndef GROUP_H
#define GROUP_H

#include "config.h"
#include "runtime.h"

struct group;

struct group *group_new(void);

/* What a VM asks for, and gets. */
struct group_member {
	struct loop *loop;     /* of the VM, borrowed */
	struct worker *worker; /* out */
	struct err err;	       /* out, when it failed */
};

/* A worker, on the caller's thread and loop, of the runtime that was opened
 * under `key`; opens it when nobody has.  Takes the configuration over. */
MUST_USE
int group_open(struct group *g, const char *key, struct config *config,
	       struct group_member *m);

void group_free(struct group **pg);

#endif
