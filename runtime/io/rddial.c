/* SPDX-License-Identifier: MIT */
#include "rddial.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "rdreply.h"

static void
close_socket(struct rddial *d)
{
	ev_io_stop(loop_ev(d->loop), &d->io);
	if (d->ctx != NULL)
		redisFree(d->ctx);
	d->ctx = NULL;
}

/* Gives 0 or an errno; d->ctx is set when the connect is under way. */
static int
start_connect(struct rddial *d, const struct resolve_addr *to)
{
	redisContext *ctx;

	errno = 0;
	if (to->family == AF_UNIX)
		ctx = redisConnectUnixNonBlock(to->text);
	else
		ctx = redisConnectNonBlock(to->text, d->url->port);
	if (ctx == NULL)
		return ENOMEM;
	if (ctx->err != 0) {
		int error = errno != 0 ? errno : ECONNREFUSED;

		redisFree(ctx);
		return error;
	}
	(void)fcntl(ctx->fd, F_SETFD, FD_CLOEXEC);
	ctx->reader->fn = &rdreply_builder;
	d->ctx = ctx;
	return 0;
}

static void
cannot_connect(struct rddial *d, int error)
{
	const struct rdurl *u = d->url;
	struct err e;

	err_clear(&e);
	if (u->path[0] != 0)
		err_set(&e, LUNATE_ECONNECT,
			"cannot connect to redis at %s: %s; is it running?",
			u->path, strerror(error));
	else
		err_set(&e, LUNATE_ECONNECT,
			"cannot connect to redis at %s:%d: %s; is it running?",
			u->host, u->port, strerror(error));
	d->done(d, NULL, &e);
}

/* The next address that does not fail at once; `error` is of the last. */
static void
try_next(struct rddial *d, int error)
{
	close_socket(d);
	while (d->next < d->addrs.n) {
		error = start_connect(d, &d->addrs.at[d->next++]);
		if (error != 0)
			continue;
		ev_io_set(&d->io, d->ctx->fd, EV_WRITE);
		ev_io_start(loop_ev(d->loop), &d->io);
		return;
	}
	cannot_connect(d, error);
}

static void
on_writable(struct ev_loop *ev, ev_io *w, int events)
{
	struct rddial *d = w->data;
	redisContext *ctx = d->ctx;
	socklen_t len = sizeof(int);
	int error = 0;

	(void)ev, (void)events;
	if (getsockopt(ctx->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error != 0) {
		try_next(d, error);
		return;
	}
	if (d->url->path[0] == 0)
		(void)redisEnableKeepAlive(ctx);
	d->ctx = NULL;
	close_socket(d);
	d->done(d, ctx, NULL);
}

static void
on_resolved(struct resolve_query *q, const struct resolve_answer *a,
	    const struct err *e)
{
	struct rddial *d = CONTAINER_OF(q, struct rddial, ask);
	struct err why;

	if (a != NULL) {
		d->addrs = *a;
		try_next(d, ECONNREFUSED);
		return;
	}
	why = *e;
	err_wrap(&why, "connect to redis: ");
	d->done(d, NULL, &why);
}

void
rddial_init(struct rddial *d, struct loop *loop, struct resolve *resolve,
	    void (*done)(struct rddial *, redisContext *, const struct err *))
{
	memset(d, 0, sizeof(*d));
	d->loop = loop;
	d->resolve = resolve;
	d->done = done;
	resolve_query_init(&d->ask, on_resolved);
	ev_io_init(&d->io, on_writable, -1, EV_WRITE);
	d->io.data = d;
}

void
rddial_start(struct rddial *d, const struct rdurl *url)
{
	d->url = url;
	d->next = 0;
	resolve_ask(d->resolve, url->path[0] != 0 ? url->path : url->host,
		    &d->ask);
}

void
rddial_stop(struct rddial *d)
{
	resolve_cancel(d->resolve, &d->ask);
	close_socket(d);
}
