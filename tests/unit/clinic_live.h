/* SPDX-License-Identifier: MIT
 *
 * clinic_live - for tests: the tables of clinic_world.h on a private server,
 * with rows of clinics A and B (one patient is of both), and what a statement
 * does there.
 *
 *	live_begin();
 *	live_run(&question, &answer);	// rolled back
 *
 * Schema `other` has the same names over everybody's rows, and an operator =
 * that holds for all.  Ids of visits and patients are numbers: 1.. of A, 51..
 * of B.
 *
 * Include after cmocka.h.
 */
#ifndef CLINIC_LIVE_H
#define CLINIC_LIVE_H

#include <stdint.h>
#include <xxhash.h>

#include "server.h"

#define LIVE_ID(n) "00000000-0000-4000-8000-" n
#define LIVE_A LIVE_ID("00000000000a")
#define LIVE_B LIVE_ID("00000000000b")

static const char live_tables[] =
	"drop schema if exists clinic cascade;"
	"drop schema if exists other cascade;"
	"create schema clinic; create schema other;"
	"create sequence clinic.ids;"
	"create function clinic.uid(bigint) returns uuid language sql immutable"
	" return ('00000000-0000-4000-8000-' || lpad($1::text, 12, '0'))::uuid;"
	"create table clinic.visits (id uuid primary key default"
	" clinic.uid(nextval('clinic.ids')), clinic_id uuid not null,"
	" n int, note text, unique (clinic_id, n));"
	"create table clinic.items (visit_id uuid, n int);"
	"create table clinic.patients (id uuid primary key, name text);"
	"create table clinic.members (patient_id uuid, clinic_id uuid not null,"
	" primary key (patient_id, clinic_id));"
	"create table clinic.codes (a int, id int primary key);"
	"insert into clinic.visits select clinic.uid(i), '" LIVE_A "', i + 1,"
	" i::text from generate_series(0, 4) i;"
	"insert into clinic.visits select clinic.uid(50 + i), '" LIVE_B "',"
	" i, case when i = 3 then 'x' else i::text end"
	" from generate_series(0, 7) i;"
	"insert into clinic.items select id, n from clinic.visits;"
	"insert into clinic.items select id, 2 from clinic.visits"
	" where n < 3;"
	"insert into clinic.patients select id, 'a' || note from clinic.visits;"
	"insert into clinic.members select id, clinic_id from clinic.visits;"
	"insert into clinic.members values (clinic.uid(1), '" LIVE_B "');"
	"insert into clinic.codes values (1, 2), (11, 1), (12, 3);"
	"create view other.visits as table clinic.visits;"
	"create view other.items as table clinic.items;"
	"create view other.patients as table clinic.patients;"
	"create view other.members as table clinic.members;"
	"create view other.codes as table clinic.codes;"
	"create function other.yes(uuid, uuid) returns boolean language sql"
	" immutable return true;"
	"create operator other.= (leftarg = uuid, rightarg = uuid,"
	" function = other.yes);";

static PGconn *live_conn;

UNUSED static void
live_begin(void)
{
	server_need();
	(void)server_sql(live_tables);
	live_conn = server_connect(server_dir);
	assert_int_equal(PQstatus(live_conn), CONNECTION_OK);
	PQclear(PQexec(live_conn, "set search_path = clinic;"
				  "set statement_timeout = '2s'"));
}

/* Teardown of a group. */
UNUSED static int
live_end(void **state)
{
	if (live_conn != NULL)
		PQfinish(live_conn);
	live_conn = NULL;
	return server_end(state);
}

#define LIVE_PARAMS 12

struct live_question {
	const char *sql;
	const char *values[LIVE_PARAMS];
	Oid types[LIVE_PARAMS];
	int nvalues;
	bool writes;
};

/* Rows in any order; for a write, also what all tables hold afterwards. */
struct live_answer {
	char failed[6]; /* SQLSTATE, or "" */
	int nrows, ncolumns;
	uint64_t rows;
	char data[40];
};

static void
live_rows(const PGresult *res, struct live_answer *a)
{
	a->nrows = PQntuples(res);
	a->ncolumns = PQnfields(res);
	for (int i = 0; i < a->nrows; i++) {
		uint64_t row = 1;

		for (int k = 0; k < a->ncolumns; k++)
			row = XXH64(PQgetvalue(res, i, k),
				    (size_t)PQgetlength(res, i, k),
				    row * 31 +
					    (uint64_t)PQgetisnull(res, i, k));
		a->rows += row;
	}
}

static void
live_data(struct live_answer *a)
{
	static const char sql[] =
		"select md5(concat("
		"(select string_agg(t::text, ';' order by t::text) from "
		"clinic.visits t), '/',"
		"(select string_agg(t::text, ';' order by t::text) from "
		"clinic.items t), '/',"
		"(select string_agg(t::text, ';' order by t::text) from "
		"clinic.patients t), '/',"
		"(select string_agg(t::text, ';' order by t::text) from "
		"clinic.members t), '/',"
		"(select string_agg(t::text, ';' order by t::text) from "
		"clinic.codes t)))";
	PGresult *res = PQexec(live_conn, sql);

	assert_int_equal(PQresultStatus(res), PGRES_TUPLES_OK);
	snprintf(a->data, sizeof(a->data), "%s", PQgetvalue(res, 0, 0));
	PQclear(res);
}

UNUSED static void
live_run(const struct live_question *q, struct live_answer *a)
{
	PGresult *res;
	ExecStatusType s;

	memset(a, 0, sizeof(*a));
	PQclear(PQexec(live_conn,
		       q->writes ? "begin; select setval('clinic.ids', 900)"
				 : "begin read only"));
	res = PQexecParams(live_conn, q->sql, q->nvalues, q->types, q->values,
			   NULL, NULL, 0);
	s = PQresultStatus(res);
	if (s == PGRES_COMMAND_OK || s == PGRES_TUPLES_OK) {
		live_rows(res, a);
		if (q->writes)
			live_data(a);
	} else {
		const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);

		snprintf(a->failed, sizeof(a->failed), "%s",
			 state != NULL ? state : "XX000");
	}
	PQclear(res);
	PQclear(PQexec(live_conn, "rollback"));
}

UNUSED static bool
live_same(const struct live_answer *a, const struct live_answer *b)
{
	return strcmp(a->failed, b->failed) == 0 && a->nrows == b->nrows &&
	       a->ncolumns == b->ncolumns && a->rows == b->rows &&
	       strcmp(a->data, b->data) == 0;
}

/* The types that the server finds for the parameters. */
UNUSED static bool
live_types(struct live_question *q)
{
	PGresult *res = PQprepare(live_conn, "", q->sql, 0, NULL);
	bool ok = PQresultStatus(res) == PGRES_COMMAND_OK;

	PQclear(res);
	if (!ok)
		return false;
	res = PQdescribePrepared(live_conn, "");
	q->nvalues = PQnparams(res);
	for (int i = 0; i < q->nvalues && i < LIVE_PARAMS; i++)
		q->types[i] = PQparamtype(res, i);
	PQclear(res);
	return q->nvalues <= LIVE_PARAMS;
}

#endif
