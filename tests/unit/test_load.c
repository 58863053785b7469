/* SPDX-License-Identifier: MIT
 *
 * Policy folders: which rules they make, and what is said of those that make
 * none.
 */
#include "load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "decl.h"
#include "tenant.h"
#include "texts.h"
#include "vocab.h"
#include "watchdog.h"

static struct watchdog *dog;
static struct rules *base;

static int
begin(void **state)
{
	struct err e;

	base = rules_new();
	base->classes[RULES_WRITE].timeout_ms = 12345;
	return watchdog_new(&dog, &e);
}

static int
end(void **state)
{
	rules_unpin(&base);
	watchdog_free(&dog);
	return 0;
}

static struct texts *
folder(const char *name, const char *text)
{
	const char *list[VOCAB_FILES] = {0};

	if (name != NULL)
		list[vocab_file(name, strlen(name)) - vocab_files] = text;
	return texts_of("policies", list);
}

static int
load(struct texts *t, struct rules **out, struct err *e)
{
	const struct load_ask ask = {
		.texts = t, .schema = "clinic", .base = base, .watchdog = dog};
	int rc = load_rules(&ask, out, e);

	texts_unpin(&t);
	return rc;
}

static struct rules *
loaded(const char *name, const char *text)
{
	struct rules *r;
	struct err e;

	if (load(folder(name, text), &r, &e) < 0)
		fail_msg("%s", e.text);
	return r;
}

static void
says(const char *name, const char *text, const char *part)
{
	struct rules *r;
	struct err e;

	if (load(folder(name, text), &r, &e) == 0)
		fail_msg("accepted: %s", text);
	assert_int_equal(e.code, LUNATE_ECONFIG);
	if (strstr(e.text, part) == NULL)
		fail_msg("%s: \"%s\" has no \"%s\"", text, e.text, part);
}

/* ---- isolation --------------------------------------------------------- */

#define UUID "tenant { type = 'uuid' }\n"

static void
no_isolation_file_closes_everything(void **state)
{
	struct rules *r = loaded(NULL, NULL);

	assert_int_equal(r->isolation.state, ISOLATION_CLOSED);
	assert_non_null(strstr(r->isolation.closed, "isolation.lua"));
	assert_null(r->isolation.tables);
	assert_true(r->decision_epoch != 0);
	rules_unpin(&r);
}

static void
an_empty_isolation_file_lets_no_table_through(void **state)
{
	struct rules *r = loaded("isolation", "-- nothing yet");

	assert_int_equal(r->isolation.state, ISOLATION_ON);
	assert_int_equal(r->isolation.tables->ntables, 0);
	rules_unpin(&r);
}

static void
rules_are_sorted_and_have_their_ways(void **state)
{
	struct rules *r = loaded(
		"isolation", UUID
		"rows 'visits' { by = 'clinic_id' }\n"
		"rows 'items' { parent = 'visits', on = { visit_id = 'id' } }\n"
		"rows 'members' { by = 'clinic_id', write = 'own' }\n"
		"rows 'patients' { through = 'members', write = 'never',\n"
		"  on = { id = 'patient_id' } }\n"
		"rows 'lookup.codes' { shared = 'read' }\n");
	const struct tenant_rules *t = r->isolation.tables;

	assert_int_equal(t->type, TENANT_UUID);
	assert_int_equal(t->ntables, 5);
	for (unsigned i = 1; i < t->ntables; i++)
		assert_true(
			strcmp(t->tables[i - 1].schema, t->tables[i].schema) <
				0 ||
			strcmp(t->tables[i - 1].name, t->tables[i].name) < 0);
	assert_int_equal(tenant_find(t, "clinic", "visits")->kind, TENANT_BY);
	assert_string_equal(tenant_find(t, "clinic", "visits")->column,
			    "clinic_id");
	assert_int_equal(tenant_find(t, "clinic", "visits")->line, 2);
	assert_false(tenant_find(t, "clinic", "visits")->write_own);
	assert_true(tenant_find(t, "clinic", "members")->write_own);
	assert_string_equal(tenant_find(t, "clinic", "visits")->file,
			    "policies/isolation.lua");
	assert_string_equal(tenant_find(t, "clinic", "items")->via, "visits");
	assert_string_equal(tenant_find(t, "clinic", "items")->on[0].own,
			    "visit_id");
	assert_string_equal(tenant_find(t, "clinic", "items")->on[0].other,
			    "id");
	assert_string_equal(tenant_find(t, "clinic", "patients")->column,
			    "clinic_id");
	assert_string_equal(tenant_find(t, "clinic", "patients")->via_schema,
			    "clinic");
	assert_true(tenant_find(t, "clinic", "patients")->write_never);
	assert_int_equal(tenant_find(t, "lookup", "codes")->kind,
			 TENANT_SHARED);
	assert_null(tenant_find(t, "clinic", "codes"));
	rules_unpin(&r);
}

static void
modes_and_lists_are_taken(void **state)
{
	struct rules *r = loaded("isolation", "");

	assert_int_equal(r->isolation.mode, ISOLATION_BOTH);
	assert_false(r->isolation.show_detail);
	assert_null(r->isolation.canary);
	rules_unpin(&r);
	r = loaded("isolation",
		   "tenant { type = 'int8' }"
		   "database { mode = 'rewrite' }"
		   "errors { detail = 'show' }"
		   "canary { tenant = '999' }"
		   "functions { add = { 'similarity', 'app.age' }, remove = "
		   "'md5' }");
	assert_int_equal(r->isolation.mode, ISOLATION_REWRITE);
	assert_true(r->isolation.show_detail);
	assert_string_equal(r->isolation.canary, "999");
	assert_int_equal(r->isolation.tables->type, TENANT_INT8);
	assert_int_equal(r->isolation.tables->nadded, 2);
	assert_string_equal(r->isolation.tables->added[1], "app.age");
	assert_int_equal(r->isolation.tables->nremoved, 1);
	rules_unpin(&r);
	r = loaded("isolation", "database { mode = 'rls' }");
	assert_int_equal(r->isolation.mode, ISOLATION_RLS);
	rules_unpin(&r);
}

static void
isolation_that_does_not_hold_together_is_told(void **state)
{
	static const char *const cases[][2] = {
		{"rows 'a' { by = 'c' }", "isolation.lua:1:7: rows \"a\""},
		{"rows 'a' { by = 'c' }", "tenant { type"},
		{UUID "rows 'a' {}", "none of by, parent"},
		{UUID "rows 'a' { by = 'c', shared = 'read' }",
		 "more than one"},
		{UUID "rows 'a' { by = 'c', parent = 'b', on = {x='y'} }",
		 "more than one"},
		{UUID "rows 'b' { by = 'c' } rows 'a' { parent = 'b' }",
		 "on is missing"},
		{UUID "rows 'a' { by = 'c', on = { x = 'y' } }",
		 "on belongs to"},
		{UUID "rows 'a' { shared = 'read', write = 'never' }",
		 "never written"},
		{UUID "rows 'a' { by = '' }", "by is empty"},
		{UUID "rows 'a' { by = 'c' }\nrows 'clinic.a' { by = 'd' }",
		 "isolation.lua:3:7: rows \"clinic.a\": clinic.a has a rule "
		 "already, in line 2"},
		{UUID "rows 'a.b.c' { by = 'c' }", "schema.table"},
		{UUID "rows '.c' { by = 'c' }", "schema.table"},
		{UUID "rows 'lunate_x' { by = 'c' }", "reserved"},
		{UUID "rows 'visits' { by = 'c' }"
		      "rows 'a' { parent = 'visit', on = { x = 'y' } }",
		 "did you mean \"visits\"?"},
		{UUID "rows 'a' { parent = 'zzzzzz', on = { x = 'y' } }",
		 "declare rows \"zzzzzz\""},
		{UUID "rows 's' { shared = 'read' }"
		      "rows 'a' { parent = 's', on = { x = 'y' } }",
		 "is shared, and so nobody's"},
		{UUID "rows 's' { shared = 'read' }"
		      "rows 'a' { through = 's', on = { x = 'y' } }",
		 "needs a rule with by"},
		{UUID "rows 'm' { by = 'c' }"
		      "rows 'a' { through = 'm', by = 'd', on = { x = 'y' } }",
		 "belong to whom \"c\" says"},
		{UUID "rows 'a' { parent = 'a', on = { x = 'y' } }",
		 "lead back"},
		{UUID "rows 'a' { parent = 'b', on = { x = 'y' } }"
		      "rows 'b' { parent = 'c', on = { x = 'y' } }"
		      "rows 'c' { parent = 'b', on = { x = 'y' } }",
		 "lead back"},
		{"functions { add = 'f', remove = 'f' }", "added and removed"},
		{"canary { tenant = '' }", "is empty"},
		{"database { mode = 'rewrite', seal = true }", "row policies"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		says("isolation", cases[i][0], cases[i][1]);
}

static void
by_beside_through_may_say_the_same_again(void **state)
{
	struct rules *r = loaded("isolation",
				 UUID "rows 'm' { by = 'c' }"
				      "rows 'a' { through = 'm', by = 'c', on "
				      "= { x = 'y' } }");

	assert_int_equal(tenant_find(r->isolation.tables, "clinic", "a")->kind,
			 TENANT_THROUGH);
	rules_unpin(&r);
}

/* ---- resilience -------------------------------------------------------- */

static void
what_a_file_does_not_say_stays(void **state)
{
	struct rules *r = loaded("resilience",
				 "class 'read' { timeout = seconds(2) }"
				 "retry { cap = seconds(5) }");

	assert_int_equal(r->classes[RULES_READ].timeout_ms,
			 base->classes[RULES_READ].timeout_ms);
	assert_true(r->not_yet != 0);
	assert_int_equal(r->classes[RULES_READ].retries,
			 base->classes[RULES_READ].retries);
	assert_int_equal(r->classes[RULES_WRITE].timeout_ms, 12345);
	assert_int_equal(r->retry.base_ms, base->retry.base_ms);
	assert_int_equal(r->retry.cap_ms, 5000);
	rules_unpin(&r);
	r = loaded("resilience", "class 'critical' { retries = 0 }");
	assert_int_equal(r->classes[RULES_CRITICAL].retries, 0);
	assert_int_equal(r->not_yet, 0);
	rules_unpin(&r);
}

static void
numbers_out_of_bounds_are_told(void **state)
{
	says("resilience", "class 'read' { timeout = seconds(0) }", "1 ms");
	says("resilience", "class 'read' { timeout = seconds(-1) }",
	     "a number from 0");
	says("resilience", "class 'read' { timeout = days(2) }", "one day");
	says("resilience", "class 'read' { timeout = seconds(0/0) }", "");
	says("resilience", "class 'read' { retries = 1.5 }", "whole number");
	says("resilience", "class 'read' { retries = -1 }", "whole number");
	says("resilience", "class 'read' { retries = 21 }", "whole number");
	says("resilience", "retry { base = seconds(3), cap = seconds(1) }",
	     "longer than cap");
}

/* ---- every file -------------------------------------------------------- */

static void
guards_that_nothing_enforces_are_refused(void **state)
{
	says("encryption", "field 'patients.ssn' { search = 'none' }",
	     "encryption.lua:1:8: field \"patients.ssn\": nothing in this "
	     "version enforces");
	says("audit", "\nrecord 'read' { of = 'any' }", "audit.lua:2:");
}

static void
what_has_no_effect_yet_is_noted(void **state)
{
	struct rules *r = loaded("cache", "default { fresh = minutes(5) }");
	const struct vocab_file *f = vocab_file("cache", 5);

	assert_int_equal(r->not_yet, 1u << (f - vocab_files));
	rules_unpin(&r);
	r = loaded("cache", "-- nothing");
	assert_int_equal(r->not_yet, 0);
	rules_unpin(&r);
}

static void
every_file_is_checked(void **state)
{
	for (unsigned i = 0; i < VOCAB_FILES; i++) {
		char where[80];

		snprintf(where, sizeof(where),
			 "policies/%s.lua:2:", vocab_files[i].name);
		says(vocab_files[i].name, "\nnonsense = = 1", where);
		says(vocab_files[i].name, "\nnonsense { a = 1 }", where);
		says(vocab_files[i].name, "while true do end",
		     ".lua: took too long");
	}
}

static void
rules_keep_what_they_were_made_of(void **state)
{
	struct texts *t = folder("isolation", UUID "rows 'a' { by = 'c' }");
	uint64_t epoch = t->decisions;
	struct rules *r;
	struct err e;

	assert_int_equal(load(t, &r, &e), 0);
	assert_int_equal(r->decision_epoch, epoch);
	assert_int_equal(r->texts->decisions, epoch);
	assert_string_equal(r->isolation.tables->tables[0].column, "c");
	rules_unpin(&r);
}

/* ---- tests of the files ------------------------------------------------ */

#define CLINIC                                                             \
	UUID "rows 'visits' { by = 'clinic_id' }\n"                        \
	     "rows 'items' { parent = 'visits', on = { visit_id = 'id' } " \
	     "}\n"                                                         \
	     "rows 'codes' { shared = 'read' }\n"
#define A "00000000-0000-0000-0000-00000000000a"
#define B "00000000-0000-0000-0000-00000000000b"

static void
tests_that_hold_let_the_file_pass(void **state)
{
	struct rules *r = loaded(
		"isolation", CLINIC
		"local a = { tenant = '" A "' }\n"
		"test 'own' { as = a, sql = 'select * from visits', gives = "
		"'scoped' }\n"
		"test 'kids' { as = a, sql = 'select i.n from items i join "
		"visits v on v.id = i.visit_id where v.\"Note\" = $1', gives = "
		"'scoped' }\n"
		"test 'codes' { as = a, sql = 'select * from codes', gives = "
		"'open' }\n"
		"test 'system' { as = { system = 'report' }, sql = 'select 1 "
		"from visits', gives = 'open' }\n"
		"test 'nobody' { sql = 'select 1 from visits', because = "
		"'no-tenant' }\n"
		"test 'others' { as = a, sql = 'select * from pg_class', gives "
		"= 'refused', because = 'catalog' }\n"
		"test 'unknown' { as = a, sql = 'select * from nowhere', "
		"because = 'unknown-table' }\n"
		"test 'write' { as = a, sql = 'insert into visits (n) values "
		"($1)', gives = 'scoped' }\n"
		"test 'sets read' { as = { tenant = { '" A "', '" B "' } }, "
		"sql = 'select * from visits', gives = 'scoped' }\n"
		"test 'sets do not write' { as = { tenant = { '" A "', '" B
		"' } }, sql = 'delete from visits', because = 'tenant' }\n"
		"test 'type' { as = { tenant = '7' }, sql = 'select 1 from "
		"visits', because = 'tenant' }\n"
		"test 'shared' { as = a, sql = 'delete from codes', because = "
		"'shared' }\n");

	rules_unpin(&r);
}

static void
tests_that_do_not_hold_stop_the_file(void **state)
{
	says("isolation",
	     CLINIC "test 'x' { as = { tenant = '" A "' }, sql = 'select * "
		    "from visits', gives = 'open' }",
	     "isolation.lua:5:7: test \"x\": \"open\" was expected, and it is "
	     "scoped");
	says("isolation",
	     CLINIC "test 'x' { as = { tenant = '" A "' }, sql = 'select * "
		    "from nowhere', gives = 'scoped' }",
	     "it is refused: refused (unknown-table)");
	says("isolation",
	     CLINIC "test 'x' { as = { tenant = '" A "' }, sql = 'select * "
		    "from nowhere', because = 'catalog' }",
	     "because of \"catalog\", and it is refused (unknown-table)");
}

static void
tests_that_say_nothing_are_errors(void **state)
{
	static const char *const cases[][2] = {
		{"test 'x' { gives = 'scoped' }", "no statement"},
		{"test 'x' { sql = 'select 1' }", "expects nothing"},
		{"test 'x' { sql = 'select 1', gives = 'open', because = "
		 "'form' }",
		 "no reason to be refused"},
		{"test 'x' { sql = 'select 1', because = 'catalogue' }",
		 "did you mean \"catalog\"?"},
		{"test 'x' { sql = 'select from from', gives = 'open' }",
		 "sql:"},
		{"test 'x' { as = { tennant = 'a' }, sql = 'select 1', gives = "
		 "'open' }",
		 "as:"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		says("isolation", cases[i][0], cases[i][1]);
	says("cache", "test 'x' { sql = 'select 1', gives = 'open' }",
	     "there is no isolation.lua");
}

static int passed, failed;

static void
count(void *arg, const struct decl *test, const struct err *e)
{
	assert_string_equal(test->word->name, "test");
	*(e->code == 0 ? &passed : &failed) += 1;
}

static void
all_tests_can_be_heard_of(void **state)
{
	struct texts *t = folder(
		"isolation", "test 'a' { sql = 'select 1', gives = 'scoped' }"
			     "test 'b' { sql = 'select 1', gives = 'open' }"
			     "test 'c' { sql = 'select 1', gives = 'scoped' }");
	const struct load_ask ask = {
		.texts = t, .base = base, .watchdog = dog, .tested = count};
	struct rules *r;
	struct err e;

	assert_int_equal(load_rules(&ask, &r, &e), LUNATE_ECONFIG);
	assert_int_equal(passed, 1);
	assert_int_equal(failed, 2);
	assert_non_null(strstr(e.text, "test \"a\""));
	texts_unpin(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_isolation_file_closes_everything),
		cmocka_unit_test(an_empty_isolation_file_lets_no_table_through),
		cmocka_unit_test(rules_are_sorted_and_have_their_ways),
		cmocka_unit_test(modes_and_lists_are_taken),
		cmocka_unit_test(isolation_that_does_not_hold_together_is_told),
		cmocka_unit_test(by_beside_through_may_say_the_same_again),
		cmocka_unit_test(what_a_file_does_not_say_stays),
		cmocka_unit_test(numbers_out_of_bounds_are_told),
		cmocka_unit_test(guards_that_nothing_enforces_are_refused),
		cmocka_unit_test(what_has_no_effect_yet_is_noted),
		cmocka_unit_test(every_file_is_checked),
		cmocka_unit_test(rules_keep_what_they_were_made_of),
		cmocka_unit_test(tests_that_hold_let_the_file_pass),
		cmocka_unit_test(tests_that_do_not_hold_stop_the_file),
		cmocka_unit_test(tests_that_say_nothing_are_errors),
		cmocka_unit_test(all_tests_can_be_heard_of),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
