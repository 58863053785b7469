/* SPDX-License-Identifier: MIT */
#include "judge.h"

#include <string.h>
#include <xxhash.h>

#include "permit.h"

struct judge {
	unsigned magic;
#define JUDGE_MAGIC 0x70d6e001
	struct rules *rules;
	struct scope *scope;
	struct permits *permits;
};

/* ---- rulings ------------------------------------------------------------ */

static uint64_t
hash_values(const struct scoped *s, const struct permit *p)
{
	uint64_t h = 0;

	for (unsigned i = 0; p != NULL && i < s->nvalues; i++) {
		const char *text = p->values[s->values[i]];

		h = XXH3_64bits_withSeed(text, strlen(text), h + 1);
	}
	return h;
}

struct ruling
ruling_of(const struct scoped *scoped, const struct permit *p,
	  const struct err *e)
{
	struct ruling r = {RULING_OPEN, REFUSALS_N, 0};

	if (e->code != 0) {
		r.kind = RULING_REFUSED;
		r.why = refusal_of(e);
		return r;
	}
	if (scoped == NULL)
		return r;
	if (scoped->needs_tenant || scoped->nvalues > 0)
		r.kind = RULING_SCOPED;
	r.text = scoped->stmt->hash ^ hash_values(scoped, p);
	return r;
}

enum ruling_change
ruling_change(const struct ruling *before, const struct ruling *after)
{
	bool was = before->kind == RULING_REFUSED,
	     is = after->kind == RULING_REFUSED;

	if (was && is)
		return before->why == after->why ? RULING_SAME : RULING_BECAUSE;
	if (was)
		return RULING_ALLOWED;
	if (is)
		return RULING_DENIED;
	return before->text == after->text ? RULING_SAME : RULING_ROWS;
}

const char *
ruling_change_word(enum ruling_change c)
{
	static const char *const words[RULING_CHANGES] = {
		"the same", "now allowed", "now refused",
		"other rows or columns", "refused for another reason"};

	return words[c];
}

const char *
ruling_word(const struct ruling *r)
{
	switch (r->kind) {
	case RULING_OPEN:
		return "open";
	case RULING_SCOPED:
		return "scoped";
	case RULING_REFUSED:
		break;
	}
	return r->why != REFUSALS_N ? refusal_word(r->why) : "refused";
}

/* ---- deciding ----------------------------------------------------------- */

struct judge *
judge_new(struct rules *r)
{
	struct judge *j = mem_new(sizeof(*j));

	OBJ_CHECK(r, RULES_MAGIC);
	OBJ_INIT(j, JUDGE_MAGIC);
	__atomic_add_fetch(&r->refs, 1, __ATOMIC_RELAXED);
	j->rules = r;
	j->scope = scope_new();
	j->permits = permits_new();
	return j;
}

/* Pinned, or NULL: there is no access.lua. */
static struct permit *
ask_access(struct judge *j, const struct judge_ask *ask)
{
	const struct permit_ask of = {.stmt = ask->stmt,
				      .rules = j->rules,
				      .snapshot = ask->snapshot,
				      .scope = j->scope,
				      .context = ask->context,
				      .now_s = ask->now_s,
				      .worker = ask->worker};

	return j->rules->access != NULL ? permits_get(j->permits, &of) : NULL;
}

static struct scoped *
ask_scope(struct judge *j, const struct judge_ask *ask, const struct permit *p)
{
	struct scope_ask of = {
		.stmt = ask->stmt,
		.rules = &j->rules->isolation,
		.epoch = j->rules->decision_epoch,
		.snapshot = ask->snapshot,
		.closed = ask->closed,
		.shape = ask->context != NULL && ask->context->ntenants > 1
				 ? TENANT_SET
				 : TENANT_ONE,
	};

	if (p != NULL && p->limits.nlimits > 0) {
		of.limits = &p->limits;
		of.limits_hash = p->limits_hash;
	}
	return scope_get(j->scope, &of);
}

static struct ruling
decide(struct judge *j, const struct judge_ask *ask, const struct permit *p,
       struct err *e)
{
	struct scoped *s;

	if (p != NULL && p->err.code != 0) {
		*e = p->err;
		return ruling_of(NULL, NULL, e);
	}
	s = ask_scope(j, ask, p);
	*e = s->err;
	if (e->code == 0 &&
	    scope_allows(s, j->rules->isolation.tables, ask->context, e) < 0)
		return ruling_of(NULL, NULL, e);
	return ruling_of(s, p, e);
}

struct ruling
judge_decide(struct judge *j, const struct judge_ask *ask, struct err *e)
{
	struct permit *p;
	struct ruling r;

	OBJ_CHECK(j, JUDGE_MAGIC);
	err_clear(e);
	if (j->rules->isolation.state == ISOLATION_OFF)
		return (struct ruling){RULING_OPEN, REFUSALS_N,
				       ask->stmt->hash};
	p = ask_access(j, ask);
	r = decide(j, ask, p, e);
	if (p != NULL)
		permit_unpin(&p);
	return r;
}

const struct rules *
judge_rules(const struct judge *j)
{
	OBJ_CHECK(j, JUDGE_MAGIC);
	return j->rules;
}

void
judge_free(struct judge **pj)
{
	struct judge *j;

	OBJ_TAKE(j, pj, JUDGE_MAGIC);
	permits_free(&j->permits);
	scope_free(&j->scope);
	rules_unpin(&j->rules);
	OBJ_FINI(j);
	mem_free(j);
}
