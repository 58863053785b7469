/* SPDX-License-Identifier: MIT
 *
 * who - a context of a host: who asks, as the engine knows it.
 *
 * Memory: counted, immutable.  Thread: any.
 */
#ifndef WHO_H
#define WHO_H

#include "context.h"
#include "obj.h"
#include "public.h"

struct runtime;

struct lunate_context {
	unsigned magic;
#define WHO_MAGIC 0x30a5c5e1
	int refs; /* atomic */
	struct context *context;
	bool told; /* atomic: that it works as system */
};

/* NULL gives NULL. */
struct lunate_context *who_pin(const struct lunate_context *c);

/* What it stands for, pinned; NULL gives NULL. */
struct context *who_context(const struct lunate_context *c);

/* The same, borrowed. */
const struct context *who_peek(const struct lunate_context *c);

/* It is used on this runtime: one that works as system is told to its log, the
 * first time. */
void who_tell(const struct lunate_context *c, struct runtime *rt);

/* NULL is harmless. */
void who_unpin(struct lunate_context **pc);

#endif
