/* SPDX-License-Identifier: MIT */
#include "decode.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "number.h"
#include "params.h"

static char int64_key;	/* registry: text -> int64 */
static char maker_key;	/* registry: names -> a maker of rows */
static char makers_key; /* registry: makers by shape */

/* Type OIDs of pg_type.dat; they never change. */
enum {
	T_BOOL = 16,
	T_BYTEA = 17,
	T_INT8 = 20,
	T_INT2 = 21,
	T_INT4 = 23,
	T_OID = 26,
	T_TEXT = 25,
	T_JSON = 114,
	T_FLOAT4 = 700,
	T_FLOAT8 = 701,
	T_VARCHAR = 1043,
	T_DATE = 1082,
	T_TIMESTAMP = 1114,
	T_TIMESTAMPTZ = 1184,
	T_NUMERIC = 1700,
	T_UUID = 2950,
	T_JSONB = 3802,
};

/* Array type -> element type, for what is not a string inside. */
static uint32_t
element_type(uint32_t type)
{
	static const uint32_t pairs[][2] = {
		{1000, T_BOOL},	   {1001, T_BYTEA},  {1016, T_INT8},
		{1005, T_INT2},	   {1007, T_INT4},   {1028, T_OID},
		{199, T_JSON},	   {1021, T_FLOAT4}, {1022, T_FLOAT8},
		{1231, T_NUMERIC}, {3807, T_JSONB},  {1009, 25},
		{1015, 1043},	   {1014, 1042},     {2951, 2950},
		{1182, 1082},	   {1115, 1114},     {1185, 1184},
		{1183, 1083},	   {1270, 1266},     {1187, 1186},
		{1002, 18},	   {1003, 19},	     {1041, 869},
		{651, 650},	   {1040, 829},	     {1561, 1560},
		{1563, 1562},	   {791, 790},	     {1263, 2275}};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
		if (pairs[i][0] == type)
			return pairs[i][1];
	return 0;
}

int
decode_set_int64(lua_State *L)
{
	lua_pushlightuserdata(L, &int64_key);
	lua_pushvalue(L, 1);
	lua_rawset(L, LUA_REGISTRYINDEX);
	return 0;
}

void
decode_push_int64(lua_State *L, const char *text)
{
	lua_pushlightuserdata(L, &int64_key);
	lua_rawget(L, LUA_REGISTRYINDEX); /* fn */
	lua_pushstring(L, text);
	lua_call(L, 1, 1); /* int64 */
}

/* One value as the server sent it. */
struct cell {
	uint32_t type;
	const char *at; /* 0 follows */
	size_t len;
	unsigned flags; /* DECODE_* */
};

static const char *push_value(lua_State *L, const struct cell *c);

static const char *
push_int8(lua_State *L, const struct cell *c)
{
	long long v;

	if (c->flags & DECODE_INT_STRING) {
		lua_pushlstring(L, c->at, c->len);
		return NULL;
	}
	if (c->flags & DECODE_INT64) {
		decode_push_int64(L, c->at);
		return NULL;
	}
	v = strtoll(c->at, NULL, 10);
	if (v > (1ll << 53) || v < -(1ll << 53))
		return "an int8 beyond 2^53 does not fit a Lua number; ask "
		       "for int8 = \"int64\" or \"string\"";
	lua_pushnumber(L, (double)v);
	return NULL;
}

static const char *
push_bytea(lua_State *L, const char *at, size_t len)
{
	long n = hex_length(at, len);
	unsigned char few[256], *bytes = few;

	if (n < 0)
		return "bytea is not in hex format; leave bytea_output alone";
	if ((size_t)n > sizeof(few))
		bytes = mem_try((size_t)n);
	if (bytes == NULL)
		return "no memory for the bytes of a bytea";
	hex_read(at, len, bytes);
	lua_pushlstring(L, (const char *)bytes, (size_t)n);
	if (bytes != few)
		mem_free(bytes);
	return NULL;
}

static const char *
push_json(lua_State *L, const struct cell *c)
{
	if (c->flags & DECODE_JSON_STRING) {
		lua_pushlstring(L, c->at, c->len);
		return NULL;
	}
	params_push_json(L, 1);
	lua_pushlstring(L, c->at, c->len);
	if (lua_pcall(L, 1, 1, 0) == 0)
		return NULL;
	lua_pop(L, 1); /* message: it would quote the value */
	return "the JSON cannot be read as a table (too deep, or a number out "
	       "of range); ask for json = \"string\"";
}

/* ---- arrays: {1,NULL,"a\"b",{...}} ------------------------------------- */

struct reader {
	const char *at, *end;
	char *text; /* room for the longest element */
	uint32_t type;
	unsigned flags;
};

static const char broken[] = "the array cannot be read";

static bool
over(const struct reader *r, bool quoted)
{
	return quoted ? *r->at == '"' : *r->at == ',' || *r->at == '}';
}

/* One element, quoted or not, without its quoting. */
static const char *
read_element(lua_State *L, struct reader *r)
{
	bool quoted = *r->at == '"';
	struct cell c = {r->type, r->text, 0, r->flags};

	r->at += quoted;
	while (r->at < r->end && !over(r, quoted)) {
		if (*r->at == '\\' && r->at + 1 < r->end)
			r->at++;
		r->text[c.len++] = *r->at++;
	}
	if (r->at == r->end || (c.len == 0 && !quoted))
		return broken;
	r->at += quoted;
	r->text[c.len] = 0;
	if (quoted || strcmp(r->text, "NULL") != 0)
		return push_value(L, &c);
	lua_pushlightuserdata(L, NULL);
	return NULL;
}

static const char *read_array(lua_State *L, struct reader *r, int depth);

/* The elements behind "{", up to and with "}", into the table on top. */
static const char *
read_elements(lua_State *L, struct reader *r, int depth)
{
	const char *why;

	for (int i = 1; r->at < r->end; i++) {
		if (i == 1 && *r->at == '}')
			break;
		why = *r->at == '{' ? read_array(L, r, depth + 1)
				    : read_element(L, r);
		if (why != NULL)
			return why;
		lua_rawseti(L, -2, i);
		if (r->at == r->end || *r->at != ',')
			break;
		if (++r->at == r->end)
			break;
	}
	return r->at < r->end && *r->at++ == '}' ? NULL : broken;
}

static const char *
read_array(lua_State *L, struct reader *r, int depth)
{
	const char *why;

	if (depth > 6 || r->at >= r->end || *r->at != '{' ||
	    !lua_checkstack(L, 6))
		return broken;
	r->at++;
	lua_newtable(L); /* t */
	why = read_elements(L, r, depth);
	if (why != NULL)
		lua_pop(L, 1); /* t */
	return why;
}

static const char *
push_array(lua_State *L, uint32_t element, const struct cell *c)
{
	struct reader r = {c->at, c->at + c->len, NULL, element, c->flags};
	const char *why;

	/* "[2:3]={...}": other lower bounds are not kept */
	if (c->len > 0 && c->at[0] == '[') {
		const char *brace = memchr(c->at, '{', c->len);

		r.at = brace != NULL ? brace : r.end;
	}
	r.text = mem_try(c->len + 1);
	if (r.text == NULL)
		return "no memory for the elements of an array";
	why = read_array(L, &r, 1);
	mem_free(r.text);
	if (why == NULL && r.at != r.end) {
		lua_pop(L, 1); /* t */
		return broken;
	}
	return why;
}

/* An int4 or smaller, as the server writes it. */
static double
int_of(const struct cell *c)
{
	const char *at = c->at;
	bool negative = *at == '-';
	int64_t n = 0;

	for (at += negative; *at >= '0' && *at <= '9'; at++)
		n = n * 10 + (*at - '0');
	return (double)(negative ? -n : n);
}

/* What the server calls a number is one. */
static double
real_of(const struct cell *c)
{
	double value = 0;

	(void)!number_read(c->at, &value);
	return value;
}

/* Pushes the value; or pushes nothing and says why. */
static const char *
push_value(lua_State *L, const struct cell *c)
{
	uint32_t element;

	switch (c->type) {
	case T_TEXT:
	case T_VARCHAR:
	case T_DATE:
	case T_TIMESTAMP:
	case T_TIMESTAMPTZ:
	case T_UUID: /* what is frequent need not be looked for below */
		lua_pushlstring(L, c->at, c->len);
		return NULL;
	case T_BOOL:
		lua_pushboolean(L, c->at[0] == 't');
		return NULL;
	case T_INT2:
	case T_INT4:
	case T_OID:
		lua_pushnumber(L, int_of(c));
		return NULL;
	case T_FLOAT4:
	case T_FLOAT8:
		lua_pushnumber(L, real_of(c));
		return NULL;
	case T_INT8:
		return push_int8(L, c);
	case T_NUMERIC:
		if (c->flags & DECODE_NUMERIC)
			lua_pushnumber(L, real_of(c));
		else
			lua_pushlstring(L, c->at, c->len);
		return NULL;
	case T_BYTEA:
		return push_bytea(L, c->at, c->len);
	case T_JSON:
	case T_JSONB:
		return push_json(L, c);
	default:
		break;
	}
	element = element_type(c->type);
	if (element != 0)
		return push_array(L, element, c);
	lua_pushlstring(L, c->at, c->len);
	return NULL;
}

/* ---- rows -------------------------------------------------------------- */

static int
no_value(const struct rows *r, int col, const char *why, struct err *e)
{
	return err_set(e, LUNATE_EVALUE, "column %d (\"%.60s\"): %s", col + 1,
		       rows_shape(r)->cols[col].name, why);
}

static bool
seen_before(const struct shape *s, int col)
{
	for (int i = 0; i < col; i++)
		if (strcmp(s->cols[i].name, s->cols[col].name) == 0)
			return true;
	return false;
}

/* Pushes the value of a column, or nothing: then says why. */
static const char *
push_cell(lua_State *L, const struct decode *d, size_t row, int col)
{
	struct cell c = {.flags = d->flags};

	c.at = rows_cell(d->rows, row, col, &c.len);
	c.type = rows_shape(d->rows)->cols[col].type;
	if (c.at != NULL)
		return push_value(L, &c);
	if (d->flags & DECODE_NULLS)
		lua_pushlightuserdata(L, NULL);
	else
		lua_pushnil(L);
	return NULL;
}

/* Stack: ... row value -> ... row */
static void
store(lua_State *L, const struct decode *d, int col)
{
	const struct shape *s = rows_shape(d->rows);

	if (d->flags & DECODE_POSITIONAL) {
		lua_pushvalue(L, -1);
		lua_rawseti(L, -3, col + 1);
	}
	if (seen_before(s, col)) {
		lua_pop(L, 1);
		return;
	}
	lua_pushstring(L, s->cols[col].name); /* row value name */
	lua_insert(L, -2);
	lua_rawset(L, -3);
}

int
decode_row(lua_State *L, const struct decode *d, size_t row, struct err *e)
{
	const struct shape *s = rows_shape(d->rows);
	const char *why;

	lua_createtable(L, (d->flags & DECODE_POSITIONAL) ? s->ncols : 0,
			s->ncols); /* row */
	for (int i = 0; i < s->ncols; i++) {
		why = push_cell(L, d, row, i);
		if (why != NULL) {
			lua_pop(L, 1); /* row */
			return no_value(d->rows, i, why, e);
		}
		store(L, d, i);
	}
	return 0;
}

/* ---- many rows of one shape ------------------------------------------------
 *
 * A function that is written for the shape, return { a = ..., b = ... }, makes
 * a row at a third of the cost of storing its fields one by one. */

#define MAKE_FROM 4	/* rows */
#define MAKE_COLUMNS 64 /* a Lua function takes not many more arguments */
#define MAKERS 512	/* shapes remembered */

int
decode_set_maker(lua_State *L)
{
	lua_pushlightuserdata(L, &maker_key);
	lua_pushvalue(L, 1);
	lua_rawset(L, LUA_REGISTRYINDEX);
	return 0;
}

/* Pushes the table of makers by shape; a new one when it is full. */
static void
push_makers(lua_State *L)
{
	lua_pushlightuserdata(L, &makers_key);
	lua_rawget(L, LUA_REGISTRYINDEX); /* makers */
	if (!lua_isnil(L, -1) && lua_objlen(L, -1) < MAKERS)
		return;
	lua_pop(L, 1);
	lua_newtable(L);
	lua_pushlightuserdata(L, &makers_key);
	lua_pushvalue(L, -2);
	lua_rawset(L, LUA_REGISTRYINDEX);
}

/* make(names, positional); a name that came before is false */
static void
write_maker(lua_State *L, const struct shape *s, bool positional)
{
	lua_pushlightuserdata(L, &maker_key);
	lua_rawget(L, LUA_REGISTRYINDEX);
	lua_createtable(L, s->ncols, 0); /* fn names */
	for (int i = 0; i < s->ncols; i++) {
		if (seen_before(s, i))
			lua_pushboolean(L, 0);
		else
			lua_pushstring(L, s->cols[i].name);
		lua_rawseti(L, -2, i + 1);
	}
	lua_pushboolean(L, positional);
	lua_call(L, 2, 1);
}

/* Pushes the maker of this shape.  In its table each stands twice: by its
 * key, and in a row by which they are counted. */
static void
push_maker(lua_State *L, const struct decode *d)
{
	const struct shape *s = rows_shape(d->rows);
	bool positional = (d->flags & DECODE_POSITIONAL) != 0;
	double key = -(double)s->id * 2 - positional;

	push_makers(L); /* makers */
	lua_pushnumber(L, key);
	lua_rawget(L, -2);
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		write_maker(L, s, positional); /* makers maker */
		lua_pushnumber(L, key);
		lua_pushvalue(L, -2);
		lua_rawset(L, -4);
		lua_pushboolean(L, 1);
		lua_rawseti(L, -3, (int)lua_objlen(L, -3) + 1);
	}
	lua_remove(L, -2); /* maker */
}

/* The maker is on top; pushes the row. */
static int
make_row(lua_State *L, const struct decode *d, size_t row, struct err *e)
{
	int n = rows_shape(d->rows)->ncols;
	const char *why;

	lua_pushvalue(L, -1);
	for (int i = 0; i < n; i++) {
		why = push_cell(L, d, row, i);
		if (why != NULL) {
			lua_pop(L, 1 + i); /* maker, values */
			return no_value(d->rows, i, why, e);
		}
	}
	lua_call(L, n, 1);
	return 0;
}

/* Stack: ... all maker-or-nil -> the same, filled. */
static int
fill(lua_State *L, const struct decode *d, size_t n, struct err *e)
{
	bool made = !lua_isnil(L, -1);

	for (size_t i = 0; i < n; i++) {
		if ((made ? make_row : decode_row)(L, d, i, e) < 0)
			return e->code;
		lua_rawseti(L, -3, (int)i + 1);
	}
	return 0;
}

void
decode_text(lua_State *L, const struct rows *rows, size_t row)
{
	int ncols = rows_shape(rows)->ncols;
	const char *at;
	size_t len;

	lua_createtable(L, ncols, 0); /* row */
	for (int i = 0; i < ncols; i++) {
		at = rows_cell(rows, row, i, &len);
		if (at == NULL)
			continue;
		lua_pushlstring(L, at, len);
		lua_rawseti(L, -2, i + 1);
	}
}

int
decode_rows(lua_State *L, const struct decode *d, struct err *e)
{
	size_t n = rows_count(d->rows);
	int ncols = rows_shape(d->rows)->ncols;

	luaL_checkstack(L, MAKE_COLUMNS + 8, "too many columns");
	lua_createtable(L, n < INT32_MAX ? (int)n : 0, 1); /* all */
	if (n >= MAKE_FROM && ncols > 0 && ncols <= MAKE_COLUMNS)
		push_maker(L, d);
	else
		lua_pushnil(L);
	if (fill(L, d, n, e) < 0) {
		lua_pop(L, 2);
		return e->code;
	}
	lua_pop(L, 1); /* maker */
	lua_pushnumber(L, (double)n);
	lua_setfield(L, -2, "n");
	return 0;
}
