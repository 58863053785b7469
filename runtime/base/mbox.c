/* SPDX-License-Identifier: MIT */
#include "mbox.h"

#include <stddef.h>

void
mbox_init(struct mbox *m)
{
	OBJ_INIT(m, MBOX_MAGIC);
	m->newest = m->ready = NULL;
}

bool
mbox_put(struct mbox *m, struct mbox_node *node)
{
	struct mbox_node *old;

	OBJ_CHECK(m, MBOX_MAGIC);
	old = __atomic_load_n(&m->newest, __ATOMIC_RELAXED);
	do {
		node->next = old;
	} while (!__atomic_compare_exchange_n(&m->newest, &old, node, true,
					      __ATOMIC_RELEASE,
					      __ATOMIC_RELAXED));
	/* `node` may be the reader's by now. */
	return old == NULL;
}

static struct mbox_node *
turn_round(struct mbox_node *newest)
{
	struct mbox_node *oldest = NULL, *next;

	for (; newest != NULL; newest = next) {
		next = newest->next;
		newest->next = oldest;
		oldest = newest;
	}
	return oldest;
}

struct mbox_node *
mbox_take(struct mbox *m)
{
	struct mbox_node *node;

	OBJ_CHECK(m, MBOX_MAGIC);
	if (m->ready == NULL)
		m->ready = turn_round(__atomic_exchange_n(&m->newest, NULL,
							  __ATOMIC_ACQUIRE));
	node = m->ready;
	if (node == NULL)
		return NULL;
	m->ready = node->next;
	node->next = NULL;
	return node;
}

void
mbox_fini(struct mbox *m)
{
	OBJ_CHECK(m, MBOX_MAGIC);
	assert(m->ready == NULL);
	assert(__atomic_load_n(&m->newest, __ATOMIC_ACQUIRE) == NULL);
	OBJ_FINI(m);
}
