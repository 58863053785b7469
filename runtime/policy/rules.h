/* SPDX-License-Identifier: MIT
 *
 * rules - one immutable generation of everything an operator may change.
 *
 *   built --publish--> current --next publish--> old --last unpin--> (freed)
 *
 * An operation pins the current generation when it is admitted and keeps it
 * to its end, so two rules it meets always belong together.  What a module
 * below declares as a plain struct of rules is filled here.
 *
 * Always true: a published generation never changes; ids grow by one; there
 *              is always a current generation (the compiled-in defaults are
 *              generation 1).
 * Memory: counted; the source (rules_source) holds one count for "current".
 * Thread: pin, unpin and publish from any thread; publish is rare and takes a
 *         lock, pin is a lock-protected count of a few nanoseconds.
 */
#ifndef RULES_H
#define RULES_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "mem.h"
#include "obj.h"

enum rules_class { RULES_READ, RULES_WRITE, RULES_CRITICAL, RULES_CLASSES };

#define RULES_RETRIES 20 /* the most */

/* What holds for a class of operations. */
struct class_rules {
	int64_t timeout_ms;  /* of the statement, on the server */
	int retries;	     /* further attempts after one that surely left
			       nothing behind */
	unsigned retries_by; /* 0, or the function that says how many; then
			      * retries hold when it fails */
};

struct retry_rules {
	int64_t base_ms; /* first wait before a conflict is tried again */
	int64_t cap_ms;	 /* longest such wait */
};

/* Whose rows are whose (isolation.lua). */
enum isolation_state {
	ISOLATION_OFF,	  /* no policy folder, or policies=false */
	ISOLATION_CLOSED, /* nothing that touches a table is run: there is a
			     folder without isolation.lua, or what is there
			     has been broken for too long */
	ISOLATION_ON,
};

/* Which of the two layers hold; the gate always does. */
enum isolation_mode {
	ISOLATION_REWRITE, /* scoped texts */
	ISOLATION_RLS,	   /* row-level security of the database */
	ISOLATION_BOTH,
};

struct tenant_rules;
struct texts;
struct access_rules;
struct zones;
struct decl_list;
struct hooks;

/* What a check of the live database finds and what is so on purpose. */
struct isolation_accept {
	const char *lint;
	const char *schema, *name; /* NULL: of every table */
	const char *why;
	const char *file;
	int line;
};

struct isolation_rules {
	enum isolation_state state;
	enum isolation_mode mode;
	const struct tenant_rules *tables; /* ON; NULL otherwise */
	const char *closed;		   /* CLOSED: why, for the error */
	bool show_detail;   /* development: errors keep the server's detail */
	bool seal;	    /* the context in the session carries a MAC */
	const char *canary; /* tenant whose rows nobody may ever see, or NULL */
	unsigned naccepted;
	const struct isolation_accept *accepted;
};

struct rules {
	unsigned magic;
#define RULES_MAGIC 0x94a11e5e
	int refs; /* atomic */
	uint64_t id;
	struct class_rules classes[RULES_CLASSES];
	struct retry_rules retry;
	struct isolation_rules isolation;
	const struct access_rules *access; /* NULL: there is no access.lua */
	struct zones *zones; /* what its hours() read; NULL likewise */
	struct arena arena;  /* of all that the rules point to */
	struct texts *texts; /* what they were made of; NULL: no folder */
	const struct decl_list *files; /* VOCAB_FILES, what the texts declare;
					* NULL: no folder */
	struct hooks *hooks; /* functions in force; NULL: there are none */
	unsigned not_yet;    /* files (1 << place in vocab_files) that declare
			       * what has no effect in this version */
	/* Hash of the files that can change a result (isolation, access,
	 * encryption, optimizer); 0 without a folder. */
	uint64_t decision_epoch;
};

struct rules_source {
	pthread_mutex_t lock; /* guards current */
	struct rules *current;
	uint64_t last_id;
};

/* The compiled-in defaults, not yet published; change it, then publish. */
struct rules *rules_new(void);

void rules_source_init(struct rules_source *s, struct rules *first);

/* From here on `r` is what rules_pin() gives; the old one lives until its
 * last operation ends.  Its id. */
uint64_t rules_publish(struct rules_source *s, struct rules *r);

struct rules *rules_pin(struct rules_source *s);

/* Of rules that the caller holds: one count more. */
struct rules *rules_share(struct rules *r);
void rules_unpin(struct rules **pr);
void rules_source_fini(struct rules_source *s);

#endif
