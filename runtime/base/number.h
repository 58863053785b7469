/* SPDX-License-Identifier: MIT
 *
 * number - numbers and bytes as PostgreSQL writes them, whatever locale the
 * host's process has.
 *
 * Thread: any.
 */
#ifndef NUMBER_H
#define NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "obj.h"

#define NUMBER_ROOM 32

/* A text that reads as the same double, digits alone when it is whole and
 * below 2^53; NaN, Infinity, -Infinity as
 * the server spells them.  Gives its length. */
size_t number_write(char out[NUMBER_ROOM], double value);

/* In decimal, with a 0 behind.  Gives its length. */
size_t number_write_int(char out[NUMBER_ROOM], int64_t value);

/* All of a 0-terminated text, as the server writes numbers; false: it is none,
 * or too large for a double. */
MUST_USE
bool number_read(const char *text, double *value);

/* bytea in hex format, "\x0aff": how many bytes it is; -1: it is not. */
long hex_length(const char *text, size_t len);

/* Writes them; hex_length() was not negative. */
void hex_read(const char *text, size_t len, unsigned char *out);

#endif
