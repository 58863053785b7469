/* SPDX-License-Identifier: MIT
 *
 * The judgement; the question: tests/live/doctor_spec.lua.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "doctor.h"

/* Nothing is wrong with this one. */
static const struct doctor_facts sound = {
	.pool_min = 0,
	.pool_max = 50,
	.connections = 1,
	.read_timeout_ms = 15000,
	.schema = "healthcare",
	.version = 150006,
	.version_text = "15.6",
	.limits = {.max_connections = 100,
		   .reserved = 3,
		   .clients = 1,
		   .role_limit = -1,
		   .database_limit = -1},
	.memory = {INT64_C(512) << 20, INT64_C(4) << 30, INT64_C(8) << 20,
		   INT64_C(256) << 20},
	.tls = true,
	.has_schema = true,
	.statement_timeout_ms = 15000,
	.idle_in_tx_ms = 300000,
	.time_zone = "UTC",
	.date_style = "ISO, MDY",
	.interval_style = "postgres",
	.has_statements = true,
};

struct search {
	const char *name;
	struct doctor_finding found;
	int n, total, above_ok;
};

static void
look(const struct doctor_finding *f, void *arg)
{
	struct search *s = arg;

	s->total++;
	s->above_ok += f->level != DOCTOR_OK;
	assert_true(f->name != NULL && f->what[0] != 0);
	assert_int_equal(f->level == DOCTOR_OK, f->remedy[0] == 0);
	if (s->name != NULL && strcmp(f->name, s->name) == 0) {
		s->found = *f;
		s->n++;
	}
}

static struct doctor_finding
finding(const struct doctor_facts *f, const char *name)
{
	struct search s = {.name = name};

	doctor_judge(f, look, &s);
	assert_int_equal(s.n, 1);
	return s.found;
}

/* A level, and what the remedy or the finding has to say. */
static void
check(const struct doctor_facts *f, const char *name, enum doctor_level level,
      const char *says)
{
	struct doctor_finding found = finding(f, name);

	assert_int_equal(found.level, level);
	if (strstr(found.what, says) == NULL &&
	    strstr(found.remedy, says) == NULL)
		fail_msg("\"%s\" is neither in \"%s\" nor in \"%s\"", says,
			 found.what, found.remedy);
}

static void
a_sound_server_gets_no_advice(void **state)
{
	struct search s = {0};

	doctor_judge(&sound, look, &s);
	assert_int_equal(s.above_ok, 0);
	assert_true(s.total >= 16);
}

static void
memory_below_the_figures_gets_advice_with_the_figure(void **state)
{
	static const struct {
		const char *name, *figure;
	} rows[] = {{"shared_buffers", "512MB"},
		    {"effective_cache_size", "4096MB"},
		    {"work_mem", "8MB"},
		    {"maintenance_work_mem", "256MB"}};

	for (int i = 0; i < DOCTOR_MEMORY_COUNT; i++) {
		struct doctor_facts f = sound;

		f.memory[i]--;
		check(&f, rows[i].name, DOCTOR_ADVICE, rows[i].figure);
	}
}

static void
too_few_connections_are_advice_and_below_the_minimum_a_problem(void **state)
{
	struct doctor_facts f = sound;

	f.limits.max_connections = 40;
	check(&f, "connections", DOCTOR_ADVICE, "DB_POOL_MAX=37");
	check(&f, "connections", DOCTOR_ADVICE, "max_connections to 53");
	f.pool_min = 38;
	check(&f, "connections", DOCTOR_PROBLEM, "37 are left");
}

static void
the_connection_that_asks_counts_as_ours(void **state)
{
	struct doctor_facts f = sound;

	f.limits.max_connections = 53;
	check(&f, "connections", DOCTOR_OK, "50 are left");
	f.limits.clients = 2;
	check(&f, "connections", DOCTOR_ADVICE, "49 are left");
}

static void
a_limit_of_the_role_below_the_pool_is_named(void **state)
{
	struct doctor_facts f = sound;

	f.limits.role_limit = 60;
	check(&f, "limits", DOCTOR_OK, "of the role 60");
	f.limits.role_limit = 10;
	check(&f, "limits", DOCTOR_ADVICE, "CONNECTION LIMIT");
}

static void
versions_have_three_levels(void **state)
{
	struct doctor_facts f = sound;

	f.version = 120018;
	check(&f, "version", DOCTOR_PROBLEM, "upgrade");
	f.version = 130000;
	check(&f, "version", DOCTOR_OK, "PostgreSQL");
	f.version = 160001;
	check(&f, "version", DOCTOR_ADVICE, "newer than PostgreSQL 15");
}

static void
an_open_line_is_a_problem_unless_it_stays_on_the_machine(void **state)
{
	struct doctor_facts f = sound;

	f.tls = false;
	check(&f, "tls", DOCTOR_PROBLEM, "DATABASE_SSL");
	f.is_local = true;
	check(&f, "tls", DOCTOR_OK, "does not leave the machine");
}

static void
session_settings_that_do_not_hold_are_a_problem(void **state)
{
	struct doctor_facts f = sound;

	strcpy(f.time_zone, "Europe/Berlin");
	check(&f, "session", DOCTOR_PROBLEM, "pooler");
	f = sound;
	strcpy(f.date_style, "SQL, DMY");
	check(&f, "session", DOCTOR_PROBLEM, "SQL, DMY");
	f = sound;
	f.statement_timeout_ms = 0;
	check(&f, "statement_timeout", DOCTOR_PROBLEM, "15000");
}

static void
variables_that_override_us_are_named(void **state)
{
	struct doctor_facts f = sound;

	strcpy(f.overrides, "PGTZ");
	check(&f, "session", DOCTOR_ADVICE, "unset PGTZ");
}

static void
the_clock_is_judged_by_what_is_sure(void **state)
{
	struct doctor_facts f = sound;

	f.clock_ahead_us = -1500000;
	check(&f, "clock", DOCTOR_ADVICE, "1.500 s behind");
	f.clock_unsure_us = 600000; /* the answer took 1.2 s */
	check(&f, "clock", DOCTOR_OK, "behind");
	f.clock_ahead_us = 120000000;
	check(&f, "clock", DOCTOR_PROBLEM, "NTP");
}

static void
the_rest_has_its_remedies(void **state)
{
	struct doctor_facts f = sound;

	f.has_schema = f.has_statements = false;
	f.idle_in_tx_ms = 0;
	f.standby = f.superuser = true;
	check(&f, "schema", DOCTOR_ADVICE, "CREATE SCHEMA healthcare");
	check(&f, "pg_stat_statements", DOCTOR_ADVICE, "CREATE EXTENSION");
	check(&f, "idle_in_transaction", DOCTOR_ADVICE, "5min");
	check(&f, "role", DOCTOR_PROBLEM, "READ_REPLICA_URLS");
	check(&f, "user", DOCTOR_ADVICE, "superuser");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sound_server_gets_no_advice),
		cmocka_unit_test(
			memory_below_the_figures_gets_advice_with_the_figure),
		cmocka_unit_test(
			too_few_connections_are_advice_and_below_the_minimum_a_problem),
		cmocka_unit_test(the_connection_that_asks_counts_as_ours),
		cmocka_unit_test(a_limit_of_the_role_below_the_pool_is_named),
		cmocka_unit_test(versions_have_three_levels),
		cmocka_unit_test(
			an_open_line_is_a_problem_unless_it_stays_on_the_machine),
		cmocka_unit_test(
			session_settings_that_do_not_hold_are_a_problem),
		cmocka_unit_test(variables_that_override_us_are_named),
		cmocka_unit_test(the_clock_is_judged_by_what_is_sure),
		cmocka_unit_test(the_rest_has_its_remedies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
