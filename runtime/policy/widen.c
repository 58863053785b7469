/* SPDX-License-Identifier: MIT */
#include "widen.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "access.h"
#include "decl.h"
#include "str.h"
#include "tenant.h"
#include "texts.h"
#include "trial.h"

static bool wider(struct err *why, const char *fmt, ...) PRINTF_LIKE(2, 3);

static bool
wider(struct err *why, const char *fmt, ...)
{
	char text[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	err_set(why, LUNATE_EDENIED, "%s", text);
	return true;
}

static bool
same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* ---- isolation ---------------------------------------------------------- */

static bool
same_way(const struct tenant_table *a, const struct tenant_table *b)
{
	if (a->kind != b->kind || !same(a->column, b->column) ||
	    !same(a->via_schema, b->via_schema) || !same(a->via, b->via) ||
	    a->non != b->non)
		return false;
	for (unsigned i = 0; i < a->non; i++)
		if (!same(a->on[i].own, b->on[i].own) ||
		    !same(a->on[i].other, b->on[i].other))
			return false;
	return true;
}

static bool
table_wider(const struct tenant_rules *old, const struct tenant_table *t,
	    struct err *why)
{
	const struct tenant_table *was = tenant_find(old, t->schema, t->name);

	if (was == NULL)
		return wider(why, "rows \"%s.%s\" is new, so the table opens",
			     t->schema, t->name);
	if (!same_way(was, t) || (was->write_never && !t->write_never) ||
	    (!was->write_own && t->write_own))
		return wider(why, "rows \"%s.%s\" says something else",
			     t->schema, t->name);
	return false;
}

static bool
among(const char *name, const char *const *list, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (strcmp(name, list[i]) == 0)
			return true;
	return false;
}

static bool
functions_wider(const struct tenant_rules *old, const struct tenant_rules *new,
		struct err *why)
{
	for (unsigned i = 0; i < new->nadded; i++)
		if (!among(new->added[i], old->added, old->nadded))
			return wider(why, "functions: %s is added",
				     new->added[i]);
	for (unsigned i = 0; i < old->nremoved; i++)
		if (!among(old->removed[i], new->removed, new->nremoved))
			return wider(why, "functions: %s is no longer removed",
				     old->removed[i]);
	return false;
}

static bool
barrier_wider(const struct isolation_rules *old,
	      const struct isolation_rules *new, struct err *why)
{
	if (old->mode != new->mode &&new->mode != ISOLATION_BOTH)
		return wider(why, "database: another mode, and not \"both\"");
	if (old->seal && !new->seal)
		return wider(why, "database: no seal any more");
	if (old->canary != NULL && !same(old->canary, new->canary))
		return wider(why, "canary: not as it was");
	if (!old->show_detail && new->show_detail)
		return wider(why, "errors: they show the server's detail");
	return false;
}

static bool
covers(const struct isolation_accept *old, const struct isolation_accept *new)
{
	return strcmp(old->lint, new->lint) == 0 &&
	       (old->name == NULL ||
		(same(old->schema, new->schema) && same(old->name, new->name)));
}

/* What is accepted closes nothing any more. */
static bool
accepts_wider(const struct isolation_rules *old,
	      const struct isolation_rules *new, struct err *why)
{
	for (unsigned i = 0; i < new->naccepted; i++) {
		const struct isolation_accept *a = &new->accepted[i];
		bool covered = false;

		for (unsigned k = 0; k < old->naccepted && !covered; k++)
			covered = covers(&old->accepted[k], a);
		if (!covered)
			return wider(why,
				     "accept \"%s\" is new, so it closes "
				     "nothing any more",
				     a->lint);
	}
	return false;
}

static bool
isolation_wider(const struct isolation_rules *old,
		const struct isolation_rules *new, struct err *why)
{
	if (new->state != ISOLATION_ON)
		return old->state == ISOLATION_ON && new->state == ISOLATION_OFF
			       ? wider(why, "isolation is off")
			       : false;
	if (old->state != ISOLATION_ON)
		return wider(why, "tables were closed, and have rules now");
	if (old->tables->type != new->tables->type)
		return wider(why, "tenant: another type");
	if (barrier_wider(old, new, why) || accepts_wider(old, new, why) ||
	    functions_wider(old->tables, new->tables, why))
		return true;
	for (unsigned i = 0; i < new->tables->ntables; i++)
		if (table_wider(old->tables, &new->tables->tables[i], why))
			return true;
	return false;
}

/* ---- access: what each declaration says, as a text ---------------------- */

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A list whose order means nothing. */
static void
add_list(struct str *s, const char **list, unsigned n)
{
	qsort(list, n, sizeof(*list), by_text);
	for (unsigned i = 0; i < n; i++)
		str_addf(s, "%s,", list[i]);
	str_addf(s, ";");
}

static void
add_roles(struct str *s, const struct access_rules *r, const unsigned *roles,
	  unsigned n)
{
	const char *names[EXPR_ROLES];

	for (unsigned i = 0; i < n; i++)
		names[i] = r->roles[roles[i]].name;
	add_list(s, names, n);
}

static void
add_tables(struct str *s, const struct access_table *t, unsigned n)
{
	char **names = mem_new((n + 1) * sizeof(*names));
	struct str one;

	for (unsigned i = 0; i < n; i++) {
		str_init(&one);
		str_addf(&one, "%s.%s", t[i].schema, t[i].name);
		names[i] = mem_dups(one.at);
		str_fini(&one);
	}
	add_list(s, (const char **)names, n);
	for (unsigned i = 0; i < n; i++)
		mem_free(names[i]);
	mem_free(names);
}

static void
add_columns(struct str *s, const char *const *columns, unsigned n)
{
	const char **list = mem_new((n + 1) * sizeof(*list));

	if (n > 0)
		memcpy(list, columns, n * sizeof(*list));
	add_list(s, list, n);
	mem_free(list);
}

static bool
calls(const struct expr *x)
{
	if (x == NULL)
		return false;
	if (x->kind == EXPR_CALL)
		return true;
	for (unsigned i = 0; i < x->nargs; i++)
		if (calls(x->args[i]))
			return true;
	return false;
}

/* `which`: a function of one set of rules is none of the other. */
static void
say_rule(struct str *s, const struct access_rules *r, unsigned i,
	 const char *which)
{
	const struct access_rule *a = &r->rules[i];

	str_addf(s, "%s %u;", a->forbids ? "forbid" : "permit", a->actions);
	add_roles(s, r, a->roles, a->nroles);
	add_tables(s, a->tables, a->ntables);
	add_columns(s, a->columns, a->ncolumns);
	if (a->when != NULL)
		expr_print(a->when, s);
	if (calls(a->when))
		str_addf(s, "of %s", which);
}

static void
say_glass(struct str *s, const struct access_rules *r, unsigned i,
	  const char *which)
{
	const struct access_glass *g = &r->glasses[i];

	(void)which;
	str_addf(s, "%u %lld %lld;", g->actions, (long long)g->lasts_s,
		 (long long)g->review_s);
	add_roles(s, r, g->roles, g->nroles);
	for (unsigned k = 0; k < g->ntables; k++)
		str_addf(s, "%s.%s(%s),", g->tables[k].schema,
			 g->tables[k].name, g->columns[k]);
}

static void
say_rate(struct str *s, const struct access_rules *r, unsigned i,
	 const char *which)
{
	const struct access_rate *l = &r->rates[i];

	(void)which;
	str_addf(s, "%.17g %lld %d", l->operations, (long long)l->window_ms,
		 l->per_user);
}

typedef void say_fn(struct str *s, const struct access_rules *r, unsigned i,
		    const char *which);

/* One of a kind, in one set of rules. */
struct one {
	const struct access_rules *rules;
	unsigned n; /* of its kind */
	say_fn *say;
	const char *which;
};

/* Is number i of `a` in `b`? */
static bool
is_in(const struct one *a, unsigned i, const struct one *b)
{
	struct str x, y;
	bool found = false;

	str_init(&x);
	a->say(&x, a->rules, i, a->which);
	for (unsigned k = 0; !found && k < b->n; k++) {
		str_init(&y);
		b->say(&y, b->rules, k, b->which);
		found = strcmp(x.at, y.at) == 0;
		str_fini(&y);
	}
	str_fini(&x);
	return found;
}

static bool
rules_wider(const struct access_rules *old, const struct access_rules *new,
	    struct err *why)
{
	const struct one was = {old, old->nrules, say_rule, "old"},
			 is = {new, new->nrules, say_rule, "new"};

	for (unsigned i = 0; i < new->nrules; i++)
		if (!new->rules[i].forbids && !is_in(&is, i, &was))
			return wider(why, "permit \"%s\" is new or another one",
				     new->rules[i].name);
	for (unsigned i = 0; i < old->nrules; i++)
		if (old->rules[i].forbids && !is_in(&was, i, &is))
			return wider(why,
				     "forbid \"%s\" is gone or another one",
				     old->rules[i].name);
	return false;
}

static bool
others_wider(const struct access_rules *old, const struct access_rules *new,
	     struct err *why)
{
	const struct one glass_was = {old, old->nglasses, say_glass, "old"},
			 glass_is = {new, new->nglasses, say_glass, "new"},
			 rate_was = {old, old->nrates, say_rate, "old"},
			 rate_is = {new, new->nrates, say_rate, "new"};

	for (unsigned i = 0; i < new->nglasses; i++)
		if (!is_in(&glass_is, i, &glass_was))
			return wider(why,
				     "break_glass \"%s\" is new or another one",
				     new->glasses[i].name);
	for (unsigned i = 0; i < old->nrates; i++)
		if (!is_in(&rate_was, i, &rate_is))
			return wider(why, "limit \"%s\" is gone or another one",
				     old->rates[i].name);
	return false;
}

/* ---- access: roles ------------------------------------------------------ */

static const struct access_role *
find_role(const struct access_rules *r, const char *name)
{
	for (unsigned i = 0; i < r->nroles; i++)
		if (strcmp(r->roles[i].name, name) == 0)
			return &r->roles[i];
	return NULL;
}

static void
say_held(struct str *s, const struct access_rules *r,
	 const struct access_role *role)
{
	const char *names[EXPR_ROLES];
	unsigned n = 0;

	for (unsigned i = 0; i < r->nroles; i++)
		if (role->held[i / 64] >> i % 64 & 1)
			names[n++] = r->roles[i].name;
	add_list(s, names, n);
}

static bool
same_held(const struct access_rules *a, const struct access_role *x,
	  const struct access_rules *b, const struct access_role *y)
{
	struct str s, t;
	bool alike;

	str_init(&s);
	str_init(&t);
	say_held(&s, a, x);
	say_held(&t, b, y);
	alike = strcmp(s.at, t.at) == 0;
	str_fini(&s);
	str_fini(&t);
	return alike;
}

static unsigned
held_count(const struct access_role *role)
{
	unsigned n = 0;

	for (unsigned i = 0; i < EXPR_ROLES / 64; i++)
		n += (unsigned)__builtin_popcountll(role->held[i]);
	return n;
}

static bool
roles_wider(const struct access_rules *old, const struct access_rules *new,
	    struct err *why)
{
	for (unsigned i = 0; i < old->nroles; i++) {
		const struct access_role *was = &old->roles[i],
					 *is = find_role(new, was->name);

		if (is == NULL || !same_held(old, was, new, is))
			return wider(why,
				     "role \"%s\" is gone, or inherits from "
				     "others",
				     was->name);
	}
	for (unsigned i = 0; i < new->nroles; i++)
		if (find_role(old, new->roles[i].name) == NULL &&
		    held_count(&new->roles[i]) > 1)
			return wider(why, "role \"%s\" is new and inherits",
				     new->roles[i].name);
	return false;
}

static bool
access_wider(const struct access_rules *old, const struct access_rules *new,
	     struct err *why)
{
	if (old == NULL)
		return false; /* from anything to what is permitted */
	if (new == NULL)
		return wider(why, "access.lua is gone");
	return roles_wider(old, new, why) || rules_wider(old, new, why) ||
	       others_wider(old, new, why);
}

/* ---- the files' own tests ----------------------------------------------- */

static bool
expects_refusal(const struct decl *d)
{
	return decl_is(&d->fields, "gives", "refused") ||
	       decl_field(&d->fields, "because") != NULL ||
	       decl_field(&d->fields, "cannot") != NULL;
}

/* Does a test of these rules, of that expectation, fail under others? */
static bool
a_test_fails(const struct rules *of, bool refusal, const struct rules *under,
	     struct err *why)
{
	struct err e = {0};

	for (unsigned i = 0; of->files != NULL && i < VOCAB_FILES; i++)
		for (unsigned k = 0; k < of->files[i].n; k++) {
			const struct decl *d = &of->files[i].decls[k];

			if (strcmp(d->word->name, "test") != 0 ||
			    expects_refusal(d) != refusal)
				continue;
			if (trial_run(d, under, &e) < 0)
				return wider(why, "test \"%s\" (%s) %s",
					     d->name,
					     refusal ? "of the old rules"
						     : "of the new rules",
					     refusal ? "no longer holds"
						     : "did not hold before");
		}
	return false;
}

/* ---- all ---------------------------------------------------------------- */

static bool
same_text(const struct texts_file *a, const struct texts_file *b)
{
	if (a->text == NULL || b->text == NULL)
		return a->text == b->text;
	return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

bool
widen_same_guards(const struct texts *a, const struct texts *b)
{
	for (unsigned i = 0; i < VOCAB_FILES; i++)
		if (vocab_files[i].guard &&
		    !same_text(&a->files[i], &b->files[i]))
			return false;
	return true;
}

/* Guards that no structure is compared of. */
static bool
another_guard(const struct texts *a, const struct texts *b, struct err *why)
{
	for (unsigned i = 0; i < VOCAB_FILES; i++) {
		const char *name = vocab_files[i].name;

		if (vocab_files[i].guard && strcmp(name, "isolation") != 0 &&
		    strcmp(name, "access") != 0 &&
		    !same_text(&a->files[i], &b->files[i]))
			return wider(why, "%s.lua is another one", name);
	}
	return false;
}

bool
widen_found(const struct rules *old, const struct rules *new, struct err *why)
{
	if (widen_same_guards(old->texts, new->texts))
		return false;
	return isolation_wider(&old->isolation, &new->isolation, why) ||
	       access_wider(old->access, new->access, why) ||
	       another_guard(old->texts, new->texts, why) ||
	       a_test_fails(old, true, new, why) ||
	       a_test_fails(new, false, old, why);
}
