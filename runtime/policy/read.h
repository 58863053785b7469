/* SPDX-License-Identifier: MIT
 *
 * read - one policy file: from its text to declarations.
 *
 *   text --run in the sandbox--> declarations --vocab--> checked
 *
 * A file sees the words of its vocabulary, what makes values, and what the
 * sandbox leaves of Lua.  A word without its fields, a name that is nothing,
 * a field that a word does not have, a value of another type: each is an error
 * "file:line:column: text" with the nearest word that there is.  What raised
 * an error stays an error, also inside of pcall().
 *
 *   seconds minutes hours days weeks years     a NUMBER of seconds
 *   kilobytes megabytes gigabytes              a NUMBER of bytes
 *   row.x ctx.x  all any no has_role hours ip     TERMs, where they may be
 *   term:method(...)                           TERM method(term, ...)
 *
 * Functions among the values stay in the VM (read_function), and so do the
 * words they may use: what makes values works as before, a declaration made
 * while a decision runs is an error.  What a file left in global names is
 * there and can no longer be changed: a decision has no memory of earlier
 * ones by accident.
 *
 * Memory: declarations lie in the arena given.
 * Thread: that of the sandbox.
 */
#ifndef READ_H
#define READ_H

#include <stddef.h>

#include "decl.h"
#include "err.h"
#include "mem.h"

struct sandbox;
struct vocab_file;

struct read_ask {
	struct sandbox *sandbox;
	const struct vocab_file *vocab;
	const char *path; /* as errors call it */
	const char *text;
	size_t len;
	struct arena *arena;
	unsigned functions; /* numbers given before this file */
};

/* LUNATE_ECONFIG, LUNATE_ESYNTAX, LUNATE_ETOOBIG, LUNATE_EDEADLINE or
 * LUNATE_EQUERY (what it raised itself). */
MUST_USE
int read_policy(const struct read_ask *ask, struct decl_list *out,
		struct err *e);

/* Pushes the function of that number, read in this VM; allocates nothing. */
void read_function(struct sandbox *s, unsigned number);

#endif
