/* SPDX-License-Identifier: MIT
 *
 * Owner columns that a statement changes without setting them as a whole: the
 * rewrite and the checker, each by itself.
 */
#include "check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "clinic_world.h"

static const struct world_column owned[] = {
	CLINIC_COLUMN("id", "uuid"),
	{"clinic_id", "pg_catalog", "uuid", true, true},
	CLINIC_COLUMN("n", "int4")};
static const struct world_column other[] = {
	CLINIC_COLUMN("id", "uuid"),
	CLINIC_COLUMN("clinic_id", "uuid"),
	{"n", "pg_catalog", "int4", true, true}};

static const struct world_table table_owned = CLINIC_TABLE("visits", owned,
							   clinic_visit_keys);
static const struct world_table table_other = CLINIC_TABLE("visits", other,
							   clinic_visit_keys);

/* arg: what "visits" is. */
static const struct world_table *
find(const void *arg, const char *schema, const char *name)
{
	return arg != NULL && strcmp(name, "visits") == 0
		       ? arg
		       : clinic_find(NULL, schema, name);
}

static struct world
world_of(const struct world_table *visits)
{
	struct world w = clinic_world;

	w.arg = visits;
	w.table = find;
	return w;
}

static bool
is_accepted(struct check_ask ask, const char *before, const char *after)
{
	struct tree *tree;
	struct err e;
	int rc;

	assert_int_equal(tree_parse(before, strlen(before), &tree, &e), 0);
	ask.before = tree;
	ask.rules = &clinic_rules;
	ask.after = after;
	ask.len = strlen(after);
	rc = check_rewrite(&ask, &e);
	tree_free(&tree);
	return rc == 0;
}

static bool
accepts(const struct world_table *visits, const char *before, const char *after)
{
	struct world w = world_of(visits);
	const struct check_ask ask = {.world = &w, .tenant_param = 1};

	return is_accepted(ask, before, after);
}

static bool
rewrites(const struct world_table *visits, const char *before)
{
	struct world w = world_of(visits);
	struct tenant_ask ask = {.rules = &clinic_rules, .world = &w};
	struct arena arena;
	struct tenant_text out;
	struct tree *tree;
	struct err e;
	int rc;

	arena_init(&arena, NULL, 0);
	assert_int_equal(tree_parse(before, strlen(before), &tree, &e), 0);
	ask.tree = tree;
	rc = tenant_rewrite(&ask, &arena, &out, &e);
	tree_free(&tree);
	arena_fini(&arena);
	return rc == 0;
}

#define UPDATE "update visits set id = null"
#define UPDATED                                                              \
	"update clinic.visits set id = null WHERE \"visits\".\"clinic_id\" " \
	"OPERATOR(pg_catalog.=) $1::pg_catalog.uuid"

static void
test_nothing_is_set_where_the_owner_is_worked_out(void **state)
{
	assert_true(rewrites(NULL, UPDATE));
	assert_true(rewrites(&table_other, UPDATE));
	assert_false(rewrites(&table_owned, UPDATE));
	assert_true(accepts(NULL, UPDATE, UPDATED));
	assert_true(accepts(&table_other, UPDATE, UPDATED));
	assert_false(accepts(&table_owned, UPDATE, UPDATED));
}

#define ITEM(column) "insert into items (n, " column ") values (1, $1)"
#define ITEM_AFTER(column)                                            \
	"insert into clinic.items (n, " column                        \
	") values (1, CASE WHEN EXISTS "                              \
	"(SELECT FROM clinic.visits AS lunate_1 WHERE lunate_1.id "   \
	"OPERATOR(pg_catalog.=) ($1) AND lunate_1.clinic_id "         \
	"OPERATOR(pg_catalog.=) $2::pg_catalog.uuid) THEN ($1) ELSE " \
	"(pg_catalog.parse_ident(pg_catalog.concat('?', "             \
	"$2::pg_catalog.uuid)))[1]::pg_catalog.uuid END)"

static bool
accepts_item(const char *before, const char *after)
{
	const struct check_ask ask = {.world = &clinic_world,
				      .tenant_param = 2};

	return is_accepted(ask, before, after);
}

/* own['a'] of what was compared is another value than that. */
static void
test_an_owner_is_not_inserted_in_parts(void **state)
{
	assert_true(rewrites(NULL, ITEM("visit_id")));
	assert_false(rewrites(NULL, ITEM("visit_id['a']")));
	assert_false(rewrites(NULL, ITEM("visit_id.a")));
	assert_true(accepts_item(ITEM("visit_id"), ITEM_AFTER("visit_id")));
	assert_false(accepts_item(ITEM("visit_id['a']"),
				  ITEM_AFTER("visit_id['a']")));
	assert_false(
		accepts_item(ITEM("visit_id.a"), ITEM_AFTER("visit_id.a")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_nothing_is_set_where_the_owner_is_worked_out),
		cmocka_unit_test(test_an_owner_is_not_inserted_in_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
