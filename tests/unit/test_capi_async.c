/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ev.h>
#include <poll.h>

#include "capi.h"

#define MANY 200

static struct answer answers[MANY];
static struct lunate_port *port;

static int
begin(void **state)
{
	for (int i = 0; i < MANY; i++)
		answer_init(&answers[i]);
	capi_begin("4");
	ok(lunate_port_new(&port, &er));
	return 0;
}

static int
end(void **state)
{
	if (port != NULL)
		assert_int_equal(lunate_port_free(&port), 0);
	assert_null(port);
	for (int i = 0; i < MANY; i++)
		lunate_rows_free(&answers[i].rows);
	capi_end();
	return 0;
}

static int
ask(int i, const char *sql, struct lunate_port *where)
{
	struct lunate_call c = lunate_sql(sql, NULL, 0);
	struct lunate_then t = lunate_then_of(answer_done, &answers[i]);

	t.port = where;
	t.ticket = &answers[i].ticket;
	return lunate_query_async(db, &c, &t, &er);
}

/* Runs the port until `n` done() calls came in all. */
static void
run_port(int n)
{
	struct pollfd p = {.fd = lunate_port_fd(port), .events = POLLIN};

	while (n > 0) {
		assert_int_equal(poll(&p, 1, 30000), 1);
		n -= lunate_port_run(port, 0);
	}
	assert_int_equal(n, 0);
}

/* A wake-up without work is allowed, one that never ends is not. */
static void
port_falls_quiet(void)
{
	struct pollfd p = {.fd = lunate_port_fd(port), .events = POLLIN};

	for (int i = 0; i < 100 && poll(&p, 1, 0) == 1; i++)
		assert_int_equal(lunate_port_run(port, 0), 0);
	assert_int_equal(poll(&p, 1, 0), 0);
}

/* ---- where done() is called -------------------------------------------- */

static void
without_a_port_the_answer_comes_on_a_thread_of_lunate(void **state)
{
	ok(ask(0, "select 'there'", NULL));
	answer_wait(&answers[0]);
	assert_false(pthread_equal(answers[0].thread, pthread_self()));
	assert_int_equal(answers[0].e.code, 0);
	assert_string_equal(lunate_rows_text(answers[0].rows, 0, 0), "there");
}

static void
with_a_port_the_answer_waits_for_the_thread_that_runs_it(void **state)
{
	struct pollfd p = {.fd = lunate_port_fd(port), .events = POLLIN};

	assert_int_equal(poll(&p, 1, 0), 0);
	assert_int_equal(lunate_port_run(port, 0), 0);
	ok(ask(0, "select 'here'", port));
	assert_int_equal(poll(&p, 1, 30000), 1);
	assert_int_equal(answers[0].calls, 0);
	assert_int_equal(lunate_port_run(port, 0), 1);
	assert_int_equal(answers[0].calls, 1);
	assert_true(pthread_equal(answers[0].thread, pthread_self()));
	assert_string_equal(lunate_rows_text(answers[0].rows, 0, 0), "here");
	port_falls_quiet();
	assert_int_equal(lunate_port_run(port, 0), 0);
}

static void
an_error_comes_as_an_error_without_rows(void **state)
{
	ok(ask(0, "select 1/0", port));
	ok(ask(1, "select * from nowhere", NULL));
	run_port(1);
	answer_wait(&answers[1]);
	assert_int_equal(answers[0].e.code, LUNATE_EVALUE);
	assert_string_equal(answers[0].e.sqlstate, "22012");
	assert_null(answers[0].rows);
	assert_int_equal(answers[1].e.code, LUNATE_EUNDEFINED);
	assert_null(answers[1].rows);
}

static void
what_is_handed_in_is_copied(void **state)
{
	char *sql = strdup("select $1::text || $2::bytea::text");
	char *text = strdup("mine "), *bytes = strdup("AB");
	struct lunate_value v[2] = {lunate_text(text), lunate_bytes(bytes, 2)};
	struct lunate_who who = lunate_nobody();
	struct lunate_context *ctx;
	struct lunate_call c = lunate_sql(sql, v, 2);
	struct lunate_then t = lunate_then_of(answer_done, &answers[0]);

	who.user = "u";
	ok(lunate_context_new(&who, &ctx, &er));
	c.context = ctx;
	t.port = port;
	ok(lunate_query_async(db, &c, &t, &er));
	memset(sql, 'x', strlen(sql));
	memset(text, 'x', strlen(text));
	memset(bytes, 'x', strlen(bytes));
	memset(v, 0xff, sizeof(v));
	memset(&c, 0xff, sizeof(c));
	memset(&t, 0xff, sizeof(t));
	lunate_context_free(&ctx);
	free(sql);
	free(text);
	free(bytes);
	run_port(1);
	assert_int_equal(answers[0].e.code, 0);
	assert_string_equal(lunate_rows_text(answers[0].rows, 0, 0),
			    "mine \\x4142");
}

static void
a_statement_may_be_freed_while_it_runs(void **state)
{
	struct lunate_call c = lunate_sql(NULL, NULL, 0);
	struct lunate_then t = lunate_then_of(answer_done, &answers[0]);
	struct lunate_statement *s;

	ok(lunate_prepare("select 'kept' from pg_sleep(0.05)", &s, &er));
	c.statement = s;
	t.port = port;
	ok(lunate_query_async(db, &c, &t, &er));
	lunate_statement_free(&s);
	run_port(1);
	assert_string_equal(lunate_rows_text(answers[0].rows, 0, 0), "kept");
}

static void
of_many_answers_none_is_lost_or_doubled(void **state)
{
	char sql[60];

	for (int i = 0; i < MANY; i++) {
		snprintf(sql, sizeof(sql), "select %d", i);
		ok(ask(i, sql, i % 2 == 0 ? port : NULL));
	}
	run_port(MANY / 2);
	for (int i = 0; i < MANY; i++) {
		int64_t n;

		answer_wait(&answers[i]);
		assert_int_equal(answers[i].e.code, 0);
		ok(lunate_rows_int(answers[i].rows, 0, 0, &n));
		assert_int_equal(n, i);
	}
}

static void
a_port_calls_at_most_as_many_as_it_is_told(void **state)
{
	int ran = 0;

	for (int i = 0; i < 5; i++)
		ok(ask(i, "select 1", port));
	for (int i = 0; i < 2000 && ran < 5; i++) {
		int n = lunate_port_run(port, 2);

		assert_in_range(n, 0, 2);
		ran += n;
		usleep(2000);
	}
	assert_int_equal(ran, 5);
}

static void
what_a_run_leaves_over_still_makes_the_fd_readable(void **state)
{
	struct pollfd p = {.fd = lunate_port_fd(port), .events = POLLIN};

	ok(ask(0, "select 1", port));
	ok(ask(1, "select 2", port));
	ok(ask(2, "select 3 from pg_sleep(0.05)", port));
	for (int ran = 0; ran < 3;) {
		int n;

		assert_int_equal(poll(&p, 1, 30000), 1);
		n = lunate_port_run(port, 1);
		assert_in_range(n, 0, 1);
		ran += n;
	}
	port_falls_quiet();
}

/* ---- what done() may do ------------------------------------------------ */

static int steps;

static void
next_done(void *arg, struct lunate_rows *rows, const struct lunate_error *e)
{
	struct lunate_call c = lunate_sql("select 1", NULL, 0);
	struct lunate_then t = lunate_then_of(next_done, NULL);

	lunate_rows_free(&rows);
	assert_null(e);
	t.port = port;
	if (++steps < 20)
		ok(lunate_query_async(db, &c, &t, &er));
}

static void
an_answer_may_ask_the_next(void **state)
{
	steps = 0;
	next_done(NULL, NULL, NULL);
	run_port(19);
	assert_int_equal(steps, 20);
}

static int codes[8];

static int
counting_work(struct lunate_tx *tx, void *arg, struct lunate_error *e)
{
	codes[7]++;
	return 0;
}

/* On a worker: whatever waits is refused. */
static void
nosy_done(void *arg, struct lunate_rows *rows, const struct lunate_error *e)
{
	struct lunate_call c = lunate_sql("select 1", NULL, 0);
	struct lunate_operations b = lunate_batch_of(&c, NULL, 0);
	struct lunate_copy copy = lunate_copy_of("copy (select 1) to stdout");
	struct lunate_work work = {counting_work, NULL};
	struct lunate_stream *s = NULL;
	char *json = NULL;

	codes[7] = 0;
	lunate_rows_free(&rows);
	codes[0] = lunate_query(db, &c, NULL, NULL);
	codes[1] = lunate_batch(db, &b, NULL);
	codes[2] = lunate_transaction(db, NULL, &work, NULL);
	codes[3] = lunate_copy_run(db, &copy, NULL);
	codes[4] = lunate_health(db, &json, NULL);
	codes[5] = lunate_stream_open(db, &c, &s, NULL);
	lunate_stream_close(&s);
	answer_done(arg, NULL, e);
}

static void
blocking_calls_are_refused_where_they_would_block_a_worker(void **state)
{
	struct lunate_call c = lunate_sql("select 1", NULL, 0);
	struct lunate_then t = lunate_then_of(nosy_done, &answers[0]);

	ok(lunate_query_async(db, &c, &t, &er));
	answer_wait(&answers[0]);
	for (int i = 0; i < 5; i++)
		assert_int_equal(codes[i], LUNATE_EINVAL);
	assert_true(codes[5] == 0 || codes[5] == LUNATE_EINVAL);
	assert_int_equal(codes[7], 0);
	assert_int_equal(capi_run("select 1"), 0);
}

static void
closing_done(void *arg, struct lunate_rows *rows, const struct lunate_error *e)
{
	struct lunate *same = db;

	codes[0] = lunate_close(&same, 0);
	codes[1] = same == db;
	answer_done(arg, rows, e);
}

static void
a_worker_cannot_close_its_runtime(void **state)
{
	struct lunate_call c = lunate_sql("select 1", NULL, 0);
	struct lunate_then t = lunate_then_of(closing_done, &answers[0]);

	ok(lunate_query_async(db, &c, &t, &er));
	answer_wait(&answers[0]);
	assert_int_equal(codes[0], LUNATE_EINVAL);
	assert_int_equal(codes[1], 1);
	assert_int_equal(capi_run("select 1"), 0);
}

/* From the thread of a port one may wait: it is the host's. */
static void
waiting_done(void *arg, struct lunate_rows *rows, const struct lunate_error *e)
{
	codes[0] = capi_run("select 1");
	answer_done(arg, rows, e);
}

static void
in_a_port_s_callback_a_blocking_call_is_fine(void **state)
{
	struct lunate_call c = lunate_sql("select 1", NULL, 0);
	struct lunate_then t = lunate_then_of(waiting_done, &answers[0]);

	t.port = port;
	codes[0] = 1;
	ok(lunate_query_async(db, &c, &t, &er));
	run_port(1);
	assert_int_equal(codes[0], 0);
}

static void
what_cannot_be_begun_calls_nobody(void **state)
{
	struct lunate_call c = lunate_sql(NULL, NULL, 0);
	struct lunate_then t = lunate_then_of(answer_done, &answers[0]);

	refused(LUNATE_EINVAL, lunate_query_async(db, &c, &t, &er));
	c.sql = "select 1";
	refused(LUNATE_EINVAL, lunate_query_async(db, &c, NULL, &er));
	t.done = NULL;
	refused(LUNATE_EINVAL, lunate_query_async(db, &c, &t, &er));
	t = lunate_then_of(answer_done, &answers[0]);
	t.size = 0;
	refused(LUNATE_EINVAL, lunate_query_async(db, &c, &t, &er));
	assert_int_equal(capi_run("select 1"), 0);
	assert_int_equal(answer_calls(&answers[0]), 0);
}

/* ---- ends -------------------------------------------------------------- */

#define ASLEEP(n)                                               \
	"select count(*) = " #n " from pg_stat_activity where " \
	"state = 'active' and query like 'select pg_sleep%'"

static void
a_cancelled_call_ends_and_so_does_its_statement(void **state)
{
	ok(ask(0, "select pg_sleep(100)", port));
	ok(ask(1, "select pg_sleep(100)", NULL));
	capi_until(ASLEEP(2));
	assert_int_not_equal(answers[0].ticket, answers[1].ticket);
	lunate_cancel(db, answers[0].ticket);
	lunate_cancel(db, answers[1].ticket);
	run_port(1);
	answer_wait(&answers[1]);
	assert_int_equal(answers[0].e.code, LUNATE_ECANCELLED);
	assert_int_equal(answers[1].e.code, LUNATE_ECANCELLED);
	capi_until(ASLEEP(0));
}

static void
a_cancel_after_the_end_or_of_no_call_hits_nobody(void **state)
{
	uint64_t old;

	ok(ask(0, "select 1", port));
	old = answers[0].ticket;
	run_port(1);
	ok(ask(1, "select 2 from pg_sleep(0.1)", port));
	lunate_cancel(db, old);
	lunate_cancel(db, old + 1000);
	lunate_cancel(db, 0);
	run_port(1);
	assert_int_equal(answers[1].e.code, 0);
}

static void
one_that_waits_for_a_connection_can_be_cancelled(void **state)
{
	for (int i = 0; i < 4; i++)
		ok(ask(i, "select pg_sleep(100)", port));
	capi_until(ASLEEP(4));
	ok(ask(4, "select pg_sleep(101)", port));
	lunate_cancel(db, answers[4].ticket);
	run_port(1);
	assert_int_equal(answers[4].e.code, LUNATE_ECANCELLED);
	for (int i = 0; i < 4; i++)
		lunate_cancel(db, answers[i].ticket);
	run_port(4);
}

static void
a_port_is_not_freed_while_answers_are_on_their_way(void **state)
{
	ok(ask(0, "select 1 from pg_sleep(0.1)", port));
	assert_int_equal(lunate_port_free(&port), LUNATE_EBUSY);
	assert_non_null(port);
	run_port(1);
	assert_int_equal(lunate_port_free(&port), 0);
	assert_null(port);
	assert_int_equal(lunate_port_free(&port), 0);
}

static void
a_deadline_ends_an_async_call(void **state)
{
	struct lunate_call c = lunate_sql("select pg_sleep(100)", NULL, 0);
	struct lunate_then t = lunate_then_of(answer_done, &answers[0]);

	t.port = port;
	c.timeout = 0.05;
	ok(lunate_query_async(db, &c, &t, &er));
	run_port(1);
	assert_int_equal(answers[0].e.code, LUNATE_EDEADLINE);
}

/* ---- a loop of the host ------------------------------------------------ */

static struct ev_loop *loop;

static void
breaking_done(void *arg, struct lunate_rows *rows, const struct lunate_error *e)
{
	answer_done(arg, rows, e);
	if (--steps == 0)
		ev_break(loop, EVBREAK_ALL);
}

static void
a_libev_loop_runs_its_port(void **state)
{
	struct lunate_call c = lunate_sql("select 1", NULL, 0);

	loop = ev_loop_new(EVFLAG_AUTO);
	lunate_port_watch(port, loop);
	steps = 10;
	for (int i = 0; i < 10; i++) {
		struct lunate_then t = lunate_then_of(breaking_done,
						      &answers[i]);

		t.port = port;
		ok(lunate_query_async(db, &c, &t, &er));
	}
	ev_run(loop, 0);
	for (int i = 0; i < 10; i++)
		assert_true(pthread_equal(answers[i].thread, pthread_self()));
	assert_int_equal(lunate_port_free(&port), 0);
	ev_run(loop, EVRUN_NOWAIT); /* nothing of the port is left in it */
	ev_loop_destroy(loop);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(without_a_port_the_answer_comes_on_a_thread_of_lunate),
		T(with_a_port_the_answer_waits_for_the_thread_that_runs_it),
		T(an_error_comes_as_an_error_without_rows),
		T(what_is_handed_in_is_copied),
		T(a_statement_may_be_freed_while_it_runs),
		T(of_many_answers_none_is_lost_or_doubled),
		T(a_port_calls_at_most_as_many_as_it_is_told),
		T(what_a_run_leaves_over_still_makes_the_fd_readable),
		T(an_answer_may_ask_the_next),
		T(blocking_calls_are_refused_where_they_would_block_a_worker),
		T(a_worker_cannot_close_its_runtime),
		T(in_a_port_s_callback_a_blocking_call_is_fine),
		T(what_cannot_be_begun_calls_nobody),
		T(a_cancelled_call_ends_and_so_does_its_statement),
		T(a_cancel_after_the_end_or_of_no_call_hits_nobody),
		T(one_that_waits_for_a_connection_can_be_cancelled),
		T(a_port_is_not_freed_while_answers_are_on_their_way),
		T(a_deadline_ends_an_async_call),
		T(a_libev_loop_runs_its_port),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, NULL, server_end);
}
