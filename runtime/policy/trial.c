/* SPDX-License-Identifier: MIT */
#include "trial.h"

#include <string.h>

#include "check.h"
#include "near.h"
#include "refusal.h"
#include "sample.h"
#include "trial_int.h"
#include "uses.h"
#include "vet.h"
#include "vocab.h"
#include "whose.h"

struct trial {
	const struct decl *d;
	const struct rules *all;
	const struct isolation_rules *rules;
	const struct tenant_rules *tables;
	struct arena arena;
	struct trial_who who;
	struct tenant_limits limits; /* of access rules; none: all rows */
	struct tree *tree;
	struct tenant_text text; /* after rewrite */
	struct err *e;
};

/* ---- what the test says ------------------------------------------------ */

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
	const struct context *c = t->who.context;

	return c != NULL && c->ntenants > 1;
}

/* One action on one table, under access.lua. */
static int
allow_use(struct trial *t, const struct use *u, struct tenant_limit *limit,
	  struct err *e)
{
	const struct access_ask ask = {.rules = t->all->access,
				       .who = &t->who.ask,
				       .action = u->action,
				       .ncolumns = u->ncolumns,
				       .columns = u->columns,
				       .first_value = t->limits.nvalues};
	struct access_verdict v;

	access_decide(&ask, &t->arena, &v);
	if (!v.allowed)
		return refuse(e, REFUSE_ACCESS, "%s.%s%s%s: %s%s%s", u->schema,
			      u->name, v.column != NULL ? ", column " : "",
			      v.column != NULL ? v.column : "",
			      v.rule != NULL ? "forbid \"" : "no permit holds",
			      v.rule != NULL ? v.rule->name : "",
			      v.rule != NULL ? "\"" : "");
	if (uses_holds(u, &v.limit, e) < 0)
		return e->code;
	if (v.limit.nparts == 0 && v.limit.nmasks == 0)
		return 0; /* no limit, as the engine has it */
	*limit = v.limit;
	t->limits.nlimits++;
	t->limits.nvalues += v.nvalues;
	return 0;
}

/* Is it a test of access.lua?  One of isolation.lua says what isolation makes
 * of a statement, whoever may send it. */
static bool
is_of_access(const struct decl *d)
{
	return d->word == vocab_word(vocab_file("access", 6), "test");
}

/* Under access.lua nobody is allowed anything. */
static int
allow(struct trial *t, const struct world *world, struct err *e)
{
	const struct uses_ask ask = {t->tree, t->tables, world};
	struct tenant_limit *limits;
	struct uses uses;

	if (t->all->access == NULL || !is_of_access(t->d))
		return 0;
	if (uses_of(&ask, &t->arena, &uses, e) < 0)
		return e->code;
	if (t->who.context == NULL && uses.n > 0)
		return refuse(e, REFUSE_ACCESS,
			      "nobody asks; say as = { ... }");
	limits = arena_new(&t->arena, (uses.n + 1) * sizeof(*limits));
	t->limits.limits = limits;
	t->who.ask.row.world = world;
	for (unsigned i = 0; i < uses.n; i++) {
		const struct use *u = &uses.list[i];

		t->who.ask.row.table = world->table(world->arg, u->schema,
						    u->name);
		if (allow_use(t, u, &limits[t->limits.nlimits], e) < 0)
			return e->code;
	}
	return 0;
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
		.limits = &t->limits,
		.shape = is_set(t) ? TENANT_SET : TENANT_ONE,
		.tenant_param = t->text.tenant_param,
		.nvalues = t->text.nvalues,
		.values = t->text.values,
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
		.limits = &t->limits,
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
		sample_new(&t->arena, t->tables, t->all->access, t->tree));
	const struct vet_ask ask = {t->tree, t->tables, world};
	struct whose_ask whose = {.context = t->who.context,
				  .type = t->tables->type};

	if (vet_statement(&ask, e) < 0 || allow(t, world, e) < 0 ||
	    rewrite(t, world, e) < 0)
		return e->code;
	whose.needs_one = t->text.needs_one;
	return t->text.tenant_param != 0 ? whose_allows(&whose, e) : 0;
}

/* How it ended; e tells why it was refused. */
static const char *
ended(struct trial *t, struct err *e)
{
	const struct context *c = t->who.context;

	if (c != NULL && c->system != NULL)
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
	if (want == NULL || trial_who_read(t->d, t->all, &t->who, t->e) < 0)
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
			  .all = rules,
			  .rules = &rules->isolation,
			  .tables = rules->isolation.tables,
			  .e = e};
	int rc;

	if (decl_field(&test->fields, "can") != NULL ||
	    decl_field(&test->fields, "cannot") != NULL)
		return trial_access(test, rules, e);
	arena_init(&t.arena, NULL, 0);
	rc = attempt(&t);
	trial_who_fini(&t.who);
	if (t.tree != NULL)
		tree_free(&t.tree);
	arena_fini(&t.arena);
	return rc;
}
