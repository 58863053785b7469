/* SPDX-License-Identifier: MIT
 *
 * The fence around a cancel.
 *
 * A cancel request travels on a socket of its own and hits whatever the
 * backend runs when it arrives.  So from the moment it is sent until both the
 * last expected answer and the end of the cancel's own connection have been
 * seen, nothing new is sent: there is nothing innocent to hit.
 *
 * PQcancel blocks (it waits for the postmaster to close), so a crew thread
 * makes the call.  A postmaster that does not answer keeps that thread, not
 * us: after FENCE_S the connection is given up.
 */
#include "pgconn_int.h"

#include "mem.h"

#define FENCE_S 3.0

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

void
pgcancel_start(struct pgconn *c, struct pgreq *target)
{
	struct pgcancel *k = mem_new(sizeof(*k));

	assert(c->state == PGCONN_READY && c->ngroups > 0);
	k->request = PQgetCancel(c->pg);
	if (k->request == NULL)
		obj_panic(__FILE__, __LINE__, "out of memory");
	k->conn = c;
	crew_job_init(&k->job, c->loop, cancel_work, cancel_done);
	k->job.drop = cancel_drop;
	c->cancel = k;
	c->counts->cancels++;
	c->target = target;
	pgconn_enter(c, PGCONN_FENCED);
	ev_timer_stop(loop_ev(c->loop), &c->timer);
	ev_timer_set(&c->timer, FENCE_S, 0.);
	ev_timer_start(loop_ev(c->loop), &c->timer);
	crew_submit(c->crew, &k->job);
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
	/* conn first: after crew_abandon the job may be gone already. */
	c->cancel->conn = NULL;
	(void)crew_abandon(c->crew, &c->cancel->job);
	c->cancel = NULL;
}
