/* SPDX-License-Identifier: MIT
 *
 * access - who may do what, when, from where: one table and action decided.
 *
 *   rules of access.lua --+
 *   who asks, the clock --+--access_decide--> no, because of a rule
 *   table, action      ---+               \-> yes, of these rows and columns
 *
 * Default deny: what no permit covers is denied.  A forbid wins over every
 * permit.  The order of rules means nothing.
 *
 * A rule is about cells: its tables, its actions, its columns (none named:
 * all, and the row itself), and the rows that its condition holds for.  The
 * condition is all { when, no { unless } }; a permit counts where it is YES, a
 * forbid wherever it is not NO, so what is unknown and what is at fault
 * permits nothing and forbids.  What does not speak of the row is decided
 * here; what is left becomes the limit of the rewrite (sql/tenant.h):
 *
 *   cell c of row r   some permit that covers c holds for r, and no forbid
 *                     that covers c does
 *   row r             some permit holds for r, and no forbid that names no
 *                     columns does
 *   read    rows are filtered; a cell that may not be seen is NULL (a mask)
 *   update  of columns S: the rows in which every cell of S may be changed
 *   delete  rows; only permits and forbids that name no columns count for
 *           delete, a forbid that names columns forbids it altogether
 *   insert  of columns S: there is no row yet, so a rule for insert has no
 *           condition on the row (refused when it is built)
 *
 * A role counts with all that it inherits, for forbids too.  A break-glass
 * opening (access_opening) is one more permit, for one patient's rows, for a
 * time; it lifts no forbid.
 *
 * Always true: adding a forbid never allows more, adding a permit never less;
 *              verdict.allowed is false unless a permit covers the action.
 * Memory: rules lie in the generation's arena; a verdict in the arena given.
 * Thread: any; keeps nothing.
 */
#ifndef ACCESS_H
#define ACCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "expr.h"
#include "tenant.h"

#define ACCESS_ACTIONS 4 /* of enum tenant_action */

struct access_table {
	const char *schema, *name;
};

struct access_rule {
	bool forbids;
	const char *name, *file;
	int line;
	unsigned actions; /* 1 << enum tenant_action */
	unsigned nroles, ntables, ncolumns;
	const unsigned *roles;		   /* numbers; none: whoever asks */
	const struct access_table *tables; /* none: every table */
	const char *const *columns;	   /* none: all, and the row */
	const struct expr *when;	   /* checked; NULL: always */
};

struct access_role {
	const char *name;
	const uint64_t *held; /* EXPR_ROLES bits: itself and what it inherits */
};

/* break_glass "name" { ... }: what somebody may open in an emergency. */
struct access_glass {
	const char *name, *file;
	int line;
	unsigned nroles, ntables, actions;
	const unsigned *roles;
	const struct access_table *tables;
	const char *const *columns; /* of each table: the patient's id */
	int64_t lasts_s, review_s;
};

/* limit "name" { ... }: operations in a time. */
struct access_rate {
	const char *name, *file;
	int line;
	double operations;
	int64_t window_ms;
	bool per_user; /* else for each clinic */
};

struct access_rules {
	unsigned nroles, nrules, nglasses, nrates;
	const struct access_role *roles; /* at most EXPR_ROLES */
	const struct access_rule *rules; /* as in the file */
	const struct access_glass *glasses;
	const struct access_rate *rates;
};

/* One that is open: who may is already decided, by whoever opened it. */
struct access_opening {
	const struct access_glass *glass;
	const char *patient;
};

/* Bits of the roles of a context with what they inherit, EXPR_ROLES of them.
 * A role that no rule declares gives none. */
void access_held(const struct access_rules *r, const struct context *c,
		 uint64_t out[EXPR_ROLES / 64]);

struct access_ask {
	const struct access_rules *rules;
	const struct expr_ask *who; /* held filled; row.table is the table's */
	const struct access_opening *opening; /* or NULL */
	enum tenant_action action;
	unsigned ncolumns; /* INSERT, UPDATE: those that are written */
	const char *const *columns;
};

struct access_verdict {
	bool allowed;
	/* What decided: the forbid, the permit when there is one alone that
	 * needs no other; NULL: no permit matched, or several did. */
	const struct access_rule *rule;
	const char *column; /* denied because of this one; or NULL */
	/* Allowed: for tenant_limits.  nparts 0 and no masks: every row.
	 * Values are numbered from 0; texts[nvalues]. */
	struct tenant_limit limit;
	unsigned nvalues;
	const char *const *values;
	/* The first rule at fault, though it may not have decided. */
	const struct access_rule *faulty;
	struct expr_fault fault;
};

/* Never fails: what cannot be decided is denied.  Microseconds. */
void access_decide(const struct access_ask *ask, struct arena *a,
		   struct access_verdict *out);

#endif
