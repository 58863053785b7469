/* SPDX-License-Identifier: MIT */
#include "err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
err_clear(struct err *e)
{
	if (e == NULL)
		return;
	e->code = e->position = 0;
	e->sqlstate[0] = e->routine[0] = e->constraint[0] = e->text[0] = 0;
}

int
err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	if (e == NULL)
		return code;
	err_clear(e);
	e->code = code;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	return code;
}

int
err_wrap(struct err *e, const char *fmt, ...)
{
	char old[sizeof(e->text)];
	size_t room;
	va_list ap;
	int n;

	if (e == NULL)
		return LUNATE_EINTERNAL;
	memcpy(old, e->text, sizeof(old));
	va_start(ap, fmt);
	n = vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n + 3 >= sizeof(e->text))
		return e->code;
	memcpy(e->text + n, ": ", 2);
	room = sizeof(e->text) - (size_t)n - 3;
	if (strlen(old) < room)
		room = strlen(old);
	memcpy(e->text + n + 2, old, room);
	e->text[(size_t)n + 2 + room] = 0;
	return e->code;
}

/* Longest prefix first: the first row that matches decides. */
static const struct {
	const char *prefix;
	enum err_code code;
} states[] = {
	{"08", LUNATE_ELOST},	      {"0A", LUNATE_EUNSUPPORTED},
	{"22", LUNATE_EVALUE},	      {"23", LUNATE_ECONSTRAINT},
	{"25006", LUNATE_EREADONLY},  {"25", LUNATE_ETX},
	{"28", LUNATE_EAUTH},	      {"3D", LUNATE_ECONNECT},
	{"40001", LUNATE_ECONFLICT},  {"40P01", LUNATE_ECONFLICT},
	{"40", LUNATE_ETX},	      {"42501", LUNATE_EDENIED},
	{"42601", LUNATE_ESYNTAX},    {"42P01", LUNATE_EUNDEFINED},
	{"42P02", LUNATE_EPARAM},     {"42P18", LUNATE_EPARAM},
	{"42703", LUNATE_EUNDEFINED}, {"42883", LUNATE_EUNDEFINED},
	{"42704", LUNATE_EUNDEFINED}, {"42", LUNATE_EQUERY},
	{"53300", LUNATE_ERESOURCE},  {"53", LUNATE_ERESOURCE},
	{"55P03", LUNATE_EBUSY},      {"57014", LUNATE_ECANCELLED},
	{"57P", LUNATE_ESERVER},      {"58", LUNATE_ESERVER},
	{"XX", LUNATE_ESERVER},
};

enum err_code
err_from_sqlstate(const char *s)
{
	if (s == NULL)
		return LUNATE_EQUERY;
	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++)
		if (strncmp(s, states[i].prefix, strlen(states[i].prefix)) == 0)
			return states[i].code;
	return LUNATE_EQUERY;
}

static const struct {
	int code;
	bool retryable;
	const char *word, *meaning;
} codes[] = {
#define ERR_ROW(name, number, word, retryable, meaning) \
	{number, retryable, word, meaning},
	ERR_CODES(ERR_ROW)
#undef ERR_ROW
};

#define NCODES ((int)(sizeof(codes) / sizeof(*codes)))

const char *
err_word(int code)
{
	if (code == 0)
		return "ok";
	return code < 0 && code >= -NCODES ? codes[-code - 1].word : "internal";
}

const char *
err_meaning(int code)
{
	if (code == 0)
		return "no error";
	return code < 0 && code >= -NCODES ? codes[-code - 1].meaning : "";
}

enum err_code
err_of_word(const char *word)
{
	for (int i = 0; i < NCODES; i++)
		if (strcmp(codes[i].word, word) == 0)
			return codes[i].code;
	return LUNATE_EINTERNAL;
}

bool
err_retryable(int code)
{
	return code < 0 && code >= -NCODES && codes[-code - 1].retryable;
}
