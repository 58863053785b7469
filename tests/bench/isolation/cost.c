/* SPDX-License-Identifier: MIT
 *
 * What it costs to scope a statement, in the engine's own code: gate, rewrite
 * and check of the point read, for a text that is new (cold) or known
 * (memoised).  The facts of the text are there before: they are paid for
 * without isolation, too.
 */
#include "client.h"

#include "budget.h"
#include "crew.h"
#include "load.h"
#include "pgurl.h"
#include "pool.h"
#include "rules.h"
#include "scope.h"
#include "texts.h"

enum { BATCH = 200 };

static struct client_hist hist;
static struct scope *scope;
static struct scope_ask ask;
static struct context *context;

static void
must(int rc, const struct err *e)
{
	if (rc < 0)
		errx(1, "%s", e->text);
}

/* ---- a live catalog ------------------------------------------------------ */

static void
arrived(void *arg)
{
	*(bool *)arg = true;
}

static struct catalog *
catalog_of(struct loop *loop, const struct pgurl *url)
{
	static struct pool_target target;
	static struct pool_budget budget;
	static struct catalog_epoch epoch;
	static const struct pool_rules rules = {
		.max = 1,
		.max_logins = 1,
		.group_size = 8,
		.prepared_max = 8,
		.connect_us = 20000000,
		.acquire_us = 20000000,
		.idle_us = INT64_MAX,
		.validate_us = INT64_MAX,
		.leak_us = INT64_MAX / 4,
		.queue_max = 100,
		.age_ms = 1000,
		.timeout_ms = {30000, 30000, 30000}};
	struct pool_base base = {.loop = loop,
				 .crew = crew_new(1),
				 .target = &target,
				 .budget = &budget};

	target = (struct pool_target){
		.url = url, .name = "bench", .schema = "public"};
	budget_init(&budget, 1);
	return catalog_new(loop, pool_new(&base, &rules), &epoch);
}

static struct catalog_snapshot *
snapshot(void)
{
	static struct pgurl *url;
	struct loop *loop = loop_new();
	struct catalog *c;
	struct catalog_wait w;
	bool done = false;
	struct err e;

	must(pgurl_new(&url, "url", client_ask("BENCH_URL"), &e), &e);
	c = catalog_of(loop, url);
	catalog_wait_init(&w);
	catalog_wait(c, &w, arrived, &done);
	while (!done)
		loop_turn(loop, 1.0);
	if (!catalog_loaded(c))
		errx(1, "%s", catalog_err(c)->text);
	return catalog_current(c);
}

/* ---- what is measured ---------------------------------------------------- */

static struct rules *
rules_of_folder(void)
{
	struct rules *rules, *base = rules_new();
	struct load_ask load = {.schema = "public", .base = base};
	struct err e;

	must(texts_read(&load.texts, client_ask("BENCH_FOLDER"), &e), &e);
	must(load_rules(&load, &rules, &e), &e);
	return rules;
}

static struct stmt *
point(uint64_t n)
{
	char text[100];
	struct stmt *s;
	struct err e;
	int len;

	len = snprintf(text, sizeof(text),
		       "SELECT balance FROM visits WHERE id = $1 -- %llu",
		       (unsigned long long)n);
	must(stmt_get(text, (size_t)len, &s, &e), &e);
	return s;
}

static void
scope_one(struct stmt *s)
{
	struct scoped *got;
	struct err e;

	ask.stmt = s;
	got = scope_get(scope, &ask);
	must(got->err.code, &got->err);
	must(scope_allows(got, ask.rules->tables, context, &e), &e);
	if (got->tenant_param != 2)
		errx(1, "it was not scoped");
}

/* One operation is one text; what comes before is not measured. */
static double
cold(uint64_t n)
{
	struct stmt *s = point(n);
	double began = client_now_us(), took;

	scope_one(s);
	took = client_now_us() - began;
	stmt_unpin(&s);
	return took;
}

static double
memoised(uint64_t n)
{
	static struct stmt *s;
	double began;

	(void)n;
	if (s == NULL)
		s = point(0);
	began = client_now_us();
	for (int i = 0; i < BATCH; i++)
		scope_one(s);
	return (client_now_us() - began) / BATCH;
}

/* Only the time of operations counts, as CPU time too: nothing here waits. */
static void
answer(uint64_t ops, double us)
{
	printf("{\"ops\":%llu,\"seconds\":%.6f,\"cpu_us\":%.2f,"
	       "\"peak_kb\":%ld,\"p50_us\":%.3f,\"p99_us\":%.3f}\n",
	       (unsigned long long)ops, us / 1e6, us, client_peak_kb(),
	       client_hist_at(&hist, 0.5), client_hist_at(&hist, 0.99));
}

static void
measure(double (*one)(uint64_t n), double seconds)
{
	double end = client_now_us() + seconds * 1e6, us = 0;
	uint64_t n = 0;

	for (; client_now_us() < end; n++) {
		double took = one(n);

		client_hist_add(&hist, took);
		us += took;
	}
	answer(n, us);
}

int
main(void)
{
	static const char who[] = "{\"tenant\":"
				  "\"0b5e0000-0000-4000-8000-000000000001\"}";
	bool is_cold = strcmp(client_ask("BENCH_WORKLOAD"), "cold") == 0;
	struct rules *rules = rules_of_folder();
	struct err e;

	must(context_new(who, strlen(who), &context, &e), &e);
	ask = (struct scope_ask){.rules = &rules->isolation,
				 .epoch = rules->decision_epoch,
				 .snapshot = snapshot(),
				 .shape = TENANT_ONE};
	scope = scope_new();
	measure(is_cold ? cold : memoised, client_ask_number("BENCH_SECONDS"));
	return 0;
}
