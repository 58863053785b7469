/* SPDX-License-Identifier: MIT
 *
 * pool - the connections of one worker to one server, and who gets them next.
 *
 * Work comes in three sizes:
 *   SHARE  a read known to be fast: up to group_size of them go out under one
 *          Sync; few connections (lanes.h) carry them, a full group waiting
 *          at the server behind the one it works on
 *   SOLO   one statement that is alone in flight on its connection
 *   LEASE  a whole connection until it is given back (transactions, streams,
 *          COPY, scripts)
 *
 * Each connection is a member; its state is the list it is in:
 *
 *   LOGIN --ready--> IDLE <--last answer-- BUSY
 *     |               | |                   ^
 *     | failed        | +----- work --------+
 *     v               |
 *   (gone) <--old-----+---lease---> LEASED --given back--> IDLE
 *     ^               |
 *     |               +-- fence of a cancel --> FENCED --> IDLE
 *     +--- the connection died, from anywhere
 *
 * Always true:
 *   - open = members of all lists <= max, and <= the budget shared with the
 *     other workers; an idle member gives way when one of those has waiters
 *   - LOGIN holds at most max_logins members
 *   - an IDLE member has nothing in flight and is outside a transaction
 *   - a LEASED member carries only its holder's requests
 *   - waiters are served by priority, within one by age, except that a SHARE
 *     may ride along with others of its kind
 *   - nothing is called back from inside pool_submit() or pool_release()
 * Order of reuse: last used, first reused, so that what is not needed ages.
 * Memory: jobs and leases belong to their submitters until called back.
 * Thread: that of its loop; only the budget is shared.
 */
#ifndef POOL_H
#define POOL_H

#include "budget.h"
#include "crew.h"
#include "gate.h"
#include "loop.h"
#include "pgconn.h"
#include "pgreq.h"
#include "pgurl.h"

enum pool_want { POOL_SHARE, POOL_SOLO, POOL_LEASE };

/* What a session must be set to for a piece of work. */
enum pool_mode {
	POOL_READ,
	POOL_WRITE,
	POOL_CRITICAL,
	POOL_LONG, /* streams, COPY, scripts: no statement_timeout */
	POOL_MODES
};

struct pool_rules {
	int min; /* of all pools of the budget: each keeps its part */
	int max;
	int max_logins;
	int group_size; /* reads under one Sync */
	int prepared_max;
	int64_t connect_us;  /* budget of a login */
	int64_t acquire_us;  /* longest wait for a connection */
	int64_t idle_us;     /* idle above min for so long: closed */
	int64_t lifetime_us; /* spread by a tenth; 0 = for ever */
	int64_t validate_us; /* idle for so long: pinged */
	int64_t leak_us;     /* held for so long: told */
	int max_uses;	     /* groups and leases; 0 = no limit */
	unsigned queue_max;
	int64_t age_ms; /* waiting so long is worth one priority */
	int64_t timeout_ms[POOL_MODES]; /* the server's statement_timeout */
	bool guarded; /* as pgconn_conf: tenants' rows pass here */
};

/* Where to connect; all borrowed for the pool's life. */
struct pool_target {
	const struct pgurl *url;
	const char *name;	      /* "primary", for texts */
	const char *schema;	      /* of the search_path, or NULL */
	const char *application_name; /* or NULL */
	const char *role;	      /* that a session takes, or NULL */
};

/* Things the owner may log, count or announce. */
enum pool_note {
	POOL_NOTE_CONNECTED,
	POOL_NOTE_LOST, /* a connection died; text says why */
	POOL_NOTE_LOGIN_FAILED,
	POOL_NOTE_NEAR_EXHAUSTION,
	POOL_NOTE_LEAK,	    /* text names the borrower */
	POOL_NOTE_RETURNED, /* a leak came back after all */
	POOL_NOTE_LARGE_QUEUE,
	POOL_NOTE_HIGH_UTILIZATION, /* more than 80 % are in use */
};
#define POOL_NOTES (POOL_NOTE_HIGH_UTILIZATION + 1)

/* What is now, and what was counted since the start. */
/* clang-format off */
#define POOL_GAUGES(X) \
	X(total) X(active) X(idle) X(waiting) X(logins) X(leased) X(fenced) \
	X(peak)
#define POOL_COUNTS(X) \
	X(opened) X(closed) X(lost) X(login_failures) X(groups) X(statements) \
	X(requeued) X(cancels) X(cancel_hits) X(timeouts)
/* clang-format on */

struct pool_stats {
#define POOL_GAUGE(name) int name;
#define POOL_COUNT(name) uint64_t name;
	POOL_GAUGES(POOL_GAUGE)
	POOL_COUNTS(POOL_COUNT)
#undef POOL_GAUGE
#undef POOL_COUNT
};

struct pool;
struct pool_member;

/* One piece of work.  Set by the submitter: want, mode, priority through
 * `wait`, req (SHARE, SOLO), site (LEASE, may be NULL). */
struct pool_job {
	struct gate_waiter wait;
	enum pool_want want;
	enum pool_mode mode;
	struct pgreq *req;
	struct err err;	  /* private: why it was refused */
	const char *site; /* "script.lua:12": who will hold the lease */
	/* LEASE: the member is the caller's until pool_release(). */
	void (*granted)(struct pool_job *job, struct pool_member *m);
	/* Instead of a grant, or of the end of req: it never got out. */
	void (*refused)(struct pool_job *job, const struct err *e);
};

/* What a pool is built on; all borrowed for its life, rules are copied. */
struct pool_base {
	struct loop *loop;
	struct crew *crew;
	const struct pool_target *target;
	struct pool_budget *budget;
};

struct pool *pool_new(const struct pool_base *base,
		      const struct pool_rules *rules);

/* note(): from the loop, never from inside a call of the owner. */
void pool_on_note(struct pool *p,
		  void (*note)(void *arg, enum pool_note n, const char *text),
		  void *arg);

/* Queues the job; deadline_us <= 0 leaves acquire_us alone to limit the wait.
 * The request of a SHARE or SOLO ends through its own done(). */
void pool_submit(struct pool *p, struct pool_job *job,
		 enum gate_priority priority, int64_t deadline_us);

/* A SHARE has ended; its read occupied its connection for so long. */
void pool_saw(struct pool *p, int64_t ran_us);

/* Takes a job back that still waits.  False: it does not wait any more. */
bool pool_withdraw(struct pool *p, struct pool_job *job);

/* LEASED: sends one request on it (a group of its own). */
void pool_member_send(struct pool_member *m, struct pgreq *r);
struct pgconn *pool_member_conn(struct pool_member *m);

/* Is the connection still usable? */
bool pool_member_alive(const struct pool_member *m);

/* Gives a lease back.  What it left of a transaction is rolled back and a
 * session that may carry state (`dirty`) is reset before it is used again; one
 * with something in flight is closed. */
void pool_release(struct pool *p, struct pool_member **pm, bool dirty);

void pool_stats(const struct pool *p, struct pool_stats *out);

/* Any thread, while the pool lives: the figures as of its last tick, a second
 * ago at most while its loop turns.  Each is right by itself. */
void pool_seen(const struct pool *p, struct pool_stats *out);

/* Adds the figures of one pool to those of others; peaks do not add up. */
void pool_stats_add(struct pool_stats *to, const struct pool_stats *from);

/* "total 8, active 8, idle 0, waiting 12; held longest: a.lua:3 for 2.1 s". */
void pool_describe(const struct pool *p, char *text, size_t size);

/* The server allows less (or more) than was configured. */
void pool_set_max(struct pool *p, int max);
int pool_max(const struct pool *p);

/* All prepared statements are suspect (the schema changed). */
void pool_forget(struct pool *p);

/* No new work; waiters are refused.  Leases end when they are given back. */
void pool_close(struct pool *p, const struct err *why);

/* Nothing is leased or in flight. */
bool pool_quiet(const struct pool *p);
void pool_free(struct pool **pp);
void pool_verify(const struct pool *p);

#endif
