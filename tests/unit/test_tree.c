/* SPDX-License-Identifier: MIT */
#include "tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "mem.h"
#include "str.h"

static struct tree *
parsed(const char *sql)
{
	struct err e = {0};
	struct tree *t;

	if (tree_parse(sql, strlen(sql), &t, &e) < 0)
		fail_msg("%s: %s", sql, e.text);
	return t;
}

static int
refused(const char *sql, size_t len, struct err *e)
{
	struct tree *t = (struct tree *)1;
	int rc = tree_parse(sql, len, &t, e);

	assert_int_equal(rc, e->code);
	assert_true(rc < 0);
	assert_null(t);
	return rc;
}

static void
a_node_is_read_by_the_names_of_the_grammar(void **state)
{
	struct tree *t = parsed("select a.b, 1 from s.t x union all select 2");
	const struct tree_node *top, *arm, *from, *col;
	const char *schema;

	assert_int_equal(tree_count(t), 1);
	top = tree_root(t, 0);
	assert_int_equal(tree_kind(top), TREE_SELECT);
	assert_string_equal(tree_name(top), "SelectStmt");
	assert_string_equal(tree_word(top, "op"), "SETOP_UNION");
	assert_int_equal(tree_num(top, "all"), 1);
	arm = tree_get(top, "larg");
	assert_int_equal(tree_len(arm, "target_list"), 2);
	from = tree_get(arm, "from_clause");
	assert_int_equal(tree_kind(from), TREE_RANGE_VAR);
	assert_string_equal(tree_str(from, "schemaname"), "s");
	assert_string_equal(tree_str(from, "relname"), "t");
	assert_string_equal(tree_str(tree_get(from, "alias"), "aliasname"),
			    "x");
	assert_int_equal(tree_offset(from), 19);
	col = tree_get(tree_get(arm, "target_list"), "val");
	assert_string_equal(tree_dotted(col, "fields", &schema), "b");
	assert_string_equal(schema, "a");
	assert_null(tree_item(arm, "target_list", 2));
	assert_null(tree_get(arm, "where_clause"));
	assert_string_equal(tree_str(NULL, "relname"), "");
	assert_false(tree_has(top, "relname"));
	tree_free(&t);
	assert_null(t);
}

static void
the_kind_of_every_named_node_is_known(void **state)
{
	/* A few whose message has an unusual name. */
	struct tree *t = parsed("create database d; drop database d; "
				"select current_user; checkpoint");

	assert_int_equal(tree_count(t), 4);
	assert_int_equal(tree_kind(tree_root(t, 0)), TREE_CREATE_DATABASE);
	assert_int_equal(tree_kind(tree_root(t, 1)), TREE_DROP_DATABASE);
	assert_int_equal(tree_kind(tree_root(t, 2)), TREE_SELECT);
	assert_int_equal(tree_kind(tree_root(t, 3)), TREE_CHECKPOINT);
	tree_free(&t);
}

/* Every name of a relation in the order of the walk, with "(" and ")" for
 * what lies below a select. */
static char *
path_of(const char *sql)
{
	struct tree *t = parsed(sql);
	struct tree_walk w;
	struct str out;

	str_init(&out);
	tree_walk_init(&w, tree_root(t, 0));
	while (tree_walk_next(&w) != TREE_END) {
		if (w.kind == TREE_SELECT)
			str_addc(&out, w.step == TREE_ENTER ? '(' : ')');
		if (w.kind == TREE_RANGE_VAR && w.step == TREE_ENTER)
			str_add(&out, tree_str(w.node, "relname"));
	}
	tree_walk_fini(&w);
	tree_free(&t);
	return str_take(&out);
}

static void
a_walk_enters_and_leaves_every_node(void **state)
{
	char *path = path_of("select (select 1 from b) from a where exists "
			     "(select from c) order by (select 1 from d)");

	assert_string_equal(path, "((b)a(c)(d))");
	mem_free(path);
	path = path_of("insert into t select * from a union select * from b");
	assert_string_equal(path, "t((a)(b))");
	mem_free(path);
}

static void
a_skipped_node_is_left_without_its_children(void **state)
{
	struct tree *t = parsed("select (select $1), $2");
	struct tree_walk w;
	int entered = 0, left = 0, params = 0;

	tree_walk_init(&w, tree_root(t, 0));
	while (tree_walk_next(&w) != TREE_END) {
		entered += w.step == TREE_ENTER;
		left += w.step == TREE_LEAVE;
		if (w.step == TREE_ENTER && w.kind == TREE_SUB_LINK)
			tree_walk_skip(&w);
		if (w.step == TREE_ENTER && w.kind == TREE_PARAM_REF) {
			params++;
			assert_int_equal(tree_num(w.node, "number"), 2);
			assert_int_equal(tree_offset(w.node), 20);
			assert_string_equal(w.field, "val");
			assert_int_equal(tree_kind(w.parent), TREE_RES_TARGET);
			assert_int_equal(tree_walk_up(&w, 1)->index, 1);
			assert_ptr_equal(tree_walk_up(&w, 2)->node,
					 tree_root(t, 0));
			assert_null(tree_walk_up(&w, 3));
		}
	}
	assert_int_equal(params, 1);
	assert_int_equal(entered, left);
	assert_int_equal(tree_walk_next(&w), TREE_END);
	tree_walk_fini(&w);
	tree_free(&t);
}

/* "x" or "-" for every relation: does its name mean a CTE? */
static void
check_ctes(const char *sql, const char *want)
{
	struct tree *t = parsed(sql);
	struct tree_walk w;
	struct str got;

	str_init(&got);
	tree_walk_init(&w, tree_root(t, 0));
	while (tree_walk_next(&w) != TREE_END)
		if (w.step == TREE_ENTER && w.kind == TREE_RANGE_VAR)
			str_addc(&got,
				 tree_walk_cte(&w, tree_str(w.node, "relname"))
					 ? 'x'
					 : '-');
	if (strcmp(got.at, want) != 0)
		fail_msg("%s: %s, not %s", sql, got.at, want);
	str_fini(&got);
	tree_walk_fini(&w);
	tree_free(&t);
}

static void
a_name_means_a_cte_only_where_the_cte_can_be_seen(void **state)
{
	/* (with_clause is walked after from_clause) */
	check_ctes("with a as (select 1) select * from a", "x");
	check_ctes("with a as (select * from a) select * from a", "x-");
	check_ctes("with recursive a as (select * from a) select from a", "xx");
	check_ctes("with a as (select * from b), b as (select 1) select 1",
		   "-");
	check_ctes("with recursive a as (select * from b), b as (select 1) "
		   "select 1",
		   "x");
	check_ctes("with a as (select 1), b as (select * from a) select 1",
		   "x");
	check_ctes("select * from (with a as (select 1) select * from a) q, a",
		   "x-");
	check_ctes("with a as (select 1) select (select 1 from (select * from "
		   "a) q)",
		   "x");
	check_ctes("with a as (select 1) select 1 from a union select 1 from "
		   "a",
		   "xx");
	check_ctes("with a as (with b as (select 1) select * from b) select * "
		   "from b",
		   "-x");
}

static void
tokens_cover_the_text_by_bytes(void **state)
{
	struct tree *t = parsed("select 'ä', $1 /* x */ from \"Ü\" -- end");
	const struct tree_token *k;
	size_t len, n = tree_tokens(t, &k);
	const char *text = tree_text(t, &len);
	static const struct {
		enum token_kind kind;
		const char *text;
	} want[] = {
		{TOKEN_WORD, "select"},	    {TOKEN_LITERAL, "'ä'"},
		{TOKEN_MARK, ","},	    {TOKEN_PARAM, "$1"},
		{TOKEN_COMMENT, "/* x */"}, {TOKEN_WORD, "from"},
		{TOKEN_WORD, "\"Ü\""},	    {TOKEN_COMMENT, "-- end"},
	};

	assert_int_equal(n, sizeof(want) / sizeof(*want));
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(k[i].kind, want[i].kind);
		assert_int_equal(k[i].end - k[i].start, strlen(want[i].text));
		assert_memory_equal(text + k[i].start, want[i].text,
				    strlen(want[i].text));
	}
	tree_free(&t);
}

static void
tokens_of_unicode_escapes_end_where_they_end(void **state)
{
	static const char *const want[] = {
		"select",  "U&'\\0061'",
		",",	   "u&'a'\n  'b'",
		",",	   "U&\"p\\0061\"",
		"uescape", "'!'",
		"from",	   "t",
		",",	   "U&\"x\"",
	};
	struct tree *t = parsed("select U&'\\0061'  , u&'a'\n  'b', "
				"U&\"p\\0061\" uescape '!' from t, U&\"x\" ");
	const struct tree_token *k;
	size_t len, n = tree_tokens(t, &k);
	const char *text = tree_text(t, &len);

	assert_int_equal(n, sizeof(want) / sizeof(*want));
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(k[i].end - k[i].start, strlen(want[i]));
		assert_memory_equal(text + k[i].start, want[i],
				    strlen(want[i]));
	}
	tree_free(&t);
}

static void
bytes_that_are_no_text_are_refused(void **state)
{
	struct err e = {0};

	assert_int_equal(refused("select 1\0;drop", 14, &e), LUNATE_EINVAL);
	assert_non_null(strstr(e.text, "byte 8"));
	assert_int_equal(refused("select '\xc3'", 10, &e), LUNATE_EINVAL);
	assert_int_equal(refused("select '\xff'", 10, &e), LUNATE_EINVAL);
	assert_int_equal(refused("\xe2\x82", 2, &e), LUNATE_EINVAL);
	/* overlong, surrogate, above U+10FFFF */
	assert_int_equal(refused("\xc0\xaf", 2, &e), LUNATE_EINVAL);
	assert_int_equal(refused("\xe0\x80\xaf", 3, &e), LUNATE_EINVAL);
	assert_int_equal(refused("\xed\xa0\x80", 3, &e), LUNATE_EINVAL);
	assert_int_equal(refused("\xf4\x90\x80\x80", 4, &e), LUNATE_EINVAL);
}

static void
the_text_may_end_without_a_zero(void **state)
{
	struct err e = {0};
	struct tree *t;

	assert_int_equal(tree_parse("select 12", 8, &t, &e), 0);
	tree_free(&t);
}

static void
a_syntax_error_names_the_place(void **state)
{
	struct err e = {0};
	const char *sql = "select ä, * FORM t";

	assert_int_equal(refused(sql, strlen(sql), &e), LUNATE_ESYNTAX);
	assert_string_equal(e.text, "syntax error at character 13, near "
				    "\"FORM\" (the parser is PostgreSQL "
				    "15's)");
	assert_string_equal(e.sqlstate, "42601");
	assert_int_equal(refused("select (", 8, &e), LUNATE_ESYNTAX);
	assert_non_null(strstr(e.text, "end of the text"));
}

static void
a_syntax_error_shows_no_literal(void **state)
{
	static const char *const texts[] = {
		"select 'a' 'secret'",
		"select from from 'secret'",
		"select 'secret",
		"select 'it's secret'",
		"select 'it''s' secret' from t",
		"select $$ a $ secret",
		"select E'\\u00secret'",
		"select U&'\\secret'",
		"select a b 424242",
		"select 424242secret 1",
		"select 'it's a secret and that's all'",
		"select $1, 'o'secret' from t where 'x'",
		"select a from t where b = = 'secret'",
		"insert into t values ('x', 'secret' 5)",
		"select \"secret",
		"select /* secret",
		"select 1 from t where and 'secret'",
	};
	struct err e;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		err_clear(&e);
		refused(texts[i], strlen(texts[i]), &e);
		if (strstr(e.text, "secret") || strstr(e.text, "4242"))
			fail_msg("%s: %s", texts[i], e.text);
	}
}

static void
grammar_newer_than_15_says_whose_parser_it_is(void **state)
{
	const char *sql = "merge into t using s on true when matched then "
			  "delete returning *";
	struct err e = {0};

	assert_int_equal(refused(sql, strlen(sql), &e), LUNATE_ESYNTAX);
	assert_non_null(strstr(e.text, "near \"returning\""));
	assert_non_null(strstr(e.text, "PostgreSQL 15"));
}

static void
without_memory_a_text_is_refused_as_a_whole(void **state)
{
	static const char sql[] = "with a as (select f(1), 'x' from t) select "
				  "* from a join b using (c) where d = $1";
	unsigned n = 0;
	int rc;

	do {
		struct tree *t;
		struct err e = {0};

		mem_fail_after(++n);
		rc = tree_parse(sql, sizeof(sql) - 1, &t, &e);
		mem_fail_after(0);
		if (rc < 0) {
			assert_int_equal(rc, LUNATE_ENOMEM);
			assert_null(t);
		} else {
			tree_free(&t);
		}
	} while (rc < 0);
	assert_true(n > 3); /* it failed at several places before */
}

/* ---- scripts -------------------------------------------------------- */

static void
check_split(const char *text, size_t n, const char *const *want)
{
	struct tree_script s;
	struct err e = {0};
	if (tree_split(text, strlen(text), &s, &e) < 0)
		fail_msg("%s: %s", text, e.text);
	assert_int_equal(s.n, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(s.spans[i].len, strlen(want[i]));
		assert_memory_equal(text + s.spans[i].start, want[i],
				    s.spans[i].len);
	}
	tree_script_fini(&s);
}

static void
a_script_is_split_where_the_grammar_says(void **state)
{
	static const char script[] =
		"create table t (a text default ';');\n"
		"-- a comment; with a semicolon\n"
		"insert into t values ('a;b'), ($x$ ; $x$), (E'\\';');\n;;\n"
		"do $$ begin perform 1; end $$;\n"
		"create function f() returns int begin atomic select 1; "
		"select 2; end;\n"
		"/* last; */ select \"a;b\", 'ü'  ";
	static const char *const want[] = {
		"create table t (a text default ';')",
		"-- a comment; with a semicolon\n"
		"insert into t values ('a;b'), ($x$ ; $x$), (E'\\';')",
		"do $$ begin perform 1; end $$",
		"create function f() returns int begin atomic select 1; "
		"select 2; end",
		"/* last; */ select \"a;b\", 'ü'",
	};

	check_split(script, 5, want);
	check_split(" ; -- nothing\n;", 0, NULL);
	check_split("", 0, NULL);
}

static void
a_script_that_does_not_parse_is_not_split(void **state)
{
	struct tree_script s;
	struct err e = {0};

	assert_int_equal(tree_split("select 1; selec 2", 17, &s, &e),
			 LUNATE_ESYNTAX);
	assert_non_null(strstr(e.text, "character 11, near \"selec\""));
	assert_null(s.spans);
	assert_int_equal(s.n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_node_is_read_by_the_names_of_the_grammar),
		cmocka_unit_test(the_kind_of_every_named_node_is_known),
		cmocka_unit_test(a_walk_enters_and_leaves_every_node),
		cmocka_unit_test(a_skipped_node_is_left_without_its_children),
		cmocka_unit_test(
			a_name_means_a_cte_only_where_the_cte_can_be_seen),
		cmocka_unit_test(tokens_cover_the_text_by_bytes),
		cmocka_unit_test(tokens_of_unicode_escapes_end_where_they_end),
		cmocka_unit_test(bytes_that_are_no_text_are_refused),
		cmocka_unit_test(the_text_may_end_without_a_zero),
		cmocka_unit_test(a_syntax_error_names_the_place),
		cmocka_unit_test(a_syntax_error_shows_no_literal),
		cmocka_unit_test(grammar_newer_than_15_says_whose_parser_it_is),
		cmocka_unit_test(without_memory_a_text_is_refused_as_a_whole),
		cmocka_unit_test(a_script_is_split_where_the_grammar_says),
		cmocka_unit_test(a_script_that_does_not_parse_is_not_split),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
