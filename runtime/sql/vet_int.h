/* SPDX-License-Identifier: MIT
 *
 * vet_int - what the gate's files share.
 *
 * A look judges the node at which the walk stands: 0, or the error of
 * refuse().  Each file owns some kinds of node; the table in vet.c says who
 * looks at which, and a kind that it does not name is refused.
 */
#ifndef VET_INT_H
#define VET_INT_H

#include "refusal.h"
#include "tree.h"
#include "vet.h"

struct gate {
	const struct vet_ask *ask;
	struct err *e;
	struct tree_walk w;
};

/* The relation that a RangeVar names when it is no CTE, or NULL. */
const struct world_table *gate_table(const struct gate *g,
				     const struct tree_node *var);

/* "name", or "schema.name" when a schema is known. */
bool gate_lists(const char *const *list, unsigned n, const char *schema,
		const char *name);

/* ---- vet_calls.c: functions, operators, types ---------------------------- */

int look_call(struct gate *g);
int look_sample(struct gate *g);
int look_sql_value(struct gate *g);

/* May name be a function that is called as if it were a column? */
MUST_USE
int vet_column_call(struct gate *g, const char *name);

int look_expression(struct gate *g);
int look_case(struct gate *g);
int look_join(struct gate *g);
int look_sort(struct gate *g);
int look_sublink(struct gate *g);

int look_type(struct gate *g);

/* ---- vet_write.c: what is written ---------------------------------------- */

int look_insert(struct gate *g);
int look_update(struct gate *g);
int look_delete(struct gate *g);
int look_merge(struct gate *g);

#endif
