/* SPDX-License-Identifier: MIT */
#include "expr.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "expr_int.h"

void
expr_fault(struct expr_fault *f, const struct expr *at, const char *fmt, ...)
{
	va_list ap;

	if (f == NULL || f->at != NULL)
		return;
	f->at = at;
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
}

static enum expr_truth
truth(bool yes)
{
	return yes ? EXPR_YES : EXPR_NO;
}

static bool
holds(enum expr_op op, int c)
{
	switch (op) {
	case EXPR_EQ:
		return c == 0;
	case EXPR_NE:
		return c != 0;
	case EXPR_LT:
		return c < 0;
	case EXPR_LE:
		return c <= 0;
	case EXPR_GT:
		return c > 0;
	case EXPR_GE:
		break;
	}
	return c >= 0;
}

static const char *
row_value(const struct expr_row *row, const struct world_column *c)
{
	return row->values != NULL ? row->values[c - row->table->columns]
				   : NULL;
}

/* An attribute against a literal or another one: bytes. */
static bool
plain_text(const struct expr_operand *o, const struct expr_ask *ask,
	   struct expr_text *out)
{
	if (o->from != EXPR_ATTR) {
		*out = (struct expr_text){o->text, strlen(o->text)};
		return true;
	}
	if (expr_attr_count(ask, o->attr) != 1)
		return false;
	*out = expr_attr_at(ask, o->attr, 0);
	return true;
}

enum expr_side
expr_side_read(const struct expr_operand *o, const struct expr_ask *ask,
	       enum expr_class c, struct expr_value *out)
{
	const struct world_column *column;
	struct expr_text t;

	if (o->from != EXPR_COLUMN) {
		if (!plain_text(o, ask, &t))
			return EXPR_SIDE_UNKNOWN;
		return expr_value_read(c, t, out) ? EXPR_SIDE_VALUE
						  : EXPR_SIDE_BAD;
	}
	column = expr_column(&ask->row, o->text);
	t.at = column != NULL ? row_value(&ask->row, column) : NULL;
	if (t.at == NULL)
		return EXPR_SIDE_UNKNOWN;
	t.len = strlen(t.at);
	return expr_value_read(c, t, out) ? EXPR_SIDE_VALUE : EXPR_SIDE_BAD;
}

static bool
same(struct expr_text a, struct expr_text b)
{
	return a.len == b.len && memcmp(a.at, b.at, a.len) == 0;
}

static bool
listed(const struct expr *x, const struct expr_ask *ask, struct expr_text t)
{
	unsigned n = expr_list_count(x, ask);

	for (unsigned i = 0; i < n; i++)
		if (same(expr_list_at(x, ask, i), t))
			return true;
	return false;
}

/* Every right side can be read as the class; a fault when one cannot. */
static bool
rights_read(const struct expr *x, const struct expr_ask *ask, enum expr_class c,
	    struct expr_fault *f)
{
	unsigned n = expr_list_count(x, ask);
	struct expr_value v;

	for (unsigned i = 0; i < n; i++)
		if (!expr_value_read(c, expr_list_at(x, ask, i), &v)) {
			expr_fault(f, x, "a value of the list is no %s",
				   expr_class_type(c));
			return false;
		}
	return n > 0;
}

/* A side that is not the row's: may the row be asked? */
static bool
side_open(const struct expr *x, const struct expr_operand *o,
	  const struct expr_ask *ask, struct expr_fault *f)
{
	const char *why;
	enum expr_class c = expr_sides(x, &ask->row, &why);
	struct expr_value v;
	enum expr_side s;

	if (o->from == EXPR_COLUMN)
		return true;
	s = expr_side_read(o, ask, c, &v);
	if (s == EXPR_SIDE_BAD)
		expr_fault(f, x, "%s%s is no %s",
			   o->from == EXPR_ATTR ? "ctx." : "",
			   o->from == EXPR_ATTR ? expr_attr_word(o->attr)
						: "the literal",
			   expr_class_type(c));
	return s == EXPR_SIDE_VALUE;
}

bool
expr_leaf_open(const struct expr *x, const struct expr_ask *ask,
	       enum expr_class *c, struct expr_fault *f)
{
	const char *why;
	bool left, right;

	*c = expr_sides(x, &ask->row, &why);
	if (why != NULL) {
		expr_fault(f, x, "%s", why);
		return false;
	}
	if (x->kind == EXPR_KNOWN)
		return true;
	if (x->kind == EXPR_ONE_OF)
		return rights_read(x, ask, *c, f);
	left = side_open(x, &x->left, ask, f);
	right = side_open(x, &x->right, ask, f);
	return left && right;
}

static enum expr_truth
row_listed(const struct expr *x, const struct expr_ask *ask,
	   const struct expr_value *v)
{
	unsigned n = expr_list_count(x, ask);
	struct expr_value other;

	for (unsigned i = 0; i < n; i++)
		if (expr_value_read(v->class_, expr_list_at(x, ask, i),
				    &other) &&
		    expr_value_compare(v, &other) == 0)
			return EXPR_YES;
	return EXPR_NO;
}

static enum expr_truth
eval_row(const struct expr *x, const struct expr_ask *ask, struct expr_fault *f)
{
	struct expr_value a, b;
	enum expr_side left, right;
	enum expr_class c;

	if (!expr_leaf_open(x, ask, &c, f))
		return EXPR_UNKNOWN;
	if (x->kind == EXPR_KNOWN)
		return truth(row_value(&ask->row,
				       expr_column(&ask->row, x->left.text)) !=
			     NULL);
	left = expr_side_read(&x->left, ask, c, &a);
	if (left == EXPR_SIDE_BAD)
		expr_fault(f, x, "row.%s is no %s", x->left.text,
			   expr_class_type(c));
	if (left != EXPR_SIDE_VALUE)
		return EXPR_UNKNOWN;
	if (x->kind == EXPR_ONE_OF)
		return row_listed(x, ask, &a);
	right = expr_side_read(&x->right, ask, c, &b);
	if (right == EXPR_SIDE_BAD)
		expr_fault(f, x, "row.%s is no %s", x->right.text,
			   expr_class_type(c));
	if (right != EXPR_SIDE_VALUE)
		return EXPR_UNKNOWN;
	return truth(holds(x->op, expr_value_compare(&a, &b)));
}

static enum expr_truth
eval_compare(const struct expr *x, const struct expr_ask *ask)
{
	struct expr_text a, b;

	if (!plain_text(&x->left, ask, &a) || !plain_text(&x->right, ask, &b))
		return EXPR_UNKNOWN;
	return truth(same(a, b) == (x->op == EXPR_EQ));
}

static enum expr_truth
eval_one_of(const struct expr *x, const struct expr_ask *ask)
{
	struct expr_text t;

	if (!plain_text(&x->left, ask, &t) || expr_list_count(x, ask) == 0)
		return EXPR_UNKNOWN;
	return truth(listed(x, ask, t));
}

static enum expr_truth
eval_every(const struct expr *x, const struct expr_ask *ask)
{
	unsigned n = expr_attr_count(ask, x->left.attr);

	if (n == 0 || expr_list_count(x, ask) == 0)
		return EXPR_UNKNOWN;
	for (unsigned i = 0; i < n; i++)
		if (!listed(x, ask, expr_attr_at(ask, x->left.attr, i)))
			return EXPR_NO;
	return EXPR_YES;
}

static enum expr_truth
eval_hours(const struct expr *x, const struct expr_ask *ask,
	   struct expr_fault *f)
{
	const struct zone *z;
	struct zone_clock c;
	struct expr_text t;
	struct err e;

	if (!plain_text(&x->left, ask, &t))
		return EXPR_UNKNOWN;
	if (zones_get(ask->zones, t.at, &z, &e) < 0) {
		if (x->left.from ==
		    EXPR_ATTR) /* its value is nobody's business */
			expr_fault(f, x,
				   "ctx.%s is no time zone (is tzdata "
				   "installed?)",
				   expr_attr_word(x->left.attr));
		else
			expr_fault(f, x, "%s", e.text);
		return EXPR_UNKNOWN;
	}
	if (ask->now_s == EXPR_NO_CLOCK)
		return EXPR_UNKNOWN;
	c = zone_clock(z, ask->now_s);
	return truth(hours_hold(&x->hours, c.weekday, c.second));
}

static enum expr_truth
eval_ip(const struct expr *x, const struct expr_ask *ask, struct expr_fault *f)
{
	struct ip a;

	if (expr_attr_count(ask, EXPR_ATTR_IP) == 0)
		return EXPR_UNKNOWN;
	if (!ip_read(ask->ctx->ip, &a)) {
		expr_fault(f, x, "ctx.ip is no IP address");
		return EXPR_UNKNOWN;
	}
	for (unsigned i = 0; i < x->nranges; i++)
		if (ip_within(&a, &x->ranges[i]))
			return EXPR_YES;
	return EXPR_NO;
}

static enum expr_truth
eval_role(const struct expr *x, const struct expr_ask *ask)
{
	if (ask->held == NULL)
		return EXPR_UNKNOWN;
	return truth(ask->held[x->role / 64] >> x->role % 64 & 1);
}

static enum expr_truth
eval_call(const struct expr *x, const struct expr_ask *ask,
	  struct expr_fault *f)
{
	enum expr_truth says = EXPR_UNKNOWN;
	struct err e = {0};

	if (ask->call == NULL) {
		expr_fault(f, x, "nobody runs the functions of the file here");
		return EXPR_UNKNOWN;
	}
	if (ask->call->ask(ask->call->arg, x->function, &says, &e) < 0) {
		expr_fault(f, x, "%s", e.text);
		return EXPR_UNKNOWN;
	}
	return says;
}

/* All parts, also when the answer is settled: a fault must not depend on
 * their order. */
static enum expr_truth
eval_parts(const struct expr *x, const struct expr_ask *ask,
	   struct expr_fault *f)
{
	enum expr_truth all = x->kind == EXPR_ALL ? EXPR_YES : EXPR_NO;

	for (unsigned i = 0; i < x->nargs; i++) {
		enum expr_truth t = expr_eval(x->args[i], ask, f);

		if (x->kind == EXPR_ALL ? t < all : t > all)
			all = t;
	}
	return all;
}

enum expr_truth
expr_eval(const struct expr *x, const struct expr_ask *ask,
	  struct expr_fault *f)
{
	switch (x->kind) {
	case EXPR_TRUTH:
		return truth(x->yes);
	case EXPR_ALL:
	case EXPR_ANY:
		return eval_parts(x, ask, f);
	case EXPR_NOT:
		return EXPR_YES - expr_eval(x->args[0], ask, f);
	case EXPR_COMPARE:
		return x->rowed ? eval_row(x, ask, f) : eval_compare(x, ask);
	case EXPR_ONE_OF:
		return x->rowed ? eval_row(x, ask, f) : eval_one_of(x, ask);
	case EXPR_EVERY:
		return eval_every(x, ask);
	case EXPR_KNOWN:
		if (x->rowed)
			return eval_row(x, ask, f);
		return truth(expr_attr_count(ask, x->left.attr) > 0);
	case EXPR_ROLE:
		return eval_role(x, ask);
	case EXPR_HOURS:
		return eval_hours(x, ask, f);
	case EXPR_IP:
		return eval_ip(x, ask, f);
	case EXPR_CALL:
		break;
	}
	return eval_call(x, ask, f);
}
