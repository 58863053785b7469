/* SPDX-License-Identifier: MIT
 *
 * mem - two allocators with two promises, and an arena per operation.
 *
 * mem_new() cannot fail: for small things whose size we choose; out of memory
 * there ends the process with a text.  mem_try() can fail: for every size that
 * came from outside (a result, a file, a parameter); its NULL is always
 * checked.  Both return zeroed memory, both are freed with mem_free().
 *
 * arena - bump allocation that is freed as a whole.  The first block lies
 * inside the arena's owner when it is small enough, so a short operation
 * allocates nothing at all.
 *
 * Always true: 0 <= left <= size of the current block; blocks form a list
 *              whose head is the current one.
 * Thread: mem_* any; an arena belongs to its owner's thread.
 */
#ifndef MEM_H
#define MEM_H

#include <stdarg.h>
#include <stddef.h>

#include "obj.h"

void *mem_new(size_t size);
MUST_USE
void *mem_try(size_t size);

/* Grows or shrinks; new bytes are NOT zeroed.  NULL: the old block stands. */
MUST_USE
void *mem_try_resize(void *p, size_t size);

/* As mem_try_resize and cannot fail: for what grows by our own doing. */
void *mem_resize(void *p, size_t size);

/* Cannot fail.  mem_dup copies n bytes and adds a terminating 0. */
char *mem_dup(const char *s, size_t n);
char *mem_dups(const char *s);

void mem_free(void *p);

/* Overwrites n bytes in a way the compiler may not remove. */
void mem_wipe(void *p, size_t n);

/* Test hook: the nth call from now on that may fail (mem_try, mem_try_resize,
 * an arena_try that needs a block) fails, once; 0 = never.  What cannot fail
 * is not counted. */
void mem_fail_after(unsigned n);

struct arena {
	struct arena_block *head; /* current block, or NULL */
	char *at;		  /* next free byte */
	size_t left;		  /* free bytes from `at` on */
	size_t total;		  /* bytes handed out so far, rounded up */
};

#define ARENA_BLOCK 2048

/* `first` (may be NULL) is memory of the owner used before any block. */
void arena_init(struct arena *a, void *first, size_t size);

/* Cannot fail; 16-byte aligned; zeroed. */
void *arena_new(struct arena *a, size_t size);

/* For sizes from outside; NULL when there is no memory. */
MUST_USE
void *arena_try(struct arena *a, size_t size);

char *arena_dup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
void arena_fini(struct arena *a);

#endif
