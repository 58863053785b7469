/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exprs.h"

#define NO EXPR_NO
#define UN EXPR_UNKNOWN
#define YES EXPR_YES

/* A nurse of clinics A and B, at the desk. */
static const struct context_tenant tenants[] = {{"A", 1}, {"B", 1}};
static const char *const roles[] = {"nurse", "biller"};
static const struct context somebody = {
	.magic = CONTEXT_MAGIC,
	.ntenants = 2,
	.tenants = tenants,
	.user = "u1",
	.location = "desk",
	.ip = "::ffff:10.20.1.1",
	.device = "d1",
	.nroles = 2,
	.roles = roles,
};
static const char *const wards[] = {"desk", "ward 3"};
static const char *const berlin[] = {"Europe/Berlin"};
static const struct expr_fact facts[] = {
	{EXPR_ATTR_LOCATIONS, 2, wards},
	{EXPR_ATTR_CLINIC_TZ, 1, berlin},
};
static const uint64_t held[4] = {[0] = 1 << 1, [1] = 1};

/* 2026-03-02 was a Monday; noon UTC. */
#define MONDAY INT64_C(1772452800)

static struct expr_ask
known(void)
{
	return (struct expr_ask){.ctx = &somebody,
				 .facts = facts,
				 .nfacts = 2,
				 .now_s = MONDAY,
				 .held = held,
				 .zones = &exprs_zones};
}

static struct expr_ask
nobody(void)
{
	return (struct expr_ask){.now_s = EXPR_NO_CLOCK, .zones = &exprs_zones};
}

static void
expect(struct expr *x, struct expr_ask ask, enum expr_truth want)
{
	struct expr_fault f = {0};
	enum expr_truth got = expr_eval(x_checked(x), &ask, &f);
	struct str s;

	str_init(&s);
	expr_print(x, &s);
	if (f.at != NULL || got != want)
		fail_msg("%s is %d, not %d %s", s.at, got, want, f.text);
	str_fini(&s);
}

static void
the_three_values_follow_kleene(void **state)
{
	struct expr *v[3] = {x_truth(false),
			     x_compare(x_ctx(PURPOSE), EXPR_EQ, x_text("x")),
			     x_truth(true)};
	struct expr_ask ask = known();

	for (int a = 0; a < 3; a++) {
		expect(x_no(v[a]), ask, (enum expr_truth)(2 - a));
		for (int b = 0; b < 3; b++) {
			expect(x_all(v[a], v[b]), ask,
			       (enum expr_truth)(a < b ? a : b));
			expect(x_any(v[a], v[b]), ask,
			       (enum expr_truth)(a > b ? a : b));
		}
	}
}

static void
attributes_are_compared_by_their_bytes(void **state)
{
	struct expr_ask ask = known();

	expect(x_compare(x_ctx(USER), EXPR_EQ, x_text("u1")), ask, YES);
	expect(x_compare(x_ctx(USER), EXPR_EQ, x_text("U1")), ask, NO);
	expect(x_compare(x_ctx(USER), EXPR_NE, x_text("u2")), ask, YES);
	expect(x_compare(x_ctx(LOCATION), EXPR_EQ, x_ctx(USER)), ask, NO);
	expect(x_one_of(x_ctx(DEVICE), x_text("d0"), x_text("d1")), ask, YES);
	expect(x_in(EXPR_ONE_OF, x_ctx(LOCATION), x_ctx(LOCATIONS)), ask, YES);
	expect(x_in(EXPR_ONE_OF, x_ctx(DEVICE), x_ctx(LOCATIONS)), ask, NO);
	expect(x_in(EXPR_ONE_OF, x_text("B"), x_ctx(CLINICS)), ask, YES);
	expect(x_in(EXPR_ONE_OF, x_text("C"), x_ctx(CLINICS)), ask, NO);
	expect(x_every(x_ctx(CLINICS), x_text("A"), x_text("B")), ask, YES);
	expect(x_every(x_ctx(CLINICS), x_text("A"), x_text("C")), ask, NO);
	expect(x_in(EXPR_ONE_OF, x_text("biller"), x_ctx(ROLES)), ask, YES);
}

static void
what_nobody_said_is_unknown_and_not_false(void **state)
{
	struct expr_ask ask = nobody();
	struct expr *const asked[] = {
		x_compare(x_ctx(USER), EXPR_EQ, x_text("u1")),
		x_compare(x_ctx(USER), EXPR_NE, x_text("u1")),
		x_one_of(x_ctx(DEVICE), x_text("d1")),
		x_in(EXPR_ONE_OF, x_text("A"), x_ctx(CLINICS)),
		x_every(x_ctx(CLINICS), x_text("A")),
		x_in(EXPR_ONE_OF, x_ctx(LOCATION), x_ctx(LOCATIONS)),
		x_role(1, "nurse"),
		x_ip("0.0.0.0/0"),
		x_hours("00:00-24:00", x_text("UTC")),
		x_hours("00:00-24:00", x_ctx(CLINIC_TZ)),
	};

	for (size_t i = 0; i < sizeof(asked) / sizeof(*asked); i++) {
		expect(asked[i], ask, UN);
		expect(x_no(asked[i]), ask, UN);
	}
	expect(x_in(EXPR_KNOWN, x_ctx(USER), x_ctx(USER)), ask, NO);
	expect(x_in(EXPR_KNOWN, x_ctx(USER), x_ctx(USER)), known(), YES);
}

static void
roles_are_those_held(void **state)
{
	struct expr_ask ask = known();

	expect(x_role(1, "nurse"), ask, YES);
	expect(x_role(0, "doctor"), ask, NO);
	expect(x_role(64, "biller"), ask, YES);
	expect(x_role(255, "last"), ask, NO);
}

static void
hours_are_those_of_the_zone(void **state)
{
	struct expr_ask ask = known(); /* 13:00 in Berlin, 23:00 in Sydney */

	expect(x_hours("Mon 13:00-13:01", x_text("Europe/Berlin")), ask, YES);
	expect(x_hours("Mon 13:00-13:01", x_ctx(CLINIC_TZ)), ask, YES);
	expect(x_hours("Mon 12:00-13:00", x_ctx(CLINIC_TZ)), ask, NO);
	expect(x_hours("Mon 23:00-24:00", x_text("Australia/Sydney")), ask,
	       YES);
	ask.now_s = EXPR_NO_CLOCK;
	expect(x_hours("00:00-24:00", x_text("UTC")), ask, UN);
}

static void
addresses_are_compared_as_what_they_are(void **state)
{
	expect(x_ip("10.20.0.0/16"), known(), YES);
	expect(x_ip("10.21.0.0/16"), known(), NO);
	expect(x_ip("::/0"), known(), NO);
}

/* ---- faults -------------------------------------------------------------- */

/* A fault says what is wrong, and no value of who asks. */
static void
faulty(struct expr *x, struct expr_ask ask, const char *text)
{
	struct expr_fault f = {0}, g = {0};
	struct expr_rest rest;
	struct arena a;

	assert_int_equal(expr_eval(x_checked(x), &ask, &f), UN);
	assert_non_null(f.at);
	if (strstr(f.text, text) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", f.text, text);
	assert_null(strstr(f.text, "Nowhere"));
	assert_null(strstr(f.text, "020"));
	arena_init(&a, NULL, 0);
	expr_fold(x, &(struct expr_folding){&ask, &a, &g}, &rest);
	assert_ptr_equal(g.at, f.at);
	arena_fini(&a);
}

static void
what_makes_no_sense_is_a_fault(void **state)
{
	static const char *const nowhere[] = {"Europe/Nowhere"};
	const struct expr_fact tz = {EXPR_ATTR_CLINIC_TZ, 1, nowhere};
	struct context c = somebody;
	struct expr_ask ask = known();

	c.ip = "10.020.1.1";
	ask.ctx = &c;
	faulty(x_ip("0.0.0.0/0"), ask, "no IP address");
	ask.facts = &tz;
	ask.nfacts = 1;
	faulty(x_hours("00:00-24:00", x_ctx(CLINIC_TZ)), ask,
	       "ctx.clinic_tz is no time zone");
	ask.row = (struct expr_row){&exprs_world, &exprs_table, NULL};
	faulty(x_in(EXPR_ONE_OF, x_row("id"), x_ctx(CLINICS)), ask,
	       "no pg_catalog.int8");
	faulty(x_compare(x_row("owner"), EXPR_EQ, x_ctx(USER)), ask,
	       "ctx.user is no pg_catalog.uuid");
	faulty(x_compare(x_row("nothing"), EXPR_EQ, x_ctx(USER)), ask,
	       "no such column");
	faulty(x_compare(x_row("at"), EXPR_EQ, x_text("2026")), ask,
	       "not compared");
}

static void
a_fault_is_found_whatever_stands_before_it(void **state)
{
	struct context c = somebody;
	struct expr_ask ask = known();
	struct expr_fault f = {0}, g = {0};

	c.ip = "nowhere";
	ask.ctx = &c;
	assert_int_equal(
		expr_eval(x_checked(x_any(x_truth(true), x_ip("::/0"))), &ask,
			  &f),
		YES);
	assert_non_null(f.at);
	assert_int_equal(
		expr_eval(x_checked(x_all(x_ip("::/0"), x_truth(false))), &ask,
			  &g),
		NO);
	assert_non_null(g.at);
}

/* ---- what a file may not say --------------------------------------------- */

static void
unsound(struct expr *x, const char *text)
{
	struct err e;

	assert_int_equal(expr_check(x, &exprs_zones, &e), LUNATE_EINVAL);
	if (strstr(e.text, text) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", e.text, text);
}

static void
conditions_that_say_nothing_are_refused(void **state)
{
	struct expr *deep = x_truth(true);

	unsound(x_parts(EXPR_ALL, 0, NULL), "need conditions");
	unsound(x_compare(x_ctx(CLINICS), EXPR_EQ, x_text("A")), "a set");
	unsound(x_compare(x_row("id"), EXPR_EQ, x_ctx(LOCATIONS)), "a set");
	unsound(x_compare(x_text("a"), EXPR_EQ, x_text("a")), "left side");
	unsound(x_compare(x_ctx(USER), EXPR_LT, x_text("a")), "no <");
	unsound(x_compare(x_ctx(USER), EXPR_EQ, x_num("1")), "are texts");
	unsound(x_compare(x_row("title"), EXPR_EQ, x_text("\xff")), "UTF-8");
	unsound(x_list(EXPR_ONE_OF, x_ctx(USER), 0, NULL), "empty");
	unsound(x_one_of(x_ctx(CLINICS), x_text("A")), "within");
	unsound(x_every(x_ctx(USER), x_text("A")), "no set");
	unsound(x_one_of(x_ctx(USER), x_num("1")), "are texts");
	unsound(x_hours("00:00-24:00", x_text("Mars/Base")), "no time zone");
	unsound(x_hours("00:00-24:00", x_ctx(USER)), "ctx.clinic_tz");
	for (int i = 0; i < 40; i++)
		deep = x_no(deep);
	unsound(deep, "levels");
}

static void
unfit(struct expr *x, const char *text)
{
	struct expr_row row = {&exprs_world, &exprs_table, NULL};
	struct err e = {0};

	assert_int_equal(expr_fit(x_checked(x_all(x_truth(true), x)), &row, &e),
			 LUNATE_EINVAL);
	if (strstr(e.text, text) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", e.text, text);
}

static void
comparisons_that_would_differ_are_refused_at_load(void **state)
{
	unfit(x_compare(x_row("nothing"), EXPR_EQ, x_text("a")), "no such");
	unfit(x_compare(x_row("at"), EXPR_EQ, x_text("2026")), "not compared");
	unfit(x_compare(x_row("rate"), EXPR_EQ, x_num("1")), "not compared");
	unfit(x_compare(x_row("letters"), EXPR_EQ, x_text("a")), "compared");
	unfit(x_compare(x_row("mood"), EXPR_LT, x_text("sad")), "no < and >");
	unfit(x_compare(x_row("owner"), EXPR_GE, x_ctx(USER)), "no < and >");
	unfit(x_compare(x_row("id"), EXPR_EQ, x_row("title")), "differ");
	unfit(x_compare(x_row("id"), EXPR_EQ, x_text("one")), "fit");
	unfit(x_compare(x_row("id"), EXPR_EQ, x_num("1.5")), "fit");
	unfit(x_compare(x_row("title"), EXPR_EQ, x_num("1")), "fit");
	unfit(x_compare(x_row("active"), EXPR_EQ, x_text("t")), "fit");
	unfit(x_compare(x_row("title"), EXPR_EQ, x_bool("t")), "fit");
	unfit(x_one_of(x_row("owner"), x_text("u1")), "fit");
}

/* ---- the rest, as SQL ---------------------------------------------------- */

/* Parts put together as a reader would see them: R and $1, $2, ... */
static char *
sql_of(struct expr *x, const struct expr_ask *ask)
{
	static char out[2000];
	struct expr_fault f = {0};
	struct expr_rest rest;
	struct expr_sql s;
	struct arena a;
	size_t n = 0;

	arena_init(&a, NULL, 0);
	expr_sql_init(&s, &a);
	expr_fold(x_checked(x), &(struct expr_folding){ask, &a, &f}, &rest);
	expr_sql_rest(&s, &rest, ask);
	expr_sql_cut(&s);
	for (unsigned i = 0; i < s.nparts; i++) {
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s",
				      s.parts[i].text);
		if (s.parts[i].then == TENANT_PART_ROW)
			n += (size_t)snprintf(out + n, sizeof(out) - n, "R");
		if (s.parts[i].then == TENANT_PART_VALUE)
			n += (size_t)snprintf(out + n, sizeof(out) - n,
					      "$%u=<%s>", s.parts[i].value + 1,
					      s.values[s.parts[i].value]);
	}
	assert_null(f.at);
	expr_sql_fini(&s);
	arena_fini(&a);
	return out;
}

static void
what_the_row_does_not_decide_is_decided_before(void **state)
{
	struct expr_ask ask = known();
	struct expr *row = x_compare(x_row("id"), EXPR_EQ, x_num("7"));
	struct expr *un = x_compare(x_ctx(PURPOSE), EXPR_EQ, x_text("x"));

	ask.row = (struct expr_row){&exprs_world, &exprs_table, NULL};
	assert_string_equal(
		sql_of(x_all(x_role(1, "nurse"), row), &ask),
		"((R.\"id\") OPERATOR(pg_catalog.=) $1=<7>::pg_catalog.int8)");
	assert_string_equal(sql_of(x_all(x_role(0, "doctor"), row), &ask),
			    "false");
	assert_string_equal(sql_of(x_any(x_role(1, "nurse"), row), &ask),
			    "true");
	assert_string_equal(
		sql_of(x_any(x_all(un, x_role(0, "")), x_no(un)), &ask),
		"NULL::pg_catalog.bool");
	assert_string_equal(
		sql_of(x_no(x_any(row, un)), &ask),
		"(NOT (((R.\"id\") OPERATOR(pg_catalog.=) "
		"$1=<7>::pg_catalog.int8) OR NULL::pg_catalog.bool))");
}

static void
names_and_sets_are_quoted(void **state)
{
	static const char *const odd[] = {"a\"b", "c\\d,{}", "NULL"};
	const struct expr_fact f = {EXPR_ATTR_LOCATIONS, 3, odd};
	struct expr_ask ask = known();

	ask.row = (struct expr_row){&exprs_world, &exprs_table, NULL};
	ask.facts = &f;
	ask.nfacts = 1;
	assert_string_equal(
		sql_of(x_in(EXPR_ONE_OF, x_row("odd \"name\""),
			    x_ctx(LOCATIONS)),
		       &ask),
		"(((R.\"odd \"\"name\"\"\")::pg_catalog.text COLLATE "
		"pg_catalog.\"C\") OPERATOR(pg_catalog.=) ANY "
		"($1=<{\"a\\\"b\",\"c\\\\d,{}\",\"NULL\"}>"
		"::pg_catalog.text[]))");
}

static void
an_expression_reads_as_the_file_has_it(void **state)
{
	struct expr *x = x_all(
		x_role(1, "nurse"), x_hours("Mon 08:00-09:00", x_text("UTC")),
		x_no(x_ip("10.0.0.0/8")),
		x_in(EXPR_ONE_OF, x_row("id"), x_ctx(LOCATIONS)),
		x_in(EXPR_ONE_OF, x_text("A"), x_ctx(CLINICS)),
		x_every(x_ctx(CLINICS), x_text("A"), x_text("B")),
		x_compare(x_row("price"), EXPR_GE, x_num("1.5")));
	struct str s;

	str_init(&s);
	expr_print(x_checked(x), &s);
	assert_string_equal(
		s.at,
		"all { has_role \"nurse\", "
		"hours(\"Mon 08:00-09:00\", \"UTC\"), "
		"no { ip(\"10.0.0.0/8\") }, row.id:one_of(ctx.locations), "
		"ctx.clinics:has(\"A\"), ctx.clinics:within({ \"A\", \"B\" }), "
		"row.price:ge(1.5) }");
	str_fini(&s);
}

static void
the_parts_that_fail_are_named(void **state)
{
	struct expr *role = x_role(0, "doctor"), *ip = x_ip("10.21.0.0/16");
	struct expr *un = x_compare(x_ctx(PURPOSE), EXPR_EQ, x_text("x"));
	struct expr *x = x_checked(
		x_all(role, x_truth(true), x_any(ip, un),
		      x_compare(x_row("id"), EXPR_EQ, x_num("1"))));
	struct expr_ask ask = known();
	const struct expr *out[4];

	assert_int_equal(expr_failing(x, &ask, out, 4), 3);
	assert_ptr_equal(out[0], role);
	assert_ptr_equal(out[1], ip);
	assert_ptr_equal(out[2], un);
	assert_int_equal(expr_failing(x, &ask, out, 2), 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_three_values_follow_kleene),
		cmocka_unit_test(attributes_are_compared_by_their_bytes),
		cmocka_unit_test(what_nobody_said_is_unknown_and_not_false),
		cmocka_unit_test(roles_are_those_held),
		cmocka_unit_test(hours_are_those_of_the_zone),
		cmocka_unit_test(addresses_are_compared_as_what_they_are),
		cmocka_unit_test(what_makes_no_sense_is_a_fault),
		cmocka_unit_test(a_fault_is_found_whatever_stands_before_it),
		cmocka_unit_test(conditions_that_say_nothing_are_refused),
		cmocka_unit_test(
			comparisons_that_would_differ_are_refused_at_load),
		cmocka_unit_test(
			what_the_row_does_not_decide_is_decided_before),
		cmocka_unit_test(names_and_sets_are_quoted),
		cmocka_unit_test(an_expression_reads_as_the_file_has_it),
		cmocka_unit_test(the_parts_that_fail_are_named),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, exprs_begin, exprs_end);
}
