/* SPDX-License-Identifier: MIT
 *
 * limits - how many connections the server has left for this runtime.
 *
 *   left = the least of
 *            max_connections - reserved - those of other clients
 *            the role's CONNECTION LIMIT, the database's CONNECTION LIMIT
 *
 * Looked up through the pool after a login, not more often than once a
 * minute: after the first one when pool_max was chosen by somebody, else as
 * soon as there are a few connections.  The pool's max is clamped to it, and
 * raised again (to pool_max at most) when others have left.  When the question
 * cannot be answered nothing changes.
 * Memory: belongs to its worker.  Thread: that of the worker.
 */
#ifndef LIMITS_H
#define LIMITS_H

#include <stdint.h>

struct limits;
struct worker;

/* What the server says; -1 = no limit. */
struct limits_facts {
	int64_t max_connections, reserved; /* reserved: closed to this role */
	int64_t clients;		   /* of all, ours included */
	int64_t role_limit, database_limit;
};

/* Of which `ours` belong to this pool; at least 1. */
int limits_left(const struct limits_facts *f, int ours);

struct limits *limits_new(struct worker *w);

/* Somebody has logged in: look, when it is time. */
void limits_look(struct limits *l);

/* After the end of the pool: no question is under way. */
void limits_free(struct limits **pl);

#endif
