/* SPDX-License-Identifier: MIT */
#include "stat.h"

#include <stdbool.h>

#define EXACT 4 /* log2(STAT_SUB): below 2^EXACT a value is its bucket */

static size_t
bucket_of(int64_t value)
{
	int top;

	if (value < STAT_SUB)
		return value < 0 ? 0 : (size_t)value;
	if (value > STAT_MOST)
		return STAT_BUCKETS - 1;
	top = 63 - __builtin_clzll((unsigned long long)value);
	return (size_t)(top - EXACT) * STAT_SUB +
	       (size_t)(value >> (top - EXACT));
}

/* First value of a bucket; that of the one behind the last is STAT_MOST+1. */
static int64_t
first_of(size_t bucket)
{
	size_t octave = bucket / STAT_SUB;

	if (octave <= 1)
		return (int64_t)bucket;
	return (int64_t)(STAT_SUB + bucket % STAT_SUB) << (octave - 1);
}

static uint64_t
load(const uint64_t *n)
{
	return __atomic_load_n(n, __ATOMIC_RELAXED);
}

static void
raise_most(struct stat_hist *h, int64_t value)
{
	int64_t old = __atomic_load_n(&h->most, __ATOMIC_RELAXED);

	while (old < value &&
	       !__atomic_compare_exchange_n(&h->most, &old, value, true,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

void
stat_hist_add(struct stat_hist *h, int64_t value)
{
	if (value < 0)
		value = 0;
	__atomic_fetch_add(&h->buckets[bucket_of(value)], 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&h->sum, (uint64_t)value, __ATOMIC_RELAXED);
	raise_most(h, value);
}

uint64_t
stat_hist_count(const struct stat_hist *h)
{
	uint64_t n = 0;

	for (size_t i = 0; i < STAT_BUCKETS; i++)
		n += load(&h->buckets[i]);
	return n;
}

uint64_t
stat_hist_sum(const struct stat_hist *h)
{
	return load(&h->sum);
}

double
stat_hist_mean(const struct stat_hist *h)
{
	uint64_t n = stat_hist_count(h);

	return n != 0 ? (double)stat_hist_sum(h) / (double)n : 0;
}

int64_t
stat_hist_most(const struct stat_hist *h)
{
	return __atomic_load_n(&h->most, __ATOMIC_RELAXED);
}

int64_t
stat_hist_percentile(const struct stat_hist *h, double p)
{
	uint64_t count = stat_hist_count(h), rank, seen = 0;
	int64_t most = stat_hist_most(h), middle;
	size_t i;

	assert(p >= 0 && p <= 1);
	if (count == 0)
		return 0;
	rank = (uint64_t)(p * (double)count);
	if ((double)rank < p * (double)count || rank == 0)
		rank++;
	/* Buckets only grow, so `rank` is reached even while others add. */
	for (i = 0; i < STAT_BUCKETS - 1; i++) {
		seen += load(&h->buckets[i]);
		if (seen >= rank)
			break;
	}
	middle = first_of(i) + (first_of(i + 1) - 1 - first_of(i)) / 2;
	return middle < most && i < STAT_BUCKETS - 1 ? middle : most;
}

uint64_t
stat_hist_up_to(const struct stat_hist *h, int64_t value)
{
	uint64_t n = 0;

	if (value >= stat_hist_most(h))
		return stat_hist_count(h);
	for (size_t i = 0; i < STAT_BUCKETS - 1; i++) {
		if (first_of(i + 1) - 1 > value)
			break;
		n += load(&h->buckets[i]);
	}
	return n;
}

void
stat_hist_merge(struct stat_hist *to, const struct stat_hist *from)
{
	for (size_t i = 0; i < STAT_BUCKETS; i++)
		__atomic_fetch_add(&to->buckets[i], load(&from->buckets[i]),
				   __ATOMIC_RELAXED);
	__atomic_fetch_add(&to->sum, load(&from->sum), __ATOMIC_RELAXED);
	raise_most(to, stat_hist_most(from));
}

static const void *
find(const struct stat_metric *m, const void *owner, enum stat_kind kind)
{
	return m->kind == kind ? (const char *)owner + m->offset : NULL;
}

const struct stat_count *
stat_count_of(const struct stat_metric *m, const void *owner)
{
	return find(m, owner, STAT_COUNT);
}

const struct stat_gauge *
stat_gauge_of(const struct stat_metric *m, const void *owner)
{
	return find(m, owner, STAT_GAUGE);
}

const struct stat_hist *
stat_hist_of(const struct stat_metric *m, const void *owner)
{
	return find(m, owner, STAT_HIST);
}

static void
merge_one(const struct stat_metric *m, void *to, const void *from)
{
	void *at = (char *)to + m->offset;

	switch (m->kind) {
	case STAT_COUNT:
		stat_add(at, stat_read(stat_count_of(m, from)));
		return;
	case STAT_GAUGE:
		stat_gauge_add(at, stat_gauge_read(stat_gauge_of(m, from)));
		return;
	case STAT_HIST:
		stat_hist_merge(at, stat_hist_of(m, from));
		return;
	}
}

void
stat_merge(const struct stat_metric *table, size_t n, void *to,
	   const void *from)
{
	for (size_t i = 0; i < n; i++)
		merge_one(&table[i], to, from);
}
