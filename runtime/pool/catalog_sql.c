/* SPDX-License-Identifier: MIT
 *
 * The one query that loads a catalog.
 *
 * One statement, so that all of it is one picture of the schema.  Each row is
 * eight texts: what it tells of, an OID, and what that kind has to say (the
 * list is in catalog_load.c).  Every name is qualified, operators too: the
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
#define OURS " OPERATOR(pg_catalog.>=) 16384"
#define TEXT "::pg_catalog.text"
#define KIND(col, kinds) " " col EQ "ANY ('{" kinds "}') "
#define FLAG(cond, c) "CASE WHEN " cond " THEN '" c "' END"

const char catalog_load_sql[] =
	/* An aggregate says nothing itself: its parts do.  The two names are
	 * declared stable and assign a transaction id. */
	"WITH fn AS MATERIALIZED ("
	"SELECT p.oid, p.pronamespace, p.proname, p.pronargs, "
	"p.pronargdefaults, p.provariadic, n.nspname, "
	"p.provolatile" EQ "'v' OR g.agg IS NOT NULL "
	"OR (p.pronamespace" EQ "11 AND p.proname" EQ
	"ANY ('{txid_current,pg_current_xact_id}')) AS vol "
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
	"WHERE c.relkind" EQ "'v' AND r.ev_type" EQ "'1' AND c.oid" OURS " "
	"UNION ALL SELECT polrelid, polqual" TEXT " "
	"FROM pg_catalog.pg_policy WHERE" KIND(
		"polcmd",
		"r,*") "), "
		       "ref AS MATERIALIZED ("
		       "SELECT DISTINCT tree.rel, m.at[1] AS what, "
		       "m.at[2]::pg_catalog.oid AS ref "
		       "FROM tree, LATERAL pg_catalog.regexp_matches(tree.body, "
		       "':(funcid|opfuncid|aggfnoid|winfnoid|tsmhandler|relid) ([0-9]+)', "
		       "'g') AS m(at)) "
		       /* p: the search path */
		       "SELECT 'p', u.nr" TEXT ", u.name" TEXT
		       ", NULL, NULL, NULL, NULL, NULL "
		       "FROM ROWS FROM (pg_catalog.unnest(pg_catalog.current_schemas(true))) "
		       "WITH ORDINALITY AS u(name, nr) "
		       /* n: schemas */
		       "UNION ALL SELECT 'n', oid" TEXT ", nspname" TEXT
		       ", NULL, NULL, NULL, NULL, NULL "
		       "FROM pg_catalog.pg_namespace "
		       /* r: relations */
		       "UNION ALL SELECT 'r', c.oid" TEXT
		       ", c.relnamespace" TEXT ", c.relname" TEXT
		       ", c.relkind" TEXT ", "
		       "pg_catalog.concat(" FLAG("c.relpersistence" EQ "'u'", "u") ", " FLAG("c.relispartition", "p") ", " FLAG("c.relrowsecurity", "r") ", " FLAG("c.relforcerowsecurity", "f") ", " FLAG(
			       "c.relkind" EQ "'v' AND EXISTS (SELECT FROM "
			       "pg_catalog.unnest(c.reloptions) AS o(opt) WHERE o.opt "
			       "OPERATOR(pg_catalog.~*) '^security_invoker=(t|y|on|1)')",
			       "i") "), i.inhparent" TEXT
				    ", c.reltuples::pg_catalog.int8" TEXT " "
				    "FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_inherits i "
				    "ON i.inhrelid" EQ "c.oid AND i.inhseqno" EQ
				    "1 "
				    "WHERE" KIND(
					    "c.relkind",
					    "r,p,v,m,f,S") "AND c.relpersistence OPERATOR(pg_catalog.<>) 't' "
							   /* c: columns */
							   "UNION ALL SELECT 'c', a.attrelid" TEXT
							   ", a.attnum" TEXT
							   ", a.attname" TEXT
							   ", a.atttypid" TEXT
							   ", t.typname" TEXT
							   ", "
							   "pg_catalog.concat(" FLAG("a.attnotnull", "n") ", " FLAG("a.atthasdef", "d") ", " FLAG(
								   "a.attgenerated" EQ
								   "'s'",
								   "g") ", " FLAG("a.attidentity" EQ
										  "'a'",
										  "a") ", " FLAG("a.attidentity" EQ
												 "'d'",
												 "b") "), NULL "
												      "FROM pg_catalog.pg_attribute a "
												      "JOIN pg_catalog.pg_class c ON c.oid" EQ
												      "a.attrelid "
												      "JOIN pg_catalog.pg_type t ON t.oid" EQ
												      "a.atttypid "
												      "WHERE a.attrelid" OURS
												      " AND NOT a.attisdropped "
												      "AND a.attnum OPERATOR(pg_catalog.>) 0 "
												      "AND" KIND(
													      "c.relkind",
													      "r,p,v,m,f")
	/* k: primary keys and all else that is unique */
	"UNION ALL SELECT 'k', i.indrelid" TEXT
	", coalesce(k.conname, x.relname)" TEXT ", "
	"pg_catalog.concat(" FLAG("i.indisprimary", "p") ", " FLAG(
		"NOT i.indimmediate",
		"d") ", " FLAG("i.indpred IS NOT NULL",
			       "w") ", " FLAG("NOT i.indisvalid",
					      "v") "), i.indnkeyatts" TEXT
						   ", i.indkey" TEXT
						   ", NULL, NULL "
						   "FROM pg_catalog.pg_index i "
						   "JOIN pg_catalog.pg_class x ON x.oid" EQ
						   "i.indexrelid "
						   "JOIN pg_catalog.pg_class c ON c.oid" EQ
						   "i.indrelid "
						   "LEFT JOIN pg_catalog.pg_constraint k "
						   "ON k.conindid" EQ
						   "i.indexrelid AND" KIND(
							   "k.contype",
							   "p,u") "WHERE i.indisunique AND i.indrelid" OURS
								  " "
								  "AND" KIND(
									  "c.relkind",
									  "r,p,m")
	/* e: foreign keys */
	"UNION ALL SELECT 'e', conrelid" TEXT ", conname" TEXT
	", confdeltype" TEXT ", confrelid" TEXT ", conkey" TEXT ", confkey" TEXT
	", NULL "
	"FROM pg_catalog.pg_constraint WHERE contype" EQ "'f' "
	/* u: what a view or a policy reads */
	"UNION ALL SELECT 'u', rel" TEXT ", ref" TEXT
	", NULL, NULL, NULL, NULL, NULL "
	"FROM ref WHERE what" EQ "'relid' "
	"AND ref OPERATOR(pg_catalog.<>) rel "
	/* v: the volatile functions it calls */
	"UNION ALL SELECT 'v', ref.rel" TEXT ", fn.nspname" TEXT
	", fn.proname" TEXT ", NULL, NULL, NULL, NULL "
	"FROM ref JOIN fn ON fn.oid" EQ "ref.ref "
	"WHERE fn.vol AND ref.what OPERATOR(pg_catalog.<>) 'relid' "
	/* f: functions */
	"UNION ALL SELECT 'f', oid" TEXT ", pronamespace" TEXT ", proname" TEXT
	", pronargs" TEXT ", pronargdefaults" TEXT ", "
	"pg_catalog.concat(" FLAG(
		"provariadic OPERATOR(pg_catalog.<>) 0",
		"a") ", " FLAG("vol",
			       "v") "), NULL FROM fn "
				    /* o: operators whose function is volatile */
				    "UNION ALL SELECT 'o', o.oid" TEXT
				    ", o.oprname" TEXT ", fn.nspname" TEXT
				    ", fn.proname" TEXT ", NULL, NULL, NULL "
				    "FROM pg_catalog.pg_operator o "
				    "JOIN fn ON fn.oid" EQ
				    "o.oprcode::pg_catalog.oid WHERE fn.vol";
