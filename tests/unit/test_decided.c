/* SPDX-License-Identifier: MIT
 *
 * Decisions that are remembered, decided again, and shadowed.
 */
#include "decided.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "catalog_rig.h"
#include "expr.h"
#include "load.h"
#include "shadow.h"
#include "texts.h"
#include "vocab.h"
#include "watchdog.h"

#define TENANT "tenant { type = 'int4' }\ndatabase { mode = 'rewrite' }\n"
#define VISITS "rows 'app.visits' { by = 'clinic' }\n"
#define CLINICS "rows 'app.clinics' { by = 'id' }\n"

static struct watchdog *dog;
static struct rules *base;
static struct decided *decided;
static struct decided_seen *seen;

static int
begin(void **state)
{
	struct err e;

	base = rules_new();
	decided = decided_new();
	seen = mem_new(sizeof(*seen));
	return watchdog_new(&dog, &e);
}

static int
end(void **state)
{
	decided_free(&decided);
	mem_free(seen);
	rules_unpin(&base);
	watchdog_free(&dog);
	return 0;
}

static struct rules *
made_of(const char *isolation, const char *access)
{
	const char *list[VOCAB_FILES] = {0};
	struct load_ask ask = {.base = base, .watchdog = dog, .schema = "app"};
	struct rules *r;
	struct err e;

	list[vocab_file("isolation", 9) - vocab_files] = isolation;
	list[vocab_file("access", 6) - vocab_files] = access;
	ask.texts = texts_of("policies", list);
	if (load_rules(&ask, &r, &e) < 0)
		fail_msg("%s", e.text);
	texts_unpin(&ask.texts);
	return r;
}

static struct stmt *
statement(const char *sql)
{
	struct stmt *s;
	struct err e;

	if (stmt_get(sql, strlen(sql), &s, &e) < 0)
		fail_msg("%s", e.text);
	return s;
}

static struct context *
who(const char *json)
{
	struct context *c;
	struct err e;

	if (json == NULL)
		return NULL;
	if (context_new(json, strlen(json), &c, &e) < 0)
		fail_msg("%s", e.text);
	return c;
}

static void
note(const char *sql, const char *json, struct ruling r)
{
	struct stmt *s = statement(sql);
	struct context *c = who(json);
	const struct decided_what what = {
		.stmt = s, .context = c, .ruling = r, .snapshot = known()};

	decided_note(decided, seen, &what);
	stmt_unpin(&s);
	context_unpin(&c);
}

static const struct ruling scoped = {RULING_SCOPED, REFUSALS_N, 1},
			   denied = {RULING_REFUSED, REFUSE_ACCESS, 0};

/* ---- what is remembered -------------------------------------------------- */

static void
a_decision_is_remembered_once(void **state)
{
	for (int i = 0; i < 5; i++)
		note("select * from visits", "{\"tenant\":1}", scoped);
	assert_int_equal(decided_count(decided), 1);
	note("select * from visits", "{\"tenant\":2,\"user\":\"x\"}", scoped);
	assert_int_equal(decided_count(decided), 1);
	note("select * from visits", "{\"tenant\":1}", denied);
	note("select * from visits", "{\"tenant\":[1,2]}", scoped);
	note("select * from visits", "{\"tenant\":1,\"roles\":\"a\"}", scoped);
	note("select id from visits", "{\"tenant\":1}", scoped);
	note("select * from visits", "{\"user\":\"x\"}", scoped);
	note("select * from visits", NULL, scoped);
	assert_int_equal(decided_count(decided), 7);
}

static void
another_worker_hands_nothing_in_twice(void **state)
{
	struct decided_seen *mine = seen;

	note("select * from visits", "{\"tenant\":1}", scoped);
	seen = mem_new(sizeof(*seen));
	note("select * from visits", "{\"tenant\":1}", scoped);
	mem_free(seen);
	seen = mine;
	assert_int_equal(decided_count(decided), 1);
}

static void
nothing_of_who_asked_is_kept_but_the_shape(void **state)
{
	struct decided_list list;
	struct context *c;

	note("select * from visits where id = 4711",
	     "{\"tenant\":77,\"user\":\"secret\",\"ip\":\"10.0.0.1\","
	     "\"roles\":[\"nurse\",\"night\"]}",
	     scoped);
	decided_all(decided, &list);
	assert_int_equal(list.n, 1);
	c = decided_context(&list.records[0], TENANT_INT4);
	assert_int_equal(c->ntenants, 1);
	assert_string_equal(c->tenants[0].id, "1");
	assert_int_equal(c->nroles, 2);
	assert_null(c->user);
	assert_null(c->ip);
	assert_null(strstr(list.records[0].stmt->normal, "4711"));
	context_unpin(&c);
	decided_list_fini(&list);
}

static void
the_oldest_gives_way_and_what_is_still_asked_comes_back(void **state)
{
	struct decided_list list;
	char sql[60];

	for (int i = 0; i < DECIDED_MOST + 10; i++) {
		snprintf(sql, sizeof(sql), "select %d from visits", i);
		note(sql, "{\"tenant\":1}", scoped);
	}
	decided_all(decided, &list);
	assert_int_equal(list.n, DECIDED_MOST);
	assert_string_equal(list.records[0].stmt->text,
			    "select 10 from visits");
	decided_list_fini(&list);
	note("select 3 from visits", "{\"tenant\":1}", scoped);
	decided_all(decided, &list);
	assert_string_equal(list.records[DECIDED_MOST - 1].stmt->text,
			    "select 3 from visits");
	decided_list_fini(&list);
}

static void
a_long_text_is_passed_over(void **state)
{
	char *sql = mem_new(DECIDED_TEXT + 100);

	sprintf(sql, "select '%0*d'", DECIDED_TEXT + 10, 1);
	note(sql, NULL, scoped);
	assert_int_equal(decided_count(decided), 0);
	mem_free(sql);
}

/* What each operation pays, for what was handed in before. */
static void
what_was_seen_costs_little(void **state)
{
	struct stmt *s = statement("select * from visits where id = $1");
	struct context *c = who("{\"tenant\":1,\"user\":\"u\","
				"\"roles\":[\"nurse\",\"night\"]}");
	const struct decided_what what = {
		.stmt = s, .context = c, .ruling = scoped, .snapshot = known()};
	struct timespec a, b;
	int n = getenv("LUNATE_PROVE") != NULL ? 10000000 : 1000;

	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < n; i++)
		decided_note(decided, seen, &what);
	clock_gettime(CLOCK_MONOTONIC, &b);
	assert_int_equal(decided_count(decided), 1);
	if (n > 1000)
		printf("SEEN %.0f ns\n", ((double)(b.tv_sec - a.tv_sec) * 1e9 +
					  (double)(b.tv_nsec - a.tv_nsec)) /
						 n);
	stmt_unpin(&s);
	context_unpin(&c);
}

/* ---- decided again ------------------------------------------------------- */

static struct ruling
judged(struct judge *j, const char *sql, const char *json)
{
	struct stmt *s = statement(sql);
	struct context *c = who(json);
	const struct judge_ask ask = {.stmt = s,
				      .context = c,
				      .snapshot = known(),
				      .now_s = EXPR_NO_CLOCK};
	struct err e;
	struct ruling r = judge_decide(j, &ask, &e);

	assert_int_equal(e.code != 0, r.kind == RULING_REFUSED);
	stmt_unpin(&s);
	context_unpin(&c);
	return r;
}

static struct judge *
judge(const char *isolation, const char *access)
{
	struct rules *r = made_of(isolation, access);
	struct judge *j = judge_new(r);

	rules_unpin(&r);
	return j;
}

static void
rules_say_what_they_would_do(void **state)
{
	struct judge *j = judge(TENANT VISITS, NULL);

	assert_string_equal(ruling_word(&(struct ruling){RULING_OPEN, 0, 0}),
			    "open");
	assert_int_equal(
		judged(j, "select * from visits", "{\"tenant\":1}").kind,
		RULING_SCOPED);
	assert_int_equal(judged(j, "select * from visits", NULL).why,
			 REFUSE_NO_TENANT);
	assert_int_equal(
		judged(j, "select * from clinics", "{\"tenant\":1}").why,
		REFUSE_UNKNOWN_TABLE);
	assert_int_equal(judged(j, "select 1", "{\"tenant\":1}").kind,
			 RULING_OPEN);
	judge_free(&j);
}

static void
without_isolation_every_table_is_closed(void **state)
{
	struct judge *j = judge(NULL, NULL);

	assert_int_equal(
		judged(j, "select * from visits", "{\"tenant\":1}").why,
		REFUSE_CLOSED);
	assert_int_equal(judged(j, "select 1", NULL).kind, RULING_OPEN);
	judge_free(&j);
}

static void
what_changes_has_a_word(void **state)
{
	struct judge *a = judge(TENANT VISITS, NULL),
		     *b = judge(TENANT
				"rows 'visits' { shared = 'read' }\n" CLINICS,
				NULL),
		     *c = judge(TENANT VISITS,
				"role 'nurse' {}\n"
				"permit 'x' { role = 'nurse', action = 'read', "
				"on = 'visits', when = row.twice:gt(1) }");
	static const char visits[] = "select * from visits",
			  clinics[] = "select * from clinics",
			  one[] = "{\"tenant\":1,\"roles\":\"nurse\"}",
			  other[] = "{\"tenant\":1}";
	struct ruling x = judged(a, visits, one), y = judged(b, visits, one);

	assert_int_equal(ruling_change(&x, &x), RULING_SAME);
	assert_int_equal(ruling_change(&x, &y), RULING_ROWS);
	y = judged(c, visits, one); /* fewer rows */
	assert_int_equal(ruling_change(&x, &y), RULING_ROWS);
	y = judged(c, visits, other);
	assert_int_equal(ruling_change(&x, &y), RULING_DENIED);
	assert_int_equal(ruling_change(&y, &x), RULING_ALLOWED);
	x = judged(a, clinics, one);
	y = judged(b, clinics, one);
	assert_int_equal(ruling_change(&x, &y), RULING_ALLOWED);
	y = judged(b, clinics, NULL);
	assert_int_equal(ruling_change(&x, &y), RULING_BECAUSE);
	judge_free(&a);
	judge_free(&b);
	judge_free(&c);
}

/* ---- a shadow ------------------------------------------------------------ */

static void
a_shadow_counts_and_ends(void **state)
{
	struct shadow s;
	struct shade w = {0};
	struct stmt *stmt = statement("select * from clinics");
	struct context *c = who("{\"tenant\":1}");
	const struct judge_ask ask = {
		.stmt = stmt, .context = c, .snapshot = known()};
	const struct ruling was = {RULING_REFUSED, REFUSE_UNKNOWN_TABLE, 0};
	int wanted = 0;
	json_t *all;

	shadow_init(&s);
	for (int i = 0; i < 100; i++)
		assert_false(shadow_wants(&s, &w));
	shadow_begin(&s, made_of(TENANT CLINICS, NULL), "next");
	for (int i = 0; i < 10000; i++)
		if (shadow_wants(&s, &w)) {
			shadow_decide(&s, &w, &ask, &was);
			wanted++;
		}
	assert_true(wanted > 500 && wanted < 2000);
	all = shadow_json(&s);
	assert_int_equal(json_integer_value(json_object_get(
				 json_object_get(all, "changes"),
				 ruling_change_word(RULING_ALLOWED))),
			 wanted);
	json_decref(all);
	assert_true(shadow_end(&s));
	assert_false(shadow_end(&s));
	assert_false(shadow_wants(&s, &w));
	assert_null(w.judge); /* and its rules are gone */
	shade_fini(&w);
	shadow_fini(&s);
	stmt_unpin(&stmt);
	context_unpin(&c);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_decision_is_remembered_once),
		T(another_worker_hands_nothing_in_twice),
		T(nothing_of_who_asked_is_kept_but_the_shape),
		T(the_oldest_gives_way_and_what_is_still_asked_comes_back),
		T(a_long_text_is_passed_over),
		T(what_was_seen_costs_little),
		T(rules_say_what_they_would_do),
		T(without_isolation_every_table_is_closed),
		T(what_changes_has_a_word),
		T(a_shadow_counts_and_ends),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
