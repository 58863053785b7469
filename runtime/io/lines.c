/* SPDX-License-Identifier: MIT */
#include "lines.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "list.h"
#include "mem.h"
#include "str.h"

#define FULL_US 1000000 /* out of descriptors: try again after */

struct lines {
	unsigned magic;
#define LINES_MAGIC 0x11e50001
	struct loop *loop;
	struct lines_owner owner;
	struct list peers;
	int npeers;
	uint64_t last; /* number of the newest peer */
	int fd;
	pid_t pid;
	ev_io accept;
	struct loop_timer full;
	struct sockaddr_un addr;
};

struct lines_peer {
	unsigned magic;
#define LINES_PEER_MAGIC 0x11e50002
	struct list link;
	struct lines *server;
	uint64_t number;
	int fd;
	ev_io in, out;
	struct str unread, unsent;
	size_t sent; /* of unsent */
	int owed;    /* answers */
	bool ended;  /* it sends no more */
	bool busy;   /* inside take_lines() */
};

/* ---- a peer ------------------------------------------------------------- */

static void
close_peer(struct lines_peer *p)
{
	struct ev_loop *ev = loop_ev(p->server->loop);

	ev_io_stop(ev, &p->in);
	ev_io_stop(ev, &p->out);
	close(p->fd);
	list_remove(&p->link);
	p->server->npeers--;
	str_fini(&p->unread);
	str_fini(&p->unsent);
	OBJ_FINI(p);
	mem_free(p);
}

static bool
is_behind(const struct lines_peer *p)
{
	return p->unsent.len - p->sent > LINES_PENDING;
}

static void
drop_front(struct str *s, size_t n)
{
	memmove(s->at, s->at + n, s->len - n + 1);
	s->len -= n;
}

/* Every whole line that is there, while the peer reads its answers. */
static void
take_lines(struct lines_peer *p)
{
	const struct lines_owner *o = &p->server->owner;
	size_t done = 0;
	char *end;

	p->busy = true;
	while (!is_behind(p) && done < p->unread.len &&
	       (end = memchr(p->unread.at + done, '\n',
			     p->unread.len - done)) != NULL) {
		*end = 0;
		p->owed++;
		o->on_line(p->server, p, p->unread.at + done, o->arg);
		done = (size_t)(end - p->unread.at) + 1;
	}
	p->busy = false;
	if (done > 0)
		drop_front(&p->unread, done);
	if (p->unread.len >= LINES_LONGEST && !is_behind(p)) {
		p->ended = true;
		p->owed++;
		lines_send(p, o->too_long, strlen(o->too_long));
		str_clear(&p->unread);
	}
}

/* What it may do next; closes it when nothing is left. */
static void
arm(struct lines_peer *p)
{
	struct ev_loop *ev = loop_ev(p->server->loop);

	if (p->ended && p->owed == 0 && p->unsent.len == p->sent) {
		close_peer(p);
		return;
	}
	if (p->ended || is_behind(p))
		ev_io_stop(ev, &p->in);
	else
		ev_io_start(ev, &p->in);
	if (p->unsent.len > p->sent)
		ev_io_start(ev, &p->out);
	else
		ev_io_stop(ev, &p->out);
}

static void
on_readable(struct ev_loop *ev, ev_io *w, int events)
{
	struct lines_peer *p;
	char *to;
	ssize_t n;

	(void)ev, (void)events;
	OBJ_CAST(p, w->data, LINES_PEER_MAGIC);
	to = str_reserve(&p->unread, LINES_LONGEST);
	n = recv(p->fd, to, LINES_LONGEST, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		close_peer(p);
		return;
	}
	if (n == 0)
		p->ended = true;
	str_grew(&p->unread, (size_t)n);
	take_lines(p);
	arm(p);
}

static void
on_writable(struct ev_loop *ev, ev_io *w, int events)
{
	struct lines_peer *p;
	ssize_t n;

	(void)ev, (void)events;
	OBJ_CAST(p, w->data, LINES_PEER_MAGIC);
	n = send(p->fd, p->unsent.at + p->sent, p->unsent.len - p->sent,
		 MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		close_peer(p);
		return;
	}
	p->sent += (size_t)n;
	if (p->sent == p->unsent.len) {
		str_clear(&p->unsent);
		p->sent = 0;
		take_lines(p);
	}
	arm(p);
}

/* From inside on_line() the caller arms the peer afterwards. */
void
lines_send(struct lines_peer *p, const char *text, size_t len)
{
	OBJ_CHECK(p, LINES_PEER_MAGIC);
	assert(p->owed > 0);
	p->owed--;
	str_addn(&p->unsent, text, len);
	str_addc(&p->unsent, '\n');
	if (!p->busy)
		ev_io_start(loop_ev(p->server->loop), &p->out);
}

uint64_t
lines_number(const struct lines_peer *p)
{
	OBJ_CHECK(p, LINES_PEER_MAGIC);
	return p->number;
}

struct lines_peer *
lines_peer(struct lines *s, uint64_t number)
{
	OBJ_CHECK(s, LINES_MAGIC);
	LIST_EACH (link, &s->peers) {
		struct lines_peer *p = LIST_ENTRY(link, struct lines_peer,
						  link);

		if (p->number == number)
			return p;
	}
	return NULL;
}

/* ---- the server --------------------------------------------------------- */

static bool
is_ours(int fd)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 &&
	       (who.uid == 0 || who.uid == geteuid());
}

static void
add_peer(struct lines *s, int fd)
{
	struct lines_peer *p = mem_new(sizeof(*p));

	OBJ_INIT(p, LINES_PEER_MAGIC);
	p->server = s;
	p->number = ++s->last;
	p->fd = fd;
	str_init(&p->unread);
	str_init(&p->unsent);
	list_init(&p->link);
	list_push_back(&s->peers, &p->link);
	s->npeers++;
	ev_io_init(&p->in, on_readable, fd, EV_READ);
	ev_io_init(&p->out, on_writable, fd, EV_WRITE);
	p->in.data = p->out.data = p;
	ev_io_start(loop_ev(s->loop), &p->in);
}

static void
on_accept(struct ev_loop *ev, ev_io *w, int events)
{
	struct lines *s;
	int fd;

	(void)events;
	OBJ_CAST(s, w->data, LINES_MAGIC);
	fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
			ev_io_stop(ev, &s->accept);
			loop_timer_start(&s->full, FULL_US);
		}
		return;
	}
	if (s->npeers >= LINES_PEERS || !is_ours(fd))
		close(fd);
	else
		add_peer(s, fd);
}

static void
on_not_full(struct loop_timer *t)
{
	struct lines *s = CONTAINER_OF(t, struct lines, full);

	ev_io_start(loop_ev(s->loop), &s->accept);
}

static int
set_address(struct sockaddr_un *addr, const char *path, struct err *e)
{
	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(addr->sun_path))
		return err_set(e, LUNATE_EIO,
			       "the path %s is too long for a socket (%zu "
			       "bytes at most); use a shorter folder",
			       path, sizeof(addr->sun_path) - 1);
	memcpy(addr->sun_path, path, strlen(path));
	return 0;
}

static int
make_folder(const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');
	char *folder;
	int rc = 0;

	if (slash == NULL || slash == path)
		return 0;
	folder = mem_dup(path, (size_t)(slash - path));
	if (mkdir(folder, 0700) != 0 && errno != EEXIST)
		rc = err_set(e, LUNATE_EIO, "cannot make the folder %s: %s",
			     folder, strerror(errno));
	mem_free(folder);
	return rc;
}

/* Connects; the descriptor, or -1 with errno. */
static int
dial(const struct sockaddr_un *addr, int flags)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	int why;

	if (fd < 0 ||
	    connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0)
		return fd;
	why = errno;
	close(fd);
	errno = why;
	return -1;
}

/* Removes a socket that a process which is gone has left. */
static bool
clear_stale(const struct sockaddr_un *addr)
{
	int fd = dial(addr, SOCK_NONBLOCK);

	if (fd >= 0)
		close(fd);
	return fd < 0 && errno == ECONNREFUSED && unlink(addr->sun_path) == 0;
}

/* The mode a socket file gets is that of its descriptor at bind(). */
static int
bind_socket(struct lines *s, struct err *e)
{
	const struct sockaddr *to = (const struct sockaddr *)&s->addr;
	int rc;

	fchmod(s->fd, 0600);
	rc = bind(s->fd, to, sizeof(s->addr));
	if (rc != 0 && errno == EADDRINUSE && clear_stale(&s->addr))
		rc = bind(s->fd, to, sizeof(s->addr));
	if (rc != 0 && errno == EADDRINUSE)
		return err_set(e, LUNATE_EBUSY, "somebody listens on %s",
			       s->addr.sun_path);
	if (rc != 0 || listen(s->fd, LINES_PEERS) != 0)
		return err_set(e, LUNATE_EIO, "cannot listen on %s: %s",
			       s->addr.sun_path, strerror(errno));
	return 0;
}

static void
start(struct lines *s)
{
	s->pid = getpid();
	list_init(&s->peers);
	loop_timer_init(&s->full, s->loop, on_not_full);
	ev_io_init(&s->accept, on_accept, s->fd, EV_READ);
	s->accept.data = s;
	ev_io_start(loop_ev(s->loop), &s->accept);
}

int
lines_new(struct lines **out, struct loop *loop,
	  const struct lines_owner *owner, struct err *e)
{
	struct lines *s = mem_new(sizeof(*s));

	OBJ_INIT(s, LINES_MAGIC);
	s->loop = loop;
	s->owner = *owner;
	s->fd = -1;
	if (set_address(&s->addr, owner->path, e) < 0 ||
	    make_folder(owner->path, e) < 0)
		goto fail;
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0) {
		err_set(e, LUNATE_EIO, "socket: %s", strerror(errno));
		goto fail;
	}
	if (bind_socket(s, e) < 0)
		goto fail;
	start(s);
	*out = s;
	return 0;
fail:
	if (s->fd >= 0)
		close(s->fd);
	OBJ_FINI(s);
	mem_free(s);
	return e->code;
}

void
lines_free(struct lines **ps)
{
	struct lines *s;

	OBJ_TAKE(s, ps, LINES_MAGIC);
	LIST_EACH_SAFE (link, &s->peers)
		close_peer(LIST_ENTRY(link, struct lines_peer, link));
	ev_io_stop(loop_ev(s->loop), &s->accept);
	loop_timer_stop(&s->full);
	close(s->fd);
	if (s->pid == getpid())
		unlink(s->addr.sun_path);
	OBJ_FINI(s);
	mem_free(s);
}

/* ---- the other side ----------------------------------------------------- */

static void
set_timeout(int fd, int ms)
{
	struct timeval t = {ms / 1000, ms % 1000 * 1000};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
}

static int
send_line(int fd, const char *line, struct err *e)
{
	struct str s;
	size_t sent = 0;
	ssize_t n = 0;

	str_init(&s);
	str_add(&s, line);
	str_addc(&s, '\n');
	while (sent < s.len && n >= 0) {
		n = send(fd, s.at + sent, s.len - sent, MSG_NOSIGNAL);
		sent += n > 0 ? (size_t)n : 0;
	}
	str_fini(&s);
	return n >= 0 ? 0 : err_set(e, LUNATE_EIO, "send: %s", strerror(errno));
}

static int
read_line(int fd, struct str *answer, struct err *e)
{
	ssize_t n;
	char *end;

	for (;;) {
		n = recv(fd, str_reserve(answer, LINES_LONGEST), LINES_LONGEST,
			 0);
		if (n < 0)
			return err_set(e, LUNATE_EDEADLINE,
				       "no answer: %s; it may be busy with "
				       "a long computation",
				       strerror(errno));
		if (n == 0)
			return err_set(e, LUNATE_EIO,
				       "it hung up without an answer");
		str_grew(answer, (size_t)n);
		end = memchr(answer->at, '\n', answer->len);
		if (end == NULL)
			continue;
		*end = 0;
		answer->len = (size_t)(end - answer->at);
		return 0;
	}
}

int
lines_ask(const struct lines_question *q, struct str *answer, struct err *e)
{
	struct sockaddr_un addr;
	int fd, rc;

	if (set_address(&addr, q->path, e) < 0)
		return e->code;
	fd = dial(&addr, 0);
	if (fd < 0)
		return err_set(e,
			       errno == ECONNREFUSED || errno == ENOENT
				       ? LUNATE_ECONNECT
				       : LUNATE_EIO,
			       "%s: %s", q->path, strerror(errno));
	set_timeout(fd, q->timeout_ms);
	rc = send_line(fd, q->line, e);
	if (rc == 0)
		rc = read_line(fd, answer, e);
	close(fd);
	return rc;
}
