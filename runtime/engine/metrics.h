/* SPDX-License-Identifier: MIT
 *
 * metrics - the figures of a runtime: what is counted as it happens, and what
 * is read off when somebody asks.
 *
 * counted  struct counts, one per runtime, written by every operation at its
 *          end: a handful of relaxed atomics.
 * read     struct metrics, filled by metrics_read(); every one of them is a
 *          row of METRICS: its field is its name in Lua and on the control
 *          socket, with its unit and its help.
 *
 * A percentile is that of a histogram over all operations since the runtime
 * was opened, off by at most 3.2 %; nothing is made up from a mean.
 * Connections are those of all workers; what other workers than the one asked
 * say of theirs is up to a second old.
 * Thread: counts any; metrics_read() that of the worker it is asked of.
 */
#ifndef METRICS_H
#define METRICS_H

#include <stdint.h>

#include "stat.h"

struct op;
struct runtime;
struct worker;

/* clang-format off */
#define COUNTS(X) \
	X(COUNT, queries, "lunate_queries_total", "1", \
	  "operations that ended, however they did") \
	X(COUNT, failed, "lunate_queries_failed_total", "1", \
	  "operations that ended with an error") \
	X(COUNT, slow, "lunate_queries_slow_total", "1", \
	  "operations above slow_query_threshold") \
	X(COUNT, critical, "lunate_queries_critical_total", "1", \
	  "operations above critical_query_threshold") \
	X(COUNT, refused, "lunate_queries_refused_total", "1", \
	  "operations that the policies refused") \
	X(COUNT, policy_failures, "lunate_policy_failures_total", "1", \
	  "functions of policy files that failed") \
	X(COUNT, rows, "lunate_rows_total", "1", \
	  "rows read into results") \
	X(HIST, query_time, "lunate_query_time", "us", \
	  "from asking to answer, waiting included") \
	X(HIST, wait_time, "lunate_wait_time", "us", \
	  "until a connection was there and the statement sent")

/* X(field, unit, help) */
#define METRICS(X) \
	X(total, "connections", "open connections, logins under way included") \
	X(active, "connections", "those that work or are held by somebody") \
	X(idle, "connections", "those that wait for work") \
	X(waiting, "operations", "operations that wait for a connection") \
	X(max, "connections", "most that may be open; lowered to what the server has left") \
	X(peak, "connections", "most that were open at once") \
	X(utilization, "ratio", "active / max") \
	X(logins, "connections", "logins under way") \
	X(leased, "connections", "held by a transaction, a stream or a COPY") \
	X(fenced, "connections", "waiting for the end of a cancel") \
	X(opened, "connections", "opened since the start") \
	X(closed, "connections", "closed since the start") \
	X(lost, "connections", "that died") \
	X(login_failures, "logins", "logins that failed") \
	X(groups, "groups", "Sync groups sent") \
	X(statements, "statements", "statements sent outside of leases") \
	X(requeued, "statements", "sent again because an earlier one of their group failed") \
	X(cancels, "cancels", "statements that were cancelled on the server") \
	X(cancel_hits, "cancels", "cancels that ended the statement they were meant for") \
	X(timeouts, "operations", "operations that waited for a connection in vain") \
	X(total_queries, "operations", "operations that ended, however they did") \
	X(errors, "operations", "operations that ended with an error") \
	X(slow_queries, "operations", "operations above slow_query_threshold") \
	X(critical_queries, "operations", "operations above critical_query_threshold") \
	X(rows, "rows", "rows read into results") \
	X(queries_per_second, "operations/s", "over the last ten whole seconds") \
	X(average_query_time, "ms", "from asking to answer, waiting included") \
	X(p50_query_time, "ms", "half of all operations took no longer") \
	X(p95_query_time, "ms", "95 % of all operations took no longer") \
	X(p99_query_time, "ms", "99 % of all operations took no longer") \
	X(max_query_time, "ms", "the longest of all") \
	X(average_wait_time, "ms", "until a connection was there and the statement sent") \
	X(p95_wait_time, "ms", "95 % of all operations waited no longer") \
	X(p99_wait_time, "ms", "99 % of all operations waited no longer") \
	X(refused, "operations", "operations that the policies refused") \
	X(policy_generation, "generation", "number of the rules in force") \
	X(policy_failures, "failures", "functions of policy files that failed, access.lua aside") \
	X(events, "events", "events that somebody was told of") \
	X(events_lost, "events", "events that a listener was too slow for") \
	X(uptime, "s", "since the runtime was opened")

/* clang-format on */

/* How many in each of the last seconds. */
#define RATE_SLOTS 16
#define RATE_WINDOW 10
struct rate {
	uint64_t slots[RATE_SLOTS]; /* atomic: second << 32 | count */
};

void rate_add(struct rate *r, int64_t now_us);

/* Mean of the last RATE_WINDOW whole seconds. */
double rate_per_second(const struct rate *r, int64_t now_us);

struct counts {
	COUNTS(STAT_FIELD)
	struct rate rate;
};

struct metrics {
#define METRICS_FIELD(field, unit, help) double field;
	METRICS(METRICS_FIELD)
#undef METRICS_FIELD
};

/* An operation has ended. */
void metrics_count(struct runtime *rt, const struct op *op);
void metrics_read(struct worker *w, struct metrics *out);

struct metrics_info {
	const char *name, *unit, *help;
};

/* Row i of METRICS and its value; NULL behind the last one. */
const struct metrics_info *metrics_row(int i, const struct metrics *m,
				       double *value);

#endif
