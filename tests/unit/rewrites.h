/* SPDX-License-Identifier: MIT
 *
 * rewrites - for tests: what becomes of a text in the clinic's world.
 *
 *	assert_string_equal(rewrite(one, "select 1"), "select 1");
 *
 * Include after cmocka.h.
 */
#ifndef REWRITES_H
#define REWRITES_H

#include <stdio.h>
#include <string.h>

#include "clinic_world.h"
#include "refusal.h"
#include "tenant.h"

/* As one tenant, without limits and fence. */
static const struct tenant_ask one = {.rules = &clinic_rules,
				      .world = &clinic_world};

/* The rewritten text, or the word of the refusal; valid until the next. */
static const char *
rewrite(struct tenant_ask ask, const char *sql)
{
	static char text[8192];
	struct tenant_text out;
	struct tree *tree = NULL;
	struct arena a;
	struct err e;

	assert_int_equal(tree_parse(sql, strlen(sql), &tree, &e), 0);
	ask.tree = tree;
	arena_init(&a, NULL, 0);
	if (tenant_rewrite(&ask, &a, &out, &e) == 0)
		snprintf(text, sizeof(text), "%s", out.sql);
	else
		snprintf(text, sizeof(text), "%s",
			 refusal_word(refusal_of(&e)));
	arena_fini(&a);
	tree_free(&tree);
	return text;
}

#endif
