/* SPDX-License-Identifier: MIT
 *
 * pgserver - for tests: a private PostgreSQL server, and SQL beside the code
 * under test.
 *
 *	pgserver_start();
 *	pgserver_sql(pgserver_url, "CREATE TABLE t (id int)");
 *	pgserver_stop();
 *
 * The server belongs to tests/support/serve.lua, which ends it when this
 * program ends, however that happens.  Run from the top folder, after
 * `make support`.  Include after cmocka.h.
 */
#ifndef PGSERVER_H
#define PGSERVER_H

#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char pgserver_url[512]; /* of an empty database, as the superuser */
static pid_t pgserver_pid;
static int pgserver_life = -1; /* its end of file ends the server */

static int
pgserver_start(void)
{
	int in[2], out[2];
	FILE *f;

	if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
		return -1;
	pgserver_pid = fork();
	if (pgserver_pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		execlp("luajit", "luajit", "tests/support/serve.lua",
		       (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	pgserver_life = in[1];
	f = fdopen(out[0], "r");
	if (fgets(pgserver_url, sizeof(pgserver_url), f) == NULL)
		return -1;
	pgserver_url[strcspn(pgserver_url, "\n")] = 0;
	fclose(f);
	return 0;
}

static void
pgserver_stop(void)
{
	close(pgserver_life);
	waitpid(pgserver_pid, NULL, 0);
}

/* Runs SQL as somebody else would; the result is the caller's to clear. */
static PGresult *
pgserver_ask(const char *url, const char *sql)
{
	PGconn *pg = PQconnectdb(url);
	PGresult *res;

	if (PQstatus(pg) != CONNECTION_OK)
		fail_msg("%s", PQerrorMessage(pg));
	res = PQexec(pg, sql);
	if (PQresultStatus(res) != PGRES_COMMAND_OK &&
	    PQresultStatus(res) != PGRES_TUPLES_OK)
		fail_msg("%s", PQerrorMessage(pg));
	PQfinish(pg);
	return res;
}

static inline void
pgserver_sql(const char *url, const char *sql)
{
	PQclear(pgserver_ask(url, sql));
}

#endif
