/* SPDX-License-Identifier: MIT */
#include "scope.h"

#include <string.h>

#include "atlas.h"
#include "check.h"
#include "fault.h"
#include "refusal.h"
#include "vet.h"
#include "whose.h"

/* Sets of WAYS; what was not used for longest in its set gives way. */
#define WAYS 4
#define SETS (SCOPE_MOST / WAYS)

struct entry {
	struct stmt *stmt; /* pinned; NULL: free */
	uint64_t epoch, schema, closed, used, limits_hash;
	enum tenant_shape shape;
	struct tenant_limits limits; /* copied; nlimits 0: none */
	struct arena arena;
	struct scoped *scoped;
};

struct scope {
	unsigned magic;
#define SCOPE_MAGIC 0x5c09e00d
	struct entry (*sets)[WAYS];
	struct atlas *atlas; /* of the snapshot that was asked with last */
	uint64_t clock;
	struct scope_usage usage;
	struct scoped failed; /* no memory for an atlas */
};

struct scope *
scope_new(void)
{
	struct scope *s = mem_new(sizeof(*s));

	OBJ_INIT(s, SCOPE_MAGIC);
	s->sets = mem_new(SETS * sizeof(*s->sets));
	return s;
}

struct scoped *
scoped_pin(struct scoped *s)
{
	OBJ_CHECK(s, SCOPED_MAGIC);
	__atomic_add_fetch(&s->refs, 1, __ATOMIC_RELAXED);
	return s;
}

void
scoped_unpin(struct scoped **ps)
{
	struct scoped *s;

	OBJ_TAKE(s, ps, SCOPED_MAGIC);
	if (__atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	if (s->stmt != NULL)
		stmt_unpin(&s->stmt);
	mem_free(s->values);
	OBJ_FINI(s);
	mem_free(s);
}

static uint64_t
closed_of(const struct scope_ask *ask)
{
	return ask->closed != NULL ? closed_id(ask->closed) : 0;
}

bool
scoped_fits(const struct scoped *s, const struct scope_ask *ask)
{
	return s->closed == closed_of(ask);
}

/* ---- making one -------------------------------------------------------- */

/* What is at hand while one is made. */
struct making {
	const struct scope_ask *ask;
	const struct tenant_rules *rules;
	const struct world *world;
	struct tree *tree;
	struct arena arena;
	struct err *e;
	bool fence;
};

/* A test may switch a layer off, to see that another one holds: only where the
 * rules themselves say that this is no place for real data. */
static bool
off(const struct making *m, const char *layer)
{
	return m->ask->rules->show_detail && FAULT_POINT(layer);
}

static int
accept(struct making *m, const struct tenant_text *text)
{
	const struct check_ask ask = {
		.before = m->tree,
		.after = text->sql,
		.len = text->len,
		.rules = m->rules,
		.world = m->world,
		.shape = m->ask->shape,
		.limits = m->ask->limits,
		.tenant_param = text->tenant_param,
		.nvalues = text->nvalues,
		.values = text->values,
		.fence = m->fence,
	};

	if (off(m, "isolation.check"))
		return 0;
	return check_rewrite(&ask, m->e);
}

static int
rewrite(struct making *m, struct scoped *s)
{
	const struct tenant_ask ask = {
		.tree = m->tree,
		.rules = m->rules,
		.world = m->world,
		.shape = m->ask->shape,
		.limits = m->ask->limits,
		.fence = m->fence,
	};
	struct tenant_text text;
	size_t size;

	if (tenant_rewrite(&ask, &m->arena, &text, m->e) < 0 ||
	    accept(m, &text) < 0 ||
	    stmt_get(text.sql, text.len, &s->stmt, m->e) < 0)
		return m->e->code;
	s->tenant_param = text.tenant_param;
	s->needs_tenant = text.tenant_param != 0;
	s->needs_one = text.needs_one;
	s->nvalues = text.nvalues;
	size = text.nvalues * sizeof(*s->values);
	s->values = mem_new(size + 1);
	if (size > 0)
		memcpy(s->values, text.values, size);
	return 0;
}

/* With the database's row policies alone the text stays as it is. */
static int
leave(struct making *m, struct scoped *s)
{
	s->stmt = stmt_pin(m->ask->stmt);
	s->needs_tenant = s->stmt->ntables > 0;
	s->needs_one = !(s->stmt->flags & STMT_READS_ONLY);
	return 0;
}

static int
is_open(void *arg, const struct world_table *t, struct err *e)
{
	const struct closed_table *why = closed_by(arg, t->schema, t->name);

	return why != NULL ? closed_refuse(why, e) : 0;
}

static int
gate(struct making *m)
{
	const struct vet_ask ask = {.tree = m->tree,
				    .rules = m->rules,
				    .world = m->world,
				    .closed = m->ask->closed != NULL ? is_open
								     : NULL,
				    .arg = m->ask->closed};

	if (off(m, "isolation.gate"))
		return 0;
	return vet_statement(&ask, m->e);
}

/* Parsed, and past the gate. */
static int
admit(struct making *m)
{
	const struct isolation_rules *r = m->ask->rules;

	if (tree_parse(m->ask->stmt->text, m->ask->stmt->len, &m->tree, m->e) <
	    0)
		return m->e->code;
	if (gate(m) < 0) {
		if (r->state == ISOLATION_CLOSED &&
		    refusal_of(m->e) == REFUSE_UNKNOWN_TABLE)
			return refuse(m->e, REFUSE_CLOSED, "%s", r->closed);
		return m->e->code;
	}
	return 0;
}

static int
make(struct making *m, struct scoped *s)
{
	if (admit(m) < 0)
		return m->e->code;
	if ((m->ask->rules->mode == ISOLATION_RLS && m->ask->limits == NULL) ||
	    off(m, "isolation.rewrite"))
		return leave(m, s);
	return rewrite(m, s);
}

/* Do row policies hold everything that the text has to?  They know nothing of
 * limits, and a view has none. */
static bool
is_only_barrier(const struct scope_ask *ask, const struct world *world)
{
	const struct stmt *s = ask->stmt;

	if (ask->rules->mode == ISOLATION_REWRITE || ask->limits != NULL)
		return true;
	for (unsigned i = 0; i < s->ntables; i++) {
		const struct stmt_table *at = &s->tables[i];
		const struct world_table *t = world->table(
			world->arg, at->schema, at->name);

		if (t != NULL && t->kind != WORLD_TABLE &&
		    t->kind != WORLD_PARTITIONED)
			return true;
	}
	return false;
}

static void
begin(struct making *m, const struct scope_ask *ask, const struct atlas *atlas,
      struct err *e)
{
	static const struct tenant_rules none = {0};

	*m = (struct making){
		.ask = ask,
		.rules = ask->rules->state == ISOLATION_ON ? ask->rules->tables
							   : &none,
		.e = e,
		.world = atlas_world(atlas),
		.fence = is_only_barrier(ask, atlas_world(atlas)),
	};
	arena_init(&m->arena, NULL, 0);
}

static void
end(struct making *m)
{
	if (m->tree != NULL)
		tree_free(&m->tree);
	arena_fini(&m->arena);
}

static struct scoped *
build(const struct scope_ask *ask, const struct atlas *atlas)
{
	struct scoped *s = mem_new(sizeof(*s));
	struct making m;

	OBJ_INIT(s, SCOPED_MAGIC);
	s->refs = 1;
	s->closed = closed_of(ask);
	begin(&m, ask, atlas, &s->err);
	if (make(&m, s) < 0 && s->stmt != NULL)
		stmt_unpin(&s->stmt);
	end(&m);
	return s;
}

/* ---- the memo ---------------------------------------------------------- */

static bool
fits(const struct entry *n, const struct scope_ask *ask)
{
	return n->stmt == ask->stmt && n->shape == ask->shape &&
	       n->epoch == ask->epoch && n->closed == closed_of(ask) &&
	       n->schema == catalog_snapshot_epoch(ask->snapshot) &&
	       n->limits_hash == ask->limits_hash &&
	       tenant_limits_same(n->limits.nlimits > 0 ? &n->limits : NULL,
				  ask->limits);
}

static void
clear(struct entry *n)
{
	if (n->stmt == NULL)
		return;
	stmt_unpin(&n->stmt);
	scoped_unpin(&n->scoped);
	arena_fini(&n->arena);
}

static void
fill(struct entry *n, const struct scope_ask *ask, uint64_t now)
{
	n->stmt = stmt_pin(ask->stmt);
	n->shape = ask->shape;
	n->epoch = ask->epoch;
	n->closed = closed_of(ask);
	n->schema = catalog_snapshot_epoch(ask->snapshot);
	n->used = now;
	n->limits = (struct tenant_limits){0};
	n->limits_hash = ask->limits_hash;
	arena_init(&n->arena, NULL, 0);
	if (ask->limits != NULL)
		tenant_limits_copy(ask->limits, &n->arena, &n->limits);
}

static struct entry *
oldest(struct entry *set)
{
	struct entry *n = set;

	for (unsigned i = 1; i < WAYS; i++)
		if (set[i].used < n->used)
			n = &set[i];
	return n;
}

/* The atlas of this snapshot. */
static int
know(struct scope *s, struct catalog_snapshot *snapshot)
{
	if (s->atlas != NULL && atlas_snapshot(s->atlas) == snapshot)
		return 0;
	if (s->atlas != NULL)
		atlas_free(&s->atlas);
	s->atlas = atlas_new(snapshot, &s->failed.err);
	return s->atlas != NULL ? 0 : s->failed.err.code;
}

struct scoped *
scope_get(struct scope *s, const struct scope_ask *ask)
{
	uint64_t hash = ask->stmt->hash ^ ask->limits_hash;
	struct entry *set = s->sets[hash % SETS], *n;

	OBJ_CHECK(s, SCOPE_MAGIC);
	s->clock++;
	for (unsigned i = 0; i < WAYS; i++)
		if (fits(&set[i], ask)) {
			set[i].used = s->clock;
			s->usage.hits++;
			return set[i].scoped;
		}
	if (know(s, ask->snapshot) < 0)
		return &s->failed;
	n = oldest(set);
	clear(n);
	s->usage.misses++;
	n->scoped = build(ask, s->atlas);
	fill(n, ask, s->clock);
	s->usage.refused += n->scoped->err.code != 0;
	return n->scoped;
}

int
scope_world(struct scope *s, struct catalog_snapshot *snapshot,
	    const struct world **out, struct err *e)
{
	OBJ_CHECK(s, SCOPE_MAGIC);
	if (know(s, snapshot) < 0) {
		*e = s->failed.err;
		return e->code;
	}
	*out = atlas_world(s->atlas);
	return 0;
}

int
scope_uses(struct scope *s, const struct scope_ask *ask,
	   struct scope_found *out, struct err *e)
{
	struct uses_ask of;
	struct making m;

	OBJ_CHECK(s, SCOPE_MAGIC);
	err_clear(e);
	if (know(s, ask->snapshot) < 0) {
		*e = s->failed.err;
		return e->code;
	}
	begin(&m, ask, s->atlas, e);
	if (admit(&m) == 0) {
		of = (struct uses_ask){m.tree, m.rules, m.world};
		if (uses_of(&of, out->arena, &out->uses, e) < 0 && e->code == 0)
			err_set(e, LUNATE_EINTERNAL, "uses are not known");
	}
	end(&m);
	return e->code;
}

void
scope_usage(const struct scope *s, struct scope_usage *u)
{
	OBJ_CHECK(s, SCOPE_MAGIC);
	*u = s->usage;
}

void
scope_free(struct scope **ps)
{
	struct scope *s;

	OBJ_TAKE(s, ps, SCOPE_MAGIC);
	for (unsigned i = 0; i < SETS; i++)
		for (unsigned k = 0; k < WAYS; k++)
			clear(&s->sets[i][k]);
	if (s->atlas != NULL)
		atlas_free(&s->atlas);
	mem_free(s->sets);
	OBJ_FINI(s);
	mem_free(s);
}

/* ---- who may run it ---------------------------------------------------- */

int
scope_allows(const struct scoped *s, const struct tenant_rules *rules,
	     const struct context *c, struct err *e)
{
	struct whose_ask ask = {.context = c, .needs_one = s->needs_one};

	if (!s->needs_tenant)
		return 0;
	ask.type = rules->type;
	return whose_allows(&ask, e);
}
