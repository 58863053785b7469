/* SPDX-License-Identifier: MIT */
#include "why.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "str.h"
#include "tenant.h"
#include "trial_int.h"
#include "vocab.h"

/* ---- the question as a declaration -------------------------------------- */

static struct decl_value value_of(struct arena *a, const json_t *j);

static int
by_key(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static struct decl_value
map_of(struct arena *a, const json_t *j)
{
	size_t n = json_object_size(j), i = 0;
	const char **keys = arena_new(a, (n + 1) * sizeof(*keys));
	struct decl_value *items = arena_new(a, (n + 1) * sizeof(*items));
	const char *key;
	json_t *v;

	json_object_foreach ((json_t *)j, key, v)
		keys[i++] = arena_dup(a, key, strlen(key));
	qsort(keys, n, sizeof(*keys), by_key);
	for (i = 0; i < n; i++)
		items[i] = value_of(a, json_object_get(j, keys[i]));
	return (struct decl_value){.type = DECL_MAP,
				   .n = (unsigned)n,
				   .items = items,
				   .keys = keys};
}

static struct decl_value
list_of(struct arena *a, const json_t *j)
{
	size_t n = json_array_size(j);
	struct decl_value *items = arena_new(a, (n + 1) * sizeof(*items));

	for (size_t i = 0; i < n; i++)
		items[i] = value_of(a, json_array_get(j, i));
	return (struct decl_value){
		.type = DECL_LIST, .n = (unsigned)n, .items = items};
}

static struct decl_value
value_of(struct arena *a, const json_t *j)
{
	switch (json_typeof(j)) {
	case JSON_OBJECT:
		return map_of(a, j);
	case JSON_ARRAY:
		return list_of(a, j);
	case JSON_STRING:
		return (struct decl_value){
			.type = DECL_TEXT,
			.text = arena_dup(a, json_string_value(j),
					  json_string_length(j)),
			.len = (unsigned)json_string_length(j)};
	case JSON_INTEGER:
	case JSON_REAL:
		return (struct decl_value){.type = DECL_NUMBER,
					   .number = json_number_value(j)};
	case JSON_TRUE:
	case JSON_FALSE:
		return (struct decl_value){.type = DECL_BOOL,
					   .yes = json_is_true(j)};
	case JSON_NULL:
		break;
	}
	return (struct decl_value){.type = DECL_NONE};
}

#define QUESTION "question"

static void
declare(struct decl *d, struct arena *a, const json_t *question)
{
	json_t *j = json_copy((json_t *)question);
	json_t *action = json_object_get(j, "action");

	json_object_set(j, "can", action);
	json_object_del(j, "action");
	*d = (struct decl){
		.word = vocab_word(vocab_file("access", strlen("access")),
				   "test"),
		.file = "why",
		.name = QUESTION,
		.fields = value_of(a, j)};
	json_decref(j);
}

/* Nobody wrote that test: where it stands is left out. */
static void
strip(struct err *e)
{
	static const char head[] = "\"" QUESTION "\": ";
	const char *at = strstr(e->text, head);

	if (at != NULL)
		memmove(e->text, at + sizeof(head) - 1,
			strlen(at + sizeof(head) - 1) + 1);
}

/* ---- a rule ------------------------------------------------------------- */

static json_t *
print(const struct expr *x)
{
	struct str s;
	json_t *j;

	str_init(&s);
	expr_print(x, &s);
	j = json_stringn(s.at, s.len);
	str_fini(&s);
	return j;
}

static json_t *
rule_of(const struct access_rule *r)
{
	json_t *j = json_pack("{ss ss ss si}", "kind",
			      r->forbids ? "forbid" : "permit", "name", r->name,
			      "file", r->file, "line", r->line);

	if (r->when != NULL)
		json_object_set_new(j, "when", print(r->when));
	return j;
}

/* ---- the answer --------------------------------------------------------- */

struct telling {
	struct trial_asked *a;
	json_t *decided, *nearest, *faults;
	bool row; /* there is one */
};

static bool
about(const struct telling *t, const struct access_rule *r)
{
	const struct world_table *table = &t->a->row.table;

	if ((r->actions >> t->a->ask.action & 1) == 0)
		return false;
	for (unsigned i = 0; i < r->ntables; i++)
		if (strcmp(r->tables[i].name, table->name) == 0 &&
		    strcmp(r->tables[i].schema, table->schema) == 0)
			return true;
	return r->ntables == 0;
}

static void
add_roles(const struct telling *t, const struct access_rule *r, json_t *to)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < r->nroles; i++) {
		unsigned n = r->roles[i];

		if (t->a->who.held[n / 64] >> n % 64 & 1)
			break;
		json_array_append_new(
			list, json_string(t->a->rules->access->roles[n].name));
	}
	if (json_array_size(list) == r->nroles)
		json_object_set(to, "roles", list);
	json_decref(list);
}

#define WANTS 8

static void
add_wants(const struct telling *t, const struct access_rule *r, json_t *to)
{
	const struct expr *parts[WANTS];
	struct expr_ask who = t->a->who.ask;
	json_t *list = json_array();
	unsigned n = 0;

	if (!t->row)
		who.row.values = NULL;
	if (r->when != NULL)
		n = expr_failing(r->when, &who, parts, WANTS);
	for (unsigned i = 0; i < n; i++)
		json_array_append_new(list, print(parts[i]));
	json_object_set_new(to, "wants", list);
}

static bool
counts(const struct telling *t, const struct access_rule *r,
       const struct access_weighed *w)
{
	if (w->weight == ACCESS_SOME && !t->row)
		return true;
	return trial_counts(t->a, r);
}

static void
add_rule(struct telling *t, const struct access_rule *r)
{
	bool allowed = t->a->verdict.allowed;
	struct access_weighed w;
	json_t *j;

	access_weigh(&t->a->ask, r, &t->a->arena, &w);
	if (w.fault.at != NULL) {
		j = rule_of(r);
		json_object_set_new(j, "fault", json_string(w.fault.text));
		json_array_append_new(t->faults, j);
	}
	if (r == t->a->verdict.rule ||
	    (allowed && !r->forbids && counts(t, r, &w)))
		json_array_append_new(t->decided, rule_of(r));
	if (allowed || r->forbids || t->a->verdict.rule != NULL || !about(t, r))
		return;
	j = rule_of(r);
	add_roles(t, r, j);
	add_wants(t, r, j);
	json_array_append_new(t->nearest, j);
}

static json_t *
masks(const struct access_verdict *v)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < v->limit.nmasks; i++)
		json_array_append_new(
			list, json_pack("{ss ss}", "column",
					v->limit.masks[i].column, "rows",
					v->limit.masks[i].nparts > 0 ? "some"
								     : "all"));
	return list;
}

static json_t *
answer(struct telling *t, const json_t *question)
{
	const struct access_rules *rules = t->a->rules->access;
	const struct access_verdict *v = &t->a->verdict;
	json_t *out;

	t->decided = json_array();
	t->nearest = json_array();
	t->faults = json_array();
	for (unsigned i = 0; i < rules->nrules; i++)
		add_rule(t, &rules->rules[i]);
	out = json_pack("{sb sO ss sO so so so so}", "allowed", v->allowed,
			"action", json_object_get(question, "action"), "rows",
			v->limit.nparts > 0 ? "some" : "all", "on",
			json_object_get(question, "on"), "masked", masks(v),
			"decided", t->decided, "nearest", t->nearest, "faults",
			t->faults);
	if (v->column != NULL)
		json_object_set_new(out, "column", json_string(v->column));
	return out;
}

int
why_tell(const struct rules *rules, const json_t *question, json_t **out,
	 struct err *e)
{
	struct trial_asked a = {.rules = rules, .e = e};
	struct telling t = {.a = &a};
	struct decl d;

	*out = NULL;
	err_clear(e);
	if (!json_is_string(json_object_get(question, "action")) ||
	    !json_is_string(json_object_get(question, "on")))
		return err_set(e, LUNATE_ECONFIG,
			       "what is done, and to which table?");
	arena_init(&a.arena, NULL, 0);
	declare(&d, &a.arena, question);
	a.d = &d;
	t.row = json_object_get(question, "row") != NULL;
	if (trial_ask(&a) < 0) {
		strip(e);
	} else {
		if (t.row && a.ask.action != TENANT_INSERT)
			access_decide_row(&a.ask, &a.arena, &a.verdict);
		else
			access_decide(&a.ask, &a.arena, &a.verdict);
		*out = answer(&t, question);
	}
	trial_asked_fini(&a);
	return e->code;
}
