/* SPDX-License-Identifier: MIT
 *
 * The checker and values that are inserted as a star.
 */
#include "check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "clinic_world.h"

static bool
accepts(const char *values)
{
	struct check_ask ask = {.rules = &clinic_rules,
				.world = &clinic_world,
				.tenant_param = 1};
	char before[256], after[256];
	struct tree *tree;
	struct err e;
	int rc;

	snprintf(before, sizeof(before),
		 "insert into visits (n, id) select %s from codes c", values);
	snprintf(after, sizeof(after),
		 "insert into clinic.visits (n, id, clinic_id) select %s, "
		 "$1::pg_catalog.uuid from clinic.codes c",
		 values);
	assert_int_equal(tree_parse(before, strlen(before), &tree, &e), 0);
	ask.before = tree;
	ask.after = after;
	ask.len = strlen(after);
	rc = check_rewrite(&ask, &e);
	tree_free(&tree);
	return rc == 0;
}

/* A star may be no value or many, and another one than what was compared
 * becomes the tenant. */
static void
test_a_star_that_is_inserted_is_refused(void **state)
{
	assert_true(accepts("c.a, 1"));
	assert_true(accepts("c.a, (c).a"));
	assert_false(accepts("c.*, 1"));
	assert_false(accepts("(c).*, 1"));
	assert_false(accepts("c.a, (c).*"));
	assert_false(accepts("c.a, (row()).*"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_star_that_is_inserted_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
