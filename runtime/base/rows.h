/* SPDX-License-Identifier: MIT
 *
 * rows - an immutable, counted result set in one block of memory.
 *
 * shape  what the columns are: name, type, and the table and column each one
 *        came from.  One shape serves every execution of a prepared
 *        statement, so what a reader derives from it (a row constructor) is
 *        derived once.
 * rows   cells.  A cell is (pointer, length) or NULL; bytes as the server
 *        sent them in text format (or binary, said by the shape).  Each cell
 *        is followed by a 0 that is not counted.
 *
 * Life: rows_try_new(shape, n, bytes) -> rows_put() cell by cell, in order,
 *       row after row -> rows_seal() -> read by anybody, pinned and unpinned.
 * Always true after seal: filled == nrows * ncols, nothing changes any more.
 * Memory: rows_bytes() is the exact charge.  A rows pins its shape.
 * Thread: filled by one; after seal readable by all, counts are atomic.
 */
#ifndef ROWS_H
#define ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "obj.h"

struct rows;

struct shape_col {
	const char *name; /* as the server labelled it */
	uint32_t type;	  /* type OID */
	int32_t typmod;	  /* -1 = none */
	uint32_t table;	  /* OID of the source table, 0 = expression */
	int16_t attnum;	  /* column number in that table, 0 = none */
	bool binary;	  /* cells are in binary format */
};

struct shape {
	unsigned magic;
#define SHAPE_MAGIC 0x51a9e001
	int refs;    /* atomic */
	uint64_t id; /* unique in the process: a key for memoising */
	int ncols;
	struct shape_col cols[];
};

/* Copies the names.  Cannot fail: a statement has at most 1664 columns. */
struct shape *shape_new(const struct shape_col *cols, int ncols);
struct shape *shape_pin(struct shape *s);
void shape_unpin(struct shape **ps);

/* nrows >= 0; `bytes` is the sum of all cell lengths.  NULL: no memory, or
 * more than 4 GiB - 1 of cells. */
MUST_USE
struct rows *rows_try_new(struct shape *shape, size_t nrows, size_t bytes);

/* Next cell; `at` may be NULL for SQL NULL. */
void rows_put(struct rows *r, const char *at, size_t len);
void rows_seal(struct rows *r);

struct rows *rows_pin(struct rows *r);
void rows_unpin(struct rows **pr);

size_t rows_count(const struct rows *r);
const struct shape *rows_shape(const struct rows *r);
size_t rows_bytes(const struct rows *r);

/* Borrowed bytes, valid while pinned; NULL for SQL NULL (then *len = 0). */
const char *rows_cell(const struct rows *r, size_t row, int col, size_t *len);

#endif
