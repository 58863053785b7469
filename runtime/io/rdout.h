/* SPDX-License-Identifier: MIT
 *
 * rdout - commands on their way to a Redis: formatted, not yet taken.
 *
 *   append append append ... -> [ at ........ len ) -> send, as the socket
 *                                                      takes them
 *
 * Always true: at <= len <= room; end - left == len - at; at most RDOUT_MAX
 *              bytes wait.
 * Memory: grows with mem_try, as sizes come from outside; a large buffer is
 *         given back when it is empty.
 * Thread: that of its owner.
 */
#ifndef RDOUT_H
#define RDOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "obj.h"

/* Bytes that may wait for a server that does not read. */
#define RDOUT_MAX (64u << 20)

struct rdargs {
	size_t n;	       /* >= 1; at[0] is the name */
	const char *const *at; /* any bytes */
	const size_t *len;     /* NULL: each is 0-terminated */
	int timeout_ms;	       /* > 0: the reply's deadline from now */
};

struct rdout {
	char *bytes;
	size_t at;     /* first byte not taken */
	size_t len;    /* end of the bytes */
	size_t room;   /* allocated */
	uint64_t end;  /* bytes ever appended */
	uint64_t left; /* bytes ever taken by the socket */
};

void rdout_init(struct rdout *o);

/* Copies the command.  LUNATE_ERESOURCE: too much waits, or no memory. */
MUST_USE
int rdout_append(struct rdout *o, const struct rdargs *a, struct err *e);

/* Is argument i this word, in any case? */
bool rdargs_is(const struct rdargs *a, size_t i, const char *word);

/* Gives the socket what it takes, without SIGPIPE.  1: all is gone, 0: the
 * socket is full, -1: errno says why. */
MUST_USE
int rdout_send(struct rdout *o, int fd);

void rdout_fini(struct rdout *o);

#endif
