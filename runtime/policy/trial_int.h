/* SPDX-License-Identifier: MIT
 *
 * trial, inside: who asks in a test, and the tests of access.
 *
 * Memory: a trial_who owns its context.  Thread: any; keeps nothing.
 */
#ifndef TRIAL_INT_H
#define TRIAL_INT_H

#include "access.h"
#include "decl.h"
#include "hook.h"
#include "rules.h"

struct trial_who {
	struct context *context; /* NULL: the test says nobody */
	struct expr_fact facts[EXPR_FACTS];
	uint64_t held[EXPR_ROLES / 64];
	struct hook_who caller;
	struct expr_call call;
	struct expr_ask ask; /* points into this; without a row */
};

/* as = { ... }, at = "2026-06-15T10:00Z".  LUNATE_ECONFIG. */
MUST_USE
int trial_who_read(const struct decl *d, const struct rules *rules,
		   struct trial_who *out, struct err *e);
void trial_who_fini(struct trial_who *w);

/* A test that says can or cannot.  LUNATE_ECONFIG. */
MUST_USE
int trial_access(const struct decl *d, const struct rules *rules,
		 struct err *e);

#endif
