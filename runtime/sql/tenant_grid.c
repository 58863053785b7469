/* SPDX-License-Identifier: MIT
 *
 * What is inserted, as a grid: a list of columns and rows of values, of VALUES
 * or of the select lists of all arms of a query, as spans of tokens with the
 * nodes they stand for.
 */
#include "tenant_int.h"

#include "reads.h"

#include <string.h>

int
grid_refuse(struct rewrite *rw, const struct grid *g, const char *what)
{
	return refuse(rw->e, REFUSE_FORM, "INSERT into %s.%s: %s",
		      g->t->rule->schema, g->t->rule->name, what);
}

/* ---- stars -------------------------------------------------------------- */

/* Which value goes to which column would not be known. */
static int
no_star(struct rewrite *rw, const struct grid *g, const struct tree_node *v)
{
	return reads_star(v)
		       ? grid_refuse(rw, g, "name the columns instead of *")
		       : 0;
}

static bool
has_star(const struct tree_node *select)
{
	for (size_t k = 0; k < tree_len(select, "target_list"); k++)
		if (reads_star(tree_get(tree_item(select, "target_list", k),
					"val")))
			return true;
	return false;
}

/* ---- the grid ----------------------------------------------------------- */

static struct cell *
add_row(struct rewrite *rw, struct grid *g)
{
	if (g->nrows == g->room) {
		size_t room = g->room != 0 ? g->room * 2 : 4;
		size_t row = g->ncolumns * sizeof(*g->cells);
		struct cell *cells = arena_new(rw->a, room * row + 1);
		size_t *ends = arena_new(rw->a, room * sizeof(*ends));

		if (g->nrows > 0) {
			memcpy(cells, g->cells, g->nrows * row);
			memcpy(ends, g->ends, g->nrows * sizeof(*ends));
		}
		g->cells = cells;
		g->ends = ends;
		g->room = room;
	}
	return &g->cells[g->nrows++ * g->ncolumns];
}

int
grid_values(struct rewrite *rw, struct grid *g, size_t open,
	    const struct tree_node *list)
{
	struct cell *row = add_row(rw, g);
	size_t close = rw->match[open], at = open + 1;
	unsigned k = 0;

	for (size_t i = open + 1; i <= close; i++) {
		if (i < close && (rw->depth[i] != rw->depth[open] + 1 ||
				  !token_char(rw, i, ',')))
			continue;
		if (k >= g->ncolumns || i == at)
			return grid_refuse(rw, g, "columns and values differ");
		row[k].first = at;
		row[k].last = i - 1;
		row[k].node = tree_item(list, g->field, k);
		if (no_star(rw, g, row[k].node) < 0)
			return rw->e->code;
		if (strcmp(tree_name(row[k].node), "SetToDefault") == 0)
			row[k].node = NULL;
		at = i + 1;
		k++;
	}
	g->ends[g->nrows - 1] = close - 1;
	return k == g->ncolumns
		       ? 0
		       : grid_refuse(rw, g, "columns and values differ");
}

int
grid_rows(struct rewrite *rw, struct grid *g, const struct tree_node *select,
	  size_t at)
{
	size_t n = tree_len(select, "values_lists");

	while (at < rw->n && !token_key(rw, at, "values"))
		at++;
	at++;
	g->values = true;
	g->field = "items";
	for (size_t r = 0; r < n; r++) {
		const struct tree_node *list = tree_item(select, "values_lists",
							 r);

		if (!token_char(rw, at, '('))
			return grid_refuse(rw, g,
					   "a row of VALUES was not found");
		if (grid_values(rw, g, at, list) < 0)
			return rw->e->code;
		at = rw->match[at] + 2;
	}
	return 0;
}

/* The first token behind a select list. */
static size_t
list_end(const struct rewrite *rw, size_t last)
{
	unsigned depth = rw->depth[last];
	size_t select = token_before(rw, last, "select");
	struct clause c = token_clause(rw, select);
	size_t end = c.where != NO_TOKEN ? c.where : c.end;

	for (size_t i = last; i < end; i++)
		if (rw->depth[i] == depth && token_key(rw, i, "from") &&
		    !token_word(rw, i - 1, "distinct"))
			return i;
	return end;
}

/* An item without the name it is given. */
static size_t
without_label(const struct rewrite *rw, const struct tree_node *item,
	      size_t last)
{
	if (tree_str(item, "name")[0] == 0)
		return last;
	return token_word(rw, last - 1, "as") ? last - 2 : last - 1;
}

static int
read_item(struct rewrite *rw, struct grid *g, const struct tree_node *select,
	  unsigned k)
{
	struct cell *c = &g->cells[(g->nrows - 1) * g->ncolumns + k];
	const struct tree_node *item = tree_item(select, "target_list", k);
	size_t end;

	c->node = tree_get(item, "val");
	c->first = token_at(rw, tree_offset(item));
	if (c->first == NO_TOKEN)
		return grid_refuse(rw, g,
				   "an item of its SELECT was not found");
	if (k + 1 < g->ncolumns) {
		end = token_at(rw, tree_offset(tree_item(select, "target_list",
							 k + 1)));
		if (end == NO_TOKEN || end < 2)
			return grid_refuse(rw, g, "an item was not found");
		end -= 2; /* the comma, and the token before it */
	} else {
		end = list_end(rw, c->first) - 1;
		g->ends[g->nrows - 1] = end;
	}
	c->last = without_label(rw, item, end);
	return 0;
}

int
grid_arms(struct rewrite *rw, struct grid *g, const struct tree_node *select)
{
	if (tree_get(select, "larg") != NULL)
		return grid_arms(rw, g, tree_get(select, "larg")) < 0
			       ? rw->e->code
			       : grid_arms(rw, g, tree_get(select, "rarg"));
	if (tree_len(select, "values_lists") > 0)
		return grid_refuse(rw, g, "VALUES as a part of a query");
	if (has_star(select))
		return grid_refuse(rw, g, "name the columns instead of *");
	if (tree_len(select, "target_list") != g->ncolumns)
		return grid_refuse(rw, g, "columns and values differ");
	add_row(rw, g);
	for (unsigned k = 0; k < g->ncolumns; k++)
		if (read_item(rw, g, select, k) < 0)
			return rw->e->code;
	return 0;
}

/* ---- columns ------------------------------------------------------------ */

size_t
grid_width(const struct tree_node *select)
{
	while (tree_get(select, "larg") != NULL)
		select = tree_get(select, "larg");
	if (tree_len(select, "values_lists") > 0)
		return tree_len(tree_get(select, "values_lists"), "items");
	return has_star(select) ? 0 : tree_len(select, "target_list");
}

int
grid_spell(struct rewrite *rw, struct grid *g, size_t width, size_t after)
{
	const struct world_table *wt = g->t->world;
	struct str s;

	if (width == 0 || width > wt->ncolumns)
		return grid_refuse(rw, g, "name the columns");
	g->ncolumns = (unsigned)width;
	g->columns = arena_new(rw->a, width * sizeof(*g->columns));
	str_init(&s);
	str_add(&s, " (");
	for (unsigned i = 0; i < width; i++) {
		g->columns[i] = wt->columns[i].name;
		str_add(&s, i > 0 ? ", " : "");
		pred_name(&s, wt->columns[i].name);
	}
	if (g->t->rule->kind == TENANT_BY) {
		bool given = false;

		for (unsigned i = 0; i < width; i++)
			given |= write_owns(g->t->rule, g->columns[i]);
		if (!given) {
			str_add(&s, ", ");
			pred_name(&s, g->t->rule->column);
		}
	}
	str_addc(&s, ')');
	splice_insert(&rw->splice, rw->tok[after].end, pred_keep(rw, &s));
	return 0;
}

int
grid_named(struct rewrite *rw, struct grid *g, const struct tree_node *stmt,
	   const char *field)
{
	size_t n = tree_len(stmt, field), first, close;
	bool given = g->t->rule->kind != TENANT_BY;
	struct str s;

	g->ncolumns = (unsigned)n;
	g->columns = arena_new(rw->a, n * sizeof(*g->columns));
	for (unsigned i = 0; i < n; i++) {
		g->columns[i] = tree_str(tree_item(stmt, field, i), "name");
		if (!write_owns(g->t->rule, g->columns[i]))
			continue;
		if (tree_len(tree_item(stmt, field, i), "indirection") > 0)
			return grid_refuse(rw, g,
					   "what says to whom the row belongs "
					   "is given as a whole");
		given = true;
	}
	if (given)
		return 0;
	first = token_at(rw, tree_offset(tree_item(stmt, field, 0)));
	if (first == NO_TOKEN || first == 0 || !token_char(rw, first - 1, '('))
		return grid_refuse(rw, g, "its list of columns was not found");
	close = rw->match[first - 1];
	str_init(&s);
	str_add(&s, ", ");
	pred_name(&s, g->t->rule->column);
	splice_insert(&rw->splice, rw->tok[close - 1].end, pred_keep(rw, &s));
	return 0;
}

unsigned
grid_column(const struct grid *g, const char *name)
{
	unsigned i = 0;

	while (i < g->ncolumns && strcmp(g->columns[i], name) != 0)
		i++;
	return i;
}
