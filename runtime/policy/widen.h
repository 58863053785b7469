/* SPDX-License-Identifier: MIT
 *
 * widen - could new rules allow anything that the old ones did not?
 *
 * It errs towards yes: no is said only of a change that provably takes away.
 * Looked at are the guards' rules, by structure, and the files' own tests:
 *
 *	isolation.lua  narrower: a table without its rule, write = "never",
 *	               fewer functions added, more removed, mode "both", a seal,
 *	               a canary where there was none, detail hidden, fewer
 *	               checks of the database accepted, no file
 *	access.lua     narrower: the file is new; fewer permits and emergencies,
 *	               more forbids and limits, each compared by what it says
 *	               and not by its name or place; a new role that inherits
 *	               nothing.  A condition that is a function is never the
 *	               same as another one
 *	other guards   no change is narrower
 *	old tests      one that expects a refusal, and under the new rules fails
 *	new tests      one that expects none, and under the old rules fails
 *
 * All else of these files (another tenant type, another column, another way to
 * the tenant) counts as wider.
 *
 * Memory: owns nothing.  Thread: any; milliseconds.
 */
#ifndef WIDEN_H
#define WIDEN_H

#include <stdbool.h>

#include "err.h"
#include "rules.h"

/* Both were loaded from texts.  why->text: the first thing that is wider. */
bool widen_found(const struct rules *old, const struct rules *new,
		 struct err *why);

/* Have the texts the same guards? */
bool widen_same_guards(const struct texts *a, const struct texts *b);

#endif
