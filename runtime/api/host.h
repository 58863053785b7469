/* SPDX-License-Identifier: MIT
 *
 * host - a runtime as a C host holds it: threads, and what is asked of them.
 *
 *   OPEN --lunate_close--> DRAINING --quiet, or too late--> CLOSED
 *
 * OPEN      everything goes
 * DRAINING  the workers refuse what is new and finish what is under way
 * CLOSED    host_enter() refuses; the workers end what is left and their
 *           threads; what the host still holds can only be freed
 *
 * Always true: a worker's fields belong to its thread, but for its loop's
 *              letterbox, `queued` of its worker and `tickets`;
 *              between host_enter() and host_exit() the workers' loops exist,
 *              so that a letter can be posted.
 * Memory: counted: the host's own handle, and one for each thing it holds
 *         (transaction, stream, script, listener).
 * Thread: as above; state, refs, users and tickets are atomic.
 */
#ifndef HOST_H
#define HOST_H

#include <lua.h>
#include <pthread.h>

#include "errand.h"
#include "runtime.h"
#include "spare.h"

struct ctl;
struct vm;

#define HOST_WORKERS_MAX 256

/* Something of a host that lives in a worker: a transaction, a stream.  In
 * the worker's list from the first letter to the last. */
struct held {
	struct list link;
	/* The worker ends: give back what is its.  On its thread, twice. */
	void (*stop)(struct held *h);	/* while connections are there */
	void (*forget)(struct held *h); /* when they are gone */
	bool passive;			/* closing does not wait for it */
};

struct host_worker {
	struct lunate *host;
	int index;
	pthread_t thread;
	bool started;
	struct loop *loop;
	struct worker *w;    /* NULL: ended */
	struct list errands; /* under way */
	struct list held;
	struct ctl *ctl; /* of the first worker; or NULL */
	lua_State *L;	 /* of its scripts, or NULL before the first */
	struct vm *vm;
	uint64_t tickets;  /* atomic: given out so far */
	struct spare asks; /* made and freed on its own thread */
};

enum host_state { HOST_OPEN, HOST_DRAINING, HOST_CLOSED };

struct lunate {
	unsigned magic;
#define HOST_MAGIC 0x1004a7e5
	struct runtime *rt;
	struct host_worker *workers;
	int nworkers;
	enum host_state state; /* atomic */
	int refs;	       /* atomic */
	int users;	       /* atomic: inside a call that may post */
	void (*log)(void *arg, int level, const char *line, size_t len);
	void *log_arg;
};

/* May a call be made?  Then host_exit() follows, after its letter is posted.
 * LUNATE_ECLOSED, LUNATE_EFORK. */
MUST_USE
int host_enter(struct lunate *db, struct err *e);
void host_exit(struct lunate *db);

/* The worker with the shortest queue. */
struct host_worker *host_choose(struct lunate *db);

/* The worker whose thread this is, or NULL. */
struct host_worker *host_here(void);

uint64_t host_ticket(struct host_worker *hw);

/* One more thing that the host holds, and one less. */
struct lunate *host_pin(struct lunate *db);
void host_unpin(struct lunate **pdb);

#endif
