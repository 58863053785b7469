/* SPDX-License-Identifier: MIT
 *
 * Two pools of one budget, each on its own thread: the first has all there is,
 * the second asks.
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

#define MAX 4
#define PIECES 6

struct side;

struct piece {
	struct pool_job job;
	struct pgreq req;
	struct side *side;
};

struct side {
	struct loop *loop;
	struct pool *pool;
	struct piece pieces[PIECES];
	int n;	    /* pieces under way at once */
	bool again; /* an answered piece is asked for again */
	int round;  /* answers until the first round is over */
	int failed;
	bool over;
};

/* What both share. */
static struct pool_budget budget;
static struct crew *crew;
static struct pgurl *url;
static int first_is_ready; /* atomic */

static void ask(struct piece *p);

static void
answered(struct side *s, struct piece *p)
{
	if (--s->round == 0) {
		__atomic_store_n(&first_is_ready, 1, __ATOMIC_RELEASE);
		s->over = s->over || s->n == 1;
	}
	if (s->again && !s->over)
		ask(p);
}

static void
done(struct pgreq *r)
{
	struct piece *p = CONTAINER_OF(r, struct piece, req);

	if (r->fate != PGREQ_DONE)
		p->side->failed++;
	if (r->rows != NULL)
		rows_unpin(&r->rows);
	answered(p->side, p);
}

static void
refused(struct pool_job *job, const struct err *e)
{
	struct piece *p = CONTAINER_OF(job, struct piece, job);

	(void)e;
	p->side->failed++;
	p->side->again = false;
	answered(p->side, p);
}

static void
ask(struct piece *p)
{
	static const char sql[] = "select pg_sleep(0.02)";

	memset(&p->job, 0, sizeof(p->job));
	memset(&p->req, 0, sizeof(p->req));
	pgreq_init(&p->req);
	p->req.flags = PGREQ_READ;
	p->req.sql = sql;
	p->req.len = sizeof(sql) - 1;
	p->req.hash = 1;
	p->req.done = done;
	p->job.want = POOL_SOLO;
	p->job.req = &p->req;
	p->job.refused = refused;
	pool_submit(p->side->pool, &p->job, GATE_NORMAL, 0);
}

/* Nothing is closed by the clock. */
static void
side_open(struct side *s)
{
	struct pool_rules rules = {.max = MAX,
				   .max_logins = MAX,
				   .group_size = 4,
				   .prepared_max = 4,
				   .connect_us = 60000000,
				   .acquire_us = 60000000,
				   .idle_us = INT64_MAX,
				   .validate_us = INT64_MAX,
				   .queue_max = 10};
	struct pool_target to = {.url = url, .name = "primary"};
	struct pool_base base;

	s->loop = loop_new();
	base = (struct pool_base){s->loop, crew, &to, &budget};
	s->pool = pool_new(&base, &rules);
	s->round = s->n;
	for (int i = 0; i < s->n; i++) {
		s->pieces[i].side = s;
		ask(&s->pieces[i]);
	}
}

static void
side_close(struct side *s)
{
	struct err e;

	while (!pool_quiet(s->pool))
		loop_turn(s->loop, 1);
	err_set(&e, LUNATE_ECLOSED, "over");
	pool_verify(s->pool);
	pool_close(s->pool, &e);
	pool_free(&s->pool);
}

static void *
first_main(void *arg)
{
	struct side *s = arg;

	side_open(s);
	loop_run_until(s->loop, &s->over);
	side_close(s);
	return NULL;
}

/* ---- the two ------------------------------------------------------------ */

static struct side first, second;

static void
end_first(struct loop_letter *letter)
{
	(void)letter;
	first.over = true;
}

static void
begin(int pieces, bool again)
{
	char text[200];
	struct err e;

	server_need();
	alarm(50); /* nothing would ever be closed by the clock */
	budget_init(&budget, MAX);
	crew = crew_new(2);
	snprintf(text, sizeof(text),
		 "postgresql:///lunate_test?host=%s&port=5432&user=postgres",
		 server_dir);
	assert_int_equal(pgurl_new(&url, "test", text, &e), 0);
	__atomic_store_n(&first_is_ready, 0, __ATOMIC_RELEASE);
	first = (struct side){.n = pieces, .again = again};
	second = (struct side){.n = 1};
}

static void
end(void)
{
	crew_free(&crew, 5000);
	loop_turn(first.loop, 0);
	loop_free(&first.loop);
	loop_free(&second.loop);
	assert_int_equal(budget.open, 0);
	budget_fini(&budget);
	pgurl_free(&url);
	assert_int_equal(first.failed + second.failed, 0);
}

static void
second_is_served_beside(int pieces, bool again)
{
	struct loop_letter stop = {.run = end_first};
	pthread_t thread;

	begin(pieces, again);
	pthread_create(&thread, NULL, first_main, &first);
	while (!__atomic_load_n(&first_is_ready, __ATOMIC_ACQUIRE))
		usleep(1000);
	assert_int_equal(__atomic_load_n(&budget.open, __ATOMIC_RELAXED), MAX);
	side_open(&second);
	loop_run_until(second.loop, &second.over);
	side_close(&second);
	loop_post(first.loop, &stop);
	pthread_join(thread, NULL);
	end();
}

static void
an_idle_connection_gives_way_to_another_workers_waiters(void **state)
{
	(void)state;
	second_is_served_beside(MAX, false);
}

/* No connection of the first is ever idle: it has more work than those. */
static void
a_worker_with_more_than_its_share_lets_a_starving_one_in(void **state)
{
	(void)state;
	second_is_served_beside(PIECES, true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			an_idle_connection_gives_way_to_another_workers_waiters),
		cmocka_unit_test(
			a_worker_with_more_than_its_share_lets_a_starving_one_in),
	};

	return cmocka_run_group_tests(tests, NULL, server_end);
}
