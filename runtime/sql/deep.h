/* SPDX-License-Identifier: MIT
 *
 * deep - call a function that recurses, on a stack that is large enough.
 *
 * PostgreSQL's parser hands its tree over by recursion, and how deep is
 * decided by the text.  When what is left of the caller's stack would do, the
 * function simply runs; otherwise it runs on a thread of its own while the
 * caller waits.  A caller on a stack that is not its thread's (a coroutine of
 * the host) counts as having nothing left.
 *
 * Thread: any.  The thread made here has every signal blocked.
 */
#ifndef DEEP_H
#define DEEP_H

#include <stddef.h>

#include "err.h"

/* Runs fn(arg) with at least `need` bytes of stack.  LUNATE_ERESOURCE when a
 * thread was needed and could not be started; then fn was not called. */
MUST_USE
int deep_call(void (*fn)(void *), void *arg, size_t need, struct err *e);

#endif
