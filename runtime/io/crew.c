/* SPDX-License-Identifier: MIT */
#include "crew.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "mem.h"

/* One thread of the crew. */
struct hand {
	struct crew *crew;
	pthread_t id;
	int number;
	bool gone; /* it left its loop and touches nothing of ours any more */
};

struct crew {
	unsigned magic;
#define CREW_MAGIC 0xc4e3b001
	pthread_mutex_t lock; /* guards everything below */
	pthread_cond_t work;  /* a job was queued, or the crew is closing */
	pthread_cond_t left;  /* a thread left */
	struct list queue;    /* of jobs, oldest first */
	size_t queued;
	size_t running;
	int threads; /* most there may be */
	int started; /* hands[0..started) exist */
	int alive;   /* of those, not gone */
	int idle;    /* of those, waiting for work */
	bool closing;
	bool forsaken; /* crew_free gave up: nobody waits for anything */
	struct hand hands[];
};

static void
lock(struct crew *c)
{
	int rc = pthread_mutex_lock(&c->lock);

	assert(rc == 0);
}

static void
unlock(struct crew *c)
{
	int rc = pthread_mutex_unlock(&c->lock);

	assert(rc == 0);
}

struct crew *
crew_new(int threads)
{
	struct crew *c;
	pthread_condattr_t attr;

	assert(threads > 0 && threads <= CREW_THREADS_MAX);
	c = mem_new(sizeof(*c) + (size_t)threads * sizeof(c->hands[0]));
	OBJ_INIT(c, CREW_MAGIC);
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->work, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->left, &attr);
	pthread_condattr_destroy(&attr);
	list_init(&c->queue);
	c->threads = threads;
	return c;
}

static void
arrive(struct loop_letter *letter)
{
	struct crew_job *job = CONTAINER_OF(letter, struct crew_job, letter);

	job->state = CREW_IDLE;
	job->done(job);
}

void
crew_job_init(struct crew_job *job, struct loop *home,
	      void (*work)(struct crew_job *), void (*done)(struct crew_job *))
{
	list_init(&job->link);
	job->state = CREW_IDLE;
	job->abandoned = job->ran = false;
	job->home = home;
	job->letter.run = arrive;
	job->work = work;
	job->done = done;
	job->drop = NULL;
}

static void
drop(struct crew_job *job)
{
	job->state = CREW_IDLE;
	if (job->drop != NULL)
		job->drop(job);
}

/* Under the lock: so that after crew_free() no home is touched any more.
 * From the post on, the job is its home's. */
static void
send_home(struct crew_job *job, bool ran)
{
	job->ran = ran;
	job->state = CREW_SENT;
	loop_post(job->home, &job->letter);
}

/* Called and returns with the lock held. */
static void
work_on(struct crew *c, struct crew_job *job)
{
	bool unwanted;

	list_remove(&job->link);
	c->queued--;
	c->running++;
	job->state = CREW_RUNNING;
	unlock(c);
	job->work(job);
	lock(c);
	c->running--;
	unwanted = job->abandoned || c->forsaken;
	if (!unwanted) {
		send_home(job, true);
		return;
	}
	unlock(c);
	drop(job);
	lock(c);
}

static void
destroy(struct crew *c)
{
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->work);
	pthread_cond_destroy(&c->left);
	OBJ_FINI(c);
	mem_free(c);
}

/* Called with the lock held. */
static void
leave(struct hand *h)
{
	struct crew *c = h->crew;
	bool last;

	h->gone = true;
	c->alive--;
	last = c->forsaken && c->alive == 0;
	pthread_cond_broadcast(&c->left);
	unlock(c);
	if (last)
		destroy(c);
}

static void *
hand_main(void *arg)
{
	struct hand *h = arg;
	struct crew *c;
	char name[16];

	OBJ_CAST(c, h->crew, CREW_MAGIC);
	snprintf(name, sizeof(name), "lunate-crew-%d", h->number);
	pthread_setname_np(pthread_self(), name);
	lock(c);
	for (;;) {
		struct list *first = list_first(&c->queue);

		if (first != NULL) {
			work_on(c, LIST_ENTRY(first, struct crew_job, link));
			continue;
		}
		if (c->closing)
			break;
		c->idle++;
		pthread_cond_wait(&c->work, &c->lock);
		c->idle--;
	}
	leave(h);
	return NULL;
}

/* Under the lock.  The signal mask is inherited, so that there is no moment
 * in which the new thread could take a signal of the host. */
static void
start_hand(struct crew *c)
{
	struct hand *h = &c->hands[c->started];
	sigset_t all, before;

	h->crew = c;
	h->number = c->started;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&h->id, NULL, hand_main, h) == 0) {
		c->started++;
		c->alive++;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void
enqueue(struct crew *c, struct crew_job *job)
{
	list_push_back(&c->queue, &job->link);
	job->state = CREW_QUEUED;
	c->queued++;
	pthread_cond_signal(&c->work);
}

/* True: the crew has taken the job, one way or the other. */
static bool
accept_job(struct crew *c, struct crew_job *job)
{
	bool taken;

	lock(c);
	assert(job->state == CREW_IDLE);
	taken = !c->forsaken;
	if (taken && (size_t)c->idle <= c->queued && c->started < c->threads)
		start_hand(c);
	if (taken && c->started > 0)
		enqueue(c, job);
	else if (taken)
		send_home(job, false);
	unlock(c);
	return taken;
}

void
crew_submit(struct crew *c, struct crew_job *job)
{
	OBJ_CHECK(c, CREW_MAGIC);
	assert(job->work != NULL && job->done != NULL && job->home != NULL);
	job->abandoned = job->ran = false;
	if (!accept_job(c, job))
		drop(job);
}

/* Under the lock. */
static bool
unqueue(struct crew *c, struct crew_job *job)
{
	if (job->state != CREW_QUEUED)
		return false;
	list_remove(&job->link);
	job->state = CREW_IDLE;
	c->queued--;
	return true;
}

bool
crew_withdraw(struct crew *c, struct crew_job *job)
{
	bool out;

	OBJ_CHECK(c, CREW_MAGIC);
	lock(c);
	out = unqueue(c, job);
	unlock(c);
	return out;
}

bool
crew_abandon(struct crew *c, struct crew_job *job)
{
	bool waiting, running;

	OBJ_CHECK(c, CREW_MAGIC);
	lock(c);
	waiting = unqueue(c, job);
	running = job->state == CREW_RUNNING;
	if (running)
		job->abandoned = true;
	unlock(c);
	if (waiting)
		drop(job);
	return waiting || running;
}

bool
crew_disown(struct crew *c, struct crew_job *job)
{
	bool there;

	OBJ_CHECK(c, CREW_MAGIC);
	lock(c);
	there = job->state == CREW_QUEUED || job->state == CREW_RUNNING;
	if (there)
		job->abandoned = true;
	unlock(c);
	return there;
}

size_t
crew_load(struct crew *c)
{
	size_t n;

	OBJ_CHECK(c, CREW_MAGIC);
	lock(c);
	n = c->queued + c->running;
	unlock(c);
	return n;
}

static struct timespec
deadline_after(int ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += (long)(ms % 1000) * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_nsec -= 1000000000;
		t.tv_sec++;
	}
	return t;
}

/* Under the lock. */
static void
wait_for_hands(struct crew *c, int budget_ms)
{
	struct timespec until = deadline_after(budget_ms);
	int rc = 0;

	c->closing = true;
	pthread_cond_broadcast(&c->work);
	while (c->alive > 0 && rc != ETIMEDOUT)
		rc = pthread_cond_timedwait(&c->left, &c->lock, &until);
}

/* A host may unload us (Lua closes its C modules); a thread that is left
 * behind still has to return through this code. */
static void
stay_loaded(void)
{
	Dl_info me;

	if (dladdr(__extension__(void *) stay_loaded, &me) != 0)
		(void)dlopen(me.dli_fname,
			     RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

/* Under the lock: a thread that is gone only has to return, so joining it
 * does not wait for anything. */
static void
part_with_hands(struct crew *c)
{
	for (int i = 0; i < c->started; i++) {
		if (c->hands[i].gone)
			pthread_join(c->hands[i].id, NULL);
		else
			pthread_detach(c->hands[i].id);
	}
}

static void
drop_all(struct list *jobs)
{
	struct list *link;

	while ((link = list_first(jobs)) != NULL) {
		list_remove(link);
		drop(LIST_ENTRY(link, struct crew_job, link));
	}
}

size_t
crew_free(struct crew **pc, int budget_ms)
{
	struct list unstarted;
	struct crew *c;
	size_t left;
	bool stuck;

	OBJ_TAKE(c, pc, CREW_MAGIC);
	assert(budget_ms >= 0);
	list_init(&unstarted);
	lock(c);
	wait_for_hands(c, budget_ms);
	left = c->queued + c->running;
	list_splice_back(&unstarted, &c->queue);
	c->queued = 0;
	part_with_hands(c);
	stuck = c->alive > 0;
	c->forsaken = true;
	if (stuck)
		stay_loaded();
	unlock(c);
	drop_all(&unstarted);
	if (!stuck)
		destroy(c);
	return left;
}
