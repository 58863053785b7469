/* SPDX-License-Identifier: MIT */
#include "expr_int.h"

#include <ctype.h>
#include <string.h>

/* Beyond this a text is no number of ours, whatever numeric could hold. */
#define NUMERIC_MAX 1000

const struct world_column *
expr_column(const struct expr_row *row, const char *name)
{
	for (unsigned i = 0; row->table != NULL && i < row->table->ncolumns;
	     i++)
		if (strcmp(row->table->columns[i].name, name) == 0)
			return &row->table->columns[i];
	return NULL;
}

static const struct {
	const char *type;
	enum expr_class class_;
} classes[] = {
	{"text", EXPR_CLASS_TEXT},	 {"varchar", EXPR_CLASS_TEXT},
	{"name", EXPR_CLASS_TEXT},	 {"int2", EXPR_CLASS_INT},
	{"int4", EXPR_CLASS_INT},	 {"int8", EXPR_CLASS_INT},
	{"numeric", EXPR_CLASS_NUMERIC}, {"uuid", EXPR_CLASS_UUID},
	{"bool", EXPR_CLASS_BOOL},
};

enum expr_class
expr_class_of(const struct expr_row *row, const struct world_column *c)
{
	const struct world *w = row->world;

	if (strcmp(c->type_schema, "pg_catalog") != 0)
		return w != NULL && w->type(w->arg, c->type_schema, c->type) ==
					       'e'
			       ? EXPR_CLASS_ENUM
			       : EXPR_CLASS_NONE;
	for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++)
		if (strcmp(classes[i].type, c->type) == 0)
			return classes[i].class_;
	return EXPR_CLASS_NONE;
}

const char *
expr_class_type(enum expr_class c)
{
	switch (c) {
	case EXPR_CLASS_INT:
		return "pg_catalog.int8";
	case EXPR_CLASS_NUMERIC:
		return "pg_catalog.numeric";
	case EXPR_CLASS_UUID:
		return "pg_catalog.uuid";
	case EXPR_CLASS_BOOL:
		return "pg_catalog.bool";
	case EXPR_CLASS_NONE:
	case EXPR_CLASS_TEXT:
	case EXPR_CLASS_ENUM:
		break;
	}
	return "pg_catalog.text";
}

bool
expr_value_ordered(enum expr_class c)
{
	return c == EXPR_CLASS_TEXT || c == EXPR_CLASS_INT ||
	       c == EXPR_CLASS_NUMERIC;
}

/* -?digits, within int64. */
static bool
read_int(struct expr_text t, int64_t *out)
{
	bool minus = t.len > 0 && t.at[0] == '-';
	uint64_t v = 0;

	if (t.len == minus || t.len > 20u)
		return false;
	for (size_t i = minus; i < t.len; i++) {
		unsigned d = (unsigned)(t.at[i] - '0');

		if (d > 9 || v > (UINT64_MAX - d) / 10)
			return false;
		v = v * 10 + d;
	}
	if (v > (uint64_t)INT64_MAX + minus)
		return false;
	*out = (int64_t)(minus ? 0 - v : v);
	return true;
}

static bool
is(struct expr_text t, const char *word)
{
	return t.len == strlen(word) && memcmp(t.at, word, t.len) == 0;
}

static size_t
digits(struct expr_text t, size_t from)
{
	size_t i = from;

	while (i < t.len && isdigit((unsigned char)t.at[i]))
		i++;
	return i - from;
}

/* As the server writes it: -?digits[.digits], NaN, Infinity, -Infinity. */
static bool
is_numeric(struct expr_text t)
{
	size_t at = t.len > 0 && t.at[0] == '-', whole;

	if (is(t, "NaN") || is(t, "Infinity") || is(t, "-Infinity"))
		return true;
	whole = digits(t, at);
	if (whole == 0 || t.len > NUMERIC_MAX)
		return false;
	at += whole;
	if (at == t.len)
		return true;
	return t.at[at] == '.' && at + 1 < t.len &&
	       at + 1 + digits(t, at + 1) == t.len;
}

static bool
is_uuid(struct expr_text t)
{
	if (t.len != 36)
		return false;
	for (size_t i = 0; i < 36; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23
			    ? t.at[i] != '-'
			    : !isxdigit((unsigned char)t.at[i]))
			return false;
	return true;
}

bool
expr_value_read(enum expr_class c, struct expr_text t, struct expr_value *out)
{
	*out = (struct expr_value){c, t, 0};
	switch (c) {
	case EXPR_CLASS_NONE:
		return false;
	case EXPR_CLASS_TEXT:
	case EXPR_CLASS_ENUM:
		return memchr(t.at, 0, t.len) == NULL;
	case EXPR_CLASS_INT:
		return read_int(t, &out->number);
	case EXPR_CLASS_NUMERIC:
		return is_numeric(t);
	case EXPR_CLASS_UUID:
		return is_uuid(t);
	case EXPR_CLASS_BOOL:
		break;
	}
	return is(t, "t") || is(t, "f");
}

static int
bytes_compare(struct expr_text a, struct expr_text b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int c = n > 0 ? memcmp(a.at, b.at, n) : 0;

	return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}

static int
uuid_compare(struct expr_text a, struct expr_text b)
{
	for (size_t i = 0; i < 36; i++) {
		int x = tolower((unsigned char)a.at[i]);
		int y = tolower((unsigned char)b.at[i]);

		if (x != y)
			return x < y ? -1 : 1;
	}
	return 0;
}

/* Digits of a number without what does not count. */
struct decimal {
	int rank; /* -1 -Infinity, 0 number, 1 Infinity, 2 NaN */
	bool minus;
	struct expr_text whole, part;
};

static struct decimal
decimal_of(struct expr_text t)
{
	struct decimal d = {0};

	if (t.at[t.len - 1] == 'N' || t.at[t.len - 1] == 'y') {
		d.rank = t.at[0] == 'N' ? 2 : t.at[0] == '-' ? -1 : 1;
		return d;
	}
	d.minus = t.at[0] == '-';
	t.at += d.minus;
	t.len -= d.minus;
	d.whole = (struct expr_text){t.at, digits(t, 0)};
	if (d.whole.len < t.len)
		d.part = (struct expr_text){t.at + d.whole.len + 1,
					    t.len - d.whole.len - 1};
	for (; d.whole.len > 0 && d.whole.at[0] == '0'; d.whole.len--)
		d.whole.at++;
	while (d.part.len > 0 && d.part.at[d.part.len - 1] == '0')
		d.part.len--;
	if (d.whole.len + d.part.len == 0)
		d.minus = false;
	return d;
}

static int
numeric_compare(struct expr_text ta, struct expr_text tb)
{
	struct decimal a = decimal_of(ta), b = decimal_of(tb);
	int c;

	if (a.rank != b.rank || a.rank != 0)
		return (a.rank > b.rank) - (a.rank < b.rank);
	if (a.minus != b.minus)
		return a.minus ? -1 : 1;
	c = (a.whole.len > b.whole.len) - (a.whole.len < b.whole.len);
	if (c == 0)
		c = bytes_compare(a.whole, b.whole);
	if (c == 0)
		c = bytes_compare(a.part, b.part);
	return a.minus ? -c : c;
}

int
expr_value_compare(const struct expr_value *a, const struct expr_value *b)
{
	assert(a->class_ == b->class_);
	switch (a->class_) {
	case EXPR_CLASS_INT:
		return (a->number > b->number) - (a->number < b->number);
	case EXPR_CLASS_NUMERIC:
		return numeric_compare(a->text, b->text);
	case EXPR_CLASS_UUID:
		return uuid_compare(a->text, b->text);
	case EXPR_CLASS_NONE:
	case EXPR_CLASS_TEXT:
	case EXPR_CLASS_ENUM:
	case EXPR_CLASS_BOOL:
		break;
	}
	return bytes_compare(a->text, b->text);
}
