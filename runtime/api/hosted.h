/* SPDX-License-Identifier: MIT
 *
 * hosted - the LuaJIT of a host's worker: scripts, and calls of their
 * functions.
 *
 * It is made with the first script.  In it lunate.open() without options is
 * the runtime of the host; each call is a task (lua/lunate/hosted.lua), so
 * calls wait side by side.
 *
 *   errand --run--> task of the VM --core.hosted_done/_fail--> errand_end
 *
 * Memory: the VM belongs to the worker.  Thread: the worker's.
 */
#ifndef HOSTED_H
#define HOSTED_H

#include <lua.h>

struct host_worker;

/* Ends the VM; calls that ran in it are left to errand_end() by the caller. */
void hosted_end(struct host_worker *hw);

/* core.hosted_done, core.hosted_fail */
void lua_hosted_open(lua_State *L);

#endif
