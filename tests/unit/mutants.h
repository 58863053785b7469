/* SPDX-License-Identifier: MIT
 *
 * mutants - for tests: what a scoped text could have become by a mistake.
 *
 * Each change is made at tokens, at every place where it can be made, so that
 * all else stays as the rewriter wrote it.  Some of what comes out does not
 * parse, and some means what it meant: who asks tells these apart.
 *
 *	struct mutants m = {.sql = text, .tokens = t, .n = n, .give = fn};
 *	mutants_all(&m);	// fn(&m, kind, mutant) for each
 *
 * The tables and columns put in are those of clinic_live.h.
 */
#ifndef MUTANTS_H
#define MUTANTS_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "obj.h"
#include "str.h"
#include "tree.h"

/* X(NAME, what) */
/* clang-format off */
#define MUTANTS(X) \
	X(DROP, "a condition dropped") \
	X(TRUE_, "a condition that always holds") \
	X(NEGATE, "a condition negated") \
	X(NULLS, "a condition in IS NOT NULL, IS NOT FALSE, COALESCE, CASE") \
	X(OR, "AND became OR, or a condition got an OR") \
	X(MOVE, "a condition moved to another ON, WHERE or WHEN") \
	X(WHERE, "a WHERE dropped") \
	X(PARAM, "another parameter, or a constant in its place") \
	X(COLUMN, "another column") \
	X(TABLE, "another table, or another schema") \
	X(ALIAS, "another alias") \
	X(OPERATOR, "another operator, or one of the search path") \
	X(ANY, "ANY became ALL, a set became one") \
	X(CAST, "another type, or none") \
	X(EXISTS, "EXISTS negated or widened") \
	X(NEST, "a sub-select replaced by its table") \
	X(EXTRA, "one more table, not scoped") \
	X(UNION, "one more arm of a set operation") \
	X(FENCE, "OFFSET 0 dropped, changed or added") \
	X(MEMBER, "a row of lunate_member, or all of it, dropped") \
	X(RAISE, "a branch of CASE changed") \
	X(MASK, "a masked column shown") \
	X(JOIN, "another kind of join") \
	X(ONLY, "ONLY added or dropped") \
	X(NUMBER, "another number") \
	X(GROUP, "a key more or less in GROUP BY") \
	X(CONFLICT, "another answer to a conflict, or another branch") \
	X(TELL, "RETURNING added, a sub-select in a list, a lock, a CTE") \
	X(MANY, "a second statement") \
	X(TOKEN, "a token dropped, doubled or swapped")

/* clang-format on */
enum mutant_kind {
#define MUTANT_ENUM(name, what) MUTANT_##name,
	MUTANTS(MUTANT_ENUM)
#undef MUTANT_ENUM
		MUTANTS_N
};

struct mutants {
	const char *sql;
	const struct tree_token *tokens;
	size_t n;
	void (*give)(struct mutants *m, enum mutant_kind kind,
		     const char *text);
	bool (*wants)(void); /* or NULL: asked before one is made */
	struct str text;
};

/* ---- tokens ------------------------------------------------------------ */

static const char *
mut_at(const struct mutants *m, size_t i)
{
	return m->sql + m->tokens[i].start;
}

static size_t
mut_len(const struct mutants *m, size_t i)
{
	return m->tokens[i].end - m->tokens[i].start;
}

/* Is it this word, or this name, quoted or not? */
static bool
mut_is(const struct mutants *m, size_t i, const char *word)
{
	const char *at;
	size_t len;

	if (i >= m->n)
		return false;
	at = mut_at(m, i);
	len = mut_len(m, i);
	if (at[0] == '"' && len > 2)
		at++, len -= 2;
	return strlen(word) == len && strncasecmp(at, word, len) == 0;
}

static bool
mut_in(const struct mutants *m, size_t i, const char *const *words)
{
	for (; *words != NULL; words++)
		if (mut_is(m, i, *words))
			return true;
	return false;
}

static bool
mut_opens(const struct mutants *m, size_t i)
{
	return mut_is(m, i, "(") || mut_is(m, i, "[") || mut_is(m, i, "CASE");
}

static bool
mut_closes(const struct mutants *m, size_t i)
{
	return mut_is(m, i, ")") || mut_is(m, i, "]") || mut_is(m, i, "END");
}

/* The token that closes what i opens. */
static size_t
mut_close(const struct mutants *m, size_t i)
{
	int depth = 0;

	for (; i < m->n; i++) {
		depth += mut_opens(m, i);
		depth -= mut_closes(m, i);
		if (depth == 0)
			return i;
	}
	return m->n;
}

/* From i to the first of `words`, or to what closes around it. */
static size_t
mut_until(const struct mutants *m, size_t i, const char *const *words)
{
	while (i < m->n && !mut_closes(m, i) && !mut_in(m, i, words))
		i = (mut_opens(m, i) ? mut_close(m, i) : i) + 1;
	return i < m->n ? i : m->n;
}

/* ---- edits ------------------------------------------------------------- */

static size_t
mut_start(const struct mutants *m, size_t i)
{
	return i < m->n ? m->tokens[i].start : strlen(m->sql);
}

/* Tokens from i to before j. */
struct mut_span {
	size_t i, j;
};

#define MUT_SPAN(i, j) ((struct mut_span){i, j})

/* They become `with`. */
struct mut_edit {
	size_t i, j;
	const char *with;
};

static void
mut_put(struct mutants *m, size_t from, size_t to)
{
	str_addn(&m->text, m->sql + from, to - from);
}

/* Edits in order of place. */
static void
mut_edits(struct mutants *m, enum mutant_kind kind, const struct mut_edit *e,
	  unsigned n)
{
	size_t done = 0;

	if (m->wants != NULL && !m->wants())
		return;
	str_fini(&m->text);
	str_init(&m->text);
	for (unsigned k = 0; k < n; k++) {
		size_t to = e[k].j > e[k].i ? m->tokens[e[k].j - 1].end
					    : mut_start(m, e[k].i);

		mut_put(m, done, mut_start(m, e[k].i));
		str_addf(&m->text, " %s ", e[k].with);
		done = to;
	}
	mut_put(m, done, strlen(m->sql));
	m->give(m, kind, m->text.at);
}

static void
mut_edit(struct mutants *m, enum mutant_kind kind, struct mut_span s,
	 const char *with)
{
	struct mut_edit e = {s.i, s.j, with};

	if (s.i <= s.j && s.j <= m->n)
		mut_edits(m, kind, &e, 1);
}

/* Tokens from i to before j stand in the %s of a form, as often as it has. */
static void
mut_wrap(struct mutants *m, enum mutant_kind kind, struct mut_span span,
	 const char *form)
{
	char with[8192], text[4096];
	size_t len;

	if (span.i >= span.j)
		return;
	len = m->tokens[span.j - 1].end - m->tokens[span.i].start;
	if (len >= sizeof(text))
		return;
	memcpy(text, mut_at(m, span.i), len);
	text[len] = 0;
	snprintf(with, sizeof(with), form, text, text);
	mut_edit(m, kind, MUT_SPAN(span.i, span.j), with);
}

/* Token i becomes each of these. */
static void
mut_each(struct mutants *m, enum mutant_kind kind, size_t i,
	 const char *const *words)
{
	for (; *words != NULL; words++)
		if (!mut_is(m, i, *words))
			mut_edit(m, kind, MUT_SPAN(i, i + 1), *words);
}

#define MUT_WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

#endif
