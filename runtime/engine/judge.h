/* SPDX-License-Identifier: MIT
 *
 * judge - what rules would do with a statement, decided beside its operation.
 *
 *   rules, schema, statement, who asks --allow and scope steps--> struct ruling
 *
 * The same modules as in the steps of an operation (permit, scope), with memos
 * of their own; nothing is sent and nobody is told.
 *
 * Memory: pins its rules.  Thread: that of its owner.
 */
#ifndef JUDGE_H
#define JUDGE_H

#include "catalog.h"
#include "context.h"
#include "refusal.h"
#include "rules.h"
#include "scope.h"
#include "stmt.h"

struct permit;

enum ruling_kind { RULING_OPEN, RULING_SCOPED, RULING_REFUSED };

struct ruling {
	enum ruling_kind kind;
	enum refusal why; /* REFUSED; REFUSALS_N: an error that is none */
	uint64_t text;	  /* of what is sent, and of the values put in */
};

/* From what an operation came to: either may be NULL.  Of an error `scoped`
 * is NULL. */
struct ruling ruling_of(const struct scoped *scoped, const struct permit *p,
			const struct err *e);

/* What is another one in the second. */
enum ruling_change {
	RULING_SAME,
	RULING_ALLOWED, /* was refused */
	RULING_DENIED,	/* was not */
	RULING_ROWS,	/* another text or value: other rows or columns */
	RULING_BECAUSE, /* refused for another reason */
	RULING_CHANGES
};
enum ruling_change ruling_change(const struct ruling *before,
				 const struct ruling *after);
const char *ruling_change_word(enum ruling_change c); /* "now refused" */
const char *ruling_word(const struct ruling *r);      /* "scoped" */

struct judge;

struct judge *judge_new(struct rules *r);

struct judge_ask {
	struct stmt *stmt;
	const struct context *context; /* or NULL */
	struct catalog_snapshot *snapshot;
	struct closed *closed; /* tables that are; NULL: as if none was */
	int64_t now_s;	       /* EXPR_NO_CLOCK: not trusted */
	int worker;
};

/* *e tells of a refusal. */
struct ruling judge_decide(struct judge *j, const struct judge_ask *ask,
			   struct err *e);

const struct rules *judge_rules(const struct judge *j);
void judge_free(struct judge **pj);

#endif
