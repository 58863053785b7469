/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "access_dice.h"
#include "things.h"

/* Random rules, decided without a row: what the limit and the masks say of
 * each row of a table on a server is what is decided of the row itself. */

static struct access_rule list[RULES_MOST];
static struct access_rules rules = {
	.nroles = 3, .roles = dice_roles, .rules = list};
static struct {
	unsigned verdicts, denied, limits, masks, rows[2], cells[2];
} seen;

static void
random_rules(void)
{
	rules.nrules = 1 + dice(RULES_MOST);
	for (unsigned i = 0; i < rules.nrules; i++)
		list[i] = dice_rule(dice(4) == 0);
}

/* ---- what the server says ------------------------------------------------ */

static void
add_condition(struct str *sql, const struct tenant_part *parts, unsigned n)
{
	str_add(sql, "(");
	for (unsigned i = 0; i < n; i++) {
		str_add(sql, parts[i].text);
		if (parts[i].then == TENANT_PART_ROW)
			str_add(sql, "lunate_0");
		if (parts[i].then == TENANT_PART_VALUE)
			str_addf(sql, "$%u", parts[i].value + 1);
	}
	str_add(sql, n > 0 ? ") is true" : "true)");
}

/* Whether the row, then for each mask whether its cell is seen. */
static PGresult *
ask_server(const struct access_verdict *v)
{
	const struct tenant_limit *l = &v->limit;
	PGresult *res;
	struct str sql;

	str_init(&sql);
	str_add(&sql, "select ");
	add_condition(&sql, l->parts, l->nparts);
	for (unsigned i = 0; i < l->nmasks; i++) {
		str_add(&sql, ", ");
		if (l->masks[i].nparts == 0)
			str_add(&sql, "false");
		else
			add_condition(&sql, l->masks[i].parts,
				      l->masks[i].nparts);
	}
	str_add(&sql, " from things as lunate_0 order by k");
	res = PQexecParams(server_side, sql.at, (int)v->nvalues, NULL,
			   v->values, NULL, NULL, 0);
	if (PQresultStatus(res) != PGRES_TUPLES_OK)
		fail_msg("%s\n%s", PQresultErrorMessage(res), sql.at);
	assert_int_equal(PQntuples(res), THINGS);
	str_fini(&sql);
	return res;
}

/* ---- compared ------------------------------------------------------------ */

static bool
is_masked(const struct access_verdict *v, const char *column)
{
	for (unsigned i = 0; i < v->limit.nmasks; i++)
		if (strcmp(v->limit.masks[i].column, column) == 0)
			return true;
	return false;
}

static void
compare_cells(const struct access_verdict *v, PGresult *said, int row,
	      const struct access_verdict *here)
{
	for (unsigned i = 0; i < v->limit.nmasks; i++) {
		const char *column = v->limit.masks[i].column;
		bool there = *PQgetvalue(said, row, (int)i + 1) == 't';

		if (there == is_masked(here, column))
			fail_msg("row %d, column %s: the server says %d", row,
				 column, there);
		seen.cells[there]++;
	}
	for (unsigned i = 0; i < here->limit.nmasks; i++) {
		assert_int_equal(here->limit.masks[i].nparts, 0);
		assert_true(is_masked(v, here->limit.masks[i].column));
	}
}

static void
compare_rows(const struct access_verdict *v, struct access_ask ask,
	     PGresult *said)
{
	const char *values[EXPRS_COLUMNS];
	struct expr_ask who = *ask.who;
	struct access_verdict here;

	ask.who = &who;
	who.row.values = values;
	for (int r = 0; r < THINGS; r++) {
		bool there = said != NULL && *PQgetvalue(said, r, 0) == 't';

		things_row(r, values);
		access_decide_row(&ask, &exprs_arena, &here);
		if (here.allowed != there)
			fail_msg("row %d: allowed %d here, %d there", r,
				 here.allowed, there);
		assert_int_equal(here.limit.nparts, 0);
		if (there)
			compare_cells(v, said, r, &here);
		seen.rows[there]++;
	}
}

static void
compare_once(void)
{
	struct access_verdict v;
	struct access_ask ask;
	struct expr_ask who;
	PGresult *said = NULL;

	random_rules();
	dice_ask(&ask, &who);
	ask.rules = &rules;
	access_decide(&ask, &exprs_arena, &v);
	if (v.allowed)
		said = ask_server(&v);
	compare_rows(&v, ask, said);
	seen.verdicts++;
	seen.denied += !v.allowed;
	seen.limits += v.limit.nparts > 0;
	seen.masks += v.limit.nmasks > 0;
	if (said != NULL)
		PQclear(said);
}

static void
a_limit_and_its_masks_say_of_each_row_what_is_decided_of_it(void **state)
{
	unsigned tables = dice_rounds(4, 40), each = dice_rounds(250, 2500);

	server_need();
	things_make();
	for (unsigned t = 0; t < tables; t++) {
		things_fill();
		for (unsigned i = 0; i < each; i++) {
			compare_once();
			arena_fini(&exprs_arena);
			arena_init(&exprs_arena, NULL, 0);
		}
	}
	print_message("%u verdicts: %u denied, %u with a limit, %u with masks; "
		      "rows: %u no, %u yes; cells: %u no, %u yes\n",
		      seen.verdicts, seen.denied, seen.limits, seen.masks,
		      seen.rows[0], seen.rows[1], seen.cells[0], seen.cells[1]);
	assert_true(seen.limits > seen.verdicts / 10);
	assert_true(seen.masks > seen.verdicts / 50);
	assert_true(seen.rows[1] > seen.verdicts);
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
		cmocka_unit_test(
			a_limit_and_its_masks_say_of_each_row_what_is_decided_of_it),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, setup, teardown);
}
