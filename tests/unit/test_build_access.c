/* SPDX-License-Identifier: MIT
 *
 * access.lua: the rules that it makes, and what is said of what makes none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "access.h"
#include "folders.h"

#define ISOLATION                                \
	"tenant { type = 'uuid' }\n"             \
	"rows 'patients' { by = 'clinic_id' }\n" \
	"rows 'visits' { by = 'clinic_id' }\n"   \
	"rows 'other.visits' { by = 'clinic_id' }\n"
#define ROLES                                          \
	"role 'staff' {}\n"                            \
	"role 'nurse' { is = 'staff' }\n"              \
	"role 'head' { is = { 'nurse', 'doctor' } }\n" \
	"role 'doctor' { is = 'staff' }\n"

#define ALL 15u

static struct rules *rules;
static const struct access_rules *access_;

static void
built(const char *text)
{
	if (rules != NULL)
		rules_unpin(&rules);
	rules = folders_rules(ISOLATION, text);
	access_ = rules->access;
}

static const struct access_rule *
rule(const char *fields)
{
	char text[2000];

	snprintf(text, sizeof(text), ROLES "permit 'p' { %s }", fields);
	built(text);
	assert_int_equal(access_->nrules, 1);
	return &access_->rules[0];
}

static void
says(const char *text, const char *part)
{
	char all[2000];

	snprintf(all, sizeof(all), ROLES "%s", text);
	folders_says(ISOLATION, all, part);
}

static void
rule_says(const char *fields, const char *part)
{
	char text[1000];

	snprintf(text, sizeof(text), "permit 'p' { %s }", fields);
	says(text, part);
}

static void
no_access_file_is_no_rules_and_an_empty_one_denies(void **state)
{
	struct rules *r = rules_new();
	const struct decl_list files[VOCAB_FILES] = {{0}};
	const struct build b = {.arena = &r->arena,
				.files = files,
				.schema = "clinic",
				.rules = r};
	struct err e;

	assert_int_equal(build_access(&b, &e), 0);
	assert_null(r->access);
	rules_unpin(&r);
	built("-- nothing yet");
	assert_non_null(access_);
	assert_int_equal(access_->nrules, 0);
}

/* ---- roles --------------------------------------------------------------- */

static void
a_role_holds_all_that_it_inherits(void **state)
{
	built(ROLES);
	assert_int_equal(access_->nroles, 4);
	assert_string_equal(access_->roles[2].name, "head");
	assert_int_equal(access_->roles[0].held[0], 1);
	assert_int_equal(access_->roles[1].held[0], 3);
	assert_int_equal(access_->roles[2].held[0], 15);
	assert_int_equal(access_->roles[3].held[0], 9);
}

static void
what_roles_cannot_be_is_said(void **state)
{
	says("role 'x' { is = 'nurze' }",
	     "access:5: role \"x\": there is no role \"nurze\"; did you mean "
	     "\"nurse\"?");
	says("role 'x' { is = 'x' }", "it is itself");
	says("role 'x' { is = 'y' } role 'y' { is = 'z' } "
	     "role 'z' { is = 'x' }",
	     "which inherits from it");
	says("permit 'p' { role = 'astronaut', action = 'read', on = 'any' }",
	     "there is no role \"astronaut\"; declare role \"astronaut\" {}");
	says("for i = 1, 300 do role('r' .. i) {} end", "256 roles already");
}

/* ---- rules --------------------------------------------------------------- */

static void
a_rule_has_its_roles_tables_actions_and_columns(void **state)
{
	const struct access_rule *r = rule(
		"role = { 'nurse', 'doctor' }, action = { 'read', 'update' },\n"
		"on = { 'visits', 'other.visits' }, columns = { 'id', 'note' }");

	assert_false(r->forbids);
	assert_string_equal(r->name, "p");
	assert_string_equal(r->file, "access");
	assert_int_equal(r->line, 5);
	assert_int_equal(r->actions, 1u << TENANT_READ | 1u << TENANT_UPDATE);
	assert_int_equal(r->nroles, 2);
	assert_int_equal(r->roles[0], 1);
	assert_int_equal(r->roles[1], 3);
	assert_int_equal(r->ntables, 2);
	assert_string_equal(r->tables[0].schema, "clinic");
	assert_string_equal(r->tables[1].schema, "other");
	assert_string_equal(r->tables[1].name, "visits");
	assert_int_equal(r->ncolumns, 2);
	assert_string_equal(r->columns[1], "note");
	assert_null(r->when);
}

static void
any_means_every_action_and_table(void **state)
{
	const struct access_rule *r = rule("action = 'any', on = 'any'");

	assert_int_equal(r->actions, ALL);
	assert_int_equal(r->ntables, 0);
	assert_int_equal(r->nroles, 0);
}

static void
permits_and_forbids_stand_as_in_the_file(void **state)
{
	built("permit 'a' { action = 'read', on = 'any' }\n"
	      "forbid 'b' { action = 'read', on = 'any' }\n"
	      "permit 'c' { action = 'read', on = 'any' }\n");
	assert_int_equal(access_->nrules, 3);
	assert_string_equal(access_->rules[1].name, "b");
	assert_true(access_->rules[1].forbids);
	assert_false(access_->rules[2].forbids);
}

static void
names_that_nobody_has_are_refused_with_the_nearest(void **state)
{
	rule_says("action = 'raed', on = 'visits'",
		  "access:5: permit \"p\": action: \"raed\" is none of read, "
		  "insert, update, delete or any; did you mean \"read\"?");
	rule_says("action = 'read', on = 'visit'",
		  "on: no rule of isolation.lua names \"visit\"; did you mean "
		  "\"visits\"?");
	rule_says("action = 'read', on = 'other.patients'",
		  "no rule of isolation.lua names \"other.patients\"");
	rule_says("action = 'read', on = 'salaries'", "say there whose");
	rule_says("action = 'read', on = 'a.b.c'", "no name of a table");
	rule_says("action = 'read', on = 'lunate_x'", "reserved");
	rule_says("action = 'read', on = { 'any', 'visits' }", "stands alone");
}

static void
an_empty_list_is_nobody_and_not_everybody(void **state)
{
	rule_says("role = {}, action = 'read', on = 'any'", "role is empty");
	rule_says("action = {}, on = 'any'", "action is empty");
	rule_says("action = 'read', on = {}", "on is empty");
	rule_says("action = 'read', on = 'visits', columns = {}",
		  "columns is empty");
	rule_says("role = '', action = 'read', on = 'any'", "an empty name");
}

static void
what_a_rule_cannot_mean_is_refused_with_what_to_do(void **state)
{
	rule_says("action = 'insert', on = 'visits', when = row.n:eq(1)",
		  "what is inserted is no row yet");
	rule_says("action = 'any', on = 'visits', unless = row.n:eq(1)",
		  "action = { \"read\", \"update\", \"delete\" }");
	says("forbid 'f' { action = 'any', on = 'visits', when = row.n:eq(1) }",
	     "write a rule of its own for insert");
	rule_says("action = 'delete', on = 'visits', columns = 'n'",
		  "delete takes the whole row");
	rule_says("action = 'any', on = 'visits', columns = 'n'",
		  "list the other actions");
	rule_says("action = 'read', on = 'any', columns = 'n'",
		  "name the tables");
	rule_says("action = 'read', on = 'any', when = row.n:eq(1)",
		  "name the tables");
	built("forbid 'f' { action = 'any', on = 'visits', columns = 'n' }");
}

/* ---- conditions ---------------------------------------------------------- */

static void
prints(const char *condition, const char *as)
{
	char fields[600];
	const struct access_rule *r;
	struct str s;

	snprintf(fields, sizeof(fields), "action = 'read', on = 'visits', %s",
		 condition);
	r = rule(fields);
	assert_non_null(r->when);
	str_init(&s);
	expr_print(r->when, &s);
	assert_string_equal(s.at, as);
	str_fini(&s);
}

static void
a_condition_is_kept_as_it_is_written(void **state)
{
	static const char *const same[] = {
		"has_role \"nurse\"",
		"hours(\"Mon-Fri 07:00-19:00\", \"Europe/Berlin\")",
		"hours(\"Sat 22:00-06:00\", ctx.clinic_tz)",
		"ip(\"10.20.0.0/16\", \"2001:db8:44::/48\")",
		"row.clinic_id:one_of(ctx.clinics)",
		"row.state:one_of({ \"a\", 2, true })",
		"row.note:known()",
		"row.n:lt(5)",
		"row.n:ge(-1.25)",
		"row.a:eq(row.b)",
		"row.a:ne(ctx.user)",
		"row.a:le(\"x\")",
		"row.a:gt(0.1)",
		"row.a:eq(false)",
		"ctx.clinics:has(\"A\")",
		"ctx.clinics:within({ \"A\", \"B\" })",
		"ctx.roles:within(ctx.locations)",
		"ctx.purpose:eq(\"treatment\")",
		"all { ctx.user:known(), any { row.a:eq(1), row.b:eq(2) } }",
		"no { no { ctx.device:known() } }",
	};
	char text[300];

	for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++) {
		snprintf(text, sizeof(text), "when = %s", same[i]);
		prints(text, same[i]);
	}
}

static void
values_may_be_listed_and_the_zone_left_to_the_clinic(void **state)
{
	prints("when = row.a:one_of('x', 'y')",
	       "row.a:one_of({ \"x\", \"y\" })");
	prints("when = ctx.location:one_of('x')",
	       "ctx.location:one_of({ \"x\" })");
	prints("when = hours('07:00-19:00')",
	       "hours(\"07:00-19:00\", ctx.clinic_tz)");
	prints("when = ctx.locations:has(row.at)",
	       "row.at:one_of(ctx.locations)");
	prints("when = function(ctx) return true end", "function(ctx), line 5");
	prints("when = all { ctx.user:known(), function() return true end }",
	       "all { ctx.user:known(), function(ctx), line 5 }");
	prints("when = all(ctx.user:known(), true)",
	       "all { ctx.user:known(), true }");
}

static void
unless_is_the_opposite_beside_when(void **state)
{
	prints("unless = ctx.user:known()", "no { ctx.user:known() }");
	prints("when = row.a:eq(1), unless = row.b:eq(2)",
	       "all { row.a:eq(1), no { row.b:eq(2) } }");
}

static void
a_condition_that_is_none_is_refused_at_its_line(void **state)
{
#define WHEN(text) "action = 'read', on = 'visits',\nwhen = " text
	rule_says(WHEN("row.a"), "access:6: permit \"p\": row.a by itself is "
				 "no condition; say what of it, as in "
				 "row.a:eq(true)");
	rule_says(WHEN("row.a:equals(1)"), "there is no :equals()");
	rule_says(WHEN("row.a:oneof('x')"), "did you mean :one_of()?");
	rule_says(WHEN("ctx.clinic:eq('x')"), "did you mean ctx.clinics?");
	rule_says(WHEN("ctx.shoe_size:eq('x')"), "no ctx.shoe_size");
	rule_says(WHEN("has_role 'nurze'"), "did you mean \"nurse\"?");
	rule_says(WHEN("has_role('a', 'b')"), "has_role \"nurse\"");
	rule_says(WHEN("hours('Mon-Fry 07:00-19:00')"), "access:6:");
	rule_says(WHEN("hours('07:00-19:00', 'Europe/Berlim')"),
		  "Europe/Berlim");
	rule_says(WHEN("hours('07:00-19:00', ctx.user)"),
		  "the zone is a text or ctx.clinic_tz");
	rule_says(WHEN("ip('10.20.0.0/99')"), "access:6:");
	rule_says(WHEN("ip(ctx.ip, '10.20.0.0/16')"), "about ctx.ip");
	rule_says(WHEN("ip()"), "no range is given");
	rule_says(WHEN("row.a:one_of {}"), "the list is empty");
	rule_says(WHEN("row.a:one_of()"), "it is written row.x:one_of");
	rule_says(WHEN("row.a:eq()"), "it is written row.x:eq(value)");
	rule_says(WHEN("row.a:eq { 1 }"), "what is compared is");
	rule_says(WHEN("row.a:eq(minutes(5))"), "times and sizes");
	rule_says(WHEN("row.a:eq(1e300)"), "write it as a text");
	rule_says(WHEN("ctx.user:has('x')"), "no set; use eq");
	rule_says(WHEN("row.a:has('x')"), "ctx.clinics:has(value)");
	rule_says(WHEN("ctx.clinics:eq('x')"), "one side is a set");
	rule_says(WHEN("ctx.user:lt('x')"), "attributes have no < and >");
	rule_says(WHEN("row.a:known(1)"), "it is written row.x:known()");
	rule_says(WHEN("all {}"), "all, any and no need conditions");
	rule_says(WHEN("all { 'x' }"), "all, any and no take conditions");
	rule_says(WHEN("no { row.a:known(), row.b:known() }"), "no takes one");
}

/* ---- emergencies and rates ----------------------------------------------- */

#define GLASS                                                                 \
	"break_glass 'g' { role = 'doctor', opens = {'patients', 'visits'}, " \
	"patient = { patients = 'id', visits = 'patient_id' }, lasts = "
#define GLASS_OF(opens, patient)                            \
	"break_glass 'g' { role = 'doctor', opens = " opens \
	", patient = " patient ", lasts = minutes(30) }"

static void
an_emergency_opens_tables_by_the_patients_column(void **state)
{
	const struct access_glass *g;

	built(ROLES GLASS "minutes(30), never = 'delete' }");
	assert_int_equal(access_->nglasses, 1);
	g = access_->glasses;
	assert_string_equal(g->name, "g");
	assert_int_equal(g->line, 5);
	assert_int_equal(g->nroles, 1);
	assert_int_equal(g->roles[0], 3);
	assert_int_equal(g->ntables, 2);
	assert_string_equal(g->tables[0].name, "patients");
	assert_string_equal(g->columns[0], "id");
	assert_string_equal(g->columns[1], "patient_id");
	assert_int_equal(g->actions, 1u << TENANT_READ | 1u << TENANT_UPDATE);
	assert_int_equal(g->lasts_s, 1800);
	assert_int_equal(g->review_s, 72 * 3600);
}

static void
an_emergency_that_opens_too_much_or_nothing_is_refused(void **state)
{
	says(GLASS "days(2) }", "between seconds(1) and days(1)");
	says(GLASS "0 }", "lasts is a time");
	says(GLASS "seconds(0) }", "between seconds(1) and days(1)");
	says(GLASS "minutes(5), review_within = seconds(0) }", "review_within");
	says(GLASS "minutes(5), never = 'any' }", "leaves it no action");
	says(GLASS "minutes(5), never = 'export' }",
	     "never: \"export\" is none");
	says(GLASS_OF("'any'", "{ visits = 'id' }"), "opens names each table");
	says(GLASS_OF("'visits'", "{ visits = 'id', patients = 'id' }"),
	     "patient names \"patients\", which it does not open");
	says(GLASS_OF("{ 'visits', 'patients' }", "{ visits = 'id' }"),
	     "which column of \"patients\" is the patient's id?");
	says(GLASS_OF("'visits'", "{ visit = 'id' }"), "mean \"visits\"?");
	says("break_glass 'g' { role = {}, opens = 'visits', patient = { "
	     "visits = 'id' }, lasts = minutes(1) }",
	     "role is empty");
}

/* What no whole number of microseconds holds became any number at all. */
static void
a_time_that_is_too_long_is_refused_and_not_cut_off(void **state)
{
	built(ROLES GLASS "days(1), review_within = days(3650) }");
	assert_int_equal(access_->glasses->review_s, 3650 * INT64_C(86400));
	says(GLASS "days(1e300) }", "between seconds(1) and days(1)");
	says(GLASS "minutes(5), review_within = days(3651) }",
	     "between seconds(1) and days(3650)");
	says(GLASS "minutes(5), review_within = days(1e300) }",
	     "between seconds(1) and days(3650)");
	built("limit 'a' { rate = 1, window = days(366) }");
	assert_int_equal(access_->rates->window_ms, 366 * INT64_C(86400000));
	says("limit 'a' { rate = 1, window = days(367) }", "and days(366)");
	says("limit 'a' { rate = 1, window = days(1e300) }", "and days(366)");
}

static void
a_limit_is_a_number_in_a_time_for_each(void **state)
{
	built("limit 'a' { rate = 100, window = minutes(1) }\n"
	      "limit 'b' { rate = 5, window = seconds(0.5), per = 'user' }");
	assert_int_equal(access_->nrates, 2);
	assert_true(access_->rates[0].operations == 100);
	assert_int_equal(access_->rates[0].window_ms, 60000);
	assert_false(access_->rates[0].per_user);
	assert_int_equal(access_->rates[1].window_ms, 500);
	assert_true(access_->rates[1].per_user);
	says("limit 'a' { rate = 0, window = minutes(1) }", "rate is 1");
	says("limit 'a' { rate = 1, window = seconds(0) }", "window is");
}

static int
end(void **state)
{
	if (rules != NULL)
		rules_unpin(&rules);
	return folders_end(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			no_access_file_is_no_rules_and_an_empty_one_denies),
		cmocka_unit_test(a_role_holds_all_that_it_inherits),
		cmocka_unit_test(what_roles_cannot_be_is_said),
		cmocka_unit_test(
			a_rule_has_its_roles_tables_actions_and_columns),
		cmocka_unit_test(any_means_every_action_and_table),
		cmocka_unit_test(permits_and_forbids_stand_as_in_the_file),
		cmocka_unit_test(
			names_that_nobody_has_are_refused_with_the_nearest),
		cmocka_unit_test(an_empty_list_is_nobody_and_not_everybody),
		cmocka_unit_test(
			what_a_rule_cannot_mean_is_refused_with_what_to_do),
		cmocka_unit_test(a_condition_is_kept_as_it_is_written),
		cmocka_unit_test(
			values_may_be_listed_and_the_zone_left_to_the_clinic),
		cmocka_unit_test(unless_is_the_opposite_beside_when),
		cmocka_unit_test(
			a_condition_that_is_none_is_refused_at_its_line),
		cmocka_unit_test(
			an_emergency_opens_tables_by_the_patients_column),
		cmocka_unit_test(
			an_emergency_that_opens_too_much_or_nothing_is_refused),
		cmocka_unit_test(
			a_time_that_is_too_long_is_refused_and_not_cut_off),
		cmocka_unit_test(a_limit_is_a_number_in_a_time_for_each),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, folders_begin, end);
}
