/* SPDX-License-Identifier: MIT */
#include "decided.h"

#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "mem.h"

struct slot {
	uint64_t key;
	struct decided_record record;
};

struct decided {
	unsigned magic;
#define DECIDED_MAGIC 0xdec1de00
	pthread_mutex_t lock;
	struct slot slots[DECIDED_MOST];
	uint64_t n;    /* ever put in */
	uint64_t laps; /* atomic: n / DECIDED_MOST */
	struct catalog_snapshot *snapshot;
};

/* ---- keys --------------------------------------------------------------- */

static unsigned
tenants_of(const struct context *c)
{
	return c == NULL ? 0 : c->ntenants > 1 ? 2 : c->ntenants;
}

static uint64_t
key_of(const struct decided_what *w)
{
	const struct context *c = w->context;
	uint64_t shape[5] = {w->stmt->hash, c == NULL, tenants_of(c),
			     w->ruling.kind, w->ruling.why};
	uint64_t h = XXH3_64bits(shape, sizeof(shape));

	for (unsigned i = 0; c != NULL && i < c->nroles; i++)
		h = XXH3_64bits_withSeed(c->roles[i], strlen(c->roles[i]), h);
	return h != 0 ? h : 1;
}

/* ---- the ring ----------------------------------------------------------- */

struct decided *
decided_new(void)
{
	struct decided *d = mem_new(sizeof(*d));

	OBJ_INIT(d, DECIDED_MAGIC);
	pthread_mutex_init(&d->lock, NULL);
	return d;
}

static void
fill(struct decided_record *r, const struct decided_record *from)
{
	*r = *from;
	r->stmt = stmt_pin(from->stmt);
	r->roles = mem_new((from->nroles + 1) * sizeof(*r->roles));
	for (unsigned i = 0; i < from->nroles; i++)
		r->roles[i] = mem_dups(from->roles[i]);
}

static void
empty(struct decided_record *r)
{
	if (r->stmt == NULL)
		return;
	stmt_unpin(&r->stmt);
	for (unsigned i = 0; i < r->nroles; i++)
		mem_free(r->roles[i]);
	mem_free(r->roles);
}

static bool
has(const struct decided *d, uint64_t key)
{
	for (unsigned i = 0; i < DECIDED_MOST && i < d->n; i++)
		if (d->slots[i].key == key)
			return true;
	return false;
}

static void
put(struct decided *d, uint64_t key, const struct decided_what *w)
{
	struct slot *s = &d->slots[d->n % DECIDED_MOST];
	const struct decided_record r = {
		.stmt = w->stmt,
		.nobody = w->context == NULL,
		.ntenants = tenants_of(w->context),
		.nroles = w->context != NULL ? w->context->nroles : 0,
		.roles = w->context != NULL ? (char **)w->context->roles : NULL,
		.ruling = w->ruling,
	};

	empty(&s->record);
	s->key = key;
	fill(&s->record, &r);
	d->n++;
	__atomic_store_n(&d->laps, d->n / DECIDED_MOST, __ATOMIC_RELAXED);
	if (d->snapshot == w->snapshot)
		return;
	if (d->snapshot != NULL)
		catalog_snapshot_unpin(&d->snapshot);
	d->snapshot = catalog_snapshot_pin(w->snapshot);
}

void
decided_note(struct decided *d, struct decided_seen *seen,
	     const struct decided_what *what)
{
	uint64_t key = key_of(what), laps;
	uint64_t *at = &seen->keys[key % DECIDED_SEEN];

	OBJ_CHECK(d, DECIDED_MAGIC);
	laps = __atomic_load_n(&d->laps, __ATOMIC_RELAXED);
	if (*at == key && seen->laps == laps)
		return;
	if (what->stmt->len > DECIDED_TEXT)
		return;
	if (seen->laps != laps) /* what was handed in may be gone */
		memset(seen->keys, 0, sizeof(seen->keys));
	seen->laps = laps;
	*at = key;
	pthread_mutex_lock(&d->lock);
	if (!has(d, key))
		put(d, key, what);
	pthread_mutex_unlock(&d->lock);
}

/* ---- all of them -------------------------------------------------------- */

void
decided_all(struct decided *d, struct decided_list *out)
{
	OBJ_CHECK(d, DECIDED_MAGIC);
	*out = (struct decided_list){0};
	out->records = mem_new(DECIDED_MOST * sizeof(*out->records));
	pthread_mutex_lock(&d->lock);
	if (d->snapshot != NULL)
		out->snapshot = catalog_snapshot_pin(d->snapshot);
	for (uint64_t i = d->n > DECIDED_MOST ? d->n - DECIDED_MOST : 0;
	     i < d->n; i++)
		fill(&out->records[out->n++],
		     &d->slots[i % DECIDED_MOST].record);
	pthread_mutex_unlock(&d->lock);
}

void
decided_list_fini(struct decided_list *l)
{
	for (unsigned i = 0; i < l->n; i++)
		empty(&l->records[i]);
	mem_free(l->records);
	if (l->snapshot != NULL)
		catalog_snapshot_unpin(&l->snapshot);
}

struct context *
decided_context(const struct decided_record *r, enum tenant_type type)
{
	static const char *const made_up[][2] = {
		[TENANT_UUID] = {"00000000-0000-4000-8000-000000000001",
				 "00000000-0000-4000-8000-000000000002"},
		[TENANT_INT4] = {"1", "2"},
		[TENANT_INT8] = {"1", "2"},
		[TENANT_TEXT] = {"a", "b"}};
	struct context *c = NULL;
	json_t *j, *tenants, *roles;
	struct err e;
	char *text;

	if (r->nobody)
		return NULL;
	tenants = json_array();
	roles = json_array();
	for (unsigned i = 0; i < r->ntenants; i++)
		json_array_append_new(tenants, json_string(made_up[type][i]));
	for (unsigned i = 0; i < r->nroles; i++)
		json_array_append_new(roles, json_string(r->roles[i]));
	j = json_object();
	if (r->ntenants > 0)
		json_object_set(j, "tenant", tenants);
	if (r->nroles > 0)
		json_object_set(j, "roles", roles);
	text = json_dumps(j, JSON_COMPACT);
	if (text == NULL || context_new(text, strlen(text), &c, &e) < 0)
		c = NULL;
	free(text);
	json_decref(tenants);
	json_decref(roles);
	json_decref(j);
	return c;
}

unsigned
decided_count(struct decided *d)
{
	unsigned n;

	OBJ_CHECK(d, DECIDED_MAGIC);
	pthread_mutex_lock(&d->lock);
	n = (unsigned)(d->n < DECIDED_MOST ? d->n : DECIDED_MOST);
	pthread_mutex_unlock(&d->lock);
	return n;
}

void
decided_free(struct decided **pd)
{
	struct decided *d;

	OBJ_TAKE(d, pd, DECIDED_MAGIC);
	for (unsigned i = 0; i < DECIDED_MOST; i++)
		empty(&d->slots[i].record);
	if (d->snapshot != NULL)
		catalog_snapshot_unpin(&d->snapshot);
	pthread_mutex_destroy(&d->lock);
	OBJ_FINI(d);
	mem_free(d);
}
