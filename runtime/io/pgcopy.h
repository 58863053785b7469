/* SPDX-License-Identifier: MIT
 *
 * pgcopy - COPY on a connection that carries nothing else.
 *
 *   SENT --server is ready--> IN  --pgcopy_end--> ENDING --last result--> DONE
 *     |                  +--> OUT --no more data-->  ^
 *     +----- refused -------------------------------+
 *   DONE also when the connection dies; err tells.
 *
 * COPY cannot run in a pipeline, so the connection leaves pipeline mode for
 * as long as it lasts; nothing may be in flight before, and nothing is sent
 * meanwhile.
 *
 * Back-pressure: IN   blocked is set while libpq holds unsent bytes; put
 *                     nothing then, wake() tells when it is over
 *                OUT  reading stops while PGCOPY_ROOM bytes wait to be taken
 * Always true: wake() comes from the loop, after something here changed;
 *              DONE is reached exactly once.
 * Memory: embedded in its owner, who keeps it until DONE (pgcopy_abort makes
 *         it so at once).
 * Thread: that of the loop.
 */
#ifndef PGCOPY_H
#define PGCOPY_H

#include "pgconn.h"
#include "str.h"

#define PGCOPY_ROOM (1 << 20)

enum pgcopy_state {
	PGCOPY_SENT,
	PGCOPY_IN,
	PGCOPY_OUT,
	PGCOPY_ENDING,
	PGCOPY_DONE
};

struct pgcopy {
	struct pgconn *conn; /* NULL when DONE */
	enum pgcopy_state state;
	bool blocked;	  /* IN: wait for wake() before the next put */
	bool paused;	  /* OUT: not read on before pgcopy_taken() */
	struct str out;	  /* OUT: bytes not yet taken */
	int64_t affected; /* DONE: rows, -1 = not told */
	struct err err;	  /* DONE: code 0 = success */
	void (*wake)(struct pgcopy *k);
	void *arg;
};

/* The statement must be one COPY ... FROM STDIN or TO STDOUT.  The connection
 * is READY, nothing in flight. */
void pgcopy_start(struct pgcopy *k, struct pgconn *c, const char *sql);

/* Is there something for its owner: room for bytes, bytes, or the end? */
bool pgcopy_ready(const struct pgcopy *k);

/* IN, not blocked.  The bytes are copied. */
void pgcopy_put(struct pgcopy *k, const char *bytes, size_t len);

/* IN: the data is complete; or, with a reason, must be thrown away. */
void pgcopy_end(struct pgcopy *k, const char *reason);

/* OUT: the owner has emptied k->out. */
void pgcopy_taken(struct pgcopy *k);

/* Gives up: the connection is closed, state is DONE with `code`. */
void pgcopy_abort(struct pgcopy *k, enum err_code code, const char *why);

void pgcopy_fini(struct pgcopy *k);

#endif
