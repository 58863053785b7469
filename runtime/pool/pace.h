/* SPDX-License-Identifier: MIT
 *
 * pace - how long each statement takes here, as it was last seen.
 *
 * A fixed table of moving averages by the fingerprint of the statement.  Two
 * shapes that fall on the same place push each other out: the loser is unknown
 * again, which is the careful answer.
 *
 *   UNKNOWN  fewer than PACE_SAMPLES runs seen
 *   FAST     the average is below PACE_FAST_US: may share a connection
 *   SLOW     everything else: gets a connection of its own
 *
 * Memory: embedded, PACE_SLOTS entries.  Thread: its owner's.
 */
#ifndef PACE_H
#define PACE_H

#include <stdint.h>

#define PACE_SLOTS 4096
#define PACE_SAMPLES 2
#define PACE_FAST_US 1500

enum pace_class { PACE_UNKNOWN, PACE_FAST, PACE_SLOW };

struct pace_slot {
	uint64_t hash;
	float avg_us;
	uint32_t samples;
};

struct pace {
	struct pace_slot slots[PACE_SLOTS];
};

enum pace_class pace_of(const struct pace *p, uint64_t hash);
void pace_saw(struct pace *p, uint64_t hash, int64_t us);

#endif
