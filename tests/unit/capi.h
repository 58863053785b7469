/* SPDX-License-Identifier: MIT
 *
 * capi - for tests: a host of lunate.h, on a private server.
 *
 *	capi_begin("4");			// db, at most 4 connections
 *	assert_string_equal(capi_text("select 1"), "1");
 *	ok(lunate_query(db, &call, &rows, &er));
 *	refused(LUNATE_EVALUE, capi_run("select 1/0"));
 *	capi_end();
 *
 * What is tested stands in runtime/lunate.h; nothing else of lunate is used.
 * Include after cmocka.h.
 */
#ifndef CAPI_H
#define CAPI_H

#include "lunate.h"

#include <pthread.h>

#include "server.h"

static struct lunate *db;
static struct lunate_error er;

/* Lines of the log, from any thread. */
static struct {
	pthread_mutex_t lock;
	char text[20000];
	size_t len;
} capi_log = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void
capi_hear(void *arg, int level, const char *line, size_t len)
{
	(void)arg, (void)level;
	pthread_mutex_lock(&capi_log.lock);
	if (capi_log.len + len + 2 < sizeof(capi_log.text)) {
		memcpy(capi_log.text + capi_log.len, line, len);
		capi_log.len += len;
		capi_log.text[capi_log.len++] = '\n';
		capi_log.text[capi_log.len] = 0;
	}
	pthread_mutex_unlock(&capi_log.lock);
}

UNUSED static bool
capi_logged(const char *word)
{
	bool found;

	pthread_mutex_lock(&capi_log.lock);
	found = strstr(capi_log.text, word) != NULL;
	pthread_mutex_unlock(&capi_log.lock);
	return found;
}

/* 0, or the test fails with lunate's own words. */
#define ok(call) capi_ok((call), #call, __FILE__, __LINE__)

static void
capi_ok(int rc, const char *what, const char *file, int line)
{
	if (rc != 0) {
		print_error("%s = %d: %s %s\n", what, rc, er.sqlstate, er.text);
		_fail(file, line);
	}
}

/* That code, in the value and in `er`, with a text. */
#define refused(want, call)                                                   \
	do {                                                                  \
		memset(&er, 0, sizeof(er));                                   \
		assert_int_equal((call), (want));                             \
		assert_int_equal(er.code, (want));                            \
		assert_int_not_equal(er.text[0], 0);                          \
		assert_null(strchr(er.text, '\n'));                           \
		assert_int_equal(er.retryable, lunate_error_retryable(want)); \
	} while (0)

/* Tests run in the root of the tree, where a runtime would find ./policies. */
__attribute__((constructor)) static void
capi_without_policies(void)
{
	setenv("LUNATE_POLICIES", "false", 0);
}

static const char *
capi_url(void)
{
	static char url[200];

	snprintf(url, sizeof(url),
		 "postgresql:///lunate_test?host=%s&port=5432&user=postgres",
		 server_dir);
	return url;
}

static struct lunate_setting capi_settings[8];

/* Options of a quiet host; settings may be added from [4] on. */
static struct lunate_options
capi_options(const char *pool_max)
{
	struct lunate_options o = lunate_defaults();

	memset(capi_settings, 0, sizeof(capi_settings));
	capi_settings[0] = (struct lunate_setting){"pool_max", pool_max};
	capi_settings[1] = (struct lunate_setting){"pool_min", "0"};
	capi_settings[2] = (struct lunate_setting){"control_socket", "false"};
	capi_settings[3] = (struct lunate_setting){"schema", "public"};
	o.url = capi_url();
	o.settings = capi_settings;
	o.no_environment = 1;
	o.log = capi_hear;
	return o;
}

UNUSED static void
capi_begin(const char *pool_max)
{
	struct lunate_options o;

	alarm(110);
	server_need();
	o = capi_options(pool_max);
	ok(lunate_open(&o, &db, &er));
	assert_non_null(db);
}

UNUSED static void
capi_end(void)
{
	assert_int_equal(lunate_close(&db, 5), 0);
	assert_null(db);
}

/* Runs a statement without values; its code. */
UNUSED static int
capi_run(const char *sql)
{
	struct lunate_call c = lunate_sql(sql, NULL, 0);

	return lunate_query(db, &c, NULL, &er);
}

UNUSED static int
capi_run_in(struct lunate_tx *tx, const char *sql)
{
	struct lunate_call c = lunate_sql(sql, NULL, 0);

	c.tx = tx;
	return lunate_query(db, &c, NULL, &er);
}

/* The rows of a call that must succeed; to be freed. */
UNUSED static struct lunate_rows *
capi_rows(const struct lunate_call *c)
{
	struct lunate_rows *rows = NULL;

	ok(lunate_query(db, c, &rows, &er));
	assert_non_null(rows);
	return rows;
}

/* The first cell, "" for no row and for NULL. */
UNUSED static const char *
capi_first(const struct lunate_call *c)
{
	static char text[2000];
	struct lunate_rows *rows = capi_rows(c);
	const char *cell = NULL;

	if (lunate_rows_count(rows) > 0)
		cell = lunate_rows_text(rows, 0, 0);
	snprintf(text, sizeof(text), "%s", cell != NULL ? cell : "");
	lunate_rows_free(&rows);
	assert_null(rows);
	return text;
}

UNUSED static const char *
capi_text(const char *sql)
{
	struct lunate_call c = lunate_sql(sql, NULL, 0);

	return capi_first(&c);
}

/* Is this a build whose memory is not what it would be? */
UNUSED static bool
capi_sanitized(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return true;
#else
	return false;
#endif
}

/* Waits until that SQL gives 't' on the server, by a connection of our own. */
UNUSED static void
capi_until(const char *sql)
{
	for (int i = 0; i < 2000; i++) {
		if (strcmp(server_sql(sql), "t") == 0)
			return;
		usleep(5000);
	}
	fail_msg("never true: %s", sql);
}

/* How an async call ended. */
struct answer {
	pthread_mutex_t lock;
	int calls; /* of done() */
	struct lunate_rows *rows;
	struct lunate_error e;
	pthread_t thread;
	uint64_t ticket;
};

UNUSED static void
answer_done(void *arg, struct lunate_rows *rows, const struct lunate_error *e)
{
	struct answer *a = arg;

	pthread_mutex_lock(&a->lock);
	a->rows = rows;
	if (e != NULL)
		a->e = *e;
	a->thread = pthread_self();
	a->calls++;
	pthread_mutex_unlock(&a->lock);
}

UNUSED static int
answer_calls(struct answer *a)
{
	int n;

	pthread_mutex_lock(&a->lock);
	n = a->calls;
	pthread_mutex_unlock(&a->lock);
	return n;
}

UNUSED static void
answer_init(struct answer *a)
{
	memset(a, 0, sizeof(*a));
	pthread_mutex_init(&a->lock, NULL);
}

/* For answers of a worker; those of a port come by lunate_port_run(). */
UNUSED static void
answer_wait(struct answer *a)
{
	for (int i = 0; i < 6000 && answer_calls(a) == 0; i++)
		usleep(5000);
	assert_int_equal(answer_calls(a), 1);
}

#endif
