/* SPDX-License-Identifier: MIT */
#include "lanes.h"

#include "obj.h"

#define GAIN 1.05
#define LOSS 0.98
#define REST_MIN 2

static int
within(const struct lanes *l, int width)
{
	if (width < 1)
		return 1;
	return width < l->most ? width : l->most;
}

/* The only place where the width changes. */
static void
set_width(struct lanes *l, int width)
{
	l->width = within(l, width);
	l->fresh = true;
}

void
lanes_init(struct lanes *l, int most)
{
	assert(most > 0);
	*l = (struct lanes){.most = most, .step = 1, .rest = REST_MIN};
	set_width(l, LANES_START);
}

int
lanes_width(const struct lanes *l)
{
	return l->width;
}

void
lanes_limit(struct lanes *l, int most)
{
	assert(most > 0);
	l->most = most;
	if (l->width <= most && l->trying <= most)
		return;
	l->trying = 0;
	set_width(l, l->width);
}

/* A way that does not exist is not tried. */
static void
begin_try(struct lanes *l, double measured)
{
	int width = l->width;

	if (within(l, width + l->step) == width)
		l->step = l->step > 0 ? -1 : 1;
	l->rested = 0;
	if (within(l, width + l->step) == width)
		return;
	l->trying = width;
	l->before = measured;
	set_width(l, width + l->step);
}

/* What pays is tried again at once, twice as far; what does not is undone, and
 * next time it is the other way. */
static void
end_try(struct lanes *l, double measured)
{
	bool more = l->width > l->trying;
	int was = l->trying;

	l->trying = 0;
	l->rested = 0;
	if (measured >= l->before * (more ? GAIN : LOSS)) {
		l->rest = REST_MIN;
		if (l->step * 2 <= l->width && l->step * -2 <= l->width)
			l->step *= 2;
		return;
	}
	set_width(l, was);
	l->step = more ? -1 : 1;
	if (l->rest < LANES_REST_MAX)
		l->rest *= 2;
}

static void
close_window(struct lanes *l)
{
	double each = (double)(l->busy_us > 0 ? l->busy_us : 1) / l->reads;
	double measured = l->width / each;

	if (l->trying != 0)
		end_try(l, measured);
	else if (++l->rested >= l->rest)
		begin_try(l, measured);
}

static void
open_window(struct lanes *l, int64_t now_us)
{
	l->began_us = now_us;
	l->reads = 0;
	l->busy_us = 0;
}

/* The first reads after a change were sent before it. */
void
lanes_saw(struct lanes *l, int64_t now_us, int64_t busy_us)
{
	if (l->began_us == 0)
		open_window(l, now_us);
	l->reads++;
	l->busy_us += busy_us;
	if (l->fresh && l->reads >= LANES_READS) {
		l->fresh = false;
		open_window(l, now_us);
		return;
	}
	if (l->reads < LANES_READS || now_us - l->began_us < LANES_WINDOW_US)
		return;
	close_window(l);
	open_window(l, now_us);
}
