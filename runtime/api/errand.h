/* SPDX-License-Identifier: MIT
 *
 * errand - one thing that a host asked of a worker, from the host's thread to
 * the worker and back to whoever waits for the answer.
 *
 *            errand_send            run()            errand_end
 *   (host) ------------> (letter) -------> UNDER WAY ----------+
 *                                                              |
 *     errand_wait() returns      <--- waiter <-----------------+
 *     done() on the host         <--- port   <-----------------+
 *     done() on the worker       <-----------------------------+
 *
 * Always true: run() and cancel() are called on the worker's thread;
 *              errand_end() is called exactly once, also when the worker ends;
 *              an errand is in its worker's list while it is UNDER WAY.
 * Memory: embedded first in what its owner allocates; drop() frees that.  An
 *         errand that is waited for is dropped by the waiter, any other after
 *         its done().
 * Thread: the host's until sent, then the worker's until it has ended.
 */
#ifndef ERRAND_H
#define ERRAND_H

#include <semaphore.h>

#include "list.h"
#include "loop.h"
#include "port.h"
#include "public.h"

struct host_worker;

struct errand {
	unsigned magic;
#define ERRAND_MAGIC 0xe44a4d01
	struct loop_letter letter; /* to the worker */
	struct port_item back;	   /* to the port */
	struct list link;	   /* in hw->errands */
	struct host_worker *hw;
	void (*run)(struct errand *q);
	/* Ask it to end with this code; errand_end() follows.  NULL: it does
	 * not wait for anything outside. */
	void (*cancel)(struct errand *q, enum err_code code);
	void (*drop)(struct errand *q);

	struct lunate_rows *rows; /* the answer's owner takes it */

	/* who is told */
	sem_t *waiter; /* or NULL: done */
	lunate_done *done;
	void *arg;
	struct lunate_port *port; /* or NULL: on the worker */
	uint64_t ticket;

	struct err err; /* code 0 = success; only its head is cleared */
};

/* Whatever its memory held.  Set by the owner: run, cancel, drop. */
void errand_init(struct errand *q, struct host_worker *hw);

/* Where done() will be called.  LUNATE_EINVAL: it cannot be. */
MUST_USE
int errand_then(struct errand *q, const struct lunate_then *then,
		struct err *e);

/* Each of these three ends the caller's host_enter().
 *
 * To the worker.  An errand whose run() never ends it before returning may
 * skip the letter when it is sent from the worker's own thread. */
void errand_send(struct errand *q);
void errand_send_direct(struct errand *q);

/* Sends it and waits.  Gives its code; its rows, err and memory are then the
 * caller's (drop() is not called).  LUNATE_EINVAL on a worker's thread: the
 * errand was not sent. */
MUST_USE
int errand_wait(struct errand *q);

/* On the worker: it is over, err and rows say how. */
void errand_end(struct errand *q);

/* Calls done() and drops it; for the port. */
void errand_deliver(struct errand *q);

/* Fills what the host sees; `e` may be NULL.  Gives from->code. */
int error_fill(struct lunate_error *e, const struct err *from);

/* The same with a constant text.  Gives `code`. */
int error_say(struct lunate_error *e, enum err_code code, const char *text);

#endif
