/* SPDX-License-Identifier: MIT */
#include "sample_row.h"

#include <stdio.h>
#include <string.h>

/* ---- what rules name --------------------------------------------------- */

static void
name_side(struct sample_named *n, const struct expr_operand *o,
	  const struct expr *leaf)
{
	if (o->from == EXPR_COLUMN)
		n->found(n, o->text, leaf);
}

static void
name_in(struct sample_named *n, const struct expr *x)
{
	for (unsigned i = 0; i < x->nargs; i++)
		name_in(n, x->args[i]);
	if (!x->rowed || x->nargs > 0)
		return;
	name_side(n, &x->left, x);
	if (x->kind == EXPR_COMPARE)
		name_side(n, &x->right, x);
}

static bool
is_about(const struct access_table *tables, unsigned n, const char *schema,
	 const char *name)
{
	for (unsigned i = 0; i < n; i++)
		if (strcmp(tables[i].name, name) == 0 &&
		    strcmp(tables[i].schema, schema) == 0)
			return true;
	return false;
}

void
sample_named_columns(struct sample_named *n, const struct access_rules *rules,
		     const char *schema, const char *name)
{
	for (unsigned i = 0; rules != NULL && i < rules->nrules; i++) {
		const struct access_rule *r = &rules->rules[i];

		if (!is_about(r->tables, r->ntables, schema, name))
			continue;
		for (unsigned k = 0; k < r->ncolumns; k++)
			n->found(n, r->columns[k], NULL);
		if (r->when != NULL)
			name_in(n, r->when);
	}
}

/* ---- columns ----------------------------------------------------------- */

struct columns {
	struct sample_named named; /* first: it is this */
	struct arena *a;
	struct world_column *list;
	const char **values;
	unsigned n, room;
};

static struct world_column *
find(const struct columns *c, const char *name)
{
	for (unsigned i = 0; i < c->n; i++)
		if (strcmp(c->list[i].name, name) == 0)
			return &c->list[i];
	return NULL;
}

static void
grow(struct columns *c)
{
	unsigned room = c->room > 0 ? c->room * 2 : 16;
	struct world_column *list = arena_new(c->a, room * sizeof(*list));
	const char **values = arena_new(c->a, room * sizeof(*values));

	if (c->n > 0) {
		memcpy(list, c->list, c->n * sizeof(*list));
		memcpy(values, c->values, c->n * sizeof(*values));
	}
	c->list = list;
	c->values = values;
	c->room = room;
}

/* type NULL: not known yet. */
static void
add(struct columns *c, const char *name, const char *type, const char *value)
{
	struct world_column *old = find(c, name);

	if (old != NULL) {
		if (old->type == NULL)
			old->type = type;
		return;
	}
	if (c->n == c->room)
		grow(c);
	c->list[c->n] = (struct world_column){
		.name = name, .type_schema = "pg_catalog", .type = type};
	c->values[c->n++] = value;
}

/* The type of a column that is compared with this. */
static const char *
type_beside(const struct columns *c, const struct expr_operand *o)
{
	switch (o->from) {
	case EXPR_NUMBER:
		return "numeric";
	case EXPR_BOOL:
		return "bool";
	case EXPR_COLUMN:
		return find(c, o->text) != NULL ? find(c, o->text)->type : NULL;
	case EXPR_TEXT:
	case EXPR_ATTR:
		break;
	}
	return "text";
}

static void
on_named(struct sample_named *n, const char *column, const struct expr *leaf)
{
	struct columns *c = (struct columns *)n;
	const struct expr_operand *o = leaf != NULL ? &leaf->right : NULL;

	if (leaf != NULL && leaf->kind == EXPR_COMPARE &&
	    leaf->right.from == EXPR_COLUMN &&
	    strcmp(leaf->right.text, column) == 0)
		o = &leaf->left;
	if (leaf != NULL && leaf->nlist > 0)
		o = &leaf->list[0];
	if (leaf == NULL || leaf->kind == EXPR_KNOWN)
		add(c, column, NULL, NULL);
	else
		add(c, column, type_beside(c, o), NULL);
}

/* ---- the row ----------------------------------------------------------- */

static int
add_value(const struct sample_row_ask *ask, struct columns *c, unsigned i,
	  struct err *e)
{
	const struct decl_value *v = &ask->row->items[i];
	const char *name = ask->row->keys[i], *text;

	switch (v->type) {
	case DECL_TEXT:
		add(c, name, "text", v->text);
		return 0;
	case DECL_BOOL:
		add(c, name, "bool", v->yes ? "t" : "f");
		return 0;
	case DECL_NUMBER:
		text = arena_printf(c->a, "%.15g", v->number);
		if (v->unit != 0 || strpbrk(text, "en") != NULL)
			break;
		add(c, name, strchr(text, '.') != NULL ? "numeric" : "int8",
		    text);
		return 0;
	case DECL_NONE:
	case DECL_LIST:
	case DECL_MAP:
	case DECL_TERM:
	case DECL_FUNCTION:
		break;
	}
	return decl_fail(e, ask->d,
			 "row: %s is a text, a number, true or false", name);
}

int
sample_row(const struct sample_row_ask *ask, struct arena *a,
	   struct sample_row *out, struct err *e)
{
	const struct tenant_table *t = ask->table;
	struct columns c = {.named = {on_named}, .a = a};
	const struct decl_value *named;
	unsigned n = decl_texts(ask->named, &named);

	grow(&c);
	for (unsigned i = 0; ask->row != NULL && i < ask->row->n; i++)
		if (add_value(ask, &c, i, e) < 0)
			return e->code;
	if (t->kind == TENANT_BY)
		add(&c, t->column, NULL, NULL);
	sample_named_columns(&c.named, ask->rules, t->schema, t->name);
	for (unsigned i = 0; i < n; i++)
		add(&c, named[i].text, NULL, NULL);
	for (unsigned i = 0; i < c.n; i++)
		if (c.list[i].type == NULL)
			c.list[i].type = "text";
	out->values = c.values;
	out->table = (struct world_table){.schema = t->schema,
					  .name = t->name,
					  .kind = WORLD_TABLE,
					  .ncolumns = c.n,
					  .columns = c.list};
	return 0;
}
