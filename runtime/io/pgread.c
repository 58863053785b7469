/* SPDX-License-Identifier: MIT
 *
 * Receiving: results find the item they answer.
 *
 * libpq never says which statement a result belongs to; the ring of expected
 * items does.  A NULL result ends an item, except a Sync, which ends with its
 * own status.
 */
#include "pgconn_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/ioctl.h>

#include "mem.h"
#include "redact.h"
#include "str.h"

static void
copy_field(char *to, size_t size, const PGresult *res, int field)
{
	const char *s = PQresultErrorField(res, field);

	if (s == NULL)
		s = "";
	strncpy(to, s, size - 1);
	to[size - 1] = 0;
}

/* Of the statement as it was sent; of one inside a function: 0. */
static int
position(const PGresult *res)
{
	const char *s = PQresultErrorField(res, PG_DIAG_STATEMENT_POSITION);

	return s != NULL ? (int)strtol(s, NULL, 10) : 0;
}

/* The server's own words, freed of values. */
void
pgread_error(struct err *e, const PGresult *res)
{
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
	const char *hint = PQresultErrorField(res, PG_DIAG_MESSAGE_HINT);
	struct str clean;

	str_init(&clean);
	redact_message(&clean, state,
		       text != NULL ? text : "the server gave no message");
	if (hint != NULL) {
		str_add(&clean, "; hint: ");
		redact_message(&clean, state, hint);
	}
	err_set(e, err_from_sqlstate(state), "%s", clean.at);
	str_fini(&clean);
	copy_field(e->sqlstate, sizeof(e->sqlstate), res, PG_DIAG_SQLSTATE);
	copy_field(e->routine, sizeof(e->routine), res,
		   PG_DIAG_SOURCE_FUNCTION);
	copy_field(e->constraint, sizeof(e->constraint), res,
		   PG_DIAG_CONSTRAINT_NAME);
	e->position = position(res);
}

/* To whoever runs the statement that is being answered, if he listens: a
 * guest prints nothing. */
void
pgread_notice(void *conn, const PGresult *res)
{
	static const int fields[] = {PG_DIAG_MESSAGE_DETAIL,
				     PG_DIAG_MESSAGE_HINT};
	static const char *const heads[] = {"\nDETAIL: ", "\nHINT: "};
	struct pgconn *c;
	struct pgitem *it;
	struct str text;

	OBJ_CAST(c, conn, PGCONN_MAGIC);
	it = pgitem_head(c);
	if (it == NULL || it->req == NULL || it->req->notice == NULL)
		return;
	str_init(&text);
	str_add(&text, PQresultErrorField(res, PG_DIAG_SEVERITY));
	str_add(&text, ": ");
	str_add(&text, PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY));
	for (int i = 0; i < 2; i++)
		if (PQresultErrorField(res, fields[i]) != NULL) {
			str_add(&text, heads[i]);
			str_add(&text, PQresultErrorField(res, fields[i]));
		}
	it->req->notice(it->req, text.at);
	str_fini(&text);
}

/* What a cast to a name or a file's path tells, no rule of texts can know. */
static void
hide_parameters(struct err *e, const struct pgreq *r)
{
	for (int i = 0; i < r->nvals; i++) {
		const struct pgval *v = &r->vals[i];

		if (v->text != NULL)
			redact_known(e->text, v->text, strlen(v->text));
		else if (v->at != NULL && !v->binary)
			redact_known(e->text, v->at, (size_t)v->len);
	}
}

/* A plan or a name that has to be made anew: the statement never ran. */
static bool
stale_statement(const struct err *e)
{
	return strcmp(e->sqlstate, "26000") == 0 ||
	       (strcmp(e->sqlstate, "0A000") == 0 &&
		strcmp(e->routine, "RevalidateCachedQuery") == 0);
}

/* A cancel that was meant for another request hit this one: it was rolled
 * back and may run again. */
static bool
innocent(const struct pgconn *c, const struct pgreq *r)
{
	return c->state == PGCONN_FENCED && c->target != r &&
	       strcmp(r->err.sqlstate, "57014") == 0 &&
	       !(r->flags & PGREQ_IN_TX);
}

static void
count_cancelled(struct pgconn *c, const struct pgitem *it, const struct err *e)
{
	if (c->state != PGCONN_FENCED || strcmp(e->sqlstate, "57014") != 0)
		return;
	if (it->req == NULL || it->req == c->target)
		c->counts->hits++;
	else
		c->counts->spared++;
}

static void
item_failed(struct pgconn *c, struct pgitem *it, const PGresult *res)
{
	struct err local, *e = it->req != NULL ? &it->req->err : &local;
	bool stale;

	if (it->req != NULL && it->req->fate != PGREQ_PENDING)
		e = &local;
	pgread_error(e, res);
	if (it->req != NULL)
		hide_parameters(e, it->req);
	count_cancelled(c, it, e);
	stale = stale_statement(e) && it->prep != NULL;
	if (it->prep != NULL && it->kind == PGITEM_PREPARE)
		pgprep_retire(c, it->prep, false);
	else if (stale)
		pgprep_retire(c, it->prep, e->sqlstate[0] == '0');
	if (it->req == NULL || e == &local)
		return;
	it->req->fate = PGREQ_FAILED;
	if ((stale && !(it->req->flags & PGREQ_IN_TX)) || innocent(c, it->req))
		it->req->fate = PGREQ_NOT_RUN;
}

static void
item_aborted(struct pgconn *c, struct pgitem *it)
{
	if (it->kind == PGITEM_PREPARE && it->prep != NULL)
		pgprep_retire(c, it->prep, false);
	if (it->req != NULL && it->req->fate == PGREQ_PENDING)
		it->req->fate = PGREQ_NOT_RUN;
}

static const char too_big[] =
	"the result is larger than max_result_bytes; select less, "
	"or read it as a stream (db:rows)";

static void
fail_request(struct pgreq *r, enum err_code code, const char *text)
{
	r->fate = PGREQ_FAILED;
	err_set(&r->err, code, "%s", text);
}

static size_t
cell_bytes(PGresult *const *res, int nres, int ncols)
{
	size_t sum = 0;

	for (int k = 0; k < nres; k++)
		for (int i = 0, n = PQntuples(res[k]); i < n; i++)
			for (int j = 0; j < ncols; j++)
				sum += (size_t)PQgetlength(res[k], i, j);
	return sum;
}

static void
put_result(struct rows *rows, const PGresult *res, int ncols)
{
	for (int i = 0, n = PQntuples(res); i < n; i++)
		for (int j = 0; j < ncols; j++) {
			size_t len = (size_t)PQgetlength(res, i, j);

			if (len == 0 && PQgetisnull(res, i, j))
				rows_put(rows, NULL, 0);
			else
				rows_put(rows, PQgetvalue(res, i, j), len);
		}
}

/* Copies results of one statement into one block; NULL = no memory. */
static struct rows *
make_rows(struct pgprep *prep, PGresult *const *res, int nres)
{
	struct shape *shape = pgprep_shape(prep, res[0]);
	size_t nrows = 0;
	struct rows *rows;

	for (int k = 0; k < nres; k++)
		nrows += (size_t)PQntuples(res[k]);
	rows = rows_try_new(shape, nrows, cell_bytes(res, nres, shape->ncols));
	if (rows != NULL) {
		for (int k = 0; k < nres; k++)
			put_result(rows, res[k], shape->ncols);
		rows_seal(rows);
	}
	shape_unpin(&shape);
	return rows;
}

void
pgread_drop_held(struct pgconn *c)
{
	while (c->nheld > 0)
		PQclear(c->held[--c->nheld]);
}

/* Hands the collected rows of a stream on. */
static void
flush_held(struct pgconn *c, struct pgitem *it)
{
	struct pgreq *r = it->req;
	struct rows *rows;

	if (c->nheld == 0)
		return;
	if (r == NULL || r->fate != PGREQ_PENDING) {
		pgread_drop_held(c);
		return;
	}
	rows = make_rows(it->prep, c->held, c->nheld);
	pgread_drop_held(c);
	if (rows == NULL) {
		fail_request(r, LUNATE_ENOMEM,
			     "no memory for a part of the "
			     "stream; select fewer or smaller columns");
		return;
	}
	r->chunk(r, rows);
}

/* "INSERT 0 5", "SELECT 5", "COMMIT": the first word, and the last number. */
static void
take_tag(struct pgreq *r, PGresult *res)
{
	const char *tag = PQcmdStatus(res), *at = tag;
	size_t n = strnlen(tag, sizeof(r->tag) - 1);

	memcpy(r->tag, tag, n);
	r->tag[n] = 0;
	r->affected = -1;
	while (*at != 0 && *at != ' ')
		at++;
	while (*at == ' ') {
		if (at[1] < '0' || at[1] > '9')
			return; /* CREATE TABLE */
		r->affected = 0;
		for (at++; *at >= '0' && *at <= '9'; at++)
			r->affected = r->affected * 10 + (*at - '0');
	}
}

/* As the protocol counts: 7 bytes a row and 4 a value beside the values. */
static size_t
wire_bytes(PGresult *res)
{
	size_t nrows = (size_t)PQntuples(res), ncols = (size_t)PQnfields(res);

	return cell_bytes(&res, 1, (int)ncols) + nrows * (7 + 4 * ncols);
}

/* What came in one piece is known exactly only now. */
static bool
is_too_big(const struct pgreq *r, PGresult *res)
{
	return r->max_bytes != 0 && PQresultMemorySize(res) > r->max_bytes &&
	       wire_bytes(res) > r->max_bytes;
}

static void
take_rows(struct pgitem *it, PGresult *res)
{
	struct pgreq *r = it->req;

	take_tag(r, res);
	if (is_too_big(r, res)) {
		fail_request(r, LUNATE_ETOOBIG, too_big);
		return;
	}
	r->rows = make_rows(it->prep, &res, 1);
	if (r->rows == NULL)
		fail_request(r, LUNATE_ENOMEM,
			     "no memory for the result; read it as a stream "
			     "(db:rows)");
}

static void
statement_answered(struct pgconn *c, struct pgitem *it, PGresult *res)
{
	struct pgreq *r = it->req;
	int64_t now = loop_now_us(c->loop);
	int64_t from;

	flush_held(c, it);
	if (r == NULL || r->fate != PGREQ_PENDING)
		return;
	from = r->sent_us > c->answered_us ? r->sent_us : c->answered_us;
	r->ran_us = now - from;
	c->answered_us = now;
	if (PQresultStatus(res) == PGRES_TUPLES_OK)
		take_rows(it, res);
	else
		take_tag(r, res);
}

static void
item_ok(struct pgconn *c, struct pgitem *it, PGresult *res)
{
	if (it->kind == PGITEM_STMT) {
		statement_answered(c, it, res);
		return;
	}
	if (it->kind == PGITEM_XID && it->req != NULL && PQntuples(res) == 1)
		it->req->xid = strtoull(PQgetvalue(res, 0, 0), NULL, 10);
}

/* An error at the Sync: the commit of the group failed (a deferred
 * constraint).  What seemed done has not happened. */
static void
commit_failed(struct pggroup *g, const PGresult *res)
{
	LIST_EACH (link, &g->reqs) {
		struct pgreq *r = LIST_ENTRY(link, struct pgreq, link);

		if (r->fate != PGREQ_PENDING)
			continue;
		r->fate = PGREQ_FAILED;
		pgread_error(&r->err, res);
		hide_parameters(&r->err, r);
	}
}

/* An error that libpq made itself because the connection is gone: the server
 * said nothing about the statement. */
static bool
said_by_libpq(const struct pgconn *c, const PGresult *res)
{
	return PQstatus(c->pg) == CONNECTION_BAD &&
	       PQresultStatus(res) == PGRES_FATAL_ERROR &&
	       PQresultErrorField(res, PG_DIAG_SQLSTATE) == NULL;
}

/* Takes the result.  False: this cannot be, and the connection is unusable. */
static bool
take_result(struct pgconn *c, struct pgitem *it, PGresult *res)
{
	switch (PQresultStatus(res)) {
	case PGRES_TUPLES_OK:
	case PGRES_COMMAND_OK:
	case PGRES_EMPTY_QUERY:
		item_ok(c, it, res);
		break;
	case PGRES_SINGLE_TUPLE:
		c->held[c->nheld++] = res;
		if (c->nheld == (int)(sizeof(c->held) / sizeof(*c->held)))
			flush_held(c, it);
		return true; /* held, not cleared */
	case PGRES_PIPELINE_ABORTED:
		item_aborted(c, it);
		break;
	case PGRES_FATAL_ERROR:
	case PGRES_BAD_RESPONSE:
		flush_held(c, it);
		if (it->kind == PGITEM_SYNC)
			commit_failed(it->group, res);
		else
			item_failed(c, it, res);
		break;
	default: /* COPY in a pipeline: libpq would never get out of it */
		PQclear(res);
		return false;
	}
	PQclear(res);
	return true;
}

/* Single-row mode belongs to the statement libpq is reading now, so it is
 * asked for when that statement comes to the head. */
void
pgread_stream_mode(struct pgconn *c)
{
	struct pgitem *it = pgitem_head(c);

	if (it != NULL && it->kind == PGITEM_STMT && it->req != NULL &&
	    (it->req->flags & PGREQ_STREAM) && !c->mid_result)
		PQsetSingleRowMode(c->pg);
}

/* Ends the item at the head.  False: done() calls were made and the owner
 * has to look at the connection. */
static void
item_over(struct pgconn *c)
{
	pgitem_pop(c);
	pgread_stream_mode(c);
}

static void
sync_seen(struct pgconn *c)
{
	struct pggroup *g = pgitem_head(c)->group;

	item_over(c);
	pggroup_finish(c, g);
}

static const char out_of_turn[] = "the server answered out of turn";

/* Takes what libpq has.  Gives why nothing more can come, or NULL.  Of a
 * connection that ended libpq gives NULL for ever, also for a Sync. */
static const char *
one_result(struct pgconn *c)
{
	PGresult *res = PQgetResult(c->pg);
	struct pgitem *it = pgitem_head(c);

	if (res == NULL) {
		if (it->kind != PGITEM_SYNC)
			item_over(c);
		else if (PQstatus(c->pg) == CONNECTION_BAD)
			return PQerrorMessage(c->pg);
		return NULL;
	}
	c->mid_result = true;
	if (said_by_libpq(c, res)) {
		PQclear(res);
		return PQerrorMessage(c->pg);
	}
	if (PQresultStatus(res) != PGRES_PIPELINE_SYNC)
		return take_result(c, it, res) ? NULL : out_of_turn;
	PQclear(res);
	if (it->kind != PGITEM_SYNC)
		return out_of_turn;
	sync_seen(c);
	return pgguard_broken(c);
}

/* libpq does not say how much it has read.  From the socket's queue before
 * and after a read follows a number that is never above the truth: what the
 * queue has lost, and at least READ_LEAST of what it held, since libpq makes
 * so much room. */
#define READ_LEAST 8192

static size_t
queued(const struct pgconn *c)
{
	int n = 0;

	return ioctl(PQsocket(c->pg), FIONREAD, &n) == 0 && n > 0 ? (size_t)n
								  : 0;
}

static size_t
surely_read(size_t before, size_t after)
{
	size_t least = before < READ_LEAST ? before : READ_LEAST;
	size_t lost = before > after ? before - after : 0;

	return lost > least ? lost : least;
}

/* Is the answer that is arriving one with a limit?  The first read of an
 * answer is not counted: most take only one. */
static bool
has_limit(struct pgconn *c)
{
	const struct pgitem *it = pgitem_head(c);

	return it != NULL && it->req != NULL && it->kind == PGITEM_STMT &&
	       it->req->max_bytes != 0 && !(it->req->flags & PGREQ_STREAM) &&
	       it->req->fate == PGREQ_PENDING && c->reads++ > 0;
}

static bool
consume(struct pgconn *c)
{
	size_t before = has_limit(c) ? queued(c) : 0;

	if (PQconsumeInput(c->pg) != 1)
		return false;
	if (before > 0)
		c->partial += surely_read(before, queued(c));
	return true;
}

/* Gives up a statement whose answer passes its limit while it arrives. */
static void
watch_size(struct pgconn *c)
{
	struct pgitem *it = pgitem_head(c);

	if (it == NULL || it->req == NULL || it->req->max_bytes == 0 ||
	    c->partial <= it->req->max_bytes || it->req->fate != PGREQ_PENDING)
		return;
	fail_request(it->req, LUNATE_ETOOBIG, too_big);
	if (c->state == PGCONN_READY)
		pgcancel_start(c, it->req);
}

static bool
still_there(struct pgconn *c)
{
	if (PQstatus(c->pg) != CONNECTION_BAD)
		return true;
	pgconn_die(c, LUNATE_ELOST, PQerrorMessage(c->pg));
	return false;
}

static bool
read_all(struct pgconn *c)
{
	const char *over = NULL;

	while (over == NULL && !c->paused && c->items_len != 0 &&
	       !PQisBusy(c->pg))
		over = one_result(c);
	if (over != NULL) {
		pgconn_die(c, LUNATE_ELOST, over);
		return false;
	}
	if (c->nheld > 0 && c->items_len != 0)
		flush_held(c, pgitem_head(c));
	return true;
}

bool
pgread_drain(struct pgconn *c)
{
	bool lost;

	lost = !c->paused && !consume(c);
	if (!read_all(c))
		return false;
	watch_size(c);
	if (c->paused)
		return true;
	/* Nothing is expected: what arrives now is a notice, or the end. */
	if (c->items_len == 0 && !lost)
		(void)PQisBusy(c->pg);
	if (lost) {
		pgconn_die(c, LUNATE_ELOST, PQerrorMessage(c->pg));
		return false;
	}
	return still_there(c);
}
