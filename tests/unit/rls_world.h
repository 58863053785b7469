/* SPDX-License-Identifier: MIT
 *
 * rls_world - for tests: two clinics on a private server, behind the policies
 * that rls.h writes, and a role that is bound by them.
 *
 *	rls_begin();			// tables and rows, policies applied
 *	rls_ask(A, "select count(*) from h.notes") -> "3"
 *	rls_ask(A, "insert into ...") -> "!42501"
 *
 * Clinic A has 3 rows of each kind, B has 4; see rls_tables.
 * Include after cmocka.h.
 */
#ifndef RLS_WORLD_H
#define RLS_WORLD_H

#include "context.h"
#include "rls.h"
#include "server.h"

#define A "{\"tenant\":\"00000000-0000-4000-8000-00000000000a\"}"
#define B "{\"tenant\":\"00000000-0000-4000-8000-00000000000b\"}"
#define BOTH                                                     \
	"{\"tenant\":[\"00000000-0000-4000-8000-00000000000a\"," \
	"\"00000000-0000-4000-8000-00000000000b\"]}"
#define NOBODY "{\"user\":\"somebody\"}"
#define A_ID "'00000000-0000-4000-8000-00000000000a'"
#define B_ID "'00000000-0000-4000-8000-00000000000b'"

/* Numbers of A's rows are 1, 2, 3, of B's 11 to 14; patient 9 is of both. */
static const char rls_tables[] =
	"drop schema if exists h cascade; drop schema if exists lunate cascade;"
	"create schema h;"
	"create table h.clinics (id uuid primary key, name text);"
	"insert into h.clinics values (" A_ID ", 'a'), (" B_ID ", 'b');"
	"create table h.notes (id int primary key, clinic_id uuid not null"
	" references h.clinics, ssn text unique, text text);"
	"create index on h.notes (clinic_id);"
	"create table h.visits (id int, clinic_id uuid not null, at date)"
	" partition by range (at);"
	"create table h.visits_old partition of h.visits"
	" for values from (minvalue) to ('2020-01-01');"
	"create table h.visits_new partition of h.visits"
	" for values from ('2020-01-01') to (maxvalue);"
	"create table h.items (id int primary key, visit_id int, text text);"
	"create table h.\"odd % 'Name\" (id int, clinic_id uuid not null);"
	"create table h.patients (id int primary key, name text);"
	"create table h.patient_clinics (patient_id int references h.patients"
	" on delete cascade, clinic_id uuid not null,"
	" primary key (patient_id, clinic_id));"
	"create table h.codes (code text primary key);"
	"insert into h.codes values ('x'), ('y');"
	"create table h.mine (who uuid, n int);"
	"insert into h.mine select s.c, s.i from (select " A_ID
	"::uuid c, i from generate_series(1, 3) i union all select " B_ID
	"::uuid, i from generate_series(11, 14) i) s;"
	"insert into h.notes select n, who, 'ssn' || n, 'text' from h.mine;"
	"insert into h.visits select n, who,"
	" '2019-12-31'::date + (n % 2) from h.mine;"
	"insert into h.items select n, n, 'item' from h.mine;"
	"insert into h.\"odd % 'Name\" select n, who from h.mine;"
	"insert into h.patients select n, 'p' from h.mine union all"
	" select 9, 'both';"
	"insert into h.patient_clinics select n, who from h.mine union all"
	" values (9, " A_ID "::uuid), (9, " B_ID "::uuid);"
	"drop table h.mine;"
	"grant usage on schema h to app, boss;"
	"grant all on all tables in schema h to app, boss;";

#define RLS_AT .file = "isolation.lua", .line = 1, .schema = "h"

static const struct tenant_pair rls_item_on[] = {{"visit_id", "id"}};
static const struct tenant_pair rls_patient_on[] = {{"id", "patient_id"}};

static const struct tenant_table rls_list[] = {
	{RLS_AT, .name = "clinics", .column = "id", .write_never = true},
	{RLS_AT, .name = "codes", .kind = TENANT_SHARED},
	{RLS_AT, .name = "items", .kind = TENANT_PARENT, .via_schema = "h",
	 .via = "visits", .on = rls_item_on, .non = 1},
	{RLS_AT, .name = "notes", .column = "clinic_id"},
	{RLS_AT, .name = "odd % 'Name", .column = "clinic_id"},
	{RLS_AT, .name = "patient_clinics", .column = "clinic_id"},
	{RLS_AT, .name = "patients", .kind = TENANT_THROUGH,
	 .column = "clinic_id", .via_schema = "h", .via = "patient_clinics",
	 .on = rls_patient_on, .non = 1},
	{RLS_AT, .name = "visits", .column = "clinic_id"}};

static const struct tenant_rules rls_rules = {
	.type = TENANT_UUID, .ntables = 8, .tables = rls_list};

static PGconn *rls_app; /* as role app */

static PGconn *
rls_connect(const char *user)
{
	const char *keys[] = {"host", "port", "user", "dbname", NULL};
	const char *vals[] = {server_dir, "5432", user, "lunate_test", NULL};
	PGconn *c = PQconnectdbParams(keys, vals, 0);

	assert_int_equal(PQstatus(c), CONNECTION_OK);
	PQsetNoticeReceiver(c, server_no_notice, NULL);
	return c;
}

/* Runs the script of rls_sql(). */
UNUSED static void
rls_apply(const struct rls_options *o)
{
	struct str s;
	struct err e;

	str_init(&s);
	assert_int_equal(rls_sql(o, &s, &e), 0);
	(void)server_sql(s.at);
	str_fini(&s);
}

static void
rls_begin(void)
{
	const struct rls_options o = {.rules = &rls_rules};

	server_need();
	(void)server_sql("do $$ begin create role app login; create role boss "
			 "login; exception when duplicate_object then null; "
			 "end $$");
	(void)server_sql(rls_tables);
	rls_apply(&o);
	if (rls_app != NULL)
		PQfinish(rls_app);
	rls_app = rls_connect("app");
}

static void
rls_exec(PGconn *c, const char *sql)
{
	PQclear(PQexec(c, sql));
}

/* The setting as it is given. */
static void
rls_set(PGconn *c, const char *wire)
{
	PGresult *res = PQexecParams(c,
				     "select set_config('lunate.ctx', $1, "
				     "true)",
				     1, NULL, &wire, NULL, NULL, 0);

	assert_int_equal(PQresultStatus(res), PGRES_TUPLES_OK);
	PQclear(res);
}

/* The first cell, or how many rows were changed, or "!" and the SQLSTATE. */
static const char *
rls_one(PGconn *c, const char *sql)
{
	static char text[256];
	PGresult *res = PQexec(c, sql);
	ExecStatusType s = PQresultStatus(res);

	if (s != PGRES_COMMAND_OK && s != PGRES_TUPLES_OK)
		snprintf(text, sizeof(text), "!%s",
			 PQresultErrorField(res, PG_DIAG_SQLSTATE));
	else if (PQnfields(res) > 0)
		snprintf(text, sizeof(text), "%s",
			 PQntuples(res) > 0 ? PQgetvalue(res, 0, 0) : "");
	else
		snprintf(text, sizeof(text), "%s", PQcmdTuples(res));
	PQclear(res);
	return text;
}

/* One statement with the setting as given, rolled back. */
UNUSED static const char *
rls_raw(PGconn *c, const char *wire, const char *sql)
{
	const char *text;

	rls_exec(c, "begin");
	if (wire != NULL)
		rls_set(c, wire);
	text = rls_one(c, sql);
	rls_exec(c, "rollback");
	return text;
}

/* One statement of the application, rolled back; json NULL: no context. */
UNUSED static const char *
rls_ask(const char *json, const char *sql)
{
	struct context *ctx = NULL;
	const char *text;
	struct err e;

	if (json != NULL)
		assert_int_equal(context_new(json, strlen(json), &ctx, &e), 0);
	text = rls_raw(rls_app, ctx != NULL ? ctx->wire : NULL, sql);
	context_unpin(&ctx);
	return text;
}

/* Teardown of a group. */
UNUSED static int
rls_end(void **state)
{
	if (rls_app != NULL)
		PQfinish(rls_app);
	rls_app = NULL;
	return server_end(state);
}

#endif
