/* SPDX-License-Identifier: MIT */
#include "sized.h"

#include <string.h>

#define SIZE_MOST 65536 /* more is a size that nobody has set */

static bool
all_zero(const char *at, size_t n)
{
	while (n > 0 && *at == 0)
		at++, n--;
	return n == 0;
}

int
sized_take(const struct sized *s, struct err *e)
{
	size_t known = s->size, given = 0;

	if (s->from != NULL)
		memcpy(&given, s->from, sizeof(given));
	if (given <= sizeof(given) || given > SIZE_MOST)
		return err_set(e, LUNATE_EINVAL, "no size in %s", s->name);
	if (given > known &&
	    !all_zero((const char *)s->from + known, given - known))
		return err_set(e, LUNATE_EINVAL,
			       "something in %s is newer than this library; "
			       "use the one that the header belongs to",
			       s->name);
	memset(s->to, 0, known);
	memcpy(s->to, s->from, given < known ? given : known);
	return 0;
}
