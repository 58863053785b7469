/* SPDX-License-Identifier: MIT */
#include "context.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>
#include <xxhash.h>

#include "mem.h"
#include "near.h"
#include "str.h"

/* What is kept of a context takes less than this, so the arena needs no second
 * block and all of it is wiped: a byte of JSON stands at most once in a field,
 * twice in the array and five times in the wire, and each element of a list
 * (there are no more than commas, and one) takes a row and the arena's
 * rounding besides. */
static size_t
room_for(const char *json, size_t len)
{
	size_t elements = 1;

	for (size_t i = 0; i < len; i++)
		elements += json[i] == ',';
	return 1024 + 8 * len + 64 * elements;
}

struct whole {
	struct context c;
	struct arena arena;
	struct err *e; /* while it is made */
	json_t *all;   /* the same */
	size_t room;
	_Alignas(16) char first[];
};

/* ---- fields ------------------------------------------------------------- */

static const char *const names[] = {
	"tenant",    "user",   "roles",	     "location", "locations",
	"clinic_tz", "ip",     "device",     "purpose",	 "trace",
	"audit",     "system", "break_glass"};

#define NNAMES (sizeof(names) / sizeof(*names))

static int
check_name(const char *name, struct err *e)
{
	struct near near;

	near_init(&near, name);
	for (size_t i = 0; i < NNAMES; i++) {
		if (strcmp(names[i], name) == 0)
			return 0;
		near_try(&near, names[i]);
	}
	return err_set(e, LUNATE_EINVAL, "a context has no field '%.40s'%s%s",
		       name, near_best(&near) != NULL ? "; did you mean " : "",
		       near_best(&near) != NULL ? near_best(&near) : "");
}

static int
bad(struct err *e, const char *field, const char *want)
{
	return err_set(e, LUNATE_EINVAL, "the context's %s must be %s", field,
		       want);
}

static const char *
keep(struct whole *w, const char *text, size_t len)
{
	return arena_dup(&w->arena, text, len);
}

/* A text that is not empty, or absent. */
static int
take_text(struct whole *w, const char *field, const char **out)
{
	json_t *v = json_object_get(w->all, field);

	if (v == NULL)
		return 0;
	if (!json_is_string(v) || json_string_length(v) == 0)
		return bad(w->e, field, "a text that is not empty");
	*out = keep(w, json_string_value(v), json_string_length(v));
	return 0;
}

/* One, or a list.  Lua writes an empty list as {}. */
static size_t
count(const json_t *v)
{
	if (json_is_object(v) && json_object_size(v) == 0)
		return 0;
	return json_is_array(v) ? json_array_size(v) : 1;
}

struct texts_of {
	const char *const **list;
	unsigned *n;
};

static int
take_texts(struct whole *w, const char *field, struct texts_of out)
{
	json_t *v = json_object_get(w->all, field), *text;
	const char **list;
	size_t i, n;

	if (v == NULL)
		return 0;
	n = count(v);
	list = arena_new(&w->arena, (n + 1) * sizeof(*list));
	for (i = 0; i < n; i++) {
		text = json_is_array(v) ? json_array_get(v, i) : v;
		if (!json_is_string(text) || json_string_length(text) == 0)
			return bad(w->e, field, "texts that are not empty");
		list[i] = keep(w, json_string_value(text),
			       json_string_length(text));
	}
	*out.list = list;
	*out.n = (unsigned)n;
	return 0;
}

static int
take_lists(struct whole *w)
{
	struct context *c = &w->c;
	struct texts_of roles = {&c->roles, &c->nroles},
			locations = {&c->locations, &c->nlocations};

	if (take_texts(w, "roles", roles) < 0)
		return w->e->code;
	return take_texts(w, "locations", locations);
}

/* ---- tenants ------------------------------------------------------------ */

static int
one_tenant(struct whole *w, const json_t *v, struct context_tenant *out)
{
	char number[32];

	if (json_is_integer(v)) {
		int n = snprintf(number, sizeof(number),
				 "%" JSON_INTEGER_FORMAT,
				 json_integer_value(v));

		*out = (struct context_tenant){keep(w, number, (size_t)n),
					       (size_t)n};
		return 0;
	}
	if (!json_is_string(v) || json_string_length(v) == 0)
		return -1;
	*out = (struct context_tenant){
		keep(w, json_string_value(v), json_string_length(v)),
		json_string_length(v)};
	return 0;
}

static int
by_id(const void *va, const void *vb)
{
	const struct context_tenant *a = va, *b = vb;

	return strcmp(a->id, b->id);
}

/* Sorted, each once. */
static unsigned
settle(struct context_tenant *list, size_t n)
{
	unsigned kept = 0;

	if (n > 1)
		qsort(list, n, sizeof(*list), by_id);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || strcmp(list[kept - 1].id, list[i].id) != 0)
			list[kept++] = list[i];
	return kept;
}

static int
take_tenants(struct whole *w)
{
	json_t *v = json_object_get(w->all, "tenant");
	struct context_tenant *list;
	size_t n;

	if (v == NULL)
		return 0;
	n = count(v);
	list = arena_try(&w->arena, (n + 1) * sizeof(*list));
	if (list == NULL)
		return err_set(w->e, LUNATE_ENOMEM, "no memory for a context");
	for (size_t i = 0; i < n; i++)
		if (one_tenant(w, json_is_array(v) ? json_array_get(v, i) : v,
			       &list[i]) < 0)
			return bad(w->e, "tenant",
				   "a text that is not empty, a whole number, "
				   "or a list of them");
	w->c.tenants = list;
	w->c.ntenants = settle(list, n);
	return 0;
}

/* What needs no quotes in an array gets none, so that it needs no escapes in
 * JSON either. */
static bool
is_bare(const struct context_tenant *t)
{
	for (size_t i = 0; i < t->len; i++)
		if (!isalnum((unsigned char)t->id[i]) && t->id[i] != '-')
			return false;
	return strcasecmp(t->id, "null") != 0;
}

static void
add_quoted(struct str *s, const char *text)
{
	str_addc(s, '"');
	for (; *text != 0; text++) {
		if (*text == '"' || *text == '\\')
			str_addc(s, '\\');
		str_addc(s, *text);
	}
	str_addc(s, '"');
}

static void
make_array(struct whole *w)
{
	struct str s;

	str_init(&s);
	str_addc(&s, '{');
	for (unsigned i = 0; i < w->c.ntenants; i++) {
		str_add(&s, i > 0 ? "," : "");
		if (is_bare(&w->c.tenants[i]))
			str_add(&s, w->c.tenants[i].id);
		else
			add_quoted(&s, w->c.tenants[i].id);
	}
	str_addc(&s, '}');
	w->c.array = keep(w, s.at, s.len);
	w->c.array_len = s.len;
	mem_wipe(s.at, s.len);
	str_fini(&s);
}

/* ---- forms -------------------------------------------------------------- */

static bool
is_uuid(const struct context_tenant *t)
{
	if (t->len != 36)
		return false;
	for (size_t i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? t->id[i] != '-' : !isxdigit((unsigned char)t->id[i]))
			return false;
	}
	return true;
}

/* Canonical, and not longer than `digits`; the longest ones are compared. */
static bool
is_int(const struct context_tenant *t, const char *most, const char *least)
{
	bool minus = t->id[0] == '-';
	const char *d = t->id + minus, *bound = minus ? least : most;
	size_t n = t->len - minus;

	if (n == 0 || n > strlen(bound) || strspn(d, "0123456789") != n)
		return false;
	if (d[0] == '0' && (n > 1 || minus))
		return false;
	return n < strlen(bound) || strcmp(d, bound) <= 0;
}

static unsigned
forms_of(const struct context_tenant *t)
{
	unsigned f = CONTEXT_TEXT;

	if (is_uuid(t))
		f |= CONTEXT_UUID;
	if (is_int(t, "2147483647", "2147483648"))
		f |= CONTEXT_INT4;
	if (is_int(t, "9223372036854775807", "9223372036854775808"))
		f |= CONTEXT_INT8;
	return f;
}

static void
find_forms(struct whole *w)
{
	w->c.forms = w->c.ntenants > 0 ? ~0u : 0;
	for (unsigned i = 0; i < w->c.ntenants; i++)
		w->c.forms &= forms_of(&w->c.tenants[i]);
}

static unsigned char
digit(char c)
{
	return (unsigned char)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

static void
pack_uuid(const char *id, unsigned char out[16])
{
	for (int i = 0; i < 16; i++) {
		id += *id == '-';
		out[i] = (unsigned char)(digit(id[0]) << 4 | digit(id[1]));
		id += 2;
	}
}

static void
pack(struct whole *w)
{
	if (w->c.forms & CONTEXT_UUID)
		pack_uuid(w->c.tenants[0].id, w->c.uuid);
	if (w->c.forms & CONTEXT_INT8) {
		uint64_t n = (uint64_t)strtoll(w->c.tenants[0].id, NULL, 10);

		for (int i = 0; i < 8; i++)
			w->c.int8[i] = (unsigned char)(n >> (56 - 8 * i));
	}
}

/* ---- wire --------------------------------------------------------------- */

/* {"tenants":first, rest of the fields} */
static void
put_wire(struct whole *w, const char *first, const char *rest)
{
	struct str s;

	str_init(&s);
	str_add(&s, "{\"tenants\":");
	str_add(&s, first);
	str_add(&s, rest[1] == '}' ? "" : ",");
	str_add(&s, rest + 1);
	w->c.wire_len = s.len;
	w->c.wire = keep(w, s.at, s.len);
	w->c.hash = XXH3_64bits(s.at, s.len);
	mem_wipe(s.at, s.len);
	str_fini(&s);
}

static void
drop(char *text)
{
	if (text != NULL)
		mem_wipe(text, strlen(text));
	free(text);
}

static int
make_wire(struct whole *w)
{
	json_t *array = json_stringn(w->c.array, w->c.array_len);
	char *first = json_dumps(array, JSON_ENCODE_ANY);
	char *rest = json_dumps(w->all, JSON_COMPACT | JSON_SORT_KEYS);
	int rc = 0;

	if (first != NULL && rest != NULL)
		put_wire(w, first, rest);
	else
		rc = err_set(w->e, LUNATE_ENOMEM, "no memory for a context");
	drop(first);
	drop(rest);
	json_decref(array);
	return rc;
}

/* ---- life --------------------------------------------------------------- */

/* Kept in the wire alone, for the record of a write. */
static int
check_audit(struct whole *w)
{
	json_t *v = json_object_get(w->all, "audit");

	return v == NULL || json_is_object(v) ? 0
					      : bad(w->e, "audit", "an object");
}

/* A reason says something. */
static int
check_system(struct whole *w)
{
	const char *s = w->c.system;

	return s == NULL || s[strspn(s, " \t\r\n")] != 0
		       ? 0
		       : bad(w->e, "system", "a reason, not blanks");
}

/* ---- an emergency ------------------------------------------------------- */

#define REASON_WORDS 3

static unsigned
words(const char *text)
{
	unsigned n = 0;

	while (*(text += strspn(text, " \t\r\n")) != 0) {
		text += strcspn(text, " \t\r\n");
		n++;
	}
	return n;
}

static int
take_glass_text(struct whole *w, const char *field, const char **out)
{
	json_t *v = json_object_get(json_object_get(w->all, "break_glass"),
				    field);

	if (!json_is_string(v) || json_string_length(v) == 0)
		return err_set(w->e, LUNATE_EINVAL,
			       "the context's break_glass wants rule, patient "
			       "and reason, and may have an id: texts that are "
			       "not empty");
	*out = keep(w, json_string_value(v), json_string_length(v));
	return 0;
}

static int
take_glass(struct whole *w)
{
	json_t *v = json_object_get(w->all, "break_glass");
	bool named = json_object_get(v, "id") != NULL;
	struct context_glass *g;

	if (v == NULL)
		return 0;
	if (json_object_size(v) != 3u + named)
		return bad(w->e, "break_glass", "rule, patient, reason, id");
	g = arena_new(&w->arena, sizeof(*g));
	if (take_glass_text(w, "rule", &g->rule) < 0 ||
	    take_glass_text(w, "patient", &g->patient) < 0 ||
	    take_glass_text(w, "reason", &g->reason) < 0 ||
	    (named && take_glass_text(w, "id", &g->id) < 0))
		return w->e->code;
	if (words(g->reason) < REASON_WORDS)
		return bad(w->e, "break_glass.reason",
			   "a reason, of three words or more");
	if (w->c.user == NULL || w->c.ntenants != 1)
		return err_set(w->e, LUNATE_EINVAL,
			       "an emergency (break_glass) is a user's, in one "
			       "clinic: the context wants user and one tenant");
	w->c.glass = g;
	return 0;
}

static int
take_all(struct whole *w)
{
	struct context *c = &w->c;
	const char *name;
	json_t *v;

	json_object_foreach (w->all, name, v)
		if (check_name(name, w->e) < 0)
			return w->e->code;
	if (take_tenants(w) < 0 || take_lists(w) < 0 || check_audit(w) < 0 ||
	    take_text(w, "user", &c->user) < 0 ||
	    take_text(w, "location", &c->location) < 0 ||
	    take_text(w, "clinic_tz", &c->clinic_tz) < 0 ||
	    take_text(w, "ip", &c->ip) < 0 ||
	    take_text(w, "device", &c->device) < 0 ||
	    take_text(w, "purpose", &c->purpose) < 0 ||
	    take_text(w, "trace", &c->trace) < 0 ||
	    take_text(w, "system", &c->system) < 0 || check_system(w) < 0 ||
	    take_glass(w) < 0)
		return w->e->code;
	make_array(w);
	find_forms(w);
	pack(w);
	return make_wire(w);
}

static void
destroy(struct whole *w)
{
	arena_fini(&w->arena);
	mem_wipe(w->first, w->room);
	OBJ_FINI(&w->c);
	mem_free(w);
}

int
context_new(const char *json, size_t len, struct context **out, struct err *e)
{
	json_error_t why;
	json_t *all = json_loadb(json, len, JSON_REJECT_DUPLICATES, &why);
	struct whole *w;
	size_t room;
	int rc;

	*out = NULL;
	if (!json_is_object(all)) {
		json_decref(all);
		return err_set(e, LUNATE_EINVAL, "a context is a JSON object");
	}
	room = room_for(json, len);
	w = mem_try(sizeof(*w) + room);
	if (w == NULL) {
		json_decref(all);
		return err_set(e, LUNATE_ENOMEM, "no memory for a context");
	}
	OBJ_INIT(&w->c, CONTEXT_MAGIC);
	w->c.refs = 1;
	w->room = room;
	arena_init(&w->arena, w->first, w->room);
	w->e = e;
	w->all = all;
	rc = take_all(w);
	assert(w->arena.head == NULL); /* or it would not be wiped */
	json_decref(all);
	if (rc < 0) {
		destroy(w);
		return rc;
	}
	*out = &w->c;
	return 0;
}

struct context *
context_pin(const struct context *given)
{
	struct context *c = (struct context *)given;

	if (c == NULL)
		return NULL;
	OBJ_CHECK(c, CONTEXT_MAGIC);
	__atomic_add_fetch(&c->refs, 1, __ATOMIC_RELAXED);
	return c;
}

void
context_unpin(struct context **pc)
{
	struct context *c;

	if (*pc == NULL)
		return;
	OBJ_TAKE(c, pc, CONTEXT_MAGIC);
	if (__atomic_sub_fetch(&c->refs, 1, __ATOMIC_ACQ_REL) == 0)
		destroy((struct whole *)c);
}

bool
context_same(const struct context *a, const struct context *b)
{
	if (a == b)
		return true;
	return a != NULL && b != NULL && a->hash == b->hash &&
	       a->wire_len == b->wire_len &&
	       memcmp(a->wire, b->wire, a->wire_len) == 0;
}
