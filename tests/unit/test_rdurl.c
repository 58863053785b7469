/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "rdurl.h"

static struct rdurl
parsed(const char *url)
{
	struct rdurl u;
	struct err e;

	assert_int_equal(rdurl_parse(&u, url, &e), 0);
	return u;
}

static void
a_host_alone_has_the_usual_port_and_database(void **state)
{
	struct rdurl u = parsed("redis://cache.example");

	(void)state;
	assert_string_equal(u.host, "cache.example");
	assert_int_equal(u.port, 6379);
	assert_int_equal(u.db, 0);
	assert_string_equal(u.user, "");
	assert_string_equal(u.password, "");
	assert_string_equal(u.path, "");
}

static void
every_part_of_a_tcp_url_is_read(void **state)
{
	struct rdurl u = parsed("redis://ann:s%40c%3Aret@10.0.0.7:7000/12");

	(void)state;
	assert_string_equal(u.user, "ann");
	assert_string_equal(u.password, "s@c:ret");
	assert_string_equal(u.host, "10.0.0.7");
	assert_int_equal(u.port, 7000);
	assert_int_equal(u.db, 12);
	u = parsed("redis://:only@[::1]:6380?db=3");
	assert_string_equal(u.user, "");
	assert_string_equal(u.password, "only");
	assert_string_equal(u.host, "::1");
	assert_int_equal(u.port, 6380);
	assert_int_equal(u.db, 3);
}

static void
a_password_with_a_raw_at_sign_is_read_to_the_last_one(void **state)
{
	struct rdurl u = parsed("redis://:p@ss@h");

	(void)state;
	assert_string_equal(u.password, "p@ss");
	assert_string_equal(u.host, "h");
}

static void
a_socket_may_carry_a_database_and_a_login(void **state)
{
	struct rdurl u = parsed("unix:///run/redis.sock?db=1");

	(void)state;
	assert_string_equal(u.path, "/run/redis.sock");
	assert_string_equal(u.host, "");
	assert_int_equal(u.db, 1);
	u = parsed("unix://u:p@/run/a%20b");
	assert_string_equal(u.path, "/run/a b");
	assert_string_equal(u.user, "u");
	assert_string_equal(u.password, "p");
}

static void
tls_is_refused_with_the_reason(void **state)
{
	struct rdurl u;
	struct err e;

	(void)state;
	assert_int_equal(rdurl_parse(&u, "rediss://:pw@h", &e),
			 LUNATE_EUNSUPPORTED);
	assert_non_null(strstr(e.text, "TLS"));
	assert_null(strstr(e.text, "pw"));
}

static void
a_bad_url_is_an_error_that_shows_none_of_it(void **state)
{
	static const char *const bad[] = {
		"http://:hunter2@h",	    "redis://:hunter2@",
		"redis://hunter2@h",	    "redis://u:@h",
		"redis://:hunter2@h:0",	    "redis://:hunter2@h:65536",
		"redis://:hunter2@h:x",	    "redis://:hunter2@h/x",
		"redis://:hunter2@h?x=1",   "redis://:hunter2@h/1?db=",
		"redis://:hunter2%4@h",	    "redis://:hunter2%00@h",
		"redis://:hunter2@[::1",    "redis://:hunter2@[::1]x",
		"unix://:hunter2@run/s",    "unix:///",
		"unix:///hunter2?size=10",  "unix:///hunter2?db=-1",
		"redis://:hunter2@h/99999",
	};
	char longer[400] = "unix:///";

	(void)state;
	for (size_t i = 0; i <= sizeof(bad) / sizeof(bad[0]); i++) {
		const char *url = longer;
		struct rdurl u;
		struct err e;

		if (i < sizeof(bad) / sizeof(bad[0]))
			url = bad[i];
		else
			memset(longer + 8, 'x', 300);
		assert_int_equal(rdurl_parse(&u, url, &e), LUNATE_ECONFIG);
		assert_null(strstr(e.text, "hunter2"));
		assert_string_equal(u.password, "");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_host_alone_has_the_usual_port_and_database),
		cmocka_unit_test(every_part_of_a_tcp_url_is_read),
		cmocka_unit_test(
			a_password_with_a_raw_at_sign_is_read_to_the_last_one),
		cmocka_unit_test(a_socket_may_carry_a_database_and_a_login),
		cmocka_unit_test(tls_is_refused_with_the_reason),
		cmocka_unit_test(a_bad_url_is_an_error_that_shows_none_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
