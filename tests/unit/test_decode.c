/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "decode.h"
#include "mem.h"
#include "params.h"

/* OIDs of pg_type.dat */
enum {
	BOOL = 16,
	BYTEA = 17,
	INT8 = 20,
	INT4 = 23,
	TEXT = 25,
	JSON = 114,
	FLOAT8 = 701,
	INT4S = 1007,
	TEXTS = 1009,
	INT8S = 1016,
	BYTEAS = 1001,
	BOOLS = 1000,
	NUMERIC = 1700,
	TSTZ = 1184
};

static lua_State *L;
static struct err e;

/* Shows a value so that a test can compare it. */
static const char prelude[] =
	"local function show(v) "
	"if v == null then return 'null' end "
	"if type(v) == 'string' then return string.format('%q', v) end "
	"if type(v) ~= 'table' then return tostring(v) end "
	"local t, keys = {}, {} "
	"for k in pairs(v) do keys[#keys + 1] = k end "
	"table.sort(keys, function(a, b) return tostring(a) < tostring(b) end) "
	"for i, k in ipairs(keys) do "
	"t[i] = (type(k) == 'number' and '' or k .. '=') .. show(v[k]) end "
	"return '{' .. table.concat(t, ',') .. '}' end "
	"_G.show = show "
	"return function(v) return 'enc' end, function(s) "
	"if s == 'bad' then error('value: ' .. s) end "
	"return { json = s } end";

static int
begin(void **state)
{
	(void)state;
	L = luaL_newstate();
	luaL_openlibs(L);
	lua_pushlightuserdata(L, NULL);
	lua_setglobal(L, "null");
	if (luaL_dostring(L, prelude) != 0)
		fail_msg("%s", lua_tostring(L, -1));
	params_set_json(L);
	lua_settop(L, 0);
	assert_int_equal(luaL_dostring(L, "return function(s) return "
					  "'i64:' .. s end"),
			 0);
	decode_set_int64(L);
	lua_settop(L, 0);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	mem_fail_after(0);
	lua_close(L);
	return 0;
}

/* One row of one column "v". */
static struct rows *
one(uint32_t type, const char *text)
{
	struct shape_col col = {.name = "v", .type = type, .typmod = -1};
	struct shape *s = shape_new(&col, 1);
	size_t len = text != NULL ? strlen(text) : 0;
	struct rows *r = rows_try_new(s, 1, len);

	shape_unpin(&s);
	assert_non_null(r);
	rows_put(r, text, len);
	rows_seal(r);
	return r;
}

static const char *
shown(void)
{
	static char text[400];

	lua_getglobal(L, "show");
	lua_insert(L, -2);
	lua_call(L, 1, 1);
	snprintf(text, sizeof(text), "%s", lua_tostring(L, -1));
	lua_settop(L, 0);
	return text;
}

static int
decode(uint32_t type, const char *text, unsigned flags)
{
	struct rows *r = one(type, text);
	struct decode d = {r, flags};
	int rc = decode_row(L, &d, 0, &e);

	assert_int_equal(lua_gettop(L), rc == 0 ? 1 : 0);
	rows_unpin(&r);
	return rc;
}

static void
gives(uint32_t type, const char *text, unsigned flags, const char *want)
{
	char row[420];

	if (decode(type, text, flags) != 0)
		fail_msg("%s: %s", text, e.text);
	snprintf(row, sizeof(row), "{v=%s}", want);
	assert_string_equal(shown(), row);
}

static void
refuses(uint32_t type, const char *text, unsigned flags, const char *remedy)
{
	assert_int_equal(decode(type, text, flags), LUNATE_EVALUE);
	if (strstr(e.text, remedy) == NULL ||
	    strstr(e.text, "column 1 (\"v\")") == NULL)
		fail_msg("%s: %s", text, e.text);
	if (strlen(text) > 3)
		assert_null(strstr(e.text, text)); /* no value in an error */
}

static void
scalars_become_what_the_table_says(void **state)
{
	gives(BOOL, "t", 0, "true");
	gives(BOOL, "f", 0, "false");
	gives(INT4, "-2147483648", 0, "-2147483648");
	gives(FLOAT8, "0.1", 0, "0.1");
	gives(FLOAT8, "Infinity", 0, "inf");
	gives(FLOAT8, "1e+300", 0, "1e+300");
	gives(TEXT, "it", 0, "\"it\"");
	gives(TEXT, "", 0, "\"\"");
	gives(TSTZ, "2026-01-31 12:00:00.000001+00", 0,
	      "\"2026-01-31 12:00:00.000001+00\"");
	gives(999999, "of a type nobody knows", 0,
	      "\"of a type nobody knows\"");
}

static void
an_int8_is_exact_or_an_error(void **state)
{
	gives(INT8, "9007199254740992", 0, "9.007199254741e+15");
	assert_int_equal(decode(INT8, "9007199254740992", 0), 0);
	lua_getfield(L, -1, "v");
	assert_true(lua_tonumber(L, -1) == 9007199254740992.0);
	lua_settop(L, 0);
	gives(INT8, "-5", 0, "-5");
	refuses(INT8, "9007199254740993", 0, "int64");
	refuses(INT8, "-9007199254740993", 0, "string");
	refuses(INT8, "9223372036854775807", 0, "2^53");
	gives(INT8, "9223372036854775807", DECODE_INT_STRING,
	      "\"9223372036854775807\"");
	gives(INT8, "-9223372036854775808", DECODE_INT64,
	      "\"i64:-9223372036854775808\"");
	gives(INT8, "1", DECODE_INT64, "\"i64:1\"");
}

static void
numeric_is_exact_text_unless_asked_as_number(void **state)
{
	gives(NUMERIC, "0.10000000000000000000001", 0,
	      "\"0.10000000000000000000001\"");
	gives(NUMERIC, "1.5", DECODE_NUMERIC, "1.5");
}

static void
bytea_is_its_bytes(void **state)
{
	assert_int_equal(decode(BYTEA, "\\x00ff41", 0), 0);
	lua_getfield(L, -1, "v");
	assert_int_equal(lua_objlen(L, -1), 3);
	assert_memory_equal(lua_tostring(L, -1), "\0\377A", 3);
	lua_settop(L, 0);
	gives(BYTEA, "\\x", 0, "\"\"");
	gives(BYTEA, "\\xAbCd", 0, "\"\253\315\"");
	refuses(BYTEA, "escaped", 0, "hex");
	refuses(BYTEA, "", 0, "hex");
	refuses(BYTEA, "\\xabc", 0, "hex");
	refuses(BYTEA, "\\xzz", 0, "hex");
}

static void
null_is_absent_or_the_null_of_lunate(void **state)
{
	assert_int_equal(decode(TEXT, NULL, 0), 0);
	assert_string_equal(shown(), "{}");
	gives(TEXT, NULL, DECODE_NULLS, "null");
}

static void
json_is_a_table_or_its_text(void **state)
{
	gives(JSON, "[1]", 0, "{json=\"[1]\"}");
	gives(JSON, "[1]", DECODE_JSON_STRING, "\"[1]\"");
	refuses(JSON, "bad", 0, "json = \"string\"");
}

static void
arrays_are_tables_of_their_elements(void **state)
{
	gives(INT4S, "{}", 0, "{}");
	gives(INT4S, "{1,2,3}", 0, "{1,2,3}");
	gives(INT4S, "{1,NULL,3}", 0, "{1,null,3}");
	gives(INT4S, "{{1,2},{3,4}}", 0, "{{1,2},{3,4}}");
	gives(INT4S, "[2:3]={5,6}", 0, "{5,6}");
	gives(INT4S, "[0:0][-1:0]={{5,6}}", 0, "{{5,6}}");
	gives(BOOLS, "{t,f}", 0, "{true,false}");
	gives(TEXTS, "{a,\"b c\",\"\",\"NULL\",NULL}", 0,
	      "{\"a\",\"b c\",\"\",\"NULL\",null}");
	gives(TEXTS, "{\"q\\\"}\",\"{,}\",\"\\\\\"}", 0,
	      "{\"q\\\"}\",\"{,}\",\"\\\\\"}");
	gives(BYTEAS, "{\"\\\\x41\"}", 0, "{\"A\"}");
	gives(INT8S, "{1,2}", DECODE_INT64, "{\"i64:1\",\"i64:2\"}");
	refuses(INT8S, "{1,9007199254740993}", 0, "2^53");
}

static void
an_array_that_is_cut_or_malformed_is_an_error(void **state)
{
	static const char *const bad[] = {
		"",	"{",	  "{1",	     "{1,",    "{1,}",	"{,1}",
		"{,}",	"1,2}",	  "{1}x",    "{{1}",   "{{1,}", "{\"",
		"{\"a", "{\"a\\", "{a\\",    "{1}{2}", "}",	"[1:2]",
		"[1:",	"{{1}2}", "{\"a\"b}"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		refuses(TEXTS, bad[i], 0, "array");
}

static void
an_array_deeper_than_any_server_makes_is_an_error(void **state)
{
	char deep[400];

	gives(INT4S, "{{{{{{1}}}}}}", 0, "{{{{{{1}}}}}}");
	memset(deep, '{', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = 0;
	refuses(INT4S, deep, 0, "array");
	refuses(INT4S, "{{{{{{{1}}}}}}}", 0, "array");
}

static void
no_memory_for_an_array_is_an_error(void **state)
{
	struct rows *r = one(TEXTS, "{a,b}");
	struct decode d = {r, 0};

	mem_fail_after(1);
	assert_int_equal(decode_row(L, &d, 0, &e), LUNATE_EVALUE);
	assert_non_null(strstr(e.text, "memory"));
	assert_int_equal(lua_gettop(L), 0);
	assert_int_equal(decode_row(L, &d, 0, &e), 0);
	rows_unpin(&r);
}

/* Each element once had a buffer of the size of the whole rest. */
static void
a_long_array_costs_what_it_is_long(void **state)
{
	size_t n = 300000;
	char *text = mem_new(2 * n + 2);

	text[0] = '{';
	for (size_t i = 0; i < n; i++) {
		text[1 + 2 * i] = '7';
		text[2 + 2 * i] = ',';
	}
	text[2 * n] = '}';
	alarm(60);
	assert_int_equal(decode(INT4S, text, 0), 0);
	alarm(0);
	lua_getfield(L, -1, "v");
	assert_int_equal(lua_objlen(L, -1), n);
	mem_free(text);
}

/* Three columns, two of one name; two rows. */
static struct rows *
table(void)
{
	struct shape_col cols[] = {{.name = "a", .type = INT4},
				   {.name = "b", .type = TEXT},
				   {.name = "a", .type = INT4}};
	struct shape *s = shape_new(cols, 3);
	struct rows *r = rows_try_new(s, 2, 5);

	shape_unpin(&s);
	rows_put(r, "1", 1);
	rows_put(r, "x", 1);
	rows_put(r, "2", 1);
	rows_put(r, "3", 1);
	rows_put(r, NULL, 0);
	rows_put(r, "4", 1);
	rows_seal(r);
	return r;
}

static void
of_two_columns_of_one_name_the_first_keeps_it(void **state)
{
	struct rows *r = table();
	struct decode d = {r, 0};

	assert_int_equal(decode_rows(L, &d, &e), 0);
	assert_string_equal(shown(), "{{a=1,b=\"x\"},{a=3},n=2}");
	d.flags = DECODE_POSITIONAL | DECODE_NULLS;
	assert_int_equal(decode_row(L, &d, 0, &e), 0);
	assert_string_equal(shown(), "{1,\"x\",2,a=1,b=\"x\"}");
	assert_int_equal(decode_row(L, &d, 1, &e), 0);
	assert_string_equal(shown(), "{3,null,4,a=3,b=null}");
	rows_unpin(&r);
}

static void
no_rows_are_an_empty_array(void **state)
{
	struct shape_col col = {.name = "v", .type = INT4};
	struct shape *s = shape_new(&col, 1);
	struct rows *r = rows_try_new(s, 0, 0);
	struct decode d = {r, 0};

	shape_unpin(&s);
	rows_seal(r);
	assert_int_equal(decode_rows(L, &d, &e), 0);
	assert_string_equal(shown(), "{n=0}");
	rows_unpin(&r);
}

static void
a_row_that_fails_leaves_nothing_on_the_stack(void **state)
{
	struct rows *r = one(INT8, "9007199254740993");
	struct decode d = {r, 0};

	lua_pushliteral(L, "below");
	assert_int_equal(decode_rows(L, &d, &e), LUNATE_EVALUE);
	assert_int_equal(lua_gettop(L), 1);
	assert_int_equal(decode_row(L, &d, 0, &e), LUNATE_EVALUE);
	assert_int_equal(lua_gettop(L), 1);
	rows_unpin(&r);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(scalars_become_what_the_table_says),
		T(an_int8_is_exact_or_an_error),
		T(numeric_is_exact_text_unless_asked_as_number),
		T(bytea_is_its_bytes),
		T(null_is_absent_or_the_null_of_lunate),
		T(json_is_a_table_or_its_text),
		T(arrays_are_tables_of_their_elements),
		T(an_array_that_is_cut_or_malformed_is_an_error),
		T(an_array_deeper_than_any_server_makes_is_an_error),
		T(no_memory_for_an_array_is_an_error),
		T(a_long_array_costs_what_it_is_long),
		T(of_two_columns_of_one_name_the_first_keeps_it),
		T(no_rows_are_an_empty_array),
		T(a_row_that_fails_leaves_nothing_on_the_stack),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
