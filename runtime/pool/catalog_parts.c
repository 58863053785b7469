/* SPDX-License-Identifier: MIT
 *
 * What belongs to a relation: one array for all of a kind, each relation with
 * its share of it.  And types.
 */
#include "catalog_build.h"

#include <stdlib.h>
#include <string.h>

#define MAX_KEY_COLS 1600 /* columns of a table */

static void
count_parts(struct build *b, size_t row)
{
	struct catalog_table *t = build_table(b, row, 1);

	if (t == NULL)
		return;
	switch (build_letter(b, row)) {
	case 'c':
		t->ncolumns++;
		return;
	case 'k':
		t->nkeys++;
		return;
	case 'e':
		t->nfkeys++;
		return;
	default:
		t->nuses++;
		return;
	}
}

/* Each table gets its share of the four arrays, empty as yet. */
static void
share_out(struct build *b)
{
	size_t c = 0, k = 0, e = 0, u = 0;

	for (unsigned i = 0; i < b->s->ntables; i++) {
		struct catalog_table *t = &b->s->tables[i];

		t->columns = b->columns + c;
		t->keys = b->keys + k;
		t->fkeys = b->fkeys + e;
		t->uses = b->uses + u;
		c += t->ncolumns, k += t->nkeys;
		e += t->nfkeys, u += t->nuses;
		t->ncolumns = t->nkeys = t->nfkeys = t->nuses = 0;
	}
}

static void
add_column(struct build *b, size_t row)
{
	struct catalog_table *t = build_table(b, row, 1);
	struct catalog_column *c;

	if (t == NULL)
		return;
	c = &b->columns[t->columns - b->columns] + t->ncolumns++;
	c->attnum = build_int(b, row, 2);
	c->name = build_text(b, row, 3);
	c->type = build_oid(b, row, 4);
	c->type_name = build_text(b, row, 5);
	c->type_schema = build_schema(b, row, 7);
	c->not_null = build_flag(b, row, 6, 'n');
	c->has_default = build_flag(b, row, 6, 'd');
	c->generated = build_flag(b, row, 6, 'g');
	c->identity = build_flag(b, row, 6, 'a')   ? 'a'
		      : build_flag(b, row, 6, 'b') ? 'd'
						   : 0;
}

/* "1 2" or "{1,2}", at most `most` of them; *n says how many. */
static const int16_t *
attnums(struct build *b, const char *text, int most, int *n)
{
	int16_t *cols = NULL;
	char *end;

	*n = 0;
	if (most > 0 && most <= MAX_KEY_COLS)
		cols = arena_try(&b->s->arena, (size_t)most * sizeof(*cols));
	b->failed = b->failed || cols == NULL;
	while (cols != NULL && *n < most) {
		text += strspn(text, " {,}");
		if (*text == 0)
			break;
		cols[(*n)++] = (int16_t)strtol(text, &end, 10);
		if (end == text)
			return NULL;
		text = end;
	}
	return cols;
}

static int
count_attnums(const char *list)
{
	int n = 1;

	for (; *list != 0; list++)
		n += *list == ',';
	return n;
}

static void
add_key(struct build *b, size_t row)
{
	struct catalog_table *t = build_table(b, row, 1);
	struct catalog_key *k;

	if (t == NULL)
		return;
	k = &b->keys[t->keys - b->keys] + t->nkeys++;
	k->name = build_text(b, row, 2);
	k->primary = build_flag(b, row, 3, 'p');
	k->deferrable = build_flag(b, row, 3, 'd');
	k->partial = build_flag(b, row, 3, 'w');
	k->invalid = build_flag(b, row, 3, 'v');
	k->cols = attnums(b, build_text(b, row, 5), build_int(b, row, 4),
			  &k->ncols);
}

static void
add_fkey(struct build *b, size_t row)
{
	struct catalog_table *t = build_table(b, row, 1);
	const struct catalog_table *to = build_table(b, row, 4);
	const char *cols = build_text(b, row, 5);
	const char *acts = build_text(b, row, 3);
	struct catalog_fkey *f;
	int n;

	if (t == NULL || to == NULL)
		return;
	f = &b->fkeys[t->fkeys - b->fkeys] + t->nfkeys++;
	f->name = build_text(b, row, 2);
	f->on_delete = acts[0];
	f->on_update = acts[0] != 0 ? acts[1] : 0;
	f->inherited = build_flag(b, row, 3, 'i');
	f->to = to;
	f->cols = attnums(b, cols, count_attnums(cols), &f->ncols);
	f->to_cols = attnums(b, build_text(b, row, 6), count_attnums(cols), &n);
}

static void
add_use(struct build *b, size_t row)
{
	struct catalog_table *t = build_table(b, row, 1);
	const struct catalog_table *used = build_table(b, row, 2);

	if (t != NULL && used != NULL)
		b->uses[t->uses - b->uses + t->nuses++] = used;
}

static int
by_attnum(const void *a, const void *b)
{
	const struct catalog_column *c = a, *d = b;

	return c->attnum - d->attnum;
}

static int
primary_first(const void *a, const void *b)
{
	const struct catalog_key *k = a, *l = b;

	if (k->primary != l->primary)
		return k->primary ? -1 : 1;
	return strcmp(k->name, l->name);
}

static void
sort_parts(struct build *b, const struct catalog_table *t)
{
	uint64_t salt = catalog_hash_oid(t->oid);

	qsort(&b->columns[t->columns - b->columns], t->ncolumns,
	      sizeof(*t->columns), by_attnum);
	qsort(&b->keys[t->keys - b->keys], t->nkeys, sizeof(*t->keys),
	      primary_first);
	for (unsigned i = 0; i < t->ncolumns; i++)
		catalog_index_add(&b->s->columns,
				  catalog_hash_pair(salt, t->columns[i].name),
				  &t->columns[i]);
}

void
build_parts(struct build *b)
{
	static const char kinds[] = "ckeu";

	b->columns = build_room(b, 'c', sizeof(*b->columns));
	b->keys = build_room(b, 'k', sizeof(*b->keys));
	b->fkeys = build_room(b, 'e', sizeof(*b->fkeys));
	b->uses = build_room(b, 'u', sizeof(*b->uses));
	build_index(b, &b->s->columns, b->count['c']);
	for (const char *k = kinds; *k != 0; k++)
		build_each(b, *k, count_parts);
	if (b->failed)
		return;
	share_out(b);
	build_each(b, 'c', add_column);
	build_each(b, 'k', add_key);
	build_each(b, 'e', add_fkey);
	build_each(b, 'u', add_use);
	for (unsigned i = 0; i < b->s->ntables && !b->failed; i++)
		sort_parts(b, &b->s->tables[i]);
}

/* ---- types ------------------------------------------------------------- */

static void
add_type(struct build *b, size_t row)
{
	struct catalog_type *t = &b->types[b->ntypes++];
	uint64_t salt;

	t->oid = build_oid(b, row, 1);
	t->schema = build_schema(b, row, 2);
	t->name = build_text(b, row, 3);
	t->kind = build_text(b, row, 4)[0];
	t->builtin = t->oid < CATALOG_FIRST_OID;
	t->user_cast = build_flag(b, row, 6, 'c');
	salt = catalog_hash_name(t->schema);
	catalog_index_add(&b->s->types, catalog_hash_pair(salt, t->name), t);
	catalog_index_add(&b->by_type, catalog_hash_oid(t->oid), t);
}

/* The passes see the rows in the same order. */
static void
set_base(struct build *b, size_t row)
{
	struct catalog_type *t = &b->types[b->ntypes++];
	uint32_t oid = build_oid(b, row, 5);
	const struct catalog_type *base;
	size_t at = 0;

	while ((base = catalog_index_next(&b->by_type, catalog_hash_oid(oid),
					  &at)) != NULL)
		if (base->oid == oid)
			t->base = base;
}

void
build_types(struct build *b)
{
	b->types = build_room(b, 't', sizeof(*b->types));
	build_index(b, &b->s->types, b->count['t']);
	build_index(b, &b->by_type, b->count['t']);
	build_each(b, 't', add_type);
	b->ntypes = 0;
	build_each(b, 't', set_base);
}
