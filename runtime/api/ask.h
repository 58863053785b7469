/* SPDX-License-Identifier: MIT
 *
 * ask - one statement that a host asked for: an errand around an operation.
 *
 * Always true: what the operation reads (text, values, context) is in the
 *              arena, pinned, or of a caller who waits for the answer.
 * Memory: freed by its drop(), or by ask_free() of who waited for it.
 * Thread: made on the host's, run on the worker's.
 */
#ifndef ASK_H
#define ASK_H

#include "errand.h"
#include "mem.h"
#include "op.h"

struct lunate_tx;

struct ask {
	struct errand q;
	struct op op;
	struct lunate_tx *tx; /* pinned, or NULL */
	struct arena arena;
	/* On the worker, when the operation has ended and before the errand
	 * does; or NULL.  false: it has begun something else, the errand
	 * goes on. */
	bool (*ended)(struct ask *a);
	char first[512] __attribute__((aligned(16)));
};

/* What a call says, for a worker.  `copy`: its texts do not live until the
 * answer.  NULL: the call is wrong, *e says why. */
MUST_USE
struct ask *ask_new(struct host_worker *hw, const struct lunate_call *call,
		    bool copy, struct err *e);

/* A statement of our own inside tx; `sql` is a constant, or in the arena. */
struct ask *ask_control(struct lunate_tx *tx, const char *sql);
void ask_free(struct ask *a);

/* Sends it and waits; takes it.  *rows may be NULL: they are dropped. */
MUST_USE
int ask_wait(struct ask *a, struct lunate_rows **rows, struct lunate_error *e);

/* ---- what other calls of a host share ---------------------------------- */

/* A host's call as this version knows it, with a text and values that can be
 * sent. */
MUST_USE
int ask_take(const struct lunate_call *given, struct lunate_call *call,
	     struct err *e);

/* The text of a prepared statement. */
const char *ask_text(const struct lunate_statement *s, size_t *len);

/* By the clock of the loops; 0 = never. */
int64_t ask_deadline(double seconds);

#endif
