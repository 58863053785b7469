/* SPDX-License-Identifier: MIT */
#include "zone_rule.h"

#include <ctype.h>
#include <string.h>

#define DAY 86400

/* Days since 1970 of January 1st. */
static int64_t
year_begins(int64_t year)
{
	int64_t y = year - 1;

	return y * 365 + y / 4 - y / 100 + y / 400 - 719162;
}

static bool
leap(int64_t y)
{
	return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

/* The year of a day since 1970; not before the year 1. */
static int64_t
year_of(int64_t day)
{
	int64_t y = 1970 + day / 366;

	while (year_begins(y + 1) <= day)
		y++;
	while (year_begins(y) > day)
		y--;
	return y;
}

static int
month_days(int64_t year, int month)
{
	static const char days[] = {31, 28, 31, 30, 31, 30,
				    31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && leap(year));
}

/* M month.week.day: the week-th such weekday (0 is Sunday), 5 the last. */
static int64_t
turn_month(const struct zone_turn *t, int64_t year)
{
	int64_t first = year_begins(year);
	int last, weekday, day;

	for (int m = 1; m < t->month; m++)
		first += month_days(year, m);
	last = month_days(year, t->month);
	weekday = (int)(((first + 4) % 7 + 7) % 7);
	day = (t->day - weekday + 7) % 7 + (t->week - 1) * 7;
	while (day >= last)
		day -= 7;
	return first + day;
}

/* When it happens, by the clock that holds until then. */
static int64_t
turn_at(const struct zone_turn *t, int64_t year)
{
	int64_t day = year_begins(year) + t->day;

	if (t->kind == 'M')
		day = turn_month(t, year);
	else if (t->kind == 'J')
		day += -1 + (leap(year) && t->day >= 60);
	return day * DAY + t->second;
}

int
zone_rule_offset(const struct zone_rule *r, int64_t unix_s)
{
	int64_t local = unix_s + r->std, year, start, end;
	bool summer;

	if (!r->turns)
		return r->std;
	year = year_of((local - (local % DAY + DAY) % DAY) / DAY);
	start = turn_at(&r->start, year) - r->std;
	end = turn_at(&r->end, year) - r->dst;
	summer = start < end ? unix_s >= start && unix_s < end
			     : unix_s >= start || unix_s < end;
	return summer ? r->dst : r->std;
}

static bool
read_int(const char **at, int *out)
{
	if (!isdigit((unsigned char)**at))
		return false;
	for (*out = 0; isdigit((unsigned char)**at) && *out < 1000; ++*at)
		*out = *out * 10 + (**at - '0');
	return true;
}

/* [+-]h[:m[:s]], in seconds. */
static bool
read_span(const char **at, int *out)
{
	int sign = **at == '-' ? -1 : 1, part;

	*at += **at == '-' || **at == '+';
	if (!read_int(at, &part) || part > 167)
		return false;
	*out = part * 3600;
	for (int unit = 60; unit > 0 && **at == ':'; unit /= 60) {
		++*at;
		if (!read_int(at, &part) || part > 59)
			return false;
		*out += part * unit;
	}
	*out *= sign;
	return true;
}

static bool
read_name(const char **at)
{
	const char *from = *at;

	if (**at == '<') {
		while (**at != 0 && **at != '>')
			++*at;
		return *(*at)++ == '>';
	}
	while (isalpha((unsigned char)**at))
		++*at;
	return *at - from >= 3;
}

static bool
read_turn_day(const char **at, struct zone_turn *t)
{
	t->kind = **at == 'M' || **at == 'J' ? *(*at)++ : '0';
	if (t->kind != 'M')
		return read_int(at, &t->day) && t->day <= 365;
	return read_int(at, &t->month) && t->month >= 1 && t->month <= 12 &&
	       *(*at)++ == '.' && read_int(at, &t->week) && t->week >= 1 &&
	       t->week <= 5 && *(*at)++ == '.' && read_int(at, &t->day) &&
	       t->day <= 6;
}

static bool
read_turn(const char **at, struct zone_turn *t)
{
	t->second = 2 * 3600;
	if (*(*at)++ != ',' || !read_turn_day(at, t))
		return false;
	return **at != '/' || (++*at, read_span(at, &t->second));
}

bool
zone_rule_read(const char *text, struct zone_rule *out)
{
	const char *at = text;

	memset(out, 0, sizeof(*out));
	if (!read_name(&at) || !read_span(&at, &out->std))
		return false;
	out->std = -out->std;
	if (*at == 0)
		return true;
	out->turns = true;
	out->dst = -(out->std + 3600);
	if (!read_name(&at) || (*at != ',' && !read_span(&at, &out->dst)))
		return false;
	out->dst = -out->dst;
	return read_turn(&at, &out->start) && read_turn(&at, &out->end) &&
	       *at == 0;
}
