/* SPDX-License-Identifier: MIT */
#include "permit.h"

#include <stdio.h>
#include <string.h>

#include "hook.h"
#include "refusal.h"

/* Sets of WAYS; what was not used for longest in its set gives way. */
#define WAYS 4
#define SETS (PERMIT_MOST / WAYS)

/* What a statement does to which tables. */
struct known {
	struct stmt *stmt; /* pinned; NULL: free */
	uint64_t epoch, schema, used;
	struct err err;
	struct uses uses;
	struct arena arena;
};

struct entry {
	struct stmt *stmt; /* pinned; NULL: free */
	struct context *context;
	uint64_t generation, schema, used;
	int64_t now_s;
	struct permit *permit;
};

struct permits {
	unsigned magic;
#define PERMITS_MAGIC 0x9e4317a5
	struct known (*known)[WAYS];
	struct entry (*sets)[WAYS];
	uint64_t clock;
	struct permit_usage usage;
};

struct permits *
permits_new(void)
{
	struct permits *p = mem_new(sizeof(*p));

	OBJ_INIT(p, PERMITS_MAGIC);
	p->known = mem_new(SETS * sizeof(*p->known));
	p->sets = mem_new(SETS * sizeof(*p->sets));
	return p;
}

void
permit_unpin(struct permit **pp)
{
	struct permit *p;

	OBJ_TAKE(p, pp, PERMIT_MAGIC);
	if (--p->refs > 0)
		return;
	if (p->scoped != NULL)
		scoped_unpin(&p->scoped);
	arena_fini(&p->arena);
	OBJ_FINI(p);
	mem_free(p);
}

/* ---- what a statement does ---------------------------------------------- */

static void
forget_known(struct known *k)
{
	if (k->stmt == NULL)
		return;
	stmt_unpin(&k->stmt);
	arena_fini(&k->arena);
}

static void
learn(struct known *k, const struct permit_ask *ask, uint64_t now)
{
	const struct scope_ask of = {.stmt = ask->stmt,
				     .rules = &ask->rules->isolation,
				     .epoch = ask->rules->decision_epoch,
				     .snapshot = ask->snapshot};
	struct scope_found found = {&k->arena, {0, NULL}};

	forget_known(k);
	k->stmt = stmt_pin(ask->stmt);
	k->epoch = ask->rules->decision_epoch;
	k->schema = catalog_snapshot_epoch(ask->snapshot);
	k->used = now;
	arena_init(&k->arena, NULL, 0);
	k->uses = (struct uses){0};
	if (scope_uses(ask->scope, &of, &found, &k->err) == 0)
		k->uses = found.uses;
}

static const struct known *
known(struct permits *p, const struct permit_ask *ask)
{
	struct known *set = p->known[ask->stmt->hash % SETS], *old = set;
	uint64_t schema = catalog_snapshot_epoch(ask->snapshot);

	for (unsigned i = 0; i < WAYS; i++) {
		struct known *k = &set[i];

		if (k->stmt == ask->stmt && k->schema == schema &&
		    k->epoch == ask->rules->decision_epoch) {
			k->used = p->clock;
			return k;
		}
		if (k->used < old->used)
			old = k;
	}
	learn(old, ask, p->clock);
	return old;
}

/* ---- one decision ------------------------------------------------------- */

struct deciding {
	const struct permit_ask *ask;
	struct permit *permit;
	const struct world *world;
	struct expr_fact facts[EXPR_FACTS];
	uint64_t held[EXPR_ROLES / 64];
	struct hook_who caller;
	struct expr_call call;
	struct expr_ask who;
	const char **values;
	unsigned room;
	struct tenant_limit *limits;
};

static void
look_at_who(struct deciding *d)
{
	const struct permit_ask *ask = d->ask;
	const struct context *c = ask->context;

	d->caller = (struct hook_who){ask->rules->hooks, ask->worker, c,
				      ask->now_s};
	d->call = (struct expr_call){hook_expr, &d->caller};
	access_held(ask->rules->access, c, d->held);
	d->who = (struct expr_ask){.ctx = c,
				   .facts = d->facts,
				   .nfacts = expr_facts(c, d->facts),
				   .now_s = ask->now_s,
				   .held = d->held,
				   .zones = ask->rules->zones,
				   .call = &d->call,
				   .row.world = d->world};
}

static const char *
action_word(enum tenant_action a)
{
	static const char *const words[] = {[TENANT_READ] = "read",
					    [TENANT_INSERT] = "insert",
					    [TENANT_UPDATE] = "update",
					    [TENANT_DELETE] = "delete"};

	return words[a];
}

static int
deny(struct deciding *d, const struct use *u, const struct access_verdict *v)
{
	struct err *e = &d->permit->err;
	char what[300], why[200] = "no permit of access.lua matched";

	snprintf(what, sizeof(what), "%s of %s.%s%s%s", action_word(u->action),
		 u->schema, u->name, v->column != NULL ? ", column " : "",
		 v->column != NULL ? v->column : "");
	if (v->rule != NULL)
		snprintf(why, sizeof(why), "%s \"%s\" (%s:%d)",
			 v->rule->forbids ? "forbid" : "permit", v->rule->name,
			 v->rule->file, v->rule->line);
	return refuse(e, REFUSE_ACCESS,
		      "%s: %s; `lunate why %s %s.%s --as ...` tells more", what,
		      why, action_word(u->action), u->schema, u->name);
}

static void
keep_fault(struct deciding *d, const struct access_verdict *v)
{
	if (v->faulty == NULL || d->permit->fault != NULL)
		return;
	d->permit->fault = arena_printf(&d->permit->arena, "%s:%d: \"%s\": %s",
					v->faulty->file, v->faulty->line,
					v->faulty->name, v->fault.text);
}

static void
keep_values(struct deciding *d, const struct access_verdict *v)
{
	struct tenant_limits *all = &d->permit->limits;
	const char **grown;

	if (all->nvalues + v->nvalues > d->room) {
		d->room = (all->nvalues + v->nvalues) * 2;
		grown = arena_new(&d->permit->arena, d->room * sizeof(*grown));
		if (all->nvalues > 0)
			memcpy(grown, d->values, all->nvalues * sizeof(*grown));
		d->values = grown;
	}
	for (unsigned i = 0; i < v->nvalues; i++)
		d->values[all->nvalues++] = v->values[i];
}

/* Everything that a verdict points to lies in the permit's arena, or in the
 * generation's, which may go before it: names are copied. */
static void
keep_limit(struct deciding *d, const struct use *u,
	   const struct access_verdict *v)
{
	struct tenant_limits *all = &d->permit->limits;
	struct tenant_limit *l = &d->limits[all->nlimits];

	if (v->limit.nparts == 0 && v->limit.nmasks == 0)
		return;
	*l = v->limit;
	l->schema = u->schema;
	l->name = u->name;
	l->action = u->action;
	all->nlimits++;
	keep_values(d, v);
}

static int
decide(struct deciding *d, const struct use *u)
{
	struct access_ask ask = {.rules = d->ask->rules->access,
				 .who = &d->who,
				 .opening = d->ask->opening,
				 .action = u->action,
				 .ncolumns = u->ncolumns,
				 .columns = u->columns,
				 .first_value = d->permit->limits.nvalues};
	struct access_verdict v;

	d->who.row.table = d->world->table(d->world->arg, u->schema, u->name);
	if (d->who.row.table == NULL)
		return refuse(&d->permit->err, REFUSE_UNKNOWN_TABLE,
			      "%s.%s is not there", u->schema, u->name);
	access_decide(&ask, &d->permit->arena, &v);
	keep_fault(d, &v);
	d->permit->opened |= v.opened;
	if (!v.allowed)
		return deny(d, u, &v);
	if (uses_holds(u, &v.limit, &d->permit->err) < 0)
		return d->permit->err.code;
	keep_limit(d, u, &v);
	return 0;
}

static int
decide_all(struct deciding *d, const struct uses *uses)
{
	struct permit *p = d->permit;
	struct tenant_limits made;

	d->limits = arena_new(&p->arena, (uses->n + 1) * sizeof(*d->limits));
	p->limits.limits = d->limits;
	for (unsigned i = 0; i < uses->n; i++)
		if (decide(d, &uses->list[i]) < 0)
			return p->err.code;
	tenant_limits_copy(&p->limits, &p->arena, &made);
	p->limits = made;
	p->limits_hash = made.nlimits > 0 ? tenant_limits_hash(&made) : 0;
	p->values = d->values;
	return 0;
}

static struct permit *
make(struct permits *ps, const struct permit_ask *ask)
{
	const struct known *k = known(ps, ask);
	struct permit *p = mem_new(sizeof(*p));
	struct deciding d = {.ask = ask, .permit = p};

	OBJ_INIT(p, PERMIT_MAGIC);
	p->refs = 1;
	arena_init(&p->arena, NULL, 0);
	if (k->err.code != 0) {
		p->err = k->err;
		return p;
	}
	if (scope_world(ask->scope, ask->snapshot, &d.world, &p->err) < 0)
		return p;
	if (ask->context == NULL && k->uses.n > 0) {
		refuse(&p->err, REFUSE_ACCESS,
		       "%s of %s.%s: nobody asks; access.lua decides by a "
		       "context (db:with_context, lunate_context)",
		       action_word(k->uses.list[0].action),
		       k->uses.list[0].schema, k->uses.list[0].name);
		return p;
	}
	look_at_who(&d);
	decide_all(&d, &k->uses);
	return p;
}

/* ---- the memo ---------------------------------------------------------- */

static bool
fits(const struct entry *n, const struct permit_ask *ask)
{
	return n->stmt == ask->stmt && n->generation == ask->rules->id &&
	       n->now_s == ask->now_s &&
	       n->schema == catalog_snapshot_epoch(ask->snapshot) &&
	       context_same(n->context, ask->context);
}

static void
clear(struct entry *n)
{
	if (n->stmt == NULL)
		return;
	stmt_unpin(&n->stmt);
	context_unpin(&n->context);
	permit_unpin(&n->permit);
}

static void
put(struct permits *p, struct entry *n, const struct permit_ask *ask,
    struct permit *made)
{
	clear(n);
	n->stmt = stmt_pin(ask->stmt);
	n->context = context_pin(ask->context);
	n->generation = ask->rules->id;
	n->schema = catalog_snapshot_epoch(ask->snapshot);
	n->now_s = ask->now_s;
	n->used = p->clock;
	n->permit = made;
	made->refs++;
}

struct permit *
permits_get(struct permits *p, const struct permit_ask *ask)
{
	uint64_t hash = ask->stmt->hash;
	struct entry *set, *old;
	struct permit *made;

	OBJ_CHECK(p, PERMITS_MAGIC);
	hash ^= ask->context != NULL ? ask->context->hash : 0;
	old = set = p->sets[hash % SETS];
	p->clock++;
	for (unsigned i = 0; i < WAYS && ask->opening == NULL; i++) {
		struct entry *n = &set[i];

		if (fits(n, ask)) {
			n->used = p->clock;
			n->permit->refs++;
			p->usage.hits++;
			return n->permit;
		}
		if (n->used < old->used)
			old = n;
	}
	made = make(p, ask);
	p->usage.misses++;
	p->usage.denied += made->err.code != 0;
	if (ask->opening == NULL)
		put(p, old, ask, made);
	return made;
}

void
permits_usage(const struct permits *p, struct permit_usage *u)
{
	OBJ_CHECK(p, PERMITS_MAGIC);
	*u = p->usage;
}

void
permits_free(struct permits **pp)
{
	struct permits *p;

	OBJ_TAKE(p, pp, PERMITS_MAGIC);
	for (unsigned i = 0; i < SETS; i++)
		for (unsigned k = 0; k < WAYS; k++) {
			clear(&p->sets[i][k]);
			forget_known(&p->known[i][k]);
		}
	mem_free(p->known);
	mem_free(p->sets);
	OBJ_FINI(p);
	mem_free(p);
}
