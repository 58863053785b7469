/* SPDX-License-Identifier: MIT
 *
 * The host's side of a stream, and the rows of a session of its own.
 *
 * The server is held back (the connection is not read) while STREAM_CHUNKS
 * wait, so a result of any size takes bounded memory.
 */
#include "host_stream.h"

#include <string.h>

#include "pgconn.h"

/* One request for the next rows. */
struct next {
	struct errand q;
	struct lunate_stream *s;
};

void
stream_answer(struct lunate_stream *s, struct lunate_rows *rows)
{
	struct errand *q = s->next;

	s->next = NULL;
	if (q == NULL) {
		lunate_rows_free(&rows);
		return;
	}
	q->rows = rows;
	if (rows == NULL)
		q->err = s->err;
	__atomic_store_n(&s->asked, 0, __ATOMIC_RELEASE);
	errand_end(q);
}

/* ---- rows come and go -------------------------------------------------- */

static void
drop_oldest(struct lunate_stream *s)
{
	s->nchunks--;
	memmove(s->chunks, s->chunks + 1,
		(size_t)s->nchunks * sizeof(*s->chunks));
	if (!s->paused || s->nchunks > STREAM_CHUNKS / 2)
		return;
	s->paused = false;
	if (s->ask->op.req.conn != NULL)
		pgconn_resume(s->ask->op.req.conn);
}

/* Whoever waits gets the oldest rows, or the end. */
static void
serve(struct lunate_stream *s)
{
	struct rows *rows;

	if (s->next == NULL || (s->nchunks == 0 && s->running))
		return;
	if (s->nchunks == 0) {
		stream_answer(s, NULL);
		return;
	}
	rows = s->chunks[0];
	drop_oldest(s);
	stream_answer(s, host_rows_new(rows, -1, 0));
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

	assert(s->nchunks < STREAM_CHUNKS + 2);
	s->chunks[s->nchunks++] = rows;
	if (s->nchunks >= STREAM_CHUNKS && op->req.conn != NULL) {
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
	s->err = op->err;
	serve(s);
}

/* ---- its end ----------------------------------------------------------- */

static void
stop_session(struct lunate_stream *s)
{
	if (s->ask == NULL)
		return;
	if (s->running)
		op_end_now(&s->ask->op, &s->err);
	while (s->nchunks > 0)
		rows_unpin(&s->chunks[--s->nchunks]);
	host_tx_detach(s->ask->tx);
	ask_free(s->ask);
	s->ask = NULL;
}

/* Nothing more comes; who waits is told.  A statement of a cursor that runs
 * ends with its transaction, or answers nobody. */
static void
stop(struct lunate_stream *s)
{
	if (s->closed)
		return;
	s->closed = true;
	err_set(&s->err, LUNATE_ECLOSED, "the stream was closed");
	if (s->tx == NULL)
		stop_session(s);
	else
		cursor_close(s);
	stream_answer(s, NULL);
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
	if (s->tx != NULL)
		host_tx_unpin(&s->tx);
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

/* A statement on a session of its own. */
static struct ask *
session(struct lunate_stream *s, const struct lunate_call *given, struct err *e)
{
	const struct tx_options o = {
		.session = true, .mode = POOL_LONG, .site = "C host: stream"};
	struct lunate_tx *tx = host_tx_new(s->hw, &o, given->context, e);
	struct lunate_call call = *given;
	struct ask *a;

	if (tx == NULL)
		return NULL;
	call.tx = tx;
	a = ask_new(s->hw, &call, true, e);
	host_tx_unpin(&tx); /* the ask keeps it */
	if (a == NULL)
		return NULL;
	a->op.flags |= OP_STREAM;
	a->op.chunk = on_chunk;
	a->op.done = on_done;
	return a;
}

static struct lunate_stream *
new_stream(struct lunate *db, const struct lunate_call *call, struct err *e)
{
	struct lunate_stream *s = mem_new(sizeof(*s));

	OBJ_INIT(s, STREAM_MAGIC);
	s->host = host_pin(db);
	s->hw = call->tx != NULL ? host_tx_worker(call->tx) : host_choose(db);
	s->fetch = (int)db->rt->config.batch_size;
	list_init(&s->held.link);
	s->held.stop = stop_held;
	s->held.forget = forget_held;
	if (call->tx != NULL)
		s->tx = host_tx_pin(call->tx);
	s->ask = call->tx != NULL ? cursor_declare(s, call, e)
				  : session(s, call, e);
	if (s->ask != NULL) {
		s->ask->q.arg = s;
		return s;
	}
	free_stream(s);
	return NULL;
}

int
lunate_stream_open(struct lunate *db, const struct lunate_call *given,
		   struct lunate_stream **out, struct lunate_error *e)
{
	struct lunate_call call;
	struct err why;

	if (ask_take(given, &call, &why) < 0 || host_enter(db, &why) < 0)
		return error_fill(e, &why);
	*out = new_stream(db, &call, &why);
	host_exit(db);
	return *out != NULL ? 0 : error_fill(e, &why);
}

/* ---- the next rows ----------------------------------------------------- */

static void
start(struct lunate_stream *s)
{
	s->started = s->running = true;
	/* In front of its session, which is stopped after it. */
	list_push_front(&s->hw->held, &s->held.link);
	host_tx_attach(s->ask->tx);
	op_start(&s->ask->op);
}

static void
run_next(struct errand *q)
{
	struct lunate_stream *s = CONTAINER_OF(q, struct next, q)->s;

	s->next = q;
	if (s->closed) {
		stream_answer(s, NULL);
		return;
	}
	if (s->tx != NULL) {
		cursor_next(s);
		return;
	}
	if (!s->started)
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
	if (__atomic_exchange_n(&s->asked, 1, __ATOMIC_ACQUIRE) != 0) {
		host_exit(s->host);
		err_set(e, LUNATE_EBUSY,
			"the next rows of this stream are on their way; ask "
			"for more when they are there");
		return NULL;
	}
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
	if (host_here() != NULL)
		__atomic_store_n(&s->asked, 0, __ATOMIC_RELEASE);
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
		__atomic_store_n(&s->asked, 0, __ATOMIC_RELEASE);
		host_exit(s->host);
		drop_next(&n->q);
		return error_fill(e, &why);
	}
	errand_send(&n->q);
	return 0;
}
