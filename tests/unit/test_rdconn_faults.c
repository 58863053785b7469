/* SPDX-License-Identifier: MIT
 *
 * rdconn when the server is away, stopped, killed, or lies. */
#include "rdserver.h"

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

static void
a_login_is_used_and_a_wrong_one_is_named_so(void **state)
{
	struct call c;
	char saved[sizeof(sock)];
	pid_t pid;

	(void)state;
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
a_killed_server_fails_each_command_once_and_not_us(void **state)
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
a_drain_while_connecting_ends_it_but_not_inside_the_call(void **state)
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_login_is_used_and_a_wrong_one_is_named_so),
		TEST(a_password_where_none_is_set_is_refused_as_a_login),
		TEST(a_server_that_is_not_there_is_an_error_that_says_where),
		TEST(a_stopped_server_does_not_pass_for_connected),
		TEST(a_late_reply_ends_the_connection_and_every_command_once),
		TEST(a_killed_server_fails_each_command_once_and_not_us),
		TEST(a_command_whose_bytes_never_left_is_lost_not_in_doubt),
		TEST(a_drain_waits_for_the_replies_and_takes_nothing_new),
		TEST(a_drain_while_connecting_ends_it_but_not_inside_the_call),
		TEST(a_callback_may_free_the_connection),
		TEST(a_server_that_lies_ends_the_connection),
	};

	return cmocka_run_group_tests(tests, start_all, end_all);
}
