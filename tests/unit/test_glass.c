/* SPDX-License-Identifier: MIT */
#include "glass.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fault.h"
#include "refusal.h"

#define SECOND INT64_C(1000000)

static const uint64_t first[EXPR_ROLES / 64] = {1}, second[] = {3, 0, 0, 0};
static const struct access_role roles[] = {{"doctor", first},
					   {"chief", second}};
static const unsigned doctors[] = {0};
static const struct access_glass crash = {.name = "crash",
					  .file = "access.lua",
					  .line = 1,
					  .nroles = 1,
					  .roles = doctors,
					  .lasts_s = 60,
					  .review_s = 3600};
static const struct access_rules rules = {
	.nroles = 2, .roles = roles, .nglasses = 1, .glasses = &crash};

static struct loop *loop;
static struct crew *crew;
static struct glass *glass;
static char path[64];

static int
begin(void **state)
{
	snprintf(path, sizeof(path), "/tmp/lunate-glass.XXXXXX");
	close(mkstemp(path));
	loop = loop_new();
	crew = crew_new(2);
	glass = glass_new(path);
	return 0;
}

static int
end(void **state)
{
	fault_clear();
	crew_free(&crew, 2000);
	glass_free(&glass);
	loop_free(&loop);
	return unlink(path);
}

struct person {
	const char *tenant, *user, *role;
};

static struct context *
person(struct person p, const char *patient)
{
	struct context *c;
	struct err e;
	char json[300];

	snprintf(json, sizeof(json),
		 "{\"tenant\":\"%s\",\"user\":\"%s\",\"roles\":\"%s\","
		 "\"break_glass\":{\"rule\":\"crash\",\"patient\":\"%s\","
		 "\"reason\":\"found on the floor\"}}",
		 p.tenant, p.user, p.role, patient);
	assert_int_equal(context_new(json, strlen(json), &c, &e), 0);
	return c;
}

static struct context *
who(const char *role, const char *patient)
{
	return person((struct person){"a", "u", role}, patient);
}

static struct glass_ask
ask(const struct context *c, int64_t now_us)
{
	return (struct glass_ask){.rules = &rules,
				  .context = c,
				  .generation = 7,
				  .now_us = now_us,
				  .wall_us = 1800000000 * SECOND + now_us};
}

static int answers, code;
static enum refusal reason;

static void
on_done(void *arg, const struct err *e)
{
	answers++;
	code = e->code;
	reason = refusal_of(e);
}

/* Opens, n times at once. */
static int
opens(const struct context *c, int64_t now_us, int n)
{
	const struct glass_ask a = ask(c, now_us);
	const struct glass_start start = {
		.crew = crew, .home = loop, .rule = &crash, .done = on_done};

	answers = 0;
	for (int i = 0; i < n; i++)
		assert_non_null(glass_open(glass, &a, &start));
	while (answers < n)
		loop_turn(loop, 0.02);
	return code;
}

static int
opens_for(struct person p, const char *patient, int64_t now_us)
{
	struct context *c = person(p, patient);
	int rc = opens(c, now_us, 1);

	context_unpin(&c);
	return rc;
}

static enum glass_state
state_of(const struct context *c, int64_t now_us)
{
	const struct glass_ask a = ask(c, now_us);
	struct glass_opening o;

	return glass_look(glass, &a, &o);
}

static unsigned
lines(const char *with)
{
	char line[1000];
	unsigned n = 0;
	FILE *f = fopen(path, "r");

	while (fgets(line, sizeof(line), f) != NULL)
		n += strstr(line, with) != NULL;
	fclose(f);
	return n;
}

static void
test_it_is_open_for_its_time_and_not_again(void **state)
{
	struct context *c = who("doctor", "p1");

	assert_int_equal(state_of(c, 0), GLASS_NONE);
	assert_int_equal(opens(c, 5 * SECOND, 1), 0);
	assert_int_equal(state_of(c, 5 * SECOND), GLASS_OPEN);
	assert_int_equal(state_of(c, 65 * SECOND - 1), GLASS_OPEN);
	assert_int_equal(state_of(c, 65 * SECOND), GLASS_OVER);
	assert_int_equal(opens(c, 70 * SECOND, 1), 0);
	assert_int_equal(state_of(c, 70 * SECOND), GLASS_OVER);
	assert_int_equal(lines("\"patient\":\"p1\""), 1);
	context_unpin(&c);
}

static void
test_those_who_ask_at_once_share_one_record(void **state)
{
	struct context *c = who("doctor", "p1"), *other = who("doctor", "p2");

	assert_int_equal(opens(c, 0, 8), 0);
	assert_int_equal(lines("\"opening\""), 1);
	assert_int_equal(state_of(other, 0), GLASS_NONE);
	context_unpin(&c);
	context_unpin(&other);
}

static void
test_the_first_who_looks_is_told(void **state)
{
	struct context *c = who("doctor", "p1");
	const struct glass_ask a = ask(c, 1);
	struct glass_opening o;

	assert_int_equal(opens(c, 0, 1), 0);
	assert_int_equal(glass_look(glass, &a, &o), GLASS_OPEN);
	assert_true(o.first);
	assert_int_equal(lines(o.id), 1);
	assert_int_equal(glass_look(glass, &a, &o), GLASS_OPEN);
	assert_false(o.first);
	context_unpin(&c);
}

static void
test_what_cannot_be_written_down_is_not_open(void **state)
{
	struct context *c = who("doctor", "p1");
	struct err e;

	assert_int_equal(fault_arm_text("journal.write=always", &e), 0);
	assert_int_equal(opens(c, 0, 2), LUNATE_EDENIED);
	assert_int_equal(state_of(c, 0), GLASS_NONE);
	fault_clear();
	assert_int_equal(opens(c, 0, 1), 0);
	assert_int_equal(state_of(c, 0), GLASS_OPEN);
	context_unpin(&c);
}

static void
test_without_a_journal_nothing_opens(void **state)
{
	struct context *c = who("doctor", "p1");

	glass_free(&glass);
	glass = glass_new(NULL);
	assert_int_equal(opens(c, 0, 1), LUNATE_EDENIED);
	assert_int_equal(state_of(c, 0), GLASS_NONE);
	context_unpin(&c);
}

static void
test_a_role_may_by_itself_or_by_what_it_is(void **state)
{
	static const char *const may[] = {"doctor", "chief", "nurse"};
	const struct access_glass *rule;

	for (int i = 0; i < 3; i++) {
		struct context *c = who(may[i], "p1");
		const struct glass_ask a = ask(c, 0);
		struct err e;

		assert_int_equal(glass_may(&a, &rule, &e),
				 i < 2 ? 0 : LUNATE_EDENIED);
		context_unpin(&c);
	}
}

/* One who opened without end left none for everybody else. */
static void
test_one_user_does_not_use_up_what_others_may_open(void **state)
{
	const struct person u = {"a", "u", "doctor"}, v = {"a", "v", "doctor"},
			    b = {"b", "u", "doctor"};
	int64_t next_day = (60 + 86400) * SECOND + 1;
	char patient[16];

	for (int i = 0; i <= GLASS_MOST_EACH; i++) {
		snprintf(patient, sizeof(patient), "p%d", i);
		assert_int_equal(opens_for(u, patient, 0),
				 i < GLASS_MOST_EACH ? 0 : LUNATE_EDENIED);
	}
	assert_int_equal(reason, REFUSE_ACCESS);
	assert_int_equal(lines("\"opening\""), GLASS_MOST_EACH);
	assert_int_equal(opens_for(u, "p0", 0), 0);
	assert_int_equal(opens_for(v, patient, 0), 0);
	assert_int_equal(opens_for(b, patient, 0), 0);
	assert_int_equal(opens_for(u, patient, next_day - 1), LUNATE_EDENIED);
	assert_int_equal(opens_for(u, patient, next_day), 0);
}

static void
test_a_review_is_a_line_of_its_own(void **state)
{
	struct err e;

	assert_int_equal(glass_review(path, "0a1b", "Dr \"X\"", &e), 0);
	assert_int_equal(lines("\"by\":\"Dr \\\"X\\\"\""), 1);
	assert_int_equal(glass_review("/dev/null/x", "0a", "b", &e),
			 LUNATE_EIO);
}

static void
test_who_does_not_wait_is_not_told(void **state)
{
	struct context *c = who("doctor", "p1");
	const struct glass_ask a = ask(c, 0);
	const struct glass_start start = {
		.crew = crew, .home = loop, .rule = &crash, .done = on_done};
	struct glass_job *j = glass_open(glass, &a, &start);

	answers = 0;
	glass_drop(&j);
	assert_null(j);
	glass_drop(&j);
	for (int i = 0; i < 5; i++)
		loop_turn(loop, 0.01);
	assert_int_equal(answers, 0);
	context_unpin(&c);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_it_is_open_for_its_time_and_not_again),
		T(test_those_who_ask_at_once_share_one_record),
		T(test_the_first_who_looks_is_told),
		T(test_what_cannot_be_written_down_is_not_open),
		T(test_without_a_journal_nothing_opens),
		T(test_a_role_may_by_itself_or_by_what_it_is),
		T(test_one_user_does_not_use_up_what_others_may_open),
		T(test_a_review_is_a_line_of_its_own),
		T(test_who_does_not_wait_is_not_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
