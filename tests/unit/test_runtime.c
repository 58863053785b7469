/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>

#include "ops.h"

static void
without_a_url_the_error_says_where_to_set_one(void **state)
{
	struct config c;
	struct err e;

	loop = loop_new();
	config_init(&c);
	assert_int_equal(runtime_open(&rt, &c, loop, &e), LUNATE_ECONFIG);
	assert_non_null(strstr(e.text, "DATABASE_URL"));
	assert_null(c.schema); /* taken over, also when it fails */
	loop_free(&loop);
}

static void
a_url_that_cannot_be_read_is_told_without_its_password(void **state)
{
	struct config c;
	struct err e;

	loop = loop_new();
	config_init(&c);
	assert_int_equal(
		config_set(&c, "url", "postgres://u:hidden@h:no/x", &e), 0);
	assert_int_equal(runtime_open(&rt, &c, loop, &e), LUNATE_ECONFIG);
	assert_null(strstr(e.text, "hidden"));
	loop_free(&loop);
}

static void
opening_connects_to_nothing(void **state)
{
	struct pool_stats s;

	ops_open("/nonexistent", 3);
	pool_stats(w->pool, &s);
	assert_int_equal(s.opened, 0);
	assert_true(runtime_quiet(rt));
	assert_int_equal(rt->budget.max, 3);
	assert_ptr_equal(w->loop, loop);
	ops_end();
	assert_null(rt);
}

static void
a_child_of_fork_may_not_use_it(void **state)
{
	struct err e;
	int status;
	pid_t pid;

	ops_open("/nonexistent", 1);
	assert_int_equal(runtime_mine(rt, &e), 0);
	pid = fork();
	if (pid == 0)
		_exit(runtime_mine(rt, &e) == LUNATE_EFORK ? 0 : 1);
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	ops_end();
}

static void
a_stopped_runtime_finishes_its_work_and_takes_no_new(void **state)
{
	ops_begin(2);
	ops_ok("select now()");
	ops_make(0, "select 'done' from pg_sleep(0.1)");
	ops_start(0);
	ops_in_flight(0);
	assert_false(runtime_quiet(rt));
	runtime_stop(rt);
	assert_int_equal(ops_run(1, "select 1"), LUNATE_ECLOSED);
	assert_int_equal(ops_wait(0), 0);
	assert_string_equal(runs[0].text, "done");
	while (!runtime_quiet(rt))
		turn();
	ops_end();
}

static void
a_transaction_may_go_on_in_a_stopped_runtime(void **state)
{
	struct tx_options o = {.mode = POOL_WRITE};
	struct tx t;
	struct err e;

	ops_begin(1);
	assert_int_equal(tx_init(&t, w, &o, &e), 0);
	assert_int_equal(ops_in_tx(0, &t, "select 1"), 0);
	runtime_stop(rt);
	assert_int_equal(ops_in_tx(1, &t, "select 2"), 0);
	assert_int_equal(ops_control(&t, "commit"), 0);
	assert_false(runtime_quiet(rt));
	tx_end(&t);
	assert_true(runtime_quiet(rt));
	ops_end();
}

static void
every_operation_is_counted_once(void **state)
{
	ops_begin(1);
	rt->config.slow_query_threshold = 50;
	rt->config.critical_query_threshold = 100000;
	ops_ok("select 1");
	ops_run(0, "select 1/0");
	ops_run(1, "selec");
	ops_ok("select now()");
	assert_int_equal(stat_read(&rt->counts.queries), 4);
	assert_int_equal(stat_read(&rt->counts.failed), 2);
	ops_ok("select pg_sleep(0.06)");
	assert_true(stat_read(&rt->counts.slow) >= 1);
	assert_int_equal(stat_read(&rt->counts.critical), 0);
	assert_true(stat_hist_sum(&rt->counts.query_time) >= 60000);
	ops_end();
}

static void
one_after_the_other_leaves_nothing_behind(void **state)
{
	int fds, before = 0;

	for (int i = 0; i < 6; i++) {
		ops_begin(2);
		ops_ok("select 1");
		ops_end();
		fds = 0;
		for (int fd = 0; fd < 200; fd++)
			fds += fcntl(fd, F_GETFD) >= 0;
		if (i > 0)
			assert_int_equal(fds, before);
		before = fds;
	}
}

/* ---- several workers ---------------------------------------------------- */

/* A second worker with a loop of its own, driven by a thread until told. */
struct second {
	struct worker *w;
	struct loop *loop;
	struct run run;
	struct pool_stats own; /* at its end */
	pthread_t thread;
	int stop; /* atomic */
};

static void
second_done(struct op *op)
{
	struct second *s = CONTAINER_OF(op, struct second, run.op);

	s->run.code = op->err.code;
	s->run.calls++;
	op_fini(op);
}

static void *
second_work(void *arg)
{
	static const char sql[] = "select pg_sleep(0.05)";
	struct second *s = arg;

	s->loop = loop_new();
	s->w = runtime_join(rt, s->loop);
	op_init(&s->run.op, s->w);
	s->run.op.sql = sql;
	s->run.op.len = sizeof(sql) - 1;
	s->run.op.vals = s->run.vals;
	s->run.op.done = second_done;
	op_start(&s->run.op);
	while (s->run.calls == 0 ||
	       !__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE))
		loop_turn(s->loop, 0.01);
	pool_stats(s->w->pool, &s->own);
	runtime_leave(&s->w);
	loop_free(&s->loop);
	return NULL;
}

static void
second_start(struct second *s)
{
	memset(s, 0, sizeof(*s));
	assert_int_equal(pthread_create(&s->thread, NULL, second_work, s), 0);
}

static void
second_end(struct second *s)
{
	__atomic_store_n(&s->stop, 1, __ATOMIC_RELEASE);
	pthread_join(s->thread, NULL);
	assert_int_equal(s->run.code, 0);
}

static void
the_connections_of_all_workers_are_told_by_each(void **state)
{
	struct second other;
	struct pool_stats s;
	struct metrics m;

	ops_begin(4);
	ops_ok("select 1");
	second_start(&other);
	do {
		turn();
		metrics_read(w, &m);
		assert_true(m.total <= 4);
		pool_stats(w->pool, &s);
	} while (m.total <= s.total || m.idle < m.total);
	assert_true(m.max == 4);
	second_end(&other);
	assert_true(m.total == s.total + other.own.total);
	assert_true(m.idle == s.idle + other.own.idle);
	assert_true(m.opened == (double)(s.opened + other.own.opened));
	assert_true(m.peak >= m.total && m.peak <= 4);
	ops_end();
}

static void
what_a_worker_counted_stays_when_it_leaves(void **state)
{
	struct pool_stats own, after;
	struct second other;

	ops_begin(4);
	ops_ok("select 1");
	second_start(&other);
	second_end(&other);
	assert_true(other.own.opened > 0 && other.own.statements > 0);
	pool_stats(w->pool, &own);
	runtime_pools(w, &after);
	assert_int_equal(after.total, own.total);
	assert_int_equal(after.idle, own.idle);
	assert_int_equal(after.opened, own.opened + other.own.opened);
	assert_int_equal(after.statements,
			 own.statements + other.own.statements);
	assert_int_equal(after.closed, own.closed + other.own.opened);
	assert_true(after.peak > own.peak);
	ops_end();
}

static void
operations_of_all_workers_are_under_way(void **state)
{
	struct second other;

	ops_begin(4);
	assert_int_equal(runtime_operations(rt), 0);
	second_start(&other);
	while (runtime_operations(rt) == 0)
		;
	ops_make(0, "select pg_sleep(0.2)");
	ops_start(0);
	assert_in_range(runtime_operations(rt), 1, 2);
	second_end(&other);
	assert_int_equal(ops_wait(0), 0);
	assert_int_equal(runtime_operations(rt), 0);
	ops_end();
}

#define T(name) cmocka_unit_test(name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(without_a_url_the_error_says_where_to_set_one),
		T(a_url_that_cannot_be_read_is_told_without_its_password),
		T(opening_connects_to_nothing),
		T(a_child_of_fork_may_not_use_it),
		T(a_stopped_runtime_finishes_its_work_and_takes_no_new),
		T(a_transaction_may_go_on_in_a_stopped_runtime),
		T(every_operation_is_counted_once),
		T(the_connections_of_all_workers_are_told_by_each),
		T(what_a_worker_counted_stays_when_it_leaves),
		T(operations_of_all_workers_are_under_way),
		T(one_after_the_other_leaves_nothing_behind),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, NULL, server_end);
}
