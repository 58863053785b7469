/* SPDX-License-Identifier: MIT
 *
 * A world made of a live catalog, from the contracts of atlas.h and world.h.
 */
#include "atlas.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "catalog_rig.h"

static const char atlas_sql[] =
	"SET search_path = app, public;"
	"CREATE TABLE boss (id int, k int, PRIMARY KEY (id, k))"
	" PARTITION BY LIST (k);"
	"CREATE TABLE boss_1 PARTITION OF boss FOR VALUES IN (1);"
	"CREATE TABLE part (boss int, k int, FOREIGN KEY (boss, k) REFERENCES"
	" boss ON DELETE SET NULL ON UPDATE CASCADE) PARTITION BY LIST (k);"
	"CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);"
	"CREATE TABLE odd (b int, k int, FOREIGN KEY (b, k) REFERENCES boss_1"
	" ON DELETE CASCADE);"
	"CREATE TABLE building (a int);"
	"CREATE UNIQUE INDEX building_a ON building (a);"
	"UPDATE pg_index SET indisvalid = false"
	" WHERE indexrelid = 'building_a'::regclass;"
	"CREATE TYPE mood AS ENUM ('a');"
	"CREATE TYPE pair_type AS (a int);"
	"CREATE TYPE span AS RANGE (subtype = int4);"
	"CREATE TYPE cast_mood AS ENUM ('a');"
	"CREATE FUNCTION mood_text(cast_mood) RETURNS int LANGUAGE sql AS"
	" 'SELECT 1';"
	"CREATE CAST (cast_mood AS int) WITH FUNCTION mood_text(cast_mood);"
	"CREATE DOMAIN email AS text CHECK (value <> '');"
	"CREATE DOMAIN deep_email AS email;"
	"CREATE DOMAIN ints AS int[];"
	"CREATE DOMAIN moods AS mood[];"
	"CREATE DOMAIN looks AS regclass;"
	"CREATE DOMAIN looks_all AS regclass[];"
	"CREATE DOMAIN pairs AS pair_type;"
	"CREATE DOMAIN rows_of AS clinics;"
	"CREATE TABLE typed (m mood, e email[], t public.clinics);"
	"CREATE FUNCTION upper(text) RETURNS text LANGUAGE sql SECURITY DEFINER"
	" AS 'SELECT $1';"
	"CREATE FUNCTION of_row(clinics) RETURNS int LANGUAGE sql STABLE AS"
	" 'SELECT 1';"
	"CREATE FUNCTION of_any(anyelement) RETURNS int LANGUAGE sql STABLE AS"
	" 'SELECT 1';"
	"CREATE FUNCTION other.far_off() RETURNS int LANGUAGE sql STABLE AS"
	" 'SELECT 1';"
	"CREATE FUNCTION below(int, int) RETURNS bool LANGUAGE sql STABLE"
	" SECURITY DEFINER AS 'SELECT true';"
	"CREATE OPERATOR <<| (LEFTARG = int, RIGHTARG = int, FUNCTION = below);"
	"CREATE OPERATOR other.## (LEFTARG = int, RIGHTARG = int,"
	" FUNCTION = below);";

static struct atlas *atlas;
static const struct world *world;

static int
make(void **state)
{
	struct err e;

	set_up(state);
	server_sql(atlas_sql);
	atlas = atlas_new(known(), &e);
	assert_non_null(atlas);
	world = atlas_world(atlas);
	return 0;
}

static int
unmake(void **state)
{
	if (atlas != NULL)
		atlas_free(&atlas);
	return tear_down(state);
}

static const struct world_table *
relation(const char *schema, const char *name)
{
	const struct world_table *t = world->table(world->arg, schema, name);

	if (t == NULL)
		fail_msg("no relation %s", name);
	return t;
}

/* ---- relations ---- */

static void
each_kind_of_relation_is_told_apart(void **state)
{
	assert_int_equal(relation("app", "visits")->kind, WORLD_TABLE);
	assert_int_equal(relation("app", "log")->kind, WORLD_PARTITIONED);
	assert_int_equal(relation("app", "log_2024")->kind, WORLD_TABLE);
	assert_true(relation("app", "log_2024")->is_partition);
	assert_false(relation("app", "log")->is_partition);
	assert_int_equal(relation("app", "v_plain")->kind, WORLD_VIEW);
	assert_false(relation("app", "v_plain")->security_invoker);
	assert_true(relation("app", "v_invoker")->security_invoker);
	assert_int_equal(relation("app", "m_next")->kind, WORLD_MATVIEW);
	assert_int_equal(relation("app", "far")->kind, WORLD_FOREIGN);
	assert_int_equal(relation("app", "seq")->kind, WORLD_SEQUENCE);
}

static void
a_name_without_schema_is_found_by_the_search_path(void **state)
{
	assert_string_equal(relation(NULL, "clinics")->schema, "app");
	assert_string_equal(relation("other", "clinics")->schema, "other");
	assert_string_equal(relation(NULL, "only_public")->schema, "public");
	assert_string_equal(relation(NULL, "pg_class")->schema, "pg_catalog");
	assert_null(world->table(world->arg, NULL, "tables"));
	assert_string_equal(relation("information_schema", "tables")->name,
			    "tables");
	assert_null(world->table(world->arg, "app", "only_public"));
	assert_null(world->table(world->arg, "nowhere", "clinics"));
	assert_ptr_equal(relation(NULL, "clinics"), relation("app", "clinics"));
}

static void
columns_stand_in_order_with_their_types(void **state)
{
	const struct world_table *t = relation("app", "clinics");

	assert_int_equal(t->ncolumns, 4);
	assert_string_equal(t->columns[0].name, "id");
	assert_string_equal(t->columns[0].type, "int4");
	assert_string_equal(t->columns[0].type_schema, "pg_catalog");
	assert_true(t->columns[0].not_null);
	assert_string_equal(t->columns[3].name, "note");
	assert_false(t->columns[3].not_null);
	t = relation("app", "visits");
	assert_true(t->columns[2].generated);
	assert_false(t->columns[1].generated);
	t = relation("app", "typed");
	assert_string_equal(t->columns[0].type, "mood");
	assert_string_equal(t->columns[0].type_schema, "app");
	assert_string_equal(t->columns[1].type, "_email");
	assert_string_equal(t->columns[2].type, "clinics");
	assert_string_equal(t->columns[2].type_schema, "public");
}

static const struct world_key *
key(const char *table_name, const char *name)
{
	const struct world_table *t = relation("app", table_name);

	for (unsigned i = 0; i < t->nkeys; i++)
		if (strcmp(t->keys[i].name, name) == 0)
			return &t->keys[i];
	return NULL;
}

static void
keys_name_their_columns(void **state)
{
	const struct world_key *k = key("clinics", "clinics_pkey");

	assert_true(k->primary);
	assert_int_equal(k->ncolumns, 1);
	assert_string_equal(k->columns[0], "id");
	k = key("clinics", "clinics_code_name_key");
	assert_int_equal(k->ncolumns, 2);
	assert_string_equal(k->columns[0], "code");
	assert_string_equal(k->columns[1], "name");
	assert_false(k->primary || k->partial);
	assert_true(key("clinics", "clinics_note")->partial);
	k = key("clinics", "clinics_low");
	assert_int_equal(k->ncolumns, 1);
	assert_null(k->columns[0]);
	assert_int_equal(key("visits", "visits_pkey")->ncolumns, 1);
}

static void
a_key_that_is_not_in_force_is_none(void **state)
{
	assert_int_equal(relation("app", "building")->nkeys, 0);
}

static const struct world_ref *
ref(const struct world_table *t, const char *name)
{
	const struct world_ref *found = NULL;

	for (unsigned i = 0; i < t->nrefs; i++)
		if (strcmp(t->refs[i].name, name) == 0) {
			assert_null(found);
			found = &t->refs[i];
		}
	return found;
}

static void
a_table_knows_who_refers_to_it(void **state)
{
	const struct world_ref *r = ref(relation("app", "clinics"), "visits");

	assert_non_null(r);
	assert_string_equal(r->schema, "app");
	assert_int_equal(r->ncolumns, 1);
	assert_string_equal(r->columns[0], "clinic");
	assert_string_equal(r->to_columns[0], "id");
	assert_int_equal(r->on_delete, 'c');
	assert_int_equal(r->on_update, 'a');
	assert_int_equal(relation("app", "visits")->nrefs, 0);
	r = ref(relation("app", "pair_to"), "pair");
	assert_string_equal(r->columns[0], "b");
	assert_string_equal(r->to_columns[0], "y");
	assert_string_equal(r->columns[1], "a");
	assert_string_equal(r->to_columns[1], "x");
}

static void
a_key_between_partitioned_tables_is_listed_once(void **state)
{
	const struct world_table *boss = relation("app", "boss");
	const struct world_ref *r = ref(boss, "part");

	assert_int_equal(r->on_delete, 'n');
	assert_int_equal(r->on_update, 'c');
	assert_null(ref(boss, "part_1"));
}

static void
a_key_that_leads_to_a_partition_is_its_parents_too(void **state)
{
	assert_int_equal(ref(relation("app", "boss_1"), "odd")->on_delete, 'c');
	assert_int_equal(ref(relation("app", "boss"), "odd")->on_delete, 'c');
	assert_int_equal(relation("app", "boss")->nrefs, 2);
}

/* ---- functions and operators ---- */

static struct world_function
called(const char *schema, const char *name, unsigned nargs)
{
	struct world_call call = {schema, name, nargs};
	struct world_function f;

	if (!world->function(world->arg, &call, &f))
		fail_msg("no function %s/%u", name, nargs);
	return f;
}

static bool
is_called(const char *schema, const char *name, unsigned nargs)
{
	struct world_call call = {schema, name, nargs};
	struct world_function f;

	return world->function(world->arg, &call, &f);
}

static void
functions_are_found_by_name_and_number_of_arguments(void **state)
{
	assert_true(called(NULL, "lower", 1).builtin);
	assert_int_equal(called(NULL, "lower", 1).volatile_, 'i');
	assert_int_equal(called(NULL, "now", 0).volatile_, 's');
	assert_false(is_called(NULL, "lower", 0));
	assert_false(is_called(NULL, "nobody_knows", 0));
	assert_int_equal(called(NULL, "mixed", 1).volatile_, 's');
	assert_int_equal(called(NULL, "mixed", 2).volatile_, 'v');
	assert_true(is_called(NULL, "deft", 1) && is_called(NULL, "deft", 2));
	assert_false(is_called(NULL, "deft", 0) || is_called(NULL, "deft", 3));
	assert_true(is_called(NULL, "vary", 0) && is_called(NULL, "vary", 9));
	assert_true(is_called(NULL, "wild", 1));
}

static void
overloads_of_all_schemas_reached_are_judged_together(void **state)
{
	struct world_function f = called(NULL, "upper", 1);

	assert_false(f.builtin || f.one_schema);
	assert_true(f.definer);
	f = called("pg_catalog", "upper", 1);
	assert_true(f.builtin && f.one_schema);
	assert_false(f.definer);
	f = called("app", "upper", 1);
	assert_true(f.one_schema && f.definer);
	assert_string_equal(f.schema, "app");
	assert_false(is_called(NULL, "far_off", 0));
	assert_true(is_called("other", "far_off", 0));
	assert_false(is_called("public", "lower", 1));
}

static void
what_only_varies_in_its_answer_does_not_write(void **state)
{
	assert_int_equal(called("pg_catalog", "random", 0).volatile_, 'v');
	assert_false(called("pg_catalog", "random", 0).writes);
	assert_true(called("app", "random", 0).writes);
	assert_true(called(NULL, "random", 0).writes);
	assert_true(called(NULL, "nextval", 1).writes);
	assert_true(called(NULL, "txid_current", 0).writes);
	assert_true(called(NULL, "wild", 1).writes);
}

static void
what_may_be_called_with_a_row_says_so(void **state)
{
	assert_true(called(NULL, "of_row", 1).takes_row);
	assert_true(called(NULL, "of_any", 1).takes_row);
	assert_true(called(NULL, "to_json", 1).takes_row);
	assert_true(called(NULL, "row_to_json", 1).takes_row);
	assert_false(called("pg_catalog", "lower", 1).takes_row);
	assert_false(called(NULL, "calm", 0).takes_row);
}

static bool
operates(const char *schema, const char *name, unsigned nargs,
	 struct world_function *f)
{
	struct world_call call = {schema, name, nargs};

	return world->operator_(world->arg, &call, f);
}

static void
operators_are_found_by_name_and_number_of_operands(void **state)
{
	struct world_function f;

	assert_true(operates(NULL, "=", 2, &f) && f.builtin);
	assert_true(operates("pg_catalog", "=", 2, &f) && f.builtin);
	assert_true(operates(NULL, "-", 1, &f) && f.builtin);
	assert_false(operates(NULL, "=", 1, &f));
	assert_false(operates("app", "=", 2, &f));
	assert_true(operates(NULL, "===", 2, &f));
	assert_true(!f.builtin && f.writes && f.one_schema);
	assert_string_equal(f.schema, "app");
	assert_true(operates(NULL, "<<|", 2, &f));
	assert_true(!f.builtin && f.definer && !f.one_schema);
	assert_int_equal(f.volatile_, 's');
	assert_true(operates("pg_catalog", "<<|", 2, &f) && f.builtin);
	assert_true(operates(NULL, "##", 2, &f) && f.builtin);
	assert_true(operates("other", "##", 2, &f) && !f.builtin);
}

/* ---- types ---- */

static char
type(const char *schema, const char *name)
{
	return world->type(world->arg, schema, name);
}

static void
types_are_judged_by_what_lies_below_them(void **state)
{
	static const struct {
		const char *name;
		char kind;
	} types[] = {
		{"int4", 'b'},	    {"_int4", 'b'},	 {"regclass", 'b'},
		{"jsonpath", 'b'},  {"mood", 'e'},	 {"_mood", 'e'},
		{"email", 'd'},	    {"_email", 'd'},	 {"deep_email", 'd'},
		{"looks", 'o'},	    {"_looks", 'o'},	 {"pairs", 'c'},
		{"rows_of", 'c'},   {"pair_type", 'c'},	 {"_pair_type", 'c'},
		{"clinics", 'c'},   {"_clinics", 'c'},	 {"span", 'o'},
		{"cast_mood", 'o'}, {"_cast_mood", 'o'}, {"nothing", 0},
		{"pg_class", 'c'},  {"record", 0},	 {"cstring", 0}};

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (type(NULL, types[i].name) != types[i].kind)
			fail_msg("%s is '%c'", types[i].name,
				 type(NULL, types[i].name));
}

static void
types_are_found_by_schema(void **state)
{
	assert_int_equal(type("pg_catalog", "int4"), 'b');
	assert_int_equal(type("app", "int4"), 0);
	assert_int_equal(type("app", "mood"), 'e');
	assert_int_equal(type("public", "mood"), 0);
	assert_int_equal(type("public", "clinics"), 'c');
	assert_int_equal(type("information_schema", "sql_identifier"), 0);
}

/* ---- life ---- */

static void
an_atlas_outlives_the_catalogs_own_pin(void **state)
{
	struct rig *g = rig_open(server_url, "app");
	struct atlas *a;
	struct err e;

	a = atlas_new(loaded(g), &e);
	assert_ptr_equal(atlas_snapshot(a), catalog_current(g->catalog));
	rig_close(g);
	world = atlas_world(a);
	assert_int_equal(relation("app", "clinics")->ncolumns, 4);
	world = atlas_world(atlas);
	atlas_free(&a);
	assert_null(a);
}

static void
no_memory_gives_no_atlas(void **state)
{
	struct atlas *a;
	struct err e = {0};
	unsigned n = 0;

	do {
		mem_fail_after(++n);
		a = atlas_new(known(), &e);
		mem_fail_after(0);
		if (a == NULL)
			assert_int_equal(e.code, LUNATE_ENOMEM);
	} while (a == NULL);
	assert_true(n > 3);
	atlas_free(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_of_relation_is_told_apart),
		cmocka_unit_test(
			a_name_without_schema_is_found_by_the_search_path),
		cmocka_unit_test(columns_stand_in_order_with_their_types),
		cmocka_unit_test(keys_name_their_columns),
		cmocka_unit_test(a_key_that_is_not_in_force_is_none),
		cmocka_unit_test(a_table_knows_who_refers_to_it),
		cmocka_unit_test(
			a_key_between_partitioned_tables_is_listed_once),
		cmocka_unit_test(
			a_key_that_leads_to_a_partition_is_its_parents_too),
		cmocka_unit_test(
			functions_are_found_by_name_and_number_of_arguments),
		cmocka_unit_test(
			overloads_of_all_schemas_reached_are_judged_together),
		cmocka_unit_test(what_only_varies_in_its_answer_does_not_write),
		cmocka_unit_test(what_may_be_called_with_a_row_says_so),
		cmocka_unit_test(
			operators_are_found_by_name_and_number_of_operands),
		cmocka_unit_test(types_are_judged_by_what_lies_below_them),
		cmocka_unit_test(types_are_found_by_schema),
		cmocka_unit_test(an_atlas_outlives_the_catalogs_own_pin),
		cmocka_unit_test(no_memory_gives_no_atlas),
	};

	return cmocka_run_group_tests(tests, make, unmake);
}
