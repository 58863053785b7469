/* SPDX-License-Identifier: MIT
 *
 * spare - freed structs of one size, kept for the next that is made: for what
 * is made and freed with every operation.
 *
 * Always true: at most SPARE_MOST are kept; what is taken is not zeroed.
 * Memory: embedded in its owner; under a sanitizer nothing is kept, so that
 *         it sees every use after a free.
 * Thread: its owner's.
 */
#ifndef SPARE_H
#define SPARE_H

#include <stddef.h>

#define SPARE_MOST 256

struct spare {
	void *first; /* each begins with the next one */
	int n;
};

/* Of the same size at every call; cannot fail. */
void *spare_take(struct spare *s, size_t size);
void spare_give(struct spare *s, void *p);

/* Frees what is kept. */
void spare_fini(struct spare *s);

#endif
