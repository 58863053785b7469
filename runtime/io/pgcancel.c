/* SPDX-License-Identifier: MIT
 *
 * The fence around a cancel.
 *
 * A cancel request travels on a socket of its own and hits whatever the
 * backend runs when it arrives.  So from the moment it is sent until both the
 * last expected answer and the end of the cancel's own connection have been
 * seen, nothing new is sent: there is nothing innocent to hit.
 *
 * A cancel that arrives before its statement hits nothing, so as long as what
 * it was meant for has not ended, it is sent again: behind the fence it can
 * still hit nothing else.
 *
 * PQcancel blocks (it waits for the postmaster to close), so a crew thread
 * makes the call.  A postmaster that does not answer keeps that thread, not
 * us: after FENCE_TRIES times AGAIN_S the connection is given up.
 */
#include "pgconn_int.h"

#include "mem.h"

#define AGAIN_S 0.25
#define FENCE_TRIES 12

struct pgcancel {
	struct crew_job job;
	struct pgconn *conn; /* NULL: it died meanwhile */
	PGcancel *request;
};

static void
cancel_work(struct crew_job *job)
{
	struct pgcancel *k = CONTAINER_OF(job, struct pgcancel, job);
	char why[64];

	(void)PQcancel(k->request, why, (int)sizeof(why));
}

static void
cancel_done(struct crew_job *job)
{
	struct pgcancel *k = CONTAINER_OF(job, struct pgcancel, job);
	struct pgconn *c = k->conn;

	PQfreeCancel(k->request);
	mem_free(k);
	if (c == NULL)
		return;
	OBJ_CHECK(c, PGCONN_MAGIC);
	c->cancel = NULL;
	pgcancel_check(c);
}

/* The connection died first: on whatever thread knows it. */
static void
cancel_drop(struct crew_job *job)
{
	struct pgcancel *k = CONTAINER_OF(job, struct pgcancel, job);

	PQfreeCancel(k->request);
	mem_free(k);
}

static void
deliver(struct pgconn *c)
{
	struct pgcancel *k = mem_new(sizeof(*k));

	k->request = PQgetCancel(c->pg);
	if (k->request == NULL)
		obj_panic(__FILE__, __LINE__, "out of memory");
	k->conn = c;
	crew_job_init(&k->job, c->loop, cancel_work, cancel_done);
	k->job.drop = cancel_drop;
	c->cancel = k;
	crew_submit(c->crew, &k->job);
}

void
pgcancel_start(struct pgconn *c, struct pgreq *target)
{
	assert(c->state == PGCONN_READY && c->ngroups > 0);
	c->counts->cancels++;
	c->target = target;
	c->fence_ticks = 0;
	pgconn_enter(c, PGCONN_FENCED);
	ev_timer_stop(loop_ev(c->loop), &c->timer);
	ev_timer_set(&c->timer, AGAIN_S, AGAIN_S);
	ev_timer_start(loop_ev(c->loop), &c->timer);
	deliver(c);
	/* A server that is blocked in writing hears of no cancel. */
	pgconn_resume(c);
}

/* By the clock.  False: the server does not react. */
bool
pgcancel_again(struct pgconn *c)
{
	if (c->cancel == NULL && c->target == NULL && c->nreqs > 0)
		return true; /* it has ended; what is left runs on */
	if (++c->fence_ticks >= FENCE_TRIES)
		return false;
	if (c->cancel == NULL)
		deliver(c);
	return true;
}

/* Opens the fence when both ends have been seen. */
void
pgcancel_check(struct pgconn *c)
{
	if (c->state != PGCONN_FENCED || c->cancel != NULL || c->ngroups > 0)
		return;
	ev_timer_stop(loop_ev(c->loop), &c->timer);
	c->target = NULL;
	pgconn_enter(c, PGCONN_READY);
	c->owner.on_state(c, c->owner.arg);
}

void
pgcancel_detach(struct pgconn *c)
{
	if (c->cancel == NULL)
		return;
	/* conn first: after crew_disown the job may be gone already.  The
	 * cancel still goes out: nobody else ends that statement. */
	c->cancel->conn = NULL;
	(void)crew_disown(c->crew, &c->cancel->job);
	c->cancel = NULL;
}
