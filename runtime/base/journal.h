/* SPDX-License-Identifier: MIT
 *
 * journal - a file of lines that are on the disk before anybody acts on them.
 *
 * A line is appended by one write and synced (fdatasync); so is the folder
 * when the file is new.  The file belongs to this user, is a plain one, of mode
 * 0600, and nobody else may read it: it holds what is nobody's business.  Its
 * folder is made, of mode 0700, when there is none.
 *
 * What was cut off, by a full disk or a crash, is ended before the next line.
 *
 * Thread: any; it blocks for as long as the disk takes, so not on a loop.
 * Processes may append to one file: lines do not mix.
 */
#ifndef JOURNAL_H
#define JOURNAL_H

#include <stddef.h>

#include "err.h"

/* The line ends with a newline, and has no other.  LUNATE_EIO: it is not known
 * to be there; what to do. */
MUST_USE
int journal_append(const char *path, const char *line, size_t len,
		   struct err *e);

#endif
