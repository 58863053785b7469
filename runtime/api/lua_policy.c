/* SPDX-License-Identifier: MIT
 *
 * lua_policy - core.policy_check and core.policy_words, policy folders without
 * a database for the commands; core.isolated.
 */
#include "decl.h"
#include "load.h"
#include "lua_core.h"
#include "lua_db.h"
#include "policies.h"
#include "runtime.h"
#include "texts.h"
#include "vocab.h"
#include "watchdog.h"

static void
set_text(lua_State *L, const char *name, const char *text)
{
	lua_pushstring(L, text);
	lua_setfield(L, -2, name);
}

/* ---- checking ---------------------------------------------------------- */

/* On top of the stack is the list of tests. */
static void
on_test(void *arg, const struct decl *test, const struct err *e)
{
	lua_State *L = arg;

	lua_createtable(L, 0, 4);
	set_text(L, "name", test->name);
	set_text(L, "file", test->file);
	lua_pushinteger(L, test->line);
	lua_setfield(L, -2, "line");
	if (e->code != 0)
		set_text(L, "failed", e->text);
	lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
}

static void
push_not_yet(lua_State *L, const struct rules *r)
{
	lua_newtable(L);
	for (unsigned i = 0; i < VOCAB_FILES; i++)
		if (r->not_yet & (1u << i)) {
			lua_pushstring(L, vocab_files[i].name);
			lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
		}
}

static void
push_state(lua_State *L, const struct rules *r)
{
	lua_newtable(L);
	lua_pushboolean(L, r->isolation.state == ISOLATION_ON);
	lua_setfield(L, -2, "isolated");
	push_not_yet(L, r);
	lua_setfield(L, -2, "not_yet");
}

static int
check(lua_State *L, struct watchdog *dog, struct err *e)
{
	struct texts *t;
	struct rules *base, *r;
	int rc;

	if (texts_read(&t, lua_tostring(L, 1), e) < 0)
		return e->code;
	base = rules_new();
	rc = load_rules(&(struct load_ask){.texts = t,
					   .schema = lua_tostring(L, 2),
					   .base = base,
					   .watchdog = dog,
					   .tested = on_test,
					   .arg = L},
			&r, e);
	rules_unpin(&base);
	texts_unpin(&t);
	if (rc < 0)
		return rc;
	rc = policies_holds(r, lua_tostring(L, 1), e);
	if (rc == 0)
		push_state(L, r);
	rules_unpin(&r);
	return rc;
}

/* core.policy_check(folder, schema) -> { { name, file, line, failed? } ... },
 * { isolated, not_yet = { file ... } }; or the tests that ran, nil, err */
static int
core_policy_check(lua_State *L)
{
	struct watchdog *dog;
	struct err e;
	int rc;

	luaL_checkstring(L, 1);
	luaL_checkstring(L, 2);
	lua_settop(L, 2);
	if (watchdog_new(&dog, &e) < 0)
		return fail(L, &e);
	lua_newtable(L);
	rc = check(L, dog, &e);
	watchdog_free(&dog);
	return rc < 0 ? 1 + fail(L, &e) : 2;
}

/* ---- the vocabulary ---------------------------------------------------- */

static void
push_field(lua_State *L, const struct vocab_field *f)
{
	static const char *const types[] = {
		[VOCAB_BOOL] = "true or false",
		[VOCAB_NUMBER] = "number",
		[VOCAB_SECONDS] = "time",
		[VOCAB_TEXT] = "text",
		[VOCAB_WORD] = "word",
		[VOCAB_TEXTS] = "text or texts",
		[VOCAB_MAP] = "texts by name",
		[VOCAB_TERM] = "condition",
		[VOCAB_RECORD] = "table",
		[VOCAB_CALL] = "time or function",
		[VOCAB_TALLY] = "number or function"};

	lua_createtable(L, 0, 5);
	set_text(L, "name", f->name);
	set_text(L, "type", f->choices != NULL ? f->choices : types[f->type]);
	set_text(L, "meaning", f->meaning);
	lua_pushboolean(L, f->required);
	lua_setfield(L, -2, "required");
}

static void
push_word(lua_State *L, const struct vocab_word *w)
{
	lua_createtable(L, 0, 4);
	set_text(L, "name", w->name);
	set_text(L, "meaning", w->meaning);
	lua_pushboolean(L, w->named != VOCAB_UNNAMED);
	lua_setfield(L, -2, "named");
	lua_createtable(L, (int)w->nfields, 0);
	for (unsigned i = 0; i < w->nfields; i++) {
		push_field(L, &w->fields[i]);
		lua_rawseti(L, -2, (int)i + 1);
	}
	lua_setfield(L, -2, "fields");
}

static void
push_file(lua_State *L, const struct vocab_file *f)
{
	static const char *const effects[] = {
		[VOCAB_IN_FORCE] = "in force",
		[VOCAB_NOT_YET] = "no effect yet",
		[VOCAB_REFUSED] = "refused in this version"};

	lua_createtable(L, 0, 4);
	set_text(L, "name", f->name);
	set_text(L, "meaning", f->meaning);
	set_text(L, "effect", effects[f->effect]);
	lua_createtable(L, (int)f->nwords, 0);
	for (unsigned i = 0; i < f->nwords; i++) {
		push_word(L, &f->words[i]);
		lua_rawseti(L, -2, (int)i + 1);
	}
	lua_setfield(L, -2, "words");
}

/* core.policy_words() -> { { name, meaning, effect, words = { { name, meaning,
 * named, fields = { { name, type, meaning, required } ... } } ... } } ... } */
static int
core_policy_words(lua_State *L)
{
	lua_createtable(L, VOCAB_FILES, 0);
	for (int i = 0; i < VOCAB_FILES; i++) {
		push_file(L, &vocab_files[i]);
		lua_rawseti(L, -2, i + 1);
	}
	return 1;
}

/* core.isolated(db): do rules in force say whose rows are whose, or close
 * all tables? */
static int
core_isolated(lua_State *L)
{
	struct lua_db *db = lua_db_check(L, 1);
	struct rules *r = rules_pin(&db->rt->rules);

	lua_pushboolean(L, r->isolation.state != ISOLATION_OFF);
	rules_unpin(&r);
	return 1;
}

static const luaL_Reg functions[] = {{"isolated", core_isolated},
				     {"policy_check", core_policy_check},
				     {"policy_words", core_policy_words},
				     {NULL, NULL}};

void
lua_policy_open(lua_State *L)
{
	luaL_register(L, NULL, functions);
}
