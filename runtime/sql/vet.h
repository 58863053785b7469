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
 * What isolation.lua adds counts as on the list: a function by its name (any
 * that the search path reaches by it) or by schema.name; likewise an operator
 * ("public.="), a type of an extension, and current_user and its kin.  A name
 * that is removed is refused, whoever made it.  An operator is also what IN,
 * BETWEEN, CASE x WHEN, USING and NATURAL compare with.  A column t.f may be
 * the function f, called with a row: it is judged as one.
 *
 * A view is read and never written.  Who could add a row to the table that a
 * `through` rule goes by, or point one elsewhere, could share in any row: that
 * is refused, unless the table's own rule says write = "own".  DELETE and
 * UPDATE are refused where a foreign key's action would change rows of others
 * (see vet_write.c).
 *
 * Not seen here: what the schema itself runs (defaults, triggers, rules,
 * checks, the functions behind the types of its columns).
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
	/* Or NULL: may a relation that has a rule be touched at all?  Refuses
	 * as vet does, with REFUSE_CLOSED. */
	int (*closed)(void *arg, const struct world_table *t, struct err *e);
	void *arg;
};

/* 0, or LUNATE_EDENIED with a reason. */
MUST_USE
int vet_statement(const struct vet_ask *ask, struct err *e);

/* Is a function of PostgreSQL's own on the standard list?  For `lunate policy
 * list` and tests. */
bool vet_function_is_standard(const char *name);

/* Is a kind of node (tree_name()) allowed, or refused with a reason of its
 * own?  *names: its fields that hold a name; NULL ends them after fewer than
 * three.  For tests. */
bool vet_node_is_allowed(const char *name, const char *const **names);

#endif
