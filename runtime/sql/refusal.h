/* SPDX-License-Identifier: MIT
 *
 * refusal - why a statement is not run for a tenant: one closed list.
 *
 * Whatever looks at a statement before it is sent (vet, tenant, check, and the
 * access rules above them) refuses with one of these reasons.  The error has
 * the code LUNATE_EDENIED and a text of the form
 *
 *	refused (unknown-table): no rule of isolation.lua names ...
 *
 * so that a reader, a test and a counter can tell reasons apart.  Texts name
 * tables, columns, functions and what to do, and never a literal of the text.
 *
 * Thread: any; keeps nothing.
 */
#ifndef REFUSAL_H
#define REFUSAL_H

#include "err.h"

/* X(NAME, word, meaning) */
/* clang-format off */
#define REFUSALS(X) \
	X(MANY, "many", "more than one statement in a text") \
	X(STATEMENT, "statement", "a kind of statement that is not run for a tenant") \
	X(NODE, "node", "a construct of the grammar that is not on the list") \
	X(FUNCTION, "function", "a function that is not on the list") \
	X(OPERATOR, "operator", "an operator that is not PostgreSQL's own") \
	X(TYPE, "type", "a type that is not on the list") \
	X(CATALOG, "catalog", "a system catalog") \
	X(UNKNOWN_TABLE, "unknown-table", "a relation that no rule names") \
	X(VIEW, "view", "a view or materialized view that cannot be scoped") \
	X(SYSTEM_COLUMN, "system-column", "ctid, xmin, tableoid, ...") \
	X(RESERVED, "reserved", "a name that begins with lunate_") \
	X(FORM, "form", "a form of statement that cannot be scoped") \
	X(NO_TENANT, "no-tenant", "no tenant in the context") \
	X(TENANT, "tenant", "a row of another tenant, or a write for a set of tenants") \
	X(MOVE, "move", "a row would change its tenant, or leave the reach of who changes it") \
	X(UPSERT, "upsert", "a conflict that does not name the tenant") \
	X(CASCADE, "cascade", "a delete that reaches rows of other tenants") \
	X(SHARED, "shared", "a write to what tenants only read") \
	X(ACCESS, "access", "no rule of access.lua permits it, or one forbids it") \
	X(MASKED, "masked", "a column of the table to write may not be read") \
	X(RATE, "rate", "a limit of access.lua: too many operations") \
	X(CLOSED, "closed", "the rules in force are not trusted, or the table failed a check") \
	X(UNCHECKED, "unchecked", "the checker did not accept the rewritten text")

/* clang-format on */
enum refusal {
#define REFUSAL_ENUM(name, word, meaning) REFUSE_##name,
	REFUSALS(REFUSAL_ENUM)
#undef REFUSAL_ENUM
		REFUSALS_N
};

const char *refusal_word(enum refusal r);
const char *refusal_meaning(enum refusal r);

/* Fills *e and returns LUNATE_EDENIED. */
int refuse(struct err *e, enum refusal r, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

/* Which reason an error of refuse() has; REFUSALS_N when it is none. */
enum refusal refusal_of(const struct err *e);

#endif
