/* SPDX-License-Identifier: MIT
 *
 * Tables that are read: F1, F2, F4.
 */
#include "check_int.h"

#include <string.h>

/* ---- what a name means ------------------------------------------------- */

bool
named_cte(const struct tree_node *var, const struct cte *ctes)
{
	if (tree_str(var, "schemaname")[0] != 0 ||
	    tree_str(var, "catalogname")[0] != 0)
		return false;
	for (; ctes != NULL; ctes = ctes->outer)
		if (strcmp(ctes->name, tree_str(var, "relname")) == 0)
			return true;
	return false;
}

int
named_find(struct check *c, const struct tree_node *var, struct named *out)
{
	const struct tree_node *alias = tree_get(var, "alias");
	const char *schema = tree_str(var, "schemaname");
	const struct world *w = c->ask->world;

	*out = (struct named){0};
	if (tree_str(var, "catalogname")[0] != 0)
		return check_fail(c, "a table is named with its database");
	out->world = w->table(w->arg, schema[0] != 0 ? schema : NULL,
			      tree_str(var, "relname"));
	if (out->world != NULL)
		out->rule = tenant_find(c->ask->rules, out->world->schema,
					out->world->name);
	if (out->rule == NULL)
		return check_fail(c, "a table without a rule");
	out->alias = alias != NULL ? tree_str(alias, "aliasname")
				   : tree_str(var, "relname");
	return 0;
}

static bool
same_text(const struct pair p, const char *field)
{
	return strcmp(tree_str(p.a, field), tree_str(p.b, field)) == 0;
}

/* Aliases are compared as trees without holes. */
static bool
same_alias(const struct tree_node *a, const struct tree_node *b)
{
	if (!tree_alike(a, b) ||
	    tree_len(a, "colnames") != tree_len(b, "colnames"))
		return false;
	for (size_t i = 0; i < tree_len(a, "colnames"); i++)
		if (!tree_alike(tree_item(a, "colnames", i),
				tree_item(b, "colnames", i)))
			return false;
	return true;
}

int
named_qualified(struct check *c, struct pair p, const struct named *n)
{
	if (tree_kind(p.b) != TREE_RANGE_VAR ||
	    strcmp(tree_str(p.b, "schemaname"), n->world->schema) != 0 ||
	    strcmp(tree_str(p.b, "relname"), n->world->name) != 0 ||
	    tree_str(p.b, "catalogname")[0] != 0 ||
	    tree_num(p.a, "inh") != tree_num(p.b, "inh") ||
	    !same_text(p, "relpersistence") ||
	    !same_alias(tree_get(p.a, "alias"), tree_get(p.b, "alias")))
		return check_fail(c, "%s.%s is not named as it should be",
				  n->world->schema, n->world->name);
	return 0;
}

/* ---- F1 ---------------------------------------------------------------- */

/* What is seen of a column: never, or where a condition holds. */
static int
add_seen(struct check *c, struct str *s, const struct world_column *col,
	 const struct tenant_mask *m)
{
	struct form_parts p = {m->parts, m->nparts, "lunate_0"};

	if (m->nparts == 0) {
		str_add(s, "CAST(NULL AS ");
		form_table(s, col->type_schema, col->type);
		str_add(s, ") AS ");
	} else {
		str_add(s, "CASE WHEN ");
		if (form_condition(c, s, &p) < 0)
			return c->e->code;
		str_add(s, " THEN lunate_0.");
		form_name(s, col->name);
		str_add(s, " END AS ");
	}
	form_name(s, col->name);
	return 0;
}

static int
add_list(struct check *c, struct str *s, const struct named *n)
{
	const struct tenant_limit *l = tenant_limit_find(c->ask->limits,
							 n->rule, TENANT_READ);
	unsigned k;

	if (l == NULL || l->nmasks == 0) {
		str_addc(s, '*');
		return 0;
	}
	for (unsigned i = 0; i < n->world->ncolumns; i++) {
		const struct world_column *col = &n->world->columns[i];

		str_add(s, i > 0 ? ", " : "");
		for (k = 0; k < l->nmasks; k++)
			if (strcmp(l->masks[k].column, col->name) == 0)
				break;
		if (k < l->nmasks) {
			if (add_seen(c, s, col, &l->masks[k]) < 0)
				return c->e->code;
			continue;
		}
		str_add(s, "lunate_0.");
		form_name(s, col->name);
	}
	return 0;
}

/* SELECT ... FROM [ONLY] s.t AS lunate_0 <sample> WHERE ... [OFFSET 0] */
static int
add_select(struct check *c, struct str *s, const struct named *n, bool inh)
{
	struct named inside = *n;
	struct str preds;
	int rc;

	inside.alias = "lunate_0";
	str_init(&preds);
	rc = form_all(c, &preds, &inside, TENANT_READ);
	str_add(s, "SELECT ");
	if (rc == 0)
		rc = add_list(c, s, n);
	str_add(s, inh ? " FROM " : " FROM ONLY ");
	form_table(s, n->world->schema, n->world->name);
	str_add(s, " AS lunate_0");
	if (preds.len > 0)
		str_addf(s, " WHERE %s", preds.at);
	if (c->leaky)
		str_add(s, " OFFSET 0");
	str_fini(&preds);
	return rc;
}

static int
alias_kept(struct check *c, const struct tree_node *var,
	   const struct tree_node *b)
{
	const struct tree_node *want = tree_get(var, "alias");
	const struct tree_node *got = tree_get(b, "alias");

	if (want != NULL && same_alias(want, got))
		return 0;
	if (want == NULL && tree_len(got, "colnames") == 0 &&
	    strcmp(tree_str(got, "aliasname"), tree_str(var, "relname")) == 0)
		return 0;
	return check_fail(c, "a table goes by another name");
}

static int
is_sub_select(struct check *c, const struct tree_node *var,
	      const struct tree_node *b)
{
	if (tree_kind(b) != TREE_RANGE_SUBSELECT || tree_num(b, "lateral") != 0)
		return check_fail(c, "a table stands without its predicate");
	return alias_kept(c, var, b);
}

static int
check_scoped(struct check *c, struct pair p, const struct named *n)
{
	struct form f = {.path = ""};
	struct at at = {NULL, NULL};
	struct str s;
	int rc;

	if (is_sub_select(c, p.a, p.b) < 0)
		return c->e->code;
	str_init(&s);
	rc = add_select(c, &s, n, tree_num(p.a, "inh") != 0);
	f.sql = s.at;
	if (rc == 0)
		rc = form_matches(c, &f, tree_get(p.b, "subquery"), at);
	str_fini(&s);
	return rc;
}

/* ---- F2 ---------------------------------------------------------------- */

static bool
may_stay(const struct check *c, struct pair p, const struct named *n,
	 struct at at)
{
	const struct tenant_limit *l = tenant_limit_find(c->ask->limits,
							 n->rule, TENANT_READ);

	return at.spot != NULL && tree_kind(p.b) == TREE_RANGE_VAR &&
	       !c->leaky && (l == NULL || l->nmasks == 0) &&
	       tree_len(tree_get(p.a, "alias"), "colnames") == 0;
}

static bool
is_open(const struct check *c, const struct named *n)
{
	const struct tenant_limit *l = tenant_limit_find(c->ask->limits,
							 n->rule, TENANT_READ);

	return n->rule->kind == TENANT_SHARED &&
	       (l == NULL || (l->nparts == 0 && l->nmasks == 0));
}

int
check_table(struct check *c, struct pair p, struct at at)
{
	struct named n;

	if (named_cte(p.a, at.ctes)) {
		if (tree_alike(p.a, p.b) &&
		    same_alias(tree_get(p.a, "alias"), tree_get(p.b, "alias")))
			return 0;
		return check_fail(c, "a CTE became something else");
	}
	if (named_find(c, p.a, &n) < 0)
		return c->e->code;
	if (is_open(c, &n))
		return named_qualified(c, p, &n);
	if (!may_stay(c, p, &n, at))
		return check_scoped(c, p, &n);
	if (named_qualified(c, p, &n) < 0)
		return c->e->code;
	return form_all(c, &at.spot->preds, &n, TENANT_READ);
}

/* ---- TABLESAMPLE ------------------------------------------------------- */

static int
same_sample(struct check *c, struct pair p, const struct tree_node *table)
{
	static const char *const but[] = {"relation", NULL};
	struct at at = {NULL, NULL};

	if (tree_kind(p.b) != TREE_RANGE_TABLE_SAMPLE ||
	    !tree_alike(p.a, p.b) || check_rest(c, p, but, at) < 0)
		return check_fail(c, "a sample is another one");
	if (!tree_alike(table, tree_get(p.b, "relation")) ||
	    !same_alias(tree_get(table, "alias"),
			tree_get(tree_get(p.b, "relation"), "alias")))
		return check_fail(c, "a sample is of another table");
	return 0;
}

/* The sub-select is F1 but for its table, which is a sample of it. */
static int
sampled(struct check *c, struct pair p, const char *sql)
{
	struct tree *t;
	struct pair q;
	int rc;

	if (tree_parse(sql, strlen(sql), &t, c->e) < 0)
		return check_fail(c, "its form cannot be parsed");
	q = PAIR(tree_root(t, 0), tree_get(p.b, "subquery"));
	if (!tree_alike(q.a, q.b) || tree_len(q.b, "from_clause") != 1)
		rc = check_fail(c, "a sample stands without its predicate");
	else
		rc = same_sample(c, PAIR(p.a, tree_get(q.b, "from_clause")),
				 tree_get(q.a, "from_clause"));
	for (unsigned f = 0; rc == 0 && f < tree_nfields(q.a); f++) {
		size_t n = tree_field_len(q.a, f);

		if (strcmp(tree_field(q.a, f), "from_clause") == 0)
			continue;
		if (n != tree_field_len(q.b, f))
			rc = check_fail(c, "a sample is not scoped");
		for (size_t i = 0; rc == 0 && i < n; i++)
			rc = form_same(c, PAIR(tree_field_item(q.a, f, i),
					       tree_field_item(q.b, f, i)));
	}
	tree_free(&t);
	return rc;
}

int
check_sample(struct check *c, struct pair p)
{
	const struct tree_node *var = tree_get(p.a, "relation");
	struct named n;
	struct str s;
	int rc;

	if (tree_kind(var) != TREE_RANGE_VAR || named_find(c, var, &n) < 0)
		return check_fail(c, "a sample of something else");
	if (is_open(c, &n)) {
		static const char *const but[] = {"relation", NULL};
		struct at at = {NULL, NULL};

		if (!tree_alike(p.a, p.b) ||
		    named_qualified(c, PAIR(var, tree_get(p.b, "relation")),
				    &n) < 0)
			return check_fail(c, "a sample is another one");
		return check_rest(c, p, but, at);
	}
	if (is_sub_select(c, var, p.b) < 0)
		return c->e->code;
	str_init(&s);
	rc = add_select(c, &s, &n, tree_num(var, "inh") != 0);
	if (rc == 0)
		rc = sampled(c, p, s.at);
	str_fini(&s);
	return rc;
}

/* ---- joins ------------------------------------------------------------- */

/* Below a nullable side no table keeps its place, nor below an alias that
 * hides its name. */
int
check_join(struct check *c, struct pair p, struct at at)
{
	static const char *const sides[] = {"larg", "rarg", NULL};
	const char *type = tree_word(p.a, "jointype");
	bool inner = strcmp(type, "JOIN_INNER") == 0;
	struct at left = at, right = at, none = at;

	none.spot = NULL;
	if (tree_get(p.a, "alias") != NULL ||
	    (!inner && strcmp(type, "JOIN_LEFT") != 0))
		left.spot = NULL;
	if (tree_get(p.a, "alias") != NULL ||
	    (!inner && strcmp(type, "JOIN_RIGHT") != 0))
		right.spot = NULL;
	if (check_field(c, p, "larg", left) < 0 ||
	    check_field(c, p, "rarg", right) < 0)
		return c->e->code;
	return check_rest(c, p, sides, none);
}

/* ---- FROM and WHERE ---------------------------------------------------- */

int
check_from(struct check *c, struct pair p, struct at at)
{
	struct spot spot;
	int rc;

	str_init(&spot.preds);
	at.spot = &spot;
	rc = check_field(c, p, "from_clause", at);
	at.spot = NULL;
	if (rc == 0 && spot.preds.len == 0)
		rc = check_field(c, p, "where_clause", at);
	else if (rc == 0)
		rc = check_condition(c,
				     PAIR(tree_get(p.a, "where_clause"),
					  tree_get(p.b, "where_clause")),
				     spot.preds.at, at);
	str_fini(&spot.preds);
	return rc;
}
