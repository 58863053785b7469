/* SPDX-License-Identifier: MIT */
#include "host_tx.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ask.h"
#include "host.h"
#include "sized.h"
#include "who.h"

struct lunate_tx {
	unsigned magic;
#define HOST_TX_MAGIC 0x7a115ac8
	int refs; /* atomic */
	struct lunate *host;
	struct host_worker *hw;
	struct lunate_context *context; /* pinned, or NULL */
	int depth;			/* savepoints; the host's thread */

	/* the worker's */
	struct tx tx;
	struct held held;
	bool detached;
};

/* ---- life -------------------------------------------------------------- */

struct lunate_tx *
host_tx_pin(struct lunate_tx *t)
{
	OBJ_CHECK(t, HOST_TX_MAGIC);
	__atomic_add_fetch(&t->refs, 1, __ATOMIC_RELAXED);
	return t;
}

void
host_tx_unpin(struct lunate_tx **pt)
{
	struct lunate_tx *t;

	OBJ_TAKE(t, pt, HOST_TX_MAGIC);
	if (__atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	assert(!list_linked(&t->held.link));
	tx_forget(&t->tx);
	who_unpin(&t->context);
	host_unpin(&t->host);
	OBJ_FINI(t);
	mem_free(t);
}

struct host_worker *
host_tx_worker(const struct lunate_tx *t)
{
	OBJ_CHECK(t, HOST_TX_MAGIC);
	return t->hw;
}

const struct lunate_context *
host_tx_context(const struct lunate_tx *t)
{
	return t->context;
}

struct tx *
host_tx_inner(struct lunate_tx *t)
{
	return &t->tx;
}

static void
stop_held(struct held *h)
{
	struct lunate_tx *t = CONTAINER_OF(h, struct lunate_tx, held);

	if (!t->detached)
		tx_end(&t->tx);
	t->detached = true;
}

static void
forget_held(struct held *h)
{
	(void)h; /* stopped before; the host's handle frees it */
}

void
host_tx_attach(struct lunate_tx *t)
{
	if (!t->detached && !list_linked(&t->held.link))
		list_push_back(&t->hw->held, &t->held.link);
}

void
host_tx_detach(struct lunate_tx *t)
{
	stop_held(&t->held);
	list_remove(&t->held.link);
}

struct lunate_tx *
host_tx_new(struct host_worker *hw, const struct tx_options *o,
	    const struct lunate_context *context, struct err *e)
{
	struct lunate_tx *t = mem_new(sizeof(*t));
	struct tx_options own = *o;

	own.context = who_peek(context);
	if (tx_init(&t->tx, hw->w, &own, e) < 0) {
		mem_free(t);
		return NULL;
	}
	OBJ_INIT(t, HOST_TX_MAGIC);
	t->refs = 1;
	t->hw = hw;
	t->host = host_pin(hw->host);
	t->context = who_pin(context);
	who_tell(context, hw->w->rt);
	list_init(&t->held.link);
	t->held.stop = stop_held;
	t->held.forget = forget_held;
	return t;
}

static int
read_options(const struct lunate_tx_options *given, struct lunate_tx_options *o,
	     struct err *e)
{
	const struct sized s = {
		o, sizeof(*o), given,
		"struct lunate_tx_options; begin with lunate_tx_defaults()"};

	*o = lunate_tx_defaults();
	return given != NULL ? sized_take(&s, e) : 0;
}

int
lunate_begin(struct lunate *db, const struct lunate_tx_options *given,
	     struct lunate_tx **tx, struct lunate_error *e)
{
	struct tx_options inner = {.mode = POOL_WRITE, .site = "C host"};
	struct lunate_tx_options o;
	struct err why;

	if (read_options(given, &o, &why) < 0 || host_enter(db, &why) < 0)
		return error_fill(e, &why);
	inner.isolation = o.isolation;
	inner.read_only = o.read_only;
	inner.deferrable = o.deferrable;
	if (o.critical)
		inner.mode = POOL_CRITICAL;
	*tx = host_tx_new(host_choose(db), &inner, o.context, &why);
	host_exit(db);
	return *tx != NULL ? 0 : error_fill(e, &why);
}

/* ---- its end ----------------------------------------------------------- */

/* COMMIT has ended, or there was none: the connection goes back. */
static bool
committed(struct ask *a)
{
	host_tx_detach(a->tx);
	return true;
}

/* What keeps it from being committed. */
static const struct err *
objection(const struct lunate_tx *t)
{
	return t->tx.state == TX_FAILED ? &t->tx.err : NULL;
}

static void
run_commit(struct errand *q)
{
	struct ask *a = CONTAINER_OF(q, struct ask, q);
	const struct err *why = objection(a->tx);

	if (why != NULL)
		q->err = *why;
	if (why == NULL && a->tx->tx.state != TX_FRESH && !a->tx->detached) {
		op_start(&a->op);
		return;
	}
	if (why == NULL && a->tx->tx.state == TX_CLOSED)
		err_set(&q->err, LUNATE_ECLOSED, "the runtime was closed");
	host_tx_detach(a->tx);
	errand_end(q);
}

/* NULL: the runtime is closed, and with it the transaction. */
static struct ask *
new_commit(struct lunate_tx *t, struct err *e)
{
	struct ask *a;

	if (host_enter(t->host, e) < 0)
		return NULL;
	a = ask_control(t, "COMMIT");
	a->q.run = run_commit;
	a->ended = committed;
	return a;
}

int
lunate_commit(struct lunate_tx **ptx, struct lunate_error *e)
{
	struct lunate_tx *t;
	struct err why;
	struct ask *a;
	int rc;

	OBJ_TAKE(t, ptx, HOST_TX_MAGIC);
	a = new_commit(t, &why);
	rc = a != NULL ? ask_wait(a, NULL, e) : error_fill(e, &why);
	if (a != NULL && host_here() != NULL)
		lunate_rollback(&t); /* it could not wait */
	else
		host_tx_unpin(&t);
	return rc;
}

int
lunate_commit_async(struct lunate_tx **ptx, const struct lunate_then *then,
		    struct lunate_error *e)
{
	struct lunate_tx *t = *ptx;
	struct err why;
	struct ask *a;

	OBJ_CHECK(t, HOST_TX_MAGIC);
	a = new_commit(t, &why);
	if (a == NULL)
		return error_fill(e, &why);
	if (errand_then(&a->q, then, &why) < 0) {
		host_exit(t->host);
		ask_free(a);
		return error_fill(e, &why);
	}
	errand_send(&a->q);
	*ptx = NULL;
	host_tx_unpin(&t);
	return 0;
}

/* A letter that nobody waits for. */
struct undo {
	struct loop_letter letter;
	struct lunate_tx *tx;
};

static void
run_undo(struct loop_letter *letter)
{
	struct undo *u = CONTAINER_OF(letter, struct undo, letter);

	host_tx_detach(u->tx);
	host_tx_unpin(&u->tx);
	mem_free(u);
}

void
lunate_rollback(struct lunate_tx **ptx)
{
	struct lunate_tx *t;
	struct lunate *db;
	struct undo *u;
	struct err why;

	if (*ptx == NULL)
		return;
	OBJ_TAKE(t, ptx, HOST_TX_MAGIC);
	db = t->host;
	if (host_enter(db, &why) < 0) {
		if (why.code == LUNATE_ECLOSED)
			host_tx_unpin(&t);
		return; /* in a child of fork() it is the parent's */
	}
	u = mem_new(sizeof(*u));
	u->letter.run = run_undo;
	u->tx = t;
	host_pin(db);
	loop_post(t->hw->loop, &u->letter);
	host_exit(db);
	host_unpin(&db);
}

/* ---- savepoints -------------------------------------------------------- */

static int
control(struct lunate_tx *tx, const char *verb, bool (*ended)(struct ask *a),
	struct lunate_error *e)
{
	char sql[64];
	struct err why;
	struct ask *a;

	if (host_enter(tx->host, &why) < 0)
		return error_fill(e, &why);
	snprintf(sql, sizeof(sql), "%s lunate_%d", verb, tx->depth);
	a = ask_control(tx, sql);
	a->ended = ended;
	return ask_wait(a, NULL, e);
}

int
lunate_savepoint(struct lunate_tx *tx, struct lunate_error *e)
{
	int rc;

	OBJ_CHECK(tx, HOST_TX_MAGIC);
	tx->depth++;
	rc = control(tx, "SAVEPOINT", NULL, e);
	if (rc < 0)
		tx->depth--;
	return rc;
}

static bool
recovered(struct ask *a)
{
	if (a->q.err.code == 0)
		tx_recovered(host_tx_inner(a->tx));
	return true;
}

static int
no_savepoint(struct lunate_error *e)
{
	return error_say(e, LUNATE_EINVAL,
			 "the transaction has no savepoint left; "
			 "lunate_savepoint() makes one");
}

int
lunate_rollback_to(struct lunate_tx *tx, struct lunate_error *e)
{
	int rc;

	OBJ_CHECK(tx, HOST_TX_MAGIC);
	if (tx->depth == 0)
		return no_savepoint(e);
	rc = control(tx, "ROLLBACK TO SAVEPOINT", recovered, e);
	if (rc == 0)
		tx->depth--;
	return rc;
}

int
lunate_release(struct lunate_tx *tx, struct lunate_error *e)
{
	int rc;

	OBJ_CHECK(tx, HOST_TX_MAGIC);
	if (tx->depth == 0)
		return no_savepoint(e);
	rc = control(tx, "RELEASE SAVEPOINT", NULL, e);
	if (rc == 0)
		tx->depth--;
	return rc;
}

/* ---- all of it --------------------------------------------------------- */

static int
attempt(struct lunate *db, const struct lunate_tx_options *o,
	const struct lunate_work *work, struct lunate_error *e)
{
	struct lunate_tx *tx;
	int rc = lunate_begin(db, o, &tx, e);

	if (rc < 0)
		return rc;
	rc = work->fn(tx, work->arg, e);
	if (rc == 0)
		return lunate_commit(&tx, e);
	lunate_rollback(&tx);
	return rc < 0 ? rc
		      : error_say(e, LUNATE_EINVAL,
				  "the function of a transaction gives 0 or a "
				  "negative code");
}

/* Full jitter over 20 ms, doubled at each attempt; threads differ by where
 * their stacks lie. */
static void
nap(int attempts)
{
	uint64_t top = 20000000ull << (attempts < 6 ? attempts : 6);
	uint64_t mixed = (uint64_t)loop_clock_us() ^ (uint64_t)(uintptr_t)&top;
	struct timespec t;

	mixed = (mixed * 0x9e3779b97f4a7c15ull >> 16) % top;
	t.tv_sec = (time_t)(mixed / 1000000000u);
	t.tv_nsec = (long)(mixed % 1000000000u);
	nanosleep(&t, NULL);
}

int
lunate_transaction(struct lunate *db, const struct lunate_tx_options *given,
		   const struct lunate_work *work, struct lunate_error *e)
{
	struct lunate_tx_options o;
	struct lunate_error own;
	struct err why;
	int rc;

	if (e == NULL)
		e = &own;
	if (host_here() != NULL || work == NULL || work->fn == NULL)
		return error_say(e, LUNATE_EINVAL,
				 work == NULL || work->fn == NULL
					 ? "a transaction needs a function"
					 : "a transaction waits, and was asked "
					   "for on a worker's thread");
	if (read_options(given, &o, &why) < 0)
		return error_fill(e, &why);
	for (int i = 0;; i++) {
		rc = attempt(db, &o, work, e);
		if (rc != LUNATE_ECONFLICT || i >= o.retries)
			return rc;
		nap(i);
	}
}
