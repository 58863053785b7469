/* SPDX-License-Identifier: MIT
 *
 * lunate - a data runtime over PostgreSQL, for a C or C++ host.
 *
 *	struct lunate_options o = lunate_defaults();
 *	struct lunate_error e;
 *	struct lunate_rows *rows;
 *	struct lunate *db;
 *
 *	o.url = "postgres:///app";
 *	if (lunate_open(&o, &db, &e) < 0)
 *		return fail(e.text);
 *	struct lunate_value v[] = {lunate_int(7)};
 *	struct lunate_call q = lunate_sql("select name from patients "
 *					  "where id = $1", v, 1);
 *	if (lunate_query(db, &q, &rows, &e) < 0)
 *		return fail(e.text);
 *	for (size_t i = 0; i < lunate_rows_count(rows); i++)
 *		puts(lunate_rows_text(rows, i, 0));
 *	lunate_rows_free(&rows);
 *	lunate_close(&db, 10);
 *
 * What runs where.  A runtime has workers: threads of its own, each with an
 * event loop, connections and (once a script is loaded) a LuaJIT.  Every call
 * here hands work to a worker.  Two forms:
 *   blocking   lunate_query(): waits; the result is there when it returns
 *   async      lunate_query_async(): returns at once; later done() is called,
 *              exactly once, where `struct lunate_then` says: on the worker's
 *              thread, or on the thread of a port of the host
 *
 * Threads.  A function may be called from any thread unless its comment says
 * otherwise.  What a host holds (a transaction, a stream, a port) is used by
 * one thread at a time; rows, contexts, statements and scripts by any number.
 * From inside a done() that runs on a worker nothing may be called that
 * blocks: it is refused with LUNATE_EINVAL.
 *
 * Ownership.  What a function gives through a `struct x **` belongs to the
 * caller and is given back with the matching _free, _close, _commit or
 * _rollback, which leave NULL behind; NULL is harmless to them.  What is
 * handed in (texts, values) is only read, and copied where it has to outlive
 * the call.
 *
 * Errors.  A function that can fail returns 0 or a negative LUNATE_E code and
 * then has filled `*e` (which may be NULL, and is left alone on success); no
 * memory is needed for it.  Its
 * text names cause and remedy and holds no value of a row or a parameter.
 *
 * A guest in the host's house: no signal handlers, no SIGPIPE, nothing on
 * stdout; threads of lunate block all signals.  After fork() every use of the
 * parent's runtime in the child is LUNATE_EFORK, and the parent goes on; the
 * child may open a runtime of its own.
 *
 * ABI.  Structs that a host fills begin with their size: a field is only ever
 * added at the end, and 0 is its old meaning.  So an older host's struct is
 * taken as it is, and a newer host's too, unless it asks for something that
 * this library does not know (LUNATE_EINVAL).  lunate_error, lunate_value,
 * lunate_setting, lunate_buffer, lunate_work and lunate_outcome never change.
 * All other structs are opaque.  Numbers of enums keep their meaning.
 */
#ifndef LUNATE_H
#define LUNATE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define LUNATE_API __attribute__((visibility("default")))
#define LUNATE_MUST_USE __attribute__((warn_unused_result))
#else
#define LUNATE_API
#define LUNATE_MUST_USE
#endif

struct ev_loop; /* libev's, if the host has one */
struct lunate;
struct lunate_context;
struct lunate_statement;
struct lunate_tx;
struct lunate_stream;
struct lunate_script;
struct lunate_listener;
struct lunate_port;
struct lunate_rows;

/* ---- errors ------------------------------------------------------------ */

/* Inside the library base/err.h has the same list, and the meanings. */
#ifndef ERR_H
enum lunate_code {
	LUNATE_OK = 0,
	LUNATE_EINVAL = -1,	   /* an argument or value is unusable */
	LUNATE_ECONFIG = -2,	   /* an option cannot be used */
	LUNATE_ECONNECT = -3,	   /* the server is not reachable */
	LUNATE_EAUTH = -4,	   /* the server refused the login */
	LUNATE_EPOOL = -5,	   /* no connection became free in time */
	LUNATE_EDEADLINE = -6,	   /* the deadline passed */
	LUNATE_ECANCELLED = -7,	   /* it was cancelled */
	LUNATE_ELOST = -8,	   /* the connection died; nothing was done */
	LUNATE_EINDOUBT = -9,	   /* it died; a write may have happened */
	LUNATE_ESYNTAX = -10,	   /* the SQL text cannot be parsed */
	LUNATE_EPARAM = -11,	   /* number or kind of parameters is wrong */
	LUNATE_EVALUE = -12,	   /* a value does not fit its type */
	LUNATE_ECONSTRAINT = -13,  /* a constraint refused the change */
	LUNATE_ECONFLICT = -14,	   /* a concurrent transaction interfered */
	LUNATE_EDENIED = -15,	   /* not allowed */
	LUNATE_EUNDEFINED = -16,   /* no such table, column or function */
	LUNATE_EREADONLY = -17,	   /* a write where only reads are allowed */
	LUNATE_EQUERY = -18,	   /* the server refused the statement */
	LUNATE_ETX = -19,	   /* the transaction cannot go on */
	LUNATE_ETOOBIG = -20,	   /* a result or value is over its limit */
	LUNATE_ECLOSED = -21,	   /* the object is closed */
	LUNATE_EUNSUPPORTED = -22, /* not possible here */
	LUNATE_ERESOURCE = -23,	   /* the server is out of something */
	LUNATE_ESERVER = -24,	   /* the server failed or shuts down */
	LUNATE_EBREAKER = -25,	   /* calls to this server are suspended */
	LUNATE_EFORK = -26,	   /* the runtime belongs to the parent */
	LUNATE_EIO = -27,	   /* a file or socket failed */
	LUNATE_ENOMEM = -28,	   /* no memory for something large */
	LUNATE_EBUSY = -29,	   /* the object is in use */
	LUNATE_EINTERNAL = -30	   /* a rule of lunate was broken, or a script
				    * raised what is no error of lunate */
};
#endif

/* The caller's, on its stack for instance; 768 bytes for ever. */
struct lunate_error {
	int code;	     /* 0 or LUNATE_E* */
	int retryable;	     /* 1: nothing was done, it may succeed later */
	char sqlstate[8];    /* the server's five characters, or "" */
	char constraint[64]; /* the constraint that was violated, or "" */
	char text[600];	     /* one line: cause and remedy */
	char reserved[88];
};

/* "MAJOR.MINOR.PATCH" of the library that is loaded. */
LUNATE_API const char *lunate_version(void);

/* The word scripts see as err.code: "deadline" for -6; "ok" for 0;
 * "internal" for a number that is no code.  A constant. */
LUNATE_API const char *lunate_error_word(int code);

/* One line on what the code means; "" for a number that is no code. */
LUNATE_API const char *lunate_error_meaning(int code);

/* 1 when the same call may succeed later as it is, else 0. */
LUNATE_API int lunate_error_retryable(int code);

/* Gives back a text that a function here gave; NULL is harmless. */
LUNATE_API void lunate_free(void *text);

/* ---- life -------------------------------------------------------------- */

/* One row of `lunate help config`: "pool_max", "20".  Values as in the
 * environment; a bare number counts the unit of the row. */
struct lunate_setting {
	const char *key, *value;
};

enum lunate_log_level {
	LUNATE_LOG_ERROR,
	LUNATE_LOG_WARN,
	LUNATE_LOG_INFO,
	LUNATE_LOG_DEBUG
};

struct lunate_options {
	size_t size;	 /* lunate_defaults() sets it */
	const char *url; /* NULL: DATABASE_URL */
	/* Ended by {NULL, NULL}; they go over the environment.  Or NULL. */
	const struct lunate_setting *settings;
	int workers; /* threads; 0: as the option `workers` says */
	/* 1: the environment is not looked at. */
	int no_environment;
	/* Every line of the log, without newline; from any thread, also from
	 * two at once; must not call lunate.  NULL: a line on stderr. */
	void (*log)(void *arg, int level, const char *line, size_t len);
	void *log_arg;
	/* Sees why lunate is about to abort() the process, because a rule of
	 * its own is broken.  One for the process.  NULL: a line on stderr. */
	void (*panic)(const char *text);
	/* The capability to work as system (lunate_who): a URL of its own, what
	 * it does not say coming from `url`, or a role that its connections
	 * take, or both.  NULL: LUNATE_SYSTEM_URL, LUNATE_SYSTEM_ROLE. */
	const char *system_url, *system_role;
	int raw; /* 1: calls may be LUNATE_RAW; 0: as LUNATE_RAW says */
	int reserved;
};

static inline struct lunate_options
lunate_defaults(void)
{
	struct lunate_options o;

	memset(&o, 0, sizeof(o));
	o.size = sizeof(o);
	return o;
}

/* Reads the options and starts the workers; does not wait for the server:
 * lunate_health() does.  LUNATE_ECONFIG names the option and what to do. */
LUNATE_API LUNATE_MUST_USE int lunate_open(const struct lunate_options *o,
					   struct lunate **db,
					   struct lunate_error *e);

/* Takes no new work, waits at most `seconds` for what is under way (open
 * transactions and streams too), ends what is left with LUNATE_ECLOSED, and
 * joins the threads; callbacks of a port wait there for lunate_port_run().
 * Calls of other threads that wait have their answer before it returns; none
 * may begin after it has been called.  Other handles stay valid for being
 * freed.  Not from a callback on a worker.  Returns 0, LUNATE_EDEADLINE when
 * something had to be ended, or LUNATE_EFORK. */
LUNATE_API int lunate_close(struct lunate **db, double seconds);

/* ---- values ------------------------------------------------------------ */

enum lunate_type {
	LUNATE_NULL,
	LUNATE_BOOL,  /* integer: 0 or 1 */
	LUNATE_INT,   /* integer */
	LUNATE_REAL,  /* real */
	LUNATE_TEXT,  /* text, len: UTF-8, no zero byte */
	LUNATE_BYTES, /* text, len: any bytes; for bytea */
	LUNATE_JSON   /* text, len: a JSON text */
};

/* A parameter of a statement, or an argument of a Lua function.  What it
 * becomes on the server follows from the statement: $1::numeric makes a
 * numeric of a text as well as of an int.  An array is a text, '{1,2,3}'. */
struct lunate_value {
	int type; /* enum lunate_type */
	int reserved;
	size_t len; /* TEXT, BYTES, JSON: bytes, without any 0 behind */
	union {
		int64_t integer;
		double real;
		const char *text; /* borrowed until the call returns */
	} as;
};

static inline struct lunate_value
lunate_textn(const char *text, size_t len)
{
	struct lunate_value v;

	memset(&v, 0, sizeof(v));
	v.type = text != NULL ? LUNATE_TEXT : LUNATE_NULL;
	v.len = len;
	v.as.text = text;
	return v;
}

/* NULL is SQL NULL. */
static inline struct lunate_value
lunate_text(const char *text)
{
	return lunate_textn(text, text != NULL ? strlen(text) : 0);
}

static inline struct lunate_value
lunate_bytes(const void *bytes, size_t len)
{
	struct lunate_value v = lunate_textn((const char *)bytes, len);

	if (v.type != LUNATE_NULL)
		v.type = LUNATE_BYTES;
	return v;
}

static inline struct lunate_value
lunate_json(const char *text)
{
	struct lunate_value v = lunate_text(text);

	if (v.type != LUNATE_NULL)
		v.type = LUNATE_JSON;
	return v;
}

static inline struct lunate_value
lunate_null(void)
{
	return lunate_textn(NULL, 0);
}

static inline struct lunate_value
lunate_int(int64_t integer)
{
	struct lunate_value v = lunate_null();

	v.type = LUNATE_INT;
	v.as.integer = integer;
	return v;
}

static inline struct lunate_value
lunate_bool(int yes)
{
	struct lunate_value v = lunate_int(yes != 0);

	v.type = LUNATE_BOOL;
	return v;
}

static inline struct lunate_value
lunate_real(double real)
{
	struct lunate_value v = lunate_null();

	v.type = LUNATE_REAL;
	v.as.real = real;
	return v;
}

/* ---- who asks ---------------------------------------------------------- */

/* Travels with an operation and stands in the session while it runs, as JSON:
 * current_setting('lunate.ctx', true).  NULL fields are left out. */
struct lunate_who {
	size_t size;		    /* lunate_nobody() sets it */
	const char *tenant;	    /* the clinic */
	const char *const *tenants; /* instead: a set, ended by NULL */
	const char *user;
	const char *const *roles; /* ended by NULL */
	const char *location, *ip, *device, *purpose, *trace;
	/* What a write is done for; with one of them go action,
	 * resource_type and user. */
	const char *action, *resource_type, *resource_id;
	/* Why the work is no tenant's (an import, retention, a report over all
	 * clinics): instead of tenants, for the log and the session.  It takes
	 * the capability that lunate_options gives; without it every call with
	 * this context is LUNATE_EDENIED.  Such calls are not scoped, run on
	 * connections of the system's own, and share no transaction with
	 * others. */
	const char *system;
	/* What conditions of access rules look at besides. */
	const char *const *locations; /* where the user works; ended by NULL */
	const char *clinic_tz;	      /* "Europe/Berlin" */
	/* An emergency: a break_glass rule of access.lua opens this patient's
	 * rows, for its time from the first statement on.  All three together,
	 * with user and tenant; the reason has three words or more.  What was
	 * opened stands in the journal first.  After its time the same four
	 * texts open nothing: another emergency has another id. */
	const char *glass_rule, *glass_patient, *glass_reason;
	const char *glass_id; /* or NULL */
};

static inline struct lunate_who
lunate_nobody(void)
{
	struct lunate_who w;

	memset(&w, 0, sizeof(w));
	w.size = sizeof(w);
	return w;
}

/* An immutable context, for any number of calls on any thread. */
LUNATE_API LUNATE_MUST_USE int lunate_context_new(const struct lunate_who *who,
						  struct lunate_context **c,
						  struct lunate_error *e);
LUNATE_API void lunate_context_free(struct lunate_context **c);

/* ---- statements -------------------------------------------------------- */

enum lunate_priority {
	LUNATE_PRIORITY_DEFAULT, /* by the class */
	LUNATE_PRIORITY_CRITICAL,
	LUNATE_PRIORITY_HIGH,
	LUNATE_PRIORITY_NORMAL,
	LUNATE_PRIORITY_LOW
};

/* The time limit on the server, and the default priority. */
enum lunate_class {
	LUNATE_CLASS_DEFAULT, /* by the statement */
	LUNATE_CLASS_READ,
	LUNATE_CLASS_WRITE,
	LUNATE_CLASS_CRITICAL
};

enum lunate_call_flags {
	LUNATE_READ_ONLY = 1, /* refuse what is no read */
	LUNATE_RAW = 2 /* past cache and optimizer, never past isolation; takes
			* the capability, or is LUNATE_EDENIED */
};

/* One statement to run. */
struct lunate_call {
	size_t size;	 /* lunate_sql() sets it */
	const char *sql; /* with $1, $2, ...; one statement */
	size_t sql_len;	 /* 0: up to its 0 */
	const struct lunate_statement *statement; /* instead of sql */
	const struct lunate_value *values;
	int nvalues;
	unsigned flags;			      /* enum lunate_call_flags */
	struct lunate_tx *tx;		      /* inside it; or NULL */
	const struct lunate_context *context; /* or NULL: none */
	double timeout; /* seconds; 0: only the class's own limits */
	int priority;	/* enum lunate_priority */
	int cls;	/* enum lunate_class */
};

static inline struct lunate_call
lunate_sql(const char *sql, const struct lunate_value *values, int nvalues)
{
	struct lunate_call c;

	memset(&c, 0, sizeof(c));
	c.size = sizeof(c);
	c.sql = sql;
	c.values = values;
	c.nvalues = nvalues;
	return c;
}

/* Parses a text once, so that its runs need not look it up; LUNATE_ESYNTAX
 * and what lunate refuses are found here.  Statements are kept prepared on the
 * connections with and without this. */
LUNATE_API LUNATE_MUST_USE int lunate_prepare(const char *sql,
					      struct lunate_statement **s,
					      struct lunate_error *e);

/* How many values its calls need. */
LUNATE_API int lunate_statement_parameters(const struct lunate_statement *s);
LUNATE_API void lunate_statement_free(struct lunate_statement **s);

/* Runs one statement and waits.  `rows` may be NULL when nobody looks. */
LUNATE_API LUNATE_MUST_USE int lunate_query(struct lunate *db,
					    const struct lunate_call *call,
					    struct lunate_rows **rows,
					    struct lunate_error *e);

/* ---- without waiting --------------------------------------------------- */

/* How it ended: rows (the callee's from here on, to be freed) or an error
 * (borrowed until it returns), and NULL for the other. */
typedef void lunate_done(void *arg, struct lunate_rows *rows,
			 const struct lunate_error *e);

/* Where and with what done() is called. */
struct lunate_then {
	size_t size; /* lunate_then_of() sets it */
	lunate_done *done;
	void *arg;
	/* NULL: on the worker, between two other things it does, so done()
	 * must be quick.  Else by lunate_port_run(). */
	struct lunate_port *port;
	/* If not NULL, gets a number for lunate_cancel(). */
	uint64_t *ticket;
};

static inline struct lunate_then
lunate_then_of(lunate_done *done, void *arg)
{
	struct lunate_then t;

	memset(&t, 0, sizeof(t));
	t.size = sizeof(t);
	t.done = done;
	t.arg = arg;
	return t;
}

/* Not 0: nothing was begun and done() is not called. */
LUNATE_API LUNATE_MUST_USE int lunate_query_async(
	struct lunate *db, const struct lunate_call *call,
	const struct lunate_then *then, struct lunate_error *e);

/* Asks it to end soon, with LUNATE_ECANCELLED; its statement is cancelled on
 * the server where that can hit nobody else.  Harmless when it has ended. */
LUNATE_API void lunate_cancel(struct lunate *db, uint64_t ticket);

/* A port: done() calls wait in it for a thread of the host.
 *   any loop   watch lunate_port_fd() for reading, then lunate_port_run()
 *   libev      lunate_port_watch(port, loop) and nothing else
 * A port belongs to the thread that runs it. */
LUNATE_API LUNATE_MUST_USE int lunate_port_new(struct lunate_port **p,
					       struct lunate_error *e);

/* An eventfd, the port's own: watch it, neither read nor close it. */
LUNATE_API int lunate_port_fd(const struct lunate_port *p);

/* Calls what waits, at most `most` of them (0: all that waited when it was
 * called); how many it was.  Not from inside a done(). */
LUNATE_API int lunate_port_run(struct lunate_port *p, int most);

/* lunate_port_run() is done by this loop whenever something waits, until the
 * port is freed.  The loop's thread calls it; libev 4. */
LUNATE_API void lunate_port_watch(struct lunate_port *p, struct ev_loop *loop);

/* LUNATE_EBUSY, and nothing happens, while answers or events are on their way
 * to it or lie in it: run it first, also after lunate_unlisten(). */
LUNATE_API int lunate_port_free(struct lunate_port **p);

/* ---- rows -------------------------------------------------------------- */

/* A result, immutable.  Row and column count from 0; asking for one that is
 * not there is a mistake that ends the process.  Texts are borrowed until the
 * rows are freed. */
LUNATE_API size_t lunate_rows_count(const struct lunate_rows *r);
LUNATE_API int lunate_rows_columns(const struct lunate_rows *r);

/* Rows changed, or read, by the statement's own count; -1: it has none. */
LUNATE_API int64_t lunate_rows_affected(const struct lunate_rows *r);

/* Seconds from asking to answer. */
LUNATE_API double lunate_rows_seconds(const struct lunate_rows *r);

LUNATE_API const char *lunate_rows_name(const struct lunate_rows *r, int col);

/* The server's type OID: 23 is int4, 25 text (pg_type.oid). */
LUNATE_API unsigned lunate_rows_type(const struct lunate_rows *r, int col);

/* The first column of that name, or -1. */
LUNATE_API int lunate_rows_find(const struct lunate_rows *r, const char *name);

/* The cell as the server writes it, `*len` bytes (len may be NULL) and a 0
 * behind; NULL for SQL NULL.  Nothing is copied. */
LUNATE_API const char *lunate_rows_cell(const struct lunate_rows *r, size_t row,
					int col, size_t *len);
static inline const char *
lunate_rows_text(const struct lunate_rows *r, size_t row, int col)
{
	return lunate_rows_cell(r, row, col, NULL);
}

/* The cell as a number; LUNATE_EVALUE when it is NULL, no number, or does not
 * fit, and then *out is left as it was. */
LUNATE_API LUNATE_MUST_USE int lunate_rows_int(const struct lunate_rows *r,
					       size_t row, int col,
					       int64_t *out);
LUNATE_API LUNATE_MUST_USE int lunate_rows_real(const struct lunate_rows *r,
						size_t row, int col,
						double *out);
LUNATE_API LUNATE_MUST_USE int lunate_rows_bool(const struct lunate_rows *r,
						size_t row, int col, int *out);

/* Room of the caller for the bytes of a bytea cell. */
struct lunate_buffer {
	void *at;
	size_t room;
	size_t len; /* out: how many there are, also when room is too small */
};

/* LUNATE_EVALUE: NULL, or no bytea.  LUNATE_ETOOBIG: room is too small;
 * nothing was written, and len says what is needed. */
LUNATE_API LUNATE_MUST_USE int lunate_rows_bytes(const struct lunate_rows *r,
						 size_t row, int col,
						 struct lunate_buffer *b);

/* One more owner, for another thread for instance. */
LUNATE_API struct lunate_rows *lunate_rows_pin(struct lunate_rows *r);
LUNATE_API void lunate_rows_free(struct lunate_rows **r);

/* ---- transactions ------------------------------------------------------ */

struct lunate_tx_options {
	size_t size; /* lunate_tx_defaults() sets it */
	/* "read committed", "repeatable read", "serializable"; NULL: the
	 * server's default. */
	const char *isolation;
	int read_only, deferrable;
	int critical; /* 1: the time limit of class critical */
	int retries;  /* lunate_transaction(): after conflicts; default 3 */
	/* Of all its statements that name no context of their own. */
	const struct lunate_context *context;
};

static inline struct lunate_tx_options
lunate_tx_defaults(void)
{
	struct lunate_tx_options o;

	memset(&o, 0, sizeof(o));
	o.size = sizeof(o);
	o.retries = 3;
	return o;
}

/* Asks nothing of the server: BEGIN travels with the first statement, and a
 * transaction in which nothing ran costs nothing.  `o` may be NULL.  Its
 * statements are calls with .tx set.  After one that failed nothing goes
 * through but lunate_rollback() or lunate_rollback_to(). */
LUNATE_API LUNATE_MUST_USE int lunate_begin(struct lunate *db,
					    const struct lunate_tx_options *o,
					    struct lunate_tx **tx,
					    struct lunate_error *e);

/* Takes the transaction, however it ends, and the cursors in it.  When a
 * statement in it failed it is rolled back and that statement's error is
 * returned.  LUNATE_EINDOUBT:
 * the connection died while it committed. */
LUNATE_API LUNATE_MUST_USE int lunate_commit(struct lunate_tx **tx,
					     struct lunate_error *e);
LUNATE_API LUNATE_MUST_USE int lunate_commit_async(
	struct lunate_tx **tx, const struct lunate_then *then,
	struct lunate_error *e);

/* Does not wait.  A statement that still runs in it is cancelled. */
LUNATE_API void lunate_rollback(struct lunate_tx **tx);

/* Savepoints, one inside the other: rollback_to and release mean the one made
 * last, which rollback_to undoes and removes. */
LUNATE_API LUNATE_MUST_USE int lunate_savepoint(struct lunate_tx *tx,
						struct lunate_error *e);
LUNATE_API LUNATE_MUST_USE int lunate_rollback_to(struct lunate_tx *tx,
						  struct lunate_error *e);
LUNATE_API LUNATE_MUST_USE int lunate_release(struct lunate_tx *tx,
					      struct lunate_error *e);

/* Begin, fn(tx, arg, e), commit, on the calling thread.  fn() returns 0, or a
 * negative code (with *e filled): then it is rolled back, and called again
 * after LUNATE_ECONFLICT, o->retries times at most. */
struct lunate_work {
	int (*fn)(struct lunate_tx *tx, void *arg, struct lunate_error *e);
	void *arg;
};
LUNATE_API LUNATE_MUST_USE int lunate_transaction(
	struct lunate *db, const struct lunate_tx_options *o,
	const struct lunate_work *work, struct lunate_error *e);

/* ---- many at once ------------------------------------------------------ */

/* How one call of a batch ended: rows to be freed, or error.code != 0. */
struct lunate_outcome {
	struct lunate_rows *rows;
	struct lunate_error error;
};

/* Independent statements, `concurrency` of them at a time, the more urgent
 * first; one that fails stops no other.  What is retryable is tried again, on
 * top of what the runtime itself tries again: reads, and conflicts. */
struct lunate_operations {
	size_t size; /* lunate_batch_of() sets it */
	const struct lunate_call *calls;
	struct lunate_outcome *outcomes; /* room for n */
	size_t n;
	int concurrency; /* 0: 50 */
	int retries;	 /* of each; lunate_batch_of() sets 3 */
	size_t failures; /* out */
};

static inline struct lunate_operations
lunate_batch_of(const struct lunate_call *calls,
		struct lunate_outcome *outcomes, size_t n)
{
	struct lunate_operations b;

	memset(&b, 0, sizeof(b));
	b.size = sizeof(b);
	b.calls = calls;
	b.outcomes = outcomes;
	b.n = n;
	b.retries = 3;
	return b;
}

/* Waits for all.  0 also when some failed: b->failures counts them.  Calls
 * inside a transaction do not belong here (LUNATE_EINVAL). */
LUNATE_API LUNATE_MUST_USE int lunate_batch(struct lunate *db,
					    struct lunate_operations *b,
					    struct lunate_error *e);

/* ---- streams and COPY -------------------------------------------------- */

/* A result of any size in small memory: on a connection of its own, or as a
 * cursor of call->tx, which may run other statements meanwhile.  The statement
 * is sent with the first lunate_stream_next(), which also has its errors. */
LUNATE_API LUNATE_MUST_USE int lunate_stream_open(
	struct lunate *db, const struct lunate_call *call,
	struct lunate_stream **s, struct lunate_error *e);

/* The next rows, some at a time: 1 and *rows; 0 at the end; or an error. */
LUNATE_API LUNATE_MUST_USE int lunate_stream_next(struct lunate_stream *s,
						  struct lunate_rows **rows,
						  struct lunate_error *e);

/* done() gets rows, or neither rows nor error at the end.  One at a time. */
LUNATE_API LUNATE_MUST_USE int lunate_stream_next_async(
	struct lunate_stream *s, const struct lunate_then *then,
	struct lunate_error *e);

/* Also in the middle: what is left is thrown away.  Does not wait.  A cursor
 * that was not read to its end lasts as long as its transaction. */
LUNATE_API void lunate_stream_close(struct lunate_stream **s);

/* COPY.  read() and write() are called on the calling thread. */
struct lunate_copy {
	size_t size;	      /* lunate_copy_of() sets it */
	const char *sql;      /* COPY ... FROM STDIN or TO STDOUT */
	struct lunate_tx *tx; /* inside it; or NULL */
	const struct lunate_context *context; /* or NULL: none */
	double timeout;			      /* seconds; 0: none */
	/* FROM STDIN: fills at most `room` bytes, cut anywhere; how many,
	 * 0 at the end, or negative to give up: then nothing is copied. */
	int64_t (*read)(void *arg, char *at, size_t room);
	/* TO STDOUT: 0, or not 0 to give up. */
	int (*write)(void *arg, const char *at, size_t len);
	void *arg;
	int64_t rows; /* out */
};

static inline struct lunate_copy
lunate_copy_of(const char *sql)
{
	struct lunate_copy c;

	memset(&c, 0, sizeof(c));
	c.size = sizeof(c);
	c.sql = sql;
	return c;
}

/* LUNATE_ECANCELLED: read() or write() gave up. */
LUNATE_API LUNATE_MUST_USE int lunate_copy_run(struct lunate *db,
					       struct lunate_copy *c,
					       struct lunate_error *e);

/* ---- Lua --------------------------------------------------------------- */

/* Loads a Lua file that returns a table of functions, into a LuaJIT of every
 * worker.  In it `require "lunate"` is the module of lua/README.md, and
 * lunate.open() without options is this runtime.  LUNATE_EIO: it cannot be
 * read, or is no Lua; LUNATE_EINVAL: it returns no table. */
LUNATE_API LUNATE_MUST_USE int lunate_load(struct lunate *db, const char *path,
					   struct lunate_script **s,
					   struct lunate_error *e);

/* A function of a script, with its arguments. */
struct lunate_lua {
	size_t size; /* lunate_lua_of() sets it */
	const char *function;
	/* NULL is nil, INT a number (an int64 beyond 2^53), TEXT and BYTES a
	 * string, JSON a table. */
	const struct lunate_value *values;
	int nvalues;
	const struct lunate_context *context;
	double timeout; /* seconds; 0: none */
};

static inline struct lunate_lua
lunate_lua_of(const char *function, const struct lunate_value *values,
	      int nvalues)
{
	struct lunate_lua c;

	memset(&c, 0, sizeof(c));
	c.size = sizeof(c);
	c.function = function;
	c.values = values;
	c.nvalues = nvalues;
	return c;
}

/* Runs it as a task of one worker.  What it returns is one row with a column
 * for each value: boolean is bool, number float8 (int8 when it is whole),
 * int64 int8, string bytes as they are (type 25), table json, nil NULL.  An
 * error that it raises or returns as nil, err is the error; one that it handles
 * itself, a deadline for instance, is not. */
LUNATE_API LUNATE_MUST_USE int lunate_run(struct lunate_script *s,
					  const struct lunate_lua *call,
					  struct lunate_rows **rows,
					  struct lunate_error *e);
LUNATE_API LUNATE_MUST_USE int lunate_run_async(struct lunate_script *s,
						const struct lunate_lua *call,
						const struct lunate_then *then,
						struct lunate_error *e);

/* Calls that run go on. */
LUNATE_API void lunate_script_free(struct lunate_script **s);

/* ---- watching it ------------------------------------------------------- */

/* One event, a JSON text of the envelope in lua/README.md; borrowed. */
typedef void lunate_event(void *arg, const char *json, size_t len);

/* Who listens. */
struct lunate_ear {
	size_t size;	  /* sizeof(struct lunate_ear) */
	const char *name; /* of `lunate help events`, or "*" */
	lunate_event *fn;
	void *arg;
	struct lunate_port *port; /* as in struct lunate_then */
};
LUNATE_API LUNATE_MUST_USE int lunate_listen(struct lunate *db,
					     const struct lunate_ear *ear,
					     struct lunate_listener **l,
					     struct lunate_error *e);

/* fn() is not called any more when it returns.  From the thread of the port;
 * without a port from any but the worker's. */
LUNATE_API void lunate_unlisten(struct lunate_listener **l);

/* JSON texts, given back with lunate_free(). */

/* {"is_healthy":true,"connection_count":1,...}: asks the server, at most every
 * ten seconds, for at most two.  A server that is not well is a report. */
LUNATE_API LUNATE_MUST_USE int lunate_health(struct lunate *db, char **json,
					     struct lunate_error *e);

/* {"total":8,"active":1,...}: every row of `lunate help metrics`. */
LUNATE_API LUNATE_MUST_USE int lunate_metrics(struct lunate *db, char **json,
					      struct lunate_error *e);

/* After it returned no answer is given that was kept from before and carries
 * one of these tags ("patients", "patients:7"; ended by NULL).  This version
 * keeps no answers, so there is never one to drop. */
LUNATE_API LUNATE_MUST_USE int lunate_invalidate(struct lunate *db,
						 const char *const *tags,
						 struct lunate_error *e);

#ifdef __cplusplus
}
#endif

#endif
