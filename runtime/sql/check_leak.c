/* SPDX-License-Identifier: MIT
 *
 * May the planner ask something of a row before its tenant was looked at, that
 * could tell of it?  A walk down with what is known of the way: whether the
 * place is worked out from rows that were let through, whether something above
 * it may raise or act, and whether something above it compares: a whole row
 * that is compared may raise, too.
 */
#include "check_int.h"

#include <string.h>

static bool
is_one_of(const char *word, const char *const *words)
{
	for (; *words != NULL; words++)
		if (strcmp(word, *words) == 0)
			return true;
	return false;
}

/* A text without backslashes: LIKE comes to no escape that is cut off. */
static bool
plain_text(const struct tree_node *n)
{
	const char *text;

	if (tree_kind(n) != TREE_A_CONST)
		return false;
	for (text = tree_str(tree_get(n, "sval"), "sval"); *text != 0; text++)
		if (*text == '\\')
			return false;
	return true;
}

static bool
harmless_operator(const struct tree_node *n, const char *field)
{
	static const char *const ops[] = {"=", "<>", "!=", "<",
					  ">", "<=", ">=", NULL};
	static const char *const like[] = {"~~", "!~~", "~~*", "!~~*", NULL};
	const char *schema, *op = tree_dotted(n, field, &schema);

	return is_one_of(op, ops) ||
	       (strcmp(field, "name") == 0 && is_one_of(op, like) &&
		plain_text(tree_get(n, "rexpr")));
}

static bool
may_raise(const struct tree_node *n)
{
	const char *name = tree_name(n);

	if (strcmp(name, "AExpr") == 0) {
		if (strstr(tree_word(n, "kind"), "BETWEEN") != NULL)
			return false;
		return !harmless_operator(n, "name");
	}
	if (strcmp(name, "SubLink") == 0)
		return tree_len(n, "oper_name") > 0 &&
		       !harmless_operator(n, "oper_name");
	return strcmp(name, "FuncCall") == 0 || strcmp(name, "TypeCast") == 0 ||
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

/* ---- whole rows --------------------------------------------------------- */

/* What is read from may be named: its row is then a value. */
struct sources {
	const char **names;
	size_t n, room;
};

static void
collect(struct sources *s, const struct tree_node *n)
{
	const char *name = NULL;

	if (n == NULL)
		return;
	if (tree_kind(n) == TREE_RANGE_VAR)
		name = tree_str(n, "relname");
	else if (strcmp(tree_name(n), "Alias") == 0)
		name = tree_str(n, "aliasname");
	if (name != NULL) {
		if (s->n == s->room) {
			s->room = s->room * 2 + 8;
			s->names = mem_resize(s->names,
					      s->room * sizeof(*s->names));
		}
		s->names[s->n++] = name;
	}
	for (unsigned i = 0; i < tree_nfields(n); i++)
		for (size_t k = 0; k < tree_field_len(n, i); k++)
			collect(s, tree_field_item(n, i, k));
}

/* item: it stands in a list of what is selected, where t.* are columns. */
static bool
is_whole(const struct sources *s, const struct tree_node *ref, bool item)
{
	size_t n = tree_len(ref, "fields");
	const struct tree_node *part = tree_item(ref, "fields", n - 1);

	if (tree_kind(part) == TREE_A_STAR)
		return !item;
	for (size_t i = 0; n == 1 && i < s->n; i++)
		if (strcmp(s->names[i], tree_str(part, "sval")) == 0)
			return true;
	return false;
}

static bool
compares(const struct tree_node *n)
{
	static const char *const names[] = {"AExpr", "SubLink", "CaseExpr",
					    "MinMaxExpr", NULL};

	return is_one_of(tree_name(n), names);
}

/* ---- the way down ------------------------------------------------------- */

struct way {
	bool root; /* at the statement itself */
	bool late;
	bool risk, compared;
	bool item; /* right below what is selected */
};

static bool
look(const struct sources *s, const struct tree_node *n, struct way w)
{
	if (n == NULL)
		return false;
	if (!w.root && tree_kind(n) == TREE_SELECT)
		w.late = false;
	if (tree_kind(n) == TREE_COLUMN_REF)
		return w.risk || (w.compared && is_whole(s, n, w.item));
	if (!w.late) {
		w.risk |= may_raise(n);
		w.compared |= compares(n);
	}
	for (unsigned i = 0; i < tree_nfields(n); i++) {
		struct way down = w;

		down.root = false;
		down.item = tree_kind(n) == TREE_RES_TARGET;
		if (w.root)
			down.late = is_late(tree_field(n, i));
		for (size_t k = 0; k < tree_field_len(n, i); k++)
			if (look(s, tree_field_item(n, i, k), down))
				return true;
	}
	return false;
}

bool
check_leaky(const struct tree_node *root)
{
	struct sources s = {NULL, 0, 0};
	bool leaky;

	collect(&s, root);
	leaky = look(&s, root, (struct way){.root = true});
	mem_free(s.names);
	return leaky;
}
