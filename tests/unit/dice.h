/* SPDX-License-Identifier: MIT
 *
 * dice - for tests: chance that can be had again.
 *
 *	dice_init();			// seed of LUNATE_SEED, or of the clock
 *	unsigned n = dice(6);		// 0 .. 5
 *	for (unsigned i = 0; i < dice_rounds(1000, 100000); i++)
 *
 * The seed stands in front of what a failing test says.
 *
 * Include after cmocka.h.
 */
#ifndef DICE_H
#define DICE_H

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "obj.h"

static uint64_t dice_state;

UNUSED static void
dice_init(void)
{
	const char *given = getenv("LUNATE_SEED");
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	dice_state = given != NULL ? strtoull(given, NULL, 10)
				   : (uint64_t)t.tv_nsec ^ (uint64_t)t.tv_sec;
	print_message("LUNATE_SEED=%llu\n", (unsigned long long)dice_state);
}

/* splitmix64 (Steele, Lea, Flood 2014). */
UNUSED static uint64_t
dice_raw(void)
{
	uint64_t z = (dice_state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

UNUSED static unsigned
dice(unsigned sides)
{
	return (unsigned)(dice_raw() % sides);
}

/* Of make test, and of make prove. */
UNUSED static unsigned
dice_rounds(unsigned few, unsigned many)
{
	return getenv("LUNATE_PROVE") != NULL ? many : few;
}

#endif
