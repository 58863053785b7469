/* SPDX-License-Identifier: MIT
 *
 * Pools of several workers, each on its own thread: what they share is the
 * budget and the crew.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "crew.h"
#include "loop.h"
#include "pool.h"
#include "server.h"

#define WORKERS 3
#define ROUNDS 20

struct worker {
	struct crew *crew;
	struct pool_budget *budget;
	struct pgurl *url;
	struct loop *loop;
	struct pool *pool;
	struct pool_job job;
	struct pgreq req;
	int answered, failed, refused;
	int most; /* of the budget, seen */
	bool over;
};

static void submit(struct worker *w);

static void
next(struct worker *w)
{
	if (w->answered + w->failed + w->refused < ROUNDS)
		submit(w);
	else
		w->over = true;
}

static void
done(struct pgreq *r)
{
	struct worker *w = CONTAINER_OF(r, struct worker, req);
	int open = __atomic_load_n(&w->budget->open, __ATOMIC_RELAXED);

	if (open > w->most)
		w->most = open;
	if (r->fate == PGREQ_DONE)
		w->answered++;
	else
		w->failed++;
	if (r->rows != NULL)
		rows_unpin(&r->rows);
	next(w);
}

static void
refused(struct pool_job *job, const struct err *e)
{
	struct worker *w = CONTAINER_OF(job, struct worker, job);

	(void)e;
	w->refused++;
	next(w);
}

static void
submit(struct worker *w)
{
	static const char sql[] = "select 1";

	memset(&w->job, 0, sizeof(w->job));
	memset(&w->req, 0, sizeof(w->req));
	pgreq_init(&w->req);
	w->req.flags = PGREQ_READ;
	w->req.sql = sql;
	w->req.len = sizeof(sql) - 1;
	w->req.hash = 1;
	w->req.done = done;
	w->job.want = POOL_SHARE;
	w->job.req = &w->req;
	w->job.refused = refused;
	pool_submit(w->pool, &w->job, GATE_NORMAL, 0);
}

static void *
work(void *arg)
{
	struct pool_rules rules = {.max = 4,
				   .max_logins = 2,
				   .group_size = 4,
				   .prepared_max = 4,
				   .connect_us = 20000000,
				   .acquire_us = 20000000,
				   .idle_us = 1000, /* gives way to others */
				   .lifetime_us = 20000,
				   .validate_us = INT64_MAX,
				   .queue_max = 10};
	struct worker *w = arg;
	struct pool_target to = {.url = w->url, .name = "primary"};
	struct pool_base base;
	struct err e;

	w->loop = loop_new();
	base = (struct pool_base){w->loop, w->crew, &to, w->budget};
	w->pool = pool_new(&base, &rules);
	submit(w);
	loop_run_until(w->loop, &w->over);
	err_set(&e, LUNATE_ECLOSED, "over");
	pool_close(w->pool, &e);
	pool_verify(w->pool);
	pool_free(&w->pool);
	return NULL;
}

static void
workers_never_exceed_the_budget_and_all_come_to_an_end(void **state)
{
	struct worker workers[WORKERS] = {0};
	struct pool_budget budget;
	pthread_t threads[WORKERS];
	struct crew *crew;
	struct pgurl *url;
	char text[200];
	struct err e;

	server_need();
	alarm(100);
	budget_init(&budget, 4);
	crew = crew_new(2);
	snprintf(text, sizeof(text),
		 "postgresql:///lunate_test?host=%s&port=5432&user=postgres",
		 server_dir);
	assert_int_equal(pgurl_new(&url, "test", text, &e), 0);
	for (int i = 0; i < WORKERS; i++) {
		workers[i].crew = crew;
		workers[i].budget = &budget;
		workers[i].url = url;
		pthread_create(&threads[i], NULL, work, &workers[i]);
	}
	for (int i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	crew_free(&crew, 5000);
	for (int i = 0; i < WORKERS; i++) {
		loop_turn(workers[i].loop, 0);
		loop_free(&workers[i].loop);
		assert_int_equal(workers[i].answered, ROUNDS);
		assert_in_range(workers[i].most, 1, budget.max);
	}
	assert_int_equal(budget.open, 0);
	budget_fini(&budget);
	pgurl_free(&url);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			workers_never_exceed_the_budget_and_all_come_to_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, server_end);
}
