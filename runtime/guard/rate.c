/* SPDX-License-Identifier: MIT */
#include "rate.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include <xxhash.h>

#include "mem.h"
#include "obj.h"

#define SHARDS 16
#define WAYS 8
#define SETS (RATE_MOST / SHARDS / WAYS)

struct bucket {
	XXH128_hash_t key; /* both 0: free */
	double tokens;
	double most, per_us; /* of its limit: when is it full? */
	int64_t at_us;	     /* when tokens were so many */
};

struct shard {
	pthread_mutex_t lock; /* of the buckets */
	struct bucket (*sets)[WAYS];
};

struct rates {
	unsigned magic;
#define RATES_MAGIC 0x7a7e5b0c
	uint64_t seed;
	struct shard shards[SHARDS];
};

struct rates *
rates_new(uint64_t seed)
{
	struct rates *r = mem_new(sizeof(*r));

	OBJ_INIT(r, RATES_MAGIC);
	r->seed = seed;
	for (unsigned i = 0; i < SHARDS; i++)
		pthread_mutex_init(&r->shards[i].lock, NULL);
	return r;
}

/* ---- buckets ------------------------------------------------------------ */

static XXH128_hash_t
key_of(const struct rates *r, const struct rate_limit *l, struct rate_owner who)
{
	struct {
		double operations;
		int64_t window_us;
	} numbers = {l->operations, l->window_us};
	uint64_t seed = XXH3_64bits_withSeed(l->name, strlen(l->name), r->seed);

	seed = XXH3_64bits_withSeed(&numbers, sizeof(numbers), seed);
	return XXH3_128bits_withSeed(who.text, who.len, seed);
}

static double
tokens_at(const struct bucket *b, int64_t now_us)
{
	double n = b->tokens;

	if (now_us > b->at_us)
		n += (double)(now_us - b->at_us) * b->per_us;
	return n < b->most ? n : b->most;
}

/* How near it is to being forgotten: 1 when it is full or free. */
static double
fullness(const struct bucket *b, int64_t now_us)
{
	return b->most > 0 ? tokens_at(b, now_us) / b->most : 1;
}

static struct bucket *
find(struct shard *s, XXH128_hash_t key)
{
	struct bucket *set = s->sets != NULL ? s->sets[key.low64 % SETS] : NULL;

	for (unsigned i = 0; set != NULL && i < WAYS; i++)
		if (set[i].key.low64 == key.low64 &&
		    set[i].key.high64 == key.high64)
			return &set[i];
	return NULL;
}

static struct bucket *
place(struct shard *s, const struct rate_limit *l, XXH128_hash_t key,
      int64_t now_us)
{
	struct bucket *set, *b;

	if (s->sets == NULL)
		s->sets = mem_new(SETS * sizeof(*s->sets));
	set = b = s->sets[key.low64 % SETS];
	for (unsigned i = 1; i < WAYS; i++)
		if (fullness(&set[i], now_us) > fullness(b, now_us))
			b = &set[i];
	*b = (struct bucket){key, l->operations, l->operations,
			     l->operations / (double)l->window_us, now_us};
	return b;
}

static struct shard *
shard_of(struct rates *r, XXH128_hash_t key)
{
	return &r->shards[key.high64 % SHARDS];
}

/* ---- the doors ---------------------------------------------------------- */

int64_t
rates_take(struct rates *r, const struct rate_limit *l, struct rate_owner who,
	   int64_t now_us)
{
	XXH128_hash_t key = key_of(r, l, who);
	struct shard *s = shard_of(r, key);
	struct bucket *b;
	int64_t wait_us = 0;

	OBJ_CHECK(r, RATES_MAGIC);
	assert(l->operations >= 1 && l->window_us > 0);
	pthread_mutex_lock(&s->lock);
	b = find(s, key);
	if (b == NULL)
		b = place(s, l, key, now_us);
	b->tokens = tokens_at(b, now_us);
	if (now_us > b->at_us)
		b->at_us = now_us;
	if (b->tokens >= 1)
		b->tokens -= 1;
	else
		wait_us = (int64_t)((1 - b->tokens) / b->per_us) + 1;
	pthread_mutex_unlock(&s->lock);
	return wait_us;
}

void
rates_give(struct rates *r, const struct rate_limit *l, struct rate_owner who)
{
	XXH128_hash_t key = key_of(r, l, who);
	struct shard *s = shard_of(r, key);
	struct bucket *b;

	OBJ_CHECK(r, RATES_MAGIC);
	pthread_mutex_lock(&s->lock);
	b = find(s, key);
	if (b != NULL && b->tokens + 1 <= b->most)
		b->tokens += 1;
	pthread_mutex_unlock(&s->lock);
}

void
rates_free(struct rates **pr)
{
	struct rates *r;

	OBJ_TAKE(r, pr, RATES_MAGIC);
	for (unsigned i = 0; i < SHARDS; i++) {
		pthread_mutex_destroy(&r->shards[i].lock);
		mem_free(r->shards[i].sets);
	}
	OBJ_FINI(r);
	mem_free(r);
}
