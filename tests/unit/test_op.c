/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ops.h"

/* A lease that keeps the only connection busy. */
static struct tx hog;

static void
take_the_only_connection(void)
{
	struct tx_options o = {.mode = POOL_WRITE, .site = "hog.lua:1"};
	struct err e;

	assert_int_equal(tx_init(&hog, w, &o, &e), 0);
	assert_int_equal(ops_in_tx(60, &hog, "select 1"), 0);
}

/* Waits until the server runs its pg_sleep(): a cancel that comes before that
 * may be lost. */
static void
asleep(int i)
{
	char sql[120];

	ops_in_flight(i);
	snprintf(sql, sizeof(sql),
		 "select count(*) from pg_stat_activity where pid = %d and "
		 "wait_event = 'PgSleep'",
		 pgconn_backend_pid(runs[i].op.req.conn));
	while (server_int(sql) == 0)
		turn();
}

/* However long it took until here, the deadline passes now. */
static void
pass_deadline(int i)
{
	loop_timer_start(&runs[i].op.timer, 0);
}

static void
a_statement_is_answered_once_and_from_the_loop(void **state)
{
	ops_begin(2);
	assert_int_equal(ops_run(0, "select 40 + 2"), 0);
	assert_string_equal(runs[0].text, "42");
	assert_int_equal(w->nops, 0);
	assert_int_equal(w->queued, 0);
	assert_true(runtime_quiet(rt));
	assert_int_equal(stat_read(&rt->counts.queries), 1);
	assert_int_equal(stat_read(&rt->counts.failed), 0);
	ops_end();
}

static void
refused(const char *sql, enum err_code code, const char *remedy)
{
	assert_int_equal(ops_run(0, sql), code);
	if (strstr(runs[0].why, remedy) == NULL)
		fail_msg("%s: %s", sql, runs[0].why);
	assert_int_equal(w->nops, 0);
}

static void
what_no_server_needs_to_refuse_reaches_none(void **state)
{
	ops_open("/nonexistent", 1);
	refused("selec 1", LUNATE_ESYNTAX, "");
	refused("", LUNATE_EINVAL, "");
	refused("select 1; select 2", LUNATE_EUNSUPPORTED, "");
	refused("select $1", LUNATE_EPARAM, "1 parameter, 0 were given");
	refused("select $2", LUNATE_EPARAM, "2 parameters, 0 were given");
	refused("begin", LUNATE_EUNSUPPORTED, "db:transaction");
	refused("copy t from stdin", LUNATE_EUNSUPPORTED, "db:copy_in");
	refused("set work_mem = '1MB'", LUNATE_EUNSUPPORTED, "db:script");
	refused("listen x", LUNATE_EUNSUPPORTED, "session");
	assert_int_equal(stat_read(&rt->counts.failed), 9);
	ops_end();
}

static void
a_read_only_operation_refuses_what_writes(void **state)
{
	ops_begin(1);
	ops_make(0, "create table no_table (a int)")->flags = OP_READ_ONLY;
	ops_start(0);
	assert_int_equal(ops_wait(0), LUNATE_EREADONLY);
	ops_make(1, "select 1")->flags = OP_READ_ONLY;
	ops_start(1);
	assert_int_equal(ops_wait(1), 0);
	ops_end();
}

/* A function that writes and says so is no read, whatever the grammar says. */
static void
a_function_that_writes_runs_as_a_write(void **state)
{
	ops_begin(1);
	server_sql("create table if not exists seen (a int)");
	server_sql("truncate seen");
	server_sql("create or replace function note_it() returns int volatile "
		   "language sql as 'insert into public.seen values (1) "
		   "returning a'");
	for (int i = 0; i < 3; i++)
		assert_string_equal(ops_ok("select note_it()"), "1");
	assert_string_equal(ops_ok("select count(*) from seen"), "3");
	ops_end();
}

/* A function that lies about itself is caught by the read-only lane and
 * goes out again as what it is. */
static void
a_write_that_looked_like_a_read_is_sent_again_as_a_write(void **state)
{
	ops_begin(1);
	server_sql("create table if not exists lied (a int)");
	server_sql("truncate lied");
	server_sql("create or replace function liar() returns int stable "
		   "language plpgsql as 'begin execute ''insert into "
		   "public.lied values (1)''; return 1; end'");
	ops_run(0, "select liar()");
	assert_true(server_int("select count(*) from lied") <= 1);
	if (runs[0].code == 0)
		assert_int_equal(server_int("select count(*) from lied"), 1);
	ops_end();
}

/* ---- deadlines and cancels ---------------------------------------------- */

static void
a_deadline_passes_while_waiting_for_a_connection(void **state)
{
	ops_begin(1);
	take_the_only_connection();
	loop_refresh(loop);
	ops_make(0, "create table never_made (a int)")->deadline_us =
		loop_now_us(loop) + 500000;
	ops_start(0);
	assert_int_equal(ops_wait(0), LUNATE_EDEADLINE);
	assert_non_null(strstr(runs[0].why, "waiting for a connection"));
	assert_null(strstr(runs[0].why, "may or may not"));
	tx_end(&hog);
	assert_string_equal(ops_ok("select 'alive'"), "alive");
	ops_end();
}

static void
a_deadline_passes_while_a_read_runs(void **state)
{
	ops_begin(1);
	ops_ok("select now()"); /* the catalog is loaded */
	ops_make(0, "select pg_sleep(60)");
	ops_start(0);
	asleep(0);
	pass_deadline(0);
	assert_int_equal(ops_wait(0), LUNATE_EDEADLINE);
	assert_null(strstr(runs[0].why, "waiting for a connection"));
	assert_null(strstr(runs[0].why, "may or may not"));
	assert_string_equal(ops_ok("select 'alive'"), "alive");
	ops_end();
}

static void
a_deadline_that_passes_while_a_write_runs_leaves_it_in_doubt(void **state)
{
	ops_begin(1);
	server_sql("create table if not exists slow_write (a int)");
	ops_ok("select now()");
	ops_make(0, "insert into slow_write select 1 from pg_sleep(60)");
	ops_start(0);
	asleep(0);
	pass_deadline(0);
	assert_int_equal(ops_wait(0), LUNATE_EDEADLINE);
	assert_non_null(strstr(runs[0].why, "may or may not have happened"));
	assert_string_equal(ops_ok("select count(*) from slow_write"), "0");
	ops_end();
}

static void
a_deadline_that_has_passed_already_sends_nothing(void **state)
{
	ops_begin(1);
	ops_ok("select 1");
	ops_make(0, "create table too_late (a int)")->deadline_us = 1;
	ops_start(0);
	assert_int_equal(ops_wait(0), LUNATE_EDEADLINE);
	while (!runtime_quiet(rt))
		turn();
	assert_string_equal(server_sql("select to_regclass('too_late')"), "");
	ops_end();
}

static void
a_cancel_in_every_phase_ends_it_once(void **state)
{
	ops_begin(1);
	/* at once, before the loop has turned; also before the catalog */
	ops_make(0, "select now()");
	ops_start(0);
	op_cancel(&runs[0].op, LUNATE_ECANCELLED);
	assert_int_equal(runs[0].calls, 0);
	assert_int_equal(ops_wait(0), LUNATE_ECANCELLED);
	/* waiting for a connection */
	take_the_only_connection();
	ops_make(1, "select 1");
	ops_start(1);
	turn();
	op_cancel(&runs[1].op, LUNATE_ECANCELLED);
	op_cancel(&runs[1].op, LUNATE_EDEADLINE); /* the first one counts */
	assert_int_equal(ops_wait(1), LUNATE_ECANCELLED);
	tx_end(&hog);
	/* in flight */
	ops_make(2, "select pg_sleep(60)");
	ops_start(2);
	asleep(2);
	op_cancel(&runs[2].op, LUNATE_ECANCELLED);
	assert_int_equal(runs[2].calls, 0);
	assert_int_equal(ops_wait(2), LUNATE_ECANCELLED);
	assert_string_equal(ops_ok("select 'alive'"), "alive");
	for (int i = 0; i < 5; i++)
		turn();
	for (int i = 0; i < 3; i++)
		assert_int_equal(runs[i].calls, 1);
	ops_end();
}

static void
an_interrupted_statement_ends_by_the_answer_of_the_server(void **state)
{
	struct tx_options o = {.session = true, .mode = POOL_LONG};
	struct tx t;
	struct err e;

	ops_begin(1);
	assert_int_equal(tx_init(&t, w, &o, &e), 0);
	assert_int_equal(ops_in_tx(0, &t, "create temp table here ()"), 0);
	ops_make(1, "select pg_sleep(60)")->tx = &t;
	ops_start(1);
	asleep(1);
	assert_true(op_interrupt(&runs[1].op));
	assert_int_equal(ops_wait(1), LUNATE_ECANCELLED);
	assert_null(strstr(runs[1].why, "somebody else"));
	while (pgconn_state(pool_member_conn(t.member)) != PGCONN_READY)
		turn();
	/* The session goes on, and what it has made is there. */
	assert_int_equal(ops_in_tx(2, &t, "select from here"), 0);
	tx_end(&t);
	ops_end();
}

static void
an_interrupted_statement_that_waits_is_not_sent(void **state)
{
	ops_begin(1);
	take_the_only_connection();
	ops_make(0, "create table never_made ()");
	ops_start(0);
	turn();
	assert_true(op_interrupt(&runs[0].op));
	assert_int_equal(ops_wait(0), LUNATE_ECANCELLED);
	tx_end(&hog);
	assert_string_equal(ops_ok("select to_regclass('never_made') is null"),
			    "t");
	ops_end();
}

static void
a_refusal_may_be_cancelled_before_it_is_told(void **state)
{
	ops_open("/nonexistent", 1);
	ops_make(0, "selec");
	ops_start(0);
	op_cancel(&runs[0].op, LUNATE_ECANCELLED);
	assert_int_equal(ops_wait(0), LUNATE_ESYNTAX);
	ops_end();
}

/* ---- retries ------------------------------------------------------------ */

/* A function that fails with 40001 the first n times it is called. */
static void
fail_times(int n)
{
	char sql[100];

	server_sql("create sequence if not exists tried");
	server_sql("create table if not exists fails (n int)");
	server_sql("create or replace function flaky() returns bigint volatile "
		   "language plpgsql as 'declare i bigint := "
		   "nextval(''public.tried''); begin if i <= (select n from "
		   "public.fails) then raise ''again'' using errcode = "
		   "''40001''; end if; return i; end'");
	server_sql("alter sequence tried restart");
	server_sql("truncate fails");
	snprintf(sql, sizeof(sql), "insert into fails values (%d)", n);
	server_sql(sql);
}

static void
a_conflict_is_tried_again_as_often_as_its_class_says(void **state)
{
	int most = 0;

	ops_begin(1);
	for (int k = 0; k < RULES_CLASSES; k++) {
		most = rt->rules.current->classes[k].retries;
		fail_times(most);
		ops_make(0, "select flaky()")->cls = (enum rules_class)k;
		runs[0].op.cls_given = true;
		ops_start(0);
		assert_int_equal(ops_wait(0), 0);
		assert_int_equal(atoi(runs[0].text), most + 1);
		fail_times(most + 1);
		ops_make(0, "select flaky()")->cls = (enum rules_class)k;
		runs[0].op.cls_given = true;
		ops_start(0);
		assert_int_equal(ops_wait(0), LUNATE_ECONFLICT);
		assert_int_equal(runs[0].op.attempts, most + 1);
	}
	ops_end();
}

static void
a_cancel_while_it_rests_before_a_retry_ends_it(void **state)
{
	ops_begin(1);
	for (int i = 0; i < 5; i++) {
		fail_times(1000);
		ops_make(0, "select flaky()")->cls = RULES_CRITICAL;
		runs[0].op.cls_given = true;
		ops_start(0);
		while (runs[0].calls == 0 && !ev_is_active(&runs[0].op.nap.ev))
			loop_turn(loop, 0.001);
		op_cancel(&runs[0].op, LUNATE_ECANCELLED);
		assert_int_equal(ops_wait(0), LUNATE_ECANCELLED);
		turn();
		assert_int_equal(runs[0].calls, 1);
	}
	ops_end();
}

static void
a_read_that_lost_its_connection_is_tried_again(void **state)
{
	ops_begin(2);
	server_sql("create table if not exists naps (s float)");
	server_sql("truncate naps");
	server_sql("insert into naps values (60)");
	ops_ok("select now()");
	ops_make(0, "select 'slept' from pg_sleep((select s from naps))");
	ops_start(0);
	asleep(0);
	server_sql("update naps set s = 0");
	server_terminate(pgconn_backend_pid(runs[0].op.req.conn));
	assert_int_equal(ops_wait(0), 0);
	assert_string_equal(runs[0].text, "slept");
	assert_int_equal(runs[0].op.attempts, 2);
	ops_end();
}

static void
a_write_whose_backend_was_killed_is_in_doubt_and_not_redone(void **state)
{
	ops_begin(2);
	server_sql("create table if not exists once (a int)");
	server_sql("truncate once");
	ops_ok("select now()");
	ops_make(0, "insert into once select 1 from pg_sleep(30)");
	ops_start(0);
	ops_in_flight(0);
	server_kill(pgconn_backend_pid(runs[0].op.req.conn));
	assert_int_equal(ops_wait(0), LUNATE_EINDOUBT);
	assert_int_equal(runs[0].op.attempts, 1);
	server_ready();
	assert_int_equal(server_int("select count(*) from once"), 0);
	ops_end();
}

/* What commits by itself may have happened in part. */
static void
a_procedure_that_lost_its_connection_is_never_repeated(void **state)
{
	ops_begin(2);
	server_sql("create table if not exists part (a int)");
	server_sql("truncate part");
	server_sql("create or replace procedure two_steps() language plpgsql "
		   "as 'begin insert into public.part values (1); commit; "
		   "perform pg_sleep(30); end'");
	ops_make(0, "call two_steps()");
	ops_start(0);
	ops_in_flight(0);
	while (server_int("select count(*) from part") == 0)
		turn();
	server_terminate(pgconn_backend_pid(runs[0].op.req.conn));
	assert_int_equal(ops_wait(0), LUNATE_EINDOUBT);
	assert_int_equal(runs[0].op.attempts, 1);
	assert_int_equal(server_int("select count(*) from part"), 1);
	ops_end();
}

static void
one_generation_of_rules_holds_for_a_whole_operation(void **state)
{
	struct rules *next;

	ops_begin(1);
	take_the_only_connection();
	ops_make(0, "select 1");
	ops_start(0);
	next = rules_new();
	rules_publish(&rt->rules, next);
	assert_true(runs[0].op.rules != next);
	assert_true(runs[0].op.rules->id < next->id);
	tx_end(&hog);
	assert_int_equal(ops_wait(0), 0);
	ops_end();
}

static void
many_fast_reads_are_all_answered(void **state)
{
	ops_begin(2);
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < 40; i++) {
			ops_make(i, "select $1::int + 1");
			runs[i].vals[0] = (struct pgval){"41", 2, false};
			runs[i].op.nvals = 1;
			ops_start(i);
		}
		for (int i = 0; i < 40; i++) {
			assert_int_equal(ops_wait(i), 0);
			assert_string_equal(runs[i].text, "42");
		}
	}
	ops_end();
}

static void
what_is_under_way_when_the_runtime_ends_is_told_so(void **state)
{
	ops_begin(1);
	ops_ok("select now()");
	ops_make(0, "select pg_sleep(60)");
	ops_start(0);
	ops_in_flight(0);
	ops_make(1, "select 1");
	ops_start(1);
	ops_make(2, "selec");
	ops_start(2);
	runtime_stop(rt);
	ops_make(3, "select 1");
	ops_start(3);
	runtime_free(&rt);
	for (int i = 0; i < 4; i++)
		assert_int_equal(runs[i].calls, 1);
	assert_int_equal(runs[0].code, LUNATE_ECLOSED);
	assert_int_equal(runs[1].code, LUNATE_ECLOSED);
	assert_int_equal(runs[2].code, LUNATE_ESYNTAX);
	assert_int_equal(runs[3].code, LUNATE_ECLOSED);
	ops_end();
}

#define T(name) cmocka_unit_test(name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_statement_is_answered_once_and_from_the_loop),
		T(what_no_server_needs_to_refuse_reaches_none),
		T(a_read_only_operation_refuses_what_writes),
		T(a_function_that_writes_runs_as_a_write),
		T(a_write_that_looked_like_a_read_is_sent_again_as_a_write),
		T(a_deadline_passes_while_waiting_for_a_connection),
		T(a_deadline_passes_while_a_read_runs),
		T(a_deadline_that_passes_while_a_write_runs_leaves_it_in_doubt),
		T(a_deadline_that_has_passed_already_sends_nothing),
		T(a_cancel_in_every_phase_ends_it_once),
		T(an_interrupted_statement_ends_by_the_answer_of_the_server),
		T(an_interrupted_statement_that_waits_is_not_sent),
		T(a_refusal_may_be_cancelled_before_it_is_told),
		T(a_conflict_is_tried_again_as_often_as_its_class_says),
		T(a_cancel_while_it_rests_before_a_retry_ends_it),
		T(a_read_that_lost_its_connection_is_tried_again),
		T(a_write_whose_backend_was_killed_is_in_doubt_and_not_redone),
		T(a_procedure_that_lost_its_connection_is_never_repeated),
		T(one_generation_of_rules_holds_for_a_whole_operation),
		T(many_fast_reads_are_all_answered),
		T(what_is_under_way_when_the_runtime_ends_is_told_so),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, NULL, server_end);
}
