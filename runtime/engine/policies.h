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
 * With `confirm` a change of guard files that may allow more than the rules in
 * force (policy/widen.h, or a recorded decision that was refused) is held: the
 * old rules stay until it is accepted, or the folder says something else.  A
 * start takes the folder as it is, and policies_use() is itself a decision of
 * whoever runs it.
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

struct decided;
struct policies;
struct shadow;

struct policies_opts {
	const char *folder; /* copied */
	const char *schema; /* of tables named without; NULL: "public" */
	int64_t max_stale_ms;
	bool sealed;		    /* there is a key that seals contexts */
	int workers;		    /* VMs for functions; 0 is 1 */
	bool confirm;		    /* what may allow more is held */
	struct rules_source *rules; /* has its defaults; borrowed */
	struct log *log;	    /* these four borrowed */
	struct events *events;
	struct decided *decided; /* NULL: nothing is recorded */
	struct shadow *shadow;
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

/* What is held (policies_held.c) under that number is in force.  LUNATE_EINVAL:
 * nothing is, or something else. */
MUST_USE
int policies_accept(struct policies *p, uint64_t number, uint64_t *generation,
		    struct err *e);

/* The number of what is held; 0: nothing. */
uint64_t policies_held(struct policies *p);

/* Which recorded decisions (decided.h) other rules would change: those of a
 * folder, of a generation that is kept ("7"), or, NULL, of the own folder as it
 * is on disk.  *out: {decided, counts: {change: n}, changes: [{statement,
 * roles, tenants, change, depends, before: {gives, message}, after}]}; depends:
 * the rules in force decided otherwise then, by what is not recorded.
 * Milliseconds to a second.  LUNATE_EINVAL, or the error of what was named. */
MUST_USE
int policies_diff(struct policies *p, const char *what, json_t **out,
		  struct err *e);

/* The same rules as a shadow (shadow.h). */
MUST_USE
int policies_shadow(struct policies *p, const char *what, struct err *e);

/* From any thread: there are n workers now, and each wants a VM. */
void policies_workers(struct policies *p, int n);

/* From any thread: a function of a file (its place in vocab_files) failed in
 * that generation. */
void policies_failed(struct policies *p, uint64_t generation, unsigned file);

/* {folder, generation, hash, broken, broken_for, closed, not_yet: [file],
 *  held: {number, at, why} or null, history: [{generation, hash, at, why}]};
 * broken is null or the error's text. */
json_t *policies_json(struct policies *p);

/* For work on another thread that may last longer than whoever asked for it:
 * policies_close() waits for its end. */
struct policies *policies_pin(struct policies *p);
void policies_unpin(struct policies **pp);

void policies_close(struct policies **pp);

#endif
