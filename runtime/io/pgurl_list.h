/* SPDX-License-Identifier: MIT
 *
 * pgurl_list - several servers in one text, as in READ_REPLICA_URLS.
 *
 *   postgres://a/db,postgres://b/db   two URLs
 *   postgres://a,b/db                 one URL of two endpoints: a comma that
 *                                     no "postgres://" follows is the URL's
 *   r1,r2:5433                        only addresses: each is a server
 *   host=a,b dbname=db                one text of keyword=value pairs
 *
 * What an entry does not say it inherits: pgurl_inherit(), by the caller.
 *
 * Memory: owns its entries; one that is taken out is replaced by NULL.
 * Thread: that of its owner.
 */
#ifndef PGURL_LIST_H
#define PGURL_LIST_H

#include <stddef.h>

#include "err.h"
#include "obj.h"
#include "pgurl.h"

struct pgurl_list {
	struct pgurl **at;
	size_t n;
};

/* `name` is how messages call the text.  LUNATE_ECONFIG names the entry that
 * cannot be used; the list is empty then. */
MUST_USE
int pgurl_list_init(struct pgurl_list *list, const char *name, const char *text,
		    struct err *e);

void pgurl_list_fini(struct pgurl_list *list);

#endif
