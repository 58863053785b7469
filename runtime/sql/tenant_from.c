/* SPDX-License-Identifier: MIT
 *
 * Tables that are read: a scoped sub-select (F1), or a predicate in the WHERE
 * of their SELECT (F2).
 */
#include "tenant_int.h"

#include <string.h>

/* ---- where it stands ---------------------------------------------------- */

/* The SELECT that a table is in the FROM of, known there by its own name and
 * without an outer join or a sample between them; or NULL. */
static const struct tree_node *
plain_place(const struct tree_walk *w)
{
	for (unsigned up = 1;; up++) {
		const struct tree_frame *f = tree_walk_up(w, up);
		const char *field = tree_walk_up(w, up - 1)->field;
		const char *join;

		if (f != NULL && tree_kind(f->node) == TREE_SELECT)
			return f->node;
		if (f == NULL || tree_kind(f->node) != TREE_JOIN ||
		    tree_get(f->node, "alias") != NULL)
			return NULL; /* an alias hides the names below it */
		join = tree_word(f->node, "jointype");
		if (strcmp(join, "JOIN_FULL") == 0 ||
		    (strcmp(join, "JOIN_LEFT") == 0 &&
		     strcmp(field, "rarg") == 0) ||
		    (strcmp(join, "JOIN_RIGHT") == 0 &&
		     strcmp(field, "larg") == 0))
			return NULL;
	}
}

/* The tokens from ONLY to *, around the name. */
struct span {
	size_t first, last;
};

static struct span
whole_span(const struct rewrite *rw, const struct target *t)
{
	struct span s = {t->first, t->last};

	if (s.first > 1 && token_char(rw, s.first - 1, '(') &&
	    token_key(rw, s.first - 2, "only")) {
		s.first -= 2;
		s.last++;
	} else if (s.first > 0 && token_key(rw, s.first - 1, "only")) {
		s.first--;
	} else if (token_char(rw, s.last + 1, '*')) {
		s.last++;
	}
	return s;
}

/* "TABLE t" is all of its SELECT. */
static bool
is_table(const struct rewrite *rw, const struct target *t)
{
	struct span s = whole_span(rw, t);

	return s.first > 0 && token_key(rw, s.first - 1, "table");
}

static bool
wants_place(const struct rewrite *rw, const struct tree_node *select,
	    const struct target *t)
{
	const struct tenant_limit *l = pred_limit(rw, t->rule, TENANT_READ);

	return select != NULL && !rw->leaky && !is_table(rw, t) &&
	       (tree_len(select, "group_clause") > 0 || rw->by_schema) &&
	       tree_len(tree_get(t->var, "alias"), "colnames") == 0 &&
	       (l == NULL || l->nmasks == 0);
}

/* ---- F2 ----------------------------------------------------------------- */

static struct place *
place_of(struct rewrite *rw, const struct tree_node *select, size_t table)
{
	struct place *p;

	for (p = rw->places; p != NULL; p = p->next)
		if (p->select == select)
			return p;
	p = arena_new(rw->a, sizeof(*p));
	p->select = select;
	p->table = table;
	str_init(&p->preds);
	p->next = rw->places;
	rw->places = p;
	return p;
}

static int
in_place(struct rewrite *rw, const struct tree_node *select,
	 const struct target *t)
{
	struct place *p = place_of(rw, select, t->first);

	target_qualify(rw, t);
	return pred_all(rw, &p->preds, t, TENANT_READ);
}

int
from_leave(struct rewrite *rw, const struct tree_node *select)
{
	struct place *p = rw->places;
	size_t keyword;
	const char *preds;

	if (p == NULL || p->select != select)
		return 0;
	rw->places = p->next;
	if (p->preds.len == 0) {
		str_fini(&p->preds);
		return 0;
	}
	preds = pred_keep(rw, &p->preds);
	keyword = token_before(rw, p->table, "select");
	if (keyword == NO_TOKEN)
		return refuse(rw->e, REFUSE_FORM, "its SELECT was not found");
	return write_where(rw, token_clause(rw, keyword), preds);
}

/* ---- F1 ----------------------------------------------------------------- */

static const struct tenant_mask *
mask_of(const struct tenant_limit *l, const char *column)
{
	for (unsigned i = 0; i < l->nmasks; i++)
		if (strcmp(l->masks[i].column, column) == 0)
			return &l->masks[i];
	return NULL;
}

/* A column as it is, or as far as it is seen. */
static void
add_column(struct rewrite *rw, struct str *s, const struct world_column *c,
	   const struct tenant_mask *m)
{
	if (m == NULL) {
		str_add(s, "lunate_0.");
		pred_name(s, c->name);
		return;
	}
	if (m->nparts == 0) {
		str_add(s, "CAST(NULL AS ");
		pred_table(s, c->type_schema, c->type);
		str_addc(s, ')');
	} else {
		str_add(s, "CASE WHEN ");
		pred_condition(rw, s, (struct pred_parts){m->parts, m->nparts},
			       "lunate_0");
		str_add(s, " THEN lunate_0.");
		pred_name(s, c->name);
		str_add(s, " END");
	}
	str_add(s, " AS ");
	pred_name(s, c->name);
}

/* "*", or with masked columns the list of all. */
static void
add_columns(struct rewrite *rw, struct str *s, const struct target *t)
{
	const struct tenant_limit *l = pred_limit(rw, t->rule, TENANT_READ);
	const struct world_table *wt = t->world;

	if (l == NULL || l->nmasks == 0) {
		str_addc(s, '*');
		return;
	}
	for (unsigned i = 0; i < wt->ncolumns; i++) {
		const struct world_column *c = &wt->columns[i];

		str_add(s, i > 0 ? ", " : "");
		add_column(rw, s, c, mask_of(l, c->name));
	}
}

static void
add_head(struct rewrite *rw, struct str *s, const struct target *t)
{
	str_add(s, "(SELECT ");
	add_columns(rw, s, t);
	str_add(s, tree_num(t->var, "inh") ? " FROM " : " FROM ONLY ");
	pred_table(s, t->world->schema, t->world->name);
	str_add(s, " AS lunate_0");
}

static int
add_tail(struct rewrite *rw, struct str *s, const struct target *t)
{
	struct target inside = *t;
	struct str preds;

	inside.q = "lunate_0";
	str_init(&preds);
	if (pred_all(rw, &preds, &inside, TENANT_READ) < 0) {
		str_fini(&preds);
		return rw->e->code;
	}
	if (preds.len > 0)
		str_addf(s, " WHERE %s", preds.at);
	str_fini(&preds);
	str_add(s, rw->leaky ? " OFFSET 0)" : ")");
	return 0;
}

/* "TABLE t" has no list of columns: it gets one. */
static void
spell_table(struct rewrite *rw, struct span s)
{
	if (s.first > 0 && token_key(rw, s.first - 1, "table"))
		splice_replace(&rw->splice, rw->tok[s.first - 1].start,
			       rw->tok[s.first - 1].end, "SELECT * FROM");
}

static int
as_select(struct rewrite *rw, const struct target *t)
{
	struct span span = whole_span(rw, t);
	struct str s;
	int rc;

	spell_table(rw, span);
	str_init(&s);
	add_head(rw, &s, t);
	rc = add_tail(rw, &s, t);
	if (!t->aliased)
		str_addf(&s, " AS %s", t->q);
	splice_replace(&rw->splice, rw->tok[span.first].start,
		       rw->tok[span.last].end, pred_keep(rw, &s));
	return rc;
}

/* ---- TABLESAMPLE: the alias moves behind it ----------------------------- */

static size_t
sample_end(const struct rewrite *rw, size_t sample)
{
	size_t i = sample + 1;

	while (i < rw->n && !token_char(rw, i, '('))
		i++;
	if (i >= rw->n)
		return NO_TOKEN;
	i = rw->match[i];
	if (token_word(rw, i + 1, "repeatable") && token_char(rw, i + 2, '('))
		i = rw->match[i + 2];
	return i;
}

static int
as_sample(struct rewrite *rw, const struct target *t)
{
	struct span span = whole_span(rw, t);
	size_t sample = span.last + 1, end;
	const char *alias;
	struct str s;
	int rc;

	while (sample < rw->n && !token_key(rw, sample, "tablesample"))
		sample++;
	end = sample < rw->n ? sample_end(rw, sample) : NO_TOKEN;
	if (end == NO_TOKEN)
		return refuse(rw->e, REFUSE_FORM, "TABLESAMPLE was not found");
	alias = sample > span.last + 1
			? token_copy(rw, span.last + 1, sample - 1)
			: t->q;
	str_init(&s);
	add_head(rw, &s, t);
	splice_replace(&rw->splice, rw->tok[span.first].start,
		       rw->tok[sample - 1].end, pred_keep(rw, &s));
	rc = add_tail(rw, &s, t);
	str_addf(&s, token_word(rw, span.last + 1, "as") ? " %s" : " AS %s",
		 alias);
	splice_insert(&rw->splice, rw->tok[end].end, pred_keep(rw, &s));
	return rc;
}

/* ---- the door ----------------------------------------------------------- */

/* Is it named with its schema by a column, somewhere?  A sub-select has no
 * schema. */
static bool
names_by_schema(const struct rewrite *rw, const struct target *t)
{
	struct tree_walk w;
	bool found = false;

	if (t->aliased || !rw->by_schema)
		return false;
	tree_walk_init(&w, tree_root(rw->ask->tree, 0));
	while (!found && tree_walk_next(&w) != TREE_END) {
		if (w.step != TREE_ENTER || w.kind != TREE_COLUMN_REF ||
		    tree_len(w.node, "fields") < 3)
			continue;
		found = strcmp(tree_str(tree_item(w.node, "fields", 0), "sval"),
			       t->world->schema) == 0 &&
			strcmp(tree_str(tree_item(w.node, "fields", 1), "sval"),
			       t->world->name) == 0;
	}
	tree_walk_fini(&w);
	return found;
}

int
from_table(struct rewrite *rw, struct tree_walk *w)
{
	const struct tree_node *select;
	const struct tenant_limit *l;
	struct target t;

	if (target_find(rw, w->node, &t) < 0)
		return rw->e->code;
	l = pred_limit(rw, t.rule, TENANT_READ);
	if (t.rule->kind == TENANT_SHARED &&
	    (l == NULL || (l->nparts == 0 && l->nmasks == 0))) {
		target_qualify(rw, &t);
		return 0;
	}
	select = plain_place(w);
	if (wants_place(rw, select, &t))
		return in_place(rw, select, &t);
	if (names_by_schema(rw, &t))
		return refuse(rw->e, REFUSE_FORM,
			      "a column is named %s.%s.column, and the table "
			      "cannot keep its schema here: name it by the "
			      "table, or by an alias",
			      t.rule->schema, t.rule->name);
	group_note(rw, &t);
	if (tree_kind(w->parent) == TREE_RANGE_TABLE_SAMPLE)
		return as_sample(rw, &t);
	return as_select(rw, &t);
}
