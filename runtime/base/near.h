/* SPDX-License-Identifier: MIT
 *
 * near - "did you mean ...?": the known word closest to a mistyped one.
 *
 * Distance is Levenshtein's (insert, delete, replace; a swap of neighbours
 * counts once), letters compared without case.  A word is near when at most
 * one in three of its letters, plus one, had to change, and never more than
 * three.
 *
 * Memory: owns nothing; the words are borrowed until near_best().
 * Thread: that of its owner.
 */
#ifndef NEAR_H
#define NEAR_H

#include <stddef.h>

#include "obj.h"

struct near {
	const char *word; /* as typed */
	const char *best; /* nearest candidate so far, or NULL */
	size_t distance;  /* of `best`; else one more than is near */
};

void near_init(struct near *n, const char *word);

/* Offers a candidate; of two equally near the first one stays. */
void near_try(struct near *n, const char *candidate);

/* The nearest candidate, or NULL when none is near. */
const char *near_best(const struct near *n);

#endif
