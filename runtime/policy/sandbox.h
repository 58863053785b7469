/* SPDX-License-Identifier: MIT
 *
 * sandbox - the policy VM: a small Lua in which an operator's files run.
 *
 *   new --sandbox_run (each file)--> filled --sandbox_seal--> sealed --free
 *
 * It is built, not filtered: base, string, table and math are opened and of
 * those only names on a list stay.  No io, os, ffi, debug, package, jit; no
 * load, loadstring, dofile, require, getfenv, setfenv, newproxy,
 * collectgarbage, print, raw*, getmetatable on strings.  The compiler of
 * machine code is off: only interpreted code can be stopped.  string.rep,
 * format, find, match, gmatch and gsub are bounded in output and in steps,
 * because nothing stops a C function.  Text chunks only, never bytecode.
 *
 * Memory has a cap (its own allocator); time has a limit for each call: while
 * one runs, the watchdog knows, and when it is overdue arms a hook that raises
 * at every instruction until the C caller is back (sticky: pcall, coroutines
 * and metamethods do not escape it).
 *
 * Not a jail for hostile authors: it holds mistakes and keeps what is outside
 * unchanged.
 *
 * Memory: owns its Lua state.
 * Thread: one at a time; the watchdog is the only other, under its own rules.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <stddef.h>
#include <stdint.h>

#include <lua.h>

#include "err.h"

struct sandbox;
struct watchdog;

struct sandbox_opts {
	size_t max_bytes;	   /* of the whole VM; 0: 4 MiB */
	int64_t limit_us;	   /* of one call; 0: 5000 */
	struct watchdog *watchdog; /* borrowed; NULL: no limit of time */
};

MUST_USE
int sandbox_new(struct sandbox **out, const struct sandbox_opts *opts,
		struct err *e);

/* The state, to register constructors and to read values; not to be kept. */
lua_State *sandbox_lua(struct sandbox *s);

/* Runs a file's text in an environment that is the table on top of the stack
 * (popped); what it leaves behind is in that table.  `name` is what errors
 * call it: "policies/isolation.lua".  Errors: LUNATE_ESYNTAX, LUNATE_ETOOBIG
 * (memory, or a bound of a string function), LUNATE_EDEADLINE, LUNATE_EQUERY
 * (it raised), each "name:line: text"; the VM stays usable but for ETOOBIG. */
MUST_USE
int sandbox_run(struct sandbox *s, const char *name, const char *text,
		size_t len, struct err *e);

/* As lua_pcall on what is on the stack, under both limits. */
MUST_USE
int sandbox_call(struct sandbox *s, int nargs, int nresults, struct err *e);

/* From here on no global and no table that a file can reach may be changed by
 * it: writes to globals, to libraries and to the string metatable raise. */
void sandbox_seal(struct sandbox *s);

size_t sandbox_bytes(const struct sandbox *s); /* in use now */

void sandbox_free(struct sandbox **ps);

#endif
