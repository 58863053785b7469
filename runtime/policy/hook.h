/* SPDX-License-Identifier: MIT
 *
 * hook - asks a function of a policy file for a verdict.
 *
 *   who asks, facts --ctx--> function(ctx) --> yes or no, or a number
 *                                \-> failed: raised, was stopped, took more
 *                                    memory than it may, gave something else
 *
 * A generation whose files have functions in force holds a policy VM for each
 * worker (struct hooks); all have read the same texts, so a function has the
 * same number in each (decl.h).  A VM is entered by one thread at a time: its
 * lock is free unless there are more workers than VMs.
 *
 * ctx is the function's only argument: read-only, the same object each time,
 * of use until the function returns.  Its fields are those of the context
 * (tenant, tenants, user, roles, location, locations, clinic_tz, ip, device,
 * purpose, trace, system) and the facts of the question, which come first; a
 * field of another name is an error, one that is not known is nil, a list is a
 * copy.
 *
 * What an error says of the function is "file:line: " and what happened: the
 * words of error() may tell who asks, so they are left out.
 *
 * A function that was stopped HOOK_STOPS times in a row in one VM rests there
 * for HOOK_REST_US: it fails at once, and is then tried again.  So a function
 * that does not end takes its worker some milliseconds of a second, and what it
 * has no part in goes on.
 *
 * Always true: a decision ends HOOK_LIMIT_US after it began, soon; nothing of
 *              it is left but what it kept in its own variables.
 * Memory: owns its VMs.  Thread: any.
 */
#ifndef HOOK_H
#define HOOK_H

#include <stdbool.h>

#include "context.h"
#include "err.h"
#include "expr.h"

struct hooks;
struct sandbox;

#define HOOK_LIMIT_US 5000
#define HOOK_STOPS 3
#define HOOK_REST_US 1000000
#define HOOKS_MOST 256 /* VMs; more workers share them */

enum hook_type { HOOK_BOOL, HOOK_NUMBER };
enum hook_kind { HOOK_TEXT, HOOK_TEXTS, HOOK_COUNT, HOOK_TRUTH };

/* What is known beside the context. */
struct hook_fact {
	const char *name;
	enum hook_kind kind;
	const char *text;	  /* TEXT; NULL: not known */
	double number;		  /* COUNT; TRUTH: not 0 */
	unsigned n;		  /* TEXTS */
	const char *const *texts; /* TEXTS */
};

struct hook_ask {
	int worker;	   /* its index */
	unsigned function; /* its number */
	enum hook_type wants;
	const struct context *context; /* or NULL */
	unsigned nfacts;
	const struct hook_fact *facts;
};

struct hook_answer {
	bool yes;      /* HOOK_BOOL */
	double number; /* HOOK_NUMBER */
};

/* Of a generation: the files' functions are numbered up to last[i] in file i
 * of vocab_files. */
struct hooks *hooks_new(const unsigned *last);

/* One more VM, which has read the files; taken.  Any thread, also while others
 * ask.  LUNATE_ETOOBIG: it has no memory left, and is freed. */
MUST_USE
int hooks_add(struct hooks *h, struct sandbox **ps, struct err *e);
unsigned hooks_count(const struct hooks *h); /* of VMs */

/* In which file a function stands: its place in vocab_files. */
unsigned hooks_file(const struct hooks *h, unsigned function);

/* LUNATE_EDEADLINE, LUNATE_ETOOBIG or LUNATE_EQUERY: it failed. */
MUST_USE
int hooks_ask(struct hooks *h, const struct hook_ask *ask,
	      struct hook_answer *out, struct err *e);

/* Who asks when a condition is a function: `arg` of expr_call. */
struct hook_who {
	struct hooks *hooks;
	int worker;
	const struct context *context; /* or NULL */
	int64_t now_s;		       /* ctx.now; EXPR_NO_CLOCK: nil */
};

/* expr_call.ask: true and false are YES and NO. */
int hook_expr(void *who, unsigned function, enum expr_truth *says,
	      struct err *e);

size_t hooks_bytes(struct hooks *h); /* of all VMs */
void hooks_free(struct hooks **ph);

#endif
