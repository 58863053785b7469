/* SPDX-License-Identifier: MIT
 *
 * terms - conditions of a policy file (decl.h) as expressions (guard/expr.h).
 *
 *	all { a, b } any { a, b } no { a }
 *	has_role "nurse"
 *	hours("Mon-Fri 07:00-19:00", ctx.clinic_tz)
 *	ip("10.20.0.0/16", "2001:db8::/32")
 *	row.x:eq(v) :ne :lt :le :gt :ge	   v is a value, ctx.x or row.x
 *	row.x:one_of { "a", "b" } or a set	 ctx.set:has(v)
 *	ctx.set:within(set)			 row.x:known()
 *	function(ctx) return ... end		 (policy/hook.h)
 *
 * Errors say the line of the condition, what is wrong, and the nearest word.
 *
 * Memory: an expression lies in the arena given.  Thread: any; keeps nothing.
 */
#ifndef TERMS_H
#define TERMS_H

#include "access.h"
#include "decl.h"

struct terms {
	struct arena *arena;
	const struct decl *d; /* whose condition it is, for errors */
	const struct access_role *roles;
	unsigned nroles;
	struct err *e;
};

/* One condition, not yet checked (expr_check).  LUNATE_ECONFIG. */
MUST_USE
int terms_read(const struct terms *t, const struct decl_value *v,
	       struct expr **out);

/* The number of a role, or -1 with an error at the line given. */
int terms_role(const struct terms *t, const char *name, int line);

#endif
