/* SPDX-License-Identifier: MIT
 *
 * tx - a connection that several operations use one after the other: a
 * transaction, or a bare session.
 *
 *             first operation            COMMIT, ROLLBACK
 *   FRESH ------------------> OPEN -----------------------> CLOSED
 *     |                        |  statement failed            ^
 *     |                        v                              |
 *     |                      FAILED -- ROLLBACK TO --> OPEN   |
 *     +------------------------+--------- tx_end() -----------+
 *
 * Nothing is asked of the server before the first statement: BEGIN travels
 * with it in one group.  A transaction in which nothing ran costs nothing.
 *
 * Always true: at most one operation runs in it at a time; a CLOSED handle
 *              sends nothing; a FAILED one only ROLLBACK (TO).
 * Memory: embedded in its owner, who calls tx_end() before freeing it.
 * Thread: that of its worker.
 */
#ifndef TX_H
#define TX_H

#include <stdio.h>

#include "op.h"

enum tx_state { TX_FRESH, TX_OPEN, TX_FAILED, TX_CLOSED };

struct tx {
	unsigned magic;
#define TX_MAGIC 0x7a115ac7
	struct worker *w;
	enum tx_state state;
	struct pool_member *member; /* NULL before the first operation */
	enum pool_mode mode;
	char begin[128];	 /* "BEGIN ...", or "" for a bare session */
	char site[96];		 /* who opened it: file:line */
	struct op *op;		 /* running in it, or NULL */
	int depth;		 /* open savepoints */
	bool dirty;		 /* its session has to be reset */
	bool ddl;		 /* the schema was changed in it */
	bool lost;		 /* its connection died */
	bool unsure;		 /* which context is in force there */
	bool system;		 /* its connection is of the system's pool */
	struct context *context; /* the one that was set last, or NULL */
	/* What its last statement went by, pinned; or NULL. */
	struct rules *rules;
	struct catalog_snapshot *snapshot;
	struct err err; /* FAILED: what failed first */
};

/* How a transaction begins; all zero is the server's default. */
struct tx_options {
	const char *isolation; /* "serializable", ... or NULL */
	bool read_only, deferrable;
	bool session; /* no BEGIN: a connection to oneself */
	enum pool_mode mode;
	const char *site;
	/* Who asks: one that begins as system stays that, one that does not
	 * never becomes it.  Or NULL. */
	const struct context *context;
};

/* LUNATE_EINVAL: an isolation level that does not exist.  LUNATE_EDENIED: as
 * system, without the capability. */
MUST_USE
int tx_init(struct tx *t, struct worker *w, const struct tx_options *o,
	    struct err *e);

/* May an operation start in it?  If not, says why. */
MUST_USE
int tx_ready(const struct tx *t, struct err *e);

/* May who asks use its connection?  LUNATE_EDENIED: only one of the two is
 * the system. */
MUST_USE
int tx_fits(const struct tx *t, const struct context *context, struct err *e);

/* Is this context (NULL = none) the one in force in the transaction? */
bool tx_has_context(const struct tx *t, const struct context *context);

/* Is a statement surely undone when the connection is lost in it?  Not what
 * commits, and nothing of a bare session or outside of a transaction (NULL). */
bool tx_undoes(const struct tx *t, const struct stmt *s);

/* Told by op: its request goes out, and ended. */
void tx_op_began(struct tx *t, struct op *op);
void tx_op_ended(struct tx *t, struct op *op);

/* Gives the connection back.  What was not committed is rolled back, without
 * waiting.  Harmless when it is closed. */
void tx_end(struct tx *t);

/* Instead of tx_end() when its worker has ended already. */
void tx_forget(struct tx *t);

/* Something in it failed that was no operation (COPY). */
void tx_failed(struct tx *t, const struct err *e);

/* ---- COPY, which goes past op ---- */

/* LUNATE_EINVAL: the text is no COPY. */
MUST_USE
int tx_copy_text(const char *sql, size_t len, struct err *e);

/* May a COPY for this context begin on its connection?  It has one. */
MUST_USE
int tx_copy_ready(const struct tx *t, const struct context *context,
		  struct err *e);

/* The COPY ended with *e: outside of a transaction the server may have
 * finished what it had whole (`complete`: all data and their end were sent). */
void tx_copy_doubt(const struct tx *t, bool complete, struct err *e);

/* Savepoint level changed by a ROLLBACK TO that succeeded. */
void tx_recovered(struct tx *t);

#endif
