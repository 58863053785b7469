/* SPDX-License-Identifier: MIT
 *
 * Places in the text.
 *
 * The tree says what a statement means, but hardly where a clause begins and
 * never where it ends.  What is searched for here are reserved words outside
 * of inner brackets: such a word is the clause, unless it is a label (AS where)
 * or an attribute (x.where).
 */
#include "tenant_int.h"

#include <string.h>
#include <strings.h>

static bool
opens(const struct rewrite *rw, size_t i)
{
	return token_char(rw, i, '(') || token_char(rw, i, '[');
}

static bool
closes(const struct rewrite *rw, size_t i)
{
	return token_char(rw, i, ')') || token_char(rw, i, ']');
}

/* Depths and partners; false when brackets do not pair up. */
static bool
pair_up(struct rewrite *rw)
{
	size_t *open = arena_new(rw->a, (rw->n + 1) * sizeof(*open));
	unsigned depth = 0;

	for (size_t i = 0; i <= rw->n; i++) {
		rw->match[i] = NO_TOKEN;
		if (closes(rw, i)) {
			if (depth == 0)
				return false;
			rw->match[i] = open[--depth];
			rw->match[open[depth]] = i;
		}
		rw->depth[i] = depth;
		if (opens(rw, i))
			open[depth++] = i;
	}
	return depth == 0;
}

int
tokens_init(struct rewrite *rw)
{
	const struct tree_token *all;
	size_t n = tree_tokens(rw->ask->tree, &all);

	rw->text = tree_text(rw->ask->tree, &rw->len);
	rw->tok = arena_new(rw->a, (n + 1) * sizeof(*rw->tok));
	for (size_t i = 0; i < n; i++)
		if (all[i].kind != TOKEN_COMMENT)
			rw->tok[rw->n++] = all[i];
	while (rw->n > 0 && token_char(rw, rw->n - 1, ';'))
		rw->n--;
	rw->tok[rw->n] = (struct tree_token){(uint32_t)rw->len,
					     (uint32_t)rw->len, 0, TOKEN_MARK};
	rw->depth = arena_new(rw->a, (rw->n + 1) * sizeof(*rw->depth));
	rw->match = arena_new(rw->a, (rw->n + 1) * sizeof(*rw->match));
	rw->conflict = arena_new(rw->a, (rw->n + 1) * sizeof(*rw->conflict));
	if (!pair_up(rw))
		return refuse(rw->e, REFUSE_FORM, "brackets do not pair up");
	return 0;
}

size_t
token_at(const struct rewrite *rw, int64_t byte)
{
	size_t low = 0, high = rw->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if ((int64_t)rw->tok[mid].start < byte)
			low = mid + 1;
		else
			high = mid;
	}
	return low < rw->n && (int64_t)rw->tok[low].start == byte ? low
								  : NO_TOKEN;
}

bool
token_word(const struct rewrite *rw, size_t i, const char *word)
{
	const struct tree_token *t;
	size_t n = strlen(word);

	if (i >= rw->n)
		return false;
	t = &rw->tok[i];
	return t->kind == TOKEN_WORD && t->end - t->start == n &&
	       strncasecmp(rw->text + t->start, word, n) == 0;
}

bool
token_char(const struct rewrite *rw, size_t i, char c)
{
	const struct tree_token *t = &rw->tok[i];

	return i < rw->n && t->kind == TOKEN_MARK && t->end - t->start == 1 &&
	       rw->text[t->start] == c;
}

bool
token_key(const struct rewrite *rw, size_t i, const char *word)
{
	return token_word(rw, i, word) &&
	       (i == 0 ||
		(!token_word(rw, i - 1, "as") && !token_char(rw, i - 1, '.')));
}

size_t
token_before(const struct rewrite *rw, size_t i, const char *word)
{
	unsigned least = rw->depth[i];

	while (i-- > 0) {
		if (rw->depth[i] < least)
			least = rw->depth[i];
		if (rw->depth[i] == least && token_key(rw, i, word))
			return i;
	}
	return NO_TOKEN;
}

/* Does a clause that comes behind WHERE begin here? */
static bool
ends_where(const struct rewrite *rw, size_t i)
{
	static const char *const words[] = {
		"group", "having", "window", "union", "intersect", "except",
		"order", "limit",  "offset", "fetch", "for",	   "returning"};

	if (rw->conflict[i])
		return true;
	if (token_word(rw, i, "group") && i > 0 &&
	    token_word(rw, i - 1, "within"))
		return false; /* an ordered-set aggregate */
	for (size_t k = 0; k < sizeof(words) / sizeof(*words); k++)
		if (token_key(rw, i, words[k]))
			return true;
	return false;
}

struct clause
token_clause(const struct rewrite *rw, size_t keyword)
{
	struct clause c = {NO_TOKEN, rw->n};
	unsigned depth = rw->depth[keyword];

	for (size_t i = keyword + 1; i < rw->n; i++) {
		if (rw->depth[i] > depth)
			continue;
		if (rw->depth[i] < depth || ends_where(rw, i)) {
			c.end = i;
			break;
		}
		if (c.where == NO_TOKEN && token_key(rw, i, "where"))
			c.where = i;
	}
	return c;
}

size_t
token_group_end(const struct rewrite *rw, size_t select)
{
	struct clause c = token_clause(rw, select);
	unsigned depth = rw->depth[select];
	size_t i = c.end + 1;

	if (!token_key(rw, c.end, "group"))
		return NO_TOKEN;
	while (i < rw->n && rw->depth[i] >= depth &&
	       (rw->depth[i] > depth || !ends_where(rw, i)))
		i++;
	return i;
}

const char *
token_copy(struct rewrite *rw, size_t first, size_t last)
{
	size_t start = rw->tok[first].start;

	return arena_dup(rw->a, rw->text + start, rw->tok[last].end - start);
}
