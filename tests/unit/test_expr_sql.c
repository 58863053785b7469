/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dice.h"
#include "exprs.h"
#include "server.h"

/* One expression, two targets: what is said here of a row is what PostgreSQL
 * says of it, for random rows and random expressions.  Collations of the table
 * are chosen to disagree with bytes. */

#define ROWS 60
#define PICK(list) ((list)[dice(sizeof(list) / sizeof(*(list)))])

static const char *const ints[] = {"-2147483648", "-1", "0",  "1",
				   "2",		  "7",	"42", "30000"};
static const char *const bigs[] = {"-9223372036854775808",
				   "9223372036854775807",
				   "9007199254740993",
				   "-1",
				   "0",
				   "42"};
static const char *const smalls[] = {"-32768", "32767", "0", "1", "42"};
static const char *const texts[] = {"",	  "a",	  "A",	    "b",
				    "ab", "a b",  "B",	    "\xc3\xa4",
				    "z",  "a\"b", "{a,\\}", "NULL"};
static const char *const numerics[] = {
	"0",   "-0.0",	    "1.10", "1.1",	 "1.100001", "-1.1",
	"NaN", "10",	    "0.1",  "9",	 "Infinity", "-Infinity",
	"42",  "100000.00", "99.9", "99.899999", "1e3",	     "-0.00001"};
static const char *const uuids[] = {"00000000-0000-0000-0000-000000000001",
				    "ABCDEF00-0000-0000-0000-00000000000a",
				    "abcdef00-0000-0000-0000-00000000000a"};
static const char *const bools[] = {"t", "f"};
static const char *const moods[] = {"sad", "ok", "happy"};

struct pool {
	const char *column;
	const char *const *texts;
	unsigned n;
	enum expr_from from; /* of literals */
	bool ordered;
};

#define POOL(column, list, from, ordered)                                   \
	{                                                                   \
		column, list, sizeof(list) / sizeof(*(list)), from, ordered \
	}

static const struct pool pools[] = {
	POOL("id", ints, EXPR_NUMBER, true),
	POOL("big", bigs, EXPR_TEXT, true),
	POOL("small", smalls, EXPR_NUMBER, true),
	POOL("title", texts, EXPR_TEXT, true),
	POOL("code", texts, EXPR_TEXT, true),
	POOL("price", numerics, EXPR_TEXT, true),
	POOL("owner", uuids, EXPR_TEXT, false),
	POOL("active", bools, EXPR_BOOL, false),
	POOL("mood", moods, EXPR_TEXT, false),
	POOL("odd \"name\"", texts, EXPR_TEXT, true),
};

#define NPOOLS (sizeof(pools) / sizeof(*pools))

static PGresult *rows; /* select * order by k, texts as the server writes */

/* ---- random expressions -------------------------------------------------- */

/* 1e3 is a number to the server and none that it writes. */
static const char *
literal_text(const struct pool *p)
{
	const char *t;

	do
		t = p->texts[dice(p->n)];
	while (strcmp(t, "1e3") == 0);
	return t;
}

static struct expr_operand
literal_of(const struct pool *p)
{
	return (struct expr_operand){p->from, literal_text(p), 0};
}

static struct expr *
random_row(void)
{
	const struct pool *p = &pools[dice(NPOOLS)];
	struct expr_operand row = x_row(p->column), list[4];
	unsigned n = 1 + dice(4);

	switch (dice(5)) {
	case 0:
		return x_in(EXPR_KNOWN, row, row);
	case 1:
		for (unsigned i = 0; i < n; i++)
			list[i] = literal_of(p);
		return x_list(EXPR_ONE_OF, row, n, list);
	case 2:
		if (p->texts == texts)
			return dice(2) ? x_in(EXPR_ONE_OF, row,
					      x_ctx(LOCATIONS))
				       : x_compare(x_ctx(USER),
						   (enum expr_op)dice(6), row);
		break;
	case 3:
		if (p->texts == texts)
			return x_compare(row, (enum expr_op)dice(6),
					 x_row(dice(2) ? "code" : "title"));
		if (p->texts == ints)
			return x_compare(row, (enum expr_op)dice(6),
					 x_row(dice(2) ? "big" : "small"));
		break;
	}
	return x_compare(row, (enum expr_op)dice(p->ordered ? 6 : 2),
			 literal_of(p));
}

static struct expr *
random_plain(void)
{
	switch (dice(4)) {
	case 0:
		return x_truth(dice(2));
	case 1:
		return x_compare(x_ctx(USER), (enum expr_op)dice(2),
				 x_text(PICK(texts)));
	case 2:
		return x_one_of(x_ctx(PURPOSE), x_text(PICK(texts)),
				x_text(PICK(texts)));
	}
	return x_role(dice(3), "r");
}

static struct expr *
random_expr(unsigned depth)
{
	struct expr *parts[4];
	unsigned n = 1 + dice(4);

	if (depth == 0 || dice(4) == 0)
		return dice(4) > 0 ? random_row() : random_plain();
	if (dice(4) == 0)
		return x_no(random_expr(depth - 1));
	for (unsigned i = 0; i < n; i++)
		parts[i] = random_expr(depth - 1);
	return x_parts(dice(2) ? EXPR_ALL : EXPR_ANY, n, parts);
}

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

	assert_int_equal(PQntuples(said), ROWS);
	for (int r = 0; r < ROWS; r++) {
		struct expr_fault f = {0};
		enum expr_truth here, there;

		for (int c = 0; c < EXPRS_COLUMNS; c++)
			values[c] = PQgetisnull(rows, r, c)
					    ? NULL
					    : PQgetvalue(rows, r, c);
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

/* ---- random rows --------------------------------------------------------- */

static void
make_table(void)
{
	server_sql("create collation loose (provider = icu, "
		   "locale = 'und-u-ks-level2', deterministic = false)");
	server_sql("create type mood as enum ('sad', 'ok', 'happy')");
	server_sql("create table things (id int, big int8, small int2, "
		   "title text collate loose, "
		   "code varchar(40) collate \"de-x-icu\", price numeric, "
		   "owner uuid, active bool, mood mood, at timestamptz, "
		   "\"odd \"\"name\"\"\" text, letters char(5), rate float8, "
		   "k int generated always as identity)");
}

static void
fill_row(void)
{
	const char *v[NPOOLS];
	PGresult *res;

	for (unsigned i = 0; i < NPOOLS; i++)
		v[i] = dice(6) == 0 ? NULL : pools[i].texts[dice(pools[i].n)];
	res = PQexecParams(server_side,
			   "insert into things (id, big, small, title, code, "
			   "price, owner, active, mood, \"odd \"\"name\"\"\") "
			   "values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
			   NPOOLS, NULL, v, NULL, NULL, 0);
	if (PQresultStatus(res) != PGRES_COMMAND_OK)
		fail_msg("%s", PQresultErrorMessage(res));
	PQclear(res);
}

static void
fill_table(void)
{
	server_sql("truncate things");
	for (int i = 0; i < ROWS; i++)
		fill_row();
	if (rows != NULL)
		PQclear(rows);
	rows = PQexec(server_side, "select * from things order by k");
	assert_int_equal(PQntuples(rows), ROWS);
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
	make_table();
	for (unsigned t = 0; t < tables; t++) {
		fill_table();
		for (unsigned i = 0; i < each; i++)
			compare_once(i % 4, &ask);
		arena_fini(&exprs_arena);
		arena_init(&exprs_arena, NULL, 0);
	}
	print_message("%u expressions; rows: %u no, %u unknown, %u yes\n",
		      tables * each, seen[0], seen[1], seen[2]);
	for (int v = 0; v < 3; v++)
		assert_true(seen[v] > tables * each * ROWS / 20);
	PQclear(rows);
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
