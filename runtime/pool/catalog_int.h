/* SPDX-License-Identifier: MIT
 *
 * catalog_int - what the catalog's files share: a snapshot from inside.
 *
 * An index maps a hash to entries: open addressing with linear probing, made
 * for a number of entries known before, so it is at most half full and never
 * grows.  It knows no keys: who looks something up compares what it is given.
 *
 * Memory: a snapshot pins the result its names lie in; all else is in its
 *         arena.
 */
#ifndef CATALOG_INT_H
#define CATALOG_INT_H

#include "catalog.h"
#include "mem.h"
#include "rows.h"

struct catalog_slot {
	uint64_t hash;
	const void *entry; /* NULL: free */
};

struct catalog_index {
	struct catalog_slot *slots;
	size_t mask; /* their number - 1 */
};

/* 0, or LUNATE_ENOMEM. */
MUST_USE
int catalog_index_init(struct catalog_index *ix, struct arena *a, size_t n);
void catalog_index_add(struct catalog_index *ix, uint64_t hash,
		       const void *entry);

/* The next entry of that hash from *at on (0 at first), or NULL. */
const void *catalog_index_next(const struct catalog_index *ix, uint64_t hash,
			       size_t *at);

uint64_t catalog_hash_name(const char *name);
uint64_t catalog_hash_pair(uint64_t salt, const char *name);
uint64_t catalog_hash_oid(uint32_t oid);

/* A function with all its overloads, or an operator. */
struct catalog_function {
	const char *name;
	const struct catalog_overload *overloads;
};

/* A name that relations of any schema bear. */
struct catalog_relname {
	const char *name;
	bool impure; /* one of them is */
};

struct catalog_schema {
	uint32_t oid;
	const char *name;
};

struct catalog_snapshot {
	unsigned magic;
#define CATALOG_SNAPSHOT_MAGIC 0x5ca7a106
	int refs; /* atomic */
	uint64_t epoch;
	uint64_t digest; /* of all that is known but row estimates */
	struct rows *rows;
	struct arena arena;
	const char **path;
	struct catalog_schema *schemas;
	struct catalog_table *tables;
	const char **bad_operators; /* names with a volatile function */
	unsigned npath, nschemas, ntables, nbad_operators;
	struct catalog_index by_oid;   /* tables */
	struct catalog_index by_name;  /* tables, by schema and name */
	struct catalog_index relnames; /* struct catalog_relname */
	struct catalog_index columns;  /* struct catalog_column */
	struct catalog_index functions;
	struct catalog_index operators; /* struct catalog_function */
	struct catalog_index types;	/* by schema and name */
};

/* Objects below this OID came with the server. */
#define CATALOG_FIRST_OID 16384

extern const char catalog_load_sql[];

/* Builds a snapshot from what catalog_load_sql gave; pins r.  NULL: no
 * memory, or an answer that cannot be. */
MUST_USE
struct catalog_snapshot *catalog_build(struct rows *r, uint64_t epoch,
				       struct err *e);

/* Does the snapshot know that this only reads?  *unknown: a name is not in
 * it. */
bool catalog_snapshot_pure(const struct catalog_snapshot *s,
			   const struct stmt *st, bool *unknown);

#endif
