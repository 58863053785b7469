/* SPDX-License-Identifier: MIT */
#include "rows.h"

#include <string.h>

#include "mem.h"

#define NULL_CELL UINT32_MAX

struct cell {
	uint32_t at;  /* offset into data */
	uint32_t len; /* or NULL_CELL */
};

struct rows {
	unsigned magic;
#define ROWS_MAGIC 0x90351e77
	int refs; /* atomic */
	struct shape *shape;
	size_t nrows;
	size_t filled; /* cells put so far */
	size_t used;   /* data bytes so far, the closing zeros included */
	size_t size;   /* of the whole block */
	bool sealed;
	char *data; /* behind the cells, same block */
	struct cell cells[];
};

static uint64_t last_shape_id;

struct shape *
shape_new(const struct shape_col *cols, int ncols)
{
	size_t names = 0;
	struct shape *s;
	char *at;

	assert(ncols >= 0);
	for (int i = 0; i < ncols; i++)
		names += strlen(cols[i].name) + 1;
	s = mem_new(sizeof(*s) + (size_t)ncols * sizeof(*cols) + names);
	OBJ_INIT(s, SHAPE_MAGIC);
	s->refs = 1;
	s->id = __atomic_add_fetch(&last_shape_id, 1, __ATOMIC_RELAXED);
	s->ncols = ncols;
	at = (char *)&s->cols[ncols];
	for (int i = 0; i < ncols; i++) {
		s->cols[i] = cols[i];
		s->cols[i].name = strcpy(at, cols[i].name);
		at += strlen(at) + 1;
	}
	return s;
}

struct shape *
shape_pin(struct shape *s)
{
	OBJ_CHECK(s, SHAPE_MAGIC);
	__atomic_add_fetch(&s->refs, 1, __ATOMIC_RELAXED);
	return s;
}

void
shape_unpin(struct shape **ps)
{
	struct shape *s;

	OBJ_TAKE(s, ps, SHAPE_MAGIC);
	if (__atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	OBJ_FINI(s);
	mem_free(s);
}

struct rows *
rows_try_new(struct shape *shape, size_t nrows, size_t bytes)
{
	size_t ncells, size;
	struct rows *r;

	OBJ_CHECK(shape, SHAPE_MAGIC);
	if (__builtin_mul_overflow(nrows, (size_t)shape->ncols, &ncells) ||
	    ncells > UINT32_MAX || bytes > UINT32_MAX - ncells - 1)
		return NULL;
	size = sizeof(*r) + ncells * sizeof(struct cell) + bytes + ncells;
	r = mem_try(size);
	if (r == NULL)
		return NULL;
	OBJ_INIT(r, ROWS_MAGIC);
	r->refs = 1;
	r->shape = shape_pin(shape);
	r->nrows = nrows;
	r->size = size;
	r->data = (char *)&r->cells[ncells];
	return r;
}

void
rows_put(struct rows *r, const char *at, size_t len)
{
	struct cell *c;

	OBJ_CHECK(r, ROWS_MAGIC);
	assert(!r->sealed && r->filled < r->nrows * (size_t)r->shape->ncols);
	c = &r->cells[r->filled++];
	if (at == NULL) {
		c->len = NULL_CELL;
		return;
	}
	assert(len < (size_t)((char *)r + r->size - r->data) - r->used);
	c->at = (uint32_t)r->used;
	c->len = (uint32_t)len;
	memcpy(r->data + r->used, at, len);
	r->used += len + 1; /* the block is zeroed: the 0 is there */
}

void
rows_seal(struct rows *r)
{
	OBJ_CHECK(r, ROWS_MAGIC);
	assert(r->filled == r->nrows * (size_t)r->shape->ncols);
	r->sealed = true;
}

struct rows *
rows_pin(struct rows *r)
{
	OBJ_CHECK(r, ROWS_MAGIC);
	__atomic_add_fetch(&r->refs, 1, __ATOMIC_RELAXED);
	return r;
}

void
rows_unpin(struct rows **pr)
{
	struct rows *r;

	OBJ_TAKE(r, pr, ROWS_MAGIC);
	if (__atomic_sub_fetch(&r->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	shape_unpin(&r->shape);
	OBJ_FINI(r);
	mem_free(r);
}

size_t
rows_count(const struct rows *r)
{
	OBJ_CHECK(r, ROWS_MAGIC);
	return r->nrows;
}

const struct shape *
rows_shape(const struct rows *r)
{
	OBJ_CHECK(r, ROWS_MAGIC);
	return r->shape;
}

size_t
rows_bytes(const struct rows *r)
{
	OBJ_CHECK(r, ROWS_MAGIC);
	return r->size;
}

const char *
rows_cell(const struct rows *r, size_t row, int col, size_t *len)
{
	const struct cell *c;

	OBJ_CHECK(r, ROWS_MAGIC);
	assert(r->sealed && row < r->nrows);
	assert(col >= 0 && col < r->shape->ncols);
	c = &r->cells[row * (size_t)r->shape->ncols + (size_t)col];
	if (c->len == NULL_CELL) {
		*len = 0;
		return NULL;
	}
	*len = c->len;
	return r->data + c->at;
}
