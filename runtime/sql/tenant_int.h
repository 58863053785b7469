/* SPDX-License-Identifier: MIT
 *
 * tenant_int - what the files of the tenant rewrite share.  No other file
 * includes this.
 *
 *   tenant.c         the walk: which node is edited by whom
 *   tenant_tokens.c  places in the text: where a WHERE is, where a list ends
 *   tenant_leak.c    could the statement tell of a row before its predicate?
 *   tenant_pred.c    the predicates
 *   tenant_from.c    tables that are read (F1, F2)
 *   tenant_group.c   GROUP BY over sub-selects (F1)
 *   tenant_write.c   targets of UPDATE, DELETE, MERGE (F3)
 *   tenant_grid.c    what is inserted, as columns and rows
 *   tenant_insert.c  INSERT and the insert branch of MERGE (I1 to I4)
 *   tenant_conflict.c  ON CONFLICT (I5)
 *
 * Tokens are counted without comments.  The depth of a token is the number of
 * brackets open before it; a bracket has the depth of what is around it.
 */
#ifndef TENANT_INT_H
#define TENANT_INT_H

#include "refusal.h"
#include "splice.h"
#include "str.h"
#include "tenant.h"

#define NO_TOKEN ((size_t)-1)

/* Predicates that wait for the end of the SELECT they belong to. */
struct place {
	struct place *next;
	const struct tree_node *select;
	size_t table; /* a token of its FROM */
	struct str preds;
};

struct rewrite {
	const struct tenant_ask *ask;
	struct arena *a;
	struct err *e;
	const char *text;
	size_t len, n;		/* n: tokens */
	struct tree_token *tok; /* one more than n, of length 0, at the end */
	unsigned *depth;
	size_t *match;	/* partner of a bracket, or NO_TOKEN */
	bool *conflict; /* the ON of ON CONFLICT */
	struct splice splice;
	struct place *places; /* innermost first */
	struct inner *inners; /* the last one first */
	unsigned own_params, param;
	unsigned *used, nused; /* values in the order of their parameters */
	bool tenant;	/* it has a tenant's table, so `param` is in use */
	bool leaky;	/* see tenant.h; only asked for with ask->fence */
	bool by_schema; /* a column is named by schema.table.column */
	bool touched;	/* the tenant's parameter is in use */
	bool needs_one;
};

/* A table at its place in the statement. */
struct target {
	const struct tree_node *var; /* RangeVar */
	const struct world_table *world;
	const struct tenant_table *rule;
	size_t first, last; /* tokens of its name, ONLY and * not counted */
	const char *q;	    /* quoted: its alias, or its name */
	bool aliased;
};

/* A table that became a sub-select. */
struct inner {
	struct inner *next;
	struct target target;
};

/* ---- tenant.c */

/* Finds out what a RangeVar that is no CTE means; refuses what has no rule. */
MUST_USE
int target_find(struct rewrite *rw, const struct tree_node *var,
		struct target *out);

/* Puts the schema in front of the name. */
void target_qualify(struct rewrite *rw, const struct target *t);

/* ---- tenant_tokens.c */

MUST_USE
int tokens_init(struct rewrite *rw);

/* The token that begins at this byte, or NO_TOKEN. */
size_t token_at(const struct rewrite *rw, int64_t byte);

/* Is it this word, unquoted?  Words are in lower case. */
bool token_word(const struct rewrite *rw, size_t i, const char *word);
bool token_char(const struct rewrite *rw, size_t i, char c);

/* As token_word, and no label or attribute (AS where, t.where). */
bool token_key(const struct rewrite *rw, size_t i, const char *word);

/* The nearest such keyword in front of i that is not inside brackets which do
 * not hold i. */
size_t token_before(const struct rewrite *rw, size_t i, const char *word);

/* From a keyword on: where its WHERE is (or NO_TOKEN), and the first token
 * behind the condition, or behind FROM when there is none. */
struct clause {
	size_t where, end;
};
struct clause token_clause(const struct rewrite *rw, size_t keyword);

/* The first token behind the GROUP BY of a SELECT, or NO_TOKEN. */
size_t token_group_end(const struct rewrite *rw, size_t select);

/* The copy of tokens first to last, as they stand. */
const char *token_copy(struct rewrite *rw, size_t first, size_t last);

/* ---- tenant_leak.c */

/* Sets leaky and by_schema. */
void leak_look(struct rewrite *rw, const struct tree_node *root);

/* ---- tenant_pred.c */

void pred_name(struct str *s, const char *name); /* quoted */
void pred_table(struct str *s, const char *schema, const char *name);

/* $n::pg_catalog.TYPE */
void pred_own(struct rewrite *rw, struct str *s);

/* (...)[1]::type, for a type as in pg_type */
struct pred_type {
	const char *schema, *name;
};
void pred_raise(struct rewrite *rw, struct str *s, struct pred_type type);

/* The row a predicate is about. */
struct pred_row {
	const struct tenant_table *rule;
	const char *q;	/* quoted */
	unsigned depth; /* of the first EXISTS alias; 1 at the outside */
};
MUST_USE
int pred_add(struct rewrite *rw, struct str *s, struct pred_row row);

/* P AND LIMIT for an action, joined by AND to what is in s already.  Nothing
 * is added when nothing holds. */
MUST_USE
int pred_all(struct rewrite *rw, struct str *s, const struct target *t,
	     enum tenant_action action);

/* NULL, or what access rules add. */
const struct tenant_limit *pred_limit(const struct rewrite *rw,
				      const struct tenant_table *rule,
				      enum tenant_action action);

/* Only the LIMIT of another action, joined in the same way. */
void pred_also(struct rewrite *rw, struct str *s, const struct target *t,
	       enum tenant_action action);

/* A condition over the row q, between brackets. */
struct pred_parts {
	const struct tenant_part *parts;
	unsigned n;
};
void pred_condition(struct rewrite *rw, struct str *s, struct pred_parts p,
		    const char *q);

/* Does a condition speak of this column? */
bool pred_speaks_of(struct pred_parts p, const char *column);

/* The text of a str, kept in the arena; the str is empty again. */
const char *pred_keep(struct rewrite *rw, struct str *s);

/* ---- tenant_from.c */

MUST_USE
int from_table(struct rewrite *rw, struct tree_walk *w);

/* The SELECT ends: its WHERE. */
MUST_USE
int from_leave(struct rewrite *rw, const struct tree_node *select);

/* ---- tenant_group.c */

/* This table became a sub-select. */
void group_note(struct rewrite *rw, const struct target *t);

/* A SELECT ends: its GROUP BY. */
MUST_USE
int group_keep(struct rewrite *rw, const struct tree_node *select);

/* ---- tenant_write.c */

MUST_USE
int write_update(struct rewrite *rw, const struct tree_node *n);
MUST_USE
int write_delete(struct rewrite *rw, const struct tree_node *n);
MUST_USE
int write_merge(struct rewrite *rw, const struct tree_node *n);

/* Is this a table that may be changed?  Marks that one tenant is needed. */
MUST_USE
int write_target(struct rewrite *rw, const struct tree_node *stmt,
		 struct target *out);

/* Refuses a SET of a column that says to whom a row belongs. */
MUST_USE
int write_sets(struct rewrite *rw, const struct target *t,
	       const struct tree_node *stmt);

/* Does the statement read rows of its target (reads.h)?  Refuses what it may
 * not see of them. */
MUST_USE
int write_reads(struct rewrite *rw, const struct target *t,
		const struct tree_node *stmt, bool *reads);

/* Does this column say to whom a row of the table belongs? */
bool write_owns(const struct tenant_table *rule, const char *column);

/* Puts predicates into the WHERE of a clause. */
MUST_USE
int write_where(struct rewrite *rw, struct clause c, const char *preds);

/* ---- tenant_grid.c */

struct cell {
	const struct tree_node *node; /* NULL: DEFAULT */
	size_t first, last;	      /* tokens of the expression */
};

/* A list of columns and its rows. */
struct grid {
	const struct target *t;
	const char **columns;
	unsigned ncolumns;
	struct cell *cells; /* row by row */
	size_t *ends;	    /* the last token of each row's list */
	size_t nrows, room;
	bool values;	   /* rows of VALUES, not arms of a query */
	const char *field; /* of a row of VALUES: where its nodes are */
};

int grid_refuse(struct rewrite *rw, const struct grid *g, const char *what);

/* Its place in the list, or the number of columns. */
unsigned grid_column(const struct grid *g, const char *name);

/* The columns as the statement names them, the tenant's added when it is not
 * among them. */
MUST_USE
int grid_named(struct rewrite *rw, struct grid *g, const struct tree_node *stmt,
	       const char *field);

/* How many values a positional INSERT brings; 0: not known. */
size_t grid_width(const struct tree_node *select);

/* A positional INSERT gets its list, behind this token. */
MUST_USE
int grid_spell(struct rewrite *rw, struct grid *g, size_t width, size_t after);

/* One row, between brackets; its nodes are the list g->field of a node. */
MUST_USE
int grid_values(struct rewrite *rw, struct grid *g, size_t open,
		const struct tree_node *list);

/* All rows of VALUES, searched from token `at` on. */
MUST_USE
int grid_rows(struct rewrite *rw, struct grid *g,
	      const struct tree_node *select, size_t at);

/* All arms of a query. */
MUST_USE
int grid_arms(struct rewrite *rw, struct grid *g,
	      const struct tree_node *select);

/* ---- tenant_conflict.c */

/* ON CONFLICT, when there is one. */
MUST_USE
int conflict_scope(struct rewrite *rw, const struct target *t,
		   const struct tree_node *insert);

/* ---- tenant_insert.c */

/* `nested`: inside a WITH of another statement. */
MUST_USE
int insert_stmt(struct rewrite *rw, const struct tree_node *n, bool nested);

/* The insert branch of MERGE: THEN is the token before INSERT. */
MUST_USE
int insert_branch(struct rewrite *rw, const struct target *t,
		  const struct tree_node *when, size_t then);

#endif
