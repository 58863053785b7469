/* SPDX-License-Identifier: MIT */
#include "tree.h"

#include <ctype.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>

#include <pg_query.h>
#include <pg_query/pg_query.pb-c.h>

#include "deep.h"
#include "mem.h"
#include "tree_scan.h"

/* Stack per level of nesting.  Measured with libpg_query 15-4.0.0: packing
 * takes 180 bytes a message, unpacking 960, and the worst token ("[" of a
 * subscript) nests four messages. */
#define LEVEL_STACK 4096

struct tree {
	unsigned magic;
#define TREE_MAGIC 0x7ee5a1d3
	struct arena arena; /* all that follows */
	char *text;
	size_t len;
	struct token_list tokens;
	unsigned depth; /* upper bound */
	PgQuery__ParseResult *parsed;
};

/* ---- birth and death ------------------------------------------------ */

static void *
arena_alloc(void *arena, size_t size)
{
	return arena_try(arena, size);
}

/* The arena goes as a whole, so freeing a tree never recurses. */
static void
arena_keep(void *arena, void *p)
{
	(void)arena, (void)p;
}

struct parse_job {
	struct tree *tree;
	struct err *e;
	int rc;
};

static void
parse_deep(void *arg)
{
	struct parse_job *job = arg;
	struct tree *t = job->tree;
	ProtobufCAllocator from = {arena_alloc, arena_keep, &t->arena};
	PgQueryProtobufParseResult r = pg_query_parse_protobuf(t->text);

	if (r.error != NULL) {
		job->rc = scan_refuse(t->text, r.error, job->e);
	} else {
		t->parsed = pg_query__parse_result__unpack(
			&from, r.parse_tree.len, (uint8_t *)r.parse_tree.data);
		if (t->parsed == NULL)
			job->rc = err_set(job->e, LUNATE_ENOMEM,
					  "no memory to parse SQL text");
	}
	pg_query_free_protobuf_parse_result(r);
}

static int
parse(struct tree *t, struct err *e)
{
	struct parse_job job = {.tree = t, .e = e};
	int rc;

	rc = scan_tokens(t->text, &t->arena, &t->tokens, e);
	if (rc < 0)
		return rc;
	t->depth = scan_depth(&t->tokens);
	if (t->depth > TREE_DEPTH)
		return scan_too_deep(e);
	rc = deep_call(parse_deep, &job, t->depth * LEVEL_STACK, e);
	return rc < 0 ? rc : job.rc;
}

static int
no_memory(struct err *e)
{
	return err_set(e, LUNATE_ENOMEM, "no memory to parse SQL text");
}

/* What the parser relies on. */
static int
check_text(const char *text, size_t len, struct err *e)
{
	if (len > INT_MAX / 2)
		return err_set(e, LUNATE_ETOOBIG, "an SQL text of %zu bytes",
			       len);
	return scan_bytes(text, len, e);
}

/* With a 0 at the end; NULL: no memory. */
static char *
copy_text(struct arena *a, const char *text, size_t len)
{
	char *copy = arena_try(a, len + 1);

	if (copy != NULL)
		memcpy(copy, text, len);
	return copy;
}

int
tree_parse(const char *text, size_t len, struct tree **out, struct err *e)
{
	struct tree *t;
	int rc;

	*out = NULL;
	rc = check_text(text, len, e);
	if (rc < 0)
		return rc;
	t = mem_new(sizeof(*t));
	OBJ_INIT(t, TREE_MAGIC);
	arena_init(&t->arena, NULL, 0);
	t->len = len;
	t->text = copy_text(&t->arena, text, len);
	rc = t->text != NULL ? parse(t, e) : no_memory(e);
	if (rc < 0)
		tree_free(&t);
	*out = t;
	return rc;
}

void
tree_free(struct tree **pt)
{
	struct tree *t;

	if (*pt == NULL)
		return;
	OBJ_TAKE(t, pt, TREE_MAGIC);
	arena_fini(&t->arena);
	OBJ_FINI(t);
	mem_free(t);
}

/* ---- the whole ------------------------------------------------------ */

const char *
tree_text(const struct tree *t, size_t *len)
{
	OBJ_CHECK(t, TREE_MAGIC);
	*len = t->len;
	return t->text;
}

size_t
tree_tokens(const struct tree *t, const struct tree_token **first)
{
	OBJ_CHECK(t, TREE_MAGIC);
	*first = t->tokens.at;
	return t->tokens.n;
}

unsigned
tree_count(const struct tree *t)
{
	OBJ_CHECK(t, TREE_MAGIC);
	return (unsigned)t->parsed->n_stmts;
}

const struct tree_node *
tree_root(const struct tree *t, unsigned i)
{
	OBJ_CHECK(t, TREE_MAGIC);
	assert(i < t->parsed->n_stmts);
	return tree_get((const struct tree_node *)t->parsed->stmts[i], "stmt");
}

struct print_job {
	const struct tree *tree;
	struct err *e;
	uint64_t print;
	int rc;
};

static void
print_deep(void *arg)
{
	struct print_job *job = arg;
	PgQueryFingerprintResult r = pg_query_fingerprint(job->tree->text);

	if (r.error != NULL)
		job->rc = scan_refuse(job->tree->text, r.error, job->e);
	else
		job->print = r.fingerprint;
	pg_query_free_fingerprint_result(r);
}

int
tree_fingerprint(const struct tree *t, uint64_t *print, struct err *e)
{
	struct print_job job = {.tree = t, .e = e};
	int rc;

	OBJ_CHECK(t, TREE_MAGIC);
	rc = deep_call(print_deep, &job, t->depth * LEVEL_STACK, e);
	*print = job.print;
	return rc < 0 ? rc : job.rc;
}

/* ---- scripts -------------------------------------------------------- */

static void
trim(const char *text, struct tree_span *s)
{
	while (s->len > 0 && isspace((unsigned char)text[s->start]))
		s->start++, s->len--;
	while (s->len > 0 &&
	       isspace((unsigned char)text[s->start + s->len - 1]))
		s->len--;
}

static int
copy_spans(const char *text, const PgQuerySplitResult *r,
	   struct tree_script *out, struct err *e)
{
	struct tree_span *s = mem_try((size_t)r->n_stmts * sizeof(*s));

	if (s == NULL)
		return no_memory(e);
	for (int i = 0; i < r->n_stmts; i++) {
		s[i].start = (size_t)r->stmts[i]->stmt_location;
		s[i].len = (size_t)r->stmts[i]->stmt_len;
		trim(text, &s[i]);
	}
	out->spans = s;
	out->n = (size_t)r->n_stmts;
	return 0;
}

static int
split(const char *text, struct tree_script *out, struct err *e)
{
	PgQuerySplitResult r = pg_query_split_with_parser(text);
	int rc = r.error != NULL ? scan_refuse(text, r.error, e)
				 : copy_spans(text, &r, out, e);

	pg_query_free_split_result(r);
	return rc;
}

int
tree_split(const char *text, size_t len, struct tree_script *out, struct err *e)
{
	struct arena arena;
	char *copy;
	int rc;

	out->spans = NULL;
	out->n = 0;
	rc = check_text(text, len, e);
	if (rc < 0)
		return rc;
	arena_init(&arena, NULL, 0);
	copy = copy_text(&arena, text, len);
	rc = copy != NULL ? split(copy, out, e) : no_memory(e);
	arena_fini(&arena);
	return rc;
}

void
tree_script_fini(struct tree_script *s)
{
	mem_free(s->spans);
	s->spans = NULL;
	s->n = 0;
}
