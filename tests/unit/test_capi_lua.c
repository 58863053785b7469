/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "capi.h"

static struct lunate_script *script;
static struct lunate_rows *rows;
static char path[128];
static struct answer a; /* outlives a test that fails */

static const char text[] =
	"local lunate = require 'lunate'\n"
	"local M = {}\n"
	"function M.echo(...) return ... end\n"
	"function M.kinds(...)\n"
	"  local t = {}\n"
	"  for i = 1, select('#', ...) do t[i] = type((select(i, ...))) end\n"
	"  return table.concat(t, ' ')\n"
	"end\n"
	"function M.nothing() end\n"
	"function M.table(t) t.more = { 1, 2 } return t end\n"
	"function M.length(s) return #s end\n"
	"function M.raise() error('a mistake of the script', 0) end\n"
	"function M.raise_table() error({ odd = true }) end\n"
	"function M.assert_query()\n"
	"  return assert(lunate.open()):query('select 1/0')\n"
	"end\n"
	"function M.refused(sql) return assert(lunate.open()):query(sql) end\n"
	"function M.sleep() return lunate.sleep(100) end\n"
	"function M.careless() lunate.sleep(100) return 'late' end\n"
	"function M.sum(n)\n"
	"  return assert(assert(lunate.open()):one(\n"
	"    'select sum(i) as s from generate_series(1, $1::int) i', n)).s\n"
	"end\n"
	"function M.who()\n"
	"  return assert(assert(lunate.open()):one(\n"
	"    \"select current_setting('lunate.ctx', true) as c\")).c\n"
	"end\n"
	"function M.app()\n"
	"  return assert(assert(lunate.open()):one(\n"
	"    \"select current_setting('application_name') as n\")).n\n"
	"end\n"
	"function M.many(n)\n"
	"  local t = {}\n"
	"  for i = 1, n do t[i] = i end\n"
	"  return unpack(t)\n"
	"end\n"
	"local calls = 0\n"
	"function M.count() calls = calls + 1 return calls end\n"
	"function M.fn() return print end\n"
	"M.no_function = 7\n"
	"return M\n";

static void
write_script(const char *lua)
{
	FILE *f;

	snprintf(path, sizeof(path), "%s/host.lua", server_dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(lua, f);
	fclose(f);
}

static int
begin(void **state)
{
	capi_begin("4");
	answer_init(&a);
	write_script(text);
	ok(lunate_load(db, path, &script, &er));
	assert_non_null(script);
	return 0;
}

static int
end(void **state)
{
	lunate_rows_free(&rows);
	lunate_script_free(&script);
	assert_null(script);
	capi_end();
	return 0;
}

/* Calls a function with one value, NULL for none; the rows are `rows`. */
static int
run(const char *fn, const struct lunate_value *v)
{
	struct lunate_lua c = lunate_lua_of(fn, v, v != NULL ? 1 : 0);

	lunate_rows_free(&rows);
	return lunate_run(script, &c, &rows, &er);
}

static unsigned
echoed(struct lunate_value v)
{
	ok(run("echo", &v));
	assert_int_equal(lunate_rows_count(rows), 1);
	assert_int_equal(lunate_rows_columns(rows), 1);
	return lunate_rows_type(rows, 0);
}

#define cell(col) lunate_rows_text(rows, 0, col)

static void
values_go_in_and_come_out_as_what_they_are(void **state)
{
	int64_t n;
	double d;
	int yes;
	size_t len;

	assert_int_equal(echoed(lunate_bool(1)), 16);
	ok(lunate_rows_bool(rows, 0, 0, &yes));
	assert_int_equal(yes, 1);
	assert_int_equal(echoed(lunate_int(-42)), 20);
	ok(lunate_rows_int(rows, 0, 0, &n));
	assert_int_equal(n, -42);
	assert_int_equal(echoed(lunate_int(INT64_MIN)), 20);
	ok(lunate_rows_int(rows, 0, 0, &n));
	assert_true(n == INT64_MIN);
	assert_int_equal(echoed(lunate_int(INT64_MAX)), 20);
	ok(lunate_rows_int(rows, 0, 0, &n));
	assert_true(n == INT64_MAX);
	assert_int_equal(echoed(lunate_real(0.1)), 701);
	ok(lunate_rows_real(rows, 0, 0, &d));
	assert_true(d == 0.1);
	assert_int_equal(echoed(lunate_text("Grüße")), 25);
	assert_string_equal(cell(0), "Grüße");
	assert_int_equal(echoed(lunate_bytes("a\0b", 3)), 25);
	assert_memory_equal(lunate_rows_cell(rows, 0, 0, &len), "a\0b", 4);
	assert_int_equal(len, 3);
	assert_int_equal(echoed(lunate_text("")), 25);
	assert_string_equal(cell(0), "");
	(void)echoed(lunate_null());
	assert_null(cell(0));
}

static void
a_script_sees_lua_s_own_types(void **state)
{
	struct lunate_value v[] = {
		lunate_null(),	       lunate_bool(0),
		lunate_int(7),	       lunate_int(INT64_MAX),
		lunate_real(1.5),      lunate_text("t"),
		lunate_bytes("\0", 1), lunate_json("{\"a\":1}"),
		lunate_json("[1,2]"),
	};
	struct lunate_lua c = lunate_lua_of("kinds", v, 9);

	ok(lunate_run(script, &c, &rows, &er));
	assert_string_equal(cell(0), "nil boolean number cdata number string "
				     "string table table");
}

static void
tables_are_json_on_both_ways(void **state)
{
	struct lunate_value v = lunate_json("{\"a\":{\"b\":[true,\"x\"]}}");

	ok(run("table", &v));
	assert_int_equal(lunate_rows_type(rows, 0), 114);
	assert_non_null(strstr(cell(0), "\"more\":[1,2]"));
	assert_non_null(strstr(cell(0), "[true,\"x\"]"));
	v = lunate_json("{broken");
	assert_true(run("table", &v) < 0);
	assert_null(strstr(er.text, "broken"));
}

static void
each_result_is_a_column(void **state)
{
	struct lunate_value n = lunate_int(20),
			    v[3] = {lunate_int(1), lunate_null(),
				    lunate_text("c")};
	struct lunate_lua c = lunate_lua_of("echo", v, 3);

	ok(run("many", &n));
	assert_int_equal(lunate_rows_count(rows), 1);
	assert_int_equal(lunate_rows_columns(rows), 20);
	assert_string_equal(cell(19), "20");
	ok(run("nothing", NULL));
	assert_int_equal(lunate_rows_count(rows), 1);
	assert_int_equal(lunate_rows_columns(rows), 0);
	lunate_rows_free(&rows);
	ok(lunate_run(script, &c, &rows, &er));
	assert_int_equal(lunate_rows_columns(rows), 3);
	assert_null(cell(1));
	assert_string_equal(cell(2), "c");
	assert_int_equal(lunate_run(script, &c, NULL, NULL), 0);
}

static void
what_a_script_raises_is_the_error(void **state)
{
	assert_int_equal(run("raise", NULL), LUNATE_EINTERNAL);
	assert_non_null(strstr(er.text, "a mistake of the script"));
	assert_null(rows);
	assert_int_equal(run("raise_table", NULL), LUNATE_EINTERNAL);
	refused(LUNATE_EVALUE, run("assert_query", NULL));
	assert_string_equal(er.sqlstate, "22012");
}

static void
nil_and_an_error_are_that_error(void **state)
{
	struct lunate_value v = lunate_text("select * from nowhere");

	refused(LUNATE_EUNDEFINED, run("refused", &v));
	assert_string_equal(er.sqlstate, "42P01");
	v = lunate_text("insert into hosts values (1)");
	ok(capi_run("drop table if exists hosts"));
	ok(capi_run("create table hosts (n int constraint few check "
		    "(n > 5))"));
	refused(LUNATE_ECONSTRAINT, run("refused", &v));
	assert_string_equal(er.constraint, "few");
}

static void
what_is_no_function_of_the_script_is_refused(void **state)
{
	struct lunate_lua c = lunate_lua_of(NULL, NULL, 0);

	assert_int_equal(run("no_such_function", NULL), LUNATE_EUNDEFINED);
	assert_non_null(strstr(er.text, "no_such_function"));
	assert_int_equal(run("no_function", NULL), LUNATE_EUNDEFINED);
	refused(LUNATE_EINVAL, lunate_run(script, &c, &rows, &er));
	assert_true(run("fn", NULL) < 0); /* gives what is no value */
}

static void
a_call_has_its_own_deadline(void **state)
{
	struct lunate_lua c = lunate_lua_of("sleep", NULL, 0);

	c.timeout = 0.05;
	refused(LUNATE_EDEADLINE, lunate_run(script, &c, &rows, &er));
}

static void
a_query_of_a_script_goes_through_the_host_s_runtime(void **state)
{
	struct lunate_value v = lunate_int(100);

	ok(run("sum", &v));
	assert_string_equal(cell(0), "5050");
	ok(run("app", NULL));
	assert_string_equal(cell(0), "lunate");
	/* One pool: never more than its connections. */
	assert_in_range(server_int("select count(*) from pg_stat_activity "
				   "where application_name = 'lunate'"),
			1, 4);
}

static void
the_context_of_a_call_is_that_of_its_queries(void **state)
{
	struct lunate_lua c = lunate_lua_of("who", NULL, 0);
	struct lunate_who w = lunate_nobody();
	struct lunate_context *ctx;

	w.user = "somebody";
	ok(lunate_context_new(&w, &ctx, &er));
	c.context = ctx;
	ok(lunate_run(script, &c, &rows, &er));
	assert_non_null(strstr(cell(0), "somebody"));
	lunate_context_free(&ctx);
	ok(run("who", NULL));
	assert_true(cell(0) == NULL || cell(0)[0] == 0);
}

static void
a_call_without_waiting_answers_like_a_query(void **state)
{
	struct lunate_value v = lunate_int(3);
	struct lunate_lua c = lunate_lua_of("sum", &v, 1);
	struct lunate_then t = lunate_then_of(answer_done, &a);

	ok(lunate_run_async(script, &c, &t, &er));
	answer_wait(&a);
	assert_int_equal(a.e.code, 0);
	assert_string_equal(lunate_rows_text(a.rows, 0, 0), "6");
	lunate_rows_free(&a.rows);
}

static void
a_call_that_waits_can_be_cancelled(void **state)
{
	struct lunate_lua c = lunate_lua_of("sleep", NULL, 0);
	struct lunate_then t = lunate_then_of(answer_done, &a);

	t.ticket = &a.ticket;
	ok(lunate_run_async(script, &c, &t, &er));
	lunate_cancel(db, a.ticket);
	answer_wait(&a);
	assert_int_equal(a.e.code, LUNATE_ECANCELLED);
}

static void
a_script_may_be_freed_while_it_runs(void **state)
{
	struct lunate_value v = lunate_text("select 'done' as d "
					    "from pg_sleep(0.1)");
	struct lunate_lua c = lunate_lua_of("refused", &v, 1);
	struct lunate_then t = lunate_then_of(answer_done, &a);

	ok(lunate_run_async(script, &c, &t, &er));
	lunate_script_free(&script);
	answer_wait(&a);
	assert_int_equal(a.e.code, 0);
	lunate_rows_free(&a.rows);
}

static void
two_scripts_share_nothing_but_the_runtime(void **state)
{
	struct lunate_script *other = NULL;
	struct lunate_lua c = lunate_lua_of("count", NULL, 0);

	ok(run("count", NULL));
	ok(run("count", NULL));
	assert_string_equal(cell(0), "2");
	ok(lunate_load(db, path, &other, &er));
	lunate_rows_free(&rows);
	ok(lunate_run(other, &c, &rows, &er));
	assert_string_equal(cell(0), "1");
	lunate_script_free(&other);
	ok(run("count", NULL));
	assert_string_equal(cell(0), "3");
}

static void
what_is_no_script_is_refused_with_its_name(void **state)
{
	const char *const bad[] = {"return 7", "for for", "error('at the top')",
				   "return nil"};
	struct lunate_script *s = NULL;

	assert_int_equal(lunate_load(db, "/no/such/file.lua", &s, &er),
			 LUNATE_EIO);
	assert_non_null(strstr(er.text, "/no/such/file.lua"));
	for (int i = 0; i < 4; i++) {
		write_script(bad[i]);
		assert_true(lunate_load(db, path, &s, &er) < 0);
		assert_null(s);
		assert_non_null(strstr(er.text, "host.lua"));
	}
	assert_int_equal(lunate_load(db, NULL, &s, &er), LUNATE_EINVAL);
	ok(run("count", NULL));
}

#define THREADS 4

static void *
thread_main(void *arg)
{
	struct lunate_script *s = arg;
	struct lunate_rows *r;
	int64_t n = 0;

	for (int i = 1; i <= 50; i++) {
		struct lunate_value v = lunate_int(i);
		struct lunate_lua c = lunate_lua_of("sum", &v, 1);

		if (lunate_run(s, &c, &r, NULL) < 0 ||
		    lunate_rows_int(r, 0, 0, &n) < 0 || n != i * (i + 1) / 2)
			return NULL;
		lunate_rows_free(&r);
	}
	return s;
}

static void
a_script_may_be_called_from_any_number_of_threads(void **state)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, thread_main, script),
			0);
	for (int i = 0; i < THREADS; i++) {
		void *result;

		pthread_join(threads[i], &result);
		assert_ptr_equal(result, script);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(values_go_in_and_come_out_as_what_they_are),
		T(a_script_sees_lua_s_own_types),
		T(tables_are_json_on_both_ways),
		T(each_result_is_a_column),
		T(what_a_script_raises_is_the_error),
		T(nil_and_an_error_are_that_error),
		T(what_is_no_function_of_the_script_is_refused),
		T(a_call_has_its_own_deadline),
		T(a_query_of_a_script_goes_through_the_host_s_runtime),
		T(the_context_of_a_call_is_that_of_its_queries),
		T(a_call_without_waiting_answers_like_a_query),
		T(a_call_that_waits_can_be_cancelled),
		T(a_script_may_be_freed_while_it_runs),
		T(two_scripts_share_nothing_but_the_runtime),
		T(what_is_no_script_is_refused_with_its_name),
		T(a_script_may_be_called_from_any_number_of_threads),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, NULL, server_end);
}
