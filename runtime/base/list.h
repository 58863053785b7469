/* SPDX-License-Identifier: MIT
 *
 * list - intrusive, circular, doubly linked: where a state is a list.
 *
 * A `struct list` is either a head or a member's link.  An initialised link
 * that is in no list points at itself, so list_remove() of it is harmless and
 * list_linked() tells whether a member is anywhere at all.
 *
 * Memory: owns nothing.  Thread: that of its owner.
 */
#ifndef LIST_H
#define LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "obj.h"

struct list {
	struct list *next, *prev;
};

static inline void
list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool
list_empty(const struct list *l)
{
	return l->next == l;
}

/* A member's link: is it in some list? */
static inline bool
list_linked(const struct list *l)
{
	return l->next != l;
}

static inline void
list_insert_after(struct list *at, struct list *l)
{
	l->next = at->next;
	l->prev = at;
	at->next->prev = l;
	at->next = l;
}

static inline void
list_push_front(struct list *head, struct list *l)
{
	list_insert_after(head, l);
}

static inline void
list_push_back(struct list *head, struct list *l)
{
	list_insert_after(head->prev, l);
}

static inline void
list_remove(struct list *l)
{
	l->next->prev = l->prev;
	l->prev->next = l->next;
	list_init(l);
}

/* From wherever it is to the end (or the front) of another list. */
static inline void
list_move_back(struct list *head, struct list *l)
{
	list_remove(l);
	list_push_back(head, l);
}

static inline void
list_move_front(struct list *head, struct list *l)
{
	list_remove(l);
	list_push_front(head, l);
}

/* All of `from` goes to the end of `to`; `from` is left empty. */
static inline void
list_splice_back(struct list *to, struct list *from)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	from->prev->next = to;
	to->prev->next = from->next;
	to->prev = from->prev;
	list_init(from);
}

/* First link of the list, or NULL. */
static inline struct list *
list_first(const struct list *head)
{
	return list_empty(head) ? NULL : head->next;
}

static inline struct list *
list_last(const struct list *head)
{
	return list_empty(head) ? NULL : head->prev;
}

static inline size_t
list_count(const struct list *head)
{
	size_t n = 0;

	for (const struct list *l = head->next; l != head; l = l->next)
		n++;
	return n;
}

#define LIST_ENTRY(link, type, field) CONTAINER_OF(link, type, field)

/* `link` is a struct list *; the body may not remove it. */
#define LIST_EACH(link, head)                                  \
	for (struct list *link = (head)->next; link != (head); \
	     link = link->next)

/* As LIST_EACH, and the body may remove `link` itself. */
#define LIST_EACH_SAFE(link, head)                                        \
	for (struct list *link = (head)->next, *link##_next = link->next; \
	     link != (head); link = link##_next, link##_next = link->next)

#endif
