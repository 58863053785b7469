/* SPDX-License-Identifier: MIT */
#include "resolve.h"

#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <uthash.h>

#include "mem.h"

#define HOST_MAX 255

/* What queries are told; shared by all that asked together. */
struct resolve_result {
	int refs;
	int rc; /* 0: the answer counts; else the err */
	struct resolve_answer answer;
	struct err err;
};

/* One call of the lookup.  Until it is back it belongs to the crew. */
struct flight {
	struct crew_job job;
	struct resolve_name *name; /* NULL: the resolver is gone */
	struct resolve_lookup lookup;
	struct resolve_result *result;
	char host[HOST_MAX + 1];
};

struct resolve_name {
	UT_hash_handle hh;
	struct resolve *owner;
	struct flight *flight;	      /* NULL: `known` holds */
	struct resolve_result *known; /* kept answer, or NULL */
	int64_t expires_us;
	struct list waiters; /* queries of this flight */
	char host[HOST_MAX + 1];
};

struct resolve {
	unsigned magic;
#define RESOLVE_MAGIC 0x4e501fe1
	struct loop *loop;
	struct crew *crew;
	int64_t ttl_us;
	struct resolve_lookup lookup;
	struct resolve_name *names; /* oldest first */
	struct list ready;	    /* queries with a result */
	struct list batch;	    /* those being delivered */
	struct loop_job deliver;
	bool delivering;
	bool freed; /* inside a callback: deliver() finishes it */
};

static struct resolve_result *
result_new(void)
{
	struct resolve_result *res = mem_new(sizeof(*res));

	res->refs = 1;
	return res;
}

static void
result_unpin(struct resolve_result **pres)
{
	struct resolve_result *res = *pres;

	*pres = NULL;
	if (res != NULL && --res->refs == 0)
		mem_free(res);
}

/* ---- lookups ------------------------------------------------------------ */

static bool
has_addr(const struct resolve_answer *a, const char *text)
{
	for (int i = 0; i < a->n; i++)
		if (strcmp(a->at[i].text, text) == 0)
			return true;
	return false;
}

static void
add_addr(struct resolve_answer *a, const struct addrinfo *ai)
{
	struct resolve_addr *to = &a->at[a->n];
	char text[sizeof(to->text)];

	if (ai->ai_family != AF_INET && ai->ai_family != AF_INET6)
		return;
	if (getnameinfo(ai->ai_addr, ai->ai_addrlen, text, sizeof(text), NULL,
			0, NI_NUMERICHOST) != 0 ||
	    has_addr(a, text))
		return;
	to->family = ai->ai_family;
	memcpy(to->text, text, sizeof(text));
	a->n++;
}

/* Gives a code of getaddrinfo(3). */
static int
lookup_with(const char *host, int flags, struct resolve_answer *out)
{
	struct addrinfo hints = {.ai_flags = flags, .ai_socktype = SOCK_STREAM};
	struct addrinfo *all = NULL;
	int rc;

	out->n = 0;
	rc = getaddrinfo(host, NULL, &hints, &all);
	if (rc != 0)
		return rc;
	for (struct addrinfo *ai = all; ai != NULL; ai = ai->ai_next)
		if (out->n < RESOLVE_ADDRS_MAX)
			add_addr(out, ai);
	freeaddrinfo(all);
	return out->n > 0 ? 0 : EAI_NONAME;
}

static int
system_lookup(void *arg, const char *host, struct resolve_answer *out,
	      struct err *e)
{
	int rc = lookup_with(host, 0, out);

	(void)arg;
	if (rc == 0)
		return 0;
	if (rc == EAI_MEMORY)
		return err_set(e, LUNATE_ERESOURCE,
			       "cannot resolve the host name \"%s\": no memory",
			       host);
	return err_set(e, LUNATE_ECONNECT,
		       "cannot resolve the host name \"%s\": %s; check its "
		       "spelling and the name servers of this machine",
		       host, gai_strerror(rc));
}

const struct resolve_lookup resolve_system = {system_lookup, NULL};

/* ---- life --------------------------------------------------------------- */

static void deliver(struct loop_job *job);

struct resolve *
resolve_new(struct loop *loop, struct crew *crew, int64_t ttl_ms,
	    struct resolve_lookup lookup)
{
	struct resolve *r = mem_new(sizeof(*r));

	assert(ttl_ms >= 0 && lookup.call != NULL);
	OBJ_INIT(r, RESOLVE_MAGIC);
	r->loop = loop;
	r->crew = crew;
	r->ttl_us = ttl_ms * 1000;
	r->lookup = lookup;
	list_init(&r->ready);
	list_init(&r->batch);
	loop_job_init(&r->deliver, deliver);
	return r;
}

void
resolve_query_init(struct resolve_query *q,
		   void (*done)(struct resolve_query *,
				const struct resolve_answer *,
				const struct err *))
{
	list_init(&q->link);
	q->name = NULL;
	q->result = NULL;
	q->done = done;
}

/* ---- answering ---------------------------------------------------------- */

/* Pins the result. */
static void
make_ready(struct resolve *r, struct resolve_query *q,
	   struct resolve_result *res)
{
	res->refs++;
	q->result = res;
	q->name = NULL;
	list_move_back(&r->ready, &q->link);
	loop_defer(r->loop, LOOP_TASKS, &r->deliver);
}

static void
tell(struct resolve_query *q)
{
	struct resolve_result *res = q->result;

	list_remove(&q->link);
	q->result = NULL;
	if (res->rc == 0)
		q->done(q, &res->answer, NULL);
	else
		q->done(q, NULL, &res->err);
	result_unpin(&res);
}

/* What callbacks ask anew is answered in another run of this job. */
static void
deliver(struct loop_job *job)
{
	struct resolve *r = CONTAINER_OF(job, struct resolve, deliver);
	struct list *link;

	OBJ_CHECK(r, RESOLVE_MAGIC);
	list_splice_back(&r->batch, &r->ready);
	r->delivering = true;
	while ((link = list_first(&r->batch)) != NULL)
		tell(LIST_ENTRY(link, struct resolve_query, link));
	r->delivering = false;
	if (r->freed)
		mem_free(r);
}

static void
forget_query(struct resolve_query *q)
{
	list_remove(&q->link);
	q->name = NULL;
	result_unpin(&q->result);
}

static void
forget_queries(struct list *queries)
{
	struct list *link;

	while ((link = list_first(queries)) != NULL)
		forget_query(LIST_ENTRY(link, struct resolve_query, link));
}

/* ---- names -------------------------------------------------------------- */

static struct resolve_name *
name_new(struct resolve *r, const char *host)
{
	struct resolve_name *n = mem_new(sizeof(*n));

	n->owner = r;
	list_init(&n->waiters);
	strcpy(n->host, host); /* its length was checked */
	HASH_ADD_STR(r->names, host, n);
	return n;
}

static void
name_free(struct resolve_name *n)
{
	assert(n->flight == NULL && list_empty(&n->waiters));
	HASH_DEL(n->owner->names, n);
	result_unpin(&n->known);
	mem_free(n);
}

/* Makes room for one more: what is out of date goes, else the oldest that is
 * not in flight. */
static void
make_room(struct resolve *r)
{
	struct resolve_name *n, *next, *oldest = NULL;
	int64_t now = loop_now_us(r->loop);

	if (HASH_COUNT(r->names) < RESOLVE_NAMES_MAX)
		return;
	HASH_ITER (hh, r->names, n, next) {
		if (n->flight != NULL)
			continue;
		if (n->expires_us <= now)
			name_free(n);
		else if (oldest == NULL)
			oldest = n;
	}
	if (HASH_COUNT(r->names) >= RESOLVE_NAMES_MAX && oldest != NULL)
		name_free(oldest);
}

/* ---- flights ------------------------------------------------------------ */

static void
flight_free(struct flight *f)
{
	result_unpin(&f->result);
	mem_free(f);
}

/* On a thread of the crew: the flight is all it touches. */
static void
fly(struct crew_job *job)
{
	struct flight *f = CONTAINER_OF(job, struct flight, job);
	struct resolve_result *res = f->result;

	res->rc = f->lookup.call(f->lookup.arg, f->host, &res->answer,
				 &res->err);
	assert(res->rc != 0 || res->answer.n > 0);
}

static void
lost(struct crew_job *job)
{
	flight_free(CONTAINER_OF(job, struct flight, job));
}

static void
landed(struct crew_job *job)
{
	struct flight *f = CONTAINER_OF(job, struct flight, job);
	struct resolve_name *n = f->name;
	struct list *link;

	if (n == NULL) {
		flight_free(f);
		return;
	}
	n->flight = NULL;
	if (!job->ran)
		f->result->rc = err_set(
			&f->result->err, LUNATE_ERESOURCE,
			"cannot start a thread to resolve the host "
			"name; raise the limit of processes");
	while ((link = list_first(&n->waiters)) != NULL)
		make_ready(n->owner,
			   LIST_ENTRY(link, struct resolve_query, link),
			   f->result);
	if (f->result->rc == 0 && n->owner->ttl_us > 0) {
		n->known = f->result;
		n->known->refs++;
		n->expires_us = loop_now_us(n->owner->loop) + n->owner->ttl_us;
	} else {
		name_free(n);
	}
	flight_free(f);
}

static void
take_off(struct resolve_name *n)
{
	struct flight *f = mem_new(sizeof(*f));
	struct resolve *r = n->owner;

	crew_job_init(&f->job, r->loop, fly, landed);
	f->job.drop = lost;
	f->name = n;
	f->lookup = r->lookup;
	f->result = result_new();
	strcpy(f->host, n->host);
	n->flight = f;
	crew_submit(r->crew, &f->job);
}

/* The resolver ends: whoever has the flight frees it. */
static void
give_up(struct resolve_name *n)
{
	struct flight *f = n->flight;

	n->flight = NULL;
	if (f == NULL)
		return;
	f->name = NULL;
	(void)crew_abandon(n->owner->crew, &f->job);
}

/* ---- asking ------------------------------------------------------------- */

static void
answer_now(struct resolve *r, struct resolve_query *q,
	   struct resolve_result *res)
{
	make_ready(r, q, res);
	result_unpin(&res);
}

static bool
is_path(const char *host)
{
	return host[0] == '/' || host[0] == '@';
}

static int
path_answer(const char *path, struct resolve_result *res)
{
	struct resolve_addr *to = &res->answer.at[0];

	if (strlen(path) >= sizeof(to->text))
		return err_set(&res->err, LUNATE_EINVAL,
			       "the path of the socket is too long: at most "
			       "%zu bytes",
			       sizeof(to->text) - 1);
	to->family = AF_UNIX;
	strcpy(to->text, path);
	res->answer.n = 1;
	return 0;
}

/* Answers that need no thread.  False: somebody has to look it up. */
static bool
answer_at_once(struct resolve *r, const char *host, struct resolve_query *q)
{
	struct resolve_result *res = result_new();

	if (is_path(host)) {
		res->rc = path_answer(host, res);
	} else if (host[0] == 0 || strlen(host) > HOST_MAX) {
		res->rc = err_set(&res->err, LUNATE_EINVAL,
				  "a host name has 1 to %d bytes", HOST_MAX);
	} else if (lookup_with(host, AI_NUMERICHOST, &res->answer) != 0) {
		result_unpin(&res);
		return false;
	}
	answer_now(r, q, res);
	return true;
}

void
resolve_ask(struct resolve *r, const char *host, struct resolve_query *q)
{
	struct resolve_name *n;

	OBJ_CHECK(r, RESOLVE_MAGIC);
	assert(!list_linked(&q->link) && q->done != NULL);
	if (answer_at_once(r, host, q))
		return;
	HASH_FIND_STR(r->names, host, n);
	if (n != NULL && n->flight == NULL) {
		if (loop_now_us(r->loop) < n->expires_us) {
			make_ready(r, q, n->known);
			return;
		}
		name_free(n);
		n = NULL;
	}
	if (n == NULL) {
		make_room(r);
		n = name_new(r, host);
		take_off(n);
	}
	q->name = n;
	list_push_back(&n->waiters, &q->link);
}

void
resolve_cancel(struct resolve *r, struct resolve_query *q)
{
	struct resolve_name *n = q->name;

	OBJ_CHECK(r, RESOLVE_MAGIC);
	if (!list_linked(&q->link))
		return;
	forget_query(q);
	if (n == NULL || !list_empty(&n->waiters))
		return;
	if (crew_withdraw(r->crew, &n->flight->job)) {
		flight_free(n->flight);
		n->flight = NULL;
		name_free(n);
	}
}

void
resolve_free(struct resolve **pr)
{
	struct resolve_name *n, *next;
	struct resolve *r;

	OBJ_TAKE(r, pr, RESOLVE_MAGIC);
	loop_undefer(&r->deliver);
	forget_queries(&r->ready);
	forget_queries(&r->batch);
	HASH_ITER (hh, r->names, n, next) {
		forget_queries(&n->waiters);
		give_up(n);
		name_free(n);
	}
	OBJ_FINI(r);
	if (r->delivering)
		r->freed = true;
	else
		mem_free(r);
}
