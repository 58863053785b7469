/* SPDX-License-Identifier: MIT */
#include "params.h"

#include <lauxlib.h>
#include <luajit-2.1/lua.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "str.h"

#define CDATA 10 /* LuaJIT's lua_type() of an int64 */
#define DEEPEST 6

static char json_keys[2]; /* registry: encode, decode */

int
params_set_json(lua_State *L)
{
	for (int i = 0; i < 2; i++) {
		lua_pushlightuserdata(L, &json_keys[i]);
		lua_pushvalue(L, i + 1);
		lua_rawset(L, LUA_REGISTRYINDEX);
	}
	return 0;
}

void
params_push_json(lua_State *L, int decode)
{
	lua_pushlightuserdata(L, &json_keys[decode]);
	lua_rawget(L, LUA_REGISTRYINDEX);
}

static bool
is_null(lua_State *L, int at)
{
	return lua_isnoneornil(L, at) ||
	       (lua_islightuserdata(L, at) && lua_touserdata(L, at) == NULL);
}

/* Integers without exponent, everything else with all its digits. */
static int
number_text(char *out, size_t size, double d)
{
	if (isnan(d))
		return snprintf(out, size, "NaN");
	if (isinf(d))
		return snprintf(out, size, d > 0 ? "Infinity" : "-Infinity");
	if (d == floor(d) && fabs(d) <= 9007199254740992.0)
		return snprintf(out, size, "%.0f", d);
	return snprintf(out, size, "%.17g", d);
}

static int
unfit(struct err *e, int n, const char *what)
{
	return err_set(e, LUNATE_EPARAM, "parameter $%d: %s", n, what);
}

/* ---- arrays ------------------------------------------------------------------- */

static void
quote_element(struct str *s, const char *text, size_t len)
{
	str_addc(s, '"');
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '"' || text[i] == '\\')
			str_addc(s, '\\');
		str_addc(s, text[i]);
	}
	str_addc(s, '"');
}

static int add_array(lua_State *L, int at, int n, struct str *s, int depth);

static int
add_element(lua_State *L, int at, struct str *s, int depth)
{
	char text[40];
	const char *bytes;
	size_t len;

	if (is_null(L, at)) {
		str_add(s, "NULL");
		return 0;
	}
	switch (lua_type(L, at)) {
	case LUA_TBOOLEAN:
		str_add(s, lua_toboolean(L, at) ? "t" : "f");
		return 0;
	case LUA_TNUMBER:
		number_text(text, sizeof(text), lua_tonumber(L, at));
		str_add(s, text);
		return 0;
	case LUA_TSTRING:
		bytes = lua_tolstring(L, at, &len);
		if (memchr(bytes, 0, len) != NULL)
			return -1;
		quote_element(s, bytes, len);
		return 0;
	case LUA_TTABLE:
		return add_array(L, at, (int)lua_objlen(L, at), s, depth + 1);
	default:
		return -1;
	}
}

static int
add_array(lua_State *L, int at, int n, struct str *s, int depth)
{
	int rc = 0;

	if (depth > DEEPEST || !lua_checkstack(L, 4))
		return -1;
	str_addc(s, '{');
	for (int i = 1; i <= n && rc == 0; i++) {
		if (i > 1)
			str_addc(s, ',');
		lua_rawgeti(L, at, i); /* element */
		rc = add_element(L, lua_gettop(L), s, depth);
		lua_pop(L, 1);
	}
	str_addc(s, '}');
	return rc;
}

/* ---- one value ------------------------------------------------------------------ */

static void
keep(struct arena *a, struct pgval *v, const char *at, size_t len)
{
	v->at = arena_dup(a, at, len);
	v->len = (int)len;
}

static int
take_array(lua_State *L, int at, int n, struct arena *a, struct pgval *v)
{
	struct str s;
	int rc;

	str_init(&s);
	rc = add_array(L, at, n, &s, 1);
	if (rc == 0)
		keep(a, v, s.at, s.len);
	str_fini(&s);
	return rc;
}

static int
take_json(lua_State *L, int at, struct arena *a, struct pgval *v)
{
	const char *text;
	size_t len;

	params_push_json(L, 0);
	lua_pushvalue(L, at);
	if (lua_pcall(L, 1, 1, 0) != 0) {
		lua_pop(L, 1); /* message */
		return -1;
	}
	text = lua_tolstring(L, -1, &len);
	if (text != NULL)
		keep(a, v, text, len);
	lua_pop(L, 1); /* text */
	return text != NULL ? 0 : -1;
}

/* { __lunate = "array" | "json" | "bytea", value, n } */
static int
take_wrapped(lua_State *L, int at, const char *kind, struct arena *a,
	     struct pgval *v)
{
	size_t len;
	int rc = 0, n;

	lua_rawgeti(L, at, 1); /* value */
	lua_rawgeti(L, at, 2); /* value n */
	n = (int)lua_tointeger(L, -1);
	if (strcmp(kind, "array") == 0) {
		rc = take_array(L, lua_gettop(L) - 1, n, a, v);
	} else if (strcmp(kind, "json") == 0) {
		rc = take_json(L, lua_gettop(L) - 1, a, v);
	} else {
		const char *bytes = lua_tolstring(L, -2, &len);

		keep(a, v, bytes != NULL ? bytes : "", len);
		v->binary = true;
	}
	lua_pop(L, 2);
	return rc;
}

static bool
has_string_key(lua_State *L, int at)
{
	bool yes;

	lua_pushnil(L);
	if (lua_next(L, at) == 0)
		return false;
	yes = lua_type(L, -2) == LUA_TSTRING;
	lua_pop(L, 2);
	return yes;
}

static int
take_table(lua_State *L, int at, int n, struct arena *a, struct pgval *v,
	   struct err *e)
{
	int len = (int)lua_objlen(L, at), rc;
	const char *kind;

	lua_getfield(L, at, "__lunate"); /* kind */
	kind = lua_tostring(L, -1);
	if (kind != NULL)
		rc = take_wrapped(L, at, kind, a, v);
	else if (len > 0)
		rc = take_array(L, at, len, a, v);
	else if (has_string_key(L, at))
		rc = take_json(L, at, a, v);
	else
		rc = -2;
	lua_pop(L, 1);
	if (rc == -2)
		return unfit(e, n,
			     "an empty table can be an array or an "
			     "object; say lunate.array{} or "
			     "lunate.json{}");
	if (rc < 0)
		return unfit(e, n,
			     "the table cannot be written as an array "
			     "or as JSON; wrap it in lunate.json or "
			     "lunate.array and check what it holds");
	return 0;
}

/* Through tostring(): "42LL", "42ULL"; anything else is no number. */
static int
take_cdata(lua_State *L, int at, int n, struct arena *a, struct pgval *v,
	   struct err *e)
{
	const char *text;
	size_t len, digits;
	int rc = 0;

	lua_getglobal(L, "tostring");
	lua_pushvalue(L, at);
	lua_call(L, 1, 1); /* text */
	text = lua_tolstring(L, -1, &len);
	digits = strspn(text, "-0123456789");
	if (digits == 0 || (strcmp(text + digits, "LL") != 0 &&
			    strcmp(text + digits, "ULL") != 0))
		rc = unfit(e, n,
			   "a cdata that is not an int64; pass a number "
			   "or a string");
	else
		keep(a, v, text, digits);
	lua_pop(L, 1);
	return rc;
}

static int
take_one(lua_State *L, int at, int n, struct arena *a, struct pgval *v,
	 struct err *e)
{
	const char *bytes;
	char text[40];
	size_t len;

	if (is_null(L, at))
		return 0;
	switch (lua_type(L, at)) {
	case LUA_TBOOLEAN:
		keep(a, v, lua_toboolean(L, at) ? "t" : "f", 1);
		return 0;
	case LUA_TNUMBER:
		len = (size_t)number_text(text, sizeof(text),
					  lua_tonumber(L, at));
		keep(a, v, text, len);
		return 0;
	case LUA_TSTRING:
		bytes = lua_tolstring(L, at, &len);
		if (memchr(bytes, 0, len) != NULL)
			return unfit(e, n,
				     "a string with a zero byte is not "
				     "text; pass lunate.bytea(s)");
		if (len > INT32_MAX / 2)
			return unfit(e, n, "longer than 1 GiB");
		keep(a, v, bytes, len);
		return 0;
	case LUA_TTABLE:
		return take_table(L, at, n, a, v, e);
	case CDATA:
		return take_cdata(L, at, n, a, v, e);
	default:
		return err_set(e, LUNATE_EPARAM,
			       "parameter $%d: a %s cannot be a parameter", n,
			       luaL_typename(L, at));
	}
}

int
params_take(lua_State *L, int first, int last, struct arena *a,
	    struct pgval **vals, struct err *e)
{
	int n = last - first + 1;
	struct pgval *v;

	*vals = NULL;
	if (n <= 0)
		return 0;
	v = arena_new(a, (size_t)n * sizeof(*v));
	for (int i = 0; i < n; i++)
		if (take_one(L, first + i, i + 1, a, &v[i], e) < 0)
			return e->code;
	*vals = v;
	return n;
}
