/* SPDX-License-Identifier: MIT */
#include "rdout.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "mem.h"

#define KEEP_ROOM (256u << 10) /* an empty buffer larger than this is freed */

void
rdout_init(struct rdout *o)
{
	memset(o, 0, sizeof(*o));
}

/* False: there is no memory, or the server takes nothing. */
static bool
make_room(struct rdout *o, size_t n)
{
	size_t room = o->room > 0 ? o->room : 4096;
	char *bigger;

	if (n > RDOUT_MAX || o->len - o->at + n > RDOUT_MAX)
		return false;
	if (o->at > 0 && o->len + n > o->room) {
		memmove(o->bytes, o->bytes + o->at, o->len - o->at);
		o->len -= o->at;
		o->at = 0;
	}
	while (room < o->len + n)
		room *= 2;
	if (room == o->room)
		return true;
	bigger = mem_try_resize(o->bytes, room);
	if (bigger == NULL)
		return false;
	o->bytes = bigger;
	o->room = room;
	return true;
}

static size_t
arg_len(const struct rdargs *a, size_t i)
{
	return a->len != NULL ? a->len[i] : strlen(a->at[i]);
}

/* An upper bound of its bytes on the wire; saturates. */
static size_t
wire_size(const struct rdargs *a)
{
	size_t n = 32;

	for (size_t i = 0; i < a->n; i++) {
		size_t len = arg_len(a, i);

		if (len > RDOUT_MAX || n > RDOUT_MAX)
			return RDOUT_MAX + 1u;
		n += len + 32;
	}
	return n;
}

static void
put(struct rdout *o, const char *bytes, size_t n)
{
	memcpy(o->bytes + o->len, bytes, n);
	o->len += n;
	o->end += n;
}

static void
put_head(struct rdout *o, char mark, size_t n)
{
	char head[32];
	int len = snprintf(head, sizeof(head), "%c%zu\r\n", mark, n);

	put(o, head, (size_t)len);
}

int
rdout_append(struct rdout *o, const struct rdargs *a, struct err *e)
{
	if (!make_room(o, wire_size(a)))
		return err_set(e, LUNATE_ERESOURCE,
			       "more than %u MB wait for redis, or there is no "
			       "memory for them",
			       RDOUT_MAX >> 20);
	put_head(o, '*', a->n);
	for (size_t i = 0; i < a->n; i++) {
		size_t len = arg_len(a, i);

		put_head(o, '$', len);
		put(o, a->at[i], len);
		put(o, "\r\n", 2);
	}
	return 0;
}

bool
rdargs_is(const struct rdargs *a, size_t i, const char *word)
{
	size_t n = strlen(word);

	return i < a->n && arg_len(a, i) == n &&
	       strncasecmp(a->at[i], word, n) == 0;
}

/* All was taken. */
static void
rewind_buffer(struct rdout *o)
{
	o->at = o->len = 0;
	if (o->room <= KEEP_ROOM)
		return;
	mem_free(o->bytes);
	o->bytes = NULL;
	o->room = 0;
}

int
rdout_send(struct rdout *o, int fd)
{
	while (o->at < o->len) {
		ssize_t n = send(fd, o->bytes + o->at, o->len - o->at,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
		o->at += (size_t)n;
		o->left += (uint64_t)n;
	}
	rewind_buffer(o);
	return 1;
}

void
rdout_fini(struct rdout *o)
{
	mem_free(o->bytes);
	rdout_init(o);
}
