/* SPDX-License-Identifier: MIT
 *
 * The lexical rules are those of PostgreSQL's scanner (manual, 4.1 Lexical
 * Structure): only enough of them to tell a literal from the rest.
 */
#include "redact.h"

#include <stdbool.h>
#include <string.h>

struct scan {
	struct str *out;
	const char *at, *end;
	size_t start;	/* length of out before us */
	size_t literal; /* length of out before the first literal */
	bool any;	/* a literal was seen */
	bool broken;	/* quoting cannot be trusted */
};

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_word_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       (unsigned char)c >= 0x80;
}

static bool
is_word(char c)
{
	return is_word_start(c) || is_digit(c);
}

static char
peek(const struct scan *s, size_t i)
{
	return (size_t)(s->end - s->at) > i ? s->at[i] : 0;
}

static void
add_space(struct scan *s)
{
	if (s->out->len > s->start && s->out->at[s->out->len - 1] != ' ')
		str_addc(s->out, ' ');
}

static void
add_literal(struct scan *s)
{
	if (!s->any)
		s->literal = s->out->len;
	s->any = true;
	str_addc(s->out, '?');
}

/* Past -- to the end of the line. */
static const char *
skip_line_comment(const char *p, const char *end)
{
	while (p < end && *p != '\n' && *p != '\r')
		p++;
	return p;
}

/* Block comments nest. */
static void
skip_block_comment(struct scan *s)
{
	int depth = 0;

	do {
		if (peek(s, 0) == '/' && peek(s, 1) == '*') {
			depth++;
			s->at += 2;
		} else if (peek(s, 0) == '*' && peek(s, 1) == '/') {
			depth--;
			s->at += 2;
		} else {
			s->at++;
		}
	} while (depth > 0 && s->at < s->end);
	if (depth > 0)
		s->at = s->end;
}

/* Behind a closing quote: white space with a line end in it and another quote
 * carry the same literal on.  Gives the place behind that quote, or NULL. */
static const char *
continued(const struct scan *s)
{
	const char *p = s->at;
	bool line_end = false;

	for (; p < s->end; p++) {
		if (line_end && s->end - p > 1 && p[0] == '-' && p[1] == '-')
			p = skip_line_comment(p, s->end);
		if (p == s->end || !is_space(*p))
			break;
		line_end |= *p == '\n' || *p == '\r';
	}
	return line_end && p < s->end && *p == '\'' ? p + 1 : NULL;
}

/* From behind an opening quote to behind the closing one; false: no end. */
static bool
skip_quoted(struct scan *s, char quote, bool escapes)
{
	while (s->at < s->end) {
		char c = *s->at++;

		if (escapes && c == '\\' && s->at < s->end)
			s->at++;
		if (c != quote)
			continue;
		if (peek(s, 0) != quote)
			return true;
		s->at++; /* doubled: one of them is meant */
	}
	return false;
}

/* `at` is on the opening quote. */
static void
string(struct scan *s, bool escapes)
{
	const char *more = s->at + 1;

	add_literal(s);
	while (more != NULL) {
		s->at = more;
		if (!skip_quoted(s, '\'', escapes)) {
			s->broken = true;
			return;
		}
		more = continued(s);
	}
	if (is_word(peek(s, 0)) || peek(s, 0) == '\\')
		s->broken = true;
}

static void
quoted_name(struct scan *s)
{
	const char *from = s->at++;

	if (skip_quoted(s, '"', false)) {
		str_addn(s->out, from, (size_t)(s->at - from));
		return;
	}
	add_literal(s);
	s->broken = true;
}

/* Length of $tag$ at the cursor, or 0. */
static size_t
dollar_tag(const struct scan *s)
{
	size_t n = 1;

	if (is_word_start(peek(s, n)))
		while (is_word(peek(s, n)))
			n++;
	return peek(s, n) == '$' ? n + 1 : 0;
}

static void
dollar(struct scan *s)
{
	size_t n = dollar_tag(s);
	const char *close;

	if (n == 0) { /* $1 */
		do
			str_addc(s->out, *s->at++);
		while (is_digit(peek(s, 0)));
		return;
	}
	add_literal(s);
	close = memmem(s->at + n, (size_t)(s->end - s->at) - n, s->at, n);
	s->broken |= close == NULL;
	s->at = close != NULL ? close + n : s->end;
}

/* A number and whatever is glued to it. */
static void
number(struct scan *s)
{
	add_literal(s);
	while (is_word(peek(s, 0)) || peek(s, 0) == '.' ||
	       ((peek(s, 0) == '+' || peek(s, 0) == '-') &&
		(s->at[-1] == 'e' || s->at[-1] == 'E') && is_digit(peek(s, 1))))
		s->at++;
}

/* Is the word of n letters at the cursor the prefix of a literal? */
static bool
is_prefix(const struct scan *s, size_t n)
{
	if (n == 1 && peek(s, 1) == '\'')
		return strchr("eEbBxXnN", s->at[0]) != NULL;
	return false;
}

static void
word(struct scan *s)
{
	bool escapes = *s->at == 'e' || *s->at == 'E';
	size_t n = 1;

	while (is_word(peek(s, n)) || peek(s, n) == '$')
		n++;
	if (n == 1 && strchr("uU", *s->at) != NULL && peek(s, 1) == '&' &&
	    peek(s, 2) == '\'') {
		s->at += 2;
		string(s, false);
		return;
	}
	if (is_prefix(s, n)) {
		s->at++;
		string(s, escapes);
		return;
	}
	str_addn(s->out, s->at, n);
	s->at += n;
	/* No word but a prefix touches a quote. */
	s->broken |= peek(s, 0) == '\'';
}

static void
token(struct scan *s)
{
	char c = *s->at;

	if (is_space(c)) {
		s->at++;
		add_space(s);
	} else if (c == '-' && peek(s, 1) == '-') {
		s->at = skip_line_comment(s->at, s->end);
		add_space(s);
	} else if (c == '/' && peek(s, 1) == '*') {
		skip_block_comment(s);
		add_space(s);
	} else if (c == '\'') {
		string(s, false);
	} else if (c == '"') {
		quoted_name(s);
	} else if (c == '$') {
		dollar(s);
	} else if (is_digit(c) || (c == '.' && is_digit(peek(s, 1)))) {
		number(s);
	} else if (is_word_start(c)) {
		word(s);
	} else {
		str_addc(s->out, (unsigned char)c < ' ' ? '?' : c);
		s->at++;
	}
}

/* Nothing from the first literal on is to be trusted. */
static void
give_up(struct scan *s)
{
	if (s->any)
		s->out->len = s->literal;
	str_addc(s->out, '?');
}

void
redact_sql(struct str *out, const char *sql, size_t len, size_t max)
{
	struct scan s = {.out = out, .at = sql, .end = sql + len};
	struct str whole;

	str_init(&whole);
	s.out = &whole;
	while (s.at < s.end && !s.broken)
		token(&s);
	if (s.broken)
		give_up(&s);
	while (whole.len > 0 && whole.at[whole.len - 1] == ' ')
		whole.len--;
	str_addn(&whole, "", 1); /* the 0 moves to the new end */
	redact_cut(out, whole.at, max);
	str_fini(&whole);
}
