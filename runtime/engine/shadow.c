/* SPDX-License-Identifier: MIT */
#include "shadow.h"

#include <stdio.h>
#include <string.h>

void
shadow_init(struct shadow *s)
{
	memset(s, 0, sizeof(*s));
	pthread_mutex_init(&s->lock, NULL);
}

static void
drop(struct shadow *s)
{
	__atomic_store_n(&s->era, 0, __ATOMIC_RELEASE);
	if (s->rules != NULL)
		rules_unpin(&s->rules);
}

void
shadow_begin(struct shadow *s, struct rules *r, const char *name)
{
	pthread_mutex_lock(&s->lock);
	drop(s);
	s->rules = r;
	snprintf(s->name, sizeof(s->name), "%s", name);
	for (int i = 0; i < RULING_CHANGES; i++)
		__atomic_store_n(&s->counts[i], 0, __ATOMIC_RELAXED);
	__atomic_store_n(&s->era, ++s->last_era, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&s->lock);
}

bool
shadow_end(struct shadow *s)
{
	bool on;

	pthread_mutex_lock(&s->lock);
	on = s->rules != NULL;
	drop(s);
	pthread_mutex_unlock(&s->lock);
	return on;
}

/* The worker's judge for the era that there is now. */
static void
renew(struct shadow *s, struct shade *w)
{
	if (w->judge != NULL)
		judge_free(&w->judge);
	pthread_mutex_lock(&s->lock);
	w->era = s->era;
	if (s->rules != NULL)
		w->judge = judge_new(s->rules);
	pthread_mutex_unlock(&s->lock);
}

bool
shadow_wants(struct shadow *s, struct shade *w)
{
	if (__atomic_load_n(&s->era, __ATOMIC_ACQUIRE) != w->era)
		renew(s, w);
	if (w->judge == NULL)
		return false;
	w->chance = w->chance * 6364136223846793005u + 1442695040888963407u;
	return (w->chance >> 33) % SHADOW_EVERY == 0;
}

void
shadow_decide(struct shadow *s, struct shade *w, const struct judge_ask *ask,
	      const struct ruling *ruling)
{
	struct ruling r;
	struct err e;

	r = judge_decide(w->judge, ask, &e);
	__atomic_add_fetch(&s->counts[ruling_change(ruling, &r)], 1,
			   __ATOMIC_RELAXED);
}

json_t *
shadow_json(struct shadow *s)
{
	json_t *changes = json_object(), *all;
	json_int_t sum = 0;

	pthread_mutex_lock(&s->lock);
	for (enum ruling_change i = 0; i < RULING_CHANGES; i++) {
		json_int_t n = (json_int_t)__atomic_load_n(&s->counts[i],
							   __ATOMIC_RELAXED);

		sum += n;
		json_object_set_new(changes, ruling_change_word(i),
				    json_integer(n));
	}
	all = json_pack("{sb ss si sI so}", "on", s->rules != NULL, "name",
			s->name, "every", SHADOW_EVERY, "decided", sum,
			"changes", changes);
	pthread_mutex_unlock(&s->lock);
	return all;
}

void
shade_fini(struct shade *w)
{
	if (w->judge != NULL)
		judge_free(&w->judge);
}

void
shadow_fini(struct shadow *s)
{
	drop(s);
	pthread_mutex_destroy(&s->lock);
}
