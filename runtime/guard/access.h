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
 * forbid wherever it is not NO, so what is unknown permits nothing and
 * forbids.  A rule at fault (expr.h; also one that names a column which the
 * table lacks) is void, whatever the rest of its condition says: a permit as
 * if it were not there, a forbid as if it held for every cell of every row.
 * What does not speak of the row is decided here; what is left becomes the
 * limit of the rewrite (sql/tenant.h):
 *
 *   cell c of row r   some permit that covers c holds for r, and no forbid
 *                     that covers c does
 *   row r             some permit holds for r, and no forbid that names no
 *                     columns does
 *   read    rows are filtered; a cell that may not be seen is NULL (a mask)
 *   update  of columns S: the rows in which every cell of S may be changed
 *   delete  takes the whole row: a permit that names columns never covers it,
 *           a forbid that names columns forbids it as one that names none
 *   insert  of columns S: every cell of S may be written, and the row be made.
 *           There is no row yet, so a rule for insert has no condition on the
 *           row (refused when it is built, at fault here)
 *   reads   columns that are looked at where no mask can stand (WHERE, SET and
 *           RETURNING of a target): only the rows in which each of these cells
 *           may be read; of a new row, those that may be read in some row
 *
 * A role counts with all that it inherits, for forbids too.  A break-glass
 * opening (access_opening) is one more permit, for one patient's rows, for a
 * time; it lifts no forbid, and opens no insert, which has no row to look at.
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

/* ---- birth --------------------------------------------------------------- */

/* Do the columns and the condition of a rule make sense for a table that it is
 * about?  What does not is at fault there.  LUNATE_EINVAL. */
MUST_USE
int access_fit(const struct access_rule *r, const struct expr_row *row,
	       struct err *e);

/* ---- use ----------------------------------------------------------------- */

/* Bits of the roles of a context with what they inherit, EXPR_ROLES of them.
 * A role that no rule declares gives none; c may be NULL. */
void access_held(const struct access_rules *r, const struct context *c,
		 uint64_t out[EXPR_ROLES / 64]);

struct access_ask {
	const struct access_rules *rules;
	const struct expr_ask *who; /* held filled; row.table is the table's */
	const struct access_opening *opening; /* or NULL */
	enum tenant_action action;
	unsigned ncolumns, nreads;
	const char *const *columns; /* INSERT, UPDATE: those that are written */
	const char *const *reads;
	/* The number of the verdict's first value.  The limits of a statement
	 * number their values as one: 0, then what those before it have. */
	unsigned first_value;
};

struct access_verdict {
	bool allowed;
	bool opened; /* the opening is one of the permits */
	/* What decided: the forbid; or the permit, when one alone counts.
	 * NULL: no permit does, or several do. */
	const struct access_rule *rule;
	const char *column; /* denied because of this one; or NULL */
	/* Allowed: for tenant_limits.  nparts 0 and no masks: every row. */
	struct tenant_limit limit;
	unsigned nvalues; /* values[0] is number first_value */
	const char *const *values;
	/* The first rule at fault, though it may not have decided. */
	const struct access_rule *faulty;
	struct expr_fault fault;
};

/* Never fails: what cannot be decided is denied.  Microseconds. */
void access_decide(const struct access_ask *ask, struct arena *a,
		   struct access_verdict *out);

/* Of the row that ask->who has the values of, as the limit says of it in SQL:
 * whether it is allowed, because of what, and which of its cells are not seen
 * (masks without parts). */
void access_decide_row(const struct access_ask *ask, struct arena *a,
		       struct access_verdict *out);

/* What one rule by itself comes to: a permit that counts permits, a forbid that
 * counts forbids. */
enum access_weight {
	ACCESS_APART, /* it is about another action, table, column or role */
	ACCESS_VOID,  /* it counts for no row */
	ACCESS_SOME,  /* the row decides, by `rest` */
	ACCESS_WHOLE, /* it counts for every row */
};

struct access_weighed {
	enum access_weight weight;
	struct expr_rest rest;	 /* SOME */
	struct expr_fault fault; /* at NULL: none; else a forbid takes all */
};

void access_weigh(const struct access_ask *ask, const struct access_rule *r,
		  struct arena *a, struct access_weighed *out);

#endif
