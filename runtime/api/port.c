/* SPDX-License-Identifier: MIT */
#include "port.h"

#include <sched.h>

#include "bell.h"
#include "errand.h"
#include "mem.h"

struct lunate_port {
	unsigned magic;
#define PORT_MAGIC 0x90475e11
	struct mbox box;
	struct bell bell;
	int expected; /* atomic */
	int ringing;  /* atomic */
	bool running;
};

int
lunate_port_new(struct lunate_port **out, struct lunate_error *e)
{
	struct lunate_port *p = mem_new(sizeof(*p));
	struct err why;

	if (bell_init(&p->bell, &why) < 0) {
		mem_free(p);
		return error_fill(e, &why);
	}
	OBJ_INIT(p, PORT_MAGIC);
	mbox_init(&p->box);
	*out = p;
	return 0;
}

int
lunate_port_fd(const struct lunate_port *p)
{
	OBJ_CHECK(p, PORT_MAGIC);
	return p->bell.fd;
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

void
port_throw(struct lunate_port *p, struct port_item *item)
{
	OBJ_CHECK(p, PORT_MAGIC);
	__atomic_add_fetch(&p->ringing, 1, __ATOMIC_RELAXED);
	if (mbox_put(&p->box, &item->node))
		bell_ring(&p->bell);
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

int
lunate_port_run(struct lunate_port *p, int most)
{
	struct mbox_node *node = NULL;
	int n = 0;

	OBJ_CHECK(p, PORT_MAGIC);
	assert(!p->running);
	p->running = true;
	bell_still(&p->bell);
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
		bell_ring(&p->bell);
	return n;
}

static void
on_heard(struct bell *b)
{
	lunate_port_run(CONTAINER_OF(b, struct lunate_port, bell), 0);
}

void
lunate_port_watch(struct lunate_port *p, struct ev_loop *loop)
{
	OBJ_CHECK(p, PORT_MAGIC);
	bell_watch(&p->bell, loop, on_heard);
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
	bell_fini(&p->bell);
	mbox_fini(&p->box);
	OBJ_FINI(p);
	mem_free(p);
	return 0;
}
