/* SPDX-License-Identifier: MIT
 *
 * pools - for tests: a pool on a private server, and work that remembers how
 * it ended.
 *
 *	pools_rules.max = 2;			// after pools_begin()
 *	pools_open();
 *	pools_ask(0, POOL_LEASE, NULL);
 *	pools_granted(0);
 *	pool_release(pool, &work[0].m, false);
 *	pools_close();
 *
 * pool_verify() is called after every turn of the loop.
 */
#ifndef POOLS_H
#define POOLS_H

#include <xxhash.h>

#include "crew.h"
#include "loop.h"
#include "pool.h"
#include "server.h"

#define WORKS 64

struct work {
	struct pool_job job;
	struct pgreq req;
	struct pool_member *m;
	int granted, refused, done;
	int place; /* the how-manieth end it was */
	struct err why;
	char text[200]; /* first cell */
};

static struct work work[WORKS];
static struct loop *loop;
static struct crew *crew;
static struct pool *pool;
static struct pgurl *url;
static struct pool_rules pools_rules;
static struct pool_budget budget;
static int ends, notes[POOL_NOTES];
static char note_text[POOL_NOTES][300];
static bool submitting;

static void
on_note(void *arg, enum pool_note n, const char *text)
{
	(void)arg;
	assert_in_range(n, 0, POOL_NOTES - 1);
	notes[n]++;
	snprintf(note_text[n], sizeof(note_text[n]), "%s", text);
}

static void
turn(void)
{
	loop_turn(loop, 0.02);
	if (pool != NULL)
		pool_verify(pool);
}

/* Rules for tests: nothing happens by the clock unless asked for. */
static void
pools_begin(const char *dir)
{
	char text[200];
	struct err e;

	alarm(100);
	memset(work, 0, sizeof(work));
	memset(notes, 0, sizeof(notes));
	ends = 0;
	pools_rules = (struct pool_rules){.max = 4,
					  .max_logins = 2,
					  .group_size = 8,
					  .prepared_max = 8,
					  .connect_us = 10000000,
					  .acquire_us = 30000000,
					  .idle_us = INT64_MAX,
					  .validate_us = INT64_MAX,
					  .queue_max = 100,
					  .timeout_ms = {11000, 12000, 13000}};
	budget_init(&budget, 100);
	loop = loop_new();
	crew = crew_new(2);
	snprintf(text, sizeof(text),
		 "postgresql:///lunate_test?host=%s&port=5432&user=postgres",
		 dir);
	assert_int_equal(pgurl_new(&url, "test", text, &e), 0);
}

static struct pool *
pools_new(void)
{
	struct pool_target to = {.url = url, .name = "primary"};
	struct pool_base base = {loop, crew, &to, &budget};
	struct pool *p = pool_new(&base, &pools_rules);

	pool_on_note(p, on_note, NULL);
	return p;
}

static void
pools_open(void)
{
	pool = pools_new();
}

static void
pools_end(struct pool **p)
{
	struct err e;

	err_set(&e, LUNATE_ECLOSED, "the test is over");
	pool_close(*p, &e);
	pool_verify(*p);
	pool_free(p);
}

static void
pools_close(void)
{
	if (pool != NULL)
		pools_end(&pool);
	assert_int_equal(budget.open, 0);
	budget_fini(&budget);
	crew_free(&crew, 5000);
	loop_turn(loop, 0);
	loop_free(&loop);
	pgurl_free(&url);
}

static void
granted(struct pool_job *job, struct pool_member *m)
{
	struct work *w = CONTAINER_OF(job, struct work, job);

	assert_false(submitting);
	w->granted++;
	w->place = ++ends;
	w->m = m;
}

static void
refused(struct pool_job *job, const struct err *e)
{
	struct work *w = CONTAINER_OF(job, struct work, job);

	assert_false(submitting);
	w->refused++;
	w->place = ++ends;
	w->why = *e;
}

static void
done(struct pgreq *r)
{
	struct work *w = CONTAINER_OF(r, struct work, req);
	const char *cell;
	size_t len;

	assert_false(submitting);
	w->done++;
	w->place = ++ends;
	if (r->rows == NULL)
		return;
	if (rows_count(r->rows) > 0) {
		cell = rows_cell(r->rows, 0, 0, &len);
		snprintf(w->text, sizeof(w->text), "%s",
			 cell != NULL ? cell : "NULL");
	}
	rows_unpin(&r->rows);
}

static struct pgreq *
pools_request(int i, const char *sql)
{
	struct pgreq *r = &work[i].req;

	memset(r, 0, sizeof(*r));
	pgreq_init(r);
	r->sql = sql;
	r->len = strlen(sql);
	r->hash = XXH3_64bits(sql, r->len);
	r->done = done;
	return r;
}

/* Prepares work[i] without submitting it. */
static struct pool_job *
pools_make(int i, enum pool_want want, const char *sql)
{
	struct work *w = &work[i];

	memset(w, 0, sizeof(*w));
	w->job.want = want;
	w->job.mode = want == POOL_SHARE ? POOL_READ : POOL_WRITE;
	w->job.granted = granted;
	w->job.refused = refused;
	if (sql == NULL)
		return &w->job;
	w->job.req = pools_request(i, sql);
	if (want == POOL_SHARE)
		w->req.flags = PGREQ_READ;
	return &w->job;
}

static void
pools_submit(int i, enum gate_priority priority, int64_t within_us)
{
	loop_refresh(loop);
	submitting = true;
	pool_submit(pool, &work[i].job, priority,
		    within_us != 0 ? loop_now_us(loop) + within_us : 0);
	submitting = false;
}

static void
pools_ask(int i, enum pool_want want, const char *sql)
{
	pools_make(i, want, sql);
	pools_submit(i, GATE_NORMAL, 0);
}

/* Until work[i] has ended in one of its ways. */
static void
pools_wait(int i)
{
	while (work[i].granted + work[i].refused + work[i].done == 0)
		turn();
	assert_int_equal(work[i].granted + work[i].refused + work[i].done, 1);
}

UNUSED static void
pools_granted(int i)
{
	pools_wait(i);
	if (work[i].refused)
		fail_msg("refused: %s", work[i].why.text);
	assert_int_equal(work[i].granted, 1);
}

/* Runs one statement alone and gives its first cell. */
UNUSED static const char *
pools_sql(int i, const char *sql)
{
	pools_ask(i, POOL_SOLO, sql);
	pools_wait(i);
	assert_int_equal(work[i].done, 1);
	if (work[i].req.fate != PGREQ_DONE)
		fail_msg("%s: %s", sql, work[i].req.err.text);
	return work[i].text;
}

/* Runs one statement on the lease of work[i]. */
UNUSED static const char *
pools_on_lease(int i, const char *sql)
{
	int before = work[i].done;

	pool_member_send(work[i].m, pools_request(i, sql));
	assert_int_equal(work[i].done, before);
	while (work[i].done == before)
		turn();
	return work[i].text;
}

UNUSED static struct pool_stats
pools_stats(void)
{
	struct pool_stats s;

	pool_stats(pool, &s);
	return s;
}

#endif
