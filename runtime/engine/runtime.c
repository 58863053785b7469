/* SPDX-License-Identifier: MIT */
#include "runtime.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mem.h"
#include "op.h"
#include "pgurl.h"
#include "str.h"

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
		.age_ms = 1000,
		.timeout_ms = {c->read_timeout, c->write_timeout,
			       c->critical_timeout}};
	rt->budget.max = (int)c->pool_max;
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

static void
note_to_log(void *arg, enum pool_note n, const char *text)
{
	struct runtime *rt;

	OBJ_CAST(rt, arg, RUNTIME_MAGIC);
	switch (n) {
	case POOL_NOTE_CONNECTED:
	case POOL_NOTE_RETURNED:
		log_at(&rt->log, LOG_AT_DEBUG, "pool", "connection",
		       LOG_STR("what", text));
		return;
	case POOL_NOTE_NEAR_EXHAUSTION:
		log_at(&rt->log, LOG_AT_WARN, "pool",
		       "Connection pool near exhaustion",
		       LOG_STR("state", text));
		return;
	case POOL_NOTE_LEAK:
		log_at(&rt->log, LOG_AT_WARN, "pool", "connection leak",
		       LOG_STR("what", text));
		return;
	case POOL_NOTE_LARGE_QUEUE:
		log_at(&rt->log, LOG_AT_WARN, "pool", "long queue",
		       LOG_STR("what", text));
		return;
	case POOL_NOTE_LOST:
	case POOL_NOTE_LOGIN_FAILED:
		log_at(&rt->log, LOG_AT_WARN, "pool", "connection failed",
		       LOG_STR("why", text));
		return;
	}
}

static void
start_workers(struct runtime *rt, struct loop *loop)
{
	rt->nworkers = 1;
	rt->workers = mem_new(sizeof(*rt->workers) * (size_t)rt->nworkers);
	for (int i = 0; i < rt->nworkers; i++) {
		worker_init(&rt->workers[i], rt, i, loop);
		pool_on_note(rt->workers[i].pool, note_to_log, rt);
	}
}

static void
free_runtime(struct runtime *rt)
{
	if (rt->url != NULL)
		pgurl_free(&rt->url);
	log_fini(&rt->log);
	config_fini(&rt->config);
	OBJ_FINI(rt);
	mem_free(rt);
}

int
runtime_open(struct runtime **out, struct config *config, struct loop *loop,
	     struct err *e)
{
	struct runtime *rt = mem_new(sizeof(*rt));

	OBJ_INIT(rt, RUNTIME_MAGIC);
	rt->config = *config;
	memset(config, 0, sizeof(*config));
	rt->pid = getpid();
	set_log(rt);
	if (read_url(rt, e) < 0) {
		free_runtime(rt);
		return e->code;
	}
	fill_pool_rules(rt);
	rt->max_result_bytes = (size_t)rt->config.max_result_bytes;
	publish_defaults(rt);
	rt->crew = crew_new(4);
	start_workers(rt, loop);
	*out = rt;
	return 0;
}

int
runtime_mine(const struct runtime *rt, struct err *e)
{
	OBJ_CHECK(rt, RUNTIME_MAGIC);
	if (rt->pid == getpid())
		return 0;
	return err_set(e, LUNATE_EFORK,
		       "this runtime belongs to the parent process; open "
		       "another one after fork()");
}

void
runtime_count(struct runtime *rt, const struct op *op)
{
	struct runtime_counts *n = &rt->counts;
	const struct config *c = &rt->config;

	__atomic_add_fetch(&n->queries, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&n->time_us, (uint64_t)op->took_us,
			   __ATOMIC_RELAXED);
	if (op->err.code != 0)
		__atomic_add_fetch(&n->failed, 1, __ATOMIC_RELAXED);
	if (op->took_us > c->slow_query_threshold * 1000)
		__atomic_add_fetch(&n->slow, 1, __ATOMIC_RELAXED);
	if (op->took_us > c->critical_query_threshold * 1000)
		__atomic_add_fetch(&n->critical, 1, __ATOMIC_RELAXED);
}

void
runtime_stop(struct runtime *rt)
{
	OBJ_CHECK(rt, RUNTIME_MAGIC);
	rt->closing = true;
}

bool
runtime_quiet(const struct runtime *rt)
{
	OBJ_CHECK(rt, RUNTIME_MAGIC);
	for (int i = 0; i < rt->nworkers; i++)
		if (rt->workers[i].nops > 0 || !pool_quiet(rt->workers[i].pool))
			return false;
	return true;
}

void
runtime_free(struct runtime **prt)
{
	struct runtime *rt;

	OBJ_TAKE(rt, prt, RUNTIME_MAGIC);
	rt->closing = true;
	for (int i = 0; i < rt->nworkers; i++)
		worker_fini(&rt->workers[i]);
	crew_free(&rt->crew, 2000);
	rules_source_fini(&rt->rules);
	mem_free(rt->workers);
	free_runtime(rt);
}
