/* SPDX-License-Identifier: MIT
 *
 * rls_int - what rls.c (policies) and rls_script.c (the script around them,
 * digest, state, seal) share.  No other file includes this.
 */
#ifndef RLS_INT_H
#define RLS_INT_H

#include "rls.h"

/* In the text of a policy, put in by lunate_scope(): the table, and the name
 * by which its row is known.  A partition has policies of its own. */
#define RLS_TABLE "<table>"
#define RLS_ROW "<row>"

struct rls_writer {
	const struct rls_options *o;
	struct str *out;
	struct err *e;
};

void rls_ident(struct str *s, const char *name);
void rls_literal(struct str *s, const char *text);

/* '"schema"."name"' */
void rls_table_literal(struct str *s, const struct tenant_table *t);

/* The expression that gives the array's text, from a context as it stands. */
const char *rls_tenants(enum tenant_type type);

/* All policies of one table. */
MUST_USE
int rls_rule(const struct rls_writer *w, const struct tenant_table *t);

#endif
