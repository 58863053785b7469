/* SPDX-License-Identifier: MIT
 *
 * stat - numbers that many threads count and somebody prints later.
 *
 * count  only grows.  gauge  goes up and down.
 * hist   how often each size of a value was seen: an exponential histogram of
 *        base 2 with STAT_SUB linear steps in every power of two.  Values are
 *        whole microseconds (or any other whole unit).
 *
 *        0 .. 31            one bucket per value: exact
 *        2^k .. 2^(k+1)-1   STAT_SUB buckets of width 2^k / STAT_SUB
 *        above STAT_MOST    all in one last bucket (STAT_MOST us: 4.7 hours)
 *
 * Error: stat_hist_percentile() gives the middle of the bucket that holds the
 *        value of that rank, so it is off by at most 1/32 of the true value
 *        (3.2 %), and not at all below 32; never above the largest value
 *        seen.  What is above STAT_MOST answers with the largest.  count,
 *        sum, mean and most are exact.
 *
 * A metric has a name, a unit and a help text, and lives in one X table:
 *
 *	#define POOL_METRICS(X) \
 *		X(COUNT, logins, "lunate_pool_logins_total", "1", "...") \
 *		X(HIST, acquire, "lunate_pool_acquire", "us", "...")
 *	struct pool_stats { POOL_METRICS(STAT_FIELD) };
 *	#define STAT_OWNER struct pool_stats
 *	static const struct stat_metric metrics[] = {POOL_METRICS(STAT_ROW)};
 *
 * Zeroed memory is a valid count, gauge, hist and struct of them.
 *
 * Memory: embedded in their owner, a hist is just under 4 KiB.
 * Thread: every write is one relaxed atomic: any thread may write while any
 *         other reads.  A reader sees each number as it was at some moment,
 *         not all numbers at the same moment.  Merging writes the target.
 */
#ifndef STAT_H
#define STAT_H

#include <stddef.h>
#include <stdint.h>

#include "obj.h"

#define STAT_SUB 16
#define STAT_BITS 34 /* values below 2^34 have a bucket of their own size */
#define STAT_MOST (((int64_t)1 << STAT_BITS) - 1)
#define STAT_BUCKETS ((STAT_BITS - 4 + 1) * STAT_SUB + 1)

struct stat_count {
	uint64_t n; /* atomic */
};

struct stat_gauge {
	int64_t n; /* atomic */
};

struct stat_hist {
	uint64_t sum;			/* atomic; of all values */
	int64_t most;			/* atomic; largest value */
	uint64_t buckets[STAT_BUCKETS]; /* atomic */
};

static inline void
stat_add(struct stat_count *c, uint64_t n)
{
	__atomic_fetch_add(&c->n, n, __ATOMIC_RELAXED);
}

static inline uint64_t
stat_read(const struct stat_count *c)
{
	return __atomic_load_n(&c->n, __ATOMIC_RELAXED);
}

static inline void
stat_gauge_add(struct stat_gauge *g, int64_t n)
{
	__atomic_fetch_add(&g->n, n, __ATOMIC_RELAXED);
}

static inline void
stat_gauge_set(struct stat_gauge *g, int64_t n)
{
	__atomic_store_n(&g->n, n, __ATOMIC_RELAXED);
}

static inline int64_t
stat_gauge_read(const struct stat_gauge *g)
{
	return __atomic_load_n(&g->n, __ATOMIC_RELAXED);
}

/* One value.  A negative one counts as 0. */
void stat_hist_add(struct stat_hist *h, int64_t value);

uint64_t stat_hist_count(const struct stat_hist *h);
uint64_t stat_hist_sum(const struct stat_hist *h);

/* 0 when nothing was added. */
double stat_hist_mean(const struct stat_hist *h);
int64_t stat_hist_most(const struct stat_hist *h);

/* The value that a share of 0 <= p <= 1 of all values do not exceed (nearest
 * rank; p = 0 is the smallest value); 0 when nothing was added. */
int64_t stat_hist_percentile(const struct stat_hist *h, double p);

/* How many values are surely not above `value`: those of whole buckets. */
uint64_t stat_hist_up_to(const struct stat_hist *h, int64_t value);

/* Adds all of `from` to `to`, as if every value had been added to `to`. */
void stat_hist_merge(struct stat_hist *to, const struct stat_hist *from);

enum stat_kind { STAT_COUNT, STAT_GAUGE, STAT_HIST };

struct stat_metric {
	const char *name; /* "lunate_pool_logins_total" */
	const char *unit; /* "1", "us", "bytes" */
	const char *help; /* one sentence */
	enum stat_kind kind;
	size_t offset; /* in the owner's struct */
};

#define STAT_TYPE_COUNT struct stat_count
#define STAT_TYPE_GAUGE struct stat_gauge
#define STAT_TYPE_HIST struct stat_hist
#define STAT_FIELD(kind, field, name, unit, help) STAT_TYPE_##kind field;
#define STAT_ROW(kind, field, name, unit, help) \
	{name, unit, help, STAT_##kind, offsetof(STAT_OWNER, field)},

/* The number behind one row of a table; NULL when the row is of another
 * kind. */
const struct stat_count *stat_count_of(const struct stat_metric *m,
				       const void *owner);
const struct stat_gauge *stat_gauge_of(const struct stat_metric *m,
				       const void *owner);
const struct stat_hist *stat_hist_of(const struct stat_metric *m,
				     const void *owner);

/* Adds every metric of `from` to the one of `to`: the numbers of all workers
 * become one set. */
void stat_merge(const struct stat_metric *table, size_t n, void *to,
		const void *from);

#endif
