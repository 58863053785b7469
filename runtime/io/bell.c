/* SPDX-License-Identifier: MIT */
#include "bell.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

int
bell_init(struct bell *b, struct err *e)
{
	memset(b, 0, sizeof(*b));
	b->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (b->fd < 0)
		return err_set(e, LUNATE_EIO, "no eventfd: %s",
			       strerror(errno));
	return 0;
}

/* A counter that is full, the only other failure, is readable too. */
void
bell_ring(const struct bell *b)
{
	const uint64_t one = 1;

	while (write(b->fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

void
bell_still(const struct bell *b)
{
	uint64_t n;

	while (read(b->fd, &n, sizeof(n)) < 0 && errno == EINTR)
		;
}

static void
on_readable(struct ev_loop *loop, ev_io *w, int events)
{
	struct bell *b = w->data;

	(void)loop, (void)events;
	b->heard(b);
}

void
bell_watch(struct bell *b, struct ev_loop *loop, void (*heard)(struct bell *b))
{
	assert(b->loop == NULL && loop != NULL);
	b->loop = loop;
	b->heard = heard;
	ev_io_init(&b->watch, on_readable, b->fd, EV_READ);
	b->watch.data = b;
	ev_io_start(loop, &b->watch);
}

void
bell_fini(struct bell *b)
{
	if (b->loop != NULL)
		ev_io_stop(b->loop, &b->watch);
	close(b->fd);
}
