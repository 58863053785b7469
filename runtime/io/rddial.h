/* SPDX-License-Identifier: MIT
 *
 * rddial - from a URL to a connected socket: resolve, then each address in
 * turn until one takes the connection.
 *
 *   start --> resolving --> connecting (next address on refusal) --> done
 *
 * No deadline of its own: the owner stops it.  done is called at most once,
 * never inside rddial_start(), and may free the owner.
 *
 * Memory: embedded; `url` is borrowed for as long as it is dialling.
 * Thread: that of the loop.
 */
#ifndef RDDIAL_H
#define RDDIAL_H

#include <ev.h>
#include <hiredis.h>

#include "err.h"
#include "loop.h"
#include "obj.h"
#include "rdurl.h"
#include "resolve.h"

struct rddial {
	struct loop *loop;
	struct resolve *resolve;
	const struct rdurl *url;
	struct resolve_query ask;
	struct resolve_answer addrs;
	int next;	   /* of addrs: the next one to try */
	redisContext *ctx; /* being connected, or NULL */
	ev_io io;	   /* active while connecting */

	/* The context is the receiver's (redisFree); NULL: `e` says why. */
	void (*done)(struct rddial *d, redisContext *ctx, const struct err *e);
};

void rddial_init(struct rddial *d, struct loop *loop, struct resolve *resolve,
		 void (*done)(struct rddial *, redisContext *,
			      const struct err *));
void rddial_start(struct rddial *d, const struct rdurl *url);

/* Harmless when it is over. */
void rddial_stop(struct rddial *d);

#endif
