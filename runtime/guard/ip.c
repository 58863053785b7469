/* SPDX-License-Identifier: MIT */
#include "ip.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define IP_TEXT 64

/* "010" is eight to some and ten to others. */
static bool
leading_zero(const char *text)
{
	const char *dot = strchr(text, '.');

	if (dot == NULL)
		return false;
	while (text < dot && strchr(text, ':') != NULL &&
	       strchr(text, ':') < dot)
		text = strchr(text, ':') + 1;
	for (; text != NULL; text = strchr(text, '.')) {
		text += *text == '.';
		if (text[0] == '0' && isdigit((unsigned char)text[1]))
			return true;
	}
	return false;
}

static void
unmap(struct ip *a)
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (memcmp(a->bytes, mapped, sizeof(mapped)) != 0)
		return;
	memmove(a->bytes, a->bytes + 12, 4);
	memset(a->bytes + 4, 0, 12);
	a->v4 = true;
}

static bool
read_plain(const char *text, struct ip *out)
{
	memset(out, 0, sizeof(*out));
	if (leading_zero(text))
		return false;
	if (strchr(text, ':') == NULL) {
		out->v4 = true;
		return inet_pton(AF_INET, text, out->bytes) == 1;
	}
	return inet_pton(AF_INET6, text, out->bytes) == 1;
}

static bool
zone_ok(const char *zone)
{
	size_t n = strspn(zone, "abcdefghijklmnopqrstuvwxyz"
				"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

	return n > 0 && zone[n] == 0;
}

bool
ip_read(const char *text, struct ip *out)
{
	const char *zone = strchr(text, '%');
	size_t n = zone != NULL ? (size_t)(zone - text) : strlen(text);
	char plain[IP_TEXT];

	if (n >= sizeof(plain))
		return false;
	memcpy(plain, text, n);
	plain[n] = 0;
	if (!read_plain(plain, out) ||
	    (zone != NULL && (out->v4 || !zone_ok(zone + 1))))
		return false;
	if (!out->v4)
		unmap(out);
	return true;
}

static bool
bits_clear(const struct ip *a, unsigned from)
{
	unsigned width = a->v4 ? 32 : 128;

	for (unsigned i = from; i < width; i++)
		if (a->bytes[i / 8] & (0x80u >> i % 8))
			return false;
	return true;
}

static bool
read_prefix(const char *text, unsigned width, unsigned *out)
{
	char *end;
	unsigned long n;

	if (!isdigit((unsigned char)text[0]) ||
	    (text[0] == '0' && text[1] != 0) || strlen(text) > 3)
		return false;
	n = strtoul(text, &end, 10);
	*out = (unsigned)n;
	return *end == 0 && n <= width;
}

/* ::ffff:10.0.0.0/104 is 10.0.0.0/8.  A shorter prefix is left as it is: the
 * bits of ffff then stand behind it, which is refused. */
static void
unmap_range(struct ip_range *r)
{
	struct ip a = r->first;

	unmap(&a);
	if (!a.v4 || r->bits < 96)
		return;
	r->first = a;
	r->bits -= 96;
}

int
ip_range_read(const char *text, struct ip_range *out, struct err *e)
{
	const char *slash = strchr(text, '/');
	size_t n = slash != NULL ? (size_t)(slash - text) : strlen(text);
	char plain[IP_TEXT];
	unsigned width;

	if (n >= sizeof(plain))
		return err_set(e, LUNATE_EINVAL, "not an IP range");
	memcpy(plain, text, n);
	plain[n] = 0;
	if (!read_plain(plain, &out->first))
		return err_set(e, LUNATE_EINVAL,
			       "\"%s\" is not an IP address or range; octets "
			       "have no leading zero, ranges no zone",
			       text);
	width = out->bits = out->first.v4 ? 32 : 128;
	if (slash != NULL && !read_prefix(slash + 1, width, &out->bits))
		return err_set(e, LUNATE_EINVAL,
			       "\"%s\": the prefix is 0 to %u", text, width);
	if (!out->first.v4)
		unmap_range(out);
	if (!bits_clear(&out->first, out->bits))
		return err_set(e, LUNATE_EINVAL,
			       "\"%s\" has bits behind its prefix", text);
	return 0;
}

bool
ip_within(const struct ip *a, const struct ip_range *r)
{
	unsigned whole = r->bits / 8, rest = r->bits % 8;
	unsigned char mask = (unsigned char)(0xff00u >> rest);

	if (a->v4 != r->first.v4 ||
	    memcmp(a->bytes, r->first.bytes, whole) != 0)
		return false;
	return rest == 0 ||
	       ((a->bytes[whole] ^ r->first.bytes[whole]) & mask) == 0;
}
