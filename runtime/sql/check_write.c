/* SPDX-License-Identifier: MIT
 *
 * UPDATE, DELETE and MERGE: F3.
 */
#include "check_int.h"

#include <string.h>

bool
check_owner(const struct tenant_table *r, const char *column)
{
	if (r->kind == TENANT_BY && strcmp(r->column, column) == 0)
		return true;
	if (r->kind != TENANT_PARENT && r->kind != TENANT_THROUGH)
		return false;
	for (unsigned i = 0; i < r->non; i++)
		if (strcmp(r->on[i].own, column) == 0)
			return true;
	return false;
}

/* The name behind a row's, `."name"`: is it this column? */
static bool
is_named(const char *text, const char *column)
{
	if (text[0] != '.' || text[1] != '"')
		return false;
	for (text += 2; *column != 0; column++) {
		if (*column == '"' && *text++ != '"')
			return false;
		if (*text++ != *column)
			return false;
	}
	return text[0] == '"' && text[1] != '"';
}

/* Does the limit of updates speak of it? */
static bool
bounds(const struct check *c, const struct named *n, const char *column)
{
	const struct tenant_limit *l = tenant_limit_find(
		c->ask->limits, n->rule, TENANT_UPDATE);

	for (unsigned i = 0; l != NULL && i + 1 < l->nparts; i++)
		if (l->parts[i].then == TENANT_PART_ROW &&
		    is_named(l->parts[i + 1].text, column))
			return true;
	return false;
}

static int
may_change(struct check *c, const struct named *n, const char *column)
{
	if (check_owner(n->rule, column))
		return check_fail(c, "a row would change its tenant");
	return bounds(c, n, column)
		       ? check_fail(c, "a row would leave its limit")
		       : 0;
}

/* With any column, those change that the server works out. */
int
check_sets(struct check *c, const struct named *n, const struct tree_node *stmt)
{
	const struct world_table *t = n->world;
	size_t set = tree_len(stmt, "target_list");
	int rc = 0;

	for (size_t i = 0; i < set && rc == 0; i++)
		rc = may_change(
			c, n,
			tree_str(tree_item(stmt, "target_list", i), "name"));
	for (unsigned i = 0; i < t->ncolumns && set > 0 && rc == 0; i++)
		if (t->columns[i].generated)
			rc = may_change(c, n, t->columns[i].name);
	return rc;
}

int
check_target(struct check *c, struct pair p, struct named *out)
{
	struct pair var = {tree_get(p.a, "relation"),
			   tree_get(p.b, "relation")};

	if (named_find(c, var.a, out) < 0)
		return c->e->code;
	if (out->rule->kind == TENANT_SHARED || out->rule->write_never ||
	    c->ask->shape != TENANT_ONE)
		return check_fail(c, "%s.%s is written", out->rule->schema,
				  out->rule->name);
	return named_qualified(c, var, out);
}

/* p: the condition before (or nothing) and after. */
int
check_condition(struct check *c, struct pair p, const char *preds, struct at at)
{
	struct form f = {.path = "where_clause", .holes = &p.a, .nholes = 1};
	struct str s;
	int rc;

	str_init(&s);
	if (p.a == NULL)
		str_addf(&s, "SELECT WHERE %s", preds);
	else if (c->leaky)
		str_addf(&s,
			 "SELECT WHERE %s AND CASE WHEN %s THEN "
			 "(lunate_hole(0)) ELSE false END",
			 preds, preds);
	else
		str_addf(&s, "SELECT WHERE %s AND (lunate_hole(0))", preds);
	f.sql = s.at;
	rc = form_matches(c, &f, p.b, at);
	str_fini(&s);
	return rc;
}

static int
scoped_where(struct check *c, struct pair p, const char *preds, struct at at)
{
	return check_condition(c,
			       PAIR(tree_get(p.a, "where_clause"),
				    tree_get(p.b, "where_clause")),
			       preds, at);
}

static int
written(struct check *c, struct pair p, struct str *preds, struct at at)
{
	static const char *const but[] = {"with_clause", "relation",
					  "where_clause", NULL};

	if (scoped_where(c, p, preds->at, at) < 0)
		return c->e->code;
	return check_rest(c, p, but, at);
}

int
check_update(struct check *c, struct pair p, struct at at)
{
	struct named n;
	struct str preds;
	bool reads;
	int rc;

	if (check_target(c, p, &n) < 0 || check_sets(c, &n, p.a) < 0 ||
	    check_reads(c, &n, p.a, &reads) < 0)
		return c->e->code;
	str_init(&preds);
	rc = form_all(c, &preds, &n, TENANT_UPDATE);
	if (rc == 0 && reads)
		rc = form_limit(c, &preds, &n, TENANT_READ);
	if (rc == 0)
		rc = written(c, p, &preds, at);
	str_fini(&preds);
	return rc;
}

/* Nobody else is a member. */
static void
add_alone(struct check *c, struct str *s, const struct named *n)
{
	const struct tenant_table *r = n->rule;

	str_add(s, " AND NOT EXISTS (SELECT FROM ");
	form_table(s, r->via_schema, r->via);
	str_add(s, " AS lunate_1 WHERE ");
	for (unsigned i = 0; i < r->non; i++) {
		str_add(s, "lunate_1.");
		form_name(s, r->on[i].other);
		str_add(s, " OPERATOR(pg_catalog.=) ");
		form_name(s, n->alias);
		str_addc(s, '.');
		form_name(s, r->on[i].own);
		str_add(s, " AND ");
	}
	str_add(s, "NOT lunate_1.");
	form_name(s, r->column);
	str_add(s, " OPERATOR(pg_catalog.=) ");
	form_own(c, s);
	str_addc(s, ')');
}

int
check_delete(struct check *c, struct pair p, struct at at)
{
	struct named n;
	struct str preds;
	bool reads;
	int rc;

	if (check_target(c, p, &n) < 0 || check_reads(c, &n, p.a, &reads) < 0)
		return c->e->code;
	str_init(&preds);
	rc = form_all(c, &preds, &n, TENANT_DELETE);
	if (rc == 0 && reads)
		rc = form_limit(c, &preds, &n, TENANT_READ);
	if (n.rule->kind == TENANT_THROUGH)
		add_alone(c, &preds, &n);
	if (rc == 0)
		rc = written(c, p, &preds, at);
	str_fini(&preds);
	return rc;
}

/* ---- MERGE ------------------------------------------------------------- */

static int
same_branch(struct check *c, struct pair p, const struct named *n, struct at at)
{
	const char *does = tree_word(p.a, "command_type");

	if (!tree_alike(p.a, p.b))
		return check_fail(c, "a branch of MERGE is another one");
	if (strcmp(does, "CMD_UPDATE") == 0 && check_sets(c, n, p.a) < 0)
		return c->e->code;
	if (strcmp(does, "CMD_DELETE") == 0 && n->rule->kind == TENANT_THROUGH)
		return check_fail(c, "MERGE deletes what tenants share");
	if (strcmp(does, "CMD_INSERT") == 0)
		return check_branch(c, p, n, at);
	return check_rest(c, p, NULL, at);
}

static int
merge_on(struct check *c, struct pair p, const struct named *n, struct at at)
{
	struct str preds, q;
	int rc;

	str_init(&preds);
	str_init(&q);
	form_name(&q, n->alias);
	rc = form_pred(c, &preds, (struct form_row){n->rule, q.at, 1});
	if (rc == 0)
		rc = form_limit(c, &preds, n, TENANT_READ);
	if (rc == 0)
		rc = check_condition(c,
				     PAIR(tree_get(p.a, "join_condition"),
					  tree_get(p.b, "join_condition")),
				     preds.at, at);
	str_fini(&preds);
	str_fini(&q);
	return rc;
}

/* One condition serves all branches. */
static bool
is_limited(struct check *c, const struct named *n)
{
	static const enum tenant_action actions[] = {
		TENANT_INSERT, TENANT_UPDATE, TENANT_DELETE};

	for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++)
		if (tenant_limit_find(c->ask->limits, n->rule, actions[i]) !=
		    NULL)
			return check_fail(c, "MERGE writes what is limited") <
			       0;
	return false;
}

int
check_merge(struct check *c, struct pair p, struct at at)
{
	static const char *const but[] = {"with_clause", "relation",
					  "join_condition",
					  "merge_when_clauses", NULL};
	size_t n = tree_len(p.a, "merge_when_clauses");
	struct named target;
	bool reads;

	if (check_target(c, p, &target) < 0 || is_limited(c, &target) ||
	    check_reads(c, &target, p.a, &reads) < 0 ||
	    merge_on(c, p, &target, at) < 0 || check_rest(c, p, but, at) < 0)
		return c->e->code;
	if (n != tree_len(p.b, "merge_when_clauses"))
		return check_fail(c, "MERGE has another number of branches");
	for (size_t i = 0; i < n; i++)
		if (same_branch(c,
				PAIR(tree_item(p.a, "merge_when_clauses", i),
				     tree_item(p.b, "merge_when_clauses", i)),
				&target, at) < 0)
			return c->e->code;
	return 0;
}
