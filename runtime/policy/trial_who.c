/* SPDX-License-Identifier: MIT */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "trial_int.h"

/* ---- as ---------------------------------------------------------------- */

static json_t *
json_of(const struct decl_value *v)
{
	json_t *j;

	switch (v->type) {
	case DECL_BOOL:
		return json_boolean(v->yes);
	case DECL_NUMBER:
		return v->number == (double)(json_int_t)v->number
			       ? json_integer((json_int_t)v->number)
			       : json_real(v->number);
	case DECL_TEXT:
		return json_stringn(v->text, v->len);
	case DECL_LIST:
		j = json_array();
		for (unsigned i = 0; i < v->n; i++)
			json_array_append_new(j, json_of(&v->items[i]));
		return j;
	case DECL_MAP:
		j = json_object();
		for (unsigned i = 0; i < v->n; i++)
			json_object_set_new(j, v->keys[i],
					    json_of(&v->items[i]));
		return j;
	default:
		return json_null();
	}
}

static int
read_context(const struct decl *d, struct context **out, struct err *why)
{
	const struct decl_value *as = decl_field(&d->fields, "as");
	struct err e = {0};
	json_t *j;
	char *text;
	int rc;

	if (as == NULL)
		return 0;
	j = json_of(as);
	text = json_dumps(j, JSON_COMPACT);
	rc = text != NULL ? context_new(text, strlen(text), out, &e)
			  : err_set(&e, LUNATE_EINVAL, "it is not UTF-8");
	free(text);
	json_decref(j);
	return rc == 0 ? 0 : decl_fail(why, d, "as: %s", e.text);
}

/* ---- at ---------------------------------------------------------------- */

/* Z, +02:00 or -0530, in minutes. */
static bool
read_offset(const char *text, int *out)
{
	int hours, minutes, n = 0;

	*out = 0;
	if (strcmp(text, "Z") == 0)
		return true;
	if (text[0] != '+' && text[0] != '-')
		return false;
	if (sscanf(text + 1, "%2d:%2d%n", &hours, &minutes, &n) != 2 ||
	    text[1 + n] != 0 || hours < 0 || hours > 15 || minutes < 0 ||
	    minutes > 59)
		return false;
	*out = (hours * 60 + minutes) * (text[0] == '-' ? -1 : 1);
	return true;
}

/* 2026-06-15T10:00[:00]Z.  A day that the calendar does not have is none. */
static bool
read_time(const char *text, int64_t *out)
{
	struct tm t = {0}, again;
	int n = 0, offset;
	time_t at;

	if (sscanf(text, "%4d-%2d-%2dT%2d:%2d%n", &t.tm_year, &t.tm_mon,
		   &t.tm_mday, &t.tm_hour, &t.tm_min, &n) != 5)
		return false;
	text += n;
	if (*text == ':') {
		if (sscanf(text, ":%2d%n", &t.tm_sec, &n) != 1)
			return false;
		text += n;
	}
	if (!read_offset(text, &offset))
		return false;
	t.tm_year -= 1900;
	t.tm_mon -= 1;
	again = t;
	at = timegm(&again);
	*out = (int64_t)at - offset * 60;
	return again.tm_mday == t.tm_mday && again.tm_mon == t.tm_mon &&
	       again.tm_hour == t.tm_hour && again.tm_min == t.tm_min &&
	       again.tm_sec == t.tm_sec;
}

static int
read_at(const struct decl *d, int64_t *out, struct err *e)
{
	const char *at = decl_text(&d->fields, "at");

	*out = EXPR_NO_CLOCK;
	if (at == NULL || read_time(at, out))
		return 0;
	return decl_fail(e, d,
			 "at = \"%s\" is no time; write 2026-06-15T10:00Z, or "
			 "2026-06-15T10:00+02:00",
			 at);
}

int
trial_who_read(const struct decl *d, const struct rules *rules,
	       struct trial_who *out, struct err *e)
{
	int64_t now;

	memset(out, 0, sizeof(*out));
	if (read_at(d, &now, e) < 0 || read_context(d, &out->context, e) < 0)
		return e->code;
	if (rules->access != NULL)
		access_held(rules->access, out->context, out->held);
	out->caller = (struct hook_who){rules->hooks, 0, out->context, now};
	out->call = (struct expr_call){hook_expr, &out->caller};
	out->ask = (struct expr_ask){
		.ctx = out->context,
		.facts = out->facts,
		.nfacts = expr_facts(out->context, out->facts),
		.now_s = now,
		.held = out->held,
		.zones = rules->zones,
		.call = &out->call};
	return 0;
}

void
trial_who_fini(struct trial_who *w)
{
	if (w->context != NULL)
		context_unpin(&w->context);
}
