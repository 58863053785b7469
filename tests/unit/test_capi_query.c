/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <float.h>
#include <math.h>

#include "capi.h"

static int
begin(void **state)
{
	capi_begin("4");
	ok(capi_run("create table people (id int generated always as identity "
		    "primary key, name text constraint named check "
		    "(name <> ''), email text unique)"));
	return 0;
}

static int
end(void **state)
{
	capi_end();
	return server_end(state);
}

/* ---- values ------------------------------------------------------------ */

/* One value through the server and back: its cell, with its length. */
static const char *
echo(const char *type, struct lunate_value v, size_t *len)
{
	static char kept[4096];
	char sql[100];
	struct lunate_call c;
	struct lunate_rows *rows;
	const char *cell;

	snprintf(sql, sizeof(sql), "select $1::%s", type);
	c = lunate_sql(sql, &v, 1);
	rows = capi_rows(&c);
	cell = lunate_rows_cell(rows, 0, 0, len);
	if (cell != NULL) {
		assert_true(*len < sizeof(kept));
		memcpy(kept, cell, *len + 1);
		assert_int_equal(cell[*len], 0);
	}
	lunate_rows_free(&rows);
	return cell != NULL ? kept : NULL;
}

#define assert_echo(type, v, text)                       \
	do {                                             \
		size_t len_;                             \
		const char *got_ = echo(type, v, &len_); \
		assert_non_null(got_);                   \
		assert_string_equal(got_, text);         \
		assert_int_equal(len_, strlen(text));    \
	} while (0)

static void
values_of_every_type_arrive_as_they_were(void **state)
{
	size_t len;

	assert_echo("bool", lunate_bool(1), "t");
	assert_echo("bool", lunate_bool(0), "f");
	assert_echo("bool", lunate_bool(-7), "t");
	assert_echo("int8", lunate_int(INT64_MIN), "-9223372036854775808");
	assert_echo("int8", lunate_int(INT64_MAX), "9223372036854775807");
	assert_echo("int2", lunate_int(-1), "-1");
	assert_echo("float8", lunate_real(0.1), "0.1");
	assert_echo("float8", lunate_real(1.0 / 3), "0.3333333333333333");
	assert_echo("float8", lunate_real(DBL_MAX), "1.7976931348623157e+308");
	assert_echo("float8", lunate_real(INFINITY), "Infinity");
	assert_echo("float8", lunate_real(-INFINITY), "-Infinity");
	assert_echo("float8", lunate_real(NAN), "NaN");
	assert_echo("text", lunate_text("Grüße, 世界 '\"\\"),
		    "Grüße, 世界 '\"\\");
	assert_echo("text", lunate_textn("cut here", 3), "cut");
	assert_echo("text", lunate_text(""), "");
	assert_echo("text", lunate_textn("", 0), "");
	assert_echo("bytea", lunate_bytes("", 0), "\\x");
	assert_echo("bytea", lunate_bytes("\0\1\377", 3), "\\x0001ff");
	assert_echo("jsonb", lunate_json("{\"a\":[1,null]}"),
		    "{\"a\": [1, null]}");
	assert_null(echo("text", lunate_null(), &len));
	assert_null(echo("text", lunate_text(NULL), &len));
	assert_null(echo("bytea", lunate_bytes(NULL, 0), &len));
	assert_null(echo("jsonb", lunate_json(NULL), &len));
}

static void
what_a_value_becomes_follows_from_the_statement(void **state)
{
	assert_echo("numeric", lunate_text("1.10"), "1.10");
	assert_echo("numeric", lunate_int(7), "7");
	assert_echo("text", lunate_int(7), "7");
	assert_echo("float8", lunate_int(7), "7");
	assert_echo("date", lunate_text("2026-01-31"), "2026-01-31");
	assert_echo("int[]", lunate_text("{1,2,3}"), "{1,2,3}");
	assert_echo("uuid", lunate_text("6e5dd3b7-3a60-4bd4-ac12-0c63b9e3a1d0"),
		    "6e5dd3b7-3a60-4bd4-ac12-0c63b9e3a1d0");
	assert_echo("text", lunate_json("[1]"), "[1]");
}

static void
bytes_of_every_kind_pass_both_ways(void **state)
{
	unsigned char all[512], back[512];
	struct lunate_buffer b = {back, sizeof(back), 0};
	struct lunate_value v = lunate_bytes(all, sizeof(all));
	struct lunate_call c = lunate_sql("select $1::bytea", &v, 1);
	struct lunate_rows *rows;

	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (unsigned char)(i * 7);
	rows = capi_rows(&c);
	ok(lunate_rows_bytes(rows, 0, 0, &b));
	assert_int_equal(b.len, sizeof(all));
	assert_memory_equal(back, all, sizeof(all));
	lunate_rows_free(&rows);
}

static void
a_megabyte_of_bytes_passes(void **state)
{
	size_t n = (size_t)3 << 20;
	char *all = malloc(n), *back = malloc(n);
	struct lunate_buffer b = {back, n, 0};
	struct lunate_value v = lunate_bytes(all, n);
	struct lunate_call c = lunate_sql("select $1::bytea", &v, 1);
	struct lunate_rows *rows;

	for (size_t i = 0; i < n; i++)
		all[i] = (char)(i ^ i >> 8);
	rows = capi_rows(&c);
	ok(lunate_rows_bytes(rows, 0, 0, &b));
	assert_int_equal(b.len, n);
	assert_memory_equal(back, all, n);
	lunate_rows_free(&rows);
	free(all);
	free(back);
}

static int
run_with(const char *sql, struct lunate_value v)
{
	struct lunate_call c = lunate_sql(sql, &v, 1);

	return lunate_query(db, &c, NULL, &er);
}

static void
a_text_with_a_zero_byte_is_refused_not_cut(void **state)
{
	refused(LUNATE_EPARAM,
		run_with("select $1::text", lunate_textn("a\0b", 3)));
}

static void
a_value_of_no_type_is_refused(void **state)
{
	struct lunate_value v = lunate_int(1);

	v.type = 99;
	refused(LUNATE_EPARAM, run_with("select $1::int", v));
	v.type = -1;
	refused(LUNATE_EPARAM, run_with("select $1::int", v));
}

static void
the_server_s_opinion_of_a_value_is_told_without_it(void **state)
{
	refused(LUNATE_EVALUE,
		run_with("select $1::int", lunate_text("secret-7")));
	assert_string_equal(er.sqlstate, "22P02");
	assert_null(strstr(er.text, "secret"));
	refused(LUNATE_EVALUE,
		run_with("select $1::int2", lunate_int(123456789)));
	assert_null(strstr(er.text, "123456789"));
	refused(LUNATE_EVALUE,
		run_with("select $1::jsonb", lunate_json("{secret")));
	assert_null(strstr(er.text, "secret"));
}

static void
fewer_or_more_values_than_parameters_are_refused(void **state)
{
	struct lunate_value v[] = {lunate_int(1), lunate_int(2)};
	struct lunate_call c = lunate_sql("select $1::int + $2::int", v, 1);

	refused(LUNATE_EPARAM, lunate_query(db, &c, NULL, &er));
	c = lunate_sql("select $1::int", v, 2);
	refused(LUNATE_EPARAM, lunate_query(db, &c, NULL, &er));
	c = lunate_sql("select $1::int", NULL, 1);
	refused(LUNATE_EPARAM, lunate_query(db, &c, NULL, &er));
	c = lunate_sql("select 1", v, -1);
	refused(LUNATE_EPARAM, lunate_query(db, &c, NULL, &er));
}

/* ---- calls ------------------------------------------------------------- */

static void
a_text_may_end_at_its_length(void **state)
{
	struct lunate_call c = lunate_sql("select 42, nonsense", NULL, 0);

	c.sql_len = strlen("select 42");
	assert_string_equal(capi_first(&c), "42");
}

static void
what_is_no_single_statement_is_refused(void **state)
{
	struct lunate_call c = lunate_sql(NULL, NULL, 0);

	refused(LUNATE_EINVAL, lunate_query(db, &c, NULL, &er));
	refused(LUNATE_EUNSUPPORTED, capi_run("begin"));
	assert_true(capi_run("select 1; select 2") < 0);
	assert_true(capi_run("") < 0);
	assert_true(capi_run("-- nothing") < 0);
	refused(LUNATE_EUNSUPPORTED, capi_run("copy people to stdout"));
}

static void
a_call_of_a_newer_host_is_not_taken_for_what_it_is_not(void **state)
{
	struct {
		struct lunate_call c;
		char more[24];
	} n = {.c = lunate_sql("select 'new'", NULL, 0)};

	n.c.size = sizeof(n);
	n.more[23] = 1;
	refused(LUNATE_EINVAL, lunate_query(db, &n.c, NULL, &er));
}

static void
a_call_without_a_size_is_refused(void **state)
{
	struct lunate_call c = lunate_sql("select 1", NULL, 0);

	c.size = 0;
	refused(LUNATE_EINVAL, lunate_query(db, &c, NULL, &er));
	c.size = sizeof(size_t);
	refused(LUNATE_EINVAL, lunate_query(db, &c, NULL, &er));
}

static void
words_that_an_enum_does_not_have_are_refused(void **state)
{
	struct lunate_call c = lunate_sql("select 1", NULL, 0);

	c.priority = 9;
	refused(LUNATE_EINVAL, lunate_query(db, &c, NULL, &er));
	c = lunate_sql("select 1", NULL, 0);
	c.cls = -1;
	refused(LUNATE_EINVAL, lunate_query(db, &c, NULL, &er));
	c = lunate_sql("select 1", NULL, 0);
	c.flags = 1u << 30;
	refused(LUNATE_EINVAL, lunate_query(db, &c, NULL, &er));
	c = lunate_sql("select 1", NULL, 0);
	c.timeout = -1;
	refused(LUNATE_EINVAL, lunate_query(db, &c, NULL, &er));
	c.timeout = NAN;
	refused(LUNATE_EINVAL, lunate_query(db, &c, NULL, &er));
}

static void
every_priority_and_class_runs(void **state)
{
	struct lunate_call c = lunate_sql("select 'ran'", NULL, 0);

	for (int p = LUNATE_PRIORITY_DEFAULT; p <= LUNATE_PRIORITY_LOW; p++)
		for (int k = LUNATE_CLASS_DEFAULT; k <= LUNATE_CLASS_CRITICAL;
		     k++) {
			c.priority = p;
			c.cls = k;
			assert_string_equal(capi_first(&c), "ran");
		}
}

static void
read_only_refuses_what_is_no_read(void **state)
{
	struct lunate_call c = lunate_sql(
		"insert into people (name) values ('x')", NULL, 0);

	c.flags = LUNATE_READ_ONLY;
	refused(LUNATE_EREADONLY, lunate_query(db, &c, NULL, &er));
	c.sql = "select nextval(pg_get_serial_sequence('people', 'id'))";
	refused(LUNATE_EREADONLY, lunate_query(db, &c, NULL, &er));
	c.sql = "select 'read'";
	assert_string_equal(capi_first(&c), "read");
}

static void
a_call_out_of_time_ends_and_its_connection_lives_on(void **state)
{
	struct lunate_call c = lunate_sql("select pg_sleep(100)", NULL, 0);

	c.timeout = 0.05;
	refused(LUNATE_EDEADLINE, lunate_query(db, &c, NULL, &er));
	assert_string_equal(capi_text("select 'next'"), "next");
	capi_until("select count(*) = 0 from pg_stat_activity where state = "
		   "'active' and query like '%pg_sleep(100)%' and pid <> "
		   "pg_backend_pid()");
}

static void
an_error_is_told_with_state_and_constraint_and_no_values(void **state)
{
	struct lunate_value v[] = {lunate_text("hidden@example.org")};
	struct lunate_call c = lunate_sql(
		"insert into people (name, email) values ('n', $1)", v, 1);

	ok(lunate_query(db, &c, NULL, &er));
	refused(LUNATE_ECONSTRAINT, lunate_query(db, &c, NULL, &er));
	assert_string_equal(er.sqlstate, "23505");
	assert_string_equal(er.constraint, "people_email_key");
	assert_null(strstr(er.text, "hidden@"));
	refused(LUNATE_ECONSTRAINT,
		capi_run("insert into people (name) values ('')"));
	assert_string_equal(er.sqlstate, "23514");
	assert_string_equal(er.constraint, "named");
	refused(LUNATE_EVALUE, capi_run("select 1/0"));
	assert_string_equal(er.sqlstate, "22012");
	assert_string_equal(er.constraint, "");
	refused(LUNATE_ESYNTAX, capi_run("selec 1"));
	refused(LUNATE_EUNDEFINED, capi_run("select nothing from people"));
	assert_string_equal(er.sqlstate, "42703");
	assert_null(strstr(capi_log.text, "hidden@"));
}

static void
nobody_has_to_take_the_error_or_the_rows(void **state)
{
	struct lunate_call c = lunate_sql("select 1/0", NULL, 0);
	struct lunate_rows *rows = NULL;

	assert_int_equal(lunate_query(db, &c, NULL, NULL), LUNATE_EVALUE);
	assert_int_equal(lunate_query(db, &c, &rows, NULL), LUNATE_EVALUE);
	assert_null(rows);
	c.sql = "select 1";
	assert_int_equal(lunate_query(db, &c, NULL, NULL), 0);
}

/* ---- who asks ---------------------------------------------------------- */

static const char *
seen_by(struct lunate_context *who, const char *sql)
{
	struct lunate_call c = lunate_sql(sql, NULL, 0);

	c.context = who;
	return capi_first(&c);
}

#define CTX "current_setting('lunate.ctx', true)"

static void
a_context_stands_in_the_session_while_its_call_runs(void **state)
{
	const char *const roles[] = {"doctor", "admin", NULL};
	struct lunate_who w = lunate_nobody();
	struct lunate_context *c;

	w.tenant = "clinic-7";
	w.user = "u \"1\"";
	w.roles = roles;
	w.location = "l";
	w.ip = "10.0.0.1";
	w.device = "d";
	w.purpose = "p";
	w.trace = "t";
	ok(lunate_context_new(&w, &c, &er));
	assert_string_equal(
		seen_by(c, "select " CTX "::jsonb = jsonb_build_object("
			   "'tenant', 'clinic-7', 'user', 'u \"1\"', 'roles', "
			   "jsonb_build_array('doctor', 'admin'), 'location', "
			   "'l', 'ip', '10.0.0.1', 'device', 'd', 'purpose', "
			   "'p', 'trace', 't', 'tenants', "
			   "'{clinic-7}')"),
		"t");
	assert_string_equal(seen_by(NULL, "select coalesce(" CTX ", '')"), "");
	lunate_context_free(&c);
	assert_null(c);
	lunate_context_free(&c);
}

static void
fields_that_are_null_are_left_out(void **state)
{
	struct lunate_who w = lunate_nobody();
	struct lunate_context *c;

	w.user = "only";
	ok(lunate_context_new(&w, &c, &er));
	assert_string_equal(seen_by(c,
				    "select " CTX "::jsonb = "
				    "'{\"tenants\":\"{}\",\"user\":\"only\"}'"),
			    "t");
	lunate_context_free(&c);
	w = lunate_nobody();
	ok(lunate_context_new(&w, &c, &er));
	assert_string_equal(seen_by(c, "select 1"), "1");
	lunate_context_free(&c);
}

static void
a_set_of_tenants_and_what_a_write_is_for_are_carried(void **state)
{
	const char *const set[] = {"a", "b", NULL};
	struct lunate_who w = lunate_nobody();
	struct lunate_context *c;

	w.tenants = set;
	w.user = "u";
	w.action = "CREATE";
	w.resource_type = "VISIT";
	w.resource_id = "7";
	ok(lunate_context_new(&w, &c, &er));
	assert_string_equal(
		seen_by(c, "select " CTX "::jsonb->'tenant' = '[\"a\",\"b\"]' "
			   "and " CTX " like '%CREATE%' and " CTX
			   " like '%VISIT%' and " CTX " like '%\"7\"%'"),
		"t");
	lunate_context_free(&c);
}

static void
an_emergency_and_what_conditions_look_at_are_carried(void **state)
{
	const char *const locations[] = {"l1", "l2", NULL};
	struct lunate_who w = lunate_nobody();
	struct lunate_context *c = NULL;

	w.tenant = "a";
	w.user = "u";
	w.locations = locations;
	w.clinic_tz = "Europe/Berlin";
	w.glass_rule = "crash";
	w.glass_patient = "p1";
	refused(LUNATE_EINVAL, lunate_context_new(&w, &c, &er));
	w.glass_reason = "found on the floor";
	ok(lunate_context_new(&w, &c, &er));
	assert_string_equal(
		seen_by(c, "select " CTX "::jsonb @> '{\"locations\":[\"l1\","
			   "\"l2\"],\"clinic_tz\":\"Europe/Berlin\","
			   "\"break_glass\":{\"rule\":\"crash\"}}'"),
		"t");
	lunate_context_free(&c);
}

static void
contradictions_of_a_context_are_refused(void **state)
{
	const char *const set[] = {"a", NULL};
	struct lunate_who w = lunate_nobody();
	struct lunate_context *c = NULL;

	w.action = "CREATE";
	refused(LUNATE_EINVAL, lunate_context_new(&w, &c, &er));
	w = lunate_nobody();
	w.resource_type = "VISIT";
	refused(LUNATE_EINVAL, lunate_context_new(&w, &c, &er));
	w = lunate_nobody();
	w.tenant = "a";
	w.tenants = set;
	refused(LUNATE_EINVAL, lunate_context_new(&w, &c, &er));
	assert_null(c);
	refused(LUNATE_EINVAL, lunate_context_new(NULL, &c, &er));
}

/* ---- statements that are kept ------------------------------------------ */

static void
a_statement_is_parsed_once_and_run_often(void **state)
{
	struct lunate_statement *s;
	struct lunate_value v[2];
	struct lunate_call c = lunate_sql(NULL, v, 2);

	ok(lunate_prepare("select $1::int * $2::int", &s, &er));
	assert_int_equal(lunate_statement_parameters(s), 2);
	c.statement = s;
	for (int i = 0; i < 50; i++) {
		char text[20];

		v[0] = lunate_int(i);
		v[1] = lunate_int(i + 1);
		snprintf(text, sizeof(text), "%d", i * (i + 1));
		assert_string_equal(capi_first(&c), text);
	}
	c.nvalues = 1;
	refused(LUNATE_EPARAM, lunate_query(db, &c, NULL, &er));
	lunate_statement_free(&s);
	assert_null(s);
	lunate_statement_free(&s);
}

static void
a_statement_without_parameters_says_so(void **state)
{
	struct lunate_statement *s;

	ok(lunate_prepare("select 1", &s, &er));
	assert_int_equal(lunate_statement_parameters(s), 0);
	lunate_statement_free(&s);
}

static void
what_cannot_be_parsed_cannot_be_prepared(void **state)
{
	struct lunate_statement *s = NULL;

	refused(LUNATE_ESYNTAX, lunate_prepare("selec", &s, &er));
	refused(LUNATE_EUNSUPPORTED, lunate_prepare("begin", &s, &er));
	assert_null(s);
	refused(LUNATE_EINVAL, lunate_prepare(NULL, &s, &er));
}

#define T(name) cmocka_unit_test(name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(values_of_every_type_arrive_as_they_were),
		T(what_a_value_becomes_follows_from_the_statement),
		T(bytes_of_every_kind_pass_both_ways),
		T(a_megabyte_of_bytes_passes),
		T(a_text_with_a_zero_byte_is_refused_not_cut),
		T(a_value_of_no_type_is_refused),
		T(the_server_s_opinion_of_a_value_is_told_without_it),
		T(fewer_or_more_values_than_parameters_are_refused),
		T(a_text_may_end_at_its_length),
		T(what_is_no_single_statement_is_refused),
		T(a_call_of_a_newer_host_is_not_taken_for_what_it_is_not),
		T(a_call_without_a_size_is_refused),
		T(words_that_an_enum_does_not_have_are_refused),
		T(every_priority_and_class_runs),
		T(read_only_refuses_what_is_no_read),
		T(a_call_out_of_time_ends_and_its_connection_lives_on),
		T(an_error_is_told_with_state_and_constraint_and_no_values),
		T(nobody_has_to_take_the_error_or_the_rows),
		T(a_context_stands_in_the_session_while_its_call_runs),
		T(fields_that_are_null_are_left_out),
		T(a_set_of_tenants_and_what_a_write_is_for_are_carried),
		T(an_emergency_and_what_conditions_look_at_are_carried),
		T(contradictions_of_a_context_are_refused),
		T(a_statement_is_parsed_once_and_run_often),
		T(a_statement_without_parameters_says_so),
		T(what_cannot_be_parsed_cannot_be_prepared),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, begin, end);
}
