/* SPDX-License-Identifier: MIT */
#include "notes.h"

#include <string.h>

#include <xxhash.h>

#include "barrier.h"
#include "closed.h"
#include "events.h"
#include "limits.h"
#include "op.h"
#include "redact.h"
#include "refusal.h"
#include "runtime.h"
#include "vocab.h"

#define SQL_IN_LOG 200
#define SQL_IN_EVENT 300
#define TOLD_US 10000000

/* The payload is taken. */
static void
raise_event(struct worker *w, enum event_type type, const char *trace,
	    json_t *payload)
{
	struct event_news news = {.type = type,
				  .wall_us = loop_wall_us(w->loop),
				  .trace = trace,
				  .payload = payload};

	assert(payload != NULL);
	events_raise(w->rt->events, &news);
}

/* ---- the pool ----------------------------------------------------------- */

static double
utilization(const struct worker *w, const struct pool_stats *s)
{
	return (double)s->active / pool_max(w->pool);
}

static void
raise_pool(struct worker *w, enum event_type type, const char *text)
{
	struct pool_stats s;

	if (!events_wanted(w->rt->events, type))
		return;
	pool_stats(w->pool, &s);
	raise_event(w, type, NULL,
		    json_pack("{sf si si si si si so}", "utilizationRate",
			      utilization(w, &s), "activeConnections", s.active,
			      "idleConnections", s.idle, "totalConnections",
			      s.total, "maxConnections", pool_max(w->pool),
			      "queueLength", s.waiting, "message",
			      event_text(text)));
}

/* What is busy in a pool of a few is no news. */
#define BIG_POOL 10

void
notes_pool(void *arg, enum pool_note n, const char *text)
{
	struct worker *w;
	struct log *lg;

	OBJ_CAST(w, arg, WORKER_MAGIC);
	lg = &w->rt->log;
	switch (n) {
	case POOL_NOTE_CONNECTED:
		log_debug(lg, "pool", "connected", LOG_STR("what", text));
		barrier_doubt(w->barrier);
		limits_look(w->limits);
		return;
	case POOL_NOTE_RETURNED:
		log_info(lg, "pool", "leak returned", LOG_STR("what", text));
		return;
	case POOL_NOTE_NEAR_EXHAUSTION:
		log_warn(lg, "pool", "Connection pool near exhaustion",
			 LOG_STR("state", text));
		raise_pool(w, EVENT_NEAR_EXHAUSTION, text);
		return;
	case POOL_NOTE_HIGH_UTILIZATION:
		log_at(lg,
		       pool_max(w->pool) < BIG_POOL ? LOG_AT_DEBUG
						    : LOG_AT_WARN,
		       "pool", "high utilization", LOG_STR("state", text));
		raise_pool(w, EVENT_HIGH_UTILIZATION, text);
		return;
	case POOL_NOTE_LARGE_QUEUE:
		log_warn(lg, "pool", "large queue", LOG_STR("what", text));
		raise_pool(w, EVENT_LARGE_QUEUE, text);
		return;
	case POOL_NOTE_LEAK:
		log_warn(lg, "pool", "connection leak", LOG_STR("what", text));
		raise_pool(w, EVENT_CONNECTION_LEAK, text);
		return;
	case POOL_NOTE_LOST:
		barrier_lost(w->barrier);
		log_warn(lg, "pool", "connection lost", LOG_STR("why", text));
		raise_pool(w, EVENT_CONNECTION_LOST, text);
		return;
	case POOL_NOTE_LOGIN_FAILED:
		log_warn(lg, "pool", "login failed", LOG_STR("why", text));
		raise_pool(w, EVENT_CONNECTION_FAILED, text);
		return;
	}
}

/* ---- operations --------------------------------------------------------- */

/* The trace the operation belongs to, taken from its context; json_decref the
 * result. */
static json_t *
trace_of(const struct op *op)
{
	return op->context != NULL && op->context->trace != NULL
		       ? json_string(op->context->trace)
		       : NULL;
}

static void
raise_op(struct worker *w, enum event_type type, const struct op *op,
	 json_t *payload)
{
	json_t *trace = trace_of(op);

	raise_event(w, type, json_string_value(trace), payload);
	json_decref(trace);
}

static json_t *
sql_text(const struct op *op)
{
	struct str s;
	json_t *j;

	str_init(&s);
	redact_sql(&s, op->sql, op->len, SQL_IN_EVENT);
	j = event_text(s.at);
	str_fini(&s);
	return j;
}

static double
waited_ms(const struct op *op)
{
	if (op->job.refused == NULL || op->attempts > 1)
		return 0;
	return (double)(op->req.sent_us - op->began_us) / 1e3;
}

/* Of the rules it obeyed; 0: it ended before it had any. */
static json_int_t
generation_of(const struct op *op)
{
	return op->rules != NULL ? (json_int_t)op->rules->id : 0;
}

static void
log_slow(struct worker *w, const struct op *op, int64_t threshold_ms)
{
	struct pool_stats s;
	struct str sql;

	if (!log_wants(&w->rt->log, LOG_AT_WARN))
		return;
	pool_stats(w->pool, &s);
	str_init(&sql);
	redact_sql(&sql, op->sql, op->len, SQL_IN_LOG);
	log_warn(&w->rt->log, "query", "slow query",
		 LOG_INT("ms", op->took_us / 1000),
		 LOG_INT("waited_ms", (int64_t)waited_ms(op)),
		 LOG_INT("threshold_ms", threshold_ms), LOG_STR("sql", sql.at),
		 LOG_INT("generation", generation_of(op)),
		 LOG_INT("active", s.active), LOG_INT("total", s.total),
		 LOG_INT("waiting", s.waiting));
	str_fini(&sql);
}

static void
raise_slow(struct worker *w, const struct op *op, enum event_type type,
	   int64_t threshold_ms)
{
	struct pool_stats s;

	if (!events_wanted(w->rt->events, type))
		return;
	pool_stats(w->pool, &s);
	raise_op(w, type, op,
		 json_pack("{sf sf so sI sf si si sI}", "queryTime",
			   (double)op->took_us / 1e3, "waitTime", waited_ms(op),
			   "query", sql_text(op), "threshold",
			   (json_int_t)threshold_ms, "poolUtilization",
			   utilization(w, &s), "activeConnections", s.active,
			   "queueLength", s.waiting, "generation",
			   generation_of(op)));
}

/* A statement above both thresholds is told once, as the worse. */
static void
note_slow(struct worker *w, const struct op *op)
{
	const struct config *c = &w->rt->config;
	bool critical = op->took_us > c->critical_query_threshold * 1000;
	int64_t threshold = critical ? c->critical_query_threshold
				     : c->slow_query_threshold;

	if (op->req.sent_us == 0 || op->took_us <= threshold * 1000)
		return;
	log_slow(w, op, threshold);
	raise_slow(w, op, critical ? EVENT_QUERY_CRITICAL : EVENT_QUERY_SLOW,
		   threshold);
}

static void
raise_error(struct worker *w, const struct op *op)
{
	static const char *const classes[RULES_CLASSES] = {"read", "write",
							   "critical"};

	if (!events_wanted(w->rt->events, EVENT_ERROR))
		return;
	raise_op(w, EVENT_ERROR, op,
		 json_pack("{s{so ss ss} so s{ss si sb sf sI}}", "error",
			   "message", event_text(op->err.text), "code",
			   op->err.sqlstate, "name", err_word(op->err.code),
			   "operation", sql_text(op), "context", "class",
			   classes[op->cls], "attempts", op->attempts,
			   "transaction", op->tx != NULL, "queryTime",
			   (double)op->took_us / 1e3, "generation",
			   generation_of(op)));
}

/* All who wait learn of it at about the same time: told once in a while. */
static void
raise_exhausted(struct worker *w, const struct op *op)
{
	int64_t now = loop_now_us(w->loop);

	if (w->exhausted_told_us != 0 && now - w->exhausted_told_us < TOLD_US)
		return;
	w->exhausted_told_us = now;
	raise_pool(w, EVENT_EXHAUSTED, op->err.text);
}

/* Who is refused is told why; who keeps the rules learns of it here. */
static void
log_refused(struct worker *w, const struct op *op)
{
	enum refusal why = refusal_of(&op->err);
	struct str sql;

	if (op->err.code != LUNATE_EDENIED || why == REFUSALS_N ||
	    !log_wants(&w->rt->log, LOG_AT_INFO))
		return;
	str_init(&sql);
	redact_sql(&sql, op->sql, op->len, SQL_IN_LOG);
	log_info(&w->rt->log, "policy", "statement refused",
		 LOG_STR("why", refusal_word(why)),
		 LOG_INT("generation", generation_of(op)),
		 LOG_STR("sql", sql.at));
	str_fini(&sql);
}

void
notes_access_fault(struct worker *w, const char *text)
{
	int64_t now = loop_now_us(w->loop);
	uint64_t hash = XXH3_64bits(text, strlen(text));

	if (w->fault_told == hash && now - w->fault_told_us < TOLD_US)
		return;
	w->fault_told = hash;
	w->fault_told_us = now;
	log_error(&w->rt->log, "guard",
		  "a rule of access.lua is at fault and counts as void",
		  LOG_STR("why", text));
	if (events_wanted(w->rt->events, EVENT_ACCESS_FAULT))
		raise_event(w, EVENT_ACCESS_FAULT, NULL,
			    json_pack("{so}", "message", event_text(text)));
}

void
notes_break_glass(struct worker *w, const struct op *op, const char *opening)
{
	const struct context *c = op->context;
	const struct log_value values[] = {
		LOG_STR("rule", c->glass->rule), LOG_STR("user", c->user),
		LOG_STR("tenant", c->tenants[0].id),
		LOG_INT("generation", (int64_t)op->rules->id),
		LOG_STR("opening", opening)};
	struct log_site site = {0};

	if (log_wants(&w->rt->log, LOG_AT_WARN))
		log_put(&w->rt->log, &site,
			&(struct log_event){LOG_AT_WARN, "guard", "break glass",
					    values, 5});
	if (events_wanted(w->rt->events, EVENT_ACCESS_BREAK_GLASS))
		raise_op(w, EVENT_ACCESS_BREAK_GLASS, op,
			 json_pack("{so so so sI ss}", "rule",
				   event_text(c->glass->rule), "user",
				   event_text(c->user), "tenant",
				   event_text(c->tenants[0].id), "generation",
				   (json_int_t)op->rules->id, "opening",
				   opening));
}

void
notes_op(struct worker *w, const struct op *op)
{
	note_slow(w, op);
	log_refused(w, op);
	if (op->err.code == 0 || op->err.code == LUNATE_ECANCELLED)
		return;
	raise_error(w, op);
	if (op->err.code == LUNATE_EPOOL)
		raise_exhausted(w, op);
}

/* ---- policies ----------------------------------------------------------- */

void
notes_failed(struct worker *w, const struct notes_failure *f)
{
	const char *file = vocab_files[f->file].name;

	log_warn(&w->rt->log, "policy", "a function of a policy file failed",
		 LOG_STR("file", file),
		 LOG_INT("generation", (int64_t)f->generation),
		 LOG_INT("us", f->took_us), LOG_STR("why", f->why->text));
	if (!events_wanted(w->rt->events, EVENT_POLICY_FAILED))
		return;
	raise_event(w, EVENT_POLICY_FAILED, NULL,
		    json_pack("{sI ss sf so}", "generation",
			      (json_int_t)f->generation, "file", file, "took",
			      (double)f->took_us / 1e3, "message",
			      event_text(f->why->text)));
}

/* ---- isolation ---------------------------------------------------------- */

static void
log_closed(struct worker *w, uint64_t generation, const struct closed *c)
{
	const struct closed_table *first;
	unsigned n = closed_tables(c, &first);
	struct err e;

	if (n == 0) {
		log_info(&w->rt->log, "policy", "all tables are open",
			 LOG_INT("generation", (int64_t)generation));
		return;
	}
	(void)closed_refuse(first, &e);
	log_error(&w->rt->log, "policy",
		  "tables are closed by what the database holds",
		  LOG_INT("generation", (int64_t)generation),
		  LOG_INT("tables", n), LOG_STR("first", e.text));
}

/* True: *before is what was told until now, to be unpinned, or NULL. */
static bool
exchange(struct runtime *rt, struct closed *now, struct closed **before)
{
	const struct closed_table *list;
	bool changed;

	pthread_mutex_lock(&rt->lock);
	*before = rt->closed;
	changed = *before != NULL ? !closed_same(*before, now)
				  : closed_tables(now, &list) > 0;
	if (changed)
		rt->closed = closed_pin(now);
	pthread_mutex_unlock(&rt->lock);
	return changed;
}

void
notes_closed(struct worker *w, uint64_t generation, struct closed *closed)
{
	struct closed *before;

	if (!exchange(w->rt, closed, &before))
		return;
	log_closed(w, generation, closed);
	if (events_wanted(w->rt->events, EVENT_POLICY_DRIFT))
		raise_event(w, EVENT_POLICY_DRIFT, NULL,
			    json_pack("{sI so so}", "generation",
				      (json_int_t)generation, "closed",
				      closed_json(closed, before), "opened",
				      closed_json(before, closed)));
	if (before != NULL)
		closed_unpin(&before);
}

json_t *
notes_closed_json(struct runtime *rt)
{
	struct closed *c;
	json_t *all;

	pthread_mutex_lock(&rt->lock);
	c = rt->closed != NULL ? closed_pin(rt->closed) : NULL;
	pthread_mutex_unlock(&rt->lock);
	all = closed_json(c, NULL);
	if (c != NULL)
		closed_unpin(&c);
	return all;
}

void
notes_breach(struct worker *w, const struct op *op)
{
	struct str sql;

	str_init(&sql);
	redact_sql(&sql, op->sql, op->len, SQL_IN_LOG);
	log_error(&w->rt->log, "guard",
		  "a row of another tenant was withheld, and the connection "
		  "ended",
		  LOG_INT("generation", (int64_t)op->rules->id),
		  LOG_STR("sql", sql.at));
	str_fini(&sql);
	if (events_wanted(w->rt->events, EVENT_ISOLATION_BREACH))
		raise_op(w, EVENT_ISOLATION_BREACH, op,
			 json_pack("{sI so}", "generation",
				   (json_int_t)op->rules->id, "operation",
				   sql_text(op)));
}
