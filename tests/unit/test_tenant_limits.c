/* SPDX-License-Identifier: MIT
 *
 * The rewrite under limits of access rules: rows, masks, targets of writes.
 */
#include "tenant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "rewrites.h"

#define OWN "$1::pg_catalog.uuid"
#define EQ " OPERATOR(pg_catalog.=) "
/* ---- limits of access rules -------------------------------------------- */

static const struct tenant_part small[] = {{"", TENANT_PART_ROW, 0},
					   {".\"n\" < ", TENANT_PART_VALUE, 0},
					   {"", TENANT_PART_END, 0}};
static const struct tenant_part mine[] = {{"(", TENANT_PART_ROW, 0},
					  {".\"n\" = ", TENANT_PART_VALUE, 1},
					  {")", TENANT_PART_END, 0}};
static const struct tenant_mask never[] = {{.column = "note"}};
static const struct tenant_mask at_times[] = {
	{.column = "note", .nparts = 3, .parts = mine}};

#define LIMIT(table, act) .schema = "clinic", .name = table, .action = act

/* Under one limit, whose values are two. */
static void
limited(struct tenant_limit limit, const char *sql, const char *want)
{
	struct tenant_limits limits = {1, 2, &limit};
	struct tenant_ask ask = one;

	ask.limits = &limits;
	assert_string_equal(rewrite(ask, sql), want);
}

static void
test_limits_of_access_join_the_predicate(void **state)
{
	limited((struct tenant_limit){LIMIT("visits", TENANT_READ), 3, 1, small,
				      never},
		"select * from visits",
		"select * from (SELECT lunate_0.\"id\", lunate_0.\"clinic_id\""
		", lunate_0.\"n\", CAST(NULL AS \"pg_catalog\".\"text\") AS "
		"\"note\" FROM \"clinic\".\"visits\" AS lunate_0 WHERE "
		"lunate_0.\"clinic_id\"" EQ OWN
		" AND (lunate_0.\"n\" < $2)) AS \"visits\"");
}

static void
test_a_mask_with_a_condition_shows_the_column_where_it_holds(void **state)
{
	limited((struct tenant_limit){LIMIT("visits", TENANT_READ), 0, 1, NULL,
				      at_times},
		"select note from visits where n = $1",
		"select note from (SELECT lunate_0.\"id\", lunate_0."
		"\"clinic_id\", lunate_0.\"n\", CASE WHEN ((lunate_0.\"n\" = "
		"$3)) THEN lunate_0.\"note\" END AS \"note\" FROM \"clinic\"."
		"\"visits\" AS lunate_0 WHERE lunate_0.\"clinic_id\"" EQ
		"$2::pg_catalog.uuid) AS \"visits\" where n = $1");
}

static void
test_a_shared_table_is_limited_without_a_tenant(void **state)
{
	limited((struct tenant_limit){LIMIT("codes", TENANT_READ), 3, 0, mine,
				      NULL},
		"select $1::int from codes",
		"select $1::int from (SELECT * FROM \"clinic\".\"codes\" AS "
		"lunate_0 WHERE ((lunate_0.\"n\" = $2))) AS \"codes\"");
}

/* Of all that was decided only what the text needs becomes a parameter. */
static void
test_values_are_numbered_as_they_are_needed(void **state)
{
	static const struct tenant_limit all[] = {
		{LIMIT("codes", TENANT_READ), 3, 0, mine, NULL},
		{LIMIT("visits", TENANT_READ), 3, 0, small, NULL},
		{LIMIT("items", TENANT_READ), 3, 0, mine, NULL}};
	static const struct tenant_limits limits = {3, 2, all};
	struct tenant_ask ask = one;

	ask.limits = &limits;
	assert_non_null(strstr(rewrite(ask, "select 1 from items, visits"),
			       "(lunate_0.\"n\" = $2)"));
	assert_non_null(strstr(rewrite(ask, "select 1 from items, visits"),
			       "(lunate_0.\"n\" < $3)"));
	assert_non_null(strstr(rewrite(ask, "select 1 from visits, codes"),
			       "(lunate_0.\"n\" = $3)"));
}

static void
test_a_limit_of_rows_is_fenced_even_beside_row_policies(void **state)
{
	limited((struct tenant_limit){LIMIT("visits", TENANT_READ), 3, 0, small,
				      NULL},
		"select 1 from visits where note::int = 1",
		"select 1 from (SELECT * FROM \"clinic\".\"visits\" AS "
		"lunate_0 WHERE lunate_0.\"clinic_id\"" EQ OWN
		" AND (lunate_0.\"n\" < $2) OFFSET 0) AS \"visits\" where "
		"note::int = 1");
}

#define V_OWN "\"visits\".\"clinic_id\"" EQ OWN
#define V_SMALL "(\"visits\".\"n\" < $2)"

static void
test_a_target_that_is_read_is_limited_as_a_read(void **state)
{
	const struct tenant_limit read = {LIMIT("visits", TENANT_READ), 3, 0,
					  small, NULL};

	limited(read, "update visits set note = null",
		"update \"clinic\".\"visits\" set note = null WHERE " V_OWN);
	limited(read, "update visits set note = null where id is null",
		"update \"clinic\".\"visits\" set note = null where " V_OWN
		" AND " V_SMALL " AND ( id is null)");
	limited(read, "update visits set n = n + 1",
		"update \"clinic\".\"visits\" set n = n + 1 WHERE " V_OWN
		" AND " V_SMALL);
	limited(read, "delete from visits returning *",
		"delete from \"clinic\".\"visits\" WHERE " V_OWN " AND " V_SMALL
		" returning *");
	limited(read, "delete from visits",
		"delete from \"clinic\".\"visits\" WHERE " V_OWN);
	limited(read,
		"insert into visits (id) values (null) on conflict "
		"(clinic_id, n) do update set note = null",
		"insert into \"clinic\".\"visits\" (id, \"clinic_id\") values "
		"(null, " OWN ") on conflict (clinic_id, n) do update set "
		"note = null WHERE " V_OWN " AND " V_SMALL);
}

static void
test_what_is_masked_of_a_target_is_not_read(void **state)
{
	static const char *const refused[] = {
		"update visits set n = 1 where note = $1",
		"update visits v set n = length(v.note)",
		"update visits set n = 1 where (select note is null)",
		"update visits set n = 1 returning *",
		"update visits v set n = 1 returning v.*",
		"update visits v set n = 1 returning v",
		"update visits set n = 1 returning clinic.visits.note",
		"update visits set n = 1 returning (visits).note",
		"delete from visits where visits::text like $1",
		"delete from visits v using codes c where v.note = 'x'",
		"insert into visits (id) values ($1) returning note",
		"insert into visits (id) values ($1) on conflict (clinic_id, "
		"note) do nothing",
		"insert into visits (id) values ($1) on conflict (clinic_id, "
		"n) do update set note = visits.note",
		"merge into visits v using codes c on v.note is null when "
		"matched then delete",
		"merge into visits v using codes c on v.n = c.a when matched "
		"and note = 'x' then delete",
		"with x as (delete from visits returning note) select from x"};

	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		limited((struct tenant_limit){LIMIT("visits", TENANT_READ), 0,
					      1, NULL,
					      i % 2 ? never : at_times},
			refused[i], "masked");
}

static void
test_what_is_masked_may_be_written_and_read_elsewhere(void **state)
{
	const struct tenant_limit read = {LIMIT("visits", TENANT_READ), 0, 1,
					  NULL, never};

	limited(read, "update visits set note = $1 where id is null",
		"update \"clinic\".\"visits\" set note = $1 where \"visits\"."
		"\"clinic_id\"" EQ "$2::pg_catalog.uuid AND ( id is null)");
	limited(read, "delete from visits v using codes note where note.a = 1",
		"delete from \"clinic\".\"visits\" v using \"clinic\"."
		"\"codes\" note where \"v\".\"clinic_id\"" EQ OWN
		" AND ( note.a = 1)");
	limited(read,
		"insert into visits (id, note) values (null, null) on "
		"conflict (clinic_id, n) do update set note = excluded.note",
		"insert into \"clinic\".\"visits\" (id, note, \"clinic_id\") "
		"values (null, null, " OWN ") on conflict (clinic_id, n) do "
		"update set note = excluded.note WHERE " V_OWN);
}

static void
test_a_row_is_not_moved_out_of_its_limit(void **state)
{
	const struct tenant_limit update = {LIMIT("visits", TENANT_UPDATE), 3,
					    0, small, NULL};

	limited(update, "update visits set n = 1", "move");
	limited(update, "update visits set (note, n) = (null, 1)", "move");
	limited(update,
		"insert into visits (id) values (null) on conflict (clinic_id, "
		"n) do update set n = 1",
		"move");
	limited(update, "update visits set note = null",
		"update \"clinic\".\"visits\" set note = null WHERE " V_OWN
		" AND " V_SMALL);
}

static void
test_limits_are_the_same_by_all_that_they_say(void **state)
{
	static const struct tenant_part other_text[] = {
		{"", TENANT_PART_ROW, 0},
		{".\"n\" > ", TENANT_PART_VALUE, 0},
		{"", TENANT_PART_END, 0}};
	static const struct tenant_part other_value[] = {
		{"", TENANT_PART_ROW, 0},
		{".\"n\" < ", TENANT_PART_VALUE, 1},
		{"", TENANT_PART_END, 0}};
	static const struct tenant_mask name[] = {{.column = "name"}};
	static const struct tenant_limit list[] = {
		{LIMIT("visits", TENANT_READ), 3, 1, small, never},
		{LIMIT("visits", TENANT_READ), 3, 1, other_text, never},
		{LIMIT("visits", TENANT_READ), 3, 1, other_value, never},
		{LIMIT("visits", TENANT_READ), 3, 0, small, NULL},
		{LIMIT("visits", TENANT_READ), 3, 1, small, name},
		{LIMIT("visits", TENANT_READ), 3, 1, small, at_times},
		{LIMIT("visits", TENANT_READ), 0, 1, NULL, never},
		{LIMIT("visits", TENANT_UPDATE), 3, 1, small, never},
		{LIMIT("items", TENANT_READ), 3, 1, small, never}};
	enum { N = sizeof(list) / sizeof(*list) };
	struct tenant_limits all[N + 2], copy;
	struct arena a;

	arena_init(&a, NULL, 0);
	for (int i = 0; i < N; i++)
		all[i] = (struct tenant_limits){1, 2, &list[i]};
	all[N] = (struct tenant_limits){1, 3, &list[0]};
	all[N + 1] = (struct tenant_limits){2, 2, &list[0]};
	for (int i = 0; i < N + 2; i++) {
		for (int k = 0; k < N + 2; k++)
			assert_int_equal(tenant_limits_same(&all[i], &all[k]),
					 i == k);
		tenant_limits_copy(&all[i], &a, &copy);
		assert_true(tenant_limits_same(&copy, &all[i]));
		assert_true(tenant_limits_hash(&copy) ==
			    tenant_limits_hash(&all[i]));
		assert_ptr_not_equal(copy.limits[0].name,
				     all[i].limits[0].name);
		assert_false(tenant_limits_same(NULL, &all[i]));
	}
	assert_true(tenant_limits_same(NULL, NULL));
	arena_fini(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits_of_access_join_the_predicate),
		cmocka_unit_test(
			test_a_mask_with_a_condition_shows_the_column_where_it_holds),
		cmocka_unit_test(
			test_a_shared_table_is_limited_without_a_tenant),
		cmocka_unit_test(test_values_are_numbered_as_they_are_needed),
		cmocka_unit_test(
			test_a_limit_of_rows_is_fenced_even_beside_row_policies),
		cmocka_unit_test(
			test_a_target_that_is_read_is_limited_as_a_read),
		cmocka_unit_test(test_what_is_masked_of_a_target_is_not_read),
		cmocka_unit_test(
			test_what_is_masked_may_be_written_and_read_elsewhere),
		cmocka_unit_test(test_a_row_is_not_moved_out_of_its_limit),
		cmocka_unit_test(test_limits_are_the_same_by_all_that_they_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
