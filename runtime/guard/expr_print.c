/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "expr_int.h"

static void
quoted(struct str *out, const char *text)
{
	str_addc(out, '"');
	for (; *text != 0; text++) {
		if (*text == '"' || *text == '\\')
			str_addc(out, '\\');
		if (*text == '\n')
			str_add(out, "\\n");
		else
			str_addc(out, *text);
	}
	str_addc(out, '"');
}

static void
operand(struct str *out, const struct expr_operand *o)
{
	switch (o->from) {
	case EXPR_TEXT:
		quoted(out, o->text);
		return;
	case EXPR_NUMBER:
		str_add(out, o->text);
		return;
	case EXPR_BOOL:
		str_add(out, o->text[0] == 't' ? "true" : "false");
		return;
	case EXPR_ATTR:
		str_addf(out, "ctx.%s", expr_attr_word(o->attr));
		return;
	case EXPR_COLUMN:
		break;
	}
	str_addf(out, "row.%s", o->text);
}

static void
listing(struct str *out, const struct expr *x)
{
	if (x->nlist == 0 && x->right.from == EXPR_ATTR) {
		operand(out, &x->right);
		return;
	}
	str_addc(out, '{');
	for (unsigned i = 0; i < x->nlist; i++) {
		str_add(out, i > 0 ? ", " : " ");
		operand(out, &x->list[i]);
	}
	str_add(out, " }");
}

static void
parts(struct str *out, const struct expr *x, const char *word)
{
	str_addf(out, "%s {", word);
	for (unsigned i = 0; i < x->nargs; i++) {
		str_add(out, i > 0 ? ", " : " ");
		expr_print(x->args[i], out);
	}
	str_add(out, " }");
}

static void
method(struct str *out, const struct expr *x, const char *word)
{
	operand(out, &x->left);
	str_addf(out, ":%s(", word);
	if (x->kind == EXPR_COMPARE)
		operand(out, &x->right);
	else if (x->kind != EXPR_KNOWN)
		listing(out, x);
	str_addc(out, ')');
}

static void
ranges(struct str *out, const struct expr *x)
{
	str_add(out, "ip(");
	for (unsigned i = 0; i < x->nranges; i++) {
		str_add(out, i > 0 ? ", " : "");
		quoted(out, x->range_texts[i]);
	}
	str_addc(out, ')');
}

/* "A" is one of a set reads better from the set's side. */
static void
one_of(struct str *out, const struct expr *x)
{
	if (x->left.from != EXPR_TEXT) {
		method(out, x, "one_of");
		return;
	}
	operand(out, &x->right);
	str_add(out, ":has(");
	quoted(out, x->left.text);
	str_addc(out, ')');
}

void
expr_print(const struct expr *x, struct str *out)
{
	static const char *const ops[] = {"eq", "ne", "lt", "le", "gt", "ge"};

	switch (x->kind) {
	case EXPR_TRUTH:
		str_add(out, x->yes ? "true" : "false");
		return;
	case EXPR_ALL:
		parts(out, x, "all");
		return;
	case EXPR_ANY:
		parts(out, x, "any");
		return;
	case EXPR_NOT:
		parts(out, x, "no");
		return;
	case EXPR_COMPARE:
		method(out, x, ops[x->op]);
		return;
	case EXPR_ONE_OF:
		one_of(out, x);
		return;
	case EXPR_EVERY:
		method(out, x, "within");
		return;
	case EXPR_KNOWN:
		method(out, x, "known");
		return;
	case EXPR_ROLE:
		str_add(out, "has_role ");
		quoted(out, x->text);
		return;
	case EXPR_HOURS:
		str_add(out, "hours(");
		quoted(out, x->text);
		str_add(out, ", ");
		operand(out, &x->left);
		str_addc(out, ')');
		return;
	case EXPR_IP:
		ranges(out, x);
		return;
	case EXPR_CALL:
		break;
	}
	str_add(out, x->text);
}

unsigned
expr_failing(const struct expr *x, const struct expr_ask *ask,
	     const struct expr **out, unsigned room)
{
	unsigned n = 0;

	if (room == 0 || (x->rowed && ask->row.values == NULL && x->nargs == 0))
		return 0;
	if (x->kind != EXPR_ALL && x->kind != EXPR_ANY) {
		if (x->rowed && ask->row.values == NULL)
			return 0;
		out[0] = x;
		return expr_eval(x, ask, NULL) != EXPR_YES;
	}
	if (x->kind == EXPR_ANY && expr_eval(x, ask, NULL) == EXPR_YES)
		return 0;
	for (unsigned i = 0; i < x->nargs; i++)
		n += expr_failing(x->args[i], ask, out + n, room - n);
	return n;
}
