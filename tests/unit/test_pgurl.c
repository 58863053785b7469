/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pgurl.h"
#include "pgurl_list.h"

static struct pgurl *
parsed(const char *text)
{
	struct pgurl *u;
	struct err e;

	if (pgurl_new(&u, "DATABASE_URL", text, &e) != 0)
		fail_msg("%s", e.text);
	return u;
}

/* The text must be refused, naming what it came from. */
static struct err
refused(const char *text)
{
	struct pgurl *u;
	struct err e;

	assert_int_equal(pgurl_new(&u, "DATABASE_URL", text, &e),
			 LUNATE_ECONFIG);
	assert_null(u);
	assert_non_null(strstr(e.text, "DATABASE_URL"));
	return e;
}

static void
a_url_gives_all_its_parts(void **state)
{
	struct pgurl *u = parsed("postgres://ann:s%40crt@db.example:6432/"
				 "clinic?sslmode=require&connect_timeout=3");
	const struct pgurl_endpoint *at = pgurl_endpoint(u, 0);

	assert_int_equal(pgurl_endpoints(u), 1);
	assert_string_equal(at->host, "db.example");
	assert_int_equal(at->port, 6432);
	assert_false(at->is_unix);
	assert_null(at->hostaddr);
	assert_string_equal(pgurl_get(u, "user"), "ann");
	assert_string_equal(pgurl_get(u, "password"), "s@crt");
	assert_string_equal(pgurl_get(u, "dbname"), "clinic");
	assert_string_equal(pgurl_get(u, "sslmode"), "require");
	assert_string_equal(pgurl_get(u, "connect_timeout"), "3");
	assert_null(pgurl_get(u, "host"));
	assert_null(pgurl_get(u, "target_session_attrs"));
	pgurl_free(&u);
	assert_null(u);
}

static const struct {
	const char *text;
	size_t n;
	const char *host[3];
	int port[3];
	bool is_unix;
} addresses[] = {
	{"postgres://a,b:5433,c/db",
	 3,
	 {"a", "b", "c"},
	 {5432, 5433, 5432},
	 false},
	{"postgresql://[2001:db8::1]:6000/db",
	 1,
	 {"2001:db8::1"},
	 {6000},
	 false},
	{"host=a,b port=1,2", 2, {"a", "b"}, {1, 2}, false},
	{"host=a,b port=7", 2, {"a", "b"}, {7, 7}, false},
	{"host='/var/run/pg' dbname=x", 1, {"/var/run/pg"}, {5432}, true},
	{"postgres://%2Ftmp%2Fpg:5555/db", 1, {"/tmp/pg"}, {5555}, true},
	{"postgres:///db?host=/tmp/pg&port=77", 1, {"/tmp/pg"}, {77}, true},
	{"postgres:///db", 1, {""}, {5432}, true},
	{"postgres://", 1, {""}, {5432}, true},
	{"hostaddr=10.0.0.1", 1, {""}, {5432}, false},
};

static void
addresses_are_endpoints_in_order(void **state)
{
	for (size_t i = 0; i < sizeof(addresses) / sizeof(*addresses); i++) {
		struct pgurl *u = parsed(addresses[i].text);

		assert_int_equal(pgurl_endpoints(u), addresses[i].n);
		for (size_t k = 0; k < addresses[i].n; k++) {
			const struct pgurl_endpoint *at = pgurl_endpoint(u, k);

			assert_string_equal(at->host, addresses[i].host[k]);
			assert_int_equal(at->port, addresses[i].port[k]);
			assert_int_equal(at->is_unix, addresses[i].is_unix);
		}
		pgurl_free(&u);
	}
}

static void
a_given_address_stays_beside_its_name(void **state)
{
	struct pgurl *u = parsed("host=a,b hostaddr=10.0.0.1,10.0.0.2");

	assert_string_equal(pgurl_endpoint(u, 1)->host, "b");
	assert_string_equal(pgurl_endpoint(u, 1)->hostaddr, "10.0.0.2");
	pgurl_free(&u);
}

static void
every_mistake_names_its_remedy(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{"", "is empty"},
		{"  ", "is empty"},
		{"mysql://h/db", "\"mysql\""},
		{"POSTGRES://h/db", "\"POSTGRES\""},
		{"clinic", "without a '='"},
		{"postgres://h:0/db", "1 to 65535"},
		{"postgres://h:65536/db", "1 to 65535"},
		{"postgres://h:99999999999999999999/db", "1 to 65535"},
		{"postgres://h:5432x/db", "1 to 65535"},
		{"host=a port=-1", "1 to 65535"},
		{"host=a,b,c port=1,2", "2 ports for 3 hosts"},
		{"host=a,b hostaddr=10.0.0.1", "2 hosts but 1"},
		{"host=a,,b", "empty host"},
		{"postgres://a,/db", "empty host"},
		{"host='a b'", "white space"},
		{"postgres://h/db?sslmod=require", "did you mean \"sslmode\""},
		{"host=h dbnam=x", "did you mean \"dbname\""},
		{"postgres://h/db?schema=x", "DATABASE_SCHEMA"},
		{"postgres://h/db?connection_limit=5", "DB_POOL_MAX"},
		{"postgres://h/db?sslmode", "keyword=value"},
		{"postgres://h/db?sslmode=require=x", "keyword=value"},
		{"postgres://h/db?sslmode=requir", "did you mean require?"},
		{"postgres://h/db?target_session_attrs=write", "read-write"},
		{"postgres://u:50%@h/db", "%25"},
		{"postgres://u:a%00b@h/db", "%25"},
		{"postgres://[::1/db", "IPv6"},
		{"host='a", "not closed"},
		{"postgres://h/db\n", "line break"},
		{"postgres://h/d\001b", "control character"},
		{"postgres://h/d%0Ab", "control character"},
		{"postgres://h/db?replication=database", "replication"},
		{"host=a options='-c x=1\\\\'", "backslash"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct err e = refused(rows[i].text);

		if (strstr(e.text, rows[i].says) == NULL)
			fail_msg("\"%s\": %s", rows[i].text, e.text);
	}
}

/* libpq's own messages quote the text; and a '/' in a password makes part of
 * it look like a port, a '?' like a keyword. */
static void
no_piece_of_a_password_is_in_a_message(void **state)
{
	static const char *const rows[] = {
		"postgres://u:hunter%zz@h/db",
		"postgres://u:hun/hunter@h/db",
		"postgres://u:hunter/x@h/db",
		"postgres://u:p/a?hunter=1@h/db",
		"postgres://u:hunter@[::1/db",
		"postgres://u:hunter@h:port/db",
		"postgres://u:hunter@h/db?x=1",
		"password=a hunter=1",
		"password=a hunter",
		"password=hunter host",
		"user=u password='hunter",
		"hunter://u@h/db/hunter\n",
		"hunter@h",
		"u:hunter@h://x",
		"postgres://u:hunter@h/db?password=hunter&sslmode=hunter",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct err e = refused(rows[i]);

		if (strstr(e.text, "hunter") != NULL)
			fail_msg("\"%s\": %s", rows[i], e.text);
	}
}

static void
check_redacted(const char *text, const char *want)
{
	struct pgurl *u = parsed(text);
	struct str s;

	str_init(&s);
	pgurl_redacted(u, &s);
	assert_string_equal(s.at, want);
	str_fini(&s);
	pgurl_free(&u);
}

static void
a_redacted_url_is_a_url_without_its_secrets(void **state)
{
	check_redacted("postgres://ann:hunter@a,b:5433/db?sslmode=require"
		       "&sslpassword=hunter&target_session_attrs=primary",
		       "postgres://ann:***@a:5432,b:5433/db?sslmode=require"
		       "&target_session_attrs=primary");
	check_redacted("password=hunter host=/tmp/x",
		       "postgres://:***@%2Ftmp%2Fx:5432");
	check_redacted("user='a b' host=::1 dbname=c",
		       "postgres://a%20b@[::1]:5432/c");
	check_redacted("postgres://", "postgres://:5432");
	check_redacted("hostaddr=10.0.0.1", "postgres://10.0.0.1:5432");
}

static void
a_replica_inherits_what_it_does_not_say(void **state)
{
	struct pgurl *main_url = parsed("postgres://ann:hunter@main:6432/db"
					"?sslmode=require&"
					"target_session_attrs=read-write");
	struct pgurl *u = parsed("postgres://replica");

	pgurl_inherit(u, main_url);
	assert_string_equal(pgurl_endpoint(u, 0)->host, "replica");
	assert_int_equal(pgurl_endpoint(u, 0)->port, 5432);
	assert_string_equal(pgurl_get(u, "user"), "ann");
	assert_string_equal(pgurl_get(u, "password"), "hunter");
	assert_string_equal(pgurl_get(u, "dbname"), "db");
	assert_string_equal(pgurl_get(u, "sslmode"), "require");
	assert_null(pgurl_get(u, "target_session_attrs"));
	pgurl_free(&u);
	pgurl_free(&main_url);
}

static void
a_password_goes_with_its_user_only(void **state)
{
	struct pgurl *from = parsed("postgres://ann:hunter@main/db");
	struct pgurl *other = parsed("postgres://bob@r/x");
	struct pgurl *same = parsed("postgres://ann@r");
	struct pgurl *own = parsed("postgres://r/?password=own");

	pgurl_inherit(other, from);
	assert_null(pgurl_get(other, "password"));
	assert_string_equal(pgurl_get(other, "dbname"), "x");
	pgurl_inherit(same, from);
	assert_string_equal(pgurl_get(same, "password"), "hunter");
	pgurl_inherit(own, from);
	assert_string_equal(pgurl_get(own, "user"), "ann");
	assert_string_equal(pgurl_get(own, "password"), "own");
	pgurl_free(&other);
	pgurl_free(&same);
	pgurl_free(&own);
	pgurl_free(&from);
}

#define DENIED "denied"

static const struct {
	const char *url;
	enum pgurl_ssl wish;
	const char *root, *want, *want_root;
	bool warns;
} settled[] = {
	{"host=h", PGURL_SSL_UNSET, NULL, NULL, NULL, false},
	{"host=h", PGURL_SSL_UNSET, "/r", NULL, NULL, false},
	{"host=h", PGURL_SSL_ON, "/r", "verify-full", "/r", false},
	{"host=h sslrootcert=/u", PGURL_SSL_ON, NULL, "verify-full", "/u",
	 false},
	{"host=h sslrootcert=/u", PGURL_SSL_ON, "/r", "verify-full", "/u",
	 false},
	{"host=h", PGURL_SSL_ON, NULL, "require", NULL, true},
	{"host=/tmp", PGURL_SSL_ON, NULL, "require", NULL, false},
	{"host=/tmp,h", PGURL_SSL_ON, NULL, "require", NULL, true},
	{"host=h", PGURL_SSL_OFF, "/r", "disable", NULL, false},
	{"host=h sslmode=require", PGURL_SSL_ON, "/r", "require", NULL, false},
	{"host=h sslmode=verify-ca", PGURL_SSL_ON, "/r", "verify-ca", "/r",
	 false},
	{"host=h sslmode=verify-full", PGURL_SSL_UNSET, "/r", "verify-full",
	 "/r", false},
	{"host=h sslmode=require", PGURL_SSL_OFF, NULL, "require", NULL, true},
	{"host=h sslmode=prefer", PGURL_SSL_OFF, NULL, "prefer", NULL, false},
	{"host=h sslmode=disable", PGURL_SSL_ON, "/r", DENIED, NULL, false},
	{"host=h sslmode=allow", PGURL_SSL_ON, "/r", DENIED, NULL, false},
	{"host=h sslmode=prefer", PGURL_SSL_ON, NULL, DENIED, NULL, false},
};

static void
database_ssl_and_sslmode_settle_one_mode(void **state)
{
	for (size_t i = 0; i < sizeof(settled) / sizeof(*settled); i++) {
		struct pgurl *u = parsed(settled[i].url);
		const char *mode, *root;
		struct err e;
		int rc = pgurl_ssl(u, settled[i].wish, settled[i].root, &e);

		mode = rc != 0 ? DENIED : pgurl_get(u, "sslmode");
		root = pgurl_get(u, "sslrootcert");
		if (rc != 0) {
			assert_int_equal(rc, LUNATE_ECONFIG);
			assert_non_null(strstr(e.text, "sslmode="));
		}
		assert_int_equal(mode == NULL, settled[i].want == NULL);
		if (mode != NULL)
			assert_string_equal(mode, settled[i].want);
		assert_int_equal(root == NULL, settled[i].want_root == NULL);
		if (root != NULL)
			assert_string_equal(root, settled[i].want_root);
		assert_int_equal(pgurl_warning(u) != NULL, settled[i].warns);
		pgurl_free(&u);
	}
}

static void
a_list_keeps_urls_and_their_hosts_apart(void **state)
{
	static const struct {
		const char *text;
		size_t n;
		const char *first[3];
	} rows[] = {
		{"postgres://a/x,postgres://b/y", 2, {"a", "b"}},
		{"postgres://a/x, postgresql://b/y ", 2, {"a", "b"}},
		{"postgres://a,b/x", 1, {"a"}},
		{"postgres://a,b/x,postgres://c", 2, {"a", "c"}},
		{"r1,r2:5433 , r3", 3, {"r1", "r2", "r3"}},
		{"host=a,b dbname=x", 1, {"a"}},
	};
	struct pgurl_list list;
	struct err e;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (pgurl_list_init(&list, "READ_REPLICA_URLS", rows[i].text,
				    &e) != 0)
			fail_msg("%s", e.text);
		assert_int_equal(list.n, rows[i].n);
		for (size_t k = 0; k < list.n; k++)
			assert_string_equal(pgurl_endpoint(list.at[k], 0)->host,
					    rows[i].first[k]);
		pgurl_list_fini(&list);
	}
	assert_int_equal(pgurl_list_init(&list, "READ_REPLICA_URLS",
					 "postgres://a,postgres://b:x", &e),
			 LUNATE_ECONFIG);
	assert_non_null(strstr(e.text, "READ_REPLICA_URLS (entry 2)"));
	assert_int_equal(list.n, 0);
	assert_int_equal(pgurl_list_init(&list, "R", "r1,,r2", &e),
			 LUNATE_ECONFIG);
}

static uint32_t seed = 77001;

static uint32_t
dice(uint32_t sides)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 9) % sides;
}

/* Pieces of URLs in any order: every text is read or refused with a reason,
 * and never shows the password. */
static const char *const pieces[] = {"postgres://",
				     "postgresql://",
				     ":",
				     "@",
				     "/",
				     "?",
				     "&",
				     "=",
				     ",",
				     "%2F",
				     "%",
				     "[",
				     "]",
				     "h",
				     "543",
				     "host",
				     " ",
				     "'",
				     "\\",
				     "sslmode=",
				     "user=",
				     "db",
				     "x=1",
				     "port=5,6",
				     "password=ZQZQ",
				     ":ZQZQ@"};

static void
random_urls_are_read_or_refused_with_a_reason(void **state)
{
	struct err e = {0};
	struct pgurl *u;
	struct str text, shown;
	int read = 0;

	str_init(&text);
	str_init(&shown);
	for (int round = 0; round < 40000; round++) {
		str_clear(&text);
		str_clear(&shown);
		if (dice(2) == 0)
			str_add(&text, "postgres://");
		for (uint32_t n = dice(9); n > 0; n--)
			str_add(&text,
				pieces[dice(sizeof(pieces) / sizeof(*pieces))]);
		if (pgurl_new(&u, "U", text.at, &e) != 0) {
			assert_null(strstr(e.text, "ZQZQ"));
			assert_true(strlen(e.text) > 10);
			continue;
		}
		read++;
		assert_true(pgurl_endpoints(u) > 0);
		pgurl_redacted(u, &shown);
		if (pgurl_get(u, "password") != NULL &&
		    strstr(pgurl_get(u, "password"), "ZQZQ") != NULL &&
		    strstr(text.at, "ZQZQ") != NULL)
			assert_non_null(strstr(shown.at, "***"));
		pgurl_free(&u);
	}
	assert_true(read > 500);
	str_fini(&text);
	str_fini(&shown);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_url_gives_all_its_parts),
		cmocka_unit_test(addresses_are_endpoints_in_order),
		cmocka_unit_test(a_given_address_stays_beside_its_name),
		cmocka_unit_test(every_mistake_names_its_remedy),
		cmocka_unit_test(no_piece_of_a_password_is_in_a_message),
		cmocka_unit_test(a_redacted_url_is_a_url_without_its_secrets),
		cmocka_unit_test(a_replica_inherits_what_it_does_not_say),
		cmocka_unit_test(a_password_goes_with_its_user_only),
		cmocka_unit_test(database_ssl_and_sslmode_settle_one_mode),
		cmocka_unit_test(a_list_keeps_urls_and_their_hosts_apart),
		cmocka_unit_test(random_urls_are_read_or_refused_with_a_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
