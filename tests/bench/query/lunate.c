/* SPDX-License-Identifier: MIT
 *
 * lunate from C: BENCH_TASKS chains of calls that do not wait, over at most
 * BENCH_CONNECTIONS connections.  Each answer asks for the next.
 *
 *   main thread      opens, starts the chains, sleeps, and wishes: that the
 *                    window be opened, then that it be closed
 *   worker's thread  all else, between two operations; so hist and window are
 *                    its own
 */
#include "client.h"

#include "lunate.h"

#include <semaphore.h>
#include <stdbool.h>

enum { CHAINS = 1024, PAGE = 20, READS = 5, UPDATES = 3, INSERTS = 2 };
enum statement { POINT, WIDE, INSERT, UPDATE, STATEMENTS };
enum wish { WARM, OPEN, MEASURE, CLOSE, STOP };

static const char *const texts[STATEMENTS] = {
	[POINT] = "SELECT abalance FROM pgbench_accounts WHERE aid = $1",
	[WIDE] = "SELECT id, name, made, amount, active, ref, facts, score "
		 "FROM bench_page WHERE id >= $1 ORDER BY id LIMIT 20",
	[INSERT] = "INSERT INTO bench_insert (aid, note) VALUES ($1, $2)",
	[UPDATE] = "UPDATE pgbench_accounts SET abalance = abalance + $2 "
		   "WHERE aid = $1",
};

struct chain {
	struct lunate_tx *tx;
	double began_us;
	int step;  /* how many statements of the transaction were sent */
	int first; /* the first account that it changes */
};

static struct chain chains[CHAINS];
static struct lunate *db;
static struct lunate_statement *statements[STATEMENTS];
static struct client_hist hist;
static struct client_window window;
static _Atomic enum wish wish;
static sem_t stopped; /* once for each chain */
static void (*operation)(struct chain *c);
static uint64_t chance;
static int accounts, pages;
static int64_t sum; /* of what was read, so that it is read */

static void
must(int rc, const struct lunate_error *e)
{
	if (rc < 0)
		errx(1, "%s: %s", lunate_error_word(rc), e->text);
}

static void
follow_wish(void)
{
	if (wish == OPEN) {
		window = client_window_open(&hist);
		wish = MEASURE;
	} else if (wish == CLOSE) {
		client_window_close(&window, &hist);
		wish = STOP;
	}
}

static void
begin(struct chain *c)
{
	if (wish == STOP) {
		sem_post(&stopped);
		return;
	}
	c->began_us = client_now_us();
	operation(c);
}

static void
next(struct chain *c)
{
	client_hist_add(&hist, client_now_us() - c->began_us);
	follow_wish();
	begin(c);
}

/* ---- one statement ------------------------------------------------------- */

static void
ask(struct chain *c, enum statement s, const struct lunate_value *values,
    lunate_done *done)
{
	int n = s == INSERT || s == UPDATE ? 2 : 1;
	struct lunate_call call = lunate_sql(NULL, values, n);
	struct lunate_then then = lunate_then_of(done, c);
	struct lunate_error e;

	call.statement = statements[s];
	call.tx = c->tx;
	must(lunate_query_async(db, &call, &then, &e), &e);
}

static void
read_point(struct lunate_rows *rows)
{
	int64_t n;

	if (lunate_rows_count(rows) != 1 || lunate_rows_int(rows, 0, 0, &n) < 0)
		errx(1, "no row of one number");
	sum += n;
}

static void
got_point(void *arg, struct lunate_rows *rows, const struct lunate_error *e)
{
	must(e != NULL ? e->code : 0, e);
	read_point(rows);
	lunate_rows_free(&rows);
	next((struct chain *)arg);
}

static void
point(struct chain *c)
{
	struct lunate_value v = lunate_int(client_random(&chance, accounts));

	ask(c, POINT, &v, got_point);
}

/* As a caller does who wants them all, numbers as numbers. */
static void
read_page(struct lunate_rows *rows)
{
	for (size_t i = 0; i < lunate_rows_count(rows); i++) {
		int64_t id;
		double score;
		int active;

		if (lunate_rows_int(rows, i, 0, &id) < 0 ||
		    lunate_rows_bool(rows, i, 4, &active) < 0 ||
		    lunate_rows_real(rows, i, 7, &score) < 0)
			errx(1, "a row of another shape");
		sum += id + active + (int64_t)score;
		for (int col = 1; col < 7; col++)
			sum += *lunate_rows_text(rows, i, col);
	}
}

static void
got_page(void *arg, struct lunate_rows *rows, const struct lunate_error *e)
{
	must(e != NULL ? e->code : 0, e);
	if (lunate_rows_count(rows) != PAGE)
		errx(1, "a page of another size");
	read_page(rows);
	lunate_rows_free(&rows);
	next((struct chain *)arg);
}

static void
page(struct chain *c)
{
	struct lunate_value v;

	v = lunate_int(client_random(&chance, pages - PAGE));
	ask(c, WIDE, &v, got_page);
}

static void
got_written(void *arg, struct lunate_rows *rows, const struct lunate_error *e)
{
	must(e != NULL ? e->code : 0, e);
	if (lunate_rows_affected(rows) != 1)
		errx(1, "not one row was written");
	lunate_rows_free(&rows);
	next((struct chain *)arg);
}

static void
insert_of(struct chain *c, int aid, lunate_done *done)
{
	struct lunate_value v[] = {lunate_int(aid),
				   lunate_text("a note of the bench")};

	ask(c, INSERT, v, done);
}

static void
insert(struct chain *c)
{
	insert_of(c, client_random(&chance, accounts), got_written);
}

/* ---- the transaction: one statement after the other ---------------------- */

static void got_step(void *arg, struct lunate_rows *rows,
		     const struct lunate_error *e);

static void
committed(void *arg, struct lunate_rows *rows, const struct lunate_error *e)
{
	must(e != NULL ? e->code : 0, e);
	lunate_rows_free(&rows);
	next((struct chain *)arg);
}

static void
commit(struct chain *c)
{
	struct lunate_then then = lunate_then_of(committed, c);
	struct lunate_error e;

	must(lunate_commit_async(&c->tx, &then, &e), &e);
}

static void
take_step(struct chain *c)
{
	int step = c->step++;
	struct lunate_value v[] = {
		lunate_int(c->first + step - READS),
		lunate_int(client_random(&chance, 100)),
	};

	if (step < READS) {
		v[0] = lunate_int(client_random(&chance, accounts));
		ask(c, POINT, v, got_step);
	} else if (step < READS + UPDATES) {
		ask(c, UPDATE, v, got_step);
	} else if (step < READS + UPDATES + INSERTS) {
		insert_of(c, c->first, got_step);
	} else {
		commit(c);
	}
}

static void
got_step(void *arg, struct lunate_rows *rows, const struct lunate_error *e)
{
	struct chain *c = (struct chain *)arg;

	must(e != NULL ? e->code : 0, e);
	if (c->step <= READS)
		read_point(rows);
	else if (lunate_rows_affected(rows) != 1)
		errx(1, "not one row was written");
	lunate_rows_free(&rows);
	take_step(c);
}

static void
transaction(struct chain *c)
{
	struct lunate_error e;

	must(lunate_begin(db, NULL, &c->tx, &e), &e);
	c->step = 0;
	c->first = client_random(&chance, accounts - UPDATES);
	take_step(c);
}

/* ---- all of it ----------------------------------------------------------- */

static void
choose(const char *name)
{
	static const struct {
		const char *name;
		void (*fn)(struct chain *c);
	} known[] = {{"point", point},
		     {"page", page},
		     {"insert", insert},
		     {"transaction", transaction}};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(known[i].name, name) == 0)
			operation = known[i].fn;
	if (operation == NULL)
		errx(1, "no workload %s", name);
}

static void
open_db(void)
{
	const struct lunate_setting settings[] = {
		{"schema", "public"},
		{"policies", "false"},
		{"pool_min", "0"},
		{"pool_max", client_ask("BENCH_CONNECTIONS")},
		{NULL, NULL},
	};
	struct lunate_options o = lunate_defaults();
	struct lunate_error e;

	o.url = client_ask("BENCH_URL");
	o.settings = settings;
	o.workers = 1;
	must(lunate_open(&o, &db, &e), &e);
	for (int i = 0; i < STATEMENTS; i++)
		must(lunate_prepare(texts[i], &statements[i], &e), &e);
}

/* The first call of each chain goes by way of the host's thread; its answer
 * and all that follows belong to the worker. */
static void
start(void *arg, struct lunate_rows *rows, const struct lunate_error *e)
{
	must(e != NULL ? e->code : 0, e);
	lunate_rows_free(&rows);
	begin((struct chain *)arg);
}

static void
pause_for(double seconds)
{
	struct timespec t = {.tv_sec = (time_t)seconds};

	t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
	nanosleep(&t, NULL);
}

int
main(void)
{
	struct lunate_value v = lunate_int(1);
	int n = (int)client_ask_number("BENCH_TASKS");

	if (n < 1 || n > CHAINS)
		errx(1, "from 1 to %d tasks", CHAINS);
	chance = (uint64_t)client_now_us() | 1;
	accounts = (int)client_ask_number("BENCH_ACCOUNTS");
	pages = (int)client_ask_number("BENCH_PAGES");
	choose(client_ask("BENCH_WORKLOAD"));
	sem_init(&stopped, 0, 0);
	open_db();
	for (int i = 0; i < n; i++)
		ask(&chains[i], POINT, &v, start);
	pause_for(client_ask_number("BENCH_WARM"));
	wish = OPEN;
	pause_for(client_ask_number("BENCH_SECONDS"));
	wish = CLOSE;
	for (int i = 0; i < n; i++)
		sem_wait(&stopped);
	for (int i = 0; i < STATEMENTS; i++)
		lunate_statement_free(&statements[i]);
	return lunate_close(&db, 10) < 0;
}
