/* SPDX-License-Identifier: MIT
 *
 * The policies of rls.h on a live server: what row-level security is to stop,
 * and what it is to let through.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "rls_world.h"

struct probe {
	const char *ctx, *sql, *want;
};

static void
probe(const struct probe *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *got = rls_ask(p[i].ctx, p[i].sql);

		if (strcmp(got, p[i].want) != 0)
			fail_msg("%s: %s: %s, not %s",
				 p[i].ctx != NULL ? p[i].ctx : "no context",
				 p[i].sql, got, p[i].want);
	}
}

#define PROBE(list) probe(list, sizeof(list) / sizeof(*list))
#define COUNT(t) "select count(*) from h." t

static void
each_kind_shows_a_tenant_its_own_rows_and_no_others(void **state)
{
	static const struct probe p[] = {
		{A, COUNT("notes"), "3"},
		{B, COUNT("notes"), "4"},
		{BOTH, COUNT("notes"), "7"},
		{A, COUNT("clinics"), "1"},
		{A, COUNT("items"), "3"},
		{B, COUNT("items"), "4"},
		{A, COUNT("patients"), "4"},
		{B, COUNT("patients"), "5"},
		{BOTH, COUNT("patients"), "8"},
		{A, COUNT("patient_clinics"), "4"},
		{A, COUNT("\"odd % 'Name\""), "3"},
		{A, COUNT("codes"), "2"},
		{NOBODY, COUNT("codes"), "2"},
		{A, "select count(*) from h.notes where id > 0 or true", "3"},
		{A, "select count(*) from h.notes where clinic_id = " B_ID,
		 "0"},
	};

	rls_begin();
	PROBE(p);
}

static void
a_partition_asked_by_its_own_name_is_bound_too(void **state)
{
	static const struct probe p[] = {
		{A, COUNT("visits"), "3"},
		{A, COUNT("visits_old"), "1"},
		{A, COUNT("visits_new"), "2"},
		{NULL, COUNT("visits_old"), "0"},
		{A,
		 "insert into h.visits_new values (5, " B_ID ", '2021-01-01')",
		 "!42501"},
		{A,
		 "insert into h.visits_new values (5, " A_ID ", '2021-01-01')",
		 "1"},
	};

	rls_begin();
	PROBE(p);
}

static void
without_a_tenant_there_is_nothing(void **state)
{
	static const char *const tables[] = {
		"notes",    "clinics",	       "items",
		"patients", "patient_clinics", "visits",
	};
	static const char *const nothing[] = {"", "{\"tenants\":\"{}\"}",
					      "{\"tenants\":\"\"}"};
	char sql[100];

	rls_begin();
	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
		snprintf(sql, sizeof(sql), COUNT("%s"), tables[i]);
		assert_string_equal(rls_ask(NULL, sql), "0");
		assert_string_equal(rls_ask(NOBODY, sql), "0");
		for (size_t k = 0; k < 3; k++)
			assert_string_equal(rls_raw(rls_app, nothing[k], sql),
					    "0");
	}
}

static void
a_setting_that_is_no_context_shows_nothing(void **state)
{
	static const char *const garbage[] = {
		"x",
		"\"\"\"\"\"",
		"{\"tenants\":\"{NULL}\"}",
		"{\"tenants\":null,\"x\":\"{"
		"00000000-0000-4000-8000-"
		"00000000000a}\"}",
		"{\"user\":\"u\",\"tenants\":\"{00000000-0000-4000-8000-"
		"00000000000a}\"}",
		"{\"tenants\":\"{\\\"00000000-0000-4000-8000-"
		"00000000000a\\\"}\"}",
		"{\"tenants\":\"00000000-0000-4000-8000-00000000000a\"}",
		"{\"tenants\":\"{*}\"}",
	};

	rls_begin();
	for (size_t i = 0; i < sizeof(garbage) / sizeof(*garbage); i++) {
		const char *got = rls_raw(rls_app, garbage[i], COUNT("notes"));

		if (got[0] != '!' && strcmp(got, "0") != 0)
			fail_msg("%s: %s rows", garbage[i], got);
	}
}

static void
what_a_transaction_set_is_gone_in_the_next(void **state)
{
	rls_begin();
	assert_string_equal(rls_ask(A, COUNT("notes")), "3");
	assert_string_equal(rls_ask(NULL, COUNT("notes")), "0");
}

static void
writes_for_another_tenant_are_refused(void **state)
{
	static const struct probe p[] = {
		{A, "insert into h.notes values (50, " B_ID ")", "!42501"},
		{A, "insert into h.notes values (50, " A_ID "), (51, " B_ID ")",
		 "!42501"},
		{A, "insert into h.notes values (50, " A_ID ")", "1"},
		{A, "insert into h.notes (id) values (50)", "!42501"},
		{A, "update h.notes set clinic_id = " B_ID, "!42501"},
		{A, "update h.notes set text = 'mine'", "3"},
		{A, "update h.notes set text = 'x' where clinic_id = " B_ID,
		 "0"},
		{A, "delete from h.notes", "3"},
		{NULL, "delete from h.notes", "0"},
		{A, "insert into h.items values (50, 11)", "!42501"},
		{A, "insert into h.items values (50, 1)", "1"},
		{A, "update h.items set visit_id = 11 where id = 1", "!42501"},
		{A, "delete from h.items", "3"},
		{A,
		 "insert into h.notes values (11, " A_ID
		 ") on conflict (id) do update set text = 'mine'",
		 "!42501"},
		{A, "copy h.notes from stdin", "!0A000"},
	};

	rls_begin();
	PROBE(p);
}

static void
what_is_never_written_or_only_read_stays(void **state)
{
	static const struct probe p[] = {
		{A, "insert into h.codes values ('z')", "!42501"},
		{A, "update h.codes set code = 'z'", "0"},
		{A, "delete from h.codes", "0"},
		{A, "update h.clinics set name = 'x'", "0"},
		{A, "delete from h.clinics", "0"},
		{A,
		 "insert into h.clinics values ('00000000-0000-4000-8000-"
		 "0000000000ff')",
		 "!42501"},
	};

	rls_begin();
	PROBE(p);
}

static void
a_member_is_added_with_its_membership_and_removed_by_the_last(void **state)
{
	static const struct probe p[] = {
		{A,
		 "with lunate_member as (insert into h.patient_clinics values "
		 "(60, " A_ID ")) insert into h.patients values (60, 'new')",
		 "1"},
		{NULL, "insert into h.patients values (60, 'new')", "!42501"},
		{NOBODY, "insert into h.patients values (60, 'new')", "!42501"},
		{A, "insert into h.patient_clinics values (1, " B_ID ")",
		 "!42501"},
		{A, "update h.patients set name = 'x'", "4"},
		{A, "update h.patients set id = 70 where id = 9", "!42501"},
		{A, "delete from h.patients where id = 1", "1"},
		{A, "delete from h.patients where id = 9", "0"},
		{A, "delete from h.patients where id = 11", "0"},
		{BOTH, "delete from h.patients where id = 9", "1"},
		{NULL, "delete from h.patients", "0"},
	};

	rls_begin();
	PROBE(p);
}

static void
another_permissive_policy_opens_nothing(void **state)
{
	rls_begin();
	(void)server_sql("create policy careless on h.notes using (true)");
	assert_string_equal(rls_ask(A, COUNT("notes")), "3");
}

static void
a_leaky_condition_sees_no_hidden_row(void **state)
{
	rls_begin();
	(void)server_sql("update h.notes set text = 'not a number' where "
			 "clinic_id = " B_ID);
	(void)server_sql(
		"update h.notes set text = '7' where clinic_id = " A_ID);
	assert_string_equal(rls_ask(A, COUNT("notes") " where text::int = 7"),
			    "3");
}

static void
the_owner_is_bound_and_a_role_that_bypasses_is_not(void **state)
{
	PGconn *boss;

	rls_begin();
	(void)server_sql("alter table h.notes owner to boss");
	boss = rls_connect("boss");
	assert_string_equal(rls_raw(boss, NULL, COUNT("notes")), "0");
	PQfinish(boss);
	(void)server_sql("alter role boss bypassrls");
	boss = rls_connect("boss");
	assert_string_equal(rls_raw(boss, NULL, COUNT("notes")), "7");
	PQfinish(boss);
	(void)server_sql("alter role boss nobypassrls");
}

static void
a_system_role_that_is_named_is_let_through_and_strangers_are_not(void **state)
{
	const struct rls_options o = {
		.rules = &rls_rules, .app_role = "app", .system_role = "boss"};
	PGconn *c;

	rls_begin();
	rls_apply(&o);
	assert_string_equal(rls_ask(A, COUNT("notes")), "3");
	assert_string_equal(rls_ask(NULL, COUNT("notes")), "0");
	c = rls_connect("boss");
	assert_string_equal(rls_raw(c, NULL, COUNT("notes")), "7");
	assert_string_equal(
		rls_raw(c, NULL, "insert into h.codes values ('z')"), "1");
	PQfinish(c);
	(void)server_sql("drop role if exists stranger; create role stranger "
			 "login; grant usage on schema h to stranger; grant "
			 "select on h.notes to stranger");
	c = rls_connect("stranger");
	assert_string_equal(rls_raw(c, NULL, COUNT("notes")), "0");
	PQfinish(c);
	(void)server_sql("drop owned by stranger; drop role stranger");
}

/* The script, by this connection. */
static void
run_script(PGconn *c, const struct rls_options *o)
{
	struct str s;
	struct err e;
	PGresult *res;

	str_init(&s);
	assert_int_equal(rls_sql(o, &s, &e), 0);
	res = PQexec(c, s.at);
	if (PQresultStatus(res) != PGRES_TUPLES_OK &&
	    PQresultStatus(res) != PGRES_COMMAND_OK)
		fail_msg("%s", PQerrorMessage(c));
	PQclear(res);
	str_fini(&s);
}

/* It could not be run a second time, and nothing could be deleted. */
static void
an_owner_who_is_no_superuser_runs_the_script_and_again(void **state)
{
	const struct rls_options o = {
		.rules = &rls_rules, .app_role = "app", .system_role = "boss"};
	PGconn *boss;

	rls_begin();
	(void)server_sql(
		"drop schema lunate cascade; grant create on database "
		"lunate_test to boss; do $$ declare t record; begin for t in "
		"select c.oid::regclass n from pg_class c where relnamespace = "
		"'h'::regnamespace and relkind in ('r', 'p') loop execute "
		"format('alter table %s owner to boss', t.n); end loop; "
		"end $$");
	boss = rls_connect("boss");
	run_script(boss, &o);
	run_script(boss, &o);
	assert_string_equal(rls_raw(boss, NULL, COUNT("notes")), "7");
	assert_string_equal(rls_ask(A, COUNT("notes")), "3");
	assert_string_equal(rls_ask(A, "delete from h.patients where id = 1"),
			    "1");
	assert_string_equal(rls_ask(A, "delete from h.patients where id = 9"),
			    "0");
	(void)server_sql("grant app to boss");
	assert_string_equal(rls_ask(A, "delete from h.patients where id = 9"),
			    "0");
	(void)server_sql("revoke app from boss; revoke create on database "
			 "lunate_test from boss");
	PQfinish(boss);
}

static void
an_index_on_the_tenant_column_is_used_and_the_setting_read_once(void **state)
{
	rls_begin();
	(void)server_sql(
		"create function h.plan(q text) returns text language plpgsql "
		"as $$ declare l text; r text := ''; begin for l in execute "
		"'explain ' || q loop r := r || l; end loop; return r; end $$");
	rls_exec(rls_app, "set enable_seqscan = off");
	assert_string_equal(
		rls_ask(A, "select h.plan('select * from h.notes') ~ 'Index "
			   "Cond: .clinic_id = ANY .\\$0' and h.plan('select * "
			   "from h.notes') ~ 'InitPlan'"),
		"t");
}

/* ---- the script --------------------------------------------------------- */

static int
policies(void)
{
	return server_int("select count(*) from pg_policy");
}

static void
the_script_can_run_again_and_changes_nothing(void **state)
{
	const struct rls_options o = {.rules = &rls_rules};
	int n;

	rls_begin();
	n = policies();
	assert_true(n >= 20);
	rls_apply(&o);
	rls_apply(&o);
	assert_int_equal(policies(), n);
	assert_string_equal(rls_ask(A, COUNT("notes")), "3");
}

static void
rules_of_another_type_replace_the_old_ones(void **state)
{
	static const struct tenant_table notes[] = {
		{RLS_AT, .name = "words", .column = "owner"}};
	static const struct tenant_rules text = {
		.type = TENANT_TEXT, .ntables = 1, .tables = notes};
	const struct rls_options o = {.rules = &text};

	rls_begin();
	(void)server_sql("create table h.words (owner text not null); insert "
			 "into h.words values ('a \"b\\'), ('c'), (''); grant "
			 "all on h.words to app");
	rls_apply(&o);
	assert_string_equal(
		rls_ask("{\"tenant\":\"a \\\"b\\\\\"}", COUNT("words")), "1");
	assert_string_equal(rls_ask("{\"tenant\":\"c\"}", COUNT("words")), "1");
	assert_string_equal(rls_ask("{\"tenant\":\"null\"}", COUNT("words")),
			    "0");
	assert_string_equal(rls_ask(NULL, COUNT("words")), "0");
	assert_string_equal(rls_raw(rls_app, "", COUNT("words")), "0");
}

static void
rules_that_cannot_be_written_are_refused(void **state)
{
	static const struct tenant_pair on[] = {{"a", "b"}};
	static const struct tenant_table loop[] = {
		{RLS_AT, .name = "x", .kind = TENANT_PARENT, .via_schema = "h",
		 .via = "x", .on = on, .non = 1}};
	static const struct tenant_table lost[] = {
		{RLS_AT, .name = "x", .kind = TENANT_PARENT, .via_schema = "h",
		 .via = "y", .on = on, .non = 1}};
	struct tenant_rules r = {.ntables = 1, .tables = loop};
	struct rls_options o = {.rules = &r};
	struct str s;
	struct err e;

	str_init(&s);
	assert_int_equal(rls_sql(&o, &s, &e), LUNATE_EINVAL);
	r.tables = lost;
	assert_int_equal(rls_sql(&o, &s, &e), LUNATE_EINVAL);
	o = (struct rls_options){.rules = &rls_rules, .system_role = "boss"};
	assert_int_equal(rls_sql(&o, &s, &e), LUNATE_EINVAL);
	str_fini(&s);
}

/* ---- drift -------------------------------------------------------------- */

static struct rows *
state_rows(PGconn *c)
{
	struct shape_col cols[4] = {{.name = "schema"},
				    {.name = "name"},
				    {.name = "digest"},
				    {.name = "same"}};
	PGresult *res = PQexec(c, rls_state_sql);
	struct shape *shape = shape_new(cols, 4);
	struct rows *rows = NULL;
	size_t bytes = 0;

	for (int i = 0; i < 4 * PQntuples(res); i++)
		bytes += (size_t)PQgetlength(res, i / 4, i % 4);
	if (PQresultStatus(res) == PGRES_TUPLES_OK) {
		rows = rows_try_new(shape, (size_t)PQntuples(res), bytes);
		for (int i = 0; i < 4 * PQntuples(res); i++)
			rows_put(rows,
				 PQgetisnull(res, i / 4, i % 4)
					 ? NULL
					 : PQgetvalue(res, i / 4, i % 4),
				 (size_t)PQgetlength(res, i / 4, i % 4));
		rows_seal(rows);
	}
	shape_unpin(&shape);
	PQclear(res);
	return rows;
}

static enum rls_state
state_now(const struct rls_options *o, const char *table)
{
	const struct tenant_table *t = tenant_find(o->rules, "h", table);
	char digest[RLS_DIGEST];
	struct rows *rows = state_rows(rls_app);
	enum rls_state s;
	struct err e;

	assert_int_equal(rls_digest(o, t, digest, &e), 0);
	s = rls_state_of(rows, t, digest);
	if (rows != NULL)
		rows_unpin(&rows);
	return s;
}

static void
all_are(const struct rls_options *o, enum rls_state want)
{
	for (unsigned i = 0; i < o->rules->ntables; i++) {
		const char *name = o->rules->tables[i].name;
		enum rls_state got = state_now(o, name);

		if (got != want)
			fail_msg("%s: %s", name, rls_state_word(got));
	}
}

static const struct rls_options plain = {.rules = &rls_rules};

static void
the_script_leaves_all_tables_as_their_rules_say(void **state)
{
	const struct rls_options sealed = {.rules = &rls_rules, .seal = true};

	rls_begin();
	all_are(&plain, RLS_SAME);
	rls_exec(rls_app, "set search_path = h, public");
	all_are(&plain, RLS_SAME);
	all_are(&sealed, RLS_OTHER);
	(void)server_sql("drop schema lunate cascade");
	all_are(&plain, RLS_NEVER);
}

static void
drift_of_one_table_is_seen_in_that_one_alone(void **state)
{
	static const struct {
		const char *change, *table;
	} changes[] = {
		{"drop policy lunate_tenant on h.notes", "notes"},
		{"alter policy lunate_tenant on h.notes using (true)", "notes"},
		{"alter policy lunate_tenant on h.notes to boss", "notes"},
		{"alter table h.notes disable row level security", "notes"},
		{"alter table h.visits_old no force row level security",
		 "visits"},
		{"alter policy lunate_tenant on h.visits_new using (true)",
		 "visits"},
		{"alter table h.items rename to things", "items"},
	};

	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		rls_begin();
		(void)server_sql(changes[i].change);
		for (unsigned k = 0; k < rls_rules.ntables; k++) {
			const char *name = rls_list[k].name;
			bool hit = strcmp(name, changes[i].table) == 0;

			assert_int_equal(state_now(&plain, name),
					 hit ? RLS_CHANGED : RLS_SAME);
		}
	}
}

static void
a_rule_that_is_new_or_other_is_seen_in_its_table_alone(void **state)
{
	struct tenant_table list[8];
	const struct tenant_rules rules = {.ntables = 8, .tables = list};
	const struct rls_options o = {.rules = &rules};
	struct tenant_rules fewer = rls_rules;

	rls_begin();
	fewer.ntables--;
	fewer.tables++;
	rls_apply(&(struct rls_options){.rules = &fewer});
	assert_int_equal(state_now(&plain, "clinics"), RLS_NEVER);
	assert_int_equal(state_now(&plain, "notes"), RLS_SAME);
	rls_apply(&plain);
	memcpy(list, rls_list, sizeof(list));
	assert_string_equal(list[3].name, "notes");
	list[3].write_never = true;
	assert_int_equal(state_now(&o, "notes"), RLS_OTHER);
	assert_int_equal(state_now(&o, "visits"), RLS_SAME);
}

static void
a_function_that_policies_call_is_part_of_what_was_installed(void **state)
{
	rls_begin();
	(void)server_sql("create or replace function lunate.\"alone "
			 "h.patients\"(h.patient_clinics.patient_id%type) "
			 "returns boolean language sql stable security definer "
			 "as 'select true'");
	assert_int_equal(state_now(&plain, "patients"), RLS_CHANGED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			each_kind_shows_a_tenant_its_own_rows_and_no_others),
		cmocka_unit_test(
			a_partition_asked_by_its_own_name_is_bound_too),
		cmocka_unit_test(without_a_tenant_there_is_nothing),
		cmocka_unit_test(a_setting_that_is_no_context_shows_nothing),
		cmocka_unit_test(what_a_transaction_set_is_gone_in_the_next),
		cmocka_unit_test(writes_for_another_tenant_are_refused),
		cmocka_unit_test(what_is_never_written_or_only_read_stays),
		cmocka_unit_test(
			a_member_is_added_with_its_membership_and_removed_by_the_last),
		cmocka_unit_test(another_permissive_policy_opens_nothing),
		cmocka_unit_test(a_leaky_condition_sees_no_hidden_row),
		cmocka_unit_test(
			the_owner_is_bound_and_a_role_that_bypasses_is_not),
		cmocka_unit_test(
			a_system_role_that_is_named_is_let_through_and_strangers_are_not),
		cmocka_unit_test(
			an_owner_who_is_no_superuser_runs_the_script_and_again),
		cmocka_unit_test(
			an_index_on_the_tenant_column_is_used_and_the_setting_read_once),
		cmocka_unit_test(the_script_can_run_again_and_changes_nothing),
		cmocka_unit_test(rules_of_another_type_replace_the_old_ones),
		cmocka_unit_test(rules_that_cannot_be_written_are_refused),
		cmocka_unit_test(
			the_script_leaves_all_tables_as_their_rules_say),
		cmocka_unit_test(drift_of_one_table_is_seen_in_that_one_alone),
		cmocka_unit_test(
			a_rule_that_is_new_or_other_is_seen_in_its_table_alone),
		cmocka_unit_test(
			a_function_that_policies_call_is_part_of_what_was_installed),
	};

	return cmocka_run_group_tests(tests, NULL, rls_end);
}
