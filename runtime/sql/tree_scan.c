/* SPDX-License-Identifier: MIT */
#include "tree_scan.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <pg_query/pg_query.pb-c.h>

/* ---- bytes ---------------------------------------------------------- */

/* Bytes of the UTF-8 character at s (of n), 0 when it is none (RFC 3629). */
static size_t
utf8_char(const unsigned char *s, size_t n)
{
	unsigned lo = 0x80, hi = 0xbf;
	size_t len;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (s[0] == 0xe0)
		lo = 0xa0; /* overlong */
	if (s[0] == 0xed)
		hi = 0x9f; /* surrogates */
	if (s[0] == 0xf0)
		lo = 0x90; /* overlong */
	if (s[0] == 0xf4)
		hi = 0x8f; /* above U+10FFFF */
	if (len > n || s[1] < lo || s[1] > hi)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

int
scan_bytes(const char *text, size_t len, struct err *e)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t step;

	for (size_t i = 0; i < len; i += step) {
		if (s[i] == 0)
			return err_set(e, LUNATE_EINVAL,
				       "the SQL text has a zero byte at byte "
				       "%zu; pass binary data as a parameter",
				       i);
		step = utf8_char(s + i, len - i);
		if (step == 0)
			return err_set(e, LUNATE_EINVAL,
				       "the SQL text is not UTF-8 at byte "
				       "%zu; pass binary data as a parameter",
				       i);
	}
	return 0;
}

/* ---- refusals ------------------------------------------------------- */

int
scan_too_deep(struct err *e)
{
	return err_set(e, LUNATE_ETOOBIG,
		       "the SQL text nests too deeply (limit about %d "
		       "levels); split it, or pass a list as one array "
		       "parameter: = ANY($1)",
		       TREE_DEPTH);
}

/* Byte offset of the nth character (from 1) of UTF-8 text. */
static size_t
char_offset(const char *text, int nth)
{
	size_t i = 0;

	while (text[i] != 0 && nth > 1)
		if ((text[++i] & 0xc0) != 0x80)
			nth--;
	return i;
}

static bool
is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || (c & 0x80) != 0;
}

/* Could a word be a piece of a literal whose quotes are out of step?  So it
 * is when they do not pair, or when one stands inside a word ('it's'). */
static bool
quotes_match(const char *text)
{
	size_t n = 0;

	for (size_t i = 0; text[i] != 0; i++) {
		if (text[i] != '\'')
			continue;
		n++;
		if (i == 0 || !is_word(text[i - 1]) || !is_word(text[i + 1]))
			continue;
		if (strchr("bBeEnNxX", text[i - 1]) == NULL ||
		    (i > 1 && is_word(text[i - 2])))
			return false;
	}
	return n % 2 == 0;
}

/* The plain word or mark at a place: never a literal.  0 = nothing to show. */
static size_t
safe_near(const char *text, size_t at)
{
	const char *s = text + at;
	size_t n = 0;

	if (!quotes_match(text))
		return 0;
	if (strchr("()[],;=<>*/+", *s) != NULL)
		return *s != 0;
	if (!isalpha((unsigned char)*s) && *s != '_')
		return 0;
	while (isalnum((unsigned char)s[n]) || s[n] == '_')
		n++;
	return s[n] == '\'' || n > 40 ? 0 : n;
}

int
scan_refuse(const char *text, const PgQueryError *why, struct err *e)
{
	size_t what = strcspn(why->message, "\":'0123456789$");
	const char *cut = strstr(why->message, " at ");
	char where[96] = "";
	size_t at, n;

	if (strncmp(why->message, "memory exhausted", 16) == 0)
		return scan_too_deep(e);
	if (strncmp(why->message, "out of memory", 13) == 0)
		return err_set(e, LUNATE_ENOMEM, "no memory to parse SQL text");
	if (cut != NULL && (size_t)(cut - why->message) < what)
		what = (size_t)(cut - why->message);
	while (what > 0 && why->message[what - 1] == ' ')
		what--;
	at = char_offset(text, why->cursorpos);
	n = why->cursorpos > 0 ? safe_near(text, at) : 0;
	if (strstr(why->message, "at end of input") != NULL)
		snprintf(where, sizeof(where), " at the end of the text");
	else if (n > 0)
		snprintf(where, sizeof(where),
			 " at character %d, near \"%.*s\"", why->cursorpos,
			 (int)n, text + at);
	else if (why->cursorpos > 0)
		snprintf(where, sizeof(where), " at character %d",
			 why->cursorpos);
	err_set(e, LUNATE_ESYNTAX, "%.*s%s (the parser is PostgreSQL 15's)",
		(int)what, why->message, where);
	if (e != NULL) {
		memcpy(e->sqlstate, "42601", 6);
		e->position = why->cursorpos;
	}
	return LUNATE_ESYNTAX;
}

/* ---- tokens --------------------------------------------------------- */

static enum token_kind
classify(const PgQuery__ScanToken *t)
{
	switch ((int)t->token) {
	case PG_QUERY__TOKEN__SCONST:
	case PG_QUERY__TOKEN__USCONST:
	case PG_QUERY__TOKEN__BCONST:
	case PG_QUERY__TOKEN__XCONST:
	case PG_QUERY__TOKEN__ICONST:
	case PG_QUERY__TOKEN__FCONST:
		return TOKEN_LITERAL;
	case PG_QUERY__TOKEN__PARAM:
		return TOKEN_PARAM;
	case PG_QUERY__TOKEN__SQL_COMMENT:
	case PG_QUERY__TOKEN__C_COMMENT:
		return TOKEN_COMMENT;
	case PG_QUERY__TOKEN__IDENT:
	case PG_QUERY__TOKEN__UIDENT:
		return TOKEN_WORD;
	}
	if (t->keyword_kind != PG_QUERY__KEYWORD_KIND__NO_KEYWORD)
		return TOKEN_WORD;
	return TOKEN_MARK;
}

/* The lexer does not say where U&'...' and U&"..." end: it is where the next
 * token begins, but for spaces. */
static void
find_end(struct tree_token *t, const char *text, size_t next)
{
	t->end = (uint32_t)next;
	while (isspace((unsigned char)text[t->end - 1]))
		t->end--;
}

static void
copy_token(struct tree_token *t, const PgQuery__ScanToken *from)
{
	t->start = (uint32_t)from->start;
	t->end = (uint32_t)from->end;
	t->code = (int)from->token;
	t->kind = classify(from);
}

/* false: no memory. */
static bool
copy_tokens(const PgQuery__ScanResult *r, const char *text, struct arena *a,
	    struct token_list *out)
{
	struct tree_token *t;

	if (r == NULL)
		return false;
	t = arena_try(a, r->n_tokens * sizeof(*t));
	if (t == NULL)
		return false;
	for (size_t i = 0; i < r->n_tokens; i++)
		copy_token(&t[i], r->tokens[i]);
	for (size_t i = 0; i < r->n_tokens; i++)
		if (t[i].code == PG_QUERY__TOKEN__USCONST ||
		    t[i].code == PG_QUERY__TOKEN__UIDENT)
			find_end(&t[i], text,
				 i + 1 < r->n_tokens ? t[i + 1].start
						     : strlen(text));
	out->at = t;
	out->n = r->n_tokens;
	return true;
}

int
scan_tokens(const char *text, struct arena *a, struct token_list *out,
	    struct err *e)
{
	PgQueryScanResult r = pg_query_scan(text);
	PgQuery__ScanResult *all;
	int rc = 0;

	if (r.error != NULL) {
		rc = scan_refuse(text, r.error, e);
	} else {
		/* A token nests nothing: this unpacking stays flat. */
		all = pg_query__scan_result__unpack(NULL, r.pbuf.len,
						    (uint8_t *)r.pbuf.data);
		if (!copy_tokens(all, text, a, out))
			rc = err_set(e, LUNATE_ENOMEM,
				     "no memory to parse SQL text");
		pg_query__scan_result__free_unpacked(all, NULL);
	}
	pg_query_free_scan_result(r);
	return rc;
}

/* ---- depth ------------------------------------------------------------
 *
 * A level begins at ( [ CASE and ends at ) ] END.  Inside a level, what
 * stands between two commas can nest at most once per token that is not a
 * name, a literal, AND or OR (lists of those are flat in the tree).  Only set
 * operations nest across commas. */

struct level {
	unsigned chain; /* set operations so far */
	unsigned part;	/* nesting tokens since the last comma */
	unsigned below; /* deepest level closed since the last comma */
	unsigned most;	/* largest part + below of a finished stretch */
	bool is_case;
};

static void
end_part(struct level *l)
{
	if (l->part + l->below > l->most)
		l->most = l->part + l->below;
	l->part = l->below = 0;
}

static unsigned
level_depth(struct level *l)
{
	end_part(l);
	return l->chain + l->most;
}

static void
count_token(struct level *l, const struct tree_token *t)
{
	switch (t->code) {
	case PG_QUERY__TOKEN__ASCII_44: /* , */
	case PG_QUERY__TOKEN__ASCII_59: /* ; */
		end_part(l);
		return;
	case PG_QUERY__TOKEN__WHEN:
	case PG_QUERY__TOKEN__THEN:
	case PG_QUERY__TOKEN__ELSE:
		if (l->is_case)
			end_part(l);
		return;
	case PG_QUERY__TOKEN__UNION:
	case PG_QUERY__TOKEN__INTERSECT:
	case PG_QUERY__TOKEN__EXCEPT:
		l->chain++;
		return;
	case PG_QUERY__TOKEN__AND:
	case PG_QUERY__TOKEN__OR:
	case PG_QUERY__TOKEN__ASCII_46: /* . */
	case PG_QUERY__TOKEN__IDENT:
	case PG_QUERY__TOKEN__UIDENT:
		return;
	}
	if (t->kind == TOKEN_WORD || t->kind == TOKEN_MARK)
		l->part++;
}

static bool
opens(const struct tree_token *t)
{
	return t->code == PG_QUERY__TOKEN__ASCII_40 ||
	       t->code == PG_QUERY__TOKEN__ASCII_91 ||
	       t->code == PG_QUERY__TOKEN__CASE;
}

static bool
closes(const struct tree_token *t, const struct level *l)
{
	if (t->code == PG_QUERY__TOKEN__END_P)
		return l->is_case;
	return t->code == PG_QUERY__TOKEN__ASCII_41 ||
	       t->code == PG_QUERY__TOKEN__ASCII_93;
}

static void
close_level(struct level *l)
{
	unsigned depth = level_depth(l) + 1;

	if (depth > l[-1].below)
		l[-1].below = depth;
}

/* Levels that can be open at once; a CASE counts as never closed. */
static size_t
most_open(const struct token_list *list)
{
	const struct tree_token *tokens = list->at;
	size_t open = 0, most = 0;

	for (size_t i = 0; i < list->n; i++) {
		if (opens(&tokens[i]) && ++open > most)
			most = open;
		else if (tokens[i].code == PG_QUERY__TOKEN__ASCII_41 ||
			 tokens[i].code == PG_QUERY__TOKEN__ASCII_93)
			open -= open > 0;
	}
	return most < TREE_DEPTH ? most : TREE_DEPTH + 1;
}

unsigned
scan_depth(const struct token_list *list)
{
	const struct tree_token *tokens = list->at;
	size_t most = most_open(list);
	struct level *levels = mem_new((most + 2) * sizeof(*levels));
	struct level *l = levels;
	unsigned depth;

	for (size_t i = 0; i < list->n && l - levels <= TREE_DEPTH; i++) {
		if (opens(&tokens[i])) {
			*++l = (struct level){0};
			l->is_case = tokens[i].code == PG_QUERY__TOKEN__CASE;
		} else if (!closes(&tokens[i], l)) {
			count_token(l, &tokens[i]);
		} else if (l > levels) {
			close_level(l--);
		}
	}
	while (l > levels)
		close_level(l--);
	depth = level_depth(levels);
	mem_free(levels);
	return depth;
}
