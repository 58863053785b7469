/* SPDX-License-Identifier: MIT
 *
 * spot - the column of an error that says file and line.
 *
 *	policies/access.lua:12: there is no 'permt' ...
 *	policies/access.lua:12:3: there is no 'permt' ...
 *
 * It is where the first word of the error that stands in that line stands:
 * what is quoted first, then any word; else where the line begins.
 *
 * Memory: owns nothing.  Thread: any.
 */
#ifndef SPOT_H
#define SPOT_H

#include "err.h"

struct texts;

/* What says a column already, or names no file of these, stays as it is. */
void spot_add(const struct texts *t, struct err *e);

#endif
