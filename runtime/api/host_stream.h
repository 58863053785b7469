/* SPDX-License-Identifier: MIT
 *
 * host_stream - rows of any number for a host, some at a time: what
 * host_stream.c and host_cursor.c share.  No other file includes this.
 *
 *   host_stream.c  the host's side, and rows of a session of its own, which
 *                  the server sends until they are taken
 *   host_cursor.c  rows of a cursor in the host's transaction, fetched when
 *                  somebody asks, so that other statements may run meanwhile
 *
 * Always true: at most one errand asks for the next rows (`asked`, atomic);
 *              what comes after the worker's end is an error.
 * Memory: the host's handle; it pins the runtime's.
 */
#ifndef HOST_STREAM_H
#define HOST_STREAM_H

#include "ask.h"
#include "host.h"
#include "host_rows.h"
#include "host_tx.h"

#define STREAM_CHUNKS 8

struct lunate_stream {
	unsigned magic;
#define STREAM_MAGIC 0x57eea3d1
	struct lunate *host; /* pinned */
	struct host_worker *hw;
	struct loop_letter close;
	int asked; /* atomic: somebody waits for the next rows */

	/* the worker's */
	struct held held;
	struct errand *next; /* who waits, or NULL */
	bool closed;
	struct err err; /* why there are no more rows; code 0: the end */

	/* of a session */
	struct ask *ask; /* its errand is never sent; NULL: not there */
	struct rows *chunks[STREAM_CHUNKS + 2]; /* oldest first */
	int nchunks;
	bool started, running, paused;

	/* of a cursor */
	struct lunate_tx *tx; /* pinned; NULL: a session of its own */
	char name[40];	      /* of the cursor */
	int fetch;	      /* rows at once */
	bool declared, over;
	struct lunate_rows *last; /* given when the cursor is closed */
};

/* Answers who waits: rows (taken), or what `err` says. */
void stream_answer(struct lunate_stream *s, struct lunate_rows *rows);

/* Somebody waits for the next rows: they, or the end, will be answered. */
void cursor_next(struct lunate_stream *s);

/* Nobody reads it any more: what runs for it answers nobody. */
void cursor_close(struct lunate_stream *s);

/* The call as the cursor it becomes.  NULL: *e says why not. */
MUST_USE
struct ask *cursor_declare(struct lunate_stream *s,
			   const struct lunate_call *call, struct err *e);

#endif
