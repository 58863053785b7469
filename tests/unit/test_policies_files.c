/* SPDX-License-Identifier: MIT
 *
 * Policy folders as editors, copies and deployments change them: each way of
 * saving is obeyed, and nothing on the way there is.
 */
#include "policies.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tenant.h"

#define TENANT "tenant { type = 'uuid' }\n"
#define ONE TENANT "rows 'a' { by = 'c' }\n"
#define TWO ONE "rows 'b' { by = 'c' }\n"
#define THREE TWO "rows 'd' { by = 'c' }\n"

static char root[64], folder[128];
static struct rules_source source;
static struct log lg;
static struct events *events;
static struct policies *policies;

/* ---- files --------------------------------------------------------------- */

static const char *
path_of(const char *name)
{
	static char paths[4][256];
	static unsigned turn;
	char *path = paths[turn++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", root, name);
	return path;
}

static void
append(const char *name, const char *text, const char *mode)
{
	FILE *f = fopen(path_of(name), mode);

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void
put(const char *name, const char *text)
{
	append(name, text, "w");
}

static void
make(const char *name)
{
	assert_int_equal(mkdir(path_of(name), 0700), 0);
}

static void
move(const char *from, const char *to)
{
	assert_int_equal(rename(path_of(from), path_of(to)), 0);
}

static void
point(const char *name, const char *target)
{
	assert_int_equal(symlink(target, path_of(name)), 0);
}

/* ---- what is in force ---------------------------------------------------- */

static int
tables(void)
{
	struct rules *r = rules_pin(&source);
	int n = r->isolation.state == ISOLATION_ON
			? (int)r->isolation.tables->ntables
			: -1;

	rules_unpin(&r);
	return n;
}

static uint64_t
generation(void)
{
	struct rules *r = rules_pin(&source);
	uint64_t id = r->id;

	rules_unpin(&r);
	return id;
}

static void
becomes(int n)
{
	for (int i = 0; i < 4000 && tables() != n; i++)
		usleep(5000);
	assert_int_equal(tables(), n);
}

static bool
is_broken(void)
{
	json_t *all = policies_json(policies);
	bool broken = !json_is_null(json_object_get(all, "broken"));

	json_decref(all);
	return broken;
}

static void
breaks(void)
{
	for (int i = 0; i < 4000 && !is_broken(); i++)
		usleep(5000);
	assert_true(is_broken());
}

static int
begin(void **state)
{
	strcpy(root, "/tmp/lunate-files-XXXXXX");
	log_init(&lg, LOG_AT_ERROR, LOG_TEXT, NULL);
	log_set_level(&lg, LOG_AT_ERROR);
	rules_source_init(&source, rules_new());
	events = events_new("test", 1, 10);
	if (mkdtemp(root) == NULL)
		return -1;
	snprintf(folder, sizeof(folder), "%s/p", root);
	return 0;
}

static int
end(void **state)
{
	char command[128];

	if (policies != NULL)
		policies_close(&policies);
	events_free(&events);
	rules_source_fini(&source);
	log_fini(&lg);
	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	return system(command);
}

static void
opens(void)
{
	const struct policies_opts opts = {.folder = folder,
					   .max_stale_ms = 3600000,
					   .rules = &source,
					   .log = &lg,
					   .events = events};
	struct err e;

	if (policies_open(&policies, &opts, &e) < 0)
		fail_msg("%s", e.text);
}

static void
opens_with_one(void)
{
	make("p");
	put("p/isolation.lua", ONE);
	opens();
	assert_int_equal(tables(), 1);
}

/* ---- how files are saved ------------------------------------------------- */

static void
a_file_renamed_over_another_is_obeyed(void **state)
{
	opens_with_one();
	put("p/.isolation.lua.new", TWO);
	move("p/.isolation.lua.new", "p/isolation.lua");
	becomes(2);
}

static void
a_file_truncated_and_written_is_obeyed(void **state)
{
	opens_with_one();
	put("p/isolation.lua", TWO); /* in place */
	becomes(2);
	assert_int_equal(generation(), 3);
}

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The longest pause between two pieces, ms; *steady: it changed nothing. */
static int64_t
write_in_pieces(const char *text, bool *steady)
{
	uint64_t before = generation();
	int64_t at = now_ms(), most = 0;

	put("p/isolation.lua", "");
	for (const char *c = text; *c != 0; c++) {
		int64_t now = now_ms();

		most = now - at > most ? now - at : most;
		at = now;
		append("p/isolation.lua", (char[2]){*c, 0}, "a");
		usleep(2000);
	}
	*steady = generation() == before;
	return most;
}

/* The empty file in between is in order, and would close every table.  A busy
 * machine may pause for longer than it takes to settle: then once more. */
static void
a_file_written_in_pieces_is_obeyed_when_it_is_whole(void **state)
{
	bool steady;

	opens_with_one();
	for (int i = 0; i < 50; i++) {
		int64_t pause = write_in_pieces(TWO, &steady);

		becomes(2);
		if (pause < 50) {
			assert_true(steady);
			return;
		}
		put("p/isolation.lua", ONE);
		becomes(1);
	}
	fail_msg("the machine is too busy");
}

static void
half_a_file_is_refused_and_the_whole_one_obeyed(void **state)
{
	opens_with_one();
	put("p/isolation.lua", TENANT "rows 'a' { by =");
	breaks();
	assert_int_equal(tables(), 1);
	put("p/isolation.lua", TWO);
	becomes(2);
	assert_false(is_broken());
}

static void
a_file_that_is_removed_and_made_anew_is_obeyed(void **state)
{
	opens_with_one();
	assert_int_equal(unlink(path_of("p/isolation.lua")), 0);
	put("p/isolation.lua", TWO);
	becomes(2);
	assert_false(is_broken());
}

static void
what_editors_leave_is_no_news(void **state)
{
	static const char *const left[] = {
		"p/.isolation.lua.swp", "p/.isolation.lua.swx",
		"p/isolation.lua~",	"p/4913",
		"p/#isolation.lua#",	"p/.#isolation.lua",
		"p/isolation.lua.bak",	"p/notes.txt"};

	opens_with_one();
	for (size_t i = 0; i < sizeof(left) / sizeof(*left); i++)
		put(left[i], "nonsense");
	/* What is seen behind them was seen after them. */
	put("p/isolation.lua", TWO);
	becomes(2);
	assert_int_equal(generation(), 3);
	assert_false(is_broken());
}

/* vim: a backup is renamed, the file is made anew, the backup goes. */
static void
a_save_of_vim_is_obeyed(void **state)
{
	opens_with_one();
	put("p/.isolation.lua.swp", "x");
	move("p/isolation.lua", "p/isolation.lua~");
	put("p/isolation.lua", TWO);
	assert_int_equal(unlink(path_of("p/isolation.lua~")), 0);
	assert_int_equal(unlink(path_of("p/.isolation.lua.swp")), 0);
	becomes(2);
	assert_int_equal(generation(), 3);
	assert_false(is_broken());
}

/* ---- how folders are replaced -------------------------------------------- */

/* Kubernetes: files are links into ..data, which is a link that is swapped. */
static void
a_swapped_data_link_is_obeyed_as_a_whole(void **state)
{
	make("p");
	make("p/..1");
	put("p/..1/isolation.lua", ONE);
	point("p/..data", "..1");
	point("p/isolation.lua", "..data/isolation.lua");
	opens();
	assert_int_equal(tables(), 1);
	make("p/..2");
	put("p/..2/isolation.lua", TWO);
	point("p/..data_tmp", "..2");
	move("p/..data_tmp", "p/..data");
	becomes(2);
	assert_false(is_broken());
}

static void
a_folder_behind_a_link_is_swapped(void **state)
{
	make("v1");
	make("v2");
	put("v1/isolation.lua", ONE);
	put("v2/isolation.lua", TWO);
	point("p", "v1");
	opens();
	assert_int_equal(tables(), 1);
	point("next", "v2");
	move("next", "p");
	becomes(2);
	put("v2/isolation.lua", THREE); /* it is the one that is watched */
	becomes(3);
}

static void
a_folder_that_is_replaced_is_obeyed(void **state)
{
	opens_with_one();
	make("new");
	put("new/isolation.lua", TWO);
	move("p", "old");
	move("new", "p");
	becomes(2);
	put("old/isolation.lua", "nonsense"); /* nobody's any more */
	put("p/isolation.lua", THREE);
	becomes(3);
	assert_false(is_broken());
}

static void
without_the_folder_the_old_rules_stay_until_it_is_back(void **state)
{
	opens_with_one();
	move("p", "gone");
	breaks();
	assert_int_equal(tables(), 1);
	put("gone/isolation.lua", TWO);
	move("gone", "p");
	becomes(2);
	assert_false(is_broken());
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_file_renamed_over_another_is_obeyed),
		T(a_file_truncated_and_written_is_obeyed),
		T(a_file_written_in_pieces_is_obeyed_when_it_is_whole),
		T(half_a_file_is_refused_and_the_whole_one_obeyed),
		T(a_file_that_is_removed_and_made_anew_is_obeyed),
		T(what_editors_leave_is_no_news),
		T(a_save_of_vim_is_obeyed),
		T(a_swapped_data_link_is_obeyed_as_a_whole),
		T(a_folder_behind_a_link_is_swapped),
		T(a_folder_that_is_replaced_is_obeyed),
		T(without_the_folder_the_old_rules_stay_until_it_is_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
