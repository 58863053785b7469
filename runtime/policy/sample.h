/* SPDX-License-Identifier: MIT
 *
 * sample - a world (sql/world.h) made up for one statement of a policy's test.
 *
 * Policies are tested without a database, so nobody knows the columns of a
 * table.  Here every table that a rule names has the columns of its rule and
 * every name that the statement has; a function exists, and is PostgreSQL's
 * own when it stands on the gate's list.  So a test says what the rules make
 * of a statement that the database would understand; an INSERT has to name its
 * columns, because their order is not known.
 *
 * Memory: all of it lies in the arena.  Thread: any; immutable once made.
 */
#ifndef SAMPLE_H
#define SAMPLE_H

#include "mem.h"
#include "tenant.h"

struct access_rules;
struct sample;

/* access: its rules name columns, too; or NULL. */
struct sample *sample_new(struct arena *a, const struct tenant_rules *rules,
			  const struct access_rules *access,
			  const struct tree *statement);

/* Lives as long as the sample. */
const struct world *sample_world(const struct sample *s);

#endif
