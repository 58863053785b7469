/* SPDX-License-Identifier: MIT
 *
 * A small world, all of it: who asks (roles, clinic, location, hours, address,
 * device), each action on each table, each row.  What access.lua makes of each
 * request is what a model says that is written here a second time, as one
 * would say it aloud, and shares nothing with what it is held against.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "access.h"
#include "folders.h"

#define LEN(list) (sizeof(list) / sizeof(*(list)))

static const char *const isolation = "tenant { type = 'text' }\n"
				     "rows 'patients' { by = 'clinic' }\n"
				     "rows 'visits' { by = 'clinic' }\n"
				     "rows 'bills' { by = 'clinic' }\n";

static const char *const policy =
	"role 'staff' {}\n"
	"role 'nurse' { is = 'staff' }\n"
	"role 'doctor' { is = 'staff' }\n"
	"role 'chief' { is = 'doctor' }\n"
	"local office = hours('Mon-Fri 08:00-18:00', 'UTC')\n"
	"local inside = ip('10.0.0.0/8', '2001:db8::/32')\n"
	"permit 'staff read visits where they work' {\n"
	"  role = 'staff', action = 'read', on = 'visits',\n"
	"  when = row.location:one_of(ctx.locations) }\n"
	"permit 'nurses write visits here and now' {\n"
	"  role = 'nurse', action = { 'read', 'update', 'delete' },\n"
	"  on = 'visits',\n"
	"  when = all { office, inside, row.location:eq(ctx.location) } }\n"
	"permit 'doctors of the clinic' {\n"
	"  role = 'doctor', action = { 'read', 'update', 'delete' },\n"
	"  on = { 'patients', 'visits' },\n"
	"  when = row.clinic:one_of(ctx.clinics) }\n"
	"permit 'doctors begin visits' {\n"
	"  role = 'doctor', action = 'insert', on = 'visits',\n"
	"  columns = { 'clinic', 'location' } }\n"
	"permit 'nurses see who it is' {\n"
	"  role = 'nurse', action = 'read', on = 'patients',\n"
	"  columns = { 'clinic', 'location' } }\n"
	"permit 'bills at the till' {\n"
	"  action = { 'read', 'insert' }, on = 'bills',\n"
	"  when = any { has_role 'doctor', ctx.device:eq('till'), inside } }\n"
	"forbid 'closed stays closed' {\n"
	"  action = { 'read', 'update', 'delete' }, on = 'patients',\n"
	"  when = row.flag:eq(true), unless = has_role 'doctor' }\n"
	"forbid 'notes are for doctors' {\n"
	"  role = 'nurse', action = { 'read', 'update', 'delete' },\n"
	"  on = 'visits', columns = 'note', unless = row.flag:eq(true) }\n"
	"forbid 'a device nobody knows' {\n"
	"  action = 'any', on = 'any', unless = ctx.device:known() }\n"
	"forbid 'no writing at night from outside' {\n"
	"  action = { 'insert', 'update', 'delete' }, on = 'any',\n"
	"  unless = any { office, inside } }\n";

/* ---- the world ----------------------------------------------------------- */

static const char *const roles[] = {"", "staff", "nurse", "doctor", "chief"};
static const char *const clinics[] = {"A", "B"};
static const char *const places[] = {"L1", "L2"};
static const char *const clocks[] = {"day", "night", "no clock"};
static const char *const addresses[] = {"10.1.2.3",    "192.0.2.1",
					"2001:db8::7", "::ffff:10.9.9.9",
					"10.1.2",      NULL};
static const char *const devices[] = {"till", "pad", NULL};
static const char *const tables[] = {"patients", "visits", "bills"};
static const char *const actions[] = {"read", "insert", "update", "delete"};
static const char *const flags[] = {"t", "f", NULL};
static const char *const locations[] = {"L1", "L2", NULL};

#define COLUMNS 4

static const char *const columns[COLUMNS] = {"clinic", "location", "flag",
					     "note"};

/* What is written, or "*" for a read and a delete. */
static const char *const written[] = {"clinic", "location", "note",
				      "clinic location", "location note"};

struct request {
	const char *role, *clinic, *place, *clock, *address, *device;
	const char *action, *table, *written;
	const char *row[COLUMNS];
};

/* What may be had: not at all, or these cells. */
struct had {
	bool allowed, cell[COLUMNS];
};

/* ---- the model ----------------------------------------------------------- */

/* 'y', 'n', and '?' where nobody knows. */
static char
not_(char a)
{
	return a == 'y' ? 'n' : a == 'n' ? 'y' : '?';
}

static char
and_(char a, char b)
{
	if (a == 'n' || b == 'n')
		return 'n';
	return a == 'y' && b == 'y' ? 'y' : '?';
}

static char
or_(char a, char b)
{
	return not_(and_(not_(a), not_(b)));
}

static char
same(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return '?';
	return strcmp(a, b) == 0 ? 'y' : 'n';
}

static bool
one(const char *word, const char *list)
{
	return strstr(list, word) != NULL;
}

static char
is_office(const struct request *q)
{
	return strcmp(q->clock, "day") == 0	? 'y'
	       : strcmp(q->clock, "night") == 0 ? 'n'
						: '?';
}

static bool
bad_address(const struct request *q)
{
	return q->address != NULL && strcmp(q->address, "10.1.2") == 0;
}

static char
is_inside(const struct request *q)
{
	if (q->address == NULL || bad_address(q))
		return '?';
	return strcmp(q->address, "192.0.2.1") == 0 ? 'n' : 'y';
}

static bool
is_staff(const struct request *q)
{
	return q->role[0] != 0;
}

static bool
is_doctor(const struct request *q)
{
	return strcmp(q->role, "doctor") == 0 || strcmp(q->role, "chief") == 0;
}

static bool
is_nurse(const struct request *q)
{
	return strcmp(q->role, "nurse") == 0;
}

static bool
is_on(const struct request *q, const char *table, const char *those)
{
	return strcmp(q->table, table) == 0 && one(q->action, those);
}

/* Everybody works at L1, and doctors at L2 as well. */
static char
works_there(const struct request *q, const char *place)
{
	if (place == NULL)
		return '?';
	return strcmp(place, "L1") == 0 || is_doctor(q) ? 'y' : 'n';
}

/* Does some permit cover the cell of that column, or (NULL) the row? */
static bool
model_permits(const struct request *q, const char *column)
{
	const char *clinic = q->row[0], *place = q->row[1];
	bool named = column == NULL || one(column, "clinic location");

	if (is_staff(q) && is_on(q, "visits", "read") &&
	    works_there(q, place) == 'y')
		return true;
	if (is_nurse(q) && is_on(q, "visits", "read update delete") &&
	    !bad_address(q) &&
	    and_(and_(is_office(q), is_inside(q)), same(place, q->place)) ==
		    'y')
		return true;
	if (is_doctor(q) &&
	    (is_on(q, "patients", "read update delete") ||
	     is_on(q, "visits", "read update delete")) &&
	    same(clinic, q->clinic) == 'y')
		return true;
	if (is_doctor(q) && is_on(q, "visits", "insert") && named)
		return true;
	if (is_nurse(q) && is_on(q, "patients", "read") && named)
		return true;
	return is_on(q, "bills", "read insert") && !bad_address(q) &&
	       (is_doctor(q) || same(q->device, "till") == 'y' ||
		is_inside(q) == 'y');
}

/* Does some forbid cover it?  Whatever is not a clear no forbids. */
static bool
model_forbids(const struct request *q, const char *column)
{
	const char *flag = q->row[2];
	bool note = column != NULL && strcmp(column, "note") == 0;

	if (is_on(q, "patients", "read update delete") &&
	    and_(same(flag, "t"), not_(is_doctor(q) ? 'y' : 'n')) != 'n')
		return true;
	if (is_nurse(q) && is_on(q, "visits", "read update delete") &&
	    (note || strcmp(q->action, "delete") == 0) &&
	    not_(same(flag, "t")) != 'n')
		return true;
	if (q->device == NULL)
		return true;
	if (one(q->action, "insert update delete") &&
	    (bad_address(q) || not_(or_(is_office(q), is_inside(q))) != 'n'))
		return true;
	return false;
}

static struct had
model(const struct request *q)
{
	struct had h = {.allowed = model_permits(q, NULL) &&
				   !model_forbids(q, NULL)};

	for (int c = 0; c < COLUMNS; c++) {
		h.cell[c] = model_permits(q, columns[c]) &&
			    !model_forbids(q, columns[c]);
		if (q->written != NULL && one(columns[c], q->written) &&
		    !h.cell[c])
			h.allowed = false;
	}
	return h;
}

/* ---- what is held against it --------------------------------------------- */

static struct rules *rules;

static const struct world_column world_columns[COLUMNS] = {
	{.name = "clinic", .type_schema = "pg_catalog", .type = "text"},
	{.name = "location", .type_schema = "pg_catalog", .type = "text"},
	{.name = "flag", .type_schema = "pg_catalog", .type = "bool"},
	{.name = "note", .type_schema = "pg_catalog", .type = "text"}};

/* 2026-06-15 was a Monday. */
static int64_t
second_of(const char *clock)
{
	if (strcmp(clock, "day") == 0)
		return 1781517600;			/* 10:00 */
	return strcmp(clock, "night") == 0 ? 1781557200 /* 21:00 */
					   : EXPR_NO_CLOCK;
}

static enum tenant_action
action_of(const char *word)
{
	return strcmp(word, "read") == 0     ? TENANT_READ
	       : strcmp(word, "insert") == 0 ? TENANT_INSERT
	       : strcmp(word, "update") == 0 ? TENANT_UPDATE
					     : TENANT_DELETE;
}

/* Everything that a question points to. */
struct question {
	struct context_tenant tenant;
	struct context context;
	struct expr_fact facts[1];
	uint64_t held[EXPR_ROLES / 64];
	struct world_table table;
	struct expr_ask who;
	const char *columns[COLUMNS];
	struct access_ask ask;
};

static void
ask_of(const struct request *q, struct question *out)
{
	struct context *c = &out->context;

	*out = (struct question){.tenant = {q->clinic, strlen(q->clinic)}};
	*c = (struct context){.magic = CONTEXT_MAGIC,
			      .ntenants = 1,
			      .tenants = &out->tenant,
			      .location = q->place,
			      .ip = q->address,
			      .device = q->device,
			      .nroles = q->role[0] != 0,
			      .roles = &q->role};
	out->facts[0] = (struct expr_fact){EXPR_ATTR_LOCATIONS,
					   is_doctor(q) ? 2 : 1, places};
	access_held(rules->access, c, out->held);
	out->table = (struct world_table){.schema = "clinic",
					  .name = q->table,
					  .ncolumns = COLUMNS,
					  .columns = world_columns};
	out->who = (struct expr_ask){.ctx = c,
				     .facts = out->facts,
				     .nfacts = 1,
				     .now_s = second_of(q->clock),
				     .held = out->held,
				     .zones = rules->zones,
				     .row = {NULL, &out->table, q->row}};
	out->ask = (struct access_ask){.rules = rules->access,
				       .who = &out->who,
				       .action = action_of(q->action),
				       .columns = out->columns};
	for (int i = 0; i < COLUMNS && q->written != NULL; i++)
		if (one(columns[i], q->written))
			out->columns[out->ask.ncolumns++] = columns[i];
}

enum sight { SEEN, BY_ROW, HIDDEN };

static enum sight
sight_of(const struct access_verdict *v, const char *column)
{
	for (unsigned i = 0; i < v->limit.nmasks; i++)
		if (strcmp(v->limit.masks[i].column, column) == 0)
			return v->limit.masks[i].nparts > 0 ? BY_ROW : HIDDEN;
	return SEEN;
}

static unsigned requests, allowed, masks;

static void
differ(const struct request *q, const char *what)
{
	fail_msg("%s %s of %s, %s %s %s %s %s, row %s %s: %s", q->role,
		 q->action, q->table, q->clinic, q->place, q->clock,
		 q->address != NULL ? q->address : "-",
		 q->device != NULL ? q->device : "-", q->row[1], q->row[2],
		 what);
}

/* Without the row: what is settled then is so for the row. */
static void
compare_any(const struct request *q, const struct had *want,
	    const struct access_verdict *v)
{
	if (want->allowed ? !v->allowed : v->allowed && v->limit.nparts == 0)
		differ(q, "settled otherwise without the row");
	for (int c = 0; c < COLUMNS && want->allowed; c++) {
		enum sight s = sight_of(v, columns[c]);

		if (q->written == NULL && s != BY_ROW &&
		    want->cell[c] != (s == SEEN))
			differ(q, "a mask otherwise without the row");
	}
}

static void
compare_row(const struct request *q, const struct had *want,
	    const struct access_verdict *v)
{
	if (v->allowed != want->allowed)
		differ(q, v->allowed ? "allowed" : "denied");
	for (int c = 0; c < COLUMNS && v->allowed; c++) {
		if (strcmp(q->action, "read") != 0)
			continue;
		if (want->cell[c] != (sight_of(v, columns[c]) == SEEN))
			differ(q, columns[c]);
		masks += !want->cell[c];
	}
}

/* What is settled without the row is asked once for all rows. */
static void
compare(const struct request *q, const struct access_verdict *any)
{
	static char room[16384];
	struct had want = model(q);
	struct access_verdict v;
	struct question of;
	struct arena a;

	arena_init(&a, room, sizeof(room));
	ask_of(q, &of);
	access_decide_row(&of.ask, &a, &v);
	compare_row(q, &want, &v);
	requests++;
	allowed += v.allowed;
	if (strcmp(q->action, "delete") == 0)
		memset(want.cell, true, sizeof(want.cell));
	compare_any(q, &want, any);
	arena_fini(&a);
}

/* ---- all of it ----------------------------------------------------------- */

static void
each_row(struct request q)
{
	struct access_verdict any;
	struct question of;
	struct arena a;

	arena_init(&a, NULL, 0);
	ask_of(&q, &of);
	access_decide(&of.ask, &a, &any);
	for (size_t c = 0; c < LEN(clinics); c++)
		for (size_t l = 0; l < LEN(locations); l++)
			for (size_t f = 0; f < LEN(flags); f++) {
				q.row[0] = clinics[c];
				q.row[1] = locations[l];
				q.row[2] = flags[f];
				q.row[3] = "n";
				compare(&q, &any);
			}
	arena_fini(&a);
}

static void
each_action(struct request q)
{
	for (size_t t = 0; t < LEN(tables); t++)
		for (size_t a = 0; a < LEN(actions); a++) {
			bool writes = one(actions[a], "insert update");
			size_t n = writes ? LEN(written) : 1;

			q.table = tables[t];
			q.action = actions[a];
			for (size_t w = 0; w < n; w++) {
				q.written = writes ? written[w] : NULL;
				each_row(q);
			}
		}
}

static void
each_place(struct request q)
{
	for (size_t l = 0; l < LEN(places); l++)
		for (size_t h = 0; h < LEN(clocks); h++)
			for (size_t i = 0; i < LEN(addresses); i++)
				for (size_t d = 0; d < LEN(devices); d++) {
					q.place = places[l];
					q.clock = clocks[h];
					q.address = addresses[i];
					q.device = devices[d];
					each_action(q);
				}
}

static void
every_request_of_a_small_world_is_decided_as_the_model_says(void **state)
{
	for (size_t r = 0; r < LEN(roles); r++)
		for (size_t c = 0; c < LEN(clinics); c++)
			each_place((struct request){.role = roles[r],
						    .clinic = clinics[c]});
	print_message("%u requests, %u allowed, %u cells masked\n", requests,
		      allowed, masks);
	assert_true(requests >= 10000);
	assert_true(allowed > requests / 50 && masks > requests / 500);
}

static int
setup(void **state)
{
	int rc = folders_begin(state);

	rules = folders_rules(isolation, policy);
	return rc;
}

static int
teardown(void **state)
{
	rules_unpin(&rules);
	return folders_end(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			every_request_of_a_small_world_is_decided_as_the_model_says),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, setup, teardown);
}
