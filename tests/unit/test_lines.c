/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lines.h"
#include "mem.h"
#include "str.h"

static char dir[64], path[128];
static struct loop *loop;
static struct lines *server;
static int nlines;
static uint64_t asked_later; /* the peer that said "later" */

static void
on_line(struct lines *s, struct lines_peer *p, const char *line, void *arg)
{
	char *big;

	assert_ptr_equal(arg, dir);
	nlines++;
	if (strcmp(line, "later") == 0) {
		asked_later = lines_number(p);
		return;
	}
	if (strcmp(line, "big") != 0) {
		lines_send(p, line, strlen(line)); /* an echo */
		return;
	}
	big = malloc(LINES_PENDING);
	memset(big, 'x', LINES_PENDING);
	lines_send(p, big, LINES_PENDING);
	free(big);
}

static const struct lines_owner owner = {path, on_line, "too long", dir};

static int
begin(void **state)
{
	struct err e;

	alarm(30);
	strcpy(dir, "/tmp/lunate-lines-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/run/1.sock", dir);
	loop = loop_new();
	nlines = 0;
	asked_later = 0;
	assert_int_equal(lines_new(&server, loop, &owner, &e), 0);
	return 0;
}

static int
end(void **state)
{
	char folder[128];

	if (server != NULL)
		lines_free(&server);
	loop_free(&loop);
	unlink(path);
	snprintf(folder, sizeof(folder), "%s/run", dir);
	rmdir(folder);
	return rmdir(dir);
}

static int
dial(void)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(to.sun_path, path, strlen(path));
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static void
say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL),
			 strlen(text));
}

/* What comes until the wanted text has come, or the other side hangs up. */
static void
expect(int fd, const char *wanted)
{
	char got[5000];
	size_t n = 0;
	ssize_t k = -1;

	while (n < strlen(wanted) && k != 0) {
		loop_turn(loop, 0.01);
		k = recv(fd, got + n, strlen(wanted) - n, 0);
		n += k > 0 ? (size_t)k : 0;
	}
	got[n] = 0;
	assert_string_equal(got, wanted);
}

static void
expect_end(int fd)
{
	char c;
	ssize_t k;

	while ((k = recv(fd, &c, 1, 0)) < 0 && errno == EAGAIN)
		loop_turn(loop, 0.01);
	assert_true(k <= 0);
	close(fd);
}

static void
a_line_gets_its_answer(void **state)
{
	int fd = dial();

	say(fd, "one\n");
	expect(fd, "one\n");
	say(fd, "tw");
	loop_turn(loop, 0.01);
	loop_turn(loop, 0.01);
	assert_int_equal(nlines, 1);
	say(fd, "o\nthree\n");
	expect(fd, "two\nthree\n");
	close(fd);
}

static void
only_we_may_come_in(void **state)
{
	struct stat st;
	char folder[128];

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	snprintf(folder, sizeof(folder), "%s/run", dir);
	assert_int_equal(stat(folder, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
}

static void
several_are_served_at_once(void **state)
{
	int a = dial(), b = dial(), c = dial();

	say(a, "from a");
	say(b, "from b\n");
	say(c, "from c\n");
	expect(c, "from c\n");
	expect(b, "from b\n");
	say(a, "\n");
	expect(a, "from a\n");
	close(a), close(b), close(c);
}

static void
who_does_not_read_keeps_none_waiting_and_is_not_read_from(void **state)
{
	int slow = dial(), fast = dial();

	for (int i = 0; i < 100; i++)
		say(slow, "big\n");
	for (int i = 0; i < 20; i++) {
		say(fast, "hello\n");
		expect(fast, "hello\n");
	}
	/* The kernel's buffer takes a few; no more than two wait here. */
	assert_true(nlines < 20 + 50);
	close(slow);
	say(fast, "still here\n");
	expect(fast, "still here\n");
	close(fast);
}

static void
what_was_held_back_is_answered_when_it_is_read(void **state)
{
	static char got[LINES_PENDING];
	size_t total = 0;
	int fd = dial();

	for (int i = 0; i < 100; i++)
		say(fd, "big\n");
	while (total < (size_t)100 * (LINES_PENDING + 1)) {
		ssize_t n = recv(fd, got, sizeof(got), 0);

		total += n > 0 ? (size_t)n : 0;
		loop_turn(loop, 0.001);
	}
	assert_int_equal(nlines, 100);
	close(fd);
}

static void
a_line_without_end_is_refused(void **state)
{
	char *text = malloc(LINES_LONGEST + 2);
	int fd = dial(), other = dial();

	memset(text, 'x', LINES_LONGEST + 1);
	text[LINES_LONGEST + 1] = 0;
	say(fd, text);
	expect(fd, "too long\n");
	expect_end(fd);
	assert_int_equal(nlines, 0);
	say(other, "well\n");
	expect(other, "well\n");
	close(other);
	free(text);
}

static void
who_has_finished_sending_still_gets_its_answers(void **state)
{
	int fd = dial();

	say(fd, "later\nlast\n");
	shutdown(fd, SHUT_WR);
	expect(fd, "last\n");
	assert_non_null(lines_peer(server, asked_later));
	lines_send(lines_peer(server, asked_later), "at last", 7);
	expect(fd, "at last\n");
	expect_end(fd);
}

static void
who_hung_up_is_not_found_for_a_late_answer(void **state)
{
	int fd = dial();

	say(fd, "later\n");
	while (asked_later == 0)
		loop_turn(loop, 0.01);
	say(fd, "x\n"); /* an answer that finds nobody ends the peer */
	close(fd);
	while (lines_peer(server, asked_later) != NULL)
		loop_turn(loop, 0.01);
}

static void
more_than_are_allowed_are_turned_away(void **state)
{
	int fds[LINES_PEERS], one_more;

	for (int i = 0; i < LINES_PEERS; i++) {
		fds[i] = dial();
		say(fds[i], "in\n");
		expect(fds[i], "in\n");
	}
	one_more = dial();
	expect_end(one_more);
	close(fds[0]);
	loop_turn(loop, 0.01);
	fds[0] = dial();
	say(fds[0], "again\n");
	expect(fds[0], "again\n");
	for (int i = 0; i < LINES_PEERS; i++)
		close(fds[i]);
}

static void
a_socket_in_use_is_not_taken_and_a_stale_one_is(void **state)
{
	struct lines *second;
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct err e;
	int fd;

	assert_int_equal(lines_new(&second, loop, &owner, &e), LUNATE_EBUSY);
	lines_free(&server);
	assert_int_equal(access(path, F_OK), -1); /* removed at the end */
	memcpy(to.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	close(fd); /* what a process that was killed leaves */
	assert_int_equal(lines_new(&server, loop, &owner, &e), 0);
	fd = dial();
	say(fd, "here\n");
	expect(fd, "here\n");
	close(fd);
}

static void
a_path_that_does_not_fit_is_an_error_that_says_so(void **state)
{
	struct lines_owner o = owner;
	struct lines *second = NULL;
	char longer[200];
	struct err e;

	memset(longer, 'd', sizeof(longer) - 1);
	longer[0] = '/';
	longer[sizeof(longer) - 1] = 0;
	o.path = longer;
	assert_int_equal(lines_new(&second, loop, &o, &e), LUNATE_EIO);
	assert_non_null(strstr(e.text, "too long for a socket"));
	o.path = "/nowhere/at/all/x.sock";
	assert_int_equal(lines_new(&second, loop, &o, &e), LUNATE_EIO);
	assert_non_null(strstr(e.text, "/nowhere/at/all"));
}

/* ---- the other side ----------------------------------------------------- */

static struct asking {
	struct lines_question q;
	struct str answer;
	struct err e;
	int rc;
	bool done;
	struct loop_letter letter;
} asking;

static void
asked(struct loop_letter *letter)
{
	CONTAINER_OF(letter, struct asking, letter)->done = true;
}

static void *
ask_thread(void *arg)
{
	asking.rc = lines_ask(&asking.q, &asking.answer, &asking.e);
	loop_post(loop, &asking.letter);
	return NULL;
}

static void
ask(const char *line, int timeout_ms)
{
	pthread_t thread;

	memset(&asking, 0, sizeof(asking));
	asking.q = (struct lines_question){path, line, timeout_ms};
	asking.letter.run = asked;
	str_init(&asking.answer);
	assert_int_equal(pthread_create(&thread, NULL, ask_thread, NULL), 0);
	loop_run_until(loop, &asking.done);
	pthread_join(thread, NULL);
}

static void
asking_gives_the_line(void **state)
{
	ask("well?", 5000);
	assert_int_equal(asking.rc, 0);
	assert_string_equal(asking.answer.at, "well?");
	assert_int_equal(asking.answer.len, 5);
	str_fini(&asking.answer);
	ask("big", 5000);
	assert_int_equal(asking.answer.len, LINES_PENDING);
	str_fini(&asking.answer);
}

static void
asking_ends_when_there_is_no_answer_or_nobody(void **state)
{
	ask("later", 50);
	assert_int_equal(asking.rc, LUNATE_EDEADLINE);
	str_fini(&asking.answer);
	lines_free(&server);
	ask("hello", 5000);
	assert_int_equal(asking.rc, LUNATE_ECONNECT);
	str_fini(&asking.answer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_line_gets_its_answer),
		TEST(only_we_may_come_in),
		TEST(several_are_served_at_once),
		TEST(who_does_not_read_keeps_none_waiting_and_is_not_read_from),
		TEST(what_was_held_back_is_answered_when_it_is_read),
		TEST(a_line_without_end_is_refused),
		TEST(who_has_finished_sending_still_gets_its_answers),
		TEST(who_hung_up_is_not_found_for_a_late_answer),
		TEST(more_than_are_allowed_are_turned_away),
		TEST(a_socket_in_use_is_not_taken_and_a_stale_one_is),
		TEST(a_path_that_does_not_fit_is_an_error_that_says_so),
		TEST(asking_gives_the_line),
		TEST(asking_ends_when_there_is_no_answer_or_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
