/* SPDX-License-Identifier: MIT
 *
 * atlas - the world (sql/world.h) as one snapshot of the live catalog has it.
 *
 * The modules that look at a statement for a tenant ask a world what its names
 * mean.  An atlas answers from a catalog snapshot, and so says what the server
 * said when that was loaded; it is made once per snapshot.
 *
 *   relations  by schema, or by the snapshot's search path, pg_catalog first.
 *              Relations of pg_catalog and information_schema are known by
 *              name and kind; they have no columns here.
 *   keys       those in force: an index that is being built is none
 *   refs       foreign keys as they were declared: what a partition has of
 *              its parent's is not listed again, and one that leads to a
 *              partition is its parent's, too
 *   functions  by name and number of arguments: all overloads of the schema,
 *              or of all schemas of the search path, taken together
 *   operators  likewise
 *   types      'b' only for what came with the server and is a value; a domain
 *              or array is judged by what lies below it; a type that a user's
 *              cast converts from or to is 'o'
 *
 * Memory: pins the snapshot; all it gives lives as long as the atlas.
 * Thread: immutable once made: any.
 */
#ifndef ATLAS_H
#define ATLAS_H

#include "catalog.h"
#include "err.h"
#include "world.h"

struct atlas;

/* NULL: no memory (e says so). */
MUST_USE
struct atlas *atlas_new(struct catalog_snapshot *s, struct err *e);

const struct world *atlas_world(const struct atlas *a);

/* The snapshot it was made of, borrowed. */
const struct catalog_snapshot *atlas_snapshot(const struct atlas *a);

void atlas_free(struct atlas **pa);

#endif
