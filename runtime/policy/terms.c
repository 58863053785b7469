/* SPDX-License-Identifier: MIT */
#include "terms.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "near.h"
#include "vocab.h"

/* ---- errors ------------------------------------------------------------ */

/* At the line of the condition, which may not be that of the declaration. */
static int fail(const struct terms *t, int line, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

static int
fail(const struct terms *t, int line, const char *fmt, ...)
{
	struct decl at = *t->d;
	char text[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (line > 0)
		at.line = line;
	return decl_fail(t->e, &at, "%s", text);
}

int
terms_role(const struct terms *t, const char *name, int line)
{
	struct near near;

	near_init(&near, name);
	for (unsigned i = 0; i < t->nroles; i++) {
		if (strcmp(t->roles[i].name, name) == 0)
			return (int)i;
		near_try(&near, t->roles[i].name);
	}
	if (near_best(&near) != NULL)
		fail(t, line, "there is no role \"%s\"; did you mean \"%s\"?",
		     name, near_best(&near));
	else
		fail(t, line,
		     "there is no role \"%s\"; declare role \"%s\" {} too",
		     name, name);
	return -1;
}

static int
no_attr(const struct terms *t, const struct decl_value *v, const char *word)
{
	struct near near;

	near_init(&near, word);
	for (unsigned a = 0; a < EXPR_ATTRS_N; a++)
		near_try(&near, expr_attr_word((enum expr_attr)a));
	if (near_best(&near) != NULL)
		return fail(t, v->line,
			    "a context has no ctx.%s; did you mean ctx.%s?",
			    word, near_best(&near));
	return fail(t, v->line,
		    "a context has no ctx.%s; see lunate policy words access",
		    word);
}

/* ---- operands ---------------------------------------------------------- */

static bool
is_term(const struct decl_value *v, const char *op)
{
	return v->type == DECL_TERM && strcmp(v->text, op) == 0;
}

static int
take_number(const struct terms *t, const struct decl_value *v,
	    struct expr_operand *out)
{
	char text[64];

	if (v->unit != 0)
		return fail(t, 0, "times and sizes are not compared with");
	snprintf(text, sizeof(text), "%.15g", v->number);
	if (strpbrk(text, "en") != NULL)
		return fail(t, 0,
			    "%s is too large or too small for a number here; "
			    "write it as a text",
			    text);
	out->from = EXPR_NUMBER;
	out->text = arena_dup(t->arena, text, strlen(text));
	return 0;
}

/* row.x and ctx.x */
static int
take_place(const struct terms *t, const struct decl_value *v,
	   struct expr_operand *out)
{
	const char *name = v->items[0].text;

	if (is_term(v, "row")) {
		*out = (struct expr_operand){EXPR_COLUMN, name, 0};
		return 0;
	}
	*out = (struct expr_operand){EXPR_ATTR, NULL, expr_attr_of(name)};
	return out->attr == EXPR_ATTRS_N ? no_attr(t, v, name) : 0;
}

static int
take_operand(const struct terms *t, const struct decl_value *v,
	     struct expr_operand *out)
{
	*out = (struct expr_operand){EXPR_TEXT, v->text, 0};
	switch (v->type) {
	case DECL_TEXT:
		return 0;
	case DECL_NUMBER:
		return take_number(t, v, out);
	case DECL_BOOL:
		out->from = EXPR_BOOL;
		out->text = v->yes ? "t" : "f";
		return 0;
	case DECL_TERM:
		if (is_term(v, "row") || is_term(v, "ctx"))
			return take_place(t, v, out);
		break;
	case DECL_NONE:
	case DECL_LIST:
	case DECL_MAP:
	case DECL_FUNCTION:
		break;
	}
	return fail(t, v->line,
		    "what is compared is row.x, ctx.x, a text, a number, true "
		    "or false");
}

static int
take_list(const struct terms *t, const struct decl_value *v, unsigned n,
	  struct expr *x)
{
	struct expr_operand *list = arena_new(t->arena,
					      (n + 1) * sizeof(*list));

	for (unsigned i = 0; i < n; i++)
		if (take_operand(t, &v[i], &list[i]) < 0)
			return t->e->code;
	x->list = list;
	x->nlist = n;
	return 0;
}

/* ---- conditions -------------------------------------------------------- */

/* What a word makes of its arguments, args[0] being what stands before ":". */
struct made {
	const struct terms *t;
	const struct decl_value *v;
	struct expr *x;
};

static int
wants(const struct made *m, const char *form)
{
	return fail(m->t, m->v->line, "it is written %s", form);
}

static int
make_parts(const struct made *m)
{
	struct expr **args = arena_new(m->t->arena,
				       (m->v->n + 1) * sizeof(*args));

	for (unsigned i = 0; i < m->v->n; i++)
		if (terms_read(m->t, &m->v->items[i], &args[i]) < 0)
			return m->t->e->code;
	m->x->args = args;
	m->x->nargs = m->v->n;
	return 0;
}

static int
make_compare(const struct made *m)
{
	if (m->v->n != 2)
		return wants(m, "row.x:eq(value)");
	if (take_operand(m->t, &m->v->items[0], &m->x->left) < 0)
		return m->t->e->code;
	return take_operand(m->t, &m->v->items[1], &m->x->right);
}

/* left:one_of(list), left:within(list): a list, values, or a set of ctx. */
static int
make_one_of(const struct made *m)
{
	const struct decl_value *v = m->v->items + 1;
	unsigned n = m->v->n - 1;

	if (n == 0)
		return wants(m, "row.x:one_of { \"a\", \"b\" }");
	if (take_operand(m->t, &m->v->items[0], &m->x->left) < 0)
		return m->t->e->code;
	if (n == 1 && v->type == DECL_LIST)
		return take_list(m->t, v->items, v->n, m->x);
	if (n == 1 && v->type == DECL_MAP && v->n == 0)
		return fail(m->t, m->v->line, "the list is empty");
	if (n == 1 && is_term(v, "ctx"))
		return take_operand(m->t, v, &m->x->right);
	return take_list(m->t, v, n, m->x);
}

/* ctx.set:has(value) */
static int
make_has(const struct made *m)
{
	const struct decl_value *v = m->v->items;

	if (m->v->n != 2 || !is_term(v, "ctx"))
		return wants(m, "ctx.clinics:has(value)");
	if (take_operand(m->t, &v[1], &m->x->left) < 0 ||
	    take_operand(m->t, v, &m->x->right) < 0)
		return m->t->e->code;
	return expr_attr_is_set(m->x->right.attr)
		       ? 0
		       : fail(m->t, m->v->line, "ctx.%s is no set; use eq",
			      v->items[0].text);
}

static int
make_known(const struct made *m)
{
	if (m->v->n != 1)
		return wants(m, "row.x:known()");
	return take_operand(m->t, m->v->items, &m->x->left);
}

static int
make_role(const struct made *m)
{
	int role;

	if (m->v->n != 1 || m->v->items->type != DECL_TEXT)
		return wants(m, "has_role \"nurse\"");
	role = terms_role(m->t, m->v->items->text, m->v->line);
	if (role < 0)
		return m->t->e->code;
	m->x->role = (unsigned)role;
	m->x->text = m->v->items->text;
	return 0;
}

static int
make_hours(const struct made *m)
{
	const struct decl_value *v = m->v->items;
	struct err e;

	if (m->v->n < 1 || m->v->n > 2 || v->type != DECL_TEXT)
		return wants(m, "hours(\"Mon-Fri 07:00-19:00\", "
				"ctx.clinic_tz)");
	if (hours_read(v->text, &m->x->hours, &e) < 0)
		return fail(m->t, m->v->line, "%s", e.text);
	m->x->text = v->text;
	m->x->left = (struct expr_operand){EXPR_ATTR, NULL,
					   EXPR_ATTR_CLINIC_TZ};
	return m->v->n == 2 ? take_operand(m->t, &v[1], &m->x->left) : 0;
}

static int
make_ip(const struct made *m)
{
	unsigned n = m->v->n;
	struct ip_range *ranges = arena_new(m->t->arena,
					    (n + 1) * sizeof(*ranges));
	const char **texts = arena_new(m->t->arena, (n + 1) * sizeof(*texts));
	struct err e;

	for (unsigned i = 0; i < n; i++) {
		if (m->v->items[i].type != DECL_TEXT)
			return wants(m, "ip(\"10.20.0.0/16\", ...); it is "
					"always about ctx.ip");
		texts[i] = m->v->items[i].text;
		if (ip_range_read(texts[i], &ranges[i], &e) < 0)
			return fail(m->t, m->v->line, "%s", e.text);
	}
	m->x->ranges = ranges;
	m->x->range_texts = texts;
	m->x->nranges = n;
	return 0;
}

static const struct word {
	const char *op;
	enum expr_kind kind;
	enum expr_op compare;
	int (*make)(const struct made *);
} words[] = {
	{"all", EXPR_ALL, 0, make_parts},
	{"any", EXPR_ANY, 0, make_parts},
	{"no", EXPR_NOT, 0, make_parts},
	{"role", EXPR_ROLE, 0, make_role},
	{"hours", EXPR_HOURS, 0, make_hours},
	{"ip", EXPR_IP, 0, make_ip},
	{"eq", EXPR_COMPARE, EXPR_EQ, make_compare},
	{"ne", EXPR_COMPARE, EXPR_NE, make_compare},
	{"lt", EXPR_COMPARE, EXPR_LT, make_compare},
	{"le", EXPR_COMPARE, EXPR_LE, make_compare},
	{"gt", EXPR_COMPARE, EXPR_GT, make_compare},
	{"ge", EXPR_COMPARE, EXPR_GE, make_compare},
	{"one_of", EXPR_ONE_OF, 0, make_one_of},
	{"within", EXPR_EVERY, 0, make_one_of},
	{"has", EXPR_ONE_OF, 0, make_has},
	{"known", EXPR_KNOWN, 0, make_known},
};

#define NWORDS (sizeof(words) / sizeof(*words))

static int
no_word(const struct terms *t, const struct decl_value *v)
{
	struct near near;

	near_init(&near, v->text);
	for (size_t i = 0; i < NWORDS; i++)
		near_try(&near, words[i].op);
	if (near_best(&near) != NULL)
		return fail(t, v->line,
			    "there is no :%s(); did you mean :%s()?", v->text,
			    near_best(&near));
	return fail(t, v->line,
		    "there is no :%s(); see lunate policy words access",
		    v->text);
}

static int
make(const struct terms *t, const struct decl_value *v, struct expr *x)
{
	if (is_term(v, "row") || is_term(v, "ctx"))
		return fail(t, v->line,
			    "%s.%s by itself is no condition; say what of it, "
			    "as in %s.%s:eq(true)",
			    v->text, v->items[0].text, v->text,
			    v->items[0].text);
	for (size_t i = 0; i < NWORDS; i++)
		if (strcmp(words[i].op, v->text) == 0) {
			x->kind = words[i].kind;
			x->op = words[i].compare;
			return words[i].make(&(struct made){t, v, x});
		}
	return no_word(t, v);
}

int
terms_read(const struct terms *t, const struct decl_value *v, struct expr **out)
{
	struct expr *x = arena_new(t->arena, sizeof(*x));

	*out = x;
	if (v->type == DECL_TERM)
		return make(t, v, x);
	if (v->type == DECL_BOOL) {
		x->kind = EXPR_TRUTH;
		x->yes = v->yes;
		return 0;
	}
	if (v->type == DECL_FUNCTION) {
		x->kind = EXPR_CALL;
		x->function = v->function;
		x->text = arena_printf(t->arena, "function(ctx), line %d",
				       v->line);
		return 0;
	}
	return fail(t, v->line, "all, any and no take conditions");
}
