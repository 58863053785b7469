/* SPDX-License-Identifier: MIT */
#include "group.h"

#include <pthread.h>
#include <string.h>

#include "mem.h"

struct shared {
	struct list link; /* in group->all */
	struct runtime *rt;
	char *key;
};

struct group {
	unsigned magic;
#define GROUP_MAGIC 0x6e0e9a11
	pthread_mutex_t lock; /* guards all */
	struct list all;
};

struct group *
group_new(void)
{
	struct group *g = mem_new(sizeof(*g));

	OBJ_INIT(g, GROUP_MAGIC);
	pthread_mutex_init(&g->lock, NULL);
	list_init(&g->all);
	return g;
}

static struct shared *
find(struct group *g, const char *key)
{
	LIST_EACH (link, &g->all) {
		struct shared *s = LIST_ENTRY(link, struct shared, link);

		if (strcmp(s->key, key) == 0)
			return s;
	}
	return NULL;
}

static int
open_shared(struct group *g, const char *key, struct config *config,
	    struct group_member *m)
{
	struct runtime *rt;
	struct shared *s;

	if (runtime_open(&rt, config, m->loop, &m->err) < 0)
		return m->err.code;
	s = mem_new(sizeof(*s));
	s->key = mem_dups(key);
	s->rt = runtime_pin(rt);
	list_init(&s->link);
	list_push_back(&g->all, &s->link);
	m->worker = rt->workers;
	return 0;
}

int
group_open(struct group *g, const char *key, struct config *config,
	   struct group_member *m)
{
	struct shared *s;
	int rc = 0;

	OBJ_CHECK(g, GROUP_MAGIC);
	pthread_mutex_lock(&g->lock);
	s = find(g, key);
	if (s == NULL) {
		rc = open_shared(g, key, config, m);
	} else {
		config_fini(config);
		m->worker = runtime_join(s->rt, m->loop);
	}
	pthread_mutex_unlock(&g->lock);
	return rc;
}

void
group_free(struct group **pg)
{
	struct group *g;

	OBJ_TAKE(g, pg, GROUP_MAGIC);
	LIST_EACH_SAFE (link, &g->all) {
		struct shared *s = LIST_ENTRY(link, struct shared, link);

		list_remove(link);
		runtime_unpin(&s->rt);
		mem_free(s->key);
		mem_free(s);
	}
	pthread_mutex_destroy(&g->lock);
	OBJ_FINI(g);
	mem_free(g);
}
