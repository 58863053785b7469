/* SPDX-License-Identifier: MIT
 *
 * vet_world - a hand-made world with one relation, function, operator and type
 * of every kind that the gate tells apart.
 *
 *	by clinic_id  patients appts wards beds rx rings loose kids chains
 *	              renumbered nulled logged members v_ruled
 *	parent        rx_items, of rx
 *	through       people, by members
 *	shared        icd
 *	no rule       appts_2024 mv v_super log numbers, and the catalogs
 *
 *	EXPECT(lines);	// each line's statement gets the word it wants
 *
 * Include after cmocka.h.
 */
#ifndef VET_WORLD_H
#define VET_WORLD_H

#include <string.h>

#include "refusal.h"
#include "tenant.h"
#include "tree.h"
#include "vet.h"

#define COUNT(list) (sizeof(list) / sizeof(*(list)))

static const char *const vw_id[] = {"id"}, *const vw_code[] = {"code"},
			 *const vw_up[] = {"up"},
			 *const vw_both[] = {"clinic_id", "id"},
			 *const vw_both_up[] = {"clinic_id", "up"};

/* A foreign key of `table` by one column, and by the tenant's and another. */
#define LOOSE(table, del, upd)                          \
	{                                               \
		"app", table, 1, vw_up, vw_id, del, upd \
	}
#define TIGHT(table, del, upd)                                 \
	{                                                      \
		"app", table, 2, vw_both_up, vw_both, del, upd \
	}

static const struct world_ref vw_patients[] = {LOOSE("appts", 'a', 'a'),
					       LOOSE("wards", 'r', 'r')};
static const struct world_ref vw_wards[] = {TIGHT("beds", 'c', 'c')};
static const struct world_ref vw_rx[] = {LOOSE("rx_items", 'c', 'a')};
static const struct world_ref vw_people[] = {LOOSE("members", 'c', 'a')};
static const struct world_ref vw_rings[] = {TIGHT("rings", 'c', 'a')};
static const struct world_ref vw_loose[] = {LOOSE("kids", 'c', 'a')};
static const struct world_ref vw_nulled[] = {LOOSE("kids", 'n', 'a')};
static const struct world_ref vw_chains[] = {TIGHT("loose", 'c', 'a')};
static const struct world_ref vw_deep[] = {TIGHT("rx", 'c', 'a')};
static const struct world_ref vw_logged[] = {LOOSE("log", 'd', 'a')};
static const struct world_ref vw_renumbered[] = {
	{"app", "kids", 1, vw_up, vw_code, 'a', 'c'}};

#define TABLE(n)                           \
	{                                  \
		.schema = "app", .name = n \
	}
#define KIND(n, k)                                    \
	{                                             \
		.schema = "app", .name = n, .kind = k \
	}
#define REFERRED(n, list)                                                      \
	{                                                                      \
		.schema = "app", .name = n, .nrefs = COUNT(list), .refs = list \
	}

static const struct world_table vw_tables[] = {
	REFERRED("patients", vw_patients),
	TABLE("appts"),
	REFERRED("wards", vw_wards),
	TABLE("beds"),
	REFERRED("rx", vw_rx),
	TABLE("rx_items"),
	REFERRED("people", vw_people),
	TABLE("members"),
	REFERRED("rings", vw_rings),
	REFERRED("loose", vw_loose),
	REFERRED("nulled", vw_nulled),
	REFERRED("chains", vw_chains),
	REFERRED("deep", vw_deep),
	REFERRED("logged", vw_logged),
	REFERRED("renumbered", vw_renumbered),
	TABLE("kids"),
	TABLE("icd"),
	TABLE("log"),
	KIND("v_ruled", WORLD_VIEW),
	KIND("v_super", WORLD_VIEW),
	KIND("mv", WORLD_MATVIEW),
	KIND("numbers", WORLD_SEQUENCE),
	{.schema = "app", .name = "appts_2024", .is_partition = true},
	{.schema = "pg_catalog", .name = "pg_class"},
	{.schema = "pg_catalog", .name = "pg_stats", .kind = WORLD_VIEW},
	{.schema = "information_schema", .name = "tables", .kind = WORLD_VIEW},
};

static const struct tenant_pair vw_pair[] = {{"up", "id"}};
static const struct tenant_pair vw_member[] = {{"id", "up"}};

#define BY(n)                                                             \
	{                                                                 \
		.schema = "app", .name = n, .kind = TENANT_BY,            \
		.column = "clinic_id", .file = "isolation.lua", .line = 1 \
	}

static const struct tenant_table vw_rules[] = {
	BY("appts"),
	BY("beds"),
	BY("chains"),
	BY("deep"),
	{.schema = "app", .name = "icd", .kind = TENANT_SHARED},
	BY("kids"),
	BY("logged"),
	BY("loose"),
	BY("members"),
	BY("nulled"),
	BY("patients"),
	{.schema = "app",
	 .name = "people",
	 .kind = TENANT_THROUGH,
	 .column = "clinic_id",
	 .via_schema = "app",
	 .via = "members",
	 .on = vw_member,
	 .non = 1},
	BY("renumbered"),
	BY("rings"),
	BY("rx"),
	{.schema = "app",
	 .name = "rx_items",
	 .kind = TENANT_PARENT,
	 .via_schema = "app",
	 .via = "rx",
	 .on = vw_pair,
	 .non = 1},
	BY("v_ruled"),
	BY("wards"),
};

/* arg of the world: an operator or function of PostgreSQL's that a user has
 * one of, too; or NULL. */
static inline bool
vw_is(const void *arg, const char *name)
{
	return arg != NULL && strcmp(arg, name) == 0;
}

static inline const struct world_table *
vw_table(const void *arg, const char *schema, const char *name)
{
	for (size_t i = 0; i < COUNT(vw_tables); i++)
		if (strcmp(vw_tables[i].name, name) == 0 &&
		    (schema == NULL ? strcmp(vw_tables[i].schema,
					     "information_schema") != 0
				    : strcmp(vw_tables[i].schema, schema) == 0))
			return &vw_tables[i];
	return NULL;
}

/* PostgreSQL's own, of any number of arguments; and app.f_definer(),
 * app.calm(int), app.whole(row), evil.calm(int). */
static inline bool
vw_function(const void *arg, const struct world_call *call,
	    struct world_function *out)
{
	static const char *const own[] = {
		"bernoulli",	 "system",
		"set_config",	 "nextval",
		"pg_sleep",	 "query_to_xml",
		"lo_get",	 "current_setting",
		"parse_ident",	 "pg_notify",
		"version",	 "txid_current",
		"to_regclass",	 "table_to_xml",
		"pg_read_file",	 "ts_rewrite",
		"ts_stat",	 "pg_advisory_lock",
		"schema_to_xml", "pg_terminate_backend"};
	static const char *const users[] = {"f_definer", "calm", "whole"};
	bool in_app = call->schema == NULL || strcmp(call->schema, "app") == 0;

	*out = (struct world_function){.one_schema = true, .schema = "app"};
	for (size_t i = 0; i < COUNT(users) && in_app; i++)
		if (strcmp(users[i], call->name) == 0) {
			out->takes_row = i == 2;
			return true;
		}
	if (call->schema != NULL && strcmp(call->schema, "evil") == 0) {
		out->schema = "evil";
		return strcmp(call->name, "calm") == 0;
	}
	out->builtin = true;
	out->schema = "pg_catalog";
	if (vw_is(arg, call->name) && call->schema == NULL)
		out->builtin = out->one_schema = false;
	for (size_t i = 0; i < COUNT(own); i++)
		if (strcmp(own[i], call->name) == 0)
			return true;
	return vet_function_is_standard(call->name);
}

/* Whatever begins as PostgreSQL's do; === is app's, ==== nobody's. */
static inline bool
vw_operator(const void *arg, const struct world_call *call,
	    struct world_function *out)
{
	bool of_app = strcmp(call->name, "===") == 0;

	*out = (struct world_function){.one_schema = true};
	if (strcmp(call->name, "====") == 0)
		return false;
	out->builtin = !of_app && (call->schema == NULL ||
				   strcmp(call->schema, "pg_catalog") == 0);
	out->schema = of_app	     ? "app"
		      : out->builtin ? "pg_catalog"
				     : call->schema;
	if (vw_is(arg, call->name))
		out->builtin = out->one_schema = false;
	return true;
}

static inline char
vw_type(const void *arg, const char *schema, const char *name)
{
	static const char *const own[] = {
		"int4",	   "text",    "uuid",	 "regclass", "_regproc",
		"aclitem", "numeric", "date",	 "xid",	     "interval",
		"_text",   "bool",    "varchar", "pg_lsn",   "oid"};
	static const char *const users[] = {"mood e", "email d", "pair c",
					    "citext o", "patients c"};
	size_t len = strlen(name);

	for (size_t i = 0; i < COUNT(own); i++)
		if (strcmp(own[i], name) == 0)
			return 'b';
	for (size_t i = 0; i < COUNT(users); i++)
		if (strncmp(users[i], name, len) == 0 && users[i][len] == ' ')
			return users[i][len + 1];
	return 0;
}

/* ---- the gate in it -------------------------------------------------- */

UNUSED static const char *const added[] = {"app.calm", "public.hash_of",
					   "whole",    "current_user",
					   "citext",   "app.==="};
UNUSED static const char *const removed[] = {"random", "pg_catalog.md5"};

static const struct tenant_rules plain = {
	.type = TENANT_UUID, .ntables = COUNT(vw_rules), .tables = vw_rules};

UNUSED static const struct tenant_rules widened = {.type = TENANT_UUID,
						   .ntables = COUNT(vw_rules),
						   .tables = vw_rules,
						   .added = added,
						   .nadded = COUNT(added),
						   .removed = removed,
						   .nremoved = COUNT(removed)};

/* The word of the refusal; "" when it passes. */
UNUSED static const char *
gate(const struct tenant_rules *rules, const char *shadow, const char *sql)
{
	struct world world = {shadow, vw_table, vw_function, vw_operator,
			      vw_type};
	struct vet_ask ask = {.rules = rules, .world = &world};
	struct tree *tree = NULL;
	const char *word = "";
	struct err e;

	if (tree_parse(sql, strlen(sql), &tree, &e) < 0)
		fail_msg("%s: %s", sql, e.text);
	ask.tree = tree;
	if (vet_statement(&ask, &e) < 0) {
		assert_int_equal(e.code, LUNATE_EDENIED);
		word = refusal_word(refusal_of(&e));
	}
	tree_free(&tree);
	return word;
}

UNUSED static void
expect(const char *sql, const char *want)
{
	const char *got = gate(&plain, NULL, sql);

	if (strcmp(got, want) != 0)
		fail_msg("%s\n  is \"%s\", not \"%s\"", sql, got, want);
}

struct line {
	const char *sql, *want;
};

UNUSED static void
expect_all(const struct line *lines, size_t n)
{
	for (size_t i = 0; i < n; i++)
		expect(lines[i].sql, lines[i].want);
}
#define EXPECT(lines) expect_all(lines, COUNT(lines))

#endif
