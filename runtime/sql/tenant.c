/* SPDX-License-Identifier: MIT */
#include "tenant.h"

#include "reads.h"
#include "tenant_int.h"

#include <string.h>

/* ---- rules -------------------------------------------------------------- */

static int
compare(const struct tenant_table *t, const char *schema, const char *name)
{
	int c = strcmp(t->schema, schema);

	return c != 0 ? c : strcmp(t->name, name);
}

const struct tenant_table *
tenant_find(const struct tenant_rules *r, const char *schema, const char *name)
{
	unsigned low = 0, high = r->ntables;

	while (low < high) {
		unsigned mid = low + (high - low) / 2;
		int c = compare(&r->tables[mid], schema, name);

		if (c == 0)
			return &r->tables[mid];
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

const char *
tenant_type_name(enum tenant_type type)
{
	static const char *const names[] = {"uuid", "int4", "int8", "text"};

	return names[type];
}

const struct tenant_limit *
tenant_limit_find(const struct tenant_limits *l, const struct tenant_table *t,
		  enum tenant_action action)
{
	for (unsigned i = 0; l != NULL && i < l->nlimits; i++)
		if (l->limits[i].action == action &&
		    compare(t, l->limits[i].schema, l->limits[i].name) == 0)
			return &l->limits[i];
	return NULL;
}

/* ---- tables ------------------------------------------------------------- */

static const char *
quoted(struct rewrite *rw, const char *name)
{
	struct str s;

	str_init(&s);
	pred_name(&s, name);
	return pred_keep(rw, &s);
}

/* The last token of a part of a name: U&"..." may have an UESCAPE. */
static size_t
part_end(const struct rewrite *rw, size_t i)
{
	return token_word(rw, i + 1, "uescape") ? i + 2 : i;
}

static int
find_tokens(struct rewrite *rw, struct target *t)
{
	const char *schema = tree_str(t->var, "schemaname");

	t->first = token_at(rw, tree_offset(t->var));
	if (t->first == NO_TOKEN)
		return refuse(rw->e, REFUSE_FORM, "a table was not found");
	t->last = part_end(rw, t->first);
	if (schema[0] != 0)
		t->last = part_end(rw, t->last + 2);
	return 0;
}

int
target_find(struct rewrite *rw, const struct tree_node *var, struct target *t)
{
	const char *schema = tree_str(var, "schemaname");
	const char *name = tree_str(var, "relname");
	const struct tree_node *alias = tree_get(var, "alias");
	const struct world *world = rw->ask->world;

	if (tree_str(var, "catalogname")[0] != 0)
		return refuse(rw->e, REFUSE_FORM,
			      "a table named with its database");
	*t = (struct target){.var = var};
	t->world = world->table(world->arg, schema[0] != 0 ? schema : NULL,
				name);
	if (t->world != NULL)
		t->rule = tenant_find(rw->ask->rules, t->world->schema,
				      t->world->name);
	if (t->rule == NULL)
		return refuse(rw->e, REFUSE_UNKNOWN_TABLE,
			      "no rule of isolation.lua names %s%s%s", schema,
			      schema[0] != 0 ? "." : "", name);
	t->aliased = alias != NULL;
	t->q = quoted(rw, t->aliased ? tree_str(alias, "aliasname") : name);
	return find_tokens(rw, t);
}

void
target_qualify(struct rewrite *rw, const struct target *t)
{
	struct str s;

	str_init(&s);
	pred_table(&s, t->world->schema, t->world->name);
	splice_replace(&rw->splice, rw->tok[t->first].start,
		       rw->tok[t->last].end, pred_keep(rw, &s));
}

/* ---- the walk ----------------------------------------------------------- */

/* Marks the places where ON CONFLICT ends what stands before it. */
static void
mark_conflicts(struct rewrite *rw, const struct tree_node *root)
{
	struct tree_walk w;

	tree_walk_init(&w, root);
	while (tree_walk_next(&w) != TREE_END) {
		size_t i;

		if (w.step != TREE_ENTER || w.kind != TREE_ON_CONFLICT)
			continue;
		i = token_at(rw, tree_offset(w.node));
		if (i != NO_TOKEN)
			rw->conflict[i] = true;
	}
	tree_walk_fini(&w);
}

static int
enter_var(struct rewrite *rw, struct tree_walk *w)
{
	if (reads_target(w))
		return 0; /* its statement has seen to it */
	if (tree_kind(w->parent) == TREE_LOCKING)
		return 0; /* FOR UPDATE OF: a name of FROM */
	if (tree_str(w->node, "schemaname")[0] != 0 ||
	    tree_walk_cte(w, tree_str(w->node, "relname")) == NULL)
		return from_table(rw, w);
	if (tree_kind(w->parent) == TREE_RANGE_TABLE_SAMPLE)
		return refuse(rw->e, REFUSE_FORM,
			      "TABLESAMPLE of a WITH query, which is no table");
	return 0;
}

static int
enter(struct rewrite *rw, struct tree_walk *w)
{
	switch ((int)w->kind) {
	case TREE_RANGE_VAR:
		return enter_var(rw, w);
	case TREE_INSERT:
		return insert_stmt(rw, w->node, w->parent != NULL);
	case TREE_UPDATE:
		return write_update(rw, w->node);
	case TREE_DELETE:
		return write_delete(rw, w->node);
	case TREE_MERGE:
		return write_merge(rw, w->node);
	default:
		return 0;
	}
}

/* SET (a, b) = (SELECT ...): the tree has what stands there once again for
 * each column. */
static bool
stands_before(const struct tree_walk *w)
{
	return w->kind == TREE_MULTI_ASSIGN && tree_num(w->node, "colno") > 1;
}

static int
leave_select(struct rewrite *rw, const struct tree_node *select)
{
	if (from_leave(rw, select) < 0)
		return rw->e->code;
	return group_keep(rw, select);
}

static int
walk(struct rewrite *rw, const struct tree_node *root)
{
	struct tree_walk w;
	int rc = 0;

	tree_walk_init(&w, root);
	while (rc == 0 && tree_walk_next(&w) != TREE_END) {
		if (w.step == TREE_ENTER && stands_before(&w))
			tree_walk_skip(&w);
		else if (w.step == TREE_ENTER)
			rc = enter(rw, &w);
		else if (w.kind == TREE_SELECT)
			rc = leave_select(rw, w.node);
	}
	tree_walk_fini(&w);
	return rc;
}

static void
forget_places(struct rewrite *rw)
{
	for (; rw->places != NULL; rw->places = rw->places->next)
		str_fini(&rw->places->preds);
}

/* The highest $n of the statement. */
static unsigned
count_params(const struct tree_node *root)
{
	struct tree_walk w;
	int64_t most = 0;

	tree_walk_init(&w, root);
	while (tree_walk_next(&w) != TREE_END)
		if (w.step == TREE_ENTER && w.kind == TREE_PARAM_REF &&
		    tree_num(w.node, "number") > most)
			most = tree_num(w.node, "number");
	tree_walk_fini(&w);
	return (unsigned)most;
}

/* Will the tenant be a parameter?  What has no rule is refused later. */
static bool
has_tenant(const struct rewrite *rw, const struct tree_walk *w)
{
	const struct world *world = rw->ask->world;
	const char *schema = tree_str(w->node, "schemaname"),
		   *name = tree_str(w->node, "relname");
	const struct world_table *t;
	const struct tenant_table *rule;

	if (tree_kind(w->parent) == TREE_LOCKING ||
	    (schema[0] == 0 && !reads_target(w) &&
	     tree_walk_cte(w, name) != NULL))
		return false;
	t = world->table(world->arg, schema[0] != 0 ? schema : NULL, name);
	rule = t != NULL ? tenant_find(rw->ask->rules, t->schema, t->name)
			 : NULL;
	return rule != NULL && rule->kind != TENANT_SHARED;
}

static void
look_for_tenant(struct rewrite *rw, const struct tree_node *root)
{
	struct tree_walk w;

	tree_walk_init(&w, root);
	while (!rw->tenant && tree_walk_next(&w) != TREE_END)
		if (w.step == TREE_ENTER && w.kind == TREE_RANGE_VAR)
			rw->tenant = has_tenant(rw, &w);
	tree_walk_fini(&w);
}

#define PARAMS_MAX 65535

static int
begin(struct rewrite *rw, const struct tree_node *root)
{
	const struct tenant_limits *l = rw->ask->limits;
	unsigned nvalues = l != NULL ? l->nvalues : 0;

	rw->used = arena_new(rw->a, (nvalues + 1) * sizeof(*rw->used));
	rw->own_params = count_params(root);
	rw->param = rw->own_params + 1;
	if (rw->param + nvalues > PARAMS_MAX)
		return err_set(rw->e, LUNATE_ETOOBIG,
			       "the statement has no parameter left for its "
			       "tenant");
	if (tokens_init(rw) < 0)
		return rw->e->code;
	splice_init(&rw->splice, rw->a);
	mark_conflicts(rw, root);
	leak_look(rw, root);
	look_for_tenant(rw, root);
	return 0;
}

int
tenant_rewrite(const struct tenant_ask *ask, struct arena *a,
	       struct tenant_text *out, struct err *e)
{
	struct rewrite rw = {.ask = ask, .a = a, .e = e};
	const struct tree_node *root = tree_root(ask->tree, 0);
	int rc;

	*out = (struct tenant_text){0};
	if (tree_count(ask->tree) != 1)
		return refuse(e, REFUSE_MANY, "one statement at a time");
	if (begin(&rw, root) < 0)
		return e->code;
	rc = walk(&rw, root);
	forget_places(&rw);
	if (rc < 0)
		return rc;
	if (rw.nused > 0 && rw.tenant != rw.touched)
		return refuse(e, REFUSE_FORM, "a form without its tenant");
	out->sql = splice_apply(&rw.splice, rw.text, rw.len, &out->len);
	if (out->sql == NULL)
		return refuse(e, REFUSE_FORM, "what is edited twice");
	out->own_params = rw.own_params;
	out->tenant_param = rw.touched ? rw.param : 0;
	out->nvalues = rw.nused;
	out->values = rw.used;
	out->needs_one = rw.needs_one;
	return 0;
}
