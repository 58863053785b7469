/* SPDX-License-Identifier: MIT
 *
 * redact - no value of a row or a parameter in a log, an error or a label.
 *
 * Everything from outside that may end in one of those goes through here
 * first.  Names (tables, columns, constraints, types, roles) may stay, values
 * may not.  What cannot be told apart is taken for a value: a text that lost
 * too much can be looked up by its SQLSTATE, one that kept a diagnosis cannot
 * be called back.
 *
 * All functions append to `out` and cannot fail.  A value is replaced by `?`,
 * a password by `***`.
 *
 * Thread: any; pure functions.
 */
#ifndef REDACT_H
#define REDACT_H

#include <stddef.h>

#include "str.h"

/* At most `max` bytes of the text, whole UTF-8 characters; "..." follows what
 * was cut. */
void redact_cut(struct str *out, const char *text, size_t max);

/* SQL text without literals and comments, white space made single, at most
 * about `max` bytes of it.  Literals are read as PostgreSQL's scanner does
 * with standard_conforming_strings on: '..', E'..', B'..', X'..', N'..',
 * U&'..', continued over a line end, $tag$..$tag$, numbers.  Stay: $1,
 * identifiers (also quoted), operators, words.  Where quoting is broken (a
 * literal that never ends, or is glued to a word as in 'O'Brien') nothing
 * from the first literal on can be trusted: one ? stands for the rest. */
void redact_sql(struct str *out, const char *sql, size_t len, size_t max);

/* A text with the passwords of URLs (scheme://user:password@host, also
 * ?password=...) and of connection strings (password = '...') taken out. */
void redact_secrets(struct str *out, const char *text);

/* The primary message or the hint of a server error.  `sqlstate` may be NULL.
 *
 *   - what follows `: "`, `: 0x`, `: (`, `: '` or, in class 22, `: 1` is a
 *     value (22P02, 22007, 22008, 22003, 22021, 22023);
 *   - "..." stays when the word before it announces a name (relation "t"), or
 *     in class 42, where only names can stand; else it is a value up to the
 *     last quote (value "9" is out of range, "z" is not a valid digit);
 *   - `at or near "..."` keeps a key word or punctuation, nothing else;
 *   - bytes (0xe9) are values; in class 22 and in what a function of the
 *     application raised also numbers and '...', except in types: numeric(5,2);
 *   - from the first quote of another language on («, „, ...) all goes.
 *
 * Not covered: unquoted words that a RAISE of the application put into its
 * message, and values written where SQL wants a name ("smith" as a column). */
void redact_message(struct str *out, const char *sqlstate, const char *text);

/* Every place in `text` where a known value stands as a word of its own,
 * whatever the case of its letters, becomes `?`, in place.  Values of less
 * than three bytes are not looked for: they would hit everywhere. */
void redact_known(char *text, const char *value, size_t len);

/* The DETAIL of a server error.  Kept are the shapes known to hold names only,
 * and of the others the names: "Key (email)=(a@b.c) already exists." becomes
 * "Key (email) already exists.".  What is not known gives nothing. */
void redact_detail(struct str *out, const char *sqlstate, const char *text);

/* The CONTEXT of a server error: the lines that say where (PL/pgSQL function,
 * COPY with table, line and column), without parameters, statements, rows. */
void redact_context(struct str *out, const char *text);

#endif
