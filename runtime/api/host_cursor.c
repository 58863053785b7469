/* SPDX-License-Identifier: MIT
 *
 *   DECLARE with the first rows asked for, FETCH for each part, CLOSE behind
 *   the last one.  One that nobody reads to its end lasts as long as its
 *   transaction.
 */
#include "host_stream.h"

#include <stdio.h>
#include <string.h>

static uint64_t last_cursor; /* atomic; numbers of names */

struct ask *
cursor_declare(struct lunate_stream *s, const struct lunate_call *given,
	       struct err *e)
{
	struct lunate_call call = *given;
	size_t len = call.sql_len > 0 ? call.sql_len : 0;
	const char *sql = call.sql;
	struct ask *a;
	char *text;

	if (call.statement != NULL)
		sql = ask_text(call.statement, &len);
	else if (len == 0)
		len = strlen(sql);
	snprintf(s->name, sizeof(s->name), "lunate_c%llu",
		 (unsigned long long)__atomic_add_fetch(&last_cursor, 1,
							__ATOMIC_RELAXED));
	text = mem_try(len + 80);
	if (text == NULL) {
		err_set(e, LUNATE_ENOMEM,
			"no memory for a statement of this size");
		return NULL;
	}
	len = (size_t)sprintf(text, "DECLARE %s NO SCROLL CURSOR FOR %.*s",
			      s->name, (int)len, sql);
	call.statement = NULL;
	call.sql = text;
	call.sql_len = len;
	a = ask_new(s->hw, &call, true, e);
	mem_free(text);
	if (a != NULL)
		a->op.flags |= OP_INTERNAL;
	return a;
}

static struct lunate_stream *
stream_of(struct ask *a)
{
	struct lunate_stream *s;

	OBJ_CAST(s, a->q.arg, STREAM_MAGIC);
	return s;
}

/* A statement that nobody waits for any more. */
static bool
drop(struct ask *a)
{
	ask_free(a);
	return false;
}

static void
run(struct lunate_stream *s, const char *verb, bool (*ended)(struct ask *a))
{
	char sql[80];

	snprintf(sql, sizeof(sql), "%s %s", verb, s->name);
	s->ask = ask_control(s->tx, sql);
	s->ask->q.arg = s;
	s->ask->ended = ended;
	op_start(&s->ask->op);
}

/* The stream's statement has ended: its rows, and its error. */
static struct lunate_rows *
take(struct lunate_stream *s, struct ask *a)
{
	struct lunate_rows *rows = a->q.rows;

	a->q.rows = NULL;
	s->ask = NULL;
	s->err = a->q.err;
	ask_free(a);
	return rows;
}

static bool
closed(struct ask *a)
{
	struct lunate_stream *s = stream_of(a);
	struct lunate_rows *rows = s->last;

	lunate_rows_free(&a->q.rows);
	s->last = NULL;
	s->ask = NULL;
	ask_free(a); /* the rows are right however CLOSE ended */
	stream_answer(s, rows);
	return false;
}

/* A part that is not full is the last one: it is given once the cursor is
 * closed, so that the transaction is free again. */
static bool
fetched(struct ask *a)
{
	struct lunate_stream *s = stream_of(a);
	struct lunate_rows *rows = take(s, a);

	s->over = rows == NULL || lunate_rows_count(rows) < (size_t)s->fetch;
	if (rows != NULL && lunate_rows_count(rows) == 0)
		lunate_rows_free(&rows);
	if (!s->over || s->err.code != 0) {
		stream_answer(s, rows);
		return false;
	}
	s->last = rows;
	run(s, "CLOSE", closed);
	return false;
}

static void
fetch(struct lunate_stream *s)
{
	char verb[40];

	snprintf(verb, sizeof(verb), "FETCH %d FROM", s->fetch);
	run(s, verb, fetched);
}

static bool
declared(struct ask *a)
{
	struct lunate_stream *s = stream_of(a);
	struct lunate_rows *none = take(s, a);

	lunate_rows_free(&none);
	s->declared = s->err.code == 0;
	s->over = !s->declared;
	if (s->declared)
		fetch(s);
	else
		stream_answer(s, NULL);
	return false;
}

void
cursor_next(struct lunate_stream *s)
{
	if (s->over) {
		stream_answer(s, NULL);
	} else if (s->declared) {
		fetch(s);
	} else {
		host_tx_attach(s->tx);
		s->started = true;
		s->ask->ended = declared;
		op_start(&s->ask->op);
	}
}

void
cursor_close(struct lunate_stream *s)
{
	lunate_rows_free(&s->last);
	if (s->ask == NULL || !s->started)
		return;
	s->ask->ended = drop;
	s->ask = NULL;
}
