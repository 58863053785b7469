/* SPDX-License-Identifier: MIT
 *
 * conn - for tests of pgconn and its parts: one connection to a private
 * server, and requests that remember how they ended.
 *
 *	conn_begin(4);				// at most 4 prepared
 *	conn_ask(0, PGREQ_READ, "select 1");
 *	conn_send(0, 1);
 *	conn_wait(0, 1);
 *	assert_string_equal(asks[0].text, "1");
 *	conn_close();
 *
 * pgconn_verify() is called after every turn of the loop.
 */
#ifndef CONN_H
#define CONN_H

#include <xxhash.h>

#include "crew.h"
#include "loop.h"
#include "mem.h"
#include "pgconn.h"
#include "server.h"

#define ASKS 64

struct ask {
	struct pgreq r;
	struct pgval vals[2];
	int calls;	 /* of done() */
	int place;	 /* the how-manieth answer it was */
	size_t rows;	 /* of the answer, or of all chunks */
	int ncols;	 /* of the answer; -1 = it was none of rows */
	int chunks;	 /* calls of chunk() */
	int notices;	 /* calls of notice(); the last one is in text */
	int pause_at;	 /* chunk after which the stream pauses; 0 = none */
	char text[2000]; /* first cell */
	struct pgconn *conn;
};

static struct ask asks[ASKS];
static struct loop *loop;
static struct crew *crew;
static struct pgconn *conn;
static int answers, idles, states;
static enum pgconn_state last_state;
static bool free_on_state;
static bool conn_guarded; /* of the connections that follow */

static void
on_state(struct pgconn *c, void *arg)
{
	(void)arg;
	states++;
	last_state = pgconn_state(c);
	if (free_on_state) {
		assert_ptr_equal(c, conn);
		pgconn_free(&conn);
	}
}

static void
on_idle(struct pgconn *c, void *arg)
{
	(void)arg;
	assert_int_equal(pgconn_inflight(c), 0);
	idles++;
}

static void
turn(void)
{
	loop_turn(loop, 0.2);
	if (conn != NULL)
		pgconn_verify(conn);
}

/* Starts to connect to the server in `dir`. */
static void
conn_start(const char *dir, int64_t connect_us, int prepared)
{
	const char *keys[] = {"host", "port", "user", "dbname", NULL};
	const char *vals[] = {dir, "5432", "postgres", "lunate_test", NULL};
	struct pgconn_conf conf = {.keys = keys,
				   .values = vals,
				   .connect_us = connect_us,
				   .prepared_max = prepared,
				   .guarded = conn_guarded};
	struct pgconn_owner owner = {on_state, on_idle, NULL};

	alarm(100); /* what hangs is a failed test */
	if (loop == NULL) {
		loop = loop_new();
		crew = crew_new(2);
	}
	memset(asks, 0, sizeof(asks));
	answers = idles = states = 0;
	free_on_state = false;
	loop_refresh(loop);
	conn = pgconn_new(loop, crew, &conf, owner);
}

/* A READY connection to the private server. */
UNUSED static void
conn_begin(int prepared)
{
	server_need();
	conn_start(server_dir, 20000000, prepared);
	while (pgconn_state(conn) == PGCONN_CONNECTING)
		turn();
	assert_int_equal(pgconn_state(conn), PGCONN_READY);
	states = 0;
}

static void
conn_close(void)
{
	if (conn != NULL)
		pgconn_free(&conn);
	crew_free(&crew, 5000);
	loop_turn(loop, 0); /* letters of cancels that are over */
	loop_free(&loop);
}

static void
done(struct pgreq *r)
{
	struct ask *a = CONTAINER_OF(r, struct ask, r);
	const char *cell;
	size_t len;

	a->calls++;
	a->place = ++answers;
	if (r->rows == NULL)
		return;
	a->ncols = rows_shape(r->rows)->ncols;
	a->rows += rows_count(r->rows);
	if (rows_count(r->rows) > 0 && rows_shape(r->rows)->ncols > 0) {
		cell = rows_cell(r->rows, 0, 0, &len);
		snprintf(a->text, sizeof(a->text), "%s",
			 cell != NULL ? cell : "NULL");
	}
	rows_unpin(&r->rows);
}

static void
chunk(struct pgreq *r, struct rows *rows)
{
	struct ask *a = CONTAINER_OF(r, struct ask, r);

	assert_int_equal(a->calls, 0);
	a->rows += rows_count(rows);
	if (++a->chunks == a->pause_at)
		pgconn_pause(r->conn);
	rows_unpin(&rows);
}

static struct pgreq *
conn_ask(int i, unsigned flags, const char *sql)
{
	struct ask *a = &asks[i];

	memset(a, 0, sizeof(*a));
	a->ncols = -1;
	pgreq_init(&a->r);
	a->r.flags = flags;
	a->r.sql = sql;
	a->r.len = strlen(sql);
	a->r.hash = XXH3_64bits(sql, a->r.len);
	a->r.vals = a->vals;
	a->r.done = done;
	a->r.chunk = chunk;
	return &a->r;
}

/* Sends asks[first .. first + n - 1] as one group. */
static void
conn_send(int first, int n)
{
	struct list group;

	list_init(&group);
	for (int i = first; i < first + n; i++)
		list_push_back(&group, &asks[i].r.link);
	pgconn_send(conn, &group);
	for (int i = first; i < first + n; i++)
		assert_int_equal(asks[i].calls, 0);
	assert_true(list_empty(&group));
	pgconn_verify(conn);
}

static void
conn_wait(int first, int n)
{
	for (int i = first; i < first + n; i++) {
		while (asks[i].calls == 0)
			turn();
		assert_int_equal(asks[i].calls, 1);
		assert_null(asks[i].r.conn);
		assert_null(asks[i].r.group);
	}
}

/* Runs one statement alone in a group of its own. */
UNUSED static struct ask *
conn_run(int i, const char *sql)
{
	conn_ask(i, 0, sql);
	conn_send(i, 1);
	conn_wait(i, 1);
	return &asks[i];
}

/* As conn_run, and it must succeed. */
UNUSED static const char *
conn_ok(const char *sql)
{
	struct ask *a = conn_run(ASKS - 1, sql);

	if (a->r.fate != PGREQ_DONE)
		fail_msg("%s: %s", sql, a->r.err.text);
	return a->text;
}

UNUSED static void
conn_until(enum pgconn_state state)
{
	while (conn != NULL && pgconn_state(conn) != state)
		turn();
}

#endif
