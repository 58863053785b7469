/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sealer.h"

#define HEX "00112233445566778899aabbccddeeff"
#define KEY HEX HEX
#define WIRE "{\"tenants\":\"{a}\"}"

static char folder[40], path[60];

static int
begin(void **state)
{
	strcpy(folder, "/tmp/lunate-sealer-XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/key", folder);
	return 0;
}

static int
end(void **state)
{
	(void)unlink(path);
	return rmdir(folder);
}

static void
save(const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

static void
a_file_has_the_key_in_force_and_the_one_before(void **state)
{
	struct sealer s;
	struct err e;

	save("0007 " KEY "\n", 0600);
	assert_int_equal(sealer_read(&s, path, &e), 0);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.keys[0].kid, 7);
	assert_int_equal(s.keys[0].bytes[1], 0x11);
	save("0008 " KEY "\n0007 " KEY, 0400);
	assert_int_equal(sealer_read(&s, path, &e), 0);
	assert_int_equal(s.n, 2);
	assert_int_equal(s.keys[1].kid, 7);
	sealer_fini(&s);
	assert_int_equal(s.keys[0].bytes[1], 0);
}

static void
what_is_no_key_file_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"\n",
		"7 " KEY "\n",
		"0007 " HEX "\n",
		"0007 " KEY "0\n",
		"0007 " KEY "\n\n",
		"0007 " KEY "\n0006 " KEY "\n0005 " KEY "\n",
		"000x " KEY "\n",
		"0007 " HEX "0011223344556677\n",
	};
	struct sealer s;
	struct err e;

	assert_int_equal(sealer_read(&s, path, &e), LUNATE_ECONFIG);
	assert_non_null(strstr(e.text, "seal-key --new"));
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		save(texts[i], 0600);
		assert_int_equal(sealer_read(&s, path, &e), LUNATE_ECONFIG);
		assert_int_equal(s.n, 0);
		assert_null(strstr(e.text, "001122"));
	}
}

static void
a_file_that_others_may_read_is_refused(void **state)
{
	struct sealer s;
	struct err e;

	save("0007 " KEY "\n", 0640);
	assert_int_equal(sealer_read(&s, path, &e), LUNATE_ECONFIG);
	assert_non_null(strstr(e.text, "chmod 600"));
	assert_int_equal(sealer_read(&s, folder, &e), LUNATE_ECONFIG);
}

static void
a_new_key_goes_on_top_and_the_one_before_stays(void **state)
{
	struct sealer s, read;
	struct stat st;
	struct err e;

	assert_int_equal(sealer_renew(&s, path, &e), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.keys[0].kid, 1);
	assert_int_equal(sealer_renew(&s, path, &e), 0);
	assert_int_equal(sealer_renew(&s, path, &e), 0);
	assert_int_equal(sealer_read(&read, path, &e), 0);
	assert_int_equal(read.n, 2);
	assert_int_equal(read.keys[0].kid, 3);
	assert_int_equal(read.keys[1].kid, 2);
	assert_memory_equal(read.keys[0].bytes, s.keys[0].bytes, RLS_KEY);
	assert_memory_not_equal(read.keys[0].bytes, read.keys[1].bytes,
				RLS_KEY);
	save("9999 " KEY "\n", 0600);
	assert_int_equal(sealer_renew(&s, path, &e), 0);
	assert_int_equal(s.keys[0].kid, 0);
}

static void
it_seals_for_one_backend_and_a_time(void **state)
{
	const struct pgseal_ask ask = {WIRE, 4711, 1800000000};
	struct sealer s;
	struct str out;
	struct err e;

	save("0007 " KEY "\n", 0600);
	assert_int_equal(sealer_read(&s, path, &e), 0);
	str_init(&out);
	assert_true(s.seal.make(&s.seal, &ask, &out) < SEALER_GOOD_S);
	assert_int_equal(strncmp(out.at,
				 "{\"tenants\":\"{a}\",\"seal\":\"0007."
				 "0000004711.001800000300.",
				 53),
			 0);
	str_clear(&out);
	sealer_sql(&s, &out);
	assert_non_null(strstr(out.at, "'0007'"));
	str_fini(&out);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_file_has_the_key_in_force_and_the_one_before),
		T(what_is_no_key_file_is_refused),
		T(a_file_that_others_may_read_is_refused),
		T(a_new_key_goes_on_top_and_the_one_before_stays),
		T(it_seals_for_one_backend_and_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
