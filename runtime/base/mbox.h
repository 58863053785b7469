/* SPDX-License-Identifier: MIT
 *
 * mbox - a letterbox: many writers, one reader, nodes embedded in letters.
 *
 *   writers --put--> [newest -> ... -> oldest]  one atomic word, no gaps
 *                               |  the reader takes the whole chain at once
 *                               v  and turns it round
 *   reader  <-take-- [oldest -> ... -> newest]  private to the reader
 *
 * Always true: letters of one writer are taken in the order they were put,
 *              and so are letters of two writers when one put happened
 *              before the other.  A node is in at most one box.
 * Lock-free:   a put retries only because another put succeeded.  There is no
 *              moment at which a stopped writer hides the letters of others.
 * Order:       put is a release and take an acquire, so what a writer wrote
 *              before mbox_put() is seen after mbox_take() of that letter.
 *              (Puts in between are read-modify-writes, which continue the
 *              release sequence: one acquire of the newest covers them all.)
 *              No ABA: nodes leave only all together.
 * Memory: owns nothing; a letter is its writer's until put, then the reader's.
 * Thread: mbox_put() any; everything else the reader.
 */
#ifndef MBOX_H
#define MBOX_H

#include <stdbool.h>

#include "obj.h"

struct mbox_node {
	struct mbox_node *next; /* private to the box */
};

struct mbox {
	unsigned magic;
#define MBOX_MAGIC 0x3b0c5a11
	struct mbox_node *newest; /* atomic; what was put since */
	struct mbox_node *ready;  /* the reader's: oldest first */
};

void mbox_init(struct mbox *m);

/* True: there was nothing untaken in the shared part, so a reader that sleeps
 * until told must be woken.  False: an earlier put has said so already. */
bool mbox_put(struct mbox *m, struct mbox_node *node);

/* The oldest letter, or NULL when there is none.  A reader may sleep after a
 * NULL and only then. */
struct mbox_node *mbox_take(struct mbox *m);

/* The box is empty: its letters belong to somebody who waits for them. */
void mbox_fini(struct mbox *m);

#endif
