/* SPDX-License-Identifier: MIT
 *
 * vocab - the words that policy files are made of.
 *
 * One table for each file: its words, whether a word has a name, and the
 * fields of each with type, choices and meaning.  Files are checked against
 * them, `lunate policy defaults` and the documentation are printed from them,
 * and whoever builds rules reads only fields that are here.
 *
 * Thread: any; constant.
 */
#ifndef VOCAB_H
#define VOCAB_H

#include <stdbool.h>
#include <stddef.h>

#include "decl.h"

enum vocab_type {
	VOCAB_BOOL,
	VOCAB_NUMBER,
	VOCAB_SECONDS, /* a NUMBER made by seconds(), minutes(), ... */
	VOCAB_TEXT,
	VOCAB_WORD,   /* one of the choices */
	VOCAB_TEXTS,  /* a text, or a list of them */
	VOCAB_MAP,    /* texts by name */
	VOCAB_TERM,   /* a condition, or a function */
	VOCAB_RECORD, /* a table that its builder looks at */
	VOCAB_CALL,   /* SECONDS or a function */
	VOCAB_TALLY,  /* NUMBER or a function */
};

struct vocab_field {
	const char *name;
	enum vocab_type type;
	const char *choices; /* WORD: "a|b|c"; else NULL */
	bool required;
	const char *meaning;
};

enum vocab_named { VOCAB_UNNAMED, VOCAB_NAMED, VOCAB_MAY_BE_NAMED };

struct vocab_word {
	const char *name;
	enum vocab_named named;
	bool once;	     /* at most one such declaration (of a name) */
	const char *choices; /* what its name may be, "a|b"; NULL: any */
	const struct vocab_field *fields;
	unsigned nfields;
	const char *meaning;
};

/* What becomes of a file's declarations in this build. */
enum vocab_effect {
	VOCAB_IN_FORCE,
	VOCAB_NOT_YET, /* checked, and reported as without effect */
	VOCAB_REFUSED, /* a guard that nothing enforces: refused at load */
};

struct vocab_file {
	const char *name; /* "isolation", of isolation.lua */
	bool guard;	  /* its failure denies */
	bool decides;	  /* it can change what a statement gives */
	bool terms;	  /* conditions over row and ctx may be written */
	enum vocab_effect effect;
	const struct vocab_word *words;
	unsigned nwords;
	const char *meaning;
};

/* What conditions are written with, where `terms` says that they may be. */
struct vocab_term {
	const char *form, *meaning;
};

#define VOCAB_TERMS 15

extern const struct vocab_term vocab_terms[VOCAB_TERMS];

#define VOCAB_FILES 10

extern const struct vocab_file vocab_files[VOCAB_FILES];

/* By its name without ".lua", or NULL; its place in vocab_files. */
const struct vocab_file *vocab_file(const char *name, size_t len);
const struct vocab_word *vocab_word(const struct vocab_file *f,
				    const char *name);
const struct vocab_field *vocab_field(const struct vocab_word *w,
				      const char *name);

/* Is it one of "a|b|c"? */
bool vocab_chosen(const char *choices, const char *word);

#endif
