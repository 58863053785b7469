/* SPDX-License-Identifier: MIT
 *
 * Could the statement tell of a row before its predicate was looked at?
 *
 * The planner may move conditions: what stands outside a sub-select can be
 * asked of a row first.  That is harmless for comparisons, which neither raise
 * nor act, and a leak for anything else.
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
	static const char *const ops[] = {"=",	"<>", "!=",  "<",   ">",   "<=",
					  ">=", "~~", "!~~", "~~*", "!~~*"};
	return AMONG(op, ops);
}

/* May this node raise an error or act? */
static bool
risky(const struct tree_frame *f)
{
	static const char *const calm[] = {"AEXPR_BETWEEN", "AEXPR_NOT_BETWEEN",
					   "AEXPR_BETWEEN_SYM",
					   "AEXPR_NOT_BETWEEN_SYM"};
	static const char *const names[] = {"A_Indirection", "XmlExpr",
					    "XmlSerialize"};
	const struct tree_node *n = f->node;
	const char *schema;

	switch ((int)tree_kind(n)) {
	case TREE_FUNC_CALL:
	case TREE_TYPE_CAST:
		return true;
	case TREE_A_EXPR:
		return !AMONG(tree_word(n, "kind"), calm) &&
		       !compares(tree_dotted(n, "name", &schema));
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

static bool
column_leaks(const struct tree_walk *w)
{
	const struct tree_frame *f;

	for (unsigned up = 1; (f = tree_walk_up(w, up)) != NULL; up++)
		if (risky(f) && !exempt(w, up))
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
	struct tree_walk w;

	tree_walk_init(&w, root);
	while (tree_walk_next(&w) != TREE_END) {
		if (w.step != TREE_ENTER || w.kind != TREE_COLUMN_REF)
			continue;
		if (tree_len(w.node, "fields") > 2)
			rw->by_schema = true;
		if (!rw->leaky && alone)
			rw->leaky = column_leaks(&w);
	}
	tree_walk_fini(&w);
}
