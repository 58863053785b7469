/* SPDX-License-Identifier: MIT
 *
 * params - Lua values as parameters of a statement.
 *
 * nil, lunate.null   NULL          boolean   t, f
 * number             exact text    int64     decimal text
 * string             its bytes (no zero byte)
 * {1, 2, 3}          an array literal       {a = 1}   JSON
 * lunate.array / json / bytea                as they say
 *
 * Memory: everything is copied into the arena.  Thread: that of the VM.
 */
#ifndef PARAMS_H
#define PARAMS_H

#include <lua.h>

#include "err.h"
#include "mem.h"
#include "pgreq.h"

struct params {
	struct arena *arena; /* set by the caller */
	struct pgval *vals;
	int n;
};

/* The values from stack index `first` to the top.  LUNATE_EPARAM names the
 * parameter and what to do, never its value.  LUNATE_ENOMEM. */
MUST_USE
int params_take(lua_State *L, int first, struct params *p, struct err *e);

/* core.set_json(encode, decode) */
int params_set_json(lua_State *L);

/* Pushes encode or decode. */
void params_push_json(lua_State *L, int decode);

#endif
