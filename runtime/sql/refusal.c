/* SPDX-License-Identifier: MIT */
#include "refusal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *word, *meaning;
} reasons[REFUSALS_N] = {
#define REFUSAL_ROW(name, word, meaning) {word, meaning},
	REFUSALS(REFUSAL_ROW)
#undef REFUSAL_ROW
};

#define HEAD "refused ("

const char *
refusal_word(enum refusal r)
{
	return reasons[r].word;
}

const char *
refusal_meaning(enum refusal r)
{
	return reasons[r].meaning;
}

int
refuse(struct err *e, enum refusal r, const char *fmt, ...)
{
	char text[sizeof(e->text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(e, LUNATE_EDENIED, HEAD "%s): %s", reasons[r].word,
		       text);
}

enum refusal
refusal_of(const struct err *e)
{
	const char *at = strstr(e->text, HEAD);
	unsigned r = 0;

	if (at == NULL)
		return REFUSALS_N;
	at += strlen(HEAD);
	for (; r < REFUSALS_N; r++) {
		size_t n = strlen(reasons[r].word);

		if (strncmp(at, reasons[r].word, n) == 0 && at[n] == ')')
			break;
	}
	return (enum refusal)r;
}
