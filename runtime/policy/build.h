/* SPDX-License-Identifier: MIT
 *
 * build - from declarations to the structs that the floors below work with.
 *
 * What a vocabulary cannot say of a field is checked here: that a table's
 * parent has a rule, that a way to the tenant ends, that waits are no negative
 * numbers.  Errors are "file:line: word "name": text".
 *
 *   isolation   which rows belong to whom (sql/tenant.h)
 *   access      who may do what (guard/access.h)
 *   resilience  retries, and the waits between them
 *
 * Always true: rules that were built hold for every statement; what a file
 *              does not say stays as it was in the rules given.
 * Memory: what is made lies in the arena.  Thread: any; keeps nothing.
 */
#ifndef BUILD_H
#define BUILD_H

#include "decl.h"
#include "err.h"
#include "mem.h"
#include "rules.h"
#include "vocab.h"

struct build {
	struct arena *arena;
	const struct decl_list *files; /* VOCAB_FILES, as vocab_files */
	const char *schema;	       /* of tables named without one */
	struct rules *rules;	       /* filled */
};

/* LUNATE_ECONFIG. */
MUST_USE
int build_isolation(const struct build *b, struct err *e);
/* Behind isolation, whose tables it speaks of. */
MUST_USE
int build_access(const struct build *b, struct err *e);
MUST_USE
int build_resilience(const struct build *b, struct err *e);

/* The declarations of a file; present is false when there is no such file. */
const struct decl_list *build_file(const struct build *b, const char *name);

/* The first declaration of a word from place *i on, which moves behind it; NULL
 * when there is no more. */
const struct decl *build_next(const struct decl_list *l, const char *word,
			      unsigned *i);

/* Where a name stands, for what is said of it. */
struct build_at {
	const struct build *b;
	const struct decl *d;
	struct err *e;
};

struct build_table {
	const char *schema, *name;
};

/* "schema.table", or a table of the schema that is configured. */
MUST_USE
int build_named(const struct build_at *at, const char *text,
		struct build_table *out);

#endif
