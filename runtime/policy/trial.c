/* SPDX-License-Identifier: MIT */
#include "trial.h"

#include <jansson.h>
#include <string.h>

#include "check.h"
#include "context.h"
#include "near.h"
#include "refusal.h"
#include "sample.h"
#include "vet.h"
#include "whose.h"

struct trial {
	const struct decl *d;
	const struct isolation_rules *rules;
	const struct tenant_rules *tables;
	struct arena arena;
	struct context *who;
	struct tree *tree;
	struct tenant_text text; /* after rewrite */
	struct err *e;
};

/* ---- what the test says ------------------------------------------------ */

static json_t *
json_of(const struct decl_value *v)
{
	json_t *j;

	switch (v->type) {
	case DECL_BOOL:
		return json_boolean(v->yes);
	case DECL_NUMBER:
		return v->number == (double)(json_int_t)v->number
			       ? json_integer((json_int_t)v->number)
			       : json_real(v->number);
	case DECL_TEXT:
		return json_stringn(v->text, v->len);
	case DECL_LIST:
		j = json_array();
		for (unsigned i = 0; i < v->n; i++)
			json_array_append_new(j, json_of(&v->items[i]));
		return j;
	case DECL_MAP:
		j = json_object();
		for (unsigned i = 0; i < v->n; i++)
			json_object_set_new(j, v->keys[i],
					    json_of(&v->items[i]));
		return j;
	default:
		return json_null();
	}
}

static int
read_who(struct trial *t)
{
	const struct decl_value *as = decl_field(&t->d->fields, "as");
	struct err e = {0};
	json_t *j;
	char *text;
	int rc;

	if (as == NULL)
		return 0;
	j = json_of(as);
	text = json_dumps(j, JSON_COMPACT);
	rc = text != NULL ? context_new(text, strlen(text), &t->who, &e)
			  : err_set(&e, LUNATE_EINVAL, "it is not UTF-8");
	free(text);
	json_decref(j);
	return rc == 0 ? 0 : decl_fail(t->e, t->d, "as: %s", e.text);
}

static int
check_reason(const struct trial *t, const char *because)
{
	struct near n;

	near_init(&n, because);
	for (int i = 0; i < REFUSALS_N; i++) {
		if (strcmp(refusal_word((enum refusal)i), because) == 0)
			return 0;
		near_try(&n, refusal_word((enum refusal)i));
	}
	return decl_fail(t->e, t->d,
			 near_best(&n) != NULL
				 ? "because = \"%s\" is no reason; did you "
				   "mean \"%s\"?"
				 : "because = \"%s\" is no reason that a "
				   "statement is refused for",
			 because, near_best(&n));
}

/* The end that is expected: scoped, open or refused. */
static const char *
expected(const struct trial *t)
{
	const char *gives = decl_text(&t->d->fields, "gives"),
		   *because = decl_text(&t->d->fields, "because");

	if (because != NULL && check_reason(t, because) < 0)
		return NULL;
	if (gives == NULL && because != NULL)
		return "refused";
	if (gives == NULL)
		decl_fail(t->e, t->d,
			  "it expects nothing; say gives = \"scoped\", "
			  "\"open\" or \"refused\"");
	else if (because != NULL && strcmp(gives, "refused") != 0)
		decl_fail(t->e, t->d,
			  "what gives \"%s\" has no reason to be refused",
			  gives);
	else
		return gives;
	return NULL;
}

/* ---- what becomes of the statement ------------------------------------- */

static bool
is_set(const struct trial *t)
{
	return t->who != NULL && t->who->ntenants > 1;
}

static int
check(const struct trial *t, const struct world *world, struct err *e)
{
	const struct check_ask ask = {
		.before = t->tree,
		.after = t->text.sql,
		.len = t->text.len,
		.rules = t->tables,
		.world = world,
		.shape = is_set(t) ? TENANT_SET : TENANT_ONE,
		.tenant_param = t->text.tenant_param,
		.fence = t->rules->mode == ISOLATION_REWRITE,
	};

	return check_rewrite(&ask, e);
}

static int
rewrite(struct trial *t, const struct world *world, struct err *e)
{
	const struct tenant_ask ask = {
		.tree = t->tree,
		.rules = t->tables,
		.world = world,
		.shape = is_set(t) ? TENANT_SET : TENANT_ONE,
		.fence = t->rules->mode == ISOLATION_REWRITE,
	};

	if (tenant_rewrite(&ask, &t->arena, &t->text, e) < 0)
		return e->code;
	return check(t, world, e);
}

static int
pass(struct trial *t, struct err *e)
{
	const struct world *world = sample_world(
		sample_new(&t->arena, t->tables, t->tree));
	const struct vet_ask ask = {t->tree, t->tables, world};
	struct whose_ask whose = {.context = t->who, .type = t->tables->type};

	if (vet_statement(&ask, e) < 0 || rewrite(t, world, e) < 0)
		return e->code;
	whose.needs_one = t->text.needs_one;
	return t->text.tenant_param != 0 ? whose_allows(&whose, e) : 0;
}

/* How it ended; e tells why it was refused. */
static const char *
ended(struct trial *t, struct err *e)
{
	if (t->who != NULL && t->who->system != NULL)
		return "open";
	if (pass(t, e) < 0)
		return "refused";
	return t->text.tenant_param != 0 ? "scoped" : "open";
}

static int
judge(struct trial *t, const char *want)
{
	const char *because = decl_text(&t->d->fields, "because"), *got;
	struct err why = {0};

	got = ended(t, &why);
	if (strcmp(got, want) != 0)
		return decl_fail(t->e, t->d,
				 "\"%s\" was expected, and it is %s%s%s", want,
				 got, why.code != 0 ? ": " : "", why.text);
	if (because != NULL &&
	    (refusal_of(&why) == REFUSALS_N ||
	     strcmp(refusal_word(refusal_of(&why)), because) != 0))
		return decl_fail(t->e, t->d,
				 "it was expected because of \"%s\", and it is "
				 "%s",
				 because, why.text);
	return 0;
}

static int
attempt(struct trial *t)
{
	const char *sql = decl_text(&t->d->fields, "sql"), *want;
	struct err e = {0};

	if (sql == NULL)
		return decl_fail(t->e, t->d,
				 "it has no statement; say sql = \"...\"");
	want = expected(t);
	if (want == NULL || read_who(t) < 0)
		return t->e->code;
	if (t->tables == NULL)
		return decl_fail(t->e, t->d,
				 "there is no isolation.lua to test it with");
	if (tree_parse(sql, strlen(sql), &t->tree, &e) < 0)
		return decl_fail(t->e, t->d, "sql: %s", e.text);
	return judge(t, want);
}

int
trial_run(const struct decl *test, const struct rules *rules, struct err *e)
{
	struct trial t = {.d = test,
			  .rules = &rules->isolation,
			  .tables = rules->isolation.tables,
			  .e = e};
	int rc;

	arena_init(&t.arena, NULL, 0);
	rc = attempt(&t);
	if (t.who != NULL)
		context_unpin(&t.who);
	if (t.tree != NULL)
		tree_free(&t.tree);
	arena_fini(&t.arena);
	return rc;
}
