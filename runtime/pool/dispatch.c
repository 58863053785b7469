/* SPDX-License-Identifier: MIT
 *
 * Who gets which connection: decided once per loop turn, at its end, when
 * all that was asked for and all that became free during the turn is known.
 */
#include "pool_int.h"

#include <string.h>

static struct pool_job *
job_of(struct gate_waiter *w)
{
	return w != NULL ? CONTAINER_OF(w, struct pool_job, wait) : NULL;
}

/* Of the most recently used idle members the first in the wanted mode, else
 * the most recent one. */
static struct pool_member *
pick_idle(struct pool *p, enum pool_mode mode)
{
	struct pool_member *first = NULL;
	int looked = 0;

	LIST_EACH (link, &p->members[MEMBER_IDLE]) {
		struct pool_member *m = LIST_ENTRY(link, struct pool_member,
						   link);

		if (first == NULL)
			first = m;
		if (m->mode == mode)
			return m;
		if (++looked == 8)
			break;
	}
	return first;
}

/* How far a group looks for reads of a context that it has already. */
#define LOOK 128

static bool
same_context(const struct gate_waiter *w, const void *arg)
{
	const struct pool_job *job = CONTAINER_OF(w, struct pool_job, wait);
	const char *a = job->req->context, *b = arg;

	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Adds those that wait behind `head` and have its context, so that the server
 * is told of it once.  How many. */
static int
join_alike(struct pool *p, struct list *group, const struct pool_job *head,
	   int most)
{
	struct gate_walk walk = {.gate = &p->share,
				 .priority = head->wait.priority,
				 .left = LOOK,
				 .like = same_context,
				 .arg = head->req->context};
	struct pool_job *job;
	int n = 0;

	while (n < most && (job = job_of(gate_walk_take(&walk))) != NULL) {
		list_push_back(group, &job->req->link);
		n++;
	}
	return n;
}

/* Moves up to group_size waiting reads into `group`: always the one whose turn
 * it is, then those of its context.  Where every read has a context of its own
 * looking for more is given up. */
static int
fill_group(struct pool *p, struct list *group, int64_t now)
{
	int most = p->rules.group_size, n = 0, joined = 1;
	struct pool_job *job;

	list_init(group);
	while (n < most && (job = job_of(gate_pop(&p->share, now))) != NULL) {
		list_push_back(group, &job->req->link);
		n++;
		if (joined > 0)
			joined = join_alike(p, group, job, most - n);
		n += joined;
	}
	return n;
}

static void
send_group(struct pool *p, struct pool_member *m, int64_t now)
{
	struct list group;
	int n = fill_group(p, &group, now);

	if (m->state == MEMBER_IDLE) {
		member_enter(m, MEMBER_BUSY);
		member_set_mode(m, POOL_READ);
		m->lane = true;
		p->nlanes++;
	}
	m->groups++;
	m->uses++;
	p->stats.groups++;
	p->stats.statements += (uint64_t)n;
	p->granted_us = now;
	pgconn_send(m->conn, &group);
}

static void
send_solo(struct pool *p, struct pool_member *m, struct pool_job *job)
{
	member_enter(m, MEMBER_BUSY);
	member_set_mode(m, job->mode);
	m->uses++;
	p->stats.groups++;
	p->stats.statements++;
	pool_member_send(m, job->req);
}

static void
grant(struct pool *p, struct pool_member *m, struct pool_job *job, int64_t now)
{
	size_t i = 0;

	p->granted_us = now;
	if (job->want == POOL_SOLO) {
		send_solo(p, m, job);
		return;
	}
	for (;
	     job->site != NULL && job->site[i] != 0 && i < sizeof(m->site) - 1;
	     i++)
		m->site[i] = job->site[i];
	m->site[i] = 0;
	m->uses++;
	member_enter(m, MEMBER_LEASED);
	member_set_mode(m, job->mode);
	job->granted(job, m);
}

/* The lane a waiter counts for, by its age: as gate sees it. */
static int64_t
lane(const struct pool *p, const struct gate_waiter *w, int64_t now)
{
	int64_t up = p->rules.age_ms > 0
			     ? (now - w->enqueued_us) / (p->rules.age_ms * 1000)
			     : 0;

	return up >= w->priority ? 0 : w->priority - up;
}

/* Which queue is served next: the better priority, then the older. */
static bool
share_first(struct pool *p, int64_t now)
{
	struct gate_waiter *a = gate_peek(&p->share, now);
	struct gate_waiter *b = gate_peek(&p->whole, now);

	if (a == NULL || b == NULL)
		return a != NULL;
	if (lane(p, a, now) != lane(p, b, now))
		return lane(p, a, now) < lane(p, b, now);
	return a->enqueued_us <= b->enqueued_us;
}

/* Groups at a lane: the one that runs, and the next. */
#define LANE_DEPTH 2

/* A lane that can take the next group behind the one it runs.  One that is to
 * be closed is left to empty. */
static struct pool_member *
pick_lane(struct pool *p)
{
	LIST_EACH (link, &p->members[MEMBER_BUSY]) {
		struct pool_member *m = LIST_ENTRY(link, struct pool_member,
						   link);

		if (m->lane && pgconn_state(m->conn) == PGCONN_READY &&
		    pgconn_inflight(m->conn) < LANE_DEPTH && !member_tired(m))
			return m;
	}
	return NULL;
}

/* Shared reads open no more lanes than pay.  When those are busy a group waits
 * behind another one only when it is full: what is not is sent, with company,
 * when a lane is free. */
static struct pool_member *
pick_for_share(struct pool *p)
{
	struct pool_member *m = NULL;

	if (p->nlanes < lanes_width(&p->lanes))
		m = pick_idle(p, POOL_READ);
	if (m == NULL && gate_count(&p->share) >= (size_t)p->rules.group_size)
		m = pick_lane(p);
	return m;
}

static bool
serve_one(struct pool *p, int64_t now)
{
	bool share = share_first(p, now);
	struct gate_waiter *w = gate_peek(share ? &p->share : &p->whole, now);
	struct pool_member *m;

	if (w == NULL)
		return false;
	m = share ? pick_for_share(p) : pick_idle(p, job_of(w)->mode);
	if (m == NULL)
		return false;
	if (share)
		send_group(p, m, now);
	else
		grant(p, m, job_of(gate_pop(&p->whole, now)), now);
	return true;
}

void
dispatch_solo(struct pool *p)
{
	int64_t now = loop_now_us(p->loop);
	struct gate_waiter *w = gate_peek(&p->whole, now);

	if (w != NULL && job_of(w)->want == POOL_SOLO && !share_first(p, now))
		(void)serve_one(p, now);
}

void
dispatch_run(struct pool *p)
{
	int64_t now = loop_now_us(p->loop);

	while (serve_one(p, now))
		;
	if (pool_waiting(p) > 0)
		keeper_grow(p);
	else
		keeper_give_way(p);
}
