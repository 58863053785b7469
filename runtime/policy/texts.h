/* SPDX-License-Identifier: MIT
 *
 * texts - those of a policy folder, as they were at one moment.
 *
 *   folder --read, twice alike--> texts (immutable) --load--> rules
 *
 * Only files of the vocabulary count: NAME.lua.  A .lua file of another name
 * is an error with the nearest name, so that a typo does not go unnoticed;
 * what editors leave, hidden files, folders and other names are passed over.
 * All files come from one directory, opened once: a symlink that is swapped
 * meanwhile does not mix two folders.  A file that changes while it is read
 * is read again.
 *
 * Memory: counted.  Thread: immutable once read; reading blocks.
 */
#ifndef TEXTS_H
#define TEXTS_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "vocab.h"

#define TEXTS_FILE_MOST (1u << 20)

struct texts_file {
	char *text; /* NULL: the folder has no such file */
	size_t len;
};

struct texts {
	unsigned magic;
#define TEXTS_MAGIC 0xb0d1e5a3
	int refs;			      /* atomic */
	char *folder;			      /* as it was given */
	struct texts_file files[VOCAB_FILES]; /* as vocab_files */
	uint64_t hash;			      /* of all texts */
	uint64_t decisions; /* of those that decide what a statement gives;
			     * never 0 */
};

/* LUNATE_EIO (no folder, no file, not to be read), LUNATE_ETOOBIG,
 * LUNATE_ECONFIG (a name), LUNATE_EBUSY (still being written). */
MUST_USE
int texts_read(struct texts **out, const char *folder, struct err *e);

/* Of texts in memory, for tests and for what was recorded: `list` in the
 * order of vocab_files, NULL for none. */
struct texts *texts_of(const char *folder, const char *const list[VOCAB_FILES]);

/* The same with another text of one file, which is copied. */
struct texts *texts_with(const struct texts *t, unsigned file,
			 const struct texts_file *f);

struct texts *texts_pin(struct texts *b);
void texts_unpin(struct texts **pb);

#endif
