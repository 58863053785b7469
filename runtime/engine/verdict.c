/* SPDX-License-Identifier: MIT */
#include "verdict.h"

#include <math.h>

#include "notes.h"
#include "policies.h"
#include "runtime.h"

static void
failed(struct op *op, unsigned function, int64_t began_us, const struct err *e)
{
	const struct notes_failure f = {
		.file = hooks_file(op->rules->hooks, function),
		.generation = op->rules->id,
		.took_us = loop_clock_us() - began_us,
		.why = e,
	};

	stat_add(&op->w->rt->counts.policy_failures, 1);
	notes_failed(op->w, &f);
	if (op->w->rt->policies != NULL)
		policies_failed(op->w->rt->policies, op->rules->id, f.file);
}

int
verdict_ask(struct op *op, struct hook_ask *ask, struct hook_answer *out,
	    struct err *e)
{
	int64_t began_us = loop_clock_us();

	ask->worker = op->w->index;
	ask->context = op->context;
	err_clear(e);
	if (hooks_ask(op->rules->hooks, ask, out, e) < 0)
		failed(op, ask->function, began_us, e);
	return e->code;
}

/* ---- retries ------------------------------------------------------------ */

#define TABLES_MOST 16

/* "schema.table", or "table" as it stands in the statement. */
static unsigned
table_names(const struct stmt *s, struct arena *a, const char **out)
{
	unsigned n = s->ntables < TABLES_MOST ? s->ntables : TABLES_MOST;

	for (unsigned i = 0; i < n; i++) {
		const struct stmt_table *t = &s->tables[i];

		out[i] = t->schema != NULL && t->schema[0] != 0
				 ? arena_printf(a, "%s.%s", t->schema, t->name)
				 : t->name;
	}
	return n;
}

static const char *const class_words[RULES_CLASSES] = {"read", "write",
						       "critical"};

static int
ask_retries(struct op *op, unsigned function, double *out)
{
	char room[1024];
	const char *tables[TABLES_MOST];
	struct arena a;
	struct hook_fact facts[] = {
		{.name = "kind",
		 .kind = HOOK_TEXT,
		 .text = stmt_kind_word(op->stmt->kind)},
		{.name = "class",
		 .kind = HOOK_TEXT,
		 .text = class_words[op->cls]},
		{.name = "attempt", .kind = HOOK_COUNT, .number = op->attempts},
		{.name = "tables", .kind = HOOK_TEXTS, .texts = tables}};
	struct hook_ask ask = {.function = function,
			       .wants = HOOK_NUMBER,
			       .nfacts = sizeof(facts) / sizeof(*facts),
			       .facts = facts};
	struct hook_answer answer;
	struct err e = {0};
	int rc;

	arena_init(&a, room, sizeof(room));
	facts[3].n = table_names(op->stmt, &a, tables);
	rc = verdict_ask(op, &ask, &answer, &e);
	arena_fini(&a);
	*out = answer.number;
	return rc;
}

int
verdict_retries(struct op *op)
{
	const struct class_rules *c = &op->rules->classes[op->cls];
	double n;
	struct err e;

	if (c->retries_by == 0 || ask_retries(op, c->retries_by, &n) < 0)
		return c->retries;
	if (n >= 0 && n <= RULES_RETRIES && n == floor(n))
		return (int)n;
	err_set(&e, LUNATE_EQUERY,
		"retries of class \"%s\" gave what is no whole number from 0 "
		"to %d",
		class_words[op->cls], RULES_RETRIES);
	failed(op, c->retries_by, loop_clock_us(), &e);
	return c->retries;
}
