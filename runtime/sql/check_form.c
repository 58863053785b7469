/* SPDX-License-Identifier: MIT
 *
 * The expected forms: texts built from the rules, with holes.
 */
#include "check_int.h"

#include <stdio.h>
#include <string.h>

#include "refusal.h"

/* ---- texts ------------------------------------------------------------- */

void
form_name(struct str *s, const char *name)
{
	str_addc(s, '"');
	for (const char *p = name; *p != 0; p++) {
		str_addc(s, *p);
		if (*p == '"')
			str_addc(s, '"');
	}
	str_addc(s, '"');
}

void
form_table(struct str *s, const char *schema, const char *name)
{
	form_name(s, schema);
	str_addc(s, '.');
	form_name(s, name);
}

/* The names of types are the checker's own list. */
static const char *
type_of(const struct check *c)
{
	switch (c->ask->rules->type) {
	case TENANT_UUID:
		return "uuid";
	case TENANT_INT4:
		return "int4";
	case TENANT_INT8:
		return "int8";
	case TENANT_TEXT:
		return "text";
	}
	return "";
}

void
form_own(struct check *c, struct str *s)
{
	c->owned = true;
	str_addf(s, "$%u::pg_catalog.%s", c->param, type_of(c));
}

void
form_raise(struct check *c, struct str *s, const char *schema, const char *type)
{
	c->owned = true;
	str_addf(s,
		 "(pg_catalog.parse_ident(pg_catalog.concat('?', "
		 "$%u::pg_catalog.%s)))[1]::",
		 c->param, type_of(c));
	form_table(s, schema, type);
}

static void
add_is_own(struct check *c, struct str *s, const char *column)
{
	c->owned = true;
	form_name(s, column);
	if (c->ask->shape == TENANT_SET)
		str_addf(s,
			 " OPERATOR(pg_catalog.=) ANY ($%u::pg_catalog.%s[])",
			 c->param, type_of(c));
	else
		str_addf(s, " OPERATOR(pg_catalog.=) $%u::pg_catalog.%s",
			 c->param, type_of(c));
}

static void
add_exists(struct str *s, const struct form_row *row)
{
	const struct tenant_table *r = row->rule;

	str_add(s, "EXISTS (SELECT FROM ");
	form_table(s, r->via_schema, r->via);
	str_addf(s, " AS lunate_%u WHERE ", row->depth);
	for (unsigned i = 0; i < r->non; i++) {
		str_addf(s, "lunate_%u.", row->depth);
		form_name(s, r->on[i].other);
		str_addf(s, " OPERATOR(pg_catalog.=) %s.", row->q);
		form_name(s, r->on[i].own);
		str_add(s, " AND ");
	}
}

#define DEEPEST 16

int
form_pred(struct check *c, struct str *s, struct form_row row)
{
	const struct tenant_table *r = row.rule;
	struct form_row up = {.depth = row.depth + 1};
	char q[24];

	if (row.depth > DEEPEST)
		return check_fail(c, "its parents do not end");
	if (r->kind == TENANT_BY) {
		str_addf(s, "%s.", row.q);
		add_is_own(c, s, r->column);
		return 0;
	}
	if (r->kind != TENANT_PARENT && r->kind != TENANT_THROUGH)
		return check_fail(c, "%s.%s has no tenant", r->schema, r->name);
	add_exists(s, &row);
	snprintf(q, sizeof(q), "lunate_%u", row.depth);
	if (r->kind == TENANT_THROUGH) {
		str_addf(s, "%s.", q);
		add_is_own(c, s, r->column);
	} else {
		up.rule = tenant_find(c->ask->rules, r->via_schema, r->via);
		up.q = q;
		if (up.rule == NULL)
			return check_fail(c, "%s.%s has no rule", r->via_schema,
					  r->via);
		if (form_pred(c, s, up) < 0)
			return c->e->code;
	}
	str_addc(s, ')');
	return 0;
}

/* Where a value is bound; 0: nowhere. */
static unsigned
bound_at(const struct check *c, unsigned value)
{
	for (unsigned i = 0; i < c->ask->nvalues; i++)
		if (c->ask->values[i] == value)
			return c->param + (c->ask->tenant_param != 0) + i;
	return 0;
}

int
form_condition(struct check *c, struct str *s, const struct form_parts *p)
{
	str_addc(s, '(');
	for (unsigned i = 0; i < p->n; i++) {
		const struct tenant_part *t = &p->parts[i];
		unsigned at = 0;

		str_add(s, t->text);
		switch (t->then) {
		case TENANT_PART_ROW:
			str_add(s, p->q);
			break;
		case TENANT_PART_VALUE:
			at = bound_at(c, t->value);
			if (at == 0)
				return check_fail(c, "a value is not bound");
			str_addf(s, "$%u", at);
			break;
		case TENANT_PART_END:
			break;
		}
	}
	str_addc(s, ')');
	return 0;
}

int
form_limit(struct check *c, struct str *s, const struct named *n,
	   enum tenant_action action)
{
	const struct tenant_limit *l = tenant_limit_find(c->ask->limits,
							 n->rule, action);
	struct form_parts p = {0};
	struct str q;
	int rc;

	if (l == NULL || l->nparts == 0)
		return 0;
	str_init(&q);
	form_name(&q, n->alias);
	p = (struct form_parts){l->parts, l->nparts, q.at};
	str_add(s, s->len > 0 ? " AND " : "");
	rc = form_condition(c, s, &p);
	str_fini(&q);
	return rc;
}

int
form_all(struct check *c, struct str *s, const struct named *n,
	 enum tenant_action action)
{
	struct str q;
	int rc = 0;

	str_init(&q);
	form_name(&q, n->alias);
	if (n->rule->kind != TENANT_SHARED) {
		str_add(s, s->len > 0 ? " AND " : "");
		rc = form_pred(c, s, (struct form_row){n->rule, q.at, 1});
	}
	str_fini(&q);
	return rc < 0 ? rc : form_limit(c, s, n, action);
}

/* ---- comparing with a text --------------------------------------------- */

/* Which hole a node of the expected tree is, or -1. */
static int
hole_of(const struct tree_node *n)
{
	const struct tree_node *arg;
	const char *schema;

	if (tree_kind(n) != TREE_FUNC_CALL ||
	    strcmp(tree_dotted(n, "funcname", &schema), "lunate_hole") != 0)
		return -1;
	arg = tree_get(tree_item(n, "args", 0), "ival");
	return (int)tree_num(arg, "ival");
}

static int
differs(struct check *c, const struct tree_node *want)
{
	return check_fail(c, "a form is not what it should be at %s",
			  want != NULL ? tree_name(want) : "its end");
}

static int
matches(struct check *c, const struct form *f, struct pair p, struct at at)
{
	int hole = hole_of(p.a);

	if (hole >= 0) {
		if ((unsigned)hole >= f->nholes)
			return check_fail(c, "a form has too many holes");
		return check_same(c, PAIR(f->holes[hole], p.b), at);
	}
	if (!tree_alike(p.a, p.b))
		return differs(c, p.a);
	for (unsigned i = 0; i < tree_nfields(p.a); i++) {
		size_t n = tree_field_len(p.a, i);

		if (n != tree_field_len(p.b, i))
			return differs(c, p.a);
		for (size_t k = 0; k < n; k++)
			if (matches(c, f,
				    PAIR(tree_field_item(p.a, i, k),
					 tree_field_item(p.b, i, k)),
				    at) < 0)
				return c->e->code;
	}
	return 0;
}

int
form_same(struct check *c, struct pair p)
{
	const struct form none = {0};

	return matches(c, &none, p, (struct at){NULL, NULL});
}

/* Follows "from_clause.subquery". */
static const struct tree_node *
follow(const struct tree_node *n, const char *path)
{
	char field[64];

	while (*path != 0 && n != NULL) {
		size_t len = strcspn(path, ".");

		if (len >= sizeof(field))
			return NULL;
		memcpy(field, path, len);
		field[len] = 0;
		n = tree_has(n, field) ? tree_get(n, field) : NULL;
		path += len + (path[len] == '.');
	}
	return n;
}

int
form_matches(struct check *c, const struct form *f, const struct tree_node *b,
	     struct at at)
{
	struct tree *t;
	int rc;

	if (tree_parse(f->sql, strlen(f->sql), &t, c->e) < 0)
		return check_fail(c, "its form cannot be parsed");
	at.spot = NULL;
	rc = matches(c, f, PAIR(follow(tree_root(t, 0), f->path), b), at);
	tree_free(&t);
	return rc;
}
