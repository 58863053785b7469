/* SPDX-License-Identifier: MIT
 *
 * The texts recognised here are messages of PostgreSQL 15.
 */
#include "redact.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define LEN(a) (sizeof(a) / sizeof(*(a)))

void
redact_cut(struct str *out, const char *text, size_t max)
{
	size_t n = strnlen(text, max + 1);

	if (n <= max) {
		str_addn(out, text, n);
		return;
	}
	n = max;
	while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
		n--;
	str_addn(out, text, n);
	str_add(out, "...");
}

/* ---- secrets --------------------------------------------------------- */

static bool
is_key(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* Does the word that ends before `end` name a secret? */
static bool
is_secret(const char *text, const char *end)
{
	static const char *const names[] = {"password", "passwd", "pwd",
					    "secret", "token"};

	for (size_t i = 0; i < LEN(names); i++) {
		size_t n = strlen(names[i]);

		if ((size_t)(end - text) >= n &&
		    strncasecmp(end - n, names[i], n) == 0)
			return true;
	}
	return false;
}

/* Behind a value of a connection string, quoted or not, or of a URL. */
static const char *
skip_value(const char *p, bool url)
{
	bool quoted = *p == '\'';

	for (p += quoted; *p != 0; p++) {
		if (*p == '\\' && p[1] != 0)
			p++;
		else if (quoted && *p == '\'')
			return p + 1;
		else if (!quoted && (isspace((unsigned char)*p) ||
				     (url && strchr("&#\"'", *p))))
			return p;
	}
	return p;
}

/* `p` is on a '='; when a secret is named before it: copies up to the value
 * and gives the place behind it. */
static const char *
secret_pair(struct str *out, const char *text, const char *p)
{
	const char *word = p, *key, *value = p + 1;
	bool url;

	while (word > text && word[-1] == ' ')
		word--;
	if (!is_secret(text, word))
		return NULL;
	for (key = word; key > text && is_key(key[-1]);)
		key--;
	url = key > text && (key[-1] == '?' || key[-1] == '&');
	while (!url && *value == ' ')
		value++;
	str_addn(out, p, (size_t)(value - p));
	str_add(out, "***");
	return skip_value(value, url);
}

/* `p` is on "://"; copies up to the password of user:password@ and gives the
 * place of the last @ of the word, so that an @ in the password is no end. */
static const char *
url_password(struct str *out, const char *p)
{
	const char *from = p + 3, *at = NULL, *colon = NULL, *q;

	for (q = from; *q != 0 && !isspace((unsigned char)*q); q++) {
		if (*q == '@')
			at = q;
		if (*q == ':' && colon == NULL)
			colon = q;
	}
	if (at == NULL || colon == NULL || colon > at)
		return NULL;
	str_addn(out, p, (size_t)(colon + 1 - p));
	str_add(out, "***");
	return at;
}

void
redact_secrets(struct str *out, const char *text)
{
	const char *p = text, *next;

	while (*p != 0) {
		next = NULL;
		if (*p == '=')
			next = secret_pair(out, text, p);
		else if (strncmp(p, "://", 3) == 0)
			next = url_password(out, p);
		if (next == NULL)
			str_addc(out, *p++);
		else
			p = next;
	}
}

/* ---- messages of the server ------------------------------------------ */

/* What may be kept of a message of one SQLSTATE. */
struct manner {
	bool names;   /* "..." is always a name */
	bool numbers; /* numbers may stay */
};

static bool
in_class(const char *sqlstate, const char *class)
{
	return strncmp(sqlstate, class, strlen(class)) == 0;
}

/* Classes whose messages the server composes without values of rows. */
static struct manner
manner_of(const char *s)
{
	static const char *const plain[] = {
		"01", "08", "0A", "23", "25", "26", "28", "2B", "34", "3B",
		"3D", "3F", "40", "42", "53", "55", "57", "58", "F0", "XX"};
	struct manner m = {false, false};

	if (s == NULL)
		return m;
	m.names = in_class(s, "42") && !in_class(s, "42601");
	for (size_t i = 0; i < LEN(plain); i++)
		m.numbers |= in_class(s, plain[i]);
	return m;
}

/* Quotes of other languages: U+00AB, U+00BB, U+2018-201F, U+2039-203A,
 * U+300C-300F, U+FF02. */
static bool
is_foreign_quote(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	if (u[0] == 0xc2)
		return u[1] == 0xab || u[1] == 0xbb;
	if (u[0] == 0xe2 && u[1] == 0x80)
		return (u[2] >= 0x98 && u[2] <= 0x9f) || u[2] == 0xb9 ||
		       u[2] == 0xba;
	if (u[0] == 0xe3 && u[1] == 0x80)
		return u[2] >= 0x8c && u[2] <= 0x8f;
	return u[0] == 0xef && u[1] == 0xbc && u[2] == 0x82;
}

/* Does a value follow this colon? */
static bool
value_follows(const char *p, struct manner m)
{
	if (p[0] != ':' || p[1] != ' ')
		return false;
	p += 2;
	if (*p == '"' || *p == '\'' || *p == '(' || *p == '{')
		return true;
	if (p[0] == '0' && p[1] == 'x')
		return true;
	p += *p == '-';
	return !m.numbers && isdigit((unsigned char)*p);
}

/* Words after which the server puts a name in quotes. */
static const char *const announces[] = {
	"aggregate",  "attribute",    "cast",	   "collation",	  "column",
	"constraint", "conversion",   "cursor",	   "database",	  "domain",
	"encoding",   "extension",    "field",	   "file",	  "function",
	"group",      "index",	      "key",	   "language",	  "method",
	"object",     "operator",     "option",	   "parameter",	  "partition",
	"policy",     "portal",	      "procedure", "publication", "relation",
	"role",	      "rule",	      "savepoint", "schema",	  "sequence",
	"server",     "slot",	      "statement", "statistics",  "table",
	"tablespace", "trigger",      "type",	   "user",	  "variable",
	"view",	      "subscription",
};

/* Is the word before the quote at `p` one of them? */
static bool
is_announced(const char *text, const char *p)
{
	const char *end = p, *word;

	if (end == text || end[-1] != ' ')
		return false;
	for (word = --end; word > text && is_key(word[-1]);)
		word--;
	for (size_t i = 0; i < LEN(announces); i++)
		if (strlen(announces[i]) == (size_t)(end - word) &&
		    strncmp(announces[i], word, (size_t)(end - word)) == 0)
			return true;
	return false;
}

/* The reserved words of SQL that a syntax error usually stumbles over. */
static const char *const keywords[] = {
	"all",	      "and",	   "any",     "array",	  "as",	     "asc",
	"by",	      "case",	   "cast",    "check",	  "create",  "cross",
	"default",    "delete",	   "desc",    "distinct", "do",	     "drop",
	"else",	      "end",	   "except",  "for",	  "foreign", "from",
	"full",	      "grant",	   "group",   "having",	  "in",	     "inner",
	"insert",     "intersect", "into",    "is",	  "join",    "left",
	"like",	      "limit",	   "natural", "not",	  "null",    "offset",
	"on",	      "or",	   "order",   "outer",	  "over",    "primary",
	"references", "returning", "right",   "select",	  "set",     "table",
	"then",	      "to",	   "union",   "unique",	  "update",  "user",
	"using",      "values",	   "when",    "where",	  "window",  "with",
};

/* May the token of a syntax error be shown? */
static bool
is_harmless(const char *token, size_t n)
{
	for (size_t i = 0; i < LEN(keywords); i++)
		if (strlen(keywords[i]) == n &&
		    strncasecmp(keywords[i], token, n) == 0)
			return true;
	for (size_t i = 0; i < n; i++)
		if (strchr("()[],;.:+-*/<>=~!@#%^&|", token[i]) == NULL)
			return false;
	return n > 0;
}

static bool
is_behind(const char *text, const char *p, const char *words)
{
	size_t n = strlen(words);

	return (size_t)(p - text) >= n && strncmp(p - n, words, n) == 0;
}

/* `p` is on an opening quote; gives the place behind what it opens.  A value
 * may itself hold quotes, and the server does not double them. */
static const char *
quoted(struct str *out, const char *text, const char *p, struct manner m)
{
	const char *last = strrchr(p, '"'), *next = strchr(p + 1, '"');
	bool near = is_behind(text, p, "at or near ");
	bool keep;

	if (next == NULL) {
		str_add(out, "\"?\"");
		return p + strlen(p);
	}
	keep = !near && (m.names || is_announced(text, p));
	if (near)
		keep = is_harmless(p + 1, (size_t)(last - p - 1));
	if (keep && near)
		next = last;
	if (!keep) {
		str_add(out, "\"?\"");
		return last + 1;
	}
	str_addn(out, p, (size_t)(next + 1 - p));
	return next + 1;
}

/* Behind a number, bytes in hexadecimal included. */
static const char *
skip_number(const char *p)
{
	while (isalnum((unsigned char)*p) ||
	       (strchr(".:+-", *p) != NULL && isdigit((unsigned char)p[1])))
		p++;
	return p;
}

/* Is the digit at `p` part of a word, of $1 or of a type's numeric(5,2)? */
static bool
is_part(const char *text, const char *p)
{
	if (p == text)
		return false;
	if (is_key(p[-1]) || p[-1] == '$')
		return true;
	if (is_behind(text, p, " parameter ") || is_behind(text, p, " line "))
		return true;
	while (p > text && (isdigit((unsigned char)p[-1]) || p[-1] == ','))
		p--;
	return p > text + 1 && p[-1] == '(' && is_key(p[-2]);
}

/* One step of a message; gives where the next begins. */
static const char *
message_step(struct str *out, const char *text, const char *p, struct manner m)
{
	const char *end;

	if (*p == '"')
		return quoted(out, text, p, m);
	if (*p == '\'' && !m.numbers && (p == text || !is_key(p[-1]))) {
		end = strrchr(p, '\'');
		str_add(out, "'?'");
		return end > p ? end + 1 : p + strlen(p);
	}
	if (isdigit((unsigned char)*p) && !is_part(text, p) &&
	    (!m.numbers || strncmp(p, "0x", 2) == 0)) {
		str_addc(out, '?');
		return skip_number(p);
	}
	str_addc(out, (unsigned char)*p < ' ' ? ' ' : *p);
	return p + 1;
}

void
redact_message(struct str *out, const char *sqlstate, const char *text)
{
	struct manner m = manner_of(sqlstate);
	const char *p = text;

	while (*p != 0) {
		if (value_follows(p, m))
			return;
		if (is_foreign_quote(p)) {
			str_addc(out, '?');
			return;
		}
		p = message_step(out, text, p, m);
	}
}

/* ---- details ---------------------------------------------------------- */

static bool
starts(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static bool
ends(const char *text, const char *with)
{
	size_t n = strlen(text), w = strlen(with);

	return n >= w && strcmp(text + n - w, with) == 0;
}

/* Where in the text the last `what` begins, or NULL. */
static const char *
find_last(const char *text, const char *what)
{
	const char *found = NULL, *p = text;

	while ((p = strstr(p, what)) != NULL)
		found = p++;
	return found;
}

/* What follows the values of a key.  A value may hold any text, so it is
 * looked for from the end. */
static const char *
key_rest(const char *text)
{
	static const char *const rests[] = {
		" already exists.",
		" is duplicated.",
	};
	static const char *const tables[] = {
		" is not present in table \"",
		" is still referenced from table \"",
		" was not present in table \"",
	};

	for (size_t i = 0; i < LEN(rests); i++)
		if (ends(text, rests[i]))
			return rests[i];
	for (size_t i = 0; i < LEN(tables); i++) {
		const char *p = find_last(text, tables[i]);

		if (p != NULL && ends(text, "\"."))
			return p;
	}
	return " conflicts with another.";
}

/* "Key (a, b)=(1, x) already exists." */
static void
detail_key(struct str *out, const char *text)
{
	const char *values = strstr(text, ")=(");

	if (values == NULL)
		return;
	str_addn(out, text, (size_t)(values + 1 - text));
	str_add(out, key_rest(text));
}

/* "Partition key of the failing row contains (a, b) = (1, x)." */
static void
detail_partition(struct str *out, const char *text)
{
	const char *values = strstr(text, ") = (");

	if (values == NULL)
		return;
	str_addn(out, text, (size_t)(values + 1 - text));
	str_addc(out, '.');
}

/* Details that hold no value whatever the row was. */
static const char *const constant_details[] = {
	"A field with precision ",
	"Field requires ",
	"Value must be an integer.",
	"Value must be in the range ",
	"Value has bits set to right of mask.",
	"Unexpected end of input.",
	"Unexpected array element.",
	"Missing left brace.",
	"Missing left parenthesis.",
	"Missing comma after lower bound.",
	"Too few columns.",
	"Too many columns.",
	"Too many commas.",
	"Junk after closing right brace.",
	"Junk after right parenthesis.",
	"The input string ended unexpectedly.",
	"Multidimensional arrays must have sub-arrays ",
};

/* Classes whose details are composed of names and numbers of the server. */
static bool
has_safe_details(const char *s)
{
	static const char *const safe[] = {"28", "2B", "3D", "40",
					   "42", "53", "55", "57"};

	if (s == NULL || in_class(s, "42601"))
		return false;
	for (size_t i = 0; i < LEN(safe); i++)
		if (in_class(s, safe[i]))
			return true;
	return false;
}

void
redact_detail(struct str *out, const char *sqlstate, const char *text)
{
	if (starts(text, "Key (")) {
		detail_key(out, text);
		return;
	}
	if (starts(text, "Partition key of the failing row contains (")) {
		detail_partition(out, text);
		return;
	}
	for (size_t i = 0; i < LEN(constant_details); i++) {
		if (starts(text, constant_details[i]) &&
		    strpbrk(text, "\"'") == NULL) {
			str_add(out, text);
			return;
		}
	}
	if (has_safe_details(sqlstate))
		redact_message(out, sqlstate, text);
}

/* ---- context ---------------------------------------------------------- */

/* "COPY t, line 3, column c: ..." and "PL/pgSQL function f(int) line 3 at
 * RAISE" say where; of a line the part before its first colon. */
static void
context_line(struct str *out, const char *line, size_t n)
{
	const char *colon;

	if (!starts(line, "COPY ") && !starts(line, "PL/pgSQL function ") &&
	    !starts(line, "SQL function ") && !starts(line, "JSON data, line "))
		return;
	colon = memmem(line, n, ": ", 2);
	if (colon != NULL)
		n = (size_t)(colon - line);
	if (n > 0 && line[n - 1] == ':')
		n--;
	if (out->len > 0)
		str_add(out, "; ");
	str_addn(out, line, n);
}

void
redact_context(struct str *out, const char *text)
{
	size_t n;

	for (; *text != 0; text += n + (text[n] == '\n')) {
		n = strcspn(text, "\n");
		context_line(out, text, n);
	}
}

static bool
in_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || (unsigned char)c > 127;
}

void
redact_known(char *text, const char *value, size_t len)
{
	size_t rest = strlen(text);

	if (len < 3)
		return;
	for (char *p = text; rest >= len; p++, rest--) {
		if (strncasecmp(p, value, len) != 0 ||
		    (p > text && in_word(p[-1]) && in_word(p[0])) ||
		    (in_word(p[len - 1]) && in_word(p[len])))
			continue;
		*p = '?';
		rest -= len - 1;
		memmove(p + 1, p + len, rest);
	}
}
