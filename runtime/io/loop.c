/* SPDX-License-Identifier: MIT */
#include "loop.h"

#include <time.h>

#include "mem.h"

struct loop {
	unsigned magic;
#define LOOP_MAGIC 0x100b5e11
	struct ev_loop *ev;
	ev_prepare prepare;
	ev_idle idle;	/* active while jobs are left: do not sleep */
	ev_async async; /* wakes the loop for letters */
	struct list jobs[LOOP_PHASES];
	struct mbox letters;
	int64_t now_us;
	int64_t tick_us; /* the coarse clock when that was read */
	int64_t poll_us; /* 0: sleep at once */
	int64_t work_us; /* when a job was last added, of now_us */
	bool stopping;
	const bool *done; /* of the innermost loop_run_until, or NULL */
};

static void
idle_noop(struct ev_loop *ev, ev_idle *w, int events)
{
	(void)ev, (void)w, (void)events;
}

static void
run_phase(struct loop *l, enum loop_phase phase)
{
	struct list *link;

	for (int n = 0; n < LOOP_BUDGET; n++) {
		struct loop_job *job;

		link = list_first(&l->jobs[phase]);
		if (link == NULL)
			return;
		list_remove(link);
		job = LIST_ENTRY(link, struct loop_job, link);
		job->run(job);
	}
}

static bool
jobs_left(const struct loop *l)
{
	for (int i = 0; i < LOOP_PHASES; i++)
		if (!list_empty(&l->jobs[i]))
			return true;
	return false;
}

static void
end_of_turn(struct ev_loop *ev, ev_prepare *w, int events)
{
	struct loop *l;

	(void)events;
	OBJ_CAST(l, w->data, LOOP_MAGIC);
	loop_refresh(l);
	for (int i = 0; i < LOOP_PHASES; i++)
		run_phase(l, (enum loop_phase)i);
	if (jobs_left(l) || l->stopping || (l->done != NULL && *l->done))
		ev_idle_start(ev, &l->idle);
	else
		ev_idle_stop(ev, &l->idle);
}

static bool
run_letter(struct loop *l)
{
	struct mbox_node *node = mbox_take(&l->letters);
	struct loop_letter *letter;

	if (node == NULL)
		return false;
	letter = CONTAINER_OF(node, struct loop_letter, node);
	letter->run(letter);
	return true;
}

/* Whoever posts all the time does not keep the sockets waiting: what is left
 * is for the next turn. */
static void
read_letters(struct ev_loop *ev, ev_async *w, int events)
{
	struct loop *l;

	(void)events;
	OBJ_CAST(l, w->data, LOOP_MAGIC);
	for (int n = 0; n < LOOP_BUDGET; n++)
		if (!run_letter(l))
			return;
	ev_async_send(ev, w);
}

struct loop *
loop_new(void)
{
	struct loop *l = mem_new(sizeof(*l));

	OBJ_INIT(l, LOOP_MAGIC);
	/* NOSIGMASK, and no default loop: signals belong to the host. */
	l->ev = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV | EVFLAG_NOSIGMASK);
	if (l->ev == NULL)
		obj_panic(__FILE__, __LINE__, "no event backend");
	for (int i = 0; i < LOOP_PHASES; i++)
		list_init(&l->jobs[i]);
	mbox_init(&l->letters);
	ev_prepare_init(&l->prepare, end_of_turn);
	ev_idle_init(&l->idle, idle_noop);
	ev_async_init(&l->async, read_letters);
	l->prepare.data = l->idle.data = l->async.data = l;
	ev_set_priority(&l->prepare, EV_MINPRI);
	ev_prepare_start(l->ev, &l->prepare);
	ev_async_start(l->ev, &l->async);
	loop_refresh(l);
	return l;
}

struct ev_loop *
loop_ev(struct loop *l)
{
	OBJ_CHECK(l, LOOP_MAGIC);
	return l->ev;
}

int64_t
loop_now_us(const struct loop *l)
{
	OBJ_CHECK(l, LOOP_MAGIC);
	return l->now_us;
}

static int64_t
clock_us(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t
loop_clock_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

void
loop_freshen(struct loop *l)
{
	if (clock_us(CLOCK_MONOTONIC_COARSE) != l->tick_us)
		loop_refresh(l);
}

void
loop_refresh(struct loop *l)
{
	OBJ_CHECK(l, LOOP_MAGIC);
	l->now_us = loop_clock_us();
	l->tick_us = clock_us(CLOCK_MONOTONIC_COARSE);
	ev_now_update(l->ev);
}

int64_t
loop_wall_us(const struct loop *l)
{
	OBJ_CHECK(l, LOOP_MAGIC);
	return (int64_t)(ev_now(l->ev) * 1e6);
}

void
loop_job_init(struct loop_job *job, void (*run)(struct loop_job *))
{
	list_init(&job->link);
	job->run = run;
}

static void
on_timer(struct ev_loop *ev, ev_timer *w, int events)
{
	struct loop_timer *t = w->data;

	(void)ev, (void)events;
	t->fire(t);
}

void
loop_timer_init(struct loop_timer *t, struct loop *l,
		void (*fire)(struct loop_timer *t))
{
	OBJ_CHECK(l, LOOP_MAGIC);
	ev_init(&t->ev, on_timer);
	t->ev.data = t;
	t->loop = l;
	t->fire = fire;
}

void
loop_timer_start(struct loop_timer *t, int64_t us)
{
	ev_timer_stop(t->loop->ev, &t->ev);
	ev_timer_set(&t->ev, us > 0 ? (double)us / 1e6 : 0.0, 0.);
	ev_timer_start(t->loop->ev, &t->ev);
}

void
loop_timer_stop(struct loop_timer *t)
{
	ev_timer_stop(t->loop->ev, &t->ev);
}

static void
on_fd(struct ev_loop *ev, ev_io *io, int events)
{
	struct loop_fd *w = io->data;

	(void)events;
	OBJ_CHECK(w->loop, LOOP_MAGIC);
	ev_io_stop(ev, io);
	w->fire(w);
}

void
loop_fd_init(struct loop_fd *w, struct loop *l, void (*fire)(struct loop_fd *w))
{
	OBJ_CHECK(l, LOOP_MAGIC);
	ev_init(&w->ev, on_fd);
	w->ev.data = w;
	w->loop = l;
	w->fire = fire;
}

void
loop_fd_start(struct loop_fd *w, int fd, bool writing)
{
	ev_io_stop(w->loop->ev, &w->ev);
	ev_io_set(&w->ev, fd, writing ? EV_WRITE : EV_READ);
	ev_io_start(w->loop->ev, &w->ev);
}

void
loop_fd_stop(struct loop_fd *w)
{
	ev_io_stop(w->loop->ev, &w->ev);
}

void
loop_defer(struct loop *l, enum loop_phase phase, struct loop_job *job)
{
	OBJ_CHECK(l, LOOP_MAGIC);
	if (!list_linked(&job->link))
		list_push_back(&l->jobs[phase], &job->link);
	l->work_us = l->now_us;
	/* An event fed by a job comes behind the end of its turn: what it
	 * defers must not wait for another event. */
	ev_idle_start(l->ev, &l->idle);
}

void
loop_undefer(struct loop_job *job)
{
	list_remove(&job->link);
}

void
loop_post(struct loop *l, struct loop_letter *letter)
{
	OBJ_CHECK(l, LOOP_MAGIC);
	if (mbox_put(&l->letters, &letter->node))
		ev_async_send(l->ev, &l->async);
}

void
loop_busy_poll(struct loop *l, int64_t us)
{
	OBJ_CHECK(l, LOOP_MAGIC);
	if (us > l->poll_us)
		l->poll_us = us;
}

static void
turn(struct loop *l)
{
	bool look = l->poll_us > 0 && l->now_us - l->work_us < l->poll_us;

	ev_run(l->ev, look ? EVRUN_NOWAIT : EVRUN_ONCE);
}

void
loop_run_until(struct loop *l, const bool *done)
{
	const bool *outer;

	OBJ_CHECK(l, LOOP_MAGIC);
	outer = l->done;
	l->done = done;
	while (!*done && !l->stopping)
		turn(l);
	l->stopping = false;
	l->done = outer;
}

void
loop_run(struct loop *l)
{
	static const bool never = false;

	loop_run_until(l, &never);
}

static void
nap_over(struct ev_loop *ev, ev_timer *w, int events)
{
	(void)ev, (void)w, (void)events;
}

void
loop_turn(struct loop *l, double seconds)
{
	ev_timer nap;

	OBJ_CHECK(l, LOOP_MAGIC);
	ev_timer_init(&nap, nap_over, seconds, 0.);
	ev_timer_start(l->ev, &nap);
	ev_run(l->ev, EVRUN_ONCE);
	ev_timer_stop(l->ev, &nap);
}

void
loop_stop(struct loop *l)
{
	OBJ_CHECK(l, LOOP_MAGIC);
	l->stopping = true;
}

void
loop_free(struct loop **pl)
{
	struct loop *l;

	OBJ_TAKE(l, pl, LOOP_MAGIC);
	while (run_letter(l))
		;
	ev_prepare_stop(l->ev, &l->prepare);
	ev_idle_stop(l->ev, &l->idle);
	ev_async_stop(l->ev, &l->async);
	ev_loop_destroy(l->ev);
	mbox_fini(&l->letters);
	OBJ_FINI(l);
	mem_free(l);
}
