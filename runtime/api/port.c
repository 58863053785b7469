/* SPDX-License-Identifier: MIT */
#include "port.h"

#include <errno.h>
#include <ev.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "errand.h"
#include "mem.h"

struct lunate_port {
	unsigned magic;
#define PORT_MAGIC 0x90475e11
	struct mbox box;
	int fd;
	int expected; /* atomic */
	int ringing;  /* atomic */
	bool running;
	struct ev_loop *loop; /* watches fd, or NULL */
	ev_io watch;
};

int
lunate_port_new(struct lunate_port **p, struct lunate_error *e)
{
	struct err why;
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0) {
		err_set(&why, LUNATE_EIO, "no eventfd for a port: %s",
			strerror(errno));
		return error_fill(e, &why);
	}
	*p = mem_new(sizeof(**p));
	OBJ_INIT(*p, PORT_MAGIC);
	mbox_init(&(*p)->box);
	(*p)->fd = fd;
	return 0;
}

int
lunate_port_fd(const struct lunate_port *p)
{
	OBJ_CHECK(p, PORT_MAGIC);
	return p->fd;
}

void
port_expect(struct lunate_port *p)
{
	OBJ_CHECK(p, PORT_MAGIC);
	__atomic_add_fetch(&p->expected, 1, __ATOMIC_RELAXED);
}

void
port_forget(struct lunate_port *p)
{
	OBJ_CHECK(p, PORT_MAGIC);
	__atomic_sub_fetch(&p->expected, 1, __ATOMIC_RELEASE);
}

/* The counter of an eventfd cannot run over: it is told once, when the box
 * was empty, and again only after somebody has looked. */
static void
ring(const struct lunate_port *p)
{
	const uint64_t one = 1;
	ssize_t n;

	do
		n = write(p->fd, &one, sizeof(one));
	while (n < 0 && errno == EINTR);
}

void
port_throw(struct lunate_port *p, struct port_item *item)
{
	OBJ_CHECK(p, PORT_MAGIC);
	__atomic_add_fetch(&p->ringing, 1, __ATOMIC_RELAXED);
	if (mbox_put(&p->box, &item->node))
		ring(p);
	__atomic_sub_fetch(&p->ringing, 1, __ATOMIC_RELEASE);
}

static void
run_errand(struct port_item *item)
{
	errand_deliver(CONTAINER_OF(item, struct errand, back));
}

void
port_put(struct lunate_port *p, struct errand *q)
{
	q->back.run = run_errand;
	port_throw(p, &q->back);
}

/* The bell is stilled before the box is emptied: what is put meanwhile rings
 * again. */
static void
still(const struct lunate_port *p)
{
	uint64_t n;
	ssize_t got;

	do
		got = read(p->fd, &n, sizeof(n));
	while (got < 0 && errno == EINTR);
}

int
lunate_port_run(struct lunate_port *p, int most)
{
	struct mbox_node *node = NULL;
	int n = 0;

	OBJ_CHECK(p, PORT_MAGIC);
	assert(!p->running);
	p->running = true;
	still(p);
	/* A done() that asks again and again does not keep the caller here. */
	if (most <= 0)
		most = __atomic_load_n(&p->expected, __ATOMIC_RELAXED);
	while (n < most && (node = mbox_take(&p->box)) != NULL) {
		struct port_item *item = CONTAINER_OF(node, struct port_item,
						      node);

		port_forget(p);
		n++;
		item->run(item);
	}
	p->running = false;
	if (node != NULL) /* some may be left */
		ring(p);
	return n;
}

static void
on_readable(struct ev_loop *loop, ev_io *w, int events)
{
	struct lunate_port *p;

	(void)loop, (void)events;
	OBJ_CAST(p, w->data, PORT_MAGIC);
	lunate_port_run(p, 0);
}

void
lunate_port_watch(struct lunate_port *p, struct ev_loop *loop)
{
	OBJ_CHECK(p, PORT_MAGIC);
	assert(p->loop == NULL && loop != NULL);
	p->loop = loop;
	ev_io_init(&p->watch, on_readable, p->fd, EV_READ);
	p->watch.data = p;
	ev_io_start(loop, &p->watch);
}

int
lunate_port_free(struct lunate_port **pp)
{
	struct lunate_port *p;

	if (*pp == NULL)
		return 0;
	if (__atomic_load_n(&(*pp)->expected, __ATOMIC_ACQUIRE) > 0)
		return LUNATE_EBUSY;
	OBJ_TAKE(p, pp, PORT_MAGIC);
	while (__atomic_load_n(&p->ringing, __ATOMIC_ACQUIRE) > 0)
		sched_yield();
	if (p->loop != NULL)
		ev_io_stop(p->loop, &p->watch);
	close(p->fd);
	mbox_fini(&p->box);
	OBJ_FINI(p);
	mem_free(p);
	return 0;
}
