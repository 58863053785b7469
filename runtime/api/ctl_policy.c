/* SPDX-License-Identifier: MIT */
#include "ctl_policy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "crew.h"
#include "mem.h"
#include "policies.h"
#include "runtime.h"

struct job {
	struct crew_job crew;
	struct list link; /* in the list of its ctl_policy */
	struct ctl_policy *of;
	struct policies *policies;
	uint64_t peer, earlier; /* 0: reload */
	json_t *id;
	json_t *result; /* NULL: e tells */
	struct err e;
};

static void
work(struct crew_job *crew)
{
	struct job *j = CONTAINER_OF(crew, struct job, crew);
	uint64_t now = 0;
	int rc;

	rc = j->earlier != 0
		     ? policies_use(j->policies, j->earlier, &now, &j->e)
		     : policies_reload(j->policies, &now, &j->e);
	if (rc == 0)
		j->result = json_pack("{sI}", "generation", (json_int_t)now);
}

static void
drop(struct crew_job *crew)
{
	struct job *j = CONTAINER_OF(crew, struct job, crew);

	json_decref(j->result);
	json_decref(j->id);
	mem_free(j);
}

static void
done(struct crew_job *crew)
{
	struct job *j = CONTAINER_OF(crew, struct job, crew);
	struct ctl_policy *c = j->of;

	if (c != NULL) {
		list_remove(&j->link);
		if (!crew->ran)
			err_set(&j->e, LUNATE_ERESOURCE,
				"no thread could be started for it");
		c->answer(c->arg,
			  &(struct ctl_policy_ask){j->peer, j->id, NULL},
			  j->result, &j->e);
		j->result = NULL;
	}
	drop(crew);
}

static void
submit(struct ctl_policy *c, const struct ctl_policy_ask *ask, uint64_t earlier)
{
	struct job *j = mem_new(sizeof(*j));

	crew_job_init(&j->crew, c->loop, work, done);
	j->crew.drop = drop;
	j->of = c;
	j->policies = c->rt->policies;
	j->peer = ask->peer;
	j->earlier = earlier;
	j->id = json_incref(ask->id);
	list_init(&j->link);
	list_push_back(&c->jobs, &j->link);
	crew_submit(c->rt->crew, &j->crew);
}

static json_t *
in_force(struct runtime *rt)
{
	struct rules *r;
	json_t *all;

	if (rt->policies != NULL)
		return policies_json(rt->policies);
	r = rules_pin(&rt->rules);
	all = json_pack("{sn sI sn s[]}", "folder", "generation",
			(json_int_t)r->id, "broken", "history");
	rules_unpin(&r);
	return all;
}

void
ctl_policy_ask(struct ctl_policy *c, const struct ctl_policy_ask *ask)
{
	uint64_t earlier = 0;
	struct err e;
	int end = 0;

	if (ask->arg == NULL) {
		c->answer(c->arg, ask, in_force(c->rt), NULL);
		return;
	}
	if (c->rt->policies == NULL)
		err_set(&e, LUNATE_EUNSUPPORTED,
			"it runs without a policy folder; set LUNATE_POLICIES "
			"and start it again");
	else if (strcmp(ask->arg, "reload") == 0 ||
		 (sscanf(ask->arg, "use %" SCNu64 "%n", &earlier, &end) == 1 &&
		  ask->arg[end] == 0 && earlier > 0)) {
		submit(c, ask, earlier);
		return;
	} else
		err_set(&e, LUNATE_EINVAL,
			"say policy, policy reload, or policy use N, where N "
			"is the number of a generation");
	c->answer(c->arg, ask, NULL, &e);
}

void
ctl_policy_end(struct ctl_policy *c)
{
	LIST_EACH_SAFE (link, &c->jobs) {
		struct job *j = LIST_ENTRY(link, struct job, link);

		list_remove(&j->link);
		j->of = NULL;
		crew_abandon(c->rt->crew, &j->crew);
	}
}
