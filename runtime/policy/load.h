/* SPDX-License-Identifier: MIT
 *
 * load - from the texts of a policy folder to one generation of rules.
 *
 *   texts --read each file--> declarations --build--> rules --its tests--> out
 *              (a VM of its own, capped, watched)
 *
 * Are there functions in force, then the rules keep that VM and as many more as
 * are asked for, each of which has read the same texts; one that reads them
 * otherwise refuses them.
 *
 * All or nothing: an error anywhere gives no rules, and names file, line and
 * what to do.  A file whose feature is to come is checked all the same;
 * rules->not_yet names it.  A guard that nothing would enforce is refused.
 *
 * Memory: the rules own all they are made of, and pin the texts.
 * Thread: any; it computes for some milliseconds, so not that of a loop.
 */
#ifndef LOAD_H
#define LOAD_H

#include "err.h"
#include "rules.h"

struct decl;
struct texts;
struct watchdog;

struct load_ask {
	struct texts *texts;
	const char *schema;	  /* of tables named without; NULL: "public" */
	const struct rules *base; /* what no file says is as here */
	struct watchdog *watchdog;
	unsigned workers; /* VMs for functions; 0 is 1 */

	/* NULL, or told of each test: e->code is 0 when it passed.  Then a test
	 * that fails does not end the loading, only its result. */
	void (*tested)(void *arg, const struct decl *test, const struct err *e);
	void *arg;
};

/* LUNATE_ECONFIG; LUNATE_ERESOURCE when no VM could be made. */
MUST_USE
int load_rules(const struct load_ask *ask, struct rules **out, struct err *e);

/* VMs for workers that came since then; r->hooks is there.  One thread at a
 * time.  As load_rules(). */
MUST_USE
int load_more(struct rules *r, const struct load_ask *ask, struct err *e);

#endif
