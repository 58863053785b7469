/* SPDX-License-Identifier: MIT
 *
 * What writes although it looks like reading.
 */
#include "catalog_build.h"

#include <string.h>

/* ---- functions and operators --------------------------------------------- */

/* Volatile because the answer varies or the server is looked at, not because
 * anything is changed.  Only its own: another's random() may do anything. */
static bool
harmless(const char *schema, const char *name)
{
	static const char *const names[] = {
		"bernoulli",
		"clock_timestamp",
		"gen_random_uuid",
		"pg_blocking_pids",
		"pg_current_wal_flush_lsn",
		"pg_current_wal_insert_lsn",
		"pg_current_wal_lsn",
		"pg_database_size",
		"pg_indexes_size",
		"pg_is_in_recovery",
		"pg_is_wal_replay_paused",
		"pg_last_wal_receive_lsn",
		"pg_last_wal_replay_lsn",
		"pg_last_xact_replay_timestamp",
		"pg_lock_status",
		"pg_partition_ancestors",
		"pg_partition_tree",
		"pg_relation_size",
		"pg_sequence_last_value",
		"pg_sleep",
		"pg_sleep_for",
		"pg_sleep_until",
		"pg_table_size",
		"pg_tablespace_size",
		"pg_total_relation_size",
		"pg_xact_status",
		"random",
		"system",
		"timeofday",
		"txid_status",
	};

	if (strcmp(schema, "pg_catalog") != 0)
		return false;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* What has this name in an index, made when there is nothing yet. */
static struct catalog_function *
named(struct build *b, struct catalog_index *ix, const char *name)
{
	uint64_t hash = catalog_hash_name(name);
	const struct catalog_function *f;
	struct catalog_function *made;
	size_t at = 0;

	while ((f = catalog_index_next(ix, hash, &at)) != NULL)
		if (strcmp(f->name, name) == 0)
			return (struct catalog_function *)f;
	made = b->functions++;
	made->name = name;
	catalog_index_add(ix, hash, made);
	return made;
}

static struct catalog_overload *
overload(struct build *b, struct catalog_function *f, size_t row, int flags)
{
	struct catalog_overload *o = b->overloads++;

	o->schema = build_schema(b, row, 2);
	o->definer = build_flag(b, row, flags, 'd');
	o->volatile_ = build_flag(b, row, flags, 'v')	? 'v'
		       : build_flag(b, row, flags, 's') ? 's'
							: 'i';
	o->next = f->overloads;
	f->overloads = o;
	return o;
}

static void
add_function(struct build *b, size_t row)
{
	struct catalog_function *f = named(b, &b->s->functions,
					   build_text(b, row, 3));
	struct catalog_overload *o = overload(b, f, row, 6);

	o->builtin = build_oid(b, row, 1) < CATALOG_FIRST_OID &&
		     strcmp(o->schema, "pg_catalog") == 0;
	o->writes = o->volatile_ == 'v' && !harmless(o->schema, f->name);
	o->takes_row = build_flag(b, row, 6, 'r');
	o->max_args = build_int(b, row, 4);
	o->min_args = o->max_args - build_int(b, row, 5);
	if (build_flag(b, row, 6, 'a')) {
		o->min_args--;
		o->max_args = -1;
	}
}

static void
add_operator(struct build *b, size_t row)
{
	struct catalog_function *f = named(b, &b->s->operators,
					   build_text(b, row, 3));
	struct catalog_overload *o = overload(b, f, row, 4);

	o->min_args = o->max_args = build_int(b, row, 1);
	o->builtin = build_flag(b, row, 4, 'b');
	o->writes = o->volatile_ == 'v' &&
		    !harmless(build_text(b, row, 5), build_text(b, row, 6));
	if (o->writes)
		b->s->bad_operators[b->s->nbad_operators++] = f->name;
}

void
build_functions(struct build *b)
{
	b->functions = build_room(b, 'f', sizeof(*b->functions));
	b->overloads = build_room(b, 'f', sizeof(*b->overloads));
	build_index(b, &b->s->functions, b->count['f']);
	build_each(b, 'f', add_function);
	b->functions = build_room(b, 'q', sizeof(*b->functions));
	b->overloads = build_room(b, 'q', sizeof(*b->overloads));
	build_index(b, &b->s->operators, b->count['q']);
	b->s->bad_operators = build_room(b, 'q', sizeof(*b->s->bad_operators));
	build_each(b, 'q', add_operator);
}

/* ---- what reading a relation may do ------------------------------------- */

static void
add_call(struct build *b, size_t row)
{
	struct catalog_table *t = build_table(b, row, 1);

	if (t != NULL &&
	    !harmless(build_text(b, row, 2), build_text(b, row, 3)))
		t->impure = true;
}

/* Rows of a foreign partition are read through its parents. */
static void
mark_parents(struct catalog_snapshot *s, const struct catalog_table *t)
{
	for (t = t->parent; t != NULL; t = t->parent)
		s->tables[t - s->tables].impure = true;
}

static bool
uses_impure(const struct catalog_table *t)
{
	for (unsigned i = 0; i < t->nuses; i++)
		if (t->uses[i]->impure)
			return true;
	return false;
}

/* Views stand on views: again until nothing changes any more. */
static void
spread(struct catalog_snapshot *s)
{
	bool more = true;

	while (more) {
		more = false;
		for (unsigned i = 0; i < s->ntables; i++)
			if (!s->tables[i].impure && uses_impure(&s->tables[i]))
				s->tables[i].impure = more = true;
	}
}

static void
note_name(struct build *b, const struct catalog_table *t)
{
	uint64_t hash = catalog_hash_name(t->name);
	const struct catalog_relname *n;
	size_t at = 0;

	while ((n = catalog_index_next(&b->s->relnames, hash, &at)) != NULL)
		if (strcmp(n->name, t->name) == 0)
			break;
	if (n == NULL) {
		n = b->relnames++;
		((struct catalog_relname *)n)->name = t->name;
		catalog_index_add(&b->s->relnames, hash, n);
	}
	if (t->impure)
		((struct catalog_relname *)n)->impure = true;
}

void
build_judgement(struct build *b)
{
	struct catalog_snapshot *s = b->s;

	b->relnames = build_room(b, 'r', sizeof(*b->relnames));
	build_index(b, &s->relnames, b->count['r']);
	build_each(b, 'v', add_call);
	if (b->failed)
		return;
	for (unsigned i = 0; i < s->ntables; i++)
		if (s->tables[i].kind == CATALOG_FOREIGN)
			mark_parents(s, &s->tables[i]);
	spread(s);
	for (unsigned i = 0; i < s->ntables; i++)
		note_name(b, &s->tables[i]);
}

/* ---- what a statement may do -------------------------------------------- */

static bool
may_be(const struct catalog_overload *o, const struct stmt_function *f)
{
	if (f->schema != NULL && strcmp(f->schema, o->schema) != 0)
		return false;
	if (f->variadic)
		return true;
	return (int)f->nargs >= o->min_args &&
	       (o->max_args < 0 || (int)f->nargs <= o->max_args);
}

/* Every overload that could be meant, in any schema. */
static bool
call_pure(const struct catalog_snapshot *s, const struct stmt_function *call,
	  bool *unknown)
{
	const struct catalog_overload *o = catalog_function(s, call->name);
	bool known = false;

	for (; o != NULL; o = o->next) {
		if (!may_be(o, call))
			continue;
		if (o->writes)
			return false;
		known = true;
	}
	*unknown = *unknown || !known;
	return known;
}

/* Without a schema: whichever relation of that name is meant. */
static bool
table_pure(const struct catalog_snapshot *s, const struct stmt_table *want,
	   bool *unknown)
{
	uint64_t hash = catalog_hash_name(want->name);
	const struct catalog_relname *n;
	const struct catalog_table *t;
	size_t at = 0;

	if (want->schema != NULL) {
		t = catalog_table(s, want->schema, want->name);
		*unknown = *unknown || t == NULL;
		return t != NULL && !t->impure;
	}
	while ((n = catalog_index_next(&s->relnames, hash, &at)) != NULL)
		if (strcmp(n->name, want->name) == 0)
			return !n->impure;
	*unknown = true;
	return false;
}

/* BETWEEN is written with a word and done with comparisons. */
static bool
operator_pure(const struct catalog_snapshot *s, const char *name)
{
	bool between = strstr(name, "BETWEEN") != NULL;

	for (unsigned i = 0; i < s->nbad_operators; i++) {
		const char *bad = s->bad_operators[i];

		if (strcmp(bad, name) == 0)
			return false;
		if (between && bad[0] != 0 && strchr("<>", bad[0]) != NULL)
			return false;
	}
	return true;
}

bool
catalog_snapshot_pure(const struct catalog_snapshot *s, const struct stmt *st,
		      bool *unknown)
{
	*unknown = false;
	for (unsigned i = 0; i < st->nfunctions; i++)
		if (!call_pure(s, &st->functions[i], unknown))
			return false;
	for (unsigned i = 0; i < st->noperators; i++)
		if (!operator_pure(s, st->operators[i].name))
			return false;
	for (unsigned i = 0; i < st->ntables; i++)
		if (!table_pure(s, &st->tables[i], unknown))
			return false;
	return true;
}
