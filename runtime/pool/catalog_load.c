/* SPDX-License-Identifier: MIT
 *
 * From the server's answer to a snapshot.
 */
#include "catalog_build.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#define NCOLS 8

/* ---- cells ----------------------------------------------------------- */

const char *
build_text(const struct build *b, size_t row, int col)
{
	size_t len;
	const char *s = rows_cell(b->r, row, col, &len);

	return s != NULL ? s : "";
}

uint32_t
build_oid(const struct build *b, size_t row, int col)
{
	return (uint32_t)strtoul(build_text(b, row, col), NULL, 10);
}

int
build_int(const struct build *b, size_t row, int col)
{
	return (int)strtol(build_text(b, row, col), NULL, 10);
}

bool
build_flag(const struct build *b, size_t row, int col, char flag)
{
	return strchr(build_text(b, row, col), flag) != NULL;
}

char
build_letter(const struct build *b, size_t row)
{
	return (char)(build_text(b, row, 0)[0] & 127);
}

void
build_each(struct build *b, char kind, void (*take)(struct build *, size_t))
{
	size_t n = rows_count(b->r);

	for (size_t i = 0; i < n && !b->failed; i++)
		if (build_letter(b, i) == kind)
			take(b, i);
}

/* The digest must not depend on the order of rows, nor on estimates. */
static void
count_rows(struct build *b)
{
	size_t n = rows_count(b->r), len;

	for (size_t i = 0; i < n; i++) {
		uint64_t h = 0;
		int cols = build_letter(b, i) == 'r' ? NCOLS - 1 : NCOLS;

		b->count[(int)build_letter(b, i)]++;
		for (int j = 0; j < cols; j++) {
			const char *at = rows_cell(b->r, i, j, &len);

			h = XXH3_64bits_withSeed(at != NULL ? at : "", len,
						 h + (uint64_t)j);
		}
		b->s->digest += h;
	}
}

/* Room for all rows of a kind. */
void *
build_room(struct build *b, char kind, size_t size)
{
	void *p = arena_try(&b->s->arena, (b->count[(int)kind] + 1) * size);

	b->failed = b->failed || p == NULL;
	return p;
}

void
build_index(struct build *b, struct catalog_index *ix, size_t n)
{
	if (!b->failed)
		b->failed = catalog_index_init(ix, &b->s->arena, n) < 0;
}

/* ---- schemas ----------------------------------------------------------- */

static void
add_schema(struct build *b, size_t row)
{
	struct catalog_schema *n = &b->s->schemas[b->s->nschemas++];

	n->oid = build_oid(b, row, 1);
	n->name = build_text(b, row, 2);
	catalog_index_add(&b->schemas, catalog_hash_oid(n->oid), n);
}

const char *
build_schema(const struct build *b, size_t row, int col)
{
	const struct catalog_schema *n;
	uint32_t oid = build_oid(b, row, col);
	size_t at = 0;

	while ((n = catalog_index_next(&b->schemas, catalog_hash_oid(oid),
				       &at)) != NULL)
		if (n->oid == oid)
			return n->name;
	return "";
}

/* Session schemas are of nobody else.  The places are 1, 2, ... */
static void
add_path(struct build *b, size_t row)
{
	size_t place = build_oid(b, row, 1);
	const char *name = build_text(b, row, 2);

	if (place < 1 || place > b->count['p'] ||
	    strncmp(name, "pg_temp_", 8) == 0)
		return;
	b->s->path[place - 1] = name;
}

static void
load_schemas(struct build *b)
{
	struct catalog_snapshot *s = b->s;

	s->path = build_room(b, 'p', sizeof(*s->path));
	s->schemas = build_room(b, 'n', sizeof(*s->schemas));
	build_index(b, &b->schemas, b->count['n']);
	build_each(b, 'p', add_path);
	build_each(b, 'n', add_schema);
	for (size_t i = 0; i < b->count['p'] && !b->failed; i++)
		if (s->path[i] != NULL)
			s->path[s->npath++] = s->path[i];
}

/* ---- relations --------------------------------------------------------- */

static enum catalog_kind
kind_of(char relkind)
{
	switch (relkind) {
	case 'p':
		return CATALOG_PARTITIONED;
	case 'v':
		return CATALOG_VIEW;
	case 'm':
		return CATALOG_MATVIEW;
	case 'f':
		return CATALOG_FOREIGN;
	case 'S':
		return CATALOG_SEQUENCE;
	default:
		return CATALOG_TABLE;
	}
}

static void
add_table(struct build *b, size_t row)
{
	struct catalog_table *t = &b->s->tables[b->s->ntables++];

	t->oid = build_oid(b, row, 1);
	t->schema = build_schema(b, row, 2);
	t->name = build_text(b, row, 3);
	t->kind = kind_of(build_text(b, row, 4)[0]);
	t->unlogged = build_flag(b, row, 5, 'u');
	t->is_partition = build_flag(b, row, 5, 'p');
	t->rls = build_flag(b, row, 5, 'r');
	t->rls_forced = build_flag(b, row, 5, 'f');
	t->security_invoker = build_flag(b, row, 5, 'i');
	t->estimate = strtoll(build_text(b, row, 7), NULL, 10);
	t->impure = t->kind == CATALOG_FOREIGN;
}

static int
by_name(const void *a, const void *b)
{
	const struct catalog_table *t = a, *u = b;
	int order = strcmp(t->schema, u->schema);

	return order != 0 ? order : strcmp(t->name, u->name);
}

/* The table a row tells of; NULL: one that is not in the snapshot. */
struct catalog_table *
build_table(const struct build *b, size_t row, int col)
{
	const struct catalog_table *t = catalog_table_by_oid(
		b->s, build_oid(b, row, col));

	return t != NULL ? &b->s->tables[t - b->s->tables] : NULL;
}

static void
set_parent(struct build *b, size_t row)
{
	struct catalog_table *t = build_table(b, row, 1);

	if (build_text(b, row, 6)[0] != 0)
		t->parent = build_table(b, row, 6);
}

static void
load_tables(struct build *b)
{
	struct catalog_snapshot *s = b->s;

	s->tables = build_room(b, 'r', sizeof(*s->tables));
	build_index(b, &s->by_oid, b->count['r']);
	build_index(b, &s->by_name, b->count['r']);
	build_each(b, 'r', add_table);
	if (b->failed)
		return;
	qsort(s->tables, s->ntables, sizeof(*s->tables), by_name);
	for (unsigned i = 0; i < s->ntables; i++) {
		struct catalog_table *t = &s->tables[i];
		uint64_t salt = catalog_hash_name(t->schema);

		catalog_index_add(&s->by_oid, catalog_hash_oid(t->oid), t);
		catalog_index_add(&s->by_name, catalog_hash_pair(salt, t->name),
				  t);
	}
	build_each(b, 'r', set_parent);
}

/* ---- all of it ----------------------------------------------------------- */

static struct catalog_snapshot *
new_snapshot(struct rows *r, uint64_t epoch)
{
	struct catalog_snapshot *s = mem_new(sizeof(*s));

	OBJ_INIT(s, CATALOG_SNAPSHOT_MAGIC);
	s->refs = 1;
	s->epoch = epoch;
	s->rows = rows_pin(r);
	arena_init(&s->arena, NULL, 0);
	return s;
}

struct catalog_snapshot *
catalog_build(struct rows *r, uint64_t epoch, struct err *e)
{
	struct build b = {.r = r};

	if (rows_shape(r)->ncols != NCOLS) {
		err_set(e, LUNATE_EINTERNAL,
			"the catalog's query gave %d columns, not %d",
			rows_shape(r)->ncols, NCOLS);
		return NULL;
	}
	b.s = new_snapshot(r, epoch);
	count_rows(&b);
	load_schemas(&b);
	load_tables(&b);
	build_parts(&b);
	build_functions(&b);
	build_types(&b);
	build_judgement(&b);
	if (!b.failed)
		return b.s;
	err_set(e, LUNATE_ENOMEM, "no memory for the catalog of the server");
	catalog_snapshot_unpin(&b.s);
	return NULL;
}
