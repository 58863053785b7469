/* SPDX-License-Identifier: MIT
 *
 * tree - what PostgreSQL's own grammar makes of an SQL text.
 *
 * The only module that knows libpg_query.  A tree holds a copy of the text,
 * its tokens, and the nodes of its statements.  Nodes are read by reflection:
 * a field is named as in pg_query.proto ("from_clause"), and the walk visits
 * every node there is, so no kind of node can be forgotten by a hand-written
 * recursion.  `Node` wrappers are never seen; their content stands in their
 * place.
 *
 * The parser is PostgreSQL 15's: newer grammar is a syntax error.
 *
 * Always true: a tree that was given out nests less than TREE_DEPTH levels of
 *              tokens that can nest; offsets are bytes into tree_text().
 * Errors: name position and cause and never a literal of the text.
 * Memory: one arena per tree; everything read from it is borrowed from it.
 *         No call recurses on the caller's stack (see deep.h).
 * Thread: any; a tree is immutable, so many may read one.
 */
#ifndef TREE_H
#define TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

struct tree;
struct tree_node;

/* Levels of nesting accepted, counted from above: parentheses, operators,
 * casts, set operations that stand inside each other. */
#define TREE_DEPTH 4000

/* X(NAME, name of the message in pg_query.pb-c): the nodes that modules ask
 * for.  All others are TREE_OTHER and have a tree_name(). */
/* clang-format off */
#define TREE_KINDS(X) \
	X(A_CONST, a__const) \
	X(A_EXPR, a__expr) \
	X(A_INDIRECTION, a__indirection) \
	X(A_STAR, a__star) \
	X(BOOL_EXPR, bool_expr) \
	X(COLUMN_REF, column_ref) \
	X(CTE, common_table_expr) \
	X(DEF_ELEM, def_elem) \
	X(FUNC_CALL, func_call) \
	X(INTEGER, integer) \
	X(INTO, into_clause) \
	X(BOOLEAN, boolean) \
	X(JOIN, join_expr) \
	X(LIST, list) \
	X(LOCKING, locking_clause) \
	X(MULTI_ASSIGN, multi_assign_ref) \
	X(ON_CONFLICT, on_conflict_clause) \
	X(PARAM_REF, param_ref) \
	X(PARTITION_CMD, partition_cmd) \
	X(RANGE_SUBSELECT, range_subselect) \
	X(RANGE_TABLE_SAMPLE, range_table_sample) \
	X(RANGE_VAR, range_var) \
	X(RES_TARGET, res_target) \
	X(SORT_BY, sort_by) \
	X(SQL_VALUE, sqlvalue_function) \
	X(STRING, string) \
	X(SUB_LINK, sub_link) \
	X(TABLE_LIKE, table_like_clause) \
	X(TYPE_CAST, type_cast) \
	X(VACUUM_RELATION, vacuum_relation) \
	X(WITH, with_clause) \
	X(CONSTRAINT, constraint) \
	X(SELECT, select_stmt) \
	X(INSERT, insert_stmt) \
	X(UPDATE, update_stmt) \
	X(DELETE, delete_stmt) \
	X(MERGE, merge_stmt) \
	X(EXPLAIN, explain_stmt) \
	X(SHOW, variable_show_stmt) \
	X(SET, variable_set_stmt) \
	X(SET_CONSTRAINTS, constraints_set_stmt) \
	X(TRANSACTION, transaction_stmt) \
	X(COPY, copy_stmt) \
	X(CALL, call_stmt) \
	X(DO, do_stmt) \
	X(LISTEN, listen_stmt) \
	X(UNLISTEN, unlisten_stmt) \
	X(NOTIFY, notify_stmt) \
	X(DECLARE_CURSOR, declare_cursor_stmt) \
	X(FETCH, fetch_stmt) \
	X(CLOSE, close_portal_stmt) \
	X(PREPARE, prepare_stmt) \
	X(EXECUTE, execute_stmt) \
	X(DEALLOCATE, deallocate_stmt) \
	X(LOCK, lock_stmt) \
	X(VACUUM, vacuum_stmt) \
	X(CLUSTER, cluster_stmt) \
	X(REINDEX, reindex_stmt) \
	X(CHECKPOINT, check_point_stmt) \
	X(DISCARD, discard_stmt) \
	X(LOAD, load_stmt) \
	X(TRUNCATE, truncate_stmt) \
	X(CREATE_TABLE, create_stmt) \
	X(CREATE_TABLE_AS, create_table_as_stmt) \
	X(CREATE_INDEX, index_stmt) \
	X(DROP, drop_stmt) \
	X(CREATE_DATABASE, createdb_stmt) \
	X(DROP_DATABASE, dropdb_stmt) \
	X(ALTER_DATABASE, alter_database_stmt) \
	X(CREATE_TABLESPACE, create_table_space_stmt) \
	X(DROP_TABLESPACE, drop_table_space_stmt) \
	X(ALTER_SYSTEM, alter_system_stmt) \
	X(CREATE_SUBSCRIPTION, create_subscription_stmt) \
	X(ALTER_SUBSCRIPTION, alter_subscription_stmt) \
	X(DROP_SUBSCRIPTION, drop_subscription_stmt)

/* clang-format on */
enum tree_kind {
	TREE_OTHER,
#define TREE_ENUM(name, message) TREE_##name,
	TREE_KINDS(TREE_ENUM)
#undef TREE_ENUM
};

enum token_kind {
	TOKEN_WORD,    /* keyword or name, quoted names too */
	TOKEN_LITERAL, /* string, number, bit string */
	TOKEN_PARAM,   /* $n */
	TOKEN_COMMENT,
	TOKEN_MARK, /* operator, parenthesis, comma, ... */
};

struct tree_token {
	uint32_t start, end; /* bytes; end is one past the last */
	int code;	     /* private: the grammar's number */
	enum token_kind kind;
};

/* Parses a text of any number of statements.  LUNATE_EINVAL: a zero byte or
 * bytes that are not UTF-8; LUNATE_ESYNTAX; LUNATE_ETOOBIG: nested too deeply
 * or over 2 GiB; LUNATE_ENOMEM; LUNATE_ERESOURCE. */
MUST_USE
int tree_parse(const char *text, size_t len, struct tree **out, struct err *e);
void tree_free(struct tree **pt);

const char *tree_text(const struct tree *t, size_t *len);
size_t tree_tokens(const struct tree *t, const struct tree_token **first);

/* Number of statements (empty ones do not count), and the node of one. */
unsigned tree_count(const struct tree *t);
const struct tree_node *tree_root(const struct tree *t, unsigned i);

/* PostgreSQL's idea of "the same statement with other literals".  What is
 * nested more than 100 levels deep does not enter. */
MUST_USE
int tree_fingerprint(const struct tree *t, uint64_t *print, struct err *e);

/* The statements of a script, each from its first byte that is not a space
 * to its last, without the semicolon.  n may be 0.  Errors as of
 * tree_parse(); nesting is not limited. */
struct tree_script {
	struct tree_span {
		size_t start, len;
	} * spans;
	size_t n;
};
MUST_USE
int tree_split(const char *text, size_t len, struct tree_script *out,
	       struct err *e);
void tree_script_fini(struct tree_script *s);

/* ---- reading a node.  NULL as the node gives NULL, 0, "" or TREE_OTHER; a
 * field that this kind of node cannot have is a mistake of the caller. */

enum tree_kind tree_kind(const struct tree_node *n);
const char *tree_name(const struct tree_node *n); /* "SelectStmt" */
bool tree_has(const struct tree_node *n, const char *field);

const struct tree_node *tree_get(const struct tree_node *n, const char *field);
size_t tree_len(const struct tree_node *n, const char *field);
const struct tree_node *tree_item(const struct tree_node *n, const char *field,
				  size_t i);
const char *tree_str(const struct tree_node *n, const char *field);
int64_t tree_num(const struct tree_node *n, const char *field);

/* Name of an enum's value: "SETOP_UNION". */
const char *tree_word(const struct tree_node *n, const char *field);

/* Byte offset where the node says it begins; -1 when it does not say. */
int64_t tree_offset(const struct tree_node *n);

/* A dotted name that is kept as a list of strings: its last part, and the
 * part before it ("" when there is none).  "" for an empty list. */
const char *tree_dotted(const struct tree_node *n, const char *field,
			const char **schema);

/* ---- comparing nodes whatever their kind. */

/* The same kind, and the same texts, numbers and words; where they stand in
 * their texts does not count, nor what is below.  NULL is like NULL. */
bool tree_alike(const struct tree_node *a, const struct tree_node *b);

/* What is below, by number of the field; a field that holds no node has
 * length 0.  Nodes of a kind have the same fields. */
unsigned tree_nfields(const struct tree_node *n);
const char *tree_field(const struct tree_node *n, unsigned field);
size_t tree_field_len(const struct tree_node *n, unsigned field);
const struct tree_node *tree_field_item(const struct tree_node *n,
					unsigned field, size_t i);

/* ---- walking: a cursor over all nodes below (and with) a root.
 *
 *	struct tree_walk w;
 *
 *	tree_walk_init(&w, root);
 *	while (tree_walk_next(&w) != TREE_END)
 *		if (w.step == TREE_ENTER && w.kind == TREE_PARAM_REF)
 *			...
 *	tree_walk_fini(&w);
 */
enum tree_step { TREE_END, TREE_ENTER, TREE_LEAVE };

struct tree_frame {
	const struct tree_node *node;
	const char *field; /* of the parent, that holds it; NULL at the root */
	unsigned index;	   /* place in that field, when it repeats */
	unsigned at, item; /* private: next field, next item of it */
	int with;	   /* private: nearest frame above with a WITH, -1 */
	int below;	   /* private: the same, for what it holds */
};

struct tree_walk {
	enum tree_step step;
	const struct tree_node *node;	/* the current node, */
	enum tree_kind kind;		/* its kind, */
	const struct tree_node *parent; /* what holds it (NULL at the root), */
	const char *field;		/* in which field, */
	unsigned index;			/* at which place of it */
	struct tree_frame *frames;	/* private: the path to it */
	unsigned depth, room;		/* frames in use, allocated */
};

void tree_walk_init(struct tree_walk *w, const struct tree_node *root);
enum tree_step tree_walk_next(struct tree_walk *w);

/* After TREE_ENTER: do not go below this node.  TREE_LEAVE still comes. */
void tree_walk_skip(struct tree_walk *w);

/* The nth holder of the current node (0 is the node itself), or NULL. */
const struct tree_frame *tree_walk_up(const struct tree_walk *w, unsigned n);

/* The CTE that an unqualified relation name means at this place, by
 * PostgreSQL's rules of scope, or NULL: then it means a relation. */
const struct tree_node *tree_walk_cte(const struct tree_walk *w,
				      const char *name);
void tree_walk_fini(struct tree_walk *w);

#endif
