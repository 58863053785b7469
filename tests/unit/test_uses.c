/* SPDX-License-Identifier: MIT
 *
 * What a statement does to which tables, as uses.h says.
 */
#include "uses.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "clinic_world.h"
#include "refusal.h"

/* "read visits; update visits(n,note)", as found. */
static void
print(const struct uses *u, char *out, size_t room)
{
	static const char *const actions[] = {"read", "insert", "update",
					      "delete"};
	size_t at = 0;

	out[0] = 0;
	for (unsigned i = 0; i < u->n; i++) {
		const struct use *s = &u->list[i];

		at += (size_t)snprintf(
			out + at, room - at, "%s%s%s %s", i > 0 ? "; " : "",
			s->locks ? "hold, " : "", actions[s->action], s->name);
		for (unsigned k = 0; k < s->ncolumns; k++)
			at += (size_t)snprintf(out + at, room - at, "%s%s%s",
					       k > 0 ? "," : "(", s->columns[k],
					       k + 1 == s->ncolumns ? ")" : "");
	}
}

static void
uses(const char *sql, const char *want)
{
	struct uses_ask ask = {.rules = &clinic_rules, .world = &clinic_world};
	struct tree *tree;
	struct uses u;
	struct arena a;
	struct err e;
	char text[1024];

	assert_int_equal(tree_parse(sql, strlen(sql), &tree, &e), 0);
	ask.tree = tree;
	arena_init(&a, NULL, 0);
	if (uses_of(&ask, &a, &u, &e) < 0)
		snprintf(text, sizeof(text), "%s",
			 refusal_word(refusal_of(&e)));
	else
		print(&u, text, sizeof(text));
	if (strcmp(text, want) != 0)
		fail_msg("%s\n is  %s\n not %s", sql, text, want);
	arena_fini(&a);
	tree_free(&tree);
}

static void
test_what_stands_in_from_is_read_once(void **state)
{
	uses("select 1", "");
	uses("select * from visits v, visits w join items i on true where "
	     "exists (select from codes)",
	     "read visits; read items; read codes");
	uses("table clinic.visits", "read visits");
	uses("select (select max(n) from items)", "read items");
	uses("select * from elsewhere", "unknown-table");
}

static void
test_a_cte_is_no_table(void **state)
{
	uses("with visits as (select * from items) select * from visits",
	     "read items");
	uses("with x as (delete from visits) select * from x", "delete visits");
}

static void
test_columns_that_are_written_are_named(void **state)
{
	uses("insert into visits (id, note) values ($1, $2)",
	     "insert visits(id,note)");
	uses("insert into visits values ($1, $2, 3)",
	     "insert visits(id,clinic_id,n)");
	uses("insert into visits values ((row(1, 2, 3, 4)).*)",
	     "insert visits(id,clinic_id,n,note)");
	uses("insert into visits select (c).* from codes c",
	     "insert visits(id,clinic_id,n,note); read codes");
	uses("merge into visits v using codes c on true when not matched then "
	     "insert values (c.*)",
	     "read visits; insert visits(id,clinic_id,n,note); read codes");
	uses("insert into visits select * from visits",
	     "insert visits(id,clinic_id,n,note); read visits");
	uses("update visits set (n, note) = (1, 'x'), n = 2",
	     "update visits(n,note)");
	uses("update items set n = 1 from visits v where v.n = 3",
	     "update items(n); read visits");
	uses("insert into visits (id) values (1) on conflict (clinic_id, n) "
	     "do update set note = 'x', n = 4",
	     "read visits; insert visits(id); update visits(note,n)");
}

static void
test_a_target_is_read_when_a_column_of_it_is_named(void **state)
{
	uses("update visits set note = $1", "update visits(note)");
	uses("update visits set note = $1 where id = $2",
	     "read visits; update visits(note)");
	uses("update visits set n = n + 1", "read visits; update visits(n)");
	uses("delete from visits", "delete visits");
	uses("delete from visits returning old.id", /* PostgreSQL 18 */
	     "read visits; delete visits");
	uses("update visits set n = 1 returning (select new)",
	     "read visits; update visits(n)");
	uses("update visits set n = new.a from codes new", "update visits(n); "
							   "read codes");
	uses("delete from visits v returning v", "read visits; delete visits");
	uses("insert into visits (id) values ($1) returning *",
	     "read visits; insert visits(id)");
	uses("insert into visits (id) values ($1) on conflict on constraint "
	     "visits_n do nothing",
	     "read visits; insert visits(id)");
}

static void
test_a_merge_does_what_its_branches_do(void **state)
{
	uses("merge into visits v using codes c on true when matched and "
	     "c.a = 1 then update set n = 1 when matched then delete when not "
	     "matched then insert (id, note) values (null, 'x')",
	     "read visits; update visits(n); delete visits; insert "
	     "visits(id,note); read codes");
}

static void
test_what_is_held_for_update_is_an_update_of_no_column(void **state)
{
	uses("select * from visits for update",
	     "read visits; hold, update visits");
	uses("select * from visits v join codes c on true for share of v",
	     "read visits; hold, update visits; read codes");
	uses("select * from (select * from visits) s, codes for no key update "
	     "of s",
	     "read visits; hold, update visits; read codes");
	uses("select * from codes where a in (select n from visits) for update",
	     "read codes; hold, update codes; read visits");
	uses("with v as (select * from visits) select * from v for update",
	     "read visits");
	uses("select * from (select * from visits for update) s",
	     "read visits; hold, update visits");
}

static void
test_what_is_held_cannot_be_limited_to_rows(void **state)
{
	struct use u = {.schema = "clinic", .name = "visits", .locks = true};
	struct tenant_limit l = {.nparts = 1};
	struct err e;

	assert_int_equal(uses_holds(&u, &l, &e), LUNATE_EDENIED);
	assert_int_equal(refusal_of(&e), REFUSE_ACCESS);
	l.nparts = 0;
	assert_int_equal(uses_holds(&u, &l, &e), 0);
	l.nparts = 1;
	u.locks = false;
	assert_int_equal(uses_holds(&u, &l, &e), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_stands_in_from_is_read_once),
		cmocka_unit_test(test_a_cte_is_no_table),
		cmocka_unit_test(test_columns_that_are_written_are_named),
		cmocka_unit_test(
			test_a_target_is_read_when_a_column_of_it_is_named),
		cmocka_unit_test(test_a_merge_does_what_its_branches_do),
		cmocka_unit_test(
			test_what_is_held_for_update_is_an_update_of_no_column),
		cmocka_unit_test(test_what_is_held_cannot_be_limited_to_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
