/* SPDX-License-Identifier: MIT
 *
 * tenant_fuzz - for tests: one input on its way through parser, gate, rewrite
 * and check, and what must hold whatever it is.
 *
 *	byte 0   1 a set of tenants; 2 fence; 4 limits and masks; from 8 on the
 *		 type of the tenant
 *	then     a statement
 *	[0 byte  and a text that claims to be its scoped form]
 *
 * What must hold of a text that is accepted:
 *   - it is one statement, and the gate let the original pass
 *   - every table of it is a CTE, or named with its schema and ruled
 *   - what is shared is only read
 *   - every other one stands in a statement whose WHERE, ON or values have the
 *     tenant's parameter, and in a WHERE or ON not below OR
 *   - the claimed form is the rewriter's, node by node
 *
 * These look at the result alone and know nothing of forms.  What does not
 * hold ends the process, for whoever looks for that.
 */
#ifndef TENANT_FUZZ_H
#define TENANT_FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "clinic_world.h"
#include "trees.h"
#include "vet.h"

#define FUZZ_HOLDS(what, text) \
	((what) ? (void)0 : fuzz_fault(#what, __LINE__, text))

struct fuzz_sums {
	unsigned long asked, parsed, passed, accepted, claimed;
};

static struct fuzz_sums fuzz_sums;

static _Noreturn void
fuzz_fault(const char *what, int line, const char *text)
{
	fprintf(stderr, "tenant_fuzz.h:%d: not true: %s\n%s\n", line, what,
		text);
	abort();
}

/* ---- the rules --------------------------------------------------------- */

static const struct tenant_part fuzz_small[] = {
	{"", TENANT_PART_ROW, 0},
	{".\"n\" < ", TENANT_PART_VALUE, 0},
	{"", TENANT_PART_END, 0}};
static const struct tenant_mask fuzz_mask[] = {{.column = "n"}};
static const struct tenant_limit fuzz_limit_list[] = {{.schema = "clinic",
						       .name = "visits",
						       .action = TENANT_READ,
						       .parts = fuzz_small,
						       .nparts = 3},
						      {.schema = "clinic",
						       .name = "items",
						       .action = TENANT_READ,
						       .masks = fuzz_mask,
						       .nmasks = 1},
						      {.schema = "clinic",
						       .name = "visits",
						       .action = TENANT_DELETE,
						       .parts = fuzz_small,
						       .nparts = 3}};
static const struct tenant_limits fuzz_limits = {
	.nlimits = 3, .nvalues = 1, .limits = fuzz_limit_list};

struct fuzz {
	struct tenant_rules rules;
	struct tree *before, *after;
	struct arena arena;
	struct tenant_text text;
	struct check_ask ask;
	struct err e;
};

/* ---- what holds -------------------------------------------------------- */

static bool
fuzz_has_param(const struct tree_node *n, unsigned param)
{
	struct tree_walk w;
	bool found = false;

	tree_walk_init(&w, n);
	while (!found && tree_walk_next(&w) != TREE_END)
		found = w.step == TREE_ENTER && w.kind == TREE_PARAM_REF &&
			tree_num(w.node, "number") == param;
	tree_walk_fini(&w);
	return found;
}

/* The condition itself, or a part of it that has to hold for all of it to. */
static bool
fuzz_binds(const struct tree_node *cond, unsigned param)
{
	if (cond == NULL)
		return false;
	if (tree_kind(cond) != TREE_BOOL_EXPR ||
	    strcmp(tree_word(cond, "boolop"), "NOT_EXPR") == 0)
		return fuzz_has_param(cond, param);
	if (strcmp(tree_word(cond, "boolop"), "OR_EXPR") == 0)
		return false;
	for (size_t i = 0; i < tree_len(cond, "args"); i++)
		if (fuzz_binds(tree_item(cond, "args", i), param))
			return true;
	return false;
}

/* The nearest statement around a node, and the field of it that leads there. */
static const struct tree_node *
fuzz_around(const struct tree_walk *w, const char **field)
{
	for (unsigned i = 1; tree_walk_up(w, i) != NULL; i++) {
		const struct tree_node *n = tree_walk_up(w, i)->node;
		enum tree_kind k = tree_kind(n);

		*field = tree_walk_up(w, i - 1)->field;
		if (k == TREE_SELECT || k == TREE_INSERT || k == TREE_UPDATE ||
		    k == TREE_DELETE || k == TREE_MERGE)
			return n;
	}
	return NULL;
}

static void
fuzz_table(const struct fuzz *f, const struct tree_walk *w)
{
	const char *schema = tree_str(w->node, "schemaname"), *field = "";
	const char *name = tree_str(w->node, "relname"), *sql = f->ask.after;
	const struct tree_node *in = fuzz_around(w, &field);
	const struct tenant_table *rule = tenant_find(&f->rules, schema, name);
	unsigned param = f->text.tenant_param;

	if (schema[0] == 0 && tree_walk_cte(w, name) != NULL)
		return;
	FUZZ_HOLDS(schema[0] != 0 && rule != NULL && in != NULL, sql);
	if (rule->kind == TENANT_SHARED) {
		FUZZ_HOLDS(strcmp(field, "relation") != 0, sql);
		return;
	}
	FUZZ_HOLDS(param == f->text.own_params + 1, sql);
	if (tree_kind(in) == TREE_INSERT)
		FUZZ_HOLDS(fuzz_has_param(in, param), sql);
	else if (tree_kind(in) == TREE_MERGE)
		FUZZ_HOLDS(fuzz_binds(tree_get(in, "join_condition"), param),
			   sql);
	else
		FUZZ_HOLDS(fuzz_binds(tree_get(in, "where_clause"), param),
			   sql);
}

/* Of a text that the checker accepted. */
static void
fuzz_accepted(const struct fuzz *f)
{
	struct tree *t;
	struct tree_walk w;
	struct err e;

	FUZZ_HOLDS(tree_parse(f->ask.after, f->ask.len, &t, &e) == 0,
		   f->ask.after);
	FUZZ_HOLDS(tree_count(t) == 1, f->ask.after);
	FUZZ_HOLDS(trees_same(tree_root(t, 0), tree_root(f->after, 0)),
		   f->ask.after);
	tree_walk_init(&w, tree_root(t, 0));
	while (tree_walk_next(&w) != TREE_END)
		if (w.step == TREE_ENTER && w.kind == TREE_RANGE_VAR &&
		    tree_kind(w.parent) != TREE_LOCKING)
			fuzz_table(f, &w);
	tree_walk_fini(&w);
	tree_free(&t);
}

/* ---- the way of one input ---------------------------------------------- */

static bool
fuzz_pass(struct fuzz *f, const char *sql, size_t len)
{
	struct vet_ask vet = {.rules = &f->rules, .world = &clinic_world};

	fuzz_sums.asked++;
	if (tree_parse(sql, len, &f->before, &f->e) < 0)
		return false;
	fuzz_sums.parsed++;
	vet.tree = f->before;
	if (vet_statement(&vet, &f->e) < 0)
		return false;
	fuzz_sums.passed++;
	return tree_count(f->before) == 1;
}

static bool
fuzz_rewrite(struct fuzz *f, unsigned flags)
{
	struct tenant_ask ask = {.tree = f->before,
				 .rules = &f->rules,
				 .world = &clinic_world,
				 .limits = flags & 4 ? &fuzz_limits : NULL,
				 .shape = flags & 1 ? TENANT_SET : TENANT_ONE,
				 .fence = (flags & 2) != 0};

	if (tenant_rewrite(&ask, &f->arena, &f->text, &f->e) < 0)
		return false;
	f->ask = (struct check_ask){.before = f->before,
				    .after = f->text.sql,
				    .len = f->text.len,
				    .rules = ask.rules,
				    .world = ask.world,
				    .limits = ask.limits,
				    .shape = ask.shape,
				    .tenant_param = f->text.tenant_param,
				    .nvalues = f->text.nvalues,
				    .values = f->text.values,
				    .fence = ask.fence};
	return tree_parse(f->text.sql, f->text.len, &f->after, &f->e) == 0;
}

/* The text made here, and the one that was claimed. */
static void
fuzz_check(struct fuzz *f, const char *claim, size_t len)
{
	if (check_rewrite(&f->ask, &f->e) == 0) {
		fuzz_sums.accepted++;
		fuzz_accepted(f);
	}
	if (claim == NULL)
		return;
	f->ask.after = claim;
	f->ask.len = len;
	if (check_rewrite(&f->ask, &f->e) == 0) {
		fuzz_sums.claimed++;
		fuzz_accepted(f);
	}
}

/* The bytes, with a zero byte behind them. */
static void
fuzz_one(const char *bytes, size_t len)
{
	struct fuzz f = {.rules = clinic_rules};
	unsigned flags = len > 0 ? (unsigned char)bytes[0] : 0;
	size_t sql;

	if (len < 2)
		return;
	bytes++, len--;
	f.rules.type = (enum tenant_type)((flags >> 3) % 4);
	sql = strnlen(bytes, len);
	arena_init(&f.arena, NULL, 0);
	if (fuzz_pass(&f, bytes, sql) && fuzz_rewrite(&f, flags))
		fuzz_check(&f, sql < len ? bytes + sql + 1 : NULL,
			   sql < len ? len - sql - 1 : 0);
	if (f.after != NULL)
		tree_free(&f.after);
	if (f.before != NULL)
		tree_free(&f.before);
	arena_fini(&f.arena);
}

#endif
