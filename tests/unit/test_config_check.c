/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "config.h"

static void
set(struct config *c, const char *key, const char *value)
{
	struct err e;

	if (config_set(c, key, value, &e) != 0)
		fail_msg("%s", e.text);
}

/* config_check() must succeed; true when a note holds `text`. */
static bool
noted(struct config *c, const char *text)
{
	struct config_notes notes;
	bool found = false;
	struct err e;

	config_notes_init(&notes);
	if (config_check(c, &notes, &e) != 0)
		fail_msg("%s", e.text);
	for (size_t i = 0; i < notes.n; i++)
		found = found || strstr(notes.at[i], text) != NULL;
	if (text[0] == 0)
		found = notes.n != 0;
	config_notes_fini(&notes);
	return found;
}

static void
check_refused(struct config *c, const char *says)
{
	struct err e;

	assert_int_equal(config_check(c, NULL, &e), LUNATE_ECONFIG);
	if (strstr(e.text, says) == NULL)
		fail_msg("%s", e.text);
}

static void
the_defaults_fit_together_without_a_note(void **state)
{
	struct config c;

	config_init(&c);
	assert_false(noted(&c, ""));
	config_fini(&c);
}

static void
a_default_minimum_gives_way_but_not_a_written_one(void **state)
{
	struct config c;

	config_init(&c);
	set(&c, "pool_max", "10");
	assert_false(noted(&c, ""));
	assert_int_equal(c.pool_min, 10);
	set(&c, "pool_min", "11");
	check_refused(&c, "DB_POOL_MIN");
	config_fini(&c);
}

static void
the_alert_threshold_follows_the_pool_unless_written(void **state)
{
	struct config c;

	config_init(&c);
	set(&c, "pool_max", "50");
	assert_false(noted(&c, ""));
	assert_int_equal(c.auto_scaling_connection_threshold, 40);
	set(&c, "auto_scaling_connection_threshold", "60");
	assert_true(noted(&c, "DB_AUTO_SCALING_CONNECTION_THRESHOLD"));
	assert_int_equal(c.auto_scaling_connection_threshold, 60);
	config_fini(&c);
}

static void
a_slow_statement_cannot_be_slower_than_a_critical_one(void **state)
{
	struct config c;

	config_init(&c);
	set(&c, "slow_query_threshold", "7s");
	assert_true(noted(&c, "CRITICAL_QUERY_THRESHOLD"));
	assert_int_equal(c.critical_query_threshold, 7000);
	set(&c, "critical_query_threshold", "6s");
	check_refused(&c, "SLOW_QUERY_THRESHOLD");
	config_fini(&c);
}

static void
urls_are_read_on_trial(void **state)
{
	struct config c;

	config_init(&c);
	set(&c, "url", "postgres://u:hunter@h:x/d");
	check_refused(&c, "DATABASE_URL");
	set(&c, "url", "postgres://h/d?sslmode=disable");
	set(&c, "ssl", "true");
	check_refused(&c, "DATABASE_SSL=true");
	set(&c, "url", "postgres://h/d");
	assert_true(noted(&c, "DATABASE_SSL_ROOT_CERT"));
	set(&c, "ssl_root_cert", "/etc/ssl/ca.pem");
	assert_false(noted(&c, ""));
	set(&c, "read_replica_urls", "r1,r2:99999");
	check_refused(&c, "READ_REPLICA_URLS (entry 2)");
	set(&c, "read_replica_urls", "r1,r2");
	set(&c, "redis_url", "rediss://h");
	check_refused(&c, "TLS");
	set(&c, "redis_url", "http://h");
	check_refused(&c, "REDIS_URL");
	set(&c, "redis_url", "redis://h:6379/0");
	assert_false(noted(&c, ""));
	config_fini(&c);
}

static void
replicas_without_urls_are_noted(void **state)
{
	struct config c;

	config_init(&c);
	set(&c, "read_replicas_enabled", "true");
	assert_true(noted(&c, "READ_REPLICA_URLS"));
	config_fini(&c);
}

static void
a_variable_that_looks_like_ours_and_is_none_is_noted(void **state)
{
	static const char *const env[] = {
		"LUNATE_SCHEMAS=x", "PATH=/bin",	 "DB_POOL_MAXX=9",
		"DB_POOL_MAX=9",    "DB_HOST=h",	 "LUNATE_PG_BIN=/x",
		"LUNATE_HISTORY=",  "LUNATE_PAGER=more", NULL};
	struct config_notes notes;

	config_notes_init(&notes);
	config_strangers(env, &notes);
	assert_int_equal(notes.n, 2);
	assert_non_null(strstr(notes.at[0], "did you mean LUNATE_SCHEMA?"));
	assert_non_null(strstr(notes.at[1], "did you mean DB_POOL_MAX?"));
	config_notes_fini(&notes);
}

static void
the_process_gives_its_certificate_and_state_folder(void **state)
{
	char home[] = "/tmp/lunate-config-XXXXXX", path[100], want[120];
	struct config c;
	struct err e;

	assert_non_null(mkdtemp(home));
	setenv("HOME", home, 1);
	setenv("DB_POOL_MAX", "77", 1);
	unsetenv("LUNATE_POOL_MAX");
	unsetenv("XDG_STATE_HOME");
	unsetenv("LUNATE_STATE_DIR");
	unsetenv("LUNATE_SSL_ROOT_CERT");
	unsetenv("DATABASE_SSL_ROOT_CERT");
	config_init(&c);
	assert_int_equal(config_from_process(&c, NULL, &e), 0);
	assert_int_equal(c.pool_max, 77);
	assert_null(c.ssl_root_cert);
	snprintf(want, sizeof(want), "%s/.local/state/lunate", home);
	assert_string_equal(c.state_dir, want);
	snprintf(path, sizeof(path), "%s/.postgresql", home);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(want, sizeof(want), "%s/root.crt", path);
	fclose(fopen(want, "w"));
	setenv("XDG_STATE_HOME", "/somewhere", 1);
	assert_int_equal(config_from_process(&c, NULL, &e), 0);
	assert_string_equal(c.ssl_root_cert, want);
	assert_string_equal(c.state_dir, "/somewhere/lunate");
	config_fini(&c);
	unlink(want);
	rmdir(path);
	rmdir(home);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_defaults_fit_together_without_a_note),
		cmocka_unit_test(
			a_default_minimum_gives_way_but_not_a_written_one),
		cmocka_unit_test(
			the_alert_threshold_follows_the_pool_unless_written),
		cmocka_unit_test(
			a_slow_statement_cannot_be_slower_than_a_critical_one),
		cmocka_unit_test(urls_are_read_on_trial),
		cmocka_unit_test(replicas_without_urls_are_noted),
		cmocka_unit_test(
			a_variable_that_looks_like_ours_and_is_none_is_noted),
		cmocka_unit_test(
			the_process_gives_its_certificate_and_state_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
