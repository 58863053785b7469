/* SPDX-License-Identifier: MIT
 *
 * module - the Lua module's entry points.
 *
 * Memory: what they make ends with the lua_State.  Thread: that of the state.
 */
#ifndef MODULE_H
#define MODULE_H

#include <lua.h>

__attribute__((visibility("default"))) int luaopen_lunate(lua_State *L);
__attribute__((visibility("default"))) int luaopen_lunate_core(lua_State *L);

struct loop;
struct vm;

/* The VM of a state on a loop that is borrowed; before module_preload(), and
 * only once.  It ends with the state. */
struct vm *module_vm(lua_State *L, struct loop *loop);

/* For a VM of our own: makes and requires "lunate". */
void module_preload(lua_State *L);

#endif
