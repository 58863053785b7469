/* SPDX-License-Identifier: MIT */
#include "rdconn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mem.h"
#include "rddial.h"
#include "rdword.h"

#define READ_SIZE 65536
#define READS_PER_TURN 8 /* then other sockets get their share */
#define HELLO_CMDS 3	 /* AUTH, SELECT, PING */

/* A command of the login. */
struct hello {
	struct rdcmd cmd;
	struct rdconn *conn;
};

struct rdconn {
	unsigned magic;
#define RDCONN_MAGIC 0x4edc0a11
	enum rdconn_state state;
	struct loop *loop;
	struct rdconn_owner owner;

	/* CONNECTING */
	struct rdurl url;
	int connect_ms;
	int64_t connect_due_us;
	struct rddial dial;
	struct hello hello[HELLO_CMDS];

	redisContext *ctx; /* socket and parser, or NULL */
	ev_io rio, wio;
	ev_timer timer;
	int64_t timer_due_us; /* 0: not running */

	struct list sent; /* struct rdcmd */
	bool subscribed;  /* messages may come */

	struct rdout out;
	struct loop_job flush;

	struct err why; /* DEAD: of what */
	int64_t died_us;
	struct loop_job bury; /* tells everybody */

	int depth;  /* callbacks under way */
	bool freed; /* inside a callback: finished when depth is 0 */
};

static void on_message(struct rdconn *c, const struct rdreply *r);

/* ---- callbacks may free us ----------------------------------------------- */

static void
enter(struct rdconn *c)
{
	c->depth++;
}

/* False: it is gone, touch nothing. */
static bool
leave(struct rdconn *c)
{
	bool freed = c->freed;

	if (--c->depth == 0 && freed)
		mem_free(c);
	return !freed;
}

/* ---- death --------------------------------------------------------------- */

static void
close_socket(struct rdconn *c)
{
	ev_io_stop(loop_ev(c->loop), &c->rio);
	ev_io_stop(loop_ev(c->loop), &c->wio);
	loop_undefer(&c->flush);
	if (c->ctx != NULL)
		redisFree(c->ctx);
	c->ctx = NULL;
}

static void
set_state(struct rdconn *c, enum rdconn_state state)
{
	assert(state > c->state);
	c->state = state;
	if (state != RDCONN_DEAD)
		return;
	close_socket(c);
	ev_timer_stop(loop_ev(c->loop), &c->timer);
	rddial_stop(&c->dial);
	c->died_us = loop_now_us(c->loop);
	loop_defer(c->loop, LOOP_TASKS, &c->bury);
}

/* c->why was filled. */
static void
die(struct rdconn *c)
{
	assert(c->why.code != 0);
	if (c->state != RDCONN_DEAD)
		set_state(c, RDCONN_DEAD);
}

static void
die_of_socket(struct rdconn *c, int error)
{
	if (c->state == RDCONN_CONNECTING)
		err_set(&c->why, LUNATE_ECONNECT,
			"redis closed the connection before it was ready "
			"(%s); is it really a Redis server?",
			strerror(error));
	else
		err_set(&c->why, LUNATE_ELOST,
			"the connection to redis broke: %s", strerror(error));
	die(c);
}

static void
why_failed(const struct rdconn *c, const struct rdcmd *cmd, struct err *e)
{
	if (cmd->due_us <= c->died_us)
		err_set(e, LUNATE_EDEADLINE, "redis did not answer in time");
	else if (cmd->start < c->out.left)
		err_set(e, LUNATE_EINDOUBT,
			"the connection to redis died; the command may or may "
			"not have run");
	else
		err_set(e, LUNATE_ELOST,
			"the connection to redis died before the command was "
			"sent");
}

/* The end of the turn in which it died. */
static void
bury(struct loop_job *job)
{
	struct rdconn *c = CONTAINER_OF(job, struct rdconn, bury);
	struct list *link;

	OBJ_CHECK(c, RDCONN_MAGIC);
	enter(c);
	while (!c->freed && (link = list_first(&c->sent)) != NULL) {
		struct rdcmd *cmd = LIST_ENTRY(link, struct rdcmd, link);
		struct err e;

		err_clear(&e);
		why_failed(c, cmd, &e);
		list_remove(link);
		cmd->done(cmd, NULL, &e);
	}
	if (!c->freed && c->owner.dead != NULL)
		c->owner.dead(c, c->owner.arg, &c->why);
	leave(c);
}

/* One timer, for whatever is due first. */
static void
arm(struct rdconn *c, int64_t due_us)
{
	struct ev_loop *ev = loop_ev(c->loop);
	int64_t wait_us = due_us - loop_now_us(c->loop);

	if (c->timer_due_us != 0 && c->timer_due_us <= due_us)
		return;
	ev_timer_stop(ev, &c->timer);
	ev_timer_set(&c->timer, wait_us > 0 ? (double)wait_us / 1e6 : 0, 0);
	ev_timer_start(ev, &c->timer);
	c->timer_due_us = due_us;
}

static void
connect_late(struct rdconn *c)
{
	err_set(&c->why, LUNATE_ECONNECT,
		"redis was not ready within %d ms; is it running, and can "
		"this machine reach it?",
		c->connect_ms);
	die(c);
}

/* ---- sending ------------------------------------------------------------- */

static void
on_flush(struct loop_job *job)
{
	struct rdconn *c = CONTAINER_OF(job, struct rdconn, flush);
	int rc;

	OBJ_CHECK(c, RDCONN_MAGIC);
	rc = rdout_send(&c->out, c->ctx->fd);
	if (rc < 0)
		die_of_socket(c, errno);
	else if (rc == 0)
		ev_io_start(loop_ev(c->loop), &c->wio);
	else
		ev_io_stop(loop_ev(c->loop), &c->wio);
}

/* In any state that has a socket. */
static int
submit(struct rdconn *c, struct rdcmd *cmd, const struct rdargs *a,
       struct err *e)
{
	uint64_t start = c->out.end;
	int rc = rdout_append(&c->out, a, e);

	if (rc != 0)
		return rc;
	cmd->start = start;
	cmd->subscribes = rdword_subscribes(a);
	cmd->replies = cmd->subscribes ? a->n - 1 : 1;
	cmd->due_us = loop_now_us(c->loop) + (int64_t)a->timeout_ms * 1000;
	list_push_back(&c->sent, &cmd->link);
	arm(c, cmd->due_us);
	loop_defer(c->loop, LOOP_SEND, &c->flush);
	return 0;
}

int
rdconn_send(struct rdconn *c, struct rdcmd *cmd, const struct rdargs *a,
	    struct err *e)
{
	OBJ_CHECK(c, RDCONN_MAGIC);
	assert(a->n > 0 && a->timeout_ms > 0);
	assert(!list_linked(&cmd->link) && cmd->done != NULL);
	if (c->state == RDCONN_CONNECTING)
		return err_set(e, LUNATE_EBUSY,
			       "the connection to redis is not ready yet");
	if (c->state != RDCONN_READY)
		return err_set(e, LUNATE_ECLOSED,
			       "the connection to redis is closed");
	if (rdword_loses_order(a))
		return err_set(e, LUNATE_EUNSUPPORTED,
			       "this redis command changes what replies mean "
			       "and cannot be sent on a shared connection");
	if (rdword_subscribes(a) && a->n < 2)
		return err_set(e, LUNATE_EPARAM,
			       "a subscription names its channels");
	return submit(c, cmd, a, e);
}

/* ---- receiving ----------------------------------------------------------- */

/* Parses what was read.  False: it is gone or dead. */
static bool
handle_replies(struct rdconn *c)
{
	for (;;) {
		void *parsed = NULL;
		struct rdreply *r;

		if (redisReaderGetReply(c->ctx->reader, &parsed) != REDIS_OK) {
			err_set(&c->why, LUNATE_EIO,
				"redis sent something that is not its "
				"protocol, or a reply there is no memory for");
			die(c);
			return false;
		}
		if (parsed == NULL)
			return true;
		r = parsed;
		enter(c);
		on_message(c, r);
		rdreply_free(&r);
		if (!leave(c) || c->state == RDCONN_DEAD)
			return false;
	}
}

/* False: it is gone or dead. */
static bool
read_some(struct rdconn *c)
{
	char buf[READ_SIZE];

	for (int i = 0; i < READS_PER_TURN; i++) {
		ssize_t n = rdreply_read(c->ctx, buf, sizeof(buf));

		if (n < 0) {
			die_of_socket(c, errno);
			return false;
		}
		if (n > 0 && !handle_replies(c))
			return false;
		if ((size_t)n < sizeof(buf))
			break;
	}
	return true;
}

static void
on_readable(struct ev_loop *ev, ev_io *w, int events)
{
	struct rdconn *c;

	(void)ev, (void)events;
	OBJ_CAST(c, w->data, RDCONN_MAGIC);
	(void)read_some(c);
}

static void
answer_oldest(struct rdconn *c, const struct rdreply *r)
{
	struct list *link = list_first(&c->sent);
	struct rdcmd *cmd;

	if (link == NULL) {
		err_set(&c->why, LUNATE_EIO,
			"redis sent a reply to no command");
		die(c);
		return;
	}
	cmd = LIST_ENTRY(link, struct rdcmd, link);
	if (r->kind != RDREPLY_ERROR && --cmd->replies > 0)
		return; /* an error stands for all of them */
	list_remove(link);
	cmd->done(cmd, r, NULL);
}

static void
drained(struct rdconn *c)
{
	if (c->freed || c->state != RDCONN_DRAINING || !list_empty(&c->sent))
		return;
	err_set(&c->why, LUNATE_ECLOSED, "the connection to redis was closed");
	die(c);
}

/* Does the oldest command wait for confirmations? */
static bool
oldest_subscribes(const struct rdconn *c)
{
	const struct list *link = list_first(&c->sent);

	return link != NULL &&
	       LIST_ENTRY(link, const struct rdcmd, link)->subscribes;
}

static void
push(struct rdconn *c, const struct rdreply *r)
{
	if (c->owner.push != NULL)
		c->owner.push(c, c->owner.arg, r);
}

/* The caller has entered. */
static void
on_message(struct rdconn *c, const struct rdreply *r)
{
	if (c->subscribed && rdword_is_published(r)) {
		push(c, r);
		return;
	}
	if (oldest_subscribes(c) && rdword_is_confirmation(r)) {
		c->subscribed = r->at[2].integer > 0;
		push(c, r);
		if (c->freed)
			return;
	}
	answer_oldest(c, r);
	drained(c);
}

/* ---- connecting ---------------------------------------------------------- */

static void
hello_done(struct rdcmd *cmd, const struct rdreply *r, const struct err *e)
{
	struct hello *h = CONTAINER_OF(cmd, struct hello, cmd);
	struct rdconn *c = h->conn;
	bool login = h == &c->hello[0] && c->url.password[0] != 0;

	if (r == NULL || c->state != RDCONN_CONNECTING)
		return;
	if (r->kind == RDREPLY_ERROR) {
		rdreply_err(r, &c->why);
		if (c->why.code == LUNATE_EQUERY && h == &c->hello[1])
			err_set(&c->why, LUNATE_ECONFIG,
				"the server has no database %d", c->url.db);
		if (c->why.code == LUNATE_EQUERY && login)
			err_set(&c->why, LUNATE_EAUTH,
				"the server takes no such login; does it have "
				"a password at all?");
		err_wrap(&c->why, "log in to redis: ");
		die(c);
		return;
	}
	if (h != &c->hello[HELLO_CMDS - 1])
		return;
	set_state(c, RDCONN_READY);
	if (c->owner.ready != NULL)
		c->owner.ready(c, c->owner.arg);
}

static void
say_hello(struct rdconn *c, int i, const struct rdargs *a)
{
	if (c->state == RDCONN_DEAD ||
	    submit(c, &c->hello[i].cmd, a, &c->why) == 0)
		return;
	die(c);
}

/* The socket is connected: login, database, and a PING that shows that the
 * server not only accepts but answers. */
static void
greet(struct rdconn *c)
{
	const char *login[3] = {"AUTH", c->url.user, c->url.password};
	const char *select[2] = {"SELECT", NULL}, *ping[1] = {"PING"};
	struct rdargs a = {.timeout_ms = c->connect_ms};
	char db[16];

	if (c->url.user[0] == 0)
		login[1] = c->url.password;
	snprintf(db, sizeof(db), "%d", c->url.db);
	select[1] = db;
	a.at = login;
	a.n = c->url.user[0] == 0 ? 2 : 3;
	if (c->url.password[0] != 0)
		say_hello(c, 0, &a);
	a.at = select;
	a.n = 2;
	if (c->url.db != 0)
		say_hello(c, 1, &a);
	a.at = ping;
	a.n = 1;
	say_hello(c, 2, &a);
}

static void
on_writable(struct ev_loop *ev, ev_io *w, int events)
{
	struct rdconn *c;

	(void)ev, (void)events;
	OBJ_CAST(c, w->data, RDCONN_MAGIC);
	on_flush(&c->flush);
}

static void
on_dialled(struct rddial *d, redisContext *ctx, const struct err *e)
{
	struct rdconn *c = CONTAINER_OF(d, struct rdconn, dial);

	OBJ_CHECK(c, RDCONN_MAGIC);
	if (ctx == NULL) {
		c->why = *e;
		die(c);
		return;
	}
	c->ctx = ctx;
	ev_io_set(&c->rio, ctx->fd, EV_READ);
	ev_io_set(&c->wio, ctx->fd, EV_WRITE);
	ev_io_start(loop_ev(c->loop), &c->rio);
	greet(c);
}

/* Replies that are here already count, however late we come to read them. */
static void
on_timer(struct ev_loop *ev, ev_timer *w, int events)
{
	struct rdconn *c;
	int64_t due;

	(void)ev, (void)events;
	OBJ_CAST(c, w->data, RDCONN_MAGIC);
	c->timer_due_us = 0;
	if (ev_is_active(&c->rio) && !read_some(c))
		return;
	loop_refresh(c->loop);
	due = c->state == RDCONN_CONNECTING ? c->connect_due_us
					    : rdcmd_first_due(&c->sent);
	if (due == 0)
		return;
	if (due > loop_now_us(c->loop)) {
		arm(c, due);
		return;
	}
	if (c->state == RDCONN_CONNECTING) {
		connect_late(c);
		return;
	}
	err_set(&c->why, LUNATE_EDEADLINE,
		"redis did not answer a command in time; the connection was "
		"given up");
	die(c);
}

/* ---- life ---------------------------------------------------------------- */

static void
init_watchers(struct rdconn *c)
{
	ev_io_init(&c->rio, on_readable, -1, EV_READ);
	ev_io_init(&c->wio, on_writable, -1, EV_WRITE);
	ev_timer_init(&c->timer, on_timer, 0, 0);
	c->rio.data = c->wio.data = c->timer.data = c;
	loop_job_init(&c->flush, on_flush);
	loop_job_init(&c->bury, bury);
}

struct rdconn *
rdconn_open(struct loop *loop, const struct rdconn_opts *opts,
	    const struct rdconn_owner *owner)
{
	struct rdconn *c = mem_new(sizeof(*c));

	assert(opts->connect_ms > 0);
	OBJ_INIT(c, RDCONN_MAGIC);
	c->loop = loop;
	c->owner = *owner;
	c->url = *opts->url;
	c->connect_ms = opts->connect_ms;
	list_init(&c->sent);
	rdout_init(&c->out);
	init_watchers(c);
	for (int i = 0; i < HELLO_CMDS; i++) {
		rdcmd_init(&c->hello[i].cmd, hello_done);
		c->hello[i].conn = c;
	}
	c->connect_due_us = loop_now_us(loop) +
			    (int64_t)opts->connect_ms * 1000;
	arm(c, c->connect_due_us);
	rddial_init(&c->dial, loop, opts->resolve, on_dialled);
	rddial_start(&c->dial, &c->url);
	return c;
}

enum rdconn_state
rdconn_state(const struct rdconn *c)
{
	OBJ_CHECK(c, RDCONN_MAGIC);
	return c->state;
}

size_t
rdconn_load(const struct rdconn *c)
{
	OBJ_CHECK(c, RDCONN_MAGIC);
	return list_count(&c->sent);
}

void
rdconn_forget(struct rdconn *c, struct rdcmd *cmd)
{
	OBJ_CHECK(c, RDCONN_MAGIC);
	if (!list_linked(&cmd->link))
		return;
	if (c->state == RDCONN_DEAD)
		list_remove(&cmd->link);
	else
		rdcmd_leave_ghost(cmd);
}

void
rdconn_drain(struct rdconn *c)
{
	OBJ_CHECK(c, RDCONN_MAGIC);
	if (c->state == RDCONN_CONNECTING) {
		err_set(&c->why, LUNATE_ECLOSED,
			"the connection to redis was closed before it was "
			"ready");
		die(c);
	} else if (c->state == RDCONN_READY) {
		set_state(c, RDCONN_DRAINING);
		drained(c);
	}
}

void
rdconn_free(struct rdconn **pc)
{
	struct rdconn *c;

	OBJ_TAKE(c, pc, RDCONN_MAGIC);
	close_socket(c);
	ev_timer_stop(loop_ev(c->loop), &c->timer);
	rddial_stop(&c->dial);
	loop_undefer(&c->bury);
	rdcmd_forget_all(&c->sent);
	rdout_fini(&c->out);
	rdurl_wipe(&c->url);
	OBJ_FINI(c);
	c->freed = true;
	if (c->depth == 0)
		mem_free(c);
}
