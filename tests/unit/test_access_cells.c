/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "accesses.h"

/* ---- columns ------------------------------------------------------------- */

static void
a_cell_that_may_not_be_seen_is_masked(void **state)
{
	struct access_rule *p, *f;

	begin();
	p = permit(READ, NULL);
	columns_of(p, 2, id_title);
	allowed(TENANT_READ, "", EXPRS_COLUMNS - 2);
	assert_string_equal(mask_of("id"), "seen");
	assert_string_equal(mask_of("title"), "seen");
	assert_string_equal(mask_of("code"), "never");
	permit(READ, active());
	allowed(TENANT_READ, "", EXPRS_COLUMNS - 2);
	assert_string_equal(mask_of("code"), "(" ACTIVE ")");
	assert_string_equal(mask_of("price"), mask_of("code"));
	assert_int_equal(verdict.nvalues, 1);
	f = forbid(READ, known("title"));
	columns_of(f, 1, title);
	allowed(TENANT_READ, "", EXPRS_COLUMNS - 1);
	assert_string_equal(mask_of("title"), KNOWN " IS FALSE");
	f->when = NULL;
	allowed(TENANT_READ, "", EXPRS_COLUMNS - 1);
	assert_string_equal(mask_of("title"), "never");
}

static void
each_cell_has_the_mask_of_the_forbids_that_name_it(void **state)
{
	static const char *const code[] = {"code"};
	struct access_rule *f;

	begin();
	permit(READ, NULL);
	f = forbid(READ, known("title"));
	columns_of(f, 2, id_title);
	f = forbid(READ, active());
	columns_of(f, 1, code);
	allowed(TENANT_READ, "", 3);
	assert_string_equal(mask_of("id"), KNOWN " IS FALSE");
	assert_string_equal(mask_of("title"), KNOWN " IS FALSE");
	assert_string_equal(mask_of("code"), ACTIVE " IS FALSE");
	f = forbid(READ, known("code"));
	columns_of(f, 1, title);
	allowed(TENANT_READ, "", 3);
	assert_string_equal(mask_of("title"),
			    KNOWN " IS FALSE AND (r.\"code\" IS NOT NULL) IS "
				  "FALSE");
	assert_string_equal(mask_of("id"), KNOWN " IS FALSE");
}

static void
what_the_limit_says_already_is_in_no_mask(void **state)
{
	struct access_rule *p;

	begin();
	permit(READ, active());
	forbid(READ, known("title"));
	allowed(TENANT_READ, "(" ACTIVE ") AND " KNOWN " IS FALSE", 0);
	p = permit(READ, known("code"));
	columns_of(p, 1, title);
	allowed(TENANT_READ,
		"(" ACTIVE " OR (r.\"code\" IS NOT NULL)) AND " KNOWN
		" IS FALSE",
		EXPRS_COLUMNS - 1);
	assert_string_equal(mask_of("title"), "seen");
	assert_int_equal(verdict.nvalues, 2);
}

static void
an_update_needs_every_cell_it_writes(void **state)
{
	struct access_rule *p, *f;

	begin();
	ask.ncolumns = 2;
	ask.columns = id_title;
	p = permit(UPDATE, active());
	columns_of(p, 1, title);
	denied(TENANT_UPDATE, NULL);
	assert_string_equal(verdict.column, "id");
	p = permit(UPDATE, known("title"));
	allowed(TENANT_UPDATE, "(" KNOWN ") AND (" ACTIVE " OR " KNOWN ")", 0);
	p->when = NULL;
	allowed(TENANT_UPDATE, "", 0);
	f = forbid(UPDATE, known("title"));
	columns_of(f, 1, title);
	allowed(TENANT_UPDATE, KNOWN " IS FALSE", 0);
	f->when = NULL;
	denied(TENANT_UPDATE, f);
	assert_string_equal(verdict.column, "title");
	ask.ncolumns = 1;
	allowed(TENANT_UPDATE, "", 0);
}

static void
a_delete_takes_the_whole_row(void **state)
{
	struct access_rule *p, *f;

	begin();
	p = permit(DELETE, NULL);
	columns_of(p, 1, title);
	denied(TENANT_DELETE, NULL);
	permit(DELETE, NULL);
	allowed(TENANT_DELETE, "", 0);
	f = forbid(DELETE, known("title"));
	columns_of(f, 1, title);
	allowed(TENANT_DELETE, KNOWN " IS FALSE", 0);
	f->when = NULL;
	denied(TENANT_DELETE, f);
}

static void
an_insert_asks_no_row(void **state)
{
	struct access_rule *p, *f;

	begin();
	ask.ncolumns = 2;
	ask.columns = id_title;
	p = permit(INSERT, NULL);
	columns_of(p, 1, title);
	denied(TENANT_INSERT, NULL);
	assert_string_equal(verdict.column, "id");
	columns_of(p, 2, id_title);
	allowed(TENANT_INSERT, "", 0);
	p->when = x_checked(active());
	denied(TENANT_INSERT, NULL);
	assert_ptr_equal(verdict.faulty, p);
	p->when = NULL;
	f = forbid(INSERT, active());
	denied(TENANT_INSERT, f);
	f->when = NULL;
	columns_of(f, 1, title);
	denied(TENANT_INSERT, f);
	ask.ncolumns = 0;
	allowed(TENANT_INSERT, "", 0);
}

static void
what_a_target_is_asked_about_has_to_be_read(void **state)
{
	struct access_rule *p;

	begin();
	ask.ncolumns = ask.nreads = 1;
	ask.columns = ask.reads = title;
	permit(UPDATE | DELETE | INSERT, NULL);
	denied(TENANT_UPDATE, NULL);
	assert_string_equal(verdict.column, "title");
	p = permit(READ, NULL);
	columns_of(p, 2, id_title);
	allowed(TENANT_UPDATE, "", 0);
	p->when = x_checked(active());
	allowed(TENANT_UPDATE, "(" ACTIVE ")", 0);
	allowed(TENANT_INSERT, "", 0);
	list[0].when = x_checked(known("title"));
	allowed(TENANT_UPDATE, "(" KNOWN ") AND (" ACTIVE ")", 0);
	p = forbid(READ, NULL);
	columns_of(p, 1, title);
	denied(TENANT_UPDATE, p);
	ask.ncolumns = 0;
	denied(TENANT_DELETE, p);
}

static void
values_are_numbered_from_the_first_that_is_asked_for(void **state)
{
	begin();
	permit(READ, active());
	ask.first_value = 7;
	allowed(TENANT_READ,
		"(((r.\"active\") OPERATOR(pg_catalog.=) $7::pg_catalog.bool))",
		0);
	assert_int_equal(verdict.nvalues, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cell_that_may_not_be_seen_is_masked),
		cmocka_unit_test(
			each_cell_has_the_mask_of_the_forbids_that_name_it),
		cmocka_unit_test(what_the_limit_says_already_is_in_no_mask),
		cmocka_unit_test(an_update_needs_every_cell_it_writes),
		cmocka_unit_test(a_delete_takes_the_whole_row),
		cmocka_unit_test(an_insert_asks_no_row),
		cmocka_unit_test(what_a_target_is_asked_about_has_to_be_read),
		cmocka_unit_test(
			values_are_numbered_from_the_first_that_is_asked_for),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, exprs_begin, exprs_end);
}
