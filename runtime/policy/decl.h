/* SPDX-License-Identifier: MIT
 *
 * decl - what policy files declare, as plain values.
 *
 * A policy file is a list of declarations, `word "name" { fields }` or
 * `word { fields }`.  Running it yields these structs and nothing else: who
 * builds rules from them (build_isolation.c, build_access.c, ...) sees no Lua.
 *
 * Values.  Helpers of the vocabulary give plain values: minutes(5) is a NUMBER
 * of seconds, days(90) too; megabytes(4) a NUMBER of bytes.  What has to be
 * evaluated later is a TERM, an operator with arguments, made by constructors
 * and by the operators of placeholders:
 *
 *	row.location_id:one_of(ctx.locations)   one_of(row(location_id),
 *	                                               ctx(locations))
 *	all { a, b }                            all(a, b)
 *	hours("Mon-Fri 07:00-19:00", "UTC")     hours("Mon-Fri ...", "UTC")
 *
 * A FUNCTION has a number: functions of a folder are counted from 1, file by
 * file, fields by their names' order, so that each VM that reads the same texts
 * knows the same function by the same number (hook.h).
 *
 * Memory: everything of a folder lies in one arena.  Thread: immutable.
 */
#ifndef DECL_H
#define DECL_H

#include <stdbool.h>

#include "err.h"

struct vocab_word;

enum decl_type {
	DECL_NONE,
	DECL_BOOL,
	DECL_NUMBER,
	DECL_TEXT,
	DECL_LIST,     /* {a, b, c} */
	DECL_MAP,      /* {k = v}, by key (strcmp) */
	DECL_TERM,     /* text is the operator, items its arguments */
	DECL_FUNCTION, /* line is that of its definition */
};

struct decl_value {
	enum decl_type type;
	bool yes;
	double number;
	char unit;	  /* NUMBER: 's' seconds, 'B' bytes, 0 none */
	const char *text; /* TEXT: 0-terminated; TERM: the operator */
	unsigned len;	  /* of text */
	unsigned n;	  /* LIST, MAP, TERM */
	const struct decl_value *items;
	const char *const *keys; /* MAP */
	unsigned function;	 /* FUNCTION: its number, from 1 */
	int line;		 /* where it was made; 0: not known */
};

struct decl {
	const struct vocab_word *word;
	const char *file; /* as errors call it: "policies/isolation.lua" */
	int line;
	const char *name;	  /* or NULL */
	struct decl_value fields; /* a MAP, checked against the vocabulary */
};

/* Of one file, in its order. */
struct decl_list {
	const char *file;
	bool present; /* the folder has the file */
	unsigned n;
	const struct decl *decls;
	unsigned functions; /* the last number given when it was read */
};

/* A field of a declaration or of a MAP; NULL when it is not there. */
const struct decl_value *decl_field(const struct decl_value *map,
				    const char *key);

/* A field that is a text, or NULL; is it this text? */
const char *decl_text(const struct decl_value *map, const char *key);
bool decl_is(const struct decl_value *map, const char *key, const char *word);

/* A text or a list of them: how many; the first one in *out.  v may be NULL. */
unsigned decl_texts(const struct decl_value *v, const struct decl_value **out);

/* Do two lists declare the same?  Functions are the same by number and line. */
bool decl_same(const struct decl_list *a, const struct decl_list *b);

/* LUNATE_ECONFIG, "policies/access.lua:12: permit \"x\": " + text. */
int decl_fail(struct err *e, const struct decl *d, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

#endif
