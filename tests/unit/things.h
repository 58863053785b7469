/* SPDX-License-Identifier: MIT
 *
 * things - for tests: the table of exprs.h on a server, with random rows.
 *
 *	server_need();
 *	things_make();
 *	things_fill();			// again for other rows
 *	things_row(3, values);		// texts as the server writes them
 *
 * Collations are chosen to disagree with bytes.  Include after cmocka.h.
 */
#ifndef THINGS_H
#define THINGS_H

#include "expr_dice.h"
#include "server.h"

#define THINGS 60

static PGresult *things_rows; /* select * order by k */

UNUSED static void
things_make(void)
{
	server_sql("create collation loose (provider = icu, "
		   "locale = 'und-u-ks-level2', deterministic = false)");
	server_sql("create type mood as enum ('sad', 'ok', 'happy')");
	server_sql("create table things (id int, big int8, small int2, "
		   "title text collate loose, "
		   "code varchar(40) collate \"de-x-icu\", price numeric, "
		   "owner uuid, active bool, mood mood, at timestamptz, "
		   "\"odd \"\"name\"\"\" text, letters char(5), rate float8, "
		   "k int generated always as identity)");
}

UNUSED static void
things_add(void)
{
	const char *v[NPOOLS];
	PGresult *res;

	for (unsigned i = 0; i < NPOOLS; i++)
		v[i] = dice(6) == 0 ? NULL : pools[i].texts[dice(pools[i].n)];
	res = PQexecParams(server_side,
			   "insert into things (id, big, small, title, code, "
			   "price, owner, active, mood, \"odd \"\"name\"\"\") "
			   "values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
			   NPOOLS, NULL, v, NULL, NULL, 0);
	if (PQresultStatus(res) != PGRES_COMMAND_OK)
		fail_msg("%s", PQresultErrorMessage(res));
	PQclear(res);
}

UNUSED static void
things_fill(void)
{
	server_sql("truncate things");
	for (int i = 0; i < THINGS; i++)
		things_add();
	if (things_rows != NULL)
		PQclear(things_rows);
	things_rows = PQexec(server_side, "select * from things order by k");
	assert_int_equal(PQntuples(things_rows), THINGS);
}

UNUSED static void
things_row(int row, const char **values)
{
	for (int c = 0; c < EXPRS_COLUMNS; c++)
		values[c] = PQgetisnull(things_rows, row, c)
				    ? NULL
				    : PQgetvalue(things_rows, row, c);
}

UNUSED static void
things_end(void)
{
	PQclear(things_rows);
	things_rows = NULL;
}

#endif
