/* SPDX-License-Identifier: MIT */
#include "pgparams.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "mem.h"
#include "str.h"

static size_t
find(const struct pgparams *p, const char *key)
{
	size_t i = 0;

	while (i < p->n && strcmp(p->keys[i], key) != 0)
		i++;
	return i;
}

static void
drop(const char *text)
{
	char *mine = (char *)(uintptr_t)text;

	mem_wipe(mine, strlen(mine));
	mem_free(mine);
}

/* Replaces what is there.  The last pair stays NULL. */
static void
set(struct pgparams *p, const char *key, const char *value)
{
	size_t i = find(p, key);

	if (i < p->n) {
		drop(p->values[i]);
	} else {
		assert(p->n + 1 < PGPARAMS_ROOM);
		p->keys[p->n++] = mem_dups(key);
	}
	p->values[i] = mem_dups(value);
}

static void
set_default(struct pgparams *p, const char *key, const char *value)
{
	if (find(p, key) == p->n)
		set(p, key, value);
}

/* The server cuts `options` at white space; a backslash keeps the next
 * character from being looked at. */
static void
add_setting(struct str *s, const char *name, const char *value)
{
	if (s->len != 0)
		str_addc(s, ' ');
	str_addf(s, "-c %s=", name);
	for (; *value != 0; value++) {
		if (isspace((unsigned char)*value) || *value == '\\')
			str_addc(s, '\\');
		str_addc(s, *value);
	}
}

/* An identifier of SQL: quoted always, so no name is special. */
static void
add_identifier(struct str *s, const char *name)
{
	str_addc(s, '"');
	for (; *name != 0; name++) {
		if (*name == '"')
			str_addc(s, '"');
		str_addc(s, *name);
	}
	str_addc(s, '"');
}

static void
add_session(struct str *s, const struct pgparams_session *session)
{
	struct str path;
	char ms[24];

	if (session->schema != NULL) {
		str_init(&path);
		add_identifier(&path, session->schema);
		if (strcmp(session->schema, "public") != 0)
			str_add(&path, ", public");
		add_setting(s, "search_path", path.at);
		str_fini(&path);
	}
	if (session->statement_timeout_ms >= 0) {
		snprintf(ms, sizeof(ms), "%" PRId64,
			 session->statement_timeout_ms);
		add_setting(s, "statement_timeout", ms);
	}
	if (session->read_only)
		add_setting(s, "default_transaction_read_only", "on");
	if (session->role != NULL)
		add_setting(s, "role", session->role);
}

static void
set_options(struct pgparams *p, const char *own,
	    const struct pgparams_session *session)
{
	struct str s;

	str_init(&s);
	if (own != NULL)
		str_add(&s, own);
	add_setting(&s, "DateStyle", "ISO");
	add_setting(&s, "IntervalStyle", "postgres");
	add_setting(&s, "TimeZone", "UTC");
	add_setting(&s, "bytea_output", "hex");
	add_setting(&s, "extra_float_digits", "1");
	add_setting(&s, "standard_conforming_strings", "on");
	add_session(&s, session);
	set(p, "options", s.at);
	str_fini(&s);
}

static void
set_address(struct pgparams *p, const struct pgurl_endpoint *at,
	    const char *hostaddr)
{
	char port[16];

	if (hostaddr == NULL)
		hostaddr = at->hostaddr;
	if (at->host[0] != 0)
		set(p, "host", at->host);
	if (hostaddr != NULL)
		set(p, "hostaddr", hostaddr);
	snprintf(port, sizeof(port), "%d", at->port);
	set(p, "port", port);
}

/* With one host, "prefer-standby" could only make libpq log in twice: the
 * preference is the caller's, who sees all endpoints. */
static void
set_from_url(struct pgparams *p, const struct pgurl *u)
{
	const char *key, *value;

	for (size_t i = 0; pgurl_option(u, i, &key, &value); i++)
		if (strcmp(key, "target_session_attrs") != 0 ||
		    strcmp(value, "prefer-standby") != 0)
			set(p, key, value);
}

struct pgparams *
pgparams_new(const struct pgurl *u, size_t endpoint, const char *hostaddr,
	     const struct pgparams_session *session)
{
	struct pgparams *p = mem_new(sizeof(*p));

	OBJ_INIT(p, PGPARAMS_MAGIC);
	set_address(p, pgurl_endpoint(u, endpoint), hostaddr);
	set_from_url(p, u);
	set(p, "client_encoding", "UTF8");
	if (session->application_name != NULL)
		set(p, "application_name", session->application_name);
	set_default(p, "application_name", "lunate");
	set_default(p, "keepalives_idle", "10");
	set_default(p, "keepalives_interval", "3");
	set_default(p, "keepalives_count", "3");
	set_default(p, "tcp_user_timeout", "10000");
	set_options(p, pgurl_get(u, "options"), session);
	return p;
}

const char *
pgparams_get(const struct pgparams *p, const char *key)
{
	size_t i;

	OBJ_CHECK(p, PGPARAMS_MAGIC);
	i = find(p, key);
	return i < p->n ? p->values[i] : NULL;
}

void
pgparams_free(struct pgparams **pp)
{
	struct pgparams *p;

	if (*pp == NULL)
		return;
	OBJ_TAKE(p, pp, PGPARAMS_MAGIC);
	for (size_t i = 0; i < p->n; i++) {
		drop(p->keys[i]);
		drop(p->values[i]);
	}
	OBJ_FINI(p);
	mem_free(p);
}
