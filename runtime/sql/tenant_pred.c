/* SPDX-License-Identifier: MIT
 *
 * The predicates: P and LIMIT of tenant.h, as text.
 */
#include "tenant_int.h"

#include <stdio.h>
#include <string.h>

#define EQ " OPERATOR(pg_catalog.=) "

/* No chain of parents is longer; rules with a circle are refused at load. */
#define PARENTS_MAX 16

void
pred_name(struct str *s, const char *name)
{
	str_addc(s, '"');
	for (; *name != 0; name++) {
		if (*name == '"')
			str_addc(s, '"');
		str_addc(s, *name);
	}
	str_addc(s, '"');
}

void
pred_table(struct str *s, const char *schema, const char *name)
{
	pred_name(s, schema);
	str_addc(s, '.');
	pred_name(s, name);
}

void
pred_own(struct rewrite *rw, struct str *s)
{
	rw->touched = true;
	str_addf(s, "$%u::pg_catalog.%s", rw->param,
		 tenant_type_name(rw->ask->rules->type));
}

static void
add_tenant(struct rewrite *rw, struct str *s)
{
	if (rw->ask->shape == TENANT_ONE) {
		pred_own(rw, s);
		return;
	}
	rw->touched = true;
	str_addf(s, "ANY ($%u::pg_catalog.%s[])", rw->param,
		 tenant_type_name(rw->ask->rules->type));
}

void
pred_raise(struct rewrite *rw, struct str *s, struct pred_type type)
{
	str_add(s, "(pg_catalog.parse_ident(pg_catalog.concat('?', ");
	pred_own(rw, s);
	str_add(s, ")))[1]::");
	pred_table(s, type.schema, type.name);
}

/* Opens the EXISTS over the other table, up to and with the joining pairs. */
static void
open_exists(struct str *s, struct pred_row row)
{
	const struct tenant_table *t = row.rule;

	str_add(s, "EXISTS (SELECT FROM ");
	pred_table(s, t->via_schema, t->via);
	str_addf(s, " AS lunate_%u WHERE ", row.depth);
	for (unsigned i = 0; i < t->non; i++) {
		if (i > 0)
			str_add(s, " AND ");
		str_addf(s, "lunate_%u.", row.depth);
		pred_name(s, t->on[i].other);
		str_addf(s, EQ "%s.", row.q);
		pred_name(s, t->on[i].own);
	}
	str_add(s, " AND ");
}

static int
add_parent(struct rewrite *rw, struct str *s, struct pred_row row)
{
	const struct tenant_table *t = row.rule;
	char alias[32];
	struct pred_row up = {
		tenant_find(rw->ask->rules, t->via_schema, t->via), alias,
		row.depth + 1};

	if (up.rule == NULL || up.rule->kind == TENANT_SHARED ||
	    row.depth > PARENTS_MAX)
		return refuse(rw->e, REFUSE_CLOSED,
			      "%s.%s has parent %s.%s, which has no rule that "
			      "scopes it",
			      t->schema, t->name, t->via_schema, t->via);
	open_exists(s, row);
	snprintf(alias, sizeof(alias), "lunate_%u", row.depth);
	if (pred_add(rw, s, up) < 0)
		return rw->e->code;
	str_addc(s, ')');
	return 0;
}

int
pred_add(struct rewrite *rw, struct str *s, struct pred_row row)
{
	switch (row.rule->kind) {
	case TENANT_BY:
		str_addf(s, "%s.", row.q);
		pred_name(s, row.rule->column);
		str_add(s, EQ);
		add_tenant(rw, s);
		return 0;
	case TENANT_PARENT:
		return add_parent(rw, s, row);
	case TENANT_THROUGH:
		open_exists(s, row);
		str_addf(s, "lunate_%u.", row.depth);
		pred_name(s, row.rule->column);
		str_add(s, EQ);
		add_tenant(rw, s);
		str_addc(s, ')');
		return 0;
	case TENANT_SHARED:
		break;
	}
	return 0;
}

const struct tenant_limit *
pred_limit(const struct rewrite *rw, const struct tenant_table *rule,
	   enum tenant_action action)
{
	return tenant_limit_find(rw->ask->limits, rule, action);
}

/* Values take the parameters behind the tenant's as they are met: one that no
 * text needs would have a type that the server cannot know. */
static unsigned
value_param(struct rewrite *rw, unsigned value)
{
	unsigned i = 0;

	while (i < rw->nused && rw->used[i] != value)
		i++;
	if (i == rw->nused)
		rw->used[rw->nused++] = value;
	return rw->param + rw->tenant + i;
}

void
pred_condition(struct rewrite *rw, struct str *s, struct pred_parts p,
	       const char *q)
{
	str_addc(s, '(');
	for (unsigned i = 0; i < p.n; i++) {
		str_add(s, p.parts[i].text);
		if (p.parts[i].then == TENANT_PART_ROW)
			str_add(s, q);
		if (p.parts[i].then == TENANT_PART_VALUE)
			str_addf(s, "$%u", value_param(rw, p.parts[i].value));
	}
	str_addc(s, ')');
}

bool
pred_speaks_of(struct pred_parts p, const char *column)
{
	struct str s;
	bool found = false;

	str_init(&s);
	str_addc(&s, '.');
	pred_name(&s, column);
	for (unsigned i = 1; i < p.n && !found; i++)
		found = p.parts[i - 1].then == TENANT_PART_ROW &&
			strncmp(p.parts[i].text, s.at, s.len) == 0 &&
			p.parts[i].text[s.len] != '"';
	str_fini(&s);
	return found;
}

void
pred_also(struct rewrite *rw, struct str *s, const struct target *t,
	  enum tenant_action action)
{
	const struct tenant_limit *l = pred_limit(rw, t->rule, action);

	if (l == NULL || l->nparts == 0)
		return;
	if (s->len > 0)
		str_add(s, " AND ");
	pred_condition(rw, s, (struct pred_parts){l->parts, l->nparts}, t->q);
}

int
pred_all(struct rewrite *rw, struct str *s, const struct target *t,
	 enum tenant_action action)
{
	if (t->rule->kind != TENANT_SHARED) {
		if (s->len > 0)
			str_add(s, " AND ");
		if (pred_add(rw, s, (struct pred_row){t->rule, t->q, 1}) < 0)
			return rw->e->code;
	}
	pred_also(rw, s, t, action);
	return 0;
}

const char *
pred_keep(struct rewrite *rw, struct str *s)
{
	const char *text = arena_dup(rw->a, s->at, s->len);

	str_fini(s);
	str_init(s);
	return text;
}
