/* SPDX-License-Identifier: MIT
 *
 * sandbox - the policy VM: a small Lua in which an operator's files run.
 *
 * It is built, not filtered: base, string, table and math are opened and of
 * those only names on a list stay.  No io, os, ffi, debug, package, jit,
 * coroutine; no load, loadstring, dofile, require, getfenv, setfenv, newproxy,
 * collectgarbage, print, raw*, setmetatable, getmetatable.  The compiler of
 * machine code is off: only interpreted code can be stopped.  String functions
 * are bounded (sandbox_strings.h), because nothing stops a C function.  Text
 * chunks only, never bytecode.
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
	struct watchdog *watchdog; /* kept; NULL: no limit of time */
};

MUST_USE
int sandbox_new(struct sandbox **out, const struct sandbox_opts *opts,
		struct err *e);

/* The state, to register constructors and to read values; not to be kept. */
lua_State *sandbox_lua(struct sandbox *s);

struct sandbox_file {
	const char *name;
	const char *text;
	size_t len;
};

/* Runs a file's text in an environment that is the table on top of the stack
 * (popped); what it leaves behind is in that table.  `name` is what errors
 * call it: "policies/isolation.lua".  Errors: LUNATE_ESYNTAX, LUNATE_ETOOBIG
 * (memory, or a bound of a string function), LUNATE_EDEADLINE, LUNATE_EQUERY
 * (it raised), each "name:line: text"; the VM stays usable but for ETOOBIG. */
MUST_USE
int sandbox_run(struct sandbox *s, const struct sandbox_file *f, struct err *e);

/* The limit of the calls to come. */
void sandbox_limit(struct sandbox *s, int64_t limit_us);

/* As lua_pcall on what is on the stack, under both limits. */
MUST_USE
int sandbox_call(struct sandbox *s, int nargs, int nresults, struct err *e);

/* Pushes a fresh environment: copies of what a policy may use, so that what one
 * file changes no other file sees.  LUNATE_ETOOBIG. */
MUST_USE
int sandbox_environment(struct sandbox *s, struct err *e);

size_t sandbox_bytes(const struct sandbox *s); /* in use now */

void sandbox_free(struct sandbox **ps);

#endif
