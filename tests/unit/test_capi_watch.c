/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <poll.h>

#include "capi.h"

static struct lunate_listener *listener;
static struct lunate_port *port;

static struct {
	pthread_mutex_t lock;
	int n;
	char last[4000];
	pthread_t thread;
} heard = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void
hear(void *arg, const char *json, size_t len)
{
	pthread_mutex_lock(&heard.lock);
	heard.n++;
	snprintf(heard.last, sizeof(heard.last), "%.*s", (int)len, json);
	heard.thread = pthread_self();
	pthread_mutex_unlock(&heard.lock);
}

static int
heard_n(void)
{
	int n;

	pthread_mutex_lock(&heard.lock);
	n = heard.n;
	pthread_mutex_unlock(&heard.lock);
	return n;
}

static int
begin(void **state)
{
	heard.n = 0;
	heard.last[0] = 0;
	capi_begin("4");
	return 0;
}

static int
end(void **state)
{
	lunate_unlisten(&listener);
	assert_null(listener);
	if (port != NULL)
		assert_int_equal(lunate_port_free(&port), 0);
	capi_end();
	return 0;
}

static int
listen_to(const char *name)
{
	struct lunate_ear ear = {
		.size = sizeof(ear), .name = name, .fn = hear, .port = port};

	return lunate_listen(db, &ear, &listener, &er);
}

static void
wait_heard(int n)
{
	for (int i = 0; i < 4000 && heard_n() < n; i++)
		usleep(5000);
	assert_true(heard_n() >= n);
}

/* ---- events ------------------------------------------------------------ */

static void
an_event_is_the_envelope_as_json(void **state)
{
	json_t *j, *payload;
	const char *name;

	ok(listen_to("database.error"));
	refused(LUNATE_EUNDEFINED, capi_run("select 'secret' from nowhere"));
	wait_heard(1);
	assert_null(strstr(heard.last, "secret"));
	j = json_loads(heard.last, 0, NULL);
	assert_non_null(j);
	name = json_string_value(json_object_get(j, "eventType"));
	assert_string_equal(name, "database.error");
	assert_string_equal(json_string_value(json_object_get(j, "category")),
			    "DATABASE");
	assert_true(json_is_string(json_object_get(j, "eventId")));
	payload = json_object_get(json_object_get(j, "payload"), "error");
	assert_string_equal(json_string_value(json_object_get(payload, "name")),
			    "undefined");
	json_decref(j);
}

static void
an_ear_hears_its_own_event_alone_or_all(void **state)
{
	ok(listen_to("database.query.slow"));
	refused(LUNATE_EVALUE, capi_run("select 1/0"));
	ok(capi_run("select 1"));
	assert_int_equal(heard_n(), 0);
	lunate_unlisten(&listener);
	ok(listen_to("*"));
	refused(LUNATE_EVALUE, capi_run("select 1/0"));
	wait_heard(1);
}

static void
after_unlisten_nothing_is_heard(void **state)
{
	int n;

	ok(listen_to("database.error"));
	refused(LUNATE_EVALUE, capi_run("select 1/0"));
	wait_heard(1);
	for (int i = 0; i < 20; i++)
		refused(LUNATE_EVALUE, capi_run("select 1/0"));
	lunate_unlisten(&listener);
	n = heard_n();
	refused(LUNATE_EVALUE, capi_run("select 1/0"));
	ok(capi_run("select pg_sleep(0.05)"));
	assert_int_equal(heard_n(), n);
}

static void
with_a_port_events_come_on_its_thread(void **state)
{
	struct pollfd p;

	ok(lunate_port_new(&port, &er));
	ok(listen_to("database.error"));
	refused(LUNATE_EVALUE, capi_run("select 1/0"));
	p = (struct pollfd){.fd = lunate_port_fd(port), .events = POLLIN};
	while (heard_n() == 0) {
		assert_int_equal(poll(&p, 1, 20000), 1);
		(void)lunate_port_run(port, 0);
	}
	assert_true(pthread_equal(heard.thread, pthread_self()));
	lunate_unlisten(&listener);
	refused(LUNATE_EVALUE, capi_run("select 1/0"));
	(void)lunate_port_run(port, 0);
	assert_int_equal(heard_n(), 1);
}

static void
an_event_that_does_not_exist_is_refused(void **state)
{
	struct lunate_ear ear = {.size = sizeof(ear), .name = "*"};

	refused(LUNATE_EINVAL, listen_to("database.tea"));
	refused(LUNATE_EINVAL, listen_to(NULL));
	refused(LUNATE_EINVAL, lunate_listen(db, &ear, &listener, &er));
	ear.fn = hear;
	ear.size = 0;
	refused(LUNATE_EINVAL, lunate_listen(db, &ear, &listener, &er));
	refused(LUNATE_EINVAL, lunate_listen(db, NULL, &listener, &er));
	assert_null(listener);
}

static void
an_ear_may_outlive_the_runtime_for_being_freed(void **state)
{
	ok(listen_to("*"));
	capi_end();
	lunate_unlisten(&listener);
	capi_begin("4");
}

/* ---- figures ----------------------------------------------------------- */

static void
health_is_a_report_also_of_a_server_that_is_not_there(void **state)
{
	struct lunate_options o = capi_options("2");
	struct lunate *lost;
	char *json = NULL;
	json_t *j;

	ok(lunate_health(db, &json, &er));
	j = json_loads(json, 0, NULL);
	assert_true(json_is_true(json_object_get(j, "is_healthy")));
	assert_true(json_integer_value(
			    json_object_get(j, "connection_count")) >= 1);
	json_decref(j);
	lunate_free(json);
	o.url = "postgresql:///x?host=/nonexistent&user=postgres";
	ok(lunate_open(&o, &lost, &er));
	ok(lunate_health(lost, &json, &er));
	j = json_loads(json, 0, NULL);
	assert_true(json_is_false(json_object_get(j, "is_healthy")));
	assert_true(json_array_size(json_object_get(j, "errors")) > 0);
	json_decref(j);
	lunate_free(json);
	assert_int_equal(lunate_close(&lost, 5), 0);
}

static void
metrics_count_what_was_done(void **state)
{
	char *json = NULL;
	json_t *j;
	int before;

	ok(lunate_metrics(db, &json, &er));
	j = json_loads(json, 0, NULL);
	assert_non_null(j);
	before = (int)json_number_value(json_object_get(j, "total_queries"));
	json_decref(j);
	lunate_free(json);
	for (int i = 0; i < 7; i++)
		ok(capi_run("select 1"));
	ok(lunate_metrics(db, &json, &er));
	j = json_loads(json, 0, NULL);
	assert_int_equal(
		(int)json_number_value(json_object_get(j, "total_queries")),
		before + 7);
	assert_in_range((int)json_number_value(json_object_get(j, "total")), 1,
			4);
	assert_true(json_is_number(json_object_get(j, "idle")));
	assert_true(json_is_number(json_object_get(j, "waiting")));
	json_decref(j);
	lunate_free(json);
	lunate_free(NULL);
}

static void
invalidating_tags_succeeds_though_nothing_is_kept(void **state)
{
	const char *const tags[] = {"patients", "patients:7", NULL};

	ok(lunate_invalidate(db, tags, &er));
	refused(LUNATE_EINVAL, lunate_invalidate(db, NULL, &er));
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_event_is_the_envelope_as_json),
		T(an_ear_hears_its_own_event_alone_or_all),
		T(after_unlisten_nothing_is_heard),
		T(with_a_port_events_come_on_its_thread),
		T(an_event_that_does_not_exist_is_refused),
		T(an_ear_may_outlive_the_runtime_for_being_freed),
		T(health_is_a_report_also_of_a_server_that_is_not_there),
		T(metrics_count_what_was_done),
		T(invalidating_tags_succeeds_though_nothing_is_kept),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, NULL, server_end);
}
