/* SPDX-License-Identifier: MIT
 *
 * world - what the modules of this floor are told about the database.
 *
 * Grammar does not say what a name means: which schema it is found in, which
 * columns a table has, whether a function writes.  A world answers that, from
 * a snapshot of the live catalog (engine/atlas.c) or from a table in a test.
 *
 * What a world does not know does not exist: whoever asks refuses.
 *
 * Memory: all it gives is borrowed for the life of the world.
 * Thread: that of whoever made it; immutable.
 */
#ifndef WORLD_H
#define WORLD_H

#include <stdbool.h>
#include <stdint.h>

enum world_kind {
	WORLD_TABLE,
	WORLD_PARTITIONED,
	WORLD_VIEW,
	WORLD_MATVIEW,
	WORLD_FOREIGN,
	WORLD_SEQUENCE,
};

struct world_column {
	const char *name;
	const char *type_schema, *type; /* as in pg_type: "pg_catalog","uuid" */
	bool generated;			/* GENERATED ALWAYS AS (...) STORED */
	bool not_null;
};

/* What keeps rows unique: a primary key, a constraint, an index. */
struct world_key {
	const char *name;
	unsigned ncolumns;
	const char *const *columns; /* NULL entry: an expression */
	bool primary, partial;
};

/* A foreign key of another table that refers to this one. */
struct world_ref {
	const char *schema, *name; /* of the other table */
	unsigned ncolumns;
	const char *const *columns;    /* of the other table */
	const char *const *to_columns; /* of this one, in the same order */
	char on_delete, on_update; /* 'a','r','c','n','d' as pg_constraint */
};

struct world_table {
	const char *schema, *name;
	enum world_kind kind;
	bool is_partition;
	bool security_invoker; /* view */
	unsigned ncolumns, nkeys, nrefs;
	const struct world_column *columns; /* in the order of "*" */
	const struct world_key *keys;
	const struct world_ref *refs;
};

/* All overloads together that a call by this name and number of arguments may
 * mean: the worst of them. */
struct world_function {
	bool builtin;	    /* every one came with the server, in pg_catalog */
	bool writes;	    /* one is volatile, and not only in its answer */
	bool definer;	    /* one is SECURITY DEFINER */
	bool takes_row;	    /* f(t) may be written t.f, like a column of t */
	bool one_schema;    /* all are of one schema */
	char volatile_;	    /* 'i', 's' or 'v' */
	const char *schema; /* of the first one */
};

struct world_call {
	const char *schema; /* NULL: by the search path */
	const char *name;
	unsigned nargs; /* of an operator: 1 or 2 */
};

struct world {
	const void *arg;

	/* The relation that a name means.  schema NULL: by the search path,
	 * pg_catalog first.  NULL: there is none. */
	const struct world_table *(*table)(const void *arg, const char *schema,
					   const char *name);

	/* false: there is none of that name and number of arguments. */
	bool (*function)(const void *arg, const struct world_call *call,
			 struct world_function *out);
	bool (*operator_)(const void *arg, const struct world_call *call,
			  struct world_function *out);

	/* Is this the name of a type of values that came with the server
	 * ('b'), or one of users: 'e' enum, 'd' domain, 'o' other; 'c' for the
	 * rows of a relation or composite of anybody; 0: none. */
	char (*type)(const void *arg, const char *schema, const char *name);
};

#endif
