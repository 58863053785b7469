/* SPDX-License-Identifier: MIT */
#include "pgseal.h"

#include "pgconn_int.h"

#include <string.h>

#include <xxhash.h>

#include "mem.h"

struct sealed {
	const struct pgseal *by; /* NULL: free */
	uint64_t hash;		 /* of the wire */
	int64_t until_us;	 /* loop time */
	struct str wire, text;
};

static struct sealed *
place(struct pgconn *c, uint64_t hash)
{
	if (c->sealed == NULL)
		c->sealed = mem_new(SEALS_KEPT * sizeof(*c->sealed));
	return &c->sealed[hash % SEALS_KEPT];
}

static bool
holds(const struct sealed *s, const struct pgreq *r, uint64_t hash)
{
	return s->by == r->seal && s->hash == hash &&
	       strcmp(s->wire.at, r->context) == 0;
}

static void
forget(struct sealed *s)
{
	if (s->by == NULL)
		return;
	str_fini(&s->wire);
	str_fini(&s->text);
	s->by = NULL;
}

static void
make(struct pgconn *c, const struct pgreq *r, struct sealed *s)
{
	const struct pgseal_ask ask = {.wire = r->context,
				       .backend_pid = PQbackendPID(c->pg),
				       .wall_s = loop_wall_us(c->loop) /
						 1000000};

	forget(s);
	str_init(&s->wire);
	str_init(&s->text);
	str_add(&s->wire, r->context);
	s->by = r->seal;
	s->until_us = loop_now_us(c->loop) +
		      1000000 * r->seal->make(r->seal, &ask, &s->text);
}

const char *
pgseal_text(struct pgconn *c, const struct pgreq *r)
{
	uint64_t hash = XXH3_64bits(r->context, strlen(r->context));
	struct sealed *s = place(c, hash);

	if (!holds(s, r, hash) || loop_now_us(c->loop) >= s->until_us)
		make(c, r, s);
	s->hash = hash;
	return s->text.at;
}

void
pgseal_free_all(struct pgconn *c)
{
	for (int i = 0; c->sealed != NULL && i < SEALS_KEPT; i++)
		forget(&c->sealed[i]);
	mem_free(c->sealed);
	c->sealed = NULL;
}
