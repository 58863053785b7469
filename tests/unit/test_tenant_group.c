/* SPDX-License-Identifier: MIT
 *
 * GROUP BY where a table had to become a sub-select, and names that cannot
 * follow it there.
 */
#include "check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "clinic_world.h"
#include "refusal.h"

#define OWN "$1::pg_catalog.uuid"
#define EQ " OPERATOR(pg_catalog.=) "
#define ROWS                                                              \
	"(SELECT * FROM \"clinic\".\"visits\" AS lunate_0 WHERE lunate_0" \
	".\"clinic_id\"" EQ OWN
#define SCOPED ROWS ")"
#define FENCED ROWS " OFFSET 0)"

static struct tree *
parsed(const char *sql)
{
	struct tree *tree = NULL;
	struct err e;

	if (tree_parse(sql, strlen(sql), &tree, &e) < 0)
		fail_msg("%s: %s", sql, e.text);
	return tree;
}

static bool
accepted(const struct tree *before, const char *after)
{
	struct err e;
	const struct check_ask ask = {.before = before,
				      .after = after,
				      .len = strlen(after),
				      .rules = &clinic_rules,
				      .world = &clinic_world,
				      .tenant_param = 1,
				      .fence = true};

	return check_rewrite(&ask, &e) == 0;
}

/* The rewritten text, which the checker accepted, or the word of a refusal. */
static void
fenced(const char *sql, const char *want)
{
	struct tree *tree = parsed(sql);
	const struct tenant_ask ask = {.tree = tree,
				       .rules = &clinic_rules,
				       .world = &clinic_world,
				       .fence = true};
	struct tenant_text out;
	struct arena a;
	struct err e;

	arena_init(&a, NULL, 0);
	if (tenant_rewrite(&ask, &a, &out, &e) == 0) {
		assert_string_equal(out.sql, want);
		assert_true(accepted(tree, out.sql));
	} else {
		assert_string_equal(refusal_word(refusal_of(&e)), want);
	}
	arena_fini(&a);
	tree_free(&tree);
}

static void
test_a_key_that_is_grouped_by_covers_the_columns_of_a_sub_select(void **state)
{
	fenced("select v.id, v.note, count(*) from visits v where v.n::text = "
	       "'' group by v.id",
	       "select v.id, v.note, count(*) from " FENCED
	       " v where v.n::text = '' group by v.id, \"v\".\"note\"");
	fenced("select note from codes c left join visits on true group by "
	       "visits.id, c.a having n > 1 order by clinic_id limit 1",
	       "select note from \"clinic\".\"codes\" c left join " SCOPED
	       " AS \"visits\" on true group by visits.id, c.a, "
	       "\"visits\".\"clinic_id\", \"visits\".\"n\", "
	       "\"visits\".\"note\" having n > 1 order by clinic_id limit 1");
	fenced("select v.* from codes left join visits v(x) on true group by "
	       "x",
	       "select v.* from \"clinic\".\"codes\" left join " SCOPED
	       " v(x) on true group by x, \"v\".\"clinic_id\", \"v\".\"n\", "
	       "\"v\".\"note\"");
}

static void
test_a_distinct_without_columns_of_its_own_ends_nothing(void **state)
{
	fenced("select distinct v.id, v.note from visits v where v.n::text = "
	       "'' group by v.id",
	       "select distinct v.id, v.note from " FENCED
	       " v where v.n::text = '' group by v.id, \"v\".\"note\"");
	fenced("select distinct v.id from visits v where v.n::text = '' group "
	       "by v.id",
	       "select distinct v.id from " FENCED
	       " v where v.n::text = '' group by v.id");
}

static void
test_other_groups_stay_as_they_are(void **state)
{
	fenced("select n, count(*) from visits where n::text = '' group by n",
	       "select n, count(*) from " FENCED
	       " AS \"visits\" where n::text = '' group by n");
	fenced("select id, count(*) from visits where n::text = '' group by id",
	       "select id, count(*) from " FENCED
	       " AS \"visits\" where n::text = '' group by id");
	fenced("select id, n from visits where n::text = '' group by rollup "
	       "(id, n)",
	       "select id, n from " FENCED
	       " AS \"visits\" where n::text = '' group by rollup (id, n)");
}

#define GROUPED_BY(list)                                              \
	"select v.id, v.note from " FENCED " v where v.n::text = '' " \
	"group by " list

static void
test_the_checker_lets_columns_of_the_from_join_a_group_by(void **state)
{
	struct tree *tree = parsed("select v.id, v.note from visits v where "
				   "v.n::text = '' group by v.id");
	static const char *const wrong[] = {GROUPED_BY("v.id, n"),
					    GROUPED_BY("v.id, \"w\".\"note\""),
					    GROUPED_BY("v.id, \"v\".\"nope\""),
					    GROUPED_BY("v.id, lower(v.note)"),
					    GROUPED_BY("v.id, (select 1)"),
					    GROUPED_BY("v.id, v.*"),
					    GROUPED_BY("v.note"),
					    GROUPED_BY("v.note, v.id")};

	assert_true(accepted(tree, GROUPED_BY("v.id, \"v\".\"note\"")));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		if (accepted(tree, wrong[i]))
			fail_msg("accepted: %s", wrong[i]);
	tree_free(&tree);
}

static void
test_a_column_named_by_its_schema_has_no_sub_select(void **state)
{
	fenced("select clinic.visits.n from visits where n = 1",
	       "select clinic.visits.n from \"clinic\".\"visits\" where "
	       "\"visits\".\"clinic_id\"" EQ OWN " AND ( n = 1)");
	fenced("select clinic.visits.n from visits where n::text = ''", "form");
	fenced("select clinic.visits.n from codes left join visits on true",
	       "form");
	fenced("select clinic.codes.a from codes, (table visits) v",
	       "select clinic.codes.a from \"clinic\".\"codes\", "
	       "(SELECT * FROM " SCOPED " AS \"visits\") v");
	fenced("select clinic.codes.a from codes left join visits on true",
	       "select clinic.codes.a from \"clinic\".\"codes\" left "
	       "join " SCOPED " AS \"visits\" on true");
}

static void
test_a_subscript_alone_is_fenced(void **state)
{
	fenced("select x from (select (v.note)[1] as x from visits v) q",
	       "select x from (select (v.note)[1] as x from " FENCED " v) q");
}

static void
test_what_is_shared_is_not_inserted_behind_a_with(void **state)
{
	fenced("with x as (select 1) insert into patients (id) values ($1)",
	       "form");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_a_key_that_is_grouped_by_covers_the_columns_of_a_sub_select),
		cmocka_unit_test(
			test_a_distinct_without_columns_of_its_own_ends_nothing),
		cmocka_unit_test(test_other_groups_stay_as_they_are),
		cmocka_unit_test(
			test_the_checker_lets_columns_of_the_from_join_a_group_by),
		cmocka_unit_test(
			test_a_column_named_by_its_schema_has_no_sub_select),
		cmocka_unit_test(test_a_subscript_alone_is_fenced),
		cmocka_unit_test(
			test_what_is_shared_is_not_inserted_behind_a_with),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
