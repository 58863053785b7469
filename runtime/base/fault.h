/* SPDX-License-Identifier: MIT
 *
 * fault - places where a test makes the outside fail.
 *
 *	if (FAULT_POINT("pgconn.read"))
 *		n = -1, errno = ECONNRESET;
 *
 * A point is always compiled in and costs one relaxed load while nothing is
 * armed.  Points are named by what fails; arming a name that no point has does
 * nothing, so a test asks fault_visits() afterwards.
 *
 * Text form (a live test hands it to core.fault, api/lua_admin.c):
 *
 *	name=RULE[,name=RULE...]
 *	RULE: always | nth:N | chance:P[:SEED]      N >= 1, 0 <= P <= 1
 *
 * "nth" fails the nth visit after arming, once.  "chance" draws from its own
 * seeded generator: the same seed gives the same run of answers.
 *
 * Always true: fault_armed is the number of names in the table.
 * Memory: a fixed table of FAULT_MOST names, one per process.
 * Thread: any; the table has a lock, which only armed points take.
 */
#ifndef FAULT_H
#define FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

#define FAULT_MOST 32
#define FAULT_NAME 48

enum fault_kind { FAULT_ALWAYS, FAULT_NTH, FAULT_CHANCE };

struct fault_rule {
	enum fault_kind kind;
	uint64_t nth;  /* FAULT_NTH */
	double chance; /* FAULT_CHANCE */
	uint64_t seed; /* FAULT_CHANCE */
};

extern unsigned fault_armed; /* atomic; private to FAULT_POINT */

/* True: the place has to act as if the outside had failed. */
#define FAULT_POINT(name)                                                    \
	(__builtin_expect(                                                   \
		 __atomic_load_n(&fault_armed, __ATOMIC_RELAXED) != 0, 0) && \
	 fault_visit(name))

/* Arms one name; a rule that is there is replaced and its counts begin
 * again.  LUNATE_EINVAL: empty or long name, bad rule; LUNATE_ETOOBIG: table
 * full. */
MUST_USE
int fault_arm(const char *name, struct fault_rule rule, struct err *e);

/* Arms what the text says, all of it or nothing. */
MUST_USE
int fault_arm_text(const char *text, struct err *e);

/* Only through FAULT_POINT. */
bool fault_visit(const char *name);

/* Since the name was armed; 0 when it is not. */
uint64_t fault_visits(const char *name);
uint64_t fault_failures(const char *name);

/* Disarms one name, or all. */
void fault_disarm(const char *name);
void fault_clear(void);

#endif
