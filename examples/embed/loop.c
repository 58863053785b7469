/* SPDX-License-Identifier: MIT
 *
 * loop - a host with an event loop of its own, here libev.
 *
 * Nothing in it waits.  lunate_query_async() returns at once, and the answer
 * is a callback on the loop's own thread, through a port that the loop
 * watches.  Shown are a chain of queries, each begun by the answer of the one
 * before; a query that runs out of its time; one that is cancelled; and an end
 * at which nothing is left.  A timer of the host ticks all along.
 *
 *	cc loop.c -o loop $(pkg-config --cflags --libs lunate) -lev
 *	DATABASE_URL=postgres:///app ./loop
 *
 * With any other loop: watch lunate_port_fd() for reading, and call
 * lunate_port_run() when there is something.
 */
#include <lunate.h>

#include <ev.h>
#include <stdio.h>

enum { STEPS = 5 };

/* All of it belongs to the thread of the loop: no locks. */
struct app {
	struct ev_loop *loop;
	struct lunate *db;
	struct lunate_port *port;
	struct lunate_error e; /* of calls that could not be begun */
	ev_timer tick, impatience;
	uint64_t slow; /* ticket of the query that is cancelled */
	int64_t sum;   /* what the chain has counted */
	int step, ticks;
	int open; /* answers that have still to come */
	int failed;
};

static void
failed(struct app *a, const char *what, const struct lunate_error *e)
{
	fprintf(stderr, "loop: %s: %s\n", what, e->text);
	a->failed = 1;
}

/* One query, its answer to `done`.  What cannot be begun has no answer. */
static void
ask(struct app *a, struct lunate_call *call, lunate_done *done,
    uint64_t *ticket)
{
	struct lunate_then then = lunate_then_of(done, a);

	then.port = a->port;
	then.ticket = ticket;
	if (lunate_query_async(a->db, call, &then, &a->e) < 0)
		failed(a, "not begun", &a->e);
	else
		a->open++;
}

static void
answered(struct app *a)
{
	if (--a->open == 0)
		ev_break(a->loop, EVBREAK_ALL);
}

/* ---- a chain ------------------------------------------------------------- */

static void on_step(void *arg, struct lunate_rows *rows,
		    const struct lunate_error *e);

/* Values are copied where they are needed for longer: ours are on the stack. */
static void
next_step(struct app *a)
{
	struct lunate_value v[] = {lunate_int(a->sum), lunate_int(a->step)};
	struct lunate_call call = lunate_sql("select $1::bigint + $2::bigint",
					     v, 2);

	ask(a, &call, on_step, NULL);
}

static void
on_step(void *arg, struct lunate_rows *rows, const struct lunate_error *e)
{
	struct app *a = arg;

	if (e != NULL) {
		failed(a, "a step", e);
	} else if (lunate_rows_int(rows, 0, 0, &a->sum) < 0) {
		a->failed = 1;
	} else if (++a->step <= STEPS) {
		next_step(a);
	} else {
		printf("the chain of %d ends with %d\n", STEPS, (int)a->sum);
	}
	lunate_rows_free(&rows); /* ours, and harmless when there are none */
	answered(a);
}

/* ---- what takes too long ------------------------------------------------- */

/* Both have to fail, each in its own way. */
static void
on_slow(void *arg, struct lunate_rows *rows, const struct lunate_error *e)
{
	struct app *a = arg;

	if (e != NULL &&
	    (e->code == LUNATE_EDEADLINE || e->code == LUNATE_ECANCELLED))
		printf("a slow query ended: %s\n", lunate_error_word(e->code));
	else
		a->failed = 1;
	lunate_rows_free(&rows);
	answered(a);
}

static void
ask_slowly(struct app *a)
{
	struct lunate_call call = lunate_sql("select pg_sleep(60)", NULL, 0);

	ask(a, &call, on_slow, &a->slow);
	call.timeout = 0.1;
	ask(a, &call, on_slow, NULL);
}

static void
on_impatience(struct ev_loop *loop, ev_timer *t, int events)
{
	struct app *a = t->data;

	(void)loop, (void)events;
	lunate_cancel(a->db, a->slow); /* its answer comes, soon */
}

/* ---- the host ------------------------------------------------------------ */

static void
on_tick(struct ev_loop *loop, ev_timer *t, int events)
{
	struct app *a = t->data;

	(void)loop, (void)events;
	a->ticks++;
}

static void
run(struct app *a)
{
	ev_timer_init(&a->tick, on_tick, 0.01, 0.01);
	ev_timer_init(&a->impatience, on_impatience, 0.2, 0);
	a->tick.data = a->impatience.data = a;
	ev_timer_start(a->loop, &a->tick);
	ev_timer_start(a->loop, &a->impatience);
	lunate_port_watch(a->port, a->loop);
	a->step = 1;
	next_step(a);
	ask_slowly(a);
	if (a->open > 0)
		ev_run(a->loop, 0);
	ev_timer_stop(a->loop, &a->tick);
	ev_timer_stop(a->loop, &a->impatience);
	printf("the host's own timer went on: %s\n",
	       a->ticks > 1 ? "yes" : "no");
}

int
main(void)
{
	const struct lunate_setting settings[] = {{"pool_max", "4"},
						  {NULL, NULL}};
	struct lunate_options o = lunate_defaults();
	struct app a = {.loop = ev_loop_new(EVFLAG_AUTO)};

	o.settings = settings;
	if (a.loop == NULL || lunate_open(&o, &a.db, &a.e) < 0 ||
	    lunate_port_new(&a.port, &a.e) < 0) {
		failed(&a, "start", &a.e);
	} else {
		run(&a);
		/* Every answer came, so the port is free to go. */
		if (lunate_port_free(&a.port) < 0)
			a.failed = 1;
	}
	lunate_close(&a.db, 10);
	if (a.loop != NULL)
		ev_loop_destroy(a.loop);
	return a.failed;
}
