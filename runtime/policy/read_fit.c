/* SPDX-License-Identifier: MIT
 *
 * Do the fields of a declaration fit its word?
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "near.h"
#include "read_int.h"
#include "str.h"

/* ---- where ------------------------------------------------------------- */

static bool
letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_';
}

struct spot {
	int line, column;
};

/* Where a word stands by itself, from a line on and before the next blank
 * line; the line itself, column 1, when it is not found. */
static struct spot
find_word(const struct read_ask *ask, int line, const char *word)
{
	struct spot at = {1, 1};
	size_t n = strlen(word);

	for (size_t i = 0; i + n <= ask->len; i++) {
		const char *p = ask->text + i;

		if (at.line >= line && memcmp(p, word, n) == 0 &&
		    (i == 0 || !letter(p[-1])) &&
		    (i + n == ask->len || !letter(p[n])))
			return at;
		at.column++;
		if (*p == '\n')
			at = (struct spot){at.line + 1, 1};
	}
	return (struct spot){line, 1};
}

/* What an error is about: a word of a declaration. */
struct about {
	struct reading *r;
	const struct decl *d;
	const char *word;
};

static int fail(const struct about *at, const char *fmt, ...) PRINTF_LIKE(2, 3);

static int
fail(const struct about *at, const char *fmt, ...)
{
	const struct decl *d = at->d;
	struct reading *r = at->r;
	struct spot where = find_word(r->ask, d->line, at->word);
	char text[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(r->e, LUNATE_ECONFIG, "%s:%d:%d: %s%s%s%s: %s", r->path,
		       where.line, where.column, d->word->name,
		       d->name != NULL ? " \"" : "",
		       d->name != NULL ? d->name : "",
		       d->name != NULL ? "\"" : "", text);
}

/* ---- one field --------------------------------------------------------- */

static bool
is_texts(const struct decl_value *v)
{
	if (v->type == DECL_TEXT)
		return true;
	for (unsigned i = 0; v->type == DECL_LIST && i < v->n; i++)
		if (v->items[i].type != DECL_TEXT)
			return false;
	return v->type == DECL_LIST || (v->type == DECL_MAP && v->n == 0);
}

static bool
is_map(const struct decl_value *v)
{
	for (unsigned i = 0; v->type == DECL_MAP && i < v->n; i++)
		if (v->items[i].type != DECL_TEXT)
			return false;
	return v->type == DECL_MAP && v->n > 0;
}

/* What a field of the type is, for the error; NULL: the value is that. */
static const char *
misfit(enum vocab_type type, const struct decl_value *v)
{
	bool number = v->type == DECL_NUMBER,
	     function = v->type == DECL_FUNCTION;

	switch (type) {
	case VOCAB_BOOL:
		return v->type == DECL_BOOL ? NULL : "true or false";
	case VOCAB_NUMBER:
		return number && v->unit == 0 ? NULL : "a number";
	case VOCAB_SECONDS:
		return number && v->unit == 's'
			       ? NULL
			       : "a time, for instance minutes(5)";
	case VOCAB_TEXT:
	case VOCAB_WORD:
		return v->type == DECL_TEXT ? NULL : "a text";
	case VOCAB_TEXTS:
		return is_texts(v) ? NULL : "a text or a list of texts";
	case VOCAB_MAP:
		return is_map(v) ? NULL
				 : "a table of texts, { own = \"other\" }";
	case VOCAB_TERM:
		return v->type == DECL_TERM || function ? NULL : "a condition";
	case VOCAB_RECORD:
		return v->type == DECL_MAP ? NULL : "a table of values";
	case VOCAB_CALL:
		return (number && v->unit == 's') || function
			       ? NULL
			       : "a time, for instance minutes(5), or a "
				 "function";
	case VOCAB_TALLY:
		return (number && v->unit == 0) || function
			       ? NULL
			       : "a number or a function";
	}
	return "something else";
}

static int
check_choice(struct reading *r, const struct decl *d,
	     const struct vocab_field *f, const char *word)
{
	struct near n;
	char choices[200], *at = choices;

	if (vocab_chosen(f->choices, word))
		return 0;
	near_init(&n, word);
	snprintf(choices, sizeof(choices), "%s", f->choices);
	for (char *w; (w = strsep(&at, "|")) != NULL;)
		near_try(&n, w);
	if (near_best(&n) != NULL)
		return fail(&(struct about){r, d, f->name},
			    "%s is one of %s; did you mean \"%s\"?", f->name,
			    f->choices, near_best(&n));
	return fail(&(struct about){r, d, f->name}, "%s is one of %s", f->name,
		    f->choices);
}

static int
check_field(struct reading *r, const struct decl *d, unsigned i)
{
	const char *key = d->fields.keys[i], *wanted;
	const struct decl_value *v = &d->fields.items[i];
	const struct vocab_field *f = vocab_field(d->word, key);
	struct near n;

	if (f != NULL) {
		wanted = misfit(f->type, v);
		if (wanted != NULL)
			return fail(&(struct about){r, d, key}, "%s is %s", key,
				    wanted);
		return f->type == VOCAB_WORD ? check_choice(r, d, f, v->text)
					     : 0;
	}
	near_init(&n, key);
	for (unsigned k = 0; k < d->word->nfields; k++)
		near_try(&n, d->word->fields[k].name);
	if (near_best(&n) != NULL)
		return fail(&(struct about){r, d, key},
			    "%s is no field of %s; did you mean '%s'?", key,
			    d->word->name, near_best(&n));
	return fail(&(struct about){r, d, key}, "%s is no field of %s", key,
		    d->word->name);
}

int
read_fits(struct reading *r, const struct decl *d)
{
	if (d->fields.type != DECL_MAP)
		return fail(&(struct about){r, d, d->word->name},
			    "its fields have names: { name = value }");
	for (unsigned i = 0; i < d->fields.n; i++)
		if (check_field(r, d, i) < 0)
			return r->e->code;
	for (unsigned i = 0; i < d->word->nfields; i++) {
		const struct vocab_field *f = &d->word->fields[i];

		if (f->required && decl_field(&d->fields, f->name) == NULL)
			return fail(&(struct about){r, d, d->word->name},
				    "%s is missing (%s)", f->name, f->meaning);
	}
	return 0;
}
