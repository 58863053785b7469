/* SPDX-License-Identifier: MIT
 *
 * expr_dice - for tests: random conditions over the table of exprs.h, and the
 * values its columns take.
 *
 * Include after cmocka.h.
 */
#ifndef EXPR_DICE_H
#define EXPR_DICE_H

#include "dice.h"
#include "exprs.h"

#define PICK(list) ((list)[dice(sizeof(list) / sizeof(*(list)))])

static const char *const ints[] = {"-2147483648", "-1", "0",  "1",
				   "2",		  "7",	"42", "30000"};
static const char *const bigs[] = {"-9223372036854775808",
				   "9223372036854775807",
				   "9007199254740993",
				   "-1",
				   "0",
				   "42"};
static const char *const smalls[] = {"-32768", "32767", "0", "1", "42"};
static const char *const texts[] = {"",	  "a",	  "A",	    "b",
				    "ab", "a b",  "B",	    "\xc3\xa4",
				    "z",  "a\"b", "{a,\\}", "NULL"};
static const char *const numerics[] = {
	"0",   "-0.0",	    "1.10", "1.1",	 "1.100001", "-1.1",
	"NaN", "10",	    "0.1",  "9",	 "Infinity", "-Infinity",
	"42",  "100000.00", "99.9", "99.899999", "1e3",	     "-0.00001"};
static const char *const uuids[] = {"00000000-0000-0000-0000-000000000001",
				    "ABCDEF00-0000-0000-0000-00000000000a",
				    "abcdef00-0000-0000-0000-00000000000a"};
static const char *const bools[] = {"t", "f"};
static const char *const moods[] = {"sad", "ok", "happy"};

struct pool {
	const char *column;
	const char *const *texts;
	unsigned n;
	enum expr_from from; /* of literals */
	bool ordered;
};

#define POOL(column, list, from, ordered)                                   \
	{                                                                   \
		column, list, sizeof(list) / sizeof(*(list)), from, ordered \
	}

static const struct pool pools[] = {
	POOL("id", ints, EXPR_NUMBER, true),
	POOL("big", bigs, EXPR_TEXT, true),
	POOL("small", smalls, EXPR_NUMBER, true),
	POOL("title", texts, EXPR_TEXT, true),
	POOL("code", texts, EXPR_TEXT, true),
	POOL("price", numerics, EXPR_TEXT, true),
	POOL("owner", uuids, EXPR_TEXT, false),
	POOL("active", bools, EXPR_BOOL, false),
	POOL("mood", moods, EXPR_TEXT, false),
	POOL("odd \"name\"", texts, EXPR_TEXT, true),
};

#define NPOOLS (sizeof(pools) / sizeof(*pools))

/* 1e3 is a number to the server and none that it writes. */
UNUSED static const char *
literal_text(const struct pool *p)
{
	const char *t;

	do
		t = p->texts[dice(p->n)];
	while (strcmp(t, "1e3") == 0);
	return t;
}

UNUSED static struct expr_operand
literal_of(const struct pool *p)
{
	return (struct expr_operand){p->from, literal_text(p), 0};
}

UNUSED static struct expr *
random_row(void)
{
	const struct pool *p = &pools[dice(NPOOLS)];
	struct expr_operand row = x_row(p->column), list[4];
	unsigned n = 1 + dice(4);

	switch (dice(5)) {
	case 0:
		return x_in(EXPR_KNOWN, row, row);
	case 1:
		for (unsigned i = 0; i < n; i++)
			list[i] = literal_of(p);
		return x_list(EXPR_ONE_OF, row, n, list);
	case 2:
		if (p->texts == texts)
			return dice(2) ? x_in(EXPR_ONE_OF, row,
					      x_ctx(LOCATIONS))
				       : x_compare(x_ctx(USER),
						   (enum expr_op)dice(6), row);
		break;
	case 3:
		if (p->texts == texts)
			return x_compare(row, (enum expr_op)dice(6),
					 x_row(dice(2) ? "code" : "title"));
		if (p->texts == ints)
			return x_compare(row, (enum expr_op)dice(6),
					 x_row(dice(2) ? "big" : "small"));
		break;
	}
	return x_compare(row, (enum expr_op)dice(p->ordered ? 6 : 2),
			 literal_of(p));
}

UNUSED static struct expr *
random_plain(void)
{
	switch (dice(4)) {
	case 0:
		return x_truth(dice(2));
	case 1:
		return x_compare(x_ctx(USER), (enum expr_op)dice(2),
				 x_text(PICK(texts)));
	case 2:
		return x_one_of(x_ctx(PURPOSE), x_text(PICK(texts)),
				x_text(PICK(texts)));
	}
	return x_role(dice(3), "r");
}

UNUSED static struct expr *
random_expr(unsigned depth)
{
	struct expr *parts[4];
	unsigned n = 1 + dice(4);

	if (depth == 0 || dice(4) == 0)
		return dice(4) > 0 ? random_row() : random_plain();
	if (dice(4) == 0)
		return x_no(random_expr(depth - 1));
	for (unsigned i = 0; i < n; i++)
		parts[i] = random_expr(depth - 1);
	return x_parts(dice(2) ? EXPR_ALL : EXPR_ANY, n, parts);
}

#endif
