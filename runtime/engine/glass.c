/* SPDX-License-Identifier: MIT */
#include "glass.h"

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/time.h>
#include <time.h>

#include <xxhash.h>

#include "journal.h"
#include "refusal.h"
#include "str.h"

#define DAY_US INT64_C(86400000000)

enum entry_state { FREE, WRITING, OPEN };

struct entry {
	enum entry_state state;
	XXH128_hash_t key, user;
	int64_t until_us;
	bool told;
	char id[GLASS_ID];
};

struct glass {
	unsigned magic;
#define GLASS_MAGIC 0x61a55b1e
	char *journal;
	pthread_mutex_t lock; /* of the entries */
	pthread_cond_t written;
	unsigned refs; /* jobs, and whoever made it */
	unsigned n;    /* entries that were used */
	struct entry *entries;
};

struct glass *
glass_new(const char *journal)
{
	struct glass *g = mem_new(sizeof(*g));

	OBJ_INIT(g, GLASS_MAGIC);
	g->journal = journal != NULL ? mem_dups(journal) : NULL;
	g->refs = 1;
	g->entries = mem_new(GLASS_MOST * sizeof(*g->entries));
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->written, NULL);
	return g;
}

static void
unpin(struct glass *g)
{
	unsigned left;

	pthread_mutex_lock(&g->lock);
	left = --g->refs;
	pthread_mutex_unlock(&g->lock);
	if (left > 0)
		return;
	pthread_cond_destroy(&g->written);
	pthread_mutex_destroy(&g->lock);
	mem_free(g->entries);
	mem_free(g->journal);
	OBJ_FINI(g);
	mem_free(g);
}

void
glass_free(struct glass **pg)
{
	struct glass *g;

	OBJ_TAKE(g, pg, GLASS_MAGIC);
	unpin(g);
}

/* ---- who may ------------------------------------------------------------ */

static bool
has_role(const struct glass_ask *ask, const struct access_glass *g)
{
	uint64_t held[EXPR_ROLES / 64];

	access_held(ask->rules, ask->context, held);
	for (unsigned i = 0; i < g->nroles; i++)
		if (held[g->roles[i] / 64] >> g->roles[i] % 64 & 1)
			return true;
	return false;
}

int
glass_may(const struct glass_ask *ask, const struct access_glass **out,
	  struct err *e)
{
	const char *name = ask->context->glass->rule;

	for (unsigned i = 0; i < ask->rules->nglasses; i++) {
		const struct access_glass *g = &ask->rules->glasses[i];

		if (strcmp(g->name, name) != 0)
			continue;
		*out = g;
		return has_role(ask, g)
			       ? 0
			       : refuse(e, REFUSE_ACCESS,
					"break_glass \"%s\" (%s:%d) is for "
					"other roles",
					g->name, g->file, g->line);
	}
	return refuse(e, REFUSE_ACCESS,
		      "access.lua has no break_glass of the name that the "
		      "context gives");
}

/* ---- what is known ------------------------------------------------------ */

/* Two texts that stand side by side must not be read as two others. */
static void
mix(XXH3_state_t *s, const char *text)
{
	size_t len = text != NULL ? strlen(text) : 0;

	XXH3_128bits_update(s, &len, sizeof(len));
	if (len > 0)
		XXH3_128bits_update(s, text, len);
}

static XXH128_hash_t
key_of(const struct context *c)
{
	XXH3_state_t *s = XXH3_createState();
	XXH128_hash_t key;

	assert(s != NULL);
	XXH3_128bits_reset(s);
	mix(s, c->glass->rule);
	mix(s, c->glass->patient);
	mix(s, c->glass->reason);
	mix(s, c->glass->id);
	mix(s, c->user);
	mix(s, c->array);
	key = XXH3_128bits_digest(s);
	XXH3_freeState(s);
	return key;
}

/* A user is one of a tenant: two may have users of one name. */
static XXH128_hash_t
user_of(const struct context *c)
{
	XXH3_state_t *s = XXH3_createState();
	XXH128_hash_t user;

	assert(s != NULL);
	XXH3_128bits_reset(s);
	mix(s, c->user);
	mix(s, c->array);
	user = XXH3_128bits_digest(s);
	XXH3_freeState(s);
	return user;
}

static struct entry *
find(struct glass *g, XXH128_hash_t key)
{
	for (unsigned i = 0; i < g->n; i++)
		if (g->entries[i].state != FREE &&
		    XXH128_isEqual(g->entries[i].key, key))
			return &g->entries[i];
	return NULL;
}

static bool
is_past(const struct entry *n, int64_t now_us)
{
	return n->state == FREE ||
	       (n->state == OPEN && n->until_us + DAY_US < now_us);
}

/* Did this user open as many as one may? */
static bool
is_used_up(const struct glass *g, XXH128_hash_t user, int64_t now_us)
{
	unsigned n = 0;

	for (unsigned i = 0; i < g->n; i++)
		n += !is_past(&g->entries[i], now_us) &&
		     XXH128_isEqual(g->entries[i].user, user);
	return n >= GLASS_MOST_EACH;
}

/* A place for one more; what was over a day ago gives way. */
static struct entry *
place(struct glass *g, int64_t now_us)
{
	for (unsigned i = 0; i < g->n; i++)
		if (is_past(&g->entries[i], now_us))
			return &g->entries[i];
	return g->n < GLASS_MOST ? &g->entries[g->n++] : NULL;
}

enum glass_state
glass_look(struct glass *g, const struct glass_ask *ask,
	   struct glass_opening *out)
{
	XXH128_hash_t key = key_of(ask->context);
	enum glass_state state = GLASS_NONE;
	struct entry *n;

	OBJ_CHECK(g, GLASS_MAGIC);
	pthread_mutex_lock(&g->lock);
	n = find(g, key);
	if (n != NULL && n->state == OPEN) {
		state = ask->now_us < n->until_us ? GLASS_OPEN : GLASS_OVER;
		memcpy(out->id, n->id, sizeof(out->id));
		out->first = state == GLASS_OPEN && !n->told;
		n->told |= out->first;
	}
	pthread_mutex_unlock(&g->lock);
	return state;
}

/* ---- the record --------------------------------------------------------- */

/* 2026-06-15T10:00:00Z */
static json_t *
time_text(int64_t wall_us)
{
	time_t s = (time_t)(wall_us / 1000000);
	struct tm t;
	char text[32];

	gmtime_r(&s, &t);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &t);
	return json_string(text);
}

static json_t *
texts(const char *const *list, unsigned n)
{
	json_t *all = json_array();

	for (unsigned i = 0; i < n; i++)
		json_array_append_new(all, json_string(list[i]));
	return all;
}

static int
new_id(char id[GLASS_ID], struct err *e)
{
	unsigned char random[(GLASS_ID - 1) / 2];

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return err_set(e, LUNATE_ERESOURCE, "no random numbers");
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(id + 2 * i, 3, "%02x", random[i]);
	return 0;
}

/* One line; mem_free it. */
static char *
line_of(json_t *all)
{
	char *json = json_dumps(all, JSON_COMPACT), *line = NULL;
	struct str s;

	if (json != NULL) {
		str_init(&s);
		str_add(&s, json);
		str_addc(&s, '\n');
		line = mem_dup(s.at, s.len);
		str_fini(&s);
		free(json);
	}
	json_decref(all);
	return line;
}

static char *
record(const struct glass_ask *ask, const struct access_glass *rule,
       const char *id)
{
	const struct context *c = ask->context;
	const struct context_glass *g = c->glass;
	int64_t us = ask->wall_us;

	return line_of(json_pack(
		"{ss so ss ss ss so ss ss ss* ss* sI so so}", "opening", id,
		"at", time_text(us), "rule", rule->name, "tenant",
		c->tenants[0].id, "user", c->user, "roles",
		texts(c->roles, c->nroles), "patient", g->patient, "reason",
		g->reason, "ip", c->ip, "device", c->device, "generation",
		(json_int_t)ask->generation, "until",
		time_text(us + rule->lasts_s * 1000000), "review_due",
		time_text(us + rule->review_s * 1000000)));
}

int
glass_review(const char *journal, const char *opening, const char *by,
	     struct err *e)
{
	struct timeval t;
	char *line;
	int rc;

	gettimeofday(&t, NULL);
	line = line_of(json_pack("{ss so ss}", "opening", opening, "reviewed",
				 time_text((int64_t)t.tv_sec * 1000000), "by",
				 by));
	if (line == NULL)
		return err_set(e, LUNATE_EINVAL, "a name is UTF-8");
	rc = journal_append(journal, line, strlen(line), e);
	mem_free(line);
	return rc;
}

/* ---- opening ------------------------------------------------------------ */

struct glass_job {
	unsigned magic;
#define GLASS_JOB_MAGIC 0x61a55b10
	struct crew_job job;
	struct glass *glass;	  /* counted */
	struct glass_start start; /* done is NULL when nobody waits */
	XXH128_hash_t key, user;
	int64_t now_us, lasts_us;
	char id[GLASS_ID];
	char *line; /* NULL: err says why */
	struct err err;
};

static void
free_job(struct glass_job *j)
{
	unpin(j->glass);
	if (j->line != NULL)
		mem_wipe(j->line, strlen(j->line));
	mem_free(j->line);
	OBJ_FINI(j);
	mem_free(j);
}

/* Under the lock: is it for this job to write the record?  Another one may
 * have begun: then its end is waited for. */
static struct entry *
claim(struct glass_job *j)
{
	struct glass *g = j->glass;
	struct entry *n;

	while ((n = find(g, j->key)) != NULL && n->state == WRITING)
		pthread_cond_wait(&g->written, &g->lock);
	if (n != NULL)
		return NULL;
	if (is_used_up(g, j->user, j->now_us)) {
		refuse(&j->err, REFUSE_ACCESS,
		       "this user opened %d emergencies within a day, and "
		       "more is not for one; nothing was opened",
		       GLASS_MOST_EACH);
		return NULL;
	}
	n = place(g, j->now_us);
	if (n == NULL) {
		err_set(&j->err, LUNATE_EDENIED,
			"too many emergencies of one day; nothing was opened");
		return NULL;
	}
	*n = (struct entry){.state = WRITING, .key = j->key, .user = j->user};
	memcpy(n->id, j->id, sizeof(n->id));
	return n;
}

static void
work(struct crew_job *job)
{
	struct glass_job *j = CONTAINER_OF(job, struct glass_job, job);
	struct glass *g = j->glass;
	struct entry *n;
	int rc;

	if (j->line == NULL)
		return;
	pthread_mutex_lock(&g->lock);
	n = claim(j);
	pthread_mutex_unlock(&g->lock);
	if (n == NULL)
		return;
	rc = journal_append(g->journal, j->line, strlen(j->line), &j->err);
	pthread_mutex_lock(&g->lock);
	n->until_us = j->now_us + j->lasts_us;
	n->state = rc == 0 ? OPEN : FREE;
	pthread_cond_broadcast(&g->written);
	pthread_mutex_unlock(&g->lock);
	if (rc < 0) {
		j->err.code = LUNATE_EDENIED;
		err_wrap(&j->err, "nothing was opened");
	}
}

static void
done(struct crew_job *job)
{
	struct glass_job *j = CONTAINER_OF(job, struct glass_job, job);

	OBJ_CHECK(j, GLASS_JOB_MAGIC);
	if (!job->ran)
		err_set(&j->err, LUNATE_ERESOURCE,
			"no thread could be started for the journal; nothing "
			"was opened");
	if (j->start.done != NULL)
		j->start.done(j->start.arg, &j->err);
	free_job(j);
}

static void
drop(struct crew_job *job)
{
	free_job(CONTAINER_OF(job, struct glass_job, job));
}

/* What can be found out without the disk. */
static void
prepare(struct glass_job *j, const struct glass_ask *ask)
{
	if (j->glass->journal == NULL) {
		err_set(&j->err, LUNATE_EDENIED,
			"nothing was opened: there is no journal; set "
			"break_glass_journal (LUNATE_BREAK_GLASS_JOURNAL)");
		return;
	}
	if (new_id(j->id, &j->err) < 0)
		return;
	j->line = record(ask, j->start.rule, j->id);
	if (j->line == NULL)
		err_set(&j->err, LUNATE_EDENIED,
			"nothing was opened: its record cannot be made");
}

struct glass_job *
glass_open(struct glass *g, const struct glass_ask *ask,
	   const struct glass_start *start)
{
	struct glass_job *j = mem_new(sizeof(*j));

	OBJ_CHECK(g, GLASS_MAGIC);
	OBJ_INIT(j, GLASS_JOB_MAGIC);
	pthread_mutex_lock(&g->lock);
	g->refs++;
	pthread_mutex_unlock(&g->lock);
	j->glass = g;
	j->start = *start;
	j->key = key_of(ask->context);
	j->user = user_of(ask->context);
	j->now_us = ask->now_us;
	j->lasts_us = start->rule->lasts_s * 1000000;
	prepare(j, ask);
	j->start.rule = NULL; /* of a generation that may go before */
	crew_job_init(&j->job, start->home, work, done);
	j->job.drop = drop;
	crew_submit(start->crew, &j->job);
	return j;
}

void
glass_drop(struct glass_job **pj)
{
	struct glass_job *j = *pj;

	if (j == NULL)
		return;
	OBJ_CHECK(j, GLASS_JOB_MAGIC);
	*pj = NULL;
	j->start.done = NULL; /* its letter may be on its way already */
	(void)crew_abandon(j->start.crew, &j->job);
}
