/* SPDX-License-Identifier: MIT
 *
 * glass - what is open in an emergency: one patient's rows, for minutes.
 *
 *   (nothing) --first statement--> WRITING --journal holds it--> OPEN
 *       ^                             |                            |
 *       +----- the journal failed ----+             its time passed v
 *                                                                OVER
 *
 * A context asks for it (context.h, break_glass).  Whether it may is looked at
 * for every statement: the rule is there, the user has one of its roles, and
 * there is one tenant.  The opening itself is one record in the journal, a line
 * of JSON that is on the disk before the first statement goes on:
 *
 *   {"opening", "at", "rule", "tenant", "user", "roles", "patient", "reason",
 *    "ip", "device", "generation", "until", "review_due"}
 *
 * and a review of it is another, {"opening", "reviewed", "by"}.  An opening is
 * told apart by all that the context says of it, and of user and tenant; when
 * it is OVER the same context opens nothing any more.
 *
 * Always true: OPEN is only what stands in the journal; until < 0 never opens;
 *              a statement whose opening cannot be written is refused.
 * Memory: at most GLASS_MOST openings of the last day are known, and
 *         GLASS_MOST_EACH of one user in one tenant; one more is refused.  A
 *         day begins when an opening's time is over.
 * Thread: any; a lock, not held while the disk is waited for.  Time is an
 *         argument.
 */
#ifndef GLASS_H
#define GLASS_H

#include <stdbool.h>
#include <stdint.h>

#include "access.h"
#include "context.h"
#include "crew.h"
#include "err.h"

#define GLASS_MOST 4096
#define GLASS_MOST_EACH 32
#define GLASS_ID 33

struct glass;
struct glass_job;

/* journal: the file, or NULL: there is none, and nothing opens. */
struct glass *glass_new(const char *journal);

struct glass_ask {
	const struct access_rules *rules;
	const struct context *context; /* with glass */
	uint64_t generation;
	int64_t now_us;	 /* of a clock that only goes on */
	int64_t wall_us; /* for the record */
};

/* LUNATE_EDENIED: there is no such rule, or the user has none of its roles. */
MUST_USE
int glass_may(const struct glass_ask *ask, const struct access_glass **out,
	      struct err *e);

enum glass_state { GLASS_NONE, GLASS_OPEN, GLASS_OVER };

struct glass_opening {
	char id[GLASS_ID];
	bool first; /* nobody was told of it before */
};

enum glass_state glass_look(struct glass *g, const struct glass_ask *ask,
			    struct glass_opening *out);

/* Opens it on a thread of the crew, as a rule says; done() on the loop.  All
 * of the ask is copied. */
struct glass_start {
	struct crew *crew;
	struct loop *home;
	const struct access_glass *rule;
	void (*done)(void *arg, const struct err *e); /* code 0: look again */
	void *arg;
};
struct glass_job *glass_open(struct glass *g, const struct glass_ask *ask,
			     const struct glass_start *start);

/* Nobody waits any more; NULL is harmless. */
void glass_drop(struct glass_job **pj);

/* A review of an opening.  LUNATE_EIO. */
MUST_USE
int glass_review(const char *journal, const char *opening, const char *by,
		 struct err *e);

void glass_free(struct glass **pg);

#endif
