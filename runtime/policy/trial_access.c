/* SPDX-License-Identifier: MIT
 *
 * Tests of access: may who asks do this to that row?
 */
#include <string.h>

#include "near.h"
#include "sample_row.h"
#include "tenant.h"
#include "trial_int.h"

#define NO_PERMIT "no permit"

/* ---- what the test says ------------------------------------------------ */

static const char *const actions[] = {[TENANT_READ] = "read",
				      [TENANT_INSERT] = "insert",
				      [TENANT_UPDATE] = "update",
				      [TENANT_DELETE] = "delete"};

static int
read_action(struct trial_asked *a)
{
	const char *can = decl_text(&a->d->fields, "can"),
		   *cannot = decl_text(&a->d->fields, "cannot"),
		   *word = can != NULL ? can : cannot;

	if (can != NULL && cannot != NULL)
		return decl_fail(a->e, a->d, "it says can and cannot; say one");
	if (decl_field(&a->d->fields, "sql") != NULL ||
	    decl_field(&a->d->fields, "gives") != NULL)
		return decl_fail(a->e, a->d,
				 "%s is about a row, sql and gives about a "
				 "statement; write two tests",
				 can != NULL ? "can" : "cannot");
	a->wanted = can != NULL;
	for (unsigned i = 0; i < ACCESS_ACTIONS; i++)
		if (strcmp(actions[i], word) == 0) {
			a->ask.action = (enum tenant_action)i;
			return 0;
		}
	return decl_fail(a->e, a->d,
			 "\"%s\" is none of read, insert, update and delete",
			 word);
}

/* Without a schema: the first rule of that name. */
static const struct tenant_table *
table_of(const struct tenant_rules *rules, const char *text)
{
	const char *dot = strchr(text, '.'),
		   *name = dot != NULL ? dot + 1 : text;

	for (unsigned i = 0; i < rules->ntables; i++) {
		const struct tenant_table *t = &rules->tables[i];

		if (strcmp(t->name, name) == 0 &&
		    (dot == NULL ||
		     (strlen(t->schema) == (size_t)(dot - text) &&
		      strncmp(t->schema, text, (size_t)(dot - text)) == 0)))
			return t;
	}
	return NULL;
}

static int
read_row(struct trial_asked *a)
{
	const char *on = decl_text(&a->d->fields, "on");
	struct sample_row_ask of = {
		.rules = a->rules->access,
		.d = a->d,
		.row = decl_field(&a->d->fields, "row"),
		.named = decl_field(&a->d->fields, "columns")};

	if (on == NULL)
		return decl_fail(a->e, a->d,
				 "on which table? say on = \"...\"");
	of.table = table_of(a->rules->isolation.tables, on);
	if (of.table == NULL)
		return decl_fail(a->e, a->d,
				 "no rule of isolation.lua names \"%s\"", on);
	if (sample_row(&of, &a->arena, &a->row, a->e) < 0)
		return a->e->code;
	a->who.ask.row.table = &a->row.table;
	a->who.ask.row.values = a->row.values;
	return 0;
}

/* Those of a read are looked at, those of a write written; of an insert that
 * names none, those of its row. */
static void
read_columns(struct trial_asked *a)
{
	const struct decl_value *v = decl_field(&a->d->fields, "columns"),
				*row = decl_field(&a->d->fields, "row"), *list;
	unsigned n = decl_texts(v, &list);
	bool insert = a->ask.action == TENANT_INSERT;
	const char **names;

	if (n == 0 && insert && row != NULL) {
		a->ask.ncolumns = row->n;
		a->ask.columns = row->keys;
		return;
	}
	names = arena_new(&a->arena, (n + 1) * sizeof(*names));
	for (unsigned i = 0; i < n; i++)
		names[i] = list[i].text;
	if (insert || a->ask.action == TENANT_UPDATE) {
		a->ask.ncolumns = n;
		a->ask.columns = names;
	} else {
		a->ask.nreads = n;
		a->ask.reads = names;
	}
}

/* ---- what is said of the outcome --------------------------------------- */

static void
add_where(struct str *s, const struct access_rule *r)
{
	str_addf(s, "%s \"%s\" (%s:%d)", r->forbids ? "forbid" : "permit",
		 r->name, r->file, r->line);
}

bool
trial_counts(struct trial_asked *a, const struct access_rule *r)
{
	struct access_weighed w;
	enum expr_truth says;

	access_weigh(&a->ask, r, &a->arena, &w);
	if (w.weight != ACCESS_SOME)
		return w.weight == ACCESS_WHOLE;
	says = expr_eval(r->when, &a->who.ask, NULL);
	return r->forbids ? says != EXPR_NO : says == EXPR_YES;
}

/* What a permit that is about it lacked. */
static void
add_lack(struct trial_asked *a, const struct access_rule *r, struct str *s)
{
	const struct expr *part;
	struct access_weighed w;

	access_weigh(&a->ask, r, &a->arena, &w);
	if (w.weight == ACCESS_APART || r->when == NULL)
		return;
	str_add(s, "; ");
	add_where(s, r);
	if (w.fault.at != NULL)
		str_addf(s, " is at fault: %s", w.fault.text);
	else if (expr_failing(r->when, a->ask.who, &part, 1) > 0) {
		str_add(s, " wants ");
		expr_print(part, s);
	}
}

static void
add_denied(struct trial_asked *a, struct str *s)
{
	const struct access_rules *rules = a->rules->access;

	str_add(s, "it cannot: ");
	if (a->verdict.rule != NULL)
		add_where(s, a->verdict.rule);
	else
		str_add(s, "no permit holds");
	if (a->verdict.column != NULL)
		str_addf(s, " for column %s", a->verdict.column);
	for (unsigned i = 0; a->verdict.rule == NULL && i < rules->nrules; i++)
		if (!rules->rules[i].forbids)
			add_lack(a, &rules->rules[i], s);
}

static void
add_allowed(struct trial_asked *a, struct str *s)
{
	const struct access_rules *rules = a->rules->access;

	str_add(s, "it can:");
	for (unsigned i = 0; i < rules->nrules; i++)
		if (!rules->rules[i].forbids &&
		    trial_counts(a, &rules->rules[i])) {
			str_addc(s, ' ');
			add_where(s, &rules->rules[i]);
		}
}

static int
unexpected(struct trial_asked *a)
{
	struct str s;
	int rc;

	str_init(&s);
	if (a->verdict.allowed)
		add_allowed(a, &s);
	else
		add_denied(a, &s);
	rc = decl_fail(a->e, a->d, "%s", s.at);
	str_fini(&s);
	return rc;
}

/* ---- because ----------------------------------------------------------- */

static int
no_such_rule(const struct trial_asked *a, const char *because)
{
	const struct access_rules *rules = a->rules->access;
	struct near near;

	near_init(&near, because);
	near_try(&near, NO_PERMIT);
	for (unsigned i = 0; i < rules->nrules; i++)
		near_try(&near, rules->rules[i].name);
	if (near_best(&near) != NULL)
		return decl_fail(a->e, a->d,
				 "because = \"%s\" is no rule; did you mean "
				 "\"%s\"?",
				 because, near_best(&near));
	return decl_fail(a->e, a->d,
			 "because = \"%s\" is no rule; name a permit, a forbid "
			 "or \"" NO_PERMIT "\"",
			 because);
}

/* One of the rules that made it so. */
static int
check_because(struct trial_asked *a, const char *because)
{
	const struct access_rules *rules = a->rules->access;
	bool named = false, held = false;

	if (!a->wanted && strcmp(because, NO_PERMIT) == 0)
		return a->verdict.rule == NULL ? 0 : unexpected(a);
	for (unsigned i = 0; i < rules->nrules; i++) {
		const struct access_rule *r = &rules->rules[i];

		if (strcmp(r->name, because) != 0 || r->forbids == a->wanted)
			continue;
		named = true;
		held |= trial_counts(a, r);
	}
	if (!named)
		return no_such_rule(a, because);
	return held ? 0 : unexpected(a);
}

/* ---- all of it --------------------------------------------------------- */

int
trial_ask(struct trial_asked *a)
{
	if (a->rules->access == NULL || a->rules->isolation.tables == NULL)
		return decl_fail(
			a->e, a->d, "there is no %s.lua to test it with",
			a->rules->access == NULL ? "access" : "isolation");
	if (read_action(a) < 0 ||
	    trial_who_read(a->d, a->rules, &a->who, a->e) < 0 ||
	    read_row(a) < 0)
		return a->e->code;
	read_columns(a);
	a->ask.rules = a->rules->access;
	a->ask.who = &a->who.ask;
	return 0;
}

void
trial_asked_fini(struct trial_asked *a)
{
	trial_who_fini(&a->who);
	arena_fini(&a->arena);
}

static int
judge(struct trial_asked *a)
{
	const char *because = decl_text(&a->d->fields, "because");

	if (trial_ask(a) < 0)
		return a->e->code;
	if (a->ask.action == TENANT_INSERT)
		access_decide(&a->ask, &a->arena, &a->verdict);
	else
		access_decide_row(&a->ask, &a->arena, &a->verdict);
	if (a->verdict.allowed != a->wanted)
		return unexpected(a);
	return because != NULL ? check_because(a, because) : 0;
}

int
trial_access(const struct decl *d, const struct rules *rules, struct err *e)
{
	struct trial_asked a = {.d = d, .rules = rules, .e = e};
	int rc;

	arena_init(&a.arena, NULL, 0);
	rc = judge(&a);
	trial_asked_fini(&a);
	return rc;
}
