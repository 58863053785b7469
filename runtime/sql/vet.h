/* SPDX-License-Identifier: MIT
 *
 * vet - the gate: only what is on a list is run for a tenant.
 *
 * Lists, not exceptions: kinds of statement (SELECT, VALUES, TABLE, INSERT,
 * UPDATE, DELETE, MERGE), kinds of node, functions, operators, types and
 * relations.  What is on none of them is refused with a reason of refusal.h.
 *
 *   functions  PostgreSQL's own that neither write, nor run a text as SQL, nor
 *              touch the server, its files, settings, locks, sequences or
 *              catalogs; and those the rules add.  A name means every overload
 *              that the search path reaches: all have to be allowed.
 *   operators  of pg_catalog only, and not shadowed by one of a user
 *   types      PostgreSQL's own but reg* and those of catalogs, enums and
 *              domains of users
 *   relations  those with a rule; no catalog, no sequence, no partition by its
 *              own name unless it has a rule; views only with a rule
 *   names      none begins with lunate_; no system columns
 *
 * Memory: owns nothing.  Thread: any; keeps nothing.
 */
#ifndef VET_H
#define VET_H

#include "tenant.h"

struct vet_ask {
	const struct tree *tree;
	const struct tenant_rules *rules;
	const struct world *world;
};

/* 0, or LUNATE_EDENIED with a reason. */
MUST_USE
int vet_statement(const struct vet_ask *ask, struct err *e);

/* Is a function of PostgreSQL's own on the standard list?  For `lunate policy
 * list` and tests. */
bool vet_function_is_standard(const char *name);

#endif
