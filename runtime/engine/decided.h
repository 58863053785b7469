/* SPDX-License-Identifier: MIT
 *
 * decided - recent distinct decisions of a runtime, to decide them again under
 * other rules.
 *
 *   an operation's decision --not seen by this worker--> the ring --full-->
 *        the oldest gives way
 *
 * Of a decision only what deciding again needs is kept: the statement, the
 * roles of whoever asked, whether there was no tenant, one or a set, and what
 * came out.  No parameter, no tenant, no user, no address: so a rule that looks
 * at those is decided as if they were not known.  It is in memory only and is
 * never written anywhere; what leaves is the statement's normal form.
 *
 * Always true: no two records are of the same statement, roles, number of
 *              tenants and outcome.
 * Memory: at most DECIDED_MOST records; each pins its statement (texts above
 *         DECIDED_TEXT are passed over).
 * Thread: any; a lock, which a worker takes only for what it has not seen.  A
 *         struct decided_seen belongs to its worker.
 */
#ifndef DECIDED_H
#define DECIDED_H

#include "judge.h"

#define DECIDED_MOST 1024
#define DECIDED_TEXT 16384
#define DECIDED_SEEN 4096

struct decided;

/* What a worker has handed in lately. */
struct decided_seen {
	uint64_t keys[DECIDED_SEEN];
	uint64_t laps; /* of the ring, then */
};

struct decided_record {
	struct stmt *stmt; /* pinned by the list */
	bool nobody;	   /* there was no context */
	unsigned ntenants; /* 0, 1, or 2 for more */
	unsigned nroles;
	char **roles;
	struct ruling ruling;
};

struct decided *decided_new(void);

struct decided_what {
	struct stmt *stmt;
	const struct context *context; /* or NULL */
	struct ruling ruling;
	struct catalog_snapshot *snapshot;
};

void decided_note(struct decided *d, struct decided_seen *seen,
		  const struct decided_what *what);

/* All records, the oldest first, and the last schema they were decided in. */
struct decided_list {
	struct catalog_snapshot *snapshot; /* NULL: nothing was decided */
	unsigned n;
	struct decided_record *records;
};
void decided_all(struct decided *d, struct decided_list *out);
void decided_list_fini(struct decided_list *l);

/* A context of that shape: its tenants are made up, of the type that the rules
 * want.  NULL: nobody asked. */
struct context *decided_context(const struct decided_record *r,
				enum tenant_type type);

unsigned decided_count(struct decided *d);
void decided_free(struct decided **pd);

#endif
