/* SPDX-License-Identifier: MIT
 *
 * gate - who waits for a connection, and who is next.
 *
 *   push --(count < cap)--> critical | high | normal | low   FIFO each
 *     |                                |
 *     +-- full: LUNATE_EPOOL           +--> pop     the best of four heads
 *                                      +--> remove  gave up (cancelled)
 *                                      +--> expire  deadline passed
 *
 * Aging: for every age_us a waiter has waited it is treated as one lane
 * higher, up to critical.  Of equals the one that waits longest goes first,
 * so nobody starves: after 3 * age_us even a low waiter stands before every
 * later one.
 *
 * Always true: a waiter with a gate is in the lane of its priority, one
 *              without is in no lane; a lane is
 *              ordered by enqueued_us; so its head is the best of its lane
 *              and pop compares four heads;
 *              count is the number of linked waiters, at most cap;
 *              due_us <= the earliest deadline of all waiters.
 * Cost: push, pop and remove O(1); expire O(1) unless a deadline may have
 *       passed, then O(count).
 * Memory: waiters are embedded in their owners; nothing is allocated.
 * Thread: that of its worker.  Time is an argument and never goes back.
 */
#ifndef GATE_H
#define GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "list.h"

enum gate_priority {
	GATE_CRITICAL,
	GATE_HIGH,
	GATE_NORMAL,
	GATE_LOW,
	GATE_LANES
};

struct gate_waiter {
	unsigned magic;
#define GATE_WAITER_MAGIC 0x9a7e3a17
	enum gate_priority priority; /* as asked for; never changes */
	struct gate *gate;	     /* where it waits, or NULL */
	struct list link;	     /* in a lane, among overdue, or nowhere */
	int64_t enqueued_us;	     /* set by gate_push */
	int64_t deadline_us;	     /* overdue from then on; 0 = never */
};

struct gate {
	unsigned magic;
#define GATE_MAGIC 0x9a7e0001
	struct list lanes[GATE_LANES];
	unsigned count; /* waiters in all lanes */
	unsigned cap;	/* most that may wait */
	int64_t age_us; /* wait that is worth one lane; 0 = no aging */
	int64_t due_us; /* no deadline is earlier; INT64_MAX = none */
	int64_t now_us; /* latest time of a push */
};

void gate_init(struct gate *g, unsigned cap, int64_t age_ms);

void gate_waiter_init(struct gate_waiter *w, enum gate_priority priority,
		      int64_t deadline_us);

/* LUNATE_EPOOL: full, nothing changed.  The waiter is in no gate yet. */
MUST_USE
int gate_push(struct gate *g, struct gate_waiter *w, int64_t now_us);

/* Who is next, taken out; NULL when nobody waits.  It does not look at
 * deadlines: gate_expire() comes first in a turn. */
struct gate_waiter *gate_pop(struct gate *g, int64_t now_us);

/* Who would be next, left in place. */
struct gate_waiter *gate_peek(const struct gate *g, int64_t now_us);

/* A walk through a lane from its head; `next` is NULL at first. */
struct gate_walk {
	struct gate *gate;
	enum gate_priority priority;
	unsigned left; /* how many are looked at, at most */
	bool (*like)(const struct gate_waiter *w, const void *arg);
	const void *arg;
	struct list *next; /* private */
};

/* Takes out the next one that like() accepts; NULL when there is none.  Who
 * walks takes the head first (gate_pop), so nobody is passed over for long.
 * Between two calls nothing else may leave the gate. */
struct gate_waiter *gate_walk_take(struct gate_walk *k);

/* Takes a waiter out wherever it stands, also of a list of overdue ones;
 * harmless when it is nowhere. */
void gate_remove(struct gate *g, struct gate_waiter *w);
bool gate_waits(const struct gate_waiter *w);

/* Moves all overdue waiters to the end of `overdue` (a list of links, see
 * GATE_WAITER) and says how many; the lane order is kept.  They wait no more
 * and are taken off that list by their owner (list_remove, gate_remove). */
unsigned gate_expire(struct gate *g, int64_t now_us, struct list *overdue);

/* Nothing is overdue before that time; INT64_MAX when nothing can be. */
int64_t gate_due_us(const struct gate *g);

unsigned gate_count(const struct gate *g);

/* How long the longest waiter has waited; 0 when nobody waits. */
int64_t gate_oldest_us(const struct gate *g, int64_t now_us);

#define GATE_WAITER(l) LIST_ENTRY(l, struct gate_waiter, link)

/* Walks every rule of the top comment. */
void gate_verify(const struct gate *g);

/* Nobody waits any more. */
void gate_fini(struct gate *g);

#endif
