/* SPDX-License-Identifier: MIT */
#include "lints.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <xxhash.h>

#include "mem.h"
#include "tree.h"

/* ---- what is asked ------------------------------------------------------ */

static const char *
kind_word(enum tenant_kind kind)
{
	static const char *const words[] = {"by", "parent", "through",
					    "shared"};

	return words[kind];
}

static void
put_text(json_t *to, const char *key, const char *text)
{
	if (text != NULL)
		(void)json_object_set_new(to, key, json_string(text));
}

/* A rule of which no policy can be made has no digest: OTHER. */
static const char *
state_of(const struct isolation_rules *r, const struct tenant_table *t,
	 const struct rows *states)
{
	const struct rls_options o = {.rules = r->tables, .seal = r->seal};
	char digest[RLS_DIGEST];
	struct err e;

	if (rls_digest(&o, t, digest, &e) < 0)
		digest[0] = 0;
	return rls_state_word(rls_state_of(states, t, digest));
}

static json_t *
rule_json(const struct tenant_table *t)
{
	json_t *o = json_object(), *own = json_array(), *other = json_array();

	put_text(o, "schema", t->schema);
	put_text(o, "name", t->name);
	put_text(o, "kind", kind_word(t->kind));
	put_text(o, "col", t->column);
	put_text(o, "via_schema", t->via_schema);
	put_text(o, "via", t->via);
	for (unsigned i = 0; i < t->non; i++) {
		(void)json_array_append_new(own, json_string(t->on[i].own));
		(void)json_array_append_new(other, json_string(t->on[i].other));
	}
	(void)json_object_set_new(o, "own", own);
	(void)json_object_set_new(o, "other", other);
	return o;
}

static char *
rules_json(const struct isolation_rules *r, const struct rows *states)
{
	const struct tenant_rules *rules = r->tables;
	json_t *all = json_array();
	char *text, *mine;

	for (unsigned i = 0; i < rules->ntables; i++) {
		const struct tenant_table *t = &rules->tables[i];
		json_t *o = rule_json(t);

		put_text(o, "state", state_of(r, t, states));
		(void)json_array_append_new(all, o);
	}
	text = json_dumps(all, JSON_COMPACT);
	mine = mem_dups(text != NULL ? text : "[]");
	free(text);
	json_decref(all);
	return mine;
}

static void
hash(uint64_t *h, const char *text)
{
	if (text != NULL)
		*h = XXH3_64bits_withSeed(text, strlen(text) + 1, *h + 1);
}

uint64_t
lints_key(const struct isolation_rules *r)
{
	char *text = rules_json(r, NULL);
	uint64_t h = (uint64_t)r->mode << 8 | (uint64_t)r->seal << 4 |
		     (uint64_t)r->tables->type;

	hash(&h, text);
	mem_free(text);
	for (unsigned i = 0; i < r->naccepted; i++) {
		const struct isolation_accept *a = &r->accepted[i];

		hash(&h, a->lint);
		hash(&h, a->schema);
		hash(&h, a->name);
	}
	return h;
}

static const char *
mode_word(enum isolation_mode mode)
{
	static const char *const words[] = {"rewrite", "rls", "both"};

	return words[mode];
}

static struct pgval
text_val(const char *text)
{
	return (struct pgval){text, (int)strlen(text), false};
}

/* ---- the questions ------------------------------------------------------ */

static void
begin(struct lints *l, struct worker *w, void (*done)(struct op *op))
{
	op_init(&l->op, w);
	l->op.flags = OP_PROBE | OP_UNNAMED;
	l->op.cls = RULES_READ;
	l->op.cls_given = true;
	l->op.solo = true; /* the prelude bears no company */
	l->op.done = done;
}

static void
on_lints(struct op *op)
{
	struct lints *l = CONTAINER_OF(op, struct lints, op);

	l->done(l);
}

/* The path in which the lints are written. */
static const char path_sql[] =
	"SELECT pg_catalog.set_config('search_path', 'pg_catalog', true)";

static void
ask_lints(struct lints *l, struct worker *w)
{
	const struct tenant_rules *r = l->of->tables;

	l->vals[0] = text_val(l->rules);
	l->vals[1] = text_val(mode_word(l->of->mode));
	l->vals[2] = text_val(tenant_type_name(r->type));
	l->vals[3] = text_val(l->sealed || !l->of->seal ? "t" : "f");
	lints_sql(l->closing, &l->sql);
	begin(l, w, on_lints);
	l->op.sql = l->sql.at;
	l->op.len = l->sql.len;
	l->op.vals = l->vals;
	l->op.nvals = 4;
	l->op.prelude = path_sql;
	op_start(&l->op);
}

/* Is a context as it is sealed here a good one there? */
static const char seal_sql[] = "SELECT lunate.tenants() IS NOT NULL";

static bool
is_true(const struct op *op)
{
	size_t len;
	const char *cell;

	if (op->err.code != 0 || op->rows == NULL || rows_count(op->rows) != 1)
		return false;
	cell = rows_cell(op->rows, 0, 0, &len);
	return cell != NULL && cell[0] == 't';
}

/* Without the function it is not, which is no failure. */
static void
on_seal(struct op *op)
{
	struct lints *l = CONTAINER_OF(op, struct lints, op);
	struct worker *w = op->w;

	if (op->err.code != 0 && op->err.code != LUNATE_EUNDEFINED) {
		l->done(l);
		return;
	}
	l->sealed = is_true(op);
	op_fini(op);
	ask_lints(l, w);
}

static void
ask_seal(struct lints *l, struct worker *w)
{
	struct err e;

	begin(l, w, on_seal);
	l->op.sql = seal_sql;
	l->op.len = strlen(seal_sql);
	if (context_new("{}", 2, &l->op.context, &e) < 0)
		obj_panic(__FILE__, __LINE__, "a context of nobody");
	op_start(&l->op);
}

/* Without its table the state is one of the answers, no failure. */
static void
on_state(struct op *op)
{
	struct lints *l = CONTAINER_OF(op, struct lints, op);
	struct worker *w = op->w;

	if (op->err.code != 0 && op->err.code != LUNATE_EUNDEFINED) {
		l->done(l);
		return;
	}
	l->rules = rules_json(l->of, op->err.code == 0 ? op->rows : NULL);
	op_fini(op);
	if (l->of->seal)
		ask_seal(l, w);
	else
		ask_lints(l, w);
}

void
lints_start(struct lints *l, struct worker *w,
	    const struct isolation_rules *rules, void (*done)(struct lints *l))
{
	assert(rules->state == ISOLATION_ON);
	l->of = rules;
	l->done = done;
	str_init(&l->sql);
	if (rules->mode == ISOLATION_REWRITE) {
		l->rules = rules_json(rules, NULL);
		ask_lints(l, w);
		return;
	}
	begin(l, w, on_state);
	l->op.sql = rls_state_sql;
	l->op.len = strlen(rls_state_sql);
	op_start(&l->op);
}

void
lints_fini(struct lints *l)
{
	op_fini(&l->op);
	str_fini(&l->sql);
	mem_free(l->rules);
	l->rules = NULL;
}

/* ---- the answer --------------------------------------------------------- */

unsigned
lints_found(const struct lints *l)
{
	return l->op.err.code == 0 && l->op.rows != NULL
		       ? (unsigned)rows_count(l->op.rows)
		       : 0;
}

static bool
is_accepted(const struct lints *l, const struct lint_finding *f)
{
	for (unsigned i = 0; i < l->of->naccepted; i++) {
		const struct isolation_accept *a = &l->of->accepted[i];

		if (strcmp(a->lint, f->lint->name) == 0 &&
		    (a->name == NULL || (strcmp(a->schema, f->schema) == 0 &&
					 strcmp(a->name, f->name) == 0)))
			return true;
	}
	return false;
}

static const char *
cell(const struct lints *l, unsigned row, int col)
{
	size_t len;
	const char *s = rows_cell(l->op.rows, row, col, &len);

	return s != NULL ? s : "";
}

struct lint_finding
lints_finding(const struct lints *l, unsigned i)
{
	struct lint_finding f = {
		.lint = &lints_list[atoi(cell(l, i, 0))],
		.schema = cell(l, i, 1),
		.name = cell(l, i, 2),
		.object = cell(l, i, 3),
		.fix = cell(l, i, 4),
	};

	f.accepted = is_accepted(l, &f);
	f.closes = cell(l, i, 5)[0] == 't' && !f.accepted;
	return f;
}

bool
lints_fix_is_sql(const struct lint_finding *f)
{
	struct tree *t;
	struct err e;

	if (tree_parse(f->fix, strlen(f->fix), &t, &e) < 0)
		return false;
	tree_free(&t);
	return true;
}

void
lints_tell(const struct lint_finding *f, struct doctor_finding *to)
{
	*to = (struct doctor_finding){.name = f->lint->name};
	to->level = f->closes ? DOCTOR_PROBLEM : DOCTOR_ADVICE;
	snprintf(to->what, sizeof(to->what), "%s%s%s%s%s%s (%s)%s", f->schema,
		 f->schema[0] != 0 ? "." : "", f->name,
		 f->schema[0] != 0 ? ": " : "", f->lint->what,
		 f->accepted ? ", accepted" : "", f->object,
		 !f->closes	     ? ""
		 : f->schema[0] != 0 ? "; the table is closed"
				     : "; all tables are closed");
	if (!f->accepted)
		snprintf(to->remedy, sizeof(to->remedy), "%s", f->fix);
}
