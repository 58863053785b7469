/* SPDX-License-Identifier: MIT
 *
 * expr_int - what the files of expr share: values by class, and sides.
 *
 * Thread: any; keeps nothing.
 */
#ifndef EXPR_INT_H
#define EXPR_INT_H

#include "expr.h"

/* How a column is compared. */
enum expr_class {
	EXPR_CLASS_NONE, /* not at all */
	EXPR_CLASS_TEXT,
	EXPR_CLASS_ENUM,
	EXPR_CLASS_INT,
	EXPR_CLASS_NUMERIC,
	EXPR_CLASS_UUID,
	EXPR_CLASS_BOOL,
};

struct expr_text {
	const char *at;
	size_t len;
};

/* A text that was read as a value of a class. */
struct expr_value {
	enum expr_class class_;
	struct expr_text text; /* all but INT */
	int64_t number;	       /* INT */
};

/* NULL: the table has no such column. */
const struct world_column *expr_column(const struct expr_row *row,
				       const char *name);
enum expr_class expr_class_of(const struct expr_row *row,
			      const struct world_column *c);
/* Of what two sides are compared as; NONE with a reason in *why. */
enum expr_class expr_sides(const struct expr *x, const struct expr_row *row,
			   const char **why);

/* "pg_catalog.int8". */
const char *expr_class_type(enum expr_class c);

/* false: the text is no value of the class. */
MUST_USE
bool expr_value_read(enum expr_class c, struct expr_text t,
		     struct expr_value *out);
/* < 0, 0, > 0; both of one class. */
int expr_value_compare(const struct expr_value *a, const struct expr_value *b);
bool expr_value_ordered(enum expr_class c);

/* How many texts an attribute has now; 0: not known. */
unsigned expr_attr_count(const struct expr_ask *ask, enum expr_attr a);
struct expr_text expr_attr_at(const struct expr_ask *ask, enum expr_attr a,
			      unsigned i);

/* Of the right of ONE_OF and EVERY: how many, and the i-th. */
unsigned expr_list_count(const struct expr *x, const struct expr_ask *ask);
struct expr_text expr_list_at(const struct expr *x, const struct expr_ask *ask,
			      unsigned i);

/* A side of a row's comparison under an ask. */
enum expr_side { EXPR_SIDE_VALUE, EXPR_SIDE_UNKNOWN, EXPR_SIDE_BAD };

enum expr_side expr_side_read(const struct expr_operand *o,
			      const struct expr_ask *ask, enum expr_class c,
			      struct expr_value *out);

void expr_fault(struct expr_fault *f, const struct expr *at, const char *fmt,
		...) PRINTF_LIKE(3, 4);

/* What a comparison says when nothing of the row is looked at: a fault, an
 * unknown side, or `true`: it has to be asked of the row. */
bool expr_leaf_open(const struct expr *x, const struct expr_ask *ask,
		    enum expr_class *c, struct expr_fault *f);

#endif
