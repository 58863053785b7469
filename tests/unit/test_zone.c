/* SPDX-License-Identifier: MIT */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "dice.h"
#include "hours.h"
#include "zone.h"
#include "zone_rule.h"

static struct zones zones;

static const struct zone *
zone(const char *name)
{
	const struct zone *z = NULL;
	struct err e;

	if (zones_get(&zones, name, &z, &e) < 0)
		fail_msg("%s: %s", name, e.text);
	return z;
}

/* ---- the C library, asked one zone at a time, must say the same ---------- */

static unsigned compared;

static void
same_as_libc(const struct zone *z, int64_t t)
{
	time_t at = (time_t)t;
	struct zone_clock c = zone_clock(z, t);
	struct tm tm;

	localtime_r(&at, &tm);
	if (tm.tm_gmtoff != zone_offset(z, t) ||
	    (tm.tm_wday + 6) % 7 != c.weekday ||
	    tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec != c.second)
		fail_msg("%s at %lld: libc %ld, ours %d", zone_name(z),
			 (long long)t, tm.tm_gmtoff, zone_offset(z, t));
	compared++;
}

/* Searches the seconds at which libc's offset changes between two instants. */
static void
around_change(const struct zone *z, int64_t lo, int64_t hi)
{
	while (hi - lo > 1) {
		int64_t mid = lo + (hi - lo) / 2;
		time_t a = (time_t)lo, b = (time_t)mid;
		struct tm ta, tb;

		localtime_r(&a, &ta);
		localtime_r(&b, &tb);
		if (ta.tm_gmtoff != tb.tm_gmtoff)
			hi = mid;
		else
			lo = mid;
	}
	for (int64_t t = lo - 2; t <= hi + 2; t++)
		same_as_libc(z, t);
}

static void
compare_zone(const char *name)
{
	const struct zone *z = zone(name);
	unsigned n = dice_rounds(4, 100);

	setenv("TZ", name, 1);
	tzset();
	for (unsigned i = 0; i < n; i++) {
		int64_t t = (int64_t)(dice_raw() % 4102444800u);

		same_as_libc(z, t);
		around_change(z, t, t + 200 * 86400);
	}
}

static int
visit(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	const char *name = path + strlen(ZONES_DIR "/");
	char head[4] = "";
	FILE *f;

	if (kind != FTW_F || strncmp(name, "right/", 6) == 0 ||
	    strncmp(name, "posix/", 6) == 0 || strchr(name, '.') != NULL)
		return 0;
	f = fopen(path, "r");
	if (f != NULL && fread(head, 1, 4, f) == 4 &&
	    memcmp(head, "TZif", 4) == 0)
		compare_zone(name);
	if (f != NULL)
		fclose(f);
	return 0;
}

static void
every_zone_of_the_system_agrees_with_the_c_library(void **state)
{
	compared = 0;
	assert_int_equal(nftw(ZONES_DIR, visit, 16, FTW_PHYS), 0);
	print_message("%u zones, %u instants\n", zones.n, compared);
	assert_true(zones.n > 300);
	assert_true(compared > 10000);
	unsetenv("TZ");
	tzset();
}

/* ---- nights of the change ------------------------------------------------ */

static bool
inside(const char *window, const char *name, int64_t t)
{
	struct zone_clock c = zone_clock(zone(name), t);
	struct hours h;
	struct err e;

	assert_int_equal(hours_read(window, &h, &e), 0);
	return hours_hold(&h, c.weekday, c.second);
}

static void
an_hour_that_is_left_out_holds_no_instant(void **state)
{
	/* Berlin, 2026-03-29: 02:00 CET is 03:00 CEST, 01:00 UTC. */
	int64_t change = INT64_C(1774746000);

	assert_true(inside("01:00-02:00", "Europe/Berlin", change - 1));
	assert_true(inside("03:00-04:00", "Europe/Berlin", change));
	for (int64_t t = change - 7200; t < change + 7200; t += 60)
		assert_false(inside("02:00-03:00", "Europe/Berlin", t));
}

static void
an_hour_that_comes_twice_holds_both(void **state)
{
	/* Sydney, 2026-04-05: 03:00 AEDT is 02:00 AEST, 16:00 UTC the day
	 * before. */
	int64_t change = INT64_C(1775318400);
	unsigned n = 0;

	for (int64_t t = change - 7200; t < change + 7200; t++)
		n += inside("Sun 02:00-03:00", "Australia/Sydney", t);
	assert_int_equal(n, 7200);
}

static void
half_an_hour_of_summer_time_is_half_an_hour(void **state)
{
	/* Lord Howe, 2026-10-04: 02:00 is 02:30, 15:30 UTC the day before. */
	int64_t change = INT64_C(1791041400);
	const struct zone *z = zone("Australia/Lord_Howe");

	assert_int_equal(zone_offset(z, change - 1), 37800);
	assert_int_equal(zone_offset(z, change), 39600);
}

static void
far_years_follow_the_rule(void **state)
{
	/* 2100-07-01 and 2100-12-01, noon UTC. */
	assert_int_equal(zone_offset(zone("Europe/Berlin"), 4118126400), 7200);
	assert_int_equal(zone_offset(zone("Europe/Berlin"), 4131345600), 3600);
	assert_int_equal(zone_offset(zone("America/Santiago"), 4118126400),
			 -4 * 3600);
	assert_int_equal(zone_offset(zone("America/Santiago"), 4131345600),
			 -3 * 3600);
}

static void
names_do_not_leave_the_folder(void **state)
{
	static const char *const bad[] = {
		"",
		"/etc/passwd",
		"../../../etc/passwd",
		"Europe/Nowhere",
		"Europe",
		"a b",
		"zone.tab",
		"UTC\n",
	};
	const struct zone *z;
	struct err e;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (zones_get(&zones, bad[i], &z, &e) != LUNATE_EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
}

static void
write_file(const char *path, const void *bytes, size_t n)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	fclose(f);
}

static void
a_damaged_file_is_an_error_and_no_crash(void **state)
{
	char dir[] = "/tmp/lunate-zone-XXXXXX", path[64], bytes[8192];
	const struct zone *z;
	unsigned taken = 0, n = dice_rounds(2000, 100000);
	struct zones own;
	struct err e;
	size_t len;
	FILE *f = fopen(ZONES_DIR "/Europe/Berlin", "r");

	assert_non_null(f);
	len = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/Broken", dir);
	for (unsigned i = 0; i < n; i++) {
		char copy[8192];

		memcpy(copy, bytes, len);
		for (unsigned k = dice(4); k > 0; k--)
			copy[dice((unsigned)(dice(2) ? 100 : len))] = (char)
				dice(256);
		write_file(path, copy, dice(2) ? len : dice((unsigned)len));
		zones_init(&own, dir);
		if (zones_get(&own, "Broken", &z, &e) == 0) {
			taken++;
			(void)zone_clock(z, (int64_t)dice_raw() / 1024);
		}
		zones_fini(&own);
	}
	unlink(path);
	rmdir(dir);
	assert_true(taken > 0 && taken < n);
}

static void
rules_that_are_none_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"CE",
		"CET",
		"CET-1CEST",
		"CET-1CEST,M3.5.0",
		"CET-1CEST,M13.5.0,M10.5.0",
		"CET-1CEST,M3.6.0,M10.5.0",
		"CET-1CEST,M3.5.7,M10.5.0",
		"CET-1CEST,M3.5.0,M10.5.0x",
		"<CET-1",
		"CET-1CEST,J366,J1",
		"CET-200",
	};
	struct zone_rule r;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (zone_rule_read(bad[i], &r))
			fail_msg("\"%s\" was taken", bad[i]);
	assert_true(zone_rule_read("AAA3BBB,J60/0,J300", &r));
	/* J60 is March 1st also in a leap year: 2024-03-01 03:00 UTC. */
	assert_int_equal(zone_rule_offset(&r, 1709262000 - 1), -3 * 3600);
	assert_int_equal(zone_rule_offset(&r, 1709262000), -2 * 3600);
	assert_true(zone_rule_read("AAA3BBB,59/0,300", &r));
	/* 59 is February 29th then. */
	assert_int_equal(zone_rule_offset(&r, 1709262000 - 86401), -3 * 3600);
	assert_int_equal(zone_rule_offset(&r, 1709262000 - 86400), -2 * 3600);
}

/* ---- windows ------------------------------------------------------------- */

static bool
holds(const char *text, int weekday, int second)
{
	struct hours h;
	struct err e;

	if (hours_read(text, &h, &e) < 0)
		fail_msg("%s", e.text);
	return hours_hold(&h, weekday, second);
}

static void
windows_are_half_open(void **state)
{
	assert_false(holds("Mon-Fri 07:00-19:00", 0, 7 * 3600 - 1));
	assert_true(holds("Mon-Fri 07:00-19:00", 0, 7 * 3600));
	assert_true(holds("Mon-Fri 07:00-19:00", 4, 19 * 3600 - 1));
	assert_false(holds("Mon-Fri 07:00-19:00", 4, 19 * 3600));
	assert_false(holds("Mon-Fri 07:00-19:00", 5, 12 * 3600));
	assert_true(holds("Sat-Mon 08:00-24:00", 6, 86399));
	assert_false(holds("Sat-Mon 08:00-24:00", 1, 12 * 3600));
	assert_true(holds("00:00-24:00", 3, 0));
}

static void
a_night_belongs_to_the_day_it_began(void **state)
{
	assert_true(holds("Fri 22:00-06:00", 4, 23 * 3600));
	assert_true(holds("Fri 22:00-06:00", 5, 6 * 3600 - 1));
	assert_false(holds("Fri 22:00-06:00", 5, 6 * 3600));
	assert_false(holds("Fri 22:00-06:00", 4, 5 * 3600));
	assert_true(holds("Sun 22:00-06:00", 0, 0));
	assert_true(holds("Mon 08:00-09:00,  Sun 22:00-00:00", 6, 86399));
	assert_false(holds("Sun 22:00-00:00", 0, 0));
}

static void
what_is_no_window_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"Mon",
		"Mon-Fri",
		"7:00-19:00",
		"07:00-25:00",
		"24:00-08:00",
		"07:00-07:00",
		"07:60-08:00",
		"mon 07:00-19:00",
		"Mon-Fri07:00-19:00",
		"Mon-Foo 07:00-19:00",
		"07:00-19:00,",
		"07:00-19:00 Mon",
		"07:00-24:01",
		("01:00-02:00,01:00-02:00,01:00-02:00,01:00-02:00,01:00-02:00,"
		 "01:00-02:00,01:00-02:00,01:00-02:00,01:00-02:00"),
	};
	struct hours h;
	struct err e;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (hours_read(bad[i], &h, &e) != LUNATE_EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
}

static int
setup(void **state)
{
	dice_init();
	zones_init(&zones, ZONES_DIR);
	return 0;
}

static int
teardown(void **state)
{
	zones_fini(&zones);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			every_zone_of_the_system_agrees_with_the_c_library),
		cmocka_unit_test(an_hour_that_is_left_out_holds_no_instant),
		cmocka_unit_test(an_hour_that_comes_twice_holds_both),
		cmocka_unit_test(half_an_hour_of_summer_time_is_half_an_hour),
		cmocka_unit_test(far_years_follow_the_rule),
		cmocka_unit_test(names_do_not_leave_the_folder),
		cmocka_unit_test(a_damaged_file_is_an_error_and_no_crash),
		cmocka_unit_test(rules_that_are_none_are_refused),
		cmocka_unit_test(windows_are_half_open),
		cmocka_unit_test(a_night_belongs_to_the_day_it_began),
		cmocka_unit_test(what_is_no_window_is_refused),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, setup, teardown);
}
