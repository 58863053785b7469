/* SPDX-License-Identifier: MIT
 *
 * guest - a host that is hard on its guests, for capi_spec.lua.
 *
 *	DATABASE_URL=... guest signals|interrupts|pipe|closed|fork
 *
 * Exits with 0 when all held; else with the line of what did not, which it
 * also says on standard error when there is one.
 */
#include <lunate.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static struct lunate *db;
static struct lunate_error e;

#define must(what)                                                       \
	do {                                                             \
		if (!(what)) {                                           \
			fprintf(stderr, "line %d: %s; last error: %s\n", \
				__LINE__, #what, e.text);                \
			_exit(__LINE__ % 200 + 1);                       \
		}                                                        \
	} while (0)

static const struct lunate_setting settings[] = {
	{"pool_max", "3"},
	{"pool_min", "0"},
	{"schema", "public"},
	{"control_socket", "false"},
	{"log_level", "debug"},
	{"slow_query_threshold", "1ms"},
	{"application_name", "guest"},
	{NULL, NULL}};

static void
begin(void)
{
	struct lunate_options o = lunate_defaults();

	o.settings = settings;
	must(lunate_open(&o, &db, &e) == 0);
}

static int64_t
number(const char *sql)
{
	struct lunate_call c = lunate_sql(sql, NULL, 0);
	struct lunate_rows *rows;
	int64_t n = -1;

	must(lunate_query(db, &c, &rows, &e) == 0);
	must(lunate_rows_int(rows, 0, 0, &n) == 0);
	lunate_rows_free(&rows);
	return n;
}

static void
work(void)
{
	for (int i = 0; i < 50; i++) {
		char sql[80];

		snprintf(sql, sizeof(sql),
			 "select %d from pg_sleep(0.002), "
			 "repeat('x', 10000) r",
			 i);
		must(number(sql) == i);
	}
}

/* ---- signals ------------------------------------------------------------- */

static volatile sig_atomic_t handled;
static volatile pthread_t handled_by;

static void
handler(int sig)
{
	(void)sig;
	handled++;
	handled_by = pthread_self();
}

/* The mask of every thread but the first blocks what a host may get. */
static void
check_masks(void)
{
	DIR *d = opendir("/proc/self/task");
	struct dirent *one;
	int others = 0;

	while ((one = readdir(d)) != NULL) {
		char path[300], line[200];
		unsigned long long mask = 0;
		FILE *f;

		if (atoi(one->d_name) == 0 || atoi(one->d_name) == getpid())
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%s/status",
			 one->d_name);
		f = fopen(path, "r");
		while (f != NULL && fgets(line, sizeof(line), f) != NULL)
			if (strncmp(line, "SigBlk:", 7) == 0)
				mask = strtoull(line + 7, NULL, 16);
		if (f != NULL)
			fclose(f);
		others++;
		must(mask >> (SIGUSR1 - 1) & 1);
		must(mask >> (SIGTERM - 1) & 1);
		must(mask >> (SIGCHLD - 1) & 1);
		must(mask >> (SIGALRM - 1) & 1);
		must(mask >> (SIGPIPE - 1) & 1);
	}
	closedir(d);
	must(others >= 1);
}

static void
snapshot(struct sigaction *all)
{
	memset(all, 0, 65 * sizeof(*all));
	for (int i = 1; i <= 64; i++)
		(void)sigaction(i, NULL, &all[i]);
}

static void
check_signals(void)
{
	static struct sigaction before[65], after[65];
	sigset_t all, mask, now;

	must(signal(SIGUSR1, handler) != SIG_ERR);
	snapshot(before);
	sigfillset(&all);
	must(pthread_sigmask(SIG_SETMASK, &all, &mask) == 0);
	begin();
	work();
	check_masks();
	must(kill(getpid(), SIGUSR1) == 0);
	work();
	must(handled == 0);
	must(pthread_sigmask(SIG_SETMASK, &mask, &now) == 0);
	must(sigismember(&now, SIGTERM) == 1);
	must(handled == 1 && pthread_equal(handled_by, pthread_self()));
	work();
	must(lunate_close(&db, 5) == 0);
	snapshot(after);
	for (int i = 1; i <= 64; i++)
		must(before[i].sa_handler == after[i].sa_handler &&
		     before[i].sa_flags == after[i].sa_flags);
}

/* A handler of the host that interrupts what waits, again and again. */
static void
check_interrupts(void)
{
	struct sigaction sa = {.sa_handler = handler}; /* no SA_RESTART */
	timer_t timer;
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL,
			      .sigev_signo = SIGUSR1};
	struct itimerspec often = {{0, 500000}, {0, 500000}};

	sigaction(SIGUSR1, &sa, NULL);
	must(timer_create(CLOCK_MONOTONIC, &ev, &timer) == 0);
	must(timer_settime(timer, 0, &often, NULL) == 0);
	begin();
	work();
	must(lunate_close(&db, 5) == 0);
	timer_delete(timer);
	must(handled > 0);
}

/* SIGPIPE stands at its default, and sockets break. */
static void
check_pipe(void)
{
	begin();
	for (int i = 0; i < 10; i++) {
		struct lunate_call c = lunate_sql(
			"select pg_terminate_backend(pid) from "
			"pg_stat_activity where application_name = 'guest' "
			"and pid <> pg_backend_pid()",
			NULL, 0);

		work();
		must(lunate_query(db, &c, NULL, &e) == 0);
	}
	work();
	must(lunate_close(&db, 5) == 0);
}

/* ---- descriptors --------------------------------------------------------- */

/* The log goes to a standard error that is closed: never into a socket that
 * was opened in its place. */
static void
check_closed(void)
{
	close(0);
	close(1);
	close(2);
	begin();
	work();
	must(number("select count(*) from pg_stat_activity "
		    "where application_name = 'guest'") >= 1);
	must(lunate_close(&db, 5) == 0);
	must(fcntl(0, F_GETFD) < 0 && fcntl(1, F_GETFD) < 0 &&
	     fcntl(2, F_GETFD) < 0);
}

/* ---- fork ---------------------------------------------------------------- */

static void
nobody(void *arg, struct lunate_rows *rows, const struct lunate_error *why)
{
	(void)arg, (void)rows, (void)why;
	_exit(99);
}

static void
no_event(void *arg, const char *json, size_t len)
{
	(void)arg, (void)json, (void)len;
	_exit(98);
}

#define forked(call)                                                    \
	do {                                                            \
		memset(&e, 0, sizeof(e));                               \
		must((call) == LUNATE_EFORK && e.code == LUNATE_EFORK); \
	} while (0)

/* What the parent holds, in the child's hands. */
static void
child(struct lunate_tx *tx, struct lunate_script *script,
      struct lunate_rows *rows)
{
	const char *const tags[] = {"t", NULL};
	struct lunate_call c = lunate_sql("select 1", NULL, 0), in_tx = c;
	struct lunate_then then = lunate_then_of(nobody, NULL);
	struct lunate_outcome out;
	struct lunate_operations b = lunate_batch_of(&c, &out, 1);
	struct lunate_copy copy = lunate_copy_of("copy (select 1) to stdout");
	struct lunate_ear ear = {sizeof(ear), "*", no_event, NULL, NULL};
	struct lunate_lua lua = lunate_lua_of("f", NULL, 0);
	struct lunate_listener *l = NULL;
	struct lunate_script *s = NULL;
	struct lunate_stream *st = NULL;
	struct lunate_tx *mine = NULL;
	char *json = NULL;

	in_tx.tx = tx;
	forked(lunate_query(db, &c, NULL, &e));
	forked(lunate_query(db, &in_tx, NULL, &e));
	forked(lunate_query_async(db, &c, &then, &e));
	forked(lunate_begin(db, NULL, &mine, &e));
	forked(lunate_savepoint(tx, &e));
	forked(lunate_batch(db, &b, &e));
	forked(lunate_stream_open(db, &c, &st, &e));
	forked(lunate_copy_run(db, &copy, &e));
	forked(lunate_load(db, "/dev/null", &s, &e));
	forked(lunate_run(script, &lua, NULL, &e));
	forked(lunate_listen(db, &ear, &l, &e));
	forked(lunate_health(db, &json, &e));
	forked(lunate_metrics(db, &json, &e));
	forked(lunate_invalidate(db, tags, &e));
	lunate_cancel(db, 1);
	must(strcmp(lunate_rows_text(rows, 0, 0), "mine") == 0);
	lunate_rows_free(&rows);
	lunate_rollback(&tx);
	lunate_script_free(&script);
	must(lunate_close(&db, 5) == LUNATE_EFORK);
	begin();
	work();
	must(lunate_close(&db, 5) == 0);
	_exit(0);
}

static struct lunate_script *
load_script(void)
{
	struct lunate_script *s = NULL;
	char path[] = "/tmp/lunate-guest-XXXXXX";
	int fd = mkstemp(path);
	const char text[] = "return { f = function() return 7 end }";

	must(fd >= 0 &&
	     write(fd, text, sizeof(text) - 1) == (ssize_t)sizeof(text) - 1);
	close(fd);
	must(lunate_load(db, path, &s, &e) == 0);
	unlink(path);
	return s;
}

static void
check_fork(void)
{
	struct lunate_call c = lunate_sql("select 'mine'", NULL, 0);
	struct lunate_lua lua = lunate_lua_of("f", NULL, 0);
	struct lunate_script *script;
	struct lunate_rows *rows;
	struct lunate_tx *tx;
	int status;
	pid_t pid;

	begin();
	script = load_script();
	must(lunate_query(db, &c, &rows, &e) == 0);
	must(lunate_begin(db, NULL, &tx, &e) == 0);
	c.sql = "create temporary table t on commit drop as select 8 as n";
	c.tx = tx;
	must(lunate_query(db, &c, NULL, &e) == 0);
	for (int i = 0; i < 3; i++) {
		pid = fork();
		if (pid == 0)
			child(tx, script, rows);
		must(waitpid(pid, &status, 0) == pid);
		must(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	c.sql = "select n from t";
	must(lunate_query(db, &c, NULL, &e) == 0);
	must(lunate_commit(&tx, &e) == 0);
	must(lunate_run(script, &lua, NULL, &e) == 0);
	must(strcmp(lunate_rows_text(rows, 0, 0), "mine") == 0);
	work();
	lunate_rows_free(&rows);
	lunate_script_free(&script);
	must(lunate_close(&db, 5) == 0);
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	alarm(100);
	if (strcmp(what, "signals") == 0)
		check_signals();
	else if (strcmp(what, "interrupts") == 0)
		check_interrupts();
	else if (strcmp(what, "pipe") == 0)
		check_pipe();
	else if (strcmp(what, "closed") == 0)
		check_closed();
	else if (strcmp(what, "fork") == 0)
		check_fork();
	else
		return 2;
	return 0;
}
