/* SPDX-License-Identifier: MIT
 *
 * relay - the connections of the fault proxy and what is done to them.
 *
 *   link: client fd[0] ==== flow[C2S] ====> server fd[1]
 *                     <==== flow[S2C] =====
 *
 * A flow is a queue of chunks, each with the time it is due.
 *
 * Always true: flow_arm() alone decides which watchers of a flow are active,
 * and frees nothing.
 */
#ifndef RELAY_H
#define RELAY_H

#include "net.h"

#include <ev.h>
#include <stdint.h>

enum way { C2S, S2C };
enum refuse { REFUSE_OFF, REFUSE_ON, REFUSE_CLOSE };

/* What is done.  After a change: relay_rearm(). */
extern struct relay_set {
	long delay_ms, login_delay_ms, rate_bytes, chunk;
	bool stalled[2];
	bool raw;
	enum refuse refuse;
	bool cut_armed;
	enum way cut_way;
	uint64_t cut_bytes;
} relay_set;

extern struct relay_count {
	long accepted, refused, open, peak_open, cancels, logins, peak_logins;
	uint64_t bytes[2];
} relay_count;

void relay_init(struct ev_loop *loop, struct addr *listen, struct addr *target);

/* Starts and stops to listen. */
void relay_listen(bool on);

/* The address it listens on, with the port that was taken. */
const struct addr *relay_address(void);

/* Every flow looks again at what is to be done. */
void relay_rearm(void);

/* Resets the first connection that forwards that many more bytes. */
void relay_cut_after(uint64_t bytes, enum way way);

/* With `reset` the peers see an error, without it an end. */
void relay_end_all(bool reset);

#endif
