/* SPDX-License-Identifier: MIT */
#include "stmt.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <xxhash.h>

#include "list.h"
#include "stmt_facts.h"

#define SHARDS 16
#define BUCKETS 1024 /* per shard; power of two */

/* What is around a stmt: its memory and its place in the memo. */
struct entry {
	struct stmt stmt;
	struct arena arena;
	struct entry *chain; /* same bucket; protected by the shard's lock */
	struct list age;     /* likewise; linked while in the memo */
};

static struct shard {
	pthread_mutex_t lock;
	struct entry *buckets[BUCKETS];
	struct list ages; /* most recently used first */
	size_t texts, bytes;
	uint64_t hits, misses, evicted;
} shards[SHARDS];

static pthread_once_t shards_once = PTHREAD_ONCE_INIT;
static struct stmt_limits now = {1u << 20, 16u << 20, 10000, 64u << 20};

/* ---- limits --------------------------------------------------------- */

void
stmt_limit(const struct stmt_limits *l)
{
	__atomic_store_n(&now.max_text, l->max_text, __ATOMIC_RELAXED);
	__atomic_store_n(&now.max_script, l->max_script, __ATOMIC_RELAXED);
	__atomic_store_n(&now.max_texts, l->max_texts, __ATOMIC_RELAXED);
	__atomic_store_n(&now.max_bytes, l->max_bytes, __ATOMIC_RELAXED);
}

static int
check_size(size_t len, const size_t *limit, const char *what, struct err *e)
{
	size_t max = __atomic_load_n(limit, __ATOMIC_RELAXED);

	if (len <= max)
		return 0;
	return err_set(e, LUNATE_ETOOBIG,
		       "%s of %zu bytes is over the limit of %zu; split it, "
		       "or pass data as parameters or through copy_in",
		       what, len, max);
}

/* ---- life ----------------------------------------------------------- */

struct stmt *
stmt_pin(struct stmt *s)
{
	OBJ_CHECK(s, STMT_MAGIC);
	__atomic_add_fetch(&s->refs, 1, __ATOMIC_RELAXED);
	return s;
}

void
stmt_unpin(struct stmt **ps)
{
	struct entry *en;
	struct stmt *s;

	if (*ps == NULL)
		return;
	OBJ_TAKE(s, ps, STMT_MAGIC);
	if (__atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	en = CONTAINER_OF(s, struct entry, stmt);
	OBJ_FINI(s);
	arena_fini(&en->arena);
	mem_free(en);
}

const char *
stmt_kind_word(enum stmt_kind kind)
{
	static const char *const words[] = {
		[STMT_SELECT] = "select",
		[STMT_VALUES] = "values",
		[STMT_INSERT] = "insert",
		[STMT_UPDATE] = "update",
		[STMT_DELETE] = "delete",
		[STMT_MERGE] = "merge",
		[STMT_EXPLAIN] = "explain",
		[STMT_SHOW] = "show",
		[STMT_SET] = "set",
		[STMT_TX] = "transaction",
		[STMT_COPY] = "copy",
		[STMT_DDL] = "ddl",
		[STMT_TRUNCATE] = "truncate",
		[STMT_CALL] = "call",
		[STMT_DO] = "do",
		[STMT_LISTEN] = "listen",
		[STMT_CURSOR] = "cursor",
		[STMT_PREPARE] = "prepare",
		[STMT_LOCK] = "lock",
		[STMT_MAINTENANCE] = "maintenance",
		[STMT_OTHER] = "other",
	};

	assert((size_t)kind < sizeof(words) / sizeof(*words));
	return words[kind];
}

/* ---- a new one ------------------------------------------------------ */

static int
one_statement(const struct tree *t, struct err *e)
{
	unsigned n = tree_count(t);

	if (n == 1)
		return 0;
	if (n == 0)
		return err_set(e, LUNATE_EINVAL,
			       "the SQL text is empty; pass one statement");
	return err_set(e, LUNATE_EUNSUPPORTED,
		       "%u statements in one call; run a script with "
		       "db:script, or each statement by itself",
		       n);
}

static int
copy_text(struct entry *en, const char *text, struct err *e)
{
	char *copy = arena_try(&en->arena, en->stmt.len + 1);

	if (copy == NULL)
		return err_set(e, LUNATE_ENOMEM, "no memory for an SQL text");
	memcpy(copy, text, en->stmt.len);
	en->stmt.text = copy;
	return 0;
}

static int
fill(struct entry *en, const char *text, const struct tree *t, struct err *e)
{
	struct stmt *s = &en->stmt;
	int rc;

	rc = one_statement(t, e);
	if (rc == 0)
		rc = copy_text(en, text, e);
	if (rc == 0)
		rc = facts_gather(s, tree_root(t, 0), &en->arena, e);
	if (rc == 0)
		rc = facts_normal(s, t, &en->arena, e);
	if (rc == 0)
		rc = tree_fingerprint(t, &s->fingerprint, e);
	if (rc < 0)
		return rc;
	snprintf(s->fingerprint_hex, sizeof(s->fingerprint_hex), "%016llx",
		 (unsigned long long)s->fingerprint);
	snprintf(s->name, sizeof(s->name), "l_%016llx",
		 (unsigned long long)s->hash);
	s->bytes = sizeof(*en) + en->arena.total + ARENA_BLOCK;
	return 0;
}

static int
learn(const char *text, size_t len, struct stmt **out, struct err *e)
{
	struct entry *en;
	struct tree *t;
	int rc;

	*out = NULL;
	rc = tree_parse(text, len, &t, e);
	if (rc < 0)
		return rc;
	en = mem_new(sizeof(*en));
	OBJ_INIT(&en->stmt, STMT_MAGIC);
	arena_init(&en->arena, NULL, 0);
	list_init(&en->age);
	en->stmt.refs = 1;
	en->stmt.hash = XXH3_64bits(text, len);
	en->stmt.len = len;
	*out = &en->stmt;
	rc = fill(en, text, t, e);
	tree_free(&t);
	if (rc < 0)
		stmt_unpin(out);
	return rc;
}

/* ---- the memo ------------------------------------------------------- */

static void
init_shards(void)
{
	for (int i = 0; i < SHARDS; i++) {
		pthread_mutex_init(&shards[i].lock, NULL);
		list_init(&shards[i].ages);
	}
}

static struct shard *
shard_of(uint64_t hash)
{
	pthread_once(&shards_once, init_shards);
	return &shards[hash % SHARDS];
}

static struct entry **
bucket_of(struct shard *sh, uint64_t hash)
{
	return &sh->buckets[(hash / SHARDS) % BUCKETS];
}

/* Under the lock. */
static struct entry *
find(struct shard *sh, const char *text, size_t len, uint64_t hash)
{
	struct entry *en = *bucket_of(sh, hash);

	for (; en != NULL; en = en->chain)
		if (en->stmt.hash == hash && en->stmt.len == len &&
		    memcmp(en->stmt.text, text, len) == 0)
			return en;
	return NULL;
}

/* Under the lock.  The memo's count goes on to the caller. */
static void
take_out(struct shard *sh, struct entry *en)
{
	struct entry **at = bucket_of(sh, en->stmt.hash);

	while (*at != en)
		at = &(*at)->chain;
	*at = en->chain;
	en->chain = NULL;
	list_remove(&en->age);
	sh->texts--;
	sh->bytes -= en->stmt.bytes;
}

/* Under the lock: moves the coldest out until the shard is within limits. */
static void
make_room(struct shard *sh, struct list *gone)
{
	size_t texts = __atomic_load_n(&now.max_texts, __ATOMIC_RELAXED);
	size_t bytes = __atomic_load_n(&now.max_bytes, __ATOMIC_RELAXED);

	while (!list_empty(&sh->ages) &&
	       (sh->texts > texts / SHARDS || sh->bytes > bytes / SHARDS)) {
		struct entry *en = LIST_ENTRY(list_last(&sh->ages),
					      struct entry, age);

		take_out(sh, en);
		list_push_back(gone, &en->age);
		sh->evicted++;
	}
}

static void
let_go(struct list *gone)
{
	LIST_EACH_SAFE (link, gone) {
		struct stmt *s = &LIST_ENTRY(link, struct entry, age)->stmt;

		list_remove(link);
		stmt_unpin(&s);
	}
}

static struct stmt *
recall(struct shard *sh, const char *text, size_t len, uint64_t hash)
{
	struct entry *en;

	pthread_mutex_lock(&sh->lock);
	en = find(sh, text, len, hash);
	if (en != NULL) {
		stmt_pin(&en->stmt);
		list_move_front(&sh->ages, &en->age);
		sh->hits++;
	} else {
		sh->misses++;
	}
	pthread_mutex_unlock(&sh->lock);
	return en != NULL ? &en->stmt : NULL;
}

/* Another thread may have learned the same text meanwhile: the first one
 * stays.  Returns it pinned. */
static struct stmt *
remember(struct shard *sh, struct stmt *s)
{
	struct entry *en = CONTAINER_OF(s, struct entry, stmt);
	struct entry **at, *first;
	struct list gone;

	if (s->bytes >
	    __atomic_load_n(&now.max_bytes, __ATOMIC_RELAXED) / SHARDS)
		return s;
	list_init(&gone);
	pthread_mutex_lock(&sh->lock);
	first = find(sh, s->text, s->len, s->hash);
	if (first != NULL) {
		list_push_back(&gone, &en->age);
		s = stmt_pin(&first->stmt);
	} else {
		at = bucket_of(sh, s->hash);
		en->chain = *at;
		*at = en;
		list_push_front(&sh->ages, &en->age);
		sh->texts++;
		sh->bytes += s->bytes;
		stmt_pin(s);
		make_room(sh, &gone);
	}
	pthread_mutex_unlock(&sh->lock);
	let_go(&gone);
	return s;
}

struct stmt *
stmt_recall(const char *text, size_t len)
{
	uint64_t hash = XXH3_64bits(text, len);

	return recall(shard_of(hash), text, len, hash);
}

int
stmt_get(const char *text, size_t len, struct stmt **out, struct err *e)
{
	struct shard *sh;
	uint64_t hash;
	int rc;

	assert(text != NULL);
	*out = NULL;
	rc = check_size(len, &now.max_text, "an SQL text", e);
	if (rc < 0)
		return rc;
	hash = XXH3_64bits(text, len);
	sh = shard_of(hash);
	*out = recall(sh, text, len, hash);
	if (*out != NULL)
		return 0;
	rc = learn(text, len, out, e);
	if (rc == 0)
		*out = remember(sh, *out);
	return rc;
}

void
stmt_forget(void)
{
	for (unsigned i = 0; i < SHARDS; i++) {
		struct shard *sh = shard_of(i);
		struct list gone;

		list_init(&gone);
		pthread_mutex_lock(&sh->lock);
		while (!list_empty(&sh->ages)) {
			struct list *link = list_first(&sh->ages);

			take_out(sh, LIST_ENTRY(link, struct entry, age));
			list_push_back(&gone, link);
		}
		pthread_mutex_unlock(&sh->lock);
		let_go(&gone);
	}
}

void
stmt_usage(struct stmt_usage *u)
{
	memset(u, 0, sizeof(*u));
	for (unsigned i = 0; i < SHARDS; i++) {
		struct shard *sh = shard_of(i);

		pthread_mutex_lock(&sh->lock);
		u->texts += sh->texts;
		u->bytes += sh->bytes;
		u->hits += sh->hits;
		u->misses += sh->misses;
		u->evicted += sh->evicted;
		pthread_mutex_unlock(&sh->lock);
	}
}

/* ---- scripts -------------------------------------------------------- */

int
stmt_split(const char *text, size_t len, struct tree_script *out, struct err *e)
{
	int rc = check_size(len, &now.max_script, "a script", e);

	*out = (struct tree_script){0};
	return rc < 0 ? rc : tree_split(text, len, out, e);
}
