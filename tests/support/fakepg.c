/* SPDX-License-Identifier: MIT
 *
 * fakepg - a PostgreSQL server that misbehaves in one chosen way.
 *
 *   fakepg -l address [-n count] [-t address] mode
 *
 * Modes:
 *   deaf              listens and never accepts
 *   early-eof         closes after the startup message
 *   half              sends half of an authentication message and stops
 *   garbage           answers the startup message with bytes of no protocol
 *   bad-password      asks for a password and refuses it (28P01)
 *   too-many          53300 at login
 *   starting-up       57P03 at login
 *   ssl-no            refuses TLS, then lets in and answers no query
 *   ssl-garbage       answers a request for TLS with a byte of no meaning
 *   silent            lets in and never answers a query
 *   eof-on-query      lets in and closes at the first query
 *   half-on-query     answers the first query with half a row and stops
 *   garbage-on-query  answers the first query with garbage
 *   shut-on-query     reads no more than the first byte of a query, and a
 *                     little later says that nothing will be sent any more
 *
 * After `count` connections it changes: it relays to the address of -t, a
 * real server, or without one it stops listening.
 *
 * Prints "listening PORT" once, then "connection" for each it accepted.  Each
 * connection is a process of its own and ends when its client leaves.
 */
#include "net.h"

#include <poll.h>
#include <signal.h>
#include <stdint.h>

struct session {
	int fd;
	const char *mode;
};

static const unsigned char garbage[] = {0xde, 0xad, 0xbe, 0xef, 0x7f, 0xff,
					0xff, 0xff, 0x00, 0x01, 'Z',  0x80};

static void
out(struct session *s, const void *p, size_t n)
{
	if (write(s->fd, p, n) != (ssize_t)n)
		exit(0);
}

/* The next n bytes; a client that left ends the process. */
static void
in(struct session *s, void *p, size_t n)
{
	char *at = p;

	while (n > 0) {
		ssize_t got = read(s->fd, at, n);

		if (got <= 0)
			exit(0);
		at += got;
		n -= (size_t)got;
	}
}

static void
until_client_leaves(struct session *s)
{
	char c;

	for (;;)
		in(s, &c, 1);
}

static bool
is(struct session *s, const char *mode)
{
	return strcmp(s->mode, mode) == 0;
}

static uint32_t
be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

static void
message(struct session *s, char type, const void *body, size_t n)
{
	unsigned char head[5] = {(unsigned char)type};
	uint32_t len = htonl((uint32_t)n + 4);

	memcpy(head + 1, &len, 4);
	out(s, head, 5);
	out(s, body, n);
}

static void
refuse(struct session *s, const char *sqlstate, const char *text)
{
	char body[256];
	int n = snprintf(body, sizeof(body), "SFATAL%cVFATAL%cC%s%cM%s%c", 0, 0,
			 sqlstate, 0, text, 0);

	message(s, 'E', body, (size_t)n + 1);
	shutdown(s->fd, SHUT_WR);
	until_client_leaves(s);
}

static void
skip(struct session *s, size_t n)
{
	char c;

	while (n-- > 0)
		in(s, &c, 1);
}

/* Reads up to the startup message, refusing encryption on the way. */
static void
startup(struct session *s)
{
	unsigned char head[8];
	uint32_t code;

	for (;;) {
		in(s, head, 8);
		code = be32(head + 4);
		if (code == 80877103 || code == 80877104) {
			out(s, is(s, "ssl-garbage") ? "?" : "N", 1);
			continue;
		}
		if (code == 80877102)
			exit(0); /* a cancel request needs no answer */
		skip(s, be32(head) - 8);
		return;
	}
}

static void
let_in(struct session *s)
{
	static const char *const params[] = {"server_version",
					     "15.20",
					     "client_encoding",
					     "UTF8",
					     "standard_conforming_strings",
					     "on",
					     "in_hot_standby",
					     "off"};
	char body[128];

	message(s, 'R', "\0\0\0\0", 4);
	for (size_t i = 0; i < sizeof(params) / sizeof(*params); i += 2) {
		int n = snprintf(body, sizeof(body), "%s%c%s", params[i], 0,
				 params[i + 1]);

		message(s, 'S', body, (size_t)n + 1);
	}
	message(s, 'K', "\0\0\0\1\0\0\0\2", 8);
	message(s, 'Z', "I", 1);
}

static void
ask_password(struct session *s)
{
	unsigned char head[5];

	message(s, 'R', "\0\0\0\3", 4);
	in(s, head, 5);
	skip(s, be32(head + 1) - 4);
	refuse(s, "28P01", "password authentication failed for user \"test\"");
}

static void
login(struct session *s)
{
	if (is(s, "early-eof"))
		exit(0);
	if (is(s, "half")) {
		out(s, "R\0\0", 3);
		until_client_leaves(s);
	}
	if (is(s, "garbage")) {
		out(s, garbage, sizeof(garbage));
		until_client_leaves(s);
	}
	if (is(s, "bad-password"))
		ask_password(s);
	if (is(s, "too-many"))
		refuse(s, "53300", "sorry, too many clients already");
	if (is(s, "starting-up"))
		refuse(s, "57P03", "the database system is starting up");
	let_in(s);
}

/* The client can neither send all it has nor get an answer. */
static void
shut(struct session *s)
{
	struct pollfd p = {s->fd, 0, 0};

	usleep(300000);
	(void)shutdown(s->fd, SHUT_WR);
	poll(&p, 1, -1);
	exit(0);
}

static void
serve(struct session *s)
{
	char type;

	startup(s);
	login(s);
	in(s, &type, 1);
	if (is(s, "eof-on-query"))
		exit(0);
	if (is(s, "half-on-query"))
		out(s, "T\0\0\0\x40\0\1co", 9);
	if (is(s, "garbage-on-query"))
		out(s, garbage, sizeof(garbage));
	if (is(s, "shut-on-query"))
		shut(s);
	until_client_leaves(s);
}

static void
relay(int client, const struct addr *to)
{
	int server = net_connect(to, 0);
	struct pollfd p[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
	char buf[16384];

	if (server < 0)
		exit(0);
	for (;;) {
		poll(p, 2, -1);
		for (int i = 0; i < 2; i++) {
			ssize_t n;

			if (p[i].revents == 0)
				continue;
			n = read(p[i].fd, buf, sizeof(buf));
			if (n <= 0 || write(p[!i].fd, buf, (size_t)n) != n)
				exit(0);
		}
	}
}

static const char *const modes[] = {"deaf",
				    "early-eof",
				    "half",
				    "garbage",
				    "bad-password",
				    "too-many",
				    "starting-up",
				    "ssl-no",
				    "ssl-garbage",
				    "silent",
				    "eof-on-query",
				    "half-on-query",
				    "garbage-on-query",
				    "shut-on-query",
				    NULL};

static const char *
known_mode(const char *mode)
{
	for (int i = 0; mode != NULL && modes[i] != NULL; i++) {
		if (strcmp(mode, modes[i]) == 0)
			return mode;
	}
	errx(2, "no such mode: %s", mode == NULL ? "(none)" : mode);
}

static struct {
	struct addr at, then;
	int listener;
	long left; /* -1: no end */
	bool relays;
	const char *mode;
} opt = {.listener = -1, .left = -1};

static void
options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "l:n:t:")) != -1) {
		if (c == 'l') {
			opt.at = net_addr(optarg);
			opt.listener = net_listen(&opt.at);
		} else if (c == 'n') {
			opt.left = atol(optarg);
		} else if (c == 't') {
			opt.then = net_addr(optarg);
			opt.relays = true;
		} else {
			exit(2);
		}
	}
	opt.mode = known_mode(argv[optind]);
	if (opt.listener < 0)
		errx(2, "-l is missing");
}

int
main(int argc, char **argv)
{
	struct session s;

	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	options(argc, argv);
	s.mode = opt.mode;
	net_announce(&opt.at);
	while (is(&s, "deaf"))
		pause();
	while (opt.left != 0 || opt.relays) {
		s.fd = accept(opt.listener, NULL, NULL);
		if (s.fd < 0)
			continue;
		puts("connection");
		fflush(stdout);
		if (fork() == 0) {
			close(opt.listener);
			opt.left == 0 ? relay(s.fd, &opt.then) : serve(&s);
		}
		close(s.fd);
		if (opt.left > 0)
			opt.left--;
	}
	close(opt.listener);
	for (;;)
		pause();
}
