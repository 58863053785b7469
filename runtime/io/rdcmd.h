/* SPDX-License-Identifier: MIT
 *
 * rdcmd - a command sent to Redis that waits for its reply.
 *
 * Replies come in the order of the commands, so they wait in one list; one
 * whose owner goes leaves a ghost in its place, which takes the reply.
 *
 * Memory: embedded in its owner, and the owner's again when done is called.
 *         Ghosts are ours.
 * Thread: that of the connection.
 */
#ifndef RDCMD_H
#define RDCMD_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "list.h"
#include "obj.h"
#include "rdreply.h"

struct rdcmd {
	struct list link; /* private: outstanding, or nowhere */
	int64_t due_us;	  /* private: when its reply is late */
	uint64_t start;	  /* private: bytes of the connection before it */
	size_t replies;	  /* private: those still to come */
	bool subscribes;  /* private: its replies are confirmations */

	/* Exactly one of reply and err is NULL.  The reply (which may be of
	 * kind ERROR) is valid until done returns. */
	void (*done)(struct rdcmd *cmd, const struct rdreply *r,
		     const struct err *e);
};

void rdcmd_init(struct rdcmd *cmd,
		void (*done)(struct rdcmd *, const struct rdreply *,
			     const struct err *));

/* When the first of them is late, in microseconds; 0: there is none. */
int64_t rdcmd_first_due(const struct list *cmds);

/* Takes it out of its list; its done will not be called. */
void rdcmd_leave_ghost(struct rdcmd *cmd);

/* Empties the list; no done is called. */
void rdcmd_forget_all(struct list *cmds);

#endif
