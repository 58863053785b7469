/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "panics.h"

static char lines[64][2048];
static enum log_level levels[64];
static unsigned nlines; /* atomic */

static void
keep(void *arg, enum log_level level, const char *line, size_t len)
{
	unsigned n = __atomic_fetch_add(&nlines, 1, __ATOMIC_RELAXED);

	assert_int_equal(strlen(line), len);
	if (n >= 64)
		return;
	levels[n] = level;
	snprintf(lines[n], sizeof(lines[n]), "%s", line);
}

static void
begin(struct log *lg, enum log_level level, enum log_form form)
{
	nlines = 0;
	log_init(lg, level, form, keep);
}

/* What follows the time of a text line. */
static const char *
after_time(const char *line)
{
	int y, mo, d, h, mi, s, ms, n = 0;

	assert_int_equal(sscanf(line, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n", &y, &mo,
				&d, &h, &mi, &s, &ms, &n),
			 7);
	assert_int_equal(n, 24);
	assert_true(y >= 2020 && mo >= 1 && mo <= 12 && d >= 1 && d <= 31);
	return line + n;
}

static void
a_line_has_time_level_component_text_and_pairs(void **state)
{
	struct log lg;

	begin(&lg, LOG_AT_INFO, LOG_TEXT);
	log_warn(&lg, "pool", "near exhaustion", LOG_INT("active", 95),
		 LOG_STR("server", "a"), LOG_STR("none", NULL));
	assert_int_equal(nlines, 1);
	assert_int_equal(levels[0], LOG_AT_WARN);
	assert_string_equal(after_time(lines[0]),
			    " warn pool near exhaustion active=95 server=a");
	log_info(&lg, "pool", "no pairs");
	assert_string_equal(after_time(lines[1]), " info pool no pairs");
	log_fini(&lg);
}

static void
less_urgent_lines_compute_no_values(void **state)
{
	struct log lg;
	int n = 0;

	begin(&lg, LOG_AT_WARN, LOG_TEXT);
	log_info(&lg, "x", "left out", LOG_INT("n", ++n));
	log_error(&lg, "x", "there", LOG_INT("n", ++n));
	assert_int_equal(nlines, 1);
	assert_int_equal(n, 1);
	log_set_level(&lg, LOG_AT_DEBUG);
	log_debug(&lg, "x", "there too");
	assert_int_equal(nlines, 2);
	assert_false(log_wants(NULL, LOG_AT_ERROR));
	log_error(NULL, "x", "nobody listens");
	assert_int_equal(nlines, 2);
}

static void
a_value_cannot_forge_a_line_or_a_pair(void **state)
{
	struct log lg;

	begin(&lg, LOG_AT_INFO, LOG_TEXT);
	log_info(&lg, "x", "t", LOG_STR("a", "b c"), LOG_STR("d", "e\n2026 f"),
		 LOG_STR("g", "x=\"y\\"), LOG_STR("h", ""));
	assert_string_equal(after_time(lines[0]),
			    " info x t a=\"b c\" d=\"e\\n2026 f\" "
			    "g=\"x=\\\"y\\\\\" h=\"\"");
	log_info(&lg, "x", "t", LOG_STR("esc", "\x1b[31m\x7f"));
	assert_string_equal(after_time(lines[1]),
			    " info x t esc=\"\\u001b[31m\\u007f\"");
}

static void
json_lines_are_objects(void **state)
{
	struct log lg;

	begin(&lg, LOG_AT_INFO, LOG_JSON);
	log_error(&lg, "pool", "say \"no\"", LOG_INT("n", -5),
		  LOG_STR("s", "a\tb"));
	assert_memory_equal(lines[0], "{\"time\":\"2", 10);
	assert_string_equal(strstr(lines[0], "\",\"level\"") + 2,
			    "\"level\":\"error\",\"component\":\"pool\","
			    "\"text\":\"say \\\"no\\\"\",\"n\":-5,"
			    "\"s\":\"a\\u0009b\"}");
}

static void
json_stays_utf_8_whatever_the_bytes_were(void **state)
{
	struct log lg;

	begin(&lg, LOG_AT_INFO, LOG_JSON);
	log_info(&lg, "x", "t", LOG_STR("ok", "\xc3\xa9\xf0\x9f\x8c\x99"),
		 LOG_STR("bad", "\xff\xc3(\xed\xa0\x80"));
	assert_non_null(
		strstr(lines[0], "\"ok\":\"\xc3\xa9\xf0\x9f\x8c\x99\""));
	assert_non_null(strstr(lines[0], "\"bad\":\"\xef\xbf\xbd\xef\xbf\xbd("
					 "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
					 "\""));
}

static void
passwords_do_not_reach_the_sink(void **state)
{
	struct log lg;

	begin(&lg, LOG_AT_INFO, LOG_TEXT);
	log_info(&lg, "x", "t", LOG_STR("url", "postgres://u:geheim@h/d"));
	assert_null(strstr(lines[0], "geheim"));
	assert_non_null(strstr(lines[0], "url=postgres://u:***@h/d"));
}

static void
a_long_value_is_cut(void **state)
{
	static char big[5000];
	struct log lg;

	begin(&lg, LOG_AT_INFO, LOG_TEXT);
	memset(big, 'y', sizeof(big) - 1);
	log_info(&lg, "x", "t", LOG_STR("v", big), LOG_INT("n", 1));
	assert_true(strlen(lines[0]) < LOG_VALUE + 100);
	assert_non_null(strstr(lines[0], "y... n=1"));
}

static void
a_site_in_a_loop_does_not_flood_and_others_go_on(void **state)
{
	struct log lg;

	begin(&lg, LOG_AT_INFO, LOG_TEXT);
	for (int i = 0; i < 1000; i++)
		log_info(&lg, "x", "again");
	assert_int_equal(nlines, LOG_BURST);
	log_info(&lg, "x", "another place");
	assert_int_equal(nlines, LOG_BURST + 1);
}

static void
the_next_window_says_how_many_were_left_out(void **state)
{
	struct log_site site = {0};
	uint64_t left_out;

	for (int i = 0; i < LOG_BURST; i++)
		assert_true(log_admit(&site, 1000, &left_out));
	for (int i = 0; i < 7; i++)
		assert_false(log_admit(&site, 2000, &left_out));
	assert_false(log_admit(&site, 999 + LOG_WINDOW_US, &left_out));
	assert_true(log_admit(&site, 1000 + LOG_WINDOW_US, &left_out));
	assert_int_equal(left_out, 8);
	assert_true(log_admit(&site, 1001 + LOG_WINDOW_US, &left_out));
	assert_int_equal(left_out, 0);
}

static void
left_out_lines_are_named_in_the_line_that_follows(void **state)
{
	struct log_event v = {LOG_AT_INFO, "x", "t", NULL, 0};
	struct log_site site = {.began_us = 1 - LOG_WINDOW_US, .asked = 15};
	struct log lg;

	begin(&lg, LOG_AT_INFO, LOG_TEXT);
	log_put(&lg, &site, &v);
	assert_string_equal(after_time(lines[0]), " info x t suppressed=5");
}

static void
levels_have_words(void **state)
{
	assert_int_equal(log_level_of("warn"), LOG_AT_WARN);
	assert_int_equal(log_level_of("loud"), -1);
	for (int i = 0; i < LOG_LEVEL_COUNT; i++)
		assert_int_equal(
			log_level_of(log_level_word((enum log_level)i)), i);
}

static void
without_a_sink_lines_go_to_stderr(void **state)
{
	char got[512] = "";
	int fd[2], old = dup(STDERR_FILENO);
	struct log lg;

	assert_int_equal(pipe(fd), 0);
	dup2(fd[1], STDERR_FILENO);
	log_init(&lg, LOG_AT_INFO, LOG_TEXT, NULL);
	log_info(&lg, "main", "hello");
	dup2(old, STDERR_FILENO);
	assert_true(read(fd[0], got, sizeof(got) - 1) > 0);
	assert_string_equal(after_time(got), " info main hello\n");
	close(fd[0]);
	close(fd[1]);
	close(old);
}

static void
a_dead_log_is_a_mistake(void **state)
{
	struct log lg;

	begin(&lg, LOG_AT_INFO, LOG_TEXT);
	log_fini(&lg);
	assert_panics(log_wants(&lg, LOG_AT_ERROR));
}

static void *
shout(void *arg)
{
	for (int i = 0; i < 200; i++) {
		log_info(arg, "x", "from a thread", LOG_INT("i", i));
		log_set_level(arg, i % 2 ? LOG_AT_INFO : LOG_AT_DEBUG);
	}
	return NULL;
}

static void
threads_share_a_site_and_its_limit(void **state)
{
	struct log lg;
	pthread_t t[4];

	begin(&lg, LOG_AT_INFO, LOG_TEXT);
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, shout, &lg);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	assert_in_range(nlines, LOG_BURST, 2 * LOG_BURST);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_line_has_time_level_component_text_and_pairs),
		cmocka_unit_test(less_urgent_lines_compute_no_values),
		cmocka_unit_test(a_value_cannot_forge_a_line_or_a_pair),
		cmocka_unit_test(json_lines_are_objects),
		cmocka_unit_test(json_stays_utf_8_whatever_the_bytes_were),
		cmocka_unit_test(passwords_do_not_reach_the_sink),
		cmocka_unit_test(a_long_value_is_cut),
		cmocka_unit_test(
			a_site_in_a_loop_does_not_flood_and_others_go_on),
		cmocka_unit_test(the_next_window_says_how_many_were_left_out),
		cmocka_unit_test(
			left_out_lines_are_named_in_the_line_that_follows),
		cmocka_unit_test(levels_have_words),
		cmocka_unit_test(without_a_sink_lines_go_to_stderr),
		cmocka_unit_test(a_dead_log_is_a_mistake),
		cmocka_unit_test(threads_share_a_site_and_its_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
