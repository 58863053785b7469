/* SPDX-License-Identifier: MIT
 *
 * Decisions on a real schema: what is found again, and what never is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "ops.h"
#include "permit.h"
#include "refusal.h"

static char folder[64];

static void
save(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void
open_with(const char *access)
{
	char url[200];
	struct config c;
	struct err e;

	strcpy(folder, "/tmp/lunate-permit-XXXXXX");
	assert_non_null(mkdtemp(folder));
	save("isolation.lua", "tenant { type = 'int4' }\n"
			      "database { mode = 'rewrite' }\n"
			      "rows 'notes' { by = 'clinic' }\n");
	save("access.lua", access);
	alarm(100);
	snprintf(url, sizeof(url),
		 "postgresql:///lunate_test?host=%s&port=5432&user=postgres",
		 server_dir);
	loop = loop_new();
	config_init(&c);
	assert_int_equal(config_set(&c, "url", url, &e), 0);
	assert_int_equal(config_set(&c, "schema", "public", &e), 0);
	assert_int_equal(config_set(&c, "log_level", "error", &e), 0);
	assert_int_equal(config_set(&c, "policies", folder, &e), 0);
	assert_int_equal(config_set_number(&c, "pool_min", 0, &e), 0);
	assert_int_equal(config_check(&c, NULL, &e), 0);
	if (runtime_open(&rt, &c, loop, &e) < 0)
		fail_msg("%s", e.text);
	w = &rt->workers[0];
	ops_ok("select 1");
	ops_ok("select now()"); /* and the catalog is loaded */
}

static void
begin(const char *access)
{
	server_need();
	server_sql("create table if not exists notes (clinic int, n int, "
		   "secret text)");
	open_with(access);
}

static void
end(void)
{
	char command[128];

	ops_end();
	snprintf(command, sizeof(command), "rm -r %s", folder);
	assert_int_equal(system(command), 0);
}

static struct context *
who(const char *role)
{
	struct context *c;
	struct err e;
	char json[100];

	snprintf(json, sizeof(json),
		 "{\"tenant\":1,\"user\":\"u\",\"roles\":\"%s\"}", role);
	assert_int_equal(context_new(json, strlen(json), &c, &e), 0);
	return c;
}

static struct rules *rules;

static struct permit_ask
ask(const char *sql, const struct context *c)
{
	struct permit_ask a = {.rules = rules,
			       .snapshot = catalog_current(w->catalog),
			       .scope = w->scope,
			       .context = c,
			       .now_s = 1800000000};
	struct err e;

	assert_int_equal(stmt_get(sql, strlen(sql), &a.stmt, &e), 0);
	return a;
}

#define ACCESS                                                            \
	"role 'nurse' {}\n"                                               \
	"permit 'small' { role = 'nurse', action = 'read', on = 'notes'," \
	" columns = { 'clinic', 'n' }, when = row.n:lt(10) }\n"           \
	"permit 'day' { role = 'nurse', action = 'update', on = 'notes'," \
	" when = hours('08:00-09:00', 'UTC') }\n"

static void
a_decision_is_found_again_by_all_it_depends_on(void **state)
{
	struct context *c, *again, *other;
	struct permit_ask a;
	struct permit *first, *p;
	struct permit_usage u0, u;

	begin(ACCESS);
	rules = rules_pin(&rt->rules);
	c = who("nurse");
	again = who("nurse");
	other = who("nobody");
	a = ask("select * from notes", c);
	permits_usage(w->permits, &u0);
	first = permits_get(w->permits, &a);
	assert_int_equal(first->err.code, 0);
	assert_int_equal(first->limits.nlimits, 1);
	assert_int_equal(first->limits.nvalues, 1);
	assert_string_equal(first->values[0], "10");
	a.context = again;
	p = permits_get(w->permits, &a);
	assert_ptr_equal(p, first);
	permit_unpin(&p);
	a.context = other;
	p = permits_get(w->permits, &a);
	assert_int_equal(refusal_of(&p->err), REFUSE_ACCESS);
	permit_unpin(&p);
	a.context = NULL;
	p = permits_get(w->permits, &a);
	assert_int_equal(refusal_of(&p->err), REFUSE_ACCESS);
	permit_unpin(&p);
	permits_usage(w->permits, &u);
	assert_int_equal(u.hits - u0.hits, 1);
	assert_int_equal(u.misses - u0.misses, 3);
	permit_unpin(&first);
	stmt_unpin(&a.stmt);
	context_unpin(&c);
	context_unpin(&again);
	context_unpin(&other);
	rules_unpin(&rules);
	end();
}

static void
a_second_later_it_is_decided_anew(void **state)
{
	struct context *c;
	struct permit_ask a;
	struct permit *p;

	begin(ACCESS);
	rules = rules_pin(&rt->rules);
	c = who("nurse");
	a = ask("update notes set n = 1", c);
	for (int i = 0; i < 2; i++) {
		a.now_s = 1800000000 / 86400 * 86400 + 9 * 3600 - 1 + i;
		p = permits_get(w->permits, &a);
		assert_int_equal(p->err.code, i == 0 ? 0 : LUNATE_EDENIED);
		permit_unpin(&p);
	}
	a.now_s = EXPR_NO_CLOCK;
	p = permits_get(w->permits, &a);
	assert_int_equal(p->err.code, LUNATE_EDENIED);
	permit_unpin(&p);
	stmt_unpin(&a.stmt);
	context_unpin(&c);
	rules_unpin(&rules);
	end();
}

static void
a_refusal_of_the_gate_comes_first(void **state)
{
	struct context *c;
	struct permit_ask a;
	struct permit *p;

	begin(ACCESS);
	rules = rules_pin(&rt->rules);
	c = who("nurse");
	a = ask("select * from pg_class", c);
	p = permits_get(w->permits, &a);
	assert_int_equal(refusal_of(&p->err), REFUSE_CATALOG);
	permit_unpin(&p);
	stmt_unpin(&a.stmt);
	context_unpin(&c);
	rules_unpin(&rules);
	end();
}

/* The figure is printed, not asserted: machines differ. */
static void
a_decision_that_is_found_costs_a_look(void **state)
{
	enum { TIMES = 200000 };
	struct timespec from, to;
	struct context *c;
	struct permit_ask a;
	struct permit_usage u0, u;

	begin(ACCESS);
	rules = rules_pin(&rt->rules);
	c = who("nurse");
	a = ask("select * from notes where n = $1", c);
	permits_usage(w->permits, &u0);
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (int i = 0; i < TIMES; i++) {
		struct permit *p = permits_get(w->permits, &a);

		permit_unpin(&p);
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	permits_usage(w->permits, &u);
	assert_int_equal(u.misses - u0.misses, 1);
	printf("PERMIT found again: %.3f us\n",
	       ((double)(to.tv_sec - from.tv_sec) * 1e6 +
		(double)(to.tv_nsec - from.tv_nsec) / 1e3) /
		       TIMES);
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (int i = 0; i < TIMES / 20; i++) {
		struct permit *p;

		a.now_s++;
		p = permits_get(w->permits, &a);
		permit_unpin(&p);
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	printf("PERMIT decided anew: %.3f us\n",
	       ((double)(to.tv_sec - from.tv_sec) * 1e6 +
		(double)(to.tv_nsec - from.tv_nsec) / 1e3) /
		       (TIMES / 20));
	stmt_unpin(&a.stmt);
	context_unpin(&c);
	rules_unpin(&rules);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_decision_is_found_again_by_all_it_depends_on),
		cmocka_unit_test(a_second_later_it_is_decided_anew),
		cmocka_unit_test(a_refusal_of_the_gate_comes_first),
		cmocka_unit_test(a_decision_that_is_found_costs_a_look),
	};

	return cmocka_run_group_tests(tests, NULL, server_end);
}
