/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "access_dice.h"

/* Laws that hold for every set of rules, of random ones over random rows.
 * What is compared is all cells of all rows that may be had. */

#define ROWS 12
#define ROW (1u << 31)

static const char *values[ROWS][EXPRS_COLUMNS];
static struct access_rule list[RULES_MOST + 1];
static struct access_rules rules = {
	.nroles = 3, .roles = dice_roles, .rules = list};
static struct access_ask ask;
static struct expr_ask who;

/* Of each row: ROW when it may be had, and a bit for each cell that is seen. */
struct had {
	uint32_t rows[ROWS];
};

static void
random_rows(void)
{
	memset(values, 0, sizeof(values));
	for (unsigned r = 0; r < ROWS; r++)
		for (unsigned i = 0; i < NPOOLS; i++)
			for (unsigned c = 0; c < EXPRS_COLUMNS; c++)
				if (strcmp(exprs_columns[c].name,
					   pools[i].column) == 0 &&
				    dice(6) > 0)
					values[r][c] = literal_text(&pools[i]);
}

static void
random_case(void)
{
	arena_fini(&exprs_arena);
	arena_init(&exprs_arena, NULL, 0);
	random_rows();
	rules.nrules = dice(RULES_MOST);
	for (unsigned i = 0; i < rules.nrules; i++)
		list[i] = dice_rule(dice(4) == 0);
	dice_ask(&ask, &who);
	ask.rules = &rules;
}

static uint32_t
had_of(unsigned row)
{
	struct access_verdict v;
	uint32_t had = ROW;

	who.row.values = values[row];
	access_decide_row(&ask, &exprs_arena, &v);
	if (!v.allowed)
		return 0;
	for (unsigned c = 0; c < EXPRS_COLUMNS; c++) {
		bool masked = false;

		for (unsigned i = 0; i < v.limit.nmasks; i++)
			masked |= strcmp(v.limit.masks[i].column,
					 exprs_columns[c].name) == 0;
		had |= (uint32_t)!masked << c;
	}
	return had;
}

static struct had
had(void)
{
	struct had h;

	for (unsigned r = 0; r < ROWS; r++)
		h.rows[r] = had_of(r);
	return h;
}

static bool
within(const struct had *a, const struct had *b)
{
	for (unsigned r = 0; r < ROWS; r++)
		if ((a->rows[r] & ~b->rows[r]) != 0)
			return false;
	return true;
}

static unsigned
rounds(void)
{
	return dice_rounds(1500, 100000);
}

static void
insert_rule(unsigned at, struct access_rule r)
{
	memmove(&list[at + 1], &list[at], (rules.nrules - at) * sizeof(*list));
	list[at] = r;
	rules.nrules++;
}

static void
adding_a_forbid_never_allows_more(void **state)
{
	unsigned changed = 0;

	for (unsigned i = 0; i < rounds(); i++) {
		struct had before, after;

		random_case();
		before = had();
		insert_rule(dice(rules.nrules + 1), dice_rule(true));
		after = had();
		assert_true(within(&after, &before));
		changed += memcmp(&after, &before, sizeof(after)) != 0;
	}
	assert_true(changed > rounds() / 50);
}

static void
adding_a_permit_never_allows_less(void **state)
{
	unsigned changed = 0;

	for (unsigned i = 0; i < rounds(); i++) {
		struct had before, after;

		random_case();
		before = had();
		insert_rule(dice(rules.nrules + 1), dice_rule(false));
		after = had();
		assert_true(within(&before, &after));
		changed += memcmp(&after, &before, sizeof(after)) != 0;
	}
	assert_true(changed > rounds() / 50);
}

static void
the_order_of_rules_never_matters(void **state)
{
	for (unsigned i = 0; i < rounds(); i++) {
		struct access_verdict a, b;
		struct had before, after;

		random_case();
		before = had();
		access_decide(&ask, &exprs_arena, &a);
		for (unsigned k = rules.nrules; k > 1; k--) {
			unsigned other = dice(k);
			struct access_rule r = list[k - 1];

			list[k - 1] = list[other];
			list[other] = r;
		}
		after = had();
		access_decide(&ask, &exprs_arena, &b);
		assert_memory_equal(&before, &after, sizeof(after));
		assert_int_equal(a.allowed, b.allowed);
		assert_int_equal(a.limit.nmasks, b.limit.nmasks);
		assert_int_equal(a.limit.nparts > 0, b.limit.nparts > 0);
	}
}

static void
what_is_denied_at_once_is_denied_for_each_row(void **state)
{
	unsigned denied = 0;

	for (unsigned i = 0; i < rounds(); i++) {
		struct access_verdict v;
		struct had h;

		random_case();
		access_decide(&ask, &exprs_arena, &v);
		h = had();
		denied += !v.allowed;
		for (unsigned r = 0; r < ROWS; r++) {
			assert_true(v.allowed || h.rows[r] == 0);
			assert_true(!v.allowed || v.limit.nparts > 0 ||
				    h.rows[r] != 0);
		}
	}
	assert_true(denied > rounds() / 20 && denied < rounds());
}

/* A forbid that says nothing certain about whoever asks. */
static struct expr *
uncertain(void)
{
	struct expr *x;

	switch (dice(3)) {
	case 0:
		x = x_compare(x_ctx(PURPOSE), EXPR_EQ, x_text("x"));
		break;
	case 1: /* the name of a user against a column of numbers: a fault */
		return x_checked(
			x_any(x_compare(x_row("id"), EXPR_EQ, x_ctx(USER)),
			      x_truth(dice(2))));
	default: /* no clock */
		x = x_hours("00:00-24:00", x_text("UTC"));
	}
	return x_checked(dice(2) ? x : x_no(x));
}

static void
a_forbid_that_is_unknown_or_at_fault_denies(void **state)
{
	static const struct had none;

	for (unsigned i = 0; i < rounds(); i++) {
		struct access_rule f = {.forbids = true,
					.name = "f",
					.file = "access.lua",
					.actions = 15};
		struct had h;

		random_case();
		f.when = uncertain();
		insert_rule(dice(rules.nrules + 1), f);
		h = had();
		assert_memory_equal(&h, &none, sizeof(h));
	}
}

static void
a_permit_that_is_unknown_or_at_fault_permits_nothing(void **state)
{
	for (unsigned i = 0; i < rounds(); i++) {
		struct access_rule p = {
			.name = "p", .file = "access.lua", .actions = 15};
		struct had before, after;

		random_case();
		p.when = uncertain();
		before = had();
		insert_rule(dice(rules.nrules + 1), p);
		after = had();
		assert_memory_equal(&after, &before, sizeof(after));
	}
}

/* ---- ranges -------------------------------------------------------------- */

static struct expr *
in_range(unsigned bits)
{
	uint32_t net = 0x0a148200 & ~0u << (32 - bits); /* of 10.20.130.0 */
	char text[32];

	snprintf(text, sizeof(text), "%u.%u.%u.%u/%u", net >> 24,
		 net >> 16 & 255, net >> 8 & 255, net & 255, bits);
	return x_ip(arena_dup(&exprs_arena, text, strlen(text)));
}

static void
widening_a_range_of_addresses_is_monotone(void **state)
{
	struct context c = dice_somebody;
	unsigned changed = 0;

	for (unsigned i = 0; i < rounds(); i++) {
		unsigned narrow = 8 + dice(17), wide = 8 + dice(narrow - 7);
		bool forbids = dice(2), inside = dice(2);
		struct had before, after;
		unsigned at;

		random_case();
		c.ip = dice(2) ? "10.20.130.1" : "10.21.130.1";
		who.ctx = &c;
		at = dice(rules.nrules + 1);
		insert_rule(at, dice_rule(forbids));
		list[at].when = x_checked(inside ? in_range(narrow)
						 : x_no(in_range(narrow)));
		before = had();
		list[at].when = x_checked(inside ? in_range(wide)
						 : x_no(in_range(wide)));
		after = had();
		assert_true(forbids == inside ? within(&after, &before)
					      : within(&before, &after));
		changed += memcmp(&after, &before, sizeof(after)) != 0;
	}
	assert_true(changed > rounds() / 200);
}

/* ---- emergencies --------------------------------------------------------- */

static void
an_opening_never_allows_less_and_only_the_patients_rows(void **state)
{
	static const char *const patient[] = {"title"};
	static const struct access_glass glass = {.name = "g",
						  .file = "access.lua",
						  .ntables = 1,
						  .actions = 15,
						  .tables = dice_things,
						  .columns = patient};
	static const struct access_opening opening = {&glass, "ab"};

	for (unsigned i = 0; i < rounds(); i++) {
		struct had before, after;

		random_case();
		before = had();
		ask.opening = &opening;
		after = had();
		assert_true(within(&before, &after));
		for (unsigned r = 0; r < ROWS; r++) {
			const char *title = values[r][3];

			if (ask.action == TENANT_INSERT && ask.nreads > 0)
				continue; /* asks of no row what is read */
			if (title == NULL || strcmp(title, "ab") != 0)
				assert_int_equal(after.rows[r], before.rows[r]);
		}
	}
}

static int
setup(void **state)
{
	dice_init();
	return exprs_begin(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adding_a_forbid_never_allows_more),
		cmocka_unit_test(adding_a_permit_never_allows_less),
		cmocka_unit_test(the_order_of_rules_never_matters),
		cmocka_unit_test(what_is_denied_at_once_is_denied_for_each_row),
		cmocka_unit_test(a_forbid_that_is_unknown_or_at_fault_denies),
		cmocka_unit_test(
			a_permit_that_is_unknown_or_at_fault_permits_nothing),
		cmocka_unit_test(widening_a_range_of_addresses_is_monotone),
		cmocka_unit_test(
			an_opening_never_allows_less_and_only_the_patients_rows),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, setup, exprs_end);
}
