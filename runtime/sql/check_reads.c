/* SPDX-License-Identifier: MIT
 *
 * What a statement reads of the table it writes: every name below it that may
 * be one of the target's.
 */
#include "check_int.h"

#include <string.h>

/* All that is needed on the way down. */
struct way {
	struct check *c;
	const struct named *n;
	const char *table; /* its own name */
	bool query;	   /* below a SELECT */
	bool returning;	   /* below RETURNING: old and new are the target */
	bool reads;
};

static int
sees(struct way *w, const char *column)
{
	const struct tenant_limit *l = tenant_limit_find(
		w->c->ask->limits, w->n->rule, TENANT_READ);

	w->reads = true;
	for (unsigned i = 0; l != NULL && i < l->nmasks; i++)
		if (column == NULL || strcmp(column, l->masks[i].column) == 0)
			return check_fail(w->c, "what is masked is read");
	return 0;
}

static bool
is_target(const struct way *w, const char *name)
{
	if (strcmp(name, w->table) == 0 || strcmp(name, w->n->alias) == 0)
		return true;
	return w->returning &&
	       (strcmp(name, "old") == 0 || strcmp(name, "new") == 0);
}

/* A reference is the names before its last part, and that part. */
static int
sees_ref(struct way *w, const struct tree_node *ref)
{
	size_t n = tree_len(ref, "fields");
	const struct tree_node *last = tree_item(ref, "fields", n - 1);
	bool star = tree_kind(last) == TREE_A_STAR;
	const char *of = n > 1 ? tree_str(tree_item(ref, "fields", n - 2),
					  "sval")
			       : NULL;
	const char *name = star ? NULL : tree_str(last, "sval");

	if (of != NULL)
		return is_target(w, of) ? sees(w, name) : 0;
	if (star)
		return w->query ? 0 : sees(w, NULL);
	for (unsigned i = 0; i < w->n->world->ncolumns; i++)
		if (strcmp(w->n->world->columns[i].name, name) == 0)
			return sees(w, name);
	return is_target(w, name) ? sees(w, NULL) : 0;
}

static int
sees_constraint(struct way *w, const char *name)
{
	const struct world_table *t = w->n->world;

	for (unsigned k = 0; k < t->nkeys; k++) {
		if (strcmp(t->keys[k].name, name) != 0)
			continue;
		for (unsigned i = 0; i < t->keys[k].ncolumns; i++)
			if (t->keys[k].columns[i] != NULL &&
			    sees(w, t->keys[k].columns[i]) < 0)
				return w->c->e->code;
	}
	return 0;
}

static int
descend(struct way *w, const struct tree_node *n)
{
	bool outer = w->query;
	int rc = 0;

	if (tree_kind(n) == TREE_COLUMN_REF)
		return sees_ref(w, n);
	if (strcmp(tree_name(n), "IndexElem") == 0 &&
	    tree_str(n, "name")[0] != 0)
		rc = sees(w, tree_str(n, "name"));
	if (strcmp(tree_name(n), "InferClause") == 0 &&
	    tree_str(n, "conname")[0] != 0)
		rc = sees_constraint(w, tree_str(n, "conname"));
	w->query = outer || tree_kind(n) == TREE_SELECT;
	for (unsigned f = 0; rc == 0 && f < tree_nfields(n); f++)
		for (size_t i = 0; rc == 0 && i < tree_field_len(n, f); i++)
			rc = descend(w, tree_field_item(n, f, i));
	w->query = outer;
	return rc;
}

int
check_reads(struct check *c, const struct named *n,
	    const struct tree_node *stmt, bool *reads)
{
	/* The target stands in none of these. */
	static const char *const but[] = {"with_clause",     "relation",
					  "from_clause",     "using_clause",
					  "source_relation", "select_stmt"};
	struct way w = {.c = c, .n = n};

	w.table = tree_str(tree_get(stmt, "relation"), "relname");
	for (unsigned f = 0; f < tree_nfields(stmt); f++) {
		bool skip = false;

		w.returning = strcmp(tree_field(stmt, f), "returning_list") ==
			      0;
		for (size_t i = 0; i < sizeof(but) / sizeof(*but); i++)
			skip |= strcmp(tree_field(stmt, f), but[i]) == 0;
		for (size_t i = 0; !skip && i < tree_field_len(stmt, f); i++)
			if (descend(&w, tree_field_item(stmt, f, i)) < 0)
				return c->e->code;
	}
	*reads = w.reads;
	return 0;
}
