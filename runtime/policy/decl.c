/* SPDX-License-Identifier: MIT */
#include "decl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vocab.h"

const struct decl_value *
decl_field(const struct decl_value *map, const char *key)
{
	for (unsigned i = 0; map->type == DECL_MAP && i < map->n; i++)
		if (strcmp(map->keys[i], key) == 0)
			return &map->items[i];
	return NULL;
}

const char *
decl_text(const struct decl_value *map, const char *key)
{
	const struct decl_value *v = decl_field(map, key);

	return v != NULL && v->type == DECL_TEXT ? v->text : NULL;
}

bool
decl_is(const struct decl_value *map, const char *key, const char *word)
{
	const char *text = decl_text(map, key);

	return text != NULL && strcmp(text, word) == 0;
}

unsigned
decl_texts(const struct decl_value *v, const struct decl_value **out)
{
	if (v == NULL)
		return 0;
	*out = v->type == DECL_LIST ? v->items : v;
	return v->type == DECL_LIST ? v->n : 1;
}

int
decl_fail(struct err *e, const struct decl *d, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (d->name != NULL)
		return err_set(e, LUNATE_ECONFIG, "%s:%d: %s \"%s\": %s",
			       d->file, d->line, d->word->name, d->name, text);
	return err_set(e, LUNATE_ECONFIG, "%s:%d: %s: %s", d->file, d->line,
		       d->word->name, text);
}

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool
same_value(const struct decl_value *a, const struct decl_value *b)
{
	if (a->type != b->type || a->yes != b->yes || a->number != b->number ||
	    a->unit != b->unit || a->line != b->line || a->n != b->n ||
	    a->function != b->function || !same_text(a->text, b->text))
		return false;
	for (unsigned i = 0; i < a->n; i++)
		if ((a->keys != NULL && strcmp(a->keys[i], b->keys[i]) != 0) ||
		    !same_value(&a->items[i], &b->items[i]))
			return false;
	return true;
}

bool
decl_same(const struct decl_list *a, const struct decl_list *b)
{
	if (a->present != b->present || a->n != b->n ||
	    a->functions != b->functions)
		return false;
	for (unsigned i = 0; i < a->n; i++) {
		const struct decl *x = &a->decls[i], *y = &b->decls[i];

		if (x->word != y->word || x->line != y->line ||
		    !same_text(x->name, y->name) ||
		    !same_value(&x->fields, &y->fields))
			return false;
	}
	return true;
}
