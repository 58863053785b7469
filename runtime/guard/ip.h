/* SPDX-License-Identifier: MIT
 *
 * ip - addresses and ranges of IPv4 and IPv6, read strictly.
 *
 *	10.20.30.40   2001:db8::1   ::ffff:10.20.30.40   fe80::1%eth0
 *	10.20.0.0/16  2001:db8::/48
 *
 * One machine has one address: what is mapped (::ffff:a.b.c.d) is the IPv4
 * address, wherever it stands, so a range of IPv4 holds it and one of IPv6
 * does not.  The zone of an address (%eth0) says which wire of ours, not who;
 * it is checked and left out.  Refused: octets with a leading zero (they are
 * octal to some readers), ranges with bits behind the prefix, with a zone, or
 * that hold mapped addresses and others.
 *
 * Memory: owns nothing.  Thread: any.
 */
#ifndef IP_H
#define IP_H

#include <stdbool.h>

#include "err.h"

struct ip {
	unsigned char bytes[16]; /* IPv4: the first four */
	bool v4;
};

/* An address alone is the range of itself. */
struct ip_range {
	struct ip first;
	unsigned bits; /* how many of the first ones are fixed */
};

/* false: it is none. */
MUST_USE
bool ip_read(const char *text, struct ip *out);

/* LUNATE_EINVAL: what is wrong. */
MUST_USE
int ip_range_read(const char *text, struct ip_range *out, struct err *e);

bool ip_within(const struct ip *a, const struct ip_range *r);

#endif
