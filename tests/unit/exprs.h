/* SPDX-License-Identifier: MIT
 *
 * exprs - for tests: a small table, and conditions made by hand.
 *
 * Trees lie in exprs_arena, which the group's teardown ends.
 *
 * Include after cmocka.h.
 */
#ifndef EXPRS_H
#define EXPRS_H

#include <string.h>

#include "expr.h"

static struct arena exprs_arena;
static struct zones exprs_zones;

#define EXPRS_COLUMNS 13

/* clang-format off */
static const struct world_column exprs_columns[EXPRS_COLUMNS] = {
	{"id", "pg_catalog", "int4"}, {"big", "pg_catalog", "int8"},
	{"small", "pg_catalog", "int2"}, {"title", "pg_catalog", "text"},
	{"code", "pg_catalog", "varchar"}, {"price", "pg_catalog", "numeric"},
	{"owner", "pg_catalog", "uuid"}, {"active", "pg_catalog", "bool"},
	{"mood", "public", "mood"}, {"at", "pg_catalog", "timestamptz"},
	{"odd \"name\"", "pg_catalog", "text"},
	{"letters", "pg_catalog", "bpchar"}, {"rate", "pg_catalog", "float8"},
};
/* clang-format on */

static const struct world_table exprs_table = {.schema = "public",
					       .name = "things",
					       .ncolumns = EXPRS_COLUMNS,
					       .columns = exprs_columns};

static char
exprs_type(const void *arg, const char *schema, const char *name)
{
	(void)arg;
	return strcmp(schema, "public") == 0 && strcmp(name, "mood") == 0 ? 'e'
									  : 0;
}

static const struct world exprs_world = {.type = exprs_type};

UNUSED static struct expr *
x_new(enum expr_kind kind)
{
	struct expr *x = arena_new(&exprs_arena, sizeof(*x));

	x->kind = kind;
	return x;
}

UNUSED static struct expr *
x_truth(bool yes)
{
	struct expr *x = x_new(EXPR_TRUTH);

	x->yes = yes;
	return x;
}

UNUSED static struct expr *
x_parts(enum expr_kind kind, unsigned n, struct expr *const *parts)
{
	struct expr **args = arena_new(&exprs_arena, (n + 1) * sizeof(*args));
	struct expr *x = x_new(kind);

	for (unsigned i = 0; i < n; i++)
		args[i] = parts[i];
	x->args = args;
	x->nargs = n;
	return x;
}

#define x_all(...)                                                       \
	x_parts(EXPR_ALL,                                                \
		sizeof((struct expr *[]){__VA_ARGS__}) / sizeof(void *), \
		(struct expr *[]){__VA_ARGS__})
#define x_any(...)                                                       \
	x_parts(EXPR_ANY,                                                \
		sizeof((struct expr *[]){__VA_ARGS__}) / sizeof(void *), \
		(struct expr *[]){__VA_ARGS__})

UNUSED static struct expr *
x_no(struct expr *part)
{
	return x_parts(EXPR_NOT, 1, &part);
}

#define x_text(t) ((struct expr_operand){EXPR_TEXT, (t), 0})
#define x_num(t) ((struct expr_operand){EXPR_NUMBER, (t), 0})
#define x_bool(t) ((struct expr_operand){EXPR_BOOL, (t), 0})
#define x_row(t) ((struct expr_operand){EXPR_COLUMN, (t), 0})
#define x_ctx(a) ((struct expr_operand){EXPR_ATTR, NULL, EXPR_ATTR_##a})

UNUSED static struct expr *
x_compare(struct expr_operand left, enum expr_op op, struct expr_operand right)
{
	struct expr *x = x_new(EXPR_COMPARE);

	x->left = left;
	x->op = op;
	x->right = right;
	return x;
}

UNUSED static struct expr *
x_in(enum expr_kind kind, struct expr_operand left, struct expr_operand right)
{
	struct expr *x = x_new(kind);

	x->left = left;
	x->right = right;
	return x;
}

UNUSED static struct expr *
x_list(enum expr_kind kind, struct expr_operand left, unsigned n,
       const struct expr_operand *list)
{
	struct expr_operand *copy = arena_new(&exprs_arena,
					      (n + 1) * sizeof(*copy));
	struct expr *x = x_new(kind);

	for (unsigned i = 0; i < n; i++)
		copy[i] = list[i];
	x->left = left;
	x->list = copy;
	x->nlist = n;
	return x;
}

#define x_one_of(left, ...)                                   \
	x_list(EXPR_ONE_OF, (left),                           \
	       sizeof((struct expr_operand[]){__VA_ARGS__}) / \
		       sizeof(struct expr_operand),           \
	       (const struct expr_operand[]){__VA_ARGS__})
#define x_every(left, ...)                                    \
	x_list(EXPR_EVERY, (left),                            \
	       sizeof((struct expr_operand[]){__VA_ARGS__}) / \
		       sizeof(struct expr_operand),           \
	       (const struct expr_operand[]){__VA_ARGS__})

UNUSED static struct expr *
x_role(unsigned number, const char *name)
{
	struct expr *x = x_new(EXPR_ROLE);

	x->role = number;
	x->text = name;
	return x;
}

UNUSED static struct expr *
x_hours(const char *text, struct expr_operand zone)
{
	struct expr *x = x_new(EXPR_HOURS);
	struct err e;

	x->text = text;
	x->left = zone;
	assert_int_equal(hours_read(text, &x->hours, &e), 0);
	return x;
}

UNUSED static struct expr *
x_ip(const char *range)
{
	struct ip_range *r = arena_new(&exprs_arena, sizeof(*r));
	const char **text = arena_new(&exprs_arena, sizeof(*text));
	struct expr *x = x_new(EXPR_IP);
	struct err e;

	assert_int_equal(ip_range_read(range, r, &e), 0);
	*text = range;
	x->ranges = r;
	x->range_texts = text;
	x->nranges = 1;
	return x;
}

UNUSED static struct expr *
x_checked(struct expr *x)
{
	struct err e;

	if (expr_check(x, &exprs_zones, &e) < 0)
		fail_msg("%s", e.text);
	return x;
}

UNUSED static int
exprs_begin(void **state)
{
	(void)state;
	arena_init(&exprs_arena, NULL, 0);
	zones_init(&exprs_zones, ZONES_DIR);
	return 0;
}

UNUSED static int
exprs_end(void **state)
{
	(void)state;
	arena_fini(&exprs_arena);
	zones_fini(&exprs_zones);
	return 0;
}

#endif
