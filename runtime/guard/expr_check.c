/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "expr_int.h"

static const char *const both_columns = "the columns differ in type";

static enum expr_class
column_class(const struct expr_operand *o, const struct expr_row *row,
	     const char **why)
{
	const struct world_column *c = expr_column(row, o->text);
	enum expr_class class_;

	if (c == NULL) {
		*why = "the table has no such column";
		return EXPR_CLASS_NONE;
	}
	class_ = expr_class_of(row, c);
	if (class_ == EXPR_CLASS_NONE)
		*why = "columns of this type are not compared";
	return class_;
}

/* known() asks nothing of the type. */
static void
known_column(const struct expr *x, const struct expr_row *row, const char **why)
{
	const struct world_column *c = expr_column(row, x->left.text);
	const struct world *w = row->world;

	if (c == NULL)
		*why = "the table has no such column";
	else if (strcmp(c->type_schema, "pg_catalog") != 0 && w != NULL &&
		 strchr("cd", w->type(w->arg, c->type_schema, c->type)) != NULL)
		*why = "what is NULL in a composite or a domain is not plain";
}

enum expr_class
expr_sides(const struct expr *x, const struct expr_row *row, const char **why)
{
	bool left = x->left.from == EXPR_COLUMN;
	bool right = x->kind == EXPR_COMPARE && x->right.from == EXPR_COLUMN;
	enum expr_class c;

	*why = NULL;
	if (x->kind == EXPR_KNOWN) {
		known_column(x, row, why);
		return EXPR_CLASS_NONE;
	}
	c = column_class(left ? &x->left : &x->right, row, why);
	if (*why == NULL && left && right &&
	    column_class(&x->right, row, why) != c && *why == NULL)
		*why = both_columns;
	if (*why == NULL && x->kind == EXPR_COMPARE && x->op > EXPR_NE &&
	    !expr_value_ordered(c))
		*why = "columns of this type have no < and >";
	return c;
}

/* ---- without a table ----------------------------------------------------- */

static int
bad(struct err *e, const struct expr *x, const char *text)
{
	struct str s;
	int rc;

	str_init(&s);
	expr_print(x, &s);
	rc = err_set(e, LUNATE_EINVAL, "%.200s: %s", s.at, text);
	str_fini(&s);
	return rc;
}

static bool
utf8(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	while (*p != 0) {
		int more = *p < 0x80   ? 0
			   : *p < 0xc2 ? -1
			   : *p < 0xe0 ? 1
			   : *p < 0xf0 ? 2
			   : *p < 0xf5 ? 3
				       : -1;
		unsigned char first = *p++, second = *p;

		if (more < 0 || (first == 0xe0 && second < 0xa0) ||
		    (first == 0xed && second > 0x9f) ||
		    (first == 0xf0 && second < 0x90) ||
		    (first == 0xf4 && second > 0x8f))
			return false;
		for (; more > 0; more--)
			if ((*p++ & 0xc0) != 0x80)
				return false;
	}
	return true;
}

static bool
literal(const struct expr_operand *o)
{
	return o->from == EXPR_TEXT || o->from == EXPR_NUMBER ||
	       o->from == EXPR_BOOL;
}

static bool
set(const struct expr_operand *o)
{
	return o->from == EXPR_ATTR && expr_attr_is_set(o->attr);
}

static int
check_compare(struct expr *x, struct err *e)
{
	const struct expr_operand *l = &x->left, *r = &x->right;

	if (set(l) || set(r))
		return bad(e, x,
			   "one side is a set: use one_of, has or "
			   "within");
	if (literal(l))
		return bad(e, x, "the left side is ctx.x or row.x");
	x->rowed = l->from == EXPR_COLUMN || r->from == EXPR_COLUMN;
	if (!x->rowed && x->op > EXPR_NE)
		return bad(e, x, "attributes have no < and >");
	if (!x->rowed && literal(r) && r->from != EXPR_TEXT)
		return bad(e, x, "attributes are texts");
	return utf8(r->text != NULL ? r->text : "")
		       ? 0
		       : bad(e, x, "a text is not UTF-8");
}

static int
check_list(struct expr *x, struct err *e)
{
	x->rowed = x->left.from == EXPR_COLUMN;
	if (x->nlist == 0 && x->right.from != EXPR_ATTR)
		return bad(e, x, "the list is empty");
	if (x->kind == EXPR_EVERY && !set(&x->left))
		return bad(e, x, "the left side is no set");
	if (x->kind == EXPR_ONE_OF && set(&x->left))
		return bad(e, x, "the left side is a set: use within");
	if (literal(&x->left) && x->left.from != EXPR_TEXT)
		return bad(e, x, "attributes are texts");
	for (unsigned i = 0; i < x->nlist; i++) {
		if (!literal(&x->list[i]))
			return bad(e, x, "a list holds plain values");
		if (!x->rowed && x->list[i].from != EXPR_TEXT)
			return bad(e, x, "attributes are texts");
		if (!utf8(x->list[i].text))
			return bad(e, x, "a text is not UTF-8");
	}
	return 0;
}

static int
check_hours(struct expr *x, struct zones *zs, struct err *e)
{
	const struct zone *z;

	if (x->left.from == EXPR_TEXT)
		return zones_get(zs, x->left.text, &z, e);
	if (x->left.from != EXPR_ATTR || x->left.attr != EXPR_ATTR_CLINIC_TZ)
		return bad(e, x, "the zone is a text or ctx.clinic_tz");
	return 0;
}

static int check(struct expr *x, struct zones *zs, unsigned depth,
		 struct err *e);

static int
check_parts(struct expr *x, struct zones *zs, unsigned depth, struct err *e)
{
	if (x->nargs == 0 || (x->kind == EXPR_NOT && x->nargs != 1))
		return err_set(e, LUNATE_EINVAL,
			       "all, any and no need conditions; no takes one");
	for (unsigned i = 0; i < x->nargs; i++) {
		int rc = check(x->args[i], zs, depth + 1, e);

		if (rc < 0)
			return rc;
		x->rowed |= x->args[i]->rowed;
	}
	return 0;
}

static int
check(struct expr *x, struct zones *zs, unsigned depth, struct err *e)
{
	if (depth > EXPR_DEPTH)
		return err_set(e, LUNATE_EINVAL, "more than %d levels",
			       EXPR_DEPTH);
	switch (x->kind) {
	case EXPR_ALL:
	case EXPR_ANY:
	case EXPR_NOT:
		return check_parts(x, zs, depth, e);
	case EXPR_COMPARE:
		return check_compare(x, e);
	case EXPR_ONE_OF:
	case EXPR_EVERY:
		return check_list(x, e);
	case EXPR_KNOWN:
		x->rowed = x->left.from == EXPR_COLUMN;
		return literal(&x->left) ? bad(e, x, "a value is known") : 0;
	case EXPR_HOURS:
		return check_hours(x, zs, e);
	case EXPR_IP:
		return x->nranges > 0 ? 0 : bad(e, x, "no range is given");
	case EXPR_TRUTH:
	case EXPR_ROLE:
	case EXPR_CALL:
		break;
	}
	return 0;
}

int
expr_check(struct expr *x, struct zones *zs, struct err *e)
{
	return check(x, zs, 0, e);
}

/* ---- with a table -------------------------------------------------------- */

static bool
fits(const struct expr_operand *o, enum expr_class c)
{
	bool numbers = c == EXPR_CLASS_INT || c == EXPR_CLASS_NUMERIC;
	struct expr_value v;

	if (!literal(o))
		return true;
	if ((o->from == EXPR_NUMBER && !numbers) ||
	    (o->from == EXPR_BOOL) != (c == EXPR_CLASS_BOOL))
		return false;
	return expr_value_read(c, (struct expr_text){o->text, strlen(o->text)},
			       &v);
}

static int
fit_leaf(const struct expr *x, const struct expr_row *row, struct err *e)
{
	const char *why;
	enum expr_class c = expr_sides(x, row, &why);

	if (why != NULL)
		return bad(e, x, why);
	if (x->kind == EXPR_COMPARE && !fits(&x->right, c))
		return bad(e, x, "the value does not fit the column");
	for (unsigned i = 0; i < x->nlist; i++)
		if (!fits(&x->list[i], c))
			return bad(e, x, "a value does not fit the column");
	return 0;
}

int
expr_fit(const struct expr *x, const struct expr_row *row, struct err *e)
{
	if (!x->rowed)
		return 0;
	if (x->nargs == 0)
		return fit_leaf(x, row, e);
	for (unsigned i = 0; i < x->nargs; i++) {
		int rc = expr_fit(x->args[i], row, e);

		if (rc < 0)
			return rc;
	}
	return 0;
}
