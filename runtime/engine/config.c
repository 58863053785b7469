/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "mem.h"
#include "near.h"
#include "quantity.h"

enum type { BOOL, INT, TIME, SIZE, TEXT, SECRET, WORD, SWITCH, FOLDER };

static const char *const kinds[] = {
	[BOOL] = "true or false",
	[INT] = "number",
	[TIME] = "duration",
	[SIZE] = "size",
	[TEXT] = "text",
	[SECRET] = "URL",
	[WORD] = "word",
	[SWITCH] = "true or false",
	[FOLDER] = "path or false",
};

static const struct row {
	const char *key, *env, *standard, *unit, *section, *meaning;
	int64_t min, max;
	size_t offset;
	enum type type;
} rows[] = {
#define ROW(key, type, env, standard, min, max, unit, section, meaning) \
	{#key, env,	standard,                                       \
	 unit, section, meaning,                                        \
	 min,  max,	offsetof(struct config, key),                   \
	 type},
	OPTIONS(ROW)
#undef ROW
};

#define NAME_ROOM 64

static void *
field(struct config *c, const struct row *r)
{
	return (char *)c + r->offset;
}

static bool
is_text(const struct row *r)
{
	return r->type == TEXT || r->type == SECRET || r->type == FOLDER;
}

static int64_t
unit_ms(const struct row *r)
{
	if (strcmp(r->unit, "d") == 0)
		return QUANTITY_DAY;
	return strcmp(r->unit, "s") == 0 ? QUANTITY_SECOND : 1;
}

/* ---- one value --------------------------------------------------------- */

/* A value being set: what it is called in messages, and its text. */
struct given {
	const char *name, *text;
};

/* The text as it may be shown: short, printable, and no secret. */
static void
shown(const struct row *r, const char *text, char buf[48])
{
	size_t n = 0;

	if (r->type == SECRET) {
		snprintf(buf, 48, "the value");
		return;
	}
	buf[n++] = '"';
	for (; *text != 0 && n < 40; text++)
		buf[n++] = isprint((unsigned char)*text) ? *text : '?';
	snprintf(buf + n, 48 - n, "%s\"", *text != 0 ? "..." : "");
}

static void
number_text(const struct row *r, int64_t v, char buf[QUANTITY_TEXT])
{
	if (r->type == TIME)
		quantity_ms_text(v, buf);
	else if (r->type == SIZE)
		quantity_bytes_text(v, buf);
	else
		snprintf(buf, QUANTITY_TEXT, "%" PRId64, v);
}

static int
refuse(const struct row *r, const struct given *g, const char *how,
       struct err *e)
{
	char value[48];

	shown(r, g->text, value);
	return err_set(e, LUNATE_ECONFIG, "%s: %s %s", g->name, value, how);
}

static int
refuse_number(const struct row *r, const struct given *g, struct err *e)
{
	char min[QUANTITY_TEXT], max[QUANTITY_TEXT], how[200];

	number_text(r, r->min, min);
	number_text(r, r->max, max);
	if (r->type == TIME && unit_ms(r) == QUANTITY_DAY)
		snprintf(how, sizeof(how),
			 "is not a duration from %s to %s; write for example "
			 "%s or %sd (a bare number counts days)",
			 min, max, r->standard, r->standard);
	else if (r->type == TIME)
		snprintf(how, sizeof(how),
			 "is not a duration from %s to %s; write for example "
			 "%s, 30s, 5min or 1h (a bare number counts %s)",
			 min, max, r->standard, r->unit);
	else if (r->type == SIZE)
		snprintf(how, sizeof(how),
			 "is not a size from %s to %s; write for example "
			 "512kB, %s or 1GB (a bare number counts bytes)",
			 min, max, r->standard);
	else
		snprintf(how, sizeof(how),
			 "is not a whole number from %s to %s; write for "
			 "example %s",
			 min, max, r->standard);
	return refuse(r, g, how, e);
}

static int
take_number(struct config *c, const struct row *r, const struct given *g,
	    struct err *e)
{
	int64_t v = 0;
	int rc;

	if (r->type == TIME)
		rc = quantity_ms(g->text, unit_ms(r), &v);
	else if (r->type == SIZE)
		rc = quantity_bytes(g->text, &v);
	else
		rc = quantity_int(g->text, &v);
	if (rc != 0 || v < r->min || v > r->max)
		return refuse_number(r, g, e);
	*(int64_t *)field(c, r) = v;
	return 0;
}

static int
take_switch(struct config *c, const struct row *r, const struct given *g,
	    struct err *e)
{
	bool v;

	if (quantity_bool(g->text, &v) != 0)
		return refuse(r, g,
			      "is neither yes nor no; write true or false "
			      "(also yes, no, on, off, 1, 0)",
			      e);
	if (r->type == BOOL)
		*(bool *)field(c, r) = v;
	else
		*(int *)field(c, r) = v;
	return 0;
}

static int
take_word(struct config *c, const struct row *r, const struct given *g,
	  struct err *e)
{
	char word[32], how[200];
	const char *p = r->unit;
	struct near near;
	size_t n;

	for (int i = 0; *p != 0; i++, p += n + (p[n] == '|')) {
		n = strcspn(p, "|");
		if (strlen(g->text) != n || strncasecmp(g->text, p, n) != 0)
			continue;
		*(int *)field(c, r) = i;
		return 0;
	}
	near_init(&near, g->text);
	for (p = r->unit; *p != 0; p += n + (p[n] == '|')) {
		n = strcspn(p, "|");
		snprintf(word, sizeof(word), "%.*s", (int)n, p);
		near_try(&near, word);
		if (near_best(&near) == word)
			break;
	}
	snprintf(how, sizeof(how), "is none of %s%s%s%s", r->unit,
		 near_best(&near) != NULL ? "; did you mean " : "",
		 near_best(&near) != NULL ? word : "",
		 near_best(&near) != NULL ? "?" : "");
	return refuse(r, g, how, e);
}

static void
replace(char **text, char *with)
{
	if (*text != NULL)
		mem_wipe(*text, strlen(*text));
	mem_free(*text);
	*text = with;
}

static int
take_text(struct config *c, const struct row *r, const struct given *g,
	  struct err *e)
{
	size_t n = strlen(g->text);
	char how[120];
	bool on;

	snprintf(how, sizeof(how), "must have %" PRId64 " to %" PRId64 " bytes",
		 r->min, r->max);
	if ((int64_t)n < r->min || (int64_t)n > r->max)
		return refuse(r, g, how, e);
	for (size_t i = 0; i < n; i++)
		if (iscntrl((unsigned char)g->text[i]))
			return refuse(r, g,
				      "holds a control character (a line "
				      "break at its end?); remove it",
				      e);
	if (r->type == FOLDER && quantity_bool(g->text, &on) == 0) {
		if (on)
			return refuse(r, g,
				      "is no folder; write its path, "
				      "or false",
				      e);
		replace(field(c, r), mem_dups(CONFIG_NO_FOLDER));
		return 0;
	}
	replace(field(c, r), mem_dups(g->text));
	return 0;
}

static int
take(struct config *c, const struct row *r, const struct given *g,
     struct err *e)
{
	switch (r->type) {
	case BOOL:
	case SWITCH:
		return take_switch(c, r, g, e);
	case INT:
	case TIME:
	case SIZE:
		return take_number(c, r, g, e);
	case WORD:
		return take_word(c, r, g, e);
	case TEXT:
	case SECRET:
	case FOLDER:
		return take_text(c, r, g, e);
	}
	return LUNATE_EINTERNAL;
}

/* ---- birth and death --------------------------------------------------- */

static void
take_default(struct config *c, const struct row *r, const char *text)
{
	const struct given g = {r->key, text};
	struct err e;

	if (take(c, r, &g, &e) != 0)
		obj_panic(__FILE__, __LINE__, e.text);
}

void
config_init(struct config *c)
{
	memset(c, 0, sizeof(*c));
	OBJ_INIT(c, CONFIG_MAGIC);
	for (int i = 0; i < CONFIG_KEYS; i++) {
		if (rows[i].type == SWITCH)
			*(int *)field(c, &rows[i]) = CONFIG_UNSET;
		else if (rows[i].standard[0] != 0)
			take_default(c, &rows[i], rows[i].standard);
	}
}

void
config_fini(struct config *c)
{
	OBJ_CHECK(c, CONFIG_MAGIC);
	for (int i = 0; i < CONFIG_KEYS; i++)
		if (is_text(&rows[i]))
			replace(field(c, &rows[i]), NULL);
	OBJ_FINI(c);
}

/* ---- by key ------------------------------------------------------------ */

static const struct row *
find(const char *key)
{
	for (int i = 0; i < CONFIG_KEYS; i++)
		if (strcmp(rows[i].key, key) == 0)
			return &rows[i];
	return NULL;
}

static int
unknown(const char *key, struct err *e)
{
	const struct row text = {.type = TEXT};
	struct near near;
	const char *best;
	char name[48];

	near_init(&near, key);
	for (int i = 0; i < CONFIG_KEYS; i++)
		near_try(&near, rows[i].key);
	best = near_best(&near);
	shown(&text, key, name);
	return err_set(e, LUNATE_ECONFIG, "unknown option %s%s%s%s", name,
		       best != NULL ? "; did you mean \"" : "",
		       best != NULL ? best : "",
		       best != NULL ? "\"?"
				    : "; `lunate help config` lists them");
}

int
config_set(struct config *c, const char *key, const char *value, struct err *e)
{
	const struct row *r = find(key);
	char name[NAME_ROOM];
	const struct given g = {name, value};
	int rc;

	OBJ_CHECK(c, CONFIG_MAGIC);
	if (r == NULL)
		return unknown(key, e);
	snprintf(name, sizeof(name), "option %s", key);
	rc = take(c, r, &g, e);
	if (rc == 0)
		c->origin[r - rows].source = CONFIG_OPTION;
	return rc;
}

/* Nine decimals are all that quantities read; whole numbers stay whole. */
int
config_set_number(struct config *c, const char *key, double value,
		  struct err *e)
{
	char text[48];
	size_t n;

	if (!isfinite(value) || fabs(value) >= 9007199254740992.0) {
		if (find(key) == NULL)
			return unknown(key, e);
		return err_set(e, LUNATE_ECONFIG,
			       "option %s: the number is out of range", key);
	}
	snprintf(text, sizeof(text), "%.9f", value);
	n = strlen(text);
	while (text[n - 1] == '0')
		text[--n] = 0;
	if (text[n - 1] == '.')
		text[n - 1] = 0;
	return config_set(c, key, text, e);
}

int
config_set_bool(struct config *c, const char *key, bool value, struct err *e)
{
	const struct row *r = find(key);

	if (r != NULL && (r->type == TEXT || r->type == SECRET))
		return err_set(e, LUNATE_ECONFIG,
			       "option %s: a text is wanted, not true or "
			       "false",
			       key);
	return config_set(c, key, value ? "true" : "false", e);
}

void
config_default(struct config *c, const char *key, const char *value)
{
	const struct row *r = find(key);

	OBJ_CHECK(c, CONFIG_MAGIC);
	assert(r != NULL);
	if (c->origin[r - rows].source == CONFIG_DEFAULT)
		take_default(c, r, value);
}

/* ---- from the environment ---------------------------------------------- */

/* The ith of the comma-separated names; false behind the last. */
static bool
nth_name(const struct row *r, int i, char name[NAME_ROOM])
{
	const char *p = r->env;

	for (; i > 0; i--) {
		p += strcspn(p, ",");
		if (*p++ == 0)
			return false;
	}
	snprintf(name, NAME_ROOM, "%.*s", (int)strcspn(p, ","), p);
	return true;
}

struct variables {
	const char *(*get)(const char *name, void *arg);
	void *arg;
};

static int
take_variables(struct config *c, const struct row *r,
	       const struct variables *from, struct err *e)
{
	char name[NAME_ROOM], first[NAME_ROOM] = "";
	struct given g = {first, NULL};
	const char *text;
	int rc;

	for (int i = 0; nth_name(r, i, name); i++) {
		text = from->get(name, from->arg);
		if (text == NULL || *text == 0)
			continue;
		if (g.text != NULL && strcmp(g.text, text) != 0)
			return err_set(e, LUNATE_ECONFIG,
				       "%s and %s are the same option but "
				       "differ; keep one of them",
				       first, name);
		if (g.text != NULL)
			continue;
		g.text = text;
		memcpy(first, name, sizeof(first));
		rc = take(c, r, &g, e);
		if (rc != 0)
			return rc;
		c->origin[r - rows].source = CONFIG_ENVIRONMENT;
		c->origin[r - rows].name = i;
	}
	return 0;
}

int
config_env(struct config *c, const char *(*get)(const char *name, void *arg),
	   void *arg, struct err *e)
{
	const struct variables from = {get, arg};
	int rc = 0;

	OBJ_CHECK(c, CONFIG_MAGIC);
	for (int i = 0; i < CONFIG_KEYS && rc == 0; i++)
		rc = take_variables(c, &rows[i], &from, e);
	return rc;
}

/* ---- for help and docs ------------------------------------------------- */

void
config_each(void (*fn)(const struct config_info *info, void *arg), void *arg)
{
	for (int i = 0; i < CONFIG_KEYS; i++) {
		const struct row *r = &rows[i];
		const struct config_info info = {
			.key = r->key,
			.env = r->env,
			.kind = kinds[r->type],
			.unit = r->unit,
			.standard = r->standard,
			.section = r->section,
			.meaning = r->meaning,
			.is_secret = r->type == SECRET,
		};

		fn(&info, arg);
	}
}

static void
show_text(const struct row *r, const char *text, struct str *out)
{
	if (text != NULL)
		str_add(out, r->type == SECRET ? "***" : text);
}

static void
show_value(const struct config *c, const struct row *r, struct str *out)
{
	const void *at = (const char *)c + r->offset;
	char number[QUANTITY_TEXT];
	const char *word = r->unit;
	int i = 0;

	if (is_text(r)) {
		show_text(r, *(char *const *)at, out);
	} else if (r->type == BOOL) {
		str_add(out, *(const bool *)at ? "true" : "false");
	} else if (r->type == SWITCH) {
		i = *(const int *)at;
		str_add(out, i == CONFIG_UNSET ? "" : i ? "true" : "false");
	} else if (r->type == WORD) {
		for (i = *(const int *)at; i > 0; i--)
			word += strcspn(word, "|") + 1;
		str_addn(out, word, strcspn(word, "|"));
	} else {
		number_text(r, *(const int64_t *)at, number);
		str_add(out, number);
	}
}

int
config_show(const struct config *c, const char *key, struct str *value,
	    struct str *origin)
{
	const struct row *r = find(key);
	char name[NAME_ROOM];

	OBJ_CHECK(c, CONFIG_MAGIC);
	if (r == NULL)
		return LUNATE_ECONFIG;
	show_value(c, r, value);
	switch (c->origin[r - rows].source) {
	case CONFIG_DEFAULT:
		str_add(origin, "default");
		break;
	case CONFIG_ENVIRONMENT:
		nth_name(r, c->origin[r - rows].name, name);
		str_add(origin, name);
		break;
	case CONFIG_OPTION:
		str_add(origin, "option");
		break;
	}
	return 0;
}
