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
