/* SPDX-License-Identifier: MIT
 *
 * closed - tables that nobody may touch, and why: what became of the lints.
 *
 * A table is closed by a lint that found a fault in it, or because it belongs
 * to whoever owns rows of one that is.  Some faults (a role that no policy
 * binds) close all tables, and so does an answer that did not come: what is
 * not known to be good is closed.
 *
 * Always true: never changes; two sets with the same tables for the same
 *              reasons are closed_same(), and have ids of their own.
 * Memory: counted; owns its texts.
 * Thread: any.
 */
#ifndef CLOSED_H
#define CLOSED_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "err.h"

struct closed;
struct lints;

struct closed_table {
	const char *schema, *name; /* "": all tables */
	const char *lint;	   /* its name; "parent-closed", "unasked" */
	const char *what;	   /* is wrong */
	const char *object;	   /* column, policy, role; or "" */
	const char *fix;	   /* SQL or a command; or "" */
};

/* After lints' done(); of an error: all. */
struct closed *closed_new(const struct lints *l);

/* Nothing is closed. */
struct closed *closed_none(void);

uint64_t closed_id(const struct closed *c);

/* Why a table is closed, borrowed; NULL: it is open. */
const struct closed_table *closed_by(const struct closed *c, const char *schema,
				     const char *name);

/* LUNATE_EDENIED with REFUSE_CLOSED: which table, what is wrong, what to do. */
int closed_refuse(const struct closed_table *t, struct err *e);

/* All of them, by schema and name; one that closes all tables comes first. */
unsigned closed_tables(const struct closed *c,
		       const struct closed_table **tables);

bool closed_same(const struct closed *a, const struct closed *b);

/* [{table, lint, what, remedy}] of what `of` closes and `than` does not; either
 * may be NULL. */
json_t *closed_json(const struct closed *of, const struct closed *than);

struct closed *closed_pin(struct closed *c);
void closed_unpin(struct closed **pc);

#endif
