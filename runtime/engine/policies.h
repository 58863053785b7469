/* SPDX-License-Identifier: MIT
 *
 * policies - the rules of a folder, kept in force while it is edited.
 *
 *   folder --settled--> texts --load--> rules --publish--> current generation
 *                         |       |
 *                         |       +-- refused: the old ones stay, and it is
 *                         |           said why; after max_stale they are
 *                         |           closed (no statement touches a table)
 *                         +-- the last HISTORY of them are kept for use()
 *
 * A thread of its own watches, so that a busy loop delays no edit and no edit
 * delays a loop.  Publishing swaps one pointer: an operation under way keeps
 * its generation, the next one has the new one, on every worker at once.
 *
 * A file that is no guard and whose functions fail (policy/strikes.h) gives
 * way to the last text of it that did not, until it is saved again; what the
 * functions of a guard cannot decide is denied.
 *
 * Always true: what was published was loaded without an error or is closed;
 *              a folder that is back as it was publishes nothing.
 * Memory: pins the base rules; owns its thread.
 * Thread: any; loading is under one lock and takes milliseconds, so not on a
 *         loop.
 */
#ifndef POLICIES_H
#define POLICIES_H

#include <jansson.h>
#include <stdint.h>

#include "err.h"
#include "events.h"
#include "log.h"
#include "rules.h"

#define POLICIES_HISTORY 16

struct policies;

struct policies_opts {
	const char *folder; /* copied */
	const char *schema; /* of tables named without; NULL: "public" */
	int64_t max_stale_ms;
	bool sealed;		    /* there is a key that seals contexts */
	int workers;		    /* VMs for functions; 0 is 1 */
	struct rules_source *rules; /* has its defaults; borrowed */
	struct log *log;	    /* these two borrowed */
	struct events *events;
};

/* Does this version hold what the rules promise?  LUNATE_ECONFIG: what it does
 * not, and what to do. */
MUST_USE
int policies_holds(const struct rules *r, struct err *e);

/* Reads and publishes the folder, and watches it.  The error of a folder that
 * cannot be obeyed; LUNATE_ERESOURCE. */
MUST_USE
int policies_open(struct policies **out, const struct policies_opts *opts,
		  struct err *e);

/* The folder as it is now.  *generation is what is in force then; an error is
 * that of the folder, and the old rules hold. */
MUST_USE
int policies_reload(struct policies *p, uint64_t *generation, struct err *e);

/* The texts of an earlier generation as a new one, until the folder changes. */
MUST_USE
int policies_use(struct policies *p, uint64_t earlier, uint64_t *generation,
		 struct err *e);

/* From any thread: there are n workers now, and each wants a VM. */
void policies_workers(struct policies *p, int n);

/* From any thread: a function of a file (its place in vocab_files) failed in
 * that generation. */
void policies_failed(struct policies *p, uint64_t generation, unsigned file);

/* {folder, generation, hash, broken, broken_for, not_yet: [file], history:
 *  [{generation, hash, at, why}]}; broken is null or the error's text. */
json_t *policies_json(struct policies *p);

void policies_close(struct policies **pp);

#endif
