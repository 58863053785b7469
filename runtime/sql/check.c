/* SPDX-License-Identifier: MIT */
#include "check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "check_int.h"
#include "deep.h"
#include "refusal.h"

int
check_fail(struct check *c, const char *fmt, ...)
{
	char text[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return refuse(c->e, REFUSE_UNCHECKED,
		      "the scoped text was not accepted: %s; this is a fault "
		      "of lunate, and nothing was sent",
		      text);
}

/* ---- two trees side by side -------------------------------------------- */

static bool
left_out(const char *field, const char *const *but)
{
	for (; but != NULL && *but != NULL; but++)
		if (strcmp(*but, field) == 0)
			return true;
	return false;
}

static int
same_list(struct check *c, struct pair p, unsigned field, struct at at)
{
	size_t n = tree_field_len(p.a, field);

	if (n != tree_field_len(p.b, field))
		return check_fail(c, "%s of %s has another length",
				  tree_field(p.a, field), tree_name(p.a));
	for (size_t i = 0; i < n; i++)
		if (check_same(c,
			       PAIR(tree_field_item(p.a, field, i),
				    tree_field_item(p.b, field, i)),
			       at) < 0)
			return c->e->code;
	return 0;
}

int
check_rest(struct check *c, struct pair p, const char *const *but, struct at at)
{
	for (unsigned i = 0; i < tree_nfields(p.a); i++)
		if (!left_out(tree_field(p.a, i), but) &&
		    same_list(c, p, i, at) < 0)
			return c->e->code;
	return 0;
}

int
check_field(struct check *c, struct pair p, const char *field, struct at at)
{
	for (unsigned i = 0; i < tree_nfields(p.a); i++)
		if (strcmp(tree_field(p.a, i), field) == 0)
			return same_list(c, p, i, at);
	return 0;
}

/* ---- WITH: what is in scope where -------------------------------------- */

/* The queries of a WITH, each with what it may name; `in` is then what the
 * statement itself sees.  All of it is in the frame of who calls. */
static int
same_ctes(struct check *c, struct pair with, struct cte *list, struct at *at)
{
	size_t n = tree_len(with.a, "ctes");
	bool recursive = tree_num(with.a, "recursive") != 0;
	struct at in = *at, all = *at;

	for (size_t i = 0; i < n; i++) {
		list[i].name = tree_str(tree_item(with.a, "ctes", i),
					"ctename");
		list[i].outer = i > 0 ? &list[i - 1] : at->ctes;
	}
	all.ctes = &list[n - 1];
	for (size_t i = 0; i < n; i++) {
		struct pair p = {tree_item(with.a, "ctes", i),
				 tree_item(with.b, "ctes", i)};

		in.ctes = recursive ? all.ctes : list[i].outer;
		if (!tree_alike(p.a, p.b) || check_rest(c, p, NULL, in) < 0)
			return c->e->code != 0
				       ? c->e->code
				       : check_fail(c, "a CTE is another one");
	}
	*at = all;
	return 0;
}

static int
same_statement(struct check *c, struct pair p, struct at at)
{
	static const char *const but[] = {"with_clause", "from_clause",
					  "where_clause", "group_clause", NULL};

	switch ((int)tree_kind(p.a)) {
	case TREE_INSERT:
		return check_insert(c, p, at);
	case TREE_UPDATE:
		return check_update(c, p, at);
	case TREE_DELETE:
		return check_delete(c, p, at);
	case TREE_MERGE:
		return check_merge(c, p, at);
	default:
		if (check_from(c, p, at) < 0)
			return c->e->code;
		at.spot = NULL;
		if (check_group(c, p, at) < 0)
			return c->e->code;
		return check_rest(c, p, but, at);
	}
}

int
check_with(struct check *c, struct pair p, struct cte **list, struct at *at)
{
	struct pair with = {tree_get(p.a, "with_clause"),
			    tree_get(p.b, "with_clause")};
	size_t n = tree_len(with.a, "ctes");

	*list = NULL;
	if (with.a == NULL)
		return with.b == NULL ? 0 : check_fail(c, "a WITH was added");
	if (with.b == NULL || !tree_alike(with.a, with.b) ||
	    n != tree_len(with.b, "ctes"))
		return check_fail(c, "its WITH is another one");
	*list = mem_new(n * sizeof(**list));
	return same_ctes(c, with, *list, at);
}

/* Of an INSERT into what tenants share, check_insert looks at the WITH. */
static int
with_scope(struct check *c, struct pair p, struct at at)
{
	struct cte *list = NULL;
	int rc = 0;

	at.spot = NULL;
	if (tree_kind(p.a) != TREE_INSERT ||
	    tree_get(p.a, "with_clause") != NULL)
		rc = check_with(c, p, &list, &at);
	if (rc == 0)
		rc = same_statement(c, p, at);
	mem_free(list);
	return rc;
}

static bool
is_statement(enum tree_kind k)
{
	return k == TREE_SELECT || k == TREE_INSERT || k == TREE_UPDATE ||
	       k == TREE_DELETE || k == TREE_MERGE;
}

int
check_same(struct check *c, struct pair p, struct at at)
{
	enum tree_kind k = tree_kind(p.a);

	if (p.a == NULL && p.b == NULL)
		return 0;
	if (k == TREE_RANGE_VAR)
		return check_table(c, p, at);
	if (k == TREE_RANGE_TABLE_SAMPLE)
		return check_sample(c, p);
	if (!tree_alike(p.a, p.b))
		return check_fail(c, "%s became %s", tree_name(p.a),
				  p.b != NULL ? tree_name(p.b) : "nothing");
	if (k == TREE_JOIN)
		return check_join(c, p, at);
	at.spot = NULL;
	if (k == TREE_LOCKING) /* names of FROM, not of relations */
		return 0;
	if (is_statement(k))
		return with_scope(c, p, at);
	return check_rest(c, p, NULL, at);
}

/* ---- the door ---------------------------------------------------------- */

/* Locking clauses name aliases: they have to be the same to the letter. */
static int
same_lockings(struct check *c, const struct tree_node *a,
	      const struct tree_node *b)
{
	struct tree_walk wa, wb;
	bool same = true;

	tree_walk_init(&wa, a);
	tree_walk_init(&wb, b);
	while (same) {
		while (tree_walk_next(&wa) != TREE_END)
			if (wa.step == TREE_ENTER &&
			    tree_kind(wa.parent) == TREE_LOCKING)
				break;
		while (tree_walk_next(&wb) != TREE_END)
			if (wb.step == TREE_ENTER &&
			    tree_kind(wb.parent) == TREE_LOCKING)
				break;
		if (wa.step == TREE_END || wb.step == TREE_END) {
			same = wa.step == wb.step;
			break;
		}
		same = tree_alike(wa.node, wb.node);
	}
	tree_walk_fini(&wa);
	tree_walk_fini(&wb);
	return same ? 0 : check_fail(c, "another table is locked");
}

/* Of these the database has no row policies. */
static bool
limits_rows(const struct tenant_limits *l)
{
	unsigned i = 0;

	while (l != NULL && i < l->nlimits && l->limits[i].nparts == 0)
		i++;
	return l != NULL && i < l->nlimits;
}

struct job {
	struct check *c;
	const struct tree_node *after;
	int rc;
};

static void
compare(void *arg)
{
	struct job *j = arg;
	struct at at = {NULL, NULL};

	j->c->leaky = (j->c->ask->fence || limits_rows(j->c->ask->limits)) &&
		      check_leaky(j->c->root);
	j->rc = same_lockings(j->c, j->c->root, j->after);
	if (j->rc == 0)
		j->rc = check_same(j->c, PAIR(j->c->root, j->after), at);
}

/* The highest parameter of the original. */
static unsigned
highest(const struct tree_node *root)
{
	struct tree_walk w;
	int64_t most = 0;

	tree_walk_init(&w, root);
	while (tree_walk_next(&w) != TREE_END)
		if (w.step == TREE_ENTER && w.kind == TREE_PARAM_REF &&
		    tree_num(w.node, "number") > most)
			most = tree_num(w.node, "number");
	tree_walk_fini(&w);
	return (unsigned)most;
}

/* What recursion needs for one level of nesting, several times over. */
#define STACK_PER_LEVEL 8192
#define STACK_LEAST (1u << 20)

static size_t
stack_for(const struct tree *before)
{
	const struct tree_token *tokens;
	size_t n = tree_tokens(before, &tokens);

	if (n > TREE_DEPTH)
		n = TREE_DEPTH;
	return STACK_LEAST + n * STACK_PER_LEVEL;
}

int
check_rewrite(const struct check_ask *ask, struct err *e)
{
	struct check c = {.ask = ask, .e = e};
	struct job j = {.c = &c};
	struct tree *after = NULL;

	err_clear(e);
	if (tree_parse(ask->after, ask->len, &after, e) < 0)
		return check_fail(&c, "it cannot be parsed");
	if (tree_count(ask->before) != 1 || tree_count(after) != 1) {
		tree_free(&after);
		return check_fail(&c, "it is not one statement");
	}
	c.root = tree_root(ask->before, 0);
	c.param = highest(c.root) + 1;
	j.after = tree_root(after, 0);
	if (ask->tenant_param != 0 && ask->tenant_param != c.param)
		j.rc = check_fail(&c, "the tenant is another parameter");
	else if (deep_call(compare, &j, stack_for(ask->before), e) < 0)
		j.rc = e->code;
	if (j.rc == 0 && c.owned && ask->tenant_param == 0)
		j.rc = check_fail(&c, "the tenant is not bound");
	if (j.rc == 0 && highest(j.after) >= c.param + ask->nvalues +
						     (ask->tenant_param != 0))
		j.rc = check_fail(&c, "it has a parameter that nobody gives");
	tree_free(&after);
	return j.rc;
}
