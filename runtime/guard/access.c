/* SPDX-License-Identifier: MIT
 *
 * access: each rule is weighed, then what counts is put together.
 *
 *   rules --access_weigh--> permits and forbids that count --> denied, or
 *                                                              parts of SQL
 */
#include "access.h"

#include <stdio.h>
#include <string.h>

#include "access_int.h"

/* ---- what a rule is about ---------------------------------------------- */

void
access_held(const struct access_rules *r, const struct context *c,
	    uint64_t out[EXPR_ROLES / 64])
{
	memset(out, 0, EXPR_ROLES / 8);
	for (unsigned i = 0; c != NULL && i < c->nroles; i++)
		for (unsigned k = 0; k < r->nroles; k++) {
			if (strcmp(r->roles[k].name, c->roles[i]) != 0)
				continue;
			for (unsigned w = 0; w < EXPR_ROLES / 64; w++)
				out[w] |= r->roles[k].held[w];
		}
}

static bool
about_table(const struct access_rule *r, const struct world_table *t)
{
	for (unsigned i = 0; i < r->ntables; i++)
		if (strcmp(r->tables[i].name, t->name) == 0 &&
		    strcmp(r->tables[i].schema, t->schema) == 0)
			return true;
	return r->ntables == 0;
}

static enum expr_truth
about_roles(const struct access_rule *r, const uint64_t *held)
{
	if (r->nroles == 0)
		return EXPR_YES;
	if (held == NULL)
		return EXPR_UNKNOWN;
	for (unsigned i = 0; i < r->nroles; i++)
		if (held[r->roles[i] / 64] >> r->roles[i] % 64 & 1)
			return EXPR_YES;
	return EXPR_NO;
}

bool
access_names(const struct access_rule *r, const char *column)
{
	for (unsigned i = 0; i < r->ncolumns; i++)
		if (strcmp(r->columns[i], column) == 0)
			return true;
	return false;
}

bool
access_covers(const struct access_rule *r, const char *column)
{
	return r->ncolumns == 0 || access_names(r, column);
}

static const char *
missing_column(const struct access_rule *r, const struct world_table *t)
{
	for (unsigned i = 0; i < r->ncolumns; i++) {
		unsigned k = 0;

		while (k < t->ncolumns &&
		       strcmp(t->columns[k].name, r->columns[i]) != 0)
			k++;
		if (k == t->ncolumns)
			return r->columns[i];
	}
	return NULL;
}

/* Does it touch a cell that is asked for?  A forbid that names what the table
 * lacks may have meant any. */
static bool
about_columns(const struct access_rule *r, const struct access_ask *ask)
{
	if (r->ncolumns == 0 || ask->action == TENANT_READ)
		return true;
	if (r->forbids && (ask->action == TENANT_DELETE ||
			   missing_column(r, ask->who->row.table) != NULL))
		return true;
	for (unsigned i = 0; i < ask->ncolumns; i++)
		if (access_names(r, ask->columns[i]))
			return true;
	return ask->ncolumns == 0 && ask->action != TENANT_DELETE &&
	       !r->forbids;
}

static bool
about(const struct access_rule *r, const struct access_ask *ask)
{
	return (r->actions >> ask->action & 1) != 0 &&
	       about_table(r, ask->who->row.table) && about_columns(r, ask);
}

/* ---- one rule ---------------------------------------------------------- */

int
access_fit(const struct access_rule *r, const struct expr_row *row,
	   struct err *e)
{
	const char *missing = missing_column(r, row->table);

	if (missing != NULL)
		return err_set(e, LUNATE_EINVAL,
			       "the table has no column \"%s\"", missing);
	return r->when != NULL ? expr_fit(r->when, row, e) : 0;
}

static void
fault(struct expr_fault *f, const struct access_rule *r, const char *text)
{
	static const struct expr itself = {.kind = EXPR_TRUTH, .yes = true};

	if (f->at != NULL)
		return;
	f->at = r->when != NULL ? r->when : &itself;
	snprintf(f->text, sizeof(f->text), "%s", text);
}

/* The condition, as far as it is settled. */
static void
fold(const struct access_ask *ask, const struct access_rule *r, struct arena *a,
     struct access_weighed *out)
{
	const struct expr_folding by = {ask->who, a, &out->fault};

	out->rest = (struct expr_rest){.truth = EXPR_YES};
	if (r->when != NULL)
		expr_fold(r->when, &by, &out->rest);
	if (missing_column(r, ask->who->row.table) != NULL)
		fault(&out->fault, r, "the table lacks a column it names");
	if (out->rest.rowed && ask->action == TENANT_INSERT)
		fault(&out->fault, r, "a row that is not there yet is asked");
}

void
access_weigh(const struct access_ask *ask, const struct access_rule *r,
	     struct arena *a, struct access_weighed *out)
{
	enum expr_truth role = about_roles(r, ask->who->held);
	struct expr_range range;
	bool always, never;

	*out = (struct access_weighed){.weight = ACCESS_APART};
	if (role == EXPR_NO || !about(r, ask))
		return;
	fold(ask, r, a, out);
	range = expr_rest_range(&out->rest);
	if (r->forbids) {
		always = out->fault.at != NULL || range.least > EXPR_NO;
		never = range.most == EXPR_NO;
	} else {
		never = out->fault.at != NULL || role == EXPR_UNKNOWN ||
			range.most < EXPR_YES;
		always = range.least == EXPR_YES;
	}
	if (r->forbids ? always : !never && always)
		out->weight = ACCESS_WHOLE;
	else
		out->weight = never ? ACCESS_VOID : ACCESS_SOME;
}

/* ---- all of them ------------------------------------------------------- */

/* Does a rule that leaves it to the row count for this one? */
static bool
counts(const struct deciding *d, const struct access_rule *r)
{
	enum expr_truth says = expr_eval(r->when, d->ask->who, NULL);

	return r->forbids ? says != EXPR_NO : says == EXPR_YES;
}

static void
count(struct deciding *d, const struct access_rule *r)
{
	struct access_verdict *out = d->out;
	struct access_weighed w;
	struct counted *c;

	access_weigh(d->ask, r, d->a, &w);
	if (w.fault.at != NULL && out->fault.at == NULL) {
		out->faulty = r;
		out->fault = w.fault;
	}
	if (w.fault.at != NULL && r->forbids)
		d->broken = r;
	if (w.weight == ACCESS_SOME && d->row)
		w.weight = counts(d, r) ? ACCESS_WHOLE : ACCESS_VOID;
	if (w.weight == ACCESS_APART || w.weight == ACCESS_VOID)
		return;
	c = r->forbids ? &d->forbids[d->nforbids++]
		       : &d->permits[d->npermits++];
	*c = (struct counted){r, w.rest, w.weight == ACCESS_WHOLE};
}

/* The opening as a permit: rows whose column is the patient. */
static const struct access_rule *
opened(const struct deciding *d, const struct access_opening *o)
{
	const struct world_table *t = d->ask->who->row.table;
	const struct access_glass *g = o->glass;
	struct access_rule *r = arena_new(d->a, sizeof(*r));
	struct expr *x = arena_new(d->a, sizeof(*x));
	unsigned i = 0;

	while (i < g->ntables && (strcmp(g->tables[i].name, t->name) != 0 ||
				  strcmp(g->tables[i].schema, t->schema) != 0))
		i++;
	if (i == g->ntables || d->ask->action == TENANT_INSERT)
		return NULL;
	*x = (struct expr){.kind = EXPR_COMPARE,
			   .op = EXPR_EQ,
			   .rowed = true,
			   .left = {EXPR_COLUMN, g->columns[i], 0},
			   .right = {EXPR_TEXT, o->patient, 0}};
	*r = (struct access_rule){.name = g->name,
				  .file = g->file,
				  .line = g->line,
				  .actions = g->actions,
				  .when = x};
	return r;
}

static void
count_all(struct deciding *d)
{
	const struct access_rules *rules = d->ask->rules;
	const struct access_rule *opening = NULL;
	size_t size = (rules->nrules + 1) * sizeof(*d->permits);
	unsigned before;

	d->permits = arena_new(d->a, size);
	d->forbids = arena_new(d->a, size);
	for (unsigned i = 0; i < rules->nrules; i++)
		count(d, &rules->rules[i]);
	if (d->ask->opening != NULL)
		opening = opened(d, d->ask->opening);
	before = d->npermits;
	if (opening != NULL)
		count(d, opening);
	d->out->opened |= d->npermits > before;
}

/* ---- denied ------------------------------------------------------------ */

static void
deny(struct deciding *d, const struct access_rule *rule, const char *column)
{
	d->out->rule = rule;
	d->out->column = column;
}

/* A cell that is written has a permit. */
bool
access_permitted(const struct deciding *d, const char *column)
{
	for (unsigned i = 0; i < d->npermits; i++)
		if (access_covers(d->permits[i].rule, column))
			return true;
	return false;
}

static const char *
named_column(const struct access_rule *r, const struct access_ask *ask)
{
	for (unsigned i = 0; r->ncolumns > 0 && i < ask->ncolumns; i++)
		if (access_names(r, ask->columns[i]))
			return ask->columns[i];
	return NULL;
}

bool
access_takes_rows(const struct access_rule *forbid,
		  const struct access_ask *ask)
{
	return ask->action != TENANT_READ || forbid->ncolumns == 0 ||
	       named_column(forbid, ask) != NULL;
}

static const struct access_rule *
fatal(const struct deciding *d)
{
	if (d->broken != NULL)
		return d->broken;
	for (unsigned i = 0; i < d->nforbids; i++)
		if (d->forbids[i].whole &&
		    access_takes_rows(d->forbids[i].rule, d->ask))
			return d->forbids[i].rule;
	return NULL;
}

static bool
denied(struct deciding *d)
{
	const struct access_ask *ask = d->ask;
	const struct access_rule *forbid = fatal(d);

	if (forbid != NULL) {
		deny(d, forbid, named_column(forbid, ask));
		return true;
	}
	for (unsigned i = 0; i < ask->ncolumns; i++)
		if (!access_permitted(d, ask->columns[i])) {
			deny(d, NULL, ask->columns[i]);
			return true;
		}
	return d->npermits == 0;
}

static void
decide(struct deciding *d)
{
	const struct access_ask *ask = d->ask;
	struct access_ask look = *ask;
	struct deciding reads = *d;
	struct expr_sql sql;

	assert(ask->who->row.table != NULL);
	look.action = TENANT_READ;
	look.columns = ask->reads;
	look.ncolumns = ask->nreads;
	reads.ask = &look;
	/* A row that is not there yet has nothing to look at. */
	reads.row = d->row && ask->action != TENANT_INSERT;
	d->sql = reads.sql = &sql;
	count_all(d);
	if (ask->nreads > 0)
		count_all(&reads);
	if (denied(d) || (ask->nreads > 0 && denied(&reads)))
		return;
	expr_sql_init(&sql, d->a);
	sql.first_value = ask->first_value;
	access_allow(d, ask->nreads > 0 ? &reads : NULL);
	expr_sql_fini(&sql);
}

void
access_decide(const struct access_ask *ask, struct arena *a,
	      struct access_verdict *out)
{
	struct deciding d = {.ask = ask, .a = a, .out = out};

	*out = (struct access_verdict){0};
	decide(&d);
}

void
access_decide_row(const struct access_ask *ask, struct arena *a,
		  struct access_verdict *out)
{
	struct deciding d = {.ask = ask, .a = a, .out = out, .row = true};

	assert(ask->who->row.values != NULL);
	*out = (struct access_verdict){0};
	decide(&d);
}
