/* SPDX-License-Identifier: MIT
 *
 * verdict - functions of policy files, asked in the name of an operation.
 *
 * What fails is told: in the log, as an event, and to the policies, which put
 * a failing file's last good version back.  What follows from a failure is the
 * asker's: a guard denies, all else is as if nothing had been said.
 *
 * Memory: owns nothing.  Thread: that of the operation's worker.
 */
#ifndef VERDICT_H
#define VERDICT_H

#include "hook.h"
#include "op.h"

/* Fills worker and context of the question.  LUNATE_EQUERY, LUNATE_EDEADLINE,
 * LUNATE_ETOOBIG: it failed, and that is told. */
MUST_USE
int verdict_ask(struct op *op, struct hook_ask *ask, struct hook_answer *out,
		struct err *e);

/* How many further attempts its class gives it, of the function if one says.
 */
int verdict_retries(struct op *op);

#endif
