/* SPDX-License-Identifier: MIT */
#include "study.h"

#include "mem.h"

struct study {
	unsigned magic;
#define STUDY_MAGIC 0x57d1e577
	struct crew_job job;
	struct study_ask ask; /* done is NULL when nobody waits */
	char *text;
	struct stmt *stmt;
	struct err err;
};

static void
free_study(struct study *s)
{
	if (s->stmt != NULL)
		stmt_unpin(&s->stmt);
	mem_free(s->text);
	OBJ_FINI(s);
	mem_free(s);
}

static void
work(struct crew_job *job)
{
	struct study *s = CONTAINER_OF(job, struct study, job);

	if (stmt_get(s->text, s->ask.len, &s->stmt, &s->err) < 0)
		s->stmt = NULL;
}

/* Without a thread it is read here: late is better than never. */
static void
done(struct crew_job *job)
{
	struct study *s = CONTAINER_OF(job, struct study, job);
	struct stmt *stmt;

	OBJ_CHECK(s, STUDY_MAGIC);
	if (!job->ran)
		work(job);
	stmt = s->stmt;
	s->stmt = NULL;
	if (s->ask.done != NULL)
		s->ask.done(s->ask.arg, stmt, &s->err);
	else if (stmt != NULL)
		stmt_unpin(&stmt);
	free_study(s);
}

static void
drop(struct crew_job *job)
{
	free_study(CONTAINER_OF(job, struct study, job));
}

struct study *
study_start(const struct study_ask *ask)
{
	struct study *s = mem_new(sizeof(*s));

	OBJ_INIT(s, STUDY_MAGIC);
	s->ask = *ask;
	s->text = mem_dup(ask->text, ask->len);
	crew_job_init(&s->job, ask->home, work, done);
	s->job.drop = drop;
	crew_submit(ask->crew, &s->job);
	return s;
}

void
study_drop(struct study **ps)
{
	struct study *s = *ps;

	if (s == NULL)
		return;
	OBJ_CHECK(s, STUDY_MAGIC);
	*ps = NULL;
	s->ask.done = NULL; /* its letter may be on its way already */
	(void)crew_abandon(s->ask.crew, &s->job);
}
