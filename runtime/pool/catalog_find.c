/* SPDX-License-Identifier: MIT
 *
 * Lookups in a snapshot.
 */
#include "catalog_int.h"

#include <string.h>

#include <xxhash.h>

/* ---- index ------------------------------------------------------------- */

int
catalog_index_init(struct catalog_index *ix, struct arena *a, size_t n)
{
	size_t size = 8;

	while (size < 2 * n)
		size *= 2;
	ix->mask = size - 1;
	ix->slots = arena_try(a, size * sizeof(*ix->slots));
	return ix->slots != NULL ? 0 : LUNATE_ENOMEM;
}

void
catalog_index_add(struct catalog_index *ix, uint64_t hash, const void *entry)
{
	size_t i = hash & ix->mask;

	while (ix->slots[i].entry != NULL)
		i = (i + 1) & ix->mask;
	ix->slots[i].hash = hash;
	ix->slots[i].entry = entry;
}

const void *
catalog_index_next(const struct catalog_index *ix, uint64_t hash, size_t *at)
{
	const struct catalog_slot *slot;

	for (;;) {
		slot = &ix->slots[(hash + *at) & ix->mask];
		if (slot->entry == NULL)
			return NULL;
		++*at;
		if (slot->hash == hash)
			return slot->entry;
	}
}

uint64_t
catalog_hash_pair(uint64_t salt, const char *name)
{
	return XXH3_64bits_withSeed(name, strlen(name), salt);
}

uint64_t
catalog_hash_name(const char *name)
{
	return catalog_hash_pair(0, name);
}

uint64_t
catalog_hash_oid(uint32_t oid)
{
	return XXH3_64bits(&oid, sizeof(oid));
}

/* ---- life ------------------------------------------------------------- */

struct catalog_snapshot *
catalog_snapshot_pin(struct catalog_snapshot *s)
{
	OBJ_CHECK(s, CATALOG_SNAPSHOT_MAGIC);
	__atomic_add_fetch(&s->refs, 1, __ATOMIC_RELAXED);
	return s;
}

void
catalog_snapshot_unpin(struct catalog_snapshot **ps)
{
	struct catalog_snapshot *s;

	OBJ_TAKE(s, ps, CATALOG_SNAPSHOT_MAGIC);
	if (__atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	rows_unpin(&s->rows);
	arena_fini(&s->arena);
	OBJ_FINI(s);
	mem_free(s);
}

uint64_t
catalog_snapshot_epoch(const struct catalog_snapshot *s)
{
	OBJ_CHECK(s, CATALOG_SNAPSHOT_MAGIC);
	return s->epoch;
}

/* ---- lookups ----------------------------------------------------------- */

unsigned
catalog_path(const struct catalog_snapshot *s, const char *const **schemas)
{
	OBJ_CHECK(s, CATALOG_SNAPSHOT_MAGIC);
	*schemas = s->path;
	return s->npath;
}

unsigned
catalog_tables(const struct catalog_snapshot *s,
	       const struct catalog_table **tables)
{
	OBJ_CHECK(s, CATALOG_SNAPSHOT_MAGIC);
	*tables = s->tables;
	return s->ntables;
}

static const struct catalog_table *
table_in(const struct catalog_snapshot *s, const char *schema, const char *name)
{
	uint64_t hash = catalog_hash_pair(catalog_hash_name(schema), name);
	const struct catalog_table *t;
	size_t at = 0;

	while ((t = catalog_index_next(&s->by_name, hash, &at)) != NULL)
		if (strcmp(t->name, name) == 0 &&
		    strcmp(t->schema, schema) == 0)
			return t;
	return NULL;
}

const struct catalog_table *
catalog_table(const struct catalog_snapshot *s, const char *schema,
	      const char *name)
{
	const struct catalog_table *t = NULL;

	OBJ_CHECK(s, CATALOG_SNAPSHOT_MAGIC);
	if (schema != NULL)
		return table_in(s, schema, name);
	for (unsigned i = 0; i < s->npath && t == NULL; i++)
		t = table_in(s, s->path[i], name);
	return t;
}

const struct catalog_table *
catalog_table_by_oid(const struct catalog_snapshot *s, uint32_t oid)
{
	const struct catalog_table *t;
	size_t at = 0;

	OBJ_CHECK(s, CATALOG_SNAPSHOT_MAGIC);
	while ((t = catalog_index_next(&s->by_oid, catalog_hash_oid(oid),
				       &at)) != NULL)
		if (t->oid == oid)
			return t;
	return NULL;
}

const struct catalog_column *
catalog_column(const struct catalog_snapshot *s, const struct catalog_table *t,
	       const char *name)
{
	uint64_t hash = catalog_hash_pair(catalog_hash_oid(t->oid), name);
	const struct catalog_column *c;
	size_t at = 0;

	OBJ_CHECK(s, CATALOG_SNAPSHOT_MAGIC);
	while ((c = catalog_index_next(&s->columns, hash, &at)) != NULL)
		if (c >= t->columns && c < t->columns + t->ncolumns &&
		    strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

/* Dropped columns leave holes, so a column stands at its number or before. */
const struct catalog_column *
catalog_column_by_num(const struct catalog_table *t, int attnum)
{
	int i = attnum <= (int)t->ncolumns ? attnum : (int)t->ncolumns;

	while (--i >= 0 && t->columns[i].attnum >= attnum)
		if (t->columns[i].attnum == attnum)
			return &t->columns[i];
	return NULL;
}

const struct catalog_key *
catalog_primary_key(const struct catalog_table *t)
{
	return t->nkeys > 0 && t->keys[0].primary ? &t->keys[0] : NULL;
}

static const struct catalog_overload *
overloads(const struct catalog_index *ix, const char *name)
{
	uint64_t hash = catalog_hash_name(name);
	const struct catalog_function *f;
	size_t at = 0;

	while ((f = catalog_index_next(ix, hash, &at)) != NULL)
		if (strcmp(f->name, name) == 0)
			return f->overloads;
	return NULL;
}

const struct catalog_overload *
catalog_function(const struct catalog_snapshot *s, const char *name)
{
	OBJ_CHECK(s, CATALOG_SNAPSHOT_MAGIC);
	return overloads(&s->functions, name);
}

const struct catalog_overload *
catalog_operator(const struct catalog_snapshot *s, const char *name)
{
	OBJ_CHECK(s, CATALOG_SNAPSHOT_MAGIC);
	return overloads(&s->operators, name);
}

static const struct catalog_type *
type_in(const struct catalog_snapshot *s, const char *schema, const char *name)
{
	uint64_t hash = catalog_hash_pair(catalog_hash_name(schema), name);
	const struct catalog_type *t;
	size_t at = 0;

	while ((t = catalog_index_next(&s->types, hash, &at)) != NULL)
		if (strcmp(t->name, name) == 0 &&
		    strcmp(t->schema, schema) == 0)
			return t;
	return NULL;
}

const struct catalog_type *
catalog_type(const struct catalog_snapshot *s, const char *schema,
	     const char *name)
{
	const struct catalog_type *t = NULL;

	OBJ_CHECK(s, CATALOG_SNAPSHOT_MAGIC);
	if (schema != NULL)
		return type_in(s, schema, name);
	for (unsigned i = 0; i < s->npath && t == NULL; i++)
		t = type_in(s, s->path[i], name);
	return t;
}
