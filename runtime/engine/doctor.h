/* SPDX-License-Identifier: MIT
 *
 * doctor - does this server suit this configuration?
 *
 *   doctor_start --one question through the pool--> facts --doctor_judge-->
 *   findings, each with a level, what was found and what helps
 *
 * The question and the judgement are apart: facts are plain numbers, so tests
 * need no server.
 * Memory: embedded in its owner; texts of a finding are borrowed in fn().
 * Thread: that of the worker; doctor_judge() any.
 */
#ifndef DOCTOR_H
#define DOCTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "limits.h"
#include "op.h"

/* X(setting, least bytes, what it is for) */
/* clang-format off */
#define DOCTOR_MEMORY(X) \
	X(shared_buffers, INT64_C(512) << 20, "the server's own cache of tables") \
	X(effective_cache_size, INT64_C(4) << 30, "what the planner takes to be cached") \
	X(work_mem, INT64_C(8) << 20, "sorts and hashes before they spill to disk") \
	X(maintenance_work_mem, INT64_C(256) << 20, "VACUUM and CREATE INDEX")

/* clang-format on */
enum doctor_memory {
#define DOCTOR_MEMORY_ENUM(name, least, what) DOCTOR_##name,
	DOCTOR_MEMORY(DOCTOR_MEMORY_ENUM)
#undef DOCTOR_MEMORY_ENUM
		DOCTOR_MEMORY_COUNT
};

struct doctor_facts {
	/* ours */
	int pool_min, pool_max;
	int connections; /* of this runtime */
	int64_t read_timeout_ms;
	char schema[64];
	char overrides[64]; /* "PGTZ, PGDATESTYLE": set in the environment */

	/* the server's */
	int version; /* 150012 */
	char version_text[64];
	struct limits_facts limits;
	int64_t memory[DOCTOR_MEMORY_COUNT]; /* bytes */
	bool tls, is_local;		     /* local: socket or loopback */
	bool has_schema;
	int64_t statement_timeout_ms, idle_in_tx_ms;
	char time_zone[64], date_style[64], interval_style[64];
	int64_t clock_ahead_us;	 /* of ours */
	int64_t clock_unsure_us; /* at most that much off */
	bool has_statements;	 /* extension pg_stat_statements */
	bool standby, superuser;
};

enum doctor_level { DOCTOR_OK, DOCTOR_ADVICE, DOCTOR_PROBLEM };

struct doctor_finding {
	enum doctor_level level;
	const char *name; /* "connections" */
	char what[300];
	char remedy[300]; /* "" = nothing to do */
};

/* "ok", "advice", "problem" */
const char *doctor_level_word(enum doctor_level level);

/* Every rule gives one finding, in a fixed order. */
void doctor_judge(const struct doctor_facts *f,
		  void (*fn)(const struct doctor_finding *finding, void *arg),
		  void *arg);

struct doctor {
	struct op op; /* op.err tells whether the facts are there */
	struct pgval schema;
	struct doctor_facts facts;
	void (*done)(struct doctor *d);
};

/* Zeroed memory, facts.overrides filled.  done() follows from the loop. */
void doctor_start(struct doctor *d, struct worker *w,
		  void (*done)(struct doctor *d));

/* After done(). */
void doctor_fini(struct doctor *d);

#endif
