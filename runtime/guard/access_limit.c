/* SPDX-License-Identifier: MIT
 *
 * What is allowed, as parts of SQL: the limit of rows, and masks of cells.
 */
#include "access_int.h"

#include <string.h>

/* ---- allowed: parts of SQL --------------------------------------------- */

static void
term(struct deciding *d)
{
	if (d->terms++ > 0)
		expr_sql_text(d->sql, " AND ");
}

/* Do the permits that cover a column (NULL: all permits) leave it to the row
 * whether one of them holds? */
static bool
open_permits(const struct deciding *d, const char *column)
{
	for (unsigned i = 0; i < d->npermits; i++)
		if (d->permits[i].whole &&
		    (column == NULL ||
		     access_covers(d->permits[i].rule, column)))
			return false;
	return true;
}

/* One of the permits that cover the column holds. */
static void
add_permits(struct deciding *d, const char *column)
{
	unsigned n = 0;

	if (!open_permits(d, column))
		return;
	term(d);
	expr_sql_text(d->sql, "(");
	for (unsigned i = 0; i < d->npermits; i++) {
		if (column != NULL &&
		    !access_covers(d->permits[i].rule, column))
			continue;
		expr_sql_text(d->sql, n++ > 0 ? " OR " : "");
		expr_sql_rest(d->sql, &d->permits[i].rest, d->ask->who);
	}
	expr_sql_text(d->sql, ")");
}

static void
add_forbid(struct deciding *d, const struct counted *f)
{
	term(d);
	expr_sql_rest(d->sql, &f->rest, d->ask->who);
	expr_sql_text(d->sql, " IS FALSE");
}

/* Two columns that the same permits cover; and the same forbids name. */
static bool
permitted_alike(const struct deciding *d, const char *one, const char *other)
{
	for (unsigned i = 0; i < d->npermits; i++)
		if (access_covers(d->permits[i].rule, one) !=
		    access_covers(d->permits[i].rule, other))
			return false;
	return true;
}

static bool
forbidden_alike(const struct deciding *d, const char *one, const char *other)
{
	for (unsigned i = 0; i < d->nforbids; i++)
		if (access_names(d->forbids[i].rule, one) !=
		    access_names(d->forbids[i].rule, other))
			return false;
	return true;
}

/* Each column that is written is permitted, those alike said once. */
static void
add_written(struct deciding *d)
{
	const struct access_ask *ask = d->ask;

	for (unsigned i = 0; i < ask->ncolumns; i++) {
		unsigned k = 0;

		while (k < i &&
		       !permitted_alike(d, ask->columns[k], ask->columns[i]))
			k++;
		if (k == i)
			add_permits(d, ask->columns[i]);
	}
}

static void
add_rows(struct deciding *d)
{
	if (d->ask->ncolumns == 0)
		add_permits(d, NULL);
	else
		add_written(d);
	for (unsigned i = 0; i < d->nforbids; i++)
		if (access_takes_rows(d->forbids[i].rule, d->ask))
			add_forbid(d, &d->forbids[i]);
}

/* Ends what was begun at part `from`; how many parts it has. */
static unsigned
cut(struct deciding *d, unsigned from)
{
	if (d->terms > 0)
		expr_sql_cut(d->sql);
	d->terms = 0;
	return d->sql->nparts - from;
}

/* ---- allowed: masks ---------------------------------------------------- */

/* Is a column in no row seen? */
static bool
hidden(const struct deciding *d, const char *column)
{
	for (unsigned i = 0; i < d->nforbids; i++)
		if (d->forbids[i].whole &&
		    access_names(d->forbids[i].rule, column))
			return true;
	return !access_permitted(d, column);
}

/* Rows are filtered already: what all permits cover needs no second look, nor
 * what a forbid without columns takes. */
static void
add_cell(struct deciding *d, const char *column)
{
	unsigned n = 0;

	for (unsigned i = 0; i < d->npermits; i++)
		n += access_covers(d->permits[i].rule, column);
	if (n < d->npermits)
		add_permits(d, column);
	for (unsigned i = 0; i < d->nforbids; i++)
		if (access_names(d->forbids[i].rule, column))
			add_forbid(d, &d->forbids[i]);
}

/* A column's mask, told by where its parts begin: their list moves as it
 * grows. */
struct masked {
	const char *column;
	unsigned start, nparts;
};

/* The one among those before it that says the same, or NULL. */
static const struct masked *
same_mask(const struct deciding *d, const struct masked *list,
	  const struct masked *m)
{
	for (; list < m; list++)
		if (permitted_alike(d, list->column, m->column) &&
		    forbidden_alike(d, list->column, m->column))
			return list;
	return NULL;
}

/* How many columns of the table are masked. */
static unsigned
add_masks(struct deciding *d, struct masked *list)
{
	const struct world_table *t = d->ask->who->row.table;
	unsigned n = 0;

	for (unsigned i = 0; i < t->ncolumns; i++) {
		struct masked *m = &list[n];
		const struct masked *same;
		bool gone;

		*m = (struct masked){t->columns[i].name, d->sql->nparts, 0};
		same = same_mask(d, list, m);
		gone = same != NULL ? same->nparts == 0 : hidden(d, m->column);
		if (same != NULL) {
			m->start = same->start;
			m->nparts = same->nparts;
		} else if (!gone) {
			add_cell(d, m->column);
			m->nparts = cut(d, m->start);
		}
		n += gone || m->nparts > 0;
	}
	return n;
}

static bool
partial(const struct deciding *d)
{
	for (unsigned i = 0; i < d->npermits; i++)
		if (d->permits[i].rule->ncolumns > 0)
			return true;
	for (unsigned i = 0; i < d->nforbids; i++)
		if (d->forbids[i].rule->ncolumns > 0)
			return true;
	return false;
}

/* ---- allowed ----------------------------------------------------------- */

static void
mask(struct deciding *d)
{
	unsigned room = d->ask->who->row.table->ncolumns + 1;
	struct tenant_limit *l = &d->out->limit;
	struct tenant_mask *masks = arena_new(d->a, room * sizeof(*masks));
	struct masked *list = arena_new(d->a, room * sizeof(*list));

	l->nmasks = add_masks(d, list);
	for (unsigned i = 0; i < l->nmasks; i++)
		masks[i] = (struct tenant_mask){list[i].column, list[i].nparts,
						d->sql->parts + list[i].start};
	l->masks = masks;
}

void
access_allow(struct deciding *d, struct deciding *reads)
{
	const struct world_table *t = d->ask->who->row.table;
	struct access_verdict *out = d->out;

	out->allowed = true;
	if (d->npermits == 1)
		out->rule = d->permits[0].rule;
	out->limit = (struct tenant_limit){
		.schema = t->schema, .name = t->name, .action = d->ask->action};
	add_rows(d);
	if (reads != NULL && d->ask->action != TENANT_INSERT) {
		reads->terms = d->terms;
		add_rows(reads);
		d->terms = reads->terms;
	}
	out->limit.nparts = cut(d, 0);
	if (d->ask->action == TENANT_READ && partial(d))
		mask(d);
	out->limit.parts = d->sql->parts;
	out->values = d->sql->values;
	out->nvalues = d->sql->nvalues;
}
