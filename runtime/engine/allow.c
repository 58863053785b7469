/* SPDX-License-Identifier: MIT
 *
 * The allow step: may whoever asks do this, and with which rows and columns?
 *
 * Always true: with access rules in force nothing but our own transaction
 *              control and what runs as system passes without a permit.  Work
 *              as system is a capability that was given when the runtime was
 *              opened; it is nobody's role, so no rule is about it and no
 *              limit counts it.
 */
#include "op_int.h"

#include <string.h>

#include "glass.h"
#include "notes.h"
#include "permit.h"
#include "rate.h"
#include "refusal.h"
#include "runtime.h"

/* A clock that was never set would open every window of hours at random. */
#define CLOCK_LEAST 1700000000 /* November 2023 */

int64_t
op_now_s(const struct op *op)
{
	int64_t s = loop_wall_us(op->w->loop) / 1000000;

	return s < CLOCK_LEAST ? EXPR_NO_CLOCK : s;
}

/* ---- limits of operations ----------------------------------------------- */

struct counting {
	struct op *op;
	const struct access_rate *rate;
	int64_t wait_us; /* 0: let through */
};

static struct rate_limit
limit_of(const struct access_rate *r)
{
	return (struct rate_limit){r->name, r->operations, r->window_ms * 1000};
}

/* Whose operations a limit counts: the user's, or those of each clinic of the
 * context; those without one are one another's. */
static unsigned
owners(const struct op *op, const struct access_rate *r)
{
	unsigned n = op->context->ntenants;

	return r->per_user || n == 0 ? 1 : n;
}

static struct rate_owner
owner(const struct op *op, const struct access_rate *r, unsigned i)
{
	const struct context *c = op->context;

	if (!r->per_user && c->ntenants == 0)
		return (struct rate_owner){"", 0};
	if (!r->per_user)
		return (struct rate_owner){c->tenants[i].id, c->tenants[i].len};
	return (struct rate_owner){c->user != NULL ? c->user : "",
				   c->user != NULL ? strlen(c->user) : 0};
}

static void
give_back(const struct op *op, const struct access_rate *r, unsigned n)
{
	const struct rate_limit l = limit_of(r);

	while (n-- > 0)
		rates_give(op->w->rt->rates, &l, owner(op, r, n));
}

static bool
take(struct counting *c)
{
	const struct rate_limit l = limit_of(c->rate);
	struct op *op = c->op;

	for (unsigned i = 0; i < owners(op, c->rate); i++) {
		c->wait_us = rates_take(op->w->rt->rates, &l,
					owner(op, c->rate, i),
					loop_now_us(op->w->loop));
		if (c->wait_us == 0)
			continue;
		give_back(op, c->rate, i);
		return false;
	}
	return true;
}

/* All limits let it run, or none counts it. */
static enum next
count(struct op *op)
{
	const struct access_rules *a = op->rules->access;
	struct counting c = {.op = op};
	struct err e;

	for (unsigned i = 0; i < a->nrates && op->context != NULL; i++) {
		c.rate = &a->rates[i];
		if (take(&c))
			continue;
		while (i-- > 0)
			give_back(op, &a->rates[i], owners(op, &a->rates[i]));
		refuse(&e, REFUSE_RATE,
		       "limit \"%s\" (%s:%d): %g operations in %g s for each "
		       "%s are used up; come back in %.3f s",
		       c.rate->name, c.rate->file, c.rate->line,
		       c.rate->operations, (double)c.rate->window_ms / 1e3,
		       c.rate->per_user ? "user" : "clinic",
		       (double)c.wait_us / 1e6);
		return op_refuse(op, &e);
	}
	return NEXT;
}

/* ---- an emergency ------------------------------------------------------- */

static void
on_opened(void *arg, const struct err *e)
{
	struct op *op;

	OBJ_CAST(op, arg, OP_MAGIC);
	op->glass = NULL;
	if (e->code != 0) {
		op->err = *e;
		op->step = RECORD;
	}
	op_run(op);
}

/* Waits until it is in the journal; then this step is run again. */
static enum next
wait_for_opening(struct op *op, const struct glass_ask *ask,
		 const struct access_glass *rule)
{
	const struct glass_start start = {.crew = op->w->rt->crew,
					  .home = op->w->loop,
					  .rule = rule,
					  .done = on_opened,
					  .arg = op};

	op->glass = glass_open(op->w->rt->glass, ask, &start);
	return WAIT;
}

/* *out->glass stays NULL without an emergency. */
static enum next
look_at_glass(struct op *op, struct access_opening *out)
{
	const struct glass_ask ask = {.rules = op->rules->access,
				      .context = op->context,
				      .generation = op->rules->id,
				      .now_us = loop_now_us(op->w->loop),
				      .wall_us = loop_wall_us(op->w->loop)};
	const struct access_glass *rule;
	struct glass_opening o = {{0}, false};
	struct err e;

	if (op->context == NULL || op->context->glass == NULL)
		return NEXT;
	if (glass_may(&ask, &rule, &e) < 0)
		return op_refuse(op, &e);
	switch (glass_look(op->w->rt->glass, &ask, &o)) {
	case GLASS_NONE:
		return wait_for_opening(op, &ask, rule);
	case GLASS_OVER:
		refuse(&e, REFUSE_ACCESS,
		       "the time of break_glass \"%s\" (%s:%d) is over; "
		       "another emergency is another opening",
		       rule->name, rule->file, rule->line);
		return op_refuse(op, &e);
	case GLASS_OPEN:
		break;
	}
	if (o.first)
		notes_break_glass(op->w, op, o.id);
	*out = (struct access_opening){rule, op->context->glass->patient};
	return NEXT;
}

/* ---- the decision ------------------------------------------------------- */

static enum next
decide(struct op *op, const struct access_opening *opening)
{
	struct permit_ask ask = {.rules = op->rules,
				 .snapshot = op->snapshot,
				 .scope = op->w->scope,
				 .context = op->context,
				 .now_s = op_now_s(op),
				 .opening = opening,
				 .worker = op->w->index};
	struct err e;

	if (op_inner(op, op_cursor_head(op), &ask.stmt, &e) < 0)
		return op_refuse(op, &e);
	op->permit = permits_get(op->w->permits, &ask);
	if (op->permit->err.code != 0) {
		op->err = op->permit->err;
		op_decided(op, ask.stmt, NULL);
	}
	stmt_unpin(&ask.stmt);
	if (op->permit->fault != NULL && !op->permit->told) {
		op->permit->told = true;
		notes_access_fault(op->w, op->permit->fault);
	}
	if (op->permit->err.code == 0)
		return NEXT;
	op_doubt(op, &op->permit->err);
	return op_refuse(op, &op->permit->err);
}

enum next
op_allow(struct op *op)
{
	struct access_opening opening = {NULL, NULL};
	enum next n;

	if (op_is_free(op) || op->rules->access == NULL)
		return NEXT;
	n = op_need_catalog(op);
	if (n == NEXT && !(op->flags & OP_EXPLAIN))
		n = look_at_glass(op, &opening);
	if (n == NEXT && !(op->flags & OP_EXPLAIN))
		n = count(op);
	if (n == NEXT)
		n = decide(op, opening.glass != NULL ? &opening : NULL);
	return n;
}
