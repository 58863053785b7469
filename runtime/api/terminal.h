/* SPDX-License-Identifier: MIT
 *
 * terminal - what the command needs of the terminal: `lunate.terminal`.
 *
 * In the command only.  The library installs no signal handlers; here the
 * command is its own host, and from terminal_listen() on SIGINT is counted
 * instead of ending the process.  Whoever has to react compares the count with
 * what it was when he began, so that one Ctrl-C is nobody's loss:
 *
 *   signal handler -> count, a byte for the loop -> terminal.interrupt() wakes
 *                  -> hook in Lua code that computes and never waits
 *
 * Other signals only wake the loop, so that who waits for a key may look.
 *
 * Memory: one static struct; the command has one terminal.
 * Thread: the main one.
 */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <lua.h>
#include <signal.h>
#include <stdbool.h>

#include "task.h"

/* SIGINT is counted from now on, and wakes this VM's loop. */
void terminal_listen(lua_State *L);

/* How many came so far; SIGTERM and SIGHUP are counted, too, ... */
unsigned terminal_interrupts(void);

/* ... and mean that the process should end. */
bool terminal_ending(void);

/* Another signal of which only its coming matters: *seen becomes true, and the
 * loop wakes.  Gives what the process did at it until now. */
void terminal_hear(int number, volatile sig_atomic_t *seen,
		   struct sigaction *before);

/* Runs the loop until `fd` can be read or a signal came. */
void terminal_await_input(struct vm *vm, int fd);

/* The editor of lines (edit.c): core.editor() into the table on top. */
void edit_open(lua_State *L);

int luaopen_lunate_terminal(lua_State *L);

#endif
