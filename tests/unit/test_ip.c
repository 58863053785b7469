/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dice.h"
#include "ip.h"

static bool
within(const char *address, const char *range)
{
	struct ip_range r;
	struct ip a;
	struct err e;

	if (!ip_read(address, &a))
		fail_msg("%s is an address", address);
	if (ip_range_read(range, &r, &e) < 0)
		fail_msg("%s", e.text);
	return ip_within(&a, &r);
}

static void
ranges_hold_what_begins_like_them(void **state)
{
	assert_true(within("10.20.30.40", "10.20.0.0/16"));
	assert_false(within("10.21.0.0", "10.20.0.0/16"));
	assert_true(within("10.20.0.0", "10.20.0.0/32"));
	assert_true(within("10.20.0.0", "10.20.0.0"));
	assert_false(within("10.20.0.1", "10.20.0.0"));
	assert_true(within("255.255.255.255", "0.0.0.0/0"));
	assert_true(within("10.31.255.255", "10.16.0.0/12"));
	assert_false(within("10.32.0.0", "10.16.0.0/12"));
	assert_true(within("2001:db8:44::1", "2001:db8:44::/48"));
	assert_false(within("2001:db8:45::1", "2001:db8:44::/48"));
	assert_true(within("2001:DB8:44::1", "2001:db8:44:0::/49"));
}

static void
a_mapped_address_is_the_address(void **state)
{
	assert_true(within("::ffff:10.20.1.2", "10.20.0.0/16"));
	assert_true(within("::ffff:a14:102", "10.20.0.0/16"));
	assert_true(within("10.20.1.2", "::ffff:10.20.0.0/112"));
	assert_true(within("10.20.1.2", "::ffff:0:0/96"));
	assert_false(within("::ffff:10.20.1.2", "::/0"));
	assert_false(within("10.20.1.2", "::/0"));
	assert_false(within("::10.20.1.2", "10.20.0.0/16"));
}

static void
the_zone_of_an_address_is_left_out(void **state)
{
	assert_true(within("fe80::1%eth0", "fe80::/10"));
	assert_true(within("fe80::1%25", "fe80::1"));
}

static void
what_is_no_address_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"10.0.0",
		"10.0.0.256",
		"010.0.0.1",
		"10.0.0.01",
		"10.00.0.1",
		"::ffff:010.0.0.1",
		"::ffff:10.0.0.01",
		"10.0.0.1%eth0",
		"fe80::1%",
		"fe80::1%a b",
		"fe80::1%a%b",
		"1::2::3",
		" 10.0.0.1",
		"10.0.0.1 ",
		"0x0a.0.0.1",
		"167772161",
		"localhost",
		"::ffff:10.0.0.1.5",
		"12345::1",
		("1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:"
		 "dddd:eeee:ffff:0000:1111"),
	};
	struct ip a;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (ip_read(bad[i], &a))
			fail_msg("\"%s\" was taken", bad[i]);
}

static void
what_is_no_range_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"/8",
		"10.0.0.0/",
		"10.0.0.0/33",
		"10.0.0.0/08",
		"10.0.0.0/-1",
		"10.0.0.0/ 8",
		"10.0.0.0/8/8",
		"10.0.0.1/8",
		"::1/64",
		"::/129",
		"::ffff:0:0/95",
		"fe80::%eth0/10",
		"10.0.0.0/255.0.0.0",
	};
	struct ip_range r;
	struct err e;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (ip_range_read(bad[i], &r, &e) != LUNATE_EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
}

/* Shifting whole numbers: another way to the same answer. */
static void
random_addresses_agree_with_arithmetic(void **state)
{
	unsigned n = dice_rounds(20000, 1000000), yes = 0;

	for (unsigned i = 0; i < n; i++) {
		uint32_t net = (uint32_t)dice_raw(), bits = dice(33);
		uint64_t mask = (UINT64_C(0xffffffff) << (32 - bits)) &
				UINT64_C(0xffffffff);
		uint32_t a = dice(2) ? (uint32_t)dice_raw()
				     : net ^ (1u << dice(32));
		char range[40], address[40];
		bool want;

		net &= (uint32_t)mask;
		snprintf(range, sizeof(range), "%u.%u.%u.%u/%u", net >> 24,
			 net >> 16 & 255, net >> 8 & 255, net & 255, bits);
		snprintf(address, sizeof(address), "%s%u.%u.%u.%u",
			 dice(2) ? "::ffff:" : "", a >> 24, a >> 16 & 255,
			 a >> 8 & 255, a & 255);
		want = (a & (uint32_t)mask) == net;
		yes += want;
		if (within(address, range) != want)
			fail_msg("%s in %s", address, range);
	}
	assert_true(yes > n / 10 && yes < n);
}

static int
setup(void **state)
{
	dice_init();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_hold_what_begins_like_them),
		cmocka_unit_test(a_mapped_address_is_the_address),
		cmocka_unit_test(the_zone_of_an_address_is_left_out),
		cmocka_unit_test(what_is_no_address_is_refused),
		cmocka_unit_test(what_is_no_range_is_refused),
		cmocka_unit_test(random_addresses_agree_with_arithmetic),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, setup, NULL);
}
