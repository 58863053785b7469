/* SPDX-License-Identifier: MIT
 *
 * tenant - which rows belong to whom, and the rewrite that keeps to it.
 *
 * A statement is edited, not printed anew: the original text is spliced at
 * token offsets, because PostgreSQL's deparser changes meaning.  The rewriter
 * is not trusted.  Its result is parsed again and accepted or refused by
 * check.h, which shares no code with it and knows the forms below.
 *
 * Names in what is added are qualified, `lunate_` is a reserved beginning, and
 * the tenant is always one bind parameter, number n = one more than the
 * statement's own.
 *
 *	TENANT   one tenant:  $n::pg_catalog.TYPE
 *	         a set:       ANY ($n::pg_catalog.TYPE[])
 *	EQ       OPERATOR(pg_catalog.=)
 *	Q        the name by which the row is known where the predicate stands
 *
 * P(table, Q), the predicate of a table; its EXISTS aliases are lunate_1,
 * lunate_2, ... by depth:
 *
 *	by       Q.column EQ TENANT
 *	parent   EXISTS (SELECT FROM ps.pt AS lunate_1
 *	                 WHERE lunate_1.other EQ Q.own [AND ...]
 *	                 AND P(parent, lunate_1))
 *	through  EXISTS (SELECT FROM ms.mt AS lunate_1
 *	                 WHERE lunate_1.other EQ Q.own [AND ...]
 *	                 AND lunate_1.column EQ TENANT)
 *	shared   none
 *
 * LIMIT(Q), of the access rules (struct tenant_limit): (its text), with Q in
 * place of each row and parameters in place of values: those behind the
 * tenant's, or behind the statement's own when it has no tenant, in the order
 * in which the text needs them.  Behind a row's name a text goes on with
 * ."column".  With a limit of rows OFFSET 0 and CASE below stand as when
 * rewriting is the only barrier: the database knows nothing of it.
 *
 * Where a table stands:
 *
 * F1  in FROM, USING, or as a MERGE source:
 *	[ONLY] name [*] [alias] [TABLESAMPLE ...]   becomes
 *	(SELECT * FROM [ONLY] s.t AS lunate_0 [TABLESAMPLE ...]
 *	 WHERE P(t, lunate_0) [AND LIMIT(lunate_0)] [OFFSET 0]) AS alias
 *     alias is the one given (with its column list) or the table's name; a
 *     row taken whole then has the names of that list (row_to_json(t) shows
 *     them), where a row of the table itself keeps its own.  With
 *     masked columns the "*" is a list of all columns, lunate_0.c,
 *     CAST(NULL AS type) AS c, or, with a condition,
 *     CASE WHEN (its text) THEN lunate_0.c END AS c.  "TABLE t" becomes
 *     "SELECT * FROM" and F1.  A table that a column names by its schema is
 *     refused here: a sub-select has none.  With a column list, the row as a
 *     whole tells the names of the list (row_to_json), where a table tells
 *     its own.
 *     When a SELECT is grouped by columns among which is the primary key of
 *     such a table, its other columns that are named in the select list,
 *     HAVING, ORDER BY, WINDOW or DISTINCT ON join the GROUP BY, at its end,
 *     as alias.column: of a table a key covers them, of a sub-select not.
 *     OFFSET 0 stands when rewriting is the only barrier (ask.fence) and the
 *     statement is leaky: it could tell of a row before its tenant was looked
 *     at.  Leaky is, anywhere in the statement, what may raise or act (a call
 *     of a function, a cast, a subscript, an operator other than = <> != < >
 *     <= >=, those of IN, BETWEEN, IS DISTINCT FROM and NULLIF included, and
 *     LIKE or ILIKE of a literal without a backslash; an XML or JSON
 *     expression) with a column below it, and what compares (an operator, IN,
 *     CASE x WHEN, GREATEST) with a whole row below it; but for those parts of
 *     the root that are worked out from rows that were let through: its select
 *     list, RETURNING, SET, GROUP BY, ORDER BY, DISTINCT ON, WINDOW, LIMIT and
 *     OFFSET, not counting SELECTs inside them.  What the planner asks of its
 *     statistics nothing here holds back: only the database's barrier does.
 * F2  in place, when a SELECT has GROUP BY (a grouped key covers the other
 *     columns of a table, not those of a sub-select) or the statement names a
 *     column by schema.table.column: the table stays, with its schema, and P
 *     and LIMIT join the WHERE of its SELECT, in the order of its tables:
 *	WHERE P [AND LIMIT] [AND P2 ...] [AND (what stood there)]
 *     F1 it is all the same below the nullable side of an outer join or in a
 *     FULL join, below a join with an alias (which hides the name), with
 *     TABLESAMPLE, a list of column aliases or masked columns, and where
 *     OFFSET 0 has to stand.
 * F3  the target of UPDATE or DELETE: as F2 in its WHERE.  Where F1 would have
 *     OFFSET 0, what stood there is put behind the predicates:
 *	WHERE P AND CASE WHEN P THEN (what stood there) ELSE false END
 *     DELETE from a table that is reached `through` another also has
 *	AND NOT EXISTS (SELECT FROM ms.mt AS lunate_1 WHERE lunate_1.other EQ
 *	Q.own [AND ...] AND NOT lunate_1.column EQ TENANT)
 *     The target of MERGE: P in front of its ON, in the same manner:
 *	ON P AND (what stood there)
 * F4  shared, without a limit or mask: the table stays, with its schema; it is
 *     not written.
 *
 * The target of a write is no sub-select, so nothing stands between it and what
 * reads it.  A statement reads its target when it names a column of it (in a
 * condition, in an expression of SET, in RETURNING, as what conflicts), the row
 * or "*"; a name without its table counts when the target has such a column.
 *   - LIMIT for reading joins the predicate (F3, I5) when it is read
 *   - what is masked of the target cannot be read, whatever the mask's
 *     condition: refused by name (masked), the whole row and "*" too
 *   - RETURNING of an INSERT gives what that statement wrote, so LIMIT is not
 *     asked of it
 *
 * INSERT, the insert branch of MERGE included (a positional one gets its list
 * of columns first).  What is inserted is named one by one: t.* and (row).*
 * may be no value or many, and shift what stands behind them.  RAISE(T) =
 * (pg_catalog.parse_ident(pg_catalog.concat('?', $n::pg_catalog.TYPE)))[1]::T,
 * an error of routine parse_ident; the function itself is refused to
 * statements.  OWN = $n::pg_catalog.TYPE.
 *
 * I1  by, column not given: it is added as the last one, and OWN as the last
 *     of every VALUES row or of the select list of every arm.
 * I2  by, column given: its expression e becomes
 *	CASE WHEN (e) EQ OWN THEN OWN ELSE RAISE(pg_catalog.TYPE) END
 *     and DEFAULT becomes OWN.
 * I3  parent: all `own` columns are given, each a parameter, a literal
 *     or (in a query) a column named with its table, casts allowed; the first
 *     one's e becomes
 *	CASE WHEN EXISTS (SELECT FROM ps.pt AS lunate_1 WHERE lunate_1.other
 *	EQ (e) [AND lunate_1.other2 EQ (e2)] AND P(parent, lunate_1))
 *	THEN (e) ELSE RAISE(its type) END
 * I4  through: VALUES without WITH, whose `own` columns are parameters or
 *     literals; in front stands
 *	WITH lunate_member AS (INSERT INTO ms.mt (other, ..., column)
 *	VALUES (e, ..., OWN), ...)
 *     With a database barrier RETURNING is refused here: the server would ask
 *     whether the new row is visible before its membership is.
 * I5  ON CONFLICT names columns or a constraint that contain the column (by)
 *     or every `own` column (parent); DO UPDATE gets P(t, Q) in its WHERE as
 *     F3.  through: refused.
 *
 * A column that says to whom a row belongs (by, own) is not SET, and none that
 * LIMIT for updating speaks of: the row would leave the reach of whoever
 * changes it, or come into that of others, with nobody asked.  When such a
 * column is generated, nothing is SET: any column may be what it is worked out
 * from.  Nor is a part of it inserted, own['a'] or own[1]: what is looked at
 * would not be what the column then holds.
 *
 * Always true: the original bytes are all there in order, but for names that
 *              were qualified and the word TABLE.
 * Memory: results lie in the arena given.
 * Thread: any; keeps nothing.
 */
#ifndef TENANT_H
#define TENANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "mem.h"
#include "tree.h"
#include "world.h"

/* ---- rules: what policies/isolation.lua says */

enum tenant_type { TENANT_UUID, TENANT_INT4, TENANT_INT8, TENANT_TEXT };

enum tenant_kind {
	TENANT_BY,	/* a column names the tenant */
	TENANT_PARENT,	/* as the row of another table it points to */
	TENANT_THROUGH, /* a membership table says so */
	TENANT_SHARED,	/* everybody's, to read */
};

/* on = { own = "other" } */
struct tenant_pair {
	const char *own, *other;
};

struct tenant_table {
	const char *schema, *name;
	enum tenant_kind kind;
	const char *column; /* BY: of this table; THROUGH: of the membership */
	const char *via_schema, *via; /* PARENT, THROUGH: the other table */
	const struct tenant_pair *on;
	unsigned non;
	bool write_never;
	bool write_own;	  /* said so: a membership table's rows are added */
	const char *file; /* where the rule stands */
	int line;
};

struct tenant_rules {
	enum tenant_type type;
	unsigned ntables, nadded, nremoved;
	const struct tenant_table *tables; /* by schema, then name (strcmp) */
	/* Functions allowed and refused beyond the standard list, "name" or
	 * "schema.name". */
	const char *const *added, *const *removed;
};

/* The rule for a table, or NULL.  The world resolves names, not this. */
const struct tenant_table *tenant_find(const struct tenant_rules *r,
				       const char *schema, const char *name);

/* "uuid", "int4", "int8", "text": as in pg_type. */
const char *tenant_type_name(enum tenant_type type);

/* ---- what access rules add */

enum tenant_action {
	TENANT_READ,
	TENANT_INSERT,
	TENANT_UPDATE,
	TENANT_DELETE,
};

/* A condition over a row, cut where something is put in: between two parts
 * stands a row's name or a value.  text "" is allowed. */
struct tenant_part {
	const char *text;
	enum { TENANT_PART_END, TENANT_PART_ROW, TENANT_PART_VALUE } then;
	unsigned value; /* PART_VALUE: which, from 0; each one parameter */
};

/* A column that is not read as it is: NULL, or NULL in the rows for which the
 * condition is not true. */
struct tenant_mask {
	const char *column;
	unsigned nparts;
	const struct tenant_part *parts; /* none: NULL in every row */
};

/* For one table and action. */
struct tenant_limit {
	const char *schema, *name;
	enum tenant_action action;
	unsigned nparts, nmasks;
	const struct tenant_part *parts; /* none: every row */
	const struct tenant_mask *masks; /* READ only */
};

struct tenant_limits {
	unsigned nlimits, nvalues;
	const struct tenant_limit *limits;
};

/* NULL: none for this table and action. */
const struct tenant_limit *tenant_limit_find(const struct tenant_limits *l,
					     const struct tenant_table *t,
					     enum tenant_action action);

/* Compared whole: texts, masks and which value stands where, not what the
 * values are.  NULL is like NULL. */
bool tenant_limits_same(const struct tenant_limits *a,
			const struct tenant_limits *b);
uint64_t tenant_limits_hash(const struct tenant_limits *l);
void tenant_limits_copy(const struct tenant_limits *l, struct arena *a,
			struct tenant_limits *out);

/* ---- the rewrite */

enum tenant_shape { TENANT_ONE, TENANT_SET };

struct tenant_ask {
	const struct tree *tree; /* of one statement, vetted */
	const struct tenant_rules *rules;
	const struct world *world;
	const struct tenant_limits *limits; /* or NULL */
	enum tenant_shape shape;
	bool fence; /* the database has no barrier of its own */
};

struct tenant_text {
	const char *sql;
	size_t len;
	unsigned own_params;	/* of the original */
	unsigned tenant_param;	/* 0: the statement touches no tenant's table,
				* and has no parameter for it */
	unsigned nvalues;	/* parameters behind that: */
	const unsigned *values; /* which value of the limits each one is */
	bool needs_one;		/* writes: the context has exactly one tenant */
};

/* LUNATE_EDENIED with a reason of refusal.h; LUNATE_ETOOBIG. */
MUST_USE
int tenant_rewrite(const struct tenant_ask *ask, struct arena *a,
		   struct tenant_text *out, struct err *e);

#endif
