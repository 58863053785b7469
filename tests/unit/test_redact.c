/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "redact.h"

static char *
keep(struct str *s)
{
	static char last[4096];

	snprintf(last, sizeof(last), "%s", s->at);
	str_fini(s);
	return last;
}

static char *
sql(const char *text)
{
	struct str s;

	str_init(&s);
	redact_sql(&s, text, strlen(text), 4000);
	return keep(&s);
}

static char *
secrets(const char *text)
{
	struct str s;

	str_init(&s);
	redact_secrets(&s, text);
	return keep(&s);
}

static char *
message(const char *state, const char *text)
{
	struct str s;

	str_init(&s);
	redact_message(&s, state, text);
	return keep(&s);
}

static char *
detail(const char *state, const char *text)
{
	struct str s;

	str_init(&s);
	redact_detail(&s, state, text);
	return keep(&s);
}

static char *
context(const char *text)
{
	struct str s;

	str_init(&s);
	redact_context(&s, text);
	return keep(&s);
}

static char *
cut(const char *text, size_t max)
{
	struct str s;

	str_init(&s);
	redact_cut(&s, text, max);
	return keep(&s);
}

static void
a_text_is_cut_between_characters(void **state)
{
	assert_string_equal(cut("abc", 3), "abc");
	assert_string_equal(cut("abcd", 3), "abc...");
	assert_string_equal(cut("ab\xc3\xa9z", 3), "ab...");
	assert_string_equal(cut("ab\xc3\xa9z", 4), "ab\xc3\xa9...");
	assert_string_equal(cut("", 0), "");
	assert_string_equal(cut("x", 0), "...");
}

static void
literals_of_every_form_go(void **state)
{
	assert_string_equal(sql("select 'a', 12, 1.5e-3, .5, 0x1F"),
			    "select ?, ?, ?, ?, ?");
	assert_string_equal(sql("select E'a\\'b', b'01', X'ff', N'n', U&'d'"),
			    "select ?, ?, ?, ?, ?");
	assert_string_equal(sql("select 'it''s', '', ''''"), "select ?, ?, ?");
	assert_string_equal(sql("select $$a'b$$, $t$x $$ y$t$, $1"),
			    "select ?, ?, $1");
	assert_string_equal(sql("where x=-5 and y>=3 limit 10"),
			    "where x=-? and y>=? limit ?");
	assert_string_equal(sql("'2020-01-01'::date"), "?::date");
}

static void
names_and_parameters_stay(void **state)
{
	assert_string_equal(
		sql("select \"Odd \"\"Name\", t1.a2, e, _x$1 from \"s\".t_1"),
		"select \"Odd \"\"Name\", t1.a2, e, _x$1 from \"s\".t_1");
	assert_string_equal(sql("select $1::int, $12"), "select $1::int, $12");
	assert_string_equal(sql("select n\xc3\xa4me2 from t"),
			    "select n\xc3\xa4me2 from t");
}

static void
comments_go_and_nest(void **state)
{
	assert_string_equal(
		sql("select /* ssn 'x /* y */ 123 */ a -- 'z\nfrom t"),
		"select a from t");
	assert_string_equal(sql("select 1 -- it's"), "select ?");
	assert_string_equal(sql("/* never ends select 1"), "");
	assert_string_equal(sql("select '--', '/*' , a"), "select ?, ? , a");
}

static void
a_literal_goes_on_behind_a_line_end(void **state)
{
	assert_string_equal(sql("select 'a'\n 'b', c"), "select ?, c");
	assert_string_equal(sql("select E'a'\n 'b\\'c', d"), "select ?, d");
	assert_string_equal(sql("select 'a' -- x\n 'b'"), "select ? ?");
}

static void
nothing_is_shown_behind_broken_quoting(void **state)
{
	assert_string_equal(
		sql("select * from t where n = 'O'Brien' and d='x'"),
		"select * from t where n = ?");
	assert_string_equal(sql("select 'O'Brien', 'D'Arcy'"), "select ?");
	assert_string_equal(sql("select 'a', b, 'never ends"), "select ?");
	assert_string_equal(sql("select a, $$never ends"), "select a, ?");
	assert_string_equal(sql("select a, \"never ends"), "select a, ?");
	assert_string_equal(sql("where n = 'it\\'s secret' and m = 'x'"),
			    "where n = ?");
}

static void
white_space_is_one_space_and_the_text_is_cut(void **state)
{
	struct str s;

	assert_string_equal(sql("  select\n\t a\r\n ,  b  "), "select a , b");
	str_init(&s);
	str_add(&s, "sql: ");
	redact_sql(&s, "select abcdef", 13, 8);
	assert_string_equal(keep(&s), "sql: select a...");
	str_init(&s);
	redact_sql(&s, "select 'secret'", 10, 100);
	assert_string_equal(keep(&s), "select ?");
	assert_string_equal(sql(""), "");
}

static void
passwords_of_urls_go(void **state)
{
	assert_string_equal(secrets("postgres://u:pw@h:5432/d"),
			    "postgres://u:***@h:5432/d");
	assert_string_equal(secrets("redis://:pw@h/0 and postgres://a@b/c"),
			    "redis://:***@h/0 and postgres://a@b/c");
	assert_string_equal(secrets("postgres://u:p@s/s:w@h/d"),
			    "postgres://u:***@h/d");
	assert_string_equal(secrets("postgres://h:5432/d"),
			    "postgres://h:5432/d");
	assert_string_equal(
		secrets("postgres://h/d?password=pw&sslmode=require"),
		"postgres://h/d?password=***&sslmode=require");
}

static void
passwords_of_connection_strings_go(void **state)
{
	assert_string_equal(secrets("host=h password=p&w user=u"),
			    "host=h password=*** user=u");
	assert_string_equal(secrets("password = 'a b\\' c' user=u"),
			    "password = *** user=u");
	assert_string_equal(secrets("SSLPASSWORD=x PGPASSWORD=a\\ b host=h"),
			    "SSLPASSWORD=*** PGPASSWORD=*** host=h");
	assert_string_equal(secrets("password='never ends"), "password=***");
	assert_string_equal(secrets("passfile=/x user=u"),
			    "passfile=/x user=u");
	assert_string_equal(secrets("no password given"), "no password given");
}

/* As PostgreSQL 15 words them; SECRET is the value. */
static const struct {
	const char *state, *in, *out;
} messages[] = {
	{"22P02", "invalid input syntax for type integer: \"SECRET\"",
	 "invalid input syntax for type integer"},
	{"22P02", "invalid input syntax for type integer: \"a: \"SECRET\" b\"",
	 "invalid input syntax for type integer"},
	{"22P02", "invalid input value for enum mood: \"SECRET\"",
	 "invalid input value for enum mood"},
	{"22P02", "malformed array literal: \"{SECRET\"",
	 "malformed array literal"},
	{"22P02", "\"SECRET\" is not a valid binary digit",
	 "\"?\" is not a valid binary digit"},
	{"22P02", "invalid input syntax for type json",
	 "invalid input syntax for type json"},
	{"22003", "value \"5558675309\" is out of range for type integer",
	 "value \"?\" is out of range for type integer"},
	{"22003", "value \"1\" SECRET\" is out of range for type integer",
	 "value \"?\" is out of range for type integer"},
	{"22003", "\"5558675309\" is out of range for type double precision",
	 "\"?\" is out of range for type double precision"},
	{"22003", "integer out of range", "integer out of range"},
	{"22003", "numeric field overflow", "numeric field overflow"},
	{"22003",
	 "setval: value 5558675309 is out of bounds for sequence "
	 "\"s\" (1..9)",
	 "setval: value ? is out of bounds for sequence \"s\" (?..?)"},
	{"22007", "invalid input syntax for type date: \"SECRET\"",
	 "invalid input syntax for type date"},
	{"22007", "invalid value \"SECRET\" for \"YYYY\"",
	 "invalid value \"?\""},
	{"22008", "date/time field value out of range: \"5558675309\"",
	 "date/time field value out of range"},
	{"22008", "date field value out of range: 5558675309-02-30",
	 "date field value out of range"},
	{"22001", "value too long for type character varying(5)",
	 "value too long for type character varying(5)"},
	{"22021", "invalid byte sequence for encoding \"UTF8\": 0xe9 0x6c",
	 "invalid byte sequence for encoding \"UTF8\""},
	{"22P05",
	 "character with byte sequence 0xe2 0x82 in encoding \"UTF8\" "
	 "has no equivalent in encoding \"LATIN1\"",
	 "character with byte sequence ? ? in encoding \"UTF8\" has no "
	 "equivalent in encoding \"LATIN1\""},
	{"22P03", "incorrect binary data format in bind parameter 3",
	 "incorrect binary data format in bind parameter 3"},
	{"22023", "time zone \"SECRET\" not recognized",
	 "time zone \"?\""
	 " not recognized"},
	{"22023", "invalid value for parameter \"work_mem\": \"SECRET\"",
	 "invalid value for parameter \"work_mem\""},
	{"2201B", "invalid regular expression: quantifier operand invalid",
	 "invalid regular expression: quantifier operand invalid"},
	{"22023", "invalid source encoding name \"SECRET\"",
	 "invalid source encoding name \"?\""},
	{"54000", "requested character too large for encoding: 5558675309",
	 "requested character too large for encoding"},
	{"42712", "table name \"t\" specified more than once",
	 "table name \"t\" specified more than once"},
	{"22012", "division by zero", "division by zero"},
	{"23502",
	 "null value in column \"email\" of relation \"patients\" "
	 "violates not-null constraint",
	 "null value in column \"email\" of relation \"patients\" violates "
	 "not-null constraint"},
	{"23505", "duplicate key value violates unique constraint \"p_key\"",
	 "duplicate key value violates unique constraint \"p_key\""},
	{"23514", "new row for relation \"t\" violates check constraint \"c1\"",
	 "new row for relation \"t\" violates check constraint \"c1\""},
	{"42601", "syntax error at or near \"SECRET\"",
	 "syntax error at or near \"?\""},
	{"42601", "syntax error at or near \"FROM\"",
	 "syntax error at or near \"FROM\""},
	{"42601", "syntax error at or near \")\"",
	 "syntax error at or near \")\""},
	{"42601", "unterminated quoted string at or near \"'SECRET\" x\"",
	 "unterminated quoted string at or near \"?\""},
	{"42601", "syntax error at end of input",
	 "syntax error at end of input"},
	{"42P01", "relation \"patient\" does not exist",
	 "relation \"patient\" does not exist"},
	{"42809", "\"v\" is not a table", "\"v\" is not a table"},
	{"42883", "function f(integer, unknown) does not exist",
	 "function f(integer, unknown) does not exist"},
	{"28P01", "password authentication failed for user \"app\"",
	 "password authentication failed for user \"app\""},
	{"53300", "sorry, too many clients already",
	 "sorry, too many clients already"},
	{"57014", "canceling statement due to statement timeout",
	 "canceling statement due to statement timeout"},
	{"P0001", "patient 5558675309 named 'SECRET' or \"SECRET\" refused",
	 "patient ? named '?' or \"?\" refused"},
	{NULL, "value 5558675309 is bad", "value ? is bad"},
	{"22P02",
	 "ung\xc3\xbcltige Syntax f\xc3\xbcr Typ integer: "
	 "\xc2\xbbSECRET\xc2\xab",
	 "ung\xc3\xbcltige Syntax f\xc3\xbcr Typ integer: ?"},
	{"22P02", "an open quote \"SECRET", "an open quote \"?\""},
};

static void
messages_of_the_server_keep_names_and_lose_values(void **state)
{
	for (size_t i = 0; i < sizeof(messages) / sizeof(*messages); i++) {
		const char *out = message(messages[i].state, messages[i].in);

		assert_string_equal(out, messages[i].out);
		assert_null(strstr(out, "SECRET"));
		assert_null(strstr(out, "5558675309"));
	}
}

static void
the_detail_of_a_key_keeps_its_columns(void **state)
{
	assert_string_equal(
		detail("23505", "Key (email)=(a@b.c) already exists."),
		"Key (email) already exists.");
	assert_string_equal(
		detail("23505",
		       "Key (a, b)=(1, x)=(y) already exists.) already "
		       "exists."),
		"Key (a, b) already exists.");
	assert_string_equal(
		detail("23503", "Key (c)=(5) is not present in table \"b\"."),
		"Key (c) is not present in table \"b\".");
	assert_string_equal(
		detail("23503",
		       "Key (id)=(is still referenced from table \"x\"."
		       ") is still referenced from table \"b\"."),
		"Key (id) is still referenced from table \"b\".");
	assert_string_equal(
		detail("23P01", "Key (r)=([1,5)) conflicts with existing key "
				"(r)=([2,3))."),
		"Key (r) conflicts with another.");
	assert_string_equal(detail("23505", "Key (a)=(1) is duplicated."),
			    "Key (a) is duplicated.");
}

static void
the_detail_of_a_row_says_nothing(void **state)
{
	assert_string_equal(
		detail("23502", "Failing row contains (1, SECRET, null)."), "");
	assert_string_equal(detail("22P02", "Token \"SECRET\" is invalid."),
			    "");
	assert_string_equal(detail("2200M", "line 1: SECRET\n^"), "");
	assert_string_equal(detail("P0001", "SECRET"), "");
	assert_string_equal(detail(NULL, "SECRET"), "");
	assert_string_equal(detail("23505", "Schl\xc3\xbcssel \xc2\xbb(a)=(1)"
					    "\xc2\xab existiert bereits."),
			    "");
	assert_string_equal(detail("23514",
				   "Partition key of the failing row contains "
				   "(day) = (2020-01-01)."),
			    "Partition key of the failing row contains (day).");
}

static void
details_without_values_stay(void **state)
{
	assert_string_equal(
		detail("22003", "A field with precision 5, scale 2 must round "
				"to an absolute value less than 10^3."),
		"A field with precision 5, scale 2 must round to an absolute "
		"value less than 10^3.");
	assert_string_equal(detail("2BP01", "view v depends on table t"),
			    "view v depends on table t");
	assert_string_equal(
		detail("40P01", "Process 12 waits for ShareLock on transaction "
				"55; blocked by process 66."),
		"Process 12 waits for ShareLock on transaction 55; blocked by "
		"process 66.");
}

static void
the_context_says_where_and_not_what(void **state)
{
	assert_string_equal(
		context("COPY patients, line 3, column born: \"SECRET\""),
		"COPY patients, line 3, column born");
	assert_string_equal(context("COPY t, line 3: \"SECRET,SECRET\""),
			    "COPY t, line 3");
	assert_string_equal(
		context("PL/pgSQL function f(integer) line 3 at RAISE\n"
			"SQL statement \"select f('SECRET')\"\n"
			"unnamed portal with parameters: $1 = 'SECRET'"),
		"PL/pgSQL function f(integer) line 3 at RAISE");
	assert_string_equal(context("JSON data, line 1: {SECRET..."),
			    "JSON data, line 1");
	assert_string_equal(context(""), "");
}

static void
known_value(const char *text, const char *value, const char *expected)
{
	char copy[200];

	snprintf(copy, sizeof(copy), "%s", text);
	redact_known(copy, value, strlen(value));
	assert_string_equal(copy, expected);
}

static void
a_known_value_is_hidden_wherever_it_stands_as_a_word(void **state)
{
	(void)state;
	known_value("relation \"smith\" does not exist", "Smith",
		    "relation \"?\" does not exist");
	known_value("smith, SMITH and smith", "smith", "?, ? and ?");
	known_value("type integer", "int", "type integer");
	known_value("paint on int", "int", "paint on ?");
	known_value("value 12 of 123", "12", "value 12 of 123");
	known_value("a (b", " (b", "a?");
	known_value("abc", "abcd", "abc");
	known_value("", "abc", "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_is_cut_between_characters),
		cmocka_unit_test(literals_of_every_form_go),
		cmocka_unit_test(names_and_parameters_stay),
		cmocka_unit_test(comments_go_and_nest),
		cmocka_unit_test(a_literal_goes_on_behind_a_line_end),
		cmocka_unit_test(nothing_is_shown_behind_broken_quoting),
		cmocka_unit_test(white_space_is_one_space_and_the_text_is_cut),
		cmocka_unit_test(passwords_of_urls_go),
		cmocka_unit_test(passwords_of_connection_strings_go),
		cmocka_unit_test(
			messages_of_the_server_keep_names_and_lose_values),
		cmocka_unit_test(the_detail_of_a_key_keeps_its_columns),
		cmocka_unit_test(the_detail_of_a_row_says_nothing),
		cmocka_unit_test(details_without_values_stay),
		cmocka_unit_test(the_context_says_where_and_not_what),
		cmocka_unit_test(
			a_known_value_is_hidden_wherever_it_stands_as_a_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
