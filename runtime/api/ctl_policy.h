/* SPDX-License-Identifier: MIT
 *
 * ctl_policy - the control socket's command "policy".
 *
 *	policy            what is in force, which tables the database closes by
 *	                  what it holds, and what came before
 *	policy reload     reads the folder now
 *	policy use N      the texts of generation N again, until the next save
 *	policy accept N   what is held, as number N, is in force
 *	policy diff [X]   which recorded decisions the rules of folder or
 *	                  generation X would change; without X those on disk
 *	policy shadow X   decides beside those in force
 *	policy shadow     what came of that
 *	policy shadow off
 *
 * Loading takes milliseconds, so it is a job of the crew; the answer goes to
 * the peer when it is still there.
 *
 * Memory: a list of what is under way, owned by the ctl.
 * Thread: that of the ctl's worker.
 */
#ifndef CTL_POLICY_H
#define CTL_POLICY_H

#include <jansson.h>
#include <stdint.h>

#include "err.h"
#include "list.h"

struct loop;
struct runtime;

struct ctl_policy_ask {
	uint64_t peer;
	json_t *id; /* borrowed, or NULL */
	const char *arg;
};

/* What is under way. */
struct ctl_policy {
	struct runtime *rt;
	struct loop *loop;
	struct list jobs;
	void *arg;

	/* Takes the result (NULL: *e tells). */
	void (*answer)(void *arg, const struct ctl_policy_ask *ask,
		       json_t *result, const struct err *e);
};

/* The answer is given inside this call, or later. */
void ctl_policy_ask(struct ctl_policy *c, const struct ctl_policy_ask *ask);

/* Nothing is answered from here on. */
void ctl_policy_end(struct ctl_policy *c);

#endif
