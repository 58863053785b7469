/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "watch.h"

static char base[64], folder[80];
static struct loop *loop;
static struct watch *watch;
static int calls;
static uint64_t changes;

static void
settled(struct watch *w, void *arg, uint64_t n)
{
	assert_ptr_equal(w, watch);
	assert_ptr_equal(arg, &calls);
	assert_true(n > changes);
	calls++;
	changes = n;
	loop_stop(loop);
}

static void
open_watch(const char *path, bool poll)
{
	struct watch_opts o = {path, 20, poll, &calls, settled};

	calls = 0;
	changes = 0;
	watch = watch_new(loop, &o);
	assert_int_equal(watch_polls(watch), poll);
	assert_int_equal(calls, 0);
}

/* Waits for the next report; gives how many changes it adds. */
static uint64_t
wait_settled(void)
{
	uint64_t before = changes;
	int had = calls;

	loop_run(loop);
	assert_int_equal(calls, had + 1);
	return changes - before;
}

static void
in_folder(char *out, size_t room, const char *name)
{
	snprintf(out, room, "%s/%s", folder, name);
}

static void
write_file(const char *name, const char *text)
{
	char path[160];
	int fd;

	in_folder(path, sizeof(path), name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void
rename_file(const char *from, const char *to)
{
	char a[160], b[160];

	in_folder(a, sizeof(a), from);
	in_folder(b, sizeof(b), to);
	assert_int_equal(rename(a, b), 0);
}

static void
shell(const char *fmt)
{
	char command[512];

	snprintf(command, sizeof(command), "cd '%s' && %s", base, fmt);
	assert_int_equal(system(command), 0);
}

static int
setup(void **state)
{
	(void)state;
	alarm(60);
	strcpy(base, "/tmp/lunate-watch-XXXXXX");
	if (mkdtemp(base) == NULL)
		return -1;
	snprintf(folder, sizeof(folder), "%s/f", base);
	loop = loop_new();
	return mkdir(folder, 0700);
}

static int
teardown(void **state)
{
	char command[128];

	(void)state;
	if (watch != NULL)
		watch_free(&watch);
	loop_free(&loop);
	snprintf(command, sizeof(command), "rm -rf '%s'", base);
	return system(command);
}

static void
change_files(void)
{
	write_file("cache.lua", "one");
	wait_settled();
	write_file("cache.lua", "three"); /* truncates, writes */
	wait_settled();
	write_file("new", "four");
	rename_file("new", "cache.lua");
	wait_settled();
	shell("rm f/cache.lua");
	wait_settled();
}

static void
a_write_a_truncation_and_a_rename_over_are_seen(void **state)
{
	(void)state;
	open_watch(folder, false);
	change_files();
}

static void
polling_sees_the_same(void **state)
{
	(void)state;
	open_watch(folder, true);
	change_files();
	shell("mv f away && mkdir f");
	wait_settled();
}

static void
many_changes_at_once_are_one_report(void **state)
{
	char name[16];

	(void)state;
	open_watch(folder, false);
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		write_file(name, "x");
	}
	assert_true(wait_settled() >= 50);
	assert_int_equal(calls, 1);
}

static void
files_of_editors_are_no_change(void **state)
{
	static const char *const passing[] = {".cache.lua.swp", ".x.swx",
					      "4913", "cache.lua~", ".#cache"};
	static const char *const real[] = {"cache.lua", ".hidden", "49130",
					   "a.swp",	"#x",	   "~a"};
	uint64_t one;

	(void)state;
	for (size_t i = 0; i < sizeof(real) / sizeof(real[0]); i++)
		assert_false(watch_ignores(real[i]));
	open_watch(folder, false);
	write_file("first", "x");
	one = wait_settled();
	for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++) {
		assert_true(watch_ignores(passing[i]));
		write_file(passing[i], "x");
	}
	write_file("second", "x");
	assert_int_equal(wait_settled(), one);
}

static void
polling_ignores_the_files_of_editors(void **state)
{
	(void)state;
	open_watch(folder, true);
	write_file("4913", "x");
	for (int i = 0; i < 3; i++)
		ev_run(loop_ev(loop), EVRUN_ONCE); /* ticks */
	assert_int_equal(calls, 0);
	write_file("real", "x");
	assert_int_equal(wait_settled(), 1);
}

static void
a_symlink_that_points_elsewhere_is_followed(void **state)
{
	char link[96];

	(void)state;
	shell("mkdir g && ln -s f current");
	snprintf(link, sizeof(link), "%s/current", base);
	open_watch(link, false);
	shell("ln -s g next && mv -T next current");
	wait_settled();
	shell("echo x > g/p"); /* the new one is watched */
	wait_settled();
}

static void
a_directory_that_went_and_came_back_is_watched_again(void **state)
{
	(void)state;
	open_watch(folder, false);
	shell("rmdir f");
	wait_settled();
	shell("mkdir f");
	wait_settled();
	write_file("p", "x");
	wait_settled();
	shell("mv f away");
	wait_settled();
	shell("mv away f");
	wait_settled();
	write_file("p", "y");
	wait_settled();
}

static void
a_directory_that_is_replaced_at_once_is_watched(void **state)
{
	(void)state;
	open_watch(folder, false);
	shell("mkdir n && mv f old && mv n f");
	wait_settled();
	write_file("p", "x");
	wait_settled();
}

static void
a_directory_need_not_exist_at_first(void **state)
{
	(void)state;
	assert_int_equal(rmdir(folder), 0);
	open_watch(folder, false);
	shell("mkdir f");
	wait_settled();
	write_file("p", "x");
	wait_settled();
}

static void
free_it(struct watch *w, void *arg, uint64_t n)
{
	(void)arg, (void)n;
	assert_ptr_equal(w, watch);
	watch_free(&watch);
	loop_stop(loop);
}

static void
the_callback_may_free_the_watch(void **state)
{
	struct watch_opts o = {folder, 1, false, NULL, free_it};

	(void)state;
	watch = watch_new(loop, &o);
	write_file("p", "x");
	loop_run(loop);
	assert_null(watch);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_write_a_truncation_and_a_rename_over_are_seen),
		TEST(polling_sees_the_same),
		TEST(many_changes_at_once_are_one_report),
		TEST(files_of_editors_are_no_change),
		TEST(polling_ignores_the_files_of_editors),
		TEST(a_symlink_that_points_elsewhere_is_followed),
		TEST(a_directory_that_went_and_came_back_is_watched_again),
		TEST(a_directory_that_is_replaced_at_once_is_watched),
		TEST(a_directory_need_not_exist_at_first),
		TEST(the_callback_may_free_the_watch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
