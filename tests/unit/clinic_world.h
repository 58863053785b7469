/* SPDX-License-Identifier: MIT
 *
 * clinic_world - a small schema and its rules, for tests that have no server.
 *
 *	visits    by clinic_id       id, clinic_id, n, note
 *	items     parent visits      visit_id, n
 *	patients  through members    id, name
 *	members   by clinic_id       patient_id, clinic_id
 *	codes     shared             a, id
 */
#ifndef CLINIC_WORLD_H
#define CLINIC_WORLD_H

#include <string.h>

#include "tenant.h"

#define CLINIC_COLUMN(name, type)                     \
	{                                             \
		name, "pg_catalog", type, false, true \
	}
#define CLINIC_TABLE(table, cols, keylist)                              \
	{                                                               \
		.schema = "clinic", .name = table, .kind = WORLD_TABLE, \
		.ncolumns = sizeof(cols) / sizeof(*(cols)),             \
		.nkeys = sizeof(keylist) / sizeof(*(keylist)),          \
		.columns = cols, .keys = keylist                        \
	}

static const struct world_column clinic_visits[] = {
	CLINIC_COLUMN("id", "uuid"), CLINIC_COLUMN("clinic_id", "uuid"),
	CLINIC_COLUMN("n", "int4"), CLINIC_COLUMN("note", "text")};
static const struct world_column clinic_items[] = {
	CLINIC_COLUMN("visit_id", "uuid"), CLINIC_COLUMN("n", "int4")};
static const struct world_column clinic_patients[] = {
	CLINIC_COLUMN("id", "uuid"), CLINIC_COLUMN("name", "text")};
static const struct world_column clinic_members[] = {
	CLINIC_COLUMN("patient_id", "uuid"),
	CLINIC_COLUMN("clinic_id", "uuid")};
static const struct world_column clinic_codes[] = {CLINIC_COLUMN("a", "int4"),
						   CLINIC_COLUMN("id", "int4")};

static const char *const clinic_id_key[] = {"id"};
static const char *const clinic_n_key[] = {"clinic_id", "n"};
static const struct world_key clinic_visit_keys[] = {
	{"visits_pkey", 1, clinic_id_key, true, false},
	{"visits_n", 2, clinic_n_key, false, false}};
static const struct world_key clinic_id_keys[] = {
	{"pkey", 1, clinic_id_key, true, false}};

static const struct world_table clinic_tables[] = {
	CLINIC_TABLE("visits", clinic_visits, clinic_visit_keys),
	CLINIC_TABLE("items", clinic_items, clinic_id_keys),
	CLINIC_TABLE("patients", clinic_patients, clinic_id_keys),
	CLINIC_TABLE("members", clinic_members, clinic_id_keys),
	CLINIC_TABLE("codes", clinic_codes, clinic_id_keys)};

static inline const struct world_table *
clinic_find(const void *arg, const char *schema, const char *name)
{
	for (size_t i = 0; i < sizeof(clinic_tables) / sizeof(*clinic_tables);
	     i++)
		if (strcmp(clinic_tables[i].name, name) == 0 &&
		    (schema == NULL ||
		     strcmp(clinic_tables[i].schema, schema) == 0))
			return &clinic_tables[i];
	return NULL;
}

static inline bool
clinic_function(const void *arg, const struct world_call *call,
		struct world_function *out)
{
	*out = (struct world_function){.builtin = true, .volatile_ = 'i'};
	return true;
}

static inline char
clinic_type(const void *arg, const char *schema, const char *name)
{
	return 'b';
}

static const struct world clinic_world = {NULL, clinic_find, clinic_function,
					  clinic_function, clinic_type};

static const struct tenant_pair clinic_item_on[] = {{"visit_id", "id"}};
static const struct tenant_pair clinic_member_on[] = {{"id", "patient_id"}};

static const struct tenant_table clinic_rule_list[] = {{.schema = "clinic",
							.name = "codes",
							.kind = TENANT_SHARED,
							.file = "isolation.lua",
							.line = 1},
						       {.schema = "clinic",
							.name = "items",
							.kind = TENANT_PARENT,
							.via_schema = "clinic",
							.via = "visits",
							.on = clinic_item_on,
							.non = 1,
							.file = "isolation.lua",
							.line = 2},
						       {.schema = "clinic",
							.name = "members",
							.kind = TENANT_BY,
							.column = "clinic_id",
							.file = "isolation.lua",
							.line = 3},
						       {.schema = "clinic",
							.name = "patients",
							.kind = TENANT_THROUGH,
							.column = "clinic_id",
							.via_schema = "clinic",
							.via = "members",
							.on = clinic_member_on,
							.non = 1,
							.file = "isolation.lua",
							.line = 4},
						       {.schema = "clinic",
							.name = "visits",
							.kind = TENANT_BY,
							.column = "clinic_id",
							.file = "isolation.lua",
							.line = 5}};

static const struct tenant_rules clinic_rules = {
	.type = TENANT_UUID, .ntables = 5, .tables = clinic_rule_list};

#endif
