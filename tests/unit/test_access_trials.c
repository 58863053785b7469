/* SPDX-License-Identifier: MIT
 *
 * The tests that an access.lua brings along: what holds, and what is said of
 * one that does not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "load.h"
#include "texts.h"
#include "vocab.h"
#include "watchdog.h"

static struct watchdog *dog;
static struct rules *base;

static const char *const isolation = "tenant { type = 'text' }\n"
				     "rows 'patients' { by = 'clinic' }\n"
				     "rows 'visits' { by = 'clinic' }\n"
				     "rows 'codes' { shared = 'read' }\n";

static const char *const policy =
	"role 'staff' {}\n"
	"role 'nurse' { is = 'staff' }\n"
	"role 'doctor' { is = 'staff' }\n"
	"permit 'nurses by day' {\n"
	"  role = 'nurse', action = { 'read', 'update' }, on = 'visits',\n"
	"  when = all { hours('Mon-Fri 08:00-18:00', ctx.clinic_tz),\n"
	"               row.location:one_of(ctx.locations) } }\n"
	"permit 'doctors' { role = 'doctor', action = 'any', on = 'any' }\n"
	"permit 'who it is' { role = 'nurse', action = 'read',\n"
	"  on = 'patients', columns = { 'name', 'clinic' } }\n"
	"permit 'grown up' { role = 'staff', action = 'insert',\n"
	"  on = 'patients', columns = { 'name' } }\n"
	"permit 'codes' { action = 'read', on = 'codes' }\n"
	"forbid 'closed' { action = { 'read', 'update', 'delete' },\n"
	"  on = 'visits', when = row.closed:eq(true) }\n"
	"forbid 'old ones' { action = 'delete', on = 'visits',\n"
	"  when = row.age:gt(10) }\n"
	"forbid 'asked' { action = 'update', on = 'codes',\n"
	"  when = function(ctx) return ctx.device ~= 'till' end }\n";

static int
begin(void **state)
{
	struct err e;

	base = rules_new();
	return watchdog_new(&dog, &e);
}

static int
end(void **state)
{
	rules_unpin(&base);
	watchdog_free(&dog);
	return 0;
}

static int
load_both(const char *owners, const char *text, struct err *e)
{
	const char *list[VOCAB_FILES] = {0};
	struct texts *t;
	struct load_ask ask = {.schema = "clinic",
			       .base = base,
			       .workers = 1,
			       .watchdog = dog};
	struct rules *r;
	int rc;

	list[vocab_file("isolation", 9) - vocab_files] = owners;
	list[vocab_file("access", 6) - vocab_files] = text;
	ask.texts = t = texts_of("policies", list);
	rc = load_rules(&ask, &r, e);
	texts_unpin(&t);
	if (rc == 0)
		rules_unpin(&r);
	return rc;
}

/* policy and a test of the fields given. */
static int
load(const char *fields, struct err *e)
{
	char text[4000];

	snprintf(text, sizeof(text), "%stest 't' { %s }", policy, fields);
	return load_both(isolation, text, e);
}

static void
holds(const char *fields)
{
	struct err e;

	if (load(fields, &e) < 0)
		fail_msg("%s: %s", fields, e.text);
}

static void
says(const char *fields, const char *part)
{
	struct err e;

	if (load(fields, &e) == 0)
		fail_msg("accepted: %s", fields);
	if (strstr(e.text, part) == NULL)
		fail_msg("%s: \"%s\" has no \"%s\"", fields, e.text, part);
}

#define NURSE                                                          \
	"as = { tenant = 'A', roles = 'nurse', locations = { 'L1' }, " \
	"clinic_tz = 'Europe/Berlin' }, on = 'visits', "
#define DAY "at = '2026-06-15T10:00Z', " /* a Monday, noon in Berlin */
#define DOCTOR "as = { tenant = 'A', roles = 'doctor' }, on = 'visits', "

static void
what_can_be_done_to_a_row_is_tested(void **state)
{
	holds(NURSE DAY
	      "can = 'read', row = { location = 'L1', closed = false }");
	holds(NURSE DAY "cannot = 'read', row = { location = 'L2', closed = "
			"false }");
	holds(NURSE DAY "cannot = 'read', row = { location = 'L1', closed = "
			"true }");
	holds(NURSE DAY "cannot = 'read', row = { location = 'L1' }");
	holds(NURSE DAY "cannot = 'delete', row = { location = 'L1', closed = "
			"false, age = 1 }");
	holds(DOCTOR "can = 'delete', row = { closed = false, age = 10 }");
	holds(DOCTOR "cannot = 'delete', row = { closed = false, age = 11 }");
	holds(DOCTOR "cannot = 'delete', row = { closed = false, age = 10.5 }");
}

static void
the_time_is_that_of_the_test_and_else_not_known(void **state)
{
#define AT(time) \
	NURSE "row = { location = 'L1', closed = false }, at = '" time "', "
	holds(AT("2026-06-15T15:59Z") "can = 'update'");
	holds(AT("2026-06-15T16:00:00Z") "cannot = 'update'");
	holds(AT("2026-06-15T18:00+02:00") "cannot = 'update'");
	holds(AT("2026-06-15T17:59:59+02:00") "can = 'update'");
	holds(AT("2026-06-14T10:00Z") "cannot = 'update'");
	holds(NURSE "row = { location = 'L1', closed = false }, "
		    "cannot = 'update'");
	says(AT("2026-02-30T10:00Z") "can = 'read'", "is no time; write");
	says(AT("2026-06-15 10:00") "can = 'read'", "is no time; write");
	says(AT("2026-06-15T10:00") "can = 'read'", "is no time; write");
}

static void
columns_are_those_that_are_read_or_written(void **state)
{
#define PATIENTS "as = { tenant = 'A', roles = 'nurse' }, on = 'patients', "
	holds(PATIENTS "can = 'read'");
	holds(PATIENTS "can = 'read', columns = 'name'");
	holds(PATIENTS "cannot = 'read', columns = { 'name', 'ssn' }");
	holds(PATIENTS "can = 'insert', row = { name = 'x' }");
	holds(PATIENTS "cannot = 'insert', row = { name = 'x', ssn = 'y' }");
	holds(PATIENTS "can = 'insert', row = { name = 'x', ssn = 'y' }, "
		       "columns = 'name'");
	says(PATIENTS "can = 'read', columns = 'ssn'",
	     "it cannot: no permit holds for column ssn");
}

static void
because_names_a_rule_that_counts(void **state)
{
	holds(NURSE DAY "can = 'read', because = 'nurses by day', "
			"row = { location = 'L1', closed = false }");
	holds(NURSE DAY "cannot = 'read', because = 'closed', "
			"row = { location = 'L1', closed = true }");
	holds(NURSE DAY "cannot = 'read', because = 'no permit', "
			"row = { location = 'L2', closed = false }");
	says(NURSE DAY "cannot = 'read', because = 'no permit', "
		       "row = { location = 'L1', closed = true }",
	     "it cannot: forbid \"closed\" (policies/access.lua:");
	says(NURSE DAY "can = 'read', because = 'doctors', "
		       "row = { location = 'L1', closed = false }",
	     "it can: permit \"nurses by day\"");
	says(NURSE DAY "can = 'read', because = 'nurses by dya', "
		       "row = { location = 'L1', closed = false }",
	     "did you mean \"nurses by day\"?");
	says(NURSE DAY "cannot = 'read', because = 'doctors', "
		       "row = { location = 'L2', closed = true }",
	     "\"doctors\" is no rule");
}

static void
what_came_out_instead_is_said_with_what_was_missing(void **state)
{
	says(NURSE DAY
	     "can = 'read', row = { location = 'L2', closed = false }",
	     "it cannot: no permit holds; permit \"nurses by day\" "
	     "(policies/access.lua:4) wants row.location:one_of(ctx.locations)");
	says(NURSE DAY "cannot = 'read', row = { location = 'L1', closed = "
		       "false }",
	     "it can: permit \"nurses by day\" (policies/access.lua:4)");
	says(NURSE "can = 'read', row = { location = 'L1', closed = false }",
	     "wants hours(\"Mon-Fri 08:00-18:00\", ctx.clinic_tz)");
}

static void
a_function_is_asked_in_a_test_too(void **state)
{
#define CODES "as = { roles = 'doctor', device = "
	holds(CODES "'till' }, on = 'codes', can = 'update'");
	holds(CODES "'pad' }, on = 'codes', cannot = 'update', because = "
		    "'asked'");
}

static void
a_test_that_makes_no_sense_is_refused(void **state)
{
	says(NURSE "can = 'reed'", "\"reed\" is none of");
	says(NURSE "can = 'read', cannot = 'read'", "say one");
	says(NURSE "can = 'read', sql = 'select 1'", "write two tests");
	says("can = 'read'", "on which table?");
	says("can = 'read', on = 'salaries'", "no rule of isolation.lua");
	says("can = 'read', on = 'visits', as = { shoe = 1 }", "as: ");
	says(NURSE "can = 'read', row = { a = { 1 } }",
	     "row: a is a text, a number, true or false");
}

static void
a_statement_is_tested_under_the_rules(void **state)
{
	holds("as = { tenant = 'A', roles = 'doctor' }, "
	      "sql = 'select * from visits', gives = 'scoped'");
	holds("as = { tenant = 'A', roles = 'nurse' }, "
	      "sql = 'select ssn from patients', gives = 'scoped'");
	holds("as = { tenant = 'A', roles = 'nurse' }, "
	      "sql = 'select * from visits', because = 'access'");
	holds(NURSE DAY "sql = 'select * from visits', gives = 'scoped'");
	holds("as = { tenant = 'A', roles = 'nurse' }, because = 'access', "
	      "sql = 'update patients set name = $1'");
	holds("as = { tenant = 'A', roles = 'nurse' }, because = 'access', "
	      "sql = 'insert into patients (name, ssn) values ($1, $2)'");
	holds("sql = 'select * from codes', because = 'access'");
	holds("as = { tenant = 'A' }, sql = 'select * from codes', "
	      "gives = 'open'");
	says("as = { tenant = 'A', roles = 'nurse' }, gives = 'scoped', "
	     "sql = 'delete from patients'",
	     "refused (access): clinic.patients: no permit holds");
}

static void
a_test_of_isolation_is_about_isolation_alone(void **state)
{
	char owners[1000];
	struct err e;

	snprintf(owners, sizeof(owners),
		 "%stest 't' { as = { tenant = 'A' }, gives = 'scoped', "
		 "sql = 'delete from visits' }",
		 isolation);
	if (load_both(owners, policy, &e) < 0)
		fail_msg("%s", e.text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_can_be_done_to_a_row_is_tested),
		cmocka_unit_test(
			the_time_is_that_of_the_test_and_else_not_known),
		cmocka_unit_test(columns_are_those_that_are_read_or_written),
		cmocka_unit_test(because_names_a_rule_that_counts),
		cmocka_unit_test(
			what_came_out_instead_is_said_with_what_was_missing),
		cmocka_unit_test(a_function_is_asked_in_a_test_too),
		cmocka_unit_test(a_test_that_makes_no_sense_is_refused),
		cmocka_unit_test(a_statement_is_tested_under_the_rules),
		cmocka_unit_test(a_test_of_isolation_is_about_isolation_alone),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, begin, end);
}
