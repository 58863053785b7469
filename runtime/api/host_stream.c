/* SPDX-License-Identifier: MIT
 *
 * A stream of a host: an operation on a session of its own whose rows wait
 * here, some at a time, until somebody asks for them.
 *
 * The server is held back (the connection is not read) while CHUNKS wait, so
 * a result of any size takes bounded memory.
 */
#include <string.h>

#include "ask.h"
#include "host.h"
#include "host_rows.h"
#include "host_tx.h"
#include "pgconn.h"

#define CHUNKS 8

struct lunate_stream {
	unsigned magic;
#define STREAM_MAGIC 0x57eea3d1
	struct lunate *host; /* pinned */
	struct host_worker *hw;
	struct loop_letter close;

	/* the worker's */
	struct ask *ask; /* whose errand is never sent; NULL: closed */
	struct held held;
	struct rows *chunks[CHUNKS + 2]; /* oldest first */
	int nchunks;
	bool started, running;
	bool paused;
	bool own;	     /* the session is ours */
	struct errand *next; /* somebody waits for rows, or NULL */
};

/* One request for the next rows. */
struct next {
	struct errand q;
	struct lunate_stream *s;
};

/* ---- rows come and go -------------------------------------------------- */

static void
drop_oldest(struct lunate_stream *s)
{
	s->nchunks--;
	memmove(s->chunks, s->chunks + 1,
		(size_t)s->nchunks * sizeof(*s->chunks));
	if (!s->paused || s->nchunks > CHUNKS / 2)
		return;
	s->paused = false;
	if (s->ask->op.req.conn != NULL)
		pgconn_resume(s->ask->op.req.conn);
}

/* Whoever waits gets the oldest rows, or the end. */
static void
serve(struct lunate_stream *s)
{
	struct errand *q = s->next;

	if (q == NULL || (s->nchunks == 0 && s->running))
		return;
	s->next = NULL;
	if (s->nchunks > 0) {
		q->rows = host_rows_new(s->chunks[0], -1, 0);
		drop_oldest(s);
	} else if (s->ask == NULL) {
		err_set(&q->err, LUNATE_ECLOSED, "the stream was closed");
	} else if (s->ask->op.err.code != 0) {
		q->err = s->ask->op.err;
	}
	errand_end(q);
}

static struct lunate_stream *
stream_of(struct op *op)
{
	struct ask *a = CONTAINER_OF(op, struct ask, op);
	struct lunate_stream *s;

	OBJ_CAST(s, a->q.arg, STREAM_MAGIC);
	return s;
}

static void
on_chunk(struct op *op, struct rows *rows)
{
	struct lunate_stream *s = stream_of(op);

	assert(s->nchunks < CHUNKS + 2);
	s->chunks[s->nchunks++] = rows;
	if (s->nchunks >= CHUNKS && op->req.conn != NULL) {
		s->paused = true;
		pgconn_pause(op->req.conn);
	}
	serve(s);
}

static void
on_done(struct op *op)
{
	struct lunate_stream *s = stream_of(op);

	s->running = false;
	serve(s);
}

/* ---- its end ----------------------------------------------------------- */

/* Its operation ends inside; what waits is told. */
static void
stop(struct lunate_stream *s)
{
	struct err why;

	if (s->ask == NULL)
		return;
	err_set(&why, LUNATE_ECLOSED, "the stream was closed");
	if (s->running)
		op_end_now(&s->ask->op, &why);
	while (s->nchunks > 0)
		rows_unpin(&s->chunks[--s->nchunks]);
	if (s->own)
		host_tx_detach(s->ask->tx);
	ask_free(s->ask);
	s->ask = NULL;
	serve(s);
}

static void
stop_held(struct held *h)
{
	stop(CONTAINER_OF(h, struct lunate_stream, held));
}

static void
forget_held(struct held *h)
{
	(void)h; /* stopped before; the host's handle frees it */
}

static void
free_stream(struct lunate_stream *s)
{
	if (s->ask != NULL)
		ask_free(s->ask); /* it never began */
	host_unpin(&s->host);
	OBJ_FINI(s);
	mem_free(s);
}

static void
run_close(struct loop_letter *letter)
{
	struct lunate_stream *s = CONTAINER_OF(letter, struct lunate_stream,
					       close);

	stop(s);
	list_remove(&s->held.link);
	free_stream(s);
}

void
lunate_stream_close(struct lunate_stream **ps)
{
	struct lunate_stream *s;
	struct lunate *db;
	struct err why;

	if (*ps == NULL)
		return;
	OBJ_TAKE(s, ps, STREAM_MAGIC);
	db = s->host;
	if (host_enter(db, &why) < 0) {
		if (why.code == LUNATE_ECLOSED)
			free_stream(s);
		return; /* in a child of fork() it is the parent's */
	}
	s->close.run = run_close;
	host_pin(db);
	loop_post(s->hw->loop, &s->close);
	host_exit(db);
	host_unpin(&db);
}

/* ---- opening ----------------------------------------------------------- */

/* The session it runs in: of the call's transaction, or its own. */
static struct lunate_tx *
session(struct lunate *db, const struct lunate_call *call, struct err *e)
{
	const struct tx_options o = {
		.session = true, .mode = POOL_LONG, .site = "C host: stream"};

	if (call->tx != NULL)
		return host_tx_pin(call->tx);
	return host_tx_new(host_choose(db), &o, call->context, e);
}

static struct lunate_stream *
new_stream(struct lunate *db, const struct lunate_call *given, struct err *e)
{
	struct lunate_tx *tx = session(db, given, e);
	struct lunate_call call = *given;
	struct lunate_stream *s;
	struct ask *a;

	if (tx == NULL)
		return NULL;
	call.tx = tx;
	a = ask_new(host_tx_worker(tx), &call, true, e);
	if (a == NULL) {
		host_tx_unpin(&tx);
		return NULL;
	}
	s = mem_new(sizeof(*s));
	OBJ_INIT(s, STREAM_MAGIC);
	s->host = host_pin(db);
	s->hw = host_tx_worker(tx);
	s->own = given->tx == NULL;
	s->ask = a;
	a->q.arg = s;
	a->op.flags |= OP_STREAM;
	a->op.chunk = on_chunk;
	a->op.done = on_done;
	list_init(&s->held.link);
	s->held.stop = stop_held;
	s->held.forget = forget_held;
	host_tx_unpin(&tx); /* the ask keeps it */
	return s;
}

int
lunate_stream_open(struct lunate *db, const struct lunate_call *call,
		   struct lunate_stream **out, struct lunate_error *e)
{
	struct err why;

	if (ask_check(call, &why) < 0 || host_enter(db, &why) < 0)
		return error_fill(e, &why);
	*out = new_stream(db, call, &why);
	host_exit(db);
	return *out != NULL ? 0 : error_fill(e, &why);
}

/* ---- the next rows ----------------------------------------------------- */

static void
start(struct lunate_stream *s)
{
	s->started = s->running = true;
	/* Behind its transaction, which is stopped after it. */
	list_push_front(&s->hw->held, &s->held.link);
	host_tx_attach(s->ask->tx);
	op_start(&s->ask->op);
}

static void
run_next(struct errand *q)
{
	struct lunate_stream *s = CONTAINER_OF(q, struct next, q)->s;

	if (s->next != NULL) {
		err_set(&q->err, LUNATE_EBUSY,
			"two ask for the next rows of one stream");
		errand_end(q);
		return;
	}
	s->next = q;
	if (!s->started && s->ask != NULL)
		start(s);
	serve(s);
}

static void
cancel_next(struct errand *q, enum err_code code)
{
	struct lunate_stream *s = CONTAINER_OF(q, struct next, q)->s;

	if (s->ask != NULL)
		op_cancel(&s->ask->op, code);
}

static void
drop_next(struct errand *q)
{
	struct next *n = CONTAINER_OF(q, struct next, q);

	lunate_rows_free(&q->rows);
	mem_free(n);
}

static struct next *
new_next(struct lunate_stream *s, struct err *e)
{
	struct next *n;

	OBJ_CHECK(s, STREAM_MAGIC);
	if (host_enter(s->host, e) < 0)
		return NULL;
	n = mem_new(sizeof(*n));
	errand_init(&n->q, s->hw);
	n->q.run = run_next;
	n->q.cancel = cancel_next;
	n->q.drop = drop_next;
	n->s = s;
	return n;
}

int
lunate_stream_next(struct lunate_stream *s, struct lunate_rows **rows,
		   struct lunate_error *e)
{
	struct err why;
	struct next *n = new_next(s, &why);
	int rc;

	if (n == NULL)
		return error_fill(e, &why);
	rc = errand_wait(&n->q);
	if (rc < 0)
		error_fill(e, &n->q.err);
	*rows = n->q.rows;
	n->q.rows = NULL;
	drop_next(&n->q);
	return rc < 0 ? rc : *rows != NULL;
}

int
lunate_stream_next_async(struct lunate_stream *s,
			 const struct lunate_then *then, struct lunate_error *e)
{
	struct err why;
	struct next *n = new_next(s, &why);

	if (n == NULL)
		return error_fill(e, &why);
	if (errand_then(&n->q, then, &why) < 0) {
		host_exit(s->host);
		drop_next(&n->q);
		return error_fill(e, &why);
	}
	errand_send(&n->q);
	return 0;
}
