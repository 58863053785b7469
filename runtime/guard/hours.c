/* SPDX-License-Identifier: MIT */
#include "hours.h"

#include <ctype.h>
#include <string.h>

#define DAY 86400

static const char days[7][4] = {"Mon", "Tue", "Wed", "Thu",
				"Fri", "Sat", "Sun"};

static void
skip_space(const char **at)
{
	while (**at == ' ')
		++*at;
}

static bool
read_day(const char **at, int *day)
{
	for (*day = 0; *day < 7; ++*day)
		if (strncmp(*at, days[*day], 3) == 0) {
			*at += 3;
			return true;
		}
	return false;
}

/* "Mon", "Mon-Fri" or nothing. */
static bool
read_days(const char **at, unsigned *mask)
{
	int from, to;

	*mask = 0x7f;
	if (!read_day(at, &from))
		return true;
	to = from;
	if (**at == '-' && (++*at, !read_day(at, &to)))
		return false;
	*mask = 1u << from;
	while (from != to) {
		from = (from + 1) % 7;
		*mask |= 1u << from;
	}
	return **at == ' ';
}

/* "07:30"; 24:00 only where an end may stand. */
static bool
read_time(const char **at, bool end, int *second)
{
	const char *t = *at;
	int hour, minute;

	for (int i = 0; i < 5; i++)
		if (i == 2 ? t[i] != ':' : !isdigit((unsigned char)t[i]))
			return false;
	hour = (t[0] - '0') * 10 + t[1] - '0';
	minute = (t[3] - '0') * 10 + t[4] - '0';
	*at += 5;
	*second = (hour * 60 + minute) * 60;
	return minute < 60 && (hour < 24 || (end && *second == DAY));
}

static bool
read_window(const char **at, struct hours *h)
{
	unsigned mask;
	int from, to;

	skip_space(at);
	if (!read_days(at, &mask))
		return false;
	skip_space(at);
	if (!read_time(at, false, &from) || *(*at)++ != '-' ||
	    !read_time(at, true, &to) || from == to)
		return false;
	skip_space(at);
	h->windows[h->n].days = mask;
	h->windows[h->n].from = from;
	h->windows[h->n].to = to;
	h->n++;
	return true;
}

int
hours_read(const char *text, struct hours *out, struct err *e)
{
	const char *at = text;

	memset(out, 0, sizeof(*out));
	for (;;) {
		if (out->n == HOURS_WINDOWS)
			return err_set(e, LUNATE_EINVAL,
				       "hours: at most %d windows",
				       HOURS_WINDOWS);
		if (!read_window(&at, out))
			break;
		if (*at == 0)
			return 0;
		if (*at++ != ',')
			break;
	}
	return err_set(e, LUNATE_EINVAL,
		       "hours \"%.60s\": write \"Mon-Fri 07:00-19:00, Sat "
		       "08:00-12:00\"",
		       text);
}

bool
hours_hold(const struct hours *h, int weekday, int second)
{
	unsigned today = 1u << weekday, before = 1u << (weekday + 6) % 7;

	for (unsigned i = 0; i < h->n; i++) {
		int from = h->windows[i].from, to = h->windows[i].to;
		unsigned mask = h->windows[i].days;

		if (from < to && mask & today && second >= from && second < to)
			return true;
		if (from > to && ((mask & today && second >= from) ||
				  (mask & before && second < to)))
			return true;
	}
	return false;
}
