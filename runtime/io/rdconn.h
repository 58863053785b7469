/* SPDX-License-Identifier: MIT
 *
 * rdconn - one connection to one Redis, on a loop.
 *
 *                 resolved, connected, login
 *   CONNECTING --- db and PING answered ---> READY ---drain---> DRAINING
 *       |                                      |                    |
 *       | connect deadline, refused,           | a command is late, | nothing
 *       | wrong password, drain                | socket failed      | is out
 *       +-------------------> DEAD <-----------+--------------------+
 *
 * Commands are taken in READY only.  Those of one turn leave together at its
 * end (LOOP_SEND).  Replies come in the order of the commands, so a reply that
 * does not come by its deadline makes all later ones worthless: the connection
 * is DEAD and every outstanding command fails once, with LUNATE_EDEADLINE when
 * it was late itself, LUNATE_EINDOUBT when some of its bytes had left, else
 * LUNATE_ELOST.  Connecting again is the caller's affair: open another one.
 *
 * [P]SUBSCRIBE and [P]UNSUBSCRIBE are commands like others, with their
 * channels named; each is done when all its channels are confirmed.
 * Confirmations and messages go to the owner's `push`.  While subscribed the
 * server takes only those, PING and QUIT (RESP2).  What would lose the order
 * of replies is refused: MONITOR, HELLO, RESET, SYNC, PSYNC, SSUBSCRIBE, CLIENT
 * REPLY.
 *
 * Only the parser and connect of hiredis are used.  Its asynchronous layer
 * (0.14.1) writes without MSG_NOSIGNAL, so that a dead server would kill the
 * host by SIGPIPE; asserts on a reply nobody asked for; never reports a PING
 * on a subscribed connection; and has no deadlines.
 *
 * No callback runs inside a call of this module; any callback may free the
 * connection.  No error repeats a value, the URL or the server's text.
 *
 * Always true: `sent` holds the outstanding commands in the order of their
 *              bytes; ready is called at most once, dead at most once and
 *              last; DEAD has no socket and no watcher.
 * Memory: commands are embedded in their owners and are theirs again when done
 *         is called; their arguments are copied.
 * Thread: that of the loop.
 */
#ifndef RDCONN_H
#define RDCONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "list.h"
#include "loop.h"
#include "obj.h"
#include "rdcmd.h"
#include "rdout.h"
#include "rdreply.h"
#include "rdurl.h"
#include "resolve.h"

struct rdconn;

enum rdconn_state {
	RDCONN_CONNECTING,
	RDCONN_READY,
	RDCONN_DRAINING,
	RDCONN_DEAD
};

/* Who hears of it.  Each may be NULL. */
struct rdconn_owner {
	void *arg;

	/* Commands are taken from now on. */
	void (*ready)(struct rdconn *c, void *arg);

	/* A message, or a confirmation of a subscription: an ARRAY as the
	 * server sent it, valid until push returns. */
	void (*push)(struct rdconn *c, void *arg, const struct rdreply *r);

	/* After the last command has failed.  LUNATE_ECLOSED: drained. */
	void (*dead)(struct rdconn *c, void *arg, const struct err *why);
};

struct rdconn_opts {
	const struct rdurl *url; /* copied */
	struct resolve *resolve; /* outlives the connection */
	int connect_ms;		 /* from open to READY, > 0 */
};

struct rdconn *rdconn_open(struct loop *loop, const struct rdconn_opts *opts,
			   const struct rdconn_owner *owner);

enum rdconn_state rdconn_state(const struct rdconn *c);

/* Commands without their reply. */
size_t rdconn_load(const struct rdconn *c);

/* 0: done will be called.  Else it will not: LUNATE_EBUSY (CONNECTING),
 * LUNATE_ECLOSED (DRAINING, DEAD), LUNATE_EUNSUPPORTED, LUNATE_EPARAM,
 * LUNATE_ERESOURCE (over RDOUT_MAX, or no memory). */
MUST_USE
int rdconn_send(struct rdconn *c, struct rdcmd *cmd, const struct rdargs *args,
		struct err *e);

/* done is never called; the command still runs, its reply is thrown away. */
void rdconn_forget(struct rdconn *c, struct rdcmd *cmd);

/* No new commands; DEAD (LUNATE_ECLOSED) when the last reply is in. */
void rdconn_drain(struct rdconn *c);

/* At once and in silence: outstanding commands are forgotten. */
void rdconn_free(struct rdconn **pc);

#endif
