/* SPDX-License-Identifier: MIT
 *
 * bare - the floor that libpq leaves: libpq on libev, BENCH_CONNECTIONS
 * connections with a group of prepared reads under one Sync each, and nothing
 * else.  What lunate uses above this is its engine's.
 */
#include "client.h"

#include <ev.h>
#include <libpq-fe.h>

enum { CONNECTIONS = 64 };

struct conn {
	ev_io in;
	PGconn *pg;
	double began_us; /* when its group was sent */
};

static struct conn conns[CONNECTIONS];
static struct client_hist hist;
static struct client_window window;
static uint64_t chance;
static int accounts, group;
static int64_t sum; /* of what was read, so that it is read */

static void
send_group(struct conn *c)
{
	c->began_us = client_now_us();
	for (int i = 0; i < group; i++) {
		char text[12];
		const char *value = text;
		int aid = client_random(&chance, accounts);

		snprintf(text, sizeof(text), "%d", aid);
		if (!PQsendQueryPrepared(c->pg, "point", 1, &value, NULL, NULL,
					 0))
			errx(1, "send: %s", PQerrorMessage(c->pg));
	}
	if (!PQpipelineSync(c->pg))
		errx(1, "sync: %s", PQerrorMessage(c->pg));
}

/* Takes one result; true when it was the Sync's. */
static int
take(struct conn *c, PGresult *r)
{
	ExecStatusType status = PQresultStatus(r);

	if (status == PGRES_TUPLES_OK && PQntuples(r) == 1) {
		sum += strtol(PQgetvalue(r, 0, 0), NULL, 10);
		client_hist_add(&hist, client_now_us() - c->began_us);
	} else if (status != PGRES_PIPELINE_SYNC) {
		errx(1, "answer: %s", PQerrorMessage(c->pg));
	}
	PQclear(r);
	return status == PGRES_PIPELINE_SYNC;
}

static void
on_readable(EV_P_ ev_io *w, int events)
{
	struct conn *c = (struct conn *)w->data;

	if (!PQconsumeInput(c->pg))
		errx(1, "read: %s", PQerrorMessage(c->pg));
	while (!PQisBusy(c->pg)) {
		PGresult *r = PQgetResult(c->pg);

		/* NULL stands between the results of two statements. */
		if (r != NULL && take(c, r))
			send_group(c);
	}
}

static void
prepare(struct conn *c)
{
	PGresult *r = PQprepare(c->pg, "point",
				"SELECT abalance FROM pgbench_accounts "
				"WHERE aid = $1",
				1, NULL);

	if (PQresultStatus(r) != PGRES_COMMAND_OK)
		errx(1, "prepare: %s", PQerrorMessage(c->pg));
	PQclear(r);
}

static void
start(EV_P_ struct conn *c)
{
	c->pg = PQconnectdb(client_ask("BENCH_URL"));
	if (PQstatus(c->pg) != CONNECTION_OK)
		errx(1, "connect: %s", PQerrorMessage(c->pg));
	prepare(c);
	if (!PQenterPipelineMode(c->pg) || PQsetnonblocking(c->pg, 1) != 0)
		errx(1, "pipeline: %s", PQerrorMessage(c->pg));
	ev_io_init(&c->in, on_readable, PQsocket(c->pg), EV_READ);
	c->in.data = c;
	ev_io_start(EV_A_ & c->in);
	send_group(c);
}

static void
on_warm(EV_P_ ev_timer *w, int events)
{
	window = client_window_open(&hist);
}

static void
on_end(EV_P_ ev_timer *w, int events)
{
	client_window_close(&window, &hist);
	ev_break(EV_A_ EVBREAK_ALL);
}

int
main(void)
{
	struct ev_loop *loop = ev_default_loop(0);
	double warm = client_ask_number("BENCH_WARM");
	int n = (int)client_ask_number("BENCH_CONNECTIONS");
	ev_timer begin, end;

	if (n < 1 || n > CONNECTIONS)
		errx(1, "from 1 to %d connections", CONNECTIONS);
	chance = (uint64_t)client_now_us() | 1;
	accounts = (int)client_ask_number("BENCH_ACCOUNTS");
	group = (int)client_ask_number("BENCH_TASKS") / n;
	for (int i = 0; i < n; i++)
		start(loop, &conns[i]);
	ev_timer_init(&begin, on_warm, warm, 0);
	ev_timer_init(&end, on_end, warm + client_ask_number("BENCH_SECONDS"),
		      0);
	ev_timer_start(loop, &begin);
	ev_timer_start(loop, &end);
	ev_run(loop, 0);
	for (int i = 0; i < n; i++)
		PQfinish(conns[i].pg);
	return 0;
}
