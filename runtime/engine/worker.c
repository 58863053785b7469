/* SPDX-License-Identifier: MIT */
#include "worker.h"

#include "barrier.h"
#include "decided.h"
#include "health.h"
#include "limits.h"
#include "notes.h"
#include "op.h"
#include "permit.h"
#include "runtime.h"
#include "scope.h"

#include <unistd.h>

void
worker_init(struct worker *w, struct runtime *rt, int index, struct loop *loop)
{
	struct pool_base base;

	OBJ_INIT(w, WORKER_MAGIC);
	w->rt = rt;
	w->index = index;
	list_init(&w->ops);
	w->loop = loop;
	if (sysconf(_SC_NPROCESSORS_ONLN) > 1)
		loop_busy_poll(loop, rt->config.busy_poll);
	w->seed = (uint64_t)loop_now_us(w->loop) * 2654435761u + 1 +
		  (uint64_t)index;
	base = (struct pool_base){loop, rt->crew, &rt->target, &rt->budget};
	w->pool = pool_new(&base, &rt->pool_rules);
	w->catalog = catalog_new(w->loop, w->pool, &rt->schema_epoch);
	w->scope = scope_new();
	w->permits = permits_new();
	w->barrier = barrier_new(w);
	w->seen = mem_new(sizeof(*w->seen));
	w->health = health_new(w);
	w->limits = limits_new(w);
	pool_on_note(w->pool, notes_pool, w);
}

bool
worker_quiet(const struct worker *w)
{
	OBJ_CHECK(w, WORKER_MAGIC);
	return w->nops == 0 && pool_quiet(w->pool) &&
	       (w->system_pool == NULL || pool_quiet(w->system_pool));
}

uint64_t
worker_random(struct worker *w, uint64_t bound)
{
	w->seed ^= w->seed << 13;
	w->seed ^= w->seed >> 7;
	w->seed ^= w->seed << 17;
	return bound != 0 ? w->seed % bound : 0;
}

void
worker_fini(struct worker *w)
{
	struct err why;

	OBJ_CHECK(w, WORKER_MAGIC);
	err_set(&why, LUNATE_ECLOSED, "the runtime was closed");
	w->closing = true;
	while (!list_empty(&w->ops))
		op_end_now(LIST_ENTRY(w->ops.next, struct op, link), &why);
	pool_close(w->pool, &why);
	pool_free(&w->pool);
	system_end(w, &why);
	catalog_free(&w->catalog);
	limits_free(&w->limits);
	health_free(&w->health);
	permits_free(&w->permits);
	scope_free(&w->scope);
	barrier_free(&w->barrier);
	shade_fini(&w->shade);
	mem_free(w->seen);
	OBJ_FINI(w);
}
