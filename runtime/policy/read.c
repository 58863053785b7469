/* SPDX-License-Identifier: MIT */
#include "read.h"

#include <lauxlib.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "near.h"
#include "read_int.h"
#include "sandbox.h"

/* ---- errors ------------------------------------------------------------ */

int
read_line(lua_State *L)
{
	lua_Debug at;

	if (lua_getstack(L, 1, &at) == 0 || lua_getinfo(L, "l", &at) == 0)
		return 0;
	return at.currentline > 0 ? at.currentline : 0;
}

/* While a decision runs nothing is read: then errors are Lua's own. */
#define READING "lunate.reading"

struct reading *
read_now(lua_State *L)
{
	struct reading *r;

	lua_getfield(L, LUA_REGISTRYINDEX, READING);
	r = lua_touserdata(L, -1);
	lua_pop(L, 1);
	return r;
}

/* The first error counts: what a file does after it is of no interest. */
static int
fail(lua_State *L, struct reading *r, int line, const char *text)
{
	if (!r->failed)
		err_set(r->e, LUNATE_ECONFIG, "%s:%d: %s", r->path, line, text);
	r->failed = true;
	lua_pushstring(L, r->e->text);
	return lua_error(L);
}

int
read_raise(lua_State *L, struct reading *r, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return r != NULL ? fail(L, r, read_line(L), text)
			 : luaL_error(L, "%s", text);
}

/* ---- declarations ------------------------------------------------------ */

static struct decl *
add(struct reading *r)
{
	struct arena *a = r->ask->arena;
	struct decl *more;

	if (r->n == r->room) {
		r->room = r->room == 0 ? 16 : 2 * r->room;
		more = arena_new(a, r->room * sizeof(*more));
		if (r->n > 0)
			memcpy(more, r->decls, r->n * sizeof(*more));
		r->decls = more;
	}
	return &r->decls[r->n++];
}

/* The fields are at the top of the stack. */
static int
declare(lua_State *L, struct reading *r, const struct decl *head)
{
	struct decl *d;

	if (!lua_istable(L, -1))
		return read_raise(L, r, "%s takes its fields in braces: %s%s",
				  head->word->name, head->word->name,
				  head->word->named == VOCAB_UNNAMED
					  ? " { ... }"
					  : " \"name\" { ... }");
	if (r->n == READ_DECLS_MOST)
		return read_raise(L, r, "more than %d declarations",
				  READ_DECLS_MOST);
	d = add(r);
	*d = *head;
	read_value(L, r, lua_gettop(L), &d->fields);
	if (d->fields.type == DECL_LIST && d->fields.n == 0)
		d->fields.type = DECL_MAP;
	if (read_fits(r, d) < 0) {
		r->failed = true;
		lua_pushstring(L, r->e->text);
		return lua_error(L);
	}
	return 0;
}

/* For what declares: a decision declares nothing. */
static struct reading *
reading_of(lua_State *L)
{
	struct reading *r = read_now(L);

	if (r == NULL)
		luaL_error(L, "a function declares nothing; declare it when "
			      "the file is read");
	return r;
}

/* word "name" gave this; it waits for { fields }. */
static int
on_fields(lua_State *L)
{
	struct reading *r = reading_of(L);
	struct decl head = {
		.word = lua_touserdata(L, lua_upvalueindex(1)),
		.file = r->path,
		.name = arena_dup(r->ask->arena,
				  lua_tostring(L, lua_upvalueindex(2)),
				  lua_objlen(L, lua_upvalueindex(2))),
		.line = (int)lua_tointeger(L, lua_upvalueindex(3))};

	if (lua_toboolean(L, lua_upvalueindex(4)))
		r->open--;
	lua_pushboolean(L, 0);
	lua_replace(L, lua_upvalueindex(4));
	lua_settop(L, 1);
	return declare(L, r, &head);
}

/* Is the name one that the word may have? */
static void
check_name(lua_State *L, struct reading *r, const struct vocab_word *w)
{
	size_t len;
	const char *name = lua_tolstring(L, 1, &len);

	if (w->named == VOCAB_UNNAMED)
		read_raise(L, r, "%s has no name: %s { ... }", w->name,
			   w->name);
	if (len == 0 || strlen(name) != len)
		read_raise(L, r, "the name of %s is empty or no text", w->name);
	if (w->choices != NULL && !vocab_chosen(w->choices, name))
		read_raise(L, r, "%s \"%s\": the name is one of %s", w->name,
			   name, w->choices);
}

static int
on_word(lua_State *L)
{
	struct reading *r = reading_of(L);
	const struct vocab_word *w = lua_touserdata(L, lua_upvalueindex(1));
	struct decl head = {.word = w, .file = r->path, .line = read_line(L)};

	lua_settop(L, 1);
	if (lua_type(L, 1) == LUA_TSTRING) {
		check_name(L, r, w);
		r->open++;
		lua_pushvalue(L, lua_upvalueindex(1));
		lua_pushvalue(L, 1);
		lua_pushinteger(L, head.line);
		lua_pushboolean(L, 1);
		lua_pushcclosure(L, on_fields, 4);
		return 1;
	}
	if (w->named == VOCAB_NAMED)
		return read_raise(L, r, "%s needs a name: %s \"name\" { ... }",
				  w->name, w->name);
	return declare(L, r, &head);
}

/* ---- the environment --------------------------------------------------- */

/* Where a word of the vocabulary stands that lost its quotes, or the field that
 * a name is; NULL. */
static const struct vocab_field *
field_of(const struct vocab_file *f, const char *key, bool quoted)
{
	for (unsigned i = 0; i < f->nwords; i++) {
		const struct vocab_word *w = &f->words[i];

		if (!quoted && vocab_field(w, key) != NULL)
			return vocab_field(w, key);
		for (unsigned k = 0; quoted && k < w->nfields; k++)
			if (w->fields[k].type == VOCAB_WORD &&
			    vocab_chosen(w->fields[k].choices, key))
				return &w->fields[k];
	}
	return NULL;
}

/* A name that is nothing: table, key. */
static int
on_unknown(lua_State *L)
{
	struct reading *r = read_now(L);
	const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2)
							: "?";
	const struct vocab_field *field;
	struct near n;

	if (r == NULL)
		return luaL_error(L, "there is no '%s' here", key);
	field = field_of(r->ask->vocab, key, true);
	if (field != NULL)
		return read_raise(
			L, r,
			"there is no '%s' in %s.lua; %s = \"%s\" wants "
			"quotes",
			key, r->ask->vocab->name, field->name, key);
	near_init(&n, key);
	for (unsigned i = 0; i < r->ask->vocab->nwords; i++)
		near_try(&n, r->ask->vocab->words[i].name);
	lua_pushnil(L);
	while (lua_next(L, 1) != 0) {
		lua_pop(L, 1);
		if (lua_type(L, -1) == LUA_TSTRING)
			near_try(&n, lua_tostring(L, -1));
	}
	if (near_best(&n) != NULL)
		return read_raise(L, r,
				  "there is no '%s' in %s.lua; did you mean "
				  "'%s'?",
				  key, r->ask->vocab->name, near_best(&n));
	if (field_of(r->ask->vocab, key, false) != NULL)
		return read_raise(
			L, r,
			"there is no '%s' in %s.lua; as a field it is "
			"followed by =: %s = ...",
			key, r->ask->vocab->name, key);
	return read_raise(L, r, "there is no '%s' in %s.lua", key,
			  r->ask->vocab->name);
}

#define FURNISHED "lunate.furnished"

/* Takes the environment (a table) and gives it its words. */
static int
furnish(lua_State *L)
{
	struct reading *r = lua_touserdata(L, 1);
	const struct vocab_file *f = r->ask->vocab;

	lua_pushlightuserdata(L, r);
	lua_setfield(L, LUA_REGISTRYINDEX, READING);
	lua_rawgeti(L, LUA_REGISTRYINDEX, READ_FUNCTIONS);
	if (lua_isnil(L, -1)) {
		lua_newtable(L);
		lua_rawseti(L, LUA_REGISTRYINDEX, READ_FUNCTIONS);
	}
	lua_pop(L, 1);
	lua_getfield(L, LUA_REGISTRYINDEX, FURNISHED);
	for (unsigned i = 0; i < f->nwords; i++) {
		lua_pushlightuserdata(L, (void *)&f->words[i]);
		lua_pushcclosure(L, on_word, 1);
		lua_setfield(L, -2, f->words[i].name);
	}
	read_add_values(L, f);
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, on_unknown);
	lua_setfield(L, -2, "__index");
	lua_setmetatable(L, -2);
	return 0;
}

/* A global name that is set: table, key, value. */
static int
on_set(lua_State *L)
{
	return luaL_error(L, "a function keeps nothing: say local %s",
			  lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2)
							: "...");
}

/* The environment becomes empty, and leads to what it held. */
static int
freeze(lua_State *L)
{
	lua_settop(L, 0);
	lua_pushnil(L);
	lua_setfield(L, LUA_REGISTRYINDEX, READING);
	lua_getfield(L, LUA_REGISTRYINDEX, FURNISHED);
	lua_newtable(L); /* env held */
	lua_pushnil(L);
	while (lua_next(L, 1) != 0) { /* env held key value */
		lua_pushvalue(L, -2);
		lua_insert(L, -2);
		lua_rawset(L, 2);
		lua_pushvalue(L, -1);
		lua_pushnil(L);
		lua_rawset(L, 1);
	}
	lua_getmetatable(L, 1);
	lua_setmetatable(L, 2); /* what is unknown is, still */
	lua_createtable(L, 0, 2);
	lua_pushvalue(L, 2);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, on_set);
	lua_setfield(L, -2, "__newindex");
	lua_setmetatable(L, 1);
	return 0;
}

/* Leaves the environment on the stack. */
static int
environment(struct reading *r)
{
	struct sandbox *s = r->ask->sandbox;
	lua_State *L = sandbox_lua(s);

	if (sandbox_environment(s, r->e) < 0)
		return r->e->code;
	lua_setfield(L, LUA_REGISTRYINDEX, FURNISHED);
	if (lua_cpcall(L, furnish, r) != 0) {
		lua_pop(L, 1);
		return err_set(r->e, LUNATE_ETOOBIG,
			       "%s: no memory for its words", r->path);
	}
	lua_getfield(L, LUA_REGISTRYINDEX, FURNISHED);
	return 0;
}

/* ---- the whole file ---------------------------------------------------- */

/* Declarations that may stand once. */
static int
check_once(const struct reading *r)
{
	for (unsigned i = 0; i < r->n; i++) {
		const struct decl *d = &r->decls[i];

		for (unsigned k = 0; d->word->once && k < i; k++) {
			const struct decl *o = &r->decls[k];

			if (o->word == d->word &&
			    (d->name == NULL) == (o->name == NULL) &&
			    (d->name == NULL || strcmp(d->name, o->name) == 0))
				return decl_fail(r->e, d,
						 "it stands already in line "
						 "%d",
						 o->line);
		}
	}
	return 0;
}

static int
finish(struct reading *r)
{
	if (lua_cpcall(sandbox_lua(r->ask->sandbox), freeze, NULL) != 0) {
		lua_pop(sandbox_lua(r->ask->sandbox), 1);
		return err_set(r->e, LUNATE_ETOOBIG,
			       "%s: no memory for what it holds", r->path);
	}
	if (r->open > 0)
		return err_set(r->e, LUNATE_ECONFIG,
			       "%s: %u declaration%s a name and no fields: "
			       "write word \"name\" { ... }",
			       r->path, r->open,
			       r->open == 1 ? " has" : "s have");
	return check_once(r);
}

int
read_policy(const struct read_ask *ask, struct decl_list *out, struct err *e)
{
	struct reading r = {.ask = ask, .e = e, .functions = ask->functions};
	struct sandbox_file file = {.text = ask->text, .len = ask->len};
	struct err own = {0};

	r.path = arena_dup(ask->arena, ask->path, strlen(ask->path));
	file.name = r.path;
	*out = (struct decl_list){.file = ask->vocab->name, .present = true};
	if (environment(&r) < 0)
		return e->code;
	if (sandbox_run(ask->sandbox, &file, &own) < 0 && !r.failed) {
		*e = own;
		if (strncmp(e->text, r.path, strlen(r.path)) != 0)
			err_wrap(e, "%s", r.path);
		return e->code;
	}
	if (r.failed)
		return e->code;
	if (finish(&r) < 0)
		return e->code;
	out->n = r.n;
	out->decls = r.decls;
	out->functions = r.functions;
	return 0;
}

void
read_function(struct sandbox *s, unsigned number)
{
	lua_State *L = sandbox_lua(s);

	lua_rawgeti(L, LUA_REGISTRYINDEX, READ_FUNCTIONS);
	lua_rawgeti(L, -1, (int)number);
	lua_remove(L, -2);
}
