/* SPDX-License-Identifier: MIT
 *
 * One connection of the pool: its login, the mode of its session, its end.
 */
#include "pool_int.h"

#include <stdio.h>
#include <string.h>

#include "mem.h"
#include "pgparams.h"

/* The only place where a member's state changes: it moves between lists. */
void
member_enter(struct pool_member *m, enum member_state state)
{
	struct pool *p = m->pool;

	if (list_linked(&m->link))
		p->count[m->state]--;
	p->nlanes -= m->lane;
	m->lane = false;
	m->groups = 0;
	m->state = state;
	m->since_us = loop_now_us(p->loop);
	m->told = false;
	p->count[state]++;
	list_move_front(&p->members[state], &m->link);
	budget_idle(p->seat, p->count[MEMBER_IDLE]);
}

static void
forget_member(struct pool_member *m)
{
	struct pool *p = m->pool;

	p->count[m->state]--;
	p->nlanes -= m->lane;
	list_remove(&m->link);
	p->stats.closed++;
	budget_idle(p->seat, p->count[MEMBER_IDLE]);
}

/* Nothing of it is kept; a lease's holder must have let go before. */
void
member_close(struct pool_member *m)
{
	struct pool *p = m->pool;

	OBJ_CHECK(m, POOL_MEMBER_MAGIC);
	forget_member(m);
	resolve_cancel(p->resolve, &m->query);
	if (m->conn != NULL)
		pgconn_free(&m->conn);
	OBJ_FINI(m);
	mem_free(m);
	budget_give(p->seat);
	pool_wake(p);
}

static int64_t
spread(struct pool *p, int64_t us)
{
	return us - (int64_t)(pool_random(p) % (uint64_t)(us / 10 + 1));
}

/* Full, starting up or shutting down: the server is there and says itself that
 * it will take logins later. */
static bool
says_later(const struct err *e)
{
	return strcmp(e->sqlstate, "53300") == 0 ||
	       strncmp(e->sqlstate, "57P0", 4) == 0;
}

/* Backoff with full jitter: 10 ms, doubling, at most 320 ms, so that a server
 * that is back is found within that time; max_logins bounds the storm. */
static void
login_failed(struct pool *p, const struct err *e)
{
	int64_t ceiling = 10000ll << (p->failures < 5 ? p->failures : 5);

	p->failures++;
	p->stats.login_failures++;
	p->login_err = *e;
	p->server_will_return = says_later(e);
	p->next_endpoint++;
	p->next_login_us = loop_now_us(p->loop) + 1000 +
			   (int64_t)(pool_random(p) % (uint64_t)ceiling);
	pool_tell(p, POOL_NOTE_LOGIN_FAILED, "%s", e->text);
	keeper_hurry(p);
}

static bool correct_session(struct pool_member *m);

static void
login_done(struct pool_member *m)
{
	struct pool *p = m->pool;
	int64_t now = loop_now_us(p->loop);
	double took = (double)(now - m->born_us);

	p->login_us = p->ever_connected ? p->login_us * 0.75 + took * 0.25
					: took;
	p->ever_connected = true;
	p->failures = 0;
	p->next_login_us = 0;
	m->checked_us = now;
	m->expires_us = p->rules.lifetime_us > 0
				? now + spread(p, p->rules.lifetime_us)
				: INT64_MAX;
	pool_tell(p, POOL_NOTE_CONNECTED, "server process %d",
		  pgconn_backend_pid(m->conn));
	if (correct_session(m))
		return; /* IDLE when that is answered */
	member_enter(m, MEMBER_IDLE);
	pool_wake(p);
}

static bool
worn_out(const struct pool_member *m)
{
	const struct pool *p = m->pool;

	return m->condemned || p->closed ||
	       (p->rules.max_uses > 0 &&
		m->uses >= (uint64_t)p->rules.max_uses) ||
	       loop_now_us(p->loop) >= m->expires_us;
}

#define TURN_US 100000

/* Another pool has less than its share and we have more.  A connection is used
 * for a while first, or all the time would go into logins. */
static bool
is_anothers_turn(const struct pool_member *m)
{
	const struct pool *p = m->pool;

	return budget_starved(p->seat) && budget_rich(p->seat, pool_open(p)) &&
	       loop_now_us(p->loop) - m->born_us >= TURN_US;
}

bool
member_tired(const struct pool_member *m)
{
	return worn_out(m) || is_anothers_turn(m);
}

/* Nothing is in flight any more and nobody holds it. */
void
member_settle(struct pool_member *m)
{
	struct pool *p = m->pool;
	double held = (double)(loop_now_us(p->loop) - m->since_us);

	if (m->groups > 1)
		held /= m->groups;
	if (m->state == MEMBER_BUSY || m->state == MEMBER_LEASED)
		p->hold_us += (held - p->hold_us) / 8;
	m->checked_us = loop_now_us(p->loop);
	m->pinging = false;
	if (pgconn_in_tx(m->conn) && !m->rolling_back) {
		member_rollback(m);
		return;
	}
	if (pgconn_in_tx(m->conn) || member_tired(m)) {
		member_close(m);
		return;
	}
	m->rolling_back = false;
	if (m->dirty) {
		member_reset(m);
		return;
	}
	if (m->reset) {
		m->reset = false;
		if (correct_session(m))
			return;
	}
	member_enter(m, MEMBER_IDLE);
	dispatch_solo(p);
	pool_wake(p);
}

static void
on_dead(struct pool_member *m)
{
	struct pool *p = m->pool;
	struct err e = *pgconn_err(m->conn);

	if (m->state == MEMBER_LOGIN) {
		login_failed(p, &e);
		member_close(m);
		return;
	}
	p->stats.lost++;
	pool_tell(p, POOL_NOTE_LOST, "%s", e.text);
	if (m->state == MEMBER_LEASED)
		return; /* the holder finds out and gives it back */
	member_close(m);
}

/* Of a lease that was given back, or of work that was abandoned. */
static void
fence_opened(struct pool_member *m)
{
	if (m->dirty && !pgconn_in_tx(m->conn))
		member_reset(m);
	else
		member_settle(m);
}

static void
on_state(struct pgconn *conn, void *arg)
{
	struct pool_member *m;

	OBJ_CAST(m, arg, POOL_MEMBER_MAGIC);
	switch (pgconn_state(conn)) {
	case PGCONN_DEAD:
		on_dead(m);
		return;
	case PGCONN_READY:
		if (m->state == MEMBER_LOGIN)
			login_done(m);
		else if (m->state != MEMBER_LEASED)
			fence_opened(m);
		return;
	case PGCONN_CONNECTING:
	case PGCONN_FENCED:
		return;
	}
}

static void
on_idle(struct pgconn *conn, void *arg)
{
	struct pool_member *m;

	(void)conn;
	OBJ_CAST(m, arg, POOL_MEMBER_MAGIC);
	if (m->state == MEMBER_BUSY)
		member_settle(m);
	else if (m->state == MEMBER_LEASED)
		m->checked_us = loop_now_us(m->pool->loop);
}

/* Made when the member cannot even begin: told from the loop like all else. */
static void
fail_login(struct pool_member *m, const struct err *e)
{
	struct pool *p = m->pool;

	login_failed(p, e);
	member_close(m);
}

static void
start_login(struct pool_member *m, const char *hostaddr)
{
	struct pool *p = m->pool;
	struct pgparams_session session = {
		.application_name = p->target.application_name,
		.schema = p->target.schema,
		.statement_timeout_ms = p->rules.timeout_ms[POOL_READ],
		.read_only = true,
		.role = p->target.role};
	struct pgparams *params = pgparams_new(p->target.url, m->endpoint,
					       hostaddr, &session);
	struct pgconn_conf conf = {.counts = &p->cancels,
				   .keys = params->keys,
				   .values = params->values,
				   .connect_us = p->rules.connect_us,
				   .prepared_max = p->rules.prepared_max,
				   .guarded = p->rules.guarded};
	struct pgconn_owner owner = {on_state, on_idle, m};

	m->conn = pgconn_new(p->loop, p->crew, &conf, owner);
	pgparams_free(&params);
}

/* After a failure the next address of the same name is tried. */
static void
on_resolved(struct resolve_query *q, const struct resolve_answer *a,
	    const struct err *e)
{
	struct pool_member *m = CONTAINER_OF(q, struct pool_member, query);

	OBJ_CHECK(m, POOL_MEMBER_MAGIC);
	if (a == NULL) {
		fail_login(m, e);
		return;
	}
	start_login(m, a->at[m->pool->failures % a->n].text);
}

void
member_open(struct pool *p)
{
	struct pool_member *m = mem_new(sizeof(*m));
	const struct pgurl_endpoint *to;

	OBJ_INIT(m, POOL_MEMBER_MAGIC);
	m->pool = p;
	list_init(&m->link);
	m->endpoint = p->next_endpoint % pgurl_endpoints(p->target.url);
	resolve_query_init(&m->query, on_resolved);
	m->mode = POOL_READ;
	m->born_us = loop_now_us(p->loop);
	m->expires_us = INT64_MAX;
	member_enter(m, MEMBER_LOGIN);
	p->stats.opened++;
	if (pool_open(p) > p->stats.peak)
		p->stats.peak = pool_open(p);
	to = pgurl_endpoint(p->target.url, m->endpoint);
	if (to->is_unix || to->hostaddr != NULL || to->host[0] == 0)
		start_login(m, NULL);
	else
		resolve_ask(p->resolve, to->host, &m->query);
}

/* ---- requests of our own ------------------------------------------------ */

/* A request that belongs to nobody but the member. */
struct chore {
	struct pgreq req;
	struct pool_member *m;
	struct pgval vals[2];
	char text[24];
};

static void
chore_done(struct pgreq *r)
{
	struct chore *k = CONTAINER_OF(r, struct chore, req);

	if (r->rows != NULL)
		rows_unpin(&r->rows);
	if (r->fate != PGREQ_DONE)
		k->m->condemned = true; /* in what state it is nobody knows */
	mem_free(k);
}

static struct chore *
new_chore(const char *sql)
{
	struct chore *k = mem_new(sizeof(*k));

	pgreq_init(&k->req);
	k->req.flags = PGREQ_UNNAMED;
	k->req.sql = sql;
	k->req.len = strlen(sql);
	k->req.done = chore_done;
	return k;
}

static void
send_chore(struct pool_member *m, struct chore *k)
{
	struct list one;

	k->m = m;
	list_init(&one);
	list_push_back(&one, &k->req.link);
	pgconn_send(m->conn, &one);
}

/* The session is switched by a group of its own, sent just before the work
 * that needs it: nobody waits for it.  Should it fail, the work that follows
 * meets a session that allows less, never more. */
void
member_set_mode(struct pool_member *m, enum pool_mode mode)
{
	static const char sql[] =
		"SELECT set_config('default_transaction_read_only',$1,false),"
		"set_config('statement_timeout',$2,false)";
	struct chore *k;

	if (m->mode == mode)
		return;
	k = new_chore(sql);
	k->vals[0] = mode == POOL_READ ? (struct pgval){"on", 2, false}
				       : (struct pgval){"off", 3, false};
	k->vals[1].at = k->text;
	k->vals[1].len = snprintf(k->text, sizeof(k->text), "%lld",
				  (long long)m->pool->rules.timeout_ms[mode]);
	k->req.vals = k->vals;
	k->req.nvals = 2;
	m->mode = mode;
	send_chore(m, k);
}

/* What decoding relies on.  It is in the options of the login, but libpq sends
 * PGTZ and PGDATESTYLE of the environment after those, a role or database may
 * not be able to say more, and a pooler in between may drop options. */
static const struct {
	const char *name, *wanted;
} session[] = {{"TimeZone", "UTC"},
	       {"DateStyle", "ISO"},
	       {"IntervalStyle", "postgres"}};

/* As the server reported it: "ISO" begins "ISO, MDY".  What is not reported is
 * taken to be right. */
static bool
is_set_right(const struct pool_member *m)
{
	for (size_t i = 0; i < sizeof(session) / sizeof(*session); i++) {
		const char *now = pgconn_parameter(m->conn, session[i].name);
		size_t n = strlen(session[i].wanted);

		if (now != NULL && (strncmp(now, session[i].wanted, n) != 0 ||
				    (now[n] != 0 && now[n] != ',')))
			return false;
	}
	return true;
}

/* True: a correction was sent, and the member is BUSY until its answer. */
static bool
correct_session(struct pool_member *m)
{
	static const char sql[] = "SELECT set_config('TimeZone','UTC',false),"
				  "set_config('DateStyle','ISO',false),"
				  "set_config('IntervalStyle','postgres',"
				  "false)";

	if (is_set_right(m))
		return false;
	member_enter(m, MEMBER_BUSY);
	send_chore(m, new_chore(sql));
	return true;
}

/* An empty statement: the cheapest proof of life. */
void
member_ping(struct pool_member *m)
{
	m->pinging = true;
	member_enter(m, MEMBER_BUSY);
	send_chore(m, new_chore(""));
}

/* What its holder left undone is undone; nobody waits for it. */
void
member_rollback(struct pool_member *m)
{
	member_enter(m, MEMBER_BUSY);
	m->rolling_back = true;
	send_chore(m, new_chore("ROLLBACK"));
}

/* Undoes what a session may have kept; our own settings are made anew at the
 * next use.  DISCARD ALL would leave it with the rights of its login instead
 * of the role's. */
void
member_reset(struct pool_member *m)
{
	if (m->pool->target.role != NULL) {
		member_close(m);
		return;
	}
	member_enter(m, MEMBER_BUSY);
	m->dirty = false;
	pgconn_discard(m->conn);
	m->mode = POOL_MODES; /* unknown: whatever comes next sets it */
	m->reset = true;
	send_chore(m, new_chore("DISCARD ALL"));
}
