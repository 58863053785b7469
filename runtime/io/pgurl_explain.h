/* SPDX-License-Identifier: MIT
 *
 * pgurl_explain - why a text is no connection URL, without quoting it.
 *
 * libpq's own messages quote the text, and the text may hold a password; so
 * a text it refused is looked through again here for the usual mistakes.
 * A keyword is named only where no part of a password can stand.
 *
 * Memory: owns nothing.  Thread: any.
 */
#ifndef PGURL_EXPLAIN_H
#define PGURL_EXPLAIN_H

#include <stdbool.h>

#include "err.h"
#include "obj.h"

/* What no parser need be asked about: empty, control characters, a scheme
 * that is not PostgreSQL's.  0 when there is nothing of that kind. */
MUST_USE
int pgurl_refuse(const char *name, const char *text, struct err *e);

/* The text was refused by libpq.  Returns LUNATE_ECONFIG. */
int pgurl_explain(const char *name, const char *text, struct err *e);

bool pgurl_has_control(const char *text);

#endif
