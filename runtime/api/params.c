/* SPDX-License-Identifier: MIT */
#include "params.h"

#include <lauxlib.h>
#include <luajit-2.1/lua.h>
#include "number.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
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

/* ---- arrays ------------------------------------------------------------ */

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

/* An array literal in the making. */
struct writer {
	lua_State *L;
	struct str *s;
	int depth;
};

static int add_array(struct writer *w, int at, int n);

static int
add_element(struct writer *w, int at)
{
	lua_State *L = w->L;
	struct str *s = w->s;
	char text[NUMBER_ROOM];
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
		number_write(text, lua_tonumber(L, at));
		str_add(s, text);
		return 0;
	case LUA_TSTRING:
		bytes = lua_tolstring(L, at, &len);
		if (memchr(bytes, 0, len) != NULL)
			return -1;
		quote_element(s, bytes, len);
		return 0;
	case LUA_TTABLE:
		return add_array(w, at, (int)lua_objlen(L, at));
	default:
		return -1;
	}
}

static int
add_array(struct writer *w, int at, int n)
{
	int rc = 0;

	if (!lua_istable(w->L, at) || w->depth == DEEPEST ||
	    !lua_checkstack(w->L, 4))
		return -1;
	w->depth++;
	str_addc(w->s, '{');
	for (int i = 1; i <= n && rc == 0; i++) {
		if (i > 1)
			str_addc(w->s, ',');
		lua_rawgeti(w->L, at, i); /* element */
		rc = add_element(w, lua_gettop(w->L));
		lua_pop(w->L, 1);
	}
	str_addc(w->s, '}');
	w->depth--;
	return rc;
}

/* ---- one value --------------------------------------------------------- */

/* The parameter that is being taken. */
struct slot {
	lua_State *L;
	int at;		 /* stack index */
	int n;		 /* $n */
	struct arena *a; /* where it is kept */
	struct pgval *v; /* what it becomes */
	struct err *e;
};

static int
unfit(const struct slot *s, const char *what)
{
	return err_set(s->e, LUNATE_EPARAM, "parameter $%d: %s", s->n, what);
}

static int
keep(const struct slot *s, const char *at, size_t len)
{
	char *to = arena_try(s->a, len + 1);

	if (to == NULL)
		return err_set(s->e, LUNATE_ENOMEM,
			       "parameter $%d: no memory for a value of this "
			       "size",
			       s->n);
	memcpy(to, at, len);
	s->v->at = to;
	s->v->len = (int)len;
	return 0;
}

static int
take_array(const struct slot *s, int at, int n)
{
	struct str text;
	int rc;

	str_init(&text);
	rc = add_array(&(struct writer){s->L, &text, 0}, at, n);
	if (rc == 0)
		rc = keep(s, text.at, text.len);
	str_fini(&text);
	return rc;
}

static int
take_json(const struct slot *s, int at)
{
	lua_State *L = s->L;
	const char *text;
	size_t len;
	int rc = -1;

	params_push_json(L, 0);
	lua_pushvalue(L, at);
	if (lua_pcall(L, 1, 1, 0) != 0) {
		lua_pop(L, 1); /* message */
		return -1;
	}
	text = lua_tolstring(L, -1, &len);
	if (text != NULL)
		rc = keep(s, text, len);
	lua_pop(L, 1); /* text */
	return rc;
}

/* { __lunate = "array" | "json" | "bytea", value, n } */
static int
take_wrapped(const struct slot *s, const char *kind)
{
	lua_State *L = s->L;
	size_t len;
	int rc = 0;

	lua_rawgeti(L, s->at, 1); /* value */
	lua_rawgeti(L, s->at, 2); /* value n */
	if (strcmp(kind, "array") == 0) {
		rc = take_array(s, lua_gettop(L) - 1,
				(int)lua_tointeger(L, -1));
	} else if (strcmp(kind, "json") == 0) {
		rc = take_json(s, lua_gettop(L) - 1);
	} else {
		const char *bytes = lua_tolstring(L, -2, &len);

		rc = keep(s, bytes != NULL ? bytes : "",
			  bytes != NULL ? len : 0);
		s->v->binary = true;
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
take_table(const struct slot *s)
{
	int len = (int)lua_objlen(s->L, s->at), rc;
	const char *kind;

	/* Raw: a metamethod that raises would leave the call behind. */
	lua_pushliteral(s->L, "__lunate");
	lua_rawget(s->L, s->at); /* kind */
	kind = lua_tostring(s->L, -1);
	if (kind != NULL)
		rc = take_wrapped(s, kind);
	else if (len > 0)
		rc = take_array(s, s->at, len);
	else if (has_string_key(s->L, s->at))
		rc = take_json(s, s->at);
	else
		rc = -2;
	lua_pop(s->L, 1);
	if (rc == -2)
		return unfit(s, "an empty table can be an array or an object; "
				"say lunate.array{} or lunate.json{}");
	if (rc == LUNATE_ENOMEM)
		return rc;
	if (rc < 0)
		return unfit(s, "the table cannot be written as an array or as "
				"JSON; wrap it in lunate.json or lunate.array "
				"and check what it holds");
	return 0;
}

/* Through tostring(): "42LL", "42ULL"; anything else is no number. */
static int
take_cdata(const struct slot *s)
{
	lua_State *L = s->L;
	const char *text;
	size_t digits;
	int rc = 0;

	lua_getglobal(L, "tostring");
	lua_pushvalue(L, s->at);
	(void)lua_pcall(L, 1, 1, 0); /* text */
	text = lua_tostring(L, -1);
	if (text == NULL)
		text = "";
	digits = strspn(text, "-0123456789");
	if (digits == 0 || (strcmp(text + digits, "LL") != 0 &&
			    strcmp(text + digits, "ULL") != 0))
		rc = unfit(s, "a cdata that is not an int64; pass a number or "
			      "a string");
	else
		rc = keep(s, text, digits);
	lua_pop(L, 1);
	return rc;
}

static int
take_string(const struct slot *s)
{
	size_t len;
	const char *bytes = lua_tolstring(s->L, s->at, &len);

	if (memchr(bytes, 0, len) != NULL)
		return unfit(s, "a string with a zero byte is not text; pass "
				"lunate.bytea(s)");
	if (len > INT32_MAX / 2)
		return unfit(s, "longer than 1 GiB");
	return keep(s, bytes, len);
}

static int
take_one(const struct slot *s)
{
	lua_State *L = s->L;
	char text[NUMBER_ROOM];

	if (is_null(L, s->at))
		return 0;
	switch (lua_type(L, s->at)) {
	case LUA_TBOOLEAN:
		return keep(s, lua_toboolean(L, s->at) ? "t" : "f", 1);
	case LUA_TNUMBER:
		return keep(s, text,
			    number_write(text, lua_tonumber(L, s->at)));
	case LUA_TSTRING:
		return take_string(s);
	case LUA_TTABLE:
		return take_table(s);
	case CDATA:
		return take_cdata(s);
	default:
		return err_set(s->e, LUNATE_EPARAM,
			       "parameter $%d: a %s cannot be a parameter",
			       s->n, luaL_typename(L, s->at));
	}
}

int
params_take(lua_State *L, int first, struct params *p, struct err *e)
{
	int n = lua_gettop(L) - first + 1;
	struct slot s = {.L = L, .a = p->arena, .e = e};

	p->vals = NULL;
	p->n = 0;
	if (n <= 0)
		return 0;
	p->vals = arena_new(p->arena, (size_t)n * sizeof(*p->vals));
	p->n = n;
	for (int i = 0; i < n; i++) {
		s.at = first + i;
		s.n = i + 1;
		s.v = &p->vals[i];
		if (take_one(&s) < 0)
			return e->code;
	}
	return 0;
}
