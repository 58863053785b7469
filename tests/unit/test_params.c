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

#include "params.h"

static lua_State *L;
static struct arena arena;
static struct params p;
static struct err e;

/* A JSON encoder that shows it was called, and refuses functions. */
static const char encoder[] =
	"local function enc(v) if type(v) == 'function' then error('no') end "
	"if type(v) ~= 'table' then return '<' .. tostring(v) .. '>' end "
	"local n = 0 for k, x in pairs(v) do enc(x) n = n + 1 end "
	"return 'json' .. n end return enc, enc";

static int
begin(void **state)
{
	(void)state;
	L = luaL_newstate();
	luaL_openlibs(L);
	assert_int_equal(luaL_dostring(L, encoder), 0);
	params_set_json(L);
	lua_settop(L, 0);
	arena_init(&arena, NULL, 0);
	p = (struct params){.arena = &arena};
	err_clear(&e);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	arena_fini(&arena);
	lua_close(L);
	return 0;
}

/* Takes what the Lua expressions give; the stack is left as it was. */
static int
take(const char *expressions)
{
	char code[1000];
	int rc, top;

	lua_settop(L, 0);
	lua_pushliteral(L, "not a parameter");
	snprintf(code, sizeof(code), "return %s", expressions);
	if (luaL_loadstring(L, code) != 0 ||
	    lua_pcall(L, 0, LUA_MULTRET, 0) != 0)
		fail_msg("%s", lua_tostring(L, -1));
	top = lua_gettop(L);
	rc = params_take(L, 2, &p, &e);
	assert_int_equal(lua_gettop(L), top);
	return rc;
}

static void
gives(const char *expression, const char *text)
{
	if (take(expression) < 0)
		fail_msg("%s: %s", expression, e.text);
	assert_int_equal(p.n, 1);
	assert_non_null(p.vals[0].at);
	assert_string_equal(p.vals[0].at, text);
	assert_int_equal(p.vals[0].len, strlen(text));
	assert_false(p.vals[0].binary);
}

static void
refuses(const char *expression, const char *remedy)
{
	assert_int_equal(take(expression), LUNATE_EPARAM);
	assert_non_null(strstr(e.text, "parameter $1"));
	if (strstr(e.text, remedy) == NULL)
		fail_msg("%s: %s", expression, e.text);
	assert_null(strstr(e.text, "secret"));
}

static void
no_values_are_no_parameters(void **state)
{
	assert_true(take("") >= 0);
	assert_int_equal(p.n, 0);
}

static void
nil_and_the_null_pointer_are_null(void **state)
{
	assert_true(take("nil, nil, 1, nil") >= 0);
	assert_int_equal(p.n, 4);
	assert_null(p.vals[0].at);
	assert_null(p.vals[1].at);
	assert_non_null(p.vals[2].at);
	assert_null(p.vals[3].at);
	lua_settop(L, 0);
	lua_pushlightuserdata(L, NULL);
	assert_true(params_take(L, 1, &p, &e) >= 0);
	assert_null(p.vals[0].at);
}

static void
numbers_keep_every_digit(void **state)
{
	gives("1", "1");
	gives("-7", "-7");
	gives("2^53", "9007199254740992");
	gives("-2^53", "-9007199254740992");
	gives("0.1", "0.1");
	gives("1e300", "1e+300");
	gives("0.1 + 0.2", "0.30000000000000004");
	gives("0/0 ~= 0/0 and math.huge", "Infinity");
	gives("-math.huge", "-Infinity");
	gives("0/0", "NaN");
}

static void
an_int64_is_exact_to_its_borders(void **state)
{
	gives("9223372036854775807LL", "9223372036854775807");
	gives("-9223372036854775807LL - 1LL", "-9223372036854775808");
	gives("18446744073709551615ULL", "18446744073709551615");
	gives("0LL", "0");
}

static void
a_cdata_that_is_no_integer_is_refused(void **state)
{
	refuses("require('ffi').new('struct { int secret; }')", "int64");
	refuses("require('ffi').new('int[3]')", "int64");
	refuses("1i", "int64");
}

static void
booleans_and_strings_go_as_they_are(void **state)
{
	gives("true", "t");
	gives("false", "f");
	gives("''", "");
	gives("'it\\'s \\\\ {x}, \"y\"'", "it's \\ {x}, \"y\"");
	gives("'\\195\\164'", "\303\244");
}

static void
a_zero_byte_is_refused_unless_it_is_bytea(void **state)
{
	refuses("'secret\\0'", "lunate.bytea");
	assert_true(take("{ __lunate = 'bytea', 'a\\0b' }") >= 0);
	assert_true(p.vals[0].binary);
	assert_int_equal(p.vals[0].len, 3);
	assert_memory_equal(p.vals[0].at, "a\0b", 3);
}

static void
a_list_is_an_array_literal(void **state)
{
	gives("{1, 2, 3}", "{1,2,3}");
	gives("{'a', 'b\"c', 'd\\\\e', ''}",
	      "{\"a\",\"b\\\"c\",\"d\\\\e\",\"\"}");
	gives("{true, false}", "{t,f}");
	gives("{'NULL', 'null'}", "{\"NULL\",\"null\"}");
	gives("{{1, 2}, {3, 4}}", "{{1,2},{3,4}}");
	gives("{ __lunate = 'array', {}, 0 }", "{}");
	gives("{ __lunate = 'array', {1, nil, 3}, 3 }", "{1,NULL,3}");
	gives("{ __lunate = 'array', {}, 2 }", "{NULL,NULL}");
}

static void
an_array_that_is_none_is_refused_and_not_read(void **state)
{
	refuses("{ __lunate = 'array', 'secret', 3 }", "lunate.array");
	refuses("{ __lunate = 'array', 12, 3 }", "lunate.array");
	refuses("{ __lunate = 'array' }", "lunate.array");
	refuses("{ print }", "lunate.array");
	refuses("{ 'secret\\0' }", "lunate.array");
}

static void
six_dimensions_are_the_most(void **state)
{
	gives("{{{{{{1}}}}}}", "{{{{{{1}}}}}}");
	refuses("{{{{{{{1}}}}}}}", "lunate.array");
	refuses("(function() local t = {} t[1] = t return t end)()",
		"lunate.array");
}

static void
a_table_of_names_is_json(void **state)
{
	gives("{ a = 1 }", "json1");
	gives("{ __lunate = 'json', {} }", "json0");
	gives("{ __lunate = 'json', 5 }", "<5>");
	refuses("{ secret = print }", "lunate.json");
	refuses("{ __lunate = 'json', print }", "lunate.json");
}

static void
an_empty_table_says_that_it_could_be_both(void **state)
{
	refuses("{}", "lunate.array{} or lunate.json{}");
}

static void
what_cannot_be_a_parameter_is_refused_by_its_kind(void **state)
{
	refuses("print", "function");
	refuses("coroutine.create(print)", "thread");
	refuses("io.stdout", "userdata");
}

static void
an_error_names_which_parameter_it_was(void **state)
{
	assert_int_equal(take("1, 'x', print"), LUNATE_EPARAM);
	assert_non_null(strstr(e.text, "parameter $3"));
}

static void
no_memory_for_a_value_is_an_error(void **state)
{
	static const char *const values[] = {
		"('x'):rep(100000)", "{ ('x'):rep(100000) }",
		"{ __lunate = 'bytea', ('x'):rep(100000) }"};

	for (int i = 0; i < 3; i++) {
		mem_fail_after(1);
		assert_int_equal(take(values[i]), LUNATE_ENOMEM);
		assert_non_null(strstr(e.text, "parameter $1"));
		mem_fail_after(0);
		assert_int_equal(take(values[i]), 0);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(no_values_are_no_parameters),
		T(nil_and_the_null_pointer_are_null),
		T(numbers_keep_every_digit),
		T(an_int64_is_exact_to_its_borders),
		T(a_cdata_that_is_no_integer_is_refused),
		T(booleans_and_strings_go_as_they_are),
		T(a_zero_byte_is_refused_unless_it_is_bytea),
		T(a_list_is_an_array_literal),
		T(an_array_that_is_none_is_refused_and_not_read),
		T(six_dimensions_are_the_most),
		T(a_table_of_names_is_json),
		T(an_empty_table_says_that_it_could_be_both),
		T(what_cannot_be_a_parameter_is_refused_by_its_kind),
		T(an_error_names_which_parameter_it_was),
		T(no_memory_for_a_value_is_an_error),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
