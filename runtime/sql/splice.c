/* SPDX-License-Identifier: MIT */
#include "splice.h"

#include <stdlib.h>
#include <string.h>

void
splice_init(struct splice *s, struct arena *a)
{
	*s = (struct splice){.a = a};
}

static void
grow(struct splice *s)
{
	unsigned room = s->room != 0 ? s->room * 2 : 16;
	struct splice_edit *more = arena_new(s->a, room * sizeof(*more));

	if (s->n != 0)
		memcpy(more, s->edits, s->n * sizeof(*more));
	s->edits = more;
	s->room = room;
}

void
splice_replace(struct splice *s, size_t start, size_t end, const char *text)
{
	assert(start <= end);
	if (s->n == s->room)
		grow(s);
	s->edits[s->n] = (struct splice_edit){start, end, text, s->n};
	s->n++;
}

void
splice_insert(struct splice *s, size_t at, const char *text)
{
	splice_replace(s, at, at, text);
}

static int
by_place(const void *va, const void *vb)
{
	const struct splice_edit *a = va, *b = vb;
	int a_replaces = a->end > a->start, b_replaces = b->end > b->start;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	if (a_replaces != b_replaces)
		return a_replaces - b_replaces;
	return a->order < b->order ? -1 : 1;
}

static size_t
longest(const struct splice *s, size_t len)
{
	for (unsigned i = 0; i < s->n; i++)
		len += strlen(s->edits[i].text);
	return len;
}

static size_t
put(char *out, size_t at, const char *bytes, size_t n)
{
	memcpy(out + at, bytes, n);
	return at + n;
}

const char *
splice_apply(struct splice *s, const char *text, size_t len, size_t *out_len)
{
	char *out = arena_new(s->a, longest(s, len) + 1);
	size_t at = 0, seen = 0;

	if (s->n > 1)
		qsort(s->edits, s->n, sizeof(*s->edits), by_place);
	for (unsigned i = 0; i < s->n; i++) {
		const struct splice_edit *d = &s->edits[i];

		if (d->start < seen || d->end > len)
			return NULL;
		at = put(out, at, text + seen, d->start - seen);
		at = put(out, at, d->text, strlen(d->text));
		seen = d->end;
	}
	at = put(out, at, text + seen, len - seen);
	out[at] = 0;
	*out_len = at;
	return out;
}
