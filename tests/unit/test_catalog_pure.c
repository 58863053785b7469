/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "catalog_rig.h"

/* ---- purity ------------------------------------------------------------- */

static void
before_it_is_loaded_only_statements_without_functions_are_reads(void **state)
{
	struct rig *g = rig_open(server_url, "app");

	assert_false(catalog_loaded(g->catalog));
	assert_null(catalog_current(g->catalog));
	assert_true(pure(g, "SELECT * FROM app.clinics"));
	assert_true(pure(g, "SELECT * FROM app.v_next"));
	assert_false(pure(g, "SELECT lower('A')"));
	assert_false(catalog_loaded(g->catalog));
	rig_close(g);
}

static void
a_view_that_calls_what_writes_is_no_read(void **state)
{
	static const char *const impure[] = {
		"v_next", "v_over",   "v_deep",	   "v_user", "v_op",
		"v_agg",  "v_notify", "v_from",	   "v_cte",  "guarded",
		"far",	  "spread_1", "v_guarded", "spread"};
	static const char *const fine[] = {"v_plain", "v_random", "v_invoker",
					   "m_next",  "seq",	  "log",
					   "v_name",  "v_system", "guarded_in"};
	char sql[100];

	known();
	for (size_t i = 0; i < sizeof(impure) / sizeof(*impure); i++) {
		snprintf(sql, sizeof(sql), "SELECT * FROM %s", impure[i]);
		if (!table(impure[i])->impure || pure(shared, sql))
			fail_msg("%s is taken for a read", impure[i]);
	}
	for (size_t i = 0; i < sizeof(fine) / sizeof(*fine); i++) {
		snprintf(sql, sizeof(sql), "SELECT * FROM %s", fine[i]);
		if (table(fine[i])->impure || !pure(shared, sql))
			fail_msg("%s is no read", fine[i]);
	}
}

static void
a_bare_name_is_a_read_only_if_every_relation_of_it_is(void **state)
{
	struct rig *g = rig_open(server_url, "app");

	server_sql("CREATE VIEW other.visits AS SELECT "
		   "nextval('app.seq')");
	loaded(g);
	assert_false(pure(g, "SELECT * FROM visits"));
	assert_true(pure(g, "SELECT * FROM app.visits"));
	assert_false(pure(g, "SELECT * FROM other.visits"));
	rig_close(g);
	server_sql("DROP VIEW other.visits");
}

static void
functions_are_judged_by_their_volatility(void **state)
{
	static const char *const reads[] = {
		"SELECT calm()",
		"SELECT mixed(1)",
		"SELECT deft(1), deft(1, 2)",
		"SELECT vary(1, 2, 3), vary(VARIADIC '{1}')",
		"SELECT lower(name), count(*) FROM clinics GROUP BY 1",
		"SELECT pg_catalog.random()",
		"SELECT clock_timestamp(), gen_random_uuid()",
		"SELECT * FROM clinics TABLESAMPLE bernoulli (10)",
		"SELECT pg_table_size('app.clinics')",
	};
	static const char *const writes[] = {
		"SELECT touch()",
		"SELECT mixed(1, 2)",
		"SELECT nextval('app.seq')",
		"SELECT random()", /* might be app.random() */
		"SELECT app.random()",
		"SELECT wild(id) FROM clinics",
		"SELECT no_such_function(1)",
		"SELECT calm(1)",
		"SELECT deft()",
		"SELECT other.calm()",
		"SELECT pg_notify('a', 'b')",
		"SELECT pg_advisory_xact_lock(1)",
		"SELECT txid_current()",
		"SELECT pg_catalog.pg_current_xact_id()",
		"SELECT calm(), touch()",
	};

	known();
	for (size_t i = 0; i < sizeof(reads) / sizeof(*reads); i++)
		if (!pure(shared, reads[i]))
			fail_msg("no read: %s", reads[i]);
	for (size_t i = 0; i < sizeof(writes) / sizeof(*writes); i++)
		if (pure(shared, writes[i]))
			fail_msg("a read: %s", writes[i]);
}

static void
an_operator_with_a_volatile_function_is_no_read(void **state)
{
	known();
	assert_false(pure(shared, "SELECT 1 === 2"));
	assert_false(pure(shared, "SELECT 1 OPERATOR(app.===) 2"));
	assert_true(pure(shared, "SELECT 1 = 2, 1 BETWEEN 0 AND 2, 1 IN (2)"));
}

static void
a_relation_that_is_not_known_is_no_read(void **state)
{
	known();
	assert_false(pure(shared, "SELECT * FROM no_such_table"));
	assert_false(pure(shared, "SELECT * FROM app.no_such_table"));
	assert_true(pure(shared, "WITH no_such_table AS (SELECT 1) "
				 "SELECT * FROM no_such_table"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			before_it_is_loaded_only_statements_without_functions_are_reads),
		cmocka_unit_test(a_view_that_calls_what_writes_is_no_read),
		cmocka_unit_test(
			a_bare_name_is_a_read_only_if_every_relation_of_it_is),
		cmocka_unit_test(functions_are_judged_by_their_volatility),
		cmocka_unit_test(
			an_operator_with_a_volatile_function_is_no_read),
		cmocka_unit_test(a_relation_that_is_not_known_is_no_read),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
