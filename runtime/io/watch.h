/* SPDX-License-Identifier: MIT
 *
 * watch - tells that something in a folder changed, once it has settled.
 *
 *   QUIET --change--> MOVING --debounce_ms without a change--> settled, QUIET
 *                        |      (at most WATCH_PATIENCE times that long)
 *                        +--change: waits anew
 *
 * One directory is watched, not what lies below it, and no file is read.  The
 * path is looked at again every second: a directory that was replaced, went,
 * came back, or is behind a symlink that now points elsewhere (at any level)
 * is a change, and from then on the new one is watched.  It need not exist.
 *
 * Where inotify cannot be used (limits, exotic file systems' refusal), names,
 * sizes and times of the entries are compared every second instead.
 *
 * Files that editors leave for a moment are no change: see watch_ignores().
 *
 * Always true: wd >= 0 only while the directory with this dev and ino is
 *              watched; polling never ends once begun; count never falls.
 * Memory: owns one inotify descriptor.  Thread: that of the loop.
 */
#ifndef WATCH_H
#define WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "loop.h"
#include "obj.h"

#define WATCH_DEBOUNCE_MS 100
#define WATCH_PATIENCE 20
#define WATCH_TICK_S 1.0

struct watch;

struct watch_opts {
	const char *path; /* copied */
	int debounce_ms;  /* > 0 */
	bool poll;	  /* true: do not even try inotify */
	void *arg;

	/* `changes` counts all changes so far; it grows from call to call.
	 * Never inside watch_new(); it may free the watch. */
	void (*settled)(struct watch *w, void *arg, uint64_t changes);
};

struct watch *watch_new(struct loop *loop, const struct watch_opts *opts);

/* Is it comparing times instead of using inotify? */
bool watch_polls(const struct watch *w);

/* Names of editors' passing files: .*.sw? (vim), 4913 (vim), *~, .#* (emacs).
 */
bool watch_ignores(const char *name);

void watch_free(struct watch **pw);

#endif
