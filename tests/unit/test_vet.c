/* SPDX-License-Identifier: MIT
 *
 * The gate, from its header and the list of hostile statements: statements,
 * nodes and names.
 */
#include "vet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <pg_query/pg_query.pb-c.h>

#include "vet_world.h"

/* ---- statements ---- */

static void
ordinary_statements_pass(void **state)
{
	static const struct line lines[] = {
		{"SELECT * FROM patients", ""},
		{"select * from U&\"p\\0061tients\"", ""},
		{"TABLE patients", ""},
		{"VALUES (1, 'a'), (2, DEFAULT)", ""},
		{"SELECT * FROM ONLY (app.patients) AS p (a, b)", ""},
		{"SELECT p.*, q.* FROM patients p, patients q", ""},
		{"SELECT (p).name, patients FROM patients p, patients", ""},
		{"SELECT a FROM patients p LEFT JOIN icd i USING (id)", ""},
		{"SELECT * FROM appts a CROSS JOIN LATERAL (SELECT * FROM beds"
		 " b WHERE b.id = a.id) x",
		 ""},
		{"SELECT 1 WHERE 1 = ANY (SELECT id FROM appts) AND 2 IN"
		 " (SELECT 2) AND NOT EXISTS (TABLE icd)",
		 ""},
		{"SELECT a FROM appts UNION ALL (SELECT 1 INTERSECT SELECT 2)"
		 " EXCEPT VALUES (3)",
		 ""},
		{"WITH RECURSIVE patients AS (SELECT 1 AS x UNION ALL SELECT"
		 " x + 1 FROM patients) SEARCH DEPTH FIRST BY x SET o CYCLE x"
		 " SET c USING p SELECT * FROM patients",
		 ""},
		{"WITH d AS (DELETE FROM appts RETURNING *) SELECT * FROM d",
		 ""},
	};

	EXPECT(lines);
}

static void
calls_and_clauses_of_all_kinds_pass(void **state)
{
	static const struct line lines[] = {
		{"SELECT count(*) FILTER (WHERE a), percentile_cont(0.5)"
		 " WITHIN GROUP (ORDER BY b), rank() OVER w FROM appts"
		 " GROUP BY GROUPING SETS ((a), ()) HAVING GROUPING(a) = 0"
		 " WINDOW w AS (PARTITION BY a ORDER BY b ROWS 1 PRECEDING)",
		 ""},
		{"SELECT * FROM ROWS FROM (generate_series(1, 2),"
		 " json_to_recordset($1) AS (a int, b text)) WITH ORDINALITY",
		 ""},
		{"SELECT * FROM icd, LATERAL unnest(ARRAY[1, 2]) u", ""},
		{"SELECT x COLLATE \"C\", a[1], a[1:2], (a).b[3] FROM icd", ""},
		{"SELECT CASE x WHEN 1 THEN 2 END, CASE WHEN true THEN 1 END,"
		 " coalesce(a, 1), nullif(a, 1), greatest(1, 2), a IS NULL,"
		 " a IS NOT TRUE, ROW(1, 2), a IS DISTINCT FROM 1 FROM icd",
		 ""},
		{"SELECT a LIKE 'x', a ILIKE 'x' ESCAPE '!', a SIMILAR TO 'x',"
		 " a BETWEEN SYMMETRIC 1 AND 2, -a, a IN (1, 2) FROM icd",
		 ""},
		{"SELECT extract(year FROM now()), a AT TIME ZONE 'UTC',"
		 " CURRENT_DATE, LOCALTIME, overlay(a PLACING b FROM 1),"
		 " trim(a), position(a IN b) FROM icd",
		 ""},
		{"SELECT xmlelement(name a, b), xmlserialize(content c AS"
		 " text), x.* FROM icd, XMLTABLE('/r' PASSING d COLUMNS"
		 " n int PATH 'n') x",
		 ""},
		{"SELECT * FROM patients TABLESAMPLE bernoulli (100)"
		 " REPEATABLE (1)",
		 ""},
		{"SELECT * FROM patients p FOR UPDATE OF p SKIP LOCKED", ""},
	};

	EXPECT(lines);
}

static void
writes_of_all_kinds_pass(void **state)
{
	static const struct line lines[] = {
		{"INSERT INTO appts (id) VALUES ($1) ON CONFLICT (id) DO"
		 " UPDATE SET id = excluded.id RETURNING *",
		 ""},
		{"INSERT INTO appts (id) SELECT id FROM patients", ""},
		{"UPDATE appts a SET (x, y) = (SELECT 1, 2), z = DEFAULT"
		 " FROM patients p WHERE a.id = p.id",
		 ""},
		{"MERGE INTO appts a USING patients p ON a.id = p.id"
		 " WHEN MATCHED AND a.x THEN DELETE"
		 " WHEN MATCHED THEN UPDATE SET x = 1"
		 " WHEN NOT MATCHED THEN INSERT (id) VALUES (1)",
		 ""},
	};

	EXPECT(lines);
}

static void
more_or_less_than_one_statement_is_refused(void **state)
{
	static const struct line lines[] = {
		{"SELECT 1; SELECT * FROM patients", "many"},
		{"COMMIT; SELECT * FROM patients", "many"},
		{"", "many"},
		{"SELECT 1;", ""},
	};

	EXPECT(lines);
}

static void
other_kinds_of_statement_are_refused(void **state)
{
	static const char *const texts[] = {
		"SET lunate.clinic = 'B'",
		"RESET lunate.clinic",
		"SET LOCAL search_path = evil",
		"SET ROLE other",
		"RESET ROLE",
		"SET SESSION AUTHORIZATION other",
		"SET row_security = off",
		"SET standard_conforming_strings = off",
		"SHOW lunate.ctx",
		"DO $$ begin end $$",
		"CALL p()",
		"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
		"CREATE TEMP TABLE patients (a int)",
		"CREATE TABLE x AS SELECT * FROM patients",
		"CREATE VIEW v AS SELECT * FROM patients",
		"CREATE RULE r AS ON SELECT TO icd DO INSTEAD SELECT 1",
		"CREATE POLICY p ON patients USING (true)",
		"PREPARE q AS SELECT 1",
		"EXECUTE q",
		"DEALLOCATE q",
		"DECLARE c CURSOR WITH HOLD FOR SELECT * FROM patients",
		"FETCH c",
		"CLOSE c",
		"COMMIT",
		"BEGIN",
		"ROLLBACK TO s",
		"EXPLAIN SELECT * FROM patients",
		"EXPLAIN ANALYZE DELETE FROM patients",
		"COPY patients TO STDOUT",
		"COPY (SELECT * FROM patients) TO PROGRAM 'sh'",
		"COPY patients FROM STDIN",
		"TRUNCATE patients",
		"LOCK TABLE patients",
		"VACUUM patients",
		"ANALYZE patients",
		"CLUSTER patients",
		"REINDEX TABLE patients",
		"LISTEN x",
		"NOTIFY x",
		"UNLISTEN *",
		"DISCARD ALL",
		"LOAD 'x'",
		"CHECKPOINT",
		"GRANT SELECT ON patients TO public",
		"SELECT * INTO stolen FROM patients",
	};

	for (size_t i = 0; i < COUNT(texts); i++)
		expect(texts[i], "statement");
}

static void
forms_that_cannot_be_scoped_are_refused(void **state)
{
	static const struct line lines[] = {
		{"SELECT * FROM patients TABLESAMPLE bernoulli ((SELECT 1))",
		 "form"},
		{"SELECT * FROM patients TABLESAMPLE bernoulli (1) REPEATABLE"
		 " ((SELECT 1))",
		 "form"},
		{"UPDATE appts SET x = 1 WHERE CURRENT OF c", "form"},
		{"DELETE FROM appts WHERE CURRENT OF c", "form"},
		{"INSERT INTO appts DEFAULT VALUES", "form"},
		{"INSERT INTO rx_items DEFAULT VALUES", "form"},
		{"MERGE INTO appts a USING icd i ON a.id = i.id WHEN NOT"
		 " MATCHED THEN INSERT DEFAULT VALUES",
		 "form"},
		{"MERGE INTO appts a USING icd i ON a.id = i.id WHEN NOT"
		 " MATCHED THEN DO NOTHING",
		 ""},
		{"SELECT * FROM db.app.patients", "form"},
		{"SELECT db.app.patients.id FROM patients", "form"},
		{"SELECT app.patients.id, app.patients.* FROM patients", ""},
	};

	EXPECT(lines);
}

/* ---- names ---- */

static void
relations_without_a_rule_are_refused(void **state)
{
	static const struct line lines[] = {
		{"SELECT * FROM nowhere", "unknown-table"},
		{"SELECT * FROM evil.patients", "unknown-table"},
		{"SELECT * FROM log", "unknown-table"},
		{"SELECT * FROM appts_2024", "unknown-table"},
		{"SELECT * FROM numbers", "unknown-table"},
		{"SELECT * FROM v_super", "view"},
		{"SELECT * FROM mv", "view"},
		{"SELECT * FROM v_ruled", ""},
		{"SELECT * FROM pg_class", "catalog"},
		{"SELECT * FROM pg_catalog.pg_stats", "catalog"},
		{"SELECT * FROM information_schema.tables", "catalog"},
		{"SELECT * FROM pg_temp.patients", "catalog"},
		{"SELECT * FROM pg_toast.pg_toast_1", "catalog"},
		{"SELECT 1 FROM icd WHERE EXISTS (SELECT FROM log)",
		 "unknown-table"},
		{"INSERT INTO log VALUES (1)", "unknown-table"},
		{"WITH x AS (UPDATE log SET a = 1 RETURNING 1) TABLE x",
		 "unknown-table"},
		{"SELECT * FROM icd AS log", ""},
		{"SELECT * FROM icd AS log FOR UPDATE OF log", ""},
	};

	EXPECT(lines);
}

static void
a_cte_hides_a_relation_only_where_it_is_in_scope(void **state)
{
	static const struct line lines[] = {
		{"WITH log AS (SELECT 1) SELECT * FROM log", ""},
		{"WITH log AS (SELECT 1) SELECT * FROM app.log",
		 "unknown-table"},
		{"SELECT * FROM (WITH log AS (SELECT 1) TABLE log) x, log",
		 "unknown-table"},
		{"WITH log AS (SELECT 1 FROM log) TABLE log", "unknown-table"},
		{"WITH log AS (SELECT 1) INSERT INTO log TABLE log",
		 "unknown-table"},
		{"WITH log AS (SELECT 1) UPDATE log SET a = 1",
		 "unknown-table"},
		{"WITH log AS (SELECT 1) DELETE FROM log", "unknown-table"},
		{"WITH log AS (SELECT 1) MERGE INTO log USING icd ON true"
		 " WHEN MATCHED THEN DO NOTHING",
		 "unknown-table"},
		{"WITH icd AS (SELECT 1) MERGE INTO appts USING icd ON true"
		 " WHEN MATCHED THEN DO NOTHING",
		 ""},
	};

	EXPECT(lines);
}

static void
system_columns_are_refused(void **state)
{
	static const char *const names[] = {"ctid", "xmin", "xmax",
					    "cmin", "cmax", "tableoid"};
	static const char *const forms[] = {
		"SELECT %s FROM patients", "SELECT p.%s FROM patients p",
		"SELECT 1 FROM patients ORDER BY app.patients.%s",
		"SELECT (p).%s FROM patients p",
		"DELETE FROM appts WHERE %s = '(0,1)'"};
	char sql[200];

	for (size_t i = 0; i < COUNT(names); i++)
		for (size_t k = 0; k < COUNT(forms); k++) {
			snprintf(sql, sizeof(sql), forms[k], names[i]);
			expect(sql, "system-column");
		}
	expect("SELECT \"CTID\", ctids FROM patients", "");
}

static void
names_of_the_runtime_are_refused(void **state)
{
	static const struct line lines[] = {
		{"SELECT 1 AS lunate_0", "reserved"},
		{"SELECT 1 AS LUNATE_x", "reserved"},
		{"SELECT 1 AS U&\"\\006cunate_0\"", "reserved"},
		{"SELECT * FROM patients lunate_0", "reserved"},
		{"SELECT * FROM patients p (lunate_0)", "reserved"},
		{"SELECT lunate_0.id FROM patients", "reserved"},
		{"SELECT lower(lunate_x) FROM icd", "reserved"},
		{"SELECT * FROM lunate_x.y", "reserved"},
		{"SELECT * FROM lunate_x", "reserved"},
		{"SELECT 1 COLLATE lunate_c", "reserved"},
		{"WITH lunate_member AS (SELECT 1) SELECT 1", "reserved"},
		{"SELECT rank() OVER lunate_w FROM icd WINDOW lunate_w AS ()",
		 "reserved"},
		{"SELECT make_interval(lunate_a => 1)", "reserved"},
		{"INSERT INTO appts (lunate_c) VALUES (1)", "reserved"},
		{"UPDATE appts SET lunate_c = 1", "reserved"},
		{"SELECT * FROM icd JOIN icd i USING (id) AS lunate_j",
		 "reserved"},
		{"SELECT * FROM json_to_record('{}') AS (lunate_c int)",
		 "reserved"},
		{"SELECT 1 FROM icd FOR UPDATE OF lunate_0", "reserved"},
		{"INSERT INTO appts (id) VALUES (1) ON CONFLICT ON CONSTRAINT"
		 " lunate_k DO NOTHING",
		 "reserved"},
		{"SELECT 'lunate_0', \"Lunate_0\", lunate FROM icd", ""},
	};

	EXPECT(lines);
}

/* Whatever message of the grammar is allowed: each of its texts is either a
 * name that the gate looks at or known to be none. */
static void
no_name_in_an_allowed_node_is_forgotten(void **state)
{
	static const char *const none[] = {"String.sval",
					   "Float.fval",
					   "BitString.bsval",
					   "ColumnDef.storage",
					   "ColumnDef.compression",
					   "ColumnDef.identity",
					   "ColumnDef.generated",
					   "RangeVar.relpersistence",
					   "CurrentOfExpr.cursor_name",
					   "IntoClause.table_space_name",
					   "IntoClause.access_method"};
	const ProtobufCMessageDescriptor *node = &pg_query__node__descriptor;
	unsigned seen = 0;

	for (unsigned i = 0; i < node->n_fields; i++) {
		const ProtobufCMessageDescriptor *d =
			node->fields[i].descriptor;
		const char *const *names;

		if (d == NULL || !vet_node_is_allowed(d->short_name, &names))
			continue;
		seen++;
		for (unsigned k = 0; k < d->n_fields; k++) {
			char full[100];
			bool found = false;

			if (d->fields[k].type != PROTOBUF_C_TYPE_STRING)
				continue;
			for (int n = 0; n < 3 && names[n] != NULL; n++)
				if (strcmp(names[n], d->fields[k].name) == 0)
					found = true;
			snprintf(full, sizeof(full), "%s.%s", d->short_name,
				 d->fields[k].name);
			for (size_t n = 0; n < COUNT(none); n++)
				if (strcmp(none[n], full) == 0)
					found = true;
			if (!found)
				fail_msg("nobody looks at %s", full);
		}
	}
	assert_true(seen > 55);
}

static void
unknown_nodes_are_refused(void **state)
{
	const char *const *names;

	assert_false(vet_node_is_allowed("DefElem", &names));
	assert_false(vet_node_is_allowed("Query", &names));
	assert_false(vet_node_is_allowed("RawStmt", &names));
	assert_false(vet_node_is_allowed("", &names));
	assert_true(vet_node_is_allowed("AArrayExpr", &names));
	assert_true(vet_node_is_allowed("XmlSerialize", &names));
}

/* ---- texts ---- */

static void
a_refusal_tells_names_and_no_literals(void **state)
{
	struct world world = {NULL, vw_table, vw_function, vw_operator,
			      vw_type};
	struct vet_ask ask = {.rules = &plain, .world = &world};
	static const char sql[] = "SELECT pg_sleep(1) WHERE 'secret' = '1'";
	struct tree *tree = NULL;
	struct err e;

	assert_int_equal(tree_parse(sql, strlen(sql), &tree, &e), 0);
	ask.tree = tree;
	assert_int_equal(vet_statement(&ask, &e), LUNATE_EDENIED);
	assert_non_null(strstr(e.text, "refused (function)"));
	assert_non_null(strstr(e.text, "pg_sleep()"));
	assert_null(strstr(e.text, "secret"));
	tree_free(&tree);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ordinary_statements_pass),
		cmocka_unit_test(calls_and_clauses_of_all_kinds_pass),
		cmocka_unit_test(writes_of_all_kinds_pass),
		cmocka_unit_test(more_or_less_than_one_statement_is_refused),
		cmocka_unit_test(other_kinds_of_statement_are_refused),
		cmocka_unit_test(forms_that_cannot_be_scoped_are_refused),
		cmocka_unit_test(relations_without_a_rule_are_refused),
		cmocka_unit_test(
			a_cte_hides_a_relation_only_where_it_is_in_scope),
		cmocka_unit_test(system_columns_are_refused),
		cmocka_unit_test(names_of_the_runtime_are_refused),
		cmocka_unit_test(no_name_in_an_allowed_node_is_forgotten),
		cmocka_unit_test(unknown_nodes_are_refused),
		cmocka_unit_test(a_refusal_tells_names_and_no_literals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
