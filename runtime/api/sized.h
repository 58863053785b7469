/* SPDX-License-Identifier: MIT
 *
 * sized - structs that hosts of other versions fill.
 *
 * Each begins with its size as the host knew it.  An older host's is shorter:
 * what it lacks is 0.  A newer host's is longer: it is taken when what we do
 * not know is 0, for 0 is always the old meaning.
 */
#ifndef SIZED_H
#define SIZED_H

#include "public.h"

/* What is read, and where to. */
struct sized {
	void *to;	  /* our struct */
	size_t size;	  /* of ours */
	const void *from; /* the host's, or NULL */
	const char *name; /* "struct lunate_call; begin with lunate_sql()" */
};

/* LUNATE_EINVAL: no struct, no size, or something new in it. */
MUST_USE
int sized_take(const struct sized *s, struct err *e);

#endif
