/* SPDX-License-Identifier: MIT
 *
 * notes - what the pool and the operations have to tell becomes lines of the
 * log and events.
 *
 * No value of a row or a parameter is in any of them: SQL text goes through
 * redact, error texts have been through it.
 * Thread: that of the worker.
 */
#ifndef NOTES_H
#define NOTES_H

#include <jansson.h>

#include "pool.h"

struct closed;
struct op;
struct runtime;
struct worker;

/* A function of a policy file that failed. */
struct notes_failure {
	unsigned file; /* place in vocab_files */
	uint64_t generation;
	int64_t took_us;
	const struct err *why;
};

/* For pool_on_note(); `arg` is the worker. */
void notes_pool(void *arg, enum pool_note n, const char *text);

/* A rule of access.lua is at fault; `text` says which and how.  The same is
 * told once in a while. */
void notes_access_fault(struct worker *w, const char *text);

/* Somebody opened a patient's rows in an emergency: in the log whatever its
 * limit, and as an event.  Whose rows and why is in the journal alone. */
void notes_break_glass(struct worker *w, const struct op *op,
		       const char *opening);

/* An operation has ended: was it slow, did it fail? */
void notes_op(struct worker *w, const struct op *op);

/* Of a file that is no guard; those of access.lua are faults of their rule. */
void notes_failed(struct worker *w, const struct notes_failure *f);

/* Which tables are closed under a generation; told when others were before,
 * once for all workers. */
void notes_closed(struct worker *w, uint64_t generation, struct closed *closed);

/* Those that were told last; any thread. */
json_t *notes_closed_json(struct runtime *rt);

/* What an operation read had to be withheld. */
void notes_breach(struct worker *w, const struct op *op);

#endif
