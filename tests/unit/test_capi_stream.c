/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/resource.h>

#include "capi.h"

static struct lunate_stream *stream;
static struct answer a, b; /* outlive a test that fails */

static int
begin(void **state)
{
	capi_begin("2");
	return 0;
}

static int
end(void **state)
{
	lunate_stream_close(&stream);
	assert_null(stream);
	capi_end();
	return 0;
}

static int
open_stream(const char *sql, struct lunate_tx *tx)
{
	struct lunate_call c = lunate_sql(sql, NULL, 0);

	c.tx = tx;
	return lunate_stream_open(db, &c, &stream, &er);
}

/* Reads all that is left: how many rows; *sum adds the first column. */
static int64_t
drain(int64_t *sum)
{
	struct lunate_rows *rows;
	int64_t n = 0, v;
	int rc;

	while ((rc = lunate_stream_next(stream, &rows, &er)) == 1) {
		assert_true(lunate_rows_count(rows) > 0);
		for (size_t i = 0; i < lunate_rows_count(rows); i++, n++) {
			ok(lunate_rows_int(rows, i, 0, &v));
			*sum += v;
		}
		lunate_rows_free(&rows);
	}
	ok(rc);
	return n;
}

/* ---- streams ----------------------------------------------------------- */

static long
peak_kib(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_maxrss;
}

static void
a_million_rows_pass_through_small_memory(void **state)
{
	int64_t sum = 0;
	long before;

	ok(open_stream("select i, repeat('x', 100) "
		       "from generate_series(1, 1000) i",
		       NULL));
	assert_int_equal(drain(&sum), 1000);
	lunate_stream_close(&stream);
	before = peak_kib();
	sum = 0;
	ok(open_stream("select i, repeat('x', 100) "
		       "from generate_series(1, 1000000) i",
		       NULL));
	assert_int_equal(drain(&sum), 1000000);
	assert_true(sum == INT64_C(500000500000));
	/* All of them would be 130 MB or more.  A sanitizer keeps what was
	 * freed. */
	if (!capi_sanitized())
		assert_in_range(peak_kib() - before, 0, 40 * 1024);
}

static void
its_end_is_told_again_and_again(void **state)
{
	struct lunate_rows *rows = NULL;
	int64_t sum = 0;

	ok(open_stream("select 1 where false", NULL));
	assert_int_equal(drain(&sum), 0);
	assert_int_equal(lunate_stream_next(stream, &rows, &er), 0);
	assert_int_equal(lunate_stream_next(stream, &rows, &er), 0);
	assert_null(rows);
}

static void
closed_in_the_middle_its_connection_serves_the_next(void **state)
{
	struct lunate_rows *rows;

	for (int i = 0; i < 5; i++) {
		ok(open_stream("select generate_series(1, 10000000)", NULL));
		assert_int_equal(lunate_stream_next(stream, &rows, &er), 1);
		lunate_rows_free(&rows);
		lunate_stream_close(&stream);
		assert_null(stream);
	}
	assert_string_equal(capi_text("select 'next'"), "next");
	capi_until("select count(*) = 0 from pg_stat_activity where state = "
		   "'active' and query like '%10000000%' and pid <> "
		   "pg_backend_pid()");
}

static void
it_may_be_closed_before_anything_was_read(void **state)
{
	ok(open_stream("select generate_series(1, 1000000)", NULL));
	lunate_stream_close(&stream);
	ok(open_stream("select pg_sleep(100)", NULL));
	lunate_stream_close(&stream);
	assert_string_equal(capi_text("select 'next'"), "next");
}

static void
what_fails_in_the_middle_fails_there(void **state)
{
	struct lunate_rows *rows;
	int64_t n = 0;
	int rc;

	ok(open_stream("select 1 / (20000 - i) from generate_series(1, 30000) "
		       "i",
		       NULL));
	while ((rc = lunate_stream_next(stream, &rows, &er)) == 1) {
		n += (int64_t)lunate_rows_count(rows);
		lunate_rows_free(&rows);
	}
	assert_int_equal(rc, LUNATE_EVALUE);
	assert_string_equal(er.sqlstate, "22012");
	assert_in_range(n, 0, 19999);
	assert_true(lunate_stream_next(stream, &rows, &er) <= 0);
}

static void
what_cannot_run_is_told_when_opened_or_read(void **state)
{
	struct lunate_rows *rows;
	const char *const sql[] = {"select * from nowhere", "selec"};
	const int codes[] = {LUNATE_EUNDEFINED, LUNATE_ESYNTAX};

	for (int i = 0; i < 2; i++) {
		int rc = open_stream(sql[i], NULL);

		if (rc == 0)
			rc = lunate_stream_next(stream, &rows, &er);
		assert_int_equal(rc, codes[i]);
		assert_int_equal(er.code, codes[i]);
		lunate_stream_close(&stream);
	}
}

static void
in_a_transaction_it_has_it_to_itself(void **state)
{
	struct lunate_tx *tx;
	struct lunate_rows *rows;
	int64_t sum = 0;

	ok(lunate_begin(db, NULL, &tx, &er));
	ok(capi_run_in(tx, "create temporary table few on commit drop as "
			   "select generate_series(1, 5000) as i"));
	ok(open_stream("select i from few", tx));
	assert_int_equal(lunate_stream_next(stream, &rows, &er), 1);
	lunate_rows_free(&rows);
	lunate_stream_close(&stream);
	ok(capi_run_in(tx, "insert into few values (5001)"));
	ok(open_stream("select i from few", tx));
	assert_int_equal(drain(&sum), 5001);
	lunate_stream_close(&stream);
	ok(lunate_commit(&tx, &er));
}

static void
while_it_is_open_its_transaction_runs_other_statements(void **state)
{
	struct lunate_tx *tx;
	struct lunate_rows *rows;
	int64_t sum = 0;

	ok(lunate_begin(db, NULL, &tx, &er));
	ok(open_stream("select generate_series(1, 100000)", tx));
	assert_int_equal(lunate_stream_next(stream, &rows, &er), 1);
	sum = (int64_t)lunate_rows_count(rows);
	lunate_rows_free(&rows);
	ok(capi_run_in(tx, "select 1"));
	assert_int_equal(sum + drain(&(int64_t){0}), 100000);
	lunate_stream_close(&stream);
	ok(lunate_commit(&tx, &er));
}

static void
rows_of_a_stream_outlive_it(void **state)
{
	struct lunate_rows *rows;

	ok(open_stream("select 'kept' from generate_series(1, 10)", NULL));
	assert_int_equal(lunate_stream_next(stream, &rows, &er), 1);
	lunate_stream_close(&stream);
	assert_string_equal(lunate_rows_text(rows, 0, 0), "kept");
	lunate_rows_free(&rows);
}

static void
read_without_waiting_it_answers_rows_and_then_nothing(void **state)
{
	struct lunate_then t = lunate_then_of(answer_done, &a);
	int64_t n = 0;
	size_t got = 1;

	ok(open_stream("select generate_series(1, 5000)", NULL));
	while (got > 0) {
		answer_init(&a);
		ok(lunate_stream_next_async(stream, &t, &er));
		answer_wait(&a);
		assert_int_equal(a.e.code, 0);
		got = a.rows != NULL ? lunate_rows_count(a.rows) : 0;
		n += (int64_t)got;
		lunate_rows_free(&a.rows);
	}
	assert_int_equal(n, 5000);
}

static void
one_next_at_a_time(void **state)
{
	struct lunate_then t = lunate_then_of(answer_done, &a);

	answer_init(&a);
	answer_init(&b);
	ok(open_stream("select 1 from pg_sleep(0.2)", NULL));
	ok(lunate_stream_next_async(stream, &t, &er));
	t.arg = &b;
	refused(LUNATE_EBUSY, lunate_stream_next_async(stream, &t, &er));
	answer_wait(&a);
	lunate_rows_free(&a.rows);
	assert_int_equal(answer_calls(&b), 0);
}

/* ---- COPY -------------------------------------------------------------- */

struct feed {
	int64_t rows, limit, give_up; /* give_up: after so many; -1 never */
	char line[40];
	size_t at, len;
	size_t most; /* bytes of one read; 0: as many as fit */
};

/* Lines of numbers, cut anywhere. */
static int64_t
feed_read(void *arg, char *at, size_t room)
{
	struct feed *f = arg;
	size_t n = 0;

	if (f->most > 0 && f->most < room)
		room = f->most;
	while (n < room) {
		if (f->at == f->len) {
			if (f->rows == f->give_up)
				return -1;
			if (f->rows == f->limit)
				break;
			f->len = (size_t)snprintf(f->line, sizeof(f->line),
						  "%d\n", (int)f->rows++);
			f->at = 0;
		}
		at[n++] = f->line[f->at++];
	}
	return (int64_t)n;
}

static void
copied_in_in_pieces_cut_anywhere(void **state)
{
	const size_t most[] = {1, 3, 0};

	for (int i = 0; i < 3; i++) {
		struct feed f = {.limit = i < 2 ? 2000 : 300000,
				 .give_up = -1,
				 .most = most[i]};
		struct lunate_copy c = lunate_copy_of("copy lots from stdin");

		ok(capi_run("drop table if exists lots"));
		ok(capi_run("create table lots (n int)"));
		c.read = feed_read;
		c.arg = &f;
		ok(lunate_copy_run(db, &c, &er));
		assert_int_equal(c.rows, f.limit);
		assert_int_equal(
			server_int("select count(distinct n) from lots"),
			f.limit);
	}
}

static void
a_read_that_gives_up_copies_nothing(void **state)
{
	struct feed f = {.limit = 100000, .give_up = 50000};
	struct lunate_copy c = lunate_copy_of("copy lots from stdin");

	ok(capi_run("drop table if exists lots"));
	ok(capi_run("create table lots (n int)"));
	c.read = feed_read;
	c.arg = &f;
	refused(LUNATE_ECANCELLED, lunate_copy_run(db, &c, &er));
	assert_int_equal(server_int("select count(*) from lots"), 0);
	assert_string_equal(capi_text("select 'next'"), "next");
}

static int64_t
wrong_read(void *arg, char *at, size_t room)
{
	int *calls = arg;

	if ((*calls)++ > 0)
		return 0;
	return snprintf(at, room, "1\nsecret\n3\n");
}

static void
what_does_not_fit_the_table_copies_nothing_and_is_not_shown(void **state)
{
	struct lunate_copy c = lunate_copy_of("copy lots from stdin");
	int calls = 0;

	ok(capi_run("drop table if exists lots"));
	ok(capi_run("create table lots (n int)"));
	c.read = wrong_read;
	c.arg = &calls;
	refused(LUNATE_EVALUE, lunate_copy_run(db, &c, &er));
	assert_null(strstr(er.text, "secret"));
	assert_int_equal(server_int("select count(*) from lots"), 0);
}

struct sink {
	int64_t bytes, lines;
	int64_t give_up; /* after so many bytes; 0 never */
	pthread_t thread;
};

static int
sink_write(void *arg, const char *at, size_t len)
{
	struct sink *s = arg;

	s->thread = pthread_self();
	s->bytes += (int64_t)len;
	for (size_t i = 0; i < len; i++)
		s->lines += at[i] == '\n';
	return s->give_up > 0 && s->bytes >= s->give_up;
}

static void
copied_out_on_the_calling_thread(void **state)
{
	struct lunate_copy c = lunate_copy_of(
		"copy (select generate_series(1, 200000)) to stdout");
	struct sink s = {0};

	c.write = sink_write;
	c.arg = &s;
	ok(lunate_copy_run(db, &c, &er));
	assert_int_equal(c.rows, 200000);
	assert_int_equal(s.lines, 200000);
	assert_true(pthread_equal(s.thread, pthread_self()));
}

static void
a_write_that_gives_up_ends_the_copy(void **state)
{
	struct lunate_copy c = lunate_copy_of(
		"copy (select generate_series(1, 100000000)) to stdout");
	struct sink s = {.give_up = 1000};

	c.write = sink_write;
	c.arg = &s;
	refused(LUNATE_ECANCELLED, lunate_copy_run(db, &c, &er));
	capi_until("select count(*) = 0 from pg_stat_activity where state = "
		   "'active' and query like 'copy%'");
	assert_string_equal(capi_text("select 'next'"), "next");
}

static void
a_copy_in_a_transaction_is_part_of_it(void **state)
{
	struct feed f = {.limit = 10, .give_up = -1};
	struct lunate_copy c = lunate_copy_of("copy lots from stdin");
	struct lunate_tx *tx;

	ok(capi_run("drop table if exists lots"));
	ok(capi_run("create table lots (n int)"));
	ok(lunate_begin(db, NULL, &tx, &er));
	c.tx = tx;
	c.read = feed_read;
	c.arg = &f;
	ok(lunate_copy_run(db, &c, &er));
	assert_int_equal(c.rows, 10);
	assert_int_equal(server_int("select count(*) from lots"), 0);
	ok(lunate_commit(&tx, &er));
	assert_int_equal(server_int("select count(*) from lots"), 10);
}

static void
a_copy_that_lacks_something_is_refused(void **state)
{
	struct lunate_copy c = lunate_copy_of("copy (select 1) to stdout");
	struct sink s = {0};

	refused(LUNATE_EINVAL, lunate_copy_run(db, &c, &er)); /* no write */
	c = lunate_copy_of("select 1");
	c.write = sink_write;
	c.arg = &s;
	assert_true(lunate_copy_run(db, &c, &er) < 0);
	c = lunate_copy_of("copy (select $1::int) to stdout");
	c.write = sink_write;
	c.arg = &s;
	assert_true(lunate_copy_run(db, &c, &er) < 0);
	refused(LUNATE_EINVAL, lunate_copy_run(db, NULL, &er));
	assert_int_equal(s.bytes, 0);
}

static void
a_copy_out_of_time_ends(void **state)
{
	struct lunate_copy c = lunate_copy_of(
		"copy (select pg_sleep(100)) to stdout");
	struct sink s = {0};

	c.write = sink_write;
	c.arg = &s;
	c.timeout = 0.05;
	refused(LUNATE_EDEADLINE, lunate_copy_run(db, &c, &er));
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_million_rows_pass_through_small_memory),
		T(its_end_is_told_again_and_again),
		T(closed_in_the_middle_its_connection_serves_the_next),
		T(it_may_be_closed_before_anything_was_read),
		T(what_fails_in_the_middle_fails_there),
		T(what_cannot_run_is_told_when_opened_or_read),
		T(in_a_transaction_it_has_it_to_itself),
		T(while_it_is_open_its_transaction_runs_other_statements),
		T(rows_of_a_stream_outlive_it),
		T(read_without_waiting_it_answers_rows_and_then_nothing),
		T(one_next_at_a_time),
		T(copied_in_in_pieces_cut_anywhere),
		T(a_read_that_gives_up_copies_nothing),
		T(what_does_not_fit_the_table_copies_nothing_and_is_not_shown),
		T(copied_out_on_the_calling_thread),
		T(a_write_that_gives_up_ends_the_copy),
		T(a_copy_in_a_transaction_is_part_of_it),
		T(a_copy_that_lacks_something_is_refused),
		T(a_copy_out_of_time_ends),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, NULL, server_end);
}
