/* SPDX-License-Identifier: MIT */
#include "egress.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "number.h"
#include "refusal.h"

/* ---- values ------------------------------------------------------------- */

/* OIDs of pg_type, fixed for ever. */
static uint32_t
oid_of(enum tenant_type type)
{
	static const uint32_t oids[] = {2950, 23, 20, 25};

	return oids[type];
}

struct value {
	const char *at;
	size_t len;
};

/* The longest is a uuid. */
#define TEXT_MAX 40
_Static_assert(TEXT_MAX >= NUMBER_ROOM, "an integer fits");

static size_t
uuid_text(char *to, const unsigned char *from)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;

	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			to[n++] = '-';
		to[n++] = digits[from[i] >> 4];
		to[n++] = digits[from[i] & 15];
	}
	return n;
}

/* Of 4 or 8 bytes, the highest first, two's complement. */
static size_t
int_text(char *to, const unsigned char *from, size_t len)
{
	uint64_t bits = from[0] & 0x80 ? ~UINT64_C(0) : 0;

	for (size_t i = 0; i < len; i++)
		bits = bits << 8 | from[i];
	return number_write_int(to, (int64_t)bits);
}

/* As text, whatever the format it came in. */
static struct value
as_text(const struct shape_col *col, struct value v, char *room)
{
	const unsigned char *bytes = (const unsigned char *)v.at;

	if (!col->binary)
		return v;
	if (col->type == oid_of(TENANT_UUID) && v.len == 16)
		return (struct value){room, uuid_text(room, bytes)};
	if ((col->type == oid_of(TENANT_INT4) && v.len == 4) ||
	    (col->type == oid_of(TENANT_INT8) && v.len == 8))
		return (struct value){room, int_text(room, bytes, v.len)};
	return v;
}

/* A uuid may be handed in with capital letters. */
static bool
is_same(enum tenant_type type, struct value v, struct value other)
{
	if (v.len != other.len)
		return false;
	return memcmp(v.at, other.at, v.len) == 0 ||
	       (type == TENANT_UUID && strncasecmp(v.at, other.at, v.len) == 0);
}

/* ---- rows --------------------------------------------------------------- */

struct look {
	const struct egress_rules *r;
	const struct context *ctx; /* or NULL */
	const struct rows *rows;
	unsigned last; /* tenant that was found last: rows come in runs */
};

static struct value
tenant(const struct context *ctx, unsigned i)
{
	return (struct value){ctx->tenants[i].id, ctx->tenants[i].len};
}

static int
compare_tenants(const void *a, const void *b)
{
	const struct context_tenant *x = a, *y = b;
	int c = memcmp(x->id, y->id, x->len < y->len ? x->len : y->len);

	return c != 0 ? c : (x->len > y->len) - (x->len < y->len);
}

/* Exactly as given, or in other letters. */
static bool
is_own(struct look *l, struct value v)
{
	const struct context_tenant key = {v.at, v.len}, *found;
	const struct context *ctx = l->ctx;

	if (ctx == NULL || ctx->ntenants == 0)
		return false;
	if (is_same(l->r->type, v, tenant(ctx, l->last)))
		return true;
	found = bsearch(&key, ctx->tenants, ctx->ntenants, sizeof(key),
			compare_tenants);
	l->last = found != NULL ? (unsigned)(found - ctx->tenants) : 0;
	while (found == NULL && l->last < ctx->ntenants - 1 &&
	       !is_same(l->r->type, v, tenant(ctx, l->last)))
		l->last++;
	return found != NULL || is_same(l->r->type, v, tenant(ctx, l->last));
}

static bool
is_canary(const struct egress_rules *r, struct value v)
{
	return is_same(r->type, v,
		       (struct value){r->canary, strlen(r->canary)});
}

static int
compare(const void *a, const void *b)
{
	const struct egress_column *x = a, *y = b;

	if (x->table != y->table)
		return x->table < y->table ? -1 : 1;
	return x->attnum - y->attnum;
}

static bool
is_tenant_column(const struct egress_rules *r, const struct shape_col *col)
{
	const struct egress_column key = {col->table, col->attnum};

	return col->table != 0 && r->ncolumns > 0 &&
	       bsearch(&key, r->columns, r->ncolumns, sizeof(key), compare) !=
		       NULL;
}

/* Integers are everywhere: of those only a tenant column is looked at. */
static bool
may_hold_canary(const struct egress_rules *r, const struct shape_col *col)
{
	return r->canary != NULL && col->type == oid_of(r->type) &&
	       (r->type == TENANT_UUID || r->type == TENANT_TEXT);
}

static bool
is_foreign(struct look *l, const struct shape_col *col, int c, bool own)
{
	char room[TEXT_MAX];

	for (size_t i = 0, n = rows_count(l->rows); i < n; i++) {
		struct value v;

		v.at = rows_cell(l->rows, i, c, &v.len);
		if (v.at == NULL) /* the nullable side of a join */
			continue;
		v = as_text(col, v, room);
		if ((own && !is_own(l, v)) ||
		    (l->r->canary != NULL && is_canary(l->r, v)))
			return true;
	}
	return false;
}

int
egress_rows(const struct egress_rules *r, const struct context *ctx,
	    const struct rows *rows, struct err *e)
{
	const struct shape *s = rows_shape(rows);
	struct look l = {r, ctx, rows, 0};

	if (ctx != NULL && ctx->system != NULL)
		return 0;
	for (int c = 0; c < s->ncols; c++) {
		const struct shape_col *col = &s->cols[c];
		bool own = is_tenant_column(r, col);

		if ((own || may_hold_canary(r, col)) &&
		    is_foreign(&l, col, c, own))
			return refuse(e, REFUSE_TENANT,
				      "a row of another tenant stood in the "
				      "result; it was withheld");
	}
	return 0;
}

/* ---- errors ------------------------------------------------------------- */

static int
compare_names(const void *a, const void *b)
{
	return strcmp(a, *(const char *const *)b);
}

static bool
is_scoped(const struct egress_rules *r, const char *constraint)
{
	return r->nscoped > 0 &&
	       bsearch(constraint, r->scoped, r->nscoped, sizeof(*r->scoped),
		       compare_names) != NULL;
}

/* unique, exclusion and foreign key: those that compare with other rows */
static bool
is_conflict(const char *state)
{
	return strcmp(state, "23505") == 0 || strcmp(state, "23503") == 0 ||
	       strcmp(state, "23P01") == 0;
}

static void
drop_hint(struct err *e)
{
	char *hint = strstr(e->text, "; hint: ");

	if (hint != NULL)
		*hint = 0;
}

/* The rewrite has RAISE (tenant.h), policies have a check. */
static bool
is_other_tenant(const struct err *e)
{
	return strcmp(e->routine, "parse_ident") == 0 ||
	       (strcmp(e->sqlstate, "42501") == 0 &&
		strcmp(e->routine, "ExecWithCheckOptions") == 0);
}

void
egress_error(const struct egress_rules *r, struct err *e)
{
	if (is_other_tenant(e)) {
		(void)refuse(e, REFUSE_TENANT,
			     "a row that was to be written is not one of the "
			     "tenant in the context");
		return;
	}
	if (r->show)
		return;
	drop_hint(e);
	if (is_conflict(e->sqlstate) && !is_scoped(r, e->constraint)) {
		(void)err_set(e, LUNATE_ECONSTRAINT,
			      "the change is in conflict with other rows");
		memcpy(e->sqlstate, "23000", sizeof(e->sqlstate));
	}
}
