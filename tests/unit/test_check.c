/* SPDX-License-Identifier: MIT
 *
 * The checker accepts what the rewriter writes, and nothing else: every text
 * that was changed in a token and now means something else is refused.
 */
#include "check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "clinic_world.h"
#include "refusal.h"
#include "tenant_corpus.h"
#include "trees.h"

/* A statement, rewritten. */
struct work {
	struct tree *before;
	struct arena arena;
	struct tenant_text text;
	struct check_ask ask;
};

/* What access rules may add: of each table a limit for each action that can
 * have one, and masks where `note` is. */
static const struct tenant_part parts[] = {{"", TENANT_PART_ROW, 0},
					   {".\"n\" < ", TENANT_PART_VALUE, 1},
					   {" AND ", TENANT_PART_ROW, 0},
					   {".\"n\" > ", TENANT_PART_VALUE, 0},
					   {"", TENANT_PART_END, 0}};
static const struct tenant_mask masks[] = {
	{.column = "note", .nparts = 5, .parts = parts}, {.column = "name"}};
#define LIMIT(table, act, n, ms)                      \
	{                                             \
		"clinic", table, act, 5, n, parts, ms \
	}
static const struct tenant_limit limit_list[] = {
	LIMIT("visits", TENANT_READ, 1, masks),
	LIMIT("visits", TENANT_DELETE, 0, NULL),
	LIMIT("items", TENANT_READ, 0, NULL),
	LIMIT("items", TENANT_UPDATE, 0, NULL),
	LIMIT("patients", TENANT_READ, 2, masks),
	LIMIT("codes", TENANT_READ, 0, NULL)};
static const struct tenant_limits all_limits = {6, 2, limit_list};
static const struct tenant_limits *limits; /* in force, or NULL */

/* Is this a refusal that the corpus may meet? */
static bool
may_refuse(const struct err *e, bool fence)
{
	enum refusal r = refusal_of(e);

	return (r == REFUSE_FORM && (fence || limits != NULL)) ||
	       (limits != NULL &&
		(r == REFUSE_MASKED || r == REFUSE_ACCESS || r == REFUSE_MOVE));
}

static bool
rewrite(struct work *w, const char *sql, bool fence)
{
	struct tenant_ask ask = {.rules = &clinic_rules,
				 .world = &clinic_world,
				 .limits = limits,
				 .fence = fence};
	struct err e;

	memset(w, 0, sizeof(*w));
	if (tree_parse(sql, strlen(sql), &w->before, &e) < 0)
		fail_msg("%s: %s", sql, e.text);
	arena_init(&w->arena, NULL, 0);
	ask.tree = w->before;
	if (tenant_rewrite(&ask, &w->arena, &w->text, &e) < 0) {
		if (!may_refuse(&e, fence))
			fail_msg("%s: %s", sql, e.text);
		return false;
	}
	w->ask = (struct check_ask){.before = w->before,
				    .after = w->text.sql,
				    .len = w->text.len,
				    .rules = &clinic_rules,
				    .world = &clinic_world,
				    .limits = limits,
				    .nvalues = w->text.nvalues,
				    .values = w->text.values,
				    .tenant_param = w->text.tenant_param,
				    .fence = fence};
	return true;
}

static void
done(struct work *w)
{
	arena_fini(&w->arena);
	tree_free(&w->before);
}

static bool
accepts(struct work *w, const char *after, struct err *e)
{
	struct check_ask ask = w->ask;

	ask.after = after;
	ask.len = strlen(after);
	return check_rewrite(&ask, e) == 0;
}

/* How many were rewritten. */
static unsigned
accept_all(void)
{
	unsigned n = 0;

	for (unsigned fence = 0; fence < 2; fence++)
		for (size_t i = 0; i < TENANT_CORPUS_N; i++) {
			struct work w;
			struct err e;
			bool written = rewrite(&w, tenant_corpus[i], fence);

			n += written;
			if (written && !accepts(&w, w.text.sql, &e))
				fail_msg("%s\n%s\n%s", tenant_corpus[i],
					 w.text.sql, e.text);
			done(&w);
		}
	return n;
}

static void
test_what_the_rewriter_writes_is_accepted(void **state)
{
	accept_all();
}

static void
test_what_the_rewriter_limits_is_accepted(void **state)
{
	unsigned n;

	limits = &all_limits;
	n = accept_all();
	limits = NULL;
	printf("limited: %u of %u are run\n", n, 2 * (unsigned)TENANT_CORPUS_N);
	assert_true(n > TENANT_CORPUS_N);
}

/* ---- the same meaning -------------------------------------------------- */

static bool
means_the_same(const char *a, const char *b)
{
	struct tree *ta, *tb;
	struct err e;
	bool yes;

	if (tree_parse(a, strlen(a), &ta, &e) < 0)
		return false;
	if (tree_parse(b, strlen(b), &tb, &e) < 0) {
		tree_free(&ta);
		return false;
	}
	yes = tree_count(ta) == 1 && tree_count(tb) == 1 &&
	      trees_same(tree_root(ta, 0), tree_root(tb, 0));
	tree_free(&ta);
	tree_free(&tb);
	return yes;
}

static bool
parses(const char *sql)
{
	struct tree *t;
	struct err e;

	if (tree_parse(sql, strlen(sql), &t, &e) < 0)
		return false;
	tree_free(&t);
	return true;
}

/* ---- mutants ----------------------------------------------------------- */

static uint64_t seed;

static unsigned
chance(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)((seed >> 33) % n);
}

/* What a token may become. */
static const char *const words[] = {"$1",
				    "$2",
				    "$3",
				    "$4",
				    "OR",
				    "AND",
				    "NOT",
				    "true",
				    "false",
				    "null",
				    "0",
				    "1",
				    "lunate_0",
				    "lunate_1",
				    "lunate_2",
				    "\"clinic_id\"",
				    "\"id\"",
				    "\"n\"",
				    "\"visits\"",
				    "\"items\"",
				    "\"members\"",
				    "\"codes\"",
				    "\"patients\"",
				    "\"clinic\"",
				    "=",
				    "<>",
				    "ANY",
				    "EXISTS",
				    "UNION ALL",
				    "LEFT JOIN",
				    "(",
				    ")",
				    ",",
				    "*",
				    "ONLY",
				    "AS",
				    "v",
				    "p",
				    "OFFSET",
				    "::text",
				    "CASE",
				    "END",
				    "::pg_catalog.int4"};

#define WORDS_N (sizeof(words) / sizeof(*words))

/* What is written into, and what is changed. */
struct mutant {
	char text[16384];
	const char *of;
};

static void
put(struct mutant *m, struct tree_token t, const char *with)
{
	snprintf(m->text, sizeof(m->text), "%.*s %s %s", (int)t.start, m->of,
		 with, m->of + t.end);
}

enum { DROP, SWAP, WORD, DOUBLE, DROP_RUN, KINDS };

/* One change of the text; false: nothing came of it. */
static bool
mutate(struct mutant *m, const struct tree *t)
{
	const struct tree_token *tokens;
	const char *text = m->of;
	size_t n = tree_tokens(t, &tokens), i = chance((unsigned)n), k;
	struct tree_token span = tokens[i];

	switch (chance(KINDS)) {
	case DROP:
		put(m, span, "");
		return true;
	case WORD:
		put(m, span, words[chance(WORDS_N)]);
		return true;
	case DOUBLE:
		k = chance((unsigned)n);
		snprintf(m->text, sizeof(m->text), "%.*s %.*s %s",
			 (int)span.start, text,
			 (int)(tokens[k].end - tokens[k].start),
			 text + tokens[k].start, text + span.end);
		return true;
	case SWAP:
		if (i + 1 >= n)
			return false;
		snprintf(m->text, sizeof(m->text), "%.*s%.*s %.*s%s",
			 (int)span.start, text,
			 (int)(tokens[i + 1].end - tokens[i + 1].start),
			 text + tokens[i + 1].start,
			 (int)(span.end - span.start), text + span.start,
			 text + tokens[i + 1].end);
		return true;
	default:
		k = i + chance(24);
		span.end = tokens[k < n ? k : n - 1].end;
		put(m, span, "");
		return true;
	}
}

struct tally {
	unsigned tried, parsed, same, refused;
};

static void
try_mutant(struct work *w, const char *mutant, struct tally *t)
{
	struct err e;

	t->tried++;
	if (!parses(mutant))
		return;
	t->parsed++;
	if (means_the_same(mutant, w->text.sql)) {
		t->same++;
		return;
	}
	if (accepts(w, mutant, &e))
		fail_msg("accepted:\n%s\ninstead of\n%s", mutant, w->text.sql);
	assert_int_equal(refusal_of(&e), REFUSE_UNCHECKED);
	t->refused++;
}

static void
mutate_all(bool fence, unsigned rounds, struct tally *t)
{
	static struct mutant m;

	for (size_t i = 0; i < TENANT_CORPUS_N; i++) {
		struct tree *after;
		struct work w;
		struct err e;

		if (rewrite(&w, tenant_corpus[i], fence)) {
			assert_int_equal(
				tree_parse(w.text.sql, w.text.len, &after, &e),
				0);
			m.of = w.text.sql;
			for (unsigned k = 0; k < rounds; k++)
				if (mutate(&m, after))
					try_mutant(&w, m.text, t);
			tree_free(&after);
		}
		done(&w);
	}
}

/* MUTANTS in the environment: how many for each statement. */
static void
test_a_text_that_means_something_else_is_refused(void **state)
{
	const char *more = getenv("MUTANTS");
	unsigned rounds = more != NULL ? (unsigned)atoi(more) : 60;
	struct tally t = {0};

	seed = 20261124;
	mutate_all(false, rounds, &t);
	mutate_all(true, rounds, &t);
	limits = &all_limits;
	mutate_all(false, rounds, &t);
	limits = NULL;
	printf("mutants: %u tried, %u parse, %u mean the same, %u refused\n",
	       t.tried, t.parsed, t.same, t.refused);
	assert_true(t.refused > rounds);
}

/* ---- by hand ----------------------------------------------------------- */

static void
refuses(const char *before, const char *after)
{
	struct work w;
	struct err e;

	assert_true(rewrite(&w, before, false));
	if (!parses(after))
		fail_msg("does not parse: %s", after);
	if (accepts(&w, after, &e))
		fail_msg("accepted: %s", after);
	done(&w);
}

#define P0 "lunate_0.clinic_id OPERATOR(pg_catalog.=) $1::pg_catalog.uuid"

static void
test_a_predicate_that_does_not_bind_is_refused(void **state)
{
	const char *q = "select * from visits";

	refuses(q, "select * from clinic.visits");
	refuses(q, "select * from visits");
	refuses(q, "select * from (SELECT * FROM clinic.visits AS lunate_0 "
		   "WHERE " P0 " OR true) AS visits");
	refuses(q, "select * from (SELECT * FROM visits AS lunate_0 WHERE " P0
		   ") AS visits");
	refuses(q, "select * from (SELECT * FROM clinic.visits AS lunate_0 "
		   "WHERE lunate_0.clinic_id = $1::pg_catalog.uuid) AS "
		   "visits");
	refuses(q, "select * from (SELECT * FROM clinic.items AS lunate_0 "
		   "WHERE " P0 ") AS visits");
	refuses(q, "select * from (SELECT * FROM clinic.visits AS lunate_0 "
		   "WHERE " P0 ") AS visits, clinic.visits v");
	refuses(q, "select * from (SELECT * FROM clinic.visits AS lunate_0 "
		   "WHERE " P0 " UNION ALL SELECT * FROM clinic.visits) AS "
		   "visits");
	refuses(q, "select * from (SELECT * FROM clinic.visits AS lunate_0 "
		   "WHERE " P0 ") AS visits; select 1");
}

static void
test_a_predicate_on_the_preserved_side_is_refused(void **state)
{
	refuses("select v.id from visits v left join codes c on true group by "
		"v.id",
		"select v.id from clinic.visits v left join clinic.codes c on "
		"v.clinic_id OPERATOR(pg_catalog.=) $1::pg_catalog.uuid AND "
		"(true) group by v.id");
	refuses("select i.n from codes c left join visits i on true group by "
		"i.n",
		"select i.n from clinic.codes c left join clinic.visits i on "
		"true WHERE i.clinic_id OPERATOR(pg_catalog.=) "
		"$1::pg_catalog.uuid group by i.n");
}

/* An alias of a join hides the names below it: the predicate would speak of
 * another table of that name. */
static void
test_a_predicate_of_a_hidden_name_is_refused(void **state)
{
	refuses("select j.n from (visits v join codes c on true) as j, codes "
		"v group by j.n",
		"select j.n from (clinic.visits v join clinic.codes c on "
		"true) as j, clinic.codes v WHERE v.clinic_id "
		"OPERATOR(pg_catalog.=) $1::pg_catalog.uuid group by j.n");
}

static void
test_other_parameters_are_refused(void **state)
{
	refuses("select 1 from visits where id = $1",
		"select 1 from (SELECT * FROM clinic.visits AS lunate_0 "
		"WHERE " P0 ") AS visits where id = $1");
	refuses("select 1 from codes", "select 1 from clinic.codes where "
				       "$1::int = 1");
}

/* ---- what is written ---------------------------------------------------- */

static void
test_a_mask_is_not_passed_by_writing(void **state)
{
	static const char *const texts[][2] = {
		{"update visits set id = null where n = 1",
		 "update clinic.visits set id = null where %s AND %s AND (note "
		 "= 'x')"},
		{"update visits set id = null where n = 1",
		 "update clinic.visits set id = null where %s AND (n = 1)"},
		{"delete from visits where n = 1",
		 "delete from clinic.visits where %s AND (n = 1)"}};
	char after[2048];

	limits = &all_limits;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		snprintf(after, sizeof(after), texts[i][1],
			 "visits.clinic_id OPERATOR(pg_catalog.=) "
			 "$1::pg_catalog.uuid",
			 "(visits.\"n\" < $2 AND visits.\"n\" > $3)");
		refuses(texts[i][0], after);
	}
	limits = NULL;
}

/* The checker does not take the rewriter's word for what is refused. */
static void
test_what_the_rewriter_should_refuse_is_refused(void **state)
{
	static const char *const texts[][2] = {
		{"update visits set n = 1 where note = 'x'",
		 "visits read under a mask"},
		{"update visits set n = 1 returning *", "whole rows"},
		{"delete from visits v where (v).note = 'x'", "a field"},
		{"update visits set n = 1 returning old.note", "the row as it "
							       "was"},
		{"delete from visits returning old", "that row whole"},
		{"insert into visits (id) values (null) returning note", "a "
									 "new"},
		{"insert into visits (id) values (null) on conflict (clinic_id,"
		 " note) do nothing",
		 "what conflicts"},
		{"update items set n = 1", "a limit's column"},
		{"merge into items i using codes c on i.n = c.a when matched "
		 "then delete",
		 "a branch with a limit"}};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct work w;
		struct err e;

		assert_true(rewrite(&w, texts[i][0], false));
		w.ask.limits = &all_limits;
		if (accepts(&w, w.text.sql, &e))
			fail_msg("accepted: %s", texts[i][1]);
		done(&w);
	}
}

/* Which parameter a value has is part of what is checked. */
static void
test_a_value_at_another_place_is_refused(void **state)
{
	static const unsigned turned[] = {0, 1};
	struct work w;
	struct err e;

	limits = &all_limits;
	assert_true(rewrite(&w, "select 1 from codes", false));
	assert_int_equal(w.text.nvalues, 2);
	assert_int_equal(w.text.tenant_param, 0);
	assert_true(accepts(&w, w.text.sql, &e));
	w.ask.values = turned;
	assert_false(accepts(&w, w.text.sql, &e));
	w.ask.values = w.text.values;
	w.ask.nvalues = 1;
	assert_false(accepts(&w, w.text.sql, &e));
	done(&w);
	limits = NULL;
}

/* A key that is no column of a grouped primary key's table makes more groups
 * of what was one. */
static void
test_a_key_that_splits_groups_is_refused(void **state)
{
	refuses("select n, count(*) from visits group by n",
		"select n, count(*) from clinic.visits WHERE "
		"visits.clinic_id OPERATOR(pg_catalog.=) $1::pg_catalog.uuid "
		"group by n, visits.note");
	refuses("select v.n, max(v.note) from visits v group by v.n",
		"select v.n, max(v.note) from clinic.visits v WHERE "
		"v.clinic_id OPERATOR(pg_catalog.=) $1::pg_catalog.uuid "
		"group by v.n, v.note");
}

/* ORDER BY would mean the tenant instead of the column of that name. */
static void
test_a_name_for_the_tenant_that_is_added_is_refused(void **state)
{
	refuses("insert into visits (n) select a from codes order by id",
		"insert into clinic.visits (n, clinic_id) select a, "
		"$1::pg_catalog.uuid AS id from clinic.codes order by id");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_the_rewriter_writes_is_accepted),
		cmocka_unit_test(test_what_the_rewriter_limits_is_accepted),
		cmocka_unit_test(
			test_a_text_that_means_something_else_is_refused),
		cmocka_unit_test(
			test_a_predicate_that_does_not_bind_is_refused),
		cmocka_unit_test(
			test_a_predicate_on_the_preserved_side_is_refused),
		cmocka_unit_test(test_a_predicate_of_a_hidden_name_is_refused),
		cmocka_unit_test(test_other_parameters_are_refused),
		cmocka_unit_test(test_a_key_that_splits_groups_is_refused),
		cmocka_unit_test(test_a_mask_is_not_passed_by_writing),
		cmocka_unit_test(
			test_what_the_rewriter_should_refuse_is_refused),
		cmocka_unit_test(test_a_value_at_another_place_is_refused),
		cmocka_unit_test(
			test_a_name_for_the_tenant_that_is_added_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
