/* SPDX-License-Identifier: MIT
 *
 * The lints, one SELECT each.  They run under search_path pg_catalog.
 *
 * rule   a rule with what the catalog has of its table; oid NULL: nothing.
 *        q is its name in SQL; tenant the number of its tenant column;
 *        state what its policies are
 * part   partitions and inheritance children of a rule's table, at any depth
 * keyed  for a rule by parent or through: the columns that must not repeat,
 *        of which table
 * me     the role that asks
 * ask    mode, type; rls: do row policies count?  seal: 'f' when one is wanted
 *        and is no good
 */
#include "lints.h"

/* clang-format off */
static const char head[] =
	"WITH RECURSIVE ask AS (SELECT $2::text AS mode, $3::text AS type, "
	"$4::text AS seal, "
	"$2::text <> 'rewrite' AS rls), "
	"me AS (SELECT * FROM pg_roles WHERE rolname = current_user), "
	"rule AS MATERIALIZED (SELECT r.*, c.oid, c.relowner, c.relkind, "
	"c.relrowsecurity, c.relforcerowsecurity, "
	"format('%I.%I', r.schema, r.name) AS q, a.attnum AS tenant, "
	"a.attnotnull, a.atttypid::regtype::text AS atttype "
	"FROM jsonb_to_recordset($1::jsonb) AS r(schema text, name text, "
	"kind text, col text, via_schema text, via text, own text[], "
	"other text[], state text) "
	"LEFT JOIN pg_namespace n ON n.nspname = r.schema "
	"LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = r.name "
	"AND c.relkind IN ('r', 'p', 'f', 'v', 'm') "
	"LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = r.col "
	"AND r.kind = 'by' AND a.attnum > 0 AND NOT a.attisdropped), "
	"tree AS (SELECT oid AS root, oid FROM rule WHERE oid IS NOT NULL "
	"UNION SELECT t.root, i.inhrelid FROM pg_inherits i "
	"JOIN tree t ON i.inhparent = t.oid), "
	"part AS MATERIALIZED (SELECT r.schema, r.name, r.q, t.oid AS child, "
	"c.relkind, c.relrowsecurity, t.oid::regclass::text AS cq "
	"FROM tree t JOIN rule r ON r.oid = t.root "
	"JOIN pg_class c ON c.oid = t.oid WHERE t.oid <> t.root), "
	"keyed AS (SELECT r.oid AS of, v.oid, v.q, r.other AS cols FROM rule r "
	"JOIN rule v ON v.schema = r.via_schema AND v.name = r.via "
	"WHERE r.kind = 'parent' AND v.oid IS NOT NULL AND r.oid IS NOT NULL "
	"UNION ALL SELECT r.oid, r.oid, r.q, r.own FROM rule r "
	"WHERE r.kind = 'through' AND r.oid IS NOT NULL), "
	"pol AS MATERIALIZED (SELECT p.* FROM pg_policy p, me "
	"WHERE NOT p.polpermissive AND p.polname LIKE 'lunate\\_%' AND "
	"(0 = ANY (p.polroles) OR EXISTS (SELECT FROM unnest(p.polroles) m "
	"WHERE pg_has_role(me.oid, m, 'USAGE')))) ";

/* Types among which nothing is rounded or cut off. */
#define WHOLE "'{int2,int4,int8}'::regtype[]::oid[]"
#define TEXTS "'{text,varchar}'::regtype[]::oid[]"

#define NO_TABLE "SELECT '', '', "
#define TABLE "SELECT r.schema, r.name, "
#define APPLY "'lunate policy rls | psql'"
#define SOME "r.oid IS NOT NULL AND "

const struct lint lints_list[] = {
	/* ---- the role */
	{"role-superuser", "the application's role is a superuser: no row "
	 "policy holds for it",
	 NO_TABLE "me.rolname::text, "
	 "format('ALTER ROLE %I NOSUPERUSER', me.rolname), ask.rls "
	 "FROM me, ask WHERE me.rolsuper", true},
	{"role-bypass", "the application's role bypasses row policies",
	 NO_TABLE "me.rolname::text, "
	 "format('ALTER ROLE %I NOBYPASSRLS', me.rolname), ask.rls "
	 "FROM me, ask WHERE me.rolbypassrls AND NOT me.rolsuper", true},
	{"role-createrole", "the application's role may make roles",
	 NO_TABLE "me.rolname::text, "
	 "format('ALTER ROLE %I NOCREATEROLE', me.rolname), false "
	 "FROM me WHERE me.rolcreaterole AND NOT me.rolsuper"},
	{"role-member", "the application's role is a member of a role with "
	 "rights over the whole server",
	 NO_TABLE "g.rolname::text, "
	 "format('REVOKE %I FROM %I', g.rolname, me.rolname), false "
	 "FROM me, pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid "
	 "WHERE m.member = me.oid AND NOT me.rolsuper AND g.rolname IN "
	 "('pg_read_all_data', 'pg_write_all_data', 'pg_read_server_files', "
	 "'pg_write_server_files', 'pg_execute_server_program', "
	 "'pg_read_all_stats', 'pg_monitor')"},
	{"role-owner", "the application's role owns the table and so may "
	 "change its policies",
	 TABLE "me.rolname::text, format('ALTER TABLE %s OWNER TO %I', r.q, "
	 "(SELECT pg_get_userbyid(datdba) FROM pg_database "
	 "WHERE datname = current_database())), false FROM rule r, me "
	 "WHERE " SOME "NOT me.rolsuper AND "
	 "pg_has_role(me.oid, r.relowner, 'USAGE')"},
	{"schema-create", "the application's role may make objects in a "
	 "schema where names are looked up",
	 NO_TABLE "n.nspname::text, format('REVOKE CREATE ON SCHEMA %I "
	 "FROM %I, PUBLIC', n.nspname, me.rolname), false "
	 "FROM pg_namespace n, me WHERE NOT me.rolsuper AND "
	 "(n.nspname IN ('public', 'lunate') OR n.nspname IN "
	 "(SELECT schema FROM rule)) AND "
	 "has_schema_privilege(n.oid, 'CREATE')"},
	{"grant-truncate", "TRUNCATE, REFERENCES or TRIGGER is granted: they "
	 "pass all policies by",
	 TABLE "me.rolname::text, format('REVOKE TRUNCATE, REFERENCES, TRIGGER "
	 "ON %s FROM %I, PUBLIC', r.q, me.rolname), false FROM rule r, me "
	 "WHERE " SOME "NOT me.rolsuper AND NOT "
	 "pg_has_role(me.oid, r.relowner, 'USAGE') AND "
	 "has_table_privilege(r.oid, 'TRUNCATE, REFERENCES, TRIGGER')"},
	{"default-privileges", "default privileges open future tables to the "
	 "application or to all",
	 NO_TABLE "coalesce(n.nspname, '')::text, format('ALTER DEFAULT "
	 "PRIVILEGES FOR ROLE %I%s REVOKE ALL ON TABLES FROM %s', "
	 "pg_get_userbyid(d.defaclrole), "
	 "coalesce(format(' IN SCHEMA %I', n.nspname), ''), "
	 "CASE x.grantee WHEN 0 THEN 'PUBLIC' "
	 "ELSE quote_ident(pg_get_userbyid(x.grantee)) END), false "
	 "FROM me, pg_default_acl d "
	 "LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace, "
	 "LATERAL (SELECT DISTINCT grantee FROM aclexplode(d.defaclacl)) x "
	 "WHERE d.defaclobjtype = 'r' AND x.grantee IN (0, me.oid) "
	 "AND d.defaclrole <> x.grantee"},

	/* ---- tables and columns */
	{"table-missing", "a rule names a table that is not there",
	 TABLE "r.name, 'take the rule out of isolation.lua', false "
	 "FROM rule r WHERE r.oid IS NULL"},
	{"table-unruled", "a table has no rule: nobody can use it",
	 "SELECT n.nspname::text, c.relname::text, c.relname::text, "
	 "'name it in isolation.lua', false FROM pg_class c "
	 "JOIN pg_namespace n ON n.oid = c.relnamespace "
	 "WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition "
	 "AND n.nspname <> 'lunate' "
	 "AND n.nspname IN (SELECT schema FROM rule) AND c.oid NOT IN "
	 "(SELECT oid FROM rule WHERE oid IS NOT NULL) AND c.oid NOT IN "
	 "(SELECT child FROM part)"},
	{"column-missing", "the tenant column is not there",
	 TABLE "r.col, format('ALTER TABLE %s ADD COLUMN %I %s NOT NULL', "
	 "r.q, r.col, ask.type), true FROM rule r, ask "
	 "WHERE " SOME "r.kind = 'by' AND r.tenant IS NULL", true},
	{"column-type", "the tenant column is of another type than tenants",
	 TABLE "r.col, format('ALTER TABLE %s ALTER COLUMN %I TYPE %s USING "
	 "%2$I::%3$s', r.q, r.col, ask.type), true FROM rule r, ask "
	 "WHERE r.tenant IS NOT NULL AND r.atttype::regtype <> "
	 "ask.type::regtype", true},
	{"column-nullable", "the tenant column may be NULL: such a row "
	 "belongs to nobody",
	 TABLE "r.col, format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL', "
	 "r.q, r.col), true FROM rule r "
	 "WHERE r.tenant IS NOT NULL AND r.relkind IN ('r', 'p') AND "
	 "NOT r.attnotnull", true},
	{"column-collation", "the tenant column takes different texts for the "
	 "same: one tenant would be another",
	 TABLE "r.col, format('ALTER TABLE %s ALTER COLUMN %I TYPE %s COLLATE "
	 "\"C\"', r.q, r.col, ask.type), true FROM rule r "
	 "JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum = r.tenant "
	 "JOIN pg_collation l ON l.oid = a.attcollation, ask "
	 "WHERE NOT l.collisdeterministic", true},
	{"key-repeats", "several rows may have the key by which this table's "
	 "belong to somebody: with one of them comes what is of the others",
	 TABLE "k.q, format('ALTER TABLE %s ADD UNIQUE (%s)', k.q, "
	 "(SELECT string_agg(quote_ident(c), ', ') FROM unnest(k.cols) c)), "
	 "true FROM rule r JOIN keyed k ON k.of = r.oid "
	 "WHERE NOT EXISTS (SELECT FROM pg_index x WHERE x.indrelid = k.oid "
	 "AND x.indisunique AND x.indimmediate AND x.indisvalid AND "
	 "x.indpred IS NULL AND NOT EXISTS (SELECT FROM generate_series(0, "
	 "x.indnkeyatts - 1) i LEFT JOIN pg_attribute a ON a.attrelid = k.oid "
	 "AND a.attnum = x.indkey[i] WHERE a.attname IS NULL OR "
	 "NOT a.attname::text = ANY (k.cols)))", true},
	{"key-type", "what says to whom a row belongs is stored as another "
	 "type than it is compared as: it could change on the way",
	 TABLE "p.own, format('ALTER TABLE %s ALTER COLUMN %I TYPE %s', r.q, "
	 "p.own, format_type(b.atttypid, b.atttypmod)), true FROM rule r "
	 "JOIN rule v ON v.schema = r.via_schema AND v.name = r.via "
	 "CROSS JOIN unnest(r.own, r.other) p(own, other) "
	 "JOIN pg_attribute a ON a.attrelid = r.oid AND a.attname = p.own "
	 "JOIN pg_attribute b ON b.attrelid = v.oid AND b.attname = p.other "
	 "WHERE (a.atttypid, a.atttypmod) <> (b.atttypid, b.atttypmod) AND "
	 "NOT (a.atttypid = ANY (" WHOLE ") AND b.atttypid = ANY (" WHOLE ")) "
	 "AND NOT (a.atttypid = ANY (" TEXTS ") AND b.atttypid = ANY (" TEXTS
	 ") AND a.atttypmod = -1 AND b.atttypmod = -1)", true},
	{"right-missing", "the application may not read the table that says "
	 "to whom rows belong",
	 TABLE "format('%I.%I', r.via_schema, r.via), format('GRANT SELECT "
	 "ON %I.%I TO %I', r.via_schema, r.via, me.rolname), false "
	 "FROM rule r JOIN rule v ON v.schema = r.via_schema AND "
	 "v.name = r.via, me, ask WHERE " SOME "ask.rls AND "
	 "v.oid IS NOT NULL AND NOT has_table_privilege(v.oid, 'SELECT')"},

	/* ---- row policies; the first says what the next ones are about */
	{"policy-others", "the row policies of lunate bind others than this "
	 "login",
	 TABLE "format('they bind %s, and this is %s', o.names, me.rolname), "
	 "format('lunate policy rls --app-role %I | psql, or log in as %s', "
	 "me.rolname, o.names), true FROM rule r, ask, me, LATERAL "
	 "(SELECT string_agg(DISTINCT pg_get_userbyid(m)::text, ', ') AS names "
	 "FROM pg_policy p, unnest(p.polroles) m WHERE p.polrelid = r.oid AND "
	 "NOT p.polpermissive AND p.polname LIKE 'lunate\\_%' AND m <> 0) o "
	 "WHERE " SOME "ask.rls AND o.names IS NOT NULL AND "
	 "r.relkind IN ('r', 'p') AND NOT EXISTS (SELECT FROM pol p "
	 "WHERE p.polrelid = r.oid)", true},
	{"policy-drift", "the policies in the database are not those of "
	 "isolation.lua",
	 TABLE "r.state, " APPLY ", true FROM rule r, ask "
	 "WHERE " SOME "ask.rls AND r.state <> 'same'", true},
	{"rls-off", "row-level security is off",
	 TABLE "r.name, format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', "
	 "r.q), true FROM rule r, ask WHERE " SOME "ask.rls AND "
	 "r.relkind IN ('r', 'p') AND NOT r.relrowsecurity", true},
	{"rls-unforced", "row-level security does not bind the owner",
	 TABLE "r.name, format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', "
	 "r.q), pg_has_role(me.oid, r.relowner, 'USAGE') FROM rule r, ask, me "
	 "WHERE " SOME "ask.rls AND r.relkind IN ('r', 'p') AND "
	 "NOT r.relforcerowsecurity", true},
	{"policy-read", "no restrictive policy of lunate binds reads",
	 TABLE "r.name, " APPLY ", true FROM rule r, ask WHERE " SOME
	 "ask.rls AND r.relkind IN ('r', 'p') AND r.kind <> 'shared' AND NOT EXISTS (SELECT FROM pol p "
	 "WHERE p.polrelid = r.oid AND p.polcmd IN ('*', 'r'))", true},
	{"policy-write", "no restrictive policy of lunate binds every write",
	 TABLE "r.name, " APPLY ", true FROM rule r, ask WHERE " SOME
	 "ask.rls AND r.relkind IN ('r', 'p') AND EXISTS (SELECT FROM unnest('{a,w,d}'::text[]) cmd "
	 "WHERE NOT EXISTS (SELECT FROM pol p WHERE p.polrelid = r.oid AND "
	 "(p.polcmd::text = cmd AND coalesce(p.polwithcheck, p.polqual) "
	 "IS NOT NULL OR p.polcmd = '*' AND p.polwithcheck IS NOT NULL)))", true},
	{"policy-none", "row policies are for tables, and this is none: mode "
	 "\"rls\" cannot hold for it",
	 TABLE "r.name, 'say mode = \"both\" in isolation.lua', "
	 "ask.mode = 'rls' FROM rule r, ask WHERE " SOME "ask.rls AND "
	 "r.kind <> 'shared' AND r.relkind NOT IN ('r', 'p')", true},
	{"partition-open", "a partition or child has no row-level security of "
	 "its own",
	 "SELECT p.schema, p.name, p.cq, " APPLY ", true FROM part p, ask "
	 "WHERE ask.rls AND p.relkind IN ('r', 'p') AND NOT p.relrowsecurity", true},
	{"partition-grant", "a partition or child can be asked by its own name",
	 "SELECT p.schema, p.name, p.cq, format('REVOKE ALL ON %s FROM %I, "
	 "PUBLIC', p.cq, me.rolname), false FROM part p, me "
	 "WHERE NOT me.rolsuper AND NOT pg_has_role(me.oid, "
	 "(SELECT relowner FROM pg_class WHERE oid = p.child), 'USAGE') AND "
	 "has_table_privilege(p.child, 'SELECT, INSERT, UPDATE, DELETE')"},
	{"seal-unknown", "the database does not take contexts as they are "
	 "sealed here: it has not this key, or its clock is minutes ahead",
	 NO_TABLE "'lunate.seal_key', 'lunate policy seal-key | psql', true "
	 "FROM ask WHERE ask.seal = 'f'", true},
	{"seal-key", "the application can read the keys of the seal",
	 NO_TABLE "'lunate.seal_key', format('REVOKE ALL ON lunate.seal_key "
	 "FROM %I, PUBLIC', me.rolname), true FROM me "
	 "WHERE NOT me.rolsuper AND EXISTS (SELECT FROM pg_class c "
	 "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE "
	 "n.nspname = 'lunate' AND c.relname = 'seal_key' AND "
	 "has_any_column_privilege(c.oid, 'SELECT'))", true},

	/* ---- ways around */
	{"view-definer", "a view reads the table with the rights of its owner",
	 TABLE "v.oid::regclass::text, format('ALTER VIEW %s SET "
	 "(security_invoker = true)', v.oid::regclass), false FROM rule r "
	 "JOIN (SELECT DISTINCT w.ev_class, d.refobjid FROM pg_depend d "
	 "JOIN pg_rewrite w ON w.oid = d.objid WHERE "
	 "d.classid = 'pg_rewrite'::regclass AND "
	 "d.refclassid = 'pg_class'::regclass) d ON d.refobjid = r.oid "
	 "JOIN pg_class v ON v.oid = d.ev_class WHERE v.relkind = 'v' AND NOT "
	 "coalesce(v.reloptions::text[] && '{security_invoker=true,"
	 "security_invoker=on,security_invoker=1,security_invoker=yes}', "
	 "false)"},
	{"matview", "a materialized view keeps rows of all tenants",
	 TABLE "v.oid::regclass::text, format('REVOKE ALL ON %s FROM %I, "
	 "PUBLIC', v.oid::regclass, me.rolname), false FROM rule r "
	 "JOIN (SELECT DISTINCT w.ev_class, d.refobjid FROM pg_depend d "
	 "JOIN pg_rewrite w ON w.oid = d.objid WHERE "
	 "d.classid = 'pg_rewrite'::regclass AND "
	 "d.refclassid = 'pg_class'::regclass) d ON d.refobjid = r.oid "
	 "JOIN pg_class v ON v.oid = d.ev_class, me WHERE v.relkind = 'm' AND "
	 "NOT me.rolsuper AND has_table_privilege(v.oid, 'SELECT')"},
	{"function-definer", "a SECURITY DEFINER function can be called by the "
	 "application",
	 NO_TABLE "p.oid::regprocedure::text, format('REVOKE EXECUTE ON "
	 "FUNCTION %s FROM %I, PUBLIC', p.oid::regprocedure, me.rolname), "
	 "false FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace, "
	 "me WHERE p.prosecdef AND p.prokind = 'f' AND n.nspname NOT IN "
	 "('lunate', 'pg_catalog') AND NOT me.rolsuper AND "
	 "has_function_privilege(p.oid, 'EXECUTE')"},
	{"function-path", "a SECURITY DEFINER function has no search_path of "
	 "its own",
	 NO_TABLE "p.oid::regprocedure::text, format('ALTER FUNCTION %s SET "
	 "search_path = pg_catalog, pg_temp', p.oid::regprocedure), false "
	 "FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace "
	 "WHERE p.prosecdef AND p.prokind = 'f' AND n.nspname <> 'pg_catalog' "
	 "AND NOT EXISTS (SELECT FROM unnest(p.proconfig) s "
	 "WHERE s LIKE 'search\\_path=%')"},
	{"extension", "an extension that runs text or reads other places is "
	 "installed",
	 NO_TABLE "e.extname::text, format('DROP EXTENSION %I', e.extname), "
	 "false FROM pg_extension e WHERE e.extname IN ('dblink', 'tablefunc', "
	 "'postgres_fdw', 'file_fdw', 'plpython3u', 'plperlu', 'pltclu', "
	 "'adminpack', 'xml2')"},
	{"statements-readable", "statements of all tenants can be read in "
	 "pg_stat_statements",
	 NO_TABLE "c.oid::regclass::text, format('REVOKE SELECT ON %s FROM "
	 "%I, PUBLIC', c.oid::regclass, me.rolname), false FROM me, pg_class c "
	 "JOIN pg_depend d ON d.objid = c.oid AND d.deptype = 'e' "
	 "JOIN pg_extension e ON e.oid = d.refobjid WHERE "
	 "e.extname = 'pg_stat_statements' AND c.relname = e.extname AND "
	 "NOT me.rolsuper AND has_table_privilege(c.oid, 'SELECT')"},
	{"publication", "a publication sends the table's rows elsewhere",
	 TABLE "p.pubname::text, CASE WHEN b.puballtables THEN format('DROP "
	 "PUBLICATION %I', p.pubname) ELSE format('ALTER PUBLICATION %I DROP "
	 "TABLE %s', p.pubname, r.q) END, false FROM rule r "
	 "JOIN pg_publication_tables p ON p.schemaname = r.schema AND "
	 "p.tablename = r.name JOIN pg_publication b USING (pubname) "
	 "WHERE r.kind <> 'shared'"},
	{"log-parameters", "the server writes parameters of statements into "
	 "its log",
	 NO_TABLE "s.name, format('ALTER ROLE %I SET %I = 0', me.rolname, "
	 "s.name), false FROM pg_settings s, me WHERE "
	 "s.name = 'log_parameter_max_length_on_error' AND s.setting <> '0' OR "
	 "s.name = 'log_parameter_max_length' AND s.setting <> '0' AND "
	 "(current_setting('log_statement') IN ('mod', 'all') OR "
	 "current_setting('log_min_duration_statement') <> '-1')"},

	/* ---- keys */
	{"key-global", "a unique key over all tenants tells of rows that are "
	 "hidden",
	 TABLE "x.indexrelid::regclass::text, format('%s; CREATE UNIQUE INDEX "
	 "ON %s (%I, %s)', CASE WHEN c.oid IS NULL THEN format('DROP INDEX "
	 "%s', x.indexrelid::regclass) ELSE format('ALTER TABLE %s DROP "
	 "CONSTRAINT %I', r.q, c.conname) END, r.q, r.col, "
	 "(SELECT string_agg(pg_get_indexdef(x.indexrelid, k, true), ', ' "
	 "ORDER BY k) FROM generate_series(1, x.indnkeyatts) k)), false "
	 "FROM rule r JOIN pg_index x ON x.indrelid = r.oid "
	 "LEFT JOIN pg_constraint c ON c.conindid = x.indexrelid AND "
	 "c.contype = 'u' WHERE r.tenant IS NOT NULL AND x.indisunique AND "
	 "NOT x.indisprimary AND x.indpred IS NULL AND "
	 "NOT r.tenant = ANY (x.indkey::int2[])"},
	{"key-foreign", "a foreign key does not compare tenants: it can refer "
	 "to a row of another one",
	 TABLE "f.conname::text, format('ALTER TABLE %s ADD UNIQUE (%s, %I); "
	 "ALTER TABLE %s ADD FOREIGN KEY (%s, %I) REFERENCES %1$s (%2$s, "
	 "%3$I)', t.q, (SELECT string_agg(quote_ident(a.attname), ', ' "
	 "ORDER BY k.n) FROM unnest(f.confkey) WITH ORDINALITY k(num, n) "
	 "JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.num), "
	 "t.col, r.q, (SELECT string_agg(quote_ident(a.attname), ', ' "
	 "ORDER BY k.n) FROM unnest(f.conkey) WITH ORDINALITY k(num, n) "
	 "JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum = k.num), "
	 "r.col), false FROM rule r JOIN pg_constraint f ON "
	 "f.conrelid = r.oid AND f.contype = 'f' JOIN rule t ON "
	 "t.oid = f.confrelid WHERE r.tenant IS NOT NULL AND "
	 "t.tenant IS NOT NULL AND NOT r.tenant = ANY (f.conkey) AND "
	 "NOT EXISTS (SELECT FROM pg_constraint g WHERE g.conrelid = r.oid "
	 "AND g.contype = 'f' AND g.confrelid = t.oid AND "
	 "g.conkey @> f.conkey AND r.tenant = ANY (g.conkey))"},
	{"cascade", "deleting a row reaches rows of other tenants through a "
	 "foreign key",
	 TABLE "f.conname::text, format('ALTER TABLE %s DROP CONSTRAINT %I, "
	 "ADD CONSTRAINT %2$I %s', r.q, f.conname, regexp_replace("
	 "pg_get_constraintdef(f.oid), ' ON DELETE (CASCADE|SET NULL|SET "
	 "DEFAULT)', '')), false FROM rule r JOIN pg_constraint f ON "
	 "f.conrelid = r.oid AND f.contype = 'f' JOIN rule t ON "
	 "t.oid = f.confrelid WHERE f.confdeltype IN ('c', 'n', 'd') AND "
	 "r.kind <> 'shared' AND t.kind <> 'shared' AND NOT (r.kind = "
	 "'parent' AND r.via_schema = t.schema AND r.via = t.name) AND "
	 "(r.tenant IS NULL OR NOT r.tenant = ANY (f.conkey))"},
	{"index-missing", "no index begins with the tenant column: each "
	 "statement looks at the rows of all tenants",
	 TABLE "r.col, format('CREATE INDEX ON %s (%I)', r.q, r.col), false "
	 "FROM rule r WHERE r.tenant IS NOT NULL AND r.relkind IN ('r', 'p') "
	 "AND NOT EXISTS (SELECT FROM pg_index x WHERE x.indrelid = r.oid AND "
	 "x.indkey[0] = r.tenant AND x.indpred IS NULL)"},
};
/* clang-format on */

const unsigned lints_count = sizeof(lints_list) / sizeof(*lints_list);

void
lints_sql(bool closing, struct str *out)
{
	unsigned n = 0;

	str_add(out, head);
	for (unsigned i = 0; i < lints_count; i++)
		if (lints_list[i].closes || !closing)
			str_addf(out,
				 "%s SELECT %u AS lint, q.* FROM (%s) AS "
				 "q(schema, name, object, fix, closes)",
				 n++ > 0 ? " UNION ALL" : "", i,
				 lints_list[i].sql);
	str_add(out, " ORDER BY 1, 2, 3, 4");
}
