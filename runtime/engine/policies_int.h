/* SPDX-License-Identifier: MIT
 *
 * policies_int - what the files of policies share.  No other file includes
 * this.
 *
 *   policies.c       life, the thread, what is read and published
 *   policies_beside.c  other rules are compared with those in force
 *   policies_held.c  what may allow more waits to be accepted
 *   policies_back.c  a file whose functions fail gives way to an earlier one
 *   policies_news.c  what becomes a line of the log, an event, an answer
 */
#ifndef POLICIES_INT_H
#define POLICIES_INT_H

#include <pthread.h>

#include "loop.h"
#include "policies.h"
#include "strikes.h"
#include "texts.h"

struct watch;
struct watchdog;

/* Of a generation: where its rules came from. */
struct past {
	uint64_t generation;
	struct texts *texts; /* pinned */
	int64_t wall_us;
	char why[80]; /* "start", "saved", "use 3" */
};

/* A file that failed: while the folder has the text of `failed`, that of
 * `instead` is taken.  Both NULL: none. */
struct aside {
	struct texts *failed, *instead; /* pinned; only this file counts */
};

/* A change that waits to be accepted; texts NULL: none. */
struct held {
	uint64_t number;
	struct texts *texts; /* pinned */
	int64_t wall_us;
	struct err why;
};

#define BAD_TEXTS 8 /* remembered of each file */

struct policies {
	unsigned magic;
#define POLICIES_MAGIC 0x9011c1e5
	char *folder, *schema;
	int64_t max_stale_us;
	bool sealed; /* there is a key that seals contexts */
	struct rules_source *rules;
	struct rules *base;
	struct log *log;
	struct events *events;
	struct decided *decided;
	struct shadow *shadow;
	struct watchdog *dog;
	int wanted; /* atomic: workers that want a VM of their own */

	pthread_mutex_t lock; /* of all that follows */
	struct past history[POLICIES_HISTORY];
	unsigned npast;
	uint64_t looked_at;    /* hash of the folder when it was read last */
	struct err broken;     /* code 0: it is not */
	int64_t broken_us;     /* since when; loop clock */
	bool closed;	       /* because it was broken for too long */
	unsigned told_not_yet; /* rules->not_yet, when it was told last */
	bool confirm;
	struct held held;
	uint64_t last_held;
	struct aside asides[VOCAB_FILES];
	uint64_t bad[VOCAB_FILES][BAD_TEXTS]; /* hashes of what failed, a ring
					       */
	unsigned nbad[VOCAB_FILES];

	pthread_mutex_t strikes_lock; /* of what follows; never waits long */
	struct strikes strikes;
	uint64_t counted;      /* the generation whose failures count */
	unsigned out;	       /* files that failed too often, a bit each */
	bool posted;	       /* the letter `back` is on its way */
	unsigned users;	       /* policies_pin() */
	pthread_cond_t unused; /* users became 0 */

	/* of the thread alone */
	pthread_t thread;
	struct loop *loop;
	struct watch *watch;
	struct loop_timer stale;
	struct loop_letter stop, back, grow;
	bool growing; /* atomic: the letter `grow` is on its way */
};

/* ---- policies.c; under the lock ----------------------------------------- */

MUST_USE
int policies_load(struct policies *p, struct texts *t, struct rules **out,
		  struct err *e);

/* Takes the rules; their generation. */
uint64_t policies_publish(struct policies *p, struct rules *r, const char *why);

/* Of the texts that the rules in force were made of; 0: none. */
uint64_t policies_hash(const struct policies *p);

/* LUNATE_EINVAL: it is not kept. */
const struct past *policies_past(const struct policies *p, uint64_t generation,
				 struct err *e);

int64_t policies_wall_us(void);

/* The folder is in order. */
void policies_set_whole(struct policies *p);

/* ---- policies_held.c ---------------------------------------------------- */

/* Have these rules to be accepted?  Then they are held.  `t` is what they were
 * loaded from. */
bool policies_hold(struct policies *p, struct rules *r, struct texts *t);
void policies_let_go(struct policies *p);
json_t *policies_held_json(const struct policies *p);

/* ---- policies_beside.c -------------------------------------------------- */

/* How many recorded decisions that were refused these rules allow. */
unsigned policies_allowed(struct policies *p, struct rules *r);

/* ---- policies_back.c ---------------------------------------------------- */

/* The folder's texts with those of files that were put aside replaced; takes
 * one, gives one. */
struct texts *policies_mend(struct policies *p, struct texts *t);

/* Other texts are in force: what failed before them no longer counts. */
void policies_counted(struct policies *p, const struct texts *before,
		      uint64_t generation, const struct texts *now);

void policies_on_back(struct loop_letter *letter);
void policies_forget_asides(struct policies *p);

/* ---- policies_news.c ---------------------------------------------------- */

void policies_tell(struct policies *p, enum event_type type, json_t *payload);
void policies_tell_loaded(struct policies *p, const struct past *at);
void policies_tell_refused(struct policies *p, uint64_t generation,
			   const struct err *e);
void policies_tell_not_yet(struct policies *p, const struct rules *r);
void policies_tell_held(struct policies *p);
void policies_tell_back(struct policies *p, unsigned file, uint64_t generation);

#endif
