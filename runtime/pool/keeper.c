/* SPDX-License-Identifier: MIT
 *
 * What happens by the clock: growth, age, pings, leaks, overdue waiters.
 */
#include "pool_int.h"

#include <stdio.h>
#include <string.h>

#define HURRY_US 10000
#define REST_US 1000000
#define PING_US 5000000
#define TOLD_US 10000000

static bool
may_open(const struct pool *p)
{
	return !p->closed && p->count[MEMBER_LOGIN] < p->rules.max_logins &&
	       pool_open(p) < p->rules.max &&
	       loop_now_us(p->loop) >= p->next_login_us;
}

static bool
open_one(struct pool *p)
{
	if (!may_open(p) || !budget_take(p->seat))
		return false;
	member_open(p);
	return true;
}

/* How many more connections the waiters could use at once. */
static int
wanted(const struct pool *p)
{
	size_t group = (size_t)p->rules.group_size;
	size_t lanes = (gate_count(&p->share) + group - 1) / group;
	size_t free = (size_t)(lanes_width(&p->lanes) > p->nlanes
				       ? lanes_width(&p->lanes) - p->nlanes
				       : 0);
	size_t n = gate_count(&p->whole) + (lanes < free ? lanes : free);

	return (int)(n < 1000 ? n : 1000) - p->count[MEMBER_LOGIN];
}

/* Opening a connection pays only when the queue would not be gone before the
 * login is done: a spike is served by the connections that are there. */
static bool
worth_a_login(const struct pool *p, int64_t now)
{
	int ready = pool_open(p) - p->count[MEMBER_LOGIN];
	double work = p->hold_us * (double)pool_waiting(p);

	if (ready == 0)
		return true;
	if (work / ready > p->login_us)
		return true;
	return (double)(now - p->granted_us) > p->login_us;
}

/* Others are told only of a wish that nothing of our own stands in the way
 * of. */
void
keeper_grow(struct pool *p)
{
	enum budget_need need = BUDGET_CONTENT;
	int n = wanted(p);

	if (n > 0 && !worth_a_login(p, loop_now_us(p->loop)))
		n = 0;
	while (n > 0 && open_one(p))
		n--;
	if (n > 0 && may_open(p))
		need = budget_poor(p->seat, pool_open(p)) ? BUDGET_STARVES
							  : BUDGET_WANTS;
	budget_need(p->seat, need);
	keeper_hurry(p);
}

/* Nobody waits here: what was idle for longest goes to where somebody does. */
void
keeper_give_way(struct pool *p)
{
	struct list *idle = &p->members[MEMBER_IDLE];

	budget_need(p->seat, BUDGET_CONTENT);
	if (!list_empty(idle) && budget_wanted(p->seat))
		member_close(LIST_ENTRY(idle->prev, struct pool_member, link));
}

static int
own_min(const struct pool *p)
{
	return budget_part(p->seat, p->rules.min);
}

/* Not what others wait for. */
static void
keep_min(struct pool *p)
{
	while (pool_open(p) < own_min(p) && !budget_wanted(p->seat) &&
	       open_one(p))
		;
}

/* ---- waiters ------------------------------------------------------------ */

static void
exhausted(struct pool *p, struct err *e)
{
	char text[400];

	pool_describe(p, text, sizeof(text));
	err_set(e, LUNATE_EPOOL,
		"Connection pool exhausted: no connection became free within "
		"%.1f s (%s); raise DB_POOL_MAX, shorten what holds them, or "
		"raise DB_POOL_ACQUIRE_TIMEOUT",
		(double)p->rules.acquire_us / 1e6, text);
}

/* With no connection at all the wait was for a server, not for a turn. */
static void
why_late(struct pool *p, struct err *e)
{
	if (pool_open(p) > p->count[MEMBER_LOGIN] || p->login_err.code == 0) {
		exhausted(p, e);
		return;
	}
	*e = p->login_err;
	err_wrap(e, "connect to %s", p->target.name);
}

static void
expire(struct pool *p, struct gate *g, int64_t now)
{
	struct list overdue, *link;
	struct err e;

	list_init(&overdue);
	if (gate_expire(g, now, &overdue) == 0)
		return;
	why_late(p, &e);
	while ((link = list_first(&overdue)) != NULL) {
		list_remove(link);
		p->stats.timeouts++;
		pool_refuse(
			p,
			CONTAINER_OF(GATE_WAITER(link), struct pool_job, wait),
			&e);
	}
}

/* A login that can never succeed, or a server that was never there: waiting
 * on would only hide the reason. */
static void
give_up(struct pool *p)
{
	int code = p->login_err.code;
	bool fatal = code == LUNATE_EAUTH || code == LUNATE_EINVAL;
	struct err e;

	if (p->failures == 0 || pool_open(p) > 0 || pool_waiting(p) == 0)
		return;
	if (!fatal && (p->ever_connected || p->server_will_return ||
		       (size_t)p->failures < pgurl_endpoints(p->target.url)))
		return;
	e = p->login_err;
	err_wrap(&e, "connect to %s", p->target.name);
	pool_refuse_all(p, &e);
}

/* Has it been long enough since the last time?  Then it is now. */
static bool
due(int64_t *told_us, int64_t now)
{
	if (*told_us != 0 && now - *told_us <= TOLD_US)
		return false;
	*told_us = now;
	return true;
}

static void
warn(struct pool *p, int64_t now)
{
	int busy = pool_open(p) - p->count[MEMBER_IDLE] -
		   p->count[MEMBER_LOGIN];
	size_t waiting = pool_waiting(p);
	char text[300];

	if (waiting > 0 && busy * 100 > p->rules.max * 95 &&
	    due(&p->near_told_us, now)) {
		pool_describe(p, text, sizeof(text));
		pool_tell(p, POOL_NOTE_NEAR_EXHAUSTION,
			  "Connection pool near exhaustion: %s", text);
	}
	if (busy * 100 > p->rules.max * 80 && due(&p->high_told_us, now))
		pool_tell(p, POOL_NOTE_HIGH_UTILIZATION,
			  "%d of %d connections are in use", busy,
			  p->rules.max);
	if (waiting > 100 && due(&p->queue_told_us, now))
		pool_tell(p, POOL_NOTE_LARGE_QUEUE, "%zu wait for a connection",
			  waiting);
}

/* ---- members ------------------------------------------------------------ */

static void
look_at_idle(struct pool *p, int64_t now)
{
	LIST_EACH_SAFE (link, &p->members[MEMBER_IDLE]) {
		struct pool_member *m = LIST_ENTRY(link, struct pool_member,
						   link);

		if (now >= m->expires_us ||
		    (now - m->since_us > p->rules.idle_us &&
		     pool_open(p) > own_min(p)))
			member_close(m);
		else if (now - m->checked_us > p->rules.validate_us)
			member_ping(m);
	}
}

static void
look_at_busy(struct pool *p, int64_t now)
{
	LIST_EACH_SAFE (link, &p->members[MEMBER_BUSY]) {
		struct pool_member *m = LIST_ENTRY(link, struct pool_member,
						   link);

		if (m->pinging && now - m->since_us > PING_US)
			member_close(m);
	}
}

static void
look_at_leased(struct pool *p, int64_t now)
{
	LIST_EACH (link, &p->members[MEMBER_LEASED]) {
		struct pool_member *m = LIST_ENTRY(link, struct pool_member,
						   link);

		if (m->told || p->rules.leak_us <= 0 ||
		    now - m->since_us < p->rules.leak_us)
			continue;
		m->told = true;
		pool_tell(p, POOL_NOTE_LEAK,
			  "a connection borrowed at %s is held for %.1f s",
			  m->site[0] != 0 ? m->site : "(unknown)",
			  (double)(now - m->since_us) / 1e6);
	}
}

static void
rest(struct pool *p)
{
	budget_need(p->seat, BUDGET_CONTENT);
	p->tick_us = REST_US;
}

static void
on_tick(struct loop_timer *t)
{
	struct pool *p = CONTAINER_OF(t, struct pool, tick);
	int64_t now;

	OBJ_CHECK(p, POOL_MAGIC);
	loop_refresh(p->loop);
	now = loop_now_us(p->loop);
	expire(p, &p->share, now);
	expire(p, &p->whole, now);
	give_up(p);
	look_at_idle(p, now);
	look_at_busy(p, now);
	look_at_leased(p, now);
	warn(p, now);
	keep_min(p);
	if (pool_waiting(p) > 0)
		pool_wake(p);
	else
		rest(p);
	pool_publish(p);
	loop_timer_start(&p->tick, p->tick_us);
}

/* Somebody waits: look often. */
void
keeper_hurry(struct pool *p)
{
	if (p->tick_us <= HURRY_US)
		return;
	p->tick_us = HURRY_US;
	loop_timer_start(&p->tick, p->tick_us);
}

void
keeper_start(struct pool *p)
{
	loop_timer_init(&p->tick, p->loop, on_tick);
	p->tick_us = REST_US;
	loop_timer_start(&p->tick, p->tick_us);
	keep_min(p);
}

void
keeper_stop(struct pool *p)
{
	loop_timer_stop(&p->tick);
}
