/* SPDX-License-Identifier: MIT
 *
 * Eight threads of a host, one runtime, and a server that loses connections.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdatomic.h>

#include "capi.h"

#define THREADS 8
#define EACH 150

struct hand {
	pthread_t thread;
	int number;
	int done, doubt, lost; /* of its writes */
	int wrong;	       /* answers that cannot be */
	struct lunate_error why;
};

static struct hand hands[THREADS];
static atomic_int working;
static atomic_bool calm; /* what the storm waits for has not happened yet */

static int
begin(void **state)
{
	struct lunate_options o;

	alarm(110);
	server_need();
	o = capi_options("6");
	o.workers = 2;
	ok(lunate_open(&o, &db, &er));
	ok(capi_run("drop table if exists writes"));
	ok(capi_run("create table writes (hand int, n int)"));
	memset(hands, 0, sizeof(hands));
	return 0;
}

static int
end(void **state)
{
	capi_end();
	return 0;
}

/* Whoever is wrong says why, once. */
static void
wrong(struct hand *h, const struct lunate_error *e)
{
	if (h->wrong++ == 0)
		h->why = *e;
}

static void
write_one(struct hand *h, int n)
{
	struct lunate_value v[] = {lunate_int(h->number), lunate_int(n)};
	struct lunate_call c = lunate_sql("insert into writes values ($1, $2)",
					  v, 2);
	struct lunate_error e = {0};
	int rc = lunate_query(db, &c, NULL, &e);

	if (rc == 0)
		h->done++;
	else if (rc == LUNATE_EINDOUBT)
		h->doubt++;
	else if (lunate_error_retryable(rc) || rc == LUNATE_ELOST)
		h->lost++;
	else
		wrong(h, &e);
}

static void
read_one(struct hand *h, int n)
{
	struct lunate_value v = lunate_int(n);
	struct lunate_call c = lunate_sql("select $1::int + 1", &v, 1);
	struct lunate_error e = {0};
	struct lunate_rows *rows;
	int64_t got = 0;

	if (lunate_query(db, &c, &rows, &e) < 0) {
		wrong(h, &e);
		return;
	}
	if (lunate_rows_int(rows, 0, 0, &got) < 0 || got != n + 1)
		wrong(h, &e);
	lunate_rows_free(&rows);
}

static int
tx_fn(struct lunate_tx *tx, void *arg, struct lunate_error *e)
{
	struct hand *h = arg;
	struct lunate_value v[] = {lunate_int(h->number), lunate_int(-1)};
	struct lunate_call c = lunate_sql("insert into writes values ($1, $2)",
					  v, 2);
	int rc;

	c.tx = tx;
	rc = lunate_query(db, &c, NULL, e);
	return rc == 0 ? lunate_query(db, &c, NULL, e) : rc;
}

static void *
steady_main(void *arg)
{
	struct hand *h = arg;
	struct lunate_work w = {tx_fn, h};
	struct lunate_error e = {0};

	for (int i = 0; i < EACH; i++) {
		write_one(h, i);
		read_one(h, i);
		if (i % 10 == 0 && lunate_transaction(db, NULL, &w, &e) < 0)
			wrong(h, &e);
	}
	atomic_fetch_sub(&working, 1);
	return NULL;
}

static void *
stormy_main(void *arg)
{
	struct hand *h = arg;

	for (int i = 0; i < EACH || atomic_load(&calm); i++) {
		write_one(h, i);
		read_one(h, i);
	}
	atomic_fetch_sub(&working, 1);
	return NULL;
}

static void
start_all(void *(*fn)(void *))
{
	working = THREADS;
	for (int i = 0; i < THREADS; i++) {
		hands[i].number = i;
		assert_int_equal(
			pthread_create(&hands[i].thread, NULL, fn, &hands[i]),
			0);
	}
}

static void
join_all(void)
{
	int bad = 0;

	for (int i = 0; i < THREADS; i++) {
		pthread_join(hands[i].thread, NULL);
		if (hands[i].wrong > 0)
			print_error("hand %d: %d wrong, first %d %s\n", i,
				    hands[i].wrong, hands[i].why.code,
				    hands[i].why.text);
		bad += hands[i].wrong;
	}
	assert_int_equal(bad, 0);
}

static void
eight_threads_share_one_runtime(void **state)
{
	start_all(steady_main);
	join_all();
	assert_int_equal(server_int("select count(*) from writes where n >= 0"),
			 THREADS * EACH);
	assert_int_equal(server_int("select count(*) from writes where n < 0"),
			 THREADS * EACH / 10 * 2);
}

/* Ends a backend of ours that is in the middle of something. */
static int
cut_one(void)
{
	return server_int(
		"select count(pg_terminate_backend(pid)) from (select pid "
		"from pg_stat_activity where application_name = 'lunate' "
		"and state = 'active' limit 1) one");
}

/* Each write is there once when it was told done, never when it was told
 * lost, and once or never when in doubt; each read is answered. */
static void
check_writes(void)
{
	int told = 0, doubt = 0, there;

	for (int i = 0; i < THREADS; i++) {
		told += hands[i].done;
		doubt += hands[i].doubt;
	}
	there = server_int("select count(*) from writes");
	assert_in_range(there, told, told + doubt);
	assert_int_equal(server_int("select count(*) from (select from writes "
				    "group by hand, n having count(*) > 1) d"),
			 0);
	assert_true(told > 0);
}

static void
when_backends_are_ended_each_write_is_once_or_in_doubt(void **state)
{
	int cuts = 0;

	atomic_store(&calm, true); /* they go on until enough were cut */
	start_all(stormy_main);
	while (atomic_load(&working) > 0) {
		cuts += cut_one();
		atomic_store(&calm, cuts < 5);
		usleep(3000);
	}
	join_all();
	check_writes();
}

/* A backend of ours, at work; those of a runtime that has closed go away. */
static int
one_backend(void)
{
	capi_until("select count(*) > 0 from pg_stat_activity where "
		   "application_name = 'lunate' and state = 'active'");
	return server_int(
		"select coalesce(min(pid), 0) from pg_stat_activity "
		"where application_name = 'lunate' and "
		"backend_start >= (select max(backend_start) from "
		"pg_stat_activity where application_name = 'lunate')");
}

/* A backend that is killed takes all others with it: the server recovers. */
static void
when_the_server_crashes_each_write_is_once_or_in_doubt(void **state)
{
	int pid;

	capi_until("select count(*) <= 1 from pg_stat_activity where "
		   "application_name = 'lunate'");
	atomic_store(&calm, true);
	start_all(stormy_main);
	pid = one_backend();
	assert_true(pid > 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	atomic_store(&calm, false);
	join_all();
	server_ready();
	check_writes();
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(eight_threads_share_one_runtime),
		T(when_backends_are_ended_each_write_is_once_or_in_doubt),
		T(when_the_server_crashes_each_write_is_once_or_in_doubt),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, NULL, server_end);
}
