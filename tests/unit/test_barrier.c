/* SPDX-License-Identifier: MIT
 *
 * What the live database lets be open, asked once and anew (barrier.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "access.h"
#include "barrier.h"
#include "closed.h"
#include "egress_map.h"
#include "rls_world.h"
#include "runtime.h"
#include "tx.h"

static struct loop *loop;
static struct runtime *rt;
static struct worker *w;
static struct barrier *b;
static int answered;

/* The parent of items is partitioned, and no key of its own is unique. */
static const struct isolation_accept repeats = {
	.lint = "key-repeats", .schema = "h", .name = "items"};

static struct rules *
make(enum isolation_mode mode)
{
	struct rules *r = rules_new();

	r->isolation = (struct isolation_rules){.state = ISOLATION_ON,
						.mode = mode,
						.tables = &rls_rules,
						.accepted = &repeats,
						.naccepted = 1};
	r->id = rules_publish(&rt->rules, r);
	return rules_share(r);
}

static void
on_known(void *arg)
{
	(void)arg;
	answered++;
}

static void
turns(void)
{
	for (int i = 0; i < 2000 && w->nops > 0; i++)
		loop_turn(loop, 0.02);
	assert_int_equal(w->nops, 0);
}

static void
begin_with(int connections)
{
	struct catalog_wait wait;
	struct config c;
	struct err e;
	char url[200];

	rls_begin();
	snprintf(url, sizeof(url),
		 "postgresql:///lunate_test?host=%s&port=5432&user=app",
		 server_dir);
	loop = loop_new();
	config_init(&c);
	assert_int_equal(config_set(&c, "url", url, &e), 0);
	assert_int_equal(config_set(&c, "schema", "h", &e), 0);
	assert_int_equal(config_set(&c, "log_level", "error", &e), 0);
	assert_int_equal(config_set_number(&c, "pool_min", 0, &e), 0);
	assert_int_equal(config_set_number(&c, "pool_max", connections, &e), 0);
	assert_int_equal(config_set_number(&c, "acquire_timeout", 300, &e), 0);
	assert_int_equal(config_check(&c, NULL, &e), 0);
	assert_int_equal(runtime_open(&rt, &c, loop, &e), 0);
	w = &rt->workers[0];
	b = w->barrier;
	answered = 0;
	catalog_wait_init(&wait);
	catalog_wait(w->catalog, &wait, on_known, NULL);
	for (int i = 0; i < 2000 && answered == 0; i++)
		loop_turn(loop, 0.02);
	assert_true(catalog_loaded(w->catalog));
	answered = 0;
}

static void
begin(void)
{
	begin_with(2);
}

static void
end(void)
{
	runtime_free(&rt);
	loop_free(&loop);
}

static struct closed *
known(struct rules *r)
{
	return barrier_closed(b, r, catalog_epoch(w->catalog));
}

static void
wait_for(struct rules *r, struct barrier_wait *wait)
{
	barrier_wait_init(wait);
	wait->rules = r;
	wait->epoch = catalog_epoch(w->catalog);
	wait->done = on_known;
	barrier_wait(b, wait);
}

/* Asks and waits; the answer. */
static struct closed *
ask(struct rules *r)
{
	struct barrier_wait wait;

	answered = 0;
	wait_for(r, &wait);
	turns();
	assert_int_equal(answered, 1);
	return known(r);
}

static unsigned
count(const struct closed *c)
{
	const struct closed_table *list;

	assert_non_null(c);
	return closed_tables(c, &list);
}

static void
nothing_is_known_until_it_was_asked_once_for_all_who_wait(void **state)
{
	struct barrier_wait waits[3];
	struct rules *r;

	begin();
	r = make(ISOLATION_BOTH);
	assert_null(known(r));
	for (int i = 0; i < 3; i++)
		wait_for(r, &waits[i]);
	assert_int_equal(w->nops, 1);
	barrier_unwait(&waits[1]);
	turns();
	assert_int_equal(answered, 2);
	assert_int_equal(count(known(r)), 0);
	assert_false(barrier_is_old(b, r, catalog_epoch(w->catalog)));
	rules_unpin(&r);
	end();
}

static void
generations_that_ask_the_same_have_one_answer(void **state)
{
	struct rules *one, *same, *other;
	struct closed *c;

	begin();
	one = make(ISOLATION_BOTH);
	c = ask(one);
	same = make(ISOLATION_BOTH);
	assert_ptr_equal(known(same), c);
	other = make(ISOLATION_RLS);
	assert_null(known(other));
	/* And what closes the same tables is the same set. */
	assert_ptr_equal(ask(other), c);
	assert_ptr_equal(known(one), c);
	rules_unpin(&one);
	rules_unpin(&same);
	rules_unpin(&other);
	end();
}

static void
after_a_loss_policies_are_not_known_and_texts_go_on(void **state)
{
	struct rules *both, *rewrite;
	uint64_t era;

	begin();
	both = make(ISOLATION_BOTH);
	assert_non_null(ask(both));
	rewrite = make(ISOLATION_REWRITE);
	assert_non_null(ask(rewrite));
	era = barrier_era(b);
	barrier_lost(b);
	assert_int_not_equal(barrier_era(b), era);
	assert_null(known(both));
	assert_non_null(known(rewrite));
	assert_int_equal(count(ask(both)), 0);
	rules_unpin(&both);
	rules_unpin(&rewrite);
	end();
}

static void
a_loss_while_it_is_asked_asks_once_more(void **state)
{
	struct barrier_wait wait;
	struct rules *r;

	begin();
	r = make(ISOLATION_BOTH);
	wait_for(r, &wait);
	barrier_lost(b);
	turns();
	assert_int_equal(answered, 1);
	assert_non_null(known(r));
	rules_unpin(&r);
	end();
}

static void
what_drifted_is_closed_when_it_is_asked_again(void **state)
{
	struct rules *r;
	struct closed *c;

	begin();
	r = make(ISOLATION_BOTH);
	c = ask(r);
	assert_ptr_equal(ask(r), c);
	(void)server_sql("drop policy lunate_tenant on h.notes");
	c = ask(r);
	assert_int_equal(count(c), 1);
	assert_non_null(closed_by(c, "h", "notes"));
	assert_null(closed_by(c, "h", "visits"));
	rules_unpin(&r);
	end();
}

static void
without_a_server_the_reason_is_told_and_nothing_known(void **state)
{
	struct rules *r;

	begin();
	r = make(ISOLATION_BOTH);
	(void)server_sql("alter role app nologin");
	(void)server_sql("select pg_terminate_backend(pid) from "
			 "pg_stat_activity where usename = 'app'");
	assert_null(ask(r));
	(void)server_sql("alter role app login");
	assert_int_not_equal(barrier_err(b)->code, 0);
	rules_unpin(&r);
	end();
}

static void
the_map_of_tenant_columns_is_one_for_a_generation(void **state)
{
	struct rules *one, *two;
	struct egress_map *m;

	begin();
	one = make(ISOLATION_BOTH);
	m = barrier_egress(b, one);
	assert_non_null(m);
	assert_true(m->rules.ncolumns > 0);
	assert_ptr_equal(barrier_egress(b, one), m);
	two = make(ISOLATION_BOTH);
	assert_ptr_not_equal(barrier_egress(b, two), NULL);
	rules_unpin(&one);
	rules_unpin(&two);
	end();
}

/* ---- operations ---------------------------------------------------------- */

static struct {
	struct op op;
	int calls, code;
	uint64_t epoch; /* of the schema it went by */
	char why[600];
} last;

static void
on_done(struct op *op)
{
	last.calls++;
	last.code = op->err.code;
	snprintf(last.why, sizeof(last.why), "%s", op->err.text);
	if (op->snapshot != NULL)
		last.epoch = catalog_snapshot_epoch(op->snapshot);
	op_fini(op);
}

static void
prepare(struct tx *t, const char *sql, unsigned flags)
{
	memset(&last, 0, sizeof(last));
	op_init(&last.op, w);
	last.op.sql = sql;
	last.op.len = strlen(sql);
	last.op.tx = t;
	last.op.flags = flags;
	last.op.done = on_done;
}

static void
start(struct tx *t, const char *sql, unsigned flags)
{
	prepare(t, sql, flags);
	op_start(&last.op);
}

static void
wait_end(void)
{
	while (last.calls == 0)
		loop_turn(loop, 0.02);
}

static void
wait_done(void)
{
	wait_end();
	if (last.code != 0)
		fail_msg("%s", last.why);
}

static void
run(struct tx *t, const char *sql, unsigned flags)
{
	start(t, sql, flags);
	wait_done();
}

static void
open_tx(struct tx *t)
{
	const struct tx_options o = {.mode = POOL_WRITE, .site = "test:1"};
	struct err e;

	assert_int_equal(tx_init(t, w, &o, &e), 0);
}

static void
a_transaction_that_begins_with_a_savepoint_never_waits_for_itself(void **state)
{
	struct rules *r;
	struct tx t;

	begin_with(1);
	r = make(ISOLATION_BOTH);
	assert_null(known(r));
	open_tx(&t);
	run(&t, "SAVEPOINT lunate_1", OP_INTERNAL);
	assert_non_null(known(r));
	run(&t, "select 1", 0);
	tx_end(&t);
	rules_unpin(&r);
	end();
}

/* The new schema is loaded, and then there is no connection to ask what the
 * database keeps under it. */
static void
a_transaction_goes_by_the_schema_whose_policies_are_known(void **state)
{
	struct catalog_wait wait;
	struct rules *r;
	struct tx t, hog;

	begin_with(2);
	r = make(ISOLATION_BOTH);
	assert_non_null(ask(r));
	open_tx(&t);
	run(&t, "select 1", 0);
	catalog_changed(w->catalog);
	answered = 0;
	catalog_wait_init(&wait);
	catalog_wait(w->catalog, &wait, on_known, NULL);
	while (answered == 0)
		loop_turn(loop, 0.02);
	assert_true(catalog_loaded(w->catalog));
	open_tx(&hog);
	run(&hog, "select 1", OP_PROBE);
	assert_null(known(r));
	run(&t, "select 1", 0);
	assert_int_not_equal(last.epoch, catalog_epoch(w->catalog));
	tx_end(&hog);
	turns();
	assert_non_null(known(r));
	run(&t, "select 1", 0);
	assert_int_equal(last.epoch, catalog_epoch(w->catalog));
	tx_end(&t);
	rules_unpin(&r);
	end();
}

static void
what_access_rules_allowed_is_done_by_the_schema_they_saw(void **state)
{
	static const struct access_rules access;
	struct rules *r = rules_new();
	uint64_t epoch;

	begin();
	r->isolation = (struct isolation_rules){.state = ISOLATION_ON,
						.mode = ISOLATION_BOTH,
						.tables = &rls_rules};
	r->access = &access;
	rules_publish(&rt->rules, r);
	epoch = catalog_epoch(w->catalog);
	start(NULL, "select 1", 0); /* allowed, and waits for the barrier */
	assert_non_null(last.op.permit);
	catalog_changed(w->catalog);
	wait_done();
	assert_int_equal(last.epoch, epoch);
	end();
}

static void
no_cursor_gives_rows_when_tables_were_closed_behind_it(void **state)
{
	static const char declare[] = "DECLARE c CURSOR FOR select 1";
	struct rules *r, *closed = rules_new();
	struct tx t;

	begin();
	r = make(ISOLATION_BOTH);
	open_tx(&t);
	run(&t, declare, OP_INTERNAL);
	run(&t, "FETCH FORWARD 1 FROM c", OP_INTERNAL);
	closed->isolation = (struct isolation_rules){
		.state = ISOLATION_CLOSED, .closed = "broken for too long"};
	rules_publish(&rt->rules, closed);
	start(&t, "FETCH FORWARD 1 FROM c", OP_INTERNAL);
	wait_end();
	assert_int_equal(last.code, LUNATE_EDENIED);
	assert_non_null(strstr(last.why, "broken for too long"));
	tx_end(&t);
	rules_unpin(&r);
	end();
}

/* The schema changed each time when the answer came. */
static void
who_waited_too_often_is_refused_and_not_told_that_it_was_done(void **state)
{
	struct rules *r;

	begin();
	r = make(ISOLATION_BOTH);
	assert_int_equal(barrier_err(b)->code, 0);
	prepare(NULL, "select 1", 0);
	last.op.looks = 100;
	op_start(&last.op);
	wait_end();
	assert_int_equal(last.code, LUNATE_ELOST);
	assert_non_null(strstr(last.why, "nothing was done"));
	rules_unpin(&r);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			nothing_is_known_until_it_was_asked_once_for_all_who_wait),
		cmocka_unit_test(generations_that_ask_the_same_have_one_answer),
		cmocka_unit_test(
			after_a_loss_policies_are_not_known_and_texts_go_on),
		cmocka_unit_test(a_loss_while_it_is_asked_asks_once_more),
		cmocka_unit_test(what_drifted_is_closed_when_it_is_asked_again),
		cmocka_unit_test(
			without_a_server_the_reason_is_told_and_nothing_known),
		cmocka_unit_test(
			the_map_of_tenant_columns_is_one_for_a_generation),
		cmocka_unit_test(
			a_transaction_that_begins_with_a_savepoint_never_waits_for_itself),
		cmocka_unit_test(
			a_transaction_goes_by_the_schema_whose_policies_are_known),
		cmocka_unit_test(
			what_access_rules_allowed_is_done_by_the_schema_they_saw),
		cmocka_unit_test(
			no_cursor_gives_rows_when_tables_were_closed_behind_it),
		cmocka_unit_test(
			who_waited_too_often_is_refused_and_not_told_that_it_was_done),
	};

	return cmocka_run_group_tests(tests, NULL, rls_end);
}
