/* SPDX-License-Identifier: MIT
 *
 * access_int - what the files of access share: the rules that count.
 *
 * Thread: any; keeps nothing.
 */
#ifndef ACCESS_INT_H
#define ACCESS_INT_H

#include "access.h"

struct counted {
	const struct access_rule *rule;
	struct expr_rest rest;
	bool whole;
};

struct deciding {
	const struct access_ask *ask;
	struct arena *a;
	struct access_verdict *out;
	struct counted *permits, *forbids;
	unsigned npermits, nforbids;
	bool row; /* one row is asked about, and nothing left to it */
	const struct access_rule *broken; /* a forbid at fault */
	struct expr_sql *sql;
	unsigned terms; /* of the conjunction in the making */
};

/* Is the column one that the rule names; is it one that it covers? */
bool access_names(const struct access_rule *r, const char *column);
bool access_covers(const struct access_rule *r, const char *column);

/* Does a forbid take whole rows of what is asked?  One of a read that names
 * columns takes only cells, but for those that have to be read. */
bool access_takes_rows(const struct access_rule *forbid,
		       const struct access_ask *ask);

/* Does a permit that counts cover the column? */
bool access_permitted(const struct deciding *d, const char *column);

/* Of a verdict that is not denied.  `reads`: of its reads, or NULL. */
void access_allow(struct deciding *d, struct deciding *reads);

#endif
