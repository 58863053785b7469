/* SPDX-License-Identifier: MIT */
#include "expr_int.h"

#include <string.h>

static const struct {
	const char *word;
	bool set;
} attrs[EXPR_ATTRS_N] = {
#define EXPR_ATTR_ROW(name, word, set, meaning) {word, set},
	EXPR_ATTRS(EXPR_ATTR_ROW)
#undef EXPR_ATTR_ROW
};

const char *
expr_attr_word(enum expr_attr a)
{
	return attrs[a].word;
}

bool
expr_attr_is_set(enum expr_attr a)
{
	return attrs[a].set;
}

enum expr_attr
expr_attr_of(const char *word)
{
	unsigned a = 0;

	while (a < EXPR_ATTRS_N && strcmp(attrs[a].word, word) != 0)
		a++;
	return (enum expr_attr)a;
}

unsigned
expr_facts(const struct context *c, struct expr_fact out[EXPR_FACTS])
{
	unsigned n = 0;

	if (c != NULL && c->nlocations > 0)
		out[n++] = (struct expr_fact){EXPR_ATTR_LOCATIONS,
					      c->nlocations, c->locations};
	if (c != NULL && c->clinic_tz != NULL)
		out[n++] = (struct expr_fact){EXPR_ATTR_CLINIC_TZ, 1,
					      &c->clinic_tz};
	return n;
}

/* One that the context itself carries as a single text. */
static const char *
single(const struct context *c, enum expr_attr a)
{
	switch (a) {
	case EXPR_ATTR_USER:
		return c->user;
	case EXPR_ATTR_LOCATION:
		return c->location;
	case EXPR_ATTR_IP:
		return c->ip;
	case EXPR_ATTR_DEVICE:
		return c->device;
	case EXPR_ATTR_PURPOSE:
		return c->purpose;
	case EXPR_ATTR_CLINICS:
	case EXPR_ATTR_ROLES:
	case EXPR_ATTR_LOCATIONS:
	case EXPR_ATTR_CLINIC_TZ:
	case EXPR_ATTRS_N:
		break;
	}
	return NULL;
}

/* The context comes first: a fact does not stand in for what it says. */
static const struct expr_fact *
fact(const struct expr_ask *ask, enum expr_attr a)
{
	for (unsigned i = 0; i < ask->nfacts; i++)
		if (ask->facts[i].attr == a)
			return &ask->facts[i];
	return NULL;
}

static bool
by_fact(enum expr_attr a)
{
	return a == EXPR_ATTR_LOCATIONS || a == EXPR_ATTR_CLINIC_TZ;
}

unsigned
expr_attr_count(const struct expr_ask *ask, enum expr_attr a)
{
	const struct expr_fact *f;

	if (by_fact(a)) {
		f = fact(ask, a);
		return f != NULL ? f->n : 0;
	}
	if (ask->ctx == NULL)
		return 0;
	if (a == EXPR_ATTR_CLINICS)
		return ask->ctx->ntenants;
	if (a == EXPR_ATTR_ROLES)
		return ask->ctx->nroles;
	return single(ask->ctx, a) != NULL;
}

struct expr_text
expr_attr_at(const struct expr_ask *ask, enum expr_attr a, unsigned i)
{
	const char *t;

	if (a == EXPR_ATTR_CLINICS)
		return (struct expr_text){ask->ctx->tenants[i].id,
					  ask->ctx->tenants[i].len};
	if (by_fact(a))
		t = fact(ask, a)->texts[i];
	else
		t = a == EXPR_ATTR_ROLES ? ask->ctx->roles[i]
					 : single(ask->ctx, a);
	return (struct expr_text){t, strlen(t)};
}

unsigned
expr_list_count(const struct expr *x, const struct expr_ask *ask)
{
	return x->nlist > 0 ? x->nlist : expr_attr_count(ask, x->right.attr);
}

struct expr_text
expr_list_at(const struct expr *x, const struct expr_ask *ask, unsigned i)
{
	if (x->nlist == 0)
		return expr_attr_at(ask, x->right.attr, i);
	return (struct expr_text){x->list[i].text, strlen(x->list[i].text)};
}
