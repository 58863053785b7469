/* SPDX-License-Identifier: MIT */
#include "str.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "mem.h"

static char nothing[1];

void
str_init(struct str *s)
{
	s->at = nothing;
	s->len = s->room = 0;
}

char *
str_reserve(struct str *s, size_t n)
{
	size_t room = s->room != 0 ? s->room : 64;
	char *p;

	assert(n < SIZE_MAX / 4 && s->len < SIZE_MAX / 4);
	if (s->len + n + 1 <= s->room)
		return s->at + s->len;
	while (room < s->len + n + 1)
		room *= 2;
	p = mem_resize(s->room != 0 ? s->at : NULL, room);
	s->at = p;
	s->room = room;
	s->at[s->len] = 0;
	return s->at + s->len;
}

void
str_grew(struct str *s, size_t n)
{
	assert(s->len + n < s->room);
	s->len += n;
	s->at[s->len] = 0;
}

void
str_addn(struct str *s, const char *bytes, size_t n)
{
	if (n == 0)
		return;
	memcpy(str_reserve(s, n), bytes, n);
	str_grew(s, n);
}

void
str_add(struct str *s, const char *text)
{
	str_addn(s, text, strlen(text));
}

void
str_addc(struct str *s, char c)
{
	str_addn(s, &c, 1);
}

void
str_addf(struct str *s, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	assert(n >= 0);
	str_reserve(s, (size_t)n);
	va_start(ap, fmt);
	vsnprintf(s->at + s->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	str_grew(s, (size_t)n);
}

void
str_clear(struct str *s)
{
	s->len = 0;
	if (s->room != 0)
		s->at[0] = 0;
}

char *
str_take(struct str *s)
{
	char *p = s->room != 0 ? s->at : mem_dup("", 0);

	str_init(s);
	return p;
}

void
str_fini(struct str *s)
{
	if (s->room != 0)
		mem_free(s->at);
	str_init(s);
}
