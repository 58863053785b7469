/* SPDX-License-Identifier: MIT */
#include "quantity.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "err.h"

struct unit {
	const char *word;
	int64_t worth;
};

/* The first row of a worth is the one that is written. */
static const struct unit durations[] = {
	{"d", QUANTITY_DAY},	  {"h", QUANTITY_HOUR},
	{"min", QUANTITY_MINUTE}, {"m", QUANTITY_MINUTE},
	{"s", QUANTITY_SECOND},	  {"ms", 1},
};

static const struct unit sizes[] = {
	{"TB", INT64_C(1) << 40},
	{"TiB", INT64_C(1) << 40},
	{"T", INT64_C(1) << 40},
	{"GB", INT64_C(1) << 30},
	{"GiB", INT64_C(1) << 30},
	{"G", INT64_C(1) << 30},
	{"MB", INT64_C(1) << 20},
	{"MiB", INT64_C(1) << 20},
	{"M", INT64_C(1) << 20},
	{"kB", INT64_C(1) << 10},
	{"KiB", INT64_C(1) << 10},
	{"k", INT64_C(1) << 10},
	{"B", 1},
};

#define COUNT(a) (sizeof(a) / sizeof(*(a)))
#define FRACTION_DIGITS 9

static const char *
skip_space(const char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p;
}

static bool
ends(const char *p)
{
	return *skip_space(p) == 0;
}

/* A number as written: whole + fraction / 10^digits. */
struct number {
	bool negative;
	int64_t whole, fraction, scale; /* scale = 10^digits of the fraction */
};

/* Returns what follows the number, or NULL when there is none. */
static const char *
read_number(const char *p, struct number *n)
{
	p = skip_space(p);
	*n = (struct number){.negative = *p == '-', .scale = 1};
	if (*p == '-' || *p == '+')
		p++;
	if (!isdigit((unsigned char)*p))
		return NULL;
	for (; isdigit((unsigned char)*p); p++)
		if (__builtin_mul_overflow(n->whole, 10, &n->whole) ||
		    __builtin_add_overflow(n->whole, *p - '0', &n->whole))
			return NULL;
	if (*p != '.')
		return p;
	if (!isdigit((unsigned char)*++p))
		return NULL;
	for (int i = 0; isdigit((unsigned char)*p); p++, i++) {
		if (i == FRACTION_DIGITS)
			return NULL;
		n->fraction = n->fraction * 10 + (*p - '0');
		n->scale *= 10;
	}
	return p;
}

/* fraction < 10^9 and scale <= 10^9: the product can only overflow for units
 * that do not exist here. */
static int
weigh(const struct number *n, int64_t worth, int64_t *out)
{
	int64_t whole, part;

	if (__builtin_mul_overflow(n->whole, worth, &whole) ||
	    __builtin_mul_overflow(n->fraction, worth, &part) ||
	    part % n->scale != 0 ||
	    __builtin_add_overflow(whole, part / n->scale, &whole))
		return LUNATE_EINVAL;
	*out = n->negative ? -whole : whole;
	return 0;
}

int
quantity_int(const char *text, int64_t *out)
{
	struct number n;
	const char *rest = read_number(text, &n);

	if (rest == NULL || !ends(rest) || n.scale != 1)
		return LUNATE_EINVAL;
	return weigh(&n, 1, out);
}

int
quantity_bool(const char *text, bool *out)
{
	static const char *const words[] = {"false", "true", "no", "yes",
					    "off",   "on",   "0",  "1"};
	size_t n;

	text = skip_space(text);
	for (size_t i = 0; i < COUNT(words); i++) {
		n = strlen(words[i]);
		if (strncasecmp(text, words[i], n) != 0 || !ends(text + n))
			continue;
		*out = i % 2 == 1;
		return 0;
	}
	return LUNATE_EINVAL;
}

static bool
is_unit(const char *p, const char *word, bool any_case)
{
	size_t n = strlen(word);

	return (any_case ? strncasecmp(p, word, n) : strncmp(p, word, n)) ==
		       0 &&
	       ends(p + n);
}

int
quantity_ms(const char *text, int64_t unit_ms, int64_t *out)
{
	struct number n;
	const char *rest = read_number(text, &n);

	if (rest == NULL)
		return LUNATE_EINVAL;
	rest = skip_space(rest);
	if (*rest == 0)
		return weigh(&n, unit_ms, out);
	for (size_t i = 0; i < COUNT(durations); i++)
		if (is_unit(rest, durations[i].word, false))
			return weigh(&n, durations[i].worth, out);
	return LUNATE_EINVAL;
}

int
quantity_bytes(const char *text, int64_t *out)
{
	struct number n;
	const char *rest = read_number(text, &n);

	if (rest == NULL)
		return LUNATE_EINVAL;
	rest = skip_space(rest);
	if (*rest == 0)
		return weigh(&n, 1, out);
	for (size_t i = 0; i < COUNT(sizes); i++)
		if (is_unit(rest, sizes[i].word, true))
			return weigh(&n, sizes[i].worth, out);
	return LUNATE_EINVAL;
}

static void
write_text(int64_t v, const struct unit *units, size_t n, char *buf)
{
	size_t i = 0;

	while (i + 1 < n && (v == 0 || v % units[i].worth != 0))
		i++;
	snprintf(buf, QUANTITY_TEXT, "%" PRId64 "%s", v / units[i].worth,
		 units[i].word);
}

void
quantity_ms_text(int64_t ms, char buf[QUANTITY_TEXT])
{
	write_text(ms, durations, COUNT(durations), buf);
}

void
quantity_bytes_text(int64_t bytes, char buf[QUANTITY_TEXT])
{
	write_text(bytes, sizes, COUNT(sizes), buf);
}
