/* SPDX-License-Identifier: MIT */
#include "whose.h"

#include "refusal.h"

static unsigned
form_of(enum tenant_type type)
{
	static const unsigned forms[] = {CONTEXT_UUID, CONTEXT_INT4,
					 CONTEXT_INT8, CONTEXT_TEXT};

	return forms[type];
}

int
whose_allows(const struct whose_ask *ask, struct err *e)
{
	const struct context *c = ask->context;

	if (c == NULL || c->ntenants == 0)
		return refuse(e, REFUSE_NO_TENANT,
			      "the statement touches rows of tenants and the "
			      "context has none; run it in db:with_tenant "
			      "(lunate_context), or as system");
	if (ask->needs_one && c->ntenants > 1)
		return refuse(e, REFUSE_TENANT,
			      "the context has a set of tenants; a write needs "
			      "exactly one");
	if ((c->forms & form_of(ask->type)) == 0)
		return refuse(e, REFUSE_TENANT,
			      "the context's tenant is no %s, which "
			      "isolation.lua says tenants are",
			      tenant_type_name(ask->type));
	return 0;
}
