/* SPDX-License-Identifier: MIT
 *
 * study - a long statement is read off the loop.
 *
 *   study_start --> a thread of the crew parses --> done, on the loop
 *        |
 *        +-- study_drop: nobody waits any more --> freed by whoever knows
 *
 * PostgreSQL's grammar takes some 20 us for an ordinary statement and up to a
 * second for a text of a megabyte.  From STUDY_LEN bytes on the parsing is a
 * job of the crew, so that no other task waits for it.
 *
 * Always true: done is called once, from the loop, never inside study_start();
 *              not at all after study_drop().
 * Memory: owns a copy of the text.  Thread: the caller's loop.
 */
#ifndef STUDY_H
#define STUDY_H

#include "crew.h"
#include "err.h"
#include "loop.h"
#include "stmt.h"

#define STUDY_LEN (32 * 1024)

struct study;

struct study_ask {
	struct crew *crew;
	struct loop *home;
	const char *text; /* borrowed for the call */
	size_t len;
	/* stmt is pinned for the callee, or NULL and e says why. */
	void (*done)(void *arg, struct stmt *stmt, const struct err *e);
	void *arg;
};

struct study *study_start(const struct study_ask *ask);

/* Harmless for NULL. */
void study_drop(struct study **ps);

#endif
