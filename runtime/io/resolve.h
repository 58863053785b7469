/* SPDX-License-Identifier: MIT
 *
 * resolve - names of hosts to addresses, without the loop ever waiting.
 *
 *   ask -- numeric, socket path, or known --------------------> ready
 *    |                                                            |
 *    +---- else: joins the flight of that name --- its answer --->+
 *                (the first one sends a lookup to the crew)       |
 *                                                                 v
 *   cancel: from wherever it is, never called back              done
 *
 * done runs at the end of a turn, never inside resolve_ask().  There is no
 * deadline in here: a caller that has waited enough cancels.  A lookup that is
 * stuck keeps one thread of the crew; asks for the same name join it (they
 * would be stuck as well), other names go on as long as the crew has a free
 * thread.  A lookup nobody waits for any more is taken back when it has not
 * started; when it has, its answer is still kept for the next one.
 *
 * Good answers are kept for ttl_ms, failures not at all.
 *
 * Always true: a name has at most one flight; an entry without a flight holds
 *              an answer; a query is in one list at most; at most
 *              RESOLVE_NAMES_MAX answers are kept.
 * Memory: queries are embedded in their owners; an answer is valid until done
 *         returns.
 * Thread: that of the loop; `lookup` runs on threads of the crew.
 */
#ifndef RESOLVE_H
#define RESOLVE_H

#include <stdint.h>

#include "crew.h"
#include "err.h"
#include "list.h"
#include "loop.h"
#include "obj.h"

#define RESOLVE_ADDRS_MAX 16
#define RESOLVE_NAMES_MAX 256
#define RESOLVE_TTL_MS 15000

struct resolve;

struct resolve_addr {
	int family; /* AF_INET, AF_INET6, or AF_UNIX */
	char text
		[112]; /* numeric (with %scope where there is one), or a path */
};

struct resolve_answer {
	int n; /* 1..RESOLVE_ADDRS_MAX, in the resolver's order */
	struct resolve_addr at[RESOLVE_ADDRS_MAX];
};

/* Turns a name into addresses; may block.  Returns 0 or fills the err. */
struct resolve_lookup {
	int (*call)(void *arg, const char *host, struct resolve_answer *out,
		    struct err *e);
	void *arg;
};

/* getaddrinfo(3): what to pass unless a test wants something else. */
extern const struct resolve_lookup resolve_system;

struct resolve_query {
	struct list link;	   /* private: waiting or ready, or nowhere */
	struct resolve_name *name; /* private: the flight it joined */
	struct resolve_result *result; /* private: what it will be told */

	/* `a` is NULL when it failed, and then `e` says why
	 * (LUNATE_ECONNECT, LUNATE_EINVAL, LUNATE_ERESOURCE).  It may free the
	 * query, ask again, or free the resolver. */
	void (*done)(struct resolve_query *q, const struct resolve_answer *a,
		     const struct err *e);
};

/* ttl_ms 0: nothing is kept. */
struct resolve *resolve_new(struct loop *loop, struct crew *crew,
			    int64_t ttl_ms, struct resolve_lookup lookup);

void resolve_query_init(struct resolve_query *q,
			void (*done)(struct resolve_query *,
				     const struct resolve_answer *,
				     const struct err *));

/* `host` is a name, a numeric address (IPv6 without brackets), or a path of a
 * unix socket: what begins with '/', or with '@' for the abstract kind.  It is
 * copied.  The query is in no other list. */
void resolve_ask(struct resolve *r, const char *host, struct resolve_query *q);

/* It is never called back; harmless for a query that was not asked or was
 * answered. */
void resolve_cancel(struct resolve *r, struct resolve_query *q);

/* Queries still waiting are never called back.  Lookups that run are given
 * up, not waited for: each frees itself when it comes back, at the latest in
 * the next turn of the loop.  The crew and the loop must still be there. */
void resolve_free(struct resolve **pr);

#endif
