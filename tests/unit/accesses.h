/* SPDX-License-Identifier: MIT
 *
 * accesses - for tests: access rules made by hand, over the table of exprs.h.
 *
 *	begin();
 *	permit(READ, x_checked(...));
 *	allowed(TENANT_READ, "", 0);		// every row, no mask
 *
 * nurse (1) is staff (0); 2 is another.  Include after cmocka.h.
 */
#ifndef ACCESSES_H
#define ACCESSES_H

#include "access.h"
#include "exprs.h"

#define READ (1u << TENANT_READ)
#define INSERT (1u << TENANT_INSERT)
#define UPDATE (1u << TENANT_UPDATE)
#define DELETE (1u << TENANT_DELETE)

static const unsigned staff[] = {0}, nurses[] = {1}, others[] = {2};
static const uint64_t held_staff[4] = {1}, held_nurse[4] = {3},
		      held_other[4] = {4};
static const struct access_role roles[] = {
	{"staff", held_staff}, {"nurse", held_nurse}, {"other", held_other}};
static const struct access_table things[] = {{"public", "things"}};
static const struct access_table elsewhere[] = {{"other", "things"},
						{"public", "other"}};
static const char *const title[] = {"title"}, *const id_title[] = {"id",
								   "title"};

static struct access_rule list[8];
static struct access_rules rules = {.nroles = 3, .roles = roles, .rules = list};
static struct access_verdict verdict;
static struct expr_ask who;
static struct access_ask ask;
static const struct context somebody = {.magic = CONTEXT_MAGIC, .user = "A"};

UNUSED static void
begin(void)
{
	rules.nrules = 0;
	who = (struct expr_ask){.ctx = &somebody,
				.now_s = EXPR_NO_CLOCK,
				.held = held_nurse,
				.zones = &exprs_zones,
				.row = {&exprs_world, &exprs_table, NULL}};
	ask = (struct access_ask){.rules = &rules, .who = &who};
}

/* A rule for whoever asks, of the table; returned to be changed. */
UNUSED static struct access_rule *
rule(bool forbids, unsigned actions, struct expr *when)
{
	struct access_rule *r = &list[rules.nrules++];

	*r = (struct access_rule){.forbids = forbids,
				  .name = forbids ? "f" : "p",
				  .file = "access.lua",
				  .line = (int)rules.nrules,
				  .actions = actions,
				  .ntables = 1,
				  .tables = things,
				  .when = when};
	if (when != NULL)
		x_checked(when);
	return r;
}

#define permit(actions, when) rule(false, (actions), (when))
#define forbid(actions, when) rule(true, (actions), (when))

UNUSED static void
columns_of(struct access_rule *r, unsigned n, const char *const *columns)
{
	r->ncolumns = n;
	r->columns = columns;
}

UNUSED static const struct access_verdict *
decided(enum tenant_action action)
{
	ask.action = action;
	access_decide(&ask, &exprs_arena, &verdict);
	return &verdict;
}

UNUSED static void
denied(enum tenant_action action, const struct access_rule *by)
{
	assert_false(decided(action)->allowed);
	assert_ptr_equal(verdict.rule, by);
}

UNUSED static const char *
shown(const struct tenant_part *parts, unsigned n)
{
	struct str s;
	const char *text;

	str_init(&s);
	for (unsigned i = 0; i < n; i++) {
		str_add(&s, parts[i].text);
		if (parts[i].then == TENANT_PART_ROW)
			str_add(&s, "r");
		if (parts[i].then == TENANT_PART_VALUE)
			str_addf(&s, "$%u", parts[i].value);
	}
	text = arena_dup(&exprs_arena, s.at != NULL ? s.at : "", s.len);
	str_fini(&s);
	return text;
}

/* limit "": of every row. */
UNUSED static void
allowed(enum tenant_action action, const char *limit, unsigned nmasks)
{
	if (!decided(action)->allowed)
		fail_msg("denied: %s %s",
			 verdict.rule ? verdict.rule->name : "",
			 verdict.fault.text);
	assert_int_equal(verdict.limit.action, action);
	assert_string_equal(verdict.limit.schema, "public");
	assert_string_equal(verdict.limit.name, "things");
	assert_string_equal(shown(verdict.limit.parts, verdict.limit.nparts),
			    limit);
	assert_int_equal(verdict.limit.nmasks, nmasks);
}

UNUSED static const char *
mask_of(const char *column)
{
	for (unsigned i = 0; i < verdict.limit.nmasks; i++) {
		const struct tenant_mask *m = &verdict.limit.masks[i];

		if (strcmp(m->column, column) == 0)
			return m->nparts == 0 ? "never"
					      : shown(m->parts, m->nparts);
	}
	return "seen";
}

#define ACTIVE "((r.\"active\") OPERATOR(pg_catalog.=) $0::pg_catalog.bool)"
#define KNOWN "(r.\"title\" IS NOT NULL)"

UNUSED static struct expr *
active(void)
{
	return x_compare(x_row("active"), EXPR_EQ, x_bool("t"));
}

UNUSED static struct expr *
known(const char *column)
{
	return x_in(EXPR_KNOWN, x_row(column), x_row(column));
}

UNUSED static struct expr *
unknown(void)
{
	return x_compare(x_ctx(PURPOSE), EXPR_EQ, x_text("x"));
}

UNUSED static struct expr *
faulty(void)
{
	return x_compare(x_row("id"), EXPR_EQ, x_ctx(USER));
}

#endif
