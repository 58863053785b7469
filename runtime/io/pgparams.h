/* SPDX-License-Identifier: MIT
 *
 * pgparams - what PQconnectStartParams() is called with, for one endpoint.
 *
 * The URL's own keywords pass through.  On top of them lunate says what it
 * depends on: client_encoding=UTF8, and in `options`, behind the URL's own
 * options so that they hold, DateStyle=ISO, IntervalStyle=postgres,
 * TimeZone=UTC, bytea_output=hex, extra_float_digits=1,
 * standard_conforming_strings=on, and what pgparams_session asks for.  Not
 * forced, only said when the URL does not: application_name, TCP keepalives
 * (first after 10 s, then 3 of 3 s) and tcp_user_timeout (10 s; libpq's own
 * default notices a vanished network after minutes).
 *
 * libpq sends PGTZ and PGDATESTYLE of the environment behind all of this:
 * who depends on them looks at PQparameterStatus() after login.
 *
 * Memory: owns copies of all texts, wiped by pgparams_free().
 * Thread: that of its owner.
 */
#ifndef PGPARAMS_H
#define PGPARAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "obj.h"
#include "pgurl.h"

#define PGPARAMS_ROOM 72

struct pgparams_session {
	const char *application_name; /* NULL: the URL's, else "lunate" */
	const char *schema; /* search_path "<schema>, public"; NULL: leave */
	int64_t statement_timeout_ms; /* < 0: leave as the server has it */
	bool read_only;		      /* default_transaction_read_only */
	const char *role;	      /* taken at login; NULL: the user's own */
};

struct pgparams {
	unsigned magic;
#define PGPARAMS_MAGIC 0x9a21c4e7
	size_t n; /* pairs; a NULL pair follows */
	const char *keys[PGPARAMS_ROOM];
	const char *values[PGPARAMS_ROOM];
};

/* `hostaddr` is the looked-up address, or NULL (then the URL's, if any).
 * Use: PQconnectStartParams(p->keys, p->values, 0). */
struct pgparams *pgparams_new(const struct pgurl *u, size_t endpoint,
			      const char *hostaddr,
			      const struct pgparams_session *session);

/* The value of a key, or NULL. */
const char *pgparams_get(const struct pgparams *p, const char *key);

void pgparams_free(struct pgparams **pp);

#endif
