/* SPDX-License-Identifier: MIT */
#include "stmt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

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

/* ---- kinds and flags ------------------------------------------------ */

#define READ STMT_READS_ONLY
#define LOCKS STMT_LOCKS
#define ROWS STMT_RETURNS_ROWS
#define NOBLK (STMT_NO_BLOCK | STMT_ALONE)
#define ALONE STMT_ALONE
#define SESS STMT_SESSION
#define DDL STMT_CATALOG
#define LIMIT STMT_HAS_LIMIT
#define STAR STMT_STAR
#define VALS STMT_SQL_VALUES

static const struct {
	const char *sql;
	enum stmt_kind kind;
	unsigned flags;
} facts[] = {
	{"select 1", STMT_SELECT, READ | ROWS},
	{"select", STMT_SELECT, READ | ROWS},
	{"(select 1)", STMT_SELECT, READ | ROWS},
	{"table t", STMT_SELECT, READ | ROWS | STAR},
	{"select t.*, 1 from t", STMT_SELECT, READ | ROWS | STAR},
	{"select count(*) from t", STMT_SELECT, READ | ROWS},
	{"select a from (select * from t) x", STMT_SELECT, READ | ROWS},
	{"select * from t union select 1", STMT_SELECT, READ | ROWS | STAR},
	{"select 1 limit 1", STMT_SELECT, READ | ROWS | LIMIT},
	{"select 1 limit $1", STMT_SELECT, READ | ROWS | LIMIT},
	{"select 1 limit all", STMT_SELECT, READ | ROWS},
	{"select 1 limit null", STMT_SELECT, READ | ROWS},
	{"select 1 fetch first row only", STMT_SELECT, READ | ROWS | LIMIT},
	{"select 1 union select 2 limit 3", STMT_SELECT, READ | ROWS | LIMIT},
	{"(select 1 limit 1) union select 2", STMT_SELECT, READ | ROWS},
	{"select (select 1 limit 1)", STMT_SELECT, READ | ROWS},
	{"values (1), (2)", STMT_VALUES, READ | ROWS},
	{"select current_date", STMT_SELECT, READ | ROWS | VALS},
	{"select 1 where session_user = 'x'", STMT_SELECT, READ | ROWS | VALS},
	{"with x as (select 1) select 1 from x", STMT_SELECT, READ | ROWS},
	{"with d as (delete from t returning *) select 1 from d", STMT_SELECT,
	 ROWS},
	{"with d as (insert into t values (1)) select 1", STMT_SELECT, ROWS},
	{"with d as (update t set a = 1) select 1", STMT_SELECT, ROWS},
	{"select 1 from t for update", STMT_SELECT, ROWS | LOCKS},
	{"select 1 from t for key share", STMT_SELECT, ROWS | LOCKS},
	{"select 1 from (select 1 from t for update) x", STMT_SELECT,
	 ROWS | LOCKS},
	{"select 1 where exists (select 1 from t for share)", STMT_SELECT,
	 ROWS | LOCKS},
	{"select 1 into t", STMT_SELECT, DDL},
	{"select 1 into t union select 2", STMT_SELECT, DDL},
	{"select 1 into temp t", STMT_SELECT, DDL | SESS},
	{"insert into t values (1)", STMT_INSERT, 0},
	{"insert into t default values returning *", STMT_INSERT, ROWS | STAR},
	{"insert into t default values returning a", STMT_INSERT, ROWS},
	{"insert into t select * from x", STMT_INSERT, 0},
	{"update t set a = 1", STMT_UPDATE, 0},
	{"update t set a = 1 returning t.*", STMT_UPDATE, ROWS | STAR},
	{"delete from t", STMT_DELETE, 0},
	{"delete from t returning 1", STMT_DELETE, ROWS},
	{"merge into t using s on true when matched then delete", STMT_MERGE,
	 0},
	{"explain select 1", STMT_EXPLAIN, READ | ROWS},
	{"explain delete from t", STMT_EXPLAIN, READ | ROWS},
	{"explain select 1 from t for update", STMT_EXPLAIN, READ | ROWS},
	{"explain analyze delete from t", STMT_EXPLAIN, ROWS},
	{"explain (analyze) delete from t", STMT_EXPLAIN, ROWS},
	{"explain (analyze on) delete from t", STMT_EXPLAIN, ROWS},
	{"explain (analyze 1, costs off) delete from t", STMT_EXPLAIN, ROWS},
	{"explain (costs off, analyse off) delete from t", STMT_EXPLAIN,
	 READ | ROWS},
	{"explain (analyze false) delete from t", STMT_EXPLAIN, READ | ROWS},
	{"explain (analyze 0) delete from t", STMT_EXPLAIN, READ | ROWS},
	{"explain (analyze off, analyze) delete from t", STMT_EXPLAIN, ROWS},
	{"explain analyze select 1", STMT_EXPLAIN, READ | ROWS},
	{"explain analyze select 1 from t for update", STMT_EXPLAIN,
	 ROWS | LOCKS},
	{"explain analyze with d as (delete from t) select 1", STMT_EXPLAIN,
	 ROWS},
	{"explain analyze execute p", STMT_EXPLAIN, ROWS | SESS},
	{"explain execute p", STMT_EXPLAIN, READ | ROWS | SESS},
	{"explain analyze create table x as select 1", STMT_EXPLAIN,
	 ROWS | DDL},
	{"explain create table x as select 1", STMT_EXPLAIN, READ | ROWS},
	{"show all", STMT_SHOW, READ | ROWS},
	{"set a.b = 'x'", STMT_SET, SESS},
	{"set session a.b = 'x'", STMT_SET, SESS},
	{"set local a.b = 'x'", STMT_SET, 0},
	{"set role x", STMT_SET, SESS},
	{"set local role x", STMT_SET, 0},
	{"set session authorization x", STMT_SET, SESS},
	{"set search_path = x, y", STMT_SET, SESS},
	{"set transaction isolation level serializable", STMT_SET, 0},
	{"set transaction snapshot 'x'", STMT_SET, 0},
	{"set session characteristics as transaction read only", STMT_SET,
	 SESS},
	{"set constraints all deferred", STMT_SET, 0},
	{"reset a.b", STMT_SET, SESS},
	{"reset all", STMT_SET, SESS},
	{"copy t from stdin", STMT_COPY, STMT_COPY_IN},
	{"copy t to stdout", STMT_COPY, READ | STMT_COPY_OUT},
	{"copy (select 1) to stdout", STMT_COPY, READ | STMT_COPY_OUT},
	{"copy (delete from t returning *) to stdout", STMT_COPY,
	 STMT_COPY_OUT},
	{"copy (select 1 from t for update) to stdout", STMT_COPY,
	 LOCKS | STMT_COPY_OUT},
	{"copy t to '/tmp/x'", STMT_COPY, 0},
	{"copy t from '/tmp/x'", STMT_COPY, 0},
	{"select 1 from pg_temp_3.t", STMT_SELECT, READ | ROWS | SESS},
	{"copy t to program 'sh'", STMT_COPY, 0},
	{"create table t (a int)", STMT_DDL, DDL},
	{"create temp table t (a int)", STMT_DDL, DDL | SESS},
	{"create temp view v as select 1", STMT_DDL, DDL | SESS},
	{"create table pg_temp.t (a int)", STMT_DDL, DDL | SESS},
	{"create table t as select 1", STMT_DDL, DDL},
	{"alter table t add b int", STMT_DDL, DDL},
	{"alter table t detach partition p", STMT_DDL, DDL},
	{"alter table t detach partition p concurrently", STMT_DDL,
	 DDL | NOBLK},
	{"alter type e add value 'x'", STMT_DDL, DDL},
	{"create index i on t (a)", STMT_DDL, DDL},
	{"create index concurrently i on t (a)", STMT_DDL, DDL | NOBLK},
	{"drop index i", STMT_DDL, DDL},
	{"drop index concurrently i", STMT_DDL, DDL | NOBLK},
	{"drop table t", STMT_DDL, DDL},
	{"grant select on t to r", STMT_DDL, DDL},
	{"comment on table t is 'x'", STMT_DDL, DDL},
	{"create database d", STMT_DDL, DDL | NOBLK},
	{"drop database d", STMT_DDL, DDL | NOBLK},
	{"alter database d set tablespace x", STMT_DDL, DDL | NOBLK},
	{"alter database d connection limit 3", STMT_DDL, DDL},
	{"create tablespace s location '/x'", STMT_DDL, DDL | NOBLK},
	{"drop tablespace s", STMT_DDL, DDL | NOBLK},
	{"alter system set a = 'b'", STMT_DDL, DDL | NOBLK},
	{"refresh materialized view v", STMT_DDL, DDL},
	{"truncate t", STMT_TRUNCATE, 0},
	{"call p()", STMT_CALL, ROWS | ALONE},
	{"do $$ begin end $$", STMT_DO, ALONE},
	{"listen a", STMT_LISTEN, SESS},
	{"unlisten *", STMT_LISTEN, SESS},
	{"notify a, 'x'", STMT_LISTEN, 0},
	{"declare c cursor for select 1", STMT_CURSOR, 0},
	{"declare c binary insensitive scroll cursor for select 1", STMT_CURSOR,
	 0},
	{"declare c cursor with hold for select 1", STMT_CURSOR, SESS},
	{"fetch c", STMT_CURSOR, ROWS | SESS},
	{"close c", STMT_CURSOR, SESS},
	{"prepare p as select 1", STMT_PREPARE, SESS},
	{"execute p", STMT_PREPARE, ROWS | SESS},
	{"deallocate p", STMT_PREPARE, SESS},
	{"lock t", STMT_LOCK, LOCKS},
	{"vacuum", STMT_MAINTENANCE, NOBLK},
	{"vacuum (analyze) t", STMT_MAINTENANCE, NOBLK},
	{"analyze t", STMT_MAINTENANCE, 0},
	{"cluster", STMT_MAINTENANCE, NOBLK},
	{"cluster t", STMT_MAINTENANCE, 0},
	{"reindex table t", STMT_MAINTENANCE, 0},
	{"reindex index concurrently i", STMT_MAINTENANCE, NOBLK},
	{"reindex (concurrently) table t", STMT_MAINTENANCE, NOBLK},
	{"reindex (concurrently off) table t", STMT_MAINTENANCE, 0},
	{"reindex schema s", STMT_MAINTENANCE, NOBLK},
	{"checkpoint", STMT_MAINTENANCE, 0},
	{"discard all", STMT_OTHER, SESS | NOBLK},
	{"discard plans", STMT_OTHER, SESS},
	{"load 'x'", STMT_OTHER, SESS},
	{"select set_config('a', 'b', true)", STMT_SELECT, READ | ROWS},
	{"select set_config('a', 'b', false)", STMT_SELECT, READ | ROWS | SESS},
	{"select set_config('a', 'b', $1)", STMT_SELECT, READ | ROWS | SESS},
	{"select pg_catalog.set_config('a', 'b', 't')", STMT_SELECT,
	 READ | ROWS | SESS},
	{"select my.set_config('a', 'b', false)", STMT_SELECT, READ | ROWS},
	{"select 1 order by pg_advisory_lock(1)", STMT_SELECT,
	 READ | ROWS | SESS},
	{"select pg_advisory_xact_lock(1)", STMT_SELECT, READ | ROWS},
	{"select currval('s')", STMT_SELECT, READ | ROWS | SESS},
};

static void
every_kind_of_statement_is_known_for_what_it_is(void **state)
{
	for (size_t i = 0; i < sizeof(facts) / sizeof(*facts); i++) {
		struct stmt *s = known(facts[i].sql);

		if (s->kind != facts[i].kind || s->flags != facts[i].flags)
			fail_msg("%s: %s %#x, not %s %#x", facts[i].sql,
				 stmt_kind_word(s->kind), s->flags,
				 stmt_kind_word(facts[i].kind), facts[i].flags);
		stmt_unpin(&s);
		assert_null(s);
	}
}

static void
every_kind_has_a_word(void **state)
{
	assert_string_equal(stmt_kind_word(STMT_SELECT), "select");
	assert_string_equal(stmt_kind_word(STMT_OTHER), "other");
	for (int k = STMT_SELECT; k <= STMT_OTHER; k++)
		assert_non_null(stmt_kind_word((enum stmt_kind)k));
}

static void
transaction_control_is_told_apart(void **state)
{
	static const struct {
		const char *sql;
		enum stmt_tx tx;
		unsigned flags;
	} all[] = {
		{"begin", STMT_TX_BEGIN, 0},
		{"start transaction read only", STMT_TX_BEGIN, 0},
		{"commit", STMT_TX_COMMIT, 0},
		{"end", STMT_TX_COMMIT, 0},
		{"commit and chain", STMT_TX_COMMIT, STMT_CHAIN},
		{"rollback", STMT_TX_ROLLBACK, 0},
		{"abort", STMT_TX_ROLLBACK, 0},
		{"savepoint s", STMT_TX_SAVEPOINT, 0},
		{"release s", STMT_TX_RELEASE, 0},
		{"rollback to s", STMT_TX_ROLLBACK_TO, 0},
		{"prepare transaction 'x'", STMT_TX_PREPARE, 0},
		{"commit prepared 'x'", STMT_TX_COMMIT_PREPARED, NOBLK},
		{"rollback prepared 'x'", STMT_TX_ROLLBACK_PREPARED, NOBLK},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		struct stmt *s = known(all[i].sql);

		assert_int_equal(s->kind, STMT_TX);
		assert_int_equal(s->tx, all[i].tx);
		assert_int_equal(s->flags, all[i].flags);
		stmt_unpin(&s);
	}
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

/* ---- the memo ------------------------------------------------------- */

static void
the_same_text_gives_the_same_facts_once(void **state)
{
	struct stmt_usage before, after;
	struct stmt *a, *b, *c;

	stmt_forget();
	stmt_usage(&before);
	assert_int_equal(before.texts, 0);
	assert_int_equal(before.bytes, 0);
	a = known("select 'once'");
	b = known("select 'once'");
	c = known("select 'once' ");
	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, c);
	stmt_usage(&after);
	assert_int_equal(after.hits - before.hits, 1);
	assert_int_equal(after.misses - before.misses, 2);
	assert_int_equal(after.texts, 2);
	assert_int_equal(after.bytes, a->bytes + c->bytes);
	stmt_forget();
	assert_string_equal(a->text, "select 'once'");
	stmt_unpin(&a);
	stmt_unpin(&b);
	stmt_unpin(&c);
}

static void
texts_that_never_repeat_do_not_grow_memory(void **state)
{
	struct stmt_limits small = STMT_LIMITS, usual = STMT_LIMITS;
	struct stmt_usage u;
	struct stmt *hot;

	small.max_texts = 320;
	stmt_limit(&small);
	stmt_forget();
	hot = known("select 'hot'");
	for (int i = 0; i < 3000; i++) {
		struct stmt *again = known("select 'hot'");
		char sql[64];
		struct stmt *s;

		assert_ptr_equal(again, hot); /* what is used stays */
		stmt_unpin(&again);
		snprintf(sql, sizeof(sql), "select 'cold %d'", i);
		s = known(sql);
		stmt_unpin(&s);
		stmt_usage(&u);
		assert_true(u.texts <= 320);
	}
	assert_true(u.evicted >= 3000 - 320);
	small.max_bytes = 16 * 3 * hot->bytes;
	small.max_texts = 10000;
	stmt_limit(&small);
	for (int i = 0; i < 500; i++) {
		char sql[64];
		struct stmt *s;

		snprintf(sql, sizeof(sql), "select 'bytes %d'", i);
		s = known(sql);
		stmt_unpin(&s);
	}
	stmt_usage(&u);
	assert_true(u.bytes <= small.max_bytes);
	assert_true(u.texts > 0);
	stmt_limit(&usual);
	stmt_unpin(&hot);
}

static void
a_text_too_large_for_a_shard_is_not_memoised(void **state)
{
	struct stmt_limits small = STMT_LIMITS, usual = STMT_LIMITS;
	struct stmt_usage u;
	struct stmt *s;

	stmt_forget();
	small.max_bytes = 16;
	stmt_limit(&small);
	s = known("select 'large'");
	stmt_usage(&u);
	assert_int_equal(u.texts, 0);
	assert_string_equal(s->text, "select 'large'");
	stmt_unpin(&s);
	stmt_limit(&usual);
}

static void
a_refused_text_is_not_remembered(void **state)
{
	struct stmt_usage u;
	struct err e;

	stmt_forget();
	refused("selec 1", 7, &e);
	refused("select 1; select 2", 18, &e);
	stmt_usage(&u);
	assert_int_equal(u.texts, 0);
}

#define THREADS 4

static void *
ask_around(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;

	for (int i = 0; i < 1500; i++) {
		char sql[96];
		struct stmt *s;
		unsigned k = (unsigned)rand_r(&seed) % 300;
		struct err e;

		snprintf(sql, sizeof(sql),
			 "select f%u($1) from t%u where a = %u", k, k, k);
		assert_int_equal(stmt_get(sql, strlen(sql), &s, &e), 0);
		assert_string_equal(s->text, sql);
		assert_int_equal(s->nfunctions, 1);
		assert_int_equal(atoi(s->functions[0].name + 1), k);
		assert_int_equal(s->nparams, 1);
		stmt_unpin(&s);
		if (i % 500 == 0)
			stmt_forget();
		snprintf(sql, sizeof(sql), "select ( %u", k);
		assert_int_equal(stmt_get(sql, strlen(sql), &s, &e),
				 LUNATE_ESYNTAX);
	}
	return NULL;
}

static void
threads_share_the_memo(void **state)
{
	struct stmt_limits small = STMT_LIMITS, usual = STMT_LIMITS;
	pthread_t threads[THREADS];

	small.max_texts = 160;
	stmt_limit(&small);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_around,
						(void *)(i + 1)),
				 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	stmt_limit(&usual);
	stmt_forget();
}

/* ---- fuzz ----------------------------------------------------------- */

static const char *const pieces[] = {
	"select",
	" from ",
	"t",
	"(",
	")",
	",",
	"'",
	"\"",
	"$1",
	"$$",
	"$x$",
	"--",
	"/*",
	"*/",
	";",
	"E'\\",
	"U&'\\00",
	"::",
	"with a as (",
	"union",
	"case",
	"when",
	"end",
	"[",
	"]",
	"*",
	".",
	"1e",
	"0x",
	"\n",
	"\xc3\xa4",
	"\xf0\x9f\x98\x80",
	" for update",
	"returning *",
	"explain analyze ",
	"copy t to ",
	"begin atomic ",
	"\xff",
	"$0",
	"UESCAPE '",
	" order by ",
	"over (",
	"array[",
	"not ",
	"- ",
};

#define NPIECES (sizeof(pieces) / sizeof(*pieces))

/* splitmix64: the same cases on every machine */
static size_t
chance(uint64_t *seed, size_t n)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (size_t)((z ^ (z >> 31)) % n);
}

/* A place in the text; every other time it is the begin of a word. */
static size_t
place(const struct str *s, uint64_t *seed)
{
	size_t at = chance(seed, s->len + 1);

	while (chance(seed, 2) == 0 && at < s->len && at > 0 &&
	       s->at[at - 1] != ' ')
		at++;
	return at;
}

/* One small change: cut, repeat, replace a byte, or put a piece in. */
static void
mutate(struct str *s, uint64_t *seed)
{
	size_t at = place(s, seed), n = place(s, seed);
	struct str out;

	if (n < at || n > at + 12)
		n = at + chance(seed, s->len - at + 1) % 12;
	str_init(&out);
	str_addn(&out, s->at, at);
	switch (chance(seed, 4)) {
	case 0:
		at = n;
		break;
	case 1:
		str_addn(&out, s->at + at, n - at);
		break;
	case 2:
		str_addc(&out,
			 (char)(chance(seed, 4) != 0 ? ' ' + chance(seed, 95)
						     : chance(seed, 256)));
		at += at < s->len;
		break;
	default:
		str_add(&out, pieces[chance(seed, NPIECES)]);
		break;
	}
	str_addn(&out, s->at + at, s->len - at);
	str_fini(s);
	*s = out;
}

static void
check_stmt(const struct stmt *s)
{
	assert_true(s->nparams <= 65535);
	assert_int_equal(strlen(s->text), s->len);
	for (unsigned i = 0; i < s->ntables; i++)
		assert_true(s->tables[i].read || s->tables[i].written);
	for (unsigned i = 0; i < s->nfunctions; i++)
		assert_non_null(s->functions[i].name);
	if (s->flags & STMT_READS_ONLY)
		for (unsigned i = 0; i < s->ntables; i++)
			assert_false(s->tables[i].written);
	if (s->flags & STMT_NO_BLOCK)
		assert_true(s->flags & STMT_ALONE);
}

static void
changed_statements_neither_crash_nor_leak(void **state)
{
	const char *env = getenv("LUNATE_FUZZ_CASES");
	int cases = env != NULL ? atoi(env) : 2000, good = 0;
	uint64_t seed = 20150101;

	for (int i = 0; i < cases; i++) {
		size_t k = chance(&seed, sizeof(facts) / sizeof(*facts));
		struct tree_span *spans;
		struct str text;
		struct stmt *s;
		struct err e;
		size_t n;

		str_init(&text);
		str_add(&text, facts[k].sql);
		for (size_t m = chance(&seed, 3) + 1; m > 0; m--)
			mutate(&text, &seed);
		if (stmt_get(text.at, text.len, &s, &e) == 0) {
			check_stmt(s);
			stmt_unpin(&s);
			good++;
		} else {
			assert_true(e.text[0] != 0);
		}
		if (stmt_split(text.at, text.len, &spans, &n, &e) == 0)
			mem_free(spans);
		str_fini(&text);
	}
	/* mutations that never parse would test nothing but the lexer */
	if (good <= cases / 10)
		fail_msg("only %d of %d parse", good, cases);
	stmt_forget();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			every_kind_of_statement_is_known_for_what_it_is),
		cmocka_unit_test(every_kind_has_a_word),
		cmocka_unit_test(transaction_control_is_told_apart),
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
		cmocka_unit_test(the_same_text_gives_the_same_facts_once),
		cmocka_unit_test(texts_that_never_repeat_do_not_grow_memory),
		cmocka_unit_test(a_text_too_large_for_a_shard_is_not_memoised),
		cmocka_unit_test(a_refused_text_is_not_remembered),
		cmocka_unit_test(threads_share_the_memo),
		cmocka_unit_test(changed_statements_neither_crash_nor_leak),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
