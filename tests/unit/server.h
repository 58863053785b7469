/* SPDX-License-Identifier: MIT
 *
 * server - for tests: a private PostgreSQL, and servers that misbehave.
 *
 *	server_need();			// fails without PostgreSQL
 *	... server_dir is the folder of its socket ...
 *	server_sql("select 1")
 *	server_end();			// teardown of the group
 *
 * One server for the program, started at first use through the keeper of
 * tests/support, so it ends with the program however that ends.  The template
 * is the one that support/pg.lua makes: build/pgtemplate/VERSION-USER.
 *
 * Include after cmocka.h.
 */
#ifndef SERVER_H
#define SERVER_H

#include <fcntl.h>
#include <glob.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "obj.h"

/* A command under a keeper: it ends when `life` is closed. */
struct kept {
	pid_t keeper;
	int life, report;
};

static struct kept server_pg, server_fake, server_remover;
static char server_dir[64], server_fake_dir[80], server_bin[200];
static int server_held = -1; /* the folder lives until the last holder ends */
static PGconn *server_side;  /* for server_sql() */

static const char *
server_build(void)
{
	const char *b = getenv("LUNATE_BUILD");

	return b != NULL ? b : "build";
}

/* The unprivileged user, or NULL when we are nobody special. */
static const char *
server_user(void)
{
	if (getuid() != 0)
		return NULL;
	return getpwnam("postgres") != NULL ? "postgres" : "nobody";
}

/* Where PostgreSQL's programs are, the newest; false when nowhere. */
static bool
server_programs(void)
{
	const char *given = getenv("LUNATE_PG_BIN");
	int best = -1;
	glob_t g;

	if (given != NULL)
		snprintf(server_bin, sizeof(server_bin), "%s", given);
	if (given != NULL ||
	    glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &g) != 0)
		return given != NULL;
	for (size_t i = 0; i < g.gl_pathc; i++) {
		int v = atoi(g.gl_pathv[i] + strlen("/usr/lib/postgresql/"));

		if (v <= best)
			continue;
		best = v;
		snprintf(server_bin, sizeof(server_bin),
			 "/usr/lib/postgresql/%d/bin", v);
	}
	globfree(&g);
	return best >= 0;
}

/* The child of kept_start(): descriptors 3, 4 and 5 are the keeper's. */
static _Noreturn void
kept_become(const char *const *argv, int life, int report)
{
	int from[3] = {life, report, server_held}, log;
	char path[128];

	for (int i = 0; i < 3; i++)
		if (from[i] >= 0)
			from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 10);
	for (int i = 0; i < 3; i++)
		if (from[i] >= 0)
			dup2(from[i], 3 + i);
	snprintf(path, sizeof(path), "%s/log", server_dir);
	log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	dup2(log, 1);
	dup2(log, 2);
	unsetenv("PGUSER");
	unsetenv("PGDATABASE");
	if (chdir(server_dir) == 0)
		execv(argv[0], (char *const *)argv);
	_exit(127);
}

static void
kept_start(struct kept *k, const char *const *argv)
{
	int life[2], report[2];

	if (pipe2(life, O_CLOEXEC) != 0 || pipe2(report, O_CLOEXEC) != 0)
		fail_msg("no pipe");
	k->keeper = fork();
	if (k->keeper == 0)
		kept_become(argv, life[0], report[1]);
	close(life[0]);
	close(report[1]);
	k->life = life[1];
	k->report = report[0];
}

/* Ends it when it still runs, waits, and tells whether it exited with 0. */
static bool
kept_wait(struct kept *k, bool end)
{
	char text[200];
	size_t n = 0;
	ssize_t got;

	if (k->keeper == 0)
		return false;
	if (end)
		close(k->life);
	while (n < sizeof(text) - 1 &&
	       (got = read(k->report, text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = 0;
	close(k->report);
	if (!end)
		close(k->life);
	waitpid(k->keeper, NULL, 0);
	k->keeper = 0;
	return strstr(text, "exit 0") != NULL;
}

/* keeper -u USER -s SIGNAL -- command..., at most 10 words. */
static void
server_keep(struct kept *k, const char *sig, const char *const *command)
{
	const char *argv[20], *user = server_user();
	char keeper[300], *real = realpath(server_build(), NULL);
	int n = 0;

	snprintf(keeper, sizeof(keeper), "%s/support/keeper",
		 real != NULL ? real : "");
	free(real);
	if (access(keeper, X_OK) != 0)
		fail_msg("%s is missing: run make support", keeper);
	argv[n++] = keeper;
	if (user != NULL) {
		argv[n++] = "-u";
		argv[n++] = user;
	}
	argv[n++] = "-s";
	argv[n++] = sig;
	argv[n++] = "--";
	while (*command != NULL)
		argv[n++] = *command++;
	argv[n] = NULL;
	kept_start(k, argv);
}

/* Runs a command of ours to its end, as ourselves. */
static bool
server_shell(const char *fmt, const char *a, const char *b)
{
	char text[800];

	snprintf(text, sizeof(text), fmt, a, b);
	return system(text) == 0;
}

/* A folder that is gone when the last process that holds it is. */
static void
server_folder(void)
{
	char keeper[300], *real = realpath(server_build(), NULL);
	const struct passwd *pw;
	int hold[2];

	strcpy(server_dir, "/tmp/lunate-unit-XXXXXX");
	if (mkdtemp(server_dir) == NULL || pipe2(hold, O_CLOEXEC) != 0)
		fail_msg("no folder for a server");
	if (server_user() != NULL) {
		pw = getpwnam(server_user());
		if (chown(server_dir, pw->pw_uid, pw->pw_gid) != 0)
			fail_msg("chown %s", server_dir);
	}
	snprintf(keeper, sizeof(keeper), "%s/support/keeper",
		 real != NULL ? real : "");
	free(real);
	server_remover.keeper = fork();
	if (server_remover.keeper == 0) {
		int at = fcntl(hold[0], F_DUPFD_CLOEXEC, 10);

		dup2(at, 3);
		execl(keeper, keeper, "-r", server_dir, (char *)NULL);
		_exit(127);
	}
	close(hold[0]);
	server_held = hold[1];
}

static void
server_template(const char *path)
{
	char initdb[256], postgres[300], data[100];
	const char *make[] = {initdb,
			      "-D",
			      data,
			      "-Upostgres",
			      "-N",
			      "--auth=trust",
			      "--locale=C.UTF-8",
			      "--encoding=UTF8",
			      NULL};
	const char *fill[] = {"/bin/sh", "-c", postgres, NULL};
	char mine[400];

	snprintf(initdb, sizeof(initdb), "%s/initdb", server_bin);
	snprintf(data, sizeof(data), "%s/template", server_dir);
	snprintf(postgres, sizeof(postgres),
		 "echo 'CREATE DATABASE lunate_test' | %s/postgres --single "
		 "-F -D template postgres",
		 server_bin);
	server_keep(&server_pg, "15", make);
	if (!kept_wait(&server_pg, false))
		fail_msg("initdb failed");
	server_keep(&server_pg, "15", fill);
	if (!kept_wait(&server_pg, false))
		fail_msg("CREATE DATABASE failed");
	snprintf(mine, sizeof(mine), "%s.%d", path, (int)getpid());
	if (!server_shell("mkdir -p $(dirname %s)%s", path, "") ||
	    !server_shell("cp -a %s %s", data, mine))
		fail_msg("the template cannot be kept");
	/* Another run may have been faster: then its template is as good. */
	if (rename(mine, path) != 0)
		(void)server_shell("rm -rf -- %s%s", mine, "");
}

static void
server_copy(void)
{
	const char *user = server_user(), *v = strrchr(server_bin, 'l');
	char path[300], mark[320], conf[100];
	FILE *f;

	v = v != NULL && v[1] == '/' ? v + 2 : "x";
	snprintf(path, sizeof(path), "%s/pgtemplate/%.*s-%s", server_build(),
		 (int)strcspn(v, "/"), v, user != NULL ? user : "self");
	snprintf(mark, sizeof(mark), "%s/PG_VERSION", path);
	if (access(mark, F_OK) != 0)
		server_template(path);
	if (!server_shell("cp -a --reflink=auto %s %s/data", path, server_dir))
		fail_msg("the template cannot be copied");
	snprintf(conf, sizeof(conf), "%s/data/postgresql.conf", server_dir);
	f = fopen(conf, "w");
	if (f == NULL)
		fail_msg("%s cannot be written", conf);
	fprintf(f,
		"port = 5432\nunix_socket_directories = '%s'\n"
		"listen_addresses = ''\nfsync = off\nfull_page_writes = off\n"
		"shared_buffers = '32MB'\nmax_connections = 60\n"
		"log_line_prefix = '%%m [%%p] %%a '\nmax_wal_senders = 0\n"
		"wal_level = minimal\ndynamic_shared_memory_type = mmap\n"
		"client_min_messages = warning\n",
		server_dir);
	fclose(f);
}

static void
server_no_notice(void *arg, const PGresult *res)
{
	(void)arg, (void)res;
}

static PGconn *
server_connect(const char *dir)
{
	const char *keys[] = {"host", "port", "user", "dbname", NULL};
	const char *vals[] = {dir, "5432", "postgres", "lunate_test", NULL};
	PGconn *c = PQconnectdbParams(keys, vals, 0);

	PQsetNoticeReceiver(c, server_no_notice, NULL);
	return c;
}

/* After a kill: waits until the postmaster has noticed and ended all others.
 * Before that it still takes logins, only to end them. */
static void
server_down(void)
{
	while (PQstatus(server_side) == CONNECTION_OK) {
		PQclear(PQexec(server_side, "select 1"));
		usleep(2000);
	}
}

/* Waits until it answers (again); the side connection is new afterwards. */
static void
server_ready(void)
{
	if (server_side != NULL)
		server_down();
	for (int i = 0; i < 3000; i++) {
		if (server_side != NULL)
			PQfinish(server_side);
		server_side = server_connect(server_dir);
		if (PQstatus(server_side) == CONNECTION_OK)
			return;
		usleep(10000);
	}
	fail_msg("the server does not answer: %s", PQerrorMessage(server_side));
}

/* The server is there from here on; a machine without one fails the test. */
UNUSED static void
server_need(void)
{
	char postgres[256], data[100];
	const char *argv[] = {postgres, "-D", data, NULL};

	if (server_pg.keeper != 0)
		return;
	if (!server_programs())
		fail_msg("PostgreSQL's server is not installed; make setup "
			 "installs it");
	signal(SIGPIPE, SIG_IGN);
	server_folder();
	server_copy();
	snprintf(postgres, sizeof(postgres), "%s/postgres", server_bin);
	snprintf(data, sizeof(data), "%s/data", server_dir);
	server_keep(&server_pg, "3", argv);
	server_ready();
}

/* The first cell of the answer as text, "" when there is none; a statement
 * that fails fails the test. */
UNUSED static const char *
server_sql(const char *sql)
{
	static char text[256];
	PGresult *res = PQexec(server_side, sql);
	ExecStatusType s = PQresultStatus(res);

	text[0] = 0;
	if (s != PGRES_COMMAND_OK && s != PGRES_TUPLES_OK) {
		snprintf(text, sizeof(text), "%s", PQresultErrorMessage(res));
		PQclear(res);
		fail_msg("%s: %s", sql, text);
	}
	if (PQntuples(res) > 0 && PQnfields(res) > 0)
		snprintf(text, sizeof(text), "%s", PQgetvalue(res, 0, 0));
	PQclear(res);
	return text;
}

UNUSED static int
server_int(const char *sql)
{
	return atoi(server_sql(sql));
}

/* Ends one backend: politely, or so that the whole server recovers. */
UNUSED static void
server_terminate(int pid)
{
	char sql[80];

	snprintf(sql, sizeof(sql), "select pg_terminate_backend(%d)", pid);
	(void)server_sql(sql);
}

UNUSED static void
server_kill(int pid)
{
	kill(pid, SIGKILL);
}

UNUSED static void
server_fake_end(void)
{
	(void)kept_wait(&server_fake, true);
}

/* Starts fakepg in one of its modes; gives the folder of its socket. */
UNUSED static const char *
server_fake_start(const char *mode)
{
	char program[300], at[128], path[100];
	const char *argv[] = {program, "-l", at, mode, NULL};
	char *real = realpath(server_build(), NULL);

	if (server_fake.keeper != 0)
		server_fake_end();
	if (server_dir[0] == 0)
		server_folder();
	snprintf(server_fake_dir, sizeof(server_fake_dir), "%s/fake",
		 server_dir);
	(void)mkdir(server_fake_dir, 0777);
	(void)chmod(server_fake_dir, 0777);
	snprintf(path, sizeof(path), "%s/.s.PGSQL.5432", server_fake_dir);
	(void)unlink(path);
	snprintf(program, sizeof(program), "%s/support/fakepg",
		 real != NULL ? real : "");
	free(real);
	snprintf(at, sizeof(at), "unix:%s", path);
	server_keep(&server_fake, "15", argv);
	for (int i = 0; i < 2000 && access(path, F_OK) != 0; i++)
		usleep(5000);
	usleep(20000); /* bound before it listens */
	return server_fake_dir;
}

/* Teardown of a group. */
UNUSED static int
server_end(void **state)
{
	(void)state;
	if (server_side != NULL)
		PQfinish(server_side);
	server_side = NULL;
	(void)kept_wait(&server_fake, true);
	(void)kept_wait(&server_pg, true);
	if (server_held >= 0)
		close(server_held);
	server_held = -1;
	if (server_remover.keeper > 0)
		waitpid(server_remover.keeper, NULL, 0);
	server_remover.keeper = 0;
	server_dir[0] = 0;
	return 0;
}

#endif
