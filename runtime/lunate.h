/* SPDX-License-Identifier: MIT
 *
 * lunate - a Lua-scriptable embedded data runtime over PostgreSQL.
 *
 * The only public header.  This version of the library offers hosts its
 * version and its list of errors; operations are offered to Lua (the module
 * `lunate`, the command `lunate run`).
 *
 * Thread: every function here may be called from any thread at any time.
 * Memory: every text is a constant of the library.
 */
#ifndef LUNATE_H
#define LUNATE_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define LUNATE_API __attribute__((visibility("default")))
#else
#define LUNATE_API
#endif

/* "MAJOR.MINOR.PATCH" of the library that is loaded. */
LUNATE_API const char *lunate_version(void);

/* The word scripts see as err.code: "deadline" for -7; "ok" for 0;
 * "internal" for a number that is no code. */
LUNATE_API const char *lunate_error_word(int code);

/* One line on what the code means; "" for a number that is no code. */
LUNATE_API const char *lunate_error_meaning(int code);

/* 1 when the same call may succeed later as it is, else 0. */
LUNATE_API int lunate_error_retryable(int code);

#ifdef __cplusplus
}
#endif

#endif
