/* SPDX-License-Identifier: MIT
 *
 * permit - what access.lua lets a context do with a statement.
 *
 *   statement --sql/uses--> tables and actions   known once
 *        |
 *        |  guard/access, for each of them: who asks, the second, an opening
 *        v
 *   struct permit: denied, or the limits that the rewrite puts in
 *
 * A decision holds for one generation, schema, context, second and opening, and
 * is found again by all of them: a context is compared whole.  So a point read
 * that is repeated pays a look into a table, and a rule that ends at seven is
 * obeyed at seven.  What the statement became under the limits (scope.h) is
 * kept with it.
 *
 * What an emergency opened is not kept: each operation asks again.
 *
 * Always true: err.code is 0 only if each action on each table was allowed for
 *              this context; a statement without a context is denied unless it
 *              touches no table.
 * Errors: LUNATE_EDENIED (REFUSE_ACCESS) names action, table, column and the
 *         rule with its file and line, and never a value; or that of the gate.
 * Memory: at most PERMIT_MOST are kept; a permit is counted.
 * Thread: that of its worker.
 */
#ifndef PERMIT_H
#define PERMIT_H

#include "access.h"
#include "catalog.h"
#include "context.h"
#include "rules.h"
#include "scope.h"

#define PERMIT_MOST 4096

struct permits;

struct permit {
	unsigned magic;
#define PERMIT_MAGIC 0x9e4317a1
	int refs;
	struct err err;		     /* code != 0: denied */
	struct tenant_limits limits; /* nlimits 0: none */
	uint64_t limits_hash;
	const char *const *values; /* texts, limits.nvalues of them */
	bool opened;		   /* the opening permitted some of it */
	/* The first rule at fault, in words, or NULL; told or not. */
	const char *fault;
	bool told;
	struct scoped *scoped; /* pinned; NULL: nobody asked yet */
	struct arena arena;
};

struct permits *permits_new(void);

struct permit_ask {
	struct stmt *stmt;
	const struct rules *rules; /* access is not NULL */
	struct catalog_snapshot *snapshot;
	struct scope *scope;
	const struct context *context;	      /* or NULL */
	int64_t now_s;			      /* EXPR_NO_CLOCK: not trusted */
	int worker;			      /* whose VM functions run in */
	const struct access_opening *opening; /* or NULL */
};

/* Pinned.  Never NULL: see err. */
MUST_USE
struct permit *permits_get(struct permits *p, const struct permit_ask *ask);

void permit_unpin(struct permit **pp);

/* How many were found, had to be made, and came out as denied. */
struct permit_usage {
	uint64_t hits, misses, denied;
};
void permits_usage(const struct permits *p, struct permit_usage *u);

void permits_free(struct permits **pp);

#endif
