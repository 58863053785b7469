/* SPDX-License-Identifier: MIT
 *
 * pool_int - what pool.c, member.c, dispatch.c and keeper.c share.  No other
 * file includes this.
 *
 *   pool.c      the doors: submit, withdraw, release, close, figures
 *   member.c    one connection: login, state, mode of its session, end
 *   dispatch.c  who gets which connection, once per loop turn
 *   keeper.c    what happens by the clock: growth, age, pings, leaks
 */
#ifndef POOL_INT_H
#define POOL_INT_H

#include "lanes.h"
#include "pool.h"
#include "resolve.h"

enum member_state {
	MEMBER_LOGIN,
	MEMBER_IDLE,
	MEMBER_BUSY,
	MEMBER_LEASED,
	MEMBER_FENCED,
	MEMBER_STATES
};

struct pool_member {
	unsigned magic;
#define POOL_MEMBER_MAGIC 0x3e3be200
	struct list link; /* in pool->members[state] */
	struct pool *pool;
	enum member_state state;
	struct pgconn *conn;	    /* NULL while the name is being resolved */
	struct resolve_query query; /* LOGIN: name on its way */
	size_t endpoint;
	enum pool_mode mode;
	int64_t born_us, expires_us;
	int64_t since_us;   /* when this state began */
	int64_t checked_us; /* last proof of life */
	uint64_t uses;
	bool lane;	/* BUSY with shared reads */
	int groups;	/* BUSY: how many it was given since */
	bool condemned; /* closed as soon as nothing is in flight */
	bool told;	/* a leak was reported */
	bool pinging;
	bool rolling_back; /* BUSY with undoing what its holder left */
	bool dirty;	   /* FENCED: to be reset when the fence opens */
	bool reset;	   /* BUSY with forgetting what the session kept */
	char site[96];	   /* LEASED: the borrower */
};

struct pool {
	unsigned magic;
#define POOL_MAGIC 0x9001c0de
	struct loop *loop;
	struct crew *crew;
	struct resolve *resolve;
	struct pool_rules rules;
	struct pool_target target;
	struct budget_seat *seat; /* of the budget shared with others */
	void (*note)(void *arg, enum pool_note n, const char *text);
	void *note_arg;

	struct list members[MEMBER_STATES];
	int count[MEMBER_STATES];
	struct lanes lanes;	  /* how many members may carry shared reads */
	int nlanes;		  /* those that do */
	struct gate share, whole; /* whole: SOLO and LEASE */
	struct list refused;	  /* jobs to be told at the end of the turn */
	struct err close_err;
	bool closed;
	bool ever_connected;
	bool server_will_return; /* 57P03, 53300: it said so itself */

	struct loop_job dispatch; /* LOOP_SEND */
	struct loop_job tell;	  /* LOOP_TASKS: refusals */
	struct loop_timer tick;
	int64_t tick_us; /* 10 ms while somebody waits, else 1 s */

	int64_t granted_us;    /* last time work was handed out */
	int64_t next_login_us; /* backoff */
	int failures;	       /* logins failed in a row */
	size_t next_endpoint;
	struct err login_err; /* the last failure */
	double hold_us;	      /* moving average: how long work holds one */
	double login_us;      /* moving average: how long a login takes */
	int64_t near_told_us, queue_told_us, high_told_us;
	uint64_t seed;
	struct pool_stats stats;
	struct pool_stats seen; /* atomic, each field: for other threads */
	struct pgconn_counts cancels;
};

static inline int
pool_open(const struct pool *p)
{
	int n = 0;

	for (int i = 0; i < MEMBER_STATES; i++)
		n += p->count[i];
	return n;
}

static inline size_t
pool_waiting(const struct pool *p)
{
	return gate_count(&p->share) + gate_count(&p->whole);
}

/* pool.c */
void pool_refuse(struct pool *p, struct pool_job *job, const struct err *e);
void pool_tell(struct pool *p, enum pool_note n, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
uint64_t pool_random(struct pool *p);
void pool_wake(struct pool *p);
void pool_publish(struct pool *p);
void pool_refuse_all(struct pool *p, const struct err *e);

/* member.c */
void member_open(struct pool *p);
void member_enter(struct pool_member *m, enum member_state state);
void member_close(struct pool_member *m);

/* Is it to be closed at its next rest? */
bool member_tired(const struct pool_member *m);
void member_settle(struct pool_member *m);
void member_set_mode(struct pool_member *m, enum pool_mode mode);
void member_ping(struct pool_member *m);
void member_reset(struct pool_member *m);
void member_rollback(struct pool_member *m);

/* dispatch.c */
void dispatch_run(struct pool *p);

/* A member has become idle: a statement that waits for one goes out at once,
 * before those who were answered in this turn run, so that its server does not
 * wait for them. */
void dispatch_solo(struct pool *p);

/* keeper.c */
void keeper_start(struct pool *p);
void keeper_stop(struct pool *p);
void keeper_hurry(struct pool *p);
void keeper_grow(struct pool *p);
void keeper_give_way(struct pool *p);

#endif
