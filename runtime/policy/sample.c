/* SPDX-License-Identifier: MIT */
#include "sample.h"

#include <ctype.h>
#include <string.h>

#include "sample_row.h"
#include "vet.h"

struct sample {
	struct world world;
	const struct tenant_rules *rules;
	const struct access_rules *access; /* or NULL */
	struct world_table *tables;	   /* as rules->tables */
	struct world_table *catalogs;	   /* what the statement calls pg_... */
	unsigned ncatalogs;
};

/* ---- columns ----------------------------------------------------------- */

struct columns {
	struct sample_named named; /* first: it is this */
	struct arena *a;
	struct world_column *list;
	unsigned n, room;
};

static void
grow(struct columns *c)
{
	unsigned room = c->room > 0 ? c->room * 2 : 32;
	struct world_column *list = arena_new(c->a, room * sizeof(*list));

	if (c->n > 0)
		memcpy(list, c->list, c->n * sizeof(*list));
	c->list = list;
	c->room = room;
}

static void
add(struct columns *c, const char *name, const char *type)
{
	for (unsigned i = 0; i < c->n; i++)
		if (strcmp(c->list[i].name, name) == 0)
			return;
	if (c->n == c->room)
		grow(c);
	c->list[c->n++] = (struct world_column){name, "pg_catalog", type, false,
						true};
}

/* A name as PostgreSQL reads it: "A""b" is A"b, Ab is ab. */
static const char *
read_name(struct arena *a, const char *at, size_t n)
{
	char *name = arena_dup(a, at, n), *to = name;
	bool quoted = n >= 2 && at[0] == '"';

	for (size_t i = quoted; i < n - quoted; i++) {
		*to++ = quoted ? at[i] : (char)tolower((unsigned char)at[i]);
		if (quoted && at[i] == '"')
			i++;
	}
	*to = 0;
	return name;
}

static void
add_words(struct columns *c, const struct tree *t)
{
	const struct tree_token *token;
	size_t len, n = tree_tokens(t, &token);
	const char *text = tree_text(t, &len);

	for (size_t i = 0; i < n; i++)
		if (token[i].kind == TOKEN_WORD)
			add(c,
			    read_name(c->a, text + token[i].start,
				      token[i].end - token[i].start),
			    "text");
}

/* What the rules themselves say of a table's columns: its own, and those that
 * rules of other tables name. */
static void
add_rule(struct columns *c, const struct tenant_rules *rules,
	 const struct tenant_table *of)
{
	const char *type = tenant_type_name(rules->type);

	if (of->kind == TENANT_BY)
		add(c, of->column, type);
	for (unsigned i = 0; i < of->non; i++)
		add(c, of->on[i].own, type);
	for (unsigned i = 0; i < rules->ntables; i++) {
		const struct tenant_table *t = &rules->tables[i];

		if (t->via == NULL || strcmp(t->via, of->name) != 0 ||
		    strcmp(t->via_schema, of->schema) != 0)
			continue;
		for (unsigned k = 0; k < t->non; k++)
			add(c, t->on[k].other, type);
	}
}

static void
on_named(struct sample_named *n, const char *column, const struct expr *leaf)
{
	add((struct columns *)n, column, "text");
}

static void
fill(struct sample *s, struct arena *a, const struct tree *t)
{
	for (unsigned i = 0; i < s->rules->ntables; i++) {
		const struct tenant_table *rule = &s->rules->tables[i];
		struct columns c = {.named = {on_named}, .a = a};

		add_rule(&c, s->rules, rule);
		sample_named_columns(&c.named, s->access, rule->schema,
				     rule->name);
		add_words(&c, t);
		s->tables[i] = (struct world_table){.schema = rule->schema,
						    .name = rule->name,
						    .kind = WORLD_TABLE,
						    .ncolumns = c.n,
						    .columns = c.list};
	}
}

/* ---- catalogs ---------------------------------------------------------- */

static const struct world_table *
catalog(const struct sample *s, const char *name)
{
	for (unsigned i = 0; i < s->ncatalogs; i++)
		if (strcmp(s->catalogs[i].name, name) == 0)
			return &s->catalogs[i];
	return NULL;
}

static void
add_catalogs(struct sample *s, struct arena *a, const struct tree *t)
{
	const struct tree_token *token;
	size_t len, n = tree_tokens(t, &token);
	const char *text = tree_text(t, &len), *name;

	s->catalogs = arena_new(a, (n + 1) * sizeof(*s->catalogs));
	for (size_t i = 0; i < n; i++) {
		if (token[i].kind != TOKEN_WORD)
			continue;
		name = read_name(a, text + token[i].start,
				 token[i].end - token[i].start);
		if (catalog(s, name) == NULL)
			s->catalogs[s->ncatalogs++] = (struct world_table){
				.schema = "pg_catalog",
				.name = name,
				.kind = WORLD_TABLE};
	}
}

static bool
is_catalog(const char *schema, const char *name)
{
	if (schema == NULL)
		return strncmp(name, "pg_", 3) == 0;
	return strcmp(schema, "pg_catalog") == 0 ||
	       strcmp(schema, "information_schema") == 0;
}

/* ---- answers ----------------------------------------------------------- */

/* Without a schema: the only rule of that name, or the first. */
static const struct world_table *
on_table(const void *arg, const char *schema, const char *name)
{
	const struct sample *s = arg;

	for (unsigned i = 0; i < s->rules->ntables; i++)
		if (strcmp(s->tables[i].name, name) == 0 &&
		    (schema == NULL ||
		     strcmp(s->tables[i].schema, schema) == 0))
			return &s->tables[i];
	return is_catalog(schema, name) ? catalog(s, name) : NULL;
}

static bool
on_function(const void *arg, const struct world_call *call,
	    struct world_function *out)
{
	bool builtin = vet_function_is_standard(call->name);

	*out = (struct world_function){.builtin = builtin,
				       .one_schema = true,
				       .volatile_ = builtin ? 's' : 'v',
				       .schema = builtin ? "pg_catalog"
							 : "public"};
	return true;
}

static bool
on_operator(const void *arg, const struct world_call *call,
	    struct world_function *out)
{
	*out = (struct world_function){.builtin = true,
				       .one_schema = true,
				       .volatile_ = 'i',
				       .schema = "pg_catalog"};
	return true;
}

static char
on_type(const void *arg, const char *schema, const char *name)
{
	return 'b';
}

struct sample *
sample_new(struct arena *a, const struct tenant_rules *rules,
	   const struct access_rules *access, const struct tree *statement)
{
	struct sample *s = arena_new(a, sizeof(*s));

	s->rules = rules;
	s->access = access;
	s->tables = arena_new(a, (rules->ntables + 1) * sizeof(*s->tables));
	s->world = (struct world){s, on_table, on_function, on_operator,
				  on_type};
	fill(s, a, statement);
	add_catalogs(s, a, statement);
	return s;
}

const struct world *
sample_world(const struct sample *s)
{
	return &s->world;
}
