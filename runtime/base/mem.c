/* SPDX-License-Identifier: MIT */
#include "mem.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

static unsigned fail_after;

struct arena_block {
	struct arena_block *next;
	size_t size;
	max_align_t data[];
};

void
mem_fail_after(unsigned n)
{
	__atomic_store_n(&fail_after, n, __ATOMIC_RELAXED);
}

static int
told_to_fail(void)
{
	unsigned n = __atomic_load_n(&fail_after, __ATOMIC_RELAXED);

	do {
		if (n == 0)
			return 0;
	} while (!__atomic_compare_exchange_n(&fail_after, &n, n - 1, true,
					      __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	return n == 1;
}

void *
mem_new(size_t size)
{
	void *p = calloc(1, size != 0 ? size : 1);

	if (p == NULL)
		obj_panic(__FILE__, __LINE__, "out of memory");
	return p;
}

void *
mem_try(size_t size)
{
	if (told_to_fail())
		return NULL;
	return calloc(1, size != 0 ? size : 1);
}

void *
mem_try_resize(void *p, size_t size)
{
	if (told_to_fail())
		return NULL;
	return realloc(p, size != 0 ? size : 1);
}

void *
mem_resize(void *p, size_t size)
{
	p = realloc(p, size != 0 ? size : 1);
	if (p == NULL)
		obj_panic(__FILE__, __LINE__, "out of memory");
	return p;
}

char *
mem_dup(const char *s, size_t n)
{
	char *p = mem_new(n + 1);

	if (n != 0)
		memcpy(p, s, n);
	return p;
}

char *
mem_dups(const char *s)
{
	return s != NULL ? mem_dup(s, strlen(s)) : NULL;
}

void
mem_free(void *p)
{
	free(p);
}

void
mem_wipe(void *p, size_t n)
{
	OPENSSL_cleanse(p, n);
}

void
arena_init(struct arena *a, void *first, size_t size)
{
	assert(((uintptr_t)first & 15) == 0);
	a->head = NULL;
	a->at = first;
	a->left = first != NULL ? size : 0;
	a->total = 0;
}

static int
add_block(struct arena *a, size_t need)
{
	size_t size = need > ARENA_BLOCK ? need : ARENA_BLOCK;
	struct arena_block *b;

	if (need > SIZE_MAX - sizeof(*b))
		return -1;
	b = malloc(sizeof(*b) + size);
	if (b == NULL)
		return -1;
	b->size = size;
	b->next = a->head;
	a->head = b;
	a->at = (char *)b->data;
	a->left = size;
	return 0;
}

/* Nothing is asked for as if it were one byte: each answer is a place of its
 * own, and never NULL. */
static size_t
rounded(size_t size)
{
	return size != 0 ? (size + 15) & ~(size_t)15 : 16;
}

/* NULL: no memory. */
static void *
take(struct arena *a, size_t size)
{
	size_t need = rounded(size);
	void *p;

	if (need < size || (need > a->left && add_block(a, need) < 0))
		return NULL;
	p = a->at;
	a->at += need;
	a->left -= need;
	a->total += need;
	return memset(p, 0, need);
}

void *
arena_try(struct arena *a, size_t size)
{
	if (rounded(size) > a->left && told_to_fail())
		return NULL;
	return take(a, size);
}

void *
arena_new(struct arena *a, size_t size)
{
	void *p = take(a, size);

	if (p == NULL)
		obj_panic(__FILE__, __LINE__, "out of memory");
	return p;
}

char *
arena_dup(struct arena *a, const char *s, size_t n)
{
	char *p = arena_new(a, n + 1);

	if (n != 0)
		memcpy(p, s, n);
	return p;
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	assert(n >= 0);
	p = arena_new(a, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}

void
arena_fini(struct arena *a)
{
	struct arena_block *b;

	while ((b = a->head) != NULL) {
		a->head = b->next;
		free(b);
	}
	a->at = NULL;
	a->left = 0;
}
