/* SPDX-License-Identifier: MIT
 *
 * whose - may a context run what touches rows of tenants?
 *
 * Asked for every operation, after the text is known to be scoped: what the
 * tenants of the context have to be for it.
 *
 * Memory: owns nothing.  Thread: any; keeps nothing.
 */
#ifndef WHOSE_H
#define WHOSE_H

#include "context.h"
#include "tenant.h"

struct whose_ask {
	const struct context *context; /* or NULL */
	enum tenant_type type;
	bool needs_one; /* it writes rows of tenants */
};

/* 0, or LUNATE_EDENIED: no tenant (REFUSE_NO_TENANT), a tenant of another
 * type, or a set where one is needed (REFUSE_TENANT). */
MUST_USE
int whose_allows(const struct whose_ask *ask, struct err *e);

#endif
