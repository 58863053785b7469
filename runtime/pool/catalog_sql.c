/* SPDX-License-Identifier: MIT
 *
 * The one query that loads a catalog.
 *
 * One statement, so that all of it is one picture of the schema.  Each row is
 * eight texts: what it tells of, an OID, and what that kind has to say (the
 * list is in catalog_build.h).  Every name is qualified, operators too: the
 * search_path of the session may be anything.
 *
 * Objects below OID 16384 came with the server: of those only names, kinds
 * and functions are asked for, and its views are believed to change nothing.
 *
 * What a view or a row policy runs is written in its stored tree, as OIDs
 * behind words that no literal and no name can contain (text is escaped
 * there); pg_depend does not have the functions that came with the server.
 */
#include "catalog_int.h"

#define EQ " OPERATOR(pg_catalog.=) "
#define NE " OPERATOR(pg_catalog.<>) "
#define OURS " OPERATOR(pg_catalog.>=) 16384 "
#define TEXT "::pg_catalog.text"
#define AMONG(kinds) EQ "ANY ('{" kinds "}') "
#define LASTING "c.relpersistence" NE "'t' "
#define FLAG(cond, c) "CASE WHEN " cond " THEN '" c "' END"
#define NONE ", NULL"

/* What takes the row of any table: record, anyelement, any, anynonarray,
 * anycompatible, anycompatiblenonarray. */
#define ROWLIKE "2249,2283,2276,2776,5077,5079"

/* clang-format off */
const char catalog_load_sql[] =
	/* An aggregate says nothing itself: its parts do.  The two names are
	 * declared stable and assign a transaction id. */
	"WITH fn AS MATERIALIZED ("
	"SELECT p.oid, p.pronamespace, p.proname, p.pronargs, "
	"p.pronargdefaults, p.provariadic, n.nspname, "
	"p.provolatile, p.prosecdef, p.proargtypes[0] AS arg, "
	"p.provolatile" EQ "'v' OR g.agg IS NOT NULL "
	"OR (p.pronamespace" EQ "11 AND "
	"p.proname" AMONG("txid_current,pg_current_xact_id") ") AS vol "
	"FROM pg_catalog.pg_proc p "
	"JOIN pg_catalog.pg_namespace n ON n.oid" EQ "p.pronamespace "
	"LEFT JOIN (SELECT DISTINCT a.aggfnoid::pg_catalog.oid AS agg "
	"FROM pg_catalog.pg_aggregate a JOIN pg_catalog.pg_proc t "
	"ON t.provolatile" EQ "'v' AND t.oid" EQ
	"ANY (ARRAY[a.aggtransfn::pg_catalog.oid, a.aggfinalfn, "
	"a.aggcombinefn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn])"
	") g ON g.agg" EQ "p.oid "
	"WHERE n.nspname OPERATOR(pg_catalog.!~) '^pg_temp_'), "

	"tree AS ("
	"SELECT r.ev_class AS rel, r.ev_action" TEXT " AS body "
	"FROM pg_catalog.pg_rewrite r "
	"JOIN pg_catalog.pg_class c ON c.oid" EQ "r.ev_class "
	"WHERE c.relkind" EQ "'v' AND r.ev_type" EQ "'1' "
	"AND c.oid" OURS "AND " LASTING
	"UNION ALL SELECT polrelid, polqual" TEXT " "
	"FROM pg_catalog.pg_policy WHERE polcmd" AMONG("r,*") "), "

	"ref AS MATERIALIZED ("
	"SELECT DISTINCT tree.rel, m.at[1] AS what, "
	"m.at[2]::pg_catalog.oid AS ref "
	"FROM tree, LATERAL pg_catalog.regexp_matches(tree.body, "
	"':(funcid|opfuncid|aggfnoid|winfnoid|tsmhandler|relid) ([0-9]+)', "
	"'g') AS m(at)) "

	/* p: the search path */
	"SELECT 'p', u.nr" TEXT ", u.name" TEXT NONE NONE NONE NONE NONE " "
	"FROM pg_catalog.unnest(pg_catalog.current_schemas(true)) "
	"WITH ORDINALITY AS u(name, nr) "

	/* n: schemas */
	"UNION ALL SELECT 'n', oid" TEXT ", nspname" TEXT
	NONE NONE NONE NONE NONE " "
	"FROM pg_catalog.pg_namespace "
	"WHERE nspname OPERATOR(pg_catalog.!~) '^pg_(toast_)?temp_' "

	/* r: relations */
	"UNION ALL SELECT 'r', c.oid" TEXT ", c.relnamespace" TEXT
	", c.relname" TEXT ", c.relkind" TEXT ", pg_catalog.concat("
	FLAG("c.relpersistence" EQ "'u'", "u") ", "
	FLAG("c.relispartition", "p") ", "
	FLAG("c.relrowsecurity", "r") ", "
	FLAG("c.relforcerowsecurity", "f") ", "
	FLAG("c.relkind" EQ "'v' AND EXISTS (SELECT FROM "
	     "pg_catalog.unnest(c.reloptions) AS o(opt) WHERE o.opt "
	     "OPERATOR(pg_catalog.~*) '^security_invoker=(t|y|on|1)')", "i")
	"), i.inhparent" TEXT ", c.reltuples::pg_catalog.int8" TEXT " "
	"FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_inherits i "
	"ON i.inhrelid" EQ "c.oid AND i.inhseqno" EQ "1 "
	"WHERE c.relkind" AMONG("r,p,v,m,f,S") "AND " LASTING

	/* c: columns */
	"UNION ALL SELECT 'c', a.attrelid" TEXT ", a.attnum" TEXT
	", a.attname" TEXT ", a.atttypid" TEXT ", t.typname" TEXT
	", pg_catalog.concat("
	FLAG("a.attnotnull", "n") ", "
	FLAG("a.atthasdef", "d") ", "
	FLAG("a.attgenerated" NE "''", "g") ", "
	FLAG("a.attidentity" EQ "'a'", "a") ", "
	FLAG("a.attidentity" EQ "'d'", "b") "), t.typnamespace" TEXT " "
	"FROM pg_catalog.pg_attribute a "
	"JOIN pg_catalog.pg_class c ON c.oid" EQ "a.attrelid "
	"JOIN pg_catalog.pg_type t ON t.oid" EQ "a.atttypid "
	"WHERE a.attrelid" OURS "AND NOT a.attisdropped "
	"AND a.attnum OPERATOR(pg_catalog.>) 0 "
	"AND c.relkind" AMONG("r,p,v,m,f") "AND " LASTING

	/* k: primary keys and all else that is unique */
	"UNION ALL SELECT 'k', i.indrelid" TEXT
	", coalesce(k.conname, x.relname)" TEXT ", pg_catalog.concat("
	FLAG("i.indisprimary", "p") ", "
	FLAG("NOT i.indimmediate", "d") ", "
	FLAG("i.indpred IS NOT NULL", "w") ", "
	FLAG("NOT i.indisvalid", "v") "), i.indnkeyatts" TEXT
	", i.indkey" TEXT NONE NONE " "
	"FROM pg_catalog.pg_index i "
	"JOIN pg_catalog.pg_class x ON x.oid" EQ "i.indexrelid "
	"JOIN pg_catalog.pg_class c ON c.oid" EQ "i.indrelid "
	"LEFT JOIN pg_catalog.pg_constraint k "
	"ON k.conindid" EQ "i.indexrelid AND k.contype" AMONG("p,u")
	"WHERE i.indisunique AND i.indrelid" OURS
	"AND c.relkind" AMONG("r,p,m") "AND " LASTING

	/* e: foreign keys */
	"UNION ALL SELECT 'e', k.conrelid" TEXT ", k.conname" TEXT
	", pg_catalog.concat(k.confdeltype, k.confupdtype, "
	FLAG("k.conparentid" NE "0", "i") "), k.confrelid" TEXT
	", k.conkey" TEXT ", k.confkey" TEXT NONE " "
	"FROM pg_catalog.pg_constraint k "
	"JOIN pg_catalog.pg_class c ON c.oid" EQ "k.conrelid "
	"WHERE k.contype" EQ "'f' AND " LASTING

	/* u: what a view or a policy reads */
	"UNION ALL SELECT 'u', rel" TEXT ", ref" TEXT
	NONE NONE NONE NONE NONE " "
	"FROM ref WHERE what" EQ "'relid' AND ref" NE "rel "

	/* v: the volatile functions it calls */
	"UNION ALL SELECT 'v', ref.rel" TEXT ", fn.nspname" TEXT
	", fn.proname" TEXT NONE NONE NONE NONE " "
	"FROM ref JOIN fn ON fn.oid" EQ "ref.ref "
	"WHERE fn.vol AND ref.what" NE "'relid' "

	/* f: functions */
	"UNION ALL SELECT 'f', fn.oid" TEXT ", fn.pronamespace" TEXT
	", fn.proname" TEXT ", fn.pronargs" TEXT ", fn.pronargdefaults" TEXT
	", pg_catalog.concat("
	FLAG("fn.provariadic" NE "0", "a") ", "
	FLAG("fn.prosecdef", "d") ", "
	FLAG("fn.arg" AMONG(ROWLIKE) "OR (fn.oid" OURS
	     "AND EXISTS (SELECT FROM pg_catalog.pg_type t "
	     "WHERE t.oid" EQ "fn.arg AND t.typtype" AMONG("c,d") "))", "r")
	", CASE WHEN fn.vol THEN 'v' ELSE fn.provolatile END)"
	NONE " FROM fn "

	/* q: operators by name */
	"UNION ALL SELECT DISTINCT 'q', "
	"CASE WHEN o.oprkind" EQ "'l' THEN '1' ELSE '2' END"
	", o.oprnamespace" TEXT ", o.oprname" TEXT ", pg_catalog.concat("
	FLAG("fn.prosecdef", "d") ", "
	FLAG("o.oprnamespace" EQ "11 AND NOT o.oid" OURS, "b") ", "
	"CASE WHEN fn.vol THEN 'v' ELSE fn.provolatile END)"
	", CASE WHEN fn.vol THEN fn.nspname END" TEXT
	", CASE WHEN fn.vol THEN fn.proname END" TEXT NONE " "
	"FROM pg_catalog.pg_operator o "
	"JOIN fn ON fn.oid" EQ "o.oprcode::pg_catalog.oid "

	/* t: types */
	"UNION ALL SELECT 't', t.oid" TEXT ", t.typnamespace" TEXT
	", t.typname" TEXT ", CASE WHEN t.typcategory" EQ "'A' THEN 'a' "
	"ELSE t.typtype" TEXT " END, "
	"CASE WHEN t.typcategory" EQ "'A' THEN t.typelem "
	"ELSE t.typbasetype END" TEXT ", "
	FLAG("t.oid" OURS "AND EXISTS (SELECT FROM pg_catalog.pg_cast k "
	     "WHERE k.castfunc" OURS
	     "AND t.oid" EQ "ANY (ARRAY[k.castsource, k.casttarget]))", "c")
	NONE " FROM pg_catalog.pg_type t WHERE t.typtype" NE "'p' "
	"AND CASE WHEN t.oid" OURS "THEN t.typnamespace" EQ "ANY (ARRAY("
	"SELECT n.oid FROM pg_catalog.pg_namespace n "
	"WHERE n.nspname OPERATOR(pg_catalog.!~) '^pg_temp_')) "
	"ELSE t.typnamespace" EQ "11 AND t.typtype" NE "'c' END";
/* clang-format on */
