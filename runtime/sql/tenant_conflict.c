/* SPDX-License-Identifier: MIT
 *
 * ON CONFLICT (I5): a conflict with a row of another tenant would tell that it
 * exists, or change it; so what conflicts has to name the tenant.
 */
#include "tenant_int.h"

#include <string.h>

static const struct world_key *
find_key(const struct world_table *wt, const char *name)
{
	for (unsigned i = 0; i < wt->nkeys; i++)
		if (strcmp(wt->keys[i].name, name) == 0)
			return &wt->keys[i];
	return NULL;
}

/* Is a column among those that must not repeat? */
static bool
infers(const struct target *t, const struct tree_node *infer,
       const char *column)
{
	const char *constraint = tree_str(infer, "conname");
	const struct world_key *key;

	for (size_t i = 0; i < tree_len(infer, "index_elems"); i++)
		if (strcmp(tree_str(tree_item(infer, "index_elems", i), "name"),
			   column) == 0)
			return true;
	key = constraint[0] != 0 ? find_key(t->world, constraint) : NULL;
	for (unsigned i = 0; key != NULL && i < key->ncolumns; i++)
		if (key->columns[i] != NULL &&
		    strcmp(key->columns[i], column) == 0)
			return true;
	return false;
}

static bool
names_tenant(const struct target *t, const struct tree_node *infer)
{
	const struct tenant_table *r = t->rule;

	if (infer == NULL || r->kind == TENANT_THROUGH)
		return false;
	if (r->kind == TENANT_BY)
		return infers(t, infer, r->column);
	for (unsigned i = 0; i < r->non; i++)
		if (!infers(t, infer, r->on[i].own))
			return false;
	return true;
}

/* The WHERE of DO UPDATE. */
static int
scope_update(struct rewrite *rw, const struct target *t, size_t on)
{
	size_t update = on;
	struct str preds;

	while (update < rw->n && (rw->depth[update] != rw->depth[on] ||
				  !token_key(rw, update, "do")))
		update++;
	if (update >= rw->n)
		return refuse(rw->e, REFUSE_FORM, "its DO was not found");
	str_init(&preds);
	if (pred_all(rw, &preds, t, TENANT_UPDATE) < 0) {
		str_fini(&preds);
		return rw->e->code;
	}
	pred_also(rw, &preds, t, TENANT_READ); /* what conflicts was read */
	return write_where(rw, token_clause(rw, update), pred_keep(rw, &preds));
}

int
conflict_scope(struct rewrite *rw, const struct target *t,
	       const struct tree_node *insert)
{
	const struct tree_node *c = tree_get(insert, "on_conflict_clause");
	size_t on;

	if (c == NULL)
		return 0;
	if (!names_tenant(t, tree_get(c, "infer")))
		return refuse(rw->e, REFUSE_UPSERT,
			      "ON CONFLICT for %s.%s has to name columns or a "
			      "constraint with what says to whom a row belongs",
			      t->rule->schema, t->rule->name);
	if (strcmp(tree_word(c, "action"), "ONCONFLICT_UPDATE") != 0)
		return 0;
	on = token_at(rw, tree_offset(c));
	if (on == NO_TOKEN)
		return refuse(rw->e, REFUSE_FORM, "ON CONFLICT was not found");
	if (write_sets(rw, t, c) < 0)
		return rw->e->code;
	return scope_update(rw, t, on);
}
