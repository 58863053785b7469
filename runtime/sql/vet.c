/* SPDX-License-Identifier: MIT */
#include "vet.h"

#include "vet_int.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static bool
same(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

bool
gate_lists(const char *const *list, unsigned n, const char *schema,
	   const char *name)
{
	size_t len = schema != NULL ? strlen(schema) : 0;

	for (unsigned i = 0; i < n; i++) {
		if (same(list[i], name))
			return true;
		if (len > 0 && strncmp(list[i], schema, len) == 0 &&
		    list[i][len] == '.' && same(list[i] + len + 1, name))
			return true;
	}
	return false;
}

/* ---- names ------------------------------------------------------------- */

static int
vet_name(struct gate *g, const char *name)
{
	if (strncmp(name, "lunate_", 7) != 0)
		return 0;
	return refuse(g->e, REFUSE_RESERVED,
		      "the name \"%s\": what begins with lunate_ is the "
		      "runtime's own",
		      name);
}

/* A String is part of a name, but for what a constant holds. */
static int
look_string(struct gate *g)
{
	if (tree_kind(g->w.parent) == TREE_A_CONST)
		return 0;
	return vet_name(g, tree_str(g->w.node, "sval"));
}

static int
vet_column(struct gate *g, const char *name)
{
	static const char *const system[] = {"cmax",	 "cmin", "ctid",
					     "tableoid", "xmax", "xmin"};

	for (size_t i = 0; i < sizeof(system) / sizeof(*system); i++)
		if (same(name, system[i]))
			return refuse(g->e, REFUSE_SYSTEM_COLUMN,
				      "the system column %s", name);
	return 0;
}

static int
look_column(struct gate *g)
{
	size_t n = tree_len(g->w.node, "fields");
	const struct tree_node *last = tree_item(g->w.node, "fields", n - 1);
	int r;

	if (n > 3 + (tree_kind(last) == TREE_A_STAR))
		return refuse(g->e, REFUSE_FORM,
			      "a column named with its database");
	if (tree_kind(last) != TREE_STRING)
		return 0;
	r = vet_column(g, tree_str(last, "sval"));
	if (r < 0 || n == 1)
		return r;
	return vet_column_call(g, tree_str(last, "sval"));
}

/* (p).name is a column of p, system columns too, or a function of it. */
static int
look_indirection(struct gate *g)
{
	size_t n = tree_len(g->w.node, "indirection");
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		const struct tree_node *part = tree_item(g->w.node,
							 "indirection", i);

		if (tree_kind(part) != TREE_STRING)
			continue;
		r = vet_column(g, tree_str(part, "sval"));
		if (r == 0)
			r = vet_column_call(g, tree_str(part, "sval"));
	}
	return r;
}

/* ---- relations --------------------------------------------------------- */

static bool
of_catalog(const char *schema)
{
	return strncmp(schema, "pg_", 3) == 0 ||
	       same(schema, "information_schema");
}

const struct world_table *
gate_table(const struct gate *g, const struct tree_node *var)
{
	const struct world *world = g->ask->world;
	const char *schema = tree_str(var, "schemaname");

	return world->table(world->arg, schema[0] != 0 ? schema : NULL,
			    tree_str(var, "relname"));
}

/* A CTE is read; what is written is a relation whatever CTEs there are. */
static bool
is_cte(const struct gate *g)
{
	bool target = same(g->w.field, "relation") &&
		      tree_kind(g->w.parent) != TREE_RANGE_TABLE_SAMPLE;

	return !target && tree_str(g->w.node, "schemaname")[0] == 0 &&
	       tree_walk_cte(&g->w, tree_str(g->w.node, "relname")) != NULL;
}

static int
no_rule(struct gate *g, const struct world_table *t)
{
	if (t->kind == WORLD_VIEW || t->kind == WORLD_MATVIEW)
		return refuse(g->e, REFUSE_VIEW,
			      "the view %s.%s has no rule; rows { by = ... } "
			      "in isolation.lua scopes it by a column",
			      t->schema, t->name);
	return refuse(g->e, REFUSE_UNKNOWN_TABLE,
		      "no rule of isolation.lua names %s.%s%s", t->schema,
		      t->name,
		      t->is_partition ? ", a partition; name its table" : "");
}

static int
look_relation(struct gate *g)
{
	const struct tree_node *var = g->w.node;
	const char *schema = tree_str(var, "schemaname");
	const struct world_table *t;

	if (tree_kind(g->w.parent) == TREE_LOCKING || is_cte(g))
		return 0;
	if (tree_str(var, "catalogname")[0] != 0)
		return refuse(g->e, REFUSE_FORM,
			      "a table named with its database");
	t = gate_table(g, var);
	if (of_catalog(t != NULL ? t->schema : schema))
		return refuse(g->e, REFUSE_CATALOG, "the catalog %s",
			      tree_str(var, "relname"));
	if (t == NULL)
		return refuse(g->e, REFUSE_UNKNOWN_TABLE,
			      "there is no relation %s%s%s", schema,
			      schema[0] != 0 ? "." : "",
			      tree_str(var, "relname"));
	if (t->kind == WORLD_SEQUENCE)
		return refuse(g->e, REFUSE_UNKNOWN_TABLE, "the sequence %s.%s",
			      t->schema, t->name);
	if (tenant_find(g->ask->rules, t->schema, t->name) == NULL)
		return no_rule(g, t);
	return g->ask->closed != NULL ? g->ask->closed(g->ask->arg, t, g->e)
				      : 0;
}

/* ---- forms ------------------------------------------------------------- */

static int
look_into(struct gate *g)
{
	return refuse(g->e, REFUSE_STATEMENT, "SELECT INTO makes a table");
}

static int
look_current_of(struct gate *g)
{
	return refuse(g->e, REFUSE_FORM, "WHERE CURRENT OF");
}

/* ---- nodes ------------------------------------------------------------- */

/* A kind of node that is allowed: who looks at it, and which of its fields
 * are names. */
struct kind {
	const char *node;
	int (*look)(struct gate *g);
	const char *names[3];
};

/* Those that the 12,000 SELECT, INSERT, UPDATE, DELETE and MERGE statements of
 * PostgreSQL's regression tests are made of, but SELECT INTO and WHERE CURRENT
 * OF; and GROUPING(), MERGE's branches, parameters, TABLESAMPLE, XMLTABLE,
 * XMLSERIALIZE, SEARCH and CYCLE, read in the grammar.  By strcmp. */
/* clang-format off */
static const struct kind kinds[] = {
	{"AArrayExpr"},
	{"AConst"},
	{"AExpr", look_expression},
	{"AIndices"},
	{"AIndirection", look_indirection},
	{"AStar"},
	{"Alias", NULL, {"aliasname"}},
	{"BitString"},
	{"BoolExpr"},
	{"Boolean"},
	{"BooleanTest"},
	{"CTECycleClause", NULL, {"cycle_mark_column", "cycle_path_column"}},
	{"CTESearchClause", NULL, {"search_seq_column"}},
	{"CaseExpr", look_case},
	{"CaseWhen"},
	{"CoalesceExpr"},
	{"CollateClause"},
	{"ColumnDef", NULL, {"colname"}},
	{"ColumnRef", look_column},
	{"CommonTableExpr", NULL, {"ctename"}},
	{"CurrentOfExpr", look_current_of},
	{"DeleteStmt", look_delete},
	{"Float"},
	{"FuncCall", look_call},
	{"GroupingFunc"},
	{"GroupingSet"},
	{"IndexElem", NULL, {"name", "indexcolname"}},
	{"InferClause", NULL, {"conname"}},
	{"InsertStmt", look_insert},
	{"Integer"},
	{"IntoClause", look_into},
	{"JoinExpr", look_join},
	{"List"},
	{"LockingClause"},
	{"MergeStmt", look_merge},
	{"MergeWhenClause"},
	{"MinMaxExpr"},
	{"MultiAssignRef"},
	{"NamedArgExpr", NULL, {"name"}},
	{"NullTest"},
	{"OnConflictClause"},
	{"ParamRef"},
	{"RangeFunction"},
	{"RangeSubselect"},
	{"RangeTableFunc"},
	{"RangeTableFuncCol", NULL, {"colname"}},
	{"RangeTableSample", look_sample},
	{"RangeVar", look_relation, {"catalogname", "schemaname", "relname"}},
	{"ResTarget", NULL, {"name"}},
	{"RowExpr"},
	{"SQLValueFunction", look_sql_value},
	{"SelectStmt"},
	{"SetToDefault"},
	{"SortBy", look_sort},
	{"String", look_string},
	{"SubLink", look_sublink},
	{"TypeCast"},
	{"TypeName", look_type},
	{"UpdateStmt", look_update},
	{"WindowDef", NULL, {"name", "refname"}},
	{"WithClause"},
	{"XmlExpr", NULL, {"name"}},
	{"XmlSerialize"},
};
/* clang-format on */

static int
by_node(const void *key, const void *at)
{
	return strcmp(key, ((const struct kind *)at)->node);
}

static const struct kind *
kind_of(const struct tree_node *n)
{
	return bsearch(tree_name(n), kinds, sizeof(kinds) / sizeof(*kinds),
		       sizeof(*kinds), by_node);
}

bool
vet_node_is_allowed(const char *name, const char *const **names)
{
	const struct kind *k = bsearch(name, kinds,
				       sizeof(kinds) / sizeof(*kinds),
				       sizeof(*kinds), by_node);

	if (k != NULL)
		*names = k->names;
	return k != NULL;
}

static int
look_node(struct gate *g)
{
	const struct kind *k = kind_of(g->w.node);
	int r = 0;

	if (k == NULL)
		return refuse(g->e, REFUSE_NODE, "the construct %s",
			      tree_name(g->w.node));
	for (int i = 0; i < 3 && k->names[i] != NULL && r == 0; i++)
		r = vet_name(g, tree_str(g->w.node, k->names[i]));
	if (r == 0 && k->look != NULL)
		r = k->look(g);
	return r;
}

/* SHOW, COPY, TRUNCATE: as whoever wrote it calls it. */
static int
refuse_kind(const struct tree *t, struct err *e)
{
	const struct tree_token *at;
	size_t len, n = tree_tokens(t, &at);
	const char *text = tree_text(t, &len);
	char word[24] = "";

	while (n > 0 && at->kind == TOKEN_COMMENT)
		n--, at++;
	for (size_t i = 0; n > 0 && at->start + i < at->end; i++)
		if (i + 1 < sizeof(word))
			word[i] = (char)toupper(
				(unsigned char)text[at->start + i]);
	return refuse(e, REFUSE_STATEMENT,
		      "%s is none of SELECT, INSERT, UPDATE, DELETE and MERGE, "
		      "which are run for a tenant; run it as system",
		      word);
}

static int
vet_kind(const struct tree *t, struct err *e)
{
	switch (tree_kind(tree_root(t, 0))) {
	case TREE_SELECT:
	case TREE_INSERT:
	case TREE_UPDATE:
	case TREE_DELETE:
	case TREE_MERGE:
		return 0;
	default:
		return refuse_kind(t, e);
	}
}

int
vet_statement(const struct vet_ask *ask, struct err *e)
{
	struct gate g = {.ask = ask, .e = e};
	const struct tree_node *root;
	int r;

	if (tree_count(ask->tree) != 1)
		return refuse(e, REFUSE_MANY, "%u statements in one text",
			      tree_count(ask->tree));
	root = tree_root(ask->tree, 0);
	r = vet_kind(ask->tree, e);
	if (r < 0)
		return r;
	tree_walk_init(&g.w, root);
	while (r == 0 && tree_walk_next(&g.w) != TREE_END)
		if (g.w.step == TREE_ENTER)
			r = look_node(&g);
	tree_walk_fini(&g.w);
	return r;
}
