/* SPDX-License-Identifier: MIT
 *
 * watchdog - one thread that stops policy code which runs too long.
 *
 * A call that is watched writes when it is due into a slot of its own; the
 * thread looks at all slots about every millisecond while any is in use and
 * sleeps when none is.  What is overdue, and has had WATCHDOG_USED_US of a
 * processor since it was seen first (a machine that is busy may take it away
 * for longer than a call may take), gets a hook on its Lua state that raises at
 * every instruction.  The caller disarms when it is back: a lock of the slot
 * decides races between the end of a call and its being overdue, so a hook
 * never stays armed for the next call.
 *
 * A call that is in time costs two uncontended atomics and no system call.
 *
 * Memory: slots are embedded in their owners; each keeps the watchdog.
 * Thread: begin and end on the thread that runs the Lua state.
 */
#ifndef WATCHDOG_H
#define WATCHDOG_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <lua.h>

#include "err.h"
#include "list.h"

#define WATCHDOG_USED_US 1000

struct watchdog;

struct watchdog_slot {
	struct list link; /* under the watchdog's lock */
	lua_State *L;
	int64_t due_us;	      /* atomic; 0: nothing runs */
	pthread_t thread;     /* that it runs on */
	int64_t seen_us;      /* the due_us that used_us belongs to; of the
			  * watchdog's thread alone, as is: */
	int64_t used_us;      /* processor time when that call was seen first */
	pthread_mutex_t lock; /* of armed */
	bool armed;
};

MUST_USE
int watchdog_new(struct watchdog **out, struct err *e);

void watchdog_add(struct watchdog *d, struct watchdog_slot *s, lua_State *L);
void watchdog_remove(struct watchdog *d, struct watchdog_slot *s);

void watchdog_begin(struct watchdog *d, struct watchdog_slot *s,
		    int64_t limit_us);

/* Was it stopped?  Afterwards no hook is armed. */
bool watchdog_end(struct watchdog *d, struct watchdog_slot *s);

/* It ends with its last slot. */
void watchdog_free(struct watchdog **pd);

#endif
