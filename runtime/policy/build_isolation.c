/* SPDX-License-Identifier: MIT
 *
 * build_isolation - isolation.lua: which rows belong to whom.
 *
 *   declarations -> one tenant_table each, by name -> ways between them
 */
#include <stdlib.h>
#include <string.h>

#include "build.h"
#include "near.h"
#include "tenant.h"

/* A rule and where it was declared. */
struct row_rule {
	struct tenant_table t;
	const struct decl *d;
};

struct made {
	const struct build *b;
	struct row_rule *rules; /* sorted */
	unsigned n;
	struct err *e;
};

static int
by_name(const void *a, const void *b)
{
	const struct row_rule *x = a, *y = b;
	int c = strcmp(x->t.schema, y->t.schema);

	return c != 0 ? c : strcmp(x->t.name, y->t.name);
}

static struct row_rule *
find(const struct made *m, const char *schema, const char *name)
{
	const struct row_rule key = {.t = {.schema = schema, .name = name}};

	if (m->n == 0)
		return NULL;
	return bsearch(&key, m->rules, m->n, sizeof(key), by_name);
}

/* The rule of another table that a field names. */
static struct row_rule *
other(const struct made *m, const struct row_rule *r, const char *field)
{
	const char *text = decl_text(&r->d->fields, field);
	struct build_table name;
	struct row_rule *found;
	struct near near;

	if (build_named(&(struct build_at){m->b, r->d, m->e}, text, &name) < 0)
		return NULL;
	found = find(m, name.schema, name.name);
	if (found != NULL)
		return found;
	near_init(&near, name.name);
	for (unsigned i = 0; i < m->n; i++)
		near_try(&near, m->rules[i].t.name);
	if (near_best(&near) != NULL)
		decl_fail(m->e, r->d,
			  "%s = \"%s\", and no rule names that table; did you "
			  "mean \"%s\"?",
			  field, text, near_best(&near));
	else
		decl_fail(m->e, r->d,
			  "%s = \"%s\", and no rule names that table; declare "
			  "rows \"%s\" too",
			  field, text, text);
	return NULL;
}

/* ---- one rule ---------------------------------------------------------- */

static bool
has(const struct decl *d, const char *field)
{
	return decl_field(&d->fields, field) != NULL;
}

/* A field that is there says something. */
static int
check_texts(const struct made *m, const struct decl *d)
{
	const struct decl_value *on = decl_field(&d->fields, "on");

	for (unsigned i = 0; i < d->fields.n; i++)
		if (d->fields.items[i].type == DECL_TEXT &&
		    d->fields.items[i].len == 0)
			return decl_fail(m->e, d, "%s is empty",
					 d->fields.keys[i]);
	for (unsigned i = 0; on != NULL && i < on->n; i++)
		if (on->keys[i][0] == 0 || on->items[i].len == 0)
			return decl_fail(m->e, d, "on has an empty name");
	return 0;
}

static int
kind_of(const struct made *m, struct row_rule *r)
{
	const struct decl *d = r->d;
	bool by = has(d, "by"), parent = has(d, "parent"),
	     through = has(d, "through"), shared = has(d, "shared");

	if (parent + through + shared + (by && !through) != 1)
		return decl_fail(m->e, d,
				 "it says %s of by, parent, through and "
				 "shared; say exactly one (by may stand beside "
				 "through)",
				 parent + through + shared + by == 0
					 ? "none"
					 : "more than one");
	r->t.kind = parent    ? TENANT_PARENT
		    : through ? TENANT_THROUGH
		    : shared  ? TENANT_SHARED
			      : TENANT_BY;
	if ((parent || through) != has(d, "on"))
		return decl_fail(
			m->e, d,
			parent || through
				? "on is missing: which of its columns is "
				  "which of the other table, on = { visit_id "
				  "= \"id\" }"
				: "on belongs to parent and through");
	if (shared && has(d, "write"))
		return decl_fail(m->e, d,
				 "what is shared is never written; take write "
				 "away");
	return 0;
}

static void
take_pairs(const struct made *m, struct row_rule *r)
{
	const struct decl_value *on = decl_field(&r->d->fields, "on");
	struct tenant_pair *pairs;

	if (on == NULL)
		return;
	pairs = arena_new(m->b->arena, on->n * sizeof(*pairs));
	for (unsigned i = 0; i < on->n; i++)
		pairs[i] = (struct tenant_pair){on->keys[i], on->items[i].text};
	r->t.on = pairs;
	r->t.non = on->n;
}

static int
take_rule(const struct made *m, const struct decl *d, struct row_rule *r)
{
	struct build_table name;

	r->d = d;
	if (build_named(&(struct build_at){m->b, d, m->e}, d->name, &name) <
		    0 ||
	    check_texts(m, d) < 0 || kind_of(m, r) < 0)
		return m->e->code;
	r->t.schema = name.schema;
	r->t.name = name.name;
	r->t.file = d->file;
	r->t.line = d->line;
	r->t.column = decl_text(&d->fields, "by");
	r->t.write_never = decl_is(&d->fields, "write", "never");
	r->t.write_own = decl_is(&d->fields, "write", "own");
	take_pairs(m, r);
	return 0;
}

static int
take_rules(struct made *m, const struct decl_list *l)
{
	const struct decl *d;
	unsigned i = 0;

	m->rules = arena_new(m->b->arena, (l->n + 1) * sizeof(*m->rules));
	while ((d = build_next(l, "rows", &i)) != NULL)
		if (take_rule(m, d, &m->rules[m->n++]) < 0)
			return m->e->code;
	qsort(m->rules, m->n, sizeof(*m->rules), by_name);
	for (unsigned k = 1; k < m->n; k++) {
		const struct row_rule *r = &m->rules[k - 1], *s = r + 1;

		if (by_name(r, s) == 0)
			return decl_fail(m->e,
					 r->d->line > s->d->line ? r->d : s->d,
					 "%s.%s has a rule already, in line %d",
					 s->t.schema, s->t.name,
					 r->d->line > s->d->line ? s->d->line
								 : r->d->line);
	}
	return 0;
}

/* ---- ways to the tenant ------------------------------------------------ */

static int
lead_through(const struct made *m, struct row_rule *r)
{
	const struct row_rule *via = other(m, r, "through");

	if (via == NULL)
		return m->e->code;
	if (via->t.kind != TENANT_BY)
		return decl_fail(m->e, r->d,
				 "a table of memberships names the tenant in "
				 "each row; \"%s\" needs a rule with by",
				 via->t.name);
	if (r->t.column != NULL && strcmp(r->t.column, via->t.column) != 0)
		return decl_fail(m->e, r->d,
				 "by = \"%s\", but rows of \"%s\" belong to "
				 "whom \"%s\" says (line %d)",
				 r->t.column, via->t.name, via->t.column,
				 via->d->line);
	r->t.column = via->t.column;
	r->t.via_schema = via->t.schema;
	r->t.via = via->t.name;
	return 0;
}

static int
lead_parent(const struct made *m, struct row_rule *r)
{
	const struct row_rule *via = other(m, r, "parent");

	if (via == NULL)
		return m->e->code;
	if (via->t.kind == TENANT_SHARED)
		return decl_fail(m->e, r->d,
				 "its parent \"%s\" is shared, and so nobody's",
				 via->t.name);
	r->t.via_schema = via->t.schema;
	r->t.via = via->t.name;
	return 0;
}

/* A chain of parents ends, and not later than after all of them. */
static int
check_end(const struct made *m, const struct row_rule *r)
{
	const struct row_rule *at = r;

	for (unsigned i = 0; i <= m->n; i++) {
		if (at->t.kind != TENANT_PARENT)
			return 0;
		at = find(m, at->t.via_schema, at->t.via);
	}
	return decl_fail(m->e, r->d,
			 "its parents lead back to where they began; one of "
			 "them needs by");
}

static int
lead(const struct made *m)
{
	for (unsigned i = 0; i < m->n; i++) {
		struct row_rule *r = &m->rules[i];

		if (r->t.kind == TENANT_THROUGH && lead_through(m, r) < 0)
			return m->e->code;
		if (r->t.kind == TENANT_PARENT && lead_parent(m, r) < 0)
			return m->e->code;
	}
	for (unsigned i = 0; i < m->n; i++)
		if (check_end(m, &m->rules[i]) < 0)
			return m->e->code;
	return 0;
}

/* ---- the other words --------------------------------------------------- */

static const struct decl *
only(const struct decl_list *l, const char *word)
{
	unsigned i = 0;

	return build_next(l, word, &i);
}

static enum tenant_type
type_of(const struct decl *d)
{
	for (enum tenant_type t = TENANT_UUID; t < TENANT_TEXT; t++)
		if (decl_is(&d->fields, "type", tenant_type_name(t)))
			return t;
	return TENANT_TEXT;
}

static int
take_type(const struct made *m, const struct decl_list *l,
	  struct tenant_rules *out)
{
	const struct decl *d = only(l, "tenant");

	if (d != NULL) {
		out->type = type_of(d);
		return 0;
	}
	for (unsigned i = 0; i < m->n; i++)
		if (m->rules[i].t.kind != TENANT_SHARED)
			return decl_fail(m->e, m->rules[i].d,
					 "what a tenant is has not been said; "
					 "declare tenant { type = \"uuid\" }");
	return 0;
}

static unsigned
take_list(const struct made *m, const struct decl *d, const char *field,
	  const char *const **out)
{
	const struct decl_value *v;
	const char **list;
	unsigned n;

	if (d == NULL)
		return 0;
	n = decl_texts(decl_field(&d->fields, field), &v);
	list = arena_new(m->b->arena, (n + 1) * sizeof(*list));
	for (unsigned i = 0; i < n; i++)
		list[i] = v[i].text;
	*out = list;
	return n;
}

static int
take_functions(const struct made *m, const struct decl_list *l,
	       struct tenant_rules *out)
{
	const struct decl *d = only(l, "functions");

	out->nadded = take_list(m, d, "add", &out->added);
	out->nremoved = take_list(m, d, "remove", &out->removed);
	for (unsigned i = 0; i < out->nadded; i++)
		for (unsigned k = 0; k < out->nremoved; k++)
			if (strcmp(out->added[i], out->removed[k]) == 0)
				return decl_fail(m->e, d,
						 "\"%s\" is added and removed",
						 out->added[i]);
	return 0;
}

static int
take_modes(const struct made *m, const struct decl_list *l,
	   struct isolation_rules *out)
{
	const struct decl *database = only(l, "database"),
			  *errors = only(l, "errors"),
			  *canary = only(l, "canary");
	const struct decl_value *seal = NULL;

	out->mode = ISOLATION_BOTH;
	if (database != NULL) {
		seal = decl_field(&database->fields, "seal");
		if (decl_is(&database->fields, "mode", "rewrite"))
			out->mode = ISOLATION_REWRITE;
		if (decl_is(&database->fields, "mode", "rls"))
			out->mode = ISOLATION_RLS;
	}
	out->seal = seal != NULL && seal->yes;
	if (out->seal && out->mode == ISOLATION_REWRITE)
		return decl_fail(m->e, database,
				 "seal is checked by the database's row "
				 "policies, and mode \"rewrite\" has none");
	out->show_detail = errors != NULL &&
			   decl_is(&errors->fields, "detail", "show");
	out->canary = canary != NULL ? decl_text(&canary->fields, "tenant")
				     : NULL;
	if (out->canary != NULL && out->canary[0] == 0)
		return decl_fail(m->e, canary, "tenant is empty");
	return 0;
}

/* ---- what is accepted --------------------------------------------------- */

static unsigned
count_accepted(const struct decl_list *l)
{
	const struct decl_value *v;
	const struct decl *d;
	unsigned i = 0, n = 0;

	while ((d = build_next(l, "accept", &i)) != NULL) {
		const struct decl_value *tables = decl_field(&d->fields,
							     "table");

		n += tables != NULL ? decl_texts(tables, &v) : 1;
	}
	return n;
}

/* One for each table that is named; `to` has room. */
static int
accept_tables(const struct made *m, const struct decl *d,
	      struct isolation_accept **to)
{
	const struct isolation_accept one = {
		.lint = d->name,
		.why = decl_text(&d->fields, "why"),
		.file = d->file,
		.line = d->line};
	const struct decl_value *v = NULL,
				*tables = decl_field(&d->fields, "table");
	unsigned n = tables != NULL ? decl_texts(tables, &v) : 0;
	struct build_table name;

	if (tables == NULL)
		*(*to)++ = one;
	for (unsigned i = 0; i < n; i++) {
		if (build_named(&(struct build_at){m->b, d, m->e}, v[i].text,
				&name) < 0)
			return m->e->code;
		**to = one;
		(*to)->schema = name.schema;
		(*to)->name = name.name;
		(*to)++;
	}
	return 0;
}

static int
take_accepted(const struct made *m, const struct decl_list *l,
	      struct isolation_rules *out)
{
	unsigned n = count_accepted(l), i = 0;
	struct isolation_accept *list = arena_new(m->b->arena,
						  (n + 1) * sizeof(*list));
	const struct decl *d;

	out->accepted = list;
	out->naccepted = n;
	while ((d = build_next(l, "accept", &i)) != NULL) {
		if (check_texts(m, d) < 0)
			return m->e->code;
		if (accept_tables(m, d, &list) < 0)
			return m->e->code;
	}
	return 0;
}

/* ---- all of it --------------------------------------------------------- */

static int
make(struct made *m, const struct decl_list *l, struct tenant_rules *out)
{
	struct tenant_table *tables;

	if (take_rules(m, l) < 0 || lead(m) < 0 || take_type(m, l, out) < 0 ||
	    take_functions(m, l, out) < 0)
		return m->e->code;
	tables = arena_new(m->b->arena, (m->n + 1) * sizeof(*tables));
	for (unsigned i = 0; i < m->n; i++)
		tables[i] = m->rules[i].t;
	out->tables = tables;
	out->ntables = m->n;
	return 0;
}

int
build_isolation(const struct build *b, struct err *e)
{
	const struct decl_list *l = build_file(b, "isolation");
	struct isolation_rules *out = &b->rules->isolation;
	struct made m = {.b = b, .e = e};
	struct tenant_rules *tables;

	if (!l->present) {
		*out = (struct isolation_rules){
			.state = ISOLATION_CLOSED,
			.closed = "the policy folder has no isolation.lua, so "
				  "no rule says whose rows are whose"};
		return 0;
	}
	tables = arena_new(b->arena, sizeof(*tables));
	if (make(&m, l, tables) < 0 || take_modes(&m, l, out) < 0 ||
	    take_accepted(&m, l, out) < 0)
		return e->code;
	out->state = ISOLATION_ON;
	out->tables = tables;
	return 0;
}
