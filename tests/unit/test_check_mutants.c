/* SPDX-License-Identifier: MIT
 *
 * The checker refuses what the rewriter could have written by mistake: changes
 * of each kind of mutants.h, at every place of every statement of the corpus,
 * for one tenant, for a set, and with limits and masks.
 *
 * A server tells which of them would have given a tenant something else: the
 * statement as it was scoped and its mutant run on the rows of two clinics,
 * with several parameters.  One that is accepted has to be the same statement,
 * node by node, or one that no server runs.
 *
 * LUNATE_PROVE=1 (make prove T=mutants): all of them; else some of them.
 */
#include "check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "clinic_live.h"
#include "clinic_world.h"
#include "dice.h"
#include "mutants_make.h"
#include "refusal.h"
#include "tenant_corpus.h"
#include "trees.h"

/* ---- a statement and how it is scoped ---------------------------------- */

enum mode { ONE, SET, LIMITED, MODES };

static const struct tenant_part small_n[] = {
	{"", TENANT_PART_ROW, 0},
	{".\"n\" < ", TENANT_PART_VALUE, 0},
	{"", TENANT_PART_END, 0}};
static const struct tenant_mask some_notes[] = {
	{.column = "note", .parts = small_n, .nparts = 3}};
static const struct tenant_mask no_names[] = {{.column = "name"}};

#define LIMIT(table, what) \
	.schema = "clinic", .name = table, .action = TENANT_##what
#define SMALL .parts = small_n, .nparts = 3

static const struct tenant_limit limit_list[] = {
	{LIMIT("visits", READ), SMALL, .masks = some_notes, .nmasks = 1},
	{LIMIT("items", READ), SMALL},
	{LIMIT("patients", READ), .masks = no_names, .nmasks = 1},
	{LIMIT("visits", UPDATE), SMALL},
	{LIMIT("items", DELETE), SMALL}};
static const struct tenant_limits limits = {
	.nlimits = 5, .nvalues = 1, .limits = limit_list};

struct work {
	struct tree *before, *after;
	struct arena arena;
	struct tenant_text text;
	struct check_ask ask;
	struct live_question questions[3];
	struct live_answer answers[3];
	unsigned nquestions; /* 0: its own answer is not always the same */
	enum mode mode;
};

static bool
rewrite(struct work *w, const char *sql, bool fence)
{
	struct tenant_ask ask = {.rules = &clinic_rules,
				 .world = &clinic_world,
				 .limits = w->mode == LIMITED ? &limits : NULL,
				 .shape = w->mode == SET ? TENANT_SET
							 : TENANT_ONE,
				 .fence = fence};
	struct err e;

	if (tree_parse(sql, strlen(sql), &w->before, &e) < 0)
		fail_msg("%s: %s", sql, e.text);
	ask.tree = w->before;
	if (tenant_rewrite(&ask, &w->arena, &w->text, &e) < 0)
		return false;
	w->ask = (struct check_ask){.before = w->before,
				    .rules = ask.rules,
				    .world = ask.world,
				    .limits = ask.limits,
				    .shape = ask.shape,
				    .tenant_param = w->text.tenant_param,
				    .nvalues = w->text.nvalues,
				    .values = w->text.values,
				    .fence = fence};
	if (tree_parse(w->text.sql, w->text.len, &w->after, &e) < 0)
		fail_msg("%s: %s", w->text.sql, e.text);
	return w->mode != SET || !w->text.needs_one;
}

static bool
accepts(const struct work *w, const char *text)
{
	struct check_ask ask = w->ask;
	struct err e;

	ask.after = text;
	ask.len = strlen(text);
	if (check_rewrite(&ask, &e) == 0)
		return true;
	if (refusal_of(&e) != REFUSE_UNCHECKED)
		fail_msg("%s: %s", text, e.text);
	return false;
}

/* ---- what a server says of it ------------------------------------------ */

#define UUIDOID 2950
#define INT4OID 23

/* Whose id, one of our own, another's; a new one where rows are made. */
static const char *
value_of(Oid type, int set, int i)
{
	static const char *const ids[3][2] = {
		{LIVE_ID("000000000001"), LIVE_ID("000000000002")},
		{LIVE_ID("000000000777"), LIVE_A},
		{LIVE_ID("000000000052"), LIVE_B}};
	static const char *const numbers[] = {"1", "2", "3"};

	if (type == UUIDOID)
		return ids[set][i % 2];
	return type == INT4OID || set == 0 ? numbers[set] : "a1";
}

static void
fill(struct work *w, struct live_question *q, int set)
{
	unsigned own = w->text.own_params;

	for (int i = 0; i < q->nvalues; i++) {
		q->values[i] = value_of(q->types[i], set, i);
		if ((unsigned)i < own)
			continue;
		if ((unsigned)i + 1 == w->text.tenant_param)
			q->values[i] = w->mode == SET ? "{" LIVE_A "}" : LIVE_A;
		else
			q->values[i] = "4";
	}
}

static bool
writes(const char *sql)
{
	return strcasestr(sql, "insert") != NULL ||
	       strcasestr(sql, "update") != NULL ||
	       strcasestr(sql, "delete") != NULL ||
	       strcasestr(sql, "merge") != NULL;
}

/* Twice each: an answer that changes by itself compares with nothing. */
static void
ask(struct work *w)
{
	struct live_question first = {.sql = w->text.sql,
				      .writes = writes(w->text.sql)};
	struct live_answer again;
	int sets = w->text.own_params > 0 ? 3 : 1;

	if (!live_types(&first))
		return;
	for (int i = 0; i < sets; i++) {
		w->questions[i] = first;
		fill(w, &w->questions[i], i);
		live_run(&w->questions[i], &w->answers[i]);
		live_run(&w->questions[i], &again);
		if (!live_same(&w->answers[i], &again))
			return;
	}
	w->nquestions = (unsigned)sets;
}

enum effect { NOTHING, FAILS, CHANGES, UNKNOWN };

static enum effect
effect_of(const struct work *w, const char *text)
{
	enum effect seen = w->nquestions == 0 ? UNKNOWN : NOTHING;

	for (unsigned i = 0; i < w->nquestions; i++) {
		struct live_question q = w->questions[i];
		struct live_answer a;

		q.sql = text;
		live_run(&q, &a);
		if (live_same(&a, &w->answers[i]))
			continue;
		if (a.failed[0] == 0)
			return CHANGES;
		seen = FAILS;
	}
	return seen;
}

/* ---- counting ---------------------------------------------------------- */

struct tally {
	struct {
		unsigned made, same, refused, changes, fails, nothing;
	} of[MUTANTS_N];
	uint64_t seed;
	uint64_t *seen; /* hashes, open addressing */
	size_t room, used;
	unsigned wrong, vain, one_in;
};

static bool
is_new(struct tally *t, const struct work *w, const char *text)
{
	uint64_t h = XXH64(text, strlen(text), (uint64_t)w->mode + 1) | 1;
	size_t i = h % t->room;

	for (; t->seen[i] != 0; i = (i + 1) % t->room)
		if (t->seen[i] == h)
			return false;
	if (t->used * 2 > t->room)
		fail_msg("more mutants than were thought of");
	t->seen[i] = h;
	t->used++;
	return true;
}

static struct work *now;
static struct tally *sums;

/* An accepted one must be what was accepted before, or no server runs it. */
static void
judge_accepted(enum mutant_kind kind, const char *text, const struct tree *t)
{
	enum effect effect;

	if (trees_same(tree_root(t, 0), tree_root(now->after, 0))) {
		sums->of[kind].same++;
		return;
	}
	effect = effect_of(now, text);
	sums->wrong += effect != FAILS;
	sums->vain += effect == FAILS;
	print_error("accepted, and %s:\n  %s\ninstead of\n  %s\n",
		    effect == FAILS ? "the server refuses it" : "IT RUNS", text,
		    now->text.sql);
}

static void
judge_refused(enum mutant_kind kind, const char *text)
{
	sums->of[kind].refused++;
	switch (effect_of(now, text)) {
	case CHANGES:
		sums->of[kind].changes++;
		break;
	case FAILS:
		sums->of[kind].fails++;
		break;
	case NOTHING:
		sums->of[kind].nothing++;
		break;
	case UNKNOWN:
		break;
	}
}

static bool
chosen(void)
{
	return dice(sums->one_in) == 0;
}

static void
judge(struct mutants *m, enum mutant_kind kind, const char *text)
{
	struct tree *t;
	struct err e;

	if (!is_new(sums, now, text) ||
	    tree_parse(text, strlen(text), &t, &e) < 0)
		return;
	sums->of[kind].made++;
	if (accepts(now, text))
		judge_accepted(kind, text, t);
	else
		judge_refused(kind, text);
	tree_free(&t);
}

static void
mutate(struct tally *t, const char *sql, unsigned variant)
{
	struct work w = {.mode = variant % MODES};
	struct mutants m = {.wants = chosen, .give = judge};

	arena_init(&w.arena, NULL, 0);
	if (rewrite(&w, sql, variant >= MODES)) {
		ask(&w);
		if (!accepts(&w, w.text.sql))
			fail_msg("refused as it was scoped: %s", w.text.sql);
		m.sql = w.text.sql;
		m.n = tree_tokens(w.after, &m.tokens);
		now = &w;
		sums = t;
		mutants_all(&m);
	}
	tree_free(&w.after);
	tree_free(&w.before);
	arena_fini(&w.arena);
}

static unsigned
report(const struct tally *t)
{
	unsigned made = 0, changes = 0;

	for (unsigned i = 0; i < MUTANTS_N; i++) {
		static const char *const what[] = {
#define MUTANT_TEXT(name, text) text,
			MUTANTS(MUTANT_TEXT)
#undef MUTANT_TEXT
		};

		if (t->one_in == 1 && t->of[i].made == 0)
			fail_msg("none of the kind: %s", what[i]);
		made += t->of[i].made;
		changes += t->of[i].changes;
		print_message("mutants: %6u, %6u the same, %6u refused: %6u "
			      "change rows, %6u fail, %6u not seen; %s\n",
			      t->of[i].made, t->of[i].same, t->of[i].refused,
			      t->of[i].changes, t->of[i].fails,
			      t->of[i].nothing, what[i]);
	}
	print_message("mutants: %u distinct ones parse, %u of them change what "
		      "a tenant gets; accepted: %u that run, %u that no "
		      "server runs\n",
		      made, changes, t->wrong, t->vain);
	return changes;
}

/* In the normal run one variant of a statement in four, and of it one mutant
 * in 50. */
static void
test_no_mutant_that_is_another_statement_is_accepted(void **state)
{
	struct tally t = {.room = 1u << 21, .one_in = dice_rounds(50, 1)};

	dice_init();
	live_begin();
	t.seen = calloc(t.room, sizeof(*t.seen));
	for (size_t i = 0; i < TENANT_CORPUS_N; i++)
		for (unsigned v = 0; v < 2 * MODES; v++)
			if (dice(dice_rounds(4, 1)) == 0)
				mutate(&t, tenant_corpus[i], v);
	free(t.seen);
	assert_true(report(&t) >= dice_rounds(60, 10000));
	assert_int_equal(t.wrong, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(
		test_no_mutant_that_is_another_statement_is_accepted)};

	return cmocka_run_group_tests(tests, NULL, live_end);
}
