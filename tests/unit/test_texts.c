/* SPDX-License-Identifier: MIT
 *
 * Texts: what counts in a policy folder, and what its hashes tell apart.
 */
#include "texts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "str.h"

static char folder[64];

static const char *
path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void
put(const char *name, const char *text)
{
	FILE *f = fopen(path_of(name), "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int
begin(void **state)
{
	strcpy(folder, "/tmp/lunate-texts-XXXXXX");
	return mkdtemp(folder) != NULL ? 0 : -1;
}

static int
end(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

static struct texts *
taken(void)
{
	struct texts *b;
	struct err e;

	err_clear(&e);
	if (texts_read(&b, folder, &e) < 0)
		fail_msg("%s", e.text);
	return b;
}

static void
refused(int code, const char *part)
{
	struct texts *b;
	struct err e;

	err_clear(&e);
	assert_int_equal(texts_read(&b, folder, &e), code);
	if (strstr(e.text, part) == NULL)
		fail_msg("\"%s\" has no \"%s\"", e.text, part);
}

static const struct texts_file *
file_of(const struct texts *b, const char *name)
{
	const struct vocab_file *f = vocab_file(name, strlen(name));

	assert_non_null(f);
	return &b->files[f - vocab_files];
}

/* ---- what counts ------------------------------------------------------- */

static void
files_of_the_vocabulary_are_taken_whole(void **state)
{
	struct texts *b;

	put("isolation.lua", "tenant { type = 'uuid' }\n");
	put("cache.lua", "");
	b = taken();
	assert_string_equal(b->folder, folder);
	assert_string_equal(file_of(b, "isolation")->text,
			    "tenant { type = 'uuid' }\n");
	assert_int_equal(file_of(b, "isolation")->len, 25);
	assert_string_equal(file_of(b, "cache")->text, "");
	assert_int_equal(file_of(b, "cache")->len, 0);
	assert_null(file_of(b, "access")->text);
	texts_unpin(&b);
	assert_null(b);
}

static void
an_empty_folder_has_no_text(void **state)
{
	struct texts *b = taken();

	for (size_t i = 0; i < VOCAB_FILES; i++)
		assert_null(b->files[i].text);
	assert_true(b->decisions != 0);
	texts_unpin(&b);
}

static void
a_zero_byte_does_not_end_a_file(void **state)
{
	FILE *f = fopen(path_of("alerts.lua"), "w");
	struct texts *b;

	assert_int_equal(fwrite("a\0b", 1, 3, f), 3);
	fclose(f);
	b = taken();
	assert_int_equal(file_of(b, "alerts")->len, 3);
	assert_memory_equal(file_of(b, "alerts")->text, "a\0b", 4);
	texts_unpin(&b);
}

static void
what_editors_and_people_leave_is_passed_over(void **state)
{
	struct texts *b;

	put("README.md", "x");
	put(".isolation.lua.swp", "x");
	put("isolation.lua~", "x");
	put(".hidden.lua", "x");
	put(".#access.lua", "x");
	put("isolation.lua.bak", "x");
	put("4913", "");
	assert_int_equal(mkdir(path_of("old"), 0700), 0);
	b = taken();
	assert_null(file_of(b, "isolation")->text);
	texts_unpin(&b);
}

static void
a_symlink_to_a_file_is_followed(void **state)
{
	struct texts *b;

	put("real", "x = 1");
	assert_int_equal(symlink("real", path_of("routing.lua")), 0);
	b = taken();
	assert_string_equal(file_of(b, "routing")->text, "x = 1");
	texts_unpin(&b);
}

/* ---- what is refused --------------------------------------------------- */

static void
a_lua_file_of_another_name_is_an_error(void **state)
{
	put("isolatoin.lua", "");
	refused(LUNATE_ECONFIG, "did you mean isolation.lua?");
}

static void
a_name_like_no_other_is_told_where_to_look(void **state)
{
	put("zzzzzzzzzzzz.lua", "");
	refused(LUNATE_ECONFIG, "lunate policy words");
}

static void
a_folder_that_is_not_there_is_told(void **state)
{
	assert_int_equal(rmdir(folder), 0);
	refused(LUNATE_EIO, "No such file");
	assert_int_equal(mkdir(folder, 0700), 0);
}

static void
a_folder_in_place_of_a_file_is_told(void **state)
{
	assert_int_equal(mkdir(path_of("cache.lua"), 0700), 0);
	refused(LUNATE_EIO, "is no file");
}

/* Somebody's cache.lua must not hold up the runtime: a pipe is not waited
 * for. */
static void
a_pipe_is_not_waited_for(void **state)
{
	assert_int_equal(mkfifo(path_of("cache.lua"), 0600), 0);
	refused(LUNATE_EIO, "is no file");
}

static void
a_symlink_to_nothing_is_no_policy(void **state)
{
	assert_int_equal(symlink("nowhere", path_of("cache.lua")), 0);
	refused(LUNATE_EBUSY, "cache.lua");
}

static void
a_file_may_have_one_mebibyte(void **state)
{
	FILE *f = fopen(path_of("cache.lua"), "w");
	struct texts *b;

	for (unsigned i = 0; i < TEXTS_FILE_MOST; i++)
		fputc(' ', f);
	fclose(f);
	b = taken();
	assert_int_equal(file_of(b, "cache")->len, TEXTS_FILE_MOST);
	texts_unpin(&b);
	f = fopen(path_of("cache.lua"), "a");
	fputc(' ', f);
	fclose(f);
	refused(LUNATE_ETOOBIG, "1024 KiB");
}

/* ---- hashes ------------------------------------------------------------ */

static struct texts *
of(const char *name, const char *text)
{
	const char *texts[VOCAB_FILES] = {0};

	if (name != NULL)
		texts[vocab_file(name, strlen(name)) - vocab_files] = text;
	return texts_of("policies", texts);
}

static void
compare(struct texts *a, struct texts *b, bool hash, bool decisions)
{
	assert_int_equal(a->hash == b->hash, hash);
	assert_int_equal(a->decisions == b->decisions, decisions);
	texts_unpin(&a);
	texts_unpin(&b);
}

static void
every_change_changes_the_hash(void **state)
{
	compare(of("cache", "a"), of("cache", "a"), true, true);
	compare(of("cache", "a"), of("cache", "b"), false, true);
	compare(of("cache", "a"), of("routing", "a"), false, true);
	compare(of("cache", ""), of(NULL, NULL), false, true);
}

static void
what_decides_changes_the_decisions(void **state)
{
	compare(of("isolation", "a"), of("isolation", "b"), false, false);
	compare(of("isolation", ""), of(NULL, NULL), false, false);
	compare(of("isolation", "a"), of("access", "a"), false, false);
	compare(of("optimizer", "a"), of("optimizer", "b"), false, false);
	compare(of("alerts", "a"), of("alerts", "b"), false, true);
}

static void
a_folder_read_is_the_same_as_its_texts(void **state)
{
	put("isolation.lua", "a");
	compare(taken(), of("isolation", "a"), true, true);
}

static void
pinned_texts_outlive_their_maker(void **state)
{
	struct texts *b = of("cache", "text"), *c = texts_pin(b);

	texts_unpin(&b);
	assert_string_equal(file_of(c, "cache")->text, "text");
	texts_unpin(&c);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(files_of_the_vocabulary_are_taken_whole),
		T(an_empty_folder_has_no_text),
		T(a_zero_byte_does_not_end_a_file),
		T(what_editors_and_people_leave_is_passed_over),
		T(a_symlink_to_a_file_is_followed),
		T(a_lua_file_of_another_name_is_an_error),
		T(a_name_like_no_other_is_told_where_to_look),
		T(a_folder_that_is_not_there_is_told),
		T(a_folder_in_place_of_a_file_is_told),
		T(a_pipe_is_not_waited_for),
		T(a_symlink_to_nothing_is_no_policy),
		T(a_file_may_have_one_mebibyte),
		T(every_change_changes_the_hash),
		T(what_decides_changes_the_decisions),
		T(a_folder_read_is_the_same_as_its_texts),
		T(pinned_texts_outlive_their_maker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
