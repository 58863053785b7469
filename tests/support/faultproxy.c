/* SPDX-License-Identifier: MIT
 *
 * faultproxy - a relay that does to a connection what networks do.
 *
 *   faultproxy -l address -t address -c control_socket [-r]
 *
 * Forwards every connection of the listening address to the other one.  With
 * -r the bytes are of no known protocol; without, they are PostgreSQL's and
 * logins are counted.  Prints "listening PORT" once.
 *
 * The control socket takes one command a line and answers one line, "ok",
 * "error ..." or JSON:
 *   set delay_ms N          every byte arrives N ms late, each way
 *   set login_delay_ms N    only the first answer of each connection does
 *   set rate_bytes N        at most N bytes a second each way (0: no limit)
 *   set chunk N             at most N bytes a write, each seen alone (0: any)
 *   stall [c2s|s2c]         forward nothing (that way); new connections wait
 *   go                      end of every stall
 *   cut                     reset all connections (on unix sockets: close)
 *   eof                     close all connections in good order
 *   refuse on|close|off     stop listening | accept and close at once
 *   cut_after_bytes N c2s|s2c   once: reset the first connection that
 *                           forwards N more bytes that way; 0 is just before
 *                           its next byte
 *   count                   what went through
 *
 * A login lasts from a connection's first message to the delivery of its
 * first ReadyForQuery or error, or to its end.  Cancel requests are no logins.
 */
#include "relay.h"

#include <signal.h>

static struct ev_loop *loop;

struct ctl {
	ev_io io;
	size_t len;
	char line[256];
};

static const struct {
	const char *name;
	long *value;
} settings[] = {
	{"delay_ms", &relay_set.delay_ms},
	{"login_delay_ms", &relay_set.login_delay_ms},
	{"rate_bytes", &relay_set.rate_bytes},
	{"chunk", &relay_set.chunk},
};

/* "c2s" or "s2c" to a way; false when it is neither. */
static bool
way_of(const char *word, enum way *way)
{
	*way = strcmp(word, "s2c") == 0 ? S2C : C2S;
	return *way == S2C || strcmp(word, "c2s") == 0;
}

static bool
do_set(char words[4][32])
{
	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++) {
		if (strcmp(words[1], settings[i].name) != 0)
			continue;
		*settings[i].value = atol(words[2]);
		relay_rearm();
		return true;
	}
	return false;
}

static bool
do_stall(char words[4][32])
{
	enum way way;

	if (words[1][0] == 0)
		relay_set.stalled[C2S] = relay_set.stalled[S2C] = true;
	else if (way_of(words[1], &way))
		relay_set.stalled[way] = true;
	else
		return false;
	relay_rearm();
	return true;
}

static bool
do_go(char words[4][32])
{
	relay_set.stalled[C2S] = relay_set.stalled[S2C] = false;
	relay_rearm();
	return true;
}

static bool
do_cut(char words[4][32])
{
	relay_end_all(true);
	return true;
}

static bool
do_eof(char words[4][32])
{
	relay_end_all(false);
	return true;
}

static bool
do_refuse(char words[4][32])
{
	if (strcmp(words[1], "on") == 0)
		relay_set.refuse = REFUSE_ON;
	else if (strcmp(words[1], "close") == 0)
		relay_set.refuse = REFUSE_CLOSE;
	else if (strcmp(words[1], "off") == 0)
		relay_set.refuse = REFUSE_OFF;
	else
		return false;
	relay_listen(relay_set.refuse != REFUSE_ON);
	return true;
}

static bool
do_cut_after_bytes(char words[4][32])
{
	enum way way;

	if (!way_of(words[2], &way))
		return false;
	relay_cut_after(strtoull(words[1], NULL, 10), way);
	return true;
}

static const struct {
	const char *name;
	bool (*run)(char words[4][32]);
} commands[] = {
	{"set", do_set},
	{"stall", do_stall},
	{"go", do_go},
	{"cut", do_cut},
	{"eof", do_eof},
	{"refuse", do_refuse},
	{"cut_after_bytes", do_cut_after_bytes},
};

static void
say_counts(int fd)
{
	dprintf(fd,
		"{\"accepted\":%ld,\"refused\":%ld,\"open\":%ld,"
		"\"peak_open\":%ld,\"cancels\":%ld,\"logins\":%ld,"
		"\"peak_logins\":%ld,\"c2s_bytes\":%llu,\"s2c_bytes\":%llu}\n",
		relay_count.accepted, relay_count.refused, relay_count.open,
		relay_count.peak_open, relay_count.cancels, relay_count.logins,
		relay_count.peak_logins,
		(unsigned long long)relay_count.bytes[C2S],
		(unsigned long long)relay_count.bytes[S2C]);
}

static void
command(int fd, const char *line)
{
	char words[4][32] = {"", "", "", ""};

	sscanf(line, "%31s %31s %31s", words[0], words[1], words[2]);
	if (strcmp(words[0], "count") == 0) {
		say_counts(fd);
		return;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		if (strcmp(words[0], commands[i].name) != 0)
			continue;
		dprintf(fd, commands[i].run(words) ? "ok\n" : "error: %s\n",
			line);
		return;
	}
	dprintf(fd, "error: no such command: %s\n", line);
}

static void
on_ctl(struct ev_loop *lp, ev_io *w, int events)
{
	struct ctl *c = w->data;
	ssize_t n = read(w->fd, c->line + c->len, sizeof(c->line) - 1 - c->len);
	char *end;

	if (n <= 0) {
		ev_io_stop(loop, w);
		close(w->fd);
		free(c);
		return;
	}
	c->len += (size_t)n;
	c->line[c->len] = 0;
	while ((end = strchr(c->line, '\n')) != NULL) {
		*end++ = 0;
		command(w->fd, c->line);
		c->len -= (size_t)(end - c->line);
		memmove(c->line, end, c->len + 1);
	}
}

static void
on_ctl_accept(struct ev_loop *lp, ev_io *w, int events)
{
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC);
	struct ctl *c;

	if (fd < 0)
		return;
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		err(1, "calloc");
	ev_io_init(&c->io, on_ctl, fd, EV_READ);
	c->io.data = c;
	ev_io_start(loop, &c->io);
}

int
main(int argc, char **argv)
{
	struct addr ctl_addr, listen_addr, target_addr;
	ev_io ctl_io;
	int c, given = 0;

	signal(SIGPIPE, SIG_IGN);
	while ((c = getopt(argc, argv, "l:t:c:r")) != -1) {
		given |= c == 'l' ? 1 : c == 't' ? 2 : c == 'c' ? 4 : 0;
		if (c == 'l')
			listen_addr = net_addr(optarg);
		else if (c == 't')
			target_addr = net_addr(optarg);
		else if (c == 'c')
			ctl_addr = net_addr(optarg);
		else if (c == 'r')
			relay_set.raw = true;
		else
			return 2;
	}
	if (given != 7)
		errx(2, "-l, -t and -c are needed");
	loop = ev_default_loop(0);
	relay_init(loop, &listen_addr, &target_addr);
	ev_io_init(&ctl_io, on_ctl_accept, net_listen(&ctl_addr), EV_READ);
	ev_io_start(loop, &ctl_io);
	relay_listen(true);
	net_announce(relay_address());
	ev_run(loop, 0);
	return 0;
}
