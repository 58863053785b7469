/* SPDX-License-Identifier: MIT
 *
 * The policy VM: what a file can reach, and that what does not end is ended.
 */
#include "sandbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <lualib.h>

#include "watchdog.h"

static struct watchdog *dog;
static struct sandbox *box;

static int
begin_with(int64_t limit_us)
{
	struct sandbox_opts opts = {.limit_us = limit_us};
	struct err e;

	if (watchdog_new(&dog, &e) < 0)
		return -1;
	opts.watchdog = dog;
	return sandbox_new(&box, &opts, &e);
}

static int
begin(void **state)
{
	return begin_with(5000);
}

static int
begin_brief(void **state)
{
	return begin_with(1000);
}

/* Where another bound than that of time is looked at, which a sanitizer would
 * reach later. */
static int
begin_patient(void **state)
{
	return begin_with(5000000);
}

static int
end(void **state)
{
	sandbox_free(&box);
	watchdog_free(&dog);
	return 0;
}

/* The code it ended with; e tells. */
static int
run(const char *text, struct err *e)
{
	struct sandbox_file f = {"p.lua", text, strlen(text)};

	err_clear(e);
	if (sandbox_environment(box, e) < 0)
		return e->code;
	return sandbox_run(box, &f, e);
}

static void
passes(const char *text)
{
	struct err e;

	if (run(text, &e) < 0)
		fail_msg("%s: %s", text, e.text);
	assert_int_equal(lua_gettop(sandbox_lua(box)), 0);
}

static void
fails(const char *text, int code, const char *part)
{
	struct err e;

	assert_int_equal(run(text, &e), code);
	if (strstr(e.text, part) == NULL)
		fail_msg("%s: %s", text, e.text);
	assert_int_equal(lua_gettop(sandbox_lua(box)), 0);
	passes("assert(1 + 1 == 2)"); /* and the next one works */
}

static void
a_file_has_what_it_needs_and_nothing_else(void **state)
{
	static const char *const gone[] = {
		"io",	   "os",	   "ffi",	   "debug",
		"package", "jit",	   "coroutine",	   "load",
		"dofile",  "loadstring",   "loadfile",	   "require",
		"getfenv", "setfenv",	   "newproxy",	   "collectgarbage",
		"print",   "rawset",	   "rawget",	   "rawequal",
		"_G",	   "setmetatable", "getmetatable", "module",
		"gcinfo"};
	char text[80];

	passes("assert(pairs and ipairs and tostring and math.floor(1.5) == 1)"
	       "assert(table.concat({'a', 'b'}) == 'ab')"
	       "assert(('x'):rep(3) == 'xxx' and ('abc'):upper() == 'ABC')"
	       "assert(string.format('%d %s', 1, 'x') == '1 x')");
	for (size_t i = 0; i < sizeof(gone) / sizeof(*gone); i++) {
		snprintf(text, sizeof(text), "assert(%s == nil)", gone[i]);
		passes(text);
	}
	passes("assert(string.gsub == nil and string.dump == nil)");
}

static void
what_one_file_breaks_no_other_sees(void **state)
{
	passes("string.rep = nil; table.concat = nil; math.pi = 3; ipairs = 1; "
	       "string.format = function() return 'evil' end");
	passes("assert(('x'):rep(2) == 'xx' and string.rep('x', 2) == 'xx')"
	       "assert(string.format('%d', 1) == '1' and type(ipairs) == "
	       "'function' and table.concat({1}) == '1' and math.pi > 3.1)");
	passes("left = 1");
	passes("assert(left == nil)");
}

static void
what_does_not_end_is_stopped(void **state)
{
	static const char *const loops[] = {
		"while true do end",
		"while true do pcall(function() while true do end end) end",
		"local function f() return pcall(f) end while true do f() end",
		"repeat until pcall(error) == 1",
		"::a:: goto a",
		("while true do xpcall(function() while true do end end, "
		 "function() while true do end end) end"),
		"table.sort({3, 2, 1}, function(a, b) while true do end end)",
		"for i = 1, 1e18 do local x = i * i end"};

	for (size_t i = 0; i < sizeof(loops) / sizeof(*loops); i++)
		fails(loops[i], LUNATE_EDEADLINE, "too long");
}

/* The moment at which it is stopped may be any. */
static void
what_does_not_end_is_stopped_whenever_that_is(void **state)
{
	for (int i = 0; i < 200; i++)
		fails("local n = 0 repeat n = n + 1 until pcall(error) == 1",
		      LUNATE_EDEADLINE, "too long");
}

static void
memory_has_a_cap(void **state)
{
	fails("local t = {} for i = 1, 1e7 do t[i] = {} end", LUNATE_ETOOBIG,
	      "memory");
	fails("local s = ('x'):rep(200000) local t = {} for i = 1, 500 do "
	      "t[i] = s .. i end",
	      LUNATE_ETOOBIG, "memory");
	fails("('x'):rep(1e9)", LUNATE_EQUERY, "would make more");
	fails("string.format('%s%s', ('x'):rep(200000), ('x'):rep(200000))",
	      LUNATE_EQUERY, "format");
}

static void
a_pattern_gives_up(void **state)
{
	fails("return (('a'):rep(28)):find(('a?'):rep(28) .. ('a'):rep(28))",
	      LUNATE_EQUERY, "steps");
	fails("return (('a'):rep(5000)):match('.-.-.-.-b')", LUNATE_EQUERY,
	      "steps");
	fails("return ('a'):find('[')", LUNATE_EQUERY, "'['");
	fails("return ('a'):find('%')", LUNATE_EQUERY, "'%'");
	fails("return ('a'):find('(')", LUNATE_EQUERY, "'('");
}

static void
what_is_no_text_is_refused(void **state)
{
	fails("\033LJ\002", LUNATE_ESYNTAX, "compiled code");
	fails("x = = 1", LUNATE_ESYNTAX, "p.lua:1:");
	fails("\n\nerror('no')", LUNATE_EQUERY, "p.lua:3: no");
	fails("error({})", LUNATE_EQUERY, "no text");
	fails("local function f() return 1 + f() end f()", LUNATE_EQUERY,
	      "stack overflow");
}

/* ---- patterns are Lua's own -------------------------------------------- */

static uint64_t seed = 20261124;

static unsigned
chance(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)((seed >> 33) % n);
}

static void
random_text(char *out, const char *const *from, unsigned n)
{
	unsigned len = chance(7);

	*out = 0;
	while (len-- > 0)
		strcat(out, from[chance(n)]);
}

#define N(list) (sizeof(list) / sizeof(*(list)))

/* What find and match of a state give, as one text; "error" when they raise. */
static void
answer(lua_State *L, char *out, size_t room)
{
	size_t used = 0;
	int n;

	if (lua_pcall(L, 2, LUA_MULTRET, 0) != 0) {
		snprintf(out, room, "error");
		lua_settop(L, 0);
		return;
	}
	n = lua_gettop(L);
	*out = 0;
	for (int i = 1; i <= n && used < room; i++)
		used += (size_t)snprintf(out + used, room - used, "%s|",
					 lua_tostring(L, i) != NULL
						 ? lua_tostring(L, i)
						 : "nil");
	lua_settop(L, 0);
}

static void
ask(lua_State *L, const char *function, const char *text, const char *pattern)
{
	lua_getfield(L, LUA_REGISTRYINDEX, "test.strings");
	lua_getfield(L, -1, function);
	lua_remove(L, -2);
	lua_pushstring(L, text);
	lua_pushstring(L, pattern);
}

static void
patterns_mean_what_they_mean_in_lua(void **state)
{
	static const char *const parts[] = {
		"a",	 "b",	 ".",	  "%a", "%d", "%s",    "[ab]", "[^a]",
		"[a-c]", "*",	 "+",	  "-",	"?",  "(",     ")",    "^",
		"$",	 "%b()", "%f[a]", "()", "%1", "[%w_]", "1",    " "};
	static const char *const letters[] = {"a", "b", "c", "1", " ",
					      "(", ")", "_", "A"};
	lua_State *stock = luaL_newstate(), *ours = sandbox_lua(box);
	char text[128], pattern[128], want[512], got[512];
	struct err e;

	luaL_openlibs(stock);
	lua_getglobal(stock, "string");
	lua_setfield(stock, LUA_REGISTRYINDEX, "test.strings");
	assert_int_equal(sandbox_environment(box, &e), 0);
	lua_getfield(ours, -1, "string");
	lua_setfield(ours, LUA_REGISTRYINDEX, "test.strings");
	lua_settop(ours, 0);
	for (int i = 0; i < 20000; i++) {
		const char *f = chance(2) ? "find" : "match";

		random_text(text, letters, N(letters));
		random_text(pattern, parts, N(parts));
		ask(stock, f, text, pattern);
		answer(stock, want, sizeof(want));
		ask(ours, f, text, pattern);
		answer(ours, got, sizeof(got));
		if (strcmp(want, got) != 0)
			fail_msg("%s('%s', '%s'): %s, Lua says %s", f, text,
				 pattern, got, want);
	}
	lua_close(stock);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
#define BRIEF(name) cmocka_unit_test_setup_teardown(name, begin_brief, end)
#define PATIENT(name) cmocka_unit_test_setup_teardown(name, begin_patient, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_file_has_what_it_needs_and_nothing_else),
		T(what_one_file_breaks_no_other_sees),
		T(what_does_not_end_is_stopped),
		BRIEF(what_does_not_end_is_stopped_whenever_that_is),
		PATIENT(memory_has_a_cap),
		PATIENT(a_pattern_gives_up),
		PATIENT(what_is_no_text_is_refused),
		PATIENT(patterns_mean_what_they_mean_in_lua),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
