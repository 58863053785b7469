/* SPDX-License-Identifier: MIT
 *
 * str - a growable byte string.
 *
 * Always true: s->at[s->len] == 0 (also when empty); len < room, or room == 0
 *              and `at` points at a shared empty string.
 * Memory: str_fini frees; str_take hands the bytes to the caller (mem_free).
 *         What is added may not lie inside the str itself.
 *         Growing cannot fail: a str holds texts of ours, never a result.
 * Thread: that of its owner.
 */
#ifndef STR_H
#define STR_H

#include <stddef.h>

#include "obj.h"

struct str {
	char *at;    /* bytes, 0-terminated */
	size_t len;  /* without the 0 */
	size_t room; /* allocated bytes, 0 = none */
};

void str_init(struct str *s);
void str_add(struct str *s, const char *text);
void str_addn(struct str *s, const char *bytes, size_t n);
void str_addc(struct str *s, char c);
void str_addf(struct str *s, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Makes room for n more bytes and returns where they go; the caller then
 * calls str_grew with what it really wrote. */
char *str_reserve(struct str *s, size_t n);
void str_grew(struct str *s, size_t n);

/* Empties it and keeps the room. */
void str_clear(struct str *s);

/* The bytes are the caller's from here on; the str is empty again. */
char *str_take(struct str *s);
void str_fini(struct str *s);

#endif
