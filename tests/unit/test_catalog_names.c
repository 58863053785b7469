/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "catalog_rig.h"

/* ---- relations ---------------------------------------------------------- */

static void
relations_have_their_kinds(void **state)
{
	static const struct {
		const char *name;
		enum catalog_kind kind;
	} want[] = {{"clinics", CATALOG_TABLE},	 {"log", CATALOG_PARTITIONED},
		    {"log_2024", CATALOG_TABLE}, {"v_plain", CATALOG_VIEW},
		    {"m_next", CATALOG_MATVIEW}, {"far", CATALOG_FOREIGN},
		    {"seq", CATALOG_SEQUENCE}};

	for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++)
		assert_int_equal(table(want[i].name)->kind, want[i].kind);
	assert_true(table("scratch")->unlogged);
	assert_false(table("clinics")->unlogged);
	assert_true(table("v_invoker")->security_invoker);
	assert_false(table("v_plain")->security_invoker);
}

static void
a_partition_knows_its_parent_and_so_does_a_child(void **state)
{
	const struct catalog_table *part = table("log_2024");
	const struct catalog_table *child;

	assert_true(part->is_partition);
	assert_string_equal(part->parent->name, "log");
	assert_null(part->parent->parent);
	child = table("child");
	assert_false(child->is_partition);
	assert_string_equal(child->parent->name, "clinics");
}

static void
an_estimate_is_that_of_the_last_analyze(void **state)
{
	assert_int_equal(table("clinics")->estimate, 500);
	assert_int_equal(table("visits")->estimate, -1);
}

static void
row_level_security_is_seen(void **state)
{
	assert_true(table("guarded")->rls);
	assert_true(table("guarded")->rls_forced);
	assert_false(table("guarded_in")->rls);
}

static void
a_relation_is_found_by_its_oid(void **state)
{
	const struct catalog_table *t = table("visits");
	struct catalog_snapshot *s = catalog_current(shared->catalog);

	assert_ptr_equal(catalog_table_by_oid(s, t->oid), t);
	assert_null(catalog_table_by_oid(s, 1));
}

static void
all_relations_are_listed_in_order_and_each_is_found(void **state)
{
	struct catalog_snapshot *s = known();
	const struct catalog_table *t;
	unsigned n = catalog_tables(s, &t);

	assert_true(n > 100);
	for (unsigned i = 0; i < n; i++)
		assert_ptr_equal(catalog_table(s, t[i].schema, t[i].name),
				 &t[i]);
	for (unsigned i = 1; i < n; i++)
		assert_true(strcmp(t[i - 1].schema, t[i].schema) <= 0);
}

static void
a_name_without_schema_follows_the_search_path(void **state)
{
	struct catalog_snapshot *s = known();
	const char *const *path;

	assert_int_equal(catalog_path(s, &path), 3);
	assert_string_equal(path[0], "pg_catalog");
	assert_string_equal(path[1], "app");
	assert_string_equal(path[2], "public");
	assert_string_equal(catalog_table(s, NULL, "clinics")->schema, "app");
	assert_string_equal(catalog_table(s, NULL, "only_public")->schema,
			    "public");
	assert_string_equal(catalog_table(s, NULL, "pg_class")->schema,
			    "pg_catalog");
	assert_string_equal(catalog_table(s, "other", "clinics")->schema,
			    "other");
	assert_null(catalog_table(s, "other", "visits"));
	assert_null(catalog_table(s, NULL, "CLINICS"));
	assert_null(catalog_table(s, "gone", "clinics"));
}

static void
a_schema_of_the_path_that_does_not_exist_is_left_out(void **state)
{
	struct rig *g = rig_open(server_url, "healthcare");
	const char *const *path;

	assert_int_equal(catalog_path(loaded(g), &path), 2);
	assert_string_equal(path[1], "public");
	rig_close(g);
}

/* ---- columns and keys --------------------------------------------------- */

static const struct catalog_column *
column(const char *name, const char *of)
{
	const struct catalog_table *t = table(of);
	const struct catalog_column *c = catalog_column(
		catalog_current(shared->catalog), t, name);

	if (c == NULL)
		fail_msg("no column %s.%s", of, name);
	return c;
}

static void
columns_have_number_type_and_null(void **state)
{
	const struct catalog_column *c = column("name", "clinics");

	assert_int_equal(c->attnum, 2);
	assert_int_equal(c->type, 25);
	assert_string_equal(c->type_name, "text");
	assert_true(c->not_null);
	assert_false(c->has_default);
	assert_false(column("code", "clinics")->not_null);
	assert_string_equal(column("a", "scratch")->type_name, "_int4");
	assert_int_equal(table("v_plain")->ncolumns, 2);
}

static void
defaults_generated_columns_and_identity_differ(void **state)
{
	assert_true(column("note", "clinics")->has_default);
	assert_false(column("note", "clinics")->generated);
	assert_true(column("twice", "visits")->generated);
	assert_int_equal(column("id", "visits")->identity, 'a');
	assert_int_equal(column("clinic", "visits")->identity, 0);
}

static void
a_dropped_column_leaves_a_hole(void **state)
{
	const struct catalog_table *t = table("clinics");

	assert_int_equal(t->ncolumns, 4);
	assert_null(catalog_column_by_num(t, 4));
	assert_string_equal(catalog_column_by_num(t, 5)->name, "note");
	assert_string_equal(catalog_column_by_num(t, 1)->name, "id");
	assert_null(catalog_column_by_num(t, 6));
	assert_null(catalog_column_by_num(t, 0));
	assert_null(catalog_column_by_num(t, -1));
	assert_null(
		catalog_column(catalog_current(shared->catalog), t, "gone"));
}

static void
a_primary_key_counts_its_key_columns_only(void **state)
{
	const struct catalog_key *k = catalog_primary_key(table("visits"));

	assert_string_equal(k->name, "visits_pkey");
	assert_int_equal(k->ncols, 1);
	assert_int_equal(k->cols[0], 1);
	assert_null(catalog_primary_key(table("pair")));
}

static const struct catalog_key *
key(const char *of, const char *name)
{
	const struct catalog_table *t = table(of);

	for (unsigned i = 0; i < t->nkeys; i++)
		if (strcmp(t->keys[i].name, name) == 0)
			return &t->keys[i];
	fail_msg("no key %s", name);
	return NULL;
}

static void
unique_keys_say_what_they_promise(void **state)
{
	const struct catalog_key *k = key("clinics", "clinics_code_name_key");

	assert_int_equal(table("clinics")->nkeys, 4);
	assert_true(table("clinics")->keys[0].primary);
	assert_int_equal(k->ncols, 2);
	assert_int_equal(k->cols[0], 3);
	assert_int_equal(k->cols[1], 2);
	assert_false(k->primary || k->deferrable || k->partial || k->invalid);
	assert_true(key("clinics", "clinics_note")->partial);
	assert_int_equal(key("clinics", "clinics_low")->cols[0], 0);
	assert_true(key("visits", "visits_clinic_key")->deferrable);
}

static void
foreign_keys_lead_to_their_table(void **state)
{
	const struct catalog_table *t = table("visits");
	const struct catalog_fkey *f = &t->fkeys[0];

	assert_int_equal(t->nfkeys, 1);
	assert_string_equal(f->name, "to_clinic");
	assert_string_equal(f->to->name, "clinics");
	assert_string_equal(f->to->schema, "app");
	assert_int_equal(f->on_delete, 'c');
	assert_int_equal(f->cols[0], 2);
	assert_int_equal(f->to_cols[0], 1);
	f = &table("pair")->fkeys[0];
	assert_int_equal(f->ncols, 2);
	assert_int_equal(f->cols[0], 2);
	assert_int_equal(f->cols[1], 1);
	assert_int_equal(f->to_cols[0], 2);
	assert_int_equal(f->to_cols[1], 1);
	assert_int_equal(f->on_delete, 'a');
}

static void
a_view_names_what_it_reads(void **state)
{
	const struct catalog_table *v = table("v_over");
	bool view = false, base = false;

	assert_int_equal(v->nuses, 2);
	for (unsigned i = 0; i < v->nuses; i++) {
		view = view || strcmp(v->uses[i]->name, "v_next") == 0;
		base = base || strcmp(v->uses[i]->name, "clinics") == 0;
	}
	assert_true(view && base);
	assert_int_equal(table("clinics")->nuses, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(relations_have_their_kinds),
		cmocka_unit_test(
			a_partition_knows_its_parent_and_so_does_a_child),
		cmocka_unit_test(an_estimate_is_that_of_the_last_analyze),
		cmocka_unit_test(row_level_security_is_seen),
		cmocka_unit_test(a_relation_is_found_by_its_oid),
		cmocka_unit_test(
			all_relations_are_listed_in_order_and_each_is_found),
		cmocka_unit_test(a_name_without_schema_follows_the_search_path),
		cmocka_unit_test(
			a_schema_of_the_path_that_does_not_exist_is_left_out),
		cmocka_unit_test(columns_have_number_type_and_null),
		cmocka_unit_test(
			defaults_generated_columns_and_identity_differ),
		cmocka_unit_test(a_dropped_column_leaves_a_hole),
		cmocka_unit_test(a_primary_key_counts_its_key_columns_only),
		cmocka_unit_test(unique_keys_say_what_they_promise),
		cmocka_unit_test(foreign_keys_lead_to_their_table),
		cmocka_unit_test(a_view_names_what_it_reads),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
