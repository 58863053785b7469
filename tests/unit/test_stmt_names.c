/* SPDX-License-Identifier: MIT */
#include "stmt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mem.h"
#include "str.h"
#include "tree.h"

static struct stmt *
known(const char *sql)
{
	struct err e = {0};
	struct stmt *s;

	if (stmt_get(sql, strlen(sql), &s, &e) < 0)
		fail_msg("%s: %s", sql, e.text);
	return s;
}

static int
refused(const char *sql, size_t len, struct err *e)
{
	struct stmt *s = (struct stmt *)1;
	int rc;

	err_clear(e);
	rc = stmt_get(sql, len, &s, e);
	assert_true(rc < 0);
	assert_int_equal(rc, e->code);
	assert_null(s);
	return rc;
}

/* ---- tables --------------------------------------------------------- */

/* "r a, w s.b, rw c" in the order of their names' first place. */
static void
check_tables(const char *sql, const char *want)
{
	struct stmt *s = known(sql);
	struct str got;

	str_init(&got);
	for (unsigned i = 0; i < s->ntables; i++) {
		const struct stmt_table *t = &s->tables[i];

		str_addf(&got, "%s%s%s %s%s%s", i ? ", " : "",
			 t->read ? "r" : "", t->written ? "w" : "",
			 t->schema ? t->schema : "", t->schema ? "." : "",
			 t->name);
	}
	if (strcmp(got.at, want) != 0)
		fail_msg("%s: %s, not %s", sql, got.at, want);
	str_fini(&got);
	stmt_unpin(&s);
}

static void
tables_are_found_wherever_they_stand(void **state)
{
	check_tables("select 1", "");
	check_tables("select * from a, s.b x join only c on true, lateral "
		     "(select 1 from d) y",
		     "r a, r s.b, r c, r d");
	check_tables("select 1 from a, a x, public.a", "r a, r public.a");
	check_tables("select (select 1 from a) order by (select 1 from b) "
		     "limit (select 1 from c)",
		     "r a, r b, r c");
	check_tables("select * from t tablesample system (1)", "r t");
	check_tables("select 1 from t for update of t", "r t");
	check_tables("select * from icd as patients", "r icd");
	check_tables("TABLE \"Big\"\"Name\"", "r Big\"Name");
	check_tables("select * from PATIENTS, U&\"p\\0061tients\"",
		     "r patients");
	check_tables("select * from \"schöne\".\"tabelle\"",
		     "r schöne.tabelle");
	check_tables("select 'from x' from t -- from y\n/* from z */", "r t");
	check_tables("insert into t select * from t2", "w t, r t2");
	check_tables("insert into t values (1) on conflict (a) do nothing",
		     "rw t");
	check_tables("update t set a = x.a from x where t.id = x.id",
		     "rw t, r x");
	check_tables("delete from t using x where exists (select 1 from y)",
		     "rw t, r x, r y");
	check_tables("merge into t using s on true when matched then delete",
		     "rw t, r s");
	check_tables("select 1 into n from t", "w n, r t");
	check_tables("create table n as select 1 from t", "r t, w n");
	check_tables("create view v as select 1 from t", "w v, r t");
	check_tables("create table n (a int references p, like l) "
		     "inherits (i)",
		     "w n, r p, r l, r i");
	check_tables("explain delete from t", "r t");
	check_tables("explain analyze delete from t", "rw t");
	check_tables("copy t from stdin", "w t");
	check_tables("copy t to stdout", "r t");
	check_tables("copy (select 1 from t) to stdout", "r t");
	check_tables("truncate a, s.b", "w a, w s.b");
	check_tables("lock a", "r a");
	check_tables("vacuum a", "r a");
	check_tables("alter table s.a add b int", "w s.a");
	check_tables("drop table a, s.b", "w a, w s.b");
	check_tables("drop view db.s.v", "w s.v");
	check_tables("drop trigger x on s.t", "w s.t");
	check_tables("drop function f", "");
	check_tables("prepare p as delete from t", "rw t");
	check_tables("create rule r as on insert to t do also delete from x",
		     "w t, rw x");
}

static void
the_name_of_a_cte_is_no_table_where_it_is_seen(void **state)
{
	check_tables("with t as (select 1) select * from t", "");
	check_tables("with t as (select 1) select * from public.t",
		     "r public.t");
	check_tables("with t as (select * from t) select * from t", "r t");
	check_tables("with recursive t as (select 1 union all select * from "
		     "t join b on true) select * from t",
		     "r b");
	check_tables("select * from (with t as (select 1) select * from t) q "
		     "join t on true",
		     "r t");
	check_tables("with t as (select 1) insert into t select * from t",
		     "w t");
	check_tables("with t as (select 1) update t set a = 1", "rw t");
	check_tables("with d as (delete from t returning *) select * from d",
		     "rw t");
	check_tables("with t as (select 1) merge into x using t on true when "
		     "matched then delete",
		     "rw x");
	check_tables("with a as (select * from b), b as (select 1) select * "
		     "from a, b",
		     "r b");
}

/* ---- functions ------------------------------------------------------ */

static void
list_calls(struct str *got, const struct stmt_function *f, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		str_addf(got, "%s%s%s/%u%s ", f[i].schema ? f[i].schema : "",
			 f[i].schema ? "." : "", f[i].name, f[i].nargs,
			 f[i].variadic ? "v" : "");
}

static void
check_calls(const char *sql, const char *functions, const char *operators)
{
	struct stmt *s = known(sql);
	struct str got, ops;

	str_init(&got);
	str_init(&ops);
	list_calls(&got, s->functions, s->nfunctions);
	list_calls(&ops, s->operators, s->noperators);
	if (strcmp(got.at, functions) != 0 || strcmp(ops.at, operators) != 0)
		fail_msg("%s: %s| %s", sql, got.at, ops.at);
	str_fini(&got);
	str_fini(&ops);
	stmt_unpin(&s);
}

static void
functions_are_found_wherever_they_stand(void **state)
{
	check_calls("select f(), s.g(1, 2), f(), f(1)", "f/0 s.g/2 f/1 ", "");
	check_calls("select count(*) filter (where f(1)) over (order by g(2))",
		    "count/0 f/1 g/1 ", "");
	check_calls("select 1 order by random()", "random/0 ", "");
	check_calls("select 1 from f(1), rows from (g(2), h(3)) where i(4)",
		    "f/1 g/1 h/1 i/1 ", "");
	check_calls("select percentile_cont(0.5) within group (order by a)",
		    "percentile_cont/2 ", "");
	check_calls("select f(variadic array[1]), f(a => 1, b => 2)",
		    "f/1v f/2 ", "");
	check_calls("select extract(year from a)", "pg_catalog.extract/2 ", "");
	check_calls("insert into t values (f(1)) returning g(2)", "f/1 g/1 ",
		    "");
	check_calls("call s.p(1)", "s.p/1 ", "");
	check_calls("select 1 from t tablesample bernoulli (1)", "bernoulli/1 ",
		    "");
	check_calls("select 1 limit f()", "f/0 ", "");
}

static void
operators_are_named_like_functions(void **state)
{
	check_calls("select a + 1, - b, a operator(s.<->) b, a like 'x'", "",
		    "+/2 -/1 s.<->/2 ~~/2 ");
	check_calls("select a <> all (select 1) order by a using >", "",
		    "<>/2 >/2 ");
}

/* ---- parameters ----------------------------------------------------- */

static void
check_params(const char *sql, unsigned n, bool gaps)
{
	struct stmt *s = known(sql);

	if (s->nparams != n || !!(s->flags & STMT_PARAM_GAPS) != gaps)
		fail_msg("%s: %u", sql, s->nparams);
	stmt_unpin(&s);
}

static void
parameters_are_counted_by_the_highest_number(void **state)
{
	check_params("select 1", 0, false);
	check_params("select $1, $1", 1, false);
	check_params("select $2, $1", 2, false);
	check_params("select $3, $1", 3, true);
	check_params("select 1 limit $1 offset $2", 2, false);
	check_params("select $65535", 65535, true);
	check_params("select '$1', \"$2\" -- $3\n, $$ $4 $$, $x$ $5 $x$ "
		     "/* $6 /* $7 */ */ from \"$2\"",
		     0, false);
	check_params("do $$ begin perform $1; end $$", 0, false);
}

static void
parameters_out_of_range_are_refused(void **state)
{
	struct err e;

	assert_int_equal(refused("select $0", 9, &e), LUNATE_EPARAM);
	assert_int_equal(refused("select $65536", 13, &e), LUNATE_EPARAM);
	assert_int_equal(refused("select $2147483648", 18, &e), LUNATE_EPARAM);
}

/* ---- text ----------------------------------------------------------- */

static void
check_normal(const char *sql, const char *want)
{
	struct stmt *s = known(sql);

	assert_string_equal(s->normal, want);
	stmt_unpin(&s);
}

static void
the_normal_text_holds_no_literal(void **state)
{
	check_normal("select  a,\n 'x', 12 , 1.5e3 from t -- secret",
		     "select a, $1, $2 , $3 from t");
	check_normal("select $2, 'x', 7", "select $2, $3, $4");
	check_normal("select a/* secret */b;", "select a b");
	check_normal("select E'\\'', U&'\\0061', x'ff', b'1', $$s$$, $a$s$a$",
		     "select $1, $2, $3, $4, $5, $6");
	check_normal("select \"Quoted\", null, true",
		     "select \"Quoted\", null, true");
	check_normal("create role r password 'secret'",
		     "create role r password $1");
	check_normal("set a = 'secret'", "set a = $1");
	check_normal("do $$ secret $$", "do $1");
	check_normal("comment on table t is 'secret'",
		     "comment on table t is $1");
	check_normal("copy t to '/secret'", "copy t to $1");
}

static void
statements_that_differ_in_literals_share_a_fingerprint(void **state)
{
	struct stmt *a = known("select * from t where a = 1");
	struct stmt *b = known("SELECT * FROM t WHERE a = 'x' /* y */");
	struct stmt *c = known("select * from t where b = 1");

	assert_true(a->fingerprint == b->fingerprint);
	assert_string_equal(a->fingerprint_hex, b->fingerprint_hex);
	assert_int_equal(strlen(a->fingerprint_hex), 16);
	assert_true(a->fingerprint != c->fingerprint);
	assert_true(a->hash != b->hash);
	assert_string_not_equal(a->name, b->name);
	assert_int_equal(strlen(a->name), 18);
	assert_memory_equal(a->name, "l_", 2);
	stmt_unpin(&a);
	stmt_unpin(&b);
	stmt_unpin(&c);
}

static void
what_is_not_one_statement_is_refused(void **state)
{
	struct err e;

	assert_int_equal(refused("", 0, &e), LUNATE_EINVAL);
	assert_int_equal(refused(" ; -- x\n", 8, &e), LUNATE_EINVAL);
	assert_non_null(strstr(e.text, "empty"));
	assert_int_equal(refused("select 1; select 2", 18, &e),
			 LUNATE_EUNSUPPORTED);
	assert_non_null(strstr(e.text, "db:script"));
	assert_int_equal(refused("select 1\0", 9, &e), LUNATE_EINVAL);
	assert_int_equal(refused("selec 1", 7, &e), LUNATE_ESYNTAX);
	assert_non_null(strstr(e.text, "character 1, near \"selec\""));
}

static void
a_semicolon_at_the_end_is_no_second_statement(void **state)
{
	struct stmt *s = known("select 1 ; -- done");

	assert_string_equal(s->text, "select 1 ; -- done");
	stmt_unpin(&s);
}

static void
a_text_over_the_limit_is_refused(void **state)
{
	size_t len = (1u << 20) + 1;
	char *text = mem_new(len);
	struct stmt *s;
	struct err e;

	memset(text, ' ', len);
	memcpy(text, "select 1", 8);
	assert_int_equal(refused(text, len, &e), LUNATE_ETOOBIG);
	assert_int_equal(stmt_get(text, len - 1, &s, &e), 0);
	stmt_unpin(&s);
	mem_free(text);
}

/* head, then n times "piece" with its number, then tail */
static char *
numbered(const char *head, const char *piece, int n, const char *tail)
{
	struct str s;

	str_init(&s);
	str_add(&s, head);
	for (int i = 0; i < n; i++)
		str_addf(&s, piece, i);
	str_add(&s, tail);
	return str_take(&s);
}

static void
lists_of_names_without_end_are_refused(void **state)
{
	static const struct {
		const char *head, *piece;
		int good, bad;
		const char *tail;
	} all[] = {
		{"select 1 from a", ", t%d", 9999, 10000, ""},
		{"drop table a", ", t%d", 9999, 10000, ""},
		{"select 1", ", f%d()", 1000, 1001, ""},
		{"with a as (select 1)", ", c%d as (select 1)", 999, 1000,
		 " select 1 from a, c7"},
	};
	struct err e;

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		char *text = numbered(all[i].head, all[i].piece, all[i].good,
				      all[i].tail);
		struct stmt *s = known(text);

		stmt_unpin(&s);
		mem_free(text);
		text = numbered(all[i].head, all[i].piece, all[i].bad,
				all[i].tail);
		assert_int_equal(refused(text, strlen(text), &e),
				 LUNATE_ETOOBIG);
		assert_non_null(strstr(e.text, "split it"));
		mem_free(text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_are_found_wherever_they_stand),
		cmocka_unit_test(
			the_name_of_a_cte_is_no_table_where_it_is_seen),
		cmocka_unit_test(functions_are_found_wherever_they_stand),
		cmocka_unit_test(operators_are_named_like_functions),
		cmocka_unit_test(parameters_are_counted_by_the_highest_number),
		cmocka_unit_test(parameters_out_of_range_are_refused),
		cmocka_unit_test(the_normal_text_holds_no_literal),
		cmocka_unit_test(
			statements_that_differ_in_literals_share_a_fingerprint),
		cmocka_unit_test(what_is_not_one_statement_is_refused),
		cmocka_unit_test(a_semicolon_at_the_end_is_no_second_statement),
		cmocka_unit_test(a_text_over_the_limit_is_refused),
		cmocka_unit_test(lists_of_names_without_end_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
