/* SPDX-License-Identifier: MIT
 *
 * Each lint: a fault is planted, the lint sees it, its fix mends it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "closed.h"
#include "lints.h"
#include "rls_world.h"
#include "runtime.h"

static struct loop *loop;
static struct runtime *rt;
static bool asked, closing;

/* The parent of items is partitioned, and no key of its own is unique. */
static const struct isolation_accept repeats = {
	.lint = "key-repeats", .schema = "h", .name = "items"};
static struct isolation_rules isolation = {.state = ISOLATION_ON,
					   .mode = ISOLATION_BOTH,
					   .tables = &rls_rules,
					   .accepted = &repeats,
					   .naccepted = 1};

static void
open_as(const char *user)
{
	char url[200];
	struct config c;
	struct err e;

	snprintf(url, sizeof(url),
		 "postgresql:///lunate_test?host=%s&port=5432&user=%s",
		 server_dir, user);
	loop = loop_new();
	config_init(&c);
	assert_int_equal(config_set(&c, "url", url, &e), 0);
	assert_int_equal(config_set(&c, "schema", "public", &e), 0);
	assert_int_equal(config_set(&c, "log_level", "error", &e), 0);
	assert_int_equal(config_set_number(&c, "pool_min", 0, &e), 0);
	assert_int_equal(config_check(&c, NULL, &e), 0);
	assert_int_equal(runtime_open(&rt, &c, loop, &e), 0);
}

static void
shut(void)
{
	runtime_free(&rt);
	loop_free(&loop);
}

static void
on_done(struct lints *l)
{
	(void)l;
	asked = true;
}

/* All lints, asked as `user`; the caller ends it with examined(). */
static void
examine(struct lints *l, const char *user, const struct isolation_rules *of)
{
	memset(l, 0, sizeof(*l));
	l->closing = closing;
	asked = false;
	open_as(user);
	lints_start(l, &rt->workers[0], of, on_done);
	for (int i = 0; i < 2000 && !asked; i++)
		loop_turn(loop, 0.02);
	assert_true(asked);
}

static void
examined(struct lints *l)
{
	lints_fini(l);
	shut();
}

/* How many findings of one lint; its fixes, one after the other. */
static unsigned
count(const char *user, const char *lint, struct str *fixes)
{
	struct lints l;
	unsigned n = 0;

	examine(&l, user, &isolation);
	if (l.op.err.code != 0)
		fail_msg("%s", l.op.err.text);
	for (unsigned i = 0; i < lints_found(&l); i++) {
		struct lint_finding f = lints_finding(&l, i);

		if (strcmp(f.lint->name, lint) != 0)
			continue;
		n++;
		assert_true(f.fix[0] != 0);
		assert_true(f.lint->closes || !f.closes);
		if (fixes != NULL)
			str_addf(fixes, "%s;", f.fix);
	}
	examined(&l);
	return n;
}

static void
clean_begin(void)
{
	rls_begin();
	(void)server_sql("revoke truncate, references, trigger on all tables "
			 "in schema h from app; revoke create on schema public "
			 "from public; revoke all on h.visits_old, "
			 "h.visits_new from app; alter table h.notes drop "
			 "constraint notes_ssn_key; create index on h.visits "
			 "(clinic_id); create index on h.\"odd % 'Name\" "
			 "(clinic_id); create index on h.patient_clinics "
			 "(clinic_id); alter table h.patient_clinics drop "
			 "constraint patient_clinics_patient_id_fkey, add "
			 "constraint patient_clinics_patient_id_fkey foreign "
			 "key (patient_id) references h.patients");
}

static void
mend(const struct str *fixes)
{
	const struct rls_options o = {.rules = &rls_rules};

	if (strncmp(fixes->at, "lunate policy rls", 17) == 0)
		rls_apply(&o);
	else
		(void)server_sql(fixes->at);
}

struct fault {
	const char *lint, *plant, *undo; /* undo: what no fix takes back */
};

static const struct fault faults[] = {
	{"role-superuser", "alter role app superuser"},
	{"role-bypass", "alter role app bypassrls"},
	{"role-createrole", "alter role app createrole"},
	{"role-member", "grant pg_read_all_data to app"},
	{"role-owner", "alter table h.notes owner to app"},
	{"schema-create", "grant create on schema h to app"},
	{"grant-truncate", "grant truncate on h.notes to public"},
	{"default-privileges",
	 "alter default privileges in schema h grant select on tables to "
	 "public"},
	{"column-missing",
	 "truncate h.notes; alter table h.notes drop column clinic_id cascade"},
	{"column-type",
	 "alter table h.notes drop constraint notes_clinic_id_fkey; drop "
	 "policy lunate_tenant on h.notes; alter table h.notes alter clinic_id "
	 "type text"},
	{"column-nullable", "alter table h.notes alter clinic_id drop not "
			    "null"},
	{"key-type", "drop policy lunate_tenant on h.items; alter table "
		     "h.items alter visit_id type numeric(9, 0)"},
	{"right-missing", "revoke select on h.patient_clinics from app"},
	{"rls-off", "alter table h.notes disable row level security"},
	{"rls-unforced", "alter table h.items no force row level security"},
	{"policy-read", "drop policy lunate_tenant on h.notes"},
	{"policy-read", "drop policy lunate_select on h.patients"},
	{"policy-others", "alter policy lunate_tenant on h.notes to boss"},
	{"policy-write", "drop policy lunate_insert on h.codes"},
	{"policy-write", "drop policy lunate_delete on h.clinics"},
	{"policy-drift", "alter policy lunate_tenant on h.notes using (true)"},
	{"policy-drift", "drop schema lunate cascade"},
	{"partition-open",
	 "create table h.visits_more partition of h.visits default; "},
	{"partition-grant", "grant select on h.visits_old to app"},
	{"seal-key", "create table lunate.seal_key (kid text); grant select on "
		     "lunate.seal_key to public"},
	{"view-definer", "create view h.all_notes as select * from h.notes"},
	{"matview",
	 "create materialized view h.kept as select * from h.notes; grant "
	 "select on h.kept to app"},
	{"function-definer",
	 "create function h.peek() returns int language sql security definer "
	 "as 'select 1'"},
	{"function-path",
	 "create function h.peek() returns int language sql security definer "
	 "as 'select 1'"},
	{"publication", "create publication leak for table h.notes",
	 "drop publication leak"},
	{"log-parameters",
	 "alter role app set log_parameter_max_length_on_error = 100",
	 "alter role app reset log_parameter_max_length_on_error"},
	{"key-global", "alter table h.notes add unique (ssn)"},
	{"key-global", "create unique index on h.notes (lower(text), id)"},
	{"key-foreign",
	 "create table h.list (id int primary key); alter table h.patient_"
	 "clinics add note int references h.notes"},
	{"cascade",
	 "alter table h.patient_clinics add constraint fk2 foreign key "
	 "(patient_id) references h.patients on delete cascade"},
	{"index-missing", "drop index h.notes_clinic_id_idx"},
};

static void
every_fault_is_seen_and_mended_by_its_fix(void **state)
{
	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
		const struct fault *f = &faults[i];
		struct str fixes;

		clean_begin();
		str_init(&fixes);
		if (count("app", f->lint, NULL) != 0)
			fail_msg("%s: found where nothing is wrong", f->lint);
		(void)server_sql(f->plant);
		if (count("app", f->lint, &fixes) == 0)
			fail_msg("%s: not seen: %s", f->lint, f->plant);
		mend(&fixes);
		if (count("app", f->lint, NULL) != 0)
			fail_msg("%s: not mended by %s", f->lint, fixes.at);
		if (f->undo != NULL)
			(void)server_sql(f->undo);
		str_fini(&fixes);
	}
}

static struct closed *
closed_now(const char *user, const struct isolation_rules *of)
{
	struct closed *c;
	struct lints l;

	examine(&l, user, of);
	c = closed_new(&l);
	examined(&l);
	return c;
}

static unsigned
closed_count(const struct closed *c)
{
	const struct closed_table *list;

	return closed_tables(c, &list);
}

static void
is_closed(const struct closed *c, const char *name, const char *lint)
{
	const struct closed_table *t = closed_by(c, "h", name);

	if (t == NULL)
		fail_msg("%s is open", name);
	assert_string_equal(t->lint, lint);
}

static void
a_key_that_may_repeat_closes_its_table_until_it_is_mended(void **state)
{
	struct str fixes;
	struct closed *c;
	unsigned before;

	clean_begin();
	before = count("app", "key-repeats", NULL); /* of the partitions */
	(void)server_sql("alter table h.patients drop constraint "
			 "patients_pkey cascade; create index on h.patients "
			 "(id); create unique index on h.patients (id, name); "
			 "create unique index on h.patients (id) where id > 0");
	str_init(&fixes);
	assert_int_equal(count("app", "key-repeats", &fixes), before + 1);
	c = closed_now("app", &isolation);
	is_closed(c, "patients", "key-repeats");
	closed_unpin(&c);
	assert_non_null(strstr(fixes.at, "h.patients ADD UNIQUE (id)"));
	(void)server_sql("alter table h.patients add unique (id)");
	assert_int_equal(count("app", "key-repeats", NULL), before);
	str_fini(&fixes);
}

static void
a_table_without_a_rule_and_a_rule_without_a_table_are_told(void **state)
{
	clean_begin();
	assert_int_equal(count("app", "table-unruled", NULL), 0);
	assert_int_equal(count("app", "table-missing", NULL), 0);
	(void)server_sql("create table h.stray (id int); drop table h.items");
	assert_int_equal(count("app", "table-unruled", NULL), 1);
	assert_int_equal(count("app", "table-missing", NULL), 1);
}

static void
an_extension_that_runs_text_is_told(void **state)
{
	clean_begin();
	assert_int_equal(count("app", "extension", NULL), 0);
	(void)server_sql("create extension dblink");
	assert_int_equal(count("app", "extension", NULL), 1);
	(void)server_sql("drop extension dblink");
}

/* ---- what is closed ----------------------------------------------------- */

static void
a_table_that_fails_is_closed_with_its_children_and_no_other(void **state)
{
	struct closed *c;
	struct err e;

	clean_begin();
	c = closed_now("app", &isolation);
	assert_int_equal(closed_count(c), 0);
	assert_null(closed_by(c, "h", "visits"));
	closed_unpin(&c);
	(void)server_sql("alter table h.visits disable row level security");
	c = closed_now("app", &isolation);
	is_closed(c, "visits", "policy-drift");
	is_closed(c, "items", "parent-closed");
	assert_null(closed_by(c, "h", "notes"));
	assert_null(closed_by(c, "h", "patients"));
	assert_int_equal(closed_count(c), 2);
	assert_int_equal(closed_refuse(closed_by(c, "h", "visits"), &e),
			 LUNATE_EDENIED);
	assert_string_equal(
		e.text, "refused (closed): h.visits is closed: the policies in "
			"the database are not those of isolation.lua (changed "
			"by hand) (policy-drift); as the owner: lunate policy "
			"rls | psql");
	closed_unpin(&c);
}

static void
a_role_that_bypasses_policies_closes_all_unless_texts_are_rewritten(
	void **state)
{
	struct isolation_rules rewrite = isolation;
	struct closed *c;

	rewrite.mode = ISOLATION_REWRITE;
	clean_begin();
	c = closed_now("postgres", &isolation);
	is_closed(c, "codes", "role-superuser");
	closed_unpin(&c);
	c = closed_now("postgres", &rewrite);
	assert_null(closed_by(c, "h", "codes"));
	closed_unpin(&c);
}

static void
mode_rls_closes_what_can_have_no_row_policies(void **state)
{
	struct isolation_rules rls = isolation;
	struct closed *c;

	rls.mode = ISOLATION_RLS;
	clean_begin();
	(void)server_sql("alter table h.\"odd % 'Name\" rename to other; "
			 "create view h.\"odd % 'Name\" with "
			 "(security_invoker) as select * from h.other");
	assert_int_equal(count("app", "policy-none", NULL), 1);
	c = closed_now("app", &rls);
	assert_non_null(closed_by(c, "h", "odd % 'Name"));
	assert_null(closed_by(c, "h", "notes"));
	closed_unpin(&c);
}

static void
what_is_accepted_closes_nothing_and_is_told_still(void **state)
{
	static const struct isolation_accept here[] = {
		{.lint = "column-nullable", .schema = "h", .name = "notes"},
		{.lint = "key-repeats"}};
	static const struct isolation_accept elsewhere[] = {
		{.lint = "column-nullable", .schema = "h", .name = "note"},
		{.lint = "rls-off"}};
	struct isolation_rules with = isolation, other = isolation;
	struct doctor_finding told = {0};
	struct closed *c;
	struct lints l;

	with.accepted = here;
	with.naccepted = 2;
	other.accepted = elsewhere;
	other.naccepted = 2;
	clean_begin();
	(void)server_sql("alter table h.notes alter clinic_id drop not null");
	c = closed_now("app", &other);
	is_closed(c, "notes", "column-nullable");
	closed_unpin(&c);
	examine(&l, "app", &with);
	for (unsigned i = 0; i < lints_found(&l); i++) {
		struct lint_finding f = lints_finding(&l, i);

		if (strcmp(f.lint->name, "column-nullable") == 0)
			lints_tell(&f, &told);
	}
	assert_int_equal(told.level, DOCTOR_ADVICE);
	assert_non_null(strstr(told.what, "accepted"));
	c = closed_new(&l);
	assert_int_equal(closed_count(c), 0);
	closed_unpin(&c);
	examined(&l);
}

static void
what_is_asked_is_the_same_for_the_same_rules_alone(void **state)
{
	static const struct isolation_accept accept = {.lint = "rls-off"};
	struct isolation_rules other = isolation;
	struct tenant_rules fewer = rls_rules;
	uint64_t key = lints_key(&isolation);

	other.canary = "x"; /* says nothing about the database */
	other.show_detail = true;
	assert_int_equal(lints_key(&other), key);
	other.mode = ISOLATION_RLS;
	assert_int_not_equal(lints_key(&other), key);
	other = isolation;
	other.seal = true;
	assert_int_not_equal(lints_key(&other), key);
	other = isolation;
	fewer.ntables--;
	other.tables = &fewer;
	assert_int_not_equal(lints_key(&other), key);
	other = isolation;
	other.accepted = &accept;
	other.naccepted = 1;
	assert_int_not_equal(lints_key(&other), key);
}

static void
what_may_close_can_be_asked_alone_and_closes_the_same(void **state)
{
	struct closed *all, *some;
	struct lints l;

	clean_begin();
	(void)server_sql("alter table h.notes alter clinic_id drop not null; "
			 "alter table h.visits disable row level security; "
			 "drop index h.notes_clinic_id_idx");
	all = closed_now("app", &isolation);
	closing = true;
	some = closed_now("app", &isolation);
	assert_true(closed_same(all, some));
	examine(&l, "app", &isolation);
	for (unsigned i = 0; i < lints_found(&l); i++)
		assert_true(lints_finding(&l, i).lint->closes);
	examined(&l);
	closing = false;
	closed_unpin(&all);
	closed_unpin(&some);
}

static void
what_cannot_be_asked_closes_all(void **state)
{
	struct closed *c;

	clean_begin();
	c = closed_now("nobody_by_this_name", &isolation);
	is_closed(c, "codes", "unasked");
	closed_unpin(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_fault_is_seen_and_mended_by_its_fix),
		cmocka_unit_test(
			a_key_that_may_repeat_closes_its_table_until_it_is_mended),
		cmocka_unit_test(
			a_table_without_a_rule_and_a_rule_without_a_table_are_told),
		cmocka_unit_test(an_extension_that_runs_text_is_told),
		cmocka_unit_test(
			a_table_that_fails_is_closed_with_its_children_and_no_other),
		cmocka_unit_test(
			a_role_that_bypasses_policies_closes_all_unless_texts_are_rewritten),
		cmocka_unit_test(mode_rls_closes_what_can_have_no_row_policies),
		cmocka_unit_test(
			what_is_asked_is_the_same_for_the_same_rules_alone),
		cmocka_unit_test(
			what_is_accepted_closes_nothing_and_is_told_still),
		cmocka_unit_test(
			what_may_close_can_be_asked_alone_and_closes_the_same),
		cmocka_unit_test(what_cannot_be_asked_closes_all),
	};

	return cmocka_run_group_tests(tests, NULL, rls_end);
}
