/* SPDX-License-Identifier: MIT */
#include "health.h"

#include <stdio.h>
#include <string.h>

#include "mem.h"
#include "op.h"
#include "runtime.h"

struct health {
	unsigned magic;
#define HEALTH_MAGIC 0x4ea17401
	struct worker *w;
	struct op op;
	bool checking;
	struct list waits;
	struct health_report report;
	int64_t checked_us;   /* loop time; 0 = never */
	uint64_t count, time; /* of operations, at the check before */
};

struct health *
health_new(struct worker *w)
{
	struct health *h = mem_new(sizeof(*h));

	OBJ_INIT(h, HEALTH_MAGIC);
	h->w = w;
	list_init(&h->waits);
	return h;
}

const struct health_report *
health_last(const struct health *h)
{
	OBJ_CHECK(h, HEALTH_MAGIC);
	return h->checked_us != 0 ? &h->report : NULL;
}

const struct health_report *
health_latest(const struct health *h)
{
	OBJ_CHECK(h, HEALTH_MAGIC);
	if (h->checked_us == 0 ||
	    loop_now_us(h->w->loop) - h->checked_us >= HEALTH_FRESH_US)
		return NULL;
	return &h->report;
}

static void
add_error(struct health_report *r, const char *text)
{
	if (r->nerrors < HEALTH_ERRORS)
		snprintf(r->errors[r->nerrors++], sizeof(r->errors[0]), "%s",
			 text);
}

/* The mean of what ended since the last time, in microseconds; the check's
 * own time when nothing did. */
static double
mean_since(struct health *h, int64_t check_us)
{
	const struct stat_hist *times = &h->w->rt->counts.query_time;
	uint64_t count = stat_hist_count(times), time = stat_hist_sum(times);
	uint64_t n = count - h->count, sum = time - h->time;

	h->count = count;
	h->time = time;
	return n > 0 ? (double)sum / (double)n : (double)check_us;
}

static void
fill_well(struct health *h, int64_t took_us, struct health_report *r)
{
	double mean = mean_since(h, took_us);
	struct pool_stats s;

	runtime_pools(h->w, &s);
	r->connection_count = s.total;
	r->active_queries = runtime_operations(h->w->rt); /* not this one */
	r->avg_response_ms = mean / 1e3;
	r->is_healthy = mean < HEALTH_SLOW_US;
	if (!r->is_healthy)
		add_error(r, "operations take more than 5 s on average");
}

static void
raise_change(struct health *h, bool was_healthy)
{
	enum event_type type = h->report.is_healthy ? EVENT_HEALTH_RESTORED
						    : EVENT_HEALTH_DEGRADED;
	struct events *ev = h->w->rt->events;
	struct event_news news = {.type = type,
				  .wall_us = h->report.checked_wall_us};
	json_t *errors;

	if (h->report.is_healthy == was_healthy || !events_wanted(ev, type))
		return;
	errors = json_array();
	for (int i = 0; i < h->report.nerrors; i++)
		json_array_append_new(errors, event_text(h->report.errors[i]));
	news.payload = json_pack("{sb si sf so}", "isHealthy",
				 h->report.is_healthy, "connectionCount",
				 h->report.connection_count, "avgResponseTime",
				 h->report.avg_response_ms, "errors", errors);
	events_raise(ev, &news);
}

static void
tell(struct health *h)
{
	struct list ready, *link;

	list_init(&ready);
	list_splice_back(&ready, &h->waits);
	while ((link = list_first(&ready)) != NULL) {
		struct health_wait *w = LIST_ENTRY(link, struct health_wait,
						   link);

		list_remove(link);
		w->done(w, &h->report);
	}
}

static void
on_done(struct op *op)
{
	struct health *h = CONTAINER_OF(op, struct health, op);
	bool was_healthy = h->checked_us == 0 || h->report.is_healthy;
	struct health_report *r = &h->report;

	OBJ_CHECK(h, HEALTH_MAGIC);
	*r = (struct health_report){.avg_response_ms = -1};
	h->checked_us = loop_now_us(h->w->loop);
	r->checked_wall_us = loop_wall_us(h->w->loop);
	if (op->err.code == 0)
		fill_well(h, op->took_us, r);
	else
		add_error(r, op->err.text);
	h->checking = false;
	op_fini(op);
	raise_change(h, was_healthy);
	tell(h);
}

static void
check(struct health *h)
{
	static const char sql[] = "SELECT 1";
	struct op *op = &h->op;

	h->checking = true;
	loop_refresh(h->w->loop);
	memset(op, 0, sizeof(*op));
	op_init(op, h->w);
	op->sql = sql;
	op->len = sizeof(sql) - 1;
	op->flags = OP_PROBE;
	op->cls = RULES_READ;
	op->priority = GATE_CRITICAL;
	op->cls_given = op->priority_given = true;
	op->deadline_us = loop_now_us(h->w->loop) + HEALTH_BUDGET_US;
	op->done = on_done;
	op_start(op);
}

void
health_ask(struct health *h, struct health_wait *w,
	   void (*done)(struct health_wait *w, const struct health_report *r))
{
	OBJ_CHECK(h, HEALTH_MAGIC);
	w->done = done;
	list_init(&w->link);
	list_push_back(&h->waits, &w->link);
	if (!h->checking)
		check(h);
}

void
health_unask(struct health_wait *w)
{
	list_remove(&w->link);
}

void
health_free(struct health **ph)
{
	struct health *h;

	OBJ_TAKE(h, ph, HEALTH_MAGIC);
	assert(!h->checking && list_empty(&h->waits));
	OBJ_FINI(h);
	mem_free(h);
}
