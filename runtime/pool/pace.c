/* SPDX-License-Identifier: MIT */
#include "pace.h"

static const struct pace_slot *
slot(const struct pace *p, uint64_t hash)
{
	return &p->slots[hash % PACE_SLOTS];
}

enum pace_class
pace_of(const struct pace *p, uint64_t hash)
{
	const struct pace_slot *s = slot(p, hash);

	if (s->hash != hash || s->samples < PACE_SAMPLES)
		return PACE_UNKNOWN;
	return s->avg_us < PACE_FAST_US ? PACE_FAST : PACE_SLOW;
}

/* A quarter of each new sample: four slow runs turn a fast statement slow,
 * one very slow run does so at once. */
void
pace_saw(struct pace *p, uint64_t hash, int64_t us)
{
	struct pace_slot *s = (struct pace_slot *)slot(p, hash);
	float sample = us < 0 ? 0 : (float)us;

	if (s->hash != hash) {
		*s = (struct pace_slot){hash, sample, 1};
		return;
	}
	s->avg_us += (sample - s->avg_us) / 4;
	if (s->samples < UINT32_MAX)
		s->samples++;
}
