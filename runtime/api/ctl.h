/* SPDX-License-Identifier: MIT
 *
 * ctl - what other lunate commands may ask a running runtime.
 *
 * A unix socket, STATE_DIR/run/PID-N.sock, one JSON object per line in each
 * direction:
 *
 *   {"command":"log_level","arg":"debug","id":7}
 *   {"id":7,"ok":true,"result":{"log_level":"debug"}}
 *   {"id":7,"ok":false,"error":{"code":"invalid","message":"..."}}
 *
 * The socket is made CTL_AFTER_US after the runtime was opened, from the loop:
 * a script that is over sooner leaves no trace.  When it cannot be made that
 * is a warning in the log, never an error.  It is served between the script's
 * own turns: a script that computes without waiting answers when it waits.
 *
 * Memory: owned by the database handle.  Thread: that of the worker.
 */
#ifndef CTL_H
#define CTL_H

#include "err.h"
#include "obj.h"
#include "str.h"

#define CTL_AFTER_US 1000000

/* X(name, argument, help) */
/* clang-format off */
#define CTL_COMMANDS(X) \
	X(help, "", "the commands") \
	X(ping, "", "is it alive") \
	X(version, "", "of lunate, LuaJIT aside") \
	X(status, "", "who it is, what it does, how it is") \
	X(config, "", "its options, and where each comes from") \
	X(pool, "", "connections, and who holds them") \
	X(health, "", "asks the server, as db:health() does") \
	X(metrics, "", "all figures, with unit and meaning") \
	X(policy, "[reload|use N|accept N|diff X|shadow X]", "rules in force; lunate policy is its command") \
	X(log_level, "[debug|info|warn|error]", "shows or changes what is logged")

/* clang-format on */
struct ctl;
struct worker;

struct ctl *ctl_new(struct worker *w);

/* Where it listens, or NULL while it does not. */
const char *ctl_path(const struct ctl *c);
void ctl_free(struct ctl **pc);

/* The folder of the sockets of a state directory; "" when that is unknown. */
void ctl_folder(struct str *out, const char *state_dir);

#endif
