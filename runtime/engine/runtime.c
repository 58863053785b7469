/* SPDX-License-Identifier: MIT */
#include "runtime.h"

#include <stdio.h>
#include <string.h>

#include "closed.h"
#include "decided.h"
#include "glass.h"
#include "mem.h"
#include "notes.h"
#include "op.h"
#include "pgurl.h"
#include "policies.h"
#include "process.h"
#include "rate.h"
#include "str.h"

static bool
has_folder(const struct config *c)
{
	return c->policies != NULL &&
	       strcmp(c->policies, CONFIG_NO_FOLDER) != 0;
}

static void
fill_pool_rules(struct runtime *rt)
{
	const struct config *c = &rt->config;

	rt->pool_rules = (struct pool_rules){
		.min = (int)c->pool_min,
		.max = (int)c->pool_max,
		.max_logins = (int)c->max_logins,
		.group_size = (int)c->group_size,
		.prepared_max = (int)c->prepared_per_connection,
		.connect_us = c->connect_timeout * 1000,
		.acquire_us = c->acquire_timeout * 1000,
		.idle_us = c->idle_timeout > 0 ? c->idle_timeout * 1000
					       : INT64_MAX,
		.lifetime_us = c->max_lifetime * 1000,
		.validate_us = c->validation_interval > 0
				       ? c->validation_interval * 1000
				       : INT64_MAX,
		.leak_us = c->leak_threshold * 1000,
		.max_uses = (int)c->max_uses,
		.queue_max = (unsigned)c->queue_limit,
		.age_ms = 50,
		.guarded = has_folder(c),
		.timeout_ms = {c->read_timeout, c->write_timeout,
			       c->critical_timeout}};
	budget_init(&rt->budget, (int)c->pool_max);
}

static void
publish_defaults(struct runtime *rt)
{
	struct rules *r = rules_new();

	r->classes[RULES_READ].timeout_ms = rt->config.read_timeout;
	r->classes[RULES_WRITE].timeout_ms = rt->config.write_timeout;
	r->classes[RULES_CRITICAL].timeout_ms = rt->config.critical_timeout;
	rules_source_init(&rt->rules, r);
}

static void
set_log(struct runtime *rt)
{
	static const enum log_level levels[] = {[CONFIG_DEBUG] = LOG_AT_DEBUG,
						[CONFIG_INFO] = LOG_AT_INFO,
						[CONFIG_WARN] = LOG_AT_WARN,
						[CONFIG_ERROR] = LOG_AT_ERROR};

	log_init(&rt->log, levels[rt->config.log_level],
		 rt->config.log_format == CONFIG_LOG_JSON ? LOG_JSON : LOG_TEXT,
		 NULL);
}

static int
open_policies(struct runtime *rt, struct err *e)
{
	const char *key_file = rt->config.seal_key_file;
	const struct policies_opts opts = {
		.folder = rt->config.policies,
		.sealed = key_file != NULL,
		.schema = rt->config.schema,
		.max_stale_ms = rt->config.policies_max_stale,
		.workers = (int)rt->config.workers,
		.confirm = rt->config.policy_confirm == CONFIG_CONFIRM_WIDENING,
		.rules = &rt->rules,
		.log = &rt->log,
		.events = rt->events,
		.decided = rt->decided,
		.shadow = &rt->shadow};

	if (key_file != NULL && sealer_read(&rt->sealer, key_file, e) < 0)
		return e->code;
	if (has_folder(&rt->config))
		return policies_open(&rt->policies, &opts, e);
	/* A script is warned when it names a tenant. */
	log_debug(&rt->log, "policy",
		  "no policy folder: nothing isolates, and limits are those of "
		  "the options");
	return 0;
}

static int
read_url(struct runtime *rt, struct err *e)
{
	const struct config *c = &rt->config;

	if (c->url == NULL)
		return err_set(e, LUNATE_ECONFIG,
			       "no database is configured; set DATABASE_URL or "
			       "pass url to lunate.open{}, for instance "
			       "postgres://user@localhost/app");
	if (pgurl_new(&rt->url, "DATABASE_URL", c->url, e) < 0 ||
	    pgurl_ssl(rt->url, (enum pgurl_ssl)c->ssl, c->ssl_root_cert, e) < 0)
		return e->code;
	if (pgurl_warning(rt->url) != NULL)
		log_at(&rt->log, LOG_AT_WARN, "config",
		       "the connection is weaker than it looks",
		       LOG_STR("why", pgurl_warning(rt->url)));
	rt->target = (struct pool_target){
		.url = rt->url,
		.name = "primary",
		.schema = c->schema,
		.application_name = c->application_name};
	return 0;
}

/* The journal lies where other things of this user do, if nobody says where. */
static void
make_glass(struct runtime *rt)
{
	const struct config *c = &rt->config;
	struct str path;

	str_init(&path);
	if (c->break_glass_journal != NULL)
		str_add(&path, c->break_glass_journal);
	else if (c->state_dir != NULL)
		str_addf(&path, "%s/break_glass.jsonl", c->state_dir);
	rt->glass = glass_new(path.len > 0 ? path.at : NULL);
	str_fini(&path);
}

#define EVENTS_ROOM 1000

static void
make_events(struct runtime *rt, struct loop *loop)
{
	uint64_t seed = (uint64_t)loop_wall_us(loop) << 20;

	rt->opened_us = loop_now_us(loop);
	rt->rates = rates_new(seed);
	make_glass(rt);
	rt->events = events_new(rt->config.application_name != NULL
					? rt->config.application_name
					: "lunate",
				seed ^ (uint64_t)rt->pid ^
					(uint64_t)(uintptr_t)rt,
				EVENTS_ROOM);
}

static void
free_runtime(struct runtime *rt)
{
	system_fini(&rt->system);
	sealer_fini(&rt->sealer);
	if (rt->url != NULL)
		pgurl_free(&rt->url);
	log_fini(&rt->log);
	config_fini(&rt->config);
	if (rt->closed != NULL)
		closed_unpin(&rt->closed);
	pthread_mutex_destroy(&rt->lock);
	OBJ_FINI(rt);
	mem_free(rt);
}

/* ---- workers ------------------------------------------------------------ */

static void
enlist(struct runtime *rt, struct worker *w)
{
	pthread_mutex_lock(&rt->lock);
	list_push_back(&rt->all, &w->sibling);
	pthread_mutex_unlock(&rt->lock);
}

/* Its connections are about to be closed, what it counted stays. */
static void
strike(struct runtime *rt, struct worker *w)
{
	struct pool_stats now, s = {0};

	pool_stats(w->pool, &now);
#define KEEP(name) s.name = now.name;
	POOL_COUNTS(KEEP)
#undef KEEP
	s.closed += (uint64_t)now.total;
	pthread_mutex_lock(&rt->lock);
	list_remove(&w->sibling);
	pool_stats_add(&rt->gone, &s);
	pthread_mutex_unlock(&rt->lock);
}

void
runtime_pools(struct worker *w, struct pool_stats *out)
{
	struct runtime *rt = w->rt;
	struct pool_stats s;

	pool_stats(w->pool, out);
	pthread_mutex_lock(&rt->lock);
	pool_stats_add(out, &rt->gone);
	LIST_EACH (link, &rt->all) {
		const struct worker *other = LIST_ENTRY(link, struct worker,
							sibling);

		if (other == w)
			continue;
		pool_seen(other->pool, &s);
		pool_stats_add(out, &s);
	}
	pthread_mutex_unlock(&rt->lock);
	out->peak = __atomic_load_n(&rt->budget.peak, __ATOMIC_RELAXED);
}

int
runtime_operations(struct runtime *rt)
{
	int n = 0;

	pthread_mutex_lock(&rt->lock);
	LIST_EACH (link, &rt->all)
		n += __atomic_load_n(
			&LIST_ENTRY(link, struct worker, sibling)->queued,
			__ATOMIC_RELAXED);
	pthread_mutex_unlock(&rt->lock);
	return n;
}

struct worker *
runtime_join(struct runtime *rt, struct loop *loop)
{
	struct worker *w = mem_new(sizeof(*w));

	runtime_pin(rt);
	__atomic_add_fetch(&rt->nworkers, 1, __ATOMIC_RELAXED);
	if (rt->policies != NULL)
		policies_workers(
			rt->policies,
			__atomic_load_n(&rt->nworkers, __ATOMIC_RELAXED));
	worker_init(w, rt,
		    __atomic_fetch_add(&rt->last_index, 1, __ATOMIC_RELAXED),
		    loop);
	enlist(rt, w);
	return w;
}

int
runtime_open(struct runtime **out, struct config *config, struct loop *loop,
	     struct err *e)
{
	struct runtime *rt = mem_new(sizeof(*rt));

	OBJ_INIT(rt, RUNTIME_MAGIC);
	rt->config = *config;
	memset(config, 0, sizeof(*config));
	rt->pid = process_id();
	rt->refs = 1;
	pthread_mutex_init(&rt->lock, NULL);
	list_init(&rt->all);
	set_log(rt);
	if (read_url(rt, e) < 0) {
		free_runtime(rt);
		return e->code;
	}
	fill_pool_rules(rt);
	if (system_init(&rt->system, rt, e) < 0) {
		budget_fini(&rt->budget);
		free_runtime(rt);
		return e->code;
	}
	rt->max_result_bytes = (size_t)rt->config.max_result_bytes;
	publish_defaults(rt);
	rt->decided = decided_new();
	shadow_init(&rt->shadow);
	rt->crew = crew_new(4);
	make_events(rt, loop);
	if (open_policies(rt, e) < 0) {
		runtime_unpin(&rt);
		return e->code;
	}
	rt->workers = runtime_join(rt, loop);
	*out = rt;
	runtime_unpin(&rt);
	return 0;
}

int
runtime_mine(const struct runtime *rt, struct err *e)
{
	OBJ_CHECK(rt, RUNTIME_MAGIC);
	if (rt->pid == process_id())
		return 0;
	return err_set(e, LUNATE_EFORK,
		       "this runtime belongs to the parent process; open "
		       "another one after fork()");
}

void
runtime_count(struct runtime *rt, const struct op *op)
{
	OBJ_CHECK(rt, RUNTIME_MAGIC);
	if (op->flags & OP_PROBE)
		return;
	metrics_count(rt, op);
	notes_op(op->w, op);
}

struct runtime *
runtime_pin(struct runtime *rt)
{
	OBJ_CHECK(rt, RUNTIME_MAGIC);
	__atomic_add_fetch(&rt->refs, 1, __ATOMIC_RELAXED);
	return rt;
}

void
runtime_unpin(struct runtime **prt)
{
	struct runtime *rt;

	OBJ_TAKE(rt, prt, RUNTIME_MAGIC);
	if (__atomic_sub_fetch(&rt->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	crew_free(&rt->crew, 2000);
	if (rt->policies != NULL)
		policies_close(&rt->policies);
	shadow_fini(&rt->shadow);
	decided_free(&rt->decided);
	rules_source_fini(&rt->rules);
	rates_free(&rt->rates);
	glass_free(&rt->glass);
	events_free(&rt->events);
	budget_fini(&rt->budget);
	free_runtime(rt);
}

void
runtime_leave(struct worker **pw)
{
	struct runtime *rt;
	struct worker *w;

	OBJ_TAKE(w, pw, WORKER_MAGIC);
	rt = w->rt;
	strike(rt, w);
	worker_fini(w);
	mem_free(w);
	__atomic_sub_fetch(&rt->nworkers, 1, __ATOMIC_RELAXED);
	runtime_unpin(&rt);
}

void
runtime_stop(struct runtime *rt)
{
	OBJ_CHECK(rt, RUNTIME_MAGIC);
	rt->workers->closing = true;
}

bool
runtime_quiet(const struct runtime *rt)
{
	OBJ_CHECK(rt, RUNTIME_MAGIC);
	return worker_quiet(rt->workers);
}

void
runtime_free(struct runtime **prt)
{
	struct runtime *rt;
	struct worker *w;

	OBJ_TAKE(rt, prt, RUNTIME_MAGIC);
	w = rt->workers;
	rt->workers = NULL;
	runtime_leave(&w);
}
