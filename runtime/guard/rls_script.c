/* SPDX-License-Identifier: MIT
 *
 * The script around the policies: its helper, what it leaves in the schema
 * lunate, digest and state, and the seal.
 */
#include "rls_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <xxhash.h>

#include "mem.h"

/* ---- the script --------------------------------------------------------- */

/* clang-format off */
static const char script_head[] =
	"-- Written by `lunate policy rls` from isolation.lua.  Run it again\n"
	"-- after each change of that file or of the tables.\n"
	"BEGIN;\n"
	"SET LOCAL lock_timeout = '10s';\n"
	"SET LOCAL client_min_messages = warning;\n"
	"SET LOCAL standard_conforming_strings = on;\n"
	"SET LOCAL search_path = pg_catalog, pg_temp;\n"
	/* An owner who is bound could not make functions again that see more. */
	"SET LOCAL check_function_bodies = off;\n"
	"CREATE SCHEMA IF NOT EXISTS lunate;\n"
	"GRANT USAGE ON SCHEMA lunate TO PUBLIC;\n"
	/* Whoever asks for the state meanwhile waits for the end. */
	"DROP TABLE IF EXISTS lunate.policy_state;\n"
	"CREATE TABLE lunate.policy_state (\n"
	"  schema text,\n"
	"  name text,\n"
	"  digest text NOT NULL,\n"
	"  installed text NOT NULL,\n"
	"  at timestamptz NOT NULL DEFAULT now(),\n"
	"  PRIMARY KEY (schema, name));\n"
	"GRANT SELECT ON lunate.policy_state TO PUBLIC;\n"
	/* Of a table, its partitions and children, and the functions that the
	 * policies call.  Deparsed under an empty path, so everybody reads
	 * the same text. */
	"CREATE OR REPLACE FUNCTION lunate.policy_now(root oid) RETURNS text\n"
	"  LANGUAGE sql STABLE STRICT SET search_path = '' AS $$\n"
	"WITH RECURSIVE tree(oid) AS (SELECT root UNION\n"
	"  SELECT i.inhrelid FROM pg_catalog.pg_inherits i\n"
	"  JOIN tree ON i.inhparent = tree.oid)\n"
	"SELECT pg_catalog.md5(coalesce(pg_catalog.string_agg(\n"
	"  pg_catalog.concat_ws('|',\n"
	"    c.oid::pg_catalog.regclass, c.relrowsecurity, c.relforcerowsecurity,\n"
	"    p.polname, p.polcmd, p.polpermissive,\n"
	"    (SELECT pg_catalog.array_agg(r::pg_catalog.regrole::text ORDER BY r)\n"
	"     FROM pg_catalog.unnest(p.polroles) r),\n"
	"    pg_catalog.pg_get_expr(p.polqual, c.oid),\n"
	"    pg_catalog.pg_get_expr(p.polwithcheck, c.oid)),\n"
	"    E'\\n' ORDER BY c.oid::pg_catalog.regclass::text COLLATE \"C\",\n"
	"    p.polname), '') || (\n"
	"  SELECT coalesce(pg_catalog.string_agg(pg_catalog.md5(f.prosrc), '|'\n"
	"    ORDER BY f.proname COLLATE \"C\"), '')\n"
	"  FROM pg_catalog.pg_proc f\n"
	"  JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace\n"
	"  WHERE n.nspname = 'lunate'\n"
	"    AND (f.proname = 'tenants' OR f.proname LIKE 'alone %')))\n"
	"FROM pg_catalog.pg_policy p\n"
	"JOIN pg_catalog.pg_class c ON c.oid = p.polrelid\n"
	"JOIN tree ON tree.oid = c.oid\n"
	"WHERE p.polname LIKE 'lunate\\_%'\n"
	"$$;\n"
	"CREATE OR REPLACE FUNCTION pg_temp.lunate_scope(\n"
	"  root regclass, VARIADIC policies text[]) RETURNS void\n"
	"  LANGUAGE plpgsql AS $$\n"
	"DECLARE t record; old name; policy text;\n"
	"BEGIN\n"
	"  FOR t IN\n"
	"    WITH RECURSIVE tree(oid) AS (SELECT root::oid UNION\n"
	"      SELECT i.inhrelid FROM pg_inherits i\n"
	"      JOIN tree ON i.inhparent = tree.oid)\n"
	"    SELECT c.oid, c.oid::regclass AS name, c.relname FROM pg_class c\n"
	"    JOIN tree USING (oid) WHERE c.relkind IN ('r', 'p')\n"
	"  LOOP\n"
	"    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, '\n"
	"                   'FORCE ROW LEVEL SECURITY', t.name);\n"
	"    FOR old IN SELECT polname FROM pg_policy\n"
	"               WHERE polrelid = t.oid AND polname LIKE 'lunate\\_%' LOOP\n"
	"      EXECUTE format('DROP POLICY %I ON %s', old, t.name);\n"
	"    END LOOP;\n"
	"    FOREACH policy IN ARRAY policies LOOP\n"
	"      EXECUTE replace(replace(policy, '" RLS_TABLE "', t.name::text),\n"
	"                      '" RLS_ROW "', quote_ident(t.relname));\n"
	"    END LOOP;\n"
	"  END LOOP;\n"
	"END $$;\n";

/* %s: how the array's text stands in a context that was found good.  17 us
 * for a statement; in SQL instead of PL/pgSQL it is 72. */
static const char script_seal[] =
	"CREATE TABLE IF NOT EXISTS lunate.seal_key (\n"
	"  kid text PRIMARY KEY,\n"
	"  inner_pad bytea NOT NULL,\n"
	"  outer_pad bytea NOT NULL);\n"
	"REVOKE ALL ON lunate.seal_key FROM PUBLIC;\n"
	"CREATE OR REPLACE FUNCTION lunate.tenants() RETURNS text\n"
	"  LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER\n"
	"  SET search_path = pg_catalog, pg_temp AS $$\n"
	"DECLARE\n"
	"  ctx text := current_setting('lunate.ctx', true);\n"
	"  seal text := right(ctx, 95);\n"
	"  k lunate.seal_key;\n"
	"BEGIN\n"
	"  SELECT * INTO k FROM lunate.seal_key WHERE kid = left(seal, 4);\n"
	"  IF substr(seal, 30) = encode(sha256(k.outer_pad || sha256(\n"
	"      k.inner_pad || convert_to(left(ctx, -66), 'UTF8'))), 'hex') || '\"}'\n"
	"    AND substr(seal, 6, 10) = lpad(pg_backend_pid()::text, 10, '0')\n"
	"    AND substr(seal, 17, 12) >=\n"
	"      lpad(extract(epoch FROM now())::bigint::text, 12, '0')\n"
	"  THEN\n"
	"    RETURN %s;\n"
	"  END IF;\n"
	"  RETURN NULL;\n"
	"END $$;\n";

const char rls_state_sql[] =
	"SELECT s.schema, s.name, s.digest, "
	"s.installed = lunate.policy_now(c.oid) FROM lunate.policy_state s "
	"LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = s.schema "
	"LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid "
	"AND c.relname = s.name";
/* clang-format on */

static int
add_rules(const struct rls_writer *w)
{
	const struct tenant_rules *r = w->o->rules;

	for (unsigned i = 0; i < r->ntables; i++)
		if (rls_rule(w, &r->tables[i]) < 0)
			return w->e->code;
	return 0;
}

/* What was installed, once all of it is. */
static int
add_state(const struct rls_writer *w, const struct tenant_table *t)
{
	char digest[RLS_DIGEST];

	if (rls_digest(w->o, t, digest, w->e) < 0)
		return w->e->code;
	str_add(w->out, "INSERT INTO lunate.policy_state VALUES (");
	rls_literal(w->out, t->schema);
	str_add(w->out, ", ");
	rls_literal(w->out, t->name);
	str_addf(w->out, ", '%s', lunate.policy_now(", digest);
	rls_table_literal(w->out, t);
	str_add(w->out, "::regclass));\n");
	return 0;
}

int
rls_sql(const struct rls_options *o, struct str *out, struct err *e)
{
	const struct rls_writer w = {o, out, e};
	const struct tenant_rules *r = o->rules;

	if (o->system_role != NULL && o->app_role == NULL)
		return err_set(e, LUNATE_EINVAL,
			       "a system role that is let through needs the "
			       "role that is not: say the application's role "
			       "too");
	str_add(out, script_head);
	if (o->seal)
		str_addf(out, script_seal, rls_tenants(r->type));
	if (add_rules(&w) < 0)
		return e->code;
	for (unsigned i = 0; i < r->ntables; i++)
		if (add_state(&w, &r->tables[i]) < 0)
			return e->code;
	str_add(out, "COMMIT;\n");
	return 0;
}

int
rls_digest(const struct rls_options *o, const struct tenant_table *t,
	   char out[RLS_DIGEST], struct err *e)
{
	const struct rls_options anybody = {.rules = o->rules, .seal = o->seal};
	XXH128_hash_t h;
	struct str s;
	int rc;

	str_init(&s);
	str_add(&s, script_head);
	str_add(&s, o->seal ? script_seal : "");
	rc = rls_rule(&(struct rls_writer){&anybody, &s, e}, t);
	h = XXH3_128bits(s.at, s.len);
	snprintf(out, RLS_DIGEST, "%016" PRIx64 "%016" PRIx64, h.high64,
		 h.low64);
	str_fini(&s);
	return rc;
}

/* ---- state -------------------------------------------------------------- */

static bool
cell_is(const struct rows *rows, size_t row, int col, const char *text)
{
	size_t len;
	const char *cell = rows_cell(rows, row, col, &len);

	return cell != NULL && strcmp(cell, text) == 0;
}

enum rls_state
rls_state_of(const struct rows *rows, const struct tenant_table *t,
	     const char *digest)
{
	size_t n = rows != NULL ? rows_count(rows) : 0;

	for (size_t i = 0; i < n; i++) {
		if (!cell_is(rows, i, 0, t->schema) ||
		    !cell_is(rows, i, 1, t->name))
			continue;
		if (!cell_is(rows, i, 2, digest))
			return RLS_OTHER;
		return cell_is(rows, i, 3, "t") ? RLS_SAME : RLS_CHANGED;
	}
	return RLS_NEVER;
}

const char *
rls_state_word(enum rls_state s)
{
	static const char *const words[] = {
		"same", "never applied", "of other rules", "changed by hand"};

	return words[s];
}

/* ---- seal --------------------------------------------------------------- */

#define BLOCK 64 /* of SHA-256 */

static void
add_pad(struct str *out, const struct rls_key *key, unsigned char with)
{
	str_add(out, "'\\x");
	for (int i = 0; i < BLOCK; i++)
		str_addf(out, "%02x",
			 (unsigned)((i < RLS_KEY ? key->bytes[i] : 0) ^ with));
	str_add(out, "'");
}

void
rls_key_sql(const struct rls_key *key, int before, struct str *out)
{
	str_addf(out,
		 "DELETE FROM lunate.seal_key WHERE kid NOT IN ('%04d', "
		 "'%04d');\n",
		 key->kid, before);
	str_addf(out,
		 "INSERT INTO lunate.seal_key (kid, inner_pad, outer_pad) "
		 "VALUES ('%04d', ",
		 key->kid);
	add_pad(out, key, 0x36);
	str_add(out, ", ");
	add_pad(out, key, 0x5c);
	str_add(out, ") ON CONFLICT (kid) DO UPDATE SET inner_pad = "
		     "excluded.inner_pad, outer_pad = excluded.outer_pad;\n");
}

void
rls_seal(const struct rls_seal *by, const char *wire, struct str *out)
{
	unsigned char mac[EVP_MAX_MD_SIZE];
	size_t start = out->len, n = strlen(wire);
	unsigned len = 0;

	assert(by->key->kid >= 0 && by->key->kid <= 9999);
	assert(by->backend_pid > 0 && by->expiry_s > 0);
	assert(n > 2 && wire[n - 1] == '}');
	str_addn(out, wire, n - 1);
	str_addf(out, ",\"seal\":\"%04d.%010d.%012" PRId64 ".", by->key->kid,
		 by->backend_pid, by->expiry_s);
	if (HMAC(EVP_sha256(), by->key->bytes, RLS_KEY,
		 (const unsigned char *)out->at + start, out->len - start, mac,
		 &len) == NULL)
		obj_panic(__FILE__, __LINE__, "HMAC-SHA256 failed");
	for (unsigned i = 0; i < len; i++)
		str_addf(out, "%02x", mac[i]);
	str_add(out, "\"}");
	mem_wipe(mac, sizeof(mac));
}
