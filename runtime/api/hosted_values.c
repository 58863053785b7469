/* SPDX-License-Identifier: MIT */
#include "hosted_values.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "decode.h"
#include "host_rows.h"
#include "number.h"
#include "params.h"

#define CDATA 10 /* LuaJIT's lua_type() of an int64 */
#define EXACT 9007199254740992.0

enum { T_BOOL = 16, T_INT8 = 20, T_TEXT = 25, T_JSON = 114, T_FLOAT8 = 701 };

/* ---- in ---------------------------------------------------------------- */

static int
copy_text(struct arena *arena, struct lunate_value *v)
{
	char *to = arena_try(arena, v->len + 1);

	if (to == NULL)
		return LUNATE_ENOMEM;
	if (v->len > 0)
		memcpy(to, v->as.text, v->len);
	v->as.text = to;
	return 0;
}

struct lunate_value *
hosted_copy(struct arena *arena, const struct lunate_lua *call, struct err *e)
{
	struct lunate_value *all = arena_new(
		arena, sizeof(*all) * (size_t)(call->nvalues + 1));

	for (int i = 0; i < call->nvalues; i++) {
		struct lunate_value *v = &all[i];

		*v = call->values[i];
		if (v->type < LUNATE_NULL || v->type > LUNATE_JSON ||
		    (v->type >= LUNATE_TEXT && v->as.text == NULL &&
		     v->len > 0)) {
			err_set(e, LUNATE_EPARAM,
				"argument %d is no value of enum lunate_type",
				i + 1);
			return NULL;
		}
		if (v->type >= LUNATE_TEXT && copy_text(arena, v) < 0) {
			err_set(e, LUNATE_ENOMEM, "no memory for argument %d",
				i + 1);
			return NULL;
		}
	}
	return all;
}

static void
push_int(lua_State *L, int64_t n)
{
	char text[NUMBER_ROOM];

	if (fabs((double)n) <= EXACT) {
		lua_pushnumber(L, (double)n);
		return;
	}
	number_write_int(text, n);
	decode_push_int64(L, text);
}

static void
push_json(lua_State *L, const struct lunate_value *v, int n)
{
	params_push_json(L, 1);
	lua_pushlstring(L, v->as.text, v->len);
	/* The message of the reader would quote the value. */
	if (lua_pcall(L, 1, 1, 0) != 0)
		luaL_error(L, "argument %d is no JSON", n);
}

void
hosted_push(lua_State *L, const struct lunate_value *v, int n)
{
	switch ((enum lunate_type)v->type) {
	case LUNATE_NULL:
		lua_pushnil(L);
		return;
	case LUNATE_BOOL:
		lua_pushboolean(L, v->as.integer != 0);
		return;
	case LUNATE_INT:
		push_int(L, v->as.integer);
		return;
	case LUNATE_REAL:
		lua_pushnumber(L, v->as.real);
		return;
	case LUNATE_TEXT:
	case LUNATE_BYTES:
		lua_pushlstring(L, v->as.text, v->len);
		return;
	case LUNATE_JSON:
		push_json(L, v, n);
		return;
	}
}

/* ---- out --------------------------------------------------------------- */

/* One value on its way; its text is on the Lua stack or in `room`. */
struct out {
	uint32_t type;
	const char *at; /* NULL: SQL NULL */
	size_t len;
	char room[NUMBER_ROOM];
};

static void
take_number(struct out *o, double d)
{
	bool whole = d == floor(d) && fabs(d) <= EXACT;

	o->type = whole ? T_INT8 : T_FLOAT8;
	if (whole)
		o->len = number_write_int(o->room, (int64_t)d);
	else
		o->len = number_write(o->room, d);
	o->at = o->room;
}

/* Replaces the value at `at` by its JSON text. */
static bool
take_json(lua_State *L, int at, struct out *o)
{
	params_push_json(L, 0);
	lua_pushvalue(L, at);
	if (lua_pcall(L, 1, 1, 0) != 0 || lua_type(L, -1) != LUA_TSTRING) {
		lua_pop(L, 1);
		return false;
	}
	lua_replace(L, at);
	o->type = T_JSON;
	o->at = lua_tolstring(L, at, &o->len);
	return true;
}

/* An int64 prints as 12LL or 12ULL. */
static bool
take_cdata(lua_State *L, int at, struct out *o)
{
	lua_getglobal(L, "tostring");
	lua_pushvalue(L, at);
	if (lua_pcall(L, 1, 1, 0) != 0 || lua_type(L, -1) != LUA_TSTRING) {
		lua_pop(L, 1);
		return false;
	}
	lua_replace(L, at);
	o->at = lua_tolstring(L, at, &o->len);
	o->len = strspn(o->at, "-0123456789");
	o->type = T_INT8;
	return strcmp(o->at + o->len, "LL") == 0 ||
	       strcmp(o->at + o->len, "ULL") == 0;
}

static bool
take(lua_State *L, int at, struct out *o)
{
	o->type = T_TEXT;
	switch (lua_type(L, at)) {
	case LUA_TNIL:
		return true;
	case LUA_TBOOLEAN:
		o->type = T_BOOL;
		o->at = lua_toboolean(L, at) ? "t" : "f";
		o->len = 1;
		return true;
	case LUA_TNUMBER:
		take_number(o, lua_tonumber(L, at));
		return true;
	case LUA_TSTRING:
		o->at = lua_tolstring(L, at, &o->len);
		return true;
	case LUA_TTABLE:
		return take_json(L, at, o);
	case LUA_TLIGHTUSERDATA:
		return lua_touserdata(L, at) == NULL; /* lunate.null */
	case CDATA:
		return take_cdata(L, at, o);
	default:
		return false;
	}
}

static struct shape *
shape_of(const struct out *all, int n)
{
	struct shape_col *cols = mem_new(sizeof(*cols) * (size_t)(n + 1));
	char(*names)[NUMBER_ROOM] = mem_new(NUMBER_ROOM * (size_t)(n + 1));
	struct shape *shape;

	for (int i = 0; i < n; i++) {
		number_write_int(names[i], i + 1);
		cols[i] = (struct shape_col){
			.name = names[i], .type = all[i].type, .typmod = -1};
	}
	shape = shape_new(cols, n);
	mem_free(names);
	mem_free(cols);
	return shape;
}

static struct rows *
fill(const struct out *all, int n)
{
	struct shape *shape = shape_of(all, n);
	struct rows *rows;
	size_t bytes = 0;

	for (int i = 0; i < n; i++)
		bytes += all[i].len;
	rows = rows_try_new(shape, 1, bytes);
	shape_unpin(&shape);
	if (rows == NULL)
		return NULL;
	for (int i = 0; i < n; i++)
		rows_put(rows, all[i].at, all[i].len);
	rows_seal(rows);
	return rows;
}

struct lunate_rows *
hosted_rows(lua_State *L, int first, struct err *e)
{
	int n = lua_gettop(L) - first + 1;
	struct out *all = mem_new(sizeof(*all) * (size_t)(n + 1));
	struct rows *rows = NULL;
	int i = 0;

	luaL_checkstack(L, 8, "results");
	while (i < n && take(L, first + i, &all[i]))
		i++;
	if (i < n)
		err_set(e, LUNATE_EVALUE,
			"value %d that the function returns, a %s, cannot "
			"leave Lua",
			i + 1, luaL_typename(L, first + i));
	else
		rows = fill(all, n);
	if (i == n && rows == NULL)
		err_set(e, LUNATE_ENOMEM,
			"no memory for what the function "
			"returns");
	mem_free(all);
	return rows != NULL ? host_rows_new(rows, -1, 0) : NULL;
}
