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

/* ---- kinds and flags ------------------------------------------------- */

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
		struct tree_script script;
		struct str text;
		struct stmt *s;
		struct err e;

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
		if (stmt_split(text.at, text.len, &script, &e) == 0)
			tree_script_fini(&script);
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
		cmocka_unit_test(changed_statements_neither_crash_nor_leak),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
