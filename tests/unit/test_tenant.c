/* SPDX-License-Identifier: MIT
 *
 * The rewrite: what tenant.h says each form looks like.
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
#define RAISE                                                 \
	"(pg_catalog.parse_ident(pg_catalog.concat('?', " OWN \
	")))[1]::\"pg_catalog\".\"uuid\""

static void
gives(const char *sql, const char *want)
{
	assert_string_equal(rewrite(one, sql), want);
}

static void
fenced(const char *sql, const char *want)
{
	struct tenant_ask ask = one;

	ask.fence = true;
	assert_string_equal(rewrite(ask, sql), want);
}

#define SUB(table, cols)                                             \
	"(SELECT * FROM \"clinic\".\"" table "\" AS lunate_0 WHERE " \
	"lunate_0.\"clinic_id\"" EQ OWN ")"

static void
test_a_table_becomes_a_scoped_sub_select(void **state)
{
	gives("select * from visits",
	      "select * from " SUB("visits", ) " AS \"visits\"");
	gives("select v.id from clinic.visits v",
	      "select v.id from " SUB("visits", ) " v");
	gives("SELECT a FROM only (visits) AS x(a)",
	      "SELECT a FROM (SELECT * FROM ONLY \"clinic\".\"visits\" AS "
	      "lunate_0 WHERE lunate_0.\"clinic_id\"" EQ OWN ") AS x(a)");
	gives("select 1 from U&\"visi!0074s\" uescape '!' v",
	      "select 1 from " SUB("visits", ) " v");
	gives("table visits",
	      "SELECT * FROM " SUB("visits", ) " AS \"visits\"");
	gives("select 1 from \"visits\" * -- all",
	      "select 1 from " SUB("visits", ) " AS \"visits\" -- all");
}

static void
test_a_parent_and_a_membership_are_looked_up(void **state)
{
	gives("select * from items",
	      "select * from (SELECT * FROM \"clinic\".\"items\" AS lunate_0 "
	      "WHERE EXISTS (SELECT FROM \"clinic\".\"visits\" AS lunate_1 "
	      "WHERE lunate_1.\"id\"" EQ "lunate_0.\"visit_id\" AND "
	      "lunate_1.\"clinic_id\"" EQ OWN ")) AS \"items\"");
	gives("select * from patients p",
	      "select * from (SELECT * FROM \"clinic\".\"patients\" AS "
	      "lunate_0 WHERE EXISTS (SELECT FROM \"clinic\".\"members\" AS "
	      "lunate_1 WHERE lunate_1.\"patient_id\"" EQ "lunate_0.\"id\" "
	      "AND lunate_1.\"clinic_id\"" EQ OWN ")) p");
}

static void
test_a_set_of_tenants_is_one_array(void **state)
{
	struct tenant_ask ask = one;

	ask.shape = TENANT_SET;
	assert_string_equal(
		rewrite(ask, "select 1 from visits where id = $1"),
		"select 1 from (SELECT * FROM \"clinic\".\"visits\" AS "
		"lunate_0 WHERE lunate_0.\"clinic_id\"" EQ
		"ANY ($2::pg_catalog.uuid[])) AS \"visits\" where id = $1");
	assert_string_equal(rewrite(ask, "delete from visits"), "tenant");
}

static void
test_a_cte_is_no_table_and_a_qualified_name_is_no_cte(void **state)
{
	gives("with visits as (select 42 x) select * from visits",
	      "with visits as (select 42 x) select * from visits");
	gives("with visits as (select 1) select * from clinic.visits",
	      "with visits as (select 1) select * from " SUB(
		      "visits", ) " AS \"visits\"");
	gives("with v as (select * from visits) select * from v",
	      "with v as (select * from " SUB("visits", ) " AS \"visits\") "
							  "select * from v");
}

static void
test_a_shared_table_is_named_with_its_schema(void **state)
{
	gives("select * from codes c", "select * from \"clinic\".\"codes\" c");
	gives("insert into codes (id) values (1)", "shared");
	gives("update codes set id = 1", "shared");
}

static void
test_grouping_keeps_the_table_where_it_stands(void **state)
{
	gives("select v.id, v.note, count(*) from visits v group by v.id",
	      "select v.id, v.note, count(*) from \"clinic\".\"visits\" v "
	      "WHERE \"v\".\"clinic_id\"" EQ OWN " group by v.id");
	gives("select v.id, count(i.n) from visits v left join items i on "
	      "i.visit_id = v.id where v.n > 1 or true group by v.id",
	      "select v.id, count(i.n) from \"clinic\".\"visits\" v left join "
	      "(SELECT * FROM \"clinic\".\"items\" AS lunate_0 WHERE EXISTS "
	      "(SELECT FROM \"clinic\".\"visits\" AS lunate_1 WHERE lunate_1."
	      "\"id\"" EQ
	      "lunate_0.\"visit_id\" AND lunate_1.\"clinic_id\"" EQ OWN
	      ")) i on i.visit_id = v.id where \"v\".\"clinic_id\"" EQ OWN
	      " AND ( v.n > 1 or true) group by v.id");
}

static void
test_a_sample_is_taken_inside(void **state)
{
	gives("select 1 from visits as v tablesample system (10) "
	      "repeatable (1) where true",
	      "select 1 from (SELECT * FROM \"clinic\".\"visits\" AS lunate_0 "
	      "tablesample system (10) repeatable (1) WHERE "
	      "lunate_0.\"clinic_id\"" EQ OWN ") as v where true");
	gives("with v as (select 1) select 1 from v tablesample system (10)",
	      "form");
}

static void
test_targets_get_the_predicate_in_their_where(void **state)
{
	gives("update visits set note = $1 where id = $2 or true",
	      "update \"clinic\".\"visits\" set note = $1 where \"visits\"."
	      "\"clinic_id\"" EQ "$3::pg_catalog.uuid AND ( id = $2 or true)");
	gives("delete from visits v using items i where i.visit_id = v.id",
	      "delete from \"clinic\".\"visits\" v using (SELECT * FROM "
	      "\"clinic\".\"items\" AS lunate_0 WHERE EXISTS (SELECT FROM "
	      "\"clinic\".\"visits\" AS lunate_1 WHERE lunate_1.\"id\"" EQ
	      "lunate_0.\"visit_id\" AND lunate_1.\"clinic_id\"" EQ OWN ")) i "
	      "where \"v\".\"clinic_id\"" EQ OWN " AND ( i.visit_id = v.id)");
	gives("delete from visits returning id",
	      "delete from \"clinic\".\"visits\" WHERE \"visits\"."
	      "\"clinic_id\"" EQ OWN " returning id");
	gives("update visits set clinic_id = null", "move");
	gives("update items set (n, visit_id) = (1, null)", "move");
}

/* The tree holds it once for each column; edited twice, the text ended the
 * process. */
static void
test_a_sub_select_that_sets_several_columns_is_scoped_once(void **state)
{
	gives("update visits v set (n, note) = (select 1, 'x' from visits)",
	      "update \"clinic\".\"visits\" v set (n, note) = (select 1, 'x' "
	      "from " SUB(
		      "visits", ) " AS \"visits\") WHERE \"v\".\"clinic_id\"" EQ
		      OWN);
}

static void
test_what_members_share_goes_with_its_last_member(void **state)
{
	gives("delete from patients where id = $1",
	      "delete from \"clinic\".\"patients\" where EXISTS (SELECT FROM "
	      "\"clinic\".\"members\" AS lunate_1 WHERE lunate_1."
	      "\"patient_id\"" EQ "\"patients\".\"id\" AND "
	      "lunate_1.\"clinic_id\"" EQ "$2::pg_catalog.uuid) AND NOT "
	      "EXISTS (SELECT FROM \"clinic\".\"members\" AS lunate_1 WHERE "
	      "lunate_1.\"patient_id\"" EQ "\"patients\".\"id\" AND NOT "
	      "lunate_1.\"clinic_id\"" EQ "$2::pg_catalog.uuid) AND ( id = "
	      "$1)");
}

static void
test_the_tenant_is_filled_in(void **state)
{
	gives("insert into visits (id, n) values ($1, 2), ($2, 3)",
	      "insert into \"clinic\".\"visits\" (id, n, \"clinic_id\") values "
	      "($1, 2, $3::pg_catalog.uuid), ($2, 3, $3::pg_catalog.uuid)");
	gives("insert into visits (id) select 1 union select a from codes",
	      "insert into \"clinic\".\"visits\" (id, \"clinic_id\") select "
	      "1, " OWN " union select a, " OWN " from \"clinic\".\"codes\"");
	gives("insert into visits values ($1)",
	      "insert into \"clinic\".\"visits\" (\"id\", \"clinic_id\") "
	      "values ($1, $2::pg_catalog.uuid)");
}

static void
test_a_tenant_that_is_given_is_compared(void **state)
{
	gives("insert into visits (clinic_id, id) values (default, 1), "
	      "('B', 2)",
	      "insert into \"clinic\".\"visits\" (clinic_id, id) values "
	      "(" OWN ", 1), (CASE WHEN ('B')" EQ OWN " THEN " OWN
	      " ELSE " RAISE " END, 2)");
	gives("insert into visits (clinic_id) select v.clinic_id as c from "
	      "visits v",
	      "insert into \"clinic\".\"visits\" (clinic_id) select CASE WHEN "
	      "(v.clinic_id)" EQ OWN " THEN " OWN " ELSE " RAISE
	      " END as c from " SUB("visits", ) " v");
}

/* A star may be no value or many: what was compared would become the value of
 * another column, and another one the tenant. */
static void
test_a_star_does_not_shift_the_tenant_that_is_inserted(void **state)
{
	gives("insert into visits (n, clinic_id, note) select (c).*, $1::uuid, "
	      "(z).* from codes c, (select) z",
	      "form");
	gives("insert into visits (n, clinic_id, id) values ((row(1, 'B')).*, "
	      "$1, (row()).*)",
	      "form");
	gives("insert into visits select (c).* from codes c", "form");
	gives("insert into items (n, visit_id, id) values ((row(1, 'B')).*, "
	      "$1, (row()).*)",
	      "form");
	gives("insert into patients (name, id, note) values ((row(1, 'B')).*, "
	      "$1, (row()).*)",
	      "form");
	gives("merge into visits v using codes c on true when not matched then "
	      "insert (n, clinic_id, id) values (c.*, $1, (row()).*)",
	      "form");
}

static void
test_a_parent_is_proven(void **state)
{
	gives("insert into items (visit_id, n) values ($1, 7)",
	      "insert into \"clinic\".\"items\" (visit_id, n) values (CASE "
	      "WHEN EXISTS (SELECT FROM \"clinic\".\"visits\" AS lunate_1 "
	      "WHERE lunate_1.\"id\"" EQ "($1) AND lunate_1.\"clinic_id\"" EQ
	      "$2::pg_catalog.uuid) THEN ($1) ELSE (pg_catalog.parse_ident("
	      "pg_catalog.concat('?', $2::pg_catalog.uuid)))[1]::"
	      "\"pg_catalog\".\"uuid\" END, 7)");
	gives("insert into items (n) values (7)", "form");
	gives("insert into items (visit_id) values (f(1))", "form");
	gives("insert into items (visit_id) select id from codes", "form");
}

static void
test_a_member_is_added(void **state)
{
	gives("insert into patients (id, name) values ($1, $2)",
	      "WITH lunate_member AS (INSERT INTO \"clinic\".\"members\" "
	      "(\"patient_id\", \"clinic_id\") VALUES ($1, $3::pg_catalog.uuid"
	      ")) insert into \"clinic\".\"patients\" (id, name) values ($1, "
	      "$2)");
	gives("insert into patients (id) values ($1) returning id", "form");
	gives("insert into patients (name) values ($1)", "form");
	gives("insert into patients (id) values ($1) on conflict do nothing",
	      "upsert");
}

static void
test_a_conflict_names_the_tenant(void **state)
{
	gives("insert into visits (id) values (1) on conflict do nothing",
	      "upsert");
	gives("insert into visits (id) values (1) on conflict (id) do update "
	      "set n = 1",
	      "upsert");
	gives("insert into visits (id) values (1) on conflict (clinic_id, n) "
	      "do update set n = excluded.n where visits.n > 3 returning n",
	      "insert into \"clinic\".\"visits\" (id, \"clinic_id\") values "
	      "(1, " OWN ") on conflict (clinic_id, n) do update set n = "
	      "excluded.n where \"visits\".\"clinic_id\"" EQ OWN
	      " AND ( visits.n > 3) returning n");
	gives("insert into visits (id) select 1 from codes on conflict on "
	      "constraint visits_n do nothing",
	      "insert into \"clinic\".\"visits\" (id, \"clinic_id\") select "
	      "1, " OWN " from \"clinic\".\"codes\" on conflict on constraint "
	      "visits_n do nothing");
}

static void
test_a_merge_sees_its_own_rows(void **state)
{
	gives("merge into visits v using codes c on v.id = c.a when matched "
	      "and case when true then true end then update set n = 1 when "
	      "not matched then insert (id) values (c.a)",
	      "merge into \"clinic\".\"visits\" v using \"clinic\".\"codes\" "
	      "c on \"v\".\"clinic_id\"" EQ OWN " AND ( v.id = c.a) when "
	      "matched and case when true then true end then update set n = 1 "
	      "when not matched then insert (id, \"clinic_id\") values "
	      "(c.a, " OWN ")");
}

static void
test_what_could_tell_of_a_row_is_held_back(void **state)
{
	fenced("select 1 from visits where id = $1",
	       "select 1 from (SELECT * FROM \"clinic\".\"visits\" AS "
	       "lunate_0 WHERE lunate_0.\"clinic_id\"" EQ
	       "$2::pg_catalog.uuid) AS \"visits\" where id = $1");
	fenced("select lower(note) from visits",
	       "select lower(note) from " SUB("visits", ) " AS \"visits\"");
	fenced("select 1 from visits where note::int = 1",
	       "select 1 from (SELECT * FROM \"clinic\".\"visits\" AS "
	       "lunate_0 WHERE lunate_0.\"clinic_id\"" EQ OWN
	       " OFFSET 0) AS \"visits\" where note::int = 1");
	fenced("select 1 from visits where note[1] is null",
	       "select 1 from (SELECT * FROM \"clinic\".\"visits\" AS "
	       "lunate_0 WHERE lunate_0.\"clinic_id\"" EQ OWN
	       " OFFSET 0) AS \"visits\" where note[1] is null");
	fenced("update visits set n = 1 where f(n)",
	       "update \"clinic\".\"visits\" set n = 1 where \"visits\"."
	       "\"clinic_id\"" EQ OWN " AND CASE WHEN \"visits\"."
	       "\"clinic_id\"" EQ OWN " THEN ( f(n)) ELSE false END");
}

static void
test_reserved_words_as_labels_do_not_mislead(void **state)
{
	gives("select v.n as where, 1 as group from visits v group by v.id",
	      "select v.n as where, 1 as group from \"clinic\".\"visits\" v "
	      "WHERE \"v\".\"clinic_id\"" EQ OWN " group by v.id");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_table_becomes_a_scoped_sub_select),
		cmocka_unit_test(test_a_parent_and_a_membership_are_looked_up),
		cmocka_unit_test(test_a_set_of_tenants_is_one_array),
		cmocka_unit_test(
			test_a_cte_is_no_table_and_a_qualified_name_is_no_cte),
		cmocka_unit_test(test_a_shared_table_is_named_with_its_schema),
		cmocka_unit_test(test_grouping_keeps_the_table_where_it_stands),
		cmocka_unit_test(test_a_sample_is_taken_inside),
		cmocka_unit_test(test_targets_get_the_predicate_in_their_where),
		cmocka_unit_test(
			test_a_sub_select_that_sets_several_columns_is_scoped_once),
		cmocka_unit_test(
			test_what_members_share_goes_with_its_last_member),
		cmocka_unit_test(test_the_tenant_is_filled_in),
		cmocka_unit_test(test_a_tenant_that_is_given_is_compared),
		cmocka_unit_test(
			test_a_star_does_not_shift_the_tenant_that_is_inserted),
		cmocka_unit_test(test_a_parent_is_proven),
		cmocka_unit_test(test_a_member_is_added),
		cmocka_unit_test(test_a_conflict_names_the_tenant),
		cmocka_unit_test(test_a_merge_sees_its_own_rows),
		cmocka_unit_test(test_what_could_tell_of_a_row_is_held_back),
		cmocka_unit_test(test_reserved_words_as_labels_do_not_mislead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
