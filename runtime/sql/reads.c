/* SPDX-License-Identifier: MIT */
#include "reads.h"

#include <string.h>

struct reading {
	const struct world_table *t;
	const struct tree_node *stmt;
	const char *table, *alias; /* names of the target */
	bool *columns;
	bool returning; /* what is looked at stands in RETURNING */
	struct reads *out;
};

/* ---- marks -------------------------------------------------------------- */

static void
read_row(struct reading *r)
{
	r->out->any = r->out->row = true;
}

static bool
read_column(struct reading *r, const char *name)
{
	for (unsigned i = 0; i < r->t->ncolumns; i++)
		if (strcmp(r->t->columns[i].name, name) == 0)
			return r->out->any = r->columns[i] = true;
	return false;
}

/* ---- names -------------------------------------------------------------- */

static const char *
part(const struct tree_node *ref, size_t i)
{
	return tree_str(tree_item(ref, "fields", i), "sval");
}

static bool
is_star(const struct tree_node *ref)
{
	size_t n = tree_len(ref, "fields");

	return tree_kind(tree_item(ref, "fields", n - 1)) == TREE_A_STAR;
}

/* Since PostgreSQL 18 RETURNING knows the row as old and new, too. */
static bool
is_target(const struct reading *r, const char *name)
{
	if (r->returning &&
	    (strcmp(name, "old") == 0 || strcmp(name, "new") == 0))
		return true;
	return strcmp(name, r->table) == 0 || strcmp(name, r->alias) == 0;
}

/* A star without a table is that of RETURNING unless a query is around it. */
static bool
in_query(const struct tree_walk *w)
{
	const struct tree_frame *f;

	for (unsigned up = 1; (f = tree_walk_up(w, up)) != NULL; up++)
		if (tree_kind(f->node) == TREE_SELECT)
			return true;
	return false;
}

static void
look_at(struct reading *r, const struct tree_walk *w)
{
	size_t n = tree_len(w->node, "fields");

	if (is_star(w->node)) {
		if (n > 1 ? is_target(r, part(w->node, n - 2)) : !in_query(w))
			read_row(r);
	} else if (n > 1 && is_target(r, part(w->node, n - 2))) {
		/* What is no column may be a function of the row. */
		if (!read_column(r, part(w->node, n - 1)))
			read_row(r);
	} else if (n > 1) {
		return;
	} else if (!read_column(r, part(w->node, 0)) &&
		   is_target(r, part(w->node, 0))) {
		read_row(r);
	}
}

/* What conflicts, by its columns or by the name of a constraint. */
static void
look_at_conflict(struct reading *r, const struct tree_node *infer)
{
	const struct world_table *t = r->t;
	const char *name = tree_str(infer, "conname");

	for (size_t i = 0; i < tree_len(infer, "index_elems"); i++)
		read_column(r, tree_str(tree_item(infer, "index_elems", i),
					"name"));
	for (unsigned k = 0; name[0] != 0 && k < t->nkeys; k++)
		for (unsigned i = 0; i < t->keys[k].ncolumns; i++)
			if (strcmp(t->keys[k].name, name) == 0 &&
			    t->keys[k].columns[i] != NULL)
				read_column(r, t->keys[k].columns[i]);
}

/* ---- the walk ----------------------------------------------------------- */

/* What stands in these cannot see the target. */
static bool
apart(const struct reading *r, const struct tree_walk *w)
{
	static const char *const fields[] = {"with_clause",	"from_clause",
					     "using_clause",	"select_stmt",
					     "source_relation", "relation"};

	for (size_t i = 0;
	     w->parent == r->stmt && i < sizeof(fields) / sizeof(*fields); i++)
		if (strcmp(w->field, fields[i]) == 0)
			return true;
	return false;
}

void
reads_of(const struct world_table *t, const struct tree_node *stmt,
	 struct arena *a, struct reads *out)
{
	const struct tree_node *var = tree_get(stmt, "relation"),
			       *alias = tree_get(var, "alias");
	struct reading r = {.t = t, .stmt = stmt, .out = out};
	struct tree_walk w;

	r.table = tree_str(var, "relname");
	r.alias = alias != NULL ? tree_str(alias, "aliasname") : r.table;
	r.columns = arena_new(a, (t->ncolumns + 1) * sizeof(*r.columns));
	memset(r.columns, 0, (t->ncolumns + 1) * sizeof(*r.columns));
	*out = (struct reads){.columns = r.columns};
	tree_walk_init(&w, stmt);
	while (tree_walk_next(&w) != TREE_END) {
		if (w.step != TREE_ENTER)
			continue;
		if (w.parent == stmt)
			r.returning = strcmp(w.field, "returning_list") == 0;
		if (apart(&r, &w))
			tree_walk_skip(&w);
		else if (w.kind == TREE_COLUMN_REF)
			look_at(&r, &w);
		else if (w.kind == TREE_ON_CONFLICT)
			look_at_conflict(&r, tree_get(w.node, "infer"));
	}
	tree_walk_fini(&w);
}

/* ---- what others ask of a node ------------------------------------------ */

bool
reads_star(const struct tree_node *value)
{
	enum tree_kind k = tree_kind(value);
	const char *parts = k == TREE_COLUMN_REF ? "fields" : "indirection";

	return (k == TREE_COLUMN_REF || k == TREE_A_INDIRECTION) &&
	       tree_kind(tree_item(value, parts, tree_len(value, parts) - 1)) ==
		       TREE_A_STAR;
}

bool
reads_target(const struct tree_walk *w)
{
	enum tree_kind k = tree_kind(w->parent);

	return (k == TREE_INSERT || k == TREE_UPDATE || k == TREE_DELETE ||
		k == TREE_MERGE) &&
	       strcmp(w->field, "relation") == 0;
}
