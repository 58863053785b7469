/* SPDX-License-Identifier: MIT */
#include "near.h"

#include <ctype.h>
#include <string.h>

#define LONGEST 48

void
near_init(struct near *n, const char *word)
{
	size_t reach = strlen(word) / 3 + 1;

	n->word = word;
	n->best = NULL;
	n->distance = (reach > 3 ? 3 : reach) + 1;
}

static size_t
least(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

static int
same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Three rows of the table are enough: a swap looks two rows back. */
static size_t
distance(const char *a, size_t na, const char *b, size_t nb)
{
	size_t row[3][LONGEST + 1];
	size_t *old = row[0], *last = row[1], *now = row[2], *spare;

	for (size_t j = 0; j <= nb; j++)
		old[j] = last[j] = j;
	for (size_t i = 1; i <= na; i++) {
		now[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			size_t cost = same(a[i - 1], b[j - 1]) ? 0 : 1;

			now[j] = least(last[j] + 1, now[j - 1] + 1,
				       last[j - 1] + cost);
			if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) &&
			    same(a[i - 2], b[j - 1]))
				now[j] = least(now[j], now[j], old[j - 2] + 1);
		}
		spare = old;
		old = last;
		last = now;
		now = spare;
	}
	return last[nb];
}

void
near_try(struct near *n, const char *candidate)
{
	size_t na = strlen(n->word), nb = strlen(candidate), d;

	if (na == 0 || na > LONGEST || nb > LONGEST)
		return;
	d = distance(n->word, na, candidate, nb);
	if (d < n->distance && d < nb) {
		n->distance = d;
		n->best = candidate;
	}
}

const char *
near_best(const struct near *n)
{
	return n->best;
}
