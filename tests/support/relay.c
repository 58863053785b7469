/* SPDX-License-Identifier: MIT */
#include "relay.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

enum login { BEFORE, DURING, AFTER };

enum { READ_MAX = 16384, QUEUE_MAX = 1 << 18, SSL_REQUEST = 80877103 };
enum { CANCEL_REQUEST = 80877102, GSS_REQUEST = 80877104 };

struct chunk {
	struct chunk *next;
	ev_tstamp due;
	size_t len, off;
	unsigned char data[];
};

struct flow {
	struct link *link;
	enum way way;
	ev_io in, out;
	ev_timer timer;
	struct chunk *head, **tail;
	size_t queued;
	ev_tstamp last_due;   /* of the chunk queued last */
	ev_tstamp next_write; /* rate and chunk: not before */
	ev_tstamp wrote;      /* when the last bytes were written */
	uint64_t passed;      /* since cut_after_bytes was given */
	bool began;	      /* the first bytes were seen */
	bool eof, done;	      /* seen at its source; passed on */
};

/* Reads the beginning of messages and skips the rest. */
struct reader {
	unsigned char head[8];
	size_t len;
	uint32_t skip;
};

struct link {
	struct link *next, **prev;
	int fd[2]; /* fd[1] is -1 until connected */
	struct flow flow[2];
	enum login login;
	bool startup;	 /* the startup message was seen */
	int ssl_answers; /* single bytes the server owes */
	struct reader reader[2];
};

struct relay_set relay_set;
struct relay_count relay_count;

static struct ev_loop *loop;
static struct link *links;
static struct addr listen_addr, target_addr;
static int listen_fd = -1;
static ev_io listen_io;

static void flow_arm(struct flow *f);

/* ---- logins -------------------------------------------------------------- */

static void
login_begin(struct link *l)
{
	if (l->login != BEFORE)
		return;
	l->login = DURING;
	if (++relay_count.logins > relay_count.peak_logins)
		relay_count.peak_logins = relay_count.logins;
}

static void
login_end(struct link *l)
{
	if (l->login == DURING)
		relay_count.logins--;
	l->login = AFTER;
}

static uint32_t
be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

/* What the client says before the server knows it: requests for encryption,
 * a cancel, or the startup message. */
static void
note_client(struct link *l, const unsigned char *p, size_t n)
{
	struct reader *r = &l->reader[C2S];
	uint32_t code;

	while (n-- > 0 && !l->startup) {
		r->head[r->len++] = *p++;
		if (r->len < 8)
			continue;
		r->len = 0;
		code = be32(r->head + 4);
		if (code == CANCEL_REQUEST) {
			relay_count.cancels++;
			l->login = AFTER;
			return;
		}
		login_begin(l);
		if (code == SSL_REQUEST || code == GSS_REQUEST)
			l->ssl_answers++;
		else
			l->startup = true;
	}
}

/* What the server answers, up to its first ReadyForQuery or a refusal: after
 * that the client may try again before we see its end. */
static void
note_server(struct link *l, const unsigned char *p, size_t n)
{
	struct reader *r = &l->reader[S2C];

	for (; n > 0 && l->login == DURING; n--, p++) {
		if (l->ssl_answers > 0) {
			l->ssl_answers--;
			if (*p != 'N')
				login_end(l); /* encrypted from here on */
			continue;
		}
		if (r->skip > 0) {
			r->skip--;
			continue;
		}
		r->head[r->len++] = *p;
		if (r->len < 5)
			continue;
		r->len = 0;
		r->skip = be32(r->head + 1) - 4;
		if (r->head[0] == 'Z' || r->head[0] == 'E')
			login_end(l);
	}
}

/* ---- links --------------------------------------------------------------- */

static void
flow_init(struct flow *f, struct link *l, enum way way)
{
	f->link = l;
	f->way = way;
	f->tail = &f->head;
}

static void
flow_fini(struct flow *f)
{
	struct chunk *c;

	ev_io_stop(loop, &f->in);
	ev_io_stop(loop, &f->out);
	ev_timer_stop(loop, &f->timer);
	while ((c = f->head) != NULL) {
		f->head = c->next;
		free(c);
	}
}

/* With `reset` the peers see an error, without it an end. */
static void
link_free(struct link *l, bool reset)
{
	struct linger now = {1, 0};

	login_end(l);
	flow_fini(&l->flow[C2S]);
	flow_fini(&l->flow[S2C]);
	for (int i = 0; i < 2; i++) {
		if (l->fd[i] < 0)
			continue;
		if (reset)
			setsockopt(l->fd[i], SOL_SOCKET, SO_LINGER, &now,
				   sizeof(now));
		close(l->fd[i]);
	}
	*l->prev = l->next;
	if (l->next != NULL)
		l->next->prev = l->prev;
	relay_count.open--;
	free(l);
}

void
relay_end_all(bool reset)
{
	while (links != NULL)
		link_free(links, reset);
}

/* ---- flows --------------------------------------------------------------- */

/* How many bytes may be written now. */
static size_t
flow_allowance(const struct flow *f)
{
	size_t n = f->head->len - f->head->off;

	if (relay_set.chunk > 0 && n > (size_t)relay_set.chunk)
		n = (size_t)relay_set.chunk;
	if (relay_set.rate_bytes > 0 &&
	    n > (size_t)relay_set.rate_bytes / 50 + 1)
		n = (size_t)relay_set.rate_bytes / 50 + 1;
	if (relay_set.cut_armed && relay_set.cut_way == f->way &&
	    n > relay_set.cut_bytes - f->passed)
		n = relay_set.cut_bytes - f->passed;
	return n;
}

static bool
is_cut(const struct flow *f)
{
	return relay_set.cut_armed && relay_set.cut_way == f->way &&
	       f->passed >= relay_set.cut_bytes;
}

/* A lone chunk is to be read alone: wait until the last one was taken, for at
 * most 5 ms.  TCP does not tell, so there it is a short pause. */
static bool
chunk_must_wait(struct flow *f)
{
	int unread = 0;

	if (relay_set.chunk == 0 || f->wrote + 0.005 < ev_now(loop))
		return false;
	usleep(50); /* timers of the loop are a thousandth at best */
	return !target_addr.tcp && !listen_addr.tcp &&
	       ioctl(f->link->fd[!f->way], SIOCOUTQ, &unread) == 0 &&
	       unread > 0;
}

static void
flow_wrote(struct flow *f, size_t n)
{
	struct chunk *c = f->head;
	ev_tstamp now = ev_now(loop);

	if (f->way == S2C && f->link->login == DURING && !relay_set.raw)
		note_server(f->link, c->data + c->off, n);
	c->off += n;
	f->queued -= n;
	f->passed += n;
	relay_count.bytes[f->way] += n;
	f->wrote = now;
	f->next_write = now;
	if (relay_set.rate_bytes > 0)
		f->next_write += (double)n / (double)relay_set.rate_bytes;
	if (c->off < c->len)
		return;
	f->head = c->next;
	if (f->head == NULL)
		f->tail = &f->head;
	free(c);
}

static void
flow_write(struct flow *f)
{
	struct chunk *c = f->head;
	ssize_t n = 0;

	if (chunk_must_wait(f))
		return;
	if (!is_cut(f)) {
		n = write(f->link->fd[!f->way], c->data + c->off,
			  flow_allowance(f));
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			link_free(f->link, true);
			return;
		}
		flow_wrote(f, (size_t)n);
	}
	if (is_cut(f)) {
		relay_set.cut_armed = false;
		link_free(f->link, true);
		return;
	}
	flow_arm(f);
}

/* When a chunk that is read now is to be written: never before the last. */
static ev_tstamp
flow_due(struct flow *f)
{
	long ms = relay_set.delay_ms;
	ev_tstamp due;

	if (f->way == S2C && !f->began)
		ms += relay_set.login_delay_ms;
	f->began = true;
	due = ev_now(loop) + (double)ms / 1000;
	if (due > f->last_due)
		f->last_due = due;
	return f->last_due;
}

static void
flow_push(struct flow *f, const unsigned char *p, size_t n)
{
	struct chunk *c = malloc(sizeof(*c) + n);
	if (c == NULL)
		err(1, "malloc");
	memcpy(c->data, p, n);
	c->len = n;
	c->off = 0;
	c->next = NULL;
	c->due = flow_due(f);
	*f->tail = c;
	f->tail = &c->next;
	f->queued += n;
}

static void
flow_read(struct flow *f)
{
	unsigned char buf[READ_MAX];
	ssize_t n = read(f->link->fd[f->way], buf, sizeof(buf));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		link_free(f->link, true);
		return;
	}
	if (n == 0)
		f->eof = true;
	else if (f->way == C2S && f->link->login != AFTER && !relay_set.raw)
		note_client(f->link, buf, (size_t)n);
	if (n > 0)
		flow_push(f, buf, (size_t)n);
	flow_arm(f);
}

static void
on_in(struct ev_loop *lp, ev_io *w, int events)
{
	flow_read(w->data);
}

static void
on_out(struct ev_loop *lp, ev_io *w, int events)
{
	flow_write(w->data);
}

/* The source has ended and all it sent has arrived: pass the end on. */
static void
flow_end(struct flow *f)
{
	struct link *l = f->link;

	f->done = true;
	shutdown(l->fd[!f->way], SHUT_WR);
	if (l->flow[!f->way].done || f->way == S2C)
		link_free(l, false);
}

static void
on_timer(struct ev_loop *lp, ev_timer *w, int events)
{
	struct flow *f = w->data;

	if (f->head == NULL && f->eof)
		flow_end(f);
	else
		flow_arm(f);
}

static void
flow_wait(struct flow *f, ev_tstamp seconds)
{
	ev_timer_set(&f->timer, seconds, 0);
	ev_timer_start(loop, &f->timer);
}

static void
flow_arm(struct flow *f)
{
	ev_tstamp at;

	ev_io_stop(loop, &f->in);
	ev_io_stop(loop, &f->out);
	ev_timer_stop(loop, &f->timer);
	if (relay_set.stalled[f->way] || f->link->fd[1] < 0 || f->done)
		return;
	if (!f->eof && f->queued < QUEUE_MAX)
		ev_io_start(loop, &f->in);
	if (f->head == NULL) {
		if (f->eof)
			flow_wait(f, 0);
		return;
	}
	at = f->head->due > f->next_write ? f->head->due : f->next_write;
	if (at > ev_now(loop))
		flow_wait(f, at - ev_now(loop));
	else
		ev_io_start(loop, &f->out);
}

/* Calls the server; a link whose server is not there ends. */
static void
link_connect(struct link *l)
{
	l->fd[1] = net_connect(&target_addr, SOCK_NONBLOCK);
	if (l->fd[1] < 0) {
		link_free(l, true);
		return;
	}
	for (int i = 0; i < 2; i++) {
		struct flow *f = &l->flow[i];

		ev_io_init(&f->in, on_in, l->fd[i], EV_READ);
		ev_io_init(&f->out, on_out, l->fd[!i], EV_WRITE);
		ev_timer_init(&f->timer, on_timer, 0, 0);
		f->in.data = f->out.data = f->timer.data = f;
		flow_arm(f);
	}
}

static void
link_new(int fd)
{
	struct link *l = calloc(1, sizeof(*l));
	int on = 1;

	if (l == NULL)
		err(1, "calloc");
	fcntl(fd, F_SETFL, O_NONBLOCK);
	if (listen_addr.tcp)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	l->fd[0] = fd;
	l->fd[1] = -1;
	flow_init(&l->flow[C2S], l, C2S);
	flow_init(&l->flow[S2C], l, S2C);
	l->next = links;
	l->prev = &links;
	if (links != NULL)
		links->prev = &l->next;
	links = l;
	if (++relay_count.open > relay_count.peak_open)
		relay_count.peak_open = relay_count.open;
	if (!relay_set.stalled[C2S] && !relay_set.stalled[S2C])
		link_connect(l);
}

static void
on_accept(struct ev_loop *lp, ev_io *w, int events)
{
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	relay_count.accepted++;
	if (relay_set.refuse == REFUSE_CLOSE) {
		relay_count.refused++;
		close(fd);
		return;
	}
	link_new(fd);
}

void
relay_listen(bool on)
{
	if (on == (listen_fd >= 0))
		return;
	if (on) {
		listen_fd = net_listen(&listen_addr);
		fcntl(listen_fd, F_SETFL, O_NONBLOCK);
		ev_io_init(&listen_io, on_accept, listen_fd, EV_READ);
		ev_io_start(loop, &listen_io);
		return;
	}
	ev_io_stop(loop, &listen_io);
	close(listen_fd);
	listen_fd = -1;
}

/* ---- orders ---- */

void
relay_init(struct ev_loop *lp, struct addr *listen, struct addr *target)
{
	loop = lp;
	listen_addr = *listen;
	target_addr = *target;
}

const struct addr *
relay_address(void)
{
	return &listen_addr;
}

void
relay_rearm(void)
{
	bool stalled = relay_set.stalled[C2S] || relay_set.stalled[S2C];
	struct link *next;

	for (struct link *l = links; l != NULL; l = next) {
		next = l->next;
		if (l->fd[1] >= 0) {
			flow_arm(&l->flow[C2S]);
			flow_arm(&l->flow[S2C]);
		} else if (!stalled) {
			link_connect(l);
		}
	}
}

void
relay_cut_after(uint64_t bytes, enum way way)
{
	relay_set.cut_bytes = bytes;
	relay_set.cut_way = way;
	relay_set.cut_armed = true;
	for (struct link *l = links; l != NULL; l = l->next)
		l->flow[way].passed = 0;
}
