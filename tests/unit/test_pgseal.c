/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "conn.h"
#include "pgseal.h"

/* Seals by saying how often it was asked; good for `good_s`. */
static int made, last_pid;
static int64_t good_s;

static int64_t
make(const struct pgseal *s, const struct pgseal_ask *ask, struct str *out)
{
	(void)s;
	made++;
	last_pid = ask->backend_pid;
	assert_true(ask->wall_s > 1700000000);
	str_addf(out, "%s sealed %d", ask->wire, made);
	return good_s;
}

static const struct pgseal one = {make}, other = {make};

static void
begin(int64_t good)
{
	conn_begin(4);
	made = 0;
	good_s = good;
}

/* What the session is shown. */
static void
ask(int i, const char *context, const struct pgseal *seal)
{
	conn_ask(i, PGREQ_READ, "select current_setting('lunate.ctx', true)");
	asks[i].r.context = context;
	asks[i].r.seal = seal;
}

static void
shows(int i, const char *want)
{
	assert_int_equal(asks[i].r.fate, PGREQ_DONE);
	assert_string_equal(asks[i].text, want);
}

static void
a_context_is_sealed_once_while_it_is_good(void **state)
{
	begin(60);
	for (int i = 0; i < 3; i++) {
		ask(i, i == 1 ? "B" : "A", &one);
		conn_send(i, 1);
		conn_wait(i, 1);
	}
	shows(0, "A sealed 1");
	shows(1, "B sealed 2");
	shows(2, "A sealed 1");
	assert_int_equal(last_pid, pgconn_backend_pid(conn));
	conn_close();
}

static void
what_is_good_no_longer_is_sealed_anew(void **state)
{
	begin(0);
	for (int i = 0; i < 2; i++) {
		ask(i, "A", &one);
		conn_send(i, 1);
		conn_wait(i, 1);
	}
	shows(0, "A sealed 1");
	shows(1, "A sealed 2");
	conn_close();
}

static void
no_context_and_no_seal_go_as_they_are(void **state)
{
	begin(60);
	ask(0, NULL, &one);
	ask(1, "A", NULL);
	conn_send(0, 2);
	conn_wait(0, 2);
	shows(0, "NULL");
	shows(1, "A");
	assert_int_equal(made, 0);
	conn_close();
}

static void
members_of_a_group_see_their_own_seal(void **state)
{
	begin(60);
	ask(0, "A", &one);
	ask(1, "A", &one);
	ask(2, "A", NULL);
	ask(3, "A", &other);
	conn_send(0, 4);
	conn_wait(0, 4);
	shows(0, "A sealed 1");
	shows(1, "A sealed 1");
	shows(2, "A");
	shows(3, "A sealed 2");
	conn_close();
}

static void
many_contexts_leave_the_last_ones(void **state)
{
	char names[40][8];

	begin(60);
	for (int k = 0; k < 40; k++) {
		snprintf(names[k], sizeof(names[k]), "C%d", k);
		ask(k, names[k], &one);
		conn_send(k, 1);
		conn_wait(k, 1);
		assert_int_equal(
			strncmp(asks[k].text, names[k], strlen(names[k])), 0);
	}
	assert_int_equal(made, 40);
	conn_close();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_context_is_sealed_once_while_it_is_good),
		cmocka_unit_test(what_is_good_no_longer_is_sealed_anew),
		cmocka_unit_test(no_context_and_no_seal_go_as_they_are),
		cmocka_unit_test(members_of_a_group_see_their_own_seal),
		cmocka_unit_test(many_contexts_leave_the_last_ones),
	};

	return cmocka_run_group_tests(tests, NULL, server_end);
}
