/* SPDX-License-Identifier: MIT
 *
 * hours - windows of the week: "Mon-Fri 07:00-19:00, Sat 08:00-12:00".
 *
 * Each window is a day, a range of days (Sat-Mon is three) or none for every
 * day, and a span.  A span is half-open: 07:00 is inside, 19:00 is not.  One
 * that ends at or before its begin goes on into the next morning and belongs
 * to the day on which it began: Fri 22:00-06:00 holds Saturday 05:00.  24:00
 * is the end of a day.
 *
 * A window is asked with what the clock on the wall shows.  In the night in
 * which an hour is left out, no instant is in that hour; in the night in which
 * one is repeated, both are.
 *
 * Memory: owns nothing.  Thread: any.
 */
#ifndef HOURS_H
#define HOURS_H

#include <stdbool.h>

#include "err.h"

#define HOURS_WINDOWS 8

struct hours {
	unsigned n;
	struct {
		unsigned days; /* bit 0: Monday */
		int from, to;  /* seconds of the day; to <= from: overnight */
	} windows[HOURS_WINDOWS];
};

/* LUNATE_EINVAL: what is wrong. */
MUST_USE
int hours_read(const char *text, struct hours *out, struct err *e);

/* weekday: 0 is Monday; second: of the day, 0 .. 86399. */
bool hours_hold(const struct hours *h, int weekday, int second);

#endif
