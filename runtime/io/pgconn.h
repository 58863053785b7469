/* SPDX-License-Identifier: MIT
 *
 * pgconn - one PostgreSQL connection in pipeline mode.
 *
 *   CONNECTING --ok--> READY <-----------------------------+
 *       |               | cancel                           |
 *       |               v                                  |
 *       |             FENCED --last answer AND cancel done-+
 *       | refused,      |
 *       | too late      | socket lost, fence too old, protocol broken
 *       v               v
 *     DEAD <------------+          (pgconn_free at any time)
 *
 *   READY also has a plain mode for COPY (pgcopy.h): nothing is in flight
 *   and no group is taken while it lasts.
 *
 * Always true:
 *   - answers come in the order of sending; every item sent has one entry in
 *     the queue of expected answers, and the head of the queue is what libpq
 *     is reading now
 *   - a write is alone in its group; only requests flagged PGREQ_READ share
 *   - the context in force at a statement is the one its request names: it is
 *     emitted at every change within a group, and a group starts with none
 *   - FENCED takes no group: a cancel can only hit what was running when it
 *     was asked for
 *   - done() of a request is called exactly once, never from inside
 *     pgconn_send()
 *   - a guarded connection (pgguard.c) dies at the end of the group after
 *     which its session is not what it was at login
 *   - on_state is the last thing the connection does in a callback: the owner
 *     may free it there
 * Memory: owns its PGconn, its prepared-statement table and its groups;
 *         requests belong to their senders.
 * Thread: that of its loop.
 *
 * Source: PostgreSQL 15 manual, 34.4 and 34.5; 55.2.3 (extended query).
 */
#ifndef PGCONN_H
#define PGCONN_H

#include "crew.h"
#include "loop.h"
#include "pgreq.h"

enum pgconn_state {
	PGCONN_CONNECTING,
	PGCONN_READY,
	PGCONN_FENCED,
	PGCONN_DEAD
};

/* What the owner wants to hear.  on_state: READY after connecting or after a
 * fence, and DEAD.  on_idle: the last answer in flight has arrived.
 * on_notice: a server parameter that matters changed. */
struct pgconn_owner {
	void (*on_state)(struct pgconn *c, void *arg);
	void (*on_idle)(struct pgconn *c, void *arg);
	void *arg;
};

/* What cancels came to; of the owner, which may share it among its
 * connections. */
struct pgconn_counts {
	uint64_t cancels; /* sent */
	uint64_t hits;	  /* of them seen to end a statement (57014) */
	uint64_t spared;  /* statements hit by mistake, run again */
};

struct pgconn_conf {
	struct pgconn_counts *counts; /* or NULL */
	const char *const *keys;      /* as PQconnectStartParams, NULL-ended */
	const char *const *values;
	int64_t connect_us; /* budget of the login */
	int prepared_max;   /* named statements kept; 0 = none */
	bool text_only;	    /* behind an old pooler: unnamed only */
	/* Rows of tenants pass here: destroy it as soon as the server reports
	 * another session_authorization or is_superuser than at login, a
	 * client_encoding that is not UTF8, or standard_conforming_strings
	 * off, with which a text does not mean what was read in it. */
	bool guarded;
};

/* Starts to connect; the outcome comes through on_state, never from inside
 * this call.  keys and values are copied. */
struct pgconn *pgconn_new(struct loop *loop, struct crew *crew,
			  const struct pgconn_conf *conf,
			  struct pgconn_owner owner);

enum pgconn_state pgconn_state(const struct pgconn *c);

/* Why it is DEAD (or why connecting failed). */
const struct err *pgconn_err(const struct pgconn *c);

/* Groups in flight; 0 = nothing is expected from the server. */
int pgconn_inflight(const struct pgconn *c);

/* Requests in flight. */
int pgconn_requests(const struct pgconn *c);

/* Sends the requests of `reqs` (links of struct pgreq, taken away) as one
 * Sync group.  READY only.  Asserts that a write is alone.  Whatever goes
 * wrong comes back through done(). */
void pgconn_send(struct pgconn *c, struct list *reqs);

/* The sender no longer wants the answer: done() will not be called and the
 * request may be freed.  Late answers are dropped.  When nobody wants any
 * answer of the connection any more, the running statement is cancelled
 * behind a fence. */
void pgconn_abandon(struct pgreq *r);

/* As abandon, but the answer is still wanted: cancels when the request is
 * the only one in flight, and tells whether it did. */
bool pgconn_cancel(struct pgreq *r);

/* What it brought must not be seen: it dies at the end of the group that is
 * being answered, or soon, and takes nothing more. */
void pgconn_breach(struct pgconn *c);

/* Stops and resumes reading: back-pressure of a stream. */
void pgconn_pause(struct pgconn *c);
void pgconn_resume(struct pgconn *c);

/* Is the session inside a transaction block, failed or not? */
bool pgconn_in_tx(const struct pgconn *c);

/* Is it inside one that has failed? */
bool pgconn_tx_failed(const struct pgconn *c);

/* Forget all prepared statements (the schema changed). */
void pgconn_forget(struct pgconn *c);

/* As forget, when the server is about to forget them too (DISCARD ALL). */
void pgconn_discard(struct pgconn *c);

int pgconn_backend_pid(const struct pgconn *c);

/* Reported parameter ("server_version", "in_hot_standby"), or NULL. */
const char *pgconn_parameter(const struct pgconn *c, const char *name);

/* What is in flight fails as LOST through done(), unless nobody wants it. */
void pgconn_free(struct pgconn **pc);

void pgconn_verify(const struct pgconn *c);

#endif
