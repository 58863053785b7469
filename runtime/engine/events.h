/* SPDX-License-Identifier: MIT
 *
 * events - what happened, told to those who asked for it.
 *
 *   events_raise --(somebody wants the type)--> envelope, built once
 *        |                                          |
 *        | nobody does: costs one load              v
 *        v                              queue of each listener (bounded)
 *      (gone)                                       |
 *                               its own loop, at the end of a turn: fn()
 *
 * The envelope is one JSON text, the same for Lua, the control socket and
 * whatever leaves the process later:
 *   eventId, eventType, category, priority, timestamp, source, version,
 *   correlationId, traceId, payload
 *
 * Always true: fn() is called on the loop of its listener, with no lock held,
 *              never from inside events_raise(), in the order of raising;
 *              a full queue loses the newest and counts it;
 *              after events_unlisten() fn() is not called again.
 * Memory: listeners keep the events alive, so either may go first.
 * Thread: raise and the counts: any.  listen and unlisten: the thread of the
 *         listener's loop.  One lock, held for list work only.
 */
#ifndef EVENTS_H
#define EVENTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop.h"
#include "obj.h"

/* X(name, word, priority, meaning) */
/* clang-format off */
#define EVENT_TYPES(X) \
	X(HIGH_UTILIZATION, "database.connection-pool.high-utilization", "HIGH", \
	  "more than 80 % of the connections are in use") \
	X(LARGE_QUEUE, "database.connection-pool.large-queue", "HIGH", \
	  "more than 100 operations wait for a connection") \
	X(NEAR_EXHAUSTION, "database.connection-pool.near-exhaustion", "CRITICAL", \
	  "more than 95 % of the connections are in use and operations wait") \
	X(EXHAUSTED, "database.connection-pool.exhausted", "CRITICAL", \
	  "an operation waited for a connection in vain") \
	X(CONNECTION_LOST, "database.connection.lost", "HIGH", \
	  "a connection died") \
	X(CONNECTION_FAILED, "database.connection.failed", "HIGH", \
	  "a login failed") \
	X(CONNECTION_LEAK, "database.connection.leak", "HIGH", \
	  "a connection is held for longer than leak_threshold") \
	X(QUERY_SLOW, "database.query.slow", "NORMAL", \
	  "a statement took longer than slow_query_threshold") \
	X(QUERY_CRITICAL, "database.query.critical-slow", "CRITICAL", \
	  "a statement took longer than critical_query_threshold") \
	X(ERROR, "database.error", "HIGH", \
	  "an operation failed") \
	X(HEALTH_DEGRADED, "database.health.degraded", "CRITICAL", \
	  "a health check found what the one before did not") \
	X(HEALTH_RESTORED, "database.health.restored", "HIGH", \
	  "a health check found the server well again") \
	X(POLICY_LOADED, "policy.loaded", "NORMAL", \
	  "rules of the policy folder are in force") \
	X(POLICY_REFUSED, "policy.refused", "HIGH", \
	  "the policy folder was refused, and the rules in force stay") \
	X(POLICY_FAILED, "policy.failed", "HIGH", \
	  "a function of a policy file failed, and had no effect") \
	X(POLICY_RETURNED, "policy.returned", "HIGH", \
	  "functions of a policy file failed too often, and its last good version is in force again") \
	X(POLICY_HELD, "policy.held", "HIGH", \
	  "a change of guard files that may allow more waits to be accepted") \
	X(POLICY_STALE, "policy.stale", "CRITICAL", \
	  "the policy folder was broken for too long, and tables are closed") \
	X(ACCESS_FAULT, "access.fault", "CRITICAL", \
	  "a rule of access.lua makes no sense for a request, and counts as void") \
	X(ACCESS_BREAK_GLASS, "access.break_glass", "CRITICAL", \
	  "somebody opened one patient's rows in an emergency") \
	X(POLICY_DRIFT, "policy.drift", "CRITICAL", \
	  "tables were closed by what the database holds, or opened again") \
	X(ISOLATION_BREACH, "isolation.breach", "CRITICAL", \
	  "a row of another tenant was about to leave, and was withheld")

/* clang-format on */
enum event_type {
#define EVENT_ENUM(name, word, priority, meaning) EVENT_##name,
	EVENT_TYPES(EVENT_ENUM)
#undef EVENT_ENUM
		EVENT_COUNT
};

#define EVENT_BIT(type) (1u << (type))
#define EVENT_ALL (EVENT_BIT(EVENT_COUNT) - 1)

struct events;
struct events_listener;

/* One envelope; borrowed by fn() until it returns. */
struct event {
	enum event_type type;
	int refs; /* atomic; private */
	size_t len;
	char json[]; /* 0-terminated, `len` bytes */
};

/* What is told.  The payload is taken, whatever happens. */
struct event_news {
	enum event_type type;
	int64_t wall_us;	 /* since 1970 */
	const char *correlation; /* or NULL: the event's own id */
	const char *trace;	 /* or NULL */
	json_t *payload;
};

/* `seed` makes the ids unique; at most `room` events wait for one listener. */
struct events *events_new(const char *source, uint64_t seed, size_t room);

/* Would anybody hear it?  Ask before building a payload. */
bool events_wanted(const struct events *ev, enum event_type type);
void events_raise(struct events *ev, const struct event_news *news);

/* Who listens; copied. */
struct events_ear {
	struct loop *loop;
	uint32_t mask; /* a set of EVENT_BIT */
	void (*fn)(void *arg, const struct event *e);
	void *arg;
};

struct events_listener *events_listen(struct events *ev,
				      const struct events_ear *ear);

/* May be called from inside fn(). */
void events_unlisten(struct events_listener **pl);

/* Envelopes built, and copies that a full queue lost. */
uint64_t events_raised(const struct events *ev);
uint64_t events_lost(const struct events *ev);

/* Nothing is told from here on. */
void events_free(struct events **pev);

/* ---- the table ---------------------------------------------------------- */

const char *event_word(enum event_type type);
const char *event_priority(enum event_type type);
const char *event_meaning(enum event_type type);

/* The type of a word, or -1; then *near_word is one that is like it, or
 * NULL. */
int event_type_of(const char *word, const char **near_word);

/* A text for a payload: what is no UTF-8 is replaced byte by byte. */
json_t *event_text(const char *text);

#endif
