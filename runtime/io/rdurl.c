/* SPDX-License-Identifier: MIT */
#include "rdurl.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

/* A piece of the URL, not terminated. */
struct piece {
	const char *at;
	size_t len;
};

static int
bad(struct err *e, const char *what)
{
	return err_set(e, LUNATE_ECONFIG,
		       "the Redis URL has %s; the forms are "
		       "redis://[user:password@]host[:port][/db] and "
		       "unix:///path?db=1",
		       what);
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One decoded byte at *at, which moves on; -1: not a valid escape. */
static int
next_byte(const char **at, const char *end)
{
	const char *s = *at;

	if (*s != '%') {
		*at = s + 1;
		return (unsigned char)*s;
	}
	if (end - s < 3 || hex(s[1]) < 0 || hex(s[2]) < 0)
		return -1;
	*at = s + 3;
	return hex(s[1]) << 4 | hex(s[2]);
}

/* False: a bad escape, an escaped zero, or too long for `room`. */
static bool
decode(char *out, size_t room, struct piece p)
{
	const char *at = p.at, *end = p.at + p.len;
	size_t n = 0;

	while (at < end) {
		int c = next_byte(&at, end);

		if (c <= 0 || n + 1 >= room)
			return false;
		out[n++] = (char)c;
	}
	out[n] = 0;
	return true;
}

/* False: not a number of 0..max. */
static bool
number(struct piece p, int max, int *out)
{
	int n = 0;

	if (p.len == 0 || p.len > 6)
		return false;
	for (size_t i = 0; i < p.len; i++) {
		if (p.at[i] < '0' || p.at[i] > '9')
			return false;
		n = n * 10 + (p.at[i] - '0');
	}
	*out = n;
	return n <= max;
}

/* What stands before `c` (the whole when it is absent); *p is what follows.
 */
static bool
cut(struct piece *p, char c, struct piece *before)
{
	const char *hit = memchr(p->at, c, p->len);

	*before = *p;
	if (hit == NULL)
		return false;
	before->len = (size_t)(hit - p->at);
	p->at = hit + 1;
	p->len -= before->len + 1;
	return true;
}

/* [user]:password */
static int
parse_login(struct rdurl *u, struct piece login, struct err *e)
{
	struct piece user;

	if (!cut(&login, ':', &user))
		return bad(e, "a user without a password");
	if (!decode(u->user, sizeof(u->user), user) ||
	    !decode(u->password, sizeof(u->password), login))
		return bad(e, "an unusable user or password (reserved "
			      "characters are written as %XX)");
	return u->password[0] != 0 ? 0 : bad(e, "an empty password");
}

/* db=N */
static int
parse_query(struct rdurl *u, struct piece query, struct err *e)
{
	struct piece key;

	if (!cut(&query, '=', &key) || key.len != 2 ||
	    memcmp(key.at, "db", 2) != 0)
		return bad(e, "an option other than db=N");
	return number(query, 65535, &u->db) ? 0
					    : bad(e, "an unusable db number");
}

static int
parse_port(struct rdurl *u, struct piece port, struct err *e)
{
	if (!number(port, 65535, &u->port) || u->port == 0)
		return bad(e, "an unusable port");
	return 0;
}

/* [v6]:port or host:port */
static int
parse_host(struct rdurl *u, struct piece where, struct err *e)
{
	struct piece host;
	bool port;

	if (where.len > 0 && where.at[0] == '[') {
		where.at++;
		where.len--;
		if (!cut(&where, ']', &host) ||
		    (where.len > 0 && where.at[0] != ':'))
			return bad(e, "an unusable IPv6 address");
		port = where.len > 0;
		where.at += port;
		where.len -= port;
	} else {
		port = cut(&where, ':', &host);
	}
	if (host.len == 0 || !decode(u->host, sizeof(u->host), host))
		return bad(e, "no usable host");
	return port ? parse_port(u, where, e) : 0;
}

static int
parse_tcp(struct rdurl *u, struct piece rest, struct err *e)
{
	struct piece where, path;
	bool has_path, has_query;
	int rc;

	has_query = cut(&rest, '?', &path);
	has_path = cut(&path, '/', &where);
	rc = parse_host(u, where, e);
	if (rc != 0)
		return rc;
	if (has_path && path.len > 0 && !number(path, 65535, &u->db))
		return bad(e, "an unusable db number");
	return has_query ? parse_query(u, rest, e) : 0;
}

static int
parse_unix(struct rdurl *u, struct piece rest, struct err *e)
{
	struct piece path;
	bool has_query = cut(&rest, '?', &path);

	if (path.len < 2 || path.at[0] != '/' ||
	    !decode(u->path, sizeof(u->path), path))
		return bad(e, "no usable path (absolute, at most 107 bytes)");
	return has_query ? parse_query(u, rest, e) : 0;
}

/* The login ends at the last '@': passwords are often not encoded. */
static int
parse_rest(struct rdurl *u, const char *text, bool tcp, struct err *e)
{
	const char *at = strrchr(text, '@');
	struct piece rest = {text, strlen(text)};
	int rc;

	if (at != NULL && text[0] != '/') {
		struct piece login = {text, (size_t)(at - text)};

		rc = parse_login(u, login, e);
		if (rc != 0)
			return rc;
		rest.at = at + 1;
		rest.len -= login.len + 1;
	}
	return tcp ? parse_tcp(u, rest, e) : parse_unix(u, rest, e);
}

int
rdurl_parse(struct rdurl *u, const char *url, struct err *e)
{
	int rc;

	memset(u, 0, sizeof(*u));
	u->port = RDURL_PORT;
	if (strncmp(url, "rediss://", 9) == 0)
		return err_set(e, LUNATE_EUNSUPPORTED,
			       "rediss:// needs TLS, which this build's "
			       "hiredis does not have; use redis:// through a "
			       "tunnel (stunnel) or a unix socket");
	if (strncmp(url, "redis://", 8) == 0)
		rc = parse_rest(u, url + 8, true, e);
	else if (strncmp(url, "unix://", 7) == 0)
		rc = parse_rest(u, url + 7, false, e);
	else
		rc = bad(e, "an unknown scheme");
	if (rc != 0)
		rdurl_wipe(u);
	return rc;
}

void
rdurl_wipe(struct rdurl *u)
{
	mem_wipe(u, sizeof(*u));
}
