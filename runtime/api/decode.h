/* SPDX-License-Identifier: MIT
 *
 * decode - rows of the server as Lua tables.
 *
 * What each type becomes is written in lua/README.md; the choice is by the
 * column's type, never by the value at hand, so that a column has one Lua
 * type in all rows.  A value that cannot be given exactly is an error.
 *
 * Memory: reads a pinned rows; makes only Lua values.
 * Thread: that of the VM.
 */
#ifndef DECODE_H
#define DECODE_H

#include <lua.h>

#include "err.h"
#include "rows.h"

enum decode_flags {
	DECODE_NULLS = 1,	 /* NULL is lunate.null, not absent */
	DECODE_INT64 = 2,	 /* int8 as int64 cdata */
	DECODE_INT_STRING = 4,	 /* int8 as string */
	DECODE_NUMERIC = 8,	 /* numeric as number */
	DECODE_JSON_STRING = 16, /* json as text */
	DECODE_POSITIONAL = 32,	 /* row[1..n] beside the names */
};

/* What is read, and how. */
struct decode {
	const struct rows *rows;
	unsigned flags; /* DECODE_* */
};

/* Pushes one row as a table.  On failure pushes nothing: LUNATE_EVALUE names
 * the column and what to do. */
MUST_USE
int decode_row(lua_State *L, const struct decode *d, size_t row, struct err *e);

/* Pushes an array of all rows with field n. */
MUST_USE
int decode_rows(lua_State *L, const struct decode *d, struct err *e);

/* Pushes the int64 of a decimal text. */
void decode_push_int64(lua_State *L, const char *text);

/* Pushes one row as an array of texts as the server sent them; NULL leaves a
 * hole. */
void decode_text(lua_State *L, const struct rows *rows, size_t row);

/* core.set_int64(fn): decimal text to int64 */
int decode_set_int64(lua_State *L);

/* core.set_row_maker(fn): fn(names, positional) gives a function that makes a
 * row of the values it is given; what is false among the names has none. */
int decode_set_maker(lua_State *L);

#endif
