/* SPDX-License-Identifier: MIT
 *
 * Values of policy files: what makes them, and their plain form.
 *
 * A quantity and a term are tables with whole-number keys and one of two
 * metatables, which no file can reach:
 *	quantity  [1] number  [2] unit
 *	term      [0] operator  [-1] line  [1..n] arguments
 */
#include <lauxlib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "read_int.h"

#define QUANTITY "lunate.quantity"
#define TERM "lunate.term"

#define COUNT(list) (sizeof(list) / sizeof(*(list)))

/* ---- quantities -------------------------------------------------------- */

static const struct unit {
	const char *name;
	double size;
	char unit;
} units[] = {
	{"milliseconds", 0.001, 's'}, {"seconds", 1, 's'},
	{"minutes", 60, 's'},	      {"hours", 3600, 's'},
	{"days", 86400, 's'},	      {"weeks", 604800, 's'},
	{"years", 31536000, 's'},     {"kilobytes", 1024, 'B'},
	{"megabytes", 1048576, 'B'},  {"gigabytes", 1073741824, 'B'},
};

static int
on_quantity(lua_State *L)
{
	const struct unit *u = lua_touserdata(L, lua_upvalueindex(1));
	double n = lua_tonumber(L, 1);

	if (lua_type(L, 1) != LUA_TNUMBER || !isfinite(n) || n < 0)
		return read_raise(L, read_now(L), "%s takes a number from 0",
				  u->name);
	lua_createtable(L, 2, 0);
	lua_pushnumber(L, n * u->size);
	lua_rawseti(L, -2, 1);
	lua_pushinteger(L, u->unit);
	lua_rawseti(L, -2, 2);
	luaL_getmetatable(L, QUANTITY);
	lua_setmetatable(L, -2);
	return 1;
}

/* ---- terms ------------------------------------------------------------- */

/* op(the arguments from `first` on, or the items of the only one, a table) */
static int
make_term(lua_State *L, const char *op, int first)
{
	int n = lua_gettop(L), k = 0;
	bool list = n == first && lua_istable(L, first) &&
		    !lua_getmetatable(L, first);

	lua_settop(L, n);
	lua_newtable(L);
	lua_pushstring(L, op);
	lua_rawseti(L, -2, 0);
	lua_pushinteger(L, read_line(L));
	lua_rawseti(L, -2, -1);
	for (int i = first; !list && i <= n; i++) {
		lua_pushvalue(L, i);
		lua_rawseti(L, -2, ++k);
	}
	for (int i = 1; list && i <= (int)lua_objlen(L, first); i++) {
		lua_rawgeti(L, first, i);
		lua_rawseti(L, -2, i);
	}
	luaL_getmetatable(L, TERM);
	lua_setmetatable(L, -2);
	return 1;
}

static int
on_method(lua_State *L)
{
	return make_term(L, lua_tostring(L, lua_upvalueindex(1)), 1);
}

/* term.name: the method that makes name(term, ...). */
static int
on_term_index(lua_State *L)
{
	if (lua_type(L, 2) != LUA_TSTRING)
		return read_raise(L, read_now(L),
				  "a condition has no such "
				  "part");
	lua_pushvalue(L, 2);
	lua_pushcclosure(L, on_method, 1);
	return 1;
}

/* row.x, ctx.x */
static int
on_placeholder(lua_State *L)
{
	const char *name = lua_tostring(L, lua_upvalueindex(1));

	if (lua_type(L, 2) != LUA_TSTRING)
		return read_raise(L, read_now(L), "%s is followed by a name",
				  name);
	lua_remove(L, 1);
	return make_term(L, name, 1);
}

static int
on_maker(lua_State *L)
{
	const char *op = lua_tostring(L, lua_upvalueindex(1));

	/* hours(5) is a time, hours("Mon-Fri 07:00-19:00") a condition. */
	if (strcmp(op, "hours") == 0 && lua_type(L, 1) == LUA_TNUMBER) {
		lua_pushvalue(L, lua_upvalueindex(2));
		lua_insert(L, 1);
		lua_call(L, lua_gettop(L) - 1, 1);
		return 1;
	}
	return make_term(L, op, 1);
}

static void
refuse_change(lua_State *L, const char *mt, lua_CFunction index)
{
	luaL_newmetatable(L, mt);
	if (index != NULL) {
		lua_pushcfunction(L, index);
		lua_setfield(L, -2, "__index");
	}
	lua_pop(L, 1);
}

static void
add_placeholder(lua_State *L, const char *name)
{
	lua_newtable(L);
	lua_createtable(L, 0, 1);
	lua_pushstring(L, name);
	lua_pushcclosure(L, on_placeholder, 1);
	lua_setfield(L, -2, "__index");
	lua_setmetatable(L, -2);
	lua_setfield(L, -2, name);
}

static void
add_terms(lua_State *L)
{
	/* role "x" { } declares one, so the condition is has_role "x". */
	static const char *const makers[][2] = {
		{"all", "all"},	      {"any", "any"},	  {"no", "no"},
		{"has_role", "role"}, {"hours", "hours"}, {"ip", "ip"}};

	add_placeholder(L, "row");
	add_placeholder(L, "ctx");
	for (size_t i = 0; i < COUNT(makers); i++) {
		lua_pushstring(L, makers[i][1]);
		lua_getfield(L, -2, "hours");
		lua_pushcclosure(L, on_maker, 2);
		lua_setfield(L, -2, makers[i][0]);
	}
}

void
read_add_values(lua_State *L, const struct vocab_file *f)
{
	refuse_change(L, QUANTITY, NULL);
	refuse_change(L, TERM, on_term_index);
	for (size_t i = 0; i < COUNT(units); i++) {
		lua_pushlightuserdata(L, (void *)&units[i]);
		lua_pushcclosure(L, on_quantity, 1);
		lua_setfield(L, -2, units[i].name);
	}
	if (f->terms)
		add_terms(L);
}

/* ---- the plain form ---------------------------------------------------- */

/* A value on its way: where it lies on the stack, and how deep. */
struct taking {
	struct reading *r;
	int index, depth;
};

static void take(lua_State *L, struct taking t, struct decl_value *out);

static bool
has_mt(lua_State *L, int index, const char *name)
{
	bool same;

	if (!lua_getmetatable(L, index))
		return false;
	luaL_getmetatable(L, name);
	same = lua_rawequal(L, -1, -2);
	lua_pop(L, 2);
	return same;
}

static void
take_text(lua_State *L, struct taking t, struct decl_value *out)
{
	size_t len;
	const char *s = lua_tolstring(L, t.index, &len);

	if (strlen(s) != len)
		read_raise(L, t.r, "a text with a 0 byte in it");
	out->type = DECL_TEXT;
	out->text = arena_dup(t.r->ask->arena, s, len);
	out->len = (unsigned)len;
}

static void
take_quantity(lua_State *L, struct taking t, struct decl_value *out)
{
	out->type = DECL_NUMBER;
	lua_rawgeti(L, t.index, 1);
	out->number = lua_tonumber(L, -1);
	lua_rawgeti(L, t.index, 2);
	out->unit = (char)lua_tointeger(L, -1);
	lua_pop(L, 2);
}

/* t[1..n] */
static void
take_items(lua_State *L, struct taking t, struct decl_value *out)
{
	unsigned n = (unsigned)lua_objlen(L, t.index);
	struct decl_value *items = arena_new(t.r->ask->arena,
					     (n + 1) * sizeof(*items));

	for (unsigned i = 0; i < n; i++) {
		lua_rawgeti(L, t.index, (int)i + 1);
		take(L, (struct taking){t.r, lua_gettop(L), t.depth + 1},
		     &items[i]);
		lua_pop(L, 1);
	}
	out->n = n;
	out->items = items;
}

static void
take_term(lua_State *L, struct taking t, struct decl_value *out)
{
	const char *op;
	size_t len;

	lua_rawgeti(L, t.index, 0);
	op = lua_tolstring(L, -1, &len);
	out->type = DECL_TERM;
	out->text = arena_dup(t.r->ask->arena, op, len);
	out->len = (unsigned)len;
	lua_rawgeti(L, t.index, -1);
	out->line = (int)lua_tointeger(L, -1);
	lua_pop(L, 2);
	take_items(L, t, out);
}

static int
by_key(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* All keys are texts; gives how many. */
static unsigned
count_keys(lua_State *L, struct taking t)
{
	unsigned n = 0;

	lua_pushnil(L);
	while (lua_next(L, t.index) != 0) {
		lua_pop(L, 1);
		if (lua_type(L, -1) != LUA_TSTRING)
			read_raise(L, t.r,
				   "a table has both names and a list; give "
				   "each value its name");
		n++;
	}
	return n;
}

static void
take_map(lua_State *L, struct taking t, struct decl_value *out)
{
	struct arena *a = t.r->ask->arena;
	unsigned n = count_keys(L, t), i = 0;
	struct decl_value *items = arena_new(a, (n + 1) * sizeof(*items));
	const char **keys = arena_new(a, (n + 1) * sizeof(*keys));

	lua_pushnil(L);
	for (; lua_next(L, t.index) != 0; lua_pop(L, 1))
		keys[i++] = arena_dup(a, lua_tostring(L, -2),
				      lua_objlen(L, -2));
	/* lua_next() has an order of its own in each VM. */
	qsort(keys, n, sizeof(*keys), by_key);
	for (i = 0; i < n; i++) {
		lua_pushstring(L, keys[i]);
		lua_rawget(L, t.index);
		take(L, (struct taking){t.r, lua_gettop(L), t.depth + 1},
		     &items[i]);
		lua_pop(L, 1);
	}
	out->type = DECL_MAP;
	out->n = n;
	out->items = items;
	out->keys = keys;
}

static void
take_table(lua_State *L, struct taking t, struct decl_value *out)
{
	luaL_checkstack(L, 8, "values");
	if (t.depth == READ_DEPTH)
		read_raise(L, t.r, "values are nested more than %d deep",
			   READ_DEPTH);
	if (has_mt(L, t.index, QUANTITY)) {
		take_quantity(L, t, out);
	} else if (has_mt(L, t.index, TERM)) {
		take_term(L, t, out);
	} else if (lua_objlen(L, t.index) > 0) {
		unsigned keys = 0;

		lua_pushnil(L);
		for (; lua_next(L, t.index) != 0; keys++)
			lua_pop(L, 1);
		if (keys != lua_objlen(L, t.index))
			read_raise(L, t.r,
				   "a table has both names and a list; give "
				   "each value its name");
		out->type = DECL_LIST;
		take_items(L, t, out);
	} else {
		take_map(L, t, out);
	}
}

static void
take_function(lua_State *L, struct taking t, struct decl_value *out)
{
	lua_Debug at;

	lua_pushvalue(L, t.index);
	lua_getinfo(L, ">S", &at);
	out->type = DECL_FUNCTION;
	out->line = at.linedefined;
	out->function = ++t.r->functions;
	lua_rawgeti(L, LUA_REGISTRYINDEX, READ_FUNCTIONS);
	lua_pushvalue(L, t.index);
	lua_rawseti(L, -2, (int)out->function);
	lua_pop(L, 1);
}

static void
take(lua_State *L, struct taking t, struct decl_value *out)
{
	*out = (struct decl_value){.type = DECL_NONE};
	switch (lua_type(L, t.index)) {
	case LUA_TBOOLEAN:
		out->type = DECL_BOOL;
		out->yes = lua_toboolean(L, t.index);
		return;
	case LUA_TNUMBER:
		out->type = DECL_NUMBER;
		out->number = lua_tonumber(L, t.index);
		return;
	case LUA_TSTRING:
		take_text(L, t, out);
		return;
	case LUA_TTABLE:
		take_table(L, t, out);
		return;
	case LUA_TFUNCTION:
		take_function(L, t, out);
		return;
	default:
		read_raise(L, t.r, "a %s is no value of a policy",
			   luaL_typename(L, t.index));
	}
}

void
read_value(lua_State *L, struct reading *r, int index, struct decl_value *out)
{
	take(L, (struct taking){r, index, 0}, out);
}
