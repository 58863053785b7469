/* SPDX-License-Identifier: MIT
 *
 * rate - how many operations one clinic, or one user, may run in a time.
 *
 *   a bucket holds at most `operations` tokens, and is full at first
 *   every operation takes one; they come back evenly, all of them in a window
 *
 *      takes  ---------------->  full .......... empty
 *      time   <----------------        refused: comes back in N us
 *
 * That is the token bucket of RFC 2697, in operations: a burst of at most
 * `operations`, and in the long run `operations` in each window.
 *
 * A bucket is found by the hash (128 bits, seeded when the rates are made) of
 * who it is of and of the limit itself: its name, its number, its window.  So a
 * reload keeps the count of a limit that did not change, and one that did
 * begins anew.
 *
 * What is full again is like what was never seen, so it is forgotten when its
 * place is wanted.  At most RATE_MOST buckets are kept; beyond that the fullest
 * of WAYS gives way, which gives its owner what was missing.
 *
 * Always true: tokens are never below 0 or above what the limit says; an
 *              operation that is refused takes none.
 * Memory: fixed, allocated by sixteenths at first use.
 * Thread: any; a lock for each sixteenth.  Time is an argument: that of one
 *         clock, microseconds; one that runs backwards gives nothing back.
 */
#ifndef RATE_H
#define RATE_H

#include <stddef.h>
#include <stdint.h>

#define RATE_MOST 65536

struct rates;

struct rate_limit {
	const char *name;
	double operations; /* >= 1 */
	int64_t window_us; /* > 0 */
};

/* Whose bucket: a text that tells owners apart. */
struct rate_owner {
	const char *text;
	size_t len;
};

struct rates *rates_new(uint64_t seed);

/* 0: an operation may run, and was counted.  Otherwise in how many
 * microseconds one may, if nobody else comes before. */
int64_t rates_take(struct rates *r, const struct rate_limit *l,
		   struct rate_owner who, int64_t now_us);

/* Undoes a take: another limit did not let the operation run. */
void rates_give(struct rates *r, const struct rate_limit *l,
		struct rate_owner who);

void rates_free(struct rates **pr);

#endif
