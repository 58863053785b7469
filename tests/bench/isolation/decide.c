/* SPDX-License-Identifier: MIT
 *
 * What it costs to decide under access.lua, in the engine's own code: the rules
 * of policies/, as a nurse at her desk.  In turn: a chart's patient with masked
 * columns, a prescription, an appointment that is changed where she works.  One
 * operation is one table and action; nothing is memoised.
 */
#include "client.h"

#include "access.h"
#include "load.h"
#include "rules.h"
#include "texts.h"

enum { BATCH = 100 };

#define COLUMN(c)                                                      \
	{                                                              \
		.name = c, .type_schema = "pg_catalog", .type = "text" \
	}
#define LEN(list) (sizeof(list) / sizeof(*(list)))

static const struct world_column patients[] = {
	COLUMN("id"),	      COLUMN("first_name"), COLUMN("last_name"),
	COLUMN("prefix"),     COLUMN("suffix"),	    COLUMN("birth_date"),
	COLUMN("death_date"), COLUMN("gender"),	    COLUMN("address"),
	COLUMN("city"),	      COLUMN("state"),	    COLUMN("county"),
	COLUMN("zip"),	      COLUMN("ssn"),	    COLUMN("passport"),
	COLUMN("expenses")};
static const struct world_column prescriptions[] = {
	COLUMN("id"), COLUMN("clinic_id"), COLUMN("patient_id"),
	COLUMN("description"), COLUMN("dispenses")};
static const struct world_column appointments[] = {
	COLUMN("id"), COLUMN("clinic_id"), COLUMN("location_id"),
	COLUMN("status")};

#define TABLE(list)                                                       \
	{                                                                 \
		.schema = "public", .name = #list, .ncolumns = LEN(list), \
		.columns = list,                                          \
	}

static const struct world_table tables[] = {
	TABLE(patients), TABLE(prescriptions), TABLE(appointments)};
static const enum tenant_action actions[] = {TENANT_READ, TENANT_READ,
					     TENANT_UPDATE};
static const char *const status[] = {"status"};

static const char who[] =
	"{\"tenant\": \"0b5e0000-0000-4000-8000-000000000001\","
	" \"user\": \"u1\", \"roles\": [\"nurse\"], \"ip\": \"10.20.3.4\","
	" \"device\": \"d1\", \"locations\": [\"l1\", \"l2\"],"
	" \"clinic_tz\": \"Europe/Berlin\"}";

static struct client_hist hist;
static struct rules *rules;
static struct context *context;

static void
must(int rc, const struct err *e)
{
	if (rc < 0)
		errx(1, "%s", e->text);
}

static void
load(void)
{
	struct load_ask ask = {.schema = "public", .base = rules_new()};
	struct err e;

	must(texts_read(&ask.texts, client_ask("BENCH_FOLDER"), &e), &e);
	must(load_rules(&ask, &rules, &e), &e);
	must(context_new(who, strlen(who), &context, &e), &e);
}

static void
decide(unsigned i)
{
	struct expr_fact facts[EXPR_FACTS];
	uint64_t held[EXPR_ROLES / 64];
	struct expr_ask ask = {.ctx = context,
			       .facts = facts,
			       .nfacts = expr_facts(context, facts),
			       .now_s = 1781517600, /* a Monday, noon */
			       .held = held,
			       .zones = rules->zones,
			       .row.table = &tables[i]};
	const struct access_ask of = {.rules = rules->access,
				      .who = &ask,
				      .action = actions[i],
				      .ncolumns = actions[i] == TENANT_UPDATE,
				      .columns = status};
	struct access_verdict v;
	struct arena a;

	arena_init(&a, NULL, 0);
	access_held(rules->access, context, held);
	access_decide(&of, &a, &v);
	if (!v.allowed || (i == 2) != (v.limit.nparts > 0))
		errx(1, "%s was decided otherwise", tables[i].name);
	arena_fini(&a);
}

int
main(void)
{
	double seconds = client_ask_number("BENCH_SECONDS"), us = 0;
	double end;
	uint64_t n = 0;

	load();
	for (end = client_now_us() + seconds * 1e6; client_now_us() < end;) {
		double began = client_now_us(), took;

		for (int i = 0; i < BATCH; i++, n++)
			decide((unsigned)n % LEN(tables));
		took = client_now_us() - began;
		client_hist_add(&hist, took / BATCH);
		us += took;
	}
	printf("{\"ops\":%llu,\"seconds\":%.6f,\"cpu_us\":%.2f,"
	       "\"peak_kb\":%ld,\"p50_us\":%.3f,\"p99_us\":%.3f}\n",
	       (unsigned long long)n, us / 1e6, us, client_peak_kb(),
	       client_hist_at(&hist, 0.5), client_hist_at(&hist, 0.99));
	return 0;
}
