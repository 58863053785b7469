/* SPDX-License-Identifier: MIT
 *
 * rdconn as long as all goes well: see rdserver.h for the server. */
#include "rdserver.h"

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

/* A second connection says what the first listens to. */
static void
publish_twice(void)
{
	struct rdconn *listener = heard.conn;
	struct rdconn_owner quiet = {&heard, on_ready, NULL, NULL};
	struct rdurl u;
	struct rdconn_opts opts = {&u, resolver, LONG_MS};
	struct call one, two;
	struct err e;
	char url[256];

	snprintf(url, sizeof(url), "unix://%s", sock);
	assert_int_equal(rdurl_parse(&u, url, &e), 0);
	heard.conn = rdconn_open(loop, &opts, &quiet);
	loop_run(loop);
	call_init(&one);
	call_init(&two);
	heard.stop_at_push = heard.pushes + 3;
	send_text(&one, "PUBLISH one hello");
	send_text(&two, "PUBLISH two world");
	loop_run(loop);
	rdconn_free(&heard.conn);
	heard.conn = listener;
}

static void
messages_are_pushed_beside_the_replies(void **state)
{
	struct call c, ping;

	(void)state;
	connect_ready();
	ask(&c, "DEL l");
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
	publish_twice();
	assert_string_equal(heard.pushed[3], "message one hello");
	assert_string_equal(heard.pushed[4], "message two world");
	assert_string_equal(heard.pushed[5], "pmessage t* two");
}

static void
replies_keep_their_place_while_subscribed_and_after(void **state)
{
	struct call c, other, last;

	(void)state;
	connect_ready();
	ask(&c, "DEL l");
	ask(&c, "RPUSH l element");
	ask(&c, "SUBSCRIBE one");
	ask(&c, "PSUBSCRIBE t*");
	ask(&c, "PING");
	assert_int_equal(c.kind, RDREPLY_ARRAY);
	ask(&c, "GET l"); /* not while subscribed: an error, in its place */
	assert_int_equal(c.kind, RDREPLY_ERROR);
	call_init(&c);
	send_text(&c, "UNSUBSCRIBE one");
	call_init(&other);
	send_text(&other, "PUNSUBSCRIBE t*");
	ask(&last, "DEL l");
	assert_int_equal(last.integer, 1);
	assert_string_equal(heard.pushed[3], "punsubscribe t* 0");
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
	/* And freed with it outstanding. */
	rdconn_forget(heard.conn, &gone.cmd);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_kind_of_reply_is_seen_as_it_is),
		TEST(values_keep_every_byte),
		TEST(thousands_of_commands_are_answered_in_order),
		TEST(the_database_of_the_url_is_selected),
		TEST(more_than_may_wait_is_refused_and_the_rest_goes_on),
		TEST(commands_that_lose_the_order_of_replies_are_refused),
		TEST(messages_are_pushed_beside_the_replies),
		TEST(replies_keep_their_place_while_subscribed_and_after),
		TEST(a_forgotten_command_keeps_its_place_in_the_order),
		TEST(a_callback_may_send_the_next_command),
		TEST(an_error_reply_becomes_an_error_without_its_text),
	};

	return cmocka_run_group_tests(tests, start_all, end_all);
}
