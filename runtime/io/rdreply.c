/* SPDX-License-Identifier: MIT */
#include "rdreply.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "mem.h"

/* Where the reader's current item goes: its place in the parent, or new. */
static struct rdreply *
place(const redisReadTask *task)
{
	struct rdreply *parent;

	if (task->parent == NULL)
		return mem_try(sizeof(struct rdreply));
	parent = task->parent->obj;
	assert(task->idx >= 0 && (size_t)task->idx < parent->n);
	return (struct rdreply *)&parent->at[task->idx];
}

/* Frees what the node holds, not the node. */
static void
empty(struct rdreply *r)
{
	for (size_t i = 0; i < r->n; i++)
		empty((struct rdreply *)&r->at[i]);
	mem_free((void *)r->at);
	mem_free((void *)r->text);
}

/* A node whose content could not be had: an element stays NIL, in its tree. */
static void *
no_memory(const redisReadTask *task, struct rdreply *r)
{
	if (task->parent == NULL)
		mem_free(r);
	return NULL;
}

static enum rdreply_kind
kind_of(int type)
{
	if (type == REDIS_REPLY_ERROR)
		return RDREPLY_ERROR;
	return type == REDIS_REPLY_STATUS ? RDREPLY_STATUS : RDREPLY_STRING;
}

static void *
build_string(const redisReadTask *task, char *bytes, size_t len)
{
	struct rdreply *r = place(task);
	char *copy;

	if (r == NULL)
		return NULL;
	copy = mem_try(len + 1);
	if (copy == NULL)
		return no_memory(task, r);
	memcpy(copy, bytes, len);
	copy[len] = 0;
	r->kind = kind_of(task->type);
	r->text = copy;
	r->len = len;
	return r;
}

static void *
build_array(const redisReadTask *task, int n)
{
	struct rdreply *r = place(task);

	if (r == NULL)
		return NULL;
	if (n > 0) {
		r->at = mem_try((size_t)n * sizeof(*r));
		if (r->at == NULL)
			return no_memory(task, r);
	}
	r->kind = RDREPLY_ARRAY;
	r->n = (size_t)n;
	return r;
}

static void *
build_integer(const redisReadTask *task, long long value)
{
	struct rdreply *r = place(task);

	if (r == NULL)
		return NULL;
	r->kind = RDREPLY_INTEGER;
	r->integer = value;
	return r;
}

static void *
build_nil(const redisReadTask *task)
{
	return place(task);
}

static void
free_tree(void *root)
{
	struct rdreply *r = root;

	rdreply_free(&r);
}

redisReplyObjectFunctions rdreply_builder = {
	build_string, build_array, build_integer, build_nil, free_tree,
};

bool
rdreply_is(const struct rdreply *r, const char *text)
{
	return r->text != NULL && r->len == strlen(text) &&
	       memcmp(r->text, text, r->len) == 0;
}

/* The first words of Redis' error replies that say more than "refused". */
static const struct {
	const char *word;
	enum err_code code;
	const char *means;
} words[] = {
	{"NOAUTH", LUNATE_EAUTH,
	 "it wants a login; put user:password@ into the URL"},
	{"WRONGPASS", LUNATE_EAUTH, "user or password is wrong"},
	{"NOPERM", LUNATE_EDENIED, "the user has no right to do this (ACL)"},
	{"READONLY", LUNATE_EREADONLY, "it is a replica"},
	{"LOADING", LUNATE_ERESOURCE, "it is still loading its data"},
	{"BUSY", LUNATE_ERESOURCE, "it is busy with a script"},
	{"MASTERDOWN", LUNATE_ERESOURCE, "it has lost its primary"},
	{"TRYAGAIN", LUNATE_ERESOURCE, "its slots are moving"},
	{"OOM", LUNATE_ERESOURCE, "it is over its maxmemory"},
	{"MISCONF", LUNATE_ESERVER, "it cannot save its data"},
	{"WRONGTYPE", LUNATE_EVALUE, "the key holds another kind of value"},
	{"NOSCRIPT", LUNATE_EUNDEFINED, "it does not know the script"},
	{"MOVED", LUNATE_EUNSUPPORTED, "it is a cluster"},
	{"CROSSSLOT", LUNATE_EUNSUPPORTED, "it is a cluster"},
};

/* Only the words of the table are ever repeated. */
static bool
begins_with(const struct rdreply *r, const char *word)
{
	size_t n = strlen(word);

	return r->len >= n && memcmp(r->text, word, n) == 0 &&
	       (r->len == n || r->text[n] == ' ');
}

int
rdreply_err(const struct rdreply *r, struct err *e)
{
	static const char full[] = "ERR max number of clients";

	assert(r->kind == RDREPLY_ERROR);
	if (strncmp(r->text, full, sizeof(full) - 1) == 0)
		return err_set(e, LUNATE_ERESOURCE,
			       "redis has no room for another client; raise "
			       "its maxclients");
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (begins_with(r, words[i].word))
			return err_set(e, words[i].code,
				       "redis refused the command (%s): %s",
				       words[i].word, words[i].means);
	return err_set(
		e, LUNATE_EQUERY,
		"redis refused the command; its text is withheld, as it may hold values");
}

ssize_t
rdreply_read(redisContext *ctx, char *buf, size_t size)
{
	ssize_t n;

	do {
		n = recv(ctx->fd, buf, size, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n > 0 && redisReaderFeed(ctx->reader, buf, (size_t)n) != 0) {
		errno = ENOMEM;
		return -1;
	}
	if (n == 0) {
		errno = ECONNRESET;
		return -1;
	}
	return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? 0 : n;
}

void
rdreply_free(struct rdreply **pr)
{
	struct rdreply *r = *pr;

	*pr = NULL;
	if (r == NULL)
		return;
	empty(r);
	mem_free(r);
}
