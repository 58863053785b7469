/* SPDX-License-Identifier: MIT
 *
 * splice - edits of a text by byte offset, applied all at once.
 *
 * Edits are told in any order; what is not inside one stays byte for byte.
 * Two insertions at the same place come out in the order in which they were
 * told, an insertion before a replacement that begins there.
 *
 * Always true: what came out holds each edit once; spans that overlap have no
 *              meaning, and give nothing.
 * Memory: texts of edits are borrowed until splice_apply(); the list and the
 *         result lie in the arena given.
 * Thread: that of its owner.
 */
#ifndef SPLICE_H
#define SPLICE_H

#include <stddef.h>

#include "mem.h"

struct splice_edit {
	size_t start, end; /* replaced; the same: an insertion */
	const char *text;
	unsigned order;
};

struct splice {
	struct arena *a;
	struct splice_edit *edits;
	unsigned n, room;
};

void splice_init(struct splice *s, struct arena *a);
void splice_insert(struct splice *s, size_t at, const char *text);
void splice_replace(struct splice *s, size_t start, size_t end,
		    const char *text);

/* The edited text, 0-terminated; NULL: an edit lies inside another one, or
 * outside of the text. */
const char *splice_apply(struct splice *s, const char *text, size_t len,
			 size_t *out_len);

#endif
