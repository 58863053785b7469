/* SPDX-License-Identifier: MIT
 *
 * context - who asks, and for whom: immutable, one for each operation.
 *
 * It is made from the JSON that a script or a host hands in:
 *
 *	{"tenant": "id" or ["id", ...], "user": "...", "roles": ["..."],
 *	 "location": "...", "locations": ["..."], "clinic_tz": "Europe/Berlin",
 *	 "ip": "...", "device": "...", "purpose": "...", "trace": "...",
 *	 "audit": {...}, "system": "the reason",
 *	 "break_glass": {"rule": "...", "patient": "...", "reason": "...",
 *			 "id": "..."}}
 *
 * All fields are optional; a number as tenant is its decimal text; "roles" and
 * "locations" may be one text.  A field of another name or kind is refused: a
 * misspelt tenant must not become no tenant.  A tenant is never empty, and no
 * two of a set are the same.  Who needs no context has the pointer NULL, not an
 * empty one.
 *
 * Always true: never changes; `wire` is what the database sees in the setting
 *              lunate.ctx, and two contexts that differ have different wires.
 * Memory: counted; wiped when freed.
 * Thread: any.
 */
#ifndef CONTEXT_H
#define CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

struct context_tenant {
	const char *id; /* as given */
	size_t len;
};

/* Of which types every tenant of it can be a value. */
enum context_form {
	CONTEXT_UUID = 1, /* 8-4-4-4-12 hexadecimal digits */
	CONTEXT_INT4 = 2, /* canonical: no sign but -, no leading zero */
	CONTEXT_INT8 = 4,
	CONTEXT_TEXT = 8,
};

/* An emergency: a rule of access.lua, whose rows, and why, in some words. */
struct context_glass {
	const char *rule, *patient, *reason;
	const char *id; /* tells this opening from another; or NULL */
};

struct context {
	unsigned magic;
#define CONTEXT_MAGIC 0xc047e870
	int refs;	  /* atomic */
	const char *wire; /* JSON: "tenants", see below, then sorted keys */
	size_t wire_len;
	uint64_t hash; /* of wire */
	unsigned ntenants;
	const struct context_tenant *tenants; /* sorted */
	/* The set as PostgreSQL's array text, {a,b} or {"a b"}; {} without a
	 * tenant.  The wire begins {"tenants":"{a,b}": of uuids and integers a
	 * row policy takes what stands between the third and the fourth quote
	 * (guard/rls.c), of other texts the value as JSON. */
	const char *array;
	size_t array_len;
	unsigned forms; /* of enum context_form; 0 without tenants */
	/* The first tenant as PostgreSQL's binary formats, where its form is
	 * one of them: an int4 is the last four bytes of the int8. */
	unsigned char uuid[16], int8[8];
	/* or NULL: */
	const char *user, *location, *ip, *device, *purpose, *trace;
	const char *clinic_tz; /* time zone of the clinic, as given */
	unsigned nroles, nlocations;
	const char *const *roles;
	const char *const *locations; /* where the user works */
	const char *system;	      /* the reason it is as_system, or NULL */
	const struct context_glass *glass; /* or NULL */
};

/* LUNATE_EINVAL: what is wrong with which field, never its value. */
MUST_USE
int context_new(const char *json, size_t len, struct context **out,
		struct err *e);

/* NULL gives NULL. */
struct context *context_pin(const struct context *c);

/* A *pc that is NULL is harmless. */
void context_unpin(struct context **pc);

/* The same who and whom; either may be NULL. */
bool context_same(const struct context *a, const struct context *b);

#endif
