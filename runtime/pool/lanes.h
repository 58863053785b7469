/* SPDX-License-Identifier: MIT
 *
 * lanes - over how many connections shared reads are spread.
 *
 * A lane is a connection that carries groups of shared reads.  Few lanes, each
 * with its next group waiting at the server already, cost the server and us
 * less than many (no process is woken for a handful of reads); too few leave
 * its processors idle.  How many are right depends on the server, the network
 * and the statements, so it is found by trying:
 *
 *   SETTLED --a few busy windows--> TRYING more lanes, next time fewer
 *      ^                               |
 *      +---- kept when it pays, else back, and a longer rest
 *
 * Measured is how many reads the lanes carry per second, in a window in which
 * they were busy nearly all the time: otherwise their number does not matter,
 * and stays.  Half as many more have to carry GAIN more; fewer pay when they
 * carry nearly as much, since they cost less.
 *
 * Always true: 1 <= width <= most; a window has at least LANES_READS reads.
 * Memory: embedded.  Thread: its owner's.  Time is an argument.
 */
#ifndef LANES_H
#define LANES_H

#include <stdbool.h>
#include <stdint.h>

#define LANES_START 2
#define LANES_READS 256	      /* in a window, at least */
#define LANES_WINDOW_US 40000 /* how long it lasts, at least */
#define LANES_REST_MAX 64     /* windows between two tries, at most */

struct lanes {
	int width, most;
	bool more;	  /* the next try goes up */
	int trying;	  /* width before the try under way; 0 = SETTLED */
	int rest, rested; /* windows to wait before a try, and waited */
	double before;	  /* what was measured just before the try */

	/* the window */
	int64_t began_us;
	uint32_t reads;
	int64_t busy_us; /* sum of the times they occupied their lanes */
	bool fresh;	 /* the width has just changed: not counted yet */
};

void lanes_init(struct lanes *l, int most);

/* Connections that shared reads may use at once. */
int lanes_width(const struct lanes *l);

/* No more connections than that can be had. */
void lanes_limit(struct lanes *l, int most);

/* One read has occupied its lane for `busy_us`. */
void lanes_saw(struct lanes *l, int64_t now_us, int64_t busy_us);

#endif
