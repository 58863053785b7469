/* SPDX-License-Identifier: MIT
 *
 * budget - the connections that the pools of a runtime may have together, and
 * which of them gives way.
 *
 * Every pool has a seat.  What its waiters need is said there, and changes
 * nothing but how the others behave:
 *
 *   CONTENT --no room--> WANTS    another closes a connection that is idle
 *      ^       |           |
 *      |       +------> STARVES   has less than its share: one that has more
 *      +--- room, or             closes a connection that it could use again
 *           no waiters
 *
 * A pool that wants is heard at once: a letter wakes the pool with the most
 * idle connections, and one wakes those who want when there is room again.
 * Should both sleep past each other, the wanting pool asks at its next tick.
 *
 * Always true: open <= max, except after max was lowered; wanting and starving
 *              are the seats that say so.
 * Memory: the budget lives in its owner.  A seat outlives its pool while a
 *         letter to it is under way; the loop of that pool frees it.
 * Thread: the numbers are atomic, the list of seats has a lock, and a seat is
 *         spoken through by its pool's thread alone.
 */
#ifndef BUDGET_H
#define BUDGET_H

#include <pthread.h>
#include <stdbool.h>

#include "list.h"
#include "loop.h"

enum budget_need { BUDGET_CONTENT, BUDGET_WANTS, BUDGET_STARVES };

struct pool_budget {
	int open;	      /* atomic: connections of all pools */
	int max;	      /* atomic */
	int peak;	      /* atomic: most that were open at once */
	int wanting;	      /* atomic: seats that are not CONTENT */
	int starving;	      /* atomic: seats that STARVE */
	int nseats;	      /* atomic */
	pthread_mutex_t lock; /* held for the list alone, never while waiting */
	struct list seats;    /* under the lock */
};

struct budget_seat;

void budget_init(struct pool_budget *b, int max);

/* No seat may be left. */
void budget_fini(struct pool_budget *b);

/* look(arg) is called from `loop`: something changed for this pool. */
struct budget_seat *budget_join(struct pool_budget *b, struct loop *loop,
				void (*look)(void *arg), void *arg);

/* Room for one connection, taken or not; never above max, not even for a
 * moment.  What was taken is given back. */
bool budget_take(struct budget_seat *s);
void budget_give(struct budget_seat *s);

/* What this pool's waiters need now; may be said again and again. */
void budget_need(struct budget_seat *s, enum budget_need need);

/* How many connections this pool could give. */
void budget_idle(struct budget_seat *s, int n);

/* There is no room, and a pool wants (starves for) some. */
bool budget_wanted(const struct budget_seat *s);
bool budget_starved(const struct budget_seat *s);

/* This seat's part of n when all seats get the same, rounded up. */
int budget_part(const struct budget_seat *s, int n);

/* Has this pool, with so many connections, less (more) than its share? */
bool budget_poor(const struct budget_seat *s, int open);
bool budget_rich(const struct budget_seat *s, int open);

void budget_leave(struct budget_seat **ps);

#endif
