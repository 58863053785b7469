/* SPDX-License-Identifier: MIT
 *
 * Capabilities of a C host: work as system, and calls that are raw.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "capi.h"

#define WHO "select current_user::text"
#define CTX "select current_setting('lunate.ctx', true)::json->>'system'"

static struct lunate_context *
as(const char *reason, const char *tenant)
{
	struct lunate_who w = lunate_nobody();
	struct lunate_context *c;

	w.system = reason;
	w.tenant = tenant;
	ok(lunate_context_new(&w, &c, &er));
	return c;
}

static int
run_as(struct lunate_context *who, struct lunate_tx *tx, const char *sql)
{
	struct lunate_call c = lunate_sql(sql, NULL, 0);

	c.context = who;
	c.tx = tx;
	return lunate_query(db, &c, NULL, &er);
}

static const char *
seen_by(struct lunate_context *who, const char *sql)
{
	struct lunate_call c = lunate_sql(sql, NULL, 0);

	c.context = who;
	return capi_first(&c);
}

static int
without(void **state)
{
	capi_begin("2");
	return 0;
}

static int
with(void **state)
{
	struct lunate_options o;

	alarm(110);
	server_need();
	o = capi_options("2");
	o.system_role = "pg_read_all_data";
	o.raw = 1;
	capi_log.len = 0;
	ok(lunate_open(&o, &db, &er));
	return 0;
}

static int
closed(void **state)
{
	capi_end();
	return 0;
}

static void
without_the_capability_every_call_as_system_is_denied(void **state)
{
	struct lunate_context *who = as("import", NULL);
	struct lunate_tx_options o = lunate_tx_defaults();
	struct lunate_copy copy = lunate_copy_of("copy (select 1) to stdout");
	struct lunate_call c = lunate_sql("select 1", NULL, 0);
	struct lunate_stream *s = NULL;
	struct lunate_tx *tx = NULL;

	o.context = copy.context = c.context = who;
	refused(LUNATE_EDENIED, run_as(who, NULL, "select 1"));
	refused(LUNATE_EDENIED, lunate_begin(db, &o, &tx, &er));
	refused(LUNATE_EDENIED, lunate_copy_run(db, &copy, &er));
	refused(LUNATE_EDENIED, lunate_stream_open(db, &c, &s, &er));
	assert_null(tx);
	assert_null(s);
	assert_false(capi_logged("work as system"));
	lunate_context_free(&who);
}

static void
without_the_capability_a_raw_call_is_denied(void **state)
{
	struct lunate_call c = lunate_sql("select 1", NULL, 0);

	c.flags = LUNATE_RAW;
	refused(LUNATE_EDENIED, lunate_query(db, &c, NULL, &er));
	c.flags = 4;
	refused(LUNATE_EINVAL, lunate_query(db, &c, NULL, &er));
}

static void
work_as_system_takes_its_role_and_carries_its_reason(void **state)
{
	struct lunate_context *who = as("yearly report", NULL);

	assert_string_equal(seen_by(who, WHO), "pg_read_all_data");
	assert_string_equal(seen_by(who, CTX), "yearly report");
	assert_string_equal(capi_text(WHO), "postgres");
	assert_string_equal(capi_text("select coalesce(current_setting("
				      "'lunate.ctx', true), '')"),
			    "");
	lunate_context_free(&who);
}

static void
it_is_told_to_the_log_once_a_context(void **state)
{
	struct lunate_context *who = as("told once", NULL);
	const char *at;

	for (int i = 0; i < 3; i++)
		ok(run_as(who, NULL, "select 1"));
	assert_true(capi_logged("work as system"));
	at = strstr(capi_log.text, "told once");
	assert_non_null(at);
	assert_null(strstr(at + 1, "told once"));
	assert_true(capi_logged("generation=1"));
	lunate_context_free(&who);
}

static void
a_transaction_is_the_systems_or_not(void **state)
{
	struct lunate_context *who = as("import", NULL), *a = as(NULL, "a");
	struct lunate_tx_options o = lunate_tx_defaults();
	struct lunate_tx *tx;

	o.context = who;
	ok(lunate_begin(db, &o, &tx, &er));
	ok(capi_run_in(tx, WHO));
	ok(lunate_savepoint(tx, &er));
	ok(run_as(who, tx, "select 2"));
	ok(lunate_rollback_to(tx, &er));
	ok(lunate_commit(&tx, &er));

	ok(lunate_begin(db, &o, &tx, &er));
	refused(LUNATE_EDENIED, run_as(a, tx, "select 1"));
	refused(LUNATE_EDENIED, lunate_commit(&tx, &er));

	o.context = a;
	ok(lunate_begin(db, &o, &tx, &er));
	refused(LUNATE_EDENIED, run_as(who, tx, "select 1"));
	lunate_rollback(&tx);
	lunate_context_free(&who);
	lunate_context_free(&a);
}

static int
keep(void *arg, const char *at, size_t len)
{
	snprintf(arg, 64, "%.*s", (int)len, at);
	return 0;
}

static void
streams_and_copies_are_the_systems_too(void **state)
{
	struct lunate_context *who = as("export", NULL);
	struct lunate_copy copy = lunate_copy_of("copy (" WHO ") to stdout");
	struct lunate_call c = lunate_sql(WHO, NULL, 0);
	struct lunate_rows *rows;
	struct lunate_stream *s;
	char text[64] = "";

	c.context = who;
	ok(lunate_stream_open(db, &c, &s, &er));
	assert_int_equal(lunate_stream_next(s, &rows, &er), 1);
	assert_string_equal(lunate_rows_text(rows, 0, 0), "pg_read_all_data");
	lunate_rows_free(&rows);
	lunate_stream_close(&s);

	copy.context = who;
	copy.write = keep;
	copy.arg = text;
	ok(lunate_copy_run(db, &copy, &er));
	assert_string_equal(text, "pg_read_all_data\n");
	lunate_context_free(&who);
}

static void
a_context_is_the_systems_or_a_tenants(void **state)
{
	struct lunate_who w = lunate_nobody();
	struct lunate_context *c;

	w.system = "import";
	w.tenant = "a";
	refused(LUNATE_EINVAL, lunate_context_new(&w, &c, &er));
	w.tenant = NULL;
	w.system = "  ";
	refused(LUNATE_EINVAL, lunate_context_new(&w, &c, &er));
	w.system = "";
	refused(LUNATE_EINVAL, lunate_context_new(&w, &c, &er));
}

static void
a_raw_call_is_answered_as_any_other(void **state)
{
	struct lunate_call c = lunate_sql("select 7", NULL, 0);

	c.flags = LUNATE_RAW;
	assert_string_equal(capi_first(&c), "7");
}

int
main(void)
{
	const struct CMUnitTest none[] = {
		cmocka_unit_test(
			without_the_capability_every_call_as_system_is_denied),
		cmocka_unit_test(without_the_capability_a_raw_call_is_denied),
	};
	const struct CMUnitTest some[] = {
		cmocka_unit_test(
			work_as_system_takes_its_role_and_carries_its_reason),
		cmocka_unit_test(it_is_told_to_the_log_once_a_context),
		cmocka_unit_test(a_transaction_is_the_systems_or_not),
		cmocka_unit_test(streams_and_copies_are_the_systems_too),
		cmocka_unit_test(a_context_is_the_systems_or_a_tenants),
		cmocka_unit_test(a_raw_call_is_answered_as_any_other),
	};
	int failed;

	if (getenv("ONLY") != NULL)
		cmocka_set_test_filter(getenv("ONLY"));
	failed = cmocka_run_group_tests(none, without, closed);
	failed += cmocka_run_group_tests(some, with, closed);
	server_end(NULL);
	return failed;
}
