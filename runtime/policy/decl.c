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
