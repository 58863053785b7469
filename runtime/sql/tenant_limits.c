/* SPDX-License-Identifier: MIT
 *
 * Limits as a whole: compared, hashed, kept.  Which values stand in them is no
 * part of that, since values are parameters.
 */
#include <string.h>

#include <xxhash.h>

#include "tenant.h"

/* ---- the same ----------------------------------------------------------- */

struct condition {
	const struct tenant_part *parts;
	unsigned n;
};

static bool
same_condition(struct condition a, struct condition b)
{
	if (a.n != b.n)
		return false;
	for (unsigned i = 0; i < a.n; i++)
		if (a.parts[i].then != b.parts[i].then ||
		    (a.parts[i].then == TENANT_PART_VALUE &&
		     a.parts[i].value != b.parts[i].value) ||
		    strcmp(a.parts[i].text, b.parts[i].text) != 0)
			return false;
	return true;
}

static bool
same_limit(const struct tenant_limit *a, const struct tenant_limit *b)
{
	if (a->action != b->action || a->nmasks != b->nmasks ||
	    strcmp(a->schema, b->schema) != 0 ||
	    strcmp(a->name, b->name) != 0 ||
	    !same_condition((struct condition){a->parts, a->nparts},
			    (struct condition){b->parts, b->nparts}))
		return false;
	for (unsigned i = 0; i < a->nmasks; i++) {
		const struct tenant_mask *ma = &a->masks[i], *mb = &b->masks[i];

		if (strcmp(ma->column, mb->column) != 0 ||
		    !same_condition((struct condition){ma->parts, ma->nparts},
				    (struct condition){mb->parts, mb->nparts}))
			return false;
	}
	return true;
}

bool
tenant_limits_same(const struct tenant_limits *a, const struct tenant_limits *b)
{
	if (a == b)
		return true;
	if (a == NULL || b == NULL || a->nlimits != b->nlimits ||
	    a->nvalues != b->nvalues)
		return false;
	for (unsigned i = 0; i < a->nlimits; i++)
		if (!same_limit(&a->limits[i], &b->limits[i]))
			return false;
	return true;
}

/* ---- the hash ----------------------------------------------------------- */

static uint64_t
mix(uint64_t seed, const char *text)
{
	return XXH3_64bits_withSeed(text, strlen(text), seed);
}

static uint64_t
mix_condition(uint64_t h, struct condition c)
{
	for (unsigned i = 0; i < c.n; i++)
		h = mix(h + c.parts[i].then + c.parts[i].value * 8ull,
			c.parts[i].text);
	return h;
}

uint64_t
tenant_limits_hash(const struct tenant_limits *l)
{
	uint64_t h = 0;

	for (unsigned i = 0; l != NULL && i < l->nlimits; i++) {
		const struct tenant_limit *x = &l->limits[i];

		h = mix(mix(h + x->action + 1, x->schema), x->name);
		h = mix_condition(h, (struct condition){x->parts, x->nparts});
		for (unsigned k = 0; k < x->nmasks; k++)
			h = mix_condition(
				mix(h, x->masks[k].column),
				(struct condition){x->masks[k].parts,
						   x->masks[k].nparts});
	}
	return h;
}

/* ---- a copy ------------------------------------------------------------- */

static const char *
keep(struct arena *a, const char *text)
{
	return arena_dup(a, text, strlen(text));
}

static const struct tenant_part *
keep_parts(struct arena *a, struct condition c)
{
	struct tenant_part *parts = arena_new(a, (c.n + 1) * sizeof(*parts));

	for (unsigned i = 0; i < c.n; i++) {
		parts[i] = c.parts[i];
		parts[i].text = keep(a, c.parts[i].text);
	}
	return parts;
}

static struct tenant_limit
keep_limit(struct arena *a, const struct tenant_limit *l)
{
	struct tenant_mask *masks = arena_new(a,
					      (l->nmasks + 1) * sizeof(*masks));
	struct tenant_limit out = *l;

	out.schema = keep(a, l->schema);
	out.name = keep(a, l->name);
	out.parts = keep_parts(a, (struct condition){l->parts, l->nparts});
	for (unsigned i = 0; i < l->nmasks; i++) {
		masks[i] = l->masks[i];
		masks[i].column = keep(a, l->masks[i].column);
		masks[i].parts = keep_parts(
			a, (struct condition){l->masks[i].parts,
					      l->masks[i].nparts});
	}
	out.masks = masks;
	return out;
}

void
tenant_limits_copy(const struct tenant_limits *l, struct arena *a,
		   struct tenant_limits *out)
{
	struct tenant_limit *all = arena_new(a,
					     (l->nlimits + 1) * sizeof(*all));

	for (unsigned i = 0; i < l->nlimits; i++)
		all[i] = keep_limit(a, &l->limits[i]);
	*out = (struct tenant_limits){l->nlimits, l->nvalues, all};
}
