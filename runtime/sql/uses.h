/* SPDX-License-Identifier: MIT
 *
 * uses - what a statement does to which tables: what access rules decide.
 *
 * Each table and action once, with all columns that are written.
 *
 *   read    what stands in FROM, USING, as a source; the target of a write that
 *           is read (reads.h); that of a MERGE always
 *   insert  the columns given; without a list those that the values fill, or
 *           all when that is not known
 *   update  the columns of SET, of ON CONFLICT DO UPDATE too
 *   delete
 *
 * FOR UPDATE and FOR SHARE are a read and an update of no column, with `locks`:
 * who may not change a row has no reason to hold it.  The rewrite does not
 * limit what is held, so it is refused where updates are limited to rows
 * (uses_holds).  A CTE is no table.  What the rewrite
 * adds (the tenant's column, the look at a parent, a membership) is not asked
 * for: isolation.lua wants it, and not whoever asks.
 *
 * Memory: all of it lies in the arena, names too; nothing of tree, rules or
 *         world is pointed to.  Thread: any; keeps nothing.
 */
#ifndef USES_H
#define USES_H

#include "tenant.h"

struct use {
	const char *schema, *name;
	enum tenant_action action;
	bool locks;	   /* UPDATE: rows are held besides, or only that */
	unsigned ncolumns; /* INSERT, UPDATE */
	const char **columns;
};

struct uses {
	unsigned n;
	struct use *list;
};

struct uses_ask {
	const struct tree *tree; /* of one statement, vetted */
	const struct tenant_rules *rules;
	const struct world *world;
};

/* LUNATE_EDENIED (REFUSE_UNKNOWN_TABLE): a table without a rule. */
MUST_USE
int uses_of(const struct uses_ask *ask, struct arena *a, struct uses *out,
	    struct err *e);

/* Of a use that locks: LUNATE_EDENIED (REFUSE_ACCESS) when its limit is one of
 * rows. */
MUST_USE
int uses_holds(const struct use *u, const struct tenant_limit *l,
	       struct err *e);

#endif
