/* SPDX-License-Identifier: MIT
 *
 * lua_events - core.listen: events become tasks.
 *
 * The handle is anchored while it listens, so that a script may forget it.
 */
#include "lua_core.h"
#include "lua_db.h"

struct lua_listener {
	struct list link; /* in db->listeners, or nowhere */
	struct events_listener *listener;
	struct vm *vm;
	lua_State *L; /* a thread of its own, to build calls on */
	int self_ref, thread_ref, fn_ref;
};

/* A task of its own runs fn(json). */
static void
on_event(void *arg, const struct event *e)
{
	struct lua_listener *h = arg;

	lua_rawgeti(h->L, LUA_REGISTRYINDEX, h->fn_ref);
	lua_pushlstring(h->L, e->json, e->len);
	task_spawn(h->vm, h->L, 1);
}

static void
stop(lua_State *L, struct lua_listener *h)
{
	if (h->listener == NULL)
		return;
	events_unlisten(&h->listener);
	list_remove(&h->link);
	luaL_unref(L, LUA_REGISTRYINDEX, h->fn_ref);
	luaL_unref(L, LUA_REGISTRYINDEX, h->thread_ref);
	luaL_unref(L, LUA_REGISTRYINDEX, h->self_ref);
}

void
lua_events_end(struct lua_db *db)
{
	struct list *link;

	while ((link = list_first(&db->listeners)) != NULL)
		stop(db->vm->L, LIST_ENTRY(link, struct lua_listener, link));
}

/* listener:stop() */
static int
listener_stop(lua_State *L)
{
	stop(L, luaL_checkudata(L, 1, "lunate.listener"));
	return 0;
}

/* The set of a name; "*" is all of them. */
static bool
mask_of(const char *word, uint32_t *mask, const char **near_word)
{
	int type;

	*mask = EVENT_ALL;
	if (word[0] == '*' && word[1] == 0)
		return true;
	type = event_type_of(word, near_word);
	if (type >= 0)
		*mask = EVENT_BIT(type);
	return type >= 0;
}

/* core.listen(db, word, fn) -> listener; or nil, the nearest word or nil */
static int
core_listen(lua_State *L)
{
	struct lua_db *db = lua_db_check(L, 1);
	const char *near_word = NULL;
	struct lua_listener *h;
	uint32_t mask;

	luaL_checktype(L, 3, LUA_TFUNCTION);
	if (!mask_of(luaL_checkstring(L, 2), &mask, &near_word)) {
		lua_pushnil(L);
		lua_pushstring(L, near_word);
		return 2;
	}
	h = lua_newuserdata(L, sizeof(*h));
	list_init(&h->link);
	h->vm = db->vm;
	h->L = lua_newthread(L);
	h->thread_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	lua_pushvalue(L, 3);
	h->fn_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	luaL_getmetatable(L, "lunate.listener");
	lua_setmetatable(L, -2);
	lua_pushvalue(L, -1);
	h->self_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	h->listener = events_listen(
		db->rt->events,
		&(struct events_ear){db->vm->loop, mask, on_event, h});
	list_push_back(&db->listeners, &h->link);
	return 1;
}

static const luaL_Reg methods[] = {{"stop", listener_stop}, {NULL, NULL}};
static const luaL_Reg functions[] = {{"listen", core_listen}, {NULL, NULL}};

void
lua_events_open(lua_State *L)
{
	lua_core_class(L, "lunate.listener", methods);
	luaL_register(L, NULL, functions); /* core */
}
