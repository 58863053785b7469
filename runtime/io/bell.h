/* SPDX-License-Identifier: MIT
 *
 * bell - an eventfd that tells a thread of the host to look: any loop can
 * watch it, and one of libev is watched here.
 *
 * Always true: after bell_ring() the fd is readable until bell_still().
 * Memory: embedded in its owner.
 * Thread: bell_ring() any; the rest that of who is told.
 */
#ifndef BELL_H
#define BELL_H

#include <ev.h>

#include "err.h"

struct bell {
	int fd;
	struct ev_loop *loop; /* watches it, or NULL */
	ev_io watch;
	void (*heard)(struct bell *b);
};

/* LUNATE_EIO: no file descriptor is left. */
MUST_USE
int bell_init(struct bell *b, struct err *e);
void bell_ring(const struct bell *b);

/* Before looking: what comes meanwhile rings again. */
void bell_still(const struct bell *b);

/* heard() is called by this loop, of libev, while it is readable. */
void bell_watch(struct bell *b, struct ev_loop *loop,
		void (*heard)(struct bell *b));
void bell_fini(struct bell *b);

#endif
