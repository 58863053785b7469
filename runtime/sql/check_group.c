/* SPDX-License-Identifier: MIT
 *
 * GROUP BY: as it was, and behind it columns of tables of this FROM that became
 * sub-selects and whose primary key it names, each once, and only those that
 * are asked for where only grouped ones may stand.  A key decides them, so the
 * groups stay.
 */
#include "check_int.h"

#include <string.h>

/* A table that FROM knows by a name. */
struct keyed {
	const struct tree_node *select, *alias; /* alias or NULL */
	const struct world_table *world;
	const char *q;
};

/* Tables below an alias of a join, or in a sub-select, have no name here. */
static const struct tree_node *
find_var(const struct tree_node *from, const char *q)
{
	const struct tree_node *alias, *found;

	if (tree_kind(from) == TREE_RANGE_TABLE_SAMPLE)
		from = tree_get(from, "relation");
	if (tree_kind(from) == TREE_RANGE_VAR) {
		alias = tree_get(from, "alias");
		return strcmp(alias != NULL ? tree_str(alias, "aliasname")
					    : tree_str(from, "relname"),
			      q) == 0
			       ? from
			       : NULL;
	}
	if (tree_kind(from) != TREE_JOIN || tree_get(from, "alias") != NULL)
		return NULL;
	found = find_var(tree_get(from, "larg"), q);
	return found != NULL ? found : find_var(tree_get(from, "rarg"), q);
}

static const struct tree_node *
var_of(const struct tree_node *select, const char *q)
{
	const struct tree_node *var = NULL;

	for (size_t i = 0; i < tree_len(select, "from_clause"); i++)
		if (var == NULL)
			var = find_var(tree_item(select, "from_clause", i), q);
	return var;
}

static bool
find_table(struct check *c, struct keyed *k, struct at at)
{
	const struct tree_node *var = var_of(k->select, k->q);
	struct named n;

	if (var == NULL || named_cte(var, at.ctes) ||
	    named_find(c, var, &n) < 0)
		return false;
	k->world = n.world;
	k->alias = tree_get(var, "alias");
	return true;
}

/* What a column is called in the statement; columns are few. */
static const char *
name_of(const struct keyed *k, unsigned i)
{
	return i < tree_len(k->alias, "colnames")
		       ? tree_str(tree_item(k->alias, "colnames", i), "sval")
		       : k->world->columns[i].name;
}

static bool
names(const struct tree_node *n, const struct keyed *k, const char *column)
{
	size_t nfields;

	if (tree_kind(n) != TREE_COLUMN_REF)
		return false;
	nfields = tree_len(n, "fields");
	return (nfields == 1 ||
		(nfields == 2 &&
		 strcmp(tree_str(tree_item(n, "fields", 0), "sval"), k->q) ==
			 0)) &&
	       (tree_kind(tree_item(n, "fields", nfields - 1)) == TREE_A_STAR ||
		strcmp(tree_str(tree_item(n, "fields", nfields - 1), "sval"),
		       column) == 0);
}

static bool
is_grouped(const struct keyed *k, const char *column)
{
	for (size_t i = 0; i < tree_len(k->select, "group_clause"); i++)
		if (names(tree_item(k->select, "group_clause", i), k, column))
			return true;
	return false;
}

static bool
is_asked_for(const struct keyed *k, const char *column)
{
	static const char *const fields[] = {"target_list", "having_clause",
					     "sort_clause", "distinct_clause",
					     "window_clause"};
	const struct tree_node *item;
	struct tree_walk w;
	bool found = false;

	for (size_t f = 0; f < sizeof(fields) / sizeof(*fields); f++)
		for (size_t i = 0; i < tree_len(k->select, fields[f]); i++) {
			item = tree_item(k->select, fields[f], i);
			if (item == NULL) /* of a DISTINCT without ON */
				continue;
			tree_walk_init(&w, item);
			while (!found && tree_walk_next(&w) != TREE_END)
				found = w.step == TREE_ENTER &&
					names(w.node, k, column);
			tree_walk_fini(&w);
		}
	return found;
}

static bool
has_key(const struct keyed *k)
{
	const struct world_key *key = NULL;
	unsigned there = 0;

	for (unsigned i = 0; i < k->world->nkeys; i++)
		if (k->world->keys[i].primary)
			key = &k->world->keys[i];
	for (unsigned i = 0; key != NULL && i < key->ncolumns; i++)
		for (unsigned j = 0; j < k->world->ncolumns; j++)
			there += strcmp(k->world->columns[j].name,
					key->columns[i]) == 0 &&
				 is_grouped(k, name_of(k, j));
	return key != NULL && there == key->ncolumns;
}

static bool
is_covered(struct check *c, struct pair selects, const struct tree_node *ref,
	   struct at at)
{
	struct keyed k = {.select = selects.a};
	const char *column;

	if (tree_kind(ref) != TREE_COLUMN_REF || tree_len(ref, "fields") != 2 ||
	    tree_kind(tree_item(ref, "fields", 1)) != TREE_STRING)
		return false;
	k.q = tree_str(tree_item(ref, "fields", 0), "sval");
	column = tree_str(tree_item(ref, "fields", 1), "sval");
	if (var_of(selects.b, k.q) != NULL || !find_table(c, &k, at) ||
	    !has_key(&k) || is_grouped(&k, column) || !is_asked_for(&k, column))
		return false;
	for (unsigned i = 0; i < k.world->ncolumns; i++)
		if (strcmp(name_of(&k, i), column) == 0)
			return true;
	return false;
}

/* The ith key again, further in front? */
static bool
is_twice(const struct tree_node *select, size_t i, size_t from)
{
	const struct tree_node *a = tree_item(select, "group_clause", i), *b;

	for (size_t k = from; k < i; k++) {
		b = tree_item(select, "group_clause", k);
		if (tree_alike(tree_item(a, "fields", 0),
			       tree_item(b, "fields", 0)) &&
		    tree_alike(tree_item(a, "fields", 1),
			       tree_item(b, "fields", 1)))
			return true;
	}
	return false;
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
		if (!is_covered(c, p, tree_item(p.b, "group_clause", i), at) ||
		    is_twice(p.b, i, na))
			return check_fail(c, "it is grouped by something else");
	return 0;
}
