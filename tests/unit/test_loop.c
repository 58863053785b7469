/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ev.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "loop.h"

static struct loop *loop;
static bool done;
static int order[16], norder;

static struct job {
	struct loop_job job;
	int n;
} jobs[8];

static void
note(struct loop_job *job)
{
	order[norder++] = CONTAINER_OF(job, struct job, job)->n;
}

static void
note_and_finish(struct loop_job *job)
{
	note(job);
	done = true;
}

static void
begin(void)
{
	alarm(20); /* a loop that hangs is a failed test */
	loop = loop_new();
	done = false;
	norder = 0;
	for (int i = 0; i < 8; i++) {
		loop_job_init(&jobs[i].job, note);
		jobs[i].n = i;
	}
}

static void
jobs_run_in_order_and_tasks_before_sends(void **state)
{
	begin();
	loop_job_init(&jobs[3].job, note_and_finish);
	loop_defer(loop, LOOP_SEND, &jobs[2].job);
	loop_defer(loop, LOOP_SEND, &jobs[3].job);
	loop_defer(loop, LOOP_TASKS, &jobs[0].job);
	loop_defer(loop, LOOP_TASKS, &jobs[1].job);
	loop_run_until(loop, &done);
	assert_int_equal(norder, 4);
	for (int i = 0; i < 4; i++)
		assert_int_equal(order[i], i);
	loop_free(&loop);
	assert_null(loop);
}

static void
a_loop_whose_job_finished_it_does_not_go_to_sleep(void **state)
{
	begin();
	loop_job_init(&jobs[0].job, note_and_finish);
	loop_defer(loop, LOOP_TASKS, &jobs[0].job);
	loop_run_until(loop, &done);
	assert_true(done);
	loop_free(&loop);
}

static void
a_job_runs_once_and_one_taken_back_never(void **state)
{
	begin();
	loop_defer(loop, LOOP_TASKS, &jobs[0].job);
	loop_defer(loop, LOOP_TASKS, &jobs[1].job);
	loop_defer(loop, LOOP_SEND, &jobs[0].job);
	loop_undefer(&jobs[1].job);
	loop_undefer(&jobs[1].job);
	loop_job_init(&jobs[2].job, note_and_finish);
	loop_defer(loop, LOOP_SEND, &jobs[2].job);
	loop_run_until(loop, &done);
	assert_int_equal(norder, 2);
	assert_int_equal(order[0], 0);
	assert_int_equal(order[1], 2);
	loop_free(&loop);
}

static void
note_and_send(struct loop_job *job)
{
	note(job);
	loop_defer(loop, LOOP_TASKS, &jobs[1].job);
	loop_defer(loop, LOOP_SEND, &jobs[2].job);
}

static void
what_a_job_adds_runs_in_the_same_turn(void **state)
{
	begin();
	loop_job_init(&jobs[0].job, note_and_send);
	loop_job_init(&jobs[2].job, note_and_finish);
	loop_defer(loop, LOOP_TASKS, &jobs[0].job);
	loop_run_until(loop, &done);
	assert_int_equal(norder, 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(order[i], i);
	loop_free(&loop);
}

static int spins;

static void
spin(struct loop_job *job)
{
	spins++;
	loop_defer(loop, LOOP_TASKS, job);
}

static void
on_timer(struct ev_loop *ev, ev_timer *w, int events)
{
	done = true;
}

static void
a_job_that_never_ends_leaves_timers_their_share(void **state)
{
	ev_timer timer;

	begin();
	spins = 0;
	loop_job_init(&jobs[0].job, spin);
	loop_defer(loop, LOOP_TASKS, &jobs[0].job);
	ev_timer_init(&timer, on_timer, 0.001, 0);
	ev_timer_start(loop_ev(loop), &timer);
	loop_run_until(loop, &done);
	assert_true(spins >= LOOP_BUDGET);
	loop_undefer(&jobs[0].job);
	loop_free(&loop);
}

static void
stop(struct loop_job *job)
{
	note(job);
	loop_stop(loop);
}

static void
a_stopped_loop_returns_and_can_run_again(void **state)
{
	begin();
	loop_job_init(&jobs[0].job, stop);
	for (int i = 1; i <= 2; i++) {
		loop_defer(loop, LOOP_TASKS, &jobs[0].job);
		loop_run(loop);
		assert_int_equal(norder, i);
	}
	loop_free(&loop);
}

static bool inner_done;

static void
finish_inner(struct loop_job *job)
{
	note(job);
	inner_done = true;
}

static void
finish_outer_and_inner(struct loop_job *job)
{
	note(job);
	done = inner_done = true;
}

static void
run_inner(struct loop_job *job)
{
	note(job);
	inner_done = false;
	loop_defer(loop, LOOP_TASKS, &jobs[1].job);
	loop_run_until(loop, &inner_done);
	assert_true(inner_done);
	order[norder++] = 99;
}

static void
a_task_may_run_the_loop_until_something_of_its_own(void **state)
{
	begin();
	loop_job_init(&jobs[0].job, run_inner);
	loop_job_init(&jobs[1].job, finish_inner);
	loop_job_init(&jobs[2].job, note_and_finish);
	loop_defer(loop, LOOP_TASKS, &jobs[0].job);
	loop_defer(loop, LOOP_SEND, &jobs[2].job);
	loop_run_until(loop, &done);
	assert_int_equal(order[0], 0);
	assert_int_equal(order[1], 1);
	assert_true(done);
	loop_free(&loop);
}

static void
an_outer_wait_that_ended_inside_an_inner_one_ends(void **state)
{
	begin();
	loop_job_init(&jobs[0].job, run_inner);
	loop_job_init(&jobs[1].job, finish_outer_and_inner);
	loop_defer(loop, LOOP_TASKS, &jobs[0].job);
	loop_run_until(loop, &done);
	assert_int_equal(norder, 3);
	assert_int_equal(order[2], 99);
	loop_free(&loop);
}

static void
time_goes_forward(void **state)
{
	int64_t before;

	begin();
	before = loop_now_us(loop);
	assert_true(before > 0);
	usleep(2000);
	assert_true(loop_now_us(loop) == before);
	loop_refresh(loop);
	assert_true(loop_now_us(loop) >= before + 2000);
	loop_free(&loop);
}

#define SENDERS 3
#define LETTERS 1000

static struct mail {
	struct loop_letter letter;
	int sender, n;
} mail[SENDERS][LETTERS];
static int next_of[SENDERS], received;

static void
receive(struct loop_letter *letter)
{
	struct mail *m = CONTAINER_OF(letter, struct mail, letter);

	assert_int_equal(m->n, next_of[m->sender]++);
	done = ++received == SENDERS * LETTERS;
}

static void
read_it(struct loop_letter *letter)
{
	(void)letter;
	received++;
}

static void
a_letter_on_its_way_is_read_when_the_loop_ends(void **state)
{
	struct loop_letter letter = {.run = read_it};
	struct loop *l = loop_new();

	(void)state;
	received = 0;
	loop_post(l, &letter);
	loop_free(&l);
	assert_int_equal(received, 1);
	received = 0;
}

static void *
post(void *arg)
{
	struct mail *mine = arg;

	for (int i = 0; i < LETTERS; i++) {
		mine[i].letter.run = receive;
		mine[i].n = i;
		mine[i].sender = (int)((mine - mail[0]) / LETTERS);
		loop_post(loop, &mine[i].letter);
	}
	return NULL;
}

static void
letters_of_threads_wake_the_loop_in_order(void **state)
{
	pthread_t t[SENDERS];

	begin();
	for (int i = 0; i < SENDERS; i++)
		pthread_create(&t[i], NULL, post, mail[i]);
	loop_run_until(loop, &done);
	for (int i = 0; i < SENDERS; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(received, SENDERS * LETTERS);
	loop_free(&loop);
}

static ev_io fed;

static void
defer_the_next(struct ev_loop *ev, ev_io *w, int events)
{
	(void)ev, (void)w, (void)events;
	loop_defer(loop, LOOP_TASKS, &jobs[1].job);
}

static void
feed(struct loop_job *job)
{
	note(job);
	ev_feed_event(loop_ev(loop), &fed, EV_READ);
}

/* A stream stood still: the event came behind the end of the turn, and what
 * it deferred waited for another one. */
static void
a_job_of_an_event_that_a_job_fed_waits_for_nothing(void **state)
{
	(void)state;
	begin();
	ev_io_init(&fed, defer_the_next, 0, EV_READ);
	loop_job_init(&jobs[0].job, feed);
	loop_job_init(&jobs[1].job, note_and_finish);
	loop_defer(loop, LOOP_TASKS, &jobs[0].job);
	loop_run_until(loop, &done);
	assert_int_equal(norder, 2);
	loop_free(&loop);
}

static int turns;

static void
count_turn(struct ev_loop *ev, ev_prepare *w, int events)
{
	(void)ev, (void)w, (void)events;
	turns++;
}

static void
finish(struct loop_timer *t)
{
	(void)t;
	done = true;
}

/* How many turns a wait of 10 ms for a timer takes, after a piece of work. */
static int
turns_of_a_wait(int64_t busy_us)
{
	struct loop_timer timer;
	ev_prepare counter;

	begin();
	loop_busy_poll(loop, busy_us);
	ev_prepare_init(&counter, count_turn);
	ev_prepare_start(loop_ev(loop), &counter);
	loop_timer_init(&timer, loop, finish);
	loop_timer_start(&timer, 10000);
	loop_defer(loop, LOOP_TASKS, &jobs[0].job);
	turns = 0;
	loop_run_until(loop, &done);
	ev_prepare_stop(loop_ev(loop), &counter);
	loop_free(&loop);
	return turns;
}

static void
a_loop_that_polls_looks_again_and_again(void **state)
{
	assert_true(turns_of_a_wait(0) < 8);
	assert_true(turns_of_a_wait(10000000) > 50);
}

static int fired;

static void
fd_ready(struct loop_fd *w)
{
	(void)w;
	fired++;
}

static void
a_descriptor_is_told_once_when_it_is_ready(void **state)
{
	struct loop_fd in, out;
	int ends[2];

	begin();
	fired = 0;
	assert_int_equal(pipe(ends), 0);
	loop_fd_init(&in, loop, fd_ready);
	loop_fd_init(&out, loop, fd_ready);
	loop_fd_start(&in, ends[0], false);
	loop_turn(loop, 0);
	assert_int_equal(fired, 0);
	loop_fd_start(&out, ends[1], true);
	loop_turn(loop, 1);
	assert_int_equal(fired, 1); /* a pipe has room */
	assert_int_equal(write(ends[1], "ab", 2), 2);
	loop_turn(loop, 1);
	assert_int_equal(fired, 2);
	loop_turn(loop, 0);
	assert_int_equal(fired, 2); /* not again by itself */
	loop_fd_start(&in, ends[0], false);
	loop_fd_stop(&in);
	loop_turn(loop, 0);
	assert_int_equal(fired, 2);
	close(ends[0]);
	close(ends[1]);
	loop_free(&loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jobs_run_in_order_and_tasks_before_sends),
		cmocka_unit_test(
			a_loop_whose_job_finished_it_does_not_go_to_sleep),
		cmocka_unit_test(
			a_job_of_an_event_that_a_job_fed_waits_for_nothing),
		cmocka_unit_test(a_job_runs_once_and_one_taken_back_never),
		cmocka_unit_test(what_a_job_adds_runs_in_the_same_turn),
		cmocka_unit_test(
			a_job_that_never_ends_leaves_timers_their_share),
		cmocka_unit_test(a_stopped_loop_returns_and_can_run_again),
		cmocka_unit_test(
			a_task_may_run_the_loop_until_something_of_its_own),
		cmocka_unit_test(
			an_outer_wait_that_ended_inside_an_inner_one_ends),
		cmocka_unit_test(time_goes_forward),
		cmocka_unit_test(a_descriptor_is_told_once_when_it_is_ready),
		cmocka_unit_test(letters_of_threads_wake_the_loop_in_order),
		cmocka_unit_test(
			a_letter_on_its_way_is_read_when_the_loop_ends),
		cmocka_unit_test(a_loop_that_polls_looks_again_and_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
