/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "conn.h"

#define SERIES "select g, repeat('x', 100) from generate_series(1, 20000) g"

static void
stream(int i, const char *sql, int pause_at)
{
	conn_ask(i, PGREQ_STREAM, sql);
	asks[i].pause_at = pause_at;
	conn_send(i, 1);
}

static void
a_stream_comes_in_chunks_and_ends_with_its_answer(void **state)
{
	conn_begin(4);
	for (int i = 0; i < 2; i++) { /* prepared, and prepared already */
		stream(i, SERIES, 0);
		conn_wait(i, 1);
		assert_int_equal(asks[i].r.fate, PGREQ_DONE);
		assert_int_equal(asks[i].rows, 20000);
		assert_true(asks[i].chunks > 1);
		assert_null(asks[i].r.rows);
	}
	conn_close();
}

static void
a_stream_of_no_rows_ends_with_its_answer(void **state)
{
	conn_begin(4);
	stream(0, "select 1 where false", 0);
	conn_wait(0, 1);
	assert_int_equal(asks[0].r.fate, PGREQ_DONE);
	assert_int_equal(asks[0].chunks, 0);
	assert_int_equal(asks[0].ncols, 1); /* what it would have had */
	stream(1, "set local work_mem = '4MB'", 0);
	conn_wait(1, 1);
	assert_int_equal(asks[1].r.fate, PGREQ_DONE);
	assert_int_equal(asks[1].ncols, -1);
	conn_close();
}

static void
streams_and_whole_results_take_turns(void **state)
{
	conn_begin(4);
	stream(0, "select generate_series(1, 500)", 0);
	conn_ask(1, PGREQ_READ, "select generate_series(1, 300)");
	conn_send(1, 1);
	stream(2, "select generate_series(1, 700)", 0);
	conn_wait(0, 3);
	assert_int_equal(asks[0].rows, 500);
	assert_int_equal(asks[1].rows, 300);
	assert_int_equal(asks[1].chunks, 0);
	assert_int_equal(asks[2].rows, 700);
	for (int i = 0; i < 3; i++)
		assert_int_equal(asks[i].place, i + 1);
	conn_close();
}

static void
a_stream_that_fails_in_the_middle_has_given_what_came_before(void **state)
{
	conn_begin(4);
	stream(0, "select 1 / (1000 - g) from generate_series(1, 2000) g", 0);
	conn_wait(0, 1);
	assert_int_equal(asks[0].r.fate, PGREQ_FAILED);
	assert_string_equal(asks[0].r.err.sqlstate, "22012");
	assert_int_equal(asks[0].rows, 999);
	assert_string_equal(conn_ok("select 1"), "1");
	conn_close();
}

static void
take_notice(struct pgreq *r, const char *text)
{
	struct ask *a = CONTAINER_OF(r, struct ask, r);

	a->notices++;
	snprintf(a->text, sizeof(a->text), "%s", text);
}

static void
a_notice_goes_to_who_asked_for_the_statement(void **state)
{
	conn_begin(4);
	conn_ask(0, 0,
		 "do $$ begin raise warning 'a %', 'b' using detail = 'c', "
		 "hint = 'd'; end $$");
	asks[0].r.notice = take_notice;
	conn_send(0, 1);
	conn_ask(1, 0, "do $$ begin raise warning 'to nobody'; end $$");
	conn_send(1, 1);
	conn_wait(0, 2);
	assert_int_equal(asks[0].notices, 1);
	assert_string_equal(asks[0].text, "WARNING: a b\nDETAIL: c\nHINT: d");
	assert_int_equal(asks[1].notices, 0);
	conn_close();
}

static void
an_error_tells_the_character_of_the_statement_where_it_is(void **state)
{
	conn_begin(4);
	conn_run(0, "select '\xc3\xa9', nothing");
	assert_int_equal(asks[0].r.err.position, 13);
	conn_run(1, "select 1 / 0");
	assert_int_equal(asks[1].r.err.position, 0);
	conn_close();
}

static void
a_paused_stream_stands_still_until_it_is_resumed(void **state)
{
	int seen;

	conn_begin(4);
	stream(0, SERIES, 2);
	while (asks[0].chunks < 2)
		turn();
	seen = asks[0].chunks;
	for (int i = 0; i < 5; i++)
		loop_turn(loop, 0.01);
	assert_int_equal(asks[0].calls, 0);
	/* what libpq had read already may come; then nothing more does */
	assert_int_equal(asks[0].chunks, seen);
	pgconn_resume(conn);
	pgconn_resume(conn);
	conn_wait(0, 1);
	assert_int_equal(asks[0].rows, 20000);
	conn_close();
}

static void
a_stream_may_be_abandoned_in_the_middle(void **state)
{
	conn_begin(4);
	for (int i = 0; i < 20; i++) {
		stream(0, SERIES, i % 2);
		while (asks[0].chunks < 1)
			turn();
		if (asks[0].calls == 0)
			pgconn_abandon(&asks[0].r);
		pgconn_verify(conn);
		pgconn_resume(conn);
		conn_until(PGCONN_READY);
		while (pgconn_inflight(conn) > 0)
			turn();
		assert_string_equal(conn_ok("select 1"), "1");
	}
	conn_close();
}

static void
a_paused_connection_may_be_freed(void **state)
{
	conn_begin(4);
	stream(0, SERIES, 1);
	while (asks[0].chunks < 1)
		turn();
	pgconn_free(&conn);
	assert_int_equal(asks[0].calls, 1);
	assert_int_equal(asks[0].r.fate, PGREQ_LOST);
	conn_close();
}

static void
a_result_over_its_limit_is_refused_and_the_connection_lives(void **state)
{
	conn_begin(4);
	for (int i = 0; i < 5; i++) {
		conn_ask(0, PGREQ_READ, SERIES);
		asks[0].r.max_bytes = 100000;
		conn_send(0, 1);
		conn_wait(0, 1);
		assert_int_equal(asks[0].r.fate, PGREQ_FAILED);
		assert_int_equal(asks[0].r.err.code, LUNATE_ETOOBIG);
		assert_int_equal(asks[0].rows, 0);
		conn_until(PGCONN_READY);
		assert_string_equal(conn_ok("select 1"), "1");
	}
	conn_close();
}

static void
a_result_within_its_limit_comes_whole(void **state)
{
	conn_begin(4);
	conn_ask(0, PGREQ_READ, SERIES);
	asks[0].r.max_bytes = 100000000;
	conn_send(0, 1);
	conn_ask(1, PGREQ_READ, SERIES); /* no limit */
	conn_send(1, 1);
	conn_wait(0, 2);
	assert_int_equal(asks[0].rows, 20000);
	assert_int_equal(asks[1].rows, 20000);
	conn_close();
}

/* The limit of one member must not take the others with it for good. */
static void
in_a_group_only_the_member_over_its_limit_fails(void **state)
{
	conn_begin(4);
	conn_ask(0, PGREQ_READ, "select 'a'");
	conn_ask(1, PGREQ_READ, SERIES);
	asks[1].r.max_bytes = 100000;
	conn_ask(2, PGREQ_READ, "select 'b'");
	conn_send(0, 3);
	conn_wait(0, 3);
	assert_int_equal(asks[0].r.fate, PGREQ_DONE);
	assert_int_equal(asks[1].r.fate, PGREQ_FAILED);
	assert_int_equal(asks[1].r.err.code, LUNATE_ETOOBIG);
	assert_true(asks[2].r.fate == PGREQ_DONE ||
		    asks[2].r.fate == PGREQ_NOT_RUN);
	conn_until(PGCONN_READY);
	assert_string_equal(conn_ok("select 1"), "1");
	conn_close();
}

static void
a_backend_that_dies_in_a_stream_leaves_it_lost(void **state)
{
	conn_begin(4);
	stream(0,
	       "select g, pg_sleep(case when g > 1000 then 1 else 0 end) "
	       "from generate_series(1, 2000) g",
	       0);
	while (asks[0].chunks < 1)
		turn();
	server_terminate(pgconn_backend_pid(conn));
	conn_wait(0, 1);
	assert_int_equal(asks[0].r.fate, PGREQ_LOST);
	assert_true(asks[0].rows > 0);
	conn_until(PGCONN_DEAD);
	conn_close();
}

/* libpq would wait in the COPY for ever. */
static void
a_copy_in_a_pipeline_ends_the_connection(void **state)
{
	conn_begin(4);
	conn_ask(0, 0, "copy (select 1) to stdout");
	conn_send(0, 1);
	conn_wait(0, 1);
	assert_true(asks[0].r.fate == PGREQ_LOST ||
		    asks[0].r.fate == PGREQ_FAILED);
	if (asks[0].r.fate == PGREQ_LOST)
		conn_until(PGCONN_DEAD);
	conn_close();
}

static void
an_empty_statement_is_a_proof_of_life(void **state)
{
	conn_begin(4);
	conn_run(0, "");
	assert_int_equal(asks[0].r.fate, PGREQ_DONE);
	assert_int_equal(asks[0].r.affected, -1);
	conn_close();
}

static void
errors_carry_no_value_of_a_row(void **state)
{
	conn_begin(4);
	conn_run(0, "select 'topsecret'::int");
	assert_int_equal(asks[0].r.fate, PGREQ_FAILED);
	assert_string_equal(asks[0].r.err.sqlstate, "22P02");
	assert_null(strstr(asks[0].r.err.text, "topsecret"));
	conn_close();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_stream_comes_in_chunks_and_ends_with_its_answer),
		cmocka_unit_test(a_stream_of_no_rows_ends_with_its_answer),
		cmocka_unit_test(a_notice_goes_to_who_asked_for_the_statement),
		cmocka_unit_test(
			an_error_tells_the_character_of_the_statement_where_it_is),
		cmocka_unit_test(streams_and_whole_results_take_turns),
		cmocka_unit_test(
			a_stream_that_fails_in_the_middle_has_given_what_came_before),
		cmocka_unit_test(
			a_paused_stream_stands_still_until_it_is_resumed),
		cmocka_unit_test(a_stream_may_be_abandoned_in_the_middle),
		cmocka_unit_test(a_paused_connection_may_be_freed),
		cmocka_unit_test(
			a_result_over_its_limit_is_refused_and_the_connection_lives),
		cmocka_unit_test(a_result_within_its_limit_comes_whole),
		cmocka_unit_test(
			in_a_group_only_the_member_over_its_limit_fails),
		cmocka_unit_test(
			a_backend_that_dies_in_a_stream_leaves_it_lost),
		cmocka_unit_test(a_copy_in_a_pipeline_ends_the_connection),
		cmocka_unit_test(an_empty_statement_is_a_proof_of_life),
		cmocka_unit_test(errors_carry_no_value_of_a_row),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, NULL, server_end);
}
