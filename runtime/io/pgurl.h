/* SPDX-License-Identifier: MIT
 *
 * pgurl - where a PostgreSQL is and how to log in, from one text.
 *
 * The text is what libpq takes: a URL ("postgres://user@host/db?sslmode=...")
 * or keyword=value pairs ("host=... dbname=..."); libpq's own parser reads
 * it.  Only what the text says is kept.  libpq itself fills in what is still
 * missing when it connects, in its usual order: a service, the PG*
 * environment, .pgpass, and at last its compiled-in values.
 *
 * Several hosts become several endpoints, in order.  An endpoint is one
 * address for one connection attempt: who connects tries them, libpq never
 * gets more than one.
 *
 * Always true: there is at least one endpoint; `host`, `hostaddr` and `port`
 *              are in the endpoints and not among the options; no text but
 *              the password holds a control character.
 * Secrets: no message and no pgurl_redacted() holds a password, nor a piece
 *          of a text that could not be read (a '/' in a password moves it
 *          into what looks like the port).  pgurl_free() wipes everything.
 * Memory: texts live until pgurl_free().
 * Thread: built by one; never changes after that, so any thread may read.
 */
#ifndef PGURL_H
#define PGURL_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "obj.h"
#include "str.h"

#define PGURL_PORT 5432

struct pgurl;

struct pgurl_endpoint {
	char *host;	/* name, address, or socket directory; "" = libpq's */
	char *hostaddr; /* address the text gave beside the name, or NULL */
	int port;	/* 1..65535 */
	bool is_unix;	/* nothing to look up in the DNS */
};

/* What DATABASE_SSL asks for. */
enum pgurl_ssl { PGURL_SSL_UNSET = -1, PGURL_SSL_OFF, PGURL_SSL_ON };

/* `name` is how messages call the text: "DATABASE_URL".  LUNATE_ECONFIG when
 * it cannot be used. */
MUST_USE
int pgurl_new(struct pgurl **out, const char *name, const char *text,
	      struct err *e);

/* Takes from `from` what `u` does not say: user, password, dbname and all
 * options, but not the address (host, port), not target_session_attrs (which
 * is about one server), and the password only for the same user. */
void pgurl_inherit(struct pgurl *u, const struct pgurl *from);

/* Settles sslmode, once, after pgurl_inherit().
 *   UNSET  as the text says (else libpq's default, "prefer")
 *   ON     as the text says, refused (LUNATE_ECONFIG) when that is weaker
 *          than "require"; else "verify-full" when there is a root
 *          certificate, "require" and a warning when not (no
 *          warning when all endpoints are Unix sockets: no TLS there)
 *   OFF    as the text says (with a warning when that is "require" or
 *          more), else "disable"
 * `root_cert` is the path of an existing root certificate, or NULL; an
 * sslrootcert in the text goes before it. */
MUST_USE
int pgurl_ssl(struct pgurl *u, enum pgurl_ssl wish, const char *root_cert,
	      struct err *e);

/* What pgurl_ssl() warns of, or NULL. */
const char *pgurl_warning(const struct pgurl *u);

size_t pgurl_endpoints(const struct pgurl *u);
const struct pgurl_endpoint *pgurl_endpoint(const struct pgurl *u, size_t i);

/* A value by libpq's keyword ("user", "dbname", "target_session_attrs"), or
 * NULL when the text does not say. */
const char *pgurl_get(const struct pgurl *u, const char *keyword);

/* The ith option that was given; false behind the last. */
bool pgurl_option(const struct pgurl *u, size_t i, const char **keyword,
		  const char **value);

/* Appends "postgres://user:***@host:port,host/db?sslmode=..." for logs. */
void pgurl_redacted(const struct pgurl *u, struct str *out);

void pgurl_free(struct pgurl **pu);

#endif
