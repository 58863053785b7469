/* SPDX-License-Identifier: MIT */
#include "spare.h"

#include "mem.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KEPT 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define KEPT 0
#endif
#endif
#ifndef KEPT
#define KEPT SPARE_MOST
#endif

void *
spare_take(struct spare *s, size_t size)
{
	void *p = s->first;

	if (p == NULL)
		return mem_new(size);
	s->first = *(void **)p;
	s->n--;
	return p;
}

void
spare_give(struct spare *s, void *p)
{
	if (s->n >= KEPT) {
		mem_free(p);
		return;
	}
	*(void **)p = s->first;
	s->first = p;
	s->n++;
}

void
spare_fini(struct spare *s)
{
	while (s->first != NULL)
		mem_free(spare_take(s, 0));
}
