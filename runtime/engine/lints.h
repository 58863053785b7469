/* SPDX-License-Identifier: MIT
 *
 * lints - does the live database keep what isolation.lua takes for granted?
 *
 *   lints_start --state of each table's policies, is a seal good?-->
 *               --all lints--> done()
 *       findings -> doctor's list       closed.h -> tables nobody may touch
 *
 * A lint is one SELECT over the rules and the catalogs (lints_sql.c), asked as
 * the application's own role, whose rights are what is judged.  Each finding
 * has the SQL that mends it.  Where rows of one tenant could reach another the
 * finding closes its table; a finding without a table closes all of them.
 *
 * A lint may be accepted on purpose (isolation.lua: accept), for one table or
 * for all: it is told still, as advice, and closes nothing.
 *
 * Memory: embedded in its owner; findings lie in the rows of the answer until
 *         lints_fini().
 * Thread: that of the worker.
 */
#ifndef LINTS_H
#define LINTS_H

#include "doctor.h"
#include "op.h"
#include "rls.h"
#include "rules.h"

struct lint {
	const char *name;
	const char *what; /* is wrong, for people */
	const char *sql;  /* schema, name, object, fix, closes */
	bool closes;	  /* it may */
};

extern const struct lint lints_list[];
extern const unsigned lints_count;

/* All, or those that may close a table.  $1 rules as JSON, each with the state
 * of its policies; $2 mode, $3 type of tenants, $4 is a sealed context good? */
void lints_sql(bool closing, struct str *out);

struct lint_finding {
	const struct lint *lint;
	const char *schema, *name; /* "": not about one table */
	const char *object;	   /* column, policy, role, ... */
	const char *fix;	   /* SQL, or a command */
	bool closes, accepted;
};

struct lints {
	struct op op; /* op.err: what could not be asked */
	bool closing; /* set before: ask only what may close a table */
	const struct isolation_rules *of;
	struct str sql;
	char *rules; /* as JSON */
	bool sealed; /* a context that was sealed here is good there */
	struct pgval vals[4];
	void (*done)(struct lints *l);
};

/* Of rules that are ON, the same for both: the same questions, and the same
 * answers accepted. */
uint64_t lints_key(const struct isolation_rules *rules);

/* Zeroed memory but for `closing`; the rules are ON and borrowed until
 * lints_fini(); done() follows from the loop. */
void lints_start(struct lints *l, struct worker *w,
		 const struct isolation_rules *rules,
		 void (*done)(struct lints *l));

/* After done(): how many, and each of them, in the order of lints_list. */
unsigned lints_found(const struct lints *l);
struct lint_finding lints_finding(const struct lints *l, unsigned i);

/* SQL that psql may run, or a command and advice for people? */
bool lints_fix_is_sql(const struct lint_finding *f);

/* As a finding of the doctor. */
void lints_tell(const struct lint_finding *f, struct doctor_finding *to);

void lints_fini(struct lints *l);

#endif
