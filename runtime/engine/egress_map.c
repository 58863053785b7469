/* SPDX-License-Identifier: MIT */
#include "egress_map.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

struct whole {
	struct egress_map m;
	struct arena arena;
};

/* What is found on the way through the tables. */
struct finding {
	struct egress_column *columns;
	const char **scoped, **loose; /* names of constraints */
	unsigned ncolumns, nscoped, nloose;
};

static int
compare_columns(const void *a, const void *b)
{
	const struct egress_column *x = a, *y = b;

	if (x->table != y->table)
		return x->table < y->table ? -1 : 1;
	return x->attnum - y->attnum;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool
has_column(const int16_t *cols, int ncols, int attnum)
{
	for (int i = 0; i < ncols; i++)
		if (cols[i] == attnum)
			return true;
	return false;
}

static void
note(struct finding *f, const char *name, bool scoped)
{
	if (name == NULL)
		return;
	if (scoped)
		f->scoped[f->nscoped++] = name;
	else
		f->loose[f->nloose++] = name;
}

/* attnum 0: the table has no tenant column. */
static void
note_constraints(struct finding *f, const struct catalog_table *t, int attnum)
{
	for (unsigned i = 0; i < t->nkeys; i++)
		note(f, t->keys[i].name,
		     attnum != 0 && has_column(t->keys[i].cols,
					       t->keys[i].ncols, attnum));
	for (unsigned i = 0; i < t->nfkeys; i++)
		note(f, t->fkeys[i].name,
		     attnum != 0 && has_column(t->fkeys[i].cols,
					       t->fkeys[i].ncols, attnum));
}

/* Of a partition, that of the table it is a part of. */
static const struct tenant_table *
rule_of(const struct tenant_rules *r, const struct catalog_table *t)
{
	const struct tenant_table *rule = NULL;

	for (; t != NULL && rule == NULL; t = t->parent)
		rule = tenant_find(r, t->schema, t->name);
	return rule;
}

static int
tenant_attnum(const struct isolation_rules *isolation,
	      const struct catalog_snapshot *s, const struct catalog_table *t)
{
	const struct tenant_table *rule = rule_of(isolation->tables, t);
	const struct catalog_column *c;

	if (rule == NULL || rule->kind != TENANT_BY)
		return 0;
	c = catalog_column(s, t, rule->column);
	return c != NULL ? c->attnum : 0;
}

static void
count(const struct catalog_table *tables, unsigned n, struct finding *sum)
{
	for (unsigned i = 0; i < n; i++)
		sum->nscoped += tables[i].nkeys + tables[i].nfkeys;
	sum->ncolumns = n;
}

static void
make_room(struct arena *a, const struct catalog_table *tables, unsigned n,
	  struct finding *f)
{
	struct finding sum = {0};

	count(tables, n, &sum);
	*f = (struct finding){0};
	f->columns = arena_new(a, (sum.ncolumns + 1) * sizeof(*f->columns));
	f->scoped = arena_new(a, (sum.nscoped + 1) * sizeof(*f->scoped));
	f->loose = arena_new(a, (sum.nscoped + 1) * sizeof(*f->loose));
}

/* An error names a constraint without its table. */
static void
drop_ambiguous(struct finding *f)
{
	unsigned kept = 0;

	qsort(f->loose, f->nloose, sizeof(*f->loose), compare_names);
	for (unsigned i = 0; i < f->nscoped; i++)
		if (f->nloose == 0 ||
		    bsearch(&f->scoped[i], f->loose, f->nloose,
			    sizeof(*f->loose), compare_names) == NULL)
			f->scoped[kept++] = f->scoped[i];
	f->nscoped = kept;
}

struct egress_map *
egress_map_new(const struct isolation_rules *isolation,
	       struct catalog_snapshot *snapshot)
{
	const struct catalog_table *tables;
	unsigned n = catalog_tables(snapshot, &tables);
	struct whole *w = mem_new(sizeof(*w));
	struct finding f;

	assert(isolation->state == ISOLATION_ON);
	OBJ_INIT(&w->m, EGRESS_MAP_MAGIC);
	w->m.refs = 1;
	w->m.epoch = catalog_snapshot_epoch(snapshot);
	w->m.snapshot = catalog_snapshot_pin(snapshot);
	arena_init(&w->arena, NULL, 0);
	make_room(&w->arena, tables, n, &f);
	for (unsigned i = 0; i < n; i++) {
		int attnum = tenant_attnum(isolation, snapshot, &tables[i]);

		if (attnum != 0)
			f.columns[f.ncolumns++] = (struct egress_column){
				tables[i].oid, (int16_t)attnum};
		note_constraints(&f, &tables[i], attnum);
	}
	drop_ambiguous(&f);
	qsort(f.columns, f.ncolumns, sizeof(*f.columns), compare_columns);
	qsort(f.scoped, f.nscoped, sizeof(*f.scoped), compare_names);
	w->m.rules = (struct egress_rules){.type = isolation->tables->type,
					   .ncolumns = f.ncolumns,
					   .nscoped = f.nscoped,
					   .columns = f.columns,
					   .scoped = f.scoped,
					   .canary = isolation->canary,
					   .show = isolation->show_detail};
	return &w->m;
}

struct egress_map *
egress_map_pin(struct egress_map *m)
{
	OBJ_CHECK(m, EGRESS_MAP_MAGIC);
	__atomic_add_fetch(&m->refs, 1, __ATOMIC_RELAXED);
	return m;
}

void
egress_map_unpin(struct egress_map **pm)
{
	struct egress_map *m;
	struct whole *w;

	OBJ_TAKE(m, pm, EGRESS_MAP_MAGIC);
	if (__atomic_sub_fetch(&m->refs, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	w = CONTAINER_OF(m, struct whole, m);
	catalog_snapshot_unpin(&m->snapshot);
	arena_fini(&w->arena);
	OBJ_FINI(m);
	mem_free(w);
}
