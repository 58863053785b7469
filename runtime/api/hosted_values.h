/* SPDX-License-Identifier: MIT
 *
 * hosted_values - values of a host as Lua values, and back as rows.
 *
 * Thread: that of the VM, but for hosted_copy().
 */
#ifndef HOSTED_VALUES_H
#define HOSTED_VALUES_H

#include <lua.h>

#include "mem.h"
#include "public.h"

#define HOSTED_VALUES_MAX 200

/* The values of a call, with their texts, in the arena.  NULL: *e says which
 * one is unfit.  Any thread. */
MUST_USE
struct lunate_value *hosted_copy(struct arena *arena,
				 const struct lunate_lua *call, struct err *e);

/* Pushes value number `n`; raises when it is no JSON. */
void hosted_push(lua_State *L, const struct lunate_value *v, int n);

/* One row of what stands on the stack from `first` to the top.  NULL: *e says
 * which value cannot leave Lua. */
MUST_USE
struct lunate_rows *hosted_rows(lua_State *L, int first, struct err *e);

#endif
