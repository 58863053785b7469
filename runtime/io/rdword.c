/* SPDX-License-Identifier: MIT */
#include "rdword.h"

bool
rdword_subscribes(const struct rdargs *a)
{
	static const char *const words[] = {
		"SUBSCRIBE",
		"PSUBSCRIBE",
		"UNSUBSCRIBE",
		"PUNSUBSCRIBE",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (rdargs_is(a, 0, words[i]))
			return true;
	return false;
}

bool
rdword_loses_order(const struct rdargs *a)
{
	static const char *const words[] = {
		"MONITOR", "HELLO",	 "RESET",	 "SYNC",
		"PSYNC",   "SSUBSCRIBE", "SUNSUBSCRIBE",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (rdargs_is(a, 0, words[i]))
			return true;
	return rdargs_is(a, 0, "CLIENT") && rdargs_is(a, 1, "REPLY");
}

static bool
first_is(const struct rdreply *r, const char *const *words)
{
	if (r->kind != RDREPLY_ARRAY || r->n < 3)
		return false;
	for (; *words != NULL; words++)
		if (rdreply_is(&r->at[0], *words))
			return true;
	return false;
}

bool
rdword_is_confirmation(const struct rdreply *r)
{
	static const char *const words[] = {
		"subscribe", "psubscribe", "unsubscribe", "punsubscribe", NULL,
	};

	return first_is(r, words) && r->at[2].kind == RDREPLY_INTEGER;
}

bool
rdword_is_published(const struct rdreply *r)
{
	static const char *const words[] = {"message", "pmessage", NULL};

	return first_is(r, words);
}
