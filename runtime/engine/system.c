/* SPDX-License-Identifier: MIT */
#include "system.h"

#include "op.h"
#include "runtime.h"
#include "tx.h"

/* ---- the capability ------------------------------------------------------ */

static int
read_url(struct system *s, const struct runtime *rt, struct err *e)
{
	const struct config *c = &rt->config;

	if (c->system_url == NULL)
		return 0;
	if (pgurl_new(&s->url, "LUNATE_SYSTEM_URL", c->system_url, e) < 0)
		return e->code;
	pgurl_inherit(s->url, rt->url);
	return pgurl_ssl(s->url, (enum pgurl_ssl)c->ssl, c->ssl_root_cert, e);
}

int
system_init(struct system *s, struct runtime *rt, struct err *e)
{
	const struct config *c = &rt->config;

	s->given = c->system_url != NULL || c->system_role != NULL;
	if (read_url(s, rt, e) < 0)
		return e->code;
	s->target = rt->target;
	s->target.name = "system";
	s->target.role = c->system_role;
	if (s->url != NULL)
		s->target.url = s->url;
	s->rules = rt->pool_rules;
	s->rules.min = 0;
	s->rules.guarded = false; /* scripts may change their session */
	s->rules.max = (int)c->system_pool_max;
	budget_init(&s->budget, s->rules.max);
	return 0;
}

void
system_fini(struct system *s)
{
	if (s->rules.max > 0)
		budget_fini(&s->budget);
	if (s->url != NULL)
		pgurl_free(&s->url);
}

int
system_allowed(const struct runtime *rt, struct err *e)
{
	if (rt->system.given)
		return 0;
	return err_set(e, LUNATE_EDENIED,
		       "nobody may work as system here; give the capability "
		       "when opening: system = { role = ... } or { url = ... } "
		       "(LUNATE_SYSTEM_ROLE, LUNATE_SYSTEM_URL)");
}

int
system_raw_allowed(const struct runtime *rt, struct err *e)
{
	if (rt->config.raw)
		return 0;
	return err_set(e, LUNATE_EDENIED,
		       "nobody may go past cache and optimizer here; give the "
		       "capability when opening: raw = true (LUNATE_RAW)");
}

/* ---- what is told -------------------------------------------------------- */

static uint64_t
generation(struct runtime *rt)
{
	struct rules *r = rules_pin(&rt->rules);
	uint64_t id = r->id;

	rules_unpin(&r);
	return id;
}

/* A site of its own each time: the limit of lines is for loops of ours. */
static void
tell(struct runtime *rt, const char *text, const char *reason)
{
	const struct log_value values[] = {
		LOG_STR("reason", reason),
		LOG_INT("generation", (int64_t)generation(rt))};
	struct log_site site = {0};

	if (log_wants(&rt->log, LOG_AT_WARN))
		log_put(&rt->log, &site,
			&(struct log_event){LOG_AT_WARN, "guard", text, values,
					    2});
}

void
system_tell(struct runtime *rt, const char *reason)
{
	tell(rt, "work as system", reason);
}

void
system_tell_raw(struct runtime *rt)
{
	tell(rt, "work past cache and optimizer", NULL);
}

/* ---- its connections ----------------------------------------------------- */

static void
on_note(void *arg, enum pool_note n, const char *text)
{
	static const char *const texts[POOL_NOTES] = {
		[POOL_NOTE_LOST] = "connection of the system lost",
		[POOL_NOTE_LOGIN_FAILED] = "login of the system failed",
		[POOL_NOTE_NEAR_EXHAUSTION] = "system pool near exhaustion",
		[POOL_NOTE_LEAK] = "connection leak of the system",
		[POOL_NOTE_LARGE_QUEUE] = "large queue of the system"};
	struct worker *w;

	OBJ_CAST(w, arg, WORKER_MAGIC);
	if (texts[n] != NULL)
		log_warn(&w->rt->log, "pool", texts[n], LOG_STR("what", text));
}

static struct pool *
need_pool(struct worker *w)
{
	struct system *s = &w->rt->system;
	const struct pool_base base = {w->loop, w->rt->crew, &s->target,
				       &s->budget};

	if (w->system_pool == NULL) {
		w->system_pool = pool_new(&base, &s->rules);
		pool_on_note(w->system_pool, on_note, w);
	}
	return w->system_pool;
}

int
system_admit(struct op *op, struct err *e)
{
	bool system = op->context != NULL && op->context->system != NULL;

	op->pool = op->w->pool;
	if (system && system_allowed(op->w->rt, e) < 0)
		return e->code;
	if ((op->flags & OP_RAW) && system_raw_allowed(op->w->rt, e) < 0)
		return e->code;
	if (op->tx != NULL && tx_fits(op->tx, op->context, e) < 0)
		return e->code;
	if (system)
		op->pool = need_pool(op->w);
	return 0;
}

void
system_end(struct worker *w, const struct err *why)
{
	if (w->system_pool == NULL)
		return;
	pool_close(w->system_pool, why);
	pool_free(&w->system_pool);
}
