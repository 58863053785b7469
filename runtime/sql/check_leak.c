/* SPDX-License-Identifier: MIT
 *
 * May the planner ask something of a row before its tenant was looked at, that
 * could tell of it?  A walk down with what is known of the way: whether the
 * place is worked out from rows that were let through, and whether something
 * above it may raise or act.
 */
#include "check_int.h"

#include <string.h>

static bool
harmless_operator(const struct tree_node *n, const char *field)
{
	static const char *const ops[] = {"=",	"<>", "!=",  "<",   ">",   "<=",
					  ">=", "~~", "!~~", "~~*", "!~~*"};
	const char *schema, *op = tree_dotted(n, field, &schema);

	for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++)
		if (strcmp(op, ops[i]) == 0)
			return true;
	return false;
}

static bool
may_raise(const struct tree_node *n)
{
	const char *name = tree_name(n);

	if (strcmp(name, "A_Expr") == 0 || strcmp(name, "AExpr") == 0) {
		if (strstr(tree_word(n, "kind"), "BETWEEN") != NULL)
			return false;
		return !harmless_operator(n, "name");
	}
	if (strcmp(name, "SubLink") == 0)
		return tree_len(n, "oper_name") > 0 &&
		       !harmless_operator(n, "oper_name");
	return strcmp(name, "FuncCall") == 0 || strcmp(name, "TypeCast") == 0 ||
	       strcmp(name, "A_Indirection") == 0 ||
	       strcmp(name, "AIndirection") == 0 ||
	       strncmp(name, "Xml", 3) == 0;
}

/* A part of the root that only sees rows that were let through. */
static bool
is_late(const char *field)
{
	static const char *const late[] = {"target_list",   "returning_list",
					   "group_clause",  "sort_clause",
					   "limit_offset",  "limit_count",
					   "window_clause", "distinct_clause"};

	for (size_t i = 0; i < sizeof(late) / sizeof(*late); i++)
		if (strcmp(field, late[i]) == 0)
			return true;
	return false;
}

struct way {
	bool root; /* at the statement itself */
	bool late;
	bool risk;
};

static bool
look(const struct tree_node *n, struct way w)
{
	if (n == NULL)
		return false;
	if (!w.root && tree_kind(n) == TREE_SELECT)
		w.late = false;
	if (tree_kind(n) == TREE_COLUMN_REF)
		return w.risk;
	if (!w.late && may_raise(n))
		w.risk = true;
	for (unsigned i = 0; i < tree_nfields(n); i++) {
		struct way down = {false, w.late, w.risk};

		if (w.root)
			down.late = is_late(tree_field(n, i));
		for (size_t k = 0; k < tree_field_len(n, i); k++)
			if (look(tree_field_item(n, i, k), down))
				return true;
	}
	return false;
}

bool
check_leaky(const struct tree_node *root)
{
	return look(root, (struct way){.root = true});
}
