/* SPDX-License-Identifier: MIT
 *
 * The sealed context of rls.h on a live server: what opens it, and all that
 * does not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <time.h>

#include "rls_world.h"

static const char notes[] = "select count(*) from h.notes";
static const struct rls_key key = {7, "0123456789abcdef0123456789abcde"};
static const struct rls_key other = {8, "another key of thirty-two bytes"};

static void
give_key(const struct rls_key *k, int before)
{
	struct str s;

	str_init(&s);
	rls_key_sql(k, before, &s);
	(void)server_sql(s.at);
	str_fini(&s);
}

static void
sealed_begin(void)
{
	const struct rls_options o = {.rules = &rls_rules, .seal = true};

	rls_begin();
	rls_apply(&o);
	give_key(&key, -1);
}

/* What the application sees of h.notes with this seal, broken at `flip`. */
static const char *
sealed(const char *json, struct rls_seal by, int flip)
{
	struct context *ctx;
	const char *text;
	struct str s;
	struct err e;

	str_init(&s);
	assert_int_equal(context_new(json, strlen(json), &ctx, &e), 0);
	rls_seal(&by, ctx->wire, &s);
	context_unpin(&ctx);
	if (flip >= 0)
		s.at[(size_t)flip % s.len] ^= 1;
	text = rls_raw(rls_app, s.at, notes);
	str_fini(&s);
	return text;
}

static void
a_good_seal_opens_what_it_names(void **state)
{
	int64_t soon = time(NULL) + 30;
	int pid;

	sealed_begin();
	pid = PQbackendPID(rls_app);
	assert_string_equal(sealed(A, (struct rls_seal){&key, pid, soon}, -1),
			    "3");
	assert_string_equal(sealed(B, (struct rls_seal){&key, pid, soon}, -1),
			    "4");
	assert_string_equal(
		sealed(BOTH, (struct rls_seal){&key, pid, soon}, -1), "7");
	assert_string_equal(
		sealed(NOBODY, (struct rls_seal){&key, pid, soon}, -1), "0");
}

static void
a_seal_of_another_backend_time_or_key_opens_nothing(void **state)
{
	int64_t soon = time(NULL) + 30;
	int pid;

	sealed_begin();
	pid = PQbackendPID(rls_app);
	assert_string_equal(
		sealed(A, (struct rls_seal){&key, pid + 1, soon}, -1), "0");
	assert_string_equal(
		sealed(A, (struct rls_seal){&key, pid, soon - 60}, -1), "0");
	assert_string_equal(sealed(A, (struct rls_seal){&other, pid, soon}, -1),
			    "0");
	assert_string_equal(rls_ask(A, notes), "0");
	assert_string_equal(rls_ask(NULL, notes), "0");
	assert_string_equal(rls_raw(rls_app, "", notes), "0");
}

static void
a_seal_with_any_byte_changed_opens_nothing(void **state)
{
	int64_t soon = time(NULL) + 30;
	int pid;

	sealed_begin();
	pid = PQbackendPID(rls_app);
	for (int i = 0; i < 260; i++) {
		const char *got = sealed(A, (struct rls_seal){&key, pid, soon},
					 i);

		if (got[0] != '!' && strcmp(got, "0") != 0)
			fail_msg("byte %d changed: %s rows", i, got);
	}
}

static void
a_seal_of_one_clinic_does_not_carry_to_another(void **state)
{
	struct rls_seal by = {&key, 0, time(NULL) + 30};
	struct str s;
	char *at;

	sealed_begin();
	by.backend_pid = PQbackendPID(rls_app);
	str_init(&s);
	rls_seal(&by,
		 "{\"tenants\":\"{00000000-0000-4000-8000-00000000000a}\"}",
		 &s);
	assert_string_equal(rls_raw(rls_app, s.at, notes), "3");
	at = strstr(s.at, "0a}");
	at[1] = 'b';
	assert_string_equal(rls_raw(rls_app, s.at, notes), "0");
	str_fini(&s);
}

static void
the_application_reads_no_key_and_an_old_key_ends(void **state)
{
	int64_t soon = time(NULL) + 30;
	int pid;

	sealed_begin();
	pid = PQbackendPID(rls_app);
	assert_string_equal(rls_ask(A, "select count(*) from lunate.seal_key"),
			    "!42501");
	give_key(&other, key.kid);
	assert_string_equal(sealed(A, (struct rls_seal){&key, pid, soon}, -1),
			    "3");
	assert_string_equal(sealed(A, (struct rls_seal){&other, pid, soon}, -1),
			    "3");
	give_key(&other, -1);
	assert_string_equal(sealed(A, (struct rls_seal){&key, pid, soon}, -1),
			    "0");
	assert_string_equal(sealed(A, (struct rls_seal){&other, pid, soon}, -1),
			    "3");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_seal_opens_what_it_names),
		cmocka_unit_test(
			a_seal_of_another_backend_time_or_key_opens_nothing),
		cmocka_unit_test(a_seal_with_any_byte_changed_opens_nothing),
		cmocka_unit_test(
			a_seal_of_one_clinic_does_not_carry_to_another),
		cmocka_unit_test(
			the_application_reads_no_key_and_an_old_key_ends),
	};

	return cmocka_run_group_tests(tests, NULL, rls_end);
}
