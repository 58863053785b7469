/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "expr_int.h"

/* ---- fold: all but the row is known -------------------------------------- */

static void
constant(struct expr_rest *out, enum expr_truth t)
{
	*out = (struct expr_rest){.truth = t};
}

static void
fold_leaf(const struct expr *x, const struct expr_folding *by,
	  struct expr_rest *out)
{
	enum expr_class c;

	if (!expr_leaf_open(x, by->ask, &c, by->fault)) {
		constant(out, EXPR_UNKNOWN);
		return;
	}
	*out = (struct expr_rest){.rowed = true, .leaf = x};
}

static void
fold_not(const struct expr *x, const struct expr_folding *by,
	 struct expr_rest *out)
{
	struct expr_rest *part = arena_new(by->a, sizeof(*part));

	expr_fold(x->args[0], by, part);
	if (!part->rowed)
		constant(out, EXPR_YES - part->truth);
	else
		*out = (struct expr_rest){true, 0, NULL, EXPR_NOT, 1, part};
}

/* Of the parts that are settled only the least (all) or the greatest (any)
 * counts; UNKNOWN stays beside what the row decides. */
static void
fold_parts(const struct expr *x, const struct expr_folding *by,
	   struct expr_rest *out)
{
	bool all = x->kind == EXPR_ALL;
	enum expr_truth settled = all ? EXPR_YES : EXPR_NO;
	struct expr_rest *parts;
	unsigned n = 0;

	parts = arena_new(by->a, (x->nargs + 1) * sizeof(*parts));
	for (unsigned i = 0; i < x->nargs; i++) {
		expr_fold(x->args[i], by, &parts[n]);
		if (parts[n].rowed)
			n++;
		else if (all ? parts[n].truth < settled
			     : parts[n].truth > settled)
			settled = parts[n].truth;
	}
	if (n == 0 || settled == (all ? EXPR_NO : EXPR_YES)) {
		constant(out, settled);
		return;
	}
	if (settled == EXPR_UNKNOWN)
		constant(&parts[n++], EXPR_UNKNOWN);
	if (n == 1)
		*out = parts[0];
	else
		*out = (struct expr_rest){true, 0, NULL, x->kind, n, parts};
}

void
expr_fold(const struct expr *x, const struct expr_folding *by,
	  struct expr_rest *out)
{
	if (!x->rowed)
		constant(out, expr_eval(x, by->ask, by->fault));
	else if (x->kind == EXPR_NOT)
		fold_not(x, by, out);
	else if (x->kind == EXPR_ALL || x->kind == EXPR_ANY)
		fold_parts(x, by, out);
	else
		fold_leaf(x, by, out);
}

struct expr_range
expr_rest_range(const struct expr_rest *rest)
{
	bool all = rest->kind == EXPR_ALL;
	struct expr_range r = {EXPR_NO, EXPR_YES}, part;

	if (!rest->rowed)
		return (struct expr_range){rest->truth, rest->truth};
	if (rest->leaf != NULL)
		return r;
	r = expr_rest_range(&rest->parts[0]);
	if (rest->kind == EXPR_NOT)
		return (struct expr_range){EXPR_YES - r.most,
					   EXPR_YES - r.least};
	for (unsigned i = 1; i < rest->n; i++) {
		part = expr_rest_range(&rest->parts[i]);
		if (all ? part.least < r.least : part.least > r.least)
			r.least = part.least;
		if (all ? part.most < r.most : part.most > r.most)
			r.most = part.most;
	}
	return r;
}

/* ---- print: the rest as SQL ---------------------------------------------- */

void
expr_sql_init(struct expr_sql *s, struct arena *a)
{
	memset(s, 0, sizeof(*s));
	s->a = a;
	str_init(&s->text);
}

/* Twice the room, in the arena. */
static void *
grown(struct expr_sql *s, const void *old, unsigned *room, size_t size)
{
	unsigned next = *room > 0 ? *room * 2 : 16;
	void *p = arena_new(s->a, next * size);

	if (*room > 0)
		memcpy(p, old, *room * size);
	*room = next;
	return p;
}

static void
part(struct expr_sql *s, int then, unsigned value)
{
	struct tenant_part *p;

	if (s->nparts == s->parts_room)
		s->parts = grown(s, s->parts, &s->parts_room, sizeof(*p));
	p = &s->parts[s->nparts++];
	p->text = arena_dup(s->a, s->text.at, s->text.len);
	p->then = then;
	p->value = value;
	str_clear(&s->text);
}

void
expr_sql_cut(struct expr_sql *s)
{
	part(s, TENANT_PART_END, 0);
}

void
expr_sql_text(struct expr_sql *s, const char *text)
{
	str_add(&s->text, text);
}

static void
value(struct expr_sql *s, const char *text, size_t len)
{
	if (s->nvalues == s->values_room)
		s->values = grown(s, s->values, &s->values_room,
				  sizeof(char *));
	s->values[s->nvalues] = arena_dup(s->a, text, len);
	part(s, TENANT_PART_VALUE, s->first_value + s->nvalues++);
}

static void
name(struct expr_sql *s, const char *column)
{
	part(s, TENANT_PART_ROW, 0);
	str_add(&s->text, ".\"");
	for (; *column != 0; column++) {
		if (*column == '"')
			str_addc(&s->text, '"');
		str_addc(&s->text, *column);
	}
	str_addc(&s->text, '"');
}

static void
side(struct expr_sql *s, const struct expr_operand *o,
     const struct expr_ask *ask, enum expr_class c)
{
	bool text = c == EXPR_CLASS_TEXT || c == EXPR_CLASS_ENUM;
	struct expr_text t = {o->text, o->text != NULL ? strlen(o->text) : 0};

	if (o->from == EXPR_COLUMN) {
		str_add(&s->text, text ? "((" : "(");
		name(s, o->text);
		str_add(&s->text, text ? ")::pg_catalog.text COLLATE "
					 "pg_catalog.\"C\")"
				       : ")");
		return;
	}
	if (o->from == EXPR_ATTR)
		t = expr_attr_at(ask, o->attr, 0);
	value(s, t.at, t.len);
	str_addf(&s->text, "::%s", expr_class_type(c));
}

/* {"a","b"}, as array_in reads it. */
static void
list(struct expr_sql *s, const struct expr *x, const struct expr_ask *ask)
{
	unsigned n = expr_list_count(x, ask);
	struct str out;

	str_init(&out);
	str_addc(&out, '{');
	for (unsigned i = 0; i < n; i++) {
		struct expr_text t = expr_list_at(x, ask, i);

		str_add(&out, i > 0 ? ",\"" : "\"");
		for (size_t k = 0; k < t.len; k++) {
			if (t.at[k] == '"' || t.at[k] == '\\')
				str_addc(&out, '\\');
			str_addc(&out, t.at[k]);
		}
		str_addc(&out, '"');
	}
	str_addc(&out, '}');
	value(s, out.at, out.len);
	str_fini(&out);
}

static void
leaf(struct expr_sql *s, const struct expr *x, const struct expr_ask *ask)
{
	static const char *const ops[] = {"=", "<>", "<", "<=", ">", ">="};
	const char *why;
	enum expr_class c = expr_sides(x, &ask->row, &why);

	str_addc(&s->text, '(');
	if (x->kind == EXPR_KNOWN) {
		name(s, x->left.text);
		str_add(&s->text, " IS NOT NULL");
	} else if (x->kind == EXPR_ONE_OF) {
		side(s, &x->left, ask, c);
		str_add(&s->text, " OPERATOR(pg_catalog.=) ANY (");
		list(s, x, ask);
		str_addf(&s->text, "::%s[])", expr_class_type(c));
	} else {
		side(s, &x->left, ask, c);
		str_addf(&s->text, " OPERATOR(pg_catalog.%s) ", ops[x->op]);
		side(s, &x->right, ask, c);
	}
	str_addc(&s->text, ')');
}

void
expr_sql_rest(struct expr_sql *s, const struct expr_rest *rest,
	      const struct expr_ask *ask)
{
	static const char *const words[] = {"false", "NULL::pg_catalog.bool",
					    "true"};

	if (!rest->rowed) {
		str_add(&s->text, words[rest->truth]);
		return;
	}
	if (rest->leaf != NULL) {
		leaf(s, rest->leaf, ask);
		return;
	}
	str_add(&s->text, rest->kind == EXPR_NOT ? "(NOT " : "(");
	for (unsigned i = 0; i < rest->n; i++) {
		if (i > 0)
			str_add(&s->text,
				rest->kind == EXPR_ALL ? " AND " : " OR ");
		expr_sql_rest(s, &rest->parts[i], ask);
	}
	str_addc(&s->text, ')');
}

void
expr_sql_fini(struct expr_sql *s)
{
	str_fini(&s->text);
}
