/* SPDX-License-Identifier: MIT
 *
 * expr - conditions of the access rules: one tree, two targets.
 *
 *	all { has_role "nurse", hours("Mon-Fri 07:00-19:00", "UTC"),
 *	      row.location_id:one_of(ctx.locations) }
 *
 * An expression is total: no loops, always an answer.  It is either evaluated
 * here over who asks, the time and the texts of a row, or, where it speaks of
 * a row, becomes an SQL predicate: what does not depend on the row is decided
 * here first, and values are parameters.  Both say the same of every row.
 *
 * Three values.  What is not known is UNKNOWN and never false by accident: an
 * attribute that the context does not have, NULL in a row, no clock.  all is
 * the least of its parts, any the greatest, no the opposite (Kleene), as AND,
 * OR and NOT in SQL.  A condition permits when it is YES and forbids unless it
 * is NO.
 *
 * A fault is a condition that makes no sense for this request: an address that
 * is none, a clinic "abc" against a column of integers, a time zone that does
 * not exist, a column that the table does not have.  It does not depend on
 * values of the row or on the order of parts, counts as UNKNOWN, and is told
 * apart so that the rule can be voided and reported.
 *
 * How a column is compared, by its type:
 *
 *	text, varchar, name	bytes, COLLATE "C"; also < <= > >=
 *	an enum			its label; = and <> only
 *	int2, int4, int8	also < <= > >=
 *	numeric			by value: 1.10 = 1.1; NaN is greatest
 *	uuid, bool		= and <> only
 *	all others		only known(); char(n), floats, dates, domains,
 *				arrays are refused: their texts and their
 *				values do not compare alike
 *
 * A function of the policy file (EXPR_CALL) is the one thing that is asked
 * elsewhere, through expr_ask.call.  It is told who asks and when, and never
 * of a row; when it fails, or nobody can be asked, it is at fault.
 *
 * Memory: a tree is plain data in the arena of whoever made it.
 * Thread: a tree is immutable; a zones has its own lock.
 */
#ifndef EXPR_H
#define EXPR_H

#include <stdbool.h>
#include <stdint.h>

#include "context.h"
#include "err.h"
#include "hours.h"
#include "ip.h"
#include "mem.h"
#include "str.h"
#include "tenant.h"
#include "world.h"
#include "zone.h"

/* In this order: all is min, any is max, no is 2 - x. */
enum expr_truth { EXPR_NO, EXPR_UNKNOWN, EXPR_YES };

/* X(NAME, word, is a set, what it is) */
/* clang-format off */
#define EXPR_ATTRS(X) \
	X(CLINICS, "clinics", true, "tenants of the context") \
	X(ROLES, "roles", true, "roles as given, without inherited ones") \
	X(LOCATIONS, "locations", true, "locations the user works at") \
	X(USER, "user", false, "who asks") \
	X(LOCATION, "location", false, "where it is asked") \
	X(IP, "ip", false, "address it is asked from") \
	X(DEVICE, "device", false, "device it is asked with") \
	X(PURPOSE, "purpose", false, "what it is asked for") \
	X(CLINIC_TZ, "clinic_tz", false, "time zone of the clinic")

/* clang-format on */
enum expr_attr {
#define EXPR_ATTR_ENUM(name, word, set, meaning) EXPR_ATTR_##name,
	EXPR_ATTRS(EXPR_ATTR_ENUM)
#undef EXPR_ATTR_ENUM
		EXPR_ATTRS_N
};

const char *expr_attr_word(enum expr_attr a);
bool expr_attr_is_set(enum expr_attr a);
/* EXPR_ATTRS_N: there is none of that word. */
enum expr_attr expr_attr_of(const char *word);

enum expr_from { EXPR_TEXT, EXPR_NUMBER, EXPR_BOOL, EXPR_ATTR, EXPR_COLUMN };

struct expr_operand {
	enum expr_from from;
	const char *text; /* TEXT, NUMBER (in decimal), BOOL ("t", "f"), name
			   * of COLUMN */
	enum expr_attr attr;
};

enum expr_kind {
	EXPR_TRUTH,   /* always `yes` */
	EXPR_ALL,     /* args */
	EXPR_ANY,     /* args */
	EXPR_NOT,     /* args[0] */
	EXPR_COMPARE, /* left op right */
	EXPR_ONE_OF,  /* left is one of list or, when that is empty, of the
		       * attribute right */
	EXPR_EVERY,   /* every one of the set left is one of the same */
	EXPR_KNOWN,   /* left is there; never UNKNOWN */
	EXPR_ROLE,    /* the user has the role, itself or by inheritance */
	EXPR_HOURS,   /* it is inside of hours in the zone left */
	EXPR_IP,      /* the address is in one of ranges */
	EXPR_CALL,    /* the function says so */
};

enum expr_op { EXPR_EQ, EXPR_NE, EXPR_LT, EXPR_LE, EXPR_GT, EXPR_GE };

struct expr {
	enum expr_kind kind;
	enum expr_op op;
	bool yes;
	bool rowed; /* speaks of a row; set by expr_check */
	unsigned nargs, nlist, nranges;
	struct expr *const *args;
	struct expr_operand left, right;
	const struct expr_operand *list; /* TEXT, NUMBER, BOOL */
	const char *text;		 /* ROLE: its name; HOURS: as written;
				  * CALL: how it is called */
	unsigned role;			 /* its number in the rules */
	unsigned function;		 /* CALL: its number */
	struct hours hours;
	const struct ip_range *ranges;
	const char *const *range_texts;
};

#define EXPR_DEPTH 32 /* of a tree */
#define EXPR_ROLES 256

/* What the host knows beyond the context: "locations", "clinic_tz". */
struct expr_fact {
	enum expr_attr attr;
	unsigned n;
	const char *const *texts;
};

#define EXPR_FACTS 2

/* Those that a context carries itself; how many.  c may be NULL. */
unsigned expr_facts(const struct context *c, struct expr_fact out[EXPR_FACTS]);

#define EXPR_NO_CLOCK INT64_MIN

/* The row, or only its table, that columns are about. */
struct expr_row {
	const struct world *world; /* to know an enum; or NULL */
	const struct world_table *table;
	const char *const *values; /* as the server writes them, in the order
				    * of the table's columns; NULL is NULL */
};

/* Who runs the functions of the file. */
struct expr_call {
	/* 0: *says is what function `number` says, UNKNOWN included.  An error:
	 * it has no answer; e->text holds no value of the context. */
	int (*ask)(void *arg, unsigned number, enum expr_truth *says,
		   struct err *e);
	void *arg;
};

struct expr_ask {
	const struct context *ctx; /* or NULL */
	const struct expr_fact *facts;
	unsigned nfacts;
	int64_t now_s;	      /* since 1970; EXPR_NO_CLOCK: not trusted */
	const uint64_t *held; /* roles, with inherited ones, a bit each;
			       * NULL: not known */
	struct zones *zones;
	const struct expr_call *call; /* NULL: nobody can be asked */
	struct expr_row row;	      /* table NULL: there is none */
};

/* The first fault, in the order of the text. */
struct expr_fault {
	const struct expr *at; /* NULL: none */
	char text[160];
};

/* ---- birth --------------------------------------------------------------- */

/* Is the tree sound, whatever the table?  Sets rowed.  LUNATE_EINVAL. */
MUST_USE
int expr_check(struct expr *x, struct zones *zs, struct err *e);

/* Does every column it names exist in the table, with a type that can be
 * compared so, and do literals fit?  LUNATE_EINVAL. */
MUST_USE
int expr_fit(const struct expr *x, const struct expr_row *row, struct err *e);

/* ---- use ----------------------------------------------------------------- */

/* Of a checked tree.  *f is only ever filled, never cleared. */
enum expr_truth expr_eval(const struct expr *x, const struct expr_ask *ask,
			  struct expr_fault *f);

/* What is left when all but the row is known. */
struct expr_rest {
	bool rowed; /* false: truth is the answer for every row */
	enum expr_truth truth;
	const struct expr *leaf; /* rowed: this, or kind over parts */
	enum expr_kind kind;
	unsigned n;
	struct expr_rest *parts;
};

struct expr_folding {
	const struct expr_ask *ask; /* row.values are not looked at */
	struct arena *a;	    /* the rest lies in it */
	struct expr_fault *fault;   /* as of expr_eval() */
};

void expr_fold(const struct expr *x, const struct expr_folding *by,
	       struct expr_rest *out);

/* No row makes it less, or more, than this. */
struct expr_range {
	enum expr_truth least, most;
};

struct expr_range expr_rest_range(const struct expr_rest *rest);

/* A predicate in the making.  Text lies in the arena given at its begin. */
struct expr_sql {
	struct arena *a;
	struct str text; /* since the last cut */
	struct tenant_part *parts;
	unsigned nparts, parts_room;
	const char **values; /* texts of the parameters */
	unsigned nvalues, values_room;
	unsigned first_value; /* number of values[0]; 0 unless set */
};

void expr_sql_init(struct expr_sql *s, struct arena *a);
/* Plain text of ours. */
void expr_sql_text(struct expr_sql *s, const char *text);
/* What expr_fold() left, under the same ask. */
void expr_sql_rest(struct expr_sql *s, const struct expr_rest *rest,
		   const struct expr_ask *ask);
/* Ends the last part: what was written is parts[.. nparts - 1]. */
void expr_sql_cut(struct expr_sql *s);
void expr_sql_fini(struct expr_sql *s);

/* As a policy file writes it. */
void expr_print(const struct expr *x, struct str *out);

/* The smallest parts because of which it is not YES; how many, at most
 * `room`.  Without a row what speaks of one is left out. */
unsigned expr_failing(const struct expr *x, const struct expr_ask *ask,
		      const struct expr **out, unsigned room);

#endif
