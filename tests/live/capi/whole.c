/* SPDX-License-Identifier: MIT
 *
 * whole - does all there is in lunate.h, several times over, and then leaves
 * things lying about when it closes.  capi_spec.lua runs it under valgrind,
 * which says what was not given back.
 *
 *	DATABASE_URL=... whole script.lua
 */
#include <lunate.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct lunate *db;
static struct lunate_port *port;
static struct lunate_error e;
static int answers;

#define must(what)                                                       \
	do {                                                             \
		if (!(what)) {                                           \
			fprintf(stderr, "line %d: %s; last error: %s\n", \
				__LINE__, #what, e.text);                \
			exit(1);                                         \
		}                                                        \
	} while (0)

static void
done(void *arg, struct lunate_rows *rows, const struct lunate_error *why)
{
	(void)arg, (void)why;
	lunate_rows_free(&rows);
	answers++;
}

static void
event(void *arg, const char *json, size_t len)
{
	(void)arg, (void)json, (void)len;
}

static int
run(const char *sql, struct lunate_tx *tx)
{
	struct lunate_call c = lunate_sql(sql, NULL, 0);

	c.tx = tx;
	return lunate_query(db, &c, NULL, &e);
}

static void
queries(void)
{
	struct lunate_who who = lunate_nobody();
	struct lunate_context *ctx;
	struct lunate_statement *s;
	struct lunate_value v[] = {lunate_int(1), lunate_text("x")};
	struct lunate_call c = lunate_sql(NULL, v, 2);
	struct lunate_rows *rows;

	who.user = "u";
	must(lunate_context_new(&who, &ctx, &e) == 0);
	must(lunate_prepare("select $1::int, $2::text", &s, &e) == 0);
	c.statement = s;
	c.context = ctx;
	must(lunate_query(db, &c, &rows, &e) == 0);
	lunate_rows_free(&rows);
	must(run("select 1/0", NULL) == LUNATE_EVALUE);
	must(run("selec", NULL) == LUNATE_ESYNTAX);
	c.nvalues = 1;
	c.timeout = 0.01;
	must(lunate_query(db, &c, NULL, &e) < 0);
	c = lunate_sql("select pg_sleep(100)", NULL, 0);
	c.timeout = 0.02;
	must(lunate_query(db, &c, NULL, &e) == LUNATE_EDEADLINE);
	lunate_statement_free(&s);
	lunate_context_free(&ctx);
}

static void
statements(void)
{
	struct lunate_statement *s = NULL;

	must(lunate_prepare("select 1", &s, &e) == 0);
	lunate_statement_free(&s);
	must(lunate_prepare("selec", &s, &e) == LUNATE_ESYNTAX);
}

static void
transactions(void)
{
	struct lunate_tx *tx;

	must(lunate_begin(db, NULL, &tx, &e) == 0);
	must(run("create temporary table t (a int) on commit drop", tx) == 0);
	must(lunate_savepoint(tx, &e) == 0);
	must(run("select 1/0", tx) < 0);
	must(lunate_rollback_to(tx, &e) == 0);
	must(lunate_commit(&tx, &e) == 0);
	must(lunate_begin(db, NULL, &tx, &e) == 0);
	must(run("select 1/0", tx) < 0);
	must(lunate_commit(&tx, &e) == LUNATE_EVALUE);
	must(lunate_begin(db, NULL, &tx, &e) == 0);
	must(run("select 1", tx) == 0);
	lunate_rollback(&tx);
}

static void
batches(void)
{
	struct lunate_call calls[3] = {lunate_sql("select 1", NULL, 0),
				       lunate_sql("selec", NULL, 0),
				       lunate_sql("select 1/0", NULL, 0)};
	struct lunate_outcome outcomes[3];
	struct lunate_operations b = lunate_batch_of(calls, outcomes, 3);

	must(lunate_batch(db, &b, &e) == 0 && b.failures == 2);
	for (int i = 0; i < 3; i++)
		lunate_rows_free(&outcomes[i].rows);
}

static int
writer(void *arg, const char *at, size_t len)
{
	(void)at;
	*(size_t *)arg += len;
	return *(size_t *)arg > 100000;
}

static void
streams(void)
{
	struct lunate_call c = lunate_sql("select generate_series(1, 100000)",
					  NULL, 0);
	struct lunate_copy out = lunate_copy_of(
		"copy (select generate_series(1, 1000000)) to stdout");
	struct lunate_stream *s;
	struct lunate_rows *rows;
	size_t bytes = 0;

	must(lunate_stream_open(db, &c, &s, &e) == 0);
	must(lunate_stream_next(s, &rows, &e) == 1);
	lunate_rows_free(&rows);
	lunate_stream_close(&s);
	out.write = writer;
	out.arg = &bytes;
	must(lunate_copy_run(db, &out, &e) == LUNATE_ECANCELLED);
}

static void
lua(const char *path)
{
	struct lunate_value v = lunate_json("{\"a\":[1,2]}");
	struct lunate_lua call = lunate_lua_of("echo", &v, 1);
	struct lunate_lua fails = lunate_lua_of("fail", NULL, 0);
	struct lunate_script *s;
	struct lunate_rows *rows;

	must(lunate_load(db, path, &s, &e) == 0);
	must(lunate_run(s, &call, &rows, &e) == 0);
	lunate_rows_free(&rows);
	must(lunate_run(s, &fails, NULL, &e) < 0);
	call.function = "none";
	must(lunate_run(s, &call, NULL, &e) < 0);
	lunate_script_free(&s);
}

static void
ask(const char *sql, struct lunate_port *where, uint64_t *ticket)
{
	struct lunate_call c = lunate_sql(sql, NULL, 0);
	struct lunate_then t = lunate_then_of(done, NULL);

	t.port = where;
	t.ticket = ticket;
	must(lunate_query_async(db, &c, &t, &e) == 0);
}

static void
ports(void)
{
	uint64_t ticket;
	int want = answers + 3;

	ask("select 1", port, NULL);
	ask("select 1/0", port, NULL);
	ask("select pg_sleep(100)", port, &ticket);
	lunate_cancel(db, ticket);
	while (answers < want) {
		(void)lunate_port_run(port, 0);
		usleep(1000);
	}
}

static void
figures(void)
{
	const char *const tags[] = {"t", NULL};
	struct lunate_ear ear = {sizeof(ear), "*", event, NULL, port};
	struct lunate_listener *l;
	char *json;

	must(lunate_listen(db, &ear, &l, &e) == 0);
	must(run("select 1/0", NULL) < 0);
	must(lunate_health(db, &json, &e) == 0);
	lunate_free(json);
	must(lunate_metrics(db, &json, &e) == 0);
	lunate_free(json);
	must(lunate_invalidate(db, tags, &e) == 0);
	lunate_unlisten(&l);
}

/* Closed in the middle of everything: handles are freed afterwards. */
static void
leave_things(void)
{
	struct lunate_call c = lunate_sql("select generate_series(1, 100000)",
					  NULL, 0);
	struct lunate_rows *rows;
	struct lunate_stream *s;
	struct lunate_tx *tx;

	ask("select pg_sleep(100)", port, NULL);
	must(lunate_begin(db, NULL, &tx, &e) == 0);
	must(run("select 1", tx) == 0);
	must(lunate_stream_open(db, &c, &s, &e) == 0);
	must(lunate_stream_next(s, &rows, &e) == 1);
	must(lunate_close(&db, 0.05) == LUNATE_EDEADLINE);
	(void)lunate_port_run(port, 0);
	lunate_stream_close(&s);
	must(lunate_commit(&tx, &e) == LUNATE_ECLOSED);
	lunate_rows_free(&rows);
}

static void
open_db(void)
{
	static const struct lunate_setting settings[] = {
		{"pool_max", "4"},	{"pool_min", "0"},
		{"schema", "public"},	{"control_socket", "false"},
		{"log_level", "error"}, {NULL, NULL}};
	struct lunate_options o = lunate_defaults();

	o.settings = settings;
	must(lunate_open(&o, &db, &e) == 0);
	must(lunate_port_new(&port, &e) == 0);
}

int
main(int argc, char **argv)
{
	struct lunate_options bad = lunate_defaults();

	must(argc == 2);
	bad.url = "not a url";
	must(lunate_open(&bad, &db, &e) < 0 || lunate_close(&db, 1) == 0);
	for (int i = 0; i < 3; i++) {
		open_db();
		statements();
		queries();
		transactions();
		batches();
		streams();
		lua(argv[1]);
		ports();
		figures();
		if (i == 1)
			leave_things();
		else
			must(lunate_close(&db, 10) == 0);
		(void)lunate_port_run(port, 0); /* events nobody wants */
		must(lunate_port_free(&port) == 0);
	}
	return 0;
}
