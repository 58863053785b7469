/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "things.h"

/* One expression, two targets: what is said here of a row is what PostgreSQL
 * says of it, for random rows and random expressions.  Collations of the table
 * are chosen to disagree with bytes. */

/* ---- the two targets ----------------------------------------------------- */

/* NULL: "select (predicate)", with values beside. */
static PGresult *
ask_server(struct expr_sql *s)
{
	struct str sql;
	PGresult *res;

	str_init(&sql);
	str_add(&sql, "select (");
	for (unsigned i = 0; i < s->nparts; i++) {
		str_add(&sql, s->parts[i].text);
		if (s->parts[i].then == TENANT_PART_ROW)
			str_add(&sql, "lunate_0");
		if (s->parts[i].then == TENANT_PART_VALUE)
			str_addf(&sql, "$%u", s->parts[i].value + 1);
	}
	str_add(&sql, ") from things as lunate_0 order by k");
	res = PQexecParams(server_side, sql.at, (int)s->nvalues, NULL,
			   s->values, NULL, NULL, 0);
	if (PQresultStatus(res) != PGRES_TUPLES_OK)
		fail_msg("%s\n%s", PQresultErrorMessage(res), sql.at);
	str_fini(&sql);
	return res;
}

static void
differ(const struct expr *x, int row, enum expr_truth ours)
{
	struct str s;

	str_init(&s);
	expr_print(x, &s);
	fail_msg("row %d: %s is %d here", row, s.at, ours);
}

static unsigned seen[3];

static void
compare_rows(const struct expr *x, struct expr_ask ask, PGresult *said)
{
	const char *values[EXPRS_COLUMNS];

	assert_int_equal(PQntuples(said), THINGS);
	for (int r = 0; r < THINGS; r++) {
		struct expr_fault f = {0};
		enum expr_truth here, there;

		things_row(r, values);
		ask.row.values = values;
		here = expr_eval(x, &ask, &f);
		there = PQgetisnull(said, r, 0)		 ? EXPR_UNKNOWN
			: *PQgetvalue(said, r, 0) == 't' ? EXPR_YES
							 : EXPR_NO;
		if (here != there || f.at != NULL)
			differ(x, r, here);
		seen[here]++;
	}
}

static void
compare_once(unsigned depth, const struct expr_ask *ask)
{
	struct expr *x = random_expr(depth);
	struct expr_fault f = {0};
	struct expr_rest rest;
	struct expr_sql s;
	PGresult *said;
	struct err e;

	x_checked(x);
	if (expr_fit(x, &ask->row, &e) < 0)
		fail_msg("%s", e.text);
	expr_sql_init(&s, &exprs_arena);
	expr_fold(x, &(struct expr_folding){ask, &exprs_arena, &f}, &rest);
	expr_sql_rest(&s, &rest, ask);
	expr_sql_cut(&s);
	said = ask_server(&s);
	compare_rows(x, *ask, said);
	PQclear(said);
	expr_sql_fini(&s);
}

static void
the_server_says_of_each_row_what_is_said_here(void **state)
{
	static const char *const places[] = {"a", "a\"b", "{a,\\}", "\xc3\xa4"};
	static const struct expr_fact facts[] = {
		{EXPR_ATTR_LOCATIONS, 4, places}};
	static const struct context c = {.magic = CONTEXT_MAGIC, .user = "A"};
	static const uint64_t held[4] = {2};
	struct expr_ask ask = {.ctx = &c,
			       .facts = facts,
			       .nfacts = 1,
			       .now_s = EXPR_NO_CLOCK,
			       .held = held,
			       .zones = &exprs_zones,
			       .row = {&exprs_world, &exprs_table, NULL}};
	unsigned tables = dice_rounds(4, 40), each = dice_rounds(250, 1500);

	server_need();
	things_make();
	for (unsigned t = 0; t < tables; t++) {
		things_fill();
		for (unsigned i = 0; i < each; i++)
			compare_once(i % 4, &ask);
		arena_fini(&exprs_arena);
		arena_init(&exprs_arena, NULL, 0);
	}
	print_message("%u expressions; rows: %u no, %u unknown, %u yes\n",
		      tables * each, seen[0], seen[1], seen[2]);
	for (int v = 0; v < 3; v++)
		assert_true(seen[v] > tables * each * THINGS / 20);
	things_end();
}

static int
setup(void **state)
{
	dice_init();
	return exprs_begin(state);
}

static int
teardown(void **state)
{
	exprs_end(state);
	return server_end(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_server_says_of_each_row_what_is_said_here),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, setup, teardown);
}
