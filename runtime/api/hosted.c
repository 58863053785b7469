/* SPDX-License-Identifier: MIT */
#include "hosted.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>

#include "ask.h"
#include "host.h"
#include "hosted_values.h"
#include "module.h"
#include "sized.h"
#include "task.h"
#include "who.h"

struct lunate_script {
	unsigned magic;
#define SCRIPT_MAGIC 0x5c41e701
	struct lunate *host; /* pinned */
	char *path;
	uint64_t id; /* in every VM */
};

/* A function of lunate.hosted on its way: load, unload or call. */
struct visit {
	struct errand q;
	const char *verb;
	struct visit *answer; /* what Lua gives back: itself, but for cancel */
	char *path;	      /* load: copied; else NULL */
	uint64_t id;
	char *function; /* call */
	struct arena arena;
	struct lunate_value *values; /* call: in the arena */
	int nvalues;
	struct lunate_context *context;
	int64_t deadline_us;
};

/* ---- the VM ------------------------------------------------------------ */

static int
open_vm(lua_State *L)
{
	struct host_worker *hw = lua_touserdata(L, 1);

	luaL_openlibs(L);
	hw->vm = module_vm(L, hw->loop);
	hw->vm->home = hw->w;
	hw->vm->index = hw->index;
	hw->vm->count = hw->host->nworkers;
	module_preload(L);
	lua_getglobal(L, "require");
	lua_pushliteral(L, "lunate.hosted");
	lua_call(L, 1, 0);
	return 0;
}

static int
need_vm(struct host_worker *hw, struct err *e)
{
	if (hw->L != NULL)
		return 0;
	hw->L = luaL_newstate();
	if (hw->L == NULL)
		return err_set(e, LUNATE_ENOMEM, "no memory for a LuaJIT");
	if (lua_cpcall(hw->L, open_vm, hw) == 0)
		return 0;
	err_set(e, LUNATE_EINTERNAL,
		"the LuaJIT of a worker does not start: "
		"%.400s",
		lua_tostring(hw->L, -1));
	hosted_end(hw);
	return e->code;
}

void
hosted_end(struct host_worker *hw)
{
	if (hw->L != NULL)
		lua_close(hw->L);
	hw->L = NULL;
	hw->vm = NULL;
}

/* ---- into the VM ------------------------------------------------------- */

/* require("lunate.hosted")[verb](answer, id, ...) */
static int
enter(lua_State *L)
{
	struct visit *v = lua_touserdata(L, 1);
	int n = 2;

	lua_getglobal(L, "require");
	lua_pushliteral(L, "lunate.hosted");
	lua_call(L, 1, 1);
	lua_getfield(L, -1, v->verb);
	lua_pushlightuserdata(L, v->answer);
	lua_pushnumber(L, (double)v->id);
	if (v->path != NULL || v->function != NULL) {
		lua_pushstring(L, v->path != NULL ? v->path : v->function);
		n++;
	}
	luaL_checkstack(L, v->nvalues + 8, "too many arguments");
	for (int i = 0; i < v->nvalues; i++)
		hosted_push(L, &v->values[i], i + 1);
	lua_call(L, n + v->nvalues, 0);
	return 0;
}

/* The task it starts inherits what stands here as the main program's. */
static int
enter_with(struct host_worker *hw, struct visit *v)
{
	struct vm *vm = hw->vm;
	int rc;

	loop_refresh(hw->loop);
	vm->deadline_us = v->deadline_us;
	vm->context = who_context(v->context);
	rc = lua_cpcall(hw->L, enter, v);
	vm->deadline_us = 0;
	context_unpin(&vm->context);
	return rc;
}

static void
run_visit(struct errand *q)
{
	struct visit *v = CONTAINER_OF(q, struct visit, q);
	struct host_worker *hw = q->hw;

	if (need_vm(hw, &q->err) < 0) {
		errand_end(q);
		return;
	}
	if (enter_with(hw, v) == 0)
		return;
	err_set(&q->err, LUNATE_EVALUE, "%.500s", lua_tostring(hw->L, -1));
	lua_pop(hw->L, 1);
	errand_end(q);
}

static void
cancel_visit(struct errand *q, enum err_code code)
{
	struct visit *v = CONTAINER_OF(q, struct visit, q);
	struct visit stop = {.verb = "cancel", .answer = v};

	(void)code; /* Lua knows one kind of cancelling */
	if (lua_cpcall(q->hw->L, enter, &stop) != 0)
		lua_pop(q->hw->L, 1);
}

/* Nothing answers it. */
static void
run_unload(struct errand *q)
{
	struct host_worker *hw = q->hw;

	if (hw->L != NULL &&
	    enter_with(hw, CONTAINER_OF(q, struct visit, q)) != 0)
		lua_pop(hw->L, 1);
	errand_end(q);
}

/* ---- out of the VM ----------------------------------------------------- */

static struct visit *
visit_of(lua_State *L)
{
	struct visit *v = lua_touserdata(L, 1);

	OBJ_CHECK(&v->q, ERRAND_MAGIC);
	return v;
}

/* core.hosted_done(answer, ...) */
static int
hosted_done(lua_State *L)
{
	struct visit *v = visit_of(L);

	v->q.rows = hosted_rows(L, 2, &v->q.err);
	errand_end(&v->q);
	return 0;
}

static void
copy_field(lua_State *L, const char *name, char *to, size_t size)
{
	lua_getfield(L, 2, name);
	snprintf(to, size, "%s",
		 lua_tostring(L, -1) != NULL ? lua_tostring(L, -1) : "");
	lua_pop(L, 1);
}

/* core.hosted_fail(answer, err), an error of lunate.errors */
static int
hosted_fail(lua_State *L)
{
	struct visit *v = visit_of(L);
	struct err *e = &v->q.err;
	char word[32];

	luaL_checktype(L, 2, LUA_TTABLE);
	err_clear(e);
	copy_field(L, "code", word, sizeof(word));
	copy_field(L, "message", e->text, sizeof(e->text));
	copy_field(L, "sqlstate", e->sqlstate, sizeof(e->sqlstate));
	copy_field(L, "constraint", e->constraint, sizeof(e->constraint));
	e->code = err_of_word(word);
	errand_end(&v->q);
	return 0;
}

static const luaL_Reg functions[] = {{"hosted_done", hosted_done},
				     {"hosted_fail", hosted_fail},
				     {NULL, NULL}};

void
lua_hosted_open(lua_State *L)
{
	luaL_register(L, NULL, functions); /* core */
}

/* ---- visits ------------------------------------------------------------ */

static void
drop_visit(struct errand *q)
{
	struct visit *v = CONTAINER_OF(q, struct visit, q);

	lunate_rows_free(&q->rows);
	who_unpin(&v->context);
	mem_free(v->path);
	arena_fini(&v->arena);
	OBJ_FINI(q);
	mem_free(v);
}

static struct visit *
new_visit(struct host_worker *hw, const char *verb, uint64_t id)
{
	struct visit *v = mem_new(sizeof(*v));

	errand_init(&v->q, hw);
	v->q.run = run_visit;
	v->q.cancel = cancel_visit;
	v->q.drop = drop_visit;
	v->verb = verb;
	v->answer = v;
	v->id = id;
	arena_init(&v->arena, NULL, 0);
	return v;
}

/* Waits, and takes it. */
static int
wait_for(struct visit *v, struct lunate_rows **rows, struct lunate_error *e)
{
	int rc = errand_wait(&v->q);

	if (rc < 0)
		error_fill(e, &v->q.err);
	if (rc == 0 && rows != NULL) {
		*rows = v->q.rows;
		v->q.rows = NULL;
	}
	drop_visit(&v->q);
	return rc;
}

/* ---- scripts ----------------------------------------------------------- */

static uint64_t last_id; /* atomic; numbers of scripts in this process */

static void
nobody_listens(void *arg, struct lunate_rows *rows,
	       const struct lunate_error *e)
{
	(void)arg, (void)rows, (void)e;
}

/* From the first `n` workers. */
static void
unload(struct lunate_script *s, int n)
{
	struct visit *v;
	struct err why;

	for (int i = 0; i < n && host_enter(s->host, &why) == 0; i++) {
		v = new_visit(&s->host->workers[i], "unload", s->id);
		v->q.run = run_unload;
		v->q.done = nobody_listens;
		errand_send(&v->q);
	}
}

static int
load(struct lunate_script *s, int i, struct lunate_error *e)
{
	struct visit *v;
	struct err why;

	if (host_enter(s->host, &why) < 0)
		return error_fill(e, &why);
	v = new_visit(&s->host->workers[i], "load", s->id);
	v->path = mem_dups(s->path);
	return wait_for(v, NULL, e);
}

static void
free_script(struct lunate_script *s)
{
	host_unpin(&s->host);
	mem_free(s->path);
	OBJ_FINI(s);
	mem_free(s);
}

int
lunate_load(struct lunate *db, const char *path, struct lunate_script **out,
	    struct lunate_error *e)
{
	struct lunate_script *s;
	int rc = 0;

	OBJ_CHECK(db, HOST_MAGIC);
	if (path == NULL)
		return error_say(e, LUNATE_EINVAL, "a script needs a path");
	s = mem_new(sizeof(*s));
	OBJ_INIT(s, SCRIPT_MAGIC);
	s->host = host_pin(db);
	s->path = mem_dups(path);
	s->id = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < db->nworkers && rc == 0; i++) {
		rc = load(s, i, e);
		if (rc < 0)
			unload(s, i);
	}
	if (rc == 0)
		*out = s;
	else
		free_script(s);
	return rc;
}

void
lunate_script_free(struct lunate_script **ps)
{
	struct lunate_script *s;

	if (*ps == NULL)
		return;
	OBJ_TAKE(s, ps, SCRIPT_MAGIC);
	unload(s, s->host->nworkers);
	free_script(s);
}

/* ---- calls ------------------------------------------------------------- */

static int
check(const struct lunate_lua *call, struct err *e)
{
	if (call->function == NULL)
		return err_set(e, LUNATE_EINVAL,
			       "a call of Lua needs the name of a function");
	if (call->nvalues < 0 || call->nvalues > HOSTED_VALUES_MAX ||
	    (call->nvalues > 0 && call->values == NULL))
		return err_set(e, LUNATE_EPARAM,
			       "a function takes 0 to %d values, behind a "
			       "pointer",
			       HOSTED_VALUES_MAX);
	if (!(call->timeout >= 0))
		return err_set(e, LUNATE_EINVAL,
			       "a timeout is a number of seconds from 0");
	return 0;
}

/* Entered when it succeeds. */
static struct visit *
begin(struct lunate_script *s, const struct lunate_lua *given, struct err *e)
{
	struct lunate_lua own, *call = &own;
	const struct sized sized = {
		call, sizeof(*call), given,
		"struct lunate_lua; begin with lunate_lua_of()"};
	struct visit *v;

	OBJ_CHECK(s, SCRIPT_MAGIC);
	if (sized_take(&sized, e) < 0 || check(call, e) < 0 ||
	    host_enter(s->host, e) < 0)
		return NULL;
	v = new_visit(host_choose(s->host), "call", s->id);
	v->function = arena_dup(&v->arena, call->function,
				strlen(call->function));
	v->context = who_pin(call->context);
	who_tell(v->context, s->host->rt);
	v->deadline_us = ask_deadline(call->timeout);
	v->nvalues = call->nvalues;
	v->values = hosted_copy(&v->arena, call, e);
	if (v->values != NULL)
		return v;
	host_exit(s->host);
	drop_visit(&v->q);
	return NULL;
}

int
lunate_run(struct lunate_script *s, const struct lunate_lua *call,
	   struct lunate_rows **rows, struct lunate_error *e)
{
	struct err why;
	struct visit *v = begin(s, call, &why);

	return v != NULL ? wait_for(v, rows, e) : error_fill(e, &why);
}

int
lunate_run_async(struct lunate_script *s, const struct lunate_lua *call,
		 const struct lunate_then *then, struct lunate_error *e)
{
	struct err why;
	struct visit *v = begin(s, call, &why);

	if (v == NULL)
		return error_fill(e, &why);
	if (errand_then(&v->q, then, &why) < 0) {
		host_exit(s->host);
		drop_visit(&v->q);
		return error_fill(e, &why);
	}
	errand_send(&v->q);
	return 0;
}
