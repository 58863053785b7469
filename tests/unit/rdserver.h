/* SPDX-License-Identifier: MIT
 *
 * rdserver - for tests: a redis-server of our own, and an owner of a rdconn
 * that notes what it hears.
 *
 *	connect_ready();		// or skip, where there is no server
 *	ask(&call, "GET k");		// one command, answered
 *	... call.kind, call.text ...
 *	assert_int_equal(heard.dead, 0);
 *
 * The server listens on a unix socket in a directory of its own and lives as
 * long as the group: start_all(), end_all().
 *
 * Memory: one of each, static in the program that includes this.
 */
#ifndef RDSERVER_H
#define RDSERVER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crew.h"
#include "mem.h"
#include "rdconn.h"
#include "resolve.h"

#define LONG_MS 60000
#define SHORT_MS 150

static char dir[64];
static char sock[96];
static pid_t server;

static struct loop *loop;
static struct crew *crew;
static struct resolve *resolver;

/* What an owner heard. */
static struct {
	struct rdconn *conn;
	int ready, dead;
	struct err why;
	int pushes;
	char pushed[16][64]; /* "kind channel payload" */
	int stop_at_push;
} heard;

/* A command that notes what became of it. */
struct call {
	struct rdcmd cmd;
	int done;
	bool failed;
	int code;
	enum rdreply_kind kind;
	int64_t integer;
	size_t n;
	char text[64];
	int order; /* how many were done before it */
	bool stop;
	void (*then)(struct call *);
};

static int done_so_far;

/* ---- servers ------------------------------------------------------------ */

static inline int
dial(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	close(fd);
	return -1;
}

static inline void
wait_for_socket(const char *path)
{
	for (;;) {
		int fd = dial(path);

		if (fd >= 0) {
			close(fd);
			return;
		}
		usleep(2000);
	}
}

static inline pid_t
start_redis(const char *password)
{
	pid_t pid;

	unlink(sock);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execlp("redis-server", "redis-server", "--port", "0",
		       "--unixsocket", sock, "--save", "", "--dir", dir,
		       "--logfile", "redis.log", "--requirepass", password,
		       (char *)NULL);
		_exit(127);
	}
	wait_for_socket(sock);
	return pid;
}

static inline void
end_process(pid_t pid)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* ---- owner and commands ------------------------------------------------- */

static inline void
on_ready(struct rdconn *c, void *arg)
{
	assert_ptr_equal(arg, &heard);
	assert_ptr_equal(c, heard.conn);
	assert_int_equal(rdconn_state(c), RDCONN_READY);
	heard.ready++;
	loop_stop(loop);
}

static inline void
on_dead(struct rdconn *c, void *arg, const struct err *why)
{
	assert_ptr_equal(arg, &heard);
	assert_int_equal(rdconn_state(c), RDCONN_DEAD);
	assert_int_equal(rdconn_load(c), 0);
	heard.dead++;
	heard.why = *why;
	loop_stop(loop);
}

static inline void
part(char *out, size_t room, const struct rdreply *r)
{
	if (r->kind == RDREPLY_INTEGER)
		snprintf(out, room, "%lld", (long long)r->integer);
	else
		snprintf(out, room, "%s", r->text != NULL ? r->text : "nil");
}

static inline void
on_push(struct rdconn *c, void *arg, const struct rdreply *r)
{
	char p[3][20];

	(void)c, (void)arg;
	assert_int_equal(r->kind, RDREPLY_ARRAY);
	assert_in_range(r->n, 3, 4);
	for (int i = 0; i < 3; i++)
		part(p[i], sizeof(p[i]), &r->at[i]);
	snprintf(heard.pushed[heard.pushes % 16], 64, "%s %s %s", p[0], p[1],
		 p[2]);
	if (++heard.pushes == heard.stop_at_push)
		loop_stop(loop);
}

static inline void
on_done(struct rdcmd *cmd, const struct rdreply *r, const struct err *e)
{
	struct call *call = CONTAINER_OF(cmd, struct call, cmd);

	assert_true((r == NULL) != (e == NULL));
	call->done++;
	call->order = done_so_far++;
	call->failed = e != NULL;
	call->code = e != NULL ? e->code : 0;
	if (r != NULL) {
		call->kind = r->kind;
		call->integer = r->integer;
		call->n = r->n;
		part(call->text, sizeof(call->text), r);
	}
	if (call->stop)
		loop_stop(loop);
	if (call->then != NULL)
		call->then(call);
}

static inline void
call_init(struct call *call)
{
	memset(call, 0, sizeof(*call));
	rdcmd_init(&call->cmd, on_done);
}

/* The words of a command are separated by one space. */
static inline int
try_send(struct call *call, const char *text, int timeout_ms, struct err *e)
{
	const char *words[16];
	char copy[512], *save = NULL;
	struct rdargs a = {.at = words, .timeout_ms = timeout_ms};

	snprintf(copy, sizeof(copy), "%s", text);
	for (char *w = strtok_r(copy, " ", &save); w != NULL;
	     w = strtok_r(NULL, " ", &save))
		words[a.n++] = w;
	return rdconn_send(heard.conn, &call->cmd, &a, e);
}

static inline void
send_text(struct call *call, const char *text)
{
	struct err e;

	assert_int_equal(try_send(call, text, LONG_MS, &e), 0);
	assert_int_equal(call->done, 0);
}

static inline void
ask(struct call *call, const char *text)
{
	call_init(call);
	call->stop = true;
	send_text(call, text);
	loop_run(loop);
	assert_int_equal(call->done, 1);
}

static inline void
connect_within(const char *url, int connect_ms)
{
	struct rdconn_owner owner = {&heard, on_ready, on_push, on_dead};
	struct rdurl u;
	struct rdconn_opts opts = {&u, resolver, connect_ms};
	struct err e;

	memset(&heard, 0, sizeof(heard));
	assert_int_equal(rdurl_parse(&u, url, &e), 0);
	heard.conn = rdconn_open(loop, &opts, &owner);
	assert_int_equal(rdconn_state(heard.conn), RDCONN_CONNECTING);
	loop_run(loop);
	assert_int_equal(heard.ready + heard.dead, 1);
}

/* `rest` follows the path; `login` stands before it. */
static inline void
connect_to(const char *login, const char *path, const char *rest)
{
	char url[256];

	snprintf(url, sizeof(url), "unix://%s%s%s", login, path, rest);
	connect_within(url, LONG_MS);
}

static inline void
connect_ready(void)
{
	connect_to("", sock, "");
	assert_int_equal(heard.ready, 1);
}

static inline int
setup(void **state)
{
	(void)state;
	alarm(20);
	done_so_far = 0;
	loop = loop_new();
	crew = crew_new(1);
	resolver = resolve_new(loop, crew, 0, resolve_system);
	memset(&heard, 0, sizeof(heard));
	return 0;
}

static inline int
teardown(void **state)
{
	(void)state;
	if (heard.conn != NULL)
		rdconn_free(&heard.conn);
	resolve_free(&resolver);
	crew_free(&crew, LONG_MS);
	loop_free(&loop);
	return 0;
}

/* ---- the group ---------------------------------------------------------- */

static inline int
start_all(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/lunate-rdconn-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(sock, sizeof(sock), "%s/s", dir);
	if (system("command -v redis-server >/dev/null") != 0)
		fail_msg("redis-server is not installed; make setup installs "
			 "it");
	server = start_redis("");
	return 0;
}

static inline int
end_all(void **state)
{
	char command[128];

	(void)state;
	end_process(server);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
