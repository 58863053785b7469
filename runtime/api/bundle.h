/* SPDX-License-Identifier: MIT
 *
 * bundle - the Lua files of lua/, carried inside the library.
 *
 * Generated at build time (runtime/package/bundle.lua); the list ends with a
 * NULL name.  Immutable, any thread.
 */
#ifndef BUNDLE_H
#define BUNDLE_H

#include <stddef.h>

struct bundle_file {
	const char *name;  /* module name: "lunate.errors" */
	const char *chunk; /* chunk name for tracebacks */
	const char *text;
	size_t size;
};

extern const struct bundle_file bundle_files[];

#endif
