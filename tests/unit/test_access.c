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

/* ---- permits and forbids ------------------------------------------------- */

static void
what_no_permit_covers_is_denied(void **state)
{
	struct access_rule *r;

	begin();
	denied(TENANT_READ, NULL);
	permit(UPDATE, NULL);
	denied(TENANT_READ, NULL);
	r = permit(READ, NULL);
	r->tables = elsewhere;
	r->ntables = 2;
	denied(TENANT_READ, NULL);
	r = permit(READ, NULL);
	r->roles = others;
	r->nroles = 1;
	denied(TENANT_READ, NULL);
	permit(READ, x_truth(false));
	denied(TENANT_READ, NULL);
}

static void
a_permit_of_every_row_leaves_no_limit(void **state)
{
	struct access_rule *r;

	begin();
	r = permit(READ | DELETE, NULL);
	allowed(TENANT_READ, "", 0);
	assert_ptr_equal(verdict.rule, r);
	allowed(TENANT_DELETE, "", 0);
	permit(READ, active());
	allowed(TENANT_READ, "", 0);
	assert_null(verdict.rule);
	r->ntables = 0;
	allowed(TENANT_READ, "", 0);
}

static void
a_forbid_wins_over_every_permit(void **state)
{
	struct access_rule *f;

	begin();
	f = forbid(READ, NULL);
	permit(READ, NULL);
	permit(READ, active());
	denied(TENANT_READ, f);
	f->actions = UPDATE;
	assert_true(decided(TENANT_READ)->allowed);
	f->actions = READ;
	f->when = x_checked(x_truth(false));
	assert_true(decided(TENANT_READ)->allowed);
}

static void
what_speaks_of_the_row_becomes_the_limit(void **state)
{
	begin();
	permit(READ, x_all(active(), x_role(1, "nurse")));
	allowed(TENANT_READ, "(" ACTIVE ")", 0);
	assert_int_equal(verdict.nvalues, 1);
	assert_string_equal(verdict.values[0], "t");
	permit(READ, known("title"));
	allowed(TENANT_READ, "(" ACTIVE " OR " KNOWN ")", 0);
	forbid(READ, known("code"));
	allowed(TENANT_READ,
		"(" ACTIVE " OR " KNOWN
		") AND (r.\"code\" IS NOT NULL) IS FALSE",
		0);
	permit(READ, NULL);
	allowed(TENANT_READ, "(r.\"code\" IS NOT NULL) IS FALSE", 0);
}

static void
what_is_unknown_permits_nothing_and_forbids(void **state)
{
	struct access_rule *f;

	begin();
	permit(READ, unknown());
	denied(TENANT_READ, NULL);
	permit(READ, x_no(unknown()));
	denied(TENANT_READ, NULL);
	permit(READ, NULL);
	f = forbid(READ, unknown());
	denied(TENANT_READ, f);
	f->when = x_checked(x_no(unknown()));
	denied(TENANT_READ, f);
	assert_null(verdict.faulty);
}

static void
what_no_row_can_meet_is_settled_at_once(void **state)
{
	struct access_rule *f;

	begin();
	permit(READ, x_all(active(), unknown()));
	denied(TENANT_READ, NULL);
	permit(READ, x_no(x_any(x_no(active()), unknown())));
	denied(TENANT_READ, NULL);
	permit(READ, NULL);
	f = forbid(READ, x_any(active(), unknown()));
	denied(TENANT_READ, f);
	f->when = x_checked(x_all(active(), x_truth(false)));
	allowed(TENANT_READ, "", 0);
}

static void
a_rule_at_fault_is_void_whatever_else_it_says(void **state)
{
	struct access_rule *p, *f;

	begin();
	p = permit(READ, x_any(faulty(), x_truth(true)));
	denied(TENANT_READ, NULL);
	assert_ptr_equal(verdict.faulty, p);
	assert_non_null(strstr(verdict.fault.text, "ctx.user"));
	permit(READ, NULL);
	allowed(TENANT_READ, "", 0);
	assert_ptr_equal(verdict.faulty, p);
	f = forbid(READ, x_all(faulty(), x_truth(false)));
	denied(TENANT_READ, f);
}

static void
a_column_that_the_table_lacks_is_a_fault(void **state)
{
	static const char *const lost[] = {"title", "lost"};
	struct access_rule *p, *f;
	struct err e;

	begin();
	p = permit(READ, NULL);
	columns_of(p, 2, lost);
	denied(TENANT_READ, NULL);
	assert_ptr_equal(verdict.faulty, p);
	assert_int_equal(access_fit(p, &who.row, &e), LUNATE_EINVAL);
	assert_string_equal(e.text, "the table has no column \"lost\"");
	columns_of(p, 1, lost);
	assert_int_equal(access_fit(p, &who.row, &e), 0);
	allowed(TENANT_READ, "", EXPRS_COLUMNS - 1);
	f = forbid(READ, NULL);
	columns_of(f, 2, lost);
	denied(TENANT_READ, f);
	f->actions = UPDATE;
	permit(UPDATE, NULL);
	ask.ncolumns = 1;
	ask.columns = id_title;
	denied(TENANT_UPDATE, f);
}

/* ---- who ----------------------------------------------------------------- */

static void
a_role_counts_with_what_it_inherits_for_forbids_too(void **state)
{
	static const char *const given[] = {"nobody's", "nurse"};
	const struct context c = {
		.magic = CONTEXT_MAGIC, .nroles = 2, .roles = given};
	struct access_rule *p, *f;
	uint64_t held[EXPR_ROLES / 64];

	begin();
	access_held(&rules, &c, held);
	assert_memory_equal(held, held_nurse, sizeof(held));
	who.held = held;
	p = permit(READ, NULL);
	p->nroles = 1;
	p->roles = staff;
	allowed(TENANT_READ, "", 0);
	f = forbid(READ, NULL);
	f->nroles = 1;
	f->roles = staff;
	denied(TENANT_READ, f);
	access_held(&rules, NULL, held);
	denied(TENANT_READ, NULL);
}

static void
roles_that_are_not_known_permit_nothing_and_forbid(void **state)
{
	struct access_rule *p, *f;

	begin();
	who.held = NULL;
	p = permit(READ, NULL);
	p->nroles = 1;
	p->roles = nurses;
	denied(TENANT_READ, NULL);
	permit(READ, NULL);
	f = forbid(READ, x_truth(false));
	f->nroles = 1;
	f->roles = nurses;
	allowed(TENANT_READ, "", 0);
	f->when = NULL;
	denied(TENANT_READ, f);
}

static int
say(void *arg, unsigned number, enum expr_truth *says, struct err *e)
{
	const int *answers = arg;

	if (answers[number] < 0)
		return err_set(e, LUNATE_EDEADLINE, "function 2 was ended");
	*says = (enum expr_truth)answers[number];
	return 0;
}

static void
a_function_is_asked_and_at_fault_when_it_fails(void **state)
{
	int answers[] = {EXPR_YES, EXPR_NO};
	const struct expr_call call = {say, answers};
	struct expr *x = x_new(EXPR_CALL);
	struct access_rule *p, *f;

	begin();
	p = permit(READ, x_any(x, active()));
	denied(TENANT_READ, NULL);
	assert_ptr_equal(verdict.faulty, p);
	who.call = &call;
	allowed(TENANT_READ, "", 0);
	x = x_new(EXPR_CALL);
	x->function = 1;
	f = forbid(READ, x);
	allowed(TENANT_READ, "", 0);
	answers[1] = EXPR_UNKNOWN;
	denied(TENANT_READ, f);
	assert_null(verdict.faulty);
	answers[1] = -1;
	denied(TENANT_READ, f);
	assert_ptr_equal(verdict.faulty, f);
	assert_string_equal(verdict.fault.text, "function 2 was ended");
}

/* ---- openings ------------------------------------------------------------ */

static const char *const patient[] = {"code"};
static const char *const elsewhere_ids[] = {"code", "code", "code"};
static const struct access_glass glass = {.name = "emergency",
					  .ntables = 1,
					  .actions = READ | UPDATE | INSERT,
					  .tables = things,
					  .columns = patient};
static const struct access_opening opening = {&glass, "P1"};
static const struct access_glass glass_elsewhere = {.name = "elsewhere",
						    .ntables = 2,
						    .actions = READ,
						    .tables = elsewhere,
						    .columns = elsewhere_ids};
static const struct access_opening opening_elsewhere = {&glass_elsewhere, "P1"};

#define PATIENT                                                       \
	"((((r.\"code\")::pg_catalog.text COLLATE pg_catalog.\"C\") " \
	"OPERATOR(pg_catalog.=) $0::pg_catalog.text))"

static void
an_opening_permits_the_rows_of_one_patient(void **state)
{
	begin();
	ask.opening = &opening;
	allowed(TENANT_READ, PATIENT, 0);
	assert_true(verdict.opened);
	assert_string_equal(verdict.values[0], "P1");
	assert_string_equal(verdict.rule->name, "emergency");
	denied(TENANT_DELETE, NULL);
	denied(TENANT_INSERT, NULL);
	assert_false(verdict.opened);
	assert_null(verdict.faulty);
	ask.opening = &opening_elsewhere;
	denied(TENANT_READ, NULL);
	assert_false(verdict.opened);
	ask.opening = NULL;
	denied(TENANT_READ, NULL);
}

static void
an_opening_lifts_no_forbid(void **state)
{
	struct access_rule *f;

	begin();
	ask.opening = &opening;
	f = forbid(READ, known("title"));
	allowed(TENANT_READ, PATIENT " AND " KNOWN " IS FALSE", 0);
	f->when = NULL;
	denied(TENANT_READ, f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_no_permit_covers_is_denied),
		cmocka_unit_test(a_permit_of_every_row_leaves_no_limit),
		cmocka_unit_test(a_forbid_wins_over_every_permit),
		cmocka_unit_test(what_speaks_of_the_row_becomes_the_limit),
		cmocka_unit_test(what_is_unknown_permits_nothing_and_forbids),
		cmocka_unit_test(what_no_row_can_meet_is_settled_at_once),
		cmocka_unit_test(a_rule_at_fault_is_void_whatever_else_it_says),
		cmocka_unit_test(a_column_that_the_table_lacks_is_a_fault),
		cmocka_unit_test(
			a_role_counts_with_what_it_inherits_for_forbids_too),
		cmocka_unit_test(
			roles_that_are_not_known_permit_nothing_and_forbid),
		cmocka_unit_test(
			a_function_is_asked_and_at_fault_when_it_fails),
		cmocka_unit_test(an_opening_permits_the_rows_of_one_patient),
		cmocka_unit_test(an_opening_lifts_no_forbid),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, exprs_begin, exprs_end);
}
