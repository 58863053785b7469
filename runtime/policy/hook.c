/* SPDX-License-Identifier: MIT */
#include "hook.h"

#include <lauxlib.h>
#include <pthread.h>
#include <string.h>

#include "loop.h"
#include "mem.h"
#include "near.h"
#include "read.h"
#include "sandbox.h"
#include "vocab.h"

/* In the registry, beside the functions: the object that ctx is. */
#define CTX 2

/* Of one function. */
struct stops {
	unsigned n;	  /* in a row */
	int64_t until_us; /* n at least HOOK_STOPS: it rests till then */
};

struct vm {
	pthread_mutex_t lock;
	struct stops *stops; /* by its number */
	struct sandbox *sandbox;
	const struct hook_ask *now; /* NULL: nothing is decided */
};

struct hooks {
	unsigned magic;
#define HOOKS_MAGIC 0x400cf00d
	unsigned last[VOCAB_FILES];
	unsigned n; /* atomic */
	struct vm *vms[HOOKS_MOST];
};

/* ---- ctx --------------------------------------------------------------- */

static void
push_texts(lua_State *L, const char *const *texts, unsigned n)
{
	lua_createtable(L, (int)n, 0);
	for (unsigned i = 0; i < n; i++) {
		lua_pushstring(L, texts[i]);
		lua_rawseti(L, -2, (int)i + 1);
	}
}

static void
push_tenants(lua_State *L, const struct context *c)
{
	lua_createtable(L, (int)c->ntenants, 0);
	for (unsigned i = 0; i < c->ntenants; i++) {
		lua_pushlstring(L, c->tenants[i].id, c->tenants[i].len);
		lua_rawseti(L, -2, (int)i + 1);
	}
}

static void
push_fact(lua_State *L, const struct hook_fact *f)
{
	switch (f->kind) {
	case HOOK_TEXT:
		lua_pushstring(L, f->text); /* NULL: nil */
		return;
	case HOOK_TEXTS:
		push_texts(L, f->texts, f->n);
		return;
	case HOOK_COUNT:
		lua_pushnumber(L, f->number);
		return;
	case HOOK_TRUTH:
		lua_pushboolean(L, f->number != 0);
		return;
	}
}

static const char *const texts_of_context[] = {"user",	 "location", "ip",
					       "device", "purpose",  "trace",
					       "system", "clinic_tz"};
#define NTEXTS (sizeof(texts_of_context) / sizeof(*texts_of_context))

static const char *
text_of(const struct context *c, size_t i)
{
	const char *const texts[NTEXTS] = {c->user,   c->location, c->ip,
					   c->device, c->purpose,  c->trace,
					   c->system, c->clinic_tz};

	return texts[i];
}

/* Pushes a field of the context; false: it has none of that name. */
static bool
push_context(lua_State *L, const struct context *c, const char *name)
{
	static const struct context nobody;

	if (c == NULL)
		c = &nobody;
	for (size_t i = 0; i < NTEXTS; i++)
		if (strcmp(name, texts_of_context[i]) == 0) {
			lua_pushstring(L, text_of(c, i));
			return true;
		}
	if (strcmp(name, "roles") == 0)
		push_texts(L, c->roles, c->nroles);
	else if (strcmp(name, "locations") == 0)
		push_texts(L, c->locations, c->nlocations);
	else if (strcmp(name, "tenants") == 0)
		push_tenants(L, c);
	else if (strcmp(name, "tenant") == 0 && c->ntenants == 1)
		lua_pushlstring(L, c->tenants[0].id, c->tenants[0].len);
	else if (strcmp(name, "tenant") == 0)
		lua_pushnil(L); /* none, or several */
	else
		return false;
	return true;
}

/* The name may be a value, so it is not told. */
static int
no_such_field(lua_State *L, const struct hook_ask *a, const char *name)
{
	struct near n;

	near_init(&n, name);
	for (unsigned i = 0; i < a->nfacts; i++)
		near_try(&n, a->facts[i].name);
	for (size_t i = 0; i < NTEXTS; i++)
		near_try(&n, texts_of_context[i]);
	near_try(&n, "roles");
	near_try(&n, "locations");
	near_try(&n, "tenant");
	near_try(&n, "tenants");
	if (near_best(&n) != NULL)
		return luaL_error(L,
				  "ctx has no such field; did you mean '%s'?",
				  near_best(&n));
	return luaL_error(L, "ctx has no such field");
}

/* ctx.name */
static int
on_index(lua_State *L)
{
	const struct vm *vm = lua_touserdata(L, lua_upvalueindex(1));
	const struct hook_ask *a = vm->now;
	const char *name = luaL_checkstring(L, 2);

	for (unsigned i = 0; i < a->nfacts; i++)
		if (strcmp(a->facts[i].name, name) == 0) {
			push_fact(L, &a->facts[i]);
			return 1;
		}
	if (push_context(L, a->context, name))
		return 1;
	return no_such_field(L, a, name);
}

static int
on_change(lua_State *L)
{
	return luaL_error(L, "it can be read only");
}

static int
prepare(lua_State *L)
{
	struct vm *vm = lua_touserdata(L, 1);

	lua_newuserdata(L, 1);
	lua_createtable(L, 0, 3);
	lua_pushlightuserdata(L, vm);
	lua_pushcclosure(L, on_index, 1);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, on_change);
	lua_setfield(L, -2, "__newindex");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
	lua_rawseti(L, LUA_REGISTRYINDEX, CTX);
	lua_gc(L, LUA_GCCOLLECT, 0); /* what reading left */
	return 0;
}

/* ---- asking ------------------------------------------------------------ */

/* Behind "file:line: ": what Lua itself says names variables and types. */
static bool
is_luas_own(const char *said)
{
	static const char *const begins[] = {
		"attempt to ",	 "bad argument #",	"ctx has no such",
		"there is no '", "it can be read only", "a function ",
		"stack overflow"};

	for (size_t i = 0; i < sizeof(begins) / sizeof(*begins); i++)
		if (strncmp(said, begins[i], strlen(begins[i])) == 0)
			return true;
	return false;
}

/* Leaves "file:line: " of an error's text and says what happened. */
static void
tell(struct err *e)
{
	static const char *const words[] = {"took too long and was stopped",
					    "needs more memory than it may use",
					    "raised an error"};
	int which = e->code == LUNATE_EDEADLINE ? 0
		    : e->code == LUNATE_ETOOBIG ? 1
						: 2;
	const char *at = strstr(e->text, ".lua:");
	size_t line = at != NULL ? strspn(at + 5, "0123456789") : 0;
	struct err was = *e;
	int head = line > 0 ? (int)(at + 5 + line - e->text) : 0;

	if (which == 2 && is_luas_own(e->text + head + (head > 0 ? 2 : 0)))
		return;
	err_set(e, was.code, "%.*s%s%s", head, was.text, head > 0 ? ": " : "",
		words[which]);
}

/* The answer is on top of the stack. */
static int
take(lua_State *L, enum hook_type wants, struct hook_answer *out, struct err *e)
{
	int type = lua_type(L, -1);

	*out = (struct hook_answer){0};
	if (wants == HOOK_BOOL && type == LUA_TBOOLEAN) {
		out->yes = lua_toboolean(L, -1);
		return 0;
	}
	if (wants == HOOK_NUMBER && type == LUA_TNUMBER) {
		out->number = lua_tonumber(L, -1);
		return 0;
	}
	return err_set(e, LUNATE_EQUERY, "it gave a %s instead of %s",
		       lua_typename(L, type),
		       wants == HOOK_BOOL ? "true or false" : "a number");
}

/* "file:line: " of the function itself, before an error that has no place. */
static void
place(lua_State *L, unsigned function, struct vm *vm, struct err *e)
{
	lua_Debug at;

	if (strstr(e->text, ".lua:") != NULL)
		return;
	read_function(vm->sandbox, function);
	if (lua_getinfo(L, ">S", &at) != 0)
		err_wrap(e, "%s:%d", at.short_src, at.linedefined);
}

static bool
rests(const struct stops *s)
{
	return s->n >= HOOK_STOPS && loop_clock_us() < s->until_us;
}

static void
count(struct stops *s, int rc)
{
	if (rc != LUNATE_EDEADLINE) {
		s->n = 0;
		return;
	}
	s->n++;
	s->until_us = loop_clock_us() + HOOK_REST_US;
}

/* Nothing here allocates outside of the protected call. */
static int
ask_vm(struct vm *vm, const struct hook_ask *ask, struct hook_answer *out,
       struct err *e)
{
	lua_State *L = sandbox_lua(vm->sandbox);
	int rc;

	if (rests(&vm->stops[ask->function])) {
		err_set(e, LUNATE_EDEADLINE,
			"took too long again and again; it rests");
		place(L, ask->function, vm, e);
		return e->code;
	}
	read_function(vm->sandbox, ask->function);
	lua_rawgeti(L, LUA_REGISTRYINDEX, CTX);
	vm->now = ask;
	rc = sandbox_call(vm->sandbox, 1, 1, e);
	vm->now = NULL;
	count(&vm->stops[ask->function], rc);
	if (rc < 0) {
		tell(e);
		place(L, ask->function, vm, e);
		return e->code;
	}
	rc = take(L, ask->wants, out, e);
	lua_pop(L, 1);
	if (rc < 0)
		place(L, ask->function, vm, e);
	return rc;
}

int
hooks_ask(struct hooks *h, const struct hook_ask *ask, struct hook_answer *out,
	  struct err *e)
{
	unsigned n;
	struct vm *vm;
	int rc;

	OBJ_CHECK(h, HOOKS_MAGIC);
	n = __atomic_load_n(&h->n, __ATOMIC_ACQUIRE);
	assert(n > 0 && ask->function > 0 &&
	       ask->function <= h->last[VOCAB_FILES - 1]);
	vm = h->vms[(unsigned)ask->worker % n];
	pthread_mutex_lock(&vm->lock);
	rc = ask_vm(vm, ask, out, e);
	pthread_mutex_unlock(&vm->lock);
	return rc;
}

static int
expr_asked(struct hooks *h, struct hook_ask *ask, enum expr_truth *says,
	   struct err *e)
{
	struct hook_answer a;

	if (h == NULL)
		return err_set(e, LUNATE_EQUERY, "it has no function here");
	if (hooks_ask(h, ask, &a, e) < 0)
		return e->code;
	*says = a.yes ? EXPR_YES : EXPR_NO;
	return 0;
}

int
hook_expr(void *arg, unsigned function, enum expr_truth *says, struct err *e)
{
	const struct hook_who *who = arg;
	const struct hook_fact now = {
		.name = "now",
		.kind = who->now_s == EXPR_NO_CLOCK ? HOOK_TEXT : HOOK_COUNT,
		.number = (double)who->now_s};
	struct hook_ask ask = {.worker = who->worker,
			       .function = function,
			       .wants = HOOK_BOOL,
			       .context = who->context,
			       .nfacts = 1,
			       .facts = &now};

	return expr_asked(who->hooks, &ask, says, e);
}

/* ---- life -------------------------------------------------------------- */

struct hooks *
hooks_new(const unsigned *last)
{
	struct hooks *h = mem_new(sizeof(*h));

	OBJ_INIT(h, HOOKS_MAGIC);
	memcpy(h->last, last, sizeof(h->last));
	return h;
}

static void
free_vm(struct vm *vm)
{
	sandbox_free(&vm->sandbox);
	pthread_mutex_destroy(&vm->lock);
	mem_free(vm->stops);
	mem_free(vm);
}

int
hooks_add(struct hooks *h, struct sandbox **ps, struct err *e)
{
	struct vm *vm = mem_new(sizeof(*vm));

	OBJ_CHECK(h, HOOKS_MAGIC);
	assert(h->n < HOOKS_MOST);
	pthread_mutex_init(&vm->lock, NULL);
	vm->sandbox = *ps;
	vm->stops = mem_new((h->last[VOCAB_FILES - 1] + 1) *
			    sizeof(*vm->stops));
	*ps = NULL;
	sandbox_limit(vm->sandbox, HOOK_LIMIT_US);
	if (lua_cpcall(sandbox_lua(vm->sandbox), prepare, vm) != 0) {
		free_vm(vm);
		return err_set(e, LUNATE_ETOOBIG,
			       "the functions of the policy files leave no "
			       "memory to run in");
	}
	h->vms[h->n] = vm;
	__atomic_store_n(&h->n, h->n + 1, __ATOMIC_RELEASE);
	return 0;
}

unsigned
hooks_count(const struct hooks *h)
{
	OBJ_CHECK(h, HOOKS_MAGIC);
	return __atomic_load_n(&h->n, __ATOMIC_ACQUIRE);
}

unsigned
hooks_file(const struct hooks *h, unsigned function)
{
	unsigned i = 0;

	OBJ_CHECK(h, HOOKS_MAGIC);
	while (i < VOCAB_FILES - 1 && h->last[i] < function)
		i++;
	return i;
}

size_t
hooks_bytes(struct hooks *h)
{
	size_t sum = 0;

	OBJ_CHECK(h, HOOKS_MAGIC);
	for (unsigned i = 0; i < hooks_count(h); i++) {
		pthread_mutex_lock(&h->vms[i]->lock);
		sum += sandbox_bytes(h->vms[i]->sandbox);
		pthread_mutex_unlock(&h->vms[i]->lock);
	}
	return sum;
}

void
hooks_free(struct hooks **ph)
{
	struct hooks *h;

	OBJ_TAKE(h, ph, HOOKS_MAGIC);
	for (unsigned i = 0; i < h->n; i++)
		free_vm(h->vms[i]);
	OBJ_FINI(h);
	mem_free(h);
}
