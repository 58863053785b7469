/* SPDX-License-Identifier: MIT
 *
 * host_tx - a transaction that a host holds.
 *
 *   (begun) --first letter--> ATTACHED to its worker --commit, rollback, or
 *   the worker's end--> DETACHED; freed with the last of its operations
 *
 * Always true: `tx` is touched by the worker's thread only, but for its birth;
 *              an ATTACHED one is in the worker's list of what is held.
 * Memory: counted: the host's handle and each operation in it; pins the
 *         runtime's handle.
 */
#ifndef HOST_TX_H
#define HOST_TX_H

#include "public.h"
#include "tx.h"

struct host_worker;

struct lunate_tx *host_tx_pin(struct lunate_tx *t);
void host_tx_unpin(struct lunate_tx **pt);

struct host_worker *host_tx_worker(const struct lunate_tx *t);
const struct lunate_context *host_tx_context(const struct lunate_tx *t);
struct tx *host_tx_inner(struct lunate_tx *t);

/* On the worker: with the first thing that is done in it. */
void host_tx_attach(struct lunate_tx *t);

/* On the worker: nothing more is done in it; what was not committed is rolled
 * back.  Harmless when it is. */
void host_tx_detach(struct lunate_tx *t);

/* A session or transaction of our own for something long; `site` is a
 * constant.  The caller owns the reference. */
struct lunate_tx *host_tx_new(struct host_worker *hw,
			      const struct tx_options *o,
			      const struct lunate_context *context,
			      struct err *e);

#endif
