/* SPDX-License-Identifier: MIT
 *
 * ops - for tests: a runtime on a private server, driven inline, and
 * operations that remember how they ended.
 *
 *	ops_begin(2);				// at most 2 connections
 *	ops_run(0, "select 1");
 *	assert_string_equal(runs[0].text, "1");
 *	ops_end();
 */
#ifndef OPS_H
#define OPS_H

#include "op.h"
#include "runtime.h"
#include "server.h"
#include "tx.h"

#define RUNS 64

struct run {
	struct op op;
	struct pgval vals[2];
	int calls; /* of done() */
	int code;  /* of the error */
	char why[600];
	size_t rows;	/* of the answer, or of all chunks */
	char text[200]; /* first cell */
};

static struct run runs[RUNS];
static struct loop *loop;
static struct runtime *rt;
static struct worker *w;
static bool starting;

static void
turn(void)
{
	loop_turn(loop, 0.02);
	if (rt != NULL)
		pool_verify(w->pool);
}

static void
ops_open(const char *dir, int max)
{
	char url[200];
	struct config c;
	struct err e;

	alarm(100);
	memset(runs, 0, sizeof(runs));
	snprintf(url, sizeof(url),
		 "postgresql:///lunate_test?host=%s&port=5432&user=postgres",
		 dir);
	loop = loop_new();
	config_init(&c);
	assert_int_equal(config_set(&c, "url", url, &e), 0);
	assert_int_equal(config_set(&c, "schema", "public", &e), 0);
	assert_int_equal(config_set(&c, "log_level", "error", &e), 0);
	assert_int_equal(config_set_number(&c, "pool_min", 0, &e), 0);
	assert_int_equal(config_set_number(&c, "pool_max", max, &e), 0);
	assert_int_equal(config_check(&c, NULL, &e), 0);
	assert_int_equal(runtime_open(&rt, &c, loop, &e), 0);
	w = &rt->workers[0];
}

UNUSED static void
ops_begin(int max)
{
	server_need();
	ops_open(server_dir, max);
}

static void
ops_end(void)
{
	if (rt != NULL)
		runtime_free(&rt);
	loop_turn(loop, 0);
	loop_free(&loop);
}

static void
done(struct op *op)
{
	struct run *r = CONTAINER_OF(op, struct run, op);
	const char *cell;
	size_t len;

	assert_false(starting);
	r->calls++;
	r->code = op->err.code;
	snprintf(r->why, sizeof(r->why), "%s", op->err.text);
	if (op->rows != NULL) {
		assert_int_equal(r->code, 0);
		r->rows += rows_count(op->rows);
		if (rows_count(op->rows) > 0) {
			cell = rows_cell(op->rows, 0, 0, &len);
			snprintf(r->text, sizeof(r->text), "%s",
				 cell != NULL ? cell : "NULL");
		}
	}
	op_fini(op);
}

static void
chunk(struct op *op, struct rows *rows)
{
	CONTAINER_OF(op, struct run, op)->rows += rows_count(rows);
	rows_unpin(&rows);
}

static struct op *
ops_make(int i, const char *sql)
{
	struct op *op = &runs[i].op;

	memset(&runs[i], 0, sizeof(runs[i]));
	op_init(op, w);
	op->sql = sql;
	op->len = strlen(sql);
	op->vals = runs[i].vals;
	op->done = done;
	op->chunk = chunk;
	return op;
}

static void
ops_start(int i)
{
	loop_refresh(loop);
	starting = true;
	op_start(&runs[i].op);
	starting = false;
	assert_int_equal(runs[i].calls, 0);
}

static int
ops_wait(int i)
{
	while (runs[i].calls == 0)
		turn();
	assert_int_equal(runs[i].calls, 1);
	return runs[i].code;
}

/* Runs one statement to its end and gives the error's code. */
UNUSED static int
ops_run(int i, const char *sql)
{
	ops_make(i, sql);
	ops_start(i);
	return ops_wait(i);
}

/* As ops_run, and it must succeed; gives the first cell. */
UNUSED static const char *
ops_ok(const char *sql)
{
	if (ops_run(RUNS - 1, sql) != 0)
		fail_msg("%s: %s", sql, runs[RUNS - 1].why);
	return runs[RUNS - 1].text;
}

/* Runs a statement inside a transaction. */
UNUSED static int
ops_in_tx(int i, struct tx *t, const char *sql)
{
	ops_make(i, sql)->tx = t;
	ops_start(i);
	return ops_wait(i);
}

/* Our own transaction control. */
UNUSED static int
ops_control(struct tx *t, const char *sql)
{
	ops_make(RUNS - 2, sql)->tx = t;
	runs[RUNS - 2].op.flags = OP_INTERNAL;
	ops_start(RUNS - 2);
	return ops_wait(RUNS - 2);
}

/* Waits until the statement has reached the server. */
UNUSED static void
ops_in_flight(int i)
{
	while (runs[i].op.req.conn == NULL && runs[i].calls == 0)
		turn();
	turn();
	assert_int_equal(runs[i].calls, 0);
}

#endif
