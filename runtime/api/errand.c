/* SPDX-License-Identifier: MIT */
#include "errand.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "host.h"
#include "mem.h"
#include "port.h"
#include "sized.h"

int
error_fill(struct lunate_error *e, const struct err *from)
{
	if (e == NULL)
		return from->code;
	memset(e, 0, sizeof(*e));
	e->code = from->code;
	e->retryable = err_retryable(from->code);
	snprintf(e->sqlstate, sizeof(e->sqlstate), "%s", from->sqlstate);
	snprintf(e->constraint, sizeof(e->constraint), "%s", from->constraint);
	snprintf(e->text, sizeof(e->text), "%s", from->text);
	return from->code;
}

int
error_say(struct lunate_error *e, enum err_code code, const char *text)
{
	struct err from;

	err_set(&from, code, "%s", text);
	return error_fill(e, &from);
}

static void
run_letter(struct loop_letter *letter)
{
	struct errand *q = CONTAINER_OF(letter, struct errand, letter);

	OBJ_CHECK(q, ERRAND_MAGIC);
	list_push_back(&q->hw->errands, &q->link);
	q->run(q);
}

void
errand_init(struct errand *q, struct host_worker *hw)
{
	memset(q, 0, offsetof(struct errand, err));
	err_clear(&q->err);
	OBJ_INIT(q, ERRAND_MAGIC);
	list_init(&q->link);
	q->letter.run = run_letter;
	q->hw = hw;
}

int
errand_then(struct errand *q, const struct lunate_then *given, struct err *e)
{
	struct lunate_then then;
	const struct sized s = {
		&then, sizeof(then), given,
		"struct lunate_then; begin with lunate_then_of()"};

	if (sized_take(&s, e) < 0)
		return e->code;
	if (then.done == NULL)
		return err_set(e, LUNATE_EINVAL,
			       "a call that does not wait needs a done()");
	q->done = then.done;
	q->arg = then.arg;
	q->port = then.port;
	q->ticket = host_ticket(q->hw);
	if (then.ticket != NULL)
		*then.ticket = q->ticket;
	if (q->port != NULL)
		port_expect(q->port);
	return 0;
}

void
errand_send(struct errand *q)
{
	struct lunate *host = q->hw->host;

	OBJ_CHECK(q, ERRAND_MAGIC);
	loop_post(q->hw->loop, &q->letter);
	host_exit(host);
}

void
errand_send_direct(struct errand *q)
{
	struct lunate *host = q->hw->host;

	if (host_here() != q->hw) {
		errand_send(q);
		return;
	}
	run_letter(&q->letter);
	host_exit(host);
}

int
errand_wait(struct errand *q)
{
	sem_t waiter;

	OBJ_CHECK(q, ERRAND_MAGIC);
	if (host_here() != NULL) {
		host_exit(q->hw->host);
		return err_set(&q->err, LUNATE_EINVAL,
			       "a call that waits was made on a worker's "
			       "thread, which would wait for itself; use its "
			       "_async form, or a port");
	}
	sem_init(&waiter, 0, 0);
	q->waiter = &waiter;
	errand_send(q);
	while (sem_wait(&waiter) < 0 && errno == EINTR)
		;
	sem_destroy(&waiter);
	return q->err.code;
}

void
errand_deliver(struct errand *q)
{
	struct lunate_rows *rows = q->rows;
	struct lunate_error e;

	OBJ_CHECK(q, ERRAND_MAGIC);
	q->rows = NULL;
	if (q->err.code == 0) {
		q->done(q->arg, rows, NULL);
	} else {
		error_fill(&e, &q->err);
		q->done(q->arg, NULL, &e);
	}
	q->drop(q);
}

void
errand_end(struct errand *q)
{
	OBJ_CHECK(q, ERRAND_MAGIC);
	list_remove(&q->link);
	if (q->waiter != NULL)
		sem_post(q->waiter);
	else if (q->port != NULL)
		port_put(q->port, q);
	else
		errand_deliver(q);
}

/* ---- cancelling -------------------------------------------------------- */

struct stop {
	struct loop_letter letter;
	struct host_worker *hw;
	uint64_t ticket;
};

static void
run_stop(struct loop_letter *letter)
{
	struct stop *s = CONTAINER_OF(letter, struct stop, letter);

	LIST_EACH_SAFE (link, &s->hw->errands) {
		struct errand *q = LIST_ENTRY(link, struct errand, link);

		if (q->ticket != s->ticket)
			continue;
		if (q->cancel != NULL)
			q->cancel(q, LUNATE_ECANCELLED);
		break;
	}
	mem_free(s);
}

void
lunate_cancel(struct lunate *db, uint64_t ticket)
{
	struct err why;
	struct stop *s;
	size_t index = ticket & 0xff;

	if (host_enter(db, &why) < 0)
		return;
	if (ticket != 0 && index < (size_t)db->nworkers) {
		s = mem_new(sizeof(*s));
		s->letter.run = run_stop;
		s->hw = &db->workers[index];
		s->ticket = ticket;
		loop_post(s->hw->loop, &s->letter);
	}
	host_exit(db);
}
