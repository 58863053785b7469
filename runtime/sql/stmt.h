/* SPDX-License-Identifier: MIT
 *
 * stmt - the facts of one SQL statement, known once per text.
 *
 * A struct stmt says what PostgreSQL's grammar says about a text, and nothing
 * that needs a catalog: whether a function is volatile or a name is a view is
 * found out elsewhere, from the names given here.  Where the grammar leaves a
 * doubt, the fact is the careful one: a relation named at an unknown place
 * counts as written.
 *
 * Facts are memoised by text for the whole process: a hit is a hash, one
 * comparison of the whole text and a pin.  What was not used for longest goes
 * when a limit is reached, so a stream of texts that never repeat costs time
 * but no memory.  A text that is refused is not remembered.
 *
 * Always true: a stmt never changes; two that are alive at the same time and
 *              were both memoised have different texts; nparams <= 65535.
 * Memory: counted; the memo holds one count.  stmt->bytes is its charge; one
 *         that alone would fill a shard is not memoised.
 * Thread: any; the memo is 16 shards with a mutex each, nothing is parsed
 *         while one is held.
 */
#ifndef STMT_H
#define STMT_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

enum stmt_kind {
	STMT_SELECT, /* also TABLE t, and SELECT INTO */
	STMT_VALUES,
	STMT_INSERT,
	STMT_UPDATE,
	STMT_DELETE,
	STMT_MERGE,
	STMT_EXPLAIN,
	STMT_SHOW,
	STMT_SET, /* SET, RESET, SET CONSTRAINTS */
	STMT_TX,  /* see enum stmt_tx */
	STMT_COPY,
	STMT_DDL, /* CREATE, ALTER, DROP, GRANT, COMMENT, ... */
	STMT_TRUNCATE,
	STMT_CALL,
	STMT_DO,
	STMT_LISTEN,  /* LISTEN, UNLISTEN, NOTIFY */
	STMT_CURSOR,  /* DECLARE, FETCH, MOVE, CLOSE */
	STMT_PREPARE, /* PREPARE, EXECUTE, DEALLOCATE */
	STMT_LOCK,
	STMT_MAINTENANCE, /* VACUUM, ANALYZE, CLUSTER, REINDEX, CHECKPOINT */
	STMT_OTHER,	  /* DISCARD, LOAD */
};

enum stmt_tx {
	STMT_TX_NONE,
	STMT_TX_BEGIN,
	STMT_TX_COMMIT,
	STMT_TX_ROLLBACK,
	STMT_TX_SAVEPOINT,
	STMT_TX_RELEASE,
	STMT_TX_ROLLBACK_TO,
	STMT_TX_PREPARE,
	STMT_TX_COMMIT_PREPARED,
	STMT_TX_ROLLBACK_PREPARED,
};

enum stmt_flag {
	/* Nothing in it writes or locks, as far as grammar can tell: it is
	 * read only when its functions and operators are, too. */
	STMT_READS_ONLY = 1 << 0,
	STMT_LOCKS = 1 << 1,	    /* FOR UPDATE ... SHARE, LOCK */
	STMT_RETURNS_ROWS = 1 << 2, /* or may: EXECUTE, CALL */
	/* The server refuses it inside a transaction block. */
	STMT_NO_BLOCK = 1 << 3,
	/* Shares its Sync group with no other statement.  All of NO_BLOCK,
	 * and what may end a transaction by itself: CALL, DO. */
	STMT_ALONE = 1 << 4,
	/* Leaves something behind in its session, or needs what an earlier
	 * statement left there. */
	STMT_SESSION = 1 << 5,
	STMT_CATALOG = 1 << 6,	   /* changes the schema */
	STMT_HAS_LIMIT = 1 << 7,   /* LIMIT or FETCH FIRST at the top */
	STMT_STAR = 1 << 8,	   /* "*" decides the columns that leave */
	STMT_PARAM_GAPS = 1 << 9,  /* some $n below the highest is missing */
	STMT_SQL_VALUES = 1 << 10, /* CURRENT_DATE, CURRENT_USER, ... */
	STMT_CHAIN = 1 << 11,	   /* COMMIT/ROLLBACK AND CHAIN */
	STMT_COPY_IN = 1 << 12,	   /* COPY FROM STDIN */
	STMT_COPY_OUT = 1 << 13,   /* COPY TO STDOUT */
};

struct stmt_table {
	const char *schema; /* as written, or NULL */
	const char *name;
	bool read, written;
};

/* Also operators (nargs is 1 or 2) and methods of TABLESAMPLE. */
struct stmt_function {
	const char *schema; /* as written, or NULL */
	const char *name;
	unsigned nargs; /* as written: defaults are not known here */
	bool variadic;	/* VARIADIC before the last one */
};

struct stmt {
	unsigned magic;
#define STMT_MAGIC 0x57a7e3e7
	int refs;	  /* atomic */
	const char *text; /* 0-terminated */
	size_t len;
	uint64_t hash; /* XXH3 of the text */
	/* "l_" and the hash: for a prepared statement.  A hash is not a proof:
	 * whoever finds the name in use compares the stmt behind it. */
	char name[20];
	enum stmt_kind kind;
	enum stmt_tx tx;
	unsigned flags; /* of enum stmt_flag */
	uint64_t fingerprint;
	char fingerprint_hex[17];
	/* The text with every literal replaced by the next free $n, without
	 * comments and with single spaces: fit for a log. */
	const char *normal;
	unsigned nparams; /* the highest $n */
	unsigned ntables, nfunctions, noperators;
	const struct stmt_table *tables;       /* no two the same */
	const struct stmt_function *functions; /* no two the same */
	const struct stmt_function *operators;
	size_t bytes; /* memory it takes, about */
};

/* Facts of a text of exactly one statement; *out is pinned.
 * LUNATE_ESYNTAX, _EINVAL (empty, or not text), _EUNSUPPORTED (more than one
 * statement), _EPARAM ($0, or above $65535), _ETOOBIG, _ENOMEM, _ERESOURCE. */
MUST_USE
int stmt_get(const char *text, size_t len, struct stmt **out, struct err *e);

/* What is memoised of a text, pinned; NULL: stmt_get() would have to parse. */
struct stmt *stmt_recall(const char *text, size_t len);

struct stmt *stmt_pin(struct stmt *s);
void stmt_unpin(struct stmt **ps);

const char *stmt_kind_word(enum stmt_kind kind); /* "select" */

/* The statements of a script by place: see tree_split(). */
struct tree_script;
MUST_USE
int stmt_split(const char *text, size_t len, struct tree_script *out,
	       struct err *e);

/* Process-wide; in force for what is asked from then on. */
struct stmt_limits {
	size_t max_text;   /* bytes of one statement; default 1 MiB */
	size_t max_script; /* bytes of one script; default 16 MiB */
	size_t max_texts;  /* memoised; default 10,000 */
	size_t max_bytes;  /* memoised; default 64 MiB */
};
#define STMT_LIMITS \
	((struct stmt_limits){1u << 20, 16u << 20, 10000, 64u << 20})

void stmt_limit(const struct stmt_limits *limits);

struct stmt_usage {
	size_t texts, bytes; /* in the memo now */
	uint64_t hits, misses, evicted;
};
void stmt_usage(struct stmt_usage *u);

/* Empties the memo; what is pinned lives on. */
void stmt_forget(void);

#endif
