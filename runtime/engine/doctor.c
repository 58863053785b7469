/* SPDX-License-Identifier: MIT */
#include "doctor.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quantity.h"
#include "runtime.h"

/* ---- the question ------------------------------------------------------- */

/* clang-format off */
#define SETTING(name) "pg_catalog.current_setting('" name "'), "
#define MILLISECONDS(name) \
	"(SELECT setting FROM pg_catalog.pg_settings " \
	"WHERE name = '" name "'), "
#define BYTES(name, least, what) \
	"pg_catalog.pg_size_bytes(pg_catalog.current_setting('" #name "')), "

/* The order of take_facts(). */
static const char facts_sql[] =
	"SELECT "
	SETTING("server_version_num")
	SETTING("server_version")
	SETTING("max_connections")
	"CASE WHEN r.rolsuper THEN 0 ELSE "
	"pg_catalog.current_setting('superuser_reserved_connections')::int + "
	"coalesce(pg_catalog.current_setting('reserved_connections', "
	"true)::int, 0) END, "
	"(SELECT pg_catalog.sum(numbackends) "
	"FROM pg_catalog.pg_stat_database), "
	"r.rolconnlimit, d.datconnlimit, "
	DOCTOR_MEMORY(BYTES)
	"coalesce((SELECT ssl FROM pg_catalog.pg_stat_ssl "
	"WHERE pid = pg_catalog.pg_backend_pid()), false), "
	"coalesce(pg_catalog.inet_client_addr() <<= '127.0.0.0/8' OR "
	"pg_catalog.inet_client_addr() = '::1', true), "
	"EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1), "
	MILLISECONDS("statement_timeout")
	MILLISECONDS("idle_in_transaction_session_timeout")
	SETTING("TimeZone")
	SETTING("DateStyle")
	SETTING("IntervalStyle")
	"(extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::int8, "
	"EXISTS (SELECT FROM pg_catalog.pg_extension "
	"WHERE extname = 'pg_stat_statements'), "
	"pg_catalog.pg_is_in_recovery(), r.rolsuper "
	"FROM pg_catalog.pg_roles r, pg_catalog.pg_database d "
	"WHERE r.rolname = current_user "
	"AND d.datname = pg_catalog.current_database()";
/* clang-format on */

struct reader {
	const struct rows *rows;
	int col;
};

static const char *
next_text(struct reader *r)
{
	size_t len;
	const char *s = rows_cell(r->rows, 0, r->col++, &len);

	return s != NULL ? s : "";
}

static int64_t
next_number(struct reader *r)
{
	return atoll(next_text(r));
}

static bool
next_bool(struct reader *r)
{
	return next_text(r)[0] == 't';
}

#define COPY_TEXT(to, from) snprintf(to, sizeof(to), "%s", from)

/* The server's clock was read somewhere between asking and answer. */
static void
take_clock(struct doctor_facts *f, int64_t server_us, const struct op *op)
{
	struct loop *loop = op->w->loop;
	int64_t middle;

	loop_refresh(loop);
	middle = loop_wall_us(loop) - op->took_us / 2;
	f->clock_ahead_us = server_us - middle;
	f->clock_unsure_us = op->took_us / 2;
}

static void
take_facts(struct doctor_facts *f, const struct op *op)
{
	struct reader r = {op->rows, 0};

	f->version = (int)next_number(&r);
	COPY_TEXT(f->version_text, next_text(&r));
	f->limits.max_connections = next_number(&r);
	f->limits.reserved = next_number(&r);
	f->limits.clients = next_number(&r);
	f->limits.role_limit = next_number(&r);
	f->limits.database_limit = next_number(&r);
	for (int i = 0; i < DOCTOR_MEMORY_COUNT; i++)
		f->memory[i] = next_number(&r);
	f->tls = next_bool(&r);
	f->is_local = next_bool(&r);
	f->has_schema = next_bool(&r);
	f->statement_timeout_ms = next_number(&r);
	f->idle_in_tx_ms = next_number(&r);
	COPY_TEXT(f->time_zone, next_text(&r));
	COPY_TEXT(f->date_style, next_text(&r));
	COPY_TEXT(f->interval_style, next_text(&r));
	take_clock(f, next_number(&r), op);
	f->has_statements = next_bool(&r);
	f->standby = next_bool(&r);
	f->superuser = next_bool(&r);
}

static void
on_done(struct op *op)
{
	struct doctor *d = CONTAINER_OF(op, struct doctor, op);

	if (op->err.code == 0)
		take_facts(&d->facts, op);
	d->done(d);
}

void
doctor_start(struct doctor *d, struct worker *w, void (*done)(struct doctor *d))
{
	struct runtime *rt = w->rt;
	struct doctor_facts *f = &d->facts;

	f->pool_min = rt->pool_rules.min;
	f->pool_max = (int)rt->config.pool_max;
	f->connections = 1; /* the one that asks */
	f->read_timeout_ms = rt->config.read_timeout;
	COPY_TEXT(f->schema, rt->config.schema);
	d->done = done;
	op_init(&d->op, w);
	d->op.sql = facts_sql;
	d->op.len = sizeof(facts_sql) - 1;
	d->schema = (struct pgval){f->schema, (int)strlen(f->schema), false};
	d->op.vals = &d->schema;
	d->op.nvals = 1;
	d->op.flags = OP_PROBE | OP_UNNAMED;
	d->op.cls = RULES_READ;
	d->op.cls_given = true;
	d->op.done = on_done;
	op_start(&d->op);
}

void
doctor_fini(struct doctor *d)
{
	op_fini(&d->op);
}

/* ---- the judgement ------------------------------------------------------ */

const char *
doctor_level_word(enum doctor_level level)
{
	static const char *const words[] = {"ok", "advice", "problem"};

	return words[level];
}

static void say(struct doctor_finding *to, enum doctor_level level,
		const char *fmt, ...) PRINTF_LIKE(3, 4);
static void
say(struct doctor_finding *to, enum doctor_level level, const char *fmt, ...)
{
	va_list ap;

	to->level = level;
	va_start(ap, fmt);
	vsnprintf(to->what, sizeof(to->what), fmt, ap);
	va_end(ap);
}

static void help(struct doctor_finding *to, const char *fmt, ...)
	PRINTF_LIKE(2, 3);
static void
help(struct doctor_finding *to, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(to->remedy, sizeof(to->remedy), fmt, ap);
	va_end(ap);
}

#define OLDEST 130000
#define GRAMMAR 150000 /* of the parser that is built in */

static void
judge_version(const struct doctor_facts *f, struct doctor_finding *to)
{
	say(to, DOCTOR_OK, "PostgreSQL %s", f->version_text);
	if (f->version < OLDEST) {
		to->level = DOCTOR_PROBLEM;
		help(to, "upgrade: versions before 13 get no fixes any more");
	} else if (f->version / 10000 > GRAMMAR / 10000) {
		to->level = DOCTOR_ADVICE;
		help(to, "SQL that is newer than PostgreSQL 15 is refused with "
			 "a syntax error; all else works");
	}
}

static void
judge_connections(const struct doctor_facts *f, struct doctor_finding *to)
{
	const struct limits_facts *l = &f->limits;
	int left = limits_left(l, f->connections);

	say(to, DOCTOR_OK,
	    "max_connections %" PRId64 ", %" PRId64 " reserved, %" PRId64
	    " in use by others: %d are left, pool_max is %d",
	    l->max_connections, l->reserved,
	    l->clients > f->connections ? l->clients - f->connections : 0, left,
	    f->pool_max);
	if (left >= f->pool_max)
		return;
	to->level = left < f->pool_min ? DOCTOR_PROBLEM : DOCTOR_ADVICE;
	help(to,
	     "the pool keeps to %d; set DB_POOL_MAX=%d, or raise the server's "
	     "max_connections to %" PRId64 " or more",
	     left, left, f->pool_max + l->max_connections - (int64_t)left);
}

static void
judge_limits(const struct doctor_facts *f, struct doctor_finding *to)
{
	int64_t role = f->limits.role_limit, db = f->limits.database_limit;

	say(to, DOCTOR_OK, "no connection limit of the role or database");
	if (role < 0 && db < 0)
		return;
	say(to, DOCTOR_OK,
	    "connection limit of the role %" PRId64 ", of the database %" PRId64
	    " (-1: none)",
	    role, db);
	if ((role >= 0 && role < f->pool_max) ||
	    (db >= 0 && db < f->pool_max)) {
		to->level = DOCTOR_ADVICE;
		help(to, "ALTER ROLE ... or ALTER DATABASE ... CONNECTION "
			 "LIMIT, or lower DB_POOL_MAX");
	}
}

static void
judge_memory(const struct doctor_facts *f, enum doctor_memory which,
	     struct doctor_finding *to)
{
	static const struct {
		const char *name;
		int64_t least;
		const char *what;
	} rows[] = {
#define DOCTOR_MEMORY_ROW(name, least, what) {#name, least, what},
		DOCTOR_MEMORY(DOCTOR_MEMORY_ROW)};

	to->name = rows[which].name;
	say(to, DOCTOR_OK, "%s %" PRId64 " MB (%s)", rows[which].name,
	    f->memory[which] >> 20, rows[which].what);
	if (f->memory[which] >= rows[which].least)
		return;
	to->level = DOCTOR_ADVICE;
	help(to, "ALTER SYSTEM SET %s = '%" PRId64 "MB'%s", rows[which].name,
	     rows[which].least >> 20,
	     which == DOCTOR_shared_buffers
		     ? " and a restart, when the machine has the memory"
		     : ", when the machine has the memory");
}

static void
judge_tls(const struct doctor_facts *f, struct doctor_finding *to)
{
	if (f->tls) {
		say(to, DOCTOR_OK, "the connection is encrypted");
	} else if (f->is_local) {
		say(to, DOCTOR_OK,
		    "not encrypted, but it does not leave the machine");
	} else {
		say(to, DOCTOR_PROBLEM, "the connection is not encrypted");
		help(to, "set DATABASE_SSL=true, and DATABASE_SSL_ROOT_CERT "
			 "so that the server's identity is checked");
	}
}

static void
judge_schema(const struct doctor_facts *f, struct doctor_finding *to)
{
	if (f->has_schema) {
		say(to, DOCTOR_OK, "schema %s exists", f->schema);
		return;
	}
	say(to, DOCTOR_ADVICE,
	    "there is no schema %s; only public is searched for tables",
	    f->schema);
	help(to,
	     "CREATE SCHEMA %s, or set DATABASE_SCHEMA to the schema of the "
	     "application",
	     f->schema);
}

static void
judge_timeout(const struct doctor_facts *f, struct doctor_finding *to)
{
	say(to, DOCTOR_OK, "statement_timeout is %" PRId64 " ms in the session",
	    f->statement_timeout_ms);
	if (f->statement_timeout_ms > 0)
		return;
	say(to, DOCTOR_PROBLEM,
	    "statement_timeout is off in the session, %" PRId64
	    " ms were asked for",
	    f->read_timeout_ms);
	help(to, "something between here and the server drops the options of "
		 "the login; a pooler has to pass them on");
}

static void
judge_idle(const struct doctor_facts *f, struct doctor_finding *to)
{
	say(to, DOCTOR_OK,
	    "idle_in_transaction_session_timeout is %" PRId64 " ms",
	    f->idle_in_tx_ms);
	if (f->idle_in_tx_ms > 0)
		return;
	say(to, DOCTOR_ADVICE,
	    "idle_in_transaction_session_timeout is off: a "
	    "transaction that somebody forgot keeps its "
	    "locks for ever");
	help(to, "ALTER DATABASE ... SET idle_in_transaction_session_timeout = "
		 "'5min'");
}

static void
judge_session(const struct doctor_facts *f, struct doctor_finding *to)
{
	say(to, DOCTOR_OK, "TimeZone %s, DateStyle %s, IntervalStyle %s",
	    f->time_zone, f->date_style, f->interval_style);
	if (strcmp(f->time_zone, "UTC") != 0 ||
	    strncmp(f->date_style, "ISO", 3) != 0 ||
	    strcmp(f->interval_style, "postgres") != 0) {
		to->level = DOCTOR_PROBLEM;
		help(to, "values would be read wrongly: a pooler keeps the "
			 "session from being set to UTC, ISO, postgres");
	} else if (f->overrides[0] != 0) {
		to->level = DOCTOR_ADVICE;
		help(to,
		     "unset %s: libpq sends it at each login, and lunate has "
		     "to set it back, which costs a round trip",
		     f->overrides);
	}
}

#define CLOCK_ADVICE_US 1000000
#define CLOCK_PROBLEM_US 60000000

static void
judge_clock(const struct doctor_facts *f, struct doctor_finding *to)
{
	int64_t off = llabs(f->clock_ahead_us) - f->clock_unsure_us;

	say(to, DOCTOR_OK, "the server's clock is %.3f s %s ours",
	    (double)llabs(f->clock_ahead_us) / 1e6,
	    f->clock_ahead_us < 0 ? "behind" : "ahead of");
	if (off < CLOCK_ADVICE_US)
		return;
	to->level = off < CLOCK_PROBLEM_US ? DOCTOR_ADVICE : DOCTOR_PROBLEM;
	help(to, "let both machines follow the same time (NTP): audit records "
		 "and expiry times come from both");
}

static void
judge_statements(const struct doctor_facts *f, struct doctor_finding *to)
{
	if (f->has_statements) {
		say(to, DOCTOR_OK, "pg_stat_statements is there");
		return;
	}
	say(to, DOCTOR_ADVICE, "pg_stat_statements is not installed");
	help(to, "add it to shared_preload_libraries, restart, and CREATE "
		 "EXTENSION pg_stat_statements: it tells which statements cost "
		 "most");
}

static void
judge_role(const struct doctor_facts *f, struct doctor_finding *to)
{
	say(to, DOCTOR_OK, "the server is a primary");
	if (f->standby) {
		say(to, DOCTOR_PROBLEM,
		    "the server is a standby: it takes no writes");
		help(to, "let DATABASE_URL name the primary, and "
			 "READ_REPLICA_URLS this one");
	}
}

static void
judge_user(const struct doctor_facts *f, struct doctor_finding *to)
{
	say(to, DOCTOR_OK, "the role is no superuser");
	if (f->superuser) {
		say(to, DOCTOR_ADVICE,
		    "the role is a superuser: no row-level "
		    "security and no reserved connections "
		    "hold for it");
		help(to, "let the application log in as a role of its own");
	}
}

void
doctor_judge(const struct doctor_facts *f,
	     void (*fn)(const struct doctor_finding *finding, void *arg),
	     void *arg)
{
	static const struct {
		const char *name;
		void (*judge)(const struct doctor_facts *f,
			      struct doctor_finding *to);
	} rules[] = {
		{"version", judge_version},
		{"role", judge_role},
		{"user", judge_user},
		{"tls", judge_tls},
		{"schema", judge_schema},
		{"connections", judge_connections},
		{"limits", judge_limits},
		{"statement_timeout", judge_timeout},
		{"idle_in_transaction", judge_idle},
		{"session", judge_session},
		{"clock", judge_clock},
		{"pg_stat_statements", judge_statements},
	};
	struct doctor_finding found;

	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		found = (struct doctor_finding){.name = rules[i].name};
		rules[i].judge(f, &found);
		fn(&found, arg);
	}
	for (int i = 0; i < DOCTOR_MEMORY_COUNT; i++) {
		found = (struct doctor_finding){0};
		judge_memory(f, (enum doctor_memory)i, &found);
		fn(&found, arg);
	}
}
