/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "catalog_rig.h"
#include "egress.h"
#include "egress_map.h"
#include "refusal.h"

#define A_ID "00000000-0000-4000-8000-00000000000a"
#define B_ID "00000000-0000-4000-8000-00000000000b"
#define CANARY "00000000-0000-4000-8000-00000000c0de"

static const struct egress_column columns[] = {{100, 2}, {100, 5}, {200, 1}};
static const char *const scoped[] = {"notes_clinic_key", "visits_pkey"};

static const struct egress_rules rules = {.type = TENANT_UUID,
					  .ncolumns = 3,
					  .columns = columns,
					  .nscoped = 2,
					  .scoped = scoped,
					  .canary = CANARY};

/* ---- rows --------------------------------------------------------------- */

/* A result of one column; cells end with NULL, "-" is SQL NULL. */
static struct rows *
column(struct shape_col col, const char *const *cells)
{
	struct shape *s;
	struct rows *r;
	size_t n = 0, bytes = 0;

	for (; cells[n] != NULL; n++)
		bytes += cells[n][0] == '-' && cells[n][1] == 0
				 ? 0
				 : strlen(cells[n]);
	col.name = "c";
	s = shape_new(&col, 1);
	r = rows_try_new(s, n, bytes);
	for (size_t i = 0; i < n; i++)
		if (cells[i][0] == '-' && cells[i][1] == 0)
			rows_put(r, NULL, 0);
		else
			rows_put(r, cells[i], strlen(cells[i]));
	rows_seal(r);
	shape_unpin(&s);
	return r;
}

static int
look(const struct egress_rules *by, const char *json, struct rows *r)
{
	struct context *ctx = NULL;
	struct err e;
	int rc;

	if (json != NULL)
		assert_int_equal(context_new(json, strlen(json), &ctx, &e), 0);
	err_clear(&e);
	rc = egress_rows(by, ctx, r, &e);
	if (rc != 0)
		assert_int_equal(refusal_of(&e), REFUSE_TENANT);
	assert_null(strstr(e.text, B_ID));
	context_unpin(&ctx);
	rows_unpin(&r);
	return rc;
}

#define CELLS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define FROM(t, a) ((struct shape_col){.type = 2950, .table = t, .attnum = a})
#define OF_A "{\"tenant\":\"" A_ID "\"}"
#define OF_AB "{\"tenant\":[\"" B_ID "\",\"" A_ID "\"]}"

static void
rows_of_the_tenants_asked_for_pass(void **state)
{
	assert_int_equal(
		look(&rules, OF_A, column(FROM(100, 2), CELLS(A_ID, A_ID))), 0);
	assert_int_equal(
		look(&rules, OF_A, column(FROM(100, 2), CELLS(A_ID, "-"))), 0);
	assert_int_equal(look(&rules, OF_AB,
			      column(FROM(200, 1), CELLS(A_ID, B_ID, A_ID))),
			 0);
	assert_int_equal(
		look(&rules,
		     "{\"tenant\":\"ABCDEF00-0000-4000-8000-00000000000A\"}",
		     column(FROM(100, 2),
			    CELLS("abcdef00-0000-4000-8000-00000000000a"))),
		0);
}

static void
a_row_of_another_tenant_is_withheld(void **state)
{
	assert_int_equal(
		look(&rules, OF_A, column(FROM(100, 2), CELLS(A_ID, B_ID))),
		LUNATE_EDENIED);
	assert_int_equal(look(&rules, OF_A, column(FROM(100, 5), CELLS(B_ID))),
			 LUNATE_EDENIED);
	assert_int_equal(look(&rules, OF_A, column(FROM(200, 1), CELLS(""))),
			 LUNATE_EDENIED);
	assert_int_equal(
		look(&rules, OF_AB,
		     column(FROM(200, 1),
			    CELLS(A_ID, B_ID,
				  "00000000-0000-4000-8000-00000000000c"))),
		LUNATE_EDENIED);
	assert_int_equal(look(&rules, NULL, column(FROM(200, 1), CELLS(A_ID))),
			 LUNATE_EDENIED);
	assert_int_equal(look(&rules, "{\"user\":\"u\"}",
			      column(FROM(200, 1), CELLS(A_ID))),
			 LUNATE_EDENIED);
}

static void
other_columns_are_not_looked_at(void **state)
{
	assert_int_equal(look(&rules, OF_A, column(FROM(100, 3), CELLS(B_ID))),
			 0);
	assert_int_equal(look(&rules, OF_A, column(FROM(101, 2), CELLS(B_ID))),
			 0);
	assert_int_equal(look(&rules, OF_A, column(FROM(0, 0), CELLS(B_ID))),
			 0);
	assert_int_equal(look(&rules, OF_A, column(FROM(0, 2), CELLS(B_ID))),
			 0);
}

static void
the_canary_is_seen_wherever_its_type_stands(void **state)
{
	static const struct shape_col text = {.type = 25, .table = 7};

	assert_int_equal(
		look(&rules, OF_A, column(FROM(0, 0), CELLS(A_ID, CANARY))),
		LUNATE_EDENIED);
	assert_int_equal(look(&rules, "{\"tenant\":\"" CANARY "\"}",
			      column(FROM(100, 2), CELLS(CANARY))),
			 LUNATE_EDENIED);
	assert_int_equal(look(&rules, OF_A, column(text, CELLS(CANARY))), 0);
}

static void
an_integer_canary_is_looked_for_in_tenant_columns_only(void **state)
{
	static const struct shape_col any = {.type = 23}, own = {.type = 23,
								 .table = 200,
								 .attnum = 1};
	struct egress_rules r = rules;

	r.type = TENANT_INT4;
	r.canary = "666";
	assert_int_equal(
		look(&r, "{\"tenant\":666}", column(any, CELLS("666"))), 0);
	assert_int_equal(
		look(&r, "{\"tenant\":666}", column(own, CELLS("666"))),
		LUNATE_EDENIED);
	assert_int_equal(look(&r, "{\"tenant\":-5}", column(own, CELLS("-5"))),
			 0);
	assert_int_equal(look(&r, "{\"tenant\":5}", column(own, CELLS("-5"))),
			 LUNATE_EDENIED);
}

/* One cell in binary format. */
static struct rows *
binary(struct shape_col col, const char *bytes, size_t len)
{
	struct shape *s;
	struct rows *r;

	col.name = "c";
	col.binary = true;
	s = shape_new(&col, 1);
	r = rows_try_new(s, 1, len);
	rows_put(r, bytes, len);
	rows_seal(r);
	shape_unpin(&s);
	return r;
}

static void
binary_values_are_the_same_values(void **state)
{
	static const struct shape_col four = {
		.type = 23, .table = 200, .attnum = 1};
	static const struct shape_col eight = {
		.type = 20, .table = 200, .attnum = 1};
	static const char a[] = "\0\0\0\0\0\0\x40\0\x80\0\0\0\0\0\0\x0a";
	struct egress_rules r = rules;

	assert_int_equal(look(&rules, OF_A, binary(FROM(200, 1), a, 16)), 0);
	assert_int_equal(look(&rules, "{\"tenant\":\"" B_ID "\"}",
			      binary(FROM(200, 1), a, 16)),
			 LUNATE_EDENIED);
	r.type = TENANT_INT4;
	r.canary = NULL;
	assert_int_equal(look(&r, "{\"tenant\":-2}",
			      binary(four, "\xff\xff\xff\xfe", 4)),
			 0);
	assert_int_equal(
		look(&r, "{\"tenant\":256}", binary(four, "\0\0\1\0", 4)), 0);
	assert_int_equal(
		look(&r, "{\"tenant\":257}", binary(four, "\0\0\1\0", 4)),
		LUNATE_EDENIED);
	r.type = TENANT_INT8;
	assert_int_equal(
		look(&r, "{\"tenant\":-2}",
		     binary(eight, "\xff\xff\xff\xff\xff\xff\xff\xfe", 8)),
		0);
}

static void
a_system_context_sees_all(void **state)
{
	assert_int_equal(look(&rules, "{\"system\":\"report\"}",
			      column(FROM(100, 2), CELLS(A_ID, B_ID, CANARY))),
			 0);
}

static void
many_tenants_are_told_apart(void **state)
{
	char json[40 * 400], *at = json + sprintf(json, "{\"tenant\":[");
	char ids[300][40];
	const char *own[301] = {NULL};

	for (int i = 0; i < 300; i++) {
		snprintf(ids[i], sizeof(ids[i]),
			 "%08x-0000-4000-8000-00000000000%c",
			 (i * 7919) % 65536, i % 2 ? 'f' : '0');
		own[i] = ids[i];
		at += sprintf(at, "%s\"%s\"", i > 0 ? "," : "", ids[i]);
	}
	strcpy(at, "]}");
	assert_int_equal(look(&rules, json, column(FROM(200, 1), own)), 0);
	ids[299][0] = 'f';
	assert_int_equal(look(&rules, json, column(FROM(200, 1), own)),
			 LUNATE_EDENIED);
}

/* ---- errors ------------------------------------------------------------- */

static struct err
error(const char *state, const char *routine, const char *constraint)
{
	struct err e;

	(void)err_set(&e, err_from_sqlstate(state),
		      "duplicate key violates \"%s\"; hint: look at 17",
		      constraint);
	snprintf(e.sqlstate, sizeof(e.sqlstate), "%s", state);
	snprintf(e.routine, sizeof(e.routine), "%s", routine);
	snprintf(e.constraint, sizeof(e.constraint), "%s", constraint);
	return e;
}

static void
a_conflict_with_hidden_rows_looks_like_any_other(void **state)
{
	struct err a = error("23505", "_bt_check_unique", "patients_ssn_key");
	struct err b = error("23503", "ri_ReportViolation", "visit_patient");
	struct err c = error("23P01", "check_exclusion", "rooms_excl");

	egress_error(&rules, &a);
	egress_error(&rules, &b);
	egress_error(&rules, &c);
	assert_int_equal(a.code, LUNATE_ECONSTRAINT);
	assert_string_equal(a.sqlstate, "23000");
	assert_memory_equal(&a.code, &b.code, sizeof(a.code));
	assert_string_equal(a.text, b.text);
	assert_string_equal(a.text, c.text);
	assert_string_equal(a.sqlstate, b.sqlstate);
	assert_string_equal(a.sqlstate, c.sqlstate);
	assert_string_equal(b.constraint, "");
	assert_string_equal(b.routine, "");
	assert_null(strstr(a.text, "ssn"));
}

static void
a_conflict_among_the_tenants_own_rows_is_told(void **state)
{
	struct err e = error("23505", "_bt_check_unique", "visits_pkey");

	egress_error(&rules, &e);
	assert_int_equal(e.code, LUNATE_ECONSTRAINT);
	assert_string_equal(e.sqlstate, "23505");
	assert_string_equal(e.constraint, "visits_pkey");
	assert_null(strstr(e.text, "hint"));
}

static void
development_keeps_the_words_of_the_server(void **state)
{
	struct err e = error("23505", "_bt_check_unique", "patients_ssn_key");
	struct egress_rules r = rules;

	r.show = true;
	egress_error(&r, &e);
	assert_string_equal(e.constraint, "patients_ssn_key");
	assert_non_null(strstr(e.text, "hint: look at"));
}

static void
a_row_of_another_tenant_is_refused_by_name(void **state)
{
	struct err raise = error("22023", "parse_ident", "");
	struct err policy = error("42501", "ExecWithCheckOptions", "");
	struct err right = error("42501", "aclcheck_error", "");
	struct egress_rules r = rules;

	egress_error(&r, &raise);
	r.show = true;
	egress_error(&r, &policy);
	egress_error(&r, &right);
	assert_int_equal(refusal_of(&raise), REFUSE_TENANT);
	assert_int_equal(raise.code, LUNATE_EDENIED);
	assert_string_equal(raise.text, policy.text);
	assert_int_equal(refusal_of(&right), REFUSALS_N);
}

/* ---- the map ------------------------------------------------------------ */

#define AT .file = "isolation.lua", .line = 1, .schema = "app"

static const struct tenant_table tables[] = {
	{AT, .name = "clinics", .column = "id"},
	{AT, .name = "gone", .column = "id"},
	{AT, .name = "log", .column = "x"},
	{AT, .name = "pair", .kind = TENANT_SHARED},
	{AT, .name = "visits", .column = "clinic"}};
static const struct tenant_rules tenants = {
	.type = TENANT_INT4, .ntables = 5, .tables = tables};
static const struct isolation_rules isolation = {
	.state = ISOLATION_ON, .tables = &tenants, .canary = "666"};

static bool
has(const struct egress_rules *r, const char *constraint)
{
	for (unsigned i = 0; i < r->nscoped; i++)
		if (strcmp(r->scoped[i], constraint) == 0)
			return true;
	return false;
}

static bool
watches(const struct egress_rules *r, const char *name, int attnum)
{
	for (unsigned i = 0; i < r->ncolumns; i++)
		if (r->columns[i].table == table(name)->oid &&
		    r->columns[i].attnum == attnum)
			return true;
	return false;
}

static void
the_map_names_tenant_columns_and_the_constraints_over_them(void **state)
{
	struct egress_map *m = egress_map_new(&isolation, known()), *again;
	const struct egress_rules *r = &m->rules;

	/* log has a partition, clinics a child */
	assert_int_equal(r->ncolumns, 5);
	assert_true(watches(r, "clinics", 1));
	assert_true(watches(r, "child", 1));
	assert_true(watches(r, "log", 2));
	assert_true(watches(r, "log_2024", 2));
	assert_true(watches(r, "visits", 2));
	for (unsigned i = 1; i < r->ncolumns; i++)
		assert_true(r->columns[i - 1].table < r->columns[i].table);
	assert_true(has(r, "clinics_pkey"));
	assert_true(has(r, "to_clinic"));
	assert_true(has(r, "visits_clinic_key"));
	assert_false(has(r, "visits_pkey"));
	assert_false(has(r, "clinics_code_name_key"));
	assert_false(has(r, "pair_b_a_fkey"));
	assert_string_equal(r->canary, "666");
	again = egress_map_pin(m);
	egress_map_unpin(&m);
	assert_int_equal(again->rules.ncolumns, 5);
	egress_map_unpin(&again);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_of_the_tenants_asked_for_pass),
		cmocka_unit_test(a_row_of_another_tenant_is_withheld),
		cmocka_unit_test(other_columns_are_not_looked_at),
		cmocka_unit_test(the_canary_is_seen_wherever_its_type_stands),
		cmocka_unit_test(
			an_integer_canary_is_looked_for_in_tenant_columns_only),
		cmocka_unit_test(binary_values_are_the_same_values),
		cmocka_unit_test(a_system_context_sees_all),
		cmocka_unit_test(many_tenants_are_told_apart),
		cmocka_unit_test(
			a_conflict_with_hidden_rows_looks_like_any_other),
		cmocka_unit_test(a_conflict_among_the_tenants_own_rows_is_told),
		cmocka_unit_test(development_keeps_the_words_of_the_server),
		cmocka_unit_test(a_row_of_another_tenant_is_refused_by_name),
		cmocka_unit_test(
			the_map_names_tenant_columns_and_the_constraints_over_them),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
