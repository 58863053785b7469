/* SPDX-License-Identifier: MIT */
#include "atlas.h"

#include <string.h>

#include "mem.h"

struct atlas {
	unsigned magic;
#define ATLAS_MAGIC 0xa71a5e11
	struct catalog_snapshot *snapshot;
	const struct catalog_table *first; /* of the snapshot's relations, */
	unsigned ntables;		   /* and how many there are */
	struct world_table *tables;	   /* at the same places */
	struct world world;
	struct arena arena;
	bool failed; /* no memory */
};

static void *
room(struct atlas *a, size_t n, size_t size)
{
	void *p = arena_try(&a->arena, (n + 1) * size);

	a->failed = a->failed || p == NULL;
	return p;
}

/* ---- relations --------------------------------------------------------- */

static enum world_kind
kind_of(enum catalog_kind kind)
{
	switch (kind) {
	case CATALOG_TABLE:
		return WORLD_TABLE;
	case CATALOG_PARTITIONED:
		return WORLD_PARTITIONED;
	case CATALOG_VIEW:
		return WORLD_VIEW;
	case CATALOG_MATVIEW:
		return WORLD_MATVIEW;
	case CATALOG_FOREIGN:
		return WORLD_FOREIGN;
	case CATALOG_SEQUENCE:
		break;
	}
	return WORLD_SEQUENCE;
}

static void
fill_columns(struct atlas *a, struct world_table *w,
	     const struct catalog_table *t)
{
	struct world_column *c = room(a, t->ncolumns, sizeof(*c));

	for (unsigned i = 0; i < t->ncolumns && !a->failed; i++) {
		c[i].name = t->columns[i].name;
		c[i].type_schema = t->columns[i].type_schema;
		c[i].type = t->columns[i].type_name;
		c[i].generated = t->columns[i].generated;
		c[i].not_null = t->columns[i].not_null;
	}
	w->columns = c;
	w->ncolumns = t->ncolumns;
}

/* NULL among them: an expression. */
static const char **
names_of(struct atlas *a, const struct catalog_table *t, const int16_t *nums,
	 int n)
{
	const char **names = room(a, (size_t)n, sizeof(*names));
	const struct catalog_column *c;

	for (int i = 0; i < n && !a->failed; i++) {
		c = catalog_column_by_num(t, nums[i]);
		names[i] = c != NULL ? c->name : NULL;
	}
	return names;
}

static void
fill_keys(struct atlas *a, struct world_table *w, const struct catalog_table *t)
{
	struct world_key *k = room(a, t->nkeys, sizeof(*k));

	w->keys = k;
	for (unsigned i = 0; i < t->nkeys && !a->failed; i++) {
		const struct catalog_key *from = &t->keys[i];

		if (from->invalid)
			continue;
		k->name = from->name;
		k->primary = from->primary;
		k->partial = from->partial;
		k->ncolumns = (unsigned)from->ncols;
		k->columns = names_of(a, t, from->cols, from->ncols);
		k++;
		w->nkeys++;
	}
}

static struct world_table *
world_of(const struct atlas *a, const struct catalog_table *t)
{
	return &a->tables[t - a->first];
}

/* A key that leads to a partition or an inheritance child is one of its
 * parents, too: their rows are its. */
static void
count_refs(struct atlas *a, const struct catalog_table *t)
{
	for (unsigned i = 0; i < t->nfkeys; i++) {
		const struct catalog_table *to = t->fkeys[i].to;

		if (t->fkeys[i].inherited)
			continue;
		for (; to != NULL; to = to->parent)
			world_of(a, to)->nrefs++;
	}
}

static void
add_ref(struct atlas *a, const struct catalog_table *t,
	const struct catalog_fkey *f)
{
	struct world_ref r = {.schema = t->schema,
			      .name = t->name,
			      .ncolumns = (unsigned)f->ncols,
			      .on_delete = f->on_delete,
			      .on_update = f->on_update};
	const struct catalog_table *up;

	r.columns = names_of(a, t, f->cols, f->ncols);
	r.to_columns = names_of(a, f->to, f->to_cols, f->ncols);
	for (up = f->to; up != NULL; up = up->parent) {
		struct world_table *w = world_of(a, up);

		((struct world_ref *)w->refs)[w->nrefs++] = r;
	}
}

static void
add_refs(struct atlas *a, const struct catalog_table *t)
{
	for (unsigned i = 0; i < t->nfkeys && !a->failed; i++)
		if (!t->fkeys[i].inherited)
			add_ref(a, t, &t->fkeys[i]);
}

static void
fill_refs(struct atlas *a)
{
	for (unsigned i = 0; i < a->ntables; i++)
		count_refs(a, &a->first[i]);
	for (unsigned i = 0; i < a->ntables && !a->failed; i++) {
		a->tables[i].refs = room(a, a->tables[i].nrefs,
					 sizeof(struct world_ref));
		a->tables[i].nrefs = 0;
	}
	for (unsigned i = 0; i < a->ntables; i++)
		add_refs(a, &a->first[i]);
}

static void
fill_tables(struct atlas *a)
{
	a->ntables = catalog_tables(a->snapshot, &a->first);
	a->tables = room(a, a->ntables, sizeof(*a->tables));
	for (unsigned i = 0; i < a->ntables && !a->failed; i++) {
		const struct catalog_table *t = &a->first[i];
		struct world_table *w = &a->tables[i];

		w->schema = t->schema;
		w->name = t->name;
		w->kind = kind_of(t->kind);
		w->is_partition = t->is_partition;
		w->security_invoker = t->security_invoker;
		fill_columns(a, w, t);
		fill_keys(a, w, t);
	}
	if (!a->failed)
		fill_refs(a);
}

static const struct world_table *
find_table(const void *arg, const char *schema, const char *name)
{
	const struct atlas *a;
	const struct catalog_table *t;

	OBJ_CAST(a, arg, ATLAS_MAGIC);
	t = catalog_table(a->snapshot, schema, name);
	return t != NULL ? world_of(a, t) : NULL;
}

/* ---- functions and operators ------------------------------------------- */

static bool
on_path(const struct catalog_snapshot *s, const char *schema)
{
	const char *const *path;
	unsigned n = catalog_path(s, &path);

	for (unsigned i = 0; i < n; i++)
		if (strcmp(path[i], schema) == 0)
			return true;
	return false;
}

static bool
reached(const struct atlas *a, const struct catalog_overload *o,
	const char *schema, unsigned nargs)
{
	if ((int)nargs < o->min_args ||
	    (o->max_args >= 0 && (int)nargs > o->max_args))
		return false;
	if (schema != NULL)
		return strcmp(o->schema, schema) == 0;
	return on_path(a->snapshot, o->schema);
}

static char
worse(char a, char b)
{
	if (a == 'v' || b == 'v')
		return 'v';
	return a == 's' || b == 's' ? 's' : 'i';
}

static void
add_up(struct world_function *f, const struct catalog_overload *o)
{
	if (f->schema == NULL)
		*f = (struct world_function){.builtin = true,
					     .one_schema = true,
					     .volatile_ = 'i',
					     .schema = o->schema};
	f->builtin = f->builtin && o->builtin;
	f->one_schema = f->one_schema && strcmp(f->schema, o->schema) == 0;
	f->writes = f->writes || o->writes;
	f->definer = f->definer || o->definer;
	f->takes_row = f->takes_row || o->takes_row;
	f->volatile_ = worse(f->volatile_, o->volatile_);
}

static bool
find_among(const struct atlas *a, const struct catalog_overload *o,
	   const struct world_call *call, struct world_function *out)
{
	memset(out, 0, sizeof(*out));
	for (; o != NULL; o = o->next)
		if (reached(a, o, call->schema, call->nargs))
			add_up(out, o);
	return out->schema != NULL;
}

static bool
find_function(const void *arg, const struct world_call *call,
	      struct world_function *out)
{
	const struct atlas *a;

	OBJ_CAST(a, arg, ATLAS_MAGIC);
	return find_among(a, catalog_function(a->snapshot, call->name), call,
			  out);
}

static bool
find_operator(const void *arg, const struct world_call *call,
	      struct world_function *out)
{
	const struct atlas *a;

	OBJ_CAST(a, arg, ATLAS_MAGIC);
	return find_among(a, catalog_operator(a->snapshot, call->name), call,
			  out);
}

/* ---- types ------------------------------------------------------------- */

/* Types that look into the catalog when they read a value. */
static bool
is_reg(const struct catalog_type *t)
{
	return t->builtin && strncmp(t->name, "reg", 3) == 0;
}

/* Domains stand on domains, and arrays hold arrays of domains, a few deep. */
static char
judge(const struct catalog_type *t)
{
	char kind = 0;

	if (t->builtin)
		return t->kind == 'c' ? 'c' : 'b';
	for (; t != NULL; t = t->base) {
		if (t->user_cast || is_reg(t))
			return 'o';
		if (kind == 0 && t->kind != 'a')
			kind = t->kind;
		if (t->kind != 'd' && t->kind != 'a')
			break;
	}
	if (t == NULL)
		return 'c'; /* below it: rows of a relation */
	if (t->kind == 'c')
		return 'c';
	if (!t->builtin && t->kind != 'e')
		return 'o';
	return kind == 'e' || kind == 'd' ? kind : 'o';
}

static char
find_type(const void *arg, const char *schema, const char *name)
{
	const struct atlas *a;
	const struct catalog_type *t;

	OBJ_CAST(a, arg, ATLAS_MAGIC);
	t = catalog_type(a->snapshot, schema, name);
	if (t != NULL)
		return judge(t);
	return catalog_table(a->snapshot, schema, name) != NULL ? 'c' : 0;
}

/* ---- life -------------------------------------------------------------- */

struct atlas *
atlas_new(struct catalog_snapshot *s, struct err *e)
{
	struct atlas *a = mem_new(sizeof(*a));

	OBJ_INIT(a, ATLAS_MAGIC);
	a->snapshot = catalog_snapshot_pin(s);
	arena_init(&a->arena, NULL, 0);
	a->world = (struct world){.arg = a,
				  .table = find_table,
				  .function = find_function,
				  .operator_ = find_operator,
				  .type = find_type};
	fill_tables(a);
	if (!a->failed)
		return a;
	err_set(e, LUNATE_ENOMEM, "no memory to look into the catalog");
	atlas_free(&a);
	return NULL;
}

const struct world *
atlas_world(const struct atlas *a)
{
	OBJ_CHECK(a, ATLAS_MAGIC);
	return &a->world;
}

const struct catalog_snapshot *
atlas_snapshot(const struct atlas *a)
{
	OBJ_CHECK(a, ATLAS_MAGIC);
	return a->snapshot;
}

void
atlas_free(struct atlas **pa)
{
	struct atlas *a;

	OBJ_TAKE(a, pa, ATLAS_MAGIC);
	arena_fini(&a->arena);
	catalog_snapshot_unpin(&a->snapshot);
	OBJ_FINI(a);
	mem_free(a);
}
