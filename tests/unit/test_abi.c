/* SPDX-License-Identifier: MIT
 *
 * The ABI of lunate.h on a 64-bit Linux, written down: a program that was
 * compiled against it has these numbers inside.  A field may be added at the
 * end of a struct that begins with its size; then its new last line and its
 * size go in here.  Nothing else may change.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lunate.h"

struct place {
	const char *name;
	size_t at, size;	   /* in this build */
	size_t want_at, want_size; /* for ever */
};

#define SIZE(s, n)                            \
	{                                     \
#s, 0, sizeof(struct s), 0, n \
	}
#define FIELD(s, f, at, n)                                                    \
	{                                                                     \
#s "." #f, offsetof(struct s, f), sizeof(((struct s *)0)->f), \
			at, n                                                 \
	}

/* clang-format off */
static const struct place places[] = {
	SIZE(lunate_error, 768),
	FIELD(lunate_error, code, 0, 4),
	FIELD(lunate_error, retryable, 4, 4),
	FIELD(lunate_error, sqlstate, 8, 8),
	FIELD(lunate_error, constraint, 16, 64),
	FIELD(lunate_error, text, 80, 600),
	FIELD(lunate_error, reserved, 680, 88),
	SIZE(lunate_setting, 16),
	FIELD(lunate_setting, key, 0, 8),
	FIELD(lunate_setting, value, 8, 8),
	SIZE(lunate_options, 80),
	FIELD(lunate_options, size, 0, 8),
	FIELD(lunate_options, url, 8, 8),
	FIELD(lunate_options, settings, 16, 8),
	FIELD(lunate_options, workers, 24, 4),
	FIELD(lunate_options, no_environment, 28, 4),
	FIELD(lunate_options, log, 32, 8),
	FIELD(lunate_options, log_arg, 40, 8),
	FIELD(lunate_options, panic, 48, 8),
	FIELD(lunate_options, system_url, 56, 8),
	FIELD(lunate_options, system_role, 64, 8),
	FIELD(lunate_options, raw, 72, 4),
	FIELD(lunate_options, reserved, 76, 4),
	SIZE(lunate_value, 24),
	FIELD(lunate_value, type, 0, 4),
	FIELD(lunate_value, reserved, 4, 4),
	FIELD(lunate_value, len, 8, 8),
	FIELD(lunate_value, as, 16, 8),
	SIZE(lunate_who, 160),
	FIELD(lunate_who, size, 0, 8),
	FIELD(lunate_who, tenant, 8, 8),
	FIELD(lunate_who, tenants, 16, 8),
	FIELD(lunate_who, user, 24, 8),
	FIELD(lunate_who, roles, 32, 8),
	FIELD(lunate_who, location, 40, 8),
	FIELD(lunate_who, ip, 48, 8),
	FIELD(lunate_who, device, 56, 8),
	FIELD(lunate_who, purpose, 64, 8),
	FIELD(lunate_who, trace, 72, 8),
	FIELD(lunate_who, action, 80, 8),
	FIELD(lunate_who, resource_type, 88, 8),
	FIELD(lunate_who, resource_id, 96, 8),
	FIELD(lunate_who, system, 104, 8),
	FIELD(lunate_who, locations, 112, 8),
	FIELD(lunate_who, clinic_tz, 120, 8),
	FIELD(lunate_who, glass_rule, 128, 8),
	FIELD(lunate_who, glass_patient, 136, 8),
	FIELD(lunate_who, glass_reason, 144, 8),
	FIELD(lunate_who, glass_id, 152, 8),
	SIZE(lunate_call, 80),
	FIELD(lunate_call, size, 0, 8),
	FIELD(lunate_call, sql, 8, 8),
	FIELD(lunate_call, sql_len, 16, 8),
	FIELD(lunate_call, statement, 24, 8),
	FIELD(lunate_call, values, 32, 8),
	FIELD(lunate_call, nvalues, 40, 4),
	FIELD(lunate_call, flags, 44, 4),
	FIELD(lunate_call, tx, 48, 8),
	FIELD(lunate_call, context, 56, 8),
	FIELD(lunate_call, timeout, 64, 8),
	FIELD(lunate_call, priority, 72, 4),
	FIELD(lunate_call, cls, 76, 4),
	SIZE(lunate_then, 40),
	FIELD(lunate_then, size, 0, 8),
	FIELD(lunate_then, done, 8, 8),
	FIELD(lunate_then, arg, 16, 8),
	FIELD(lunate_then, port, 24, 8),
	FIELD(lunate_then, ticket, 32, 8),
	SIZE(lunate_buffer, 24),
	FIELD(lunate_buffer, at, 0, 8),
	FIELD(lunate_buffer, room, 8, 8),
	FIELD(lunate_buffer, len, 16, 8),
	SIZE(lunate_tx_options, 40),
	FIELD(lunate_tx_options, size, 0, 8),
	FIELD(lunate_tx_options, isolation, 8, 8),
	FIELD(lunate_tx_options, read_only, 16, 4),
	FIELD(lunate_tx_options, deferrable, 20, 4),
	FIELD(lunate_tx_options, critical, 24, 4),
	FIELD(lunate_tx_options, retries, 28, 4),
	FIELD(lunate_tx_options, context, 32, 8),
	SIZE(lunate_work, 16),
	FIELD(lunate_work, fn, 0, 8),
	FIELD(lunate_work, arg, 8, 8),
	SIZE(lunate_outcome, 776),
	FIELD(lunate_outcome, rows, 0, 8),
	FIELD(lunate_outcome, error, 8, 768),
	SIZE(lunate_operations, 48),
	FIELD(lunate_operations, size, 0, 8),
	FIELD(lunate_operations, calls, 8, 8),
	FIELD(lunate_operations, outcomes, 16, 8),
	FIELD(lunate_operations, n, 24, 8),
	FIELD(lunate_operations, concurrency, 32, 4),
	FIELD(lunate_operations, retries, 36, 4),
	FIELD(lunate_operations, failures, 40, 8),
	SIZE(lunate_copy, 72),
	FIELD(lunate_copy, size, 0, 8),
	FIELD(lunate_copy, sql, 8, 8),
	FIELD(lunate_copy, tx, 16, 8),
	FIELD(lunate_copy, context, 24, 8),
	FIELD(lunate_copy, timeout, 32, 8),
	FIELD(lunate_copy, read, 40, 8),
	FIELD(lunate_copy, write, 48, 8),
	FIELD(lunate_copy, arg, 56, 8),
	FIELD(lunate_copy, rows, 64, 8),
	SIZE(lunate_lua, 48),
	FIELD(lunate_lua, size, 0, 8),
	FIELD(lunate_lua, function, 8, 8),
	FIELD(lunate_lua, values, 16, 8),
	FIELD(lunate_lua, nvalues, 24, 4),
	FIELD(lunate_lua, context, 32, 8),
	FIELD(lunate_lua, timeout, 40, 8),
	SIZE(lunate_ear, 40),
	FIELD(lunate_ear, size, 0, 8),
	FIELD(lunate_ear, name, 8, 8),
	FIELD(lunate_ear, fn, 16, 8),
	FIELD(lunate_ear, arg, 24, 8),
	FIELD(lunate_ear, port, 32, 8),
};

struct number {
	const char *name;
	int value, want;
};

#define NUMBER(name, want) {#name, name, want}

static const struct number numbers[] = {
	NUMBER(LUNATE_OK, 0),
	NUMBER(LUNATE_EINVAL, -1),
	NUMBER(LUNATE_ECONFIG, -2),
	NUMBER(LUNATE_ECONNECT, -3),
	NUMBER(LUNATE_EAUTH, -4),
	NUMBER(LUNATE_EPOOL, -5),
	NUMBER(LUNATE_EDEADLINE, -6),
	NUMBER(LUNATE_ECANCELLED, -7),
	NUMBER(LUNATE_ELOST, -8),
	NUMBER(LUNATE_EINDOUBT, -9),
	NUMBER(LUNATE_ESYNTAX, -10),
	NUMBER(LUNATE_EPARAM, -11),
	NUMBER(LUNATE_EVALUE, -12),
	NUMBER(LUNATE_ECONSTRAINT, -13),
	NUMBER(LUNATE_ECONFLICT, -14),
	NUMBER(LUNATE_EDENIED, -15),
	NUMBER(LUNATE_EUNDEFINED, -16),
	NUMBER(LUNATE_EREADONLY, -17),
	NUMBER(LUNATE_EQUERY, -18),
	NUMBER(LUNATE_ETX, -19),
	NUMBER(LUNATE_ETOOBIG, -20),
	NUMBER(LUNATE_ECLOSED, -21),
	NUMBER(LUNATE_EUNSUPPORTED, -22),
	NUMBER(LUNATE_ERESOURCE, -23),
	NUMBER(LUNATE_ESERVER, -24),
	NUMBER(LUNATE_EBREAKER, -25),
	NUMBER(LUNATE_EFORK, -26),
	NUMBER(LUNATE_EIO, -27),
	NUMBER(LUNATE_ENOMEM, -28),
	NUMBER(LUNATE_EBUSY, -29),
	NUMBER(LUNATE_EINTERNAL, -30),
	NUMBER(LUNATE_LOG_ERROR, 0),
	NUMBER(LUNATE_LOG_WARN, 1),
	NUMBER(LUNATE_LOG_INFO, 2),
	NUMBER(LUNATE_LOG_DEBUG, 3),
	NUMBER(LUNATE_NULL, 0),
	NUMBER(LUNATE_BOOL, 1),
	NUMBER(LUNATE_INT, 2),
	NUMBER(LUNATE_REAL, 3),
	NUMBER(LUNATE_TEXT, 4),
	NUMBER(LUNATE_BYTES, 5),
	NUMBER(LUNATE_JSON, 6),
	NUMBER(LUNATE_PRIORITY_DEFAULT, 0),
	NUMBER(LUNATE_PRIORITY_CRITICAL, 1),
	NUMBER(LUNATE_PRIORITY_HIGH, 2),
	NUMBER(LUNATE_PRIORITY_NORMAL, 3),
	NUMBER(LUNATE_PRIORITY_LOW, 4),
	NUMBER(LUNATE_CLASS_DEFAULT, 0),
	NUMBER(LUNATE_CLASS_READ, 1),
	NUMBER(LUNATE_CLASS_WRITE, 2),
	NUMBER(LUNATE_CLASS_CRITICAL, 3),
	NUMBER(LUNATE_READ_ONLY, 1),
};
/* clang-format on */

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static void
every_struct_is_laid_out_as_it_was(void **state)
{
	int moved = 0;

	for (size_t i = 0; i < COUNT(places); i++) {
		const struct place *p = &places[i];

		if (p->at == p->want_at && p->size == p->want_size)
			continue;
		print_error("%s is at %zu with %zu bytes, was at %zu with "
			    "%zu\n",
			    p->name, p->at, p->size, p->want_at, p->want_size);
		moved++;
	}
	assert_int_equal(moved, 0);
}

static void
every_number_means_what_it_meant(void **state)
{
	int changed = 0;

	for (size_t i = 0; i < COUNT(numbers); i++) {
		if (numbers[i].value == numbers[i].want)
			continue;
		print_error("%s is %d, was %d\n", numbers[i].name,
			    numbers[i].value, numbers[i].want);
		changed++;
	}
	assert_int_equal(changed, 0);
}

/* A struct without its line here, or a word of an enum, could change unseen. */
static void
all_of_the_header_is_written_down(void **state)
{
	static char text[200000];
	size_t structs = 0, sizes = 0;
	FILE *f = fopen("runtime/lunate.h", "r");

	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = 0;
	fclose(f);
	for (const char *p = text; (p = strstr(p, "\nstruct lunate_")); p++)
		structs += p[strcspn(p + 1, ";{") + 1] == '{';
	for (size_t i = 0; i < COUNT(places); i++)
		sizes += strchr(places[i].name, '.') == NULL;
	assert_int_equal(structs, sizes);
}

#define STARTS(s, make)                                             \
	do {                                                        \
		struct s v_ = make;                                 \
		assert_int_equal(*(size_t *)&v_, sizeof(struct s)); \
	} while (0)

static void
what_a_helper_fills_begins_with_its_size(void **state)
{
	STARTS(lunate_options, lunate_defaults());
	STARTS(lunate_who, lunate_nobody());
	STARTS(lunate_call, lunate_sql("", NULL, 0));
	STARTS(lunate_then, lunate_then_of(NULL, NULL));
	STARTS(lunate_tx_options, lunate_tx_defaults());
	STARTS(lunate_operations, lunate_batch_of(NULL, NULL, 0));
	STARTS(lunate_copy, lunate_copy_of(""));
	STARTS(lunate_lua, lunate_lua_of("", NULL, 0));
	assert_int_equal(lunate_tx_defaults().retries, 3);
	assert_int_equal(lunate_batch_of(NULL, NULL, 0).retries, 3);
	assert_string_equal(lunate_copy_of("x").sql, "x");
}

static void
every_code_has_its_word_and_its_meaning(void **state)
{
	assert_string_equal(lunate_version(), LUNATE_VERSION);
	assert_string_equal(lunate_error_word(0), "ok");
	assert_string_equal(lunate_error_word(LUNATE_EDEADLINE), "deadline");
	assert_string_equal(lunate_error_word(1), "internal");
	assert_string_equal(lunate_error_word(-1000), "internal");
	assert_string_equal(lunate_error_meaning(-1000), "");
	for (int c = LUNATE_EINTERNAL; c < 0; c++) {
		assert_int_not_equal(lunate_error_word(c)[0], 0);
		assert_int_not_equal(lunate_error_meaning(c)[0], 0);
		for (int d = c + 1; d < 0; d++)
			assert_string_not_equal(lunate_error_word(c),
						lunate_error_word(d));
	}
	assert_int_equal(lunate_error_retryable(LUNATE_ECONFLICT), 1);
	assert_int_equal(lunate_error_retryable(LUNATE_EINDOUBT), 0);
	assert_int_equal(lunate_error_retryable(0), 0);
	assert_int_equal(lunate_error_retryable(-1000), 0);
}

#define T(name) cmocka_unit_test(name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(every_struct_is_laid_out_as_it_was),
		T(every_number_means_what_it_meant),
		T(all_of_the_header_is_written_down),
		T(what_a_helper_fills_begins_with_its_size),
		T(every_code_has_its_word_and_its_meaning),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
