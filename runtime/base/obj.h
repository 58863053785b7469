/* SPDX-License-Identifier: MIT
 *
 * obj - trust nothing you are handed: structs that prove what they are.
 *
 * Every struct that crosses a module boundary begins with `unsigned magic`.
 * OBJ_CHECK proves a typed pointer, OBJ_CAST proves a `void *` that came back
 * through a callback, OBJ_FINI makes a second use of a dead object fail at
 * once instead of somewhere else later.
 *
 * assert() here is ours: on in release, cheap, and its text goes through the
 * host's hook (obj_on_panic) before the process ends with abort().
 *
 * Thread: the hook is set once, before any thread is started.
 */
#ifndef OBJ_H
#define OBJ_H

#include <stddef.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define COLD __attribute__((cold, noinline))
#define UNUSED __attribute__((unused))

/* Called with the full text just before abort().  It may log; it cannot
 * prevent the end.  NULL restores the default (one line on stderr). */
void obj_on_panic(void (*hook)(const char *text));

/* Ends the process: a rule of ours is broken and going on could show one
 * clinic the rows of another. */
COLD _Noreturn void obj_panic(const char *file, int line, const char *text);

#undef assert
#define assert(cond)                   \
	(__builtin_expect(!!(cond), 1) \
		 ? (void)0             \
		 : obj_panic(__FILE__, __LINE__, "assertion failed: " #cond))

#define OBJ_INIT(o, m) ((void)((o)->magic = (m)))
#define OBJ_FINI(o) ((void)((o)->magic = 0xdeadbeefu))
#define OBJ_CHECK(o, m) assert((o) != NULL && (o)->magic == (m))

/* Gives `to` the object behind `from` after proving its kind. */
#define OBJ_CAST(to, from, m)         \
	do {                          \
		(to) = (from);        \
		OBJ_CHECK((to), (m)); \
	} while (0)

/* As OBJ_CAST, and the caller's pointer is taken away (left NULL). */
#define OBJ_TAKE(to, pfrom, m)        \
	do {                          \
		(to) = *(pfrom);      \
		OBJ_CHECK((to), (m)); \
		*(pfrom) = NULL;      \
	} while (0)

#define CONTAINER_OF(ptr, type, field) \
	((type *)((char *)(ptr)-offsetof(type, field)))

#endif
