/* SPDX-License-Identifier: MIT
 *
 * The gate, from its header and the list of hostile statements: functions,
 * operators, types, and what a write reaches.
 */
#include "vet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vet_world.h"

/* ---- functions ---- */

static void
functions_that_are_on_no_list_are_refused(void **state)
{
	static const char *const texts[] = {
		"SELECT set_config('lunate.ctx', 'x', true)",
		"SELECT pg_catalog.set_config('lunate.ctx', 'x', true)",
		"SELECT current_setting('lunate.ctx')",
		"SELECT query_to_xml('select 1', true, true, '')",
		"SELECT table_to_xml('t', true, true, '')",
		"SELECT schema_to_xml('t', true, true, '')",
		"SELECT ts_stat('select 1')",
		"SELECT ts_rewrite('a', 'select 1')",
		"SELECT nextval('numbers')",
		"SELECT pg_notify('a', 'b')",
		"SELECT pg_sleep(60)",
		"SELECT pg_advisory_lock(1)",
		"SELECT pg_terminate_backend(1)",
		"SELECT pg_read_file('x')",
		"SELECT lo_get(1)",
		"SELECT to_regclass('x')",
		"SELECT version()",
		"SELECT txid_current()",
		"SELECT parse_ident('?x')",
		"SELECT * FROM f_definer()",
		"SELECT calm(1)",
		"SELECT evil.calm(1)",
		"SELECT app.calm(1)",
		"SELECT dblink('a', 'b')",
		"SELECT crosstab('select 1')",
		"SELECT xpath_table('a', 'b', 'c', 'd', 'e')",
		"SELECT nobody_knows(1)",
		"SELECT * FROM patients TABLESAMPLE system_rows (1)",
		"SELECT * FROM patients TABLESAMPLE evil.system (1)",
		"SELECT CURRENT_USER",
		"SELECT SESSION_USER",
		"SELECT CURRENT_CATALOG",
		"SELECT CURRENT_SCHEMA",
		"SELECT CURRENT_ROLE",
		"INSERT INTO appts (id) VALUES (1) RETURNING pg_sleep(1)",
		"SELECT 1 FROM icd ORDER BY count(pg_sleep(1)) OVER ()",
		"SELECT 1 LIMIT pg_sleep(1)",
		"SELECT count(*) FILTER (WHERE pg_sleep(1) IS NULL)",
		"INSERT INTO appts (id) VALUES (1) ON CONFLICT (id) WHERE"
		" pg_sleep(1) IS NULL DO NOTHING",
		"SELECT * FROM XMLTABLE('/r' PASSING d COLUMNS n int DEFAULT"
		" pg_sleep(1))",
	};

	for (size_t i = 0; i < COUNT(texts); i++)
		expect(texts[i], "function");
}

static void
a_user_function_of_a_standard_name_closes_that_name(void **state)
{
	assert_string_equal(gate(&plain, "lower", "SELECT lower('A')"),
			    "function");
	assert_string_equal(gate(&plain, "lower", "SELECT upper('A')"), "");
	assert_string_equal(
		gate(&plain, "lower", "SELECT pg_catalog.lower('A')"), "");
	assert_string_equal(gate(&plain, "bernoulli",
				 "SELECT * FROM icd TABLESAMPLE bernoulli(1)"),
			    "function");
}

static void
a_column_may_be_a_function_called_with_a_row(void **state)
{
	expect("SELECT p.whole FROM patients p", "function");
	expect("SELECT (p).whole FROM patients p", "function");
	expect("SELECT app.patients.whole FROM patients", "function");
	expect("SELECT whole FROM patients", "");
	expect("SELECT p.calm FROM patients p", "");
	assert_string_equal(
		gate(&widened, NULL, "SELECT p.whole FROM patients p"), "");
}

static void
isolation_lua_adds_and_removes(void **state)
{
	static const struct line lines[] = {
		{"SELECT calm(1), app.calm(1)", ""},
		{"SELECT evil.calm(1)", "function"},
		{"SELECT whole(p) FROM patients p", ""},
		{"SELECT app.whole(p) FROM patients p", "function"},
		{"SELECT public.hash_of(1)", ""},
		{"SELECT hash_of(1)", "function"},
		{"SELECT f_definer()", "function"},
		{"SELECT random()", "function"},
		{"SELECT pg_catalog.random()", "function"},
		{"SELECT md5('x')", "function"},
		{"SELECT sha256('x')", ""},
		{"SELECT CURRENT_USER", ""},
		{"SELECT SESSION_USER", "function"},
		{"SELECT 'x'::citext", ""},
		{"SELECT 1 === 2", ""},
		{"SELECT 1 OPERATOR(app.===) 2", ""},
	};

	for (size_t i = 0; i < COUNT(lines); i++)
		if (strcmp(gate(&widened, NULL, lines[i].sql), lines[i].want) !=
		    0)
			fail_msg("%s", lines[i].sql);
}

static void
the_standard_list_is_sorted_and_searched_whole(void **state)
{
	assert_true(vet_function_is_standard("abbrev"));
	assert_true(vet_function_is_standard("xpath_exists"));
	assert_true(vet_function_is_standard("now"));
	assert_true(vet_function_is_standard("gen_random_uuid"));
	assert_false(vet_function_is_standard("no"));
	assert_false(vet_function_is_standard("nowhere"));
	assert_false(vet_function_is_standard(""));
	assert_false(vet_function_is_standard("parse_ident"));
}

/* ---- operators and types ---- */

static void
operators_of_users_are_refused(void **state)
{
	static const struct line lines[] = {
		{"SELECT 1 === 2", "operator"},
		{"SELECT 1 ==== 2", "operator"},
		{"SELECT 1 OPERATOR(app.+) 2", "operator"},
		{"SELECT 1 OPERATOR(app.===) 2", "operator"},
		{"SELECT 1 === ANY (SELECT 1)", "operator"},
		{"SELECT 1 === ALL (ARRAY[1])", "operator"},
		{"SELECT 1 FROM icd ORDER BY a USING ===", "operator"},
		{"SELECT 1 FROM icd ORDER BY a USING OPERATOR(app.<)",
		 "operator"},
		{"SELECT 1 OPERATOR(pg_catalog.+) 2", ""},
		{"SELECT 1 FROM icd ORDER BY a USING <", ""},
	};

	EXPECT(lines);
}

static void
a_user_operator_of_the_same_name_closes_that_name(void **state)
{
	static const char *const equals[] = {
		"SELECT 1 = 2",
		"SELECT 1 IN (1, 2)",
		"SELECT 1 IN (SELECT 2)",
		"SELECT 1 IS DISTINCT FROM 2",
		"SELECT nullif(1, 2)",
		"SELECT CASE 1 WHEN 2 THEN 3 END",
		"SELECT * FROM icd JOIN icd i USING (id)",
		"SELECT * FROM icd NATURAL JOIN patients",
	};

	for (size_t i = 0; i < COUNT(equals); i++)
		assert_string_equal(gate(&plain, "=", equals[i]), "operator");
	assert_string_equal(gate(&plain, "=", "SELECT 1 < 2"), "");
	assert_string_equal(gate(&plain, "=", "SELECT 1 WHERE EXISTS (SELECT)"),
			    "");
	assert_string_equal(
		gate(&plain, "=", "SELECT 1 OPERATOR(pg_catalog.=) 2"),
		"operator");
	assert_string_equal(gate(&plain, ">=", "SELECT 1 BETWEEN 2 AND 3"),
			    "operator");
	assert_string_equal(gate(&plain, "~~", "SELECT 'a' LIKE 'b'"),
			    "operator");
}

static void
types_that_look_into_the_server_are_refused(void **state)
{
	static const struct line lines[] = {
		{"SELECT 'x'::regclass", "type"},
		{"SELECT CAST($1 AS regproc[])", "type"},
		{"SELECT '{}'::_regproc", "type"},
		{"SELECT pg_catalog.regclass 'x'", "type"},
		{"SELECT 'x'::aclitem, 1", "type"},
		{"SELECT '1'::xid", "type"},
		{"SELECT '1'::oid", "type"},
		{"SELECT '1/1'::pg_lsn", "type"},
		{"SELECT NULL::patients", "type"},
		{"SELECT ROW(1)::pair", "type"},
		{"SELECT 'x'::citext", "type"},
		{"SELECT 'x'::nothing", "type"},
		{"SELECT 1::a.b.c", "type"},
		{"SELECT regclass('x')", "type"},
		{"SELECT * FROM json_to_record($1) AS (a regclass)", "type"},
		{"SELECT * FROM XMLTABLE('/r' PASSING d COLUMNS n regclass)",
		 "type"},
		{"SELECT 1::int, 'x'::mood, 'x'::email, '{}'::text[],"
		 " '1 d'::interval(0), uuid('x'), $1::varchar(3)",
		 ""},
	};

	EXPECT(lines);
}

/* ---- writes ---- */

static void
views_are_read_and_not_written(void **state)
{
	expect("INSERT INTO v_ruled (a) VALUES (1)", "view");
	expect("UPDATE v_ruled SET a = 1", "view");
	expect("DELETE FROM v_ruled", "view");
	expect("DELETE FROM mv", "view");
	expect("MERGE INTO v_ruled USING icd ON true WHEN MATCHED THEN DELETE",
	       "view");
}

static void
a_delete_that_reaches_rows_of_others_is_refused(void **state)
{
	static const struct line lines[] = {
		{"DELETE FROM patients", ""}, /* no action, restrict */
		{"DELETE FROM wards", ""},    /* the key has the tenant */
		{"DELETE FROM rx", ""},	      /* children by rule */
		{"DELETE FROM people", ""},   /* membership rows */
		{"DELETE FROM rings", ""},    /* itself, with the tenant */
		{"DELETE FROM deep", ""},     /* to rx, to rx_items */
		{"DELETE FROM loose", "cascade"},
		{"DELETE FROM nulled", "cascade"},
		{"DELETE FROM logged", "cascade"}, /* a table without rule */
		{"DELETE FROM chains", "cascade"}, /* to loose, to kids */
		{"WITH d AS (DELETE FROM loose RETURNING 1) SELECT * FROM d",
		 "cascade"},
		{"MERGE INTO loose USING icd ON true WHEN MATCHED THEN DELETE",
		 "cascade"},
		{"MERGE INTO loose USING icd ON true WHEN MATCHED THEN UPDATE"
		 " SET a = 1",
		 ""},
		{"UPDATE loose SET id = 1", ""},
	};

	EXPECT(lines);
}

static void
an_update_that_reaches_rows_of_others_is_refused(void **state)
{
	static const struct line lines[] = {
		{"UPDATE renumbered SET code = 1", "cascade"},
		{"UPDATE renumbered SET other = 1", ""},
		{"UPDATE renumbered SET (a, code) = (1, 2)", "cascade"},
		{"UPDATE wards SET id = 1", ""},
		{"MERGE INTO renumbered USING icd ON true WHEN MATCHED THEN"
		 " UPDATE SET code = 1",
		 "cascade"},
		{"INSERT INTO renumbered (id) VALUES (1) ON CONFLICT (id) DO"
		 " UPDATE SET code = 1",
		 "cascade"},
		{"INSERT INTO renumbered (id) VALUES (1) ON CONFLICT (id) DO"
		 " NOTHING",
		 ""},
		{"DELETE FROM renumbered", ""},
	};

	EXPECT(lines);
}

/* A membership of one's own for anybody's row showed that row. */
static void
nobody_makes_himself_a_member(void **state)
{
	static const struct line lines[] = {
		{"INSERT INTO members (up) VALUES (1)", "tenant"},
		{"INSERT INTO members SELECT 1", "tenant"},
		{"WITH m AS (INSERT INTO members (up) VALUES (1)) SELECT 1",
		 "tenant"},
		{"UPDATE members SET up = 1", "tenant"},
		{"UPDATE members SET (a, up) = (1, 2)", "tenant"},
		{"UPDATE members SET a = 1", ""},
		{"DELETE FROM members", ""},
		{"INSERT INTO people (id) VALUES (1)", ""},
		{"MERGE INTO members USING icd ON true WHEN NOT MATCHED THEN"
		 " INSERT (up) VALUES (1)",
		 "tenant"},
		{"MERGE INTO members USING icd ON true WHEN MATCHED THEN"
		 " UPDATE SET up = 1",
		 "tenant"},
		{"MERGE INTO members USING icd ON true WHEN MATCHED THEN"
		 " DELETE",
		 ""},
	};

	EXPECT(lines);
}

static void
unless_the_membership_table_says_write_own(void **state)
{
	struct tenant_table tables[COUNT(vw_rules)];
	struct tenant_rules rules = plain;

	memcpy(tables, vw_rules, sizeof(tables));
	for (size_t i = 0; i < COUNT(tables); i++)
		tables[i].write_own = strcmp(tables[i].name, "members") == 0;
	rules.tables = tables;
	assert_string_equal(
		gate(&rules, NULL, "INSERT INTO members (up) VALUES (1)"), "");
	assert_string_equal(gate(&rules, NULL, "UPDATE members SET up = 1"),
			    "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(functions_that_are_on_no_list_are_refused),
		cmocka_unit_test(
			a_user_function_of_a_standard_name_closes_that_name),
		cmocka_unit_test(a_column_may_be_a_function_called_with_a_row),
		cmocka_unit_test(isolation_lua_adds_and_removes),
		cmocka_unit_test(
			the_standard_list_is_sorted_and_searched_whole),
		cmocka_unit_test(operators_of_users_are_refused),
		cmocka_unit_test(
			a_user_operator_of_the_same_name_closes_that_name),
		cmocka_unit_test(types_that_look_into_the_server_are_refused),
		cmocka_unit_test(views_are_read_and_not_written),
		cmocka_unit_test(
			a_delete_that_reaches_rows_of_others_is_refused),
		cmocka_unit_test(
			an_update_that_reaches_rows_of_others_is_refused),
		cmocka_unit_test(nobody_makes_himself_a_member),
		cmocka_unit_test(unless_the_membership_table_says_write_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
