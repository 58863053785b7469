/* SPDX-License-Identifier: MIT
 *
 * health - can the server be used, as somebody who asks from outside sees it.
 *
 *            asked, report too old       answer, or 2 s
 *   RESTING ------------------------> CHECKING --------> RESTING
 *      |  ^                              |
 *      +--+ asked, report is fresh       +-- asked: waits for this answer
 *
 * A check is SELECT 1 through the pool at the highest priority, so it says
 * what an operation would meet.  Well is: answered within HEALTH_BUDGET_US,
 * and the mean time of operations below HEALTH_SLOW_US.
 *
 * Always true: at most one check is under way; a report is given out for
 *              HEALTH_FRESH_US; done() is called once, from the loop.
 * Memory: belongs to its worker; waits are embedded in who asks.
 * Thread: that of the worker.
 */
#ifndef HEALTH_H
#define HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "list.h"

#define HEALTH_BUDGET_US 2000000
#define HEALTH_FRESH_US 10000000
#define HEALTH_SLOW_US 5000000
#define HEALTH_ERRORS 4

struct health;
struct worker;

/* A failed check has counts of 0 and a time of -1. */
struct health_report {
	bool is_healthy;
	int connection_count, active_queries; /* operations under way */
	double avg_response_ms; /* of the operations since the check before,
				 * else of this check */
	int64_t checked_wall_us;
	int nerrors;
	char errors[HEALTH_ERRORS][600];
};

struct health_wait {
	struct list link;
	void (*done)(struct health_wait *w, const struct health_report *r);
};

struct health *health_new(struct worker *w);

/* The latest report while it is fresh, else NULL; borrowed until the loop
 * turns. */
const struct health_report *health_latest(const struct health *h);

/* The latest however old it is; NULL before the first. */
const struct health_report *health_last(const struct health *h);

/* Waits for a new report, starting a check when none is under way. */
void health_ask(struct health *h, struct health_wait *w,
		void (*done)(struct health_wait *w,
			     const struct health_report *r));

/* done() will not be called; harmless when it has been. */
void health_unask(struct health_wait *w);

/* After the end of the worker's operations, which ends the check under way. */
void health_free(struct health **ph);

#endif
