/* SPDX-License-Identifier: MIT
 *
 * check_int - what the files of the checker share.  No other file includes
 * this.
 *
 *   check.c        the door, and two trees side by side
 *   check_from.c   tables that are read
 *   check_write.c  UPDATE, DELETE, MERGE
 *   check_reads.c  what they and INSERT read of their target
 *   check_rows.c   what is inserted
 *   check_conflict.c  ON CONFLICT
 *   check_form.c   the expected forms, as texts with holes
 *   check_group.c  GROUP BY
 *   check_leak.c   may the planner ask something of a row too early?
 *
 * A form is a text that is built from the rules alone and parsed.  Where the
 * original's own nodes belong it has a hole, lunate_hole(k): there the new
 * tree is compared with the k-th of the nodes handed in.
 */
#ifndef CHECK_INT_H
#define CHECK_INT_H

#include "check.h"
#include "str.h"

/* Names of CTEs in scope, the nearest first. */
struct cte {
	const char *name;
	const struct cte *outer;
};

/* A SELECT whose tables may keep their place: what its WHERE has to say. */
struct spot {
	struct str preds; /* P AND P ... */
};

struct check {
	const struct check_ask *ask;
	struct err *e;
	bool leaky;
	bool owned;	/* a form has the tenant's parameter */
	unsigned param; /* the tenant's */
	const struct tree_node *root;
};

/* Where in the statement two nodes are. */
struct at {
	const struct cte *ctes;
	struct spot *spot; /* NULL: here nothing keeps its place */
};

struct pair {
	const struct tree_node *a, *b; /* before, after */
};

#define PAIR(x, y) ((struct pair){x, y})

/* ---- check.c: 0, or the error is set */

MUST_USE
int check_fail(struct check *c, const char *fmt, ...) PRINTF_LIKE(2, 3);

MUST_USE
int check_same(struct check *c, struct pair p, struct at at);

/* Nodes of one field, pairwise. */
MUST_USE
int check_field(struct check *c, struct pair p, const char *field,
		struct at at);

/* All fields but those of a list that ends with NULL. */
MUST_USE
int check_rest(struct check *c, struct pair p, const char *const *but,
	       struct at at);

/* The WITH of a statement: its queries, and in *at what the statement then
 * sees.  *list is to be freed (mem_free) when that is no longer used. */
MUST_USE
int check_with(struct check *c, struct pair p, struct cte **list,
	       struct at *at);

/* ---- check_from.c */

/* A table that is read, and its rule. */
struct named {
	const struct world_table *world;
	const struct tenant_table *rule;
	const char *alias; /* or its own name */
};

MUST_USE
int named_find(struct check *c, const struct tree_node *var, struct named *out);
bool named_cte(const struct tree_node *var, const struct cte *ctes);

/* The same table, now with its schema. */
MUST_USE
int named_qualified(struct check *c, struct pair p, const struct named *n);

MUST_USE
int check_table(struct check *c, struct pair p, struct at at);
MUST_USE
int check_sample(struct check *c, struct pair p);
MUST_USE
int check_join(struct check *c, struct pair p, struct at at);

/* FROM and WHERE of a SELECT. */
MUST_USE
int check_from(struct check *c, struct pair p, struct at at);

/* ---- check_group.c: p is a SELECT */

MUST_USE
int check_group(struct check *c, struct pair p, struct at at);

/* ---- check_write.c */

MUST_USE
int check_update(struct check *c, struct pair p, struct at at);
MUST_USE
int check_delete(struct check *c, struct pair p, struct at at);
MUST_USE
int check_merge(struct check *c, struct pair p, struct at at);

/* A table that is written. */
MUST_USE
int check_target(struct check *c, struct pair p, struct named *out);

/* No SET of a column that says to whom a row belongs. */
MUST_USE
int check_sets(struct check *c, const struct named *n,
	       const struct tree_node *stmt);
bool check_owner(const struct tenant_table *rule, const char *column);

/* A condition behind predicates. */
MUST_USE
int check_condition(struct check *c, struct pair p, const char *preds,
		    struct at at);

/* ---- check_reads.c */

/* Does it read rows of its target?  Fails where a mask would be passed. */
MUST_USE
int check_reads(struct check *c, const struct named *n,
		const struct tree_node *stmt, bool *reads);

/* ---- check_rows.c */

struct insert {
	struct named n;
	unsigned ncolumns;	    /* before */
	const char *const *columns; /* their names */
	bool adds;		    /* by, and the column was not given */
	bool query;		    /* its source is no VALUES */
	const char **own;	    /* memory of columns */
};

MUST_USE
int check_insert(struct check *c, struct pair p, struct at at);

/* The insert branch of MERGE. */
MUST_USE
int check_branch(struct check *c, struct pair p, const struct named *n,
		 struct at at);

/* ---- check_conflict.c: p is the ON CONFLICT, or nothing */

MUST_USE
int check_conflict(struct check *c, const struct insert *in, struct pair p,
		   struct at at);

/* ---- check_form.c */

void form_name(struct str *s, const char *name);
void form_table(struct str *s, const char *schema, const char *name);

/* P of a table for the row `q` (quoted); depth of the first EXISTS is 1. */
struct form_row {
	const struct tenant_table *rule;
	const char *q;
	unsigned depth;
};
MUST_USE
int form_pred(struct check *c, struct str *s, struct form_row row);

/* P AND LIMIT; nothing when nothing holds. */
MUST_USE
int form_all(struct check *c, struct str *s, const struct named *n,
	     enum tenant_action action);

/* Only the LIMIT of an action, joined likewise. */
MUST_USE
int form_limit(struct check *c, struct str *s, const struct named *n,
	       enum tenant_action action);

/* A condition of access rules over the row q, between brackets. */
struct form_parts {
	const struct tenant_part *parts;
	unsigned n;
	const char *q; /* quoted */
};
MUST_USE
int form_condition(struct check *c, struct str *s, const struct form_parts *p);
void form_own(struct check *c, struct str *s);
void form_raise(struct check *c, struct str *s, const char *schema,
		const char *type);

/* Is b this text, with the nodes of `holes` in its holes?  The node looked at
 * is reached from the parsed text by a path of fields, "target_list.val". */
struct form {
	const char *sql;
	const char *path;
	const struct tree_node *const *holes;
	unsigned nholes;
};
MUST_USE
int form_matches(struct check *c, const struct form *f,
		 const struct tree_node *b, struct at at);

/* Is b the same as what was parsed of a form, whatever it names? */
MUST_USE
int form_same(struct check *c, struct pair p);

/* ---- check_leak.c */

bool check_leaky(const struct tree_node *root);

#endif
