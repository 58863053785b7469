/* SPDX-License-Identifier: MIT
 *
 * What a statement calls: functions, operators, types.
 */
#include "vet_int.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static bool
same(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* ---- the lists --------------------------------------------------------- */

/* What is called, and what the world knows of it. */
struct callee {
	struct world_call call;
	struct world_function f;
	bool known;
};

/* The schema it is found in, when there is but one; or NULL. */
static const char *
schema_of(const struct callee *c)
{
	if (c->call.schema != NULL)
		return c->call.schema;
	return c->known && c->f.one_schema ? c->f.schema : NULL;
}

static bool
is_removed(const struct gate *g, const struct callee *c)
{
	const struct tenant_rules *r = g->ask->rules;
	bool many = c->call.schema == NULL && c->known && !c->f.one_schema;

	for (unsigned i = 0; i < r->nremoved; i++) {
		const char *dot = strchr(r->removed[i], '.');

		if (many && dot != NULL && same(dot + 1, c->call.name))
			return true;
	}
	return gate_lists(r->removed, r->nremoved, schema_of(c), c->call.name);
}

/* The bare name adds what the search path reaches by it, and not what a
 * statement names with a schema of its choice. */
static bool
is_added(const struct gate *g, const struct callee *c)
{
	const struct tenant_rules *r = g->ask->rules;
	const char *schema = schema_of(c);

	if (c->call.schema == NULL)
		return gate_lists(r->added, r->nadded, schema, c->call.name);
	for (unsigned i = 0; i < r->nadded; i++)
		if (strchr(r->added[i], '.') != NULL &&
		    gate_lists(&r->added[i], 1, schema, c->call.name))
			return true;
	return c->known && c->f.builtin &&
	       gate_lists(r->added, r->nadded, schema, c->call.name);
}

static bool
is_allowed(const struct gate *g, const struct callee *c)
{
	if (is_removed(g, c))
		return false;
	if (is_added(g, c))
		return true;
	return c->known && c->f.builtin &&
	       vet_function_is_standard(c->call.name);
}

static struct callee
find_function(const struct gate *g, struct world_call call)
{
	struct callee c = {.call = call};
	const struct world *world = g->ask->world;

	if (call.schema != NULL && call.schema[0] == 0)
		c.call.schema = NULL;
	c.known = world->function(world->arg, &c.call, &c.f);
	return c;
}

/* ---- functions --------------------------------------------------------- */

static int
refuse_function(struct gate *g, const struct callee *c)
{
	const char *schema = schema_of(c);

	if (is_removed(g, c))
		return refuse(g->e, REFUSE_FUNCTION,
			      "%s() is removed by isolation.lua", c->call.name);
	if (c->known && !c->f.builtin)
		return refuse(g->e, REFUSE_FUNCTION,
			      "%s%s%s() is a function of this database, and "
			      "none that isolation.lua adds",
			      schema != NULL ? schema : "",
			      schema != NULL ? "." : "", c->call.name);
	return refuse(g->e, REFUSE_FUNCTION, "%s() %s", c->call.name,
		      c->known ? "is not on the list; what is safe for all "
				 "tenants is added by functions { add = ... } "
				 "of isolation.lua"
			       : "with so many arguments is not known");
}

static int vet_type(struct gate *g, const char *schema, const char *name);

/* uuid('...'): a cast, when no function has that name. */
static bool
is_cast(const struct gate *g, const struct callee *c)
{
	const struct world *world = g->ask->world;

	return !c->known && c->call.nargs == 1 &&
	       world->type(world->arg, c->call.schema, c->call.name) != 0;
}

static int
vet_function(struct gate *g, struct world_call call)
{
	struct callee c = find_function(g, call);

	if (is_allowed(g, &c))
		return 0;
	if (is_cast(g, &c) && !is_removed(g, &c))
		return vet_type(g, c.call.schema, c.call.name);
	return refuse_function(g, &c);
}

int
look_call(struct gate *g)
{
	const struct tree_node *n = g->w.node;
	struct world_call call;

	if (tree_len(n, "funcname") > 2)
		return refuse(g->e, REFUSE_FUNCTION,
			      "a function named with its database");
	call.name = tree_dotted(n, "funcname", &call.schema);
	call.nargs = (unsigned)tree_len(n, "args");
	if (tree_num(n, "agg_within_group"))
		call.nargs += (unsigned)tree_len(n, "agg_order");
	return vet_function(g, call);
}

int
vet_column_call(struct gate *g, const char *name)
{
	struct callee c = find_function(g, (struct world_call){NULL, name, 1});

	if (!c.known || !c.f.takes_row || is_allowed(g, &c))
		return 0;
	return refuse_function(g, &c);
}

/* The two methods that are PostgreSQL's own. */
int
look_sample(struct gate *g)
{
	struct world_call call = {.nargs = 1};
	struct callee c;

	call.name = tree_dotted(g->w.node, "method", &call.schema);
	c = find_function(g, call);
	if (c.known && c.f.builtin && !is_removed(g, &c) &&
	    (same(call.name, "bernoulli") || same(call.name, "system")))
		return 0;
	return refuse(g->e, REFUSE_FUNCTION, "the sampling method %s",
		      call.name);
}

/* Times are PostgreSQL's to tell; the role, the database and the schema are
 * the runtime's, and not who asks. */
int
look_sql_value(struct gate *g)
{
	const char *word = tree_word(g->w.node, "op");
	const struct tenant_rules *r = g->ask->rules;
	char name[32];
	size_t n = 0;

	if (strstr(word, "DATE") != NULL || strstr(word, "TIME") != NULL)
		return 0;
	if (strncmp(word, "SVFOP_", 6) == 0)
		word += 6;
	for (; word[n] != 0 && n < sizeof(name) - 1; n++)
		name[n] = (char)tolower((unsigned char)word[n]);
	name[n] = 0;
	if (gate_lists(r->added, r->nadded, NULL, name))
		return 0;
	return refuse(g->e, REFUSE_FUNCTION, "%s tells of the server's role",
		      name);
}

/* ---- operators --------------------------------------------------------- */

static int
vet_operator(struct gate *g, struct world_call call)
{
	struct callee c = {.call = call};
	const struct world *world = g->ask->world;
	const char *schema;

	if (call.schema != NULL && call.schema[0] == 0)
		c.call.schema = NULL;
	c.known = world->operator_(world->arg, &c.call, &c.f);
	schema = schema_of(&c);
	if (is_removed(g, &c))
		return refuse(g->e, REFUSE_OPERATOR,
			      "%s is removed by isolation.lua", call.name);
	if ((c.known && c.f.builtin) || is_added(g, &c))
		return 0;
	if (!c.known)
		return refuse(g->e, REFUSE_OPERATOR, "%s is not known",
			      call.name);
	return refuse(g->e, REFUSE_OPERATOR,
		      "%s may be one of this database%s%s, and isolation.lua "
		      "does not add it",
		      call.name, schema != NULL ? ", of schema " : "",
		      schema != NULL ? schema : "");
}

static int
vet_plain(struct gate *g, const char *const *names, unsigned n)
{
	int r = 0;

	for (unsigned i = 0; i < n && r == 0; i++)
		r = vet_operator(g, (struct world_call){NULL, names[i], 2});
	return r;
}

static int
vet_equal(struct gate *g)
{
	static const char *const names[] = {"="};

	return vet_plain(g, names, 1);
}

/* The operator that a field of the current node names; nothing when it names
 * none. */
static int
vet_named(struct gate *g, const char *field, unsigned nargs)
{
	struct world_call call = {.nargs = nargs};

	if (tree_len(g->w.node, field) > 2)
		return refuse(g->e, REFUSE_OPERATOR,
			      "an operator named with its database");
	call.name = tree_dotted(g->w.node, field, &call.schema);
	return call.name[0] != 0 ? vet_operator(g, call) : 0;
}

int
look_expression(struct gate *g)
{
	static const char *const orders[] = {"<", "<=", ">", ">="};
	const char *kind = tree_word(g->w.node, "kind");
	bool unary = tree_get(g->w.node, "lexpr") == NULL;

	if (strstr(kind, "BETWEEN") != NULL)
		return vet_plain(g, orders, 4);
	return vet_named(g, "name", unary ? 1 : 2);
}

int
look_case(struct gate *g)
{
	return tree_get(g->w.node, "arg") != NULL ? vet_equal(g) : 0;
}

int
look_join(struct gate *g)
{
	if (!tree_num(g->w.node, "is_natural") &&
	    tree_len(g->w.node, "using_clause") == 0)
		return 0;
	return vet_equal(g);
}

int
look_sort(struct gate *g)
{
	return vet_named(g, "use_op", 2);
}

/* What is below TABLESAMPLE are its arguments. */
static bool
in_sample(const struct gate *g)
{
	const struct tree_frame *f;

	for (unsigned i = 1; (f = tree_walk_up(&g->w, i)) != NULL; i++)
		if (tree_kind(f->node) == TREE_RANGE_TABLE_SAMPLE)
			return true;
	return false;
}

int
look_sublink(struct gate *g)
{
	if (in_sample(g))
		return refuse(g->e, REFUSE_FORM,
			      "a sub-select as an argument of TABLESAMPLE");
	if (tree_get(g->w.node, "testexpr") == NULL)
		return 0;
	if (tree_len(g->w.node, "oper_name") == 0)
		return vet_equal(g);
	return vet_named(g, "oper_name", 2);
}

/* ---- types ------------------------------------------------------------- */

/* Types whose values are the server's inside, or are looked up in a catalog
 * when they are read; and oid, which a bigint compared with it is turned into,
 * so that a hidden one raises when it is too large. */
static bool
is_inside(const char *name)
{
	static const char *const names[] = {"aclitem",	     "cid", "oid",
					    "refcursor",     "tid", "xid",
					    "txid_snapshot", "xid8"};

	if (name[0] == '_')
		name++;
	if (strncmp(name, "reg", 3) == 0 || strncmp(name, "pg_", 3) == 0)
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (same(name, names[i]))
			return true;
	return false;
}

static int
vet_type(struct gate *g, const char *schema, const char *name)
{
	const struct world *world = g->ask->world;
	const struct tenant_rules *r = g->ask->rules;
	const char *in = schema != NULL && schema[0] != 0 ? schema : NULL;
	char kind = world->type(world->arg, in, name);

	if (kind == 'b' && !is_inside(name))
		return 0;
	if (kind == 'e' || kind == 'd')
		return 0;
	if (kind == 'o' && gate_lists(r->added, r->nadded, in, name))
		return 0;
	return refuse(g->e, REFUSE_TYPE, "the %s %s",
		      kind == 0	    ? "unknown type"
		      : kind == 'c' ? "type of rows"
				    : "type",
		      name);
}

int
look_type(struct gate *g)
{
	const char *schema, *name;

	if (tree_num(g->w.node, "pct_type") || tree_len(g->w.node, "names") > 2)
		return refuse(g->e, REFUSE_TYPE,
			      "a type named by a column or with its database");
	name = tree_dotted(g->w.node, "names", &schema);
	return vet_type(g, schema, name);
}
