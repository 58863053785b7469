/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "catalog_int.h"
#include "loop.h"
#include "mem.h"
#include "pgserver.h"
#include "pool.h"

/* What a worker has, without the worker. */
struct rig {
	struct loop *loop;
	struct crew *crew;
	struct pgurl *url;
	struct pool_budget budget;
	struct pool_target target;
	struct pool *pool;
	struct catalog *catalog;
};

static struct catalog_epoch epoch;

static const char schema_sql[] =
	"CREATE SCHEMA app;"
	"CREATE SCHEMA other;"
	"SET search_path = app, public;"
	"CREATE SEQUENCE seq;"
	"CREATE TABLE clinics (id int PRIMARY KEY, name text NOT NULL,"
	" code text, gone int, note text DEFAULT 'x', UNIQUE (code, name));"
	"ALTER TABLE clinics DROP COLUMN gone;"
	"CREATE UNIQUE INDEX clinics_note ON clinics (note) WHERE id > 3;"
	"CREATE UNIQUE INDEX clinics_low ON clinics (lower(name));"
	"CREATE TABLE visits (id bigint GENERATED ALWAYS AS IDENTITY,"
	" clinic int, twice int GENERATED ALWAYS AS (clinic * 2) STORED,"
	" PRIMARY KEY (id) INCLUDE (clinic),"
	" UNIQUE (clinic) DEFERRABLE,"
	" CONSTRAINT to_clinic FOREIGN KEY (clinic) REFERENCES clinics (id)"
	" ON DELETE CASCADE);"
	"CREATE TABLE pair_to (x int, y text, UNIQUE (y, x));"
	"CREATE TABLE pair (a int, b text, FOREIGN KEY (b, a) REFERENCES"
	" pair_to (y, x));";

static const char more_sql[] =
	"SET search_path = app, public;"
	"CREATE UNLOGGED TABLE scratch (a int[]);"
	"CREATE TABLE other.clinics (id text);"
	"CREATE TABLE public.clinics (id uuid);"
	"CREATE TABLE public.only_public (id uuid);"
	"CREATE TABLE log (at date, x int) PARTITION BY RANGE (at);"
	"CREATE TABLE log_2024 PARTITION OF log"
	" FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');"
	"CREATE TABLE child () INHERITS (clinics);"
	"CREATE FUNCTION touch() RETURNS int LANGUAGE sql AS"
	" 'SELECT nextval(''app.seq'')::int';"
	"CREATE FUNCTION calm() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';"
	"CREATE FUNCTION random() RETURNS int LANGUAGE sql AS"
	" 'SELECT nextval(''app.seq'')::int';"
	"CREATE FUNCTION mixed(int) RETURNS int LANGUAGE sql STABLE AS"
	" 'SELECT 1';"
	"CREATE FUNCTION mixed(int, int) RETURNS int LANGUAGE sql AS"
	" 'SELECT 1';"
	"CREATE FUNCTION deft(int, int DEFAULT 1) RETURNS int LANGUAGE sql"
	" STABLE AS 'SELECT 1';"
	"CREATE FUNCTION vary(VARIADIC int[]) RETURNS int LANGUAGE sql STABLE"
	" AS 'SELECT 1';"
	"CREATE FUNCTION step(int, int) RETURNS int LANGUAGE sql AS"
	" 'SELECT nextval(''app.seq'')::int';"
	"CREATE AGGREGATE wild(int) (SFUNC = step, STYPE = int);"
	"CREATE FUNCTION same(int, int) RETURNS bool LANGUAGE sql AS"
	" 'SELECT nextval(''app.seq'') > 0';"
	"CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int,"
	" FUNCTION = same);";

static const char views_sql[] =
	"SET search_path = app, public;"
	"CREATE VIEW v_plain AS SELECT id, name FROM clinics;"
	"CREATE VIEW v_next AS SELECT pg_catalog.nextval('seq') AS n;"
	"CREATE VIEW v_over AS SELECT n FROM v_next, clinics;"
	"CREATE VIEW v_deep AS SELECT 1 WHERE EXISTS (SELECT FROM v_over);"
	"CREATE VIEW v_random AS SELECT pg_catalog.random() AS r;"
	"CREATE VIEW v_user AS SELECT touch() AS r;"
	"CREATE VIEW v_op AS SELECT id === 1 AS r FROM clinics;"
	"CREATE VIEW v_agg AS SELECT wild(id) FROM clinics;"
	"CREATE VIEW v_notify AS SELECT pg_catalog.pg_notify('a', 'b')::text;"
	"CREATE VIEW v_from AS SELECT * FROM touch() AS t;"
	"CREATE VIEW v_cte AS WITH x AS (SELECT touch()) SELECT * FROM x;"
	"CREATE VIEW v_invoker WITH (security_invoker = true) AS"
	" SELECT 1 AS one;"
	"CREATE VIEW v_name AS SELECT 1 AS \":funcid 1574\";"
	"CREATE VIEW v_system AS SELECT * FROM pg_settings;"
	"CREATE MATERIALIZED VIEW m_next AS SELECT nextval('seq') AS n;"
	"CREATE TABLE guarded (id int);"
	"ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;"
	"ALTER TABLE guarded FORCE ROW LEVEL SECURITY;"
	"CREATE POLICY p ON guarded USING (touch() > 0);"
	"CREATE VIEW v_guarded AS SELECT * FROM guarded;"
	"CREATE TABLE guarded_in (id int);"
	"CREATE POLICY p ON guarded_in FOR INSERT WITH CHECK (touch() > 0);"
	"CREATE FOREIGN DATA WRAPPER nothing;"
	"CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;"
	"CREATE FOREIGN TABLE far (id int) SERVER nowhere;"
	"CREATE TABLE spread (id int) PARTITION BY LIST (id);"
	"CREATE FOREIGN TABLE spread_1 PARTITION OF spread FOR VALUES IN (1)"
	" SERVER nowhere;"
	"INSERT INTO clinics SELECT g, 'c' || g, g, 'n' || g"
	" FROM generate_series(1, 500) g; ANALYZE clinics;";

/* ---- rig ---------------------------------------------------------------- */

static struct rig *
rig_open(const char *url, const char *schema)
{
	struct pool_rules rules = {.max = 2,
				   .max_logins = 2,
				   .group_size = 8,
				   .prepared_max = 8,
				   .connect_us = 20000000,
				   .acquire_us = 20000000,
				   .idle_us = INT64_MAX,
				   .validate_us = INT64_MAX,
				   .leak_us = INT64_MAX / 4,
				   .queue_max = 100,
				   .age_ms = 1000,
				   .timeout_ms = {30000, 30000, 30000}};
	struct rig *g = mem_new(sizeof(*g));
	struct err e;

	g->loop = loop_new();
	g->crew = crew_new(1);
	assert_int_equal(pgurl_new(&g->url, "url", url, &e), 0);
	g->budget.max = 2;
	g->target = (struct pool_target){
		.url = g->url, .name = "test", .schema = schema};
	g->pool = pool_new(g->loop, g->crew, &rules, &g->target, &g->budget);
	g->catalog = catalog_new(g->loop, g->pool, &epoch);
	return g;
}

static void
rig_close(struct rig *g)
{
	struct err why;

	err_set(&why, LUNATE_ECLOSED, "the test is over");
	pool_close(g->pool, &why);
	pool_free(&g->pool);
	catalog_free(&g->catalog);
	pgurl_free(&g->url);
	crew_free(&g->crew, 2000);
	loop_free(&g->loop);
	mem_free(g);
}

static void
arrived(void *arg)
{
	*(bool *)arg = true;
}

static void
load(struct rig *g)
{
	struct catalog_wait w;
	bool done = false;

	catalog_wait_init(&w);
	catalog_wait(g->catalog, &w, arrived, &done);
	assert_false(done);
	while (!done)
		loop_turn(g->loop, 1.0);
}

static struct catalog_snapshot *
loaded(struct rig *g)
{
	load(g);
	assert_int_equal(catalog_err(g->catalog)->code, 0);
	assert_true(catalog_loaded(g->catalog));
	return catalog_current(g->catalog);
}

static bool
pure(struct rig *g, const char *sql)
{
	struct stmt *s;
	struct err e;
	bool yes;

	if (stmt_get(sql, strlen(sql), &s, &e) < 0)
		fail_msg("%s: %s", sql, e.text);
	assert_true(s->flags & STMT_READS_ONLY);
	yes = catalog_pure(g->catalog, s);
	stmt_unpin(&s);
	return yes;
}

/* One rig for all that only looks. */
static struct rig *shared;

static struct catalog_snapshot *
known(void)
{
	return catalog_loaded(shared->catalog)
		       ? catalog_current(shared->catalog)
		       : loaded(shared);
}

static const struct catalog_table *
table(const char *name)
{
	const struct catalog_table *t = catalog_table(known(), "app", name);

	if (t == NULL)
		fail_msg("no relation app.%s", name);
	return t;
}

static int
set_up(void **state)
{
	(void)state;
	if (pgserver_start() < 0)
		return -1;
	pgserver_sql(pgserver_url, schema_sql);
	pgserver_sql(pgserver_url, more_sql);
	pgserver_sql(pgserver_url, views_sql);
	shared = rig_open(pgserver_url, "app");
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	if (shared != NULL)
		rig_close(shared);
	pgserver_stop();
	stmt_forget();
	return 0;
}

/* ---- relations ------------------------------------------------------------ */

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
	struct rig *g = rig_open(pgserver_url, "healthcare");
	const char *const *path;

	assert_int_equal(catalog_path(loaded(g), &path), 2);
	assert_string_equal(path[1], "public");
	rig_close(g);
}

/* ---- columns and keys ------------------------------------------------------ */

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

/* ---- purity ----------------------------------------------------------------- */

static void
before_it_is_loaded_only_statements_without_functions_are_reads(void **state)
{
	struct rig *g = rig_open(pgserver_url, "app");

	assert_false(catalog_loaded(g->catalog));
	assert_null(catalog_current(g->catalog));
	assert_true(pure(g, "SELECT * FROM app.clinics"));
	assert_true(pure(g, "SELECT * FROM app.v_next"));
	assert_false(pure(g, "SELECT lower('A')"));
	assert_false(catalog_loaded(g->catalog));
	rig_close(g);
}

static void
a_view_that_calls_what_writes_is_no_read(void **state)
{
	static const char *const impure[] = {
		"v_next", "v_over",   "v_deep",	   "v_user", "v_op",
		"v_agg",  "v_notify", "v_from",	   "v_cte",  "guarded",
		"far",	  "spread_1", "v_guarded", "spread"};
	static const char *const fine[] = {"v_plain", "v_random", "v_invoker",
					   "m_next",  "seq",	  "log",
					   "v_name",  "v_system", "guarded_in"};
	char sql[100];

	known();
	for (size_t i = 0; i < sizeof(impure) / sizeof(*impure); i++) {
		snprintf(sql, sizeof(sql), "SELECT * FROM %s", impure[i]);
		if (!table(impure[i])->impure || pure(shared, sql))
			fail_msg("%s is taken for a read", impure[i]);
	}
	for (size_t i = 0; i < sizeof(fine) / sizeof(*fine); i++) {
		snprintf(sql, sizeof(sql), "SELECT * FROM %s", fine[i]);
		if (table(fine[i])->impure || !pure(shared, sql))
			fail_msg("%s is no read", fine[i]);
	}
}

static void
a_bare_name_is_a_read_only_if_every_relation_of_it_is(void **state)
{
	struct rig *g = rig_open(pgserver_url, "app");

	pgserver_sql(pgserver_url, "CREATE VIEW other.visits AS SELECT "
				   "nextval('app.seq')");
	loaded(g);
	assert_false(pure(g, "SELECT * FROM visits"));
	assert_true(pure(g, "SELECT * FROM app.visits"));
	assert_false(pure(g, "SELECT * FROM other.visits"));
	rig_close(g);
	pgserver_sql(pgserver_url, "DROP VIEW other.visits");
}

static void
functions_are_judged_by_their_volatility(void **state)
{
	static const char *const reads[] = {
		"SELECT calm()",
		"SELECT mixed(1)",
		"SELECT deft(1), deft(1, 2)",
		"SELECT vary(1, 2, 3), vary(VARIADIC '{1}')",
		"SELECT lower(name), count(*) FROM clinics GROUP BY 1",
		"SELECT pg_catalog.random()",
		"SELECT clock_timestamp(), gen_random_uuid()",
		"SELECT * FROM clinics TABLESAMPLE bernoulli (10)",
		"SELECT pg_table_size('app.clinics')",
	};
	static const char *const writes[] = {
		"SELECT touch()",
		"SELECT mixed(1, 2)",
		"SELECT nextval('app.seq')",
		"SELECT random()", /* might be app.random() */
		"SELECT app.random()",
		"SELECT wild(id) FROM clinics",
		"SELECT no_such_function(1)",
		"SELECT calm(1)",
		"SELECT deft()",
		"SELECT other.calm()",
		"SELECT pg_notify('a', 'b')",
		"SELECT pg_advisory_xact_lock(1)",
		"SELECT txid_current()",
		"SELECT pg_catalog.pg_current_xact_id()",
		"SELECT calm(), touch()",
	};

	known();
	for (size_t i = 0; i < sizeof(reads) / sizeof(*reads); i++)
		if (!pure(shared, reads[i]))
			fail_msg("no read: %s", reads[i]);
	for (size_t i = 0; i < sizeof(writes) / sizeof(*writes); i++)
		if (pure(shared, writes[i]))
			fail_msg("a read: %s", writes[i]);
}

static void
an_operator_with_a_volatile_function_is_no_read(void **state)
{
	known();
	assert_false(pure(shared, "SELECT 1 === 2"));
	assert_false(pure(shared, "SELECT 1 OPERATOR(app.===) 2"));
	assert_true(pure(shared, "SELECT 1 = 2, 1 BETWEEN 0 AND 2, 1 IN (2)"));
}

static void
a_relation_that_is_not_known_is_no_read(void **state)
{
	known();
	assert_false(pure(shared, "SELECT * FROM no_such_table"));
	assert_false(pure(shared, "SELECT * FROM app.no_such_table"));
	assert_true(pure(shared, "WITH no_such_table AS (SELECT 1) "
				 "SELECT * FROM no_such_table"));
}

/* ---- changes ----------------------------------------------------------------- */

static void
a_change_is_loaded_at_the_next_question_and_a_pin_outlives_it(void **state)
{
	struct rig *g = rig_open(pgserver_url, "app");
	struct catalog_snapshot *old = catalog_snapshot_pin(loaded(g));
	uint64_t before = catalog_epoch(g->catalog);

	pgserver_sql(pgserver_url, "CREATE TABLE app.fresh (id int)");
	assert_null(catalog_table(catalog_current(g->catalog), "app", "fresh"));
	catalog_changed(g->catalog);
	assert_true(catalog_epoch(g->catalog) > before);
	assert_false(catalog_loaded(g->catalog));
	assert_non_null(catalog_table(loaded(g), "app", "fresh"));
	assert_int_equal(catalog_snapshot_epoch(catalog_current(g->catalog)),
			 catalog_epoch(g->catalog));
	assert_null(catalog_table(old, "app", "fresh"));
	assert_string_equal(catalog_table(old, "app", "clinics")->name,
			    "clinics");
	catalog_snapshot_unpin(&old);
	rig_close(g);
	pgserver_sql(pgserver_url, "DROP TABLE app.fresh");
}

static void
a_change_seen_by_one_worker_reaches_the_others(void **state)
{
	struct rig *a = rig_open(pgserver_url, "app");
	struct rig *b = rig_open(pgserver_url, "app");

	loaded(a);
	loaded(b);
	catalog_changed(a->catalog);
	assert_false(catalog_loaded(b->catalog));
	assert_int_equal(catalog_epoch(a->catalog), catalog_epoch(b->catalog));
	loaded(b);
	assert_false(catalog_loaded(a->catalog));
	loaded(a);
	assert_true(catalog_loaded(b->catalog));
	rig_close(a);
	rig_close(b);
}

static void
a_change_while_loading_is_not_missed(void **state)
{
	struct rig *g = rig_open(pgserver_url, "app");
	struct catalog_wait w;
	bool done = false;

	catalog_wait_init(&w);
	catalog_wait(g->catalog, &w, arrived, &done);
	catalog_changed(g->catalog);
	while (!done)
		loop_turn(g->loop, 1.0);
	assert_true(catalog_loaded(g->catalog));
	assert_int_equal(catalog_snapshot_epoch(catalog_current(g->catalog)),
			 catalog_epoch(g->catalog));
	rig_close(g);
}

/* Until the epoch grows, or `seconds` have passed. */
static bool
epoch_grows(struct rig *g, uint64_t from, double seconds)
{
	int64_t end = loop_now_us(g->loop) + (int64_t)(seconds * 1e6);

	while (catalog_epoch(g->catalog) == from) {
		if (loop_now_us(g->loop) > end)
			return false;
		(void)catalog_loaded(g->catalog);
		loop_turn(g->loop, 0.05);
	}
	return true;
}

static void
ddl_made_elsewhere_is_found_by_a_name_that_is_not_known(void **state)
{
	struct rig *g = rig_open(pgserver_url, "app");
	uint64_t before;

	loaded(g);
	before = catalog_epoch(g->catalog);
	pgserver_sql(pgserver_url, "CREATE TABLE app.news (id int)");
	assert_false(pure(g, "SELECT * FROM news"));
	assert_true(catalog_loaded(g->catalog)); /* the old one serves on */
	assert_true(epoch_grows(g, before, 20));
	assert_true(pure(g, "SELECT * FROM news"));
	rig_close(g);
	pgserver_sql(pgserver_url, "DROP TABLE app.news");
}

static void
ddl_made_elsewhere_is_found_by_an_error_of_the_server(void **state)
{
	struct rig *g = rig_open(pgserver_url, "app");
	struct err e;
	uint64_t before;

	loaded(g);
	before = catalog_epoch(g->catalog);
	pgserver_sql(pgserver_url, "CREATE TABLE app.news (id int)");
	err_set(&e, LUNATE_EVALUE, "no number");
	strcpy(e.sqlstate, "22P02");
	catalog_saw(g->catalog, &e);
	assert_false(epoch_grows(g, before, 1.5));
	strcpy(e.sqlstate, "0A000");
	strcpy(e.routine, "RevalidateCachedQuery");
	catalog_saw(g->catalog, &e);
	assert_true(epoch_grows(g, before, 20));
	rig_close(g);
	pgserver_sql(pgserver_url, "DROP TABLE app.news");
}

static void
a_doubt_that_was_wrong_changes_no_epoch(void **state)
{
	struct rig *g = rig_open(pgserver_url, "app");
	struct catalog_snapshot *old;
	uint64_t before;
	PGconn *other;

	old = catalog_snapshot_pin(loaded(g));
	before = catalog_epoch(g->catalog);
	other = PQconnectdb(pgserver_url);
	PQclear(PQexec(other, "ANALYZE app.visits"));
	PQclear(PQexec(other, "CREATE TEMP TABLE x (id int PRIMARY KEY)"));
	PQclear(PQexec(other, "CREATE TEMP VIEW y AS SELECT * FROM x"));
	catalog_doubt(g->catalog);
	while (catalog_current(g->catalog) == old)
		loop_turn(g->loop, 0.05);
	assert_null(catalog_table(catalog_current(g->catalog), NULL, "x"));
	assert_int_equal(catalog_epoch(g->catalog), before);
	PQfinish(other);
	catalog_snapshot_unpin(&old);
	rig_close(g);
}

/* ---- failures ------------------------------------------------------------------ */

static void
a_failed_load_leaves_nothing_known_and_says_why(void **state)
{
	struct rig *g = rig_open(pgserver_url, "app");
	struct err why;

	err_set(&why, LUNATE_ECLOSED, "no more");
	pool_close(g->pool, &why);
	load(g);
	assert_false(catalog_loaded(g->catalog));
	assert_int_equal(catalog_err(g->catalog)->code, LUNATE_ECLOSED);
	assert_string_equal(catalog_err(g->catalog)->text,
			    "load the catalog: no more");
	assert_false(pure(g, "SELECT lower('A')"));
	rig_close(g);
}

static void
the_end_of_the_catalog_tells_those_who_wait(void **state)
{
	struct rig *g = rig_open(pgserver_url, "app");
	struct catalog_wait a, b;
	bool done_a = false, done_b = false;

	catalog_wait_init(&a);
	catalog_wait_init(&b);
	catalog_wait(g->catalog, &a, arrived, &done_a);
	catalog_wait(g->catalog, &b, arrived, &done_b);
	catalog_unwait(&b);
	rig_close(g);
	assert_true(done_a);
	assert_false(done_b);
}

/* A path that puts traps before pg_catalog. */
static void
the_search_path_of_the_session_does_not_matter(void **state)
{
	static const char trap[] =
		"CREATE SCHEMA evil;"
		"CREATE TABLE evil.pg_class (oid oid);"
		"CREATE TABLE evil.pg_proc (oid oid);"
		"CREATE FUNCTION evil.no(oid, oid) RETURNS bool LANGUAGE sql"
		" AS 'SELECT false';"
		"CREATE OPERATOR evil.= (LEFTARG = oid, RIGHTARG = oid,"
		" FUNCTION = evil.no);"
		"CREATE FUNCTION evil.regexp_matches(text, text, text) RETURNS"
		" SETOF text[] LANGUAGE sql AS 'SELECT NULL::text[]';"
		"CREATE DOMAIN evil.text AS int;"
		"CREATE DOMAIN evil.oid AS int;"
		"CREATE SCHEMA app; CREATE SEQUENCE app.seq;"
		"CREATE VIEW app.v AS SELECT nextval('app.seq') AS n;"
		"CREATE TABLE app.t (id int PRIMARY KEY);"
		"ALTER DATABASE trap SET search_path = evil, pg_catalog;";
	char url[sizeof(pgserver_url) + 16], *at;
	const struct catalog_snapshot *s;
	const char *const *path;
	struct rig *g;

	strcpy(url, pgserver_url);
	at = strstr(url, "lunate_test");
	memmove(at + 4, at + 11, strlen(at + 11) + 1);
	memcpy(at, "trap", 4);
	pgserver_sql(pgserver_url, "CREATE DATABASE trap");
	pgserver_sql(url, trap);
	g = rig_open(url, NULL);
	s = loaded(g);
	assert_true(catalog_table(s, "app", "v")->impure);
	assert_string_equal(
		catalog_column_by_num(catalog_table(s, "app", "t"), 1)
			->type_name,
		"int4");
	assert_non_null(catalog_primary_key(catalog_table(s, "app", "t")));
	assert_int_equal(catalog_path(s, &path), 2);
	assert_string_equal(path[0], "evil");
	assert_string_equal(catalog_table(s, NULL, "pg_class")->schema, "evil");
	assert_true(pure(g, "SELECT lower('A')"));
	rig_close(g);
}

/* ---- building ------------------------------------------------------------------- */

/* The answer of the server; with `noise`, cells that no server sends. */
static struct rows *
answer(unsigned noise)
{
	static const char *const odd[] = {"",	   "-1",    "99999999999", "{",
					  "{1,x}", "1 2 3", "\xff"};
	PGresult *res = pgserver_ask(pgserver_url, catalog_load_sql);
	struct shape_col cols[8];
	struct shape *shape;
	struct rows *r;
	int n = PQntuples(res);

	for (int j = 0; j < 8; j++)
		cols[j] = (struct shape_col){.name = "x", .type = 25};
	shape = shape_new(cols, 8);
	r = rows_try_new(shape, (size_t)n, 4u << 20);
	assert_non_null(r);
	for (int i = 0; i < n; i++)
		for (int j = 0; j < 8; j++) {
			const char *cell = PQgetisnull(res, i, j)
						   ? NULL
						   : PQgetvalue(res, i, j);

			if (noise != 0 && rand_r(&noise) % 20 == 0 && j > 0)
				cell = odd[rand_r(&noise) % 7];
			rows_put(r, cell, cell != NULL ? strlen(cell) : 0);
		}
	rows_seal(r);
	shape_unpin(&shape);
	PQclear(res);
	return r;
}

static void
without_memory_there_is_an_error_and_no_snapshot(void **state)
{
	struct catalog_snapshot *s = NULL;
	struct rows *r = answer(0);
	unsigned failures = 0;
	struct err e;

	for (unsigned nth = 1; s == NULL; nth++) {
		mem_fail_after(nth);
		s = catalog_build(r, 0, &e);
		mem_fail_after(0);
		if (s == NULL) {
			assert_int_equal(e.code, LUNATE_ENOMEM);
			failures++;
		}
	}
	assert_true(failures > 10);
	assert_non_null(catalog_table(s, "app", "clinics"));
	catalog_snapshot_unpin(&s);
	rows_unpin(&r);
}

static void
an_answer_that_makes_no_sense_breaks_nothing(void **state)
{
	struct catalog_snapshot *s;
	struct rows *r;
	struct err e;

	for (unsigned seed = 1; seed <= 5; seed++) {
		r = answer(seed);
		s = catalog_build(r, 0, &e);
		if (s != NULL)
			catalog_snapshot_unpin(&s);
		rows_unpin(&r);
	}
}

static void
the_digest_does_not_depend_on_the_order_of_the_rows(void **state)
{
	struct rows *r = answer(0), *turned;
	struct shape *shape = shape_pin((struct shape *)rows_shape(r));
	struct catalog_snapshot *a, *b;
	size_t n = rows_count(r), len;
	struct err e;

	turned = rows_try_new(shape, n, rows_bytes(r));
	for (size_t i = 0; i < n; i++)
		for (int j = 0; j < 8; j++) {
			const char *cell = rows_cell(r, n - 1 - i, j, &len);

			rows_put(turned, cell, len);
		}
	rows_seal(turned);
	a = catalog_build(r, 0, &e);
	b = catalog_build(turned, 0, &e);
	assert_true(a->digest == b->digest);
	assert_string_equal(a->path[1], b->path[1]);
	assert_string_equal(
		catalog_column_by_num(catalog_table(b, "app", "clinics"), 2)
			->name,
		"name");
	catalog_snapshot_unpin(&a);
	catalog_snapshot_unpin(&b);
	rows_unpin(&r);
	rows_unpin(&turned);
	shape_unpin(&shape);
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
		cmocka_unit_test(
			before_it_is_loaded_only_statements_without_functions_are_reads),
		cmocka_unit_test(a_view_that_calls_what_writes_is_no_read),
		cmocka_unit_test(
			a_bare_name_is_a_read_only_if_every_relation_of_it_is),
		cmocka_unit_test(functions_are_judged_by_their_volatility),
		cmocka_unit_test(
			an_operator_with_a_volatile_function_is_no_read),
		cmocka_unit_test(a_relation_that_is_not_known_is_no_read),
		cmocka_unit_test(
			a_change_is_loaded_at_the_next_question_and_a_pin_outlives_it),
		cmocka_unit_test(
			a_change_seen_by_one_worker_reaches_the_others),
		cmocka_unit_test(a_change_while_loading_is_not_missed),
		cmocka_unit_test(
			ddl_made_elsewhere_is_found_by_a_name_that_is_not_known),
		cmocka_unit_test(
			ddl_made_elsewhere_is_found_by_an_error_of_the_server),
		cmocka_unit_test(a_doubt_that_was_wrong_changes_no_epoch),
		cmocka_unit_test(
			a_failed_load_leaves_nothing_known_and_says_why),
		cmocka_unit_test(the_end_of_the_catalog_tells_those_who_wait),
		cmocka_unit_test(
			the_search_path_of_the_session_does_not_matter),
		cmocka_unit_test(
			without_memory_there_is_an_error_and_no_snapshot),
		cmocka_unit_test(an_answer_that_makes_no_sense_breaks_nothing),
		cmocka_unit_test(
			the_digest_does_not_depend_on_the_order_of_the_rows),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
