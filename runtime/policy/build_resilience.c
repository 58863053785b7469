/* SPDX-License-Identifier: MIT
 *
 * build_resilience - resilience.lua: limits of time, and retries.
 */
#include <math.h>
#include <string.h>

#include "build.h"

#define LONGEST_S (24.0 * 3600)
#define MOST_RETRIES 20

/* A time of a field in whole milliseconds; what is there is left alone when
 * the field is not. */
static int
take_time(const struct decl *d, const char *field, int64_t *ms, struct err *e)
{
	const struct decl_value *v = decl_field(&d->fields, field);

	if (v == NULL)
		return 0;
	if (!(v->number >= 0.001 && v->number <= LONGEST_S))
		return decl_fail(e, d, "%s is between 1 ms and one day", field);
	*ms = (int64_t)llround(v->number * 1000);
	return 0;
}

static int
take_class(const struct decl *d, struct class_rules *c, struct err *e)
{
	const struct decl_value *v = decl_field(&d->fields, "retries");

	if (take_time(d, "timeout", &c->timeout_ms, e) < 0)
		return e->code;
	if (v == NULL)
		return 0;
	if (!(v->number >= 0 && v->number <= MOST_RETRIES) ||
	    v->number != floor(v->number))
		return decl_fail(e, d, "retries is a whole number from 0 to %d",
				 MOST_RETRIES);
	c->retries = (int)v->number;
	return 0;
}

static enum rules_class
class_of(const struct decl *d)
{
	if (strcmp(d->name, "read") == 0)
		return RULES_READ;
	return strcmp(d->name, "write") == 0 ? RULES_WRITE : RULES_CRITICAL;
}

int
build_resilience(const struct build *b, struct err *e)
{
	const struct decl_list *l = build_file(b, "resilience");
	struct retry_rules *r = &b->rules->retry;
	const struct decl *d;
	unsigned i = 0;

	while ((d = build_next(l, "class", &i)) != NULL)
		if (take_class(d, &b->rules->classes[class_of(d)], e) < 0)
			return e->code;
	i = 0;
	d = build_next(l, "retry", &i);
	if (d == NULL)
		return 0;
	if (take_time(d, "base", &r->base_ms, e) < 0 ||
	    take_time(d, "cap", &r->cap_ms, e) < 0)
		return e->code;
	if (r->base_ms > r->cap_ms)
		return decl_fail(e, d, "base is longer than cap");
	return 0;
}
