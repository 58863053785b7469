/* SPDX-License-Identifier: MIT
 *
 * lines - a unix socket that answers line by line.
 *
 *   peer:  READING --line--> on_line() --lines_send()--> WRITING
 *             ^                                             |
 *             +---------------- all written ----------------+
 *
 * Each line gets exactly one answer, at once or later.  A peer that has much
 * to read yet is not read from, so it waits for nobody but itself; one that
 * sends a line without end is told so and closed.
 *
 * Always true: the socket is ours alone (mode 0600, in a folder of mode 0700,
 *              peers of other users are closed unread); nothing blocks;
 *              at most LINES_PEERS peers, each with at most LINES_LONGEST
 *              bytes unread and about LINES_PENDING unsent;
 *              on_line() is called from the loop; a peer lives as long as it
 *              is owed an answer and is connected.
 * Memory: a server owns its peers.  Thread: that of its loop.
 */
#ifndef LINES_H
#define LINES_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "loop.h"
#include "obj.h"

#define LINES_PEERS 32
#define LINES_LONGEST 4096
#define LINES_PENDING 65536

struct lines;
struct lines_peer;

struct lines_owner {
	const char *path;
	/* Borrowed text without its newline, 0-terminated. */
	void (*on_line)(struct lines *s, struct lines_peer *p, const char *line,
			void *arg);
	const char *too_long; /* the answer to a line that is */
	void *arg;
};

/* Makes the folder (the last part only), takes the place of a socket that
 * nobody listens on.  LUNATE_EIO, LUNATE_EBUSY: somebody listens there. */
MUST_USE
int lines_new(struct lines **out, struct loop *loop,
	      const struct lines_owner *owner, struct err *e);

/* The answer to the oldest line that has none; a newline is added. */
void lines_send(struct lines_peer *p, const char *text, size_t len);

/* For answers that come later: the number of a peer, and the peer of a number
 * while it is connected, else NULL. */
uint64_t lines_number(const struct lines_peer *p);
struct lines_peer *lines_peer(struct lines *s, uint64_t number);

/* Closes all and removes the socket, unless this is a fork()ed child. */
void lines_free(struct lines **ps);

/* ---- the other side ----------------------------------------------------- */

struct str;

struct lines_question {
	const char *path;
	const char *line; /* without newline */
	int timeout_ms;
};

/* Sends one line and waits for one.  Blocks: for commands, never on a loop.
 * The answer is appended without its newline.  LUNATE_ECONNECT: nobody
 * listens.  LUNATE_EDEADLINE: too busy to answer. */
MUST_USE
int lines_ask(const struct lines_question *q, struct str *answer,
	      struct err *e);

#endif
