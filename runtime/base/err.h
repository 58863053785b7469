/* SPDX-License-Identifier: MIT
 *
 * err - one closed list of failures, and a fixed-size place to describe one.
 *
 * A function that can fail returns 0 or a negative LUNATE_E* and fills the
 * caller's `struct err`.  No allocation: the text is cut to fit.  Each floor
 * that passes an error on adds its own clause in front with err_wrap().  The
 * text names the cause and the remedy and never holds a value of a row or of
 * a parameter.
 *
 * The word of a code is what scripts see as err.code.
 */
#ifndef ERR_H
#define ERR_H

#include <stdbool.h>

#include "obj.h"

/* X(name, number, word, retryable by the caller as it is, meaning) */
/* clang-format off */
#define ERR_CODES(X) \
	X(EINVAL, -1, "invalid", false, "an argument or value is unusable") \
	X(ECONFIG, -2, "config", false, "an option cannot be used") \
	X(ECONNECT, -3, "connect_failed", true, "the server is not reachable") \
	X(EAUTH, -4, "auth_failed", false, "the server refused the login") \
	X(EPOOL, -5, "pool_exhausted", true, "no connection became free in time") \
	X(EDEADLINE, -6, "deadline", false, "the deadline passed") \
	X(ECANCELLED, -7, "cancelled", false, "the task was cancelled") \
	X(ELOST, -8, "connection_lost", true, "the connection died; nothing was done") \
	X(EINDOUBT, -9, "in_doubt", false, "the connection died; a write may or may not have happened") \
	X(ESYNTAX, -10, "syntax", false, "the SQL text cannot be parsed") \
	X(EPARAM, -11, "parameters", false, "number or kind of parameters is wrong") \
	X(EVALUE, -12, "value", false, "a value does not fit its type") \
	X(ECONSTRAINT, -13, "constraint", false, "a constraint refused the change") \
	X(ECONFLICT, -14, "conflict", true, "a concurrent transaction interfered") \
	X(EDENIED, -15, "denied", false, "not allowed") \
	X(EUNDEFINED, -16, "undefined", false, "a table, column or function does not exist") \
	X(EREADONLY, -17, "read_only", false, "a write where only reads are allowed") \
	X(EQUERY, -18, "query_failed", false, "the server refused the statement") \
	X(ETX, -19, "transaction", false, "the transaction cannot go on") \
	X(ETOOBIG, -20, "too_big", false, "a result or value is over its limit") \
	X(ECLOSED, -21, "closed", false, "the object is closed") \
	X(EUNSUPPORTED, -22, "unsupported", false, "not possible here") \
	X(ERESOURCE, -23, "resources", true, "the server is out of something") \
	X(ESERVER, -24, "server_failed", true, "the server failed or shuts down") \
	X(EBREAKER, -25, "breaker_open", true, "calls to this server are suspended") \
	X(EFORK, -26, "forked", false, "the runtime belongs to the parent process") \
	X(EIO, -27, "io", false, "a file or socket failed") \
	X(ENOMEM, -28, "no_memory", false, "no memory for something sized from outside") \
	X(EBUSY, -29, "busy", true, "the object is in use by somebody else") \
	X(EINTERNAL, -30, "internal", false, "a rule of lunate itself was broken")

/* clang-format on */
enum err_code {
	LUNATE_OK = 0,
#define ERR_ENUM(name, number, word, retryable, meaning) LUNATE_##name = number,
	ERR_CODES(ERR_ENUM)
#undef ERR_ENUM
};

struct err {
	int code;	     /* 0 or LUNATE_E* */
	char sqlstate[6];    /* five characters of the server, or "" */
	char routine[32];    /* server function that raised it, or "" */
	char constraint[64]; /* violated constraint, or "" */
	int position;	     /* character of the statement, from 1; 0 = none */
	char text[600];	     /* cause and remedy, no values */
};

/* Forgets what was there. */
void err_clear(struct err *e);

/* Fills *e (which may be NULL) and returns `code`, so that a failing function
 * ends with `return err_set(e, LUNATE_EINVAL, "...")`. */
int err_set(struct err *e, enum err_code code, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

/* Puts a clause in front of the text: "load x.lua: " + text.  Returns the
 * code that is already there. */
int err_wrap(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The code for an SQLSTATE (class rules of the retry table); `sqlstate` may
 * be NULL or "" (then LUNATE_EQUERY). */
enum err_code err_from_sqlstate(const char *sqlstate);

/* "deadline" for LUNATE_EDEADLINE; "ok" for 0; "internal" when unknown. */
const char *err_word(int code);
const char *err_meaning(int code);

/* The code of a word; LUNATE_EINTERNAL when it is none. */
enum err_code err_of_word(const char *word);
bool err_retryable(int code);

#endif
