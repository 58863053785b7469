/* SPDX-License-Identifier: MIT
 *
 * What a statement reads of its target: by name, since nobody here resolves
 * columns.  A name that may mean the target does.
 */
#include "tenant_int.h"

#include <string.h>

struct reading {
	struct rewrite *rw;
	const struct target *t;
	const struct tree_node *stmt;
	const struct tenant_limit *limit; /* or NULL */
	const char *table, *alias;	  /* names of the target */
	bool reads;
};

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

static bool
is_target(const struct reading *r, const char *name)
{
	return strcmp(name, r->table) == 0 || strcmp(name, r->alias) == 0;
}

static bool
has_column(const struct reading *r, const char *name)
{
	const struct world_table *wt = r->t->world;

	for (unsigned i = 0; i < wt->ncolumns; i++)
		if (strcmp(wt->columns[i].name, name) == 0)
			return true;
	return false;
}

/* ---- masks -------------------------------------------------------------- */

static int
read_column(struct reading *r, const char *column)
{
	r->reads = true;
	for (unsigned i = 0; r->limit != NULL && i < r->limit->nmasks; i++)
		if (column == NULL ||
		    strcmp(r->limit->masks[i].column, column) == 0)
			return refuse(r->rw->e, REFUSE_MASKED,
				      "%s of %s.%s may not be read, and a "
				      "statement that writes the table cannot "
				      "%s",
				      r->limit->masks[i].column,
				      r->t->rule->schema, r->t->rule->name,
				      column != NULL ? "name it"
						     : "read whole rows of it");
	return 0;
}

static int
read_row(struct reading *r)
{
	return read_column(r, NULL);
}

/* ---- names -------------------------------------------------------------- */

/* A star without a table is that of RETURNING unless a query is around it. */
static bool
in_query(const struct reading *r, const struct tree_walk *w)
{
	const struct tree_frame *f;

	for (unsigned up = 1; (f = tree_walk_up(w, up)) != NULL; up++)
		if (tree_kind(f->node) == TREE_SELECT)
			return true;
	return false;
}

static int
look_at(struct reading *r, const struct tree_walk *w)
{
	size_t n = tree_len(w->node, "fields");

	if (is_star(w->node)) {
		if (n == 1 ? in_query(r, w)
			   : !is_target(r, part(w->node, n - 2)))
			return 0;
		return read_row(r);
	}
	if (n > 1 && is_target(r, part(w->node, n - 2)))
		return read_column(r, part(w->node, n - 1));
	if (n > 1)
		return 0;
	if (has_column(r, part(w->node, 0)))
		return read_column(r, part(w->node, 0));
	return is_target(r, part(w->node, 0)) ? read_row(r) : 0;
}

/* What conflicts, by its columns or by the name of a constraint. */
static int
look_at_conflict(struct reading *r, const struct tree_node *infer)
{
	const struct world_table *wt = r->t->world;
	const char *name = tree_str(infer, "conname");

	for (size_t i = 0; i < tree_len(infer, "index_elems"); i++) {
		const char *column = tree_str(
			tree_item(infer, "index_elems", i), "name");

		if (column[0] != 0 && read_column(r, column) < 0)
			return r->rw->e->code;
	}
	for (unsigned k = 0; name[0] != 0 && k < wt->nkeys; k++)
		for (unsigned i = 0; i < wt->keys[k].ncolumns; i++)
			if (strcmp(wt->keys[k].name, name) == 0 &&
			    wt->keys[k].columns[i] != NULL &&
			    read_column(r, wt->keys[k].columns[i]) < 0)
				return r->rw->e->code;
	return 0;
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

static int
look(struct reading *r)
{
	struct tree_walk w;
	int rc = 0;

	tree_walk_init(&w, r->stmt);
	while (rc == 0 && tree_walk_next(&w) != TREE_END) {
		if (w.step != TREE_ENTER)
			continue;
		if (apart(r, &w))
			tree_walk_skip(&w);
		else if (w.kind == TREE_COLUMN_REF)
			rc = look_at(r, &w);
		else if (w.kind == TREE_ON_CONFLICT)
			rc = look_at_conflict(r, tree_get(w.node, "infer"));
	}
	tree_walk_fini(&w);
	return rc;
}

int
reads_target(struct rewrite *rw, const struct target *t,
	     const struct tree_node *stmt, bool *reads)
{
	const struct tree_node *alias = tree_get(t->var, "alias");
	struct reading r = {
		.rw = rw,
		.t = t,
		.stmt = stmt,
		.limit = pred_limit(rw, t->rule, TENANT_READ),
		.table = tree_str(t->var, "relname"),
	};
	int rc;

	r.alias = alias != NULL ? tree_str(alias, "aliasname") : r.table;
	rc = look(&r);
	*reads = r.reads;
	return rc;
}
