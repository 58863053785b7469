/* SPDX-License-Identifier: MIT
 *
 * sandbox_strings - string functions that end.
 *
 * Nothing stops a C function, so each is bounded: what rep and format make has
 * at most STRINGS_MOST bytes, and a pattern gives up after STRINGS_STEPS steps
 * (Lua's own matcher can take hours over 30 characters).  Beyond a bound they
 * raise.  Patterns mean what they mean in Lua 5.1; gsub and gmatch are not
 * offered.
 *
 * Thread: that of the Lua state.
 */
#ifndef SANDBOX_STRINGS_H
#define SANDBOX_STRINGS_H

#include <lua.h>

#define STRINGS_MOST (256u << 10)
#define STRINGS_STEPS 100000

/* Puts rep, format, find and match into the table on top of the stack. */
void sandbox_strings_add(lua_State *L);

#endif
