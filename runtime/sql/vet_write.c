/* SPDX-License-Identifier: MIT
 *
 * What a statement writes, and what the server then writes by itself: a
 * foreign key's ON DELETE and ON UPDATE know no tenant, and row-level security
 * does not hold them back.
 *
 * A foreign key is followed to the rows that refer to this one.  They are of
 * the same tenant if it contains the tenant's column (on both sides, by
 * rule), if it is the very reference by which the other table is a `parent`
 * one, or if it leads to the membership rows of a table that is reached
 * `through` them: the rewrite deletes such a row only when no other tenant is
 * a member.
 */
#include "vet_int.h"

#include <string.h>

/* Tables on the way from the one that is written, to see circles. */
#define MAX_WAY 32

struct way {
	struct gate *g;
	const char *verb; /* "DELETE" */
	bool deletes;
	/* UPDATE: the columns that are set; NULL: any */
	const struct tree_node *set;
	const struct world_table *seen[MAX_WAY];
	unsigned n;
};

static bool
same(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* ---- foreign keys ------------------------------------------------------ */

static bool
has_pair(const struct world_ref *r, const char *column, const char *to)
{
	for (unsigned i = 0; i < r->ncolumns; i++)
		if (same(r->columns[i], column) && same(r->to_columns[i], to))
			return true;
	return false;
}

/* Does the key have these columns and no others?  Each pair has the column of
 * the table that refers first, unless `turned`. */
static bool
is_pairs(const struct world_ref *r, const struct tenant_table *rule,
	 bool turned)
{
	for (unsigned i = 0; i < rule->non; i++) {
		const struct tenant_pair *p = &rule->on[i];

		if (!has_pair(r, turned ? p->other : p->own,
			      turned ? p->own : p->other))
			return false;
	}
	return rule->non == r->ncolumns;
}

static bool
leads(const struct tenant_table *rule, const char *schema, const char *name)
{
	return same(rule->via_schema, schema) && same(rule->via, name);
}

static bool
has_tenant(const struct world_ref *r, const struct tenant_table *to,
	   const struct tenant_table *from)
{
	for (unsigned i = 0; i < r->ncolumns; i++)
		if (same(r->to_columns[i], to->column) &&
		    (from == NULL || same(r->columns[i], from->column)))
			return true;
	return false;
}

/* Are the rows that refer by this key of the tenant of the row referred to?
 * from: the rule of those, or NULL. */
static bool
keeps_tenant(const struct world_ref *r, const struct tenant_table *to,
	     const struct tenant_table *from)
{
	if (from != NULL && from->kind == TENANT_PARENT &&
	    leads(from, to->schema, to->name) && is_pairs(r, from, false))
		return true;
	if (to->kind == TENANT_BY && (from == NULL || from->kind == TENANT_BY))
		return has_tenant(r, to, from);
	return to->kind == TENANT_THROUGH && leads(to, r->schema, r->name) &&
	       is_pairs(r, to, true);
}

/* ---- the way of a write ------------------------------------------------- */

static bool
is_set(const struct tree_node *set, const char *column)
{
	size_t n = tree_len(set, "target_list");

	for (size_t i = 0; i < n; i++)
		if (same(tree_str(tree_item(set, "target_list", i), "name"),
			 column))
			return true;
	return false;
}

/* A generated column may change with any. */
static bool
changes(const struct world_table *t, const struct tree_node *set,
	const char *column)
{
	for (unsigned i = 0; i < t->ncolumns; i++)
		if (t->columns[i].generated && same(t->columns[i].name, column))
			return tree_len(set, "target_list") > 0;
	return is_set(set, column);
}

/* Does the server act on the rows that refer to t by this key? */
static bool
acts(const struct way *w, const struct world_ref *r,
     const struct world_table *t)
{
	char action = w->deletes ? r->on_delete : r->on_update;

	if (action != 'c' && action != 'n' && action != 'd')
		return false;
	if (w->deletes || w->set == NULL)
		return true;
	for (unsigned i = 0; i < r->ncolumns; i++)
		if (changes(t, w->set, r->to_columns[i]))
			return true;
	return false;
}

static int
refuse_cascade(const struct way *w, const struct world_ref *r,
	       const struct world_table *t)
{
	return refuse(w->g->e, REFUSE_CASCADE,
		      "%s of %s.%s also changes rows of %s.%s, by a foreign "
		      "key that does not contain the tenant's column",
		      w->verb, t->schema, t->name, r->schema, r->name);
}

static int follow(struct way *w, const struct world_table *t,
		  const struct tenant_table *rule);

static int
follow_ref(struct way *w, const struct world_ref *r,
	   const struct world_table *t, const struct tenant_table *rule)
{
	const struct world *world = w->g->ask->world;
	const struct world_table *other;
	const struct tenant_table *from;
	struct way next = *w;

	if (!acts(w, r, t))
		return 0;
	other = world->table(world->arg, r->schema, r->name);
	from = tenant_find(w->g->ask->rules, r->schema, r->name);
	if (other == NULL || rule == NULL || !keeps_tenant(r, rule, from))
		return refuse_cascade(w, r, t);
	next.deletes = w->deletes && r->on_delete == 'c';
	next.set = NULL;
	return follow(&next, other, from);
}

static int
follow(struct way *w, const struct world_table *t,
       const struct tenant_table *rule)
{
	int r = 0;

	for (unsigned i = 0; i < w->n; i++)
		if (w->seen[i] == t)
			return 0;
	if (w->n == MAX_WAY)
		return refuse(w->g->e, REFUSE_CASCADE,
			      "%s goes through more than %d foreign keys",
			      w->verb, MAX_WAY);
	w->seen[w->n++] = t;
	for (unsigned i = 0; i < t->nrefs && r == 0; i++)
		r = follow_ref(w, &t->refs[i], t, rule);
	return r;
}

/* ---- targets ------------------------------------------------------------ */

struct target {
	const struct world_table *table; /* NULL: refused by its name */
	const struct tenant_table *rule;
};

/* What the current statement writes.  A view's table is not known here, and
 * what its foreign keys do neither. */
static int
find_target(struct gate *g, struct target *t)
{
	const struct tree_node *var = tree_get(g->w.node, "relation");

	t->rule = NULL;
	t->table = gate_table(g, var);
	if (t->table != NULL)
		t->rule = tenant_find(g->ask->rules, t->table->schema,
				      t->table->name);
	if (t->rule == NULL) {
		t->table = NULL;
		return 0;
	}
	if (t->table->kind != WORLD_VIEW && t->table->kind != WORLD_MATVIEW)
		return 0;
	return refuse(g->e, REFUSE_VIEW,
		      "the view %s.%s is read; its table "
		      "is written",
		      t->table->schema, t->table->name);
}

static int
vet_delete(struct gate *g, const struct target *t)
{
	struct way w = {.g = g, .verb = "DELETE", .deletes = true};

	return follow(&w, t->table, t->rule);
}

/* The rule of the table whose rows are shared by those of this one, when that
 * is not for tenants to do. */
static const struct tenant_table *
shares(const struct gate *g, const struct target *t)
{
	const struct tenant_rules *r = g->ask->rules;

	for (unsigned i = 0; i < r->ntables && !t->rule->write_own; i++)
		if (r->tables[i].kind == TENANT_THROUGH &&
		    leads(&r->tables[i], t->table->schema, t->table->name))
			return &r->tables[i];
	return NULL;
}

static int
refuse_member(struct gate *g, const struct tenant_table *rule)
{
	return refuse(g->e, REFUSE_TENANT,
		      "a row of %s.%s makes its clinic a member of a row of "
		      "%s.%s, whoever that belongs to; it is added with that "
		      "row, or as system, or by all if its rule says write = "
		      "\"own\"",
		      rule->via_schema, rule->via, rule->schema, rule->name);
}

static int
vet_insert(struct gate *g, const struct target *t)
{
	const struct tenant_table *rule = shares(g, t);

	return rule != NULL ? refuse_member(g, rule) : 0;
}

/* set: the node whose target_list is SET. */
static int
vet_update(struct gate *g, const struct target *t, const struct tree_node *set)
{
	struct way w = {.g = g, .verb = "UPDATE", .set = set};
	const struct tenant_table *rule = shares(g, t);

	for (unsigned i = 0; rule != NULL && i < rule->non; i++)
		if (changes(t->table, set, rule->on[i].other))
			return refuse_member(g, rule);
	return follow(&w, t->table, t->rule);
}

static int
vet_default_values(struct gate *g, const struct target *t)
{
	if (t->rule->kind == TENANT_SHARED)
		return 0;
	return refuse(g->e, REFUSE_FORM,
		      "INSERT ... DEFAULT VALUES into %s.%s, where the tenant "
		      "has to be given",
		      t->table->schema, t->table->name);
}

int
look_insert(struct gate *g)
{
	const struct tree_node *conflict;
	struct target t;
	int r = find_target(g, &t);

	if (r < 0 || t.table == NULL)
		return r;
	r = vet_insert(g, &t);
	if (r < 0)
		return r;
	if (tree_get(g->w.node, "select_stmt") == NULL)
		return vet_default_values(g, &t);
	conflict = tree_get(g->w.node, "on_conflict_clause");
	return conflict != NULL ? vet_update(g, &t, conflict) : 0;
}

int
look_update(struct gate *g)
{
	struct target t;
	int r = find_target(g, &t);

	return r < 0 || t.table == NULL ? r : vet_update(g, &t, g->w.node);
}

int
look_delete(struct gate *g)
{
	struct target t;
	int r = find_target(g, &t);

	return r < 0 || t.table == NULL ? r : vet_delete(g, &t);
}

static int
vet_branch(struct gate *g, const struct target *t,
	   const struct tree_node *branch)
{
	const char *command = tree_word(branch, "command_type");

	if (same(command, "CMD_DELETE"))
		return vet_delete(g, t);
	if (same(command, "CMD_UPDATE"))
		return vet_update(g, t, branch);
	if (!same(command, "CMD_INSERT"))
		return 0;
	return tree_len(branch, "values") == 0 ? vet_default_values(g, t)
					       : vet_insert(g, t);
}

int
look_merge(struct gate *g)
{
	size_t n = tree_len(g->w.node, "merge_when_clauses");
	struct target t;
	int r = find_target(g, &t);

	if (t.table == NULL)
		return r;
	for (size_t i = 0; i < n && r == 0; i++)
		r = vet_branch(g, &t,
			       tree_item(g->w.node, "merge_when_clauses", i));
	return r;
}
