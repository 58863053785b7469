/* SPDX-License-Identifier: MIT
 *
 * stmt_facts - inside stmt: from a tree to facts.
 *
 * Memory: everything a stmt points at lies in the arena given.
 * Thread: any; keeps nothing.
 */
#ifndef STMT_FACTS_H
#define STMT_FACTS_H

#include "mem.h"
#include "stmt.h"
#include "tree.h"

/* Fills kind, tx, flags, nparams, tables, functions, operators. */
MUST_USE
int facts_gather(struct stmt *s, const struct tree_node *root, struct arena *a,
		 struct err *e);

/* Fills normal, the text without literals; needs s->nparams. */
MUST_USE
int facts_normal(struct stmt *s, const struct tree *t, struct arena *a,
		 struct err *e);

/* Kind and flags that follow from the statement's own node. */
void facts_of_root(struct stmt *s, const struct tree_node *root);

/* Is this EXPLAIN going to run what it explains? */
bool facts_runs(const struct tree_node *explain);

#endif
