/* SPDX-License-Identifier: MIT */
#include "rules.h"

#include "hook.h"
#include "texts.h"
#include "zone.h"

struct rules *
rules_new(void)
{
	struct rules *r = mem_new(sizeof(*r));

	OBJ_INIT(r, RULES_MAGIC);
	r->refs = 1;
	arena_init(&r->arena, NULL, 0);
	r->classes[RULES_READ] = (struct class_rules){15000, 2, 0};
	r->classes[RULES_WRITE] = (struct class_rules){30000, 1, 0};
	r->classes[RULES_CRITICAL] = (struct class_rules){60000, 3, 0};
	r->retry = (struct retry_rules){20, 2000};
	return r;
}

void
rules_source_init(struct rules_source *s, struct rules *first)
{
	pthread_mutex_init(&s->lock, NULL);
	s->current = NULL;
	s->last_id = 0;
	rules_publish(s, first);
}

uint64_t
rules_publish(struct rules_source *s, struct rules *r)
{
	struct rules *old;
	uint64_t id;

	OBJ_CHECK(r, RULES_MAGIC);
	pthread_mutex_lock(&s->lock);
	old = s->current;
	id = r->id = ++s->last_id;
	s->current = r;
	pthread_mutex_unlock(&s->lock);
	if (old != NULL)
		rules_unpin(&old);
	return id;
}

struct rules *
rules_pin(struct rules_source *s)
{
	struct rules *r;

	pthread_mutex_lock(&s->lock);
	r = s->current;
	__atomic_add_fetch(&r->refs, 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&s->lock);
	return r;
}

struct rules *
rules_share(struct rules *r)
{
	OBJ_CHECK(r, RULES_MAGIC);
	__atomic_add_fetch(&r->refs, 1, __ATOMIC_RELAXED);
	return r;
}

void
rules_unpin(struct rules **pr)
{
	struct rules *r;

	OBJ_TAKE(r, pr, RULES_MAGIC);
	if (__atomic_sub_fetch(&r->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	if (r->hooks != NULL)
		hooks_free(&r->hooks);
	if (r->texts != NULL)
		texts_unpin(&r->texts);
	if (r->zones != NULL) {
		zones_fini(r->zones);
		mem_free(r->zones);
	}
	arena_fini(&r->arena);
	OBJ_FINI(r);
	mem_free(r);
}

void
rules_source_fini(struct rules_source *s)
{
	rules_unpin(&s->current);
	pthread_mutex_destroy(&s->lock);
}
