/* SPDX-License-Identifier: MIT */
#include "sandbox.h"

#include <lauxlib.h>
#include <luajit.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "sandbox_strings.h"
#include "watchdog.h"

#define DEFAULT_BYTES (4u << 20)
#define DEFAULT_LIMIT_US 5000

struct sandbox {
	unsigned magic;
#define SANDBOX_MAGIC 0x5a4d80c5
	lua_State *L;
	size_t used, most;
	int64_t limit_us;
	struct watchdog *watchdog;
	struct watchdog_slot slot;
};

/* ---- memory ------------------------------------------------------------ */

static void *
allocate(void *arg, void *p, size_t old, size_t size)
{
	struct sandbox *s = arg;
	void *q;

	if (size == 0) {
		free(p);
		s->used -= old;
		return NULL;
	}
	if (size > old && size - old > s->most - s->used)
		return NULL;
	q = realloc(p, size);
	if (q != NULL)
		s->used = s->used - old + size;
	return q;
}

/* ---- what files see ---------------------------------------------------- */

static const char *const base_names[] = {
	"assert", "error",    "ipairs",	  "next", "pairs", "pcall",
	"select", "tonumber", "tostring", "type", "unpack"};
static const char *const table_names[] = {"concat", "insert", "maxn", "remove",
					  "sort"};
static const char *const math_names[] = {
	"abs",	 "ceil", "cos",	  "deg", "exp",	  "floor", "fmod",
	"frexp", "huge", "ldexp", "log", "log10", "max",   "min",
	"modf",	 "pi",	 "pow",	  "rad", "sin",	  "sqrt",  "tan"};
static const char *const string_names[] = {"byte",    "char", "len",  "lower",
					   "reverse", "sub",  "upper"};

#define COUNT(list) (sizeof(list) / sizeof(*(list)))

struct copied {
	const char *const *names;
	size_t n;
};

/* from -> from, new table with those of its fields. */
static void
copy_names(lua_State *L, struct copied c)
{
	lua_createtable(L, 0, (int)c.n);
	for (size_t i = 0; i < c.n; i++) {
		lua_getfield(L, -2, c.names[i]);
		lua_setfield(L, -2, c.names[i]);
	}
}

/* Kept in the registry: what environments are made of.  No file ever reaches
 * one of these tables, only copies. */
#define KEEP_BASE "lunate.base"
#define MADE "lunate.made" /* the environment made last */

static void
add_library(lua_State *L, const char *name, struct copied c)
{
	lua_getglobal(L, name);
	copy_names(L, c);
	lua_remove(L, -2);
	if (strcmp(name, "string") == 0)
		sandbox_strings_add(L);
	lua_setfield(L, -2, name);
}

/* The metatable of strings leads to a table that nobody else has. */
static void
guard_strings(lua_State *L)
{
	lua_pushliteral(L, "");
	lua_getmetatable(L, -1); /* "" mt */
	lua_getglobal(L, "string");
	copy_names(L, (struct copied){string_names, COUNT(string_names)});
	sandbox_strings_add(L);
	lua_setfield(L, -3, "__index"); /* "" mt string */
	lua_pop(L, 1);
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_pop(L, 2);
}

/* xpcall(f, handler, ...).  LuaJIT calls a handler inside of what raised; when
 * that was the watchdog's hook, no hook reaches the handler, and one that does
 * not end never would.  Here it is called when f is over. */
static int
guarded_call(lua_State *L)
{
	luaL_checkany(L, 2);
	lua_pushvalue(L, 1);
	lua_pushvalue(L, 2);
	lua_replace(L, 1); /* handler handler ... f */
	lua_replace(L, 2); /* handler f ... */
	if (lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 0) == 0) {
		lua_pushboolean(L, 1);
		lua_replace(L, 1);
		return lua_gettop(L);
	}
	lua_call(L, 1, 1);
	lua_pushboolean(L, 0);
	lua_insert(L, 1);
	return 2;
}

static int
open_all(lua_State *L)
{
	static const lua_CFunction libraries[] = {luaopen_base, luaopen_string,
						  luaopen_table, luaopen_math};

	for (size_t i = 0; i < COUNT(libraries); i++) {
		lua_pushcfunction(L, libraries[i]);
		lua_call(L, 0, 0);
	}
	lua_pushvalue(L, LUA_GLOBALSINDEX);
	copy_names(L, (struct copied){base_names, COUNT(base_names)});
	lua_pushcfunction(L, guarded_call);
	lua_setfield(L, -2, "xpcall");
	add_library(L, "string",
		    (struct copied){string_names, COUNT(string_names)});
	add_library(L, "table",
		    (struct copied){table_names, COUNT(table_names)});
	add_library(L, "math", (struct copied){math_names, COUNT(math_names)});
	lua_setfield(L, LUA_REGISTRYINDEX, KEEP_BASE);
	lua_pop(L, 1);
	guard_strings(L);
	lua_newtable(L);
	lua_replace(L, LUA_GLOBALSINDEX); /* nothing is reached by accident */
	return 0;
}

static const char *
error_text(lua_State *L)
{
	return lua_type(L, -1) == LUA_TSTRING
		       ? lua_tostring(L, -1)
		       : "raised something that is no text";
}

static int
say(struct sandbox *s, int rc, bool killed, struct err *e)
{
	const char *text = error_text(s->L);

	if (killed)
		err_set(e, LUNATE_EDEADLINE, "%s", text);
	else if (rc == LUA_ERRMEM)
		err_set(e, LUNATE_ETOOBIG,
			"it needs more memory than the %zu "
			"KiB a policy may use",
			s->most >> 10);
	else
		err_set(e, rc == LUA_ERRSYNTAX ? LUNATE_ESYNTAX : LUNATE_EQUERY,
			"%s", text);
	lua_pop(s->L, 1);
	if (rc == LUA_ERRMEM) /* what filled it goes with the call */
		lua_gc(s->L, LUA_GCCOLLECT, 0);
	return e->code;
}

/* A table becomes its copy. */
static void
copy_table(lua_State *L, int depth)
{
	lua_newtable(L); /* from to */
	lua_pushnil(L);
	while (lua_next(L, -3) != 0) { /* from to key value */
		if (lua_istable(L, -1) && depth > 0)
			copy_table(L, depth - 1);
		lua_pushvalue(L, -2);
		lua_insert(L, -2); /* from to key key value */
		lua_rawset(L, -4);
	}
	lua_remove(L, -2);
}

static int
make_environment(lua_State *L)
{
	lua_getfield(L, LUA_REGISTRYINDEX, KEEP_BASE);
	copy_table(L, 1);
	lua_setfield(L, LUA_REGISTRYINDEX, MADE);
	return 0;
}

int
sandbox_environment(struct sandbox *s, struct err *e)
{
	int rc;

	OBJ_CHECK(s, SANDBOX_MAGIC);
	rc = lua_cpcall(s->L, make_environment, NULL);
	if (rc != 0)
		return say(s, rc, false, e);
	lua_getfield(s->L, LUA_REGISTRYINDEX, MADE);
	return 0;
}

/* ---- life -------------------------------------------------------------- */

int
sandbox_new(struct sandbox **out, const struct sandbox_opts *opts,
	    struct err *e)
{
	struct sandbox *s = mem_new(sizeof(*s));

	OBJ_INIT(s, SANDBOX_MAGIC);
	s->most = opts->max_bytes != 0 ? opts->max_bytes : DEFAULT_BYTES;
	s->limit_us = opts->limit_us != 0 ? opts->limit_us : DEFAULT_LIMIT_US;
	s->watchdog = opts->watchdog;
	s->L = lua_newstate(allocate, s);
	if (s->L == NULL || lua_cpcall(s->L, open_all, NULL) != 0) {
		if (s->L != NULL)
			lua_close(s->L);
		OBJ_FINI(s);
		mem_free(s);
		return err_set(e, LUNATE_ETOOBIG,
			       "a policy VM does not fit into its memory");
	}
	luaJIT_setmode(s->L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
	if (s->watchdog != NULL)
		watchdog_add(s->watchdog, &s->slot, s->L);
	*out = s;
	return 0;
}

lua_State *
sandbox_lua(struct sandbox *s)
{
	OBJ_CHECK(s, SANDBOX_MAGIC);
	return s->L;
}

void
sandbox_limit(struct sandbox *s, int64_t limit_us)
{
	OBJ_CHECK(s, SANDBOX_MAGIC);
	s->limit_us = limit_us;
}

size_t
sandbox_bytes(const struct sandbox *s)
{
	OBJ_CHECK(s, SANDBOX_MAGIC);
	return s->used;
}

void
sandbox_free(struct sandbox **ps)
{
	struct sandbox *s;

	OBJ_TAKE(s, ps, SANDBOX_MAGIC);
	if (s->watchdog != NULL)
		watchdog_remove(s->watchdog, &s->slot);
	lua_close(s->L);
	OBJ_FINI(s);
	mem_free(s);
}

/* ---- running ----------------------------------------------------------- */

int
sandbox_call(struct sandbox *s, int nargs, int nresults, struct err *e)
{
	bool killed = false;
	int rc;

	OBJ_CHECK(s, SANDBOX_MAGIC);
	if (s->watchdog != NULL)
		watchdog_begin(s->watchdog, &s->slot, s->limit_us);
	rc = lua_pcall(s->L, nargs, nresults, 0);
	if (s->watchdog != NULL)
		killed = watchdog_end(s->watchdog, &s->slot);
	if (rc == 0 && !killed)
		return 0;
	if (rc == 0) { /* it was back before it felt the hook */
		lua_pop(s->L, nresults > 0 ? nresults : 0);
		return err_set(e, LUNATE_EDEADLINE,
			       "took too long and was stopped");
	}
	return say(s, rc, killed, e);
}

int
sandbox_run(struct sandbox *s, const struct sandbox_file *f, struct err *e)
{
	char chunk[256];
	size_t len = strlen(f->name);
	int rc;

	OBJ_CHECK(s, SANDBOX_MAGIC);
	if (f->len > 0 && f->text[0] == LUA_SIGNATURE[0]) {
		lua_pop(s->L, 1);
		return err_set(e, LUNATE_ESYNTAX,
			       "%s:1: this is compiled code; a policy is text",
			       f->name);
	}
	/* Of a long path Lua's errors show the end. */
	snprintf(chunk, sizeof(chunk), "@%s",
		 len < sizeof(chunk) - 1 ? f->name
					 : f->name + len - sizeof(chunk) + 2);
	rc = luaL_loadbuffer(s->L, f->text, f->len, chunk);
	if (rc != 0) {
		say(s, rc, false, e);
		lua_pop(s->L, 1);
		return e->code;
	}
	lua_insert(s->L, -2); /* chunk env */
	lua_setfenv(s->L, -2);
	return sandbox_call(s, 0, 0, e);
}
