/* SPDX-License-Identifier: MIT */
#include "closed.h"

#include <stdlib.h>
#include <string.h>

#include "events.h"
#include "lints.h"
#include "mem.h"
#include "refusal.h"
#include "tenant.h"

struct closed {
	unsigned magic;
#define CLOSED_MAGIC 0xc105ed0d
	int refs; /* atomic */
	uint64_t id;
	unsigned n;
	bool all; /* the first one closes all tables */
	struct arena arena;
	struct closed_table *tables; /* by schema, then name */
};

static struct closed *
new_closed(unsigned room)
{
	static uint64_t last; /* atomic */
	struct closed *c = mem_new(sizeof(*c));

	OBJ_INIT(c, CLOSED_MAGIC);
	c->refs = 1;
	c->id = __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
	arena_init(&c->arena, NULL, 0);
	c->tables = arena_new(&c->arena, (room + 1) * sizeof(*c->tables));
	return c;
}

struct closed *
closed_none(void)
{
	return new_closed(0);
}

/* ---- from the lints ----------------------------------------------------- */

static int
compare(const void *va, const void *vb)
{
	const struct closed_table *a = va, *b = vb;
	int c = strcmp(a->schema, b->schema);

	return c != 0 ? c : strcmp(a->name, b->name);
}

static bool
closes(const struct closed *c, const char *schema, const char *name)
{
	for (unsigned i = 0; i < c->n; i++)
		if (strcmp(c->tables[i].schema, schema) == 0 &&
		    strcmp(c->tables[i].name, name) == 0)
			return true;
	return false;
}

static const char *
keep(struct closed *c, const char *text)
{
	return arena_dup(&c->arena, text, strlen(text));
}

/* The first reason is the one that is told. */
static void
add(struct closed *c, const struct closed_table *t)
{
	if (closes(c, t->schema, t->name))
		return;
	c->tables[c->n++] = (struct closed_table){
		.schema = keep(c, t->schema),
		.name = keep(c, t->name),
		.lint = keep(c, t->lint),
		.what = keep(c, t->what),
		.object = keep(c, t->object),
		.fix = keep(c, t->fix),
	};
	c->all = c->all || t->schema[0] == 0;
}

static void
add_finding(struct closed *c, const struct lint_finding *f)
{
	const struct closed_table t = {
		.schema = f->schema,
		.name = f->schema[0] != 0 ? f->name : "",
		.lint = f->lint->name,
		.what = f->lint->what,
		.object = f->object,
		.fix = f->fix,
	};

	if (f->closes)
		add(c, &t);
}

/* Rows that belong to whoever owns rows of a closed table are closed too. */
static void
add_followers(struct closed *c, const struct tenant_rules *r)
{
	unsigned before;

	do {
		before = c->n;
		for (unsigned i = 0; i < r->ntables; i++) {
			const struct tenant_table *t = &r->tables[i];
			const struct closed_table one = {
				.schema = t->schema,
				.name = t->name,
				.lint = "parent-closed",
				.what = "the table that says whose its rows "
					"are is closed",
				.object = t->via,
				.fix = ""};

			if (t->via != NULL && closes(c, t->via_schema, t->via))
				add(c, &one);
		}
	} while (c->n != before);
}

static void
add_unasked(struct closed *c, const struct err *e)
{
	const struct closed_table t = {
		.schema = "",
		.name = "",
		.lint = "unasked",
		.what = "the database could not be asked whether it keeps what "
			"isolation.lua says",
		.object = e->text,
		.fix = ""};

	add(c, &t);
}

struct closed *
closed_new(const struct lints *l)
{
	const struct tenant_rules *r = l->of->tables;
	unsigned n = lints_found(l);
	struct closed *c = new_closed(n + r->ntables + 1);

	if (l->op.err.code != 0)
		add_unasked(c, &l->op.err);
	for (unsigned i = 0; i < n; i++) {
		struct lint_finding f = lints_finding(l, i);

		add_finding(c, &f);
	}
	add_followers(c, r);
	qsort(c->tables, c->n, sizeof(*c->tables), compare);
	return c;
}

/* ---- what is asked of it ------------------------------------------------ */

uint64_t
closed_id(const struct closed *c)
{
	OBJ_CHECK(c, CLOSED_MAGIC);
	return c->id;
}

const struct closed_table *
closed_by(const struct closed *c, const char *schema, const char *name)
{
	const struct closed_table key = {.schema = schema, .name = name};

	OBJ_CHECK(c, CLOSED_MAGIC);
	if (c->n == 0 || c->all)
		return c->n > 0 ? &c->tables[0] : NULL;
	return bsearch(&key, c->tables, c->n, sizeof(key), compare);
}

int
closed_refuse(const struct closed_table *t, struct err *e)
{
	bool all = t->schema[0] == 0;

	return refuse(e, REFUSE_CLOSED, "%s%s%s %s closed: %s%s%s%s (%s)%s%s",
		      all ? "all tables" : t->schema, all ? "" : ".", t->name,
		      all ? "are" : "is", t->what,
		      t->object[0] != 0 ? " (" : "", t->object,
		      t->object[0] != 0 ? ")" : "", t->lint,
		      t->fix[0] != 0 ? "; as the owner: " : "", t->fix);
}

unsigned
closed_tables(const struct closed *c, const struct closed_table **tables)
{
	OBJ_CHECK(c, CLOSED_MAGIC);
	*tables = c->tables;
	return c->n;
}

static bool
same(const struct closed_table *a, const struct closed_table *b)
{
	return compare(a, b) == 0 && strcmp(a->lint, b->lint) == 0 &&
	       strcmp(a->object, b->object) == 0;
}

bool
closed_same(const struct closed *a, const struct closed *b)
{
	OBJ_CHECK(a, CLOSED_MAGIC);
	OBJ_CHECK(b, CLOSED_MAGIC);
	if (a->n != b->n)
		return false;
	for (unsigned i = 0; i < a->n; i++)
		if (!same(&a->tables[i], &b->tables[i]))
			return false;
	return true;
}

/* ---- told ------------------------------------------------------------- */

static json_t *
table_text(const struct closed_table *t)
{
	struct str s;
	json_t *j;

	if (t->schema[0] == 0)
		return json_string("all tables");
	str_init(&s);
	str_addf(&s, "%s.%s", t->schema, t->name);
	j = event_text(s.at);
	str_fini(&s);
	return j;
}

static bool
has(const struct closed *c, const struct closed_table *t)
{
	const struct closed_table *list;
	unsigned n = c != NULL ? closed_tables(c, &list) : 0;

	for (unsigned i = 0; i < n; i++)
		if (strcmp(list[i].schema, t->schema) == 0 &&
		    strcmp(list[i].name, t->name) == 0 &&
		    strcmp(list[i].lint, t->lint) == 0)
			return true;
	return false;
}

json_t *
closed_json(const struct closed *of, const struct closed *than)
{
	const struct closed_table *list;
	unsigned n = of != NULL ? closed_tables(of, &list) : 0;
	json_t *all = json_array();

	for (unsigned i = 0; i < n; i++)
		if (!has(than, &list[i]))
			(void)json_array_append_new(
				all,
				json_pack("{so so so so}", "table",
					  table_text(&list[i]), "lint",
					  event_text(list[i].lint), "what",
					  event_text(list[i].what), "remedy",
					  event_text(list[i].fix)));
	return all;
}

struct closed *
closed_pin(struct closed *c)
{
	OBJ_CHECK(c, CLOSED_MAGIC);
	__atomic_add_fetch(&c->refs, 1, __ATOMIC_RELAXED);
	return c;
}

void
closed_unpin(struct closed **pc)
{
	struct closed *c;

	OBJ_TAKE(c, pc, CLOSED_MAGIC);
	if (__atomic_sub_fetch(&c->refs, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	arena_fini(&c->arena);
	OBJ_FINI(c);
	mem_free(c);
}
