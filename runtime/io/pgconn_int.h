/* SPDX-License-Identifier: MIT
 *
 * pgconn_int - what pgconn.c, pggroup.c, pgread.c, pgprep.c and pgcancel.c
 * share.  No other file includes this.
 *
 *   pgconn.c    life: connecting, state, events, death
 *   pggroup.c   sending: a list of requests becomes one Sync group
 *   pgread.c    receiving: results find the item they answer
 *   pgprep.c    which statements this session has prepared
 *   pgcancel.c  the fence around a cancel
 *   pgseal.c    a context becomes one for this backend alone
 *   pgguard.c   what a session may not change of itself
 *   pgcopy.c    COPY, outside of pipeline mode
 */
#ifndef PGCONN_INT_H
#define PGCONN_INT_H

#include <ev.h>
#include <libpq-fe.h>

#include "crew.h"
#include "loop.h"
#include "pgconn.h"
#include "pgreq.h"

enum pgitem_kind {
	PGITEM_PRELUDE,
	PGITEM_CONTEXT,
	PGITEM_GUARD,
	PGITEM_PREPARE,
	PGITEM_STMT,
	PGITEM_XID,
	PGITEM_AUDIT,
	PGITEM_CLOSE, /* DEALLOCATE of ours: no request */
	PGITEM_SYNC,  /* end of its group: no request */
};

/* One answer that is expected. */
struct pgitem {
	enum pgitem_kind kind;
	struct pgreq *req; /* NULL: nobody wants it any more */
	struct pggroup *group;
	struct pgprep *prep; /* PREPARE and STMT of a named statement */
};

struct pggroup {
	struct list link; /* in conn->groups, in the order of sending */
	struct list reqs; /* those that somebody still wants */
	int64_t sent_us;
};

struct pgprep;
void pgread_error(struct err *e, const PGresult *res);

/* pgcopy.c */
void pgcopy_readable(struct pgconn *c);
void pgcopy_writable(struct pgconn *c);
void pgcopy_lost(struct pgconn *c);

/* pgprep.c */

/* The job that delivers a cancel; outlives the connection if it must. */
struct pgcancel;

/* What the session was at login; `utf8` is libpq's number of it. */
struct pgguard {
	bool on, superuser;
	bool breached; /* pgconn_breach() */
	int utf8;
	char role[64];
};

struct pgconn {
	unsigned magic;
#define PGCONN_MAGIC 0x09c0117e
	enum pgconn_state state;
	struct loop *loop;
	struct crew *crew;
	struct pgconn_owner owner;
	struct pgconn_counts *counts, own_counts;
	PGconn *pg;
	ev_io reader, writer;
	ev_timer timer;	       /* CONNECTING: budget; FENCED: patience */
	struct loop_job dying; /* death noticed where nobody may be called */
	int64_t connect_us;
	struct pgguard guard;
	struct err err;

	struct pgitem *items; /* ring of expected answers */
	unsigned items_cap;   /* a power of two */
	unsigned items_head, items_len;
	struct list groups;
	int ngroups;
	int nreqs;	     /* wanted requests in flight */
	int64_t answered_us; /* when the last item was answered */

	struct pgprep *preps; /* uthash by hash of the text */
	struct list lru;      /* least recently used first */
	struct list retired;  /* names the server still knows, we do not use */
	int nprep, prep_max;
	unsigned prep_serial;
	struct pgprep *ctx_prep; /* the context statement, once prepared */
	struct sealed *sealed;	 /* pgseal.c: SEALS_KEPT, or NULL */

	PGresult *held[128]; /* rows of a stream not yet handed on */
	int nheld;
	bool paused;
	bool draining;	 /* inside the read loop */
	bool mid_result; /* the head's answer has begun to arrive */
	unsigned reads;	 /* that it took so far */
	size_t partial;	 /* bytes of it so far, never too many */

	struct pgcopy *copy;	 /* plain mode: COPY under way */
	struct pgcancel *cancel; /* FENCED: still on its way */
	struct pgreq *target;	 /* FENCED: what the cancel was meant for */
	int fence_ticks;	 /* FENCED: how often the clock was seen */
};

/* pgconn.c */
void pgconn_die(struct pgconn *c, enum err_code code, const char *text);
void pgconn_die_soon(struct pgconn *c, enum err_code code, const char *text);
void pgconn_watch(struct pgconn *c);
void pgconn_enter(struct pgconn *c, enum pgconn_state state);

/* pggroup.c */
void pggroup_finish(struct pgconn *c, struct pggroup *g);
void pggroup_lose_all(struct pgconn *c);
struct pgitem *pgitem_head(struct pgconn *c);
void pgitem_pop(struct pgconn *c);

/* pgread.c: false = the connection is gone, touch nothing. */
bool pgread_drain(struct pgconn *c);
void pgread_stream_mode(struct pgconn *c);
void pgread_drop_held(struct pgconn *c);
void pgread_notice(void *conn, const PGresult *res);

void pgread_error(struct err *e, const PGresult *res);

/* pgcopy.c */
void pgcopy_readable(struct pgconn *c);
void pgcopy_writable(struct pgconn *c);
void pgcopy_lost(struct pgconn *c);

/* pgprep.c */
struct pgprep *pgprep_find(struct pgconn *c, const struct pgreq *r);
struct pgprep *pgprep_add(struct pgconn *c, const char *sql, size_t len,
			  uint64_t hash);
const char *pgprep_name(const struct pgprep *p);
struct shape *pgprep_shape(struct pgprep *p, const PGresult *res);
void pgprep_hold(struct pgconn *c, struct pgprep *p);
void pgprep_drop(struct pgconn *c, struct pgprep *p);
void pgprep_retire(struct pgconn *c, struct pgprep *p, bool server_knows);
void pgprep_retire_link(struct pgconn *c, struct list *link);
void pgprep_discard_link(struct pgconn *c, struct list *link);
bool pgprep_send_closes(struct pgconn *c);
void pgprep_free_all(struct pgconn *c);

/* pgseal.c: the context of a request that has a seal, until the next call. */
const char *pgseal_text(struct pgconn *c, const struct pgreq *r);
void pgseal_free_all(struct pgconn *c);

/* pgguard.c: the second gives what is wrong, or NULL. */
void pgguard_begin(struct pgconn *c);
const char *pgguard_broken(const struct pgconn *c);

/* pgcancel.c */
void pgcancel_start(struct pgconn *c, struct pgreq *target);
bool pgcancel_again(struct pgconn *c);
void pgcancel_check(struct pgconn *c);
void pgcancel_detach(struct pgconn *c);

#endif
