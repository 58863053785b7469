/* SPDX-License-Identifier: MIT */
#include "rls.h"

#include <stdio.h>

#include "rls_int.h"

/* No chain of parents is longer; a circle is. */
#define PARENTS_MAX 16

/* Where the tenants come from.  Point read by a unique key, the context and
 * the statement in one Sync group, 32 groups in flight on one connection:
 * microseconds for one group (PostgreSQL 15):
 *
 *	no policy, no context                                    7.4
 *	context, a policy of true                                9.8
 *	... = ANY ((SELECT constant array))                     10.7
 *	... split_part(setting, '"', 4), cast inside SELECT     12.4
 *	... setting::json ->> 'tenants', cast inside SELECT     14.5
 *	... the same, cast outside: once for each row           14.8
 *	... jsonb                                               15.1
 *	... a function in SQL, inlined                          14.3
 *	... a function in PL/pgSQL                              17.0
 *
 * Without the SELECT it is 2 less, and paid for each row.  split_part() can
 * be believed because "tenants" is the first key of a wire and the texts of
 * uuids and integers need no escape; texts do, and take the way over json. */
static const char tenants_plain[] =
	"nullif(split_part(current_setting('lunate.ctx', true), '\"', 4), '')";
static const char tenants_json[] =
	"nullif(current_setting('lunate.ctx', true), '')::json ->> 'tenants'";

const char *
rls_tenants(enum tenant_type type)
{
	return type == TENANT_TEXT ? tenants_json : tenants_plain;
}

/* ---- text --------------------------------------------------------------- */

void
rls_ident(struct str *s, const char *name)
{
	str_addc(s, '"');
	for (; *name != 0; name++) {
		if (*name == '"')
			str_addc(s, '"');
		str_addc(s, *name);
	}
	str_addc(s, '"');
}

void
rls_literal(struct str *s, const char *text)
{
	str_addc(s, '\'');
	for (; *text != 0; text++) {
		if (*text == '\'')
			str_addc(s, '\'');
		str_addc(s, *text);
	}
	str_addc(s, '\'');
}

static void
add_table(struct str *s, const char *schema, const char *name)
{
	rls_ident(s, schema);
	str_addc(s, '.');
	rls_ident(s, name);
}

void
rls_table_literal(struct str *s, const struct tenant_table *t)
{
	struct str name;

	str_init(&name);
	add_table(&name, t->schema, t->name);
	rls_literal(s, name.at);
	str_fini(&name);
}

/* ---- predicates --------------------------------------------------------- */

/* (SELECT ...)::type[]: the second cast does nothing, and makes of the
 * sub-select a value instead of a set of rows. */
static void
add_tenants(const struct rls_writer *w, struct str *s)
{
	const char *type = tenant_type_name(w->o->rules->type);

	if (w->o->seal)
		str_addf(s, "(SELECT lunate.tenants()::%s[])::%s[]", type,
			 type);
	else
		str_addf(s, "(SELECT (%s)::%s[])::%s[]",
			 rls_tenants(w->o->rules->type), type, type);
}

/* q is a name as it is written in SQL. */
static void
add_equal(const struct rls_writer *w, struct str *s, const char *q,
	  const char *column)
{
	str_addf(s, "%s.", q);
	rls_ident(s, column);
	str_add(s, " = ANY (");
	add_tenants(w, s);
	str_addc(s, ')');
}

static void
open_exists(struct str *s, const struct tenant_table *t, const char *q,
	    const char *alias)
{
	str_add(s, "EXISTS (SELECT FROM ");
	add_table(s, t->via_schema, t->via);
	str_addf(s, " AS %s WHERE ", alias);
	for (unsigned i = 0; i < t->non; i++) {
		str_addf(s, "%s.", alias);
		rls_ident(s, t->on[i].other);
		str_addf(s, " = %s.", q);
		rls_ident(s, t->on[i].own);
		str_add(s, " AND ");
	}
}

static const struct tenant_table *
parent_of(const struct rls_writer *w, const struct tenant_table *t)
{
	const struct tenant_table *up = tenant_find(w->o->rules, t->via_schema,
						    t->via);

	if (up != NULL && up->kind != TENANT_SHARED)
		return up;
	(void)err_set(w->e, LUNATE_EINVAL,
		      "%s.%s has parent %s.%s, which has no rule that scopes "
		      "it",
		      t->schema, t->name, t->via_schema, t->via);
	return NULL;
}

/* The chain of parents up to a column, the membership included. */
static int
add_scope(const struct rls_writer *w, struct str *s,
	  const struct tenant_table *t)
{
	char alias[PARENTS_MAX + 2][16] = {RLS_ROW};
	const struct tenant_table *up = t;
	unsigned depth = 0;

	for (; up->kind == TENANT_PARENT || up->kind == TENANT_THROUGH;
	     depth++) {
		if (depth > PARENTS_MAX)
			return err_set(w->e, LUNATE_EINVAL,
				       "%s.%s has a circle of parents",
				       t->schema, t->name);
		snprintf(alias[depth + 1], sizeof(*alias), "lunate_%u",
			 depth + 1);
		open_exists(s, up, alias[depth], alias[depth + 1]);
		if (up->kind == TENANT_THROUGH) {
			depth++;
			break;
		}
		up = parent_of(w, up);
		if (up == NULL)
			return w->e->code;
	}
	add_equal(w, s, alias[depth], up->column);
	while (depth-- > 0)
		str_addc(s, ')');
	return 0;
}

/* ---- policies ----------------------------------------------------------- */

static void
add_bound(const struct rls_writer *w, struct str *s)
{
	str_add(s, " TO ");
	if (w->o->app_role == NULL)
		str_add(s, "PUBLIC");
	else
		rls_ident(s, w->o->app_role);
}

/* A policy as an argument of lunate_scope(). */
static void
add_argument(const struct rls_writer *w, const char *policy)
{
	str_add(w->out, ",\n  ");
	rls_literal(w->out, policy);
}

static void
add_open(const struct rls_writer *w)
{
	struct str s;

	str_init(&s);
	str_add(&s, "CREATE POLICY lunate_open ON " RLS_TABLE);
	add_bound(w, &s);
	if (w->o->system_role != NULL) {
		str_add(&s, ", ");
		rls_ident(&s, w->o->system_role);
	}
	str_add(&s, " USING (true) WITH CHECK (true)");
	add_argument(w, s.at);
	str_fini(&s);
}

/* Either condition may be NULL. */
static void
add_policy(const struct rls_writer *w, const char *name, const char *command,
	   const char *const conds[2])
{
	struct str s;

	str_init(&s);
	str_addf(&s,
		 "CREATE POLICY lunate_%s ON " RLS_TABLE
		 " AS RESTRICTIVE FOR %s",
		 name, command);
	add_bound(w, &s);
	if (conds[0] != NULL)
		str_addf(&s, " USING (%s)", conds[0]);
	if (conds[1] != NULL)
		str_addf(&s, " WITH CHECK (%s)", conds[1]);
	add_argument(w, s.at);
	str_fini(&s);
}

#define CONDS(...) ((const char *const[2]){__VA_ARGS__})

static void
no_writes(const struct rls_writer *w)
{
	add_policy(w, "insert", "INSERT", CONDS(NULL, "false"));
	add_policy(w, "update", "UPDATE", CONDS("false", NULL));
	add_policy(w, "delete", "DELETE", CONDS("false", NULL));
}

static void
add_alone_name(struct str *s, const struct tenant_table *t)
{
	struct str name;

	str_init(&name);
	str_addf(&name, "alone %s.%s", t->schema, t->name);
	str_add(s, "lunate.");
	rls_ident(s, name.at);
	str_fini(&name);
}

static void
membership(const struct rls_writer *w, const struct tenant_table *t,
	   const char *scope)
{
	struct str s;

	str_init(&s);
	add_policy(w, "select", "SELECT", CONDS(scope, NULL));
	add_policy(w, "update", "UPDATE", CONDS(scope, scope));
	str_addf(&s, "%s AND ", scope);
	add_alone_name(&s, t);
	for (unsigned i = 0; i < t->non; i++) {
		str_add(&s, i == 0 ? "(" RLS_ROW "." : ", " RLS_ROW ".");
		rls_ident(&s, t->on[i].own);
	}
	str_addc(&s, ')');
	add_policy(w, "delete", "DELETE", CONDS(s.at, NULL));
	str_clear(&s);
	str_add(&s, "cardinality(");
	add_tenants(w, &s);
	str_add(&s, ") > 0");
	add_policy(w, "insert", "INSERT", CONDS(NULL, s.at));
	str_fini(&s);
}

/* Does who runs this see the rows of all tenants?  A superuser does, and one
 * who has the system's role and not the application's. */
static void
add_sees_all(const struct rls_writer *w, struct str *s,
	     const struct tenant_table *t)
{
	struct str name;

	str_init(&name);
	add_table(&name, t->via_schema, t->via);
	str_add(s, "(NOT row_security_active(");
	rls_literal(s, name.at);
	str_add(s, ") OR pg_has_role(");
	rls_literal(s, w->o->system_role);
	str_add(s, ", 'USAGE') AND NOT pg_has_role(");
	rls_literal(s, w->o->app_role);
	str_add(s, ", 'USAGE')) AND ");
	str_fini(&name);
}

static void
add_body(const struct rls_writer *w, struct str *s,
	 const struct tenant_table *t)
{
	str_add(s, "SELECT ");
	if (w->o->system_role != NULL)
		add_sees_all(w, s, t);
	str_add(s, "coalesce(bool_and(");
	add_equal(w, s, "m", t->column);
	str_add(s, "), false) FROM ");
	add_table(s, t->via_schema, t->via);
	str_add(s, " AS m WHERE ");
	for (unsigned i = 0; i < t->non; i++) {
		str_add(s, i == 0 ? "m." : " AND m.");
		rls_ident(s, t->on[i].other);
		str_addf(s, " = $%u", i + 1);
	}
}

/* Is nobody but the one who asks a member?  The others' rows are hidden from
 * him, so it is asked as the owner of the function, who may be bound himself:
 * then the answer is no, or, where no system role is let through,
 * row_security = off makes an error of it. */
static void
add_alone(const struct rls_writer *w, const struct tenant_table *t)
{
	struct str body;

	str_init(&body);
	add_body(w, &body, t);
	str_add(w->out, "CREATE OR REPLACE FUNCTION ");
	add_alone_name(w->out, t);
	for (unsigned i = 0; i < t->non; i++) {
		str_add(w->out, i == 0 ? "(" : ", ");
		add_table(w->out, t->via_schema, t->via);
		str_addc(w->out, '.');
		rls_ident(w->out, t->on[i].other);
		str_add(w->out, "%TYPE");
	}
	str_add(w->out, ")\n  RETURNS boolean LANGUAGE sql STABLE SECURITY "
			"DEFINER\n  SET search_path = pg_catalog, pg_temp ");
	if (w->o->system_role == NULL)
		str_add(w->out, "SET row_security = off");
	str_add(w->out, "\n  AS ");
	rls_literal(w->out, body.at);
	str_add(w->out, ";\n");
	str_fini(&body);
}

static void
scoped(const struct rls_writer *w, const struct tenant_table *t,
       const char *scope)
{
	if (t->kind == TENANT_SHARED) {
		no_writes(w);
	} else if (t->write_never) {
		add_policy(w, "select", "SELECT", CONDS(scope, NULL));
		no_writes(w);
	} else if (t->kind == TENANT_THROUGH) {
		membership(w, t, scope);
	} else {
		add_policy(w, "tenant", "ALL", CONDS(scope, scope));
	}
}

int
rls_rule(const struct rls_writer *w, const struct tenant_table *t)
{
	struct str scope;
	int rc = 0;

	str_init(&scope);
	if (t->kind != TENANT_SHARED)
		rc = add_scope(w, &scope, t);
	if (rc == 0) {
		if (t->kind == TENANT_THROUGH && !t->write_never)
			add_alone(w, t);
		str_add(w->out, "SELECT pg_temp.lunate_scope(");
		rls_table_literal(w->out, t);
		add_open(w);
		scoped(w, t, scope.at);
		str_add(w->out, ");\n");
	}
	str_fini(&scope);
	return rc;
}
