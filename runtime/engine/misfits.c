/* SPDX-License-Identifier: MIT */
#include "misfits.h"

#include <stdio.h>
#include <string.h>

struct judging {
	const struct misfits_ask *ask;
	unsigned found;
};

static void
tell(struct judging *j, enum doctor_level level, const char *what,
     const char *remedy)
{
	struct doctor_finding f = {.level = level, .name = "access"};

	j->found += level != DOCTOR_OK;
	snprintf(f.what, sizeof(f.what), "%s", what);
	snprintf(f.remedy, sizeof(f.remedy), "%s", remedy);
	j->ask->fn(&f, j->ask->arg);
}

/* The table, or NULL with what is said of it. */
static const struct world_table *
table_of(struct judging *j, const struct access_table *t, const char *file,
	 int line)
{
	const struct world *w = j->ask->world;
	const struct world_table *found = w->table(w->arg, t->schema, t->name);
	char what[300];

	if (found != NULL)
		return found;
	snprintf(what, sizeof(what), "%s:%d: there is no table %s.%s", file,
		 line, t->schema, t->name);
	tell(j, DOCTOR_ADVICE, what, "take it out of the rule, or create it");
	return NULL;
}

static void
judge_rule(struct judging *j, const struct access_rule *r)
{
	struct err e;

	for (unsigned i = 0; i < r->ntables; i++) {
		const struct expr_row row = {
			.world = j->ask->world,
			.table = table_of(j, &r->tables[i], r->file, r->line)};
		char what[300];

		if (row.table == NULL || access_fit(r, &row, &e) == 0)
			continue;
		snprintf(what, sizeof(what), "%s:%d: \"%s\" on %s.%s: %.150s",
			 r->file, r->line, r->name, row.table->schema,
			 row.table->name, e.text);
		tell(j, DOCTOR_PROBLEM, what,
		     r->forbids ? "mend the rule: until then it forbids what "
				  "it is about in every row of the table"
				: "mend the rule: until then it permits "
				  "nothing there");
	}
}

static bool
has_column(const struct world_table *t, const char *column)
{
	for (unsigned i = 0; i < t->ncolumns; i++)
		if (strcmp(t->columns[i].name, column) == 0)
			return true;
	return false;
}

static void
judge_glass(struct judging *j, const struct access_glass *g)
{
	for (unsigned i = 0; i < g->ntables; i++) {
		const struct world_table *t = table_of(j, &g->tables[i],
						       g->file, g->line);
		char what[300];

		if (t == NULL || has_column(t, g->columns[i]))
			continue;
		snprintf(what, sizeof(what),
			 "%s:%d: \"%s\": %s.%s has no column \"%s\"", g->file,
			 g->line, g->name, t->schema, t->name, g->columns[i]);
		tell(j, DOCTOR_PROBLEM, what,
		     "mend patient: until then nobody opens that table in an "
		     "emergency");
	}
}

void
misfits_judge(const struct misfits_ask *ask)
{
	struct judging j = {.ask = ask};

	for (unsigned i = 0; i < ask->rules->nrules; i++)
		judge_rule(&j, &ask->rules->rules[i]);
	for (unsigned i = 0; i < ask->rules->nglasses; i++)
		judge_glass(&j, &ask->rules->glasses[i]);
	if (j.found == 0)
		tell(&j, DOCTOR_OK,
		     "the rules of access.lua fit the tables they name", "");
}
