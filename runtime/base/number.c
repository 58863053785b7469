/* SPDX-License-Identifier: MIT */
#include "number.h"

#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static locale_t c_locale;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
make_locale(void)
{
	c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	if (c_locale == (locale_t)0)
		obj_panic(__FILE__, __LINE__, "the C locale cannot be had");
}

static locale_t
plain(void)
{
	pthread_once(&once, make_locale);
	return c_locale;
}

/* What strtod takes and the server never writes: spaces, signs, hexadecimal
 * digits. */
static bool
looks_right(const char *text)
{
	const char *at = text + (*text == '-');

	if (strcmp(at, "Infinity") == 0 || strcmp(text, "NaN") == 0)
		return true;
	return *at >= '0' && *at <= '9' &&
	       at[strspn(at, "0123456789.eE+-")] == 0 &&
	       at[strlen(at) - 1] != '.';
}

/* "-12.375": at most 15 digits, so that both they and the power of ten are
 * exact doubles and one division rounds right (Clinger 1990, the fast path). */
static bool
read_short(const char *text, double *value)
{
	static const double tens[] = {1e0,  1e1,  1e2,	1e3,  1e4,
				      1e5,  1e6,  1e7,	1e8,  1e9,
				      1e10, 1e11, 1e12, 1e13, 1e14};
	const char *at = text + (*text == '-'), *point = NULL;
	uint64_t digits = 0;
	int n = 0;

	for (;; at++) {
		if (*at == '.' && point == NULL && n > 0)
			point = at;
		else if (*at >= '0' && *at <= '9' && n++ < 15)
			digits = digits * 10 + (uint64_t)(*at - '0');
		else
			break;
	}
	if (*at != 0 || n == 0 || n > 15 || at[-1] == '.')
		return false;
	*value = (double)digits / (point != NULL ? tens[at - point - 1] : 1);
	if (*text == '-')
		*value = -*value;
	return true;
}

bool
number_read(const char *text, double *value)
{
	char *end;

	if (read_short(text, value))
		return true;

	if (!looks_right(text))
		return false;
	*value = strtod_l(text, &end, plain());
	return end != text && *end == 0 &&
	       (!isinf(*value) || strchr(text, 'I') != NULL);
}

size_t
number_write_int(char out[NUMBER_ROOM], int64_t value)
{
	uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;
	char digits[NUMBER_ROOM], *at = digits + sizeof(digits);
	size_t n;

	do
		*--at = (char)('0' + left % 10);
	while ((left /= 10) != 0);
	if (value < 0)
		*--at = '-';
	n = (size_t)(digits + sizeof(digits) - at);
	memcpy(out, at, n);
	out[n] = 0;
	return n;
}

size_t
number_write(char out[NUMBER_ROOM], double value)
{
	locale_t before;
	double again;
	int n = 0;

	if (isnan(value))
		return (size_t)snprintf(out, NUMBER_ROOM, "NaN");
	if (isinf(value))
		return (size_t)snprintf(out, NUMBER_ROOM, "%sInfinity",
					value < 0 ? "-" : "");
	if (value == floor(value) && fabs(value) <= 9007199254740992.0 &&
	    !(value == 0 && signbit(value)))
		return number_write_int(out, (int64_t)value);
	before = uselocale(plain());
	for (int digits = 15; digits <= 17; digits++) {
		n = snprintf(out, NUMBER_ROOM, "%.*g", digits, value);
		again = strtod(out, NULL);
		if (memcmp(&again, &value, sizeof(value)) == 0)
			break;
	}
	uselocale(before);
	return (size_t)n;
}

/* -1: no digit. */
static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

long
hex_length(const char *text, size_t len)
{
	if (len < 2 || len % 2 != 0 || text[0] != '\\' || text[1] != 'x')
		return -1;
	for (size_t i = 2; i < len; i++)
		if (digit(text[i]) < 0)
			return -1;
	return (long)(len / 2 - 1);
}

void
hex_read(const char *text, size_t len, unsigned char *out)
{
	for (size_t i = 2; i + 1 < len; i += 2)
		*out++ = (unsigned char)(digit(text[i]) << 4 |
					 digit(text[i + 1]));
}
