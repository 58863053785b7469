/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <libpq-fe.h>

#include "pgparams.h"

static const struct pgparams_session plain = {.statement_timeout_ms = -1};

static struct pgparams *
made(const char *text, const struct pgparams_session *session)
{
	struct pgurl *u;
	struct err e;
	struct pgparams *p;

	if (pgurl_new(&u, "DATABASE_URL", text, &e) != 0)
		fail_msg("%s", e.text);
	p = pgparams_new(u, 0, NULL, session);
	pgurl_free(&u);
	return p;
}

/* How the server cuts `options` into words (pg_split_opts): at white space,
 * a backslash keeps the next character.  Gives the value of the last
 * "-c name=value", or false. */
static bool
server_sees(const char *options, const char *name, char *value)
{
	char word[300];
	bool found = false, after_c = false;
	size_t n, len = strlen(name);

	for (;;) {
		while (isspace((unsigned char)*options))
			options++;
		if (*options == 0)
			return found;
		for (n = 0; *options && !isspace((unsigned char)*options);
		     n++) {
			if (*options == '\\')
				options++;
			word[n] = *options++;
		}
		word[n] = 0;
		if (after_c && strncmp(word, name, len) == 0 &&
		    word[len] == '=') {
			strcpy(value, word + len + 1);
			found = true;
		}
		after_c = strcmp(word, "-c") == 0;
	}
}

static void
check_setting(const struct pgparams *p, const char *name, const char *want)
{
	char value[300];

	assert_true(server_sees(pgparams_get(p, "options"), name, value));
	assert_string_equal(value, want);
}

static void
what_lunate_depends_on_is_always_said(void **state)
{
	struct pgparams *p = made("host=h client_encoding=LATIN1", &plain);
	char value[300];

	assert_string_equal(pgparams_get(p, "client_encoding"), "UTF8");
	assert_string_equal(pgparams_get(p, "application_name"), "lunate");
	check_setting(p, "DateStyle", "ISO");
	check_setting(p, "IntervalStyle", "postgres");
	check_setting(p, "TimeZone", "UTC");
	check_setting(p, "bytea_output", "hex");
	check_setting(p, "extra_float_digits", "1");
	check_setting(p, "standard_conforming_strings", "on");
	assert_false(
		server_sees(pgparams_get(p, "options"), "search_path", value));
	assert_false(server_sees(pgparams_get(p, "options"),
				 "statement_timeout", value));
	assert_false(server_sees(pgparams_get(p, "options"),
				 "default_transaction_read_only", value));
	pgparams_free(&p);
	assert_null(p);
}

static void
a_session_carries_schema_timeout_and_read_only(void **state)
{
	const struct pgparams_session session = {
		.schema = "healthcare",
		.statement_timeout_ms = 15000,
		.read_only = true,
		.application_name = "nightly",
		.role = "a role",
	};
	struct pgparams *p = made("host=h application_name=mine", &session);

	check_setting(p, "search_path", "\"healthcare\", public");
	check_setting(p, "statement_timeout", "15000");
	check_setting(p, "default_transaction_read_only", "on");
	check_setting(p, "role", "a role");
	assert_string_equal(pgparams_get(p, "application_name"), "nightly");
	pgparams_free(&p);
}

static void
any_schema_name_survives_both_quotings(void **state)
{
	static const char *const rows[][2] = {
		{"my schema", "\"my schema\", public"},
		{"a\"b", "\"a\"\"b\", public"},
		{"a\\b", "\"a\\b\", public"},
		{"a\\ \"; -c x=y", "\"a\\ \"\"; -c x=y\", public"},
		{"O'Hara", "\"O'Hara\", public"},
		{"a\tb", "\"a\tb\", public"},
		{"$user", "\"$user\", public"},
		{"public", "\"public\""},
	};
	char value[300];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct pgparams_session session = {
			.schema = rows[i][0], .statement_timeout_ms = -1};
		struct pgparams *p = made("host=h", &session);

		check_setting(p, "search_path", rows[i][1]);
		assert_false(
			server_sees(pgparams_get(p, "options"), "x", value));
		pgparams_free(&p);
	}
}

static void
the_urls_own_options_are_kept_and_ours_hold(void **state)
{
	struct pgparams *p = made("postgres://h/d?options=-c%20geqo%3Doff%20"
				  "-c%20TimeZone%3DEurope/Oslo",
				  &plain);

	check_setting(p, "geqo", "off");
	check_setting(p, "TimeZone", "UTC");
	pgparams_free(&p);
}

static void
keepalives_are_said_unless_the_url_says_otherwise(void **state)
{
	struct pgparams *p = made("host=h", &plain);

	assert_string_equal(pgparams_get(p, "keepalives_idle"), "10");
	assert_string_equal(pgparams_get(p, "keepalives_interval"), "3");
	assert_string_equal(pgparams_get(p, "keepalives_count"), "3");
	assert_string_equal(pgparams_get(p, "tcp_user_timeout"), "10000");
	pgparams_free(&p);
	p = made("host=h keepalives_idle=99 tcp_user_timeout=1", &plain);
	assert_string_equal(pgparams_get(p, "keepalives_idle"), "99");
	assert_string_equal(pgparams_get(p, "tcp_user_timeout"), "1");
	pgparams_free(&p);
}

static void
one_endpoint_at_a_time_is_handed_to_libpq(void **state)
{
	struct pgurl *u;
	struct err e;
	struct pgparams *p;

	assert_int_equal(
		pgurl_new(&u, "U", "postgres://ann:pw@a,b:5433/db", &e), 0);
	p = pgparams_new(u, 1, "10.0.0.9", &plain);
	pgurl_free(&u); /* the texts are copies */
	assert_string_equal(pgparams_get(p, "host"), "b");
	assert_string_equal(pgparams_get(p, "hostaddr"), "10.0.0.9");
	assert_string_equal(pgparams_get(p, "port"), "5433");
	assert_string_equal(pgparams_get(p, "user"), "ann");
	assert_string_equal(pgparams_get(p, "password"), "pw");
	assert_string_equal(pgparams_get(p, "dbname"), "db");
	assert_null(p->keys[p->n]);
	pgparams_free(&p);
}

static void
a_preference_among_servers_is_not_libpqs_affair(void **state)
{
	struct pgparams *p = made("host=h target_session_attrs=prefer-standby",
				  &plain);

	assert_null(pgparams_get(p, "target_session_attrs"));
	pgparams_free(&p);
	p = made("host=h target_session_attrs=read-write", &plain);
	assert_string_equal(pgparams_get(p, "target_session_attrs"),
			    "read-write");
	pgparams_free(&p);
}

/* libpq must know every keyword: PQconnectStartParams says so at once. */
static void
libpq_accepts_every_keyword(void **state)
{
	struct pgparams *p = made("postgres://u:p@%2Fnonexistent/db", &plain);
	PGconn *c = PQconnectStartParams(p->keys, p->values, 0);

	assert_non_null(c);
	assert_null(strstr(PQerrorMessage(c), "invalid"));
	assert_string_equal(PQhost(c), "/nonexistent");
	assert_string_equal(PQuser(c), "u");
	PQfinish(c);
	pgparams_free(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_lunate_depends_on_is_always_said),
		cmocka_unit_test(
			a_session_carries_schema_timeout_and_read_only),
		cmocka_unit_test(any_schema_name_survives_both_quotings),
		cmocka_unit_test(the_urls_own_options_are_kept_and_ours_hold),
		cmocka_unit_test(
			keepalives_are_said_unless_the_url_says_otherwise),
		cmocka_unit_test(one_endpoint_at_a_time_is_handed_to_libpq),
		cmocka_unit_test(
			a_preference_among_servers_is_not_libpqs_affair),
		cmocka_unit_test(libpq_accepts_every_keyword),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
