/* SPDX-License-Identifier: MIT */
#include "ctl_policy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "crew.h"
#include "mem.h"
#include "notes.h"
#include "policies.h"
#include "runtime.h"

struct job;

/* A command's work, on a thread of the crew; the result, or NULL and j->e. */
typedef json_t *work_fn(struct job *j);

struct job {
	struct crew_job crew;
	struct list link; /* in the list of its ctl_policy */
	struct ctl_policy *of;
	struct policies *policies; /* pinned until its work is done */
	struct shadow *shadow;
	work_fn *run;
	uint64_t peer, number; /* of use and accept */
	char *what;	       /* folder or generation; NULL: the own folder */
	json_t *id;
	json_t *tables; /* of a list: those that are closed; or NULL */
	json_t *result; /* NULL: e tells */
	struct err e;
};

/* ---- the commands -------------------------------------------------------- */

static json_t *
generation_json(struct job *j, int rc, uint64_t now)
{
	return rc == 0 ? json_pack("{sI sI}", "generation", (json_int_t)now,
				   "held",
				   (json_int_t)policies_held(j->policies))
		       : NULL;
}

/* The lock of the policies may be held for as long as a comparison takes. */
static json_t *
run_list(struct job *j)
{
	json_t *all = policies_json(j->policies);

	(void)json_object_set(all, "tables", j->tables);
	return all;
}

static json_t *
run_reload(struct job *j)
{
	uint64_t now = 0;
	int rc = policies_reload(j->policies, &now, &j->e);

	return generation_json(j, rc, now);
}

static json_t *
run_use(struct job *j)
{
	uint64_t now = 0;
	int rc = policies_use(j->policies, j->number, &now, &j->e);

	return generation_json(j, rc, now);
}

static json_t *
run_accept(struct job *j)
{
	uint64_t now = 0;
	int rc = policies_accept(j->policies, j->number, &now, &j->e);

	return generation_json(j, rc, now);
}

static json_t *
run_diff(struct job *j)
{
	json_t *all = NULL;

	return policies_diff(j->policies, j->what, &all, &j->e) == 0 ? all
								     : NULL;
}

static json_t *
run_shadow(struct job *j)
{
	return policies_shadow(j->policies, j->what, &j->e) == 0
		       ? shadow_json(j->shadow)
		       : NULL;
}

/* ---- jobs ---------------------------------------------------------------- */

static void
work(struct crew_job *crew)
{
	struct job *j = CONTAINER_OF(crew, struct job, crew);

	j->result = j->run(j);
	policies_unpin(&j->policies);
}

static void
drop(struct crew_job *crew)
{
	struct job *j = CONTAINER_OF(crew, struct job, crew);

	if (j->policies != NULL)
		policies_unpin(&j->policies);
	json_decref(j->result);
	json_decref(j->id);
	json_decref(j->tables);
	mem_free(j->what);
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

/* Takes the job. */
static void
submit(struct ctl_policy *c, const struct ctl_policy_ask *ask, struct job *j)
{
	crew_job_init(&j->crew, c->loop, work, done);
	j->crew.drop = drop;
	j->of = c;
	j->policies = policies_pin(c->rt->policies);
	j->shadow = &c->rt->shadow;
	j->peer = ask->peer;
	j->id = json_incref(ask->id);
	j->tables = j->run == run_list ? notes_closed_json(c->rt) : NULL;
	list_init(&j->link);
	list_push_back(&c->jobs, &j->link);
	crew_submit(c->rt->crew, &j->crew);
}

static json_t *
no_folder(struct runtime *rt)
{
	struct rules *r = rules_pin(&rt->rules);
	json_t *all = json_pack("{sn sI sn sn s[]}", "folder", "generation",
				(json_int_t)r->id, "broken", "held", "history");

	rules_unpin(&r);
	return all;
}

static const struct verb {
	const char *name;
	work_fn *run;
	enum { NO_ARGUMENT, A_NUMBER, MAY_NAME, A_NAME } wants;
} verbs[] = {
	{"reload", run_reload, NO_ARGUMENT}, {"use", run_use, A_NUMBER},
	{"accept", run_accept, A_NUMBER},    {"diff", run_diff, MAY_NAME},
	{"shadow", run_shadow, A_NAME},
};

/* Is `rest`, behind the verb, what it wants?  Fills the job. */
static bool
fits(const struct verb *v, const char *rest, struct job *j)
{
	int end = 0;

	if (*rest == ' ')
		rest++;
	switch (v->wants) {
	case NO_ARGUMENT:
		return *rest == 0;
	case A_NUMBER:
		return sscanf(rest, "%" SCNu64 "%n", &j->number, &end) == 1 &&
		       rest[end] == 0 && j->number > 0;
	case MAY_NAME:
	case A_NAME:
		j->what = *rest != 0 ? mem_dups(rest) : NULL;
		return *rest != 0 || v->wants == MAY_NAME;
	}
	return false;
}

/* The job of an argument, or NULL: it is none of ours. */
static struct job *
job_of(const char *arg)
{
	struct job *j = mem_new(sizeof(*j));

	if (arg == NULL) {
		j->run = run_list;
		return j;
	}
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
		const struct verb *v = &verbs[i];
		size_t n = strlen(v->name);

		if (strncmp(arg, v->name, n) != 0 ||
		    (arg[n] != 0 && arg[n] != ' '))
			continue;
		j->run = v->run;
		if (fits(v, arg + n, j))
			return j;
	}
	mem_free(j->what);
	mem_free(j);
	return NULL;
}

/* What needs no thread: NULL when it is something else. */
static json_t *
at_once(struct ctl_policy *c, const char *arg)
{
	if (arg == NULL)
		return c->rt->policies == NULL ? no_folder(c->rt) : NULL;
	if (strcmp(arg, "shadow off") == 0)
		shadow_end(&c->rt->shadow);
	else if (strcmp(arg, "shadow") != 0)
		return NULL;
	return shadow_json(&c->rt->shadow);
}

void
ctl_policy_ask(struct ctl_policy *c, const struct ctl_policy_ask *ask)
{
	json_t *now = at_once(c, ask->arg);
	struct job *j;
	struct err e;

	if (now != NULL) {
		c->answer(c->arg, ask, now, NULL);
		return;
	}
	if (c->rt->policies == NULL) {
		err_set(&e, LUNATE_EUNSUPPORTED,
			"it runs without a policy folder; set LUNATE_POLICIES "
			"and start it again");
	} else if ((j = job_of(ask->arg)) != NULL) {
		submit(c, ask, j);
		return;
	} else {
		err_set(&e, LUNATE_EINVAL,
			"say policy, and nothing or reload, use N, accept N, "
			"diff [X], shadow [X|off], where N is a number and X "
			"a folder or the number of a generation");
	}
	c->answer(c->arg, ask, NULL, &e);
}

void
ctl_policy_end(struct ctl_policy *c)
{
	LIST_EACH_SAFE (link, &c->jobs) {
		struct job *j = LIST_ENTRY(link, struct job, link);

		list_remove(&j->link);
		j->of = NULL;
		/* False: its work is over, and its letter may get lost. */
		if (!crew_abandon(c->rt->crew, &j->crew) && j->policies != NULL)
			policies_unpin(&j->policies);
	}
}
