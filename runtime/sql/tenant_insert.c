/* SPDX-License-Identifier: MIT
 *
 * INSERT and the insert branch of MERGE: the forms I1 to I5.
 */
#include "tenant_int.h"

#include <string.h>

#define EQ " OPERATOR(pg_catalog.=) "

/* ---- I1, I2: by --------------------------------------------------------- */

static void
fill(struct rewrite *rw, const struct grid *g)
{
	struct str s;
	const char *text;

	str_init(&s);
	str_add(&s, ", ");
	pred_own(rw, &s);
	text = pred_keep(rw, &s);
	for (size_t r = 0; r < g->nrows; r++)
		splice_insert(&rw->splice, rw->tok[g->ends[r]].end, text);
}

static void
guard_value(struct rewrite *rw, const struct cell *c)
{
	struct pred_type type = {"pg_catalog",
				 tenant_type_name(rw->ask->rules->type)};
	struct str s;

	str_init(&s);
	if (c->node == NULL) {
		pred_own(rw, &s);
		splice_replace(&rw->splice, rw->tok[c->first].start,
			       rw->tok[c->last].end, pred_keep(rw, &s));
		return;
	}
	splice_insert(&rw->splice, rw->tok[c->first].start, "CASE WHEN (");
	str_add(&s, ")" EQ);
	pred_own(rw, &s);
	str_add(&s, " THEN ");
	pred_own(rw, &s);
	str_add(&s, " ELSE ");
	pred_raise(rw, &s, type);
	str_add(&s, " END");
	splice_insert(&rw->splice, rw->tok[c->last].end, pred_keep(rw, &s));
}

static int
put_by(struct rewrite *rw, const struct grid *g)
{
	unsigned k = grid_column(g, g->t->rule->column);

	if (k == g->ncolumns) {
		fill(rw, g);
		return 0;
	}
	for (size_t r = 0; r < g->nrows; r++)
		guard_value(rw, &g->cells[r * g->ncolumns + k]);
	return 0;
}

/* ---- I3: parent --------------------------------------------------------- */

/* A parameter, a literal, or (in a query) a column with the name of its table:
 * what may stand twice, and means the same inside a sub-select. */
static bool
plain(const struct tree_node *n, bool columns)
{
	while (tree_kind(n) == TREE_TYPE_CAST)
		n = tree_get(n, "arg");
	if (tree_kind(n) == TREE_COLUMN_REF)
		return columns && tree_len(n, "fields") == 2 &&
		       tree_kind(tree_item(n, "fields", 1)) == TREE_STRING;
	return tree_kind(n) == TREE_PARAM_REF || tree_kind(n) == TREE_A_CONST;
}

static int
find_keys(struct rewrite *rw, const struct grid *g, unsigned *at)
{
	const struct tenant_table *r = g->t->rule;

	for (unsigned i = 0; i < r->non; i++) {
		at[i] = grid_column(g, r->on[i].own);
		if (at[i] == g->ncolumns)
			return refuse(rw->e, REFUSE_FORM,
				      "INSERT into %s.%s has to give %s, which "
				      "says to whom the row belongs (%s:%d)",
				      r->schema, r->name, r->on[i].own, r->file,
				      r->line);
		for (size_t k = 0; k < g->nrows; k++)
			if (!plain(g->cells[k * g->ncolumns + at[i]].node,
				   !g->values))
				return refuse(rw->e, REFUSE_FORM,
					      "INSERT into %s.%s: give %s as a "
					      "parameter, a literal, or a "
					      "column with its table's name",
					      r->schema, r->name, r->on[i].own);
	}
	return 0;
}

static int
guard_parent(struct rewrite *rw, const struct grid *g, const struct cell *row,
	     const unsigned *at)
{
	const struct tenant_table *r = g->t->rule;
	struct pred_row up = {
		tenant_find(rw->ask->rules, r->via_schema, r->via), "lunate_1",
		2};
	struct str s;

	if (up.rule == NULL || up.rule->kind == TENANT_SHARED)
		return refuse(rw->e, REFUSE_CLOSED,
			      "%s.%s has no parent that a rule scopes",
			      r->schema, r->name);
	str_init(&s);
	str_add(&s, "CASE WHEN EXISTS (SELECT FROM ");
	pred_table(&s, r->via_schema, r->via);
	str_add(&s, " AS lunate_1 WHERE ");
	for (unsigned i = 0; i < r->non; i++) {
		const struct cell *c = &row[at[i]];

		str_add(&s, "lunate_1.");
		pred_name(&s, r->on[i].other);
		str_addf(&s, EQ "(%s) AND ", token_copy(rw, c->first, c->last));
	}
	if (pred_add(rw, &s, up) < 0) {
		str_fini(&s);
		return rw->e->code;
	}
	str_add(&s, ") THEN (");
	splice_insert(&rw->splice, rw->tok[row[at[0]].first].start,
		      pred_keep(rw, &s));
	return 0;
}

static const struct world_column *
world_column(const struct world_table *wt, const char *name)
{
	for (unsigned i = 0; i < wt->ncolumns; i++)
		if (strcmp(wt->columns[i].name, name) == 0)
			return &wt->columns[i];
	return NULL;
}

static int
put_parent(struct rewrite *rw, const struct grid *g)
{
	const struct tenant_table *r = g->t->rule;
	const struct world_column *c = world_column(g->t->world, r->on[0].own);
	unsigned *at = arena_new(rw->a, r->non * sizeof(*at));
	struct str s;
	const char *tail;

	if (c == NULL)
		return refuse(rw->e, REFUSE_CLOSED, "%s.%s has no column %s",
			      r->schema, r->name, r->on[0].own);
	if (find_keys(rw, g, at) < 0)
		return rw->e->code;
	str_init(&s);
	str_add(&s, ") ELSE ");
	pred_raise(rw, &s, (struct pred_type){c->type_schema, c->type});
	str_add(&s, " END");
	tail = pred_keep(rw, &s);
	for (size_t k = 0; k < g->nrows; k++) {
		const struct cell *row = &g->cells[k * g->ncolumns];

		if (guard_parent(rw, g, row, at) < 0)
			return rw->e->code;
		splice_insert(&rw->splice, rw->tok[row[at[0]].last].end, tail);
	}
	return 0;
}

/* ---- I4: through -------------------------------------------------------- */

static const char *
member_text(struct rewrite *rw, const struct grid *g, const unsigned *at)
{
	const struct tenant_table *r = g->t->rule;
	struct str s;

	str_init(&s);
	str_add(&s, " lunate_member AS (INSERT INTO ");
	pred_table(&s, r->via_schema, r->via);
	str_add(&s, " (");
	for (unsigned i = 0; i < r->non; i++) {
		pred_name(&s, r->on[i].other);
		str_add(&s, ", ");
	}
	pred_name(&s, r->column);
	str_add(&s, ") VALUES ");
	for (size_t k = 0; k < g->nrows; k++) {
		str_add(&s, k > 0 ? ", (" : "(");
		for (unsigned i = 0; i < r->non; i++) {
			const struct cell *c =
				&g->cells[k * g->ncolumns + at[i]];

			str_addf(&s, "%s, ", token_copy(rw, c->first, c->last));
		}
		pred_own(rw, &s);
		str_addc(&s, ')');
	}
	str_addc(&s, ')');
	return pred_keep(rw, &s);
}

static int
put_member(struct rewrite *rw, const struct grid *g,
	   const struct tree_node *stmt)
{
	unsigned *at = arena_new(rw->a, g->t->rule->non * sizeof(*at));
	size_t i;

	if (!g->values)
		return grid_refuse(rw, g,
				   "what tenants share is inserted with "
				   "VALUES");
	if (tree_get(stmt, "with_clause") != NULL)
		return grid_refuse(rw, g,
				   "what tenants share is inserted without "
				   "WITH");
	if (!rw->ask->fence && tree_len(stmt, "returning_list") > 0)
		return grid_refuse(rw, g,
				   "no RETURNING here: the server would "
				   "ask whether the row is visible before "
				   "its membership is; read it afterwards");
	if (find_keys(rw, g, at) < 0)
		return rw->e->code;
	i = token_before(rw, g->t->first, "insert");
	splice_insert(&rw->splice, rw->tok[i].start,
		      arena_printf(rw->a, "WITH%s ", member_text(rw, g, at)));
	return 0;
}

/* ---- the doors ---------------------------------------------------------- */

static int
put_forms(struct rewrite *rw, const struct grid *g)
{
	switch (g->t->rule->kind) {
	case TENANT_BY:
		return put_by(rw, g);
	case TENANT_PARENT:
		return put_parent(rw, g);
	case TENANT_THROUGH:
	case TENANT_SHARED:
		break;
	}
	return 0;
}

static int
check_limit(struct rewrite *rw, const struct target *t)
{
	const struct tenant_limit *l = pred_limit(rw, t->rule, TENANT_INSERT);

	if (l == NULL || l->nparts == 0)
		return 0;
	return refuse(rw->e, REFUSE_ACCESS,
		      "access to %s.%s is limited by row, and an INSERT cannot "
		      "be: permit the insert without a condition on its row",
		      t->rule->schema, t->rule->name);
}

/* The token behind the target and its alias. */
static size_t
behind_target(const struct rewrite *rw, const struct target *t)
{
	size_t i = t->last + 1;

	return t->aliased && token_word(rw, i, "as") ? i + 2 : i;
}

static int
read_source(struct rewrite *rw, struct grid *g, const struct tree_node *n)
{
	const struct tree_node *source = tree_get(n, "select_stmt");
	size_t behind = behind_target(rw, g->t);

	if (source == NULL)
		return grid_refuse(rw, g, "DEFAULT VALUES; name the columns");
	if (tree_len(n, "cols") > 0) {
		if (grid_named(rw, g, n, "cols") < 0)
			return rw->e->code;
		behind = rw->match[behind] + 1;
	} else if (grid_spell(rw, g, grid_width(source), behind - 1) < 0) {
		return rw->e->code;
	}
	if (tree_len(source, "values_lists") == 0)
		return grid_arms(rw, g, source);
	if (tree_get(source, "with_clause") != NULL)
		return grid_refuse(rw, g, "WITH in front of VALUES");
	return grid_rows(rw, g, source, behind);
}

int
insert_stmt(struct rewrite *rw, const struct tree_node *n, bool nested)
{
	struct target t;
	struct grid g = {.t = &t};
	bool reads;

	if (write_target(rw, n, &t) < 0 || check_limit(rw, &t) < 0 ||
	    write_reads(rw, &t, n, &reads) < 0 || read_source(rw, &g, n) < 0)
		return rw->e->code;
	target_qualify(rw, &t);
	if (conflict_scope(rw, &t, n) < 0 || put_forms(rw, &g) < 0)
		return rw->e->code;
	if (t.rule->kind != TENANT_THROUGH)
		return 0;
	if (nested)
		return grid_refuse(rw, &g,
				   "what tenants share is inserted by "
				   "a statement of its own");
	return put_member(rw, &g, n);
}

int
insert_branch(struct rewrite *rw, const struct target *t,
	      const struct tree_node *when, size_t then)
{
	struct grid g = {.t = t, .values = true, .field = "values"};
	size_t at = then + 2; /* THEN INSERT */

	if (t->rule->kind == TENANT_THROUGH)
		return grid_refuse(rw, &g,
				   "what tenants share is not inserted "
				   "by MERGE");
	if (tree_len(when, "values") == 0)
		return grid_refuse(rw, &g, "DEFAULT VALUES; name the columns");
	if (tree_len(when, "target_list") > 0) {
		if (grid_named(rw, &g, when, "target_list") < 0)
			return rw->e->code;
	} else if (grid_spell(rw, &g, tree_len(when, "values"), at - 1) < 0) {
		return rw->e->code;
	}
	while (at < rw->n && !token_key(rw, at, "values"))
		at++;
	if (grid_values(rw, &g, at + 1, when) < 0)
		return rw->e->code;
	return put_forms(rw, &g);
}
