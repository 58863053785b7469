/* SPDX-License-Identifier: MIT
 *
 * policies_held - what may allow more waits to be accepted.
 *
 *   saved --may allow more--> held --accept N--> in force
 *                               \--the folder changes--> let go
 */
#include "policies_int.h"

#include <inttypes.h>
#include <stdio.h>

#include "widen.h"

void
policies_let_go(struct policies *p)
{
	if (p->held.texts != NULL)
		texts_unpin(&p->held.texts);
}

/* The rules that others are compared with, pinned: those in force, or, when
 * tables are closed because the folder was broken, those before. */
static struct rules *
before(struct policies *p)
{
	struct rules *r;
	struct err e;

	if (p->closed &&
	    policies_load(p, p->history[p->npast - 1].texts, &r, &e) == 0)
		return r;
	return rules_pin(p->rules);
}

static bool
may_allow_more(struct policies *p, struct rules *r, struct err *why)
{
	struct rules *old = before(p);
	bool wider = false;
	unsigned n = 0;

	if (old->texts == NULL)
		wider = err_set(why, LUNATE_EDENIED, "tables are closed") < 0;
	else if (widen_same_guards(old->texts, r->texts))
		wider = false;
	else if (widen_found(old, r, why))
		wider = true;
	else
		n = policies_allowed(p, r);
	if (n > 0)
		err_set(why, LUNATE_EDENIED,
			"%u recorded decision%s that %s refused would be "
			"allowed; see lunate policy diff",
			n, n == 1 ? "" : "s", n == 1 ? "was" : "were");
	rules_unpin(&old);
	return wider || n > 0;
}

bool
policies_hold(struct policies *p, struct rules *r, struct texts *t)
{
	struct err why = {0};

	if (!p->confirm || p->npast == 0)
		return false;
	if (p->held.texts != NULL && p->held.texts->hash == t->hash)
		return true; /* and it was told */
	policies_let_go(p);
	if (!may_allow_more(p, r, &why))
		return false;
	p->held = (struct held){.number = ++p->last_held,
				.texts = texts_pin(t),
				.wall_us = policies_wall_us(),
				.why = why};
	policies_tell_held(p);
	return true;
}

static int
accept(struct policies *p, uint64_t number, struct err *e)
{
	struct texts *t;
	struct rules *r;
	char why[48];

	if (p->held.texts == NULL)
		return err_set(e, LUNATE_EINVAL, "nothing is held");
	if (p->held.number != number)
		return err_set(e, LUNATE_EINVAL,
			       "%" PRIu64 " is not held; %" PRIu64
			       " is, see `lunate policy list`",
			       number, p->held.number);
	t = texts_pin(p->held.texts);
	if (policies_load(p, t, &r, e) == 0) {
		snprintf(why, sizeof(why), "accepted %" PRIu64, number);
		policies_set_whole(p);
		policies_publish(p, r, why);
	}
	texts_unpin(&t);
	return e->code;
}

int
policies_accept(struct policies *p, uint64_t number, uint64_t *generation,
		struct err *e)
{
	struct rules *r;
	int rc;

	OBJ_CHECK(p, POLICIES_MAGIC);
	err_clear(e);
	pthread_mutex_lock(&p->lock);
	rc = accept(p, number, e);
	r = rules_pin(p->rules);
	*generation = r->id;
	rules_unpin(&r);
	pthread_mutex_unlock(&p->lock);
	return rc;
}

uint64_t
policies_held(struct policies *p)
{
	uint64_t number;

	OBJ_CHECK(p, POLICIES_MAGIC);
	pthread_mutex_lock(&p->lock);
	number = p->held.texts != NULL ? p->held.number : 0;
	pthread_mutex_unlock(&p->lock);
	return number;
}

json_t *
policies_held_json(const struct policies *p)
{
	if (p->held.texts == NULL)
		return json_null();
	return json_pack("{sI sf so}", "number", (json_int_t)p->held.number,
			 "at", (double)p->held.wall_us / 1e6, "why",
			 event_text(p->held.why.text));
}
