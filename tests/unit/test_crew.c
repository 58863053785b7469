/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crew.h"
#include "mem.h"

#define LONG_MS 60000

static struct loop *loop;
static pthread_t home_thread;

/* A job that notes what became of it. */
struct probe {
	struct crew_job job;
	sem_t *started; /* posted when work begins, or NULL */
	sem_t *gate;	/* work waits for it, or NULL */
	sem_t *dropped; /* posted by drop, or NULL */
	int *order;	/* shared counter, or NULL */
	int place;	/* value of *order when work began */
	pthread_t worker;
	sigset_t blocked;
	char name[16];
	int done, drops, works;
	bool stop; /* done stops the loop */
};

static void
wait_sem(sem_t *s)
{
	while (sem_wait(s) != 0)
		;
}

static void
work(struct crew_job *job)
{
	struct probe *p = CONTAINER_OF(job, struct probe, job);

	p->worker = pthread_self();
	p->works++;
	pthread_sigmask(SIG_SETMASK, NULL, &p->blocked);
	pthread_getname_np(pthread_self(), p->name, sizeof(p->name));
	if (p->order != NULL)
		p->place = __atomic_add_fetch(p->order, 1, __ATOMIC_RELAXED);
	if (p->started != NULL)
		sem_post(p->started);
	if (p->gate != NULL)
		wait_sem(p->gate);
}

static void
done(struct crew_job *job)
{
	struct probe *p = CONTAINER_OF(job, struct probe, job);

	assert_true(pthread_equal(pthread_self(), home_thread));
	p->done++;
	if (p->stop)
		loop_stop(loop);
}

static int left_to_do;

static void
count_down(struct crew_job *job)
{
	done(job);
	if (--left_to_do == 0)
		loop_stop(loop);
}

static void
drop(struct crew_job *job)
{
	struct probe *p = CONTAINER_OF(job, struct probe, job);

	p->drops++;
	if (p->dropped != NULL)
		sem_post(p->dropped);
}

static void
probe_init(struct probe *p)
{
	memset(p, 0, sizeof(*p));
	crew_job_init(&p->job, loop, work, done);
	p->job.drop = drop;
}

static int
setup(void **state)
{
	(void)state;
	loop = loop_new();
	home_thread = pthread_self();
	alarm(120);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	loop_free(&loop);
	return 0;
}

static void
work_runs_on_a_named_thread_and_done_at_home(void **state)
{
	struct crew *c = crew_new(2);
	struct probe p;

	(void)state;
	probe_init(&p);
	p.stop = true;
	crew_submit(c, &p.job);
	assert_int_equal(p.done, 0);
	loop_run(loop);
	assert_int_equal(p.done, 1);
	assert_int_equal(p.drops, 0);
	assert_true(p.job.ran);
	assert_false(pthread_equal(p.worker, home_thread));
	assert_string_equal(p.name, "lunate-crew-0");
	assert_int_equal(crew_free(&c, LONG_MS), 0);
	assert_null(c);
}

static void
a_thread_of_the_crew_takes_no_signal(void **state)
{
	static const int ours[] = {SIGINT,  SIGTERM, SIGHUP, SIGUSR1,
				   SIGUSR2, SIGCHLD, SIGALRM};
	struct crew *c = crew_new(1);
	sigset_t mine;
	struct probe p;

	(void)state;
	probe_init(&p);
	p.stop = true;
	crew_submit(c, &p.job);
	loop_run(loop);
	pthread_sigmask(SIG_SETMASK, NULL, &mine);
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		assert_int_equal(sigismember(&p.blocked, ours[i]), 1);
		assert_int_equal(sigismember(&mine, ours[i]), 0);
	}
	assert_int_equal(crew_free(&c, LONG_MS), 0);
}

static void
one_thread_works_in_the_order_of_submission(void **state)
{
	enum { N = 100 };
	struct crew *c = crew_new(1);
	struct probe p[N];
	int order = 0;

	(void)state;
	for (int i = 0; i < N; i++) {
		probe_init(&p[i]);
		p[i].order = &order;
		p[i].stop = i == N - 1;
		crew_submit(c, &p[i].job);
	}
	loop_run(loop);
	for (int i = 0; i < N; i++) {
		assert_int_equal(p[i].place, i + 1);
		assert_int_equal(p[i].done, 1);
	}
	assert_int_equal(crew_load(c), 0);
	assert_int_equal(crew_free(&c, LONG_MS), 0);
}

/* Every job waits until all have begun: with a thread too few this never
 * ends. */
static void
as_many_jobs_run_at_once_as_there_are_threads(void **state)
{
	enum { N = 4 };
	struct crew *c = crew_new(N);
	struct probe p[N + 1];
	sem_t started, gate;

	(void)state;
	sem_init(&started, 0, 0);
	sem_init(&gate, 0, 0);
	left_to_do = N + 1;
	for (int i = 0; i <= N; i++) {
		probe_init(&p[i]);
		p[i].started = &started;
		p[i].gate = &gate;
		p[i].job.done = count_down;
		crew_submit(c, &p[i].job);
	}
	for (int i = 0; i < N; i++)
		wait_sem(&started);
	assert_int_equal(sem_trywait(&started), -1);
	assert_int_equal(crew_load(c), N + 1);
	for (int i = 0; i <= N; i++)
		sem_post(&gate);
	loop_run(loop);
	for (int i = 0; i <= N; i++)
		assert_int_equal(p[i].done, 1);
	assert_int_equal(crew_free(&c, LONG_MS), 0);
	sem_destroy(&started);
	sem_destroy(&gate);
}

/* Gives a crew of one thread that is busy until *gate is posted. */
static struct crew *
busy_crew(struct probe *p, sem_t *started, sem_t *gate)
{
	struct crew *c = crew_new(1);

	sem_init(started, 0, 0);
	sem_init(gate, 0, 0);
	probe_init(p);
	p->started = started;
	p->gate = gate;
	crew_submit(c, &p->job);
	wait_sem(started);
	return c;
}

static void
a_withdrawn_job_never_runs_and_can_be_submitted_again(void **state)
{
	struct probe busy, p;
	sem_t started, gate;
	struct crew *c = busy_crew(&busy, &started, &gate);

	(void)state;
	probe_init(&p);
	assert_false(crew_withdraw(c, &p.job));
	crew_submit(c, &p.job);
	assert_int_equal(crew_load(c), 2);
	assert_true(crew_withdraw(c, &p.job));
	assert_false(crew_withdraw(c, &p.job));
	assert_false(crew_withdraw(c, &busy.job));
	assert_int_equal(crew_load(c), 1);
	busy.stop = true;
	sem_post(&gate);
	loop_run(loop);
	assert_int_equal(busy.done, 1);
	assert_int_equal(p.done + p.drops, 0);
	p.stop = true;
	crew_submit(c, &p.job);
	loop_run(loop);
	assert_int_equal(p.done, 1);
	assert_int_equal(crew_free(&c, LONG_MS), 0);
}

static void
an_abandoned_job_is_dropped_and_not_reported(void **state)
{
	struct probe busy, queued, last;
	sem_t started, gate, dropped;
	struct crew *c = busy_crew(&busy, &started, &gate);

	(void)state;
	sem_init(&dropped, 0, 0);
	busy.dropped = &dropped;
	probe_init(&queued);
	crew_submit(c, &queued.job);
	assert_true(crew_abandon(c, &queued.job));
	assert_int_equal(queued.drops, 1);
	assert_true(crew_abandon(c, &busy.job));
	assert_int_equal(busy.drops, 0);
	sem_post(&gate);
	wait_sem(&dropped);
	probe_init(&last);
	last.stop = true;
	crew_submit(c, &last.job);
	loop_run(loop);
	assert_int_equal(busy.done + queued.done, 0);
	assert_int_equal(busy.drops, 1);
	assert_false(crew_abandon(c, &last.job));
	assert_int_equal(crew_free(&c, LONG_MS), 0);
}

static void
a_disowned_job_is_worked_on_and_not_reported(void **state)
{
	struct probe busy, queued;
	sem_t started, gate, dropped;
	struct crew *c = busy_crew(&busy, &started, &gate);

	(void)state;
	sem_init(&dropped, 0, 0);
	probe_init(&queued);
	queued.dropped = &dropped;
	crew_submit(c, &queued.job);
	assert_true(crew_disown(c, &queued.job));
	assert_int_equal(queued.works + queued.drops, 0);
	busy.stop = true;
	sem_post(&gate);
	wait_sem(&dropped);
	assert_int_equal(queued.works, 1);
	assert_int_equal(queued.drops, 1);
	loop_run(loop);
	assert_int_equal(busy.done, 1);
	assert_int_equal(queued.done, 0);
	assert_int_equal(crew_free(&c, LONG_MS), 0);
}

static void
a_free_with_time_runs_what_is_queued(void **state)
{
	struct probe busy, p;
	sem_t started, gate;
	struct crew *c = busy_crew(&busy, &started, &gate);

	(void)state;
	probe_init(&p);
	p.stop = true;
	crew_submit(c, &p.job);
	sem_post(&gate);
	assert_int_equal(crew_free(&c, LONG_MS), 0);
	loop_run(loop);
	assert_int_equal(busy.done, 1);
	assert_int_equal(p.done, 1);
}

/* The letters must not reach a loop that may be gone, and a thread that comes
 * back late must find its crew and its job as they were. */
static void
a_stuck_job_does_not_hold_up_free_and_is_dropped_when_it_returns(void **state)
{
	struct probe stuck, queued;
	sem_t started, gate, dropped;
	struct crew *c = busy_crew(&stuck, &started, &gate);

	(void)state;
	sem_init(&dropped, 0, 0);
	stuck.dropped = &dropped;
	probe_init(&queued);
	crew_submit(c, &queued.job);
	assert_int_equal(crew_free(&c, 1), 2);
	assert_int_equal(queued.drops, 1);
	loop_free(&loop);
	sem_post(&gate);
	wait_sem(&dropped);
	assert_int_equal(stuck.drops, 1);
	assert_int_equal(stuck.done + queued.done, 0);
	loop = loop_new();
}

static void
a_crew_that_never_worked_can_be_freed(void **state)
{
	struct crew *c = crew_new(CREW_THREADS_MAX);

	(void)state;
	assert_int_equal(crew_load(c), 0);
	assert_int_equal(crew_free(&c, 0), 0);
}

/* Runs in a child that may not start threads. */
static int
submit_without_threads(void)
{
	struct rlimit none = {0, 0};
	struct crew *c = crew_new(1);
	struct probe p;

	if (setrlimit(RLIMIT_NPROC, &none) != 0)
		return 2;
	if (getuid() == 0 && setresuid(65534, 65534, 65534) != 0)
		return 3;
	probe_init(&p);
	p.stop = true;
	p.job.ran = true;
	crew_submit(c, &p.job);
	if (p.done != 0)
		return 4;
	loop_run(loop);
	if (p.done != 1 || p.job.ran)
		return 5;
	return crew_free(&c, LONG_MS) == 0 ? 0 : 6;
}

static void
a_job_is_told_when_no_thread_can_be_started(void **state)
{
	int status = -1;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		ev_loop_fork(loop_ev(loop));
		_exit(submit_without_threads());
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

struct submitter {
	struct crew *crew;
	struct probe *probes;
	int n;
};

static void *
submit_all(void *arg)
{
	struct submitter *s = arg;

	for (int i = 0; i < s->n; i++)
		crew_submit(s->crew, &s->probes[i].job);
	return NULL;
}

static void
many_threads_submit_and_every_job_is_reported_once(void **state)
{
	enum { THREADS = 4, EACH = 500 };
	struct crew *c = crew_new(3);
	struct submitter s[THREADS];
	pthread_t t[THREADS];

	(void)state;
	left_to_do = THREADS * EACH;
	for (int i = 0; i < THREADS; i++) {
		s[i].crew = c;
		s[i].n = EACH;
		s[i].probes = mem_new(EACH * sizeof(struct probe));
		for (int k = 0; k < EACH; k++) {
			probe_init(&s[i].probes[k]);
			s[i].probes[k].job.done = count_down;
		}
		pthread_create(&t[i], NULL, submit_all, &s[i]);
	}
	loop_run(loop);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(t[i], NULL);
		for (int k = 0; k < EACH; k++)
			assert_int_equal(s[i].probes[k].done, 1);
		mem_free(s[i].probes);
	}
	assert_int_equal(crew_free(&c, LONG_MS), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(work_runs_on_a_named_thread_and_done_at_home),
		cmocka_unit_test(a_thread_of_the_crew_takes_no_signal),
		cmocka_unit_test(one_thread_works_in_the_order_of_submission),
		cmocka_unit_test(as_many_jobs_run_at_once_as_there_are_threads),
		cmocka_unit_test(
			a_withdrawn_job_never_runs_and_can_be_submitted_again),
		cmocka_unit_test(an_abandoned_job_is_dropped_and_not_reported),
		cmocka_unit_test(a_disowned_job_is_worked_on_and_not_reported),
		cmocka_unit_test(a_free_with_time_runs_what_is_queued),
		cmocka_unit_test(
			a_stuck_job_does_not_hold_up_free_and_is_dropped_when_it_returns),
		cmocka_unit_test(a_crew_that_never_worked_can_be_freed),
		cmocka_unit_test(a_job_is_told_when_no_thread_can_be_started),
		cmocka_unit_test(
			many_threads_submit_and_every_job_is_reported_once),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
