/* SPDX-License-Identifier: MIT
 *
 * catalog - what the live server says about the names in a statement.
 *
 *   EMPTY --first question--> LOADING --answer--> LOADED
 *     ^                        |   ^                 |
 *     +------- failed ---------+   +-- changed (at the next question), or
 *                                      in doubt (the old snapshot serves on)
 *
 * A snapshot is all of it as one query saw it: schemas, relations, columns,
 * keys, functions, and what a view or a row policy runs when it is read.  It
 * is loaded as a whole through the pool it serves and never changes; whoever
 * needs the same answers for longer than a call pins it.
 *
 * What is not known counts as the worst: an unknown function or relation, or
 * an overload that cannot be resolved, writes.  A load that failed adds
 * nothing: only a snapshot that was current before, if any, serves on.
 *
 * Who waits.  A plain SELECT from tables does not wait for a load: a script
 * of one statement would pay for a catalog it never needs.  Until one is
 * there the grammar is believed, on a connection that only reads.  When the
 * grammar was wrong (a view or an operator whose function writes) the server
 * refuses with 25006 before anything happened and the statement goes out
 * again as a write.  The server does not refuse everything: pg_notify() or an
 * advisory lock inside a view runs there, and after a lost connection may run
 * twice.  A statement that names a function waits for the catalog.
 *
 * The schema epoch grows with every change of the schema.  How one is seen:
 *   - DDL through this runtime: catalog_changed(), for every worker at once
 *   - DDL made elsewhere: it shows in errors (an undefined table, column,
 *     function or type; a plan whose result type changed), in names that the
 *     snapshot does not have, and in DO and CALL, which may hide it.  These
 *     are only doubts: catalog_doubt() loads again in the background, at most
 *     once a second, and the epoch grows only if the new snapshot differs.
 *   A change made elsewhere that none of this touches (a column dropped that
 *   nobody asks for) stays unseen until the next load.
 *
 * Not known: temporary relations (they belong to one session), and what the
 * grammar does not show (casts, domains, operators of ORDER BY and USING, a
 * function written as a column).
 *
 * Always true: a snapshot is current while its epoch is the shared one;
 *              no snapshot is ahead of it; one load is under way at a
 *              time, and somebody waits only while one is.
 * Memory: the catalog holds one pin of its snapshot; names lie in the result
 *         the server sent, arrays in one arena.  Waits are embedded in their
 *         owners.
 * Thread: the catalog that of its worker's loop; a pinned snapshot any; the
 *         epoch is atomic and shared by the workers.
 */
#ifndef CATALOG_H
#define CATALOG_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "list.h"
#include "stmt.h"

struct catalog;
struct catalog_snapshot;
struct loop;
struct pool;

/* The schema's version, one for all workers of a runtime; zeroed at first. */
struct catalog_epoch {
	uint64_t n; /* atomic */
};

/* ---- what a snapshot knows --------------------------------------------- */

enum catalog_kind {
	CATALOG_TABLE,
	CATALOG_PARTITIONED,
	CATALOG_VIEW,
	CATALOG_MATVIEW,
	CATALOG_FOREIGN,
	CATALOG_SEQUENCE,
};

struct catalog_column {
	const char *name;
	int attnum;	       /* from 1, with holes */
	uint32_t type;	       /* OID */
	const char *type_name; /* as in pg_type: "int4", "_text" */
	const char *type_schema;
	bool not_null;
	bool has_default; /* also generated ones */
	bool generated;	  /* GENERATED ALWAYS AS (...) STORED */
	char identity;	  /* 'a' always, 'd' by default, 0 = no */
};

/* A primary key, or anything else that keeps rows unique. */
struct catalog_key {
	const char *name;
	int ncols;
	const int16_t *cols; /* attnums; 0 = an expression */
	bool primary;
	bool deferrable; /* no arbiter of ON CONFLICT */
	bool partial;	 /* has a WHERE: unique among some rows only */
	bool invalid;	 /* still being built, or its build failed */
};

/* A foreign key: cols of this table are to_cols of `to`. */
struct catalog_fkey {
	const char *name;
	int ncols;
	const int16_t *cols, *to_cols; /* attnums */
	const struct catalog_table *to;
	/* 'a' no action, 'r' restrict, 'c' cascade, 'n' set null, 'd' set
	 * default */
	char on_delete, on_update;
	bool inherited; /* part of one of a partitioned table */
};

struct catalog_table {
	uint32_t oid;
	const char *schema, *name;
	enum catalog_kind kind;
	bool unlogged;
	bool is_partition;
	bool rls, rls_forced;  /* row-level security */
	bool security_invoker; /* view: reads with the rights of who asks */
	/* Reading it may write: a volatile function in a view or a row
	 * policy, here or in what it reads; or rows of a foreign server. */
	bool impure;
	int64_t estimate; /* rows, as of the last ANALYZE; -1 = never */
	/* Of a partition, or the first parent of an inheritance child. */
	const struct catalog_table *parent;
	unsigned ncolumns, nkeys, nfkeys, nuses;
	const struct catalog_column *columns; /* by attnum; not of system's */
	const struct catalog_key *keys;	      /* the primary one first */
	const struct catalog_fkey *fkeys;
	/* Relations that its view or its row policies read. */
	const struct catalog_table *const *uses;
};

/* One overload of a function, or the operators of one schema by one name and
 * number of operands. */
struct catalog_overload {
	const struct catalog_overload *next; /* of the same name */
	const char *schema;
	int min_args, max_args; /* max < 0: variadic */
	bool writes;		/* volatile, and not only in its answer */
	bool builtin;		/* came with the server, in pg_catalog */
	bool definer;		/* SECURITY DEFINER */
	bool takes_row;		/* f(t) may be written t.f */
	char volatile_;		/* 'i', 's', 'v' */
};

/* Not known: the server's own rows of relations, and pseudo-types. */
struct catalog_type {
	uint32_t oid;
	const char *schema, *name;
	char kind; /* 'b' base, 'e' enum, 'd' domain, 'c' composite, 'r' and
		    * 'm' range, 'a' array */
	bool builtin;
	bool user_cast; /* a function of a user casts from or to it */
	/* Of a domain: the type below it, of an array: of its elements;
	 * NULL: one that is no type here. */
	const struct catalog_type *base;
};

struct catalog_snapshot *catalog_snapshot_pin(struct catalog_snapshot *s);
void catalog_snapshot_unpin(struct catalog_snapshot **ps);

/* The schema epoch it was loaded at. */
uint64_t catalog_snapshot_epoch(const struct catalog_snapshot *s);

/* Schemas that a name without one is looked up in, in order: pg_catalog
 * first unless the path names it, then those of the configured path that
 * exist. */
unsigned catalog_path(const struct catalog_snapshot *s,
		      const char *const **schemas);

/* All relations, by schema and name. */
unsigned catalog_tables(const struct catalog_snapshot *s,
			const struct catalog_table **tables);

/* Lookups by hash; NULL: there is none.  What they give lives as long as the
 * snapshot.  A schema of NULL stands for the search path. */
const struct catalog_table *catalog_table(const struct catalog_snapshot *s,
					  const char *schema, const char *name);
const struct catalog_table *catalog_table_by_oid(
	const struct catalog_snapshot *s, uint32_t oid);
const struct catalog_column *catalog_column(const struct catalog_snapshot *s,
					    const struct catalog_table *t,
					    const char *name);
const struct catalog_column *catalog_column_by_num(
	const struct catalog_table *t, int attnum);

/* NULL: it has none. */
const struct catalog_key *catalog_primary_key(const struct catalog_table *t);

/* The overloads of a name, of all schemas; NULL: there are none. */
const struct catalog_overload *catalog_function(
	const struct catalog_snapshot *s, const char *name);
const struct catalog_overload *catalog_operator(
	const struct catalog_snapshot *s, const char *name);

const struct catalog_type *catalog_type(const struct catalog_snapshot *s,
					const char *schema, const char *name);

/* ---- a worker's catalog ------------------------------------------------- */

/* Somebody who waits for LOADED; embedded. */
struct catalog_wait {
	struct list link;
	void (*done)(void *arg); /* also when loading failed */
	void *arg;
};

/* All three are borrowed for the catalog's life. */
struct catalog *catalog_new(struct loop *loop, struct pool *pool,
			    struct catalog_epoch *epoch);

/* Is there a current snapshot? */
bool catalog_loaded(struct catalog *c);

/* The current snapshot, borrowed; NULL unless loaded. */
struct catalog_snapshot *catalog_current(struct catalog *c);

/* Loads in the background what is not current. */
void catalog_need(struct catalog *c);

void catalog_wait_init(struct catalog_wait *w);

/* Loads, unless a load is under way already, even if a snapshot is current;
 * done() comes from the loop, or from catalog_free(). */
void catalog_wait(struct catalog *c, struct catalog_wait *w,
		  void (*done)(void *), void *arg);
void catalog_unwait(struct catalog_wait *w);

/* Why the last load failed; code 0 when it did not. */
const struct err *catalog_err(const struct catalog *c);

/* Grammar says READS_ONLY; do its functions, operators and relations agree?
 * Functions that are volatile only because their answer varies (random(),
 * clock_timestamp(), pg_sleep()) do.  Not loaded: only statements without
 * functions do. */
bool catalog_pure(struct catalog *c, const struct stmt *s);

/* DDL was seen: what is known is loaded again at the next question, here and
 * in the other workers. */
void catalog_changed(struct catalog *c);

/* Perhaps the schema changed: see above. */
void catalog_doubt(struct catalog *c);

/* An error of the server: is it one that makes a snapshot doubtful? */
void catalog_saw(struct catalog *c, const struct err *e);

/* Grows with every change seen by any worker. */
uint64_t catalog_epoch(const struct catalog *c);

/* Walks the rules above. */
void catalog_verify(const struct catalog *c);

/* The pool is freed before it. */
void catalog_free(struct catalog **pc);

#endif
