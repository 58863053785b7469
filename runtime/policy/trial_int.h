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
#include "sample_row.h"

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

/* May who asks do this to that row?  d, rules and e are given, and arena is
 * ready; the rest is read. */
struct trial_asked {
	const struct decl *d;
	const struct rules *rules;
	struct arena arena;
	struct trial_who who;
	struct sample_row row;
	struct access_ask ask;
	struct access_verdict verdict; /* of who decides it */
	bool wanted;		       /* the test says can */
	struct err *e;
};

/* LUNATE_ECONFIG: it makes no question. */
MUST_USE
int trial_ask(struct trial_asked *a);

/* Does a rule count for the row? */
bool trial_counts(struct trial_asked *a, const struct access_rule *r);
void trial_asked_fini(struct trial_asked *a);

/* A test that says can or cannot.  LUNATE_ECONFIG. */
MUST_USE
int trial_access(const struct decl *d, const struct rules *rules,
		 struct err *e);

#endif
