/* SPDX-License-Identifier: MIT
 *
 * A runtime whose server is not there answers on its control socket all the
 * same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"
#include "lines.h"
#include "runtime.h"

static char dir[64];
static struct loop *loop;
static struct runtime *rt;
static struct ctl *ctl;

static void
open_runtime(const char *state_dir)
{
	struct config c;
	struct err e;

	loop = loop_new();
	config_init(&c);
	assert_int_equal(config_set(&c, "url",
				    "postgresql:///x?host=/nowhere/at/all", &e),
			 0);
	assert_int_equal(config_set(&c, "state_dir", state_dir, &e), 0);
	assert_int_equal(config_set(&c, "pool_min", "0", &e), 0);
	assert_int_equal(config_set(&c, "log_level", "error", &e), 0);
	assert_int_equal(config_check(&c, NULL, &e), 0);
	assert_int_equal(runtime_open(&rt, &c, loop, &e), 0);
	ctl = ctl_new(&rt->workers[0]);
}

static void
close_runtime(void)
{
	if (ctl != NULL)
		ctl_free(&ctl);
	runtime_free(&rt);
	loop_free(&loop);
}

static int
begin(void **state)
{
	alarm(60);
	strcpy(dir, "/tmp/lunate-ctl-XXXXXX");
	assert_non_null(mkdtemp(dir));
	open_runtime(dir);
	while (ctl_path(ctl) == NULL)
		loop_turn(loop, 2);
	return 0;
}

static int
end(void **state)
{
	char folder[128];

	close_runtime();
	snprintf(folder, sizeof(folder), "%s/run", dir);
	rmdir(folder);
	return rmdir(dir); /* which fails unless the socket is gone */
}

static struct asking {
	struct lines_question q;
	struct str answer;
	struct err e;
	int rc;
	bool done;
	struct loop_letter letter;
} asking;

static void
asked(struct loop_letter *letter)
{
	CONTAINER_OF(letter, struct asking, letter)->done = true;
}

static void *
ask_thread(void *arg)
{
	asking.rc = lines_ask(&asking.q, &asking.answer, &asking.e);
	loop_post(loop, &asking.letter);
	return NULL;
}

/* The answer as JSON; json_decref it. */
static json_t *
ask(const char *line)
{
	pthread_t thread;
	json_t *j;

	memset(&asking, 0, sizeof(asking));
	asking.q = (struct lines_question){ctl_path(ctl), line, 20000};
	asking.letter.run = asked;
	str_init(&asking.answer);
	assert_int_equal(pthread_create(&thread, NULL, ask_thread, NULL), 0);
	loop_run_until(loop, &asking.done);
	pthread_join(thread, NULL);
	assert_int_equal(asking.rc, 0);
	j = json_loads(asking.answer.at, 0, NULL);
	assert_non_null(j);
	str_fini(&asking.answer);
	return j;
}

static json_t *
result(const json_t *answer)
{
	assert_true(json_is_true(json_object_get(answer, "ok")));
	return json_object_get(answer, "result");
}

static void
the_socket_is_named_after_the_process(void **state)
{
	char wanted[200];

	snprintf(wanted, sizeof(wanted), "%s/run/%d-", dir, (int)getpid());
	assert_memory_equal(ctl_path(ctl), wanted, strlen(wanted));
	assert_int_equal(access(ctl_path(ctl), F_OK), 0);
}

static void
every_command_of_the_table_answers(void **state)
{
	json_t *help = ask("{\"command\":\"help\"}"), *row;
	json_t *commands = json_object_get(result(help), "commands");
	char line[100];
	size_t i;

	assert_true(json_array_size(commands) >= 8);
	json_array_foreach (commands, i, row) {
		json_t *answer;

		snprintf(line, sizeof(line), "{\"command\":\"%s\",\"id\":%zu}",
			 json_string_value(json_object_get(row, "command")), i);
		answer = ask(line);
		assert_true(json_is_object(result(answer)));
		assert_int_equal(
			json_integer_value(json_object_get(answer, "id")), i);
		json_decref(answer);
	}
	json_decref(help);
}

static void
status_says_who_it_is(void **state)
{
	json_t *answer = ask("{\"command\":\"status\"}"), *r = result(answer);

	assert_int_equal(json_integer_value(json_object_get(r, "pid")),
			 getpid());
	assert_string_equal(json_string_value(json_object_get(r, "version")),
			    LUNATE_VERSION);
	assert_true(json_real_value(json_object_get(r, "uptime")) >= 1);
	json_decref(answer);
}

static void
health_is_answered_when_the_check_has_ended(void **state)
{
	json_t *answer = ask("{\"command\":\"health\",\"id\":\"h\"}"),
	       *r = result(answer);

	assert_true(json_is_false(json_object_get(r, "is_healthy")));
	assert_int_equal(json_array_size(json_object_get(r, "errors")), 1);
	assert_string_equal(json_string_value(json_object_get(answer, "id")),
			    "h");
	json_decref(answer);
}

static void
the_log_level_changes_and_a_wrong_one_changes_nothing(void **state)
{
	json_t *answer = ask("{\"command\":\"log_level\",\"arg\":\"debug\"}");

	assert_int_equal(rt->log.level, LOG_AT_DEBUG);
	json_decref(answer);
	answer = ask("{\"command\":\"log_level\",\"arg\":\"loud\"}");
	assert_true(json_is_false(json_object_get(answer, "ok")));
	assert_int_equal(rt->log.level, LOG_AT_DEBUG);
	json_decref(answer);
	log_set_level(&rt->log, LOG_AT_ERROR);
}

static void
check_refused(const char *line, const char *says)
{
	json_t *answer = ask(line);
	json_t *e = json_object_get(answer, "error");
	const char *text = json_string_value(json_object_get(e, "message"));

	assert_true(json_is_false(json_object_get(answer, "ok")));
	assert_string_equal(json_string_value(json_object_get(e, "code")),
			    "invalid");
	if (strstr(text, says) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", says, text);
	json_decref(answer);
}

/* The value of an option and where it comes from, as told. */
static void
check_option(const json_t *options, const char *name, const char *value,
	     const char *origin)
{
	const json_t *one;
	size_t i;

	json_array_foreach (options, i, one) {
		if (strcmp(json_string_value(json_object_get(one, "name")),
			   name) != 0)
			continue;
		assert_string_equal(
			json_string_value(json_object_get(one, "value")),
			value);
		assert_string_equal(
			json_string_value(json_object_get(one, "origin")),
			origin);
		return;
	}
	fail_msg("%s is not told", name);
}

static void
the_options_are_told_without_their_secrets(void **state)
{
	json_t *answer = ask("{\"command\":\"config\"}");
	json_t *options = json_object_get(result(answer), "options");

	assert_int_equal(json_array_size(options), CONFIG_KEYS);
	check_option(options, "pool_max", "500", "default");
	check_option(options, "pool_min", "0", "option");
	check_option(options, "state_dir", dir, "option");
	check_option(options, "url", "***", "option");
	json_decref(answer);
}

static void
what_is_no_request_is_told_what_one_is(void **state)
{
	check_refused("hello", "{\"command\":\"help\"}");
	check_refused("", "{\"command\":\"help\"}");
	check_refused("[1,2]", "JSON object");
	check_refused("{\"command\":7}", "JSON object");
	check_refused("{\"command\":\"statsu\"}", "did you mean status?");
	check_refused("{\"command\":\"breakfast\"}", "ask for help");
	check_refused("{\"command\":\"ping\",\"arg\":\"x\"}", "no argument");
	check_refused("{\"command\":\"ping\",\"arg\":{}}", "arg is a string");
}

static void
who_waits_for_an_answer_at_the_end_is_hung_up_on(void **state)
{
	pthread_t thread;

	begin(state);
	memset(&asking, 0, sizeof(asking));
	asking.q = (struct lines_question){ctl_path(ctl),
					   "{\"command\":\"health\"}", 20000};
	asking.letter.run = asked;
	str_init(&asking.answer);
	assert_int_equal(pthread_create(&thread, NULL, ask_thread, NULL), 0);
	while (rt->workers[0].nops == 0)
		loop_turn(loop, 0.01);
	ctl_free(&ctl);
	loop_run_until(loop, &asking.done);
	pthread_join(thread, NULL);
	assert_int_equal(asking.rc, LUNATE_EIO);
	assert_non_null(strstr(asking.e.text, "hung up"));
	str_fini(&asking.answer);
	assert_int_equal(end(state), 0);
}

static void
a_socket_that_cannot_be_made_is_no_error(void **state)
{
	alarm(60);
	open_runtime("/proc/nothing/can/be/made/here");
	for (int i = 0; i < 40; i++)
		loop_turn(loop, 0.05);
	assert_null(ctl_path(ctl));
	close_runtime();
}

static void
a_short_life_makes_no_socket(void **state)
{
	alarm(60);
	strcpy(dir, "/tmp/lunate-ctl-XXXXXX");
	assert_non_null(mkdtemp(dir));
	open_runtime(dir);
	loop_turn(loop, 0.01);
	assert_null(ctl_path(ctl));
	close_runtime();
	assert_int_equal(rmdir(dir), 0); /* nothing was made in it */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_socket_is_named_after_the_process),
		cmocka_unit_test(every_command_of_the_table_answers),
		cmocka_unit_test(status_says_who_it_is),
		cmocka_unit_test(health_is_answered_when_the_check_has_ended),
		cmocka_unit_test(
			the_log_level_changes_and_a_wrong_one_changes_nothing),
		cmocka_unit_test(the_options_are_told_without_their_secrets),
		cmocka_unit_test(what_is_no_request_is_told_what_one_is),
	};
	const struct CMUnitTest alone[] = {
		cmocka_unit_test(a_socket_that_cannot_be_made_is_no_error),
		cmocka_unit_test(a_short_life_makes_no_socket),
		cmocka_unit_test(
			who_waits_for_an_answer_at_the_end_is_hung_up_on),
	};

	return cmocka_run_group_tests(tests, begin, end) +
	       cmocka_run_group_tests(alone, NULL, NULL);
}
