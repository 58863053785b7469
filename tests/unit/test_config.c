/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config.h"

/* An environment of name, value, name, value, ..., NULL. */
static const char *
lookup(const char *name, void *arg)
{
	for (const char *const *p = arg; *p != NULL; p += 2)
		if (strcmp(p[0], name) == 0)
			return p[1];
	return NULL;
}

#define ENV(...) ((void *)(const char *[]){__VA_ARGS__, NULL})

static void
accept(struct config *c, void *env)
{
	struct err e;

	if (config_env(c, lookup, env, &e) != 0)
		fail_msg("%s", e.text);
}

static void
set(struct config *c, const char *key, const char *value)
{
	struct err e;

	if (config_set(c, key, value, &e) != 0)
		fail_msg("%s", e.text);
}

static void
check_shown(const struct config *c, const char *key, const char *want,
	    const char *from)
{
	struct str value, origin;

	str_init(&value);
	str_init(&origin);
	assert_int_equal(config_show(c, key, &value, &origin), 0);
	assert_string_equal(value.at, want);
	assert_string_equal(origin.at, from);
	str_fini(&value);
	str_fini(&origin);
}

static void
defaults_are_those_of_the_requirement(void **state)
{
	struct config c;

	config_init(&c);
	assert_null(c.url);
	assert_int_equal(c.ssl, CONFIG_UNSET);
	assert_string_equal(c.schema, "healthcare");
	assert_int_equal(c.pool_min, 50);
	assert_int_equal(c.pool_max, 500);
	assert_int_equal(c.acquire_timeout, 60000);
	assert_int_equal(c.connect_timeout, 30000);
	assert_int_equal(c.idle_timeout, 300000);
	assert_int_equal(c.read_timeout, 15000);
	assert_int_equal(c.write_timeout, 30000);
	assert_int_equal(c.critical_timeout, 60000);
	assert_int_equal(c.cache_ttl, 300000);
	assert_int_equal(c.cache_max_size, 100000);
	assert_int_equal(c.slow_query_threshold, 1000);
	assert_int_equal(c.batch_size, 2000);
	assert_int_equal(c.batch_concurrency, 50);
	assert_int_equal(c.parallel_queries, 20);
	assert_int_equal(c.auto_scaling_cpu_threshold, 75);
	assert_int_equal(c.auto_scaling_connection_threshold, 400);
	assert_true(c.audit_retention == 2555 * QUANTITY_DAY);
	assert_int_equal(c.circuit_breaker_timeout, 30000);
	assert_int_equal(c.max_logins, 4);
	assert_int_equal(c.group_size, 16);
	assert_int_equal(c.max_result_bytes, 64 << 20);
	check_shown(&c, "encryption_algorithm", "AES-256-GCM", "default");
	config_fini(&c);
}

/* SPEC 134-154, and the names by which two of them also go. */
static void
every_variable_of_the_requirement_is_taken(void **state)
{
	static const char *const env[][3] = {
		{"DATABASE_URL", "postgres://h/d", "url"},
		{"DATABASE_SSL", "true", "ssl"},
		{"DB_POOL_MIN", "51", "pool_min"},
		{"DB_POOL_MAX", "501", "pool_max"},
		{"DB_POOL_ACQUIRE_TIMEOUT", "60001", "acquire_timeout"},
		{"DB_POOL_IDLE_TIMEOUT", "300001", "idle_timeout"},
		{"DB_READ_REPLICAS_ENABLED", "false", "read_replicas_enabled"},
		{"READ_REPLICA_URLS", "a,b", "read_replica_urls"},
		{"CACHE_ENABLED", "false", "cache_enabled"},
		{"CACHE_TTL", "301", "cache_ttl"},
		{"CACHE_MAX_SIZE", "100001", "cache_max_size"},
		{"SLOW_QUERY_THRESHOLD", "1001", "slow_query_threshold"},
		{"DB_BATCH_SIZE", "2001", "batch_size"},
		{"DB_PARALLEL_QUERIES", "21", "parallel_queries"},
		{"DB_AUTO_SCALING_ENABLED", "false", "auto_scaling_enabled"},
		{"DB_AUTO_SCALING_CPU_THRESHOLD", "76",
		 "auto_scaling_cpu_threshold"},
		{"DB_AUTO_SCALING_CONNECTION_THRESHOLD", "401",
		 "auto_scaling_connection_threshold"},
		{"AUDIT_RETENTION_DAYS", "2556", "audit_retention"},
		{"ENCRYPTION_ENABLED", "false", "encryption_enabled"},
		{"ENCRYPTION_ALGORITHM", "aes-256-gcm", "encryption_algorithm"},
		{"CIRCUIT_BREAKER_TIMEOUT", "30001", "circuit_breaker_timeout"},
		{"DB_CIRCUIT_BREAKER_TIMEOUT", "30001",
		 "circuit_breaker_timeout"},
		{"ENCRYPTION_KEY_ROTATION_DAYS", "91",
		 "encryption_key_rotation"},
	};
	static const char *const shown[] = {
		"***",	    "true",    "51",	"501",	 "60001ms",
		"300001ms", "false",   "***",	"false", "301s",
		"100001",   "1001ms",  "2001",	"21",	 "false",
		"76",	    "401",     "2556d", "false", "AES-256-GCM",
		"30001ms",  "30001ms", "91d"};

	for (size_t i = 0; i < sizeof(env) / sizeof(*env); i++) {
		struct config c;

		config_init(&c);
		accept(&c, ENV(env[i][0], env[i][1]));
		check_shown(&c, env[i][2], shown[i], env[i][0]);
		config_fini(&c);
	}
}

static void
a_false_switch_is_off(void **state)
{
	static const char *const keys[] = {
		"CACHE_ENABLED",      "DB_READ_REPLICAS_ENABLED",
		"DB_FAILOVER",	      "DB_AUTO_SCALING_ENABLED",
		"ENCRYPTION_ENABLED", "LUNATE_CONTROL_SOCKET"};
	struct config c;

	config_init(&c);
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		accept(&c, ENV(keys[i], "false"));
	assert_false(c.cache_enabled || c.read_replicas_enabled || c.failover ||
		     c.auto_scaling_enabled || c.encryption_enabled ||
		     c.control_socket);
	accept(&c, ENV("DATABASE_SSL", "off"));
	assert_int_equal(c.ssl, 0);
	config_fini(&c);
}

static void
units_are_those_of_the_row_unless_written(void **state)
{
	struct config c;

	config_init(&c);
	set(&c, "cache_ttl", "60");
	assert_int_equal(c.cache_ttl, 60000);
	set(&c, "cache_ttl", "5min");
	assert_int_equal(c.cache_ttl, 300000);
	set(&c, "acquire_timeout", "60");
	assert_int_equal(c.acquire_timeout, 60);
	set(&c, "acquire_timeout", "1m");
	assert_int_equal(c.acquire_timeout, 60000);
	set(&c, "audit_retention", "3650");
	assert_true(c.audit_retention == 3650 * QUANTITY_DAY);
	set(&c, "max_result_bytes", "512kB");
	assert_int_equal(c.max_result_bytes, 524288);
	config_fini(&c);
}

static const struct {
	const char *key, *value, *says[3];
} refusals[] = {
	{"pool_max", "many", {"option pool_max", "\"many\"", "500"}},
	{"pool_max", "0", {"from 1 to 10000", "500", ""}},
	{"pool_max", "10001", {"from 1 to 10000", "", ""}},
	{"pool_max", "5.5", {"whole number", "", ""}},
	{"cache_ttl", "5 parsecs", {"5min", "counts s", ""}},
	{"idle_timeout", "-1", {"duration", "counts ms", ""}},
	{"max_result_bytes", "1", {"1kB", "64MB", ""}},
	{"cache_enabled", "maybe", {"true or false", "\"maybe\"", ""}},
	{"log_level", "warning", {"debug|info|warn|error", "", ""}},
	{"load_balancing",
	 "round_robin",
	 {"did you mean round-robin?", "", ""}},
	{"encryption_algorithm", "AES-128-CBC", {"AES-256-GCM", "", ""}},
	{"schema", "", {"1 to 63 bytes", "", ""}},
	{"schema", "a\nb", {"control character", "a?b", ""}},
	{"policies", "true", {"path", "", ""}},
	{"audit_retention", "0", {"2555d", "counts days", ""}},
};

static void
a_refused_value_names_the_remedy_and_changes_nothing(void **state)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
		struct config c;
		struct str before, after, from;
		struct err e;

		config_init(&c);
		str_init(&before);
		str_init(&after);
		str_init(&from);
		assert_int_equal(
			config_show(&c, refusals[i].key, &before, &from), 0);
		assert_int_equal(
			config_set(&c, refusals[i].key, refusals[i].value, &e),
			LUNATE_ECONFIG);
		for (int k = 0; k < 3; k++)
			if (refusals[i].says[k] != NULL &&
			    strstr(e.text, refusals[i].says[k]) == NULL)
				fail_msg("%s", e.text);
		str_clear(&from);
		assert_int_equal(
			config_show(&c, refusals[i].key, &after, &from), 0);
		assert_string_equal(before.at, after.at);
		assert_string_equal(from.at, "default");
		str_fini(&before);
		str_fini(&after);
		str_fini(&from);
		config_fini(&c);
	}
}

static void
a_bad_variable_is_named_as_it_was_written(void **state)
{
	struct config c;
	struct err e;

	config_init(&c);
	assert_int_equal(config_env(&c, lookup, ENV("DB_POOL_MIN", "x"), &e),
			 LUNATE_ECONFIG);
	assert_non_null(strstr(e.text, "DB_POOL_MIN: \"x\""));
	assert_int_equal(
		config_env(&c, lookup, ENV("LUNATE_POOL_MIN", "x"), &e),
		LUNATE_ECONFIG);
	assert_non_null(strstr(e.text, "LUNATE_POOL_MIN: \"x\""));
	config_fini(&c);
}

static void
an_unknown_option_gets_the_nearest(void **state)
{
	struct config c;
	struct err e;

	config_init(&c);
	assert_int_equal(config_set(&c, "pool_mx", "5", &e), LUNATE_ECONFIG);
	assert_non_null(strstr(e.text, "did you mean \"pool_max\""));
	assert_int_equal(config_set_number(&c, "pol_min", 5, &e),
			 LUNATE_ECONFIG);
	assert_non_null(strstr(e.text, "did you mean \"pool_min\""));
	assert_int_equal(config_set_bool(&c, "temperature", true, &e),
			 LUNATE_ECONFIG);
	assert_non_null(strstr(e.text, "lunate help config"));
	config_fini(&c);
}

static void
an_empty_variable_counts_as_not_set(void **state)
{
	struct config c;

	config_init(&c);
	accept(&c,
	       ENV("DATABASE_URL", "", "DATABASE_SSL", "", "DB_POOL_MAX", ""));
	assert_null(c.url);
	assert_int_equal(c.ssl, CONFIG_UNSET);
	check_shown(&c, "pool_max", "500", "default");
	config_fini(&c);
}

static void
two_names_of_one_option_must_agree(void **state)
{
	struct config c;
	struct err e;

	config_init(&c);
	accept(&c, ENV("CIRCUIT_BREAKER_TIMEOUT", "9s",
		       "DB_CIRCUIT_BREAKER_TIMEOUT", "9s"));
	check_shown(&c, "circuit_breaker_timeout", "9s",
		    "CIRCUIT_BREAKER_TIMEOUT");
	assert_int_equal(config_env(&c, lookup,
				    ENV("CIRCUIT_BREAKER_TIMEOUT", "9s",
					"DB_CIRCUIT_BREAKER_TIMEOUT", "8s"),
				    &e),
			 LUNATE_ECONFIG);
	assert_non_null(strstr(e.text, "DB_CIRCUIT_BREAKER_TIMEOUT"));
	config_fini(&c);
}

static void
an_option_goes_over_the_environment_over_the_default(void **state)
{
	struct config c;

	config_init(&c);
	config_default(&c, "pool_min", "0");
	check_shown(&c, "pool_min", "0", "default");
	accept(&c, ENV("DB_POOL_MIN", "3"));
	check_shown(&c, "pool_min", "3", "DB_POOL_MIN");
	config_default(&c, "pool_min", "1");
	check_shown(&c, "pool_min", "3", "DB_POOL_MIN");
	set(&c, "pool_min", "4");
	check_shown(&c, "pool_min", "4", "option");
	config_fini(&c);
}

static void
lua_numbers_and_booleans_mean_the_same_as_their_text(void **state)
{
	struct config c;
	struct err e;

	config_init(&c);
	assert_int_equal(config_set_number(&c, "pool_max", 8, &e), 0);
	assert_int_equal(c.pool_max, 8);
	assert_int_equal(config_set_number(&c, "cache_ttl", 1.5, &e), 0);
	assert_int_equal(c.cache_ttl, 1500);
	assert_int_equal(config_set_bool(&c, "cache_enabled", false, &e), 0);
	assert_false(c.cache_enabled);
	assert_int_equal(config_set_bool(&c, "policies", false, &e), 0);
	assert_string_equal(c.policies, CONFIG_NO_FOLDER);
	assert_int_equal(config_set_bool(&c, "schema", false, &e),
			 LUNATE_ECONFIG);
	assert_int_equal(config_set_bool(&c, "pool_max", true, &e),
			 LUNATE_ECONFIG);
	assert_int_equal(config_set_number(&c, "pool_max", NAN, &e),
			 LUNATE_ECONFIG);
	assert_int_equal(config_set_number(&c, "pool_max", INFINITY, &e),
			 LUNATE_ECONFIG);
	assert_int_equal(config_set_number(&c, "pool_max", 1e300, &e),
			 LUNATE_ECONFIG);
	assert_int_equal(config_set_number(&c, "pool_max", 2.5, &e),
			 LUNATE_ECONFIG);
	assert_int_equal(c.pool_max, 8);
	config_fini(&c);
}

static void
words_are_numbered_as_their_enums(void **state)
{
	struct config c;

	config_init(&c);
	set(&c, "load_balancing", "latency-based");
	assert_int_equal(c.load_balancing, CONFIG_LATENCY_BASED);
	set(&c, "load_balancing", "random");
	assert_int_equal(c.load_balancing, CONFIG_RANDOM);
	set(&c, "cache_policy", "LRU");
	assert_int_equal(c.cache_policy, CONFIG_LRU);
	set(&c, "log_level", "error");
	assert_int_equal(c.log_level, CONFIG_ERROR);
	set(&c, "log_format", "json");
	assert_int_equal(c.log_format, CONFIG_LOG_JSON);
	check_shown(&c, "load_balancing", "random", "option");
	config_fini(&c);
}

/* ---- secrets ----------------------------------------------------------- */

static void
no_secret_is_shown_or_quoted(void **state)
{
	static const char *const keys[] = {"url", "read_replica_urls",
					   "redis_url"};
	static const char *const values[] = {"postgres://u:hunter@h/d\n",
					     "hunter", "hunter://u:hunter@h:p"};

	for (size_t i = 0; i < 9; i++) {
		struct config c;
		struct err e = {0};

		config_init(&c);
		if (config_set(&c, keys[i / 3], values[i % 3], &e) == 0) {
			check_shown(&c, keys[i / 3], "***", "option");
			if (i != 4) /* a bare name is a replica's host */
				assert_int_equal(config_check(&c, NULL, &e),
						 LUNATE_ECONFIG);
		}
		/* a scheme is no secret */
		if (i % 3 != 2)
			assert_null(strstr(e.text, "hunter"));
		assert_null(strstr(e.text, "u:hunter"));
		config_fini(&c);
	}
}

/* ---- the printed table ------------------------------------------------- */

struct seen {
	struct str *markdown, *help;
	size_t rows;
};

static void
see(const struct config_info *info, void *arg)
{
	struct seen *seen = arg;
	char key[80];

	seen->rows++;
	snprintf(key, sizeof(key), "| `%s` |", info->key);
	assert_non_null(strstr(seen->markdown->at, key));
	assert_non_null(strstr(seen->markdown->at, info->meaning));
	snprintf(key, sizeof(key), "\n  %s = ", info->key);
	assert_non_null(strstr(seen->help->at, key));
	assert_true(strlen(info->meaning) > 10);
	assert_null(strchr(info->meaning, '|'));
}

static void
the_printed_tables_hold_every_option(void **state)
{
	struct str markdown, help;
	struct seen seen = {&markdown, &help, 0};
	size_t lines = 0;

	str_init(&markdown);
	str_init(&help);
	config_markdown(&markdown);
	config_help(&help);
	config_each(see, &seen);
	assert_int_equal(seen.rows, CONFIG_KEYS);
	for (const char *p = markdown.at; *p != 0; p = strchr(p, '\n') + 1)
		lines += p[0] == '|' && p[1] == ' ' && p[2] == '`';
	assert_int_equal(lines, CONFIG_KEYS);
	assert_non_null(strstr(markdown.at, "`DB_POOL_MAX`"));
	assert_non_null(strstr(markdown.at, "| 60000 ms |"));
	str_fini(&markdown);
	str_fini(&help);
}

static void
help_fits_a_terminal(void **state)
{
	struct str help;
	size_t n;

	str_init(&help);
	config_help(&help);
	for (const char *p = help.at; *p != 0; p += n + 1) {
		n = strcspn(p, "\n");
		if (n > 100)
			fail_msg("%.*s", (int)n, p);
	}
	str_fini(&help);
}

struct round {
	struct config *c;
	uint32_t seed;
	int accepted;
};

/* Whatever is accepted reads back, when written as shown, as the same. */
static void
throw_texts(const struct config_info *info, void *arg)
{
	static const char letters[] = "0123456789.msindhkMGBtruefalso-/:,@ ";
	struct round *round = arg;
	struct str first, second, from;
	char text[10];
	struct err e;

	str_init(&first);
	str_init(&second);
	str_init(&from);
	for (int i = 0; i < 400; i++) {
		size_t n = (round->seed >> 8) % sizeof(text);

		for (size_t k = 0; k < n; k++) {
			round->seed = round->seed * 1664525 + 1013904223;
			text[k] = letters[(round->seed >> 10) %
					  (sizeof(letters) - 1)];
		}
		text[n] = 0;
		round->seed = round->seed * 1664525 + 1013904223;
		if (config_set(round->c, info->key, text, &e) != 0) {
			assert_non_null(strstr(e.text, info->key));
			continue;
		}
		round->accepted++;
		if (info->is_secret)
			continue;
		str_clear(&first);
		str_clear(&second);
		assert_int_equal(
			config_show(round->c, info->key, &first, &from), 0);
		set(round->c, info->key, first.at);
		assert_int_equal(
			config_show(round->c, info->key, &second, &from), 0);
		assert_string_equal(first.at, second.at);
	}
	str_fini(&first);
	str_fini(&second);
	str_fini(&from);
}

static void
random_values_are_taken_exactly_or_refused(void **state)
{
	struct config c;
	struct round round = {&c, 4711, 0};

	config_init(&c);
	config_each(throw_texts, &round);
	assert_true(round.accepted > 1000);
	config_fini(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_those_of_the_requirement),
		cmocka_unit_test(every_variable_of_the_requirement_is_taken),
		cmocka_unit_test(a_false_switch_is_off),
		cmocka_unit_test(units_are_those_of_the_row_unless_written),
		cmocka_unit_test(
			a_refused_value_names_the_remedy_and_changes_nothing),
		cmocka_unit_test(a_bad_variable_is_named_as_it_was_written),
		cmocka_unit_test(an_unknown_option_gets_the_nearest),
		cmocka_unit_test(an_empty_variable_counts_as_not_set),
		cmocka_unit_test(two_names_of_one_option_must_agree),
		cmocka_unit_test(
			an_option_goes_over_the_environment_over_the_default),
		cmocka_unit_test(
			lua_numbers_and_booleans_mean_the_same_as_their_text),
		cmocka_unit_test(words_are_numbered_as_their_enums),
		cmocka_unit_test(no_secret_is_shown_or_quoted),
		cmocka_unit_test(the_printed_tables_hold_every_option),
		cmocka_unit_test(help_fits_a_terminal),
		cmocka_unit_test(random_values_are_taken_exactly_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
