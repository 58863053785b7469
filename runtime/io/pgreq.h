/* SPDX-License-Identifier: MIT
 *
 * pgreq - one statement on its way through a connection, and how it ended.
 *
 * A Sync group is an ordered list of requests; each request is an ordered
 * list of slots, each optional except the statement:
 *
 *     prelude    a statement without parameters (BEGIN ...)
 *     context    set_config('lunate.ctx', $1, true), emitted at every change
 *     guard      a statement that must not fail (an LSN check)
 *     statement
 *     xid        the transaction id, for resolving an unknown outcome
 *     audit      the record of the write, in the same transaction
 *
 * The fate of a request:
 *     DONE      the statement and all its slots succeeded; for a write the
 *               implicit transaction has committed
 *     FAILED    the server refused it; err tells.  Nothing of it remains.
 *     NOT_RUN   an earlier member of its group failed, or the statement has
 *               to be prepared again: the server never ran it
 *     LOST      the connection died after it may have been sent.  maybe_ran
 *               is false when the server said itself that it did not finish.
 *
 * Memory: the request and all it points to belong to the caller and stay
 *         valid until done() is called or pgconn_abandon() returned.  rows is
 *         pinned for the caller, who unpins it.
 * Thread: that of the connection's loop.
 */
#ifndef PGREQ_H
#define PGREQ_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "err.h"
#include "list.h"
#include "rows.h"

struct pgconn;
struct pggroup;
struct pgseal;

enum pgreq_fate {
	PGREQ_PENDING,
	PGREQ_DONE,
	PGREQ_FAILED,
	PGREQ_NOT_RUN,
	PGREQ_LOST
};

/* A parameter.  at == NULL is SQL NULL; text unless binary; type 0 lets the
 * the server infers from the statement. */
struct pgval {
	const char *at;
	int len;
	bool binary;
	const char *text; /* of a binary one: as the server would write it, to
			   * be hidden from errors; or NULL */
};

/* A slot with parameters of its own. */
struct pgpart {
	const char *sql;
	const struct pgval *vals;
	int nvals;
};

enum pgreq_flags {
	PGREQ_READ = 1,	    /* proven read: may share its group */
	PGREQ_XID = 2,	    /* ask for the transaction id */
	PGREQ_STREAM = 4,   /* rows come in chunks, through chunk() */
	PGREQ_UNNAMED = 8,  /* do not keep it prepared */
	PGREQ_IN_TX = 16,   /* inside BEGIN: its context is in force already */
	PGREQ_NEW_CTX = 32, /* IN_TX: it is not, and has to be set */
};

struct pgreq {
	unsigned magic;
#define PGREQ_MAGIC 0x4e900d11
	struct list link;      /* in its owner's queue, then in its group */
	struct pggroup *group; /* while in flight */
	struct pgconn *conn;   /* while in flight */
	struct pgconn *from;   /* inside done(): the one that answered */
	unsigned flags;	       /* PGREQ_* */

	const char *sql; /* 0-terminated */
	size_t len;
	uint64_t hash; /* of sql: key of the prepared statement */
	const struct pgval *vals;
	int nvals;
	const char *prelude;	    /* or NULL */
	const char *context;	    /* or NULL = none */
	const struct pgseal *seal;  /* or NULL: the context goes as it is */
	const char *guard;	    /* or NULL */
	const struct pgpart *audit; /* or NULL */
	size_t max_bytes; /* of the answer on the wire; 0 = no limit */

	enum pgreq_fate fate;
	bool maybe_ran;	   /* LOST: the server may have finished it */
	struct rows *rows; /* DONE with a result; the caller's.  Of a stream:
			    * no rows, but their shape */
	int64_t affected;  /* rows of the command tag, -1 = none */
	char tag[64];	   /* the command tag: "INSERT 0 3" */
	uint64_t xid;	   /* 0 = not asked or none assigned */
	int64_t sent_us;   /* when its group was sent */
	int64_t ran_us;	   /* server time as seen from here */

	/* Called once, at the end of the group; may free the request. */
	void (*done)(struct pgreq *r);
	/* PGREQ_STREAM: some rows, in order; the callee unpins them.  To hold
	 * the stream back it calls pgconn_pause(). */
	void (*chunk)(struct pgreq *r, struct rows *rows);
	/* Or NULL: what the server says beside its answer ("NOTICE: ..."), as
	 * it came, values and all: for who asked, not for a log. */
	void (*notice)(struct pgreq *r, const char *text);

	struct err err; /* last: pgreq_init() clears only its head */
};

/* Whatever its memory held. */
static inline void
pgreq_init(struct pgreq *r)
{
	memset(r, 0, offsetof(struct pgreq, err));
	err_clear(&r->err);
	OBJ_INIT(r, PGREQ_MAGIC);
	list_init(&r->link);
	r->affected = -1;
}

#endif
