/* SPDX-License-Identifier: MIT */
#include "host_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "number.h"

#define BYTEA 17 /* its type OID */

struct lunate_rows {
	unsigned magic;
#define HOST_ROWS_MAGIC 0x40e5a11d
	int refs;	   /* atomic */
	struct rows *rows; /* or NULL */
	int64_t affected;
	double seconds;
};

struct lunate_rows *
host_rows_new(struct rows *rows, int64_t affected, double seconds)
{
	struct lunate_rows *r = mem_new(sizeof(*r));

	OBJ_INIT(r, HOST_ROWS_MAGIC);
	r->refs = 1;
	r->rows = rows;
	r->affected = affected;
	r->seconds = seconds;
	return r;
}

struct lunate_rows *
lunate_rows_pin(struct lunate_rows *r)
{
	OBJ_CHECK(r, HOST_ROWS_MAGIC);
	__atomic_add_fetch(&r->refs, 1, __ATOMIC_RELAXED);
	return r;
}

void
lunate_rows_free(struct lunate_rows **pr)
{
	struct lunate_rows *r;

	if (*pr == NULL)
		return;
	OBJ_TAKE(r, pr, HOST_ROWS_MAGIC);
	if (__atomic_sub_fetch(&r->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	if (r->rows != NULL)
		rows_unpin(&r->rows);
	OBJ_FINI(r);
	mem_free(r);
}

size_t
lunate_rows_count(const struct lunate_rows *r)
{
	OBJ_CHECK(r, HOST_ROWS_MAGIC);
	return r->rows != NULL ? rows_count(r->rows) : 0;
}

int
lunate_rows_columns(const struct lunate_rows *r)
{
	OBJ_CHECK(r, HOST_ROWS_MAGIC);
	return r->rows != NULL ? rows_shape(r->rows)->ncols : 0;
}

int64_t
lunate_rows_affected(const struct lunate_rows *r)
{
	OBJ_CHECK(r, HOST_ROWS_MAGIC);
	return r->affected;
}

double
lunate_rows_seconds(const struct lunate_rows *r)
{
	OBJ_CHECK(r, HOST_ROWS_MAGIC);
	return r->seconds;
}

static const struct shape_col *
column(const struct lunate_rows *r, int col)
{
	assert(col >= 0 && col < lunate_rows_columns(r));
	return &rows_shape(r->rows)->cols[col];
}

const char *
lunate_rows_name(const struct lunate_rows *r, int col)
{
	return column(r, col)->name;
}

unsigned
lunate_rows_type(const struct lunate_rows *r, int col)
{
	return column(r, col)->type;
}

int
lunate_rows_find(const struct lunate_rows *r, const char *name)
{
	int n = lunate_rows_columns(r);

	for (int i = 0; i < n; i++)
		if (strcmp(column(r, i)->name, name) == 0)
			return i;
	return -1;
}

const char *
lunate_rows_cell(const struct lunate_rows *r, size_t row, int col, size_t *len)
{
	size_t unused;

	assert(row < lunate_rows_count(r));
	(void)column(r, col); /* it is there */
	return rows_cell(r->rows, row, col, len != NULL ? len : &unused);
}

int
lunate_rows_int(const struct lunate_rows *r, size_t row, int col, int64_t *out)
{
	const char *at = lunate_rows_text(r, row, col);
	char *end;
	long long n;

	if (at == NULL || (*at != '-' && (*at < '0' || *at > '9')))
		return LUNATE_EVALUE;
	errno = 0;
	n = strtoll(at, &end, 10);
	if (errno != 0 || *end != 0 || end == at + (*at == '-'))
		return LUNATE_EVALUE;
	*out = n;
	return 0;
}

int
lunate_rows_real(const struct lunate_rows *r, size_t row, int col, double *out)
{
	const char *at = lunate_rows_text(r, row, col);
	double n;

	if (at == NULL || !number_read(at, &n))
		return LUNATE_EVALUE;
	*out = n;
	return 0;
}

int
lunate_rows_bool(const struct lunate_rows *r, size_t row, int col, int *out)
{
	const char *at = lunate_rows_text(r, row, col);

	if (at == NULL || (at[0] != 't' && at[0] != 'f') || at[1] != 0)
		return LUNATE_EVALUE;
	*out = at[0] == 't';
	return 0;
}

int
lunate_rows_bytes(const struct lunate_rows *r, size_t row, int col,
		  struct lunate_buffer *b)
{
	size_t len;
	const char *at = lunate_rows_cell(r, row, col, &len);
	bool is_bytea = lunate_rows_type(r, col) == BYTEA;
	long n = at != NULL && is_bytea ? hex_length(at, len) : -1;

	if (n < 0)
		return LUNATE_EVALUE;
	b->len = (size_t)n;
	if (b->len > b->room)
		return LUNATE_ETOOBIG;
	hex_read(at, len, b->at);
	return 0;
}
