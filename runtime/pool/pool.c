/* SPDX-License-Identifier: MIT */
#include "pool.h"

#include "pool_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mem.h"

static void
run_dispatch(struct loop_job *job)
{
	dispatch_run(CONTAINER_OF(job, struct pool, dispatch));
}

/* Refusals are told from the loop, never from inside the call. */
static void
run_tell(struct loop_job *job)
{
	struct pool *p = CONTAINER_OF(job, struct pool, tell);
	struct list *link;

	while ((link = list_first(&p->refused)) != NULL) {
		struct gate_waiter *w = LIST_ENTRY(link, struct gate_waiter,
						   link);
		struct pool_job *j = CONTAINER_OF(w, struct pool_job, wait);

		list_remove(link);
		j->refused(j, &j->err);
	}
}

void
pool_wake(struct pool *p)
{
	loop_defer(p->loop, LOOP_SEND, &p->dispatch);
}

/* The budget has changed. */
static void
look(void *arg)
{
	struct pool *p;

	OBJ_CAST(p, arg, POOL_MAGIC);
	pool_wake(p);
}

void
pool_refuse(struct pool *p, struct pool_job *job, const struct err *e)
{
	job->err = *e;
	list_push_back(&p->refused, &job->wait.link);
	loop_defer(p->loop, LOOP_TASKS, &p->tell);
}

void
pool_refuse_all(struct pool *p, const struct err *e)
{
	struct gate *gates[] = {&p->share, &p->whole};
	int64_t now = loop_now_us(p->loop);
	struct gate_waiter *w;

	for (int i = 0; i < 2; i++)
		while ((w = gate_pop(gates[i], now)) != NULL)
			pool_refuse(p, CONTAINER_OF(w, struct pool_job, wait),
				    e);
}

void
pool_tell(struct pool *p, enum pool_note n, const char *fmt, ...)
{
	char text[500];
	va_list ap;

	if (p->note == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	p->note(p->note_arg, n, text);
}

/* xorshift64*: spreading, not secrecy. */
uint64_t
pool_random(struct pool *p)
{
	p->seed ^= p->seed >> 12;
	p->seed ^= p->seed << 25;
	p->seed ^= p->seed >> 27;
	return (p->seed * 2685821657736338717ull) >> 8;
}

struct pool *
pool_new(const struct pool_base *base, const struct pool_rules *rules)
{
	struct pool *p = mem_new(sizeof(*p));

	assert(rules->max > 0 && rules->min >= 0 && rules->max_logins > 0);
	assert(rules->group_size > 0 && base->target->url != NULL);
	OBJ_INIT(p, POOL_MAGIC);
	p->loop = base->loop;
	p->crew = base->crew;
	p->resolve = resolve_new(p->loop, p->crew, RESOLVE_TTL_MS,
				 resolve_system);
	p->rules = *rules;
	p->target = *base->target;
	p->seed = ((uint64_t)loop_now_us(p->loop) ^ (uint64_t)(uintptr_t)p) | 1;
	for (int i = 0; i < MEMBER_STATES; i++)
		list_init(&p->members[i]);
	list_init(&p->refused);
	gate_init(&p->share, rules->queue_max, rules->age_ms);
	gate_init(&p->whole, rules->queue_max, rules->age_ms);
	lanes_init(&p->lanes, rules->max);
	loop_job_init(&p->dispatch, run_dispatch);
	loop_job_init(&p->tell, run_tell);
	p->granted_us = loop_now_us(p->loop);
	p->seat = budget_join(base->budget, p->loop, look, p);
	keeper_start(p);
	return p;
}

void
pool_on_note(struct pool *p,
	     void (*note)(void *arg, enum pool_note n, const char *text),
	     void *arg)
{
	OBJ_CHECK(p, POOL_MAGIC);
	p->note = note;
	p->note_arg = arg;
}

static void
refuse_full(struct pool *p, struct pool_job *job)
{
	struct err e;

	err_set(&e, LUNATE_EPOOL,
		"the queue for connections is full (%u wait); ask for less at "
		"once or raise queue_limit",
		p->rules.queue_max);
	pool_refuse(p, job, &e);
}

void
pool_submit(struct pool *p, struct pool_job *job, enum gate_priority priority,
	    int64_t deadline_us)
{
	struct gate *g = job->want == POOL_SHARE ? &p->share : &p->whole;
	int64_t now = loop_now_us(p->loop);
	int64_t latest = now + p->rules.acquire_us;

	OBJ_CHECK(p, POOL_MAGIC);
	assert(job->want == POOL_LEASE || job->req != NULL);
	if (deadline_us > 0 && deadline_us < latest)
		latest = deadline_us;
	gate_waiter_init(&job->wait, priority, latest);
	if (p->closed)
		pool_refuse(p, job, &p->close_err);
	else if (gate_push(g, &job->wait, now) < 0)
		refuse_full(p, job);
	else
		pool_wake(p);
}

void
pool_saw(struct pool *p, int64_t ran_us)
{
	OBJ_CHECK(p, POOL_MAGIC);
	lanes_saw(&p->lanes, loop_now_us(p->loop), ran_us);
}

bool
pool_withdraw(struct pool *p, struct pool_job *job)
{
	OBJ_CHECK(p, POOL_MAGIC);
	if (gate_waits(&job->wait)) {
		gate_remove(job->want == POOL_SHARE ? &p->share : &p->whole,
			    &job->wait);
		return true;
	}
	if (!list_linked(&job->wait.link))
		return false;
	list_remove(&job->wait.link); /* refused, not told yet */
	return true;
}

/* ---- leases ------------------------------------------------------------- */

void
pool_member_send(struct pool_member *m, struct pgreq *r)
{
	struct list one;

	OBJ_CHECK(m, POOL_MEMBER_MAGIC);
	list_init(&one);
	list_push_back(&one, &r->link);
	pgconn_send(m->conn, &one);
}

struct pgconn *
pool_member_conn(struct pool_member *m)
{
	OBJ_CHECK(m, POOL_MEMBER_MAGIC);
	return m->conn;
}

bool
pool_member_alive(const struct pool_member *m)
{
	OBJ_CHECK(m, POOL_MEMBER_MAGIC);
	return pgconn_state(m->conn) != PGCONN_DEAD;
}

static void
say_returned(struct pool *p, const struct pool_member *m)
{
	if (m->told)
		pool_tell(p, POOL_NOTE_RETURNED,
			  "the connection borrowed at %s came back after %.1f "
			  "s",
			  m->site,
			  (double)(loop_now_us(p->loop) - m->since_us) / 1e6);
}

void
pool_release(struct pool *p, struct pool_member **pm, bool dirty)
{
	struct pool_member *m;

	OBJ_CHECK(p, POOL_MAGIC);
	OBJ_TAKE(m, pm, POOL_MEMBER_MAGIC);
	assert(m->pool == p && m->state == MEMBER_LEASED);
	say_returned(p, m);
	m->dirty = dirty;
	if (pgconn_state(m->conn) == PGCONN_FENCED)
		member_enter(m, MEMBER_FENCED);
	else if (pgconn_state(m->conn) != PGCONN_READY ||
		 pgconn_err(m->conn)->code != 0 || /* its end is on its way */
		 pgconn_inflight(m->conn) > 0)
		member_close(m);
	else
		member_settle(m);
}

/* ---- figures ------------------------------------------------------------ */

void
pool_stats(const struct pool *p, struct pool_stats *out)
{
	OBJ_CHECK(p, POOL_MAGIC);
	*out = p->stats;
	out->cancels = p->cancels.cancels;
	out->cancel_hits = p->cancels.hits;
	out->total = pool_open(p);
	out->idle = p->count[MEMBER_IDLE];
	out->logins = p->count[MEMBER_LOGIN];
	out->leased = p->count[MEMBER_LEASED];
	out->fenced = p->count[MEMBER_FENCED];
	out->active = out->total - out->idle - out->logins;
	out->waiting = (int)pool_waiting(p);
}

/* For pool_seen(). */
void
pool_publish(struct pool *p)
{
	struct pool_stats s;

	pool_stats(p, &s);
#define PUBLISH(name) __atomic_store_n(&p->seen.name, s.name, __ATOMIC_RELAXED);
	POOL_GAUGES(PUBLISH)
	POOL_COUNTS(PUBLISH)
#undef PUBLISH
}

void
pool_seen(const struct pool *p, struct pool_stats *out)
{
	OBJ_CHECK(p, POOL_MAGIC);
#define SEE(name) out->name = __atomic_load_n(&p->seen.name, __ATOMIC_RELAXED);
	POOL_GAUGES(SEE)
	POOL_COUNTS(SEE)
#undef SEE
}

void
pool_stats_add(struct pool_stats *to, const struct pool_stats *from)
{
	int peak = to->peak > from->peak ? to->peak : from->peak;

#define ADD(name) to->name += from->name;
	POOL_GAUGES(ADD)
	POOL_COUNTS(ADD)
#undef ADD
	to->peak = peak;
}

/* The three leases held longest: the list is newest first. */
void
pool_describe(const struct pool *p, char *text, size_t size)
{
	int64_t now = loop_now_us(p->loop);
	struct pool_stats s;
	struct list *link;
	int n, k = 0;

	pool_stats(p, &s);
	n = snprintf(text, size, "total %d, active %d, idle %d, waiting %d",
		     s.total, s.active, s.idle, s.waiting);
	link = p->members[MEMBER_LEASED].prev;
	for (; link != &p->members[MEMBER_LEASED] && k < 3;
	     link = link->prev, k++) {
		const struct pool_member *m = LIST_ENTRY(
			link, struct pool_member, link);

		if (n < 0 || (size_t)n >= size)
			return;
		n += snprintf(text + n, size - (size_t)n, "%s%s for %.1f s",
			      k == 0 ? "; held longest: " : ", ",
			      m->site[0] != 0 ? m->site : "(unknown)",
			      (double)(now - m->since_us) / 1e6);
	}
}

void
pool_set_max(struct pool *p, int max)
{
	OBJ_CHECK(p, POOL_MAGIC);
	assert(max > 0);
	p->rules.max = max;
	lanes_limit(&p->lanes, max);
	if (p->rules.min > max)
		p->rules.min = max;
}

int
pool_max(const struct pool *p)
{
	OBJ_CHECK(p, POOL_MAGIC);
	return p->rules.max;
}

void
pool_forget(struct pool *p)
{
	OBJ_CHECK(p, POOL_MAGIC);
	for (int i = MEMBER_IDLE; i < MEMBER_STATES; i++)
		LIST_EACH (link, &p->members[i])
			pgconn_forget(LIST_ENTRY(link, struct pool_member, link)
					      ->conn);
}

/* ---- the end ------------------------------------------------------------ */

void
pool_close(struct pool *p, const struct err *why)
{
	OBJ_CHECK(p, POOL_MAGIC);
	if (p->closed)
		return;
	p->closed = true;
	p->close_err = *why;
	pool_refuse_all(p, why);
	budget_need(p->seat, BUDGET_CONTENT);
	LIST_EACH_SAFE (link, &p->members[MEMBER_IDLE])
		member_close(LIST_ENTRY(link, struct pool_member, link));
	LIST_EACH_SAFE (link2, &p->members[MEMBER_LOGIN])
		member_close(LIST_ENTRY(link2, struct pool_member, link));
}

bool
pool_quiet(const struct pool *p)
{
	OBJ_CHECK(p, POOL_MAGIC);
	return p->count[MEMBER_BUSY] == 0 && p->count[MEMBER_LEASED] == 0 &&
	       p->count[MEMBER_FENCED] == 0 && pool_waiting(p) == 0 &&
	       list_empty(&p->refused);
}

void
pool_free(struct pool **pp)
{
	struct pool *p;

	OBJ_TAKE(p, pp, POOL_MAGIC);
	assert(p->closed && pool_waiting(p) == 0);
	p->note = NULL;
	run_tell(&p->tell);
	keeper_stop(p);
	for (int i = 0; i < MEMBER_STATES; i++)
		LIST_EACH_SAFE (link, &p->members[i])
			member_close(
				LIST_ENTRY(link, struct pool_member, link));
	budget_leave(&p->seat);
	loop_undefer(&p->dispatch);
	loop_undefer(&p->tell);
	resolve_free(&p->resolve);
	OBJ_FINI(p);
	mem_free(p);
}

void
pool_verify(const struct pool *p)
{
	int nlanes = 0;

	OBJ_CHECK(p, POOL_MAGIC);
	LIST_EACH (link, &p->members[MEMBER_BUSY])
		nlanes += LIST_ENTRY(link, struct pool_member, link)->lane;
	assert(nlanes == p->nlanes);
	for (int i = 0; i < MEMBER_STATES; i++) {
		assert(list_count(&p->members[i]) == (size_t)p->count[i]);
		LIST_EACH (link, &p->members[i]) {
			const struct pool_member *m = LIST_ENTRY(
				link, struct pool_member, link);

			assert(m->state == (enum member_state)i);
			if (i == MEMBER_IDLE)
				assert(pgconn_inflight(m->conn) == 0 &&
				       !pgconn_in_tx(m->conn));
		}
	}
	assert(p->count[MEMBER_LOGIN] <= p->rules.max_logins);
	gate_verify(&p->share);
	gate_verify(&p->whole);
}
