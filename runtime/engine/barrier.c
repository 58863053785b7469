/* SPDX-License-Identifier: MIT */
#include "barrier.h"

#include <string.h>

#include "closed.h"
#include "egress_map.h"
#include "fault.h"
#include "lints.h"
#include "mem.h"
#include "notes.h"
#include "runtime.h"

/* Generations that take turns ask once each. */
#define ANSWERS 8
#define OLD_US 1000000

struct answer {
	struct closed *closed; /* pinned; NULL: free */
	uint64_t key, epoch, era, used;
	int64_t asked_us;
	bool doubted;
};

struct question {
	struct list link; /* in barrier->questions */
	struct barrier *b;
	struct lints lints;
	struct rules *rules; /* pinned */
	uint64_t key, epoch, era;
	struct list waits; /* struct barrier_wait */
};

struct barrier {
	unsigned magic;
#define BARRIER_MAGIC 0xba44147e
	struct worker *w;
	struct answer answers[ANSWERS];
	struct list questions;
	struct closed *none;
	struct err err;	  /* of the last question that failed */
	uint64_t era;	  /* grows when a connection is lost */
	uint64_t clock;	  /* of answers->used */
	uint64_t key, of; /* key of the rules whose id is `of` */
	uint64_t told;	  /* id of the rules whose closed tables were told */
	struct egress_map *egress;
	uint64_t egress_of; /* id of the rules it was made of */
};

struct barrier *
barrier_new(struct worker *w)
{
	struct barrier *b = mem_new(sizeof(*b));

	OBJ_INIT(b, BARRIER_MAGIC);
	b->w = w;
	b->none = closed_none();
	list_init(&b->questions);
	return b;
}

/* ---- what is known ------------------------------------------------------ */

static uint64_t
key_of(struct barrier *b, const struct rules *r)
{
	if (b->of != r->id) {
		b->of = r->id;
		b->key = lints_key(&r->isolation);
	}
	return b->key;
}

static struct answer *
find(struct barrier *b, uint64_t key, uint64_t epoch)
{
	for (unsigned i = 0; i < ANSWERS; i++) {
		struct answer *a = &b->answers[i];

		if (a->closed != NULL && a->key == key && a->epoch == epoch)
			return a;
	}
	return NULL;
}

/* Behind a connection that was lost there may be another server. */
static bool
holds(const struct barrier *b, const struct answer *a,
      const struct isolation_rules *r)
{
	return a != NULL && (a->era == b->era || r->mode == ISOLATION_REWRITE);
}

static bool
is_old(const struct barrier *b, const struct answer *a)
{
	return loop_now_us(b->w->loop) - a->asked_us >= OLD_US;
}

/* Once for a generation, and when its set is another one. */
static void
tell(struct barrier *b, const struct rules *r, struct closed *closed)
{
	if (r->id <= b->told)
		return;
	b->told = r->id;
	notes_closed(b->w, r->id, closed);
}

static struct question *ask(struct barrier *b, struct rules *r, uint64_t epoch);

struct closed *
barrier_closed(struct barrier *b, struct rules *r, uint64_t epoch)
{
	struct answer *a;

	OBJ_CHECK(b, BARRIER_MAGIC);
	if (r->isolation.show_detail && FAULT_POINT("isolation.rls"))
		return b->none;
	a = find(b, key_of(b, r), epoch);
	if (!holds(b, a, &r->isolation))
		return NULL;
	a->used = ++b->clock;
	if ((a->doubted || a->era != b->era) && is_old(b, a))
		(void)ask(b, r, epoch);
	tell(b, r, a->closed);
	return a->closed;
}

struct closed *
barrier_known(struct barrier *b, struct rules *r, uint64_t epoch)
{
	struct closed *now = barrier_closed(b, r, epoch);
	const struct answer *a;

	if (now != NULL)
		return now;
	(void)ask(b, r, epoch);
	a = find(b, key_of(b, r), epoch);
	return a != NULL ? a->closed : NULL;
}

bool
barrier_is_old(struct barrier *b, struct rules *r, uint64_t epoch)
{
	const struct answer *a;

	OBJ_CHECK(b, BARRIER_MAGIC);
	a = find(b, key_of(b, r), epoch);
	return a == NULL || is_old(b, a);
}

void
barrier_doubt(struct barrier *b)
{
	OBJ_CHECK(b, BARRIER_MAGIC);
	for (unsigned i = 0; i < ANSWERS; i++)
		b->answers[i].doubted = true;
}

/* Without an answer of this era nobody went by one, and nobody has to be asked
 * again: a server that takes all connections with it costs one walk. */
static bool
somebody_knows(const struct barrier *b)
{
	for (unsigned i = 0; i < ANSWERS; i++)
		if (b->answers[i].closed != NULL && b->answers[i].era == b->era)
			return true;
	return false;
}

void
barrier_lost(struct barrier *b)
{
	bool known;

	OBJ_CHECK(b, BARRIER_MAGIC);
	known = somebody_knows(b);
	b->era++;
	if (known)
		op_look_again(b->w);
}

uint64_t
barrier_era(const struct barrier *b)
{
	OBJ_CHECK(b, BARRIER_MAGIC);
	return b->era;
}

const struct err *
barrier_err(const struct barrier *b)
{
	OBJ_CHECK(b, BARRIER_MAGIC);
	return &b->err;
}

/* ---- an answer ---------------------------------------------------------- */

static struct answer *
place_for(struct barrier *b, const struct question *q)
{
	struct answer *a = find(b, q->key, q->epoch);

	for (unsigned i = 0; a == NULL && i < ANSWERS; i++)
		if (b->answers[i].closed == NULL)
			a = &b->answers[i];
	if (a != NULL)
		return a;
	a = &b->answers[0];
	for (unsigned i = 1; i < ANSWERS; i++)
		if (b->answers[i].used < a->used)
			a = &b->answers[i];
	return a;
}

/* The same tables for the same reasons are the same set: what was memoised with
 * it stays good.  Takes it. */
static struct closed *
one_of_each(struct barrier *b, struct closed *c)
{
	for (unsigned i = 0; i < ANSWERS; i++) {
		struct closed *known = b->answers[i].closed;

		if (known != NULL && closed_same(known, c)) {
			closed_unpin(&c);
			return closed_pin(known);
		}
	}
	return c;
}

static void
take(struct barrier *b, const struct question *q)
{
	struct closed *closed = one_of_each(b, closed_new(&q->lints));
	struct answer *a = place_for(b, q);

	if (a->closed != NULL)
		closed_unpin(&a->closed);
	if (q->rules->id >= b->told)
		b->told = q->rules->id - 1; /* its set may be another one */
	*a = (struct answer){.closed = closed,
			     .key = q->key,
			     .epoch = q->epoch,
			     .era = q->era,
			     .used = ++b->clock,
			     .asked_us = loop_now_us(b->w->loop)};
	err_clear(&b->err);
	tell(b, q->rules, closed);
}

static void
end_waits(struct question *q)
{
	struct list *link;

	while ((link = list_first(&q->waits)) != NULL) {
		struct barrier_wait *w = LIST_ENTRY(link, struct barrier_wait,
						    link);

		list_remove(&w->link);
		w->done(w->arg);
	}
}

static void
free_question(struct question *q)
{
	lints_fini(&q->lints);
	rules_unpin(&q->rules);
	mem_free(q);
}

/* That there is no connection, or no time, says nothing about the database.
 * That it refuses the questions is an answer: closed. */
static bool
is_answer(const struct err *e)
{
	return e->code == 0 || e->code == LUNATE_EDENIED ||
	       e->code == LUNATE_EUNDEFINED || e->code == LUNATE_EQUERY;
}

static void on_lints(struct lints *l);

static void
start(struct question *q)
{
	memset(&q->lints, 0, sizeof(q->lints));
	q->lints.closing = true;
	q->era = q->b->era;
	lints_start(&q->lints, q->b->w, &q->rules->isolation, on_lints);
}

/* A connection was lost meanwhile: which server answered is not known. */
static bool
is_late(const struct question *q)
{
	return q->era != q->b->era && !q->b->w->closing &&
	       q->rules->isolation.mode != ISOLATION_REWRITE;
}

static void
on_lints(struct lints *l)
{
	struct question *q = CONTAINER_OF(l, struct question, lints);
	struct barrier *b = q->b;

	if (is_answer(&l->op.err) && is_late(q)) {
		lints_fini(l);
		start(q);
		return;
	}
	list_remove(&q->link);
	if (is_answer(&l->op.err))
		take(b, q);
	else
		b->err = l->op.err;
	end_waits(q);
	free_question(q);
}

/* ---- a question --------------------------------------------------------- */

static struct question *
under_way(struct barrier *b, uint64_t key, uint64_t epoch)
{
	LIST_EACH (link, &b->questions) {
		struct question *q = LIST_ENTRY(link, struct question, link);

		if (q->key == key && q->epoch == epoch)
			return q;
	}
	return NULL;
}

static struct question *
ask(struct barrier *b, struct rules *r, uint64_t epoch)
{
	uint64_t key = key_of(b, r);
	struct question *q = under_way(b, key, epoch);

	if (q != NULL)
		return q;
	q = mem_new(sizeof(*q));
	q->b = b;
	q->key = key;
	q->epoch = epoch;
	q->rules = rules_share(r);
	list_init(&q->waits);
	list_push_back(&b->questions, &q->link);
	start(q);
	return q;
}

void
barrier_wait_init(struct barrier_wait *w)
{
	list_init(&w->link);
}

void
barrier_wait(struct barrier *b, struct barrier_wait *w)
{
	OBJ_CHECK(b, BARRIER_MAGIC);
	list_push_back(&ask(b, w->rules, w->epoch)->waits, &w->link);
}

void
barrier_unwait(struct barrier_wait *w)
{
	list_remove(&w->link);
}

/* ---- egress ------------------------------------------------------------- */

struct egress_map *
barrier_egress(struct barrier *b, struct rules *r)
{
	struct catalog_snapshot *s = catalog_current(b->w->catalog);
	struct egress_map *old = b->egress;

	OBJ_CHECK(b, BARRIER_MAGIC);
	if (old != NULL && b->egress_of == r->id &&
	    (s == NULL || old->snapshot == s))
		return old;
	if (s == NULL && old != NULL)
		s = old->snapshot; /* as it was known last */
	if (s == NULL)
		return NULL;
	b->egress = egress_map_new(&r->isolation, s);
	b->egress_of = r->id;
	if (old != NULL)
		egress_map_unpin(&old);
	return b->egress;
}

void
barrier_free(struct barrier **pb)
{
	struct barrier *b;

	OBJ_TAKE(b, pb, BARRIER_MAGIC);
	assert(list_empty(&b->questions));
	for (unsigned i = 0; i < ANSWERS; i++)
		if (b->answers[i].closed != NULL)
			closed_unpin(&b->answers[i].closed);
	if (b->egress != NULL)
		egress_map_unpin(&b->egress);
	closed_unpin(&b->none);
	OBJ_FINI(b);
	mem_free(b);
}
