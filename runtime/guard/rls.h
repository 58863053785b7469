/* SPDX-License-Identifier: MIT
 *
 * rls - the database's own barrier, written from the rules of isolation.lua.
 *
 *	isolation.lua --rls_sql--> a script --run by an owner--> policies
 *	        |                                                   |
 *	        +--rls_digest--> the same? <--rls_state_sql---------+
 *	                    table by table
 *
 * For each table of the rules, and for its partitions and inheritance
 * children, the script writes one permissive policy that lets all rows
 * through (lunate_open) and restrictive ones that do not, so that no other
 * permissive policy can widen what is seen:
 *
 *	by       ALL     own column = ANY (TENANTS)
 *	parent   ALL     EXISTS over the parent, and so on up to a column
 *	through  SELECT, UPDATE  EXISTS over the membership
 *	         DELETE  that, and nobody else is a member
 *	         INSERT  the context has a tenant: its membership comes with
 *	                 the same statement or later, and until then nobody
 *	                 sees the row
 *	shared   SELECT  all rows; INSERT, UPDATE, DELETE none
 *	write_never  as its kind, but INSERT, UPDATE, DELETE none
 *
 * TENANTS comes from the setting lunate.ctx (context.h), once per statement.
 * NULL, '' and {} give no row; what is no context gives an error or no row.
 *
 * Row-level security binds everybody but superusers and BYPASSRLS roles.
 * With roles given, app_role is bound by the policies, system_role is let
 * through, and everybody else, the owner too, sees nothing.  Who runs the
 * script owns the function that "nobody else" is asked with: a superuser, a
 * role that bypasses, or the system_role; for another owner nobody deletes
 * such rows.
 *
 * Sealed, lunate.ctx ends in
 *
 *	,"seal":"KID.PID.EXPIRY.MAC"}	4, 10, 12 and 64 characters
 *
 * MAC = HMAC-SHA256 of all that stands before it, hexadecimal.  Good is a
 * seal of this backend that was not past its EXPIRY (seconds since 1970) when
 * the transaction began.  The function that checks it runs as its owner, who
 * alone can read the keys; a superuser can forge.  Behind a pooler the
 * backend is not known: there is no seal then.
 *
 * Always true: the script can run again, also over other rules; it is one
 *              transaction, so nothing is open while it runs; whatever it
 *              makes in the database has a name that begins with lunate.
 * Thread: any; keeps nothing.
 */
#ifndef RLS_H
#define RLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "rows.h"
#include "str.h"
#include "tenant.h"

#define RLS_DIGEST 33
#define RLS_KEY 32 /* bytes of a sealing key */

struct rls_options {
	const struct tenant_rules *rules;
	bool seal;
	const char *app_role;	 /* NULL: everybody */
	const char *system_role; /* or NULL; needs app_role */
};

/* LUNATE_EINVAL: rules that no policy can be made of. */
MUST_USE
int rls_sql(const struct rls_options *o, struct str *out, struct err *e);

/* Of what the policies of one table say, whomever they bind: 32 hexadecimal
 * digits. */
MUST_USE
int rls_digest(const struct rls_options *o, const struct tenant_table *t,
	       char out[RLS_DIGEST], struct err *e);

/* What are the policies of a table, compared with its rule? */
enum rls_state {
	RLS_SAME,
	RLS_NEVER,   /* the script never ran here with a rule for it */
	RLS_OTHER,   /* it ran for another rule */
	RLS_CHANGED, /* they were changed or dropped by hand */
};

/* No parameters; a row for each table of the script that ran last, or the
 * error of a table that is not there. */
extern const char rls_state_sql[];

/* Of its answer; rows NULL: it failed. */
enum rls_state rls_state_of(const struct rows *rows,
			    const struct tenant_table *t, const char *digest);
const char *rls_state_word(enum rls_state s);

/* ---- seal */

struct rls_key {
	int kid; /* 0..9999 */
	unsigned char bytes[RLS_KEY];
};

/* The statement that gives the database a key, and forgets all others but
 * the one before it (-1: all).  It holds the key: wipe it. */
void rls_key_sql(const struct rls_key *key, int before, struct str *out);

struct rls_seal {
	const struct rls_key *key;
	int backend_pid;
	int64_t expiry_s; /* since 1970 */
};

/* Adds the sealed form of a wire to `out`. */
void rls_seal(const struct rls_seal *by, const char *wire, struct str *out);

#endif
