/* SPDX-License-Identifier: MIT
 *
 * check - does a rewritten statement keep to the tenant rules?
 *
 * The rewriter (tenant.h) is code like any other and may be wrong; a wrong
 * rewrite must become an error and never a leak.  This module parses both
 * texts, walks the two trees side by side, and accepts only if every
 * difference is one of the forms of tenant.h, complete and in its place, and
 * every relation of the new text is accounted for:
 *
 *   - one statement; the parameters are the old ones, then the tenant's, then
 *     the values of limits, each where it is bound
 *   - each relation is a CTE in scope, or is named with its schema and has a
 *     rule; where it is read or changed, its predicate stands exactly as the
 *     rules say, at a place from which it cannot be bypassed (above all: not
 *     in the ON of the preserved side of an outer join, not below OR)
 *   - what is written is not read past a mask or limit of its table
 *   - everything else is as it was in the original: no node more, none less
 *
 * It shares no code with the rewriter but the parser (tree.h) and the structs
 * of rules; what a form should look like it builds from the rules itself.
 *
 * Memory: owns nothing after it returns.  Thread: any; keeps nothing.
 */
#ifndef CHECK_H
#define CHECK_H

#include "tenant.h"

struct check_ask {
	const struct tree *before;
	const char *after; /* the rewritten text */
	size_t len;
	const struct tenant_rules *rules;
	const struct world *world;
	const struct tenant_limits *limits; /* or NULL */
	enum tenant_shape shape;
	unsigned tenant_param;	/* as tenant_text says, and what is bound: */
	unsigned nvalues;	/* behind it, */
	const unsigned *values; /* these of the limits' */
	bool fence;
};

/* 0, or LUNATE_EDENIED (REFUSE_UNCHECKED) with what was found where. */
MUST_USE
int check_rewrite(const struct check_ask *ask, struct err *e);

#endif
