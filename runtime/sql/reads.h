/* SPDX-License-Identifier: MIT
 *
 * reads - what a statement that writes a table reads of it.
 *
 * By name, since nobody here resolves columns: a name that may mean a column of
 * the target does, one inside a sub-select too.  What stands in WITH, FROM,
 * USING, the source of MERGE or the query of an INSERT cannot see the target,
 * and does not count.  What conflicts (ON CONFLICT) is read, by its columns or
 * those of its constraint.  In RETURNING old and new are the target, too.
 *
 * Memory: what is given lies in the arena.  Thread: any; keeps nothing.
 */
#ifndef READS_H
#define READS_H

#include <stdbool.h>

#include "mem.h"
#include "tree.h"
#include "world.h"

struct reads {
	bool any;
	bool row;	     /* the whole row, or "*" */
	const bool *columns; /* of the table, by place */
};

/* stmt: an INSERT, UPDATE, DELETE or MERGE whose target this table is. */
void reads_of(const struct world_table *t, const struct tree_node *stmt,
	      struct arena *a, struct reads *out);

/* Is it t.* or (row).*: as many values as something has columns, none
 * included? */
bool reads_star(const struct tree_node *value);

/* Is this RangeVar what its statement writes? */
bool reads_target(const struct tree_walk *w);

#endif
