/* SPDX-License-Identifier: MIT
 *
 * barrier - which tables the live database lets a generation open.
 *
 *   UNKNOWN --barrier_wait--> ASKED --answer--> KNOWN --in doubt--> KNOWN,
 *      ^                        |                 |            asked again
 *      +--------- failed -------+                 |            behind
 *      +---------------- a connection was lost ---+
 *
 * What is known is a set of closed tables (closed.h), for each key of rules
 * (lints_key) and schema epoch.  It is asked at the first statement, after a
 * change of the schema, for a generation that asks other questions, and anew:
 *   - when a connection was lost: what is behind the next one may be another
 *     server, so where row policies count nothing is known until it answered
 *   - when a connection was made, in the background, at most once a second
 *   - when a statement meets a closed table and the answer is a second old:
 *     it waits for a new one, so a table opens soon after it was mended
 * What is not known is closed.
 *
 * The fault "isolation.rls", where the rules show details of errors: whatever
 * the database says, no table is closed, so a test may run in mode both with
 * policies missing or a role that bypasses them.
 *
 * Here too: the map of tenant columns for egress, one for each generation and
 * schema epoch.
 *
 * Always true: one question for a key and epoch is under way at a time.
 * Memory: owns its answers; waits are embedded in their owners.
 * Thread: that of its worker.
 */
#ifndef BARRIER_H
#define BARRIER_H

#include "err.h"
#include "list.h"
#include "rules.h"

struct barrier;
struct closed;
struct egress_map;
struct worker;

struct barrier_wait {
	struct list link;
	/* of its owner, set before it waits */
	struct rules *rules;
	uint64_t epoch;
	void (*done)(void *arg); /* also when it could not be asked */
	void *arg;
};

struct barrier *barrier_new(struct worker *w);

/* The closed tables, borrowed until the loop turns; NULL: not known.  `epoch`
 * is that of the schema, the isolation of the rules is ON. */
struct closed *barrier_closed(struct barrier *b, struct rules *r,
			      uint64_t epoch);

/* For who has a connection already, and keeps it: what was known before a loss
 * counts.  He cannot wait, when it is the last one that the question could
 * have; so if nothing is known it is asked behind him. */
struct closed *barrier_known(struct barrier *b, struct rules *r,
			     uint64_t epoch);

/* Is what is known too old for who was refused by it? */
bool barrier_is_old(struct barrier *b, struct rules *r, uint64_t epoch);

/* Asks, unless somebody has; done() comes from the loop. */
void barrier_wait_init(struct barrier_wait *w);
void barrier_wait(struct barrier *b, struct barrier_wait *w);
void barrier_unwait(struct barrier_wait *w);

/* Why nothing is known, after a wait that gave nothing; code 0: there was an
 * answer, to another question. */
const struct err *barrier_err(const struct barrier *b);

/* Connections were made, or lost. */
void barrier_doubt(struct barrier *b);
void barrier_lost(struct barrier *b);

/* Grows with every loss. */
uint64_t barrier_era(const struct barrier *b);

/* The map of these rules (ON): of the schema as it is known now, or was last;
 * NULL: it never was.  Borrowed until the loop turns. */
struct egress_map *barrier_egress(struct barrier *b, struct rules *r);

/* After the last operation of its worker. */
void barrier_free(struct barrier **pb);

#endif
