/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "conn.h"
#include "panics.h"

#define CTX "select current_setting('lunate.ctx', true)"

/* A read that says which context it ran under. */
static void
ask_context(int i, const char *context)
{
	conn_ask(i, PGREQ_READ, CTX);
	asks[i].r.context = context;
}

static void
assert_fates(int n, const enum pgreq_fate *fates)
{
	for (int i = 0; i < n; i++)
		assert_int_equal(asks[i].r.fate, fates[i]);
}

static void
reads_share_a_group_and_are_answered_in_order(void **state)
{
	conn_begin(8);
	for (int i = 0; i < 10; i++) {
		conn_ask(i, PGREQ_READ, i % 2 ? "select 1" : "select 2");
		asks[i].r.max_bytes = 1000;
	}
	conn_send(0, 10);
	assert_int_equal(pgconn_inflight(conn), 1);
	assert_int_equal(pgconn_requests(conn), 10);
	conn_wait(0, 10);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(asks[i].place, i + 1);
		assert_string_equal(asks[i].text, i % 2 ? "1" : "2");
	}
	conn_close();
}

static void
after_an_error_the_rest_of_a_group_never_ran(void **state)
{
	static const enum pgreq_fate fates[] = {PGREQ_DONE, PGREQ_DONE,
						PGREQ_FAILED, PGREQ_NOT_RUN,
						PGREQ_NOT_RUN};

	conn_begin(8);
	for (int i = 0; i < 5; i++)
		conn_ask(i, PGREQ_READ, i == 2 ? "select 1/0" : "select 'a'");
	conn_send(0, 5);
	conn_wait(0, 5);
	assert_fates(5, fates);
	assert_string_equal(asks[2].r.err.sqlstate, "22012");
	assert_string_equal(asks[1].text, "a");
	assert_null(asks[3].r.rows);
	/* what never ran may be sent again */
	conn_ask(0, PGREQ_READ, "select 'a'");
	conn_ask(1, PGREQ_READ, "select 'b'");
	conn_send(0, 2);
	conn_wait(0, 2);
	assert_string_equal(asks[0].text, "a");
	assert_string_equal(asks[1].text, "b");
	conn_close();
}

static void
an_error_of_one_group_leaves_the_next_alone(void **state)
{
	conn_begin(8);
	for (int i = 0; i < 6; i++) {
		conn_ask(i, PGREQ_READ, i == 1 ? "select nothing" : "select 3");
		if (i % 2 == 1)
			conn_send(i - 1, 2);
	}
	assert_int_equal(pgconn_inflight(conn), 3);
	conn_wait(0, 6);
	for (int i = 0; i < 6; i++)
		assert_int_equal(asks[i].r.fate,
				 i == 1 ? PGREQ_FAILED : PGREQ_DONE);
	assert_string_equal(asks[1].r.err.sqlstate, "42703");
	conn_close();
}

static void
send_with(struct list *group, int first, int n)
{
	list_init(group);
	for (int i = first; i < first + n; i++)
		list_push_back(group, &asks[i].r.link);
	pgconn_send(conn, group);
}

static void
a_group_of_more_than_one_takes_only_plain_reads(void **state)
{
	static const struct pgpart audit = {"select 1", NULL, 0};
	struct list group;

	conn_begin(8);
	for (int k = 0; k < 4; k++) {
		conn_ask(0, PGREQ_READ, "select 1");
		conn_ask(1, PGREQ_READ, "select 1");
		if (k == 0)
			asks[1].r.flags = 0;
		if (k == 1)
			asks[1].r.flags |= PGREQ_STREAM;
		if (k == 2)
			asks[1].r.prelude = "begin";
		if (k == 3)
			asks[1].r.audit = &audit;
		assert_panics(send_with(&group, 0, 2));
	}
	assert_panics((list_init(&group), pgconn_send(conn, &group)));
	conn_close();
}

static void
the_context_in_force_is_the_one_a_request_names(void **state)
{
	static const char *const contexts[] = {"a", "a",  "b",	NULL,
					       "c", NULL, NULL, "a"};

	conn_begin(8);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 8; i++)
			ask_context(i, contexts[i]);
		conn_send(0, 8);
		conn_wait(0, 8);
		for (int i = 0; i < 8; i++) {
			assert_int_equal(asks[i].r.fate, PGREQ_DONE);
			assert_string_equal(asks[i].text, contexts[i] != NULL
								  ? contexts[i]
								  : "");
		}
	}
	conn_close();
}

static void
no_context_leaks_into_the_next_group(void **state)
{
	for (int prepared = 0; prepared <= 8; prepared += 8) {
		conn_begin(prepared);
		for (int i = 0; i < 6; i++) {
			ask_context(i, i % 2 == 0 ? "secret" : NULL);
			conn_send(i, 1);
		}
		conn_wait(0, 6);
		for (int i = 0; i < 6; i++)
			assert_true(
				i % 2 == 0 ? strcmp(asks[i].text, "secret") == 0
					   : asks[i].text[0] == 0 ||
						     strcmp(asks[i].text,
							    "NULL") == 0);
		conn_close();
	}
}

static void
a_context_that_an_error_undid_is_set_again(void **state)
{
	conn_begin(8);
	ask_context(0, "a");
	conn_ask(1, PGREQ_READ, "select 1/0");
	asks[1].r.context = "a";
	ask_context(2, "a");
	conn_send(0, 3);
	ask_context(3, "a");
	ask_context(4, "b");
	conn_send(3, 2);
	conn_wait(0, 5);
	assert_string_equal(asks[0].text, "a");
	assert_int_equal(asks[2].r.fate, PGREQ_NOT_RUN);
	assert_string_equal(asks[3].text, "a");
	assert_string_equal(asks[4].text, "b");
	conn_close();
}

/* The context's own statement is prepared with the first group; when that
 * group fails before it, it must be prepared again. */
static void
a_context_whose_preparing_never_ran_is_prepared_again(void **state)
{
	conn_begin(8);
	conn_ask(0, PGREQ_READ, "select 1/0");
	ask_context(1, "a");
	conn_send(0, 2);
	ask_context(2, "b");
	conn_send(2, 1);
	conn_wait(0, 3);
	assert_int_equal(asks[1].r.fate, PGREQ_NOT_RUN);
	for (int i = 0; i < 3 && asks[2].r.fate == PGREQ_NOT_RUN; i++) {
		ask_context(2, "b");
		conn_send(2, 1);
		conn_wait(2, 1);
	}
	assert_int_equal(asks[2].r.fate, PGREQ_DONE);
	assert_string_equal(asks[2].text, "b");
	conn_close();
}

static void
a_guard_that_fails_keeps_its_statement_from_running(void **state)
{
	conn_begin(8);
	conn_ok("create temp table g (a int)");
	conn_ask(0, 0, "insert into g values (1)");
	asks[0].r.guard = "select 1/0";
	conn_send(0, 1);
	conn_ask(1, 0, "insert into g values (2)");
	asks[1].r.guard = "select 1";
	conn_send(1, 1);
	conn_wait(0, 2);
	assert_int_equal(asks[0].r.fate, PGREQ_FAILED);
	assert_string_equal(asks[0].r.err.sqlstate, "22012");
	assert_int_equal(asks[1].r.fate, PGREQ_DONE);
	assert_string_equal(conn_ok("select string_agg(a::text, '') from g"),
			    "2");
	conn_close();
}

static void
the_transaction_id_of_a_write_is_told(void **state)
{
	char sql[80];

	conn_begin(8);
	conn_ok("create temp table x (a int)");
	conn_ask(0, PGREQ_XID, "insert into x values (1)");
	conn_send(0, 1);
	conn_ask(1, PGREQ_XID, "select 1");
	conn_send(1, 1);
	conn_ask(2, 0, "insert into x values (2)");
	conn_send(2, 1);
	conn_wait(0, 3);
	assert_true(asks[0].r.xid != 0);
	assert_true(asks[1].r.xid == 0); /* none was assigned */
	assert_true(asks[2].r.xid == 0); /* not asked for */
	snprintf(sql, sizeof(sql), "select pg_xact_status('%llu'::xid8)",
		 (unsigned long long)asks[0].r.xid);
	assert_string_equal(conn_ok(sql), "committed");
	conn_close();
}

/* Writes into the table w with an audit record that may fail. */
static void
write_audited(int i, const char *sql, const struct pgpart *audit)
{
	conn_ask(i, 0, sql);
	asks[i].r.audit = audit;
	asks[i].r.context = "who";
	conn_send(i, 1);
	conn_wait(i, 1);
}

static void
a_write_and_its_audit_record_stand_and_fall_together(void **state)
{
	static const struct pgval who = {"me", 2, false};
	static const struct pgpart good = {"insert into log values ($1, "
					   "current_setting('lunate.ctx'))",
					   &who, 1};
	static const struct pgpart bad = {"insert into log values ($1::int)",
					  &who, 1};

	conn_begin(8);
	conn_ok("create temp table w (a int check (a > 0))");
	conn_ok("create temp table log (who text, ctx text)");
	write_audited(0, "insert into w values (1)", &good);
	write_audited(1, "insert into w values (2)", &bad);
	write_audited(2, "insert into w values (-3)", &good);
	assert_int_equal(asks[0].r.fate, PGREQ_DONE);
	assert_int_equal(asks[0].r.affected, 1);
	assert_int_equal(asks[1].r.fate, PGREQ_FAILED);
	assert_int_equal(asks[2].r.fate, PGREQ_FAILED);
	assert_string_equal(conn_ok("select string_agg(a::text, '') from w"),
			    "1");
	assert_string_equal(conn_ok("select string_agg(who || ctx, ' ') "
				    "from log"),
			    "mewho");
	conn_close();
}

static void
a_deferred_constraint_fails_the_write_after_its_command_tag(void **state)
{
	conn_begin(8);
	conn_ok("create temp table d (a int constraint late unique "
		"deferrable initially deferred)");
	conn_run(0, "insert into d values (1), (1)");
	assert_int_equal(asks[0].r.fate, PGREQ_FAILED);
	assert_string_equal(asks[0].r.err.sqlstate, "23505");
	assert_string_equal(asks[0].r.err.constraint, "late");
	assert_string_equal(conn_ok("select count(*) from d"), "0");
	conn_run(0, "insert into d values (1), (1) returning a");
	assert_int_equal(asks[0].r.fate, PGREQ_FAILED);
	assert_int_equal(asks[0].rows, 0); /* no row of what did not happen */
	assert_string_equal(conn_ok("select 5"), "5");
	conn_close();
}

static void
a_prelude_opens_the_block_in_which_the_rest_runs(void **state)
{
	conn_begin(8);
	conn_ask(0, 0, CTX);
	asks[0].r.prelude = "begin isolation level serializable";
	asks[0].r.context = "tx";
	conn_send(0, 1);
	conn_wait(0, 1);
	assert_string_equal(asks[0].text, "tx");
	assert_true(pgconn_in_tx(conn));
	conn_ask(1, PGREQ_IN_TX, CTX);
	asks[1].r.context = "tx";
	conn_send(1, 1);
	conn_ask(2, PGREQ_IN_TX, "show transaction_isolation");
	asks[2].r.context = "tx";
	conn_send(2, 1);
	conn_ask(3, PGREQ_IN_TX, "rollback");
	asks[3].r.context = "tx";
	conn_send(3, 1);
	conn_wait(1, 3);
	assert_string_equal(asks[1].text, "tx");
	assert_string_equal(asks[2].text, "serializable");
	assert_false(pgconn_in_tx(conn));
	ask_context(4, NULL);
	conn_send(4, 1);
	conn_wait(4, 1);
	assert_string_equal(asks[4].text, "");
	conn_close();
}

static void
a_prelude_that_fails_runs_nothing_after_it(void **state)
{
	conn_begin(8);
	conn_ok("create temp table p (a int)");
	conn_ask(0, 0, "insert into p values (1)");
	asks[0].r.prelude = "begin nonsense";
	conn_send(0, 1);
	conn_wait(0, 1);
	assert_int_equal(asks[0].r.fate, PGREQ_FAILED);
	assert_string_equal(asks[0].r.err.sqlstate, "42601");
	assert_false(pgconn_in_tx(conn));
	assert_string_equal(conn_ok("select count(*) from p"), "0");
	conn_close();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_share_a_group_and_are_answered_in_order),
		cmocka_unit_test(after_an_error_the_rest_of_a_group_never_ran),
		cmocka_unit_test(an_error_of_one_group_leaves_the_next_alone),
		cmocka_unit_test(
			a_group_of_more_than_one_takes_only_plain_reads),
		cmocka_unit_test(
			the_context_in_force_is_the_one_a_request_names),
		cmocka_unit_test(no_context_leaks_into_the_next_group),
		cmocka_unit_test(a_context_that_an_error_undid_is_set_again),
		cmocka_unit_test(
			a_context_whose_preparing_never_ran_is_prepared_again),
		cmocka_unit_test(
			a_guard_that_fails_keeps_its_statement_from_running),
		cmocka_unit_test(the_transaction_id_of_a_write_is_told),
		cmocka_unit_test(
			a_write_and_its_audit_record_stand_and_fall_together),
		cmocka_unit_test(
			a_deferred_constraint_fails_the_write_after_its_command_tag),
		cmocka_unit_test(
			a_prelude_opens_the_block_in_which_the_rest_runs),
		cmocka_unit_test(a_prelude_that_fails_runs_nothing_after_it),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, NULL, server_end);
}
