/* SPDX-License-Identifier: MIT
 *
 * sample_row - a table (sql/world.h) made up for one row of a policy's test.
 *
 *	row = { clinic_id = "A", n = 5, active = true }
 *
 * Policies are tested without a database, so nobody knows the types of
 * columns.  A column that the row has is of the type of its value: text, int8,
 * numeric or bool.  One that only rules name is NULL, and of the type that it
 * is compared with there, else text.
 *
 * Memory: all of it lies in the arena.  Thread: any; keeps nothing.
 */
#ifndef SAMPLE_ROW_H
#define SAMPLE_ROW_H

#include "access.h"
#include "decl.h"

struct sample_row {
	struct world_table table;
	const char **values; /* as the server writes them */
};

struct sample_row_ask {
	const struct access_rules *rules;
	const struct tenant_table *table;
	const struct decl *d;		/* for errors */
	const struct decl_value *row;	/* a MAP, or NULL */
	const struct decl_value *named; /* columns beside it, or NULL */
};

/* LUNATE_ECONFIG: a value that no column has. */
MUST_USE
int sample_row(const struct sample_row_ask *ask, struct arena *a,
	       struct sample_row *out, struct err *e);

/* Each column of a table that a rule of access names, with the condition that
 * does, or NULL. */
struct sample_named {
	void (*found)(struct sample_named *n, const char *column,
		      const struct expr *leaf);
};

void sample_named_columns(struct sample_named *n, const struct access_rules *r,
			  const char *schema, const char *name);

#endif
