/* SPDX-License-Identifier: MIT */
#include "uses.h"

#include <string.h>

#include "reads.h"
#include "refusal.h"

struct using
{
	const struct uses_ask *ask;
	struct arena *a;
	struct uses *out;
	unsigned room;
	struct err *e;
};

/* ---- the list ----------------------------------------------------------- */

static const char *
keep(struct using *u, const char *text)
{
	return arena_dup(u->a, text, strlen(text));
}

static void *
grown(struct using *u, const void *old, size_t n, size_t size)
{
	void *p = arena_new(u->a, n * 2 * size + 8 * size);

	if (n > 0)
		memcpy(p, old, n * size);
	return p;
}

static struct use *
use(struct using *u, const struct world_table *t, enum tenant_action action)
{
	struct uses *all = u->out;

	for (unsigned i = 0; i < all->n; i++)
		if (all->list[i].action == action &&
		    strcmp(all->list[i].name, t->name) == 0 &&
		    strcmp(all->list[i].schema, t->schema) == 0)
			return &all->list[i];
	if (all->n == u->room) {
		all->list = grown(u, all->list, all->n, sizeof(*all->list));
		u->room = all->n * 2 + 8;
	}
	all->list[all->n] = (struct use){.schema = keep(u, t->schema),
					 .name = keep(u, t->name),
					 .action = action};
	return &all->list[all->n++];
}

static void
use_column(struct using *u, struct use *s, const char *column)
{
	for (unsigned i = 0; i < s->ncolumns; i++)
		if (strcmp(s->columns[i], column) == 0)
			return;
	if ((s->ncolumns & (s->ncolumns - 1)) == 0) /* 0, 1, 2, 4, ... */
		s->columns = grown(u, s->columns, s->ncolumns,
				   sizeof(*s->columns));
	s->columns[s->ncolumns++] = keep(u, column);
}

/* The columns of a list of targets. */
static void
use_columns(struct using *u, struct use *s, const struct tree_node *n,
	    const char *field)
{
	for (size_t i = 0; i < tree_len(n, field); i++)
		use_column(u, s, tree_str(tree_item(n, field, i), "name"));
}

static const struct world_table *
find(struct using *u, const struct tree_node *var)
{
	const struct world *w = u->ask->world;
	const char *schema = tree_str(var, "schemaname"),
		   *name = tree_str(var, "relname");
	const struct world_table *t = w->table(
		w->arg, schema[0] != 0 ? schema : NULL, name);

	if (t != NULL && tenant_find(u->ask->rules, t->schema, t->name) != NULL)
		return t;
	refuse(u->e, REFUSE_UNKNOWN_TABLE, "no rule of isolation.lua names %s",
	       name);
	return NULL;
}

/* ---- writes ------------------------------------------------------------- */

static void
use_target(struct using *u, const struct world_table *t,
	   const struct tree_node *stmt)
{
	struct reads r;

	reads_of(t, stmt, u->a, &r);
	if (r.any)
		use(u, t, TENANT_READ);
}

/* How many values a list has; 0: not known, with t.* or (row).* in it. */
static size_t
list_width(const struct tree_node *n, const char *field)
{
	bool named = strcmp(field, "target_list") == 0;

	for (size_t i = 0; i < tree_len(n, field); i++) {
		const struct tree_node *v = tree_item(n, field, i);

		if (reads_star(named ? tree_get(v, "val") : v))
			return 0;
	}
	return tree_len(n, field);
}

/* Those of the first row of a source. */
static size_t
width(const struct tree_node *source)
{
	while (tree_get(source, "larg") != NULL)
		source = tree_get(source, "larg");
	if (tree_len(source, "values_lists") > 0)
		return list_width(tree_get(source, "values_lists"), "items");
	return list_width(source, "target_list");
}

static void
use_insert(struct using *u, const struct world_table *t,
	   const struct tree_node *list, size_t values)
{
	struct use *s = use(u, t, TENANT_INSERT);
	const char *field = tree_kind(list) == TREE_INSERT ? "cols"
							   : "target_list";

	if (tree_len(list, field) > 0) {
		use_columns(u, s, list, field);
		return;
	}
	if (values == 0 || values > t->ncolumns)
		values = t->ncolumns;
	for (size_t i = 0; i < values; i++)
		use_column(u, s, t->columns[i].name);
}

static void
insert(struct using *u, const struct world_table *t, const struct tree_node *n)
{
	const struct tree_node *c = tree_get(n, "on_conflict_clause");

	use_insert(u, t, n, width(tree_get(n, "select_stmt")));
	if (strcmp(tree_word(c, "action"), "ONCONFLICT_UPDATE") == 0)
		use_columns(u, use(u, t, TENANT_UPDATE), c, "target_list");
}

static void
merge(struct using *u, const struct world_table *t, const struct tree_node *n)
{
	use(u, t, TENANT_READ); /* its ON is asked of each row */
	for (size_t i = 0; i < tree_len(n, "merge_when_clauses"); i++) {
		const struct tree_node *b = tree_item(n, "merge_when_clauses",
						      i);
		const char *does = tree_word(b, "command_type");

		if (strcmp(does, "CMD_UPDATE") == 0)
			use_columns(u, use(u, t, TENANT_UPDATE), b,
				    "target_list");
		else if (strcmp(does, "CMD_DELETE") == 0)
			use(u, t, TENANT_DELETE);
		else if (strcmp(does, "CMD_INSERT") == 0)
			use_insert(u, t, b, list_width(b, "values"));
	}
}

static int
write_to(struct using *u, const struct tree_node *n)
{
	const struct world_table *t = find(u, tree_get(n, "relation"));

	if (t == NULL)
		return u->e->code;
	use_target(u, t, n);
	switch ((int)tree_kind(n)) {
	case TREE_INSERT:
		insert(u, t, n);
		break;
	case TREE_UPDATE:
		use_columns(u, use(u, t, TENANT_UPDATE), n, "target_list");
		break;
	case TREE_DELETE:
		use(u, t, TENANT_DELETE);
		break;
	default:
		merge(u, t, n);
	}
	return 0;
}

/* ---- reads -------------------------------------------------------------- */

static const char *
name_in_from(const struct tree_node *n)
{
	const struct tree_node *alias = tree_get(n, "alias");

	if (alias != NULL)
		return tree_str(alias, "aliasname");
	return tree_kind(n) == TREE_RANGE_VAR ? tree_str(n, "relname") : "";
}

static bool
names(const struct tree_node *locking, const char *name)
{
	for (size_t i = 0; i < tree_len(locking, "locked_rels"); i++)
		if (strcmp(tree_str(tree_item(locking, "locked_rels", i),
				    "relname"),
			   name) == 0)
			return true;
	return tree_len(locking, "locked_rels") == 0;
}

/* Does a FOR UPDATE of this SELECT hold what stands in its FROM by a name? */
static bool
locks(const struct tree_node *select, const char *name)
{
	for (size_t i = 0; i < tree_len(select, "locking_clause"); i++)
		if (names(tree_item(select, "locking_clause", i), name))
			return true;
	return false;
}

/* The name of what holds the table there is the outermost in that FROM. */
static bool
is_locked(const struct tree_walk *w)
{
	const struct tree_frame *f;
	const char *name = name_in_from(w->node);

	for (unsigned up = 1; (f = tree_walk_up(w, up)) != NULL; up++) {
		enum tree_kind k = tree_kind(f->node);

		if (k == TREE_RANGE_SUBSELECT)
			name = name_in_from(f->node);
		if (k == TREE_CTE || k == TREE_SUB_LINK)
			return false;
		if (k == TREE_SELECT && locks(f->node, name))
			return true;
	}
	return false;
}

static int
read_from(struct using *u, const struct tree_walk *w)
{
	const struct world_table *t;

	if (reads_target(w) || tree_kind(w->parent) == TREE_LOCKING ||
	    (tree_str(w->node, "schemaname")[0] == 0 &&
	     tree_walk_cte(w, tree_str(w->node, "relname")) != NULL))
		return 0;
	t = find(u, w->node);
	if (t == NULL)
		return u->e->code;
	use(u, t, TENANT_READ);
	if (is_locked(w))
		use(u, t, TENANT_UPDATE)->locks = true;
	return 0;
}

/* ---- the walk ----------------------------------------------------------- */

static int
enter(struct using *u, const struct tree_walk *w)
{
	switch ((int)w->kind) {
	case TREE_RANGE_VAR:
		return read_from(u, w);
	case TREE_INSERT:
	case TREE_UPDATE:
	case TREE_DELETE:
	case TREE_MERGE:
		return write_to(u, w->node);
	default:
		return 0;
	}
}

int
uses_of(const struct uses_ask *ask, struct arena *a, struct uses *out,
	struct err *e)
{
	struct using u = {.ask = ask, .a = a, .out = out, .e = e};
	struct tree_walk w;
	int rc = 0;

	*out = (struct uses){0};
	tree_walk_init(&w, tree_root(ask->tree, 0));
	while (rc == 0 && tree_walk_next(&w) != TREE_END)
		if (w.step == TREE_ENTER)
			rc = enter(&u, &w);
	tree_walk_fini(&w);
	return rc;
}

int
uses_holds(const struct use *u, const struct tenant_limit *l, struct err *e)
{
	if (!u->locks || l->nparts == 0)
		return 0;
	return refuse(e, REFUSE_ACCESS,
		      "access.lua limits updates of %s.%s to rows, and FOR "
		      "UPDATE would hold others: leave it out, and change the "
		      "rows by an UPDATE",
		      u->schema, u->name);
}
