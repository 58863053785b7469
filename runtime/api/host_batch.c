/* SPDX-License-Identifier: MIT
 *
 * A batch of a host: independent statements in a sliding window.
 *
 *   order: 0 1 2 3 4 5 ...      taken by `next`, the more urgent first
 *          |---| lanes          each lane runs one, then takes the next
 *
 * A lane whose statement failed in a way that may pass runs it again after a
 * pause.  The last lane to end wakes the caller.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "host.h"
#include "sized.h"

#define CONCURRENCY 50
#define BASE_US 100000
#define CAP_US 5000000

struct lanes;

struct lane {
	struct lanes *all;
	size_t i; /* which call it runs */
	int attempts;
};

/* Before a lane tries again: ends by its timer, or with the worker. */
struct pause {
	struct errand q;
	struct loop_timer timer;
	int attempts;
};

struct lanes {
	struct lunate *db;
	struct lunate_operations *b;
	size_t *order;
	size_t next;	 /* atomic: place in order */
	size_t failures; /* atomic */
	int left;	 /* atomic: lanes that still run */
	sem_t done;
};

/* Calls stand as far apart as the host's struct is long. */
static const struct lunate_call *
call_of(const struct lunate_operations *b, size_t i)
{
	return (const struct lunate_call *)((const char *)b->calls +
					    i * b->calls[0].size);
}

/* ---- one lane ---------------------------------------------------------- */

static void on_done(void *arg, struct lunate_rows *rows,
		    const struct lunate_error *e);

/* False: the call itself is wrong, or the runtime is closed. */
static bool
submit(struct lane *l, struct lunate_error *e)
{
	struct lunate_then then = lunate_then_of(on_done, l);

	return lunate_query_async(l->all->db, call_of(l->all->b, l->i), &then,
				  e) == 0;
}

static void
note_failure(struct lane *l, const struct lunate_error *e)
{
	l->all->b->outcomes[l->i].error = *e;
	__atomic_add_fetch(&l->all->failures, 1, __ATOMIC_RELAXED);
}

/* The lane goes on with the next call, or ends: then `l` is gone. */
static void
go_on(struct lane *l)
{
	struct lanes *all = l->all;
	struct lunate_error e;
	size_t at;

	while ((at = __atomic_fetch_add(&all->next, 1, __ATOMIC_RELAXED)) <
	       all->b->n) {
		l->i = all->order[at];
		l->attempts = 0;
		if (submit(l, &e))
			return;
		note_failure(l, &e);
	}
	if (__atomic_sub_fetch(&all->left, 1, __ATOMIC_ACQ_REL) == 0)
		sem_post(&all->done);
}

/* ---- pauses ------------------------------------------------------------ */

static void
pause_over(struct loop_timer *t)
{
	errand_end(&CONTAINER_OF(t, struct pause, timer)->q);
}

/* Full jitter, up to base * 2^attempt. */
static void
run_pause(struct errand *q)
{
	struct pause *p = CONTAINER_OF(q, struct pause, q);
	int64_t top = (int64_t)BASE_US << (p->attempts < 6 ? p->attempts : 6);

	if (top > CAP_US)
		top = CAP_US;
	loop_timer_init(&p->timer, q->hw->loop, pause_over);
	loop_timer_start(&p->timer,
			 (int64_t)worker_random(q->hw->w, (uint64_t)top));
}

static void
drop_pause(struct errand *q)
{
	mem_free(CONTAINER_OF(q, struct pause, q));
}

static void
after_pause(void *arg, struct lunate_rows *rows, const struct lunate_error *e)
{
	struct lane *l = arg;
	struct lunate_error own;

	(void)rows;
	if (e == NULL && submit(l, &own))
		return;
	note_failure(l, e != NULL ? e : &own);
	go_on(l);
}

/* On the worker that answered.  False: the runtime is closed. */
static bool
rest(struct lane *l)
{
	struct pause *p;
	struct err closed;

	if (host_enter(l->all->db, &closed) < 0)
		return false;
	p = mem_new(sizeof(*p));
	errand_init(&p->q, host_here());
	p->q.run = run_pause;
	p->q.drop = drop_pause;
	p->q.done = after_pause;
	p->q.arg = l;
	p->attempts = l->attempts;
	errand_send_direct(&p->q);
	return true;
}

static void
on_done(void *arg, struct lunate_rows *rows, const struct lunate_error *e)
{
	struct lane *l = arg;
	struct lunate_operations *b = l->all->b;

	if (e != NULL && e->retryable && l->attempts < b->retries) {
		l->attempts++;
		if (rest(l))
			return;
	}
	b->outcomes[l->i].rows = rows;
	if (e != NULL)
		note_failure(l, e);
	go_on(l);
}

/* ---- all of them ------------------------------------------------------- */

static int
rank(const struct lunate_call *given)
{
	struct lunate_call call, *c = &call;
	struct err e;

	(void)!ask_take(given, c, &e); /* it was taken before */
	return c->priority != LUNATE_PRIORITY_DEFAULT ? c->priority
						      : LUNATE_PRIORITY_NORMAL;
}

/* By priority, within one in the order given. */
static void
put_in_order(struct lanes *all)
{
	size_t at = 0;

	for (int p = LUNATE_PRIORITY_CRITICAL; p <= LUNATE_PRIORITY_LOW; p++)
		for (size_t i = 0; i < all->b->n; i++)
			if (rank(call_of(all->b, i)) == p)
				all->order[at++] = i;
	assert(at == all->b->n);
}

static int
check(const struct lunate_operations *b, struct err *e)
{
	if (b->n > 0 && (b->calls == NULL || b->outcomes == NULL))
		return err_set(e, LUNATE_EINVAL,
			       "a batch needs its calls, and room for as many "
			       "outcomes");
	if (b->concurrency < 0 || b->retries < 0)
		return err_set(e, LUNATE_EINVAL,
			       "concurrency and retries are numbers from 0");
	for (size_t i = 0; i < b->n; i++) {
		struct lunate_call call;

		if (ask_take(call_of(b, i), &call, e) < 0)
			return err_wrap(e, "call %zu of the batch", i);
		if (call.tx != NULL)
			return err_set(e, LUNATE_EINVAL,
				       "call %zu of the batch is inside a "
				       "transaction, which runs one statement "
				       "at a time",
				       i);
	}
	return 0;
}

static void
run_lanes(struct lanes *all, int n)
{
	struct lane *lanes = mem_new(sizeof(*lanes) * (size_t)n);

	all->left = n;
	for (int i = 0; i < n; i++) {
		lanes[i].all = all;
		go_on(&lanes[i]);
	}
	while (sem_wait(&all->done) < 0 && errno == EINTR)
		;
	mem_free(lanes);
}

int
lunate_batch(struct lunate *db, struct lunate_operations *given,
	     struct lunate_error *e)
{
	struct lunate_operations own, *b = &own;
	const struct sized s = {
		b, sizeof(*b), given,
		"struct lunate_operations; begin with lunate_batch_of()"};
	struct lanes all = {.db = db, .b = b};
	struct err why;
	size_t n;

	if (host_here() != NULL)
		return error_say(e, LUNATE_EINVAL,
				 "a batch waits, and was asked for on a "
				 "worker's thread");
	if (sized_take(&s, &why) < 0 || check(b, &why) < 0 ||
	    host_enter(db, &why) < 0)
		return error_fill(e, &why);
	host_exit(db);
	given->failures = 0;
	if (b->n == 0)
		return 0;
	memset(b->outcomes, 0, b->n * sizeof(*b->outcomes));
	all.order = mem_try(b->n * sizeof(*all.order));
	if (all.order == NULL)
		return error_say(e, LUNATE_ENOMEM, "no memory for the batch");
	put_in_order(&all);
	sem_init(&all.done, 0, 0);
	n = b->concurrency > 0 ? (size_t)b->concurrency : CONCURRENCY;
	run_lanes(&all, (int)(n < b->n ? n : b->n));
	sem_destroy(&all.done);
	mem_free(all.order);
	given->failures = all.failures;
	return 0;
}
