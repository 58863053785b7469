/* SPDX-License-Identifier: MIT
 *
 * catalog_build - what the files that build a snapshot share.
 *
 * Rows of the server's answer by their first letter, and what columns 1 to 7
 * hold:
 *   p  place, schema of the search path
 *   n  oid, schema
 *   r  oid, schema oid, name, kind, flags, parent's oid, rows
 *   c  table, attnum, name, type oid, type, flags, type's schema oid
 *   k  table, name, flags, number of attnums, attnums "1 2"
 *   e  table, name, on delete and on update ("ca", and "i": inherited),
 *      other table, attnums "{1,2}", theirs
 *   u  relation, relation it reads
 *   v  relation, schema and name of a volatile function it calls
 *   f  oid, schema oid, name, arguments, defaults, flags
 *   q  number of operands, schema oid, operator, flags, schema and name of
 *      its function when that is volatile
 *   t  oid, schema oid, type, typtype or "a" of an array, oid of the domain's
 *      base or the array's element, flags
 * The rows come in any order: each kind is a pass over all of them.
 *
 * Always true: once `failed` is set nothing more is added, and no snapshot
 *              comes of it.
 */
#ifndef CATALOG_BUILD_H
#define CATALOG_BUILD_H

#include "catalog_int.h"

struct build {
	struct catalog_snapshot *s;
	const struct rows *r;
	size_t count[128];	      /* rows by build_letter */
	struct catalog_index schemas; /* by oid */
	struct catalog_column *columns;
	struct catalog_key *keys;
	struct catalog_fkey *fkeys;
	const struct catalog_table **uses;
	struct catalog_function *functions;
	struct catalog_overload *overloads;
	struct catalog_type *types;
	unsigned ntypes;
	struct catalog_index by_type; /* by oid */
	struct catalog_relname *relnames;
	bool failed;
};

/* One cell; NULL is "", 0, no flag. */
const char *build_text(const struct build *b, size_t row, int col);
uint32_t build_oid(const struct build *b, size_t row, int col);
int build_int(const struct build *b, size_t row, int col);
bool build_flag(const struct build *b, size_t row, int col, char flag);
char build_letter(const struct build *b, size_t row);

/* What an OID in a cell stands for; "" or NULL: nothing in the snapshot. */
const char *build_schema(const struct build *b, size_t row, int col);
struct catalog_table *build_table(const struct build *b, size_t row, int col);

/* Calls take() with every row of a kind. */
void build_each(struct build *b, char kind,
		void (*take)(struct build *, size_t));

/* Room for all rows of a kind. */
void *build_room(struct build *b, char kind, size_t size);
void build_index(struct build *b, struct catalog_index *ix, size_t n);

/* Columns, keys, foreign keys, and what views and policies read. */
void build_parts(struct build *b);

/* Functions and operators. */
void build_functions(struct build *b);

void build_types(struct build *b);

/* Which relations may write when they are read; after all else. */
void build_judgement(struct build *b);

#endif
