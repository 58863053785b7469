/* SPDX-License-Identifier: MIT */
#include "sandbox_strings.h"

#include <ctype.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* ---- patterns ---------------------------------------------------------- */

#define CAPTURES_MOST 32
#define DEPTH_MOST 1000

enum { OPEN = -1, POSITION = -2 };

struct capture {
	const char *at;
	ptrdiff_t len; /* or OPEN, POSITION */
};

struct matcher {
	lua_State *L;
	const char *text, *text_end, *pattern_end;
	long steps;
	int depth;
	int ncaptures;
	struct capture captures[CAPTURES_MOST];
};

static const char *match_here(struct matcher *m, const char *s, const char *p);

static void
spend(struct matcher *m)
{
	if (++m->steps > STRINGS_STEPS)
		luaL_error(m->L, "the pattern takes too many steps");
}

/* The end of the single-character class that begins at p. */
static const char *
class_end(struct matcher *m, const char *p)
{
	if (*p == '%') {
		if (p + 1 >= m->pattern_end)
			luaL_error(m->L, "the pattern ends with '%%'");
		return p + 2;
	}
	if (*p++ != '[')
		return p;
	if (p < m->pattern_end && *p == '^')
		p++;
	do { /* a ']' in the first place is a member */
		if (p >= m->pattern_end)
			luaL_error(m->L, "the pattern has a '[' without ']'");
		p += *p == '%' && p + 1 < m->pattern_end ? 2 : 1;
	} while (p >= m->pattern_end || *p != ']');
	return p + 1;
}

static bool
is_class(int c, int class)
{
	bool in;

	switch (tolower(class)) {
	case 'a':
		in = isalpha(c);
		break;
	case 'c':
		in = iscntrl(c);
		break;
	case 'd':
		in = isdigit(c);
		break;
	case 'l':
		in = islower(c);
		break;
	case 'p':
		in = ispunct(c);
		break;
	case 's':
		in = isspace(c);
		break;
	case 'u':
		in = isupper(c);
		break;
	case 'w':
		in = isalnum(c);
		break;
	case 'x':
		in = isxdigit(c);
		break;
	case 'z':
		in = c == 0;
		break;
	default:
		return class == c;
	}
	return isupper(class) ? !in : in;
}

/* p at '[', end behind its ']'. */
static bool
in_set(int c, const char *p, const char *end)
{
	bool member = true;

	end--;
	if (*++p == '^') {
		member = false;
		p++;
	}
	for (; p < end; p++) {
		if (*p == '%') {
			if (is_class(c, (unsigned char)*++p))
				return member;
		} else if (p + 2 < end && p[1] == '-') {
			if ((unsigned char)p[0] <= c &&
			    c <= (unsigned char)p[2])
				return member;
			p += 2;
		} else if ((unsigned char)*p == c) {
			return member;
		}
	}
	return !member;
}

static bool
fits_one(const struct matcher *m, const char *s, const char *p, const char *end)
{
	int c;

	if (s >= m->text_end)
		return false;
	c = (unsigned char)*s;
	switch (*p) {
	case '.':
		return true;
	case '%':
		return is_class(c, (unsigned char)p[1]);
	case '[':
		return in_set(c, p, end);
	default:
		return (unsigned char)*p == c;
	}
}

static const char *
most_first(struct matcher *m, const char *s, const char *p, const char *end)
{
	ptrdiff_t n = 0;

	while (fits_one(m, s + n, p, end)) {
		spend(m);
		n++;
	}
	for (; n >= 0; n--) {
		const char *r = match_here(m, s + n, end + 1);

		if (r != NULL)
			return r;
	}
	return NULL;
}

static const char *
least_first(struct matcher *m, const char *s, const char *p, const char *end)
{
	for (;;) {
		const char *r = match_here(m, s, end + 1);

		if (r != NULL)
			return r;
		if (!fits_one(m, s, p, end))
			return NULL;
		s++;
		spend(m);
	}
}

static const char *
open_capture(struct matcher *m, const char *s, const char *p)
{
	bool place = p + 1 < m->pattern_end && p[1] == ')';
	const char *r;

	if (m->ncaptures >= CAPTURES_MOST)
		luaL_error(m->L, "the pattern has too many captures");
	m->captures[m->ncaptures++] = (struct capture){s,
						       place ? POSITION : OPEN};
	r = match_here(m, s, p + (place ? 2 : 1));
	if (r == NULL)
		m->ncaptures--;
	return r;
}

static const char *
close_capture(struct matcher *m, const char *s, const char *p)
{
	int i = m->ncaptures;
	const char *r;

	while (--i >= 0 && m->captures[i].len != OPEN)
		;
	if (i < 0)
		luaL_error(m->L, "the pattern has a ')' without '('");
	m->captures[i].len = s - m->captures[i].at;
	r = match_here(m, s, p + 1);
	if (r == NULL)
		m->captures[i].len = OPEN;
	return r;
}

static const char *
balanced(struct matcher *m, const char *s, const char *p)
{
	int depth = 0;

	if (p + 3 >= m->pattern_end)
		luaL_error(m->L, "the pattern has a %%b without its two "
				 "characters");
	if (s >= m->text_end || *s != p[2])
		return NULL;
	for (; s < m->text_end; s++) {
		spend(m);
		if (*s == p[3]) {
			if (--depth == 0)
				return match_here(m, s + 1, p + 4);
		} else if (*s == p[2]) {
			depth++;
		}
	}
	return NULL;
}

static const char *
frontier(struct matcher *m, const char *s, const char *p)
{
	const char *end;
	int before, here;

	p += 2;
	if (p >= m->pattern_end || *p != '[')
		luaL_error(m->L, "the pattern has a %%f without a set");
	end = class_end(m, p);
	before = s == m->text ? 0 : (unsigned char)s[-1];
	here = s < m->text_end ? (unsigned char)*s : 0;
	return !in_set(before, p, end) && in_set(here, p, end)
		       ? match_here(m, s, end)
		       : NULL;
}

static const char *
back_reference(struct matcher *m, const char *s, const char *p)
{
	int i = p[1] - '1';
	const struct capture *c = &m->captures[i];

	if (i < 0 || i >= m->ncaptures || c->len == OPEN)
		luaL_error(m->L, "the pattern refers to no capture");
	if (c->len < 0 || m->text_end - s < c->len ||
	    memcmp(s, c->at, (size_t)c->len) != 0)
		return NULL;
	return match_here(m, s + c->len, p + 2);
}

static const char *
one_and_rest(struct matcher *m, const char *s, const char *p)
{
	const char *end = class_end(m, p), *r;
	char how = end < m->pattern_end ? *end : 0;

	switch (how) {
	case '?':
		if (fits_one(m, s, p, end)) {
			r = match_here(m, s + 1, end + 1);
			if (r != NULL)
				return r;
		}
		return match_here(m, s, end + 1);
	case '*':
		return most_first(m, s, p, end);
	case '+':
		return fits_one(m, s, p, end) ? most_first(m, s + 1, p, end)
					      : NULL;
	case '-':
		return least_first(m, s, p, end);
	default:
		return fits_one(m, s, p, end) ? match_here(m, s + 1, end)
					      : NULL;
	}
}

static const char *
escaped(struct matcher *m, const char *s, const char *p)
{
	if (p + 1 < m->pattern_end) {
		if (p[1] == 'b')
			return balanced(m, s, p);
		if (p[1] == 'f')
			return frontier(m, s, p);
		if (isdigit((unsigned char)p[1]))
			return back_reference(m, s, p);
	}
	return one_and_rest(m, s, p);
}

static const char *
match_at(struct matcher *m, const char *s, const char *p)
{
	if (p >= m->pattern_end)
		return s;
	switch (*p) {
	case '(':
		return open_capture(m, s, p);
	case ')':
		return close_capture(m, s, p);
	case '$':
		if (p + 1 == m->pattern_end)
			return s == m->text_end ? s : NULL;
		return one_and_rest(m, s, p);
	case '%':
		return escaped(m, s, p);
	default:
		return one_and_rest(m, s, p);
	}
}

/* Where a match of p at s ends, or NULL. */
static const char *
match_here(struct matcher *m, const char *s, const char *p)
{
	const char *end;

	spend(m);
	if (++m->depth > DEPTH_MOST)
		luaL_error(m->L, "the pattern nests too deeply");
	end = match_at(m, s, p);
	m->depth--;
	return end;
}

static void
push_capture(struct matcher *m, int i)
{
	const struct capture *c = &m->captures[i];

	if (c->len == OPEN)
		luaL_error(m->L, "the pattern has a '(' without ')'");
	if (c->len == POSITION)
		lua_pushinteger(m->L, c->at - m->text + 1);
	else
		lua_pushlstring(m->L, c->at, (size_t)c->len);
}

static int
push_captures(struct matcher *m)
{
	for (int i = 0; i < m->ncaptures; i++)
		push_capture(m, i);
	return m->ncaptures;
}

static ptrdiff_t
start_of(lua_State *L, size_t len)
{
	lua_Integer from = luaL_optinteger(L, 3, 1);

	if (from < 0)
		from += (lua_Integer)len + 1;
	if (from < 1)
		return 0;
	return from > (lua_Integer)len + 1 ? (ptrdiff_t)len : from - 1;
}

static int
find_plain(lua_State *L, const char *s, const char *text_end)
{
	const char *text = lua_tostring(L, 1), *at;
	size_t n;
	const char *what = lua_tolstring(L, 2, &n);

	at = memmem(s, (size_t)(text_end - s), what, n);
	if (at == NULL)
		return 0;
	lua_pushinteger(L, at - text + 1);
	lua_pushinteger(L, at - text + (ptrdiff_t)n);
	return 2;
}

/* As in Lua: a ')' or ']' alone does not make a pattern of a text. */
static bool
is_plain(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != '\0' && strchr("^$*+?.([%-", p[i]) != NULL)
			return false;
	return true;
}

/* What find and match share: at the first place where it fits. */
static int
search(lua_State *L, bool find)
{
	size_t len, plen;
	const char *text = luaL_checklstring(L, 1, &len);
	const char *p = luaL_checklstring(L, 2, &plen);
	struct matcher m = {.L = L,
			    .text = text,
			    .text_end = text + len,
			    .pattern_end = p + plen};
	const char *s = text + start_of(L, len), *end;
	bool anchored = plen > 0 && *p == '^';

	luaL_checkstack(L, CAPTURES_MOST + 2, "captures");
	if (find && (lua_toboolean(L, 4) || is_plain(p, plen)))
		return find_plain(L, s, m.text_end);
	for (p += anchored; s <= m.text_end; s++) {
		m.ncaptures = m.depth = 0;
		end = match_here(&m, s, p);
		if (end != NULL && find) {
			lua_pushinteger(L, s - text + 1);
			lua_pushinteger(L, end - text);
			return 2 + push_captures(&m);
		}
		if (end != NULL && m.ncaptures > 0)
			return push_captures(&m);
		if (end != NULL) {
			lua_pushlstring(L, s, (size_t)(end - s));
			return 1;
		}
		if (anchored)
			break;
	}
	return 0;
}

static int
nothing(lua_State *L, int n)
{
	if (n > 0)
		return n;
	lua_pushnil(L);
	return 1;
}

static int
strings_find(lua_State *L)
{
	return nothing(L, search(L, true));
}

static int
strings_match(lua_State *L)
{
	return nothing(L, search(L, false));
}

/* ---- rep, format ------------------------------------------------------- */

static int
strings_rep(lua_State *L)
{
	size_t len;
	const char *text = luaL_checklstring(L, 1, &len);
	lua_Integer n = luaL_checkinteger(L, 2);
	luaL_Buffer b;

	if (n > 0 && len > 0 && (size_t)n > STRINGS_MOST / len)
		return luaL_error(L, "string.rep would make more than %d KiB",
				  (int)(STRINGS_MOST >> 10));
	luaL_buffinit(L, &b);
	while (len > 0 && n-- > 0)
		luaL_addlstring(&b, text, len);
	luaL_pushresult(&b);
	return 1;
}

/* Widths and precisions have two digits in Lua, and texts are as long as the
 * arguments: what is left to bound is their sum. */
static int
strings_format(lua_State *L)
{
	size_t sum = 0, len;

	for (int i = 1; i <= lua_gettop(L); i++)
		if (lua_type(L, i) == LUA_TSTRING) {
			lua_tolstring(L, i, &len);
			sum += len;
		}
	if (sum > STRINGS_MOST)
		return luaL_error(L, "string.format of more than %d KiB",
				  (int)(STRINGS_MOST >> 10));
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, 1);
	return 1;
}

void
sandbox_strings_add(lua_State *L)
{
	static const luaL_Reg functions[] = {{"find", strings_find},
					     {"match", strings_match},
					     {"rep", strings_rep},
					     {NULL, NULL}};

	luaL_register(L, NULL, functions);
	lua_getglobal(L, "string");
	lua_getfield(L, -1, "format");
	lua_remove(L, -2);
	lua_pushcclosure(L, strings_format, 1);
	lua_setfield(L, -2, "format");
}
