/* SPDX-License-Identifier: MIT
 *
 * ON CONFLICT: I5.
 */
#include "check_int.h"

#include <string.h>

static bool
names_column(const struct insert *in, const struct tree_node *infer,
	     const char *column)
{
	const struct world_table *t = in->n.world;
	const char *constraint = tree_str(infer, "conname");

	for (size_t i = 0; i < tree_len(infer, "index_elems"); i++)
		if (strcmp(tree_str(tree_item(infer, "index_elems", i), "name"),
			   column) == 0)
			return true;
	for (unsigned k = 0; constraint[0] != 0 && k < t->nkeys; k++)
		for (unsigned i = 0; i < t->keys[k].ncolumns; i++)
			if (strcmp(t->keys[k].name, constraint) == 0 &&
			    t->keys[k].columns[i] != NULL &&
			    strcmp(t->keys[k].columns[i], column) == 0)
				return true;
	return false;
}

static bool
names_tenant(const struct insert *in, const struct tree_node *infer)
{
	const struct tenant_table *r = in->n.rule;

	if (infer == NULL || r->kind == TENANT_THROUGH)
		return false;
	if (r->kind == TENANT_BY)
		return names_column(in, infer, r->column);
	for (unsigned i = 0; i < r->non; i++)
		if (!names_column(in, infer, r->on[i].own))
			return false;
	return r->non > 0;
}

int
check_conflict(struct check *c, const struct insert *in, struct pair p,
	       struct at at)
{
	static const char *const but[] = {"where_clause", NULL};
	struct str preds;
	int rc;

	if (p.a == NULL && p.b == NULL)
		return 0;
	if (!tree_alike(p.a, p.b) ||
	    !names_tenant(in, tree_get(p.a, "infer")) ||
	    check_sets(c, &in->n, p.a) < 0)
		return check_fail(c, "ON CONFLICT does not name the tenant");
	if (strcmp(tree_word(p.a, "action"), "ONCONFLICT_UPDATE") != 0)
		return check_rest(c, p, NULL, at);
	str_init(&preds);
	rc = form_all(c, &preds, &in->n, TENANT_UPDATE);
	if (rc == 0)
		rc = form_limit(c, &preds, &in->n, TENANT_READ);
	if (rc == 0)
		rc = check_condition(c,
				     PAIR(tree_get(p.a, "where_clause"),
					  tree_get(p.b, "where_clause")),
				     preds.at, at);
	str_fini(&preds);
	return rc < 0 ? rc : check_rest(c, p, but, at);
}
