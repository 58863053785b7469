/* SPDX-License-Identifier: MIT */
#include "who.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "errand.h"
#include "mem.h"
#include "runtime.h"
#include "sized.h"

/* Adds what is there; false when it is no UTF-8. */
static bool
put(json_t *all, const char *name, const char *text)
{
	return text == NULL ||
	       json_object_set_new(all, name, json_string(text)) == 0;
}

static bool
put_list(json_t *all, const char *name, const char *const *texts)
{
	json_t *list;

	if (texts == NULL)
		return true;
	list = json_array();
	for (; *texts != NULL; texts++)
		if (json_array_append_new(list, json_string(*texts)) < 0) {
			json_decref(list);
			return false;
		}
	return json_object_set_new(all, name, list) == 0;
}

static bool
put_audit(json_t *all, const struct lunate_who *who)
{
	json_t *audit;

	if (who->action == NULL)
		return true;
	audit = json_object();
	if (put(audit, "user_id", who->user) &&
	    put(audit, "action", who->action) &&
	    put(audit, "resource_type", who->resource_type) &&
	    put(audit, "resource_id", who->resource_id))
		return json_object_set_new(all, "audit", audit) == 0;
	json_decref(audit);
	return false;
}

/* What is missing of it, context_new() says. */
static bool
put_glass(json_t *all, const struct lunate_who *who)
{
	json_t *glass;

	if (who->glass_rule == NULL && who->glass_patient == NULL &&
	    who->glass_reason == NULL)
		return true;
	glass = json_object();
	if (put(glass, "rule", who->glass_rule) &&
	    put(glass, "patient", who->glass_patient) &&
	    put(glass, "reason", who->glass_reason) &&
	    put(glass, "id", who->glass_id))
		return json_object_set_new(all, "break_glass", glass) == 0;
	json_decref(glass);
	return false;
}

static bool
put_all(json_t *all, const struct lunate_who *who)
{
	return put(all, "tenant", who->tenant) &&
	       put_list(all, "tenant", who->tenants) &&
	       put(all, "user", who->user) &&
	       put_list(all, "roles", who->roles) &&
	       put(all, "location", who->location) &&
	       put_list(all, "locations", who->locations) &&
	       put(all, "clinic_tz", who->clinic_tz) &&
	       put(all, "ip", who->ip) && put(all, "device", who->device) &&
	       put(all, "purpose", who->purpose) &&
	       put(all, "trace", who->trace) &&
	       put(all, "system", who->system) && put_audit(all, who) &&
	       put_glass(all, who);
}

static int
check_fields(const struct lunate_who *who, struct err *e)
{
	if (who->tenant != NULL && who->tenants != NULL)
		return err_set(e, LUNATE_EINVAL,
			       "a context has one tenant or a set of them, not "
			       "both");
	if (who->system != NULL &&
	    (who->tenant != NULL || who->tenants != NULL))
		return err_set(
			e, LUNATE_EINVAL,
			"work as system is no tenant's; leave one of the "
			"two out");
	if ((who->action == NULL) != (who->resource_type == NULL) ||
	    (who->action != NULL && who->user == NULL))
		return err_set(e, LUNATE_EINVAL,
			       "what a write is done for wants user, action "
			       "and resource_type together");
	return 0;
}

static int
encode(const struct lunate_who *who, struct context **out, struct err *e)
{
	json_t *all = json_object();
	char *json;
	int rc;

	if (!put_all(all, who)) {
		json_decref(all);
		return err_set(e, LUNATE_EINVAL,
			       "a text of the context is not UTF-8");
	}
	json = json_dumps(all, JSON_COMPACT);
	json_decref(all);
	if (json == NULL)
		return err_set(e, LUNATE_ENOMEM, "no memory for a context");
	rc = context_new(json, strlen(json), out, e);
	mem_wipe(json, strlen(json));
	free(json);
	return rc;
}

int
lunate_context_new(const struct lunate_who *given, struct lunate_context **c,
		   struct lunate_error *e)
{
	struct lunate_who who;
	const struct sized s = {
		&who, sizeof(who), given,
		"struct lunate_who; begin with lunate_nobody()"};
	struct err why;
	struct context *context;

	if (sized_take(&s, &why) < 0)
		return error_fill(e, &why);
	if (check_fields(&who, &why) < 0 || encode(&who, &context, &why) < 0)
		return error_fill(e, &why);
	*c = mem_new(sizeof(**c));
	OBJ_INIT(*c, WHO_MAGIC);
	(*c)->refs = 1;
	(*c)->context = context;
	return 0;
}

struct lunate_context *
who_pin(const struct lunate_context *given)
{
	struct lunate_context *c = (struct lunate_context *)given;

	if (c == NULL)
		return NULL;
	OBJ_CHECK(c, WHO_MAGIC);
	__atomic_add_fetch(&c->refs, 1, __ATOMIC_RELAXED);
	return c;
}

struct context *
who_context(const struct lunate_context *c)
{
	if (c == NULL)
		return NULL;
	OBJ_CHECK(c, WHO_MAGIC);
	return context_pin(c->context);
}

const struct context *
who_peek(const struct lunate_context *c)
{
	if (c == NULL)
		return NULL;
	OBJ_CHECK(c, WHO_MAGIC);
	return c->context;
}

void
who_tell(const struct lunate_context *given, struct runtime *rt)
{
	struct lunate_context *c = (struct lunate_context *)given;
	const struct context *inner = who_peek(c);

	if (inner == NULL || inner->system == NULL || !rt->system.given ||
	    __atomic_exchange_n(&c->told, true, __ATOMIC_RELAXED))
		return;
	system_tell(rt, inner->system);
}

void
who_unpin(struct lunate_context **pc)
{
	struct lunate_context *c;

	if (*pc == NULL)
		return;
	OBJ_TAKE(c, pc, WHO_MAGIC);
	if (__atomic_sub_fetch(&c->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	context_unpin(&c->context);
	OBJ_FINI(c);
	mem_free(c);
}

void
lunate_context_free(struct lunate_context **c)
{
	who_unpin(c);
}
