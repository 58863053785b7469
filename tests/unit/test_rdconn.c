/* SPDX-License-Identifier: MIT
 *
 * Against a redis-server of our own, on a unix socket in a directory of our
 * own; skipped when there is none on this machine. */
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
static bool have_redis;
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

/* ---- servers -------------------------------------------------------------- */

static int
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

static void
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

static pid_t
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

static void
end_process(pid_t pid)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* A server that answers whatever it reads first with these bytes and then
 * says nothing more. */
static pid_t
start_liar(const char *bytes)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	pid_t pid;

	snprintf(a.sun_path, sizeof(a.sun_path), "%s.liar", sock);
	unlink(a.sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 4), 0);
	pid = fork();
	if (pid == 0) {
		char buf[512];
		int to;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		to = accept(fd, NULL, NULL);

		if (read(to, buf, sizeof(buf)) > 0 &&
		    write(to, bytes, strlen(bytes)) > 0)
			for (;;)
				pause();
		_exit(0);
	}
	close(fd);
	return pid;
}

/* ---- owner and commands --------------------------------------------------- */

static void
on_ready(struct rdconn *c, void *arg)
{
	assert_ptr_equal(arg, &heard);
	assert_ptr_equal(c, heard.conn);
	assert_int_equal(rdconn_state(c), RDCONN_READY);
	heard.ready++;
	loop_stop(loop);
}

static void
on_dead(struct rdconn *c, void *arg, const struct err *why)
{
	assert_ptr_equal(arg, &heard);
	assert_int_equal(rdconn_state(c), RDCONN_DEAD);
	assert_int_equal(rdconn_load(c), 0);
	heard.dead++;
	heard.why = *why;
	loop_stop(loop);
}

static void
part(char *out, size_t room, const struct rdreply *r)
{
	if (r->kind == RDREPLY_INTEGER)
		snprintf(out, room, "%lld", (long long)r->integer);
	else
		snprintf(out, room, "%s", r->text != NULL ? r->text : "nil");
}

static void
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

static void
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

static void
call_init(struct call *call)
{
	memset(call, 0, sizeof(*call));
	rdcmd_init(&call->cmd, on_done);
}

/* The words of a command are separated by one space. */
static int
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

static void
send_text(struct call *call, const char *text)
{
	struct err e;

	assert_int_equal(try_send(call, text, LONG_MS, &e), 0);
	assert_int_equal(call->done, 0);
}

static void
ask(struct call *call, const char *text)
{
	call_init(call);
	call->stop = true;
	send_text(call, text);
	loop_run(loop);
	assert_int_equal(call->done, 1);
}

static void
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
static void
connect_to(const char *login, const char *path, const char *rest)
{
	char url[256];

	snprintf(url, sizeof(url), "unix://%s%s%s", login, path, rest);
	connect_within(url, LONG_MS);
}

static void
connect_ready(void)
{
	if (!have_redis)
		skip();
	connect_to("", sock, "");
	assert_int_equal(heard.ready, 1);
}

static int
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

static int
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

/* ---- tests ---------------------------------------------------------------- */

static void
each_kind_of_reply_is_seen_as_it_is(void **state)
{
	struct call c;

	(void)state;
	connect_ready();
	ask(&c, "SET k value");
	assert_int_equal(c.kind, RDREPLY_STATUS);
	assert_string_equal(c.text, "OK");
	ask(&c, "GET k");
	assert_int_equal(c.kind, RDREPLY_STRING);
	assert_string_equal(c.text, "value");
	ask(&c, "GET absent");
	assert_int_equal(c.kind, RDREPLY_NIL);
	ask(&c, "INCRBY n -41");
	assert_int_equal(c.kind, RDREPLY_INTEGER);
	assert_int_equal(c.integer, -41);
	ask(&c, "MGET k absent k");
	assert_int_equal(c.kind, RDREPLY_ARRAY);
	assert_int_equal(c.n, 3);
	ask(&c, "LRANGE absent 0 -1");
	assert_int_equal(c.kind, RDREPLY_ARRAY);
	assert_int_equal(c.n, 0);
	ask(&c, "INCR k");
	assert_int_equal(c.kind, RDREPLY_ERROR);
	assert_false(c.failed);
}

static struct {
	char bytes[70000];
	size_t len;
} got;

static void
copy_reply(struct rdcmd *cmd, const struct rdreply *r, const struct err *e)
{
	(void)cmd;
	assert_null(e);
	got.len = r->len;
	assert_in_range(r->len, 1, sizeof(got.bytes));
	memcpy(got.bytes, r->text, r->len);
	loop_stop(loop);
}

static void
values_keep_every_byte(void **state)
{
	static char value[sizeof(got.bytes)];
	const char *set[] = {"SET", "bin", value}, *get[] = {"GET", "bin"};
	size_t len[] = {3, 3, sizeof(value)};
	struct rdargs a = {3, set, len, LONG_MS};
	struct call c;
	struct rdcmd cmd;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(value); i++)
		value[i] = (char)(i * 7);
	connect_ready();
	call_init(&c);
	rdcmd_init(&cmd, copy_reply);
	assert_int_equal(rdconn_send(heard.conn, &c.cmd, &a, &e), 0);
	a.n = 2;
	a.at = get;
	assert_int_equal(rdconn_send(heard.conn, &cmd, &a, &e), 0);
	loop_run(loop);
	assert_int_equal(got.len, sizeof(value));
	assert_memory_equal(got.bytes, value, sizeof(value));
}

static void
thousands_of_commands_are_answered_in_order(void **state)
{
	enum { N = 20000 };
	struct call *c = mem_new(N * sizeof(*c));
	char text[32];

	(void)state;
	if (!have_redis) {
		mem_free(c);
		skip();
	}
	connect_ready();
	for (int i = 0; i < N; i++) {
		call_init(&c[i]);
		c[i].stop = i == N - 1;
		snprintf(text, sizeof(text), "ECHO %d", i);
		send_text(&c[i], text);
	}
	assert_int_equal(rdconn_load(heard.conn), N);
	loop_run(loop);
	for (int i = 0; i < N; i++) {
		assert_int_equal(c[i].done, 1);
		assert_int_equal(c[i].order, i);
		assert_int_equal(atoi(c[i].text), i);
	}
	assert_int_equal(rdconn_load(heard.conn), 0);
	mem_free(c);
}

static void
the_database_of_the_url_is_selected(void **state)
{
	struct call c;

	(void)state;
	connect_ready();
	ask(&c, "SET where zero");
	rdconn_free(&heard.conn);
	connect_to("", sock, "?db=1");
	assert_int_equal(heard.ready, 1);
	ask(&c, "SET where one");
	ask(&c, "SELECT 0");
	ask(&c, "GET where");
	assert_string_equal(c.text, "zero");
	rdconn_free(&heard.conn);
	connect_to("", sock, "?db=60000");
	assert_int_equal(heard.dead, 1);
	assert_int_equal(heard.ready, 0);
	assert_int_equal(heard.why.code, LUNATE_ECONFIG);
}

static void
a_login_is_used_and_a_wrong_one_is_named_so(void **state)
{
	struct call c;
	char saved[sizeof(sock)];
	pid_t pid;

	(void)state;
	if (!have_redis)
		skip();
	strcpy(saved, sock);
	snprintf(sock, sizeof(sock), "%.80s.auth", saved);
	pid = start_redis("s3cret");
	connect_to(":s3cret@", sock, "?db=2");
	assert_int_equal(heard.ready, 1);
	ask(&c, "PING");
	assert_string_equal(c.text, "PONG");
	rdconn_free(&heard.conn);
	connect_to("default:s3cret@", sock, "");
	assert_int_equal(heard.ready, 1);
	rdconn_free(&heard.conn);
	connect_to(":wr0ng@", sock, "");
	assert_int_equal(heard.dead, 1);
	assert_int_equal(heard.why.code, LUNATE_EAUTH);
	assert_null(strstr(heard.why.text, "wr0ng"));
	rdconn_free(&heard.conn);
	connect_to("", sock, "");
	assert_int_equal(heard.dead, 1);
	assert_int_equal(heard.why.code, LUNATE_EAUTH);
	strcpy(sock, saved);
	end_process(pid);
}

static void
a_password_where_none_is_set_is_refused_as_a_login(void **state)
{
	(void)state;
	if (!have_redis)
		skip();
	connect_to(":uncalled@", sock, "");
	assert_int_equal(heard.dead, 1);
	assert_int_equal(heard.why.code, LUNATE_EAUTH);
	assert_null(strstr(heard.why.text, "uncalled"));
}

static void
a_server_that_is_not_there_is_an_error_that_says_where(void **state)
{
	(void)state;
	connect_to("", "/nonexistent/redis.sock", "");
	assert_int_equal(heard.dead, 1);
	assert_int_equal(heard.why.code, LUNATE_ECONNECT);
	assert_non_null(strstr(heard.why.text, "/nonexistent/redis.sock"));
	rdconn_free(&heard.conn);
	connect_within("redis://:hunter2@127.0.0.1:1", LONG_MS);
	assert_int_equal(heard.dead, 1);
	assert_int_equal(heard.why.code, LUNATE_ECONNECT);
	assert_non_null(strstr(heard.why.text, "127.0.0.1:1"));
	assert_null(strstr(heard.why.text, "hunter2"));
	rdconn_free(&heard.conn);
	connect_within("redis://nothing.invalid", LONG_MS);
	assert_int_equal(heard.why.code, LUNATE_ECONNECT);
	assert_non_null(strstr(heard.why.text, "nothing.invalid"));
}

static void
a_stopped_server_does_not_pass_for_connected(void **state)
{
	char url[256];

	(void)state;
	if (!have_redis)
		skip();
	kill(server, SIGSTOP);
	snprintf(url, sizeof(url), "unix://%s", sock);
	connect_within(url, SHORT_MS);
	kill(server, SIGCONT);
	assert_int_equal(heard.dead, 1);
	assert_int_equal(heard.ready, 0);
	assert_int_equal(heard.why.code, LUNATE_ECONNECT);
}

static void
a_late_reply_ends_the_connection_and_every_command_once(void **state)
{
	enum { N = 50 };
	struct call c[N], ok;
	struct err e;

	(void)state;
	connect_ready();
	ask(&ok, "PING");
	kill(server, SIGSTOP);
	for (int i = 0; i < N; i++) {
		call_init(&c[i]);
		assert_int_equal(try_send(&c[i], "INCR late",
					  i == 7 ? SHORT_MS : LONG_MS, &e),
				 0);
	}
	loop_run(loop);
	kill(server, SIGCONT);
	assert_int_equal(heard.dead, 1);
	assert_int_equal(heard.why.code, LUNATE_EDEADLINE);
	for (int i = 0; i < N; i++) {
		assert_int_equal(c[i].done, 1);
		assert_true(c[i].failed);
		assert_int_equal(c[i].code,
				 i == 7 ? LUNATE_EDEADLINE : LUNATE_EINDOUBT);
	}
	call_init(&ok);
	assert_int_equal(try_send(&ok, "PING", LONG_MS, &e), LUNATE_ECLOSED);
	assert_int_equal(ok.done, 0);
}

/* SIGPIPE would end this process: it is neither blocked nor ignored. */
static void
a_killed_server_fails_every_command_once_and_not_the_process(void **state)
{
	enum { N = 100 };
	struct call c[N];

	(void)state;
	connect_ready();
	end_process(server);
	for (int i = 0; i < N; i++) {
		call_init(&c[i]);
		send_text(&c[i], "INCR gone");
	}
	loop_run(loop);
	assert_int_equal(heard.dead, 1);
	for (int i = 0; i < N; i++) {
		assert_int_equal(c[i].done, 1);
		assert_int_equal(c[i].order, i);
		assert_true(c[i].code == LUNATE_ELOST ||
			    c[i].code == LUNATE_EINDOUBT);
	}
	server = start_redis("");
}

/* What the socket of a stopped server could not take was not sent. */
static void
a_command_whose_bytes_never_left_is_lost_not_in_doubt(void **state)
{
	static char value[4 << 20];
	const char *set[] = {"SET", "big", value};
	size_t len[] = {3, 3, sizeof(value)};
	struct rdargs a = {3, set, len, SHORT_MS};
	struct call big, after;
	struct err e;

	(void)state;
	connect_ready();
	kill(server, SIGSTOP);
	call_init(&big);
	call_init(&after);
	assert_int_equal(rdconn_send(heard.conn, &big.cmd, &a, &e), 0);
	send_text(&after, "SET small 1");
	loop_run(loop);
	kill(server, SIGCONT);
	assert_int_equal(big.code, LUNATE_EDEADLINE);
	assert_int_equal(after.code, LUNATE_ELOST);
}

static void
more_than_may_wait_is_refused_and_the_rest_goes_on(void **state)
{
	const size_t size = 40u << 20;
	char *value = mem_new(size);
	const char *set[] = {"ECHO", value};
	size_t len[] = {4, size};
	struct rdargs a = {2, set, len, LONG_MS};
	struct call first, second;
	struct err e;

	(void)state;
	if (!have_redis) {
		mem_free(value);
		skip();
	}
	connect_ready();
	call_init(&first);
	call_init(&second);
	first.stop = true;
	assert_int_equal(rdconn_send(heard.conn, &first.cmd, &a, &e), 0);
	assert_int_equal(rdconn_send(heard.conn, &second.cmd, &a, &e),
			 LUNATE_ERESOURCE);
	loop_run(loop);
	assert_int_equal(first.kind, RDREPLY_STRING);
	assert_int_equal(second.done, 0);
	ask(&second, "PING");
	assert_string_equal(second.text, "PONG");
	mem_free(value);
}

static void
commands_that_lose_the_order_of_replies_are_refused(void **state)
{
	static const char *const bad[] = {
		"MONITOR", "hello 3",	       "Reset",	       "SYNC",
		"PSYNC",   "CLIENT reply off", "SSUBSCRIBE a",
	};
	struct call c;
	struct err e;

	(void)state;
	connect_ready();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		call_init(&c);
		assert_int_equal(try_send(&c, bad[i], LONG_MS, &e),
				 LUNATE_EUNSUPPORTED);
	}
	assert_int_equal(try_send(&c, "UNSUBSCRIBE", LONG_MS, &e),
			 LUNATE_EPARAM);
	assert_int_equal(rdconn_load(heard.conn), 0);
}

static void
messages_are_pushed_beside_the_replies(void **state)
{
	struct rdconn *listener;
	struct rdconn_owner quiet = {&heard, on_ready, NULL, NULL};
	struct rdconn_opts opts;
	struct call c, ping, last;
	struct rdurl u;
	struct err e;
	char url[256];

	(void)state;
	connect_ready();
	ask(&c, "RPUSH l message chan text");
	call_init(&c);
	send_text(&c, "LRANGE l 0 -1"); /* looks like a message, is none */
	ask(&ping, "SUBSCRIBE one two");
	assert_int_equal(c.n, 3);
	assert_int_equal(heard.pushes, 2);
	assert_string_equal(heard.pushed[0], "subscribe one 1");
	assert_string_equal(heard.pushed[1], "subscribe two 2");
	assert_int_equal(ping.integer, 0);
	ask(&ping, "PSUBSCRIBE t*");
	assert_string_equal(heard.pushed[2], "psubscribe t* 3");

	listener = heard.conn;
	snprintf(url, sizeof(url), "unix://%s", sock);
	assert_int_equal(rdurl_parse(&u, url, &e), 0);
	opts = (struct rdconn_opts){&u, resolver, LONG_MS};
	heard.conn = rdconn_open(loop, &opts, &quiet);
	loop_run(loop);
	call_init(&c);
	heard.stop_at_push = 6;
	send_text(&c, "PUBLISH one hello");
	call_init(&ping);
	send_text(&ping, "PUBLISH two world");
	loop_run(loop);
	assert_string_equal(heard.pushed[3], "message one hello");
	assert_string_equal(heard.pushed[4], "message two world");
	assert_string_equal(heard.pushed[5], "pmessage t* two");
	rdconn_free(&heard.conn);

	heard.conn = listener;
	ask(&ping, "PING");
	assert_int_equal(ping.kind, RDREPLY_ARRAY);
	ask(&c, "GET l"); /* not while subscribed: an error, in its place */
	assert_int_equal(c.kind, RDREPLY_ERROR);
	call_init(&c);
	send_text(&c, "UNSUBSCRIBE one two");
	call_init(&ping);
	send_text(&ping, "PUNSUBSCRIBE t*");
	ask(&last, "DEL l");
	assert_int_equal(last.integer, 1);
	assert_string_equal(heard.pushed[8], "punsubscribe t* 0");
}

static void
a_forgotten_command_keeps_its_place_in_the_order(void **state)
{
	struct call a, gone, b;

	(void)state;
	connect_ready();
	call_init(&a);
	call_init(&gone);
	call_init(&b);
	b.stop = true;
	send_text(&a, "ECHO a");
	send_text(&gone, "ECHO gone");
	send_text(&b, "ECHO b");
	rdconn_forget(heard.conn, &gone.cmd);
	rdconn_forget(heard.conn, &gone.cmd);
	memset(&gone, 0, sizeof(gone));
	loop_run(loop);
	assert_string_equal(a.text, "a");
	assert_string_equal(b.text, "b");
	assert_int_equal(gone.done, 0);
	call_init(&gone);
	send_text(&gone, "ECHO again");
	rdconn_forget(heard.conn,
		      &gone.cmd); /* and freed with it outstanding */
}

static void
a_drain_waits_for_the_replies_and_takes_nothing_new(void **state)
{
	struct call a, b;
	struct err e;

	(void)state;
	connect_ready();
	call_init(&a);
	call_init(&b);
	send_text(&a, "ECHO last");
	rdconn_drain(heard.conn);
	assert_int_equal(rdconn_state(heard.conn), RDCONN_DRAINING);
	assert_int_equal(try_send(&b, "PING", LONG_MS, &e), LUNATE_ECLOSED);
	loop_run(loop);
	assert_string_equal(a.text, "last");
	assert_int_equal(heard.dead, 1);
	assert_int_equal(heard.why.code, LUNATE_ECLOSED);
	rdconn_drain(heard.conn);
	assert_int_equal(heard.dead, 1);
}

static void
a_drain_while_connecting_ends_at_once_but_not_inside_the_call(void **state)
{
	struct rdconn_owner owner = {&heard, on_ready, on_push, on_dead};
	struct rdurl u;
	struct rdconn_opts opts = {&u, resolver, LONG_MS};
	struct call c;
	struct err e;

	(void)state;
	assert_int_equal(rdurl_parse(&u, "redis://127.0.0.1:1", &e), 0);
	heard.conn = rdconn_open(loop, &opts, &owner);
	call_init(&c);
	assert_int_equal(try_send(&c, "PING", LONG_MS, &e), LUNATE_EBUSY);
	rdconn_drain(heard.conn);
	assert_int_equal(heard.dead, 0);
	loop_run(loop);
	assert_int_equal(heard.dead, 1);
	assert_int_equal(heard.why.code, LUNATE_ECLOSED);
}

static void
free_it(struct call *call)
{
	(void)call;
	rdconn_free(&heard.conn);
	loop_stop(loop);
}

static void
a_callback_may_free_the_connection(void **state)
{
	struct call a, b;

	(void)state;
	connect_ready();
	call_init(&a);
	call_init(&b);
	a.then = free_it;
	send_text(&a, "ECHO a");
	send_text(&b, "ECHO b");
	loop_run(loop);
	assert_int_equal(a.done, 1);
	assert_int_equal(b.done, 0);
	assert_null(heard.conn);
	connect_ready(); /* the same from a failure */
	end_process(server);
	call_init(&a);
	call_init(&b);
	a.then = free_it;
	send_text(&a, "ECHO a");
	send_text(&b, "ECHO b");
	loop_run(loop);
	assert_true(a.failed);
	assert_int_equal(b.done + heard.dead, 0);
	server = start_redis("");
}

static void
send_another(struct call *call)
{
	call->then = NULL;
	call->stop = true;
	call->done = 0;
	send_text(call, "ECHO second");
}

static void
a_callback_may_send_the_next_command(void **state)
{
	struct call c;

	(void)state;
	connect_ready();
	call_init(&c);
	c.then = send_another;
	send_text(&c, "ECHO first");
	loop_run(loop);
	assert_string_equal(c.text, "second");
}

static void
a_server_that_lies_ends_the_connection(void **state)
{
	static const struct {
		const char *says;
		int ready, code;
	} lies[] = {
		{"+PONG\r\n+more\r\n", 1, LUNATE_EIO},
		{"+PONG\r\n*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n", 1,
		 LUNATE_EIO},
		{"HTTP/1.1 400 Bad Request\r\n", 0, LUNATE_EIO},
		{"*1000000000000\r\n", 0, LUNATE_EIO},
		{"$-7\r\n", 0, LUNATE_EIO},
		{"-ERR max number of clients reached\r\n", 0, LUNATE_ERESOURCE},
		{"-LOADING Redis is loading\r\n", 0, LUNATE_ERESOURCE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		pid_t pid = start_liar(lies[i].says);
		char path[128];

		snprintf(path, sizeof(path), "%s.liar", sock);
		connect_to("", path, "");
		if (heard.ready && heard.dead == 0)
			loop_run(loop);
		assert_int_equal(heard.ready, lies[i].ready);
		assert_int_equal(heard.dead, 1);
		assert_int_equal(heard.why.code, lies[i].code);
		rdconn_free(&heard.conn);
		end_process(pid);
	}
}

static void
an_error_reply_becomes_an_error_without_its_text(void **state)
{
	static const struct {
		const char *text;
		int code;
	} replies[] = {
		{"WRONGTYPE hunter2", LUNATE_EVALUE},
		{"NOAUTH hunter2", LUNATE_EAUTH},
		{"READONLY hunter2", LUNATE_EREADONLY},
		{"ERR unknown command 'hunter2'", LUNATE_EQUERY},
		{"HUNTER hunter2", LUNATE_EQUERY},
		{"OOMPH hunter2", LUNATE_EQUERY},
		{"", LUNATE_EQUERY},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		struct rdreply r = {.kind = RDREPLY_ERROR,
				    .text = replies[i].text,
				    .len = strlen(replies[i].text)};
		struct err e;

		assert_int_equal(rdreply_err(&r, &e), replies[i].code);
		assert_null(strstr(e.text, "hunter2"));
		assert_null(strstr(e.text, "HUNTER"));
	}
}

/* ---- the group ------------------------------------------------------------ */

static int
start_all(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/lunate-rdconn-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(sock, sizeof(sock), "%s/s", dir);
	have_redis = system("command -v redis-server >/dev/null") == 0;
	if (have_redis)
		server = start_redis("");
	else
		print_message("redis-server is not installed: "
			      "tests that need it are skipped\n");
	return 0;
}

static int
end_all(void **state)
{
	char command[128];

	(void)state;
	if (have_redis)
		end_process(server);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_kind_of_reply_is_seen_as_it_is),
		TEST(values_keep_every_byte),
		TEST(thousands_of_commands_are_answered_in_order),
		TEST(the_database_of_the_url_is_selected),
		TEST(a_login_is_used_and_a_wrong_one_is_named_so),
		TEST(a_password_where_none_is_set_is_refused_as_a_login),
		TEST(a_server_that_is_not_there_is_an_error_that_says_where),
		TEST(a_stopped_server_does_not_pass_for_connected),
		TEST(a_late_reply_ends_the_connection_and_every_command_once),
		TEST(a_killed_server_fails_every_command_once_and_not_the_process),
		TEST(a_command_whose_bytes_never_left_is_lost_not_in_doubt),
		TEST(more_than_may_wait_is_refused_and_the_rest_goes_on),
		TEST(commands_that_lose_the_order_of_replies_are_refused),
		TEST(messages_are_pushed_beside_the_replies),
		TEST(a_forgotten_command_keeps_its_place_in_the_order),
		TEST(a_drain_waits_for_the_replies_and_takes_nothing_new),
		TEST(a_drain_while_connecting_ends_at_once_but_not_inside_the_call),
		TEST(a_callback_may_free_the_connection),
		TEST(a_callback_may_send_the_next_command),
		TEST(a_server_that_lies_ends_the_connection),
		TEST(an_error_reply_becomes_an_error_without_its_text),
	};

	return cmocka_run_group_tests(tests, start_all, end_all);
}
