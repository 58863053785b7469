/* SPDX-License-Identifier: MIT
 *
 * shadow - other rules beside those in force: decided too, and only counted.
 *
 *   off --shadow_begin--> one operation in SHADOW_EVERY, by chance, is decided
 *        by them as well, differences are counted by kind
 *        --shadow_end, or others--> off
 *
 * An operation never waits for its shadow's answer to matter: what it is told
 * and sent does not depend on it.  It costs what deciding costs.
 *
 * Always true: eras grow; a worker's judge belongs to the era it was made in.
 * Memory: pins the rules; a worker's judge pins them until its next operation.
 * Thread: begin, end and json any; shadow_decide that of its worker.
 */
#ifndef SHADOW_H
#define SHADOW_H

#include <jansson.h>
#include <pthread.h>

#include "judge.h"

#define SHADOW_EVERY 10

struct shadow {
	pthread_mutex_t lock; /* of rules, name */
	struct rules *rules;  /* NULL: off */
	char name[256];	      /* "generation 3", "policies/next" */
	uint64_t era;	      /* atomic; 0: off */
	uint64_t last_era;
	uint64_t counts[RULING_CHANGES]; /* atomics */
};

/* A worker's part. */
struct shade {
	struct judge *judge; /* NULL: off */
	uint64_t era;
	uint64_t chance; /* what is asked in turns would be missed by turns */
};

void shadow_init(struct shadow *s);

/* Takes the rules; counts begin at 0. */
void shadow_begin(struct shadow *s, struct rules *r, const char *name);
bool shadow_end(struct shadow *s); /* was it on? */

/* Is it this operation's turn? */
bool shadow_wants(struct shadow *s, struct shade *w);

/* What an operation came to, and what it asked; it was wanted. */
void shadow_decide(struct shadow *s, struct shade *w,
		   const struct judge_ask *ask, const struct ruling *ruling);

/* {on, name, every, decided, changes: {word: n}} */
json_t *shadow_json(struct shadow *s);

void shade_fini(struct shade *w);
void shadow_fini(struct shadow *s);

#endif
