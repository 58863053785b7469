/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>

#include "capi.h"

static struct answer a, b; /* outlive a test that fails */

static int
begin(void **state)
{
	alarm(110);
	server_need();
	answer_init(&a);
	answer_init(&b);
	return 0;
}

static int
end(void **state)
{
	lunate_rows_free(&a.rows);
	lunate_rows_free(&b.rows);
	if (db != NULL)
		capi_end();
	return 0;
}

/* ---- opening ----------------------------------------------------------- */

static int
open_with(const char *key, const char *value)
{
	struct lunate_options o = capi_options("2");

	capi_settings[4] = (struct lunate_setting){key, value};
	return lunate_open(&o, &db, &er);
}

static void
an_option_that_cannot_be_used_is_named(void **state)
{
	refused(LUNATE_ECONFIG, open_with("pool_maxx", "3"));
	assert_non_null(strstr(er.text, "pool_maxx"));
	assert_non_null(strstr(er.text, "pool_max")); /* did you mean */
	assert_null(db);
	refused(LUNATE_ECONFIG, open_with("queue_limit", "many"));
	assert_non_null(strstr(er.text, "queue_limit"));
	refused(LUNATE_ECONFIG, open_with("acquire_timeout", NULL));
	assert_null(db);
}

static void
a_setting_takes_a_unit_or_counts_its_own(void **state)
{
	ok(open_with("acquire_timeout", "2s"));
	capi_end();
	ok(open_with("acquire_timeout", "2000"));
	capi_end();
}

static void
without_a_url_the_error_says_where_to_set_one(void **state)
{
	struct lunate_options o = capi_options("2");

	o.url = NULL;
	refused(LUNATE_ECONFIG, lunate_open(&o, &db, &er));
	assert_non_null(strstr(er.text, "url"));
	o.url = "postgres://u:hidden@h:no/x";
	refused(LUNATE_ECONFIG, lunate_open(&o, &db, &er));
	assert_null(strstr(er.text, "hidden"));
}

static void
the_environment_is_looked_at_only_if_it_may_be(void **state)
{
	struct lunate_options o = capi_options("2");

	setenv("DATABASE_URL", capi_url(), 1);
	setenv("LUNATE_APPLICATION_NAME", "by_environment", 1);
	o.url = NULL;
	assert_int_equal(lunate_open(&o, &db, &er), LUNATE_ECONFIG);
	o.no_environment = 0;
	ok(lunate_open(&o, &db, &er));
	assert_string_equal(
		capi_text("select current_setting('application_name')"),
		"by_environment");
	capi_end();
	/* What is set goes over it. */
	capi_settings[4] = (struct lunate_setting){"application_name",
						   "by_host"};
	ok(lunate_open(&o, &db, &er));
	assert_string_equal(
		capi_text("select current_setting('application_name')"),
		"by_host");
	unsetenv("DATABASE_URL");
	unsetenv("LUNATE_APPLICATION_NAME");
}

static void
an_empty_environment_is_no_trouble(void **state)
{
	struct lunate_options o = capi_options("2");
	extern char **environ;
	char **kept = environ;
	int rc;

	o.no_environment = 0;
	environ = NULL;
	rc = lunate_open(&o, &db, &er);
	environ = kept;
	ok(rc);
	assert_string_equal(capi_text("select 1"), "1");
}

static void
options_of_a_size_that_cannot_be_are_refused(void **state)
{
	struct {
		struct lunate_options o;
		char more[16];
	} n = {.o = capi_options("2"), .more = {1}};

	n.o.size = sizeof(n);
	refused(LUNATE_EINVAL, lunate_open(&n.o, &db, &er));
	n.o.size = 0;
	refused(LUNATE_EINVAL, lunate_open(&n.o, &db, &er));
	n.o.size = sizeof(size_t);
	refused(LUNATE_EINVAL, lunate_open(&n.o, &db, &er));
	refused(LUNATE_EINVAL, lunate_open(NULL, &db, &er));
	assert_null(db);
}

static void
opening_does_not_wait_for_the_server(void **state)
{
	struct lunate_options o = capi_options("2");

	capi_settings[4] = (struct lunate_setting){"acquire_timeout", "0.2s"};
	o.url = "postgresql:///x?host=/nonexistent&user=postgres";
	ok(lunate_open(&o, &db, &er));
	assert_true(capi_run("select 1") < 0);
	assert_true(er.code == LUNATE_ECONNECT || er.code == LUNATE_EPOOL);
}

static void
each_line_of_the_log_goes_to_the_host(void **state)
{
	ok(open_with("log_level", "debug"));
	ok(capi_run("select 1"));
	capi_end();
	assert_true(capi_log.len > 0);
	assert_null(strstr(capi_log.text, "\n\n"));
	ok(open_with("slow_query_threshold", "1ms"));
	ok(capi_run("select pg_sleep(0.01)"));
	for (int i = 0; i < 1000 && !capi_logged("slow query"); i++)
		usleep(5000);
	assert_true(capi_logged("slow query"));
}

static void
several_workers_and_several_runtimes_live_side_by_side(void **state)
{
	struct lunate_options o = capi_options("4");
	struct lunate *other;

	o.workers = 3;
	ok(lunate_open(&o, &db, &er));
	ok(lunate_open(&o, &other, &er));
	for (int i = 0; i < 30; i++)
		ok(capi_run("select 1"));
	assert_int_equal(lunate_close(&other, 5), 0);
	ok(capi_run("select 1"));
}

static void
fewer_than_no_workers_are_refused(void **state)
{
	struct lunate_options o = capi_options("2");

	o.workers = -1;
	assert_true(lunate_open(&o, &db, &er) < 0);
	assert_null(db);
}

/* ---- closing ----------------------------------------------------------- */

static int
ask(struct answer *to, const char *sql)
{
	struct lunate_call c = lunate_sql(sql, NULL, 0);
	struct lunate_then t = lunate_then_of(answer_done, to);

	return lunate_query_async(db, &c, &t, &er);
}

static void
closing_waits_for_what_is_under_way(void **state)
{
	capi_begin("2");
	ok(ask(&a, "select 'drained' from pg_sleep(0.2)"));
	assert_int_equal(lunate_close(&db, 20), 0);
	assert_null(db);
	assert_int_equal(answer_calls(&a), 1);
	assert_string_equal(lunate_rows_text(a.rows, 0, 0), "drained");
	assert_int_equal(lunate_close(&db, 1), 0);
}

static void
what_is_left_when_time_is_up_is_ended(void **state)
{
	struct lunate_tx *tx;

	capi_begin("2");
	ok(ask(&a, "select pg_sleep(100)"));
	ok(lunate_begin(db, NULL, &tx, &er));
	ok(capi_run_in(tx, "create table undone (a int)"));
	assert_int_equal(lunate_close(&db, 0.1), LUNATE_EDEADLINE);
	assert_null(db);
	assert_int_equal(answer_calls(&a), 1);
	assert_int_equal(a.e.code, LUNATE_ECLOSED);
	assert_null(a.rows);
	refused(LUNATE_ECLOSED, lunate_commit(&tx, &er));
	assert_null(tx);
	assert_string_equal(server_sql("select to_regclass('undone') is null"),
			    "t");
	capi_until("select count(*) = 0 from pg_stat_activity where "
		   "application_name = 'lunate'");
}

static void *
waiting_thread(void *arg)
{
	struct lunate_call c = lunate_sql("select pg_sleep(100)", NULL, 0);

	return (void *)(intptr_t)lunate_query(db, &c, NULL, NULL);
}

static void
callers_that_wait_have_their_answer(void **state)
{
	struct lunate *mine;
	pthread_t threads[4];

	capi_begin("2");
	mine = db;
	for (int i = 0; i < 4; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, waiting_thread, NULL),
			0);
	capi_until("select count(*) = 2 from pg_stat_activity where state = "
		   "'active' and query like 'select pg_sleep%'");
	usleep(100000); /* the other two stand in the queue */
	assert_int_equal(lunate_close(&mine, 0.05), LUNATE_EDEADLINE);
	for (int i = 0; i < 4; i++) {
		void *code;

		pthread_join(threads[i], &code);
		assert_int_equal((intptr_t)code, LUNATE_ECLOSED);
	}
	db = NULL;
}

static void
handles_stay_valid_for_being_freed(void **state)
{
	struct lunate_call c = lunate_sql("select 1", NULL, 0);
	struct lunate_then t = lunate_then_of(answer_done, &a);
	struct lunate_statement *s;
	struct lunate_stream *stream;
	struct lunate_port *port;
	struct lunate_tx *tx;

	capi_begin("2");
	ok(lunate_prepare("select 1", &s, &er));
	ok(lunate_port_new(&port, &er));
	ok(lunate_begin(db, NULL, &tx, &er));
	ok(lunate_stream_open(db, &c, &stream, &er));
	t.port = port;
	ok(lunate_query_async(db, &c, &t, &er));
	(void)lunate_close(&db, 0.1);
	assert_int_equal(answer_calls(&a), 0); /* it waits in the port */
	assert_int_equal(lunate_port_free(&port), LUNATE_EBUSY);
	assert_int_equal(lunate_port_run(port, 0), 1);
	assert_int_equal(answer_calls(&a), 1);
	assert_int_equal(lunate_port_free(&port), 0);
	lunate_stream_close(&stream);
	lunate_rollback(&tx);
	lunate_statement_free(&s);
}

static int
count_entries(const char *path)
{
	DIR *d = opendir(path);
	int n = 0;

	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static void
opened_and_closed_often_it_keeps_no_thread_and_no_file(void **state)
{
	int files, threads;

	for (int i = 0; i < 2; i++) {
		capi_begin("2");
		ok(capi_run("select 1"));
		capi_end();
	}
	files = count_entries("/proc/self/fd");
	threads = count_entries("/proc/self/task");
	for (int i = 0; i < 30; i++) {
		capi_begin("2");
		if (i % 3 > 0)
			ok(capi_run("select 1"));
		capi_end();
	}
	assert_int_equal(count_entries("/proc/self/fd"), files);
	assert_int_equal(count_entries("/proc/self/task"), threads);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_option_that_cannot_be_used_is_named),
		T(a_setting_takes_a_unit_or_counts_its_own),
		T(without_a_url_the_error_says_where_to_set_one),
		T(the_environment_is_looked_at_only_if_it_may_be),
		T(an_empty_environment_is_no_trouble),
		T(options_of_a_size_that_cannot_be_are_refused),
		T(opening_does_not_wait_for_the_server),
		T(each_line_of_the_log_goes_to_the_host),
		T(several_workers_and_several_runtimes_live_side_by_side),
		T(fewer_than_no_workers_are_refused),
		T(closing_waits_for_what_is_under_way),
		T(what_is_left_when_time_is_up_is_ended),
		T(callers_that_wait_have_their_answer),
		T(handles_stay_valid_for_being_freed),
		T(opened_and_closed_often_it_keeps_no_thread_and_no_file),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, NULL, server_end);
}
