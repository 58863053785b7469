/* SPDX-License-Identifier: MIT
 *
 * mutants_make - for tests: the changes of mutants.h, one function for each
 * part of a scoped text.
 */
#ifndef MUTANTS_MAKE_H
#define MUTANTS_MAKE_H

#include "mutants.h"

static const char *const mut_ends[] = {
	"AND",	 "OR",	    "THEN",   "ELSE",	"WHEN",	     "GROUP",
	"ORDER", "LIMIT",   "OFFSET", "FOR",	"HAVING",    "RETURNING",
	"UNION", "EXCEPT",  "ON",     "WINDOW", "INTERSECT", "WHERE",
	",",	 "JOIN",    "LEFT",   "DO",	"RIGHT",     "CROSS",
	"FULL",	 "NATURAL", "INNER",  NULL};

static const char *const mut_clauses[] = {
	"GROUP", "ORDER",  "LIMIT",	"OFFSET", "FOR", "HAVING", "RETURNING",
	"UNION", "EXCEPT", "INTERSECT", "WINDOW", "DO",	 "WHEN",   NULL};

/* ---- conditions -------------------------------------------------------- */

static bool
mut_has_tenant(const struct mutants *m, size_t i, size_t j)
{
	for (; i < j; i++)
		if (mut_is(m, i, "OPERATOR"))
			return true;
	return false;
}

/* P AND ... is taken out, and put behind every ON, WHERE and MATCHED. */
static void
mut_move(struct mutants *m, size_t i, size_t j)
{
	char with[2200], plain[2048];
	size_t len = m->tokens[j - 1].end - m->tokens[i].start;
	bool and_ = mut_is(m, j, "AND");

	if (len >= sizeof(plain) || !mut_has_tenant(m, i, j))
		return;
	memcpy(plain, mut_at(m, i), len);
	plain[len] = 0;
	for (size_t k = 0; k < m->n; k++) {
		bool when = mut_is(m, k, "MATCHED");
		struct mut_edit e[2] = {
			{i, and_ ? j + 1 : j, and_ ? "" : "true"},
			{k + 1, k + 1, with}};

		if ((!when && !mut_is(m, k, "ON") && !mut_is(m, k, "WHERE")) ||
		    (k + 1 >= i && k < j))
			continue;
		snprintf(with, sizeof(with), when ? "AND %s" : "%s AND", plain);
		if (k < i) {
			struct mut_edit t = e[0];

			e[0] = e[1], e[1] = t;
		}
		mut_edits(m, MUTANT_MOVE, e, 2);
	}
}

static void
mut_condition(struct mutants *m, size_t i, size_t j)
{
	struct mut_span span = {i, j};

	if (i >= j)
		return;
	mut_edit(m, MUTANT_TRUE_, MUT_SPAN(i, j), "true");
	if (mut_is(m, j, "AND"))
		mut_edit(m, MUTANT_DROP, MUT_SPAN(i, j + 1), "");
	else if (i > 0 && mut_is(m, i - 1, "AND"))
		mut_edit(m, MUTANT_DROP, MUT_SPAN(i - 1, j), "");
	mut_wrap(m, MUTANT_NEGATE, span, "NOT (%s)");
	mut_wrap(m, MUTANT_NEGATE, span, "(%s) IS FALSE");
	mut_wrap(m, MUTANT_NULLS, span, "(%s) IS NOT NULL");
	mut_wrap(m, MUTANT_NULLS, span, "(%s) IS NOT FALSE");
	mut_wrap(m, MUTANT_NULLS, span, "COALESCE(NOT (%s), true)");
	mut_wrap(m, MUTANT_NULLS, span, "CASE WHEN %s THEN true ELSE true END");
	mut_wrap(m, MUTANT_OR, span, "(%s OR true)");
	mut_wrap(m, MUTANT_OR, span, "(%s OR NOT (%s))");
	mut_move(m, i, j);
}

static void
mut_conditions(struct mutants *m)
{
	for (size_t k = 0; k + 1 < m->n; k++) {
		if (mut_in(m, k,
			   MUT_WORDS("WHERE", "ON", "AND", "HAVING", "WHEN",
				     "OR")))
			mut_condition(m, k + 1, mut_until(m, k + 1, mut_ends));
		if (mut_is(m, k, "AND"))
			mut_edit(m, MUTANT_OR, MUT_SPAN(k, k + 1), "OR");
		if (mut_is(m, k, "WHERE"))
			mut_edit(m, MUTANT_WHERE,
				 MUT_SPAN(k, mut_until(m, k + 1, mut_clauses)),
				 "");
	}
}

/* ---- parts of a predicate ---------------------------------------------- */

static void
mut_param(struct mutants *m, size_t k)
{
	mut_each(m, MUTANT_PARAM, k,
		 MUT_WORDS("$1", "$2", "$3", "$4", "$5", "$6", "NULL",
			   "'00000000-0000-4000-8000-00000000000b'"));
}

static void
mut_cast(struct mutants *m, size_t k)
{
	if (mut_is(m, k + 1, "pg_catalog")) {
		mut_edit(m, MUTANT_CAST, MUT_SPAN(k, k + 4), "");
		mut_each(m, MUTANT_CAST, k + 3,
			 MUT_WORDS("text", "bpchar", "name", "uuid"));
	} else {
		mut_edit(m, MUTANT_CAST, MUT_SPAN(k, k + 2), "");
	}
}

/* OPERATOR(pg_catalog.=) */
static void
mut_operator(struct mutants *m, size_t k)
{
	static const char *const other[] = {"=",
					    "IS NOT DISTINCT FROM",
					    "OPERATOR(pg_catalog.<>)",
					    "OPERATOR(pg_catalog.>=)",
					    "OPERATOR(pg_catalog.<=)",
					    "OPERATOR(other.=)",
					    "IS DISTINCT FROM",
					    "<>"};

	for (size_t i = 0; i < sizeof(other) / sizeof(*other); i++)
		mut_edit(m, MUTANT_OPERATOR,
			 MUT_SPAN(k, mut_close(m, k + 1) + 1), other[i]);
}

static void
mut_exists(struct mutants *m, size_t k)
{
	struct mut_span span = {k, mut_close(m, k + 1) + 1};

	if (span.j > m->n)
		return;
	mut_edit(m, MUTANT_EXISTS, MUT_SPAN(k, k), "NOT");
	mut_wrap(m, MUTANT_EXISTS, span, "(%s OR EXISTS (SELECT))");
	mut_wrap(m, MUTANT_EXISTS, span, "EXISTS (SELECT WHERE %s OR true)");
	mut_edit(m, MUTANT_EXISTS, MUT_SPAN(k + 2, span.j - 1),
		 "SELECT FROM clinic.visits");
	mut_edit(m, MUTANT_EXISTS, MUT_SPAN(span.j - 1, span.j - 1),
		 "UNION ALL SELECT");
}

static void
mut_any(struct mutants *m, size_t k)
{
	mut_edit(m, MUTANT_ANY, MUT_SPAN(k, k + 1), "ALL");
	mut_edit(m, MUTANT_ANY, MUT_SPAN(k, k + 1), "SOME");
	mut_edit(m, MUTANT_ANY, MUT_SPAN(k, mut_close(m, k + 1) + 1),
		 "'00000000-0000-4000-8000-00000000000b'");
}

static void
mut_predicates(struct mutants *m)
{
	for (size_t k = 0; k < m->n; k++) {
		if (m->tokens[k].kind == TOKEN_PARAM)
			mut_param(m, k);
		else if (mut_is(m, k, "::"))
			mut_cast(m, k);
		else if (mut_is(m, k, "OPERATOR"))
			mut_operator(m, k);
		else if (mut_is(m, k, "EXISTS"))
			mut_exists(m, k);
		else if (mut_is(m, k, "ANY"))
			mut_any(m, k);
	}
}

/* ---- names ------------------------------------------------------------- */

static const char *const mut_tables[] = {"visits",  "items", "patients",
					 "members", "codes", NULL};

static void
mut_table(struct mutants *m, size_t k)
{
	mut_each(m, MUTANT_TABLE, k + 2, mut_tables);
	mut_edit(m, MUTANT_TABLE, MUT_SPAN(k, k + 1), "other");
	mut_edit(m, MUTANT_TABLE, MUT_SPAN(k, k + 2), "");
	mut_edit(m, MUTANT_EXTRA, MUT_SPAN(k + 3, k + 3),
		 ", clinic.visits AS extra");
	if (mut_is(m, k - 1, "ONLY"))
		mut_edit(m, MUTANT_ONLY, MUT_SPAN(k - 1, k), "");
	else
		mut_edit(m, MUTANT_ONLY, MUT_SPAN(k, k), "ONLY");
}

static void
mut_names(struct mutants *m)
{
	for (size_t k = 1; k + 2 < m->n; k++) {
		if (mut_is(m, k, "clinic") && mut_is(m, k + 1, ".") &&
		    mut_in(m, k + 2, mut_tables))
			mut_table(m, k);
		else if (mut_is(m, k + 1, ".") && !mut_is(m, k, "pg_catalog") &&
			 m->tokens[k].kind == TOKEN_WORD) {
			mut_each(m, MUTANT_COLUMN, k + 2,
				 MUT_WORDS("id", "clinic_id", "n", "visit_id",
					   "patient_id"));
			mut_each(m, MUTANT_ALIAS, k,
				 MUT_WORDS("lunate_0", "lunate_1", "lunate_2",
					   "v", "i", "visits"));
		}
		if (mut_is(m, k, "AS"))
			mut_each(m, MUTANT_ALIAS, k + 1,
				 MUT_WORDS("v", "lunate_0", "lunate_1",
					   "codes"));
	}
}

/* ---- sub-selects ------------------------------------------------------- */

/* (SELECT ... FROM table AS lunate_0 ...) becomes its table. */
static void
mut_subselect(struct mutants *m, size_t k)
{
	size_t close = mut_close(m, k);
	size_t from = mut_until(m, k + 1, MUT_WORDS("FROM"));
	struct mut_span span = {
		from + 1, mut_until(m, from + 1, MUT_WORDS("AS", "WHERE"))};
	struct mut_edit e[2] = {{k, span.i, ""}, {span.j, close + 1, ""}};

	if (close >= m->n || from >= close || span.j > close)
		return;
	mut_edits(m, MUTANT_NEST, e, 2);
	mut_edit(m, MUTANT_UNION, MUT_SPAN(close, close),
		 "UNION ALL SELECT * FROM clinic.visits");
	mut_edit(m, MUTANT_UNION, MUT_SPAN(close, close),
		 "UNION ALL SELECT * FROM clinic.items");
	mut_edit(m, MUTANT_UNION, MUT_SPAN(close, close),
		 "UNION ALL SELECT * FROM clinic.patients");
	mut_edit(m, MUTANT_FENCE, MUT_SPAN(close, close), "OFFSET 0");
	mut_edit(m, MUTANT_FENCE, MUT_SPAN(close, close), "OFFSET 1");
	mut_edit(m, MUTANT_FENCE, MUT_SPAN(close, close), "LIMIT 1");
	mut_edit(m, MUTANT_TELL, MUT_SPAN(k + 2, k + 2),
		 "(SELECT count(*) FROM clinic.visits),");
	mut_edit(m, MUTANT_EXTRA, MUT_SPAN(close, close),
		 "AND EXISTS (SELECT FROM clinic.visits)");
}

static void
mut_subselects(struct mutants *m)
{
	for (size_t k = 0; k + 2 < m->n; k++) {
		if (mut_is(m, k, "(") && mut_is(m, k + 1, "SELECT"))
			mut_subselect(m, k);
		if (mut_is(m, k, "OFFSET")) {
			mut_edit(m, MUTANT_FENCE, MUT_SPAN(k, k + 2), "");
			mut_edit(m, MUTANT_FENCE, MUT_SPAN(k, k + 2),
				 "OFFSET 1");
			mut_edit(m, MUTANT_FENCE, MUT_SPAN(k, k + 2),
				 "LIMIT ALL");
		}
		if (mut_is(m, k, "CAST") && mut_is(m, k + 2, "NULL")) {
			size_t end = mut_close(m, k + 1);
			struct mut_span name = {end + 2, end + 3};

			mut_edit(m, MUTANT_MASK, MUT_SPAN(k + 2, k + 3), "'x'");
			mut_edit(m, MUTANT_MASK, MUT_SPAN(k, end + 2),
				 "lunate_0.");
			mut_wrap(m, MUTANT_MASK, name, "%s, lunate_0.*");
		}
	}
}

/* ---- writes ------------------------------------------------------------ */

static void
mut_case(struct mutants *m, size_t k)
{
	size_t end = mut_close(m, k), then, other;
	struct mut_span when = {k + 2, mut_until(m, k + 2, MUT_WORDS("THEN"))};

	then = when.j + 1;
	other = mut_until(m, then, MUT_WORDS("ELSE"));
	if (end >= m->n || other > end)
		return;
	if (other == end) { /* a mask */
		mut_edit(m, MUTANT_MASK, MUT_SPAN(when.i, when.j), "true");
		mut_wrap(m, MUTANT_MASK, when, "NOT (%s)");
		mut_wrap(m, MUTANT_MASK, when, "(%s) IS NOT NULL");
		mut_wrap(m, MUTANT_MASK, MUT_SPAN(then, end), "%s ELSE %s");
		return;
	}
	mut_edit(m, MUTANT_RAISE, MUT_SPAN(when.i, when.j), "true");
	mut_wrap(m, MUTANT_RAISE, when, "NOT (%s)");
	mut_wrap(m, MUTANT_RAISE, when, "(%s OR true)");
	mut_edit(m, MUTANT_RAISE, MUT_SPAN(other + 1, end), "NULL");
	mut_edit(m, MUTANT_RAISE, MUT_SPAN(other + 1, end), "true");
	mut_edit(m, MUTANT_RAISE, MUT_SPAN(other, end), "");
	mut_edit(m, MUTANT_RAISE, MUT_SPAN(then, other),
		 "'00000000-0000-4000-8000-00000000000b'");
	mut_edit(m, MUTANT_RAISE, MUT_SPAN(other + 1, end),
		 "'00000000-0000-4000-8000-00000000000b'");
	mut_edit(m, MUTANT_RAISE, MUT_SPAN(k, end + 1),
		 "'00000000-0000-4000-8000-00000000000b'");
}

static void
mut_member(struct mutants *m, size_t k)
{
	size_t open = k + 2, close = mut_close(m, open), values;

	values = mut_until(m, open + 1, MUT_WORDS("VALUES"));
	if (close >= m->n || values >= close)
		return;
	mut_edit(m, MUTANT_MEMBER, MUT_SPAN(k - 1, close + 1), "");
	mut_edit(m, MUTANT_MEMBER, MUT_SPAN(open + 1, close), "SELECT");
	for (size_t i = values + 1; i < close; i = mut_close(m, i) + 2) {
		size_t end = mut_close(m, i);

		mut_edit(m, MUTANT_MEMBER, MUT_SPAN(i, end + 2), "");
		mut_edit(m, MUTANT_MEMBER,
			 MUT_SPAN(i > values + 1 ? i - 1 : i, end + 1), "");
		mut_edit(m, MUTANT_MEMBER, MUT_SPAN(i, end + 1),
			 "($1, '00000000-0000-4000-8000-00000000000b')");
	}
}

static void
mut_conflict(struct mutants *m, size_t k)
{
	size_t end = mut_until(m, k + 2, MUT_WORDS("RETURNING"));
	size_t act = mut_until(m, k + 2, MUT_WORDS("DO"));

	mut_edit(m, MUTANT_CONFLICT, MUT_SPAN(k, end), "");
	mut_edit(m, MUTANT_CONFLICT, MUT_SPAN(k, end),
		 "ON CONFLICT DO NOTHING");
	mut_edit(m, MUTANT_CONFLICT, MUT_SPAN(k + 2, act), "(id)");
	mut_edit(m, MUTANT_CONFLICT, MUT_SPAN(k + 2, act),
		 "ON CONSTRAINT visits_pkey");
	mut_edit(m, MUTANT_CONFLICT, MUT_SPAN(act, end), "DO NOTHING");
	mut_edit(m, MUTANT_CONFLICT, MUT_SPAN(act, end),
		 "DO UPDATE SET note = 'y'");
	mut_edit(m, MUTANT_CONFLICT, MUT_SPAN(act, end),
		 "DO UPDATE SET clinic_id = excluded.clinic_id");
}

static void
mut_writes(struct mutants *m)
{
	for (size_t k = 1; k + 2 < m->n; k++) {
		if (mut_is(m, k, "CASE"))
			mut_case(m, k);
		if (mut_is(m, k, "lunate_member") && mut_is(m, k + 1, "AS"))
			mut_member(m, k);
		if (mut_is(m, k, "ON") && mut_is(m, k + 1, "CONFLICT"))
			mut_conflict(m, k);
		if (mut_is(m, k, "NOT") && mut_is(m, k + 1, "MATCHED"))
			mut_edit(m, MUTANT_CONFLICT, MUT_SPAN(k, k + 1), "");
		if (mut_is(m, k, "DELETE") && mut_is(m, k - 1, "THEN"))
			mut_edit(m, MUTANT_CONFLICT, MUT_SPAN(k, k + 1),
				 "DO NOTHING");
		if (mut_is(m, k, "SET"))
			mut_edit(m, MUTANT_COLUMN, MUT_SPAN(k + 1, k + 1),
				 "clinic_id = '00000000-0000-4000-8000-"
				 "00000000000b',");
	}
}

/* ---- the statement ----------------------------------------------------- */

static void
mut_groups(struct mutants *m)
{
	static const char *const more[] = {", v.n", ", v.note",	  ", v.id",
					   ", i.n", ", p.id",	  ", n",
					   ", 1",   ", visits.n", ", items.n"};
	size_t end, last;

	for (size_t k = 0; k + 2 < m->n; k++) {
		if (!mut_is(m, k, "GROUP") || !mut_is(m, k + 1, "BY"))
			continue;
		end = mut_until(m, k + 2, mut_clauses);
		for (size_t i = 0; i < sizeof(more) / sizeof(*more); i++)
			mut_edit(m, MUTANT_GROUP, MUT_SPAN(end, end), more[i]);
		mut_edit(m, MUTANT_GROUP, MUT_SPAN(k, end), "");
		for (last = end - 1; last > k && !mut_is(m, last, ",");)
			last--;
		if (last > k)
			mut_edit(m, MUTANT_GROUP, MUT_SPAN(last, end), "");
	}
}

static void
mut_joins(struct mutants *m)
{
	static const char *const kinds[] = {"LEFT",  "RIGHT",	"FULL", "INNER",
					    "CROSS", "NATURAL", NULL};

	for (size_t k = 1; k < m->n; k++) {
		bool told = mut_in(m, k - 1, kinds);

		if (!mut_is(m, k, "JOIN"))
			continue;
		for (size_t i = 0; kinds[i] != NULL; i++)
			if (!told)
				mut_edit(m, MUTANT_JOIN, MUT_SPAN(k, k),
					 kinds[i]);
			else if (!mut_is(m, k - 1, kinds[i]))
				mut_edit(m, MUTANT_JOIN, MUT_SPAN(k - 1, k),
					 kinds[i]);
		if (told)
			mut_edit(m, MUTANT_JOIN, MUT_SPAN(k - 1, k), "");
		mut_edit(m, MUTANT_EXTRA,
			 MUT_SPAN(told ? k - 1 : k, told ? k - 1 : k),
			 "CROSS JOIN clinic.visits AS extra");
	}
}

static void
mut_whole(struct mutants *m)
{
	mut_edit(m, MUTANT_UNION, MUT_SPAN(m->n, m->n),
		 "UNION ALL SELECT * FROM clinic.visits");
	mut_edit(m, MUTANT_UNION, MUT_SPAN(m->n, m->n),
		 "UNION ALL SELECT n FROM clinic.visits");
	mut_edit(m, MUTANT_TELL, MUT_SPAN(m->n, m->n), "RETURNING *");
	mut_edit(m, MUTANT_TELL, MUT_SPAN(m->n, m->n),
		 "RETURNING (SELECT count(*) FROM clinic.visits)");
	mut_edit(m, MUTANT_TELL, MUT_SPAN(m->n, m->n), "FOR UPDATE");
	mut_edit(m, MUTANT_TELL, MUT_SPAN(m->n, m->n), "LIMIT 1");
	mut_edit(m, MUTANT_TELL, MUT_SPAN(0, 0),
		 "WITH extra AS (SELECT * FROM clinic.visits)");
	mut_edit(m, MUTANT_TELL, MUT_SPAN(0, 0),
		 "WITH visits AS (SELECT * FROM clinic.visits)");
	mut_edit(m, MUTANT_TELL, MUT_SPAN(0, 0),
		 "WITH extra AS (DELETE FROM clinic.visits)");
	mut_edit(m, MUTANT_MANY, MUT_SPAN(m->n, m->n),
		 "; SELECT * FROM clinic.visits");
	mut_edit(m, MUTANT_MANY, MUT_SPAN(0, 0), "DELETE FROM clinic.visits;");
	if (mut_is(m, 0, "SELECT")) {
		mut_edit(m, MUTANT_TELL, MUT_SPAN(1, 1),
			 "(SELECT count(*) FROM clinic.visits),");
		mut_edit(m, MUTANT_TELL, MUT_SPAN(1, 1), "DISTINCT");
	}
}

static void
mut_tokens(struct mutants *m)
{
	for (size_t k = 0; k < m->n; k++) {
		struct mut_span one = {k, k + 1};

		mut_edit(m, MUTANT_TOKEN, MUT_SPAN(k, k + 1), "");
		mut_wrap(m, MUTANT_TOKEN, one, "%s %s");
		if (k + 1 < m->n) {
			struct mut_edit e[2] = {{k, k + 1, ""},
						{k + 2, k + 2, ""}};
			char with[128];

			snprintf(with, sizeof(with), "%.*s", (int)mut_len(m, k),
				 mut_at(m, k));
			e[1].with = with;
			mut_edits(m, MUTANT_TOKEN, e, 2);
		}
		if (m->tokens[k].kind == TOKEN_LITERAL && mut_is(m, k, "0"))
			mut_edit(m, MUTANT_NUMBER, MUT_SPAN(k, k + 1), "1");
		else if (m->tokens[k].kind == TOKEN_LITERAL)
			mut_each(m, MUTANT_NUMBER, k,
				 MUT_WORDS("0", "1", "2", "7"));
	}
}

UNUSED static void
mutants_all(struct mutants *m)
{
	str_init(&m->text);
	mut_conditions(m);
	mut_predicates(m);
	mut_names(m);
	mut_subselects(m);
	mut_writes(m);
	mut_groups(m);
	mut_joins(m);
	mut_whole(m);
	mut_tokens(m);
	str_fini(&m->text);
}

#endif
