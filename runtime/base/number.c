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
	       at[strspn(at, "0123456789.eE+-")] == 0;
}

bool
number_read(const char *text, double *value)
{
	char *end;

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
