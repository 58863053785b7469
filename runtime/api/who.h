/* SPDX-License-Identifier: MIT
 *
 * who - a context of a host: who asks, as the JSON that travels.
 *
 * Memory: counted, immutable.  Thread: any.
 */
#ifndef WHO_H
#define WHO_H

#include "obj.h"
#include "public.h"

struct lunate_context {
	unsigned magic;
#define WHO_MAGIC 0x30a5c5e1
	int refs;   /* atomic */
	char *json; /* of jansson */
};

/* NULL gives NULL. */
struct lunate_context *who_pin(const struct lunate_context *c);

/* NULL is harmless. */
void who_unpin(struct lunate_context **pc);

#endif
