/* SPDX-License-Identifier: MIT
 *
 * GROUP BY of a primary key covers the other columns of its table; of a
 * sub-select it does not.  Where a table had to become one, the columns that
 * are used join the GROUP BY: they are the same in each row of a key, so the
 * groups stay as they were (F1).
 */
#include "tenant_int.h"

#include <string.h>

void
group_note(struct rewrite *rw, const struct target *t)
{
	struct inner *in = arena_new(rw->a, sizeof(*in));

	in->target = *t;
	in->next = rw->inners;
	rw->inners = in;
}

/* ---- which columns ------------------------------------------------------ */

/* What a column of the table is called in the statement. */
static const char *
called(const struct target *t, unsigned k)
{
	const struct tree_node *alias = tree_get(t->var, "alias");

	if (k < tree_len(alias, "colnames"))
		return tree_str(tree_item(alias, "colnames", k), "sval");
	return t->world->columns[k].name;
}

static const char *
known_as(const struct target *t)
{
	const struct tree_node *alias = tree_get(t->var, "alias");

	return alias != NULL ? tree_str(alias, "aliasname")
			     : tree_str(t->var, "relname");
}

/* Is it this column, or a star that holds it? */
static bool
means(const struct tree_node *ref, const struct target *t, const char *column)
{
	const struct tree_node *last;
	size_t n;

	if (tree_kind(ref) != TREE_COLUMN_REF)
		return false;
	n = tree_len(ref, "fields");
	if (n > 2)
		return false;
	last = tree_item(ref, "fields", n - 1);
	if (n == 2 && strcmp(tree_str(tree_item(ref, "fields", 0), "sval"),
			     known_as(t)) != 0)
		return false;
	return tree_kind(last) == TREE_A_STAR ||
	       strcmp(tree_str(last, "sval"), column) == 0;
}

static bool
grouped(const struct tree_node *select, const struct target *t,
	const char *column)
{
	for (size_t i = 0; i < tree_len(select, "group_clause"); i++)
		if (means(tree_item(select, "group_clause", i), t, column))
			return true;
	return false;
}

static bool
has_key(const struct tree_node *select, const struct target *t)
{
	const struct world_key *key = NULL;

	for (unsigned i = 0; i < t->world->nkeys; i++)
		if (t->world->keys[i].primary)
			key = &t->world->keys[i];
	for (unsigned i = 0; key != NULL && i < key->ncolumns; i++) {
		unsigned k = 0;

		while (k < t->world->ncolumns &&
		       strcmp(t->world->columns[k].name, key->columns[i]) != 0)
			k++;
		if (k == t->world->ncolumns ||
		    !grouped(select, t, called(t, k)))
			return false;
	}
	return key != NULL;
}

/* Is a column named where only grouped ones may be?  The list of a plain
 * DISTINCT has one item that is nothing. */
static bool
is_used(const struct tree_node *item, const struct target *t,
	const char *column)
{
	struct tree_walk w;
	bool found = false;

	if (item == NULL)
		return false;
	tree_walk_init(&w, item);
	while (!found && tree_walk_next(&w) != TREE_END)
		found = w.step == TREE_ENTER && means(w.node, t, column);
	tree_walk_fini(&w);
	return found;
}

static bool
wanted(const struct tree_node *select, const struct target *t,
       const char *column)
{
	static const char *const fields[] = {"target_list", "having_clause",
					     "sort_clause", "window_clause",
					     "distinct_clause"};

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		for (size_t k = 0; k < tree_len(select, fields[i]); k++)
			if (is_used(tree_item(select, fields[i], k), t, column))
				return true;
	return false;
}

/* Values without an equality of their own cannot be grouped by. */
static bool
can_group(const struct world_column *c)
{
	static const char *const types[] = {"json",    "xml",  "point",
					    "line",    "lseg", "path",
					    "polygon", "box",  "circle"};

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (strcmp(c->type, types[i]) == 0)
			return false;
	return true;
}

static void
add_used(struct str *s, const struct tree_node *select, const struct target *t)
{
	for (unsigned k = 0; k < t->world->ncolumns; k++) {
		const char *name = called(t, k);

		if (!can_group(&t->world->columns[k]) ||
		    grouped(select, t, name) || !wanted(select, t, name))
			continue;
		str_addf(s, ", %s.", t->q);
		pred_name(s, name);
	}
}

/* ---- where -------------------------------------------------------------- */

/* Is it a table of this FROM that the SELECT knows by its name? */
static bool
stands_in(const struct tree_node *from, const struct tree_node *var)
{
	if (from == var)
		return true;
	if (tree_kind(from) == TREE_RANGE_TABLE_SAMPLE)
		return tree_get(from, "relation") == var;
	if (tree_kind(from) != TREE_JOIN || tree_get(from, "alias") != NULL)
		return false;
	return stands_in(tree_get(from, "larg"), var) ||
	       stands_in(tree_get(from, "rarg"), var);
}

static bool
is_from(const struct tree_node *select, const struct tree_node *var)
{
	for (size_t i = 0; i < tree_len(select, "from_clause"); i++)
		if (stands_in(tree_item(select, "from_clause", i), var))
			return true;
	return false;
}

static bool
is_plain(const struct tree_node *select)
{
	for (size_t i = 0; i < tree_len(select, "group_clause"); i++)
		if (strcmp(tree_name(tree_item(select, "group_clause", i)),
			   "GroupingSet") == 0)
			return false;
	return tree_len(select, "group_clause") > 0;
}

static int
put(struct rewrite *rw, const struct target *t, const char *columns)
{
	size_t select = token_before(rw, t->first, "select");
	size_t end = select != NO_TOKEN ? token_group_end(rw, select)
					: NO_TOKEN;

	if (end == NO_TOKEN)
		return refuse(rw->e, REFUSE_FORM, "its GROUP BY was not found");
	splice_insert(&rw->splice, rw->tok[end - 1].end, columns);
	return 0;
}

int
group_keep(struct rewrite *rw, const struct tree_node *select)
{
	const struct target *place = NULL;
	struct str s;

	if (!is_plain(select))
		return 0;
	str_init(&s);
	for (const struct inner *in = rw->inners; in != NULL; in = in->next)
		if (is_from(select, in->target.var) &&
		    has_key(select, &in->target)) {
			place = &in->target;
			add_used(&s, select, place);
		}
	if (s.len == 0) {
		str_fini(&s);
		return 0;
	}
	return put(rw, place, pred_keep(rw, &s));
}
