/* SPDX-License-Identifier: MIT
 *
 * Against a server that is not there; one that is: tests/live/health_spec.lua.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "health.h"
#include "runtime.h"

static struct loop *loop;
static struct runtime *rt;

static int
begin(void **state)
{
	struct config c;
	struct err e;

	alarm(30);
	loop = loop_new();
	config_init(&c);
	assert_int_equal(config_set(&c, "url",
				    "postgresql:///x?host=/nowhere/at/all", &e),
			 0);
	assert_int_equal(config_set(&c, "pool_min", "0", &e), 0);
	assert_int_equal(config_set(&c, "log_level", "error", &e), 0);
	assert_int_equal(config_check(&c, NULL, &e), 0);
	assert_int_equal(runtime_open(&rt, &c, loop, &e), 0);
	return 0;
}

static int
end(void **state)
{
	if (rt != NULL)
		runtime_free(&rt);
	loop_free(&loop);
	return 0;
}

struct asker {
	struct health_wait wait;
	bool told;
	struct health_report report;
};

static void
take(struct health_wait *w, const struct health_report *r)
{
	struct asker *a = CONTAINER_OF(w, struct asker, wait);

	assert_false(a->told);
	a->told = true;
	a->report = *r;
}

static void
a_server_that_is_not_there_is_reported_with_the_reason(void **state)
{
	struct health *h = rt->workers[0].health;
	struct asker a = {0};

	assert_null(health_latest(h));
	assert_null(health_last(h));
	health_ask(h, &a.wait, take);
	assert_false(a.told); /* never inside */
	loop_run_until(loop, &a.told);
	assert_false(a.report.is_healthy);
	assert_int_equal(a.report.connection_count, 0);
	assert_int_equal(a.report.active_queries, 0);
	assert_true(a.report.avg_response_ms == -1);
	assert_int_equal(a.report.nerrors, 1);
	assert_non_null(strstr(a.report.errors[0], "/nowhere/at/all"));
	assert_true(a.report.checked_wall_us > 0);
}

static void
a_report_is_given_out_again_while_it_is_fresh(void **state)
{
	struct health *h = rt->workers[0].health;
	struct asker a = {0};

	health_ask(h, &a.wait, take);
	loop_run_until(loop, &a.told);
	assert_ptr_equal(health_latest(h), health_last(h));
	assert_int_equal(health_latest(h)->checked_wall_us,
			 a.report.checked_wall_us);
}

static void
those_who_ask_at_once_share_one_check(void **state)
{
	struct health *h = rt->workers[0].health;
	struct asker a = {0}, b = {0}, gone = {0};

	health_ask(h, &a.wait, take);
	assert_int_equal(rt->workers[0].nops, 1);
	health_ask(h, &gone.wait, take);
	health_ask(h, &b.wait, take);
	assert_int_equal(rt->workers[0].nops, 1);
	health_unask(&gone.wait);
	loop_run_until(loop, &b.told);
	assert_true(a.told);
	assert_false(gone.told);
	assert_int_equal(a.report.checked_wall_us, b.report.checked_wall_us);
}

static void
a_check_is_not_counted_among_the_operations(void **state)
{
	struct asker a = {0};

	health_ask(rt->workers[0].health, &a.wait, take);
	loop_run_until(loop, &a.told);
	assert_int_equal(stat_read(&rt->counts.queries), 0);
	assert_int_equal(stat_read(&rt->counts.failed), 0);
}

static int degraded;

static void
count_degraded(void *arg, const struct event *e)
{
	degraded++;
	assert_int_equal(e->type, EVENT_HEALTH_DEGRADED);
	assert_non_null(strstr(e->json, "\"isHealthy\":false"));
}

static void
the_first_failure_is_an_event_and_the_second_is_none(void **state)
{
	struct events_ear ear = {loop,
				 EVENT_BIT(EVENT_HEALTH_DEGRADED) |
					 EVENT_BIT(EVENT_HEALTH_RESTORED),
				 count_degraded, NULL};
	struct events_listener *l = events_listen(rt->events, &ear);
	struct asker a = {0}, b = {0};

	degraded = 0;
	health_ask(rt->workers[0].health, &a.wait, take);
	loop_run_until(loop, &a.told);
	health_ask(rt->workers[0].health, &b.wait, take);
	loop_run_until(loop, &b.told);
	loop_turn(loop, 0.001);
	assert_int_equal(degraded, 1);
	events_unlisten(&l);
}

static void
who_waits_when_the_runtime_ends_is_told(void **state)
{
	struct asker a = {0};

	health_ask(rt->workers[0].health, &a.wait, take);
	runtime_free(&rt);
	assert_true(a.told);
	assert_false(a.report.is_healthy);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_server_that_is_not_there_is_reported_with_the_reason),
		TEST(a_report_is_given_out_again_while_it_is_fresh),
		TEST(those_who_ask_at_once_share_one_check),
		TEST(a_check_is_not_counted_among_the_operations),
		TEST(the_first_failure_is_an_event_and_the_second_is_none),
		TEST(who_waits_when_the_runtime_ends_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
