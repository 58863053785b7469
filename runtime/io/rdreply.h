/* SPDX-License-Identifier: MIT
 *
 * rdreply - what a Redis server answered, as a plain tree.
 *
 * hiredis' reader does the parsing; it builds these nodes through
 * rdreply_builder.  The elements of an array lie side by side.
 *
 * Memory: sizes come from outside, so building may fail (the reader then
 *         reports it); rdreply_free() frees the whole tree.
 * Thread: that of its connection.
 */
#ifndef RDREPLY_H
#define RDREPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <hiredis.h>

#include "err.h"
#include "obj.h"

enum rdreply_kind {
	RDREPLY_NIL, /* must be 0: what an element is before it is read */
	RDREPLY_STRING,
	RDREPLY_STATUS, /* +OK */
	RDREPLY_ERROR,	/* -WRONGTYPE ...: may repeat what was sent */
	RDREPLY_INTEGER,
	RDREPLY_ARRAY,
};

struct rdreply {
	enum rdreply_kind kind;
	int64_t integer;
	const char *text; /* STRING, STATUS, ERROR: 0-terminated, any bytes */
	size_t len;	  /* of text */
	const struct rdreply *at; /* ARRAY: its n elements */
	size_t n;
};

/* Feeds the reader once from the socket.  Gives the number of bytes, 0 when
 * none are there, or -1 with errno (ECONNRESET at the end of the stream). */
MUST_USE
ssize_t rdreply_read(redisContext *ctx, char *buf, size_t size);

/* For redisReader.fn. */
extern redisReplyObjectFunctions rdreply_builder;

/* Text of any kind that has one, compared whole. */
bool rdreply_is(const struct rdreply *r, const char *text);

/* For an ERROR: its code and the word in front of the server's text, never the
 * text itself (it may repeat a value).  Gives the code. */
int rdreply_err(const struct rdreply *r, struct err *e);

void rdreply_free(struct rdreply **pr);

#endif
