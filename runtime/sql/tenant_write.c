/* SPDX-License-Identifier: MIT
 *
 * Targets of UPDATE, DELETE and MERGE.
 */
#include "tenant_int.h"

#include <string.h>

#include "reads.h"

#define EQ " OPERATOR(pg_catalog.=) "

/* ---- what may be written ------------------------------------------------ */

int
write_target(struct rewrite *rw, const struct tree_node *stmt,
	     struct target *out)
{
	if (target_find(rw, tree_get(stmt, "relation"), out) < 0)
		return rw->e->code;
	if (out->rule->kind == TENANT_SHARED || out->rule->write_never)
		return refuse(rw->e, REFUSE_SHARED,
			      "tenants only read %s.%s (%s:%d); write it as "
			      "system",
			      out->rule->schema, out->rule->name,
			      out->rule->file, out->rule->line);
	if (out->world->kind != WORLD_TABLE &&
	    out->world->kind != WORLD_PARTITIONED)
		return refuse(rw->e, REFUSE_VIEW, "%s.%s is no table",
			      out->rule->schema, out->rule->name);
	if (rw->ask->shape != TENANT_ONE)
		return refuse(rw->e, REFUSE_TENANT,
			      "the context has a set of tenants; a write needs "
			      "exactly one");
	rw->needs_one = true;
	return 0;
}

bool
write_owns(const struct tenant_table *rule, const char *column)
{
	if (rule->kind == TENANT_BY)
		return strcmp(rule->column, column) == 0;
	for (unsigned i = 0; i < rule->non; i++)
		if (strcmp(rule->on[i].own, column) == 0)
			return true;
	return false;
}

/* A row that is moved out of the limit by which it was found would be out of
 * reach of whoever moved it, and in that of others, with nobody asked. */
static int
check_limit(struct rewrite *rw, const struct target *t, const char *column)
{
	const struct tenant_limit *l = pred_limit(rw, t->rule, TENANT_UPDATE);

	if (l == NULL ||
	    !pred_speaks_of((struct pred_parts){l->parts, l->nparts}, column))
		return 0;
	return refuse(rw->e, REFUSE_MOVE,
		      "access.lua permits to update rows of %s.%s by their %s, "
		      "so that column cannot be SET",
		      t->rule->schema, t->rule->name, column);
}

static int
write_set(struct rewrite *rw, const struct target *t, const char *name)
{
	if (check_limit(rw, t, name) < 0)
		return rw->e->code;
	if (!write_owns(t->rule, name))
		return 0;
	return refuse(rw->e, REFUSE_MOVE,
		      "%s says to whom a row of %s.%s belongs (%s:%d) and "
		      "cannot be SET",
		      name, t->rule->schema, t->rule->name, t->rule->file,
		      t->rule->line);
}

/* A generated column is set by whatever it is worked out from. */
int
write_sets(struct rewrite *rw, const struct target *t,
	   const struct tree_node *stmt)
{
	const struct world_table *wt = t->world;

	for (size_t i = 0; i < tree_len(stmt, "target_list"); i++)
		if (write_set(rw, t,
			      tree_str(tree_item(stmt, "target_list", i),
				       "name")) < 0)
			return rw->e->code;
	for (unsigned i = 0; i < wt->ncolumns; i++)
		if (wt->columns[i].generated &&
		    write_set(rw, t, wt->columns[i].name) < 0)
			return rw->e->code;
	return 0;
}

int
write_reads(struct rewrite *rw, const struct target *t,
	    const struct tree_node *stmt, bool *reads)
{
	const struct tenant_limit *l = pred_limit(rw, t->rule, TENANT_READ);
	struct reads r;

	reads_of(t->world, stmt, rw->a, &r);
	*reads = r.any;
	for (unsigned i = 0; i < t->world->ncolumns && l != NULL; i++) {
		const char *column = t->world->columns[i].name;

		for (unsigned k = 0; k < l->nmasks; k++)
			if ((r.row || r.columns[i]) &&
			    strcmp(l->masks[k].column, column) == 0)
				return refuse(rw->e, REFUSE_MASKED,
					      "%s of %s.%s may not be read, "
					      "and a statement that writes "
					      "the table cannot name it%s",
					      column, t->rule->schema,
					      t->rule->name,
					      r.row ? " or the whole row" : "");
	}
	return 0;
}

/* ---- WHERE -------------------------------------------------------------- */

/* Puts predicates in front of a condition that spans tokens. */
static void
guard_condition(struct rewrite *rw, struct clause c, const char *preds)
{
	const char *head = rw->leaky
				   ? arena_printf(rw->a,
						  " %s AND CASE WHEN %s THEN (",
						  preds, preds)
				   : arena_printf(rw->a, " %s AND (", preds);

	splice_insert(&rw->splice, rw->tok[c.where].end, head);
	splice_insert(&rw->splice, rw->tok[c.end - 1].end,
		      rw->leaky ? ") ELSE false END" : ")");
}

int
write_where(struct rewrite *rw, struct clause c, const char *preds)
{
	if (c.end == 0 || c.end - 1 == c.where)
		return refuse(rw->e, REFUSE_FORM,
			      "where its WHERE belongs was not found");
	if (c.where != NO_TOKEN)
		guard_condition(rw, c, preds);
	else
		splice_insert(&rw->splice, rw->tok[c.end - 1].end,
			      arena_printf(rw->a, " WHERE %s", preds));
	return 0;
}

/* The statement's keyword in front of its target. */
static size_t
keyword_of(const struct rewrite *rw, const struct target *t, const char *word)
{
	return token_before(rw, t->first, word);
}

static int
scope_target(struct rewrite *rw, const struct target *t, struct str *preds,
	     const char *word)
{
	size_t keyword = keyword_of(rw, t, word);

	if (keyword == NO_TOKEN) {
		str_fini(preds);
		return refuse(rw->e, REFUSE_FORM, "its %s was not found", word);
	}
	target_qualify(rw, t);
	return write_where(rw, token_clause(rw, keyword), pred_keep(rw, preds));
}

int
write_update(struct rewrite *rw, const struct tree_node *n)
{
	struct target t;
	struct str preds;
	bool reads;

	if (write_target(rw, n, &t) < 0 || write_sets(rw, &t, n) < 0 ||
	    write_reads(rw, &t, n, &reads) < 0)
		return rw->e->code;
	str_init(&preds);
	if (pred_all(rw, &preds, &t, TENANT_UPDATE) < 0) {
		str_fini(&preds);
		return rw->e->code;
	}
	if (reads)
		pred_also(rw, &preds, &t, TENANT_READ);
	return scope_target(rw, &t, &preds, "update");
}

/* ---- DELETE ------------------------------------------------------------- */

/* What clinics share goes only when nobody else has it. */
static void
add_alone(struct rewrite *rw, struct str *s, const struct target *t)
{
	const struct tenant_table *r = t->rule;

	str_add(s, " AND NOT EXISTS (SELECT FROM ");
	pred_table(s, r->via_schema, r->via);
	str_add(s, " AS lunate_1 WHERE ");
	for (unsigned i = 0; i < r->non; i++) {
		str_add(s, "lunate_1.");
		pred_name(s, r->on[i].other);
		str_addf(s, EQ "%s.", t->q);
		pred_name(s, r->on[i].own);
		str_add(s, " AND ");
	}
	str_add(s, "NOT lunate_1.");
	pred_name(s, r->column);
	str_add(s, EQ);
	pred_own(rw, s);
	str_addc(s, ')');
}

int
write_delete(struct rewrite *rw, const struct tree_node *n)
{
	struct target t;
	struct str preds;
	bool reads;

	if (write_target(rw, n, &t) < 0 || write_reads(rw, &t, n, &reads) < 0)
		return rw->e->code;
	str_init(&preds);
	if (pred_all(rw, &preds, &t, TENANT_DELETE) < 0) {
		str_fini(&preds);
		return rw->e->code;
	}
	if (reads)
		pred_also(rw, &preds, &t, TENANT_READ);
	if (t.rule->kind == TENANT_THROUGH)
		add_alone(rw, &preds, &t);
	return scope_target(rw, &t, &preds, "delete");
}

/* ---- MERGE -------------------------------------------------------------- */

/* The next such keyword of the MERGE itself, outside of CASE. */
static size_t
merge_word(const struct rewrite *rw, size_t from, unsigned depth,
	   const char *word)
{
	unsigned cases = 0;

	for (size_t i = from; i < rw->n && rw->depth[i] >= depth; i++) {
		if (rw->depth[i] != depth)
			continue;
		if (cases == 0 && token_key(rw, i, word))
			return i;
		if (token_key(rw, i, "case"))
			cases++;
		else if (cases > 0 && token_key(rw, i, "end"))
			cases--;
	}
	return NO_TOKEN;
}

/* Its ON: the last one before the first WHEN. */
static struct clause
merge_on(const struct rewrite *rw, size_t keyword)
{
	unsigned depth = rw->depth[keyword];
	size_t when = merge_word(rw, keyword, depth, "when"), on = NO_TOKEN;

	for (size_t i = keyword; when != NO_TOKEN && i < when; i++)
		if (rw->depth[i] == depth && token_key(rw, i, "on"))
			on = i;
	return (struct clause){on, when};
}

static int
merge_branches(struct rewrite *rw, const struct target *t,
	       const struct tree_node *n, size_t when)
{
	unsigned depth = rw->depth[when];

	for (size_t i = 0; i < tree_len(n, "merge_when_clauses"); i++) {
		const struct tree_node *b = tree_item(n, "merge_when_clauses",
						      i);
		const char *does = tree_word(b, "command_type");
		size_t then = merge_word(rw, when, depth, "then");

		if (then == NO_TOKEN)
			return refuse(rw->e, REFUSE_FORM,
				      "a branch of MERGE was not found");
		if (strcmp(does, "CMD_UPDATE") == 0 && write_sets(rw, t, b) < 0)
			return rw->e->code;
		if (strcmp(does, "CMD_DELETE") == 0 &&
		    t->rule->kind == TENANT_THROUGH)
			return refuse(rw->e, REFUSE_FORM,
				      "what tenants share is not deleted by "
				      "MERGE");
		if (strcmp(does, "CMD_INSERT") == 0 &&
		    insert_branch(rw, t, b, then) < 0)
			return rw->e->code;
		when = then + 1;
	}
	return 0;
}

/* One predicate for all branches: what its own action may not touch, no other
 * branch sees either. */
static int
merge_preds(struct rewrite *rw, const struct target *t, struct str *preds)
{
	const struct tenant_table *r = t->rule;

	if (pred_limit(rw, r, TENANT_UPDATE) != NULL ||
	    pred_limit(rw, r, TENANT_DELETE) != NULL ||
	    pred_limit(rw, r, TENANT_INSERT) != NULL)
		return refuse(rw->e, REFUSE_ACCESS,
			      "access to %s.%s is limited by row, and MERGE is "
			      "not scoped by it",
			      r->schema, r->name);
	if (pred_add(rw, preds, (struct pred_row){r, t->q, 1}) < 0)
		return rw->e->code;
	pred_also(rw, preds, t, TENANT_READ); /* its ON is asked of each row */
	return 0;
}

int
write_merge(struct rewrite *rw, const struct tree_node *n)
{
	struct target t;
	struct str preds;
	struct clause on;
	size_t keyword;
	bool reads;

	if (write_target(rw, n, &t) < 0 || write_reads(rw, &t, n, &reads) < 0)
		return rw->e->code;
	keyword = keyword_of(rw, &t, "merge");
	on = keyword != NO_TOKEN ? merge_on(rw, keyword)
				 : (struct clause){NO_TOKEN, NO_TOKEN};
	if (on.where == NO_TOKEN || on.end == NO_TOKEN)
		return refuse(rw->e, REFUSE_FORM, "its ON was not found");
	str_init(&preds);
	if (merge_preds(rw, &t, &preds) < 0) {
		str_fini(&preds);
		return rw->e->code;
	}
	target_qualify(rw, &t);
	guard_condition(rw, on, pred_keep(rw, &preds));
	return merge_branches(rw, &t, n, on.end);
}
