/* SPDX-License-Identifier: MIT
 *
 * build_access - access.lua: who may do what, when, from where.
 *
 *   roles and what they inherit -> permits and forbids -> emergencies, rates
 *
 * A rule that could never do what it says is refused: a name that is nobody's,
 * a row asked about before it is there, columns of tables that nobody named.
 */
#include <string.h>

#include "access.h"
#include "build.h"
#include "near.h"
#include "tenant.h"
#include "terms.h"

#define ACTION_WORDS "read, insert, update, delete or any"
#define ALL_ACTIONS ((1u << ACCESS_ACTIONS) - 1)

static const char *const action_words[ACCESS_ACTIONS] = {
	[TENANT_READ] = "read",
	[TENANT_INSERT] = "insert",
	[TENANT_UPDATE] = "update",
	[TENANT_DELETE] = "delete"};

struct made {
	const struct build *b;
	const struct decl_list *l;
	struct access_rules *out;
	struct err *e;
};

/* A declaration on its way. */
struct part {
	struct made *m;
	const struct decl *d;
};

static struct terms
terms_of(const struct part *p)
{
	return (struct terms){p->m->b->arena, p->d, p->m->out->roles,
			      p->m->out->nroles, p->m->e};
}

/* A field's texts; *n stays 0 when it is not given, and none of it is "".  An
 * empty list is refused: it reads as nobody and would mean everybody. */
static int
texts(const struct part *p, const char *field, const struct decl_value **out,
      unsigned *n)
{
	const struct decl_value *v = decl_field(&p->d->fields, field);

	*n = 0;
	if (v == NULL)
		return 0;
	*n = v->type == DECL_MAP ? 0 : decl_texts(v, out);
	for (unsigned i = 0; i < *n; i++)
		if ((*out)[i].len == 0)
			return decl_fail(p->m->e, p->d, "%s has an empty name",
					 field);
	return *n > 0 ? 0
		      : decl_fail(p->m->e, p->d,
				  "%s is empty; name one, or take it away",
				  field);
}

/* ---- roles ------------------------------------------------------------- */

static unsigned
count(const struct decl_list *l, const char *word)
{
	unsigned i = 0, n = 0;

	while (build_next(l, word, &i) != NULL)
		n++;
	return n;
}

static void
add(uint64_t *held, unsigned role)
{
	held[role / 64] |= UINT64_C(1) << role % 64;
}

static bool
has(const uint64_t *held, unsigned role)
{
	return (held[role / 64] >> role % 64 & 1) != 0;
}

struct role {
	const struct decl *d;
	uint64_t held[EXPR_ROLES / 64];
};

/* Itself, and the roles it names. */
static int
take_role(const struct part *p, struct role *roles, unsigned number)
{
	const struct terms t = terms_of(p);
	const struct decl_value *v;
	unsigned n;

	add(roles[number].held, number);
	if (texts(p, "is", &v, &n) < 0)
		return p->m->e->code;
	for (unsigned i = 0; i < n; i++) {
		int role = terms_role(&t, v[i].text, 0);

		if (role < 0)
			return p->m->e->code;
		if ((unsigned)role == number)
			return decl_fail(p->m->e, p->d, "it is itself");
		add(roles[number].held, (unsigned)role);
	}
	return 0;
}

/* All that is inherited (Warshall); who inherits from itself is in a circle. */
static int
inherit(const struct made *m, struct role *roles)
{
	unsigned n = m->out->nroles;

	for (unsigned via = 0; via < n; via++)
		for (unsigned i = 0; i < n; i++) {
			if (!has(roles[i].held, via))
				continue;
			for (unsigned w = 0; w < EXPR_ROLES / 64; w++)
				roles[i].held[w] |= roles[via].held[w];
		}
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = i + 1; k < n; k++)
			if (has(roles[i].held, k) && has(roles[k].held, i))
				return decl_fail(m->e, roles[k].d,
						 "it inherits from \"%s\", "
						 "which inherits from it",
						 roles[i].d->name);
	return 0;
}

static int
take_roles(struct made *m)
{
	unsigned n = count(m->l, "role"), i = 0;
	struct role *roles = arena_new(m->b->arena, (n + 1) * sizeof(*roles));
	struct access_role *out = arena_new(m->b->arena,
					    (n + 1) * sizeof(*out));
	const struct decl *d;

	m->out->roles = out;
	while ((d = build_next(m->l, "role", &i)) != NULL) {
		if (m->out->nroles == EXPR_ROLES)
			return decl_fail(m->e, d, "there are %d roles already",
					 EXPR_ROLES);
		roles[m->out->nroles].d = d;
		out[m->out->nroles].name = d->name;
		out[m->out->nroles].held = roles[m->out->nroles].held;
		m->out->nroles++;
	}
	for (unsigned k = 0; k < n; k++)
		if (take_role(&(struct part){m, roles[k].d}, roles, k) < 0)
			return m->e->code;
	return inherit(m, roles);
}

/* Of a rule: numbers of the roles it is for. */
static int
roles_of(const struct part *p, unsigned *n, const unsigned **out)
{
	const struct terms t = terms_of(p);
	const struct decl_value *v;
	unsigned *list;

	if (texts(p, "role", &v, n) < 0)
		return p->m->e->code;
	list = arena_new(p->m->b->arena, (*n + 1) * sizeof(*list));
	for (unsigned i = 0; i < *n; i++) {
		int role = terms_role(&t, v[i].text, 0);

		if (role < 0)
			return p->m->e->code;
		list[i] = (unsigned)role;
	}
	*out = list;
	return 0;
}

/* ---- tables ------------------------------------------------------------ */

static int
no_table(const struct part *p, const char *field, const char *text)
{
	const struct tenant_rules *rules = p->m->b->rules->isolation.tables;
	struct near near;

	near_init(&near,
		  strchr(text, '.') != NULL ? strchr(text, '.') + 1 : text);
	for (unsigned i = 0; rules != NULL && i < rules->ntables; i++)
		near_try(&near, rules->tables[i].name);
	if (near_best(&near) != NULL)
		return decl_fail(p->m->e, p->d,
				 "%s: no rule of isolation.lua names \"%s\"; "
				 "did you mean \"%s\"?",
				 field, text, near_best(&near));
	return decl_fail(p->m->e, p->d,
			 "%s: no rule of isolation.lua names \"%s\"; say there "
			 "whose its rows are",
			 field, text);
}

/* A table that isolation.lua has a rule for. */
static int
table_of(const struct part *p, const char *field, const char *text,
	 struct access_table *out)
{
	const struct tenant_rules *rules = p->m->b->rules->isolation.tables;
	struct build_table name;

	if (build_named(&(struct build_at){p->m->b, p->d, p->m->e}, text,
			&name) < 0)
		return p->m->e->code;
	*out = (struct access_table){name.schema, name.name};
	if (rules == NULL || tenant_find(rules, name.schema, name.name) == NULL)
		return no_table(p, field, text);
	return 0;
}

static int
tables_of(const struct part *p, const char *field, unsigned *n,
	  const struct access_table **out)
{
	struct access_table *list;
	const struct decl_value *v;

	if (texts(p, field, &v, n) < 0)
		return p->m->e->code;
	if (*n == 1 && strcmp(v->text, "any") == 0) {
		*n = 0;
		return 0;
	}
	list = arena_new(p->m->b->arena, (*n + 1) * sizeof(*list));
	for (unsigned i = 0; i < *n; i++) {
		if (strcmp(v[i].text, "any") == 0)
			return decl_fail(p->m->e, p->d,
					 "%s: \"any\" stands alone", field);
		if (table_of(p, field, v[i].text, &list[i]) < 0)
			return p->m->e->code;
	}
	*out = list;
	return 0;
}

/* ---- actions and columns ----------------------------------------------- */

static int
no_action(const struct part *p, const char *field, const char *text)
{
	struct near near;

	near_init(&near, text);
	for (unsigned i = 0; i < ACCESS_ACTIONS; i++)
		near_try(&near, action_words[i]);
	return decl_fail(p->m->e, p->d,
			 near_best(&near) != NULL
				 ? "%s: \"%s\" is none of " ACTION_WORDS
				   "; did you mean \"%s\"?"
				 : "%s: \"%s\" is none of " ACTION_WORDS,
			 field, text, near_best(&near));
}

static int
actions_of(const struct part *p, const char *field, unsigned *out)
{
	const struct decl_value *v;
	unsigned n;

	*out = 0;
	if (texts(p, field, &v, &n) < 0)
		return p->m->e->code;
	for (unsigned i = 0; i < n; i++) {
		unsigned a = 0;

		while (a < ACCESS_ACTIONS &&
		       strcmp(action_words[a], v[i].text) != 0)
			a++;
		if (a < ACCESS_ACTIONS)
			*out |= 1u << a;
		else if (strcmp(v[i].text, "any") == 0)
			*out = ALL_ACTIONS;
		else
			return no_action(p, field, v[i].text);
	}
	return 0;
}

static int
columns_of(const struct part *p, struct access_rule *r)
{
	const struct decl_value *v;
	const char **list;

	if (texts(p, "columns", &v, &r->ncolumns) < 0)
		return p->m->e->code;
	list = arena_new(p->m->b->arena, (r->ncolumns + 1) * sizeof(*list));
	for (unsigned i = 0; i < r->ncolumns; i++)
		list[i] = v[i].text;
	r->columns = list;
	return 0;
}

/* ---- conditions -------------------------------------------------------- */

/* all { when, no { unless } } */
static int
condition_of(const struct part *p, struct access_rule *r)
{
	const struct decl_value *when = decl_field(&p->d->fields, "when"),
				*unless = decl_field(&p->d->fields, "unless");
	const struct terms t = terms_of(p);
	struct arena *a = p->m->b->arena;
	struct expr *x = arena_new(a, sizeof(*x)),
		    **args = arena_new(a, 2 * sizeof(*args)),
		    *no = arena_new(a, sizeof(*no)),
		    **refused = arena_new(a, sizeof(*refused));
	struct err e;

	*x = (struct expr){.kind = EXPR_ALL, .args = args};
	*no = (struct expr){.kind = EXPR_NOT, .args = refused, .nargs = 1};
	if (when != NULL && terms_read(&t, when, &args[x->nargs++]) < 0)
		return p->m->e->code;
	if (unless != NULL && terms_read(&t, unless, refused) < 0)
		return p->m->e->code;
	if (unless != NULL)
		args[x->nargs++] = no;
	if (x->nargs == 0)
		return 0;
	if (expr_check(x, p->m->b->rules->zones, &e) < 0)
		return decl_fail(p->m->e, p->d, "%s", e.text);
	r->when = x->nargs == 1 ? args[0] : x;
	return 0;
}

/* ---- rules ------------------------------------------------------------- */

/* What a rule says that its tables and actions cannot mean. */
static int
check_rule(const struct part *p, const struct access_rule *r)
{
	bool rowed = r->when != NULL && r->when->rowed;

	if (rowed && (r->actions & 1u << TENANT_INSERT) != 0)
		return decl_fail(p->m->e, p->d,
				 "its condition speaks of the row, and what is "
				 "inserted is no row yet; list the other "
				 "actions, action = { \"read\", \"update\", "
				 "\"delete\" }, and write a rule of its own "
				 "for insert");
	if (!r->forbids && r->ncolumns > 0 &&
	    (r->actions & 1u << TENANT_DELETE) != 0)
		return decl_fail(p->m->e, p->d,
				 "delete takes the whole row, so a permit that "
				 "names columns cannot permit it; list the "
				 "other actions, action = { \"read\", "
				 "\"insert\", \"update\" }");
	if (r->ntables == 0 && (rowed || r->ncolumns > 0))
		return decl_fail(p->m->e, p->d,
				 "%s, and not every table has the same "
				 "columns; name the tables in on",
				 rowed ? "its condition speaks of the row"
				       : "it names columns");
	return 0;
}

static int
take_rule(const struct part *p, struct access_rule *r)
{
	*r = (struct access_rule){
		.forbids = strcmp(p->d->word->name, "forbid") == 0,
		.name = p->d->name,
		.file = p->d->file,
		.line = p->d->line};
	if (roles_of(p, &r->nroles, &r->roles) < 0 ||
	    actions_of(p, "action", &r->actions) < 0 ||
	    tables_of(p, "on", &r->ntables, &r->tables) < 0 ||
	    columns_of(p, r) < 0 || condition_of(p, r) < 0)
		return p->m->e->code;
	return check_rule(p, r);
}

static int
take_rules(struct made *m)
{
	struct access_rule *list = arena_new(m->b->arena,
					     (m->l->n + 1) * sizeof(*list));

	for (unsigned i = 0; i < m->l->n; i++) {
		const struct part p = {m, &m->l->decls[i]};
		const char *word = p.d->word->name;

		if (strcmp(word, "permit") != 0 && strcmp(word, "forbid") != 0)
			continue;
		if (take_rule(&p, &list[m->out->nrules++]) < 0)
			return m->e->code;
	}
	m->out->rules = list;
	return 0;
}

/* ---- emergencies ------------------------------------------------------- */

#define GLASS_MOST_S 86400
#define REVIEW_S 259200
#define REVIEW_MOST_S (3650 * INT64_C(86400))

/* Each opened table has its column of the patient's id, and no other has. */
static int
patients_of(const struct part *p, struct access_glass *g)
{
	const struct decl_value *map = decl_field(&p->d->fields, "patient");
	const char **list = arena_new(p->m->b->arena,
				      (g->ntables + 1) * sizeof(*list));
	struct access_table t;

	for (unsigned i = 0; i < map->n; i++) {
		unsigned k = 0;

		if (table_of(p, "patient", map->keys[i], &t) < 0)
			return p->m->e->code;
		while (k < g->ntables &&
		       (strcmp(g->tables[k].name, t.name) != 0 ||
			strcmp(g->tables[k].schema, t.schema) != 0))
			k++;
		if (k == g->ntables)
			return decl_fail(p->m->e, p->d,
					 "patient names \"%s\", which it does "
					 "not open",
					 map->keys[i]);
		list[k] = map->items[i].text;
	}
	for (unsigned k = 0; k < g->ntables; k++)
		if (list[k] == NULL || list[k][0] == 0)
			return decl_fail(p->m->e, p->d,
					 "which column of \"%s\" is the "
					 "patient's id? say patient = { %s = "
					 "\"...\" }",
					 g->tables[k].name, g->tables[k].name);
	g->columns = list;
	return 0;
}

/* Looked at as it is: what a whole number cannot hold must not become one. */
static bool
is_within(const struct decl_value *v, double least, double most)
{
	return v->number >= least && v->number <= most;
}

static int
times_of(const struct part *p, struct access_glass *g)
{
	const struct decl_value *lasts = decl_field(&p->d->fields, "lasts"),
				*review = decl_field(&p->d->fields,
						     "review_within");

	if (!is_within(lasts, 1, GLASS_MOST_S))
		return decl_fail(p->m->e, p->d,
				 "lasts is between seconds(1) and days(1); an "
				 "emergency takes minutes");
	if (review != NULL && !is_within(review, 1, REVIEW_MOST_S))
		return decl_fail(p->m->e, p->d,
				 "review_within is between seconds(1) and "
				 "days(3650); what nobody looks at for ten "
				 "years is not reviewed");
	g->lasts_s = (int64_t)lasts->number;
	g->review_s = review != NULL ? (int64_t)review->number : REVIEW_S;
	return 0;
}

static int
take_glass(const struct part *p, struct access_glass *g)
{
	unsigned never;

	*g = (struct access_glass){
		.name = p->d->name, .file = p->d->file, .line = p->d->line};
	if (roles_of(p, &g->nroles, &g->roles) < 0 ||
	    tables_of(p, "opens", &g->ntables, &g->tables) < 0 ||
	    actions_of(p, "never", &never) < 0)
		return p->m->e->code;
	if (g->ntables == 0)
		return decl_fail(p->m->e, p->d, "opens names each table");
	g->actions = ALL_ACTIONS & ~never & ~(1u << TENANT_INSERT);
	if (g->actions == 0)
		return decl_fail(p->m->e, p->d, "never leaves it no action");
	if (patients_of(p, g) < 0)
		return p->m->e->code;
	return times_of(p, g);
}

static int
take_glasses(struct made *m)
{
	unsigned n = count(m->l, "break_glass"), i = 0;
	struct access_glass *list = arena_new(m->b->arena,
					      (n + 1) * sizeof(*list));
	const struct decl *d;

	while ((d = build_next(m->l, "break_glass", &i)) != NULL)
		if (take_glass(&(struct part){m, d},
			       &list[m->out->nglasses++]) < 0)
			return m->e->code;
	m->out->glasses = list;
	return 0;
}

/* ---- rates ------------------------------------------------------------- */

#define WINDOW_LEAST_S 0.001
#define WINDOW_MOST_S (366 * 86400.0)

static int
take_rates(struct made *m)
{
	unsigned n = count(m->l, "limit"), i = 0;
	struct access_rate *list = arena_new(m->b->arena,
					     (n + 1) * sizeof(*list));
	const struct decl *d;

	while ((d = build_next(m->l, "limit", &i)) != NULL) {
		const struct decl_value *window = decl_field(&d->fields,
							     "window");
		struct access_rate *r = &list[m->out->nrates++];

		*r = (struct access_rate){
			.name = d->name,
			.file = d->file,
			.line = d->line,
			.operations = decl_field(&d->fields, "rate")->number,
			.per_user = decl_is(&d->fields, "per", "user")};
		if (!(r->operations >= 1))
			return decl_fail(m->e, d, "rate is 1 or more");
		if (!is_within(window, WINDOW_LEAST_S, WINDOW_MOST_S))
			return decl_fail(m->e, d,
					 "window is between milliseconds(1) "
					 "and days(366); a longer one is no "
					 "limit of operations");
		r->window_ms = (int64_t)(window->number * 1000);
	}
	m->out->rates = list;
	return 0;
}

/* ---- all of it --------------------------------------------------------- */

int
build_access(const struct build *b, struct err *e)
{
	struct made m = {.b = b, .l = build_file(b, "access"), .e = e};

	if (!m.l->present)
		return 0;
	m.out = arena_new(b->arena, sizeof(*m.out));
	b->rules->zones = mem_new(sizeof(*b->rules->zones));
	zones_init(b->rules->zones, ZONES_DIR);
	if (take_roles(&m) < 0 || take_rules(&m) < 0 || take_glasses(&m) < 0 ||
	    take_rates(&m) < 0)
		return e->code;
	b->rules->access = m.out;
	return 0;
}
