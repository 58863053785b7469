/* SPDX-License-Identifier: MIT
 *
 * scope - what a statement becomes for a tenant, known once.
 *
 *   statement, rules, schema, one tenant or a set, limits of access rules
 *        |  sql/vet      may a tenant run it?  is each table open?
 *        |  sql/tenant   the text, scoped          (modes rewrite and both)
 *        |  sql/check    is that text what it should be?
 *        v
 *   struct scoped: the facts of the new text, and which parameter the tenant is
 *
 * That costs some hundred microseconds, so it is memoised: by the statement
 * (its facts are counted, and the memo holds a count, so the pointer is the
 * text), the epoch of decisions, the schema epoch, the closed tables, the
 * shape, and the limits of access rules, compared whole.  The tenant itself and
 * the values of limits are never part of it: they are bind parameters.  A
 * refusal is memoised too.
 *
 * Row policies know nothing of limits: what is limited is scoped by its text in
 * mode "rls", too.
 *
 * Faults, where the rules show details of errors, take a layer away, so that a
 * test sees whether another one holds: "isolation.gate" (vet),
 * "isolation.rewrite" (the text stays as it is), "isolation.check" (any text is
 * accepted).  The others: "isolation.rls" (barrier.h), "isolation.egress" and
 * "isolation.errors" (leave.c).
 *
 * Always true: what is handed out passed the gate, and was checked if it was
 *              changed; it belongs to the rules and snapshot it was asked with.
 * Memory: the memo holds at most SCOPE_MOST; a scoped is counted.
 * Thread: that of its worker; a scoped that is pinned any.
 */
#ifndef SCOPE_H
#define SCOPE_H

#include "catalog.h"
#include "closed.h"
#include "context.h"
#include "rules.h"
#include "stmt.h"
#include "tenant.h"
#include "uses.h"

#define SCOPE_MOST 4096

struct scope;

struct scoped {
	unsigned magic;
#define SCOPED_MAGIC 0x5c09ed07
	int refs;
	struct stmt *stmt;     /* what is sent; the given one if unchanged */
	unsigned tenant_param; /* 0: none */
	unsigned nvalues;      /* of limits, the parameters behind: */
	unsigned *values;      /* which one each is */
	bool needs_tenant;     /* it touches rows of tenants */
	bool needs_one;	       /* and writes some */
	uint64_t closed;       /* id of the closed tables; 0: none */
	struct err err;	       /* code != 0: refused */
};

struct scope *scope_new(void);

struct scope_ask {
	struct stmt *stmt;
	const struct isolation_rules *rules; /* ON or CLOSED */
	uint64_t epoch;			     /* of decisions */
	struct catalog_snapshot *snapshot;
	struct closed *closed; /* tables that stay so; NULL: none */
	enum tenant_shape shape;
	const struct tenant_limits *limits; /* or NULL */
	uint64_t limits_hash;
};

/* Borrowed until the next call; pin to keep.  Never NULL: see err. */
struct scoped *scope_get(struct scope *s, const struct scope_ask *ask);

/* What a statement does to which tables, if the gate lets it pass; what is
 * said of limits is not looked at.  Costs what a parse costs. */
struct scope_found {
	struct arena *arena; /* of who asks */
	struct uses uses;
};
MUST_USE
int scope_uses(struct scope *s, const struct scope_ask *ask,
	       struct scope_found *out, struct err *e);

/* What names mean in a snapshot; borrowed until another one is asked with. */
MUST_USE
int scope_world(struct scope *s, struct catalog_snapshot *snapshot,
		const struct world **out, struct err *e);

/* Was it made with the same closed tables? */
bool scoped_fits(const struct scoped *s, const struct scope_ask *ask);

struct scoped *scoped_pin(struct scoped *s);
void scoped_unpin(struct scoped **ps);

/* How many were found and how many had to be made. */
struct scope_usage {
	uint64_t hits, misses, refused;
};
void scope_usage(const struct scope *s, struct scope_usage *u);

/* May a context run what was scoped?  LUNATE_EDENIED: no tenant, a tenant of
 * another type, or a set where one is needed. */
MUST_USE
int scope_allows(const struct scoped *s, const struct tenant_rules *rules,
		 const struct context *c, struct err *e);

void scope_free(struct scope **ps);

#endif
