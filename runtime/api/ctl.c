/* SPDX-License-Identifier: MIT */
#include "ctl.h"

#include "ctl_policy.h"
#include "figures.h"
#include "health.h"
#include "lines.h"
#include "mem.h"
#include "near.h"
#include "runtime.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct ctl {
	unsigned magic;
#define CTL_MAGIC 0xc7100001
	struct worker *w;
	struct lines *lines; /* NULL before CTL_AFTER_US */
	struct loop_timer start;
	struct list later; /* struct later */
	struct ctl_policy policy;
	struct str path;
};

/* One line on its way to its answer. */
struct request {
	struct ctl *ctl;
	struct lines_peer *peer;
	json_t *id; /* borrowed, or NULL */
	const char *arg;
};

/* A request whose answer waits for a health check. */
struct later {
	struct list link;
	struct ctl *ctl;
	uint64_t peer;
	json_t *id;
	struct health_wait wait;
};

/* ---- answers ----------------------------------------------------------- */

/* Takes `what`. */
static void
send_json(struct lines_peer *p, json_t *id, json_t *what)
{
	char *text;

	if (id != NULL)
		json_object_set(what, "id", id);
	text = json_dumps(what, JSON_COMPACT);
	assert(text != NULL);
	lines_send(p, text, strlen(text));
	free(text);
	json_decref(what);
}

/* Takes `result`. */
static void
answer(struct lines_peer *p, json_t *id, json_t *result)
{
	assert(result != NULL);
	send_json(p, id, json_pack("{sb so}", "ok", 1, "result", result));
}

static void
send_error(struct lines_peer *p, json_t *id, const struct err *e)
{
	send_json(p, id,
		  json_pack("{sb s{ss so}}", "ok", 0, "error", "code",
			    err_word(e->code), "message", event_text(e->text)));
}

/* ---- the commands ------------------------------------------------------ */

static const struct {
	const char *name, *arg, *help;
} rows[] = {
#define CTL_ROW(name, arg, help) {#name, arg, help},
	CTL_COMMANDS(CTL_ROW)
#undef CTL_ROW
};
#define NROWS (sizeof(rows) / sizeof(*rows))

static void
run_help(const struct request *q)
{
	json_t *all = json_array();

	for (size_t i = 0; i < NROWS; i++)
		json_array_append_new(all, json_pack("{ss ss ss}", "command",
						     rows[i].name, "arg",
						     rows[i].arg, "help",
						     rows[i].help));
	answer(q->peer, q->id, json_pack("{so}", "commands", all));
}

static void
run_ping(const struct request *q)
{
	answer(q->peer, q->id, json_pack("{sb}", "pong", 1));
}

static void
run_version(const struct request *q)
{
	answer(q->peer, q->id, json_pack("{ss}", "version", LUNATE_VERSION));
}

static void
run_status(const struct request *q)
{
	struct worker *w = q->ctl->w;
	const struct health_report *last = health_last(w->health);
	struct metrics m;

	metrics_read(w, &m);
	answer(q->peer, q->id,
	       json_pack("{si ss so si sf si si si si sf ss so}", "pid",
			 (int)w->rt->pid, "version", LUNATE_VERSION,
			 "application_name",
			 event_text(w->rt->config.application_name), "workers",
			 __atomic_load_n(&w->rt->nworkers, __ATOMIC_RELAXED),
			 "uptime", m.uptime, "operations",
			 runtime_operations(w->rt), "total", (int)m.total,
			 "active", (int)m.active, "waiting", (int)m.waiting,
			 "queries_per_second", m.queries_per_second,
			 "log_level", log_level_word(w->rt->log.level),
			 "health",
			 last != NULL ? figures_health(last) : json_null()));
}

static void
run_pool(const struct request *q)
{
	struct worker *w = q->ctl->w;
	struct pool_stats s;
	char text[500];

	runtime_pools(w, &s);
	pool_describe(w->pool, text, sizeof(text));
	answer(q->peer, q->id,
	       json_pack("{si si si si si si si si ss}", "total", s.total,
			 "active", s.active, "idle", s.idle, "waiting",
			 s.waiting, "leased", s.leased, "logins", s.logins,
			 "max",
			 __atomic_load_n(&w->rt->budget.max, __ATOMIC_RELAXED),
			 "peak", s.peak, "summary", text));
}

static void
free_later(struct later *l)
{
	health_unask(&l->wait);
	list_remove(&l->link);
	json_decref(l->id);
	mem_free(l);
}

static void
on_report(struct health_wait *wait, const struct health_report *r)
{
	struct later *l = CONTAINER_OF(wait, struct later, wait);
	struct lines_peer *p = lines_peer(l->ctl->lines, l->peer);

	if (p != NULL)
		answer(p, l->id, figures_health(r));
	free_later(l);
}

static void
run_health(const struct request *q)
{
	struct health *health = q->ctl->w->health;
	const struct health_report *latest = health_latest(health);
	struct later *l;

	if (latest != NULL) {
		answer(q->peer, q->id, figures_health(latest));
		return;
	}
	l = mem_new(sizeof(*l));
	l->ctl = q->ctl;
	l->peer = lines_number(q->peer);
	l->id = json_incref(q->id);
	list_init(&l->link);
	list_push_back(&q->ctl->later, &l->link);
	health_ask(health, &l->wait, on_report);
}

static void
run_config(const struct request *q)
{
	answer(q->peer, q->id,
	       json_pack("{so}", "options",
			 figures_config(&q->ctl->w->rt->config)));
}

static void
run_metrics(const struct request *q)
{
	answer(q->peer, q->id, figures_metrics(q->ctl->w));
}

static void
run_log_level(const struct request *q)
{
	struct log *lg = &q->ctl->w->rt->log;
	int level = q->arg != NULL ? log_level_of(q->arg) : 0;
	struct err e;

	if (level < 0) {
		err_set(&e, LUNATE_EINVAL,
			"there is no such level; it is debug, info, warn or "
			"error");
		send_error(q->peer, q->id, &e);
		return;
	}
	if (q->arg != NULL)
		log_set_level(lg, (enum log_level)level);
	answer(q->peer, q->id,
	       json_pack("{ss}", "log_level", log_level_word(lg->level)));
}

/* Takes the result. */
static void
on_policy(void *arg, const struct ctl_policy_ask *ask, json_t *result,
	  const struct err *e)
{
	struct ctl *c = arg;
	struct lines_peer *p = lines_peer(c->lines, ask->peer);

	if (p == NULL)
		json_decref(result);
	else if (result != NULL)
		answer(p, ask->id, result);
	else
		send_error(p, ask->id, e);
}

static void
run_policy(const struct request *q)
{
	const struct ctl_policy_ask ask = {lines_number(q->peer), q->id,
					   q->arg};

	ctl_policy_ask(&q->ctl->policy, &ask);
}

static void (*const runs[])(const struct request *q) = {
#define CTL_RUN(name, arg, help) run_##name,
	CTL_COMMANDS(CTL_RUN)
#undef CTL_RUN
};

/* ---- requests ---------------------------------------------------------- */

static int
unknown(const char *name, struct err *e)
{
	const char *best;
	struct near near;

	near_init(&near, name);
	for (size_t i = 0; i < NROWS; i++)
		near_try(&near, rows[i].name);
	best = near_best(&near);
	return err_set(e, LUNATE_EINVAL,
		       "there is no such command%s%s%s; ask for help",
		       best != NULL ? "; did you mean " : "",
		       best != NULL ? best : "", best != NULL ? "?" : "");
}

static int
find(const char *name)
{
	for (size_t i = 0; i < NROWS; i++)
		if (strcmp(rows[i].name, name) == 0)
			return (int)i;
	return -1;
}

static int
serve(struct request *q, const json_t *line, struct err *e)
{
	const char *name = json_string_value(json_object_get(line, "command"));
	const json_t *arg = json_object_get(line, "arg");
	int i;

	if (name == NULL)
		return err_set(e, LUNATE_EINVAL,
			       "a request is a JSON object on one line: "
			       "{\"command\":\"help\"}");
	if (arg != NULL && !json_is_string(arg) && !json_is_null(arg))
		return err_set(e, LUNATE_EINVAL, "arg is a string");
	q->id = json_object_get(line, "id");
	q->arg = json_string_value(arg);
	i = find(name);
	if (i < 0)
		return unknown(name, e);
	if (q->arg != NULL && rows[i].arg[0] == 0)
		return err_set(e, LUNATE_EINVAL, "%s takes no argument",
			       rows[i].name);
	runs[i](q);
	return 0;
}

static void
on_line(struct lines *s, struct lines_peer *p, const char *text, void *arg)
{
	struct request q = {.peer = p};
	json_t *line = json_loads(text, 0, NULL);
	struct err e;

	(void)s;
	OBJ_CAST(q.ctl, arg, CTL_MAGIC);
	if (serve(&q, line, &e) < 0)
		send_error(p, q.id, &e);
	json_decref(line);
}

/* ---- birth and death --------------------------------------------------- */

void
ctl_folder(struct str *out, const char *state_dir)
{
	if (state_dir != NULL)
		str_addf(out, "%s/run", state_dir);
}

/* Every folder on the way to the last slash; what cannot be made shows when
 * the socket is. */
static void
make_parents(char *path)
{
	for (char *p = path + 1; *p != 0; p++) {
		if (*p != '/')
			continue;
		*p = 0;
		mkdir(path, 0700);
		*p = '/';
	}
}

static int
listen_there(struct ctl *c, struct err *e)
{
	static int serial; /* atomic: runtimes of this process */
	static const struct lines_owner owner = {
		.on_line = on_line,
		.too_long = "{\"ok\":false,\"error\":{\"code\":\"too_big\","
			    "\"message\":\"a request has at most 4096 bytes "
			    "and ends with a newline\"}}"};
	struct lines_owner mine = owner;

	ctl_folder(&c->path, c->w->rt->config.state_dir);
	if (c->path.len == 0)
		return err_set(e, LUNATE_ECONFIG,
			       "no state directory: HOME and XDG_STATE_HOME "
			       "are unset; set LUNATE_STATE_DIR, or "
			       "LUNATE_CONTROL_SOCKET=false");
	str_addf(&c->path, "/%d-%d.sock", (int)getpid(),
		 __atomic_add_fetch(&serial, 1, __ATOMIC_RELAXED));
	make_parents(c->path.at);
	mine.path = c->path.at;
	mine.arg = c;
	return lines_new(&c->lines, c->w->loop, &mine, e);
}

static void
on_start(struct loop_timer *t)
{
	struct ctl *c = CONTAINER_OF(t, struct ctl, start);
	struct err e;

	OBJ_CHECK(c, CTL_MAGIC);
	if (c->w->rt->pid != getpid())
		return; /* the parent's runtime, seen from a child */
	if (listen_there(c, &e) < 0)
		log_warn(&c->w->rt->log, "ctl", "no control socket",
			 LOG_STR("why", e.text));
}

struct ctl *
ctl_new(struct worker *w)
{
	struct ctl *c = mem_new(sizeof(*c));

	OBJ_INIT(c, CTL_MAGIC);
	c->w = w;
	list_init(&c->later);
	list_init(&c->policy.jobs);
	c->policy.rt = w->rt;
	c->policy.loop = w->loop;
	c->policy.arg = c;
	c->policy.answer = on_policy;
	str_init(&c->path);
	loop_timer_init(&c->start, w->loop, on_start);
	loop_timer_start(&c->start, CTL_AFTER_US);
	return c;
}

const char *
ctl_path(const struct ctl *c)
{
	OBJ_CHECK(c, CTL_MAGIC);
	return c->lines != NULL ? c->path.at : NULL;
}

void
ctl_free(struct ctl **pc)
{
	struct ctl *c;

	OBJ_TAKE(c, pc, CTL_MAGIC);
	LIST_EACH_SAFE (link, &c->later)
		free_later(LIST_ENTRY(link, struct later, link));
	ctl_policy_end(&c->policy);
	loop_timer_stop(&c->start);
	if (c->lines != NULL)
		lines_free(&c->lines);
	str_fini(&c->path);
	OBJ_FINI(c);
	mem_free(c);
}
