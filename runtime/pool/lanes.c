/* SPDX-License-Identifier: MIT */
#include "lanes.h"

#include "obj.h"

#define GAIN 1.10
#define LOSS 0.97
#define BUSY 0.85 /* of the width: the lanes are what limits */
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
	*l = (struct lanes){.most = most, .more = true, .rest = REST_MIN};
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

/* Half as many more, or a quarter fewer. */
static int
next_width(const struct lanes *l)
{
	int step = l->more ? l->width / 2 : -(l->width / 4);

	if (step == 0)
		step = l->more ? 1 : -1;
	return within(l, l->width + step);
}

/* A way that does not exist is not tried. */
static void
begin_try(struct lanes *l, double measured)
{
	if (next_width(l) == l->width)
		l->more = !l->more;
	l->rested = 0;
	if (next_width(l) == l->width)
		return;
	l->trying = l->width;
	l->before = measured;
	set_width(l, next_width(l));
}

/* What pays is tried again soon; what does not is undone, and next time it is
 * the other way. */
static void
end_try(struct lanes *l, double measured)
{
	bool up = l->width > l->trying;
	int was = l->trying;

	l->trying = 0;
	l->rested = 0;
	if (measured >= l->before * (up ? GAIN : LOSS)) {
		l->rest = REST_MIN;
		return;
	}
	set_width(l, was);
	l->more = !up;
	if (l->rest < LANES_REST_MAX)
		l->rest *= 2;
}

static void
close_window(struct lanes *l, int64_t now_us)
{
	double elapsed = (double)(now_us - l->began_us);
	double measured = l->reads / elapsed;
	bool limits = (double)l->busy_us >= BUSY * elapsed * l->width;

	if (l->trying != 0)
		end_try(l, measured);
	else if (limits && ++l->rested >= l->rest)
		begin_try(l, measured);
}

static void
open_window(struct lanes *l, int64_t now_us)
{
	l->began_us = now_us;
	l->reads = 0;
	l->busy_us = 0;
}

/* The first window after a change still has reads that were sent before it. */
void
lanes_saw(struct lanes *l, int64_t now_us, int64_t busy_us)
{
	if (l->began_us == 0)
		open_window(l, now_us);
	l->reads++;
	l->busy_us += busy_us;
	if (l->reads < LANES_READS || now_us - l->began_us < LANES_WINDOW_US)
		return;
	if (!l->fresh)
		close_window(l, now_us);
	else
		l->fresh = false;
	open_window(l, now_us);
}
