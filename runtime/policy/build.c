/* SPDX-License-Identifier: MIT */
#include "build.h"

#include <string.h>

const struct decl_list *
build_file(const struct build *b, const char *name)
{
	return &b->files[vocab_file(name, strlen(name)) - vocab_files];
}

const struct decl *
build_next(const struct decl_list *l, const char *word, unsigned *i)
{
	while (*i < l->n) {
		const struct decl *d = &l->decls[(*i)++];

		if (strcmp(d->word->name, word) == 0)
			return d;
	}
	return NULL;
}

static bool
reserved(const char *name)
{
	return strncmp(name, "lunate_", 7) == 0;
}

int
build_named(const struct build_at *at, const char *text,
	    struct build_table *out)
{
	const char *dot = strchr(text, '.');

	*out = (struct build_table){at->b->schema, text};
	if (dot != NULL) {
		out->schema = arena_dup(at->b->arena, text,
					(size_t)(dot - text));
		out->name = dot + 1;
	}
	if (out->schema[0] == 0 || out->name[0] == 0 ||
	    strchr(out->name, '.') != NULL)
		return decl_fail(at->e, at->d,
				 "\"%s\" is no name of a table; write table or "
				 "schema.table",
				 text);
	if (reserved(out->name) || reserved(out->schema))
		return decl_fail(at->e, at->d,
				 "\"%s\": names that begin with lunate_ are "
				 "reserved",
				 text);
	return 0;
}
