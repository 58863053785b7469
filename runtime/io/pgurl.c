/* SPDX-License-Identifier: MIT */
#include "pgurl.h"

#include <ctype.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "near.h"
#include "pgurl_explain.h"

struct option {
	char *keyword, *value;
};

struct pgurl {
	unsigned magic;
#define PGURL_MAGIC 0x51c07f3b
	size_t n, noptions;
	struct pgurl_endpoint *endpoints; /* n of them */
	struct option *options;		  /* noptions of them */
	const char *warning;		  /* static text, or NULL */
	char *name;			  /* how messages call it */
};

static void
wipe(char *text)
{
	if (text == NULL)
		return;
	mem_wipe(text, strlen(text));
	mem_free(text);
}

/* ---- options ----------------------------------------------------------- */

static void
add_option(struct pgurl *u, const char *keyword, const char *value)
{
	size_t size = (u->noptions + 1) * sizeof(*u->options);

	u->options = mem_try_resize(u->options, size);
	assert(u->options != NULL);
	u->options[u->noptions].keyword = mem_dups(keyword);
	u->options[u->noptions++].value = mem_dups(value);
}

const char *
pgurl_get(const struct pgurl *u, const char *keyword)
{
	OBJ_CHECK(u, PGURL_MAGIC);
	for (size_t i = 0; i < u->noptions; i++)
		if (strcmp(u->options[i].keyword, keyword) == 0)
			return u->options[i].value;
	return NULL;
}

bool
pgurl_option(const struct pgurl *u, size_t i, const char **keyword,
	     const char **value)
{
	OBJ_CHECK(u, PGURL_MAGIC);
	if (i >= u->noptions)
		return false;
	*keyword = u->options[i].keyword;
	*value = u->options[i].value;
	return true;
}

static int
check_word(const struct pgurl *u, const char *keyword, const char *const *words,
	   struct err *e)
{
	const char *value = pgurl_get(u, keyword);
	struct near near;
	struct str all;
	int rc;

	if (value == NULL)
		return 0;
	near_init(&near, value);
	str_init(&all);
	for (; *words != NULL; words++) {
		if (strcmp(value, *words) == 0) {
			str_fini(&all);
			return 0;
		}
		near_try(&near, *words);
		str_addf(&all, "%s%s", all.len != 0 ? ", " : "", *words);
	}
	rc = err_set(e, LUNATE_ECONFIG, "%s: %s must be one of %s%s%s%s",
		     u->name, keyword, all.at,
		     near_best(&near) != NULL ? "; did you mean " : "",
		     near_best(&near) != NULL ? near_best(&near) : "",
		     near_best(&near) != NULL ? "?" : "");
	str_fini(&all);
	return rc;
}

/* A backslash at the very end would swallow the space before our own. */
static bool
ends_in_backslash(const char *options)
{
	size_t n = 0, len = options != NULL ? strlen(options) : 0;

	while (n < len && options[len - 1 - n] == '\\')
		n++;
	return n % 2 == 1;
}

static int
check_options(const struct pgurl *u, struct err *e)
{
	static const char *const sslmodes[] = {
		"disable",   "allow",	    "prefer", "require",
		"verify-ca", "verify-full", NULL};
	static const char *const attrs[] = {
		"any",	   "read-write",     "read-only", "primary",
		"standby", "prefer-standby", NULL};
	int rc;

	for (size_t i = 0; i < u->noptions; i++)
		if (strcmp(u->options[i].keyword, "password") != 0 &&
		    pgurl_has_control(u->options[i].value))
			return err_set(e, LUNATE_ECONFIG,
				       "%s: %s holds a control character; "
				       "remove it",
				       u->name, u->options[i].keyword);
	if (pgurl_get(u, "replication") != NULL)
		return err_set(e, LUNATE_ECONFIG,
			       "%s: replication connections take no "
			       "statements of lunate; remove \"replication\"",
			       u->name);
	if (ends_in_backslash(pgurl_get(u, "options")))
		return err_set(e, LUNATE_ECONFIG,
			       "%s: options end in a single backslash; "
			       "write it twice",
			       u->name);
	rc = check_word(u, "sslmode", sslmodes, e);
	return rc != 0 ? rc : check_word(u, "target_session_attrs", attrs, e);
}

/* ---- endpoints --------------------------------------------------------- */

static size_t
count_items(const char *list)
{
	size_t n = 1;

	if (list == NULL || *list == 0)
		return 0;
	for (; *list != 0; list++)
		n += *list == ',';
	return n;
}

/* A copy of the ith item; the only one stands for all; "" without a list. */
static char *
item(const char *list, size_t i)
{
	if (list == NULL)
		return mem_dups("");
	if (count_items(list) == 1)
		i = 0;
	while (i-- > 0)
		list = strchr(list, ',') + 1;
	return mem_dup(list, strcspn(list, ","));
}

static int
read_port(const char *name, const char *list, size_t i, struct err *e)
{
	char *text = item(list, i);
	bool digits = strspn(text, "0123456789") == strlen(text);
	long port = *text == 0 ? PGURL_PORT : strtol(text, NULL, 10);
	bool good = digits && strlen(text) < 8 && port > 0 && port <= 65535;

	wipe(text);
	if (good)
		return (int)port;
	return err_set(e, LUNATE_ECONFIG,
		       "%s: the port must be a number from 1 to 65535; a '/', "
		       "':', '?' or '@' inside a password must be written as "
		       "%%2F, %%3A, %%3F or %%40",
		       name);
}

static bool
bad_host(const char *host)
{
	for (; *host != 0; host++)
		if (isspace((unsigned char)*host) ||
		    iscntrl((unsigned char)*host))
			return true;
	return false;
}

struct addresses {
	const char *host, *hostaddr, *port; /* lists, or NULL */
};

static int
read_endpoint(struct pgurl *u, const struct addresses *a, struct err *e)
{
	struct pgurl_endpoint *at = &u->endpoints[u->n];
	int port = read_port(u->name, a->port, u->n, e);

	if (port < 0)
		return port;
	at->port = port;
	at->host = item(a->host, u->n);
	if (a->hostaddr != NULL)
		at->hostaddr = item(a->hostaddr, u->n);
	at->is_unix = at->host[0] == '/' || at->host[0] == '@' ||
		      (at->host[0] == 0 && a->hostaddr == NULL);
	u->n++;
	if (bad_host(at->host))
		return err_set(e, LUNATE_ECONFIG,
			       "%s: white space inside a host; separate "
			       "hosts with commas only",
			       u->name);
	return 0;
}

static int
read_endpoints(struct pgurl *u, const struct addresses *a, struct err *e)
{
	size_t hosts = count_items(a->host), addrs = count_items(a->hostaddr);
	size_t ports = count_items(a->port), n = hosts > addrs ? hosts : addrs;
	int rc = 0;

	if (n == 0)
		n = 1;
	if (hosts != 0 && addrs != 0 && hosts != addrs)
		return err_set(e, LUNATE_ECONFIG,
			       "%s: %zu hosts but %zu addresses in hostaddr; "
			       "give one for each",
			       u->name, hosts, addrs);
	if (ports > 1 && ports != n)
		return err_set(e, LUNATE_ECONFIG,
			       "%s: %zu ports for %zu hosts; give one port "
			       "for all or one for each",
			       u->name, ports, n);
	u->endpoints = mem_new(n * sizeof(*u->endpoints));
	for (size_t i = 0; i < n && rc == 0; i++) {
		rc = read_endpoint(u, a, e);
		if (rc == 0 && n > 1 && u->endpoints[i].host[0] == 0 &&
		    (addrs == 0 || u->endpoints[i].hostaddr[0] == 0))
			rc = err_set(e, LUNATE_ECONFIG,
				     "%s: an empty host in a list of hosts; "
				     "remove a comma or name the host",
				     u->name);
	}
	return rc;
}

/* ---- birth and death --------------------------------------------------- */

static int
take_options(struct pgurl *u, const PQconninfoOption *o, struct err *e)
{
	struct addresses a = {NULL, NULL, NULL};
	int rc;

	for (; o->keyword != NULL; o++) {
		if (o->val == NULL || *o->val == 0)
			continue;
		if (strcmp(o->keyword, "host") == 0)
			a.host = o->val;
		else if (strcmp(o->keyword, "hostaddr") == 0)
			a.hostaddr = o->val;
		else if (strcmp(o->keyword, "port") == 0)
			a.port = o->val;
		else
			add_option(u, o->keyword, o->val);
	}
	rc = read_endpoints(u, &a, e);
	return rc != 0 ? rc : check_options(u, e);
}

static void
free_parsed(PQconninfoOption *options)
{
	for (PQconninfoOption *o = options; o != NULL && o->keyword; o++)
		if (o->val != NULL)
			mem_wipe(o->val, strlen(o->val));
	PQconninfoFree(options);
}

/* libpq's message may quote the text with the password in it: only that there
 * is one is of use here. */
int
pgurl_new(struct pgurl **out, const char *name, const char *text, struct err *e)
{
	PQconninfoOption *parsed;
	struct pgurl *u;
	char *message = NULL;
	int rc = pgurl_refuse(name, text, e);

	*out = NULL;
	if (rc != 0)
		return rc;
	parsed = PQconninfoParse(text, &message);
	if (parsed == NULL) {
		PQfreemem(message);
		return pgurl_explain(name, text, e);
	}
	u = mem_new(sizeof(*u));
	OBJ_INIT(u, PGURL_MAGIC);
	u->name = mem_dups(name);
	rc = take_options(u, parsed, e);
	free_parsed(parsed);
	if (rc != 0)
		pgurl_free(&u);
	*out = u;
	return rc;
}

void
pgurl_free(struct pgurl **pu)
{
	struct pgurl *u;

	if (*pu == NULL)
		return;
	OBJ_TAKE(u, pu, PGURL_MAGIC);
	for (size_t i = 0; i < u->n; i++) {
		wipe(u->endpoints[i].host);
		wipe(u->endpoints[i].hostaddr);
	}
	for (size_t i = 0; i < u->noptions; i++) {
		wipe(u->options[i].keyword);
		wipe(u->options[i].value);
	}
	mem_free(u->endpoints);
	mem_free(u->options);
	wipe(u->name);
	OBJ_FINI(u);
	mem_free(u);
}

/* ---- completing it ----------------------------------------------------- */

void
pgurl_inherit(struct pgurl *u, const struct pgurl *from)
{
	const char *mine, *theirs, *keyword, *value;
	bool same_user;

	OBJ_CHECK(u, PGURL_MAGIC);
	OBJ_CHECK(from, PGURL_MAGIC);
	mine = pgurl_get(u, "user");
	theirs = pgurl_get(from, "user");
	same_user = mine == NULL ||
		    (theirs != NULL && strcmp(mine, theirs) == 0);
	for (size_t i = 0; pgurl_option(from, i, &keyword, &value); i++) {
		if (pgurl_get(u, keyword) != NULL ||
		    strcmp(keyword, "target_session_attrs") == 0 ||
		    strcmp(keyword, "service") == 0)
			continue;
		if (same_user || strcmp(keyword, "password") != 0)
			add_option(u, keyword, value);
	}
}

static bool
is_encrypted(const char *sslmode)
{
	return strcmp(sslmode, "require") == 0 ||
	       strncmp(sslmode, "verify-", 7) == 0;
}

/* libpq never asks for TLS on a Unix socket. */
static bool
leaves_host(const struct pgurl *u)
{
	for (size_t i = 0; i < u->n; i++)
		if (!u->endpoints[i].is_unix)
			return true;
	return false;
}

static void
demand_ssl(struct pgurl *u, const char *root_cert)
{
	if (root_cert != NULL && pgurl_get(u, "sslrootcert") == NULL)
		add_option(u, "sslrootcert", root_cert);
	if (pgurl_get(u, "sslrootcert") != NULL) {
		add_option(u, "sslmode", "verify-full");
		return;
	}
	add_option(u, "sslmode", "require");
	if (!leaves_host(u))
		return;
	u->warning = "TLS without a root certificate: the traffic is "
		     "encrypted but the server's identity is not checked; set "
		     "DATABASE_SSL_ROOT_CERT to the file of the authority";
}

int
pgurl_ssl(struct pgurl *u, enum pgurl_ssl wish, const char *root_cert,
	  struct err *e)
{
	const char *mode;

	OBJ_CHECK(u, PGURL_MAGIC);
	mode = pgurl_get(u, "sslmode");
	if (wish == PGURL_SSL_ON && mode != NULL && !is_encrypted(mode))
		return err_set(e, LUNATE_ECONFIG,
			       "%s says sslmode=%s, which allows a connection "
			       "without TLS, but DATABASE_SSL=true asks for "
			       "it; remove one of them or say sslmode=require",
			       u->name, mode);
	if (wish == PGURL_SSL_ON && mode == NULL)
		demand_ssl(u, root_cert);
	else if (wish != PGURL_SSL_OFF && mode != NULL && root_cert != NULL &&
		 strncmp(mode, "verify-", 7) == 0 &&
		 pgurl_get(u, "sslrootcert") == NULL)
		add_option(u, "sslrootcert", root_cert);
	if (wish == PGURL_SSL_OFF && mode == NULL)
		add_option(u, "sslmode", "disable");
	else if (wish == PGURL_SSL_OFF && is_encrypted(mode))
		u->warning = "DATABASE_SSL=false has no effect: the URL's own "
			     "sslmode asks for TLS and holds";
	return 0;
}

const char *
pgurl_warning(const struct pgurl *u)
{
	OBJ_CHECK(u, PGURL_MAGIC);
	return u->warning;
}

/* ---- reading it -------------------------------------------------------- */

size_t
pgurl_endpoints(const struct pgurl *u)
{
	OBJ_CHECK(u, PGURL_MAGIC);
	return u->n;
}

const struct pgurl_endpoint *
pgurl_endpoint(const struct pgurl *u, size_t i)
{
	OBJ_CHECK(u, PGURL_MAGIC);
	assert(i < u->n);
	return &u->endpoints[i];
}

static void
add_encoded(struct str *s, const char *text)
{
	for (; *text != 0; text++) {
		if (isalnum((unsigned char)*text) || strchr("-._~", *text))
			str_addc(s, *text);
		else
			str_addf(s, "%%%02X", (unsigned char)*text);
	}
}

static void
add_query(struct str *s, char mark, const char *keyword, const char *value)
{
	str_addf(s, "%c%s=", mark, keyword);
	add_encoded(s, value);
}

static void
add_endpoint(struct str *s, const struct pgurl_endpoint *at)
{
	const char *host = at->host[0] == 0 && at->hostaddr != NULL
				   ? at->hostaddr
				   : at->host;

	if (strchr(host, ':') != NULL && host[0] != '/')
		str_addf(s, "[%s]", host);
	else
		add_encoded(s, host);
	str_addf(s, ":%d", at->port);
}

void
pgurl_redacted(const struct pgurl *u, struct str *out)
{
	const char *user = pgurl_get(u, "user");
	const char *dbname = pgurl_get(u, "dbname");
	const char *sslmode = pgurl_get(u, "sslmode");
	const char *attrs = pgurl_get(u, "target_session_attrs");

	str_add(out, "postgres://");
	if (user != NULL)
		add_encoded(out, user);
	if (pgurl_get(u, "password") != NULL)
		str_add(out, ":***");
	if (user != NULL || pgurl_get(u, "password") != NULL)
		str_addc(out, '@');
	for (size_t i = 0; i < u->n; i++) {
		str_add(out, i != 0 ? "," : "");
		add_endpoint(out, &u->endpoints[i]);
	}
	if (dbname != NULL) {
		str_addc(out, '/');
		add_encoded(out, dbname);
	}
	if (sslmode != NULL)
		add_query(out, '?', "sslmode", sslmode);
	if (attrs != NULL)
		add_query(out, sslmode != NULL ? '&' : '?',
			  "target_session_attrs", attrs);
}
