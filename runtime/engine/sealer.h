/* SPDX-License-Identifier: MIT
 *
 * sealer - the key with which contexts are sealed (guard/rls.h), from its file.
 *
 * The file has one key to a line, the one in force first, then at most one
 * that was before it:
 *
 *	0007 d0...64 hexadecimal digits
 *
 * Nobody but its owner may read or write it.  A new key goes on top of the
 * file, then to the database (sealer_sql), which accepts the one before it
 * still; runtimes seal with the new one when they are opened anew.
 *
 * A seal is good for SEALER_GOOD_S and sent for half of that: so far the clock
 * of the server may be ahead of this one.
 *
 * Memory: embedded in its owner; keys are wiped by sealer_fini().
 * Thread: never changes once read: any.
 */
#ifndef SEALER_H
#define SEALER_H

#include <stdbool.h>

#include "err.h"
#include "pgseal.h"
#include "rls.h"

#define SEALER_GOOD_S 300

struct sealer {
	struct pgseal seal;
	unsigned n; /* 0: there is no key */
	struct rls_key keys[2];
};

/* LUNATE_ECONFIG: the file is not there, open to others, or no key file. */
MUST_USE
int sealer_read(struct sealer *s, const char *path, struct err *e);

/* Puts a new key on top of the file, which is made if it is not there. */
MUST_USE
int sealer_renew(struct sealer *s, const char *path, struct err *e);

/* What gives the database its keys.  It holds one: wipe it. */
void sealer_sql(const struct sealer *s, struct str *out);

void sealer_fini(struct sealer *s);

#endif
