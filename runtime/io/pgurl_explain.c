/* SPDX-License-Identifier: MIT */
#include "pgurl_explain.h"

#include <ctype.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>

#include "near.h"

#define EXAMPLE "postgres://user:password@host:5432/database"

bool
pgurl_has_control(const char *text)
{
	for (; *text != 0; text++)
		if (iscntrl((unsigned char)*text))
			return true;
	return false;
}

/* A scheme as RFC 3986 writes it (letters first, then letters, digits, +-.)
 * is no secret; anything longer or else before "://" may be one. */
static int
check_scheme(const char *name, const char *text, struct err *e)
{
	const char *colon = strstr(text, "://");
	size_t n = colon != NULL ? (size_t)(colon - text) : 0;
	bool plain = n > 0 && n < 16 && isalpha((unsigned char)text[0]);

	if (colon == NULL || strncmp(text, "postgres://", 11) == 0 ||
	    strncmp(text, "postgresql://", 13) == 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		if (text[i] == '=')
			return 0; /* "password=a://b": pairs, not a URL */
		if (!isalnum((unsigned char)text[i]) &&
		    strchr("+-.", text[i]) == NULL)
			plain = false;
	}
	if (!plain)
		return err_set(e, LUNATE_ECONFIG,
			       "%s does not begin with postgres://; write "
			       "it as " EXAMPLE,
			       name);
	return err_set(e, LUNATE_ECONFIG,
		       "%s has the scheme \"%.*s\"; lunate speaks "
		       "PostgreSQL, write it as " EXAMPLE,
		       name, (int)n, text);
}

int
pgurl_refuse(const char *name, const char *text, struct err *e)
{
	size_t len = strlen(text);

	if (strspn(text, " \t\r\n") == len)
		return err_set(e, LUNATE_ECONFIG,
			       "%s is empty; write it as " EXAMPLE, name);
	if (text[len - 1] == '\n' || text[len - 1] == '\r')
		return err_set(e, LUNATE_ECONFIG,
			       "%s ends in a line break (read from a file?); "
			       "remove it",
			       name);
	if (pgurl_has_control(text))
		return err_set(e, LUNATE_ECONFIG,
			       "%s holds a control character; remove it, or "
			       "write it as %%XX if it belongs to a password",
			       name);
	return check_scheme(name, text, e);
}

/* Parameters that other drivers know, and where they belong here. */
static const struct {
	const char *keyword, *remedy;
} foreign[] = {
	{"schema", "use DATABASE_SCHEMA (option schema)"},
	{"connection_limit", "use DB_POOL_MAX (option pool_max)"},
	{"pool_timeout", "use DB_POOL_ACQUIRE_TIMEOUT (option "
			 "acquire_timeout)"},
	{"pool_max_conns", "use DB_POOL_MAX (option pool_max)"},
	{"pool_min_conns", "use DB_POOL_MIN (option pool_min)"},
	{"statement_timeout", "use LUNATE_READ_TIMEOUT (option read_timeout) "
			      "and its like"},
	{"search_path", "use DATABASE_SCHEMA (option schema)"},
	{"currentSchema", "use DATABASE_SCHEMA (option schema)"},
	{"sslaccept", "use sslmode"},
	{"username", "the keyword is \"user\""},
	{"database", "the keyword is \"dbname\""},
	{"pass", "the keyword is \"password\""},
	{"encoding", "lunate always speaks UTF-8"},
};

static bool
is_known(const PQconninfoOption *o, const char *word, struct near *near)
{
	for (; o->keyword != NULL; o++) {
		if (strcmp(o->keyword, word) == 0)
			return true;
		near_try(near, o->keyword);
	}
	return false;
}

static bool
is_word(const char *word)
{
	size_t n = strlen(word);

	return n > 0 && n < 32 &&
	       strspn(word, "abcdefghijklmnopqrstuvwxyz_"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == n;
}

/* 0 when libpq knows the keyword.  `open`: no part of a password can be read
 * as this keyword, so it may be named. */
static int
check_keyword(const char *name, const char *word, bool open, struct err *e)
{
	PQconninfoOption *known = PQconninfoParse("", NULL);
	struct near near;
	const char *best;
	int rc = 0;

	if (known == NULL)
		return err_set(e, LUNATE_ENOMEM, "%s: no memory", name);
	near_init(&near, word);
	if (is_known(known, word, &near))
		goto done;
	best = near_best(&near);
	rc = LUNATE_ECONFIG;
	for (size_t i = 0; i < sizeof(foreign) / sizeof(*foreign); i++) {
		if (strcmp(foreign[i].keyword, word) != 0)
			continue;
		err_set(e, LUNATE_ECONFIG, "%s: unknown keyword \"%s\"; %s",
			name, foreign[i].keyword, foreign[i].remedy);
		goto done;
	}
	if (!open || !is_word(word))
		err_set(e, LUNATE_ECONFIG,
			"%s holds a keyword that libpq does not know%s%s%s",
			name, best != NULL ? "; did you mean \"" : "",
			best != NULL ? best : "", best != NULL ? "\"?" : "");
	else
		err_set(e, LUNATE_ECONFIG, "%s: unknown keyword \"%s\"%s%s%s",
			name, word, best != NULL ? "; did you mean \"" : "",
			best != NULL ? best : "",
			best != NULL ? "\"?"
				     : "; libpq's manual lists them under "
				       "\"Parameter Key Words\"");
done:
	PQconninfoFree(known);
	return rc;
}

static int
check_percent(const char *name, const char *text, struct err *e)
{
	for (; (text = strchr(text, '%')) != NULL; text++)
		if (!isxdigit((unsigned char)text[1]) ||
		    !isxdigit((unsigned char)text[2]) ||
		    (text[1] == '0' && text[2] == '0'))
			return err_set(e, LUNATE_ECONFIG,
				       "%s: a '%%' that is not followed by "
				       "two hex digits (and not 00); write a "
				       "'%%' of a password as %%25",
				       name);
	return 0;
}

static int
check_brackets(const char *name, const char *text, struct err *e)
{
	const char *open = strchr(text, '[');

	if (open != NULL && (strchr(open, ']') == NULL || open[1] == ']'))
		return err_set(e, LUNATE_ECONFIG,
			       "%s: an IPv6 address is written as "
			       "[2001:db8::1]",
			       name);
	return 0;
}

/* The parameters behind '?': word=value, separated by '&'. */
static int
check_query(const char *name, const char *text, struct err *e)
{
	const char *p = strchr(text, '?');
	bool open = p != NULL && strchr(p, '@') == NULL;
	char word[40];
	int rc = 0;

	while (p != NULL && p[1] != 0 && rc == 0) {
		size_t n = strcspn(++p, "&"), eq = strcspn(p, "=&");

		if (eq == n || memchr(p + eq + 1, '=', n - eq - 1) != NULL)
			return err_set(e, LUNATE_ECONFIG,
				       "%s: parameters behind '?' are written "
				       "keyword=value and separated by '&'; a "
				       "'=' in a value is %%3D, a '?' in a "
				       "password %%3F",
				       name);
		snprintf(word, sizeof(word), "%.*s", (int)eq, p);
		if (strcmp(word, "ssl") != 0)
			rc = check_keyword(name, word, open, e);
		p = strchr(p, '&');
	}
	return rc;
}

/* One value of "keyword=value" pairs; returns what follows it, or NULL when
 * its quote is not closed. */
static const char *
skip_value(const char *p)
{
	bool quoted = *p == '\'';

	for (p += quoted; *p != 0; p++) {
		if (*p == '\\' && p[1] != 0)
			p++;
		else if (quoted && *p == '\'')
			return p + 1;
		else if (!quoted && isspace((unsigned char)*p))
			return p;
	}
	return quoted ? NULL : p;
}

static const char *
skip_space(const char *p)
{
	while (isspace((unsigned char)*p))
		p++;
	return p;
}

static int
check_pairs(const char *name, const char *p, struct err *e)
{
	bool open = true; /* an unquoted password goes on as a keyword */
	char word[40];
	int rc;

	for (p = skip_space(p); *p != 0; p = skip_space(p)) {
		size_t n = strcspn(p, "= \t");

		snprintf(word, sizeof(word), "%.*s", (int)n, p);
		p = skip_space(p + n);
		if (*p != '=')
			return err_set(
				e, LUNATE_ECONFIG,
				"%s: something without a '='; write "
				"keyword=value pairs, values with "
				"spaces in single quotes, or a URL as " EXAMPLE,
				name);
		rc = check_keyword(name, word, open, e);
		if (rc != 0)
			return rc;
		open = open && strcmp(word, "password") != 0;
		p = skip_value(skip_space(p + 1));
		if (p == NULL)
			return err_set(e, LUNATE_ECONFIG,
				       "%s: a single quote is not closed",
				       name);
	}
	return 0;
}

int
pgurl_explain(const char *name, const char *text, struct err *e)
{
	bool url = strncmp(text, "postgres", 8) == 0 && strstr(text, "://");
	int rc;

	if (url) {
		rc = check_brackets(name, text, e);
		rc = rc != 0 ? rc : check_query(name, text, e);
		rc = rc != 0 ? rc : check_percent(name, text, e);
	} else {
		rc = check_pairs(name, text, e);
	}
	if (rc != 0)
		return rc;
	return err_set(e, LUNATE_ECONFIG,
		       "%s cannot be read; write it as " EXAMPLE
		       ", special characters of a password as %%XX",
		       name);
}
