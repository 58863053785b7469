/* SPDX-License-Identifier: MIT
 *
 * GROUP BY: as it was, and behind it columns of tables of this FROM, by name.
 * They may split groups of rows that were let through, and show nothing else.
 */
#include "check_int.h"

#include <string.h>

static bool
has_column(const struct world_table *t, const struct tree_node *alias,
	   const char *column)
{
	for (size_t i = 0; i < tree_len(alias, "colnames"); i++)
		if (strcmp(tree_str(tree_item(alias, "colnames", i), "sval"),
			   column) == 0)
			return true;
	for (unsigned i = 0; i < t->ncolumns; i++)
		if (strcmp(t->columns[i].name, column) == 0)
			return true;
	return false;
}

/* q.column, of a table that the original's FROM has under this name. */
static bool
is_of_table(struct check *c, const struct tree_node *var, const char *q,
	    const char *column)
{
	const struct tree_node *alias = tree_get(var, "alias");
	const char *schema = tree_str(var, "schemaname");
	const char *name = tree_str(var, "relname");
	const struct world *w = c->ask->world;
	const struct world_table *t;

	if (strcmp(alias != NULL ? tree_str(alias, "aliasname") : name, q) != 0)
		return false;
	t = w->table(w->arg, schema[0] != 0 ? schema : NULL, name);
	return t != NULL && has_column(t, alias, column);
}

static bool
is_column(struct check *c, const struct tree_node *select,
	  const struct tree_node *ref)
{
	const char *q, *column;
	struct tree_walk w;
	bool found = false;

	if (tree_kind(ref) != TREE_COLUMN_REF || tree_len(ref, "fields") != 2 ||
	    tree_kind(tree_item(ref, "fields", 1)) != TREE_STRING)
		return false;
	q = tree_str(tree_item(ref, "fields", 0), "sval");
	column = tree_str(tree_item(ref, "fields", 1), "sval");
	for (size_t i = 0; !found && i < tree_len(select, "from_clause"); i++) {
		tree_walk_init(&w, tree_item(select, "from_clause", i));
		while (!found && tree_walk_next(&w) != TREE_END)
			found = w.step == TREE_ENTER &&
				w.kind == TREE_RANGE_VAR &&
				is_of_table(c, w.node, q, column);
		tree_walk_fini(&w);
	}
	return found;
}

int
check_group(struct check *c, struct pair p, struct at at)
{
	size_t na = tree_len(p.a, "group_clause"),
	       nb = tree_len(p.b, "group_clause");

	if (nb < na || (na == 0 && nb > 0))
		return check_fail(c, "its GROUP BY is another one");
	for (size_t i = 0; i < na; i++) {
		struct pair q = {tree_item(p.a, "group_clause", i),
				 tree_item(p.b, "group_clause", i)};

		if (check_same(c, q, at) < 0)
			return c->e->code;
		if (nb > na && strcmp(tree_name(q.a), "GroupingSet") == 0)
			return check_fail(c, "its grouping sets are others");
	}
	for (size_t i = na; i < nb; i++)
		if (!is_column(c, p.a, tree_item(p.b, "group_clause", i)))
			return check_fail(c, "it is grouped by something else");
	return 0;
}
