/* SPDX-License-Identifier: MIT
 *
 * rdurl - where a Redis is and how to log in, from one URL.
 *
 *   redis://[[user]:password@]host[:port][/db]      port 6379, db 0
 *   unix://[[user]:password@]/path/of/socket[?db=1]
 *
 * User, password and path may be percent-encoded; an IPv6 address stands in
 * brackets.  `rediss://` is refused: hiredis as shipped by Debian 12 (0.14.1)
 * has no TLS.  No text of an error repeats any part of the URL: it may hold a
 * password.
 *
 * Memory: one plain struct; wipe it with rdurl_wipe().  Thread: none.
 */
#ifndef RDURL_H
#define RDURL_H

#include "err.h"
#include "obj.h"

#define RDURL_PORT 6379

struct rdurl {
	char host[256];	    /* name or numeric address; "" = unix socket */
	char path[108];	    /* of the unix socket; "" = TCP */
	int port;	    /* TCP only */
	int db;		    /* 0 = the server's default */
	char user[128];	    /* "" = the default user */
	char password[512]; /* "" = no login */
};

/* 0, LUNATE_EUNSUPPORTED (rediss), or LUNATE_ECONFIG. */
MUST_USE
int rdurl_parse(struct rdurl *u, const char *url, struct err *e);

void rdurl_wipe(struct rdurl *u);

#endif
