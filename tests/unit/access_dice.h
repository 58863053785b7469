/* SPDX-License-Identifier: MIT
 *
 * access_dice - for tests: random access rules over the table of exprs.h, and
 * random questions.
 *
 * Include after cmocka.h.
 */
#ifndef ACCESS_DICE_H
#define ACCESS_DICE_H

#include "access.h"
#include "expr_dice.h"

#define RULES_MOST 8

static const uint64_t dice_held[3][EXPR_ROLES / 64] = {{1}, {3}, {4}};
static const struct access_role dice_roles[] = {{"staff", dice_held[0]},
						{"nurse", dice_held[1]},
						{"other", dice_held[2]}};
static const struct access_table dice_things[] = {{"public", "things"}};
static const char *const dice_places[] = {"a", "a\"b", "{a,\\}", "\xc3\xa4"};
static const struct expr_fact dice_facts[] = {
	{EXPR_ATTR_LOCATIONS, 4, dice_places}};
static const struct context dice_somebody = {.magic = CONTEXT_MAGIC,
					     .user = "A"};

/* n of the table's columns, in the arena of exprs. */
UNUSED static const char *const *
dice_columns(unsigned n)
{
	const char **list = arena_new(&exprs_arena, (n + 1) * sizeof(*list));

	for (unsigned i = 0; i < n; i++)
		list[i] = exprs_columns[dice(EXPRS_COLUMNS)].name;
	return list;
}

UNUSED static unsigned
dice_count(void)
{
	return dice(2) ? 0 : 1 + dice(4);
}

UNUSED static struct access_rule
dice_rule(bool forbids)
{
	struct access_rule r = {.forbids = forbids,
				.name = "r",
				.file = "access.lua",
				.actions = 1 + dice(15),
				.ntables = dice(3) > 0,
				.tables = dice_things,
				.ncolumns = dice_count()};
	unsigned *roles = arena_new(&exprs_arena, sizeof(*roles));

	*roles = dice(3);
	r.roles = roles;
	r.nroles = dice(3) == 0;
	r.columns = dice_columns(r.ncolumns);
	if (dice(4) > 0)
		r.when = x_checked(random_expr(dice(3)));
	return r;
}

/* Who holds what, in `ask` and `who`. */
UNUSED static void
dice_ask(struct access_ask *ask, struct expr_ask *who)
{
	*who = (struct expr_ask){.ctx = &dice_somebody,
				 .facts = dice_facts,
				 .nfacts = 1,
				 .now_s = EXPR_NO_CLOCK,
				 .held = dice_held[dice(3)],
				 .zones = &exprs_zones,
				 .row = {&exprs_world, &exprs_table, NULL}};
	*ask = (struct access_ask){.who = who,
				   .action = (enum tenant_action)dice(4)};
	if (ask->action == TENANT_INSERT || ask->action == TENANT_UPDATE)
		ask->ncolumns = dice_count();
	if (dice(3) == 0)
		ask->nreads = dice_count();
	ask->columns = dice_columns(ask->ncolumns);
	ask->reads = dice_columns(ask->nreads);
}

#endif
