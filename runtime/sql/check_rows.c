/* SPDX-License-Identifier: MIT
 *
 * What is inserted: I1 to I5.
 */
#include "check_int.h"

#include <string.h>

static unsigned
place_of(const struct insert *in, const char *column)
{
	unsigned i = 0;

	while (i < in->ncolumns && strcmp(in->columns[i], column) != 0)
		i++;
	return i;
}

/* ---- columns ----------------------------------------------------------- */

/* The names before: as given, or by place. */
static int
name_columns(struct check *c, struct insert *in, const struct tree_node *stmt,
	     const char *field)
{
	size_t given = tree_len(stmt, field);
	unsigned n = given > 0 ? (unsigned)given : in->ncolumns;

	if (n == 0 || (given == 0 && n > in->n.world->ncolumns))
		return check_fail(c, "an INSERT without columns");
	in->own = mem_new(n * sizeof(*in->own));
	for (unsigned i = 0; i < n; i++)
		in->own[i] = given > 0 ? tree_str(tree_item(stmt, field, i),
						  "name")
				       : in->n.world->columns[i].name;
	in->columns = in->own;
	in->ncolumns = n;
	in->adds = in->n.rule->kind == TENANT_BY &&
		   place_of(in, in->n.rule->column) == n;
	return 0;
}

static int
same_columns(struct check *c, struct pair p, const struct insert *in,
	     const char *field)
{
	struct at at = {NULL, NULL};
	size_t given = tree_len(p.a, field);

	if (tree_len(p.b, field) != in->ncolumns + in->adds)
		return check_fail(c, "an INSERT has other columns");
	for (unsigned i = 0; i < in->ncolumns + in->adds; i++) {
		const struct tree_node *b = tree_item(p.b, field, i);
		const char *want = i < in->ncolumns ? in->columns[i]
						    : in->n.rule->column;

		if (strcmp(tree_str(b, "name"), want) != 0 ||
		    tree_get(b, "val") != NULL)
			return check_fail(c, "an INSERT has other columns");
		if ((i >= given || check_owner(in->n.rule, want)) &&
		    tree_len(b, "indirection") > 0)
			return check_fail(c, "a part of a column is inserted");
		if (i < given &&
		    check_same(c, PAIR(tree_item(p.a, field, i), b), at) < 0)
			return c->e->code;
	}
	return 0;
}

/* ---- cells ------------------------------------------------------------- */

static int
is_text(struct check *c, const struct tree_node *b, struct str *expr,
	struct form f)
{
	struct at at = {NULL, NULL};
	struct str s;
	int rc;

	str_init(&s);
	str_addf(&s, "SELECT %s", expr->at);
	f.sql = s.at;
	f.path = "target_list.val";
	rc = form_matches(c, &f, b, at);
	str_fini(&s);
	return rc;
}

static int
is_own(struct check *c, const struct tree_node *b)
{
	struct str s;
	int rc;

	str_init(&s);
	form_own(c, &s);
	rc = is_text(c, b, &s, (struct form){0});
	str_fini(&s);
	return rc;
}

struct cell {
	struct pair p;
	struct at at;
};

static bool
is_default(const struct tree_node *n)
{
	return strcmp(tree_name(n), "SetToDefault") == 0;
}

/* I2.  The hole is compared where the statement is, for its CTEs. */
static int
by_cell(struct check *c, const struct cell *cell)
{
	struct form f = {
		.holes = &cell->p.a, .nholes = 1, .path = "target_list.val"};
	struct str s;
	int rc;

	if (is_default(cell->p.a))
		return is_own(c, cell->p.b);
	str_init(&s);
	str_add(&s,
		"SELECT CASE WHEN (lunate_hole(0)) OPERATOR(pg_catalog.=) ");
	form_own(c, &s);
	str_add(&s, " THEN ");
	form_own(c, &s);
	str_add(&s, " ELSE ");
	form_raise(c, &s, "pg_catalog", tenant_type_name(c->ask->rules->type));
	str_add(&s, " END");
	f.sql = s.at;
	rc = form_matches(c, &f, cell->p.b, cell->at);
	str_fini(&s);
	return rc;
}

/* May it stand inside a sub-select and mean the same? */
static bool
is_plain(const struct tree_node *n, bool query)
{
	while (tree_kind(n) == TREE_TYPE_CAST)
		n = tree_get(n, "arg");
	switch ((int)tree_kind(n)) {
	case TREE_PARAM_REF:
	case TREE_A_CONST:
		return true;
	case TREE_COLUMN_REF:
		return query && tree_len(n, "fields") == 2 &&
		       tree_kind(tree_item(n, "fields", 1)) == TREE_STRING;
	default:
		return false;
	}
}

static const struct world_column *
find_column(const struct world_table *t, const char *name)
{
	for (unsigned i = 0; i < t->ncolumns; i++)
		if (strcmp(t->columns[i].name, name) == 0)
			return &t->columns[i];
	return NULL;
}

/* The text of I3, with one hole for each pair. */
static int
parent_text(struct check *c, struct str *s, const struct insert *in)
{
	const struct tenant_table *r = in->n.rule;
	struct form_row up = {tenant_find(c->ask->rules, r->via_schema, r->via),
			      "lunate_1", 2};
	const struct world_column *col = find_column(in->n.world, r->on[0].own);

	if (up.rule == NULL || col == NULL)
		return check_fail(c, "%s.%s has no parent", r->schema, r->name);
	str_add(s, "SELECT CASE WHEN EXISTS (SELECT FROM ");
	form_table(s, r->via_schema, r->via);
	str_add(s, " AS lunate_1 WHERE ");
	for (unsigned i = 0; i < r->non; i++) {
		str_add(s, "lunate_1.");
		form_name(s, r->on[i].other);
		str_addf(s, " OPERATOR(pg_catalog.=) (lunate_hole(%u)) AND ",
			 i);
	}
	if (form_pred(c, s, up) < 0)
		return c->e->code;
	str_add(s, ") THEN (lunate_hole(0)) ELSE ");
	form_raise(c, s, col->type_schema, col->type);
	str_add(s, " END");
	return 0;
}

static int
parent_cell(struct check *c, const struct insert *in,
	    const struct tree_node *const *keys, const struct cell *cell)
{
	struct form f = {.holes = keys,
			 .nholes = in->n.rule->non,
			 .path = "target_list.val"};
	struct str s;
	int rc;

	str_init(&s);
	rc = parent_text(c, &s, in);
	f.sql = s.at;
	if (rc == 0)
		rc = form_matches(c, &f, cell->p.b, cell->at);
	str_fini(&s);
	return rc;
}

/* ---- rows -------------------------------------------------------------- */

/* One row: n values before; what gives the k-th of a side. */
struct row {
	struct pair list; /* nodes with a list of values */
	const char *field;
	const char *val; /* NULL, or the field of each item */
};

static const struct tree_node *
value_of(const struct row *r, const struct tree_node *side, unsigned k)
{
	const struct tree_node *item = tree_item(side, r->field, k);

	return r->val != NULL ? tree_get(item, r->val) : item;
}

static int
find_keys(struct check *c, const struct insert *in, const struct row *r,
	  const struct tree_node **keys)
{
	const struct tenant_table *t = in->n.rule;

	for (unsigned i = 0; i < t->non; i++) {
		unsigned k = place_of(in, t->on[i].own);

		if (k == in->ncolumns)
			return check_fail(c, "a key is not given");
		keys[i] = value_of(r, r->list.a, k);
		if (!is_plain(keys[i], in->query))
			return check_fail(c, "a key is worked out");
	}
	return 0;
}

static int
one_cell(struct check *c, const struct insert *in,
	 const struct tree_node *const *keys, const struct cell *cell)
{
	const struct tenant_table *t = in->n.rule;

	if (t->kind == TENANT_BY)
		return by_cell(c, cell);
	if (t->kind == TENANT_PARENT)
		return parent_cell(c, in, keys, cell);
	return check_same(c, cell->p, cell->at);
}

/* The column whose value is guarded; ncolumns: none. */
static unsigned
guarded(const struct insert *in)
{
	const struct tenant_table *t = in->n.rule;

	if (t->kind == TENANT_BY)
		return place_of(in, t->column);
	return t->kind == TENANT_PARENT ? place_of(in, t->on[0].own)
					: in->ncolumns;
}

/* Nobody knows how many values a star is, so what stands behind it may be the
 * value of any column. */
static int
no_star(struct check *c, const struct tree_node *value)
{
	const struct tree_node *last = NULL;

	if (tree_has(value, "indirection"))
		last = tree_item(value, "indirection",
				 tree_len(value, "indirection") - 1);
	else if (tree_has(value, "fields"))
		last = tree_item(value, "fields",
				 tree_len(value, "fields") - 1);
	return last != NULL && tree_kind(last) == TREE_A_STAR
		       ? check_fail(c, "a star is inserted")
		       : 0;
}

#define KEYS_MAX 32

static int
check_row(struct check *c, const struct insert *in, const struct row *r,
	  struct at at)
{
	const struct tree_node *keys[KEYS_MAX] = {0};
	unsigned guard = guarded(in);

	if (tree_len(r->list.a, r->field) != in->ncolumns ||
	    tree_len(r->list.b, r->field) != in->ncolumns + in->adds)
		return check_fail(c, "a row has another length");
	if (in->n.rule->non > KEYS_MAX)
		return check_fail(c, "a key has too many columns");
	if (in->n.rule->kind == TENANT_PARENT && find_keys(c, in, r, keys) < 0)
		return c->e->code;
	for (unsigned k = 0; k < in->ncolumns; k++) {
		struct cell cell = {PAIR(value_of(r, r->list.a, k),
					 value_of(r, r->list.b, k)),
				    at};
		int rc = no_star(c, cell.p.a);

		if (rc < 0)
			return rc;
		rc = k == guard ? one_cell(c, in, keys, &cell)
				: check_same(c, cell.p, at);
		if (rc < 0)
			return rc;
	}
	return in->adds ? is_own(c, value_of(r, r->list.b, in->ncolumns)) : 0;
}

/* ---- sources ----------------------------------------------------------- */

static int
check_values(struct check *c, const struct insert *in, struct pair p,
	     struct at at)
{
	static const char *const but[] = {"values_lists", NULL};
	size_t n = tree_len(p.a, "values_lists");

	if (n != tree_len(p.b, "values_lists") || !tree_alike(p.a, p.b) ||
	    tree_get(p.a, "with_clause") != NULL)
		return check_fail(c, "VALUES are other ones");
	for (size_t i = 0; i < n; i++) {
		struct row r = {PAIR(tree_item(p.a, "values_lists", i),
				     tree_item(p.b, "values_lists", i)),
				"items", NULL};

		if (check_row(c, in, &r, at) < 0)
			return c->e->code;
	}
	return check_rest(c, p, but, at);
}

/* The names that items are given stay, and what is added has none: ORDER BY
 * could mean it. */
static int
same_items(struct check *c, struct pair p, const struct insert *in)
{
	unsigned n = in->ncolumns;

	for (unsigned i = 0; i < n; i++)
		if (!tree_alike(tree_item(p.a, "target_list", i),
				tree_item(p.b, "target_list", i)))
			return check_fail(c, "an item goes by another name");
	if (in->adds &&
	    tree_str(tree_item(p.b, "target_list", n), "name")[0] != 0)
		return check_fail(c, "what was added has a name");
	return 0;
}

static int check_arms(struct check *c, const struct insert *in, struct pair p,
		      struct at at);

/* A query below its WITH. */
static int
check_query(struct check *c, const struct insert *in, struct pair p,
	    struct at at)
{
	static const char *const arms[] = {"larg", "rarg", "with_clause", NULL};
	static const char *const but[] = {"target_list", "from_clause",
					  "where_clause", "with_clause", NULL};
	struct row r = {p, "target_list", "val"};

	if (tree_get(p.a, "larg") != NULL) {
		if (check_arms(
			    c, in,
			    PAIR(tree_get(p.a, "larg"), tree_get(p.b, "larg")),
			    at) < 0 ||
		    check_arms(
			    c, in,
			    PAIR(tree_get(p.a, "rarg"), tree_get(p.b, "rarg")),
			    at) < 0)
			return c->e->code;
		return check_rest(c, p, arms, at);
	}
	if (check_row(c, in, &r, at) < 0 || same_items(c, p, in) < 0 ||
	    check_from(c, p, at) < 0)
		return c->e->code;
	return check_rest(c, p, but, at);
}

static int
check_arms(struct check *c, const struct insert *in, struct pair p,
	   struct at at)
{
	struct cte *list;
	int rc;

	if (!tree_alike(p.a, p.b))
		return check_fail(c, "a query is another one");
	rc = check_with(c, p, &list, &at);
	if (rc == 0)
		rc = check_query(c, in, p, at);
	mem_free(list);
	return rc;
}

/* How many values the first row of a source has. */
static size_t
width_of(const struct tree_node *source)
{
	while (tree_get(source, "larg") != NULL)
		source = tree_get(source, "larg");
	if (tree_len(source, "values_lists") > 0)
		return tree_len(tree_get(source, "values_lists"), "items");
	return tree_len(source, "target_list");
}

/* ---- I4 ---------------------------------------------------------------- */

static void
add_member(struct check *c, struct str *s, const struct insert *in, size_t n)
{
	const struct tenant_table *t = in->n.rule;

	str_add(s, "WITH lunate_member AS (INSERT INTO ");
	form_table(s, t->via_schema, t->via);
	str_add(s, " (");
	for (unsigned i = 0; i < t->non; i++) {
		form_name(s, t->on[i].other);
		str_add(s, ", ");
	}
	form_name(s, t->column);
	str_add(s, ") VALUES ");
	for (size_t k = 0; k < n; k++) {
		str_add(s, k > 0 ? ", (" : "(");
		for (unsigned i = 0; i < t->non; i++)
			str_addf(s, "lunate_hole(%u), ",
				 (unsigned)(k * t->non + i));
		form_own(c, s);
		str_addc(s, ')');
	}
	str_add(s, ") SELECT 1");
}

static int
check_member(struct check *c, const struct insert *in, struct pair p)
{
	const struct tree_node *source = tree_get(p.a, "select_stmt");
	size_t n = tree_len(source, "values_lists");
	const struct tree_node **holes = mem_new((n * in->n.rule->non + 1) *
						 sizeof(*holes));
	struct form f = {.path = "with_clause",
			 .holes = holes,
			 .nholes = (unsigned)n * in->n.rule->non};
	struct at at = {NULL, NULL};
	struct str s;
	int rc = 0;

	str_init(&s);
	for (size_t k = 0; k < n && rc == 0; k++) {
		struct row r = {
			PAIR(tree_item(source, "values_lists", k), NULL),
			"items", NULL};

		rc = find_keys(c, in, &r, &holes[k * in->n.rule->non]);
	}
	add_member(c, &s, in, n);
	f.sql = s.at;
	if (rc == 0)
		rc = form_matches(c, &f, tree_get(p.b, "with_clause"), at);
	str_fini(&s);
	mem_free(holes);
	return rc;
}

static int
through(struct check *c, const struct insert *in, struct pair p)
{
	if (in->n.rule->kind != TENANT_THROUGH)
		return tree_get(p.a, "with_clause") != NULL ||
				       tree_get(p.b, "with_clause") == NULL
			       ? 0
			       : check_fail(c, "a WITH was added");
	if (p.a != c->root || in->query ||
	    tree_get(p.a, "with_clause") != NULL ||
	    tree_get(p.a, "on_conflict_clause") != NULL ||
	    (!c->ask->fence && tree_len(p.a, "returning_list") > 0))
		return check_fail(c, "what tenants share is inserted in "
				     "another way");
	return check_member(c, in, p);
}

/* ---- the doors --------------------------------------------------------- */

static int
check_source(struct check *c, struct insert *in, struct pair p, struct at at)
{
	struct pair source = {tree_get(p.a, "select_stmt"),
			      tree_get(p.b, "select_stmt")};

	if (source.a == NULL || source.b == NULL)
		return check_fail(c, "an INSERT of defaults");
	in->ncolumns = (unsigned)width_of(source.a);
	in->query = tree_len(source.a, "values_lists") == 0;
	if (name_columns(c, in, p.a, "cols") < 0 ||
	    same_columns(c, p, in, "cols") < 0 || through(c, in, p) < 0)
		return c->e->code;
	return in->query ? check_arms(c, in, source, at)
			 : check_values(c, in, source, at);
}

static bool
limited(const struct check *c, const struct named *n)
{
	const struct tenant_limit *l = tenant_limit_find(
		c->ask->limits, n->rule, TENANT_INSERT);

	return l != NULL && l->nparts > 0;
}

int
check_insert(struct check *c, struct pair p, struct at at)
{
	static const char *const but[] = {
		"with_clause", "relation",	     "cols",
		"select_stmt", "on_conflict_clause", NULL};
	struct insert in = {0};
	bool reads;
	int rc;

	if (check_target(c, p, &in.n) < 0 ||
	    check_reads(c, &in.n, p.a, &reads) < 0)
		return c->e->code;
	if (limited(c, &in.n))
		return check_fail(c, "an INSERT that is limited by row");
	rc = check_source(c, &in, p, at);
	if (rc == 0)
		rc = check_conflict(c, &in,
				    PAIR(tree_get(p.a, "on_conflict_clause"),
					 tree_get(p.b, "on_conflict_clause")),
				    at);
	mem_free(in.own);
	return rc < 0 ? rc : check_rest(c, p, but, at);
}

int
check_branch(struct check *c, struct pair p, const struct named *n,
	     struct at at)
{
	static const char *const but[] = {"target_list", "values", NULL};
	struct insert in = {.n = *n};
	struct row r = {p, "values", NULL};
	int rc;

	if (n->rule->kind == TENANT_THROUGH || limited(c, n))
		return check_fail(c, "MERGE inserts what tenants share");
	in.ncolumns = (unsigned)tree_len(p.a, "values");
	rc = name_columns(c, &in, p.a, "target_list");
	if (rc == 0)
		rc = same_columns(c, p, &in, "target_list");
	if (rc == 0)
		rc = check_row(c, &in, &r, at);
	mem_free(in.own);
	return rc < 0 ? rc : check_rest(c, p, but, at);
}
