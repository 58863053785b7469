/* SPDX-License-Identifier: MIT
 *
 * build_resilience - resilience.lua: retries, and the waits between them.
 *
 * The timeout of a class is checked and not taken: connections have theirs from
 * the options since their login.  It and the breaker's numbers are noted in
 * rules->not_yet.
 */
#include <math.h>
#include <string.h>

#include "build.h"

#define LONGEST_S (24.0 * 3600)

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
	int64_t unused;

	if (take_time(d, "timeout", &unused, e) < 0)
		return e->code;
	if (v == NULL)
		return 0;
	if (v->type == DECL_FUNCTION) {
		c->retries_by = v->function;
		return 0;
	}
	if (!(v->number >= 0 && v->number <= RULES_RETRIES) ||
	    v->number != floor(v->number))
		return decl_fail(e, d, "retries is a whole number from 0 to %d",
				 RULES_RETRIES);
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

static bool
without_effect(const struct decl_list *l)
{
	for (unsigned i = 0; i < l->n; i++)
		if (strcmp(l->decls[i].word->name, "breaker") == 0 ||
		    decl_field(&l->decls[i].fields, "timeout") != NULL)
			return true;
	return false;
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
	if (without_effect(l))
		b->rules->not_yet |= 1u << (vocab_file("resilience", 10) -
					    vocab_files);
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
