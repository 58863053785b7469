/* SPDX-License-Identifier: MIT */
#include "metrics.h"

#include <stddef.h>

#include "events.h"
#include "op.h"
#include "refusal.h"
#include "runtime.h"

/* ---- a rate ------------------------------------------------------------- */

static uint64_t
second_of(int64_t now_us)
{
	return (uint64_t)(now_us / 1000000) & 0xffffffffu;
}

/* A slot of an earlier second is taken over by whoever comes first. */
void
rate_add(struct rate *r, int64_t now_us)
{
	uint64_t second = second_of(now_us);
	uint64_t *slot = &r->slots[second % RATE_SLOTS];
	uint64_t old = __atomic_load_n(slot, __ATOMIC_RELAXED), new;

	do {
		new = old >> 32 == second ? old + 1 : (second << 32) + 1;
	} while (!__atomic_compare_exchange_n(
		slot, &old, new, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}

double
rate_per_second(const struct rate *r, int64_t now_us)
{
	uint64_t now = second_of(now_us), n = 0;

	for (int i = 0; i < RATE_SLOTS; i++) {
		uint64_t slot = __atomic_load_n(&r->slots[i], __ATOMIC_RELAXED);
		uint64_t age = now - (slot >> 32);

		if (age >= 1 && age <= RATE_WINDOW)
			n += slot & 0xffffffffu;
	}
	return (double)n / RATE_WINDOW;
}

/* ---- counting ----------------------------------------------------------- */

/* The wait is that of the first attempt, and of operations that asked the
 * pool: inside a transaction the connection is there already. */
static void
count_wait(struct counts *n, const struct op *op)
{
	int64_t until = op->req.sent_us;

	if (op->job.refused == NULL || op->attempts > 1)
		return;
	if (until == 0)
		until = op->began_us + op->took_us;
	stat_hist_add(&n->wait_time, until - op->began_us);
}

void
metrics_count(struct runtime *rt, const struct op *op)
{
	struct counts *n = &rt->counts;

	stat_add(&n->queries, 1);
	rate_add(&n->rate, op->began_us + op->took_us);
	stat_hist_add(&n->query_time, op->took_us);
	count_wait(n, op);
	if (op->err.code == LUNATE_EDENIED &&
	    refusal_of(&op->err) != REFUSALS_N)
		stat_add(&n->refused, 1);
	if (op->err.code != 0)
		stat_add(&n->failed, 1);
	else if (op->rows != NULL)
		stat_add(&n->rows, rows_count(op->rows));
	if (op->req.sent_us == 0)
		return; /* it never ran: not a slow statement */
	if (op->took_us > rt->config.slow_query_threshold * 1000)
		stat_add(&n->slow, 1);
	if (op->took_us > rt->config.critical_query_threshold * 1000)
		stat_add(&n->critical, 1);
}

/* ---- reading ------------------------------------------------------------ */

static void
read_pool(struct worker *w, struct metrics *m)
{
	const struct pool_budget *b = &w->rt->budget;
	struct pool_stats s;

	runtime_pools(w, &s);
	m->total = s.total;
	m->active = s.active;
	m->idle = s.idle;
	m->waiting = s.waiting;
	m->max = __atomic_load_n(&b->max, __ATOMIC_RELAXED);
	m->peak = s.peak;
	m->utilization = s.active / m->max;
	m->logins = s.logins;
	m->leased = s.leased;
	m->fenced = s.fenced;
	m->opened = (double)s.opened;
	m->closed = (double)s.closed;
	m->lost = (double)s.lost;
	m->login_failures = (double)s.login_failures;
	m->groups = (double)s.groups;
	m->statements = (double)s.statements;
	m->requeued = (double)s.requeued;
	m->cancels = (double)s.cancels;
	m->cancel_hits = (double)s.cancel_hits;
	m->timeouts = (double)s.timeouts;
}

static double
percentile_ms(const struct stat_hist *h, double p)
{
	return (double)stat_hist_percentile(h, p) / 1e3;
}

static void
read_counts(const struct counts *n, int64_t now_us, struct metrics *m)
{
	m->total_queries = (double)stat_read(&n->queries);
	m->errors = (double)stat_read(&n->failed);
	m->slow_queries = (double)stat_read(&n->slow);
	m->critical_queries = (double)stat_read(&n->critical);
	m->rows = (double)stat_read(&n->rows);
	m->refused = (double)stat_read(&n->refused);
	m->policy_failures = (double)stat_read(&n->policy_failures);
	m->queries_per_second = rate_per_second(&n->rate, now_us);
	m->average_query_time = stat_hist_mean(&n->query_time) / 1e3;
	m->p50_query_time = percentile_ms(&n->query_time, 0.5);
	m->p95_query_time = percentile_ms(&n->query_time, 0.95);
	m->p99_query_time = percentile_ms(&n->query_time, 0.99);
	m->max_query_time = (double)stat_hist_most(&n->query_time) / 1e3;
	m->average_wait_time = stat_hist_mean(&n->wait_time) / 1e3;
	m->p95_wait_time = percentile_ms(&n->wait_time, 0.95);
	m->p99_wait_time = percentile_ms(&n->wait_time, 0.99);
}

static uint64_t
generation(struct runtime *rt)
{
	struct rules *r = rules_pin(&rt->rules);
	uint64_t id = r->id;

	rules_unpin(&r);
	return id;
}

void
metrics_read(struct worker *w, struct metrics *out)
{
	struct runtime *rt = w->rt;
	int64_t now_us;

	OBJ_CHECK(w, WORKER_MAGIC);
	loop_refresh(w->loop);
	now_us = loop_now_us(w->loop);
	*out = (struct metrics){0};
	read_pool(w, out);
	read_counts(&rt->counts, now_us, out);
	out->policy_generation = (double)generation(rt);
	out->events = (double)events_raised(rt->events);
	out->events_lost = (double)events_lost(rt->events);
	out->uptime = (double)(now_us - rt->opened_us) / 1e6;
}

const struct metrics_info *
metrics_row(int i, const struct metrics *m, double *value)
{
#define METRICS_ROW(field, unit, help) {#field, unit, help},
	static const struct metrics_info rows[] = {METRICS(METRICS_ROW)};
#define METRICS_AT(field, unit, help) offsetof(struct metrics, field),
	static const size_t at[] = {METRICS(METRICS_AT)};

	if (i < 0 || (size_t)i >= sizeof(rows) / sizeof(*rows))
		return NULL;
	*value = *(const double *)((const char *)m + at[i]);
	return &rows[i];
}
