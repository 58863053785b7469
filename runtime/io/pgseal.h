/* SPDX-License-Identifier: MIT
 *
 * pgseal - what a context becomes before it is sent on one connection.
 *
 * A session may be shown a context that proves itself: one that is bound to
 * its server process and to a time.  How is not this floor's business: whoever
 * sends hands in a pgseal, and what it makes is kept by the connection, so a
 * context that returns costs a comparison.
 *
 * Memory: what a connection keeps is its own, SEALS_KEPT texts at most.
 * Thread: that of the connection's loop.
 */
#ifndef PGSEAL_H
#define PGSEAL_H

#include <stdint.h>

#include "str.h"

#define SEALS_KEPT 16

struct pgseal_ask {
	const char *wire;
	int backend_pid;
	int64_t wall_s; /* since 1970 */
};

struct pgseal {
	/* Adds the sealed form of the wire; for how many seconds it is good to
	 * be sent again. */
	int64_t (*make)(const struct pgseal *s, const struct pgseal_ask *ask,
			struct str *out);
};

#endif
