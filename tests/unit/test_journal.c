/* SPDX-License-Identifier: MIT */
#include "journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fault.h"

static char folder[64], path[128];

static int
begin(void **state)
{
	snprintf(folder, sizeof(folder), "/tmp/lunate-journal.XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/a/b/journal", folder);
	return 0;
}

static int
end(void **state)
{
	char command[128];

	fault_clear();
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

static int
append(const char *line, struct err *e)
{
	return journal_append(path, line, strlen(line), e);
}

static void
holds(const char *want)
{
	char text[256] = "";
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = 0;
	fclose(f);
	assert_string_equal(text, want);
}

static void
test_lines_are_appended_and_the_folder_is_made(void **state)
{
	struct stat st;
	struct err e;

	assert_int_equal(append("one\n", &e), 0);
	assert_int_equal(append("two\n", &e), 0);
	holds("one\ntwo\n");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void
refused(const char *why)
{
	struct err e;

	assert_int_equal(append("no\n", &e), LUNATE_EIO);
	if (strstr(e.text, why) == NULL)
		fail_msg("%s", e.text);
}

static void
test_a_file_that_others_can_read_is_refused(void **state)
{
	struct err e;

	assert_int_equal(append("one\n", &e), 0);
	assert_int_equal(chmod(path, 0644), 0);
	refused("nobody else");
	holds("one\n");
}

static void
test_a_link_or_a_folder_in_its_place_is_refused(void **state)
{
	struct err e;

	assert_int_equal(append("one\n", &e), 0);
	assert_int_equal(rename(path, folder), -1);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/dev/null", path), 0);
	refused("opened");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	refused("opened");
}

static void
test_a_pipe_in_its_place_is_refused(void **state)
{
	struct err e;

	assert_int_equal(append("one\n", &e), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	refused("a plain file");
}

static void
test_a_full_disk_is_told(void **state)
{
	struct err e;

	assert_int_equal(fault_arm_text("journal.write=always", &e), 0);
	refused("No space");
}

/* The record of an emergency was the end of a line that was none. */
static void
test_a_line_does_not_go_on_where_another_was_cut_off(void **state)
{
	struct err e;
	FILE *f;

	assert_int_equal(append("one\n", &e), 0);
	f = fopen(path, "a");
	assert_non_null(f);
	assert_int_equal(fputs("{\"opening\":", f) < 0, 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(append("two\n", &e), 0);
	assert_int_equal(append("three\n", &e), 0);
	holds("one\n{\"opening\":\ntwo\nthree\n");
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_lines_are_appended_and_the_folder_is_made),
		T(test_a_file_that_others_can_read_is_refused),
		T(test_a_link_or_a_folder_in_its_place_is_refused),
		T(test_a_pipe_in_its_place_is_refused),
		T(test_a_full_disk_is_told),
		T(test_a_line_does_not_go_on_where_another_was_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
