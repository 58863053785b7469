/* SPDX-License-Identifier: MIT */
#include "pgcopy.h"

#include "pgconn_int.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "redact.h"

static void
tell(struct pgcopy *k)
{
	k->wake(k);
}

/* The only end; the connection is in pipeline mode again, or dead. */
static void
finish(struct pgcopy *k)
{
	struct pgconn *c = k->conn;

	k->conn = NULL;
	k->state = PGCOPY_DONE;
	c->copy = NULL;
	c->paused = false;
}

static void
flush_out(struct pgcopy *k)
{
	pgconn_watch(k->conn);
	/* What has been flushed meanwhile tells nobody that it was. */
	k->blocked = ev_is_active(&k->conn->writer);
}

static void drain(struct pgcopy *k);

void
pgcopy_start(struct pgcopy *k, struct pgconn *c, const char *sql)
{
	OBJ_CHECK(c, PGCONN_MAGIC);
	assert(c->state == PGCONN_READY && c->ngroups == 0 && c->copy == NULL);
	k->conn = c;
	k->state = PGCOPY_SENT;
	k->affected = -1;
	str_init(&k->out);
	c->copy = k;
	if (PQexitPipelineMode(c->pg) != 1 || PQsendQuery(c->pg, sql) != 1) {
		pgconn_die_soon(c, LUNATE_ELOST, PQerrorMessage(c->pg));
		return;
	}
	flush_out(k);
}

bool
pgcopy_ready(const struct pgcopy *k)
{
	switch (k->state) {
	case PGCOPY_SENT:
	case PGCOPY_ENDING:
		return false;
	case PGCOPY_IN:
		return !k->blocked;
	case PGCOPY_OUT:
		return k->out.len > 0;
	case PGCOPY_DONE:
		return true;
	}
	return true;
}

void
pgcopy_put(struct pgcopy *k, const char *bytes, size_t len)
{
	assert(k->state == PGCOPY_IN && !k->blocked);
	if (PQputCopyData(k->conn->pg, bytes, (int)len) < 0) {
		pgconn_die_soon(k->conn, LUNATE_ELOST,
				PQerrorMessage(k->conn->pg));
		return;
	}
	flush_out(k);
}

void
pgcopy_end(struct pgcopy *k, const char *reason)
{
	assert(k->state == PGCOPY_IN);
	k->state = PGCOPY_ENDING;
	if (PQputCopyEnd(k->conn->pg, reason) < 0) {
		pgconn_die_soon(k->conn, LUNATE_ELOST,
				PQerrorMessage(k->conn->pg));
		return;
	}
	flush_out(k);
	drain(k); /* a refusal may have been read already: no event tells */
}

void
pgcopy_taken(struct pgcopy *k)
{
	str_clear(&k->out);
	if (k->state == PGCOPY_OUT && k->paused) {
		k->paused = false;
		pgconn_resume(k->conn);
	}
}

void
pgcopy_abort(struct pgcopy *k, enum err_code code, const char *why)
{
	struct pgconn *c = k->conn;

	if (c == NULL)
		return;
	err_set(&k->err, code, "%s", why);
	finish(k);
	pgconn_die_soon(c, code, why);
}

void
pgcopy_fini(struct pgcopy *k)
{
	assert(k->conn == NULL);
	str_fini(&k->out);
}

/* ---- from the socket ---------------------------------------------------- */

static void
take_status(struct pgcopy *k, PGresult *res)
{
	const char *n;

	switch (PQresultStatus(res)) {
	case PGRES_COPY_IN:
		k->state = PGCOPY_IN;
		return;
	case PGRES_COPY_OUT:
		k->state = PGCOPY_OUT;
		return;
	case PGRES_FATAL_ERROR:
		if (k->err.code == 0)
			pgread_error(&k->err, res);
		k->state = PGCOPY_ENDING;
		return;
	default:
		n = PQcmdTuples(res);
		k->affected = *n != 0 ? strtoll(n, NULL, 10) : -1;
		return;
	}
}

/* Back to what the rest of the world expects; then DONE. */
static void
end_copy(struct pgcopy *k)
{
	struct pgconn *c = k->conn;

	if (PQenterPipelineMode(c->pg) != 1)
		pgconn_die_soon(c, LUNATE_ELOST, PQerrorMessage(c->pg));
	finish(k);
}

/* False: nothing more to be had now. */
static bool
take_result(struct pgcopy *k)
{
	enum pgcopy_state before = k->state;
	PGresult *res;

	if (PQisBusy(k->conn->pg))
		return false;
	res = PQgetResult(k->conn->pg);
	if (res == NULL) {
		end_copy(k);
		return false;
	}
	take_status(k, res);
	PQclear(res);
	return k->state == before || k->state == PGCOPY_OUT ||
	       k->state == PGCOPY_ENDING;
}

/* False: nothing more to be had now. */
static bool
take_data(struct pgcopy *k)
{
	char *bytes;
	int n;

	if (k->out.len >= PGCOPY_ROOM) {
		k->paused = true;
		pgconn_pause(k->conn);
		return false;
	}
	n = PQgetCopyData(k->conn->pg, &bytes, 1);
	if (n == 0)
		return false;
	if (n < 0) {
		k->state = PGCOPY_ENDING;
		return true;
	}
	str_addn(&k->out, bytes, (size_t)n);
	PQfreemem(bytes);
	return true;
}

/* During IN there is nothing to take: libpq keeps back what the server says
 * until the end is sent, and answers a question with "in the middle of IN". */
static bool
step(struct pgcopy *k)
{
	if (k->state == PGCOPY_IN)
		return false;
	if (k->state == PGCOPY_OUT)
		return take_data(k);
	return take_result(k);
}

static void
drain(struct pgcopy *k)
{
	while (k->state != PGCOPY_DONE && step(k))
		;
}

void
pgcopy_readable(struct pgconn *c)
{
	struct pgcopy *k = c->copy;

	if (PQconsumeInput(c->pg) != 1) {
		pgconn_die(c, LUNATE_ELOST, PQerrorMessage(c->pg));
		return;
	}
	drain(k);
	if (k->state == PGCOPY_IN && k->blocked)
		flush_out(k);
	tell(k);
}

void
pgcopy_writable(struct pgconn *c)
{
	struct pgcopy *k = c->copy;

	flush_out(k);
	if (!k->blocked)
		tell(k);
}

/* The connection has died. */
void
pgcopy_lost(struct pgconn *c)
{
	struct pgcopy *k = c->copy;

	if (k == NULL)
		return;
	if (k->err.code == 0)
		k->err = c->err;
	finish(k);
	tell(k);
}
