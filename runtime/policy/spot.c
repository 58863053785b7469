/* SPDX-License-Identifier: MIT */
#include "spot.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "texts.h"

/* A piece of a text. */
struct piece {
	const char *at;
	size_t len;
};

static bool
in_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* Line number n, without its end; len 0: there is none. */
static struct piece
line_of(const struct texts_file *f, long n)
{
	const char *at = f->text, *end = f->text + f->len;

	while (--n > 0 && at != NULL) {
		at = memchr(at, '\n', (size_t)(end - at));
		at = at != NULL ? at + 1 : NULL;
	}
	if (at == NULL || at >= end)
		return (struct piece){f->text, 0};
	return (struct piece){at, strcspn(at, "\n")};
}

/* Where a piece stands by itself, from 0; -1: nowhere. */
static long
find(struct piece line, struct piece what)
{
	for (size_t i = 0; what.len > 0 && i + what.len <= line.len; i++) {
		const char *p = line.at + i;
		bool word = in_word(what.at[0]);

		if (memcmp(p, what.at, what.len) != 0)
			continue;
		if (!word ||
		    ((i == 0 || !in_word(p[-1])) &&
		     (i + what.len == line.len || !in_word(p[what.len]))))
			return (long)i;
	}
	return -1;
}

/* The next piece in quotes of a kind behind *at, which moves; len 0: none. */
static struct piece
next_quoted(const char **at, char quote)
{
	const char *open = strchr(*at, quote), *close;

	if (open == NULL || (close = strchr(open + 1, quote)) == NULL)
		return (struct piece){*at, 0};
	*at = close + 1;
	return (struct piece){open + 1, (size_t)(close - open - 1)};
}

static struct piece
next_word(const char **at)
{
	const char *p = *at;
	size_t n = 0;

	while (*p != 0 && !in_word(*p))
		p++;
	while (in_word(p[n]))
		n++;
	*at = p + n;
	return (struct piece){p, n};
}

static long
column(struct piece line, const char *said)
{
	const char *at = said;
	struct piece p;
	long found = -1;

	if (strstr(said, "'<eof>'") != NULL)
		return (long)line.len + 1;
	while (found < 0 && (p = next_quoted(&at, '\'')).len > 0)
		found = find(line, p);
	at = said;
	while (found < 0 && (p = next_quoted(&at, '"')).len > 0)
		found = find(line, p);
	at = said;
	while (found < 0 && (p = next_word(&at)).len > 0)
		found = p.len > 2 ? find(line, p) : -1;
	if (found < 0)
		for (found = 0; found < (long)line.len &&
				isspace((unsigned char)line.at[found]);)
			found++;
	return found + 1;
}

/* The file that the error names, and where in its text ":LINE: " ends. */
static const struct texts_file *
file_of(const struct texts *t, const struct err *e, const char **behind,
	long *line)
{
	for (size_t i = 0; i < VOCAB_FILES; i++) {
		char name[64];
		const char *at;
		char *end;

		snprintf(name, sizeof(name), "/%s.lua:", vocab_files[i].name);
		at = strstr(e->text, name);
		if (at == NULL || t->files[i].text == NULL)
			continue;
		*line = strtol(at + strlen(name), &end, 10);
		if (*line < 1 || strncmp(end, ": ", 2) != 0)
			return NULL;
		*behind = end;
		return &t->files[i];
	}
	return NULL;
}

void
spot_add(const struct texts *t, struct err *e)
{
	const struct err was = *e;
	const char *behind = NULL;
	long line = 0;
	const struct texts_file *f = file_of(t, &was, &behind, &line);

	if (f == NULL)
		return;
	snprintf(e->text, sizeof(e->text), "%.*s:%ld%s",
		 (int)(behind - was.text), was.text,
		 column(line_of(f, line), behind + 2), behind);
}
