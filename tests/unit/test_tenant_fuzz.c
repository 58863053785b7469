/* SPDX-License-Identifier: MIT
 *
 * What tenant_fuzz.h says of every text, of the corpus and of texts that chance
 * makes from it.  `make fuzz` looks further.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dice.h"
#include "tenant_corpus.h"
#include "tenant_fuzz.h"

#define TEXT_MOST 3000

static void
test_what_is_accepted_of_the_corpus_is_what_it_should_be(void **state)
{
	char text[TEXT_MOST];

	memset(&fuzz_sums, 0, sizeof(fuzz_sums));
	for (size_t i = 0; i < TENANT_CORPUS_N; i++)
		for (unsigned flags = 0; flags < 8; flags++) {
			unsigned type = (unsigned)(i % 4) << 3;
			int n = snprintf(text, sizeof(text), "%c%s",
					 (char)(type | flags),
					 tenant_corpus[i]);

			fuzz_one(text, (size_t)n);
		}
	assert_true(fuzz_sums.accepted > TENANT_CORPUS_N * 4);
}

/* A word of a text: where it begins, and how long it is. */
static size_t
word(const char *text, size_t *len)
{
	size_t n = strlen(text), at = n > 0 ? dice((unsigned)n) : 0;

	while (at > 0 && text[at - 1] != ' ')
		at--;
	*len = strcspn(text + at, " ");
	return at;
}

/* A word of one becomes up to four words of another, or nothing. */
static void
change(char *text, const char *other)
{
	char made[TEXT_MOST];
	size_t len, take, at = word(text, &len), from = word(other, &take);

	for (unsigned i = dice(4); i > 0 && other[from + take] != 0; i--)
		take += 1 + strcspn(other + from + take + 1, " ");
	if (dice(4) == 0)
		take = 0;
	if (dice(3) == 0)
		len = 0;
	snprintf(made, sizeof(made), "%.*s %.*s %s", (int)at, text, (int)take,
		 other + from, text + at + len);
	strcpy(text, made);
}

static void
test_what_is_accepted_of_texts_by_chance_is_what_it_should_be(void **state)
{
	unsigned rounds = dice_rounds(4000, 1000000);
	char text[TEXT_MOST + 1], sql[TEXT_MOST];

	memset(&fuzz_sums, 0, sizeof(fuzz_sums));
	dice_init();
	for (unsigned i = 0; i < rounds; i++) {
		strcpy(sql, tenant_corpus[dice(TENANT_CORPUS_N)]);
		for (unsigned k = 1 + dice(3); k > 0; k--)
			change(sql, tenant_corpus[dice(TENANT_CORPUS_N)]);
		text[0] = (char)dice(32);
		strcpy(text + 1, sql);
		fuzz_one(text, strlen(sql) + 1);
	}
	print_message("texts: %lu tried, %lu parse, %lu pass the gate, %lu "
		      "accepted\n",
		      fuzz_sums.asked, fuzz_sums.parsed, fuzz_sums.passed,
		      fuzz_sums.accepted);
	assert_true(fuzz_sums.accepted > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_what_is_accepted_of_the_corpus_is_what_it_should_be),
		cmocka_unit_test(
			test_what_is_accepted_of_texts_by_chance_is_what_it_should_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
