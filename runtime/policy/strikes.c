/* SPDX-License-Identifier: MIT */
#include "strikes.h"

bool
strikes_add(struct strikes *s, unsigned file, int64_t now_ms)
{
	int64_t *at = s->at_ms[file];
	unsigned n = s->n[file]++;

	at[n % STRIKES_OUT] = now_ms;
	/* The next place in the ring is that of the oldest. */
	if (n + 1 < STRIKES_OUT ||
	    now_ms - at[(n + 1) % STRIKES_OUT] > STRIKES_MS)
		return false;
	s->n[file] = 0;
	return true;
}

void
strikes_forget(struct strikes *s, unsigned file)
{
	s->n[file] = 0;
}
