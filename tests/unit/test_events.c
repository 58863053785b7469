/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "events.h"

static struct loop *loop;
static struct events *events;

/* What was heard, in order: the payload's n. */
static struct heard {
	int n, last;
	int order[64];
	char json[2000];
	struct events_listener *self; /* ended inside fn() when set */
	bool echo;		      /* raises another one inside fn() */
	pthread_t thread;
} heard;

static int
begin(void **state)
{
	alarm(20);
	loop = loop_new();
	events = events_new("test", 42, 8);
	memset(&heard, 0, sizeof(heard));
	return 0;
}

static int
end(void **state)
{
	if (events != NULL)
		events_free(&events);
	loop_free(&loop);
	return 0;
}

static void
raise_n(enum event_type type, int n)
{
	struct event_news news = {.type = type,
				  .wall_us = 1769860800123456,
				  .payload = json_pack("{si}", "n", n)};

	events_raise(events, &news);
}

static void
hear(void *arg, const struct event *e)
{
	json_t *j = json_loads(e->json, 0, NULL);

	assert_non_null(j);
	assert_int_equal(strlen(e->json), e->len);
	heard.thread = pthread_self();
	heard.last = (int)json_integer_value(
		json_object_get(json_object_get(j, "payload"), "n"));
	heard.order[heard.n++] = heard.last;
	snprintf(heard.json, sizeof(heard.json), "%s", e->json);
	json_decref(j);
	if (heard.echo) {
		heard.echo = false;
		raise_n(EVENT_ERROR, 1000);
		assert_int_equal(heard.last, 1); /* not told inside */
	}
	if (heard.self != NULL)
		events_unlisten(&heard.self);
}

static struct events_listener *
listen_to(uint32_t mask)
{
	struct events_ear ear = {loop, mask, hear, NULL};

	return events_listen(events, &ear);
}

static void
turn(void)
{
	loop_turn(loop, 0.001);
}

static void
an_event_is_told_at_the_end_of_the_turn_and_not_before(void **state)
{
	struct events_listener *l = listen_to(EVENT_ALL);

	raise_n(EVENT_ERROR, 7);
	assert_int_equal(heard.n, 0);
	turn();
	assert_int_equal(heard.n, 1);
	assert_int_equal(heard.last, 7);
	events_unlisten(&l);
	assert_null(l);
}

static void
a_listener_hears_what_it_asked_for_in_order(void **state)
{
	struct events_listener *l = listen_to(EVENT_BIT(EVENT_QUERY_SLOW) |
					      EVENT_BIT(EVENT_ERROR));

	raise_n(EVENT_QUERY_SLOW, 1);
	raise_n(EVENT_CONNECTION_LOST, 2);
	raise_n(EVENT_ERROR, 3);
	raise_n(EVENT_QUERY_SLOW, 4);
	turn();
	assert_int_equal(heard.n, 3);
	assert_int_equal(heard.order[0], 1);
	assert_int_equal(heard.order[1], 3);
	assert_int_equal(heard.order[2], 4);
	events_unlisten(&l);
}

static void
what_nobody_wants_is_not_even_built(void **state)
{
	struct events_listener *l = listen_to(EVENT_BIT(EVENT_ERROR));

	assert_true(events_wanted(events, EVENT_ERROR));
	assert_false(events_wanted(events, EVENT_QUERY_SLOW));
	raise_n(EVENT_QUERY_SLOW, 1);
	assert_int_equal(events_raised(events), 0);
	events_unlisten(&l);
	assert_false(events_wanted(events, EVENT_ERROR));
}

static void
check_text(const json_t *j, const char *key, const char *wanted)
{
	assert_string_equal(json_string_value(json_object_get(j, key)), wanted);
}

static void
the_envelope_has_every_field(void **state)
{
	struct events_listener *l = listen_to(EVENT_ALL);
	struct event_news news = {.type = EVENT_QUERY_CRITICAL,
				  .wall_us = 1769860800123456,
				  .correlation = "c-1",
				  .trace = "t-1",
				  .payload = json_pack("{si}", "n", 1)};
	json_t *j;

	events_raise(events, &news);
	turn();
	j = json_loads(heard.json, 0, NULL);
	check_text(j, "eventType", "database.query.critical-slow");
	check_text(j, "category", "DATABASE");
	check_text(j, "priority", "CRITICAL");
	check_text(j, "timestamp", "2026-01-31T12:00:00.123Z");
	check_text(j, "source", "test");
	check_text(j, "version", LUNATE_VERSION);
	check_text(j, "correlationId", "c-1");
	check_text(j, "traceId", "t-1");
	assert_int_equal(
		strlen(json_string_value(json_object_get(j, "eventId"))), 36);
	json_decref(j);
	events_unlisten(&l);
}

static void
ids_differ_and_stand_in_for_a_missing_correlation(void **state)
{
	struct events_listener *l = listen_to(EVENT_ALL);
	char first[40];
	json_t *j;

	raise_n(EVENT_ERROR, 1);
	turn();
	j = json_loads(heard.json, 0, NULL);
	snprintf(first, sizeof(first), "%s",
		 json_string_value(json_object_get(j, "eventId")));
	check_text(j, "correlationId", first);
	assert_true(json_is_null(json_object_get(j, "traceId")));
	json_decref(j);
	raise_n(EVENT_ERROR, 2);
	turn();
	j = json_loads(heard.json, 0, NULL);
	assert_string_not_equal(
		json_string_value(json_object_get(j, "eventId")), first);
	json_decref(j);
	events_unlisten(&l);
}

static void
a_full_queue_loses_the_newest_and_counts_it(void **state)
{
	struct events_listener *l = listen_to(EVENT_ALL);

	for (int i = 1; i <= 11; i++)
		raise_n(EVENT_ERROR, i);
	assert_int_equal(events_lost(events), 3);
	turn();
	assert_int_equal(heard.n, 8);
	assert_int_equal(heard.last, 8);
	raise_n(EVENT_ERROR, 12);
	turn();
	assert_int_equal(heard.last, 12);
	events_unlisten(&l);
}

static void
after_unlisten_nothing_is_heard_not_even_what_waited(void **state)
{
	struct events_listener *l = listen_to(EVENT_ALL);

	raise_n(EVENT_ERROR, 1);
	events_unlisten(&l);
	raise_n(EVENT_ERROR, 2);
	turn();
	assert_int_equal(heard.n, 0);
}

static void
a_listener_may_end_itself_while_it_is_told(void **state)
{
	heard.self = listen_to(EVENT_ALL);
	raise_n(EVENT_ERROR, 1);
	raise_n(EVENT_ERROR, 2);
	turn();
	assert_int_equal(heard.n, 1);
	assert_null(heard.self);
}

static void
what_a_listener_raises_is_told_afterwards(void **state)
{
	struct events_listener *l = listen_to(EVENT_ALL);

	heard.echo = true;
	raise_n(EVENT_ERROR, 1);
	turn();
	turn();
	assert_int_equal(heard.n, 2);
	assert_int_equal(heard.last, 1000);
	events_unlisten(&l);
}

static void
a_listener_outlives_the_events(void **state)
{
	struct events_listener *l = listen_to(EVENT_ALL);

	raise_n(EVENT_ERROR, 1);
	events_free(&events);
	turn();
	events_unlisten(&l);
	assert_null(l);
}

static void *
raise_some(void *arg)
{
	for (int i = 1; i <= 5; i++)
		raise_n(EVENT_ERROR, i);
	return NULL;
}

static void
an_event_of_another_thread_is_told_on_the_listeners_own(void **state)
{
	struct events_listener *l = listen_to(EVENT_ALL);
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, raise_some, NULL), 0);
	while (heard.n < 5)
		loop_turn(loop, 0.01);
	pthread_join(thread, NULL);
	assert_true(pthread_equal(heard.thread, pthread_self()));
	for (int i = 0; i < 5; i++)
		assert_int_equal(heard.order[i], i + 1);
	events_unlisten(&l);
}

static void
a_letter_under_way_keeps_a_listener_that_ended(void **state)
{
	struct events_listener *l = listen_to(EVENT_ALL);
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, raise_some, NULL), 0);
	pthread_join(thread, NULL);
	events_unlisten(&l);
	turn();
	turn();
	assert_int_equal(heard.n, 0);
}

static void
a_name_is_known_or_has_a_neighbour(void **state)
{
	const char *near_word;

	for (int i = 0; i < EVENT_COUNT; i++)
		assert_int_equal(event_type_of(event_word((enum event_type)i),
					       &near_word),
				 i);
	assert_int_equal(event_type_of("database.eror", &near_word), -1);
	assert_string_equal(near_word, "database.error");
	assert_int_equal(event_type_of("query.critcal-slow", &near_word), -1);
	assert_string_equal(near_word, "database.query.critical-slow");
	assert_int_equal(event_type_of("breakfast", &near_word), -1);
	assert_null(near_word);
}

static void
a_text_that_is_no_utf8_still_makes_json(void **state)
{
	json_t *good = event_text("caf\xc3\xa9"), *bad = event_text("caf\xe9");

	assert_string_equal(json_string_value(good), "caf\xc3\xa9");
	assert_string_equal(json_string_value(bad), "caf?");
	json_decref(good);
	json_decref(bad);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_event_is_told_at_the_end_of_the_turn_and_not_before),
		TEST(a_listener_hears_what_it_asked_for_in_order),
		TEST(what_nobody_wants_is_not_even_built),
		TEST(the_envelope_has_every_field),
		TEST(ids_differ_and_stand_in_for_a_missing_correlation),
		TEST(a_full_queue_loses_the_newest_and_counts_it),
		TEST(after_unlisten_nothing_is_heard_not_even_what_waited),
		TEST(a_listener_may_end_itself_while_it_is_told),
		TEST(what_a_listener_raises_is_told_afterwards),
		TEST(a_listener_outlives_the_events),
		TEST(an_event_of_another_thread_is_told_on_the_listeners_own),
		TEST(a_letter_under_way_keeps_a_listener_that_ended),
		TEST(a_name_is_known_or_has_a_neighbour),
		TEST(a_text_that_is_no_utf8_still_makes_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
