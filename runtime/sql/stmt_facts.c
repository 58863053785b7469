/* SPDX-License-Identifier: MIT */
#include "stmt_facts.h"

#include <stdio.h>
#include <string.h>

#include "str.h"

#define MAX_PARAMS 65535 /* of the protocol's Bind message */

/* Names are looked up in lists: these keep a hostile text cheap. */
#define MAX_RELATIONS 10000 /* places that name one */
#define MAX_CTES 1000
#define MAX_CALLS 1000 /* different functions, different operators */

/* A growing array. */
struct vec {
	void *at;
	unsigned n, room;
};

struct facts {
	struct stmt *s;
	struct arena *a;
	struct tree_walk w;
	struct vec tables, functions, operators;
	size_t relations, ctes; /* seen so far */
	struct err *e;
	bool dry; /* inside an EXPLAIN that does not run it */
	bool writes;
	struct str seen; /* one byte per parameter number */
};

static bool
same(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static bool
same_name(const char *schema, const char *name, const char *schema2,
	  const char *name2)
{
	return same(name, name2) &&
	       same(schema, schema2 != NULL ? schema2 : "");
}

static const char *
keep(struct facts *f, const char *text)
{
	return *text != 0 ? arena_dup(f->a, text, strlen(text)) : NULL;
}

/* Makes room for one more and counts it; the arena keeps the old array until
 * the end. */
static void *
one_more(struct facts *f, struct vec *v, size_t size)
{
	char *more;

	if (v->n == v->room) {
		v->room = v->room != 0 ? v->room * 2 : 4;
		more = arena_new(f->a, v->room * size);
		if (v->n > 0)
			memcpy(more, v->at, v->n * size);
		v->at = more;
	}
	return (char *)v->at + size * v->n++;
}

static int
limit(struct facts *f, size_t n, size_t max, const char *what)
{
	if (n <= max)
		return 0;
	return err_set(f->e, LUNATE_ETOOBIG,
		       "the statement names more than %zu %s; split it", max,
		       what);
}

/* ---- tables --------------------------------------------------------- */

static void
add_table(struct facts *f, struct stmt_table want)
{
	struct stmt_table *t = f->tables.at;

	if (f->dry) {
		want.read = want.read || want.written;
		want.written = false;
	}
	for (unsigned i = 0; i < f->tables.n; i++) {
		if (!same_name(want.schema, want.name, t[i].schema, t[i].name))
			continue;
		t[i].read = t[i].read || want.read;
		t[i].written = t[i].written || want.written;
		return;
	}
	t = one_more(f, &f->tables, sizeof(*t));
	*t = want;
	t->schema = keep(f, want.schema);
	t->name = arena_dup(f->a, want.name, strlen(want.name));
}

/* Does this place read from a relation or a CTE? */
static bool
is_source(enum tree_kind parent, const char *field)
{
	switch (parent) {
	case TREE_SELECT:
	case TREE_JOIN:
	case TREE_RANGE_TABLE_SAMPLE:
		return true;
	case TREE_UPDATE:
	case TREE_DELETE:
	case TREE_MERGE:
		return !same(field, "relation");
	default:
		return false;
	}
}

/* Does this place of a utility statement leave the relation's rows alone? */
static bool
only_looks(const struct tree_node *parent, const char *field)
{
	switch (tree_kind(parent)) {
	case TREE_TABLE_LIKE:
	case TREE_VACUUM_RELATION:
	case TREE_CLUSTER:
	case TREE_REINDEX:
	case TREE_LOCK:
		return true;
	case TREE_CONSTRAINT:
		return same(field, "pktable");
	case TREE_CREATE_TABLE:
		return same(field, "inh_relations");
	case TREE_COPY:
		return !tree_num(parent, "is_from");
	default:
		return false;
	}
}

static bool
also_reads(const struct tree_node *parent)
{
	switch (tree_kind(parent)) {
	case TREE_UPDATE:
	case TREE_DELETE:
	case TREE_MERGE:
		return true;
	case TREE_INSERT:
		return tree_get(parent, "on_conflict_clause") != NULL;
	default:
		return false;
	}
}

static int
range_var(struct facts *f)
{
	const struct tree_node *n = f->w.node, *parent = f->w.parent;
	struct stmt_table t = {.schema = tree_str(n, "schemaname"),
			       .name = tree_str(n, "relname")};

	if (tree_kind(parent) == TREE_LOCKING)
		return 0; /* an alias of this query, not a relation */
	if (limit(f, ++f->relations, MAX_RELATIONS, "relations") < 0)
		return LUNATE_ETOOBIG;
	if (same(tree_str(n, "relpersistence"), "t") ||
	    same(t.schema, "pg_temp") || strncmp(t.schema, "pg_temp_", 8) == 0)
		f->s->flags |= STMT_SESSION;
	if (is_source(tree_kind(parent), f->w.field)) {
		if (*t.schema == 0 && tree_walk_cte(&f->w, t.name) != NULL)
			return 0;
		t.read = true;
	} else {
		t.written = !only_looks(parent, f->w.field);
		t.read = !t.written || also_reads(parent);
	}
	add_table(f, t);
	return 0;
}

/* How many parts of a dropped object's name come after its relation's;
 * -1 when it has none. */
static int
parts_after_relation(const char *type)
{
	static const char *const relations[] = {
		"OBJECT_TABLE",		"OBJECT_VIEW",	"OBJECT_MATVIEW",
		"OBJECT_FOREIGN_TABLE", "OBJECT_INDEX", "OBJECT_SEQUENCE",
	};

	for (size_t i = 0; i < sizeof(relations) / sizeof(*relations); i++)
		if (same(type, relations[i]))
			return 0;
	if (same(type, "OBJECT_TRIGGER") || same(type, "OBJECT_RULE") ||
	    same(type, "OBJECT_POLICY"))
		return 1;
	return -1;
}

/* Adds the relation of a dropped object's dotted name. */
static void
dropped(struct facts *f, const struct tree_node *object, size_t after)
{
	size_t n = tree_kind(object) == TREE_LIST ? tree_len(object, "items")
						  : 0;
	struct stmt_table t = {.schema = "", .written = true};

	if (n < after + 1)
		return;
	n -= after + 1;
	t.name = tree_str(tree_item(object, "items", n), "sval");
	if (n > 0)
		t.schema = tree_str(tree_item(object, "items", n - 1), "sval");
	add_table(f, t);
}

static int
drop(struct facts *f)
{
	int after = parts_after_relation(tree_word(f->w.node, "remove_type"));
	size_t n = tree_len(f->w.node, "objects");

	if (after < 0)
		return 0;
	if (limit(f, n, MAX_RELATIONS, "relations") < 0)
		return LUNATE_ETOOBIG;
	for (size_t i = 0; i < n; i++)
		dropped(f, tree_item(f->w.node, "objects", i), (size_t)after);
	return 0;
}

/* ---- functions ------------------------------------------------------ */

static int
add_call(struct facts *f, struct vec *v, struct stmt_function want)
{
	struct stmt_function *c = v->at;

	for (unsigned i = 0; i < v->n; i++)
		if (c[i].nargs == want.nargs &&
		    c[i].variadic == want.variadic &&
		    same_name(want.schema, want.name, c[i].schema, c[i].name))
			return 0;
	if (limit(f, v->n + 1, MAX_CALLS, "functions or operators") < 0)
		return LUNATE_ETOOBIG;
	c = one_more(f, v, sizeof(*c));
	*c = want;
	c->schema = keep(f, want.schema);
	c->name = arena_dup(f->a, want.name, strlen(want.name));
	return 0;
}

static int
add_function(struct facts *f, struct stmt_function want)
{
	return add_call(f, &f->functions, want);
}

/* An empty list of names means that there is no operator to be named. */
static int
add_operator(struct facts *f, const char *field, unsigned nargs)
{
	struct stmt_function want = {.nargs = nargs};

	want.name = tree_dotted(f->w.node, field, &want.schema);
	if (*want.name == 0)
		return 0;
	return add_call(f, &f->operators, want);
}

/* Is it the constant true?  (Booleans come as one, bare or in a cast.) */
static bool
is_true(const struct tree_node *n)
{
	if (tree_kind(n) == TREE_TYPE_CAST)
		n = tree_get(n, "arg");
	return tree_kind(n) == TREE_A_CONST &&
	       tree_num(tree_get(n, "boolval"), "boolval") != 0;
}

/* Built-in functions whose effect or answer belongs to the session. */
static bool
of_session(const struct tree_node *call, const char *schema, const char *name)
{
	static const char *const names[] = {
		"currval",
		"dblink_connect",
		"dblink_connect_u",
		"lastval",
		"pg_advisory_lock",
		"pg_advisory_lock_shared",
		"pg_advisory_unlock",
		"pg_advisory_unlock_all",
		"pg_advisory_unlock_shared",
		"pg_replication_origin_session_setup",
		"pg_try_advisory_lock",
		"pg_try_advisory_lock_shared",
		"setseed",
	};

	if (*schema != 0 && !same(schema, "pg_catalog") &&
	    strncmp(name, "dblink", 6) != 0)
		return false;
	if (same(name, "set_config")) /* the third argument is "is local" */
		return !is_true(tree_item(call, "args", 2));
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (same(name, names[i]))
			return true;
	return false;
}

static int
func_call(struct facts *f)
{
	const struct tree_node *n = f->w.node;
	struct stmt_function want;

	want.name = tree_dotted(n, "funcname", &want.schema);
	want.nargs = (unsigned)tree_len(n, "args");
	want.variadic = tree_num(n, "func_variadic") != 0;
	/* WITHIN GROUP (ORDER BY x): x is an argument, too. */
	if (tree_num(n, "agg_within_group"))
		want.nargs += (unsigned)tree_len(n, "agg_order");
	if (of_session(n, want.schema, want.name))
		f->s->flags |= STMT_SESSION;
	return add_function(f, want);
}

static int
table_sample(struct facts *f)
{
	struct stmt_function want = {0};

	want.name = tree_dotted(f->w.node, "method", &want.schema);
	want.nargs = (unsigned)tree_len(f->w.node, "args");
	return add_function(f, want);
}

/* ---- parameters ----------------------------------------------------- */

static int
param(struct facts *f)
{
	int64_t n = tree_num(f->w.node, "number");
	size_t more;

	if (n < 1 || n > MAX_PARAMS)
		return err_set(f->e, LUNATE_EPARAM,
			       "parameters are numbered from $1 to $%d",
			       MAX_PARAMS);
	if ((size_t)n > f->seen.len) {
		more = (size_t)n - f->seen.len;
		memset(str_reserve(&f->seen, more), 0, more);
		str_grew(&f->seen, more);
	}
	f->seen.at[n - 1] = 1;
	return 0;
}

static void
count_params(struct facts *f)
{
	f->s->nparams = (unsigned)f->seen.len;
	if (memchr(f->seen.at, 0, f->seen.len) != NULL)
		f->s->flags |= STMT_PARAM_GAPS;
}

/* ---- all of it ------------------------------------------------------ */

/* Marks that need no name. */
static int
note(struct facts *f)
{
	switch (f->w.kind) {
	case TREE_SQL_VALUE:
		f->s->flags |= STMT_SQL_VALUES;
		break;
	case TREE_EXECUTE: /* also below EXPLAIN */
		f->s->flags |= STMT_SESSION;
		break;
	case TREE_LOCKING:
		f->s->flags |= STMT_LOCKS;
		f->writes = true;
		break;
	case TREE_INTO:
		f->s->flags |= f->dry ? 0 : STMT_CATALOG;
		f->writes = true;
		break;
	default:
		break;
	}
	return 0;
}

/* A statement, or one inside another.  Counts its CTEs before any name is
 * looked up among them. */
static int
query(struct facts *f)
{
	f->writes = f->writes || f->w.kind != TREE_SELECT;
	f->ctes += tree_len(tree_get(f->w.node, "with_clause"), "ctes");
	return limit(f, f->ctes, MAX_CTES, "WITH queries");
}

static int
look(struct facts *f)
{
	const struct tree_node *n = f->w.node;

	switch (f->w.kind) {
	case TREE_SELECT:
	case TREE_INSERT:
	case TREE_UPDATE:
	case TREE_DELETE:
	case TREE_MERGE:
		return query(f);
	case TREE_RANGE_VAR:
		return range_var(f);
	case TREE_FUNC_CALL:
		return func_call(f);
	case TREE_RANGE_TABLE_SAMPLE:
		return table_sample(f);
	case TREE_A_EXPR:
		return add_operator(f, "name",
				    1 + (tree_get(n, "lexpr") != NULL));
	case TREE_SUB_LINK:
		return add_operator(f, "oper_name", 2);
	case TREE_SORT_BY:
		return add_operator(f, "use_op", 2);
	case TREE_PARAM_REF:
		return param(f);
	case TREE_DROP:
		return drop(f);
	default:
		return note(f);
	}
}

static bool
reads_only(const struct facts *f, const struct tree_node *root)
{
	switch (tree_kind(root)) {
	case TREE_SHOW:
		return true;
	case TREE_SELECT:
		return !f->writes;
	case TREE_COPY:
		return (f->s->flags & STMT_COPY_OUT) != 0 && !f->writes;
	case TREE_EXPLAIN:
		if (f->dry)
			return true;
		return tree_kind(tree_get(root, "query")) == TREE_SELECT &&
		       !f->writes;
	default:
		return false;
	}
}

static void
conclude(struct facts *f, const struct tree_node *root)
{
	struct stmt *s = f->s;

	count_params(f);
	if (f->dry)
		s->flags &= ~(unsigned)STMT_LOCKS;
	if (reads_only(f, root))
		s->flags |= STMT_READS_ONLY;
	s->tables = f->tables.at;
	s->ntables = f->tables.n;
	s->functions = f->functions.at;
	s->nfunctions = f->functions.n;
	s->operators = f->operators.at;
	s->noperators = f->operators.n;
}

int
facts_gather(struct stmt *s, const struct tree_node *root, struct arena *a,
	     struct err *e)
{
	struct facts f = {.s = s, .a = a, .e = e};
	int rc = 0;

	facts_of_root(s, root);
	f.dry = tree_kind(root) == TREE_EXPLAIN && !facts_runs(root);
	str_init(&f.seen);
	tree_walk_init(&f.w, root);
	while (rc == 0 && tree_walk_next(&f.w) != TREE_END)
		if (f.w.step == TREE_ENTER)
			rc = look(&f);
	if (rc == 0)
		conclude(&f, root);
	tree_walk_fini(&f.w);
	str_fini(&f.seen);
	return rc;
}

/* ---- the text without literals -------------------------------------- */

/* Where the text goes; without `at` it is only measured. */
struct sink {
	char *at;
	size_t len;
};

static void
put(struct sink *to, const char *bytes, size_t n)
{
	if (to->at != NULL)
		memcpy(to->at + to->len, bytes, n);
	to->len += n;
}

static void
put_token(struct sink *to, const char *text, const struct tree_token *t,
	  unsigned *next)
{
	char number[16];

	if (t->kind == TOKEN_LITERAL)
		put(to, number,
		    (size_t)snprintf(number, sizeof(number), "$%u", ++*next));
	else
		put(to, text + t->start, t->end - t->start);
}

static size_t
write_normal(char *at, const struct tree *t, unsigned next)
{
	struct sink to = {.at = at};
	const struct tree_token *k;
	size_t len, n = tree_tokens(t, &k), end = 0;
	const char *text = tree_text(t, &len);

	for (size_t i = 0; i < n; i++) {
		if (k[i].kind == TOKEN_COMMENT)
			continue; /* people put values there */
		if (k[i].kind == TOKEN_MARK && text[k[i].start] == ';')
			continue;
		if (to.len > 0 && k[i].start > end)
			put(&to, " ", 1);
		put_token(&to, text, &k[i], &next);
		end = k[i].end;
	}
	return to.len;
}

int
facts_normal(struct stmt *s, const struct tree *t, struct arena *a,
	     struct err *e)
{
	size_t len = write_normal(NULL, t, s->nparams);
	char *at = arena_try(a, len + 1);

	if (at == NULL)
		return err_set(e, LUNATE_ENOMEM, "no memory for an SQL text");
	write_normal(at, t, s->nparams);
	s->normal = at;
	return 0;
}
