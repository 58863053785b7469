/* SPDX-License-Identifier: MIT
 *
 * Could the statement tell of a row before its predicate was looked at?
 *
 * The planner may move conditions: what stands outside a sub-select can be
 * asked of a row first.  That is harmless for comparisons, which neither raise
 * nor act, and a leak for anything else.  LIKE raises when it comes to a
 * backslash at the end of its pattern, which tells how the row begins; rows
 * are compared column by column, and some types cannot be.
 */
#include "tenant_int.h"

#include <string.h>

static bool
among(const char *word, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(word, words[i]) == 0)
			return true;
	return false;
}

#define AMONG(word, words) among(word, words, sizeof(words) / sizeof(*(words)))

static bool
compares(const char *op)
{
	static const char *const ops[] = {"=", "<>", "!=", "<",
					  ">", "<=", ">="};

	return AMONG(op, ops);
}

/* LIKE of a pattern that has no backslash. */
static bool
likes(const struct tree_node *n, const char *op)
{
	static const char *const ops[] = {"~~", "!~~", "~~*", "!~~*"};
	const struct tree_node *pattern = tree_get(n, "rexpr");

	return AMONG(op, ops) && tree_kind(pattern) == TREE_A_CONST &&
	       strchr(tree_str(tree_get(pattern, "sval"), "sval"), '\\') ==
		       NULL;
}

/* May this node raise an error or act? */
static bool
risky(const struct tree_frame *f)
{
	static const char *const calm[] = {"AEXPR_BETWEEN", "AEXPR_NOT_BETWEEN",
					   "AEXPR_BETWEEN_SYM",
					   "AEXPR_NOT_BETWEEN_SYM"};
	static const char *const names[] = {"AIndirection", "XmlExpr",
					    "XmlSerialize"};
	const struct tree_node *n = f->node;
	const char *schema, *op;

	switch ((int)tree_kind(n)) {
	case TREE_FUNC_CALL:
	case TREE_TYPE_CAST:
		return true;
	case TREE_A_EXPR:
		op = tree_dotted(n, "name", &schema);
		return !AMONG(tree_word(n, "kind"), calm) && !compares(op) &&
		       !likes(n, op);
	case TREE_SUB_LINK:
		return tree_len(n, "oper_name") > 0 &&
		       !compares(tree_dotted(n, "oper_name", &schema));
	default:
		return AMONG(tree_name(n), names);
	}
}

/* Is the part of the root that holds it worked out from rows that were let
 * through?  `up` is the frame's distance from the current node. */
static bool
exempt(const struct tree_walk *w, unsigned up)
{
	static const char *const fields[] = {
		"target_list",	"returning_list",  "sort_clause",
		"group_clause", "distinct_clause", "window_clause",
		"limit_count",	"limit_offset"};
	const struct tree_frame *f, *above;

	for (;; up++) {
		f = tree_walk_up(w, up);
		above = tree_walk_up(w, up + 1);
		if (above == NULL)
			return false; /* the root itself */
		if (tree_walk_up(w, up + 2) == NULL)
			return AMONG(f->field, fields);
		if (tree_kind(above->node) == TREE_SELECT)
			return false;
	}
}

/* Does the node compare what is below it? */
static bool
weighs(const struct tree_frame *f)
{
	static const char *const names[] = {"AExpr", "SubLink", "CaseExpr",
					    "MinMaxExpr"};

	return AMONG(tree_name(f->node), names);
}

/* What tables and sub-selects are called. */
struct names {
	const char **at;
	size_t n, room;
};

static void
add_name(struct rewrite *rw, struct names *l, const char *name)
{
	if (l->n == l->room) {
		size_t room = l->room != 0 ? l->room * 2 : 16;
		const char **more = arena_new(rw->a, room * sizeof(*more));

		if (l->n > 0)
			memcpy(more, l->at, l->n * sizeof(*more));
		l->at = more;
		l->room = room;
	}
	l->at[l->n++] = name;
}

static void
gather_names(struct rewrite *rw, const struct tree_node *root, struct names *l)
{
	struct tree_walk w;

	tree_walk_init(&w, root);
	while (tree_walk_next(&w) != TREE_END) {
		if (w.step != TREE_ENTER)
			continue;
		if (w.kind == TREE_RANGE_VAR)
			add_name(rw, l, tree_str(w.node, "relname"));
		else if (strcmp(tree_name(w.node), "Alias") == 0)
			add_name(rw, l, tree_str(w.node, "aliasname"));
	}
	tree_walk_fini(&w);
}

/* A whole row: t, or t.* where it is no list of columns. */
static bool
is_row(const struct tree_walk *w, const struct names *l)
{
	size_t n = tree_len(w->node, "fields");
	const struct tree_node *last = tree_item(w->node, "fields", n - 1);

	if (tree_kind(last) == TREE_A_STAR)
		return tree_kind(w->parent) != TREE_RES_TARGET;
	return n == 1 && among(tree_str(last, "sval"), l->at, l->n);
}

static bool
column_leaks(const struct tree_walk *w, const struct names *l)
{
	const struct tree_frame *f;
	bool row = is_row(w, l);

	for (unsigned up = 1; (f = tree_walk_up(w, up)) != NULL; up++)
		if ((risky(f) || (row && weighs(f))) && !exempt(w, up))
			return true;
	return false;
}

/* The database knows nothing of the limits of access rules. */
static bool
limits_rows(const struct tenant_limits *l)
{
	for (unsigned i = 0; l != NULL && i < l->nlimits; i++)
		if (l->limits[i].nparts > 0)
			return true;
	return false;
}

void
leak_look(struct rewrite *rw, const struct tree_node *root)
{
	bool alone = rw->ask->fence || limits_rows(rw->ask->limits);
	struct names l = {NULL, 0, 0};
	struct tree_walk w;

	if (alone)
		gather_names(rw, root, &l);
	tree_walk_init(&w, root);
	while (tree_walk_next(&w) != TREE_END) {
		if (w.step != TREE_ENTER || w.kind != TREE_COLUMN_REF)
			continue;
		if (tree_len(w.node, "fields") > 2)
			rw->by_schema = true;
		if (!rw->leaky && alone)
			rw->leaky = column_leaks(&w, &l);
	}
	tree_walk_fini(&w);
}
