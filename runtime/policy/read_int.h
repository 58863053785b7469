/* SPDX-License-Identifier: MIT
 *
 * read, inside: what its files share.
 *
 * Memory: a reading lies on the stack of read_policy(); what raises passes it
 *         by, so everything it owns lies in the arena or is freed there.
 */
#ifndef READ_INT_H
#define READ_INT_H

#include <lua.h>
#include <stdbool.h>

#include "read.h"
#include "vocab.h"

#define READ_DECLS_MOST 10000
#define READ_DEPTH 16

struct reading {
	const struct read_ask *ask;
	const char *path; /* in the arena */
	struct decl *decls;
	unsigned n, room;
	unsigned open; /* words that wait for their fields */
	struct err *e;
	unsigned functions; /* the last number given */
	bool failed;	    /* *e tells; sticky */
};

/* Functions by number, in the registry: at this place. */
#define READ_FUNCTIONS 1

/* The reading that is under way, or NULL: a decision runs. */
struct reading *read_now(lua_State *L);

/* The line that the caller of a C function is at. */
int read_line(lua_State *L);

/* Keeps the error "path:line: text" and raises it; r may be NULL. */
int read_raise(lua_State *L, struct reading *r, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

/* Adds the constructors of values to the table on top of the stack. */
void read_add_values(lua_State *L, const struct vocab_file *f);

/* The value at `index` of the stack; raises when it is none. */
void read_value(lua_State *L, struct reading *r, int index,
		struct decl_value *out);

/* Checks a declaration's fields.  LUNATE_ECONFIG. */
MUST_USE
int read_fits(struct reading *r, const struct decl *d);

#endif
