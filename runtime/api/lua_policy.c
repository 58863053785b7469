/* SPDX-License-Identifier: MIT
 *
 * lua_policy - core.policy_check, core.policy_why, core.policy_rls,
 * core.policy_seal_key and core.policy_words, policy folders without a database
 * for the commands; core.break_glass_review; core.isolated.
 */
#include <stdlib.h>
#include <unistd.h>

#include "decl.h"
#include "expr.h"
#include "glass.h"
#include "load.h"
#include "lua_core.h"
#include "lua_db.h"
#include "policies.h"
#include "rls.h"
#include "mem.h"
#include "runtime.h"
#include "sealer.h"
#include "texts.h"
#include "vocab.h"
#include "watchdog.h"
#include "why.h"

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

/* The rules of the folder that is argument 1, for the schema that is argument
 * 2; `tested` hears of each test, or is NULL. */
static int
load(lua_State *L,
     void (*tested)(void *arg, const struct decl *test, const struct err *e),
     struct rules **out, struct err *e)
{
	struct load_ask ask = {
		.schema = lua_tostring(L, 2), .tested = tested, .arg = L};
	struct rules *base;
	int rc;

	if (watchdog_new(&ask.watchdog, e) < 0)
		return e->code;
	rc = texts_read(&ask.texts, lua_tostring(L, 1), e);
	if (rc == 0) {
		ask.base = base = rules_new();
		rc = load_rules(&ask, out, e);
		rules_unpin(&base);
		texts_unpin(&ask.texts);
	}
	watchdog_free(&ask.watchdog);
	return rc;
}

/* core.policy_check(folder, schema) -> { { name, file, line, failed? } ... },
 * { isolated, not_yet = { file ... } }; or the tests that ran, nil, err */
static int
core_policy_check(lua_State *L)
{
	struct rules *r;
	struct err e;
	int rc;

	luaL_checkstring(L, 1);
	luaL_checkstring(L, 2);
	lua_settop(L, 2);
	lua_newtable(L);
	if (load(L, on_test, &r, &e) < 0)
		return 1 + fail(L, &e);
	rc = policies_holds(r, &e);
	if (rc == 0)
		push_state(L, r);
	rules_unpin(&r);
	return rc < 0 ? 1 + fail(L, &e) : 2;
}

/* ---- why --------------------------------------------------------------- */

static void
push_answer(lua_State *L, json_t *answer)
{
	char *text = json_dumps(answer, JSON_COMPACT);

	json_decref(answer);
	lua_pushstring(L, text);
	free(text);
}

/* core.policy_why(folder, schema, question) -> the answer, both JSON as
 * policy/why.h says; or nil, err */
static int
core_policy_why(lua_State *L)
{
	size_t len;
	const char *text = luaL_checklstring(L, 3, &len);
	json_t *question, *answer = NULL;
	struct rules *r;
	struct err e;

	luaL_checkstring(L, 1);
	luaL_checkstring(L, 2);
	if (load(L, NULL, &r, &e) < 0)
		return fail(L, &e);
	question = json_loadb(text, len, 0, NULL);
	if (why_tell(r, question, &answer, &e) == 0)
		push_answer(L, answer);
	json_decref(question);
	rules_unpin(&r);
	return e.code != 0 ? fail(L, &e) : 1;
}

/* core.break_glass_review(journal, opening, by) -> true; or nil, err */
static int
core_break_glass_review(lua_State *L)
{
	struct err e;

	if (glass_review(luaL_checkstring(L, 1), luaL_checkstring(L, 2),
			 luaL_checkstring(L, 3), &e) < 0)
		return fail(L, &e);
	lua_pushboolean(L, true);
	return 1;
}

/* ---- row policies ------------------------------------------------------ */

static int
write_rls(lua_State *L, const struct rules *r, struct str *out, struct err *e)
{
	const struct isolation_rules *i = &r->isolation;
	const struct rls_options o = {.rules = i->tables,
				      .seal = i->seal,
				      .app_role = lua_tostring(L, 3),
				      .system_role = lua_tostring(L, 4)};

	if (i->state != ISOLATION_ON)
		return err_set(e, LUNATE_ECONFIG,
			       "%s has no isolation.lua, so there is nothing "
			       "to write policies of",
			       lua_tostring(L, 1));
	return rls_sql(&o, out, e);
}

/* core.policy_rls(folder, schema, app_role?, system_role?) -> the script that
 * gives the database its row policies; or nil, err */
static int
core_policy_rls(lua_State *L)
{
	struct rules *r;
	struct str s;
	struct err e;
	int rc;

	luaL_checkstring(L, 1);
	luaL_checkstring(L, 2);
	luaL_optstring(L, 3, NULL);
	luaL_optstring(L, 4, NULL);
	lua_settop(L, 4);
	if (load(L, NULL, &r, &e) < 0)
		return fail(L, &e);
	str_init(&s);
	rc = write_rls(L, r, &s, &e);
	rules_unpin(&r);
	if (rc == 0)
		lua_pushlstring(L, s.at, s.len);
	str_fini(&s);
	return rc < 0 ? fail(L, &e) : 1;
}

/* core.policy_seal_key(file, renew) -> true, when what gives the database the
 * key was written to stdout: past Lua, whose strings are never wiped; or nil,
 * err */
static int
core_policy_seal_key(lua_State *L)
{
	const char *file = luaL_checkstring(L, 1);
	struct sealer s;
	struct str sql;
	struct err e;
	ssize_t n = 1;
	int rc = lua_toboolean(L, 2) ? sealer_renew(&s, file, &e)
				     : sealer_read(&s, file, &e);

	if (rc < 0)
		return fail(L, &e);
	str_init(&sql);
	sealer_sql(&s, &sql);
	sealer_fini(&s);
	for (size_t at = 0; at < sql.len && n > 0; at += (size_t)n)
		n = write(STDOUT_FILENO, sql.at + at, sql.len - at);
	mem_wipe(sql.at, sql.len);
	str_fini(&sql);
	if (n <= 0)
		return fail_code(L, LUNATE_EIO, "the SQL cannot be written");
	lua_pushboolean(L, true);
	return 1;
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
	if (w->choices != NULL)
		set_text(L, "choices", w->choices);
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
push_term(lua_State *L, int i, const char *form, const char *meaning)
{
	lua_createtable(L, 0, 2);
	set_text(L, "form", form);
	set_text(L, "meaning", meaning);
	lua_rawseti(L, -2, i);
}

/* What conditions are made of, and the names of ctx behind it. */
static void
push_terms(lua_State *L)
{
	static const struct vocab_term attrs[] = {
#define ATTR_TERM(name, word, set, meaning) {"  ctx." word, meaning},
		EXPR_ATTRS(ATTR_TERM)
#undef ATTR_TERM
	};

	lua_newtable(L);
	for (int i = 0; i < VOCAB_TERMS; i++)
		push_term(L, i + 1, vocab_terms[i].form,
			  vocab_terms[i].meaning);
	for (int i = 0; i < EXPR_ATTRS_N; i++)
		push_term(L, VOCAB_TERMS + i + 1, attrs[i].form,
			  attrs[i].meaning);
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
	if (f->terms)
		push_terms(L);
	else
		lua_newtable(L);
	lua_setfield(L, -2, "terms");
}

/* core.policy_words() -> { { name, meaning, effect, words = { { name, meaning,
 * named, fields = { { name, type, meaning, required } ... } } ... },
 * terms = { { form, meaning } ... } } ... } */
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

static void
set_number(lua_State *L, const char *name, int64_t n)
{
	lua_pushnumber(L, (lua_Number)n);
	lua_setfield(L, -2, name);
}

/* core.policy_defaults() -> what is compiled in: { read, write, critical (how
 * many retries), base, cap (ms) } */
static int
core_policy_defaults(lua_State *L)
{
	struct rules *r = rules_new();

	lua_createtable(L, 0, 5);
	set_number(L, "read", r->classes[RULES_READ].retries);
	set_number(L, "write", r->classes[RULES_WRITE].retries);
	set_number(L, "critical", r->classes[RULES_CRITICAL].retries);
	set_number(L, "base", r->retry.base_ms);
	set_number(L, "cap", r->retry.cap_ms);
	rules_unpin(&r);
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

static const luaL_Reg functions[] = {
	{"isolated", core_isolated},
	{"break_glass_review", core_break_glass_review},
	{"policy_check", core_policy_check},
	{"policy_why", core_policy_why},
	{"policy_rls", core_policy_rls},
	{"policy_seal_key", core_policy_seal_key},
	{"policy_defaults", core_policy_defaults},
	{"policy_words", core_policy_words},
	{NULL, NULL}};

void
lua_policy_open(lua_State *L)
{
	luaL_register(L, NULL, functions);
}
