/* SPDX-License-Identifier: MIT
 *
 * egress - the last look at what leaves: rows, and texts of errors.
 *
 * The server labels a column of a result with the table and column it was
 * read from, through sub-selects and CTEs too.  Where that is the tenant
 * column of a table, each value has to be a tenant of the context; the canary
 * may stand in no column of its type at all.  What fails is withheld: it means
 * that every layer before has failed, so the caller also ends the connection
 * and raises an alarm.
 *
 * An expression, a UNION or an aggregate hides where a value came from: this
 * is a tripwire behind the barriers, no barrier.
 *
 * An error can tell whether a row of somebody else exists (23505 says yes,
 * 23503 no).  So all of them get one text and one SQLSTATE, but for constraints
 * that contain the tenant column and so compare only rows of one tenant.
 *
 * Always true: columns are sorted by table, then number; names by strcmp.
 * Memory: rules are built elsewhere (engine/egress_map.h); nothing is kept.
 * Thread: any.
 */
#ifndef EGRESS_H
#define EGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "context.h"
#include "err.h"
#include "rows.h"
#include "tenant.h"

struct egress_column {
	uint32_t table; /* OID */
	int16_t attnum;
};

struct egress_rules {
	enum tenant_type type;
	unsigned ncolumns, nscoped;
	const struct egress_column *columns; /* tenant columns */
	const char *const *scoped; /* constraints that contain one; a name that
				    * a constraint without one has too is not
				    * among them */
	const char *canary;	   /* or NULL */
	bool show;		   /* development: errors stay as they are */
};

/* All rows, or a part of a stream.  A system context sees every tenant's
 * rows; no context sees none.  LUNATE_EDENIED with REFUSE_TENANT: nothing of
 * these rows may be given out. */
MUST_USE
int egress_rows(const struct egress_rules *r, const struct context *ctx,
		const struct rows *rows, struct err *e);

/* Changes an error of the server to what a tenant may read of it: no hint, no
 * constraint but a scoped one, one "conflict" for all others; a row of another
 * tenant (by the rewrite, by a policy) is LUNATE_EDENIED with REFUSE_TENANT. */
void egress_error(const struct egress_rules *r, struct err *e);

#endif
